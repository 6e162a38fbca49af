//! I/Os between engines and disks, ghosts, and what is done to the medium itself.

use super::{World, path_of};
use crate::action::Action;
use crate::happening::{Happening, Sink};
use crate::instant::Instant;
use crate::notice::Notice;
use crate::setup::{Host, Setup};
use lease_core::format::{Geometry, init};
use lease_core::numbers::Time;
use lease_core::seam::{DiskId, Input, IoResult, Output, ReadData, Slot, Task};
use sim_disk::{Bytes, Completion, Disk, Ending, IoId, Landing, Op, Platter, Run, Sampling, sector};

/// EINVAL: what a kernel answers to a transfer that is not made of whole sectors.
const EINVAL: u16 = 22;

/// What the world knows of the I/Os of one disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct IoTable {
    /// By number.
    ios: Vec<Option<Issued>>,
}

/// An I/O in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Issued {
    pub(super) host: Host,
    pub(super) task: Task,
    pub(super) slot: Slot,
    pub(super) at: Instant,
    pub(super) ghost: Option<Ghost>,
}

/// Whose death made a ghost of an I/O.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Ghost {
    /// The daemon's. The kernel of the host still works for it.
    OfDaemon,
    /// The host's. Within the tolerance it does not land after this moment.
    OfHost { latest: Instant },
}

impl Issued {
    /// Shows each moment that it remembers.
    pub(super) fn visit_instants(&mut self, instants: &mut dyn FnMut(&mut Instant)) {
        instants(&mut self.at);
        if let Some(Ghost::OfHost { latest }) = &mut self.ghost
            && *latest != Instant::NEVER
        {
            instants(latest);
        }
    }
}

impl IoTable {
    pub(super) fn get(&self, io: IoId) -> Option<&Issued> {
        self.ios.get(usize::from(io.0))?.as_ref()
    }

    fn put(&mut self, io: IoId, issued: Issued) {
        let place = usize::from(io.0);
        if place >= self.ios.len() {
            self.ios.resize(place + 1, None);
        }
        self.ios[place] = Some(issued);
    }

    fn take(&mut self, io: IoId) -> Option<Issued> {
        let taken = self.ios.get_mut(usize::from(io.0))?.take();
        while let Some(None) = self.ios.last() {
            self.ios.pop();
        }
        taken
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IoId, &Issued)> {
        self.ios.iter().enumerate().filter_map(|(index, io)| Some((IoId(index as u16), io.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Issued> {
        self.ios.iter_mut().flatten()
    }
}

/// I/Os.
impl World {
    /// An engine reads or writes.
    pub(super) fn issue<S: Sink>(&mut self, host: Host, output: Output, sink: &mut S) {
        if std::mem::take(&mut self.host_mut(host).before_first_io) && self.limits.within_tolerance {
            self.end_old_ghosts(host, sink);
        }
        let (task, slot, id, offset, length, bytes) = match output {
            Output::Read { task, slot, disk, offset, length } => (task, slot, disk, offset, length, None),
            Output::Write { task, slot, disk, offset, length, bytes } => {
                (task, slot, disk, offset, length, Some(bytes))
            }
            _ => unreachable!("only I/Os are issued"),
        };
        let Some(disk) = self.disks.get_mut(usize::from(id.0)) else {
            self.feedback.push_back(Input::IoDone { slot, result: IoResult::NoDevice });
            return;
        };
        let size = u64::from(disk.sector_size());
        if !offset.is_multiple_of(size) || !length.is_multiple_of(size) || length == 0 {
            self.feedback.push_back(Input::IoDone { slot, result: IoResult::Failed(EINVAL) });
            return;
        }
        let (start, count) = (offset / size, length / size);
        let op = match &bytes {
            None => Op::Read { start, count },
            Some(bytes) if count == 1 => Op::Write { start, runs: vec![(1, bytes.clone())] },
            Some(bytes) => Op::Write { start, runs: cut(1, bytes, length, size) },
        };
        let io = disk.issue(path_of(host), op).expect("each host has a path, and an I/O has sectors that fit");
        self.ios[usize::from(id.0)].put(io, Issued { host, task, slot, at: self.now, ghost: None });
        let write = bytes.is_some();
        let happening = match bytes {
            None => Happening::ReadIssued { host, task, slot, disk: id, io, offset, length },
            Some(bytes) => Happening::WriteIssued { host, task, slot, disk: id, io, offset, length, bytes },
        };
        self.emit(&happening, sink);
        self.notices.push(Notice::Issued { host, task, disk: id, io, write, sectors: count });
    }

    pub(super) fn sample<S: Sink>(&mut self, id: DiskId, io: IoId, sampling: Sampling, sink: &mut S) {
        self.disks[usize::from(id.0)].sample(io, sampling).expect("the sampling was found possible");
        self.emit(&Happening::Sampled { disk: id, io }, sink);
    }

    pub(super) fn land<S: Sink>(&mut self, id: DiskId, io: IoId, landing: Landing, sink: &mut S) {
        let issued = *self.issued(id, io).expect("it was found in flight");
        let disk = &mut self.disks[usize::from(id.0)];
        let before = disk.io(io).expect("it was found in flight");
        // What lands whole and at once stands there intact; of what lands in parts another write may have taken some.
        let at_once = before.is_untouched() && matches!(landing, Landing::Whole | Landing::Sectors { .. });
        let written = if at_once { None } else { Some(before.op().clone()) };
        let landed = disk.land(io, landing).expect("the landing was found possible");
        let over = disk.io(io).is_err();
        let intact = written.is_none_or(|op| {
            !matches!(landing, Landing::Misdirected { .. })
                && stands_there(&disk.replicas()[landed.replica], &op, landed.start, landed.count)
        });
        let size = u64::from(disk.sector_size());
        if over {
            self.ios[usize::from(id.0)].take(io);
        }
        let happening = Happening::Landed {
            host: issued.host,
            disk: id,
            io,
            offset: landed.start * size,
            length: landed.count * size,
            ghost: issued.ghost.is_some(),
            intact,
        };
        self.emit(&happening, sink);
    }

    /// Returns the host that heard of it.
    pub(super) fn complete<S: Sink>(&mut self, id: DiskId, io: IoId, ending: Ending, sink: &mut S) -> Host {
        let disk = &mut self.disks[usize::from(id.0)];
        let completion = disk.complete(io, ending).expect("the ending was found possible");
        let unit = disk.sector_size();
        let Issued { host, slot, at, .. } = self.ios[usize::from(id.0)].take(io).expect("it was found in flight");
        let took = self.now.micros_since(at);
        let completed = Happening::Completed { host, slot, disk: id, io, ending, completion, took };
        self.emit(&completed, sink);
        let Happening::Completed { completion, .. } = completed else { unreachable!("it was made a line above") };
        let result = match completion {
            Completion::Read(runs) => IoResult::Read(ReadData { unit, runs }),
            Completion::Written => IoResult::Written,
            Completion::Short => IoResult::Short,
            Completion::Failed(errno) => IoResult::Failed(errno),
            Completion::NoDevice => IoResult::NoDevice,
        };
        self.feed(host, Input::IoDone { slot, result }, sink);
        host
    }

    pub(super) fn vanish<S: Sink>(&mut self, id: DiskId, io: IoId, sink: &mut S) {
        self.disks[usize::from(id.0)].vanish(io).expect("it was found in flight");
        self.ios[usize::from(id.0)].take(io);
        self.emit(&Happening::Vanished { disk: id, io }, sink);
    }

    pub(super) fn issued(&self, id: DiskId, io: IoId) -> Option<&Issued> {
        self.ios.get(usize::from(id.0))?.get(io)
    }

    /// A host or its daemon died with I/Os under way.
    pub(super) fn orphan(&mut self, host: Host) {
        let down = !self.host(host).on;
        let lasts = self.ghost_micros(host);
        for index in 0..self.disks.len() {
            let disk = DiskId(index as u8);
            self.disks[index].orphan(path_of(host)).expect("each host has a path");
            let mut over: Vec<IoId> = Vec::new();
            let table = &mut self.ios[index];
            for (place, slot) in table.ios.iter_mut().enumerate() {
                let Some(issued) = slot.as_mut().filter(|issued| issued.host == host) else { continue };
                let io = IoId(place as u16);
                let Ok(left) = self.disks[index].io(io) else {
                    over.push(io);
                    continue;
                };
                let ghost = match (down, lasts) {
                    (false, _) => Ghost::OfDaemon,
                    (true, Some(lasts)) => Ghost::OfHost { latest: issued.at.after_micros(lasts) },
                    (true, None) => Ghost::OfHost { latest: Instant::NEVER },
                };
                // A ghost of a life before is reported once.
                if issued.ghost.is_some_and(|old| old == ghost || matches!(old, Ghost::OfHost { .. })) {
                    continue;
                }
                issued.ghost = Some(ghost);
                let latest = match ghost {
                    Ghost::OfDaemon => Instant::NEVER,
                    Ghost::OfHost { latest } => latest,
                };
                self.notices.push(Notice::Ghost { disk, io, write: left.is_write(), latest });
            }
            for io in over {
                table.take(io);
            }
        }
    }

    /// How long after its issue a write of a host that went down may land: failure age (8·io_timeout) + W, the age at which others
    /// may take what the host held. Beyond the tolerance there is no bound.
    fn ghost_micros(&self, host: Host) -> Option<u64> {
        let setup = &self.setup.hosts[usize::from(host.0)];
        let longest = setup.memberships.iter().map(|membership| membership.io_timeout).max().unwrap_or(0);
        let parameters = &setup.config.parameters;
        let seconds = parameters.failure_age(longest.into()) + parameters.watchdog_fire_timeout;
        self.limits.within_tolerance.then_some(Time::from_secs(seconds).micros())
    }

    /// Within the tolerance nothing of an earlier life of a host lands once this life does I/O.
    fn end_old_ghosts<S: Sink>(&mut self, host: Host, sink: &mut S) {
        for index in 0..self.ios.len() {
            let old = |issued: &Issued| issued.host == host && matches!(issued.ghost, Some(Ghost::OfHost { .. }));
            let ghosts = self.ios[index].iter().filter(|(_, issued)| old(issued)).map(|(io, _)| io);
            for io in ghosts.collect::<Vec<IoId>>() {
                self.vanish(DiskId(index as u8), io, sink);
            }
        }
    }
}

/// Paths and media.
impl World {
    pub(super) fn touch_storage<S: Sink>(&mut self, action: &Action, sink: &mut S) {
        let happening = match *action {
            Action::SetPath { host, disk, state } => {
                let path = self.disks[usize::from(disk.0)].set_path(path_of(host), state);
                path.expect("each host has a path");
                Happening::PathChanged { host, disk, state }
            }
            Action::Snapshot { disk } => {
                let snapshot = self.disks[usize::from(disk.0)].snapshot().expect("there is a number left");
                self.remembered[usize::from(disk.0)] = Some(snapshot);
                Happening::MediumChanged { disk }
            }
            Action::Rollback { disk } => {
                let snapshot = self.remembered[usize::from(disk.0)].expect("something was found remembered");
                self.disks[usize::from(disk.0)].rollback(snapshot).expect("what is remembered is kept");
                Happening::MediumChanged { disk }
            }
            Action::SplitOff { host, disk: id } => {
                let disk = &mut self.disks[usize::from(id.0)];
                let replica = disk.split();
                disk.set_replica(path_of(host), replica).expect("each host has a path, and the replica is new");
                Happening::MediumChanged { disk: id }
            }
            Action::Edit { disk: id, offset, ref bytes } => {
                let disk = &mut self.disks[usize::from(id.0)];
                let start = offset / u64::from(disk.sector_size());
                disk.platter_mut(0).expect("replica 0 always exists").write(start, &[(1, sector(bytes))]);
                Happening::MediumChanged { disk: id }
            }
            _ => unreachable!("only actions that touch storage come here"),
        };
        self.emit(&happening, sink);
    }
}

/// Whether these sectors of a platter hold what was to be written to them.
fn stands_there(platter: &Platter, op: &Op, start: u64, count: u64) -> bool {
    let Op::Write { start: first, runs } = op else { return false };
    let mut wanted: Vec<&Bytes> = Vec::new();
    for (count, bytes) in runs {
        wanted.extend(std::iter::repeat_n(bytes, *count as usize));
    }
    (start..start + count).all(|at| {
        at.checked_sub(*first)
            .is_some_and(|index| wanted.get(index as usize).is_some_and(|bytes| platter.sector(at) == *bytes))
    })
}

/// `count` equal records of `length` bytes, as runs of sectors of `size` bytes. Bytes are given without trailing zeros.
fn cut(count: u32, bytes: &Bytes, length: u64, size: u64) -> Vec<Run> {
    let sectors = u32::try_from(length / size).expect("a record has few sectors");
    if sectors == 1 {
        return vec![(count, bytes.clone())];
    }
    if bytes.is_empty() {
        return vec![(count * sectors, Bytes::default())];
    }
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..count {
        for index in 0..sectors as usize {
            let from = (index * size as usize).min(bytes.len());
            let to = (from + size as usize).min(bytes.len());
            let piece = sector(&bytes[from..to]);
            match runs.last_mut() {
                Some((count, last)) if *last == piece => *count += 1,
                _ => runs.push((1, piece)),
            }
        }
    }
    runs
}

/// The disks of a world before anything happened: all areas formatted.
pub(super) fn formatted(setup: &Setup) -> Vec<Platter> {
    let fresh = |disk: &crate::setup::DiskSetup| Platter::new(disk.sector_size, disk.sectors);
    let mut platters: Vec<Platter> = setup.disks.iter().map(fresh).collect();
    let mut write = |disk: DiskId, offset: u64, geometry: Geometry, runs: &[(u32, Bytes)]| {
        let platter = &mut platters[usize::from(disk.0)];
        let size = u64::from(platter.sector_size());
        let whole = u64::from(geometry.sector());
        let runs: Vec<Run> = runs.iter().flat_map(|(count, bytes)| cut(*count, bytes, whole, size)).collect();
        platter.write(offset / size, &runs);
    };
    for space in &setup.lockspaces {
        let (area, commit) = init::lockspace(space.geometry, space.name, space.io_timeout);
        write(space.place.disk, space.place.offset, space.geometry, &area);
        write(space.place.disk, space.place.offset, space.geometry, &[(1, commit)]);
    }
    for index in &setup.indices {
        let space = setup.lockspaces[usize::from(index.lockspace.0)].name;
        let (area, _) = init::rindex(index.geometry, space, index.place.offset, index.max_resources);
        write(index.place.disk, index.place.offset, index.geometry, &area);
    }
    for resource in &setup.resources {
        let space = setup.lockspaces[usize::from(resource.lockspace.0)].name;
        let area = init::resource(resource.geometry, space, resource.name, resource.num_hosts);
        write(resource.place.disk, resource.place.offset, resource.geometry, &area);
    }
    platters
}

/// What is in flight on a disk, ghosts included, with who issued it.
impl World {
    /// Each I/O in flight on a disk with the host and task that issued it, when, and whether nobody waits for it.
    pub fn in_flight(&self, disk: DiskId) -> impl Iterator<Item = InFlight> {
        let disk_ref: &Disk = &self.disks[usize::from(disk.0)];
        self.ios[usize::from(disk.0)].iter().map(move |(io, issued)| InFlight {
            disk,
            io,
            host: issued.host,
            task: issued.task,
            slot: issued.slot,
            since: issued.at,
            ghost: issued.ghost.is_some(),
            write: disk_ref.io(io).is_ok_and(sim_disk::Io::is_write),
        })
    }
}

/// An I/O on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InFlight {
    /// The disk.
    pub disk: DiskId,
    /// The I/O.
    pub io: IoId,
    /// Who issued it.
    pub host: Host,
    /// The task that did.
    pub task: Task,
    /// Under which slot its engine knows it.
    pub slot: Slot,
    /// When it was issued.
    pub since: Instant,
    /// Whether nobody waits for it any more.
    pub ghost: bool,
    /// Whether it is a write.
    pub write: bool,
}
