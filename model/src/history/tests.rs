//! Each truth has stories that break it, and one beside each that does not.
//!
//! The stories are told to the history as a world would tell them, but by hand, so that they can tell of engines worse
//! than ours.

mod events;
mod own_block;
mod residue;
mod story;

use super::Property;
use crate::action::{Action, Part};
use crate::happening::Happening;
use crate::instant::Instant;
use lease_core::Refusal;
use lease_core::format::{Bitmap, DeltaLease, HostBlock, Leader};
use lease_core::numbers::{Generation, HostId, Mbal, Span, Stamp};
use lease_core::profile::Profile;
use lease_core::seam::{Answer, ClientId, Event, HostState, HostStatus, LastLife, LsId, Request, Signal, Slot, Task};
use sim_disk::{Completion, Ending, IoId, Run, Sampling, SnapshotId};
use story::*;

#[test]
fn a_quiet_life_of_two_hosts_breaks_nothing() {
    holds("join, renew, acquire, release, acquire elsewhere", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.wait(20);
        s.renew(A);
        s.renew(B);
        s.acquire(A, 1);
        s.wait(20);
        s.renew(A);
        s.renew(B);
        s.release(A, 1);
        s.acquire(B, 2);
        s.wait(20);
        s.renew(A);
        s.renew(B);
        s.release(B, 2);
        s.at_rest();
        let counts = s.history.counts();
        assert_eq!((counts.joins, counts.grants, counts.takeovers, counts.renewals), (2, 2, 0, 6));
    });
}

#[test]
fn at_most_one_executes() {
    holds("a paused holder does not execute", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        s.tell(Happening::Stalled { host: A, part: Part::Host });
        s.acquire(B, 2);
        s.wait(60);
        s.tell(Happening::Down { host: A, by_watchdog: true });
        assert_eq!(s.history.counts().resets, 1);
    });
    breaks(Property::Exclusion, "the paused holder wakes up", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        s.tell(Happening::Stalled { host: A, part: Part::Host });
        s.acquire(B, 2);
        s.tell(Happening::Resumed { host: A, part: Part::Host, stood: 0 });
    });
    breaks(Property::Exclusion, "a stalled daemon stops no process", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        s.tell(Happening::Stalled { host: A, part: Part::Daemon });
        s.acquire(B, 2);
    });
    breaks(Property::Exclusion, "two processes of one host", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.commit(A, 2);
        s.begin(A, Q, 2);
    });
}

#[test]
fn one_daemon_owns_a_host_id() {
    holds("the other daemon is gone", |s| {
        s.join_as(A, 1, 1);
        s.tell(Happening::DaemonDown { host: A });
        s.join_as(B, 1, 2);
    });
    holds("the other daemon cleared", |s| {
        s.join_as(A, 1, 1);
        s.cut(A);
        s.killing(A);
        s.event(A, Event::Cleared { lockspace: LsId(0) });
        s.join_as(B, 1, 2);
    });
    breaks(Property::HostId, "the other daemon believes it too", |s| {
        s.join_as(A, 1, 1);
        s.join_as(B, 1, 2);
    });
    breaks(Property::HostId, "a paused one wakes up", |s| {
        s.join_as(A, 1, 1);
        s.tell(Happening::Stalled { host: A, part: Part::Host });
        s.join_as(B, 1, 2);
        s.tell(Happening::Resumed { host: A, part: Part::Host, stood: 0 });
    });
}

#[test]
fn nobody_outlives_the_last_durable_stamp_by_eight_n_and_w() {
    let last_moment = |s: &mut Story| {
        s.wait_micros(500_000);
        s.join(A, 1);
        s.acquire(A, 1);
        s.cut(A);
        s.tell(Happening::Stalled { host: A, part: Part::Task(Task::Main) });
        // The stamp is of the start of this second, and 140 s later is too late.
        s.wait_micros(139_499_999);
    };
    holds("gone in the last moment", |s| {
        last_moment(s);
        s.tell(Happening::Ended { host: A, process: P });
        s.end(A, P, 1);
        s.wait(100);
    });
    breaks(Property::Deadline, "still there a moment later", |s| {
        last_moment(s);
        s.wait_micros(1);
        assert_eq!(s.history.violation().expect("it is late").at, Instant::from_secs(140));
    });
    breaks(Property::Deadline, "found at its moment, though time passes beyond it", |s| {
        last_moment(s);
        s.wait(500);
        assert_eq!(s.history.violation().expect("it is late").at, Instant::from_secs(140));
    });
    holds("a renewal that lands late counts from its stamp", |s| {
        last_moment(s);
        let record = DeltaLease { timestamp: Stamp(1_100), ..s.records[&A].clone() };
        s.land(A, 0, &record.sector(&Bitmap::EMPTY));
        s.wait_micros(99_999_999);
    });
    breaks(Property::Deadline, "a renewal that never landed does not", |s| {
        last_moment(s);
        let (timestamp, read, write) = (Stamp(1_100), Span::ZERO, Span::ZERO);
        let record = DeltaLease { timestamp, ..s.records[&A].clone() };
        s.issue(A, THREAD, 0, &record.sector(&Bitmap::EMPTY));
        s.event(A, Event::Renewed { lockspace: LsId(0), timestamp, read, write });
        s.wait_micros(1);
    });
    holds("a paused process is not there", |s| {
        last_moment(s);
        s.tell(Happening::Stalled { host: A, part: Part::Host });
        s.wait(100);
    });
    breaks(Property::Deadline, "until it goes on", |s| {
        last_moment(s);
        s.tell(Happening::Stalled { host: A, part: Part::Host });
        s.wait(100);
        s.tell(Happening::Resumed { host: A, part: Part::Host, stood: 100_000_000 });
    });
    breaks(Property::Deadline, "the daemon is dead, and its client is not", |s| {
        last_moment(s);
        s.tell(Happening::DaemonDown { host: A });
        s.wait(1);
    });
}

#[test]
fn drifting_clocks_and_other_numbers_move_the_deadline() {
    let held_for = |micros: u64| {
        move |s: &mut Story| {
            s.join(A, 1);
            s.acquire(A, 1);
            s.cut(A);
            s.tell(Happening::Stalled { host: A, part: Part::Task(Task::Main) });
            s.wait_micros(micros);
        }
    };
    let waited = || {
        let mut setup = two_hosts();
        setup.hosts[0].config.profile = Profile::HARDENED;
        setup
    };
    check_in(waited(), None, "observers wait a second longer", held_for(140_999_999));
    check_in(waited(), Some(Property::Deadline), "and no more", held_for(141_000_000));
    let fast = || {
        let mut setup = two_hosts();
        setup.hosts[0].drift_ppm = 100_000;
        setup
    };
    check_in(fast(), None, "140 s of a clock that is a tenth too fast", held_for(127_000_000));
    check_in(fast(), Some(Property::Deadline), "are 127.3 s", held_for(127_400_000));
    let short = || {
        let mut setup = two_hosts();
        setup.hosts[0].config.parameters.watchdog_fire_timeout = 20;
        setup
    };
    check_in(short(), Some(Property::Deadline), "W is the host's own", held_for(100_000_000));
}

#[test]
fn one_owner_for_a_version() {
    holds("another host commits the same value", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        let leader = Leader { write_id: HostId(2), ..s.leader(A, 1) };
        s.write(B, WORKER, AREA, &leader.sector());
    });
    breaks(Property::Agreement, "another value, at its issue", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        let leader = s.leader(B, 1);
        s.issue(B, WORKER, AREA, &leader.sector());
    });
    breaks(Property::Agreement, "the same host in another life", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        let leader = Leader { owner_generation: Generation(2), write_id: HostId(2), ..s.leader(A, 1) };
        s.issue(B, WORKER, AREA, &leader.sector());
    });
    breaks(Property::Agreement, "a version is granted twice", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        s.begin(A, P, 1);
    });
    breaks(Property::Agreement, "a ballot number of another host", |s| {
        s.join(A, 1);
        let block = HostBlock { mbal: Mbal(2_002), bal: Mbal(2_002), ..s.vote(A, 1) };
        s.write_block(A, block);
    });
}

#[test]
fn generations_rise() {
    let twice = |second: u64| {
        move |s: &mut Story| {
            s.join(A, 4);
            s.event(A, Event::Left { lockspace: LsId(0), released: true });
            s.join(A, second);
        }
    };
    holds("the next one", twice(5));
    breaks(Property::Generations, "the same one", twice(4));
    breaks(Property::Generations, "an older one", twice(3));
}

#[test]
fn what_is_granted_is_on_disk() {
    holds("a vote is enough, for every ballot finds it", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
        s.begin(A, P, 1);
    });
    breaks(Property::Durable, "nothing at all", |s| {
        s.join(A, 1);
        s.begin(A, P, 1);
    });
    breaks(Property::Durable, "a leader of an earlier life", |s| {
        s.join(A, 2);
        let leader = Leader { owner_generation: Generation(1), ..s.leader(A, 1) };
        s.write(A, WORKER, AREA, &leader.sector());
        s.begin(A, P, 1);
    });
    breaks(Property::Durable, "a block of phase 1", |s| {
        s.join(A, 1);
        let block = HostBlock { bal: Mbal(0), inp: HostId(0), inp2: Generation(0), inp3: Stamp(0), ..s.vote(A, 1) };
        s.write_block(A, block);
        s.begin(A, P, 1);
    });
    breaks(Property::Durable, "a write that did not land", |s| {
        s.join(A, 1);
        let leader = s.leader(A, 1);
        s.issue(A, WORKER, AREA, &leader.sector());
        s.begin(A, P, 1);
    });
}

#[test]
fn nothing_is_left_behind() {
    holds("held by a process", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.at_rest();
    });
    holds("RELEASED in its own block", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        let block = HostBlock { flags: HostBlock::RELEASED, ..s.vote(A, 1) };
        s.write_block(A, block);
        s.at_rest();
    });
    holds("an earlier life", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.tell(Happening::Down { host: A, by_watchdog: false });
        s.boot(A);
        s.join(A, 2);
        s.at_rest();
        assert_eq!((s.history.counts().rejoins, s.history.counts().power_losses), (1, 1));
    });
    breaks(Property::Residue, "a leader that nobody answers for", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        s.at_rest();
    });
    breaks(Property::Residue, "a vote that the next ballot will commit", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
        s.at_rest();
    });
    let aborted_join = |s: &mut Story, freed: bool, ending: Ending, completion: Completion| {
        s.read(A, THREAD, 0, 4096);
        let record = s.record(A, 1, 1);
        let bytes = record.sector(&Bitmap::EMPTY);
        s.issue(A, THREAD, 0, &bytes);
        s.land(A, 0, &bytes);
        s.complete(A, ending, completion, 1_000);
        if freed {
            s.write_record(A, DeltaLease { timestamp: Stamp::FREE, ..record });
        }
        s.event(A, Event::JoinFailed { lockspace: LsId(0), why: Refusal::Aborted });
        s.at_rest();
    };
    holds("a join that is undone", |s| aborted_join(s, true, Ending::Done, Completion::Written));
    holds("a join whose write failed", |s| aborted_join(s, false, Ending::LostAnswer(5), Completion::Failed(5)));
    breaks(Property::Residue, "a join that is not undone", |s| {
        aborted_join(s, false, Ending::Done, Completion::Written);
    });
}

#[test]
fn the_lost_take_nothing() {
    let lost = |s: &mut Story| {
        s.join(A, 1);
        s.cut(A);
        s.killing(A);
    };
    holds("a released block and a free leader", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.cut(A);
        s.killing(A);
        s.release(A, 1);
    });
    breaks(Property::Zombie, "a vote", |s| {
        lost(s);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
    });
    breaks(Property::Zombie, "a leader", |s| {
        lost(s);
        let leader = s.leader(A, 1);
        s.write(A, WORKER, AREA, &leader.sector());
    });
    let left = |s: &mut Story| {
        s.join(A, 1);
        s.event(A, Event::Left { lockspace: LsId(0), released: true });
    };
    breaks(Property::Zombie, "anything after it left: the lockspace", |s| {
        left(s);
        let record = s.records[&A].clone();
        s.write_record(A, record);
    });
    breaks(Property::Zombie, "anything after it left: a resource", |s| {
        left(s);
        s.write_block(A, HostBlock::default());
    });
    breaks(Property::Zombie, "in the name of its last life", |s| {
        left(s);
        let leader = Leader { timestamp: Stamp::FREE, ..s.leader(A, 1) };
        s.join(A, 2);
        s.write(A, WORKER, AREA, &leader.sector());
    });
}

#[test]
fn everybody_writes_his_own_sectors() {
    holds("leader, request and own block", |s| {
        s.join(A, 1);
        s.commit(A, 1);
        s.write(A, WORKER, AREA + 512, &lease_core::format::RequestRecord::FRESH.sector());
    });
    breaks(Property::Sector, "another's delta lease", |s| {
        s.join(A, 1);
        let record = s.record(A, 2, 2);
        s.write_record(A, record);
    });
    breaks(Property::Sector, "another's block", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1).sector();
        s.write(A, WORKER, AREA + GEOMETRY.block_offset(HostId(2)), &vote);
    });
    holds("another's block is wiped out while nobody uses that host id", |s| {
        s.join(A, 1);
        s.write(A, WORKER, AREA + GEOMETRY.block_offset(HostId(2)), &[]);
    });
    breaks(Property::Sector, "another's block is wiped out while it is used", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.write(A, WORKER, AREA + GEOMETRY.block_offset(HostId(2)), &[]);
    });
    holds("the value", |s| {
        s.join(A, 1);
        s.write(A, WORKER, AREA + GEOMETRY.lvb_offset(), &[1]);
    });
    breaks(Property::Sector, "its delta lease, but from a worker", |s| {
        s.join(A, 1);
        let record = s.record(A, 1, 1);
        s.write(A, WORKER, 0, &record.sector(&Bitmap::EMPTY));
    });
    breaks(Property::Sector, "between two sectors", |s| {
        s.join(A, 1);
        s.issue(A, WORKER, AREA + 100, &[]);
    });
    breaks(Property::Sector, "behind the blocks", |s| {
        s.join(A, 1);
        s.issue(A, WORKER, AREA + GEOMETRY.lvb_offset() + 512, &[1]);
    });
}

#[test]
fn slots_and_loops_are_single() {
    breaks(Property::Life, "a slot whose I/O is under way", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1).sector();
        s.issue(A, WORKER, AREA + GEOMETRY.block_offset(HostId(1)), &vote);
        s.read(A, THREAD, 0, AREA);
    });
    holds("a slot of a daemon that is gone", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1).sector();
        s.issue(A, WORKER, AREA + GEOMETRY.block_offset(HostId(1)), &vote);
        s.tell(Happening::DaemonDown { host: A });
        s.tell(Happening::DaemonUp { host: A, last_life: LastLife::Unknown });
        s.join(A, 2);
    });
    breaks(Property::Life, "a second renewal loop", |s| {
        s.join(A, 1);
        s.read(A, Task::Lockspace(LsId(1)), 0, 4096);
        let (host_id, generation, timestamp) = (HostId(1), Generation(2), Stamp(1_000));
        s.event(A, Event::Joined { lockspace: LsId(1), host_id, generation, timestamp });
    });
}

#[test]
fn what_is_healed_goes_on() {
    let healed = |s: &mut Story| {
        s.join(A, 1);
        s.wait(10);
        s.history.liveness_begins(s.at);
        s.history.expect_progress(VM, s.at.after_micros(5_000_000));
    };
    holds("acquired in time", |s| {
        healed(s);
        s.acquire(A, 1);
        s.at_rest();
    });
    holds("held all the time", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.history.liveness_begins(s.at);
        s.history.expect_progress(VM, s.at);
        s.at_rest();
    });
    breaks(Property::Progress, "acquired late", |s| {
        healed(s);
        s.wait(6);
        s.acquire(A, 1);
        s.at_rest();
    });
    breaks(Property::Progress, "acquired by nobody", |s| {
        healed(s);
        s.at_rest();
    });
    breaks(Property::Progress, "a request without an answer", |s| {
        s.join(A, 1);
        s.tell(Happening::Asked { host: A, process: Some(P), request: acquire_request() });
        s.at_rest();
    });
    holds("its process ended", |s| {
        s.join(A, 1);
        s.tell(Happening::Asked { host: A, process: Some(P), request: acquire_request() });
        s.tell(Happening::Ended { host: A, process: P });
        s.at_rest();
    });
}

#[test]
fn whoever_removes_a_lockspace_hears_of_its_end() {
    let says_so = |s: &mut Story, ends: fn() -> Event, millis: u64| {
        s.event(A, ends());
        s.wait_micros(millis * 1_000);
        s.told(A, None, remove_request(), Ok(Answer::Done));
    };
    let left = || Event::Left { lockspace: LsId(0), released: true };
    let undone = || Event::JoinFailed { lockspace: LsId(0), why: Refusal::Aborted };
    let leaves = |s: &mut Story| {
        s.join(A, 1);
        s.tell(Happening::Asked { host: A, process: None, request: remove_request() });
        s.event(A, Event::Killing { lockspace: LsId(0), failed: false });
        s.event(A, Event::Cleared { lockspace: LsId(0) });
    };
    let joins = |s: &mut Story| {
        s.tell(Happening::Asked { host: A, process: None, request: join_request(1) });
        s.tell(Happening::Asked { host: A, process: None, request: remove_request() });
        s.read(A, THREAD, 0, 4096);
    };
    holds("at once", |s| {
        leaves(s);
        says_so(s, left, 2_400);
    });
    breaks(Property::Progress, "late", |s| {
        leaves(s);
        says_so(s, left, 2_600);
    });
    // Whoever waits for the join hears first.
    holds("a join is undone", |s| {
        joins(s);
        says_so(s, undone, 3_900);
    });
    breaks(Property::Progress, "a join is undone, late", |s| {
        joins(s);
        says_so(s, undone, 4_100);
    });
}

#[test]
fn the_innocent_are_left_alone() {
    let reasons: [Named; 7] = [
        ("a cut path", |s| s.cut(A)),
        ("a failed read", |s| {
            let (slot, disk, io) = (Slot(0), DISK, IoId(0));
            s.tell(Happening::ReadIssued { host: A, task: THREAD, slot, disk, io, offset: 0, length: AREA });
            s.complete(A, Ending::Refused(5), Completion::Failed(5), 1_000);
        }),
        ("a slow read", |s| {
            let (slot, disk, io) = (Slot(0), DISK, IoId(0));
            s.tell(Happening::ReadIssued { host: A, task: THREAD, slot, disk, io, offset: 0, length: AREA });
            s.wait(10);
        }),
        ("a long stall", |s| {
            s.tell(Happening::Stalled { host: A, part: Part::Wdmd });
            s.tell(Happening::Resumed { host: A, part: Part::Wdmd, stood: 1_000_001 });
        }),
        ("a dead wdmd", |s| s.tell(Happening::WdmdDown { host: A })),
        ("a rollback", |s| s.tell(Happening::MediumChanged { disk: DISK })),
        ("a stale read", |s| {
            let sampling = Sampling::Stale { snapshot: SnapshotId(0), from: 0, count: 1 };
            s.tell(Happening::Chosen(Action::Sample { disk: DISK, io: IoId(0), sampling }));
        }),
    ];
    let effects: [Named; 4] = [
        ("recovery", |s| s.event(A, Event::Killing { lockspace: LsId(0), failed: true })),
        ("a lost host id", |s| {
            s.event(A, Event::RenewalFailed { lockspace: LsId(0), why: Refusal::RenewOwner });
        }),
        ("a reset", |s| s.tell(Happening::Down { host: A, by_watchdog: true })),
        ("a signal", |s| s.signal(A, Signal::Term)),
    ];
    for (effect, happen) in effects {
        breaks(Property::Calm, effect, |s| {
            s.join(A, 1);
            happen(s);
        });
        for (reason, give) in reasons {
            holds(&format!("{effect} after {reason}"), |s| {
                s.join(A, 1);
                give(s);
                s.wait(150);
                happen(s);
            });
        }
        breaks(Property::Calm, &format!("{effect} long after a stall"), |s| {
            s.join(A, 1);
            reasons[3].1(s);
            s.wait(161);
            happen(s);
        });
    }
    holds("asked to leave", |s| {
        s.join(A, 1);
        s.tell(Happening::Asked { host: A, process: None, request: remove_request() });
        s.wait(1_000);
        s.event(A, Event::Killing { lockspace: LsId(0), failed: false });
    });
    breaks(Property::Calm, "a stall of everyday life", |s| {
        s.join(A, 1);
        s.tell(Happening::Stalled { host: A, part: Part::Daemon });
        s.tell(Happening::Resumed { host: A, part: Part::Daemon, stood: 1_000_000 });
        s.killing(A);
    });
}

#[test]
fn holders_are_killed_in_time() {
    // Joined at 0, failed at 80; SIGKILL is due at 120.
    let failed = |s: &mut Story| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.cut(A);
        s.wait(80);
        s.killing(A);
    };
    let gone = |s: &mut Story| {
        s.tell(Happening::Ended { host: A, process: P });
        s.end(A, P, 1);
        s.wait(100);
    };
    holds("SIGTERM, SIGKILL, gone", |s| {
        failed(s);
        s.wait(1);
        s.signal(A, Signal::Term);
        s.wait(39);
        s.signal(A, Signal::Kill);
        s.wait(10);
        gone(s);
        assert_eq!((s.history.counts().recoveries, s.history.counts().kills), (1, 1));
    });
    breaks(Property::Killing, "no first signal", |s| {
        failed(s);
        s.wait_micros(1_200_000);
    });
    breaks(Property::Killing, "no SIGKILL", |s| {
        failed(s);
        s.signal(A, Signal::Term);
        s.wait_micros(41_200_000);
    });
    breaks(Property::Killing, "SIGTERM when its time is over", |s| {
        failed(s);
        s.signal(A, Signal::Term);
        s.wait(40);
        s.signal(A, Signal::Term);
    });
    breaks(Property::Killing, "SIGTERM from a lockspace that is removed", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.tell(Happening::Asked { host: A, process: None, request: remove_request() });
        s.event(A, Event::Killing { lockspace: LsId(0), failed: false });
        s.signal(A, Signal::Term);
    });
    breaks(Property::Killing, "somebody is admitted", |s| {
        s.join(A, 1);
        s.commit(A, 1);
        s.cut(A);
        s.killing(A);
        s.begin(A, P, 1);
    });
    holds("the main loop is stalled", |s| {
        failed(s);
        s.tell(Happening::Stalled { host: A, part: Part::Task(Task::Main) });
        s.wait(30);
        s.tell(Happening::Resumed { host: A, part: Part::Task(Task::Main), stood: 30_000_000 });
        s.wait(1);
        s.signal(A, Signal::Term);
    });
    breaks(Property::Killing, "and does nothing when it goes on", |s| {
        failed(s);
        s.tell(Happening::Stalled { host: A, part: Part::Task(Task::Main) });
        s.wait(30);
        s.tell(Happening::Resumed { host: A, part: Part::Task(Task::Main), stood: 30_000_000 });
        s.wait(2);
    });
    breaks(Property::Killing, "nobody notices that it has failed", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.cut(A);
        s.wait(82);
    });
    breaks(Property::Killing, "nobody notices that its host id is lost", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.cut(A);
        s.event(A, Event::RenewalFailed { lockspace: LsId(0), why: Refusal::RenewOwner });
        s.wait(2);
    });
    holds("one whose connection closed is gone for 3.8.5", |s| {
        failed(s);
        s.tell(Happening::HungUp { host: A, process: P });
        s.wait(50);
    });
}

#[test]
fn the_tables_of_hosts_say_what_was_read() {
    // A reads both records at 1000 and again at 1020 of its clock.
    let seen = |s: &mut Story| {
        s.join(B, 1);
        s.join(A, 1);
        s.read(A, THREAD, 0, AREA);
        s.event(A, Event::Scanned { lockspace: LsId(0) });
        s.wait(20);
        s.renew(B);
        s.read(A, THREAD, 0, AREA);
        s.event(A, Event::Scanned { lockspace: LsId(0) });
    };
    let told = |after: u64, state: HostState| {
        move |s: &mut Story| {
            seen(s);
            s.wait(after);
            let lines = vec![s.line(A, HostState::Live), s.line(B, state)];
            s.hosts_of_a(lines);
        }
    };
    holds("live", told(80, HostState::Live));
    holds("failing", told(81, HostState::Fail));
    holds("dead", told(141, HostState::Dead));
    breaks(Property::Status, "failing too early", told(80, HostState::Fail));
    breaks(Property::Status, "dead too early", told(140, HostState::Dead));
    breaks(Property::Status, "dead too late", told(141, HostState::Fail));
    breaks(Property::Status, "a host is missing", |s| {
        seen(s);
        let line = s.line(A, HostState::Live);
        s.hosts_of_a(vec![line]);
    });
    breaks(Property::Status, "a host too many", |s| {
        seen(s);
        let more = HostStatus { host_id: HostId(3), ..s.line(B, HostState::Live) };
        let lines = vec![s.line(A, HostState::Live), s.line(B, HostState::Live), more];
        s.hosts_of_a(lines);
    });
    holds("nothing is said after a read that may have been given up", |s| {
        seen(s);
        let (slot, disk, io) = (Slot(0), DISK, IoId(0));
        s.tell(Happening::ReadIssued { host: A, task: THREAD, slot, disk, io, offset: 0, length: AREA });
        let runs: Vec<Run> = s.disks[0].platter().runs(0, AREA / 512);
        s.complete(A, Ending::Done, Completion::Read(runs), 10_000_000);
        s.hosts_of_a(Vec::new());
    });
}

#[test]
fn what_is_written_decodes() {
    breaks(Property::Format, "a wrong checksum", |s| {
        s.join(A, 1);
        let mut bytes = s.leader(A, 1).sector().to_vec();
        bytes[20] ^= 1;
        s.issue(A, WORKER, AREA, &bytes);
    });
    breaks(Property::Format, "another resource's name", |s| {
        s.join(A, 1);
        let leader = Leader { resource_name: name("VM2"), ..s.leader(A, 1) };
        s.issue(A, WORKER, AREA, &leader.sector());
    });
    breaks(Property::Format, "another sector size", |s| {
        s.join(A, 1);
        let record = DeltaLease { sector_size: 4_096, ..s.record(A, 1, 1) };
        s.write_record(A, record);
    });
    breaks(Property::Format, "another's delta lease in the own place", |s| {
        s.join(A, 1);
        let record = s.record(A, 2, 1);
        s.write(A, THREAD, 0, &record.sector(&Bitmap::EMPTY));
    });
    breaks(Property::Format, "a vote of no ballot", |s| {
        s.join(A, 1);
        let block = HostBlock { bal: Mbal(0), ..s.vote(A, 1) };
        s.write_block(A, block);
    });
}

#[test]
fn answers_are_true() {
    let refused = Err(Refusal::AcquireIdLive);
    let ask = |s: &mut Story| s.tell(Happening::Asked { host: B, process: Some(P), request: acquire_request() });
    holds("-243 while another owns it, and a little later", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        ask(s);
        s.wait(1);
        s.release(A, 1);
        s.wait(1);
        s.told(B, Some(P), acquire_request(), refused.clone());
        assert_eq!(s.history.counts().refused_acquires, 1);
    });
    breaks(Property::Answers, "-243 though nobody owns it", |s| {
        s.join(A, 1);
        s.join(B, 1);
        s.acquire(A, 1);
        s.wait(1);
        s.release(A, 1);
        s.wait(1);
        ask(s);
        s.told(B, Some(P), acquire_request(), refused.clone());
    });
    breaks(Property::Answers, "-243 because of itself", |s| {
        s.join(B, 1);
        s.commit(B, 1);
        ask(s);
        s.told(B, Some(P), acquire_request(), refused.clone());
    });
    let joined = |generation: u64| {
        move |s: &mut Story| {
            s.join(A, 3);
            s.told(A, None, join_request(1), Ok(Answer::Joined { generation: Generation(generation) }));
        }
    };
    holds("joined under this generation", joined(3));
    breaks(Property::Answers, "joined under another", joined(4));
    let inquired = |lver: u64| {
        move |s: &mut Story| {
            s.join(A, 1);
            s.acquire(A, 1);
            let held = vec![holding(lver)];
            s.told(A, Some(P), Request::Inquire, Ok(Answer::Held(held)));
        }
    };
    holds("held", inquired(1));
    breaks(Property::Answers, "held in another version", inquired(2));
}

#[test]
fn engines_hold_what_their_clients_were_told() {
    let compare = |s: &mut Story, held: &[(u8, u64)]| {
        let lines = held.iter().map(|(client, lver)| (ClientId(*client), holding(*lver)));
        s.with_facts(|history, at, facts| history.compare_holdings(at, A, lines, facts));
    };
    holds("the same", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        compare(s, &[(0, 1)]);
    });
    holds("a release under way", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        compare(s, &[(0, 1)]);
        compare(s, &[]);
    });
    breaks(Property::Answers, "told, but not held", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        compare(s, &[]);
    });
    breaks(Property::Answers, "held, but not told", |s| {
        s.join(A, 1);
        compare(s, &[(1, 1)]);
    });
    breaks(Property::Answers, "held after the release was done", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        let request = Request::Release { lockspace: name("LS"), resource: name("VM") };
        s.told(A, Some(P), request, Ok(Answer::Done));
        compare(s, &[(0, 1)]);
    });
}

#[test]
fn takeovers_are_told_from_handovers() {
    let takeover = |end: fn(&mut Story), expected: u64| {
        holds("taken over", |s| {
            s.join(A, 1);
            s.join(B, 1);
            s.acquire(A, 1);
            end(s);
            s.acquire(B, 2);
            assert_eq!(s.history.counts().takeovers, expected);
        });
    };
    takeover(|s| s.release(A, 1), 0);
    takeover(
        |s| {
            s.end(A, P, 1);
            s.tell(Happening::Down { host: A, by_watchdog: false });
        },
        1,
    );
    takeover(
        |s| {
            s.cut(A);
            s.killing(A);
            s.tell(Happening::Ended { host: A, process: P });
            s.end(A, P, 1);
        },
        1,
    );
}

#[test]
fn properties_are_found_by_name() {
    for property in Property::ALL {
        assert_eq!(Property::from_id(property.id()), Some(*property));
        assert!(property.title().ends_with('.'), "{property} is told in a sentence");
    }
}
