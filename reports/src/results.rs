//! A campaign, judged: what it came to, what was expected, and whether that is good. Table, JSON and JUnit are three
//! views of this one value.
//!
//! It refuses to run anything: it is given what others counted.

use crate::confidence::Share;
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
    /// In how many seeds each of these was on.
    pub enabled: BTreeMap<&'static str, u64>,
    /// In how many seeds each rare branch of the engine was taken. Those that never were come first.
    #[serde(serialize_with = "rarest_first")]
    pub rare: BTreeMap<&'static str, u64>,
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
    /// What the seeds say of all seeds; a search and a single seed say nothing of that kind.
    pub share: Option<Share>,
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

fn rarest_first<S: Serializer>(rare: &BTreeMap<&'static str, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(by_rarity(rare))
}

/// Rare branches by the number of seeds that took them, those that none took first.
pub(crate) fn by_rarity(rare: &BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let mut sorted = rare.iter().map(|(name, seeds)| (*name, *seeds)).collect::<Vec<_>>();
    sorted.sort_by_key(|(name, seeds)| (*seeds, *name));
    sorted
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
            enabled: BTreeMap::new(),
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
    /// * A scenario that expects "holds": any violation is unexpected. Its verdict is undecided if seeds were left out.
    /// * A fault that was on in [`FAIR_SEEDS`] seeds and never fired is unexpected: nobody knows what was tested. With
    ///   fewer seeds it is a warning.
    /// * One that expects a violation names the property: another one is unexpected; if none is found it is undecided.
    /// * One seed alone says what that seed did, and only an unexpected violation counts against it.
    /// * A seed that did not go the same way twice is unexpected, whatever else there is.
    pub fn judge(self) -> Judged {
        let silent = self.counts.silent();
        let (untested, unsure) = silent.into_iter().partition::<Vec<_>, _>(Silent::is_fair);
        let share = match (self.extent, self.counts.seeds) {
            (Extent::OneSeed, _) | (_, 0) => None,
            (_, seeds) => Some(Share::of(u64::from(self.breach.is_some()), seeds)),
        };
        let worth = share.map_or(String::new(), |share| share.words());
        let found = share.map_or(String::new(), |_| format!("; {worth}"));
        let (verdict, standing, why) = match (&self.breach, self.expected, self.extent) {
            (Some(breach), Expected::Violated(property), _) if breach.property == *property => {
                (Word::Violated, Standing::Expected, format!("found, as expected: {}{found}", breach.what))
            }
            (Some(breach), Expected::Violated(property), _) => {
                let why = format!("expected {property}, found another: {}{found}", breach.what);
                (Word::Violated, Standing::Unexpected, why)
            }
            (Some(breach), Expected::Holds | Expected::HoldsWithinBound, _) => {
                (Word::Violated, Standing::Unexpected, format!("{}{found}", breach.what))
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
                (Word::Undecided, Standing::Undecided, format!("{property} was expected and not found in {worth}"))
            }
            (None, _, Extent::Complete) if !untested.is_empty() => {
                let why = format!("no violation, but was on and never fired: {}", list(&untested));
                (Word::Undecided, Standing::Unexpected, why)
            }
            (None, _, Extent::Complete) if !unsure.is_empty() => {
                let why = format!("no violation in {worth}; warning: was on and has not fired yet: {}", list(&unsure));
                (Word::Holds, Standing::Expected, why)
            }
            (None, Expected::Holds | Expected::HoldsWithinBound, Extent::Complete | Extent::Part) => {
                (Word::Holds, Standing::Expected, format!("no violation in {worth}"))
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
            share,
            why,
            counts: self.counts,
            searched: None,
        }
    }
}

/// Seeds in which a fault must have been on before its silence says something: after so many, with 95 % confidence it
/// fires in fewer than 1 in 20 (rule of three), and what is as rare as that is not tested by a campaign.
pub const FAIR_SEEDS: u64 = 60;

/// A fault that was on and never fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Silent {
    /// The fault.
    pub fault: &'static str,
    /// In how many seeds it was on.
    pub seeds: u64,
}

impl Silent {
    /// Whether that many seeds are enough to say that something is wrong with the fault or with the story.
    pub const fn is_fair(&self) -> bool {
        self.seeds >= FAIR_SEEDS
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} seeds", self.fault, self.seeds)
    }
}

impl Counts {
    /// The faults that were on and never fired.
    pub fn silent(&self) -> Vec<Silent> {
        let on = self.enabled.iter().filter(|(fault, _)| self.fired.get(*fault).is_none_or(|times| *times == 0));
        on.map(|(fault, seeds)| Silent { fault, seeds: *seeds }).collect()
    }
}

/// The faults that were on in some campaign and fired in none, all campaigns taken together.
pub fn never_fired(judged: &[Judged]) -> Vec<Silent> {
    let mut all = Counts::none(0.0);
    for counts in judged.iter().map(|judged| &judged.counts) {
        for (sum, more) in [(&mut all.fired, &counts.fired), (&mut all.enabled, &counts.enabled)] {
            for (fault, times) in more {
                *sum.entry(fault).or_default() += times;
            }
        }
    }
    all.silent()
}

/// In how many seeds of all campaigns each rare branch was taken, those never taken first.
pub fn rare_branches(judged: &[Judged]) -> Vec<(&'static str, u64)> {
    let mut all = BTreeMap::new();
    for (name, seeds) in judged.iter().flat_map(|judged| &judged.counts.rare) {
        *all.entry(*name).or_default() += seeds;
    }
    by_rarity(&all)
}

/// Silent faults as a list.
pub fn list(silent: &[Silent]) -> String {
    silent.iter().map(Silent::to_string).collect::<Vec<_>>().join(", ")
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
                enabled: [("power-loss", 300)].into(),
                rare: [("AdoptedOther", 3), ("KeptOwnVote", 0)].into(),
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
        campaign.counts.enabled.insert("torn", FAIR_SEEDS);
        let judged = campaign.clone().judge();
        assert_eq!((judged.verdict, judged.standing), (Word::Undecided, Standing::Unexpected));
        assert_eq!(judged.why, "no violation, but was on and never fired: torn in 60 seeds");
        assert_eq!(Found { extent: Extent::OneSeed, ..campaign.clone() }.judge().standing, Standing::Expected);

        let mut few = campaign.clone();
        few.counts.enabled.insert("torn", FAIR_SEEDS - 1);
        let judged = few.judge();
        assert_eq!((judged.verdict, judged.standing), (Word::Holds, Standing::Expected));
        assert!(judged.why.ends_with("; warning: was on and has not fired yet: torn in 59 seeds"), "{}", judged.why);

        let part = Found { extent: Extent::Part, ..campaign }.judge();
        assert_eq!(part.standing, Standing::Expected);
        assert_eq!(never_fired(std::slice::from_ref(&part)), [Silent { fault: "torn", seeds: FAIR_SEEDS }]);
        let mut elsewhere = part.clone();
        elsewhere.counts.fired.insert("torn", 1);
        assert_eq!(never_fired(&[part, elsewhere]), []);
    }

    #[test]
    fn rare_branches_are_listed_with_those_first_that_no_seed_took() {
        let judged = found(&Expected::Holds).judge();
        assert_eq!(rare_branches(&[judged.clone(), judged]), [("KeptOwnVote", 0), ("AdoptedOther", 6)]);
    }

    #[test]
    fn what_was_found_and_what_was_not_is_told_with_its_bounds() {
        let calm = found(&Expected::Holds).judge();
        let bound = "no violation in 300 seeds: with 95 % confidence fewer than 1 in 100 seeds (rule of three)";
        assert_eq!(calm.why, bound);
        assert!(calm.share.is_some_and(|share| share.low == 0.0 && share.high < 0.01));
        let bad = Found { breach: breach("I-EX"), ..found(&Expected::Holds) }.judge();
        let bounds = "; 1 of 300 seeds: with 95 % confidence 0.0084 % to 1.8 % of all seeds (Clopper-Pearson)";
        assert_eq!(bad.why, format!("two owners{bounds}"));
        assert_eq!(Found { extent: Extent::OneSeed, ..found(&Expected::Holds) }.judge().share, None);
    }

    #[test]
    fn a_seed_that_goes_two_ways_is_never_green() {
        let judged = Found { unrepeatable: Some("seed 4".to_owned()), ..found(&Expected::Holds) }.judge();
        assert_eq!(judged.standing, Standing::Unexpected);
    }
}
