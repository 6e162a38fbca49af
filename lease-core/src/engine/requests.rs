//! Requests: asking the owner of a resource to give it up, and heeding what others ask (paxos-lease §10).
//!
//! A request is a record in the resource's second sector. It says nothing about who asks or whom: whoever holds a lower
//! version and looks, heeds it. The owner's host is called to look by a bit in the caller's delta lease ([`super::calls`]).

use super::acquire::{Stimulus, Won};
use super::io::{Cx, Ended, Op, Running};
use super::recovery::Client;
use super::resource::{Key, Token};
use super::{Began, Command, Engine, lives};
use crate::Refusal;
use crate::format::{Leader, RequestRecord, SectorKind};
use crate::numbers::{HostId, Lver, Numbers, Time, Visit};
use crate::profile::{HeededRequest, OwnRequest, RequestOfShared};
use crate::seam::{
    Answer, ClientId, Event, Killpath, Mode, Output, Outputs, Place, Rare, ReadData, RequestId, Signal, Task,
};
use alloc::boxed::Box;
use litemap::LiteMap;

/// The writing of a request, under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Call {
    request: RequestId,
    pub(super) token: Token,
    lver: Lver,
    next: bool,
    force_mode: u32,
    /// The owner that the leader names.
    owner: HostId,
    step: CallStep,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum CallStep {
    Leader(Running),
    Record(Running),
    Write(Running),
}

/// A look at the request for something that is held.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Examine {
    pub(super) token: Token,
    step: ExamineStep,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum ExamineStep {
    Read(Running),
    Wipe(Running),
}

impl Token {
    fn request_offset(&self) -> u64 {
        self.place.offset + self.geometry.request_offset()
    }

    fn read_request(&self, task: Task, cx: &mut Cx<'_>) -> Running {
        let offset = self.request_offset();
        cx.start(task, Op::read_after(self.place.disk, offset, self.sector(), offset), self.timeout())
    }

    fn write_request(&self, record: &RequestRecord, task: Task, cx: &mut Cx<'_>) -> Running {
        let (disk, offset) = (self.place.disk, self.request_offset());
        let op = Op::write(disk, offset, self.sector(), SectorKind::Request, record.sector());
        cx.start(task, op, self.timeout())
    }

    fn request_in(&self, data: &ReadData) -> Result<RequestRecord, Refusal> {
        RequestRecord::read(&data.sector_at(0, self.geometry.sector()))
    }
}

impl Call {
    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        let (CallStep::Leader(io) | CallStep::Record(io) | CallStep::Write(io)) = &mut self.step;
        Some(io)
    }

    /// Whether it takes a request back.
    fn clears(&self) -> bool {
        self.lver == Lver(0) && self.force_mode == 0
    }

    /// Its I/O ended. `Some`: it is over.
    fn io_done(&mut self, task: Task, ended: Ended, cx: &mut Cx<'_>) -> Option<Result<(), Refusal>> {
        match self.moved(task, ended, cx) {
            Ok(None) => None,
            Ok(Some(())) => Some(Ok(())),
            Err(why) => Some(Err(why)),
        }
    }

    fn moved(&mut self, task: Task, ended: Ended, cx: &mut Cx<'_>) -> Result<Option<()>, Refusal> {
        let data = ended?;
        match &self.step {
            CallStep::Leader(_) => {
                let (space, name) = &self.token.key;
                let leader = Leader::read(&data.sector_at(0, self.token.geometry.sector()), space, name, HostId::NONE)?;
                if leader.timestamp.is_free() {
                    // "Success, nothing written, nobody notified." So it is for what others only share, too.
                    return Ok(Some(()));
                }
                self.owner = leader.owner_id;
                if self.lver == Lver(0) && self.next {
                    self.lver = leader.lver.next();
                }
                if leader.lver >= self.lver {
                    return Err(Refusal::RequestOld);
                }
                self.token.geometry = crate::format::Geometry::from_leader(leader.sector_size, leader.flags)?;
                self.step = CallStep::Record(self.token.read_request(task, cx));
                Ok(None)
            }
            CallStep::Record(_) => {
                let found = self.token.request_in(&data)?;
                if !self.clears() && found.lver > self.lver {
                    return Err(Refusal::RequestLver);
                }
                let (lver, force_mode) = (self.lver, self.force_mode);
                let record = RequestRecord { lver, force_mode, padding: 0, ..found };
                self.step = CallStep::Write(self.token.write_request(&record, task, cx));
                Ok(None)
            }
            CallStep::Write(_) => Ok(Some(())),
        }
    }
}

impl Examine {
    /// The I/O that it waits for.
    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        let (ExamineStep::Read(io) | ExamineStep::Wipe(io)) = &mut self.step;
        Some(io)
    }
}

/// Who is signalled because of a request, or has its program run (paxos-lease §10).
///
/// That a client is being killed is not noted: what it was asked for gracefully it may give back when it likes, and
/// whether the daemon has to kill it some day is another matter.
fn heed(
    won: &Won,
    record: &RequestRecord,
    holders: impl Iterator<Item = ClientId>,
    clients: &LiteMap<ClientId, Client>,
    cx: &mut Cx<'_>,
) -> bool {
    let held = won.lver();
    if record.force_mode == 0 || record.lver == Lver(0) || record.lver <= held {
        return false;
    }
    let signal = match record.force_mode {
        RequestRecord::FORCE => Signal::Kill,
        RequestRecord::GRACEFUL => Signal::Term,
        _ => return false,
    };
    let RequestRecord { lver: wanted, force_mode, .. } = *record;
    cx.event(Event::Heeded { place: won.token.place, held, wanted, force_mode });
    if won.mode == Mode::Shared {
        cx.rare(Rare::SharedAsked);
        if cx.config.profile.request_of_shared == RequestOfShared::OwnGroup {
            cx.out.push(Output::SignalSelf { signal });
            return true;
        }
    }
    for client in holders {
        let state = clients.get(&client);
        if signal == Signal::Term
            && let Some(killpath) = state.and_then(|state| state.killpath.as_deref())
        {
            // "Without appending the pid."
            cx.out.push(Output::RunKillpath { client, killpath: Killpath { with_pid: false, ..killpath.clone() } });
            cx.rare(Rare::KillpathRun);
            continue;
        }
        let sent = state.map_or(Some(signal), |state| state.restricted.instead_of(signal));
        if sent != Some(signal) {
            cx.rare(Rare::SignalRestricted);
        }
        if let Some(signal) = sent {
            cx.out.push(Output::Signal { client, signal });
        }
    }
    true
}

impl Engine {
    /// A worker takes up the writing of a request.
    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    pub(super) fn call(
        &mut self,
        now: Time,
        worker: u8,
        request: RequestId,
        key: Key,
        place: Place,
        lver: Lver,
        next: bool,
        force_mode: u32,
        out: &mut Outputs,
    ) -> Began {
        let usable = self.find_lockspace(&key.0).filter(|found| self.lockspace(*found).usable());
        let Some(found) = usable else { return Began::Answered(Err(Refusal::LockspaceFailing)) };
        let token = self.lockspace(found).token(found, key, place);
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let task = Task::Worker(worker);
        let step = match lver == Lver(0) && force_mode == 0 {
            true => CallStep::Record(token.read_request(task, cx)),
            false => {
                let op = Op::read(place.disk, place.offset, token.sector());
                CallStep::Leader(cx.start(task, op, token.timeout()))
            }
        };
        let owner = HostId::NONE;
        Began::Running(Command::Call(Box::new(Call { request, token, lver, next, force_mode, owner, step })))
    }

    /// Runs the command of a worker that writes a request.
    pub(super) fn run_call(
        &mut self,
        now: Time,
        worker: u8,
        mut call: Box<Call>,
        stimulus: Stimulus,
        out: &mut Outputs,
    ) {
        let alive = lives(&self.lockspaces, &self.config, &call.token);
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let ended = stimulus.ended(call.running_mut(), cx);
        let result = match ended {
            None => None,
            Some(_) if !alive => Some(Err(Refusal::LockspaceFailing)),
            Some(ended) => call.io_done(Task::Worker(worker), ended, cx),
        };
        let Some(result) = result else {
            self.workers[usize::from(worker)] = Some(Command::Call(call));
            return;
        };
        if result.is_ok() && matches!(call.step, CallStep::Write(_)) && call.owner != HostId::NONE {
            self.called(now, &call, out);
        }
        out.push(Output::Reply { id: call.request, result: result.map(|()| Answer::Done) });
        self.worker_free(now, worker, out);
    }

    /// The request stands there: its owner is called.
    fn called(&mut self, now: Time, call: &Call, out: &mut Outputs) {
        let Call { owner, ref token, .. } = *call;
        if owner == token.host && self.config.profile.own_request == OwnRequest::Examined {
            // Nobody reads the bit of its own host.
            return self.examine(now, &token.key.0, Some(&token.key.1), out);
        }
        if let Some(lockspace) = self.lockspaces[usize::from(token.lockspace.0)].as_mut() {
            lockspace.calls.call(owner, now.second());
        }
    }

    /// Begins the next look at a request, if one is wanted.
    pub(super) fn next_examine(&mut self, now: Time, out: &mut Outputs) -> bool {
        while let Some(key) = self.background.to_examine.pop_first() {
            let held = self.resources.held().find(|(_, won)| won.token.key == key).map(|(_, won)| won.token.clone());
            let Some(token) = held.filter(|token| lives(&self.lockspaces, &self.config, token)) else { continue };
            let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
            let step = ExamineStep::Read(token.read_request(Task::Resource, cx));
            self.background.examining = Some(Box::new(Examine { token, step }));
            return true;
        }
        false
    }

    /// Runs the resource thread, which looks at a request.
    pub(super) fn run_examine(&mut self, now: Time, mut examine: Box<Examine>, stimulus: Stimulus, out: &mut Outputs) {
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let Some(ended) = stimulus.ended(examine.running_mut(), cx) else {
            self.background.examining = Some(examine);
            return;
        };
        let alive = lives(&self.lockspaces, &self.config, &examine.token);
        if alive
            && matches!(examine.step, ExamineStep::Read(_))
            && let Ok(record) = ended.and_then(|data| examine.token.request_in(&data))
        {
            let of_key = |won: &Won| won.token.key == examine.token.key;
            let held = self.resources.held().find(|(_, won)| of_key(won)).map(|(_, won)| won);
            let holders = self.resources.held().filter(|(_, won)| of_key(won)).map(|(client, _)| client);
            let heeded = held.is_some_and(|won| heed(won, &record, holders, &self.clients, cx));
            if heeded && cx.config.profile.heeded_request == HeededRequest::Wiped {
                cx.rare(Rare::RequestWiped);
                let wiped = RequestRecord { lver: Lver(0), force_mode: 0, padding: 0, ..record };
                examine.step = ExamineStep::Wipe(examine.token.write_request(&wiped, Task::Resource, cx));
                self.background.examining = Some(examine);
                return;
            }
        }
        self.next_in_background(now, out);
    }
}

impl Visit for Call {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.token.visit(numbers);
        numbers.lver(&mut self.lver);
        let (CallStep::Leader(io) | CallStep::Record(io) | CallStep::Write(io)) = &mut self.step;
        io.visit(numbers);
    }
}

impl Visit for Examine {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.token.visit(numbers);
        let (ExamineStep::Read(io) | ExamineStep::Wipe(io)) = &mut self.step;
        io.visit(numbers);
    }
}
