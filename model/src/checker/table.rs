//! What is known of 64-bit fingerprints, in open addressing: which states were seen, and from where; what came of a step.
//!
//! A shard of the table grows by a third, alone, and shards begin at different sizes, so that they do not all grow at
//! the same moment: the table is never more than about a third larger than what is in it, not even while it grows.

use super::intern::mix;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Many more than threads, so that two of them seldom want the same one.
const SHARDS: usize = 1024;
/// Slots of the smallest shard when its first state comes.
const FIRST: usize = 24;

/// Fingerprints, each with a value, shared by the threads of a search.
pub(super) struct Table<V> {
    shards: Box<[Shard<V>]>,
    bytes: AtomicU64,
    with_values: bool,
}

/// One to a cache line, so that two locks never share one.
#[derive(Default)]
#[repr(align(64))]
struct Shard<V>(Mutex<Slots<V>>);

/// Keys and values apart: most look-ups for states find what they look for, and never touch the values.
#[derive(Default)]
struct Slots<V> {
    keys: Box<[u64]>,
    values: Box<[V]>,
    taken: usize,
}

impl<V: Copy + Default> Table<V> {
    /// An empty table. Without values it is smaller, and tells only which fingerprints it has seen.
    pub(super) fn new(with_values: bool) -> Table<V> {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect::<Box<[Shard<V>]>>();
        let bytes = AtomicU64::new(size_of_val(&*shards) as u64);
        Table { shards, bytes, with_values }
    }

    /// Takes a fingerprint in. `false`: it was there already, and keeps the value it had.
    pub(super) fn insert(&self, fingerprint: u64, value: V) -> bool {
        self.get_or_insert(fingerprint, || value).is_none()
    }

    /// The value that a fingerprint has. `None`: it is new, and got this one; nobody else sees it before it has.
    pub(super) fn get_or_insert(&self, fingerprint: u64, value: impl FnOnce() -> V) -> Option<V> {
        let key = key(fingerprint);
        let number = key as usize % SHARDS;
        let mut slots = lock(&self.shards[number]);
        if slots.is_crowded() {
            let bytes = slots.grow(number, self.with_values);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        slots.get_or_insert(key, value)
    }

    /// The value of a fingerprint. `None` if it was never seen, or if values are not kept.
    pub(super) fn get(&self, fingerprint: u64) -> Option<V> {
        let key = key(fingerprint);
        let slots = lock(&self.shards[key as usize % SHARDS]);
        if slots.values.is_empty() {
            return None;
        }
        let slot = slots.slot(key);
        (slots.keys[slot] == key).then(|| slots.values[slot])
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

/// Fingerprints may be poorly mixed; keys are not. One to one, except that a key is never zero, which marks a free slot.
const fn key(fingerprint: u64) -> u64 {
    let key = mix(fingerprint);
    if key == 0 { 1 } else { key }
}

impl<V: Copy + Default> Slots<V> {
    /// Whether one more would fill more than four fifths.
    fn is_crowded(&self) -> bool {
        (self.taken + 1) * 5 > self.keys.len() * 4
    }

    /// The slot that holds a key, or the free one where it belongs. The home of a key follows the order of keys (its
    /// high bits; the low ones choose the shard), so that a shard which grows is copied from front to back.
    fn slot(&self, key: u64) -> usize {
        let mut slot = ((u128::from(key) * self.keys.len() as u128) >> 64) as usize;
        while self.keys[slot] != 0 && self.keys[slot] != key {
            slot += 1;
            if slot == self.keys.len() {
                slot = 0;
            }
        }
        slot
    }

    fn get_or_insert(&mut self, key: u64, value: impl FnOnce() -> V) -> Option<V> {
        let slot = self.slot(key);
        if self.keys[slot] == key {
            return Some(self.values.get(slot).copied().unwrap_or_default());
        }
        let value = value();
        self.keys[slot] = key;
        if let Some(it) = self.values.get_mut(slot) {
            *it = value;
        }
        self.taken += 1;
        None
    }

    /// Grows by a third and says by how many bytes.
    fn grow(&mut self, number: usize, with_values: bool) -> u64 {
        let before = self.keys.len();
        let after = if before == 0 { FIRST + FIRST / 3 * number / SHARDS } else { before + before / 3 };
        let values = if with_values { vec![V::default(); after].into_boxed_slice() } else { Box::default() };
        let keys = std::mem::replace(&mut self.keys, vec![0; after].into_boxed_slice());
        let values = std::mem::replace(&mut self.values, values);
        self.taken = 0;
        for (slot, key) in keys.iter().enumerate().filter(|(_, key)| **key != 0) {
            self.get_or_insert(*key, || values.get(slot).copied().unwrap_or_default());
        }
        let width = size_of::<u64>() + if with_values { size_of::<V>() } else { 0 };
        ((after - before) * width) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn what_was_seen_is_known_with_its_value_however_the_table_grew() {
        let table = Table::new(true);
        for n in 1..=200_000_u64 {
            assert!(table.insert(n, n / 2), "{n} is new");
        }
        for n in 1..=200_000_u64 {
            assert!(!table.insert(n, 7), "{n} is known");
            assert_eq!(table.get(n), Some(n / 2));
        }
        assert_eq!(table.get(200_001), None);
    }

    #[test]
    fn a_state_never_costs_more_than_28_bytes_or_half_of_it_without_values() {
        for (with_values, most) in [(true, 28), (false, 14)] {
            let table = Table::<u64>::new(with_values);
            for n in 1..=1_500_000_u64 {
                table.insert(n, 0);
                let settled = n > 100_000 && n % 1_000 == 0;
                assert!(!settled || table.bytes() < n * most, "{} bytes for {n} states", table.bytes());
            }
        }
    }

    #[test]
    fn of_two_threads_one_is_first() {
        let table = Table::new(true);
        let firsts: usize = std::thread::scope(|scope| {
            let count = || (1..=100_000).filter(|n| table.insert(*n, 0)).count();
            let threads = [scope.spawn(count), scope.spawn(count)];
            threads.map(|thread| thread.join().expect("it counts")).iter().sum()
        });
        assert_eq!(firsts, 100_000);
    }
}
