//! A run as what was decided in it, said so that the decisions keep their meaning when others are taken away.
//!
//! A trace says "I/O 3 lands at 17.25 s". Take a step away before it, and I/O 3 is another one. A [`Plan`] says "the
//! second write of A to the leader lands 0.25 s after it was issued" instead; and what it says nothing about goes its
//! usual way: an I/O takes two milliseconds, and a thread or wdmd runs at the last moment that it may.

use crate::trace::Mark;
use lease_core::seam::{DiskId, Task};
use model::setup::Host;
use model::{Action, Instant};
use sim_disk::{Ending, Landing, Sampling};
use std::collections::BTreeMap;

/// I/Os that are told apart only by their order: who issued them, and what for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct IoKind {
    pub(super) host: Host,
    pub(super) disk: DiskId,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) write: bool,
}

/// What runs by itself within a range of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Routine {
    /// A task of a daemon.
    Wake(Host, Task),
    /// wdmd.
    Test(Host),
}

/// The n-th of its kind in the run, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Nth<K> {
    pub(super) kind: K,
    pub(super) nth: u32,
}

/// How often each kind was seen.
#[derive(Clone, Debug)]
pub(super) struct Counts<K>(BTreeMap<K, u32>);

impl<K: Ord + Copy> Counts<K> {
    pub(super) fn new() -> Counts<K> {
        Counts(BTreeMap::new())
    }

    /// The name of the next of this kind.
    pub(super) fn peek(&self, kind: K) -> Nth<K> {
        Nth { kind, nth: self.0.get(&kind).copied().unwrap_or(0) }
    }

    /// The name of one more of this kind.
    pub(super) fn name(&mut self, kind: K) -> Nth<K> {
        let named = self.peek(kind);
        self.0.insert(kind, named.nth + 1);
        named
    }
}

/// What is done to an I/O.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Move {
    Sample(Sampling),
    Land(Landing),
    Complete(Ending),
    Vanish,
}

impl Move {
    pub(super) fn action(self, disk: DiskId, io: sim_disk::IoId) -> Action {
        match self {
            Move::Sample(sampling) => Action::Sample { disk, io, sampling },
            Move::Land(landing) => Action::Land { disk, io, landing },
            Move::Complete(ending) => Action::Complete { disk, io, ending },
            Move::Vanish => Action::Vanish { disk, io },
        }
    }
}

/// A move of an I/O, or the run of a routine, at its distance from what made it possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timed<T> {
    /// In microseconds.
    pub(super) after: u64,
    /// Of what happens at one moment, the smaller comes first.
    pub(super) order: u32,
    pub(super) what: T,
}

/// What somebody decided: a choice that nothing brings about by itself, or a mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Deed {
    pub(super) at: Instant,
    /// Of what happens at one moment, the smaller comes first.
    pub(super) order: u32,
    pub(super) what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Choice(Action),
    Mark(Mark),
}

/// The decisions of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// In order.
    pub(super) deeds: Vec<Deed>,
    /// What becomes of I/Os that do not go their usual way. Without a move an I/O hangs.
    pub(super) fates: BTreeMap<Nth<IoKind>, Vec<Timed<Move>>>,
    /// Routines that do not run at the last moment.
    pub(super) routines: BTreeMap<Nth<Routine>, Timed<()>>,
}

impl Plan {
    /// Puts the deeds in order again after their moments were changed.
    pub(super) fn sort(&mut self) {
        self.deeds.sort_by_key(|deed| (deed.at, deed.order));
    }

    /// How many of its numbers are not round: the less, the easier to read.
    pub(super) fn raggedness(&self) -> u64 {
        let fates = self.fates.values().flatten().map(|timed| timed.after);
        let routines = self.routines.values().map(|timed| timed.after);
        self.deeds.iter().map(|deed| deed.at.0).chain(fates).chain(routines).map(ragged).sum()
    }
}

/// Whole seconds are better than tenths, and these than milliseconds.
fn ragged(micros: u64) -> u64 {
    [1_000_000, 100_000, 1_000].into_iter().map(|unit| u64::from(!micros.is_multiple_of(unit))).sum()
}

/// The host that a choice is about, if it is about one.
pub(super) fn host_of(action: &Action) -> Option<Host> {
    match *action {
        Action::Wake { host, .. }
        | Action::Ask { host, .. }
        | Action::Spawn { host, .. }
        | Action::Exit { host, .. }
        | Action::LeaveChild { host, .. }
        | Action::HangUp { host, .. }
        | Action::Garble { host, .. }
        | Action::PowerLoss { host }
        | Action::PowerOn { host }
        | Action::Rename { host, .. }
        | Action::KillDaemon { host }
        | Action::StartDaemon { host }
        | Action::KillWdmd { host }
        | Action::Stall { host, .. }
        | Action::Resume { host, .. }
        | Action::StopClock { host }
        | Action::Test { host }
        | Action::Fire { host }
        | Action::SetPath { host, .. }
        | Action::JumpClock { host, .. }
        | Action::SetDrift { host, .. }
        | Action::StepWallClock { host }
        | Action::SplitOff { host, .. } => Some(host),
        Action::Sample { .. }
        | Action::Land { .. }
        | Action::Complete { .. }
        | Action::Vanish { .. }
        | Action::Snapshot { .. }
        | Action::Rollback { .. }
        | Action::Edit { .. } => None,
    }
}
