//! `simulate --until-safe`: every violation of a story's seeds, one after another, and what closes each.

use super::Arguments;
use crate::arguments::until_safe_of;
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::selection::quoted;
use crate::stopwatch::Stopwatch;
use crate::telling::retell;
use reports::seed_ladder::markdown;
use scenarios::{Scenario, SeedBounds, SeedLadder, until_safe_by_seeds};
use std::ops::Range;
use std::path::Path;

/// What there is to it beside the usual flags.
#[derive(clap::Args, Debug)]
pub(super) struct UntilSafe {
    /// Of sanlock_3_8_5, in a storm that spares it nothing: find a violation, take the decision that closes it, and go on
    /// until no seed violates anything; as Markdown
    #[arg(long, conflicts_with_all = ["seed", "keep_image", "json", "junit", "blind"])]
    pub(super) until_safe: bool,
    /// With --until-safe: write the report to a file
    #[arg(short = 'o', long, value_name = "FILE", requires = "until_safe")]
    output: Option<std::path::PathBuf>,
}

pub(super) fn run(
    scenarios: &[Scenario],
    seeds: Range<u64>,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<u8, Misuse> {
    let folder = until_safe_of(arguments.profile, arguments.trace.as_deref())?;
    let output = arguments.until_safe.output.as_deref().map(Destination::new).transpose()?;
    interrupt::listen();
    let watch = Stopwatch::start();
    let go_on = || !interrupt::interrupted() && arguments.budget.is_none_or(|budget| watch.elapsed() < budget);
    let bounds = SeedBounds { jobs: arguments.jobs.number(), go_on: &go_on };
    let mut ladders = Vec::new();
    for scenario in scenarios {
        let mut ladder = until_safe_by_seeds(scenario, seeds.clone(), &bounds).map_err(Misuse::new)?;
        for rung in &mut ladder.rungs {
            retell(&mut rung.trace);
        }
        if let Some(folder) = folder {
            write_traces(&ladder, folder)?;
        }
        if output.is_some() {
            screen.say(&format!("{}\n", reports::seed_ladder::line(&ladder)))?;
        }
        ladders.push(ladder);
        if !go_on() {
            break;
        }
    }
    let text = markdown(&ladders, &command(arguments, &seeds));
    match output {
        Some(file) => file.write_text(&text)?,
        None => screen.say(&text)?,
    }
    Ok(match () {
        () if ladders.iter().any(|ladder| ladder.open > 0 || ladder.hardened > 0) => 1,
        () if ladders.len() < scenarios.len() || ladders.iter().any(|ladder| !ladder.finished) => 3,
        () => 0,
    })
}

/// The shrunk runs, as STORY-DECISION.trace.
fn write_traces(ladder: &SeedLadder, folder: &Path) -> Result<(), Misuse> {
    for rung in &ladder.rungs {
        let name = if rung.closed_by.is_empty() { "open".to_owned() } else { rung.closed_by.join("-") };
        let file = folder.join(format!("{}-{name}.trace", ladder.story));
        Destination::new(&file)?.write_text(&rung.trace.to_string())?;
    }
    Ok(())
}

/// The command that was given, without what makes no difference to the report.
fn command(arguments: &Arguments, seeds: &Range<u64>) -> String {
    let mut command = "leaselab simulate".to_owned();
    for story in &arguments.scenarios {
        command += &format!(" {}", quoted(story));
    }
    command += &format!(" --profile {} --until-safe --seeds {}..{}", arguments.profile, seeds.start, seeds.end);
    if let Some(file) = &arguments.until_safe.output {
        command += &format!(" -o {}", quoted(&file.display().to_string()));
    }
    command
}
