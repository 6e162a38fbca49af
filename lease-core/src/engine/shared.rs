//! What comes after a ballot was won, where others may share the resource or are to (paxos-lease §7.1–§7.3, §8), and the
//! way back from exclusive to shared.
//!
//! A lease is held shared by a flag in the own block, not by the leader: a host takes the lease for a moment, writes
//! SHARED and sets the leader free again. Whoever wins it later finds the flag, and has it exclusively only if none of
//! those who bear the flag is alive.

use super::acquire::{Acquire, Finished, Lvb, Progress, Step, Won};
use super::io::{Cx, Ended, Op, Running};
use super::lockspace::Lockspace;
use super::observe::Table;
use super::release::{Release, Released};
use crate::Refusal;
use crate::format::{DeltaLease, HostBlock, Leader, ModeBlock, SectorKind, trimmed};
use crate::mutants::Mutant;
use crate::numbers::{Generation, HostId, Numbers, Second, Span, Time, Visit};
use crate::profile::{Config, ConvertDown, ConvertUndo, DeadShared, FailedConvert, LvbRead, Profile, SharedLiveness};
use crate::seam::{ClientId, Mode, Rare, RequestId, Task};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The longest pause before a shared acquire looks again; the shortest is none.
const SHARED_PAUSE_MAX: Span = Span::SECOND;
/// How often 3.8.5 tries again to set a leader free that a conversion left.
const UNDO_TRIES: u8 = 3;

/// Those who said SHARED, one after the other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Others {
    /// Whose turn it is.
    host: HostId,
    left: Vec<HostId>,
    /// The generation of the holder, once its block was read.
    generation: Option<Generation>,
    /// Zeros are being written over its block.
    clearing: bool,
    /// Some of them live.
    alive: bool,
}

impl Visit for Others {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        if let Some(generation) = &mut self.generation {
            numbers.generation(self.host, generation);
        }
    }
}

impl Acquire {
    /// The lease is ours.
    pub(super) fn won(
        &mut self,
        worker: Task,
        lockspace: Option<&Lockspace>,
        leader: Leader,
        cx: &mut Cx<'_>,
    ) -> Progress {
        self.attempted = Some(Box::new(leader));
        if self.terms.mode == Mode::Shared {
            let (generation, own) = (self.token.generation, self.ballot().own);
            let mode = ModeBlock { flags: ModeBlock::SHARED, generation };
            let mut block = HostBlock { flags: own.flags | HostBlock::RELEASED, mode, ..own };
            if cx.config.mutated(Mutant::B03a) {
                block = HostBlock { flags: block.flags, mode, ..HostBlock::default() };
            }
            self.ballot().own = block;
            let io = self.start_block_write(worker, &block, cx);
            self.step = Step::Share(io);
            return Ok(());
        }
        let mut left: Vec<HostId> = self.ballot().shared.iter().copied().collect();
        left.reverse();
        self.next_other(worker, lockspace, left, false, cx)
    }

    // Exclusive: who shares?

    fn next_other(
        &mut self,
        worker: Task,
        lockspace: Option<&Lockspace>,
        mut left: Vec<HostId>,
        alive: bool,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let Some(host) = left.pop() else {
            if alive {
                cx.rare(Rare::SharedHolderAlive);
                return self.give_back(Refusal::Again, cx);
            }
            return self.alone(worker, cx);
        };
        if lockspace.is_none() {
            return self.give_back(Refusal::AcquireLockspace, cx);
        }
        let io = cx.start(worker, self.read_block_of(host), self.token.timeout());
        let others = Others { host, left, generation: None, clearing: false, alive };
        self.step = Step::Others(Box::new(others), io);
        Ok(())
    }

    fn read_block_of(&self, host: HostId) -> Op {
        let offset = self.token.place.offset + self.token.geometry.block_offset(host);
        Op::read(self.token.place.disk, offset, self.token.sector())
    }

    /// The block or the delta lease of another shared holder was read, or its block cleared.
    pub(super) fn other_read(
        &mut self,
        worker: Task,
        lockspace: Option<&Lockspace>,
        mut others: Box<Others>,
        ended: Ended,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let data = match ended {
            Ok(data) => data,
            Err(why) => return self.give_back(why, cx),
        };
        let Some(lockspace) = lockspace else { return self.give_back(Refusal::AcquireLockspace, cx) };
        let (host, alive) = (others.host, others.alive);
        if others.clearing {
            return self.next_other(worker, Some(lockspace), others.left, alive, cx);
        }
        let dead = match others.generation {
            None => {
                let mode = HostBlock::peek(&data.sector_at(0, self.token.geometry.sector())).1.mode;
                if !mode.shared() || mode.generation == Generation(0) {
                    return self.next_other(worker, Some(lockspace), others.left, alive, cx);
                }
                match cx.config.profile.shared_liveness {
                    SharedLiveness::Table => {
                        let own = self.token.io_timeout;
                        lockspace.table.says_dead(cx.now.second(), host, mode.generation, own, cx.config)
                    }
                    SharedLiveness::DeltaLease => {
                        let offset = lockspace.place.offset + lockspace.geometry.delta_offset(host);
                        let op = Op::read(lockspace.place.disk, offset, u64::from(lockspace.geometry.sector()));
                        let io = cx.start(worker, op, self.token.timeout());
                        others.generation = Some(mode.generation);
                        self.step = Step::Others(others, io);
                        return Ok(());
                    }
                }
            }
            Some(generation) => {
                let sector = data.sector_at(0, lockspace.geometry.sector());
                match DeltaLease::read(&sector, &lockspace.name) {
                    Ok(record) => self.is_over(&record, host, generation, lockspace, cx),
                    Err(why) => return self.give_back(why, cx),
                }
            }
        };
        if !dead {
            return self.next_other(worker, Some(lockspace), others.left, true, cx);
        }
        cx.rare(Rare::SharedHolderDead);
        if cx.config.profile.dead_shared == DeadShared::PassedOver {
            return self.next_other(worker, Some(lockspace), others.left, alive, cx);
        }
        let offset = self.token.place.offset + self.token.geometry.block_offset(host);
        let kind = SectorKind::HostBlock(host);
        let op = Op::write(self.token.place.disk, offset, self.token.sector(), kind, Arc::default());
        let io = cx.start(worker, op, self.token.timeout());
        others.clearing = true;
        self.step = Step::Others(others, io);
        Ok(())
    }

    /// Whether an instance can hold nothing any more, by its delta lease as it was just read. One that only does not
    /// renew is dead when it was seen so for long enough: its watchdog must have fired.
    fn is_over(
        &self,
        record: &DeltaLease,
        host: HostId,
        generation: Generation,
        lockspace: &Lockspace,
        cx: &Cx<'_>,
    ) -> bool {
        if record.timestamp.is_free() || record.owner_id != host || record.owner_generation > generation {
            return true;
        }
        let seen = lockspace.table.host(host).filter(|entry| {
            entry.last_live != Second::NEVER
                && (entry.owner_id, entry.owner_generation, entry.timestamp)
                    == (record.owner_id, record.owner_generation, record.timestamp)
                && entry.owner_generation == generation
        });
        seen.is_some_and(|entry| {
            let io_timeout = entry.io_timeout.max(u64::from(record.io_timeout));
            let io_timeout = if io_timeout == 0 { self.token.io_timeout } else { io_timeout };
            cx.now.second().since(entry.last_live) > cx.config.dead_age(io_timeout)
        })
    }

    /// The lease was won and cannot be used: it is given back before the acquire fails.
    fn give_back(&mut self, why: Refusal, cx: &Cx<'_>) -> Progress {
        let own = self.ballot().own;
        let block = match (&self.converts, cx.config.profile.convert_undo) {
            (Some(_), ConvertUndo::LeaderOnly) => None,
            _ => Some(HostBlock { flags: own.flags | HostBlock::RELEASED, ..own }),
        };
        let release = Release::new(self.token.clone(), block, self.attempted.take());
        Err(Finished::Retracting(why, Box::new(release)))
    }

    /// Nobody else holds it.
    fn alone(&mut self, worker: Task, cx: &mut Cx<'_>) -> Progress {
        if self.converts.is_none() {
            return self.read_lvb(worker, cx);
        }
        let own = self.ballot().own;
        let mode = if cx.config.mutated(Mutant::B02c) { own.mode } else { ModeBlock::default() };
        let block = HostBlock { flags: 0, mode, ..own };
        self.ballot().own = block;
        let io = self.start_block_write(worker, &block, cx);
        self.step = Step::Unshare(io);
        Ok(())
    }

    // Shared.

    /// SHARED was written into the own block.
    pub(super) fn shared(&mut self, worker: Task, ended: Ended, cx: &mut Cx<'_>) -> Progress {
        if let Err(why) = ended {
            return self.unshare(why, cx);
        }
        let wiped = cx.config.mutated(Mutant::B02a).then(HostBlock::default);
        let mut release = Box::new(Release::new(self.token.clone(), wiped, self.attempted.clone()));
        release.start(worker, cx);
        self.step = Step::ShareFree(release);
        Ok(())
    }

    pub(super) fn share_freed(
        &mut self,
        worker: Task,
        mut release: Box<Release>,
        ended: Ended,
        cx: &mut Cx<'_>,
    ) -> Progress {
        match release.io_done(worker, ended, cx) {
            None => {
                self.step = Step::ShareFree(release);
                Ok(())
            }
            Some(Released::Done(Ok(()))) => self.read_lvb(worker, cx),
            Some(Released::Done(Err(why)) | Released::Again(why)) => self.unshare(why, cx),
        }
    }

    fn unshare(&mut self, why: Refusal, cx: &Cx<'_>) -> Progress {
        if cx.config.mutated(Mutant::B56b) {
            return Err(Finished::Refused(why));
        }
        let mut block = HostBlock { mode: ModeBlock::default(), ..self.ballot().own };
        if cx.config.mutated(Mutant::B51b3) {
            block.flags &= !HostBlock::RELEASED;
        }
        let release = Release::new(self.token.clone(), Some(block), self.attempted.take());
        Err(Finished::Retracting(why, Box::new(release)))
    }

    /// Fails because another host has the lease; but a shared acquire tries again if that is only for the moment.
    pub(super) fn fail_or_retry(&mut self, worker: Task, why: Refusal, cx: &mut Cx<'_>) -> Progress {
        let gives_up = cx.config.mutated(Mutant::B56a);
        if self.terms.mode != Mode::Shared || !self.found().short_hold() || gives_up {
            return self.fail(why, cx);
        }
        if self.shared_retries >= cx.config.parameters.shared_retries {
            return self.fail(Refusal::AcquireShRetry, cx);
        }
        self.shared_retries += 1;
        cx.rare(Rare::ShortHoldMet);
        cx.wake_within(worker, cx.now, cx.now.after(SHARED_PAUSE_MAX));
        self.step = Step::ShareRetry;
        Ok(())
    }

    // Ends.

    pub(super) fn read_lvb(&mut self, worker: Task, cx: &mut Cx<'_>) -> Progress {
        if !self.terms.lvb {
            return self.finish(None);
        }
        let offset = self.token.place.offset + self.token.geometry.lvb_offset();
        let op = Op::read_after(self.token.place.disk, offset, self.token.sector(), offset);
        let io = cx.start(worker, op, self.token.timeout());
        self.step = Step::Lvb(io);
        Ok(())
    }

    /// "Failure logged only" in 3.8.5, which hands nothing on then.
    pub(super) fn lvb_read(&mut self, ended: Ended, cx: &Cx<'_>) -> Progress {
        if let (Err(why), LvbRead::Required) = (&ended, cx.config.profile.lvb_read) {
            return match self.terms.mode {
                Mode::Exclusive => self.give_back(*why, cx),
                Mode::Shared => self.unshare(*why, cx),
            };
        }
        let size = self.token.geometry.sector();
        let value = ended.map_or_else(|_| Arc::default(), |data| trimmed(&data.sector_at(0, size)));
        self.finish(Some(Lvb { value, dirty: false }))
    }

    pub(super) fn finish(&mut self, lvb: Option<Lvb>) -> Progress {
        let block = self.ballot().own;
        let lvb = match &mut self.converts {
            Some(shared) => shared.lvb.take(),
            None => lvb,
        };
        let leader = *self.attempted.take().expect("it was won");
        let (token, mode) = (self.token.clone(), self.terms.mode);
        Err(Finished::Won(Box::new(Won { token, leader, block, mode, lvb, erase: false })))
    }

    // A conversion that failed.

    /// A conversion's withdrawal did not get through. The hold goes on meanwhile, so nobody else may do it.
    pub(super) fn undo_later(
        &mut self,
        worker: Task,
        release: Box<Release>,
        why: Refusal,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let tries = self.shared_retries;
        if cx.config.profile.convert_undo == ConvertUndo::LeaderOnly && tries >= UNDO_TRIES {
            return Err(Finished::Stuck(why));
        }
        self.shared_retries = tries.saturating_add(1).min(UNDO_TRIES);
        cx.rare(Rare::ConversionUndone);
        let due = cx.now.after(self.token.timeout());
        cx.wake_at(worker, due);
        self.step = Step::UndoLater(release, why, due);
        Ok(())
    }

    pub(super) fn undo_again(
        &mut self,
        worker: Task,
        mut release: Box<Release>,
        why: Refusal,
        due: Time,
        cx: &mut Cx<'_>,
    ) {
        if cx.now < due {
            cx.wake_at(worker, due);
            self.step = Step::UndoLater(release, why, due);
            return;
        }
        release.start(worker, cx);
        self.step = Step::Undo(release, why);
    }
}

impl Won {
    /// The own block was written, or may have been.
    pub(super) fn remember(&mut self, block: &HostBlock, profile: &Profile) {
        if profile.failed_convert == FailedConvert::LastBlock {
            self.block = *block;
        }
    }
}

impl Table {
    /// `host_live` of delta-lease §5, turned round: by what was seen of all hosts lately, however long ago that is.
    fn says_dead(&self, now: Second, host: HostId, generation: Generation, own: u64, config: &Config) -> bool {
        let Some(entry) = self.host(host).filter(|_| self.last_check != Second::NEVER) else { return false };
        if entry.timestamp.is_free() || entry.owner_generation > generation {
            return true;
        }
        let since = if entry.last_live == Second::NEVER { self.first_check } else { entry.last_live };
        let io_timeout = if entry.io_timeout == 0 { own } else { entry.io_timeout };
        now.since(since) > config.dead_age(io_timeout)
    }
}

/// From exclusive to shared: the LVB if it was changed, the own block with RELEASED and SHARED, then the leader.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Downgrade {
    pub(super) request: RequestId,
    pub(super) client: ClientId,
    /// The client exited while this was running.
    pub(super) client_gone: bool,
    pub(super) release: Release,
    tries: u64,
    /// When it is tried again.
    pause: Option<Time>,
}

/// How a downgrade ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Downgraded {
    Shared,
    /// As before, if it is true what this says.
    StillExclusive(Refusal),
    /// Refused, and the release has to look after the leader (ERASE_ALL).
    Unclear(Refusal),
}

impl Downgrade {
    pub(super) fn new(request: RequestId, client: ClientId, won: &Won, profile: &Profile) -> Downgrade {
        let mode = ModeBlock { flags: ModeBlock::SHARED, generation: won.token.generation };
        let before = if profile.mutated(Mutant::B03b) { HostBlock::default() } else { won.block };
        let block = HostBlock { flags: before.flags | HostBlock::RELEASED, mode, ..before };
        let dirty = won.lvb.as_ref().filter(|lvb| lvb.dirty).map(|lvb| lvb.value.clone());
        let release = Release::new(won.token.clone(), Some(block), Some(Box::new(won.leader.clone())));
        let release = release.handing_on(dirty).strictly();
        Downgrade { request, client, client_gone: false, release, tries: 0, pause: None }
    }

    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        self.release.running_mut()
    }

    /// The block that says SHARED.
    pub(super) fn block(&self) -> HostBlock {
        *self.release.block().expect("a downgrade writes the own block")
    }

    /// The lockspace is failing. What stands on disk by now is not known; that the client is the only one must not be
    /// said any more.
    pub(super) fn cut_short(&self, profile: &Profile) -> Downgraded {
        match profile.convert_down {
            ConvertDown::Reported => Downgraded::StillExclusive(Refusal::LockspaceFailing),
            ConvertDown::Completed => Downgraded::Shared,
        }
    }

    pub(super) fn start(&mut self, worker: Task, cx: &mut Cx<'_>) {
        self.pause = None;
        self.release.start(worker, cx);
    }

    /// Moves on by one completion or wake.
    pub(super) fn advance(&mut self, worker: Task, ended: Option<Ended>, cx: &mut Cx<'_>) -> Option<Downgraded> {
        if let Some(due) = self.pause {
            if cx.now < due {
                cx.wake_at(worker, due);
            } else {
                self.start(worker, cx);
            }
            return None;
        }
        let completes = cx.config.profile.convert_down == ConvertDown::Completed;
        let at_leader = self.release.is_at_leader();
        match self.release.io_done(worker, ended?, cx)? {
            Released::Done(Ok(())) => Some(Downgraded::Shared),
            // Another host moved the leader on, which SHARED allows.
            Released::Done(Err(why)) if completes && !why.is_io() => Some(Downgraded::Shared),
            Released::Done(Err(why)) if !completes => Some(Downgraded::Unclear(why)),
            Released::Again(why) if !completes && !at_leader => Some(Downgraded::StillExclusive(why)),
            // "Up to N more tries, sleeping 1, 2, 3 … s."
            Released::Again(why) if !completes && self.tries >= self.release.token.io_timeout => {
                Some(Downgraded::Unclear(why))
            }
            Released::Again(_) | Released::Done(Err(_)) => {
                self.tries += 1;
                cx.rare(Rare::DowngradeRepeated);
                let seconds = if completes { self.release.token.io_timeout } else { self.tries };
                let due = cx.now.after(Span::from_secs(seconds));
                cx.wake_at(worker, due);
                self.pause = Some(due);
                None
            }
        }
    }
}

impl Visit for Downgrade {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.release.visit(numbers);
        if let Some(due) = &mut self.pause {
            numbers.time(due);
        }
    }
}
