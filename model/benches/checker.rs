//! How many different states a second the searches see, and what a state costs in memory.
//!
//! `cargo bench -p model --bench checker`. Criterion counts different states as elements; what one costs in memory is
//! printed before each space, for our own search, which knows.

mod naive;
#[path = "../tests/toy/mod.rs"]
mod toy;

use ::stateright::{Checker, Model};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lease_core::profile::Profile;
use model::Setup;
use model::checker::ballots::Ballots;
use model::checker::plan::{BallotPlan, Reductions};
use model::checker::search::{Options, Order, explore, stuck};
use model::checker::{Space, stateright};
use naive::Naive;
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

/// As many states of the naive space as are measured.
const NAIVE: usize = 200_000;

/// The ballots of three hosts, one acquire each: rows of ids against whole worlds, both under stateright, depth-first on
/// two threads; and our own search.
fn ballots(criterion: &mut Criterion) {
    let setup = Setup::contenders(3, Profile::HARDENED);
    let plan = BallotPlan {
        acquires: Some(1),
        crashes: Some(0),
        late_writes: Some(0),
        torn_blocks: false,
        broken: None,
        reductions: Reductions::ALL,
    };
    let options = Options { threads: 2, ..Options::default() };
    let space = Arc::new(Ballots::new(Arc::new(setup.clone()), plan).expect("three hosts, one resource"));
    let first = explore(&*space, &options, &|_| (), &AtomicBool::new(false));
    println!("ballots: {} states, {:.1} bytes each; {}", first.unique, first.bytes_per_state(), space.sizes());
    let mut group = criterion.benchmark_group("ballots of three hosts");
    group.sample_size(10).throughput(Throughput::Elements(first.unique));
    let warm = || explore(&*space, &options, &|_| (), &AtomicBool::new(false)).unique;
    group.bench_function("own, depth-first, threads: 2", |bench| bench.iter(warm));
    let cold = || {
        let space = Ballots::new(Arc::new(setup.clone()), plan).expect("three hosts, one resource");
        explore(&space, &options, &|_| (), &AtomicBool::new(false)).unique
    };
    group.bench_function("own, depth-first, threads: 2, nothing worked out before", |bench| bench.iter(cold));
    let theirs = || stateright::run(Arc::clone(&space), &options, Arc::new(AtomicBool::new(false))).unique;
    group.bench_function("stateright, depth-first, threads: 2", |bench| bench.iter(theirs));
    group.throughput(Throughput::Elements(NAIVE as u64));
    let whole = || {
        let checker = Naive::new(setup.clone()).checker().threads(2).target_state_count(3 * NAIVE);
        let done = checker.spawn_dfs().join();
        done.unique_state_count()
    };
    println!("whole worlds: {} states", whole());
    group.throughput(Throughput::Elements(whole() as u64));
    group.bench_function("stateright, depth-first, threads: 2, whole worlds", |bench| bench.iter(whole));
    group.finish();
}

fn searches(criterion: &mut Criterion) {
    measure(criterion, "rows", &Arc::new(Toy(Rows { turns: [16; 5], bad: None })));
}

criterion_group!(benches, searches, ballots);
criterion_main!(benches);
