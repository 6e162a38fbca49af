//! Capabilities: what a simulator must be able to do to meet the bugs that such systems had, and which stories make use of
//! each. Which story does is read off the story itself: its faults, its script, its hosts.

use crate::deeds::AdminDeed;
use crate::faults::Fault;
use crate::scenario::{Anchor, Deed, IoFate, Moment, Scenario, ScriptedEvent};
use model::checker::plan::{BallotPlan, Plan, TimedPlan};
use model::setup::Device;

/// One capability, by the number under which it is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Capability(u8);

const TITLES: [&str; 19] = [
    "I/O of several hosts interleaves sector by sector; issue, effect and completion are three moments",
    "writes that time out and land later, even after a reset",
    "reads that are sampled early and delivered late, and the other way round",
    "hosts and daemons crash at any moment and begin another life",
    "hosts and processes pause, with clocks that go on and clocks that do not",
    "clocks that begin anywhere",
    "steps of the wall clock",
    "clocks that drift",
    "the watchdog daemon and its device: phases, closes that ping, crashes, late and frozen devices",
    "torn writes, reads that are not atomic, rot, foreign data",
    "errors and time-outs, of reads and of writes by themselves",
    "storage that is cut off, for one host or all",
    "clients that outlive their connection or their daemon, exit at any moment, ignore signals, send garbage",
    "hosts that are configured differently: timeouts, watchdogs, sizes, host ids, num_hosts, profiles",
    "administrators who join, leave and initialise meanwhile",
    "completions that come late, out of order, or to a command that gave them up",
    "stalls of one task inside a host",
    "the disk image edited directly",
    "quiescence: everything is healed, and then somebody must get each lease within a bound",
];

impl Capability {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Capability> {
        (1..=TITLES.len() as u8).map(Capability)
    }

    /// What it is called: `CAP1` and so on.
    pub fn id(self) -> String {
        format!("CAP{}", self.0)
    }

    /// What it is, in a phrase.
    pub const fn title(self) -> &'static str {
        TITLES[self.0 as usize - 1]
    }

    /// The faults that give it. Some capabilities are a matter of the set-up and not of faults.
    pub const fn faults(self) -> &'static [Fault] {
        use Fault::*;
        match self.0 {
            2 => &[LateWrite, GhostLands, NearTimeout],
            3 => &[LateAnswer, SplitRead, StaleRead, NearTimeout],
            4 => &[PowerLoss, DaemonKill, Reinstall],
            5 => &[HostPause, ClockStop, DaemonStall, ProcessStop],
            7 => &[WallClockStep],
            8 => &[Drift, ClockJump],
            9 => &[WdmdKill, WdmdStall],
            10 => &[Torn, TornInside, SplitRead, Rot, Misdirect, Decay, TornNeighbours],
            11 => &[IoError, LostAnswer, ShortIo, PathFails, ReadsFail, WritesFail, NearTimeout],
            12 => &[CutOne, CutAll, PathFails],
            13 => &[HangUp, ExitMidRequest, ExitHolding, IgnoreTerm, SlowDeath, Garbage, DaemonKill],
            15 => &[Leave, Init, Shutdown, Used],
            16 => &[SlowIo, LateAnswer, LateWrite, NearTimeout],
            17 => &[TaskStall],
            18 => &[Edit, Decay, Init, Rollback, SplitDisk],
            _ => &[],
        }
    }

    /// Whether a story, or a world to be decided completely, makes use of it.
    pub fn is_used_by(self, scenario: &Scenario) -> bool {
        let faults = self.faults().iter().any(|fault| scenario.lets_strike(*fault));
        faults || self.by_script(scenario) || self.by_set_up(scenario) || self.by_world(scenario)
    }

    /// What the script does beside letting faults strike.
    fn by_script(self, scenario: &Scenario) -> bool {
        scenario.script.iter().any(|event| match (self.0, &event.deed) {
            (2, Deed::Io { write: true, fate: IoFate::Timed { .. }, .. }) => true,
            (3, Deed::Io { write: false, fate: IoFate::Timed { .. }, .. }) => true,
            (16, Deed::Io { fate: IoFate::Timed { .. }, .. }) => true,
            (15, Deed::Join(_) | Deed::Leave(_) | Deed::Admin(AdminDeed::Config(..))) => true,
            (14, Deed::Admin(AdminDeed::InitAs { .. })) => true,
            (9, _) => matches!(event, ScriptedEvent { anchor: Anchor::After { what: Moment::Test, .. }, .. }),
            _ => false,
        })
    }

    /// What the cluster and the run are.
    fn by_set_up(self, scenario: &Scenario) -> bool {
        let hosts = &scenario.hosts;
        let simulated = scenario.check.is_none();
        let differ = |differs: &dyn Fn(usize, usize) -> bool| (1..hosts.len()).any(|host| differs(0, host));
        match self.0 {
            1 => hosts.len() > 1,
            6 => simulated && hosts.iter().any(|host| host.clock.low < host.clock.high),
            8 => hosts.iter().any(|host| host.drift_ppm.low < host.drift_ppm.high || host.drift_ppm.low != 0),
            9 => hosts.iter().any(|host| host.device != Device::Exact || !host.use_watchdog),
            14 => {
                differ(&|a, b| {
                    let (a, b) = (&hosts[a], &hosts[b]);
                    (a.io_timeout, a.watchdog, a.profile) != (b.io_timeout, b.watchdog, b.profile)
                        || a.host_id == b.host_id
                }) || simulated && hosts.iter().any(|host| host.io_timeout.low < host.io_timeout.high)
                    || scenario.resources.iter().any(|resource| simulated && resource.num_hosts != 0)
                    || scenario.resources.iter().any(|resource| resource.geometry != scenario.geometry)
                    || scenario.lockspaces.iter().any(|lockspace| lockspace.geometry != scenario.geometry)
            }
            19 => simulated && scenario.run.heal,
            _ => false,
        }
    }

    /// What every path through a small world may meet.
    fn by_world(self, scenario: &Scenario) -> bool {
        let any = |number: Option<u8>| number != Some(0);
        match scenario.check.as_ref().map(|check| &check.plan) {
            None => false,
            Some(Plan::Ballots(plan)) => self.by_ballots(plan, any(plan.crashes), any(plan.late_writes)),
            Some(Plan::HostIds(plan) | Plan::Leases(plan)) => self.by_time(plan),
        }
    }

    fn by_ballots(self, plan: &BallotPlan, crashes: bool, late: bool) -> bool {
        match self.0 {
            2 => late,
            3 => true,
            4 => crashes,
            10 => plan.torn_blocks,
            18 => plan.broken.is_some(),
            _ => false,
        }
    }

    fn by_time(self, plan: &TimedPlan) -> bool {
        match self.0 {
            2 => plan.late_renewals || plan.late_for_ever,
            4 => true,
            5 => plan.stalls || plan.pauses_with_clock,
            8 => plan.lost_ticks > 0,
            9 => true,
            12 | 16 => plan.slow_io,
            13 => plan.daemon_kills,
            _ => false,
        }
    }
}

impl Scenario {
    /// Whether this fault may strike in it, by chance or by the script.
    pub fn lets_strike(&self, fault: Fault) -> bool {
        self.faults.get(fault).is_some() || self.script.iter().any(|event| event.deed.fault() == Some(fault))
    }
}
