//! What clients and agents ask of other hosts: requests for what these hold, and events. All of it is drawn with dice of
//! its own, so that a story without any of it is not moved.

use crate::simulate::{Act, Simulation};
use lease_core::format::{HostEvent, RequestRecord};
use lease_core::numbers::Lver;
use lease_core::seam::{EventChange, EventTerms, Request};
use model::setup::{Host, LockspaceIx, Process, ResourceIx};
use model::{Action, Illegal, Sink};

impl<S: Sink> Simulation<'_, S> {
    /// Asks for a resource; version 0: the next.
    pub(crate) fn ask_call(
        &mut self,
        host: Host,
        process: Option<Process>,
        resource: ResourceIx,
        lver: u64,
        force_mode: u32,
    ) -> Result<(), Illegal> {
        let area = &self.case.setup.resources[usize::from(resource.0)];
        let lockspace = self.case.setup.lockspaces[usize::from(area.lockspace.0)].name;
        let (resource, place, lver, next) = (area.name, area.place, Lver(lver), lver == 0);
        let request = Request::Call { lockspace, resource, place, lver, next, force_mode };
        self.act(Action::Ask { host, process, request })
    }

    /// Tells another host something.
    pub(crate) fn ask_event(
        &mut self,
        host: Host,
        lockspace: LockspaceIx,
        to: Host,
        event: HostEvent,
        terms: EventTerms,
    ) -> Result<(), Illegal> {
        let memberships = &self.case.setup.hosts[usize::from(to.0)].memberships;
        let Some(member) = memberships.iter().find(|member| member.lockspace == lockspace) else { return Ok(()) };
        let host_id = member.host_id;
        let lockspace = self.case.setup.lockspaces[usize::from(lockspace.0)].name;
        let request = Request::SetEvent { lockspace, host_id, event, terms };
        self.act(Action::Ask { host, process: None, request })
    }

    /// A process listens, or stops to.
    pub(crate) fn ask_listen(
        &mut self,
        host: Host,
        process: Process,
        lockspace: LockspaceIx,
        listens: bool,
    ) -> Result<(), Illegal> {
        let lockspace = self.case.setup.lockspaces[usize::from(lockspace.0)].name;
        let request = match listens {
            true => Request::RegEvent { lockspace },
            false => Request::EndEvent { lockspace },
        };
        self.act(Action::Ask { host, process: Some(process), request })
    }

    /// A client whose acquire was refused, because another host has it, may ask for it.
    pub(crate) fn may_call(&mut self, host: Host, process: Process, refused: &Request) {
        let Request::Acquire { lockspace, resource, .. } = refused else { return };
        let one_in = self.case.scenario.workload.request_one_in;
        if self.act == Act::Safety
            && self.dice.calls.one_in(one_in)
            && let Some(resource) = self.case.setup.resource_named(lockspace, resource)
        {
            let forces = [RequestRecord::FORCE, RequestRecord::GRACEFUL, 0];
            let force_mode = forces[self.dice.calls.weighted(&[2, 2, 1]).unwrap_or(0)];
            // Whatever comes of it, it goes on trying.
            let _ = self.ask_call(host, Some(process), resource, 0, force_mode);
        }
    }

    /// A client that has nothing to do may begin to listen, or stop to.
    pub(crate) fn may_listen(&mut self, host: Host, process: Process) {
        let listens = self.case.scenario.workload.event_one_in != 0 && self.act == Act::Safety;
        if listens && self.dice.calls.one_in(2) {
            let lockspace = LockspaceIx(self.dice.calls.below(self.case.setup.lockspaces.len() as u64) as u8);
            let listens = !self.dice.calls.one_in(6);
            let _ = self.ask_listen(host, process, lockspace, listens);
        }
    }

    /// An agent may tell another host something.
    pub(crate) fn may_tell(&mut self, host: Host, lockspace: LockspaceIx) {
        if self.act == Act::Liveness || !self.dice.calls.one_in(self.case.scenario.workload.event_one_in) {
            return;
        }
        let dice = &mut self.dice.calls;
        let to = Host(dice.below(self.hosts.len() as u64) as u8);
        let event = 1 + dice.below(3);
        // Any life, the one that is observed, or one that may be over or still to come.
        let generation = dice.weighted(&[2, 2, 1]).unwrap_or(0) as u64 % 3;
        let current = generation == 1;
        let generation = if generation == 2 { 1 + dice.below(3) } else { 0 };
        let changes = [EventChange::Set, EventChange::ClearHost, EventChange::ClearEvent];
        let change = changes[dice.weighted(&[10, 1, 1]).unwrap_or(0)];
        let (replace, all) = (dice.one_in(3), dice.one_in(6));
        let event = HostEvent { generation, event, data: 10 * event };
        let _ = self.ask_event(host, lockspace, to, event, EventTerms { change, current, replace, all });
    }
}
