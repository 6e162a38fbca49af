//! Watching the other hosts of a lockspace: the table that the main loop keeps, and what it says of a host.
//!
//! "Only locally observed *changes* and the local clock are used; the remote timestamp's value is never compared with
//! local time" (delta-lease §5). Every scan looks at every record, so when the first and the last look were is known
//! once for the whole table; entries exist only for hosts whose record was ever owned.

use super::calls::Heard;
use super::forget::{CHANGED, LONG_AGO, Passed, SOME, UNCHANGED};
use super::told::ToldHost;
use crate::format::{self, Bitmap, DeltaLease, Name};
use crate::numbers::{Generation, HostId, Numbers, Second, Stamp, Visit};
use crate::profile::Parameters;
use crate::seam::{HostState, HostStatus, ReadData};
use alloc::vec::Vec;
use litemap::LiteMap;

/// What is known of one host.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) owner_id: HostId,
    pub(crate) owner_generation: Generation,
    pub(crate) owner_name: Name,
    pub(crate) timestamp: Stamp,
    pub(crate) io_timeout: u64,
    /// When the record was last seen changed. Never, while its first content stands (a fresh record).
    pub(crate) last_live: Second,
    /// When requests were last looked at because this host called.
    pub(crate) last_req: Second,
}

/// What a scan looks for.
pub(crate) struct Watch<'a> {
    pub(crate) now: Second,
    pub(crate) space: &'a Name,
    /// The host id that is called.
    pub(crate) me: HostId,
    pub(crate) sector_size: u32,
    pub(crate) max_hosts: u64,
    /// Seconds in which requests are looked at only once for each host that calls.
    pub(crate) examine_once_in: u64,
}

/// The table of one lockspace.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Table {
    pub(crate) first_check: Second,
    pub(crate) last_check: Second,
    hosts: LiteMap<HostId, Observed>,
}

impl Table {
    /// The entry of a host, if its record was ever seen owned.
    pub(crate) fn host(&self, id: HostId) -> Option<&Observed> {
        self.hosts.get(&id)
    }

    /// Looks at a new image of the area. Returns the records that call, by host id.
    pub(crate) fn scan(&mut self, watch: &Watch<'_>, area: &ReadData) -> Vec<Heard> {
        let Watch { now, space, me, sector_size, max_hosts, examine_once_in } = *watch;
        let mut heard = Vec::new();
        self.last_check = now;
        if self.first_check == Second::NEVER {
            self.first_check = now;
        }
        for (sectors, bytes) in area.sectors(sector_size) {
            if sectors.start >= max_hosts {
                break;
            }
            let (first, last) = (HostId(sectors.start + 1), HostId(sectors.end.min(max_hosts)));
            let (magic, record) = DeltaLease::peek(&bytes);
            // A record that was never owned, where nothing else was ever seen, is no news; the unused rest of an area
            // is one run of these.
            let never_owned = record.owner_id == HostId::NONE
                && record.owner_generation == Generation(0)
                && record.timestamp.is_free();
            if never_owned && !self.knows_any(first, last) {
                continue;
            }
            // "NO checksum, NO version check" (delta-lease §5).
            let bad = magic != format::magic::DELTA || !record.space_name.same(space);
            for id in first.0..=last.0 {
                if never_owned && !self.hosts.contains_key(&HostId(id)) {
                    continue;
                }
                let entry = self.hosts.entry(HostId(id)).or_default();
                if entry.see(now, &record, bad) && HostId(id) != me && Bitmap::of_sector(&bytes).get(me) {
                    let examine = now.since(entry.last_req) >= examine_once_in;
                    if examine {
                        entry.last_req = now;
                    }
                    let (from, from_generation, event) = (HostId(id), record.owner_generation, record.event);
                    heard.push(Heard { from, from_generation, event, examine });
                }
            }
        }
        heard
    }

    /// Whether there is an entry of any of these hosts.
    fn knows_any(&self, first: HostId, last: HostId) -> bool {
        let (Ok(next) | Err(next)) = self.hosts.find_index(&first);
        self.hosts.get_indexed(next).is_some_and(|(id, _)| *id <= last)
    }

    /// Takes the word of a witness on one host: this is its record now, and it was seen alive just now, or not for as long
    /// as there is time.
    pub(crate) fn believe(&mut self, now: Second, record: &DeltaLease, alive: bool) {
        let long_ago = Second(Second::NEVER.0 + 1);
        (self.first_check, self.last_check) = (long_ago, now);
        let entry = self.hosts.entry(record.owner_id).or_default();
        entry.see(if alive { now } else { long_ago }, record, false);
    }

    /// A line of `gets -h 1` for each host that is not free.
    pub(crate) fn report(&self, now: Second, me: HostId, parameters: &Parameters) -> Vec<HostStatus> {
        let shown = self.hosts.iter().filter(|(_, host)| !host.timestamp.is_free());
        shown
            .map(|(id, host)| HostStatus {
                host_id: *id,
                generation: host.owner_generation,
                timestamp: host.timestamp,
                state: self.state(now, me, host, parameters),
            })
            .collect()
    }

    /// What is known of each host (`host_status`).
    pub(crate) fn told(&self) -> Vec<ToldHost> {
        let told = |(id, host): (&HostId, &Observed)| ToldHost {
            host_id: *id,
            last_live: host.last_live,
            last_req: host.last_req,
            owner_id: host.owner_id,
            owner_generation: host.owner_generation,
            timestamp: host.timestamp,
            io_timeout: host.io_timeout,
            owner_name: host.owner_name,
        };
        self.hosts.iter().map(told).collect()
    }

    /// `get_host_flag` of delta-lease §5: io_timeout straight from the table.
    fn state(&self, now: Second, me: HostId, host: &Observed, parameters: &Parameters) -> HostState {
        if host.timestamp.is_free() {
            return HostState::Free;
        }
        if host.owner_id == me {
            return HostState::Live;
        }
        let last = if host.last_live == Second::NEVER { self.first_check } else { host.last_live };
        let age = now.since(last);
        let failure_age = parameters.failure_age(host.io_timeout);
        if age <= failure_age {
            if self.first_check == host.last_live { HostState::Unknown } else { HostState::Live }
        } else if age > failure_age + parameters.watchdog_fire_timeout {
            HostState::Dead
        } else {
            HostState::Fail
        }
    }
}

impl Table {
    /// Wipes out what no acquire looks at: the own record, when the first look was, and when the last was unless it saw
    /// somebody change. The states that [`Table::report`] tells may differ afterwards.
    pub(crate) fn forget(&mut self, me: HostId) {
        self.hosts.remove(&me);
        if self.first_check != Second::NEVER {
            self.first_check = LONG_AGO;
        }
        if self.last_check != Second::NEVER && !self.hosts.values().any(|host| host.last_live == self.last_check) {
            self.last_check = UNCHANGED;
        }
    }
}

impl Table {
    /// What was seen last of each host.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (HostId, Generation, Stamp)> {
        self.hosts.iter().map(|(id, host)| (*id, host.owner_generation, host.timestamp))
    }

    /// Wipes out what no acquire looks at any more, after [`Table::forget`]. `alike`: all hosts have the same io_timeout,
    /// so that it need not be remembered.
    ///
    /// What is kept of every host is whether the last look saw it change: an acquire asks for that even of another life.
    pub(crate) fn forget_passed(&mut self, alike: bool, passed: impl Fn(HostId) -> Passed) {
        let last_check = self.last_check;
        let changed = |host: &Observed| host.last_live != Second::NEVER && host.last_live == last_check;
        self.hosts.retain(|id, host| {
            let Passed { overtaken, over } = passed(*id);
            !(alike && overtaken && over) || changed(host)
        });
        let matters = |id: &HostId| passed(*id) == Passed::default();
        // Where only is asked whether it changed then, and not when that was, the look has no second.
        let any = self.hosts.values().any(changed);
        let moves = any && !self.hosts.iter().any(|(id, host)| changed(host) && matters(id));
        let look = if moves { CHANGED } else { last_check };
        for (id, host) in self.hosts.iter_mut().filter(|(id, host)| !matters(id) && host.last_live != Second::NEVER) {
            if passed(*id).overtaken {
                host.timestamp = SOME;
            }
            host.last_live = if changed(host) { look } else { LONG_AGO };
        }
        self.last_check = look;
    }
}

impl Observed {
    /// Only the io_timeout, for those who look at nothing else.
    pub(crate) fn io_timeout_alone(&self) -> Observed {
        Observed { io_timeout: self.io_timeout, ..Observed::default() }
    }

    /// Returns whether it changed.
    fn see(&mut self, now: Second, record: &DeltaLease, bad: bool) -> bool {
        let seen = (record.owner_id, record.owner_generation, record.timestamp);
        if (self.owner_id, self.owner_generation, self.timestamp) == seen {
            return false;
        }
        if !bad {
            self.owner_id = record.owner_id;
            self.owner_generation = record.owner_generation;
            self.owner_name = record.owner_name;
            self.io_timeout = u64::from(record.io_timeout);
        }
        // "also for bad records, and also when it changed TO 0"
        self.timestamp = record.timestamp;
        self.last_live = now;
        true
    }
}

impl Visit for Table {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.second(&mut self.first_check);
        numbers.second(&mut self.last_check);
        for (id, host) in &mut self.hosts {
            numbers.generation(*id, &mut host.owner_generation);
            numbers.stamp(*id, &mut host.timestamp);
            numbers.second(&mut host.last_live);
            numbers.second(&mut host.last_req);
        }
    }
}
