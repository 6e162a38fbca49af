//! `mutants`: engines with one mistake each, and what finds them.
//!
//! Every mutant is hunted by the stories of the catalogue, then by the small worlds that are decided completely, then by
//! more and more seeds of the stories and the swarm, until the first violation. A campaign number is another beginning
//! of the seeds; over several of them one sees whether a mutant is found or was met by luck. Who survives the first
//! campaign is not hunted again: nine more would tell no more.

use crate::arguments::{Jobs, duration};
use crate::check::{self, Answer};
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::stopwatch::Stopwatch;
use crate::telling::{recorded, retell};
use clap::Args;
use lease_core::mutants::Mutant;
use model::checker::search::Order;
use scenarios::{
    Caught, Expected, Hunt, HuntingGround, ProfileName, Scenario, Trace, all_quietly, catalogue, shrink, worlds,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Which mutants, by name; all that are built, if none is given
    #[arg(value_name = "MUTANT")]
    mutants: Vec<String>,
    /// How many campaigns for each that is caught
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    campaigns: u64,
    /// How long one is hunted in one campaign
    #[arg(long, value_name = "D", default_value = "60s", value_parser = duration)]
    budget: Duration,
    #[command(flatten)]
    jobs: Jobs,
    /// Fail if fewer are caught, and only then
    #[arg(long, value_name = "N")]
    at_least: Option<usize>,
    /// Only stories and seeds, no worlds
    #[arg(long)]
    no_worlds: bool,
    /// Judge nothing: a hunt that finds somebody then is broken, and one that finds nobody must fail
    #[arg(long)]
    blind: bool,
    /// Write a shrunk trace of each that is caught into this folder: of the shortest run that caught it
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// How long a trace may be shrunk
    #[arg(long, value_name = "D", default_value = "20s", value_parser = duration)]
    shrink: Duration,
    /// Write the results as JSON (format leaselab-mutants, version 1)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Rounds through the stories before the worlds are tried.
const ROUNDS_BEFORE_WORLDS: u64 = 2;
/// The largest world that is tried, in states of the engine without a mistake.
const STATES_MAX: u64 = 450_000;
/// What a world may take.
const WORLDS_MEMORY: u64 = 1 << 30;

/// One campaign for one mutant.
#[derive(Clone, Debug, Serialize)]
struct Hunted {
    campaign: u64,
    seeds: u64,
    seconds: f64,
    property: Option<String>,
    /// The story or the world in which it was caught.
    explorer: Option<String>,
    seed: Option<u64>,
}

/// All campaigns for one mutant.
#[derive(Clone, Debug, Serialize)]
struct Row {
    mutant: &'static str,
    change: &'static str,
    expected: &'static str,
    built: bool,
    caught: bool,
    results: Vec<Hunted>,
    /// Why it is not built, or why it survives, if that is known.
    why: String,
    trace: Option<String>,
    /// Actions of the shrunk trace.
    trace_actions: Option<u64>,
}

#[derive(Serialize)]
struct Report {
    format: &'static str,
    version: u32,
    campaigns: u64,
    budget_seconds: f64,
    built: usize,
    caught: usize,
    mutants: Vec<Row>,
}

/// What the first campaign saw in the worlds: the same in every campaign.
type InWorlds = Option<(String, String, Option<Box<Trace>>)>;

struct Hunters<'a> {
    arguments: &'a Arguments,
    ground: &'a HuntingGround,
    worlds: &'a [Scenario],
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let chosen = chosen(&arguments.mutants)?;
    let json = arguments.json.as_deref().map(Destination::new).transpose()?;
    let output = arguments.output.as_deref().map(Destination::new).transpose()?;
    if let Some(folder) = &arguments.traces
        && !folder.is_dir()
    {
        return Err(Misuse::new(format_args!("--traces: expected a folder, found {}", folder.display())));
    }
    interrupt::listen();
    let watch = Stopwatch::start();
    let ground = HuntingGround::new(catalogue());
    let worlds = small_worlds();
    let hunters = Hunters { arguments, ground: &ground, worlds: &worlds };
    let rows = Mutex::new(vec![None; chosen.len()]);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    all_quietly(|| {
        std::thread::scope(|scope| {
            for _ in 0..arguments.jobs.number().min(chosen.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(mutant) = chosen.get(index).filter(|_| !interrupt::interrupted()) else { break };
                        match hunters.row(*mutant) {
                            Ok(row) => {
                                if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                                    eprintln!("{}", line(&row).join("  "));
                                }
                                rows.lock().expect("nobody panics while holding it")[index] = Some(row);
                            }
                            Err(misuse) => {
                                failed.lock().expect("nobody panics while holding it").get_or_insert(misuse);
                                break;
                            }
                        }
                    }
                });
            }
        });
    });
    if let Some(misuse) = failed.into_inner().expect("all threads are over") {
        return Err(misuse);
    }
    let rows = rows.into_inner().expect("all threads are over").into_iter().flatten().collect::<Vec<_>>();
    let table = rows.iter().map(line).collect::<Vec<_>>();
    screen.say(&reports::table::columns(&HEAD, &table))?;
    let (summary, status) = judge(&rows, interrupt::interrupted());
    screen.say(&format!("\n{summary} after {:.0} s\n", watch.elapsed().as_secs_f64()))?;
    let built = rows.iter().filter(|row| row.built).count();
    let caught = rows.iter().filter(|row| row.caught).count();
    if let Some(destination) = output {
        destination.write_text(&markdown(&rows, &summary))?;
    }
    if let Some(destination) = json {
        let report = Report {
            format: "leaselab-mutants",
            version: 1,
            campaigns: arguments.campaigns,
            budget_seconds: arguments.budget.as_secs_f64(),
            built,
            caught,
            mutants: rows,
        };
        let text = serde_json::to_string_pretty(&report).expect("plain texts can be written as JSON");
        destination.write_text(&format!("{text}\n"))?;
    }
    Ok(match arguments.at_least {
        Some(bar) if !interrupt::interrupted() => u8::from(caught < bar),
        _ => status,
    })
}

fn chosen(names: &[String]) -> Result<Vec<Mutant>, Misuse> {
    if names.is_empty() {
        return Ok(Mutant::ALL.to_vec());
    }
    let known = |name: &String| {
        Mutant::from_name(name)
            .ok_or_else(|| Misuse::new(format_args!("expected the name of a mutant (leaselab list), found {name:?}")))
    };
    names.iter().map(known).collect()
}

/// The worlds in which the hardened engine is known to hold, and which are small; the smallest first.
fn small_worlds() -> Vec<Scenario> {
    let states = |world: &Scenario| world.check.as_ref().and_then(|plan| plan.unique(ProfileName::Hardened));
    let small = |world: &Scenario| {
        let holds = *world.expected(ProfileName::Hardened) == Expected::Holds;
        holds && states(world).is_some_and(|states| states <= STATES_MAX)
    };
    let mut found = worlds().into_iter().filter(small).collect::<Vec<_>>();
    found.sort_by_key(states);
    found
}

impl Hunters<'_> {
    fn row(&self, mutant: Mutant) -> Result<Row, Misuse> {
        let mut row = Row {
            mutant: mutant.name(),
            change: mutant.change(),
            expected: mutant.expected(),
            built: mutant.is_built(),
            caught: false,
            results: Vec::new(),
            why: mutant.why_not().to_owned(),
            trace: None,
            trace_actions: None,
        };
        if !mutant.is_built() {
            return Ok(row);
        }
        let mut in_worlds = None;
        let mut shortest: Option<Trace> = None;
        for campaign in 0..self.arguments.campaigns {
            let (result, caught) = self.campaign(mutant, campaign, &mut in_worlds)?;
            let survived = result.property.is_none();
            // A hunt that somebody cut short says nothing.
            if survived && interrupt::interrupted() {
                break;
            }
            row.results.push(result);
            if survived {
                break;
            }
            if self.arguments.traces.is_some() {
                let found = caught.and_then(|caught| self.ground.case(mutant, &caught)).map(|case| recorded(&case));
                let found = found.or_else(|| in_worlds.as_ref()?.as_ref()?.2.as_deref().cloned());
                let is_shorter = |found: &Trace| shortest.as_ref().is_none_or(|known| found.actions < known.actions);
                shortest = found.filter(is_shorter).or(shortest);
            }
        }
        if let (Some(trace), Some(folder)) = (shortest, &self.arguments.traces) {
            let (path, actions) = self.write(mutant, trace, folder)?;
            (row.trace, row.trace_actions) = (Some(path), Some(actions));
        }
        row.caught = !row.results.is_empty() && row.results.iter().all(|result| result.property.is_some());
        Ok(row)
    }

    fn campaign(
        &self,
        mutant: Mutant,
        campaign: u64,
        in_worlds: &mut Option<InWorlds>,
    ) -> Result<(Hunted, Option<Caught>), Misuse> {
        let watch = Stopwatch::start();
        let budget = self.arguments.budget;
        let mut go_on = || watch.elapsed() < budget && !interrupt::interrupted();
        let mut hunt = Hunt::new(mutant, campaign);
        let mut result = Hunted { campaign, seeds: 0, seconds: 0.0, property: None, explorer: None, seed: None };
        let mut caught = None;
        while caught.is_none() && go_on() {
            caught = hunt.round(self.ground, &mut go_on).filter(|_| !self.arguments.blind);
            if caught.is_none() && !hunt.is_before(ROUNDS_BEFORE_WORLDS) && !self.arguments.no_worlds {
                if in_worlds.is_none() {
                    *in_worlds = Some(self.worlds(mutant, &watch)?);
                }
                if let Some(Some((world, property, _))) = in_worlds {
                    (result.explorer, result.property) = (Some(world.clone()), Some(property.clone()));
                    break;
                }
            }
        }
        if let Some(caught) = &caught {
            result.property = Some(caught.property.clone());
            result.explorer = Some(caught.story.clone());
            result.seed = Some(caught.seed);
        }
        result.seeds = hunt.seeds;
        result.seconds = watch.elapsed().as_secs_f64();
        Ok((result, caught))
    }

    /// Searches the small worlds for a mutant.
    fn worlds(&self, mutant: Mutant, watch: &Stopwatch) -> Result<InWorlds, Misuse> {
        if self.arguments.blind || !mutant.is_in_small_worlds() {
            return Ok(None);
        }
        for scenario in self.worlds {
            let plan = scenario.check.as_ref().expect("it is a world");
            let left = self.arguments.budget.saturating_sub(watch.elapsed());
            let manner = check::Manner {
                threads: 1,
                order: Order::DepthFirst,
                under_stateright: false,
                max_bytes: WORLDS_MEMORY,
                // A mistake may make a small world endless.
                budget: Some((Stopwatch::start(), left / 3)),
                stuck: false,
                as_written: false,
            };
            let subject = check::Subject { scenario, plan, profile: ProfileName::Hardened, mutant: Some(mutant) };
            let Answer { judged, found, .. } = check::search(&subject, &manner)?;
            // A world that cannot hold the mutant has not found it.
            let Some(property) = judged.property.filter(|property| property != "assertion") else { continue };
            let trace = found.and_then(|found| match found.told {
                check::Told::Trace(trace) => Some(trace),
                check::Told::Words { .. } => None,
            });
            return Ok(Some((scenario.name.clone(), property, trace)));
        }
        Ok(None)
    }

    /// Shrinks a trace and writes it; tells where it is, and how many actions it has.
    fn write(&self, mutant: Mutant, trace: Trace, folder: &Path) -> Result<(String, u64), Misuse> {
        let watch = Stopwatch::start();
        let mut go_on = || watch.elapsed() < self.arguments.shrink && !interrupt::interrupted();
        let mut small = match shrink(&trace, &mut go_on) {
            Ok(shrunk) => shrunk.trace,
            Err(_) => trace,
        };
        retell(&mut small);
        small.story.insert(0, format!("{}: {}.", mutant.name(), mutant.change()));
        let path = folder.join(format!("{}.trace", mutant.name()));
        Destination::new(&path)?.write_text(&small.to_string())?;
        Ok((path.display().to_string(), small.actions))
    }
}

const HEAD: [&str; 8] = [
    "MUTANT ",
    "CAUGHT BY ",
    "IN ",
    "SEEDS 50%",
    "90%",
    "SECONDS 50%",
    "90%",
    "WHAT IS BROKEN, OR WHY IT IS NOT CAUGHT ",
];

/// A line of the table.
fn line(row: &Row) -> Vec<String> {
    let counts = row.results.iter().map(|result| result.seeds as f64).collect::<Vec<_>>();
    let seconds = row.results.iter().map(|result| result.seconds).collect::<Vec<_>>();
    let (by, explorer) = match (row.built, row.caught) {
        (false, _) => ("not built".to_owned(), "-".to_owned()),
        (true, false) => ("SURVIVES".to_owned(), "-".to_owned()),
        (true, true) => {
            let of =
                |pick: fn(&Hunted) -> &Option<String>| most(row.results.iter().filter_map(|it| pick(it).as_deref()));
            (of(|it| &it.property), of(|it| &it.explorer))
        }
    };
    let why =
        if row.caught || row.why.is_empty() { row.change.to_owned() } else { format!("{}. {}", row.change, row.why) };
    let whole = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.0}"));
    let tenths = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.1}"));
    vec![
        row.mutant.to_owned(),
        by,
        explorer,
        whole(quantile(&counts, 50)),
        whole(quantile(&counts, 90)),
        tenths(quantile(&seconds, 50)),
        tenths(quantile(&seconds, 90)),
        why,
    ]
}

/// The word that comes most often, the first of several; and how many others there are.
fn most<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words = words.collect::<Vec<_>>();
    let count = |word: &str| words.iter().filter(|other| **other == word).count();
    let mut sorted = words.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let others = sorted.len().saturating_sub(1);
    let first = sorted.iter().rev().max_by_key(|word| count(word)).copied().unwrap_or("-");
    if others == 0 { first.to_owned() } else { format!("{first} +{others}") }
}

/// The number below which so many per cent of them lie, or equal it.
fn quantile(numbers: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied()
}

/// The score, and what the command comes to: every mutant that can be run is caught, or it is written down why not; but
/// whoever grants everything or fences nothing must be caught.
fn judge(rows: &[Row], cut: bool) -> (String, u8) {
    let count = |test: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| test(row)).count();
    let built = count(&|row| row.built);
    let caught = count(&|row| row.caught);
    let excused = |row: &Row| !row.why.is_empty() && !Mutant::from_name(row.mutant).is_some_and(Mutant::is_null);
    let open = count(&|row| row.built && !row.caught && !excused(row));
    let survive = built - caught;
    let missing = rows.len() - built;
    let summary = format!(
        "{caught} of {built} mutants are caught; {survive} survive, {open} of them without a reason; {missing} are not built"
    );
    let status = match (open > 0 || built > 0 && caught == 0, cut) {
        (_, true) => 3,
        (true, false) => 1,
        (false, false) => 0,
    };
    (summary, status)
}

fn markdown(rows: &[Row], summary: &str) -> String {
    let mut text = String::from(
        "| mutant | what is broken | expected | caught by | in | seeds: median | 90 % | seconds: median | 90 % | trace | why not |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let cells = line(row);
        let trace = row.trace_actions.map_or("-".to_owned(), |actions| format!("{actions} actions"));
        let why = if row.caught { "" } else { &row.why };
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {trace} | {why} |\n",
            row.mutant, row.change, row.expected, cells[1], cells[2], cells[3], cells[4], cells[5], cells[6],
        );
    }
    text + &format!("\n{summary}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_among_the_numbers() {
        let numbers = [5.0, 1.0, 4.0, 2.0, 3.0, 6.0, 7.0, 8.0, 9.0, 10.0];
        assert_eq!((quantile(&numbers, 50), quantile(&numbers, 90)), (Some(5.0), Some(9.0)));
        assert_eq!((quantile(&[1.0], 90), quantile(&[], 50)), (Some(1.0), None));
    }

    #[test]
    fn the_word_that_comes_most_often_stands_for_all() {
        assert_eq!(most(["b", "a", "b"].into_iter()), "b +1");
        assert_eq!(most(["a"].into_iter()), "a");
    }
}
