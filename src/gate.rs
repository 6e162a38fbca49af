//! `gate`: one question, "may this change go in?", one answer within a budget.
//!
//! Every scenario of the catalogue under both profiles, seeds taking turns; the small worlds in full, as many as a share
//! of the budget has room for; a canary that must fail; and how fast it went, for a gate that slows down looks at less.

use crate::arguments::{Jobs, ResultFiles, duration};
use crate::campaigns::{self, Reach, Seeds, Subject};
use crate::canary;
use crate::check::{self, Answer};
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::Screen;
use crate::simulate::Outputs;
use crate::stopwatch::Stopwatch;
use crate::telling::{Traces, again, tell};
use clap::Args;
use model::checker::search::Order;
use reports::results::{Silent, Standing, Word, list, never_fired, worst};
use reports::table::{self, short};
use scenarios::{Expected, ProfileName, catalogue, quiet, worlds};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How long it may take
    #[arg(long, value_name = "D", default_value = "60s", value_parser = duration)]
    budget: Duration,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    files: ResultFiles,
    /// Judge nothing, to see that a gate without eyes is red
    #[arg(long)]
    blind: bool,
}

/// One bug may break every scenario: so many violations are told as stories, the rest by the command that tells them.
const STORIES_MAX: usize = 3;
/// Actions of the quiet cluster that speed is measured with: about a second.
const QUIET_ACTIONS: u64 = 500_000;
/// One part in so many of the budget is for the worlds.
const WORLDS_SHARE: u32 = 3;
/// What it takes about to find a violation that is expected, in states.
const STATES_TO_FIND: u64 = 500_000;
/// What a world may take.
const WORLDS_MEMORY: u64 = 2 << 30;
const SECONDS_OF_A_YEAR: f64 = 365.25 * 86_400.0;

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let outputs = Outputs::new(&arguments.files)?;
    let jobs = arguments.jobs.number();
    let watch = Stopwatch::start();
    let profiles = ProfileName::ALL;
    let canary = canary::scenario();
    let canaries = profiles.map(|profile| Subject { scenario: &canary, profile });
    let mut judged = canary::run(&profiles, jobs, arguments.blind);
    screen.say(&canary::told(&judged))?;
    let speed = speed();

    let InFull { answers, left_out } = worlds_in_full(arguments.budget / WORLDS_SHARE, jobs)?;

    let scenarios = catalogue();
    let subjects = scenarios.iter().flat_map(|scenario| profiles.map(|profile| Subject { scenario, profile }));
    let subjects = subjects.collect::<Vec<_>>();
    let left = arguments.budget.saturating_sub(watch.elapsed());
    let reach = Reach { seeds: Seeds::From(0), budget: Some(left), jobs, together: true, blind: arguments.blind };
    judged.extend(campaigns::run(&subjects, &reach));

    screen.say(&table::campaigns(&judged))?;
    // What was expected needs no story here; `simulate` tells it.
    let all = judged.iter_mut().zip(canaries.iter().chain(&subjects));
    let unexpected = all.filter(|(judged, _)| judged.standing == Standing::Unexpected);
    for (index, (judged, Subject { scenario, profile })) in unexpected.enumerate() {
        if index < STORIES_MAX {
            tell(judged, scenario, *profile, &Traces::None, screen)?;
        } else if let Some(again) = again(judged, scenario, *profile) {
            screen.say(&again)?;
        }
    }
    if !answers.is_empty() {
        screen.say("\n")?;
        screen.say(&table::worlds(&answers.iter().map(|(_, answer)| answer.judged.clone()).collect::<Vec<_>>()))?;
    }
    let unexpected = answers.iter().filter(|(_, answer)| answer.judged.standing == Standing::Unexpected);
    for (index, (again, answer)) in unexpected.enumerate() {
        screen.say(&if index < STORIES_MAX { check::tell(answer, again) } else { again.clone() })?;
    }
    if !left_out.is_empty() {
        screen.say(&format!("worlds that this budget has no room for: {}\n", left_out.join(", ")))?;
    }
    judged.extend(answers.into_iter().map(|(_, answer)| answer.judged));
    let silent = never_fired(&judged);
    let (untested, unsure) = silent.into_iter().partition::<Vec<_>, _>(Silent::is_fair);
    let mut standing = worst(&judged);
    if !untested.is_empty() {
        standing = Standing::Unexpected;
        screen.say(&format!("was on and never fired in any campaign: {}\n", list(&untested)))?;
    }
    if !unsure.is_empty() {
        screen.say(&format!("warning: was on and has not fired yet in any campaign: {}\n", list(&unsure)))?;
    }
    screen.say(&format!("\n{}{speed}\n", table::digest(&judged)))?;
    outputs.write(&judged)?;
    let word = match standing {
        Standing::Expected => "GREEN",
        Standing::Undecided => "UNDECIDED",
        Standing::Unexpected => "RED",
    };
    screen.say(&format!("{word} after {:.0} s\n", watch.elapsed().as_secs_f64()))?;
    Ok(standing.exit_status())
}

/// The worlds of a gate.
struct InFull {
    /// Those that fitted into the time, with the commands that check them again.
    answers: Vec<(String, Answer)>,
    /// The names of the others.
    left_out: Vec<String>,
}

/// Checks the worlds that fit into the time, the smallest first.
fn worlds_in_full(budget: Duration, threads: usize) -> Result<InFull, Misuse> {
    let worlds = worlds();
    let plans = worlds.iter().filter_map(|world| world.check.as_ref().map(|plan| (world, plan)));
    let short = plans.filter(|(_, plan)| !plan.long);
    let subjects = short.flat_map(|(scenario, plan)| {
        ProfileName::ALL.map(|profile| check::Subject { scenario, plan, profile, mutant: None })
    });
    let violated = |it: &check::Subject<'_>| matches!(it.scenario.expected(it.profile), Expected::Violated(_));
    // Where 3.8.5 holds, too, the world is worth its time only once.
    let worth = |it: &check::Subject<'_>| it.profile == ProfileName::Hardened || violated(it);
    let mut subjects = subjects.filter(worth).collect::<Vec<_>>();
    let states = |it: &check::Subject<'_>| it.plan.unique(it.profile).or(it.plan.unique(ProfileName::Hardened));
    subjects.sort_by_key(|it| states(it).unwrap_or(if violated(it) { STATES_TO_FIND } else { u64::MAX }));
    let watch = Stopwatch::start();
    let within = |budget: Duration| check::Manner {
        threads,
        order: Order::DepthFirst,
        under_stateright: false,
        max_bytes: WORLDS_MEMORY,
        budget: Some((Stopwatch::start(), budget)),
        stuck: false,
        as_written: true,
    };
    let (mut answers, mut left_out) = (Vec::new(), Vec::new());
    let (mut seen, mut speed) = (0.0, f64::INFINITY);
    for subject in subjects {
        let left = budget.saturating_sub(watch.elapsed());
        let fits = states(&subject).is_none_or(|states| states as f64 / speed < left.as_secs_f64());
        // A world of unknown size must not take the time of all that come after it.
        let left = if states(&subject).is_some() { left } else { left / 2 };
        let answer = if fits && !left.is_zero() { Some(check::search(&subject, &within(left))?) } else { None };
        let decided = |answer: &Answer| answer.judged.verdict != Word::Undecided || interrupt::interrupted();
        match answer.filter(decided) {
            Some(answer) => {
                seen += answer.judged.searched.as_ref().map_or(0, |searched| searched.unique_states) as f64;
                speed = seen / watch.elapsed().as_secs_f64().max(1e-9);
                let (word, profile) = (&subject.scenario.name, subject.profile);
                answers.push((format!("Again: leaselab check {word} --profile {profile}\n"), answer));
            }
            None => left_out.push(format!("{} ({})", subject.scenario.name, subject.profile)),
        }
    }
    Ok(InFull { answers, left_out })
}

/// How fast a cluster at rest is simulated, on one core.
fn speed() -> String {
    let watch = Stopwatch::start();
    let outcome = quiet(QUIET_ACTIONS);
    let seconds = watch.elapsed().as_secs_f64().max(1e-9);
    let host_seconds = (outcome.host_micros as f64 / 1e6).max(1e-9);
    let actions = outcome.actions as f64;
    format!(
        "speed: {} actions/s, {:.2} host-years/s, {:.2} actions per host-second (a cluster at rest, one core)",
        short(actions / seconds),
        host_seconds / seconds / SECONDS_OF_A_YEAR,
        actions / host_seconds,
    )
}
