//! The `[check]` part of a scenario: what a world to be decided completely consists of beside its cluster, and the way
//! from a path through such a world to an ordinary trace.
//!
//! ```toml
//! [check]
//! world = "ballots"          # or "host-ids", or "leases": see model::checker
//! crashes = "unlimited"      # or a number; what is left out is the usual
//! without = ["memory"]       # reductions to do without; none, if left out
//! unique = { hardened = 499_429 }
//! ```
//!
//! It refuses to search: that is the model's.

mod follow;
mod ladder;
mod read;

pub use follow::{Followed, follow, follow_to};
pub use ladder::{Bounds, End, Ladder, Rung, until_safe};

use crate::scenario::{HostPlan, ProfileName, ResourcePlan};
use model::Limits;
use model::checker::plan::{BallotPlan, BrokenDisk, Plan, TimedPlan};
use model::setup::{HostSetup, Setup};

/// What a world to be decided completely consists of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckPlan {
    /// Which kind of world, and its faults.
    pub plan: Plan,
    /// How many different states are looked into at most; `None`: all.
    pub states: Option<u64>,
    /// Whether it takes too long to be checked unless it is asked for by name.
    pub long: bool,
    /// What one tick stands for, in seconds of a real cluster.
    pub tick: u64,
    /// How many different states the complete world has under each profile, in the order of [`ProfileName::ALL`].
    pub unique: [Option<u64>; 2],
}

impl CheckPlan {
    /// How many different states the complete world has under a profile, if that is known.
    pub fn unique(&self, profile: ProfileName) -> Option<u64> {
        ProfileName::ALL.iter().zip(self.unique).find(|(known, _)| **known == profile).and_then(|(_, count)| count)
    }

    /// Whether it is about host ids alone, which hosts may then share.
    pub(crate) fn is_about_host_ids(&self) -> bool {
        matches!(self.plan, Plan::HostIds(_))
    }

    /// Whether the cluster fits the world; otherwise what was expected, and what was found.
    pub(crate) fn fits(&self, hosts: &[HostPlan], resources: &[ResourcePlan]) -> Result<(), (String, String)> {
        let count = hosts.len();
        let (fewest, lockspaces) = if matches!(self.plan, Plan::Ballots(_)) { (2, "2 or 3") } else { (1, "1 to 3") };
        if !(fewest..=3).contains(&count) {
            return Err((format!("{lockspaces} hosts in such a world"), count.to_string()));
        }
        if resources.len() != 1 {
            return Err(("one resource at most".to_owned(), resources.len().to_string()));
        }
        let room = resources[0].num_hosts;
        if matches!(self.plan, Plan::Ballots(_)) && room != count as u64 {
            return Err((format!("[[resource]] num_hosts = {count}, the number of hosts"), room.to_string()));
        }
        for host in hosts {
            let numbers = [host.io_timeout, host.watchdog.unwrap_or(host.io_timeout)];
            if numbers.iter().any(|range| range.low != range.high) || host.drift_ppm.low != host.drift_ppm.high {
                let expected =
                    "single numbers for io_timeout, watchdog and drift_ppm, for there is no seed to draw from";
                return Err((expected.to_owned(), format!("a range on host {}", host.label)));
            }
        }
        Ok(())
    }

    /// The same without some reductions, by name.
    ///
    /// # Errors
    ///
    /// In words, if there is no reduction of such a name.
    pub fn without_reductions(&self, names: &[String]) -> Result<CheckPlan, String> {
        use model::checker::plan::Reductions;
        let mut check = self.clone();
        let reductions = check.plan.reductions_mut();
        for name in names {
            *reductions = reductions
                .without(name)
                .ok_or_else(|| format!("expected a reduction ({}), found {name:?}", Reductions::NAMES.join(", ")))?;
        }
        Ok(check)
    }

    /// The fault model as numbers.
    pub fn limits(&self, beyond: bool) -> Limits {
        let any = |yes: bool| if yes { u32::MAX } else { 0 };
        let count = |number: Option<u8>| number.map_or(u32::MAX, u32::from);
        let calm = Limits { within_tolerance: !beyond, ..Limits::CALM };
        match &self.plan {
            Plan::Ballots(plan) => {
                let late = count(plan.late_writes);
                let torn = if plan.torn_blocks { late } else { 0 };
                let damage = any(plan.broken.is_some());
                Limits { crashes: count(plan.crashes), ghosts: late, errors: late, torn, damage, ..calm }
            }
            Plan::HostIds(plan) | Plan::Leases(plan) => Limits {
                crashes: u32::MAX,
                daemon_kills: any(plan.daemon_kills),
                stalls: any(plan.stalls || plan.pauses_with_clock),
                ghosts: any(plan.late_renewals || plan.late_for_ever),
                clock_faults: any(plan.pauses_with_clock || plan.lost_ticks > 0),
                ..calm
            },
        }
    }

    /// The fault model in words, what a tick is, and the bound if there is one: a line each.
    pub fn words(&self, setup: &Setup) -> Vec<String> {
        let hosts = setup.hosts.iter().map(|host| host.label.as_str()).collect::<Vec<_>>().join(", ");
        let mut words = match &self.plan {
            Plan::Ballots(plan) => {
                let world = format!("world: ballots; hosts {hosts}; {}", ballot_faults(plan));
                vec![world, "tick: none, there is no time".to_owned()]
            }
            Plan::HostIds(plan) => {
                vec![format!("world: host ids; hosts {hosts}; {}", timed_faults(plan)), self.tick_words(setup)]
            }
            Plan::Leases(plan) => vec![
                format!("world: leases with watchdog; hosts {hosts}; {}", timed_faults(plan)),
                self.tick_words(setup),
            ],
        };
        if let Some(states) = self.states {
            words.push(format!("bound: not more than {states} states"));
        }
        words
    }

    fn tick_words(&self, setup: &Setup) -> String {
        let numbers = |host: &HostSetup| {
            let parameters = &host.config.parameters;
            let timeout = host.memberships.first().map_or(0, |member| u64::from(member.io_timeout));
            format!(
                "io_timeout {timeout}, renewal every {}, failure after {}, watchdog {}, wdmd test every {}, kill grace {}",
                parameters.renewal_interval(timeout),
                parameters.failure_age(timeout),
                parameters.watchdog_fire_timeout,
                host.test_interval,
                parameters.kill_grace,
            )
        };
        let told = setup.hosts.iter().map(numbers).collect::<Vec<_>>();
        let told = match told.iter().all(|other| *other == told[0]) {
            true => told[0].clone(),
            false => {
                let each = setup.hosts.iter().zip(told).map(|(host, told)| format!("{}: {told}", host.label));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        format!("tick: {} s; in ticks: {told}", self.tick)
    }
}

fn ballot_faults(plan: &BallotPlan) -> String {
    let count = |number: Option<u8>, one: &str, many: &str| match number {
        None => format!("{many} without limit"),
        Some(1) => format!("1 {one}"),
        Some(number) => format!("{number} {many}"),
    };
    let acquires = match plan.acquires {
        None => "acquires without limit".to_owned(),
        Some(number) => {
            format!("each host asks {}", if number == 1 { "once".into() } else { format!("{number} times") })
        }
    };
    let late = match plan.late_writes {
        Some(0) => "no late write".to_owned(),
        number => {
            let torn = if plan.torn_blocks { ", blocks also torn" } else { "" };
            let late = count(number, "late write", "late writes");
            format!("{late}, one at a time, landing at any later moment or never{torn}")
        }
    };
    let crashes = match plan.crashes {
        Some(0) => "no crash".to_owned(),
        number => format!("{}, with rejoins", count(number, "crash", "crashes")),
    };
    let broken = match plan.broken {
        None => "",
        Some(BrokenDisk::LosesWrites) => "; the disk loses writes that completed",
        Some(BrokenDisk::GhostsForEver) => "; late writes of a life before land during the next, too",
        Some(BrokenDisk::ErasedBlocks) => "; somebody erases blocks",
        Some(BrokenDisk::Initialised) => "; somebody initialises the resource, the leader first",
    };
    format!("{acquires}; {crashes}; {late}{broken}")
}

fn timed_faults(plan: &TimedPlan) -> String {
    let whose = if plan.role { "the first host alone has faults" } else { "every host has faults" };
    let mut words = vec![whose, "crashes and rejoins without limit"];
    let faults = [
        (plan.jitter, "clocks advance in any order within a tick"),
        (plan.slow_io, "lockspace I/O takes any time"),
        (plan.stalls, "daemons and wdmd stall for any time"),
        (plan.daemon_kills, "daemons are killed"),
        (plan.late_renewals, "renewal writes land late"),
        (plan.pauses_with_clock, "hosts stand still together with their clocks"),
        (plan.late_for_ever, "writes of an earlier life land at any later time"),
    ];
    words.extend(faults.iter().filter(|(on, _)| *on).map(|(_, words)| *words));
    let mut words = words.join("; ");
    if plan.lost_ticks > 0 {
        words += &format!("; a clock loses up to {} ticks", plan.lost_ticks);
    }
    words
}
