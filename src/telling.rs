//! A violation, told: a story, the file it was written to, and the one command that shows it again.

use crate::misuse::Misuse;
use crate::screen::{Destination, Screen};
use crate::selection::{quoted, word};
use reports::results::Judged;
use reports::story::Story;
use scenarios::{Case, ProfileName, Scenario, Trace, record_with, replay};
use std::path::{Path, PathBuf};

/// Where traces go.
pub(crate) enum Traces {
    /// Nowhere.
    None,
    /// To files with the names of their runs, in this folder.
    Folder(PathBuf),
    /// To this file.
    File(Destination),
}

impl Traces {
    /// `path` is what the user said, or nothing for "here".
    pub(crate) fn new(path: Option<&Path>) -> Result<Traces, Misuse> {
        match path {
            None => Ok(Traces::None),
            Some(path) if path.is_dir() => Ok(Traces::Folder(path.to_owned())),
            Some(path) => Ok(Traces::File(Destination::new(path)?)),
        }
    }

    /// Writes a trace; returns the name of the file, if there is one.
    pub(crate) fn write(&self, trace: &Trace) -> Result<Option<String>, Misuse> {
        let own;
        let destination = match self {
            Traces::None => return Ok(None),
            Traces::File(destination) => destination,
            Traces::Folder(folder) => {
                let name = format!("{}-{}.trace", trace.scenario.name, trace.seed);
                own = Destination::new(&if folder == Path::new(".") { name.into() } else { folder.join(name) })?;
                &own
            }
        };
        destination.write_text(&trace.to_string())?;
        Ok(Some(destination.path().display().to_string()))
    }
}

/// Runs a seed again and writes it down, with its story in the head.
pub(crate) fn recorded(case: &Case<'_>) -> Trace {
    let mut story = Story::new(&case.setup);
    let (outcome, mut trace) = record_with(case, &mut story);
    trace.story = story.lines(&outcome.verdict);
    trace
}

/// Puts the story of a trace into its head, as it goes today.
pub(crate) fn retell(trace: &mut Trace) {
    let case = trace.case();
    let mut story = Story::new(&case.setup);
    let replayed = replay(trace, &case, &mut story);
    trace.story = story.lines(&replayed.verdict);
}

/// Tells the violation of a campaign, if it has one, and writes its trace.
pub(crate) fn tell(
    judged: &mut Judged,
    scenario: &Scenario,
    profile: ProfileName,
    traces: &Traces,
    screen: &mut Screen,
) -> Result<(), Misuse> {
    let (Some(property), Some(seed)) = (&judged.property, judged.seed) else { return Ok(()) };
    let trace = recorded(&Case::new(scenario, profile, seed));
    judged.trace = traces.write(&trace)?;
    let mut text = format!("\n{} ({profile}), seed {seed}: {property}\n", scenario.name);
    for line in &trace.story {
        text += &format!("  {line}\n");
    }
    text += &again(judged, scenario, profile).unwrap_or_default();
    screen.say(&text)
}

/// The command that shows a violation again, if there is one.
pub(crate) fn again(judged: &Judged, scenario: &Scenario, profile: ProfileName) -> Option<String> {
    judged.property.as_ref()?;
    Some(match &judged.trace {
        Some(file) => format!("Again: leaselab replay {}\n", quoted(file)),
        None => format!("Again: leaselab simulate {} --profile {profile} --seed {}\n", word(scenario), judged.seed?),
    })
}
