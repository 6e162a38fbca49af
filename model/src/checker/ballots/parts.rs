//! The parts of a state, and what is worked out of them once.

use super::canon::{Referee, Sets};
use super::host::{BallotHost, Position};
use super::{BLOCKS, Kind};
use crate::checker::intern::Lately;
use lease_core::format::{HostBlock, Sector};
use std::hash::{Hash, Hasher};

/// A host, and what is worked out of it once.
#[derive(Clone, Debug)]
pub(super) struct HostPart {
    pub(super) me: u8,
    pub(super) host: Box<BallotHost>,
    pub(super) sets: Sets,
    pub(super) offers: Box<[Offer]>,
    /// The look that has not sampled the leader yet.
    pub(super) looks: Option<u8>,
    /// A late write is under way.
    pub(super) late: bool,
    /// Its client uses the resource.
    pub(super) holds: bool,
    /// Its generation, and whether it is up.
    pub(super) life: u32,
}

/// What may happen to a host, as far as it depends on the host alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) kind: Kind,
    pub(super) looks: Looks,
    pub(super) lands_leader: bool,
}

/// What a step of a host looks at besides the host.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Looks {
    /// One sector, by its place in a state.
    pub(super) sector: Option<u8>,
    pub(super) blocks: bool,
    /// Who is alive.
    pub(super) lives: bool,
    /// The delta lease of this host.
    pub(super) delta: Option<u8>,
}

#[derive(Clone, Debug)]
pub(super) struct SectorPart {
    pub(super) position: Position,
    pub(super) sector: Sector,
    /// Of a damaged block, version and ballot number of the block that was there: its host goes on from there.
    pub(super) was: HostBlock,
    pub(super) sets: Sets,
}

#[derive(Clone, Debug)]
pub(super) struct RefereePart {
    pub(super) referee: Referee,
    pub(super) sets: Sets,
}

macro_rules! part {
    ($part:ident: $($field:ident),*) => {
        impl PartialEq for $part {
            fn eq(&self, other: &$part) -> bool {
                $( self.$field == other.$field )&&*
            }
        }
        impl Eq for $part {}
        impl Hash for $part {
            fn hash<H: Hasher>(&self, state: &mut H) {
                $( self.$field.hash(state); )*
            }
        }
    };
}
part!(HostPart: me, host);
part!(SectorPart: position, sector, was);
part!(RefereePart: referee);

/// A step of a host, and all that it looks at besides the host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct StepKey {
    pub(super) host: u32,
    pub(super) kind: Kind,
    pub(super) looks_at: [u32; BLOCKS + 1],
}

/// What came of it. Kept small: there are many.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Stepped {
    /// The host as it is now; if the engine panicked, what it said.
    pub(super) host: u32,
    /// A sector that was written,
    pub(super) sector: u32,
    /// and its place in a state, or [`NOWHERE`].
    pub(super) place: u8,
    pub(super) panicked: bool,
    /// What was chosen or granted; [`NO_EFFECTS`]: nothing.
    pub(super) effects: u16,
}

/// What a thread looked up lately.
pub struct Room {
    pub(super) steps: Lately<Stepped>,
    pub(super) canons: Lately<u32>,
    pub(super) renamed: Lately<u32>,
}

impl Room {
    /// For whoever looks up one thing and goes.
    pub(super) fn nothing() -> Room {
        Room { steps: Lately::nothing(), canons: Lately::nothing(), renamed: Lately::nothing() }
    }
}
