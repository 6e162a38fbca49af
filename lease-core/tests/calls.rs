//! Calling other hosts: requests, host events and the bitmap, as the real daemon was seen to do it (sanlock 3.8.5, three
//! daemons on one file, io_timeout 1), and where the hardened profile does it otherwise. Several engines on one disk that
//! answers at once.

use lease_core::format::{self, Bitmap, DeltaLease, Geometry, HostEvent, Leader, Name, RequestRecord};
use lease_core::numbers::{Generation, HostId, Lver, Stamp, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::*;
use lease_core::{Engine, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

const MIB: u64 = 1 << 20;
/// Hosts by their ids: neighbours, and both sides of a byte of the bitmap.
const IDS: [u64; 3] = [1, 8, 9];
const FIRST: usize = 0;
const EIGHTH: usize = 1;
const NINTH: usize = 2;

struct Host {
    engine: Engine,
    wakes: BTreeMap<Task, Time>,
    replies: Vec<Result<Answer, Refusal>>,
    /// Signals, events and what came of requests.
    log: Vec<String>,
}

struct Bench {
    hosts: Vec<Host>,
    disk: BTreeMap<u64, Arc<[u8]>>,
    now: Time,
    /// Sectors written and read of the resource's first two, in order.
    io: Vec<String>,
}

fn name(text: &str) -> Name {
    Name::from_text(text).expect("a short name")
}

fn at(offset: u64) -> Place {
    Place { disk: DiskId(0), offset }
}

impl Bench {
    /// All have joined, and renewed often enough to know each other.
    fn joined(profile: Profile) -> Bench {
        let mut disk = BTreeMap::new();
        let (area, first) = format::init::lockspace(Geometry::S512A1M, name("LS"), 10);
        put(&mut disk, 0, &area);
        disk.insert(0, first);
        put(&mut disk, MIB, &format::init::resource(Geometry::S512A1M, name("LS"), name("R1"), 0));
        let now = Time::from_secs(1_000);
        let parameters = Parameters { use_watchdog: false, ..Parameters::default() };
        let hosts = IDS.iter().map(|id| {
            let config = Config { host_name: name(&format!("host{id}")), profile, parameters };
            let engine = Engine::boot(config, LastLife::Gone, now, &mut Vec::new());
            Host { engine, wakes: BTreeMap::new(), replies: Vec::new(), log: Vec::new() }
        });
        let mut bench = Bench { hosts: hosts.collect(), disk, now, io: Vec::new() };
        for (host, id) in IDS.iter().enumerate() {
            let host_id = HostId(*id);
            bench.ask(host, 255, Request::AddLockspace { name: name("LS"), host_id, place: at(0), io_timeout: 10 });
        }
        bench.run(100);
        for host in &mut bench.hosts {
            assert_eq!(host.replies.remove(0), Ok(Answer::Joined { generation: Generation(1) }));
        }
        bench
    }

    fn ask(&mut self, host: usize, client: u8, request: Request) {
        self.input(host, Input::Request { id: RequestId(u16::from(client)), client: ClientId(client), request });
    }

    /// The answer to a request that needs no time to pass.
    fn told(&mut self, host: usize, client: u8, request: Request) -> Result<Answer, Refusal> {
        self.ask(host, client, request);
        self.hosts[host].replies.pop().expect("an answer")
    }

    fn input(&mut self, host: usize, input: Input) {
        let mut out = Vec::new();
        self.hosts[host].engine.handle(self.now, input, &mut out);
        for output in out {
            let state = &mut self.hosts[host];
            match output {
                Output::Read { slot, offset, length, .. } => {
                    if offset / MIB == 1 {
                        self.io.push(format!("R {} {length}", offset % MIB / 512));
                    }
                    let sectors = offset / 512..(offset + length) / 512;
                    let runs = sectors.map(|at| (1, self.disk.get(&(at * 512)).cloned().unwrap_or_default()));
                    let data = ReadData { unit: 512, runs: runs.collect() };
                    self.input(host, Input::IoDone { slot, result: IoResult::Read(data) });
                }
                Output::Write { slot, offset, length, bytes, .. } => {
                    if offset / MIB == 1 {
                        self.io.push(format!("W {} {length}", offset % MIB / 512));
                    }
                    self.disk.insert(offset, bytes);
                    self.input(host, Input::IoDone { slot, result: IoResult::Written });
                }
                Output::WakeWithin { task, earliest, .. } => drop(state.wakes.insert(task, earliest)),
                Output::NoWake { task } => drop(state.wakes.remove(&task)),
                Output::Reply { result, .. } => state.replies.push(result),
                Output::Signal { client, signal } => state.log.push(format!("{signal:?} {}", client.0)),
                Output::SignalSelf { signal } => state.log.push(format!("{signal:?} own group")),
                Output::Notify { client, told } => {
                    let ToldEvent { host_id, event: HostEvent { generation, event, data }, from, .. } = told;
                    state.log.push(format!("{} hears {event}/{data} for {host_id}.{generation} from {from}", client.0));
                }
                Output::RunKillpath { client, killpath } => {
                    let words = killpath.words().into_iter().map(|word| String::from_utf8(word).expect("text"));
                    let pid = if killpath.with_pid { " and the pid" } else { "" };
                    state.log.push(format!("{}{pid} for {}", words.collect::<Vec<_>>().join(" "), client.0));
                }
                Output::Watchdog { .. } | Output::Event(_) | Output::Exit => {}
            }
        }
    }

    /// So many seconds pass.
    fn run(&mut self, seconds: u64) {
        let end = self.now.after(lease_core::numbers::Span::from_secs(seconds));
        loop {
            let wakes = self
                .hosts
                .iter()
                .enumerate()
                .flat_map(|(host, state)| state.wakes.iter().map(move |(task, due)| (*due, host, *task)));
            let Some((due, host, task)) = wakes.min().filter(|(due, ..)| *due <= end) else { break };
            self.now = self.now.max(due);
            self.hosts[host].wakes.remove(&task);
            self.input(host, Input::Wake { task });
        }
        self.now = end;
    }

    fn acquire(&mut self, host: usize, client: u8, mode: Mode) -> Result<Answer, Refusal> {
        let terms = Terms { mode, ..Terms::default() };
        let (lockspace, resource, place) = (name("LS"), name("R1"), at(MIB));
        self.told(host, client, Request::Acquire { lockspace, resource, place, terms })
    }

    fn call(&mut self, host: usize, lver: u64, force_mode: u32) -> Result<Answer, Refusal> {
        let (lockspace, resource, place, lver) = (name("LS"), name("R1"), at(MIB), Lver(lver));
        self.told(host, 255, Request::Call { lockspace, resource, place, lver, next: false, force_mode })
    }

    fn set_event(
        &mut self,
        host: usize,
        to: u64,
        generation: u64,
        event: u64,
        terms: EventTerms,
    ) -> Result<Answer, Refusal> {
        let event = HostEvent { generation, event, data: 10 * event };
        self.told(host, 255, Request::SetEvent { lockspace: name("LS"), host_id: HostId(to), event, terms })
    }

    fn listen(&mut self) {
        for host in 0..IDS.len() {
            assert_eq!(self.told(host, 7, Request::RegEvent { lockspace: name("LS") }), Ok(Answer::Done));
        }
    }

    /// What happened at a host since it was asked last, each thing once.
    fn log(&mut self, host: usize) -> Vec<String> {
        let mut log = std::mem::take(&mut self.hosts[host].log);
        log.dedup();
        log
    }

    fn request(&self) -> RequestRecord {
        RequestRecord::read(&self.disk[&(MIB + 512)]).expect("is there")
    }

    fn bitmap(&self, host: usize) -> Vec<u64> {
        Bitmap::of_sector(&self.disk[&((IDS[host] - 1) * 512)]).iter().map(|host| host.0).collect()
    }
}

fn put(disk: &mut BTreeMap<u64, Arc<[u8]>>, offset: u64, runs: &[(u32, Arc<[u8]>)]) {
    let mut at = offset;
    for (count, bytes) in runs {
        for _ in 0..*count {
            disk.insert(at, bytes.clone());
            at += 512;
        }
    }
}

const PROFILES: [Profile; 2] = [Profile::SANLOCK_3_8_5, Profile::HARDENED];

#[test]
fn a_request_is_answered_as_the_real_daemon_answers_it() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        assert_eq!(bench.call(FIRST, 1, 1), Ok(Answer::Done), "nobody holds it: done, and nothing written");
        assert_eq!(bench.request(), RequestRecord::FRESH);
        assert_eq!(bench.acquire(EIGHTH, 0, Mode::Exclusive), Ok(Answer::Acquired { lver: Lver(1) }));
        bench.io.clear();
        assert_eq!(bench.call(FIRST, 1, 1), Err(Refusal::RequestOld));
        assert_eq!(bench.io, ["R 0 512"]);
        assert_eq!(bench.call(FIRST, 5, 3), Ok(Answer::Done));
        assert_eq!(bench.io[1..], ["R 0 512", "R 1 512", "W 1 512"]);
        assert_eq!(bench.call(FIRST, 4, 1), Err(Refusal::RequestLver));
        assert_eq!((bench.request().lver, bench.request().force_mode), (Lver(5), 3));
        assert_eq!(bench.call(FIRST, 0, 0), Ok(Answer::Done), "taken back");
        assert_eq!(bench.request(), RequestRecord::FRESH);
        let (lockspace, resource, place) = (name("LS"), name("R1"), at(MIB));
        let next = Request::Call { lockspace, resource, place, lver: Lver(0), next: true, force_mode: 3 };
        assert_eq!(bench.told(FIRST, 255, next), Ok(Answer::Done));
        assert_eq!(bench.request().lver, Lver(2));
        let elsewhere =
            Request::Call { lockspace: name("LX"), resource, place, lver: Lver(9), next: false, force_mode: 1 };
        assert_eq!(bench.told(FIRST, 255, elsewhere), Err(Refusal::LockspaceFailing));
        let other = Request::Call { lockspace, resource: name("R9"), place, lver: Lver(9), next: false, force_mode: 1 };
        assert_eq!(bench.told(FIRST, 255, other), Err(Refusal::LeaderResource));
        bench.run(60);
        assert_eq!(bench.log(EIGHTH), [] as [String; 0], "force mode 3 means nothing");
    }
}

#[test]
fn a_holder_is_killed_or_asked_to_go() {
    for (force_mode, signal) in [(RequestRecord::FORCE, "Kill 0"), (RequestRecord::GRACEFUL, "Term 0")] {
        for profile in PROFILES {
            let mut bench = Bench::joined(profile);
            bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
            bench.call(FIRST, 2, force_mode).expect("held");
            bench.run(60);
            assert_eq!(bench.log(EIGHTH), [signal]);
            assert_eq!(bench.log(NINTH), [] as [String; 0]);
            let left = if profile == Profile::HARDENED { Lver(0) } else { Lver(2) };
            assert_eq!(bench.request().lver, left);
        }
    }
}

#[test]
fn a_holder_is_asked_as_it_has_declared() {
    let killpath = Killpath { program: b"/p"[..].into(), arguments: b"go"[..].into(), with_pid: true };
    let restricted = |kill, term| Request::Restrict(Restricted { kill, term });
    let (named, free) = (Request::SetKillpath(killpath), restricted(false, false));
    for (declared, by_force, gracefully) in [
        (&[named.clone()][..], "Kill 0", "/p go for 0"),
        (&[named, restricted(true, true)], "", "/p go for 0"),
        (&[free], "Kill 0", "Term 0"),
        (&[restricted(true, false)], "Term 0", "Term 0"),
        (&[restricted(false, true)], "Kill 0", "Kill 0"),
        (&[restricted(true, true)], "", ""),
    ] {
        for (force_mode, expected) in [(RequestRecord::FORCE, by_force), (RequestRecord::GRACEFUL, gracefully)] {
            for profile in PROFILES {
                let mut bench = Bench::joined(profile);
                for request in declared {
                    assert_eq!(bench.told(EIGHTH, 0, request.clone()), Ok(Answer::Done));
                }
                bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
                bench.call(FIRST, 2, force_mode).expect("held");
                bench.run(60);
                let log = bench.log(EIGHTH).join(", ");
                assert_eq!(log, expected, "{declared:?}, force mode {force_mode}");
            }
        }
    }
}

/// 1. The ninth host asks for version 100 by force, and the holder of version 1 is killed.
/// 2. The record stays. The eighth host acquires version 2, and looks at its requests for whatever reason.
/// 3. Its client is killed, too; and so on until version 100.
#[test]
fn a_request_that_was_heeded_kills_the_next_holder_unless_it_is_wiped_out() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
        bench.call(NINTH, 100, RequestRecord::FORCE).expect("held");
        bench.run(60);
        assert_eq!(bench.log(EIGHTH), ["Kill 0"]);
        bench.input(EIGHTH, Input::Exited { client: ClientId(0) });
        bench.run(30);
        assert_eq!(bench.acquire(EIGHTH, 1, Mode::Exclusive), Ok(Answer::Acquired { lver: Lver(2) }));
        let looks = Request::Examine { lockspace: name("LS"), resource: Name::EMPTY };
        assert_eq!(bench.told(EIGHTH, 255, looks), Ok(Answer::Done));
        let hardened: &[&str] = &[];
        assert_eq!(bench.log(EIGHTH), if profile == Profile::HARDENED { hardened } else { &["Kill 1"] });
    }
}

#[test]
fn a_request_for_what_is_shared_kills_the_daemon_or_asks_each_sharer() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.acquire(NINTH, 0, Mode::Exclusive).expect("free");
        bench.call(FIRST, 100, RequestRecord::FORCE).expect("held");
        let gives = Request::Release { lockspace: name("LS"), resource: name("R1") };
        bench.told(NINTH, 0, gives).expect("held");
        bench.acquire(EIGHTH, 3, Mode::Shared).expect("free");
        bench.acquire(EIGHTH, 4, Mode::Shared).expect("shared");
        let looks = Request::Examine { lockspace: name("LS"), resource: name("R1") };
        bench.told(EIGHTH, 255, looks).expect("held");
        let each: &[&str] = &["Kill 3", "Kill 4"];
        assert_eq!(bench.log(EIGHTH), if profile == Profile::HARDENED { each } else { &["Kill own group"] });
    }
}

#[test]
fn a_request_for_what_ones_own_host_holds_is_noticed_by_the_hardened_profile() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
        bench.call(EIGHTH, 2, RequestRecord::FORCE).expect("held");
        bench.run(100);
        let noticed: &[&str] = if profile == Profile::HARDENED { &["Kill 0"] } else { &[] };
        assert_eq!(bench.log(EIGHTH), noticed);
    }
}

#[test]
fn an_event_reaches_the_host_it_is_for_and_its_bit_ends() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.listen();
        assert_eq!(bench.set_event(FIRST, 8, 1, 7, EventTerms::default()), Ok(Answer::Done));
        bench.run(25);
        assert_eq!(bench.bitmap(FIRST), [8]);
        let lease = DeltaLease::read(&bench.disk[&0], &name("LS")).expect("is intact");
        assert_eq!(lease.event, HostEvent { generation: 1, event: 7, data: 70 });
        bench.run(100);
        assert_eq!(bench.bitmap(FIRST), [] as [u64; 0]);
        assert!(matches!(bench.hosts[EIGHTH].log.len(), 2..=4), "{:?}", bench.hosts[EIGHTH].log);
        assert_eq!(bench.log(EIGHTH), ["7 hears 7/70 for 8.1 from 1"]);
        assert_eq!((bench.log(FIRST), bench.log(NINTH)), (Vec::new(), Vec::new()));
        let lease = DeltaLease::read(&bench.disk[&0], &name("LS")).expect("is intact");
        assert_eq!(lease.event == HostEvent::default(), profile == Profile::HARDENED, "3.8.5 leaves it there");
        let ends = Request::EndEvent { lockspace: name("LS") };
        assert_eq!(bench.told(EIGHTH, 7, ends), Ok(Answer::Done));
        let whole = EventTerms { all: true, current: true, ..EventTerms::default() };
        assert_eq!(bench.set_event(FIRST, 2, 0, 9, whole), Ok(Answer::Done));
        bench.run(60);
        assert_eq!(bench.bitmap(FIRST).len(), 1999, "all but oneself");
        assert_eq!(bench.log(EIGHTH), [] as [String; 0], "it does not listen any more");
        assert_eq!(bench.log(NINTH), ["7 hears 9/90 for 9.0 from 1"]);
    }
}

#[test]
fn setting_an_event_is_refused_as_the_real_daemon_refuses_it() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        let once = EventTerms::default();
        assert_eq!(bench.set_event(FIRST, 0, 1, 1, once), Err(Refusal::Invalid));
        assert_eq!(bench.set_event(FIRST, 2001, 1, 1, once), Err(Refusal::Invalid));
        assert_eq!(bench.set_event(FIRST, 0, 1, 1, EventTerms { all: true, ..once }), Err(Refusal::Invalid));
        let event = HostEvent { generation: 1, event: 1, data: 1 };
        let elsewhere = Request::SetEvent { lockspace: name("LX"), host_id: HostId(8), event, terms: once };
        assert_eq!(bench.told(FIRST, 255, elsewhere), Err(Refusal::NotFound));
        assert_eq!(bench.told(FIRST, 7, Request::RegEvent { lockspace: name("LX") }), Err(Refusal::NotFound));
        assert_eq!(bench.set_event(FIRST, 8, 1, 7, once), Ok(Answer::Done));
        assert_eq!(bench.set_event(FIRST, 9, 1, 7, once), Ok(Answer::Done), "the same for another host");
        assert_eq!(bench.set_event(FIRST, 9, 1, 8, once), Err(Refusal::Busy));
        assert_eq!(bench.set_event(FIRST, 9, 1, 8, EventTerms { replace: true, ..once }), Ok(Answer::Done));
        let clear = EventTerms { change: EventChange::ClearHost, ..once };
        assert_eq!(bench.set_event(FIRST, 9, 1, 8, clear), Ok(Answer::Done));
        bench.run(25);
        let replaced: &[u64] = if profile == Profile::HARDENED { &[] } else { &[8] };
        assert_eq!(bench.bitmap(FIRST), replaced);
    }
}

/// Three ways in which the real daemon tells a host what was meant for another.
#[test]
fn an_event_reaches_nobody_else_under_the_hardened_profile() {
    for profile in PROFILES {
        let hardened = profile == Profile::HARDENED;
        let wrong = |line: &str| if hardened { Vec::new() } else { vec![line.to_string()] };
        // The second event replaces the first, whose bit still stands there.
        let mut bench = Bench::joined(profile);
        bench.listen();
        bench.set_event(FIRST, 9, 1, 9, EventTerms::default()).expect("none before");
        bench.set_event(FIRST, 8, 1, 10, EventTerms { replace: true, ..EventTerms::default() }).expect("replaced");
        bench.run(60);
        assert_eq!(bench.log(EIGHTH), ["7 hears 10/100 for 8.1 from 1"]);
        assert_eq!(bench.log(NINTH), wrong("7 hears 10/100 for 9.1 from 1"));
        // An event is for a life that is over.
        let mut bench = Bench::joined(profile);
        bench.listen();
        bench.set_event(FIRST, 9, 5, 11, EventTerms::default()).expect("none before");
        bench.run(100);
        assert_eq!(bench.log(NINTH), wrong("7 hears 11/110 for 9.5 from 1"));
        // Its time is over, and then the owner of a resource is called.
        bench.set_event(FIRST, 9, 1, 12, EventTerms { replace: true, ..EventTerms::default() }).expect("replaced");
        bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
        bench.run(100);
        bench.log(NINTH);
        bench.call(FIRST, 2, RequestRecord::FORCE).expect("held");
        bench.run(60);
        let mut heard = bench.log(EIGHTH);
        heard.sort();
        heard.dedup();
        let mut expected = wrong("7 hears 12/120 for 8.1 from 1");
        expected.push("Kill 0".to_string());
        assert_eq!(heard, expected);
    }
}

#[test]
fn a_request_waits_for_the_end_of_an_event() {
    let mut bench = Bench::joined(Profile::HARDENED);
    bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
    bench.set_event(FIRST, 9, 1, 3, EventTerms::default()).expect("none before");
    bench.call(FIRST, 2, RequestRecord::FORCE).expect("held");
    bench.run(25);
    assert_eq!(bench.bitmap(FIRST), [9]);
    bench.run(60);
    assert_eq!(bench.bitmap(FIRST), [8]);
    bench.run(25);
    assert_eq!(bench.log(EIGHTH), ["Kill 0"]);
}

#[test]
fn a_second_request_may_be_overlooked_by_a_host_that_has_just_looked() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
        bench.call(FIRST, 2, 3).expect("held");
        bench.run(25);
        bench.call(FIRST, 3, RequestRecord::FORCE).expect("held");
        bench.run(30);
        let noticed: &[&str] = if profile == Profile::HARDENED { &["Kill 0"] } else { &[] };
        assert_eq!(bench.log(EIGHTH), noticed);
    }
}

#[test]
fn a_resource_is_renamed_on_its_way_back() {
    for profile in PROFILES {
        let mut bench = Bench::joined(profile);
        bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
        let renames = Request::Rename { lockspace: name("LS"), resource: name("R1"), renamed: name("R2") };
        assert_eq!(bench.told(EIGHTH, 0, renames.clone()), Ok(Answer::Done));
        let leader = Leader::read(&bench.disk[&MIB], &name("LS"), &name("R2"), HostId(8)).expect("has the new name");
        assert_eq!((leader.timestamp, leader.lver), (Stamp::FREE, Lver(1)));
        assert_eq!(bench.acquire(FIRST, 0, Mode::Exclusive), Err(Refusal::LeaderResource));
        assert_eq!(bench.told(EIGHTH, 0, renames), Err(Refusal::NotHeld));
        let (lockspace, resource, terms) = (name("LS"), name("R2"), Terms { mode: Mode::Shared, ..Terms::default() });
        bench.told(EIGHTH, 0, Request::Acquire { lockspace, resource, place: at(MIB), terms }).expect("free");
        let renames = Request::Rename { lockspace, resource, renamed: name("R3") };
        let shared = if profile == Profile::HARDENED { Err(Refusal::ReleaseOwner) } else { Ok(Answer::Done) };
        assert_eq!(bench.told(EIGHTH, 0, renames), shared, "what is shared has no leader to write");
        assert!(Leader::read(&bench.disk[&MIB], &name("LS"), &name("R2"), HostId(8)).is_ok());
    }
}

#[test]
fn owners_are_read_with_the_right_sizes_or_not_at_all() {
    let mut bench = Bench::joined(Profile::HARDENED);
    let ask = |bench: &mut Bench, resource: &str, geometry| {
        let (lockspace, resource) = (name("LS"), name(resource));
        bench.told(FIRST, 255, Request::ReadOwners { lockspace, resource, place: at(MIB), geometry })
    };
    assert_eq!(ask(&mut bench, "R1", None), Ok(Answer::Owners { lver: Lver(0), owners: Vec::new() }));
    bench.acquire(EIGHTH, 0, Mode::Exclusive).expect("free");
    let Ok(Answer::Owners { lver: Lver(1), owners }) = ask(&mut bench, "R1", None) else { panic!("owned") };
    let [Owner { host_id: HostId(8), generation: Generation(1), timestamp }] = owners[..] else { panic!("{owners:?}") };
    assert!(!timestamp.is_free());
    assert_eq!(ask(&mut bench, "R1", Some(Geometry::S4096A8M)), Err(Refusal::Invalid));
    assert_eq!(ask(&mut bench, "R1", Some(Geometry::S4096A1M)), Err(Refusal::Invalid));
    assert_eq!(ask(&mut bench, "R9", Some(Geometry::S512A1M)), Err(Refusal::LeaderResource));
    bench.told(EIGHTH, 0, Request::Release { lockspace: name("LS"), resource: name("R1") }).expect("held");
    bench.acquire(EIGHTH, 0, Mode::Shared).expect("free");
    bench.acquire(FIRST, 0, Mode::Shared).expect("shared");
    let shares = |id| Owner { host_id: HostId(id), generation: Generation(1), timestamp: Stamp::FREE };
    let owners = vec![shares(1), shares(8)];
    assert_eq!(ask(&mut bench, "R1", Some(Geometry::S512A1M)), Ok(Answer::Owners { lver: Lver(3), owners }));
}

#[test]
fn a_lockspace_is_read_by_its_first_record_or_by_another() {
    let mut bench = Bench::joined(Profile::HARDENED);
    let ask = |bench: &mut Bench, space: &str, id, offset| {
        let lockspace = if space.is_empty() { Name::EMPTY } else { name(space) };
        bench.told(FIRST, 255, Request::ReadLockspace { lockspace, host_id: HostId(id), place: at(offset) })
    };
    let space = Answer::Space { name: name("LS"), io_timeout: 10, geometry: Geometry::S512A1M };
    assert_eq!(ask(&mut bench, "", 0, 0), Ok(space.clone()));
    assert_eq!(ask(&mut bench, "LS", 9, 0), Ok(space));
    assert_eq!(ask(&mut bench, "LX", 9, 0), Err(Refusal::LeaderLockspace));
    assert_eq!(ask(&mut bench, "", 2001, 0), Err(Refusal::InvalidHostId));
    assert_eq!(ask(&mut bench, "", 0, MIB), Err(Refusal::LeaderMagic));
}
