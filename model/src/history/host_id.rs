//! I-HOSTID: at most one running daemon believes that it owns a host id.
//!
//! It believes so from the end of its join until its users are gone, or until it or its host ends. A paused host
//! believes nothing.

use super::facts::Facts;
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::action::Part;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::Host;
use lease_core::seam::Event;

pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    match happening {
        Happening::Engine { host, event: Event::Joined { .. } } | Happening::Resumed { host, part: Part::Host, .. } => {
            alone(at, *host, ledger, facts)
        }
        _ => Ok(()),
    }
}

fn alone(at: Instant, host: Host, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let state = ledger.host(host);
    if !state.executing() {
        return Ok(());
    }
    for mine in state.lives.iter().filter(|life| life.believes()) {
        for (other, others) in ledger.hosts().filter(|(other, state)| *other != host && state.executing()) {
            let same = |life: &&super::ledger::Life| (life.lockspace, life.host_id) == (mine.lockspace, mine.host_id);
            if let Some(theirs) = others.lives.iter().filter(|life| life.believes()).find(same) {
                let what = format!(
                    "{} (generation {}) and {} (generation {}) both believe that they own host id {} of {}",
                    facts.label(host),
                    mine.generation,
                    facts.label(other),
                    theirs.generation,
                    mine.host_id,
                    facts.lockspace_name(mine.lockspace),
                );
                return violated(Property::HostId, at, &[host, other], what);
            }
        }
    }
    Ok(())
}
