//! From a path through a small world to an ordinary trace.

use crate::case::Case;
use crate::panics::quietly;
use crate::replay::{Replayed, replay_and_record};
use crate::simulate::Verdict;
use crate::trace::{Recorder, Trace};
use model::checker::search::Path;
use model::checker::{Lost, Space};
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
