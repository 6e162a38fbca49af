//! Small spaces whose size and faults can be told by counting on paper.
//!
//! Each test and bench takes what it needs of them.
#![allow(dead_code)]

use model::World;
use model::checker::intern::mix;
use model::checker::{Finding, Lost, Space, one_by_one};
use model::happening::Sink;
use model::history::Property;
use std::fmt::Debug;
use std::hash::Hash;

/// What differs between the toys: states, and moves by number.
pub(crate) trait Puzzle: Send + Sync {
    type State: Copy + Eq + Hash + Debug + Send + Sync + 'static;

    /// How many moves there are; not all of them are enabled everywhere.
    const MOVES: u8;

    fn initial(&self) -> Vec<Self::State>;

    fn step(&self, state: &Self::State, number: u8) -> Option<Self::State>;

    fn fingerprint(&self, state: &Self::State) -> u64;

    fn finding(&self, _: &Self::State) -> Option<Finding> {
        None
    }

    fn owners(&self, _: &Self::State) -> u8 {
        0
    }

    fn is_crash(&self, _: u8) -> bool {
        false
    }

    fn tell(&self, state: &Self::State) -> String {
        format!("the toy is at {state:?}")
    }

    fn tell_move(&self, _: &Self::State, number: u8) -> String {
        format!("move {number}")
    }
}

/// A puzzle as a space.
pub(crate) struct Toy<P>(pub(crate) P);

impl<P: Puzzle> Space for Toy<P> {
    type State = P::State;
    type Action = u8;
    type Room = Vec<u8>;

    fn initial(&self) -> Vec<P::State> {
        self.0.initial()
    }

    fn actions(&self, state: &P::State, actions: &mut Vec<u8>) {
        if self.0.finding(state).is_none() {
            actions.extend(0..P::MOVES);
        }
    }

    fn next(&self, state: &P::State, action: u8) -> Option<P::State> {
        self.0.step(state, action)
    }

    fn room(&self) -> Vec<u8> {
        Vec::new()
    }

    fn each_next(&self, state: &P::State, room: &mut Vec<u8>, each: &mut impl FnMut(u8, Option<P::State>)) {
        one_by_one(self, state, room, each);
    }

    fn fingerprint(&self, state: &P::State) -> u64 {
        self.0.fingerprint(state)
    }

    fn finding(&self, state: &P::State) -> Option<Finding> {
        self.0.finding(state)
    }

    fn owners(&self, state: &P::State) -> u8 {
        self.0.owners(state)
    }

    fn is_crash(&self, action: u8) -> bool {
        self.0.is_crash(action)
    }

    fn tell_state(&self, state: &P::State) -> String {
        self.0.tell(state)
    }

    fn tell_action(&self, state: &P::State, action: u8) -> String {
        self.0.tell_move(state, action)
    }

    fn tell_finding(&self, _: &P::State) -> String {
        "the toy says so".to_owned()
    }

    fn follow<S: Sink>(&self, _: &P::State, _: &[u8], _: &mut World, _: &mut S) -> Result<(), Lost> {
        Err(Lost { step: 0, why: "a toy has no world".to_owned() })
    }

    fn watched(&self) -> &'static [Property] {
        &[Property::Exclusion]
    }

    fn reached(&self) -> Vec<(&'static str, bool)> {
        Vec::new()
    }
}

/// Two hosts and one lock. Each looks at it, and then takes it; `careful` ones look and take in one step. Who holds it
/// may give it back, or crash and leave it taken.
pub(crate) struct Locks {
    pub(crate) careful: bool,
    pub(crate) crashes: bool,
}

/// What a host is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Doing {
    Nothing,
    SawItFree,
    Holds,
    Crashed,
}

/// The two hosts, and whether the lock is marked as taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Room {
    hosts: [Doing; 2],
    taken: bool,
}

impl Puzzle for Locks {
    type State = Room;

    /// Look, take, give back, crash: of either host.
    const MOVES: u8 = 8;

    fn initial(&self) -> Vec<Room> {
        vec![Room { hosts: [Doing::Nothing; 2], taken: false }]
    }

    fn step(&self, room: &Room, number: u8) -> Option<Room> {
        let host = usize::from(number % 2);
        let mut next = *room;
        (next.hosts[host], next.taken) = match (number / 2, room.hosts[host]) {
            (0, Doing::Nothing) if !room.taken && self.careful => (Doing::Holds, true),
            (0, Doing::Nothing) if !room.taken => (Doing::SawItFree, false),
            (1, Doing::SawItFree) => (Doing::Holds, true),
            (2, Doing::Holds) => (Doing::Nothing, false),
            (3, Doing::Holds) if self.crashes => (Doing::Crashed, true),
            _ => return None,
        };
        Some(next)
    }

    fn fingerprint(&self, room: &Room) -> u64 {
        let [a, b] = room.hosts.map(|doing| doing as u64);
        mix(1 + a + 4 * b + 16 * u64::from(room.taken))
    }

    fn finding(&self, room: &Room) -> Option<Finding> {
        (self.owners(room) == 0b11).then_some(Finding::Violated(Property::Exclusion))
    }

    fn owners(&self, room: &Room) -> u8 {
        (0..2).map(|host| u8::from(room.hosts[host] == Doing::Holds) << host).sum()
    }

    fn is_crash(&self, number: u8) -> bool {
        number / 2 == 3
    }

    fn tell(&self, room: &Room) -> String {
        let [a, b] = room.hosts;
        let lock = if room.taken { "taken" } else { "free" };
        format!("host A: {a:?}\nhost B: {b:?}\nthe lock is {lock}")
    }

    fn tell_move(&self, _: &Room, number: u8) -> String {
        let host = ["host A", "host B"][usize::from(number % 2)];
        let what = ["looks at the lock", "takes the lock", "gives the lock back", "crashes"];
        format!("{host} {}", what[usize::from(number / 2)])
    }
}

/// A wheel with so many teeth, turned by one in either direction: as deep as a space can be, and one large cycle.
pub(crate) struct Wheel(pub(crate) u32);

impl Puzzle for Wheel {
    type State = u32;

    const MOVES: u8 = 2;

    fn initial(&self) -> Vec<u32> {
        vec![0]
    }

    fn step(&self, at: &u32, number: u8) -> Option<u32> {
        Some(if number == 0 { (at + 1) % self.0 } else { (at + self.0 - 1) % self.0 })
    }

    fn fingerprint(&self, at: &u32) -> u64 {
        mix(u64::from(*at)).max(1)
    }
}

/// Rows of ids, as the spaces of the checker have them: `turns[n]` values at the place `n`, each turned by itself, up to
/// its last. A memoised space looks a step up; this one adds, which costs less. It has a finding where `bad` says.
pub(crate) struct Rows {
    pub(crate) turns: [u8; 5],
    pub(crate) bad: Option<([u8; 5], Finding)>,
}

/// 48 bytes, as a state of three hosts and their sectors has.
pub(crate) type Row = [u32; 12];

impl Rows {
    pub(crate) fn size(&self) -> u64 {
        self.turns.iter().map(|turns| u64::from(*turns)).product()
    }

    /// The transitions, if nothing is bad: at each place one less than there are values, whatever the others are.
    pub(crate) fn transitions(&self) -> u64 {
        self.turns.iter().map(|turns| self.size() / u64::from(*turns) * u64::from(*turns - 1)).sum()
    }
}

impl Puzzle for Rows {
    type State = Row;

    const MOVES: u8 = 5;

    fn initial(&self) -> Vec<Row> {
        vec![[0; 12]]
    }

    fn step(&self, row: &Row, number: u8) -> Option<Row> {
        let place = usize::from(number);
        let mut next = *row;
        next[place] += 1;
        (next[place] < u32::from(self.turns[place])).then_some(next)
    }

    /// Combines a hash of each place.
    fn fingerprint(&self, row: &Row) -> u64 {
        let places = row.iter().zip(0_u64..);
        places.fold(0, |sum, (value, place)| sum ^ mix(u64::from(*value) << 8 | place)).max(1)
    }

    fn finding(&self, row: &Row) -> Option<Finding> {
        let (at, finding) = self.bad.as_ref()?;
        row.iter().zip(at).all(|(value, at)| *value == u32::from(*at)).then_some(*finding)
    }

    fn owners(&self, row: &Row) -> u8 {
        u8::from(row[0] == 1) | u8::from(row[1] == 1) << 1
    }
}
