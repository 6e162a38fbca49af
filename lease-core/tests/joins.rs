//! Two hosts want one host id, and one of them stands still where it hurts. Each story is told with the decision that
//! closes it and without.
//!
//! Both clocks show the same; a second passes when the story says so, I/O takes effect and is answered when the story
//! says so, and a daemon that is stopped finds everything when it goes on.

use lease_core::format::{self, Geometry, Name};
use lease_core::numbers::{HostId, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::*;
use lease_core::{Engine, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

const A: usize = 0;
const B: usize = 1;
const FIRE_TIMEOUT: u32 = 60;
/// The only host id, and where its record lies.
const HOST_ID: HostId = HostId(1);
const RECORD: u64 = 0;

struct Daemon {
    engine: Engine,
    /// I/O under way, oldest first.
    ios: Vec<Output>,
    /// What a stopped daemon will find.
    inbox: Vec<Input>,
    stopped: bool,
    /// What wdmd has to answer to an Arm, and whether it does so at once.
    armed: Option<WatchdogAnswer>,
    answers_at_once: bool,
    wakes: BTreeMap<Task, Time>,
    /// How the join ended.
    joined: Option<Result<Answer, Refusal>>,
    rare: Vec<Rare>,
}

struct Story {
    now: u64,
    disk: BTreeMap<u64, Arc<[u8]>>,
    daemons: Vec<Daemon>,
}

fn name(text: &str) -> Name {
    Name::from_text(text).expect("a short name")
}

impl Story {
    fn new(profile: Profile) -> Story {
        let (area, first) = format::init::lockspace(Geometry::S512A1M, name("LS"), 10);
        let mut disk = BTreeMap::new();
        let mut at = 0;
        for (count, bytes) in &area {
            for _ in 0..*count {
                disk.insert(at, bytes.clone());
                at += 512;
            }
        }
        disk.insert(RECORD, first);
        let daemon = |text| {
            let config = Config { host_name: name(text), profile, parameters: Parameters::default() };
            Daemon {
                engine: Engine::boot(config, LastLife::Gone, Time::from_secs(1_000), &mut Outputs::new()),
                ios: Vec::new(),
                inbox: Vec::new(),
                stopped: false,
                armed: None,
                answers_at_once: true,
                wakes: BTreeMap::new(),
                joined: None,
                rare: Vec::new(),
            }
        };
        Story { now: 1_000, disk, daemons: vec![daemon("hostA"), daemon("hostB")] }
    }

    fn feed(&mut self, host: usize, input: Input) {
        let daemon = &mut self.daemons[host];
        if daemon.stopped {
            return daemon.inbox.push(input);
        }
        let mut outputs = Outputs::new();
        daemon.engine.handle(Time::from_secs(self.now), input, &mut outputs);
        let mut answers = Vec::new();
        for output in outputs {
            let daemon = &mut self.daemons[host];
            match output {
                Output::Read { .. } | Output::Write { .. } => daemon.ios.push(output),
                Output::WakeWithin { task, earliest, .. } => _ = daemon.wakes.insert(task, earliest),
                Output::NoWake { task } => _ = daemon.wakes.remove(&task),
                Output::Reply { id: RequestId(0), result } => daemon.joined = Some(result),
                Output::Event(Event::Rare(rare)) => daemon.rare.push(rare),
                Output::Watchdog { lockspace, message } => {
                    let ready = WatchdogAnswer::Ready { fire_timeout: FIRE_TIMEOUT };
                    match message {
                        WatchdogMessage::Arm { .. } if !daemon.answers_at_once => daemon.armed = Some(ready),
                        WatchdogMessage::Connect | WatchdogMessage::Arm { .. } => {
                            answers.push(Input::Watchdog { lockspace, answer: ready });
                        }
                        WatchdogMessage::TestLive { .. } | WatchdogMessage::Disarm => {}
                    }
                }
                Output::Reply { .. }
                | Output::Signal { .. }
                | Output::SignalSelf { .. }
                | Output::Notify { .. }
                | Output::RunKillpath { .. }
                | Output::Exit
                | Output::Event(_) => {}
            }
        }
        for answer in answers {
            self.feed(host, answer);
        }
    }

    fn boot(&mut self, host: usize) {
        let place = Place { disk: DiskId(0), offset: 0 };
        let request = Request::AddLockspace { name: name("LS"), host_id: HOST_ID, place, io_timeout: 10 };
        self.feed(host, Input::Request { id: RequestId(0), client: ClientId::ADMIN, request });
    }

    fn leave(&mut self, host: usize) {
        let request = Request::RemLockspace { name: name("LS"), unused: false };
        self.feed(host, Input::Request { id: RequestId(1), client: ClientId::ADMIN, request });
    }

    /// The oldest I/O takes effect and is answered.
    fn answer(&mut self, host: usize) {
        let input = match self.daemons[host].ios.remove(0) {
            Output::Read { slot, offset, length, .. } => {
                let sectors = (offset / 512..(offset + length) / 512).map(|sector| sector * 512);
                let runs = sectors.map(|at| (1, self.disk.get(&at).cloned().unwrap_or_default())).collect();
                Input::IoDone { slot, result: IoResult::Read(ReadData { unit: 512, runs }) }
            }
            Output::Write { slot, offset, bytes, .. } => {
                self.disk.insert(offset, bytes);
                Input::IoDone { slot, result: IoResult::Written }
            }
            other => unreachable!("{other:?} is no I/O"),
        };
        self.feed(host, input);
    }

    fn wdmd_answers(&mut self, host: usize) {
        let answer = self.daemons[host].armed.take().expect("it was asked");
        self.feed(host, Input::Watchdog { lockspace: LsId(0), answer });
    }

    fn stop(&mut self, host: usize) {
        self.daemons[host].stopped = true;
    }

    fn go_on(&mut self, host: usize) {
        self.daemons[host].stopped = false;
        for input in std::mem::take(&mut self.daemons[host].inbox) {
            self.feed(host, input);
        }
    }

    /// Seconds pass, and whoever runs does what is due.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            let now = Time::from_secs(self.now);
            for host in [A, B] {
                let mut due: Vec<Task> =
                    self.daemons[host].wakes.iter().filter(|it| *it.1 <= now).map(|it| *it.0).collect();
                if self.daemons[host].stopped {
                    due.clear();
                }
                for task in due {
                    self.daemons[host].wakes.remove(&task);
                    self.feed(host, Input::Wake { task });
                }
            }
        }
    }

    /// From the boot to the answer that the record is free or held.
    fn boot_and_look(&mut self, host: usize) {
        self.boot(host);
        self.answer(host);
        self.answer(host);
    }

    /// A join that nothing disturbs, of a host id that is free.
    fn join(&mut self, host: usize) {
        self.boot_and_look(host);
        self.answer(host);
        self.pass(20);
        self.answer(host);
        self.pass(1);
        assert!(self.daemons[host].engine.is_joined());
    }

    /// Answers whatever comes while seconds pass.
    fn pass_answering(&mut self, host: usize, seconds: u64) {
        for _ in 0..seconds {
            self.pass(1);
            while !self.daemons[host].ios.is_empty() {
                self.answer(host);
            }
        }
    }

    fn record_is_free(&self) -> bool {
        let (_, record) = lease_core::format::DeltaLease::peek(&self.disk[&RECORD]);
        record.timestamp.is_free()
    }

    fn both_joined(&self) -> bool {
        self.daemons.iter().all(|daemon| daemon.engine.is_joined())
    }
}

/// The story under the hardened profile, and under the same without a decision.
fn with_and_without(decision: &str, story: impl Fn(Story, bool)) {
    story(Story::new(Profile::HARDENED), true);
    story(Story::new(Profile::HARDENED.without(decision).expect("it is a decision")), false);
    story(Story::new(Profile::SANLOCK_3_8_5), false);
}

/// 1. A looks: the host id is free. A's daemon is stopped before it hears so.
/// 2. B looks, writes, waits and confirms: it owns the host id.
/// 3. A goes on and hears that the host id is free. If it believes that, it writes over B's record, waits and confirms.
/// 4. B's next renewal is slow, so it has not seen that yet.
#[test]
fn a_look_from_before_a_stall_does_not_count() {
    with_and_without("late_answer", |mut story, closed| {
        story.boot(A);
        story.answer(A);
        story.stop(A);
        story.answer(A);
        story.join(B);
        story.go_on(A);
        if closed {
            assert!(story.daemons[A].ios.is_empty(), "it writes nothing");
            story.pass(1);
            assert_eq!(story.daemons[A].joined, Some(Err(Refusal::AioTimeout)));
            assert_eq!(story.daemons[A].rare, [Rare::AnsweredLate]);
            return;
        }
        story.answer(A);
        story.pass_answering(A, 21);
        assert!(story.both_joined(), "the hole");
    });
}

/// 1. A looks, and writes. Its daemon is stopped before it hears that the write has landed.
/// 2. It hears of that after the time-out. For all it can tell, the write came too late: the join is undone.
#[test]
fn a_write_of_which_it_hears_late_counts_as_timed_out() {
    with_and_without("late_answer", |mut story, closed| {
        story.boot_and_look(A);
        story.stop(A);
        story.answer(A);
        story.pass(10);
        story.go_on(A);
        story.pass_answering(A, 21);
        assert_eq!(story.daemons[A].joined.as_ref().is_some_and(|it| it.is_err()), closed);
        assert_eq!(story.record_is_free(), closed, "what is undone in time is free again");
    });
}

/// 1. A looks, writes, waits, and finds that its write stands. It asks wdmd to watch it; wdmd has stalled.
/// 2. wdmd answers when A's record is as old as the failure age. What it pinged meanwhile nobody knows: the device may
///    fire when A is dead to others for long.
#[test]
fn a_confirmation_after_the_failure_age_is_none() {
    with_and_without("late_confirmation", |mut story, closed| {
        story.daemons[A].answers_at_once = false;
        story.boot_and_look(A);
        story.answer(A);
        story.pass(20);
        story.answer(A);
        story.pass(60);
        story.wdmd_answers(A);
        assert_eq!(story.daemons[A].rare.contains(&Rare::JoinTooOld), closed);
        story.pass(1);
        assert_eq!(story.daemons[A].joined.as_ref().is_some_and(|it| it.is_err()), closed);
    });
}

/// 1. A looks and writes. Its daemon is stopped while it waits.
/// 2. B has seen A's record for as long as it takes to be dead. Before B writes, A goes on, looks whether its write
///    still stands, and finds that it does.
/// 3. B writes, waits and confirms. A believes that it owns the host id until its watchdog fires, counted from now.
#[test]
fn a_look_at_ones_own_record_after_the_failure_age_confirms_nothing() {
    with_and_without("late_confirmation", |mut story, closed| {
        story.boot_and_look(A);
        story.answer(A);
        story.stop(A);
        story.pass(100);
        story.go_on(A);
        story.pass(1);
        story.answer(A);
        story.pass(1);
        assert_eq!(story.daemons[A].rare.contains(&Rare::JoinTooOld), closed);
        assert!(!story.record_is_free(), "it may be B's by now");
    });
}

/// 1. A owns the host id and is told to leave. Its daemon is stopped before it sets the host id free; wdmd has been
///    told to watch no more, so the host lives on.
/// 2. B waits until A is dead, and takes the host id over.
/// 3. A goes on and leaves. If it sets the host id free now, the next host takes it while B owns it.
#[test]
fn a_host_that_leaves_late_sets_nothing_free() {
    with_and_without("late_free", |mut story, closed| {
        story.join(A);
        story.pass_answering(A, 2);
        story.leave(A);
        // The main loop finds no users, twice; the thread has not looked yet.
        for _ in 0..2 {
            story.daemons[A].wakes.remove(&Task::Main).expect("it is to look");
            story.feed(A, Input::Wake { task: Task::Main });
        }
        story.stop(A);
        story.boot_and_look(B);
        story.pass_answering(B, 260);
        assert!(story.daemons[B].engine.is_joined());
        story.go_on(A);
        story.pass_answering(A, 3);
        assert_eq!(story.record_is_free(), !closed);
        assert_eq!(story.daemons[A].rare.contains(&Rare::FreeWithheld), closed);
    });
}

/// 1. A confirms its join and asks wdmd to watch it. wdmd refuses, but A hears of that when its record is old.
/// 2. The join is undone "and the delta lease is released again" (daemon §2): not any more.
#[test]
fn a_join_that_is_undone_late_sets_nothing_free() {
    with_and_without("late_free", |mut story, closed| {
        story.daemons[A].answers_at_once = false;
        story.boot_and_look(A);
        story.answer(A);
        story.pass(20);
        story.answer(A);
        story.daemons[A].armed = Some(WatchdogAnswer::Refused);
        story.pass(200);
        story.wdmd_answers(A);
        story.pass_answering(A, 2);
        assert_eq!(story.daemons[A].joined, Some(Err(Refusal::WatchdogError)));
        assert_eq!(story.record_is_free(), !closed);
    });
}
