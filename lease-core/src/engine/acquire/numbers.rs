//! The numbers in an acquire, and what of it decides nothing any more.

use super::{Acquire, OwnerWait, Step};
use crate::engine::forget::SOME;
use crate::format::HostBlock;
use crate::numbers::{HostId, Lver, Numbers, Second, Stamp, Visit};

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
