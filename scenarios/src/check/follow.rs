//! From a path through a small world to an ordinary trace.

use crate::case::Case;
use crate::panics::quietly;
use crate::replay::{Replayed, replay_and_record};
use crate::simulate::Verdict;
use crate::trace::{Claim, Recorder, Trace};
use model::checker::search::{Path, ways};
use model::checker::{Finding, Lost, Space};
use model::{Sink, World};
use std::sync::Arc;

/// Walks the simulator's world along a path of a space, and writes the walk down. `sink` is told everything that
/// happens in it.
///
/// # Errors
///
/// If the world cannot follow, or finds nothing wrong in the end.
pub fn follow<S: Space, K: Sink>(
    space: &S,
    path: &Path<S>,
    case: &Case<'_>,
    sink: &mut K,
) -> Result<(Replayed, Trace), Lost> {
    let mut world = World::new(Arc::new(case.setup.clone()), case.limits);
    let mut nobody = ();
    let mut recorder = Recorder::new(&case.setup, &mut nobody);
    // An assertion of the engine ends the walk; whether it was the one of the path is seen when it is walked again.
    if let Ok(followed) = quietly(|| space.follow(&path.start, &path.actions, &mut world, &mut recorder)) {
        followed?;
    }
    // The walk may go on after what it was about, and its sink is told of choices alone: a replay has the rest.
    let choices = recorder.trace(case, &[], &Verdict::Holds, 0, 0);
    let (replayed, trace) = replay_and_record(&choices, case, sink);
    if replayed.verdict.holds() {
        let why = "the simulator's world came to the end of the path and found nothing wrong".to_owned();
        return Err(Lost { step: path.actions.len(), why });
    }
    Ok((replayed, trace))
}

/// How many states are looked at for other ways, and how many of these are tried.
const STATES: usize = 200_000;
const WAYS: usize = 60;

/// A path to what is wrong, and how the simulator's world walks it.
pub struct Followed<S: Space> {
    /// The path: the one that was given, or another one to the same finding, perhaps a few steps longer.
    pub path: Path<S>,
    /// The walk, or why the world does not go the path that was given.
    pub walked: Result<(Replayed, Trace), Lost>,
}

/// Walks the simulator's world along a path of a space to something wrong. If the world cannot follow, other ways to the
/// same finding are tried. A space knows less of time than the world, so that of several ways that are one to it the
/// world may go some and others not.
pub fn follow_to<S: Space, K: Sink>(space: &S, path: &Path<S>, case: &Case<'_>, sink: &mut K) -> Followed<S> {
    // The world asserts what it does not expect; then it does not go this way.
    let try_out = |path: &Path<S>| match quietly(|| follow(space, path, case, &mut ())) {
        Ok(walked) => walked.map(|(_, trace)| trace),
        Err(why) => Err(Lost { step: path.actions.len(), why }),
    };
    let mut taken = path.clone();
    if let Err(lost) = try_out(path) {
        let Some(finding) = path.end(space).and_then(|end| space.finding(&end)) else {
            return Followed { path: taken, walked: Err(lost) };
        };
        let wanted = match finding {
            Finding::Violated(property) => Claim::Violated(property),
            Finding::Panicked => Claim::Asserted,
        };
        let mut found = None;
        ways(space, finding, STATES, WAYS, &mut |other| {
            if try_out(other).is_ok_and(|trace| trace.verdict == wanted) {
                found = Some(other.clone());
            }
            found.is_some()
        });
        match found {
            Some(other) => taken = other,
            None => return Followed { path: taken, walked: Err(lost) },
        }
    }
    let walked = follow(space, &taken, case, sink);
    Followed { path: taken, walked }
}
