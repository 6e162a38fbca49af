//! Calling other hosts: the event and the bitmap that a renewal carries, and what comes of those that others carry
//! (delta-lease §5, §7).
//!
//! A bit says: look at me. Whoever sees its own in a record that changed is told the event that stands there, if one
//! does, and looks at the requests for what it holds. Nothing is ever answered: a caller calls for a while and then stops.

use super::io::Cx;
use super::lockspace::{List, Lockspace};
use super::observe::Watch;
use super::{Engine, Key};
use crate::Refusal;
use crate::format::{Bitmap, HostEvent, Name};
use crate::mutants::Mutant;
use crate::numbers::{Generation, HostId, Numbers, Second, Time, Visit};
use crate::profile::{CallLifetime, Config, EventBits, EventGeneration, ExamineRate};
use crate::seam::{ClientId, EventChange, EventTerms, LsId, Output, Outputs, Rare, ReadData, ToldEvent};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Times io_timeout for which a host is called.
const LIFETIME: u64 = 6;
/// Clients that may listen to one lockspace.
const LISTENERS: usize = 32;

/// What one lockspace tells other hosts, and who hears what they tell.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Calls {
    event: HostEvent,
    /// When it was set last.
    set: Second,
    /// Who is told it, and since when.
    told: BTreeMap<HostId, Second>,
    /// Who is called because of a request, and since when.
    called: BTreeMap<HostId, Second>,
    listeners: Vec<ClientId>,
}

/// A record in which this host found its bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heard {
    pub(super) from: HostId,
    pub(super) from_generation: Generation,
    pub(super) event: HostEvent,
    /// It is time to look at requests.
    pub(super) examine: bool,
}

impl Calls {
    /// Whom a request is for is called with the next renewals.
    pub(super) fn call(&mut self, owner: HostId, now: Second) {
        self.called.insert(owner, now);
    }

    /// Sets, replaces or ends an event.
    #[expect(clippy::too_many_arguments, reason = "the fields of the request, and what is known around it")]
    fn set(
        &mut self,
        now: Second,
        host: HostId,
        event: HostEvent,
        terms: EventTerms,
        max_hosts: u64,
        lifetime: u64,
        config: &Config,
    ) -> Result<(), Refusal> {
        let apart = config.profile.event_bits == EventBits::Apart;
        match terms.change {
            EventChange::ClearEvent => {
                self.event = HostEvent::default();
                if apart {
                    self.told.clear();
                }
                return Ok(());
            }
            EventChange::ClearHost => {
                self.told.remove(&host);
                if !apart {
                    self.called.remove(&host);
                }
                return Ok(());
            }
            EventChange::Set => {}
        }
        let same = match apart {
            // All who are told are told one generation, so another one is another event.
            true => event == self.event,
            false => (event.event, event.data) == (self.event.event, self.event.data),
        };
        let under_way = now.since(self.set) <= lifetime && self.event.event != 0;
        if under_way && !same && event.event != 0 && !terms.replace {
            return Err(Refusal::Busy);
        }
        if apart && !same {
            self.told.clear();
        }
        self.event = event;
        self.set = now;
        match terms.all {
            true => self.told.extend((1..=max_hosts).map(|id| (HostId(id), now))),
            false => drop(self.told.insert(host, now)),
        }
        Ok(())
    }

    /// What a renewal carries.
    fn carried(
        &mut self,
        now: Second,
        me: HostId,
        lifetime: impl Fn(HostId) -> u64,
        config: &Config,
    ) -> (HostEvent, Bitmap) {
        self.told.retain(|host, since| now.since(*since) <= lifetime(*host));
        self.called.retain(|host, since| now.since(*since) <= lifetime(*host));
        let apart = config.profile.event_bits == EventBits::Apart;
        if apart && self.told.is_empty() {
            self.event = HostEvent::default();
        }
        let waits = apart && !self.told.is_empty();
        if waits {
            // Their time begins when their bits stand there.
            self.called.values_mut().for_each(|since| *since = now);
        }
        let called = self.called.keys().filter(|_| !waits);
        let mut bitmap = Bitmap::EMPTY;
        for host in self.told.keys().chain(called).filter(|host| **host != me) {
            bitmap.set(if config.mutated(Mutant::B74) { HostId(host.0 + 1) } else { *host });
        }
        (self.event, bitmap)
    }

    /// Whether hosts that are called because of a request wait for the end of an event.
    fn any_waits(&self) -> bool {
        !self.told.is_empty() && !self.called.is_empty()
    }

    /// A client hears of events no more.
    pub(super) fn forget_listener(&mut self, client: ClientId) {
        self.listeners.retain(|listener| *listener != client);
    }
}

impl Lockspace {
    /// Event and bitmap of the renewal that is about to be written.
    pub(super) fn carried(&mut self, now: Second, cx: &mut Cx<'_>) -> (HostEvent, Bitmap) {
        let (me, own) = (self.host_id, self.io_timeout);
        let Lockspace { calls, table, .. } = self;
        let lifetime = |host: HostId| {
            let theirs = table.host(host).map_or(0, |observed| observed.io_timeout);
            LIFETIME
                * match cx.config.profile.call_lifetime {
                    CallLifetime::Own => own,
                    CallLifetime::Slowest => own.max(theirs),
                }
        };
        let carried = calls.carried(now, me, lifetime, cx.config);
        if cx.config.profile.event_bits == EventBits::Apart && calls.any_waits() {
            cx.rare(Rare::CallWaits);
        }
        if carried.1 != Bitmap::EMPTY {
            cx.rare(Rare::HostsCalled);
        }
        carried
    }

    /// Seconds for which a host looks at requests only once.
    pub(super) fn call_lifetime(&self) -> u64 {
        LIFETIME * self.io_timeout
    }

    /// Looks at other hosts. Returns those that call.
    pub(super) fn scan(&mut self, now: Second, area: &ReadData, cx: &mut Cx<'_>) -> Vec<Heard> {
        let watch = Watch {
            now,
            space: &self.name,
            me: self.host_id,
            sector_size: self.geometry.sector(),
            max_hosts: self.geometry.max_hosts(),
            examine_once_in: match cx.config.profile.examine_rate {
                ExamineRate::OnceInLifetime => self.call_lifetime(),
                ExamineRate::EveryCall => 0,
            },
        };
        let heard = self.table.scan(&watch, area);
        if heard.iter().any(|heard| !heard.examine) {
            cx.rare(Rare::CallIgnored);
        }
        heard
    }

    /// Tells the clients that listen. Returns whether it is time to look at requests.
    pub(super) fn hear(&self, id: LsId, heard: &[Heard], cx: &mut Cx<'_>) -> bool {
        for Heard { from, from_generation, event, .. } in heard.iter().filter(|heard| heard.event.event != 0) {
            let checked = cx.config.profile.event_generation == EventGeneration::Checked;
            if checked && event.generation != 0 && event.generation != self.generation.0 {
                cx.rare(Rare::EventDropped);
                continue;
            }
            for client in &self.calls.listeners {
                let told = ToldEvent {
                    lockspace: id,
                    host_id: self.host_id,
                    event: *event,
                    from: *from,
                    from_generation: *from_generation,
                };
                cx.out.push(Output::Notify { client: *client, told });
            }
        }
        heard.iter().any(|heard| heard.examine)
    }
}

impl Engine {
    /// The lockspace of this name, if it is in use.
    fn used(&mut self, name: &Name) -> Result<&mut Lockspace, Refusal> {
        let id = self.find_lockspace(name).ok_or(Refusal::NotFound)?;
        let lockspace = self.lockspaces[usize::from(id.0)].as_mut().expect("a lockspace that was just found");
        if lockspace.list == List::Spaces { Ok(lockspace) } else { Err(Refusal::NotFound) }
    }

    pub(super) fn set_event(
        &mut self,
        now: Time,
        name: &Name,
        host: HostId,
        event: HostEvent,
        terms: EventTerms,
    ) -> Result<(), Refusal> {
        let config = self.config.clone();
        let lockspace = self.used(name)?;
        let max_hosts = lockspace.geometry.max_hosts();
        if !(1..=max_hosts).contains(&host.0) {
            return Err(Refusal::Invalid);
        }
        let generation = match event.generation {
            _ if terms.all => 0,
            0 if terms.current => lockspace.table.host(host).map_or(0, |observed| observed.owner_generation.0),
            given => given,
        };
        let event = HostEvent { generation, ..event };
        let lifetime = lockspace.call_lifetime();
        lockspace.calls.set(now.second(), host, event, terms, max_hosts, lifetime, &config)
    }

    pub(super) fn register(&mut self, name: &Name, client: ClientId) -> Result<(), Refusal> {
        let listeners = &mut self.used(name)?.calls.listeners;
        if listeners.contains(&client) {
            return Ok(());
        }
        if listeners.len() >= LISTENERS {
            return Err(Refusal::NoEventSlot);
        }
        listeners.push(client);
        Ok(())
    }

    pub(super) fn unregister(&mut self, name: &Name, client: ClientId) -> Result<(), Refusal> {
        self.used(name)?.calls.forget_listener(client);
        Ok(())
    }

    /// Lockspaces in which the last look at other hosts found that this one is called: the requests for what is held there
    /// are to be looked at.
    pub(super) fn examine_where_called(&mut self, now: Time, called: &[LsId], out: &mut Outputs) {
        for id in called {
            if let Some(lockspace) = self.lockspaces.get(usize::from(id.0)).and_then(Option::as_ref) {
                let name = lockspace.name;
                self.examine(now, &name, None, out);
            }
        }
    }

    /// The requests for what this host holds in a lockspace are to be looked at: all, or that for one resource.
    pub(super) fn examine(&mut self, now: Time, lockspace: &Name, resource: Option<&Name>, out: &mut Outputs) {
        let wanted = |key: &Key| key.0.same(lockspace) && resource.is_none_or(|resource| key.1.same(resource));
        let held = self.resources.held().map(|(_, won)| won.token.key).filter(wanted);
        self.background.to_examine.extend(held);
        self.next_in_background(now, out);
    }
}

impl Visit for Calls {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.second(&mut self.set);
        for since in self.told.values_mut().chain(self.called.values_mut()) {
            numbers.second(since);
        }
    }
}
