//! Complete small worlds, and what makes them break.

mod canonical;

use super::Timed;
use crate::checker::Space;
use crate::checker::plan::{Reductions, TimedPlan};
use crate::checker::search::{Options, Order, explore};
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
        memberships: vec![Membership {
            lockspace: LockspaceIx(0),
            host_id: HostId(index as u64 + 1),
            io_timeout: 1,
        }],
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

