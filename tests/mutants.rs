//! `leaselab mutants`: a handful of mistakes that are found at once, the ones that must be found, and what becomes of
//! all of them where nobody judges. In a program that was built without them, one line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn every_mutant_is_listed_and_says_whether_it_can_be_run() {
    let told = stdout(&leaselab(&["list"]));
    let lines = told.lines().skip_while(|line| !line.starts_with("MUTANT ")).skip(1);
    let rows = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>();
    assert_eq!(rows.len(), 75, "73 and the two that grant everything and fence nothing");
    for row in rows {
        let place = row.split("  ").filter(|cell| !cell.is_empty()).nth(2).expect("four columns").trim();
        let known = ["engine", "host"].contains(&place) || place.starts_with("not built: needs ");
        assert!(known, "{row}");
    }
}

#[cfg(not(feature = "mutants"))]
mod without {
    use super::{Path, PathBuf, leaselab};

    fn is_misuse(arguments: &[&str], part: &str) {
        let output = leaselab(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.lines().count() == 1 && told.contains(part), "{told}");
        assert!(output.stdout.is_empty());
    }

    #[test]
    fn a_program_without_mutants_says_so_in_one_line() {
        is_misuse(&["mutants"], "--features mutants");
        is_misuse(&["mutants", "B01a", "--campaigns", "3"], "--features mutants");
    }

    #[test]
    fn a_trace_of_a_mutant_is_refused_in_one_line() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/wdmd-stall.trace");
        let text = std::fs::read_to_string(kept).expect("it is kept");
        let profile = text.lines().find(|line| line.starts_with("profile ")).expect("a trace has one");
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("of-a-mutant.trace");
        let text = text.replacen(profile, &format!("{profile}\nmutant B01a"), 1);
        std::fs::write(&file, text).expect("the folder of scratch files");
        is_misuse(&["replay", file.to_str().expect("UTF-8")], "built without the feature mutants");
    }
}

#[cfg(feature = "mutants")]
mod with {
    use super::{Path, PathBuf, leaselab, stdout};
    use lease_core::mutants::Mutant;
    use scenarios::{Trace, replay};

    fn folder(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("it can be made");
        folder
    }

    #[test]
    fn plain_mistakes_are_caught_and_their_traces_replay() {
        let folder = folder("mutants");
        let traces = folder.to_str().expect("UTF-8");
        let names = ["B01a", "B06", "B15", "B37b", "B46", "B74", "B76", "Null1", "Null2"];
        let mut arguments = vec!["mutants"];
        arguments.extend(names);
        arguments.extend(["--campaigns", "2", "--no-worlds", "--budget", "60s", "--shrink", "1s", "--traces", traces]);
        let output = leaselab(&arguments);
        let told = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("9 of 9 mutants are caught"), "{told}");
        for name in names {
            let file = folder.join(format!("{name}.trace"));
            let replayed = leaselab(&["replay", file.to_str().expect("UTF-8")]);
            assert_eq!(replayed.status.code(), Some(0), "{name}: {}", stdout(&replayed));
        }
    }

    #[test]
    fn a_trace_is_kept_of_each_mutant_that_is_caught_and_replays() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/mutants");
        let missing = Mutant::ALL.iter().filter(|mutant| !kept.join(format!("{}.trace", mutant.name())).is_file());
        let missing = missing.map(|mutant| mutant.name()).collect::<Vec<_>>();
        for name in &missing {
            let mutant = Mutant::from_name(name).expect("it was listed");
            assert!(!mutant.why_not().is_empty(), "{name} has neither a trace nor a reason why it is not caught");
        }
        let mut files: Vec<_> =
            std::fs::read_dir(&kept).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        assert_eq!(files.len() + missing.len(), Mutant::ALL.len(), "a trace of nobody");
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a trace");
            let trace = Trace::parse(&file.display().to_string(), &text).unwrap_or_else(|bad| panic!("{bad}"));
            let case = trace.case();
            let name = file.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8");
            assert!(text.lines().any(|line| line == format!("mutant {name}")), "{} is another's", file.display());
            let replayed = replay(&trace, &case, &mut ());
            assert!(replayed.agrees_with(&trace), "{}: {}", file.display(), replayed.verdict);
        }
    }

    #[test]
    fn where_nobody_judges_no_mutant_dies_and_that_is_a_failure() {
        let output = leaselab(&["mutants", "B01a", "Null1", "--blind", "--campaigns", "1", "--budget", "1s"]);
        let told = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("0 of 2 mutants are caught"), "{told}");
    }
}
