//! `check`: every path through small worlds.

mod search;
mod telling;
mod until_safe;

#[cfg(feature = "mutants")]
pub(crate) use search::Told;
pub(crate) use search::{Answer, Manner, Subject, search};
pub(crate) use telling::tell;

use crate::arguments::{ResultFiles, bytes, duration, jobs};
use crate::interrupt;
use crate::misuse::Misuse;
use crate::screen::Screen;
use crate::selection::{self, Kind};
use crate::simulate::Outputs;
use crate::stopwatch::Stopwatch;
use crate::telling::Traces;
use clap::Args;
use lease_core::mutants::Mutant;
use model::checker::search::Order;
use reports::results::worst;
use reports::table;
use scenarios::{CheckPlan, Decisions, ProfileName, Scenario};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Scenario files with a `[check]` part, folders or names of the catalogue; if none is given, all worlds of the
    /// catalogue that are not marked as long
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Which engine: sanlock_3_8_5 or hardened
    #[arg(long, value_name = "P", default_value = "hardened", value_parser = str::parse::<ProfileName>)]
    profile: ProfileName,
    /// Threads; as many as there are cores if not given. Counts of complete worlds do not depend on it
    #[arg(long, value_name = "N", value_parser = jobs)]
    threads: Option<usize>,
    /// Breadth-first: more memory, shortest paths
    #[arg(long)]
    bfs: bool,
    /// By stateright's own checkers, as a second opinion. They do not keep to --max-memory
    #[arg(long)]
    stateright: bool,
    /// What a search may take in memory (512M, 16G)
    #[arg(long, value_name = "M", default_value = "8G", value_parser = bytes)]
    max_memory: u64,
    /// Stop after this time (60s, 5m); what was not decided by then is undecided
    #[arg(long, value_name = "D", value_parser = duration)]
    budget: Option<Duration>,
    /// Search without a reduction, to compare: completion, partial_order, symmetry or memory
    #[arg(long, value_name = "REDUCTION")]
    without: Vec<String>,
    /// Put a safe decision into sanlock_3_8_5 (leaselab list shows them)
    #[arg(long, value_name = "DECISION")]
    with: Vec<String>,
    /// Take a decision of hardened as 3.8.5 takes it
    #[arg(long, value_name = "DECISION")]
    except: Vec<String>,
    /// Put a mistake into every host (leaselab list shows them)
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "MUTANT", value_parser = mutant_named)]
    mutant: Option<Mutant>,
    /// Of complete worlds, count the states from which no grant can be reached any more without a crash
    #[arg(long)]
    progress: bool,
    /// Open stateright's Explorer on one world, to walk through it by hand
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["budget", "trace", "json", "junit", "progress"])]
    serve: Option<SocketAddr>,
    /// Write the trace of a violation: to a file, or to SCENARIO-0.trace in a folder (here)
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    until_safe: until_safe::UntilSafe,
    #[command(flatten)]
    files: ResultFiles,
}

impl Arguments {
    #[cfg(feature = "mutants")]
    fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "with the feature it looks")]
    fn mutant(&self) -> Option<Mutant> {
        None
    }
}

#[cfg(feature = "mutants")]
fn mutant_named(name: &str) -> Result<Mutant, String> {
    match Mutant::from_name(name) {
        Some(mutant) if mutant.is_in_small_worlds() => Ok(mutant),
        Some(mutant) => Err(format!("expected a mutant of what these worlds have, found {}", mutant.name())),
        None => Err(format!("expected the name of a mutant, found {name:?}")),
    }
}

/// How many threads there are, if nothing else is said.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let selected = select(arguments)?;
    if let Some(address) = arguments.serve {
        return serve(&selected, arguments.profile, address, screen);
    }
    let watch = Stopwatch::start();
    let manner = Manner {
        threads: arguments.threads.unwrap_or_else(cores),
        order: if arguments.bfs { Order::BreadthFirst } else { Order::DepthFirst },
        under_stateright: arguments.stateright,
        max_bytes: arguments.max_memory,
        budget: arguments.budget.map(|budget| (watch, budget)),
        stuck: arguments.progress,
        as_written: [&arguments.without, &arguments.with, &arguments.except].iter().all(|list| list.is_empty()),
    };
    if arguments.until_safe.until_safe {
        return until_safe::run(&selected, arguments, &manner, screen);
    }
    let traces = Traces::new(arguments.trace.as_deref())?;
    if let (Traces::File(_), [_, _, ..]) = (&traces, &selected[..]) {
        return Err(Misuse::new("--trace FILE: expected one scenario, found several (a folder takes all of them)"));
    }
    let outputs = Outputs::new(&arguments.files)?;
    let mut judged = Vec::new();
    for (scenario, plan) in &selected {
        let subject = Subject { scenario, plan, profile: arguments.profile, mutant: arguments.mutant() };
        let mut answer = search(&subject, &manner)?;
        if let Some(search::Counterexample { told: search::Told::Trace(trace), .. }) = &answer.found {
            answer.judged.trace = traces.write(trace)?;
        }
        screen.say(&tell(&answer, &again(&answer, scenario, arguments)))?;
        judged.push(answer.judged);
    }
    if judged.len() > 1 {
        screen.say(&format!("{}\n", table::worlds(&judged)))?;
    }
    screen.say(&format!("{}\n", table::verdict_line(&judged)))?;
    outputs.write(&judged)?;
    Ok(worst(&judged).exit_status())
}

/// The worlds that are asked for, with what is put into them and left out of them.
fn select(arguments: &Arguments) -> Result<Vec<(Scenario, CheckPlan)>, Misuse> {
    let scenarios = selection::scenarios(&arguments.scenarios, Kind::Worlds)?;
    let profile = arguments.profile;
    for (flag, list, wanted) in
        [("--with", &arguments.with, ProfileName::Sanlock385), ("--except", &arguments.except, ProfileName::Hardened)]
    {
        for name in list {
            Decisions::known(name).map_err(|error| Misuse::new(format_args!("{flag}: {error}")))?;
        }
        if !list.is_empty() && profile != wanted {
            return Err(Misuse::new(format_args!("{flag}: expected --profile {wanted}, found {profile}")));
        }
    }
    let more = Decisions { with: arguments.with.clone(), without: arguments.except.clone(), unspared: false };
    let mut selected = Vec::new();
    for scenario in scenarios {
        let scenario = scenario.with_decisions(&more).map_err(Misuse::new)?;
        let plan = scenario.check.as_ref().expect("only worlds are selected").without_reductions(&arguments.without);
        let plan = plan.map_err(|what| Misuse::new(format_args!("--without: {what}")))?;
        selected.push((scenario, plan));
    }
    Ok(selected)
}

fn serve(
    selected: &[(Scenario, CheckPlan)],
    profile: ProfileName,
    address: SocketAddr,
    screen: &mut Screen,
) -> Result<u8, Misuse> {
    let [(scenario, plan)] = selected else {
        return Err(Misuse::new(format_args!("--serve: expected one scenario, found {}", selected.len())));
    };
    interrupt::listen();
    // The Explorer does not come back; a reader who is done interrupts it.
    std::thread::spawn(|| {
        while !interrupt::interrupted() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::process::exit(0);
    });
    screen.say(&format!("{} ({profile}): http://{address}/ (Ctrl-C ends it)\n", scenario.name))?;
    let Err(error) = search::serve(&Subject { scenario, plan, profile, mutant: None }, address)?;
    Err(Misuse::new(format_args!("--serve {address}: expected an address to listen at, found: {error}")))
}

/// The command that shows a violation again.
fn again(answer: &Answer, scenario: &Scenario, arguments: &Arguments) -> String {
    if answer.judged.property.is_none() {
        return String::new();
    }
    if let Some(file) = &answer.judged.trace {
        return format!("Again: leaselab replay {}\n", selection::quoted(file));
    }
    // The decisions of the command line are in the text of the scenario, so that it is not the catalogue's any more.
    let word = match Scenario::named(&scenario.name).is_some_and(|known| known.file == scenario.file) {
        true => scenario.name.clone(),
        false => selection::quoted(&scenario.file),
    };
    let mut command = format!("Again: leaselab check {word} --profile {}", arguments.profile);
    for (flag, names) in
        [("--with", &arguments.with), ("--except", &arguments.except), ("--without", &arguments.without)]
    {
        for name in names {
            command += &format!(" {flag} {name}");
        }
    }
    command + "\n"
}

/// A number of bytes as a person says it.
pub(crate) fn bytes_text(bytes: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{bytes} bytes")
}
