//! Several campaigns side by side: so that a budget reaches every one of them, they take turns of some seeds each.
//!
//! With seeds given and no budget each has one turn. With a budget they go round until the time is up; a campaign that
//! found a violation has said what it can and drops out.

use crate::interrupt;
use crate::stopwatch::Stopwatch;
use indicatif::{ProgressBar, ProgressStyle};
use lease_core::seam::Rare;
use reports::results::{Breach, Counts, Extent, Found, Judged};
use scenarios::{Campaign, Case, Outcome, ProfileName, Scenario, Summary, Unrepeatable, run_campaign};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// One scenario under one profile.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) profile: ProfileName,
}

/// How far to go.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) seeds: Seeds,
    pub(crate) budget: Option<Duration>,
    pub(crate) jobs: usize,
    /// Whether all subjects are judged as one: see [`Extent::Part`].
    pub(crate) together: bool,
    /// Whether nothing is judged: see [`Case::blind`].
    pub(crate) blind: bool,
}

/// Which seeds.
#[derive(Clone)]
pub(crate) enum Seeds {
    /// One, to be told what it does.
    One(u64),
    /// These.
    Range(Range<u64>),
    /// From this one on, as many as the budget has room for.
    From(u64),
}

impl Seeds {
    fn range(&self) -> Range<u64> {
        match self {
            Seeds::One(seed) => *seed..seed.saturating_add(1),
            Seeds::Range(range) => range.clone(),
            Seeds::From(first) => *first..u64::MAX,
        }
    }
}

/// Seeds of the first turn under a budget, for each thread. What they cost says how many the next ones have.
const FIRST_TURN: u64 = 2;
/// Actions of a turn, for each thread: so that a costly scenario does not starve the others.
const TURN_ACTIONS: u64 = 50_000;

/// Runs all subjects and judges them.
pub(crate) fn run(subjects: &[Subject<'_>], reach: &Reach) -> Vec<Judged> {
    interrupt::listen();
    let watch = Stopwatch::start();
    let in_time = || reach.budget.is_none_or(|budget| watch.elapsed() < budget);
    let keep_going = || in_time() && !interrupt::interrupted();
    let seeds = reach.seeds.range();
    let bar = progress(subjects.len(), reach);
    let mut series = subjects.iter().map(|subject| Series::new(*subject, seeds.start)).collect::<Vec<_>>();
    while keep_going() && series.iter().any(|series| !series.is_over(&seeds)) {
        for series in &mut series {
            if keep_going() && !series.is_over(&seeds) {
                let turn = if reach.budget.is_some() { series.turn(reach.jobs as u64) } else { u64::MAX };
                let end = seeds.end.min(series.next.saturating_add(turn));
                series.run(end, reach, &keep_going, &bar);
            }
        }
    }
    bar.finish_and_clear();
    let cut = if interrupt::interrupted() { "interrupted" } else { "the budget was spent" };
    let complete = if reach.together { Extent::Part } else { Extent::Complete };
    let extent = |series: &Series<'_>| match &reach.seeds {
        Seeds::One(_) if series.counts.seeds == 1 => Extent::OneSeed,
        // Without an end to reach, the end of the budget is what was asked for, if it left anything to judge by.
        Seeds::From(_) if !interrupt::interrupted() && series.counts.seeds > 0 => complete,
        _ if series.is_over(&seeds) => complete,
        _ => Extent::Cut(cut),
    };
    let judge = |series: Series<'_>| {
        let extent = extent(&series);
        series.judge(extent, seeds.start)
    };
    series.into_iter().map(judge).collect()
}

fn progress(subjects: usize, reach: &Reach) -> ProgressBar {
    let range = reach.seeds.range();
    let bar = match (&reach.seeds, reach.budget) {
        (Seeds::From(_), _) | (_, Some(_)) => ProgressBar::new_spinner(),
        _ => ProgressBar::new((range.end - range.start).saturating_mul(subjects as u64)),
    };
    let template = match bar.length() {
        Some(_) => "{bar:30} {pos}/{len} seeds {elapsed} {msg}",
        None => "{spinner} {pos} seeds {elapsed} {msg}",
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is well-formed"))
}

/// The turns of one subject, added up.
struct Series<'a> {
    subject: Subject<'a>,
    next: u64,
    digest: u64,
    breach: Option<Outcome>,
    unrepeatable: Option<String>,
    counts: Counts,
}

impl<'a> Series<'a> {
    fn new(subject: Subject<'a>, first: u64) -> Series<'a> {
        let counts = Counts {
            seeds: 0,
            actions: 0,
            simulated_seconds: 0.0,
            host_seconds: 0.0,
            seconds: 0.0,
            grants: 0,
            takeovers: 0,
            joins: 0,
            rejoins: 0,
            seeds_with_takeover: 0,
            seeds_with_rejoin: 0,
            resets: 0,
            fired: BTreeMap::new(),
            enabled: BTreeMap::new(),
            rare: Rare::ALL.iter().map(|rare| (rare.id(), 0)).collect(),
        };
        Series { subject, next: first, digest: 0, breach: None, unrepeatable: None, counts }
    }

    fn is_over(&self, seeds: &Range<u64>) -> bool {
        self.breach.is_some() || self.next >= seeds.end
    }

    /// Seeds of the next turn.
    fn turn(&self, jobs: u64) -> u64 {
        match self.counts.actions.checked_div(self.counts.seeds) {
            None => FIRST_TURN * jobs,
            Some(cost) => (TURN_ACTIONS * jobs / cost.max(1)).max(jobs),
        }
    }

    fn run(&mut self, end: u64, reach: &Reach, keep_going: &(dyn Fn() -> bool + Sync), bar: &ProgressBar) {
        let Subject { scenario, profile } = self.subject;
        bar.set_message(format!("{} ({profile})", scenario.name));
        let blindfold = |case: &mut Case<'_>| case.blind = true;
        let campaign = Campaign {
            scenario,
            profile,
            seeds: self.next..end,
            jobs: reach.jobs,
            stop_at_violation: true,
            prepare: reach.blind.then_some(&blindfold),
        };
        let watch = Stopwatch::start();
        let mut micros = 0_u128;
        let summary = run_campaign(&campaign, keep_going, &mut |outcome| {
            micros += u128::from(outcome.micros);
            bar.inc(1);
        });
        self.counts.seconds += watch.elapsed().as_secs_f64();
        self.counts.simulated_seconds += micros as f64 / 1e6;
        self.add(summary);
    }

    fn add(&mut self, summary: Summary) {
        self.next += summary.seeds;
        // Each turn folds its own runs; the turns are folded in the same way.
        self.digest = match self.counts.seeds {
            0 => summary.digest,
            _ => (self.digest.rotate_left(26) ^ summary.digest).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        let unrepeatable = summary.nondeterministic;
        let told = |it: Unrepeatable| {
            format!("seed {} did not go the same way when it was run again: {}", it.seed, it.parting)
        };
        self.unrepeatable = self.unrepeatable.take().or(unrepeatable.map(told));
        let counts = &mut self.counts;
        counts.seeds += summary.seeds;
        counts.actions += summary.actions;
        counts.host_seconds += summary.host_micros as f64 / 1e6;
        counts.grants += summary.counts.grants;
        counts.takeovers += summary.counts.takeovers;
        counts.joins += summary.counts.joins;
        counts.rejoins += summary.counts.rejoins;
        counts.seeds_with_takeover += summary.with_takeover;
        counts.seeds_with_rejoin += summary.with_rejoin;
        counts.resets += summary.counts.resets;
        let fired = summary.fired.iter().zip(summary.enabled.iter());
        for ((fault, times), (_, on)) in fired.filter(|((_, times), (_, on))| *times > 0 || *on > 0) {
            *counts.fired.entry(fault.id()).or_default() += times;
            *counts.enabled.entry(fault.id()).or_default() += on;
        }
        for (rare, seeds) in Rare::ALL.iter().zip(summary.rare) {
            *counts.rare.entry(rare.id()).or_default() += seeds;
        }
        self.breach = summary.violations.into_iter().next();
    }

    fn judge(self, extent: Extent, first_seed: u64) -> Judged {
        let Subject { scenario, profile } = self.subject;
        let digest = self.breach.as_ref().map_or(self.digest, |outcome| outcome.digest);
        let breach = self.breach.map(|outcome| Breach {
            property: outcome.verdict.property().expect("it is a violation").to_owned(),
            seed: outcome.seed,
            what: outcome.verdict.to_string(),
        });
        let limits = Case::new(scenario, profile, first_seed).limits;
        Found {
            scenario: &scenario.name,
            profile: profile.id(),
            expected: scenario.expected(profile),
            breach,
            extent,
            first_seed,
            digest,
            unrepeatable: self.unrepeatable,
            limits,
            counts: self.counts,
        }
        .judge()
    }
}
