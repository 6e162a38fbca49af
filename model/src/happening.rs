//! Happenings: what came of an action, told one by one. They explain; only actions bind. The history, the digest and
//! every trace are folds over them.

use crate::action::{Action, Part};
use crate::instant::Instant;
use crate::setup::{Host, Process, ResourceIx};
use lease_core::Refusal;
use lease_core::numbers::{Lver, Second, Time};
use lease_core::seam::{
    Answer, DiskId, Event, Killpath, LastLife, LsId, Mode, Request, Signal, Slot, Task, ToldEvent, WatchdogMessage,
};
use sim_disk::{Bytes, Completion, Ending, IoId, PathState};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Happening {
    /// An explorer chose this. First of each step.
    Chosen(Action),
    /// A daemon issued a read.
    ReadIssued {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
        /// The engine's slot.
        slot: Slot,
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Byte offset.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// A daemon issued a write.
    WriteIssued {
        /// The host.
        host: Host,
        /// The task.
        task: Task,
        /// The engine's slot.
        slot: Slot,
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Byte offset.
        offset: u64,
        /// Bytes of the sector.
        length: u64,
        /// Its bytes without trailing zeros.
        bytes: Bytes,
    },
    /// Sectors changed on a platter.
    Landed {
        /// The host that wrote them, even if it is gone.
        host: Host,
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// Byte offset of the first.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Whether the writer was reset or its daemon killed since the write was issued.
        ghost: bool,
        /// Whether exactly what was written stands there now.
        intact: bool,
    },
    /// A read was sampled.
    Sampled {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
    },
    /// An I/O completed at its host.
    Completed {
        /// The host.
        host: Host,
        /// The engine's slot.
        slot: Slot,
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
        /// The fate that it was given.
        ending: Ending,
        /// What the host saw.
        completion: Completion,
        /// Microseconds of true time from issue to completion.
        took: u64,
    },
    /// An I/O disappeared without effect.
    Vanished {
        /// The disk.
        disk: DiskId,
        /// The I/O.
        io: IoId,
    },
    /// Something happened inside an engine.
    Engine {
        /// The host.
        host: Host,
        /// What.
        event: Event,
    },
    /// A request reached a daemon.
    Asked {
        /// The host.
        host: Host,
        /// Who asked.
        process: Option<Process>,
        /// For what.
        request: Request,
    },
    /// A request was answered, and whoever asked knows it.
    Told {
        /// The host.
        host: Host,
        /// Who asked.
        process: Option<Process>,
        /// For what.
        request: Request,
        /// The answer.
        result: Result<Answer, Refusal>,
    },
    /// A process begins to use a resource: it was told that it holds it.
    UseBegins {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// The resource.
        resource: ResourceIx,
        /// The version it was told.
        lver: Lver,
        /// In which mode it may use it.
        mode: Mode,
    },
    /// A process uses a resource in another mode from here on: it is about to ask for the conversion to shared, that was
    /// refused, or it was told that the resource is its alone.
    UseChanges {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// The resource.
        resource: ResourceIx,
        /// The version it was told last.
        lver: Lver,
        /// In which mode it uses it now.
        mode: Mode,
    },
    /// A process stops using a resource: it is about to ask for the release, or it ended, or its host went down.
    UseEnds {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// The resource.
        resource: ResourceIx,
        /// The version it was told.
        lver: Lver,
    },
    /// A signal was sent to a process.
    Signalled {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// Which signal.
        signal: Signal,
    },
    /// The daemon sent SIGKILL to its own process group, because it took process 0 for a holder.
    SelfSignalled {
        /// The host.
        host: Host,
    },
    /// A process hears what another host tells.
    Notified {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// What it hears.
        told: ToldEvent,
    },
    /// The program that a process named is run in place of a signal.
    KillpathRun {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
        /// The program.
        killpath: Killpath,
    },
    /// A process started.
    Spawned {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// A process ended.
    Ended {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// A process's connection closed though the process lives.
    HungUp {
        /// The host.
        host: Host,
        /// The process.
        process: Process,
    },
    /// wdmd received a message.
    Watchdog {
        /// The host.
        host: Host,
        /// The connection.
        lockspace: LsId,
        /// The message.
        message: WatchdogMessage,
    },
    /// wdmd tested its clients.
    Tested {
        /// The host.
        host: Host,
        /// The expiry of the first failing client, if any fails.
        failing: Option<Second>,
    },
    /// The watchdog device was pinged.
    Pinged {
        /// The host.
        host: Host,
        /// By what.
        by: Ping,
        /// When it fires if nothing else happens.
        fires: Instant,
    },
    /// The watchdog device stopped counting with its host, which is paused (an emulated one). It goes on when the host
    /// is resumed.
    DeviceStopped {
        /// The host.
        host: Host,
    },
    /// The host went down.
    Down {
        /// The host.
        host: Host,
        /// Its watchdog did it.
        by_watchdog: bool,
    },
    /// The host is up.
    Up {
        /// The host.
        host: Host,
        /// What its clock shows.
        clock: Time,
    },
    /// The daemon started.
    DaemonUp {
        /// The host.
        host: Host,
        /// What it knows of its last life.
        last_life: LastLife,
    },
    /// The daemon is gone.
    DaemonDown {
        /// The host.
        host: Host,
    },
    /// wdmd is gone.
    WdmdDown {
        /// The host.
        host: Host,
    },
    /// Something stopped running.
    Stalled {
        /// The host.
        host: Host,
        /// What.
        part: Part,
    },
    /// It runs again.
    Resumed {
        /// The host.
        host: Host,
        /// What.
        part: Part,
        /// How long it stood, in microseconds of true time.
        stood: u64,
    },
    /// A path changed.
    PathChanged {
        /// The host.
        host: Host,
        /// The disk.
        disk: DiskId,
        /// Its state.
        state: PathState,
    },
    /// A host's clock jumped, stopped, went on or changed its rate.
    ClockChanged {
        /// The host.
        host: Host,
        /// What it shows now.
        clock: Time,
    },
    /// A disk was remembered, rolled back, split or edited.
    MediumChanged {
        /// The disk.
        disk: DiskId,
    },
    /// The explorer has healed everything, and everything has come to rest: the end of a run.
    AtRest,
}

/// What pinged a watchdog device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ping {
    /// wdmd opened it.
    Open,
    /// A test passed.
    Test,
    /// wdmd closed it without the magic character: the driver pings once and goes on counting.
    Close,
    /// The kernel closed it for a wdmd that died.
    KernelClose,
}

/// Whoever wants to know what happens.
pub trait Sink {
    /// Called for each happening, in order.
    fn happening(&mut self, at: Instant, happening: &Happening);
}

/// Nobody.
impl Sink for () {
    fn happening(&mut self, _at: Instant, _happening: &Happening) {}
}
