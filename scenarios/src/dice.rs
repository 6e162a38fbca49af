//! Dice: where a run's chance comes from. A seed and the *name* of a purpose give one stream of numbers, so that a new
//! consumer of dice moves no other.
//!
//! It refuses everything that is not integer: floating point differs between machines, and the distributions of a
//! library may change with its version. Ranges and weights are drawn here, by a few lines of our own.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of numbers, for one purpose.
#[derive(Clone, Debug)]
pub struct Dice {
    stream: ChaCha8Rng,
}

/// A closed range of whole numbers; one number is the range from itself to itself. Durations are in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Range {
    /// The least.
    pub low: u64,
    /// The greatest; not below `low`.
    pub high: u64,
}

impl Range {
    /// The range that holds only `number`.
    pub const fn exactly(number: u64) -> Range {
        Range { low: number, high: number }
    }

    /// From `low` to `high`, both included.
    pub const fn new(low: u64, high: u64) -> Range {
        assert!(low <= high, "a range runs upwards");
        Range { low, high }
    }

    /// From `low` to `high` milliseconds.
    pub const fn millis(low: u64, high: u64) -> Range {
        Range::new(low * 1_000, high * 1_000)
    }

    /// From `low` to `high` seconds.
    pub const fn secs(low: u64, high: u64) -> Range {
        Range::new(low * 1_000_000, high * 1_000_000)
    }
}

impl Dice {
    /// The stream of `seed` for `purpose`.
    pub fn new(seed: u64, purpose: &str) -> Dice {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        // Three differently started folds over the name fill the rest of the key.
        for (lane, bytes) in key[8..].chunks_exact_mut(8).enumerate() {
            let mut folded = 0x9e37_79b9_7f4a_7c15 ^ lane as u64;
            for byte in purpose.bytes() {
                folded = (folded ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
            }
            bytes.copy_from_slice(&folded.to_le_bytes());
        }
        Dice { stream: ChaCha8Rng::from_seed(key) }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// The next 32 bits.
    pub fn bits32(&mut self) -> u32 {
        self.stream.next_u32()
    }

    /// A number below `bound`, which is not zero. The bias of the multiplication is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below zero");
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number of the range.
    pub fn within(&mut self, range: Range) -> u64 {
        match range.high - range.low {
            0 => range.low,
            u64::MAX => self.bits(),
            width => range.low + self.below(width + 1),
        }
    }

    /// A number of the range; one in four is its least or its greatest, because races live at the ends of a range.
    pub fn within_or_at_an_end(&mut self, range: Range) -> u64 {
        if range.low == range.high {
            return range.low;
        }
        match self.bits32() >> 29 {
            0 => range.low,
            1 => range.high,
            _ => self.within(range),
        }
    }

    /// True once in `n` on average; never if `n` is zero.
    pub fn one_in(&mut self, n: u64) -> bool {
        n != 0 && self.below(n) == 0
    }

    /// An index into `weights`, drawn by weight; `None` if all of them are zero.
    pub fn weighted(&mut self, weights: &[u32]) -> Option<usize> {
        let total = weights.iter().map(|weight| u64::from(*weight)).sum::<u64>();
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        weights.iter().position(|weight| match left.checked_sub(u64::from(*weight)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_independent_and_repeatable() {
        let draw = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(7, "latency"), draw(7, "latency"));
        assert_ne!(draw(7, "latency"), draw(7, "faults"));
        assert_ne!(draw(7, "latency"), draw(8, "latency"));
    }

    #[test]
    fn every_number_of_a_small_range_comes() {
        let mut dice = Dice::new(1, "test");
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[(dice.within(Range::new(3, 6)) - 3) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    }

    #[test]
    fn weights_of_zero_are_never_drawn() {
        let mut dice = Dice::new(1, "test");
        assert_eq!(dice.weighted(&[0, 0]), None);
        assert!((0..100).all(|_| dice.weighted(&[0, 3, 0]) == Some(1)));
    }
}
