//! The catalogue: the stories that come with the program, one file each, carried inside it.

use crate::scenario::Scenario;

macro_rules! stories {
    ($(#[$doc:meta])* $all:ident: $($name:literal),* $(,)?) => {
        $(#[$doc])*
        const $all: &[(&str, &str)] = &[ $( ($name, include_str!(concat!("../catalog/", $name, ".toml"))), )* ];
    };
}

stories! {
    /// Name and text of each story that is simulated, sorted by name.
    STORIES:
    "aborted-join",
    "acquire-while-failing",
    "add-and-remove-races",
    "adopt-only",
    "alarm-without-fencing",
    "another-minor-version",
    "bit-rot",
    "child-works-on",
    "child-works-on-unannounced",
    "client-hangs-up-and-lives-on",
    "clock-jump",
    "contenders-at-high-rate",
    "convert-closes-the-connection",
    "daemon-crash",
    "daemon-stopped-and-continued",
    "damaged-block",
    "damaged-during-a-ballot",
    "drift-past-the-margin",
    "drift-within-margin",
    "event-for-another",
    "event-for-another-life",
    "events-around-a-byte",
    "failed-acquire-leaves-a-vote",
    "failed-renewal-then-takeover",
    "fast-rejoin",
    "flapping-path",
    "garbage-on-a-connection",
    "hang-and-thaw",
    "index-late-write",
    "index-races",
    "initialised-in-use",
    "installed-anew",
    "larger-io-timeout-after-rejoin",
    "late-free-after-rejoin",
    "late-leader-write",
    "late-watchdog",
    "late-write-after-reset",
    "left-during-a-renewal",
    "left-while-joining",
    "look-at-the-owner-answered-late",
    "lost-while-io-hangs",
    "main-loop-behind",
    "maintenance-of-what-is-used",
    "misdirected-writes",
    "mixed-io-timeouts",
    "no-watchdog",
    "num-hosts-grows",
    "one-way-path",
    "one-worker",
    "overwritten-delta-lease",
    "path-hangs-while-leaving",
    "power-loss",
    "process-stopped",
    "program-and-removal",
    "rack-power-loss",
    "rejoin-after-a-long-outage",
    "release-meets-an-error",
    "removal-during-acquire",
    "renamed-while-shared",
    "request-for-what-is-shared",
    "request-kills-the-holder",
    "restricted-signals",
    "rolled-back-disk",
    "same-host-id-twice",
    "shared",
    "sizes-differ",
    "slow-storage-near-failure-age",
    "slow-storage-near-io-timeout",
    "slow-writes-in-the-ballot",
    "stale-reads",
    "storage-cut-all-hosts",
    "storage-cut-one-host",
    "storage-slower-than-io-timeout",
    "swarm",
    "swarm-4k",
    "swarm-requests",
    "swarm-shared",
    "thaw-with-frozen-watchdog",
    "three-contenders-late-writes",
    "torn-block-4k",
    "torn-neighbours",
    "two-copies-of-the-disk",
    "two-hosts-dying-in-turn",
    "two-joins-at-once",
    "unknown-major-version",
    "virtual-machine-resumes",
    "vote-of-an-earlier-life",
    "wall-clock-step-while-failing",
    "wall-clock-steps",
    "watchdog-timeouts-differ",
    "wdmd-killed",
    "wdmd-killed-while-failing",
    "wdmd-stall",
}

stories! {
    /// Name and text of each world that is decided completely, sorted by name.
    WORLDS:
    "check-ballots-2",
    "check-ballots-2-crashes",
    "check-ballots-2-late",
    "check-ballots-2-one-crash",
    "check-ballots-2-torn",
    "check-ballots-2-two-late",
    "check-ballots-3",
    "check-ballots-3-one",
    "check-ballots-3-one-crash",
    "check-ballots-3-one-late",
    "check-ballots-3-two",
    "check-broken-earlier-takeover",
    "check-broken-early-takeover",
    "check-broken-early-takeover-pair",
    "check-broken-erased-blocks",
    "check-broken-far-apart",
    "check-broken-frozen-host",
    "check-broken-ghosts-for-ever",
    "check-broken-initialised",
    "check-broken-late-watchdog",
    "check-broken-lost-ticks",
    "check-broken-lost-writes",
    "check-broken-same-name",
    "check-host-ids-different",
    "check-host-ids-different-stalls",
    "check-host-ids-equal",
    "check-host-ids-equal-stalls",
    "check-pair-1-4-2",
    "check-pair-2-8-6",
    "check-pair-2-8-6-late",
    "check-role-2-8-6",
    "check-role-daemon-kills",
    "check-role-real",
    "check-role-stalls",
    "check-role-stalls-jitter",
    "check-three-1-3-2",
    "check-three-1-3-2-jitter",
}

/// All scenarios of the catalogue that are simulated, sorted by name.
///
/// # Panics
///
/// If one of them cannot be read; a test reads all of them.
pub fn catalogue() -> Vec<Scenario> {
    STORIES.iter().map(|(name, text)| read(name, text)).collect()
}

/// All worlds of the catalogue that are to be decided completely, sorted by name: each has a [`Scenario::check`].
///
/// # Panics
///
/// If one of them cannot be read; a test reads all of them.
pub fn worlds() -> Vec<Scenario> {
    WORLDS.iter().map(|(name, text)| read(name, text)).collect()
}

impl Scenario {
    /// The scenario or the world of the catalogue that is called so.
    pub fn named(name: &str) -> Option<Scenario> {
        STORIES.iter().chain(WORLDS).find(|(known, _)| *known == name).map(|(name, text)| read(name, text))
    }
}

fn read(name: &str, text: &str) -> Scenario {
    let file = format!("catalog/{name}.toml");
    Scenario::parse(name, &file, text).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_story_can_be_read_and_the_list_is_sorted_and_complete() {
        let sorted = |scenarios: Vec<Scenario>| {
            let names = scenarios.into_iter().map(|scenario| scenario.name).collect::<Vec<_>>();
            assert!(names.is_sorted(), "{names:?}");
            names
        };
        assert!(catalogue().iter().all(|scenario| scenario.check.is_none()), "a story is simulated");
        assert!(worlds().iter().all(|scenario| scenario.check.is_some()), "a world is checked");
        let names = sorted(catalogue()).into_iter().chain(sorted(worlds()));
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/catalog")).expect("the folder is there");
        let files = folder.map(|entry| {
            let path = entry.expect("it can be listed").path();
            path.file_stem().expect("it has a name").to_string_lossy().into_owned()
        });
        assert_eq!(names.collect::<BTreeSet<_>>(), files.collect::<BTreeSet<_>>());
    }
}
