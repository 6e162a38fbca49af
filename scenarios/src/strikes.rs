//! Faults that strike by the clock, the script, and the healing of both.

use crate::agenda::Entry;
use crate::case::signed;
use crate::dice::Range;
use crate::fates::Rule;
use crate::faults::{Fault, PlannedFault};
use crate::scenario::{Anchor, Deed, Moment, ScriptedEvent, Signed};
use crate::simulate::{Simulation, What};
use lease_core::format::{Leader, Name, RequestRecord};
use lease_core::numbers::HostId;
use lease_core::seam::{DiskId, LsId, Request, Setting, Task};
use model::action::Part;
use model::setup::{Host, LockspaceIx, Process, ResourceIx};
use model::{Action, Illegal, Instant, Sink};
use sim_disk::PathState;
use std::sync::Arc;

/// EIO.
const EIO: u16 = 5;

/// When a daemon is told again what it could not be told, in microseconds.
const TOLD_AGAIN: u64 = 1_000_000;

/// The end of a fault that lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Undo {
    Resume(Host, Part),
    Mend(Host),
    Rollback(DiskId),
    Unused(Host, LockspaceIx),
}

impl ScriptedEvent {
    /// The number of the client that the event moves.
    pub(crate) fn client(&self) -> Option<usize> {
        match self.deed {
            Deed::Spawn(client)
            | Deed::Acquire(client, _)
            | Deed::Release(client, _)
            | Deed::Exit(client)
            | Deed::HangUp(client)
            | Deed::Listen(client, _)
            | Deed::Garbage(client)
            | Deed::Client(client, _) => Some(usize::from(client)),
            _ => None,
        }
    }
}

impl<S: Sink> Simulation<'_, S> {
    // --- Faults by the clock ---

    pub(crate) fn next_strike(&mut self, entry: Entry, fault: Fault) {
        let Some(planned) = self.faults.get(fault) else { return };
        // Half to one and a half times the mean: faults neither march in step nor stay away for ever.
        let pause = self.dice.faults.within(Range { low: planned.rate / 2, high: planned.rate.saturating_mul(3) / 2 });
        self.put(entry, self.now.after_micros(pause));
    }

    pub(crate) fn strike(&mut self, entry: Entry, fault: Fault) {
        let Some(planned) = self.faults.get(fault) else { return };
        let lasts = self.dice.faults.within(planned.lasts);
        if let Some(host) = self.victim(planned)
            && self.strike_host(fault, host, lasts).is_ok()
        {
            self.fired.count(fault);
        }
        self.next_strike(entry, fault);
    }

    fn victim(&mut self, planned: PlannedFault) -> Option<Host> {
        let hosts = self.hosts.len() as u64;
        let first = self.dice.faults.below(hosts);
        let mut all = (0..hosts).map(|step| ((first + step) % hosts) as u8);
        all.find(|host| planned.hosts >> host & 1 == 1).map(Host)
    }

    fn strike_host(&mut self, fault: Fault, host: Host, lasts: u64) -> Result<(), Illegal> {
        match fault {
            Fault::CutOne => self.cut(host, PathState::Hung, Some(lasts)),
            Fault::CutAll => {
                let mut any = Err(Illegal::SoAlready);
                for index in 0..self.hosts.len() {
                    let cut = self.cut(Host(index as u8), PathState::Hung, Some(lasts));
                    any = any.or(cut);
                }
                any
            }
            Fault::PathFails => {
                let gone = self.dice.faults.one_in(4);
                self.cut(host, if gone { PathState::Gone } else { PathState::Failing(EIO) }, Some(lasts))
            }
            Fault::PowerLoss => self.power_loss(host, Some(lasts)),
            Fault::DaemonKill => self.kill_daemon(host, Some(lasts)),
            Fault::WdmdKill => self.act(Action::KillWdmd { host }),
            Fault::TaskStall => {
                let task = match self.dice.faults.below(4) {
                    0 => Task::Main,
                    1 => Task::Resource,
                    2 => Task::Lockspace(LsId(0)),
                    _ => {
                        let workers = self.case.setup.hosts[usize::from(host.0)].config.parameters.workers;
                        Task::Worker(self.dice.faults.below(u64::from(workers.clamp(1, 3))) as u8)
                    }
                };
                self.stall(host, Part::Task(task), Some(lasts))
            }
            Fault::DaemonStall => self.stall(host, Part::Daemon, Some(lasts)),
            Fault::WdmdStall => self.stall(host, Part::Wdmd, Some(lasts)),
            Fault::HostPause => self.stall(host, Part::Host, Some(lasts)),
            Fault::ClockStop => {
                self.stall(host, Part::Host, Some(lasts))?;
                self.act(Action::StopClock { host })
            }
            Fault::ClockJump => self.act(Action::JumpClock { host, micros: lasts }),
            Fault::Drift => {
                let most = if self.case.scenario.beyond { 50_000 } else { 200 };
                let ppm = signed(&mut self.dice.faults, Signed { low: -most, high: most });
                self.act(Action::SetDrift { host, ppm })
            }
            Fault::WallClockStep => self.act(Action::StepWallClock { host }),
            Fault::Leave => {
                let lockspace = self.dice.faults.below(self.case.setup.lockspaces.len() as u64) as u8;
                let unused = self.dice.faults.one_in(3);
                self.ask_leave(host, LockspaceIx(lockspace), unused)
            }
            Fault::SplitDisk => self.act(Action::SplitOff { host, disk: DiskId(0) }),
            Fault::Rollback => {
                self.act(Action::Snapshot { disk: DiskId(0) })?;
                self.undo_after(Undo::Rollback(DiskId(0)), lasts);
                Ok(())
            }
            Fault::Edit => {
                let offset = self.some_record();
                self.act(Action::Edit { disk: DiskId(0), offset, bytes: Arc::new([]) })
            }
            Fault::ReadsFail => self.refuse(host, false, Some(lasts)),
            Fault::WritesFail => self.refuse(host, true, Some(lasts)),
            Fault::Decay => {
                let offset = self.some_record();
                // Where records lie: what stands behind them in their sector means nothing.
                let bit = self.dice.faults.below(256 * 8);
                self.decay(offset, bit)
            }
            Fault::Init => {
                let resource = self.dice.faults.below(self.case.setup.resources.len() as u64) as u8;
                self.initialise(ResourceIx(resource))
            }
            Fault::ProcessStop => {
                let alive = self.world.processes(host).map(|(process, _)| process).collect::<Vec<_>>();
                let which = self.dice.faults.below(alive.len().max(1) as u64) as usize;
                let process = *alive.get(which).ok_or(Illegal::NoSuchProcess)?;
                self.stall(host, Part::Process(process), Some(lasts))
            }
            Fault::Shutdown => {
                let wait = self.dice.faults.one_in(2);
                self.ask_shutdown(host, true, wait, Some(lasts))
            }
            Fault::Used => {
                let lockspace = self.dice.faults.below(self.case.setup.lockspaces.len() as u64) as u8;
                self.declare(host, LockspaceIx(lockspace), Setting::Used)?;
                self.undo_after(Undo::Unused(host, LockspaceIx(lockspace)), lasts);
                Ok(())
            }
            Fault::Reinstall => {
                self.power_loss(host, Some(lasts))?;
                self.reinstall(host)
            }
            _ => unreachable!("only timed faults strike by the clock"),
        }
    }

    /// A host that is off goes by another name from its next boot on.
    fn reinstall(&mut self, host: Host) -> Result<(), Illegal> {
        let number = self.dice.faults.bits32();
        let name = Name::from_text(&format!("anew-{}-{number:08x}", host.0)).expect("is short");
        self.act(Action::Rename { host, name })
    }

    /// From now on all reads of a host, or all of its writes, are refused.
    fn refuse(&mut self, host: Host, write: bool, lasts: Option<u64>) -> Result<(), Illegal> {
        if !self.world.is_up(host) {
            return Err(Illegal::Off);
        }
        let until = lasts.map_or(Instant::NEVER, |lasts| self.now.after_micros(lasts));
        self.hosts[usize::from(host.0)].refused_until[usize::from(write)] = until;
        Ok(())
    }

    /// One bit of a sector flips where it lies.
    fn decay(&mut self, offset: u64, bit: u64) -> Result<(), Illegal> {
        let sector = u64::from(self.case.setup.disks[0].sector_size);
        let mut bytes = self.world.disk(DiskId(0)).platter().sector(offset / sector).to_vec();
        let byte = (bit / 8) as usize;
        if bytes.len() <= byte {
            bytes.resize(byte + 1, 0);
        }
        bytes[byte] ^= 1 << (bit % 8);
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        self.act(Action::Edit { disk: DiskId(0), offset, bytes: Arc::from(bytes) })
    }

    /// `sanlock direct init`, as far as hosts of this cluster can tell: a free leader, an empty request, no block.
    fn initialise(&mut self, resource: ResourceIx) -> Result<(), Illegal> {
        let area = &self.case.setup.resources[usize::from(resource.0)];
        let space = self.case.setup.lockspaces[usize::from(area.lockspace.0)].name;
        let (disk, start) = (area.place.disk, area.place.offset);
        let sector = u64::from(area.geometry.sector());
        let leader = Leader::fresh(area.geometry, space, area.name, area.num_hosts).sector();
        let hosts = self.case.scenario.hosts.iter().map(|host| area.geometry.block_offset(HostId(host.host_id)));
        let blocks = hosts.map(|offset| (offset, Arc::default())).collect::<Vec<_>>();
        let head = [(0, leader), (sector, RequestRecord::FRESH.sector())];
        for (offset, bytes) in head.into_iter().chain(blocks) {
            self.act(Action::Edit { disk, offset: start + offset, bytes })?;
        }
        Ok(())
    }

    /// The place of a record that somebody uses.
    fn some_record(&mut self) -> u64 {
        let setup = &self.case.setup;
        let areas = (setup.lockspaces.len() + setup.resources.len()) as u64;
        let area = self.dice.faults.below(areas) as usize;
        let sectors = self.hosts.len() as u64 + 2;
        let within = self.dice.faults.below(sectors);
        let (place, geometry) = match setup.lockspaces.get(area) {
            Some(lockspace) => (lockspace.place, lockspace.geometry),
            None => {
                let resource = &setup.resources[area - setup.lockspaces.len()];
                (resource.place, resource.geometry)
            }
        };
        place.offset + within * u64::from(geometry.sector())
    }

    fn undo_after(&mut self, undo: Undo, micros: u64) {
        let entry = self.once(What::Undo(undo), self.now.after_micros(micros));
        self.undos.push((entry, undo));
    }

    fn power_loss(&mut self, host: Host, lasts: Option<u64>) -> Result<(), Illegal> {
        self.act(Action::PowerLoss { host })?;
        let entry = self.hosts[usize::from(host.0)].power_on;
        match lasts {
            Some(lasts) => self.put(entry, self.now.after_micros(lasts)),
            None => self.agenda.strike(entry),
        }
        Ok(())
    }

    fn kill_daemon(&mut self, host: Host, lasts: Option<u64>) -> Result<(), Illegal> {
        self.act(Action::KillDaemon { host })?;
        if let Some(lasts) = lasts {
            let entry = self.hosts[usize::from(host.0)].start_daemon;
            self.put(entry, self.now.after_micros(lasts));
        }
        Ok(())
    }

    pub(crate) fn stall(&mut self, host: Host, part: Part, lasts: Option<u64>) -> Result<(), Illegal> {
        self.act(Action::Stall { host, part })?;
        if let Some(lasts) = lasts {
            self.undo_after(Undo::Resume(host, part), lasts);
        }
        Ok(())
    }

    pub(crate) fn resume(&mut self, host: Host, part: Part) -> Result<(), Illegal> {
        let result = self.act(Action::Resume { host, part });
        if result.is_ok() {
            self.unpark(host);
        }
        result
    }

    fn cut(&mut self, host: Host, state: PathState, lasts: Option<u64>) -> Result<(), Illegal> {
        let open = (0..self.case.setup.disks.len()).all(|disk| {
            let path = sim_disk::PathId(host.0);
            self.world.disk(DiskId(disk as u8)).path(path) == Ok(PathState::Open)
        });
        if !open {
            return Err(Illegal::SoAlready);
        }
        self.set_paths(host, state)?;
        if let Some(lasts) = lasts {
            self.undo_after(Undo::Mend(host), lasts);
        }
        Ok(())
    }

    fn set_paths(&mut self, host: Host, state: PathState) -> Result<(), Illegal> {
        for disk in 0..self.case.setup.disks.len() {
            self.act(Action::SetPath { host, disk: DiskId(disk as u8), state })?;
        }
        self.release_held(host);
        Ok(())
    }

    pub(crate) fn undo(&mut self, entry: Entry, undo: Undo) {
        if let Some(first) = self.overdue() {
            return self.settle(entry, Host(0), Err(first));
        }
        self.undos.retain(|(known, _)| *known != entry);
        self.agenda.remove(entry);
        // What is over already, by a reboot or a second mending, needs no undoing.
        let _ = match undo {
            Undo::Resume(host, part) => self.resume(host, part),
            Undo::Mend(host) => self.set_paths(host, PathState::Open),
            Undo::Rollback(disk) => self.act(Action::Rollback { disk }),
            Undo::Unused(host, lockspace) => match self.declare(host, lockspace, Setting::Unused) {
                // Whoever stands still cannot be told, and does not forget: it is told later.
                Err(_) if self.world.daemon_up(host) => {
                    self.undo_after(undo, TOLD_AGAIN);
                    Ok(())
                }
                declared => declared,
            },
        };
    }

    /// The healing: every stall and every cut ends now, by whomever it was begun.
    pub(crate) fn undo_everything(&mut self) {
        let mut used = Vec::new();
        for (entry, undo) in std::mem::take(&mut self.undos) {
            self.agenda.remove(entry);
            used.extend(if let Undo::Unused(host, lockspace) = undo { Some((host, lockspace)) } else { None });
        }
        for index in 0..self.hosts.len() {
            let host = Host(index as u8);
            while let Some((part, _)) = self.world.stalled(host).first().copied() {
                if self.resume(host, part).is_err() {
                    break;
                }
            }
            // A path that is open already has nothing to be mended.
            let _ = self.set_paths(host, PathState::Open);
        }
        for (host, lockspace) in used {
            // A daemon that is gone has forgotten it.
            let _ = self.declare(host, lockspace, Setting::Unused);
        }
    }

    // --- The script ---

    pub(crate) fn begin_script(&mut self) {
        let scenario = self.case.scenario;
        for (index, event) in scenario.script.iter().enumerate() {
            match event.anchor {
                Anchor::Start => {
                    let at = Instant(self.dice.script.within(event.at));
                    self.once(What::Script(index as u16), at);
                }
                Anchor::After { nth, .. } => self.waiting.push((index as u16, nth)),
            }
        }
    }

    /// Something happened on a host that a script may wait for.
    pub(crate) fn moment(&mut self, moment: Moment, host: Host) {
        if self.waiting.is_empty() {
            return;
        }
        let scenario = self.case.scenario;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain_mut(|(index, left)| {
            let event = &scenario.script[usize::from(*index)];
            let Anchor::After { what, of, .. } = event.anchor else { return false };
            if what != moment || of.is_some_and(|of| of != host.0) {
                return true;
            }
            *left -= 1;
            if *left == 0 {
                let pause = self.dice.script.within(event.at);
                self.once(What::Script(*index), self.now.after_micros(pause));
            }
            *left > 0
        });
        self.waiting = waiting;
    }

    pub(crate) fn scripted(&mut self, entry: Entry, index: u16) {
        let scenario = self.case.scenario;
        let event = &scenario.script[usize::from(index)];
        let mut result = Ok(());
        match event.host {
            Some(host) => result = self.deed(event, Host(host)),
            None => {
                let once = matches!(event.deed, Deed::Snapshot | Deed::Rollback | Deed::Edit(..) | Deed::Init(_));
                let hosts = if once { 1 } else { self.hosts.len() };
                for host in 0..hosts {
                    // One host to which it cannot happen does not spare the others.
                    let _ = self.deed(event, Host(host as u8));
                }
            }
        }
        match result {
            Err(Illegal::Overdue { .. } | Illegal::TooEarly { .. }) => self.settle(entry, Host(0), result),
            _ => self.agenda.remove(entry),
        }
    }

    /// Carries out what an event does to a host, and counts the fault that strikes by it.
    fn deed(&mut self, event: &ScriptedEvent, host: Host) -> Result<(), Illegal> {
        let result = self.carried_out(event, host);
        // A fate waits for its I/O and is counted there.
        if let (Ok(()), Some(fault)) = (&result, event.deed.fault())
            && !matches!(event.deed, Deed::Io { .. })
        {
            self.fired.count(fault);
        }
        result
    }

    fn carried_out(&mut self, event: &ScriptedEvent, host: Host) -> Result<(), Illegal> {
        let lasts = event.lasts.map(|range| self.dice.script.within(range));
        let client = |number: u8| (usize::from(number), Process(number));
        match &event.deed {
            Deed::PowerLoss => self.power_loss(host, lasts),
            Deed::PowerOn => self.act(Action::PowerOn { host }),
            Deed::KillDaemon => self.kill_daemon(host, lasts),
            Deed::StartDaemon => {
                let entry = self.hosts[usize::from(host.0)].start_daemon;
                self.put(entry, self.now);
                Ok(())
            }
            Deed::KillWdmd => self.act(Action::KillWdmd { host }),
            Deed::Stall(part) => self.stall(host, *part, lasts),
            Deed::Resume(part) => self.resume(host, *part),
            Deed::StopClock => {
                self.stall(host, Part::Host, lasts)?;
                self.act(Action::StopClock { host })
            }
            Deed::Cut(state) => self.cut(host, *state, lasts),
            Deed::Mend => self.set_paths(host, PathState::Open),
            Deed::JumpClock(by) => {
                let micros = self.dice.script.within(*by);
                self.act(Action::JumpClock { host, micros })
            }
            Deed::Drift(ppm) => {
                let ppm = signed(&mut self.dice.script, *ppm);
                self.act(Action::SetDrift { host, ppm })
            }
            Deed::StepWallClock => self.act(Action::StepWallClock { host }),
            Deed::Snapshot => self.act(Action::Snapshot { disk: DiskId(0) }),
            Deed::Rollback => self.act(Action::Rollback { disk: DiskId(0) }),
            Deed::SplitOff => self.act(Action::SplitOff { host, disk: DiskId(0) }),
            Deed::Edit(offset, bytes) => {
                let bytes: Arc<[u8]> = Arc::from(bytes.as_slice());
                self.act(Action::Edit { disk: DiskId(0), offset: *offset, bytes })
            }
            Deed::Join(lockspace) => self.ask_join(host, LockspaceIx(*lockspace)),
            Deed::Leave(lockspace) => self.ask_leave(host, LockspaceIx(*lockspace), false),
            Deed::Spawn(number) => {
                let (index, process) = client(*number);
                let entry = self.hosts[usize::from(host.0)].clients[index].entry;
                self.spawn(entry, host, process);
                Ok(())
            }
            Deed::Acquire(number, resource) => {
                let (index, process) = client(*number);
                let entry = self.hosts[usize::from(host.0)].clients[index].entry;
                self.ask_acquire(entry, host, process, ResourceIx(*resource));
                Ok(())
            }
            Deed::Release(number, resource) => {
                let (index, process) = client(*number);
                let entry = self.hosts[usize::from(host.0)].clients[index].entry;
                self.ask_release(entry, host, process, ResourceIx(*resource));
                Ok(())
            }
            Deed::Exit(number) => {
                let (index, process) = client(*number);
                let entry = self.hosts[usize::from(host.0)].clients[index].entry;
                self.death(entry, host, process);
                Ok(())
            }
            Deed::Client(number, deed) => self.client_deed(host, *number, deed, lasts),
            Deed::Admin(deed) => self.admin_deed(host, deed, lasts),
            Deed::Index(index, operation) => self.ask_index(host, *index, *operation),
            Deed::Call { resource, lver, force_mode } => {
                self.ask_call(host, None, ResourceIx(*resource), *lver, *force_mode)
            }
            Deed::Examine(lockspace) => {
                let lockspace = self.case.setup.lockspaces[usize::from(*lockspace)].name;
                let request = Request::Examine { lockspace, resource: Name::EMPTY };
                self.act(Action::Ask { host, process: None, request })
            }
            Deed::SetEvent { lockspace, to, event, terms } => {
                self.ask_event(host, LockspaceIx(*lockspace), Host(*to), *event, *terms)
            }
            Deed::Listen(number, lockspace) => self.ask_listen(host, client(*number).1, LockspaceIx(*lockspace), true),
            Deed::HangUp(number) => self.hang_up(host, client(*number).1),
            Deed::Garbage(number) => self.act(Action::Garble { host, process: client(*number).1 }),
            Deed::Refuse { write } => self.refuse(host, *write, lasts),
            Deed::Init(resource) => self.initialise(ResourceIx(*resource)),
            Deed::Io { write, area, fate, skip } => {
                self.rules.push(Rule { host: host.0, write: *write, area: *area, fate: *fate, skip: *skip });
                Ok(())
            }
        }
    }
}
