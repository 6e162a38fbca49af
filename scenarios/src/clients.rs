//! What client processes and the administrators' agents do, each at its own pace.
//!
//! A client acquires, holds, releases and rests, over and over; on the way it may share, convert, and read and change the
//! value that holders hand on; it heeds signals in its own time, may hang up, may exit
//! at any moment, and another starts in its place. An agent joins the lockspaces whenever its daemon runs without them.

use crate::agenda::Entry;
use crate::dice::Range;
use crate::faults::{Fault, PlannedFault};
use crate::scenario::{Moment, Style};
use crate::simulate::{Act, Simulation};
use lease_core::Refusal;
use lease_core::format::Name;
use lease_core::numbers::Lver;
use lease_core::seam::{Answer, IndexOperation, Mode, Orphan, Request, Signal, Terms};
use model::action::Part;
use model::setup::{Host, LockspaceIx, Process, ResourceIx};
use model::{Action, Illegal, Sink};
use std::sync::Arc;

/// How often a client finds an owner alive before it tries for something else.
const PATIENCE: u64 = 4;

/// A client process, or the place of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// Its next act.
    pub(crate) entry: Entry,
    /// When a signal ends it.
    pub(crate) death: Entry,
    pub(crate) state: ClientState,
    /// In which mode it asked for what it holds.
    mode: Mode,
    /// What it does next with what it holds.
    errand: Errand,
    /// Its last acquire met what another process had left behind.
    met_orphan: bool,
    /// How often the owner of what it asked for was alive.
    owner_alive: u64,
    /// Whether it acts by itself; otherwise the script moves it.
    pub(crate) by_itself: bool,
    /// Whether it is deaf to SIGTERM; drawn when the first one comes.
    deaf: Option<bool>,
    /// Whether it was sent SIGKILL: the first one decides how long it takes.
    killed: bool,
    /// The version of what it held when it inquired last; 0: none.
    pub(crate) known: Lver,
    /// What the program does that it named.
    pub(crate) program: Program,
    /// What it holds outlives it.
    persistent: bool,
}

/// What a program does that is run in place of SIGTERM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// It stops the process, and releases in its name what it holds.
    Pauses,
    /// It makes the process release what it holds.
    Releases,
    /// Nothing: it fails, or hangs.
    Nothing,
}

impl Program {
    /// Each with its word in a scenario file.
    pub(crate) const WORDS: [(&str, Program); 3] =
        [("pauses", Program::Pauses), ("releases", Program::Releases), ("nothing", Program::Nothing)];
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientState {
    /// No process.
    Absent,
    /// Connected, holding nothing, waiting for nothing.
    Idle,
    /// Waiting for the answer to an acquire.
    Acquiring(ResourceIx),
    /// Told that it holds this.
    Holding(ResourceIx),
    /// Holding this, and waiting for the answer to something else about it.
    Busy(ResourceIx),
    /// Waiting for the answer to a release.
    Releasing(ResourceIx),
    /// Without a connection, alive; it may go on using what it held.
    Unhooked,
}

/// What a holder does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Errand {
    /// It reads the value.
    Read,
    /// It changes the value.
    Write,
    /// It converts, or gives back.
    Leave,
}

impl Client {
    pub(crate) fn new(entry: Entry, death: Entry, by_itself: bool) -> Client {
        let (state, mode, errand) = (ClientState::Absent, Mode::Exclusive, Errand::Leave);
        Client {
            entry,
            death,
            state,
            mode,
            errand,
            met_orphan: false,
            owner_alive: 0,
            by_itself,
            deaf: None,
            killed: false,
            known: Lver(0),
            program: Program::Nothing,
            persistent: false,
        }
    }

    /// Whether it neither holds nor waits for anything.
    pub(crate) fn rests(&self) -> bool {
        matches!(self.state, ClientState::Absent | ClientState::Idle)
    }
}

/// A host's part in a lockspace, as its agent knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) entry: Entry,
    pub(crate) state: Membership,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Membership {
    Out,
    Joining,
    In,
    Leaving,
}

impl Member {
    pub(crate) fn new(entry: Entry) -> Member {
        Member { entry, state: Membership::Out }
    }

    /// Whether the agent waits for no answer. (One that is about to ask again has its entry in the agenda.)
    pub(crate) fn rests(&self) -> bool {
        matches!(self.state, Membership::Out | Membership::In)
    }
}

impl<S: Sink> Simulation<'_, S> {
    fn client_of(&mut self, host: Host, process: Process) -> Option<&mut Client> {
        self.hosts[usize::from(host.0)].clients.get_mut(usize::from(process.0))
    }

    /// The client's next act is due after a pause of this range.
    fn client_after(&mut self, host: Host, process: Process, range: Range) {
        let pause = self.dice.clients.within(range);
        let Some(client) = self.client_of(host, process) else { return };
        if client.by_itself {
            let entry = client.entry;
            self.put(entry, self.now.after_micros(pause));
        }
    }

    /// Whether a client fault strikes now; if so, it is counted.
    fn client_fault(&mut self, fault: Fault, host: Host) -> Option<PlannedFault> {
        let planned = self.faults.get(fault)?;
        let strikes = planned.hosts >> host.0 & 1 == 1 && self.dice.faults.one_in(planned.rate);
        if strikes {
            self.fired.count(fault);
        }
        strikes.then_some(planned)
    }

    // --- Acts of clients ---

    pub(crate) fn client(&mut self, entry: Entry, host: Host, process: Process) {
        if self.world.stalled_since(host, Part::Process(process)).is_some() {
            self.hosts[usize::from(host.0)].parked.push(entry);
            return;
        }
        let Some(client) = self.client_of(host, process) else { return };
        match client.state {
            ClientState::Absent => self.spawn(entry, host, process),
            ClientState::Idle => {
                self.may_listen(host, process);
                if let Some(resource) = self.choose(host, process) {
                    self.ask_acquire(entry, host, process, resource);
                }
            }
            ClientState::Holding(resource) => {
                if self.client_fault(Fault::Garbage, host).is_some() {
                    // Whatever the daemon makes of it, the process is none the worse and goes on.
                    let _ = self.act(Action::Garble { host, process });
                }
                if self.client_fault(Fault::ExitHolding, host).is_some() {
                    self.death(entry, host, process);
                } else if let Some(planned) = self.client_fault(Fault::HangUp, host) {
                    let lasts = self.dice.clients.within(planned.lasts);
                    let result = self.hang_up(host, process);
                    if result.is_ok() {
                        self.put(entry, self.now.after_micros(lasts));
                    }
                    self.settle(entry, host, result);
                } else {
                    self.use_or_leave(entry, host, process, resource);
                }
            }
            ClientState::Unhooked => self.death(entry, host, process),
            // A release that was refused: the end of the process makes the daemon try once more.
            ClientState::Releasing(_) | ClientState::Acquiring(_) | ClientState::Busy(_) => {
                self.death(entry, host, process);
            }
        }
    }

    /// A holder is at its next errand.
    fn use_or_leave(&mut self, entry: Entry, host: Host, process: Process, resource: ResourceIx) {
        let Some(client) = self.client_of(host, process).copied() else { return };
        let area = &self.case.setup.resources[usize::from(resource.0)];
        let (lockspace, name) = (self.case.setup.lockspaces[usize::from(area.lockspace.0)].name, area.name);
        let converts = self.act == Act::Safety && self.dice.modes.one_in(self.case.scenario.workload.convert_one_in);
        let request = match client.errand {
            Errand::Read => Request::GetLvb { lockspace, resource: name },
            Errand::Write => {
                let value = self.dice.modes.bits32().to_le_bytes();
                Request::SetLvb { lockspace, resource: name, value: Arc::from(value) }
            }
            Errand::Leave if converts => {
                let mode = match client.mode {
                    Mode::Exclusive => Mode::Shared,
                    Mode::Shared => Mode::Exclusive,
                };
                Request::Convert { lockspace, resource: name, mode, nowait: self.dice.modes.one_in(2) }
            }
            Errand::Leave => return self.ask_release(entry, host, process, resource),
        };
        self.ask_about_hold(entry, host, process, ClientState::Busy(resource), request);
    }

    /// A holder asks for something about what it holds.
    pub(crate) fn ask_about_hold(
        &mut self,
        entry: Entry,
        host: Host,
        process: Process,
        state: ClientState,
        request: Request,
    ) {
        let Some(client) = self.client_of(host, process) else { return };
        let before = std::mem::replace(&mut client.state, state);
        if let Err(illegal) = self.act(Action::Ask { host, process: Some(process), request }) {
            self.not_asked(entry, host, process, before, illegal);
        }
    }

    pub(crate) fn spawn(&mut self, entry: Entry, host: Host, process: Process) {
        let result = self.act(Action::Spawn { host, process });
        match result {
            Ok(()) => {
                if let Some(client) = self.client_of(host, process) {
                    (client.state, client.deaf, client.killed) = (ClientState::Idle, None, false);
                    client.program = Program::Nothing;
                }
                self.introduce(host, process);
                self.client_after(host, process, Range::millis(0, 500));
            }
            Err(Illegal::Stalled) => self.settle(entry, host, result),
            // No daemon to register with: when it is there, its agent starts us again.
            Err(_) => {}
        }
    }

    /// Which resource a client asks for next; `None`: it stops working.
    fn choose(&mut self, host: Host, process: Process) -> Option<ResourceIx> {
        let count = self.case.setup.leases() as u64;
        let hosts = self.hosts.len() as u64;
        let own = (u64::from(process.0) * hosts + u64::from(host.0)) % count;
        if self.act == Act::Liveness {
            // What nobody was granted yet, each client beginning at another. Where something may be left behind on one
            // host, nobody on it may wait for ever for what was left behind on another: that needs somebody there.
            let leaves = self.case.scenario.workload.persistent_one_in != 0;
            let in_vain = self.client_of(host, process).filter(|_| leaves).map_or(0, |client| client.owner_alive);
            let own = own + in_vain / PATIENCE;
            let wanted = (0..count).map(|step| (own + step) % count).find(|index| !self.claims[*index as usize]);
            return wanted.map(|index| ResourceIx(index as u8));
        }
        let index = match self.case.scenario.workload.style {
            Style::Own => own,
            Style::Contend => self.dice.clients.below(count),
            Style::Failover if self.dice.clients.one_in(2) => own,
            Style::Failover => self.dice.clients.below(count),
        };
        Some(ResourceIx(index as u8))
    }

    pub(crate) fn ask_acquire(&mut self, entry: Entry, host: Host, process: Process, resource: ResourceIx) {
        let terms = self.terms(host, process);
        self.ask_on_terms(entry, host, process, resource, terms);
    }

    pub(crate) fn ask_on_terms(
        &mut self,
        entry: Entry,
        host: Host,
        process: Process,
        resource: ResourceIx,
        terms: Terms,
    ) {
        let area = &self.case.setup.resources[usize::from(resource.0)];
        let lockspace = self.case.setup.lockspaces[usize::from(area.lockspace.0)].name;
        let (name, place) = (area.name, area.place);
        let request = Request::Acquire { lockspace, resource: name, place, terms };
        // Before the world hears of it, for the answer may come within the step.
        if let Some(client) = self.client_of(host, process) {
            client.state = ClientState::Acquiring(resource);
            client.mode = terms.mode;
            client.persistent = terms.persistent;
            client.errand = if terms.lvb { Errand::Read } else { Errand::Leave };
        }
        match self.act(Action::Ask { host, process: Some(process), request }) {
            Ok(()) => self.may_exit(host, process),
            Err(illegal) => self.not_asked(entry, host, process, ClientState::Idle, illegal),
        }
    }

    /// On which terms a client asks. Those that the script moves, and all in the liveness act, want it for themselves.
    fn terms(&mut self, host: Host, process: Process) -> Terms {
        let by_itself = self.client_of(host, process).is_some_and(|client| client.by_itself);
        let workload = self.case.scenario.workload;
        if self.act == Act::Liveness || !by_itself {
            let leaves = workload.persistent_one_in != 0;
            let refused = self.client_of(host, process).is_some_and(|client| client.met_orphan);
            // What somebody left behind is in nobody's way then: it is adopted, in whichever mode it is.
            return Terms {
                mode: if refused { Mode::Shared } else { Mode::Exclusive },
                orphan: if leaves { Orphan::Adopted } else { Orphan::Refused },
                ..Terms::default()
            };
        }
        let dice = &mut self.dice.modes;
        let mode = if dice.one_in(workload.shared_one_in) { Mode::Shared } else { Mode::Exclusive };
        let persistent = dice.one_in(workload.persistent_one_in);
        let adopts = workload.persistent_one_in != 0 && dice.one_in(2);
        Terms {
            mode,
            nowait: dice.one_in(workload.nowait_one_in),
            lvb: dice.one_in(workload.value_one_in),
            persistent,
            orphan: if adopts { Orphan::Adopted } else { Orphan::Refused },
            ..Terms::default()
        }
    }

    pub(crate) fn ask_release(&mut self, entry: Entry, host: Host, process: Process, resource: ResourceIx) {
        self.ask_to_give_back(entry, host, process, resource, None);
    }

    /// A client gives back what it holds, perhaps under another name.
    pub(crate) fn ask_to_give_back(
        &mut self,
        entry: Entry,
        host: Host,
        process: Process,
        resource: ResourceIx,
        renamed: Option<Name>,
    ) {
        let area = &self.case.setup.resources[usize::from(resource.0)];
        let lockspace = self.case.setup.lockspaces[usize::from(area.lockspace.0)].name;
        let request = match renamed {
            None => Request::Release { lockspace, resource: area.name },
            Some(renamed) => Request::Rename { lockspace, resource: area.name, renamed },
        };
        if let Some(client) = self.client_of(host, process) {
            client.state = ClientState::Releasing(resource);
        }
        match self.act(Action::Ask { host, process: Some(process), request }) {
            Ok(()) => self.may_exit(host, process),
            Err(illegal) => self.not_asked(entry, host, process, ClientState::Holding(resource), illegal),
        }
    }

    /// A client that was just asked something may exit before it hears the answer.
    fn may_exit(&mut self, host: Host, process: Process) {
        if self.client_fault(Fault::ExitMidRequest, host).is_some() {
            let soon = self.dice.clients.within(Range::millis(0, 500));
            let Some(client) = self.client_of(host, process) else { return };
            let death = client.death;
            self.put(death, self.now.after_micros(soon));
        }
    }

    fn not_asked(&mut self, entry: Entry, host: Host, process: Process, before: ClientState, illegal: Illegal) {
        if let Some(client) = self.client_of(host, process) {
            client.state = before;
        }
        match illegal {
            Illegal::Stalled => self.settle(entry, host, Err(illegal)),
            // Its death is on the agenda.
            Illegal::Killed => {}
            Illegal::NoSuchProcess => {
                if let Some(client) = self.client_of(host, process) {
                    client.state = ClientState::Absent;
                }
            }
            _ => self.client_after(host, process, Range::secs(1, 5)),
        }
    }

    pub(crate) fn hang_up(&mut self, host: Host, process: Process) -> Result<(), Illegal> {
        let result = self.act(Action::HangUp { host, process });
        if let (Ok(()), Some(client)) = (&result, self.client_of(host, process)) {
            client.state = ClientState::Unhooked;
        }
        result
    }

    /// The process ends, and another will start in its place.
    pub(crate) fn death(&mut self, entry: Entry, host: Host, process: Process) {
        let result = self.act(Action::Exit { host, process });
        // Later, or after something that is due first: it lives until then.
        if let Err(Illegal::Stalled | Illegal::Overdue { .. } | Illegal::TooEarly { .. }) = result {
            self.settle(entry, host, result);
            return;
        }
        self.ended(host, process, false);
    }

    /// A process ended; with a child of it in its place, nobody takes that.
    pub(crate) fn ended(&mut self, host: Host, process: Process, leaves_child: bool) {
        let Some(client) = self.client_of(host, process) else { return };
        client.state = ClientState::Absent;
        let (entry, death) = (client.entry, client.death);
        self.agenda.strike(entry);
        self.agenda.strike(death);
        if self.world.daemon_up(host) && self.is_work_left() && !leaves_child {
            let respawn = self.case.scenario.workload.respawn;
            self.client_after(host, process, respawn);
        }
        self.look_for_rest();
    }

    /// Whether anybody should still work: in the liveness act only until every lease was granted once.
    fn is_work_left(&self) -> bool {
        self.act == Act::Safety || self.claims.iter().any(|granted| !granted)
    }

    // --- What clients are told ---

    pub(crate) fn told_client(
        &mut self,
        host: Host,
        process: Process,
        request: &Request,
        result: &Result<Answer, Refusal>,
    ) {
        let workload = self.case.scenario.workload;
        let Some(client) = self.client_of(host, process) else { return };
        match (request, result, client.state) {
            (Request::Inquire, Ok(Answer::Held(held)), _) => {
                client.known = held.first().map_or(client.known, |holding| holding.lver);
            }
            (Request::Acquire { .. }, Ok(_), ClientState::Acquiring(resource)) => {
                client.state = ClientState::Holding(resource);
                let reads = client.errand == Errand::Read;
                let pause = match self.act {
                    _ if reads => Range::exactly(0),
                    Act::Liveness => Range::secs(0, 2),
                    Act::Safety if self.dice.clients.one_in(workload.zero_hold_one_in) => Range::exactly(0),
                    Act::Safety => workload.hold,
                };
                self.client_after(host, process, pause);
                self.claimed(resource);
                self.moment(Moment::Grant, host);
            }
            (
                Request::Convert { .. } | Request::SetLvb { .. } | Request::GetLvb { .. },
                result,
                ClientState::Busy(resource),
            ) => {
                client.state = ClientState::Holding(resource);
                let writes = client.errand == Errand::Read && client.mode == Mode::Exclusive;
                client.errand = if writes { Errand::Write } else { Errand::Leave };
                if let (Request::Convert { mode, .. }, Ok(_)) = (request, result) {
                    client.mode = *mode;
                }
                let pause = match (writes, self.act) {
                    (true, _) => Range::exactly(0),
                    (false, Act::Liveness) => Range::secs(0, 2),
                    (false, Act::Safety) => workload.hold,
                };
                self.client_after(host, process, pause);
            }
            (Request::Acquire { .. }, Err(why), ClientState::Acquiring(_)) => {
                client.state = ClientState::Idle;
                client.met_orphan = *why == Refusal::OrphanExists && !client.met_orphan;
                client.owner_alive += u64::from(*why == Refusal::AcquireIdLive);
                let by_itself = client.by_itself;
                self.client_after(host, process, workload.retry);
                if *why == Refusal::AcquireIdLive && by_itself {
                    self.may_call(host, process, request);
                }
            }
            (Request::Release { .. } | Request::Rename { .. }, Ok(_), ClientState::Releasing(_)) => {
                client.state = ClientState::Idle;
                self.client_after(host, process, workload.idle);
                self.moment(Moment::Release, host);
            }
            // What it let go of it does not take up again; its end makes the daemon try once more.
            (Request::Release { .. } | Request::Rename { .. }, Err(_), ClientState::Releasing(_)) => {
                self.client_after(host, process, workload.retry);
            }
            _ => return,
        }
        self.look_for_rest();
    }

    pub(crate) fn signalled(&mut self, host: Host, process: Process, signal: Signal) {
        let mut delay = self.exit_delay(signal);
        let Some(client) = self.client_of(host, process).copied() else { return };
        match signal {
            Signal::Term => {
                let deaf = match client.deaf {
                    Some(deaf) => deaf,
                    None => self.client_fault(Fault::IgnoreTerm, host).is_some(),
                };
                if let Some(client) = self.client_of(host, process) {
                    client.deaf = Some(deaf);
                }
                if deaf || self.agenda.due(client.death).is_some() {
                    return;
                }
            }
            Signal::Kill => {
                if client.killed {
                    return;
                }
                if let Some(planned) = self.client_fault(Fault::SlowDeath, host) {
                    delay = self.dice.clients.within(planned.lasts);
                }
                if let Some(client) = self.client_of(host, process) {
                    client.killed = true;
                }
            }
        }
        self.put(client.death, self.now.after_micros(delay));
    }

    pub(crate) fn disconnected(&mut self, host: Host, process: Process) {
        let orphan_exit = match self.act {
            Act::Safety => self.case.scenario.workload.orphan_exit,
            Act::Liveness => Range::secs(0, 5),
        };
        let Some(client) = self.client_of(host, process) else { return };
        client.state = ClientState::Unhooked;
        self.client_after(host, process, orphan_exit);
    }

    /// In the liveness act those who would not let go by themselves end.
    pub(crate) fn heal_clients(&mut self, host: Host) {
        for number in 0..self.hosts[usize::from(host.0)].clients.len() {
            let client = self.hosts[usize::from(host.0)].clients[number];
            let soon = self.dice.healing.within(Range::secs(1, 5));
            let soon = self.now.after_micros(soon);
            // Whoever was killed for a request, and not by a host that is about to be reset, dies at last.
            if client.killed && client.state != ClientState::Absent {
                self.put(client.death, soon);
                continue;
            }
            let at = match client.state {
                ClientState::Absent if client.by_itself && self.world.daemon_up(host) => soon,
                ClientState::Absent => continue,
                _ if !client.by_itself => soon,
                ClientState::Idle | ClientState::Unhooked | ClientState::Holding(_) => soon,
                ClientState::Acquiring(_) | ClientState::Releasing(_) | ClientState::Busy(_) => continue,
            };
            let entry = if client.by_itself { client.entry } else { client.death };
            self.put(entry, at);
        }
    }

    // --- Agents ---

    pub(crate) fn begin_agents(&mut self, host: Host) {
        for index in 0..self.hosts[usize::from(host.0)].members.len() {
            let entry = self.hosts[usize::from(host.0)].members[index].entry;
            self.join_after(entry, 0);
        }
    }

    pub(crate) fn agent(&mut self, entry: Entry, host: Host, lockspace: LockspaceIx) {
        if let Err(illegal) = self.ask_join(host, lockspace) {
            self.settle(entry, host, Err(illegal));
        }
    }

    fn member_of(&mut self, host: Host, lockspace: LockspaceIx) -> Option<&mut Member> {
        let memberships = &self.case.setup.hosts[usize::from(host.0)].memberships;
        let index = memberships.iter().position(|member| member.lockspace == lockspace)?;
        self.hosts[usize::from(host.0)].members.get_mut(index)
    }

    pub(crate) fn ask_join(&mut self, host: Host, lockspace: LockspaceIx) -> Result<(), Illegal> {
        let setup = &self.case.setup;
        let memberships = &setup.hosts[usize::from(host.0)].memberships;
        let Some(part) = memberships.iter().find(|member| member.lockspace == lockspace) else { return Ok(()) };
        let area = &setup.lockspaces[usize::from(lockspace.0)];
        let (name, place) = (area.name, area.place);
        let request = Request::AddLockspace { name, host_id: part.host_id, place, io_timeout: part.io_timeout };
        self.ask_about(host, lockspace, Membership::Joining, request)
    }

    pub(crate) fn ask_leave(&mut self, host: Host, lockspace: LockspaceIx, unused: bool) -> Result<(), Illegal> {
        let name = self.case.setup.lockspaces[usize::from(lockspace.0)].name;
        self.ask_about(host, lockspace, Membership::Leaving, Request::RemLockspace { name, unused })
    }

    /// The agent asks, and believes that what it asked for is under way; unless it could not even ask.
    fn ask_about(
        &mut self,
        host: Host,
        lockspace: LockspaceIx,
        under_way: Membership,
        request: Request,
    ) -> Result<(), Illegal> {
        let before = self.member_of(host, lockspace).map(|member| std::mem::replace(&mut member.state, under_way));
        let result = self.act(Action::Ask { host, process: None, request });
        if result.is_err()
            && let (Some(before), Some(member)) = (before, self.member_of(host, lockspace))
        {
            member.state = before;
        }
        result
    }

    /// A lockspace is gone, and the event does not say which: the agent looks after all of them.
    pub(crate) fn left(&mut self, host: Host) {
        for index in 0..self.hosts[usize::from(host.0)].members.len() {
            let member = &mut self.hosts[usize::from(host.0)].members[index];
            if member.state == Membership::Joining {
                continue;
            }
            member.state = Membership::Out;
            let entry = member.entry;
            self.join_after(entry, 0);
        }
        self.look_for_rest();
    }

    /// The agent joins after its usual pause, but not before `least` microseconds.
    fn join_after(&mut self, entry: Entry, least: u64) {
        let pause = self.dice.agents.within(self.case.scenario.workload.rejoin);
        self.put(entry, self.now.after_micros(pause.max(least)));
    }

    pub(crate) fn told_agent(&mut self, host: Host, request: &Request, result: &Result<Answer, Refusal>) {
        let named = |name| self.case.setup.lockspaces.iter().position(|area| area.name == name);
        match request {
            Request::AddLockspace { name, .. } => {
                let Some(lockspace) = named(*name) else { return };
                let Some(member) = self.member_of(host, LockspaceIx(lockspace as u8)) else { return };
                if matches!(result, Ok(_) | Err(Refusal::Exists)) {
                    member.state = Membership::In;
                    self.begin_clients(host);
                } else {
                    member.state = Membership::Out;
                    let entry = member.entry;
                    // An agent that may never have its host id gives up once nobody works any more.
                    if *result != Err(Refusal::HostIdBusy) || self.is_work_left() {
                        // Not at once, or an agent whose disk is gone would ask without end in one instant.
                        self.join_after(entry, 100_000);
                    }
                }
            }
            Request::RemLockspace { name, .. } => {
                let Some(lockspace) = named(*name) else { return };
                let Some(member) = self.member_of(host, LockspaceIx(lockspace as u8)) else { return };
                let entry = member.entry;
                if result.is_ok() {
                    member.state = Membership::Out;
                    self.join_after(entry, 0);
                } else if member.state == Membership::Leaving {
                    member.state = Membership::In;
                }
            }
            Request::Index { .. } if self.hosts[usize::from(host.0)].rebuilds => {
                let state = &mut self.hosts[usize::from(host.0)];
                let entry = state.index;
                state.rebuilds =
                    result.is_err() || !matches!(request, Request::Index { operation: IndexOperation::Rebuild, .. });
                if state.rebuilds {
                    self.index_after(entry);
                }
            }
            _ => return,
        }
        self.look_for_rest();
    }

    /// The daemon serves a lockspace: clients that are not there start.
    fn begin_clients(&mut self, host: Host) {
        if !self.is_work_left() {
            return;
        }
        for number in 0..self.hosts[usize::from(host.0)].clients.len() {
            let client = self.hosts[usize::from(host.0)].clients[number];
            if client.state == ClientState::Absent && self.agenda.due(client.entry).is_none() {
                self.client_after(host, Process(number as u8), Range::millis(0, 2_000));
            }
        }
    }

    pub(crate) fn inquire(&mut self, entry: Entry, host: Host) {
        let lockspace = self.dice.agents.below(self.case.setup.lockspaces.len() as u64) as usize;
        self.may_tell(host, LockspaceIx(lockspace as u8));
        let request = Request::GetHosts { lockspace: self.case.setup.lockspaces[lockspace].name };
        let (process, request) = match self.dice.agents.one_in(2) {
            true => (None, request),
            false => match self.hosts[usize::from(host.0)].clients.iter().position(|client| {
                matches!(client.state, ClientState::Idle | ClientState::Holding(_)) && client.by_itself
            }) {
                Some(index) => (Some(Process(index as u8)), Request::Inquire),
                None => (None, request),
            },
        };
        // Whatever comes of it, the next one will be asked.
        let _ = self.act(Action::Ask { host, process, request });
        let pause = self.dice.agents.within(self.case.scenario.workload.inquire);
        self.put(entry, self.now.after_micros(pause.max(1_000)));
    }

    // --- Indices ---

    pub(crate) fn has_index_work(&self) -> bool {
        self.case.scenario.workload.index.high > 0 && !self.case.setup.indices.is_empty()
    }

    /// The next operation is due after the usual pause.
    pub(crate) fn index_after(&mut self, entry: Entry) {
        let pause = match self.act {
            Act::Safety => self.case.scenario.workload.index,
            Act::Liveness => Range::secs(1, 5),
        };
        let pause = self.dice.indices.within(pause);
        self.put(entry, self.now.after_micros(pause.max(1_000)));
    }

    /// An administrator changes the first index, or looks something up. In the liveness act each rebuilds it, once: the
    /// private lease must be free for everybody again.
    pub(crate) fn index(&mut self, entry: Entry, host: Host) {
        let dice = &mut self.dice.indices;
        let text = format!("V{}", 1 + dice.below(4));
        let name = Name::from_text(&text).expect("is short");
        let operation = match dice.below(8) {
            _ if self.act == Act::Liveness => IndexOperation::Rebuild,
            0..3 => IndexOperation::Create { name, num_hosts: 0 },
            3..5 => IndexOperation::Delete { name, offset: 0 },
            5..7 => IndexOperation::Lookup { name, offset: 0 },
            _ => IndexOperation::Rebuild,
        };
        let asked = self.ask_index(host, 0, operation);
        // In the liveness act the next one waits for the answer to this one.
        if self.act == Act::Safety || asked.is_err() {
            self.index_after(entry);
        }
    }

    pub(crate) fn ask_index(&mut self, host: Host, index: u8, operation: IndexOperation) -> Result<(), Illegal> {
        let setup = &self.case.setup;
        let Some(index) = setup.indices.get(usize::from(index)) else { return Ok(()) };
        let lockspace = setup.lockspaces[usize::from(index.lockspace.0)].name;
        let request = Request::Index { lockspace, place: index.place, direct: false, operation };
        self.act(Action::Ask { host, process: None, request })
    }
}
