//! The simulated daemon against the real one: how long joins, refusals, verdicts and takeovers take.
//!
//! Measured values are of sanlock 3.8.5 (Debian's package) without a watchdog, each daemon with a clock of its own, the
//! client a command-line tool on the same machine. For each cell 1,000 random phases are simulated with the profile
//! `sanlock_3_8_5`. Three things must hold: every measured value lies between the simulated minimum and maximum; these
//! lie no further apart than the phases of two hosts can put them; and the formula of the specification lies there, too.

use lease_core::Refusal;
use lease_core::numbers::HostId;
use lease_core::seam::{Answer, HostState, Request};
use model::setup::Host;
use model::{Action, Happening, Instant, Sink};
use scenarios::{Case, ProfileName, Scenario, run_case};
use std::fmt::Write;

const SEEDS: u64 = 1_000;
const A: Host = Host(0);
const B: Host = Host(1);

/// A quantity of the table: what to run, and how to read it off what happened.
struct Cell {
    name: &'static str,
    /// Seconds by formula, at least and at most, as a function of io_timeout N (W is 60).
    formula: fn(f64) -> (f64, f64),
    /// Measured seconds per io_timeout.
    measured: &'static [(u64, &'static [f64])],
    story: fn(u64) -> String,
    read: fn(&Seen) -> Option<f64>,
}

/// What a run showed, in seconds of true time.
#[derive(Default)]
struct Seen {
    asked: [Option<f64>; 2],
    /// Joins of each host: how long they took, and whether they succeeded.
    joins: [Vec<(f64, Result<(), Refusal>)>; 2],
    /// When A's daemon was killed.
    killed: Option<f64>,
    /// When B first showed A as FAIL and as DEAD after that.
    fail: Option<f64>,
    dead: Option<f64>,
    /// When B's process was told that it holds the resource after that.
    taken: Option<f64>,
}

impl Sink for Seen {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        let now = at.0 as f64 / 1e6;
        match happening {
            Happening::Chosen(Action::KillDaemon { host: A }) => self.killed = Some(now),
            Happening::Asked { host, request: Request::AddLockspace { .. }, .. } => {
                self.asked[usize::from(host.0)] = Some(now);
            }
            Happening::Told { host, request: Request::AddLockspace { .. }, result, .. } => {
                let host = usize::from(host.0);
                let took = now - self.asked[host].expect("asked before told");
                self.joins[host].push((took, result.as_ref().map(|_| ()).map_err(|why| *why)));
            }
            Happening::Told { host: B, result: Ok(Answer::Hosts(hosts)), .. } if self.killed.is_some() => {
                let state = hosts.iter().find(|status| status.host_id == HostId(1)).map(|status| status.state);
                match state {
                    Some(HostState::Fail) => _ = self.fail.get_or_insert(now),
                    Some(HostState::Dead) => _ = self.dead.get_or_insert(now),
                    _ => {}
                }
            }
            Happening::UseBegins { host: B, .. } if self.killed.is_some() => _ = self.taken.get_or_insert(now),
            _ => {}
        }
    }
}

impl Seen {
    fn since_kill(&self, moment: Option<f64>) -> Option<f64> {
        Some(moment? - self.killed?)
    }
}

/// Two hosts; `ids` are their host ids, `starts` when they boot.
fn hosts(io_timeout: u64, ids: [u64; 2], starts: [&str; 2]) -> String {
    let mut text = String::from("# A cell of the table of timings.\n");
    for (host, label) in ["A", "B"].iter().enumerate() {
        let (id, starts) = (ids[host], starts[host]);
        writeln!(
            text,
            "[[host]]\nlabel = \"{label}\"\nid = {id}\nio_timeout = {io_timeout}\nuse_watchdog = false\nstarts = \"{starts}\""
        )
        .expect("a string");
    }
    text
}

const EXPECT: &str = "[expect]\nbeyond = true\nhardened = \"holds\"\nsanlock_3_8_5 = \"holds\"\n";

fn run_part(seconds: u64) -> String {
    format!("[run]\nduration = \"{seconds}s\"\nheal = false\n{EXPECT}")
}

fn join_story(io_timeout: u64) -> String {
    let workload = "[workload]\nprocesses = 0\n";
    hosts(io_timeout, [1, 2], ["0s..5s", "0s..5s"]) + workload + &run_part(10 * io_timeout + 10)
}

fn rejoin_story(io_timeout: u64) -> String {
    let at = 6 * io_timeout + 10;
    let event = format!(
        "[[event]]\nat = \"{at}s..{}s\"\nhost = \"A\"\ndo = \"kill-daemon\"\nlasts = \"1s..5s\"\n",
        at + 2 * io_timeout + 2
    );
    hosts(io_timeout, [1, 2], ["0s..5s", "0s..5s"])
        + "[workload]\nprocesses = 0\n"
        + &event
        + &run_part(14 * io_timeout + 40)
}

fn busy_story(io_timeout: u64) -> String {
    let start = 3 * io_timeout + 30;
    let starts = format!("{start}s..{}s", start + 2 * io_timeout + 2);
    hosts(io_timeout, [1, 1], ["0s..1s", &starts]) + "[workload]\nprocesses = 0\n" + &run_part(14 * io_timeout + 120)
}

fn dead_name_story(io_timeout: u64) -> String {
    let killed = 3 * io_timeout + 30;
    let start = killed + 2 * io_timeout + 10;
    let starts = format!("{start}s..{}s", start + 3);
    let event = format!(
        "[[event]]\nat = \"{killed}s..{}s\"\nhost = \"A\"\ndo = \"kill-daemon\"\nlasts = \"1000s\"\n",
        killed + 2 * io_timeout + 2
    );
    hosts(io_timeout, [1, 1], ["0s..1s", &starts])
        + "[workload]\nprocesses = 0\n"
        + &event
        + &run_part(18 * io_timeout + 130)
}

fn takeover_story(io_timeout: u64) -> String {
    let workload = "[workload]\nprocesses = 1\nhold = \"10000s\"\nretry = \"100ms\"\ninquire = \"100ms\"\norphan_exit = \"0s..1s\"\n";
    let killed = 8 * io_timeout + 15;
    let event = format!(
        "[[event]]\nat = \"{killed}s..{}s\"\nhost = \"A\"\ndo = \"kill-daemon\"\nlasts = \"1000s\"\n",
        killed + 4 * io_timeout + 4
    );
    // B comes later, so that A is the owner.
    let later = format!("{}s..{}s", 2 * io_timeout + 4, 2 * io_timeout + 6);
    hosts(io_timeout, [1, 2], ["0s..1s", &later]) + workload + &event + &run_part(killed + 20 * io_timeout + 90)
}

/// What the phases of two hosts and one-second looks can make of one formula.
fn spread(io_timeout: f64) -> f64 {
    2.0 * (2.0 * io_timeout + 1.5) + 2.0
}

const CELLS: &[Cell] = &[
    Cell {
        name: "join, free id",
        formula: |n| (2.0 * n, 2.0 * n + 1.0),
        measured: &[(1, &[3.00]), (2, &[5.00]), (10, &[21.0])],
        story: join_story,
        read: |seen| success(&seen.joins[0], 0),
    },
    Cell {
        name: "rejoin, same host name",
        formula: |n| (2.0 * n, 2.0 * n + 1.0),
        measured: &[(1, &[3.05]), (2, &[5.02]), (10, &[21.1])],
        story: rejoin_story,
        read: |seen| success(&seen.joins[0], 1),
    },
    Cell {
        name: "join, id of a dead host of another name",
        formula: |n| (8.0 * n + 60.0 + 2.0 * n, 8.0 * n + 60.0 + 2.0 * n + 1.0),
        measured: &[(1, &[71.0]), (10, &[160.1, 161.2])],
        story: dead_name_story,
        read: |seen| success(&seen.joins[1], 0),
    },
    Cell {
        name: "busy, id of a live host of another name",
        formula: |n| (8.0 * n + 60.0, 8.0 * n + 61.0),
        measured: &[(1, &[69.1]), (10, &[141.2])],
        story: busy_story,
        read: |seen| match seen.joins[1].first() {
            Some((took, Err(Refusal::HostIdBusy))) => Some(*took),
            _ => None,
        },
    },
    Cell {
        name: "FAIL, from the kill",
        formula: |n| (8.0 * n - 0.5, 8.0 * n),
        measured: &[(1, &[8.7, 9.6]), (2, &[14.8, 18.8]), (10, &[78.7, 98.8, 99.6])],
        story: takeover_story,
        read: |seen| seen.since_kill(seen.fail),
    },
    Cell {
        name: "DEAD, from the kill",
        formula: |n| (8.0 * n + 60.0, 8.0 * n + 60.0),
        measured: &[(1, &[68.7, 69.6]), (2, &[74.7]), (10, &[138.6, 159.6])],
        story: takeover_story,
        read: |seen| seen.since_kill(seen.dead),
    },
    Cell {
        name: "takeover, from the kill",
        formula: |n| (8.0 * n + 61.0, 8.0 * n + 61.0),
        measured: &[(1, &[69.7]), (2, &[77.3]), (10, &[159.8])],
        story: takeover_story,
        read: |seen| seen.since_kill(seen.taken),
    },
];

fn success(joins: &[(f64, Result<(), Refusal>)], index: usize) -> Option<f64> {
    joins.get(index).filter(|(_, result)| result.is_ok()).map(|(took, _)| *took)
}

#[test]
fn times_agree_with_the_real_daemon() {
    let mut table = String::from("cell                                      N   simulated s        measured s\n");
    let mut wrong = Vec::new();
    for io_timeout in [1, 2, 10] {
        let mut stories: Vec<(String, Vec<Seen>)> = Vec::new();
        for cell in CELLS {
            let text = (cell.story)(io_timeout);
            if !stories.iter().any(|(known, _)| *known == text) {
                let scenario = Scenario::parse("timings", "timings.toml", &text).unwrap_or_else(|bad| panic!("{bad}"));
                let runs = (0..SEEDS).map(|seed| {
                    let mut seen = Seen::default();
                    run_case(&Case::new(&scenario, ProfileName::Sanlock385, seed), &mut seen);
                    seen
                });
                let runs = runs.collect();
                stories.push((text.clone(), runs));
            }
            let (_, runs) = stories.iter().find(|(known, _)| *known == text).expect("it was run");
            let mut times: Vec<f64> = runs.iter().filter_map(cell.read).collect();
            times.sort_by(f64::total_cmp);
            assert!(
                times.len() as u64 >= SEEDS * 9 / 10,
                "{}, N = {io_timeout}: only {} runs show it",
                cell.name,
                times.len()
            );
            let (min, max) = (times[0], times[times.len() - 1]);
            let measured = cell.measured.iter().find(|(n, _)| *n == io_timeout).map_or(&[][..], |(_, values)| values);
            writeln!(table, "{:40} {io_timeout:3}   {min:6.2} .. {max:6.2}   {measured:?}", cell.name)
                .expect("a string");
            for value in measured {
                if !(min..=max).contains(value) {
                    wrong.push(format!(
                        "{}, N = {io_timeout}: measured {value} is not in {min:.2}..{max:.2}",
                        cell.name
                    ));
                }
            }
            if max - min > spread(io_timeout as f64) {
                wrong.push(format!("{}, N = {io_timeout}: {min:.2}..{max:.2} is too wide", cell.name));
            }
            let (low, high) = (cell.formula)(io_timeout as f64);
            if high < min - 0.5 || low > max + 0.5 {
                wrong.push(format!(
                    "{}, N = {io_timeout}: the formula's {low}..{high} misses {min:.2}..{max:.2}",
                    cell.name
                ));
            }
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}
