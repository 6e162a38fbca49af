//! I-EVT: an event or a request reaches exactly the host and the generation that it is for, at least while that host lives.
//!
//! Three moments are looked at. When a renewal is written its bits name those who were called not long ago, all of those who
//! are told an event, and with an event nobody whom it is not for. When a process hears an event, somebody sent it to this
//! life of its host. And when a daemon has looked at a record that carries an event for it, whoever listens has heard it.
//! A request is heeded only if somebody asked for that; and if a daemon has read it, whoever holds a lower version is
//! signalled at once.

use super::facts::{Area, Facts};
use super::ledger::{Client, Ended, Ledger, NEARLY, Phase};
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx, Process, ResourceIx, Setup};
use lease_core::format::{Bitmap, DeltaLease, HostEvent, RequestRecord, Sector, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Stamp};
use lease_core::seam::{DiskId, Event, EventChange, LsId, Place, Request, Signal, Task, ToldEvent};
use sim_disk::{Completion, IoId};
use std::collections::{BTreeMap, BTreeSet};

/// Times io_timeout for which a host is called.
const LIFETIME: u64 = 6;

/// An event that somebody set.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Sent {
    /// Nobody in particular: all.
    to: Option<HostId>,
    event: HostEvent,
    /// Its generation is the one that the sender observed.
    current: bool,
    /// On the sender's clock.
    second: u64,
    /// Another one took its place, or it was taken back.
    over: bool,
}

/// A call of the owner of a resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Called {
    lockspace: LockspaceIx,
    by: Host,
    from_generation: Generation,
    /// Who owned it while the request was written.
    owners: Vec<HostId>,
    second: u64,
}

/// A request that was asked for and is not answered yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Wanted {
    by: Host,
    process: Option<Process>,
    resource: Option<ResourceIx>,
    place: Place,
    force_mode: u32,
    owners: Vec<HostId>,
    /// Whoever asked is gone: the daemon may still do it, but nobody hears of it.
    forsaken: bool,
}

/// A process that listens.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Listener {
    host: Host,
    process: Process,
    lockspace: LockspaceIx,
    heard: Vec<(HostId, Generation, HostEvent)>,
}

/// A daemon that is about to look at a record which stands on the disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Owing {
    host: Host,
    lockspace: LockspaceIx,
    from: HostId,
    from_generation: Generation,
    event: HostEvent,
    /// The read that began after it stood there was issued, or completed.
    read: Read,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Read {
    Wanted,
    Issued,
    Done,
}

/// A daemon that reads the request for a resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Examined {
    host: Host,
    disk: DiskId,
    io: IoId,
    resource: ResourceIx,
}

/// A signal that is due because a request was read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Due {
    at: Instant,
    host: Host,
    process: Process,
    resource: ResourceIx,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Events {
    /// By the life that sent it, in the order of its clock.
    sent: BTreeMap<(LockspaceIx, HostId, Generation), Vec<Sent>>,
    called: Vec<Called>,
    wanted: Vec<Wanted>,
    /// What was ever asked for: place, force mode and version, 0 for the next.
    requested: BTreeSet<(Place, u32, Lver)>,
    listeners: Vec<Listener>,
    owing: Vec<Owing>,
    /// What was last seen to land of each record while somebody listened. Who looks sees only that a stamp is another.
    stamps: BTreeMap<(LockspaceIx, HostId), (Generation, Stamp)>,
    examined: Vec<Examined>,
    due: Vec<Due>,
    /// Who owns each resource according to its leader.
    owners: Vec<HostId>,
}

impl Events {
    pub(super) fn new(setup: &Setup) -> Events {
        let owners = vec![HostId::NONE; setup.resources.len()];
        Events {
            sent: BTreeMap::new(),
            called: Vec::new(),
            wanted: Vec::new(),
            requested: BTreeSet::new(),
            listeners: Vec::new(),
            owing: Vec::new(),
            stamps: BTreeMap::new(),
            examined: Vec::new(),
            due: Vec::new(),
            owners,
        }
    }

    // --- Renewals ---

    pub(super) fn written(&self, at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let Sector::Delta { lease, bitmap } = &written.sector else { return Ok(()) };
        if ledger.damaged || (self.sent.is_empty() && **bitmap == Bitmap::EMPTY) {
            return Ok(());
        }
        let (Task::Lockspace(id), Some(lockspace)) = (written.task, written.lockspace) else { return Ok(()) };
        let Some(life) = ledger.life_of(written.host, id).filter(|life| life.believes()) else { return Ok(()) };
        if lease.timestamp.is_free() {
            return Ok(());
        }
        let wrong = |what: String| {
            let (host, name) = (facts.label(written.host), facts.lockspace_name(lockspace));
            violated(Property::Events, at, &[written.host], format!("a renewal of {host} in {name} {what}"))
        };
        let stamp = lease.timestamp.0;
        let longest = LIFETIME * facts.setup.longest_io_timeout();
        let sent = self.sent.get(&(lockspace, life.host_id, life.generation)).map_or(&[][..], Vec::as_slice);
        let last_sent = sent.last().map_or(0, |sent| sent.second + longest);
        let recent = &sent[sent.partition_point(|sent| stamp.saturating_sub(sent.second) > longest)..];
        for host in bitmap.iter() {
            let mut told = recent.iter().filter(|sent| sent.to.is_none_or(|to| to == host)).peekable();
            // A call may have to wait for the end of an event.
            let is_called = |called: &Called| {
                (called.by, called.lockspace, called.from_generation) == (written.host, lockspace, life.generation)
                    && called.owners.contains(&host)
                    && stamp.saturating_sub(called.second.max(last_sent)) <= longest
            };
            // Whoever asked may be gone, and then nobody hears when it was done.
            let may_be_called = |wanted: &Wanted| {
                let here = wanted.resource.is_some_and(|resource| facts.resource(resource).lockspace == lockspace);
                here && wanted.by == written.host && wanted.owners.contains(&host)
            };
            let called = self.called.iter().any(is_called) || self.wanted.iter().any(may_be_called);
            if told.peek().is_none() && !called {
                return wrong(format!("calls host {host}, whom nothing was for in the last {longest} seconds"));
            }
            if lease.event.event != 0 && !told.any(|sent| sent.carries(&lease.event)) {
                let HostEvent { event, data, .. } = lease.event;
                return wrong(format!("tells host {host} event {event} data {data}, which is for another"));
            }
        }
        for sent in recent {
            let due = !sent.over
                && sent.event.event != 0
                && sent.second < stamp
                && stamp - sent.second <= LIFETIME * life.io_timeout;
            let reached = |host: HostId| bitmap.get(host) && sent.carries(&lease.event);
            if due
                && let Some(to) = sent.to.filter(|to| *to != life.host_id)
                && !reached(to)
            {
                let HostEvent { event, data, .. } = sent.event;
                return wrong(format!("does not tell host {to} event {event} data {data}, which is for it"));
            }
        }
        Ok(())
    }

    // --- Everything else ---

    pub(super) fn see(
        &mut self,
        at: Instant,
        happening: &Happening,
        ended: Ended,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        match happening {
            Happening::Asked { host, process, request } => self.asked(*host, *process, request, facts),
            Happening::Told { host, process, request, result } => {
                let answered = self.answered(*host, *process, request);
                if result.is_ok() {
                    self.told(at, (*host, *process), request, answered, ledger, facts);
                }
            }
            Happening::Landed { host, disk, offset, intact: true, .. } => {
                match facts.spot(*disk, *offset).map(|spot| (spot.area, spot.kind)) {
                    Some((Area::Resource(resource), SectorKind::Leader)) => self.leader_landed(*host, resource, facts),
                    // What is owed may be taken back while nobody listens.
                    Some((Area::Lockspace(lockspace), SectorKind::Delta(_)))
                        if !(self.listeners.is_empty() && self.owing.is_empty()) =>
                    {
                        if let Some(bytes) = facts.bytes(*host, *disk, *offset) {
                            self.renewal_landed(lockspace, bytes, ledger);
                        }
                    }
                    _ => {}
                }
            }
            Happening::Notified { host, process, told } => {
                return self.notified(at, *host, *process, told, ledger, facts);
            }
            Happening::Engine { host, event: Event::Heeded { place, wanted, force_mode, .. } } => {
                return self.heeded(at, *host, (*place, *wanted, *force_mode), ledger, facts);
            }
            Happening::Engine { host, event: Event::Scanned { lockspace } } => {
                return self.scanned(at, *host, *lockspace, ledger, facts);
            }
            Happening::ReadIssued { host, task: Task::Lockspace(_), .. } if !self.owing.is_empty() => {
                self.reads(*host, Read::Wanted, Read::Issued, ledger);
            }
            Happening::ReadIssued { host, task: Task::Resource, disk, io, offset, .. } => {
                let spot = facts.spot(*disk, *offset).map(|spot| (spot.area, spot.kind));
                if let Some((Area::Resource(resource), SectorKind::Request)) = spot {
                    self.examined.push(Examined { host: *host, disk: *disk, io: *io, resource });
                }
            }
            Happening::Signalled { host, process, .. } | Happening::KillpathRun { host, process, .. } => {
                self.due.retain(|due| (due.host, due.process) != (*host, *process));
            }
            Happening::Completed { host, disk, io, completion, took, .. } => {
                let is_it = |examined: &Examined| (examined.host, examined.disk, examined.io) == (*host, *disk, *io);
                if let Some(index) = self.examined.iter().position(is_it) {
                    let resource = self.examined.swap_remove(index).resource;
                    self.examined(at, *host, resource, completion, *took, ledger, facts);
                }
                if self.owing.is_empty() {
                    return Ok(());
                }
                if let Some(lockspace) = ended.io.and_then(|io| io.area_read) {
                    let on_time = |owing: &Owing| {
                        let life = ledger.host(owing.host).current(owing.lockspace);
                        life.is_some_and(|life| *took + NEARLY < life.io_timeout * 1_000_000)
                    };
                    // What was given up may be used or not.
                    let sure = matches!(completion, Completion::Read(_));
                    self.owing
                        .retain(|owing| (owing.host, owing.lockspace) != (*host, lockspace) || sure && on_time(owing));
                    self.reads(*host, Read::Issued, Read::Done, ledger);
                }
            }
            Happening::Ended { host, process } | Happening::HungUp { host, process } => {
                self.listeners.retain(|listener| (listener.host, listener.process) != (*host, *process));
                self.due.retain(|due| (due.host, due.process) != (*host, *process));
                // The next process of this number asks anew, and what it is told is not about these.
                let theirs = |wanted: &&mut Wanted| (wanted.by, wanted.process) == (*host, Some(*process));
                self.wanted.iter_mut().filter(theirs).for_each(|wanted| wanted.forsaken = true);
            }
            Happening::Engine { host, event: Event::Killing { .. } | Event::Cleared { .. } }
            | Happening::DaemonDown { host }
            | Happening::Down { host, .. } => {
                self.listeners.retain(|listener| listener.host != *host);
                self.owing.retain(|owing| owing.host != *host);
                self.due.retain(|due| due.host != *host);
                if !matches!(happening, Happening::Engine { .. }) {
                    self.examined.retain(|examined| examined.host != *host);
                    // The daemon will not carry them out any more.
                    self.wanted.retain(|wanted| wanted.by != *host);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn asked(&mut self, host: Host, process: Option<Process>, request: &Request, facts: &Facts<'_>) {
        if let Request::Call { lockspace, resource, place, lver, next, force_mode } = request {
            let resource = facts.resource_named(lockspace, resource);
            let owners = resource.map(|resource| self.owners[usize::from(resource.0)]).into_iter().collect();
            let lver = if *next && *lver == Lver(0) { Lver(0) } else { *lver };
            let (by, place, force_mode) = (host, *place, *force_mode);
            self.requested.insert((place, force_mode, lver));
            self.wanted.push(Wanted { by, process, resource, place, force_mode, owners, forsaken: false });
        }
    }

    /// A request was answered: who owned the resource meanwhile. Of two that look the same nobody can tell which it was, and
    /// the owners of either may be called.
    fn answered(&mut self, host: Host, process: Option<Process>, request: &Request) -> Vec<HostId> {
        let Request::Call { place, force_mode, .. } = request else { return Vec::new() };
        let is_it = |wanted: &Wanted| {
            !wanted.forsaken
                && (wanted.by, wanted.process, wanted.place, wanted.force_mode) == (host, process, *place, *force_mode)
        };
        let Some(index) = self.wanted.iter().position(is_it) else { return Vec::new() };
        let mut owners = self.wanted.remove(index).owners;
        for alike in self.wanted.iter_mut().filter(|wanted| is_it(wanted)) {
            owners.extend_from_slice(&alike.owners);
            alike.owners.clone_from(&owners);
        }
        owners
    }

    fn told(
        &mut self,
        at: Instant,
        (host, process): (Host, Option<Process>),
        request: &Request,
        owners: Vec<HostId>,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) {
        let (Request::Call { lockspace, .. }
        | Request::SetEvent { lockspace, .. }
        | Request::RegEvent { lockspace }
        | Request::EndEvent { lockspace }) = request
        else {
            return;
        };
        let Some(lockspace) = facts.lockspace_named(lockspace) else { return };
        let Some(life) = ledger.host(host).current(lockspace) else { return };
        let second = facts.now(host, at).second().0;
        let from_generation = life.generation;
        match request {
            Request::Call { .. } => {
                self.called.push(Called { lockspace, by: host, from_generation, owners, second });
            }
            Request::SetEvent { host_id, event, terms, .. } => {
                let to = Some(*host_id).filter(|_| !terms.all);
                let generation = if terms.all { 0 } else { event.generation };
                let current = terms.current && generation == 0 && !terms.all;
                let event = HostEvent { generation, ..*event };
                let mine = self.sent.entry((lockspace, life.host_id, from_generation)).or_default();
                for sent in mine.iter_mut() {
                    sent.over |= match terms.change {
                        EventChange::Set => current || sent.current || sent.event != event,
                        EventChange::ClearHost => sent.to.is_none_or(|to| to == *host_id),
                        EventChange::ClearEvent => true,
                    };
                }
                if terms.change == EventChange::Set {
                    mine.push(Sent { to, event, current, second, over: false });
                }
            }
            Request::RegEvent { .. } => {
                let known = |listener: &Listener| {
                    (listener.host, Some(listener.process), listener.lockspace) == (host, process, lockspace)
                };
                if let Some(process) = process
                    && !self.listeners.iter().any(known)
                {
                    self.listeners.push(Listener { host, process, lockspace, heard: Vec::new() });
                }
            }
            _ => {
                let ends = |listener: &Listener| {
                    (listener.host, Some(listener.process), listener.lockspace) == (host, process, lockspace)
                };
                self.listeners.retain(|listener| !ends(listener));
            }
        }
    }

    fn leader_landed(&mut self, host: Host, resource: ResourceIx, facts: &Facts<'_>) {
        let owner = facts.leader(host, resource).map_or(HostId::NONE, |leader| leader.owner_id);
        self.owners[usize::from(resource.0)] = owner;
        let waits = |wanted: &&mut Wanted| wanted.resource == Some(resource);
        for wanted in self.wanted.iter_mut().filter(waits) {
            wanted.owners.push(owner);
        }
    }

    /// A record stands on the disk: whom it tells something must hear of it when he has looked.
    fn renewal_landed(&mut self, lockspace: LockspaceIx, bytes: &[u8], ledger: &Ledger) {
        let (_, lease) = DeltaLease::peek(bytes);
        let (from, from_generation, event) = (lease.owner_id, lease.owner_generation, lease.event);
        let bitmap = Bitmap::of_sector(bytes);
        let called = |host: Host| {
            let life = ledger.host(host).current(lockspace);
            life.is_some_and(|life| bitmap.get(life.host_id))
        };
        self.owing.retain(|owing| {
            (owing.lockspace, owing.from) != (lockspace, from) || owing.event == event && called(owing.host)
        });
        let known = self.stamps.insert((lockspace, from), (from_generation, lease.timestamp));
        // Written once more in the same second, it is no news: who looked before the write does not see another record.
        if event.event == 0 || known == Some((from_generation, lease.timestamp)) {
            return;
        }
        for (host, state) in ledger.hosts() {
            let Some(life) = state.current(lockspace).filter(|life| life.believes()) else { continue };
            let meant = event.generation == 0 || event.generation == life.generation.0;
            if life.host_id != from && meant && bitmap.get(life.host_id) {
                let same = |owing: &Owing| (owing.host, owing.lockspace, owing.from) == (host, lockspace, from);
                if !self.owing.iter().any(same) {
                    self.owing.push(Owing { host, lockspace, from, from_generation, event, read: Read::Wanted });
                }
            }
        }
    }

    fn reads(&mut self, host: Host, before: Read, after: Read, ledger: &Ledger) {
        let on = |owing: &Owing| ledger.host(host).under_way.iter().any(|io| io.area_read == Some(owing.lockspace));
        for owing in self.owing.iter_mut().filter(|owing| owing.host == host && owing.read == before) {
            if after == Read::Done || on(owing) {
                owing.read = after;
            }
        }
    }

    fn scanned(&mut self, at: Instant, host: Host, id: LsId, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let Some(lockspace) = ledger.life_of(host, id).map(|life| life.lockspace) else { return Ok(()) };
        let looked = |owing: &Owing| (owing.host, owing.lockspace) == (host, lockspace);
        let (seen, left): (Vec<Owing>, Vec<Owing>) = self.owing.drain(..).partition(looked);
        self.owing = left;
        // What a read that began before has brought may be the record as it is now, or as it was; so nothing is owed then.
        for owing in seen.iter().filter(|owing| owing.read == Read::Done && !ledger.damaged) {
            let heard = (owing.from, owing.from_generation, owing.event);
            let deaf = |listener: &&Listener| {
                (listener.host, listener.lockspace) == (host, lockspace) && !listener.heard.contains(&heard)
            };
            if let Some(listener) = self.listeners.iter().find(deaf) {
                let what = format!(
                    "{} has looked at the record of host {} in {}, which tells it event {}, and {} hears nothing",
                    facts.label(host),
                    owing.from,
                    facts.lockspace_name(lockspace),
                    owing.event.event,
                    facts.process(host, listener.process),
                );
                return violated(Property::Events, at, &[host], what);
            }
        }
        Ok(())
    }

    fn notified(
        &mut self,
        at: Instant,
        host: Host,
        process: Process,
        told: &ToldEvent,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        let Some(life) = ledger.life_of(host, told.lockspace) else { return Ok(()) };
        let on = life.lockspace;
        let listens =
            |listener: &&mut Listener| (listener.host, listener.process, listener.lockspace) == (host, process, on);
        if let Some(listener) = self.listeners.iter_mut().find(listens) {
            listener.heard.push((told.from, told.from_generation, told.event));
        }
        if ledger.damaged {
            return Ok(());
        }
        let HostEvent { generation, event, data } = told.event;
        let wrong = |what: String| {
            let hears =
                format!("{} hears event {event} data {data} from host {}", facts.process(host, process), told.from);
            violated(Property::Events, at, &[host], format!("{hears}, {what}"))
        };
        if generation != 0 && generation != life.generation.0 {
            return wrong(format!(
                "which is for generation {generation}, but its host has generation {}",
                life.generation
            ));
        }
        let is_it = |sent: &Sent| sent.to.is_none_or(|to| to == life.host_id) && sent.carries(&told.event);
        let sent = self.sent.get(&(on, told.from, told.from_generation));
        if told.host_id != life.host_id || !sent.is_some_and(|sent| sent.iter().any(is_it)) {
            return wrong(format!("which nobody sent to host {}", life.host_id));
        }
        Ok(())
    }

    /// A daemon has read the request for a resource: whoever holds a lower version of it is to be signalled, or has its
    /// program run. Who wants no signal at all gets none.
    #[expect(clippy::too_many_arguments, reason = "what there is to say about a read")]
    fn examined(
        &mut self,
        at: Instant,
        host: Host,
        resource: ResourceIx,
        completion: &Completion,
        took: u64,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) {
        let Completion::Read(runs) = completion else { return };
        let bytes = runs.first().map(|(_, bytes)| bytes.to_vec()).unwrap_or_default();
        let Ok(record) = RequestRecord::read(&bytes) else { return };
        let state = ledger.host(host);
        let Some(life) = state.current(facts.resource(resource).lockspace) else { return };
        let known = matches!(record.force_mode, RequestRecord::FORCE | RequestRecord::GRACEFUL);
        // What took that long may have been given up.
        let in_time = took + NEARLY < life.io_timeout * 1_000_000;
        if !known || !in_time || life.phase != Phase::Joined {
            return;
        }
        for hold in ledger.holds_of(host).filter(|hold| hold.resource == resource && record.lver > hold.lver) {
            // While a command of it is under way the daemon may know something else of it.
            let busy = state.requests.iter().any(|asked| asked.process == Some(hold.process));
            let told = |client: &&Client| {
                let (signal, program) = match record.force_mode {
                    RequestRecord::FORCE => (Signal::Kill, false),
                    _ => (Signal::Term, client.killpath),
                };
                client.alive && !client.hung_up && (program || client.restricted.instead_of(signal).is_some())
            };
            let client = state.client(hold.process).filter(told).is_some();
            if client && !busy && hold.generation == life.generation {
                self.due.push(Due { at, host, process: hold.process, resource });
            }
        }
    }

    /// What was due is over.
    pub(super) fn overdue(&self, at: Instant, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let Some(due) = self.due.iter().find(|due| due.at < at && !ledger.damaged) else { return Ok(()) };
        let what = format!(
            "{} has read that {} is asked for, and does not signal {}, which holds it",
            facts.label(due.host),
            facts.resource_name(due.resource),
            facts.process(due.host, due.process),
        );
        violated(Property::Events, due.at, &[due.host], what)
    }

    fn heeded(&self, at: Instant, host: Host, what: (Place, Lver, u32), ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let (place, lver, force_mode) = what;
        let is_it = |lver: Lver| self.requested.contains(&(place, force_mode, lver));
        if ledger.damaged || is_it(lver) || is_it(Lver(0)) {
            return Ok(());
        }
        let what = format!("{} heeds a request for version {lver} that nobody made", facts.label(host));
        violated(Property::Events, at, &[host], what)
    }
}

impl Sent {
    /// Whether a record carries it.
    fn carries(&self, event: &HostEvent) -> bool {
        (self.event.event, self.event.data) == (event.event, event.data)
            && (self.current || self.event.generation == event.generation)
    }
}
