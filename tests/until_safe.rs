//! `--until-safe` from outside: from the first finding to a complete world, or to seeds that are all well; and what it
//! refuses.

use scenarios::Trace;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Two hosts that ask once each, and one late write: some thousand states, and a vote that is taken back after it counted.
const SMALL: &str = "\
# Two hosts ask for one lease, and one write is late.

[cluster]
hosts = 2

[[resource]]
num_hosts = 2

[check]
world = \"ballots\"
acquires = 1
late_writes = 1
";

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("it runs")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("until-safe").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn small(folder: &Path) -> String {
    let file = folder.join("small.toml");
    std::fs::write(&file, SMALL).expect("it can be written");
    file.to_str().expect("UTF-8").to_owned()
}

#[test]
fn it_goes_from_the_first_finding_to_a_complete_world() {
    let folder = folder("climbed");
    let file = small(&folder);
    let report = folder.join("report.md");
    let (report, traces) = (report.to_str().expect("UTF-8"), folder.to_str().expect("UTF-8"));
    let profile = ["--profile", "sanlock_3_8_5"];
    let arguments = [&["check", &file, "--until-safe", "-o", report, "--trace", traces], &profile[..]].concat();
    let output = leaselab(&arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = std::fs::read_to_string(report).expect("the report");
    for part in ["### 1. I-AGREE after 12 steps", "not described before", "complete, ", "With `hardened`: complete"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    // The same by another way: what closes the findings is all that the world takes to be safe.
    let line = text.lines().rfind(|line| line.starts_with("With `") && line.contains(": complete, "));
    let (before, _) = text.rsplit_once("\nWith `hardened`").expect("how it ends");
    let taken = before.lines().last().expect("a line").split(": complete").next().expect("a beginning");
    assert!(line.is_some() && taken.contains("`retract`"), "{taken}");
    let mut again = [&["check", &file], &profile[..]].concat();
    for name in taken.split('`').skip(1).step_by(2) {
        again.extend(["--with", name]);
    }
    let output = leaselab(&again);
    assert_eq!(output.status.code(), Some(0), "{again:?}: {output:?}");

    let trace = folder.join("small-1.trace");
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let trace = Trace::parse("small-1.trace", &text).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(scenarios::replay(&trace, &trace.case(), &mut ()).agrees_with(&trace));
}

#[test]
fn what_it_did_not_see_to_its_end_is_undecided() {
    let file = small(&folder("bounded"));
    let output = leaselab(&["check", &file, "--until-safe", "--profile", "sanlock_3_8_5", "--max-memory", "1K"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("undecided"), "{output:?}");
}

#[test]
fn a_story_is_climbed_by_its_seeds() {
    let folder = folder("seeds");
    let report = folder.join("report.md");
    let (report, traces) = (report.to_str().expect("UTF-8"), folder.to_str().expect("UTF-8"));
    let story = "client-hangs-up-and-lives-on";
    let arguments = ["simulate", story, "--profile", "sanlock_3_8_5", "--until-safe", "--seeds", "0..12"];
    let output = leaselab(&[&arguments[..], &["-o", report, "--trace", traces]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = std::fs::read_to_string(report).expect("the report");
    let row = format!("| {story} | I-EX | ");
    let found = text.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("{row} in\n{text}"));
    assert!(found.contains("| `client_gone` |") && !found.ends_with("| none |"), "{found}");
    assert!(text.contains("With `client_gone`: 0 of the seeds are violated; with `hardened`: 0."), "{text}");
    // The shrunk run carries its decisions and its storm: it stands alone.
    let file = folder.join(format!("{story}-client_gone.trace"));
    let text = std::fs::read_to_string(&file).expect("the trace");
    let trace = Trace::parse("seeds.trace", &text).unwrap_or_else(|bad| panic!("{bad}"));
    assert!(trace.scenario.decisions.unspared);
    assert!(scenarios::replay(&trace, &trace.case(), &mut ()).agrees_with(&trace));
}

#[test]
fn it_is_for_3_8_5_and_for_nothing_that_it_does_not_write() {
    let cases: [&[&str]; 5] = [
        &["simulate", "swarm", "--until-safe"],
        &["simulate", "swarm", "--until-safe", "--profile", "sanlock_3_8_5", "--seed", "1"],
        &["check", "check-ballots-2", "--until-safe"],
        &["check", "check-ballots-2", "--until-safe", "--profile", "sanlock_3_8_5", "--json", "x.json"],
        &["check", "check-ballots-2", "--profile", "sanlock_3_8_5", "-o", "x.md"],
    ];
    for arguments in cases {
        let output = leaselab(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{arguments:?}: {told}");
    }
}
