//! One world, searched and judged, and the path to what was found.

use crate::interrupt;
use crate::misuse::Misuse;
use crate::stopwatch::Stopwatch;
use indicatif::{ProgressBar, ProgressStyle};
use lease_core::mutants::Mutant;
use model::checker::ballots::Ballots;
use model::checker::plan::Plan;
use model::checker::search::{Options, Order, Outcome, Path, Progress, Stop, explore, stuck};
use model::checker::timed::Timed;
use model::checker::{Finding, Lost, Space, stateright};
use reports::results::Judged;
use reports::searched::{Owners, Search, Searched, Went};
use reports::story::Story;
use reports::table::short;
use scenarios::{Case, CheckPlan, Claim, Expected, Followed, ProfileName, Scenario, Trace, all_quietly, follow_to};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often somebody looks whether the search is to end.
const LOOK: Duration = Duration::from_millis(5);

/// A world under a profile.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) scenario: &'a Scenario,
    /// The `[check]` part, perhaps without some reductions.
    pub(crate) plan: &'a CheckPlan,
    pub(crate) profile: ProfileName,
    /// The mistake that is put into its hosts, if any.
    pub(crate) mutant: Option<Mutant>,
}

/// How to search.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) threads: usize,
    pub(crate) order: Order,
    pub(crate) under_stateright: bool,
    pub(crate) max_bytes: u64,
    /// Until when.
    pub(crate) budget: Option<(Stopwatch, Duration)>,
    /// Whether states are counted from which no grant can be reached.
    pub(crate) stuck: bool,
    /// Whether the world is the one whose states its scenario counts.
    pub(crate) as_written: bool,
}

impl Manner {
    fn is_over(&self) -> bool {
        interrupt::interrupted() || self.budget.is_some_and(|(watch, budget)| watch.elapsed() >= budget)
    }
}

/// What came of it.
pub(crate) struct Answer {
    pub(crate) judged: Judged,
    pub(crate) order: Order,
    pub(crate) found: Option<Counterexample>,
    /// A line about states from which no grant can be reached, if that was asked.
    pub(crate) stuck: Option<String>,
}

/// The path to what was found.
pub(crate) struct Counterexample {
    pub(crate) steps: usize,
    pub(crate) shortest: bool,
    pub(crate) told: Told,
}

/// How the path can be told.
pub(crate) enum Told {
    /// As an ordinary trace.
    Trace(Box<Trace>),
    /// Step by step, for the simulator's world does not follow.
    Words { steps: Vec<String>, end: String, why: Lost },
}

/// Searches a world.
pub(crate) fn search(subject: &Subject<'_>, manner: &Manner) -> Result<Answer, Misuse> {
    with_space(subject, |space, case| match space {
        AnySpace::Ballots(space) => of_space(space, subject, case, manner),
        AnySpace::Timed(space) => of_space(space, subject, case, manner),
    })
}

/// Opens the Explorer on a world.
pub(crate) fn serve(subject: &Subject<'_>, address: SocketAddr) -> Result<io::Result<Infallible>, Misuse> {
    with_space(subject, |space, _| match space {
        AnySpace::Ballots(space) => stateright::serve(space, address),
        AnySpace::Timed(space) => stateright::serve(space, address),
    })
}

enum AnySpace {
    Ballots(Arc<Ballots>),
    Timed(Arc<Timed>),
}

fn with_space<R>(subject: &Subject<'_>, work: impl FnOnce(AnySpace, &Case<'_>) -> R) -> Result<R, Misuse> {
    let Subject { scenario, plan, profile, mutant } = subject;
    // Nothing in a world is a range, so any seed is as good as another.
    let case = Case::new(scenario, *profile, 0).with(*mutant);
    let bad = |what: String| Misuse::new(format_args!("{}: {what}", scenario.file));
    case.setup.check(&case.limits).map_err(bad)?;
    let setup = Arc::new(case.setup.clone());
    all_quietly(|| {
        let space = match plan.plan {
            Plan::Ballots(plan) => AnySpace::Ballots(Arc::new(Ballots::new(setup, plan).map_err(bad)?)),
            Plan::HostIds(plan) => AnySpace::Timed(Arc::new(Timed::host_ids(setup, plan))),
            Plan::Leases(plan) => AnySpace::Timed(Arc::new(Timed::leases(setup, plan))),
        };
        Ok(work(space, &case))
    })
}

fn of_space<S: Space + 'static>(space: Arc<S>, subject: &Subject<'_>, case: &Case<'_>, manner: &Manner) -> Answer {
    let Subject { scenario, plan, profile, mutant } = subject;
    let expected = scenario.expected(*profile);
    // What is looked for is found by the shortest path at once, and the same one each time.
    let looked_for = matches!(expected, Expected::Violated(_));
    let first = Options {
        threads: if looked_for { 1 } else { manner.threads },
        order: if looked_for { Order::BreadthFirst } else { manner.order },
        max_bytes: Some(manner.max_bytes),
        max_states: plan.states,
        first_finding_only: true,
    };
    let title = format!("{} ({profile})", scenario.name);
    let watch = Stopwatch::start();
    let mut options = first.clone();
    let mut outcome = watched(manner, &title, |stop, progress| match manner.under_stateright {
        true => stateright::run(Arc::clone(&space), &options, Arc::clone(stop)),
        false => explore(&*space, &options, progress, stop),
    });
    let is_shortest = |options: &Options| options.order == Order::BreadthFirst && options.threads == 1;
    let mut shortest = is_shortest(&options) && !manner.under_stateright;
    if !outcome.findings.is_empty() && !shortest {
        options = Options { threads: 1, order: Order::BreadthFirst, ..first.clone() };
        let again = watched(manner, &title, |stop, progress| explore(&*space, &options, progress, stop));
        match again.findings.is_empty() {
            // The way there is longer than memory or time allow: then by the way that was found first.
            true => options = first,
            false => (outcome, shortest) = (again, true),
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    let (mut stuck_states, mut stuck_words) = (None, None);
    if manner.stuck && outcome.is_complete() && outcome.findings.is_empty() {
        let counted = watched(manner, &title, |stop, progress| stuck(&*space, &options, progress, stop));
        stuck_states = counted.states;
        stuck_words = Some(match (counted.states, &counted.example, &counted.stopped) {
            (Some(0), ..) => "from every state a grant can be reached without a crash".to_owned(),
            (Some(states), example, _) => {
                let example = example.as_ref().map_or(0, |path| path.actions.len());
                format!(
                    "from {states} states no grant can be reached without a crash; the nearest is {example} steps away"
                )
            }
            (None, _, stopped) => {
                let why = stopped.as_ref().map_or_else(String::new, |stop| cut(stop, manner));
                format!("not known whether a grant can always be reached: {why} after {} states", counted.unique)
            }
        });
    }

    let found = path_of(&*space, &outcome).map(|path| counterexample(&*space, &path, case, shortest));
    let breach = breach(&*space, &outcome, found.as_ref());
    let went = match &outcome.stopped {
        None => Went::ToItsEnd,
        Some(Stop::States) => Went::ToItsBound(plan.states.unwrap_or(outcome.unique)),
        Some(stop) => Went::Cut(cut(stop, manner)),
    };
    let bytes = outcome.bytes() + space.bytes();
    let labels = case.setup.hosts.iter().map(|host| host.label.clone());
    let mut world = plan.words(&case.setup);
    world.extend(space.bounds().iter().map(|bound| bound.told(outcome.is_complete())));
    let searched = Searched {
        complete: outcome.is_complete(),
        unique_states: outcome.unique,
        generated_states: outcome.generated,
        bytes_per_state: bytes as f64 / outcome.unique.max(1) as f64,
        threads: options.threads,
        expected_states: plan.unique(*profile).filter(|_| manner.as_written && mutant.is_none()),
        collision_odds: 0.0,
        owning: Owners::new(&outcome.owning, labels),
        stuck_states,
        reached: space.reached().into_iter().collect(),
        world,
    };
    let mut judged = Search {
        scenario: &scenario.name,
        profile: profile.id(),
        expected,
        breach,
        went,
        limits: plan.limits(scenario.beyond),
        searched: searched.with_odds(),
        seconds,
    }
    .judge();
    if let Some(Counterexample { told: Told::Trace(trace), .. }) = &found {
        judged.digest = Some(trace.digest);
    }
    Answer { judged, order: options.order, found, stuck: stuck_words }
}

/// Lets somebody look, while `work` is done, whether it is to end.
pub(super) fn watched<R>(
    manner: &Manner,
    title: &str,
    work: impl FnOnce(&Arc<AtomicBool>, &(dyn Fn(&Progress) + Sync)) -> R,
) -> R {
    /// Also if the work panics.
    struct Ended<'a>(&'a AtomicBool);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    interrupt::listen();
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is well-formed"));
    let tell = |progress: &Progress| {
        let (unique, generated) = (short(progress.unique as f64), short(progress.generated as f64));
        let mebibytes = progress.bytes >> 20;
        bar.set_message(format!("{title}: {unique} states, {generated} generated, {mebibytes} MiB"));
        bar.tick();
    };
    let stop = Arc::new(AtomicBool::new(manner.is_over()));
    let ended = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if manner.is_over() {
                    stop.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
        });
        let _ended = Ended(&ended);
        work(&stop, &tell)
    });
    bar.finish_and_clear();
    result
}

/// Why a search was cut, in words.
fn cut(stop: &Stop, manner: &Manner) -> String {
    match stop {
        Stop::Interrupted if interrupt::interrupted() => "interrupted".to_owned(),
        Stop::Interrupted => "the budget was spent".to_owned(),
        Stop::Memory => format!("{} of memory were used up", super::bytes_text(manner.max_bytes)),
        other => other.to_string(),
    }
}

/// The way to what was found first.
fn path_of<S: Space>(space: &S, outcome: &Outcome<S>) -> Option<Path<S>> {
    let paths = outcome.findings.iter().filter_map(|found| found.path.clone());
    paths.chain(outcome.broken.clone()).find(|path| outcome.broken.is_some() || path.end(space).is_some())
}

/// What was found, by the name of the property, and in a sentence.
fn breach<S: Space>(space: &S, outcome: &Outcome<S>, found: Option<&Counterexample>) -> Option<(String, String)> {
    if let Some(Stop::Broken(message)) = &outcome.stopped {
        return Some(("assertion".to_owned(), format!("the world itself panicked: {message}")));
    }
    let first = outcome.findings.first()?;
    let steps = found.map_or(String::new(), |found| format!(" ({} steps)", found.steps));
    let agrees = |trace: &Trace| match first.finding {
        Finding::Violated(property) => trace.verdict == Claim::Violated(property),
        Finding::Panicked => trace.verdict == Claim::Asserted,
    };
    let end = first.path.as_ref().and_then(|path| path.end(space));
    let told = end.map_or_else(String::new, |end| space.tell_finding(&end));
    let told = told.lines().collect::<Vec<_>>().join(" ");
    let mut what = match first.finding {
        Finding::Violated(property) if told.is_empty() => {
            format!("{} is violated: {}", property.id(), property.title())
        }
        Finding::Violated(property) if told.contains(property.id()) => told,
        Finding::Violated(property) => format!("{} is violated: {told}", property.id()),
        Finding::Panicked => format!("the engine panicked: {told}"),
    };
    if let Some(Told::Trace(trace)) = found.map(|found| &found.told)
        && !agrees(trace)
    {
        what += &format!(" (the simulator's world walks the same path and comes to {})", trace.verdict);
    }
    let property = match first.finding {
        Finding::Violated(property) => property.id(),
        Finding::Panicked => "assertion",
    };
    Some((property.to_owned(), format!("{}{steps}", what.trim_end_matches('.'))))
}

fn counterexample<S: Space>(space: &S, path: &Path<S>, case: &Case<'_>, shortest: bool) -> Counterexample {
    let mut story = Story::new(&case.setup);
    let Followed { path: taken, walked } = follow_to(space, path, case, &mut story);
    let shortest = shortest && taken.actions.len() == path.actions.len();
    let (path, steps) = (&taken, taken.actions.len());
    let told = match walked {
        Ok((replayed, mut trace)) => {
            trace.story = story.lines(&replayed.verdict);
            Told::Trace(Box::new(trace))
        }
        Err(why) => {
            let mut state = path.start;
            let mut steps = Vec::with_capacity(path.actions.len());
            for action in &path.actions {
                steps.push(space.tell_action(&state, *action));
                let Some(next) = space.next(&state, *action) else { break };
                state = next;
            }
            Told::Words { steps, end: space.tell_state(&state), why }
        }
    };
    Counterexample { steps, shortest, told }
}
