//! Worlds with time: delta leases, wdmd, watchdog devices, clients and one resource, in ticks of one second of the hosts'
//! clocks.
//!
//! The engine and wdmd are the real ones. Everything that a host does is worked out once for each of its states and
//! remembered (`machine`); states are rows of ids ([`State`]), and numbers are canonical (`canon`), so time has no
//! horizon.
//!
//! * A *tick* of a host: its clock advances a second, and what is due in that second runs once, in a fixed order: the
//!   device, wdmd's test, the main loop, lockspace threads, workers, the resource thread. Whatever happens between two
//!   ticks happens at the start of the second. With jitter the hosts tick in any order within a round.
//! * I/O on delta leases takes any time; the time-outs of the engine come with its ticks. I/O of a resource runs through
//!   at once with what asked for it.
//!   Writes of joins and leaves land within io_timeout, or never; writes of renewals before the failure age of their
//!   host, unless the plan wants them late: then within 8N + W of their issue, dead or alive.
//! * Hosts crash and boot again at any time. A host whose join failed, or whose failed lockspace was cleared without a
//!   reset, joins again only after a reboot.
//! * Where joins are all there is, wdmd stalls only while it has something to watch, or is about to: before that a stall
//!   only delays, or ends in a reset, which is a crash like any other.
//! * Clients do not obey signals unless they choose to: killed or not, a process goes on until it exits or its host is
//!   reset.
//! * *Role*: only the first host has faults and is judged. The others stay joined, their renewals succeed at once, and
//!   they may ask for the resource at any time; the first host asks only while none of them owns it.
//!
//! What these worlds leave out: the scheduler's freedom within a second, and that a clock that starts anew at a boot may
//! show a second again in which something was written before (whoever compares stamps compares generations too).

mod canon;
mod disk;
mod follow;
mod host;
mod machine;
mod memory;
mod row;
mod setting;
mod symmetry;
mod tell;

#[cfg(test)]
mod tests;

use self::canon::Part;
use self::disk::{Disk, Resource, SLOTS};
use self::host::{HostState, IoKind, On};
use self::machine::{Machine, marks};
use self::setting::{HOSTS, Setting};
use super::intern::{Interner, Memo};
use super::plan::TimedPlan;
use super::search;
use super::{Bound, Finding, Lost, Space, one_by_one};
use crate::happening::Sink;
use crate::history::Property;
use crate::setup::Setup;
use crate::world::World;
use lease_core::Engine;
use lease_core::format::Sector;
use lease_core::numbers::{Generation, Second};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A state: ids of hosts, of the sectors of their slots, and of the resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    hosts: [u32; HOSTS],
    leases: [u32; SLOTS],
    resource: u32,
    /// Who ticked in this round, one bit each.
    ticked: u8,
    /// Who uses the resource, or owns a host id where there is no resource.
    owners: u8,
    finding: Wrong,
    print: u64,
}

/// What is wrong in a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Wrong {
    Nothing,
    Violated(Property),
    /// With the id of the message.
    Panicked(u32),
}

/// Something that may happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Action {
    /// To whom; a tick of all hosts: [`EVERYBODY`].
    host: u8,
    what: What,
}

const EVERYBODY: u8 = u8::MAX;

/// How often a host id is acquired while a write of an earlier generation may still land.
const JOINS_BESIDE_OLD_WRITES: u64 = 3;

/// What happens to one host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum What {
    /// Its clock advances a second, and what is due runs.
    Tick,
    /// Its clock stays out while others go on.
    Miss,
    /// The I/O in a slot takes effect, and its daemon hears of it.
    Complete(u8),
    /// The I/O in a slot takes effect.
    Land(u8),
    /// The I/O in a slot ends without effect.
    Vanish(u8),
    /// A write of an earlier life lands.
    LandGhost(u8),
    Crash,
    /// The host boots and joins.
    Boot,
    Ask,
    Release,
    /// The client exits.
    Exit,
    StopDaemon,
    ContinueDaemon,
    StopWdmd,
    ContinueWdmd,
    KillDaemon,
    StartDaemon,
    Pause,
    Unpause,
}

/// What a step of one host depends on. Ids that it does not depend on are 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    index: u8,
    host: u32,
    what: What,
    leases: [u32; SLOTS],
    resource: u32,
}

/// What comes of it, before numbers are renamed.
#[derive(Clone, Copy, Default, Debug)]
struct Effect {
    host: u32,
    lease: Option<u32>,
    resource: Option<u32>,
    marks: u32,
    panicked: Option<u32>,
}

/// What of the disk a step looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Looks {
    leases: bool,
    resource: bool,
}

impl Looks {
    const NOWHERE: Looks = Looks { leases: false, resource: false };
    const EVERYWHERE: Looks = Looks { leases: true, resource: true };
}

/// A world with time.
pub struct Timed {
    setting: Setting,
    formatted: Disk,
    hosts: [Interner<Part<HostState>>; HOSTS],
    leases: [Interner<Part<Sector>>; SLOTS],
    resources: Interner<Part<Resource>>,
    messages: Interner<String>,
    steps: Memo<Key, Effect>,
    /// The same part with its numbers renamed.
    renamed: Memo<row::Renaming, u32>,
    /// The same host, with less in its memory.
    faded: Memo<(u8, u32, memory::Fading), u32>,
    start: Vec<State>,
    reached: AtomicU32,
    /// Whether [`JOINS_BESIDE_OLD_WRITES`] ever kept a host from booting.
    bound_reached: AtomicBool,
}

impl Timed {
    /// Host ids with time: joins, renewals, wdmd and the watchdog. To own is to own a host id.
    ///
    /// # Panics
    ///
    /// If the set-up has more hosts or host ids than these worlds have room for.
    pub fn host_ids(setup: Arc<Setup>, plan: TimedPlan) -> Timed {
        Timed::new(setup, plan, false)
    }

    /// Leases with time: the same, with the first resource of the set-up. To own is to use it.
    ///
    /// # Panics
    ///
    /// If the set-up has more hosts or host ids than these worlds have room for.
    pub fn leases(setup: Arc<Setup>, plan: TimedPlan) -> Timed {
        Timed::new(setup, plan, true)
    }

    fn new(setup: Arc<Setup>, plan: TimedPlan, leases: bool) -> Timed {
        let (setting, formatted) = Setting::new(setup, plan, leases);
        let mut timed = Timed {
            setting,
            formatted,
            hosts: std::array::from_fn(|_| Interner::new()),
            leases: std::array::from_fn(|_| Interner::new()),
            resources: Interner::new(),
            messages: Interner::new(),
            steps: Memo::new(),
            renamed: Memo::new(),
            faded: Memo::new(),
            start: Vec::new(),
            reached: AtomicU32::new(0),
            bound_reached: AtomicBool::new(false),
        };
        timed.begin();
        timed
    }

    /// How many values there are behind ids, and how many transitions were worked out: a line for whoever measures.
    pub fn sizes(&self) -> String {
        let hosts: Vec<usize> = self.hosts.iter().take(self.hosts()).map(Interner::len).collect();
        let leases: Vec<usize> = self.leases.iter().take(self.setting.layout.slots.len()).map(Interner::len).collect();
        let (resources, steps, renamed) = (self.resources.len(), self.steps.len(), self.renamed.len());
        format!("hosts {hosts:?}, leases {leases:?}, resources {resources}, steps {steps}, renamed {renamed}")
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.setting.hosts()
    }

    /// The same world with everything remembered.
    fn forgetting_nothing(&self) -> Timed {
        let mut plan = self.setting.plan;
        plan.reductions.memory = false;
        Timed::new(Arc::clone(&self.setting.setup), plan, self.setting.leases)
    }

    /// Ideal observers join a cluster in which everybody is off and everything formatted. `seen` is shown each step.
    fn observers_join(&self, mut seen: impl FnMut(What, &Machine<'_>)) -> (Vec<HostState>, Disk, [u64; HOSTS]) {
        let count = self.setting.hosts();
        let mut disk = self.formatted.clone();
        let mut hosts = vec![HostState::off(); count];
        let mut shown = self.shown();
        // Longer than everything that they might still remember of how they joined.
        for round in 0..4 * self.setting.oldest.iter().max().copied().unwrap_or(0) {
            for index in (0..count).filter(|index| self.setting.is_observer(*index)) {
                let what = if round == 0 { What::Boot } else { What::Tick };
                let (host, now) = (hosts[index].clone(), Second(shown[index]));
                let mut machine = Machine::new(&self.setting, index, host, disk, now, Looks::EVERYWHERE);
                machine.run(what);
                seen(what, &machine);
                (hosts[index], disk) = (machine.host, machine.disk);
                shown[index] += 1;
            }
        }
        (hosts, disk, shown)
    }

    /// Everybody is off and everything formatted; ideal observers have joined.
    fn begin(&mut self) {
        canon::resource(&self.setting, &mut self.formatted.resource);
        let (mut hosts, disk, mut shown) = self.observers_join(|_, _| ());
        let observers = || (0..self.setting.hosts()).filter(|index| self.setting.is_observer(*index));
        let mut constant = [const { None }; SLOTS];
        for index in observers() {
            assert!(hosts[index].believes(), "an ideal observer joins at once");
            shown[index] -= 1;
            canon::local(&self.setting, index, &mut hosts[index], Second(shown[index]));
            let slot = self.setting.slot_of[index];
            let mut lease = disk.leases[slot].clone();
            if let Sector::Delta { lease, .. } = &mut lease {
                (lease.timestamp.0, lease.owner_generation.0) = (1, canon::WRITABLE);
            }
            constant[slot] = Some(lease);
        }
        self.setting.constant = constant;
        self.start = vec![self.row_of(hosts, disk, &shown)];
    }

    fn row_of(&self, hosts: Vec<HostState>, disk: Disk, shown: &[u64; HOSTS]) -> State {
        let mut state = State {
            hosts: [0; HOSTS],
            leases: [0; SLOTS],
            resource: self.resources.id(Part::new(disk.resource, 0, &self.setting)),
            ticked: 0,
            owners: 0,
            finding: Wrong::Nothing,
            print: 0,
        };
        for (index, host) in hosts.into_iter().enumerate() {
            state.hosts[index] = self.hosts[index].id(Part::new(host, index, &self.setting));
        }
        for (slot, lease) in disk.leases.into_iter().enumerate() {
            state.leases[slot] = self.leases[slot].id(Part::new(lease, slot, &self.setting));
        }
        self.canonical(state, shown)
    }

    fn host(&self, state: &State, index: usize) -> &HostState {
        &self.hosts[index].get(state.hosts[index]).value
    }

    fn lease(&self, state: &State, slot: usize) -> &Sector {
        &self.leases[slot].get(state.leases[slot]).value
    }

    fn resource(&self, state: &State) -> &Resource {
        &self.resources.get(state.resource).value
    }

    // What may happen.

    fn actions_of(&self, state: &State, index: usize, push: &mut impl FnMut(What)) {
        let plan = &self.setting.plan;
        let host = self.host(state, index);
        for ghost in 0..host.ghosts.len() {
            push(What::LandGhost(ghost as u8));
        }
        let Some(on) = &host.on else {
            if self.may_boot(state, index) {
                push(What::Boot);
            }
            return;
        };
        if on.paused {
            return push(What::Unpause);
        }
        let engine = on.engine.as_ref();
        let runs = engine.is_some() && !on.daemon_stopped;
        if runs && self.setting.leases {
            let joined = engine.is_some_and(Engine::is_joined);
            if joined && !on.client.uses && !on.client.asks && self.may_ask(state, index) {
                push(What::Ask);
            }
            if on.client.uses && !on.client.orphan {
                push(What::Release);
            }
        }
        if self.setting.is_observer(index) {
            return;
        }
        for io in &on.ios {
            let slot = io.slot.0 as u8;
            let untouched = matches!(io.kind, IoKind::Read { .. } | IoKind::Write(_));
            if runs {
                push(What::Complete(slot));
            }
            if untouched && (!runs || !plan.reductions.completion) {
                push(What::Land(slot));
            }
            if runs && engine.is_some_and(|engine| engine.gave_up(io.slot)) {
                push(What::Vanish(slot));
            }
        }
        if on.client.uses && (on.client.signalled || on.client.orphan) && !on.daemon_stopped {
            push(What::Exit);
        }
        if plan.stalls {
            if engine.is_some() {
                push(if on.daemon_stopped { What::ContinueDaemon } else { What::StopDaemon });
            }
            // Where joins are all there is, wdmd has nothing to watch until one is confirmed.
            let watches = engine.is_some_and(|it| it.generation() != Generation(0) || it.is_confirming());
            if on.wdmd_stopped {
                push(What::ContinueWdmd);
            } else if watches || self.setting.leases {
                push(What::StopWdmd);
            }
        }
        if plan.daemon_kills {
            push(if engine.is_some() { What::KillDaemon } else { What::StartDaemon });
        }
        if plan.pauses_with_clock {
            push(What::Pause);
        }
        push(What::Crash);
    }

    /// While another host that competes for the slot can still write an old generation, a host joins a few times at the
    /// most: otherwise the distance between the two would grow without any bound.
    fn may_boot(&self, state: &State, index: usize) -> bool {
        let Sector::Delta { lease, .. } = self.lease(state, self.setting.slot_of[index]) else { return true };
        let may = lease.owner_generation.0 < canon::WRITABLE + JOINS_BESIDE_OLD_WRITES;
        if !may && !self.bound_reached.load(Ordering::Relaxed) {
            self.bound_reached.store(true, Ordering::Relaxed);
        }
        may
    }

    /// In a role world the first host asks only while no observer owns the resource.
    fn may_ask(&self, state: &State, index: usize) -> bool {
        if !self.setting.plan.role || index > 0 {
            return true;
        }
        let me = self.setting.layout.slots[self.setting.slot_of[index]];
        self.resource(state).leader().is_none_or(|leader| leader.timestamp.is_free() || leader.owner_id == me)
    }

    /// Whether time passes on a host, or for what it left behind.
    fn ticks(&self, state: &State, index: usize) -> bool {
        let host = self.host(state, index);
        match &host.on {
            Some(on) => !on.paused,
            None => !host.ghosts.is_empty() && !self.setting.plan.late_for_ever,
        }
    }

    fn tick_actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !self.setting.plan.jitter {
            if (0..self.hosts()).any(|index| self.ticks(state, index)) {
                actions.push(Action { host: EVERYBODY, what: What::Tick });
            }
            return;
        }
        for index in (0..self.hosts()).filter(|index| self.ticks(state, *index)) {
            if state.ticked & 1 << index == 0 {
                actions.push(Action { host: index as u8, what: What::Tick });
                let lost = self.host(state, index).on.as_ref().map_or(u8::MAX, |on| on.lost);
                if lost < self.setting.plan.lost_ticks && !self.setting.is_observer(index) {
                    actions.push(Action { host: index as u8, what: What::Miss });
                }
            }
        }
    }

    // What comes of it.

    fn looks(&self, state: &State, index: usize, what: What) -> Looks {
        let host = self.host(state, index);
        let instant = self.setting.is_observer(index) || !self.setting.plan.slow_io;
        let leases = Looks { leases: true, resource: false };
        match what {
            What::Tick | What::ContinueWdmd | What::Boot | What::StartDaemon => {
                let engine = host.on.as_ref().and_then(|on| on.engine.as_ref());
                match (engine.is_some_and(Engine::is_acquiring), instant) {
                    (true, _) => Looks::EVERYWHERE,
                    (false, true) => leases,
                    (false, false) => Looks::NOWHERE,
                }
            }
            What::Complete(slot) | What::Land(slot) => {
                let on = host.on.as_ref().expect("only a host that is on has I/O");
                let reads = |io: &host::Io| io.slot.0 == u16::from(slot) && matches!(io.kind, IoKind::Read { .. });
                if on.ios.iter().any(reads) { leases } else { Looks::NOWHERE }
            }
            What::Ask | What::Release | What::Exit | What::ContinueDaemon => Looks::EVERYWHERE,
            What::Miss
            | What::Vanish(_)
            | What::LandGhost(_)
            | What::Crash
            | What::StopDaemon
            | What::StopWdmd
            | What::KillDaemon
            | What::Pause
            | What::Unpause => Looks::NOWHERE,
        }
    }

    fn effect(&self, state: &State, index: usize, what: What) -> Effect {
        let looks = self.looks(state, index, what);
        let key = Key {
            index: index as u8,
            host: state.hosts[index],
            what,
            leases: if looks.leases { state.leases } else { [0; SLOTS] },
            resource: if looks.resource { state.resource } else { 0 },
        };
        let effect = self.steps.get_or(key, |_| self.work_out(state, index, what, looks));
        if effect.marks & !self.reached.load(Ordering::Relaxed) != 0 {
            self.reached.fetch_or(effect.marks, Ordering::Relaxed);
        }
        effect
    }

    fn work_out(&self, state: &State, index: usize, what: What, looks: Looks) -> Effect {
        let setting = &self.setting;
        let slot = setting.slot_of[index];
        let mut before = self.formatted.clone();
        if looks.leases {
            before.leases = std::array::from_fn(|slot| self.lease(state, slot).clone());
        } else {
            before.leases[slot] = Sector::Zero;
        }
        if looks.resource {
            before.resource = self.resource(state).clone();
        }
        let shown = setting.now(index).after(u64::from(what == What::Tick));
        let host = self.host(state, index).clone();
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let mut machine = Machine::new(setting, index, host, before.clone(), shown, looks);
            machine.run(what);
            canon::local(setting, index, &mut machine.host, shown);
            machine
        }));
        match worked {
            Ok(mut machine) => {
                canon::resource(setting, &mut machine.disk.resource);
                let Machine { host, disk, marks, .. } = machine;
                let lease = (disk.leases[slot] != before.leases[slot])
                    .then(|| self.leases[slot].id(Part::new(disk.leases[slot].clone(), slot, setting)));
                let resource =
                    (disk.resource != before.resource).then(|| self.resources.id(Part::new(disk.resource, 0, setting)));
                let host = self.hosts[index].id(Part::new(host, index, setting));
                Effect { host, lease, resource, marks, panicked: None }
            }
            Err(panic) => {
                let message = self.messages.id(search::panic_message(panic.as_ref()));
                Effect { host: state.hosts[index], lease: None, resource: None, marks: 0, panicked: Some(message) }
            }
        }
    }

    /// One host does something.
    fn step(&self, state: &State, index: usize, what: What) -> State {
        let effect = self.effect(state, index, what);
        let mut next = *state;
        next.hosts[index] = effect.host;
        if let Some(lease) = effect.lease {
            next.leases[self.setting.slot_of[index]] = lease;
        }
        if let Some(resource) = effect.resource {
            next.resource = resource;
        }
        if let Some(message) = effect.panicked {
            next.finding = Wrong::Panicked(message);
        } else if effect.marks & marks::OLD_GENERATION != 0 {
            next.finding = Wrong::Violated(Property::Generations);
        }
        if matches!(what, What::Tick | What::Miss) {
            next.ticked |= 1 << index;
        }
        let mut shown = self.shown();
        // A clock that starts anew shows nothing that it showed before.
        if matches!(what, What::Tick | What::Crash) {
            shown[index] += 1;
        }
        self.canonical(next, &shown)
    }
}

impl Space for Timed {
    type State = State;
    type Action = Action;
    type Room = Vec<Action>;

    fn initial(&self) -> Vec<State> {
        self.start.clone()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.finding != Wrong::Nothing {
            return;
        }
        self.tick_actions(state, actions);
        for index in 0..self.hosts() {
            self.actions_of(state, index, &mut |what| actions.push(Action { host: index as u8, what }));
        }
    }

    fn next(&self, state: &State, action: Action) -> Option<State> {
        if action.host != EVERYBODY {
            return Some(self.step(state, usize::from(action.host), action.what));
        }
        let mut next = *state;
        for index in 0..self.hosts() {
            if self.ticks(state, index) {
                next = self.step(&next, index, What::Tick);
                if next.finding != Wrong::Nothing {
                    break;
                }
            }
        }
        Some(next)
    }

    fn room(&self) -> Vec<Action> {
        Vec::new()
    }

    fn each_next(&self, state: &State, room: &mut Vec<Action>, each: &mut impl FnMut(Action, Option<State>)) {
        one_by_one(self, state, room, each);
    }

    fn fingerprint(&self, state: &State) -> u64 {
        state.print
    }

    fn finding(&self, state: &State) -> Option<Finding> {
        match state.finding {
            Wrong::Nothing => None,
            Wrong::Violated(property) => Some(Finding::Violated(property)),
            Wrong::Panicked(_) => Some(Finding::Panicked),
        }
    }

    fn owners(&self, state: &State) -> u8 {
        state.owners
    }

    fn is_crash(&self, action: Action) -> bool {
        action.what == What::Crash
    }

    fn tell_state(&self, state: &State) -> String {
        self.state_text(state)
    }

    fn tell_action(&self, state: &State, action: Action) -> String {
        self.action_text(state, action)
    }

    fn tell_finding(&self, state: &State) -> String {
        self.finding_text(state)
    }

    fn follow<S: Sink>(&self, start: &State, path: &[Action], world: &mut World, sink: &mut S) -> Result<(), Lost> {
        // What forgets nothing does I/O for I/O what the simulator's world does, and goes wherever this space goes.
        let place = self.start.iter().position(|known| known == start);
        let Some(place) = place else { return Err(Lost { step: 0, why: "it is no initial state".to_owned() }) };
        let whole = self.forgetting_nothing();
        whole.walk(&whole.start[place], path, world, sink)
    }

    fn watched(&self) -> &'static [Property] {
        use Property::{Deadline, Exclusion, Generations, HostId};
        let shared = self.setting.layout.slots.len() < self.hosts();
        match (self.setting.leases, shared, self.setting.generations_may_return) {
            (false, true, _) => &[HostId, Generations],
            (false, false, true) => &[Generations],
            // Nobody can come between a host and its id.
            (false, false, false) => &[],
            (true, true, _) => &[Exclusion, HostId, Deadline, Generations],
            (true, false, true) => &[Exclusion, Deadline, Generations],
            (true, false, false) => &[Exclusion, Deadline],
        }
    }

    fn bytes(&self) -> u64 {
        // What an engine and the numbers of a part have on the heap.
        const HEAP: usize = 1_000;
        let host = size_of::<Part<HostState>>() + size_of::<On>() + HEAP;
        let lease = size_of::<Part<Sector>>() + HEAP / 4;
        let resource = size_of::<Part<Resource>>() + HEAP / 4;
        let values = [
            (self.hosts.iter().map(Interner::len).sum::<usize>(), host),
            (self.leases.iter().map(Interner::len).sum(), lease),
            (self.resources.len(), resource),
        ];
        let values = values.iter().map(|(len, size)| (len * size) as u64).sum::<u64>();
        values + self.steps.bytes() + self.renamed.bytes() + self.faded.bytes()
    }

    fn bounds(&self) -> Vec<Bound> {
        let reached = self.bound_reached.load(Ordering::Relaxed);
        let may_bind = self.setting.generations_may_return || self.setting.plan.late_for_ever;
        let what = format!("at most {JOINS_BESIDE_OLD_WRITES} joins of a host id beside an outstanding older write");
        (may_bind || reached).then_some(Bound { what, reached }).into_iter().collect()
    }

    fn reached(&self) -> Vec<(&'static str, bool)> {
        let reached = self.reached.load(Ordering::Relaxed);
        marks::NAMES.iter().enumerate().map(|(bit, name)| (*name, reached & 1 << bit != 0)).collect()
    }
}
