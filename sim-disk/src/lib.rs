//! A shared disk in memory, the paths to it, and everything that can happen to an I/O on its way.
//!
//! # The fault model
//!
//! This crate is *mechanism*: it knows what can happen to an I/O and refuses what cannot. Which of it does happen, and
//! when, is decided by the caller, step by step. There is no clock, no dice and no lease in here.
//!
//! **What is kept pristine.** A [`Platter`] holds what is magnetised, exactly. It changes when a write lands on it, when
//! it is edited directly ([`Disk::platter_mut`]), and when it is rolled back: at no other moment. A sector is read and
//! written as one value, unless a tear is asked for.
//!
//! **An I/O has three moments**, and they are three calls:
//!
//! 1. [`Disk::issue`]: the host hands it over. Nothing is read or written yet.
//! 2. [`Disk::land`] for a write, [`Disk::sample`] for a read: the disk moves. This may be done in parts, in any order,
//!    with anything else in between: a long write is not atomic, and a long read sees each sector as it is when that
//!    sector is sampled. A byte moves once at most, so what was overtaken by another write is not written again.
//! 3. [`Disk::complete`]: the host hears of it. Until then the I/O is in flight, for as long as one likes. A host that
//!    stops waiting changes nothing, and the disk is not told.
//!
//! **What can happen to an I/O:**
//!
//! | fate | how it is done here | what it means |
//! |---|---|---|
//! | whole | [`Landing::Whole`] or [`Sampling::Whole`], [`Ending::Done`] | the good case |
//! | late | the second or third moment comes late | slow storage, and the host's time-out does not stop it |
//! | never | none comes; [`Disk::vanish`] forgets the I/O | a write lost with a switch's memory |
//! | in parts | [`Landing::Sectors`], [`Sampling::Sectors`] | long transfers are not atomic |
//! | torn | [`Landing::Torn`], [`Landing::TornTail`] | at a sector, at 512 bytes, at any byte: the cut says which |
//! | refused | [`Ending::Refused`] | an errno, and nothing was written |
//! | lost answer | [`Ending::LostAnswer`] | an errno, although something was written |
//! | given up | [`Disk::abandon`] | an errno now, and the write may land afterwards |
//! | short | [`Ending::Short`] | fewer bytes than asked for; always so beyond the end of the disk |
//! | rotten | [`Landing::Rotten`], [`Platter::flip_bit`] | one bit is wrong |
//! | misdirected | [`Landing::Misdirected`] | right data, wrong place: two sectors are wrong |
//! | stale | [`Sampling::Stale`] | a cache, or a replica that lags, answers with the past |
//! | no device | [`Ending::NoDevice`] | the disk cannot be opened any more |
//!
//! **Ghosts.** A write outlives its host: after [`Disk::orphan`] or [`Disk::abandon`] it may land, in parts too, or
//! vanish, but it never completes, for nobody waits. It is forgotten when nothing of it is left to land. A read without
//! a reader is forgotten at once.
//!
//! **Paths.** Each host has paths of its own ([`PathState`]). An I/O on its way cannot pass a path that is down. A ghost
//! of an errored path is already beyond it, and may land; behind a *hung* path it waits for mending like anything else.
//!
//! **The whole disk** can be copied and set back ([`Disk::snapshot`], [`Disk::rollback`]), what is in flight staying in
//! flight, and its mirror can split into replicas that no longer follow each other ([`Disk::split`]).
//!
//! **What cannot happen.** The disk never invents bytes: each bit that is read was written, edited or flipped on
//! request. It never completes a write as done before all of it landed, nor a read before all of it was sampled, and
//! nothing moves twice. Asking for such a thing, or for something on a path that does not let it pass, is answered with
//! [`Illegal`] and changes nothing. Panics are reserved for bugs: of this crate, or in edits made past the paths.
//!
//! # Shapes
//!
//! Places and counts are in sectors, and cuts within an I/O in bytes, unless a name says otherwise. Sectors travel as
//! runs of equal ones, and a sector's [`Bytes`] leave out trailing zeros; so the cost of an area read grows with what
//! is different in the area, not with its size. Disks compare, hash and clone as values: equal contents are equal
//! values, however they came about, and clones share what neither has written.
//!
//! # Example
//!
//! A host writes, its path hangs, it is reset, and the write lands afterwards:
//!
//! ```
//! use sim_disk::{Completion, Disk, Ending, Illegal, Landing, Op, PathState, Sampling, sector};
//!
//! let mut disk = Disk::new(512, 2048);
//! let (a, b) = (disk.add_path(), disk.add_path());
//! let write = disk.issue(a, Op::Write { start: 7, runs: vec![(1, sector(b"A was here"))] })?;
//! disk.set_path(a, PathState::Hung)?;
//! assert_eq!(disk.land(write, Landing::Whole), Err(Illegal::PathHung));
//! disk.orphan(a)?; // A is reset
//!
//! let read = disk.issue(b, Op::Read { start: 0, count: 2048 })?;
//! disk.sample(read, Sampling::Whole)?;
//! assert_eq!(disk.complete(read, Ending::Done)?, Completion::Read(vec![(2048, sector(b""))]));
//!
//! disk.set_path(a, PathState::Open)?; // somebody plugs the cable in again
//! disk.land(write, Landing::Whole)?;
//! assert_eq!(&**disk.platter().sector(7), b"A was here");
//! # Ok::<(), Illegal>(())
//! ```
#![no_std]

extern crate alloc;

mod disk;
mod illegal;
mod io;
mod platter;
mod progress;

pub use disk::{Disk, LandedSectors, PathId, PathState, SnapshotId};
pub use illegal::Illegal;
pub use io::{Completion, Ending, Io, IoId, Landing, Op, Sampling};
pub use platter::{BadPiece, Bytes, Extent, Platter, Run, sector};
pub use progress::Progress;
