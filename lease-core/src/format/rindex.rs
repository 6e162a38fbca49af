//! The resource index: a header and one entry for each resource area behind it (ondisk §8, rindex §1).

use super::bytes::{Fields, padded, put, trimmed, zero_from};
use super::{Geometry, Name, magic, record};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Name of the index's own private lease.
pub const RINDEX_LEASE: &str = "rindex_lease";

/// How many resources an index has room for if nobody says otherwise.
const DEFAULT_MAX_RESOURCES: u32 = 4096;

/// The first sector of an index. It has no checksum.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RindexHeader {
    /// Format version; only the major half is checked.
    pub version: u32,
    /// The align bit, of other value than in a leader record.
    pub flags: u32,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// Entries that may be used.
    pub max_resources: u32,
    /// Always 0.
    pub unused: u32,
    /// Byte offset of this header from the start of the device.
    pub rx_offset: u64,
    /// The lockspace.
    pub space_name: Name,
}

impl RindexHeader {
    /// The version that new headers get: major 1, minor 2.
    pub const VERSION: u32 = 0x0001_0002;
    /// Bytes of the header.
    const LENGTH: usize = 80;

    /// The header of a new index at byte `offset` of its device. A `max_resources` of 0 means 4096; more than the
    /// geometry has room for means as many as it has.
    pub fn fresh(geometry: Geometry, space: Name, offset: u64, max_resources: u32) -> RindexHeader {
        let asked = if max_resources == 0 { DEFAULT_MAX_RESOURCES } else { max_resources };
        let room = u32::try_from(geometry.rindex_max_resources()).expect("fits");
        RindexHeader {
            version: RindexHeader::VERSION,
            flags: geometry.rindex_flag(),
            sector_size: geometry.sector(),
            max_resources: asked.min(room),
            unused: 0,
            rx_offset: offset,
            space_name: space,
        }
    }

    /// The magic number and the fields, with nothing verified.
    pub fn peek(bytes: &[u8]) -> (u32, RindexHeader) {
        let bytes: [u8; RindexHeader::LENGTH] = padded(bytes, 0);
        let fields = Fields(&bytes);
        let header = RindexHeader {
            version: fields.u32(4),
            flags: fields.u32(8),
            sector_size: fields.u32(12),
            max_resources: fields.u32(16),
            unused: fields.u32(20),
            rx_offset: fields.u64(24),
            space_name: Name::from_raw(fields.array(32)),
        };
        (fields.u32(0), header)
    }

    /// The header, if encoding it gives the same bytes again.
    pub(super) fn decode(bytes: &[u8]) -> Option<RindexHeader> {
        let (found, header) = RindexHeader::peek(bytes);
        let canonical = found == magic::RINDEX
            && record::is_major(header.version, RindexHeader::VERSION)
            && zero_from(bytes, RindexHeader::LENGTH);
        canonical.then_some(header)
    }

    /// The bytes of the whole sector, without trailing zeros.
    pub fn sector(&self) -> Arc<[u8]> {
        let mut bytes = [0; RindexHeader::LENGTH];
        put(&mut bytes, 0, &magic::RINDEX.to_le_bytes());
        put(&mut bytes, 4, &self.version.to_le_bytes());
        put(&mut bytes, 8, &self.flags.to_le_bytes());
        put(&mut bytes, 12, &self.sector_size.to_le_bytes());
        put(&mut bytes, 16, &self.max_resources.to_le_bytes());
        put(&mut bytes, 20, &self.unused.to_le_bytes());
        put(&mut bytes, 24, &self.rx_offset.to_le_bytes());
        put(&mut bytes, 32, self.space_name.raw());
        trimmed(&bytes)
    }
}

/// One entry of an index. All zero: free.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RindexEntry {
    /// Byte offset of the resource's area from the start of the device; the position of the entry says the same.
    pub res_offset: u64,
    /// Always 0.
    pub flags: u32,
    /// Always 0.
    pub unused: u32,
    /// The resource.
    pub name: Name,
}

impl RindexEntry {
    /// Bytes of an entry.
    pub const LENGTH: usize = 64;

    /// Whether the entry may be given to a new resource.
    pub const fn is_free(&self) -> bool {
        self.res_offset == 0 && self.name.is_empty()
    }

    /// The entry in the first 64 of these bytes.
    pub fn read(bytes: &[u8]) -> RindexEntry {
        let bytes: [u8; RindexEntry::LENGTH] = padded(bytes, 0);
        let fields = Fields(&bytes);
        RindexEntry {
            res_offset: fields.u64(0),
            flags: fields.u32(8),
            unused: fields.u32(12),
            name: Name::from_raw(fields.array(16)),
        }
    }

    /// The entry's 64 bytes.
    pub fn encode(&self) -> [u8; RindexEntry::LENGTH] {
        let mut bytes = [0; RindexEntry::LENGTH];
        put(&mut bytes, 0, &self.res_offset.to_le_bytes());
        put(&mut bytes, 8, &self.flags.to_le_bytes());
        put(&mut bytes, 12, &self.unused.to_le_bytes());
        put(&mut bytes, 16, self.name.raw());
        bytes
    }

    /// The entries in the bytes of a sector, without trailing zero entries.
    pub(super) fn decode_sector(bytes: &[u8]) -> Arc<[RindexEntry]> {
        super::bytes::trim(bytes).chunks(RindexEntry::LENGTH).map(RindexEntry::read).collect()
    }

    /// The bytes of a sector with these entries, without trailing zeros.
    pub(super) fn encode_sector(entries: &[RindexEntry]) -> Arc<[u8]> {
        let bytes: Vec<u8> = entries.iter().flat_map(RindexEntry::encode).collect();
        trimmed(&bytes)
    }
}
