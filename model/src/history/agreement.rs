//! I-AGREE: for one version of a resource at most one owner and generation is committed, granted versions only rise,
//! and ballot numbers belong to one host each.
//!
//! Leaders are judged when their write is issued: a wrong one often heals before anybody suffers from it.

use super::facts::{Area, Facts};
use super::ledger::Ledger;
use super::property::Property;
use super::violation::{Verdict, violated};
use super::written::Written;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, ResourceIx, Setup};
use lease_core::format::{Leader, Sector, SectorKind};
use lease_core::numbers::{Generation, HostId, Lver, Stamp};
use lease_core::profile::OwnVote;
use lease_core::seam::Mode;

/// How many versions of a resource are remembered. No host's memory of a leader survives so many acquires.
const REMEMBERED: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Commit {
    lver: Lver,
    owner: HostId,
    generation: Generation,
    /// The third part of the chosen value.
    timestamp: Stamp,
    by: Host,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Commits {
    /// Oldest version first.
    known: Vec<Commit>,
    /// The highest version that anybody was granted, and that anybody was granted for himself. Those who share were
    /// granted different versions, and may be told of them in any order.
    granted: Lver,
    alone: Lver,
    /// What each host was granted last: its processes may share that, or one adopt it from another.
    by_host: Vec<Lver>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Agreement(Vec<Commits>);

impl Agreement {
    pub(super) fn new(setup: &Setup) -> Agreement {
        let commits = Commits { by_host: vec![Lver(0); setup.hosts.len()], ..Commits::default() };
        Agreement(vec![commits; setup.resources.len()])
    }

    pub(super) fn written(&mut self, at: Instant, written: &Written, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let Some(spot) = written.spot else { return Ok(()) };
        let Area::Resource(resource) = spot.area else { return Ok(()) };
        match (&written.sector, spot.kind) {
            (Sector::Leader(leader), SectorKind::Leader) if !leader.timestamp.is_free() => {
                self.commit(at, written.host, resource, leader, facts)
            }
            (Sector::HostBlock(block), SectorKind::HostBlock(id)) => {
                let stride = spot.geometry.max_hosts();
                let mine = ledger.host(written.host).current(facts.resource(resource).lockspace);
                let is_mine = mine.is_some_and(|life| life.host_id == id);
                if is_mine && block.mbal.0 != 0 && block.mbal.0 % stride != id.0 % stride {
                    let what = format!(
                        "{} writes ballot number {} for {}, which is not one of host id {id}'s",
                        facts.label(written.host),
                        block.mbal,
                        facts.resource_name(resource),
                    );
                    return violated(Property::Agreement, at, &[written.host], what);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether a version is known to be decided for another than `host` as it lives now, or so old that whoever committed
    /// it is forgotten.
    pub(super) fn is_over(
        &self,
        resource: ResourceIx,
        lver: Lver,
        host: Host,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> bool {
        let commits = &self.0[usize::from(resource.0)].known;
        let life = ledger.host(host).current(facts.resource(resource).lockspace);
        match commits.binary_search_by_key(&lver, |known| known.lver) {
            Ok(found) => life.is_none_or(|life| {
                (commits[found].owner, commits[found].generation) != (life.host_id, life.generation)
            }),
            Err(place) => place == 0 && commits.len() == REMEMBERED,
        }
    }

    fn commit(&mut self, at: Instant, by: Host, resource: ResourceIx, leader: &Leader, facts: &Facts<'_>) -> Verdict {
        let commits = &mut self.0[usize::from(resource.0)].known;
        let (owner, generation, timestamp) = (leader.owner_id, leader.owner_generation, leader.timestamp);
        let commit = Commit { lver: leader.lver, owner, generation, timestamp, by };
        // Whoever forgets a vote may propose itself anew under a new stamp.
        let kept = facts.setup.hosts.iter().all(|host| host.config.profile.own_vote == OwnVote::Kept);
        match commits.binary_search_by_key(&commit.lver, |known| known.lver) {
            Ok(found) => {
                let known = commits[found];
                let same_stamp = !kept || known.timestamp == commit.timestamp;
                if (known.owner, known.generation) != (commit.owner, commit.generation) || !same_stamp {
                    let what = format!(
                        "version {} of {} is committed twice: for host {} generation {} by {}, for host {} generation {} by {}",
                        commit.lver,
                        facts.resource_name(resource),
                        known.owner,
                        known.generation,
                        facts.label(known.by),
                        commit.owner,
                        commit.generation,
                        facts.label(by),
                    );
                    return violated(Property::Agreement, at, &[known.by, by], what);
                }
            }
            Err(0) if commits.len() == REMEMBERED => {}
            Err(place) => {
                commits.insert(place, commit);
                if commits.len() > REMEMBERED {
                    commits.remove(0);
                }
            }
        }
        Ok(())
    }

    pub(super) fn see(&mut self, at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let (host, process, resource, lver, mode) = match happening {
            Happening::UseBegins { host, process, resource, lver, mode } => (host, process, resource, lver, *mode),
            Happening::UseChanges { host, process, resource, lver, mode: mode @ Mode::Exclusive } => {
                (host, process, resource, lver, *mode)
            }
            Happening::Down { host, .. } | Happening::DaemonDown { host } => {
                self.0.iter_mut().for_each(|commits| commits.by_host[usize::from(host.0)] = Lver(0));
                return Ok(());
            }
            _ => return Ok(()),
        };
        let commits = &mut self.0[usize::from(resource.0)];
        let by_host = std::mem::replace(&mut commits.by_host[usize::from(host.0)], *lver);
        // The daemon has it already: for another process that shares it, for one that left it behind, or because a
        // conversion to shared was refused.
        let refused = matches!(happening, Happening::UseChanges { .. });
        let again = mode == Mode::Shared || refused || ledger.host(*host).adopts(*process, *resource);
        if by_host == *lver && again {
            return Ok(());
        }
        let before = if mode == Mode::Shared { commits.alone } else { commits.granted };
        commits.granted = commits.granted.max(*lver);
        if mode == Mode::Exclusive {
            commits.alone = commits.alone.max(*lver);
        }
        if *lver > before {
            return Ok(());
        }
        let what = format!(
            "{} was granted version {lver} of {} after version {before} had been granted",
            facts.process(*host, *process),
            facts.resource_name(*resource),
        );
        violated(Property::Agreement, at, &[*host], what)
    }
}
