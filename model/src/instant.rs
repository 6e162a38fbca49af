//! True time, which no host can see.

use std::fmt;

/// A moment of true time, in microseconds from the start of the run. Hosts see only their own clocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The start of the run.
    pub const START: Instant = Instant(0);
    /// Later than anything.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The moment `seconds` seconds after the start.
    pub const fn from_secs(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }
    /// The moment `micros` microseconds later.
    pub const fn after_micros(self, micros: u64) -> Instant {
        Instant(self.0.saturating_add(micros))
    }
    /// Microseconds since `earlier`; zero if this is not after it.
    pub const fn micros_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Instant {
    /// Seconds with six decimals, as in traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({self})")
    }
}
