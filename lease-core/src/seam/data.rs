//! Data as they came from a disk.

use super::ReadData;
use crate::format::{Sector, SectorKind};
use crate::numbers::Numbers;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl ReadData {
    /// Bytes that were read.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(count, _)| u64::from(*count) * u64::from(self.unit)).sum()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl ReadData {
    /// The same with zeros in place of one sector of `size` bytes.
    pub(crate) fn without_sector(&self, index: u64, size: u32) -> ReadData {
        let mut runs: Vec<(u32, Arc<[u8]>)> = Vec::new();
        for (range, bytes) in self.sectors(size) {
            let (start, end) = (range.start, range.end);
            let bytes: Arc<[u8]> = Arc::from(&bytes[..]);
            let pieces = match (start..end).contains(&index) {
                true => [(index - start, bytes.clone()), (1, Arc::default()), (end - index - 1, bytes)],
                false => [(end - start, bytes), (0, Arc::default()), (0, Arc::default())],
            };
            runs.extend(pieces.into_iter().filter(|(count, _)| *count > 0).map(|(count, bytes)| (count as u32, bytes)));
        }
        ReadData { unit: size, runs }
    }

    /// Shows the numbers in what was read to a visitor: as sectors of `size` bytes, each of the kind that stands at its
    /// index. A run of equal sectors is shown once, under the index of its first.
    pub fn visit_sectors(&mut self, size: u32, kind: impl Fn(u64) -> SectorKind, numbers: &mut dyn Numbers) {
        let runs = self.sectors(size).map(|(range, bytes)| {
            let kind = kind(range.start);
            let mut sector = Sector::decode(kind, &bytes, size);
            sector.visit_at(kind, numbers);
            ((range.end - range.start) as u32, sector.encode())
        });
        let runs = runs.collect();
        *self = ReadData { unit: size, runs };
    }
}
