//! Small worlds, decided; and the proofs that a canonical state stands for what it was made from.

use super::canon::{HOSTS, Renaming};
use super::host::{FlightOp, NOON, Position, Target};
use super::{BLOCKS, Ballots, HostPart, Kind, LEADER, Move, PARTS, REFEREE, Room, Row, Stepped};
use crate::checker::plan::{BallotPlan, Reductions};
use crate::checker::search::{Options, Order, Outcome, explore, stuck};
use crate::checker::{Finding, Space};
use crate::history::Property;
use crate::limits::Limits;
use crate::setup::{Host, Process, Setup};
use crate::world::World;
use lease_core::format::{HostBlock, Leader, Sector};
use lease_core::numbers::{Generation, Lver, Mbal, Stamp};
use lease_core::profile::Profile;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn setup(hosts: u8, profile: Profile) -> Arc<Setup> {
    Arc::new(Setup::contenders(hosts, profile))
}

pub(super) const CALM: BallotPlan = BallotPlan {
    acquires: None,
    crashes: Some(0),
    late_writes: Some(0),
    torn_blocks: false,
    broken: None,
    reductions: Reductions::ALL,
};
const ONE_EACH: BallotPlan = BallotPlan { acquires: Some(1), ..CALM };
const EVERYTHING: BallotPlan = BallotPlan { crashes: None, late_writes: None, ..CALM };

pub(super) fn world(hosts: u8, profile: Profile, plan: BallotPlan) -> Ballots {
    Ballots::new(setup(hosts, profile), plan).expect("a world of two or three hosts")
}

fn decide(space: &Ballots, order: Order) -> Outcome<Ballots> {
    let options = Options { threads: 2, order, first_finding_only: true, ..Options::default() };
    explore(space, &options, &|_| {}, &AtomicBool::new(false))
}

fn findings(outcome: &Outcome<Ballots>) -> Vec<Finding> {
    outcome.findings.iter().map(|found| found.finding).collect()
}

#[test]
fn two_hosts_and_any_number_of_acquires_are_safe() {
    let space = world(2, Profile::HARDENED, CALM);
    let outcome = decide(&space, Order::DepthFirst);
    assert!(outcome.is_complete());
    assert_eq!(findings(&outcome), []);
    assert_eq!(outcome.unique, 5_322);
    assert_eq!(outcome.owning.several, 0);
    assert!(outcome.owning.hosts[0] > 0 && outcome.owning.hosts[1] > 0, "both come to own it");
    for mark in ["retry after a higher ballot", "adoption of another's value", "abort by a higher version"] {
        assert!(space.reached().contains(&(mark, true)), "{mark}");
    }
}

#[test]
fn from_every_state_of_two_hosts_a_grant_can_be_reached() {
    let space = world(2, Profile::HARDENED, CALM);
    let stuck = stuck(&space, &Options::default(), &|_| {}, &AtomicBool::new(false));
    assert_eq!(stuck.states, Some(0));
}

// 1. A wins version 2, uses it and gives it back. B has looked before that and adopts A's value late.
// 2. A wins version 3 meanwhile; B's commit brings the leader of version 2 back.
// 3. A believes it, and wins version 2 once more.
#[test]
fn without_any_fault_3_8_5_grants_a_version_twice() {
    let space = world(2, Profile::SANLOCK_3_8_5, CALM);
    let outcome = decide(&space, Order::BreadthFirst);
    assert_eq!(findings(&outcome), [Finding::Violated(Property::Agreement)]);
    let path = outcome.findings[0].path.as_ref().expect("paths are kept");
    assert_eq!(path.actions.len(), 31);

    let mut world = World::new(setup(2, Profile::SANLOCK_3_8_5), Limits::TOLERANCE);
    space.follow(&path.start, &path.actions, &mut world, &mut ()).expect("the simulator's world goes the same way");
    assert_eq!(world.violation().map(|violation| violation.property), Some(Property::Agreement));
}

#[test]
fn each_decision_of_the_ballot_is_needed_somewhere() {
    let late = BallotPlan { late_writes: None, ..CALM };
    let crashes = BallotPlan { crashes: None, ..CALM };
    for (decision, plan) in [("own_vote", crashes), ("winner", crashes), ("outstanding_write", late)] {
        let profile = Profile::HARDENED.without(decision).expect("it is a decision");
        let outcome = decide(&world(2, profile, plan), Order::BreadthFirst);
        assert!(matches!(findings(&outcome)[..], [Finding::Violated(_)]), "{decision}");
    }
}

// The canonical form of worlds in which blocks grow rests on that.
#[test]
fn a_block_that_falls_back_where_blocks_are_taken_to_grow_is_found() {
    let space = world(2, Profile::HARDENED, EVERYTHING);
    let part = |lver| {
        let block = HostBlock { mbal: Mbal(1), lver: Lver(lver), ..HostBlock::default() };
        space.sector_part(Position::Block(0), Sector::HostBlock(block))
    };
    let mut parts = space.initial()[0].parts;
    parts[BLOCKS] = part(5);
    let lands = |lver| {
        let stepped = Stepped { host: parts[0], sector: part(lver), place: BLOCKS as u8, ..Stepped::default() };
        let action = Move { host: 0, kind: Kind::Io(0), stretch: 0, sampled_before: 0 };
        let after = space.after(parts, action, &stepped, &mut Room::nothing());
        space.finding(&space.as_it_is(after, &Row::NOTHING))
    };
    assert_eq!([4, 5, 6].map(lands), [Some(Finding::Panicked), None, None]);
}

#[test]
fn reductions_change_no_verdict() {
    let violated = (Profile::SANLOCK_3_8_5, BallotPlan { crashes: Some(1), ..ONE_EACH });
    let late = (Profile::SANLOCK_3_8_5, BallotPlan { late_writes: Some(1), ..ONE_EACH });
    let holds = (Profile::HARDENED, ONE_EACH);
    let crash = (Profile::HARDENED, BallotPlan { crashes: Some(1), ..ONE_EACH });
    for (profile, plan) in [violated, late, holds, crash] {
        let of = |reductions| {
            let space = world(2, profile, BallotPlan { reductions, ..plan });
            let outcome = decide(&space, Order::BreadthFirst);
            (findings(&outcome), outcome.is_complete(), outcome.unique)
        };
        let reduced = of(Reductions::ALL);
        for name in ["completion", "partial_order", "memory"] {
            let whole = of(Reductions::ALL.without(name).expect("it is a reduction"));
            assert_eq!((&whole.0, whole.1), (&reduced.0, reduced.1), "{name}");
            assert!(whole.2 >= reduced.2, "{name} makes the world smaller");
        }
    }
}

// The proofs of the canonical numbers.

/// A source of numbers that is the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// The largest number that a raw state may have, so that a step finds room.
const ENOUGH: u64 = 18;

impl Ballots {
    /// A step as it is, its numbers left alone.
    fn raw_step(&self, row: &Row, action: Move) -> Row {
        let looks = self.looks(&self.hosts.get(row.parts[usize::from(action.host)]).host, action.kind);
        let room = &mut Room::nothing();
        let stepped = self.stepped(&row.parts, action.host, action.kind, looks, room);
        self.as_it_is(self.after(row.parts, action, &stepped, room), row)
    }

    /// What may happen, gaps being what they are.
    fn raw_actions(&self, row: &Row) -> Vec<Move> {
        let mut actions = Vec::new();
        self.actions(row, &mut actions);
        actions.retain(|action| action.stretch == 0);
        actions
    }

    /// A raw state and the canonical one that stands for it agree: the same may happen, and whatever happens leads to
    /// states that agree again, by one of the ways in which the gaps may be stretched.
    fn agree(&self, raw: &Row, canonical: &Row) -> Result<(), TestCaseError> {
        let mut stretched = Vec::new();
        self.actions(canonical, &mut stretched);
        let raw_actions = self.raw_actions(raw);
        let plain = stretched.iter().filter(|action| action.stretch == 0).copied().collect::<Vec<_>>();
        prop_assert_eq!(&raw_actions, &plain, "{}\n{}", self.tell_state(raw), self.tell_state(canonical));
        prop_assert_eq!(self.owners(raw), self.owners(canonical));
        for action in raw_actions {
            let wanted = self.row(self.raw_step(raw, action).parts);
            let ways = stretched.iter().filter(|it| Move { stretch: 0, ..**it } == action);
            let found = ways.map(|it| self.next(canonical, *it).expect("it may happen")).collect::<Vec<_>>();
            prop_assert!(
                found.contains(&wanted),
                "{}\nfrom\n{}\ncanonically\n{}\nleads to\n{}\nand not to\n{}\n{}",
                self.tell_action(raw, action),
                self.tell_state(raw),
                self.tell_state(canonical),
                self.tell_state(&wanted),
                self.tell_state(&found[0]),
                self.difference(&wanted, &found[0]),
            );
        }
        Ok(())
    }

    /// Another state that the same canonical one stands for: clocks of versions, ballots and lives moved on, gaps that
    /// stand for more made wider, and what was forgotten made up anew.
    fn spread(&self, canonical: &Row, dice: &mut Dice) -> Row {
        let mut parts = canonical.parts;
        let renaming = Renaming::spreading(self.sets(&parts), &self.ground, &mut |end| dice.below(end));
        let floor = renaming.new_floor();
        self.rename(&mut parts, self.renamings.id(renaming), &mut Room::nothing());
        for host in 0..self.here() {
            let part = self.sectors.get(parts[BLOCKS + host]);
            let block = match part.sector {
                Sector::HostBlock(block) if block == (HostBlock { mbal: block.mbal, ..HostBlock::default() }) => block,
                _ => continue,
            };
            // Votes of versions that are over, or that are outrun by the block of another host.
            let standing = (0..self.here()).filter(|other| *other != host).map(|other| self.version_in(&parts, other));
            let over = standing.max().unwrap_or(0).max(floor - 1);
            if over > 1 && dice.below(2) == 0 && !self.ground.flags_outlive {
                let block = HostBlock {
                    lver: Lver(1 + dice.below(over as usize - 1) as u64),
                    bal: Mbal(block.mbal.0),
                    inp: self.ground.ids[dice.below(self.here())],
                    inp2: Generation(1),
                    ..block
                };
                let position = Position::Block(host as u8);
                parts[BLOCKS + host] = self.sector_part(position, Sector::HostBlock(block));
            }
        }
        self.spread_leader(&mut parts, dice);
        self.as_it_is(parts, canonical)
    }

    /// The version in the block of a host on disk, if blocks grow; 0: none.
    fn version_in(&self, parts: &[u32; PARTS], host: usize) -> u64 {
        match &self.sectors.get(parts[BLOCKS + host]).sector {
            Sector::HostBlock(block) if self.ground.blocks_grow => block.lver.0,
            _ => 0,
        }
    }

    /// Makes up a leader where only its version is known, and nobody compares it with another.
    fn spread_leader(&self, parts: &mut [u32; PARTS], dice: &mut Dice) {
        let Sector::Leader(leader) = &self.sectors.get(parts[LEADER]).sector else { return };
        let sets = self.sets(parts);
        if !sets.leader_is_one_of_its_version() || sets.is_compared() || dice.below(2) == 0 {
            return;
        }
        let free = leader.timestamp.is_free() || dice.below(2) == 0;
        let leader = Leader {
            timestamp: if free { Stamp::FREE } else { NOON.second().stamp() },
            owner_id: self.ground.ids[dice.below(self.here())],
            owner_generation: Generation(1),
            write_id: self.ground.ids[dice.below(self.here())],
            write_generation: Generation(1),
            ..leader.clone()
        };
        let own = |(me, part): (usize, &HostPart)| leader.owner_id == self.ground.ids[me] && part.host.engine.is_some();
        if !self.hosts_of(parts).enumerate().any(own) {
            parts[LEADER] = self.sector_part(Position::Leader, Sector::Leader(leader));
        }
    }

    /// The lines in which two states differ inside.
    fn difference(&self, one: &Row, other: &Row) -> String {
        let lines = |row: &Row| {
            let hosts = row.parts[..self.here()].iter().map(|id| format!("{:#?}", self.hosts.get(*id).host));
            let referee = format!("{:#?}", self.referees.get(row.parts[REFEREE]).referee);
            hosts.chain([referee]).collect::<String>().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let pairs = lines(one).into_iter().zip(lines(other)).enumerate();
        let differing = pairs.filter(|(_, (one, other))| one != other).take(8);
        differing.map(|(line, (one, other))| format!("line {line}: {one} | {other}\n")).collect()
    }

    /// A canonical state in which a block has a ballot number. (Before that, the lowest number of all would be taken for
    /// the rank of a vote, which canonical states have instead of the numbers of old ballots.)
    fn somewhere(&self, dice: &mut Dice) -> Row {
        let mut row = self.initial()[0];
        let far = dice.below(60);
        for step in 0.. {
            let mut actions = Vec::new();
            self.actions(&row, &mut actions);
            let numbered = self.sets(&row.parts).forgetful(&self.ground) || self.ground.may_zero;
            // Where both blocks are damaged nobody ever has a number again.
            if actions.is_empty() || step % 200 == 199 {
                row = self.initial()[0];
            } else if step >= far && numbered {
                break;
            } else {
                row = self.next(&row, actions[dice.below(actions.len())]).expect("it may happen");
            }
        }
        row
    }

    fn walk_and_compare(&self, seed: u64, steps: usize) -> Result<(), TestCaseError> {
        let mut dice = Dice(seed | 1);
        let mut raw = self.somewhere(&mut dice);
        for _ in 0..steps {
            let canonical = self.row(raw.parts);
            if self.finding(&canonical).is_some() || self.sets(&raw.parts).largest() > ENOUGH {
                raw = self.somewhere(&mut dice);
                continue;
            }
            self.agree(&raw, &canonical)?;
            let spread = self.spread(&canonical, &mut dice);
            prop_assert_eq!(self.row(spread.parts), canonical, "{}", self.tell_state(&spread));
            if self.sets(&spread.parts).largest() <= ENOUGH {
                self.agree(&spread, &canonical)?;
            }
            let actions = self.raw_actions(&raw);
            match actions.is_empty() {
                true => raw = self.somewhere(&mut dice),
                false => raw = self.raw_step(&raw, actions[dice.below(actions.len())]),
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn canonical_states_of_two_hosts_stand_for_all_others(seed in any::<u64>()) {
        world(2, Profile::HARDENED, EVERYTHING).walk_and_compare(seed, 400)?;
    }

    #[test]
    fn canonical_states_of_three_hosts_stand_for_all_others(seed in any::<u64>()) {
        world(3, Profile::HARDENED, EVERYTHING).walk_and_compare(seed, 200)?;
    }

    #[test]
    fn canonical_states_without_late_writes_stand_for_all_others(seed in any::<u64>()) {
        world(2, Profile::HARDENED, BallotPlan { crashes: None, ..CALM }).walk_and_compare(seed, 200)?;
        world(3, Profile::HARDENED, BallotPlan { crashes: None, ..CALM }).walk_and_compare(seed, 200)?;
    }

    #[test]
    fn canonical_states_with_torn_blocks_stand_for_all_others(seed in any::<u64>()) {
        world(2, Profile::HARDENED, BallotPlan { torn_blocks: true, ..EVERYTHING }).walk_and_compare(seed, 400)?;
    }

    #[test]
    fn canonical_states_of_3_8_5_stand_for_all_others(seed in any::<u64>()) {
        world(2, Profile::SANLOCK_3_8_5, EVERYTHING).walk_and_compare(seed, 400)?;
    }

    #[test]
    fn canonical_states_of_unfused_steps_stand_for_all_others(seed in any::<u64>()) {
        let reductions = Reductions { completion: false, partial_order: false, ..Reductions::ALL };
        world(2, Profile::HARDENED, BallotPlan { reductions, ..EVERYTHING }).walk_and_compare(seed, 400)?;
    }
}

/// The simulator's world goes wherever these worlds go, and comes to the same: who uses the resource, and in which
/// version.
fn compare_with_the_world(hosts: u8, plan: BallotPlan, seed: u64, far: usize) -> Result<(), TestCaseError> {
    let space = world(hosts, Profile::HARDENED, plan);
    let mut dice = Dice(seed | 1);
    let start = space.initial()[0];
    let (mut row, mut path) = (start, Vec::new());
    for _ in 0..far {
        // A ghost lives too short for the death of its host, a look at an owner too short for any death or join, and a
        // step that stretches made-up gaps is made up.
        let looks_at_owner = space
            .hosts_of(&row.parts)
            .any(|part| part.host.flights.iter().any(|it| matches!(it.op, FlightOp::Read(Target::Delta(_), _))));
        let takes_long = |it: &&Move| match it.kind {
            Kind::CrashWithGhost(_) => true,
            Kind::Rejoin => looks_at_owner,
            Kind::Io(index) => {
                let flight = &space.hosts.get(row.parts[usize::from(it.host)]).host.flights[usize::from(index)];
                looks_at_owner && matches!(flight.op, FlightOp::Read(Target::Area, _))
            }
            _ => false,
        };
        let actions = space.raw_actions(&row);
        let actions = actions.iter().filter(|it| !takes_long(it)).collect::<Vec<_>>();
        let Some(action) = actions.get(dice.below(actions.len().max(1))) else { break };
        path.push(**action);
        row = space.next(&row, **action).expect("it may happen");
    }
    let mut world = World::new(setup(hosts, Profile::HARDENED), Limits::TOLERANCE);
    let followed = space.follow(&start, &path, &mut world, &mut ());
    prop_assert!(followed.is_ok(), "{}", followed.unwrap_err());
    prop_assert!(world.violation().is_none());
    let uses = |host: u8| world.process(Host(host), Process(0)).is_some_and(|process| !process.uses.is_empty());
    let owners = (0..hosts).map(|host| u8::from(uses(host)) << host).sum::<u8>();
    prop_assert_eq!(owners, space.owners(&row));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_world_goes_wherever_two_hosts_go(seed in any::<u64>(), far in 1..60_usize) {
        compare_with_the_world(2, BallotPlan { crashes: None, late_writes: None, ..CALM }, seed, far)?;
    }

    #[test]
    fn the_world_goes_wherever_three_hosts_go(seed in any::<u64>(), far in 1..60_usize) {
        compare_with_the_world(3, BallotPlan { crashes: None, ..CALM }, seed, far)?;
    }
}

#[test]
fn states_and_moves_are_told_in_words() {
    let space = world(2, Profile::HARDENED, CALM);
    let row = space.initial()[0];
    assert_eq!(
        space.tell_state(&row),
        "A (host id 1, life 1): its client asks for the resource\n    looks at leader and blocks\n\
         B (host id 2, life 1): its client asks for the resource\n    looks at leader and blocks\n\
         the leader: version 1: free, written by nobody\nA's block: never written\nB's block: never written"
    );
    assert_eq!((PARTS, REFEREE, HOSTS), (8, 7, 3));
}
