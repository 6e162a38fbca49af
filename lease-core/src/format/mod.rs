//! sanlock's on-disk format: what every sector of a lease area may hold, read and written to the byte.
//!
//! Two ways to look at a sector. The engine *reads a record that it expects*, with the checks and the result codes of
//! sanlock ([`DeltaLease::read`], [`Leader::read`], [`HostBlock::read`]). Everybody else *decodes whatever is there*
//! ([`Sector::decode`]): a world, an image, a report. That never fails, and never loses a byte.
//!
//! Records are valid by construction: magic and checksum are no fields, they are computed on encoding. So numbers in a
//! record may be renamed without thought, and a damaged sector is another kind of sector ([`Sector::Other`]).
//!
//! It refuses to do I/O, to know where on a disk an area lies, and to decide anything.
//!
//! Bytes are passed without their trailing zeros wherever that is handy: what is missing is zero.

mod block;
mod bytes;
mod delta;
mod geometry;
pub mod init;
mod leader;
mod name;
mod read;
mod record;
mod request;
mod rindex;
mod sector;
pub mod strings;

pub use block::{HostBlock, ModeBlock};
pub use bytes::{checksum, trimmed};
pub use delta::{Bitmap, DeltaLease, HostEvent};
pub use geometry::Geometry;
pub use leader::Leader;
pub use name::Name;
pub use read::Sectors;
pub use request::RequestRecord;
pub use rindex::{RINDEX_LEASE, RindexEntry, RindexHeader};
pub use sector::{Sector, SectorKind};

/// Magic numbers, with which records that bear one begin.
pub mod magic {
    /// A delta lease.
    pub const DELTA: u32 = 0x1221_2010;
    /// The leader record of a Disk Paxos lease.
    pub const LEADER: u32 = 0x0615_2010;
    /// The leader record of an area that was cleared: no lease there any more.
    pub const CLEARED: u32 = 0x1128_2016;
    /// A request record.
    pub const REQUEST: u32 = 0x0829_2011;
    /// The header of a resource index.
    pub const RINDEX: u32 = 0x0104_2018;
}
