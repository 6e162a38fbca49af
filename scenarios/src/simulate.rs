//! The simulator: one path through a world, chosen by a seed.
//!
//! A run has two acts. In the *safety act* clients work and faults strike; nothing that must hold may fail. In the
//! *liveness act* everything is healed, and within a bound somebody must get each lease; then all clients let go, and
//! nothing may be left behind. The run stops at the first violation.
//!
//! Everything here is policy: which of the possible things happens, and when. Handlers of notices only write into the
//! agenda; the one loop in [`Simulation::run_until`] takes what is due first and asks the world for it. So every order
//! of two things that may happen at one instant is reached by some seed.

use crate::agenda::{Agenda, Entry};
use crate::case::Case;
use crate::clients::{Client, ClientState, Member};
use crate::dice::{Dice, Range};
use crate::digest::Digest;
use crate::fates::{IoPlan, Rule};
use crate::faults::{Fault, Fired, PerFault, PlannedFault, Trigger};
use crate::panics::quietly;
use crate::replay::what_is_late;
use crate::scenario::{Moment, ProfileName, Scenario};
use crate::strikes::Undo;
use crate::trace::{Mark, Marked};
use lease_core::seam::{DiskId, Event, LsId, Rare, Signal, Task};
use model::history::{Counts, Property, Violation};
use model::setup::{Host, LockspaceIx, Process, ResourceIx};
use model::{Action, Due, Happening, Illegal, Instant, Notice, Sink, World};
use sim_disk::IoId;
use std::fmt;
use std::sync::Arc;

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every property held to the end.
    Holds,
    /// A property was violated.
    Violated(Violation),
    /// The engine or the world found itself in a state that cannot be.
    Asserted {
        /// When.
        at: Instant,
        /// What the assertion says.
        what: String,
    },
}

impl Verdict {
    /// Whether every property held.
    pub fn holds(&self) -> bool {
        matches!(self, Verdict::Holds)
    }

    /// The property that was violated, as results name it; an assertion is called `assertion`.
    pub fn property(&self) -> Option<&'static str> {
        match self {
            Verdict::Holds => None,
            Verdict::Violated(violation) => Some(violation.property.id()),
            Verdict::Asserted { .. } => Some("assertion"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Holds => f.write_str("holds"),
            Verdict::Violated(violation) => {
                write!(f, "violated {} at {}: {}", violation.property, violation.at, violation.what)
            }
            Verdict::Asserted { at, what } => write!(f, "assertion at {at}: {what}"),
        }
    }
}

/// One run, told in numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The scenario.
    pub scenario: String,
    /// The profile.
    pub profile: ProfileName,
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// The digest of everything that happened.
    pub digest: u64,
    /// Actions carried out.
    pub actions: u64,
    /// Simulated time, in microseconds.
    pub micros: u64,
    /// Simulated time times hosts that were up, in microseconds.
    pub host_micros: u64,
    /// From the healing until every lease had been granted once, in microseconds; `None` if it did not come to that.
    pub recovery: Option<u64>,
    /// What happened how often.
    pub counts: Counts,
    /// Which faults were on, by chance or by the script.
    pub enabled: PerFault<bool>,
    /// How often each fault fired.
    pub fired: Fired,
    /// How often each rare branch was taken, in the order of [`Rare::ALL`].
    pub rare: [u64; Rare::ALL.len()],
}

/// Runs one seed of a scenario. `sink` is told everything that happens; the actions alone give the run again.
pub fn simulate<S: Sink>(scenario: &Scenario, profile: ProfileName, seed: u64, sink: &mut S) -> Outcome {
    run_case(&Case::new(scenario, profile, seed), sink)
}

/// Runs a case. An assertion of the engine or the world ends the run and is its verdict.
pub fn run_case<S: Sink>(case: &Case<'_>, sink: &mut S) -> Outcome {
    let mut simulation = Simulation::new(case, sink);
    simulation.run_until(u64::MAX);
    simulation.outcome()
}

/// What an entry of the agenda is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Wake(Host, Task),
    Test(Host),
    Fire(Host),
    PowerOn(Host),
    StartDaemon(Host),
    Agent(Host, LockspaceIx),
    Inquire(Host),
    Index(Host),
    Client(Host, Process),
    Death(Host, Process),
    Io(u32),
    Strike(Fault),
    Undo(Undo),
    Script(u16),
    Program(Host, Process),
    Remember,
    Heal,
    Bound,
    Settled,
}

/// The parts of a run that draw, each with its own dice.
pub(crate) struct AllDice {
    pub(crate) wakes: Dice,
    pub(crate) ties: Dice,
    pub(crate) latency: Dice,
    pub(crate) fates: Dice,
    pub(crate) clients: Dice,
    pub(crate) modes: Dice,
    pub(crate) agents: Dice,
    pub(crate) indices: Dice,
    pub(crate) calls: Dice,
    pub(crate) faults: Dice,
    pub(crate) ghosts: Dice,
    pub(crate) script: Dice,
    pub(crate) healing: Dice,
    pub(crate) kinds: Dice,
}

/// Which act it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Safety,
    Liveness,
}

pub(crate) struct HostState {
    /// Of the main loop, the resource thread, and then in turn each lockspace and each worker; grown when a task asks.
    wakes: Vec<Entry>,
    test: Entry,
    fire: Entry,
    pub(crate) power_on: Entry,
    pub(crate) start_daemon: Entry,
    inquire: Entry,
    pub(crate) index: Entry,
    /// In the liveness act: its agent has still to rebuild the first index.
    pub(crate) rebuilds: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) clients: Vec<Client>,
    /// What the world refused because somebody is stalled; tried again when somebody goes on.
    pub(crate) parked: Vec<Entry>,
    /// What the world refused because the path hangs; tried again when the path changes.
    pub(crate) held: Vec<Entry>,
    /// Until when reads are refused, and until when writes are.
    pub(crate) refused_until: [Instant; 2],
    /// Its daemon is told to end: how long after that it is started again, in microseconds.
    pub(crate) returns_after: Option<u64>,
}

/// A run under way.
pub(crate) struct Simulation<'a, S> {
    pub(crate) case: &'a Case<'a>,
    pub(crate) world: World,
    pub(crate) tape: Tape<'a, S>,
    pub(crate) agenda: Agenda<What>,
    pub(crate) dice: AllDice,
    pub(crate) now: Instant,
    pub(crate) act: Act,
    pub(crate) hosts: Vec<HostState>,
    pub(crate) ios: Vec<IoPlan>,
    pub(crate) free_ios: Vec<u32>,
    /// Index into `ios` by disk and I/O.
    pub(crate) io_index: Vec<Vec<Option<u32>>>,
    /// The I/O faults that are on.
    pub(crate) io_faults: Vec<(Fault, PlannedFault)>,
    pub(crate) rules: Vec<Rule>,
    /// Scripted events that wait for a moment: event, and how many of the kind must still come.
    pub(crate) waiting: Vec<(u16, u32)>,
    pub(crate) faults: PerFault<Option<PlannedFault>>,
    strikes: Vec<Entry>,
    pub(crate) undos: Vec<(Entry, Undo)>,
    /// For each resource, whether it was granted since the healing.
    pub(crate) claims: Vec<bool>,
    settled: Entry,
    healed_at: Instant,
    /// Whether the bound for the recovery has passed with every lease granted.
    bound_passed: bool,
    recovery: Option<u64>,
    /// What a trace must have beside the actions.
    pub(crate) marks: Vec<Marked>,
    actions: u64,
    /// A moment, and how many entries were performed since time reached it.
    last_progress: (Instant, u32),
    in_step: bool,
    notices: Vec<Notice>,
    verdict: Option<Verdict>,
    pub(crate) fired: Fired,
    rare: [u64; Rare::ALL.len()],
}

/// The sink of a run: it folds the digest, passes everything on, and keeps what no notice tells.
pub(crate) struct Tape<'a, S> {
    digest: Digest,
    sink: &'a mut S,
    vanished: Vec<(DiskId, IoId)>,
    up_since: Vec<Option<Instant>>,
    host_micros: u64,
    tested: Option<Host>,
}

impl<S: Sink> Sink for Tape<'_, S> {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.digest.take(at, happening);
        match happening {
            Happening::Vanished { disk, io } => self.vanished.push((*disk, *io)),
            Happening::Up { host, .. } => self.up_since[usize::from(host.0)] = Some(at),
            Happening::Down { host, .. } => {
                if let Some(since) = self.up_since[usize::from(host.0)].take() {
                    self.host_micros += at.micros_since(since);
                }
            }
            Happening::Tested { host, .. } => self.tested = Some(*host),
            _ => {}
        }
        self.sink.happening(at, happening);
    }
}

impl<'a, S: Sink> Simulation<'a, S> {
    /// Everything off, the first entries of the agenda written.
    pub(crate) fn new(case: &'a Case<'a>, sink: &'a mut S) -> Simulation<'a, S> {
        let seed = case.seed;
        let setup = Arc::new(case.setup.clone());
        let mut agenda = Agenda::new();
        let mut dice = AllDice {
            wakes: Dice::new(seed, "wakes"),
            ties: Dice::new(seed, "ties"),
            latency: Dice::new(seed, "latency"),
            fates: Dice::new(seed, "fates"),
            clients: Dice::new(seed, "clients"),
            modes: Dice::new(seed, "modes"),
            agents: Dice::new(seed, "agents"),
            indices: Dice::new(seed, "indices"),
            calls: Dice::new(seed, "calls"),
            faults: Dice::new(seed, "faults"),
            ghosts: Dice::new(seed, "ghosts"),
            script: Dice::new(seed, "script"),
            healing: Dice::new(seed, "healing"),
            kinds: Dice::new(seed, "kinds"),
        };
        let scenario = case.scenario;
        let scripted = scenario.script.iter().filter_map(|event| event.client()).max().map_or(0, |most| most + 1);
        let mut hosts = Vec::new();
        for (index, plan) in case.setup.hosts.iter().enumerate() {
            let host = Host(index as u8);
            let processes = dice.clients.within(scenario.workload.processes) as usize;
            hosts.push(HostState {
                wakes: Vec::new(),
                test: agenda.entry(What::Test(host)),
                fire: agenda.entry(What::Fire(host)),
                power_on: agenda.entry(What::PowerOn(host)),
                start_daemon: agenda.entry(What::StartDaemon(host)),
                inquire: agenda.entry(What::Inquire(host)),
                index: agenda.entry(What::Index(host)),
                rebuilds: false,
                members: plan
                    .memberships
                    .iter()
                    .map(|member| Member::new(agenda.entry(What::Agent(host, member.lockspace))))
                    .collect(),
                clients: (0..processes.max(scripted))
                    .map(|number| {
                        let process = Process(number as u8);
                        let entry = agenda.entry(What::Client(host, process));
                        let death = agenda.entry(What::Death(host, process));
                        Client::new(entry, death, number < processes)
                    })
                    .collect(),
                parked: Vec::new(),
                held: Vec::new(),
                refused_until: [Instant::START; 2],
                returns_after: None,
            });
            let entry = hosts[index].power_on;
            agenda.put(entry, case.starts[index], dice.ties.bits32());
        }
        let io_faults = case.planned(Trigger::Io).map(|fault| (fault, case.faults.on.get(fault)));
        let io_faults = io_faults.filter_map(|(fault, on)| Some((fault, on?))).collect::<Vec<_>>();
        let settled = agenda.entry(What::Settled);
        let mut simulation = Simulation {
            case,
            world: World::new(setup, case.limits),
            tape: Tape {
                digest: Digest::default(),
                sink,
                vanished: Vec::new(),
                up_since: vec![None; hosts.len()],
                host_micros: 0,
                tested: None,
            },
            agenda,
            dice,
            now: Instant::START,
            act: Act::Safety,
            hosts,
            ios: Vec::new(),
            free_ios: Vec::new(),
            io_index: vec![Vec::new(); case.setup.disks.len()],
            io_faults,
            rules: Vec::new(),
            waiting: Vec::new(),
            faults: case.faults.on,
            strikes: Vec::new(),
            undos: Vec::new(),
            claims: vec![false; case.setup.leases()],
            settled,
            healed_at: Instant::NEVER,
            bound_passed: false,
            recovery: None,
            marks: Vec::new(),
            actions: 0,
            last_progress: (Instant::START, 0),
            in_step: false,
            notices: Vec::new(),
            verdict: None,
            fired: Fired::NONE,
            rare: [0; Rare::ALL.len()],
        };
        if case.blind {
            simulation.world.look_away();
        }
        let timed = case.planned(Trigger::Timed).collect::<Vec<_>>();
        for fault in timed {
            let entry = simulation.agenda.entry(What::Strike(fault));
            simulation.strikes.push(entry);
            simulation.next_strike(entry, fault);
        }
        if simulation.io_faults.iter().any(|(fault, _)| *fault == Fault::StaleRead) {
            simulation.once(What::Remember, Instant::START);
        }
        simulation.begin_script();
        let duration = simulation.dice.script.within(scenario.run.duration);
        simulation.once(What::Heal, Instant(duration));
        simulation
    }

    /// Runs until the verdict is there or so many actions are done.
    ///
    /// # Panics
    ///
    /// If the simulator itself has a bug. An assertion inside a step of the world is a verdict instead.
    pub(crate) fn run_until(&mut self, actions: u64) {
        let caught = quietly(|| {
            while self.verdict.is_none() && self.actions < actions {
                self.watch_progress();
                let Some((at, entry, what)) = self.agenda.pop() else {
                    self.verdict = Some(Verdict::Holds);
                    break;
                };
                self.now = self.now.max(at);
                self.perform(entry, what);
                if let Some(violation) = self.world.violation() {
                    self.verdict = Some(Verdict::Violated(violation.clone()));
                }
            }
        });
        if let Err(what) = caught {
            // A panic outside a step of the world is a bug of this file, and nobody's finding.
            assert!(self.in_step, "{what}");
            self.verdict = Some(Verdict::Asserted { at: self.now, what });
        }
    }

    /// A run in which time stands still would never end, and nobody would learn why.
    fn watch_progress(&mut self) {
        let now = self.world.now();
        if now > self.last_progress.0 {
            self.last_progress = (now, 0);
        }
        self.last_progress.1 += 1;
        assert!(
            self.last_progress.1 < 1_000_000,
            "seed {} of {}: a million entries of the agenda at {now}, and time does not go on",
            self.case.seed,
            self.case.scenario.name
        );
    }

    /// What came of it.
    pub(crate) fn outcome(mut self) -> Outcome {
        for since in self.tape.up_since.iter().flatten() {
            self.tape.host_micros += self.now.micros_since(*since);
        }
        let mut enabled = PerFault::all(false);
        for (fault, on) in self.case.faults.on.iter() {
            enabled.set(fault, on.is_some());
        }
        for fault in self.case.scenario.script.iter().filter_map(|event| event.deed.fault()) {
            enabled.set(fault, true);
        }
        Outcome {
            scenario: self.case.scenario.name.clone(),
            profile: self.case.profile,
            seed: self.case.seed,
            verdict: self.verdict.unwrap_or(Verdict::Holds),
            digest: self.tape.digest.value(),
            actions: self.actions,
            micros: self.now.0,
            host_micros: self.tape.host_micros,
            recovery: self.recovery,
            counts: *self.world.history().counts(),
            enabled,
            fired: self.fired,
            rare: self.rare,
        }
    }

    // --- The agenda ---

    /// Writes `entry` for `at`, or for now if that is over. Of two things at one instant any may come first.
    pub(crate) fn put(&mut self, entry: Entry, at: Instant) {
        let tie = self.dice.ties.bits32();
        self.agenda.put(entry, at.max(self.now), tie);
    }

    /// A new entry that is forgotten once it was performed.
    pub(crate) fn once(&mut self, what: What, at: Instant) -> Entry {
        let entry = self.agenda.entry(what);
        self.put(entry, at);
        entry
    }

    /// Asks the world for an action now. Everything that it tells is learned before this returns.
    pub(crate) fn act(&mut self, action: Action) -> Result<(), Illegal> {
        self.in_step = true;
        let result = self.world.step(self.now, &action, &mut self.tape);
        self.in_step = false;
        if result.is_ok() {
            self.actions += 1;
            self.learn();
        }
        result
    }

    /// What becomes of an entry whose action was refused, or not.
    pub(crate) fn settle(&mut self, entry: Entry, host: Host, result: Result<(), Illegal>) {
        match result {
            Ok(()) => {}
            Err(Illegal::Stalled) => self.hosts[usize::from(host.0)].parked.push(entry),
            Err(Illegal::Disk(sim_disk::Illegal::PathHung)) => self.hosts[usize::from(host.0)].held.push(entry),
            Err(Illegal::TooEarly { earliest }) => self.put(entry, earliest),
            Err(Illegal::Overdue { at, by }) => {
                // A range that the world reckoned anew: what is due comes first, and then this.
                let (Due::Wake { host: whose, .. } | Due::Test { host: whose } | Due::Fire { host: whose }) = by;
                let due = match by {
                    Due::Wake { task, .. } => self.wake(whose, task),
                    Due::Test { .. } => self.hosts[usize::from(whose.0)].test,
                    Due::Fire { .. } => self.hosts[usize::from(whose.0)].fire,
                };
                let later = self.now;
                self.now = at.max(self.world.now());
                self.put(due, self.now);
                self.put(entry, later);
            }
            Err(_) => {}
        }
    }

    /// What the world wants first, if it is past: it may have reckoned a range anew since the agenda heard of it.
    pub(crate) fn overdue(&self) -> Option<Illegal> {
        let (at, by) = self.world.horizon();
        by.filter(|_| self.now > at).map(|by| Illegal::Overdue { at, by })
    }

    /// The entry for the wakes of a task.
    fn wake(&mut self, host: Host, task: Task) -> Entry {
        let place = match task {
            Task::Main => 0,
            Task::Resource => 1,
            Task::Lockspace(id) => 2 + 2 * usize::from(id.0),
            Task::Worker(number) => 3 + 2 * usize::from(number),
        };
        let wakes = &mut self.hosts[usize::from(host.0)].wakes;
        while wakes.len() <= place {
            let task = match wakes.len() {
                0 => Task::Main,
                1 => Task::Resource,
                next if next % 2 == 0 => Task::Lockspace(LsId((next / 2 - 1) as u8)),
                next => Task::Worker((next / 2 - 1) as u8),
            };
            wakes.push(self.agenda.entry(What::Wake(host, task)));
        }
        wakes[place]
    }

    fn perform(&mut self, entry: Entry, what: What) {
        match what {
            What::Wake(host, task) => {
                let result = self.act(Action::Wake { host, task });
                self.settle(entry, host, result);
            }
            What::Test(host) => {
                let result = self.act(Action::Test { host });
                self.settle(entry, host, result);
            }
            What::Fire(host) => {
                let result = self.act(Action::Fire { host });
                self.settle(entry, host, result);
            }
            What::PowerOn(host) => {
                let result = self.act(Action::PowerOn { host });
                self.settle(entry, host, result);
            }
            What::StartDaemon(host) => match self.act(Action::StartDaemon { host }) {
                Err(Illegal::IoOfKilledDaemon) => self.put(entry, self.now.after_micros(1_000_000)),
                result => self.settle(entry, host, result),
            },
            What::Agent(host, lockspace) => self.agent(entry, host, lockspace),
            What::Inquire(host) => self.inquire(entry, host),
            What::Index(host) => self.index(entry, host),
            What::Client(host, process) => self.client(entry, host, process),
            What::Death(host, process) => self.death(entry, host, process),
            What::Io(index) => self.io_step(entry, index),
            What::Strike(fault) => self.strike(entry, fault),
            What::Undo(undo) => self.undo(entry, undo),
            What::Script(event) => self.scripted(entry, event),
            What::Program(host, process) => self.program(entry, host, process),
            What::Remember => {
                for disk in 0..self.case.setup.disks.len() {
                    let result = self.act(Action::Snapshot { disk: DiskId(disk as u8) });
                    self.settle(entry, Host(0), result);
                }
                let pause = self.dice.faults.within(Range::secs(5, 60));
                self.put(entry, self.now.after_micros(pause));
            }
            What::Heal => match self.overdue() {
                // Whatever it undoes would be refused, and so never be undone.
                Some(first) => self.settle(entry, Host(0), Err(first)),
                None => {
                    self.agenda.remove(entry);
                    self.heal();
                }
            },
            What::Bound => {
                self.agenda.remove(entry);
                self.out_of_time();
            }
            What::Settled => self.at_rest(),
        }
    }

    // --- What the world tells ---

    fn learn(&mut self) {
        while let Some((disk, io)) = self.tape.vanished.pop() {
            self.forget_io(disk, io);
        }
        if let Some(host) = self.tape.tested.take() {
            self.moment(Moment::Test, host);
        }
        let mut notices = std::mem::take(&mut self.notices);
        notices.extend(self.world.notices());
        for notice in notices.drain(..) {
            self.notice(notice);
        }
        self.notices = notices;
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Wake { host, task, earliest, latest } => {
                let entry = self.wake(host, task);
                self.due_within(entry, earliest, latest);
            }
            Notice::NoWake { host, task } => {
                let entry = self.wake(host, task);
                self.agenda.strike(entry);
            }
            Notice::TestDue { host, earliest, latest } => {
                let entry = self.hosts[usize::from(host.0)].test;
                self.due_within(entry, earliest, latest);
            }
            Notice::FireDue { host, at } => {
                let entry = self.hosts[usize::from(host.0)].fire;
                self.due_within(entry, at, at);
            }
            Notice::Issued { host, task, disk, io, write, sectors } => {
                self.issued(host, task, disk, io, write, sectors)
            }
            Notice::Ghost { disk, io, write, latest } => self.ghost(disk, io, write, latest),
            Notice::Told { host, process, request, result } => match process {
                Some(process) => self.told_client(host, process, &request, &result),
                None => self.told_agent(host, &request, &result),
            },
            Notice::Signalled { host, process, signal } => self.signalled(host, process, signal),
            Notice::KillpathRun { host, process } => self.killpath_run(host, process),
            Notice::Disconnected { host, process } => self.disconnected(host, process),
            Notice::Event { host, event } => self.event(host, event),
            Notice::DaemonUp { host } => {
                let state = &self.hosts[usize::from(host.0)];
                let (inquire, index) = (state.inquire, state.index);
                self.begin_agents(host);
                let pause = self.case.scenario.workload.inquire;
                if pause.high > 0 && self.act == Act::Safety {
                    let pause = self.dice.agents.within(pause);
                    self.put(inquire, self.now.after_micros(pause));
                }
                if self.has_index_work() {
                    self.index_after(index);
                }
                self.moment(Moment::Up, host);
            }
            Notice::DaemonDown { host } => self.daemon_gone(host),
            Notice::Down { host } => self.host_gone(host),
        }
    }

    /// Writes an entry for a moment of a range; strikes it out if the range is never.
    fn due_within(&mut self, entry: Entry, earliest: Instant, latest: Instant) {
        if earliest == Instant::NEVER {
            self.agenda.strike(entry);
            return;
        }
        let low = earliest.max(self.now);
        // A clock that stands still has no latest moment; it is looked at again when it goes on.
        let high = if latest == Instant::NEVER { low } else { latest.max(low) };
        let at = self.dice.wakes.within_or_at_an_end(Range { low: low.0, high: high.0 });
        self.put(entry, Instant(at));
    }

    fn event(&mut self, host: Host, event: Event) {
        let moment = match event {
            Event::Joined { .. } => Moment::Join,
            Event::Renewed { .. } => Moment::Renewal,
            Event::OwnerWait { .. } => Moment::Wait,
            Event::Run { .. } => Moment::Run,
            Event::Ballot { .. } => Moment::Ballot,
            Event::Chosen { .. } => Moment::Chosen,
            Event::Killing { .. } => Moment::Killing,
            Event::Left { .. } => {
                self.left(host);
                Moment::Left
            }
            Event::Rare(rare) => {
                self.rare[rare as usize] += 1;
                return;
            }
            _ => return,
        };
        self.moment(moment, host);
    }

    fn daemon_gone(&mut self, host: Host) {
        let state = &mut self.hosts[usize::from(host.0)];
        for wake in &state.wakes {
            self.agenda.strike(*wake);
        }
        self.agenda.strike(state.inquire);
        self.agenda.strike(state.index);
        for member in &mut state.members {
            member.state = crate::clients::Membership::Out;
            self.agenda.strike(member.entry);
        }
        self.forget_ios_of(host);
        let state = &mut self.hosts[usize::from(host.0)];
        if let Some(after) = state.returns_after.take() {
            let start_daemon = state.start_daemon;
            self.put(start_daemon, self.now.after_micros(after));
        }
    }

    fn host_gone(&mut self, host: Host) {
        self.daemon_gone(host);
        let state = &mut self.hosts[usize::from(host.0)];
        state.parked.clear();
        self.agenda.strike(state.test);
        self.agenda.strike(state.fire);
        self.agenda.strike(state.start_daemon);
        for client in &mut state.clients {
            client.state = ClientState::Absent;
            self.agenda.strike(client.entry);
            self.agenda.strike(client.death);
        }
        let power_on = state.power_on;
        let reboot = match self.act {
            Act::Safety => self.case.scenario.workload.reboot,
            Act::Liveness => Range::secs(5, 30),
        };
        let reboot = self.dice.healing.within(reboot);
        self.put(power_on, self.now.after_micros(reboot));
        self.moment(Moment::Down, host);
    }

    /// An entry that is about to be forgotten waits for nothing any more.
    pub(crate) fn unpark_entry(&mut self, entry: Entry) {
        for host in &mut self.hosts {
            host.parked.retain(|parked| *parked != entry);
            host.held.retain(|held| *held != entry);
        }
    }

    /// Somebody on the host goes on: what was refused because of a stall is tried again.
    pub(crate) fn unpark(&mut self, host: Host) {
        let mut parked = std::mem::take(&mut self.hosts[usize::from(host.0)].parked);
        for entry in parked.drain(..) {
            if self.agenda.due(entry).is_none() {
                self.put(entry, self.now);
            }
        }
        self.hosts[usize::from(host.0)].parked = parked;
    }

    // --- The liveness act ---

    fn heal(&mut self) {
        if !self.case.scenario.run.heal {
            self.verdict = Some(Verdict::Holds);
            return;
        }
        self.act = Act::Liveness;
        self.healed_at = self.now;
        self.mark(Mark::Heal);
        self.faults = PerFault::all(None);
        self.io_faults.clear();
        self.rules.clear();
        self.waiting.clear();
        for entry in std::mem::take(&mut self.strikes) {
            self.agenda.strike(entry);
        }
        self.undo_everything();
        for host in &mut self.hosts {
            host.refused_until = [Instant::START; 2];
        }
        self.hurry_ios();
        for index in 0..self.hosts.len() {
            let host = Host(index as u8);
            let soon = self.dice.healing.within(Range::secs(0, 10));
            let soon = self.now.after_micros(soon);
            let state = &self.hosts[index];
            let (power_on, start_daemon, inquire) = (state.power_on, state.start_daemon, state.inquire);
            let index = state.index;
            let (up, daemon, wdmd) = (self.world.is_up(host), self.world.daemon_up(host), self.world.wdmd_up(host));
            self.agenda.strike(inquire);
            if self.has_index_work() {
                self.hosts[usize::from(host.0)].rebuilds = true;
                if up && daemon && wdmd {
                    self.put(index, soon);
                }
            }
            if !up {
                self.put(power_on, soon);
            } else if !wdmd {
                // Only a reboot brings wdmd back.
                if self.act(Action::PowerLoss { host }).is_ok() {
                    self.put(power_on, soon);
                }
            } else if !daemon {
                self.put(start_daemon, soon);
            }
            self.heal_clients(host);
        }
        let clients = self.hosts.iter().flat_map(|host| &host.clients).any(|client| client.by_itself);
        self.claims.fill(!clients);
        let bound = self.case.scenario.run.bound.unwrap_or_else(|| self.usual_bound());
        self.once(What::Bound, self.now.after_micros(bound));
        self.look_for_rest();
    }

    /// Three lifetimes of the slowest host, and everybody's boot: a host may be reset just after the healing, its
    /// successor waits until it is dead, and the successor's own join may have to wait for its own earlier life.
    fn usual_bound(&self) -> u64 {
        let slowest = self.case.setup.hosts.iter().map(|host| {
            let longest = host.memberships.iter().map(|member| u64::from(member.io_timeout)).max().unwrap_or(0);
            34 * longest + 3 * host.config.parameters.peer_fire_timeout
        });
        (slowest.max().unwrap_or(0) + 120) * 1_000_000 + self.case.scenario.workload.reboot.high
    }

    fn out_of_time(&mut self) {
        let missing = self.claims.iter().position(|granted| !granted);
        let held = || self.hosts.iter().flat_map(|host| &host.clients).any(|client| !client.rests());
        let missing = match missing {
            Some(index) => Some(ResourceIx(index as u8)),
            None if held() || self.bound_passed => None,
            None => {
                // A host that came back late may still be joining: it has as long again.
                self.bound_passed = true;
                let bound = self.now.micros_since(self.healed_at);
                self.once(What::Bound, self.now.after_micros(bound));
                return;
            }
        };
        self.mark(missing.map_or(Mark::Restless, Mark::Late));
        let what = what_is_late(&self.case.setup, missing, self.healed_at, self.now);
        let violation = Violation { property: Property::Progress, at: self.now, what, hosts: Vec::new() };
        self.verdict = Some(if self.case.blind { Verdict::Holds } else { Verdict::Violated(violation) });
    }

    /// Leaves a mark for a trace: here, between the last action and the next.
    fn mark(&mut self, mark: Mark) {
        self.marks.push(Marked { after: self.actions, at: self.now, mark });
    }

    /// In the liveness act, a resource was granted.
    pub(crate) fn claimed(&mut self, resource: ResourceIx) {
        if self.act == Act::Liveness {
            self.claims[usize::from(resource.0)] = true;
            if self.recovery.is_none() && self.claims.iter().all(|granted| *granted) {
                self.recovery = Some(self.now.micros_since(self.healed_at));
            }
        }
    }

    /// In the liveness act: once every lease was granted and every client let go, a quiet while, and then the end.
    pub(crate) fn look_for_rest(&mut self) {
        if self.act == Act::Safety || self.agenda.due(self.settled).is_some() {
            return;
        }
        if self.rests() && self.claims.iter().all(|granted| *granted) {
            let longest = self.case.setup.hosts.iter().flat_map(|host| &host.memberships);
            let longest = longest.map(|member| u64::from(member.io_timeout)).max().unwrap_or(10);
            self.put(self.settled, self.now.after_micros((30 + 2 * longest) * 1_000_000));
        }
    }

    /// Whether no client and no agent holds anything or waits for an answer.
    fn rests(&self) -> bool {
        let clients = |host: &HostState| host.clients.iter().all(|client| client.rests());
        let asks = |member: &Member| self.agenda.due(member.entry).is_some();
        let agents = |host: &HostState| host.members.iter().all(|member| member.rests() && !asks(member));
        self.hosts.iter().all(|host| clients(host) && agents(host) && !host.rebuilds)
    }

    fn at_rest(&mut self) {
        if !self.rests() {
            self.look_for_rest();
            return;
        }
        self.in_step = true;
        self.world.at_rest(self.now, &mut self.tape);
        self.in_step = false;
        self.verdict = Some(match self.world.violation() {
            Some(violation) => Verdict::Violated(violation.clone()),
            None => Verdict::Holds,
        });
    }

    /// How long SIGTERM or SIGKILL takes.
    pub(crate) fn exit_delay(&mut self, signal: Signal) -> u64 {
        let workload = &self.case.scenario.workload;
        let range = match signal {
            Signal::Term => workload.term_exit,
            Signal::Kill => workload.kill_exit,
        };
        self.dice.clients.within(range)
    }
}
