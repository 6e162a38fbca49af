//! I-GEN: each join of a host id has a larger generation than every join of it before.

use super::facts::Facts;
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx};
use lease_core::numbers::{Generation, HostId};
use lease_core::seam::Event;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Joined {
    lockspace: LockspaceIx,
    host_id: HostId,
    generation: Generation,
    by: Host,
}

/// The newest join of each host id.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Generations(Vec<Joined>);

impl Generations {
    pub(super) fn see(&mut self, at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let Happening::Engine { host, event: Event::Joined { lockspace, host_id, generation, .. } } = happening else {
            return Ok(());
        };
        let Some(life) = ledger.life_of(*host, *lockspace) else { return Ok(()) };
        let lockspace = life.lockspace;
        let joined = Joined { lockspace, host_id: *host_id, generation: *generation, by: *host };
        let is_it = |known: &&mut Joined| (known.lockspace, known.host_id) == (lockspace, *host_id);
        let Some(known) = self.0.iter_mut().find(is_it) else {
            self.0.push(joined);
            return Ok(());
        };
        let before = std::mem::replace(known, joined);
        if *generation > before.generation {
            return Ok(());
        }
        let what = format!(
            "{} joined {} as host id {host_id} with generation {generation}, but {} had joined with generation {} before",
            facts.label(*host),
            facts.lockspace_name(lockspace),
            facts.label(before.by),
            before.generation,
        );
        violated(Property::Generations, at, &[before.by, *host], what)
    }
}
