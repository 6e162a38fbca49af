//! What a checker does with a lockspace besides running it: it looks in, forgets, and visits its numbers.

use super::super::forget::LONG_AGO;
use super::super::observe::Table;
use super::{List, Lockspace, Thread};
use crate::Refusal;
use crate::format::SectorKind;
use crate::numbers::{HostId, Numbers, Second, Span, Time, Visit};
use crate::profile::{FailingAcquire, Profile};

impl Lockspace {
    /// Second of the last success.
    pub(in super::super) fn last_success(&self) -> Second {
        self.last_success
    }

    pub(in super::super) fn is_confirming(&self) -> bool {
        matches!(self.thread, Thread::ReadBack { .. })
    }

    /// Shows the numbers in images of the area.
    pub(in super::super) fn visit_images(&mut self, numbers: &mut dyn Numbers) {
        let late = self.late_read.as_mut().and_then(|(_, ended)| ended.as_mut()?.as_mut().ok());
        for data in self.image.iter_mut().chain(late) {
            data.visit_sectors(self.geometry.sector(), |index| SectorKind::Delta(HostId(index + 1)), numbers);
        }
    }

    /// Wipes out what is known of other hosts.
    pub(in super::super) fn forget_others(&mut self) {
        self.table = Table::default();
        self.image = None;
    }

    /// Wipes out what decides nothing any more; see [`super::forget`].
    pub(in super::super) fn forget(&mut self, now: Time, profile: &Profile) {
        let acquires_end = self.killing && profile.failing_acquire == FailingAcquire::Stops;
        if acquires_end || self.list == List::Rem {
            self.forget_others();
        }
        self.table.forget(self.host_id);
        if let Some(image) = &mut self.image {
            *image = image.without_sector(self.host_id.0 - 1, self.geometry.sector());
        }
        if matches!(self.late_read, Some((_, Some(Err(_))))) {
            self.late_read = None;
        }
        if self.killing {
            self.last_success = LONG_AGO;
        }
        if self.answer_comes_too_late(now, profile.late_answer)
            && let Thread::Reread { io, .. } | Thread::UndoRead { io, .. } = &self.thread
        {
            // Whatever it reads, the join is over, and nothing is written any more.
            self.thread = Thread::ReadRecord(io.clone());
        }
        if let Some(Err(why)) = &mut self.joined {
            *why = Refusal::Aborted;
        }
        match &mut self.thread {
            Thread::Reaping { since, .. } | Thread::ReadArea { since, .. } => *since = now,
            Thread::WriteRecord { read, since, .. } => (*read, *since) = (Span::ZERO, now),
            _ => {}
        }
    }
}

impl Visit for Lockspace {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        let me = self.host_id;
        numbers.generation(me, &mut self.generation);
        numbers.second(&mut self.last_success);
        self.table.visit(numbers);
        self.calls.visit(numbers);
        self.record.visit(numbers);
        match &mut self.thread {
            Thread::ReadSizes(io) | Thread::ReadRecord(io) | Thread::Freeing(io) => io.visit(numbers),
            Thread::WaitHeld { first, until } => {
                first.visit(numbers);
                numbers.time(until);
            }
            Thread::Reread { first, io } => {
                first.visit(numbers);
                io.visit(numbers);
            }
            Thread::Write { record, second, io, .. } | Thread::ReadBack { record, second, io } => {
                record.visit(numbers);
                numbers.second(second);
                io.visit(numbers);
            }
            Thread::Confirm { record, second, until } => {
                record.visit(numbers);
                numbers.second(second);
                numbers.time(until);
            }
            Thread::UndoRead { record, second, io, .. } => {
                record.visit(numbers);
                numbers.second(second);
                io.visit(numbers);
            }
            Thread::UndoWrite { io, .. } => io.visit(numbers),
            Thread::Reaping { since, until } => {
                numbers.time(since);
                numbers.time(until);
            }
            Thread::ReadArea { since, io } => {
                numbers.time(since);
                io.visit(numbers);
            }
            Thread::WriteRecord { record, second, since, io, .. } => {
                record.visit(numbers);
                numbers.second(second);
                numbers.time(since);
                io.visit(numbers);
            }
            Thread::Draining { until, .. } => numbers.time(until),
            Thread::Connecting | Thread::Arming | Thread::Sleeping | Thread::Ended => {}
        }
        self.visit_images(numbers);
    }
}
