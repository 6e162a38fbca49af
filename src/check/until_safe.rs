//! `check --until-safe`: every violation of a world, one after another, and what closes each.

use super::Arguments;
use super::search::{Manner, watched};
use crate::arguments::until_safe_of;
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::selection::quoted;
use crate::telling::retell;
use model::checker::search::Order;
use reports::ladder::markdown;
use reports::table::short;
use scenarios::{Bounds, CheckPlan, End, Ladder, Scenario, until_safe};
use std::path::Path;

/// What there is to it beside the usual flags.
#[derive(clap::Args, Debug)]
pub(super) struct UntilSafe {
    /// Of sanlock_3_8_5: find a violation, take the decision that closes it, and go on until the world is complete; as
    /// Markdown
    #[arg(long, conflicts_with_all = ["bfs", "stateright", "threads", "without", "except", "progress", "serve", "json", "junit"])]
    pub(super) until_safe: bool,
    /// With --until-safe: different states that each search may see
    #[arg(long, value_name = "N", requires = "until_safe", value_parser = clap::value_parser!(u64).range(1..))]
    states: Option<u64>,
    /// With --until-safe: write the report to a file
    #[arg(short = 'o', long, value_name = "FILE", requires = "until_safe")]
    output: Option<std::path::PathBuf>,
}

pub(super) fn run(
    selected: &[(Scenario, CheckPlan)],
    arguments: &Arguments,
    manner: &Manner,
    screen: &mut Screen,
) -> Result<u8, Misuse> {
    let UntilSafe { states, output, .. } = &arguments.until_safe;
    let folder = until_safe_of(arguments.profile, arguments.trace.as_deref())?;
    let output = output.as_deref().map(Destination::new).transpose()?;
    let manner = Manner { threads: 1, order: Order::BreadthFirst, ..manner.clone() };
    let mut ladders = Vec::new();
    for (scenario, _) in selected {
        let ladder = watched(&manner, &scenario.name, |stop, progress| {
            let bounds =
                Bounds { states: *states, max_bytes: manner.max_bytes, stop, progress: &|_, told| progress(told) };
            until_safe(scenario, &bounds).map_err(Misuse::new)
        })?;
        if let Some(folder) = folder {
            write_traces(&ladder, folder)?;
        }
        if output.is_some() {
            let found = ladder.rungs.iter().map(|rung| {
                format!(
                    "{} after {} steps, closed by {}",
                    rung.property,
                    rung.steps.len(),
                    rung.closed_by.join(" and ")
                )
            });
            let found = found.collect::<Vec<_>>().join("; ");
            screen.say(&format!("{}: {}; {}\n", ladder.world, nonempty(&found), end_words(&ladder.end)))?;
        }
        ladders.push(ladder);
        if interrupt::interrupted() {
            break;
        }
    }
    let text = markdown(&ladders, &command(arguments));
    match output {
        Some(file) => file.write_text(&text)?,
        None => screen.say(&text)?,
    }
    let is_wrong = |ladder: &Ladder| {
        ladder.rungs.iter().any(|rung| rung.closed_by.is_empty()) || matches!(ladder.hardened, End::Found(_))
    };
    let is_undecided =
        |ladder: &Ladder| [&ladder.end, &ladder.hardened].iter().any(|end| matches!(end, End::Cut { .. }));
    Ok(match () {
        () if ladders.iter().any(is_wrong) => 1,
        () if ladders.len() < selected.len() || ladders.iter().any(is_undecided) => 3,
        () => 0,
    })
}

fn nonempty(found: &str) -> &str {
    if found.is_empty() { "nothing found" } else { found }
}

fn end_words(end: &End) -> String {
    match end {
        End::Complete(states) => format!("complete, {states} states"),
        End::Cut { states, why, .. } => format!("undecided after {} states ({why})", short(*states as f64)),
        End::Found(steps) => format!("violated after {steps} steps"),
    }
}

/// Traces of what the simulator's world walks too, with their stories, as WORLD-1.trace and so on.
fn write_traces(ladder: &Ladder, folder: &Path) -> Result<(), Misuse> {
    for (index, rung) in ladder.rungs.iter().enumerate() {
        let Ok(trace) = &rung.walked else { continue };
        let mut trace = trace.clone();
        retell(&mut trace);
        let file = folder.join(format!("{}-{}.trace", ladder.world, index + 1));
        Destination::new(&file)?.write_text(&trace.to_string())?;
    }
    Ok(())
}

/// The command that was given, without what makes no difference to the report.
fn command(arguments: &Arguments) -> String {
    let mut command = "leaselab check".to_owned();
    for world in &arguments.scenarios {
        command += &format!(" {}", quoted(world));
    }
    command += &format!(" --profile {} --until-safe", arguments.profile);
    for name in &arguments.with {
        command += &format!(" --with {name}");
    }
    if let Some(states) = arguments.until_safe.states {
        command += &format!(" --states {states}");
    }
    if let Some(file) = &arguments.until_safe.output {
        command += &format!(" -o {}", quoted(&file.display().to_string()));
    }
    command
}
