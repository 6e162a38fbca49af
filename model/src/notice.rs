//! Notices: what an explorer that walks along time must know after a step, so that it need not look at everything again.

use crate::instant::Instant;
use crate::setup::{Host, Process};
use lease_core::Refusal;
use lease_core::seam::{Answer, DiskId, Event, Request, Signal, Task};
use sim_disk::IoId;

/// Something new that an explorer may or must act upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A task is to be woken within this range of true time; replaces what was said about the task before.
    Wake {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
        /// First moment.
        earliest: Instant,
        /// Last moment. The world does not let time pass beyond it, unless the task is stalled.
        latest: Instant,
    },
    /// A task waits for no time any more.
    NoWake {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
    },
    /// An I/O was issued: it waits to be sampled or to land, and to complete.
    Issued {
        /// The host.
        host: Host,
        /// The task that issued it.
        task: Task,
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Whether it is a write.
        write: bool,
        /// Its length in sectors.
        sectors: u64,
    },
    /// A host died with this I/O under way: it may land later or vanish.
    Ghost {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Whether it is a write.
        write: bool,
        /// The last moment at which it may land within the tolerance.
        latest: Instant,
    },
    /// A request was answered.
    Told {
        /// The host.
        host: Host,
        /// The process, or the administrator's agent.
        process: Option<Process>,
        /// What was asked.
        request: Request,
        /// The answer.
        result: Result<Answer, Refusal>,
    },
    /// A signal reached a process. SIGKILL ends it as soon as it can die; SIGTERM asks it to.
    Signalled {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// Which signal.
        signal: Signal,
    },
    /// The program that a process named is run: what comes of that is the explorer's to say.
    KillpathRun {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// The connection of a process broke because the daemon died.
    Disconnected {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// wdmd's next test is due within this range; replaces what was said before.
    TestDue {
        /// The host.
        host: Host,
        /// First moment.
        earliest: Instant,
        /// Last moment.
        latest: Instant,
    },
    /// The watchdog device will fire at this moment unless it is pinged; replaces what was said before.
    /// [`Instant::NEVER`]: it does not run.
    FireDue {
        /// The host.
        host: Host,
        /// When.
        at: Instant,
    },
    /// An event inside an engine.
    Event {
        /// The host.
        host: Host,
        /// The event.
        event: Event,
    },
    /// The daemon of a host started.
    DaemonUp {
        /// The host.
        host: Host,
    },
    /// The daemon of a host is gone.
    DaemonDown {
        /// The host.
        host: Host,
    },
    /// A host went down, by power loss or by its watchdog.
    Down {
        /// The host.
        host: Host,
    },
}
