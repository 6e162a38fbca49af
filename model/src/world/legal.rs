//! What can be chosen when: possible at all, within the limits, within the tolerance.

use super::World;
use super::host::HostState;
use super::io::Ghost;
use crate::action::{Action, Part};
use crate::illegal::Illegal;
use crate::instant::Instant;
use crate::limits::Budget;
use crate::setup::{Host, MOST_DRIFT_BEYOND, MOST_DRIFT_TOLERATED, Process};
use lease_core::seam::{ClientId, DiskId, Place, Request, Signal};
use sim_disk::{Disk, Ending, IoId, Landing, PathState, Sampling};

/// What an action costs: most cost nothing, some one thing, a torn ghost two.
pub(super) type Cost = [Option<Budget>; 2];

const FREE: Cost = [None, None];

/// Disks keep this promise, whatever tears a write.
const ATOMIC: u64 = 512;

impl World {
    /// Whether an action is possible at a moment, and what it costs.
    pub(super) fn legal(&self, at: Instant, action: &Action) -> Result<Cost, Illegal> {
        if at < self.now {
            return Err(Illegal::Past { now: self.now });
        }
        if let (due, Some(by)) = self.horizon()
            && at > due
        {
            return Err(Illegal::Overdue { at: due, by });
        }
        let cost = self.possible(at, action)?;
        for budget in cost.into_iter().flatten() {
            if self.left.of(budget) == 0 {
                return Err(Illegal::Spent(budget));
            }
        }
        Ok(cost)
    }

    fn possible(&self, at: Instant, action: &Action) -> Result<Cost, Illegal> {
        match *action {
            Action::Wake { host, task } => {
                let state = self.running(host)?;
                state.engine.as_ref().ok_or(Illegal::NoDaemon)?;
                let wake = state.wakes.get(task).ok_or(Illegal::NoWake)?;
                if !state.task_runs(task) {
                    return Err(Illegal::Stalled);
                }
                not_before(wake.from, at)
            }
            Action::Test { host } => {
                let state = self.running(host)?;
                state.wdmd.as_ref().ok_or(Illegal::NoWdmd)?;
                if !state.wdmd_runs() {
                    return Err(Illegal::Stalled);
                }
                let (earliest, _) = self.test_due(host).ok_or(Illegal::NoWdmd)?;
                not_before(earliest, at)
            }
            Action::Fire { host } => not_before(self.running(host)?.device.fires(), at),
            Action::Sample { disk, io, sampling } => self.possible_sampling(disk, io, sampling),
            Action::Land { disk, io, landing } => self.possible_landing(at, disk, io, landing),
            Action::Complete { disk, io, ending } => self.possible_ending(disk, io, ending),
            Action::Vanish { disk, io } => {
                self.known_disk(disk)?;
                let issued = self.issued(disk, io).ok_or(Illegal::Disk(sim_disk::Illegal::NoSuchIo))?;
                issued.ghost.map(|_| FREE).ok_or(Illegal::NoGhost)
            }
            Action::Ask { host, process, ref request } => {
                let state = self.awake(host)?;
                state.engine.as_ref().ok_or(Illegal::NoDaemon)?;
                if let Some(process) = process {
                    may_send(state, process)?;
                    // Somebody else may release in its name: a program that was run for it.
                    if state.is_stopped(process) && !matches!(request, Request::Release { .. } | Request::Inquire) {
                        return Err(Illegal::Stalled);
                    }
                }
                match request {
                    Request::AddLockspace { place, .. }
                    | Request::Acquire { place, .. }
                    | Request::Call { place, .. }
                    | Request::ReadOwners { place, .. }
                    | Request::ReadLockspace { place, .. } => self.known_place(*place)?,
                    _ => {}
                }
                Ok(FREE)
            }
            Action::Spawn { host, process } => {
                let state = self.awake(host)?;
                state.engine.as_ref().ok_or(Illegal::NoDaemon)?;
                let taken = state.process(process).is_some() || has_child(state, process);
                if process.0 == ClientId::ADMIN.0 || taken {
                    return Err(Illegal::ProcessTaken);
                }
                Ok(FREE)
            }
            Action::Exit { host, process } => {
                let state = self.awake(host)?;
                match state.process(process) {
                    Some(it) if state.is_stopped(process) && it.signalled != Some(Signal::Kill) => {
                        Err(Illegal::Stalled)
                    }
                    None if !has_child(state, process) => Err(Illegal::NoSuchProcess),
                    Some(_) | None => Ok(FREE),
                }
            }
            Action::LeaveChild { host, process } => {
                let state = self.awake(host)?;
                state.process(process).ok_or(Illegal::NoSuchProcess)?;
                if state.is_stopped(process) { Err(Illegal::Stalled) } else { Ok(FREE) }
            }
            Action::HangUp { host, process } => {
                let state = self.awake(host)?;
                may_send(state, process)?;
                if state.is_stopped(process) { Err(Illegal::Stalled) } else { costs(Budget::Hangups) }
            }
            Action::Garble { host, process } => {
                let state = self.awake(host)?;
                may_send(state, process)?;
                if state.is_stopped(process) { Err(Illegal::Stalled) } else { Ok(FREE) }
            }
            Action::PowerLoss { host } => {
                self.running(host)?;
                costs(Budget::Crashes)
            }
            Action::PowerOn { host } => match self.known(host)?.on {
                true => Err(Illegal::On),
                false => Ok(FREE),
            },
            Action::Rename { host, name } => {
                if self.known(host)?.on {
                    return Err(Illegal::On);
                }
                let others = self.hosts.iter().zip(&self.setup.hosts).enumerate();
                let others = others.filter(|(index, _)| *index != usize::from(host.0));
                let mut names = others.map(|(_, (state, setup))| state.name.unwrap_or(setup.config.host_name));
                self.beyond(names.any(|other| other.same(&name)), "two hosts go by one name")?;
                Ok(FREE)
            }
            Action::KillDaemon { host } => {
                self.awake(host)?.engine.as_ref().ok_or(Illegal::NoDaemon)?;
                costs(Budget::DaemonKills)
            }
            Action::StartDaemon { host } => {
                if self.awake(host)?.engine.is_some() {
                    return Err(Illegal::DaemonRuns);
                }
                let old = self.ios.iter().flat_map(|table| table.iter());
                let mut old = old.map(|(_, issued)| (issued.host, issued.ghost));
                match old.any(|io| io == (host, Some(Ghost::OfDaemon))) {
                    true => Err(Illegal::IoOfKilledDaemon),
                    false => Ok(FREE),
                }
            }
            Action::KillWdmd { host } => {
                let state = self.awake(host)?;
                let wdmd = state.wdmd.as_ref().ok_or(Illegal::NoWdmd)?;
                // The kernel's close would ping after an expiry, and no program can prevent it.
                let late = state.stalled_since(Part::Wdmd).is_some() || wdmd.starves_device();
                self.beyond(late, "wdmd is killed while it is stalled, or holds the device open without feeding it")?;
                costs(Budget::WdmdKills)
            }
            Action::Stall { host, part } => {
                let state = self.awake(host)?;
                has_part(state, part)?;
                if state.stalled_since(part).is_some() {
                    return Err(Illegal::SoAlready);
                }
                costs(Budget::Stalls)
            }
            Action::Resume { host, part } => {
                let state = if part == Part::Host { self.running(host)? } else { self.awake(host)? };
                state.stalled_since(part).map(|_| FREE).ok_or(Illegal::SoAlready)
            }
            Action::StopClock { host } => {
                if !self.running(host)?.is_paused() {
                    return Err(Illegal::NotPaused);
                }
                if self.clocks[usize::from(host.0)].stopped {
                    return Err(Illegal::SoAlready);
                }
                self.beyond(true, "a clock stops")?;
                costs(Budget::ClockFaults)
            }
            Action::JumpClock { host, .. } => {
                self.running(host)?;
                self.beyond(true, "a clock jumps")?;
                costs(Budget::ClockFaults)
            }
            Action::SetDrift { host, ppm } => {
                self.known(host)?;
                self.beyond(ppm.unsigned_abs() > MOST_DRIFT_TOLERATED.unsigned_abs(), "a drift of more than 200 ppm")?;
                if ppm.unsigned_abs() > MOST_DRIFT_BEYOND.unsigned_abs() {
                    return Err(Illegal::BeyondTolerance("a drift of more than 500,000 ppm, in any world"));
                }
                costs(Budget::ClockFaults)
            }
            Action::StepWallClock { host } => {
                self.running(host)?;
                Ok(FREE)
            }
            Action::SetPath { host, disk, state } => {
                self.known(host)?;
                self.known_disk(disk)?;
                if state == PathState::Open { Ok(FREE) } else { costs(Budget::Cuts) }
            }
            Action::Snapshot { disk } => {
                self.known_disk(disk)?;
                let full = self.remembered[usize::from(disk.0)].is_some_and(|snapshot| snapshot.0 == u8::MAX);
                if full { Err(Illegal::Disk(sim_disk::Illegal::Full)) } else { Ok(FREE) }
            }
            Action::Rollback { disk } => {
                self.known_disk(disk)?;
                self.remembered[usize::from(disk.0)].ok_or(Illegal::NoSnapshot)?;
                self.beyond(true, "a disk is rolled back")?;
                costs(Budget::Damage)
            }
            Action::SplitOff { host, disk } => {
                self.known(host)?;
                self.known_disk(disk)?;
                self.beyond(true, "a mirror splits")?;
                costs(Budget::Damage)
            }
            Action::Edit { disk, offset, ref bytes } => {
                let size = u64::from(self.known_disk(disk)?.sector_size());
                let end = self.known_disk(disk)?.sectors() * size;
                if !offset.is_multiple_of(size) || offset >= end || bytes.len() as u64 > size {
                    return Err(Illegal::BadPlace);
                }
                self.beyond(true, "a sector is edited")?;
                costs(Budget::Damage)
            }
        }
    }

    fn possible_sampling(&self, disk: DiskId, io: IoId, sampling: Sampling) -> Result<Cost, Illegal> {
        self.known_disk(disk)?.may_sample(io, sampling)?;
        if let Sampling::Stale { .. } = sampling {
            self.beyond(true, "a read sees the past")?;
            return costs(Budget::Damage);
        }
        Ok(FREE)
    }

    fn possible_landing(&self, at: Instant, id: DiskId, io: IoId, landing: Landing) -> Result<Cost, Illegal> {
        let disk = self.known_disk(id)?;
        disk.may_land(io, landing)?;
        let issued = self.issued(id, io).ok_or(Illegal::Disk(sim_disk::Illegal::NoSuchIo))?;
        if let Some(Ghost::OfHost { latest }) = issued.ghost {
            self.beyond(at > latest, "a write of a host that went down lands after 8N+W")?;
        }
        let ghost = issued.ghost.map(|_| Budget::Ghosts);
        let of_disk = disk.io(io)?;
        let first = of_disk.is_untouched();
        let fault = match landing {
            Landing::Whole => None,
            Landing::Sectors { from, count } => {
                ((from, count) != (0, of_disk.within()) && first).then_some(Budget::Torn)
            }
            Landing::Torn { bytes } | Landing::TornTail { bytes } if bytes.is_multiple_of(ATOMIC) => {
                first.then_some(Budget::Torn)
            }
            Landing::Torn { .. } | Landing::TornTail { .. } => {
                self.beyond(true, "a write is torn inside 512 bytes")?;
                Some(Budget::Damage)
            }
            Landing::Misdirected { .. } => {
                self.beyond(true, "a write goes astray")?;
                Some(Budget::Damage)
            }
            Landing::Rotten { .. } => {
                self.beyond(true, "a bit rots")?;
                Some(Budget::Damage)
            }
        };
        Ok([ghost, fault])
    }

    fn possible_ending(&self, id: DiskId, io: IoId, ending: Ending) -> Result<Cost, Illegal> {
        let disk = self.known_disk(id)?;
        disk.may_complete(io, ending)?;
        let issued = self.issued(id, io).ok_or(Illegal::Disk(sim_disk::Illegal::NoSuchIo))?;
        if !self.known(issued.host)?.task_runs(issued.task) {
            return Err(Illegal::Stalled);
        }
        // What a cut path answers was paid for with the cut.
        let open = disk.path(super::path_of(issued.host))? == PathState::Open;
        if open && ending != Ending::Done { costs(Budget::Errors) } else { Ok(FREE) }
    }

    /// Refuses what is beyond the tolerance in a world that keeps within it.
    fn beyond(&self, is: bool, what: &'static str) -> Result<(), Illegal> {
        match is && self.limits.within_tolerance {
            true => Err(Illegal::BeyondTolerance(what)),
            false => Ok(()),
        }
    }

    fn known(&self, host: Host) -> Result<&HostState, Illegal> {
        self.hosts.get(usize::from(host.0)).ok_or(Illegal::NoSuchHost)
    }

    /// A host that is on.
    fn running(&self, host: Host) -> Result<&HostState, Illegal> {
        let state = self.known(host)?;
        if state.on { Ok(state) } else { Err(Illegal::Off) }
    }

    /// A host that is on and not paused.
    fn awake(&self, host: Host) -> Result<&HostState, Illegal> {
        let state = self.running(host)?;
        if state.is_paused() { Err(Illegal::Stalled) } else { Ok(state) }
    }

    fn known_disk(&self, disk: DiskId) -> Result<&Disk, Illegal> {
        self.disks.get(usize::from(disk.0)).ok_or(Illegal::NoSuchDisk)
    }

    fn known_place(&self, place: Place) -> Result<(), Illegal> {
        let disk = self.known_disk(place.disk)?;
        let size = u64::from(disk.sector_size());
        match place.offset.is_multiple_of(size) && place.offset < disk.sectors() * size {
            true => Ok(()),
            false => Err(Illegal::BadPlace),
        }
    }
}

fn costs(budget: Budget) -> Result<Cost, Illegal> {
    Ok([Some(budget), None])
}

fn not_before(earliest: Instant, at: Instant) -> Result<Cost, Illegal> {
    if at < earliest { Err(Illegal::TooEarly { earliest }) } else { Ok(FREE) }
}

/// Whether a process can send something to the daemon.
fn may_send(state: &HostState, process: Process) -> Result<(), Illegal> {
    let process = state.process(process).ok_or(Illegal::NoSuchProcess)?;
    if !process.connected {
        return Err(Illegal::NotConnected);
    }
    if process.signalled == Some(Signal::Kill) {
        return Err(Illegal::Killed);
    }
    Ok(())
}

/// Whether a child of a process that ended goes on.
fn has_child(state: &HostState, process: Process) -> bool {
    state.children.iter().any(|(of, _)| *of == process)
}

/// Whether a host has what is to be stalled.
fn has_part(state: &HostState, part: Part) -> Result<(), Illegal> {
    match part {
        Part::Task(_) | Part::Daemon if state.engine.is_none() => Err(Illegal::NoDaemon),
        Part::Wdmd if state.wdmd.is_none() => Err(Illegal::NoWdmd),
        Part::Process(process) if state.process(process).is_none() => Err(Illegal::NoSuchProcess),
        Part::Task(_) | Part::Daemon | Part::Wdmd | Part::Host | Part::Process(_) => Ok(()),
    }
}
