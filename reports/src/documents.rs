//! Two tables for the documentation, in Markdown: which known bugs are met by which stories and worlds, and which
//! capability is given by which faults and used by which stories. Both are read off the catalogue.

use scenarios::{Capability, Expected, KNOWN_BUGS, ProfileName, Scenario};
use std::fmt::Write as _;

/// Stories that are named for a capability; the others are counted.
const NAMED: usize = 6;

/// The table of known bugs, from all stories and worlds.
pub fn bugs(scenarios: &[Scenario]) -> String {
    let mut text = String::from(
        "# Bugs that lease engines had, and the stories that meet them\n\n\
         Generated, not written: by `leaselab list --markdown bugs`. B: bugs of sanlock and wdmd that were found and \
         mended; L: weak\npoints of sanlock 3.8.5; C: classics of other systems. *Shown* by a story or world is what \
         violates an invariant there,\nunder 3.8.5 or, where an assumption is broken, under both profiles. *Guarded* is \
         what is provoked there without\nharm to either engine; whether an engine with that bug would be caught is not said by this table.\n\n\
         | | bug | shown by | guarded by |\n|---|---|---|---|\n",
    );
    for (id, title) in KNOWN_BUGS {
        let about = scenarios.iter().filter(|scenario| scenario.bugs.iter().any(|bug| bug == id));
        let (shown, guarded): (Vec<_>, Vec<_>) =
            about.map(|scenario| (violated(scenario), scenario)).partition(|(violated, _)| violated.is_some());
        let shown =
            shown.into_iter().map(|(what, scenario)| format!("{} ({})", scenario.name, what.unwrap_or_default()));
        let guarded = guarded.into_iter().map(|(_, scenario)| scenario.name.clone());
        let (shown, guarded) = (list(shown.collect()), list(guarded.collect()));
        let _ = writeln!(text, "| {id} | {title} | {shown} | {guarded} |");
    }
    text
}

/// The table of capabilities, from all stories and worlds.
pub fn capabilities(scenarios: &[Scenario]) -> String {
    let mut text = String::from(
        "# Capabilities, and the stories that use them\n\n\
         Generated, not written: by `leaselab list --markdown capabilities`. What a story uses is read off its faults, \
         its script\nand its hosts; of a world that is decided completely, off its `[check]` part.\n\n\
         | | capability | faults | stories and worlds |\n|---|---|---|---|\n",
    );
    for capability in Capability::all() {
        let faults = list(capability.faults().iter().map(|fault| fault.to_string()).collect());
        let used = scenarios.iter().filter(|scenario| capability.is_used_by(scenario));
        let mut used = used.map(|scenario| scenario.name.clone()).collect::<Vec<_>>();
        // Those that are about little else come first.
        used.sort_by_key(|name| {
            let of = |scenario: &&Scenario| scenario.name == *name;
            let scenario = scenarios.iter().find(of).expect("it came from there");
            Capability::all().filter(|other| other.is_used_by(scenario)).count()
        });
        let more = used.len().saturating_sub(NAMED);
        used.truncate(NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let (id, title) = (capability.id(), capability.title());
        let _ = writeln!(text, "| {id} | {title} | {faults} | {}{more} |", list(used));
    }
    text
}

/// The invariants that are violated in it, and under which profile if not under both.
fn violated(scenario: &Scenario) -> Option<String> {
    let property = |profile| match scenario.expected(profile) {
        Expected::Violated(property) => Some(property),
        Expected::Holds | Expected::HoldsWithinBound => None,
    };
    match (property(ProfileName::Sanlock385), property(ProfileName::Hardened)) {
        (None, None) => None,
        (Some(both), Some(same)) if both == same => Some(both.clone()),
        (Some(old), None) => Some(format!("3.8.5: {old}")),
        (None, Some(new)) => Some(format!("hardened: {new}")),
        (Some(old), Some(new)) => Some(format!("3.8.5: {old}, hardened: {new}")),
    }
}

fn list(names: Vec<String>) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{catalogue, worlds};

    #[test]
    fn every_capability_is_used_by_some_story_that_is_simulated() {
        let stories = catalogue();
        for capability in Capability::all() {
            let used = stories.iter().any(|story| capability.is_used_by(story));
            assert!(used, "{} {}", capability.id(), capability.title());
        }
    }

    #[test]
    fn every_fault_strikes_in_some_story() {
        let stories = catalogue();
        let unused = scenarios::Fault::ALL.iter().filter(|fault| !stories.iter().any(|it| it.lets_strike(**fault)));
        assert_eq!(unused.collect::<Vec<_>>(), Vec::<&scenarios::Fault>::new());
    }

    #[test]
    fn a_bug_that_3_8_5_shows_is_told_with_its_invariant() {
        let all = catalogue().into_iter().chain(worlds()).collect::<Vec<_>>();
        let table = bugs(&all);
        assert!(
            table.contains("late-leader-write (3.8.5: I-AGREE)") && table.contains("no-watchdog (I-WD)"),
            "{table}"
        );
    }
}
