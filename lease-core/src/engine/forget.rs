//! Forgetting what decides nothing any more: for whoever compares engines, as a model checker does.
//!
//! Two engines that will behave alike for ever may still differ: in when a read began that is over, in when a host was
//! first looked at, in a place for an I/O that is empty again. [`Engine::forget`] wipes such differences out. It
//! refuses to touch anything that a later decision looks at; what it does change, it changes to a value that stands for
//! "whatever": never, or the first second of the clock, long ago.

use super::lockspace::Lockspace;
use super::recovery::Client;
use super::{Command, Engine};
use crate::numbers::{Generation, Numbers, Second, Time, Visit};
use crate::seam::Slot;

/// A second so long ago that no age counted from it differs from another.
pub(super) const LONG_AGO: Second = Second(1);

impl Engine {
    /// Wipes out what decides nothing any more. Events that come later may say something else about how long something
    /// took.
    ///
    /// Of the signals that a client gets it only keeps that there are some: so it must not be used where it matters
    /// whether that is a SIGTERM or a SIGKILL, or when
    /// [`Parameters::kill_limit`](crate::profile::Parameters::kill_limit) is reached.
    pub fn forget(&mut self, now: Time) {
        for lockspace in self.lockspaces.iter_mut().flatten() {
            lockspace.forget(now, self.config.profile.failing_acquire);
        }
        while self.lockspaces.last().is_some_and(Option::is_none) {
            self.lockspaces.pop();
        }
        self.clients.retain(|_, client| {
            client.forget(now.second());
            *client != Client::default()
        });
        for command in self.workers.iter_mut().flatten() {
            match command {
                // What is left of the second in which the worker looks is the scheduler's freedom.
                Command::Join { started, .. } | Command::Leave { started, .. } => *started = now,
                Command::Acquire(acquire) => acquire.forget(),
                Command::Release { .. } => {}
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

    /// Shows only the numbers in copies of leaders and host blocks: of what is held, being acquired and being released.
    pub fn visit_resources(&mut self, numbers: &mut dyn Numbers) {
        self.resources.visit(numbers);
        for command in self.workers.iter_mut().flatten() {
            match command {
                Command::Join { .. } | Command::Leave { .. } => {}
                Command::Acquire(acquire) => acquire.visit_resource(numbers),
                Command::Release { release, .. } => release.visit(numbers),
            }
        }
        if let Some(release) = &mut self.background.running {
            release.visit(numbers);
        }
        for (_, _, release) in &mut self.background.waiting {
            release.visit(numbers);
        }
    }

    /// Whether a lockspace is known: being joined, in use, or being left.
    pub fn has_lockspaces(&self) -> bool {
        self.lockspaces.iter().any(Option::is_some)
    }

    /// Whether the I/O in a slot was given up by the task that issued it.
    pub fn gave_up(&self, slot: Slot) -> bool {
        self.io.gave_up(slot)
    }

    /// The generation under which the first lockspace owns its host id; 0: not joined yet.
    pub fn generation(&self) -> Generation {
        self.lockspaces.iter().flatten().map(|lockspace| lockspace.generation).next().unwrap_or_default()
    }

    /// Whether a client's command waits for something: an I/O, an owner that may be dead, a back-off.
    pub fn is_acquiring(&self) -> bool {
        self.workers.iter().flatten().any(|command| matches!(command, Command::Acquire(_)))
    }

    /// When the last renewal of the first lockspace succeeded that is in use or being left.
    pub fn last_success(&self) -> Second {
        self.lockspaces.iter().flatten().map(Lockspace::last_success).next().unwrap_or(Second::NEVER)
    }

    /// Whether a lockspace is in use and not failing: its host id is believed to be owned.
    pub fn is_joined(&self) -> bool {
        self.lockspaces.iter().flatten().any(Lockspace::usable)
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
