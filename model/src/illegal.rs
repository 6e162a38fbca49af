//! Why an action cannot be chosen now.

use crate::instant::Instant;
use crate::limits::Budget;
use crate::setup::Host;
use lease_core::seam::Task;

/// What must happen before time may go on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Due {
    /// A task must be woken.
    Wake {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
    },
    /// wdmd must test.
    Test {
        /// The host.
        host: Host,
    },
    /// The watchdog device fires.
    Fire {
        /// The host.
        host: Host,
    },
}

/// Why an action cannot be carried out. Nothing has changed when this is the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Illegal {
    /// Time does not run backwards.
    #[error("it is {now} already")]
    Past {
        /// The present.
        now: Instant,
    },
    /// Something else must happen first.
    #[error("first comes what is due at {at}: {by:?}")]
    Overdue {
        /// The last moment for it.
        at: Instant,
        /// What.
        by: Due,
    },
    /// There is no such host.
    #[error("no such host")]
    NoSuchHost,
    /// There is no such disk.
    #[error("no such disk")]
    NoSuchDisk,
    /// No process of this number lives.
    #[error("no such process")]
    NoSuchProcess,
    /// This number belongs to a living process, or to the administrator's agent.
    #[error("the number of the process is taken")]
    ProcessTaken,
    /// The host is off.
    #[error("the host is off")]
    Off,
    /// The host is on.
    #[error("the host is on")]
    On,
    /// The daemon does not run.
    #[error("no daemon runs")]
    NoDaemon,
    /// The daemon runs.
    #[error("the daemon runs")]
    DaemonRuns,
    /// wdmd does not run.
    #[error("no wdmd runs")]
    NoWdmd,
    /// Who would have to do this is stalled.
    #[error("who would do it is stalled")]
    Stalled,
    /// It is stalled already, or it runs already.
    #[error("it is so already")]
    SoAlready,
    /// Only possible while the host is paused.
    #[error("the host is not paused")]
    NotPaused,
    /// The task waits for no time.
    #[error("the task waits for no time")]
    NoWake,
    /// It may happen, but not before this.
    #[error("not before {earliest}")]
    TooEarly {
        /// The first moment.
        earliest: Instant,
    },
    /// The process has no connection to a running daemon.
    #[error("the process has no connection")]
    NotConnected,
    /// The process was sent SIGKILL: it may live on in the kernel, but asks for nothing.
    #[error("the process was killed")]
    Killed,
    /// Only an I/O that nobody waits for vanishes.
    #[error("somebody waits for the I/O")]
    NoGhost,
    /// The daemon cannot start before the I/Os of the killed one are over.
    #[error("an I/O of the killed daemon is under way")]
    IoOfKilledDaemon,
    /// Nothing was remembered of this disk.
    #[error("nothing is remembered of the disk")]
    NoSnapshot,
    /// An offset that is no multiple of the sector size, or lies outside the disk, or more bytes than a sector has.
    #[error("no sector lies there")]
    BadPlace,
    /// The limits allow no more of this.
    #[error("the limits allow no more {0}")]
    Spent(Budget),
    /// The limits say "within the tolerance", and this is not.
    #[error("beyond the tolerance: {0}")]
    BeyondTolerance(&'static str),
    /// The disk says no.
    #[error("{0}")]
    Disk(#[from] sim_disk::Illegal),
}
