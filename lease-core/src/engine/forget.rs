//! What a model checker does with an engine besides running it: it looks in, takes the place of time, and forgets what
//! decides nothing any more.
//!
//! Two engines that will behave alike for ever may still differ: in when a read began that is over, in when a host was
//! first looked at, in a place for an I/O that is empty again. [`Engine::forget`] wipes such differences out. It
//! refuses to touch anything that a later decision looks at; what it does change, it changes to a value that stands for
//! "whatever": never, or the first second of the clock, long ago.

use super::acquire::Acquire;
use super::lockspace::Lockspace;
use super::observe::Table;
use super::recovery::Client;
use super::{Command, Engine};
use crate::format::{DeltaLease, Leader, Name};
use crate::numbers::{Generation, HostId, Lver, Mbal, Numbers, Second, Stamp, Time, Visit};
use crate::seam::Slot;

/// A second so long ago that no age counted from it differs from another.
pub(super) const LONG_AGO: Second = Second(1);
/// When the last look was that saw nobody change.
pub(super) const UNCHANGED: Second = Second(2);
/// When the last look was of which only matters whom it saw change.
pub(super) const CHANGED: Second = Second(3);

/// A stamp that stands for "some, and none that is ever read again".
pub(super) const SOME: Stamp = Stamp(1);

/// What became of a record that was seen of another host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Passed {
    /// Another stamp is in its place now, and it never comes back.
    pub overtaken: bool,
    /// The life of the host id that it was of owns nothing and never will again.
    pub over: bool,
}

impl Engine {
    /// Wipes out what decides nothing any more. Events that come later may say something else about how long something
    /// took.
    ///
    /// Of the signals that a client gets it only keeps that there are some: so it must not be used where it matters
    /// whether that is a SIGTERM or a SIGKILL, or when
    /// [`Parameters::kill_limit`](crate::profile::Parameters::kill_limit) is reached.
    pub fn forget(&mut self, now: Time) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.forget(now, &self.config.profile);
        }
        while self.lockspaces.last().is_some_and(Option::is_none) {
            self.lockspaces.pop();
        }
        self.clients.iter_mut().for_each(|(_, client)| client.forget(now.second()));
        self.clients.retain(|_, client| *client != Client::default());
        for command in self.workers.iter_mut().flatten() {
            match command {
                // What is left of the second in which the worker looks is the scheduler's freedom.
                Command::Join { started, .. } | Command::Leave { started, .. } | Command::Await { started, .. } => {
                    *started = now;
                }
                Command::Acquire(acquire) => acquire.forget(),
                Command::Downgrade(_)
                | Command::Release { .. }
                | Command::Index(_)
                | Command::Call(_)
                | Command::Read(_) => {}
            }
        }
        self.io.forget_free_slots();
    }

    /// Wipes out what was seen of other hosts: for a host that never asks for what one of them owns.
    pub fn forget_others(&mut self) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.forget_others();
        }
    }

    /// What was seen last of the records of other hosts: host id, generation, stamp.
    pub fn observed(&self) -> impl Iterator<Item = (HostId, Generation, Stamp)> {
        self.lockspaces.iter().flatten().flat_map(|lockspace| lockspace.table.seen())
    }

    /// Wipes out what no acquire looks at any more of what was seen of other hosts, `passed` telling what became of it.
    /// After [`Engine::forget`], and only where nobody asks for the states of hosts.
    pub fn forget_passed(&mut self, alike: bool, passed: impl Fn(HostId) -> Passed) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.table.forget_passed(alike, &passed);
        }
    }

    /// The acquires that wait for an owner: host id of the owner, version of the leader that said so, and the stamp that
    /// the owner had at the first look.
    pub fn waits(&self) -> impl Iterator<Item = (HostId, Lver, Stamp)> {
        self.acquires().filter_map(Acquire::waits)
    }

    /// Wipes out what an acquire that waits for an owner knows, where the leader is another meanwhile: the next look shows
    /// that, and everything begins anew.
    pub fn forget_waits(&mut self) {
        self.acquires_mut().for_each(Acquire::forget_wait);
    }

    /// Wipes out since when an acquire waits for an owner that has another stamp meanwhile, or that was seen alive: the
    /// next look shows that, whatever else it knows.
    pub fn forget_since_when(&mut self, overtaken: bool) {
        self.acquires_mut().for_each(|acquire| acquire.forget_since_when(overtaken));
    }

    /// Wipes out what waits know of the io_timeout of an owner: for worlds in which all hosts have the same.
    pub fn forget_io_timeouts(&mut self) {
        self.acquires_mut().for_each(Acquire::forget_io_timeout);
    }

    /// Shows the numbers in images of the area that were read and not looked at yet.
    pub fn visit_images(&mut self, numbers: &mut dyn Numbers) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.visit_images(numbers);
        }
    }

    /// Shows only the numbers in copies of leaders and host blocks: of what is held, being acquired and being released.
    pub fn visit_resources(&mut self, numbers: &mut dyn Numbers) {
        self.resources.visit(numbers);
        for command in self.workers.iter_mut().flatten() {
            match command {
                Command::Join { .. } | Command::Leave { .. } | Command::Await { .. } => {}
                Command::Acquire(acquire) => acquire.visit_resource(numbers),
                Command::Downgrade(downgrade) => downgrade.release.visit(numbers),
                Command::Release { release, .. } => release.visit(numbers),
                Command::Index(index) => index.visit(numbers),
                Command::Call(call) => call.visit(numbers),
                Command::Read(_) => {}
            }
        }
        if let Some(release) = &mut self.background.running {
            release.visit(numbers);
        }
        for (_, _, release) in &mut self.background.waiting {
            release.visit(numbers);
        }
    }

    /// The word of a witness, in place of what this engine observed by itself: what the delta leases of other hosts hold,
    /// and who of them is alive. For worlds without time, where nobody renews and nobody could look; whatever was
    /// believed before is forgotten.
    pub fn believe<'a>(
        &mut self,
        now: Time,
        lockspace: &Name,
        hosts: impl IntoIterator<Item = (&'a DeltaLease, bool)>,
    ) {
        if let Some(id) = self.find_lockspace(lockspace)
            && let Some(lockspace) = &mut self.lockspaces[usize::from(id.0)]
        {
            lockspace.table = Table::default();
            for (record, alive) in hosts {
                lockspace.table.believe(now.second(), record, alive);
            }
        }
    }

    /// Shares with another engine what is the same in both, so that it takes memory only once. Nothing else changes.
    pub fn share_with(&mut self, other: &Engine) {
        self.config.reunite(&other.config);
        self.lockspaces.reunite(&other.lockspaces);
        self.resources.reunite(&other.resources);
        self.clients.reunite(&other.clients);
    }

    /// The ballots of the acquires that are under way: version and number. An aborted one goes on with the next number.
    pub fn ballots(&self) -> impl Iterator<Item = (Lver, Mbal)> {
        self.acquires().filter_map(Acquire::under_way)
    }

    /// The versions of the leaders whose owners acquires wait for, or look at.
    pub fn awaited(&self) -> impl Iterator<Item = Lver> {
        self.acquires().filter_map(Acquire::awaited)
    }

    /// The leaders that acquires found and only compare from here on with the leaders that they read. Whoever knows that
    /// such a leader can never be read again may replace it by any other.
    pub fn compared_leaders(&mut self) -> impl Iterator<Item = &mut Leader> {
        self.acquires_mut().filter_map(Acquire::compared).filter(|found| found.lver != Lver(0))
    }

    /// Forgets the ballots of acquires whose leader was forgotten, but for those of versions to `keep`: for worlds in
    /// which such a ballot can only be aborted, or fail for `damage` if there may be any, and a leader of its version
    /// never be read.
    pub fn forget_ballots(&mut self, damage: bool, mut keep: impl FnMut(Lver) -> bool) {
        let profile = self.config.profile;
        self.acquires_mut().for_each(|acquire| acquire.forget_ballot(&profile, damage, &mut keep));
    }

    /// Forgets what acquires found in earlier looks, while they look anew: for worlds in which a look does not fail, but
    /// for `damage` if there may be any.
    pub fn forget_earlier_looks(&mut self, damage: bool) {
        let profile = self.config.profile;
        self.acquires_mut().for_each(|acquire| acquire.forget_earlier_look(&profile, damage));
    }

    /// Forgets what acquires ballot for, unless they have won, and the leaders that they only compare with others.
    pub fn forget_undecided(&mut self) {
        self.acquires_mut().for_each(Acquire::forget_undecided);
    }

    fn acquires(&self) -> impl Iterator<Item = &Acquire> {
        self.workers.iter().flatten().filter_map(|command| match command {
            Command::Acquire(acquire) => Some(&**acquire),
            _ => None,
        })
    }

    fn acquires_mut(&mut self) -> impl Iterator<Item = &mut Acquire> {
        self.workers.iter_mut().flatten().filter_map(|command| match command {
            Command::Acquire(acquire) => Some(&mut **acquire),
            _ => None,
        })
    }

    /// Whether a lockspace is known: being joined, in use, or being left.
    pub fn has_lockspaces(&self) -> bool {
        self.lockspaces.iter().any(Option::is_some)
    }

    /// Whether the I/O in a slot was given up by the task that issued it.
    pub fn gave_up(&self, slot: Slot) -> bool {
        self.io.gave_up(slot)
    }

    /// Whether it makes a difference how the I/O in a slot ended, and what it read, if a lockspace hears of that now.
    pub fn heeds(&mut self, slot: Slot, now: Time) -> bool {
        let late_answer = self.config.profile.late_answer;
        let over = self.lockspaces.iter_mut().flatten().any(|lockspace| {
            lockspace.running_mut().and_then(|io| io.slot()) == Some(slot)
                && lockspace.answer_comes_too_late(now, late_answer)
        });
        !over
    }

    /// Whether a join looks if its write still stands.
    pub fn is_confirming(&self) -> bool {
        self.lockspaces.iter().flatten().any(Lockspace::is_confirming)
    }

    /// The generation under which the first lockspace owns its host id; 0: not joined yet.
    pub fn generation(&self) -> Generation {
        self.lockspaces.iter().flatten().map(|lockspace| lockspace.generation).next().unwrap_or_default()
    }

    /// Whether a client's command waits for something: an I/O, an owner that may be dead, a back-off.
    pub fn is_acquiring(&self) -> bool {
        self.acquires().next().is_some()
    }

    /// When the last renewal of the first lockspace succeeded that is in use or being left.
    pub fn last_success(&self) -> Second {
        self.lockspaces.iter().flatten().map(Lockspace::last_success).next().unwrap_or(Second::NEVER)
    }

    /// The generation that the join under way wrote, or is writing.
    pub fn joins_under(&self) -> Option<Generation> {
        self.lockspaces.iter().flatten().next().and_then(Lockspace::joins_under)
    }

    /// Whether the first lockspace is failing, being removed or gone: whoever asks in it from now on is refused.
    pub fn is_ending(&self) -> bool {
        self.lockspaces.iter().flatten().next().is_none_or(Lockspace::ends)
    }

    /// Whether a lockspace is in use and not failing: its host id is believed to be owned.
    pub fn is_joined(&self) -> bool {
        self.lockspaces.iter().flatten().any(Lockspace::usable)
    }
}

/// The numbers of an engine, wherever they are.
impl Visit for Engine {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.visit(numbers);
        }
        self.resources.visit(numbers);
        for (_, client) in self.clients.iter_mut() {
            client.visit(numbers);
        }
        for command in self.workers.iter_mut().flatten() {
            match command {
                Command::Join { started, .. } | Command::Leave { started, .. } | Command::Await { started, .. } => {
                    numbers.time(started);
                }
                Command::Acquire(acquire) => acquire.visit(numbers),
                Command::Downgrade(downgrade) => downgrade.visit(numbers),
                Command::Release { release, .. } => release.visit(numbers),
                Command::Index(index) => index.visit(numbers),
                Command::Call(call) => call.visit(numbers),
                Command::Read(reading) => reading.visit(numbers),
            }
        }
        if let Some(examine) = &mut self.background.examining {
            examine.visit(numbers);
        }
        if let Some(release) = &mut self.background.running {
            release.visit(numbers);
        }
        for (due, _, release) in &mut self.background.waiting {
            numbers.time(due);
            release.visit(numbers);
        }
        self.main.visit(numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use crate::format::Name;
    use crate::numbers::Time;
    use crate::profile::{Config, Parameters, Profile};
    use crate::seam::{LastLife, Outputs};

    #[test]
    fn an_engine_that_does_nothing_has_nothing_to_forget() {
        let name = Name::from_text("A").expect("short");
        let config = Config { host_name: name, profile: Profile::HARDENED, parameters: Parameters::default() };
        let now = Time::from_secs(1_000);
        let mut engine = Engine::boot(config, LastLife::Gone, now, &mut Outputs::new());
        let before = engine.clone();
        engine.forget(now);
        assert_eq!(engine, before);
    }
}
