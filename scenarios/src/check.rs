//! The `[check]` part of a scenario: what a world to be decided completely consists of beside its cluster, and the way
//! from a path through such a world to an ordinary trace.
//!
//! ```toml
//! [check]
//! world = "ballots"          # or "host-ids", or "leases": see model::checker
//! crashes = "unlimited"      # or a number; what is left out is the usual
//! unique = { hardened = 499_429 }
//! without = ["own_vote"]     # hardened, but for this decision
//! ```
//!
//! It refuses to search: that is the model's.

mod follow;
mod ladder;
mod read;

pub use follow::{Followed, follow, follow_to};
pub use ladder::{Bounds, End, Ladder, Rung, until_safe};

use crate::scenario::{HostPlan, ProfileName, ResourcePlan, Scenario};
use lease_core::profile::Profile;
use model::Limits;
use model::checker::plan::{BallotPlan, BrokenDisk, Plan, TimedPlan};
use model::setup::{HostSetup, LateClose, Setup, WdmdProfile};

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
    /// Single decisions that differ from the profile.
    pub decisions: Decisions,
}

/// Single decisions of a profile, taken the other way.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Decisions {
    /// The safe decision, put into `sanlock_3_8_5`.
    pub with: Vec<String>,
    /// The decision of 3.8.5, put into `hardened`.
    pub without: Vec<String>,
}

/// A decision that there is not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a decision ({known}), found {0:?}", known = Decisions::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownDecision(pub String);

/// The decision of the host part of the profile.
const LATE_CLOSE: &str = "late_close";

impl Decisions {
    /// The names of all decisions: those of the engine, then that of wdmd.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Profile::DECISIONS.iter().copied().chain([LATE_CLOSE])
    }

    /// # Errors
    ///
    /// If there is no such decision.
    pub fn known(name: &str) -> Result<(), UnknownDecision> {
        Decisions::names().any(|known| known == name).then_some(()).ok_or_else(|| UnknownDecision(name.to_owned()))
    }

    /// Those that change something in this profile.
    pub fn of(&self, profile: ProfileName) -> &[String] {
        match profile {
            ProfileName::Sanlock385 => &self.with,
            ProfileName::Hardened => &self.without,
        }
    }

    /// The decisions of the engine and of wdmd under this profile.
    pub(crate) fn profiles(&self, profile: ProfileName) -> (Profile, WdmdProfile) {
        let known = "names of decisions are looked at when they are read";
        match profile {
            ProfileName::Sanlock385 => {
                self.with.iter().fold((Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5), |(engine, wdmd), name| {
                    match name == LATE_CLOSE {
                        true => (engine, wdmd.closing_late(LateClose::Silent)),
                        false => (engine.with(name).expect(known), wdmd),
                    }
                })
            }
            ProfileName::Hardened => {
                self.without.iter().fold((Profile::HARDENED, WdmdProfile::HARDENED), |(engine, wdmd), name| {
                    match name == LATE_CLOSE {
                        true => (engine, wdmd.closing_late(LateClose::Pings)),
                        false => (engine.without(name).expect(known), wdmd),
                    }
                })
            }
        }
    }
}

impl Scenario {
    /// The same world with these decisions beside its own. Its text says so, too: a trace carries the text.
    ///
    /// # Errors
    ///
    /// In one line, if there is no such decision, if this is no world to be decided completely, or if its lists of
    /// decisions are written in more than a line each.
    pub fn with_decisions(&self, more: &Decisions) -> Result<Scenario, String> {
        let Some(check) = &self.check else {
            return Err(format!("{}: expected a [check] part, found none", self.file));
        };
        for name in more.with.iter().chain(&more.without) {
            Decisions::known(name).map_err(|error| error.to_string())?;
        }
        let mut decisions = check.decisions.clone();
        for (all, more) in [(&mut decisions.with, &more.with), (&mut decisions.without, &more.without)] {
            for name in more {
                if !all.contains(name) {
                    all.push(name.clone());
                }
            }
        }
        let mut text = String::new();
        let mut inside = false;
        for line in self.text.lines() {
            let is_list = inside && ["with", "without"].contains(&line.split('=').next().unwrap_or("").trim());
            if line.starts_with('[') {
                inside = line.trim_end().starts_with("[check]");
            }
            if !is_list {
                text += line;
                text.push('\n');
            }
            if inside && line.starts_with('[') {
                for (key, names) in [("with", &decisions.with), ("without", &decisions.without)] {
                    if !names.is_empty() {
                        text += &format!("{key} = {names:?}\n");
                    }
                }
            }
        }
        match Scenario::parse(&self.name, &self.file, &text) {
            Ok(scenario) if scenario.check.as_ref().is_some_and(|check| check.decisions == decisions) => Ok(scenario),
            _ => Err(format!("{}: [check] expected the lists with and without in a line each", self.file)),
        }
    }
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
        let reductions = match &mut check.plan {
            Plan::Ballots(plan) => &mut plan.reductions,
            Plan::HostIds(plan) | Plan::Leases(plan) => &mut plan.reductions,
        };
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
