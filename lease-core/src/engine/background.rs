//! The resource thread: looks at requests, and releases that go on after their command ended, one at a time.

use super::acquire::{Stimulus, Won};
use super::io::Cx;
use super::release::{Release, Released};
use super::{Engine, lives};
use crate::mutants::Mutant;
use crate::numbers::{Span, Time};
use crate::seam::{Output, Outputs, Rare, Task};
use alloc::boxed::Box;

impl Engine {
    pub(super) fn go_on_in_background(&mut self, now: Time, mut release: Release, out: &mut Outputs) {
        if self.config.mutated(Mutant::B51b5) {
            release.unflag();
        }
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        cx.rare(Rare::BackgroundRelease);
        self.background.waiting.push((now, 0, release));
        self.next_in_background(now, out);
    }

    /// "Tried at once, then after N, then every 2N seconds."
    pub(super) fn next_in_background(&mut self, now: Time, out: &mut Outputs) {
        if self.background.running.is_some() || self.background.examining.is_some() || self.next_examine(now, out) {
            return;
        }
        // "Dropped without I/O once the lockspace is gone or killing."
        let Engine { background, resources, lockspaces, config, .. } = self;
        background.waiting.retain(|(_, _, release)| {
            let alive = lives(lockspaces, config, &release.token);
            if !alive {
                resources.forget(&release.token.key);
            }
            alive
        });
        let due = (0..background.waiting.len()).min_by_key(|index| background.waiting[*index].0);
        let Some(next) = due else {
            out.push(Output::NoWake { task: Task::Resource });
            return;
        };
        let at = background.waiting[next].0;
        if at > now {
            let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
            cx.wake_at(Task::Resource, at);
            return;
        }
        let (_, tries, mut release) = background.waiting.remove(next);
        release.start(Task::Resource, &mut Cx { now, config: &self.config, io: &mut self.io, out });
        self.background.tries = tries;
        self.background.running = Some(Box::new(release));
    }

    pub(super) fn run_background(&mut self, now: Time, stimulus: Stimulus, out: &mut Outputs) {
        if let Some(examine) = self.background.examining.take() {
            return self.run_examine(now, examine, stimulus, out);
        }
        let Some(mut release) = self.background.running.take() else {
            return self.next_in_background(now, out);
        };
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let ended = stimulus.ended(release.running_mut(), cx);
        let Some(ended) = ended else {
            self.background.running = Some(release);
            return;
        };
        if !lives(&self.lockspaces, &self.config, &release.token) {
            self.resources.forget(&release.token.key);
            return self.next_in_background(now, out);
        }
        match release.io_done(Task::Resource, ended, cx) {
            None => self.background.running = Some(release),
            Some(Released::Done(_)) => {
                self.resources.forget(&release.token.key);
                self.next_in_background(now, out);
            }
            Some(Released::Again(_)) => {
                cx.rare(Rare::BackgroundRetried);
                let tries = self.background.tries;
                let pause = release.token.io_timeout * if tries == 0 { 1 } else { 2 };
                let again = now.after(Span::from_secs(pause));
                self.background.waiting.push((again, tries.saturating_add(1).min(2), *release));
                self.next_in_background(now, out);
            }
        }
    }

    pub(super) fn release_or_forget(&mut self, now: Time, won: Won, out: &mut Outputs) {
        if self.lives(&won.token) {
            self.go_on_in_background(now, won.release(&self.config.profile), out);
        } else {
            self.resources.forget(&won.token.key);
        }
    }
}
