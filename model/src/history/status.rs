//! I-STATUS: the reported states of hosts are what the rules of delta-lease §5 make of the records that were read.
//!
//! An own table is kept of what each main loop saw. It is compared only while there is no doubt which image a scan
//! looked at: after a read that the daemon may have given up, that lockspace is left alone until it is joined anew.

use super::facts::Facts;
use super::ledger::{Ended, Ledger};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx};
use lease_core::format::{DeltaLease, magic};
use lease_core::numbers::{Generation, HostId, Second, Stamp};
use lease_core::seam::{Answer, Event, HostState, HostStatus, Request};
use sim_disk::{Completion, Run};

/// A read that took longer than io_timeout less this may have been given up, in microseconds.
const NEARLY: u64 = 50_000;

/// What a record says, as far as the rules look.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Record {
    slot: HostId,
    owner: HostId,
    generation: Generation,
    timestamp: Stamp,
    io_timeout: u64,
}

/// A record as it was seen last, and when it was seen changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Seen {
    record: Record,
    last_live: Second,
}

/// What one daemon knows of one lockspace.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Shadow {
    host: Host,
    lockspace: LockspaceIx,
    me: HostId,
    certain: bool,
    first_check: Second,
    /// By host id.
    seen: Vec<Seen>,
    /// What was read since the last scan.
    image: Vec<Record>,
    has_image: bool,
}

/// The tables of all daemons.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Status(Vec<Shadow>);

impl Status {
    pub(super) fn see(
        &mut self,
        at: Instant,
        happening: &Happening,
        ended: Ended,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        match happening {
            Happening::Engine { host, event: Event::Joined { lockspace, host_id, .. } } => {
                if let Some(life) = ledger.life_of(*host, *lockspace) {
                    self.0.retain(|shadow| (shadow.host, shadow.lockspace) != (*host, life.lockspace));
                    self.0.push(Shadow::new(*host, life.lockspace, *host_id));
                }
            }
            Happening::Engine { host, event: Event::Scanned { lockspace } } => {
                if let Some(life) = ledger.life_of(*host, *lockspace)
                    && let Some(shadow) = self.of(*host, life.lockspace)
                {
                    shadow.scan(facts.now(*host, at).second());
                }
            }
            Happening::Completed { host, completion, took, .. } => {
                let Some(lockspace) = ended.io.and_then(|io| io.area_read) else { return Ok(()) };
                let Some(life) = ledger.host(*host).current(lockspace) else { return Ok(()) };
                let limit = life.io_timeout * 1_000_000;
                let Some(shadow) = self.of(*host, lockspace) else { return Ok(()) };
                let in_units = facts.disks[usize::from(facts.lockspace(lockspace).place.disk.0)].sector_size()
                    == facts.lockspace(lockspace).geometry.sector();
                if *took + NEARLY >= limit || !in_units {
                    shadow.certain = false;
                }
                if let Completion::Read(runs) = completion {
                    shadow.read(runs, lockspace, facts);
                }
            }
            Happening::Told {
                host,
                request: Request::GetHosts { lockspace: name },
                result: Ok(Answer::Hosts(told)),
                ..
            } => {
                if let Some(lockspace) = facts.lockspace_named(name)
                    && let Some(shadow) = self.of(*host, lockspace)
                {
                    return shadow.compare(at, told, facts);
                }
            }
            Happening::DaemonDown { host } | Happening::Down { host, .. } => {
                self.0.retain(|shadow| shadow.host != *host);
            }
            _ => {}
        }
        Ok(())
    }

    fn of(&mut self, host: Host, lockspace: LockspaceIx) -> Option<&mut Shadow> {
        self.0.iter_mut().find(|shadow| (shadow.host, shadow.lockspace) == (host, lockspace))
    }
}

impl Shadow {
    fn new(host: Host, lockspace: LockspaceIx, me: HostId) -> Shadow {
        Shadow {
            host,
            lockspace,
            me,
            certain: true,
            first_check: Second::NEVER,
            seen: Vec::new(),
            image: Vec::new(),
            has_image: false,
        }
    }

    /// A whole area was read. Records that nobody ever owned are left out, unless something else was seen there.
    fn read(&mut self, runs: &[Run], lockspace: LockspaceIx, facts: &Facts<'_>) {
        self.image.clear();
        self.has_image = true;
        let (name, last) = (&facts.lockspace(lockspace).name, facts.lockspace(lockspace).geometry.max_hosts());
        let mut slot = 1;
        for (count, bytes) in runs {
            let (from, to) = (slot, (slot + u64::from(*count)).min(last + 1));
            slot += u64::from(*count);
            if from >= to {
                continue;
            }
            let (found, lease) = DeltaLease::peek(bytes);
            if found != magic::DELTA || !lease.space_name.same(name) {
                self.certain = false;
                continue;
            }
            let record = |slot: HostId| Record {
                slot,
                owner: lease.owner_id,
                generation: lease.owner_generation,
                timestamp: lease.timestamp,
                io_timeout: u64::from(lease.io_timeout),
            };
            if lease.owner_id == HostId::NONE && lease.timestamp.is_free() {
                let inside = |seen: &&Seen| (from..to).contains(&seen.record.slot.0);
                self.image.extend(self.seen.iter().filter(inside).map(|seen| record(seen.record.slot)));
            } else {
                self.image.extend((from..to).map(|slot| record(HostId(slot))));
            }
        }
    }

    fn scan(&mut self, now: Second) {
        if !std::mem::take(&mut self.has_image) {
            self.certain = false;
        }
        if self.first_check == Second::NEVER {
            self.first_check = now;
        }
        for record in self.image.drain(..) {
            match self.seen.binary_search_by_key(&record.slot, |seen| seen.record.slot) {
                Ok(index) => {
                    let known = &self.seen[index].record;
                    if (known.owner, known.generation, known.timestamp)
                        != (record.owner, record.generation, record.timestamp)
                    {
                        self.seen[index] = Seen { record, last_live: now };
                    }
                }
                Err(index) => self.seen.insert(index, Seen { record, last_live: now }),
            }
        }
    }

    fn compare(&self, at: Instant, told: &[HostStatus], facts: &Facts<'_>) -> Verdict {
        if !self.certain || self.first_check == Second::NEVER {
            return Ok(());
        }
        let now = facts.now(self.host, at).second();
        let mut told_hosts = told.iter();
        let shown = self.seen.iter().filter(|seen| !seen.record.timestamp.is_free());
        for seen in shown {
            let record = seen.record;
            let right = told_hosts.next().is_some_and(|told| {
                (told.host_id, told.generation, told.timestamp) == (record.slot, record.generation, record.timestamp)
                    && self.may_be(told.state, seen, now, facts)
            });
            if !right {
                let what = format!(
                    "{} tells about the hosts of {} what its reads do not say: host {} has generation {}, stamp {} and was last seen changed at {} (now {now})",
                    facts.label(self.host),
                    facts.lockspace_name(self.lockspace),
                    record.slot,
                    record.generation,
                    record.timestamp,
                    seen.last_live,
                );
                return violated(Property::Status, at, &[self.host], what);
            }
        }
        match told_hosts.next() {
            None => Ok(()),
            Some(more) => {
                let what = format!(
                    "{} tells of host {} in {}, whose record it never read owned",
                    facts.label(self.host),
                    more.host_id,
                    facts.lockspace_name(self.lockspace),
                );
                violated(Property::Status, at, &[self.host], what)
            }
        }
    }

    /// The rules, in their order. Between 8N + W and what the profile waits longer, both verdicts will do.
    fn may_be(&self, state: HostState, seen: &Seen, now: Second, facts: &Facts<'_>) -> bool {
        let config = &facts.setup.hosts[usize::from(self.host.0)].config;
        let io_timeout = seen.record.io_timeout;
        let age = now.since(seen.last_live);
        let soonest = 8 * io_timeout + config.parameters.watchdog_fire_timeout.min(config.fire_timeout_of_others());
        let latest = config.dead_age(io_timeout);
        match state {
            HostState::Live if seen.record.owner == self.me => true,
            _ if seen.record.owner == self.me => false,
            HostState::Unknown => age <= 8 * io_timeout && self.first_check == seen.last_live,
            HostState::Live => age <= 8 * io_timeout && self.first_check != seen.last_live,
            HostState::Fail => age > 8 * io_timeout && age <= latest,
            HostState::Dead => age > soonest,
            HostState::Free => false,
        }
    }
}
