//! A world told by hand: two hosts, their disk and clocks, and what a history would hear of them.

use super::super::{Facts, History, Property};
use crate::clock::HostClock;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::limits::Limits;
use crate::setup::{
    Device, DiskSetup, Host, HostSetup, LockspaceIx, LockspaceSetup, Membership, Process, ResourceIx, ResourceSetup,
    Setup, WdmdProfile,
};
use lease_core::Refusal;
use lease_core::format::{Bitmap, DeltaLease, Geometry, HostBlock, Leader, Name, init};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Second, Span, Stamp, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{
    Answer, DiskId, Event, Holding, HostState, HostStatus, LastLife, LsId, Mode, Place, Request, Signal, Slot, Task,
    Terms,
};
use sim_disk::{Completion, Disk, Ending, IoId, PathState, Platter, sector};
use std::collections::BTreeMap;

pub(super) const A: Host = Host(0);
pub(super) const B: Host = Host(1);
pub(super) const P: Process = Process(0);
pub(super) const Q: Process = Process(1);
pub(super) const LS: LockspaceIx = LockspaceIx(0);
pub(super) const VM: ResourceIx = ResourceIx(0);
pub(super) const DISK: DiskId = DiskId(0);
pub(super) const GEOMETRY: Geometry = Geometry::S512A1M;
pub(super) const AREA: u64 = 1 << 20;
pub(super) const THREAD: Task = Task::Lockspace(LsId(0));
pub(super) const WORKER: Task = Task::Worker(0);

pub(super) fn name(text: &str) -> Name {
    Name::from_text(text).expect("a short name")
}

pub(super) fn place(offset: u64) -> Place {
    Place { disk: DISK, offset }
}

pub(super) fn join_request(id: u64) -> Request {
    Request::AddLockspace { name: name("LS"), host_id: HostId(id), place: place(0), io_timeout: 10 }
}

pub(super) fn acquire_request() -> Request {
    Request::Acquire { lockspace: name("LS"), resource: name("VM"), place: place(AREA), terms: Terms::default() }
}

pub(super) fn holding(lver: u64) -> Holding {
    Holding { lockspace: name("LS"), resource: name("VM"), lver: Lver(lver), mode: Mode::Exclusive }
}

pub(super) fn remove_request() -> Request {
    Request::RemLockspace { name: name("LS"), unused: false }
}

pub(super) fn two_hosts() -> Setup {
    let host = |label: &str, id: u64| HostSetup {
        label: label.to_string(),
        config: Config {
            host_name: name(label),
            profile: Profile::SANLOCK_3_8_5,
            parameters: Parameters { workers: 1, ..Parameters::default() },
        },
        wdmd: WdmdProfile::SANLOCK_3_8_5,
        test_interval: 10,
        device: Device::Exact,
        memberships: vec![Membership { lockspace: LS, host_id: HostId(id), io_timeout: 10 }],
        clock: Time::from_secs(1_000 * id),
        drift_ppm: 0,
    };
    Setup {
        disks: vec![DiskSetup { sector_size: 512, sectors: 4096 }],
        lockspaces: vec![LockspaceSetup { name: name("LS"), place: place(0), geometry: GEOMETRY, io_timeout: 10 }],
        indices: Vec::new(),
        resources: vec![ResourceSetup {
            lockspace: LS,
            name: name("VM"),
            place: place(AREA),
            geometry: GEOMETRY,
            num_hosts: 0,
        }],
        hosts: vec![host("A", 1), host("B", 2)],
    }
}

/// A history and the little of a world that it looks at. Hosts A and B own host ids 1 and 2, N is 10, W is 60, and at
/// the start both are up.
pub(super) struct Story {
    pub(super) setup: Setup,
    pub(super) disks: Vec<Disk>,
    pub(super) clocks: Vec<HostClock>,
    pub(super) at: Instant,
    pub(super) history: History,
    pub(super) records: BTreeMap<Host, DeltaLease>,
}

impl Story {
    pub(super) fn new(setup: Setup) -> Story {
        let mut platter = Platter::new(512, 4096);
        let (area, first) = init::lockspace(GEOMETRY, name("LS"), 10);
        platter.write(0, &area);
        platter.write(0, &[(1, first)]);
        platter.write(AREA / 512, &init::resource(GEOMETRY, name("LS"), name("VM"), 0));
        let mut disk = Disk::from_platter(platter);
        let clocks = setup.hosts.iter().map(|host| {
            disk.add_path();
            HostClock::starting(Instant::START, host.clock, host.drift_ppm)
        });
        let clocks: Vec<HostClock> = clocks.collect();
        let history = History::new(&setup);
        let mut story =
            Story { setup, disks: vec![disk], clocks, at: Instant::START, history, records: BTreeMap::new() };
        story.boot(A);
        story.boot(B);
        story
    }

    pub(super) fn with_facts<T>(&mut self, say: impl FnOnce(&mut History, Instant, &Facts<'_>) -> T) -> T {
        let facts = Facts { setup: &self.setup, limits: &Limits::TOLERANCE, disks: &self.disks, clocks: &self.clocks };
        say(&mut self.history, self.at, &facts)
    }

    pub(super) fn tell(&mut self, happening: Happening) {
        self.with_facts(|history, at, facts| history.see(at, &happening, facts));
    }

    pub(super) fn event(&mut self, host: Host, event: Event) {
        self.tell(Happening::Engine { host, event });
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.wait_micros(seconds * 1_000_000);
    }

    pub(super) fn wait_micros(&mut self, micros: u64) {
        let to = self.at.after_micros(micros);
        self.with_facts(|history, _, facts| history.pass(to, facts));
        self.at = to;
    }

    pub(super) fn second(&self, host: Host) -> Second {
        self.clocks[usize::from(host.0)].at(self.at).second()
    }

    pub(super) fn boot(&mut self, host: Host) {
        let clock = self.clocks[usize::from(host.0)].at(self.at);
        self.tell(Happening::Up { host, clock });
        self.tell(Happening::DaemonUp { host, last_life: LastLife::Gone });
        self.tell(Happening::Spawned { host, process: P });
        self.tell(Happening::Spawned { host, process: Q });
    }

    pub(super) fn read(&mut self, host: Host, task: Task, offset: u64, length: u64) {
        let (slot, io) = (Slot(0), IoId(0));
        self.tell(Happening::ReadIssued { host, task, slot, disk: DISK, io, offset, length });
        let runs = self.disks[0].platter().runs(offset / 512, length / 512);
        self.complete(host, Ending::Done, Completion::Read(runs), 1_000);
    }

    pub(super) fn complete(&mut self, host: Host, ending: Ending, completion: Completion, took: u64) {
        let (slot, io) = (Slot(0), IoId(0));
        self.tell(Happening::Completed { host, slot, disk: DISK, io, ending, completion, took });
    }

    pub(super) fn issue(&mut self, host: Host, task: Task, offset: u64, bytes: &[u8]) {
        let (slot, io, length) = (Slot(0), IoId(0), 512);
        let bytes = sector(bytes);
        self.tell(Happening::WriteIssued { host, task, slot, disk: DISK, io, offset, length, bytes });
    }

    pub(super) fn land(&mut self, host: Host, offset: u64, bytes: &[u8]) {
        let platter = self.disks[0].platter_mut(0).expect("there is one replica");
        platter.write(offset / 512, &[(1, sector(bytes))]);
        let (io, length) = (IoId(0), 512);
        self.tell(Happening::Landed { host, disk: DISK, io, offset, length, ghost: false, intact: true });
    }

    pub(super) fn write(&mut self, host: Host, task: Task, offset: u64, bytes: &[u8]) {
        self.issue(host, task, offset, bytes);
        self.land(host, offset, bytes);
        self.complete(host, Ending::Done, Completion::Written, 1_000);
    }

    pub(super) fn write_record(&mut self, host: Host, record: DeltaLease) {
        let offset = GEOMETRY.delta_offset(record.owner_id);
        self.write(host, THREAD, offset, &record.sector(&Bitmap::EMPTY));
        self.records.insert(host, record);
    }

    pub(super) fn record(&self, host: Host, id: u64, generation: u64) -> DeltaLease {
        DeltaLease {
            owner_id: HostId(id),
            owner_generation: Generation(generation),
            owner_name: self.setup.hosts[usize::from(host.0)].config.host_name,
            timestamp: self.second(host).stamp(),
            ..DeltaLease::fresh(GEOMETRY, name("LS"), 10)
        }
    }

    /// A host joins as this host id.
    pub(super) fn join_as(&mut self, host: Host, id: u64, generation: u64) {
        self.tell(Happening::Asked { host, process: None, request: join_request(id) });
        self.read(host, THREAD, 0, 4096);
        let record = self.record(host, id, generation);
        let timestamp = record.timestamp;
        self.write_record(host, record);
        let (host_id, generation) = (HostId(id), Generation(generation));
        self.event(host, Event::Joined { lockspace: LsId(0), host_id, generation, timestamp });
        self.told(host, None, join_request(id), Ok(Answer::Joined { generation }));
    }

    pub(super) fn join(&mut self, host: Host, generation: u64) {
        self.join_as(host, u64::from(host.0) + 1, generation);
    }

    pub(super) fn renew(&mut self, host: Host) {
        let timestamp = self.second(host).stamp();
        let record = DeltaLease { timestamp, ..self.records[&host].clone() };
        self.read(host, THREAD, 0, AREA);
        self.write_record(host, record);
        self.event(host, Event::Renewed { lockspace: LsId(0), timestamp, read: Span::ZERO, write: Span::ZERO });
    }

    pub(super) fn killing(&mut self, host: Host) {
        self.event(host, Event::RenewalFailed { lockspace: LsId(0), why: Refusal::AioTimeout });
        self.event(host, Event::Killing { lockspace: LsId(0), failed: true });
    }

    /// The excuse of all excuses: what follows is not a matter of I-CALM.
    pub(super) fn cut(&mut self, host: Host) {
        self.tell(Happening::PathChanged { host, disk: DISK, state: PathState::Failing(5) });
    }

    pub(super) fn leader(&self, host: Host, lver: u64) -> Leader {
        let record = &self.records[&host];
        Leader {
            owner_id: record.owner_id,
            owner_generation: record.owner_generation,
            lver: Lver(lver),
            timestamp: self.second(host).stamp(),
            write_id: record.owner_id,
            write_generation: record.owner_generation,
            write_timestamp: self.second(host).stamp(),
            ..Leader::fresh(GEOMETRY, name("LS"), name("VM"), 0)
        }
    }

    /// The block of a host after phase 2 of a ballot for itself.
    pub(super) fn vote(&self, host: Host, lver: u64) -> HostBlock {
        let record = &self.records[&host];
        HostBlock {
            mbal: Mbal(2_000 + record.owner_id.0),
            bal: Mbal(2_000 + record.owner_id.0),
            inp: record.owner_id,
            inp2: record.owner_generation,
            inp3: self.second(host).stamp(),
            lver: Lver(lver),
            ..HostBlock::default()
        }
    }

    pub(super) fn block_of(&self, host: Host) -> u64 {
        AREA + GEOMETRY.block_offset(self.records[&host].owner_id)
    }

    pub(super) fn write_block(&mut self, host: Host, block: HostBlock) {
        let offset = self.block_of(host);
        self.write(host, WORKER, offset, &block.sector());
    }

    pub(super) fn commit(&mut self, host: Host, lver: u64) {
        let vote = self.vote(host, lver);
        self.write_block(host, vote);
        let leader = self.leader(host, lver);
        self.write(host, WORKER, AREA, &leader.sector());
    }

    pub(super) fn told(
        &mut self,
        host: Host,
        process: Option<Process>,
        request: Request,
        result: Result<Answer, Refusal>,
    ) {
        self.tell(Happening::Told { host, process, request, result });
    }

    pub(super) fn begin(&mut self, host: Host, process: Process, lver: u64) {
        self.tell(Happening::UseBegins { host, process, resource: VM, lver: Lver(lver), mode: Mode::Exclusive });
    }

    pub(super) fn end(&mut self, host: Host, process: Process, lver: u64) {
        self.tell(Happening::UseEnds { host, process, resource: VM, lver: Lver(lver) });
    }

    /// Process P of a host acquires the resource.
    pub(super) fn acquire(&mut self, host: Host, lver: u64) {
        self.commit(host, lver);
        self.begin(host, P, lver);
    }

    /// It stops using it, and the lease is freed on disk.
    pub(super) fn release(&mut self, host: Host, lver: u64) {
        self.end(host, P, lver);
        let block = HostBlock { flags: HostBlock::RELEASED, ..self.vote(host, lver) };
        self.write_block(host, block);
        let leader = Leader { timestamp: Stamp::FREE, ..self.leader(host, lver) };
        self.write(host, WORKER, AREA, &leader.sector());
    }

    pub(super) fn signal(&mut self, host: Host, signal: Signal) {
        self.tell(Happening::Signalled { host, process: P, signal });
    }

    pub(super) fn at_rest(&mut self) {
        self.with_facts(|history, at, facts| history.at_rest(at, facts));
    }

    pub(super) fn hosts_of_a(&mut self, hosts: Vec<HostStatus>) {
        self.told(A, None, Request::GetHosts { lockspace: name("LS") }, Ok(Answer::Hosts(hosts)));
    }

    pub(super) fn line(&self, host: Host, state: HostState) -> HostStatus {
        let record = &self.records[&host];
        let (host_id, generation) = (record.owner_id, record.owner_generation);
        HostStatus { host_id, generation, timestamp: record.timestamp, state }
    }
}

/// Something that is told of, and how.
pub(super) type Named = (&'static str, fn(&mut Story));

pub(super) fn check_in(setup: Setup, expected: Option<Property>, what: &str, tell: impl FnOnce(&mut Story)) {
    let mut story = Story::new(setup);
    tell(&mut story);
    let violation = story.history.violation();
    assert_eq!(violation.map(|violation| violation.property), expected, "{what}: {violation:?}");
}

pub(super) fn holds(what: &str, tell: impl FnOnce(&mut Story)) {
    check_in(two_hosts(), None, what, tell);
}

pub(super) fn breaks(property: Property, what: &str, tell: impl FnOnce(&mut Story)) {
    check_in(two_hosts(), Some(property), what, tell);
}
