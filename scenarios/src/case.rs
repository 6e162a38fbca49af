//! A case: one scenario under one profile with one seed, everything drawn that a world is built from.

use crate::dice::{Dice, Range};
use crate::faults::{Fault, Trigger};
use crate::faults::{FaultPlan, FaultWish};
use crate::scenario::{HostPlan, ProfileName, Scenario, Signed};
use lease_core::format::Name;
use lease_core::mutants::Mutant;
use lease_core::numbers::{HostId, Time};
use lease_core::profile::{Config, Parameters};
use lease_core::seam::{DiskId, Place};
use model::setup::{DiskSetup, HostSetup, IndexSetup, LockspaceIx, LockspaceSetup, Membership, ResourceSetup, Setup};
use model::{Instant, Limits};
use std::collections::BTreeSet;

/// One scenario, one profile, one seed. Equal ones are equal for ever: replay builds its world from them.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The profile.
    pub profile: ProfileName,
    /// The seed.
    pub seed: u64,
    /// The mistake that was put into its hosts, if any; see [`Case::mutate`].
    pub(crate) mutant: Option<Mutant>,
    /// The world. It may be changed before the run, to ask for another decision.
    pub setup: Setup,
    /// What may be spent.
    pub limits: Limits,
    /// The faults that are on, with their rates.
    pub faults: FaultPlan,
    /// When each host is switched on.
    pub starts: Vec<Instant>,
    /// Whether nobody looks at what must hold. Only for the question whether anybody would notice that.
    pub blind: bool,
}

impl<'a> Case<'a> {
    /// Draws everything that a world is built from.
    pub fn new(scenario: &'a Scenario, profile: ProfileName, seed: u64) -> Case<'a> {
        let mut dice = Dice::new(seed, "setup");
        // The whole draw depends on the scenario and the seed alone, so that both profiles see the same storm.
        let cluster_watchdog = scenario.hosts.first().map_or(60, |host| dice.within(host.usual_watchdog()));
        let host_ids = scenario.hosts.iter().map(|plan| plan.host_id).collect::<BTreeSet<_>>();
        let host_ids_are_shared = host_ids.len() < scenario.hosts.len();
        let unspared = scenario.decisions.unspared;
        let drifting = profile == ProfileName::Hardened || scenario.beyond || unspared;
        let mut hosts = Vec::new();
        let mut starts = Vec::new();
        for plan in &scenario.hosts {
            let same = scenario.hosts.first().is_some_and(|first| first.watchdog == plan.watchdog);
            let own_watchdog = dice.within(plan.usual_watchdog());
            let watchdog = if same { cluster_watchdog } else { own_watchdog };
            let io_timeout = dice.within(plan.io_timeout) as u32;
            let clock = dice.within(plan.clock);
            let drift = signed(&mut dice, plan.drift_ppm);
            starts.push(Instant(dice.within(plan.starts)));
            let memberships = (0..scenario.lockspaces.len()).map(|index| Membership {
                lockspace: LockspaceIx(index as u8),
                host_id: HostId(plan.host_id),
                io_timeout,
            });
            let own = plan.profile.unwrap_or(profile);
            let (engine, wdmd) = scenario.decisions.profiles(own);
            hosts.push(HostSetup {
                label: plan.label.clone(),
                config: Config {
                    host_name: name(&plan.host_name),
                    profile: engine,
                    parameters: Parameters {
                        watchdog_fire_timeout: watchdog,
                        use_watchdog: plan.use_watchdog,
                        kill_grace: plan.kill_grace,
                        renewal_interval: plan.renewal_interval,
                        join_confirmation: if host_ids_are_shared {
                            Parameters::default().join_confirmation
                        } else {
                            // Both are twice io_timeout in sanlock; a world that shrinks one shrinks the other.
                            plan.renewal_interval
                        },
                        failure_age: plan.failure_age,
                        renewal_read_extend: plan.read_extend,
                        workers: plan.workers,
                        ..Parameters::default()
                    },
                },
                wdmd,
                test_interval: plan.test_interval,
                device: plan.device,
                memberships: memberships.collect(),
                clock: Time::from_micros(clock),
                drift_ppm: if drifting { drift } else { 0 },
            });
        }
        // What an administrator who reads the documentation configures.
        let slowest =
            hosts.iter().flat_map(|host| &host.memberships).map(|it| u64::from(it.io_timeout)).max().unwrap_or(0);
        let longest = hosts.iter().map(|host| host.config.parameters.watchdog_fire_timeout).max().unwrap_or(60);
        for host in &mut hosts {
            host.config.parameters.peer_fire_timeout = longest;
            host.config.parameters.peer_io_timeout = slowest;
        }

        let geometry = scenario.geometry;
        let disk = DiskId(0);
        let end = scenario.lockspaces.iter().map(|area| (area.offset, area.geometry.align()));
        let end = end.chain(scenario.resources.iter().map(|area| (area.offset, area.geometry.align())));
        // Whoever takes the last area for a larger one reads no further than the disk goes.
        let largest = end.clone().map(|(_, align)| align).max().unwrap_or(0);
        let end = end.map(|(offset, _)| offset + largest).max().unwrap_or(0);
        let indices = scenario.indices.iter().map(|plan| IndexSetup {
            lockspace: LockspaceIx(plan.lockspace),
            place: Place { disk, offset: plan.offset },
            geometry,
            max_resources: plan.max_resources,
        });
        let indices: Vec<IndexSetup> = indices.collect();
        let end = indices.iter().map(|index| index.place.offset + index.length()).max().unwrap_or(0).max(end);
        let least = hosts.iter().flat_map(|host| &host.memberships).map(|member| member.io_timeout).min().unwrap_or(10);
        let setup = Setup {
            disks: vec![DiskSetup { sector_size: geometry.sector(), sectors: end / u64::from(geometry.sector()) }],
            lockspaces: scenario
                .lockspaces
                .iter()
                .map(|area| LockspaceSetup {
                    name: name(&area.name),
                    place: Place { disk, offset: area.offset },
                    geometry: area.geometry,
                    io_timeout: least as u16,
                })
                .collect(),
            resources: scenario
                .resources
                .iter()
                .map(|area| ResourceSetup {
                    lockspace: LockspaceIx(area.lockspace),
                    name: name(&area.name),
                    place: Place { disk, offset: area.offset },
                    geometry: area.geometry,
                    num_hosts: area.num_hosts,
                })
                .chain(indices.iter().map(IndexSetup::lease))
                .collect(),
            indices,
            hosts,
        };
        let allowed = |fault: Fault, wish: &FaultWish| {
            (unspared || wish.only.is_none_or(|only| only == profile)) && (fault != Fault::Drift || drifting)
        };
        let faults = FaultPlan::draw(&scenario.faults, scenario.mix, seed, allowed);
        Case { scenario, profile, seed, mutant: None, setup, limits: limits(scenario), faults, starts, blind: false }
    }

    /// Puts a mistake into every host.
    #[cfg(feature = "mutants")]
    pub fn mutate(&mut self, mutant: Mutant) {
        self.mutant = Some(mutant);
        self.setup.hosts.iter_mut().for_each(|host| host.mutate(mutant));
    }

    /// The same with this mistake in every host. Without the feature `mutants` nobody has read of one.
    pub fn with(mut self, mutant: Option<Mutant>) -> Self {
        #[cfg(feature = "mutants")]
        mutant.into_iter().for_each(|mutant| self.mutate(mutant));
        self.mutant = mutant;
        self
    }

    /// Whether a fault of this trigger is on.
    pub(crate) fn planned(&self, trigger: Trigger) -> impl Iterator<Item = Fault> + '_ {
        self.faults
            .on
            .iter()
            .filter(move |(fault, on)| fault.trigger() == trigger && on.is_some())
            .map(|(fault, _)| fault)
    }
}

impl HostPlan {
    fn usual_watchdog(&self) -> Range {
        self.watchdog.unwrap_or(Range::exactly(60))
    }
}

/// A number of a range with a sign.
pub(crate) fn signed(dice: &mut Dice, range: Signed) -> i32 {
    let width = (i64::from(range.high) - i64::from(range.low)) as u64;
    (i64::from(range.low) + dice.within(Range { low: 0, high: width }) as i64) as i32
}

fn name(text: &str) -> Name {
    Name::from_text(text).expect("the parser measured the name")
}

fn limits(scenario: &Scenario) -> Limits {
    let mut limits = if scenario.beyond { Limits::BEYOND } else { Limits::TOLERANCE };
    for (budget, number) in &scenario.limits {
        *limits.of_mut(*budget) = *number;
    }
    limits
}
