//! The world: hosts around shared disks. It knows what may happen next and what happens then, and feeds everything to
//! the [`History`], which knows what must hold.
//!
//! **The contract of use.** A world begins with everything off ([`World::new`]). An explorer chooses an [`Action`] and a
//! moment and calls [`World::step`], again and again, and reads the [`Notice`]s in between. Moments never go back, and
//! never beyond [`World::horizon`]: what is due there must be chosen first. What cannot happen is answered with
//! [`Illegal`], and then nothing has changed.
//!
//! It refuses to choose. Where the moment of something is free, the world gives the range; where a fault is possible,
//! the [`Limits`] say how often.
//!
//! # Who runs when
//!
//! * Everything that an engine asks for is carried out at once, in order, within the same step. Answers of wdmd go back
//!   to it within that step, too.
//! * Requests, hang-ups and exits are received by the daemon's main loop. While that is stalled they wait, in order.
//! * A completion is delivered to the task that issued the I/O; while that is stalled it cannot be chosen. The disk does
//!   not care: reads are sampled and writes land meanwhile.
//! * While a host is paused nothing on it runs, its processes neither. Its clock goes on, unless that is stopped, and so
//!   does its watchdog device.

mod device;
mod host;
mod io;
mod legal;
mod numbers;
mod process;
#[cfg(test)]
mod stories;
pub(crate) mod wdmd;

pub use crate::illegal::{Due, Illegal};
pub use host::{PendingWake, ProcessState, Use};
pub use io::InFlight;

use crate::action::{Action, Part};
use crate::clock::HostClock;
use crate::happening::{Happening, Ping, Sink};
use crate::history::{Facts, History, Violation};
use crate::instant::Instant;
use crate::limits::Limits;
use crate::notice::Notice;
use crate::setup::{Device, Host, HostSetup, Process, ResourceIx, Setup};
use host::{CATCH_UP, HostState};
use io::IoTable;
use lease_core::Engine;
use lease_core::format::Name;
use lease_core::mutants::Mutant;
use lease_core::numbers::{Span, Time};
use lease_core::seam::{DiskId, Input, LastLife, LsId, Output, Outputs, Signal, Task, WatchdogAnswer, WatchdogMessage};
use sim_disk::{Disk, PathId, SnapshotId};
use std::collections::VecDeque;
use std::sync::Arc;
use wdmd::{Letter, Wdmd};

/// Hosts around shared disks, and all that happened to them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct World {
    setup: Arc<Setup>,
    limits: Limits,
    /// What is left to spend.
    left: Limits,
    now: Instant,
    clocks: Vec<HostClock>,
    disks: Vec<Disk>,
    /// The content of each disk that was remembered last.
    remembered: Vec<Option<SnapshotId>>,
    /// What the world knows of the I/Os in flight, by disk.
    ios: Vec<IoTable>,
    hosts: Vec<HostState>,
    history: History,
    notices: Vec<Notice>,
    /// Empty between steps; kept for its memory.
    outputs: Outputs,
    /// Inputs for an engine that came of its own outputs. Empty between steps.
    feedback: VecDeque<Input>,
    /// An engine has answered a request in this step. False between steps.
    replied: bool,
    /// An engine has said that its daemon ends. False between steps.
    exits: bool,
}

impl World {
    /// A world in which everything is off and all areas are formatted.
    ///
    /// # Panics
    ///
    /// If [`Setup::check`] says no.
    pub fn new(setup: Arc<Setup>, limits: Limits) -> World {
        if let Err(why) = setup.check(&limits) {
            panic!("the setup of a world must pass its check: {why}");
        }
        let mut disks: Vec<Disk> = io::formatted(&setup).into_iter().map(Disk::from_platter).collect();
        for disk in &mut disks {
            for _ in &setup.hosts {
                disk.add_path();
            }
        }
        let start = |host: &HostSetup| HostClock::starting(Instant::START, host.clock, host.drift_ppm);
        World {
            limits,
            left: limits,
            now: Instant::START,
            clocks: setup.hosts.iter().map(start).collect(),
            remembered: vec![None; disks.len()],
            ios: vec![IoTable::default(); disks.len()],
            hosts: setup.hosts.iter().map(|_| HostState::off()).collect(),
            history: History::new(&setup),
            notices: Vec::new(),
            outputs: Vec::new(),
            feedback: VecDeque::new(),
            replied: false,
            exits: false,
            disks,
            setup,
        }
    }

    /// The present.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The moment beyond which time may not go yet, and what must be chosen there. [`Instant::NEVER`] and nothing: time
    /// is free.
    pub fn horizon(&self) -> (Instant, Option<Due>) {
        let mut first = (Instant::NEVER, None);
        for host in &self.hosts {
            if host.horizon.0 < first.0 {
                first = host.horizon;
            }
        }
        first
    }

    /// Carries out an action at a moment.
    ///
    /// # Errors
    ///
    /// If it cannot be; nothing has changed then.
    pub fn step<S: Sink>(&mut self, at: Instant, action: &Action, sink: &mut S) -> Result<(), Illegal> {
        let budgets = self.legal(at, action)?;
        for budget in budgets.into_iter().flatten() {
            self.left.spend(budget);
        }
        self.pass(at);
        self.emit(&Happening::Chosen(action.clone()), sink);
        if let Some(host) = self.carry_out(action, sink) {
            if std::mem::take(&mut self.replied) {
                self.compare_holdings(host);
            }
            self.look_what_was_let_go(host);
            self.hosts[usize::from(host.0)].settle(host, &self.clocks[usize::from(host.0)]);
        }
        Ok(())
    }

    /// Whether [`World::step`] would carry out this action at this moment.
    ///
    /// # Errors
    ///
    /// If not, why not.
    pub fn may(&self, at: Instant, action: &Action) -> Result<(), Illegal> {
        self.legal(at, action).map(|_| ())
    }

    /// The explorer has healed everything, and everything has come to rest: judges what must hold then.
    pub fn at_rest<S: Sink>(&mut self, at: Instant, sink: &mut S) {
        self.pass(at);
        self.emit(&Happening::AtRest, sink);
        let facts = Facts { setup: &self.setup, limits: &self.limits, disks: &self.disks, clocks: &self.clocks };
        self.history.at_rest(self.now, &facts);
    }

    /// The liveness act begins: the explorer has healed everything, and chooses no fault any more.
    pub fn liveness_begins(&mut self) {
        self.history.liveness_begins(self.now);
    }

    /// In the liveness act somebody must acquire this resource by then, or hold it all the time.
    pub fn expect_progress(&mut self, resource: ResourceIx, by: Instant) {
        self.history.expect_progress(resource, by);
    }

    /// What an explorer must know since it asked last, in order.
    pub fn notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.notices.drain(..)
    }
}

/// What can be seen from outside.
impl World {
    /// What it was built from.
    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    /// The fault model.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What of the limits is left to spend.
    pub fn left(&self) -> &Limits {
        &self.left
    }

    /// All that happened, judged.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// From here on nobody looks whether what must hold holds: see [`History::look_away`].
    pub fn look_away(&mut self) {
        self.history.look_away();
    }

    /// The first violation of a property.
    pub fn violation(&self) -> Option<&Violation> {
        self.history.violation()
    }

    /// A disk.
    pub fn disk(&self, disk: DiskId) -> &Disk {
        &self.disks[usize::from(disk.0)]
    }

    /// All disks.
    pub fn disks(&self) -> &[Disk] {
        &self.disks
    }

    /// What a host is called.
    pub fn label(&self, host: Host) -> &str {
        self.setup.label(host)
    }

    /// All hosts.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = Host> + use<> {
        (0..self.hosts.len()).map(|index| Host(index as u8))
    }

    /// What a host's clock shows now.
    pub fn clock(&self, host: Host) -> Time {
        self.clocks[usize::from(host.0)].at(self.now)
    }

    /// All clocks, by host.
    pub fn clocks(&self) -> &[HostClock] {
        &self.clocks
    }

    /// Whether a host is on.
    pub fn is_up(&self, host: Host) -> bool {
        self.host(host).on
    }

    /// Whether a host's daemon runs, stalled or not.
    pub fn daemon_up(&self, host: Host) -> bool {
        self.host(host).engine.is_some()
    }

    /// Whether a host's wdmd runs, stalled or not.
    pub fn wdmd_up(&self, host: Host) -> bool {
        self.host(host).wdmd.is_some()
    }

    /// Since when a part of a host is stalled, if it is.
    pub fn stalled_since(&self, host: Host, part: Part) -> Option<Instant> {
        self.host(host).stalled_since(part)
    }

    /// What is stalled on a host, and since when.
    pub fn stalled(&self, host: Host) -> &[(Part, Instant)] {
        &self.host(host).stalled
    }

    /// The living processes of a host.
    pub fn processes(&self, host: Host) -> impl Iterator<Item = (Process, &ProcessState)> {
        let numbered = self.host(host).processes.iter().enumerate();
        numbered.filter_map(|(index, process)| Some((Process(index as u8), process.as_ref()?)))
    }

    /// A living process.
    pub fn process(&self, host: Host, process: Process) -> Option<&ProcessState> {
        self.host(host).process(process)
    }

    /// What a task waits for.
    pub fn pending_wake(&self, host: Host, task: Task) -> Option<&PendingWake> {
        self.host(host).wakes.get(task)
    }

    /// What the tasks of a host wait for.
    pub fn pending_wakes(&self, host: Host) -> impl Iterator<Item = &PendingWake> {
        self.host(host).wakes.iter()
    }

    /// The range in which wdmd's next test is due.
    pub fn test_due(&self, host: Host) -> Option<(Instant, Instant)> {
        let (earliest, latest) = self.host(host).wdmd.as_ref()?.due();
        let clock = &self.clocks[usize::from(host.0)];
        Some((clock.first_showing(earliest), clock.first_showing(latest)))
    }

    /// When a host's watchdog device fires, if nothing else happens.
    pub fn fire_due(&self, host: Host) -> Instant {
        self.host(host).device.fires()
    }

    /// A host's engine.
    pub fn engine(&self, host: Host) -> Option<&Engine> {
        self.host(host).engine.as_ref()
    }

    fn host(&self, host: Host) -> &HostState {
        &self.hosts[usize::from(host.0)]
    }

    fn host_mut(&mut self, host: Host) -> &mut HostState {
        &mut self.hosts[usize::from(host.0)]
    }
}

/// What happens then.
impl World {
    fn pass(&mut self, to: Instant) {
        if to > self.now {
            let facts = Facts { setup: &self.setup, limits: &self.limits, disks: &self.disks, clocks: &self.clocks };
            self.history.pass(to, &facts);
            self.now = to;
        }
    }

    fn emit<S: Sink>(&mut self, happening: &Happening, sink: &mut S) {
        let facts = Facts { setup: &self.setup, limits: &self.limits, disks: &self.disks, clocks: &self.clocks };
        self.history.see(self.now, happening, &facts);
        sink.happening(self.now, happening);
    }

    /// After an engine has answered, what it holds must be what its clients were told. An engine whose stalled main loop
    /// was not told yet who is gone is not to be blamed for what it still holds for them.
    fn compare_holdings(&mut self, host: Host) {
        let state = &self.hosts[usize::from(host.0)];
        if let Some(engine) = &state.engine
            && state.inbox.is_empty()
        {
            let facts = Facts { setup: &self.setup, limits: &self.limits, disks: &self.disks, clocks: &self.clocks };
            self.history.compare_holdings(self.now, host, engine.holdings(), &facts);
        }
    }

    /// Of what an engine is not at work on any more, nothing may look owned.
    fn look_what_was_let_go(&mut self, host: Host) {
        let state = &mut self.hosts[usize::from(host.0)];
        let claims = state.engine.as_ref().map_or(0, |engine| engine.claims().len());
        if std::mem::replace(&mut state.claims, claims) <= claims {
            return;
        }
        let state = &self.hosts[usize::from(host.0)];
        if let Some(engine) = &state.engine {
            let facts = Facts { setup: &self.setup, limits: &self.limits, disks: &self.disks, clocks: &self.clocks };
            let claims = |lockspace: &Name, resource: &Name| {
                engine.claims().any(|(space, name)| space.same(lockspace) && name.same(resource))
            };
            self.history.let_go(self.now, host, claims, &facts);
        }
    }

    /// Carries out an action that is legal. Returns the host whose next due moment may have changed.
    fn carry_out<S: Sink>(&mut self, action: &Action, sink: &mut S) -> Option<Host> {
        match *action {
            Action::Wake { host, task } => {
                self.host_mut(host).wakes.clear(task);
                self.feed(host, Input::Wake { task }, sink);
                Some(host)
            }
            Action::Sample { disk, io, sampling } => {
                self.sample(disk, io, sampling, sink);
                None
            }
            Action::Land { disk, io, landing } => {
                self.land(disk, io, landing, sink);
                None
            }
            Action::Complete { disk, io, ending } => Some(self.complete(disk, io, ending, sink)),
            Action::Vanish { disk, io } => {
                self.vanish(disk, io, sink);
                None
            }
            Action::Ask { host, process, ref request } => {
                self.ask(host, process, request, sink);
                Some(host)
            }
            Action::Spawn { host, process } => {
                self.spawn(host, process, sink);
                None
            }
            Action::Exit { host, process } => {
                self.exit(host, process, sink);
                Some(host)
            }
            Action::LeaveChild { host, process } => {
                self.leave_child(host, process, sink);
                Some(host)
            }
            Action::HangUp { host, process } => {
                self.hang_up(host, process, sink);
                Some(host)
            }
            Action::Garble { host, process } => {
                self.deliver(host, Input::Garbage { client: process::client_of(Some(process)) }, sink);
                Some(host)
            }
            Action::PowerLoss { host } => {
                self.go_down(host, false, sink);
                Some(host)
            }
            Action::Fire { host } => {
                self.go_down(host, true, sink);
                Some(host)
            }
            Action::PowerOn { host } => {
                self.power_on(host, sink);
                Some(host)
            }
            Action::Rename { host, name } => {
                self.host_mut(host).name = Some(name);
                None
            }
            Action::KillDaemon { host } => {
                self.kill_daemon(host, sink);
                Some(host)
            }
            Action::StartDaemon { host } => {
                self.start_daemon(host, LastLife::Unknown, sink);
                Some(host)
            }
            Action::KillWdmd { host } => {
                self.kill_wdmd(host, sink);
                Some(host)
            }
            Action::Test { host } => {
                self.test(host, sink);
                Some(host)
            }
            Action::Stall { host, part } => {
                self.stall(host, part, sink);
                Some(host)
            }
            Action::Resume { host, part } => {
                self.resume(host, part, sink);
                Some(host)
            }
            Action::StopClock { .. }
            | Action::JumpClock { .. }
            | Action::SetDrift { .. }
            | Action::StepWallClock { .. } => Some(self.touch_clock(action, sink)),
            Action::SetPath { .. }
            | Action::Snapshot { .. }
            | Action::Rollback { .. }
            | Action::SplitOff { .. }
            | Action::Edit { .. } => {
                self.touch_storage(action, sink);
                None
            }
        }
    }
}

/// Daemon.
impl World {
    /// Gives an input to a running engine, and carries out what comes of it.
    fn feed<S: Sink>(&mut self, host: Host, input: Input, sink: &mut S) {
        let mut next = Some(input);
        while let Some(input) = next.filter(|_| self.host(host).engine.is_some()) {
            let now = self.clock(host);
            let mut outputs = std::mem::take(&mut self.outputs);
            let engine = self.hosts[usize::from(host.0)].engine.as_mut();
            engine.expect("only a running engine is given inputs").handle(now, input, &mut outputs);
            self.obey(host, &mut outputs, sink);
            self.outputs = outputs;
            if std::mem::take(&mut self.exits) {
                self.feedback.clear();
                return self.kill_daemon(host, sink);
            }
            next = self.feedback.pop_front();
        }
        if self.host(host).engine.is_none() {
            self.feedback.clear();
        }
    }

    /// Gives something to the main loop, now or when it runs again.
    fn deliver<S: Sink>(&mut self, host: Host, input: Input, sink: &mut S) {
        if !self.host(host).task_runs(Task::Main) {
            self.host_mut(host).inbox.push(input);
            return;
        }
        if let Input::Request { id, .. } = &input {
            let asked = self.host(host).asked[usize::from(id.0)].as_ref();
            let asked = asked.expect("a request keeps its number until it is answered");
            // Who died while the request waited will not be told, and a process that got its number did not ask.
            if asked.awaited {
                let (process, request) = (asked.process, asked.request.clone());
                self.emit(&Happening::Asked { host, process, request }, sink);
            }
        }
        self.feed(host, input, sink);
    }

    /// Carries out all that an engine wants done.
    fn obey<S: Sink>(&mut self, host: Host, outputs: &mut Outputs, sink: &mut S) {
        for output in outputs.drain(..) {
            match output {
                Output::Read { .. } | Output::Write { .. } => self.issue(host, output, sink),
                Output::WakeWithin { task, earliest, latest } => {
                    let clock = &self.clocks[usize::from(host.0)];
                    // After a stall or a bent clock an engine may ask for what is over already: it is due at once.
                    let shown = clock.at(self.now);
                    let latest = if latest < shown { shown.after(CATCH_UP) } else { latest };
                    let wake = self.hosts[usize::from(host.0)].wakes.set(task, earliest, latest, clock);
                    self.notices.push(Notice::Wake { host, task, earliest: wake.from, latest: wake.until });
                }
                Output::NoWake { task } => {
                    if self.host_mut(host).wakes.clear(task).is_some() {
                        self.notices.push(Notice::NoWake { host, task });
                    }
                }
                Output::Watchdog { lockspace, message } => self.tell_wdmd(host, lockspace, message, sink),
                Output::Signal { .. } if self.mutated(host, Mutant::Null2) => {}
                Output::Signal { client, signal } => self.signal(host, Process(client.0), signal, sink),
                // SIGTERM it ignores while it has lockspaces.
                Output::SignalSelf { signal: Signal::Term } => {}
                Output::SignalSelf { signal: Signal::Kill } => {
                    self.emit(&Happening::SelfSignalled { host }, sink);
                    self.kill_daemon(host, sink);
                    // Whatever it still wanted done is not done any more.
                    break;
                }
                Output::Notify { client, told } => self.notify(host, Process(client.0), told, sink),
                Output::RunKillpath { client, killpath } => {
                    self.run_killpath(host, Process(client.0), killpath, sink);
                }
                Output::Exit => self.exits = true,
                Output::Reply { id, result } => {
                    self.replied = true;
                    self.reply(host, id, result, sink);
                }
                Output::Event(event) => {
                    self.emit(&Happening::Engine { host, event }, sink);
                    self.notices.push(Notice::Event { host, event });
                }
            }
        }
    }

    fn start_daemon<S: Sink>(&mut self, host: Host, last_life: LastLife, sink: &mut S) {
        self.emit(&Happening::DaemonUp { host, last_life }, sink);
        self.notices.push(Notice::DaemonUp { host });
        let mut config = self.setup.hosts[usize::from(host.0)].config.clone();
        config.host_name = self.host(host).name.unwrap_or(config.host_name);
        let mut outputs = std::mem::take(&mut self.outputs);
        let engine = Engine::boot(config, last_life, self.clock(host), &mut outputs);
        self.host_mut(host).engine = Some(engine);
        self.obey(host, &mut outputs, sink);
        self.outputs = outputs;
        self.take_feedback(host, sink);
    }

    fn kill_daemon<S: Sink>(&mut self, host: Host, sink: &mut S) {
        self.end_daemon(host);
        let profile = self.setup.hosts[usize::from(host.0)].wdmd;
        let state = self.host_mut(host);
        state.stalled.retain(|(part, _)| !matches!(part, Part::Task(_) | Part::Daemon));
        let wdmd_runs = state.wdmd_runs();
        if let Some(wdmd) = &mut state.wdmd {
            match wdmd_runs {
                true => wdmd.daemon_gone(profile),
                false => wdmd.queue(Letter::DaemonGone),
            }
        }
        self.emit(&Happening::DaemonDown { host }, sink);
        self.notices.push(Notice::DaemonDown { host });
        self.disconnect_all(host);
        self.orphan(host);
    }

    /// What the daemon had in mind is forgotten.
    fn end_daemon(&mut self, host: Host) {
        let state = self.host_mut(host);
        state.engine = None;
        state.wakes.clear_all();
        state.inbox.clear();
        state.asked.clear();
    }

    /// Gives an engine what wdmd answered: at once, or when its main loop runs again.
    fn take_feedback<S: Sink>(&mut self, host: Host, sink: &mut S) {
        while let Some(input) = self.feedback.pop_front() {
            if self.host(host).daemon_runs() {
                self.feed(host, input, sink);
            } else {
                self.host_mut(host).inbox.push(input);
            }
        }
    }
}

/// Power.
impl World {
    fn power_on<S: Sink>(&mut self, host: Host, sink: &mut S) {
        let setup = &self.setup.hosts[usize::from(host.0)];
        let (clock, interval) = (setup.clock, setup.test_interval);
        let ppm = self.clocks[usize::from(host.0)].ppm;
        self.clocks[usize::from(host.0)] = HostClock::starting(self.now, clock, ppm);
        let state = self.host_mut(host);
        state.on = true;
        state.before_first_io = true;
        state.wdmd = Some(Wdmd::start(clock, interval));
        self.emit(&Happening::Up { host, clock }, sink);
        self.ping(host, Ping::Open, sink);
        self.notice_test(host);
        self.start_daemon(host, LastLife::Gone, sink);
    }

    fn go_down<S: Sink>(&mut self, host: Host, by_watchdog: bool, sink: &mut S) {
        let numbers: Vec<Process> = self.processes(host).map(|(process, _)| process).collect();
        for process in numbers {
            self.end_uses(host, process, sink);
        }
        while let Some((process, _)) = self.host(host).children.first() {
            let process = *process;
            self.exit(host, process, sink);
        }
        self.end_daemon(host);
        let state = self.host_mut(host);
        *state = HostState { stalled: std::mem::take(&mut state.stalled), name: state.name, ..HostState::off() };
        state.stalled.clear();
        // Without power no clock matters; this one runs on, so that it always shows something.
        let clock = &mut self.clocks[usize::from(host.0)];
        *clock = HostClock { stopped: false, ..clock.rebased(self.now) };
        self.emit(&Happening::Down { host, by_watchdog }, sink);
        self.notices.push(Notice::Down { host });
        self.orphan(host);
    }
}

/// wdmd and the device.
impl World {
    fn tell_wdmd<S: Sink>(&mut self, host: Host, lockspace: LsId, message: WatchdogMessage, sink: &mut S) {
        let state = self.host_mut(host);
        let runs = state.wdmd_runs();
        match &mut state.wdmd {
            Some(_) if runs => self.wdmd_receives(host, lockspace, message, true, sink),
            Some(wdmd) => wdmd.queue(Letter::Message { lockspace, message, answered: true }),
            None => {
                if is_answered(message) {
                    self.feedback.push_back(Input::Watchdog { lockspace, answer: WatchdogAnswer::Refused });
                }
            }
        }
    }

    fn wdmd_receives<S: Sink>(
        &mut self,
        host: Host,
        lockspace: LsId,
        message: WatchdogMessage,
        answered: bool,
        sink: &mut S,
    ) {
        if let WatchdogMessage::TestLive { renewal, expire } = message
            && self.mutated(host, Mutant::B66)
            && !self.wdmd_mut(host).knows(lockspace)
        {
            self.wdmd_mut(host).receive(lockspace, WatchdogMessage::Connect);
            self.wdmd_mut(host).receive(lockspace, WatchdogMessage::Arm { renewal, expire });
        }
        self.wdmd_mut(host).receive(lockspace, message);
        self.emit(&Happening::Watchdog { host, lockspace, message }, sink);
        if answered && is_answered(message) {
            let fire_timeout = u32::try_from(self.fire_timeout(host)).unwrap_or(u32::MAX);
            let answer = WatchdogAnswer::Ready { fire_timeout };
            self.feedback.push_back(Input::Watchdog { lockspace, answer });
        }
    }

    fn test<S: Sink>(&mut self, host: Host, sink: &mut S) {
        let setup = &self.setup.hosts[usize::from(host.0)];
        let (interval, profile) = (setup.test_interval, setup.wdmd);
        let now = self.clock(host);
        let tested = self.wdmd_mut(host).test(now, interval, profile);
        self.emit(&Happening::Tested { host, failing: tested.failing }, sink);
        if let Some(by) = tested.ping {
            self.ping(host, by, sink);
        }
        self.notice_test(host);
    }

    fn kill_wdmd<S: Sink>(&mut self, host: Host, sink: &mut S) {
        let state = self.host_mut(host);
        let wdmd = state.wdmd.take().expect("it was found running");
        state.stalled.retain(|(part, _)| *part != Part::Wdmd);
        self.emit(&Happening::WdmdDown { host }, sink);
        self.notices.push(Notice::TestDue { host, earliest: Instant::NEVER, latest: Instant::NEVER });
        if wdmd.holds_device() {
            self.ping(host, Ping::KernelClose, sink);
        }
    }

    fn ping<S: Sink>(&mut self, host: Host, by: Ping, sink: &mut S) {
        let (fire_timeout, kind) = (self.fire_timeout(host), self.setup.hosts[usize::from(host.0)].device);
        let kind = match kind {
            _ if self.mutated(host, Mutant::Null2) => Device::Broken,
            Device::Exact if self.mutated(host, Mutant::B22) => Device::Late { percent: 200 },
            kind => kind,
        };
        let (now, ppm) = (self.now, self.clocks[usize::from(host.0)].ppm);
        let device = &mut self.host_mut(host).device;
        device.ping(now, kind, fire_timeout, ppm);
        let fires = device.fires();
        self.emit(&Happening::Pinged { host, by, fires }, sink);
        self.notices.push(Notice::FireDue { host, at: fires });
    }

    /// Whether this mistake was put into a host.
    fn mutated(&self, host: Host, mutant: Mutant) -> bool {
        self.setup.hosts[usize::from(host.0)].wdmd.mutated(mutant)
    }

    /// Seconds from the last ping of a host's device to the reset.
    fn fire_timeout(&self, host: Host) -> u64 {
        self.setup.hosts[usize::from(host.0)].config.parameters.watchdog_fire_timeout
    }

    fn wdmd_mut(&mut self, host: Host) -> &mut Wdmd {
        self.host_mut(host).wdmd.as_mut().expect("wdmd was found running")
    }

    fn notice_test(&mut self, host: Host) {
        if let Some((earliest, latest)) = self.test_due(host) {
            self.notices.push(Notice::TestDue { host, earliest, latest });
        }
    }
}

/// Stalls and clocks.
impl World {
    fn stall<S: Sink>(&mut self, host: Host, part: Part, sink: &mut S) {
        let now = self.now;
        let freezes = part == Part::Host && self.setup.hosts[usize::from(host.0)].device == Device::FrozenWithHost;
        self.host_mut(host).stalled.push((part, now));
        self.emit(&Happening::Stalled { host, part }, sink);
        if freezes {
            self.host_mut(host).device.set_frozen(now, true);
            self.emit(&Happening::DeviceStopped { host }, sink);
            self.notices.push(Notice::FireDue { host, at: Instant::NEVER });
        }
    }

    fn resume<S: Sink>(&mut self, host: Host, part: Part, sink: &mut S) {
        let now = self.now;
        let state = self.host_mut(host);
        let since = state.stalled_since(part).expect("it was found stalled");
        state.stalled.retain(|(stalled, _)| *stalled != part);
        self.emit(&Happening::Resumed { host, part, stood: now.micros_since(since) }, sink);
        if part == Part::Host {
            if self.setup.hosts[usize::from(host.0)].device == Device::FrozenWithHost {
                let device = &mut self.host_mut(host).device;
                device.set_frozen(now, false);
                let at = device.fires();
                self.notices.push(Notice::FireDue { host, at });
            }
            let clock = &mut self.clocks[usize::from(host.0)];
            if clock.stopped {
                *clock = HostClock { stopped: false, ..clock.rebased(now) };
                let clock = clock.from_host;
                self.emit(&Happening::ClockChanged { host, clock }, sink);
            }
        }
        self.catch_up(host);
        if self.host(host).wdmd_runs() {
            for letter in self.wdmd_mut(host).take_queue() {
                match letter {
                    Letter::Message { lockspace, message, answered } => {
                        self.wdmd_receives(host, lockspace, message, answered, sink);
                    }
                    Letter::DaemonGone => {
                        let profile = self.setup.hosts[usize::from(host.0)].wdmd;
                        self.wdmd_mut(host).daemon_gone(profile);
                    }
                }
            }
            self.take_feedback(host, sink);
        }
        if self.host(host).task_runs(Task::Main) {
            for input in std::mem::take(&mut self.host_mut(host).inbox) {
                self.deliver(host, input, sink);
            }
        }
    }

    /// Something runs again, or a clock was bent: when things are due is to be worked out anew, and what is overdue is
    /// due at once.
    fn catch_up(&mut self, host: Host) {
        let now = self.now;
        let clock = self.clocks[usize::from(host.0)];
        let state = &mut self.hosts[usize::from(host.0)];
        for wake in state.wakes.iter_mut() {
            wake.catch_up(now, &clock);
        }
        for wake in state.wakes.iter().filter(|wake| state.task_runs(wake.task)) {
            let PendingWake { task, from: earliest, until: latest, .. } = *wake;
            self.notices.push(Notice::Wake { host, task, earliest, latest });
        }
        if state.wdmd_runs()
            && let Some(wdmd) = &mut state.wdmd
        {
            if wdmd.due().1 < clock.at(now) {
                wdmd.put_off(clock.at(now).after(CATCH_UP));
            }
            self.notice_test(host);
        }
    }

    fn touch_clock<S: Sink>(&mut self, action: &Action, sink: &mut S) -> Host {
        let now = self.now;
        let clock = |host: Host| self.clocks[usize::from(host.0)].rebased(now);
        let (host, bent) = match *action {
            Action::StopClock { host } => (host, HostClock { stopped: true, ..clock(host) }),
            Action::JumpClock { host, micros } => {
                let clock = clock(host);
                (host, HostClock { from_host: clock.from_host.after(Span::from_micros(micros)), ..clock })
            }
            Action::SetDrift { host, ppm } => (host, HostClock { ppm, ..clock(host) }),
            Action::StepWallClock { host } => {
                let clock = self.clock(host);
                self.emit(&Happening::ClockChanged { host, clock }, sink);
                let profile = self.setup.hosts[usize::from(host.0)].wdmd;
                let state = self.host_mut(host);
                state.engine.iter_mut().for_each(Engine::wall_clock_stepped);
                state.wdmd.iter_mut().for_each(|wdmd| wdmd.wall_clock_stepped(profile));
                if self.host(host).task_runs(Task::Main) {
                    self.feed(host, Input::Wake { task: Task::Main }, sink);
                }
                return host;
            }
            _ => unreachable!("only actions that touch a clock come here"),
        };
        self.clocks[usize::from(host.0)] = bent;
        self.emit(&Happening::ClockChanged { host, clock: bent.from_host }, sink);
        if let Action::SetDrift { ppm, .. } = *action
            && self.host(host).on
        {
            let device = &mut self.host_mut(host).device;
            device.set_rate(now, ppm);
            let at = device.fires();
            self.notices.push(Notice::FireDue { host, at });
        }
        self.catch_up(host);
        host
    }
}

/// The path of a host to a disk: each disk has one for each host, in order.
fn path_of(host: Host) -> PathId {
    PathId(host.0)
}

/// Whether wdmd answers a message.
fn is_answered(message: WatchdogMessage) -> bool {
    matches!(message, WatchdogMessage::Connect | WatchdogMessage::Arm { .. })
}
