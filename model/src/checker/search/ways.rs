//! More ways to what is wrong, one after another, when the first is not good enough for something.

use super::Path;
use crate::checker::intern::mix;
use crate::checker::{Finding, Space};
use std::collections::{BTreeMap, VecDeque};

/// How much longer than a shortest one a way may be, one after another.
const DETOURS: [usize; 6] = [0, 1, 2, 3, 4, 6];

/// A state of the part of a space that was looked at.
struct Place<S: Space> {
    state: S::State,
    /// How far from the beginning.
    depth: usize,
    /// From where, and how.
    from: Vec<(usize, S::Action)>,
}

/// Shows `each` ways to states with a finding, shorter ones first, until it says that it has seen enough, but not more
/// than `most`. Looks at so many different states at most. The same ways in the same order in every run.
pub fn ways<S: Space>(space: &S, finding: Finding, states: usize, most: usize, each: &mut dyn FnMut(&Path<S>) -> bool) {
    let (places, ends) = look(space, finding, states);
    let mut shown: Vec<Vec<S::Action>> = Vec::new();
    let mut drawn = 0;
    for try_number in 0..2 * most {
        let Some(end) = ends.get(try_number % ends.len().max(1)) else { return };
        let detour = DETOURS[try_number / ends.len() % DETOURS.len()];
        let path = back(&places, *end, places[*end].depth + detour, &mut drawn);
        // States that are one but for an exchange of hosts do not follow each other as they stand.
        let leads = path.end(space).is_some_and(|end| space.finding(&end) == Some(finding));
        if !leads || shown.contains(&path.actions) {
            continue;
        }
        if each(&path) || shown.len() + 1 >= most {
            return;
        }
        shown.push(path.actions);
    }
}

/// All states up to a number of them, nearest first, and which of them have the finding.
fn look<S: Space>(space: &S, finding: Finding, states: usize) -> (Vec<Place<S>>, Vec<usize>) {
    let mut places: Vec<Place<S>> = Vec::new();
    let mut known: BTreeMap<u64, usize> = BTreeMap::new();
    let (mut frontier, mut ends) = (VecDeque::new(), Vec::new());
    for state in space.initial() {
        known.entry(space.fingerprint(&state)).or_insert_with(|| {
            frontier.push_back(places.len());
            places.push(Place { state, depth: 0, from: Vec::new() });
            places.len() - 1
        });
    }
    let mut actions = Vec::new();
    while let Some(at) = frontier.pop_front() {
        let (state, depth) = (places[at].state, places[at].depth);
        actions.clear();
        space.actions(&state, &mut actions);
        for action in &actions {
            let Some(next) = space.next(&state, *action) else { continue };
            let print = space.fingerprint(&next);
            if let Some(to) = known.get(&print) {
                places[*to].from.push((at, *action));
                continue;
            }
            if places.len() >= states {
                continue;
            }
            known.insert(print, places.len());
            match space.finding(&next) {
                None => frontier.push_back(places.len()),
                Some(found) if found == finding => ends.push(places.len()),
                Some(_) => {}
            }
            places.push(Place { state: next, depth: depth + 1, from: vec![(at, *action)] });
        }
    }
    (places, ends)
}

/// A way to a place in so many steps at most, drawn.
fn back<S: Space>(places: &[Place<S>], end: usize, mut steps: usize, drawn: &mut u64) -> Path<S> {
    let (mut at, mut actions) = (end, Vec::new());
    while places[at].depth > 0 {
        let near: Vec<&(usize, S::Action)> =
            places[at].from.iter().filter(|(from, _)| places[*from].depth < steps).collect();
        *drawn += 1;
        let (from, action) = near[(mix(*drawn) % near.len() as u64) as usize];
        actions.push(*action);
        (at, steps) = (*from, steps - 1);
    }
    actions.reverse();
    Path { start: places[at].state, actions }
}
