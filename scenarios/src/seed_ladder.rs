//! Every violation that the seeds of a story come to under 3.8.5, one after another: the first is told, the decision of
//! `hardened` is found that closes it, and the seeds are run again with that decision taken, until none violates
//! anything. So one finding does not hide the next, as in the worlds ([`crate::until_safe`]).
//!
//! What closes a finding is found by trying, never by knowing. The run is shrunk; a decision that leaves the small run as
//! it was closes nothing. Of the others the one is taken with which the fewest of the following seeds are violated in the
//! same way: another decision may have moved an I/O, and with it everything that was to happen, but not in all of them.
//! In the end each decision is left out alone; one without which no seed is violated was none that closes anything.
//!
//! The storm is whole: faults strike 3.8.5, too, where a story spares it what it is known to break by. It refuses to look
//! at the time: `go_on` is asked before each campaign and each candidate of a shrinking.

use crate::campaign::{Campaign, Summary, run_campaign};
use crate::case::Case;
use crate::decisions::Decisions;
use crate::panics::all_quietly;
use crate::replay::replay;
use crate::scenario::{ProfileName, Scenario};
use crate::shrink::shrink;
use crate::simulate::{Outcome, run_case};
use crate::trace::{Claim, Trace, record};
use model::history::Property;
use std::collections::BTreeMap;
use std::ops::Range;

/// Seeds by which the decisions that may close a finding are compared.
const COMPARED: u64 = 120;
/// Candidates of one shrinking: enough for a small run, and no more.
const TRIED: u64 = 4_000;

/// What it may take.
#[derive(Clone, Copy)]
pub struct SeedBounds<'a> {
    /// Threads.
    pub jobs: usize,
    /// Whether to go on.
    pub go_on: &'a (dyn Fn() -> bool + Sync),
}

/// The violations of a story under `sanlock_3_8_5`, and what closes each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeedLadder {
    /// The name of the story.
    pub story: String,
    /// The seeds.
    pub seeds: Range<u64>,
    /// How many of them are violated as 3.8.5 is, by property.
    pub before: BTreeMap<&'static str, u64>,
    /// What was found, one after another.
    pub rungs: Vec<SeedRung>,
    /// How many are violated with the decisions of all rungs taken; none, if everything is closed.
    pub open: u64,
    /// How many are violated with `hardened`.
    pub hardened: u64,
    /// Whether it came to its end.
    pub finished: bool,
}

/// A violation, and what closes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeedRung {
    /// The property, or `assertion`.
    pub property: &'static str,
    /// The seed.
    pub seed: u64,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The run, shrunk.
    pub trace: Box<Trace>,
    /// The decisions that close it, mostly one. None: not even all of `hardened` do.
    pub closed_by: Vec<&'static str>,
    /// How many seeds are violated with the decisions of all other rungs and without these, by property.
    pub without: BTreeMap<&'static str, u64>,
}

/// Finds the violations of a story and what closes them.
///
/// # Errors
///
/// In a line, if the table of decisions of its file cannot be written.
pub fn until_safe_by_seeds(
    scenario: &Scenario,
    seeds: Range<u64>,
    bounds: &SeedBounds<'_>,
) -> Result<SeedLadder, String> {
    all_quietly(|| Climber { scenario, seeds, bounds }.ladder())
}

struct Climber<'a> {
    scenario: &'a Scenario,
    seeds: Range<u64>,
    bounds: &'a SeedBounds<'a>,
}

impl Climber<'_> {
    fn ladder(&self) -> Result<SeedLadder, String> {
        let whole = self.with(&[])?;
        let (before, complete) = self.violated(&whole, ProfileName::Sanlock385);
        let mut last: Vec<&'static str> = Vec::new();
        let mut ladder = SeedLadder {
            story: self.scenario.name.clone(),
            seeds: self.seeds.clone(),
            before,
            rungs: Vec::new(),
            open: 0,
            hardened: sum(&self.violated(&whole, ProfileName::Hardened).0),
            finished: complete,
        };
        loop {
            let (mut rungs, finished) = self.climb(&last)?;
            let taken = rungs.iter().flat_map(|rung| rung.closed_by.iter().copied()).collect::<Vec<_>>();
            let mut idle: Vec<&'static str> = Vec::new();
            for rung in &mut rungs {
                let kept = taken.iter().copied().filter(|name| !rung.closed_by.contains(name)).collect::<Vec<_>>();
                rung.without = self.violated(&self.with(&kept)?, ProfileName::Sanlock385).0;
                let new = rung.closed_by.iter().filter(|name| !last.contains(name));
                if rung.without.is_empty() && idle.is_empty() {
                    idle.extend(new);
                }
            }
            (ladder.rungs, ladder.finished) = (rungs, ladder.finished && finished && (self.bounds.go_on)());
            if idle.is_empty() || !ladder.finished {
                ladder.open = sum(&self.violated(&self.with(&taken)?, ProfileName::Sanlock385).0);
                return Ok(ladder);
            }
            // It only moved something, so that others, taken later, closed what was found. It is taken if none of these
            // closes it.
            last.extend(idle);
        }
    }

    /// From finding to finding, taking these decisions only if no other will do; and whether it came to the end.
    fn climb(&self, last: &[&'static str]) -> Result<(Vec<SeedRung>, bool), String> {
        let mut rungs: Vec<SeedRung> = Vec::new();
        let mut taken: Vec<&'static str> = Vec::new();
        loop {
            let scenario = self.with(&taken)?;
            let summary = self.campaign(&scenario, ProfileName::Sanlock385, self.seeds.clone(), true);
            let Some(found) = summary.violations.first() else { return Ok((rungs, summary.complete)) };
            let (last, left) =
                Decisions::names().filter(|name| !taken.contains(name)).partition(|name| last.contains(name));
            let rung = self.rung(&scenario, found, &taken, [left, last])?;
            taken.extend(&rung.closed_by);
            let stuck = rung.closed_by.is_empty();
            rungs.push(rung);
            if stuck || !(self.bounds.go_on)() {
                return Ok((rungs, stuck));
            }
        }
    }

    fn rung(
        &self,
        scenario: &Scenario,
        found: &Outcome,
        taken: &[&'static str],
        left: [Vec<&'static str>; 2],
    ) -> Result<SeedRung, String> {
        let (_, trace) = record(&Case::new(scenario, ProfileName::Sanlock385, found.seed));
        let mut tried = 0;
        let mut go_on = || {
            tried += 1;
            tried < TRIED && (self.bounds.go_on)()
        };
        let trace = shrink(&trace, &mut go_on).map_or(trace, |shrunk| shrunk.trace);
        let [first, last] = left;
        let mut closed_by = Vec::new();
        for left in [&first, &last] {
            if closed_by.is_empty() {
                closed_by.extend(self.best(&trace, found, taken, left)?);
            }
            if closed_by.is_empty() {
                closed_by = self.together(&trace, taken, left)?;
            }
        }
        if closed_by.is_empty() {
            closed_by = self.together(&trace, taken, &[first, last].concat())?;
        }
        Ok(SeedRung {
            property: found.verdict.property().expect("only violations are kept"),
            seed: found.seed,
            what: found.verdict.to_string(),
            trace: Box::new(trace),
            closed_by,
            without: BTreeMap::new(),
        })
    }

    /// Of the decisions that close a run each by itself, the one that leaves the fewest of the next seeds violated.
    fn best(
        &self,
        trace: &Trace,
        found: &Outcome,
        taken: &[&'static str],
        left: &[&'static str],
    ) -> Result<Option<&'static str>, String> {
        let mut best: Option<((u64, u64), &'static str)> = None;
        for name in left {
            let more = [taken, &[*name]].concat();
            if self.is_open(trace, &more)? {
                continue;
            }
            let seeds = found.seed..self.seeds.end.min(found.seed + COMPARED);
            let violated = self.campaign(&self.with(&more)?, ProfileName::Sanlock385, seeds, false).violating;
            let same = found.verdict.property().and_then(|property| violated.get(property)).copied().unwrap_or(0);
            let cost = (same, sum(&violated));
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, name));
            }
        }
        Ok(best.map(|(_, name)| name))
    }

    /// Where no decision closes a run by itself: all of them, one after another, until it is closed, and then without those
    /// that it does not take.
    fn together(
        &self,
        trace: &Trace,
        taken: &[&'static str],
        left: &[&'static str],
    ) -> Result<Vec<&'static str>, String> {
        let mut set = Vec::new();
        for name in left {
            set.push(*name);
            if !self.is_open(trace, &[taken, &set].concat())? {
                for name in set.clone() {
                    let fewer = set.iter().copied().filter(|other| *other != name).collect::<Vec<_>>();
                    if !self.is_open(trace, &[taken, &fewer].concat())? {
                        set = fewer;
                    }
                }
                return Ok(set);
            }
        }
        Ok(Vec::new())
    }

    /// Whether a run still violates the same with these decisions taken. A trace that is judged at a deadline says itself
    /// that nothing came about until then, so there its seed is run again.
    fn is_open(&self, trace: &Trace, taken: &[&str]) -> Result<bool, String> {
        let trace = trace.under(self.with(taken)?);
        if trace.verdict == Claim::Violated(Property::Progress) {
            let outcome = run_case(&Case::new(&trace.scenario, trace.profile, trace.seed), &mut ());
            return Ok(Claim::of(&outcome.verdict) == trace.verdict);
        }
        let replayed = replay(&trace, &trace.case(), &mut ());
        Ok(Claim::of(&replayed.verdict) == trace.verdict)
    }

    /// The story with the whole storm, and these decisions put into 3.8.5.
    fn with(&self, decisions: &[&str]) -> Result<Scenario, String> {
        let with = decisions.iter().map(|name| (*name).to_owned()).collect();
        self.scenario.with_decisions(&Decisions { with, unspared: true, ..Decisions::default() })
    }

    fn campaign(&self, scenario: &Scenario, profile: ProfileName, seeds: Range<u64>, first_only: bool) -> Summary {
        let campaign =
            Campaign { scenario, profile, seeds, jobs: self.bounds.jobs, stop_at_violation: first_only, prepare: None };
        run_campaign(&campaign, self.bounds.go_on, &mut |_| {})
    }

    /// How many of the seeds are violated, by property, and whether all were run.
    fn violated(&self, scenario: &Scenario, profile: ProfileName) -> (BTreeMap<&'static str, u64>, bool) {
        let summary = self.campaign(scenario, profile, self.seeds.clone(), false);
        (summary.violating, summary.complete)
    }
}

fn sum(counts: &BTreeMap<&str, u64>) -> u64 {
    counts.values().sum()
}
