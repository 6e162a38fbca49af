//! Delta leases: who owns a host id, and the host-id bitmap behind the record.

use super::bytes::{padded, put, trimmed};
use super::record::{self, Record};
use super::{Geometry, Name, magic};
use crate::Refusal;
use crate::numbers::{Generation, HostId, Numbers, Stamp, Visit};
use alloc::sync::Arc;
use core::fmt;

/// The version that new records get: major 3, minor 4.
const VERSION: u32 = 0x0003_0004;
/// Where the bitmap stands in the sector.
pub(super) const BITMAP: usize = 256;

/// A host event that a renewal carries: the record's last three fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct HostEvent {
    /// Generation of the host that it is meant for; 0: any. A copy of what the sender was told, not a clock of its own.
    pub generation: u64,
    /// What happened, in the sender's terms.
    pub event: u64,
    /// More about it.
    pub data: u64,
}

/// The record of one host id in a lockspace: 200 bytes at the start of its sector (ondisk §3, §6).
///
/// Two are equal exactly if their 200 bytes are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeltaLease {
    /// Format version; only the major half is ever checked.
    pub version: u32,
    /// The align bit.
    pub flags: u32,
    /// Bytes of a sector.
    pub sector_size: u32,
    /// Always 0.
    pub num_hosts: u64,
    /// Always 1.
    pub max_hosts: u64,
    /// The host id of this sector once it was acquired, before that nobody.
    pub owner_id: HostId,
    /// Life of the host id: one more at each acquire.
    pub owner_generation: Generation,
    /// Always 0.
    pub lver: u64,
    /// The lockspace.
    pub space_name: Name,
    /// Unique name of the host, possibly with leftovers of a longer one (the resource_name field).
    pub owner_name: Name,
    /// Second of the owner's clock at its last write; 0: free.
    pub timestamp: Stamp,
    /// Always 0; covered by the checksum.
    pub unused1: u64,
    /// Always 0; not covered.
    pub unused2: u16,
    /// The owner's io_timeout in seconds.
    pub io_timeout: u16,
    /// The host event that the owner sends.
    pub event: HostEvent,
}

impl DeltaLease {
    /// A record that was never acquired.
    pub fn fresh(geometry: Geometry, space: Name, io_timeout: u16) -> DeltaLease {
        DeltaLease {
            version: VERSION,
            flags: geometry.leader_flag(),
            sector_size: geometry.sector(),
            num_hosts: 0,
            max_hosts: 1,
            owner_id: HostId::NONE,
            owner_generation: Generation(0),
            lver: 0,
            space_name: space,
            owner_name: Name::EMPTY,
            timestamp: Stamp::FREE,
            unused1: 0,
            unused2: 0,
            io_timeout,
            event: HostEvent::default(),
        }
    }

    /// Reads and verifies the record of lockspace `space`, in sanlock's order. Not verified: whose record it is, sector
    /// size, flags and io_timeout.
    ///
    /// # Errors
    ///
    /// -223 no delta lease there, -224 another major version, -226 another lockspace, -229 wrong checksum; the first
    /// that applies.
    pub fn read(bytes: &[u8], space: &Name) -> Result<DeltaLease, Refusal> {
        let bytes = record::bytes(bytes);
        if record::magic(&bytes) != magic::DELTA {
            return Err(Refusal::LeaderMagic);
        }
        if !record::is_major(record::version(&bytes), VERSION) {
            return Err(Refusal::LeaderVersion);
        }
        if !record::space_name(&bytes).same(space) {
            return Err(Refusal::LeaderLockspace);
        }
        if !record::is_intact(&bytes) {
            return Err(Refusal::LeaderChecksum);
        }
        Ok(DeltaLease::from_record(Record::parse(&bytes)))
    }

    /// The magic number and the fields, with nothing verified: what a scan of other hosts' records looks at.
    pub fn peek(bytes: &[u8]) -> (u32, DeltaLease) {
        let bytes = record::bytes(bytes);
        (record::magic(&bytes), DeltaLease::from_record(Record::parse(&bytes)))
    }

    /// The record, if magic, major version and checksum are right.
    pub(super) fn decode(bytes: &[u8]) -> Option<DeltaLease> {
        let bytes = record::bytes(bytes);
        let intact = record::magic(&bytes) == magic::DELTA
            && record::is_major(record::version(&bytes), VERSION)
            && record::is_intact(&bytes);
        intact.then(|| DeltaLease::from_record(Record::parse(&bytes)))
    }

    /// The bytes of the whole sector, with the bitmap, without trailing zeros.
    pub fn sector(&self, bitmap: &Bitmap) -> Arc<[u8]> {
        if *bitmap == Bitmap::EMPTY {
            return trimmed(&self.encode());
        }
        let mut sector = [0; BITMAP + Bitmap::LENGTH];
        put(&mut sector, 0, &self.encode());
        put(&mut sector, BITMAP, &bitmap.0);
        trimmed(&sector)
    }

    /// The record's 200 bytes.
    pub fn encode(&self) -> [u8; 200] {
        self.encode_as(magic::DELTA)
    }

    /// The bytes under another magic number: the first step of initialising a lockspace writes 0.
    pub(super) fn encode_as(&self, magic: u32) -> [u8; 200] {
        Record {
            version: self.version,
            flags: self.flags,
            sector_size: self.sector_size,
            num_hosts: self.num_hosts,
            max_hosts: self.max_hosts,
            owner_id: self.owner_id.0,
            owner_generation: self.owner_generation.0,
            lver: self.lver,
            space_name: self.space_name,
            resource_name: self.owner_name,
            timestamp: self.timestamp.0,
            unused1: self.unused1,
            unused2: self.unused2,
            io_timeout: self.io_timeout,
            write_id: self.event.generation,
            write_generation: self.event.event,
            write_timestamp: self.event.data,
        }
        .encode(magic)
    }

    fn from_record(record: Record) -> DeltaLease {
        DeltaLease {
            version: record.version,
            flags: record.flags,
            sector_size: record.sector_size,
            num_hosts: record.num_hosts,
            max_hosts: record.max_hosts,
            owner_id: HostId(record.owner_id),
            owner_generation: Generation(record.owner_generation),
            lver: record.lver,
            space_name: record.space_name,
            owner_name: record.resource_name,
            timestamp: Stamp(record.timestamp),
            unused1: record.unused1,
            unused2: record.unused2,
            io_timeout: record.io_timeout,
            event: HostEvent {
                generation: record.write_id,
                event: record.write_generation,
                data: record.write_timestamp,
            },
        }
    }
}

impl Visit for DeltaLease {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.generation(self.owner_id, &mut self.owner_generation);
        numbers.stamp(self.owner_id, &mut self.timestamp);
    }
}

/// The hosts that the owner of a delta lease wants to look at their requests: a set of host ids, 1 to 2048.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitmap([u8; 256]);

impl Bitmap {
    /// Nobody.
    pub const EMPTY: Bitmap = Bitmap([0; 256]);
    /// Bytes of a bitmap.
    const LENGTH: usize = 256;

    /// The bitmap in the bytes of a delta lease's sector.
    pub fn of_sector(sector: &[u8]) -> Bitmap {
        Bitmap(padded(sector, BITMAP))
    }

    /// Puts `host` in.
    pub fn set(&mut self, host: HostId) {
        let (byte, bit) = Bitmap::place(host).expect("a host id from 1 to 2048");
        self.0[byte] |= bit;
    }

    /// Takes `host` out.
    pub fn clear(&mut self, host: HostId) {
        let (byte, bit) = Bitmap::place(host).expect("a host id from 1 to 2048");
        self.0[byte] &= !bit;
    }

    /// Whether `host` is in. An id that has no bit is not.
    pub fn get(&self, host: HostId) -> bool {
        Bitmap::place(host).is_some_and(|(byte, bit)| self.0[byte] & bit != 0)
    }

    /// The hosts in it, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = HostId> + '_ {
        let bytes = (1..).step_by(8).map(HostId).zip(&self.0).filter(|(_, byte)| **byte != 0);
        bytes.flat_map(|(first, &byte)| {
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| HostId(first.0 + bit))
        })
    }

    fn place(host: HostId) -> Option<(usize, u8)> {
        let index = usize::try_from(host.0.checked_sub(1)?).ok()?;
        (index < 8 * Bitmap::LENGTH).then(|| (index / 8, 1 << (index % 8)))
    }
}

impl Default for Bitmap {
    fn default() -> Bitmap {
        Bitmap::EMPTY
    }
}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|host| host.0)).finish()
    }
}
