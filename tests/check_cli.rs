//! `check` from outside: verdicts and exit statuses, the published numbers, and the Explorer.

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Two hosts that ask once each: some hundred states.
const SMALL: &str = "\
# Two hosts ask for one lease, once each.

[cluster]
hosts = 2

[[resource]]
num_hosts = 2

[check]
world = \"ballots\"
acquires = 1
";

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

/// A folder of its own for a test, empty at first.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}

/// The small world with more in its `[check]` part and after it, as a file.
fn world(folder: &Path, more: &str) -> String {
    let file = folder.join("small.toml");
    std::fs::write(&file, format!("{SMALL}{more}")).expect("it can be written");
    file.to_str().expect("UTF-8").to_owned()
}

fn is_misuse(arguments: &[&str], parts: &[&str]) {
    let output = leaselab(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    for part in parts {
        assert!(told.contains(part), "{arguments:?}: expected {part:?} in {told}");
    }
}

/// The results of a check, and its exit status.
fn results(folder: &Path, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let file = folder.join("results.json");
    let file = file.to_str().expect("UTF-8");
    let output = leaselab(&[&["check", "--json", file], arguments].concat());
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    (document["results"].as_array().expect("a list").clone(), output.status.code())
}

#[test]
fn bad_arguments_are_told_in_one_line() {
    is_misuse(&["check", "no-such-world"], &["no-such-world", "leaselab list"]);
    is_misuse(&["check", "power-loss"], &["power-loss.toml", "[check]", "leaselab simulate power-loss"]);
    is_misuse(&["simulate", "check-ballots-2"], &["check-ballots-2.toml", "leaselab check check-ballots-2"]);
    is_misuse(&["check", "check-ballots-2", "--max-memory", "8"], &["--max-memory", "512M"]);
    is_misuse(&["check", "check-ballots-2", "--threads", "0"], &["--threads"]);
    is_misuse(&["check", "check-ballots-2", "--without", "luck"], &["--without", "luck", "completion"]);
    is_misuse(&["check", "check-ballots-2", "--with", "winner"], &["--with", "sanlock_3_8_5", "hardened"]);
    is_misuse(&["check", "check-ballots-2", "--except", "luck"], &["--except", "luck", "own_vote"]);
    is_misuse(&["check", "check-ballots-2", "check-ballots-3", "--serve", "127.0.0.1:1"], &["--serve", "found 2"]);
    is_misuse(&["check", "check-ballots-2", "--serve", "here"], &["--serve", "here"]);
    is_misuse(&["check", "check-ballots-2", "--json", "/no/such/folder/x.json"], &["/no/such/folder"]);
}

#[test]
fn a_complete_world_holds_and_its_counts_do_not_depend_on_threads() {
    let folder = folder("complete");
    let file = world(&folder, "");
    let ways: [&[&str]; 4] = [&["--threads", "1"], &["--threads", "2"], &["--bfs"], &["--stateright"]];
    let counts = ways.map(|way| {
        let (results, status) = results(&folder, &[&[file.as_str()], way].concat());
        assert_eq!((results.len(), status), (1, Some(0)), "{way:?}: {results:?}");
        let result = &results[0];
        assert_eq!((&result["verdict"], &result["complete"]), (&"holds".into(), &true.into()), "{result}");
        assert!(result["bytes_per_state"].is_number() && result["threads"].is_number(), "{result}");
        assert!(result["limits"]["crashes"] == 0 && result["limits"]["mode"] == "within the tolerance", "{result}");
        let count = |name: &str| result[name].as_u64().unwrap_or_else(|| panic!("{name} in {result}"));
        assert!(result["owning"]["hosts"][1][1].as_u64().is_some_and(|states| states > 0), "{result}");
        (count("unique_states"), count("generated_states"), result["owning"].clone())
    });
    assert!(counts.iter().all(|other| *other == counts[0]), "{counts:?}");

    let told = stdout(&leaselab(&["check", &file, "--progress"]));
    for part in ["holds", "complete", "each host asks once", "tick:", "64 bits", "nobody in", "reached:", "grant"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn another_number_of_states_than_the_scenario_states_is_unexpected() {
    let folder = folder("golden");
    let file = world(&folder, "unique = { hardened = 7 }\n");
    let output = leaselab(&["check", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("expected 7 unique states, found "), "{}", stdout(&output));
    // Without a reduction it is another world.
    let other = leaselab(&["check", &file, "--without", "completion"]);
    assert_eq!(other.status.code(), Some(0), "{}", stdout(&other));
}

#[test]
fn what_was_not_seen_to_its_end_is_undecided() {
    let folder = folder("undecided");
    let cases: [(&[&str], &str); 2] =
        [(&["--max-memory", "1K"], "1 KiB of memory were used up"), (&["--budget", "1ms"], "the budget was spent")];
    for (arguments, why) in cases {
        let (results, status) = results(&folder, &[&["check-ballots-2-late"], arguments].concat());
        let result = &results[0];
        assert_eq!((status, &result["verdict"]), (Some(3), &"undecided".into()), "{result}");
        assert_eq!(result["complete"], false);
        assert!(result["why"].as_str().is_some_and(|told| told.contains(why)), "{result}");
    }
}

#[test]
fn a_bound_that_the_scenario_announces_is_as_expected() {
    let folder = folder("bounded");
    let bound = "crashes = 2\nstates = 2000\n";
    let file = world(&folder, &format!("{bound}\n[expect]\nhardened = \"holds within the bound\"\n"));
    let output = leaselab(&["check", &file]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("undecided") && told.contains("no violation in the first 2000 states"), "{told}");
    let file = world(&folder, bound);
    assert_eq!(leaselab(&["check", &file]).status.code(), Some(3));
}

#[test]
fn a_violation_is_told_from_its_beginning() {
    let folder = folder("violated");
    let file = folder.join("found.trace");
    let file = file.to_str().expect("UTF-8");
    let arguments = ["check", "check-ballots-2-late", "--profile", "sanlock_3_8_5"];
    let output = leaselab(&[&arguments[..], &["--trace", file]].concat());
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "it is expected: {told}");
    assert!(told.contains("violated I-AGREE") && told.contains("a shortest path"), "{told}");
    assert!(told.lines().count() <= 60, "{told}");
    if let Some(again) = told.lines().find_map(|line| line.strip_prefix("Again: leaselab replay ")) {
        assert_eq!(again, file);
        let replayed = leaselab(&["replay", again, "--strict"]);
        assert_eq!(replayed.status.code(), Some(0), "{}", stdout(&replayed));
    } else {
        assert!(told.contains("Again: leaselab check check-ballots-2-late --profile sanlock_3_8_5"), "{told}");
    }
    // The same path each time.
    let once_more = stdout(&leaselab(&[&arguments[..], &["--threads", "1"]].concat()));
    let steps = |told: &str| told.split(" steps").next().and_then(|told| told.rsplit('(').next()).map(str::to_owned);
    assert_eq!(steps(&told), steps(&once_more));
}

#[test]
fn a_violation_of_a_world_with_time_is_an_ordinary_trace() {
    let folder = folder("timed");
    let file = folder.join("found.trace");
    let file = file.to_str().expect("UTF-8");
    let output = leaselab(&["check", "check-role-daemon-kills", "--profile", "sanlock_3_8_5", "--trace", file]);
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "it is expected: {told}");
    assert!(told.contains("a shortest path") && told.contains("as the simulator's world walks it"), "{told}");
    assert!(told.contains(&format!("Again: leaselab replay {file}")), "{told}");
    let replayed = leaselab(&["replay", file, "--strict"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", stdout(&replayed));
}

#[test]
fn a_violation_that_nobody_expected_is_unexpected() {
    let folder = folder("unexpected");
    let file = world(&folder, "late_writes = 1\n");
    let junit = folder.join("results.xml");
    let junit = junit.to_str().expect("UTF-8");
    let output = leaselab(&["check", &file, "--profile", "sanlock_3_8_5", "--junit", junit]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let xml = std::fs::read_to_string(junit).expect("it was written");
    assert!(xml.contains("failures=\"1\"") && xml.contains("unique states"), "{xml}");
}

/// Ends what it holds, also if a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn the_explorer_shows_states_that_a_person_understands() {
    let free = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = free.local_addr().expect("it has an address").to_string();
    drop(free);
    let child = Command::new(env!("CARGO_BIN_EXE_leaselab"))
        .args(["check", "check-ballots-2", "--serve", &address])
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let _running = Running(child);
    let page = (0..200).find_map(|_| {
        let page = get(&address, "/");
        if page.is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
        page
    });
    let page = page.expect("it answers within ten seconds");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");
    let states = get(&address, "/.states/").expect("it answers");
    assert!(states.starts_with("HTTP/1.1 200"), "{states}");
    for words in ["A (host id 1", "B (host id 2", "the leader"] {
        assert!(states.contains(words), "{words} in {states}");
    }
    assert!(!states.contains("Row {"), "ids are nothing to read: {states}");
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    is_misuse(&["check", "check-ballots-2", "--serve", &address], &["--serve", &address, "expected an address"]);
}
