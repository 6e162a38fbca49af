//! The resource index: which area holds which resource, kept in one area of its own (rindex).
//!
//! An operation reads the header, takes the index's private lease where it is to change something, reads the index
//! whole, writes, and gives the lease back. The lease is a resource like any other, taken by [`super::acquire`] and given
//! back by [`super::release`]; only nobody waits for its owner.
//!
//! It refuses to look at what is in a resource's area (whether the lease that it deletes is held, say), and it never
//! believes an offset that it can work out from the position of an entry.

use super::acquire::{Acquire, Finished, Stimulus, Won};
use super::io::{Cx, Ended, Op, Running};
use super::lockspace::Lockspace;
use super::release::{Release, Released};
use super::resource::Token;
use super::{Began, Command, DEFAULT_IO_TIMEOUT, Engine, Lockspace as Space, lives};
use crate::Refusal;
use crate::format::{
    Geometry, HostBlock, Leader, Name, RINDEX_LEASE, RindexEntry, RindexHeader, SectorKind, init, magic, trimmed,
};
use crate::numbers::{HostId, Numbers, Span, Time, Visit};
use crate::profile::{
    Config, IndexDelete, IndexLock, IndexNames, IndexOffsets, IndexRebuild, IndexRelease, IndexWrites, Profile,
};
use crate::seam::{
    Answer, ClientId, IndexChange, IndexOperation, LsId, Output, Outputs, Place, ReadData, RequestId, Task, Terms,
};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Seconds that the writes of a format may take (`write_init_io_timeout`).
const FORMAT_TIMEOUT: Span = Span::from_secs(60);
/// Bytes of the first read if no lockspace tells a sector size.
const UNKNOWN_SECTOR: u32 = 4096;

/// An operation under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Index {
    request: RequestId,
    /// The instance that does it, and the private lease that it would take. `None`: nobody else runs, so nobody is
    /// asked ("direct"), or nothing is there yet.
    token: Option<Token>,
    space: Name,
    place: Place,
    operation: IndexOperation,
    io_timeout: Span,
    /// What the header says, once it was read.
    shape: Option<Shape>,
    lease: Option<Box<Won>>,
    step: Step,
}

/// What the header of an index says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Shape {
    geometry: Geometry,
    /// Entries that may be used.
    room: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Step {
    /// Between two steps.
    Idle,
    Header(Running),
    Lease(Box<Acquire>),
    Entries(Running),
    /// Looks for a lease in the area of one entry after the other.
    Scan {
        found: Scanned,
        io: Running,
    },
    /// Looks whether somebody holds what is to be deleted, and then writes.
    Held {
        writes: Vec<Op>,
        io: Running,
    },
    /// Writes in turn (the last of `left` is next), then answers.
    Write {
        left: Vec<Op>,
        io: Running,
        answer: Answer,
    },
    /// The private lease is given back; the answer is known.
    Release(Box<Release>, Result<Answer, Refusal>),
}

/// What a rebuild has found so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Scanned {
    /// The sector of the header, as it was read.
    header: Arc<[u8]>,
    /// The area that is looked at.
    position: u32,
    /// Entries from the first to the last area with a lease.
    entries: Vec<RindexEntry>,
}

/// How an operation ended: the answer, and what of the private lease is to be withdrawn in the background.
#[derive(Debug)]
struct Done {
    result: Result<Answer, Refusal>,
    withdraw: Option<Box<Release>>,
}

type Progress = Result<(), Done>;

fn refused(why: Refusal) -> Done {
    Done { result: Err(why), withdraw: None }
}

impl Shape {
    fn of(header: &RindexHeader) -> Result<Shape, Refusal> {
        let geometry = Geometry::from_rindex(header.sector_size, header.flags)?;
        let most = u32::try_from(geometry.rindex_max_resources()).expect("at most 128,000");
        let stated = if header.max_resources == 0 { most } else { header.max_resources };
        // A damaged header may claim more than an area has room for.
        let sectors = u32::try_from(geometry.sectors() - 1).expect("an area has at most 2048 sectors");
        Ok(Shape { geometry, room: stated.min(sectors * per_sector(geometry)) })
    }

    /// Where the area of an entry begins, for an index at `index`.
    fn area(self, profile: &Profile, index: u64, position: u32) -> u64 {
        let (align, first) = (self.geometry.align(), index.saturating_add(2 * self.geometry.align()));
        match profile.index_offsets {
            IndexOffsets::Exact => first.saturating_add(u64::from(position) * align),
            // "Computed with 32-bit signed arithmetic (index × align_size)."
            IndexOffsets::Signed32 => {
                first.wrapping_add_signed(i64::from((position as i32).wrapping_mul(align as i32)))
            }
        }
    }

    /// The entry whose area begins at `offset`.
    fn position(self, index: u64, offset: u64) -> Result<u32, Refusal> {
        let align = self.geometry.align();
        let first = index.saturating_add(2 * align);
        // 3.8.5 does not look whether there is such an entry, and goes on with whatever stands beside its buffer. No
        // behaviour is defined there, so both profiles refuse.
        let behind = offset.checked_sub(first).filter(|behind| behind.is_multiple_of(align));
        let position = behind.and_then(|behind| u32::try_from(behind / align).ok());
        position.filter(|position| *position < self.room).ok_or(Refusal::RindexOffset)
    }

    /// Where the sector with an entry begins.
    fn entry_sector(self, index: u64, position: u32) -> u64 {
        index + u64::from(self.geometry.sector()) * u64::from(1 + position / per_sector(self.geometry))
    }
}

/// Entries in a sector.
const fn per_sector(geometry: Geometry) -> u32 {
    geometry.sector() / RindexEntry::LENGTH as u32
}

/// One entry in the bytes of its sector.
fn entry_in(sector: &[u8], slot: u32) -> RindexEntry {
    RindexEntry::read(sector.get(slot as usize * RindexEntry::LENGTH..).unwrap_or_default())
}

/// The lowest position with such an entry, in an index that was read whole.
fn first(shape: Shape, index: &ReadData, wanted: impl Fn(&RindexEntry) -> bool) -> Option<u32> {
    let per_sector = per_sector(shape.geometry);
    for (range, bytes) in index.sectors(shape.geometry.sector()) {
        // What is wanted in one of some equal sectors is found in the first of them.
        let sector = range.start.max(1);
        if sector >= range.end {
            continue;
        }
        if let Some(slot) = (0..per_sector).find(|slot| wanted(&entry_in(&bytes, *slot))) {
            let position = u32::try_from(sector - 1).expect("an area has at most 2048 sectors") * per_sector + slot;
            return Some(position).filter(|position| *position < shape.room);
        }
    }
    None
}

/// The entry at a position, in an index that was read whole.
fn entry_at(shape: Shape, index: &ReadData, position: u32) -> RindexEntry {
    let per_sector = per_sector(shape.geometry);
    let sector = index.sector_at(u64::from(1 + position / per_sector), shape.geometry.sector());
    entry_in(&sector, position % per_sector)
}

/// Whether a resource looks held: its leader names an owner whose block does not say RELEASED, or a block says SHARED. What
/// has no leader is nobody's. The owners need not be alive: whoever is sure of that acquires the lease before.
fn is_held(geometry: Geometry, area: &ReadData) -> bool {
    let size = geometry.sector();
    let (found, leader) = Leader::peek(&area.sector_at(0, size));
    if found != magic::LEADER {
        return false;
    }
    let block = |host: HostId| {
        let sector = geometry.block_offset(host) / u64::from(size);
        HostBlock::peek(&area.sector_at(sector, size)).1
    };
    let released = || {
        let block = block(leader.owner_id);
        block.released() && block.lver >= leader.lver
    };
    let has_block = (1..=geometry.max_hosts()).contains(&leader.owner_id.0);
    let free = leader.timestamp.is_free() || has_block && released();
    let first = geometry.block_offset(HostId(1)) / u64::from(size);
    let blocks = first..first + geometry.max_hosts();
    !free
        || area.sectors(size).any(|(range, bytes)| {
            let is_block = range.start < blocks.end && range.end > blocks.start;
            is_block && HostBlock::peek(&bytes).1.mode.shared()
        })
}

/// A whole area as one write.
fn whole(place: Place, geometry: Geometry, runs: &init::Runs) -> Op {
    let mut bytes = Vec::new();
    let size = geometry.sector() as usize;
    for (count, sector) in runs.iter().filter(|(_, sector)| !sector.is_empty()) {
        assert!(*count == 1, "sectors of a fresh area that hold something are not repeated");
        let end = bytes.len() + size;
        bytes.extend_from_slice(sector);
        bytes.resize(end, 0);
    }
    Op::write(place.disk, place.offset, geometry.align(), SectorKind::Unused, trimmed(&bytes))
}

impl Index {
    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.step {
            Step::Header(io)
            | Step::Entries(io)
            | Step::Scan { io, .. }
            | Step::Held { io, .. }
            | Step::Write { io, .. } => Some(io),
            Step::Lease(acquire) => acquire.running_mut(),
            Step::Release(release, _) => release.running_mut(),
            Step::Idle => None,
        }
    }

    /// Whether it may go on with its I/O.
    pub(super) fn may_begin(&self, lockspaces: &[Option<Space>], config: &Config) -> bool {
        self.token.as_ref().is_none_or(|token| lives(lockspaces, config, token))
    }

    /// Whether it is an operation in this lockspace.
    pub(super) fn is_in(&self, lockspace: LsId) -> bool {
        self.token.as_ref().is_some_and(|token| token.lockspace == lockspace)
    }

    /// Whether it takes the private lease.
    fn takes_lease(&self, config: &Config) -> bool {
        let changes = match self.operation {
            IndexOperation::Create { .. } | IndexOperation::Delete { .. } | IndexOperation::Rebuild => true,
            IndexOperation::Update { .. } => config.profile.index_lock == IndexLock::EveryChange,
            IndexOperation::Lookup { .. } | IndexOperation::Format { .. } => false,
        };
        changes && self.token.is_some()
    }

    fn begin(&mut self, worker: u8, sector: u32, cx: &mut Cx<'_>) {
        let task = Task::Worker(worker);
        if let IndexOperation::Format { geometry, max_resources } = self.operation {
            let (index, lease) = init::rindex(geometry, self.space, self.place.offset, max_resources);
            let behind = Place { offset: self.place.offset.saturating_add(geometry.align()), ..self.place };
            let writes = alloc::vec![whole(behind, geometry, &lease), whole(self.place, geometry, &index)];
            self.write(task, writes, Answer::Done, cx);
            return;
        }
        let op = Op::read_after(self.place.disk, self.place.offset, u64::from(sector), self.place.offset);
        self.step = Step::Header(cx.start(task, op, self.io_timeout));
    }

    /// Moves on by one completion or wake. `lives`: the instance that does it still has its lockspace.
    fn advance(
        &mut self,
        worker: u8,
        lockspace: Option<&Lockspace>,
        lives: bool,
        stimulus: Stimulus,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let task = Task::Worker(worker);
        let step = core::mem::replace(&mut self.step, Step::Idle);
        if let Step::Lease(acquire) = step {
            return self.lease(worker, lockspace, lives, acquire, stimulus, cx);
        }
        let (step, ended) = Index::ended(step, stimulus, cx);
        let Some(ended) = ended else {
            self.step = step;
            return Ok(());
        };
        if let Step::Release(mut release, result) = step {
            return match release.io_done(task, ended, cx).filter(|_| lives) {
                None if lives => {
                    self.step = Step::Release(release, result);
                    Ok(())
                }
                None | Some(Released::Done(_)) => Err(Done { result, withdraw: None }),
                Some(Released::Again(_)) => Err(Done { result, withdraw: Some(release) }),
            };
        }
        if !lives {
            return Err(refused(Refusal::LockspaceFailing));
        }
        let went = match (step, ended) {
            (Step::Header(_), Ok(data)) => self.header_read(task, &data, cx),
            (Step::Entries(_), Ok(data)) => self.entries_read(task, &data, cx),
            (Step::Scan { found, .. }, ended) => self.scanned(task, found, ended, cx),
            (Step::Held { .. }, Ok(data)) if is_held(self.shape().geometry, &data) => Err(Refusal::Busy),
            (Step::Held { writes, .. }, Ok(_)) => {
                self.write(task, writes, Answer::Done, cx);
                Ok(None)
            }
            (Step::Write { left, answer, .. }, Ok(_)) if left.is_empty() => Ok(Some(answer)),
            (Step::Write { left, answer, .. }, Ok(_)) => {
                self.write(task, left, answer, cx);
                Ok(None)
            }
            (Step::Header(_) | Step::Entries(_) | Step::Held { .. } | Step::Write { .. }, Err(why)) => Err(why),
            (step, ended) => unreachable!("{step:?} is not moved by {ended:?}"),
        };
        match went {
            Ok(None) => Ok(()),
            Ok(Some(answer)) => self.end(task, Ok(answer), cx),
            Err(why) => self.end(task, Err(why), cx),
        }
    }

    /// How the I/O of a step ended, if it did not go on waiting.
    fn ended(mut step: Step, stimulus: Stimulus, cx: &mut Cx<'_>) -> (Step, Option<Ended>) {
        let awaited = cx.config.profile.index_writes == IndexWrites::Awaited;
        let io = match (&mut step, stimulus) {
            (_, Stimulus::Io(ended)) => return (step, Some(ended)),
            // Whoever gives up a write and gives back the lease lets it land in the middle of another's operation.
            (Step::Write { io, .. }, Stimulus::Woken) if awaited && io.slot().is_some() => None,
            (
                Step::Header(io)
                | Step::Entries(io)
                | Step::Scan { io, .. }
                | Step::Held { io, .. }
                | Step::Write { io, .. },
                Stimulus::Woken,
            ) => Some(io.clone()),
            (Step::Release(release, _), Stimulus::Woken) => release.running_mut().cloned(),
            (Step::Idle | Step::Lease(_), Stimulus::Woken) => None,
        };
        let given_up = io.and_then(|io| cx.given_up(&io)).map(Err);
        (step, given_up)
    }

    /// "Checks: magic -274, major version -275, lockspace name equal -276, header.rx_offset == R -277."
    fn header_read(&mut self, task: Task, data: &ReadData, cx: &mut Cx<'_>) -> Result<Option<Answer>, Refusal> {
        let (found, header) = RindexHeader::peek(&data.sector_at(0, UNKNOWN_SECTOR));
        if found != magic::RINDEX {
            return Err(Refusal::RindexMagic);
        }
        if header.version >> 16 != RindexHeader::VERSION >> 16 {
            return Err(Refusal::RindexVersion);
        }
        if !header.space_name.same(&self.space) {
            return Err(Refusal::RindexLockspace);
        }
        if header.rx_offset != self.place.offset {
            return Err(Refusal::RindexOffset);
        }
        let shape = Shape::of(&header)?;
        self.check(shape)?;
        self.shape = Some(shape);
        let locked = self.takes_lease(cx.config);
        if let Some(token) = self.token.as_mut().filter(|_| locked) {
            token.geometry = shape.geometry;
            token.place.offset = self.place.offset.saturating_add(shape.geometry.align());
            let mut acquire = Box::new(Acquire::new(self.request, ClientId::ADMIN, token.clone(), Terms::default()));
            acquire.look(task, cx);
            self.step = Step::Lease(acquire);
            return Ok(None);
        }
        self.read_entries(task, cx);
        Ok(None)
    }

    /// What is wrong with the question itself.
    fn check(&self, shape: Shape) -> Result<(), Refusal> {
        let aligned = |offset: u64| match offset.is_multiple_of(shape.geometry.align()) {
            true => Ok(()),
            false => Err(Refusal::RindexOffset),
        };
        match self.operation {
            IndexOperation::Create { name, .. } if name.is_empty() => Err(Refusal::Invalid),
            IndexOperation::Delete { name, offset } => match name.is_empty() {
                true => Err(Refusal::Invalid),
                false => aligned(offset),
            },
            IndexOperation::Lookup { offset, .. } => aligned(offset),
            IndexOperation::Update { name, offset, change } => {
                if offset == 0 || (change == IndexChange::Add && name.is_empty()) {
                    return Err(Refusal::Invalid);
                }
                aligned(offset)
            }
            IndexOperation::Format { .. } | IndexOperation::Create { .. } | IndexOperation::Rebuild => Ok(()),
        }
    }

    // The private lease.

    fn lease(
        &mut self,
        worker: u8,
        lockspace: Option<&Lockspace>,
        lives: bool,
        mut acquire: Box<Acquire>,
        stimulus: Stimulus,
        cx: &mut Cx<'_>,
    ) -> Progress {
        let task = Task::Worker(worker);
        match acquire.advance(worker, lockspace, lives, stimulus, cx) {
            // OWNER_NOWAIT: "any holder → the acquire error is returned; the caller retries."
            None if acquire.waits().is_some() => Err(refused(Refusal::AcquireOwnedRetry)),
            None => {
                self.step = Step::Lease(acquire);
                Ok(())
            }
            Some(Finished::Won(won)) if lives => {
                self.lease = Some(won);
                self.read_entries(task, cx);
                Ok(())
            }
            Some(Finished::Won(_)) => Err(refused(Refusal::LockspaceFailing)),
            Some(Finished::Retracting(why, release)) if lives => {
                acquire.undo(task, why, release, cx);
                self.step = Step::Lease(acquire);
                Ok(())
            }
            Some(Finished::Undoing(why, release)) => Err(Done { result: Err(why), withdraw: Some(release) }),
            Some(Finished::Refused(why) | Finished::Stuck(why) | Finished::Retracting(why, _)) => Err(refused(why)),
        }
    }

    /// The answer is known: the lease is given back first, if it was taken.
    fn end(&mut self, task: Task, result: Result<Answer, Refusal>, cx: &mut Cx<'_>) -> Progress {
        let Some(won) = self.lease.take() else { return Err(Done { result, withdraw: None }) };
        let block = match cx.config.profile.index_release {
            IndexRelease::LeaderAlone => None,
            IndexRelease::Flagged => Some(won.released_block()),
        };
        let mut release = Box::new(Release::new(won.token, block, Some(Box::new(won.leader))));
        release.start(task, cx);
        self.step = Step::Release(release, result);
        Ok(())
    }

    // The entries.

    fn shape(&self) -> Shape {
        self.shape.expect("the header came first")
    }

    fn read_entries(&mut self, task: Task, cx: &mut Cx<'_>) {
        let op = Op::read(self.place.disk, self.place.offset, self.shape().geometry.align());
        self.step = Step::Entries(cx.start(task, op, self.io_timeout));
    }

    fn entries_read(&mut self, task: Task, data: &ReadData, cx: &mut Cx<'_>) -> Result<Option<Answer>, Refusal> {
        let (shape, profile) = (self.shape(), cx.config.profile);
        let index = self.place.offset;
        let free = || first(shape, data, RindexEntry::is_free).ok_or(Refusal::NotFound);
        let named = |name: Name| first(shape, data, |entry| entry.name.same(&name));
        match self.operation {
            IndexOperation::Lookup { name, offset } => {
                let known = |position| Answer::Indexed { name, offset: shape.area(&profile, index, position) };
                Ok(Some(match (name.is_empty(), offset) {
                    (true, 0) => known(free()?),
                    (false, 0) => known(named(name).ok_or(Refusal::NotFound)?),
                    (none, _) => {
                        let entry = entry_at(shape, data, shape.position(index, offset)?);
                        if !none && !entry.name.same(&name) {
                            return Err(Refusal::RindexDiff);
                        }
                        Answer::Indexed { name: entry.name, offset }
                    }
                }))
            }
            IndexOperation::Create { name, num_hosts } => {
                if profile.index_names == IndexNames::Unique && named(name).is_some() {
                    return Err(Refusal::Exists);
                }
                let position = free()?;
                let offset = shape.area(&profile, index, position);
                let area = init::resource(shape.geometry, self.space, name, num_hosts);
                let entry = RindexEntry { res_offset: offset, name, ..RindexEntry::default() };
                let writes = alloc::vec![self.entry_write(data, position, &entry), self.area_write(offset, &area)?,];
                self.write(task, writes, Answer::Indexed { name, offset }, cx);
                Ok(None)
            }
            IndexOperation::Delete { name, .. } => {
                let position = named(name).ok_or(Refusal::NotFound)?;
                let offset = shape.area(&profile, index, position);
                let area = init::cleared(shape.geometry, self.space, name, 0, cx.now.second().stamp());
                let writes = alloc::vec![
                    self.area_write(offset, &area)?,
                    self.entry_write(data, position, &RindexEntry::default()),
                ];
                match profile.index_delete {
                    IndexDelete::Destroys => self.write(task, writes, Answer::Done, cx),
                    IndexDelete::RefusesHeld => {
                        let op = Op::read(self.place.disk, offset, shape.geometry.align());
                        self.step = Step::Held { writes, io: cx.start(task, op, self.io_timeout) };
                    }
                }
                Ok(None)
            }
            IndexOperation::Update { name, offset, change } => {
                let position = shape.position(index, offset)?;
                let entry = match change {
                    IndexChange::Add => RindexEntry { res_offset: offset, name, ..RindexEntry::default() },
                    IndexChange::Remove => RindexEntry::default(),
                };
                let writes = alloc::vec![self.entry_write(data, position, &entry)];
                self.write(task, writes, Answer::Done, cx);
                Ok(None)
            }
            IndexOperation::Rebuild => {
                let header = trimmed(&data.sector_at(0, shape.geometry.sector()));
                self.scan(task, Scanned { header, position: 0, entries: Vec::new() }, cx);
                Ok(None)
            }
            IndexOperation::Format { .. } => unreachable!("a format reads nothing"),
        }
    }

    /// The one sector that holds an entry: the others as they were read.
    fn entry_write(&self, data: &ReadData, position: u32, entry: &RindexEntry) -> Op {
        let (shape, size) = (self.shape(), self.shape().geometry.sector());
        let per_sector = per_sector(shape.geometry);
        let mut bytes = data.sector_at(u64::from(1 + position / per_sector), size).into_owned();
        bytes.resize(size as usize, 0);
        let start = (position % per_sector) as usize * RindexEntry::LENGTH;
        bytes[start..start + RindexEntry::LENGTH].copy_from_slice(&entry.encode());
        let offset = shape.entry_sector(self.place.offset, position);
        Op::write(self.place.disk, offset, u64::from(size), SectorKind::RindexEntries, trimmed(&bytes))
    }

    /// A resource's area. An offset that overflowed into the negative is no place for one: -22.
    fn area_write(&self, offset: u64, area: &init::Runs) -> Result<Op, Refusal> {
        if i64::try_from(offset).is_err() {
            return Err(Refusal::Invalid);
        }
        Ok(whole(Place { disk: self.place.disk, offset }, self.shape().geometry, area))
    }

    /// Begins the last of these writes.
    fn write(&mut self, task: Task, mut left: Vec<Op>, answer: Answer, cx: &mut Cx<'_>) {
        let op = left.pop().expect("there is something to write");
        let timeout = match self.operation {
            IndexOperation::Format { .. } => FORMAT_TIMEOUT,
            _ => self.io_timeout,
        };
        self.step = Step::Write { io: cx.start(task, op, timeout), left, answer };
    }

    // Rebuild.

    /// Where the area of an entry begins. 3.8.5 works this one out in 64 bits, too.
    fn scanned_at(&self, position: u32) -> u64 {
        let areas = 2 + u64::from(position);
        self.place.offset.saturating_add(areas * self.shape().geometry.align())
    }

    fn scan(&mut self, task: Task, found: Scanned, cx: &mut Cx<'_>) {
        if found.position >= self.shape().room {
            return self.rewrite(task, &found, cx);
        }
        let (offset, length) = (self.scanned_at(found.position), u64::from(self.shape().geometry.sector()));
        let op = Op::read(self.place.disk, offset, length);
        self.step = Step::Scan { found, io: cx.start(task, op, self.io_timeout) };
    }

    fn scanned(
        &mut self,
        task: Task,
        mut found: Scanned,
        ended: Ended,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Answer>, Refusal> {
        match ended {
            Ok(data) => {
                let (magic, leader) = Leader::peek(&data.sector_at(0, self.shape().geometry.sector()));
                // "Nothing else is checked: neither checksum, lockspace name, nor version."
                if magic == magic::LEADER {
                    let (res_offset, name) = (self.scanned_at(found.position), leader.resource_name);
                    found.entries.resize(found.position as usize, RindexEntry::default());
                    found.entries.push(RindexEntry { res_offset, name, ..RindexEntry::default() });
                }
            }
            // Past the end of the device.
            Err(Refusal::ShortIo) => {
                self.rewrite(task, &found, cx);
                return Ok(None);
            }
            Err(why) if cx.config.profile.index_rebuild == IndexRebuild::StopsAtErrors => return Err(why),
            // "Any other read error skips the area (its entry is lost)."
            Err(_) => {}
        }
        found.position += 1;
        self.scan(task, found, cx);
        Ok(None)
    }

    /// The whole index, with what was found.
    fn rewrite(&mut self, task: Task, found: &Scanned, cx: &mut Cx<'_>) {
        let geometry = self.shape().geometry;
        let mut bytes = found.header.to_vec();
        bytes.resize(geometry.sector() as usize, 0);
        bytes.extend(found.entries.iter().flat_map(RindexEntry::encode));
        let Place { disk, offset } = self.place;
        let op = Op::write(disk, offset, geometry.align(), SectorKind::Unused, trimmed(&bytes));
        self.write(task, alloc::vec![op], Answer::Done, cx);
    }
}

impl Engine {
    /// A worker takes up an operation on an index.
    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    pub(super) fn index(
        &mut self,
        now: Time,
        worker: u8,
        request: RequestId,
        space: Name,
        place: Place,
        direct: bool,
        operation: IndexOperation,
        out: &mut Outputs,
    ) -> Began {
        let asks = !direct && !matches!(operation, IndexOperation::Format { .. });
        let member = match asks.then(|| self.member(&space)) {
            Some(Err(why)) => return Began::Answered(Err(why)),
            Some(Ok(member)) => Some(member),
            None => None,
        };
        let sector = member.map_or(UNKNOWN_SECTOR, |id| self.lockspace(id).geometry.sector());
        let io_timeout = member.map_or(DEFAULT_IO_TIMEOUT, |id| self.lockspace(id).io_timeout);
        let token = member.map(|id| {
            let lockspace = self.lockspace(id);
            let key = (lockspace.name, Name::from_text(RINDEX_LEASE).expect("is short"));
            lockspace.token(id, key, place)
        });
        let io_timeout = Span::from_secs(io_timeout);
        let (shape, lease, step) = (None, None, Step::Idle);
        let mut index = Box::new(Index { request, token, space, place, operation, io_timeout, shape, lease, step });
        // The lease may still be on its way back from the operation before, or a client may have asked for it by name.
        if let Some(token) = index.token.as_ref().filter(|_| index.takes_lease(&self.config)) {
            if let Some(why) = self.resources.refuses(&token.key, &Terms::default()) {
                return Began::Answered(Err(why));
            }
            self.resources.add(token.key);
        }
        index.begin(worker, sector, &mut Cx { now, config: &self.config, io: &mut self.io, out });
        Began::Running(Command::Index(index))
    }

    /// The lockspace of an index, if an operation may begin there.
    fn member(&self, space: &Name) -> Result<LsId, Refusal> {
        let id = self.find_lockspace(space).ok_or(Refusal::NotFound)?;
        if !self.lockspace(id).usable() {
            return Err(Refusal::LockspaceFailing);
        }
        if self.index_under_way(id) {
            return Err(Refusal::Busy);
        }
        Ok(id)
    }

    /// "One per lockspace on this host."
    pub(super) fn index_under_way(&self, lockspace: LsId) -> bool {
        self.workers.iter().flatten().any(|command| match command {
            Command::Index(index) => index.is_in(lockspace),
            _ => false,
        })
    }

    /// Runs the operation of a worker.
    pub(super) fn run_index(
        &mut self,
        now: Time,
        worker: u8,
        mut index: Box<Index>,
        stimulus: Stimulus,
        out: &mut Outputs,
    ) {
        let alive = index.may_begin(&self.lockspaces, &self.config);
        let lockspace = index.token.as_ref().and_then(|token| {
            let lockspace = self.lockspaces[usize::from(token.lockspace.0)].as_ref()?;
            Some(lockspace).filter(|lockspace| lockspace.name == token.key.0)
        });
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        match index.advance(worker, lockspace, alive, stimulus, cx) {
            Ok(()) => self.workers[usize::from(worker)] = Some(Command::Index(index)),
            Err(Done { result, withdraw }) => {
                if let Some(token) = index.token.as_ref().filter(|_| index.takes_lease(&self.config)) {
                    match withdraw {
                        Some(release) => {
                            self.resources.releasing(token.key);
                            self.go_on_in_background(now, *release, out);
                        }
                        None => self.resources.forget(&token.key),
                    }
                }
                out.push(Output::Reply { id: index.request, result });
                self.worker_free(now, worker, out);
            }
        }
    }
}

impl Visit for Index {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        if let Some(token) = &mut self.token {
            token.visit(numbers);
        }
        if let Some(won) = &mut self.lease {
            won.visit(numbers);
        }
        match &mut self.step {
            Step::Header(io)
            | Step::Entries(io)
            | Step::Scan { io, .. }
            | Step::Held { io, .. }
            | Step::Write { io, .. } => io.visit(numbers),
            Step::Lease(acquire) => acquire.visit(numbers),
            Step::Release(release, _) => release.visit(numbers),
            Step::Idle => {}
        }
    }
}
