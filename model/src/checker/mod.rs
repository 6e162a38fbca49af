//! Every path: small worlds that are decided completely.
//!
//! The simulator draws one path by seed. Here the same engine, the same wdmd and the same rules of the disk are put
//! into small worlds of which *all* paths are walked. What makes these worlds finite is that their states are rewritten
//! to canonical ones: others compare stamps only for equality, ages only against fixed limits, versions and ballot
//! numbers only by order and distance. So "holds" means for all time, not up to a horizon.
//!
//! | room | what it is |
//! |---|---|
//! | [`Space`] | a transition system on small rows of ids: what every search walks through |
//! | [`intern`] | values behind ids, and the table of transitions already worked out |
//! | [`plan`] | what a world consists of |
//! | [`ballots`] | worlds without time: every I/O of the ballot interleaved |
//! | [`timed`] | worlds with time: host ids, leases and watchdogs, tick by tick |
//! | [`search`] | the walk through every state of a space, with a frontier of our own |
//! | [`mod@stateright`] | the same spaces under stateright's checkers, and in its Explorer |
//!
//! It refuses to choose, like the rest of this crate, and it refuses to say "holds" of anything that it did not see to
//! its end: a search that was cut off is *undecided*.

pub mod ballots;
mod driver;
pub mod intern;
pub mod plan;
pub mod search;
pub mod stateright;
mod table;
pub mod timed;

use crate::happening::Sink;
use crate::history::Property;
use crate::world::World;
use std::fmt::Debug;
use std::hash::Hash;

/// A transition system: small states, the actions that are enabled in each, and what comes of them.
///
/// States are values without meaning outside their space: rows of ids, with a fingerprint that combines the content of
/// what the ids stand for, never the ids themselves. So two runs that number things in different orders agree.
///
/// States are canonical: a space never gives two states of which one is the other with its clocks and versions moved.
pub trait Space: Send + Sync {
    /// A state.
    type State: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// Something that may happen in a state.
    type Action: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// Room to work in, and for what was worked out lately. Nothing but time depends on what is there.
    type Room: Send;

    /// Where everything begins.
    fn initial(&self) -> Vec<Self::State>;

    /// Appends what may happen next, in an order that depends on the content of the state alone. A state with a finding
    /// has no actions.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// What comes of an action. `None`: it is not enabled after all. A panic of the engine is a state with a
    /// [`Finding::Panicked`].
    fn next(&self, state: &Self::State, action: Self::Action) -> Option<Self::State>;

    /// Room for one thread to work in.
    fn room(&self) -> Self::Room;

    /// The [`actions`](Space::actions), in their order, and what comes of each.
    fn each_next(
        &self,
        state: &Self::State,
        room: &mut Self::Room,
        each: &mut impl FnMut(Self::Action, Option<Self::State>),
    );

    /// 64 bits by which states are told apart: not zero, and well mixed, for tables take some of them for a number.
    fn fingerprint(&self, state: &Self::State) -> u64;

    /// What is wrong in a state, if anything is.
    fn finding(&self, state: &Self::State) -> Option<Finding>;

    /// The hosts whose clients use the resource, one bit each, host A the lowest.
    fn owners(&self, state: &Self::State) -> u8;

    /// Whether an action is a fault that a cluster which is to make progress again must not need: a crash.
    fn is_crash(&self, action: Self::Action) -> bool;

    /// A state in words: hosts, sectors, what is in flight. Several lines.
    fn tell_state(&self, state: &Self::State) -> String;

    /// An action in words, in the state in which it is chosen. One line.
    fn tell_action(&self, state: &Self::State, action: Self::Action) -> String;

    /// More about a finding: the message of a panic.
    fn tell_finding(&self, state: &Self::State) -> String;

    /// Walks the simulator's world along a path from the initial state `start` of this space, so that the path becomes an
    /// ordinary run: the world is new, of the same set-up, and what the space left out (joins, renewals, tests of wdmd
    /// that nothing hangs on) is filled in.
    ///
    /// # Errors
    ///
    /// If the world cannot follow, where and why: then the space has a path that the world has not.
    fn follow<S: Sink>(
        &self,
        start: &Self::State,
        path: &[Self::Action],
        world: &mut World,
        sink: &mut S,
    ) -> Result<(), Lost>;

    /// The properties that can fail in this space. Those which it does not watch are not reported as holding.
    fn watched(&self) -> &'static [Property] {
        Property::ALL
    }

    /// What the space itself keeps in memory: values behind ids, transitions worked out.
    fn bytes(&self) -> u64 {
        0
    }

    /// What the space leaves out so that it comes to an end, and whether it had to leave out anything so far.
    fn bounds(&self) -> Vec<Bound> {
        Vec::new()
    }

    /// What was seen to be reachable so far, by name: proof that the space is not empty of what matters. In a fixed order.
    fn reached(&self) -> Vec<(&'static str, bool)>;
}

/// The actions of a state one after the other, and what comes of each: [`Space::each_next`] where nothing is gained by
/// looking at them together. `actions` is room to work in.
pub fn one_by_one<S: Space>(
    space: &S,
    state: &S::State,
    actions: &mut Vec<S::Action>,
    each: &mut impl FnMut(S::Action, Option<S::State>),
) {
    actions.clear();
    space.actions(state, actions);
    actions.iter().for_each(|action| each(*action, space.next(state, *action)));
}

/// Something that a space does without, so that it comes to an end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// What: "at most so many ...".
    pub what: String,
    /// Whether anything was left out for it. If not, what was seen is the whole world.
    pub reached: bool,
}

impl Bound {
    /// The bound in a line, after a search that was complete or not.
    pub fn told(&self, complete: bool) -> String {
        let reached = match (self.reached, complete) {
            (true, _) => "reached: what lies beyond it was left out",
            (false, true) => "never reached: nothing was left out for it",
            (false, false) => "not reached so far",
        };
        format!("bound: {}; {reached}", self.what)
    }
}

/// What can be wrong in a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Finding {
    /// A property is violated.
    Violated(Property),
    /// An assertion of the engine failed on the way into this state.
    Panicked,
}

/// Where the simulator's world could not follow a path of a space.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("after {step} of the steps: {why}")]
pub struct Lost {
    /// How many steps of the path it went.
    pub step: usize,
    /// What stood in the way.
    pub why: String,
}
