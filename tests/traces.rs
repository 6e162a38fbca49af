//! Bugs that were found, kept as traces: each still breaks the property that its head names. A trace survives changes of
//! the engine, so only the verdict is asked for; `leaselab replay --strict` compares the text.

use scenarios::{Trace, replay};
use std::path::Path;

#[test]
fn each_trace_still_shows_its_violation() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let entries = std::fs::read_dir(&folder).expect("the folder of traces");
    // The folder of mutants beside them is another test's: they can only be replayed by a program that has them.
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(files.len() >= 4, "only {} traces", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a trace");
        let trace = Trace::parse(&file.display().to_string(), &text).unwrap_or_else(|bad| panic!("{bad}"));
        let case = trace.case();
        let replayed = replay(&trace, &case, &mut ());
        assert!(replayed.agrees_with(&trace), "{}: {}", file.display(), replayed.verdict);
    }
}
