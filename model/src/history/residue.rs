//! I-RESIDUE: when all is quiet, nothing on disk makes a live host look like the owner of something it does not hold.

use super::facts::Facts;
use super::ledger::{Ledger, Life, Phase};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, ResourceIx};
use lease_core::numbers::{Lver, Second};
use lease_core::profile::AbortedJoin;
use lease_core::seam::{Event, Task};

/// Of resources by version: whether it is known to be decided for another than this host.
pub(super) type DecidedFor<'a> = &'a dyn Fn(ResourceIx, Lver, Host) -> bool;

pub(super) fn at_rest(at: Instant, decided: DecidedFor<'_>, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    for (host, state) in ledger.hosts().filter(|(_, state)| state.executing() && state.daemon) {
        for life in &state.lives {
            match life.phase {
                Phase::Joined if state.requests.is_empty() => resources(at, host, life, decided, ledger, facts)?,
                Phase::JoinFailed | Phase::Left => slot(at, host, life, ledger, facts)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn resources(
    at: Instant,
    host: Host,
    life: &Life,
    decided: DecidedFor<'_>,
    ledger: &Ledger,
    facts: &Facts<'_>,
) -> Verdict {
    let of_lockspace = (0..facts.setup.resources.len())
        .map(|index| ResourceIx(index as u8))
        .filter(|resource| facts.resource(*resource).lockspace == life.lockspace);
    for resource in of_lockspace {
        let Some(leader) = facts.leader(host, resource) else { continue };
        let me = (life.host_id, life.generation);
        let is_held = ledger.holds_of(host).any(|hold| hold.resource == resource);
        if is_held || ledger.host(host).orphans.contains(&resource) {
            continue;
        }
        let released = |lver: Lver| {
            let own = facts.block(host, resource, life.host_id);
            own.is_some_and(|block| block.lver >= lver && block.released())
        };
        let mut why = None;
        let own = facts.block(host, resource, life.host_id);
        if own.is_some_and(|block| block.mode.shared() && block.mode.generation == life.generation) {
            why = Some("SHARED in its own block".to_string());
        }
        if !leader.timestamp.is_free() && (leader.owner_id, leader.owner_generation) == me && !released(leader.lver) {
            why = Some(format!("the leader of version {}", leader.lver));
        }
        // A vote for a version that the leader has not reached yet is what the next ballot will commit; unless that version
        // is decided, and only an older leader that came late has hidden it: then every ballot commits what was decided.
        for voter in facts.setup.hosts.iter().flat_map(|setup| &setup.memberships) {
            if why.is_some() || voter.lockspace != life.lockspace {
                continue;
            }
            let Some(block) = facts.block(host, resource, voter.host_id) else { continue };
            let votes = block.bal.0 != 0 && (block.inp, block.inp2) == me && block.lver > leader.lver;
            if votes && !released(block.lver) && !decided(resource, block.lver, host) {
                why = Some(format!("the vote of host {} for version {}", voter.host_id, block.lver));
            }
        }
        if let Some(why) = why {
            let what = format!(
                "{why} names {} (host id {}, generation {}) as the owner of {}, but none of its processes holds it",
                facts.label(host),
                life.host_id,
                life.generation,
                facts.resource_name(resource),
            );
            return violated(Property::Residue, at, &[host], what);
        }
    }
    Ok(())
}

/// Where the profile asks for it, a join that failed without trouble of its I/O has set its slot free by then.
pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let Happening::Engine { host, event: Event::JoinFailed { lockspace: id, .. } } = happening else { return Ok(()) };
    let state = ledger.host(*host);
    let config = &facts.setup.hosts[usize::from(host.0)].config;
    let sets_free = config.profile.aborted_join == AbortedJoin::SetFree;
    let gives_up = state.under_way.iter().any(|io| io.task == Task::Lockspace(*id));
    // The life that ended just now, for others of this host may have failed before, in other lockspaces, in this very moment.
    let now = facts.now(*host, at);
    let is_it = |life: &&Life| life.phase == Phase::JoinFailed && life.ended == Some(now);
    let Some(life) = state.lives.iter().rev().find(is_it) else { return Ok(()) };
    let Some(record) = facts.delta(*host, life.lockspace, life.host_id) else { return Ok(()) };
    let old = now.second().since(Second(record.timestamp.0)) >= config.parameters.failure_age(life.io_timeout);
    if !sets_free || gives_up || old { Ok(()) } else { slot(at, *host, life, ledger, facts) }
}

/// A join that failed, or a lockspace that was left, without trouble of its I/O leaves the delta lease free.
fn slot(at: Instant, host: Host, life: &Life, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    if life.troubled || life.generation.0 == 0 || ledger.host(host).current(life.lockspace).is_some() {
        return Ok(());
    }
    let Some(record) = facts.delta(host, life.lockspace, life.host_id) else { return Ok(()) };
    let name = ledger.name_of(host, facts);
    let mine = record.owner_generation == life.generation && record.owner_name.same(&name);
    if !mine || record.timestamp.is_free() {
        return Ok(());
    }
    let what = format!(
        "{} is not in {}, but host id {} still looks owned by it (generation {}, stamp {})",
        facts.label(host),
        facts.lockspace_name(life.lockspace),
        life.host_id,
        record.owner_generation,
        record.timestamp,
    );
    violated(Property::Residue, at, &[host], what)
}
