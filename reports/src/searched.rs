//! A search through every state of a small world, judged by what was expected of it.
//!
//! It refuses to say "holds" of a world that was not seen to its end.

use crate::results::{Counts, Judged, Standing, Word, expected_words};
use model::Limits;
use model::checker::search::{Owning, collision_odds};
use scenarios::Expected;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a search counted: published beside the fields that every result has.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Searched {
    /// Whether every state was seen.
    pub complete: bool,
    /// Different states.
    pub unique_states: u64,
    /// Transitions taken, and initial states.
    pub generated_states: u64,
    /// Bytes of memory for each different state: the search and the world.
    pub bytes_per_state: f64,
    /// Threads.
    pub threads: usize,
    /// Different states of the complete world, as its scenario states them.
    pub expected_states: Option<u64>,
    /// How likely it is at most that two states were taken for one.
    pub collision_odds: f64,
    /// In how many states nobody owns, several own, and each host owns, host A first.
    pub owning: Owners,
    /// In how many states no grant can be reached any more without a crash; null if that was not asked.
    pub stuck_states: Option<u64>,
    /// What was reached, by name.
    pub reached: BTreeMap<&'static str, bool>,
    /// The world, its faults and its tick, in words.
    pub world: Vec<String>,
}

/// In how many states who owns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Owners {
    /// Nobody.
    pub nobody: u64,
    /// More than one.
    pub several: u64,
    /// Each host by its label.
    pub hosts: Vec<(String, u64)>,
}

impl Owners {
    /// Labels put to the counts of a search.
    pub fn new(owning: &Owning, labels: impl Iterator<Item = String>) -> Owners {
        let hosts = labels.zip(owning.hosts).collect();
        Owners { nobody: owning.nobody, several: owning.several, hosts }
    }
}

/// How far a search went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Went {
    /// It saw every state.
    ToItsEnd,
    /// It saw as many states as the scenario asks for.
    ToItsBound(u64),
    /// Something else stopped it.
    Cut(String),
}

/// What is known of a search when it is judged.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The profile.
    pub profile: &'static str,
    /// What was expected.
    pub expected: &'a Expected,
    /// The property that was violated (`assertion` for a panic), and a sentence about it.
    pub breach: Option<(String, String)>,
    /// How far it went.
    pub went: Went,
    /// The fault model.
    pub limits: Limits,
    /// What was counted.
    pub searched: Searched,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Search<'_> {
    /// Judges it.
    ///
    /// * "Holds" is said of complete searches alone, and only if they have as many states as the scenario states.
    /// * A complete search that does not find the violation that was expected is unexpected: it is not there.
    /// * A complete search of a world in which nobody ever owns anything says nothing: an empty world holds, too.
    /// * A search up to the bound of its scenario is undecided, and that is as expected if the scenario says so.
    pub fn judge(self) -> Judged {
        let states = self.searched.unique_states;
        let golden = self.searched.expected_states.filter(|golden| *golden != states);
        let (verdict, standing, why) = match (&self.breach, &self.went, self.expected) {
            (Some((property, what)), _, Expected::Violated(expected)) if property == expected => {
                (Word::Violated, Standing::Expected, format!("found, as expected: {what}"))
            }
            (Some((_, what)), _, Expected::Violated(expected)) => {
                (Word::Violated, Standing::Unexpected, format!("expected {expected}, found another: {what}"))
            }
            (Some((_, what)), _, _) => (Word::Violated, Standing::Unexpected, what.clone()),
            (None, Went::ToItsEnd, _) if self.searched.owning.hosts.iter().all(|(_, states)| *states == 0) => {
                let why = format!("complete, but nobody owns anything in any of its {states} states: it says nothing");
                (Word::Undecided, Standing::Unexpected, why)
            }
            (None, Went::ToItsEnd, Expected::Violated(expected)) => {
                let why = format!("expected {expected} to be violated, found that it holds in all of {states} states");
                (Word::Holds, Standing::Unexpected, why)
            }
            (None, Went::ToItsEnd, _) => match golden {
                Some(golden) => {
                    let why = format!("complete, but expected {golden} unique states, found {states}");
                    (Word::Holds, Standing::Unexpected, why)
                }
                None => (Word::Holds, Standing::Expected, format!("complete: no violation in any of {states} states")),
            },
            (None, Went::ToItsBound(bound), expected) => {
                let standing = match expected {
                    Expected::HoldsWithinBound => Standing::Expected,
                    _ => Standing::Undecided,
                };
                (Word::Undecided, standing, format!("no violation in the first {bound} states, where its bound is"))
            }
            (None, Went::Cut(why), _) => {
                let why = format!("{why} after {states} states, none of them with a violation");
                (Word::Undecided, Standing::Undecided, why)
            }
        };
        let (expected, expected_property) = expected_words(self.expected);
        Judged {
            scenario: self.scenario.to_owned(),
            profile: self.profile,
            verdict,
            expected,
            expected_property,
            standing,
            property: self.breach.map(|(property, _)| property),
            seed: None,
            digest: None,
            trace: None,
            limits: self.limits,
            share: None,
            why,
            counts: Counts::none(self.seconds),
            searched: Some(self.searched),
        }
    }
}

impl Searched {
    /// The same with the odds that belong to its states.
    pub fn with_odds(self) -> Searched {
        Searched { collision_odds: collision_odds(self.unique_states), ..self }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn search(expected: &Expected) -> Search<'_> {
        let searched = Searched {
            complete: true,
            unique_states: 1_000,
            generated_states: 3_000,
            bytes_per_state: 23.5,
            threads: 2,
            expected_states: Some(1_000),
            collision_odds: 0.0,
            owning: Owners { nobody: 600, several: 0, hosts: vec![("A".to_owned(), 200), ("B".to_owned(), 200)] },
            stuck_states: None,
            reached: [("takeover", true)].into(),
            world: vec!["ballots without time".to_owned()],
        };
        Search {
            scenario: "check-ballots-2",
            profile: "hardened",
            expected,
            breach: None,
            went: Went::ToItsEnd,
            limits: Limits::TOLERANCE,
            searched: searched.with_odds(),
            seconds: 0.5,
        }
    }

    #[test]
    fn a_world_in_which_nobody_owns_anything_says_nothing() {
        let mut search = search(&Expected::Holds);
        search.searched.owning.hosts = vec![("A".to_owned(), 0), ("B".to_owned(), 0)];
        let judged = search.judge();
        assert_eq!((judged.verdict, judged.standing.exit_status()), (Word::Undecided, 1));
    }

    #[test]
    fn only_a_complete_search_with_the_right_number_of_states_holds() {
        let (holds, bound) = (Expected::Holds, Expected::HoldsWithinBound);
        let violated = Expected::Violated("I-EX".to_owned());
        let found = |property: &str| Some((property.to_owned(), "two owners".to_owned()));
        let cut = || Went::Cut("interrupted".to_owned());
        let cases = [
            (&holds, None, Went::ToItsEnd, 1_000, Word::Holds, 0),
            (&holds, None, Went::ToItsEnd, 999, Word::Holds, 1),
            (&holds, None, cut(), 999, Word::Undecided, 3),
            (&holds, None, Went::ToItsBound(999), 999, Word::Undecided, 3),
            (&holds, found("I-EX"), cut(), 10, Word::Violated, 1),
            (&bound, None, Went::ToItsBound(999), 999, Word::Undecided, 0),
            (&bound, None, cut(), 999, Word::Undecided, 3),
            (&bound, found("I-EX"), cut(), 10, Word::Violated, 1),
            (&violated, found("I-EX"), cut(), 10, Word::Violated, 0),
            (&violated, found("I-WD"), cut(), 10, Word::Violated, 1),
            (&violated, None, Went::ToItsEnd, 1_000, Word::Holds, 1),
            (&violated, None, cut(), 10, Word::Undecided, 3),
        ];
        for (expected, breach, went, states, verdict, status) in cases {
            let case = format!("{expected} {breach:?} {went:?} {states}");
            let mut search = Search { breach, went, ..search(expected) };
            search.searched.unique_states = states;
            let judged = search.judge();
            assert_eq!((judged.verdict, judged.standing.exit_status()), (verdict, status), "{case}");
        }
    }
}
