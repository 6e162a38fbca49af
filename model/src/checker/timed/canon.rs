//! Canonical numbers: states that differ only in what no decision looks at are made equal.
//!
//! Two steps. *Local*, at the end of everything that happens to a host: what decides nothing is forgotten, its times are
//! shifted so that its clock shows its fixed second again, ages beyond all limits saturate, moments that are over become
//! now. *Global*, over a row of hosts and sectors: stamps are renamed by equality, generations keep their exact distances
//! from the smallest one that can still be written and only their order below it (the one under which a host joined is
//! forgotten there, for every later join is above it), the present version of the resource is
//! 2, all before it are 1, and the one that a waiting acquire prepares for is 3.
//!
//! Zero is never renamed, nor is 1 in stamps, nor 1 to 3 in seconds: they stand for "some, and it does not matter which".

use super::disk::Resource;
use super::host::{HostState, IoKind};
use super::memory::{Fading, Memory};
use super::setting::Setting;
use super::symmetry::{self, EXCHANGES};
use lease_core::format::{Leader, Sector, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Numbers, Second, Stamp, Time};
use std::sync::OnceLock;

/// Stands for "some, and it does not matter which".
const SOME: u64 = 1;
/// Seconds up to this are names of ones that lie long ago.
const LONG_AGO: u64 = 3;
/// What the smallest generation that can still be written is renamed to.
pub(super) const WRITABLE: u64 = 8;
/// The version of the resource in a canonical state in which it was ever owned.
const PRESENT: u64 = 2;

/// A number that is renamed, as it stands in a part of a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Number {
    pub(super) slot: u8,
    pub(super) kind: Kind,
    pub(super) value: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Stamp,
    Generation,
    /// One that may still be written to the delta lease of its slot.
    Writable,
    /// The largest under which a host joined: whether a later one is larger is all that is asked.
    Joined,
}

/// A part of a state: what is interned, with the numbers in it that are renamed together with those in other parts.
#[derive(Debug)]
pub(super) struct Part<T> {
    pub(super) value: T,
    /// Each once, in the order of the first visit.
    pub(super) numbers: Box<[Number]>,
    /// See [`symmetry::hashes`].
    hashes: OnceLock<Option<[u64; EXCHANGES]>>,
    memory: OnceLock<Memory>,
}

impl<T: PartialEq> PartialEq for Part<T> {
    fn eq(&self, other: &Part<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Part<T> {}

impl<T: std::hash::Hash> std::hash::Hash for Part<T> {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.value.hash(hasher);
    }
}

/// What can be part of a state.
pub(super) trait Renamed: Clone {
    /// Shows all numbers.
    fn visit(&mut self, at: usize, setting: &Setting, numbers: &mut dyn Numbers);
    /// Shows the generations that can still be written.
    fn visit_writable(&mut self, _at: usize, _setting: &Setting, _numbers: &mut dyn Numbers) {}
    /// The largest generation under which it joined, if it is a host.
    fn joined(&mut self) -> Option<&mut Generation> {
        None
    }
}

impl Renamed for HostState {
    fn visit(&mut self, _at: usize, setting: &Setting, numbers: &mut dyn Numbers) {
        HostState::visit(self, setting.setup.disks[0].sector_size, numbers);
    }

    fn visit_writable(&mut self, at: usize, setting: &Setting, numbers: &mut dyn Numbers) {
        let me = setting.layout.slots[setting.slot_of[at]];
        HostState::visit_writable(self, me, setting.setup.disks[0].sector_size, numbers);
    }

    fn joined(&mut self) -> Option<&mut Generation> {
        Some(&mut self.joined)
    }
}

impl Renamed for Sector {
    fn visit(&mut self, at: usize, setting: &Setting, numbers: &mut dyn Numbers) {
        if let Some(slot) = setting.layout.slots.get(at) {
            self.visit_at(SectorKind::Delta(*slot), numbers);
        }
    }

    fn visit_writable(&mut self, at: usize, setting: &Setting, numbers: &mut dyn Numbers) {
        if let (Some(slot), Sector::Delta { lease, .. }) = (setting.layout.slots.get(at), self) {
            // Nobody owns a slot that was never acquired, and the next generation follows from it all the same.
            numbers.generation(*slot, &mut lease.owner_generation);
        }
    }
}

impl Renamed for Resource {
    fn visit(&mut self, _at: usize, setting: &Setting, numbers: &mut dyn Numbers) {
        Resource::visit(self, &setting.layout.slots, numbers);
    }
}

impl<T: Renamed> Part<T> {
    pub(super) fn new(mut value: T, at: usize, setting: &Setting) -> Part<T> {
        let mut list = Lister { setting, numbers: Vec::new(), writable: false };
        value.visit(at, setting, &mut list);
        list.writable = true;
        value.visit_writable(at, setting, &mut list);
        if let Some(joined) = value.joined() {
            list.see(setting.layout.slots[setting.slot_of[at]], Kind::Joined, joined.0);
        }
        Part { value, numbers: list.numbers.into(), hashes: OnceLock::new(), memory: OnceLock::new() }
    }

    /// What it hashes to after each exchange of hosts.
    pub(super) fn hashes(&self, setting: &Setting) -> &Option<[u64; EXCHANGES]>
    where
        T: std::fmt::Debug,
    {
        self.hashes.get_or_init(|| symmetry::hashes(setting, &self.value))
    }

    /// The same part with its numbers renamed.
    pub(super) fn renamed(&self, at: usize, setting: &Setting, targets: &[u64], present: Lver) -> Part<T> {
        let mut value = self.value.clone();
        let mut renamer = Renamer { setting, numbers: &self.numbers, targets, present };
        value.visit(at, setting, &mut renamer);
        if let Some(joined) = value.joined() {
            let host = setting.layout.slots[setting.slot_of[at]];
            joined.0 = renamer.target(host, Kind::Joined, joined.0).unwrap_or(joined.0);
        }
        Part::new(value, at, setting)
    }
}

impl Part<HostState> {
    /// What the host has of others, and what others may see of it.
    pub(super) fn memory(&self, setting: &Setting) -> &Memory {
        self.memory.get_or_init(|| Memory::of(&self.value, setting))
    }
}

/// Lists the numbers that are renamed.
struct Lister<'a> {
    setting: &'a Setting,
    numbers: Vec<Number>,
    writable: bool,
}

impl Lister<'_> {
    fn see(&mut self, host: HostId, kind: Kind, value: u64) {
        let Some(slot) = self.setting.layout.slot(host) else { return };
        let number = Number { slot: slot as u8, kind, value };
        if !self.numbers.contains(&number) {
            self.numbers.push(number);
        }
    }
}

impl Numbers for Lister<'_> {
    fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
        if stamp.0 > SOME && !self.writable {
            self.see(by, Kind::Stamp, stamp.0);
        }
    }

    fn generation(&mut self, of: HostId, generation: &mut Generation) {
        match self.writable {
            true => self.see(of, Kind::Writable, generation.0),
            false if generation.0 > 0 => self.see(of, Kind::Generation, generation.0),
            false => {}
        }
    }
}

struct Renamer<'a> {
    setting: &'a Setting,
    numbers: &'a [Number],
    targets: &'a [u64],
    present: Lver,
}

impl Renamer<'_> {
    fn target(&self, host: HostId, kind: Kind, value: u64) -> Option<u64> {
        let slot = self.setting.layout.slot(host)? as u8;
        let at = self.numbers.iter().position(|number| *number == Number { slot, kind, value })?;
        Some(self.targets[at])
    }
}

impl Numbers for Renamer<'_> {
    fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
        if let Some(target) = self.target(by, Kind::Stamp, stamp.0) {
            stamp.0 = target;
        }
    }

    fn generation(&mut self, of: HostId, generation: &mut Generation) {
        if let Some(target) = self.target(of, Kind::Generation, generation.0) {
            generation.0 = target;
        }
    }

    fn lver(&mut self, lver: &mut Lver) {
        *lver = present_or_past(*lver, self.present);
    }
}

fn present_or_past(lver: Lver, present: Lver) -> Lver {
    assert!(lver <= present.next(), "no ballot is further ahead than for the version after the leader's");
    match lver.0 {
        0 => Lver(0),
        _ if lver > present => Lver(PRESENT + 1),
        _ if lver == present => Lver(PRESENT),
        _ => Lver(PRESENT - 1),
    }
}

/// What each number of each slot is renamed to. `parts` in a fixed order; `news[host]`: what a host's clock shows now,
/// before the shift of its times, where that is another second than its fixed one.
pub(super) fn targets(setting: &Setting, parts: &[&[Number]], now: &[u64]) -> Vec<u64> {
    let slots = setting.layout.slots.len();
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    let all = || parts.iter().flat_map(|part| part.iter());
    let mut names: [Vec<u64>; super::disk::SLOTS] = Default::default();
    let mut generations: [Vec<u64>; super::disk::SLOTS] = Default::default();
    let mut writable = [u64::MAX; super::disk::SLOTS];
    for number in all() {
        let slot = usize::from(number.slot);
        match number.kind {
            Kind::Stamp | Kind::Joined => {}
            Kind::Generation => generations[slot].push(number.value),
            Kind::Writable => writable[slot] = writable[slot].min(number.value),
        }
    }
    for known in generations.iter_mut().take(slots) {
        known.sort_unstable();
        known.dedup();
    }
    for number in all() {
        let slot = usize::from(number.slot);
        out.push(match number.kind {
            Kind::Stamp => match now.iter().position(|shown| *shown == number.value) {
                Some(host) => setting.now(host).0,
                None => {
                    let names = &mut names[slot];
                    let at = names.iter().position(|known| *known == number.value).unwrap_or_else(|| {
                        names.push(number.value);
                        names.len() - 1
                    });
                    at as u64 + SOME + 1
                }
            },
            // A join that is to come writes first, so its generation is not below the smallest that can be written.
            Kind::Joined => match (number.value, writable[slot]) {
                (joined, 0) => joined,
                (joined, smallest) if joined >= smallest => WRITABLE + (joined - smallest),
                _ => 0,
            },
            Kind::Generation | Kind::Writable => {
                let smallest = writable[slot];
                if smallest == 0 {
                    // The first generation is 1, whatever comes: as long as it may still be written, nothing is renamed.
                    number.value
                } else if number.value >= smallest {
                    WRITABLE + (number.value - smallest)
                } else {
                    let known = &generations[slot];
                    let below = known.partition_point(|value| *value < smallest);
                    let rank = known.partition_point(|value| *value < number.value);
                    assert!(below - rank < WRITABLE as usize, "few generations below the smallest that can be written");
                    WRITABLE - (below - rank) as u64
                }
            }
        });
    }
    out
}

/// Local: everything about one host that nobody else sees. `shown` is what its clock shows.
pub(super) fn local(setting: &Setting, at: usize, host: &mut HostState, shown: Second) {
    let fixed = setting.now(at);
    let unit = setting.setup.disks[0].sector_size;
    if !setting.generations_may_return {
        host.joined = Generation(0);
    }
    if let Some(on) = &mut host.on {
        if let Some(engine) = &mut on.engine {
            if setting.plan.reductions.memory {
                for io in &mut on.ios {
                    if !matches!(io.kind, IoKind::Write(_)) && !engine.heeds(io.slot, shown.start()) {
                        io.kind = IoKind::Lost;
                    }
                    // When a stamp reached the disk only matters to whoever uses something under it.
                    if !setting.leases && !matches!(io.kind, IoKind::Write(_)) {
                        io.issued = Second::NEVER;
                    }
                }
            }
            engine.forget(shown.start());
            if setting.plan.reductions.memory {
                engine.forget_since_when(false);
                if setting.alike {
                    engine.forget_io_timeouts();
                }
            }
            if setting.plan.role && at == 0 {
                engine.forget_others();
            }
            engine.visit_resources(&mut OfResource);
        }
        if !on.client.uses {
            on.landed = Second::NEVER;
        }
        if setting.plan.reductions.memory {
            on.wdmd.forget_hold(shown, setting.setup.hosts[at].wdmd);
        }
        on.wdmd.forget(shown, setting.setup.hosts[at].test_interval);
    }
    let oldest = setting.oldest[at];
    let mut ages = Ages { shown, oldest, old: Vec::new() };
    host.visit(unit, &mut ages);
    ages.old.sort_unstable();
    ages.old.dedup();
    host.visit(unit, &mut Shift { shown, fixed, oldest, old: &ages.old });
}

/// What a host remembers of others fades.
pub(super) fn faded(setting: &Setting, host: &mut HostState, fading: Fading) {
    if let Some(engine) = host.on.as_mut().and_then(|on| on.engine.as_mut()) {
        fading.apply(setting, engine);
    }
}

/// What becomes of a resource whose owner is gone for everybody to see: it is free.
pub(super) fn freed(resource: &mut Resource) {
    if let Sector::Leader(leader) = &mut resource.leader {
        leader.timestamp = Stamp::FREE;
    }
    resource.forget();
}

/// The same for the resource: only whether it is free, who owns it and who said so matters.
pub(super) fn resource(setting: &Setting, resource: &mut Resource) {
    resource.forget();
    if let Sector::Leader(leader) = &mut resource.leader
        && setting.plan.reductions.memory
        && leader.lver.0 == 0
    {
        // A resource that was never owned is like any that is free.
        leader.lver = Lver(PRESENT);
    }
    resource.visit(&setting.layout.slots, &mut OfResource);
}

/// Ages beyond all limits.
struct Ages {
    shown: Second,
    oldest: u64,
    old: Vec<u64>,
}

impl Numbers for Ages {
    fn second(&mut self, second: &mut Second) {
        let age = self.shown.since(*second);
        if second.0 > LONG_AGO && age > self.oldest {
            self.old.push(age);
        }
    }
}

struct Shift<'a> {
    shown: Second,
    fixed: Second,
    oldest: u64,
    /// The ages beyond all limits, ascending: they keep their order and nothing else.
    old: &'a [u64],
}

impl Numbers for Shift<'_> {
    fn time(&mut self, time: &mut Time) {
        // What comes later in this second comes with the next tick.
        let later = time.second() == self.shown && *time > self.shown.start();
        let ahead = time.second().since(self.shown) + u64::from(later);
        *time = self.fixed.after(ahead).start();
    }

    fn second(&mut self, second: &mut Second) {
        if second.0 <= LONG_AGO {
            return;
        }
        if *second > self.shown {
            *second = self.fixed.after(second.since(self.shown));
            return;
        }
        let age = self.shown.since(*second);
        let age = match self.old.binary_search(&age) {
            Ok(rank) => self.oldest + 1 + rank as u64,
            Err(_) => age,
        };
        *second = Second(self.fixed.0 - age);
    }
}

/// Copies of leaders and blocks: their stamps only tell free from owned, their ballot numbers only whose they are. No
/// ballot is under way between two steps, and the next begins above all numbers that stand there.
struct OfResource;

impl Numbers for OfResource {
    fn stamp(&mut self, _by: HostId, stamp: &mut Stamp) {
        if !stamp.is_free() {
            *stamp = Stamp(SOME);
        }
    }

    fn mbal(&mut self, mbal: &mut Mbal) {
        // Every geometry with this many host ids or fewer keeps the residue that names the host.
        if mbal.0 != 0 {
            mbal.0 %= STRIDE;
        }
    }
}

/// `max_hosts` of the areas of these worlds (512-byte sectors, 1 MiB).
const STRIDE: u64 = lease_core::format::Geometry::S512A1M.max_hosts();

/// The present version.
pub(super) fn present(disk: &Resource) -> Lver {
    disk.leader().map_or(Lver(0), |leader: &Leader| leader.lver)
}
