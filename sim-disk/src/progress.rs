//! How far an I/O has moved: a set of its bytes.

use alloc::vec::Vec;

/// Which bytes of an I/O have moved, counted from its start and up to the end of the disk.
///
/// One set has one value: ranges are sorted, apart and not empty, and the two common cases have names, which take no
/// memory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Progress {
    /// Nothing has moved.
    Nothing,
    /// These ranges have moved, each from its first byte to before its second.
    Part(Vec<(u64, u64)>),
    /// All has moved.
    All,
}

impl Progress {
    /// Calls `gap` with each range between `from` and `to` that has not moved.
    pub(crate) fn for_each_gap(&self, from: u64, to: u64, mut gap: impl FnMut(u64, u64)) {
        let ranges: &[(u64, u64)] = match self {
            Progress::Nothing => &[],
            Progress::Part(ranges) => ranges,
            Progress::All => return,
        };
        let mut at = from;
        for &(start, end) in ranges {
            if start >= to {
                break;
            }
            if at < start {
                gap(at, start);
            }
            at = at.max(end);
        }
        if at < to {
            gap(at, to);
        }
    }

    /// Whether something between `from` and `to` has not moved.
    pub(crate) fn has_gap(&self, from: u64, to: u64) -> bool {
        let mut found = false;
        self.for_each_gap(from, to, |_, _| found = true);
        found
    }

    /// The same set with everything between `from` and `to`, for an I/O of `total` bytes.
    pub(crate) fn with(&self, from: u64, to: u64, total: u64) -> Progress {
        let old: &[(u64, u64)] = match self {
            Progress::Nothing => &[],
            Progress::Part(ranges) => ranges,
            Progress::All => return Progress::All,
        };
        if from >= to {
            return self.clone();
        }
        if (from, to) == (0, total) {
            return Progress::All;
        }
        let mut ranges = Vec::with_capacity(old.len() + 1);
        let (mut from, mut to) = (from, to);
        for &(start, end) in old {
            if end < from || start > to {
                ranges.push((start, end));
            } else {
                from = from.min(start);
                to = to.max(end);
            }
        }
        if (from, to) == (0, total) {
            return Progress::All;
        }
        let place = ranges.partition_point(|range| range.0 < from);
        ranges.insert(place, (from, to));
        Progress::Part(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn a_set_has_one_value_however_it_grew() {
        let parts = [(0, 3), (3, 5), (9, 12), (4, 9), (12, 16)];
        let forwards = parts.iter().fold(Progress::Nothing, |set, &(from, to)| set.with(from, to, 16));
        let backwards = parts.iter().rev().fold(Progress::Nothing, |set, &(from, to)| set.with(from, to, 16));
        assert_eq!(forwards, Progress::All);
        assert_eq!(backwards, Progress::All);
        assert_eq!(Progress::Nothing.with(8, 9, 16).with(2, 4, 16), Progress::Part(vec![(2, 4), (8, 9)]));
        assert_eq!(Progress::Nothing.with(2, 4, 16).with(4, 9, 16), Progress::Part(vec![(2, 9)]));
        assert_eq!(Progress::Nothing.with(5, 5, 16), Progress::Nothing);
    }

    #[test]
    fn gaps_are_what_is_missing() {
        let set = Progress::Nothing.with(2, 4, 16).with(8, 9, 16);
        let mut gaps = Vec::new();
        set.for_each_gap(3, 16, |from, to| gaps.push((from, to)));
        assert_eq!(gaps, [(4, 8), (9, 16)]);
        assert!(!set.has_gap(2, 4));
        assert!(set.has_gap(2, 5));
        assert!(!Progress::All.has_gap(0, 16));
    }
}
