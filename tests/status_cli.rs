//! `leaselab status`: a committed trace, asked at some moments, and what is said about a mistake.

use std::process::{Command, Output};

/// A story of 3.8.5: A's path hangs at 60.6, its lockspace fails at 131.1, and its client is deaf.
const TRACE: &str = "tests/traces/wdmd-stall.trace";

fn status(arguments: &str) -> Output {
    let arguments = ["status", TRACE].into_iter().chain(arguments.split_whitespace());
    Command::new(env!("CARGO_BIN_EXE_leaselab")).args(arguments).output().expect("it runs")
}

#[track_caller]
fn check(arguments: &str, expected: &str) {
    let output = status(arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{arguments}");
    assert_eq!(output.status.code(), Some(0), "{arguments}: {output:?}");
}

#[test]
fn a_host_whose_path_hangs() {
    let short = "daemon hostA\np -1 helper\np -1 listener\np 0 \np -1 status\ns LS:1:d0:0\nr LS:R1:d0:1048576:1 p 0\n";
    check("--host A --at 130s", short);
    check("--host A --at 130s --what host_status", "lockspace LS\n1 timestamp 148808\n2 timestamp 235274\n");
    check(
        "--host A --at 130s --what renewal",
        "timestamp=148787 read_ms=0 write_ms=0 next_timeouts=0 next_errors=0\n\
         timestamp=148808 read_ms=1 write_ms=17 next_timeouts=0 next_errors=0\n\
         timestamp=148828 read_ms=5 write_ms=15 next_timeouts=3 next_errors=0\n",
    );
    check(
        "--host A --at 130s --what gets",
        "s LS:1:d0:0 \nh 1 gen 1 timestamp 148808 LIVE\nh 2 gen 1 timestamp 235274 LIVE\n",
    );
    check("--host A --at 130s --what inquire", "inquire pid 0\ninquire done 0 res_count 1\n\"LS:R1:d0:1048576:1\"\n");
}

/// The lines of `-D` that tell of the failure, before it and in it.
#[test]
fn recovery_shows_in_the_details() {
    let telling = |at: &str| {
        let output = status(&format!("--host A --at {at} -D"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let keys = ["renew_fail", "space_dead", "killing_pids", "renewal_last_result", "renewal_last_attempt"];
        let told = text.lines().filter(|line| keys.iter().any(|key| line.trim().starts_with(key)));
        told.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        telling("130s"),
        "renew_fail=0 space_dead=0 killing_pids=0 renewal_last_result=-202 renewal_last_attempt=148889"
    );
    assert_eq!(
        telling("172s"),
        "renew_fail=1 space_dead=1 killing_pids=1 renewal_last_result=-2 renewal_last_attempt=148910"
    );
    let details = status("--host A --at 172s -D");
    let details = String::from_utf8_lossy(&details.stdout);
    assert!(details.contains("    kill_count=42\n    kill_last=148949\n"), "{details}");
}

#[test]
fn another_host_sees_it_fail() {
    check(
        "--host B --at 172s --what gets",
        "s LS:2:d0:0 \nh 1 gen 1 timestamp 148828 FAIL\nh 2 gen 1 timestamp 235356 LIVE\n",
    );
    check("--host B --at 172s --what host_status -s LS", "1 timestamp 148828\n2 timestamp 235356\n");
}

#[test]
fn nothing_to_tell() {
    let output = status("--host A --at 0s");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "no daemon runs on A at 0.000000\n");
    let misuse = |arguments: &str, parts: &[&str]| {
        let output = status(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{arguments}: {told}");
        assert!(output.stdout.is_empty(), "{arguments}");
        parts.iter().for_each(|part| assert!(told.contains(part), "{arguments}: expected {part:?} in {told}"));
    };
    misuse("--host Z --at 130s", &[TRACE, "A, B", "\"Z\""]);
    misuse("--host A --at 13000s", &[TRACE, "190.902228", "13000"]);
    misuse("--host A --at soon", &["--at", "soon"]);
    misuse("--host A --at 130s --what weather", &["weather", "host_status"]);
    misuse("--host A --at 130s --what renewal -s XX", &["LS", "\"XX\""]);
    misuse("--host A", &["--at"]);
}
