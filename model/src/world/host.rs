//! One host as the world keeps it: power, daemon, wdmd, device, processes, and what each of them waits for.

use super::device::Watchdog;
use super::wdmd::Wdmd;
use crate::action::Part;
use crate::clock::HostClock;
use crate::illegal::Due;
use crate::instant::Instant;
use crate::setup::{Host, Process, ResourceIx};
use lease_core::Engine;
use lease_core::format::Name;
use lease_core::numbers::{Lver, Numbers, Span, Time, Visit};
use lease_core::seam::{Input, Mode, Request, RequestId, Signal, Task};

/// How late something may come that became overdue while it could not run.
pub(super) const CATCH_UP: Span = Span::from_millis(50);

/// A host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct HostState {
    pub(super) on: bool,
    pub(super) engine: Option<Engine>,
    pub(super) wdmd: Option<Wdmd>,
    pub(super) device: Watchdog,
    /// What is stalled, and since when. Nearly always empty.
    pub(super) stalled: Vec<(Part, Instant)>,
    pub(super) wakes: Wakes,
    /// What arrived for the main loop while it could not run, in order.
    pub(super) inbox: Vec<Input>,
    /// Requests without a reply, by number.
    pub(super) asked: Vec<Option<Asked>>,
    /// By number.
    pub(super) processes: Vec<Option<ProcessState>>,
    /// What children of processes that ended go on using.
    pub(super) children: Vec<(Process, Vec<Use>)>,
    /// What it goes by, if it was installed anew.
    pub(super) name: Option<Name>,
    /// How many resources the daemon is at work on or holds.
    pub(super) claims: usize,
    /// I/Os of lives before this one may still be on their way: nothing was issued since the host booted.
    pub(super) before_first_io: bool,
    /// The next thing that must not be missed.
    pub(super) horizon: (Instant, Option<Due>),
}

/// A request on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asked {
    pub(super) process: Option<Process>,
    pub(super) request: Request,
    /// Whether whoever asked still waits for the answer.
    pub(super) awaited: bool,
}

/// A client process.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProcessState {
    /// Whether its connection to the running daemon stands.
    pub connected: bool,
    /// Whether the running daemon registered it, even if the connection is closed by now.
    pub registered: bool,
    /// The strongest signal that was sent to it.
    pub signalled: Option<Signal>,
    /// How many of its requests are not answered yet.
    pub waiting: u32,
    /// What it uses.
    pub uses: Vec<Use>,
}

/// A resource that a process uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Use {
    /// Which.
    pub resource: ResourceIx,
    /// The version that the process was told.
    pub lver: Lver,
    /// The mode in which it uses it.
    pub mode: Mode,
}

impl HostState {
    /// Off, as everything begins.
    pub(super) fn off() -> HostState {
        HostState {
            on: false,
            engine: None,
            wdmd: None,
            device: Watchdog::OFF,
            stalled: Vec::new(),
            wakes: Wakes::default(),
            inbox: Vec::new(),
            asked: Vec::new(),
            processes: Vec::new(),
            children: Vec::new(),
            name: None,
            claims: 0,
            before_first_io: false,
            horizon: (Instant::NEVER, None),
        }
    }

    /// Since when something is stalled, if it is.
    pub(super) fn stalled_since(&self, part: Part) -> Option<Instant> {
        self.stalled.iter().find(|(stalled, _)| *stalled == part).map(|(_, since)| *since)
    }

    /// Whether everything on the host but its device stands still.
    pub(super) fn is_paused(&self) -> bool {
        self.stalled_since(Part::Host).is_some()
    }

    /// Whether a daemon runs and nothing holds it up as a whole.
    pub(super) fn daemon_runs(&self) -> bool {
        self.engine.is_some() && (self.stalled.is_empty() || !(self.is_paused() || self.is_stalled(Part::Daemon)))
    }

    /// Whether a task of the daemon runs.
    pub(super) fn task_runs(&self, task: Task) -> bool {
        self.daemon_runs() && (self.stalled.is_empty() || !self.is_stalled(Part::Task(task)))
    }

    /// Whether wdmd runs and nothing holds it up.
    pub(super) fn wdmd_runs(&self) -> bool {
        self.wdmd.is_some() && (self.stalled.is_empty() || !(self.is_paused() || self.is_stalled(Part::Wdmd)))
    }

    fn is_stalled(&self, part: Part) -> bool {
        self.stalled_since(part).is_some()
    }

    /// Whether a process is stopped by itself.
    pub(super) fn is_stopped(&self, process: Process) -> bool {
        self.is_stalled(Part::Process(process))
    }

    /// A living process.
    pub(super) fn process(&self, process: Process) -> Option<&ProcessState> {
        self.processes.get(usize::from(process.0))?.as_ref()
    }

    /// A living process, to be changed.
    pub(super) fn process_mut(&mut self, process: Process) -> Option<&mut ProcessState> {
        self.processes.get_mut(usize::from(process.0))?.as_mut()
    }

    /// Takes the lowest free number for a request.
    pub(super) fn number_request(&mut self, asked: Asked) -> RequestId {
        let free = self.asked.iter().position(Option::is_none).unwrap_or_else(|| {
            self.asked.push(None);
            self.asked.len() - 1
        });
        self.asked[free] = Some(asked);
        RequestId(u16::try_from(free).expect("fewer than 65,536 requests wait for a reply"))
    }

    /// Brings [`HostState::horizon`] up to date.
    pub(super) fn settle(&mut self, host: Host, clock: &HostClock) {
        let mut next = (self.device.fires(), Some(Due::Fire { host }));
        if self.daemon_runs() {
            for pending in self.wakes.pending.iter().flatten() {
                if pending.until < next.0 && self.task_runs(pending.task) {
                    next = (pending.until, Some(Due::Wake { host, task: pending.task }));
                }
            }
        }
        if self.wdmd_runs()
            && let Some(wdmd) = &self.wdmd
        {
            let latest = clock.first_showing(wdmd.due().1);
            if latest < next.0 {
                next = (latest, Some(Due::Test { host }));
            }
        }
        self.horizon = if next.0 == Instant::NEVER { (Instant::NEVER, None) } else { next };
    }
}

/// The wakes that the tasks of a daemon asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Wakes {
    /// By task, see [`Wakes::place`].
    pending: Vec<Option<PendingWake>>,
}

/// A wake that a task asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PendingWake {
    /// The task.
    pub task: Task,
    /// First moment, on the host's clock.
    pub earliest: Time,
    /// Last moment, on the host's clock.
    pub latest: Time,
    /// First moment of true time, as the clock runs now.
    pub from: Instant,
    /// Last moment of true time, as the clock runs now.
    pub until: Instant,
}

impl PendingWake {
    fn new(task: Task, earliest: Time, latest: Time, clock: &HostClock) -> PendingWake {
        let (from, until) = (clock.first_showing(earliest), clock.first_showing(latest));
        PendingWake { task, earliest, latest, from, until }
    }
}

impl Wakes {
    fn place(task: Task) -> usize {
        match task {
            Task::Main => 0,
            Task::Resource => 1,
            Task::Lockspace(id) => 2 + 2 * usize::from(id.0),
            Task::Worker(number) => 3 + 2 * usize::from(number),
        }
    }

    pub(super) fn set(&mut self, task: Task, earliest: Time, latest: Time, clock: &HostClock) -> PendingWake {
        assert!(earliest <= latest, "a range of time has its end after its beginning");
        let place = Wakes::place(task);
        if place >= self.pending.len() {
            self.pending.resize(place + 1, None);
        }
        let wake = PendingWake::new(task, earliest, latest, clock);
        self.pending[place] = Some(wake);
        wake
    }

    pub(super) fn get(&self, task: Task) -> Option<&PendingWake> {
        self.pending.get(Wakes::place(task))?.as_ref()
    }

    pub(super) fn clear(&mut self, task: Task) -> Option<PendingWake> {
        self.pending.get_mut(Wakes::place(task))?.take()
    }

    pub(super) fn clear_all(&mut self) {
        self.pending.clear();
    }

    /// Each task of a pending wake, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PendingWake> {
        self.pending.iter().flatten()
    }

    /// Each pending wake, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut PendingWake> {
        self.pending.iter_mut().flatten()
    }
}

impl PendingWake {
    /// The clock was bent, or the task runs again: the range in true time is another one now. What has become overdue
    /// is due at once.
    pub(super) fn catch_up(&mut self, at: Instant, clock: &HostClock) {
        let shown = clock.at(at);
        if self.latest < shown {
            self.latest = shown.after(CATCH_UP);
        }
        *self = PendingWake::new(self.task, self.earliest, self.latest, clock);
    }
}

impl Visit for Wakes {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for wake in self.pending.iter_mut().flatten() {
            numbers.time(&mut wake.earliest);
            numbers.time(&mut wake.latest);
        }
    }
}
