//! What all checkers must know, kept once: who is up, who believes what, who uses what, what is under way.
//!
//! It judges nothing. It is brought up to date with each happening before the checkers look.

use super::counts::is_loss;
use super::facts::{Area, Facts};
use crate::action::{Action, Part};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx, Process, ResourceIx, Setup};
use lease_core::Refusal;
use lease_core::format::{Name, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Second, Time};
use lease_core::seam::{Answer, DiskId, Event, LsId, Mode, Request, Restricted, Setting, Signal, Slot, Task};
use sim_disk::{IoId, Landing, PathState, Sampling};

/// How far one daemon's use of a lockspace is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    Joining,
    Joined,
    /// Its users are being killed: since when on the host's clock, and whether because renewals failed.
    Killing {
        since: Time,
        failed: bool,
    },
    /// The users are gone; the lockspace thread ends.
    Cleared,
    JoinFailed,
    Left,
    /// The daemon is gone.
    Dead,
}

/// One daemon's use of a lockspace, from its asking to join until it is over: what sanlock calls an instance, and what
/// led to it and follows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Life {
    pub(super) lockspace: LockspaceIx,
    /// The engine's name for it, until it forgets it.
    pub(super) id: Option<LsId>,
    pub(super) host_id: HostId,
    pub(super) io_timeout: u64,
    /// Zero until the acquiring write is issued.
    pub(super) generation: Generation,
    pub(super) phase: Phase,
    /// When the engine last thought that it renewed, or joined.
    pub(super) last_success: Second,
    /// The newest stamp of this life that is or was on the platter. Zero: none yet.
    pub(super) landed: Second,
    /// Whether an I/O of the lockspace thread went wrong or took about as long as io_timeout or longer.
    pub(super) troubled: bool,
    /// When a renewal first said that the host id is lost, on the host's clock.
    pub(super) lost: Option<Time>,
    /// Since when it is only to end, on the host's clock; `None` also if something stood still meanwhile.
    pub(super) leaves: Option<Time>,
    /// The daemon was told that something else uses it.
    pub(super) used: bool,
    /// When the daemon was told to shut down, on the host's clock; `None` also if something stood still meanwhile.
    pub(super) removal: Option<Time>,
    /// When it ended, on the host's clock; `None` also if something stood still since.
    pub(super) ended: Option<Time>,
}

/// An I/O that comes this close to io_timeout may have been given up, in microseconds.
pub(super) const NEARLY: u64 = 50_000;

impl Life {
    /// The daemon believes that it owns the host id.
    pub(super) fn believes(&self) -> bool {
        matches!(self.phase, Phase::Joined | Phase::Killing { .. })
    }

    /// It may still write to the areas of the lockspace.
    pub(super) fn may_write(&self) -> bool {
        self.believes() || self.phase == Phase::Cleared
    }

    /// Recovery began because renewals failed.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.phase, Phase::Killing { failed: true, .. })
    }

    /// An administrator wants its end: a join hears of that.
    fn is_to_end(&mut self, now: Time) {
        if self.phase == Phase::Joining {
            self.leaves.get_or_insert(now);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::JoinFailed | Phase::Left | Phase::Dead)
    }
}

/// A process uses a resource: it was told that it holds it, and has not stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hold {
    pub(super) host: Host,
    pub(super) process: Process,
    pub(super) resource: ResourceIx,
    pub(super) lver: Lver,
    pub(super) mode: Mode,
    pub(super) lockspace: LockspaceIx,
    /// The generation under which it was granted.
    pub(super) generation: Generation,
}

/// A client process.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Client {
    pub(super) alive: bool,
    pub(super) hung_up: bool,
    /// Signals since it last held nothing.
    pub(super) signals: u32,
    /// The last signal of any kind, on the host's clock. Zero: none.
    pub(super) last_signal: Time,
    /// The last SIGKILL.
    pub(super) last_kill: Time,
    /// The signals that it wants never to be sent.
    pub(super) restricted: Restricted,
    /// It named a program that is run in place of SIGTERM.
    pub(super) killpath: bool,
    /// That was run since it last held nothing.
    pub(super) killpath_ran: bool,
    /// What it stopped using without a release that was answered as done: the daemon may hold that for it.
    pub(super) left_behind: Vec<ResourceIx>,
    /// What it acquired to outlive it.
    persistent: Vec<ResourceIx>,
    /// What it was granted last, if that was an orphan.
    adopted: Option<ResourceIx>,
}

/// An I/O whose completion a daemon waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct UnderWay {
    pub(super) slot: Slot,
    pub(super) disk: DiskId,
    pub(super) io: IoId,
    pub(super) task: Task,
    pub(super) issued: Instant,
    /// It reads the whole area of this lockspace.
    pub(super) area_read: Option<LockspaceIx>,
    /// Where it writes, if it does.
    pub(super) writes: Option<(DiskId, u64)>,
    /// From where on it reads, if it does.
    pub(super) reads: Option<u64>,
}

/// A request that was not answered yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Asked {
    pub(super) process: Option<Process>,
    pub(super) request: Request,
    pub(super) at: Instant,
}

/// One host.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct HostLedger {
    pub(super) up: bool,
    pub(super) daemon: bool,
    pub(super) stalls: Vec<(Part, Instant)>,
    pub(super) closed_paths: Vec<DiskId>,
    /// When the main loop could last begin to run again, on the host's clock.
    pub(super) main_runs_since: Time,
    /// The one that ended last comes last of those that are over.
    pub(super) lives: Vec<Life>,
    pub(super) clients: Vec<Client>,
    pub(super) under_way: Vec<UnderWay>,
    pub(super) requests: Vec<Asked>,
    /// When its daemon heeded a request last.
    pub(super) heeded: Option<Instant>,
    /// What the daemon may hold for clients that are gone.
    pub(super) orphans: Vec<ResourceIx>,
    /// What it goes by, if it was installed anew.
    name: Option<Name>,
}

impl HostLedger {
    /// Nothing on a paused host executes.
    pub(super) fn paused(&self) -> bool {
        self.stalls.iter().any(|(part, _)| *part == Part::Host)
    }

    /// Whether its daemon heeds a request at this very moment.
    pub(super) fn heeds(&self, at: Instant) -> bool {
        self.heeded == Some(at)
    }

    /// Whether processes of the host execute.
    pub(super) fn executing(&self) -> bool {
        self.up && !self.paused()
    }

    /// Whether a process executes.
    pub(super) fn executes(&self, process: Process) -> bool {
        self.executing() && !self.stalls.iter().any(|(part, _)| *part == Part::Process(process))
    }

    /// Whether the daemon's main loop can run.
    pub(super) fn main_runs(&self) -> bool {
        let stops_main = |part: &Part| matches!(part, Part::Host | Part::Daemon | Part::Task(Task::Main));
        self.daemon && !self.stalls.iter().any(|(part, _)| stops_main(part))
    }

    /// The life in a lockspace that is not over.
    pub(super) fn current(&self, lockspace: LockspaceIx) -> Option<&Life> {
        self.lives.iter().find(|life| life.lockspace == lockspace && !life.is_over())
    }

    /// Whether a process was granted what another had left behind.
    pub(super) fn adopts(&self, process: Process, resource: ResourceIx) -> bool {
        self.client(process).is_some_and(|client| client.adopted == Some(resource))
    }

    pub(super) fn client(&self, process: Process) -> Option<&Client> {
        self.clients.get(usize::from(process.0))
    }

    fn client_mut(&mut self, process: Process) -> &mut Client {
        let index = usize::from(process.0);
        if self.clients.len() <= index {
            self.clients.resize(index + 1, Client::default());
        }
        &mut self.clients[index]
    }

    fn life_mut(&mut self, id: LsId) -> Option<&mut Life> {
        self.lives.iter_mut().find(|life| life.id == Some(id))
    }
}

/// Everything.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ledger {
    hosts: Vec<HostLedger>,
    pub(super) holds: Vec<Hold>,
    /// Names that resources were to be given.
    renamed: Vec<(ResourceIx, Name)>,
    /// Somebody read what never stood on the disk, or the disk was changed behind everybody's back.
    pub(super) damaged: bool,
}

/// What a happening brought to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Ended {
    /// The I/O that completed.
    pub(super) io: Option<UnderWay>,
    /// When the request was asked that was answered.
    pub(super) asked: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(setup: &Setup) -> Ledger {
        let hosts = vec![HostLedger::default(); setup.hosts.len()];
        Ledger { hosts, holds: Vec::new(), renamed: Vec::new(), damaged: false }
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = (Host, &HostLedger)> {
        self.hosts.iter().enumerate().map(|(index, host)| (Host(index as u8), host))
    }

    pub(super) fn host(&self, host: Host) -> &HostLedger {
        &self.hosts[usize::from(host.0)]
    }

    fn host_mut(&mut self, host: Host) -> &mut HostLedger {
        &mut self.hosts[usize::from(host.0)]
    }

    /// What a host goes by.
    pub(super) fn name_of(&self, host: Host, facts: &Facts<'_>) -> Name {
        self.host(host).name.unwrap_or(facts.setup.hosts[usize::from(host.0)].config.host_name)
    }

    /// Whether a resource was to be given this name.
    pub(super) fn bears(&self, resource: ResourceIx, name: &Name) -> bool {
        self.renamed.iter().any(|(renamed, given)| *renamed == resource && given.same(name))
    }

    /// The life that an engine calls by this id.
    pub(super) fn life_of(&self, host: Host, id: LsId) -> Option<&Life> {
        self.host(host).lives.iter().find(|life| life.id == Some(id))
    }

    /// The life under which something was granted.
    pub(super) fn life_behind(&self, hold: &Hold) -> Option<&Life> {
        let is_it = |life: &&Life| life.lockspace == hold.lockspace && life.generation == hold.generation;
        self.host(hold.host).lives.iter().rev().find(is_it)
    }

    pub(super) fn holds_of(&self, host: Host) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.host == host)
    }

    /// Follows a happening.
    pub(super) fn see(&mut self, at: Instant, happening: &Happening, facts: &Facts<'_>) -> Ended {
        let mut ended = Ended::default();
        self.damaged |= damages(happening);
        match happening {
            Happening::Chosen(Action::Rename { host, name }) => self.host_mut(*host).name = Some(*name),
            Happening::ReadIssued { host, task, slot, disk, io, offset, length } => {
                let area_read = self.bind(*host, *task, *disk, *offset, facts).filter(|lockspace| {
                    let area = facts.lockspace(*lockspace);
                    area.place.offset == *offset && area.geometry.align() == *length
                });
                let under_way = UnderWay {
                    slot: *slot,
                    disk: *disk,
                    io: *io,
                    task: *task,
                    issued: at,
                    area_read,
                    writes: None,
                    reads: Some(*offset),
                };
                self.host_mut(*host).under_way.push(under_way);
            }
            Happening::WriteIssued { host, task, slot, disk, io, offset, .. } => {
                self.bind(*host, *task, *disk, *offset, facts);
                let under_way = UnderWay {
                    slot: *slot,
                    disk: *disk,
                    io: *io,
                    task: *task,
                    issued: at,
                    area_read: None,
                    writes: Some((*disk, *offset)),
                    reads: None,
                };
                self.host_mut(*host).under_way.push(under_way);
            }
            Happening::Completed { host, slot, disk, io, completion, took, .. } => {
                let host = self.host_mut(*host);
                let is_it =
                    |under_way: &UnderWay| (under_way.slot, under_way.disk, under_way.io) == (*slot, *disk, *io);
                ended.io = host.under_way.iter().position(is_it).map(|index| host.under_way.swap_remove(index));
                if let Some(UnderWay { task: Task::Lockspace(id), .. }) = ended.io
                    && let Some(life) = host.life_mut(id)
                {
                    life.troubled |= !went_well(completion) || *took + NEARLY > life.io_timeout * 1_000_000;
                }
            }
            Happening::Landed { host, disk, offset, .. } => self.landed(*host, *disk, *offset, facts),
            Happening::Engine { host, event } => self.event(at, *host, *event, facts),
            Happening::Asked { host, process, request } => {
                if let Request::Rename { lockspace, resource, renamed } = request
                    && let Some(resource) = facts.resource_named(lockspace, resource)
                {
                    self.renamed.push((resource, *renamed));
                }
                let now = facts.now(*host, at);
                match request {
                    Request::RemLockspace { name, unused: _ } => {
                        if let Some(lockspace) = facts.lockspace_named(name) {
                            let of_lockspace = |life: &&mut Life| life.lockspace == lockspace;
                            let lives = self.host_mut(*host).lives.iter_mut().filter(of_lockspace);
                            lives.for_each(|life| life.is_to_end(now));
                        }
                    }
                    Request::Shutdown { force: true, .. } => {
                        for life in self.host_mut(*host).lives.iter_mut().filter(|life| !life.is_over()) {
                            life.is_to_end(now);
                            life.removal.get_or_insert(now);
                        }
                    }
                    _ => {}
                }
                let asked = Asked { process: *process, request: request.clone(), at };
                self.host_mut(*host).requests.push(asked);
            }
            Happening::Told { host, process, request, result } => {
                self.declared(*host, *process, request, result, facts);
                let host = self.host_mut(*host);
                let is_it = |asked: &Asked| asked.process == *process && asked.request == *request;
                ended.asked = host.requests.iter().position(is_it).map(|index| host.requests.remove(index).at);
                if let (
                    Request::Release { lockspace, resource } | Request::Rename { lockspace, resource, .. },
                    Ok(_),
                    Some(process),
                ) = (request, result, process)
                    && let Some(released) = facts.resource_named(lockspace, resource)
                {
                    let client = host.client_mut(*process);
                    client.left_behind.retain(|resource| *resource != released);
                    client.persistent.retain(|resource| *resource != released);
                }
                if let (Request::Acquire { lockspace, resource, terms, .. }, Ok(_), Some(process)) =
                    (request, result, process)
                    && let Some(acquired) = facts.resource_named(lockspace, resource)
                {
                    let adopted = host.orphans.contains(&acquired).then_some(acquired);
                    host.orphans.retain(|orphan| *orphan != acquired);
                    host.client_mut(*process).adopted = adopted;
                    if terms.persistent {
                        host.client_mut(*process).persistent.push(acquired);
                    }
                }
            }
            Happening::UseBegins { host, process, resource, lver, mode } => {
                let lockspace = facts.resource(*resource).lockspace;
                let ledger = self.host_mut(*host);
                let generation = ledger.current(lockspace).map_or(Generation(0), |life| life.generation);
                ledger.client_mut(*process).left_behind.retain(|left| left != resource);
                let (host, process, resource, lver, mode) = (*host, *process, *resource, *lver, *mode);
                self.holds.push(Hold { host, process, resource, lver, mode, lockspace, generation });
            }
            Happening::UseChanges { host, process, resource, lver, mode } => {
                let changed = (*host, *process, *resource);
                let is_it = |hold: &&mut Hold| (hold.host, hold.process, hold.resource) == changed;
                if let Some(hold) = self.holds.iter_mut().find(is_it) {
                    (hold.lver, hold.mode) = (*lver, *mode);
                }
            }
            Happening::UseEnds { host, process, resource, .. } => {
                let ended = (*host, *process, *resource);
                self.holds.retain(|hold| (hold.host, hold.process, hold.resource) != ended);
                let holds_more = self.holds_of(*host).any(|hold| hold.process == *process);
                let client = self.host_mut(*host).client_mut(*process);
                client.left_behind.push(*resource);
                if !holds_more {
                    client.signals = 0;
                    client.killpath_ran = false;
                }
            }
            Happening::Signalled { host, process, signal } => {
                let now = facts.now(*host, at);
                let client = self.host_mut(*host).client_mut(*process);
                client.signals += 1;
                client.last_signal = now;
                if *signal == Signal::Kill {
                    client.last_kill = now;
                }
            }
            // It counts as the signal that it stands for.
            Happening::KillpathRun { host, process, .. } => {
                let now = facts.now(*host, at);
                let heeds = self.host(*host).heeds(at);
                let client = self.host_mut(*host).client_mut(*process);
                client.signals += 1;
                client.last_signal = now;
                client.killpath_ran |= !heeds;
            }
            Happening::Spawned { host, process } => {
                *self.host_mut(*host).client_mut(*process) = Client { alive: true, ..Client::default() };
            }
            Happening::Ended { host, process } => {
                let host = self.host_mut(*host);
                host.stalls.retain(|(part, _)| *part != Part::Process(*process));
                let client = host.client_mut(*process);
                client.alive = false;
                let left = std::mem::take(&mut client.persistent);
                host.orphans.extend(left);
                host.requests.retain(|asked| asked.process != Some(*process));
            }
            Happening::HungUp { host, process } => {
                let host = self.host_mut(*host);
                host.client_mut(*process).hung_up = true;
                host.requests.retain(|asked| asked.process != Some(*process));
            }
            Happening::Up { host, .. } => {
                self.holds.retain(|hold| hold.host != *host);
                let host = self.host_mut(*host);
                host.up = true;
                host.stalls.clear();
                host.clients.clear();
            }
            Happening::Down { host, .. } => {
                self.daemon_gone(*host);
                self.host_mut(*host).up = false;
            }
            Happening::DaemonUp { host, .. } => {
                let now = facts.now(*host, at);
                let host = self.host_mut(*host);
                host.daemon = true;
                host.main_runs_since = now;
            }
            Happening::DaemonDown { host } => self.daemon_gone(*host),
            Happening::Stalled { host, part } => self.host_mut(*host).stalls.push((*part, at)),
            Happening::Resumed { host, part, .. } => {
                let now = facts.now(*host, at);
                let host = self.host_mut(*host);
                host.stalls.retain(|(stalled, _)| stalled != part);
                if !matches!(part, Part::Process(_)) {
                    host.stood_still(now);
                }
            }
            Happening::ClockChanged { host, .. } => {
                let now = facts.now(*host, at);
                self.host_mut(*host).stood_still(now);
            }
            Happening::PathChanged { host, disk, state } => {
                let closed = &mut self.host_mut(*host).closed_paths;
                closed.retain(|path| path != disk);
                if *state != PathState::Open {
                    closed.push(*disk);
                }
            }
            _ => {}
        }
        ended
    }

    /// What a client or an administrator declared, and the daemon took note of.
    fn declared(
        &mut self,
        host: Host,
        process: Option<Process>,
        request: &Request,
        result: &Result<Answer, Refusal>,
        facts: &Facts<'_>,
    ) {
        let host = self.host_mut(host);
        match (request, process) {
            _ if result.is_err() => {}
            (Request::Restrict(signals), Some(process)) => host.client_mut(process).restricted = *signals,
            (Request::SetKillpath(_), Some(process)) => host.client_mut(process).killpath = true,
            (Request::SetConfig { lockspace, setting: setting @ (Setting::Used | Setting::Unused) }, _) => {
                let lockspace = facts.lockspace_named(lockspace);
                let is_it = |life: &&mut Life| Some(life.lockspace) == lockspace && !life.is_over();
                if let Some(life) = host.lives.iter_mut().find(is_it) {
                    life.used = *setting == Setting::Used;
                }
            }
            _ => {}
        }
    }

    /// The first I/O of a lockspace thread tells which lockspace it is for.
    fn bind(&mut self, host: Host, task: Task, disk: DiskId, offset: u64, facts: &Facts<'_>) -> Option<LockspaceIx> {
        let Task::Lockspace(id) = task else { return None };
        if let Some(life) = self.life_of(host, id) {
            return Some(life.lockspace);
        }
        let lockspace = facts.setup.lockspace_at(disk, offset)?;
        self.begin_life(host, id, lockspace, facts);
        Some(lockspace)
    }

    fn begin_life(&mut self, host: Host, id: LsId, lockspace: LockspaceIx, facts: &Facts<'_>) {
        let name = &facts.lockspace(lockspace).name;
        let asked = self.host(host).requests.iter().rev().find_map(|asked| match &asked.request {
            Request::AddLockspace { name: of, host_id, io_timeout, .. } if of.same(name) => {
                Some((*host_id, *io_timeout))
            }
            _ => None,
        });
        let memberships = &facts.setup.hosts[usize::from(host.0)].memberships;
        let planned = memberships.iter().find(|planned| planned.lockspace == lockspace);
        let (host_id, io_timeout) =
            asked.or_else(|| planned.map(|planned| (planned.host_id, planned.io_timeout))).unwrap_or((HostId::NONE, 0));
        let io_timeout = if io_timeout == 0 { 10 } else { u64::from(io_timeout) };

        let holds = &self.holds;
        let is_held = |life: &Life| {
            let behind = (host, lockspace, life.generation);
            holds.iter().any(|hold| (hold.host, hold.lockspace, hold.generation) == behind)
        };
        let lives = &mut self.hosts[usize::from(host.0)].lives;
        lives.retain(|life| life.lockspace != lockspace || !life.is_over() || is_held(life));
        lives.push(Life {
            lockspace,
            id: Some(id),
            host_id,
            io_timeout,
            generation: Generation(0),
            phase: Phase::Joining,
            last_success: Second::NEVER,
            landed: Second::NEVER,
            troubled: false,
            lost: None,
            leaves: None,
            used: false,
            removal: None,
            ended: None,
        });
    }

    /// A delta lease changed on the platter: its stamp counts for the life that wrote it.
    fn landed(&mut self, host: Host, disk: DiskId, offset: u64, facts: &Facts<'_>) {
        let Some(spot) = facts.spot(disk, offset) else { return };
        let (Area::Lockspace(lockspace), SectorKind::Delta(id)) = (spot.area, spot.kind) else { return };
        let Some(record) = facts.delta(host, lockspace, id) else { return };
        let lives = &mut self.host_mut(host).lives;
        let is_it = |life: &&mut Life| {
            life.lockspace == lockspace && life.host_id == id && life.generation == record.owner_generation
        };
        if let Some(life) = lives.iter_mut().rev().find(is_it) {
            life.landed = life.landed.max(Second(record.timestamp.0));
        }
    }

    /// A lockspace thread issued a write of its delta lease: from here on its generation is known.
    pub(super) fn acquires(&mut self, host: Host, task: Task, generation: Generation) {
        let Task::Lockspace(id) = task else { return };
        if let Some(life) = self.host_mut(host).life_mut(id)
            && life.phase == Phase::Joining
        {
            life.generation = generation;
        }
    }

    fn event(&mut self, at: Instant, host: Host, event: Event, facts: &Facts<'_>) {
        if let Event::Joined { lockspace: id, host_id, .. } = event
            && self.life_of(host, id).is_none()
        {
            let memberships = &facts.setup.hosts[usize::from(host.0)].memberships;
            if let Some(planned) = memberships.iter().find(|planned| planned.host_id == host_id) {
                self.begin_life(host, id, planned.lockspace, facts);
            }
        }
        let now = facts.now(host, at);
        let ledger = self.host_mut(host);
        match event {
            Event::Joined { lockspace, host_id, generation, timestamp } => {
                if let Some(life) = ledger.life_mut(lockspace) {
                    life.host_id = host_id;
                    life.generation = generation;
                    life.last_success = Second(timestamp.0);
                    life.phase = Phase::Joined;
                }
            }
            Event::Renewed { lockspace, timestamp, .. } => {
                if let Some(life) = ledger.life_mut(lockspace) {
                    life.last_success = Second(timestamp.0);
                }
            }
            Event::Killing { lockspace, failed } => {
                if let Some(life) = ledger.life_mut(lockspace) {
                    life.phase = Phase::Killing { since: now, failed };
                }
            }
            Event::Cleared { lockspace } => {
                if let Some(life) = ledger.life_mut(lockspace) {
                    life.phase = Phase::Cleared;
                    life.leaves = Some(now);
                }
            }
            Event::RenewalFailed { lockspace, why } if is_loss(why) => {
                if let Some(life) = ledger.life_mut(lockspace) {
                    life.lost.get_or_insert(now);
                }
            }
            Event::JoinFailed { lockspace, .. } => ledger.end_life(now, lockspace, Phase::JoinFailed),
            Event::Left { lockspace, .. } => ledger.end_life(now, lockspace, Phase::Left),
            Event::Heeded { .. } => ledger.heeded = Some(at),
            _ => {}
        }
    }

    fn daemon_gone(&mut self, host: Host) {
        let host = self.host_mut(host);
        host.daemon = false;
        host.under_way.clear();
        host.requests.clear();
        host.orphans.clear();
        for life in host.lives.iter_mut().filter(|life| !life.is_over()) {
            life.id = None;
            life.phase = Phase::Dead;
        }
    }
}

impl HostLedger {
    /// Something on the host did not run until now.
    fn stood_still(&mut self, now: Time) {
        self.main_runs_since = now;
        self.lives.iter_mut().for_each(|life| (life.leaves, life.removal, life.ended) = (None, None, None));
    }

    fn end_life(&mut self, now: Time, id: LsId, phase: Phase) {
        if let Some(index) = self.lives.iter().position(|life| life.id == Some(id)) {
            let life = self.lives.remove(index);
            self.lives.push(Life { id: None, ended: Some(now), phase, ..life });
        }
    }
}

/// Whether a host heard of success.
pub(super) fn went_well(completion: &sim_disk::Completion) -> bool {
    matches!(completion, sim_disk::Completion::Read(_) | sim_disk::Completion::Written)
}

/// Whether a medium was damaged or exchanged, or what is read from it.
pub(super) fn damages(happening: &Happening) -> bool {
    let action = match happening {
        Happening::Chosen(action) => action,
        other => return matches!(other, Happening::MediumChanged { .. }),
    };
    matches!(
        action,
        Action::Sample { sampling: Sampling::Stale { .. }, .. }
            | Action::Land {
                landing: Landing::Rotten { .. }
                    | Landing::Misdirected { .. }
                    | Landing::Torn { .. }
                    | Landing::TornTail { .. },
                ..
            }
            | Action::Rollback { .. }
            | Action::SplitOff { .. }
            | Action::Edit { .. }
    )
}
