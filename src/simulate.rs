//! `simulate`: paths through scenarios, chosen by seeds.

mod until_safe;

use crate::arguments::{Jobs, ResultFiles, duration, seeds};
use crate::campaigns::{self, Reach, Seeds, Subject};
use crate::canary;
use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::selection::{self, Kind};
use crate::telling::{Traces, recorded, tell};
use clap::Args;
use lease_core::seam::DiskId;
use model::world::World;
use reports::results::{Judged, Standing, worst};
use reports::{json, junit, table};
use scenarios::{Case, Claim, Line, ProfileName, Scenario, Trace};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Seeds of each scenario if neither seeds nor a budget are given.
const USUAL_SEEDS: Range<u64> = 0..100;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Scenario files, folders or names of the catalogue; the whole catalogue if none is given
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Which engine: sanlock_3_8_5 or hardened
    #[arg(long, value_name = "P", default_value = "hardened", value_parser = str::parse::<ProfileName>)]
    profile: ProfileName,
    /// One seed, to be told what it does
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "budget"])]
    seed: Option<u64>,
    /// A range of seeds, B left out; 0..100 if there is no budget either
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Range<u64>>,
    #[command(flatten)]
    jobs: Jobs,
    /// Stop after this time (60s, 5m); without --seeds, run as many seeds as it has room for
    #[arg(long, value_name = "D", value_parser = duration)]
    budget: Option<Duration>,
    /// Write the trace of a violation, or of the one seed: to a file, or to SCENARIO-SEED.trace in a folder (here)
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".")]
    trace: Option<PathBuf>,
    /// Write what stands on the disk at the end, as a raw image (one scenario, one seed)
    #[arg(long, value_name = "FILE", requires = "seed")]
    keep_image: Option<PathBuf>,
    #[command(flatten)]
    until_safe: until_safe::UntilSafe,
    #[command(flatten)]
    files: ResultFiles,
    /// Judge nothing, to see that a campaign without eyes is red
    #[arg(long, conflicts_with = "seed")]
    blind: bool,
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let scenarios = selection::scenarios(&arguments.scenarios, Kind::Stories)?;
    if arguments.until_safe.until_safe {
        let seeds = arguments.seeds.clone().unwrap_or(USUAL_SEEDS);
        return until_safe::run(&scenarios, seeds, arguments, screen);
    }
    let traces = Traces::new(arguments.trace.as_deref())?;
    let image = arguments.keep_image.as_deref().map(Destination::new).transpose()?;
    let outputs = Outputs::new(&arguments.files)?;
    match (&traces, &image, &scenarios[..]) {
        (Traces::File(_), _, [_, _, ..]) => {
            return Err(Misuse::new("--trace FILE: expected one scenario, found several (a folder takes all of them)"));
        }
        (_, Some(_), [_, _, ..]) => return Err(Misuse::new("--keep-image: expected one scenario, found several")),
        _ => {}
    }
    let profile = arguments.profile;
    if let (Some(_), [scenario]) = (&image, &scenarios[..]) {
        check_layout(scenario)?;
    }
    let seeds = match (arguments.seed, &arguments.seeds, arguments.budget) {
        (Some(seed), ..) => Seeds::One(seed),
        (None, Some(range), _) => Seeds::Range(range.clone()),
        (None, None, Some(_)) => Seeds::From(USUAL_SEEDS.start),
        (None, None, None) => Seeds::Range(USUAL_SEEDS),
    };
    let subjects = scenarios.iter().map(|scenario| Subject { scenario, profile }).collect::<Vec<_>>();
    let reach = Reach {
        seeds,
        budget: arguments.budget,
        jobs: arguments.jobs.number(),
        together: false,
        blind: arguments.blind,
    };
    // One seed is run to be told what it does; only silence needs a witness.
    let canaries = match arguments.seed {
        Some(_) => Vec::new(),
        None => canary::run(&[profile], reach.jobs, reach.blind),
    };
    let mut judged = campaigns::run(&subjects, &reach);
    screen.say(&table::campaigns(&judged))?;
    for (judged, scenario) in judged.iter_mut().zip(&scenarios) {
        tell(judged, scenario, profile, &traces, screen)?;
    }
    if let (Some(seed), [scenario], [judged]) = (arguments.seed, &scenarios[..], &mut judged[..])
        && judged.counts.seeds == 1
    {
        one_seed(&Case::new(scenario, profile, seed), judged, &traces, image.as_ref(), screen)?;
    }
    screen.say("\n")?;
    screen.say(&canary::told(&canaries))?;
    // It is a result only if it lives.
    judged.extend(canaries.into_iter().filter(|judged| judged.standing != Standing::Expected));
    screen.say(&table::summary(&judged))?;
    outputs.write(&judged)?;
    Ok(worst(&judged).exit_status())
}

/// What is asked of one seed beside its verdict: its trace, even if nothing was violated, and its disk.
fn one_seed(
    case: &Case<'_>,
    judged: &mut Judged,
    traces: &Traces,
    image: Option<&Destination>,
    screen: &mut Screen,
) -> Result<(), Misuse> {
    let wants_trace = judged.trace.is_none() && !matches!(traces, Traces::None);
    if !wants_trace && image.is_none() {
        return Ok(());
    }
    let trace = recorded(case);
    if wants_trace {
        judged.trace = traces.write(&trace)?;
    }
    if let Some(file) = &judged.trace {
        screen.say(&format!("trace: {file}\n"))?;
    }
    if let Some(image) = image {
        keep_image(case, &trace, image)?;
        screen.say(&format!("image: {}\n", image.path().display()))?;
    }
    Ok(())
}

/// Areas from the start of the disk on, without gaps: so an image needs no map beside it to be read.
fn check_layout(scenario: &Scenario) -> Result<(), Misuse> {
    let lockspaces = scenario.lockspaces.iter().map(|area| (&area.name, area.offset, area.geometry));
    let areas = lockspaces.chain(scenario.resources.iter().map(|area| (&area.name, area.offset, area.geometry)));
    let mut next = 0;
    for (name, offset, geometry) in areas {
        if offset != next {
            return Err(Misuse::new(format_args!(
                "{}: expected areas without gaps for an image, lockspaces first: {name} at byte {next}, found it at {offset}",
                scenario.file
            )));
        }
        next += geometry.align();
    }
    for index in &scenario.indices {
        if index.offset != next {
            return Err(Misuse::new(format_args!(
                "{}: expected areas without gaps for an image: an index at byte {next}, found it at {}",
                scenario.file, index.offset
            )));
        }
        next += (2 + u64::from(index.max_resources)) * scenario.geometry.align();
    }
    Ok(())
}

/// Writes the platter of disk 0 as it is at the end of the run, sparse.
fn keep_image(case: &Case<'_>, trace: &Trace, image: &Destination) -> Result<(), Misuse> {
    if trace.verdict == Claim::Asserted {
        return Err(Misuse::new("--keep-image: expected a run that comes to an end, found an assertion"));
    }
    let mut world = World::new(Arc::new(case.setup.clone()), case.limits);
    for line in &trace.lines {
        if let Line::Choice { at, action } = line {
            world.step(*at, action, &mut ()).expect("the same world, asked for the same");
            world.notices();
        }
    }
    let platter = world.disk(DiskId(0)).platter();
    image.write(|file| {
        file.set_len(platter.size())?;
        for (offset, bytes) in platter.pieces() {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)?;
        }
        Ok(())
    })
}

/// The files that results go to.
pub(crate) struct Outputs {
    json: Option<Destination>,
    junit: Option<Destination>,
}

impl Outputs {
    pub(crate) fn new(files: &ResultFiles) -> Result<Outputs, Misuse> {
        Ok(Outputs {
            json: files.json.as_deref().map(Destination::new).transpose()?,
            junit: files.junit.as_deref().map(Destination::new).transpose()?,
        })
    }

    pub(crate) fn write(&self, judged: &[Judged]) -> Result<(), Misuse> {
        if let Some(destination) = &self.json {
            destination.write_text(&json::results(judged))?;
        }
        if let Some(destination) = &self.junit {
            destination.write_text(&junit::results(judged))?;
        }
        Ok(())
    }
}
