//! I-ANS: answers are true. Success means that it is held, joined or released; a refusal names a reason that exists.

use super::facts::{Area, Facts};
use super::ledger::{Client, Ended, Hold, HostLedger, Ledger, Phase, went_well};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, Process, ResourceIx, Setup};
use lease_core::Refusal;
use lease_core::format::{Leader, SectorKind};
use lease_core::numbers::{Generation, HostId, Time};
use lease_core::profile::OutstandingWrite;
use lease_core::seam::{Answer, ClientId, Holding, Mode, Orphan, Request};

/// How many owners of the past are remembered for each resource.
const REMEMBERED: usize = 16;

/// Whoever is refused so soon has not given up an I/O, in microseconds.
const SMOOTH: u64 = 1_000_000;

type Instance = (HostId, Generation);

/// Who the leader of a resource named, and until when.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Owners {
    now: Option<Instance>,
    /// Oldest first.
    before: Vec<(Instance, Instant)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Answers {
    owners: Vec<Owners>,
    /// The same, where an owner is none any more as soon as its block says RELEASED.
    holders: Vec<Owners>,
    /// The same, without those who take the lease only for a moment, to share it.
    keepers: Vec<Owners>,
    /// When an I/O of each host went wrong last.
    failed: Vec<Instant>,
}

impl Answers {
    pub(super) fn new(setup: &Setup) -> Answers {
        let nobody = vec![Owners::default(); setup.resources.len()];
        let failed = vec![Instant::START; setup.hosts.len()];
        Answers { owners: nobody.clone(), holders: nobody.clone(), keepers: nobody, failed }
    }

    pub(super) fn see(
        &mut self,
        at: Instant,
        happening: &Happening,
        ended: Ended,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        match happening {
            Happening::Completed { host, completion, .. } if !went_well(completion) => {
                self.failed[usize::from(host.0)] = at;
            }
            Happening::Landed { host, disk, offset, .. } => {
                if let Some(spot) = facts.spot(*disk, *offset)
                    && let (Area::Resource(resource), SectorKind::Leader | SectorKind::HostBlock(_)) =
                        (spot.area, spot.kind)
                {
                    self.leader_landed(at, *host, resource, facts);
                }
            }
            Happening::Told { host, process, request, result } => {
                return self.told(at, *host, *process, request, result, ended, ledger, facts);
            }
            _ => {}
        }
        Ok(())
    }

    fn leader_landed(&mut self, at: Instant, host: Host, resource: ResourceIx, facts: &Facts<'_>) {
        let leader = facts.leader(host, resource).filter(|leader| !leader.timestamp.is_free());
        // Where another host wrote the leader, the flag in the owner's block is its release.
        let released = |leader: &Leader| {
            let block = || facts.block(host, resource, leader.owner_id);
            leader.write_id != leader.owner_id
                && block().is_some_and(|block| block.released() && block.lver >= leader.lver)
        };
        let instance = |leader: Leader| (leader.owner_id, leader.owner_generation);
        let holds = leader.as_ref().is_some_and(|leader| !released(leader));
        let keeps = leader.as_ref().is_some_and(|leader| !leader.short_hold());
        let owner = leader.map(instance);
        self.owners[usize::from(resource.0)].become_owned(owner, at);
        self.holders[usize::from(resource.0)].become_owned(owner.filter(|_| holds), at);
        self.keepers[usize::from(resource.0)].become_owned(owner.filter(|_| keeps), at);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one happening, and what is known around it")]
    fn told(
        &self,
        at: Instant,
        host: Host,
        process: Option<Process>,
        request: &Request,
        result: &Result<Answer, Refusal>,
        ended: Ended,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        let wrong = |what: String| violated(Property::Answers, at, &[host], what);
        match (request, result) {
            (Request::AddLockspace { name, .. }, Ok(Answer::Joined { generation })) => {
                let Some(lockspace) = facts.lockspace_named(name) else { return Ok(()) };
                let Some(life) = ledger.host(host).current(lockspace) else {
                    return wrong(format!(
                        "{} says that it joined {}, but it did not",
                        facts.label(host),
                        facts.lockspace_name(lockspace)
                    ));
                };
                let record = facts.delta(host, lockspace, life.host_id);
                let right = record.is_some_and(|record| {
                    record.owner_id == life.host_id
                        && record.owner_generation == *generation
                        && !record.timestamp.is_free()
                });
                if !right && !ledger.damaged {
                    return wrong(format!(
                        "{} says that it joined {} with generation {generation}, but the record of host id {} on disk does not",
                        facts.label(host),
                        facts.lockspace_name(lockspace),
                        life.host_id,
                    ));
                }
            }
            (Request::Acquire { lockspace, resource, terms, .. }, Ok(_)) if terms.orphan == Orphan::Only => {
                let Some(resource) = facts.resource_named(lockspace, resource) else { return Ok(()) };
                if process.is_some_and(|process| !ledger.host(host).adopts(process, resource)) {
                    return wrong(format!(
                        "{} gives out {} to be adopted, but nobody had left it behind",
                        facts.label(host),
                        facts.resource_name(resource),
                    ));
                }
            }
            // What it was called before nobody can acquire any more, so that the new name is there when this is told.
            (Request::Rename { lockspace, resource, renamed }, Ok(_)) => {
                let Some(resource) = facts.resource_named(lockspace, resource) else { return Ok(()) };
                let leader = facts.leader(host, resource).filter(|_| !ledger.damaged);
                if leader.is_some_and(|leader| !leader.resource_name.same(renamed)) {
                    return wrong(format!(
                        "{} says that {} is now called {}, but its leader on disk has another name",
                        facts.label(host),
                        facts.resource_name(resource),
                        String::from_utf8_lossy(renamed.text()),
                    ));
                }
            }
            (
                Request::Acquire { lockspace, resource, terms, .. },
                Err(Refusal::AcquireIdLive | Refusal::AcquireOwned | Refusal::AcquireOther),
            ) => {
                let Some(resource) = facts.resource_named(lockspace, resource) else { return Ok(()) };
                let Some(asked) = ended.asked.filter(|_| !ledger.damaged) else { return Ok(()) };
                let life = ledger.host(host).current(facts.resource(resource).lockspace);
                let me = life.map(|life| (life.host_id, life.generation));
                // A value that was released already may still win a ballot; the refusal then names its owner of the past.
                // And who cannot read a block, or gives that up, does not know that it says RELEASED.
                let smooth = self.failed[usize::from(host.0)] < asked && at.micros_since(asked) < SMOOTH;
                let looked = *result == Err(Refusal::AcquireIdLive) && smooth;
                // A host that takes the lease only to share it is in the way of another sharer for a moment, and the other
                // tries again.
                let sharing = terms.mode == Mode::Shared && *result == Err(Refusal::AcquireIdLive);
                let owners = match (sharing, looked) {
                    (true, _) => &self.keepers,
                    (false, true) => &self.holders,
                    (false, false) => &self.owners,
                };
                if !owners[usize::from(resource.0)].another_since(asked, me) {
                    return wrong(format!(
                        "{} refuses {} because another owns it, but nobody else owned it since that was asked at {asked}",
                        facts.label(host),
                        facts.resource_name(resource),
                    ));
                }
            }
            (Request::Release { resource, .. }, Err(Refusal::ReleaseLver | Refusal::ReleaseOwner))
                if !ledger.damaged && promises_are_kept(facts) =>
            {
                return wrong(format!(
                    "{} says that it cannot release {resource} ({result:?}), but with its flag it is released",
                    facts.label(host),
                ));
            }
            (Request::Inquire, Ok(Answer::Held(held))) => {
                if let Some(process) = process {
                    let held = |hold: &Hold| held.iter().any(|holding| is_that(holding, hold, facts));
                    return every_hold_is_known(at, host, process, held, ledger, facts);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether no host writes to a sector before it knows what became of its last write there.
fn promises_are_kept(facts: &Facts<'_>) -> bool {
    facts.setup.hosts.iter().all(|host| host.config.profile.outstanding_write == OutstandingWrite::Awaited)
}

impl Owners {
    fn become_owned(&mut self, new: Option<Instance>, at: Instant) {
        if new == self.now {
            return;
        }
        if let Some(old) = std::mem::replace(&mut self.now, new) {
            if self.before.len() == REMEMBERED {
                self.before.remove(0);
            }
            self.before.push((old, at));
        }
    }

    fn another_since(&self, asked: Instant, me: Option<Instance>) -> bool {
        let another = |owner: &Instance| Some(*owner) != me;
        self.now.as_ref().is_some_and(another)
            || self.before.iter().any(|(owner, until)| *until >= asked && another(owner))
            || self.before.len() == REMEMBERED && self.before[0].1 >= asked
    }
}

/// What the processes of a host were told they hold is what its engine holds for them, and the other way round.
pub(super) fn compare_holdings(
    at: Instant,
    host: Host,
    holdings: impl Iterator<Item = (ClientId, Holding)> + Clone,
    ledger: &Ledger,
    facts: &Facts<'_>,
) -> Verdict {
    for (client, Holding { lockspace, resource, lver, .. }) in holdings.clone() {
        let process = Process(client.0);
        let Some(resource) = facts.resource_named(&lockspace, &resource) else { continue };
        let state = ledger.host(host);
        // One that was killed takes no notice of what it is told any more.
        let listens = |client: &&Client| client.alive && !client.hung_up && client.last_kill == Time::default();
        let Some(client) = state.client(process).filter(listens) else { continue };
        let told = ledger.holds_of(host).any(|hold| (hold.process, hold.resource) == (process, resource));
        let leaving = client.left_behind.contains(&resource);
        let busy = state.requests.iter().any(|asked| asked.process == Some(process));
        if !told && !leaving && !busy {
            let what = format!(
                "the daemon of {} holds version {lver} of {} for {}, which was not told so",
                facts.label(host),
                facts.resource_name(resource),
                facts.process(host, process),
            );
            return violated(Property::Answers, at, &[host], what);
        }
    }
    for hold in ledger.holds_of(host) {
        let known = |hold: &Hold| {
            holdings.clone().any(|(client, holding)| client.0 == hold.process.0 && is_that(&holding, hold, facts))
        };
        every_hold_is_known(at, host, hold.process, known, ledger, facts)?;
    }
    Ok(())
}

/// Whether this is what a process was told. It may believe that it only shares what the daemon holds for it alone: it stops
/// writing before it asks for the conversion, and one to exclusive is refused if it comes through too late.
fn is_that(holding: &Holding, hold: &Hold, facts: &Facts<'_>) -> bool {
    let (lockspace, resource) = (facts.lockspace(hold.lockspace), facts.resource(hold.resource));
    holding.lockspace.same(&lockspace.name)
        && holding.resource.same(&resource.name)
        && ((holding.lver, holding.mode) == (hold.lver, hold.mode)
            || (holding.mode, hold.mode) == (Mode::Exclusive, Mode::Shared))
}

/// Each hold of a process that its present daemon granted is one that the daemon `knows`.
fn every_hold_is_known(
    at: Instant,
    host: Host,
    process: Process,
    knows: impl Fn(&Hold) -> bool,
    ledger: &Ledger,
    facts: &Facts<'_>,
) -> Verdict {
    let state: &HostLedger = ledger.host(host);
    for hold in ledger.holds_of(host).filter(|hold| hold.process == process) {
        let granted_by_this_daemon =
            ledger.life_behind(hold).is_some_and(|life| matches!(life.phase, Phase::Joined | Phase::Killing { .. }));
        let connected = state.client(hold.process).is_some_and(|client| client.alive && !client.hung_up);
        // While a command of the process is under way the daemon may be ahead of what the process was told.
        let converting = state
            .requests
            .iter()
            .any(|asked| asked.process == Some(hold.process) && matches!(asked.request, Request::Convert { .. }));
        if granted_by_this_daemon && connected && !converting && !knows(hold) {
            let what = format!(
                "{} was told that it holds version {} of {}, but the daemon of {} does not hold it for it",
                facts.process(host, hold.process),
                hold.lver,
                facts.resource_name(hold.resource),
                facts.label(host),
            );
            return violated(Property::Answers, at, &[host], what);
        }
    }
    Ok(())
}
