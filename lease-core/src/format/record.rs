//! The 200 bytes that delta leases and leader records share (ondisk §3).

use super::bytes::{Fields, checksum, padded, put};
use super::name::Name;

/// Bytes of the record.
pub(super) const LENGTH: usize = 200;
/// The checksum stands here and covers all that is before it.
const CHECKSUM: usize = 168;
/// The upper half of a version is the major number, the only one that is checked.
const MAJOR: u32 = 0xffff_0000;

/// All fields, unchecked. Magic and checksum are kept apart from it.
pub(super) struct Record {
    pub(super) version: u32,
    pub(super) flags: u32,
    pub(super) sector_size: u32,
    pub(super) num_hosts: u64,
    pub(super) max_hosts: u64,
    pub(super) owner_id: u64,
    pub(super) owner_generation: u64,
    pub(super) lver: u64,
    pub(super) space_name: Name,
    pub(super) resource_name: Name,
    pub(super) timestamp: u64,
    pub(super) unused1: u64,
    pub(super) unused2: u16,
    pub(super) io_timeout: u16,
    pub(super) write_id: u64,
    pub(super) write_generation: u64,
    pub(super) write_timestamp: u64,
}

/// The bytes of a record, with zeros for what is missing.
pub(super) fn bytes(sector: &[u8]) -> [u8; LENGTH] {
    padded(sector, 0)
}

/// The magic number.
pub(super) fn magic(bytes: &[u8; LENGTH]) -> u32 {
    Fields(bytes).u32(0)
}

/// Whether the version is of this major number.
pub(super) fn is_major(version: u32, wanted: u32) -> bool {
    version & MAJOR == wanted & MAJOR
}

/// The version.
pub(super) fn version(bytes: &[u8; LENGTH]) -> u32 {
    Fields(bytes).u32(4)
}

/// The lockspace name.
pub(super) fn space_name(bytes: &[u8; LENGTH]) -> Name {
    Name::from_raw(Fields(bytes).array(56))
}

/// The resource name.
pub(super) fn resource_name(bytes: &[u8; LENGTH]) -> Name {
    Name::from_raw(Fields(bytes).array(104))
}

/// Whether the stored checksum is the right one.
pub(super) fn is_intact(bytes: &[u8; LENGTH]) -> bool {
    Fields(bytes).u32(CHECKSUM) == checksum(&bytes[..CHECKSUM])
}

impl Record {
    pub(super) fn parse(bytes: &[u8; LENGTH]) -> Record {
        let fields = Fields(bytes);
        Record {
            version: fields.u32(4),
            flags: fields.u32(8),
            sector_size: fields.u32(12),
            num_hosts: fields.u64(16),
            max_hosts: fields.u64(24),
            owner_id: fields.u64(32),
            owner_generation: fields.u64(40),
            lver: fields.u64(48),
            space_name: space_name(bytes),
            resource_name: resource_name(bytes),
            timestamp: fields.u64(152),
            unused1: fields.u64(160),
            unused2: fields.u16(172),
            io_timeout: fields.u16(174),
            write_id: fields.u64(176),
            write_generation: fields.u64(184),
            write_timestamp: fields.u64(192),
        }
    }

    /// The bytes with this magic number and the checksum that belongs to it.
    pub(super) fn encode(&self, magic: u32) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        put(&mut bytes, 0, &magic.to_le_bytes());
        put(&mut bytes, 4, &self.version.to_le_bytes());
        put(&mut bytes, 8, &self.flags.to_le_bytes());
        put(&mut bytes, 12, &self.sector_size.to_le_bytes());
        put(&mut bytes, 16, &self.num_hosts.to_le_bytes());
        put(&mut bytes, 24, &self.max_hosts.to_le_bytes());
        put(&mut bytes, 32, &self.owner_id.to_le_bytes());
        put(&mut bytes, 40, &self.owner_generation.to_le_bytes());
        put(&mut bytes, 48, &self.lver.to_le_bytes());
        put(&mut bytes, 56, self.space_name.raw());
        put(&mut bytes, 104, self.resource_name.raw());
        put(&mut bytes, 152, &self.timestamp.to_le_bytes());
        put(&mut bytes, 160, &self.unused1.to_le_bytes());
        let sum = checksum(&bytes[..CHECKSUM]);
        put(&mut bytes, CHECKSUM, &sum.to_le_bytes());
        put(&mut bytes, 172, &self.unused2.to_le_bytes());
        put(&mut bytes, 174, &self.io_timeout.to_le_bytes());
        put(&mut bytes, 176, &self.write_id.to_le_bytes());
        put(&mut bytes, 184, &self.write_generation.to_le_bytes());
        put(&mut bytes, 192, &self.write_timestamp.to_le_bytes());
        bytes
    }
}
