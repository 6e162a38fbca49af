//! One host of a world without time: its engine, its client, and what it has in flight.
//!
//! The host's clock stands at [`NOON`]. What waits for time (the second try of a release, the look at an
//! owner a second later, the end of an I/O's patience) is woken at its moment, and then the clock is put back: so
//! nothing ever fails for being late, and everything may be as late as it likes.

use crate::setup::{ResourceIx, Setup};
use lease_core::Engine;
use lease_core::format::{DeltaLease, Geometry, HostBlock, Leader, Name, Sector, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Numbers, Second, Span, Stamp, Time, Visit};
use lease_core::seam::{
    Answer, ClientId, Event, Input, IoResult, LastLife, Output, Outputs, Place, ReadData, Request, RequestId, Slot,
    Task, Terms, WatchdogAnswer, WatchdogMessage,
};
use std::sync::Arc;

/// What every clock shows, for ever: long after everything that a host may have seen before.
pub(super) const NOON: Time = Time::from_secs(100_000);
/// Everything that is still to come comes then.
const LATER: Time = Time::from_secs(101_000);
/// The connection of the one client of each host.
const CLIENT: ClientId = ClientId(0);
/// Its one request.
const REQUEST: RequestId = RequestId(0);

/// A host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct BallotHost {
    /// Its life: the generation of its host id, of this life or of the last.
    pub(super) generation: Generation,
    /// Nothing: it is down.
    pub(super) engine: Option<Engine>,
    pub(super) client: Client,
    /// How often the client may still ask for the resource; `None`: for ever.
    pub(super) acquires: Option<u8>,
    /// The tasks that wait for a moment, in the order of [`Task`].
    pub(super) wakes: Vec<(Task, Time)>,
    /// By slot.
    pub(super) flights: Vec<Flight>,
}

/// What the client of a host is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Client {
    Idle,
    Acquiring,
    /// It was told that it holds the resource, in this version.
    Holding(Lver),
    Releasing,
}

/// An I/O in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Flight {
    pub(super) slot: Slot,
    pub(super) task: Task,
    pub(super) op: FlightOp,
    /// Nobody waits for it any more: its task gave it up, or its host is down.
    pub(super) late: bool,
}

/// What is in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum FlightOp {
    /// A read, and the sectors that were sampled so far.
    Read(Target, Vec<Sector>),
    /// A write of one sector, and whether it stands on the disk already.
    Write(Position, Box<Sector>, bool),
}

/// What a read is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Target {
    /// The whole area of the resource: first the leader, then the blocks.
    Area,
    /// The blocks of all hosts, for a ballot, which does not look at the leader that comes with them.
    Blocks,
    /// One sector of the resource.
    Sector(Position),
    /// The delta lease of this host.
    Delta(u8),
}

/// A sector of the resource that is ever written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Position {
    Leader,
    /// The block of this host.
    Block(u8),
}

/// What an engine did that others can see, or that is to be judged.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub(super) struct Effects {
    /// Values that were chosen: version, owner, its generation.
    pub(super) chosen: Vec<(Lver, HostId, Generation)>,
    /// The version that the client was told.
    pub(super) granted: Option<Lver>,
    /// What else the engine reported.
    pub(super) events: Vec<Event>,
}

/// The one resource, as all hosts see it.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub(super) setup: Arc<Setup>,
    pub(super) resource: ResourceIx,
    /// By host: its host id in the lockspace.
    pub(super) ids: Vec<HostId>,
    /// Whether requests of idle clients and back-offs come at once.
    pub(super) eager: bool,
    /// What a ballot number is made of: whole strides, and the host id.
    pub(super) stride: u64,
    /// A block may be set back to zeros.
    pub(super) may_zero: bool,
    /// Versions are what they are: one may begin anew at the lowest of all.
    pub(super) absolute: bool,
    /// A write may fail, or come too late.
    pub(super) writes_fail: bool,
    /// A block may come to be damaged.
    pub(super) damage: bool,
    /// No block on disk ever gives way to one of a lower version, and whoever samples blocks judges them at once.
    pub(super) blocks_grow: bool,
    /// RELEASED is looked at even in blocks of versions that are over.
    pub(super) flags_outlive: bool,
}

impl Ground {
    fn space(&self) -> (Name, Place, Geometry) {
        let resource = &self.setup.resources[usize::from(self.resource.0)];
        let space = &self.setup.lockspaces[usize::from(resource.lockspace.0)];
        (space.name, space.place, space.geometry)
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.setup.resources[usize::from(self.resource.0)].geometry
    }

    /// The leader of a resource that nobody ever acquired.
    pub(super) fn fresh_leader(&self) -> Leader {
        let resource = &self.setup.resources[usize::from(self.resource.0)];
        Leader::fresh(resource.geometry, self.space().0, resource.name, resource.num_hosts)
    }

    pub(super) fn place(&self) -> Place {
        self.setup.resources[usize::from(self.resource.0)].place
    }

    fn io_timeout(&self, host: u8) -> u32 {
        let space = self.setup.resources[usize::from(self.resource.0)].lockspace;
        let memberships = &self.setup.hosts[usize::from(host)].memberships;
        memberships.iter().find(|it| it.lockspace == space).expect("every host takes part").io_timeout
    }

    pub(super) fn delta_offset(&self, host: u8) -> u64 {
        let (_, place, geometry) = self.space();
        place.offset + geometry.delta_offset(self.ids[usize::from(host)])
    }

    /// Bytes that a ballot reads.
    pub(super) fn ballot_length(&self) -> u64 {
        let (geometry, num_hosts) = (self.geometry(), self.setup.resources[usize::from(self.resource.0)].num_hosts);
        geometry.ballot_length(if num_hosts == 0 { geometry.max_hosts() } else { num_hosts })
    }

    pub(super) fn kind(&self, position: Position) -> SectorKind {
        match position {
            Position::Leader => SectorKind::Leader,
            Position::Block(host) => SectorKind::HostBlock(self.ids[usize::from(host)]),
        }
    }

    /// The delta lease of a host that is in the lockspace, or was when it went down.
    pub(super) fn record(&self, host: u8, generation: Generation) -> DeltaLease {
        let (space, _, geometry) = self.space();
        let fresh = DeltaLease::fresh(geometry, space, 0);
        let setup = &self.setup.hosts[usize::from(host)];
        DeltaLease {
            timestamp: if generation == Generation(0) { Stamp::FREE } else { NOON.second().stamp() },
            io_timeout: (self.io_timeout(host) & 0xff) as u16,
            owner_id: self.ids[usize::from(host)],
            owner_generation: generation,
            owner_name: fresh.owner_name.overwritten_by(&setup.config.host_name),
            ..fresh
        }
    }

    /// The sector that the engine means by a byte offset.
    fn position(&self, offset: u64) -> Position {
        let (place, geometry) = (self.place(), self.geometry());
        if offset == place.offset {
            return Position::Leader;
        }
        let host = self.ids.iter().position(|id| place.offset + geometry.block_offset(*id) == offset);
        Position::Block(host.expect("an engine writes its own block and the leader") as u8)
    }

    fn target(&self, offset: u64, length: u64) -> Target {
        let (place, geometry) = (self.place(), self.geometry());
        let (_, space, of_space) = self.space();
        let delta = self.ids.iter().position(|id| space.offset + of_space.delta_offset(*id) == offset);
        if let Some(host) = delta {
            return Target::Delta(host as u8);
        }
        if offset != place.offset || length == u64::from(geometry.sector()) {
            return Target::Sector(self.position(offset));
        }
        if length == geometry.align() { Target::Area } else { Target::Blocks }
    }

    /// An engine that has just joined, as it is at noon. It really joins: only the disk and the watchdog are made up.
    pub(super) fn joined(&self, host: u8, generation: Generation) -> Engine {
        let mut config = self.setup.hosts[usize::from(host)].config.clone();
        // One client asks for one thing at a time.
        config.parameters.workers = 1;
        let (space, place, geometry) = self.space();
        let size = geometry.sector();
        let before = Generation(generation.0 - 1);
        let record = DeltaLease { timestamp: Stamp::FREE, ..self.record(host, before) };
        let mut own = record.sector(&lease_core::format::Bitmap::EMPTY);
        let mut out = Outputs::new();
        let mut now = NOON;
        let mut engine = Engine::boot(config, LastLife::Gone, now, &mut out);
        let request = Request::AddLockspace {
            name: space,
            host_id: self.ids[usize::from(host)],
            place,
            io_timeout: self.io_timeout(host),
        };
        engine.handle(now, Input::Request { id: REQUEST, client: ClientId::ADMIN, request }, &mut out);
        let mut ready = WatchdogAnswer::Refused;
        loop {
            let wanted: Vec<Output> = std::mem::take(&mut out);
            let mut wake = None;
            let mut done = Vec::new();
            for output in wanted {
                match output {
                    Output::Read { slot, length, .. } => {
                        let runs = vec![(1, own.clone()), ((length / u64::from(size) - 1) as u32, Arc::default())];
                        let runs = runs.into_iter().filter(|(count, _)| *count > 0).collect();
                        done.push(Input::IoDone { slot, result: IoResult::Read(ReadData { unit: size, runs }) });
                    }
                    Output::Write { slot, bytes, .. } => {
                        own = bytes;
                        done.push(Input::IoDone { slot, result: IoResult::Written });
                    }
                    Output::Watchdog { lockspace, message: WatchdogMessage::Connect | WatchdogMessage::Arm { .. } } => {
                        let timeout = self.setup.hosts[usize::from(host)].config.parameters.watchdog_fire_timeout;
                        ready = WatchdogAnswer::Ready { fire_timeout: timeout as u32 };
                        done.push(Input::Watchdog { lockspace, answer: ready });
                    }
                    Output::WakeWithin { task, earliest, .. } if task != Task::Main => wake = Some((task, earliest)),
                    Output::Reply { result, .. } => {
                        assert!(matches!(result, Ok(Answer::Joined { .. })), "nothing is in the way of this join");
                        self.set_to_noon(&mut engine);
                        return engine;
                    }
                    _ => {}
                }
            }
            assert!(ready != WatchdogAnswer::Refused || !done.is_empty(), "a join goes on");
            match (done.is_empty(), wake) {
                (true, Some((task, earliest))) => {
                    now = now.max(earliest);
                    engine.handle(now, Input::Wake { task }, &mut out);
                }
                (true, None) => unreachable!("a join waits for something"),
                (false, _) => done.into_iter().for_each(|input| engine.handle(now, input, &mut out)),
            }
        }
    }

    fn set_to_noon<V: Visit + ?Sized>(&self, value: &mut V) {
        value.visit(&mut Noon);
    }

    /// A host that is up, and its client idle.
    pub(super) fn host(&self, host: u8, generation: Generation, acquires: Option<u8>) -> BallotHost {
        BallotHost {
            generation,
            engine: Some(self.joined(host, generation)),
            client: Client::Idle,
            acquires,
            wakes: Vec::new(),
            flights: Vec::new(),
        }
    }

    /// Gives an input to the engine of a host and takes in what comes of it.
    pub(super) fn feed(&self, host: &mut BallotHost, now: Time, input: Input, effects: &mut Effects) {
        let mut out = Outputs::new();
        host.engine.as_mut().expect("only a host that is up is fed").handle(now, input, &mut out);
        for output in out {
            match output {
                Output::Read { task, slot, offset, length, .. } => {
                    let op = FlightOp::Read(self.target(offset, length), Vec::new());
                    host.flights.push(Flight { slot, task, op, late: false });
                }
                Output::Write { task, slot, offset, length, bytes, .. } => {
                    let position = self.position(offset);
                    let sector = Sector::decode(self.kind(position), &bytes, length as u32);
                    let op = FlightOp::Write(position, Box::new(sector), false);
                    host.flights.push(Flight { slot, task, op, late: false });
                }
                Output::WakeWithin { task: task @ (Task::Worker(_) | Task::Resource), earliest, .. } => {
                    host.wakes.retain(|(waiting, _)| *waiting != task);
                    host.wakes.push((task, earliest));
                }
                Output::NoWake { task } => host.wakes.retain(|(waiting, _)| *waiting != task),
                Output::Reply { result, .. } => {
                    host.client = match (host.client, result) {
                        (Client::Acquiring, Ok(Answer::Acquired { lver })) => {
                            effects.granted = Some(lver);
                            Client::Holding(lver)
                        }
                        _ => Client::Idle,
                    };
                }
                Output::Event(event) => {
                    if let Event::Chosen { lver, owner, generation, .. } = event {
                        effects.chosen.push((lver, owner, generation));
                    }
                    effects.events.push(event);
                }
                // Nothing renews here, no lockspace fails, nobody is killed.
                Output::WakeWithin { .. } | Output::Watchdog { .. } | Output::Signal { .. } => {}
                // Nobody calls anybody, names a program or ends a daemon.
                Output::SignalSelf { .. } | Output::Notify { .. } | Output::RunKillpath { .. } | Output::Exit => {}
            }
        }
    }

    /// The client asks for the resource.
    pub(super) fn ask(&self, host: &mut BallotHost, effects: &mut Effects) {
        host.client = Client::Acquiring;
        let resource = &self.setup.resources[usize::from(self.resource.0)];
        let request = Request::Acquire {
            lockspace: self.space().0,
            resource: resource.name,
            place: resource.place,
            terms: Terms::default(),
        };
        self.feed(host, NOON, Input::Request { id: REQUEST, client: CLIENT, request }, effects);
        // An answer at once is no acquire: an earlier release is still under way.
        if host.client == Client::Acquiring
            && let Some(left) = &mut host.acquires
        {
            *left -= 1;
        }
    }

    /// The client stops using the resource and gives it back.
    pub(super) fn release(&self, host: &mut BallotHost, effects: &mut Effects) {
        host.client = Client::Releasing;
        let resource = &self.setup.resources[usize::from(self.resource.0)];
        let request = Request::Release { lockspace: self.space().0, resource: resource.name };
        self.feed(host, NOON, Input::Request { id: REQUEST, client: CLIENT, request }, effects);
    }

    /// After a step: what comes at once comes, and the host is put into its canonical order.
    pub(super) fn settle(&self, host: &mut BallotHost, effects: &mut Effects) {
        if self.eager {
            while let Some(index) = host.wakes.iter().position(|(task, at)| *at <= NOON && !host.awaits_io(*task)) {
                let (task, _) = host.wakes.remove(index);
                self.feed(host, NOON, Input::Wake { task }, effects);
            }
            if host.may_ask() {
                self.ask(host, effects);
            }
        }
        if let Some(engine) = &mut host.engine {
            self.set_to_noon(engine);
            // A ballot that was forgotten stays so.
            engine.forget_ballots(self.damage, |_| true);
            engine.forget_earlier_looks(self.damage);
        }
        for flight in &mut host.flights {
            match &mut flight.op {
                FlightOp::Read(_, sectors) => sectors.iter_mut().for_each(|sector| self.set_to_noon(sector)),
                FlightOp::Write(_, sector, _) => self.set_to_noon(sector.as_mut()),
            }
        }
        for (_, at) in &mut host.wakes {
            Noon.time(at);
        }
        host.wakes.sort_unstable();
        host.flights.sort_by_key(|flight| flight.slot);
    }

    /// The sectors of a read, as the engine is given them.
    pub(super) fn data(&self, target: Target, sectors: &[Sector]) -> ReadData {
        let geometry = self.geometry();
        let unit = geometry.sector();
        let mut runs: Vec<(u32, Arc<[u8]>)> = sectors.iter().map(|sector| (1, sector.encode())).collect();
        // Leader, request record, then the blocks up to the highest host id; nothing was ever written behind them.
        if matches!(target, Target::Area | Target::Blocks) {
            let leader = runs.remove(0);
            let mut blocks = vec![(1, Arc::default()); self.ids.iter().map(|id| id.0 as usize).max().unwrap_or(0)];
            for (id, block) in self.ids.iter().zip(runs) {
                blocks[id.0 as usize - 1] = block;
            }
            runs = [vec![leader, (1, Arc::default())], blocks].concat();
            let length = if target == Target::Area { geometry.align() } else { self.ballot_length() };
            let rest = (length / u64::from(unit)).saturating_sub(runs.len() as u64) as u32;
            if rest > 0 {
                runs.push((rest, Arc::default()));
            }
        }
        ReadData { unit, runs }
    }

    /// What the engine believes while an input is handled for which it looks at other hosts.
    pub(super) fn believe(&self, host: &mut BallotHost, others: &[(DeltaLease, bool)]) {
        let space = self.space().0;
        if let Some(engine) = &mut host.engine {
            engine.believe(NOON, &space, others.iter().map(|(record, alive)| (record, *alive)));
        }
    }
}

impl Flight {
    /// Its host is down, or was since.
    pub(super) fn is_ghost(&self) -> bool {
        self.late && self.task == Task::Main
    }
}

impl BallotHost {
    /// Shares with another host what their engines have in common, so that it takes memory only once.
    pub(super) fn share_with(&mut self, other: &BallotHost) {
        if let (Some(engine), Some(other)) = (&mut self.engine, &other.engine) {
            engine.share_with(other);
        }
    }

    /// Whether a task waits for an I/O that it has not given up.
    pub(super) fn awaits_io(&self, task: Task) -> bool {
        self.flights.iter().any(|flight| flight.task == task && !flight.late)
    }

    /// Whether the client may ask for the resource.
    pub(super) fn may_ask(&self) -> bool {
        self.engine.is_some() && self.client == Client::Idle && self.acquires != Some(0)
    }

    /// A late write is under way.
    pub(super) fn late_write(&self) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.late)
    }

    /// Whether a step of this host writes the leader.
    pub(super) fn lands_leader(&self, kind: super::Kind) -> bool {
        let flight = match kind {
            super::Kind::Io(index) => self.flights.get(usize::from(index)),
            super::Kind::LateLands => self.late_write(),
            super::Kind::Initialise => return true,
            _ => None,
        };
        flight.is_some_and(|flight| matches!(flight.op, FlightOp::Write(Position::Leader, _, false)))
    }

    /// Its power is lost. The write with this index, if any, is still on its way.
    pub(super) fn crash(&mut self, ghost: Option<usize>) {
        let ghost =
            ghost.map(|index| Flight { late: true, slot: Slot(0), task: Task::Main, ..self.flights[index].clone() });
        self.engine = None;
        self.client = Client::Idle;
        self.wakes.clear();
        self.flights = ghost.into_iter().collect();
    }

    /// Shows each number that grows, but for those of blocks on their way to or from the disk: [`BallotHost::blocks`].
    pub(super) fn visit(&mut self, ground: &Ground, me: u8, numbers: &mut dyn Numbers) {
        numbers.generation(ground.ids[usize::from(me)], &mut self.generation);
        if let Some(engine) = &mut self.engine {
            engine.visit(numbers);
        }
        if let Client::Holding(lver) = &mut self.client {
            numbers.lver(lver);
        }
        for sector in self.sectors() {
            if !matches!(sector, Sector::HostBlock(_)) {
                sector.visit(numbers);
            }
        }
    }

    /// Each block on its way.
    pub(super) fn blocks(&mut self, see: &mut dyn FnMut(&mut HostBlock)) {
        for sector in self.sectors() {
            if let Sector::HostBlock(block) = sector {
                see(block);
            }
        }
    }

    /// The leaders in writes that are under way.
    pub(super) fn leaders_on_their_way(&mut self) -> Vec<&mut Leader> {
        let leaders = self.flights.iter_mut().filter_map(|flight| match &mut flight.op {
            FlightOp::Write(_, sector, false) => match sector.as_mut() {
                Sector::Leader(leader) => Some(leader),
                _ => None,
            },
            _ => None,
        });
        leaders.collect()
    }

    /// The leader that a look has sampled before it ended.
    pub(super) fn sampled_leader(&mut self) -> Option<&mut Leader> {
        self.flights.iter_mut().find_map(|flight| match &mut flight.op {
            FlightOp::Read(Target::Area, sampled) => match sampled.first_mut() {
                Some(Sector::Leader(leader)) => Some(leader),
                _ => None,
            },
            _ => None,
        })
    }

    /// The blocks that a look has sampled before it ended.
    pub(super) fn sampled_blocks(&self) -> impl Iterator<Item = Vec<HostBlock>> {
        self.flights.iter().filter_map(|flight| match &flight.op {
            FlightOp::Read(Target::Area, sampled) if sampled.len() > 1 => {
                let block = |sector: &Sector| match sector {
                    Sector::HostBlock(block) => *block,
                    _ => HostBlock::default(),
                };
                Some(sampled[1..].iter().map(block).collect())
            }
            _ => None,
        })
    }

    /// Each block on its way, to be replaced.
    pub(super) fn rewrite_blocks(&mut self, new: &mut dyn FnMut(HostBlock) -> HostBlock) {
        for sector in self.sectors() {
            if let Sector::HostBlock(block) = *sector {
                let block = new(block);
                *sector = if block == HostBlock::default() { Sector::Zero } else { Sector::HostBlock(block) };
            }
        }
    }

    fn sectors(&mut self) -> impl Iterator<Item = &mut Sector> {
        self.flights.iter_mut().flat_map(|flight| match &mut flight.op {
            FlightOp::Read(_, sectors) => sectors.as_mut_slice(),
            FlightOp::Write(_, sector, _) => std::slice::from_mut(sector.as_mut()),
        })
    }
}

/// Puts every clock back to noon: what was is now, what will be comes later, and all stamps are of one second. In a
/// world without time stamps tell nothing.
struct Noon;

impl Numbers for Noon {
    fn time(&mut self, time: &mut Time) {
        *time = if *time > NOON { LATER } else { NOON };
    }
    fn second(&mut self, second: &mut Second) {
        if *second >= NOON.second() {
            *second = NOON.second();
        }
    }
    fn stamp(&mut self, _by: HostId, stamp: &mut Stamp) {
        if !stamp.is_free() {
            *stamp = NOON.second().stamp();
        }
    }
}

/// The moment at which a task that waits is woken: its own, and late enough for every patience to be over.
pub(super) fn due(at: Time) -> Time {
    if at > NOON { LATER.after(Span::SECOND) } else { NOON }
}
