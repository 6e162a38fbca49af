//! Host blocks: what one host says in the ballots of a resource, and whether it holds the resource shared.

use super::bytes::{Fields, checksum, padded, put, trimmed, zero_between, zero_from};
use crate::Refusal;
use crate::numbers::{Generation, HostId, Lver, Mbal, Numbers, Stamp, Visit};
use alloc::sync::Arc;

/// Bytes of the dblock.
const LENGTH: usize = 56;
/// The checksum stands here, covers all that is before it, and does not cover the flags behind it.
const CHECKSUM: usize = 48;
/// Where the mode block stands in the sector.
const MODE: usize = 128;
const MODE_LENGTH: usize = 16;

/// The sector of one host in a resource: sanlock's dblock and mode block, always written together (ondisk §4).
///
/// The default value is a block that was never written: a zero sector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct HostBlock {
    /// The highest ballot number that this host has started, in any version.
    pub mbal: Mbal,
    /// The ballot in which the proposal was set; 0: none.
    pub bal: Mbal,
    /// The proposed owner; nobody: no proposal.
    pub inp: HostId,
    /// The proposed owner's generation.
    pub inp2: Generation,
    /// Second of the proposed owner's clock.
    pub inp3: Stamp,
    /// The version that the ballot is for.
    pub lver: Lver,
    /// [`HostBlock::RELEASED`].
    pub flags: u32,
    /// Whether the host holds the resource shared.
    pub mode: ModeBlock,
}

/// The mode block behind a dblock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModeBlock {
    /// [`ModeBlock::SHARED`].
    pub flags: u32,
    /// Generation of the holder when it set the flag.
    pub generation: Generation,
}

impl ModeBlock {
    /// Flag: this host holds the resource in shared mode.
    pub const SHARED: u32 = 0x1;

    /// Whether this host holds the resource in shared mode.
    pub const fn shared(&self) -> bool {
        self.flags & ModeBlock::SHARED != 0
    }

    /// The mode block in the bytes of a host's sector. It has no magic and no checksum; its padding is ignored.
    pub fn of_sector(sector: &[u8]) -> ModeBlock {
        let bytes: [u8; MODE_LENGTH] = padded(sector, MODE);
        let fields = Fields(&bytes);
        ModeBlock { flags: fields.u32(0), generation: Generation(fields.u64(8)) }
    }
}

impl HostBlock {
    /// Flag: the host has released the version that this block is for.
    pub const RELEASED: u32 = 0x1;

    /// Reads both blocks of a host's sector. What stands between and behind them is ignored: sanlock leaves garbage
    /// there when it converts a lease.
    ///
    /// # Errors
    ///
    /// -214 if the checksum is wrong. A block whose checksum, ballot numbers, proposal and version are all zero passes
    /// as never written.
    pub fn read(bytes: &[u8]) -> Result<HostBlock, Refusal> {
        let (sum, block) = HostBlock::peek(bytes);
        let never_written = sum == 0
            && block.mbal == Mbal(0)
            && block.bal == Mbal(0)
            && block.inp == HostId::NONE
            && block.lver == Lver(0);
        if never_written || sum == HostBlock::right_sum(bytes) { Ok(block) } else { Err(Refusal::DblockChecksum) }
    }

    /// The block, if encoding it gives the same bytes again.
    pub(super) fn decode(bytes: &[u8]) -> Option<HostBlock> {
        let (sum, block) = HostBlock::peek(bytes);
        // A default block is encoded as a zero sector, so its checksum has no place.
        let canonical = sum == HostBlock::right_sum(bytes)
            && block != HostBlock::default()
            && zero_between(bytes, LENGTH, MODE)
            && zero_between(bytes, MODE + 4, MODE + 8)
            && zero_from(bytes, MODE + MODE_LENGTH);
        canonical.then_some(block)
    }

    /// The stored checksum and the fields, with nothing verified.
    pub fn peek(bytes: &[u8]) -> (u32, HostBlock) {
        let mode = ModeBlock::of_sector(bytes);
        let bytes: [u8; LENGTH] = padded(bytes, 0);
        let fields = Fields(&bytes);
        let block = HostBlock {
            mbal: Mbal(fields.u64(0)),
            bal: Mbal(fields.u64(8)),
            inp: HostId(fields.u64(16)),
            inp2: Generation(fields.u64(24)),
            inp3: Stamp(fields.u64(32)),
            lver: Lver(fields.u64(40)),
            flags: fields.u32(52),
            mode,
        };
        (fields.u32(CHECKSUM), block)
    }

    fn right_sum(bytes: &[u8]) -> u32 {
        checksum(&padded::<CHECKSUM>(bytes, 0))
    }

    /// Whether the host has released the version that this block is for.
    pub const fn released(&self) -> bool {
        self.flags & HostBlock::RELEASED != 0
    }

    /// The bytes of the whole sector, without trailing zeros. A block that was never written has none.
    pub fn sector(&self) -> Arc<[u8]> {
        if *self == HostBlock::default() {
            return Arc::default();
        }
        let mut bytes = [0; MODE + MODE_LENGTH];
        put(&mut bytes, 0, &self.mbal.0.to_le_bytes());
        put(&mut bytes, 8, &self.bal.0.to_le_bytes());
        put(&mut bytes, 16, &self.inp.0.to_le_bytes());
        put(&mut bytes, 24, &self.inp2.0.to_le_bytes());
        put(&mut bytes, 32, &self.inp3.0.to_le_bytes());
        put(&mut bytes, 40, &self.lver.0.to_le_bytes());
        let sum = checksum(&bytes[..CHECKSUM]);
        put(&mut bytes, CHECKSUM, &sum.to_le_bytes());
        put(&mut bytes, 52, &self.flags.to_le_bytes());
        put(&mut bytes, MODE, &self.mode.flags.to_le_bytes());
        put(&mut bytes, MODE + 8, &self.mode.generation.0.to_le_bytes());
        trimmed(&bytes)
    }

    /// Shows every number, with `host` as the one whose sector this is: the mode block's generation is its own.
    pub fn visit_of(&mut self, host: HostId, numbers: &mut dyn Numbers) {
        numbers.mbal(&mut self.mbal);
        numbers.bal(&mut self.bal);
        numbers.generation(self.inp, &mut self.inp2);
        numbers.stamp(self.inp, &mut self.inp3);
        numbers.lver(&mut self.lver);
        numbers.generation(host, &mut self.mode.generation);
    }
}

impl Visit for HostBlock {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.visit_of(HostId::NONE, numbers);
    }
}
