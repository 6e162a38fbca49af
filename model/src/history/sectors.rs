//! I-SECTOR: a host writes one sector at a time: its own delta lease, its own block, a leader, a request or a value.
//!
//! Another host's block it may only wipe out, while nobody is in the lockspace under that host id.

use super::facts::{Area, Facts};
use super::ledger::{HostLedger, Ledger};
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::instant::Instant;
use lease_core::format::{Sector, SectorKind};
use lease_core::numbers::HostId;
use lease_core::seam::Task;

pub(super) fn written(at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let wrong = |why: String| {
        let what = format!(
            "{} writes {} bytes at byte {} in {}: {why}",
            facts.label(written.host),
            written.length,
            written.offset,
            written.place(facts),
        );
        violated(Property::Sector, at, &[written.host], what)
    };
    if written.spot.is_none() && facts.setup.index_at(written.disk, written.offset).is_some() {
        // Areas are written whole there; what holds for that is another checker's matter.
        return match written.task {
            Task::Worker(_) => Ok(()),
            _ => wrong("an index is the workers' alone".to_string()),
        };
    }
    let Some(spot) = written.spot else { return wrong("nothing of it is a lease".to_string()) };
    if !spot.aligned || written.length != u64::from(spot.geometry.sector()) {
        return wrong(format!("expected one whole sector of {} bytes", spot.geometry.sector()));
    }
    let state = ledger.host(written.host);
    let mine = match (written.task, written.lockspace) {
        (Task::Lockspace(id), Some(lockspace)) => {
            ledger.life_of(written.host, id).filter(|life| life.lockspace == lockspace)
        }
        (_, Some(lockspace)) => state.current(lockspace),
        (_, None) => None,
    };
    // A host that is not in the lockspace at all is another checker's matter.
    let own = |id: HostId| mine.is_none_or(|life| life.host_id == id);
    match (spot.area, spot.kind) {
        (Area::Lockspace(_), SectorKind::Delta(id)) if !matches!(written.task, Task::Lockspace(_)) => {
            wrong(format!("the delta lease of host id {id} is its lockspace thread's alone"))
        }
        (Area::Lockspace(_), SectorKind::Delta(id)) if own(id) => Ok(()),
        (Area::Resource(_), SectorKind::HostBlock(id)) if own(id) => Ok(()),
        (Area::Resource(_), SectorKind::Leader | SectorKind::Request | SectorKind::Lvb) => Ok(()),
        (Area::Resource(resource), SectorKind::HostBlock(id)) if written.sector == Sector::Zero => {
            let lockspace = facts.resource(resource).lockspace;
            let uses = |state: &HostLedger| {
                state.current(lockspace).is_some_and(|life| life.host_id == id && life.may_write())
            };
            match ledger.hosts().find(|(_, state)| uses(state)) {
                Some((user, _)) => {
                    wrong(format!("that is the sector of host id {id}, which {} uses", facts.label(user)))
                }
                None => Ok(()),
            }
        }
        (_, SectorKind::Delta(id) | SectorKind::HostBlock(id)) => {
            wrong(format!("that is the sector of host id {id}, another's"))
        }
        _ => wrong("no host writes there".to_string()),
    }
}
