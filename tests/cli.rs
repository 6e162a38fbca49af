//! The command line from outside: exit statuses, what is said about a mistake, and the published formats.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn leaselab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

/// A folder of its own for a test, empty at first.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

/// Misuse: status 2, nothing on standard output, one line on standard error that contains all of `parts`.
fn is_misuse(arguments: &[&str], parts: &[&str]) {
    let output = leaselab(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
    for part in parts {
        assert!(told.contains(part), "{arguments:?}: expected {part:?} in {told}");
    }
}

#[test]
fn without_arguments_it_says_what_it_can_do() {
    let output = leaselab(&[]);
    assert_eq!(output.status.code(), Some(0));
    for verb in ["gate", "simulate", "check", "replay", "image", "status", "list"] {
        assert!(stdout(&output).contains(verb), "{verb}");
    }
}

#[test]
fn bad_arguments_are_told_in_one_line() {
    is_misuse(&["frobnicate"], &["frobnicate", "leaselab help"]);
    is_misuse(&["simulate", "no-such-story"], &["no-such-story", "leaselab list"]);
    is_misuse(&["simulate", "power-loss", "--seeds", "9..3"], &["--seeds", "9..3", "0..100"]);
    is_misuse(&["simulate", "power-loss", "--seed", "many"], &["--seed", "many"]);
    is_misuse(&["simulate", "power-loss", "--seed", "1", "--seeds", "0..2"], &["--seed", "--seeds"]);
    is_misuse(&["simulate", "power-loss", "--budget", "60"], &["--budget", "60s"]);
    is_misuse(&["simulate", "power-loss", "--profile", "safest"], &["sanlock_3_8_5", "hardened", "safest"]);
    is_misuse(&["simulate", "power-loss", "--jobs", "0"], &["--jobs"]);
    is_misuse(&["simulate", "power-loss", "daemon-crash", "--seed", "1", "--keep-image", "x.img"], &["one scenario"]);
    is_misuse(&["gate", "--budget", "soon"], &["soon", "60s"]);
    is_misuse(&["gate", "--json", "/no/such/folder/x.json"], &["/no/such/folder"]);
    is_misuse(&["replay"], &["TRACE"]);
    is_misuse(&["replay", "/no/such.trace"], &["/no/such.trace", "expected a trace"]);
    is_misuse(&["image", "show", "/no/such.img"], &["/no/such.img", "no such file"]);
}

#[test]
fn bad_images_are_told_in_one_line() {
    let folder = folder("bad-images");
    let noise = path(&folder, "noise.img");
    std::fs::write(&noise, [0x5a; 8192]).expect("it can be written");
    is_misuse(&["image", "show", &noise], &["noise.img", "0x5a5a5a5a"]);
    let good = path(&folder, "good.img");
    assert_eq!(leaselab(&["image", "make", &good, "-s", "LS:0:0"]).status.code(), Some(0));
    is_misuse(&["image", "show", &format!("{good}:64M")], &["good.img", "the end of the file"]);
    is_misuse(&["image", "make", &path(&folder, "new.img"), "-s", "LS:0:0", "-r", "LS:R:0"], &["overlap"]);
    is_misuse(&["image", "make", &path(&folder, "new.img")], &["new.img", "at least one area"]);
    is_misuse(&["image", "index", "lookup", "/no/such.img", "-x", "LS:1M"], &["/no/such.img", "no such file"]);
    is_misuse(&["image", "index", "lookup", &good], &["-x"]);
    is_misuse(&["image", "index", "lookup", &good, "-x", "LS"], &["LS:OFFSET", "1 parts"]);
    is_misuse(&["image", "index", "create", &good, "-x", "LS:1M"], &["create", "-e NAME"]);
    is_misuse(&["image", "index", "burn", &good, "-x", "LS:1M"], &["burn", "rebuild"]);
    is_misuse(&["image", "index", "format", &good, "-x", "LS:1M", "-Z", "4096"], &["4096/8M"]);
    assert_eq!(names(&folder), ["good.img", "noise.img"]);
}

#[test]
fn bad_scenarios_are_told_with_file_line_expected_and_found() {
    let folder = folder("bad-scenarios");
    let cases = [
        ("key", "[cluster]\nhots = 3\n", 4, "hots"),
        ("unit", "[run]\nduration = \"300\"\n", 4, "duration"),
        ("range", "[cluster]\nio_timeout = \"20..10\"\n", 4, "io_timeout"),
        ("bound", "[cluster]\nhosts = 1000\n", 4, "1000"),
        ("fault", "[faults.gremlins]\nevery = \"10s\"\n", 3, "gremlins"),
        ("syntax", "[cluster\n", 3, "TOML"),
    ];
    for (name, text, line, part) in cases {
        let file = path(&folder, &format!("{name}.toml"));
        std::fs::write(&file, format!("# A story.\n\n{text}")).expect("it can be written");
        is_misuse(&["simulate", &file, "--seed", "1"], &[&format!("{file}:{line}: "), "expected", "found", part]);
    }
}

#[test]
fn a_run_is_written_down_and_replayed_and_a_cut_trace_is_refused() {
    let folder = folder("traces");
    let file = path(&folder, "run.trace");
    let run = leaselab(&["simulate", "power-loss", "--seed", "1", "--trace", &file]);
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
    assert_eq!(leaselab(&["replay", &file]).status.code(), Some(0));
    let strict = leaselab(&["replay", &file, "--strict"]);
    assert_eq!(strict.status.code(), Some(0), "{}", stdout(&strict));
    let at = leaselab(&["replay", &file, "--at", "60"]);
    assert!(stdout(&at).contains("60.000000"), "{}", stdout(&at));

    let text = std::fs::read_to_string(&file).expect("it was written");
    let cut = path(&folder, "cut.trace");
    std::fs::write(&cut, &text[..text.len() / 2]).expect("it can be written");
    is_misuse(&["replay", &cut], &["cut.trace:", "expected", "found"]);
    let other = path(&folder, "other.trace");
    std::fs::write(&other, text.replacen("  # ", "  # not ", 1)).expect("it can be written");
    let strict = leaselab(&["replay", &other, "--strict"]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(stdout(&strict).contains("other.trace:"), "{}", stdout(&strict));
    assert_eq!(names(&folder), ["cut.trace", "other.trace", "run.trace"], "nothing half-written is left");
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let folder = folder("jobs");
    let results = ["1", "2"].map(|jobs| {
        let file = path(&folder, &format!("jobs-{jobs}.json"));
        let seeds = ["--seeds", "0..12"];
        leaselab(&["simulate", "daemon-crash", "power-loss", seeds[0], seeds[1], "--jobs", jobs, "--json", &file]);
        let text = std::fs::read_to_string(&file).expect("it was written");
        let mut document: Value = serde_json::from_str(&text).expect("it is JSON");
        for result in document["results"].as_array_mut().expect("a list") {
            let seconds = result.as_object_mut().expect("an object").remove("seconds");
            assert!(seconds.is_some_and(|seconds| seconds.is_number()));
        }
        document
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0]["format"], "leaselab-results");
    assert_eq!(results[0]["version"], 1);
    assert_eq!(results[0]["results"][1]["scenario"], "power-loss");
    assert!(results[0]["results"][1]["host_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
}

#[test]
fn junit_is_well_formed() {
    let folder = folder("junit");
    let file = path(&folder, "results.xml");
    leaselab(&["simulate", "power-loss", "daemon-crash", "--seeds", "0..2", "--junit", &file]);
    let xml = std::fs::read_to_string(&file).expect("it was written");
    let mut open = Vec::new();
    let mut cases = 0;
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("each tag ends");
        assert!(!text.contains('>'), "{text}");
        let name = tag.split([' ', '/', '?']).find(|name| !name.is_empty()).expect("each tag has a name");
        match tag {
            _ if tag.starts_with('?') || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ => open.push(name),
        }
        cases += usize::from(tag.starts_with("testcase"));
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert_eq!((open.len(), cases), (0, 2));
}

#[test]
fn the_disk_of_a_run_is_kept_as_an_image() {
    let folder = folder("keep-image");
    let file = path(&folder, "disk.img");
    let run = leaselab(&["simulate", "power-loss", "--seed", "1", "--keep-image", &file]);
    assert_eq!(run.status.code(), Some(0), "{}", stdout(&run));
    let shown = leaselab(&["image", "show", &file, "-f", "2"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(stdout(&shown).contains("hostA"), "{}", stdout(&shown));
    assert_eq!(names(&folder), ["disk.img"]);
}

#[test]
fn the_list_names_everything() {
    let output = leaselab(&["list", "--json"]);
    let list: Value = serde_json::from_str(&stdout(&output)).expect("it is JSON");
    for key in ["scenarios", "worlds", "properties", "faults", "decisions", "rare"] {
        let entries = list[key].as_array().unwrap_or_else(|| panic!("{key} is a list"));
        assert!(entries.iter().all(|entry| entry["name"].is_string()) && !entries.is_empty(), "{key}");
    }
    let text = stdout(&leaselab(&["list"]));
    assert!(text.contains("power-loss") && text.contains("I-EX") && text.contains("torn"), "{text}");
}

#[test]
fn a_reader_who_goes_away_changes_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_leaselab"))
        .arg("list")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn results_replace_the_file_behind_a_link_and_are_written_to_what_is_no_file() {
    let folder = folder("links");
    let (file, link) = (path(&folder, "results.json"), path(&folder, "link.json"));
    std::fs::write(&file, "old").expect("it can be written");
    std::os::unix::fs::symlink(&file, &link).expect("it can be linked");
    leaselab(&["simulate", "power-loss", "--seed", "1", "--json", &link]);
    assert!(std::fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert!(std::fs::read_to_string(&file).expect("it is there").contains("leaselab-results"));

    let pipe = path(&folder, "pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo").success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().expect("there is cat");
    leaselab(&["simulate", "power-loss", "--seed", "1", "--json", &pipe]);
    let read = reader.wait_with_output().expect("it ends");
    assert!(stdout(&read).contains("leaselab-results"));
    assert_eq!(names(&folder), ["link.json", "pipe", "results.json"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_the_results_so_far() {
    let folder = folder("interrupt");
    let file = path(&folder, "results.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_leaselab"))
        .args(["simulate", "power-loss", "--seeds", "0..1000000000", "--json", &file])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    // Time enough to begin; what is asserted does not depend on how much of it was needed.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is kill");
    assert!(killed.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    let text = std::fs::read_to_string(&file).expect("the results so far are written");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(document["results"][0]["verdict"], "undecided");
    assert_eq!(names(&folder), ["results.json"]);
}

/// The names of the files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it can be listed");
    let mut names = entries
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    names.sort();
    names
}
