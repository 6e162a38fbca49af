//! A walk through every state of a space, with a frontier of our own.
//!
//! Each state costs about 23 bytes in a table of fingerprints, and a place in the frontier only until it is looked into:
//! no state carries the path to it. A path is told afterwards, from the fingerprints that led there. So deep and cyclic
//! worlds cost no more than shallow ones.
//!
//! *Depth-first*: every thread has a stack, and gives the older half of it away when another has nothing.
//! *Breadth-first*: level by level, all threads on the same level, so that the path to what is found first is a shortest
//! one, with any number of threads.
//!
//! Complete searches give the same counts whatever the order and the number of threads, and with one thread the same
//! paths. What a search refuses: to look at the time (whoever wants to stop it raises the flag), and to call anything
//! complete of which it did not see the end.

mod frontier;
mod outcome;
mod stuck;
mod walk;
mod ways;

pub use outcome::{Found, Outcome, Owning, Path, Stop, collision_odds};
pub use stuck::{Stuck, stuck};
pub use walk::explore;
pub use ways::ways;

pub(super) use outcome::panic_message;

/// How to search.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many threads.
    pub threads: usize,
    /// Which state comes next.
    pub order: Order,
    /// What the search and the space may take; `None`: no bound. Looked at every thousand states.
    pub max_bytes: Option<u64>,
    /// How many different states are enough, give or take a thousand a thread; `None`: all.
    pub max_states: Option<u64>,
    /// Whether the first finding ends the search. Otherwise findings are counted and the search goes on beside them.
    pub first_finding_only: bool,
}

impl Default for Options {
    /// One thread, depth-first, to the end.
    fn default() -> Self {
        Options { threads: 1, order: Order::DepthFirst, max_bytes: None, max_states: None, first_finding_only: false }
    }
}

/// Which state comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The one that was found last: little memory, long paths.
    DepthFirst,
    /// The one that was found first: more memory, shortest paths.
    BreadthFirst,
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Different states.
    pub unique: u64,
    /// Transitions that were taken, and initial states.
    pub generated: u64,
    /// What the search takes in memory, without the space.
    pub bytes: u64,
}
