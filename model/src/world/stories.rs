//! Stories about the world, told with the real engine.

mod ending;

use super::{Due, Illegal, World};
use crate::action::{Action, Part};
use crate::happening::{Happening, Ping, Sink};
use crate::instant::Instant;
use crate::limits::{Budget, Limits};
use crate::notice::Notice;
use crate::setup::{
    Device, DiskSetup, Host, HostSetup, LockspaceIx, LockspaceSetup, Membership, Process, ResourceSetup, Setup,
    WdmdProfile,
};
use lease_core::Refusal;
use lease_core::format::{Geometry, Name};
use lease_core::numbers::{HostId, Lver, Numbers, Second, Stamp, Time, Visit};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{Answer, DiskId, Event, LsId, Place, Request, Task};
use sim_disk::{Ending, IoId, Landing, PathState, Sampling};
use std::sync::Arc;

const A: Host = Host(0);
const B: Host = Host(1);
const P: Process = Process(1);
const D: DiskId = DiskId(0);
const MIB: u64 = 1 << 20;
const RENEWER: Part = Part::Task(Task::Lockspace(LsId(0)));

fn name(text: &str) -> Name {
    Name::from_text(text).expect("short")
}

/// Two hosts A and B with host ids 1 and 2 in LS, where the resource R1 lies.
fn two_hosts() -> Setup {
    let geometry = Geometry::S512A1M;
    let host = |label: &str, id: u64| HostSetup {
        label: label.to_string(),
        config: Config { host_name: name(label), profile: Profile::HARDENED, parameters: Parameters::default() },
        wdmd: WdmdProfile::HARDENED,
        test_interval: 10,
        device: Device::Exact,
        memberships: vec![Membership { lockspace: LockspaceIx(0), host_id: HostId(id), io_timeout: 10 }],
        clock: Time::from_secs(1_000),
        drift_ppm: 0,
    };
    Setup {
        disks: vec![DiskSetup { sector_size: 512, sectors: 3 * 2048 }],
        lockspaces: vec![LockspaceSetup {
            name: name("LS"),
            place: Place { disk: D, offset: 0 },
            geometry,
            io_timeout: 10,
        }],
        indices: Vec::new(),
        resources: vec![ResourceSetup {
            lockspace: LockspaceIx(0),
            name: name("R1"),
            place: Place { disk: D, offset: MIB },
            geometry,
            num_hosts: 0,
        }],
        hosts: vec![host("A", 1), host("B", 2)],
    }
}

#[derive(Default)]
struct Tape(Vec<(Instant, Happening)>);

impl Sink for Tape {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.0.push((at, happening.clone()));
    }
}

/// A world, what happened in it, and a calm way to walk through it: I/Os take a millisecond on open paths, and
/// everything else comes as late as it may.
struct Story {
    world: World,
    tape: Tape,
    notices: Vec<Notice>,
}

impl Story {
    fn new(setup: Setup, limits: Limits) -> Story {
        Story { world: World::new(Arc::new(setup), limits), tape: Tape::default(), notices: Vec::new() }
    }

    /// Both hosts are on, A has joined LS, and its process 1 uses R1.
    fn with_a_holder(setup: Setup, limits: Limits) -> Story {
        let mut story = Story::new(setup, limits);
        story.now("A power-on");
        story.now("B power-on");
        story.now("A agent join LS");
        story.calm_until(60);
        story.now("A.1 spawn");
        story.now("A.1 acquire LS R1");
        story.calm_until(70);
        assert_eq!(story.world.process(A, P).expect("it lives").uses.len(), 1, "{:?}", story.tape.0.last());
        story
    }

    fn action(&self, text: &str) -> Action {
        Action::parse(text, self.world.setup()).expect("a story is well spelled")
    }

    fn at(&mut self, at: Instant, text: &str) -> Result<(), Illegal> {
        let action = self.action(text);
        assert_eq!(action.text(self.world.setup()), text);
        self.step(at, &action)
    }

    fn step(&mut self, at: Instant, action: &Action) -> Result<(), Illegal> {
        let before = self.world.clone();
        let done = self.world.step(at, action, &mut self.tape);
        assert_eq!(before.may(at, action), done);
        if done.is_err() {
            assert_eq!(self.world, before, "what is illegal changes nothing");
        }
        self.notices.extend(self.world.notices());
        done
    }

    fn now(&mut self, text: &str) {
        self.try_now(text).unwrap_or_else(|illegal| panic!("{text}: {illegal}"));
    }

    fn try_now(&mut self, text: &str) -> Result<(), Illegal> {
        self.at(self.world.now(), text)
    }

    /// The next thing that happens by itself.
    fn next(&self) -> Option<(Instant, Action)> {
        let world = &self.world;
        let ios = world.in_flight(D).filter(|io| !io.ghost).filter_map(|io| {
            let at = io.since.after_micros(1_000).max(world.now());
            let action = match (world.disk(D).io(io.io).expect("in flight").is_whole(), io.write) {
                (true, _) => Action::Complete { disk: D, io: io.io, ending: Ending::Done },
                (false, true) => Action::Land { disk: D, io: io.io, landing: Landing::Whole },
                (false, false) => Action::Sample { disk: D, io: io.io, sampling: Sampling::Whole },
            };
            world.may(at.min(world.horizon().0), &action).ok().map(|()| (at, action))
        });
        let due = match world.horizon() {
            (at, Some(Due::Wake { host, task })) => Some((at, Action::Wake { host, task })),
            (at, Some(Due::Test { host })) => Some((at, Action::Test { host })),
            (at, Some(Due::Fire { host })) => Some((at, Action::Fire { host })),
            (_, None) => None,
        };
        ios.chain(due).min_by_key(|(at, _)| *at)
    }

    fn calm_until(&mut self, second: u64) {
        while let Some((at, action)) = self.next()
            && at <= Instant::from_secs(second)
        {
            self.step(at, &action).unwrap_or_else(|illegal| panic!("{action:?} at {at}: {illegal}"));
        }
    }

    /// Walks until something happened for which `wanted` gives a value.
    fn until<T>(&mut self, wanted: impl Fn(&Happening) -> Option<T>) -> T {
        let mut seen = self.tape.0.len();
        for _ in 0..100_000 {
            let (at, action) = self.next().expect("something happens by itself");
            self.step(at, &action).unwrap_or_else(|illegal| panic!("{action:?} at {at}: {illegal}"));
            for (_, happening) in &self.tape.0[seen..] {
                if let Some(found) = wanted(happening) {
                    return found;
                }
            }
            seen = self.tape.0.len();
        }
        panic!("it never happens");
    }

    /// Walks until A has issued its next renewal write, and nothing of it has landed.
    fn until_a_renews(&mut self) -> IoId {
        self.until(|happening| match happening {
            Happening::WriteIssued { host: A, io, offset: 0, .. } => Some(*io),
            _ => None,
        })
    }

    fn happened(&self, wanted: impl Fn(&Happening) -> bool) -> Vec<Instant> {
        self.tape.0.iter().filter(|(_, happening)| wanted(happening)).map(|(at, _)| *at).collect()
    }

    fn pings(&self, by: Ping) -> Vec<Instant> {
        self.happened(|happening| matches!(happening, Happening::Pinged { host: A, by: found, .. } if *found == by))
    }

    fn last_renewal(&self) -> u64 {
        let mut stamps = self.tape.0.iter().rev().filter_map(|(_, happening)| match happening {
            Happening::Engine {
                host: A,
                event: Event::Renewed { timestamp, .. } | Event::Joined { timestamp, .. },
            } => Some(timestamp.0),
            _ => None,
        });
        stamps.next().expect("A has joined") - 1_000
    }

    fn told(&self, wanted: &str) -> Option<Result<Answer, Refusal>> {
        let wanted = self.action(wanted);
        self.notices.iter().rev().find_map(|notice| match notice {
            Notice::Told { host, process, request, result } => {
                let asked = Action::Ask { host: *host, process: *process, request: request.clone() };
                (asked == wanted).then(|| result.clone())
            }
            _ => None,
        })
    }
}

#[test]
fn a_lease_is_taken_used_and_given_back() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::CALM);
    assert_eq!(story.told("A.1 acquire LS R1"), Some(Ok(Answer::Acquired { lver: Lver(1) })));
    story.now("A.1 release LS R1");
    assert!(story.world.process(A, P).expect("it lives").uses.is_empty(), "it stops using before it releases");
    story.calm_until(80);
    assert_eq!(story.told("A.1 release LS R1"), Some(Ok(Answer::Done)));
    assert_eq!(story.world.process(A, P).expect("it lives").waiting, 0);
    story.now("A.1 exit");
    story.calm_until(400);
    assert!(story.world.is_up(A) && story.world.is_up(B));
    let begun = story.happened(|happening| matches!(happening, Happening::UseBegins { .. }));
    let ended = story.happened(|happening| matches!(happening, Happening::UseEnds { .. }));
    assert_eq!((begun.len(), ended.len()), (1, 1));
}

// 1. The path of a holder hangs.
// 2. wdmd closes the device ten seconds before the expiry of the lease, which is a ping.
// 3. Sixty seconds later the device resets the host, though its daemon and its process do nothing wrong.
#[test]
fn a_host_that_cannot_renew_is_reset_before_its_lease_is_over() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A path d0 hung");
    story.until(|happening| matches!(happening, Happening::Down { host: A, by_watchdog: true }).then_some(()));
    let (renewed, reset) = (story.last_renewal(), story.world.now());
    assert!(reset >= Instant::from_secs(renewed + 80 + 50), "{renewed}, {reset}");
    assert!(reset < Instant::from_secs(renewed + 80 + 60), "{renewed}, {reset}");
    assert_eq!(story.pings(Ping::Close).last().map(|at| at.after_micros(60_000_000)), Some(reset));
    assert!(!story.world.is_up(A) && story.world.process(A, P).is_none() && story.world.engine(A).is_none());
    let ended = story.happened(|happening| matches!(happening, Happening::UseEnds { host: A, .. }));
    assert_eq!(ended, [reset], "use ends with the host at the latest");
}

// 1. wdmd is stalled before expire - 10, and the lease expires.
// 2. wdmd goes on after the expiry, and its test fails.
// 3. 3.8.5 closes the device: its ping gives the host sixty more seconds. The safe decision does not.
#[test]
fn a_late_close_delays_the_reset_only_in_3_8_5() {
    let reset_after = |wdmd: WdmdProfile| {
        let mut setup = two_hosts();
        setup.hosts[0].wdmd = wdmd;
        let mut story = Story::with_a_holder(setup, Limits::TOLERANCE);
        story.now("A path d0 hung");
        let expire = story.last_renewal() + 80;
        let last_ping = |story: &Story| *story.pings(Ping::Test).last().expect("tests passed");
        while last_ping(&story) < Instant::from_secs(expire - 30) {
            story.until(|happening| matches!(happening, Happening::Tested { host: A, .. }).then_some(()));
        }
        let ping = last_ping(&story);
        story.now("A stall wdmd");
        story.calm_until(expire + 2);
        story.at(Instant::from_secs(expire + 2), "A resume wdmd").expect("possible");
        story.until(|happening| matches!(happening, Happening::Down { host: A, .. }).then_some(()));
        (story.world.now().micros_since(ping), story.pings(Ping::Close).len())
    };
    assert_eq!(reset_after(WdmdProfile::HARDENED), (60_000_000, 0), "the ping before the stall counts");
    let (delay, closes) = reset_after(WdmdProfile::SANLOCK_3_8_5);
    assert_eq!(closes, 1);
    assert!(delay > 80_000_000, "{delay}");
}

#[test]
fn a_killed_daemon_leaves_its_promise_with_wdmd_and_its_clients_alive() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    let io = story.until_a_renews();
    story.now("A kill daemon");
    assert!(story.notices.contains(&Notice::Disconnected { host: A, process: P }));
    let process = story.world.process(A, P).expect("it lives on");
    assert!(!process.connected && process.uses.len() == 1);
    assert_eq!(story.try_now("A start daemon"), Err(Illegal::IoOfKilledDaemon));
    assert_eq!(story.try_now("A.1 release LS R1"), Err(Illegal::NoDaemon));
    story.step(story.world.now(), &Action::Land { disk: D, io, landing: Landing::Whole }).expect("a ghost lands");
    story.now("A start daemon");
    assert_eq!(story.try_now("A.1 release LS R1"), Err(Illegal::NotConnected));
    let expire = story.last_renewal() + 80;
    story.until(|happening| matches!(happening, Happening::Down { host: A, by_watchdog: true }).then_some(()));
    assert!(story.world.now() < Instant::from_secs(expire + 60), "the new daemon does not take the promise back");
}

#[test]
fn a_killed_wdmd_has_its_device_closed_by_the_kernel() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A kill wdmd");
    let killed = story.world.now();
    assert_eq!(story.pings(Ping::KernelClose), [killed]);
    assert_eq!(story.try_now("A test"), Err(Illegal::NoWdmd));
    story.until(|happening| matches!(happening, Happening::Down { host: A, by_watchdog: true }).then_some(()));
    assert_eq!(story.world.now(), killed.after_micros(60_000_000));
}

#[test]
fn nobody_joins_without_wdmd() {
    let mut story = Story::new(two_hosts(), Limits::TOLERANCE);
    story.now("A power-on");
    story.now("A kill wdmd");
    story.now("A agent join LS");
    story.calm_until(59);
    assert_eq!(story.told("A agent join LS"), Some(Err(Refusal::WatchdogError)));
}

#[test]
fn what_is_told_to_a_stalled_wdmd_is_read_when_it_goes_on() {
    let mut story = Story::new(two_hosts(), Limits::TOLERANCE);
    story.now("A power-on");
    story.now("A stall wdmd");
    story.now("A agent join LS");
    story.calm_until(20);
    let heard = |story: &Story| story.happened(|happening| matches!(happening, Happening::Watchdog { .. })).len();
    assert_eq!(heard(&story), 0);
    story.now("A resume wdmd");
    story.calm_until(60);
    assert!(heard(&story) > 0);
    assert!(matches!(story.told("A agent join LS"), Some(Ok(Answer::Joined { .. }))), "{:?}", story.notices);
}

// 1. A loses power with a renewal write under way.
// 2. The write may land until 8N + W = 140 s after its issue, and not later.
// 3. Once A's next life does I/O nothing of the old one lands any more.
#[test]
fn a_write_of_a_host_that_went_down_lands_in_time_or_never() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    let io = story.until_a_renews();
    let issued = story.world.now();
    story.now("A power-loss");
    let latest = issued.after_micros(140_000_000);
    assert!(story.notices.contains(&Notice::Ghost { disk: D, io, write: true, latest }));
    let land = Action::Land { disk: D, io, landing: Landing::Whole };
    story.calm_until(220);
    assert!(matches!(
        story.world.may(latest.after_micros(1), &land),
        Err(Illegal::BeyondTolerance(_) | Illegal::Overdue { .. })
    ));

    let mut early = Story { world: story.world.clone(), tape: Tape::default(), notices: Vec::new() };
    early.now("A power-on");
    early.step(early.world.now(), &land).expect("no I/O of the new life yet");
    let ghosts = early.happened(|happening| matches!(happening, Happening::Landed { ghost: true, intact: true, .. }));
    assert_eq!(ghosts.len(), 1);

    story.now("A power-on");
    story.now("A agent join LS");
    assert_eq!(story.happened(|happening| matches!(happening, Happening::Vanished { .. })), [story.world.now()]);
    let gone = story.step(story.world.now(), &land);
    assert!(matches!(gone, Err(Illegal::Disk(sim_disk::Illegal::NotAWrite))), "the number is a read's now: {gone:?}");
}

#[test]
fn beyond_the_tolerance_a_ghost_lands_at_any_time() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::BEYOND);
    let io = story.until_a_renews();
    story.now("A power-loss");
    story.calm_until(1_000);
    story.now("A power-on");
    story.now("A agent join LS");
    story.step(story.world.now(), &Action::Land { disk: D, io, landing: Landing::Whole }).expect("it lands");
}

#[test]
fn requests_wait_for_a_stalled_main_loop() {
    let asked = |story: &Story| {
        story.happened(|happening| matches!(happening, Happening::Asked { request: Request::Release { .. }, .. }))
    };
    for dies in [false, true] {
        let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
        story.now("A stall main");
        story.now("A.1 release LS R1");
        if dies {
            story.now("A.1 exit");
        }
        story.calm_until(75);
        assert_eq!(asked(&story), []);
        story.now("A resume main");
        let now = story.world.now();
        // The daemon reads what a dead process wrote, but nobody waits for an answer.
        assert_eq!(asked(&story), if dies { vec![] } else { vec![now] });
        let wake = story.world.pending_wake(A, Task::Main).expect("the main loop ticks");
        // A client that is gone is news to it.
        assert_eq!(wake.from <= now && wake.until <= now.after_micros(1_050_000), dies, "{wake:?}");
        story.calm_until(80);
        assert_eq!(story.told("A.1 release LS R1").is_some(), !dies);
    }
}

#[test]
fn what_became_overdue_in_a_stall_is_due_at_once() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A stall daemon");
    story.calm_until(90);
    story.at(Instant::from_secs(95), "A resume daemon").expect("possible");
    let task = Task::Lockspace(LsId(0));
    let wake = story.world.pending_wake(A, task).expect("a renewal was due");
    assert_eq!(wake.until, Instant::from_secs(95).after_micros(50_000));
    assert_eq!(story.world.horizon(), (wake.until, Some(Due::Wake { host: A, task })));
}

#[test]
fn the_disk_does_not_care_who_is_stalled() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    let io = story.until_a_renews();
    story.step(story.world.now(), &Action::Stall { host: A, part: RENEWER }).expect("possible");
    story.step(story.world.now(), &Action::Land { disk: D, io, landing: Landing::Whole }).expect("it lands");
    let complete = Action::Complete { disk: D, io, ending: Ending::Done };
    assert_eq!(story.step(story.world.now(), &complete), Err(Illegal::Stalled));
    story.step(story.world.now(), &Action::Resume { host: A, part: RENEWER }).expect("possible");
    story.step(story.world.now(), &complete).expect("it runs again");
}

#[test]
fn a_paused_host_does_nothing_and_its_watchdog_does_not_wait() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    let fires = story.world.fire_due(A);
    story.now("A stall host");
    for text in ["A.1 release LS R1", "A.1 exit", "A.2 spawn", "A agent inquire", "A kill daemon", "A stall wdmd"] {
        assert_eq!(story.try_now(text), Err(Illegal::Stalled), "{text}");
    }
    let clock = story.world.clock(A);
    story.until(|happening| matches!(happening, Happening::Down { host: A, by_watchdog: true }).then_some(()));
    assert_eq!(story.world.now(), fires);
    assert!(story.world.clock(A) > clock);
}

#[test]
fn beyond_the_tolerance_a_clock_stops_with_its_host() {
    let mut setup = two_hosts();
    setup.hosts[0].device = Device::FrozenWithHost;
    let mut story = Story::with_a_holder(setup, Limits::BEYOND);
    assert_eq!(story.try_now("A stop-clock"), Err(Illegal::NotPaused));
    let (at, clock) = (story.world.now(), story.world.clock(A));
    let left = story.world.fire_due(A).micros_since(at);
    story.now("A stall host");
    story.now("A stop-clock");
    assert_eq!(story.try_now("A stop-clock"), Err(Illegal::SoAlready));
    story.calm_until(5_000);
    assert_eq!(story.world.clock(A), clock);
    story.at(Instant::from_secs(5_000), "A resume host").expect("possible");
    assert_eq!(story.world.clock(A), clock);
    assert_eq!(story.world.fire_due(A), Instant::from_secs(5_000).after_micros(left));
    assert!(story.world.horizon().0 > Instant::from_secs(5_000), "nothing is overdue");
    story.calm_until(5_100);
    assert!(story.world.is_up(A));
}

#[test]
fn a_jump_of_the_clock_makes_things_overdue_and_a_drift_moves_them() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::BEYOND);
    let now = story.world.now();
    story.now("A jump-clock 30000000");
    assert_eq!(story.world.horizon().0, now.after_micros(50_000));
    let due = story.world.test_due(A).expect("wdmd runs");
    assert_eq!(due.1, now.after_micros(50_000));
    let before = story.world.fire_due(A).micros_since(now);
    story.now("A drift -500000");
    assert_eq!(story.world.fire_due(A), now.after_micros(2 * before), "half the rate");
    assert_eq!(story.world.horizon().0, now.after_micros(100_000));
}

#[test]
fn a_step_of_the_wall_clock_changes_no_clock() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::CALM);
    let clock = story.world.clock(A);
    story.now("A step-wall-clock");
    assert_eq!(story.world.clock(A), clock);
    assert_eq!(story.happened(|happening| matches!(happening, Happening::ClockChanged { .. })), [story.world.now()]);
    story.calm_until(400);
    assert!(story.world.is_up(A));
}

#[test]
fn time_does_not_pass_by_what_is_due() {
    let mut story = Story::new(two_hosts(), Limits::CALM);
    assert_eq!(story.world.horizon(), (Instant::NEVER, None));
    assert_eq!(story.at(Instant::from_secs(5), "A power-on"), Ok(()));
    assert_eq!(story.at(Instant::from_secs(4), "B power-on"), Err(Illegal::Past { now: Instant::from_secs(5) }));
    let due = Instant::from_secs(15);
    assert_eq!(story.world.horizon(), (due, Some(Due::Test { host: A })));
    let overdue = Illegal::Overdue { at: due, by: Due::Test { host: A } };
    assert_eq!(story.at(due.after_micros(1), "B power-on"), Err(overdue));
    assert_eq!(story.at(Instant::from_secs(5), "A test"), Err(Illegal::TooEarly { earliest: Instant(5_000_001) }));
    assert_eq!(story.at(Instant(5_000_001), "A test"), Ok(()));
    let fires = Instant(65_000_001);
    assert_eq!(story.at(Instant(5_000_001), "A fire"), Err(Illegal::TooEarly { earliest: fires }));
}

#[test]
fn what_cannot_be_is_refused_and_says_why() {
    let mut story = Story::new(two_hosts(), Limits::TOLERANCE);
    assert_eq!(story.try_now("A power-loss"), Err(Illegal::Off));
    assert_eq!(story.try_now("A agent join LS"), Err(Illegal::Off));
    story.now("A power-on");
    assert_eq!(story.try_now("A power-on"), Err(Illegal::On));
    assert_eq!(story.try_now("A start daemon"), Err(Illegal::DaemonRuns));
    assert_eq!(story.try_now("A wake worker 3"), Err(Illegal::NoWake));
    assert_eq!(story.try_now("A.1 exit"), Err(Illegal::NoSuchProcess));
    assert_eq!(story.try_now("A.255 spawn"), Err(Illegal::ProcessTaken));
    story.now("A.1 spawn");
    assert_eq!(story.try_now("A.1 spawn"), Err(Illegal::ProcessTaken));
    story.now("A.1 garbage");
    story.now("A.1 hang-up");
    assert_eq!(story.try_now("A.1 hang-up"), Err(Illegal::NotConnected));
    assert_eq!(story.try_now("A.1 garbage"), Err(Illegal::NotConnected));
    assert_eq!(story.try_now("A resume wdmd"), Err(Illegal::SoAlready));
    story.now("A stall wdmd");
    assert_eq!(story.try_now("A stall wdmd"), Err(Illegal::SoAlready));
    assert_eq!(story.try_now("A test"), Err(Illegal::Stalled));
    assert!(matches!(story.try_now("A kill wdmd"), Err(Illegal::BeyondTolerance(_))));
    assert_eq!(story.try_now("d0 io 7 land"), Err(Illegal::Disk(sim_disk::Illegal::NoSuchIo)));
    assert_eq!(story.try_now("d0 rollback"), Err(Illegal::NoSnapshot));
    story.now("d0 snapshot");
    for text in ["d0 rollback", "A split d0", "d0 edit 512 ff", "A jump-clock 1", "A drift 201"] {
        assert!(matches!(story.try_now(text), Err(Illegal::BeyondTolerance(_))), "{text}");
    }
    story.now("A drift 200");
    assert_eq!(story.try_now("d0 edit 100 ff"), Err(Illegal::BadPlace));
    assert_eq!(story.try_now("A agent join LS place=d0:100"), Err(Illegal::BadPlace));
    let nowhere = Action::PowerOn { host: Host(9) };
    assert_eq!(story.step(story.world.now(), &nowhere), Err(Illegal::NoSuchHost));
    assert_eq!(story.step(story.world.now(), &Action::Snapshot { disk: DiskId(9) }), Err(Illegal::NoSuchDisk));
}

#[test]
fn budgets_are_spent_and_then_there_is_no_more() {
    let limits = Limits { crashes: 1, cuts: 1, stalls: 0, ..Limits::CALM };
    let mut story = Story::new(two_hosts(), limits);
    story.now("A power-on");
    assert_eq!(story.try_now("A stall host"), Err(Illegal::Spent(Budget::Stalls)));
    story.now("A path d0 gone");
    story.now("A path d0 open");
    assert_eq!(story.try_now("A path d0 hung"), Err(Illegal::Spent(Budget::Cuts)));
    story.now("A power-loss");
    story.now("A power-on");
    assert_eq!(story.try_now("A power-loss"), Err(Illegal::Spent(Budget::Crashes)));
    assert_eq!((story.world.left().crashes, story.world.limits().crashes), (0, 1));
}

#[test]
fn writes_tear_where_the_tolerance_says_and_errors_have_a_price() {
    let mut setup = two_hosts();
    let geometry = Geometry::S4096A1M;
    setup.disks[0] = DiskSetup { sector_size: 4096, sectors: 768 };
    setup.lockspaces[0].geometry = geometry;
    setup.resources[0].geometry = geometry;
    let limits = Limits { torn: 1, errors: 1, cuts: 1, ..Limits::CALM };
    let mut story = Story::new(setup, limits);
    story.now("A power-on");
    story.now("A agent join LS");
    let io = story.until_a_renews();
    let land = |landing| Action::Land { disk: D, io, landing };
    let now = story.world.now();
    assert!(matches!(story.step(now, &land(Landing::Torn { bytes: 100 })), Err(Illegal::BeyondTolerance(_))));
    assert!(matches!(story.step(now, &land(Landing::Rotten { bit: 1 })), Err(Illegal::BeyondTolerance(_))));
    story.step(now, &land(Landing::Torn { bytes: 512 })).expect("a tear at 512 bytes");
    assert_eq!(story.world.left().torn, 0);
    let torn = story.happened(|happening| matches!(happening, Happening::Landed { intact: true, .. }));
    assert_eq!(torn, [now], "the 512 bytes are all that differs");
    story.step(now, &Action::Complete { disk: D, io, ending: Ending::LostAnswer(5) }).expect("one error");
    assert_eq!(story.world.left().errors, 0);
    story.now("A path d0 errno 5");
    story.calm_until(12);
    let Some(read) = story.world.in_flight(D).next() else { return };
    let refused = Action::Complete { disk: D, io: read.io, ending: Ending::Refused(5) };
    story.step(story.world.now(), &refused).expect("what a cut path answers is paid for");
}

#[test]
fn disks_may_have_smaller_sectors_than_the_areas_on_them() {
    let mut setup = two_hosts();
    setup.lockspaces[0].geometry = Geometry::S4096A1M;
    setup.resources[0].geometry = Geometry::S4096A1M;
    let story = Story::with_a_holder(setup, Limits::CALM);
    assert_eq!(story.told("A.1 acquire LS R1"), Some(Ok(Answer::Acquired { lver: Lver(1) })));
}

#[test]
fn a_snapshot_brings_the_past_back() {
    let mut story = Story::new(two_hosts(), Limits::BEYOND);
    story.now("d0 snapshot");
    let fresh = story.world.disk(D).platter().clone();
    story.now("d0 edit 512 ff00");
    assert_eq!(&**story.world.disk(D).platter().sector(1), [0xff]);
    story.now("d0 rollback");
    assert_eq!(*story.world.disk(D).platter(), fresh);
    story.now("A split d0");
    assert_eq!(story.world.disk(D).replicas().len(), 2);
}

/// Adds to every number that is not zero.
struct Later(u64);

impl Numbers for Later {
    fn time(&mut self, time: &mut Time) {
        *time = Time::from_micros(time.micros() + self.0 * 1_000_000);
    }
    fn second(&mut self, second: &mut Second) {
        if *second != Second::NEVER {
            second.0 += self.0;
        }
    }
    fn stamp(&mut self, _by: HostId, stamp: &mut Stamp) {
        if !stamp.is_free() {
            stamp.0 += self.0;
        }
    }
}

// A world whose numbers are renamed goes on like the one it was made from: all that grows was visited, on the hosts, on
// the platter and in flight.
#[test]
fn a_renamed_world_goes_on_like_the_other() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("B agent join LS");
    story.until_a_renews();

    let same = story.world.clone();
    let mut visited = same.clone();
    visited.visit(&mut Later(0));
    assert_eq!(visited, same, "a visitor that changes nothing changes nothing");

    let mut later = Story { world: story.world.clone(), tape: Tape::default(), notices: Vec::new() };
    later.world.visit(&mut Later(5_000));
    assert_ne!(later.world, story.world);
    story.tape.0.clear();
    for story in [&mut story, &mut later] {
        story.now("A.1 release LS R1");
        story.calm_until(300);
    }
    let events = |story: &Story| -> Vec<(Instant, std::mem::Discriminant<Happening>)> {
        story.tape.0.iter().map(|(at, happening)| (*at, std::mem::discriminant(happening))).collect()
    };
    assert_eq!(events(&later), events(&story));
    story.world.visit(&mut Later(5_000));
    for disk in story.world.disks().iter().zip(later.world.disks()) {
        assert_eq!(disk.0, disk.1);
    }
}

#[test]
fn moments_of_true_time_are_all_shown() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.until_a_renews();
    story.now("B stall host");
    let mut later = story.world.clone();
    later.visit_instants(&mut |instant| *instant = instant.after_micros(7_000_000));
    let mut moved = Story { world: later, tape: Tape::default(), notices: Vec::new() };
    story.tape.0.clear();
    for _ in 0..500 {
        let (at, action) = story.next().expect("it goes on");
        let (later, same) = moved.next().expect("it goes on");
        assert_eq!((later, &same), (at.after_micros(7_000_000), &action));
        story.step(at, &action).expect("possible");
        moved.step(later, &same).expect("possible");
    }
}

#[test]
fn a_setup_that_makes_no_world_says_what_is_wrong() {
    let check = |change: fn(&mut Setup), limits: &Limits| {
        let mut setup = two_hosts();
        change(&mut setup);
        setup.check(limits).expect_err("it is wrong")
    };
    let calm = &Limits::CALM;
    let cases: [(String, &str); 8] = [
        (check(|setup| setup.hosts[1].label = "A".into(), calm), "label of its own, found \"A\""),
        (check(|setup| setup.hosts[1].label = "d7".into(), calm), "found \"d7\""),
        (check(|setup| setup.resources[0].place.offset = 512, calm), "overlap LS"),
        (check(|setup| setup.resources[0].place.offset = 9 * MIB, calm), "3145728 bytes"),
        (check(|setup| setup.disks[0].sector_size = 1000, calm), "512 or 4096"),
        (check(|setup| setup.hosts[0].device = Device::Broken, calm), "beyond the tolerance"),
        (check(|setup| setup.hosts[0].drift_ppm = 300, calm), "beyond the tolerance"),
        (check(|setup| setup.hosts[0].test_interval = 0, calm), "found 0"),
    ];
    for (said, wanted) in cases {
        assert!(said.contains(wanted), "{said}");
    }
    let mut setup = two_hosts();
    setup.hosts[0].device = Device::Late { percent: 200 };
    assert_eq!(setup.check(&Limits::BEYOND), Ok(()));
}

#[test]
fn a_path_can_be_in_each_state() {
    let mut story = Story::new(two_hosts(), Limits::TOLERANCE);
    for (text, state) in [("hung", PathState::Hung), ("errno 5", PathState::Failing(5)), ("gone", PathState::Gone)] {
        story.now(&format!("A path d0 {text}"));
        assert_eq!(story.world.disk(D).path(super::path_of(A)), Ok(state));
        assert_eq!(story.world.disk(D).path(super::path_of(B)), Ok(PathState::Open));
    }
}
