//! Bytes of a sector: numbers in and out, the checksum, and the cut of trailing zeros.

use alloc::sync::Arc;

/// sanlock's checksum: CRC-32C with the register set to `!1` at the start and no inversion at the end (ondisk §5).
pub fn checksum(bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(1, bytes)
}

/// The bytes without their trailing zeros.
pub fn trimmed(bytes: &[u8]) -> Arc<[u8]> {
    Arc::from(trim(bytes))
}

/// The slice without its trailing zeros.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    // Sixteen at a time first: most of a sector is zero, and this is on the way of every write.
    while let Some((rest, last)) = bytes.split_last_chunk::<16>() {
        if u128::from_ne_bytes(*last) != 0 {
            break;
        }
        bytes = rest;
    }
    while let Some((0, rest)) = bytes.split_last() {
        bytes = rest;
    }
    bytes
}

/// Whether nothing but zeros stands in `from..to` (what is missing is zero).
pub(super) fn zero_between(bytes: &[u8], from: usize, to: usize) -> bool {
    let end = to.min(bytes.len());
    from >= end || trim(&bytes[from..end]).is_empty()
}

/// Whether nothing but zeros stands from `from` on.
pub(super) fn zero_from(bytes: &[u8], from: usize) -> bool {
    zero_between(bytes, from, usize::MAX)
}

/// The `N` bytes at `offset`, with zeros for what is missing.
pub(super) fn padded<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let rest = bytes.get(offset..).unwrap_or_default();
    match rest.first_chunk::<N>() {
        Some(all) => *all,
        None => {
            let mut some = [0; N];
            some[..rest.len()].copy_from_slice(rest);
            some
        }
    }
}

/// Little-endian numbers of a record, read by offset. The offsets are constants below `N`.
pub(super) struct Fields<'a, const N: usize>(pub(super) &'a [u8; N]);

impl<const N: usize> Fields<'_, N> {
    pub(super) fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }
    pub(super) fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }
    pub(super) fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }
    pub(super) fn array<const M: usize>(&self, offset: usize) -> [u8; M] {
        let mut field = [0; M];
        field.copy_from_slice(&self.0[offset..offset + M]);
        field
    }
}

/// Writes `field` at `offset`.
pub(super) fn put(bytes: &mut [u8], offset: usize, field: &[u8]) {
    bytes[offset..offset + field.len()].copy_from_slice(field);
}
