//! What one host does, on concrete values: the only place where engine and wdmd are called. Everything here is a function
//! of the host, the sectors and what happens to it, so it is worked out once for each.

use super::canon;
use super::disk::{Disk, Layout, Place};
use super::host::{Client, Ghost, HostState, Io, IoKind, On};
use super::setting::Setting;
use super::{Looks, What};
use crate::setup::{Device, HostSetup};
use crate::world::wdmd::{Letter, Wdmd};
use lease_core::Engine;
use lease_core::format::Sector;
use lease_core::numbers::{Generation, Second, Time};
use lease_core::seam::{
    Answer, ClientId, Event, Input, IoResult, LastLife, LsId, Output, ReadData, RequestId, Slot, Takeable, Task,
    WatchdogAnswer, WatchdogMessage,
};

/// What happened, one bit each: for `sometimes`, and for what a state cannot show.
pub(super) mod marks {
    pub(crate) const JOINED: u32 = 1 << 0;
    pub(crate) const REJOINED: u32 = 1 << 1;
    pub(crate) const RESET: u32 = 1 << 2;
    pub(crate) const GRANTED: u32 = 1 << 3;
    pub(crate) const OWNER_DEAD: u32 = 1 << 4;
    pub(crate) const OWNER_LEFT: u32 = 1 << 5;
    pub(crate) const OWNER_WAIT: u32 = 1 << 6;
    pub(crate) const KILLING: u32 = 1 << 7;
    pub(crate) const LATE_LANDING: u32 = 1 << 8;
    pub(crate) const RENEWAL_FAILED: u32 = 1 << 9;
    pub(crate) const JOIN_REFUSED: u32 = 1 << 10;
    pub(crate) const CLEARED: u32 = 1 << 11;
    /// A join whose generation is not larger than every one before.
    pub(crate) const OLD_GENERATION: u32 = 1 << 31;

    pub(crate) const NAMES: [&str; 12] = [
        "a host joins",
        "a host id is acquired again",
        "a watchdog resets its host",
        "a resource is granted",
        "a resource is taken from a dead owner",
        "an owner leaves or joins anew, and its resource is free to take",
        "an acquire waits for its owner",
        "the users of a failed lockspace are killed",
        "a renewal write lands late",
        "a renewal fails",
        "a join is refused",
        "a failed lockspace is cleared without a reset",
    ];
}

const JOIN: RequestId = RequestId(0);
const ASKED: RequestId = RequestId(1);
const CLIENT: ClientId = ClientId(0);
/// How I/O ends that is given up where late landings are not looked at.
const VANISHED: IoResult = IoResult::Failed(5);

/// One host at work.
pub(super) struct Machine<'a> {
    world: &'a Setting,
    index: usize,
    pub(super) host: HostState,
    pub(super) disk: Disk,
    now: Second,
    /// What of the disk may be looked at: the rest is not what really stands there.
    looks: Looks,
    pub(super) marks: u32,
    /// What was done, in order: whoever walks the same way elsewhere does the same.
    pub(super) turns: Vec<Turn>,
    /// Which writes of the life that ended may still land.
    pub(super) kept: Vec<Slot>,
    /// What ended without effect because it was given up, in order.
    pub(super) vanished: Vec<Slot>,
    claims: bool,
}

/// A part of what happens to a host: what was chosen, or a task that ran within a tick.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Turn {
    pub(super) task: Option<Task>,
    pub(super) touched: Touched,
}

/// What others notice of a turn, or could have changed by one of theirs.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Touched {
    /// Slots whose delta leases were read and written, one bit each.
    pub(super) reads: u8,
    pub(super) writes: u8,
    pub(super) reads_resource: bool,
    pub(super) writes_resource: bool,
    /// The host began or ceased to own something.
    pub(super) claims: bool,
}

impl<'a> Machine<'a> {
    /// `now`: the second of the host's clock; that of a tick is the new one.
    pub(super) fn new(
        world: &'a Setting,
        index: usize,
        host: HostState,
        disk: Disk,
        now: Second,
        looks: Looks,
    ) -> Machine<'a> {
        let turns = vec![Turn::default()];
        let (kept, vanished) = (Vec::new(), Vec::new());
        let mut machine =
            Machine { world, index, host, disk, now, looks, marks: 0, turns, kept, vanished, claims: false };
        machine.claims = machine.owns();
        machine
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    fn owns(&self) -> bool {
        if self.world.leases { self.host.uses() } else { self.host.believes() }
    }

    fn touched(&mut self) -> &mut Touched {
        &mut self.turns.last_mut().expect("there is a first turn").touched
    }

    /// What was done so far is over.
    fn end_turn(&mut self) {
        let owns = self.owns();
        if std::mem::replace(&mut self.claims, owns) != owns {
            self.touched().claims = true;
        }
    }

    fn setup(&self) -> &'a HostSetup {
        &self.world.setup.hosts[self.index]
    }

    fn layout(&self) -> &'a Layout {
        &self.world.layout
    }

    fn on(&mut self) -> &mut On {
        self.host.on.as_mut().expect("the host is on")
    }

    fn time(&self) -> Time {
        self.now.start()
    }

    /// Carries out what happens.
    pub(super) fn run(&mut self, what: What) {
        match what {
            What::Tick => self.tick(),
            What::Miss => self.on().lost += 1,
            What::Complete(slot) => self.complete(Slot(slot.into())),
            What::Land(slot) => self.land(Slot(slot.into())),
            What::Vanish(slot) => self.finish(Slot(slot.into()), VANISHED),
            What::LandGhost(index) => {
                let ghost = self.host.ghosts.remove(index.into());
                self.marks |= marks::LATE_LANDING;
                self.put(ghost.sector);
            }
            What::Crash => self.go_down(),
            What::Boot => self.boot(),
            What::Ask => {
                self.on().client.asks = true;
                let request = self.world.acquire.clone();
                self.feed(Input::Request { id: ASKED, client: CLIENT, request });
            }
            What::Release => {
                self.on().client = Client::default();
                let request = self.world.release.clone();
                self.feed(Input::Request { id: ASKED, client: CLIENT, request });
            }
            What::Exit => {
                self.on().client = Client::default();
                if self.on().engine.is_some() {
                    self.feed(Input::Exited { client: CLIENT });
                }
            }
            What::StopDaemon => self.on().daemon_stopped = true,
            What::ContinueDaemon => self.continue_daemon(),
            What::StopWdmd => self.on().wdmd_stopped = true,
            What::ContinueWdmd => self.continue_wdmd(),
            What::KillDaemon => self.kill_daemon(),
            What::StartDaemon => {
                // The I/O of the killed one is over: a process is not gone while the kernel works for it.
                self.host.ghosts.clear();
                self.start_daemon(LastLife::Unknown);
            }
            What::Pause => self.on().paused = true,
            What::Unpause => self.on().paused = false,
        }
        self.come_to_rest();
        self.end_turn();
    }

    // Time.

    fn tick(&mut self) {
        for ghost in &mut self.host.ghosts {
            ghost.left = ghost.left.saturating_sub(1);
        }
        if !self.world.plan.late_for_ever {
            self.host.ghosts.retain(|ghost| ghost.left > 0);
        }
        let (now, io_timeout) = (self.now, u64::from(self.setup().memberships[0].io_timeout));
        let failure_age = self.setup().config.parameters.failure_age(io_timeout);
        let Some(on) = &mut self.host.on else { return };
        if on.paused {
            return;
        }
        on.lost = 0;
        // Renewal writes of a host that reaches its failure age are late from there on.
        let failed = on.engine.as_ref().is_some_and(|engine| now.since(engine.last_success()) >= failure_age);
        let late = self.world.plan.late_renewals;
        // Writes of joins and leaves land within their time-out or never: whoever waits for others to be done with theirs
        // relies on that. Whether the daemon that is to give them up runs makes no difference to the disk.
        let joined = on.engine.as_ref().is_some_and(|engine| engine.generation() != Generation(0));
        for io in &mut on.ios {
            let renews =
                |sector: &Sector| joined && matches!(sector, Sector::Delta { lease, .. } if !lease.timestamp.is_free());
            let IoKind::Write(sector) = &io.kind else { continue };
            let over = if renews(sector) { failed && !late } else { now.since(io.issued) >= io_timeout };
            if over {
                io.kind = IoKind::Lost;
            }
        }
        if on.fires != Second::NEVER && on.fires <= now {
            self.marks |= marks::RESET;
            return self.go_down();
        }
        // Of a stall before there is anything to watch only the end matters, and whether the host is reset for it: that is
        // a crash like any other. So such a stall begins anew each second.
        let tests = !on.wdmd_stopped || (on.wdmd.is_idle() && !self.world.leases);
        if tests && on.wdmd.due().1 <= now.start() && !self.is_observer() {
            self.test();
        }
        for index in 0.. {
            let due = |on: &On| {
                let tasks = [Task::Main, Task::Lockspace(LsId(0)), Task::Lockspace(LsId(1)), Task::Worker(0)];
                let tasks = tasks.into_iter().chain([Task::Worker(1), Task::Resource]);
                tasks
                    .skip(index)
                    .map(|task| on.wake_of(task).is_some_and(|at| at.second() <= now).then_some(task))
                    .next()
            };
            let Some(on) = &mut self.host.on else { return };
            if on.daemon_stopped || on.engine.is_none() {
                return;
            }
            match due(on) {
                None => return,
                Some(None) => {}
                Some(Some(task)) => {
                    on.set_wake(task, None);
                    self.end_turn();
                    self.turns.push(Turn { task: Some(task), ..Turn::default() });
                    self.feed(Input::Wake { task });
                }
            }
        }
    }

    fn test(&mut self) {
        let (now, setup) = (self.time(), self.setup());
        let tested = self.on().wdmd.test(now, setup.test_interval, setup.wdmd);
        if tested.ping.is_some() {
            self.ping();
        }
    }

    fn ping(&mut self) {
        let timeout = self.setup().config.parameters.watchdog_fire_timeout;
        let now = self.now;
        self.on().fires = match self.setup().device {
            Device::Exact | Device::FrozenWithHost => now.after(timeout),
            Device::Late { percent } => now.after(timeout * u64::from(percent) / 100),
            Device::Broken => Second::NEVER,
        };
    }

    // Power.

    fn boot(&mut self) {
        if !self.world.plan.late_for_ever {
            self.host.ghosts.clear();
        }
        let wdmd = Wdmd::start(self.time(), self.setup().test_interval);
        self.host.on = Some(Box::new(On {
            engine: None,
            wakes: Vec::new(),
            wdmd,
            fires: Second::NEVER,
            ios: Vec::new(),
            inbox: Vec::new(),
            daemon_stopped: false,
            wdmd_stopped: false,
            paused: false,
            lost: 0,
            client: Client::default(),
            landed: Second::NEVER,
        }));
        if !self.is_observer() {
            self.ping();
        }
        self.start_daemon(LastLife::Gone);
    }

    fn start_daemon(&mut self, last_life: LastLife) {
        let config = self.setup().config.clone();
        let engine = Engine::boot(config, last_life, self.time(), &mut Vec::new());
        self.on().engine = Some(engine);
        self.join();
    }

    fn join(&mut self) {
        let request = self.world.joins[self.index].clone();
        self.feed(Input::Request { id: JOIN, client: ClientId::ADMIN, request });
    }

    fn go_down(&mut self) {
        self.leave_ghosts();
        self.host.on = None;
    }

    fn kill_daemon(&mut self) {
        self.leave_ghosts();
        let profile = self.setup().wdmd;
        let on = self.on();
        on.engine = None;
        on.wakes.clear();
        on.inbox.clear();
        on.daemon_stopped = false;
        on.client.asks = false;
        on.client.orphan = on.client.uses;
        match on.wdmd_stopped {
            true => on.wdmd.queue(Letter::DaemonGone),
            false => on.wdmd.daemon_gone(profile),
        }
    }

    /// Renewal writes under way may outlive whoever issued them.
    fn leave_ghosts(&mut self) {
        let ios = std::mem::take(&mut self.on().ios);
        let joined = self.on().engine.as_ref().is_some_and(|engine| engine.generation() != Generation(0));
        if !self.world.plan.late_renewals || !joined {
            return;
        }
        let tolerance = self.world.late_within[self.index];
        for io in ios {
            if let IoKind::Write(sector) = io.kind {
                let left = tolerance.saturating_sub(self.now.since(io.issued));
                if left > 0 {
                    self.kept.push(io.slot);
                    self.host.ghosts.push(Ghost { sector, left });
                }
            }
        }
    }

    // Stops.

    fn continue_daemon(&mut self) {
        self.on().daemon_stopped = false;
        for input in std::mem::take(&mut self.on().inbox) {
            self.feed(input);
        }
    }

    fn continue_wdmd(&mut self) {
        self.on().wdmd_stopped = false;
        for letter in self.on().wdmd.take_queue() {
            match letter {
                Letter::Message { lockspace, message, answered } => self.tell_wdmd(lockspace, message, answered),
                Letter::DaemonGone => {
                    let profile = self.setup().wdmd;
                    self.on().wdmd.daemon_gone(profile);
                }
            }
        }
        if self.on().wdmd.due().1 <= self.time() {
            self.test();
        }
    }

    // I/O.

    /// An I/O takes effect and the daemon hears of it.
    fn complete(&mut self, slot: Slot) {
        self.land(slot);
        let Io { kind, issued, .. } = self.io(slot).clone();
        let result = match kind {
            IoKind::Sampled(data) => IoResult::Read(data),
            IoKind::Landed => {
                // It may have landed before the client was told that it holds anything.
                self.landed(issued);
                IoResult::Written
            }
            IoKind::Lost => VANISHED,
            IoKind::Read { .. } | IoKind::Write(_) => unreachable!("it has taken effect"),
        };
        let area = matches!(result, IoResult::Read(_));
        self.finish(slot, result);
        if area && self.host.believes() {
            // The main loop may run at any time, and looks at a new image of the area: so it does at once, and counts
            // from as early as it may.
            self.on().set_wake(Task::Main, None);
            self.feed(Input::Wake { task: Task::Main });
        }
    }

    /// An I/O takes effect.
    fn land(&mut self, slot: Slot) {
        let late = self.on().engine.as_ref().is_some_and(|engine| engine.gave_up(slot));
        let kind = self.io(slot).kind.clone();
        let kind = match kind {
            IoKind::Read { offset, length } => IoKind::Sampled(self.read(offset, length)),
            IoKind::Write(sector) => {
                if late {
                    self.marks |= marks::LATE_LANDING;
                }
                let issued = self.io(slot).issued;
                if matches!(&sector, Sector::Delta { lease, .. } if !lease.timestamp.is_free()) {
                    self.landed(issued);
                }
                self.put(sector);
                IoKind::Landed
            }
            done => done,
        };
        self.io(slot).kind = kind;
    }

    /// A stamp of this second reached the disk.
    fn landed(&mut self, second: Second) {
        let on = self.on();
        if on.client.uses && !on.client.orphan {
            on.landed = on.landed.max(second);
        }
    }

    fn put(&mut self, sector: Sector) {
        let Sector::Delta { lease, .. } = &sector else { unreachable!("only delta leases are written late") };
        let slot = self.layout().slot(lease.owner_id).expect("a host writes its own delta lease");
        // The generation that stood there is the smallest that can be written, or larger.
        if lease.owner_generation.0 > canon::WRITABLE {
            self.marks |= marks::REJOINED;
        }
        self.touched().writes |= 1 << slot;
        self.disk.write(Place::Lease(slot), sector);
    }

    fn read(&mut self, offset: u64, length: u64) -> ReadData {
        let may_look = if self.layout().is_resource(offset) { self.looks.resource } else { self.looks.leases };
        assert!(may_look, "a step looks only where it is known to look");
        match self.layout().is_resource(offset) {
            true => self.touched().reads_resource = true,
            false => {
                let constant = |slot: &usize| self.sees_constants() && self.world.constant[*slot].is_some();
                let slots = self.layout().slots_in(offset, length).filter(|slot| !constant(slot));
                let slots = slots.fold(0, |bits, slot| bits | 1 << slot);
                self.touched().reads |= slots;
            }
        }
        self.layout().read(&self.seen(), offset, length)
    }

    fn sees_constants(&self) -> bool {
        self.world.plan.role && self.index == 0
    }

    /// What this host sees of the disk. To one whose observers are ideal they never change.
    fn seen(&self) -> Disk {
        let mut disk = self.disk.clone();
        if self.sees_constants() {
            for (slot, constant) in self.world.constant.iter().enumerate() {
                if let Some(lease) = constant {
                    disk.leases[slot] = lease.clone();
                }
            }
        }
        disk
    }

    fn io(&mut self, slot: Slot) -> &mut Io {
        self.on().ios.iter_mut().find(|io| io.slot == slot).expect("the I/O is under way")
    }

    fn finish(&mut self, slot: Slot, result: IoResult) {
        self.on().ios.retain(|io| io.slot != slot);
        self.feed(Input::IoDone { slot, result });
    }

    fn is_observer(&self) -> bool {
        self.world.plan.role && self.index > 0
    }

    // The engine.

    /// Gives an input to the engine and carries out all that comes of it.
    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            let input = inputs.remove(0);
            if self.on().daemon_stopped {
                self.on().inbox.push(input);
                continue;
            }
            let now = self.time();
            let mut outputs = Vec::new();
            let Some(engine) = &mut self.on().engine else { return };
            engine.handle(now, input, &mut outputs);
            for output in outputs {
                if let Some(answer) = self.obey(output) {
                    inputs.push(answer);
                }
            }
            // The main loop looks at news at once: so observers count from as early as they may.
            if inputs.is_empty() && self.on().wake_of(Task::Main) == Some(now) {
                self.on().set_wake(Task::Main, None);
                inputs.push(Input::Wake { task: Task::Main });
            }
        }
    }

    fn obey(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Read { task, slot, offset, length, .. } => {
                let instant = !matches!(task, Task::Lockspace(_)) || self.is_observer() || !self.world.plan.slow_io;
                if instant {
                    let data = self.read(offset, length);
                    return Some(Input::IoDone { slot, result: IoResult::Read(data) });
                }
                self.issue(Io { slot, kind: IoKind::Read { offset, length }, issued: Second::NEVER });
                None
            }
            Output::Write { slot, offset, bytes, .. } => {
                let (place, sector) = self.layout().written(offset, &bytes);
                let delta = matches!(place, Place::Lease(_));
                if !delta || self.is_observer() || !self.world.plan.slow_io {
                    if delta {
                        self.landed(self.now);
                    }
                    match place {
                        Place::Lease(slot) => self.touched().writes |= 1 << slot,
                        Place::Leader | Place::Block(_) => self.touched().writes_resource = true,
                    }
                    self.disk.write(place, sector);
                    return Some(Input::IoDone { slot, result: IoResult::Written });
                }
                let issued = self.now;
                self.issue(Io { slot, kind: IoKind::Write(sector), issued });
                None
            }
            Output::WakeWithin { task, earliest, .. } => {
                // Whole seconds: what is asked for later in this second comes with the next tick.
                let now = self.now;
                let second =
                    if earliest.second() == now && earliest > now.start() { now.after(1) } else { earliest.second() };
                self.on().set_wake(task, Some(second.start()));
                None
            }
            Output::NoWake { task } => {
                self.on().set_wake(task, None);
                None
            }
            Output::Watchdog { lockspace, message } => {
                if self.on().wdmd_stopped {
                    self.on().wdmd.queue(Letter::Message { lockspace, message, answered: true });
                    return None;
                }
                self.on().wdmd.receive(lockspace, message);
                self.answer(lockspace, message)
            }
            Output::Signal { .. } => {
                self.on().client.signalled = true;
                None
            }
            // Nobody calls anybody.
            Output::SignalSelf { .. } | Output::Notify { .. } => None,
            Output::RunKillpath { .. } | Output::Exit => {
                unreachable!("no client of these worlds names a program, and nobody ends a daemon")
            }
            Output::Reply { id, result } => {
                if id == ASKED && self.on().client.asks {
                    self.on().client.asks = false;
                    if let Ok(Answer::Acquired { .. }) = result {
                        self.on().client.uses = true;
                        self.on().landed = self.on().engine.as_ref().expect("it answered").last_success();
                        self.marks |= marks::GRANTED;
                    }
                }
                None
            }
            Output::Event(event) => {
                self.event(event);
                None
            }
        }
    }

    fn issue(&mut self, io: Io) {
        let ios = &mut self.on().ios;
        let place = ios.partition_point(|known| known.slot < io.slot);
        ios.insert(place, io);
    }

    fn tell_wdmd(&mut self, lockspace: LsId, message: WatchdogMessage, answered: bool) {
        self.on().wdmd.receive(lockspace, message);
        if answered && let Some(answer) = self.answer(lockspace, message) {
            self.feed(answer);
        }
    }

    fn answer(&self, lockspace: LsId, message: WatchdogMessage) -> Option<Input> {
        let fire_timeout = self.setup().config.parameters.watchdog_fire_timeout as u32;
        let answered = matches!(message, WatchdogMessage::Connect | WatchdogMessage::Arm { .. });
        answered.then_some(Input::Watchdog { lockspace, answer: WatchdogAnswer::Ready { fire_timeout } })
    }

    fn event(&mut self, event: Event) {
        self.marks |= match event {
            Event::Joined { generation, .. } => {
                let before = std::mem::replace(&mut self.host.joined, generation);
                let old = if generation <= before { marks::OLD_GENERATION } else { 0 };
                marks::JOINED | old
            }
            Event::JoinFailed { .. } => marks::JOIN_REFUSED,
            Event::RenewalFailed { .. } => marks::RENEWAL_FAILED,
            Event::Killing { .. } => marks::KILLING,
            Event::Cleared { .. } => marks::CLEARED,
            Event::OwnerWait { .. } => marks::OWNER_WAIT,
            Event::Run { because: Takeable::OwnerDead, .. } => marks::OWNER_DEAD,
            Event::Run { because: Takeable::OwnerLeft | Takeable::OwnerRejoined, .. } => marks::OWNER_LEFT,
            _ => 0,
        };
    }

    // Afterwards.

    /// What cannot matter any more comes to its end within the same step.
    fn come_to_rest(&mut self) {
        while let Some(slot) = self.vanishing() {
            self.vanished.push(slot);
            self.finish(slot, VANISHED);
        }
        let Some(on) = &mut self.host.on else { return };
        // A host whose join failed tries again only after a reboot: one attempt a life.
        let idle = on.engine.as_ref().is_some_and(|engine| !engine.has_lockspaces());
        if idle && on.ios.is_empty() && !on.client.uses && !on.daemon_stopped && !on.wdmd_stopped {
            self.host.on = None;
            return;
        }
        let observer = self.is_observer();
        let (time, interval) = (self.time(), self.setup().test_interval);
        let on = self.on();
        if observer {
            // Nothing ever happens to it, so nothing of this is ever looked at.
            on.wdmd = Wdmd::start(time, interval);
            on.landed = Second::NEVER;
            on.client.signalled = false;
        }
    }

    /// An I/O that was given up and that is not to land late.
    fn vanishing(&mut self) -> Option<Slot> {
        let late = self.world.plan.late_renewals;
        let on = self.host.on.as_ref()?;
        let engine = on.engine.as_ref().filter(|_| !on.daemon_stopped)?;
        let gone = |io: &&Io| engine.gave_up(io.slot) && !(late && matches!(io.kind, IoKind::Write(_)));
        on.ios.iter().find(gone).map(|io| io.slot)
    }
}
