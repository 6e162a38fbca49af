//! Complete small worlds, and what makes them break.

mod bisimulation;
mod canonical;
mod follow;
mod symmetry;

use super::Timed;
use crate::checker::plan::{Reductions, TimedPlan};
use crate::checker::search::{Options, Order, explore};
use crate::checker::{Finding, Space};
use crate::history::Property;
use crate::setup::{
    Device, DiskSetup, HostSetup, LockspaceIx, LockspaceSetup, Membership, ResourceSetup, Setup, WdmdProfile,
};
use lease_core::format::{Geometry, Name};
use lease_core::numbers::{HostId, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{DiskId, Place};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const MIB: u64 = 1 << 20;

fn name(text: &str) -> Name {
    Name::from_text(text).expect("short")
}

/// `hosts` equal hosts with host ids from 1; (R, F, W) in ticks, N = 1.
pub(super) fn setup(hosts: usize, (renewal, failure, fire): (u64, u64, u64)) -> Setup {
    let geometry = Geometry::S512A1M;
    let parameters = Parameters {
        watchdog_fire_timeout: fire,
        peer_fire_timeout: fire,
        renewal_interval: renewal,
        join_confirmation: renewal.min(2),
        failure_age: failure,
        kill_grace: fire.min(4),
        drift_ppm: 0,
        workers: 2,
        ..Parameters::default()
    };
    let host = |index: usize| HostSetup {
        label: ["A", "B", "C"][index].to_string(),
        config: Config { host_name: name(["A", "B", "C"][index]), profile: Profile::HARDENED, parameters },
        wdmd: WdmdProfile::HARDENED,
        test_interval: 1,
        device: Device::Exact,
        memberships: vec![Membership { lockspace: LockspaceIx(0), host_id: HostId(index as u64 + 1), io_timeout: 1 }],
        clock: Time::from_secs(1_000),
        drift_ppm: 0,
    };
    Setup {
        disks: vec![DiskSetup { sector_size: 512, sectors: 2 * 2048 }],
        lockspaces: vec![LockspaceSetup {
            name: name("LS"),
            place: Place { disk: DiskId(0), offset: 0 },
            geometry,
            io_timeout: 1,
        }],
        indices: Vec::new(),
        resources: vec![ResourceSetup {
            lockspace: LockspaceIx(0),
            name: name("R1"),
            place: Place { disk: DiskId(0), offset: MIB },
            geometry,
            num_hosts: 0,
        }],
        hosts: (0..hosts).map(host).collect(),
    }
}

pub(super) const ROLE: TimedPlan = TimedPlan {
    role: true,
    jitter: false,
    stalls: false,
    late_renewals: false,
    slow_io: true,
    daemon_kills: false,
    pauses_with_clock: false,
    late_for_ever: false,
    lost_ticks: 0,
    reductions: Reductions::ALL,
};

// States, and those in which somebody owns something. Change them only if you know what changed them.
const ROLE_2_8_6: (u64, u64) = (12_918, 5_305);
const ROLE_STALLS_1_4_2: (u64, u64) = (65_137, 29_655);
const PAIR_1_4_2: (u64, u64) = (27_746, 11_810);

/// What a world comes to: complete, in how many states, owned by somebody in how many.
fn complete(space: &Timed) -> (u64, u64) {
    let options = Options { order: Order::DepthFirst, first_finding_only: true, ..Options::default() };
    let outcome = explore(space, &options, &|_| {}, &AtomicBool::new(false));
    if let Some(found) = outcome.findings.first() {
        let path = found.path.as_ref().expect("paths are kept");
        let mut state = path.start;
        let mut story = String::new();
        for action in &path.actions {
            story += &format!("{}\n", space.tell_action(&state, *action));
            state = space.next(&state, *action).expect("it is a path");
        }
        panic!("{:?} after\n{story}{}", found.finding, space.tell_state(&state));
    }
    assert!(outcome.is_complete(), "{:?}", outcome.stopped);
    (outcome.unique, outcome.unique - outcome.owning.nobody)
}

/// What is found first, and how many steps away it is.
fn found(space: &Timed) -> (Finding, usize) {
    let options = Options { order: Order::BreadthFirst, first_finding_only: true, ..Options::default() };
    let outcome = explore(space, &options, &|_| {}, &AtomicBool::new(false));
    let found = outcome.findings.first().expect("this world breaks");
    (found.finding, found.path.as_ref().expect("paths are kept").actions.len())
}

const JITTER: TimedPlan = TimedPlan { jitter: true, ..ROLE };
const PAIR: TimedPlan = TimedPlan { role: false, ..ROLE };

/// The observer believes in a watchdog that fires a second too early.
fn impatient() -> Setup {
    let mut setup = setup(2, (2, 8, 6));
    let config = &mut setup.hosts[1].config;
    config.profile = config.profile.without("peer_fire_timeout").expect("it is a decision");
    config.parameters.watchdog_fire_timeout -= 1;
    setup
}

#[test]
fn a_role_at_a_tick_of_ten_seconds_is_complete() {
    let space = Timed::leases(Arc::new(setup(2, (2, 8, 6))), JITTER);
    assert_eq!(complete(&space), ROLE_2_8_6);
    let missed: Vec<_> = space.reached().into_iter().filter(|(_, reached)| !reached).map(|(name, _)| name).collect();
    assert_eq!(missed, ["a renewal write lands late"], "everything else is reachable");
    assert_eq!(space.bounds(), [], "old writes are over before a host joins again");
}

#[test]
fn a_role_with_stalls_is_complete() {
    let space = Timed::leases(Arc::new(setup(2, (1, 4, 2))), TimedPlan { stalls: true, ..JITTER });
    assert_eq!(complete(&space), ROLE_STALLS_1_4_2);
}

#[test]
fn a_pair_in_step_is_complete() {
    assert_eq!(complete(&Timed::leases(Arc::new(setup(2, (1, 4, 2))), PAIR)), PAIR_1_4_2);
}

#[test]
fn two_hosts_at_one_slot_are_complete() {
    let mut setup = setup(2, (2, 8, 6));
    setup.hosts[1].memberships[0].host_id = HostId(1);
    let (states, owned) = complete(&Timed::host_ids(Arc::new(setup), PAIR));
    assert!(owned > 1_000, "{owned} of {states} states");
}

#[test]
fn the_margin_is_zero_and_only_jitter_shows_it() {
    let in_step = Timed::leases(Arc::new(impatient()), ROLE);
    complete(&in_step);
    let (finding, _) = found(&Timed::leases(Arc::new(impatient()), JITTER));
    assert_eq!(finding, Finding::Violated(Property::Exclusion));
}

#[test]
fn a_daemon_restarted_under_its_name_loses_its_clients_to_others() {
    let plan = TimedPlan { daemon_kills: true, ..ROLE };
    let mut setup = setup(2, (2, 8, 6));
    complete(&Timed::leases(Arc::new(setup.clone()), plan));
    let config = &mut setup.hosts[0].config;
    config.profile = config.profile.without("rejoin").expect("it is a decision");
    let (finding, _) = found(&Timed::leases(Arc::new(setup), plan));
    assert_eq!(finding, Finding::Violated(Property::Exclusion));
}

#[test]
fn a_watchdog_daemon_that_closes_late_lets_its_host_live_on() {
    let plan = TimedPlan { stalls: true, ..JITTER };
    let mut setup = setup(2, (2, 8, 6));
    setup.hosts[0].wdmd = WdmdProfile::SANLOCK_3_8_5;
    let (finding, _) = found(&Timed::leases(Arc::new(setup), plan));
    assert_eq!(finding, Finding::Violated(Property::Deadline));
}

#[test]
fn broken_assumptions_break_the_argument() {
    let broken = |change: &dyn Fn(&mut Setup), plan: TimedPlan| {
        let mut setup = setup(2, (2, 8, 6));
        change(&mut setup);
        found(&Timed::leases(Arc::new(setup), plan)).0
    };
    // A1: a clock that stays out every other second.
    let drift = broken(&|_| {}, TimedPlan { lost_ticks: 1, ..JITTER });
    assert_eq!(drift, Finding::Violated(Property::Exclusion));
    // A2: a device that fires late, or never.
    let late = broken(&|setup| setup.hosts[0].device = Device::Late { percent: 150 }, ROLE);
    assert_eq!(late, Finding::Violated(Property::Deadline));
    let never = broken(&|setup| setup.hosts[0].device = Device::Broken, ROLE);
    assert_eq!(never, Finding::Violated(Property::Deadline));
    let unused = broken(&|setup| setup.hosts[0].config.parameters.use_watchdog = false, ROLE);
    assert_eq!(unused, Finding::Violated(Property::Deadline));
    // A4: everything stands still, the clock and the device too.
    let frozen =
        broken(&|setup| setup.hosts[0].device = Device::FrozenWithHost, TimedPlan { pauses_with_clock: true, ..ROLE });
    assert_eq!(frozen, Finding::Violated(Property::Exclusion));
}
