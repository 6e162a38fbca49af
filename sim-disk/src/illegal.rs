//! What a disk answers when it is asked for something that cannot happen.

use core::fmt;

/// Why an action is not possible. Nothing has changed when this is the answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Illegal {
    /// There is no path of this number.
    NoSuchPath,
    /// No I/O of this number is in flight.
    NoSuchIo,
    /// There is no replica of this number.
    NoSuchReplica,
    /// There is no snapshot of this number.
    NoSuchSnapshot,
    /// All numbers for such a thing are taken.
    Full,
    /// An I/O of no sectors.
    Empty,
    /// A sector of a write has more bytes than a sector of this disk.
    SectorTooLong,
    /// A read does not land, is not abandoned and loses no answer.
    NotAWrite,
    /// A write is not sampled.
    NotARead,
    /// Nothing moves on a hung path.
    PathHung,
    /// A failing path carries nothing, and answers with its own errno.
    PathFailing,
    /// A path that is gone carries nothing, and answers only that there is no device.
    PathGone,
    /// Outside the I/O, or outside the disk.
    OutOfRange,
    /// A write that was refused, or that lands elsewhere as a whole, must not have landed in part before.
    AlreadyMoved,
    /// All that was named has moved before, and nothing moves twice.
    NothingLeft,
    /// Not all of the I/O has moved, so it is not done.
    NotWhole,
    /// Nothing of the write has landed, so no answer about it can be lost.
    Untouched,
    /// Nobody waits for a ghost: it never completes.
    Ghost,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Illegal::NoSuchPath => "no such path",
            Illegal::NoSuchIo => "no such I/O in flight",
            Illegal::NoSuchReplica => "no such replica",
            Illegal::NoSuchSnapshot => "no such snapshot",
            Illegal::Full => "no free number left",
            Illegal::Empty => "an I/O of no sectors",
            Illegal::SectorTooLong => "more bytes than a sector holds",
            Illegal::NotAWrite => "only a write can do that",
            Illegal::NotARead => "only a read can do that",
            Illegal::PathHung => "nothing moves on a hung path",
            Illegal::PathFailing => "the path is failing",
            Illegal::PathGone => "the path is gone",
            Illegal::OutOfRange => "out of range",
            Illegal::AlreadyMoved => "part of it has landed already",
            Illegal::NothingLeft => "nothing of it is left to move",
            Illegal::NotWhole => "not all of it has moved",
            Illegal::Untouched => "nothing of it has landed",
            Illegal::Ghost => "nobody waits for a ghost",
        })
    }
}

impl core::error::Error for Illegal {}
