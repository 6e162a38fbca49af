//! Client processes, and what they and the administrator's agent ask for.
//!
//! A process uses a resource from the moment it is told that it holds it until it asks for the release, ends, or its
//! host goes down. That its connection breaks, or a signal reaches it, changes nothing: it ends when the explorer says.

use super::World;
use super::host::{Asked, ProcessState, Use};
use crate::action::Part;
use crate::happening::{Happening, Sink};
use crate::notice::Notice;
use crate::setup::{Host, Process};
use lease_core::Refusal;
use lease_core::format::Name;
use lease_core::mutants::Mutant;
use lease_core::numbers::Lver;
use lease_core::seam::{Answer, ClientId, Input, Killpath, Mode, Request, RequestId, Signal, ToldEvent};

/// EINTR: what a library tells its caller that takes an interruption for the answer.
const EINTR: u16 = 4;

/// The connection of a process, or of the administrator's agent.
pub(super) fn client_of(process: Option<Process>) -> ClientId {
    process.map_or(ClientId::ADMIN, |process| ClientId(process.0))
}

impl World {
    pub(super) fn ask<S: Sink>(&mut self, host: Host, process: Option<Process>, request: &Request, sink: &mut S) {
        if let Some(process) = process {
            match request {
                // A process stops using before it releases. If the release is refused it does not start again.
                Request::Release { lockspace, resource } | Request::Rename { lockspace, resource, .. } => {
                    if let Some(resource) = self.setup.resource_named(lockspace, resource) {
                        let state = self.host_mut(host).process_mut(process).expect("it was found alive");
                        if let Some(index) = state.uses.iter().position(|used| used.resource == resource) {
                            let Use { lver, .. } = state.uses.remove(index);
                            self.emit(&Happening::UseEnds { host, process, resource, lver }, sink);
                        }
                    }
                }
                // It stops writing before it asks to share.
                Request::Convert { lockspace, resource, mode: Mode::Shared, .. } => {
                    self.change_use(host, process, (lockspace, resource), Mode::Shared, None, sink);
                }
                _ => {}
            }
            self.host_mut(host).process_mut(process).expect("it was found alive").waiting += 1;
        }
        let asked = Asked { process, request: request.clone(), awaited: true };
        let id = self.host_mut(host).number_request(asked);
        self.deliver(host, Input::Request { id, client: client_of(process), request: request.clone() }, sink);
    }

    pub(super) fn reply<S: Sink>(&mut self, host: Host, id: RequestId, result: Result<Answer, Refusal>, sink: &mut S) {
        let state = self.host_mut(host);
        let asked = state.asked.get_mut(usize::from(id.0)).and_then(Option::take);
        while let Some(None) = state.asked.last() {
            state.asked.pop();
        }
        let Asked { process, request, awaited } = asked.expect("a reply belongs to a request, and comes once");
        let interrupted = matches!(request, Request::Acquire { .. })
            && self.setup.hosts[usize::from(host.0)].config.mutated(Mutant::B78);
        let result = if interrupted { Err(Refusal::Errno(EINTR)) } else { result };
        if !awaited {
            return;
        }
        let granted = match (&request, &result) {
            (Request::Acquire { lockspace, resource, terms, .. }, Ok(Answer::Acquired { lver })) => {
                let found = self.setup.resource_named(lockspace, resource);
                found.map(|resource| Use { resource, lver: *lver, mode: terms.mode })
            }
            _ => None,
        };
        let converted = match (&request, &result) {
            (Request::Convert { lockspace, resource, mode, .. }, Ok(Answer::Acquired { lver })) => {
                Some((*lockspace, *resource, *mode, Some(*lver)))
            }
            // Refused means that it is as it was.
            (Request::Convert { lockspace, resource, mode: Mode::Shared, .. }, Err(why))
                if *why != Refusal::Already && *why != Refusal::NotFound =>
            {
                Some((*lockspace, *resource, Mode::Exclusive, None))
            }
            _ => None,
        };
        let told = Happening::Told { host, process, request, result };
        self.emit(&told, sink);
        if let Happening::Told { host, process, request, result } = told {
            self.notices.push(Notice::Told { host, process, request, result });
        }
        let Some(process) = process else { return };
        let state = self.host_mut(host).process_mut(process).expect("only a living process awaits an answer");
        state.waiting -= 1;
        if state.signalled == Some(Signal::Kill) {
            return;
        }
        if let Some(begun) = granted {
            state.uses.push(begun);
            let Use { resource, lver, mode } = begun;
            self.emit(&Happening::UseBegins { host, process, resource, lver, mode }, sink);
        }
        if let Some((lockspace, resource, mode, lver)) = converted {
            self.change_use(host, process, (&lockspace, &resource), mode, lver, sink);
        }
    }

    /// A process that uses a resource uses it in another mode, or under another version, from here on.
    fn change_use<S: Sink>(
        &mut self,
        host: Host,
        process: Process,
        (lockspace, resource): (&Name, &Name),
        mode: Mode,
        lver: Option<Lver>,
        sink: &mut S,
    ) {
        let Some(resource) = self.setup.resource_named(lockspace, resource) else { return };
        let state = self.host_mut(host).process_mut(process).expect("it was found alive");
        let Some(used) = state.uses.iter_mut().find(|used| used.resource == resource) else { return };
        let before = *used;
        (used.mode, used.lver) = (mode, lver.unwrap_or(used.lver));
        let Use { lver, mode, .. } = *used;
        if *used != before {
            self.emit(&Happening::UseChanges { host, process, resource, lver, mode }, sink);
        }
    }

    pub(super) fn signal<S: Sink>(&mut self, host: Host, process: Process, signal: Signal, sink: &mut S) {
        if let Some(state) = self.host_mut(host).process_mut(process) {
            state.signalled = state.signalled.max(Some(signal));
            self.emit(&Happening::Signalled { host, process, signal }, sink);
            self.notices.push(Notice::Signalled { host, process, signal });
        }
    }

    /// A process hears what another host tells, if it still listens.
    pub(super) fn notify<S: Sink>(&mut self, host: Host, process: Process, told: ToldEvent, sink: &mut S) {
        if self.host(host).process(process).is_some_and(|state| state.connected) {
            self.emit(&Happening::Notified { host, process, told }, sink);
        }
    }

    pub(super) fn spawn<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let processes = &mut self.host_mut(host).processes;
        let place = usize::from(process.0);
        if place >= processes.len() {
            processes.resize(place + 1, None);
        }
        processes[place] = Some(ProcessState { connected: true, registered: true, ..ProcessState::default() });
        self.emit(&Happening::Spawned { host, process }, sink);
    }

    /// Runs the program that a process named for the failure of a lockspace.
    pub(super) fn run_killpath<S: Sink>(&mut self, host: Host, process: Process, killpath: Killpath, sink: &mut S) {
        if self.host(host).process(process).is_some() {
            self.emit(&Happening::KillpathRun { host, process, killpath }, sink);
            self.notices.push(Notice::KillpathRun { host, process });
        }
    }

    pub(super) fn exit<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        if self.host(host).process(process).is_none() {
            return self.end_child(host, process, sink);
        }
        self.end_uses(host, process, sink);
        self.end(host, process, sink);
    }

    /// A process ends, and a child of it goes on with what it used.
    pub(super) fn leave_child<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let state = self.host_mut(host);
        let uses = std::mem::take(&mut state.process_mut(process).expect("it was found alive").uses);
        state.children.push((process, uses));
        self.end(host, process, sink);
    }

    fn end_child<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let children = &mut self.host_mut(host).children;
        let index = children.iter().position(|(of, _)| *of == process).expect("it was found alive");
        for Use { resource, lver, .. } in children.remove(index).1 {
            self.emit(&Happening::UseEnds { host, process, resource, lver }, sink);
        }
    }

    fn end<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let state = self.host_mut(host);
        state.stalled.retain(|(part, _)| *part != Part::Process(process));
        let ended = state.processes[usize::from(process.0)].take().expect("it was found alive");
        while let Some(None) = state.processes.last() {
            state.processes.pop();
        }
        self.forget_answers(host, process);
        self.emit(&Happening::Ended { host, process }, sink);
        if ended.registered {
            self.deliver(host, Input::Exited { client: client_of(Some(process)) }, sink);
        }
    }

    pub(super) fn hang_up<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let state = self.host_mut(host).process_mut(process).expect("it was found alive");
        state.connected = false;
        state.waiting = 0;
        self.forget_answers(host, process);
        self.emit(&Happening::HungUp { host, process }, sink);
        self.deliver(host, Input::HungUp { client: client_of(Some(process)) }, sink);
    }

    /// A process ends, or its host does, and with it whatever it does with what it holds.
    pub(super) fn end_uses<S: Sink>(&mut self, host: Host, process: Process, sink: &mut S) {
        let state = self.host_mut(host).process_mut(process).expect("it was found alive");
        for Use { resource, lver, .. } in std::mem::take(&mut state.uses) {
            self.emit(&Happening::UseEnds { host, process, resource, lver }, sink);
        }
    }

    /// The daemon died.
    pub(super) fn disconnect_all(&mut self, host: Host) {
        let processes = &mut self.hosts[usize::from(host.0)].processes;
        for (index, state) in processes.iter_mut().enumerate() {
            let Some(state) = state else { continue };
            if state.connected {
                self.notices.push(Notice::Disconnected { host, process: Process(index as u8) });
            }
            state.connected = false;
            state.registered = false;
            state.waiting = 0;
        }
    }

    fn forget_answers(&mut self, host: Host, process: Process) {
        for asked in self.host_mut(host).asked.iter_mut().flatten() {
            if asked.process == Some(process) {
                asked.awaited = false;
            }
        }
    }
}
