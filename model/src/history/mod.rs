//! The omniscient history: a fold over everything that happens, which knows what must hold and says when it does not.
//!
//! It sees true time, every clock, every platter, and every write at the moment of its issue, so it need not wait until
//! two owners stand side by side. One file is one truth; [`Property`] lists them. Deadlines are arithmetic: a world
//! calls [`History::pass`] before time moves, and what would be overdue on the way is found at its very moment.
//!
//! It refuses to influence anything: no engine and no explorer ever reads it back, except to stop. After the first
//! violation it only counts.
//!
//! **The contract.** For each step: [`History::pass`] to the moment of the step, then [`History::see`] for each
//! happening in order, with [`Facts`] as they are after the step's changes to disks and clocks. Path `h` of each disk
//! is host `h`'s. [`History::compare_holdings`] may be called whenever an engine has answered. At the end of the
//! liveness act, when nothing moves any more, [`History::at_rest`].

mod agreement;
mod answers;
mod calm;
mod counts;
mod deadline;
mod durable;
mod events;
mod exclusion;
mod facts;
mod format;
mod generations;
mod host_id;
mod index;
mod killing;
mod ledger;
mod life;
mod own_block;
mod progress;
mod property;
mod residue;
mod sectors;
mod status;
mod value;
mod violation;
mod written;
mod zombie;

#[cfg(test)]
mod tests;

pub use counts::Counts;
pub use facts::Facts;
pub use property::Property;
pub use violation::Violation;

use crate::action::Action;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, ResourceIx, Setup};
use lease_core::format::{Name, Sector};
use lease_core::seam::{ClientId, Holding};
use ledger::Ledger;
use violation::Verdict;
use written::Written;

/// Everything that happened, as far as it decides what must hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct History {
    ledger: Ledger,
    agreement: agreement::Agreement,
    generations: generations::Generations,
    calm: calm::Calm,
    status: status::Status,
    answers: answers::Answers,
    value: value::Values,
    indices: index::Indices,
    events: events::Events,
    damage: own_block::Damage,
    strangers: host_id::Strangers,
    progress: progress::Progress,
    counter: counts::Counter,
    violation: Option<Violation>,
    /// Whether it looks away, and neither judges nor counts.
    blind: bool,
    /// When the first deadline passes if nothing else happens; `None` if that must be worked out anew.
    due: Option<Instant>,
}

impl History {
    /// A history in which nothing happened yet: everything is off.
    pub fn new(setup: &Setup) -> History {
        History {
            ledger: Ledger::new(setup),
            agreement: agreement::Agreement::new(setup),
            generations: generations::Generations::default(),
            calm: calm::Calm::new(setup),
            status: status::Status::default(),
            answers: answers::Answers::new(setup),
            value: value::Values::new(setup),
            indices: index::Indices::default(),
            events: events::Events::new(setup),
            damage: own_block::Damage::default(),
            strangers: host_id::Strangers::default(),
            progress: progress::Progress::default(),
            counter: counts::Counter::new(setup),
            violation: None,
            blind: false,
            due: Some(Instant::NEVER),
        }
    }

    /// From here on it looks away: nothing is judged, and nothing counted. For the questions whether anybody would notice
    /// that, and what looking costs.
    pub fn look_away(&mut self) {
        self.blind = true;
    }

    /// Whether there is nothing more to judge.
    fn is_over(&self) -> bool {
        self.blind || self.violation.is_some()
    }

    /// The first truth that did not hold.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// What happened how often.
    pub fn counts(&self) -> &Counts {
        &self.counter.counts
    }

    /// Time passes up to and including `to`, and nothing happens on the way.
    pub fn pass(&mut self, to: Instant, facts: &Facts<'_>) {
        if self.is_over() {
            return;
        }
        let due = match self.due {
            Some(due) => due,
            None => deadline::due(&self.ledger, facts).min(killing::due(&self.ledger, facts)),
        };
        self.due = Some(due);
        if due <= to {
            let late = deadline::see(due, &self.ledger, facts);
            self.note(late.and_then(|()| killing::in_time(due, &self.ledger, facts)));
        }
    }

    /// Something happened.
    pub fn see(&mut self, at: Instant, happening: &Happening, facts: &Facts<'_>) {
        if self.blind {
            return;
        }
        if self.violation.is_some() {
            self.ledger.see(at, happening, facts);
            self.counter.see(at, happening, &self.ledger);
            return;
        }
        let verdict = self.judge(at, happening, facts);
        self.note(verdict);
    }

    fn judge(&mut self, at: Instant, happening: &Happening, facts: &Facts<'_>) -> Verdict {
        if is_overlooked(happening) {
            return self.events.overdue(at, &self.ledger, facts);
        }
        let written = Written::of(happening, facts);
        let before = life::before(at, happening, &self.ledger, facts)
            .and_then(|()| progress::before(at, happening, &self.ledger, facts))
            .and_then(|()| killing::before(at, happening, &self.ledger, facts));
        let before = before.and_then(|()| match &written {
            Some(written) => zombie::written(at, written, &self.ledger, facts),
            None => Ok(()),
        });
        self.calm.before(at, happening, &self.ledger, facts);
        let ended = self.ledger.see(at, happening, facts);
        self.counter.see(at, happening, &self.ledger);
        self.damage.see(happening, ended.io, facts);
        self.strangers.see(happening, &self.ledger, facts);
        before?;
        self.events.overdue(at, &self.ledger, facts)?;

        if let Some(written) = &written {
            if let Sector::Delta { lease, .. } = &written.sector {
                self.ledger.acquires(written.host, written.task, lease.owner_generation);
            }
            sectors::written(at, written, &self.ledger, facts)?;
            format::written(at, written, &self.ledger, facts)?;
            self.events.written(at, written, &self.ledger, facts)?;
            self.agreement.written(at, written, &self.ledger, facts)?;
            if !self.calm.is_damaged(&self.ledger) {
                own_block::written(at, written, &self.ledger, facts)?;
            }
            self.damage.written(at, written, &self.ledger, facts)?;
            return self.strangers.written(at, written, &self.ledger, facts);
        }
        match happening {
            // Happenings of these two kinds are many: whoever looks at one of them is named here.
            Happening::ReadIssued { .. } => return self.events.see(at, happening, ended, &self.ledger, facts),
            Happening::Completed { .. } => {
                self.calm.see(at, happening, ended, &self.ledger, facts)?;
                self.status.see(at, happening, ended, &self.ledger, facts)?;
                self.answers.see(at, happening, ended, &self.ledger, facts)?;
                return self.events.see(at, happening, ended, &self.ledger, facts);
            }
            _ => {}
        }
        exclusion::see(at, happening, &self.ledger, facts)?;
        host_id::see(at, happening, &self.ledger, facts)?;
        life::see(at, happening, &self.ledger, facts)?;
        self.generations.see(at, happening, &self.ledger, facts)?;
        self.agreement.see(at, happening, &self.ledger, facts)?;
        killing::see(at, happening, &self.ledger, facts)?;
        durable::see(at, happening, &self.ledger, facts)?;
        self.calm.see(at, happening, ended, &self.ledger, facts)?;
        self.status.see(at, happening, ended, &self.ledger, facts)?;
        self.answers.see(at, happening, ended, &self.ledger, facts)?;
        self.value.see(at, happening, &self.ledger, facts)?;
        self.indices.see(at, happening, facts)?;
        self.events.see(at, happening, ended, &self.ledger, facts)?;
        self.progress.see(at, happening);
        residue::see(at, happening, &self.ledger, facts)?;
        if moves_deadlines(happening) {
            self.due = None;
            deadline::see(at, &self.ledger, facts)?;
        }
        Ok(())
    }

    /// What the engine of a host holds, after it has answered: it must be what its clients were told.
    pub fn compare_holdings(
        &mut self,
        at: Instant,
        host: Host,
        holdings: impl Iterator<Item = (ClientId, Holding)> + Clone,
        facts: &Facts<'_>,
    ) {
        if !self.is_over() {
            let verdict = answers::compare_holdings(at, host, holdings, &self.ledger, facts);
            self.note(verdict);
        }
    }

    /// A daemon has let go of something. `claims` tells what it still is at work on or holds, by the names of lockspace
    /// and resource; with nobody's claim, nothing of it may look owned.
    pub fn let_go(&mut self, at: Instant, host: Host, claims: impl Fn(&Name, &Name) -> bool, facts: &Facts<'_>) {
        if self.violation.is_none() && !self.calm.is_damaged(&self.ledger) {
            let (ledger, agreement) = (&self.ledger, &self.agreement);
            let decided = |resource, lver| agreement.is_over(resource, lver, host, ledger, facts);
            let verdict = own_block::let_go(at, host, claims, decided, ledger, facts);
            self.note(verdict);
        }
    }

    /// The liveness act begins: everything is healed, and no fault happens any more. What was expected before is
    /// forgotten.
    pub fn liveness_begins(&mut self, at: Instant) {
        self.progress.begins(at);
    }

    /// In the liveness act somebody must acquire this resource by then, or hold it all the time.
    pub fn expect_progress(&mut self, resource: ResourceIx, by: Instant) {
        self.progress.expect(resource, by);
    }

    /// Nothing moves any more: all I/O is over, all requests are answered, and nobody retries anything.
    pub fn at_rest(&mut self, at: Instant, facts: &Facts<'_>) {
        if !self.is_over() {
            let (ledger, agreement) = (&self.ledger, &self.agreement);
            let decided = |resource, lver, host| agreement.is_over(resource, lver, host, ledger, facts);
            let progress = self.progress.at_rest(at, ledger, facts);
            self.note(progress.and_then(|()| residue::at_rest(at, &decided, ledger, facts)));
        }
    }

    fn note(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict {
            self.violation.get_or_insert(*violation);
        }
    }
}

/// Whether nobody who judges or counts looks at a happening: more than every second one.
fn is_overlooked(happening: &Happening) -> bool {
    match happening {
        Happening::Chosen(Action::Rename { .. }) => false,
        Happening::Chosen(_) => !ledger::damages(happening),
        Happening::Sampled { .. } | Happening::Pinged { .. } | Happening::Tested { .. } => true,
        _ => false,
    }
}

/// Whether a happening can move a deadline, or put somebody under one.
fn moves_deadlines(happening: &Happening) -> bool {
    !matches!(
        happening,
        Happening::Chosen(_)
            | Happening::ReadIssued { .. }
            | Happening::WriteIssued { .. }
            | Happening::Sampled { .. }
            | Happening::Completed { .. }
            | Happening::Vanished { .. }
            | Happening::Asked { .. }
            | Happening::Told { .. }
            | Happening::Notified { .. }
            | Happening::Watchdog { .. }
            | Happening::Tested { .. }
            | Happening::Pinged { .. }
            | Happening::DeviceStopped { .. }
    )
}
