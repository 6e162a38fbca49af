//! Values behind small ids, shared by the threads of a search.
//!
//! Which id a value gets depends on which thread comes first, so ids never order anything and never reach any output:
//! whoever needs a number of a value that is the same in every run takes its content hash.

use super::table::Table;
use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Values in the first segment of an [`Interner`]; each further one is twice as large as the one before.
const FIRST: u32 = 64;
/// More segments than 32 bits of ids can fill.
const SEGMENTS: usize = 26;

type Segment<T> = OnceLock<Box<[OnceLock<(u64, T)>]>>;

/// Equal values get equal ids; an id is looked up without a lock.
pub struct Interner<T> {
    /// Ids by content hash; values of equal hash stand under the hash of the hash, and so on.
    ids: Table<u32>,
    segments: [Segment<T>; SEGMENTS],
    next: AtomicU32,
}

impl<T: Eq + Hash> Default for Interner<T> {
    fn default() -> Self {
        Interner::new()
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// Without values.
    pub fn new() -> Interner<T> {
        Interner { ids: Table::new(), segments: std::array::from_fn(|_| OnceLock::new()), next: AtomicU32::new(0) }
    }

    /// The id of a value.
    pub fn id(&self, value: T) -> u32 {
        let hash = content_hash(&value);
        let mut key = hash;
        let mut value = Some(value);
        loop {
            // The entry is locked until the value can be looked up, so nobody sees the id before the value.
            let mut fresh = None;
            let known = self.ids.insert_or(
                key,
                || {
                    let id = self.next.fetch_add(1, Ordering::Relaxed);
                    let (segment, index) = place(id);
                    let cells =
                        self.segments[segment].get_or_init(|| (0..FIRST << segment).map(|_| OnceLock::new()).collect());
                    let value = value.take().expect("it goes into one cell");
                    assert!(cells[index].set((hash, value)).is_ok(), "an id is given once");
                    *fresh.insert(id)
                },
                |id| *id,
            );
            match (known, fresh) {
                (Some(id), _) if Some(self.get(id)) == value.as_ref() => return id,
                (Some(_), _) => key = mix(key),
                (None, id) => return id.expect("it was given"),
            }
        }
    }

    /// The value of an id that came from this interner.
    pub fn get(&self, id: u32) -> &T {
        &self.cell(id).1
    }

    /// 64 bits of the content of a value: the same in every run.
    pub fn hash(&self, id: u32) -> u64 {
        self.cell(id).0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.next.load(Ordering::Relaxed) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn cell(&self, id: u32) -> &(u64, T) {
        let (segment, index) = place(id);
        let cells = self.segments[segment].get().expect("the id came from here");
        cells[index].get().expect("the id came from here")
    }
}

fn place(id: u32) -> (usize, usize) {
    let segment = (id / FIRST + 1).ilog2();
    (segment as usize, (id - FIRST * ((1 << segment) - 1)) as usize)
}

/// What was worked out before, shared by the threads of a search. What a key leads to must depend on the key alone.
///
/// Keys are told apart by 64 bits of their content, as states are: [`collision_odds`](super::search::collision_odds) of
/// their number is the chance that any two were not.
pub struct Memo<K, V> {
    known: Table<V>,
    keys: PhantomData<fn(&K)>,
}

impl<K: Hash, V: Copy + Default> Default for Memo<K, V> {
    fn default() -> Self {
        Memo::new()
    }
}

impl<K: Hash, V: Copy + Default> Memo<K, V> {
    /// Knows nothing.
    pub fn new() -> Memo<K, V> {
        Memo { known: Table::new(), keys: PhantomData }
    }

    /// The value of a key, worked out if it is not known. No lock is held meanwhile: two threads may both work it out.
    #[inline]
    pub fn get_or(&self, key: K, work_out: impl FnOnce(&K) -> V) -> V {
        let fingerprint = content_hash(&key);
        if let Some(known) = self.known.get(fingerprint) {
            return known;
        }
        let value = work_out(&key);
        self.known.insert_or(fingerprint, || value, |_| ());
        value
    }

    /// The same, for a thread that keeps what it looked up lately.
    #[inline]
    pub fn get_or_lately(&self, lately: &mut Lately<V>, key: K, work_out: impl FnOnce(&K) -> V) -> V {
        let fingerprint = content_hash(&key);
        // Many more than there are slots, so the low bits do; the table goes by the high ones.
        let at = fingerprint as usize & lately.slots.len().wrapping_sub(1);
        let slot = lately.slots.get_mut(at);
        if let Some((_, value)) = slot.as_ref().filter(|(known, _)| *known == fingerprint) {
            return *value;
        }
        let value = self.known.get(fingerprint).unwrap_or_else(|| {
            let value = work_out(&key);
            self.known.insert_or(fingerprint, || value, |_| ());
            value
        });
        if let Some(slot) = slot {
            *slot = (fingerprint, value);
        }
        value
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> u64 {
        self.known.bytes()
    }
}

/// What one thread looked up in a [`Memo`] lately, so that it need not ask the others' table again.
pub struct Lately<V> {
    /// A power of two of them, or none: then nothing is kept.
    slots: Box<[(u64, V)]>,
}

impl<V: Copy + Default> Lately<V> {
    /// Room for so many values as this power of two says.
    pub fn with_bits(bits: u32) -> Lately<V> {
        Lately { slots: vec![(0, V::default()); 1 << bits].into() }
    }

    /// Room for none.
    pub fn nothing() -> Lately<V> {
        Lately { slots: Box::default() }
    }
}

/// 64 bits of a value's content: the same in every run, well mixed, and not zero. Values are told apart by these bits alone, so the
/// hash must not have a structure of its own (a polynomial one took a tick of the second host for an I/O of the first).
pub fn content_hash<T: Hash + ?Sized>(value: &T) -> u64 {
    FixedState::default().hash_one(value).max(1)
}

/// Mixes 64 bits, one to one (the finalizer of SplitMix64: Steele, Lea, Flood, *Fast splittable pseudorandom number
/// generators*, 2014).
pub const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{FIRST, Interner, Memo, place};

    #[test]
    fn equal_values_get_equal_ids_and_ids_lead_back() {
        let names = Interner::new();
        let ids: Vec<u32> = (0..10_000).map(|n| names.id(format!("host {}", n % 5_000))).collect();
        assert_eq!(names.len(), 5_000);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(names.get(*id), &format!("host {}", n % 5_000));
            assert_eq!(*id, ids[n % 5_000]);
        }
    }

    #[test]
    fn segments_follow_each_other_without_a_gap() {
        let mut expected = (0, 0);
        for id in 0..FIRST * 15 {
            assert_eq!(place(id), expected);
            expected.1 += 1;
            if expected.1 == (FIRST << expected.0) as usize {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn threads_agree_about_ids() {
        let numbers = Interner::new();
        let seen = std::thread::scope(|scope| {
            let count = || (0..20_000_u32).map(|n| numbers.id(n * 7)).collect::<Vec<_>>();
            let threads = [scope.spawn(count), scope.spawn(count)];
            threads.map(|thread| thread.join().expect("it counts"))
        });
        assert_eq!(seen[0], seen[1]);
        assert_eq!(numbers.len(), 20_000);
    }

    #[test]
    fn what_is_known_is_not_worked_out_again() {
        let squares = Memo::new();
        assert_eq!(squares.get_or(7_u32, |n| n * n), 49);
        assert_eq!(squares.get_or(7, |_| unreachable!("it is known")), 49);
    }
}
