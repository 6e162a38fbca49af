//! The search itself.

use super::frontier::{Block, Gauge, Pool, Stack};
use super::outcome::{Found, Outcome, Owning, Path, Stop, panic_message};
use super::{Options, Order, Progress};
use crate::checker::table::Table;
use crate::checker::{Finding, Space};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// After so many states a thread looks at budgets and at the flag.
const STRIDE: u64 = 1024;
/// After so many strides it tells of its progress.
const STRIDES_TOLD: u64 = 64;
/// Levels smaller than so many states are not worth a thread each.
const SMALL_LEVEL: usize = 2048;

/// Sees every state of a space that can be reached, unless something stops it first.
///
/// `progress` is called now and then, by any of the threads. `stop` ends the search soon after it was raised.
pub fn explore<S: Space>(
    space: &S,
    options: &Options,
    progress: &(dyn Fn(&Progress) + Sync),
    stop: &AtomicBool,
) -> Outcome<S> {
    let search = Search {
        space,
        options,
        progress,
        stop,
        table: Table::new(),
        gauge: Gauge::default(),
        unique: AtomicU64::new(0),
        generated: AtomicU64::new(0),
        halted: AtomicBool::new(false),
        ends: Mutex::new(Ends { stopped: None, broken: None, firsts: BTreeMap::new() }),
    };
    let threads = options.threads.max(1);
    let mut workers = (0..threads).map(|_| Worker::new(&search)).collect::<Vec<_>>();
    let mut deepest = None;
    // The first worker begins alone; what it finds is the first level, or the first share.
    if workers[0].guarded(Worker::begin) {
        match options.order {
            Order::DepthFirst => search.depth_first(&mut workers),
            Order::BreadthFirst => deepest = Some(search.breadth_first(&mut workers)),
        }
    }
    let mut tally = Tally::default();
    for worker in &workers {
        tally.add(&worker.tally);
    }
    search.outcome(&tally, deepest)
}

/// A state that was seen, and its fingerprint, which is not cheap to work out twice.
struct Seen<S: Space> {
    state: S::State,
    fingerprint: u64,
}

/// What the threads share.
struct Search<'a, S: Space> {
    space: &'a S,
    options: &'a Options,
    progress: &'a (dyn Fn(&Progress) + Sync),
    stop: &'a AtomicBool,
    /// The states that were seen, and the [`half`] of where each was first reached from.
    table: Table<u32>,
    gauge: Gauge,
    /// A little behind: each thread adds what it counted once in a stride.
    unique: AtomicU64,
    generated: AtomicU64,
    halted: AtomicBool,
    ends: Mutex<Ends>,
}

/// What comes up seldom.
struct Ends {
    stopped: Option<Stop>,
    /// The fingerprint of the state in which the space panicked.
    broken: Option<u64>,
    /// The fingerprint of the first state with each finding.
    firsts: BTreeMap<Finding, u64>,
}

impl<'a, S: Space> Search<'a, S> {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Ends the search. The first reason counts.
    fn halt(&self, why: Stop) {
        self.ends().stopped.get_or_insert(why);
        self.halted.store(true, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.table.bytes() + self.gauge.bytes::<Seen<S>>()
    }

    /// What would stop the search.
    fn limit(&self) -> Option<Stop> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(Stop::Interrupted);
        }
        if self.options.max_states.is_some_and(|most| self.unique.load(Ordering::Relaxed) >= most) {
            return Some(Stop::States);
        }
        let most = self.options.max_bytes?;
        (self.bytes() + self.space.bytes() > most).then_some(Stop::Memory)
    }

    fn depth_first(&self, workers: &mut [Worker<'_, 'a, S>]) {
        let first = workers[0].stack.take_all().collect();
        let pool = Pool::new(workers.len(), first);
        let run = |worker: &mut Worker<'_, 'a, S>| {
            worker.guarded(|worker| worker.dive(&pool));
            // Whoever comes home because of a halt or a panic tells those who wait for work.
            pool.close();
        };
        if let [only] = workers {
            return run(only);
        }
        std::thread::scope(|scope| {
            for worker in workers {
                scope.spawn(|| run(worker));
            }
        });
    }

    /// Level by level. Returns how many steps the farthest state is away.
    fn breadth_first(&self, workers: &mut [Worker<'_, 'a, S>]) -> u64 {
        let mut depth = 0;
        loop {
            let level = workers.iter_mut().flat_map(|worker| worker.stack.take_all()).collect::<VecDeque<_>>();
            if level.is_empty() || self.is_halted() {
                return if depth == 0 { 0 } else { depth - 1 };
            }
            depth += 1;
            let small = level.iter().map(Vec::len).sum::<usize>() < SMALL_LEVEL;
            let level = Mutex::new(level);
            let run = |worker: &mut Worker<'_, 'a, S>| {
                worker.guarded(|worker| worker.sweep(&level));
            };
            if small || workers.len() == 1 {
                run(&mut workers[0]);
                continue;
            }
            std::thread::scope(|scope| {
                for worker in workers.iter_mut() {
                    scope.spawn(|| run(worker));
                }
            });
        }
    }

    fn outcome(&self, tally: &Tally, deepest: Option<u64>) -> Outcome<S> {
        let mut ends = self.ends();
        let path = |fingerprint: u64| {
            // A space that panicked once may do it again.
            catch_unwind(AssertUnwindSafe(|| self.path_to(fingerprint))).ok().flatten()
        };
        let findings = tally.findings.iter().map(|(finding, states)| Found {
            finding: *finding,
            states: *states,
            path: ends.firsts.get(finding).and_then(|first| path(*first)),
        });
        let findings = findings.collect();
        Outcome {
            unique: tally.unique,
            generated: tally.generated,
            disabled: tally.disabled,
            owning: Owning::from_sets(&tally.owners),
            findings,
            deepest,
            table_bytes: self.table.bytes(),
            frontier_bytes: self.gauge.most_bytes::<Seen<S>>(),
            broken: ends.broken.and_then(path),
            stopped: ends.stopped.take(),
        }
    }

    /// The way to a state: backwards from fingerprint to fingerprint, then forwards through those states.
    fn path_to(&self, fingerprint: u64) -> Option<Path<S>> {
        let mut ways = self.ways_to(fingerprint)?;
        self.space.initial().into_iter().find_map(|start| {
            ways.remove(&self.space.fingerprint(&start)).filter(|origin| *origin == BEGINNING)?;
            Some(Path { start, actions: self.along(start, fingerprint, &mut ways)? })
        })
    }

    /// The states on the way to a state, each with its origin. An origin is half a fingerprint, so now and then a state
    /// that has nothing to do with it is among them, and all that lies on the way there.
    fn ways_to(&self, fingerprint: u64) -> Option<BTreeMap<u64, u32>> {
        let mut ways = BTreeMap::new();
        let mut open = vec![fingerprint];
        while let Some(at) = open.pop() {
            let origin = self.table.get(at)?;
            if ways.insert(at, origin).is_none() && origin != BEGINNING {
                open.extend(self.table.beginning_with(origin));
                // See `half`.
                open.extend((origin == 1).then(|| self.table.beginning_with(0)).into_iter().flatten());
            }
        }
        Some(ways)
    }

    /// The actions from one state to another, through states of `ways` alone. What was tried is taken out of them.
    fn along(&self, start: S::State, wanted: u64, ways: &mut BTreeMap<u64, u32>) -> Option<Vec<S::Action>> {
        let mut path = Vec::new();
        // By step of the path: what else may have been the next one.
        let mut others: Vec<Vec<(S::Action, S::State)>> = Vec::new();
        let mut actions = Vec::new();
        let mut state = start;
        loop {
            let here = self.space.fingerprint(&state);
            if here == wanted {
                return Some(path);
            }
            actions.clear();
            self.space.actions(&state, &mut actions);
            let from_here = |next: &S::State| ways.get(&self.space.fingerprint(next)) == Some(&half(here));
            let steps = actions.iter().filter_map(|action| Some((*action, self.space.next(&state, *action)?)));
            others.push(steps.filter(|(_, next)| from_here(next)).collect());
            // The first that was not tried yet, of the last step at which there is one.
            loop {
                let last = others.last_mut()?;
                if last.is_empty() {
                    others.pop();
                    continue;
                }
                let (action, next) = last.remove(0);
                if last.is_empty() {
                    *last = Vec::new();
                }
                if ways.remove(&self.space.fingerprint(&next)).is_some() {
                    path.truncate(others.len() - 1);
                    path.push(action);
                    state = next;
                    break;
                }
            }
        }
    }
}

/// The origin of an initial state.
const BEGINNING: u32 = 0;

/// What a state is remembered by as an origin: half of its fingerprint. 0 and 1 are one and the same.
fn half(fingerprint: u64) -> u32 {
    ((fingerprint >> 32) as u32).max(1)
}

/// What a thread counted.
struct Tally {
    unique: u64,
    generated: u64,
    disabled: u64,
    owners: [u64; 256],
    findings: BTreeMap<Finding, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { unique: 0, generated: 0, disabled: 0, owners: [0; 256], findings: BTreeMap::new() }
    }
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.unique += other.unique;
        self.generated += other.generated;
        self.disabled += other.disabled;
        for (sum, count) in self.owners.iter_mut().zip(other.owners) {
            *sum += count;
        }
        for (finding, states) in &other.findings {
            *self.findings.entry(*finding).or_default() += states;
        }
    }
}

/// One thread of a search.
struct Worker<'s, 'a, S: Space> {
    search: &'s Search<'a, S>,
    /// Depth-first: what it will look into. Breadth-first: what it found for the next level.
    stack: Stack<'s, Seen<S>>,
    tally: Tally,
    /// How much of the tally the search knows.
    told: (u64, u64),
    expanded: u64,
    /// The state being looked into, for the message when the space panics.
    at: u64,
    /// Nothing only while a state is expanded.
    room: Option<S::Room>,
}

impl<'s, 'a, S: Space> Worker<'s, 'a, S> {
    fn new(search: &'s Search<'a, S>) -> Worker<'s, 'a, S> {
        Worker {
            search,
            stack: Stack::new(&search.gauge),
            tally: Tally::default(),
            told: (0, 0),
            expanded: 0,
            at: 0,
            room: Some(search.space.room()),
        }
    }

    /// Runs a part of the search. If the space panics the search ends, and the other threads with it.
    fn guarded(&mut self, part: impl FnOnce(&mut Self)) -> bool {
        // What is half done when the space panics is a state half looked into, and no count of it is called complete.
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| part(self))) else { return true };
        self.search.halt(Stop::Broken(panic_message(&*panic)));
        self.search.ends().broken.get_or_insert(self.at);
        false
    }

    fn begin(&mut self) {
        for state in self.search.space.initial() {
            self.reach(state, BEGINNING);
        }
    }

    /// Depth-first, until nothing is left anywhere.
    fn dive(&mut self, pool: &Pool<Seen<S>>) {
        while let Some(share) = pool.take() {
            self.stack.put_below(share);
            while let Some(seen) = self.stack.pop() {
                if self.search.is_halted() {
                    return;
                }
                self.expand(&seen);
                if pool.is_wanted()
                    && let Some(share) = self.stack.split()
                {
                    pool.give(share);
                }
            }
        }
    }

    /// Breadth-first, until nothing is left of a level.
    fn sweep(&mut self, level: &Mutex<VecDeque<Block<Seen<S>>>>) {
        loop {
            let block = level.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(block) = block else { return };
            for seen in &block {
                if self.search.is_halted() {
                    return;
                }
                self.expand(seen);
            }
            self.stack.recycle(block);
        }
    }

    /// Takes every action of a state.
    fn expand(&mut self, seen: &Seen<S>) {
        self.at = seen.fingerprint;
        let Some(mut room) = self.room.take() else { return };
        self.search.space.each_next(&seen.state, &mut room, &mut |_, next| match next {
            Some(next) => self.reach(next, half(seen.fingerprint)),
            None => self.tally.disabled += 1,
        });
        self.room = Some(room);
        self.expanded += 1;
        if self.expanded.is_multiple_of(STRIDE) {
            self.look_up();
        }
    }

    /// A state was reached: for the first time, or again.
    #[inline]
    fn reach(&mut self, state: S::State, origin: u32) {
        let space = self.search.space;
        self.tally.generated += 1;
        let fingerprint = space.fingerprint(&state);
        if self.search.table.insert_or(fingerprint, || origin, |_| ()).is_some() {
            return;
        }
        self.tally.unique += 1;
        self.tally.owners[usize::from(space.owners(&state))] += 1;
        match space.finding(&state) {
            None => self.stack.push(Seen { state, fingerprint }),
            Some(finding) => self.find(finding, fingerprint),
        }
    }

    /// A state with a finding is counted and not looked into.
    fn find(&mut self, finding: Finding, fingerprint: u64) {
        *self.tally.findings.entry(finding).or_default() += 1;
        self.search.ends().firsts.entry(finding).or_insert(fingerprint);
        if self.search.options.first_finding_only {
            self.search.halt(Stop::Finding);
        }
    }

    /// Tells the others what was counted, and looks whether to stop.
    fn look_up(&mut self) {
        let search = self.search;
        let now = (self.tally.unique, self.tally.generated);
        search.unique.fetch_add(now.0 - self.told.0, Ordering::Relaxed);
        search.generated.fetch_add(now.1 - self.told.1, Ordering::Relaxed);
        self.told = now;
        if let Some(why) = search.limit() {
            search.halt(why);
        }
        if self.expanded.is_multiple_of(STRIDE * STRIDES_TOLD) {
            (search.progress)(&Progress {
                unique: search.unique.load(Ordering::Relaxed),
                generated: search.generated.load(Ordering::Relaxed),
                bytes: search.bytes(),
            });
        }
    }
}
