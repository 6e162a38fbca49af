//! Reading what areas say, without being anybody in them: the owners of a resource, and the record of a lockspace
//! (paxos-lease §11, delta-lease §6).
//!
//! It refuses to judge: an owner is told whether it lives or not, and whoever asks compares it with the hosts that it sees.

use super::acquire::Stimulus;
use super::io::{Cx, Ended, Op, Running};
use super::lockspace;
use super::resource::Key;
use super::{Began, Command, DEFAULT_IO_TIMEOUT, Engine};
use crate::Refusal;
use crate::format::{DeltaLease, Geometry, Leader, ModeBlock, Name};
use crate::numbers::{HostId, Numbers, Span, Stamp, Time, Visit};
use crate::seam::{Answer, Output, Outputs, Owner, Place, ReadData, RequestId, Task};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A question under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Reading {
    request: RequestId,
    place: Place,
    timeout: Span,
    question: Question,
    io: Running,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Question {
    Owners {
        key: Key,
        /// The sizes that the area must have, or those by which it was read.
        given: Option<Geometry>,
        read_by: Geometry,
    },
    /// Sizes, and then the record.
    Sizes(Name, HostId),
    Record(Name, Geometry),
}

impl Reading {
    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        Some(&mut self.io)
    }

    fn io_done(&mut self, task: Task, ended: Ended, cx: &mut Cx<'_>) -> Result<Option<Answer>, Refusal> {
        let data = ended?;
        match &self.question {
            Question::Owners { key, given, read_by } => {
                let first = data.sector_at(0, read_by.sector());
                let (_, peeked) = Leader::peek(&first);
                let told = Geometry::from_leader(peeked.sector_size, peeked.flags);
                if let Some(given) = given
                    && told != Ok(*given)
                {
                    return Err(Refusal::Invalid);
                }
                let leader = Leader::read(&first, &key.0, &key.1, HostId::NONE)?;
                let told = told?;
                if told == *read_by {
                    return Ok(Some(owners(&leader, told, &data)));
                }
                let (key, given) = (*key, *given);
                self.question = Question::Owners { key, given, read_by: told };
                self.read(task, 0, told.align(), cx);
            }
            Question::Sizes(name, host) => {
                let (name, host) = (*name, if *host == HostId::NONE { HostId(1) } else { *host });
                let geometry = lockspace::sizes(&data)?;
                if host.0 > geometry.max_hosts() {
                    return Err(Refusal::InvalidHostId);
                }
                self.question = Question::Record(name, geometry);
                self.read(task, geometry.delta_offset(host), u64::from(geometry.sector()), cx);
            }
            Question::Record(name, geometry) => {
                let bytes = data.sector_at(0, geometry.sector());
                let (_, peeked) = DeltaLease::peek(&bytes);
                let wanted = if name.is_empty() { &peeked.space_name } else { name };
                let lease = DeltaLease::read(&bytes, wanted)?;
                let (name, io_timeout) = (lease.space_name, u64::from(lease.io_timeout));
                return Ok(Some(Answer::Space { name, io_timeout, geometry: *geometry }));
            }
        }
        Ok(None)
    }

    fn read(&mut self, task: Task, offset: u64, length: u64, cx: &mut Cx<'_>) {
        self.io = cx.start(task, Op::read(self.place.disk, self.place.offset + offset, length), self.timeout);
    }
}

/// "Owners = leader owner if timestamp ≠ 0, plus every SHARED mode block, not repeating the leader owner."
fn owners(leader: &Leader, geometry: Geometry, data: &ReadData) -> Answer {
    let mut owners = Vec::new();
    if !leader.timestamp.is_free() {
        let (host_id, generation) = (leader.owner_id, leader.owner_generation);
        owners.push(Owner { host_id, generation, timestamp: leader.timestamp });
    }
    let last = leader.num_hosts.min(geometry.max_hosts());
    for (sectors, bytes) in data.sectors(geometry.sector()) {
        let mode = ModeBlock::of_sector(&bytes);
        if !mode.shared() {
            continue;
        }
        // The block of host h is in sector h + 1.
        for host in sectors.filter(|sector| *sector > 1).map(|sector| HostId(sector - 1)) {
            let repeated = !leader.timestamp.is_free() && host == leader.owner_id;
            if host.0 <= last && !repeated {
                owners.push(Owner { host_id: host, generation: mode.generation, timestamp: Stamp::FREE });
            }
        }
    }
    Answer::Owners { lver: leader.lver, owners }
}

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    pub(super) fn read_owners(
        &mut self,
        now: Time,
        worker: u8,
        request: RequestId,
        key: Key,
        place: Place,
        given: Option<Geometry>,
        out: &mut Outputs,
    ) -> Began {
        let read_by = given.unwrap_or(Geometry::S512A1M);
        let question = Question::Owners { key, given, read_by };
        self.begin_reading(now, worker, request, &key.0, place, question, read_by.align(), out)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    pub(super) fn read_lockspace(
        &mut self,
        now: Time,
        worker: u8,
        request: RequestId,
        name: Name,
        host: HostId,
        place: Place,
        out: &mut Outputs,
    ) -> Began {
        let question = Question::Sizes(name, host);
        self.begin_reading(now, worker, request, &name, place, question, lockspace::SIZES, out)
    }

    #[expect(clippy::too_many_arguments, reason = "what a question consists of")]
    fn begin_reading(
        &mut self,
        now: Time,
        worker: u8,
        request: RequestId,
        space: &Name,
        place: Place,
        question: Question,
        length: u64,
        out: &mut Outputs,
    ) -> Began {
        let member = self.find_lockspace(space);
        let timeout = Span::from_secs(member.map_or(DEFAULT_IO_TIMEOUT, |id| self.lockspace(id).io_timeout));
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let io = cx.start(Task::Worker(worker), Op::read(place.disk, place.offset, length), timeout);
        Began::Running(Command::Read(Box::new(Reading { request, place, timeout, question, io })))
    }

    /// Runs the command of a worker that reads.
    pub(super) fn run_reading(
        &mut self,
        now: Time,
        worker: u8,
        mut reading: Box<Reading>,
        stimulus: Stimulus,
        out: &mut Outputs,
    ) {
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let ended = stimulus.ended(reading.running_mut(), cx);
        match ended.map(|ended| reading.io_done(Task::Worker(worker), ended, cx)) {
            None | Some(Ok(None)) => self.workers[usize::from(worker)] = Some(Command::Read(reading)),
            Some(Ok(Some(answer))) => self.reading_ended(now, worker, reading.request, Ok(answer), out),
            Some(Err(why)) => self.reading_ended(now, worker, reading.request, Err(why), out),
        }
    }

    fn reading_ended(
        &mut self,
        now: Time,
        worker: u8,
        id: RequestId,
        result: Result<Answer, Refusal>,
        out: &mut Outputs,
    ) {
        out.push(Output::Reply { id, result });
        self.worker_free(now, worker, out);
    }
}

impl Visit for Reading {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.io.visit(numbers);
    }
}
