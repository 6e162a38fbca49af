//! `gate`: one question, "may this change go in?", one answer within a budget.
//!
//! Every scenario of the catalogue under both profiles, seeds taking turns; a canary that must fail; and how fast it
//! went, for a gate that slows down looks at less.

use crate::arguments::{Jobs, ResultFiles, duration};
use crate::campaigns::{self, Reach, Seeds, Subject};
use crate::misuse::Misuse;
use crate::screen::Screen;
use crate::selection::canary;
use crate::simulate::Outputs;
use crate::stopwatch::Stopwatch;
use crate::telling::{Traces, again, tell};
use clap::Args;
use reports::results::{Standing, never_fired, worst};
use reports::table::{self, short};
use scenarios::{ProfileName, catalogue, quiet};
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
}

/// One bug may break every scenario: so many violations are told as stories, the rest by the command that tells them.
const STORIES_MAX: usize = 3;
/// Seeds that the canary is given. The first one should do.
const CANARY_SEEDS: std::ops::Range<u64> = 0..20;
/// Actions of the quiet cluster that speed is measured with: about a second.
const QUIET_ACTIONS: u64 = 500_000;
const SECONDS_OF_A_YEAR: f64 = 365.25 * 86_400.0;

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let outputs = Outputs::new(&arguments.files)?;
    let jobs = arguments.jobs.number();
    let watch = Stopwatch::start();
    let canary = canary();
    let profiles = ProfileName::ALL;
    let canaries = profiles.map(|profile| Subject { scenario: &canary, profile });
    let reach = Reach { seeds: Seeds::Range(CANARY_SEEDS), budget: Some(arguments.budget), jobs, together: true };
    let mut judged = campaigns::run(&canaries, &reach);
    let speed = speed();

    let scenarios = catalogue();
    let subjects = scenarios.iter().flat_map(|scenario| profiles.map(|profile| Subject { scenario, profile }));
    let subjects = subjects.collect::<Vec<_>>();
    let left = arguments.budget.saturating_sub(watch.elapsed());
    let reach = Reach { seeds: Seeds::From(0), budget: Some(left), jobs, together: true };
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
    let silent = never_fired(&judged);
    let standing = if silent.is_empty() { worst(&judged) } else { worst(&judged).max(Standing::Undecided) };
    if !silent.is_empty() {
        screen.say(&format!("was on and never fired in any campaign: {}\n", silent.join(", ")))?;
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
