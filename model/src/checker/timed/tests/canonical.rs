//! Canonical numbers change nothing: both tests walk on raw values, where every clock, stamp, generation and version
//! goes on growing, and compare with what the space makes of it.
//!
//! *Walks*: what is canonical after a raw step is what the space steps to. *Re-concretisation*: a canonical state stands
//! for many raw ones; whichever is drawn, all its actions lead where the space says. Each is blind to what the other
//! sees.

use super::{ROLE, setup};
use crate::checker::Space;
use crate::checker::intern::mix;
use crate::checker::plan::TimedPlan;
use crate::checker::timed::canon::{Kind, Number};
use crate::checker::timed::disk::{Disk, SLOTS};
use crate::checker::timed::host::{HostState, Io, IoKind};
use crate::checker::timed::machine::{Machine, marks};
use crate::checker::timed::setting::HOSTS;
use crate::checker::timed::{Action, EVERYBODY, Looks, State, Timed, What, Wrong, canon};
use crate::history::Property;
use crate::setup::WdmdProfile;
use lease_core::format::{Sector, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Numbers, Second, Span, Stamp, Time};
use lease_core::profile::Profile;
use lease_core::seam::Slot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A state on raw values.
#[derive(Clone)]
struct Raw {
    hosts: Vec<HostState>,
    disk: Disk,
    now: [u64; HOSTS],
    ticked: u8,
    wrong: Wrong,
}

/// A die of our own.
struct Die(u64);

impl Die {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % sides
    }
}

impl Raw {
    fn of(space: &Timed, state: &State) -> Raw {
        let leases = std::array::from_fn(|slot| space.lease(state, slot).clone());
        Raw {
            hosts: (0..space.hosts()).map(|index| space.host(state, index).clone()).collect(),
            disk: Disk { leases, resource: space.resource(state).clone() },
            now: space.shown(),
            ticked: state.ticked,
            wrong: state.finding,
        }
    }

    fn one(&mut self, space: &Timed, index: usize, what: What) {
        self.now[index] += u64::from(what == What::Tick);
        let (host, now) = (self.hosts[index].clone(), Second(self.now[index]));
        let mut machine = Machine::new(&space.setting, index, host, self.disk.clone(), now, Looks::EVERYWHERE);
        machine.run(what);
        if machine.marks & marks::OLD_GENERATION != 0 {
            self.wrong = Wrong::Violated(Property::Generations);
        }
        (self.hosts[index], self.disk) = (machine.host, machine.disk);
        if what == What::Crash || self.hosts[index].on.is_none() {
            // The clock of the next life is another.
            self.now[index] += 1;
        }
        if matches!(what, What::Tick | What::Miss) {
            self.ticked |= 1 << index;
        }
    }

    fn step(&mut self, space: &Timed, state: &State, action: Action) {
        if action.host != EVERYBODY {
            return self.one(space, usize::from(action.host), action.what);
        }
        for index in (0..space.hosts()).filter(|index| space.ticks(state, *index)) {
            self.one(space, index, What::Tick);
        }
    }

    fn canonical(&self, space: &Timed) -> State {
        let Raw { mut hosts, mut disk, now, ticked, wrong } = self.clone();
        for (index, host) in hosts.iter_mut().enumerate() {
            canon::local(&space.setting, index, host, Second(now[index]));
        }
        canon::resource(&space.setting, &mut disk.resource);
        let state = space.row_of(hosts, disk, &now);
        space.judge(State { ticked, finding: if wrong == Wrong::Nothing { state.finding } else { wrong }, ..state })
    }
}

/// Spreads canonical numbers to raw ones.
struct Spread<'a> {
    space: &'a Timed,
    die: &'a mut Die,
    /// Whose times these are, and by how much its clock is ahead.
    own: Option<(usize, u64)>,
    ahead: [u64; HOSTS],
    stamps: &'a mut BTreeMap<(usize, u64), u64>,
    generations: &'a [[u64; 16]; SLOTS],
    present: u64,
    far: u64,
}

impl Numbers for Spread<'_> {
    fn time(&mut self, time: &mut Time) {
        let (_, ahead) = self.own.expect("only hosts have times");
        *time = time.after(Span::from_secs(ahead));
    }

    fn second(&mut self, second: &mut Second) {
        let (host, ahead) = self.own.expect("only hosts have times");
        let now = self.space.setting.now(host).0;
        let oldest = self.space.setting.oldest[host];
        *second = match second.0 {
            0 => return,
            // Long ago: in no relation to anything else.
            value @ 1..=3 => Second(now + ahead - 2_000 - self.far - value),
            value if value < now && now - value > oldest => Second(value + ahead - (now - value - oldest) * 17),
            value => Second(value + ahead),
        };
    }

    fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
        let Some(slot) = self.space.setting.layout.slot(by) else { return };
        if stamp.0 <= 1 {
            return;
        }
        let fixed = (0..self.space.hosts()).find(|host| self.space.setting.now(*host).0 == stamp.0);
        if let Some(host) = fixed {
            stamp.0 += self.ahead[host];
            return;
        }
        let fresh = 100_000 + self.die.below(1_000) * 100 + stamp.0;
        stamp.0 = *self.stamps.entry((slot, stamp.0)).or_insert(fresh);
    }

    fn generation(&mut self, of: HostId, generation: &mut Generation) {
        if let Some(slot) = self.space.setting.layout.slot(of) {
            generation.0 = self.generations[slot][generation.0 as usize];
        }
    }

    fn lver(&mut self, lver: &mut Lver) {
        lver.0 = match lver.0 {
            0 => 0,
            1 => 1 + self.die.below(self.present - 1),
            ahead => self.present + ahead - 2,
        };
    }
}

/// One of the raw states that a canonical state stands for.
fn concrete(space: &Timed, state: &State, die: &mut Die) -> Raw {
    let mut raw = Raw::of(space, state);
    let ahead: [u64; HOSTS] = std::array::from_fn(|_| 10_000 + die.below(100_000));
    let mut stamps = BTreeMap::new();
    let generations = std::array::from_fn(|slot: usize| {
        let (mut table, mut value) = ([0; 16], 0);
        let never =
            |lease: &Sector| matches!(lease, Sector::Delta { lease, .. } if lease.owner_generation == Generation(0));
        if space.setting.constant[slot].is_some() || never(space.lease(state, slot)) {
            // What others see of an ideal observer never changes, and a slot that was never acquired is an anchor.
            return std::array::from_fn(|rank| rank as u64);
        }
        for (rank, place) in table.iter_mut().enumerate().skip(1) {
            value += if rank as u64 > canon::WRITABLE { 1 } else { 1 + die.below(5) };
            *place = value;
        }
        table
    });
    let present = 5 + die.below(1_000);
    let unit = space.setting.setup.disks[0].sector_size;
    for index in 0..=space.hosts() {
        let own = (index < space.hosts()).then(|| (index, ahead[index]));
        let far = die.below(3_000);
        let mut spread =
            Spread { space, die, own, ahead, stamps: &mut stamps, generations: &generations, present, far };
        match own {
            Some(_) => {
                let me = space.setting.layout.slots[space.setting.slot_of[index]];
                raw.hosts[index].visit(unit, &mut spread);
                spread.generation(me, &mut raw.hosts[index].joined);
                raw.now[index] += ahead[index];
            }
            None => {
                for (slot, lease) in raw.disk.leases.iter_mut().enumerate().take(space.setting.layout.slots.len()) {
                    lease.visit_at(SectorKind::Delta(space.setting.layout.slots[slot]), &mut spread);
                }
                raw.disk.resource.visit(&space.setting.layout.slots, &mut spread);
            }
        }
    }
    raw
}

fn worlds() -> Vec<(&'static str, Timed)> {
    let all = TimedPlan { jitter: true, stalls: true, daemon_kills: true, ..ROLE };
    let pair = TimedPlan { role: false, jitter: true, ..ROLE };
    let hard = |hosts| Arc::new(setup(hosts, (1, 3, 2)));
    let mut old = setup(2, (1, 4, 2));
    for host in &mut old.hosts {
        (host.config.profile, host.wdmd) = (Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5);
    }
    let mut one_slot = setup(2, (1, 3, 2));
    one_slot.hosts[1].memberships[0].host_id = HostId(1);
    vec![
        ("role, everything", Timed::leases(hard(2), all)),
        ("pair", Timed::leases(hard(2), pair)),
        (
            "pair, late renewals, everything",
            Timed::leases(hard(2), TimedPlan { role: false, late_renewals: true, ..all }),
        ),
        ("three hosts, jitter, late renewals", Timed::leases(hard(3), TimedPlan { late_renewals: true, ..pair })),
        ("three hosts, everything", Timed::leases(hard(3), TimedPlan { role: false, ..all })),
        ("three hosts in step", Timed::leases(hard(3), TimedPlan { jitter: false, ..pair })),
        ("pair, sanlock 3.8.5", Timed::leases(Arc::new(old), TimedPlan { stalls: true, ..pair })),
        ("two hosts at one slot", Timed::host_ids(Arc::new(one_slot), TimedPlan { stalls: true, ..pair })),
        ("landing apart", {
            let mut plan = TimedPlan { late_renewals: true, ..pair };
            plan.reductions.completion = false;
            Timed::leases(hard(2), plan)
        }),
    ]
}

/// Some walks prefer time, or the life of hosts, so that they get far.
fn choose(actions: &[Action], die: &mut Die) -> Action {
    let dull = |action: &Action| {
        matches!(action.what, What::Crash | What::StopDaemon | What::StopWdmd | What::KillDaemon | What::Release)
    };
    let lively: Vec<Action> = actions.iter().copied().filter(|action| !dull(action)).collect();
    let from = if lively.is_empty() || die.below(12) == 0 { actions } else { &lively };
    from[die.below(from.len() as u64) as usize]
}

fn agree(name: &str, space: &Timed, raw: &Raw, before: &State, action: Action) -> State {
    let expected = space.next(before, action).expect("it is enabled");
    let found = raw.canonical(space);
    if found != expected {
        let told = space.tell_action(before, action);
        for index in 0..space.hosts() {
            assert_eq!(
                space.host(&found, index),
                space.host(&expected, index),
                "{name}: {told} in\n{}",
                space.tell_state(before)
            );
        }
        for slot in 0..SLOTS {
            assert_eq!(space.lease(&found, slot), space.lease(&expected, slot), "{name}: {told}");
        }
        assert_eq!(space.resource(&found), space.resource(&expected), "{name}: {told}");
        assert_eq!(found, expected, "{name}: {told} in\n{}", space.tell_state(before));
    }
    expected
}

#[test]
fn raw_walks_agree_with_canonical_ones() {
    for (name, space) in worlds() {
        for seed in 0..12 {
            let mut die = Die(seed);
            let mut state = space.initial()[0];
            let mut raw = Raw::of(&space, &state);
            let mut actions = Vec::new();
            for _ in 0..400 {
                actions.clear();
                space.actions(&state, &mut actions);
                if actions.is_empty() {
                    break;
                }
                let action = choose(&actions, &mut die);
                raw.step(&space, &state, action);
                state = agree(name, &space, &raw, &state, action);
                raw.ticked = state.ticked;
            }
        }
    }
}

#[test]
fn whatever_a_canonical_state_stands_for_behaves_like_it() {
    for (name, space) in worlds() {
        for seed in 0..10 {
            let mut die = Die(1_000 + seed);
            let mut state = space.initial()[0];
            let mut actions = Vec::new();
            for step in 0..300 {
                actions.clear();
                space.actions(&state, &mut actions);
                if actions.is_empty() {
                    break;
                }
                if step % 5 == 0 {
                    let raw = concrete(&space, &state, &mut die);
                    for action in &actions {
                        let mut raw = raw.clone();
                        raw.step(&space, &state, *action);
                        agree(name, &space, &raw, &state, *action);
                    }
                }
                state = space.next(&state, choose(&actions, &mut die)).expect("it is enabled");
            }
        }
    }
}

#[test]
fn generations_keep_their_distances_above_what_can_be_written_and_their_order_below() {
    let space = Timed::leases(Arc::new(setup(2, (1, 3, 2))), ROLE);
    let number = |kind, value| Number { slot: 0, kind, value };
    let numbers = [12, 14, 3, 5, 9, 12].map(|value| number(Kind::Generation, value));
    let writable = [number(Kind::Writable, 13), number(Kind::Writable, 12)];
    let targets = canon::targets(&space.setting, &[&numbers, &writable], &space.shown()[..2]);
    assert_eq!(targets, [8, 10, 5, 6, 7, 8, 9, 8]);
}

#[test]
fn stamps_are_named_by_equality_and_that_of_the_present_second_is_its_own() {
    let space = Timed::leases(Arc::new(setup(2, (1, 3, 2))), ROLE);
    let number = |slot, value| Number { slot, kind: Kind::Stamp, value };
    let [a, b, ..] = space.shown();
    let numbers = [number(0, 70), number(0, a), number(0, 30), number(1, 70), number(0, 70), number(1, b)];
    let targets = canon::targets(&space.setting, &[&numbers], &[a, b]);
    assert_eq!(targets, [2, a, 3, 2, 2, b]);
}

#[test]
fn ages_beyond_all_limits_keep_their_order_and_moments_to_come_their_distance() {
    let space = Timed::leases(Arc::new(setup(2, (1, 3, 2))), ROLE);
    let mut host = space.host(&space.initial()[0], 1).clone();
    let (now, oldest) = (Second(5_000_000), space.setting.oldest[1]);
    let age = |age: u64| Second(now.0 - age);
    let on = host.on.as_mut().expect("an ideal observer is on");
    let io = |slot, second| Io { slot: Slot(slot), kind: IoKind::Landed, issued: second };
    on.client.uses = true;
    on.landed = age(oldest + 700);
    on.ios = vec![io(7, age(oldest + 20)), io(8, age(oldest)), io(9, age(oldest + 700))];
    on.fires = now.after(3);
    canon::local(&space.setting, 1, &mut host, now);
    let (on, fixed) = (host.on.expect("it still is"), space.setting.now(1));
    let ages: Vec<u64> = on.ios.iter().map(|io| fixed.since(io.issued)).collect();
    // Of the engine of the observer something lies long ago, too.
    let [less, limit, more] = ages[..] else { unreachable!("there are three") };
    assert_eq!(limit, oldest);
    assert!(oldest < less && less < more && more < oldest + 9, "{ages:?}");
    assert_eq!((fixed.since(on.landed), on.fires), (more, fixed.after(3)));
}
