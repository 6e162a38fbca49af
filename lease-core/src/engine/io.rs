//! I/O under way: slots, deadlines, and who must wait for whom.
//!
//! An I/O is never cancelled. When a task gives up on one, the slot is *abandoned*: it stays taken until its completion
//! comes, perhaps minutes later, perhaps with effect.

use crate::Refusal;
use crate::format::{Sector, SectorKind};
use crate::mutants::Mutant;
use crate::numbers::{Numbers, Span, Time, Visit};
use crate::profile::{Config, LateAnswer, OutstandingWrite};
use crate::seam::{DiskId, Event, IoResult, LsId, Output, Outputs, Rare, ReadData, Slot, Task};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How late a task may run after the moment it waited for: the scheduler's freedom, no fault.
pub(crate) const SCHEDULING: Span = Span::from_millis(50);

/// What every part of the engine works with during one call.
pub(crate) struct Cx<'a> {
    pub(crate) now: Time,
    pub(crate) config: &'a Config,
    pub(crate) io: &'a mut Io,
    pub(crate) out: &'a mut Outputs,
}

impl Cx<'_> {
    pub(crate) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    pub(crate) fn rare(&mut self, rare: Rare) {
        self.event(Event::Rare(rare));
    }

    /// Wakes `task` at `due`, as promptly as the scheduler can.
    pub(crate) fn wake_at(&mut self, task: Task, due: Time) {
        self.wake_within(task, due, due.after(SCHEDULING));
    }

    pub(crate) fn wake_within(&mut self, task: Task, earliest: Time, latest: Time) {
        self.out.push(Output::WakeWithin { task, earliest, latest });
    }

    /// How an I/O ended whose answer says how things stand *now*: an answer after the time-out says how they stood.
    pub(crate) fn unless_late(&mut self, io: &Running, ended: Ended) -> Ended {
        if ended.is_ok() && io.is_late(self.now, self.config.profile.late_answer) {
            self.rare(Rare::AnsweredLate);
            return Err(Refusal::AioTimeout);
        }
        ended
    }
}

/// One read or write, before it is issued.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Op {
    pub(crate) disk: DiskId,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// The bytes of a write, and what they are.
    pub(crate) bytes: Option<(SectorKind, Arc<[u8]>)>,
    /// The sector that must have no write outstanding before this may be issued, where the profile asks for that.
    pub(crate) after_writes_to: Option<u64>,
}

impl Op {
    pub(crate) fn read(disk: DiskId, offset: u64, length: u64) -> Op {
        Op { disk, offset, length, bytes: None, after_writes_to: None }
    }

    /// A read that is to see what our own writes to `sector` left there.
    pub(crate) fn read_after(disk: DiskId, offset: u64, length: u64, sector: u64) -> Op {
        Op { after_writes_to: Some(sector), ..Op::read(disk, offset, length) }
    }

    pub(crate) fn write(disk: DiskId, offset: u64, length: u64, kind: SectorKind, bytes: Arc<[u8]>) -> Op {
        Op { disk, offset, length, bytes: Some((kind, bytes)), after_writes_to: Some(offset) }
    }
}

impl Op {
    /// The checksum as it comes out where its bytes are put in order only afterwards.
    fn summed_too_early(mut self) -> Op {
        if let Some((kind, bytes)) = &mut self.bytes {
            let at = if matches!(kind, SectorKind::HostBlock(_)) { 48 } else { 168 };
            let mut wrong = bytes.to_vec();
            if let Some(sum) = wrong.get_mut(at..at + 4) {
                sum.reverse();
            }
            *bytes = wrong.into();
        }
        self
    }
}

/// The I/O that a task waits for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Running {
    /// Where it runs; `None` while it waits to be issued.
    slot: Option<Slot>,
    /// What to issue, while it waits.
    waiting: Option<Box<Op>>,
    timeout: Span,
    /// When the task gives up.
    deadline: Time,
}

impl Running {
    pub(crate) fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// Whether an answer that comes now is as good as none.
    pub(crate) fn is_late(&self, now: Time, late_answer: LateAnswer) -> bool {
        late_answer == LateAnswer::TimedOut && now >= self.deadline
    }
}

impl Visit for Running {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.time(&mut self.deadline);
        if let Some(Op { bytes: Some((kind, bytes)), length, .. }) = self.waiting.as_deref_mut() {
            let mut sector = Sector::decode(*kind, bytes, *length as u32);
            sector.visit_at(*kind, numbers);
            *bytes = sector.encode();
        }
    }
}

/// What became of the I/O that a task waited for.
pub(crate) type Ended = Result<ReadData, Refusal>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct InFlight {
    task: Task,
    disk: DiskId,
    offset: u64,
    write: bool,
    abandoned: bool,
}

/// All slots of a host.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Io {
    slots: Vec<Option<InFlight>>,
}

/// A completion, and what it means.
pub(crate) enum Routed {
    /// The task was waiting for it.
    Awaited(Task, Ended),
    /// The task had given it up.
    Late(Task, Slot, Ended),
}

impl Io {
    /// How many I/Os a task can have in the kernel, stuck ones included (daemon §1).
    fn aio_slots(task: Task) -> usize {
        match task {
            Task::Lockspace(_) => 4,
            Task::Main | Task::Worker(_) | Task::Resource => 2,
        }
    }

    fn may_issue(&self, task: Task, op: &Op, config: &Config) -> Result<(), Rare> {
        let taken = self.slots.iter().flatten().filter(|io| io.task == task).count();
        if taken >= Io::aio_slots(task) {
            return Err(Rare::NoAioSlot);
        }
        if config.profile.outstanding_write == OutstandingWrite::Awaited
            && let Some(sector) = op.after_writes_to
            && self.write_outstanding(op.disk, sector)
        {
            return Err(Rare::SectorBusy);
        }
        Ok(())
    }

    /// Whether a write of ours to this sector may still take effect.
    pub(crate) fn write_outstanding(&self, disk: DiskId, offset: u64) -> bool {
        self.slots.iter().flatten().any(|io| io.write && io.disk == disk && io.offset == offset)
    }

    /// Whether a write to a resource, of whatever lockspace, may still take effect.
    pub(crate) fn writes_to_resources(&self) -> bool {
        self.slots.iter().flatten().any(|io| io.write && matches!(io.task, Task::Worker(_) | Task::Resource))
    }

    /// Whether `task` has I/Os in the kernel that it gave up.
    pub(crate) fn any_of(&self, task: Task) -> bool {
        self.slots.iter().flatten().any(|io| io.task == task)
    }

    fn issue(&mut self, task: Task, op: Op, out: &mut Outputs) -> Slot {
        let free = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let slot = Slot(u16::try_from(free).expect("fewer than 65,536 I/Os under way"));
        let Op { disk, offset, length, bytes, .. } = op;
        self.slots[free] = Some(InFlight { task, disk, offset, write: bytes.is_some(), abandoned: false });
        out.push(match bytes {
            Some((_, bytes)) => Output::Write { task, slot, disk, offset, length, bytes },
            None => Output::Read { task, slot, disk, offset, length },
        });
        slot
    }

    /// Whether the I/O in a slot was given up by the task that issued it.
    pub(crate) fn gave_up(&self, slot: Slot) -> bool {
        let place = self.slots.get(usize::from(slot.0)).and_then(Option::as_ref);
        place.is_some_and(|io| io.abandoned)
    }

    /// A task has no use any more for what it waits for. Tells whether there was anything.
    pub(crate) fn give_up_all_of(&mut self, task: Task) -> bool {
        let mut any = false;
        for io in self.slots.iter_mut().flatten().filter(|io| io.task == task && !io.abandoned) {
            io.abandoned = true;
            any = true;
        }
        any
    }

    /// Free slots behind the last that is taken leave no trace.
    pub(crate) fn forget_free_slots(&mut self) {
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
    }

    /// A completion. The slot is free from here on.
    pub(crate) fn done(&mut self, slot: Slot, result: IoResult) -> Routed {
        let place = self.slots.get_mut(usize::from(slot.0)).and_then(Option::take);
        let io = place.expect("a completion belongs to an I/O that was issued and has not completed");
        let ended = match result {
            IoResult::Read(data) => {
                assert!(!io.write, "a write completes as a write");
                Ok(data)
            }
            IoResult::Written => {
                assert!(io.write, "a read completes with data");
                Ok(ReadData { unit: 1, runs: Vec::new() })
            }
            IoResult::Short => Err(Refusal::ShortIo),
            IoResult::Failed(errno) => Err(Refusal::Errno(errno)),
            IoResult::NoDevice => Err(Refusal::NoDevice),
        };
        if io.abandoned { Routed::Late(io.task, slot, ended) } else { Routed::Awaited(io.task, ended) }
    }
}

impl Cx<'_> {
    /// Starts an I/O for `task` and wakes the task at its deadline.
    pub(crate) fn start(&mut self, task: Task, op: Op, timeout: Span) -> Running {
        let op = if self.config.mutated(Mutant::B76) { op.summed_too_early() } else { op };
        let deadline = self.now.after(timeout);
        self.wake_at(task, deadline);
        match self.io.may_issue(task, &op, self.config) {
            Ok(()) => {
                let slot = self.io.issue(task, op, self.out);
                Running { slot: Some(slot), waiting: None, timeout, deadline }
            }
            Err(rare) => {
                self.rare(rare);
                Running { slot: None, waiting: Some(Box::new(op)), timeout, deadline }
            }
        }
    }

    /// After a completion: issues what waited for it. Its time counts from here.
    pub(crate) fn issue_waiting(&mut self, task: Task, running: &mut Running) {
        if let Some(op) = running.waiting.take() {
            if self.io.may_issue(task, &op, self.config).is_ok() {
                running.slot = Some(self.io.issue(task, *op, self.out));
                running.deadline = self.now.after(running.timeout);
                self.wake_at(task, running.deadline);
            } else {
                running.waiting = Some(op);
            }
        }
    }

    /// The task was woken: has its I/O exceeded its time? Then it is given up.
    pub(crate) fn given_up(&mut self, running: &Running) -> Option<Refusal> {
        if self.now < running.deadline {
            return None;
        }
        match (running.slot, &running.waiting) {
            (Some(slot), _) => {
                let io = self.io.slots[usize::from(slot.0)].as_mut();
                io.expect("the awaited I/O is in flight").abandoned = true;
                Some(Refusal::AioTimeout)
            }
            // "After that many stuck I/Os in one thread, the next I/O waits up to its own timeout for a slot and then
            // fails with -2" (paxos-lease, notation). A sector that stays busy fails the way a slow one does.
            (None, Some(op)) => match self.io.may_issue_reason(op, self.config) {
                Some(Rare::SectorBusy) => Some(Refusal::AioTimeout),
                _ => Some(Refusal::NotFound),
            },
            (None, None) => unreachable!("an I/O runs or waits"),
        }
    }
}

impl Io {
    fn may_issue_reason(&self, op: &Op, config: &Config) -> Option<Rare> {
        let awaited = config.profile.outstanding_write == OutstandingWrite::Awaited;
        match op.after_writes_to {
            Some(sector) if awaited && self.write_outstanding(op.disk, sector) => Some(Rare::SectorBusy),
            _ => None,
        }
    }
}

/// The task that serves a lockspace.
pub(crate) fn thread_of(id: LsId) -> Task {
    Task::Lockspace(id)
}
