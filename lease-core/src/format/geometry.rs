//! The five pairs of sector and align size, and where things lie in an area.

use crate::Refusal;
use crate::numbers::HostId;

/// Sector size and align size of a lockspace. An area is as long as the align size. No other pair is valid (ondisk §2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Geometry {
    /// 512-byte sectors, 1 MiB areas.
    S512A1M,
    /// 4096-byte sectors, 1 MiB areas.
    S4096A1M,
    /// 4096-byte sectors, 2 MiB areas.
    S4096A2M,
    /// 4096-byte sectors, 4 MiB areas.
    S4096A4M,
    /// 4096-byte sectors, 8 MiB areas.
    S4096A8M,
}

/// Index of the LVB's sector. A constant for every geometry, right only where an area has 2048 sectors (ondisk §7).
const LVB_SECTOR: u64 = 2002;

const MIB: u64 = 1 << 20;

impl Geometry {
    /// All five.
    pub const ALL: [Geometry; 5] =
        [Geometry::S512A1M, Geometry::S4096A1M, Geometry::S4096A2M, Geometry::S4096A4M, Geometry::S4096A8M];

    /// Bytes of a sector.
    pub const fn sector(self) -> u32 {
        match self {
            Geometry::S512A1M => 512,
            _ => 4096,
        }
    }

    /// Bytes of an area.
    pub const fn align(self) -> u64 {
        match self {
            Geometry::S512A1M | Geometry::S4096A1M => MIB,
            Geometry::S4096A2M => 2 * MIB,
            Geometry::S4096A4M => 4 * MIB,
            Geometry::S4096A8M => 8 * MIB,
        }
    }

    /// Sectors of an area.
    pub const fn sectors(self) -> u64 {
        self.align() / self.sector() as u64
    }

    /// The largest host id; also the stride of ballot numbers.
    pub const fn max_hosts(self) -> u64 {
        match self {
            Geometry::S512A1M | Geometry::S4096A8M => 2000,
            Geometry::S4096A1M => 250,
            Geometry::S4096A2M => 500,
            Geometry::S4096A4M => 1000,
        }
    }

    /// The align bit in the flags of a delta lease or leader record.
    pub const fn leader_flag(self) -> u32 {
        self.rindex_flag() << 4
    }

    /// The align bit in the flags of a resource index header.
    pub const fn rindex_flag(self) -> u32 {
        match self {
            Geometry::S512A1M | Geometry::S4096A1M => 0x1,
            Geometry::S4096A2M => 0x2,
            Geometry::S4096A4M => 0x4,
            Geometry::S4096A8M => 0x8,
        }
    }

    /// The geometry with these sizes in bytes, if it is one.
    pub fn from_sizes(sector: u32, align: u64) -> Option<Geometry> {
        Geometry::ALL.into_iter().find(|geometry| geometry.sector() == sector && geometry.align() == align)
    }

    /// The geometry that a delta lease or leader record tells. Of several align bits the smallest counts; without any
    /// (format minor below 4) 512 implies 1 MiB and 4096 implies 8 MiB.
    ///
    /// # Errors
    ///
    /// [`Refusal::LeaderSectorSize`] (-225) for another sector size, [`Refusal::LockspaceSizes`] (-230) for a pair that
    /// does not exist.
    pub fn from_leader(sector_size: u32, flags: u32) -> Result<Geometry, Refusal> {
        Geometry::from_bits(sector_size, flags >> 4)
    }

    /// The geometry that the header of a resource index tells, by the rules of [`Geometry::from_leader`].
    ///
    /// # Errors
    ///
    /// As [`Geometry::from_leader`].
    pub fn from_rindex(sector_size: u32, flags: u32) -> Result<Geometry, Refusal> {
        Geometry::from_bits(sector_size, flags)
    }

    fn from_bits(sector_size: u32, bits: u32) -> Result<Geometry, Refusal> {
        if sector_size != 512 && sector_size != 4096 {
            return Err(Refusal::LeaderSectorSize);
        }
        let align = match bits & 0xf {
            0 if sector_size == 512 => MIB,
            0 => 8 * MIB,
            bits => MIB << bits.trailing_zeros(),
        };
        Geometry::from_sizes(sector_size, align).ok_or(Refusal::LockspaceSizes)
    }

    /// Bytes that one read of a ballot covers: the leader, the request and the blocks of `num_hosts` hosts, in a number
    /// of sectors rounded up to a power of two, at most the area. (sanlock has no bound: it reads past the area.)
    pub fn ballot_length(self, num_hosts: u64) -> u64 {
        let sectors = num_hosts.saturating_add(2).checked_next_power_of_two().unwrap_or(u64::MAX);
        sectors.min(self.sectors()) * u64::from(self.sector())
    }

    /// The most resources that an index of this geometry can hold (rindex §1).
    pub const fn rindex_max_resources(self) -> u64 {
        match self {
            Geometry::S512A1M | Geometry::S4096A1M => 16_000,
            Geometry::S4096A2M => 32_000,
            Geometry::S4096A4M => 64_000,
            Geometry::S4096A8M => 128_000,
        }
    }

    /// Offset in a lockspace of the delta lease of `host`.
    pub fn delta_offset(self, host: HostId) -> u64 {
        assert!(host != HostId::NONE, "host ids count from 1");
        (host.0 - 1) * u64::from(self.sector())
    }

    /// Offset in a resource of its leader record.
    pub const fn leader_offset(self) -> u64 {
        0
    }

    /// Offset in a resource of its request record.
    pub const fn request_offset(self) -> u64 {
        self.sector() as u64
    }

    /// Offset in a resource of the block of `host`.
    pub fn block_offset(self, host: HostId) -> u64 {
        assert!(host != HostId::NONE, "host ids count from 1");
        (host.0 + 1) * u64::from(self.sector())
    }

    /// Offset of the LVB from the start of a resource. With three geometries this lies outside the area: see
    /// [`Geometry::lvb_fits`].
    pub const fn lvb_offset(self) -> u64 {
        LVB_SECTOR * self.sector() as u64
    }

    /// Whether the LVB lies inside its own area.
    pub const fn lvb_fits(self) -> bool {
        LVB_SECTOR < self.sectors()
    }
}
