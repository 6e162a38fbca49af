//! Acquiring a resource: look, wait for the owner, ballot, commit (paxos-lease §2–§5), and the same for a shared hold
//! that is to become exclusive.
//!
//! A state machine over one I/O at a time. What decides a ballot stands in [`super::ballot`], and what comes after a
//! ballot was won, because others share or because the hold is to be shared, in [`super::shared`].

mod numbers;

use super::ballot::{self, Ballot, Verdict};
use super::forget::LONG_AGO;
use super::io::{Cx, Ended, Op, Running};
use super::lockspace::Lockspace;
use super::observe::Observed;
use super::release::{Release, Released};
use super::resource::Token;
use super::shared::Others;
use crate::Refusal;
use crate::format::{DeltaLease, Geometry, HostBlock, Leader, ModeBlock, SectorKind};
use crate::mutants::Mutant;
use crate::numbers::{Lver, Mbal, Second, Span, Stamp, Time};
use crate::profile::{
    Config, ConvertUndo, FailingAcquire, LvbPlace, OwnVote, OwnerIoTimeout, Profile, RegressedLeader, ResourceSizes,
    Retract, SharedFailure,
};
use crate::seam::{ClientId, Event, Mode, Rare, RequestId, Takeable, Task, Terms};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// Between two looks at an owner that may be dead (paxos-lease §3).
const OWNER_PAUSE: Span = Span::SECOND;
/// The longest back-off after an aborted ballot; the shortest is none.
const BACK_OFF_MAX: Span = Span::SECOND;

/// A successful acquire: what a later release needs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Won {
    pub(super) token: Token,
    /// The leader as it was committed.
    pub(super) leader: Leader,
    /// The own block as it was written last.
    pub(super) block: HostBlock,
    pub(super) mode: Mode,
    /// What is handed on from holder to holder, if the client asked for it.
    pub(super) lvb: Option<Lvb>,
    /// A conversion failed in a way that leaves the leader to be looked after at the release (ERASE_ALL).
    pub(super) erase: bool,
}

/// A copy of the LVB in memory.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Lvb {
    pub(super) value: Arc<[u8]>,
    /// It was set since it was read.
    pub(super) dirty: bool,
}

/// The command of a worker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Acquire {
    pub(super) request: RequestId,
    pub(super) client: ClientId,
    /// The client exited while this was running.
    pub(super) client_gone: bool,
    pub(super) token: Token,
    pub(super) terms: Terms,
    /// The shared hold that is to become exclusive. Its block is the own block as it was written last.
    pub(super) converts: Option<Box<Won>>,
    /// How often a shared acquire was tried again.
    pub(super) shared_retries: u8,
    /// The leader of the last look; `None` before the first.
    found: Option<Box<Leader>>,
    /// The ballots of this acquire, from the first look on.
    ballot: Option<Ballot>,
    /// A block of this acquire may stand on disk.
    balloted: bool,
    /// Phase 2 or the commit failed in its I/O, so the value may be chosen (RETRACT of paxos-lease §9).
    retract: bool,
    /// The leader that a failed commit tried to write, or that a ballot which was won left.
    pub(super) attempted: Option<Box<Leader>>,
    pub(super) step: Step,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Step {
    Look(Running),
    /// Reads the owner's delta lease; the wait for the owner goes on.
    Owner(Box<OwnerWait>, Running),
    Pause(Box<OwnerWait>, Time),
    /// Has the leader changed meanwhile?
    OwnerLeader(Box<OwnerWait>, Running),
    /// The owner is alive: has it released?
    OwnerBlock(Running),
    /// The check before each ballot.
    Leader(Running),
    Phase1Write(Running),
    Phase1Read(Running),
    Phase2Write(Running),
    Phase2Read(Running),
    Commit(Box<Leader>, Running),
    BackOff,
    /// The lease is won: reads the blocks and delta leases of those who said SHARED.
    Others(Box<Others>, Running),
    /// The lease is won: writes SHARED into the own block.
    Share(Running),
    /// SHARED stands: sets the leader free again.
    ShareFree(Box<Release>),
    /// A conversion is through: takes SHARED out of the own block.
    Unshare(Running),
    /// Reads what the holder before handed on.
    Lvb(Running),
    /// A shared acquire met a host that holds the lease for a moment only, and looks again later.
    ShareRetry,
    /// A conversion withdraws what it left; the next try comes then.
    UndoLater(Box<Release>, Refusal, Time),
    /// Withdraws what a failed acquire may have left, then fails with the reason.
    Undo(Box<Release>, Refusal),
}

/// What an acquire knows about an owner that may be dead. Taken once per look.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OwnerWait {
    /// When the owner was last seen alive, or when this wait began.
    since: Second,
    /// The stamp that it had then; `None` before the first look.
    stamp: Option<Stamp>,
    /// The observer's table, as far as it is about this very instance.
    seen: Option<Observed>,
    /// "At my most recent scan the timestamp had just changed."
    seen_alive_at_last_check: bool,
    /// io_timeout of the table entry, whatever generation it is of.
    table_io_timeout: u64,
    announced: bool,
}

/// How an acquire ended.
#[derive(Debug)]
pub(super) enum Finished {
    Won(Box<Won>),
    Refused(Refusal),
    /// A conversion was refused, and the leader that it won could not be set free.
    Stuck(Refusal),
    /// Refused, but something of it may stand on disk and is to be withdrawn first.
    Retracting(Refusal, Box<Release>),
    /// Refused, and the withdrawal goes on in the background.
    Undoing(Refusal, Box<Release>),
}

/// What moves an acquire on.
#[derive(Debug)]
pub(super) enum Stimulus {
    Io(Ended),
    Woken,
}

impl Stimulus {
    /// How the I/O ended that a command waits for, if it did: a command that is woken gives up what has had its time.
    pub(super) fn ended(self, running: Option<&mut Running>, cx: &mut Cx<'_>) -> Option<Ended> {
        match self {
            Stimulus::Io(ended) => Some(ended),
            Stimulus::Woken => cx.given_up(running?).map(Err),
        }
    }
}

pub(super) type Progress = Result<(), Finished>;

impl Acquire {
    pub(super) fn new(request: RequestId, client: ClientId, token: Token, terms: Terms) -> Acquire {
        Acquire {
            request,
            client,
            client_gone: false,
            token,
            terms,
            converts: None,
            shared_retries: 0,
            found: None,
            ballot: None,
            balloted: false,
            retract: false,
            attempted: None,
            step: Step::BackOff,
        }
    }

    /// For a shared hold that is to become exclusive.
    pub(super) fn converting(request: RequestId, client: ClientId, won: Won, nowait: bool) -> Acquire {
        let terms = Terms { nowait, ..Terms::default() };
        let mut acquire = Acquire::new(request, client, won.token.clone(), terms);
        acquire.converts = Some(Box::new(won));
        acquire
    }

    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.step {
            Step::Look(io)
            | Step::Owner(_, io)
            | Step::OwnerLeader(_, io)
            | Step::OwnerBlock(io)
            | Step::Leader(io)
            | Step::Phase1Write(io)
            | Step::Phase1Read(io)
            | Step::Phase2Write(io)
            | Step::Phase2Read(io)
            | Step::Commit(_, io)
            | Step::Others(_, io)
            | Step::Share(io)
            | Step::Unshare(io)
            | Step::Lvb(io) => Some(io),
            Step::Undo(release, _) | Step::ShareFree(release) => release.running_mut(),
            Step::Pause(..) | Step::BackOff | Step::ShareRetry | Step::UndoLater(..) => None,
        }
    }

    /// RESTART: looks at everything anew.
    pub(super) fn look(&mut self, worker: Task, cx: &mut Cx<'_>) {
        let (disk, offset) = (self.token.place.disk, self.token.place.offset);
        // Our own last block must stand there before we look, or we would misjudge what we have promised.
        let op = Op::read_after(disk, offset, self.token.geometry.align(), self.token.block_offset());
        self.step = Step::Look(cx.start(worker, op, self.token.timeout()));
    }

    /// Whether it goes on with its I/O although its lockspace is failing.
    pub(super) fn goes_on(&self, config: &Config) -> bool {
        config.profile.failing_acquire == FailingAcquire::RollsBack
            && !matches!(self.step, Step::Undo(..) | Step::UndoLater(..))
    }

    /// Withdraws what may stand on disk, before failing with `why`.
    pub(super) fn undo(&mut self, worker: Task, why: Refusal, mut release: Box<Release>, cx: &mut Cx<'_>) {
        cx.event(Event::Retracting);
        if let (Some(shared), Some(block)) = (&mut self.converts, release.block()) {
            shared.remember(block, &cx.config.profile);
        }
        release.start(worker, cx);
        // Nothing that was found decides anything any more.
        (self.found, self.ballot, self.attempted) = (None, None, None);
        self.step = Step::Undo(release, why);
    }

    /// Moves on by one completion or wake. `lives`: the instance that the token is of still has its lockspace.
    pub(super) fn advance(
        &mut self,
        worker: u8,
        lockspace: Option<&Lockspace>,
        lives: bool,
        stimulus: Stimulus,
        cx: &mut Cx<'_>,
    ) -> Option<Finished> {
        let ended = match stimulus {
            Stimulus::Io(ended) => Some(ended),
            Stimulus::Woken => match self.running_mut().cloned() {
                Some(running) => match cx.given_up(&running) {
                    Some(why) => Some(Err(why)),
                    None => return None,
                },
                None => None,
            },
        };
        if !lives {
            // "Unless the lockspace is dead": what a dead instance left is for others to take over.
            if let Step::Undo(_, why) | Step::UndoLater(_, why, ..) = self.step {
                return Some(Finished::Refused(why));
            }
            if !self.goes_on(cx.config) {
                cx.rare(Rare::AcquireDropped);
                return Some(Finished::Refused(Refusal::LockspaceFailing));
            }
        }
        let step = core::mem::replace(&mut self.step, Step::BackOff);
        self.step(worker, lockspace, step, ended, cx).err()
    }

    fn step(
        &mut self,
        worker: u8,
        lockspace: Option<&Lockspace>,
        step: Step,
        ended: Option<Ended>,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let task = Task::Worker(worker);
        match (step, ended) {
            (Step::Look(_), Some(ended)) => self.looked(worker, lockspace, ended, cx),
            (Step::Owner(wait, io), Some(ended)) => {
                let ended = cx.unless_late(&io, ended);
                self.owner_read(worker, lockspace, wait, ended, cx)
            }
            (Step::Pause(wait, due), None) => {
                if cx.now < due {
                    cx.wake_at(task, due);
                    self.step = Step::Pause(wait, due);
                    return Ok(());
                }
                let io = self.start_leader_read(task, cx);
                self.step = Step::OwnerLeader(wait, io);
                Ok(())
            }
            (Step::OwnerLeader(wait, _), Some(ended)) => {
                let leader = match ended.and_then(|data| self.token.read_leader(&data)) {
                    Ok(leader) => leader,
                    Err(why) => return self.fail(why, cx),
                };
                if Some(&leader) != self.found.as_deref() {
                    cx.rare(Rare::LeaderChangedInWait);
                    cx.event(Event::Restarted { worker });
                    self.look(task, cx);
                    return Ok(());
                }
                self.read_owner(task, lockspace, wait, cx)
            }
            (Step::OwnerBlock(_), Some(ended)) => {
                if self.owner_has_released(ended, &cx.config.profile) {
                    cx.rare(Rare::OwnerReleasedByFlag);
                    self.run(worker, Takeable::Released, false, cx)
                } else {
                    self.fail_or_retry(task, Refusal::AcquireIdLive, cx)
                }
            }
            (Step::Leader(_), Some(ended)) => match ended.and_then(|data| self.token.read_leader(&data)) {
                Ok(leader) => self.check_leader(worker, lockspace, leader, cx),
                Err(why) => self.fail(why, cx),
            },
            (Step::Phase1Write(_), Some(ended)) => match ended {
                Ok(_) => {
                    let io = self.start_ballot_read(task, cx);
                    self.step = Step::Phase1Read(io);
                    Ok(())
                }
                Err(_) => self.fail(Refusal::DblockWrite, cx),
            },
            (Step::Phase1Read(_), Some(ended)) => {
                let Ok(area) = ended else { return self.fail(Refusal::DblockRead, cx) };
                let (size, hosts) = (self.token.geometry.sector(), self.found().num_hosts);
                match self.ballot().phase1_read(&cx.config.profile, &area, size, hosts) {
                    Ok(best) => {
                        if best.is_some_and(|best| best.inp != self.token.host) {
                            cx.rare(Rare::AdoptedOther);
                        }
                        let block = self.ballot().phase2(&cx.config.profile, best, cx.now.second());
                        let io = self.start_block_write(task, &block, cx);
                        self.step = Step::Phase2Write(io);
                        Ok(())
                    }
                    Err(why) => {
                        cx.rare(Rare::AbortedInPhase1);
                        self.aborted(worker, why, cx)
                    }
                }
            }
            (Step::Phase2Write(_), Some(ended)) => match ended {
                Ok(_) => {
                    self.ballot().may_still_claim = false;
                    let io = self.start_ballot_read(task, cx);
                    self.step = Step::Phase2Read(io);
                    Ok(())
                }
                Err(_) => {
                    cx.rare(Rare::VoteUnknown);
                    self.retract = true;
                    self.fail(Refusal::DblockWrite, cx)
                }
            },
            (Step::Phase2Read(_), Some(ended)) => {
                let Ok(area) = ended else {
                    cx.rare(Rare::VoteUnknown);
                    self.retract = true;
                    return self.fail(Refusal::DblockRead, cx);
                };
                let (size, hosts) = (self.token.geometry.sector(), self.found().num_hosts);
                match self.ballot().phase2_read(&cx.config.profile, &area, size, hosts) {
                    Ok(()) => {
                        let found = self.found().clone();
                        let (mode, num_hosts) = (self.terms.mode, self.terms.num_hosts);
                        let mut leader = self.ballot().commit(&cx.config.profile, &found, mode, cx.now.second());
                        if num_hosts != 0 {
                            leader.num_hosts = num_hosts;
                        }
                        let (lver, owner, generation) = (leader.lver, leader.owner_id, leader.owner_generation);
                        cx.event(Event::Chosen { worker, lver, owner, generation });
                        let (disk, offset) = (self.token.place.disk, self.token.place.offset);
                        let op = Op::write(disk, offset, self.token.sector(), SectorKind::Leader, leader.sector());
                        let io = cx.start(task, op, self.token.timeout());
                        self.step = Step::Commit(Box::new(leader), io);
                        Ok(())
                    }
                    Err(why) => {
                        cx.rare(Rare::AbortedInPhase2);
                        self.aborted(worker, why, cx)
                    }
                }
            }
            (Step::Commit(leader, _), Some(ended)) => match ended {
                Ok(_) => match self.ballot().judge(&cx.config.profile, &leader) {
                    Verdict::Mine => self.won(task, lockspace, *leader, cx),
                    Verdict::MineButOver => {
                        cx.rare(Rare::GivenUpVoteWon);
                        cx.event(Event::Restarted { worker });
                        self.look(task, cx);
                        Ok(())
                    }
                    Verdict::Other => {
                        self.found = Some(leader);
                        self.fail_or_retry(task, Refusal::AcquireOther, cx)
                    }
                },
                Err(why) => {
                    cx.rare(Rare::CommitUnknown);
                    self.retract = true;
                    self.attempted = Some(leader);
                    self.fail(why, cx)
                }
            },
            (Step::BackOff, None) if cx.config.mutated(Mutant::B26b) => {
                let leader = self.found().clone();
                self.check_leader(worker, lockspace, leader, cx)
            }
            (Step::BackOff, None) => {
                let io = self.start_leader_read(task, cx);
                self.step = Step::Leader(io);
                Ok(())
            }
            (Step::Others(others, io), Some(ended)) => {
                let ended = cx.unless_late(&io, ended);
                self.other_read(task, lockspace, others, ended, cx)
            }
            (Step::Share(_), Some(ended)) => self.shared(task, ended, cx),
            (Step::ShareFree(release), Some(ended)) => self.share_freed(task, release, ended, cx),
            // "Failure logged only."
            (Step::Unshare(_), Some(_)) => self.read_lvb(task, cx),
            (Step::Lvb(_), Some(ended)) => self.lvb_read(ended, cx),
            (Step::ShareRetry, None) => {
                self.look(task, cx);
                Ok(())
            }
            (Step::UndoLater(release, why, due), None) => {
                self.undo_again(task, release, why, due, cx);
                Ok(())
            }
            (Step::Undo(mut release, why), Some(ended)) => match release.io_done(task, ended, cx) {
                None => {
                    self.step = Step::Undo(release, why);
                    Ok(())
                }
                // Where the block came first, an error says that others have moved the leader on.
                Some(Released::Done(Err(_)))
                    if self.converts.is_some() && cx.config.profile.convert_undo == ConvertUndo::LeaderOnly =>
                {
                    Err(Finished::Stuck(why))
                }
                Some(Released::Done(_)) => Err(Finished::Refused(why)),
                Some(Released::Again(_)) if self.converts.is_some() => self.undo_later(task, release, why, cx),
                Some(Released::Again(_)) => {
                    cx.rare(Rare::RetractInBackground);
                    Err(Finished::Undoing(why, release))
                }
            },
            (step, ended) => unreachable!("{step:?} is not moved by {ended:?}"),
        }
    }

    pub(super) fn found(&self) -> &Leader {
        self.found.as_deref().expect("the look came first")
    }

    pub(super) fn ballot(&mut self) -> &mut Ballot {
        self.ballot.as_mut().expect("the look came first")
    }

    fn start_leader_read(&self, worker: Task, cx: &mut Cx<'_>) -> Running {
        let op = Op::read(self.token.place.disk, self.token.place.offset, self.token.sector());
        cx.start(worker, op, self.token.timeout())
    }

    fn start_ballot_read(&self, worker: Task, cx: &mut Cx<'_>) -> Running {
        let length = self.token.geometry.ballot_length(self.found().num_hosts);
        cx.start(worker, Op::read(self.token.place.disk, self.token.place.offset, length), self.token.timeout())
    }

    pub(super) fn start_block_write(&mut self, worker: Task, block: &HostBlock, cx: &mut Cx<'_>) -> Running {
        if let Some(shared) = &mut self.converts {
            shared.remember(block, &cx.config.profile);
        }
        let op = Op::write(
            self.token.place.disk,
            self.token.block_offset(),
            self.token.sector(),
            self.token.block_kind(),
            block.sector(),
        );
        cx.start(worker, op, self.token.timeout())
    }

    // Look.

    /// Looks again, with the sizes that the leader tells.
    fn look_with(&mut self, told: Geometry, worker: Task, cx: &mut Cx<'_>) -> Progress {
        cx.rare(Rare::GeometryRestart);
        self.token.geometry = told;
        if self.terms.lvb && !told.lvb_fits() && cx.config.profile.lvb_place == LvbPlace::Inside {
            return self.fail(Refusal::Invalid, cx);
        }
        self.look(worker, cx);
        Ok(())
    }

    fn looked(&mut self, worker: u8, lockspace: Option<&Lockspace>, ended: Ended, cx: &mut Cx<'_>) -> Progress {
        let task = Task::Worker(worker);
        let read = ended.and_then(|data| Ok((self.token.read_leader(&data)?, data)));
        let (leader, data) = match read {
            Ok(read) => read,
            Err(why) => return self.fail(why, cx),
        };
        let other_sizes = match Geometry::from_leader(leader.sector_size, leader.flags) {
            Ok(told) => (told != self.token.geometry && !cx.config.mutated(Mutant::B34)).then_some(told),
            Err(why) => return self.fail(why, cx),
        };
        if let (Some(told), ResourceSizes::First) = (other_sizes, cx.config.profile.resource_sizes) {
            return self.look_with(told, task, cx);
        }
        let looked = match ballot::look(&data, self.token.geometry.sector(), leader.num_hosts, self.token.host) {
            Ok(looked) => looked,
            Err(why) => {
                cx.rare(Rare::DamagedBlock);
                return self.fail(why, cx);
            }
        };
        if let Some(told) = other_sizes {
            return self.look_with(told, task, cx);
        }
        if self.terms.lver != Lver(0) && leader.lver != self.terms.lver {
            return self.fail(Refusal::AcquireLver, cx);
        }
        let profile = cx.config.profile;
        let (lver, overruled) = ballot::version(&profile, &leader, &looked);
        let mbal = ballot::first_mbal(&profile, looked.max_mbal, self.token.host, leader.max_hosts);
        let (me, generation) = (self.token.host, self.token.generation);
        let seen = self.ballot.take().map(|before| before.shared);
        let mut ballot = Ballot::new(me, generation, lver, mbal, looked.own, &profile);
        ballot.shared = seen.unwrap_or_default();
        if self.converts.is_some() && !profile.mutated(Mutant::B02b) {
            ballot.mode = ModeBlock { flags: ModeBlock::SHARED, generation };
        }
        self.ballot = Some(ballot);
        self.balloted = false;
        self.found = Some(Box::new(leader.clone()));
        if cx.config.mutated(Mutant::Null1) {
            self.attempted = Some(Box::new(leader));
            return self.finish(None);
        }
        let takeable = if overruled {
            cx.rare(Rare::LeaderOverruled);
            Some(Takeable::LeaderRegressed)
        } else if leader.timestamp.is_free() {
            Some(Takeable::Free)
        } else if leader.owner_id == me && leader.owner_generation == generation {
            Some(Takeable::Mine)
        } else if leader.owner_id == me && leader.owner_generation < generation {
            Some(Takeable::MyEarlierLife)
        } else {
            None
        };
        if let Some(because) = takeable {
            return self.run(worker, because, true, cx);
        }
        let Some(lockspace) = lockspace else { return self.fail(Refusal::AcquireLockspace, cx) };
        let wait = OwnerWait::new(lockspace, &leader, cx);
        let believed_dead = || cx.now.second().since(wait.since) > cx.config.dead_age(wait.table_io_timeout);
        if cx.config.mutated(Mutant::B64a) && believed_dead() {
            return self.run(worker, Takeable::OwnerDead, true, cx);
        }
        self.read_owner(task, Some(lockspace), Box::new(wait), cx)
    }

    // The owner.

    fn read_owner(
        &mut self,
        worker: Task,
        lockspace: Option<&Lockspace>,
        wait: Box<OwnerWait>,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let Some(lockspace) = lockspace else { return self.fail(Refusal::AcquireLockspace, cx) };
        let offset = lockspace.place.offset + lockspace.geometry.delta_offset(self.found().owner_id);
        let op = Op::read(lockspace.place.disk, offset, u64::from(lockspace.geometry.sector()));
        let io = cx.start(worker, op, self.token.timeout());
        self.step = Step::Owner(wait, io);
        Ok(())
    }

    fn owner_read(
        &mut self,
        worker: u8,
        lockspace: Option<&Lockspace>,
        mut wait: Box<OwnerWait>,
        ended: Ended,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let task = Task::Worker(worker);
        let Some(lockspace) = lockspace else { return self.fail(Refusal::AcquireLockspace, cx) };
        let record =
            ended.and_then(|data| DeltaLease::read(&data.sector_at(0, lockspace.geometry.sector()), &lockspace.name));
        let record = match record {
            Ok(record) => record,
            Err(why) => return self.fail(why, cx),
        };
        let (owner, generation) = (self.found().owner_id, self.found().owner_generation);
        if record.timestamp.is_free() {
            return self.run(worker, Takeable::OwnerLeft, false, cx);
        }
        if record.owner_id != owner || record.owner_generation > generation {
            return self.run(worker, Takeable::OwnerRejoined, false, cx);
        }
        let first_sight = wait.stamp.is_none();
        match wait.stamp {
            // "First sight: no live/dead decision."
            None => wait.stamp = Some(record.timestamp),
            Some(stamp) => {
                if record.timestamp != stamp || wait.seen_alive_at_last_check {
                    return self.owner_alive(task, cx);
                }
                let since = if cx.config.mutated(Mutant::B06) { Second(record.timestamp.0) } else { wait.since };
                if cx.now.second().since(since) > wait.dead_age(&record, &self.token, cx) {
                    return self.run(worker, Takeable::OwnerDead, false, cx);
                }
            }
        }
        if self.terms.nowait && !first_sight {
            return self.fail(Refusal::AcquireOwnedRetry, cx);
        }
        if !wait.announced {
            wait.announced = true;
            cx.event(Event::OwnerWait { worker, owner, generation });
        }
        let due = cx.now.after(OWNER_PAUSE);
        cx.wake_at(task, due);
        self.step = Step::Pause(wait, due);
        Ok(())
    }

    fn owner_alive(&mut self, worker: Task, cx: &mut Cx<'_>) -> Progress {
        let (owner, writer) = (self.found().owner_id, self.found().write_id);
        if writer == owner || cx.config.mutated(Mutant::B51a) {
            return self.fail_or_retry(worker, Refusal::AcquireIdLive, cx);
        }
        let offset = self.token.place.offset + self.token.geometry.block_offset(owner);
        let io = cx.start(worker, Op::read(self.token.place.disk, offset, self.token.sector()), self.token.timeout());
        self.step = Step::OwnerBlock(io);
        Ok(())
    }

    /// RELEASED in the owner's block. Only a flag of the leader's own version, or of a later one, is about this
    /// ownership; 3.8.5 looks at neither version nor checksum.
    fn owner_has_released(&self, ended: Ended, profile: &Profile) -> bool {
        let Ok(data) = ended else { return false };
        let bytes = data.sector_at(0, self.token.geometry.sector());
        match profile.regressed_leader {
            RegressedLeader::Believed => HostBlock::peek(&bytes).1.released(),
            RegressedLeader::Overruled => {
                HostBlock::read(&bytes).is_ok_and(|block| block.released() && block.lver >= self.found().lver)
            }
        }
    }

    // Ballots.

    /// RUN: the lease may be taken. A leader that was read just now serves for the next check, too ("reuse").
    fn run(&mut self, worker: u8, because: Takeable, fresh: bool, cx: &mut Cx<'_>) -> Progress {
        let lver = self.ballot().lver;
        cx.event(Event::Run { worker, because, lver });
        if fresh {
            let leader = self.found().clone();
            return self.check_leader(worker, None, leader, cx);
        }
        let io = self.start_leader_read(Task::Worker(worker), cx);
        self.step = Step::Leader(io);
        Ok(())
    }

    /// RETRY: is the leader still the one that was judged?
    fn check_leader(&mut self, worker: u8, lockspace: Option<&Lockspace>, leader: Leader, cx: &mut Cx<'_>) -> Progress {
        let task = Task::Worker(worker);
        let next = self.ballot().lver;
        let (me, generation) = (self.token.host, self.token.generation);
        if leader.lver == next {
            let mine = (leader.owner_id, leader.owner_generation) == (me, generation);
            if !mine || cx.config.mutated(Mutant::B26d) {
                cx.rare(Rare::VersionTaken);
                self.found = Some(Box::new(leader));
                return self.fail_or_retry(task, Refusal::AcquireOwned, cx);
            }
            // "Our value was committed by somebody else." Which is only good news if it is the value of this very
            // acquire: with a block that says RELEASED, or none yet, it is one that was given up before.
            let ours = self.balloted && !self.ballot().own.released();
            if cx.config.profile.own_vote == OwnVote::Forgotten || ours {
                cx.rare(Rare::CommittedByOther);
                return self.won(task, lockspace, leader, cx);
            }
            cx.rare(Rare::GivenUpVoteWon);
        }
        let overlooked = if leader.lver > next { Mutant::B27a } else { Mutant::B27b };
        if Some(&leader) != self.found.as_deref() && !cx.config.mutated(overlooked) {
            cx.rare(Rare::LeaderChangedBeforeBallot);
            cx.event(Event::Restarted { worker });
            self.look(task, cx);
            return Ok(());
        }
        let profile = cx.config.profile;
        let (lver, mbal) = (next, self.ballot().mbal);
        cx.event(Event::Ballot { worker, lver, mbal });
        let block = self.ballot().phase1(&profile);
        if self.ballot().kept_vote() {
            cx.rare(Rare::KeptOwnVote);
        }
        self.balloted = true;
        let io = self.start_block_write(task, &block, cx);
        self.step = Step::Phase1Write(io);
        if profile.mutated(Mutant::B26h) && cx.io.give_up_all_of(task) {
            self.step = Step::Phase1Read(self.start_ballot_read(task, cx));
        }
        Ok(())
    }

    fn aborted(&mut self, worker: u8, why: Refusal, cx: &mut Cx<'_>) -> Progress {
        let task = Task::Worker(worker);
        if !matches!(why, Refusal::DblockLver | Refusal::DblockMbal) {
            cx.rare(Rare::DamagedBlock);
            return self.fail(why, cx);
        }
        if why == Refusal::DblockLver {
            cx.rare(Rare::BallotOvertaken);
        }
        cx.event(Event::BallotAborted { worker, why });
        let stride = self.found().max_hosts;
        let ballot = self.ballot();
        ballot.mbal = Mbal(ballot.mbal.0 + stride);
        cx.wake_within(task, cx.now, cx.now.after(BACK_OFF_MAX));
        self.step = Step::BackOff;
        Ok(())
    }

    // Ends.

    /// The acquire failed. What it may have left on disk is withdrawn first.
    pub(super) fn fail(&mut self, why: Refusal, cx: &Cx<'_>) -> Progress {
        let owned = matches!(
            why,
            Refusal::AcquireIdLive | Refusal::AcquireOwned | Refusal::AcquireOther | Refusal::AcquireShRetry
        );
        if owned && self.terms.mode == Mode::Shared && cx.config.profile.shared_failure == SharedFailure::Zeroed {
            // "The cleanup takes the normal shared release path."
            let block = HostBlock { flags: HostBlock::RELEASED, ..HostBlock::default() };
            let release = Release::new(self.token.clone(), Some(block), None).of_block_alone();
            return Err(Finished::Retracting(why, Box::new(release)));
        }
        if self.converts.is_some() && cx.config.profile.convert_undo == ConvertUndo::LeaderOnly {
            let release = self.retract.then(|| Release::new(self.token.clone(), None, self.attempted.take()));
            return Err(release.map_or(Finished::Refused(why), |release| Finished::Retracting(why, Box::new(release))));
        }
        Err(match self.block_to_retract(why, &cx.config.profile) {
            Some(block) => {
                let release = Release::new(self.token.clone(), Some(block), self.attempted.take());
                Finished::Retracting(why, Box::new(release))
            }
            None => match self.leader_to_free(&cx.config.profile) {
                Some(release) => Finished::Retracting(why, Box::new(release)),
                None => Finished::Refused(why),
            },
        })
    }

    /// The leader names this very instance, by a vote that it had given up: as long as it bore that version, its block
    /// said so. Once it has moved on to the next version, the leader is to be set free like any other.
    fn leader_to_free(&mut self, profile: &Profile) -> Option<Release> {
        let (found, ballot) = (self.found.as_ref()?, self.ballot.as_ref()?);
        let names_us = (found.owner_id, found.owner_generation) == (self.token.host, self.token.generation);
        if profile.retract == Retract::Zeroed || !self.balloted || !names_us || found.timestamp.is_free() {
            return None;
        }
        let block = HostBlock { flags: ballot.own.flags | HostBlock::RELEASED, ..ballot.own };
        Some(Release::new(self.token.clone(), Some(block), Some(found.clone())))
    }

    fn block_to_retract(&mut self, why: Refusal, profile: &Profile) -> Option<HostBlock> {
        match profile.retract {
            // "For a fresh acquire the stored copy was never filled in, so the sector becomes an all-zero dblock."
            Retract::Zeroed => self.retract.then_some(HostBlock { flags: HostBlock::RELEASED, ..HostBlock::default() }),
            Retract::VoteReleased => {
                let decided_for_another = matches!(why, Refusal::AcquireOwned | Refusal::AcquireOther);
                let ballot = self.ballot.as_ref()?;
                let undecided = ballot.own.lver > self.found.as_ref().map_or(Lver(0), |leader| leader.lver);
                let unsettled = !decided_for_another && (undecided || self.retract);
                if ballot.may_still_claim && unsettled {
                    // RELEASED belongs beside a vote of our own. This one is another's: once it stands, nothing is claimed.
                    return Some(ballot.own);
                }
                let open = ballot.may_be_chosen() && unsettled;
                let released = if profile.mutated(Mutant::B51b4) { 0 } else { HostBlock::RELEASED };
                open.then_some(HostBlock { flags: ballot.own.flags | released, ..ballot.own })
            }
        }
    }
}

impl OwnerWait {
    fn new(lockspace: &Lockspace, leader: &Leader, cx: &Cx<'_>) -> OwnerWait {
        let entry = lockspace.table.host(leader.owner_id);
        let about_this_instance = entry.filter(|entry| {
            lockspace.table.last_check != Second::NEVER
                && entry.last_live != Second::NEVER
                && (entry.owner_id, entry.owner_generation) == (leader.owner_id, leader.owner_generation)
        });
        let since = if cx.config.mutated(Mutant::B64b) { entry } else { about_this_instance };
        let since = since.filter(|entry| entry.last_live != Second::NEVER);
        OwnerWait {
            since: since.map_or(cx.now.second(), |entry| entry.last_live),
            stamp: about_this_instance.map(|entry| entry.timestamp),
            seen: about_this_instance.cloned(),
            seen_alive_at_last_check: entry
                .is_some_and(|entry| entry.last_live != Second::NEVER && entry.last_live == lockspace.table.last_check),
            table_io_timeout: entry.map_or(0, |entry| entry.io_timeout),
            announced: false,
        }
    }

    /// Knows nothing.
    const fn nothing() -> OwnerWait {
        OwnerWait {
            since: LONG_AGO,
            stamp: None,
            seen: None,
            seen_alive_at_last_check: false,
            table_io_timeout: 0,
            announced: false,
        }
    }

    /// Seconds without a sign of life after which this owner is dead.
    fn dead_age(&self, record: &DeltaLease, token: &Token, cx: &Cx<'_>) -> u64 {
        let or_own = |io_timeout: u64| if io_timeout == 0 { token.io_timeout } else { io_timeout };
        let io_timeout = match cx.config.profile.owner_io_timeout {
            OwnerIoTimeout::Table => or_own(self.table_io_timeout),
            OwnerIoTimeout::Largest => {
                let seen = self.seen.as_ref().map_or(0, |entry| entry.io_timeout);
                or_own(seen.max(u64::from(record.io_timeout)))
            }
        };
        cx.config.dead_age(io_timeout)
    }
}
