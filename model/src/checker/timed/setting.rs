//! What never changes in a timed world: the set-up, the plan, where things lie, and the limits that numbers saturate at.

use super::disk::{Disk, Layout, SLOTS};
use super::symmetry::{self, Exchange};
use crate::checker::plan::TimedPlan;
use crate::setup::Setup;
use lease_core::format::Sector;
use lease_core::numbers::Second;
use lease_core::profile::DriftAllowance;
use lease_core::seam::{Request, Terms};
use std::sync::Arc;

/// The most hosts of a world.
pub(super) const HOSTS: usize = 3;

/// What never changes.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) setup: Arc<Setup>,
    pub(super) plan: TimedPlan,
    /// Whether there is a resource; otherwise host ids are all there is to own.
    pub(super) leases: bool,
    pub(super) layout: Layout,
    /// The slot of each host.
    pub(super) slot_of: Vec<usize>,
    /// Ages beyond this are alike, for each host.
    pub(super) oldest: Vec<u64>,
    /// 8N + W of each host: how many seconds after its last durable stamp a process may still use something, and how
    /// late its writes may land.
    pub(super) late_within: Vec<u64>,
    pub(super) deadline: Vec<u64>,
    pub(super) joins: Vec<Request>,
    pub(super) acquire: Request,
    pub(super) release: Request,
    /// Whether an old record may come back, or two hosts write one: only then it must be remembered under which
    /// generation a host joined, since otherwise the generation on disk only grows.
    pub(super) generations_may_return: bool,
    /// Whether all hosts have the same io_timeout.
    pub(super) alike: bool,
    /// Exchanges of hosts that change nothing.
    pub(super) exchanges: Vec<Exchange>,
    /// The delta leases of ideal observers as others see them.
    pub(super) constant: [Option<Sector>; SLOTS],
}

impl Setting {
    pub(super) fn new(setup: Arc<Setup>, plan: TimedPlan, leases: bool) -> (Setting, Disk) {
        assert!((1..=HOSTS).contains(&setup.hosts.len()), "a world of these has one to {HOSTS} hosts");
        let (layout, disk) = Layout::new(&setup, leases);
        let slot_of = setup.hosts.iter().map(|host| {
            let id = host.memberships[0].host_id;
            layout.slot(id).expect("every host id in use has a slot")
        });
        let slot_of: Vec<usize> = slot_of.collect();
        let may_exchange = plan.reductions.symmetry && plan.jitter && !plan.role;
        let exchanges = symmetry::exchanges(&setup, &slot_of, may_exchange);
        let generations_may_return = plan.late_renewals || layout.slots.len() < setup.hosts.len();
        let io_timeouts = || setup.hosts.iter().map(|host| u64::from(host.memberships[0].io_timeout));
        let alike = io_timeouts().all(|n| n == u64::from(setup.lockspaces[0].io_timeout));
        let age = |index: usize| {
            let (host, n) = (&setup.hosts[index], u64::from(setup.hosts[index].memberships[0].io_timeout));
            let parameters = &host.config.parameters;
            parameters.failure_age(n) + parameters.watchdog_fire_timeout
        };
        let late_within: Vec<u64> = (0..setup.hosts.len()).map(age).collect();
        let deadline =
            setup.hosts.iter().zip(&late_within).map(|(host, age)| match host.config.profile.drift_allowance {
                DriftAllowance::None => *age,
                DriftAllowance::Waited => age + host.config.parameters.drift_allowance(*age),
            });
        let deadline: Vec<u64> = deadline.collect();
        let dead = setup.hosts.iter().flat_map(|host| io_timeouts().map(|n| host.config.dead_age(n)));
        let graces = setup
            .hosts
            .iter()
            .zip(io_timeouts())
            .map(|(host, n)| host.config.parameters.failure_age(n) + host.config.parameters.kill_grace);
        let oldest = dead.chain(graces).chain(deadline.iter().copied()).max().unwrap_or(0);
        let oldest = setup.hosts.iter().zip(io_timeouts()).map(|(host, n)| match leases {
            true => oldest,
            // Nobody asks whether a host is dead, and no client has any grace: the failure age is the last thing that
            // matters.
            false => host.config.parameters.failure_age(n) - 1,
        });
        let oldest = oldest.collect();
        let space = &setup.lockspaces[0];
        let joins = setup.hosts.iter().map(|host| Request::AddLockspace {
            name: space.name,
            host_id: host.memberships[0].host_id,
            place: space.place,
            io_timeout: host.memberships[0].io_timeout,
        });
        let joins = joins.collect();
        let (resource, place) = match leases {
            true => (setup.resources[0].name, setup.resources[0].place),
            false => (space.name, space.place),
        };
        let acquire = Request::Acquire { lockspace: space.name, resource, place, terms: Terms::default() };
        let release = Request::Release { lockspace: space.name, resource };
        let setting = Setting {
            plan,
            leases,
            layout,
            slot_of,
            oldest,
            late_within,
            deadline,
            joins,
            acquire,
            release,
            generations_may_return,
            alike,
            exchanges,
            constant: [const { None }; SLOTS],
            setup,
        };
        (setting, disk)
    }

    pub(super) fn hosts(&self) -> usize {
        self.setup.hosts.len()
    }

    /// The second that a host's clock always shows in a canonical state. Each host has its own, so that stamps of two
    /// hosts on one slot are never equal by accident.
    pub(super) fn now(&self, host: usize) -> Second {
        Second(1_000_000 * (host as u64 + 1))
    }

    pub(super) fn is_observer(&self, host: usize) -> bool {
        self.plan.role && host > 0
    }
}
