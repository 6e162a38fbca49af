//! The words of the real sanlock 3.8.5, and ours for the same facts.
//!
//! `REAL` was printed by the real tools: one daemon without a watchdog (`-w 0 -h 0 -l 0`), io_timeout 1, host id 1 in its
//! second generation, one client that holds one lease. What we print with fixed values is left out on both sides.

use lease_core::format::{Geometry, Name};
use lease_core::numbers::{Generation, HostId, Lver, Second, Stamp, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{ClientId, DiskId, HostState, HostStatus, LsId, Mode, Place};
use lease_core::told::{ListName, ToldHost, ToldLockspace, ToldResource};
use model::setup::Process;
use reports::status::{What, text};
use scenarios::status::{ClientAt, HostAt, LockspaceAt, Past, Renewal};

const REAL_STATUS: &str = "\
daemon host1
    our_host_name=host1
    use_watchdog=0
    high_priority=0
    mlock_level=0
    quiet_fail=1
    debug_renew=0
    debug_clients=0
    debug_cmds=0xfffffffffe06ffff
    renewal_history_size=180
    gid=0
    uid=0
    sh_retries=8
    max_sectors_kb_ignore=0
    max_sectors_kb_align=0
    max_sectors_kb_num=1024
    max_worker_threads=8
    write_init_io_timeout=60
    use_aio=1
    kill_grace_seconds=40
    helper_pid=18658
    helper_kill_fd=4
    helper_full_count=0
    helper_last_status=38542
    monotime=38550
    version_str=3.8.5
    version_num=3.8.5
    version_hex=03080500
    smproto_hex=00000001
p -1 helper
    ci=0
    fd=5
    pid=-1
    flags=0
    restricted=0
    cmd_active=0
    cmd_last=0
    pid_dead=0
    kill_count=0
    kill_last=0
    suspend=0
    need_free=0
p -1 listener
    ci=1
    fd=7
    pid=-1
    flags=0
    restricted=0
    cmd_active=0
    cmd_last=0
    pid_dead=0
    kill_count=0
    kill_last=0
    suspend=0
    need_free=0
p 0 \n    ci=2
    fd=9
    pid=0
    flags=0
    restricted=0
    cmd_active=0
    cmd_last=7
    pid_dead=0
    kill_count=0
    kill_last=0
    suspend=0
    need_free=0
p -1 status
    ci=3
    fd=12
    pid=-1
    flags=0
    restricted=0
    cmd_active=0
    cmd_last=5
    pid_dead=0
    kill_count=0
    kill_last=0
    suspend=0
    need_free=0
s LS:1:d0:0
    list=spaces
    space_id=1
    io_timeout=1
    sector_size=512
    align_size=1048576
    host_generation=2
    renew_fail=0
    space_dead=0
    killing_pids=0
    used_retries=0
    external_used=0
    used_by_orphans=0
    renewal_read_extend_sec=1
    set_max_sectors_kb=0
    corrupt_result=0
    acquire_last_result=1
    renewal_last_result=1
    acquire_last_attempt=38543
    acquire_last_success=38543
    renewal_last_attempt=38548
    renewal_last_success=38548
r LS:A:d0:1048576:1 p 0
    list=held
    flags=0
    sector_size=512
    align_size=1048576
    lver=1
    reused=0
    res_id=2
    token_id=1
";

/// Keys that we print with a fixed value, whatever the real daemon has.
const FIXED: [&str; 7] =
    ["mlock_level", "helper_pid", "helper_kill_fd", "helper_last_status", "fd", "res_id", "token_id"];

fn name(text: &str) -> Name {
    Name::from_text(text).expect("is short")
}

fn recorded() -> HostAt {
    let place = |offset| Place { disk: DiskId(0), offset };
    let second = Second(38_548);
    let told = ToldLockspace {
        id: LsId(0),
        name: name("LS"),
        host_id: HostId(1),
        place: place(0),
        list: ListName::Spaces,
        io_timeout: 1,
        geometry: Geometry::S512A1M,
        generation: Generation(2),
        killing: false,
        used: false,
        used_by_orphans: false,
        corrupt: None,
        last_success: second,
        last_check: second,
        hosts: vec![ToldHost {
            host_id: HostId(1),
            last_live: second,
            last_req: Second(0),
            owner_id: HostId(1),
            owner_generation: Generation(2),
            timestamp: Stamp(38_545),
            io_timeout: 1,
            owner_name: name("host1"),
        }],
        states: Ok(vec![HostStatus {
            host_id: HostId(1),
            generation: Generation(2),
            timestamp: Stamp(38_545),
            state: HostState::Live,
        }]),
    };
    let renewal = |timestamp, read_ms, write_ms| Renewal {
        timestamp: Stamp(timestamp),
        read_ms,
        write_ms,
        next_timeouts: 0,
        next_errors: 0,
    };
    let past = Past {
        renew_fail: false,
        acquire_last_result: 1,
        acquire_last_attempt: Second(38_543),
        acquire_last_success: Second(38_543),
        renewal_last_result: 1,
        renewal_last_attempt: second,
        renewals: [renewal(38_543, 0, 0), renewal(38_545, 1, 10), renewal(38_548, 1, 0)].into(),
    };
    HostAt {
        config: Config {
            host_name: name("host1"),
            profile: Profile::SANLOCK_3_8_5,
            parameters: Parameters { use_watchdog: false, ..Parameters::default() },
        },
        now: Time::from_secs(38_550),
        lockspaces: vec![LockspaceAt { told, past }],
        resources: vec![ToldResource {
            list: ListName::Held,
            lockspace: name("LS"),
            resource: name("A"),
            place: place(1 << 20),
            geometry: Geometry::S512A1M,
            mode: Mode::Exclusive,
            lver: Lver(1),
            client: Some(ClientId(0)),
        }],
        clients: vec![ClientAt { process: Process(0), renamed: true, cmd_last: 7, told: None }],
    }
}

fn without_fixed(text: &str) -> Vec<&str> {
    let fixed = |line: &&str| FIXED.iter().any(|key| line.trim_start().starts_with(&format!("{key}=")));
    text.lines().filter(|line| !fixed(line)).collect()
}

#[test]
fn status_in_the_words_of_the_real_daemon() {
    let host = recorded();
    let told = text(&host, What::Status, None, true);
    assert_eq!(without_fixed(&told), without_fixed(REAL_STATUS));
    let lines =
        |text: &str| text.lines().map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&told), lines(REAL_STATUS), "the keys and their order");
    let short: Vec<&str> = REAL_STATUS.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(text(&host, What::Status, None, false).lines().collect::<Vec<_>>(), short);
}

#[test]
fn the_other_answers_in_the_words_of_the_real_daemon() {
    let host = recorded();
    let told = |what, space: Option<&str>, detail| text(&host, what, space.map(name).as_ref(), detail);
    assert_eq!(told(What::Inquire, None, false), "inquire pid 0\ninquire done 0 res_count 1\n\"LS:A:d0:1048576:1\"\n");
    assert_eq!(told(What::Gets, None, false), "s LS:1:d0:0 \nh 1 gen 2 timestamp 38545 LIVE\n");
    assert_eq!(told(What::HostStatus, None, false), "lockspace LS\n1 timestamp 38545\n");
    assert_eq!(told(What::HostStatus, Some("LS"), false), "1 timestamp 38545\n");
    assert_eq!(told(What::HostStatus, Some("XX"), false), "");
    let detail = "lockspace LS\n1 timestamp 38545\n    last_check=38548\n    last_live=38548\n    last_req=0\n    \
        owner_id=1\n    owner_generation=2\n    timestamp=38545\n    io_timeout=1\n    owner_name=host1\n";
    assert_eq!(told(What::HostStatus, None, true), detail);
    let renewals = "timestamp=38543 read_ms=0 write_ms=0 next_timeouts=0 next_errors=0\n\
        timestamp=38545 read_ms=1 write_ms=10 next_timeouts=0 next_errors=0\n\
        timestamp=38548 read_ms=1 write_ms=0 next_timeouts=0 next_errors=0\n";
    assert_eq!(told(What::Renewal, Some("LS"), false), renewals);
}

#[test]
fn hosts_before_the_first_look() {
    let mut host = recorded();
    host.lockspaces[0].told.states = Err(lease_core::Refusal::Again);
    assert_eq!(text(&host, What::Gets, None, false), "s LS:1:d0:0 \nhosts not ready\n");
    host.lockspaces[0].told.list = ListName::Rem;
    host.lockspaces[0].told.states = Err(lease_core::Refusal::NotFound);
    assert_eq!(text(&host, What::Gets, None, false), "s LS:1:d0:0 REM \nhosts error -2\n");
}
