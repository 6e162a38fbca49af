//! What of a leader makes a difference, and to whom.
//!
//! Below the version that outruns it a leader is only compared with others: everybody who looks at the blocks is beyond
//! it. So it is enough to know which of them are the same, and one that nobody can read any more is like any other.

use super::canon::{HOSTS, bit};
use super::host::{Ground, NOON};
use lease_core::format::Leader;
use lease_core::numbers::{Generation, HostId, Lver, Stamp};

/// A leader in 32 bits: its version, and above that its owner, whether it is free, its writer, and their generations. 0 is
/// none.
pub(super) fn slot(leader: &Leader, ground: &Ground) -> u32 {
    let host = |id: HostId| ground.ids.iter().position(|known| *known == id).unwrap_or(HOSTS) as u32;
    let free = u32::from(leader.timestamp.is_free());
    let hosts = host(leader.owner_id) << 3 | free << 2 | host(leader.write_id);
    let lives = [leader.owner_generation, leader.write_generation].map(|generation| bit(generation.0).trailing_zeros());
    PRESENT | hosts << 18 | lives[0] << 13 | lives[1] << 8 | bit(leader.lver.0).trailing_zeros()
}

/// Where a slot has its version,
pub(super) const LVER: u32 = 0xff;
/// and what else is known of the leader.
pub(super) const CONTENT: u32 = 0x7f_ff00;
/// A leader that a look has sampled before it ended.
pub(super) const SAMPLED: u32 = 1 << 30;
/// A slot that is not empty.
const PRESENT: u32 = 1 << 31;

/// The generation, as a set, under which this host wrote this leader to own it; empty if it did not.
pub(super) fn life_for_oneself(slot: u32, host: usize) -> u32 {
    let hosts = (host as u32) << 3 | host as u32;
    if slot >> 18 & 0x1f == hosts { 1 << (slot >> 13 & 0x1f) } else { 0 }
}

/// What [`Told::OneOf`] is in a slot.
pub(super) fn one_of(which: u8) -> u32 {
    (HOSTS as u32 * 9) << 18 | u32::from(which) << 8
}

/// What is told of a leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Told {
    Everything,
    /// That it is the same, or not, as others of its version: as that which is written in this place, or as none. No
    /// engine writes such a leader, of nobody and yet not free.
    OneOf(u8),
    Nothing,
}

impl Told {
    pub(super) fn apply(self, leader: &mut Leader) {
        match self {
            Told::Everything => {}
            Told::OneOf(which) => {
                let noon = NOON.second().stamp();
                (leader.owner_id, leader.owner_generation, leader.timestamp) = (HostId::NONE, Generation(0), noon);
                (leader.write_id, leader.write_generation) = (HostId::NONE, Generation(u64::from(which)));
                leader.write_timestamp = noon;
            }
            Told::Nothing => forget(leader),
        }
    }
}

/// Of a leader that was forgotten only what a commit takes over stays: names and sizes.
pub(super) fn forget(leader: &mut Leader) {
    leader.lver = Lver(0);
    (leader.owner_id, leader.owner_generation, leader.timestamp) = (HostId::NONE, Generation(0), Stamp::FREE);
    (leader.write_id, leader.write_generation, leader.write_timestamp) = (HostId::NONE, Generation(0), Stamp::FREE);
}
