//! Every violation of a world, one after another: each is told, the decision is found that closes it, and the search
//! begins again with that decision taken, until the world is complete.
//!
//! So one finding does not hide the next. What closes a finding is found by trying, never by knowing: whatever decisions
//! of `hardened` make the shortest violation longest, singly, then in pairs, then as many of them as it takes. Before a
//! search is made of it, the ways to violations that are known are walked again with the decisions taken: where one is
//! still open, nothing is closed, and no search is needed to see it. In the end decisions are left out again that others
//! made superfluous, and it is climbed anew without them.
//!
//! It refuses to call a world safe of which it did not see the end, and to look at the time: whoever wants it to stop
//! raises the flag.

use super::{Followed, follow_to};
use crate::case::Case;
use crate::decisions::Decisions;
use crate::panics::all_quietly;
use crate::scenario::{ProfileName, Scenario};
use crate::trace::Trace;
use model::checker::ballots::Ballots;
use model::checker::plan::Plan;
use model::checker::search::{Options, Order, Path, Progress, Stop, explore};
use model::checker::timed::Timed;
use model::checker::{Finding, Space};
use model::setup::Setup;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What each of the searches may take.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// Different states; `None`: as many as the scenario allows.
    pub states: Option<u64>,
    /// Memory.
    pub max_bytes: u64,
    /// Ends the search under way, and all that were to come.
    pub stop: &'a AtomicBool,
    /// Is told how far the search under way is, and with which decisions it is made.
    pub progress: &'a (dyn Fn(&[&str], &Progress) + Sync),
}

/// The violations of one world under `sanlock_3_8_5`, the first ones closed.
#[derive(Debug)]
pub struct Ladder {
    /// The name of the world.
    pub world: String,
    /// What it consists of, a line each.
    pub words: Vec<String>,
    /// Decisions that were taken from the beginning.
    pub given: Vec<String>,
    /// What was found, one after another.
    pub rungs: Vec<Rung>,
    /// What came of the last search, with the decisions of all rungs taken.
    pub end: End,
    /// What comes of the same search with `hardened`.
    pub hardened: End,
}

/// A violation, and what closes it.
#[derive(Debug)]
pub struct Rung {
    /// The property, or `assertion`.
    pub property: &'static str,
    /// What is wrong, in a sentence.
    pub what: String,
    /// Each step of a shortest way there.
    pub steps: Vec<String>,
    /// Where it leads.
    pub state: Vec<String>,
    /// The same way as an ordinary run, or why the simulator's world does not go it.
    pub walked: Result<Box<Trace>, String>,
    /// The decisions that close it. None: no decision of `hardened` does.
    pub closed_by: Vec<&'static str>,
    /// Others that would do as well.
    pub or_by: Vec<Vec<&'static str>>,
}

/// What came of a search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every state was seen, and nothing is wrong in any of so many.
    Complete(u64),
    /// Nothing is wrong in so many states, and there are more.
    Cut {
        /// Different states that were seen.
        states: u64,
        /// How many steps they reach from the beginning.
        depth: u64,
        /// What ended it.
        why: String,
    },
    /// Something is wrong, so many steps from the beginning.
    Found(usize),
}

/// Finds the violations of a world and what closes them.
///
/// # Errors
///
/// In a line, if the cluster of the scenario cannot be such a world, or if it has no `[check]` part.
pub fn until_safe(scenario: &Scenario, bounds: &Bounds<'_>) -> Result<Ladder, String> {
    let check = scenario.check.as_ref().ok_or_else(|| format!("{}: expected a [check] part", scenario.file))?;
    all_quietly(|| match check.plan {
        Plan::Ballots(plan) => climb(scenario, bounds, |setup| Ballots::new(setup, plan)),
        Plan::HostIds(plan) => climb(scenario, bounds, |setup| Ok(Timed::host_ids(setup, plan))),
        Plan::Leases(plan) => climb(scenario, bounds, |setup| Ok(Timed::leases(setup, plan))),
    })
}

/// A way through a space, without the rows of that space: it can be tried in another one.
struct Way<S: Space> {
    start: usize,
    actions: Vec<S::Action>,
}

/// What a search saw.
enum Seen<S: Space> {
    Found(Way<S>),
    Nothing(End),
}

impl<S: Space> Seen<S> {
    /// How far the beginning is from anything wrong, as far as is known.
    fn distance(&self) -> u64 {
        match self {
            Seen::Found(way) => way.actions.len() as u64,
            Seen::Nothing(End::Cut { depth, .. }) => *depth,
            Seen::Nothing(_) => u64::MAX,
        }
    }

    fn end(&self) -> End {
        match self {
            Seen::Found(way) => End::Found(way.actions.len()),
            Seen::Nothing(end) => end.clone(),
        }
    }
}

struct Climber<'a, F> {
    scenario: &'a Scenario,
    bounds: &'a Bounds<'a>,
    build: F,
}

fn climb<S: Space, F: Fn(Arc<Setup>) -> Result<S, String>>(
    scenario: &Scenario,
    bounds: &Bounds<'_>,
    build: F,
) -> Result<Ladder, String> {
    let climber = Climber { scenario, bounds, build };
    let check = scenario.check.as_ref().expect("looked at before");
    let given = scenario.decisions.with.clone();
    let mut left = Decisions::names().filter(|name| !given.iter().any(|given| given == name)).collect::<Vec<_>>();
    let mut climbed = climber.up(&left)?;
    // A decision that only put a violation off, until others closed it, is none that closes it.
    let idle = climber.idle(&climbed)?;
    if !idle.is_empty() {
        left.retain(|name| !idle.contains(name));
        climbed = climber.up(&left)?;
    }
    let case = Case::new(scenario, ProfileName::Hardened, 0);
    let space = climber.space(&case)?;
    let hardened = climber.explore(&space, &["hardened"]).end();
    let mut words = check.words(&case.setup);
    words.extend(space.bounds().iter().map(|bound| bound.told(matches!(hardened, End::Complete(_)))));
    let (rungs, end) = (climbed.rungs, climbed.seen.end());
    Ok(Ladder { world: scenario.name.clone(), words, given, rungs, end, hardened })
}

/// The rungs, the way to each, the decisions of all of them, and what is seen from the top.
struct Climbed<S: Space> {
    rungs: Vec<Rung>,
    ways: Vec<Way<S>>,
    taken: Vec<&'static str>,
    seen: Seen<S>,
}

/// What closes a finding, and what is seen then.
struct Closing<S: Space> {
    decisions: Vec<&'static str>,
    as_well: Vec<Vec<&'static str>>,
    seen: Seen<S>,
}

impl<S: Space, F: Fn(Arc<Setup>) -> Result<S, String>> Climber<'_, F> {
    /// From finding to finding, with these decisions to be taken.
    fn up(&self, left: &[&'static str]) -> Result<Climbed<S>, String> {
        let mut climbed = Climbed { rungs: Vec::new(), ways: Vec::new(), taken: Vec::new(), seen: self.look(&[])? };
        loop {
            let way = match climbed.seen {
                Seen::Found(way) => way,
                Seen::Nothing(_) => return Ok(climbed),
            };
            let taken = &mut climbed.taken;
            let left = left.iter().copied().filter(|name| !taken.contains(name)).collect::<Vec<_>>();
            let closing = self.closing(&way, taken, &left)?;
            let rung = self.tell(&way, taken)?;
            let Some(closing) = closing else {
                climbed.rungs.push(rung);
                climbed.seen = Seen::Found(way);
                return Ok(climbed);
            };
            // Where several are needed, for there are several ways of one length, each of these is told.
            let alone = match closing.decisions.len() {
                1 => None,
                _ => self.first_that_closes(&way, taken, &closing.decisions)?,
            };
            let (closed_by, or_by, seen) = match alone {
                Some(name) => (vec![name], Vec::new(), self.look(&[taken, &[name][..]].concat())?),
                None => (closing.decisions, closing.as_well, closing.seen),
            };
            taken.extend(&closed_by);
            climbed.rungs.push(Rung { closed_by, or_by, ..rung });
            climbed.ways.push(way);
            climbed.seen = seen;
        }
    }

    /// The first of several decisions with which this way alone is closed, whatever others there are.
    fn first_that_closes(
        &self,
        way: &Way<S>,
        taken: &[&'static str],
        decisions: &[&'static str],
    ) -> Result<Option<&'static str>, String> {
        for name in decisions {
            if !self.is_open(way, &[taken, &[*name][..]].concat())? {
                return Ok(Some(*name));
            }
        }
        Ok(None)
    }

    /// The decisions without which the world would be as complete. All of them can be left out together.
    fn idle(&self, climbed: &Climbed<S>) -> Result<Vec<&'static str>, String> {
        let mut idle: Vec<&'static str> = Vec::new();
        if !matches!(climbed.seen, Seen::Nothing(End::Complete(_))) {
            return Ok(idle);
        }
        for name in &climbed.taken {
            let gone = |other: &&str| *other == *name || idle.contains(other);
            let fewer = climbed.taken.iter().copied().filter(|other| !gone(other)).collect::<Vec<_>>();
            let mut open = false;
            for way in &climbed.ways {
                open = open || self.is_open(way, &fewer)?;
            }
            if !open && matches!(self.look(&fewer)?, Seen::Nothing(End::Complete(_))) {
                idle.push(*name);
            }
        }
        Ok(idle)
    }

    fn with<R>(&self, decisions: &[&str], work: impl FnOnce(&S, &Case<'_>) -> R) -> Result<R, String> {
        let more =
            Decisions { with: decisions.iter().map(|name| (*name).to_owned()).collect(), ..Decisions::default() };
        let scenario = match decisions {
            [] => self.scenario.clone(),
            _ => self.scenario.with_decisions(&more)?,
        };
        let case = Case::new(&scenario, ProfileName::Sanlock385, 0);
        Ok(work(&self.space(&case)?, &case))
    }

    fn space(&self, case: &Case<'_>) -> Result<S, String> {
        let bad = |what| format!("{}: {what}", self.scenario.file);
        case.setup.check(&case.limits).map_err(bad)?;
        (self.build)(Arc::new(case.setup.clone())).map_err(bad)
    }

    fn look(&self, decisions: &[&str]) -> Result<Seen<S>, String> {
        self.with(decisions, |space, _| self.explore(space, decisions))
    }

    fn explore(&self, space: &S, decisions: &[&str]) -> Seen<S> {
        let options = Options {
            threads: 1,
            order: Order::BreadthFirst,
            max_bytes: Some(self.bounds.max_bytes),
            max_states: self.bounds.states.or(self.scenario.check.as_ref().and_then(|check| check.states)),
            first_finding_only: true,
        };
        let progress = |progress: &Progress| (self.bounds.progress)(decisions, progress);
        let outcome = explore(space, &options, &progress, self.bounds.stop);
        if let Some(path) = outcome.findings.into_iter().find_map(|found| found.path) {
            let start = space.initial().iter().position(|state| *state == path.start);
            return Seen::Found(Way { start: start.expect("a path begins at a beginning"), actions: path.actions });
        }
        Seen::Nothing(match outcome.stopped {
            None => End::Complete(outcome.unique),
            Some(Stop::States) => {
                let why = "the bound of states".to_owned();
                End::Cut { states: outcome.unique, depth: outcome.deepest.unwrap_or(0), why }
            }
            Some(stop) => {
                End::Cut { states: outcome.unique, depth: outcome.deepest.unwrap_or(0), why: stop.to_string() }
            }
        })
    }

    /// Whether a way leads to something wrong still.
    fn is_open(&self, way: &Way<S>, decisions: &[&str]) -> Result<bool, String> {
        self.with(decisions, |space, _| {
            let mut state = space.initial()[way.start];
            let mut enabled = Vec::new();
            for action in &way.actions {
                if space.finding(&state).is_some() {
                    return true;
                }
                enabled.clear();
                space.actions(&state, &mut enabled);
                let next = enabled.contains(action).then(|| space.next(&state, *action)).flatten();
                let Some(next) = next else { return false };
                state = next;
            }
            space.finding(&state).is_some()
        })
    }

    /// Searches with more decisions taken, unless a known way says that nothing is gained. What is gained is a violation
    /// farther away, or none.
    fn gains(&self, known: &mut Vec<Way<S>>, decisions: &[&'static str]) -> Result<Option<Seen<S>>, String> {
        for way in known.iter() {
            if self.is_open(way, decisions)? {
                return Ok(None);
            }
        }
        let seen = self.look(decisions)?;
        if seen.distance() > known[0].actions.len() as u64 {
            return Ok(Some(seen));
        }
        if let Seen::Found(way) = seen {
            known.push(way);
        }
        Ok(None)
    }

    fn closing(
        &self,
        way: &Way<S>,
        taken: &[&'static str],
        left: &[&'static str],
    ) -> Result<Option<Closing<S>>, String> {
        let mut known = vec![Way { start: way.start, actions: way.actions.clone() }];
        let singles = left.iter().map(|name| vec![*name]).collect::<Vec<_>>();
        let pairs = left.iter().enumerate().flat_map(|(at, one)| left[at + 1..].iter().map(|two| vec![*one, *two]));
        for sets in [singles, pairs.collect()] {
            let mut best: Option<Closing<S>> = None;
            for set in sets {
                let Some(seen) = self.gains(&mut known, &[taken, &set].concat())? else { continue };
                match &mut best {
                    Some(best) if seen.distance() == best.seen.distance() => best.as_well.push(set),
                    Some(best) if seen.distance() < best.seen.distance() => {}
                    _ => best = Some(Closing { decisions: set, as_well: Vec::new(), seen }),
                }
            }
            if best.is_some() {
                return Ok(best);
            }
        }
        // More than two: all of them, one after another, until it is closed, and then without those it does not take.
        let mut set = Vec::new();
        let mut seen = None;
        for name in left {
            set.push(*name);
            seen = self.gains(&mut known, &[taken, &set].concat())?;
            if seen.is_some() {
                break;
            }
        }
        let Some(mut seen) = seen else { return Ok(None) };
        for name in set.clone() {
            let fewer = set.iter().copied().filter(|other| *other != name).collect::<Vec<_>>();
            if let Some(other) = self.gains(&mut known, &[taken, &fewer].concat())? {
                (set, seen) = (fewer, other);
            }
        }
        Ok(Some(Closing { decisions: set, as_well: Vec::new(), seen }))
    }

    /// A finding in words and as an ordinary run; what closes it is left open.
    fn tell(&self, way: &Way<S>, taken: &[&str]) -> Result<Rung, String> {
        self.with(taken, |space, case| {
            let start = space.initial()[way.start];
            let found = Path { start, actions: way.actions.clone() };
            let Followed { path, walked } = follow_to(space, &found, case, &mut ());
            let walked = walked.map(|(_, trace)| Box::new(trace)).map_err(|lost| lost.to_string());
            let mut state = path.start;
            let mut steps = Vec::with_capacity(path.actions.len());
            for action in &path.actions {
                steps.push(space.tell_action(&state, *action).lines().collect::<Vec<_>>().join(" "));
                let Some(next) = space.next(&state, *action) else { break };
                state = next;
            }
            let (property, title) = match space.finding(&state) {
                Some(Finding::Violated(property)) => (property.id(), property.title()),
                Some(Finding::Panicked) | None => ("assertion", "the engine panicked"),
            };
            let told = space.tell_finding(&state).lines().collect::<Vec<_>>().join(" ");
            Rung {
                property,
                what: if told.is_empty() { title.to_owned() } else { told },
                steps,
                state: space.tell_state(&state).lines().map(str::to_owned).collect(),
                walked,
                closed_by: Vec::new(),
                or_by: Vec::new(),
            }
        })
    }
}
