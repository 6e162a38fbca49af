//! What is known of 64-bit fingerprints: which states were seen, and from where; what came of a step.
//!
//! Fingerprints stand in their order, each as near as there is room behind the place that its share of all 64-bit numbers
//! gives it. So whoever looks for one stops at the first that is not below it, which makes fifteen full slots out of
//! sixteen bearable; and a shard that grows does so where it is, to the end and back again. Shards are few, so that each
//! has pages of its own: many small ones, each moving as it grew, left holes that nobody could use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The high bits of a fingerprint choose its shard: many more than threads, so that two of them seldom want the same one.
const SHARD_BITS: u32 = 6;
/// Homes of the smallest shard when its first fingerprint comes.
const FIRST: usize = 32;
/// A shard grows by one slot in so many.
const GROWTH: usize = 8;
/// Bytes up to which a shard has room for no more than it needs.
const SMALL: usize = 4 << 10;
/// Bytes that it has room for from then on, whether it ever needs them or not: what is never touched is not there, and
/// allocators lend that much by itself, in pages that they can add to and give back.
const LENT: usize = 160 << 10;

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

/// A fingerprint, in two halves so that a small value makes a small slot, and its value.
#[derive(Clone, Copy, Default)]
struct Slot<V> {
    halves: [u32; 2],
    value: V,
}

/// The slots of a shard: the homes, and behind the last as many more as it takes.
#[derive(Default)]
struct Slots<V> {
    slots: Vec<Slot<V>>,
    homes: usize,
    taken: usize,
}

impl<V: Copy + Default> Table<V> {
    /// An empty table.
    pub(super) fn new() -> Table<V> {
        let shards = (0..1 << SHARD_BITS).map(|_| Shard::default()).collect::<Box<[Shard<V>]>>();
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
        let mut shard = lock(&self.shards[number]);
        let mut at = shard.find(fingerprint);
        if let Some(slot) = shard.slots.get_mut(at).filter(|slot| slot.fingerprint() == fingerprint) {
            return Some(meet(&mut slot.value));
        }
        if shard.is_crowded() {
            let bytes = shard.grow(number);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            at = shard.find(fingerprint);
        }
        let bytes = shard.insert(at, Slot::new(fingerprint, value()));
        if bytes != 0 {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        None
    }

    /// The value of a fingerprint. `None` if it was never seen.
    #[inline]
    pub(super) fn get(&self, fingerprint: u64) -> Option<V> {
        let shard = lock(&self.shards[number(fingerprint)]);
        let slot = shard.slots.get(shard.find(fingerprint))?;
        (slot.fingerprint() == fingerprint).then_some(slot.value)
    }

    /// All fingerprints with this high half.
    pub(super) fn beginning_with(&self, high: u32) -> Vec<u64> {
        let (first, last) = (u64::from(high) << 32, u64::from(high) << 32 | u64::from(u32::MAX));
        let shard = lock(&self.shards[number(first)]);
        // They may have two homes, of which the first is free.
        let (from, to) = (shard.find(first), shard.find(last));
        let found = shard.slots.iter().take(to + 1).skip(from).map(Slot::fingerprint);
        found.filter(|found| *found != 0 && found >> 32 == u64::from(high)).collect()
    }

    /// What is in use, free slots and all.
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
    (fingerprint >> (u64::BITS - SHARD_BITS)) as usize
}

impl<V> Slot<V> {
    const fn new(fingerprint: u64, value: V) -> Slot<V> {
        Slot { halves: [(fingerprint >> 32) as u32, fingerprint as u32], value }
    }

    #[inline]
    const fn fingerprint(&self) -> u64 {
        (self.halves[0] as u64) << 32 | self.halves[1] as u64
    }
}

impl<V: Copy + Default> Slots<V> {
    /// Whether fifteen homes of sixteen are taken.
    const fn is_crowded(&self) -> bool {
        self.taken * 16 >= self.homes * 15
    }

    #[inline]
    fn home(&self, fingerprint: u64) -> usize {
        ((u128::from(fingerprint << SHARD_BITS) * self.homes as u128) >> 64) as usize
    }

    /// The slot that holds a fingerprint, or the one where it belongs: the first from its home on that is free or holds a
    /// higher one. It may lie just behind the last.
    #[inline]
    fn find(&self, fingerprint: u64) -> usize {
        let home = self.home(fingerprint);
        let below = |slot: &&Slot<V>| (1..fingerprint).contains(&slot.fingerprint());
        home + self.slots.get(home..).map_or(0, |slots| slots.iter().take_while(below).count())
    }

    /// Puts a slot where it belongs; those up to the next free one move on by one. Says by how many bytes the shard grew.
    fn insert(&mut self, at: usize, slot: Slot<V>) -> u64 {
        let mut bytes = 0;
        let run = self.slots[at..].iter().take_while(|slot| slot.fingerprint() != 0).count();
        if at + run == self.slots.len() {
            bytes = self.lengthen(1);
        }
        self.slots.copy_within(at..at + run, at + 1);
        self.slots[at] = slot;
        self.taken += 1;
        bytes
    }

    /// Adds free slots at the end, and says how many bytes that is.
    fn lengthen(&mut self, by: usize) -> u64 {
        let (length, slot) = (self.slots.len() + by, size_of::<Slot<V>>());
        if length > self.slots.capacity() {
            let room = if length * slot < SMALL { length } else { length.max(LENT / slot) };
            // Not twice as many as there are, as a vector would have it.
            self.slots.reserve_exact(room - self.slots.len());
        }
        self.slots.resize(length, Slot::default());
        (by * slot) as u64
    }

    /// Grows, and says by how many bytes. Shards begin at different sizes, so that they do not all grow at one moment.
    #[cold]
    fn grow(&mut self, number: usize) -> u64 {
        self.homes = match self.homes {
            0 => FIRST + ((FIRST / GROWTH * number) >> SHARD_BITS),
            homes => homes + homes / GROWTH,
        };
        let before = self.slots.len();
        // What stands behind the last home now will stand before it.
        let mut bytes = self.lengthen(self.homes.saturating_sub(before));
        // All to the end, from where each finds its new place without running into those still to come.
        let mut from = self.slots.len();
        for at in (0..before).rev() {
            if self.slots[at].fingerprint() != 0 {
                from -= 1;
                self.slots[from] = self.slots[at];
            }
        }
        self.slots[..from].fill(Slot::default());
        let mut next = 0;
        while from < self.slots.len() {
            let slot = std::mem::take(&mut self.slots[from]);
            let to = self.home(slot.fingerprint()).max(next);
            if to > from {
                let (end, more) = (self.slots.len(), to - from);
                bytes += self.lengthen(more);
                self.slots.copy_within(from + 1..end, to + 1);
                self.slots[from + 1..=to].fill(Slot::default());
                from = to;
            }
            self.slots[to] = slot;
            next = to + 1;
            from += 1;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::checker::intern::mix;

    fn insert(table: &Table<u32>, n: u64, value: u32) -> bool {
        table.insert_or(mix(n), || value, |_| ()).is_none()
    }

    #[test]
    fn what_was_seen_is_known_with_its_value_however_the_table_grew() {
        let table = Table::new();
        for n in 1..=200_000_u32 {
            assert!(insert(&table, n.into(), n / 2), "{n} is new");
        }
        for n in 1..=200_000_u32 {
            assert!(!insert(&table, n.into(), 7), "{n} is known");
            assert_eq!(table.get(mix(n.into())), Some(n / 2));
            assert!(table.beginning_with((mix(n.into()) >> 32) as u32).contains(&mix(n.into())));
        }
        assert_eq!(table.get(mix(200_001)), None);
        assert_eq!(table.len(), 200_000);
    }

    #[test]
    fn fingerprints_that_are_not_mixed_only_take_longer() {
        let spread = |n: u64| [n, u64::MAX - n, n << 32 | 1, n << 58 | n];
        let table = Table::new();
        let mut all = (1..=2_000).flat_map(spread).collect::<Vec<_>>();
        all.sort_unstable_by_key(|n| mix(*n));
        all.dedup();
        for n in &all {
            assert_eq!(table.insert_or(*n, || *n as u32, |_| ()), None);
        }
        assert!(all.iter().all(|n| table.get(*n) == Some(*n as u32)));
        assert_eq!(table.len(), all.len());
        assert_eq!(table.beginning_with(0), (1..=2_000).collect::<Vec<_>>());
        assert_eq!(table.beginning_with(7), [7 << 32 | 1]);
        assert!(table.beginning_with(2_001).is_empty());
    }

    #[test]
    fn what_is_met_again_may_change() {
        let table = Table::new();
        assert_eq!(table.insert_or(9, || 3, |_| ()), None);
        assert_eq!(table.insert_or(9, || 0, |value| std::mem::replace(value, 4)), Some(3));
        assert_eq!(table.get(9), Some(4));
    }

    #[test]
    fn a_state_never_costs_more_than_16_bytes() {
        let table = Table::new();
        for n in 1..=1_500_000_u64 {
            insert(&table, n, 0);
            let settled = n > 100_000 && n % 1_000 == 0;
            assert!(!settled || table.bytes() < n * 16, "{} bytes for {n} states", table.bytes());
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
