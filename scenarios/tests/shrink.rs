//! Shrinking the traces that are kept, and violations of the catalogue.

use scenarios::{Case, Claim, ProfileName, Scenario, Shrunk, Trace, is_minimal, record, replay_strictly, shrink};
use std::path::Path;

fn kept(name: &str) -> Trace {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces").join(name);
    let text = std::fs::read_to_string(&file).expect("a trace");
    Trace::parse(name, &text).unwrap_or_else(|bad| panic!("{bad}"))
}

/// Shrinks a trace and checks everything that must be true of the result.
fn check(name: &str, trace: &Trace, share: u64) -> Shrunk {
    let shrunk = shrink(trace, &mut || true).unwrap_or_else(|why| panic!("{name}: {why}"));
    let text = shrunk.trace.to_string();
    println!(
        "{name}: actions {} -> {}, lines {} -> {}, {} s -> {} s, {} candidates",
        shrunk.actions_before,
        shrunk.trace.actions,
        trace.to_string().lines().count(),
        text.lines().count(),
        shrunk.ended_before,
        shrunk.ended,
        shrunk.tried
    );
    assert!(shrunk.finished);
    assert_eq!(shrunk.trace.verdict, trace.verdict, "{name}");
    assert_eq!((shrunk.trace.profile, shrunk.trace.seed), (trace.profile, trace.seed));
    assert!(shrunk.trace.actions * 100 <= shrunk.actions_before * share, "{name}: {} actions", shrunk.trace.actions);
    let read = Trace::parse(name, &text).unwrap_or_else(|bad| panic!("{bad}"));
    let replayed = replay_strictly(name, &text, &read, &read.case(), &mut ());
    let replayed = replayed.unwrap_or_else(|difference| panic!("{difference}"));
    assert!(replayed.same_run_as(&read), "{name}: {replayed}");
    assert!(is_minimal(&read), "{name}: a choice can be left out");
    let again = shrink(trace, &mut || true).expect("it was shrunk a moment ago");
    assert_eq!(again.trace.to_string(), text, "{name}: the same input, another output");
    shrunk
}

#[test]
fn the_kept_traces_become_small() {
    let shares = [
        ("daemon-crash.trace", 10),
        ("release-meets-an-error.trace", 80),
        ("vote-of-an-earlier-life.trace", 90),
        // The main loop runs twice in a second while it kills, and the tolerance is 140 s.
        ("wdmd-stall.trace", 40),
    ];
    for (name, share) in shares {
        check(name, &kept(name), share);
    }
}

#[test]
fn violations_of_the_catalogue_become_small() {
    for (name, share) in [("daemon-crash", 10), ("wdmd-stall", 45)] {
        let scenario = Scenario::named(name).expect("it is in the catalogue");
        let found = (1..100).find_map(|seed| {
            let (_, trace) = record(&Case::new(&scenario, ProfileName::Sanlock385, seed));
            matches!(trace.verdict, Claim::Violated(_)).then_some(trace)
        });
        check(name, &found.expect("3.8.5 breaks there"), share);
    }
}

#[test]
fn what_violates_nothing_is_not_shrunk() {
    let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
    let (_, mut trace) = record(&Case::new(&scenario, ProfileName::Hardened, 3));
    let why = shrink(&trace, &mut || true).expect_err("it holds").to_string();
    assert_eq!(why, "expected a trace of a violation, found verdict holds");
    trace.verdict = kept("daemon-crash.trace").verdict;
    let why = shrink(&trace, &mut || true).expect_err("it holds all the same").to_string();
    assert_eq!(why, "expected the trace to come to violated I-EX as it says, found: holds");
}

#[test]
fn whoever_stops_gets_the_best_so_far() {
    let trace = kept("daemon-crash.trace");
    let mut left = 20;
    let shrunk = shrink(&trace, &mut || {
        left -= 1;
        left >= 0
    });
    let shrunk = shrunk.expect("it is a violation");
    assert!(!shrunk.finished && shrunk.tried == 20);
    assert!(shrunk.trace.actions < trace.actions);
    let text = shrunk.trace.to_string();
    let read = Trace::parse("stopped", &text).expect("it was written so");
    replay_strictly("stopped", &text, &read, &read.case(), &mut ()).expect("it went so");
}
