//! Data of a read, looked at in sectors of any size.

use super::bytes::trim;
use crate::seam::ReadData;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

/// The sectors of a read, in order, equal neighbours together where that is cheap to see; see [`ReadData::sectors`].
#[derive(Clone, Debug)]
pub struct Sectors<'a> {
    data: &'a ReadData,
    /// Bytes of a sector.
    size: u64,
    /// Index of the next sector.
    next: u64,
    /// Index of the run that the next sector begins in, and where that run begins.
    run: usize,
    run_start: u64,
}

impl ReadData {
    /// The data as sectors of `size` bytes: which sectors, counted from the start of the read, and their bytes without
    /// trailing zeros. Where `size` is the unit of the data nothing is copied. A sector that the data end in the middle
    /// of is filled up with zeros.
    pub fn sectors(&self, size: u32) -> Sectors<'_> {
        assert!(size > 0, "a sector has bytes");
        Sectors { data: self, size: u64::from(size), next: 0, run: 0, run_start: 0 }
    }

    /// The bytes of sector `index` for sectors of `size` bytes, without trailing zeros; none beyond the data.
    pub fn sector_at(&self, index: u64, size: u32) -> Cow<'_, [u8]> {
        assert!(size > 0, "a sector has bytes");
        let start = index * u64::from(size);
        let mut run_start = 0;
        for run in 0..self.runs.len() {
            let run_end = run_start + self.run_length(run);
            if start < run_end {
                return self.gather(run, start - run_start, u64::from(size));
            }
            run_start = run_end;
        }
        Cow::Borrowed(&[])
    }

    fn run_length(&self, run: usize) -> u64 {
        u64::from(self.runs[run].0) * u64::from(self.unit)
    }

    /// `size` bytes that begin `skip` bytes into run `run`: borrowed if they lie within one piece.
    fn gather(&self, run: usize, skip: u64, size: u64) -> Cow<'_, [u8]> {
        let unit = u64::from(self.unit);
        let inside = skip % unit;
        if inside + size <= unit {
            return Cow::Borrowed(trim(part(&self.runs[run].1, inside, size)));
        }
        let mut bytes = Vec::new();
        let mut missing = size;
        let mut skip = skip;
        for (count, piece) in &self.runs[run..] {
            let length = u64::from(*count) * unit;
            while skip < length && missing > 0 {
                let inside = skip % unit;
                let taken = (unit - inside).min(missing);
                let done = bytes.len() + taken as usize;
                bytes.extend_from_slice(part(piece, inside, taken));
                bytes.resize(done, 0);
                skip += taken;
                missing -= taken;
            }
            skip = skip.saturating_sub(length);
        }
        bytes.truncate(trim(&bytes).len());
        Cow::Owned(bytes)
    }
}

/// What is there of `piece[start..start + size]`.
fn part(piece: &[u8], start: u64, size: u64) -> &[u8] {
    let length = piece.len() as u64;
    &piece[start.min(length) as usize..(start + size).min(length) as usize]
}

impl<'a> Iterator for Sectors<'a> {
    type Item = (Range<u64>, Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next * self.size;
        let run_end = loop {
            if self.run == self.data.runs.len() {
                return None;
            }
            let run_end = self.run_start + self.data.run_length(self.run);
            if start < run_end {
                break run_end;
            }
            self.run += 1;
            self.run_start = run_end;
        };
        let (skip, left, unit) = (start - self.run_start, run_end - start, u64::from(self.data.unit));
        // All sectors that lie wholly in this run are equal if the run is zero, or if each is made of whole pieces.
        let equal =
            self.data.runs[self.run].1.is_empty() || (skip.is_multiple_of(unit) && self.size.is_multiple_of(unit));
        let count = if equal { (left / self.size).max(1) } else { 1 };
        let range = self.next..self.next + count;
        self.next = range.end;
        Some((range, self.data.gather(self.run, skip, self.size)))
    }
}
