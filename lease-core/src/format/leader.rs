//! Leader records: who owns a resource, in which version.

use super::bytes::trimmed;
use super::record::{self, Record};
use super::{Geometry, Name, magic};
use crate::Refusal;
use crate::numbers::{Generation, HostId, Lver, Numbers, Stamp, Visit};
use alloc::sync::Arc;

/// The version that new records get: major 6, minor 4.
const VERSION: u32 = 0x0006_0004;

/// The record of a resource's current owner: 200 bytes in the first sector of its area (ondisk §3, §7).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Leader {
    /// Format version; only the major half is ever checked.
    pub version: u32,
    /// The align bit, and [`Leader::SHORT_HOLD`].
    pub flags: u32,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// Hosts that take part: their blocks are read in a ballot.
    pub num_hosts: u64,
    /// Hosts that the geometry has room for: the stride of ballot numbers.
    pub max_hosts: u64,
    /// Owner of this version.
    pub owner_id: HostId,
    /// The owner's generation when it won.
    pub owner_generation: Generation,
    /// Version of the lease: one more at each successful ballot.
    pub lver: Lver,
    /// The lockspace.
    pub space_name: Name,
    /// The resource.
    pub resource_name: Name,
    /// Second of the clock of the host whose value was chosen; 0: free.
    pub timestamp: Stamp,
    /// Always 0; covered by the checksum.
    pub unused1: u64,
    /// Always 0; not covered.
    pub unused2: u16,
    /// Always 0.
    pub io_timeout: u16,
    /// The host that wrote this record.
    pub write_id: HostId,
    /// Its generation.
    pub write_generation: Generation,
    /// Second of its clock at the write.
    pub write_timestamp: Stamp,
}

impl Leader {
    /// Flag: the owner only passes through on its way to a shared lease.
    pub const SHORT_HOLD: u32 = 0x1;

    /// A record that was never acquired. A `num_hosts` of 0 or beyond what the geometry has room for means all.
    pub fn fresh(geometry: Geometry, space: Name, resource: Name, num_hosts: u64) -> Leader {
        let max_hosts = geometry.max_hosts();
        Leader {
            version: VERSION,
            flags: geometry.leader_flag(),
            sector_size: geometry.sector(),
            num_hosts: if (1..=max_hosts).contains(&num_hosts) { num_hosts } else { max_hosts },
            max_hosts,
            owner_id: HostId::NONE,
            owner_generation: Generation(0),
            lver: Lver(0),
            space_name: space,
            resource_name: resource,
            timestamp: Stamp::FREE,
            unused1: 0,
            unused2: 0,
            io_timeout: 0,
            write_id: HostId::NONE,
            write_generation: Generation(0),
            write_timestamp: Stamp::FREE,
        }
    }

    /// Reads and verifies the leader of `space` and `resource` for `host`, in sanlock's order. Operations without a host
    /// id pass [`HostId::NONE`]. Not verified: sector size, max_hosts and flags.
    ///
    /// # Errors
    ///
    /// -223 no lease there, or cleared; -224 another major version; -226 another lockspace; -227 another resource; -228
    /// no room for the host id; -229 wrong checksum; the first that applies.
    pub fn read(bytes: &[u8], space: &Name, resource: &Name, host: HostId) -> Result<Leader, Refusal> {
        let bytes = record::bytes(bytes);
        if record::magic(&bytes) != magic::LEADER {
            return Err(Refusal::LeaderMagic);
        }
        if !record::is_major(record::version(&bytes), VERSION) {
            return Err(Refusal::LeaderVersion);
        }
        if !record::space_name(&bytes).same(space) {
            return Err(Refusal::LeaderLockspace);
        }
        if !record::resource_name(&bytes).same(resource) {
            return Err(Refusal::LeaderResource);
        }
        let record = Record::parse(&bytes);
        if record.num_hosts < host.0 {
            return Err(Refusal::LeaderNumHosts);
        }
        if !record::is_intact(&bytes) {
            return Err(Refusal::LeaderChecksum);
        }
        Ok(Leader::from_record(record))
    }

    /// The magic number and the fields, with nothing verified.
    pub fn peek(bytes: &[u8]) -> (u32, Leader) {
        let bytes = record::bytes(bytes);
        (record::magic(&bytes), Leader::from_record(Record::parse(&bytes)))
    }

    /// The record under this magic number, if major version and checksum are right too.
    pub(super) fn decode(bytes: &[u8], magic: u32) -> Option<Leader> {
        let bytes = record::bytes(bytes);
        let intact = record::magic(&bytes) == magic
            && record::is_major(record::version(&bytes), VERSION)
            && record::is_intact(&bytes);
        intact.then(|| Leader::from_record(Record::parse(&bytes)))
    }

    /// Whether the owner only passes through on its way to a shared lease.
    pub const fn short_hold(&self) -> bool {
        self.flags & Leader::SHORT_HOLD != 0
    }

    /// The bytes of the whole sector, without trailing zeros.
    pub fn sector(&self) -> Arc<[u8]> {
        trimmed(&self.encode())
    }

    /// The record's 200 bytes.
    pub fn encode(&self) -> [u8; 200] {
        self.encode_as(magic::LEADER)
    }

    /// The bytes under another magic number: that of a cleared area.
    pub(super) fn encode_as(&self, magic: u32) -> [u8; 200] {
        Record {
            version: self.version,
            flags: self.flags,
            sector_size: self.sector_size,
            num_hosts: self.num_hosts,
            max_hosts: self.max_hosts,
            owner_id: self.owner_id.0,
            owner_generation: self.owner_generation.0,
            lver: self.lver.0,
            space_name: self.space_name,
            resource_name: self.resource_name,
            timestamp: self.timestamp.0,
            unused1: self.unused1,
            unused2: self.unused2,
            io_timeout: self.io_timeout,
            write_id: self.write_id.0,
            write_generation: self.write_generation.0,
            write_timestamp: self.write_timestamp.0,
        }
        .encode(magic)
    }

    fn from_record(record: Record) -> Leader {
        Leader {
            version: record.version,
            flags: record.flags,
            sector_size: record.sector_size,
            num_hosts: record.num_hosts,
            max_hosts: record.max_hosts,
            owner_id: HostId(record.owner_id),
            owner_generation: Generation(record.owner_generation),
            lver: Lver(record.lver),
            space_name: record.space_name,
            resource_name: record.resource_name,
            timestamp: Stamp(record.timestamp),
            unused1: record.unused1,
            unused2: record.unused2,
            io_timeout: record.io_timeout,
            write_id: HostId(record.write_id),
            write_generation: Generation(record.write_generation),
            write_timestamp: Stamp(record.write_timestamp),
        }
    }
}

impl Visit for Leader {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.generation(self.owner_id, &mut self.owner_generation);
        numbers.lver(&mut self.lver);
        numbers.stamp(self.owner_id, &mut self.timestamp);
        numbers.generation(self.write_id, &mut self.write_generation);
        numbers.stamp(self.write_id, &mut self.write_timestamp);
    }
}
