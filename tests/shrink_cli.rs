//! `leaselab shrink` as its users see it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("the program runs")
}

fn kept(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces").join(name).display().to_string()
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn a_trace_becomes_a_smaller_one_that_replays_strictly() {
    let file = scratch("smaller.trace");
    let name = file.display().to_string();
    let shrunk = leaselab(&["shrink", &kept("wdmd-stall.trace"), "-o", &name]);
    let told = String::from_utf8(shrunk.stdout).expect("text");
    assert_eq!(shrunk.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&shrunk.stderr));
    for part in
        ["violated I-WD\n", "I-WD is violated: ", "steps: ", "hosts: ", "simulated time: ", "candidates tried: "]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.ends_with(&format!("Again: leaselab replay {name}\n")), "{told}");
    assert!(told.lines().count() <= 36, "{told}");
    let replayed = leaselab(&["replay", "--strict", &name]);
    assert_eq!(replayed.status.code(), Some(0), "{}", String::from_utf8_lossy(&replayed.stdout));
    let small = std::fs::read_to_string(&file).expect("it was written");
    let old = std::fs::read_to_string(kept("wdmd-stall.trace")).expect("it is kept");
    assert!(small.starts_with("# ") && small.len() * 2 < old.len(), "{} of {} bytes", small.len(), old.len());
}

#[test]
fn what_cannot_be_shrunk_is_misuse_in_one_line() {
    let no_trace = scratch("no.trace");
    std::fs::write(&no_trace, "nothing\n").expect("the folder of scratch files");
    let unknown = scratch("unknown.trace");
    let text = std::fs::read_to_string(kept("wdmd-stall.trace")).expect("it is kept");
    std::fs::write(&unknown, text.replacen("violated I-WD\n", "violated I-WHAT\n", 1)).expect("the folder");
    let holds = scratch("holds.trace");
    let written = holds.display().to_string();
    leaselab(&["simulate", "power-loss", "--seed", "3", "--trace", &written]);
    let cases = [
        (no_trace, r#"expected "leaselab trace 1", found "nothing""#),
        (unknown, "expected \"verdict\" and holds, asserted or violated and a property"),
        (holds, "expected a trace of a violation, found verdict holds"),
        (scratch("missing.trace"), "expected a trace, found: "),
    ];
    for (file, message) in cases {
        let file = file.display().to_string();
        let output = leaselab(&["shrink", &file]);
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(message) && error.contains(&file) && error.lines().count() == 1, "{error}");
        assert!(output.stdout.is_empty());
    }
}
