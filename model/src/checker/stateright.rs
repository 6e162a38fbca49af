//! The same spaces under stateright: its checkers, as a second opinion on our own search, and its Explorer, in which a
//! reader walks through states by hand.
//!
//! What a search under stateright is worth is counted here and not asked of stateright, whose own "done" is also said of
//! searches that were cut: a search is complete if every state that stateright generated was also looked into.

use crate::checker::search::{Found, Options, Order, Outcome, Owning, Path, Stop, panic_message};
use crate::checker::{Finding, Space};
use crate::history::Property;
use ::stateright::{Checker, CheckerBuilder, HasDiscoveries, Model};
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// Everything that can be found, and that the engine may panic last.
const CONDITIONS: usize = Property::ALL.len() + 1;

/// How each is called.
static NAMES: LazyLock<[String; CONDITIONS]> = LazyLock::new(|| {
    std::array::from_fn(|number| match finding(number) {
        Finding::Violated(property) => format!("{}: {}", property.id(), property.title()),
        Finding::Panicked => "No assertion of the engine fails.".to_owned(),
    })
});

const fn finding(number: usize) -> Finding {
    if number < Property::ALL.len() { Finding::Violated(Property::ALL[number]) } else { Finding::Panicked }
}

/// The place of a finding among the conditions.
fn number(wanted: Finding) -> usize {
    (0..CONDITIONS).find(|number| finding(*number) == wanted).expect("every finding has its place")
}

/// A space as stateright's [`Model`].
///
/// Searches carry states as they are. Only for the Explorer does each of them carry the way to its words, for stateright
/// prints what it is given.
pub struct Checked<S: Space> {
    space: Arc<S>,
    in_words: bool,
    stop: Arc<AtomicBool>,
    max_states: u64,
    /// Set when the search is over and only paths are told: then nothing is counted and nothing cut.
    over: AtomicBool,
    interrupted: AtomicBool,
    reached_max: AtomicBool,
    /// States looked into, for each set of owners.
    owners: Box<[AtomicU64; 256]>,
    /// States with each finding.
    found: [AtomicU64; CONDITIONS],
}

/// A state of a space, as stateright carries it.
pub struct Seen<S: Space> {
    state: S::State,
    fingerprint: u64,
    finding: Option<Finding>,
    words: Option<Arc<S>>,
}

/// An action of a space, as stateright carries it, with the state in which it is chosen if it is to be told.
pub struct Chosen<S: Space> {
    action: S::Action,
    words: Option<Arc<(Arc<S>, S::State)>>,
}

impl<S: Space> Clone for Seen<S> {
    fn clone(&self) -> Self {
        Seen { words: self.words.clone(), ..*self }
    }
}

impl<S: Space> PartialEq for Seen<S> {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl<S: Space> Hash for Seen<S> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.fingerprint);
    }
}

/// The state in words, for that is what the Explorer shows.
impl<S: Space> fmt::Debug for Seen<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(space) = &self.words else { return self.state.fmt(f) };
        f.write_str(&space.tell_state(&self.state))?;
        match self.finding {
            None => Ok(()),
            Some(Finding::Violated(property)) => write!(f, "\nviolated: {}: {}", property.id(), property.title()),
            Some(Finding::Panicked) => write!(f, "\nthe engine panicked: {}", space.tell_finding(&self.state)),
        }
    }
}

impl<S: Space> Clone for Chosen<S> {
    fn clone(&self) -> Self {
        Chosen { action: self.action, words: self.words.clone() }
    }
}

impl<S: Space> PartialEq for Chosen<S> {
    fn eq(&self, other: &Self) -> bool {
        self.action == other.action
    }
}

/// The action in words, for that is what the Explorer shows.
impl<S: Space> fmt::Debug for Chosen<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words.as_deref() {
            Some((space, state)) => f.write_str(&space.tell_action(state, self.action)),
            None => self.action.fmt(f),
        }
    }
}

impl<S: Space + 'static> Checked<S> {
    fn new(space: Arc<S>, in_words: bool, max_states: Option<u64>, stop: Arc<AtomicBool>) -> Checked<S> {
        Checked {
            space,
            in_words,
            stop,
            max_states: max_states.unwrap_or(u64::MAX),
            over: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
            reached_max: AtomicBool::new(false),
            owners: Box::new([const { AtomicU64::new(0) }; 256]),
            found: [const { AtomicU64::new(0) }; CONDITIONS],
        }
    }

    fn seen(&self, state: S::State) -> Seen<S> {
        let words = self.in_words.then(|| Arc::clone(&self.space));
        Seen { state, fingerprint: self.space.fingerprint(&state), finding: self.space.finding(&state), words }
    }

    /// Counts a state that stateright looks into, and says whether it is to go on. stateright asks for the actions of
    /// each state that it generated exactly once; without actions it comes to its end soon.
    fn count(&self, seen: &Seen<S>) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            self.interrupted.store(true, Ordering::Relaxed);
            return false;
        }
        // Summing 256 counters for each state would be slow, and one more counter, which all threads share, too.
        let owners = usize::from(self.space.owners(&seen.state));
        let before = self.owners[owners].fetch_add(1, Ordering::Relaxed);
        if let Some(it) = seen.finding {
            self.found[number(it)].fetch_add(1, Ordering::Relaxed);
        }
        if before.is_multiple_of(1024) && self.looked_into() >= self.max_states {
            self.reached_max.store(true, Ordering::Relaxed);
        }
        !self.reached_max.load(Ordering::Relaxed)
    }

    fn looked_into(&self) -> u64 {
        self.owners.iter().map(|it| it.load(Ordering::Relaxed)).sum()
    }
}

impl<S: Space + 'static> Model for Checked<S> {
    type State = Seen<S>;
    type Action = Chosen<S>;

    fn init_states(&self) -> Vec<Seen<S>> {
        self.space.initial().into_iter().map(|state| self.seen(state)).collect()
    }

    fn actions(&self, seen: &Seen<S>, actions: &mut Vec<Chosen<S>>) {
        if !self.over.load(Ordering::Relaxed) && !self.count(seen) || seen.finding.is_some() {
            return;
        }
        let words = self.in_words.then(|| Arc::new((Arc::clone(&self.space), seen.state)));
        let mut plain = Vec::with_capacity(16);
        self.space.actions(&seen.state, &mut plain);
        actions.extend(plain.into_iter().map(|action| Chosen { action, words: words.clone() }));
    }

    fn next_state(&self, seen: &Seen<S>, chosen: Chosen<S>) -> Option<Seen<S>> {
        self.space.next(&seen.state, chosen.action).map(|state| self.seen(state))
    }

    /// What is different afterwards: the lines of the new state that the old one did not have.
    fn format_step(&self, seen: &Seen<S>, chosen: Chosen<S>) -> Option<String> {
        let next = self.next_state(seen, chosen)?;
        let (before, after) = (format!("{seen:?}"), format!("{next:?}"));
        let before = before.lines().collect::<Vec<_>>();
        let news = after.lines().filter(|line| !before.contains(line)).collect::<Vec<_>>();
        Some(if news.is_empty() { "nothing changes".to_owned() } else { news.join("\n") })
    }

    fn properties(&self) -> Vec<::stateright::Property<Self>> {
        let watched = self.space.watched().iter().map(|property| number(Finding::Violated(*property)));
        watched
            .chain([number(Finding::Panicked)])
            .map(|number| ::stateright::Property::always(NAMES[number].as_str(), conditions()[number]))
            .collect()
    }
}

type Condition<S> = fn(&Checked<S>, &Seen<S>) -> bool;

/// stateright's properties are functions that capture nothing, so there is one for each.
fn conditions<S: Space + 'static>() -> [Condition<S>; CONDITIONS] {
    [
        holds::<S, 0>,
        holds::<S, 1>,
        holds::<S, 2>,
        holds::<S, 3>,
        holds::<S, 4>,
        holds::<S, 5>,
        holds::<S, 6>,
        holds::<S, 7>,
        holds::<S, 8>,
        holds::<S, 9>,
        holds::<S, 10>,
        holds::<S, 11>,
        holds::<S, 12>,
        holds::<S, 13>,
        holds::<S, 14>,
        holds::<S, 15>,
        holds::<S, 16>,
        holds::<S, 17>,
        holds::<S, 18>,
        holds::<S, 19>,
    ]
}

fn holds<S: Space, const NUMBER: usize>(_: &Checked<S>, seen: &Seen<S>) -> bool {
    seen.finding != Some(const { finding(NUMBER) })
}

/// Sees every state of a space with stateright's checkers, unless something stops it first: the second opinion on
/// [`explore`](crate::checker::search::explore).
///
/// Of the options, the memory budget is not held (stateright does not say what it takes) and paths are always told. With
/// more than one thread stateright's breadth-first paths need not be shortest, and depth-first each state that waits
/// carries its whole path: kilobytes a state in deep spaces.
pub fn run<S: Space + 'static>(space: Arc<S>, options: &Options, stop: Arc<AtomicBool>) -> Outcome<S> {
    let checked = Checked::new(space, false, options.max_states, stop);
    let finish = if options.first_finding_only { HasDiscoveries::AnyFailures } else { HasDiscoveries::All };
    let builder = checked.checker().threads(options.threads.max(1)).finish_when(finish);
    match options.order {
        Order::DepthFirst => conclude(|| builder.spawn_dfs()),
        Order::BreadthFirst => conclude(|| builder.spawn_bfs()),
    }
}

fn conclude<S: Space + 'static, C: Checker<Checked<S>>>(spawn: impl FnOnce() -> C) -> Outcome<S> {
    // Initial states are worked out in this thread.
    let mut checker = match catch_unwind(AssertUnwindSafe(spawn)) {
        Ok(checker) => checker,
        Err(panic) => return nothing(Stop::Broken(panic_message(&*panic))),
    };
    let mut broken = None;
    for thread in checker.handles() {
        if let Err(panic) = thread.join() {
            broken.get_or_insert(Stop::Broken(panic_message(&*panic)));
        }
    }
    let checked = checker.model();
    checked.over.store(true, Ordering::Relaxed);
    let unique = checker.unique_state_count() as u64;
    let stopped = if broken.is_some() {
        broken
    } else if checked.interrupted.load(Ordering::Relaxed) {
        Some(Stop::Interrupted)
    } else if checked.reached_max.load(Ordering::Relaxed) {
        Some(Stop::States)
    } else {
        // stateright leaves states behind for no other reason.
        (checked.looked_into() < unique).then_some(Stop::Finding)
    };
    let sets = std::array::from_fn(|set| checked.owners[set].load(Ordering::Relaxed));
    let mut discoveries = checker.discoveries();
    let mut findings = Vec::new();
    for (place, count) in checked.found.iter().enumerate() {
        let path = discoveries.remove(NAMES[place].as_str()).map(|path| {
            let steps = path.into_vec();
            let start = steps[0].0.state;
            Path { start, actions: steps.into_iter().filter_map(|(_, chosen)| Some(chosen?.action)).collect() }
        });
        let states = count.load(Ordering::Relaxed).max(u64::from(path.is_some()));
        if states > 0 {
            findings.push(Found { finding: finding(place), states, path });
        }
    }
    findings.sort_by_key(|found| found.finding);
    let generated = checker.state_count() as u64;
    Outcome { stopped, unique, generated, owning: Owning::from_sets(&sets), findings, ..nothing(Stop::Interrupted) }
}

/// What is known of a search that did not begin.
fn nothing<S: Space>(why: Stop) -> Outcome<S> {
    Outcome {
        stopped: Some(why),
        unique: 0,
        generated: 0,
        disabled: 0,
        owning: Owning::default(),
        findings: Vec::new(),
        deepest: None,
        table_bytes: 0,
        frontier_bytes: 0,
        broken: None,
    }
}

/// Opens stateright's Explorer on a space and does not come back: states and actions in words, looked into as the reader
/// walks. It prints nothing.
///
/// # Errors
///
/// If the address cannot be listened at: most often because something else does.
pub fn serve<S: Space + 'static>(space: Arc<S>, address: SocketAddr) -> io::Result<Infallible> {
    // stateright panics in words of its own where it cannot listen, so this is tried first.
    drop(TcpListener::bind(address)?);
    let checked = Checked::new(space, true, None, Arc::new(AtomicBool::new(false)));
    // Nobody reads the counts of a reader's walk.
    checked.over.store(true, Ordering::Relaxed);
    let builder: CheckerBuilder<_> = checked.checker();
    let ended = catch_unwind(AssertUnwindSafe(|| drop(builder.serve(address))));
    let why = ended.map_or_else(|panic| panic_message(&*panic), |()| "the Explorer ended".to_owned());
    Err(io::Error::other(why))
}
