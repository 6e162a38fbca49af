//! Bugs that were found, kept as traces: each still breaks the property that its head names. A trace survives changes of
//! the engine, so only the verdict is asked for; `leaselab replay --strict` compares the text.

use model::history::Property;
use scenarios::{Case, Claim, Decisions, ProfileName, Trace, replay, run_case};
use std::path::{Path, PathBuf};

/// The traces of a folder, with the names of their files.
fn read(folder: &str) -> Vec<(String, Trace)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder of traces");
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a trace");
        let trace = Trace::parse(&file.display().to_string(), &text).unwrap_or_else(|bad| panic!("{bad}"));
        (file.file_stem().expect("a name").to_string_lossy().into_owned(), trace)
    };
    files.into_iter().map(read).collect()
}

/// The same, each of which still comes to what it says.
fn traces(folder: &str) -> Vec<(String, Trace)> {
    let traces = read(folder);
    for (name, trace) in &traces {
        let replayed = replay(trace, &trace.case(), &mut ());
        assert!(replayed.agrees_with(trace), "{name}: {}", replayed.verdict);
    }
    traces
}

#[test]
fn each_trace_still_shows_its_violation() {
    // The folder of mutants beside them is another test's: they can only be replayed by a program that has them.
    let traces = traces("tests/traces");
    assert!(traces.len() >= 4, "only {} traces", traces.len());
}

/// Bugs of our own engine, as traces of the engine that had them.
#[test]
fn what_was_mended_stays_mended() {
    let traces = read("tests/traces/mended");
    assert!(!traces.is_empty());
    for (name, trace) in traces {
        assert!(matches!(trace.verdict, Claim::Violated(_)), "{name} claims {}", trace.verdict);
        let replayed = replay(&trace, &trace.case(), &mut ());
        assert!(replayed.verdict.holds(), "{name}: {}", replayed.verdict);
    }
}

/// What 3.8.5 does wrong in a storm, one trace for each decision that puts an end to it: the file bears its name.
#[test]
fn each_weak_point_of_3_8_5_is_closed_by_its_decision() {
    let traces = traces("tests/traces/storm");
    assert!(traces.len() >= 20, "only {} traces", traces.len());
    for (decision, trace) in traces {
        assert_eq!(trace.profile, ProfileName::Sanlock385, "{decision}");
        let more = Decisions { with: vec![decision.clone()], ..Decisions::default() };
        let scenario = trace.scenario.with_decisions(&more).unwrap_or_else(|why| panic!("{why}"));
        let mut case = Case::new(&scenario, trace.profile, trace.seed);
        case.limits = trace.limits;
        let again = match trace.verdict {
            // What is judged at a deadline stands in the trace as happenings that did not come: its seed is run again.
            Claim::Violated(Property::Progress) => run_case(&case, &mut ()).verdict,
            _ => replay(&trace, &case, &mut ()).verdict,
        };
        assert_ne!(Claim::of(&again), trace.verdict, "{decision}: {again}");
    }
}
