//! Whether some grant can always still be reached: from which states none can, whatever happens, unless a host crashes.
//!
//! All states are numbered as they are found, breadth-first, and the transitions between them kept as differences of
//! numbers. What leads to a grant is then found by going over the states, backwards and forwards by turns, until nothing
//! changes: backwards finds at once what leads onwards, forwards what leads back.

use super::frontier::{Gauge, Stack};
use super::outcome::{Path, Stop, panic_message};
use super::{Options, Progress};
use crate::checker::Space;
use crate::checker::table::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// States whose transitions lie together.
const GROUP: usize = 64;
/// After so many states it looks at budgets and at the flag.
const STRIDE: usize = 1024;
/// After so many states it tells of its progress.
const TOLD: usize = STRIDE * 64;

/// From which states no grant can be reached any more.
pub struct Stuck<S: Space> {
    /// Why the search ended before its end: then nothing is known.
    pub stopped: Option<Stop>,
    /// Different states.
    pub unique: u64,
    /// In how many of them no grant can be reached any more without a crash. States with a finding are not among them:
    /// they end there by definition. `None` if the search was stopped.
    pub states: Option<u64>,
    /// A shortest way to such a state.
    pub example: Option<Path<S>>,
    /// What the search took in memory, without the space.
    pub bytes: u64,
}

/// Counts the states from which no grant can be reached over transitions that are not crashes. A grant is a transition
/// after which a host owns the resource that did not before.
///
/// Of the options, budgets count; it is one thread, breadth-first, whatever they say.
pub fn stuck<S: Space>(
    space: &S,
    options: &Options,
    progress: &(dyn Fn(&Progress) + Sync),
    stop: &AtomicBool,
) -> Stuck<S> {
    let gauge = Gauge::default();
    let mut map = Map::new(space);
    let drawn = catch_unwind(AssertUnwindSafe(|| map.draw(&gauge, options, progress, stop)));
    let stopped = drawn.unwrap_or_else(|panic| Some(Stop::Broken(panic_message(&*panic))));
    let stopped = stopped.or_else(|| map.spread(stop));
    let bytes = map.bytes() + gauge.most_bytes::<S::State>();
    let unique = map.ways.len() as u64;
    if stopped.is_some() {
        return Stuck { stopped, unique, states: None, example: None, bytes };
    }
    let stuck = map.ways.iter().filter(|way| **way == Way::Unknown).count() as u64;
    let first = map.ways.iter().position(|way| *way == Way::Unknown);
    Stuck { stopped, unique, states: Some(stuck), example: first.map(|first| map.path_to(first)), bytes }
}

/// What is known of a state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// No way to a grant so far.
    Unknown,
    /// A grant can be reached.
    Grant,
    /// It has a finding, and nothing comes after it.
    Ended,
}

/// Where a state was first reached from: the number of the state, and which of the transitions out of it.
#[derive(Clone, Copy)]
struct Origin {
    state: u32,
    action: u16,
}

/// The origin of an initial state, whose place among them is then in `action`.
const BEGINNING: u32 = u32::MAX;

/// All states by number, and the transitions that matter.
struct Map<'a, S: Space> {
    space: &'a S,
    table: Table<u32>,
    ways: Vec<Way>,
    origins: Vec<Origin>,
    /// For each state in order: how many transitions, and where each leads, relative to the state. States that are
    /// settled from the start have none.
    steps: Vec<u8>,
    /// Where each group of [`GROUP`] states begins in `steps`.
    groups: Vec<u64>,
}

impl<'a, S: Space> Map<'a, S> {
    fn new(space: &'a S) -> Map<'a, S> {
        Map { space, table: Table::new(), ways: Vec::new(), origins: Vec::new(), steps: Vec::new(), groups: Vec::new() }
    }

    fn bytes(&self) -> u64 {
        let rows = self.ways.capacity() * size_of::<Way>() + self.origins.capacity() * size_of::<Origin>();
        let steps = self.steps.capacity() + self.groups.capacity() * size_of::<u64>();
        self.table.bytes() + (rows + steps) as u64
    }

    /// Finds all states and their transitions.
    fn draw(
        &mut self,
        gauge: &Gauge,
        options: &Options,
        progress: &(dyn Fn(&Progress) + Sync),
        stop: &AtomicBool,
    ) -> Option<Stop> {
        let mut found = Stack::new(gauge);
        for (place, state) in self.space.initial().into_iter().enumerate() {
            self.reach(state, Origin { state: BEGINNING, action: place as u16 }, &mut found);
        }
        let most = options.max_states.unwrap_or(u64::MAX).min(u64::from(BEGINNING));
        let mut generated = self.ways.len() as u64;
        let mut number = 0;
        let mut room = self.space.room();
        let mut targets = Vec::new();
        loop {
            let level = found.take_all().collect::<Vec<_>>();
            if level.is_empty() {
                return None;
            }
            for block in level {
                for state in &block {
                    if number % STRIDE == 0 {
                        let bytes = self.bytes() + gauge.bytes::<S::State>();
                        let unique = self.ways.len() as u64;
                        if stop.load(Ordering::Relaxed) {
                            return Some(Stop::Interrupted);
                        }
                        if unique > most {
                            return Some(Stop::States);
                        }
                        if options.max_bytes.is_some_and(|most| bytes + self.space.bytes() > most) {
                            return Some(Stop::Memory);
                        }
                        if number % TOLD == TOLD - STRIDE {
                            progress(&Progress { unique, generated, bytes });
                        }
                    }
                    generated += self.expand(number, state, &mut found, &mut room, &mut targets);
                    number += 1;
                }
                found.recycle(block);
            }
        }
    }

    /// Takes every action of a state and writes down where it leads. Returns how many were enabled.
    fn expand(
        &mut self,
        number: usize,
        state: &S::State,
        found: &mut Stack<'_, S::State>,
        room: &mut S::Room,
        targets: &mut Vec<u32>,
    ) -> u64 {
        targets.clear();
        let mut enabled = 0;
        // Every number has its list, so that lists can be found by counting.
        if number.is_multiple_of(GROUP) {
            self.groups.push(self.steps.len() as u64);
        }
        if self.ways[number] != Way::Ended {
            let owners = self.space.owners(state);
            let mut place = 0;
            let space = self.space;
            space.each_next(state, room, &mut |action, next| {
                let origin = Origin { state: number as u32, action: place };
                place += 1;
                let Some(next) = next else { return };
                enabled += 1;
                let grants = space.owners(&next) & !owners != 0;
                let target = self.reach(next, origin, found);
                if space.is_crash(action) {
                    return;
                }
                if grants {
                    self.ways[number] = Way::Grant;
                }
                targets.push(target);
            });
        }
        if self.ways[number] != Way::Unknown {
            targets.clear();
        }
        write_number(&mut self.steps, targets.len() as u64);
        for target in targets.iter() {
            write_number(&mut self.steps, fold(i64::from(*target) - number as i64));
        }
        enabled
    }

    /// The number of a state. All states are looked into in the order of their numbers, those with a finding too.
    fn reach(&mut self, state: S::State, origin: Origin, found: &mut Stack<'_, S::State>) -> u32 {
        let fresh = self.ways.len() as u32;
        if let Some(known) = self.table.insert_or(self.space.fingerprint(&state), || fresh, |known| *known) {
            return known;
        }
        self.ways.push(if self.space.finding(&state).is_some() { Way::Ended } else { Way::Unknown });
        self.origins.push(origin);
        found.push(state);
        fresh
    }

    /// Marks what leads to a grant, until nothing changes.
    fn spread(&mut self, stop: &AtomicBool) -> Option<Stop> {
        let mut lists = Vec::new();
        let mut backwards = true;
        loop {
            let mut changed = false;
            for turn in 0..self.groups.len() {
                let group = if backwards { self.groups.len() - 1 - turn } else { turn };
                changed |= self.spread_group(group, backwards, &mut lists);
                if turn % STRIDE == 0 && stop.load(Ordering::Relaxed) {
                    return Some(Stop::Interrupted);
                }
            }
            // A pass in one direction that changes nothing has looked at every transition.
            if !changed {
                return None;
            }
            backwards = !backwards;
        }
    }

    fn spread_group(&mut self, group: usize, backwards: bool, lists: &mut Vec<(usize, usize)>) -> bool {
        let first = group * GROUP;
        let last = (first + GROUP).min(self.ways.len());
        if !self.ways[first..last].contains(&Way::Unknown) {
            return false;
        }
        lists.clear();
        let mut at = self.groups[group] as usize;
        for number in first..last {
            lists.push((number, at));
            let count = read_number(&self.steps, &mut at);
            for _ in 0..count {
                read_number(&self.steps, &mut at);
            }
        }
        if backwards {
            lists.reverse();
        }
        let mut changed = false;
        for (number, at) in lists.iter() {
            if self.ways[*number] == Way::Unknown && self.leads_to_grant(*number, *at) {
                self.ways[*number] = Way::Grant;
                changed = true;
            }
        }
        changed
    }

    fn leads_to_grant(&self, number: usize, mut at: usize) -> bool {
        let count = read_number(&self.steps, &mut at);
        (0..count).any(|_| {
            let target = number as i64 + unfold(read_number(&self.steps, &mut at));
            self.ways[target as usize] == Way::Grant
        })
    }

    fn path_to(&self, number: usize) -> Path<S> {
        let mut places = Vec::new();
        let mut origin = self.origins[number];
        while origin.state != BEGINNING {
            places.push(usize::from(origin.action));
            origin = self.origins[origin.state as usize];
        }
        let start = self.space.initial()[usize::from(origin.action)];
        let mut path = Path { start, actions: Vec::new() };
        let mut state = start;
        let mut actions = Vec::new();
        for place in places.into_iter().rev() {
            actions.clear();
            self.space.actions(&state, &mut actions);
            let action = actions[place];
            state = self.space.next(&state, action).expect("the step was taken before");
            path.actions.push(action);
        }
        path
    }
}

/// Small numbers of either sign become small numbers.
const fn fold(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unfold(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(bytes: &[u8], at: &mut usize) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::{fold, read_number, unfold, write_number};

    #[test]
    fn numbers_come_back_from_bytes() {
        let numbers = [0, 1, -1, 63, -64, 64, 8_191, -8_193, i64::from(u32::MAX), -i64::from(u32::MAX)];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|number| write_number(&mut bytes, fold(*number)));
        let mut at = 0;
        for number in numbers {
            assert_eq!(unfold(read_number(&bytes, &mut at)), number);
        }
        assert_eq!(at, bytes.len());
    }
}
