//! What lines look like, and that actions survive being written down.

use crate::action::{Action, Part};
use crate::clock::HostClock;
use crate::happening::{Happening, Ping};
use crate::instant::Instant;
use crate::setup::{
    Device, DiskSetup, Host, HostSetup, LockspaceIx, LockspaceSetup, Membership, Process, ResourceIx, ResourceSetup,
    Setup, WdmdProfile,
};
use lease_core::Refusal;
use lease_core::format::{DeltaLease, Geometry, HostEvent, Name};
use lease_core::numbers::{Generation, HostId, Lver, Second, Span, Stamp, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{
    Answer, DiskId, Event, EventChange, EventTerms, IndexChange, IndexOperation, LsId, Mode, Orphan, Place, Request,
    Slot, Takeable, Task, Terms, WatchdogMessage,
};
use proptest::prelude::*;
use sim_disk::{Completion, Ending, IoId, Landing, PathState, Sampling, SnapshotId};

const A: Host = Host(0);
const D: DiskId = DiskId(0);
const MIB: u64 = 1 << 20;

fn name(text: &str) -> Name {
    Name::from_text(text).expect("short")
}

fn setup() -> Setup {
    let geometry = Geometry::S512A1M;
    let host = |label: &str, id: u64| HostSetup {
        label: label.to_string(),
        config: Config { host_name: name(label), profile: Profile::HARDENED, parameters: Parameters::default() },
        wdmd: WdmdProfile::HARDENED,
        test_interval: 10,
        device: Device::Exact,
        memberships: vec![Membership { lockspace: LockspaceIx(0), host_id: HostId(id), io_timeout: 10 }],
        clock: Time::from_secs(1_000),
        drift_ppm: 0,
    };
    let space = |text: &str, offset: u64| LockspaceSetup {
        name: name(text),
        place: Place { disk: D, offset },
        geometry,
        io_timeout: 10,
    };
    let resource = |text: &str, offset: u64| ResourceSetup {
        lockspace: LockspaceIx(0),
        name: name(text),
        place: Place { disk: D, offset },
        geometry,
        num_hosts: 0,
    };
    Setup {
        disks: vec![DiskSetup { sector_size: 512, sectors: 6 * 2048 }; 2],
        lockspaces: vec![space("LS", 0), space("my space", MIB)],
        indices: Vec::new(),
        resources: vec![resource("R1", 2 * MIB), resource("R2", 3 * MIB)],
        hosts: vec![host("A", 1), host("host-2", 2)],
    }
}

#[test]
fn actions_are_short_lines() {
    let setup = setup();
    let said = |text: &str| {
        let action = Action::parse(text, &setup).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(action.text(&setup), text);
        action
    };
    let (host, process, disk, io) = (A, Process(1), D, IoId(7));
    assert_eq!(said("A wake main"), Action::Wake { host, task: Task::Main });
    assert_eq!(said("A wake lockspace 0"), Action::Wake { host, task: Task::Lockspace(LsId(0)) });
    assert_eq!(said("d0 io 7 land"), Action::Land { disk, io, landing: Landing::Whole });
    assert_eq!(said("d0 io 7 land torn 512"), Action::Land { disk, io, landing: Landing::Torn { bytes: 512 } });
    assert_eq!(said("d0 io 7 sample"), Action::Sample { disk, io, sampling: Sampling::Whole });
    assert_eq!(said("d0 io 7 complete errno 5"), Action::Complete { disk, io, ending: Ending::Refused(5) });
    assert_eq!(said("A.1 spawn"), Action::Spawn { host, process });
    assert_eq!(said("A stall worker 2"), Action::Stall { host, part: Part::Task(Task::Worker(2)) });
    assert_eq!(said("A path d1 errno 5"), Action::SetPath { host, disk: DiskId(1), state: PathState::Failing(5) });
    assert_eq!(said("d0 edit 512 -"), Action::Edit { disk, offset: 512, bytes: Vec::new().into() });
    let acquire = Request::Acquire {
        lockspace: name("LS"),
        resource: name("R1"),
        place: Place { disk: D, offset: 2 * MIB },
        terms: Terms::default(),
    };
    assert_eq!(said("A.1 acquire LS R1"), Action::Ask { host, process: Some(process), request: acquire });
    let join = |host_id, io_timeout| {
        let place = Place { disk: D, offset: 0 };
        let request = Request::AddLockspace { name: name("LS"), host_id: HostId(host_id), place, io_timeout };
        Action::Ask { host, process: None, request }
    };
    assert_eq!(said("A agent join LS"), join(1, 10));
    assert_eq!(said("A agent join LS host_id=2 io_timeout=20"), join(2, 20));
    let leave = Request::RemLockspace { name: name("my space"), unused: true };
    assert_eq!(said("A agent leave my%20space unused"), Action::Ask { host, process: None, request: leave });
}

#[test]
fn a_line_that_says_no_action_is_told_what_was_expected() {
    let setup = setup();
    let said = |text: &str| Action::parse(text, &setup).expect_err("it says no action");
    assert_eq!(said(""), "expected a host, a process (A.1) or a disk (d0), found the end of the line");
    assert_eq!(said("C power-on"), "expected a host, a process (A.1) or a disk (d0), found \"C\"");
    assert_eq!(said("d2 snapshot"), "expected a host, a process (A.1) or a disk (d0), found \"d2\"");
    assert_eq!(said("A power-on now"), "expected nothing more, found \"now\"");
    assert_eq!(
        said("A stall clock"),
        "expected host, daemon, wdmd, process N, main, lockspace N, worker N or resource, found \"clock\""
    );
    assert_eq!(said("d0 io x land"), "expected the number of an I/O, found \"x\"");
    assert_eq!(said("A.1 acquire LS R9"), "expected place=..., for the setup has no such resource");
    assert_eq!(said("A agent join LS place=d9:0"), "expected place=d0:OFFSET, found \"place=d9:0\"");
    assert_eq!(said("A agent join LS host=1"), "expected host_id=..., io_timeout=..., place=..., found \"host=1\"");
}

#[test]
fn happenings_are_told_in_the_words_of_sanlock() {
    let setup = setup();
    let told = |happening: Happening| happening.text(&setup);
    let lease = DeltaLease {
        owner_id: HostId(1),
        owner_generation: Generation(2),
        owner_name: name("A"),
        timestamp: Stamp(1_040),
        ..DeltaLease::fresh(Geometry::S512A1M, name("LS"), 10)
    };
    let write = Happening::WriteIssued {
        host: A,
        task: Task::Lockspace(LsId(0)),
        slot: Slot(0),
        disk: D,
        io: IoId(7),
        offset: 0,
        length: 512,
        bytes: lease.sector(&lease_core::format::Bitmap::of_sector(&[])),
    };
    assert_eq!(
        told(write),
        "A lockspace 0 writes delta lease 1 of LS: owner 1 \"A\", generation 2, timestamp 1040 (d0 io 7)"
    );
    let landed = Happening::Landed {
        host: A,
        disk: D,
        io: IoId(7),
        offset: 2 * MIB + 3 * 512,
        length: 512,
        ghost: true,
        intact: false,
    };
    assert_eq!(told(landed), "a ghost of A lands on block 2 of R1, not as it was written (d0 io 7)");
    let read = Happening::ReadIssued {
        host: A,
        task: Task::Main,
        slot: Slot(0),
        disk: D,
        io: IoId(1),
        offset: MIB,
        length: MIB,
    };
    assert_eq!(told(read), "A main reads 1048576 bytes of my%20space (d0 io 1)");
    let failed = Happening::Completed {
        host: A,
        slot: Slot(0),
        disk: D,
        io: IoId(7),
        ending: Ending::LostAnswer(5),
        completion: Completion::Failed(5),
        took: 1_500_000,
    };
    assert_eq!(
        told(failed),
        "A: an I/O fails with errno 5 though it landed (lost-answer 5) after 1.500000 s (d0 io 7)"
    );
    let event = |event| told(Happening::Engine { host: A, event });
    assert_eq!(
        event(Event::Renewed {
            lockspace: LsId(0),
            timestamp: Stamp(1_060),
            read: Span::from_millis(1),
            write: Span::from_millis(2)
        }),
        "A lockspace 0: renewed, timestamp 1060 (read 0.001000 s, write 0.002000 s)"
    );
    assert_eq!(
        event(Event::Run { worker: 0, because: Takeable::OwnerDead, lver: Lver(2) }),
        "A worker 0: lease may be taken (owner is dead), ballot for lver 2"
    );
    let refused = Happening::Told {
        host: A,
        process: Some(Process(1)),
        request: Request::Release { lockspace: name("LS"), resource: name("R1") },
        result: Err(Refusal::NotHeld),
    };
    assert_eq!(told(refused), "A.1 is told: release LS R1: not held (-1)");
    let joined = Happening::Told {
        host: A,
        process: None,
        request: Request::GetHosts { lockspace: name("LS") },
        result: Ok(Answer::Hosts(Vec::new())),
    };
    assert_eq!(told(joined), "A agent is told: hosts LS: no host was ever seen");
    let begins = Happening::UseBegins {
        host: A,
        process: Process(1),
        resource: ResourceIx(0),
        lver: Lver(1),
        mode: Mode::Exclusive,
    };
    assert_eq!(told(begins), "A.1 begins to use R1, lver 1");
    let armed = WatchdogMessage::Arm { renewal: Second(1_000), expire: Second(1_080) };
    let heard = Happening::Watchdog { host: A, lockspace: LsId(0), message: armed };
    assert_eq!(told(heard), "A wdmd hears of lockspace 0: in use, renewed 1000, expires 1080");
    let pinged = Happening::Pinged { host: A, by: Ping::Close, fires: Instant::from_secs(90) };
    assert_eq!(told(pinged), "A watchdog is pinged (wdmd closes it) and fires at 90.000000");
    let clock = HostClock::starting(Instant::START, Time::from_secs(1_000), 0).at(Instant::START);
    assert_eq!(told(Happening::Up { host: A, clock }), "A boots, its clock shows 1000.000000");
    assert_eq!(told(Happening::Down { host: A, by_watchdog: true }), "A is reset by its watchdog");
}

fn host() -> impl Strategy<Value = Host> {
    (0..2_u8).prop_map(Host)
}

fn disk() -> impl Strategy<Value = DiskId> {
    (0..2_u8).prop_map(DiskId)
}

fn any_name() -> impl Strategy<Value = Name> {
    let known = prop::sample::select(vec!["LS", "my space", "R1", "R2", "", "%41", "ü=\""]).prop_map(name);
    prop_oneof![known, prop::array::uniform32(any::<u8>()).prop_map(|bytes| Name::new(&bytes).expect("short"))]
}

fn place() -> impl Strategy<Value = Place> {
    let offset = prop_oneof![prop::sample::select(vec![0, MIB, 2 * MIB, 3 * MIB]), any::<u64>()];
    (disk(), offset).prop_map(|(disk, offset)| Place { disk, offset })
}

fn task() -> impl Strategy<Value = Task> {
    prop_oneof![
        Just(Task::Main),
        Just(Task::Resource),
        any::<u8>().prop_map(|number| Task::Lockspace(LsId(number))),
        any::<u8>().prop_map(Task::Worker),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![task().prop_map(Part::Task), Just(Part::Daemon), Just(Part::Wdmd), Just(Part::Host)]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Exclusive), Just(Mode::Shared)]
}

fn terms() -> impl Strategy<Value = Terms> {
    let orphan = prop_oneof![Just(Orphan::Refused), Just(Orphan::Adopted), Just(Orphan::Only)];
    let number = prop_oneof![Just(0), any::<u64>()];
    (mode(), number.clone(), any::<[bool; 3]>(), orphan, number).prop_map(|(mode, lver, said, orphan, num_hosts)| {
        let [nowait, lvb, persistent] = said;
        Terms { mode, lver: Lver(lver), nowait, lvb, persistent, orphan, num_hosts }
    })
}

fn operation() -> impl Strategy<Value = IndexOperation> {
    let named = |make: fn(Name, u64) -> IndexOperation| (any_name(), any::<u64>()).prop_map(move |(a, b)| make(a, b));
    prop_oneof![
        named(|name, num_hosts| IndexOperation::Create { name, num_hosts }),
        named(|name, offset| IndexOperation::Delete { name, offset }),
        named(|name, offset| IndexOperation::Lookup { name, offset }),
        named(|name, offset| IndexOperation::Update { name, offset, change: IndexChange::Add }),
        named(|name, offset| IndexOperation::Update { name, offset, change: IndexChange::Remove }),
        Just(IndexOperation::Rebuild),
        (0..5_usize, any::<u32>()).prop_map(|(geometry, max_resources)| IndexOperation::Format {
            geometry: Geometry::ALL[geometry],
            max_resources,
        }),
    ]
}

fn asking_others() -> impl Strategy<Value = Request> {
    let change = prop_oneof![Just(EventChange::Set), Just(EventChange::ClearHost), Just(EventChange::ClearEvent)];
    let terms = (change, any::<[bool; 3]>()).prop_map(|(change, [current, replace, all])| EventTerms {
        change,
        current,
        replace,
        all,
    });
    let event = any::<[u64; 3]>().prop_map(|[generation, event, data]| HostEvent { generation, event, data });
    let geometry = prop_oneof![Just(None), (0..5_usize).prop_map(|index| Some(Geometry::ALL[index]))];
    prop_oneof![
        any::<[u8; 3]>().prop_map(|bytes| {
            let [lockspace, resource, renamed] = bytes.map(|byte| Name::new(&[byte.max(1)]).expect("is short"));
            Request::Rename { lockspace, resource, renamed }
        }),
        (any_name(), any_name(), place(), any::<(u64, bool, u32)>()).prop_map(|(lockspace, resource, place, said)| {
            let (lver, next, force_mode) = said;
            Request::Call { lockspace, resource, place, lver: Lver(lver), next, force_mode }
        }),
        (any_name(), any_name()).prop_map(|(lockspace, resource)| Request::Examine { lockspace, resource }),
        (any_name(), any::<u64>(), event, terms).prop_map(|(lockspace, id, event, terms)| Request::SetEvent {
            lockspace,
            host_id: HostId(id),
            event,
            terms
        }),
        any_name().prop_map(|lockspace| Request::RegEvent { lockspace }),
        any_name().prop_map(|lockspace| Request::EndEvent { lockspace }),
        (any_name(), any_name(), place(), geometry).prop_map(|(lockspace, resource, place, geometry)| {
            Request::ReadOwners { lockspace, resource, place, geometry }
        }),
        (any_name(), any::<u64>(), place()).prop_map(|(lockspace, id, place)| Request::ReadLockspace {
            lockspace,
            host_id: HostId(id),
            place
        }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (any_name(), prop_oneof![1..3_u64, any::<u64>()], place(), prop_oneof![Just(10), any::<u32>()]).prop_map(
            |(name, id, place, io_timeout)| Request::AddLockspace { name, host_id: HostId(id), place, io_timeout }
        ),
        (any_name(), any::<bool>()).prop_map(|(name, unused)| Request::RemLockspace { name, unused }),
        (any_name(), any_name(), place(), terms())
            .prop_map(|(lockspace, resource, place, terms)| { Request::Acquire { lockspace, resource, place, terms } }),
        (any_name(), any_name(), mode(), any::<bool>())
            .prop_map(|(lockspace, resource, mode, nowait)| { Request::Convert { lockspace, resource, mode, nowait } }),
        (any_name(), any_name(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(lockspace, resource, value)| Request::SetLvb { lockspace, resource, value: value.into() }),
        (any_name(), any_name()).prop_map(|(lockspace, resource)| Request::GetLvb { lockspace, resource }),
        (any_name(), any_name()).prop_map(|(lockspace, resource)| Request::Release { lockspace, resource }),
        Just(Request::Inquire),
        any_name().prop_map(|lockspace| Request::GetHosts { lockspace }),
        asking_others(),
        (any_name(), operation(), any::<bool>()).prop_map(|(lockspace, operation, direct)| {
            Request::Index { lockspace, place: Place { disk: D, offset: MIB }, direct, operation }
        }),
    ]
}

fn io_action() -> impl Strategy<Value = Action> {
    let ending = prop_oneof![
        Just(Ending::Done),
        any::<u16>().prop_map(Ending::Refused),
        any::<u16>().prop_map(Ending::LostAnswer),
        Just(Ending::Short),
        Just(Ending::NoDevice),
    ];
    let landing = prop_oneof![
        Just(Landing::Whole),
        any::<(u64, u64)>().prop_map(|(from, count)| Landing::Sectors { from, count }),
        any::<u64>().prop_map(|bytes| Landing::Torn { bytes }),
        any::<u64>().prop_map(|bytes| Landing::TornTail { bytes }),
        any::<u64>().prop_map(|start| Landing::Misdirected { start }),
        any::<u64>().prop_map(|bit| Landing::Rotten { bit }),
    ];
    let sampling = prop_oneof![
        Just(Sampling::Whole),
        any::<(u64, u64)>().prop_map(|(from, count)| Sampling::Sectors { from, count }),
        any::<(u8, u64, u64)>().prop_map(|(number, from, count)| Sampling::Stale {
            snapshot: SnapshotId(number),
            from,
            count
        }),
    ];
    let io = || any::<u16>().prop_map(IoId);
    prop_oneof![
        (disk(), io(), sampling).prop_map(|(disk, io, sampling)| Action::Sample { disk, io, sampling }),
        (disk(), io(), landing).prop_map(|(disk, io, landing)| Action::Land { disk, io, landing }),
        (disk(), io(), ending).prop_map(|(disk, io, ending)| Action::Complete { disk, io, ending }),
        (disk(), io()).prop_map(|(disk, io)| Action::Vanish { disk, io }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let process = || any::<u8>().prop_map(Process);
    let state = prop_oneof![
        Just(PathState::Open),
        Just(PathState::Hung),
        any::<u16>().prop_map(PathState::Failing),
        Just(PathState::Gone),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        io_action(),
        (host(), task()).prop_map(|(host, task)| Action::Wake { host, task }),
        (host(), prop::option::of(process()), request()).prop_map(|(host, process, request)| Action::Ask {
            host,
            process,
            request
        }),
        (host(), process(), 0..4_u8).prop_map(|(host, process, which)| match which {
            0 => Action::Spawn { host, process },
            1 => Action::Exit { host, process },
            2 => Action::Garble { host, process },
            _ => Action::HangUp { host, process },
        }),
        (host(), 0..10_u8).prop_map(|(host, which)| match which {
            0 => Action::PowerLoss { host },
            1 => Action::PowerOn { host },
            2 => Action::KillDaemon { host },
            3 => Action::StartDaemon { host },
            4 => Action::KillWdmd { host },
            5 => Action::StopClock { host },
            6 => Action::Test { host },
            7 => Action::Fire { host },
            _ => Action::StepWallClock { host },
        }),
        (host(), part(), any::<bool>()).prop_map(|(host, part, stall)| match stall {
            true => Action::Stall { host, part },
            false => Action::Resume { host, part },
        }),
        (host(), disk(), state).prop_map(|(host, disk, state)| Action::SetPath { host, disk, state }),
        (host(), any::<u64>()).prop_map(|(host, micros)| Action::JumpClock { host, micros }),
        (host(), any::<i32>()).prop_map(|(host, ppm)| Action::SetDrift { host, ppm }),
        disk().prop_map(|disk| Action::Snapshot { disk }),
        disk().prop_map(|disk| Action::Rollback { disk }),
        (host(), disk()).prop_map(|(host, disk)| Action::SplitOff { host, disk }),
        (disk(), any::<u64>(), bytes).prop_map(|(disk, offset, bytes)| Action::Edit {
            disk,
            offset,
            bytes: bytes.into()
        }),
    ]
}

proptest! {
    #[test]
    fn an_action_survives_being_written_down(action in action()) {
        let setup = setup();
        let text = action.text(&setup);
        prop_assert_eq!(text.lines().count(), 1);
        prop_assert_eq!(Action::parse(&text, &setup), Ok(action));
    }

    #[test]
    fn no_line_makes_the_parser_panic(text in "([Ad0-9.]{1,4} )?[a-z0-9%= :-]{0,40}") {
        let _ = Action::parse(&text, &setup());
    }
}
