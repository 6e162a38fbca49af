//! What is forgotten decides nothing: the whole world with its memory and the whole world without it are compared, state by
//! state, until it is certain that whatever the one can do the other can, for ever.
//!
//! Walks compare what is forgotten with what was not for some hundred steps; here every state of a small world is sorted
//! into classes, first by what it looks like, then again and again by what classes its actions lead to, until no class
//! falls apart any more. The two worlds are alike if they have the same classes.

use super::{JITTER, PAIR, ROLE, impatient, setup};
use crate::checker::Space;
use crate::checker::intern::{content_hash, mix};
use crate::checker::plan::{Reductions, TimedPlan};
use crate::checker::timed::{Action, State, Timed};
use crate::setup::{Device, Setup, WdmdProfile};
use lease_core::profile::Profile;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every state of a space, and what its actions lead to.
struct Graph {
    /// What is to be done, and the state that comes of it.
    steps: Vec<Vec<(u64, usize)>>,
    class: Vec<u64>,
}

impl Graph {
    fn of(space: &Timed) -> Graph {
        let mut known = BTreeMap::new();
        let mut states: Vec<State> = space.initial();
        known.insert(space.fingerprint(&states[0]), 0);
        let (mut steps, mut class) = (Vec::new(), Vec::new());
        while let Some(state) = states.get(steps.len()).copied() {
            let mut actions = Vec::new();
            space.actions(&state, &mut actions);
            let mut out = Vec::new();
            for action in actions {
                let next = space.next(&state, action).expect("it is enabled");
                let to = *known.entry(space.fingerprint(&next)).or_insert_with(|| {
                    states.push(next);
                    states.len() - 1
                });
                out.push((label(action), to));
            }
            steps.push(out);
            class.push(look(space, &state));
        }
        Graph { steps, class }
    }

    /// Sorts once more.
    fn refine(&mut self) {
        let next = self.steps.iter().zip(&self.class).map(|(steps, class)| {
            let mut ways: Vec<u64> = steps.iter().map(|(label, to)| mix(label ^ mix(self.class[*to]))).collect();
            ways.sort_unstable();
            ways.dedup();
            content_hash(&(class, ways))
        });
        self.class = next.collect();
    }

    fn classes(&self) -> Vec<u64> {
        let mut classes = self.class.clone();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

/// Who does what; slots of I/O only name it.
fn label(action: Action) -> u64 {
    content_hash(&(action.host, std::mem::discriminant(&action.what)))
}

/// What nobody may overlook in a state.
fn look(space: &Timed, state: &State) -> u64 {
    let landed = |index| space.host(state, index).on.as_ref().map(|on| on.landed);
    let landed: Vec<_> = (0..space.hosts()).map(landed).collect();
    content_hash(&(state.owners, state.ticked, state.finding, landed))
}

/// States with and without, once it is certain that they do the same.
fn alike_for_ever(setup: Setup, plan: TimedPlan) -> (usize, usize) {
    let setup = Arc::new(setup);
    let space = |memory| {
        let reductions = Reductions { memory, symmetry: false, ..plan.reductions };
        Graph::of(&Timed::leases(setup.clone(), TimedPlan { reductions, ..plan }))
    };
    let (mut with, mut without) = (space(true), space(false));
    let mut before = 0;
    loop {
        let (one, other) = (with.classes(), without.classes());
        assert_eq!(one.len(), other.len(), "a world with memory does the same as one without");
        assert_eq!(one, other, "a world with memory does the same as one without");
        if one.len() == before {
            return (with.steps.len(), without.steps.len());
        }
        before = one.len();
        with.refine();
        without.refine();
    }
}

#[test]
fn a_role_forgets_nothing_that_matters() {
    let (with, without) = alike_for_ever(setup(2, (1, 4, 2)), JITTER);
    assert!(with * 2 < without, "{with} of {without} states");
    alike_for_ever(impatient(), JITTER);
}

#[test]
fn a_pair_forgets_nothing_that_matters() {
    let (with, without) = alike_for_ever(setup(2, (1, 3, 2)), PAIR);
    assert!(with * 4 < without, "{with} of {without} states");
    let mut late = setup(2, (1, 3, 2));
    for host in &mut late.hosts {
        host.device = Device::Late { percent: 150 };
    }
    alike_for_ever(late, PAIR);
}

#[test]
fn neither_does_the_daemon_of_today_nor_one_that_is_killed() {
    let mut old = setup(2, (1, 3, 2));
    for host in &mut old.hosts {
        (host.config.profile, host.wdmd) = (Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5);
    }
    alike_for_ever(old.clone(), PAIR);
    alike_for_ever(old, TimedPlan { daemon_kills: true, ..ROLE });
    alike_for_ever(setup(2, (1, 3, 2)), TimedPlan { late_renewals: true, ..ROLE });
}

#[test]
fn a_pair_with_jitter_forgets_nothing_that_matters() {
    alike_for_ever(setup(2, (1, 3, 2)), TimedPlan { role: false, ..JITTER });
}
