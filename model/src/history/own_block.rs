//! What a host has said in its own block of a resource binds it: part of I-AGREE and of I-RESIDUE.
//!
//! "Disk Paxos" calls the block `dblock[p]`, and its proof needs that it only grows: ballot numbers and versions rise, a
//! vote is only replaced by the vote of a higher ballot, and what was released stays released for as long as the vote
//! for it stands. So each write is held against what it replaces, when it is issued. A wrong one does harm only if
//! somebody is just then between two of his reads, which chance seldom brings about.
//!
//! Whoever finds a block damaged does not know what it said, and must not decide over it.
//!
//! And when a daemon lets go of a resource, nothing in its own block may look like a claim any more, not even to a host
//! that has carried the vote along and commits it late.
//!
//! Each of these is a promise of `hardened`; 3.8.5 makes none of them, and the decisions that break one are asked for by
//! name. On a medium that was damaged, or that showed somebody the past, no host can keep the first and the last.

use super::facts::{Area, Facts};
use super::ledger::{Ledger, Phase, UnderWay};
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, ResourceIx};
use lease_core::format::{HostBlock, Name, Sector, SectorKind};
use lease_core::numbers::{HostId, Lver};
use lease_core::profile::{
    DamagedBlock, OutstandingWrite, OwnVote, Profile, RegressedLeader, ReleaseRetry, Retract, SharedFailure,
};
use lease_core::seam::Task;
use sim_disk::{Completion, Run};

/// The workers whose last read of a whole resource met a damaged block.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Damage(Vec<(Host, Task)>);

/// The block only grows.
const fn grows(profile: &Profile) -> bool {
    matches!(profile.own_vote, OwnVote::Kept)
        && matches!(profile.retract, Retract::VoteReleased)
        && matches!(profile.shared_failure, SharedFailure::Withdrawn)
        && matches!(profile.regressed_leader, RegressedLeader::Overruled)
        && matches!(profile.outstanding_write, OutstandingWrite::Awaited)
}

/// What is let go of is released, whatever it takes.
const fn lets_go(profile: &Profile) -> bool {
    grows(profile) && matches!(profile.release_retry, ReleaseRetry::UntilDone)
}

/// Why a block may not be replaced by another, if it may not.
fn falls_back(old: &HostBlock, new: &HostBlock) -> Option<&'static str> {
    let value = |block: &HostBlock| (block.inp, block.inp2, block.inp3);
    let voted = old.bal.0 != 0;
    let same_version = new.lver == old.lver;
    if new.lver < old.lver {
        Some("of a lower version than the one that stands there")
    } else if new.mbal < old.mbal {
        Some("with a lower ballot number than the one that stands there")
    } else if same_version && new.bal < old.bal {
        Some("without the vote that stands there, of the same version")
    } else if same_version && voted && new.bal == old.bal && value(new) != value(old) {
        Some("with another value than the one that stands there, of the same ballot")
    } else if same_version && voted && value(new) == value(old) && old.released() && !new.released() {
        Some("without RELEASED, which stands beside the same vote there")
    } else {
        None
    }
}

/// A host writes its own block.
pub(super) fn written(at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let Some(spot) = written.spot else { return Ok(()) };
    let (Area::Resource(resource), SectorKind::HostBlock(id)) = (spot.area, spot.kind) else { return Ok(()) };
    let profile = &facts.setup.hosts[usize::from(written.host.0)].config.profile;
    let mine = ledger.host(written.host).current(facts.resource(resource).lockspace);
    if !grows(profile) || mine.is_none_or(|life| life.host_id != id) {
        return Ok(());
    }
    let new = match &written.sector {
        Sector::HostBlock(block) => *block,
        Sector::Zero => HostBlock::default(),
        _ => return Ok(()),
    };
    let Some(old) = facts.block(written.host, resource, id) else { return Ok(()) };
    match falls_back(&old, &new) {
        None => Ok(()),
        Some(why) => {
            let what = format!(
                "{} writes a block of {} {why}: {}, after {}",
                facts.label(written.host),
                facts.resource_name(resource),
                shown(&new),
                shown(&old),
            );
            violated(Property::Agreement, at, &[written.host], what)
        }
    }
}

fn shown(block: &HostBlock) -> String {
    let released = if block.released() { " released" } else { "" };
    format!("version {} mbal {} bal {} inp {}{released}", block.lver, block.mbal, block.bal, block.inp)
}

impl Damage {
    /// A read ended.
    pub(super) fn see(&mut self, happening: &Happening, io: Option<UnderWay>, facts: &Facts<'_>) {
        match happening {
            Happening::Down { host, .. } | Happening::DaemonDown { host } => self.0.retain(|(other, _)| other != host),
            Happening::Completed { host, completion: Completion::Read(runs), .. } => {
                let Some(UnderWay { task: task @ Task::Worker(_), disk, reads: Some(offset), .. }) = io else { return };
                let resource = facts.setup.resource_at(disk, offset);
                let Some(resource) = resource.filter(|found| facts.resource(*found).place.offset == offset) else {
                    return;
                };
                self.0.retain(|known| *known != (*host, task));
                if any_damaged(runs, resource, facts) {
                    self.0.push((*host, task));
                }
            }
            _ => {}
        }
    }

    /// A vote, or a leader that tells of a decision, is written.
    pub(super) fn written(&self, at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let profile = &facts.setup.hosts[usize::from(written.host.0)].config.profile;
        let saw = self.0.contains(&(written.host, written.task));
        if !saw || profile.damaged_block != DamagedBlock::Refused {
            return Ok(());
        }
        let Some(spot) = written.spot else { return Ok(()) };
        let Area::Resource(resource) = spot.area else { return Ok(()) };
        let what = match (&written.sector, spot.kind) {
            (Sector::Leader(leader), SectorKind::Leader) if !leader.timestamp.is_free() => "commits",
            (Sector::HostBlock(block), SectorKind::HostBlock(id)) if !block.released() && block.bal.0 != 0 => {
                let mine = ledger.host(written.host).current(facts.resource(resource).lockspace);
                let before = facts.block(written.host, resource, id);
                let raises = before.is_some_and(|before| before.mbal == block.mbal && before.bal < block.bal);
                if !raises || mine.is_none_or(|life| life.host_id != id) {
                    return Ok(());
                }
                "votes for"
            }
            _ => return Ok(()),
        };
        let what = format!(
            "{} {what} a version of {} although it has just read a damaged block of it",
            facts.label(written.host),
            facts.resource_name(resource),
        );
        violated(Property::Agreement, at, &[written.host], what)
    }
}

/// Whether the block of some host of the cluster is damaged in what was read of a resource.
fn any_damaged(runs: &[Run], resource: ResourceIx, facts: &Facts<'_>) -> bool {
    let geometry = facts.resource(resource).geometry;
    let disk = facts.resource(resource).place.disk;
    let disk_sector = u64::from(facts.setup.disks[usize::from(disk.0)].sector_size);
    members(resource, facts).any(|id| {
        let mut left = geometry.block_offset(id) / disk_sector;
        let bytes = runs.iter().find_map(|(count, bytes)| match left < u64::from(*count) {
            true => Some(bytes),
            false => {
                left -= u64::from(*count);
                None
            }
        });
        bytes.is_some_and(|bytes| !bytes.is_empty() && HostBlock::read(bytes).is_err())
    })
}

/// The host ids that may have a block in a resource.
fn members<'a>(resource: ResourceIx, facts: &Facts<'a>) -> impl Iterator<Item = HostId> + use<'a> {
    let lockspace = facts.resource(resource).lockspace;
    let members = facts.setup.hosts.iter().flat_map(|host| &host.memberships);
    members.filter(move |member| member.lockspace == lockspace).map(|member| member.host_id)
}

/// A daemon has let go of something: of all that it does not `claim`, its own block says nothing to its advantage.
/// `decided_for_another` knows which versions went to whom.
pub(super) fn let_go(
    at: Instant,
    host: Host,
    claims: impl Fn(&Name, &Name) -> bool,
    decided_for_another: impl Fn(ResourceIx, Lver) -> bool,
    ledger: &Ledger,
    facts: &Facts<'_>,
) -> Verdict {
    if !lets_go(&facts.setup.hosts[usize::from(host.0)].config.profile) {
        return Ok(());
    }
    let joined = |life: &&super::ledger::Life| life.phase == Phase::Joined && life.leaves.is_none();
    for life in ledger.host(host).lives.iter().filter(joined) {
        for index in 0..facts.setup.resources.len() {
            let resource = ResourceIx(index as u8);
            let plan = facts.resource(resource);
            if plan.lockspace != life.lockspace || claims(&facts.lockspace(plan.lockspace).name, &plan.name) {
                continue;
            }
            let Some(own) = facts.block(host, resource, life.host_id) else { continue };
            let me = (life.host_id, life.generation);
            let votes = own.bal.0 != 0 && (own.inp, own.inp2) == me && !own.released();
            let why = if own.mode.shared() && own.mode.generation == life.generation {
                "says SHARED".to_string()
            } else if votes && !decided_for_another(resource, own.lver) {
                format!("votes for it in version {} and does not say RELEASED", own.lver)
            } else {
                continue;
            };
            let what = format!(
                "{} has let go of {}, but its own block (host id {}, generation {}) {why}",
                facts.label(host),
                facts.resource_name(resource),
                life.host_id,
                life.generation,
            );
            return violated(Property::Residue, at, &[host], what);
        }
    }
    Ok(())
}
