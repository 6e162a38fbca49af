//! The engine: the daemon of one host as a value.
//!
//! [`Engine::handle`] routes each input to one task, lets it run until it waits again, and afterwards lets run what
//! waited for it. Which room decides what:
//!
//! | room | decides |
//! |---|---|
//! | [`lockspace`] | join, renewal, leave of one lockspace |
//! | [`observe`] | what is known of the other hosts |
//! | [`recovery`] | failure and killing: the main loop's tick |
//! | [`acquire`], [`ballot`] | taking a resource |
//! | [`holders`] | what clients ask about what they hold, converting it, and what becomes of it when they are gone |
//! | [`background`] | the resource thread |
//! | [`shared`] | whether others share it, sharing it, changing the mode |
//! | [`release`] | giving it back |
//! | [`calls`] | host events and bitmaps: calling other hosts, and being called |
//! | [`requests`] | asking for what another holds, and heeding who asks |
//! | [`reading`] | what areas say to whoever only reads them |
//! | [`resource`] | who holds what on this host |
//! | [`index`] | the resource index |
//! | [`administration`] | what is declared about clients and lockspaces, and when the daemon ends |
//! | [`told`] | nothing: what an operator is told |
//! | [`io`] | slots, deadlines, outstanding writes |
//! | [`common`] | nothing: what copies of an engine share |

mod acquire;
mod administration;
mod background;
mod ballot;
mod calls;
mod common;
mod forget;
mod holders;
mod index;
mod io;
mod lockspace;
mod observe;
mod reading;
mod recovery;
mod release;
mod requests;
mod resource;
mod shared;
pub mod told;

pub use self::forget::Passed;

use self::acquire::{Acquire, Finished, Stimulus};
use self::administration::Shutdown;
use self::common::Common;
use self::index::Index;
use self::io::{Cx, Ended, Io, Routed};
use self::lockspace::{After, List, Lockspace, POLL};
use self::reading::Reading;
use self::recovery::{Client, MainLoop};
use self::release::{Release, Released};
use self::requests::{Call, Examine};
use self::resource::{Holder, Key, Let, Resources, Token};
use self::shared::Downgrade;
use crate::Refusal;
use crate::format::Name;
use crate::mutants::Mutant;
use crate::numbers::{HostId, Span, Time};
use crate::profile::{ClientGone, Config, Grant, LostRename, LvbPlace, OrphanOnly};
use crate::seam::{
    Answer, ClientId, Event, Holding, Input, LastLife, LsId, Orphan, Output, Outputs, Place, Rare, Request, RequestId,
    Slot, Task, Terms,
};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use litemap::LiteMap;

/// io_timeout where none is given (daemon §2).
const DEFAULT_IO_TIMEOUT: u64 = 10;
/// What a second of sleep takes longer than a second, at the most: so looks that are meant to come once a second drift.
const POLL_DRIFT: Span = Span::from_millis(2);
/// How late a look may come besides, with the answer's way to whoever asked.
const LOOK: Span = Span::from_millis(100);

/// The lease engine of one host. A plain value: everything that it decides by is in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Engine {
    config: Common<Config>,
    last_life: LastLife,
    io: Io,
    lockspaces: Common<Vec<Option<Lockspace>>>,
    /// Host ids that this daemon owned and left after it saw all their users gone.
    left: BTreeSet<(Name, HostId)>,
    resources: Common<Resources>,
    clients: Common<LiteMap<ClientId, Client>>,
    workers: Vec<Option<Command>>,
    /// Commands that wait for a worker.
    queue: VecDeque<Queued>,
    background: Background,
    main: MainLoop,
    /// It is to end.
    shutdown: Option<Shutdown>,
}

/// A client command with disk I/O that waits for a worker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Queued {
    id: RequestId,
    client: ClientId,
    request: Request,
}

/// What a worker is doing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Command {
    /// Looks once a second whether the join is over.
    Join {
        id: RequestId,
        lockspace: LsId,
        started: Time,
    },
    /// Looks once a second whether the lockspace is gone.
    Leave {
        id: RequestId,
        lockspace: LsId,
        started: Time,
    },
    /// Looks once a second whether the lockspace is still being joined or left.
    Await {
        id: RequestId,
        lockspace: LsId,
        started: Time,
    },
    /// An acquire, or the conversion of a shared hold to exclusive.
    Acquire(Box<Acquire>),
    Downgrade(Box<Downgrade>),
    /// `client`: who asked, if it is still there.
    Release {
        id: RequestId,
        client: Option<ClientId>,
        release: Box<Release>,
    },
    Index(Box<Index>),
    Call(Box<Call>),
    Read(Box<Reading>),
}

/// The resource thread: looks at requests, and releases that go on after their command ended, one at a time.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Background {
    running: Option<Box<Release>>,
    /// How often the running one was tried before.
    tries: u8,
    waiting: Vec<(Time, u8, Release)>,
    examining: Option<Box<Examine>>,
    /// What is held whose requests are to be looked at next.
    to_examine: BTreeSet<Key>,
}

impl Engine {
    /// The daemon starts.
    pub fn boot(config: Config, last_life: LastLife, _now: Time, _out: &mut Outputs) -> Engine {
        let workers = usize::from(config.parameters.workers);
        Engine {
            config: config.into(),
            last_life,
            io: Io::default(),
            lockspaces: Common::default(),
            left: BTreeSet::new(),
            resources: Common::default(),
            clients: Common::default(),
            workers: (0..workers).map(|_| None).collect(),
            queue: VecDeque::new(),
            background: Background::default(),
            main: MainLoop::default(),
            shutdown: None,
        }
    }

    /// The only entrance: see the contract in [`crate::seam`].
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Outputs) {
        match input {
            Input::Request { id, client, request } => self.request(now, id, client, request, out),
            Input::IoDone { slot, result } => match self.io.done(slot, result) {
                Routed::Awaited(task, ended) => {
                    self.run(now, task, Stimulus::Io(ended), out);
                    self.issue_waiting(now, out);
                }
                Routed::Late(task, _, ended) if self.config.mutated(Mutant::B32) && self.io.give_up_all_of(task) => {
                    self.run(now, task, Stimulus::Io(ended), out);
                    self.issue_waiting(now, out);
                }
                Routed::Late(task, slot, ended) => {
                    self.late(now, task, slot, ended, out);
                    self.issue_waiting(now, out);
                }
            },
            Input::Wake { task } => self.run(now, task, Stimulus::Woken, out),
            Input::HungUp { client } => match self.config.profile.client_gone {
                _ if self.config.mutated(Mutant::B15) => self.client_gone(now, client, out),
                ClientGone::HungUp => self.client_gone(now, client, out),
                ClientGone::Exited => {
                    if let Some(client) = self.clients.get_mut(&client) {
                        client.hung_up = true;
                    }
                }
            },
            // Only the end of a process says that it is gone: what it holds stays held.
            Input::Garbage { client: _ } => {}
            Input::Exited { client } => self.client_gone(now, client, out),
            Input::Watchdog { lockspace, answer } => {
                self.with_lockspace(now, lockspace, out, |ls, cx| ls.watchdog(lockspace, answer, cx));
            }
        }
        let Engine { lockspaces, main, config, io, .. } = self;
        main.ask(lockspaces, &mut Cx { now, config, io, out });
    }

    /// The wall clock was stepped, which means nothing to an engine without a mistake. How far is not known out here;
    /// an hour in the direction that does harm will do.
    pub fn wall_clock_stepped(&mut self) {
        const HOUR: u64 = 3_600;
        for command in self.workers.iter_mut().flatten() {
            if let Command::Acquire(acquire) = command
                && self.config.mutated(Mutant::B07a)
            {
                acquire.wall_clock_stepped(HOUR);
            }
        }
        for lockspace in self.lockspaces.iter_mut().flatten() {
            if self.config.mutated(Mutant::B07b) {
                lockspace.last_success = lockspace.last_success.after(HOUR);
            }
        }
    }

    /// What is being acquired, held or released, by the names of lockspace and resource.
    pub fn claims(&self) -> impl ExactSizeIterator<Item = &(Name, Name)> {
        self.resources.claims()
    }

    /// What clients hold.
    pub fn holdings(&self) -> impl Iterator<Item = (ClientId, Holding)> + Clone {
        self.resources.held().map(|(client, won)| {
            let (lockspace, resource) = won.token.key;
            (client, Holding { lockspace, resource, lver: won.lver(), mode: won.mode })
        })
    }

    fn run(&mut self, now: Time, task: Task, stimulus: Stimulus, out: &mut Outputs) {
        match task {
            Task::Main => self.tick(now, out),
            Task::Lockspace(id) => self.with_lockspace(now, id, out, |ls, cx| match stimulus {
                Stimulus::Io(ended) => ls.io_done(id, ended, cx),
                Stimulus::Woken => ls.woken(id, cx),
            }),
            Task::Worker(worker) => self.run_worker(now, worker, stimulus, out),
            Task::Resource => self.run_background(now, stimulus, out),
        }
    }

    fn late(&mut self, now: Time, task: Task, slot: Slot, ended: Ended, out: &mut Outputs) {
        // Only a lockspace thread has a use for what it gave up.
        if let Task::Lockspace(id) = task {
            self.with_lockspace(now, id, out, |ls, cx| ls.late(id, slot, ended, cx));
        }
    }

    /// After a completion: what waited for a slot or for a sector may go on. In the order of tasks.
    fn issue_waiting(&mut self, now: Time, out: &mut Outputs) {
        let Engine { lockspaces, workers, background, config, io, .. } = self;
        let cx = &mut Cx { now, config, io, out };
        for (index, lockspace) in lockspaces.iter_mut().enumerate() {
            if let Some(running) = lockspace.as_mut().and_then(Lockspace::running_mut) {
                cx.issue_waiting(Task::Lockspace(LsId(index as u8)), running);
            }
        }
        // What a lockspace that failed meanwhile was waiting for is not begun any more.
        let may_begin = |token: &Token| lives(lockspaces, config, token);
        for (index, command) in workers.iter_mut().enumerate() {
            let running = match command {
                Some(Command::Acquire(acquire)) if acquire.goes_on(config) || may_begin(&acquire.token) => {
                    acquire.running_mut()
                }
                Some(Command::Downgrade(downgrade)) if may_begin(&downgrade.release.token) => downgrade.running_mut(),
                Some(Command::Release { release, .. }) if may_begin(&release.token) => release.running_mut(),
                Some(Command::Index(index)) if index.may_begin(lockspaces, config) => index.running_mut(),
                Some(Command::Call(call)) if may_begin(&call.token) => call.running_mut(),
                Some(Command::Read(reading)) => reading.running_mut(),
                Some(_) | None => None,
            };
            if let Some(running) = running {
                cx.issue_waiting(Task::Worker(index as u8), running);
            }
        }
        if let Some(release) = &mut background.running
            && may_begin(&release.token)
            && let Some(running) = release.running_mut()
        {
            cx.issue_waiting(Task::Resource, running);
        }
        if let Some(examine) = &mut background.examining
            && may_begin(&examine.token)
            && let Some(running) = examine.running_mut()
        {
            cx.issue_waiting(Task::Resource, running);
        }
    }

    // Lockspaces.

    fn with_lockspace(
        &mut self,
        now: Time,
        id: LsId,
        out: &mut Outputs,
        run: impl FnOnce(&mut Lockspace, &mut Cx<'_>) -> After,
    ) {
        let Engine { lockspaces, config, io, main, .. } = self;
        let Some(lockspace) = lockspaces.get_mut(usize::from(id.0)).and_then(Option::as_mut) else { return };
        let after = run(lockspace, &mut Cx { now, config, io, out });
        if lockspace.image.is_some() || lockspace.corrupt.is_some() {
            let looked_at = lockspace.list == List::Spaces && !lockspace.killing && after == After::News;
            if looked_at {
                main.news(now);
            }
        }
        match after {
            After::Nothing | After::News => {}
            After::JoinEnded => self.look_for(now, id, out),
            After::Gone => {
                let gone = lockspaces[usize::from(id.0)].take().expect("it ran just now");
                self.left.insert((gone.name, gone.host_id));
                self.resources.forget_orphans(&gone.name);
                self.look_for(now, id, out);
            }
        }
    }

    /// Lets the workers that look once a second at this lockspace look at the end of their second.
    fn look_for(&mut self, now: Time, id: LsId, out: &mut Outputs) {
        for (index, command) in self.workers.iter().enumerate() {
            if let Some(
                Command::Join { lockspace, started, .. }
                | Command::Leave { lockspace, started, .. }
                | Command::Await { lockspace, started, .. },
            ) = command
                && *lockspace == id
            {
                let elapsed = now.since(*started);
                let looks = elapsed.micros() / POLL.micros();
                let drift = |looks: u64| Span::from_micros(looks * POLL_DRIFT.micros());
                let this_look = started.after(Span::from_secs(looks)).after(drift(looks));
                let next_look = started.after(Span::from_secs(looks + 1));
                // The look of this second may be still to come, since looks drift.
                let earliest = if now <= this_look { now } else { next_look };
                let latest = next_look.after(drift(looks + 1)).after(LOOK);
                out.push(Output::WakeWithin { task: Task::Worker(index as u8), earliest, latest });
            }
        }
    }

    fn tick(&mut self, now: Time, out: &mut Outputs) {
        let Engine { lockspaces, resources, clients, main, config, io, .. } = self;
        main.woken();
        let cx = &mut Cx { now, config, io, out };
        let mut called = Vec::new();
        for (index, lockspace) in lockspaces.iter_mut().enumerate() {
            let id = LsId(index as u8);
            if let Some(lockspace) = lockspace
                && recovery::check(id, lockspace, resources, clients, main, cx)
            {
                called.push(id);
            }
        }
        self.examine_where_called(now, &called, out);
        self.end_if_idle(now, out);
    }

    fn find_lockspace(&self, name: &Name) -> Option<LsId> {
        let found = self.lockspaces.iter().position(|ls| ls.as_ref().is_some_and(|ls| ls.name.same(name)))?;
        Some(LsId(found as u8))
    }

    fn lockspace(&self, id: LsId) -> &Lockspace {
        self.lockspaces[usize::from(id.0)].as_ref().expect("a lockspace that was just found")
    }

    // Requests.

    fn request(&mut self, now: Time, id: RequestId, client: ClientId, request: Request, out: &mut Outputs) {
        let answer = match &request {
            Request::Inquire => self.inquire(client),
            Request::GetHosts { lockspace } => self.hosts(now, lockspace),
            Request::SetLvb { lockspace, resource, value } => {
                self.set_lvb(client, &(*lockspace, *resource), value).map(|()| Answer::Done)
            }
            Request::GetLvb { lockspace, resource } => self.lvb(client, &(*lockspace, *resource)),
            Request::Examine { lockspace, resource } => {
                let resource = Some(resource).filter(|resource| !resource.is_empty());
                self.examine(now, lockspace, resource, out);
                Ok(Answer::Done)
            }
            Request::SetEvent { lockspace, host_id, event, terms } => {
                self.set_event(now, lockspace, *host_id, *event, *terms).map(|()| Answer::Done)
            }
            Request::RegEvent { lockspace } => self.register(lockspace, client).map(|()| Answer::Done),
            Request::EndEvent { lockspace } => self.unregister(lockspace, client).map(|()| Answer::Done),
            Request::SetKillpath(killpath) => self.set_killpath(client, killpath),
            Request::Restrict(signals) => self.restrict(client, *signals),
            Request::SetConfig { lockspace, setting } => self.set_config(now, lockspace, *setting),
            Request::Shutdown { force, wait } => return self.shut_down(now, id, *force, *wait, out),
            _ if is_exclusive(&request) => {
                let state = self.clients.entry(client).or_default();
                let acquires = matches!(request, Request::Acquire { .. });
                if state.command || (state.being_killed() && acquires) {
                    Err(Refusal::Busy)
                } else {
                    state.command = true;
                    return self.command(now, Queued { id, client, request }, out);
                }
            }
            _ => return self.command(now, Queued { id, client, request }, out),
        };
        out.push(Output::Reply { id, result: answer });
    }

    fn hosts(&self, now: Time, name: &Name) -> Result<Answer, Refusal> {
        let id = self.find_lockspace(name).ok_or(Refusal::NotFound)?;
        let lockspace = self.lockspace(id);
        if lockspace.list != List::Spaces {
            return Err(Refusal::NotFound);
        }
        if lockspace.table.last_check == crate::numbers::Second::NEVER {
            return Err(Refusal::Again);
        }
        let parameters = &self.config.parameters;
        Ok(Answer::Hosts(lockspace.table.report(now.second(), lockspace.host_id, parameters)))
    }

    /// Gives a command to a worker that is free, or queues it.
    fn command(&mut self, now: Time, queued: Queued, out: &mut Outputs) {
        match self.workers.iter().position(Option::is_none) {
            Some(worker) => self.begin(now, worker as u8, queued, out),
            None => self.queue.push_back(queued),
        }
    }

    /// A worker is done with its command and takes the next.
    fn worker_free(&mut self, now: Time, worker: u8, out: &mut Outputs) {
        self.workers[usize::from(worker)] = None;
        out.push(Output::NoWake { task: Task::Worker(worker) });
        if let Some(queued) = self.queue.pop_front() {
            self.begin(now, worker, queued, out);
        }
    }

    fn begin(&mut self, now: Time, worker: u8, queued: Queued, out: &mut Outputs) {
        let Queued { id, client, request } = queued;
        let exclusive = is_exclusive(&request);
        let began = match request {
            Request::AddLockspace { name, host_id, place, io_timeout } => {
                self.add_lockspace(now, id, name, host_id, place, io_timeout, out)
            }
            Request::RemLockspace { name, unused } => self.rem_lockspace(now, id, &name, unused, out),
            Request::InquireLockspace { name, wait } => self.inquire_lockspace(now, id, &name, wait),
            Request::Acquire { lockspace, resource, place, terms } => {
                self.acquire(now, worker, id, client, (lockspace, resource), place, terms, out)
            }
            Request::Convert { lockspace, resource, mode, nowait } => {
                self.convert(now, worker, id, client, &(lockspace, resource), mode, nowait, out)
            }
            Request::Release { lockspace, resource } => {
                self.release(now, worker, id, client, &(lockspace, resource), None, out)
            }
            Request::Rename { lockspace, resource, renamed } => {
                self.release(now, worker, id, client, &(lockspace, resource), Some(renamed), out)
            }
            Request::Call { lockspace, resource, place, lver, next, force_mode } => {
                self.call(now, worker, id, (lockspace, resource), place, lver, next, force_mode, out)
            }
            Request::ReadOwners { lockspace, resource, place, geometry } => {
                self.read_owners(now, worker, id, (lockspace, resource), place, geometry, out)
            }
            Request::ReadLockspace { lockspace, host_id, place } => {
                self.read_lockspace(now, worker, id, lockspace, host_id, place, out)
            }
            Request::Index { lockspace, place, direct, operation } => {
                self.index(now, worker, id, lockspace, place, direct, operation, out)
            }
            Request::Inquire
            | Request::GetHosts { .. }
            | Request::SetLvb { .. }
            | Request::GetLvb { .. }
            | Request::Examine { .. }
            | Request::SetEvent { .. }
            | Request::RegEvent { .. }
            | Request::EndEvent { .. }
            | Request::SetKillpath(_)
            | Request::Restrict(_)
            | Request::SetConfig { .. }
            | Request::Shutdown { .. } => unreachable!("answered by the main loop"),
        };
        match began {
            Began::Running(command) => self.workers[usize::from(worker)] = Some(command),
            Began::Answered(result) => {
                if exclusive {
                    self.command_ended(client);
                }
                out.push(Output::Reply { id, result });
                if let Some(queued) = self.queue.pop_front() {
                    self.begin(now, worker, queued, out);
                }
            }
        }
    }

    fn command_ended(&mut self, client: ClientId) {
        if let Some(state) = self.clients.get_mut(&client) {
            state.command = false;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    fn add_lockspace(
        &mut self,
        now: Time,
        id: RequestId,
        name: Name,
        host_id: HostId,
        place: Place,
        io_timeout: u32,
        out: &mut Outputs,
    ) -> Began {
        if name.text().is_empty() || host_id == HostId::NONE {
            return Began::Answered(Err(Refusal::Invalid));
        }
        if self.shutdown.is_some() {
            return Began::Answered(Err(Refusal::Aborted));
        }
        for known in self.lockspaces.iter().flatten() {
            let (same_name, same_place) = (known.name.same(&name), known.place == place);
            if same_name && same_place && known.host_id == host_id {
                return Began::Answered(Err(match known.list {
                    List::Add => Refusal::InProgress,
                    List::Spaces => Refusal::Exists,
                    List::Rem => Refusal::Again,
                }));
            }
            if same_name || same_place {
                return Began::Answered(Err(Refusal::Invalid));
            }
        }
        // A number whose last thread still has I/O in the kernel is not used again: it would be mistaken for ours.
        let free = |index: &usize| {
            let unused = self.lockspaces.get(*index).is_none_or(Option::is_none);
            let id = LsId(*index as u8);
            unused && !self.is_looked_for(id) && !self.io.any_of(Task::Lockspace(id))
        };
        let Some(index) = (0..usize::from(u8::MAX)).find(free) else {
            return Began::Answered(Err(Refusal::Busy));
        };
        if index >= self.lockspaces.len() {
            self.lockspaces.resize(index + 1, None);
        }
        let lockspace = LsId(index as u8);
        let io_timeout = if io_timeout == 0 { DEFAULT_IO_TIMEOUT } else { u64::from(io_timeout) };
        let old_life_is_over = self.last_life == LastLife::Gone || self.left.contains(&(name, host_id));
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        let joining = Lockspace::join(lockspace, name, host_id, place, io_timeout, old_life_is_over, cx);
        self.lockspaces[index] = Some(joining);
        Began::Running(Command::Join { id, lockspace, started: now })
    }

    fn rem_lockspace(&mut self, now: Time, id: RequestId, name: &Name, unused: bool, out: &mut Outputs) -> Began {
        if unused && self.resources.any_of(name) {
            return Began::Answered(Err(Refusal::Busy));
        }
        let Some(lockspace) = self.find_lockspace(name) else {
            return Began::Answered(Err(Refusal::NotFound));
        };
        if self.index_under_way(lockspace) {
            return Began::Answered(Err(Refusal::Busy));
        }
        let Engine { lockspaces, config, io, main, .. } = self;
        let leaving = lockspaces[usize::from(lockspace.0)].as_mut().expect("a lockspace that was just found");
        if leaving.list == List::Rem || leaving.removal {
            return Began::Answered(Err(Refusal::InProgress));
        }
        leaving.removal = true;
        if leaving.list == List::Add && leaving.joined.is_none() {
            out.push(Output::Event(Event::Rare(Rare::RemovedWhileJoining)));
            leaving.stop(lockspace, &mut Cx { now, config, io, out });
        } else {
            main.news(now);
        }
        Began::Running(Command::Leave { id, lockspace, started: now })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    fn acquire(
        &mut self,
        now: Time,
        worker: u8,
        id: RequestId,
        client: ClientId,
        key: Key,
        place: Place,
        terms: Terms,
        out: &mut Outputs,
    ) -> Began {
        let usable = self.find_lockspace(&key.0).filter(|found| self.lockspace(*found).admits(&self.config));
        let Some(found) = usable else { return Began::Answered(Err(Refusal::LockspaceFailing)) };
        let joining = Holder { client, persistent: terms.persistent };
        if let Some(lver) = self.resources.joins(joining, &key, &terms, &self.config.profile) {
            let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
            cx.rare(if terms.orphan == Orphan::Refused { Rare::SharedLocally } else { Rare::OrphanAdopted });
            return Began::Answered(Ok(Answer::Acquired { lver }));
        }
        if let Some(refusal) = self.resources.refuses(&key, &terms) {
            return Began::Answered(Err(refusal));
        }
        let profile = self.config.profile;
        if terms.orphan == Orphan::Only && profile.orphan_only == OrphanOnly::Refused {
            return Began::Answered(Err(Refusal::NotFound));
        }
        let lvb_fits = self.lockspace(found).geometry.lvb_fits();
        if terms.lvb && !lvb_fits && profile.lvb_place == LvbPlace::Inside {
            return Began::Answered(Err(Refusal::Invalid));
        }
        self.resources.add(key);
        let lockspace = self.lockspace(found);
        // "The first read uses the LOCKSPACE's geometry." Host id and generation are those of this moment.
        let token = lockspace.token(found, key, place);
        let mut acquire = Box::new(Acquire::new(id, client, token, terms));
        acquire.look(Task::Worker(worker), &mut Cx { now, config: &self.config, io: &mut self.io, out });
        Began::Running(Command::Acquire(acquire))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    fn release(
        &mut self,
        now: Time,
        worker: u8,
        id: RequestId,
        client: ClientId,
        key: &Key,
        renamed: Option<Name>,
        out: &mut Outputs,
    ) -> Began {
        let Some(left) = self.resources.let_go(client, key) else {
            return Began::Answered(Err(Refusal::NotHeld));
        };
        self.spare_if_free(client);
        let told = renamed.is_some() && self.config.profile.lost_rename == LostRename::Told;
        let unwritten = if told { Err(Refusal::ReleaseOwner) } else { Ok(Answer::Done) };
        let won = match left {
            Let::Stays => return Began::Answered(unwritten),
            Let::Last(won) => won,
        };
        if !self.lives(&won.token) {
            // "Lockspace dead for this token → no I/O at all."
            out.push(Output::Event(Event::Rare(Rare::ReleasedWithoutIo)));
            self.resources.forget(key);
            return Began::Answered(unwritten);
        }
        let mut release = Box::new(won.release(&self.config.profile).renaming(renamed));
        release.start(Task::Worker(worker), &mut Cx { now, config: &self.config, io: &mut self.io, out });
        Began::Running(Command::Release { id, client: Some(client), release })
    }

    fn spare_if_free(&mut self, client: ClientId) {
        if self.resources.held().all(|(holder, _)| holder != client)
            && let Some(state) = self.clients.get_mut(&client)
        {
            state.spare();
        }
    }

    /// Whether the instance that a token is of still has its lockspace.
    fn lives(&self, token: &Token) -> bool {
        lives(&self.lockspaces, &self.config, token)
    }

    // Workers.

    fn run_worker(&mut self, now: Time, worker: u8, stimulus: Stimulus, out: &mut Outputs) {
        let Some(command) = self.workers.get_mut(usize::from(worker)).and_then(Option::take) else { return };
        let task = Task::Worker(worker);
        match command {
            Command::Join { id, lockspace, started } => match self.join_ended(lockspace) {
                Some(result) => {
                    out.push(Output::Reply { id, result });
                    self.main.news(now);
                    self.look_for(now, lockspace, out);
                    self.worker_free(now, worker, out);
                }
                None => self.workers[usize::from(worker)] = Some(Command::Join { id, lockspace, started }),
            },
            Command::Leave { id, lockspace, started } => {
                if self.lockspaces[usize::from(lockspace.0)].is_some() {
                    self.workers[usize::from(worker)] = Some(Command::Leave { id, lockspace, started });
                } else {
                    out.push(Output::Reply { id, result: Ok(Answer::Done) });
                    self.worker_free(now, worker, out);
                }
            }
            Command::Await { id, lockspace, started } => match self.state_of(lockspace) {
                Err(Refusal::InProgress) => {
                    self.workers[usize::from(worker)] = Some(Command::Await { id, lockspace, started });
                }
                result => {
                    out.push(Output::Reply { id, result });
                    self.worker_free(now, worker, out);
                }
            },
            Command::Acquire(mut acquire) => {
                let unseen = self.config.mutated(Mutant::B38a);
                let alive = unseen || lives(&self.lockspaces, &self.config, &acquire.token);
                let lockspace = self.lockspaces[usize::from(acquire.token.lockspace.0)].as_ref();
                let lockspace = lockspace.filter(|ls| ls.name == acquire.token.key.0 && ls.list == List::Spaces);
                let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
                match acquire.advance(worker, lockspace, alive, stimulus, cx) {
                    None => self.workers[usize::from(worker)] = Some(Command::Acquire(acquire)),
                    Some(Finished::Retracting(why, release)) if alive => {
                        acquire.undo(task, why, release, cx);
                        self.workers[usize::from(worker)] = Some(Command::Acquire(acquire));
                    }
                    Some(finished) => self.acquire_ended(now, worker, *acquire, finished, out),
                }
            }
            Command::Downgrade(mut downgrade) => {
                let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
                let ended = stimulus.ended(downgrade.running_mut(), cx);
                let alive = lives(&self.lockspaces, &self.config, &downgrade.release.token);
                let downgraded = match alive {
                    true => downgrade.advance(task, ended, cx),
                    false => Some(downgrade.cut_short(&self.config.profile)),
                };
                match downgraded {
                    None => self.workers[usize::from(worker)] = Some(Command::Downgrade(downgrade)),
                    Some(downgraded) => self.downgrade_ended(now, worker, &downgrade, downgraded, out),
                }
            }
            Command::Index(index) => self.run_index(now, worker, index, stimulus, out),
            Command::Call(call) => self.run_call(now, worker, call, stimulus, out),
            Command::Read(reading) => self.run_reading(now, worker, reading, stimulus, out),
            Command::Release { id, client, mut release } => {
                let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
                let ended = stimulus.ended(release.running_mut(), cx);
                let alive = lives(&self.lockspaces, &self.config, &release.token);
                let released = match ended {
                    // "Dropped without I/O once the lockspace is gone or killing."
                    Some(_) if !alive => Some(Released::Done(Ok(()))),
                    ended => ended.and_then(|ended| release.io_done(task, ended, cx)),
                };
                match released {
                    None => self.workers[usize::from(worker)] = Some(Command::Release { id, client, release }),
                    Some(Released::Done(result)) => {
                        self.resources.forget(&release.token.key);
                        client.into_iter().for_each(|client| self.command_ended(client));
                        out.push(Output::Reply { id, result: result.map(|()| Answer::Done) });
                        self.worker_free(now, worker, out);
                    }
                    Some(Released::Again(why)) => {
                        // "The client gets -202 although the release continues."
                        self.go_on_in_background(now, *release, out);
                        client.into_iter().for_each(|client| self.command_ended(client));
                        out.push(Output::Reply { id, result: Err(why) });
                        self.worker_free(now, worker, out);
                    }
                }
            }
        }
    }

    /// The once-a-second look at a join: moves the lockspace to the list it belongs on now.
    fn join_ended(&mut self, id: LsId) -> Option<Result<Answer, Refusal>> {
        let place = &mut self.lockspaces[usize::from(id.0)];
        let lockspace = place.as_mut()?;
        let result = lockspace.joined.take()?;
        Some(match result {
            Ok(()) => {
                lockspace.list = List::Spaces;
                Ok(Answer::Joined { generation: lockspace.generation })
            }
            Err(why) => {
                *place = None;
                Err(why)
            }
        })
    }

    fn acquire_ended(&mut self, now: Time, worker: u8, acquire: Acquire, finished: Finished, out: &mut Outputs) {
        let Acquire { request: id, client, client_gone, token, terms, converts, .. } = acquire;
        if let Some(shared) = converts {
            let result = self.conversion_ended(now, &token, &shared, finished, out);
            if !client_gone {
                self.command_ended(client);
            }
            out.push(Output::Reply { id, result });
            return self.worker_free(now, worker, out);
        }
        let result = match finished {
            Finished::Won(won) => {
                let lives = self.grantable(now, &won.token) || self.config.mutated(Mutant::B38a);
                if lives && (!client_gone || self.config.mutated(Mutant::B38b)) {
                    let lver = won.lver();
                    self.resources.granted(Holder { client, persistent: terms.persistent }, won);
                    Ok(Answer::Acquired { lver })
                } else {
                    let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
                    cx.rare(if lives { Rare::ClientGoneDuringAcquire } else { Rare::GrantRefused });
                    self.resources.releasing(token.key);
                    self.release_or_forget(now, *won, out);
                    Err(if lives { Refusal::ClientGone } else { Refusal::LockspaceFailing })
                }
            }
            Finished::Refused(why) | Finished::Stuck(why) | Finished::Retracting(why, _) => {
                self.resources.forget(&token.key);
                Err(why)
            }
            Finished::Undoing(why, release) => {
                self.resources.releasing(token.key);
                self.go_on_in_background(now, *release, out);
                Err(why)
            }
        };
        if !client_gone {
            self.command_ended(client);
        }
        out.push(Output::Reply { id, result });
        self.worker_free(now, worker, out);
    }

    /// "Before the tokens become visible the daemon re-checks" (daemon §5).
    fn grantable(&self, now: Time, token: &Token) -> bool {
        let young = match self.config.profile.grant {
            Grant::Listed => true,
            Grant::SameInstance => {
                let lockspace = self.lockspaces[usize::from(token.lockspace.0)].as_ref();
                let failure_age = |ls: &Lockspace| self.config.parameters.failure_age(ls.io_timeout);
                lockspace.is_some_and(|ls| now.second().since(ls.last_success) < failure_age(ls))
            }
        };
        young && self.lives(token)
    }
}

/// "Acquire, release, convert on one client are exclusive."
fn is_exclusive(request: &Request) -> bool {
    matches!(
        request,
        Request::Acquire { .. } | Request::Release { .. } | Request::Convert { .. } | Request::Rename { .. }
    )
}

/// What became of a command when a worker took it up.
enum Began {
    Running(Command),
    Answered(Result<Answer, Refusal>),
}

/// Whether the instance that a token is of still has its lockspace. "The generation is not compared" in 3.8.5.
fn lives(lockspaces: &[Option<Lockspace>], config: &Config, token: &Token) -> bool {
    let lockspace = lockspaces.get(usize::from(token.lockspace.0)).and_then(Option::as_ref);
    lockspace.is_some_and(|ls| {
        let same_instance = config.profile.grant == Grant::Listed || ls.generation == token.generation;
        ls.admits(config) && ls.name == token.key.0 && ls.host_id == token.host && same_instance
    })
}
