//! How many actions a second a world carries out: a cluster at rest, and one in the storm. One core.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scenarios::{Case, Mix, ProfileName, Scenario, quiet, quiet_4k, run_case, simulate, stormy_scenario};

/// Actions of one measured piece of work.
const ACTIONS: u64 = 100_000;
/// Seeds of one measured piece of work.
const SEEDS: u64 = 16;

fn world(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("world");
    group.sample_size(10);

    let outcome = quiet(ACTIONS);
    let hours = outcome.host_micros / 3_600_000_000;
    println!("quiet: {} actions are {hours} host-hours; 0.05 host-years a second are 438 of them", outcome.actions);
    group.throughput(Throughput::Elements(outcome.actions));
    group.bench_function("quiet", |bencher| bencher.iter(|| quiet(ACTIONS)));
    group.bench_function("quiet, 4096-byte sectors", |bencher| bencher.iter(|| quiet_4k(ACTIONS)));

    let scenario = stormy_scenario();
    let storm =
        || (0..SEEDS).map(|seed| simulate(&scenario, ProfileName::Hardened, seed, &mut ()).actions).sum::<u64>();
    group.throughput(Throughput::Elements(storm()));
    group.bench_function("storm", |bencher| bencher.iter(storm));

    // Every fault in every seed, judged and not judged: the difference is what looking costs.
    let whole = Scenario { mix: Mix::Uniform, ..scenario };
    let whole = |blind: bool| {
        let run = |seed| {
            let mut case = Case::new(&whole, ProfileName::Hardened, seed);
            case.blind = blind;
            run_case(&case, &mut ()).actions
        };
        (0..SEEDS).map(run).sum::<u64>()
    };
    assert_eq!(whole(false), whole(true), "looking changes nothing");
    group.throughput(Throughput::Elements(whole(false)));
    group.bench_function("storm, every fault", |bencher| bencher.iter(|| whole(false)));
    group.bench_function("storm, every fault, nobody looks", |bencher| bencher.iter(|| whole(true)));
    group.finish();
}

criterion_group!(benches, world);
criterion_main!(benches);
