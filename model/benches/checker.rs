//! How many different states a second the searches see, and what a state costs in memory.
//!
//! `cargo bench -p model --bench checker`. Criterion counts different states as elements; what one costs in memory is
//! printed before each space, for our own search, which knows.

#[path = "../tests/toy/mod.rs"]
mod toy;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use model::checker::search::{Options, Order, explore, stuck};
use model::checker::{Space, stateright};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use toy::{Rows, Toy};

/// Every search over one space.
fn measure<S: Space + 'static>(criterion: &mut Criterion, name: &str, space: &Arc<S>) {
    let own = |options: &Options| explore(&**space, options, &|_| (), &AtomicBool::new(false));
    let theirs = |options: &Options| stateright::run(Arc::clone(space), options, Arc::new(AtomicBool::new(false)));
    let unique = own(&Options::default()).unique;
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Elements(unique));
    for (order, in_words) in [(Order::DepthFirst, "depth-first"), (Order::BreadthFirst, "breadth-first")] {
        for threads in [1, 2] {
            let options = Options { threads, order, ..Options::default() };
            let way = format!("{in_words}, threads: {threads}");
            println!("{name}, {way}: {unique} states, {:.1} bytes each", own(&options).bytes_per_state());
            group.bench_function(BenchmarkId::new("own", &way), |bench| bench.iter(|| own(&options).unique));
            group.bench_function(BenchmarkId::new("stateright", &way), |bench| bench.iter(|| theirs(&options).unique));
        }
    }
    let count = || stuck(&**space, &Options::default(), &|_| (), &AtomicBool::new(false));
    group.bench_function("ways to a grant", |bench| bench.iter(|| count().states));
    group.finish();
}

fn searches(criterion: &mut Criterion) {
    measure(criterion, "rows", &Arc::new(Toy(Rows { turns: [16; 5], bad: None })));
}

criterion_group!(benches, searches);
criterion_main!(benches);
