//! What comes of a search.

use crate::checker::{Finding, Space};
use std::any::Any;
use std::fmt;

/// What comes of a search.
pub struct Outcome<S: Space> {
    /// Why it ended before its end. `None`: every state was seen and every action of it taken.
    pub stopped: Option<Stop>,
    /// Different states.
    pub unique: u64,
    /// Transitions that were taken, and initial states: different or not.
    pub generated: u64,
    /// Actions that were not enabled after all.
    pub disabled: u64,
    /// In how many states which host owns the resource.
    pub owning: Owning,
    /// What was found, each kind once, in the order of [`Finding`].
    pub findings: Vec<Found<S>>,
    /// Breadth-first: how many steps the farthest state is away from the beginning.
    pub deepest: Option<u64>,
    /// What the table of fingerprints takes. 0 if nobody measured it.
    pub table_bytes: u64,
    /// What the frontier took at most. 0 if nobody measured it.
    pub frontier_bytes: u64,
    /// If the space panicked: the way to the state in which it did, when that can be told.
    pub broken: Option<Path<S>>,
}

impl<S: Space> Outcome<S> {
    /// Whether the whole space was seen.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }

    /// What the search took at most, without the space.
    pub fn bytes(&self) -> u64 {
        self.table_bytes + self.frontier_bytes
    }

    /// The same for each different state.
    pub fn bytes_per_state(&self) -> f64 {
        self.bytes() as f64 / self.unique.max(1) as f64
    }
}

/// Why a search ended before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Its memory was used up.
    Memory,
    /// It saw as many states as it was to see.
    States,
    /// Something was found, and the first finding was to be the last.
    Finding,
    /// Somebody raised the flag.
    Interrupted,
    /// The space itself panicked, with these words. Not a panic of the engine under check, which is a finding.
    Broken(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Memory => f.write_str("the memory budget is used up"),
            Stop::States => f.write_str("the number of states asked for is reached"),
            Stop::Finding => f.write_str("something was found"),
            Stop::Interrupted => f.write_str("interrupted"),
            Stop::Broken(message) => write!(f, "the world itself panicked: {message}"),
        }
    }
}

/// One kind of finding.
pub struct Found<S: Space> {
    /// What is wrong.
    pub finding: Finding,
    /// In how many states.
    pub states: u64,
    /// The way to the first of them, breadth-first a shortest one. `None` if paths were not kept.
    pub path: Option<Path<S>>,
}

/// An initial state, and what was done from there.
pub struct Path<S: Space> {
    /// Where it begins.
    pub start: S::State,
    /// What was done.
    pub actions: Vec<S::Action>,
}

impl<S: Space> Path<S> {
    /// Where it leads. `None` if the space does not allow one of the actions.
    pub fn end(&self, space: &S) -> Option<S::State> {
        self.actions.iter().try_fold(self.start, |state, action| space.next(&state, *action))
    }
}

impl<S: Space> Clone for Path<S> {
    fn clone(&self) -> Self {
        Path { start: self.start, actions: self.actions.clone() }
    }
}

impl<S: Space> fmt::Debug for Path<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Path").field("start", &self.start).field("actions", &self.actions).finish()
    }
}

/// In how many states which host owns the resource: an empty world holds everything too.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Owning {
    /// Nobody.
    pub nobody: u64,
    /// Each host, alone or not, host A first.
    pub hosts: [u64; 8],
    /// More than one.
    pub several: u64,
}

impl Owning {
    /// From counts for each set of owners, one bit a host.
    pub(in crate::checker) fn from_sets(sets: &[u64; 256]) -> Owning {
        let mut owning = Owning { nobody: sets[0], ..Owning::default() };
        for (owners, states) in sets.iter().enumerate() {
            for (host, count) in owning.hosts.iter_mut().enumerate() {
                *count += if owners >> host & 1 == 1 { *states } else { 0 };
            }
            owning.several += if owners.count_ones() > 1 { *states } else { 0 };
        }
        owning
    }
}

/// How likely it is, at most, that two of so many states share their 64 bits, so that one of them was taken for seen.
pub fn collision_odds(unique: u64) -> f64 {
    // n²/2 pairs, each with odds 2^-64.
    (unique as f64).powi(2) / 2_f64.powi(65)
}

/// The words of a panic.
pub(in crate::checker) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    words.unwrap_or("without words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Owning, collision_odds};

    #[test]
    fn owners_are_counted_one_by_one_and_together() {
        let mut sets = [0; 256];
        (sets[0], sets[0b01], sets[0b10], sets[0b11]) = (5, 3, 2, 1);
        let owning = Owning::from_sets(&sets);
        assert_eq!((owning.nobody, owning.several, &owning.hosts[..3]), (5, 1, &[4, 3, 0][..]));
    }

    #[test]
    fn sixty_million_states_collide_once_in_ten_thousand_searches() {
        assert!((collision_odds(60_000_000) - 1e-4).abs() < 1e-5);
    }
}
