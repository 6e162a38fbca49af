//! Traces: one run as a short text file. What an explorer chose binds; what came of it explains.
//!
//! ```text
//! # 1. A loses its path while it holds vm1. ...           the story, for people; it may be missing
//! leaselab trace 1                                         the format and its version
//! scenario power-loss
//! profile hardened
//! mutant B04a                                              a mistake that was put in; mostly missing
//! seed 17
//! verdict violated I-EX                                    or: holds, or: asserted
//! digest 0123456789abcdef                                  over everything that happened
//! actions 1234
//! limits within the tolerance: damage 0                    or: beyond it; what is not named is unlimited
//! | # The scenario in full, so that the file stands alone
//! | ...
//!
//! 0.000000 A power-on                                      a choice: moment in seconds, and an action
//!   # A is up, its clock shows 1000.000000                 happenings: indented, with a number sign
//! 300.000000 heal                                          a mark: liveness begins
//! 412.500000 rest                                          a mark: everything is quiet, and is judged
//! end                                                      without this line the file was cut off
//! ```
//!
//! The world is built from scenario, profile and seed ([`Case::new`]); everything after that is in the file. So a trace
//! needs no dice, and whoever changes how faults are drawn changes no trace.
//!
//! It refuses to guess: a line that is not understood is an error that says where, what was expected and what was
//! found. Lines that begin with a number sign are for people, in the head as in the body: they are kept, not read.

use crate::case::Case;
use crate::scenario::{ProfileName, Scenario};
use crate::simulate::{Outcome, Simulation, Verdict};
use lease_core::mutants::Mutant;
use model::history::Property;
use model::limits::Budget;
use model::setup::{ResourceIx, Setup};
use model::{Action, Happening, Instant, Limits, Sink};
use std::fmt;

/// The version of the format that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;

/// A run, written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// What people are told first, line by line.
    pub story: Vec<String>,
    /// The scenario in full.
    pub scenario: Scenario,
    /// The profile.
    pub profile: ProfileName,
    /// The mistake that was put into its hosts, if any.
    pub mutant: Option<Mutant>,
    /// The seed that the world is built from.
    pub seed: u64,
    /// What the run came to.
    pub verdict: Claim,
    /// The digest of everything that happened.
    pub digest: u64,
    /// How many actions were carried out.
    pub actions: u64,
    /// The fault model.
    pub limits: Limits,
    /// The run.
    pub lines: Vec<Line>,
    /// What the names in the lines stand for.
    setup: Setup,
}

/// A line of the body of a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// An explorer chose this. It binds.
    Choice {
        /// When.
        at: Instant,
        /// What.
        action: Action,
    },
    /// A point of the run that is no action. It binds.
    Mark {
        /// When.
        at: Instant,
        /// What.
        mark: Mark,
    },
    /// A line for people, as it stands in the file: a happening, a remark, or nothing.
    Note(String),
}

/// A point of a run that changes nothing in the world, but decides what must hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mark {
    /// Everything is healed: from here on, grants are counted.
    Heal,
    /// The time for the recovery is over, and this resource was not granted since.
    Late(ResourceIx),
    /// The time for the recovery is over, and a client still holds or waits for something.
    Restless,
    /// Everything is quiet, and nothing may be left behind.
    Rest,
}

/// A mark that no happening tells of, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marked {
    /// After so many actions.
    pub(crate) after: u64,
    pub(crate) at: Instant,
    pub(crate) mark: Mark,
}

/// What a trace says that its run came to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Claim {
    /// Every property held.
    Holds,
    /// This one did not.
    Violated(Property),
    /// The engine or the world asserted.
    Asserted,
}

impl Claim {
    /// What a verdict comes to, without its words.
    pub fn of(verdict: &Verdict) -> Claim {
        match verdict {
            Verdict::Holds => Claim::Holds,
            Verdict::Violated(violation) => Claim::Violated(violation.property),
            Verdict::Asserted { .. } => Claim::Asserted,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Holds => f.write_str("holds"),
            Claim::Violated(property) => write!(f, "violated {property}"),
            Claim::Asserted => f.write_str("asserted"),
        }
    }
}

/// A trace that does not say what it means: one line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct BadTrace {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What was expected, and what was found.
    pub what: String,
}

/// Runs a case and writes it down.
pub fn record(case: &Case<'_>) -> (Outcome, Trace) {
    record_with(case, &mut ())
}

/// Runs a case and writes it down; `sink` is told everything that happens, too.
pub fn record_with<S: Sink>(case: &Case<'_>, sink: &mut S) -> (Outcome, Trace) {
    let mut recorder = Recorder::new(&case.setup, sink);
    let mut simulation = Simulation::new(case, &mut recorder);
    simulation.run_until(u64::MAX);
    let marks = std::mem::take(&mut simulation.marks);
    let outcome = simulation.outcome();
    let trace = recorder.trace(case, &marks, &outcome.verdict, outcome.digest, outcome.actions);
    (outcome, trace)
}

/// The sink that writes a run down, and passes everything on.
pub(crate) struct Recorder<'a, S> {
    setup: &'a Setup,
    sink: &'a mut S,
    lines: Vec<Line>,
}

impl<'a, S: Sink> Recorder<'a, S> {
    pub(crate) fn new(setup: &'a Setup, sink: &'a mut S) -> Recorder<'a, S> {
        Recorder { setup, sink, lines: Vec::new() }
    }

    /// The trace of what was told, the marks put in their places.
    pub(crate) fn trace(
        self,
        case: &Case<'_>,
        marks: &[Marked],
        verdict: &Verdict,
        digest: u64,
        actions: u64,
    ) -> Trace {
        let mut lines = Vec::with_capacity(self.lines.len() + marks.len() + 1);
        let mut marks = marks.iter().peekable();
        let mut choices = 0;
        for line in self.lines {
            if matches!(line, Line::Choice { .. }) {
                while let Some(Marked { at, mark, .. }) = marks.next_if(|mark| mark.after == choices) {
                    lines.push(Line::Mark { at: *at, mark: *mark });
                }
                choices += 1;
            }
            lines.push(line);
        }
        lines.extend(marks.map(|Marked { at, mark, .. }| Line::Mark { at: *at, mark: *mark }));
        if !verdict.holds() {
            lines.push(Line::Note(format!("  # {}", one_line(&verdict.to_string()))));
        }
        Trace {
            story: Vec::new(),
            scenario: case.scenario.clone(),
            profile: case.profile,
            mutant: case.mutant,
            seed: case.seed,
            verdict: Claim::of(verdict),
            digest,
            actions,
            limits: case.limits,
            lines,
            setup: case.setup.clone(),
        }
    }
}

impl<S: Sink> Sink for Recorder<'_, S> {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        if *happening == Happening::AtRest {
            self.lines.push(Line::Mark { at, mark: Mark::Rest });
        }
        self.lines.push(match happening {
            Happening::Chosen(action) => Line::Choice { at, action: action.clone() },
            other => Line::Note(format!("  # {}", one_line(&other.text(self.setup)))),
        });
        self.sink.happening(at, happening);
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

impl Trace {
    /// The case that the trace is of: its world, before anything happened.
    pub fn case(&self) -> Case<'_> {
        let mut case = Case::new(&self.scenario, self.profile, self.seed).with(self.mutant);
        case.limits = self.limits;
        case
    }

    /// The same choices in another version of its scenario: one with other decisions.
    pub(crate) fn under(&self, scenario: Scenario) -> Trace {
        Trace { scenario, ..self.clone() }
    }

    /// The lines that bind, without what explains them: what is left to an explorer that takes steps away.
    pub fn binding(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !matches!(line, Line::Note(_)))
    }

    /// One line of the body as it stands in the file.
    pub fn line_text(&self, line: &Line) -> String {
        match line {
            Line::Choice { at, action } => format!("{at} {}", action.text(&self.setup)),
            Line::Mark { at, mark } => format!("{at} {}", mark.text(&self.setup)),
            Line::Note(text) => text.clone(),
        }
    }

    /// Reads a trace. `file` is only told in errors.
    ///
    /// # Errors
    ///
    /// One line that says where, what was expected and what was found.
    ///
    /// ```
    /// let error = scenarios::Trace::parse("cut.trace", "leaselab trace 7\n").unwrap_err();
    /// assert_eq!(error.to_string(), r#"cut.trace:1: expected "leaselab trace 1", found "leaselab trace 7""#);
    /// ```
    pub fn parse(file: &str, text: &str) -> Result<Trace, BadTrace> {
        Parser { file, lines: text.split('\n').collect(), next: 0 }.trace()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{}", if line.is_empty() { "#".to_owned() } else { format!("# {line}") })?;
        }
        writeln!(f, "leaselab trace {VERSION}")?;
        writeln!(f, "scenario {}", self.scenario.name)?;
        writeln!(f, "profile {}", self.profile)?;
        if let Some(mutant) = self.mutant {
            writeln!(f, "mutant {}", mutant.name())?;
        }
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "verdict {}", self.verdict)?;
        writeln!(f, "digest {:016x}", self.digest)?;
        writeln!(f, "actions {}", self.actions)?;
        writeln!(f, "limits {}", limits_text(&self.limits))?;
        for line in self.scenario.text.strip_suffix('\n').unwrap_or(&self.scenario.text).split('\n') {
            writeln!(f, "{}", if line.is_empty() { "|".to_owned() } else { format!("| {line}") })?;
        }
        writeln!(f)?;
        for line in &self.lines {
            writeln!(f, "{}", self.line_text(line))?;
        }
        writeln!(f, "end")
    }
}

impl Mark {
    fn text(self, setup: &Setup) -> String {
        match self {
            Mark::Heal => "heal".to_owned(),
            Mark::Late(resource) => format!("late {}", resource_text(setup, resource)),
            Mark::Restless => "restless".to_owned(),
            Mark::Rest => "rest".to_owned(),
        }
    }

    fn parse(text: &str, setup: &Setup) -> Option<Mark> {
        let late = || {
            let named = text.strip_prefix("late ")?;
            let mut all = (0..setup.resources.len()).map(|index| ResourceIx(index as u8));
            all.find(|resource| resource_text(setup, *resource) == named).map(Mark::Late)
        };
        match text {
            "heal" => Some(Mark::Heal),
            "restless" => Some(Mark::Restless),
            "rest" => Some(Mark::Rest),
            _ => late(),
        }
    }
}

/// A resource with its lockspace: `ls:vm1`.
pub(crate) fn resource_text(setup: &Setup, resource: ResourceIx) -> String {
    let resource = &setup.resources[usize::from(resource.0)];
    format!("{}:{}", setup.lockspaces[usize::from(resource.lockspace.0)].name, resource.name)
}

const WITHIN: &str = "within the tolerance";
const BEYOND: &str = "beyond the tolerance";

/// The mode, and the budgets that are not unlimited: `within the tolerance: crashes 1, damage 0`.
pub fn limits_text(limits: &Limits) -> String {
    let mut text = if limits.within_tolerance { WITHIN } else { BEYOND }.to_owned();
    let mut separator = ": ";
    for budget in Budget::ALL {
        let most = limits.of(budget);
        if most != u32::MAX {
            text += &format!("{separator}{budget} {most}");
            separator = ", ";
        }
    }
    text
}

fn parse_limits(text: &str) -> Option<Limits> {
    let (mode, budgets) = text.split_once(": ").map_or((text, None), |(mode, budgets)| (mode, Some(budgets)));
    let within_tolerance = match mode {
        WITHIN => true,
        BEYOND => false,
        _ => return None,
    };
    let mut limits = Limits { within_tolerance, damage: u32::MAX, ..Limits::TOLERANCE };
    for entry in budgets.into_iter().flat_map(|budgets| budgets.split(", ")) {
        let (name, number) = entry.split_once(' ')?;
        let budget = Budget::ALL.into_iter().find(|budget| budget.name() == name)?;
        *limits.of_mut(budget) = number.parse().ok()?;
    }
    Some(limits)
}

/// Seconds with six decimals, as [`Instant`] shows them.
pub(crate) fn parse_moment(text: &str) -> Option<Instant> {
    let (seconds, micros) = text.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(micros) || micros.len() != 6 {
        return None;
    }
    let whole = seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?;
    Some(Instant(whole.checked_add(micros.parse().ok()?)?))
}

struct Parser<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    /// Index of the line that is read next.
    next: usize,
}

impl<'a> Parser<'a> {
    fn trace(&mut self) -> Result<Trace, BadTrace> {
        let mut story = Vec::new();
        while let Some(line) = self.peek().and_then(|line| line.strip_prefix('#')) {
            story.push(line.strip_prefix(' ').unwrap_or(line).to_owned());
            self.next += 1;
        }
        let first = format!("leaselab trace {VERSION}");
        if self.peek() != Some(&first) {
            return Err(self.bad(&format!("{first:?}")));
        }
        self.next += 1;
        let name = self.field("scenario", "a name", |text| (!text.is_empty()).then(|| text.to_owned()))?;
        let profile = self.field("profile", "sanlock_3_8_5 or hardened", |text| text.parse().ok())?;
        let mutant = self.mutant()?;
        let seed = self.field("seed", "a number", |text| text.parse().ok())?;
        let claims = "holds, asserted or violated and a property";
        let verdict = self.field("verdict", claims, |text| match text {
            "holds" => Some(Claim::Holds),
            "asserted" => Some(Claim::Asserted),
            _ => Property::from_id(text.strip_prefix("violated ")?).map(Claim::Violated),
        })?;
        let digest = self.field("digest", "16 hexadecimal digits", |text| {
            (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?
        })?;
        let actions = self.field("actions", "a number", |text| text.parse().ok())?;
        let limits_line = self.next;
        let limits = format!("\"{WITHIN}\" or \"{BEYOND}\" and budgets like \"crashes 1, cuts 2\"");
        let limits = self.field("limits", &limits, parse_limits)?;
        let scenario = self.scenario(&name)?;

        let mut case = Case::new(&scenario, profile, seed).with(mutant);
        case.limits = limits;
        if let Err(what) = case.setup.check(&limits) {
            return Err(self.bad_at(limits_line, format!("limits that the scenario keeps: {what}")));
        }
        let setup = case.setup;
        let lines = self.body(&setup)?;
        Ok(Trace { story, scenario, profile, mutant, seed, verdict, digest, actions, limits, lines, setup })
    }

    /// The mistake that was put in, if the trace is of one.
    fn mutant(&mut self) -> Result<Option<Mutant>, BadTrace> {
        if !self.peek().is_some_and(|line| line.starts_with("mutant ")) {
            return Ok(None);
        }
        if !cfg!(feature = "mutants") {
            return Err(self.bad("an engine as it is (this program was built without the feature mutants)"));
        }
        self.field("mutant", "the name of a mutant (leaselab list)", Mutant::from_name).map(Some)
    }

    /// One line of the head: a key and a value.
    fn field<T>(&mut self, key: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, BadTrace> {
        let value = self.peek().and_then(|line| line.strip_prefix(key)?.strip_prefix(' '));
        match value.and_then(read) {
            Some(value) => {
                self.next += 1;
                Ok(value)
            }
            None => Err(self.bad(&format!("\"{key}\" and {expected}"))),
        }
    }

    fn scenario(&mut self, name: &str) -> Result<Scenario, BadTrace> {
        let first = self.next;
        let mut text = String::new();
        while let Some(line) = self.peek().and_then(|line| line.strip_prefix('|')) {
            let Some(line) = line.strip_prefix(' ').or_else(|| line.is_empty().then_some(line)) else {
                return Err(self.bad("a line of the scenario: \"| \" and its text"));
            };
            text += line;
            text.push('\n');
            self.next += 1;
        }
        if text.is_empty() {
            return Err(self.bad("the scenario, each line after \"| \""));
        }
        let scenario = Scenario::parse(name, self.file, &text);
        let scenario = scenario.map_err(|bad| BadTrace { file: bad.file, line: first + bad.line, what: bad.what })?;
        if self.peek() != Some("") || self.next + 1 == self.lines.len() {
            return Err(self.bad("an empty line after the scenario"));
        }
        self.next += 1;
        Ok(scenario)
    }

    fn body(&mut self, setup: &Setup) -> Result<Vec<Line>, BadTrace> {
        let mut lines = Vec::new();
        let mut now = Instant::START;
        while let Some(line) = self.peek() {
            if line == "end" {
                self.next += 1;
                // Whoever edits a file by hand may leave empty lines behind it.
                while self.peek() == Some("") {
                    self.next += 1;
                }
                return match self.peek() {
                    None => Ok(lines),
                    Some(_) => Err(self.bad("nothing after \"end\"")),
                };
            }
            let text = line.trim_start();
            if text.starts_with('#') || (text.is_empty() && self.next + 1 < self.lines.len()) {
                lines.push(Line::Note(line.to_owned()));
                self.next += 1;
                continue;
            }
            if text.is_empty() {
                break;
            }
            let Some((at, text)) = line.split_once(' ').and_then(|(at, text)| Some((parse_moment(at)?, text))) else {
                return Err(self.bad("a moment with six decimals and an action, or \"end\""));
            };
            if at < now {
                return Err(self.bad(&format!("a moment that is not before {now}")));
            }
            now = at;
            lines.push(match Mark::parse(text, setup) {
                Some(mark) => Line::Mark { at, mark },
                None => match Action::parse(text, setup) {
                    Ok(action) => Line::Choice { at, action },
                    Err(why) => return Err(self.bad_at(self.next, why.to_string())),
                },
            });
            self.next += 1;
        }
        Err(self.bad("\"end\" as the last line (the file was cut off)"))
    }

    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.next).copied()
    }

    /// The next line is not what it should be.
    fn bad(&self, expected: &str) -> BadTrace {
        let found = match self.peek() {
            // What is behind the last line feed is no line.
            None => "the end of the file".to_owned(),
            Some("") if self.next + 1 == self.lines.len() => "the end of the file".to_owned(),
            Some(line) if line.chars().count() > 100 => format!("{:?}...", line.chars().take(100).collect::<String>()),
            Some(line) => format!("{line:?}"),
        };
        self.bad_at(self.next, format!("expected {expected}, found {found}"))
    }

    fn bad_at(&self, index: usize, what: String) -> BadTrace {
        BadTrace { file: self.file.to_owned(), line: index + 1, what }
    }
}
