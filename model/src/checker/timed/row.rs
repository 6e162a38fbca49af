//! Rows of ids made canonical: the same numbers in all parts are renamed together.

use super::canon::{self, Number};
use super::disk::SLOTS;
use super::setting::HOSTS;
use super::symmetry;
use super::{State, Timed, Wrong};
use crate::checker::intern::mix;
use crate::history::Property;
use lease_core::numbers::{Lver, Second};

/// The most numbers in one part.
const NUMBERS: usize = 24;

/// A part and what its numbers are renamed to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Renaming {
    /// Hosts from 0, slots from 8, the resource 16.
    part: u8,
    id: u32,
    present: u64,
    /// In 16 bits each; fixed seconds of hosts stand above the rest.
    targets: [u16; NUMBERS],
}

const RESOURCE: usize = 16;

impl Timed {
    /// What the clocks show in a canonical state.
    pub(super) fn shown(&self) -> [u64; HOSTS] {
        std::array::from_fn(|host| if host < self.hosts() { self.setting.now(host).0 } else { 0 })
    }

    /// The canonical state of a row. `shown`: what the clocks show, as far as stamps are concerned.
    pub(super) fn canonical(&self, mut state: State, shown: &[u64; HOSTS]) -> State {
        self.fade(&mut state, shown);
        let setting = &self.setting;
        let (hosts, slots) = (self.hosts(), setting.layout.slots.len());
        let mut parts: [&[Number]; HOSTS + SLOTS + 1] = [&[]; HOSTS + SLOTS + 1];
        for (slot, part) in parts.iter_mut().take(slots).enumerate() {
            *part = &self.leases[slot].get(state.leases[slot]).numbers;
        }
        for (host, part) in parts[SLOTS..].iter_mut().take(hosts).enumerate() {
            *part = &self.hosts[host].get(state.hosts[host]).numbers;
        }
        parts[SLOTS + HOSTS] = &self.resources.get(state.resource).numbers;
        let present = canon::present(&self.resources.get(state.resource).value);
        let targets = canon::targets(setting, &parts, &shown[..hosts]);
        let mut rest = targets.as_slice();
        let mut own = |part: usize| {
            let (own, others) = rest.split_at(parts[part].len());
            rest = others;
            own
        };
        for (slot, id) in state.leases.iter_mut().take(slots).enumerate() {
            *id = self.rename(8 + slot, *id, parts[slot], own(slot), present);
        }
        // Parts of slots that do not exist have no numbers, so they are passed over.
        for (host, id) in state.hosts.iter_mut().take(hosts).enumerate() {
            let part = SLOTS + host;
            *id = self.rename(host, *id, parts[part], own(part), present);
        }
        let targets = own(SLOTS + HOSTS);
        state.resource = self.rename(RESOURCE, state.resource, parts[SLOTS + HOSTS], targets, present);
        self.judge(state)
    }

    fn rename(&self, part: usize, id: u32, numbers: &[Number], targets: &[u64], present: Lver) -> u32 {
        let same_version = present.0 == 0 || present.0 == 2 || (8..RESOURCE).contains(&part);
        if same_version && numbers.iter().zip(targets).all(|(number, target)| number.value == *target) {
            return id;
        }
        assert!(numbers.len() <= NUMBERS, "a part of a state has few numbers");
        let mut packed = [0; NUMBERS];
        for (place, target) in packed.iter_mut().zip(targets) {
            *place = match *target {
                small if small < 1_000 => small as u16,
                fixed => 1_000 + (fixed / 1_000_000) as u16,
            };
        }
        let key = Renaming { part: part as u8, id, present: present.0, targets: packed };
        self.renamed.get_or(key, |_| {
            let setting = &self.setting;
            match part {
                RESOURCE => self.resources.id(self.resources.get(id).renamed(0, setting, targets, present)),
                8.. => {
                    self.leases[part - 8].id(self.leases[part - 8].get(id).renamed(part - 8, setting, targets, present))
                }
                host => self.hosts[host].id(self.hosts[host].get(id).renamed(host, setting, targets, present)),
            }
        })
    }

    /// Completes a row: round, owners, what is wrong, fingerprint.
    pub(super) fn judge(&self, mut state: State) -> State {
        let hosts = self.hosts();
        let ticking = (0..hosts).filter(|host| self.ticks(&state, *host)).fold(0, |mask, host| mask | 1 << host);
        state.ticked &= ticking;
        if state.ticked == ticking {
            state.ticked = 0;
        }
        state.owners = 0;
        let (mut late, mut twice) = (false, false);
        for index in 0..hosts {
            let host = self.host(&state, index);
            let owns = if self.setting.leases { host.uses() } else { host.believes() };
            state.owners |= u8::from(owns) << index;
            if host.uses()
                && let Some(on) = &host.on
                && on.landed != Second::NEVER
            {
                late |= self.setting.now(index).since(on.landed) >= self.setting.deadline[index];
            }
            twice |= host.believes()
                && (0..index).any(|other| {
                    self.setting.slot_of[other] == self.setting.slot_of[index] && self.host(&state, other).believes()
                });
        }
        if state.finding == Wrong::Nothing {
            state.finding = if self.setting.leases && state.owners.count_ones() > 1 {
                Wrong::Violated(Property::Exclusion)
            } else if twice {
                Wrong::Violated(Property::HostId)
            } else if late {
                Wrong::Violated(Property::Deadline)
            } else {
                Wrong::Nothing
            };
        }
        state.print = self.print(&state);
        state
    }

    /// The fingerprint: the same for all states that are one but for an exchange of equal hosts.
    fn print(&self, state: &State) -> u64 {
        let setting = &self.setting;
        let wrong = match state.finding {
            Wrong::Nothing => 0,
            Wrong::Violated(property) => 1 + property as u64,
            Wrong::Panicked(message) => self.messages.hash(message) << 16 | 0xff,
        };
        let fold = |ticked: u8, parts: &mut dyn Iterator<Item = u64>| {
            parts.fold(u64::from(ticked) << 8 | wrong, |print, hash| mix(print ^ hash)).max(1)
        };
        let (hosts, slots) = (self.hosts(), setting.layout.slots.len());
        let plain = || {
            let of_hosts = (0..hosts).map(|host| self.hosts[host].hash(state.hosts[host]));
            let of_slots = (0..slots).map(|slot| self.leases[slot].hash(state.leases[slot]));
            fold(state.ticked, &mut of_hosts.chain(of_slots).chain([self.resources.hash(state.resource)]))
        };
        if setting.exchanges.len() == 1 {
            return plain();
        }
        // Hosts, and the slots of the same hosts, then the resource.
        let mut tables = [None; 2 * HOSTS + 1];
        for host in 0..hosts {
            let slot = setting.slot_of[host];
            tables[host] = self.hosts[host].get(state.hosts[host]).hashes(setting).as_ref();
            tables[HOSTS + host] = self.leases[slot].get(state.leases[slot]).hashes(setting).as_ref();
        }
        let resource = self.resources.get(state.resource);
        if resource.value.has_blocks()
            || (0..hosts).any(|host| tables[host].is_none() || tables[HOSTS + host].is_none())
        {
            return plain();
        }
        tables[2 * HOSTS] = resource.hashes(setting).as_ref();
        let prints = setting.exchanges.iter().enumerate().map(|(at, exchange)| {
            let mut placed = [0; 2 * HOSTS + 1];
            for host in 0..hosts {
                placed[exchange[host]] = tables[host].map_or(0, |hashes| hashes[at]);
                placed[HOSTS + exchange[host]] = tables[HOSTS + host].map_or(0, |hashes| hashes[at]);
            }
            placed[2 * HOSTS] = tables[2 * HOSTS].map_or(0, |hashes| hashes[at]);
            fold(symmetry::moved(state.ticked, exchange), &mut placed.into_iter())
        });
        prints.min().expect("nobody is exchanged in one of them")
    }
}
