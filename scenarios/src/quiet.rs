//! How fast it goes: a fixed amount of work for whoever holds a stopwatch. There is no clock in here.

use crate::case::Case;
use crate::scenario::{ProfileName, Scenario};
use crate::simulate::{Outcome, Simulation};

/// Three hosts, each of which joined and holds one lease; nothing goes wrong.
const QUIET: &str = include_str!("quiet.toml");

/// Faults of every kind within the tolerance.
const STORMY: &str = include_str!("../catalog/swarm.toml");

/// The quiet cluster as a scenario.
pub fn quiet_scenario() -> Scenario {
    Scenario::parse("quiet", "quiet.toml", QUIET).unwrap_or_else(|error| panic!("{error}"))
}

/// The stormy cluster as a scenario: the default swarm.
pub fn stormy_scenario() -> Scenario {
    Scenario::parse("swarm", "catalog/swarm.toml", STORMY).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs so many actions of the quiet cluster. Its outcome tells how many host-seconds they were.
pub fn quiet(actions: u64) -> Outcome {
    run_quietly(&quiet_scenario(), actions)
}

/// The same with 4096-byte sectors and areas of 1 MiB, which have room for 250 hosts instead of 2,000: a renewal must
/// not cost more or less by it.
pub fn quiet_4k(actions: u64) -> Outcome {
    let text = format!("{QUIET}\n[disk]\nsector = \"4096\"\nalign = \"1M\"\n");
    let scenario = Scenario::parse("quiet-4k", "quiet.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    run_quietly(&scenario, actions)
}

fn run_quietly(scenario: &Scenario, actions: u64) -> Outcome {
    let case = Case::new(scenario, ProfileName::Hardened, 1);
    let mut nobody = ();
    let mut simulation = Simulation::new(&case, &mut nobody);
    simulation.run_until(actions);
    simulation.outcome()
}
