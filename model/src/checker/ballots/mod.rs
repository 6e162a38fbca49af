//! Worlds without time: ballot, commit and release of one resource, every I/O interleaved with every other.
//!
//! Two or three hosts are in the lockspace. Their engines are real and whole; what is left out is time. Nobody renews,
//! and whether the instance that owns a version is alive is told by an oracle that knows: an instance counts as dead
//! from its crash on. I/O takes as long as it likes, so every order of I/Os is walked through.
//!
//! A read of an area samples the leader first and the blocks later; what lies between is walked through, too. All
//! stamps are of one second, so they tell nothing.
//!
//! | room | what it decides |
//! |---|---|
//! | `host` | one host: engine, client, what is in flight |
//! | `canon`, `leaders` | which states are one and the same |
//! | `parts` | what a state consists of |
//! | `referee` | what must hold |
//! | `tell`, `follow` | paths in words, and in the simulator's world |

mod canon;
mod follow;
mod host;
mod leaders;
mod parts;
mod referee;
mod tell;
#[cfg(test)]
mod tests;

use self::canon::{Broken, HOSTS, Referee, Renaming, Sets};
use self::host::{BallotHost, Client, Effects, FlightOp, Ground, NOON, Position, Target};
use self::parts::{HostPart, Looks, Offer, RefereePart, Room, SectorPart, StepKey, Stepped};
use super::intern::{Interner, Lately, Memo, mix};
use super::plan::{BallotPlan, BrokenDisk};
use super::search::panic_message;
use super::{Finding, Lost, Space};
use crate::happening::Sink;
use crate::history::Property;
use crate::setup::{ResourceIx, Setup};
use crate::world::World;
use lease_core::format::{HostBlock, Leader, Sector};
use lease_core::numbers::{Generation, Lver};
use lease_core::profile::{OutstandingWrite, RegressedLeader, Retract};
use lease_core::seam::{Input, IoResult};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// EIO, the end of a late write that never landed.
const EIO: u16 = 5;
/// Parts of a state: the hosts, the leader, the blocks, the referee.
const PARTS: usize = 2 * HOSTS + 2;
const LEADER: usize = HOSTS;
const BLOCKS: usize = HOSTS + 1;
const REFEREE: usize = PARTS - 1;
/// More rounds of renaming than any state needs.
const ROUNDS: usize = 8;
/// Bytes that an engine has on the heap for itself, about: an acquire, its leader, what is in flight.
const HEAP: usize = 768;
/// Nothing: the part of a host that does not exist.
const NOBODY: u32 = u32::MAX;
/// The effects of a step of which nothing is to be judged.
const NO_EFFECTS: u16 = 0;
/// More than there are renamings.
const CANONICAL: u32 = u32::MAX - u8::MAX as u32;
/// The place of no sector.
const NOWHERE: u8 = u8::MAX;

/// A state: ids of its parts, and the sum of the hashes of what they stand for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    sum: u64,
    parts: [u32; PARTS],
    /// In how many ways its gaps may have to be stretched.
    stretches: u8,
}

impl Row {
    /// No state: what all others differ from in everything.
    const NOTHING: Row = Row { sum: 0, parts: [NOBODY; PARTS], stretches: 1 };

    fn fingerprint(&self) -> u64 {
        mix(self.sum).max(1)
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

/// Something that may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Move {
    host: u8,
    kind: Kind,
    /// Which gaps of the numbers are wider than they look.
    stretch: u8,
    /// The other hosts whose looks sampled the leader just before this write of it landed, one bit each. When nobody
    /// overwrites it, it makes no difference when they did, so until then they have not.
    sampled_before: u8,
}

/// What happens. Numbers are places in the host's list of I/Os or waiting tasks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Kind {
    /// An I/O goes on by a step: lands, is sampled, completes.
    Io(u8),
    /// A look samples the leader, and that alone.
    Sample(u8),
    /// A task is woken at its moment.
    Wake(u8),
    /// The write that this task waits for takes too long.
    TimeOut(u8),
    /// The late write lands.
    LateLands,
    /// The late write of a block lands torn.
    LateTorn,
    /// The late write ends without landing.
    LateFails,
    /// A write completes, and the disk loses it.
    Lose(u8),
    /// Somebody writes zeros over the block of this host.
    Erase,
    /// Somebody writes a new leader.
    Initialise,
    /// The client asks for the resource.
    Ask,
    /// The client gives the resource back.
    Release,
    /// The host loses its power, and with it whatever was in flight.
    Crash,
    /// The host loses its power; one write is still on its way.
    CrashWithGhost(u8),
    /// The host boots and joins again.
    Rejoin,
}

/// One world without time.
pub struct Ballots {
    ground: Ground,
    plan: BallotPlan,
    hosts: Interner<HostPart>,
    sectors: Interner<SectorPart>,
    referees: Interner<RefereePart>,
    effects: Interner<Effects>,
    renamings: Interner<Renaming>,
    steps: Memo<StepKey, Stepped>,
    canons: Memo<Sets, u32>,
    verdicts: Memo<(u32, u32, Kind, u32), u32>,
    renamed: Memo<(u8, u32, u32), u32>,
    panics: Interner<String>,
    reached: AtomicU32,
}

impl Ballots {
    /// The world of the first resource of a set-up, and all its hosts.
    ///
    /// # Errors
    ///
    /// If the set-up has no resource, or not two or three hosts.
    pub fn new(setup: Arc<Setup>, plan: BallotPlan) -> Result<Ballots, String> {
        if setup.resources.len() != 1 {
            return Err(format!("a ballot world has one resource, found {}", setup.resources.len()));
        }
        if !(2..=HOSTS).contains(&setup.hosts.len()) {
            return Err(format!("a ballot world has 2 or {HOSTS} hosts, found {}", setup.hosts.len()));
        }
        let space = setup.resources[0].lockspace;
        let id = |memberships: &[crate::setup::Membership]| {
            memberships.iter().find(|it| it.lockspace == space).map(|it| it.host_id)
        };
        let ids = setup.hosts.iter().map(|host| id(&host.memberships)).collect::<Option<Vec<_>>>();
        let ids = ids.ok_or("every host of a ballot world takes part in the lockspace of its resource")?;
        let any = |asked: &dyn Fn(&lease_core::profile::Profile) -> bool| {
            setup.hosts.iter().any(|host| asked(&host.config.profile))
        };
        let ground = Ground {
            resource: ResourceIx(0),
            ids,
            eager: plan.reductions.partial_order,
            stride: setup.resources[0].geometry.max_hosts(),
            may_zero: plan.broken.is_some() || any(&|profile| profile.retract == Retract::Zeroed),
            absolute: plan.broken == Some(BrokenDisk::Initialised),
            writes_fail: plan.late_writes != Some(0),
            damage: plan.torn_blocks,
            blocks_grow: plan.broken.is_none()
                && plan.reductions.completion
                && plan.reductions.memory
                && !any(&|profile| !grows(profile)),
            flags_outlive: any(&|profile| profile.regressed_leader == RegressedLeader::Believed),
            setup,
        };
        let effects = Interner::new();
        assert_eq!(effects.id(Effects::default()), u32::from(NO_EFFECTS), "they come first");
        Ok(Ballots {
            ground,
            plan,
            hosts: Interner::new(),
            sectors: Interner::new(),
            referees: Interner::new(),
            effects,
            renamings: Interner::new(),
            steps: Memo::new(),
            canons: Memo::new(),
            verdicts: Memo::new(),
            renamed: Memo::new(),
            panics: Interner::new(),
            reached: AtomicU32::new(0),
        })
    }

    /// How many values and transitions were worked out, for whoever measures.
    pub fn sizes(&self) -> String {
        format!(
            "{} host states, {} sectors, {} referees, {} host steps, {} renamings of parts",
            self.hosts.len(),
            self.sectors.len(),
            self.referees.len(),
            self.steps.len(),
            self.renamed.len(),
        )
    }

    fn host_part(&self, me: u8, mut host: BallotHost) -> u32 {
        host.flights.shrink_to_fit();
        host.wakes.shrink_to_fit();
        let offer = |kind| Offer { kind, looks: self.looks(&host, kind), lands_leader: host.lands_leader(kind) };
        let offers = self.kinds(&host).into_iter().map(offer).collect();
        let late = host.late_write().is_some();
        let holds = matches!(host.client, Client::Holding(_));
        // At most 2^7 generations are alive in the numbers of a state.
        let life = (host.generation.0 as u32) << 1 | u32::from(host.engine.is_some());
        let unsampled = |op: &FlightOp| matches!(op, FlightOp::Read(Target::Area, sampled) if sampled.is_empty());
        let looks = host.flights.iter().position(|flight| unsampled(&flight.op)).map(|index| index as u8);
        let sets = Sets::of_host(&host, &self.ground, me);
        self.hosts.id(HostPart { me, host: Box::new(host), sets, offers, looks, late, holds, life })
    }

    fn sector_part(&self, position: Position, sector: Sector) -> u32 {
        self.sector_part_since(position, sector, HostBlock::default())
    }

    fn sector_part_since(&self, position: Position, sector: Sector, was: HostBlock) -> u32 {
        let sets = Sets::of_sector(&sector, was, position, &self.ground);
        self.sectors.id(SectorPart { position, sector, was, sets })
    }

    fn referee_part(&self, referee: Referee) -> u32 {
        let sets = Sets::of_referee(&referee, &self.ground);
        self.referees.id(RefereePart { referee, sets })
    }

    /// What may happen to a host, as far as it depends on the host alone.
    fn kinds(&self, host: &BallotHost) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let late = host.late_write();
        let torn = |flight: &host::Flight| {
            self.plan.torn_blocks && matches!(flight.op, FlightOp::Write(Position::Block(_), ..))
        };
        match self.plan.broken {
            Some(BrokenDisk::ErasedBlocks) => kinds.push(Kind::Erase),
            Some(BrokenDisk::Initialised) => kinds.extend([Kind::Erase, Kind::Initialise]),
            _ => {}
        }
        if host.engine.is_none() {
            if let Some(ghost) = late {
                kinds.push(Kind::LateLands);
                kinds.extend(torn(ghost).then_some(Kind::LateTorn));
            }
            kinds.push(Kind::Rejoin);
            kinds.sort_unstable();
            return kinds;
        }
        for (index, flight) in host.flights.iter().enumerate().filter(|(_, flight)| !flight.late) {
            kinds.push(Kind::Io(index as u8));
            if self.plan.broken == Some(BrokenDisk::LosesWrites) && matches!(flight.op, FlightOp::Write(..)) {
                kinds.push(Kind::Lose(index as u8));
            }
            if let FlightOp::Write(_, _, landed) = flight.op
                && self.plan.late_writes != Some(0)
            {
                if !landed {
                    kinds.push(Kind::CrashWithGhost(index as u8));
                }
                let waits = host.wakes.iter().position(|(task, _)| *task == flight.task);
                kinds.extend(waits.map(|index| Kind::TimeOut(index as u8)));
            }
        }
        if let Some(flight) = late {
            kinds.push(Kind::LateLands);
            kinds.extend((!flight.is_ghost()).then_some(Kind::LateFails));
            kinds.extend(torn(flight).then_some(Kind::LateTorn));
        }
        for (index, (task, _)) in host.wakes.iter().enumerate() {
            if !host.awaits_io(*task) {
                kinds.push(Kind::Wake(index as u8));
            }
        }
        if matches!(host.client, Client::Holding(_)) {
            kinds.push(Kind::Release);
        }
        if host.may_ask() && !self.ground.eager {
            kinds.push(Kind::Ask);
        }
        kinds.push(Kind::Crash);
        kinds.sort_unstable();
        kinds
    }

    fn here(&self) -> usize {
        self.ground.setup.hosts.len()
    }

    fn hosts_of(&self, row: &[u32; PARTS]) -> impl Iterator<Item = &HostPart> {
        row[..self.here()].iter().map(|id| self.hosts.get(*id))
    }

    fn position(place: usize) -> Position {
        if place == LEADER { Position::Leader } else { Position::Block((place - BLOCKS) as u8) }
    }

    fn place(position: Position) -> usize {
        match position {
            Position::Leader => LEADER,
            Position::Block(host) => BLOCKS + usize::from(host),
        }
    }

    fn sets(&self, parts: &[u32; PARTS]) -> Sets {
        let mut sets = self.referees.get(parts[REFEREE]).sets;
        self.hosts_of(parts).for_each(|host| sets.add(&host.sets));
        parts[LEADER..=LEADER + self.here()].iter().for_each(|part| sets.add(&self.sectors.get(*part).sets));
        sets
    }

    fn rename(&self, parts: &mut [u32; PARTS], id: u32, room: &mut Room) {
        let renaming = self.renamings.get(id);
        let ground = &self.ground;
        for place in (0..self.here()).chain(LEADER..=LEADER + self.here()).chain([REFEREE]) {
            let key = (place as u8, parts[place], id);
            parts[place] = self.renamed.get_or_lately(&mut room.renamed, key, |(_, part, _)| match place {
                REFEREE => {
                    let mut referee = self.referees.get(*part).referee.clone();
                    renaming.referee(&mut referee, ground);
                    self.referee_part(referee)
                }
                0..HOSTS => {
                    let mut host = self.hosts.get(*part).host.as_ref().clone();
                    renaming.host(&mut host, ground, place as u8);
                    host.share_with(&self.hosts.get(*part).host);
                    self.host_part(place as u8, host)
                }
                _ => {
                    let SectorPart { mut sector, was, .. } = self.sectors.get(*part).clone();
                    renaming.sector(&mut sector, Ballots::position(place), ground);
                    self.sector_part_since(Ballots::position(place), sector, renaming.block(was, ground))
                }
            });
        }
    }

    /// The state that these parts are, made canonical.
    fn row(&self, parts: [u32; PARTS]) -> Row {
        self.row_of(parts, self.sets(&parts), &Row::NOTHING, &mut Room::nothing())
    }

    /// The same, their numbers being known, and a state `before` that differs from it in little.
    fn row_of(&self, mut parts: [u32; PARTS], mut sets: Sets, before: &Row, room: &mut Room) -> Row {
        // What is forgotten in one round may make room for the next.
        for _ in 0..ROUNDS {
            let canon = self.canon(sets, room);
            if canon >= CANONICAL {
                return Row { stretches: (canon - CANONICAL) as u8, ..self.as_it_is(parts, before) };
            }
            self.rename(&mut parts, canon, room);
            sets = self.sets(&parts);
        }
        unreachable!("each round forgets something, and there is little to forget")
    }

    /// The renaming that makes a state with these numbers canonical; or, from [`CANONICAL`] on, that it is, and in how many
    /// ways its gaps may have to be stretched.
    fn canon(&self, sets: Sets, room: &mut Room) -> u32 {
        self.canons.get_or_lately(&mut room.canons, sets, |sets| match sets.canonical(&self.ground) {
            true => CANONICAL + u32::from(sets.stretches(&self.ground)),
            false => self.renamings.id(sets.renaming(&self.ground)),
        })
    }

    /// The state that these parts are, where that of a state which differs from it in little is known.
    fn as_it_is(&self, parts: [u32; PARTS], before: &Row) -> Row {
        let changed = (0..PARTS).filter(|place| parts[*place] != before.parts[*place]);
        let sum = changed.fold(before.sum, |sum, place| {
            sum.wrapping_add(self.hash(place, parts[place])).wrapping_sub(self.hash(place, before.parts[place]))
        });
        Row { sum, parts, stretches: 1 }
    }

    /// The hash of a part. Hosts and sectors have their place in their content.
    fn hash(&self, place: usize, part: u32) -> u64 {
        match place {
            _ if part == NOBODY => 0,
            REFEREE => self.referees.hash(part),
            0..HOSTS => self.hosts.hash(part),
            _ => self.sectors.hash(part),
        }
    }

    /// What a step of a host looks at besides the host.
    fn looks(&self, host: &BallotHost, kind: Kind) -> Looks {
        let (Kind::Io(index) | Kind::Sample(index)) = kind else { return Looks::default() };
        let FlightOp::Read(target, sampled) = &host.flights[usize::from(index)].op else { return Looks::default() };
        let whole = matches!(kind, Kind::Io(_)) && self.ground.eager;
        match (target, sampled.len()) {
            // The oracle is asked when a look at the area ends.
            (Target::Area, 0) => Looks { sector: Some(LEADER as u8), blocks: whole, lives: whole, ..Looks::default() },
            (Target::Area, 1) => Looks { blocks: true, lives: true, ..Looks::default() },
            (Target::Area, _) => Looks { lives: true, ..Looks::default() },
            (Target::Blocks, 0) => Looks { blocks: true, ..Looks::default() },
            (Target::Sector(position), 0) => {
                Looks { sector: Some(Ballots::place(*position) as u8), ..Looks::default() }
            }
            (Target::Delta(other), 0) => Looks { delta: Some(*other), ..Looks::default() },
            _ => Looks::default(),
        }
    }

    fn looks_at(&self, parts: &[u32; PARTS], looks: Looks) -> [u32; BLOCKS + 1] {
        let mut looks_at = [NOBODY; BLOCKS + 1];
        if let Some(place) = looks.sector {
            looks_at[0] = parts[usize::from(place)];
        }
        if looks.blocks {
            for (to, from) in looks_at[1..].iter_mut().zip(BLOCKS..BLOCKS + self.here()) {
                *to = parts[from];
            }
        }
        if let Some(other) = looks.delta {
            looks_at[0] = self.hosts.get(parts[usize::from(other)]).life >> 1;
        }
        if looks.lives {
            looks_at[BLOCKS] = self.hosts_of(parts).fold(0, |lives, part| lives << 8 | part.life);
        }
        looks_at
    }

    fn stepped(&self, parts: &[u32; PARTS], host: u8, kind: Kind, looks: Looks, room: &mut Room) -> Stepped {
        let key = StepKey { host: parts[usize::from(host)], kind, looks_at: self.looks_at(parts, looks) };
        self.steps.get_or_lately(&mut room.steps, key, |key| self.step(key))
    }

    /// Works out a step.
    fn step(&self, key: &StepKey) -> Stepped {
        let part = self.hosts.get(key.host);
        let mut host = part.host.as_ref().clone();
        let mut effects = Effects::default();
        let mut landed = None;
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            landed = self.take(&mut host, part.me, key, &mut effects);
            self.ground.settle(&mut host, &mut effects);
        }));
        if let Err(panic) = stepped {
            let host = self.panics.id(panic_message(&*panic));
            return Stepped { host, place: NOWHERE, panicked: true, ..Stepped::default() };
        }
        self.note(key.kind, &effects);
        let (place, sector) = landed.map_or((NOWHERE, 0), |(position, sector): (Position, Sector)| {
            (Ballots::place(position) as u8, self.sector_part(position, sector))
        });
        // What was only to be noted is not to be judged.
        effects.events.clear();
        host.share_with(&part.host);
        let effects = u16::try_from(self.effects.id(effects)).expect("few things can be chosen and granted");
        Stepped { host: self.host_part(part.me, host), sector, place, panicked: false, effects }
    }

    /// Carries a step out. Returns what it wrote.
    fn take(&self, host: &mut BallotHost, me: u8, key: &StepKey, effects: &mut Effects) -> Option<(Position, Sector)> {
        let ground = &self.ground;
        let late = |host: &BallotHost| host.flights.iter().position(|flight| flight.late).expect("it is under way");
        match key.kind {
            Kind::Io(index) => return self.io(host, usize::from(index), key, effects),
            Kind::Sample(index) => {
                let FlightOp::Read(_, sampled) = &mut host.flights[usize::from(index)].op else {
                    unreachable!("only reads are sampled")
                };
                sampled.push(self.sectors.get(key.looks_at[0]).sector.clone());
            }
            Kind::Wake(index) | Kind::TimeOut(index) => {
                let (task, at) = host.wakes.remove(usize::from(index));
                if let Some(flight) = host.flights.iter_mut().find(|flight| flight.task == task && !flight.late) {
                    flight.late = true;
                }
                ground.feed(host, host::due(at), Input::Wake { task }, effects);
            }
            Kind::LateLands | Kind::LateTorn | Kind::LateFails => {
                let flight = host.flights.remove(late(host));
                let ghost = flight.is_ghost();
                let FlightOp::Write(position, sector, landed) = flight.op else { unreachable!("only writes are late") };
                let result = if key.kind == Kind::LateFails { IoResult::Failed(EIO) } else { IoResult::Written };
                if host.engine.is_some() && !ghost {
                    ground.feed(host, NOON, Input::IoDone { slot: flight.slot, result }, effects);
                }
                return match key.kind {
                    Kind::LateLands if !landed => Some((position, *sector)),
                    Kind::LateTorn if !landed => Some((position, torn())),
                    _ => None,
                };
            }
            Kind::Ask => ground.ask(host, effects),
            Kind::Release => ground.release(host, effects),
            Kind::Crash => host.crash(None),
            Kind::CrashWithGhost(index) => host.crash(Some(usize::from(index))),
            Kind::Rejoin => {
                let mut flights = std::mem::take(&mut host.flights);
                flights.retain(|_| self.plan.broken == Some(BrokenDisk::GhostsForEver));
                *host = BallotHost { flights, ..ground.host(me, host.generation.next(), host.acquires) };
            }
            Kind::Lose(index) => {
                let flight = host.flights.remove(usize::from(index));
                ground.feed(host, NOON, Input::IoDone { slot: flight.slot, result: IoResult::Written }, effects);
            }
            Kind::Erase => return Some((Position::Block(me), Sector::Zero)),
            Kind::Initialise => return Some((Position::Leader, Sector::Leader(ground.fresh_leader()))),
        }
        None
    }

    fn io(
        &self,
        host: &mut BallotHost,
        index: usize,
        key: &StepKey,
        effects: &mut Effects,
    ) -> Option<(Position, Sector)> {
        let fused = self.plan.reductions.completion;
        let sector = |id: u32| self.sectors.get(id).sector.clone();
        let blocks = || key.looks_at[1..BLOCKS].iter().filter(|id| **id != NOBODY).map(|id| sector(*id));
        let mut wrote = None;
        let flight = &mut host.flights[index];
        match &mut flight.op {
            FlightOp::Write(position, sector, landed) => {
                if !*landed {
                    *landed = true;
                    wrote = Some((*position, sector.as_ref().clone()));
                    if !fused {
                        return wrote;
                    }
                }
            }
            FlightOp::Read(target, sampled) => {
                let before = sampled.len();
                match target {
                    Target::Area if before == 0 => {
                        sampled.push(sector(key.looks_at[0]));
                        if !self.ground.eager {
                            return None;
                        }
                        sampled.extend(blocks());
                    }
                    Target::Area if before == 1 => sampled.extend(blocks()),
                    Target::Blocks if before == 0 => {
                        sampled.push(Sector::Zero);
                        sampled.extend(blocks());
                    }
                    Target::Sector(_) if before == 0 => sampled.push(sector(key.looks_at[0])),
                    Target::Delta(other) if before == 0 => {
                        let lease = self.ground.record(*other, Generation(u64::from(key.looks_at[0])));
                        sampled.push(Sector::Delta { lease, bitmap: Box::new(lease_core::format::Bitmap::EMPTY) });
                    }
                    _ => {}
                }
                if !fused && sampled.len() != before {
                    return None;
                }
            }
        }
        let flight = host.flights.remove(index);
        let result = match &flight.op {
            FlightOp::Write(..) => IoResult::Written,
            FlightOp::Read(target, sampled) => IoResult::Read(self.ground.data(*target, sampled)),
        };
        let looks = matches!(flight.op, FlightOp::Read(Target::Area, _));
        if looks {
            let lives = key.looks_at[BLOCKS];
            let others: Vec<_> = (0..self.here())
                .map(|other| {
                    let life = lives >> (8 * (self.here() - 1 - other));
                    (self.ground.record(other as u8, Generation(u64::from(life >> 1 & 0x7f))), life & 1 == 1)
                })
                .collect();
            self.ground.believe(host, &others);
        }
        self.ground.feed(host, NOON, Input::IoDone { slot: flight.slot, result }, effects);
        if looks {
            self.ground.believe(host, &[]);
        }
        wrote
    }

    /// What may happen in a state, the parts that come of it, before numbers are renamed, and their numbers. Where gaps are
    /// stretched first these are left out.
    fn each_step(
        &self,
        state: &Row,
        room: &mut Room,
        each: &mut impl FnMut(Move, Option<([u32; PARTS], Sets)>, &mut Room),
    ) {
        let parts = &state.parts;
        let referee = &self.referees.get(parts[REFEREE]).referee;
        if referee.broken.is_some() {
            return;
        }
        let late = referee.late_writes == Some(0) || self.hosts_of(parts).any(|part| part.late);
        let crashed = referee.crashes == Some(0);
        let spent = |kind| match kind {
            Kind::Crash => crashed,
            Kind::CrashWithGhost(_) => crashed || late,
            Kind::TimeOut(_) => late,
            _ => false,
        };
        let looks = |part: &HostPart| self.ground.eager && part.looks.is_some();
        let lookers: u8 = self.hosts_of(parts).enumerate().map(|(host, part)| u8::from(looks(part)) << host).sum();
        let known = (state.stretches > 1).then(|| self.sets(parts));
        for (me, part) in self.hosts_of(parts).enumerate() {
            for offer in part.offers.iter().filter(|offer| !spent(offer.kind)) {
                let stepped = self.stepped(parts, part.me, offer.kind, offer.looks, room);
                let overtaken = if offer.lands_leader { lookers & !(1 << me) } else { 0 };
                for sampled_before in subsets(overtaken) {
                    let step = |stretch| Move { host: me as u8, kind: offer.kind, stretch, sampled_before };
                    let after = self.after(*parts, step(0), &stepped, room);
                    let sets = self.sets(&after);
                    each(step(0), Some((after, sets)), room);
                    // How wide a gap is makes a difference only to what is put into it.
                    if known.is_some_and(|known| sets.has_new_numbers(known)) {
                        (1..state.stretches).for_each(|stretch| each(step(stretch), None, room));
                    }
                }
            }
        }
    }

    /// The parts of a state after a step, which stretches nothing.
    fn after(&self, mut parts: [u32; PARTS], action: Move, stepped: &Stepped, room: &mut Room) -> [u32; PARTS] {
        for other in (0..self.here()).filter(|other| action.sampled_before >> other & 1 == 1) {
            let part = self.hosts.get(parts[other]);
            let kind = Kind::Sample(part.looks.expect("it was found looking"));
            parts[other] = self.stepped(&parts, other as u8, kind, self.looks(&part.host, kind), room).host;
        }
        if stepped.panicked {
            let what = self.panics.get(stepped.host).clone();
            self.break_off(&mut parts, Broken { property: None, what });
            return parts;
        }
        parts[usize::from(action.host)] = stepped.host;
        let mut fell_back = false;
        if stepped.place != NOWHERE {
            let place = usize::from(stepped.place);
            let [before, after] = [parts[place], stepped.sector].map(|part| self.sectors.get(part));
            fell_back = self.ground.blocks_grow && before.sets.falls_back_to(&after.sets);
            parts[place] = match (&before.sector, &after.sector) {
                (Sector::HostBlock(HostBlock { mbal, lver, .. }), Sector::Other(damaged)) => {
                    let was = HostBlock { mbal: *mbal, lver: *lver, ..HostBlock::default() };
                    self.sector_part_since(after.position, Sector::Other(damaged.clone()), was)
                }
                (Sector::Other(_), Sector::Other(_)) => parts[place],
                _ => stepped.sector,
            };
        }
        self.judge(&mut parts, stepped, action);
        if fell_back {
            let what = "a block of a higher version was overwritten, which was taken for impossible".to_owned();
            self.break_off(&mut parts, Broken { property: None, what });
        }
        parts
    }

    fn break_off(&self, parts: &mut [u32; PARTS], broken: Broken) {
        let mut referee = self.referees.get(parts[REFEREE]).referee.clone();
        referee.broken = Some(broken);
        parts[REFEREE] = self.referee_part(referee);
    }

    /// The state that comes of a move.
    fn next_in(&self, state: &Row, action: Move, room: &mut Room) -> Row {
        let mut parts = state.parts;
        if action.stretch != 0 {
            let stretching = self.sets(&parts).stretching(&self.ground, action.stretch);
            self.rename(&mut parts, self.renamings.id(stretching), room);
        }
        let looks = self.looks(&self.hosts.get(parts[usize::from(action.host)]).host, action.kind);
        let stepped = self.stepped(&parts, action.host, action.kind, looks, room);
        let parts = self.after(parts, action, &stepped, room);
        self.row_of(parts, self.sets(&parts), state, room)
    }

    fn broken(&self, row: &Row) -> Option<&Broken> {
        self.referees.get(row.parts[REFEREE]).referee.broken.as_ref()
    }
}

/// Whether the engine never writes a block of a lower version over one of a higher: it looks only once its own writes
/// are over, believes blocks that are beyond the leader, and takes nothing back.
fn grows(profile: &lease_core::profile::Profile) -> bool {
    profile.regressed_leader == RegressedLeader::Overruled
        && profile.outstanding_write == OutstandingWrite::Awaited
        && profile.retract == Retract::VoteReleased
        && !profile.is_mutated()
}

/// All subsets of a set of bits, the empty one first.
fn subsets(set: u8) -> impl Iterator<Item = u8> {
    (0..=set).filter(move |subset| subset & !set == 0)
}

/// What stands where only a part of a block reached the medium: neither the old content nor the new, and no checksum that
/// would be right. Nobody can tell more of it than that it is damaged.
fn torn() -> Sector {
    let mut bytes = HostBlock { flags: HostBlock::RELEASED, ..HostBlock::default() }.sector().to_vec();
    bytes[0] ^= 0xff;
    Sector::Other(Arc::from(bytes))
}

impl Space for Ballots {
    type State = Row;
    type Action = Move;
    type Room = Room;

    fn initial(&self) -> Vec<Row> {
        let mut parts = [NOBODY; PARTS];
        for me in 0..self.here() {
            let mut host = self.ground.host(me as u8, Generation(1), self.plan.acquires);
            self.ground.settle(&mut host, &mut Effects::default());
            parts[me] = self.host_part(me as u8, host);
            let position = Position::Block(me as u8);
            parts[Ballots::place(position)] = self.sector_part(position, Sector::Zero);
        }
        let leader = Leader { lver: Lver(1), ..self.ground.fresh_leader() };
        parts[LEADER] = self.sector_part(Position::Leader, Sector::Leader(leader));
        parts[REFEREE] = self.referee_part(Referee {
            chosen: Vec::new(),
            granted: Lver(0),
            crashes: self.plan.crashes,
            late_writes: self.plan.late_writes,
            broken: None,
        });
        vec![self.row(parts)]
    }

    fn actions(&self, state: &Row, actions: &mut Vec<Move>) {
        self.each_step(state, &mut Room::nothing(), &mut |action, _, _| actions.push(action));
    }

    fn next(&self, state: &Row, action: Move) -> Option<Row> {
        Some(self.next_in(state, action, &mut Room::nothing()))
    }

    fn room(&self) -> Room {
        Room { steps: Lately::with_bits(11), canons: Lately::with_bits(12), renamed: Lately::with_bits(11) }
    }

    fn each_next(&self, state: &Row, room: &mut Room, each: &mut impl FnMut(Move, Option<Row>)) {
        self.each_step(state, room, &mut |action, after, room| {
            let next = match after {
                Some((parts, sets)) => self.row_of(parts, sets, state, room),
                None => self.next_in(state, action, room),
            };
            each(action, Some(next));
        });
    }

    fn fingerprint(&self, state: &Row) -> u64 {
        state.fingerprint()
    }

    fn finding(&self, state: &Row) -> Option<Finding> {
        self.broken(state).map(|broken| match broken.property {
            Some(property) => Finding::Violated(property),
            None => Finding::Panicked,
        })
    }

    fn owners(&self, state: &Row) -> u8 {
        let holds = |(me, part): (usize, &HostPart)| u8::from(part.holds) << me;
        self.hosts_of(&state.parts).enumerate().map(holds).sum()
    }

    fn watched(&self) -> &'static [Property] {
        &[Property::Exclusion, Property::Agreement, Property::Durable]
    }

    fn bytes(&self) -> u64 {
        // A host is about that large with all that its engine has on the heap.
        let host = (size_of::<HostPart>() + size_of::<BallotHost>() + HEAP) as u64;
        self.hosts.len() as u64 * host
            + (self.sectors.len() * size_of::<SectorPart>()) as u64
            + (self.renamings.len() * size_of::<Renaming>()) as u64
            + self.steps.bytes()
            + self.canons.bytes()
            + self.verdicts.bytes()
            + self.renamed.bytes()
    }

    fn is_crash(&self, action: Move) -> bool {
        matches!(action.kind, Kind::Crash | Kind::CrashWithGhost(_))
    }

    fn tell_state(&self, state: &Row) -> String {
        self.told(state)
    }

    fn tell_action(&self, state: &Row, action: Move) -> String {
        self.told_move(state, action)
    }

    fn tell_finding(&self, state: &Row) -> String {
        self.broken(state).map_or_else(String::new, |broken| broken.what.clone())
    }

    fn follow<S: Sink>(&self, start: &Row, path: &[Move], world: &mut World, sink: &mut S) -> Result<(), Lost> {
        self.walk(start, path, world, sink)
    }

    fn reached(&self) -> Vec<(&'static str, bool)> {
        let reached = self.reached.load(Ordering::Relaxed);
        referee::MARKS.iter().enumerate().map(|(index, name)| (*name, reached >> index & 1 == 1)).collect()
    }
}
