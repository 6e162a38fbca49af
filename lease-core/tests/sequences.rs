//! The I/O of each operation, in order, as the real daemon does it (measured with strace on sanlock 3.8.5; 512-byte
//! sectors, 1 MiB areas). One host, instant I/O, time passes only where the engine asks for it.

use lease_core::format::{self, Geometry, Name};
use lease_core::numbers::{Generation, HostId, Lver, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::*;
use lease_core::{Engine, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// A host on a disk of its own that answers at once.
struct Bench {
    engine: Engine,
    now: Time,
    disk: BTreeMap<u64, Arc<[u8]>>,
    wakes: BTreeMap<Task, (Time, Time)>,
    /// What happened, one word or two each.
    log: Vec<String>,
    replies: Vec<Result<Answer, Refusal>>,
}

impl Bench {
    fn new(profile: Profile) -> Bench {
        let mut disk = BTreeMap::new();
        let (area, first) = format::init::lockspace(Geometry::S512A1M, name("LS"), 10);
        put(&mut disk, 0, &area);
        disk.insert(0, first);
        put(&mut disk, MIB, &format::init::resource(Geometry::S512A1M, name("LS"), name("R1"), 0));
        let parameters = Parameters { use_watchdog: false, ..Parameters::default() };
        let config = Config { host_name: name("host1"), profile, parameters };
        let now = Time::from_secs(1000);
        let engine = Engine::boot(config, LastLife::Gone, now, &mut Vec::new());
        Bench { engine, now, disk, wakes: BTreeMap::new(), log: Vec::new(), replies: Vec::new() }
    }

    fn ask(&mut self, request: Request) {
        self.input(Input::Request { id: RequestId(0), client: ClientId(1), request });
    }

    fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Read { slot, offset, length, .. } => {
                    self.log.push(format!("R {}", place(offset, length)));
                    let runs = (offset / 512..(offset + length) / 512)
                        .map(|sector| (1, self.disk.get(&(sector * 512)).cloned().unwrap_or_default()));
                    let data = ReadData { unit: 512, runs: runs.collect() };
                    self.input(Input::IoDone { slot, result: IoResult::Read(data) });
                }
                Output::Write { slot, offset, length, bytes, .. } => {
                    self.log.push(format!("W {}", place(offset, length)));
                    for index in 0..length / 512 {
                        let piece = bytes.get(index as usize * 512..).unwrap_or_default();
                        let piece = format::trimmed(&piece[..piece.len().min(512)]);
                        self.disk.insert(offset + index * 512, piece);
                    }
                    self.input(Input::IoDone { slot, result: IoResult::Written });
                }
                Output::WakeWithin { task, earliest, latest } => {
                    assert!(earliest <= latest, "a range");
                    self.wakes.insert(task, (earliest, latest));
                }
                Output::NoWake { task } => {
                    self.wakes.remove(&task);
                }
                Output::Reply { result, .. } => self.replies.push(result),
                Output::Watchdog { .. }
                | Output::Signal { .. }
                | Output::SignalSelf { .. }
                | Output::Notify { .. }
                | Output::RunKillpath { .. }
                | Output::Exit
                | Output::Event(_) => {}
            }
        }
    }

    /// Wakes what is due first.
    fn wake(&mut self) {
        let (task, (earliest, _)) =
            self.wakes.iter().min_by_key(|(_, (earliest, _))| *earliest).map(|(t, r)| (*t, *r)).expect("a wake");
        self.wakes.remove(&task);
        self.now = self.now.max(earliest);
        self.input(Input::Wake { task });
    }

    fn until_reply(&mut self) -> Result<Answer, Refusal> {
        while self.replies.is_empty() {
            self.wake();
        }
        self.replies.remove(0)
    }

    fn taken_log(&mut self) -> String {
        std::mem::take(&mut self.log).join(", ")
    }

    fn join(&mut self) -> Result<Answer, Refusal> {
        let place = Place { disk: DiskId(0), offset: 0 };
        self.ask(Request::AddLockspace { name: name("LS"), host_id: HostId(2), place, io_timeout: 10 });
        self.until_reply()
    }

    fn acquire(&mut self) -> Result<Answer, Refusal> {
        let place = Place { disk: DiskId(0), offset: MIB };
        self.ask(Request::Acquire { lockspace: name("LS"), resource: name("R1"), place, terms: Terms::default() });
        self.until_reply()
    }

    fn release(&mut self) -> Result<Answer, Refusal> {
        self.ask(Request::Release { lockspace: name("LS"), resource: name("R1") });
        self.until_reply()
    }
}

fn name(text: &str) -> Name {
    Name::from_text(text).expect("a short name")
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

/// Sector and length in words: `area`, `4096 bytes`, `leader`, `block 2`, `delta 2`.
fn place(offset: u64, length: u64) -> String {
    match (offset / MIB, offset % MIB / 512, length) {
        (_, 0, MIB) => "area".into(),
        (0, 0, 4096) => "sizes".into(),
        (0, sector, 512) => format!("delta {}", sector + 1),
        (1, 0, 512) => "leader".into(),
        (1, sector, 512) => format!("block {}", sector - 1),
        (8, 0, 4096) => "unknown header".into(),
        (8, 0, 512) => "header".into(),
        (8, sector, 512) => format!("entries {sector}"),
        (9, 0, 512) => "index leader".into(),
        (9, sector, 512) => format!("index block {}", sector - 1),
        (area, 0, 512) => format!("leader {area}"),
        other => format!("{other:?}"),
    }
}

fn both(check: impl Fn(Bench)) {
    check(Bench::new(Profile::SANLOCK_3_8_5));
    check(Bench::new(Profile::HARDENED));
}

#[test]
fn join_free() {
    both(|mut host| {
        assert_eq!(host.join(), Ok(Answer::Joined { generation: Generation(1) }));
        // 20 s between write and read-back on a disk that takes no time.
        assert_eq!(host.now, Time::from_secs(1020));
        let log = host.taken_log();
        assert!(log.starts_with("R sizes, R delta 2, W delta 2, R delta 2"), "{log}");
    });
}

#[test]
fn renewal() {
    both(|mut host| {
        host.join().expect("joined");
        host.taken_log();
        for _ in 0..6 {
            host.wake();
        }
        assert!(host.taken_log().contains("R area, W delta 2"));
    });
}

#[test]
fn acquire_free_is_six_ios_and_release_three() {
    both(|mut host| {
        host.join().expect("joined");
        for lver in 1..4 {
            host.taken_log();
            assert_eq!(host.acquire(), Ok(Answer::Acquired { lver: Lver(lver) }));
            assert_eq!(host.taken_log(), "R area, W block 2, R area, W block 2, R area, W leader");
            assert_eq!(host.acquire(), Err(Refusal::Exists));
            assert_eq!(host.release(), Ok(Answer::Done));
            assert_eq!(host.taken_log(), "W block 2, R leader, W leader");
            assert_eq!(host.release(), Err(Refusal::NotHeld));
        }
    });
}

/// A write of ours that we had given up brings the leader of the version before back.
#[test]
fn a_leader_of_the_past_keeps_nobody_from_releasing() {
    for (profile, told) in
        [(Profile::SANLOCK_3_8_5, Err(lease_core::Refusal::ReleaseLver)), (Profile::HARDENED, Ok(Answer::Done))]
    {
        let mut host = Bench::new(profile);
        host.join().expect("joined");
        host.acquire().expect("held");
        let first = host.disk[&MIB].clone();
        host.release().expect("released");
        host.acquire().expect("held again");
        host.disk.insert(MIB, first);
        host.taken_log();
        assert_eq!(host.release(), told);
        assert_eq!(host.taken_log(), "W block 2, R leader");
    }
}

#[test]
fn leave_frees_the_host_id() {
    both(|mut host| {
        host.join().expect("joined");
        host.acquire().expect("held");
        host.taken_log();
        host.ask(Request::RemLockspace { name: name("LS"), unused: true });
        assert_eq!(host.until_reply(), Err(Refusal::Busy));
        host.release().expect("released");
        host.taken_log();
        host.ask(Request::RemLockspace { name: name("LS"), unused: false });
        assert_eq!(host.until_reply(), Ok(Answer::Done));
        let log = host.taken_log();
        assert!(log.ends_with("W delta 2"), "{log}");
        assert_eq!(host.join(), Ok(Answer::Joined { generation: Generation(2) }));
    });
}

/// Shared holds: the sequences measured of the real daemon.
mod shared {
    use super::*;
    use lease_core::Refusal;
    use lease_core::format::{DeltaLease, HostBlock, ModeBlock};
    use lease_core::numbers::Stamp;

    const ACQUIRE: &str = "R area, W block 2, R area, W block 2, R area, W leader";
    const FREE: &str = "R leader, W leader";

    impl Bench {
        fn acquire_as(&mut self, client: u8, terms: Terms) -> Result<Answer, Refusal> {
            let place = Place { disk: DiskId(0), offset: MIB };
            let request = Request::Acquire { lockspace: name("LS"), resource: name("R1"), place, terms };
            self.input(Input::Request { id: RequestId(0), client: ClientId(client), request });
            self.until_reply()
        }

        fn release_as(&mut self, client: u8) -> Result<Answer, Refusal> {
            let request = Request::Release { lockspace: name("LS"), resource: name("R1") };
            self.input(Input::Request { id: RequestId(0), client: ClientId(client), request });
            self.until_reply()
        }

        fn convert(&mut self, mode: Mode) -> Result<Answer, Refusal> {
            self.ask(Request::Convert { lockspace: name("LS"), resource: name("R1"), mode, nowait: false });
            self.until_reply()
        }

        fn block(&self, host: u64) -> HostBlock {
            let offset = MIB + Geometry::S512A1M.block_offset(HostId(host));
            HostBlock::read(self.disk.get(&offset).map_or(&[], |bytes| bytes)).expect("an intact block")
        }

        /// Another host says SHARED; its delta lease bears this stamp, or is free.
        fn shared_by(&mut self, host: u64, stamp: u64) {
            let mode = ModeBlock { flags: ModeBlock::SHARED, generation: Generation(3) };
            let block = HostBlock { mode, ..HostBlock::default() };
            self.disk.insert(MIB + Geometry::S512A1M.block_offset(HostId(host)), block.sector());
            let fresh = DeltaLease::fresh(Geometry::S512A1M, name("LS"), 10);
            let (owner_id, owner_generation) = (HostId(host), Generation(3));
            let lease = DeltaLease { timestamp: Stamp(stamp), owner_id, owner_generation, ..fresh };
            let offset = Geometry::S512A1M.delta_offset(HostId(host));
            self.disk.insert(offset, lease.sector(&lease_core::format::Bitmap::EMPTY));
        }
    }

    const SHARED: Terms = Terms {
        mode: Mode::Shared,
        lver: Lver(0),
        nowait: false,
        lvb: false,
        persistent: false,
        orphan: Orphan::Refused,
        num_hosts: 0,
    };

    #[test]
    fn acquire_is_nine_ios_and_release_one() {
        both(|mut host| {
            host.join().expect("joined");
            host.taken_log();
            assert_eq!(host.acquire_as(1, SHARED), Ok(Answer::Acquired { lver: Lver(1) }));
            assert_eq!(host.taken_log(), format!("{ACQUIRE}, W block 2, {FREE}"));
            assert!(host.block(2).mode.shared() && host.block(2).released());
            // "SH on a resource held shared locally joins without I/O."
            assert_eq!(host.acquire_as(2, SHARED), Ok(Answer::Acquired { lver: Lver(1) }));
            assert_eq!(host.acquire_as(3, Terms::default()), Err(Refusal::Exists));
            assert_eq!(host.release_as(1), Ok(Answer::Done));
            assert_eq!(host.taken_log(), "");
            assert_eq!(host.release_as(2), Ok(Answer::Done));
            assert_eq!(host.taken_log(), "W block 2");
            assert!(!host.block(2).mode.shared());
        });
    }

    #[test]
    fn converting_is_seven_ios_up_and_three_down() {
        both(|mut host| {
            host.join().expect("joined");
            host.acquire_as(1, SHARED).expect("shared");
            assert_eq!(host.convert(Mode::Shared), Err(Refusal::Already));
            host.taken_log();
            assert_eq!(host.convert(Mode::Exclusive), Ok(Answer::Acquired { lver: Lver(2) }));
            assert_eq!(host.taken_log(), format!("{ACQUIRE}, W block 2"));
            assert!(!host.block(2).mode.shared() && !host.block(2).released());
            assert_eq!(host.convert(Mode::Shared), Ok(Answer::Acquired { lver: Lver(2) }));
            assert_eq!(host.taken_log(), format!("W block 2, {FREE}"));
            assert!(host.block(2).mode.shared() && host.block(2).released());
            assert_eq!(host.release(), Ok(Answer::Done));
            assert_eq!(host.convert(Mode::Shared), Err(Refusal::NotFound));
        });
    }

    #[test]
    fn a_live_shared_holder_is_in_the_way_of_exclusive() {
        let mut host = Bench::new(Profile::SANLOCK_3_8_5);
        host.shared_by(5, 77);
        host.join().expect("joined");
        host.taken_log();
        assert_eq!(host.acquire(), Err(Refusal::Again));
        assert_eq!(host.taken_log(), format!("{ACQUIRE}, R block 5, W block 2, {FREE}"));
        // The hardened engine asks the delta lease besides.
        let mut host = Bench::new(Profile::HARDENED);
        host.shared_by(5, 77);
        host.join().expect("joined");
        host.taken_log();
        assert_eq!(host.acquire(), Err(Refusal::Again));
        assert_eq!(host.taken_log(), format!("{ACQUIRE}, R block 5, R delta 5, W block 2, {FREE}"));
    }

    #[test]
    fn a_conversion_that_meets_a_shared_holder_leaves_the_hold_as_it_was() {
        both(|mut host| {
            host.join().expect("joined");
            host.acquire_as(1, SHARED).expect("shared");
            host.shared_by(5, 77);
            assert_eq!(host.convert(Mode::Exclusive), Err(Refusal::Again));
            assert!(host.block(2).mode.shared(), "the shared hold goes on");
            assert_eq!(host.release(), Ok(Answer::Done));
            assert!(!host.block(2).mode.shared());
        });
    }

    /// "The host is free": 3.8.5 wipes its block out, vote and all; the hardened engine passes over it.
    #[test]
    fn a_shared_holder_that_left_is_passed_over() {
        let mut host = Bench::new(Profile::SANLOCK_3_8_5);
        host.shared_by(5, 0);
        host.join().expect("joined");
        // Its table knows the host after a renewal.
        for _ in 0..6 {
            host.wake();
        }
        host.taken_log();
        assert_eq!(host.acquire(), Ok(Answer::Acquired { lver: Lver(1) }));
        assert_eq!(host.taken_log(), format!("{ACQUIRE}, R block 5, W block 5"));
        let mut host = Bench::new(Profile::HARDENED);
        host.shared_by(5, 0);
        host.join().expect("joined");
        host.taken_log();
        assert_eq!(host.acquire(), Ok(Answer::Acquired { lver: Lver(1) }));
        assert_eq!(host.taken_log(), format!("{ACQUIRE}, R block 5, R delta 5"));
        assert!(host.block(5).mode.shared(), "nobody writes another host's block");
    }

    #[test]
    fn one_of_several_local_holders_may_not_convert() {
        let told = |profile| {
            let mut host = Bench::new(profile);
            host.join().expect("joined");
            host.acquire_as(1, SHARED).expect("shared");
            host.acquire_as(2, SHARED).expect("shared");
            host.convert(Mode::Exclusive)
        };
        assert_eq!(told(Profile::SANLOCK_3_8_5), Ok(Answer::Acquired { lver: Lver(2) }));
        assert_eq!(told(Profile::HARDENED), Err(Refusal::Again));
    }

    #[test]
    fn the_value_is_written_when_an_exclusive_hold_ends() {
        both(|mut host| {
            let (lockspace, resource) = (name("LS"), name("R1"));
            let value: Arc<[u8]> = Arc::from(&b"seven"[..]);
            let set = Request::SetLvb { lockspace, resource, value: value.clone() };
            let get = Request::GetLvb { lockspace, resource };
            host.join().expect("joined");
            host.acquire().expect("held");
            host.ask(set.clone());
            assert_eq!(host.until_reply(), Err(Refusal::Invalid), "it did not ask for the value");
            host.release().expect("released");
            host.ask(get.clone());
            assert_eq!(host.until_reply(), Err(Refusal::NotFound), "it holds nothing");
            host.taken_log();
            host.acquire_as(1, Terms { lvb: true, ..Terms::default() }).expect("held");
            assert_eq!(host.taken_log(), format!("{ACQUIRE}, R block 2001"));
            host.ask(Request::SetLvb { lockspace, resource, value: vec![1; 513].into() });
            assert_eq!(host.until_reply(), Err(Refusal::TooBig));
            host.ask(set);
            assert_eq!(host.until_reply(), Ok(Answer::Done));
            host.taken_log();
            host.release().expect("released");
            assert_eq!(host.taken_log(), format!("W block 2001, W block 2, {FREE}"));
            host.acquire_as(1, Terms { lvb: true, ..SHARED }).expect("shared");
            host.ask(get);
            assert_eq!(host.until_reply(), Ok(Answer::Lvb(value)));
        });
    }

    #[test]
    fn what_outlives_its_client_is_adopted() {
        both(|mut host| {
            host.join().expect("joined");
            host.acquire_as(1, Terms { persistent: true, ..Terms::default() }).expect("held");
            host.taken_log();
            host.input(Input::Exited { client: ClientId(1) });
            assert_eq!(host.taken_log(), "", "nothing is released");
            assert_eq!(host.acquire_as(2, Terms::default()), Err(Refusal::OrphanExists));
            let wrong = Terms { orphan: Orphan::Adopted, ..SHARED };
            assert_eq!(host.acquire_as(2, wrong), Err(Refusal::OrphanExists));
            let adopts = Terms { orphan: Orphan::Only, ..Terms::default() };
            assert_eq!(host.acquire_as(2, adopts), Ok(Answer::Acquired { lver: Lver(1) }));
            assert_eq!(host.taken_log(), "");
            assert_eq!(host.release_as(2), Ok(Answer::Done));
        });
        let told = |profile| {
            let mut host = Bench::new(profile);
            host.join().expect("joined");
            host.acquire_as(1, Terms { orphan: Orphan::Only, ..Terms::default() })
        };
        assert_eq!(told(Profile::SANLOCK_3_8_5), Ok(Answer::Acquired { lver: Lver(1) }));
        assert_eq!(told(Profile::HARDENED), Err(Refusal::NotFound));
    }

    #[test]
    fn a_version_can_be_asked_for() {
        both(|mut host| {
            host.join().expect("joined");
            host.acquire().expect("held");
            host.release().expect("released");
            let terms = |lver| Terms { lver: Lver(lver), ..Terms::default() };
            assert_eq!(host.acquire_as(1, terms(7)), Err(Refusal::AcquireLver));
            assert_eq!(host.acquire_as(1, terms(1)), Ok(Answer::Acquired { lver: Lver(2) }));
        });
    }

    /// 3.8.5 writes zeros over its own block when a shared acquire meets an owner, and forgets what it has promised.
    #[test]
    fn a_refused_shared_acquire_leaves_the_own_block_alone() {
        let block = |profile| {
            let mut host = Bench::new(profile);
            host.join().expect("joined");
            host.acquire().expect("held");
            host.release().expect("released");
            // Another host took it, and renews: its stamp changed since the last scan.
            host.shared_by(5, 77);
            let bytes = host.disk[&MIB].clone();
            let leader = format::Leader::read(&bytes, &name("LS"), &name("R1"), HostId(2)).expect("a leader");
            let (owner_id, owner_generation) = (HostId(5), Generation(3));
            let taken = format::Leader {
                lver: Lver(2),
                timestamp: Stamp(77),
                owner_id,
                owner_generation,
                write_id: owner_id,
                ..leader
            };
            host.disk.insert(MIB, taken.sector());
            for _ in 0..12 {
                host.wake();
            }
            host.shared_by(5, 78);
            let before = host.block(2);
            assert_eq!(host.acquire_as(1, SHARED), Err(Refusal::AcquireIdLive));
            (before, host.block(2))
        };
        let (before, after) = block(Profile::HARDENED);
        assert_eq!(before, after);
        let (_, after) = block(Profile::SANLOCK_3_8_5);
        assert_eq!(after, HostBlock { flags: HostBlock::RELEASED, ..HostBlock::default() });
    }
}

// The resource index, at 8 MiB.

const INDEX: u64 = 8 * MIB;

impl Bench {
    fn with_index(profile: Profile) -> Bench {
        let mut host = Bench::new(profile);
        host.join().expect("joined");
        host.taken_log();
        let geometry = Geometry::S512A1M;
        assert_eq!(host.index(IndexOperation::Format { geometry, max_resources: 3_000 }), Ok(Answer::Done));
        assert_eq!(host.taken_log(), "W area, W area");
        host
    }

    fn index_of(&mut self, lockspace: &str, offset: u64, operation: IndexOperation) -> Result<Answer, Refusal> {
        let place = Place { disk: DiskId(0), offset };
        self.ask(Request::Index { lockspace: name(lockspace), place, direct: false, operation });
        self.until_reply()
    }

    fn index(&mut self, operation: IndexOperation) -> Result<Answer, Refusal> {
        self.index_of("LS", INDEX, operation)
    }
}

fn create(text: &str) -> IndexOperation {
    IndexOperation::Create { name: name(text), num_hosts: 0 }
}

fn lookup(text: &str, offset: u64) -> IndexOperation {
    IndexOperation::Lookup { name: Name::from_text(text).expect("is short"), offset }
}

fn indexed(text: &str, area: u64) -> Result<Answer, Refusal> {
    Ok(Answer::Indexed { name: Name::from_text(text).expect("is short"), offset: area * MIB })
}

#[test]
fn create_is_twelve_ios_and_delete_too() {
    let profiles = [(Profile::SANLOCK_3_8_5, "", ""), (Profile::HARDENED, "W index block 2, ", ", R area")];
    for (profile, flag, look) in profiles {
        let mut host = Bench::with_index(profile);
        let lease = "R header, R area, W index block 2, R area, W index block 2, R area, W index leader";
        let back = format!("{flag}R index leader, W index leader");
        for (text, area) in [("V1", 10), ("V2", 11)] {
            assert_eq!(host.index(create(text)), indexed(text, area));
            assert_eq!(host.taken_log(), format!("{lease}, R area, W area, W entries 1, {back}"));
        }
        let delete = |text: &str| IndexOperation::Delete { name: name(text), offset: 0 };
        assert_eq!(host.index(delete("V1")), Ok(Answer::Done));
        // The hardened engine looks first whether it is held.
        assert_eq!(host.taken_log(), format!("{lease}, R area{look}, W entries 1, W area, {back}"));
        assert_eq!(host.index(delete("V1")), Err(Refusal::NotFound));
        assert_eq!(host.taken_log(), format!("{lease}, R area, {back}"));
        assert_eq!(host.index(lookup("", 0)), indexed("", 10));
        assert_eq!(host.taken_log(), "R header, R area");
        assert_eq!(host.index(IndexOperation::Rebuild), Ok(Answer::Done));
        let log = host.taken_log();
        assert!(log.starts_with(&format!("{lease}, R area, R leader 10, R leader 11, R leader 12")), "{log}");
        assert!(log.ends_with(&format!("R leader 3009, W area, {back}")), "{log}");
        assert_eq!(host.index(lookup("V2", 0)), indexed("V2", 11));
        assert_eq!(host.index(lookup("V1", 0)), Err(Refusal::NotFound));
    }
}

/// "Nobody checks whether the resource is held: deleting a held lease simply destroys it."
#[test]
fn what_is_held_is_deleted_from_an_index_by_3_8_5_only() {
    for (profile, deleted) in [(Profile::SANLOCK_3_8_5, Ok(Answer::Done)), (Profile::HARDENED, Err(Refusal::Busy))] {
        for mode in [Mode::Exclusive, Mode::Shared] {
            let mut host = Bench::with_index(profile);
            assert_eq!(host.index(create("V1")), indexed("V1", 10));
            let place = Place { disk: DiskId(0), offset: 10 * MIB };
            let (lockspace, resource) = (name("LS"), name("V1"));
            let terms = Terms { mode, ..Terms::default() };
            host.ask(Request::Acquire { lockspace, resource, place, terms });
            assert!(host.until_reply().is_ok());
            let delete = IndexOperation::Delete { name: name("V1"), offset: 0 };
            assert_eq!(host.index(delete), deleted, "{mode:?}");
            host.ask(Request::Release { lockspace, resource });
            let released = host.until_reply();
            if deleted.is_ok() {
                assert_eq!(released.is_ok(), mode == Mode::Shared, "the leader is gone: {released:?}");
                continue;
            }
            assert_eq!(released, Ok(Answer::Done));
            assert_eq!(host.index(delete), Ok(Answer::Done), "it is free now");
        }
    }
}

/// "On spaces 0; on add/rem -115 (WAIT: poll until it changes); else -2."
#[test]
fn a_lockspace_is_asked_after_while_it_comes_and_goes() {
    let mut host = Bench::new(Profile::HARDENED);
    let asked = |host: &mut Bench, wait| {
        host.ask(Request::InquireLockspace { name: name("LS"), wait });
        host.replies.pop()
    };
    assert_eq!(asked(&mut host, true), Some(Err(Refusal::NotFound)));
    let place = Place { disk: DiskId(0), offset: 0 };
    let join = Request::AddLockspace { name: name("LS"), host_id: HostId(2), place, io_timeout: 10 };
    host.ask(join.clone());
    host.ask(join.clone());
    assert_eq!(host.replies.pop(), Some(Err(Refusal::InProgress)), "it is being added");
    assert_eq!(asked(&mut host, false), Some(Err(Refusal::InProgress)));
    assert_eq!(asked(&mut host, true), None, "it waits");
    assert!(matches!(host.until_reply(), Ok(Answer::Joined { .. })));
    assert_eq!(host.until_reply(), Ok(Answer::Done), "it is there");
    host.ask(join.clone());
    assert_eq!(host.replies.pop(), Some(Err(Refusal::Exists)));
    host.ask(Request::RemLockspace { name: name("LS"), unused: true });
    host.ask(Request::RemLockspace { name: name("LS"), unused: false });
    assert_eq!(host.replies.pop(), Some(Err(Refusal::InProgress)), "it is being removed");
    host.wake();
    host.wake();
    assert_eq!(asked(&mut host, false), Some(Err(Refusal::InProgress)), "it is being left");
    host.ask(join);
    assert_eq!(host.replies.pop(), Some(Err(Refusal::Again)));
    assert_eq!(asked(&mut host, true), None);
    let mut both = [host.until_reply(), host.until_reply()];
    both.sort();
    assert_eq!(both, [Ok(Answer::Done), Err(Refusal::NotFound)], "it is removed, and it is gone");
}

#[test]
fn index_refusals() {
    for profile in [Profile::SANLOCK_3_8_5, Profile::HARDENED] {
        let mut host = Bench::with_index(profile);
        assert_eq!(host.index(create("V1")), indexed("V1", 10));
        let again = host.index(create("V1"));
        match profile == Profile::HARDENED {
            true => assert_eq!(again, Err(Refusal::Exists)),
            false => assert_eq!(again, indexed("V1", 11)),
        }
        assert_eq!(host.index_of("LS", 0, lookup("", 0)), Err(Refusal::RindexMagic));
        assert_eq!(host.index_of("LT", INDEX, lookup("", 0)), Err(Refusal::NotFound));
        assert_eq!(host.index(lookup("V1", 10 * MIB)), indexed("V1", 10));
        assert_eq!(host.index(lookup("", 10 * MIB)), indexed("V1", 10));
        assert_eq!(host.index(lookup("", 12 * MIB)), indexed("", 12));
        assert_eq!(host.index(lookup("V1", 12 * MIB)), Err(Refusal::RindexDiff));
        assert_eq!(host.index(lookup("V1", 10 * MIB + 512)), Err(Refusal::RindexOffset));
        assert_eq!(host.index(lookup("V1", 9 * MIB)), Err(Refusal::RindexOffset));
        assert_eq!(host.index(lookup("V1", (10 + 3_000) * MIB)), Err(Refusal::RindexOffset));
        let update = |text: &str, offset, change| IndexOperation::Update {
            name: Name::from_text(text).expect("is short"),
            offset,
            change,
        };
        assert_eq!(host.index(update("", 12 * MIB, IndexChange::Add)), Err(Refusal::Invalid));
        assert_eq!(host.index(update("V1", 0, IndexChange::Remove)), Err(Refusal::Invalid));
        host.ask(Request::RemLockspace { name: name("LS"), unused: false });
        assert_eq!(host.until_reply(), Ok(Answer::Done));
        assert_eq!(host.index(lookup("V1", 0)), Err(Refusal::NotFound));
    }
}

/// "Returned = R + 2A + signed32(i·A)": entry 2048 of 1 MiB areas lies 4 GiB before itself.
#[test]
fn offsets_in_32_bits() {
    let far = IndexOperation::Update { name: name("FAR"), offset: (10 + 2_048) * MIB, change: IndexChange::Add };
    let offset = |profile| {
        let mut host = Bench::with_index(profile);
        assert_eq!(host.index(far), Ok(Answer::Done));
        host.index(lookup("FAR", 0))
    };
    assert_eq!(offset(Profile::HARDENED), indexed("FAR", 10 + 2_048));
    let wrong = ((10 + 2_048) * MIB).wrapping_sub(1 << 32);
    assert_eq!(offset(Profile::SANLOCK_3_8_5), Ok(Answer::Indexed { name: name("FAR"), offset: wrong }));
}
