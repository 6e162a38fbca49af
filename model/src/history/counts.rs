//! What happened how often: the measure of whether a campaign looked at anything.

use super::ledger::Ledger;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, HostSetup, LockspaceIx, ResourceIx, Setup};
use lease_core::Refusal;
use lease_core::numbers::HostId;
use lease_core::seam::{Event, Signal};

/// How often what happened in a run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counts {
    /// Joins that succeeded.
    pub joins: u64,
    /// Of these, joins of a host id that had been joined before in the run.
    pub rejoins: u64,
    /// Joins that failed.
    pub failed_joins: u64,
    /// Renewals that succeeded.
    pub renewals: u64,
    /// Renewals that failed.
    pub failed_renewals: u64,
    /// Renewals that found the host id lost.
    pub lost_host_ids: u64,
    /// Resources granted to a process.
    pub grants: u64,
    /// Of these, resources whose holder before died without releasing them, on another host.
    pub takeovers: u64,
    /// Acquires that were refused.
    pub refused_acquires: u64,
    /// Lockspaces whose recovery began because renewals failed.
    pub recoveries: u64,
    /// SIGTERMs sent.
    pub terms: u64,
    /// SIGKILLs sent.
    pub kills: u64,
    /// Hosts reset by their watchdog.
    pub resets: u64,
    /// Hosts that lost power.
    pub power_losses: u64,
    /// Writes that reached a platter after their host or daemon was gone.
    pub landed_ghosts: u64,
}

/// Who used a resource last, and whether it could give it back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct LastUse {
    host: Host,
    ended: Option<Instant>,
    died: bool,
}

/// The counts and what is needed to keep them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Counter {
    pub(super) counts: Counts,
    last_uses: Vec<Option<LastUse>>,
    joined: Vec<(LockspaceIx, HostId)>,
}

impl Counter {
    pub(super) fn new(setup: &Setup) -> Counter {
        let memberships = |host: &HostSetup| host.memberships.len();
        Counter {
            counts: Counts::default(),
            last_uses: vec![None; setup.resources.len()],
            joined: Vec::with_capacity(setup.hosts.iter().map(memberships).sum()),
        }
    }

    pub(super) fn see(&mut self, at: Instant, happening: &Happening, ledger: &Ledger) {
        let counts = &mut self.counts;
        match happening {
            Happening::Engine { host, event } => match *event {
                Event::Joined { lockspace, host_id, .. } => {
                    counts.joins += 1;
                    if let Some(life) = ledger.life_of(*host, lockspace) {
                        let id = (life.lockspace, host_id);
                        if self.joined.contains(&id) {
                            counts.rejoins += 1;
                        } else {
                            self.joined.push(id);
                        }
                    }
                }
                Event::JoinFailed { .. } => counts.failed_joins += 1,
                Event::Renewed { .. } => counts.renewals += 1,
                Event::RenewalFailed { why, .. } => {
                    counts.failed_renewals += 1;
                    counts.lost_host_ids += u64::from(is_loss(why));
                }
                Event::Killing { lockspace, failed } => {
                    counts.recoveries += u64::from(failed);
                    if let Some(life) = ledger.life_of(*host, lockspace) {
                        let lost = ledger.holds_of(*host).filter(|hold| hold.lockspace == life.lockspace);
                        for resource in lost.map(|hold| hold.resource) {
                            mark_died(&mut self.last_uses, *host, resource);
                        }
                    }
                }
                _ => {}
            },
            Happening::UseBegins { host, resource, .. } => {
                counts.grants += 1;
                if let Some(last_use) = self.last_uses.get_mut(usize::from(resource.0)) {
                    let taken = last_use.is_some_and(|before| before.died && before.host != *host);
                    counts.takeovers += u64::from(taken);
                    *last_use = Some(LastUse { host: *host, ended: None, died: false });
                }
            }
            Happening::UseEnds { host, resource, .. } => {
                let up = ledger.host(*host).up;
                if let Some(Some(last_use)) = self.last_uses.get_mut(usize::from(resource.0))
                    && last_use.host == *host
                {
                    last_use.ended = Some(at);
                    last_use.died |= !up;
                }
            }
            Happening::DaemonDown { host } => self.died(at, *host),
            Happening::Down { host, by_watchdog } => {
                counts.resets += u64::from(*by_watchdog);
                counts.power_losses += u64::from(!*by_watchdog);
                self.died(at, *host);
            }
            Happening::Told { result: Err(_), request: lease_core::seam::Request::Acquire { .. }, .. } => {
                counts.refused_acquires += 1;
            }
            Happening::Signalled { signal: Signal::Term, .. } => counts.terms += 1,
            Happening::Signalled { signal: Signal::Kill, .. } => counts.kills += 1,
            Happening::Landed { ghost: true, .. } => counts.landed_ghosts += 1,
            _ => {}
        }
    }

    /// Nothing that this host uses, or used until this very moment, can be given back any more.
    fn died(&mut self, at: Instant, host: Host) {
        for last_use in self.last_uses.iter_mut().flatten() {
            let used_until_now = last_use.ended.is_none_or(|ended| ended == at);
            last_use.died |= last_use.host == host && used_until_now;
        }
    }
}

fn mark_died(last_uses: &mut [Option<LastUse>], host: Host, resource: ResourceIx) {
    if let Some(Some(last_use)) = last_uses.get_mut(usize::from(resource.0))
        && last_use.host == host
    {
        last_use.died = true;
    }
}

/// Whether a renewal that failed like this says that the host id is lost (delta-lease §8: the sticky results).
pub(super) fn is_loss(why: Refusal) -> bool {
    matches!(
        why,
        Refusal::RenewOwner
            | Refusal::RenewDiff
            | Refusal::LeaderMagic
            | Refusal::LeaderVersion
            | Refusal::LeaderSectorSize
            | Refusal::LeaderLockspace
            | Refusal::LeaderChecksum
    )
}
