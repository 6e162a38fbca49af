//! I-HOSTID: at most one running daemon believes that it owns a host id.
//!
//! It believes so from the end of its join until its users are gone, or until it or its host ends. A paused host
//! believes nothing.
//!
//! Nor does a daemon extend what is not its own: the read that each renewal begins with must have met the record of this
//! very life. What stood in its place when that read was issued, and stands there still, is never written over.

use super::facts::Facts;
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::action::Part;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::Host;
use lease_core::format::{DeltaLease, Sector};
use lease_core::seam::{Event, LsId, Task};

/// The lockspace threads whose last read of their area was issued when something else stood in the place of their record,
/// with that; `None`: nothing that could be read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Strangers(Vec<(Host, LsId, Option<DeltaLease>)>);

impl Strangers {
    /// A renewal begins.
    pub(super) fn see(&mut self, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) {
        match happening {
            Happening::Down { host, .. } | Happening::DaemonDown { host } => self.0.retain(|(other, ..)| other != host),
            Happening::ReadIssued { host, task: Task::Lockspace(id), .. } => {
                self.0.retain(|(other, known, _)| (other, known) != (host, id));
                if let Some(Err(stranger)) = own_record(*host, *id, ledger, facts) {
                    self.0.push((*host, *id, stranger));
                }
            }
            _ => {}
        }
    }

    /// A renewal writes.
    pub(super) fn written(&self, at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let (Sector::Delta { lease, .. }, Task::Lockspace(id)) = (&written.sector, written.task) else { return Ok(()) };
        let host = written.host;
        let Some((.., stranger)) = self.0.iter().find(|(other, known, _)| (*other, *known) == (host, id)) else {
            return Ok(());
        };
        if lease.timestamp.is_free()
            || own_record(host, id, ledger, facts).is_none_or(|now| now != Err(stranger.clone()))
        {
            return Ok(());
        }
        let found = match stranger {
            Some(other) => format!("a record of {}", String::from_utf8_lossy(other.owner_name.text())),
            None => "no record of it".to_string(),
        };
        let what = format!(
            "{} renews host id {} (generation {}) over {found}, which has stood there since before its look",
            facts.label(host),
            lease.owner_id,
            lease.owner_generation,
        );
        violated(Property::HostId, at, &[host], what)
    }
}

/// Whether the record in the place of a daemon's own is its own: of this life, whatever its stamp. Otherwise what is there.
/// `None`: it does not believe that it owns one.
fn own_record(host: Host, id: LsId, ledger: &Ledger, facts: &Facts<'_>) -> Option<Result<(), Option<DeltaLease>>> {
    let life = ledger.life_of(host, id).filter(|life| life.believes())?;
    let found = facts.delta(host, life.lockspace, life.host_id);
    let name = ledger.name_of(host, facts);
    let mine = |record: &DeltaLease| {
        (record.owner_id, record.owner_generation) == (life.host_id, life.generation) && record.owner_name.same(&name)
    };
    Some(if found.as_ref().is_some_and(mine) { Ok(()) } else { Err(found) })
}

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
