//! I-LIFE: no slot is used again while its I/O is under way, no sector is written while an older write to it is (where
//! the profile waits for that), and no lockspace has two renewal loops on one host.

use super::facts::Facts;
use super::ledger::{Ledger, UnderWay};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use lease_core::profile::OutstandingWrite;
use lease_core::seam::Event;

/// To be asked before the ledger follows the happening.
pub(super) fn before(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let (host, slot) = match happening {
        Happening::ReadIssued { host, slot, .. } | Happening::WriteIssued { host, slot, .. } => (*host, *slot),
        _ => return Ok(()),
    };
    let taken = |under_way: &&UnderWay| under_way.slot == slot;
    if let Some(under_way) = ledger.host(host).under_way.iter().find(taken) {
        let what = format!(
            "{} issues an I/O in slot {} whose I/O of {} has not completed yet",
            facts.label(host),
            slot.0,
            under_way.issued,
        );
        return violated(Property::Life, at, &[host], what);
    }
    let awaited = facts.setup.hosts[usize::from(host.0)].config.profile.outstanding_write == OutstandingWrite::Awaited;
    if let Happening::WriteIssued { disk, offset, .. } = happening
        && awaited
        && let Some(older) = ledger.host(host).under_way.iter().find(|io| io.writes == Some((*disk, *offset)))
    {
        let what = format!(
            "{} writes to a sector to which its write of {} has not completed yet",
            facts.label(host),
            older.issued,
        );
        return violated(Property::Life, at, &[host], what);
    }
    Ok(())
}

/// To be asked after.
pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let Happening::Engine { host, event: Event::Joined { lockspace, .. } } = happening else { return Ok(()) };
    let Some(life) = ledger.life_of(*host, *lockspace) else { return Ok(()) };
    let lives = &ledger.host(*host).lives;
    let loops = lives.iter().filter(|other| other.lockspace == life.lockspace && other.may_write()).count();
    if loops <= 1 {
        return Ok(());
    }
    let what = format!("{} has {loops} renewal loops for {}", facts.label(*host), facts.lockspace_name(life.lockspace));
    violated(Property::Life, at, &[*host], what)
}
