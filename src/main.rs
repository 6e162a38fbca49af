//! `leaselab`: can two hosts ever own this, and how long until somebody owns it again?
//!
//! The command line. It only finds out what is asked for, lets the other crates answer, and turns the answer into text,
//! files and an exit status:
//!
//! * 0: every verdict is the expected one;
//! * 1: a verdict is not;
//! * 2: misuse: bad arguments, a bad file. One line on standard error says where, what was expected, and what was found;
//! * 3: undecided: the budget was spent, somebody interrupted, or what was looked for was not found.
//!
//! Results go to standard output, progress to standard error and only if that is a terminal.

mod arguments;
mod campaigns;
mod canary;
mod check;
mod gate;
mod image;
mod interrupt;
mod list;
mod misuse;
#[cfg(feature = "mutants")]
mod mutants;
#[cfg(not(feature = "mutants"))]
#[path = "mutants_missing.rs"]
mod mutants;
mod replay;
mod screen;
mod selection;
mod shrink;
mod simulate;
mod status;
mod stopwatch;
mod telling;

use clap::{CommandFactory as _, Parser, Subcommand};
use misuse::Misuse;
use screen::Screen;
use std::io::Write as _;
use std::process::ExitCode;

/// Can two hosts ever own this, and how long until somebody owns it again?
///
/// A deterministic simulator and model checker for sanlock leases: real lease engines, a simulated disk, watchdogs and clocks, and every
/// fault a seed can choose.
#[derive(Parser)]
#[command(name = "leaselab", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

const AFTER_HELP: &str = "\
Exit status: 0 every verdict is the expected one; 1 an unexpected verdict; 2 misuse; 3 undecided.
Start with:  leaselab gate";

#[derive(Subcommand)]
enum Verb {
    /// The CI gate: the whole catalogue within a budget, one summary, one exit status
    Gate(gate::Arguments),
    /// Paths through a scenario, chosen by seeds
    Simulate(simulate::Arguments),
    /// Every path through small worlds
    Check(check::Arguments),
    /// A recorded path, walked again and told as a story
    Replay(replay::Arguments),
    /// The same violation in fewer steps, as another trace
    Shrink(shrink::Arguments),
    /// What a host's daemon would have told at a moment of a trace, in sanlock's words
    Status(status::Arguments),
    /// Raw disk images: show one, format one, or work on its resource index
    #[command(subcommand)]
    Image(image::Arguments),
    /// Engines with one mistake each, and what finds them
    Mutants(mutants::Arguments),
    /// Scenarios, properties, faults, decisions, mutants and rare branches
    List(list::Arguments),
}

fn main() -> ExitCode {
    let mut screen = Screen::new();
    match run(&mut screen) {
        Ok(status) => ExitCode::from(status),
        Err(misuse) => {
            // Nobody may be listening there either.
            let _ = writeln!(std::io::stderr(), "leaselab: {misuse}");
            ExitCode::from(2)
        }
    }
}

fn run(screen: &mut Screen) -> Result<u8, Misuse> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are asked for, and no mistake.
        Err(told) if !told.use_stderr() => return screen.say(&told.render().to_string()).map(|()| 0),
        Err(error) => return Err(misuse_of(&error)),
    };
    match cli.verb {
        None => screen.say(&Cli::command().render_help().to_string()).map(|()| 0),
        Some(Verb::Gate(arguments)) => gate::run(&arguments, screen),
        Some(Verb::Simulate(arguments)) => simulate::run(&arguments, screen),
        Some(Verb::Check(arguments)) => check::run(&arguments, screen),
        Some(Verb::Replay(arguments)) => replay::run(&arguments, screen),
        Some(Verb::Shrink(arguments)) => shrink::run(&arguments, screen),
        Some(Verb::Status(arguments)) => status::run(&arguments, screen),
        Some(Verb::Image(arguments)) => image::run(&arguments, screen),
        Some(Verb::Mutants(arguments)) => mutants::run(&arguments, screen),
        Some(Verb::List(arguments)) => list::run(&arguments, screen),
    }
}

/// clap's paragraphs as one line.
fn misuse_of(error: &clap::Error) -> Misuse {
    let text = error.render().to_string();
    let what = text.split("\n\nUsage:").next().unwrap_or(&text);
    let what = what.strip_prefix("error: ").unwrap_or(what);
    let what = what.split("\n\nFor more information").next().unwrap_or(what);
    Misuse::new(format!("{} (leaselab help tells more)", what.split_whitespace().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
