//! The disk: platters, paths, I/Os in flight, snapshots, and what may be done to them.

use crate::illegal::Illegal;
use crate::io::{Completion, Ending, Io, IoId, Landing, Op, Sampling};
use crate::platter::{Bytes, Platter, Run, sector, slice_runs, trimmed};
use crate::progress::Progress;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// One host's way to the disk. Numbered in the order in which they were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PathId(pub u8);

/// A copy of the disk. The lowest free number is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SnapshotId(pub u8);

/// What a path lets pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PathState {
    /// Everything.
    Open,
    /// Nothing: what is on it neither lands nor is sampled nor completes until the path is mended, ghosts included.
    /// (A queue that waits for a path to come back.)
    Hung,
    /// Only answers of this errno, a positive number. Ghosts are beyond the path and may land.
    Failing(u16),
    /// Only the answer that there is no device. Ghosts are beyond the path and may land.
    Gone,
}

/// Where a landing touched the disk: the smallest range that holds all sectors which took something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LandedSectors {
    /// The replica.
    pub replica: usize,
    /// The first sector of the disk.
    pub start: u64,
    /// How many.
    pub count: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Path {
    state: PathState,
    replica: usize,
}

/// A shared disk. A plain value: clone it, compare it, hash it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Disk {
    /// The replicas of a mirror: one, unless it is split.
    platters: Vec<Platter>,
    paths: Vec<Path>,
    /// By number; the last one is always taken, so that equal disks have equal tables.
    in_flight: Vec<Option<Arc<Io>>>,
    /// By number; the last one is always taken. Each holds all replicas of its moment.
    snapshots: Vec<Option<Arc<Vec<Platter>>>>,
}

impl Disk {
    /// A disk of zeros without paths.
    ///
    /// # Panics
    ///
    /// As [`Platter::new`].
    pub fn new(sector_size: u32, sectors: u64) -> Disk {
        Disk::from_platter(Platter::new(sector_size, sectors))
    }

    /// A disk with these contents, without paths.
    pub fn from_platter(platter: Platter) -> Disk {
        Disk { platters: vec![platter], paths: Vec::new(), in_flight: Vec::new(), snapshots: Vec::new() }
    }

    /// Bytes per sector.
    pub fn sector_size(&self) -> u32 {
        self.platters[0].sector_size()
    }

    /// Number of sectors.
    pub fn sectors(&self) -> u64 {
        self.platters[0].sectors()
    }
}

/// Paths.
impl Disk {
    /// One more path, open, to replica 0.
    ///
    /// # Panics
    ///
    /// If there are 256 already.
    pub fn add_path(&mut self) -> PathId {
        let id = PathId(u8::try_from(self.paths.len()).expect("a disk has 256 paths at most"));
        self.paths.push(Path { state: PathState::Open, replica: 0 });
        id
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = (PathId, PathState)> {
        (0..self.paths.len()).map(|index| (PathId(index as u8), self.paths[index].state))
    }

    /// What a path lets pass.
    ///
    /// # Errors
    ///
    /// If there is no such path.
    pub fn path(&self, path: PathId) -> Result<PathState, Illegal> {
        self.paths.get(usize::from(path.0)).map(|path| path.state).ok_or(Illegal::NoSuchPath)
    }

    /// Cuts or mends a path.
    ///
    /// # Errors
    ///
    /// If there is no such path.
    pub fn set_path(&mut self, path: PathId, state: PathState) -> Result<(), Illegal> {
        self.paths.get_mut(usize::from(path.0)).ok_or(Illegal::NoSuchPath)?.state = state;
        Ok(())
    }

    /// The replica to which a path leads.
    ///
    /// # Errors
    ///
    /// If there is no such path.
    pub fn replica(&self, path: PathId) -> Result<usize, Illegal> {
        self.paths.get(usize::from(path.0)).map(|path| path.replica).ok_or(Illegal::NoSuchPath)
    }

    /// Leads a path to another replica. What is in flight on the path goes there too.
    ///
    /// # Errors
    ///
    /// If there is no such path or replica.
    pub fn set_replica(&mut self, path: PathId, replica: usize) -> Result<(), Illegal> {
        let known = replica < self.platters.len();
        let path = self.paths.get_mut(usize::from(path.0)).ok_or(Illegal::NoSuchPath)?;
        if !known {
            return Err(Illegal::NoSuchReplica);
        }
        path.replica = replica;
        Ok(())
    }
}

/// Contents.
impl Disk {
    /// What is on replica 0: the disk, unless its mirror is split.
    pub fn platter(&self) -> &Platter {
        &self.platters[0]
    }

    /// What is on the replica to which a path leads.
    ///
    /// # Errors
    ///
    /// If there is no such path.
    pub fn platter_of(&self, path: PathId) -> Result<&Platter, Illegal> {
        Ok(&self.platters[self.replica(path)?])
    }

    /// All replicas.
    pub fn replicas(&self) -> &[Platter] {
        &self.platters
    }

    /// A replica, to be edited directly: no path, no I/O.
    ///
    /// # Errors
    ///
    /// If there is no such replica.
    pub fn platter_mut(&mut self, replica: usize) -> Result<&mut Platter, Illegal> {
        self.platters.get_mut(replica).ok_or(Illegal::NoSuchReplica)
    }

    /// Splits the mirror: a new replica, equal to replica 0, which follows no other from now on. Lead paths to it with
    /// [`Disk::set_replica`].
    pub fn split(&mut self) -> usize {
        self.platters.push(self.platters[0].clone());
        self.platters.len() - 1
    }

    /// Heals a split mirror: one replica wins, the others are lost, and all paths lead to the one that is left.
    ///
    /// # Errors
    ///
    /// If there is no such replica.
    pub fn unsplit(&mut self, winner: usize) -> Result<(), Illegal> {
        if winner >= self.platters.len() {
            return Err(Illegal::NoSuchReplica);
        }
        self.platters.swap(0, winner);
        self.platters.truncate(1);
        for path in &mut self.paths {
            path.replica = 0;
        }
        Ok(())
    }

    /// Remembers what is on all replicas now. Costs next to nothing until they are written.
    ///
    /// # Errors
    ///
    /// If there are 256 snapshots already.
    pub fn snapshot(&mut self) -> Result<SnapshotId, Illegal> {
        let free = lowest_free(&self.snapshots);
        let id = SnapshotId(u8::try_from(free).map_err(|_| Illegal::Full)?);
        put(&mut self.snapshots, free, Arc::new(self.platters.clone()));
        Ok(id)
    }

    /// Sets all replicas back to what they were. What is in flight stays in flight, paths stay as they are, and the
    /// snapshot is kept. A replica that was split off later becomes what replica 0 was.
    ///
    /// # Errors
    ///
    /// If there is no such snapshot.
    pub fn rollback(&mut self, snapshot: SnapshotId) -> Result<(), Illegal> {
        let old = get(&self.snapshots, snapshot.0.into()).ok_or(Illegal::NoSuchSnapshot)?;
        for (index, platter) in self.platters.iter_mut().enumerate() {
            *platter = old.get(index).unwrap_or(&old[0]).clone();
        }
        Ok(())
    }

    /// Rewrites sectors wherever they are: on all platters, in snapshots, in writes in flight and in what reads in
    /// flight have sampled. `each` is given the first sector of some equal ones and the bytes of each of them, and
    /// answers with other bytes, or with none if they stay. For a tool that renames numbers in records.
    pub fn rewrite(&mut self, each: &mut dyn FnMut(u64, &Bytes) -> Option<Bytes>) {
        for platter in &mut self.platters {
            rewrite_platter(platter, each);
        }
        for snapshot in self.snapshots.iter_mut().flatten() {
            for platter in Arc::make_mut(snapshot) {
                rewrite_platter(platter, each);
            }
        }
        for io in self.in_flight.iter_mut().flatten() {
            let io = Arc::make_mut(io);
            let start = io.start();
            rewrite_runs(start, &mut io.data, each);
            if let Op::Write { runs, .. } = &mut io.op {
                rewrite_runs(start, runs, each);
            }
        }
    }

    /// Forgets a snapshot.
    ///
    /// # Errors
    ///
    /// If there is no such snapshot.
    pub fn drop_snapshot(&mut self, snapshot: SnapshotId) -> Result<(), Illegal> {
        take(&mut self.snapshots, snapshot.0.into()).map(|_| ()).ok_or(Illegal::NoSuchSnapshot)
    }
}

/// I/Os.
impl Disk {
    /// A host hands an I/O over. It is accepted whatever the state of the path, which decides what may become of it.
    ///
    /// # Errors
    ///
    /// If there is no such path, if it is an I/O of no sectors, or if 65,536 are in flight already.
    pub fn issue(&mut self, path: PathId, mut op: Op) -> Result<IoId, Illegal> {
        self.path(path)?;
        let count = op.count();
        if count == 0 {
            return Err(Illegal::Empty);
        }
        if let Op::Write { runs, .. } = &mut op {
            if runs.iter().any(|(_, bytes)| bytes.last() == Some(&0)) {
                *runs = trimmed(runs);
            }
            if runs.iter().any(|(_, bytes)| bytes.len() > self.sector_size() as usize) {
                return Err(Illegal::SectorTooLong);
            }
        }
        let free = lowest_free(&self.in_flight);
        let id = IoId(u16::try_from(free).map_err(|_| Illegal::Full)?);
        let within = self.sectors().saturating_sub(op.start()).min(count);
        // With nothing on the disk to move, everything has moved.
        let progress = if within == 0 { Progress::All } else { Progress::Nothing };
        let io = Io { path, op, count, within, progress, data: Vec::new(), ghost: false };
        put(&mut self.in_flight, free, Arc::new(io));
        Ok(id)
    }

    /// An I/O in flight.
    ///
    /// # Errors
    ///
    /// If there is no such I/O.
    pub fn io(&self, id: IoId) -> Result<&Io, Illegal> {
        get(&self.in_flight, id.0.into()).map(|io| &**io).ok_or(Illegal::NoSuchIo)
    }

    /// All I/Os in flight, ghosts included, by number.
    pub fn in_flight(&self) -> impl Iterator<Item = (IoId, &Io)> {
        let numbered = self.in_flight.iter().enumerate();
        numbered.filter_map(|(index, io)| Some((IoId(index as u16), &**io.as_ref()?)))
    }

    /// Whether this landing is possible now.
    ///
    /// # Errors
    ///
    /// If not, why not.
    pub fn may_land(&self, id: IoId, landing: Landing) -> Result<(), Illegal> {
        self.plan_landing(self.io(id)?, landing).map(|_| ())
    }

    /// A write, or a part of it, reaches the platter. A ghost of which nothing is left is forgotten.
    ///
    /// # Errors
    ///
    /// If it is not possible; nothing has changed then.
    pub fn land(&mut self, id: IoId, landing: Landing) -> Result<LandedSectors, Illegal> {
        let (from, to) = self.plan_landing(self.io(id)?, landing)?;
        let size = u64::from(self.sector_size());
        let io = get(&self.in_flight, id.0.into()).expect("what may land is in flight");
        let Op::Write { start, runs } = &io.op else { unreachable!("only writes are planned to land") };
        let target = if let Landing::Misdirected { start } = landing { start } else { *start };
        let replica = self.paths[usize::from(io.path.0)].replica;
        let platter = &mut self.platters[replica];

        let mut touched = None;
        io.progress.for_each_gap(from, to, |from, to| {
            land_bytes(platter, target, runs, from, to);
            let first = touched.map_or(from / size, |(first, _)| first);
            touched = Some((first, to.div_ceil(size)));
        });
        if let Landing::Rotten { bit } = landing {
            platter.flip_bit(target * size * 8 + bit);
        }
        let (first, end) = touched.expect("a landing that is possible lands something");

        let progress = io.progress.with(from, to, io.within * size);
        if progress == Progress::All && io.ghost {
            take(&mut self.in_flight, id.0.into());
        } else {
            self.io_mut(id).progress = progress;
        }
        Ok(LandedSectors { replica, start: target + first, count: end - first })
    }

    /// Whether this sampling is possible now.
    ///
    /// # Errors
    ///
    /// If not, why not.
    pub fn may_sample(&self, id: IoId, sampling: Sampling) -> Result<(), Illegal> {
        self.plan_sampling(self.io(id)?, sampling).map(|_| ())
    }

    /// A read, or a part of it, sees the platter.
    ///
    /// # Errors
    ///
    /// If it is not possible; nothing has changed then.
    pub fn sample(&mut self, id: IoId, sampling: Sampling) -> Result<(), Illegal> {
        let io = self.io(id)?;
        let (from, to) = self.plan_sampling(io, sampling)?;
        let replica = self.paths[usize::from(io.path.0)].replica;
        let platter = match sampling {
            Sampling::Whole | Sampling::Sectors { .. } => &self.platters[replica],
            Sampling::Stale { snapshot, .. } => {
                let old = get(&self.snapshots, snapshot.0.into()).expect("a planned sampling has its snapshot");
                old.get(replica).unwrap_or(&old[0])
            }
        };
        let size = u64::from(self.sector_size());
        let data = if (from, to) == (0, io.within) && io.progress == Progress::Nothing {
            platter.runs(io.start(), io.within)
        } else {
            let mut seen = Platter::new(platter.sector_size(), io.within);
            seen.write(0, &io.data);
            io.progress.for_each_gap(from * size, to * size, |from, to| {
                let (from, to) = (from / size, to / size);
                seen.write(from, &platter.runs(io.start() + from, to - from));
            });
            seen.runs(0, io.within)
        };
        let progress = io.progress.with(from * size, to * size, io.within * size);
        let io = self.io_mut(id);
        io.data = data;
        io.progress = progress;
        Ok(())
    }

    /// Whether an I/O can end like this now.
    ///
    /// # Errors
    ///
    /// If not, why not.
    pub fn may_complete(&self, id: IoId, ending: Ending) -> Result<(), Illegal> {
        let io = self.io(id)?;
        if io.ghost {
            return Err(Illegal::Ghost);
        }
        match (self.path(io.path)?, ending) {
            (PathState::Hung, _) => return Err(Illegal::PathHung),
            (PathState::Open, _) | (PathState::Gone, Ending::NoDevice) => {}
            (PathState::Failing(own), Ending::Refused(errno) | Ending::LostAnswer(errno)) if own == errno => {}
            (PathState::Failing(_), _) => return Err(Illegal::PathFailing),
            (PathState::Gone, _) => return Err(Illegal::PathGone),
        }
        match ending {
            Ending::Done if !io.is_whole() => Err(Illegal::NotWhole),
            Ending::Refused(_) if io.is_write() && !io.is_untouched() => Err(Illegal::AlreadyMoved),
            Ending::LostAnswer(_) if !io.is_write() => Err(Illegal::NotAWrite),
            Ending::LostAnswer(_) if io.is_untouched() => Err(Illegal::Untouched),
            _ => Ok(()),
        }
    }

    /// An I/O ends at the host, and its number is free again. What has not moved, never will.
    ///
    /// # Errors
    ///
    /// If it cannot end like this; nothing has changed then.
    pub fn complete(&mut self, id: IoId, ending: Ending) -> Result<Completion, Illegal> {
        self.may_complete(id, ending)?;
        let io = take(&mut self.in_flight, id.0.into()).expect("what may complete is in flight");
        Ok(match ending {
            Ending::Done if io.within < io.count => Completion::Short,
            Ending::Done if io.is_write() => Completion::Written,
            Ending::Done => Completion::Read(Arc::try_unwrap(io).map_or_else(|io| io.data.clone(), |io| io.data)),
            Ending::Refused(errno) | Ending::LostAnswer(errno) => Completion::Failed(errno),
            Ending::Short => Completion::Short,
            Ending::NoDevice => Completion::NoDevice,
        })
    }

    /// Whether a write can be abandoned with this errno now.
    ///
    /// # Errors
    ///
    /// If not, why not.
    pub fn may_abandon(&self, id: IoId, errno: u16) -> Result<(), Illegal> {
        let io = self.io(id)?;
        if io.ghost {
            return Err(Illegal::Ghost);
        }
        match self.path(io.path)? {
            PathState::Hung => Err(Illegal::PathHung),
            PathState::Gone => Err(Illegal::PathGone),
            PathState::Failing(own) if own != errno => Err(Illegal::PathFailing),
            _ if !io.is_write() => Err(Illegal::NotAWrite),
            _ if io.is_whole() => Err(Illegal::NothingLeft),
            _ => Ok(()),
        }
    }

    /// A write fails at the host with this errno (a positive number), and goes on to the disk as a ghost.
    ///
    /// # Errors
    ///
    /// If it cannot; nothing has changed then. A write that has landed whole leaves no ghost: that is
    /// [`Ending::LostAnswer`].
    pub fn abandon(&mut self, id: IoId, errno: u16) -> Result<Completion, Illegal> {
        self.may_abandon(id, errno)?;
        self.io_mut(id).ghost = true;
        Ok(Completion::Failed(errno))
    }

    /// The host at this end of a path died. Its reads are forgotten, and so are its writes of which nothing is left to
    /// land; the others become ghosts. Returns those.
    ///
    /// # Errors
    ///
    /// If there is no such path.
    pub fn orphan(&mut self, path: PathId) -> Result<Vec<IoId>, Illegal> {
        self.path(path)?;
        let mut ghosts = Vec::new();
        for index in 0..self.in_flight.len() {
            let Some(io) = get(&self.in_flight, index) else { continue };
            if io.path != path || io.ghost {
                continue;
            }
            if io.is_write() && !io.is_whole() {
                let id = IoId(index as u16);
                self.io_mut(id).ghost = true;
                ghosts.push(id);
            } else {
                take(&mut self.in_flight, index);
            }
        }
        Ok(ghosts)
    }

    /// An I/O is lost: it will neither move nor complete any more. The host, if it still waits, waits for ever.
    ///
    /// # Errors
    ///
    /// If there is no such I/O.
    pub fn vanish(&mut self, id: IoId) -> Result<(), Illegal> {
        take(&mut self.in_flight, id.0.into()).map(|_| ()).ok_or(Illegal::NoSuchIo)
    }

    /// Which bytes of a write a landing names, from the first to before the second; at least one has not landed yet.
    fn plan_landing(&self, io: &Io, landing: Landing) -> Result<(u64, u64), Illegal> {
        if !io.is_write() {
            return Err(Illegal::NotAWrite);
        }
        self.check_moves(io)?;
        let size = u64::from(self.sector_size());
        let whole = io.within * size;
        let (from, to) = match landing {
            Landing::Whole => (0, whole),
            Landing::Sectors { from, count } => {
                let (from, to) = sectors_of(io, from, count)?;
                (from * size, to * size)
            }
            Landing::Torn { bytes } | Landing::TornTail { bytes } if bytes == 0 || bytes >= whole => {
                return Err(Illegal::OutOfRange);
            }
            Landing::Torn { bytes } => (0, bytes),
            Landing::TornTail { bytes } => (bytes, whole),
            Landing::Misdirected { start } => {
                if start.checked_add(io.within).is_none_or(|end| end > self.sectors()) {
                    return Err(Illegal::OutOfRange);
                }
                if !io.is_untouched() {
                    return Err(Illegal::AlreadyMoved);
                }
                (0, whole)
            }
            Landing::Rotten { bit } => {
                if bit / 8 >= whole {
                    return Err(Illegal::OutOfRange);
                }
                if !io.progress.has_gap(bit / 8, bit / 8 + 1) {
                    return Err(Illegal::NothingLeft);
                }
                (0, whole)
            }
        };
        if io.progress.has_gap(from, to) { Ok((from, to)) } else { Err(Illegal::NothingLeft) }
    }

    /// Which sectors of a read a sampling names, from the first to before the second; at least one was not sampled yet.
    fn plan_sampling(&self, io: &Io, sampling: Sampling) -> Result<(u64, u64), Illegal> {
        if io.is_write() {
            return Err(Illegal::NotARead);
        }
        self.check_moves(io)?;
        let (from, to) = match sampling {
            Sampling::Whole => (0, io.within),
            Sampling::Sectors { from, count } => sectors_of(io, from, count)?,
            Sampling::Stale { snapshot, from, count } => {
                if get(&self.snapshots, snapshot.0.into()).is_none() {
                    return Err(Illegal::NoSuchSnapshot);
                }
                sectors_of(io, from, count)?
            }
        };
        let size = u64::from(self.sector_size());
        if io.progress.has_gap(from * size, to * size) { Ok((from, to)) } else { Err(Illegal::NothingLeft) }
    }

    /// Whether the path lets an I/O reach the disk.
    fn check_moves(&self, io: &Io) -> Result<(), Illegal> {
        match self.path(io.path)? {
            PathState::Hung => Err(Illegal::PathHung),
            PathState::Failing(_) if !io.ghost => Err(Illegal::PathFailing),
            PathState::Gone if !io.ghost => Err(Illegal::PathGone),
            PathState::Open | PathState::Failing(_) | PathState::Gone => Ok(()),
        }
    }

    fn io_mut(&mut self, id: IoId) -> &mut Io {
        let io = self.in_flight[usize::from(id.0)].as_mut();
        Arc::make_mut(io.expect("only I/Os that were found in flight are changed"))
    }
}

/// The sectors of an I/O that are named, from the first to before the second.
fn sectors_of(io: &Io, from: u64, count: u64) -> Result<(u64, u64), Illegal> {
    match from.checked_add(count) {
        Some(to) if count > 0 && to <= io.within => Ok((from, to)),
        _ => Err(Illegal::OutOfRange),
    }
}

/// Lands the bytes of a write from `from` to before `to`, where the write begins at sector `start`.
fn land_bytes(platter: &mut Platter, start: u64, runs: &[Run], from: u64, to: u64) {
    let size = u64::from(platter.sector_size());
    let mut at = from;
    while at < to {
        let (sector, within) = (at / size, at % size);
        let whole = (to - at) / size;
        if within == 0 && whole > 0 {
            let length: u64 = runs.iter().map(|&(count, _)| u64::from(count)).sum();
            if (sector, whole) == (0, length) {
                platter.write(start, runs);
            } else {
                platter.write(start + sector, &slice_runs(runs, sector, whole));
            }
            at += whole * size;
        } else {
            let end = to.min((sector + 1) * size);
            let [(_, bytes)] = &slice_runs(runs, sector, 1)[..] else { unreachable!("one sector is one run") };
            platter.write_within(start + sector, bytes, within as usize, (end - sector * size) as usize);
            at = end;
        }
    }
}

fn rewrite_platter(platter: &mut Platter, each: &mut dyn FnMut(u64, &Bytes) -> Option<Bytes>) {
    let mut runs = platter.runs(0, platter.sectors());
    rewrite_runs(0, &mut runs, each);
    platter.write(0, &runs);
}

fn rewrite_runs(start: u64, runs: &mut [Run], each: &mut dyn FnMut(u64, &Bytes) -> Option<Bytes>) {
    let mut at = start;
    for (count, bytes) in runs {
        if let Some(new) = each(at, bytes) {
            *bytes = sector(&new);
        }
        at += u64::from(*count);
    }
}

fn lowest_free<T>(slab: &[Option<T>]) -> usize {
    slab.iter().position(Option::is_none).unwrap_or(slab.len())
}

fn put<T>(slab: &mut Vec<Option<T>>, index: usize, value: T) {
    if index == slab.len() {
        slab.push(Some(value));
    } else {
        slab[index] = Some(value);
    }
}

fn get<T>(slab: &[Option<T>], index: usize) -> Option<&T> {
    slab.get(index)?.as_ref()
}

/// Empties a place, and drops the empty ones at the end.
fn take<T>(slab: &mut Vec<Option<T>>, index: usize) -> Option<T> {
    let value = slab.get_mut(index)?.take();
    while let Some(None) = slab.last() {
        slab.pop();
    }
    value
}
