//! Actions: everything that an explorer can choose. What may be chosen when is the world's to say.

use crate::setup::{Host, Process};
use lease_core::format::Name;
use lease_core::seam::{DiskId, Request, Task};
use sim_disk::{Ending, IoId, Landing, PathState, Sampling};
use std::sync::Arc;

/// One choice. Together with its moment it is a line of a trace that binds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Run a task of a daemon that asked to be woken.
    Wake {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
    },
    /// Sectors of a read are sampled.
    Sample {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Which sectors, and from where.
        sampling: Sampling,
    },
    /// Sectors of a write, of a living host or of a ghost, land on the platter.
    Land {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Which sectors, and how.
        landing: Landing,
    },
    /// An I/O completes at its host.
    Complete {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// How.
        ending: Ending,
    },
    /// An I/O whose host is gone disappears without effect.
    Vanish {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
    },
    /// A process (or, with `None`, the administrator's agent on the host) sends a request to the daemon.
    Ask {
        /// The host.
        host: Host,
        /// The process.
        process: Option<Process>,
        /// What it asks for.
        request: Request,
    },
    /// A new client process starts and registers with the daemon.
    Spawn {
        /// The host.
        host: Host,
        /// A number that is free.
        process: Process,
    },
    /// A process ends: by itself, or because a signal takes effect.
    Exit {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// A process ends, and a child of it goes on using what it held. [`Action::Exit`] of the same process then ends the
    /// child.
    LeaveChild {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// A process closes its connection and goes on using what it holds.
    HangUp {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// A process sends bytes over its connection that are no message, and goes on as if nothing was.
    Garble {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// The host loses power, or its kernel panics: everything on it stops.
    PowerLoss {
        /// The host.
        host: Host,
    },
    /// The host boots: wdmd and the daemon start, knowing that nothing of the last life runs any more.
    PowerOn {
        /// The host.
        host: Host,
    },
    /// A host that is off is installed anew: from its next boot on it goes by another name.
    Rename {
        /// The host.
        host: Host,
        /// Its new name.
        name: Name,
    },
    /// The daemon is killed; its clients live on.
    KillDaemon {
        /// The host.
        host: Host,
    },
    /// The daemon starts again without a reboot. Not before the I/Os of the killed one are over: a process is not gone
    /// while the kernel still works for it.
    StartDaemon {
        /// The host.
        host: Host,
    },
    /// wdmd is killed. The kernel closes the device for it, which pings.
    KillWdmd {
        /// The host.
        host: Host,
    },
    /// Something stops running, but its clock goes on.
    Stall {
        /// The host.
        host: Host,
        /// What.
        part: Part,
    },
    /// It goes on.
    Resume {
        /// The host.
        host: Host,
        /// What.
        part: Part,
    },
    /// The clock of a paused host stands still until it is resumed (suspend, a paused virtual machine).
    StopClock {
        /// The host.
        host: Host,
    },
    /// wdmd's test is due.
    Test {
        /// The host.
        host: Host,
    },
    /// The watchdog device fires.
    Fire {
        /// The host.
        host: Host,
    },
    /// The path of a host to a disk changes.
    SetPath {
        /// The host.
        host: Host,
        /// The disk.
        disk: DiskId,
        /// Its new state.
        state: PathState,
    },
    /// CLOCK_MONOTONIC of a host jumps forward.
    JumpClock {
        /// The host.
        host: Host,
        /// By how much, in microseconds.
        micros: u64,
    },
    /// The rate of a host's clock changes.
    SetDrift {
        /// The host.
        host: Host,
        /// Parts per million faster than true time.
        ppm: i32,
    },
    /// The wall clock of a host is stepped. The main loop measures its tick with it, so a tick comes early.
    StepWallClock {
        /// The host.
        host: Host,
    },
    /// The content of a disk is remembered.
    Snapshot {
        /// The disk.
        disk: DiskId,
    },
    /// A disk is rolled back to the content remembered last.
    Rollback {
        /// The disk.
        disk: DiskId,
    },
    /// From now on this host reads and writes a copy of the disk of its own.
    SplitOff {
        /// The host.
        host: Host,
        /// The disk.
        disk: DiskId,
    },
    /// Somebody overwrites one sector directly.
    Edit {
        /// The disk.
        disk: DiskId,
        /// Byte offset of the sector.
        offset: u64,
        /// Its new bytes without trailing zeros.
        bytes: Arc<[u8]>,
    },
}

/// What can be stalled on a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// One thread of the daemon.
    Task(Task),
    /// The whole daemon (SIGSTOP).
    Daemon,
    /// wdmd.
    Wdmd,
    /// Everything on the host but the watchdog device.
    Host,
    /// One client process (SIGSTOP). SIGKILL ends it all the same; SIGTERM waits until it goes on.
    Process(Process),
}
