//! I-DUR: whoever is told that it holds a resource is named on disk at that moment: by the leader of the version it was
//! told, or by the vote in its own block, which every later ballot finds. Who shares it says so in his own block.

use super::facts::Facts;
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use lease_core::seam::Mode;

pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let (Happening::UseBegins { host, process, resource, lver, mode }
    | Happening::UseChanges { host, process, resource, lver, mode: mode @ Mode::Exclusive }) = happening
    else {
        return Ok(());
    };
    let lockspace = facts.resource(*resource).lockspace;
    let Some(life) = ledger.host(*host).current(lockspace) else {
        let what = format!(
            "{} was granted {} though {} is not in {}",
            facts.process(*host, *process),
            facts.resource_name(*resource),
            facts.label(*host),
            facts.lockspace_name(lockspace),
        );
        return violated(Property::Durable, at, &[*host], what);
    };
    let me = (life.host_id, life.generation);
    let leads = facts.leader(*host, *resource).is_some_and(|leader| {
        !leader.timestamp.is_free() && leader.lver == *lver && (leader.owner_id, leader.owner_generation) == me
    });
    let voted = || {
        facts.block(*host, *resource, life.host_id).is_some_and(|block| {
            block.lver == *lver && block.bal.0 != 0 && !block.released() && (block.inp, block.inp2) == me
        })
    };
    let shares = || {
        let block = facts.block(*host, *resource, life.host_id);
        block.is_some_and(|block| block.mode.shared() && block.mode.generation == life.generation)
    };
    let stands = match mode {
        Mode::Exclusive => leads || voted(),
        Mode::Shared => shares(),
    };
    if stands {
        return Ok(());
    }
    if *mode == Mode::Shared {
        let what = format!(
            "{} was granted {} shared, but the block of host id {} does not say so for generation {}",
            facts.process(*host, *process),
            facts.resource_name(*resource),
            life.host_id,
            life.generation,
        );
        return violated(Property::Durable, at, &[*host], what);
    }
    let what = format!(
        "{} was granted version {lver} of {}, but neither its leader nor the block of host id {} names generation {} of it",
        facts.process(*host, *process),
        facts.resource_name(*resource),
        life.host_id,
        life.generation,
    );
    violated(Property::Durable, at, &[*host], what)
}
