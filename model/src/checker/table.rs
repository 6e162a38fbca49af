//! What is known of 64-bit fingerprints, in open addressing: which states were seen, and from where; what came of a step.
//!
//! A shard of the table grows by a third, alone, and shards begin at different sizes, so that they do not all grow at
//! the same moment: the table is never more than about a third larger than what is in it, not even while it grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Many more than threads, so that two of them seldom want the same one.
const SHARDS: usize = 1024;
/// Slots of the smallest shard when its first state comes.
const FIRST: usize = 24;
/// Fingerprints, each with a value, shared by the threads of a search. They are well mixed in all their bits, and none is
/// zero, which marks a free slot.
pub(super) struct Table<V> {
    shards: Box<[Shard<V>]>,
    bytes: AtomicU64,
}

/// One to a cache line, so that two locks never share one.
#[derive(Default)]
#[repr(align(64))]
struct Shard<V>(Mutex<Slots<V>>);

/// Fingerprints beside their values.
#[derive(Default)]
struct Slots<V> {
    slots: Box<[(u64, V)]>,
    taken: usize,
}

impl<V: Copy + Default> Table<V> {
    /// An empty table.
    pub(super) fn new() -> Table<V> {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect::<Box<[Shard<V>]>>();
        let bytes = AtomicU64::new(size_of_val(&*shards) as u64);
        Table { shards, bytes }
    }

    /// Takes a fingerprint in with this value; nobody else sees it before it has it. If it is known already: what
    /// `meet` makes of the value that it has.
    #[inline]
    pub(super) fn insert_or<T>(
        &self,
        fingerprint: u64,
        value: impl FnOnce() -> V,
        meet: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let number = number(fingerprint);
        let mut slots = lock(&self.shards[number]);
        if slots.is_crowded() {
            let bytes = slots.grow(number);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let slot = slots.slot(fingerprint);
        if slots.slots[slot].0 == fingerprint {
            return Some(meet(&mut slots.slots[slot].1));
        }
        slots.slots[slot] = (fingerprint, value());
        slots.taken += 1;
        None
    }

    /// The value of a fingerprint. `None` if it was never seen.
    #[inline]
    pub(super) fn get(&self, fingerprint: u64) -> Option<V> {
        let slots = lock(&self.shards[number(fingerprint)]);
        if slots.slots.is_empty() {
            return None;
        }
        let (found, value) = slots.slots[slots.slot(fingerprint)];
        (found != 0).then_some(value)
    }

    /// What is allocated.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many fingerprints there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).taken).sum()
    }
}

/// Nothing panics under this lock half way through a change.
fn lock<V>(shard: &Shard<V>) -> MutexGuard<'_, Slots<V>> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard of a fingerprint.
const fn number(fingerprint: u64) -> usize {
    fingerprint as usize % SHARDS
}

impl<V: Copy + Default> Slots<V> {
    /// Whether one more would fill more than four fifths.
    fn is_crowded(&self) -> bool {
        (self.taken + 1) * 5 > self.slots.len() * 4
    }

    /// The slot that holds a fingerprint, or the free one where it belongs. Their homes follow their order (the high bits;
    /// the low ones choose the shard), so that a shard which grows is copied from front to back.
    #[inline]
    fn slot(&self, fingerprint: u64) -> usize {
        let mut slot = ((u128::from(fingerprint) * self.slots.len() as u128) >> 64) as usize;
        while self.slots[slot].0 != 0 && self.slots[slot].0 != fingerprint {
            slot += 1;
            if slot == self.slots.len() {
                slot = 0;
            }
        }
        slot
    }

    /// Grows by a third and says by how many bytes.
    fn grow(&mut self, number: usize) -> u64 {
        let before = self.slots.len();
        let after = if before == 0 { FIRST + FIRST / 3 * number / SHARDS } else { before + before / 3 };
        let old = std::mem::replace(&mut self.slots, vec![(0, V::default()); after].into_boxed_slice());
        for (fingerprint, value) in old.iter().filter(|(fingerprint, _)| *fingerprint != 0) {
            let slot = self.slot(*fingerprint);
            self.slots[slot] = (*fingerprint, *value);
        }
        ((after - before) * size_of::<(u64, V)>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::checker::intern::mix;

    fn insert(table: &Table<u64>, n: u64, value: u64) -> bool {
        table.insert_or(mix(n), || value, |_| ()).is_none()
    }

    #[test]
    fn what_was_seen_is_known_with_its_value_however_the_table_grew() {
        let table = Table::new();
        for n in 1..=200_000_u64 {
            assert!(insert(&table, n, n / 2), "{n} is new");
        }
        for n in 1..=200_000_u64 {
            assert!(!insert(&table, n, 7), "{n} is known");
            assert_eq!(table.get(mix(n)), Some(n / 2));
        }
        assert_eq!(table.get(mix(200_001)), None);
        assert_eq!(table.len(), 200_000);
    }

    #[test]
    fn what_is_met_again_may_change() {
        let table = Table::new();
        assert_eq!(table.insert_or(9, || 3, |_| ()), None);
        assert_eq!(table.insert_or(9, || 0, |value| std::mem::replace(value, 4)), Some(3));
        assert_eq!(table.get(9), Some(4));
    }

    #[test]
    fn a_state_never_costs_more_than_28_bytes() {
        let table = Table::new();
        for n in 1..=1_500_000_u64 {
            insert(&table, n, 0);
            let settled = n > 100_000 && n % 1_000 == 0;
            assert!(!settled || table.bytes() < n * 28, "{} bytes for {n} states", table.bytes());
        }
    }

    #[test]
    fn of_two_threads_one_is_first() {
        let table = Table::new();
        let firsts: usize = std::thread::scope(|scope| {
            let count = || (1..=100_000).filter(|n| insert(&table, *n, 0)).count();
            let threads = [scope.spawn(count), scope.spawn(count)];
            threads.map(|thread| thread.join().expect("it counts")).iter().sum()
        });
        assert_eq!(firsts, 100_000);
    }
}
