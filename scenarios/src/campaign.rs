//! Campaigns: many seeds of one scenario, on several threads, merged in the order of the seeds.
//!
//! What a campaign says does not depend on how many threads ran it. Seeds are handed out in order and each one that was
//! begun is finished, so that whenever it ends it has run the seeds from the first to some last one, none left out.

use crate::bisect::{Parting, parting};
use crate::case::Case;
use crate::faults::{Fired, PerFault};
use crate::scenario::{ProfileName, Scenario};
use crate::simulate::{Outcome, run_case};
use lease_core::seam::Rare;
use model::history::Counts;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

/// What to run.
#[derive(Clone)]
pub struct Campaign<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The profile.
    pub profile: ProfileName,
    /// The seeds. The end may be far away, if something else ends the campaign.
    pub seeds: Range<u64>,
    /// Threads.
    pub jobs: usize,
    /// Whether the first violation ends it.
    pub stop_at_violation: bool,
    /// A change to each case before it runs: a mutant, another decision of the profile.
    pub prepare: Option<&'a (dyn Fn(&mut Case<'_>) + Sync)>,
}

/// One seed in so many is run twice, and both runs must agree.
pub const SAMPLED_ONE_IN: u64 = 64;

/// A seed that does not say what happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unrepeatable {
    /// The seed.
    pub seed: u64,
    /// Where its runs part.
    pub parting: Parting,
}

/// How many violating seeds a summary keeps.
const KEPT: usize = 32;

/// What a campaign came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The scenario.
    pub scenario: String,
    /// The profile.
    pub profile: ProfileName,
    /// Seeds that were run, from the first of the campaign on.
    pub seeds: u64,
    /// Whether all seeds were run that were asked for, or the first violation ended it as wished.
    pub complete: bool,
    /// The digests of all runs, chained.
    pub digest: u64,
    /// How many seeds violated something, by property.
    pub violating: BTreeMap<&'static str, u64>,
    /// The first of them, by seed.
    pub violations: Vec<Outcome>,
    /// The first seed whose second run went another way than its first.
    pub nondeterministic: Option<Unrepeatable>,
    /// Actions of all runs.
    pub actions: u64,
    /// Simulated time times hosts that were up, in microseconds.
    pub host_micros: u64,
    /// What happened, all runs together.
    pub counts: Counts,
    /// Seeds with a takeover.
    pub with_takeover: u64,
    /// Seeds with a rejoin.
    pub with_rejoin: u64,
    /// Actions of the median seed.
    pub median_actions: u64,
    /// Simulated microseconds of the median seed.
    pub median_micros: u64,
    /// The longest recovery after a healing, in microseconds.
    pub longest_recovery: u64,
    /// How often each fault fired.
    pub fired: Fired,
    /// In how many seeds each fault was on. One that was on and never fired was not tested.
    pub enabled: PerFault<u64>,
    /// In how many seeds each rare branch was taken, in the order of [`Rare::ALL`].
    pub rare: [u64; Rare::ALL.len()],
}

/// Runs a campaign until its seeds are run or `keep_going` says no, which is asked before each seed. `each` is shown
/// every outcome, in the order of the seeds.
pub fn run_campaign(
    campaign: &Campaign<'_>,
    keep_going: &(dyn Fn() -> bool + Sync),
    each: &mut dyn FnMut(&Outcome),
) -> Summary {
    let next = AtomicU64::new(campaign.seeds.start);
    let enough = AtomicBool::new(false);
    let jobs = campaign.jobs.max(1);
    let mut merged = Merged::new(campaign);
    let work = |sender: mpsc::SyncSender<(Outcome, Option<Unrepeatable>)>| {
        while !enough.load(Ordering::Relaxed) && keep_going() {
            // Handed out in order, and whoever takes one finishes it.
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= campaign.seeds.end || sender.send(run_seed(campaign, seed)).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(4 * jobs);
        for _ in 0..jobs {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = campaign.seeds.start;
        for (outcome, unrepeatable) in receiver {
            early.insert(outcome.seed, (outcome, unrepeatable));
            while let Some((outcome, unrepeatable)) = early.remove(&due) {
                due += 1;
                if merged.is_over() {
                    continue;
                }
                each(&outcome);
                merged.take(outcome, unrepeatable);
                if merged.is_over() {
                    enough.store(true, Ordering::Relaxed);
                }
            }
        }
    });
    merged.summary()
}

fn run_seed(campaign: &Campaign<'_>, seed: u64) -> (Outcome, Option<Unrepeatable>) {
    // Made anew for each run, so that a change that is not the same each time is found out, too.
    let made = || {
        let mut case = Case::new(campaign.scenario, campaign.profile, seed);
        if let Some(prepare) = campaign.prepare {
            prepare(&mut case);
        }
        case
    };
    let outcome = run_case(&made(), &mut ());
    let agrees = !seed.is_multiple_of(SAMPLED_ONE_IN) || run_case(&made(), &mut ()).digest == outcome.digest;
    let unrepeatable = (!agrees).then(|| {
        let parting = parting(&made().setup, &mut |_, watch| {
            run_case(&made(), watch);
        });
        Unrepeatable { seed, parting }
    });
    (outcome, unrepeatable)
}

/// A summary in the making.
struct Merged {
    summary: Summary,
    stop_at_violation: bool,
    wanted: u64,
    actions: Vec<u64>,
    micros: Vec<u64>,
}

impl Merged {
    fn new(campaign: &Campaign<'_>) -> Merged {
        Merged {
            summary: Summary {
                scenario: campaign.scenario.name.clone(),
                profile: campaign.profile,
                seeds: 0,
                complete: false,
                digest: 0,
                violating: BTreeMap::new(),
                violations: Vec::new(),
                nondeterministic: None,
                actions: 0,
                host_micros: 0,
                counts: Counts::default(),
                with_takeover: 0,
                with_rejoin: 0,
                median_actions: 0,
                median_micros: 0,
                longest_recovery: 0,
                fired: Fired::NONE,
                enabled: PerFault::all(0),
                rare: [0; Rare::ALL.len()],
            },
            stop_at_violation: campaign.stop_at_violation,
            wanted: campaign.seeds.end.saturating_sub(campaign.seeds.start),
            actions: Vec::new(),
            micros: Vec::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.stop_at_violation && !self.summary.violating.is_empty()
    }

    fn take(&mut self, outcome: Outcome, unrepeatable: Option<Unrepeatable>) {
        let summary = &mut self.summary;
        summary.seeds += 1;
        summary.digest = (summary.digest.rotate_left(26) ^ outcome.digest).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if summary.nondeterministic.is_none() {
            summary.nondeterministic = unrepeatable;
        }
        summary.actions += outcome.actions;
        summary.host_micros += outcome.host_micros;
        add(&mut summary.counts, &outcome.counts);
        summary.with_takeover += u64::from(outcome.counts.takeovers > 0);
        summary.with_rejoin += u64::from(outcome.counts.rejoins > 0);
        summary.longest_recovery = summary.longest_recovery.max(outcome.recovery.unwrap_or(0));
        summary.fired.add(&outcome.fired);
        for (sum, count) in summary.rare.iter_mut().zip(&outcome.rare) {
            *sum += u64::from(*count > 0);
        }
        for (fault, on) in outcome.enabled.iter() {
            summary.enabled.set(fault, summary.enabled.get(fault) + u64::from(on));
        }
        self.actions.push(outcome.actions);
        self.micros.push(outcome.micros);
        if let Some(property) = outcome.verdict.property() {
            *summary.violating.entry(property).or_default() += 1;
            if summary.violations.len() < KEPT {
                summary.violations.push(outcome);
            }
        }
    }

    fn summary(mut self) -> Summary {
        self.summary.complete = self.is_over() || self.summary.seeds == self.wanted;
        self.summary.median_actions = median(&mut self.actions);
        self.summary.median_micros = median(&mut self.micros);
        self.summary
    }
}

/// Adds the counts of another run.
fn add(sum: &mut Counts, other: &Counts) {
    // All fields by name: a new one must not be forgotten here.
    let Counts {
        joins,
        rejoins,
        failed_joins,
        renewals,
        failed_renewals,
        lost_host_ids,
        grants,
        takeovers,
        refused_acquires,
        recoveries,
        terms,
        kills,
        resets,
        power_losses,
        landed_ghosts,
    } = other;
    sum.joins += joins;
    sum.rejoins += rejoins;
    sum.failed_joins += failed_joins;
    sum.renewals += renewals;
    sum.failed_renewals += failed_renewals;
    sum.lost_host_ids += lost_host_ids;
    sum.grants += grants;
    sum.takeovers += takeovers;
    sum.refused_acquires += refused_acquires;
    sum.recoveries += recoveries;
    sum.terms += terms;
    sum.kills += kills;
    sum.resets += resets;
    sum.power_losses += power_losses;
    sum.landed_ghosts += landed_ghosts;
}

/// The lower median; zero of nothing.
fn median(numbers: &mut [u64]) -> u64 {
    if numbers.is_empty() {
        return 0;
    }
    let middle = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_goes_two_ways_is_told_with_the_happening_where_its_runs_part() {
        let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
        let profile = ProfileName::Hardened;
        let sampled = (0..20).map(|number| number * SAMPLED_ONE_IN);
        let loses_power = |seed: &u64| run_case(&Case::new(&scenario, profile, *seed), &mut ()).counts.power_losses > 0;
        let seed = sampled.into_iter().find(loses_power).expect("one of them loses power");
        let calls = AtomicU64::new(0);
        // Every other time power cannot be lost.
        let prepare = |case: &mut Case<'_>| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            if call % 2 == 1 {
                case.limits.crashes = 0;
            }
        };
        let campaign = Campaign {
            scenario: &scenario,
            profile,
            seeds: seed..seed + 1,
            jobs: 1,
            stop_at_violation: true,
            prepare: Some(&prepare),
        };
        let found = run_campaign(&campaign, &|| true, &mut |_| {}).nondeterministic.expect("its two runs differ");
        assert_eq!(found.seed, seed);
        let Parting::At { first, second, .. } = &found.parting else { panic!("{}", found.parting) };
        let told = [first, second].map(|side| side.clone().unwrap_or_default());
        assert!(told.iter().any(|text| text.contains("power")), "{told:?}");
    }
}
