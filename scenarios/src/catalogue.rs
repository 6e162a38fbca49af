//! The catalogue: the stories that come with the program, one file each, carried inside it.

use crate::scenario::Scenario;

macro_rules! stories {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each, sorted by name.
        const STORIES: &[(&str, &str)] = &[ $( ($name, include_str!(concat!("../catalog/", $name, ".toml"))), )* ];
    };
}

stories! {
    "aborted-join",
    "acquire-while-failing",
    "client-hangs-up-and-lives-on",
    "clock-jump",
    "contenders-at-high-rate",
    "daemon-crash",
    "daemon-stopped-and-continued",
    "damaged-block",
    "drift-past-the-margin",
    "drift-within-margin",
    "failed-acquire-leaves-a-vote",
    "fast-rejoin",
    "flapping-path",
    "hang-and-thaw",
    "larger-io-timeout-after-rejoin",
    "late-free-after-rejoin",
    "late-leader-write",
    "late-watchdog",
    "late-write-after-reset",
    "mixed-io-timeouts",
    "no-watchdog",
    "overwritten-delta-lease",
    "power-loss",
    "rack-power-loss",
    "release-meets-an-error",
    "removal-during-acquire",
    "rolled-back-disk",
    "same-host-id-twice",
    "slow-storage-near-failure-age",
    "slow-storage-near-io-timeout",
    "slow-writes-in-the-ballot",
    "stale-reads",
    "storage-cut-all-hosts",
    "storage-cut-one-host",
    "swarm",
    "swarm-4k",
    "thaw-with-frozen-watchdog",
    "three-contenders-late-writes",
    "torn-block-4k",
    "two-copies-of-the-disk",
    "two-hosts-dying-in-turn",
    "vote-of-an-earlier-life",
    "wall-clock-steps",
    "watchdog-timeouts-differ",
    "wdmd-killed",
    "wdmd-stall",
}

/// All scenarios of the catalogue, sorted by name.
///
/// # Panics
///
/// If one of them cannot be read; a test reads all of them.
pub fn catalogue() -> Vec<Scenario> {
    STORIES.iter().map(|(name, text)| read(name, text)).collect()
}

impl Scenario {
    /// The scenario of the catalogue that is called so.
    pub fn named(name: &str) -> Option<Scenario> {
        STORIES.iter().find(|(known, _)| *known == name).map(|(name, text)| read(name, text))
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
        let names = catalogue().into_iter().map(|scenario| scenario.name).collect::<Vec<_>>();
        assert!(names.is_sorted(), "{names:?}");
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/catalog")).expect("the folder is there");
        let files = folder.map(|entry| {
            let path = entry.expect("it can be listed").path();
            path.file_stem().expect("it has a name").to_string_lossy().into_owned()
        });
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), files.collect::<BTreeSet<_>>());
    }
}
