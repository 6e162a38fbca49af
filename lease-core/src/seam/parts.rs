//! What requests and answers are made of.

use super::LsId;
use crate::format::{Geometry, HostEvent, Name};
use crate::numbers::{Generation, HostId, Lver, Stamp};

/// The mode of a hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Mode {
    /// Nobody else holds the resource.
    #[default]
    Exclusive,
    /// Others may hold it shared, too.
    Shared,
}

/// On which terms a resource is to be acquired. The default: exclusive, whatever the version, waiting for an owner that
/// may be dead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Terms {
    /// The mode wanted.
    pub mode: Mode,
    /// Only if the leader has this version (-240); 0: whatever it has.
    pub lver: Lver,
    /// Do not wait for an owner that may be dead (-247).
    pub nowait: bool,
    /// The holder wants the bytes that are handed on (LVB).
    pub lvb: bool,
    /// The hold outlives the client: it becomes an orphan, to be adopted by another.
    pub persistent: bool,
    /// What to do about an orphan.
    pub orphan: Orphan,
    /// The number of hosts that the leader is to have from now on; 0: as it is.
    pub num_hosts: u64,
}

/// Whether an acquire takes over what a client left behind on the same host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Orphan {
    /// An orphan is in the way (-117).
    #[default]
    Refused,
    /// An orphan is adopted, without I/O. Without one the lease is acquired.
    Adopted,
    /// An orphan is adopted; without one there is nothing to have (-2).
    Only,
}

/// How a host event is set (daemon §6, delta-lease §7). The default: for one host, as given, if no other event is under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct EventTerms {
    /// What is done.
    pub change: EventChange,
    /// Generation 0 means the one that the host is observed to have, and not any.
    pub current: bool,
    /// An event that is under way may be replaced (otherwise -16).
    pub replace: bool,
    /// All hosts are told. A valid host id must be given all the same.
    pub all: bool,
}

/// See [`EventTerms::change`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum EventChange {
    /// The event is set.
    #[default]
    Set,
    /// The host is not told any more.
    ClearHost,
    /// Nobody is told any more.
    ClearEvent,
}

/// Operations on a resource index (rindex §3). The empty name and offset 0 stand for "not given".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IndexOperation {
    /// Makes an empty one, whatever was there. Needs no lockspace.
    Format {
        /// Sector and area size.
        geometry: Geometry,
        /// Entries; 0: 4096.
        max_resources: u32,
    },
    /// Makes a resource in the first free area and records it. Answer: [`Answer::Indexed`](super::Answer::Indexed).
    Create {
        /// Its name.
        name: Name,
        /// How many hosts take part; 0: as many as there is room for.
        num_hosts: u64,
    },
    /// Forgets a resource and clears its area.
    Delete {
        /// Its name.
        name: Name,
        /// Only looked at for being an area's; the name decides.
        offset: u64,
    },
    /// What is recorded. Answer: [`Answer::Indexed`](super::Answer::Indexed).
    Lookup {
        /// Name: where is its area?
        name: Name,
        /// Offset: whose area is it? With neither: which area is free?
        offset: u64,
    },
    /// Changes an entry and no area.
    Update {
        /// The name to record.
        name: Name,
        /// The offset of the area that the entry is about.
        offset: u64,
        /// How.
        change: IndexChange,
    },
    /// Records what is found in the areas.
    Rebuild,
}

/// See [`IndexOperation::Update`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IndexChange {
    /// The name is recorded.
    Add,
    /// The entry is emptied.
    Remove,
}

/// A host event as a client hears of it. It comes once with each renewal of the sender that carries it: two or three times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ToldEvent {
    /// The lockspace.
    pub lockspace: LsId,
    /// The host id that it came to.
    pub host_id: HostId,
    /// What is told, and to which of its lives.
    pub event: HostEvent,
    /// The sender.
    pub from: HostId,
    /// The sender's generation.
    pub from_generation: Generation,
}

/// An owner of a resource according to its area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Owner {
    /// Its host id.
    pub host_id: HostId,
    /// The generation under which it owns it.
    pub generation: Generation,
    /// The stamp of the leader; 0 for one that shares it.
    pub timestamp: Stamp,
}

/// Something that a client holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Holding {
    /// Name of the lockspace.
    pub lockspace: Name,
    /// Name of the resource.
    pub resource: Name,
    /// The version under which it was acquired.
    pub lver: Lver,
    /// In which mode it is held.
    pub mode: Mode,
}

/// One host of a lockspace as observed from another: a line of `gets -h 1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostStatus {
    /// The host.
    pub host_id: HostId,
    /// Its generation.
    pub generation: Generation,
    /// Its last stamp.
    pub timestamp: Stamp,
    /// The verdict.
    pub state: HostState,
}

/// States of a host, with sanlock's numbers (delta-lease §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HostState {
    /// Seen once, not yet seen renewing.
    Unknown = 1,
    /// Its delta lease is free.
    Free = 2,
    /// Seen renewing within its failure age.
    Live = 3,
    /// Not seen renewing for longer than its failure age.
    Fail = 4,
    /// Not seen renewing for so long that its watchdog must have fired.
    Dead = 5,
}
