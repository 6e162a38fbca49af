//! The digest of a run: 64 bits over everything that happened, in order. Two runs that agree in it went the same way.
//!
//! It is not made to withstand an adversary. It is made to be the same in debug and release, on big and little endian
//! machines, whatever the width of a pointer: every number is folded in as 64 bits.

use model::{Happening, Instant};
use std::hash::{Hash, Hasher};

/// A running digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// Takes one happening in.
    pub fn take(&mut self, at: Instant, happening: &Happening) {
        self.fold(at.0);
        happening.hash(self);
    }

    /// What it comes to.
    pub fn value(self) -> u64 {
        // The last steps of MurmurHash3's mixer, so that every bit of the state reaches every bit of the value.
        let mut value = self.0;
        value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        value ^ (value >> 33)
    }

    fn fold(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.value()
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.fold(u64::from(number));
    }
    fn write_u16(&mut self, number: u16) {
        self.fold(u64::from(number));
    }
    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number));
    }
    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }
    fn write_u128(&mut self, number: u128) {
        self.fold(number as u64);
        self.fold((number >> 64) as u64);
    }
    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }
    fn write_i8(&mut self, number: i8) {
        self.fold(i64::from(number) as u64);
    }
    fn write_i16(&mut self, number: i16) {
        self.fold(i64::from(number) as u64);
    }
    fn write_i32(&mut self, number: i32) {
        self.fold(i64::from(number) as u64);
    }
    fn write_i64(&mut self, number: i64) {
        self.fold(number as u64);
    }
    fn write_i128(&mut self, number: i128) {
        self.write_u128(number as u128);
    }
    fn write_isize(&mut self, number: isize) {
        self.fold(number as i64 as u64);
    }
}
