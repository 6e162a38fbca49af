//! A sector as it is, whatever it is: the form in which worlds, images and reports hold disks.

use super::bytes::{trim, trimmed, zero_between, zero_from};
use super::delta::BITMAP;
use super::{Bitmap, DeltaLease, HostBlock, Leader, RequestRecord, RindexEntry, RindexHeader, magic};
use crate::numbers::{HostId, Numbers, Visit};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// What a sector is meant to hold, by its place in an area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SectorKind {
    /// The delta lease of this host id.
    Delta(HostId),
    /// The leader record of a resource.
    Leader,
    /// The request record of a resource.
    Request,
    /// The dblock and mode block of this host.
    HostBlock(HostId),
    /// The bytes that the owners of a resource hand on.
    Lvb,
    /// The header of a resource index.
    RindexHeader,
    /// Entries of a resource index.
    RindexEntries,
    /// Nothing.
    Unused,
}

impl SectorKind {
    /// The host whose sector it is.
    pub const fn host(self) -> HostId {
        match self {
            SectorKind::Delta(host) | SectorKind::HostBlock(host) => host,
            _ => HostId::NONE,
        }
    }
}

/// What a sector holds. Decoding and encoding lose nothing: whatever is not exactly what a record would be written as
/// is kept as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sector {
    /// Nothing but zeros: never written, or a host block that was wiped.
    Zero,
    /// A delta lease.
    Delta {
        /// The record.
        lease: DeltaLease,
        /// The hosts that its owner calls.
        bitmap: Box<Bitmap>,
    },
    /// A leader record.
    Leader(Leader),
    /// The leader record of an area that was cleared: for everybody else there is no lease.
    Cleared(Leader),
    /// A request record.
    Request(RequestRecord),
    /// A host's blocks in a resource. Never the default value, which is [`Sector::Zero`].
    HostBlock(HostBlock),
    /// The header of a resource index.
    RindexHeader(RindexHeader),
    /// Entries of a resource index, without trailing zero entries. Never empty: that is [`Sector::Zero`].
    RindexEntries(Arc<[RindexEntry]>),
    /// Damaged, foreign or opaque: the bytes without trailing zeros.
    Other(Arc<[u8]>),
}

impl Sector {
    /// What these bytes are, in the place of a `kind` sector of `sector_size` bytes.
    pub fn decode(kind: SectorKind, bytes: &[u8], sector_size: u32) -> Sector {
        let bytes = trim(bytes);
        if bytes.is_empty() {
            return Sector::Zero;
        }
        Sector::known(kind, bytes, sector_size).unwrap_or_else(|| Sector::Other(Arc::from(bytes)))
    }

    fn known(kind: SectorKind, bytes: &[u8], sector_size: u32) -> Option<Sector> {
        match kind {
            SectorKind::Delta(_) => {
                let canonical = zero_between(bytes, 200, BITMAP) && zero_from(bytes, BITMAP + 256);
                let lease = canonical.then(|| DeltaLease::decode(bytes))??;
                Some(Sector::Delta { lease, bitmap: Box::new(Bitmap::of_sector(bytes)) })
            }
            SectorKind::Leader if !zero_from(bytes, 200) => None,
            SectorKind::Leader => Leader::decode(bytes, magic::LEADER)
                .map(Sector::Leader)
                .or_else(|| Leader::decode(bytes, magic::CLEARED).map(Sector::Cleared)),
            SectorKind::Request => RequestRecord::decode(bytes).map(Sector::Request),
            SectorKind::HostBlock(_) => HostBlock::decode(bytes).map(Sector::HostBlock),
            SectorKind::RindexHeader => RindexHeader::decode(bytes).map(Sector::RindexHeader),
            SectorKind::RindexEntries => {
                let fits = bytes.len() as u64 <= u64::from(sector_size);
                fits.then(|| Sector::RindexEntries(RindexEntry::decode_sector(bytes)))
            }
            SectorKind::Lvb | SectorKind::Unused => None,
        }
    }

    /// The bytes, without trailing zeros.
    pub fn encode(&self) -> Arc<[u8]> {
        match self {
            Sector::Zero => Arc::default(),
            Sector::Delta { lease, bitmap } => lease.sector(bitmap),
            Sector::Leader(leader) => leader.sector(),
            Sector::Cleared(leader) => trimmed(&leader.encode_as(magic::CLEARED)),
            Sector::Request(request) => request.sector(),
            Sector::HostBlock(block) => block.sector(),
            Sector::RindexHeader(header) => header.sector(),
            Sector::RindexEntries(entries) => RindexEntry::encode_sector(entries),
            Sector::Other(bytes) => bytes.clone(),
        }
    }

    /// Shows every number, with the place of the sector to tell whose the generation of a mode block is.
    pub fn visit_at(&mut self, kind: SectorKind, numbers: &mut dyn Numbers) {
        match self {
            Sector::Delta { lease, bitmap: _ } => lease.visit(numbers),
            Sector::Leader(leader) | Sector::Cleared(leader) => leader.visit(numbers),
            Sector::Request(request) => request.visit(numbers),
            Sector::HostBlock(block) => block.visit_of(kind.host(), numbers),
            Sector::Zero | Sector::RindexHeader(_) | Sector::RindexEntries(_) | Sector::Other(_) => {}
        }
    }
}

impl Visit for Sector {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.visit_at(SectorKind::Unused, numbers);
    }
}
