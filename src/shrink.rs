//! `shrink`: the same violation in fewer steps.

use crate::arguments::duration;
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::selection::quoted;
use crate::stopwatch::Stopwatch;
use clap::Args;
use reports::story::Story;
use scenarios::{Line, Shrunk, Trace, replay, shrink};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The trace of a violation
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Where the smaller trace goes; beside the old one, as NAME.shrunk.trace, if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Stop after this time (60s, 5m) with the smallest trace so far
    #[arg(long, value_name = "D", default_value = "60s", value_parser = duration)]
    budget: Duration,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let file = arguments.trace.display().to_string();
    let text = std::fs::read_to_string(&arguments.trace)
        .map_err(|error| Misuse::new(format_args!("{file}: expected a trace, found: {error}")))?;
    let trace = Trace::parse(&file, &text).map_err(Misuse::new)?;
    let destination = Destination::new(&arguments.output.clone().unwrap_or_else(|| beside(&arguments.trace)))?;

    interrupt::listen();
    let watch = Stopwatch::start();
    let mut go_on = || watch.elapsed() < arguments.budget && !interrupt::interrupted();
    let shrunk = shrink(&trace, &mut go_on).map_err(|why| Misuse::new(format_args!("{file}: {why}")))?;
    let mut small = shrunk.trace.clone();
    let case = small.case();
    let mut story = Story::new(&case.setup);
    let replayed = replay(&small, &case, &mut story);
    small.story = story.lines(&replayed.verdict);
    destination.write_text(&small.to_string())?;
    screen.say(&told(&trace, &small, &shrunk, destination.path()))?;
    Ok(0)
}

/// `a/b.trace` becomes `a/b.shrunk.trace`.
fn beside(trace: &Path) -> PathBuf {
    trace.with_extension("shrunk.trace")
}

fn told(old: &Trace, small: &Trace, shrunk: &Shrunk, path: &Path) -> String {
    let mut told = format!("{} ({}), seed {}: {}\n", small.scenario.name, small.profile, small.seed, small.verdict);
    for line in &small.story {
        told += &format!("  {line}\n");
    }
    told += &format!("steps: {} -> {}\n", shrunk.actions_before, small.actions);
    told += &format!("hosts: {} -> {}\n", hosts(old), hosts(small));
    told += &format!("simulated time: {} s -> {} s\n", shrunk.ended_before, shrunk.ended);
    told += &format!("candidates tried: {}", shrunk.tried);
    told += if shrunk.finished { "\n" } else { "; stopped before the end, this is the smallest so far\n" };
    let path = path.display().to_string();
    told += &format!("trace: {path}\nAgain: leaselab replay {}\n", quoted(&path));
    told
}

/// How many hosts are switched on.
fn hosts(trace: &Trace) -> usize {
    let on = trace.lines.iter().filter_map(|line| match line {
        Line::Choice { action: model::Action::PowerOn { host }, .. } => Some(*host),
        _ => None,
    });
    on.collect::<BTreeSet<_>>().len()
}
