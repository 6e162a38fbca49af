//! What hosts remember of each other, as far as it can still decide anything.
//!
//! A host that looks at the area remembers each record it saw, and when. Whether that will ever be asked for depends on
//! the others, so it cannot be told from the host alone:
//!
//! * *Overtaken*: the stamp that was seen stands nowhere any more, neither on the disk nor in a write under way nor in an
//!   image that the host has yet to look at, and its writer's clock is past it. Whoever asks finds another one, so its
//!   owner is alive, since whenever that was.
//! * *Over*: the life of the host id that was seen neither owns the resource nor can come to own it.
//! * *Another leader*: an acquire that waits for the owner of a leader that was replaced begins anew with its next look.

use super::canon::{self, Part};
use super::disk::SLOTS;
use super::host::HostState;
use super::machine::marks;
use super::setting::Setting;
use super::{State, Timed};
use lease_core::format::Sector;
use lease_core::numbers::{Generation, HostId, Lver, Numbers, Stamp};
use lease_core::{Engine, Passed};
use std::sync::atomic::Ordering;

/// What a host has of others, and what others may see of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What it saw last in each slot.
    seen: [Option<(Generation, Stamp)>; SLOTS],
    /// The owner that its acquire waits for.
    waits: Option<Wait>,
    /// Stamps in images that it has yet to look at, by slot.
    unread: Vec<(usize, Stamp)>,
    /// Stamps that it may still write, by slot.
    unwritten: Vec<(usize, Stamp)>,
    /// The smallest generation that these writes are of.
    writes: Option<Generation>,
    /// The generation under which it owns something or may come to, before it is given the next: one that is larger than
    /// all that were ever seen.
    life: Option<Generation>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    slot: usize,
    lver: Lver,
    stamp: Stamp,
}

impl Memory {
    pub(super) fn of(host: &HostState, setting: &Setting) -> Memory {
        let mut host = host.clone();
        let unit = setting.setup.disks[0].sector_size;
        let slot = |id: HostId| setting.layout.slot(id);
        let (mut unwritten, mut unread) = (Marks::new(setting), Marks::new(setting));
        host.visit_writes(&mut unwritten);
        host.visit_unread(unit, &mut unread);
        let mut memory = Memory {
            unread: unread.stamps,
            unwritten: unwritten.stamps,
            writes: unwritten.smallest,
            ..Memory::default()
        };
        let Some(engine) = host.on.as_ref().and_then(|on| on.engine.as_ref()) else { return memory };
        for (id, generation, stamp) in engine.observed() {
            if let Some(slot) = slot(id) {
                memory.seen[slot] = Some((generation, stamp));
            }
        }
        memory.waits = engine.waits().find_map(|(id, lver, stamp)| slot(id).map(|slot| Wait { slot, lver, stamp }));
        memory.life = match engine.generation() {
            Generation(0) => engine.joins_under(),
            _ if engine.is_ending() && !engine.is_acquiring() => None,
            generation => Some(generation),
        };
        memory
    }

    fn is_empty(&self) -> bool {
        self.waits.is_none() && self.seen.iter().all(Option::is_none)
    }
}

/// Collects stamps, and the smallest generation.
struct Marks<'a> {
    setting: &'a Setting,
    stamps: Vec<(usize, Stamp)>,
    smallest: Option<Generation>,
}

impl Marks<'_> {
    fn new(setting: &Setting) -> Marks<'_> {
        Marks { setting, stamps: Vec::new(), smallest: None }
    }
}

impl Numbers for Marks<'_> {
    fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
        if let Some(slot) = self.setting.layout.slot(by) {
            self.stamps.push((slot, *stamp));
        }
    }

    fn generation(&mut self, _of: HostId, generation: &mut Generation) {
        self.smallest = Some(self.smallest.map_or(*generation, |smallest| smallest.min(*generation)));
    }
}

/// What becomes of what one host remembers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Fading {
    /// Of the records it saw, by slot: bits.
    overtaken: u8,
    over: u8,
    wait: WaitFades,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum WaitFades {
    #[default]
    No,
    Overtaken,
    AnotherLeader,
}

impl Timed {
    /// Wipes out of the memory of every host what cannot decide anything any more. Before numbers are renamed.
    pub(super) fn fade(&self, state: &mut State, shown: &[u64]) {
        if !self.setting.leases || !self.setting.plan.reductions.memory {
            return;
        }
        if self.owner_is_gone(state) {
            self.reached.fetch_or(marks::OWNER_LEFT, Ordering::Relaxed);
            let mut resource = self.resource(state).clone();
            canon::freed(&mut resource);
            state.resource = self.resources.id(Part::new(resource, 0, &self.setting));
        }
        for index in 0..self.hosts() {
            if self.memory(state, index).is_empty() {
                continue;
            }
            let fading = self.fading(state, index, shown);
            if fading != Fading::default() {
                state.hosts[index] = self.faded.get_or((index as u8, state.hosts[index], fading), |_| {
                    let mut host = self.host(state, index).clone();
                    canon::faded(&self.setting, &mut host, fading);
                    self.hosts[index].id(Part::new(host, index, &self.setting))
                });
            }
        }
    }

    fn memory(&self, state: &State, index: usize) -> &Memory {
        self.hosts[index].get(state.hosts[index]).memory(&self.setting)
    }

    /// Whether everybody who looks at the resource finds that its owner left or joined anew, and always will: no write is
    /// under way that could bring the owner back.
    fn owner_is_gone(&self, state: &State) -> bool {
        let leader = self.resource(state).leader().expect("there is a resource");
        let Some(slot) = self.setting.layout.slot(leader.owner_id) else { return false };
        let Sector::Delta { lease, .. } = self.lease(state, slot) else { return false };
        let gone = lease.owner_generation > leader.owner_generation
            || lease.owner_generation == leader.owner_generation && lease.timestamp.is_free();
        !leader.timestamp.is_free()
            && gone
            && !self.setting.generations_may_return
            && (0..self.hosts()).filter(|host| self.setting.slot_of[*host] == slot).all(|host| {
                let memory = self.memory(state, host);
                memory.writes.is_none_or(|of| of > leader.owner_generation)
                    && memory.life != Some(leader.owner_generation)
            })
    }

    fn fading(&self, state: &State, index: usize, shown: &[u64]) -> Fading {
        let memory = self.memory(state, index);
        let leader = self.resource(state).leader().expect("there is a resource");
        let mut fading = Fading::default();
        for (slot, seen) in memory.seen.iter().enumerate() {
            let Some((generation, stamp)) = *seen else { continue };
            let owner = !leader.timestamp.is_free()
                && leader.owner_id == self.setting.layout.slots[slot]
                && leader.owner_generation == generation;
            let may_own =
                |host: usize| self.setting.slot_of[host] == slot && self.memory(state, host).life == Some(generation);
            let over = !owner && !self.setting.generations_may_return && !(0..self.hosts()).any(may_own);
            fading.over |= u8::from(over) << slot;
            let overtaken = match stamp.is_free() {
                // Stamps of one life are never free again before the next life begins.
                true => over && self.is_of_later_life(state, slot, generation),
                false => self.is_overtaken(state, index, (slot, stamp), shown),
            };
            fading.overtaken |= u8::from(overtaken) << slot;
        }
        if let Some(wait) = memory.waits {
            let another = leader.timestamp.is_free() || leader.lver != wait.lver;
            if another {
                fading.wait = WaitFades::AnotherLeader;
            } else if !wait.stamp.is_free() && self.is_overtaken(state, index, (wait.slot, wait.stamp), shown) {
                fading.wait = WaitFades::Overtaken;
            }
        }
        fading
    }

    /// Whether a stamp that a host saw in a slot will never be seen again.
    fn is_overtaken(&self, state: &State, index: usize, (slot, stamp): (usize, Stamp), shown: &[u64]) -> bool {
        let stands = matches!(self.lease(state, slot), Sector::Delta { lease, .. } if lease.timestamp == stamp);
        let current = (0..self.hosts()).any(|host| self.setting.slot_of[host] == slot && shown[host] == stamp.0);
        let known = (slot, stamp);
        let coming = (0..self.hosts()).any(|host| self.memory(state, host).unwritten.contains(&known));
        !stands && !current && !coming && !self.memory(state, index).unread.contains(&known)
    }

    /// Whether a record in a slot is of a later generation, and so is all that may still be written there.
    fn is_of_later_life(&self, state: &State, slot: usize, generation: Generation) -> bool {
        matches!(self.lease(state, slot), Sector::Delta { lease, .. } if lease.owner_generation > generation)
            && (0..self.hosts())
                .filter(|host| self.setting.slot_of[*host] == slot)
                .all(|host| self.memory(state, host).writes.is_none_or(|of| of > generation))
    }
}

impl Fading {
    pub(super) fn apply(self, setting: &Setting, engine: &mut Engine) {
        match self.wait {
            WaitFades::No => {}
            WaitFades::Overtaken => engine.forget_since_when(true),
            WaitFades::AnotherLeader => engine.forget_waits(),
        }
        engine.forget_passed(setting.alike, |id| match setting.layout.slot(id) {
            Some(slot) => Passed { overtaken: self.overtaken & 1 << slot != 0, over: self.over & 1 << slot != 0 },
            None => Passed::default(),
        });
    }
}
