//! Names of lockspaces, resources and hosts: 48 raw bytes.

use core::fmt;

/// A name as it stands on disk: 48 bytes, zero-padded on the right, with no terminator when all are used (ondisk §9).
///
/// Equality is equality of all 48 bytes, as a renewal compares them. sanlock compares most names like C's `strncmp`
/// instead: see [`Name::same`]. The two differ, since a host name is written over a longer one of an earlier owner and
/// leaves its tail behind the terminator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name([u8; 48]);

impl Name {
    /// No name.
    pub const EMPTY: Name = Name([0; 48]);
    /// Bytes in a name.
    pub const LENGTH: usize = 48;

    /// A name of at most 48 bytes; none if there are more.
    pub fn new(bytes: &[u8]) -> Option<Name> {
        let mut raw = [0; 48];
        raw.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Name(raw))
    }

    /// A name of at most 48 bytes of text; none if there are more.
    pub fn from_text(text: &str) -> Option<Name> {
        Name::new(text.as_bytes())
    }

    /// The 48 bytes of a record's field.
    pub const fn from_raw(raw: [u8; 48]) -> Name {
        Name(raw)
    }

    /// The bytes up to the first NUL, or all 48.
    pub fn text(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(48);
        &self.0[..end]
    }

    /// All 48 bytes, leftovers among them.
    pub const fn raw(&self) -> &[u8; 48] {
        &self.0
    }

    /// Whether the two read the same up to the first NUL, as `strncmp(…, 48)` compares.
    pub fn same(&self, other: &Name) -> bool {
        // Names with equal bytes are by far the most frequent case.
        self.0 == other.0 || self.text() == other.text()
    }

    /// Whether the name reads as nothing.
    pub const fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    /// This field after the name of `host` was written into it as sanlock writes it at acquire: at most 47 bytes and one
    /// NUL. What stood behind them stays.
    pub fn overwritten_by(&self, host: &Name) -> Name {
        let mut raw = self.0;
        let text = host.text();
        let length = text.len().min(47);
        raw[..length].copy_from_slice(&text[..length]);
        raw[length] = 0;
        Name(raw)
    }
}

impl Default for Name {
    fn default() -> Name {
        Name::EMPTY
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.text().utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.text().escape_ascii())?;
        let text = self.text().len();
        match super::bytes::trim(&self.0[text..]) {
            [] => Ok(()),
            left_over => write!(f, "+\"{}\"", left_over.escape_ascii()),
        }
    }
}
