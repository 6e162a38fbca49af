//! Our own search and stateright's over toys: they see the same states, and know when they did not see all.
#![cfg(feature = "checker")]

mod toy;

use model::checker::search::{Options, Order, Outcome, Path, Stop, Stuck, explore, stuck};
use model::checker::{Finding, Space, stateright};
use model::history::Property;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use toy::{Locks, Puzzle, Rows, Toy, Wheel};

const EXCLUSION: Finding = Finding::Violated(Property::Exclusion);

fn every_way() -> Vec<Options> {
    let orders = [Order::DepthFirst, Order::BreadthFirst];
    let ways = orders.into_iter().flat_map(|order| [1, 2, 3].map(|threads| (order, threads)));
    ways.map(|(order, threads)| Options { threads, order, ..Options::default() }).collect()
}

fn search<S: Space>(space: &S, options: &Options) -> Outcome<S> {
    explore(space, options, &|_| (), &AtomicBool::new(false))
}

fn under_stateright<S: Space + 'static>(space: &Arc<S>, options: &Options) -> Outcome<S> {
    stateright::run(Arc::clone(space), options, Arc::new(AtomicBool::new(false)))
}

fn count_stuck<S: Space>(space: &S) -> Stuck<S> {
    stuck(space, &Options::default(), &|_| (), &AtomicBool::new(false))
}

/// Both searches, in every way, see the same; the outcome of our own, which must be complete.
fn agreed<P: Puzzle + 'static>(puzzle: P) -> Outcome<Toy<P>> {
    let space = Arc::new(Toy(puzzle));
    let first = search(&*space, &Options::default());
    for options in every_way() {
        for (who, other) in [("own", search(&*space, &options)), ("stateright", under_stateright(&space, &options))] {
            assert_eq!(other.stopped, None, "{who}, {options:?}");
            let counts = |it: &Outcome<Toy<P>>| (it.unique, it.generated, it.owning);
            assert_eq!(counts(&other), counts(&first), "{who}, {options:?}");
            let kinds = |it: &Outcome<Toy<P>>| it.findings.iter().map(|it| (it.finding, it.states)).collect::<Vec<_>>();
            assert_eq!(kinds(&other), kinds(&first), "{who}, {options:?}");
            for found in &other.findings {
                assert_leads_to(&*space, found.path.as_ref().expect("paths are kept"), found.finding);
            }
        }
    }
    first
}

fn assert_leads_to<S: Space>(space: &S, path: &Path<S>, finding: Finding) {
    assert!(space.initial().contains(&path.start));
    let end = path.end(space).expect("each action of the path is enabled");
    assert_eq!(space.finding(&end), Some(finding));
}

#[test]
fn careful_locks_hold_and_the_counts_are_those_on_paper() {
    let outcome = agreed(Locks { careful: true, crashes: false });
    assert_eq!((outcome.unique, outcome.generated), (3, 1 + 2 + 1 + 1));
    assert_eq!((outcome.owning.nobody, &outcome.owning.hosts[..2], outcome.owning.several), (1, &[1, 1][..], 0));
    assert!(outcome.findings.is_empty());
}

#[test]
fn careless_locks_are_found_in_the_four_steps_it_takes() {
    let outcome = agreed(Locks { careful: false, crashes: true });
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(outcome.owning.several, outcome.findings[0].states);
    for threads in [1, 2] {
        let options = Options { threads, order: Order::BreadthFirst, ..Options::default() };
        let space = Toy(Locks { careful: false, crashes: true });
        let path = search(&space, &options).findings.remove(0).path.expect("paths are kept");
        assert_eq!(path.actions.len(), 4, "both look, both take: {path:?}");
    }
}

#[test]
fn the_first_finding_can_be_the_last() {
    let space = Arc::new(Toy(Rows { turns: [8; 5], bad: Some(([3, 1, 0, 2, 1], EXCLUSION)) }));
    for options in every_way() {
        let options = Options { first_finding_only: true, ..options };
        let outcome = search(&*space, &options);
        assert_eq!(outcome.stopped, Some(Stop::Finding));
        let path = outcome.findings[0].path.as_ref().expect("paths are kept");
        assert_leads_to(&*space, path, EXCLUSION);
        assert!(options.order == Order::DepthFirst || path.actions.len() == 7, "{path:?}");
        let outcome = under_stateright(&space, &options);
        assert_leads_to(&*space, outcome.findings[0].path.as_ref().expect("always told"), EXCLUSION);
    }
}

#[test]
fn a_panic_of_the_engine_is_a_finding_like_others() {
    let outcome = agreed(Rows { turns: [4; 5], bad: Some(([1, 2, 3, 0, 0], Finding::Panicked)) });
    assert_eq!(outcome.findings[0].finding, Finding::Panicked);
    assert_eq!(outcome.findings[0].states, 1);
    assert_eq!(outcome.unique, 4 * 4 * 4 * 4 * 4, "every other state can be reached around it");
}

#[test]
fn rows_are_seen_to_the_last_one_by_any_number_of_threads() {
    let rows = Rows { turns: [12, 11, 10, 9, 8], bad: None };
    let (size, transitions) = (rows.size(), rows.transitions());
    let outcome = agreed(rows);
    assert_eq!((outcome.unique, outcome.generated), (size, 1 + transitions));
    assert_eq!(outcome.disabled, size * 5 - transitions);
    assert_eq!((outcome.owning.hosts[0], outcome.owning.hosts[1]), (size / 12, size / 11));
}

#[test]
fn a_million_deep_cycle_costs_no_more_than_a_shallow_world() {
    let wheel = Toy(Wheel(1_000_000));
    for options in every_way() {
        let outcome = search(&wheel, &options);
        assert!(outcome.is_complete());
        assert_eq!((outcome.unique, outcome.generated), (1_000_000, 2_000_001));
        assert!(outcome.bytes_per_state() < 30.0, "{} bytes a state", outcome.bytes_per_state());
        let deepest = (options.order == Order::BreadthFirst).then_some(500_000);
        assert_eq!(outcome.deepest, deepest);
    }
}

#[test]
fn budgets_cut_and_are_said() {
    let space = Arc::new(Toy(Rows { turns: [20, 20, 20, 20, 5], bad: None }));
    let size = space.0.size();
    for options in every_way() {
        let outcome = search(&*space, &Options { max_bytes: Some(4 << 20), ..options.clone() });
        assert_eq!(outcome.stopped, Some(Stop::Memory));
        assert!(outcome.bytes() < 6 << 20, "{} bytes", outcome.bytes());
        let options = Options { max_states: Some(50_000), ..options };
        for outcome in [search(&*space, &options), under_stateright(&space, &options)] {
            assert_eq!(outcome.stopped, Some(Stop::States));
            assert!((50_000..size).contains(&outcome.unique), "{} of {size} states", outcome.unique);
        }
        let raised = Arc::new(AtomicBool::new(true));
        let ours = explore(&*space, &options, &|_| (), &raised);
        let theirs = stateright::run(Arc::clone(&space), &options, raised);
        assert_eq!((ours.stopped, theirs.stopped), (Some(Stop::Interrupted), Some(Stop::Interrupted)));
    }
}

#[test]
fn progress_is_told_and_a_raised_flag_ends_a_search_under_way() {
    let space = Toy(Rows { turns: [30, 30, 30, 30, 30], bad: None });
    for options in every_way() {
        let (stop, told) = (AtomicBool::new(false), AtomicU64::new(0));
        let outcome = explore(
            &space,
            &options,
            &|progress| {
                assert!(progress.unique <= progress.generated && progress.bytes > 0);
                told.fetch_add(1, Ordering::Relaxed);
                stop.store(true, Ordering::Relaxed);
            },
            &stop,
        );
        assert_eq!(outcome.stopped, Some(Stop::Interrupted));
        assert!(told.load(Ordering::Relaxed) > 0);
    }
}

/// A wheel that breaks at one tooth.
struct Broken;

impl Puzzle for Broken {
    type State = u32;

    const MOVES: u8 = 2;

    fn initial(&self) -> Vec<u32> {
        vec![0]
    }

    fn step(&self, at: &u32, number: u8) -> Option<u32> {
        assert_ne!((*at, number), (50_000, 0), "a tooth is missing");
        Wheel(100_000).step(at, number)
    }

    fn fingerprint(&self, at: &u32) -> u64 {
        Wheel(100_000).fingerprint(at)
    }
}

#[test]
fn a_space_that_panics_ends_the_search_and_hangs_nobody() {
    let space = Toy(Broken);
    for options in every_way() {
        let outcome = search(&space, &options);
        let Some(Stop::Broken(words)) = &outcome.stopped else { panic!("{:?}", outcome.stopped) };
        assert!(words.contains("a tooth is missing"), "{words}");
        let path = outcome.broken.expect("the way there is known");
        assert_eq!(path.end(&space), Some(50_000));
    }
    let Some(Stop::Broken(words)) = count_stuck(&space).stopped else { panic!("it panics") };
    assert!(words.contains("a tooth is missing"), "{words}");
}

/// The same after two steps: stateright carries its paths, and deep spaces are not for it.
struct BrokenSoon;

impl Puzzle for BrokenSoon {
    type State = u32;

    const MOVES: u8 = 2;

    fn initial(&self) -> Vec<u32> {
        vec![0]
    }

    fn step(&self, at: &u32, number: u8) -> Option<u32> {
        assert!(*at < 2, "a tooth is missing");
        Wheel(10).step(at, number)
    }

    fn fingerprint(&self, at: &u32) -> u64 {
        Wheel(10).fingerprint(at)
    }
}

#[test]
fn under_stateright_a_space_that_panics_is_said_to_be_broken_too() {
    for options in every_way() {
        let outcome = under_stateright(&Arc::new(Toy(BrokenSoon)), &options);
        let Some(Stop::Broken(words)) = &outcome.stopped else { panic!("{:?}", outcome.stopped) };
        assert!(words.contains("a tooth is missing"), "{words}");
    }
}

#[test]
fn a_crash_that_leaves_the_lock_taken_leaves_others_stuck() {
    let stuck = count_stuck(&Toy(Locks { careful: true, crashes: false }));
    assert_eq!((stuck.stopped, stuck.unique, stuck.states), (None, 3, Some(0)));
    assert!(stuck.example.is_none());

    let space = Toy(Locks { careful: true, crashes: true });
    let stuck = count_stuck(&space);
    // Nobody, A or B holds it; or either crashed while it did.
    assert_eq!((stuck.stopped, stuck.unique, stuck.states), (None, 5, Some(2)));
    let path = stuck.example.expect("there are some");
    assert_eq!(path.actions, [0, 6], "host A takes it and crashes");
}

/// A way down from the top, where a grant is, and one back up by single steps; below a hole nothing leads up.
struct Stairs {
    steps: u32,
    hole: u32,
}

impl Puzzle for Stairs {
    type State = u32;

    const MOVES: u8 = 3;

    fn initial(&self) -> Vec<u32> {
        vec![0]
    }

    fn step(&self, at: &u32, number: u8) -> Option<u32> {
        match number {
            0 if at + 1 < self.steps => Some(at + 1),
            1 if *at > 0 && *at < self.steps && *at != self.hole => Some(at - 1),
            // The grant, after which everything begins anew.
            2 if *at == 0 => Some(self.steps),
            0 if *at == self.steps => Some(0),
            _ => None,
        }
    }

    fn fingerprint(&self, at: &u32) -> u64 {
        u64::from(*at) + 1
    }

    fn owners(&self, at: &u32) -> u8 {
        u8::from(*at == self.steps)
    }
}

#[test]
fn ways_to_a_grant_are_found_over_any_number_of_steps_back() {
    let none = count_stuck(&Toy(Stairs { steps: 100_000, hole: u32::MAX }));
    assert_eq!((none.unique, none.states), (100_001, Some(0)));
    let some = count_stuck(&Toy(Stairs { steps: 100_000, hole: 60_000 }));
    assert_eq!((some.unique, some.states), (100_001, Some(40_000)));
    assert_eq!(some.example.expect("there are some").actions, vec![0; 60_000]);
    let raised = AtomicBool::new(true);
    let cut = stuck(&Toy(Stairs { steps: 100_000, hole: 60_000 }), &Options::default(), &|_| (), &raised);
    assert_eq!((cut.stopped, cut.states), (Some(Stop::Interrupted), None));
}
