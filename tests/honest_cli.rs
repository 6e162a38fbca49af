//! Whether the command line would notice that it is blind, deaf or lucky: canary, silent faults, rare branches, bounds.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("it runs")
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

/// A file of its own for a test.
fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("honest");
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_canary_dies_in_every_campaign_and_a_blind_one_is_red() {
    let seen = leaselab(&["simulate", "power-loss", "--seeds", "0..3"]);
    assert_eq!(seen.status.code(), Some(0), "{}", told(&seen));
    assert!(told(&seen).contains("canary (hardened): dead of I-WD with seed 0, as it must be"), "{}", told(&seen));

    let results = file("blind.json");
    let blind = leaselab(&["simulate", "power-loss", "--seeds", "0..3", "--blind", "--json", &results]);
    assert_eq!(blind.status.code(), Some(1), "{}", told(&blind));
    assert!(told(&blind).contains("canary (hardened): the canary lives"), "{}", told(&blind));
    let text = std::fs::read_to_string(&results).expect("it was written");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(document["results"][1]["scenario"], "canary");
    assert_eq!(document["results"][1]["standing"], "unexpected");
}

#[test]
fn a_blind_gate_is_red() {
    let gate = leaselab(&["gate", "--budget", "1s", "--blind"]);
    assert_eq!(gate.status.code(), Some(1), "{}", told(&gate));
    assert!(told(&gate).contains("the canary lives") && told(&gate).contains("RED after"), "{}", told(&gate));
}

#[test]
fn a_fault_that_never_fires_fails_its_campaign_once_there_are_seeds_enough() {
    // Nobody is ever killed here, so nobody can be slow in dying.
    let story = file("silent.toml");
    let text = "\
# Slow deaths where nobody dies.
[cluster]
hosts = 1
[faults.slow-death]
one_in = 1
[run]
duration = \"60s\"
[expect]
hardened = \"holds\"
sanlock_3_8_5 = \"holds\"
";
    std::fs::write(&story, text).expect("it can be written");
    let few = leaselab(&["simulate", &story, "--seeds", "0..10"]);
    assert_eq!(few.status.code(), Some(0), "{}", told(&few));
    assert!(told(&few).contains("warning: was on and has not fired yet: slow-death in "), "{}", told(&few));
    let many = leaselab(&["simulate", &story, "--seeds", "0..100"]);
    assert_eq!(many.status.code(), Some(1), "{}", told(&many));
    assert!(told(&many).contains("no violation, but was on and never fired: slow-death in "), "{}", told(&many));
}

#[test]
fn every_report_lists_every_rare_branch_those_first_that_no_seed_took() {
    let results = file("rare.json");
    let run = leaselab(&["simulate", "swarm", "--seeds", "0..20", "--json", &results]);
    let text = told(&run);
    let (never, taken) = (text.find("rare branches that no seed took: "), text.find("the seeds that took them: "));
    assert!(never.is_some_and(|never| taken.is_some_and(|taken| never < taken)), "{text}");

    let list: Value = serde_json::from_str(&told(&leaselab(&["list", "--json"]))).expect("it is JSON");
    let names = list["rare"].as_array().expect("a list").iter().map(|it| it["name"].as_str().expect("a name"));
    let names = names.collect::<Vec<_>>();
    assert!(names.iter().all(|name| text.contains(name)), "{text}");

    // The order is the text's: a reader of JSON may not keep it.
    let json = std::fs::read_to_string(&results).expect("it was written");
    let rare = &json[json.find("\"rare\": {").expect("it is published")..];
    let rare = &rare[..rare.find('}').expect("it ends")];
    let seeds = rare.lines().filter_map(|line| line.trim().trim_end_matches(',').rsplit_once(": ")?.1.parse().ok());
    let seeds = seeds.collect::<Vec<u64>>();
    assert_eq!(seeds.len(), names.len(), "{rare}");
    assert!(seeds.is_sorted() && seeds.iter().all(|seeds| *seeds <= 20), "{rare}");
}

#[test]
fn results_have_the_bounds_of_what_they_say() {
    let results = file("bounds.json");
    leaselab(&["simulate", "power-loss", "no-watchdog", "--seeds", "0..30", "--json", &results]);
    let text = std::fs::read_to_string(&results).expect("it was written");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    let share = |index: usize| &document["results"][index]["share"];
    assert_eq!((&share(0)["seeds"], &share(0)["violating"]), (&30.into(), &0.into()));
    assert!(share(0)["high"].as_f64().is_some_and(|high| high < 0.1), "{text}");
    assert_eq!(share(1)["violating"], 1);
    assert!(share(1)["low"].as_f64().is_some_and(|low| low > 0.0), "{text}");
}
