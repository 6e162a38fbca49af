//! What is magnetised: the sectors of a disk, as runs of equal ones.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The bytes of one sector without its trailing zeros: empty for a sector of zeros. [`sector`] makes them.
pub type Bytes = Arc<[u8]>;

/// Some equal sectors in a row: how many, and their bytes.
pub type Run = (u32, Bytes);

/// The bytes of a sector, without the zeros at its end.
pub fn sector(bytes: &[u8]) -> Bytes {
    let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if length == 0 { Bytes::default() } else { Bytes::from(&bytes[..length]) }
}

/// Equal sectors in a row, somewhere on a platter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Extent {
    /// The first sector.
    pub start: u64,
    /// How many sectors.
    pub count: u64,
    /// The bytes of each.
    pub bytes: Bytes,
}

impl Extent {
    /// The sector after the last.
    pub fn end(&self) -> u64 {
        self.start + self.count
    }
}

/// What is magnetised. Equal contents are equal values; a clone shares everything until one of the two is written.
///
/// The extents cover the whole platter in order, none is empty, and neighbours differ.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Platter {
    sector_size: u32,
    sectors: u64,
    extents: Arc<Vec<Extent>>,
}

/// A piece of an image that lies beyond the end of the platter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BadPiece {
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// How much the platter holds, in bytes.
    pub size: u64,
}

impl fmt::Display for BadPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadPiece { offset, length, size } = self;
        write!(
            f,
            "{length} bytes at byte {offset} of an image lie beyond its end: expected at most {size} bytes in all"
        )
    }
}

impl core::error::Error for BadPiece {}

impl Platter {
    /// A platter of zeros.
    ///
    /// # Panics
    ///
    /// If either number is zero, or the size in bytes is more than 64 bits hold.
    pub fn new(sector_size: u32, sectors: u64) -> Platter {
        assert!(sector_size > 0, "a sector has bytes");
        assert!(sectors > 0, "a platter has sectors");
        assert!(sectors.checked_mul(u64::from(sector_size)).is_some(), "a platter's size in bytes fits 64 bits");
        let extents = Arc::new(vec![Extent { start: 0, count: sectors, bytes: Bytes::default() }]);
        Platter { sector_size, sectors, extents }
    }

    /// Bytes per sector.
    pub fn sector_size(&self) -> u32 {
        self.sector_size
    }

    /// Number of sectors.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Number of bytes.
    pub fn size(&self) -> u64 {
        self.sectors * u64::from(self.sector_size)
    }

    /// One sector, without its trailing zeros.
    ///
    /// # Panics
    ///
    /// If there is no such sector.
    pub fn sector(&self, sector: u64) -> &Bytes {
        self.check(sector, 1);
        &self.extents[self.index_of(sector)].bytes
    }

    /// All extents, in order.
    pub fn extents(&self) -> impl ExactSizeIterator<Item = &Extent> {
        self.extents.iter()
    }

    /// These sectors as runs. Neighbours differ (unless a run has more sectors than a `u32` counts).
    ///
    /// # Panics
    ///
    /// If a sector lies beyond the end.
    pub fn runs(&self, start: u64, count: u64) -> Vec<Run> {
        self.check(start, count);
        if count == 0 {
            return Vec::new();
        }
        let (first, last) = self.indices(start, count);
        let mut runs = Vec::with_capacity(last - first + 1);
        clip(&self.extents[first..=last], start, start + count, |count, bytes| runs.push((count, bytes.clone())));
        runs
    }

    /// Calls `each` with the runs that [`Platter::runs`] would return, without allocating.
    ///
    /// # Panics
    ///
    /// If a sector lies beyond the end.
    pub fn for_each_run(&self, start: u64, count: u64, each: impl FnMut(u32, &Bytes)) {
        self.check(start, count);
        if count > 0 {
            let (first, last) = self.indices(start, count);
            clip(&self.extents[first..=last], start, start + count, each);
        }
    }

    /// Overwrites sectors, from `start` on.
    ///
    /// # Panics
    ///
    /// If a sector lies beyond the end, or has more bytes than a sector of this platter.
    pub fn write(&mut self, start: u64, runs: &[Run]) {
        if runs.iter().any(|(_, bytes)| bytes.last() == Some(&0)) {
            return self.write(start, &trimmed(runs));
        }
        assert!(
            runs.iter().all(|(_, bytes)| bytes.len() <= self.sector_size as usize),
            "a sector's bytes fit a sector"
        );
        let count = runs.iter().map(|&(count, _)| u64::from(count)).sum();
        self.check(start, count);
        if count == 0 {
            return;
        }
        let (first, last) = self.indices(start, count);
        if let [(_, bytes)] = runs
            && first == last
        {
            let extent = &self.extents[first];
            if extent.bytes == *bytes {
                return; // and whoever shares the extents goes on sharing them
            }
            let differs = |neighbour: Option<&Extent>| neighbour.is_none_or(|neighbour| neighbour.bytes != *bytes);
            let before = first.checked_sub(1).and_then(|before| self.extents.get(before));
            if extent.count == count && differs(before) && differs(self.extents.get(first + 1)) {
                Arc::make_mut(&mut self.extents)[first].bytes = bytes.clone();
                return;
            }
        }
        self.replace(start, runs, first, last, count);
    }

    /// The general case of a write: the extents from `first` to `last` are replaced, and both neighbours with them, for
    /// these may become one with what is written.
    fn replace(&mut self, start: u64, runs: &[Run], first: usize, last: usize, count: u64) {
        let end = start + count;
        let low = first.saturating_sub(1);
        let high = (last + 1).min(self.extents.len() - 1);
        let mut new: Vec<Extent> = Vec::with_capacity(runs.len() + 4);
        let mut push = |start: u64, end: u64, bytes: &Bytes| {
            if start >= end {
                return;
            }
            match new.last_mut() {
                Some(before) if before.bytes == *bytes => before.count = end - before.start,
                _ => new.push(Extent { start, count: end - start, bytes: bytes.clone() }),
            }
        };
        for extent in &self.extents[low..=first] {
            push(extent.start, extent.end().min(start), &extent.bytes);
        }
        let mut at = start;
        for (count, bytes) in runs {
            push(at, at + u64::from(*count), bytes);
            at += u64::from(*count);
        }
        for extent in &self.extents[last..=high] {
            push(extent.start.max(end), extent.end(), &extent.bytes);
        }
        if self.extents[low..=high] != new[..] {
            Arc::make_mut(&mut self.extents).splice(low..=high, new);
        }
    }

    /// Overwrites bytes, wherever they begin and end.
    ///
    /// # Panics
    ///
    /// If a byte lies beyond the end.
    pub fn edit(&mut self, offset: u64, bytes: &[u8]) {
        let fits = offset.checked_add(bytes.len() as u64).is_some_and(|end| end <= self.size());
        assert!(fits, "{} bytes at byte {offset} lie on a platter of {} bytes", bytes.len(), self.size());
        let size = self.sector_size as usize;
        let first = offset / u64::from(self.sector_size);
        let mut skip = (offset % u64::from(self.sector_size)) as usize;
        let mut rest = bytes;
        let mut runs = Vec::with_capacity(bytes.len() / size + 2);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(size - skip));
            let whole = now.len() == size;
            let old = self.sector(first + runs.len() as u64);
            runs.push((1, if whole { sector(now) } else { overlaid(old, skip, now, now.len()) }));
            (rest, skip) = (later, 0);
        }
        self.write(first, &runs);
    }

    /// Flips one bit: bit 0 is the lowest of the first byte.
    ///
    /// # Panics
    ///
    /// If the bit lies beyond the end.
    pub fn flip_bit(&mut self, bit: u64) {
        let (offset, mask) = (bit / 8, 1_u8 << (bit % 8));
        assert!(offset < self.size(), "bit {bit} lies on a platter of {} bytes", self.size());
        let within = (offset % u64::from(self.sector_size)) as usize;
        let old = self.sector(offset / u64::from(self.sector_size)).get(within).copied().unwrap_or(0);
        self.edit(offset, &[old ^ mask]);
    }

    /// The sectors that are not zero, as they stand in an image file: the offset in bytes, and the bytes of the whole
    /// sector. A sparse image is these pieces and holes between them.
    pub fn pieces(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let size = u64::from(self.sector_size);
        self.extents.iter().filter(|extent| !extent.bytes.is_empty()).flat_map(move |extent| {
            (extent.start..extent.end()).map(move |sector| {
                let mut bytes = vec![0; size as usize];
                bytes[..extent.bytes.len()].copy_from_slice(&extent.bytes);
                (sector * size, bytes)
            })
        })
    }

    /// A platter that holds these pieces of an image, each an offset in bytes and some bytes, and zeros elsewhere.
    ///
    /// # Errors
    ///
    /// If a piece lies beyond the end.
    ///
    /// # Panics
    ///
    /// As [`Platter::new`].
    pub fn from_pieces<P: AsRef<[u8]>>(
        sector_size: u32,
        sectors: u64,
        pieces: impl IntoIterator<Item = (u64, P)>,
    ) -> Result<Platter, BadPiece> {
        let mut platter = Platter::new(sector_size, sectors);
        for (offset, bytes) in pieces {
            let length = bytes.as_ref().len() as u64;
            if offset.checked_add(length).is_none_or(|end| end > platter.size()) {
                return Err(BadPiece { offset, length, size: platter.size() });
            }
            platter.edit(offset, bytes.as_ref());
        }
        Ok(platter)
    }

    /// Overwrites bytes of one sector, from byte `from` to before byte `to`, with the same bytes of `new`.
    pub(crate) fn write_within(&mut self, sector: u64, new: &Bytes, from: usize, to: usize) {
        debug_assert!(from <= to && to <= self.sector_size as usize);
        let fresh = new.get(from..to.min(new.len())).unwrap_or(&[]);
        let bytes = overlaid(self.sector(sector), from, fresh, to - from);
        self.write(sector, &[(1, bytes)]);
    }

    /// The indices of the extents that hold the first and the last of these sectors.
    fn indices(&self, start: u64, count: u64) -> (usize, usize) {
        let first = self.index_of(start);
        let last = start + (count - 1);
        (first, if last < self.extents[first].end() { first } else { self.index_of(last) })
    }

    /// The index of the extent that holds a sector.
    fn index_of(&self, sector: u64) -> usize {
        self.extents.partition_point(|extent| extent.start <= sector) - 1
    }

    fn check(&self, start: u64, count: u64) {
        let fits = start.checked_add(count).is_some_and(|end| end <= self.sectors);
        assert!(fits, "{count} sectors from sector {start} on lie on a platter of {} sectors", self.sectors);
    }
}

/// Calls `each` with what lies of these extents between two sectors.
fn clip(extents: &[Extent], start: u64, end: u64, mut each: impl FnMut(u32, &Bytes)) {
    for extent in extents {
        let mut count = extent.end().min(end) - extent.start.max(start);
        while count > 0 {
            let now = u32::try_from(count).unwrap_or(u32::MAX);
            each(now, &extent.bytes);
            count -= u64::from(now);
        }
    }
}

/// The bytes of a sector after `length` bytes of it, from `from` on, were overwritten with `new`, zeros following.
fn overlaid(old: &[u8], from: usize, new: &[u8], length: usize) -> Bytes {
    let mut whole = vec![0; old.len().max(from + length)];
    whole[..old.len()].copy_from_slice(old);
    whole[from..from + new.len()].copy_from_slice(new);
    whole[from + new.len()..from + length].fill(0);
    sector(&whole)
}

/// The same runs, all without trailing zeros.
pub(crate) fn trimmed(runs: &[Run]) -> Vec<Run> {
    let trim = |bytes: &Bytes| if bytes.last() == Some(&0) { sector(bytes) } else { bytes.clone() };
    runs.iter().map(|(count, bytes)| (*count, trim(bytes))).collect()
}

/// The part of some runs that begins `from` sectors after their start and is `count` sectors long.
pub(crate) fn slice_runs(runs: &[Run], from: u64, count: u64) -> Vec<Run> {
    let (mut at, end) = (0, from + count);
    let mut slice = Vec::new();
    for (length, bytes) in runs {
        let next = at + u64::from(*length);
        let (low, high) = (at.max(from), next.min(end));
        if low < high {
            // Not more than `length`, so it fits.
            slice.push(((high - low) as u32, bytes.clone()));
        }
        at = next;
    }
    slice
}
