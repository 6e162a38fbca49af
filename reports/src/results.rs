//! A campaign, judged: what it came to, what was expected, and whether that is good. Table, JSON and JUnit are three
//! views of this one value.
//!
//! It refuses to run anything: it is given what others counted.

use crate::searched::Searched;
use model::Limits;
use model::limits::Budget;
use scenarios::Expected;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a campaign says about its scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// No seed violated a property.
    Holds,
    /// A property was violated, or an assertion failed.
    Violated,
    /// Neither can be said: the budget was spent, somebody interrupted, or what was looked for was not found.
    Undecided,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Word::Holds => "holds",
            Word::Violated => "violated",
            Word::Undecided => "undecided",
        })
    }
}

/// Whether a verdict is the one that was expected. The worst of all campaigns decides the exit status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As expected.
    Expected,
    /// Undecided.
    Undecided,
    /// Not as expected.
    Unexpected,
}

impl Standing {
    /// The exit status of a process that ends with this: 0, 3 or 1.
    pub const fn exit_status(self) -> u8 {
        match self {
            Standing::Expected => 0,
            Standing::Undecided => 3,
            Standing::Unexpected => 1,
        }
    }
}

/// How much of the seeds that were asked for a campaign went through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// One seed, and only to be told what it does.
    OneSeed,
    /// All that were asked for, or as many as the budget had room for where none were asked for.
    Complete,
    /// As complete, but one of many that are judged together: a fault that never fired here may have fired elsewhere,
    /// which is for the whole to say ([`never_fired`]).
    Part,
    /// Not all: the reason.
    Cut(&'static str),
}

/// A result, before it is judged: plain counts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Counts {
    /// Seeds that were run.
    pub seeds: u64,
    /// Actions carried out.
    pub actions: u64,
    /// Simulated seconds.
    pub simulated_seconds: f64,
    /// Simulated seconds times the hosts that were up.
    pub host_seconds: f64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Resources granted to clients.
    pub grants: u64,
    /// Of these, resources whose holder before died without releasing them, on another host.
    pub takeovers: u64,
    /// Lockspaces joined.
    pub joins: u64,
    /// Lockspaces joined by a host that had been in before.
    pub rejoins: u64,
    /// Seeds with a takeover.
    pub seeds_with_takeover: u64,
    /// Seeds with a rejoin.
    pub seeds_with_rejoin: u64,
    /// Hosts reset by their watchdogs.
    pub resets: u64,
    /// How often each fault fired that was on in some seed.
    pub fired: BTreeMap<&'static str, u64>,
    /// How often each rare branch of the engine was taken; those never taken are left out.
    pub rare: BTreeMap<String, u64>,
}

/// A property that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Its name (`I-EX`); `assertion` if the engine or the world found itself in a state that cannot be.
    pub property: String,
    /// The seed that shows it.
    pub seed: u64,
    /// One sentence: when, who, what.
    pub what: String,
}

/// A judged campaign: the published result of one scenario under one profile.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Judged {
    /// The scenario.
    pub scenario: String,
    /// The profile.
    pub profile: &'static str,
    /// What came of it.
    pub verdict: Word,
    /// What was expected: `holds` or `violated`.
    pub expected: Word,
    /// The property whose violation was expected.
    pub expected_property: Option<String>,
    /// Whether the verdict is the expected one.
    pub standing: Standing,
    /// The property that was violated.
    pub property: Option<String>,
    /// The seed that shows it, or the only one that was run.
    pub seed: Option<u64>,
    /// The digest of that seed's run, or of all runs in the order of their seeds. A search has none, but a trace of what
    /// it found has.
    #[serde(serialize_with = "hex")]
    pub digest: Option<u64>,
    /// The file with the trace, if one was written.
    pub trace: Option<String>,
    /// The fault model.
    #[serde(serialize_with = "limits_map")]
    pub limits: Limits,
    /// One sentence: why it stands as it does.
    pub why: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// What was counted, if every path was walked and not some of them. Its seeds are then none.
    #[serde(flatten)]
    pub searched: Option<Searched>,
}

/// The fault model as JSON: `mode`, and how much may be spent of each; null is any number.
fn limits_map<S: Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    let mode = if limits.within_tolerance { "within the tolerance" } else { "beyond the tolerance" };
    map.serialize_entry("mode", mode)?;
    for budget in Budget::ALL {
        let most = limits.of(budget);
        map.serialize_entry(budget.name(), &(most != u32::MAX).then_some(most))?;
    }
    map.end()
}

fn hex<S: Serializer>(digest: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match digest {
        Some(digest) => serializer.collect_str(&format_args!("{digest:016x}")),
        None => serializer.serialize_none(),
    }
}

impl Counts {
    /// Nothing was run by seed.
    pub(crate) fn none(seconds: f64) -> Counts {
        Counts {
            seeds: 0,
            actions: 0,
            simulated_seconds: 0.0,
            host_seconds: 0.0,
            seconds,
            grants: 0,
            takeovers: 0,
            joins: 0,
            rejoins: 0,
            seeds_with_takeover: 0,
            seeds_with_rejoin: 0,
            resets: 0,
            fired: BTreeMap::new(),
            rare: BTreeMap::new(),
        }
    }
}

/// What was expected, in the words of results.
pub(crate) fn expected_words(expected: &Expected) -> (Word, Option<String>) {
    match expected {
        Expected::Holds => (Word::Holds, None),
        Expected::Violated(property) => (Word::Violated, Some(property.clone())),
        Expected::HoldsWithinBound => (Word::Undecided, None),
    }
}

/// What is known of a campaign when it is judged.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The profile.
    pub profile: &'static str,
    /// What was expected.
    pub expected: &'a Expected,
    /// The violation, if there was one.
    pub breach: Option<Breach>,
    /// How far it went.
    pub extent: Extent,
    /// The first seed.
    pub first_seed: u64,
    /// See [`Judged::digest`].
    pub digest: u64,
    /// A seed that was run twice and did not go the same way: one sentence, which seed, and where its runs part.
    pub unrepeatable: Option<String>,
    /// The fault model.
    pub limits: Limits,
    /// What was counted.
    pub counts: Counts,
}

impl Found<'_> {
    /// Judges it.
    ///
    /// * A scenario that expects "holds": any violation is unexpected. Its verdict is undecided if seeds were left out,
    ///   or if a fault was on and never fired, for then nobody knows what was tested.
    /// * One that expects a violation names the property: another one is unexpected; if none is found it is undecided.
    /// * One seed alone says what that seed did, and only an unexpected violation counts against it.
    /// * A seed that did not go the same way twice is unexpected, whatever else there is.
    pub fn judge(self) -> Judged {
        let never_fired = self.counts.fired.iter().filter(|(_, times)| **times == 0);
        let never_fired = never_fired.map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (verdict, standing, why) = match (&self.breach, self.expected, self.extent) {
            (Some(breach), Expected::Violated(property), _) if breach.property == *property => {
                (Word::Violated, Standing::Expected, format!("found, as expected: {}", breach.what))
            }
            (Some(breach), Expected::Violated(property), _) => {
                (Word::Violated, Standing::Unexpected, format!("expected {property}, found another: {}", breach.what))
            }
            (Some(breach), Expected::Holds | Expected::HoldsWithinBound, _) => {
                (Word::Violated, Standing::Unexpected, breach.what.clone())
            }
            (None, Expected::Holds | Expected::HoldsWithinBound, Extent::OneSeed) => {
                (Word::Holds, Standing::Expected, format!("no violation with seed {}", self.first_seed))
            }
            (None, Expected::Violated(property), Extent::OneSeed) => {
                let why = format!("no violation with seed {}; some seed violates {property}", self.first_seed);
                (Word::Holds, Standing::Expected, why)
            }
            (None, _, Extent::Cut(reason)) => {
                let why = format!("{reason} after {} seeds, none of them with a violation", self.counts.seeds);
                (Word::Undecided, Standing::Undecided, why)
            }
            (None, Expected::Violated(property), Extent::Complete | Extent::Part) => {
                let why = format!("{property} was expected and not found in {} seeds", self.counts.seeds);
                (Word::Undecided, Standing::Undecided, why)
            }
            (None, Expected::Holds | Expected::HoldsWithinBound, Extent::Complete) if !never_fired.is_empty() => {
                let why = format!("was on and never fired in {} seeds: {never_fired}", self.counts.seeds);
                (Word::Undecided, Standing::Undecided, why)
            }
            (None, Expected::Holds | Expected::HoldsWithinBound, Extent::Complete | Extent::Part) => {
                let why = format!("no violation in {}", confidence(self.counts.seeds));
                (Word::Holds, Standing::Expected, why)
            }
        };
        let (standing, why) = match &self.unrepeatable {
            Some(what) => (Standing::Unexpected, what.clone()),
            None => (standing, why),
        };
        let (expected, expected_property) = expected_words(self.expected);
        let only = (self.extent == Extent::OneSeed).then_some(self.first_seed);
        Judged {
            scenario: self.scenario.to_owned(),
            profile: self.profile,
            verdict,
            expected,
            expected_property,
            standing,
            seed: self.breach.as_ref().map(|breach| breach.seed).or(only),
            property: self.breach.map(|breach| breach.property),
            digest: Some(self.digest),
            trace: None,
            limits: self.limits,
            why,
            counts: self.counts,
            searched: None,
        }
    }
}

/// What so many seeds without a violation are worth.
pub fn confidence(seeds: u64) -> String {
    // The rule of three: if an event was not seen in n trials, its probability is below 3/n with 95 % confidence.
    match seeds / 3 {
        0 | 1 => format!("{seeds} seeds: too few to say how rare one would be"),
        rarer => format!("{seeds} seeds: with 95 % confidence fewer than 1 in {rarer} seeds (rule of three)"),
    }
}

/// The faults that were on in some campaign and fired in none.
pub fn never_fired(judged: &[Judged]) -> Vec<&'static str> {
    let mut times = BTreeMap::<&'static str, u64>::new();
    for (fault, fired) in judged.iter().flat_map(|judged| &judged.counts.fired) {
        *times.entry(fault).or_default() += fired;
    }
    times.into_iter().filter(|(_, times)| *times == 0).map(|(fault, _)| fault).collect()
}

/// The worst standing of all; `Undecided` if there is nothing to judge.
pub fn worst(judged: &[Judged]) -> Standing {
    judged.iter().map(|judged| judged.standing).max().unwrap_or(Standing::Undecided)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn found(expected: &Expected) -> Found<'_> {
        Found {
            scenario: "power-loss",
            profile: "hardened",
            expected,
            breach: None,
            extent: Extent::Complete,
            first_seed: 1,
            digest: 0xabc,
            unrepeatable: None,
            limits: Limits::TOLERANCE,
            counts: Counts {
                seeds: 300,
                actions: 1_234_567,
                simulated_seconds: 86_400.0,
                host_seconds: 259_200.0,
                seconds: 1.5,
                grants: 100,
                takeovers: 25,
                joins: 10,
                rejoins: 5,
                seeds_with_takeover: 75,
                seeds_with_rejoin: 150,
                resets: 2,
                fired: [("power-loss", 7)].into(),
                rare: [("AdoptedOther".to_owned(), 3)].into(),
            },
        }
    }

    fn breach(property: &str) -> Option<Breach> {
        Some(Breach { property: property.to_owned(), seed: 17, what: "two owners".to_owned() })
    }

    #[test]
    fn a_verdict_is_judged_by_what_was_expected() {
        let holds = Expected::Holds;
        let violated = Expected::Violated("I-EX".to_owned());
        let cases = [
            (&holds, None, Extent::Complete, Word::Holds, 0),
            (&holds, None, Extent::OneSeed, Word::Holds, 0),
            (&holds, None, Extent::Cut("interrupted"), Word::Undecided, 3),
            (&holds, breach("I-EX"), Extent::Complete, Word::Violated, 1),
            (&holds, breach("I-EX"), Extent::Cut("interrupted"), Word::Violated, 1),
            (&violated, breach("I-EX"), Extent::Complete, Word::Violated, 0),
            (&violated, breach("I-WD"), Extent::Complete, Word::Violated, 1),
            (&violated, breach("I-WD"), Extent::OneSeed, Word::Violated, 1),
            (&violated, None, Extent::Complete, Word::Undecided, 3),
            (&violated, None, Extent::OneSeed, Word::Holds, 0),
        ];
        for (expected, breach, extent, verdict, status) in cases {
            let judged = Found { breach: breach.clone(), extent, ..found(expected) }.judge();
            let told = (judged.verdict, judged.standing.exit_status());
            assert_eq!(told, (verdict, status), "{expected} {breach:?} {extent:?}");
        }
    }

    #[test]
    fn a_fault_that_never_fired_is_not_green_but_one_seed_alone_need_not_fire_all() {
        let mut campaign = found(&Expected::Holds);
        campaign.counts.fired.insert("torn", 0);
        let judged = campaign.clone().judge();
        assert_eq!(judged.standing, Standing::Undecided);
        assert_eq!(judged.why, "was on and never fired in 300 seeds: torn");
        assert_eq!(Found { extent: Extent::OneSeed, ..campaign.clone() }.judge().standing, Standing::Expected);

        let part = Found { extent: Extent::Part, ..campaign }.judge();
        assert_eq!(part.standing, Standing::Expected);
        assert_eq!(never_fired(std::slice::from_ref(&part)), ["torn"]);
        let mut elsewhere = part.clone();
        elsewhere.counts.fired.insert("torn", 1);
        assert_eq!(never_fired(&[part, elsewhere]), [""; 0]);
    }

    #[test]
    fn a_seed_that_goes_two_ways_is_never_green() {
        let judged = Found { unrepeatable: Some("seed 4".to_owned()), ..found(&Expected::Holds) }.judge();
        assert_eq!(judged.standing, Standing::Unexpected);
    }

    #[test]
    fn the_rule_of_three_needs_some_seeds() {
        assert!(confidence(3000).ends_with("fewer than 1 in 1000 seeds (rule of three)"));
        assert!(confidence(2).ends_with("too few to say how rare one would be"));
    }
}
