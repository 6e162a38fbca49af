//! What is asked of a disk, and what may become of it.

use crate::disk::{PathId, SnapshotId};
use crate::platter::Run;
use crate::progress::Progress;
use alloc::vec::Vec;

/// An I/O in flight. The lowest free number is taken, so equal histories give equal numbers, and numbers do not grow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IoId(pub u16);

/// What a host asks for. Places and counts are in sectors.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Op {
    /// Read sectors.
    Read {
        /// The first sector.
        start: u64,
        /// How many.
        count: u64,
    },
    /// Write sectors.
    Write {
        /// The first sector.
        start: u64,
        /// What to write, from there on.
        runs: Vec<Run>,
    },
}

impl Op {
    /// The first sector.
    pub fn start(&self) -> u64 {
        match self {
            Op::Read { start, .. } | Op::Write { start, .. } => *start,
        }
    }

    /// How many sectors.
    pub fn count(&self) -> u64 {
        match self {
            Op::Read { count, .. } => *count,
            Op::Write { runs, .. } => runs.iter().map(|&(count, _)| u64::from(count)).sum(),
        }
    }

    /// Whether it is a write.
    pub fn is_write(&self) -> bool {
        matches!(self, Op::Write { .. })
    }
}

/// How a write, or a part of it, reaches the platter. Of the bytes that are named, those land that have not landed yet;
/// there must be one. All numbers count from the start of the write, except [`Landing::Misdirected`]'s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Landing {
    /// All of it.
    Whole,
    /// Some whole sectors.
    Sectors {
        /// The first, counted from the start of the write.
        from: u64,
        /// How many.
        count: u64,
    },
    /// Its head: the rest of the sector that is cut keeps its old bytes, and the sectors after it keep all of theirs.
    /// The rest may still land, or not.
    Torn {
        /// How many bytes of the write land: more than none, fewer than all.
        bytes: u64,
    },
    /// Its tail: the opposite of [`Landing::Torn`].
    TornTail {
        /// How many bytes of the write do *not* land: more than none, fewer than all.
        bytes: u64,
    },
    /// All of it, elsewhere. The sectors that were meant stay as they are.
    Misdirected {
        /// The sector of the disk at which it lands.
        start: u64,
    },
    /// All of it, with one bit flipped.
    Rotten {
        /// Which bit of the write; bit 0 is the lowest of the first byte. Its byte must not have landed before.
        bit: u64,
    },
}

/// How a read, or a part of it, sees the platter. Of the sectors that are named, those are sampled that were not
/// sampled yet; there must be one. All numbers count from the start of the read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sampling {
    /// All sectors, as they are now.
    Whole,
    /// Some sectors, as they are now.
    Sectors {
        /// The first, counted from the start of the read.
        from: u64,
        /// How many.
        count: u64,
    },
    /// Some sectors, as they were.
    Stale {
        /// When.
        snapshot: SnapshotId,
        /// The first, counted from the start of the read.
        from: u64,
        /// How many.
        count: u64,
    },
}

/// How an I/O ends at the host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ending {
    /// Success: all of it has moved. (Of an I/O beyond the end of the disk, all up to there; it completes short.)
    Done,
    /// This errno (a positive number), and nothing of it was written or ever will be.
    Refused(u16),
    /// This errno (a positive number), although some or all of the write has landed. What has not, never will.
    LostAnswer(u16),
    /// Fewer bytes than asked for were transferred. What has not landed, never will.
    Short,
    /// The device is gone. What has not landed, never will.
    NoDevice,
}

/// What the host hears.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Completion {
    /// The sectors that were read, each as it was when it was sampled. Neighbouring runs differ.
    Read(Vec<Run>),
    /// The write is done.
    Written,
    /// Fewer bytes than asked for were transferred.
    Short,
    /// This errno, a positive number.
    Failed(u16),
    /// The device is gone.
    NoDevice,
}

/// An I/O in flight: what was asked for, and how far it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Io {
    pub(crate) path: PathId,
    pub(crate) op: Op,
    /// In sectors; kept, for it is asked for at every step.
    pub(crate) count: u64,
    /// Sectors of it that the disk has: fewer than `count` if it goes beyond the end.
    pub(crate) within: u64,
    /// In bytes, of the sectors within the disk.
    pub(crate) progress: Progress,
    /// What was sampled so far, as runs of all sectors within the disk, zeros standing for those not sampled yet.
    pub(crate) data: Vec<Run>,
    pub(crate) ghost: bool,
}

impl Io {
    /// The path on which it was issued.
    pub fn path(&self) -> PathId {
        self.path
    }

    /// What was asked for.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The first sector.
    pub fn start(&self) -> u64 {
        self.op.start()
    }

    /// How many sectors.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of its sectors the disk has: fewer than [`Io::count`] if it goes beyond the end.
    pub fn within(&self) -> u64 {
        self.within
    }

    /// Whether it is a write.
    pub fn is_write(&self) -> bool {
        self.op.is_write()
    }

    /// Whether nobody waits for it any more.
    pub fn is_ghost(&self) -> bool {
        self.ghost
    }

    /// Which of its bytes have landed or were sampled.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether all of it that the disk has room for has landed or was sampled.
    pub fn is_whole(&self) -> bool {
        self.progress == Progress::All
    }

    /// Whether nothing of it has landed or was sampled.
    pub fn is_untouched(&self) -> bool {
        self.progress == Progress::Nothing || self.within == 0
    }

    /// The sectors that have still to move, in whole or in part, as (first, count), counted from the start of the I/O.
    pub fn pending(&self, sector_size: u32) -> Vec<(u64, u64)> {
        let size = u64::from(sector_size);
        let mut pending = Vec::new();
        // Only whole sectors, a head and a tail ever land, so no two gaps share a sector.
        self.progress.for_each_gap(0, self.within * size, |from, to| {
            let (from, to) = (from / size, to.div_ceil(size));
            pending.push((from, to - from));
        });
        pending
    }
}
