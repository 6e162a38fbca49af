//! I-FMT: every sector that is written decodes by the format of its place, checksum included, and says the names and
//! sizes that belong there.

use super::facts::{Area, Facts};
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::instant::Instant;
use lease_core::format::{Sector, SectorKind};

pub(super) fn written(at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let Some(spot) = written.spot else { return Ok(()) };
    let (geometry, kind) = (spot.geometry, spot.kind);
    let align = 0xf0;
    let right = match (&written.sector, kind, spot.area) {
        (Sector::Delta { lease, .. }, SectorKind::Delta(id), Area::Lockspace(lockspace)) => {
            lease.space_name.same(&facts.lockspace(lockspace).name)
                && lease.sector_size == geometry.sector()
                && lease.flags & align == geometry.leader_flag()
                && lease.owner_id == id
                && lease.owner_generation.0 != 0
        }
        (Sector::Leader(leader), SectorKind::Leader, Area::Resource(resource)) => {
            let renamed = ledger.bears(resource, &leader.resource_name);
            let resource = facts.resource(resource);
            leader.space_name.same(&facts.lockspace(resource.lockspace).name)
                && (leader.resource_name.same(&resource.name) || renamed)
                && leader.sector_size == geometry.sector()
                && leader.flags & align == geometry.leader_flag()
                && leader.max_hosts == geometry.max_hosts()
                && (1..=geometry.max_hosts()).contains(&leader.num_hosts)
                && leader.owner_id.0 != 0
                && leader.write_id.0 != 0
                && leader.lver.0 != 0
        }
        (Sector::Request(_), SectorKind::Request, _) => true,
        // A block that was wiped is a sector of zeros.
        (Sector::Zero, SectorKind::HostBlock(_), _) => true,
        (Sector::HostBlock(block), SectorKind::HostBlock(_), _) => {
            // A vote is a value and the ballot that it was proposed in, and no vote is neither.
            (block.bal.0 == 0) == (block.inp.0 == 0) && block.bal <= block.mbal
        }
        (_, SectorKind::Unused | SectorKind::Lvb, _) => true,
        _ => false,
    };
    if right {
        return Ok(());
    }
    let what = format!(
        "{} writes to byte {} in {} what is no {} of that place: {}",
        facts.label(written.host),
        written.offset,
        written.place(facts),
        in_words(kind),
        shown(&written.sector),
    );
    violated(Property::Format, at, &[written.host], what)
}

fn in_words(kind: SectorKind) -> &'static str {
    match kind {
        SectorKind::Delta(_) => "delta lease",
        SectorKind::Leader => "leader record",
        SectorKind::Request => "request record",
        SectorKind::HostBlock(_) => "host block",
        _ => "known sector",
    }
}

fn shown(sector: &Sector) -> String {
    match sector {
        Sector::Zero => "zeros".to_string(),
        Sector::Delta { lease, .. } => {
            format!(
                "owner {} generation {} in a sector of {}",
                lease.owner_id, lease.owner_generation, lease.sector_size
            )
        }
        Sector::Leader(leader) | Sector::Cleared(leader) => {
            format!("owner {} version {} of {} hosts", leader.owner_id, leader.lver, leader.num_hosts)
        }
        Sector::HostBlock(block) => format!("mbal {} bal {} inp {}", block.mbal, block.bal, block.inp),
        _ => "bytes that do not decode".to_string(),
    }
}
