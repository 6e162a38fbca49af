//! One lockspace of this host: the thread that joins it, renews its delta lease and leaves it (delta-lease §2–§4).
//!
//! The thread runs for as long as the lockspace is known. What the main loop decides (failure, killing, removal) stands
//! in [`super::recovery`]; the two meet in a few fields, as the threads of the daemon do.

mod leave;
mod looked_at;

use super::calls::Calls;
use super::io::{Cx, Ended, Op, Running, thread_of};
use super::observe::Table;
use super::resource::{Key, Token};
use crate::Refusal;
use crate::format::{Bitmap, DeltaLease, Geometry, Name, SectorKind, magic};
use crate::mutants::Mutant;
use crate::numbers::{Generation, HostId, Second, Span, Time};
use crate::profile::{AbortedJoin, Config, LateAnswer, LateConfirmation, LateFree, LostHostId, Rejoin, RenewalAge};
use crate::seam::{Event, LsId, Output, Place, Rare, ReadData, Slot, WatchdogAnswer, WatchdogMessage};
use alloc::boxed::Box;

/// How often a thread looks whether it is to stop, and the daemon whether a join or a removal is done.
pub(super) const POLL: Span = Span::SECOND;
/// Between the moment a renewal is due, or the one before failed, and its first I/O (delta-lease §3).
const RENEWAL_PAUSE: Span = Span::from_millis(500);
/// What the one-second steps of a long wait add up to beyond its length.
const LONG_WAIT_SLACK: Span = Span::from_millis(250);
/// Bytes that tell the sizes of a lockspace (delta-lease §6).
pub(super) const SIZES: u64 = 4096;
/// Major version of delta lease records, the upper half of their version word (ondisk §3).
const DELTA_MAJOR: u32 = 3;
/// The shortest wait for a late read, where it is configured as 0 (delta-lease §3).
const SHORTEST_EXTEND: Span = Span::from_millis(500);

/// On which of the daemon's lists a lockspace is (daemon §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum List {
    /// Being joined.
    Add,
    /// In use.
    Spaces,
    /// Its thread is ending.
    Rem,
}

/// A lockspace.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lockspace {
    pub(super) name: Name,
    pub(super) host_id: HostId,
    pub(super) place: Place,
    /// Seconds.
    pub(super) io_timeout: u64,
    pub(super) geometry: Geometry,
    pub(super) list: List,
    /// The life of the host id that this lockspace owns, once joined.
    pub(super) generation: Generation,
    /// Second of the last successful renewal, taken before its write was issued. An age, never compared with a stamp.
    pub(super) last_success: Second,
    /// A renewal's result that says the host id is lost. Sticky.
    pub(super) corrupt: Option<Refusal>,
    /// The area as the last renewal read it, until the main loop looks.
    pub(super) image: Option<ReadData>,
    pub(super) table: Table,
    /// What it tells other hosts.
    pub(super) calls: Calls,
    /// Its users are being killed.
    pub(super) killing: bool,
    /// An administrator wants it gone.
    pub(super) removal: bool,
    /// Something uses it that no client stands for.
    pub(super) used: bool,
    /// What clients left behind in it is used.
    pub(super) used_by_orphans: bool,
    /// What came of the join, until the worker that asked for it looks.
    pub(super) joined: Option<Result<(), Refusal>>,
    /// It is known that nothing of an earlier life of ours on this host id still runs: the system booted since, or this
    /// daemon itself saw all its users gone.
    old_life_is_over: bool,
    /// The connection to wdmd stands.
    connected: bool,
    /// The thread is to end.
    stop: bool,
    /// The record as last successfully written (L), and whether the last renewal succeeded.
    record: DeltaLease,
    renewed: bool,
    /// A read of the area that timed out, and what it brought since.
    late_read: Option<(Slot, Option<Ended>)>,
    thread: Thread,
}

/// What the thread is doing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Thread {
    ReadSizes(Running),
    Connecting,
    /// A1.
    ReadRecord(Running),
    /// A2: waits for a sign of life of whoever holds the host id.
    WaitHeld {
        first: Box<DeltaLease>,
        until: Time,
    },
    Reread {
        first: Box<DeltaLease>,
        io: Running,
    },
    Write {
        record: Box<DeltaLease>,
        second: Second,
        theirs: u64,
        io: Running,
    },
    Confirm {
        record: Box<DeltaLease>,
        second: Second,
        until: Time,
    },
    ReadBack {
        record: Box<DeltaLease>,
        second: Second,
        io: Running,
    },
    Arming,
    /// Sets the slot free that an aborted join wrote: looks, then writes.
    UndoRead {
        record: Box<DeltaLease>,
        second: Second,
        why: Refusal,
        io: Running,
    },
    UndoWrite {
        why: Refusal,
        io: Running,
    },
    /// Between renewals.
    Sleeping,
    /// R0: waits for the timed-out read of the renewal before.
    Reaping {
        since: Time,
        until: Time,
    },
    /// R1.
    ReadArea {
        since: Time,
        io: Running,
    },
    /// R2.
    WriteRecord {
        record: Box<DeltaLease>,
        second: Second,
        read: Span,
        since: Time,
        io: Running,
    },
    Freeing(Running),
    Draining {
        released: bool,
        until: Time,
    },
    Ended,
}

/// What the daemon must do after the thread ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    Nothing,
    /// The join came to an end, well or not.
    JoinEnded,
    /// The main loop has something to look at.
    News,
    /// The thread is over: forget the lockspace.
    Gone,
}

/// Sector and area size, as the first record tells them.
pub(super) fn sizes(data: &ReadData) -> Result<Geometry, Refusal> {
    let bytes = data.sector_at(0, SIZES as u32);
    let (found, record) = DeltaLease::peek(&bytes);
    if found != magic::DELTA {
        return Err(Refusal::LeaderMagic);
    }
    if record.version >> 16 != DELTA_MAJOR {
        return Err(Refusal::LeaderVersion);
    }
    Geometry::from_leader(record.sector_size, record.flags)
}

impl Lockspace {
    /// Starts the thread.
    pub(super) fn join(
        id: LsId,
        name: Name,
        host_id: HostId,
        place: Place,
        io_timeout: u64,
        old_life_is_over: bool,
        cx: &mut Cx<'_>,
    ) -> Lockspace {
        let io = cx.start(thread_of(id), Op::read(place.disk, place.offset, SIZES), Span::from_secs(io_timeout));
        let geometry = Geometry::S512A1M;
        Lockspace {
            name,
            host_id,
            place,
            io_timeout,
            geometry,
            list: List::Add,
            generation: Generation(0),
            last_success: Second::NEVER,
            corrupt: None,
            image: None,
            table: Table::default(),
            calls: Calls::default(),
            killing: false,
            removal: false,
            used: false,
            used_by_orphans: false,
            joined: None,
            old_life_is_over,
            connected: false,
            stop: false,
            record: DeltaLease::fresh(geometry, name, 0),
            renewed: false,
            late_read: None,
            thread: Thread::ReadSizes(io),
        }
    }

    /// Whether a token of this instance is still good for a grant, as far as the profile looks.
    pub(super) fn usable(&self) -> bool {
        self.list == List::Spaces && !self.killing
    }

    /// Whether acquires in it are admitted.
    pub(super) fn admits(&self, config: &Config) -> bool {
        self.usable() || self.list == List::Spaces && config.mutated(Mutant::B37c)
    }

    /// A claim of the instance that it is now to a resource.
    pub(super) fn token(&self, id: LsId, key: Key, place: Place) -> Token {
        Token {
            key,
            lockspace: id,
            place,
            geometry: self.geometry,
            host: self.host_id,
            generation: self.generation,
            io_timeout: self.io_timeout,
        }
    }

    /// Whether nothing is granted in it any more.
    pub(super) fn ends(&self) -> bool {
        self.killing || self.list == List::Rem
    }

    /// The generation that the join under way wrote, or is writing.
    pub(super) fn joins_under(&self) -> Option<Generation> {
        match &self.thread {
            Thread::Write { record, .. } | Thread::Confirm { record, .. } | Thread::ReadBack { record, .. } => {
                Some(record.owner_generation)
            }
            _ => None,
        }
    }

    /// Tells the thread to end; it notices within a second.
    pub(super) fn stop(&mut self, id: LsId, cx: &mut Cx<'_>) {
        self.stop = true;
        let interruptible = matches!(self.thread, Thread::Sleeping | Thread::WaitHeld { .. } | Thread::Confirm { .. });
        if interruptible {
            cx.wake_within(thread_of(id), cx.now, cx.now.after(POLL));
        }
        if cx.config.mutated(Mutant::B33) && matches!(self.thread, Thread::WriteRecord { .. }) {
            cx.io.give_up_all_of(thread_of(id));
            self.thread = Thread::Freeing(self.start_free_write(id, self.record.clone(), cx));
        }
    }

    /// The I/O that the thread waits for, if any.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.thread {
            Thread::ReadSizes(io)
            | Thread::ReadRecord(io)
            | Thread::Reread { io, .. }
            | Thread::Write { io, .. }
            | Thread::ReadBack { io, .. }
            | Thread::UndoRead { io, .. }
            | Thread::UndoWrite { io, .. }
            | Thread::ReadArea { io, .. }
            | Thread::WriteRecord { io, .. }
            | Thread::Freeing(io) => Some(io),
            Thread::Connecting
            | Thread::WaitHeld { .. }
            | Thread::Confirm { .. }
            | Thread::Arming
            | Thread::Sleeping
            | Thread::Reaping { .. }
            | Thread::Draining { .. }
            | Thread::Ended => None,
        }
    }

    /// The thread was woken.
    pub(super) fn woken(&mut self, id: LsId, cx: &mut Cx<'_>) -> After {
        if let Some(running) = self.running_mut() {
            let running = running.clone();
            return match cx.given_up(&running) {
                Some(why) => {
                    if matches!(self.thread, Thread::ReadArea { .. })
                        && !cx.config.mutated(Mutant::B69a)
                        && let Some(slot) = running.slot()
                    {
                        self.late_read = Some((slot, None));
                    }
                    self.io_over(id, Err(why), cx)
                }
                None => After::Nothing,
            };
        }
        match &self.thread {
            Thread::WaitHeld { first, until } => {
                if self.stop && !cx.config.mutated(Mutant::B61) {
                    return self.join_failed(id, Refusal::Aborted, cx);
                }
                if cx.now < *until {
                    cx.wake_within(thread_of(id), *until, until.after(LONG_WAIT_SLACK));
                    return After::Nothing;
                }
                let first = first.clone();
                let io = self.start_own_read(id, cx);
                self.thread = Thread::Reread { first, io };
                After::Nothing
            }
            Thread::Confirm { record, second, until } => {
                if self.stop {
                    let (record, second) = (record.clone(), *second);
                    return self.abort_written(id, record, second, Refusal::Aborted, cx);
                }
                if cx.now < *until {
                    cx.wake_within(thread_of(id), *until, until.after(LONG_WAIT_SLACK));
                    return After::Nothing;
                }
                let (record, second) = (record.clone(), *second);
                let io = self.start_own_read(id, cx);
                self.thread = Thread::ReadBack { record, second, io };
                After::Nothing
            }
            Thread::Sleeping if self.stop => self.leave(id, cx),
            Thread::Sleeping => self.renew(id, cx),
            Thread::Reaping { until, .. } if cx.now >= *until && !cx.config.mutated(Mutant::B69b) => {
                cx.rare(Rare::LateReadGivenUp);
                self.late_read = None;
                self.read_area(id, cx);
                After::Nothing
            }
            Thread::Draining { released, until } if cx.now >= *until => {
                cx.rare(Rare::DrainGivenUp);
                let released = *released;
                self.end(id, released, cx)
            }
            _ => After::Nothing,
        }
    }

    /// The I/O that the thread waited for ended.
    pub(super) fn io_done(&mut self, id: LsId, ended: Ended, cx: &mut Cx<'_>) -> After {
        if self.answer_comes_too_late(cx.now, cx.config.profile.late_answer) {
            cx.rare(Rare::AnsweredLate);
            return self.io_over(id, Err(Refusal::AioTimeout), cx);
        }
        self.io_over(id, ended, cx)
    }

    /// It ended, or was given up.
    fn io_over(&mut self, id: LsId, ended: Ended, cx: &mut Cx<'_>) -> After {
        match core::mem::replace(&mut self.thread, Thread::Ended) {
            Thread::ReadSizes(_) => match ended.and_then(|data| self.sizes(&data)) {
                Ok(geometry) => {
                    self.geometry = geometry;
                    if cx.config.parameters.use_watchdog {
                        self.thread = Thread::Connecting;
                        self.connected = true;
                        cx.out.push(Output::Watchdog { lockspace: id, message: WatchdogMessage::Connect });
                        cx.out.push(Output::NoWake { task: thread_of(id) });
                    } else {
                        self.thread = Thread::ReadRecord(self.start_own_read(id, cx));
                    }
                    After::Nothing
                }
                Err(why) => self.join_failed(id, why, cx),
            },
            Thread::ReadRecord(_) => match ended.and_then(|data| self.own_record(data)) {
                Ok(record) => self.look(id, record, cx),
                Err(why) => self.join_failed(id, why, cx),
            },
            Thread::Reread { first, .. } => match ended.and_then(|data| self.own_record(data)) {
                // "no sign of life", or "was released meanwhile; basis = the new read"
                Ok(record) if record == *first || record.timestamp.is_free() => {
                    let theirs = self.io_timeout_of(&first);
                    self.write_acquire(id, record, theirs, cx)
                }
                Ok(_) => {
                    cx.rare(Rare::JoinOwnerAlive);
                    self.join_failed(id, Refusal::HostIdBusy, cx)
                }
                Err(why) => self.join_failed(id, why, cx),
            },
            Thread::Write { record, second, theirs, .. } => match ended {
                Ok(_) => {
                    let until = cx.now.after(Span::from_secs(cx.config.join_confirmation(theirs, self.io_timeout)));
                    cx.wake_within(thread_of(id), until, until.after(LONG_WAIT_SLACK));
                    self.thread = Thread::Confirm { record, second, until };
                    if self.stop {
                        self.stop(id, cx);
                    }
                    After::Nothing
                }
                Err(why) => self.abort_written(id, record, second, why, cx),
            },
            Thread::ReadBack { record, second, .. } => match ended.and_then(|data| self.own_record(data)) {
                Ok(found) if found == *record && self.confirmed_too_late(second, cx) => {
                    cx.rare(Rare::JoinTooOld);
                    self.abort_written(id, record, second, Refusal::Aborted, cx)
                }
                Ok(found) if found == *record => {
                    self.generation = record.owner_generation;
                    self.record = *record;
                    self.renewed = true;
                    self.last_success = second;
                    if cx.config.parameters.use_watchdog {
                        self.thread = Thread::Arming;
                        let message = WatchdogMessage::Arm { renewal: second, expire: self.expire(cx) };
                        cx.out.push(Output::Watchdog { lockspace: id, message });
                        cx.out.push(Output::NoWake { task: thread_of(id) });
                        After::Nothing
                    } else {
                        self.join_succeeded(id, cx)
                    }
                }
                Ok(_) => {
                    cx.rare(Rare::JoinLostRace);
                    self.join_failed(id, Refusal::HostIdBusy, cx)
                }
                Err(why) => self.abort_written(id, record, second, why, cx),
            },
            Thread::UndoRead { record, second, why, .. } => match ended.and_then(|data| self.own_record(data)) {
                Ok(found) if found == *record => self.undo(id, *record, second, why, cx),
                _ => self.join_failed(id, why, cx),
            },
            Thread::UndoWrite { why, .. } => self.join_failed(id, why, cx),
            Thread::ReadArea { since, .. } => match ended {
                Ok(data) => self.verify_and_write(id, data, since, cx),
                Err(why) => self.renewal_failed(id, why, cx),
            },
            Thread::WriteRecord { record, second, read, since, .. } => {
                let too_old = self.renewal_too_old(cx);
                match ended {
                    Ok(_) => {
                        self.record = *record;
                        if too_old {
                            cx.rare(Rare::RenewalTooOld);
                            return self.renewal_failed(id, Refusal::Aborted, cx);
                        }
                        self.renewed = true;
                        self.last_success = second;
                        let timestamp = self.record.timestamp;
                        cx.event(Event::Renewed { lockspace: id, timestamp, read, write: cx.now.since(since) });
                        let unlinked = self.stop && !cx.config.mutated(Mutant::B66);
                        if !unlinked && cx.config.parameters.use_watchdog {
                            let message = WatchdogMessage::TestLive { renewal: second, expire: self.expire(cx) };
                            cx.out.push(Output::Watchdog { lockspace: id, message });
                        }
                        self.sleep(id, cx)
                    }
                    Err(why) => {
                        cx.rare(Rare::RenewalUnknown);
                        self.renewal_failed(id, why, cx)
                    }
                }
            }
            // "Failure of the write is logged only."
            Thread::Freeing(_) => self.drain(id, ended.is_ok(), cx),
            other => unreachable!("{other:?} waits for no I/O"),
        }
    }

    /// Whether an answer to the I/O that the thread waits for does not count any more.
    ///
    /// Why a host that confirms is alone: it looked at the record and wrote, and was done with both within twice its
    /// io_timeout. Between its write and the look whether that still stands it waited no less than that, for the longest
    /// io_timeout there is (decision `join_confirmation`). So if two confirm, the one whose write landed last wrote when
    /// the other one had confirmed; hence it looked when the other one had written, and what it saw was alive.
    pub(super) fn answer_comes_too_late(&mut self, now: Time, late_answer: LateAnswer) -> bool {
        let joining = self.generation == Generation(0);
        joining && self.running_mut().is_some_and(|io| io.is_late(now, late_answer))
    }

    /// An I/O completed that the thread had given up.
    pub(super) fn late(&mut self, id: LsId, slot: Slot, ended: Ended, cx: &mut Cx<'_>) -> After {
        match &self.thread {
            Thread::Reaping { since, .. } if self.late_read.as_ref().is_some_and(|(late, _)| *late == slot) => {
                let since = *since;
                self.late_read = None;
                match ended {
                    Ok(data) => {
                        cx.rare(Rare::LateReadAdopted);
                        self.verify_and_write(id, data, since, cx)
                    }
                    Err(_) => {
                        self.read_area(id, cx);
                        After::Nothing
                    }
                }
            }
            Thread::Draining { released, .. } if !cx.io.any_of(thread_of(id)) => {
                let released = *released;
                self.end(id, released, cx)
            }
            _ => {
                if let Some((late, data)) = &mut self.late_read
                    && *late == slot
                {
                    *data = Some(ended);
                }
                After::Nothing
            }
        }
    }

    /// wdmd answered.
    pub(super) fn watchdog(&mut self, id: LsId, answer: WatchdogAnswer, cx: &mut Cx<'_>) -> After {
        match (&self.thread, answer) {
            (Thread::Connecting, WatchdogAnswer::Ready { .. }) => {
                self.thread = Thread::ReadRecord(self.start_own_read(id, cx));
                After::Nothing
            }
            (Thread::Connecting, WatchdogAnswer::Refused) => {
                cx.rare(Rare::WatchdogRefused);
                self.connected = false;
                self.join_failed(id, Refusal::WatchdogError, cx)
            }
            (Thread::Arming, WatchdogAnswer::Ready { fire_timeout })
                if u64::from(fire_timeout) == cx.config.parameters.watchdog_fire_timeout =>
            {
                if self.confirmed_too_late(self.last_success, cx) {
                    cx.rare(Rare::JoinTooOld);
                    return self.undo(id, self.record.clone(), self.last_success, Refusal::Aborted, cx);
                }
                self.join_succeeded(id, cx)
            }
            // "Failure → -203 and the delta lease is released again" (daemon §2).
            (Thread::Arming, _) => {
                cx.rare(Rare::WatchdogRefused);
                self.undo(id, self.record.clone(), self.last_success, Refusal::WatchdogError, cx)
            }
            _ => After::Nothing,
        }
    }

    fn expire(&self, cx: &Cx<'_>) -> Second {
        self.last_success.after(cx.config.parameters.failure_age(self.io_timeout))
    }

    // Join.

    fn sizes(&self, data: &ReadData) -> Result<Geometry, Refusal> {
        let geometry = sizes(data)?;
        if self.host_id.0 > geometry.max_hosts() {
            return Err(Refusal::InvalidHostId);
        }
        Ok(geometry)
    }

    fn own_offset(&self) -> u64 {
        self.place.offset + self.geometry.delta_offset(self.host_id)
    }

    fn timeout(&self) -> Span {
        Span::from_secs(self.io_timeout)
    }

    fn start_own_read(&self, id: LsId, cx: &mut Cx<'_>) -> Running {
        let (offset, length) = (self.own_offset(), u64::from(self.geometry.sector()));
        cx.start(thread_of(id), Op::read_after(self.place.disk, offset, length, offset), self.timeout())
    }

    /// Only renewals call other hosts.
    fn start_own_write(
        &self,
        id: LsId,
        record: &DeltaLease,
        bitmap: &Bitmap,
        timeout: Span,
        cx: &mut Cx<'_>,
    ) -> Running {
        let (offset, length) = (self.own_offset(), u64::from(self.geometry.sector()));
        let bytes = record.sector(bitmap);
        let mut op = Op::write(self.place.disk, offset, length, SectorKind::Delta(self.host_id), bytes);
        if cx.config.mutated(Mutant::B33) {
            op.after_writes_to = None;
        }
        cx.start(thread_of(id), op, timeout)
    }

    fn start_free_write(&self, id: LsId, record: DeltaLease, cx: &mut Cx<'_>) -> Running {
        let free = DeltaLease { timestamp: crate::numbers::Stamp::FREE, ..record };
        self.start_own_write(id, &free, &Bitmap::EMPTY, self.timeout(), cx)
    }

    fn own_record(&self, data: ReadData) -> Result<DeltaLease, Refusal> {
        DeltaLease::read(&data.sector_at(0, self.geometry.sector()), &self.name)
    }

    /// N': what the record says of its owner, or our own where it says nothing.
    fn io_timeout_of(&self, record: &DeltaLease) -> u64 {
        if record.io_timeout == 0 { self.io_timeout } else { u64::from(record.io_timeout) }
    }

    fn look(&mut self, id: LsId, record: DeltaLease, cx: &mut Cx<'_>) -> After {
        let theirs = self.io_timeout_of(&record);
        if record.timestamp.is_free() {
            return self.write_acquire(id, record, theirs, cx);
        }
        if record.owner_name.same(&cx.config.host_name) {
            // A name alone does not tell whether processes of our last life still run (W2).
            if cx.config.profile.rejoin == Rejoin::ByName || self.old_life_is_over {
                return self.write_acquire(id, record, theirs, cx);
            }
            cx.rare(Rare::WaitedForOwnLife);
        }
        let by_another = !record.owner_name.same(&cx.config.host_name);
        let until = cx.now.after(Span::from_secs(cx.config.held_age(theirs, by_another)));
        cx.wake_within(thread_of(id), until, until.after(LONG_WAIT_SLACK));
        self.thread = Thread::WaitHeld { first: Box::new(record), until };
        if self.stop {
            self.stop(id, cx);
        }
        After::Nothing
    }

    fn write_acquire(&mut self, id: LsId, found: DeltaLease, theirs: u64, cx: &mut Cx<'_>) -> After {
        let second = cx.now.second();
        let record = DeltaLease {
            timestamp: second.stamp(),
            io_timeout: (self.io_timeout & 0xff) as u16,
            owner_id: self.host_id,
            owner_generation: found.owner_generation.next(),
            owner_name: found.owner_name.overwritten_by(&cx.config.host_name),
            ..found
        };
        let io = self.start_own_write(id, &record, &Bitmap::EMPTY, self.timeout(), cx);
        self.thread = Thread::Write { record: Box::new(record), second, theirs, io };
        After::Nothing
    }

    /// A join ends after its write was issued: "nothing undoes it" in 3.8.5.
    fn abort_written(
        &mut self,
        id: LsId,
        record: Box<DeltaLease>,
        second: Second,
        why: Refusal,
        cx: &mut Cx<'_>,
    ) -> After {
        match cx.config.profile.aborted_join {
            _ if cx.config.mutated(Mutant::L15) => self.join_failed(id, why, cx),
            AbortedJoin::LeftOwned => self.join_failed(id, why, cx),
            AbortedJoin::SetFree => {
                let io = self.start_own_read(id, cx);
                self.thread = Thread::UndoRead { record, second, why, io };
                After::Nothing
            }
        }
    }

    /// Sets the slot free in which our own record of `second` stands, unless that may have become another host's.
    fn undo(&mut self, id: LsId, record: DeltaLease, second: Second, why: Refusal, cx: &mut Cx<'_>) -> After {
        if self.may_be_taken_over(second, cx) {
            return self.join_failed(id, why, cx);
        }
        cx.rare(Rare::JoinUndone);
        let io = self.start_free_write(id, record, cx);
        self.thread = Thread::UndoWrite { why, io };
        After::Nothing
    }

    fn confirmed_too_late(&self, second: Second, cx: &Cx<'_>) -> bool {
        cx.config.profile.late_confirmation == LateConfirmation::Refused && self.failed_since(second, cx)
    }

    /// Nobody takes a host id over before its owner has failed and its watchdog has fired; what is written until it
    /// fails has landed by then.
    fn may_be_taken_over(&self, second: Second, cx: &mut Cx<'_>) -> bool {
        let withheld = cx.config.profile.late_free == LateFree::Withheld && self.failed_since(second, cx);
        if withheld {
            cx.rare(Rare::FreeWithheld);
        }
        withheld
    }

    fn join_succeeded(&mut self, id: LsId, cx: &mut Cx<'_>) -> After {
        if self.stop {
            // "A remove or shutdown during the join makes it end with an error and undoes it" (daemon §2).
            return self.undo(id, self.record.clone(), self.last_success, Refusal::Aborted, cx);
        }
        let (generation, timestamp) = (self.generation, self.record.timestamp);
        cx.event(Event::Joined { lockspace: id, host_id: self.host_id, generation, timestamp });
        self.joined = Some(Ok(()));
        self.sleep(id, cx);
        After::JoinEnded
    }

    fn join_failed(&mut self, id: LsId, why: Refusal, cx: &mut Cx<'_>) -> After {
        self.disarm(id, cx);
        cx.out.push(Output::NoWake { task: thread_of(id) });
        cx.event(Event::JoinFailed { lockspace: id, why });
        self.thread = Thread::Ended;
        self.joined = Some(Err(why));
        After::JoinEnded
    }

    /// Closes the connection to wdmd, so that this lockspace asks for no reset any more.
    pub(super) fn disarm(&mut self, id: LsId, cx: &mut Cx<'_>) {
        if self.connected {
            self.connected = false;
            cx.out.push(Output::Watchdog { lockspace: id, message: WatchdogMessage::Disarm });
        }
    }

    // Renew.

    fn sleep(&mut self, id: LsId, cx: &mut Cx<'_>) -> After {
        self.thread = Thread::Sleeping;
        if self.stop {
            cx.wake_within(thread_of(id), cx.now, cx.now.after(POLL));
            return After::News;
        }
        let due = self.last_success.after(cx.config.parameters.renewal_interval(self.io_timeout)).start();
        if !self.renewed || cx.now >= due {
            cx.wake_at(thread_of(id), cx.now.after(RENEWAL_PAUSE));
        } else {
            // The thread looks once a second, at a phase of its own.
            let earliest = due.after(RENEWAL_PAUSE);
            cx.wake_within(thread_of(id), earliest, earliest.after(POLL));
        }
        After::News
    }

    fn renewal_too_old(&self, cx: &Cx<'_>) -> bool {
        cx.config.profile.renewal_age == RenewalAge::Checked && self.failed_since(self.last_success, cx)
    }

    /// Whether a lockspace fails that was last renewed in `second`.
    fn failed_since(&self, second: Second, cx: &Cx<'_>) -> bool {
        cx.now.second().since(second) >= cx.config.parameters.failure_age(self.io_timeout)
    }

    fn renew(&mut self, id: LsId, cx: &mut Cx<'_>) -> After {
        if self.corrupt.is_some() && cx.config.profile.lost_host_id == LostHostId::KillAtOnce {
            return self.renewal_failed(id, Refusal::Aborted, cx);
        }
        if self.renewal_too_old(cx) {
            cx.rare(Rare::RenewalTooOld);
            return self.renewal_failed(id, Refusal::Aborted, cx);
        }
        match self.late_read.take() {
            Some((_, Some(Ok(data)))) => {
                cx.rare(Rare::LateReadAdopted);
                self.verify_and_write(id, data, cx.now, cx)
            }
            Some((slot, None)) => {
                self.late_read = Some((slot, None));
                let extend = match cx.config.parameters.renewal_read_extend {
                    None => self.timeout(),
                    Some(0) => SHORTEST_EXTEND,
                    Some(seconds) => Span::from_secs(seconds),
                };
                let until = cx.now.after(extend);
                cx.wake_at(thread_of(id), until);
                self.thread = Thread::Reaping { since: cx.now, until };
                After::Nothing
            }
            Some((_, Some(Err(_)))) | None => {
                self.read_area(id, cx);
                After::Nothing
            }
        }
    }

    fn read_area(&mut self, id: LsId, cx: &mut Cx<'_>) {
        let op = Op::read(self.place.disk, self.place.offset, self.geometry.align());
        let io = cx.start(thread_of(id), op, self.timeout());
        self.thread = Thread::ReadArea { since: cx.now, io };
    }

    fn verify_and_write(&mut self, id: LsId, data: ReadData, since: Time, cx: &mut Cx<'_>) -> After {
        let verified = match cx.config.mutated(Mutant::B12) {
            true => Ok(self.record.clone()),
            false => self.verify_own(&data, cx),
        };
        // "The data will be given to the observer, whatever happens next."
        self.image = Some(data);
        let found = match verified {
            Ok(found) => found,
            Err(why) => return self.renewal_failed(id, why, cx),
        };
        if self.renewal_too_old(cx) && !cx.config.mutated(Mutant::B69b) {
            cx.rare(Rare::RenewalTooOld);
            return self.renewal_failed(id, Refusal::Aborted, cx);
        }
        if found.timestamp != self.record.timestamp {
            cx.rare(Rare::UnknownRenewalLanded);
        }
        // The stamp is taken before the write is submitted: whoever counts from it errs on the safe side (SA10).
        let second = cx.now.second();
        if cx.config.mutated(Mutant::B13) {
            self.last_success = second;
            let message = WatchdogMessage::TestLive { renewal: second, expire: self.expire(cx) };
            cx.out.push(Output::Watchdog { lockspace: id, message });
        }
        let (event, bitmap) = self.carried(second, cx);
        let record =
            DeltaLease { timestamp: second.stamp(), io_timeout: (self.io_timeout & 0xff) as u16, event, ..found };
        // Deliberately long: a renewal that lands late is better than none.
        let parameters = &cx.config.parameters;
        let timeout = parameters.failure_age(self.io_timeout) + parameters.watchdog_fire_timeout;
        let timeout = Span::from_secs(timeout);
        let io = self.start_own_write(id, &record, &bitmap, timeout, cx);
        let (record, read) = (Box::new(record), cx.now.since(since));
        self.thread = Thread::WriteRecord { record, second, read, since: cx.now, io };
        After::Nothing
    }

    fn verify_own(&self, data: &ReadData, cx: &Cx<'_>) -> Result<DeltaLease, Refusal> {
        let bytes = data.sector_at(self.host_id.0 - 1, self.geometry.sector());
        let found = DeltaLease::read(&bytes, &self.name)?;
        let mine = &self.record;
        if (found.owner_id, found.owner_generation, found.owner_name)
            != (mine.owner_id, mine.owner_generation, mine.owner_name)
        {
            return Err(Refusal::RenewOwner);
        }
        // After a failed write either the old or the new stamp may stand there.
        if (self.renewed || cx.config.mutated(Mutant::B71b)) && found != *mine {
            return Err(Refusal::RenewDiff);
        }
        Ok(found)
    }

    fn renewal_failed(&mut self, id: LsId, why: Refusal, cx: &mut Cx<'_>) -> After {
        self.renewed = false;
        let lost = matches!(
            why,
            Refusal::RenewOwner
                | Refusal::RenewDiff
                | Refusal::LeaderMagic
                | Refusal::LeaderVersion
                | Refusal::LeaderSectorSize
                | Refusal::LeaderLockspace
                | Refusal::LeaderChecksum
        );
        if lost && self.corrupt.is_none() && !cx.config.mutated(Mutant::B71a) {
            cx.rare(Rare::HostIdLost);
            self.corrupt = Some(why);
        }
        cx.event(Event::RenewalFailed { lockspace: id, why });
        self.sleep(id, cx)
    }
}
