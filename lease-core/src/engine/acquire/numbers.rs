//! The numbers in an acquire, and what of it decides nothing any more.

use super::{Acquire, OwnerWait, Step};
use crate::Refusal;
use crate::engine::forget::SOME;
use crate::format::{HostBlock, Leader};
use crate::numbers::{HostId, Lver, Mbal, Numbers, Second, Stamp, Visit};
use crate::profile::Profile;

impl Visit for Acquire {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.token.visit(numbers);
        numbers.lver(&mut self.terms.lver);
        if let Some(shared) = &mut self.converts {
            shared.visit(numbers);
        }
        self.visit_found(numbers);
        let owner = self.found.as_ref().map_or(HostId::NONE, |leader| leader.owner_id);
        match &mut self.step {
            Step::Owner(wait, _) | Step::OwnerLeader(wait, _) => wait.visit(owner, numbers),
            Step::Pause(wait, due) => {
                wait.visit(owner, numbers);
                numbers.time(due);
            }
            Step::Commit(leader, _) => leader.visit(numbers),
            Step::Others(others, _) => others.visit(numbers),
            Step::UndoLater(release, _, due) => {
                numbers.time(due);
                release.visit(numbers);
            }
            Step::Undo(release, _) | Step::ShareFree(release) => return release.visit(numbers),
            _ => {}
        }
        if let Some(io) = self.running_mut() {
            io.visit(numbers);
        }
    }
}

impl Acquire {
    /// Wipes out what decides nothing any more; see [`super::forget`].
    pub(in crate::engine) fn forget(&mut self) {
        if let Step::Owner(wait, _) | Step::Pause(wait, _) | Step::OwnerLeader(wait, _) = &mut self.step
            && let Some(entry) = &mut wait.seen
        {
            *entry = entry.io_timeout_alone();
        }
        // The own block of a version that is over.
        if let Some(ballot) = &mut self.ballot
            && ballot.own.lver < ballot.lver
        {
            ballot.own = HostBlock::default();
        }
        // A wait that was forgotten stays so.
        if self.found.is_none() {
            self.forget_wait();
        }
    }

    /// The wall clock jumps ahead by so many seconds, and so does an age that is measured with it.
    pub(in crate::engine) fn wall_clock_stepped(&mut self, ahead: u64) {
        if let Step::Owner(wait, _) | Step::Pause(wait, _) | Step::OwnerLeader(wait, _) = &mut self.step {
            wait.since = Second(wait.since.0.saturating_sub(ahead));
        }
    }

    /// If it waits for an owner: of whom, the version of the leader that said so, and the stamp at the first look.
    pub(in crate::engine) fn waits(&self) -> Option<(HostId, Lver, Stamp)> {
        match (&self.step, &self.found) {
            (Step::Pause(wait, _), Some(found)) => Some((found.owner_id, found.lver, wait.stamp?)),
            _ => None,
        }
    }

    /// See [`Engine::forget_waits`](super::Engine::forget_waits).
    pub(in crate::engine) fn forget_wait(&mut self) {
        if let Step::Pause(wait, _) = &mut self.step {
            **wait = OwnerWait { announced: true, ..OwnerWait::nothing() };
            (self.found, self.ballot, self.balloted) = (None, None, false);
        }
    }

    /// See [`Engine::forget_since_when`](super::Engine::forget_since_when).
    pub(in crate::engine) fn forget_since_when(&mut self, overtaken: bool) {
        if let Step::Pause(wait, _) = &mut self.step
            && wait.stamp.is_some()
            && (overtaken || wait.seen_alive_at_last_check)
        {
            **wait = OwnerWait { stamp: Some(SOME), announced: true, ..OwnerWait::nothing() };
        }
    }

    /// See [`Engine::forget_io_timeouts`](super::Engine::forget_io_timeouts).
    pub(in crate::engine) fn forget_io_timeout(&mut self) {
        if let Step::Pause(wait, _) = &mut self.step {
            (wait.seen, wait.table_io_timeout) = (None, 0);
        }
    }

    /// The ballot that it is in, or was in last and may go on with.
    pub(in crate::engine) fn under_way(&self) -> Option<(Lver, Mbal)> {
        let over = matches!(self.step, Step::Look(_) | Step::ShareRetry | Step::Undo(..) | Step::UndoLater(..));
        let ballot = self.ballot.as_ref().filter(|ballot| !over && ballot.lver != Lver(0))?;
        Some((ballot.lver, ballot.mbal))
    }

    /// The version of the leader whose owner it waits for.
    pub(in crate::engine) fn awaited(&self) -> Option<Lver> {
        let waits =
            matches!(self.step, Step::Owner(..) | Step::Pause(..) | Step::OwnerLeader(..) | Step::OwnerBlock(_));
        let found = self.found.as_ref().filter(|_| waits)?;
        (found.lver != Lver(0)).then_some(found.lver)
    }

    /// The leader that it judged, where that is only compared from here on with the next one that is read.
    pub(in crate::engine) fn compared(&mut self) -> Option<&mut Leader> {
        let compares = matches!(
            self.step,
            Step::Pause(..)
                | Step::OwnerLeader(..)
                | Step::Leader(_)
                | Step::Phase1Write(_)
                | Step::Phase1Read(_)
                | Step::Phase2Write(_)
                | Step::Phase2Read(_)
                | Step::Commit(..)
                | Step::BackOff
        );
        self.found.as_deref_mut().filter(|_| compares)
    }

    /// See [`Engine::forget_ballots`](super::Engine::forget_ballots).
    pub(in crate::engine) fn forget_ballot(
        &mut self,
        profile: &Profile,
        damage: bool,
        keep: &mut impl FnMut(Lver) -> bool,
    ) {
        let reads_blocks = matches!(self.step, Step::Phase1Read(_) | Step::Phase2Read(_));
        let compares = matches!(self.step, Step::Pause(..) | Step::OwnerLeader(..) | Step::Leader(_) | Step::BackOff);
        let forgotten = self.found.as_ref().is_some_and(|found| found.lver == Lver(0));
        if !forgotten || !(reads_blocks || compares) || reads_blocks && damage && self.withdraws(profile) {
            return;
        }
        let Some(ballot) = self.ballot.as_mut().filter(|ballot| ballot.lver == Lver(0) || !keep(ballot.lver)) else {
            return;
        };
        (ballot.lver, ballot.mbal, ballot.own) = (Lver(0), Mbal(0), HostBlock::default());
        (ballot.voted_and_released, ballot.may_still_claim) = (false, false);
        self.step = match core::mem::replace(&mut self.step, Step::BackOff) {
            Step::OwnerLeader(_, io) => Step::Leader(io),
            Step::Phase2Read(io) => Step::Phase1Read(io),
            Step::Pause(mut wait, due) => {
                *wait = OwnerWait { announced: true, ..OwnerWait::nothing() };
                Step::Pause(wait, due)
            }
            other => other,
        };
        self.balloted = true;
    }

    /// Whether it would withdraw anything if it failed over what it reads.
    fn withdraws(&mut self, profile: &Profile) -> bool {
        self.block_to_retract(Refusal::DblockChecksum, profile).is_some() || self.leader_to_free(profile).is_some()
    }

    /// See [`Engine::forget_earlier_looks`](super::Engine::forget_earlier_looks).
    pub(in crate::engine) fn forget_earlier_look(&mut self, profile: &Profile, damage: bool) {
        // A look that waits for an earlier write may come too late.
        let issued = matches!(&self.step, Step::Look(io) if io.slot().is_some());
        let shares = self.ballot.as_ref().is_some_and(|ballot| !ballot.shared.is_empty());
        if !issued || shares || self.converts.is_some() || self.attempted.is_some() {
            return;
        }
        if !damage || !self.withdraws(profile) {
            (self.found, self.ballot, self.balloted) = (None, None, false);
        }
    }

    /// See [`Engine::forget_undecided`](super::Engine::forget_undecided).
    pub(in crate::engine) fn forget_undecided(&mut self) {
        let looks = matches!(self.step, Step::Look(_) | Step::Owner(..) | Step::OwnerBlock(_));
        let compares = self.compared().is_some() && !matches!(self.step, Step::Commit(..));
        if looks || compares {
            self.ballot = None;
        }
        if compares {
            self.found = None;
        }
    }

    /// Shows the numbers in what was found and in the ballot.
    fn visit_found(&mut self, numbers: &mut dyn Numbers) {
        for leader in self.found.iter_mut().chain(&mut self.attempted) {
            leader.visit(numbers);
        }
        if let Some(ballot) = &mut self.ballot {
            numbers.generation(ballot.me, &mut ballot.generation);
            numbers.lver(&mut ballot.lver);
            numbers.mbal(&mut ballot.mbal);
            ballot.own.visit_of(ballot.me, numbers);
            numbers.generation(ballot.me, &mut ballot.mode.generation);
        }
    }

    /// Shows the numbers in copies of leaders and blocks.
    pub(in crate::engine) fn visit_resource(&mut self, numbers: &mut dyn Numbers) {
        self.visit_found(numbers);
        match &mut self.step {
            Step::Commit(leader, _) => leader.visit(numbers),
            Step::Undo(release, _) | Step::ShareFree(release) | Step::UndoLater(release, ..) => release.visit(numbers),
            _ => {}
        }
        if let Some(shared) = &mut self.converts {
            shared.visit(numbers);
        }
    }
}

impl OwnerWait {
    fn visit(&mut self, owner: HostId, numbers: &mut dyn Numbers) {
        numbers.second(&mut self.since);
        if let Some(stamp) = &mut self.stamp {
            numbers.stamp(owner, stamp);
        }
        if let Some(entry) = &mut self.seen {
            numbers.generation(owner, &mut entry.owner_generation);
            numbers.stamp(owner, &mut entry.timestamp);
            numbers.second(&mut entry.last_live);
        }
    }
}
