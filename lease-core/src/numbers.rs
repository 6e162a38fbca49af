//! Every quantity that grows without bound, each as a type of its own, and the one visitor over all of them.
//!
//! Host time, on-disk stamps, generations, lease versions and ballot numbers grow for ever, yet the protocol only looks
//! at their order, their differences up to a limit, their residues and their equality. A model checker may therefore
//! rename them, and a world that would be endless becomes finite. For that to be possible every such number must be
//! reachable: whoever holds one implements [`Visit`], and nothing that grows is a bare integer.
//!
//! Zero is a value, never a small number: the free stamp, "never observed", "no ballot", "no version". A visitor must
//! map zero to zero and nothing else to zero.

use core::fmt;

/// Number of a host in a lockspace, counted from 1. Zero stands for "nobody".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostId(pub u64);

impl HostId {
    /// Nobody: the owner of an area that was never acquired, and the id of an operation run without one.
    pub const NONE: HostId = HostId(0);
}

/// A moment on one host's CLOCK_MONOTONIC, in microseconds. Times of two hosts are never compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

/// A length of time, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

/// A whole second of one host's own clock, kept in that host's memory. Zero means "never".
///
/// sanlock computes every age as a difference of truncated seconds; so does the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Second(pub u64);

/// A whole second of the *writer's* clock as it stands on disk. Zero means "free". Another host may compare a stamp for
/// equality and for nothing else; there is no way from a `Stamp` to a [`Time`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(pub u64);

/// Number of a host id's life: one more at each acquire of the delta lease. Zero: never owned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// Version of a resource lease: one more at each successful ballot. Zero: never owned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lver(pub u64);

/// Ballot number: its residue modulo `max_hosts` identifies the host. Zero: no ballot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mbal(pub u64);

macro_rules! number_text {
    ($($kind:ident),*) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($kind), "({})"), self.0)
            }
        }
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
number_text!(HostId, Second, Stamp, Generation, Lver, Mbal);

impl Time {
    /// The moment `micros` microseconds after the clock's origin.
    pub const fn from_micros(micros: u64) -> Time {
        Time(micros)
    }
    /// The start of whole second `seconds`.
    pub const fn from_secs(seconds: u64) -> Time {
        Time(seconds * Span::SECOND.0)
    }
    /// Microseconds since the clock's origin.
    pub const fn micros(self) -> u64 {
        self.0
    }
    /// The whole second this moment lies in, as sanlock's `monotime()` gives it.
    pub const fn second(self) -> Second {
        Second(self.0 / Span::SECOND.0)
    }
    /// This moment and `span` more.
    pub const fn after(self, span: Span) -> Time {
        Time(self.0 + span.0)
    }
    /// How long after `earlier` this moment is; zero if it is not after it.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({}.{:06})", self.0 / Span::SECOND.0, self.0 % Span::SECOND.0)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// One second.
    pub const SECOND: Span = Span(1_000_000);

    /// `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Span {
        Span(micros)
    }
    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Span {
        Span(millis * 1_000)
    }
    /// `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> Span {
        Span(seconds * Span::SECOND.0)
    }
    /// The length in microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }
    /// This length and `other` together.
    pub const fn plus(self, other: Span) -> Span {
        Span(self.0 + other.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({}.{:06})", self.0 / Span::SECOND.0, self.0 % Span::SECOND.0)
    }
}

impl Second {
    /// Whole seconds from `earlier` to this one; zero if it is not after it.
    pub const fn since(self, earlier: Second) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
    /// Never: no such thing was observed yet.
    pub const NEVER: Second = Second(0);
    /// What is written to disk in this second.
    pub const fn stamp(self) -> Stamp {
        Stamp(self.0)
    }
    /// The moment at which this second begins on the same host.
    pub const fn start(self) -> Time {
        Time::from_secs(self.0)
    }
    /// The second `seconds` later.
    pub const fn after(self, seconds: u64) -> Second {
        Second(self.0 + seconds)
    }
}

impl Stamp {
    /// The stamp of a record that nobody holds.
    pub const FREE: Stamp = Stamp(0);
    /// Whether the record that bears this stamp is free.
    pub const fn is_free(self) -> bool {
        self.0 == 0
    }
}

impl Generation {
    /// The generation after this one.
    pub const fn next(self) -> Generation {
        Generation(self.0.wrapping_add(1))
    }
}

impl Lver {
    /// The version after this one.
    pub const fn next(self) -> Lver {
        Lver(self.0.wrapping_add(1))
    }
}

/// A visitor over everything that grows. Each method gets one number by reference and may replace it. What a visitor
/// does not care for it leaves alone, so every method has a body that does nothing.
///
/// `by` and `of` say whose clock or whose life the number belongs to; [`HostId::NONE`] where the record does not tell.
pub trait Numbers {
    /// A moment on the visited host's own clock.
    fn time(&mut self, _time: &mut Time) {}
    /// A whole second of the visited host's own clock.
    fn second(&mut self, _second: &mut Second) {}
    /// An on-disk stamp, written from the clock of `by` (or a copy of one in memory or in flight).
    fn stamp(&mut self, _by: HostId, _stamp: &mut Stamp) {}
    /// A generation of host `of`.
    fn generation(&mut self, _of: HostId, _generation: &mut Generation) {}
    /// A lease version.
    fn lver(&mut self, _lver: &mut Lver) {}
    /// A ballot number.
    fn mbal(&mut self, _mbal: &mut Mbal) {}
    /// The number of the ballot in which a proposal was set. A ballot number like any other, unless a visitor makes a
    /// difference.
    fn bal(&mut self, bal: &mut Mbal) {
        self.mbal(bal);
    }
}

/// Something that holds numbers which grow: it shows every one of them to a visitor, in a fixed order.
pub trait Visit {
    /// Shows each number to `numbers`, which may change it.
    fn visit(&mut self, numbers: &mut dyn Numbers);
}
