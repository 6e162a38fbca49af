//! What the daemon would tell an operator who asks for its status: plain values, read and never decided by.
//!
//! Only what the engine knows stands here. When something was tried last and what came of it, and the history of
//! renewals, are folds over events, kept by whoever shows them: an engine does not carry what it does not decide by.

use super::lockspace::{List, Lockspace};
use super::{Command, Engine};
use crate::Refusal;
use crate::format::{Geometry, Name};
use crate::numbers::{Generation, HostId, Lver, Second, Stamp, Time};
use crate::seam::{ClientId, HostStatus, LsId, Mode, Place, Restricted};
use alloc::vec::Vec;

/// The list of the daemon that something is on, as `status -D` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ListName {
    /// A lockspace that is used.
    Spaces,
    /// A resource that is held.
    Held,
    /// Being joined, or acquired.
    Add,
    /// Being left, or released.
    Rem,
    /// A resource that a client left behind for another.
    Orphan,
}

/// A lockspace of a daemon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToldLockspace {
    /// Its number.
    pub id: LsId,
    /// Its name.
    pub name: Name,
    /// The host id that is owned, or wanted, there.
    pub host_id: HostId,
    /// Where its area lies.
    pub place: Place,
    /// The list that it is on.
    pub list: ListName,
    /// Seconds.
    pub io_timeout: u64,
    /// Sector and area size, once they were read; before that the first of all.
    pub geometry: Geometry,
    /// The generation that is owned; 0 before the end of the join.
    pub generation: Generation,
    /// Its users are being killed, and nothing is granted in it any more.
    pub killing: bool,
    /// Something uses it that no client stands for.
    pub used: bool,
    /// What clients left behind in it is used.
    pub used_by_orphans: bool,
    /// The result that says that the host id is lost.
    pub corrupt: Option<Refusal>,
    /// Second of the last successful renewal.
    pub last_success: Second,
    /// When the other hosts were looked at last.
    pub last_check: Second,
    /// What is known of each host.
    pub hosts: Vec<ToldHost>,
    /// What is answered about the hosts' states.
    pub states: Result<Vec<HostStatus>, Refusal>,
}

/// A host as another one sees it: an entry of `host_status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToldHost {
    /// The place of its record.
    pub host_id: HostId,
    /// When its record was last seen changed.
    pub last_live: Second,
    /// When requests were last looked at because it called.
    pub last_req: Second,
    /// The owner that stands in it.
    pub owner_id: HostId,
    /// The owner's generation.
    pub owner_generation: Generation,
    /// The owner's last stamp.
    pub timestamp: Stamp,
    /// The owner's io_timeout, in seconds.
    pub io_timeout: u64,
    /// The owner's name.
    pub owner_name: Name,
}

/// A resource that a daemon holds, acquires or releases for a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToldResource {
    /// The list that it is on.
    pub list: ListName,
    /// Name of the lockspace.
    pub lockspace: Name,
    /// Name of the resource.
    pub resource: Name,
    /// Where its area lies.
    pub place: Place,
    /// Sector and area size.
    pub geometry: Geometry,
    /// The mode.
    pub mode: Mode,
    /// The version; 0 where there is none yet, or none is known any more.
    pub lver: Lver,
    /// For whom; nobody where the client is gone.
    pub client: Option<ClientId>,
}

/// A client that asked for something, or that was signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToldClient {
    /// A command of it runs or waits.
    pub command: bool,
    /// Its connection closed, but its process was not seen to exit.
    pub hung_up: bool,
    /// The signals that it wants never to be sent.
    pub restricted: Restricted,
    /// Signals sent to it since it last held nothing.
    pub kill_count: u32,
    /// When the last of these was sent.
    pub kill_last: Second,
}

impl Engine {
    /// The lockspaces: those in use, then those being joined, then those being left.
    pub fn told_lockspaces(&self, now: Time) -> Vec<ToldLockspace> {
        let told = |index: usize, lockspace: &Lockspace| ToldLockspace {
            id: LsId(index as u8),
            name: lockspace.name,
            host_id: lockspace.host_id,
            place: lockspace.place,
            list: match lockspace.list {
                List::Spaces => ListName::Spaces,
                List::Add => ListName::Add,
                List::Rem => ListName::Rem,
            },
            io_timeout: lockspace.io_timeout,
            geometry: lockspace.geometry,
            generation: lockspace.generation,
            killing: lockspace.killing,
            used: lockspace.used,
            used_by_orphans: lockspace.used_by_orphans,
            corrupt: lockspace.corrupt,
            last_success: lockspace.last_success,
            last_check: lockspace.table.last_check,
            hosts: lockspace.table.told(),
            states: self.states_told(now, lockspace),
        };
        let numbered = self.lockspaces.iter().enumerate();
        let mut lockspaces: Vec<ToldLockspace> =
            numbered.filter_map(|(index, lockspace)| Some(told(index, lockspace.as_ref()?))).collect();
        lockspaces.sort_by_key(|lockspace| lockspace.list);
        lockspaces
    }

    /// The resources: those held, then those being acquired, those being released, and the orphans.
    pub fn told_resources(&self) -> Vec<ToldResource> {
        let mut resources = Vec::new();
        let mut add = |list, token: &super::resource::Token, mode, lver, client| {
            let (lockspace, resource) = token.key;
            let (place, geometry) = (token.place, token.geometry);
            resources.push(ToldResource { list, lockspace, resource, place, geometry, mode, lver, client });
        };
        for (client, won) in self.resources.held() {
            add(ListName::Held, &won.token, won.mode, won.lver(), Some(client));
        }
        for command in self.workers.iter().flatten() {
            // What is being converted is held.
            if let Command::Acquire(acquire) = command
                && acquire.converts.is_none()
            {
                add(
                    ListName::Add,
                    &acquire.token,
                    acquire.terms.mode,
                    Lver(0),
                    Some(acquire.client).filter(|_| !acquire.client_gone),
                );
            }
        }
        for command in self.workers.iter().flatten() {
            if let Command::Release { client, release, .. } = command {
                add(ListName::Rem, &release.token, release.mode(), release.lver(), *client);
            }
        }
        let waiting = self.background.waiting.iter().map(|(_, _, release)| release);
        for release in self.background.running.iter().map(|release| release.as_ref()).chain(waiting) {
            add(ListName::Rem, &release.token, release.mode(), release.lver(), None);
        }
        for won in self.resources.orphans() {
            add(ListName::Orphan, &won.token, won.mode, won.lver(), None);
        }
        resources
    }

    /// What is known of a client, if there is anything to know.
    pub fn told_client(&self, client: ClientId) -> Option<ToldClient> {
        let client = self.clients.get(&client)?;
        let super::recovery::Client { command, hung_up, signals, last_signal, restricted, .. } = *client;
        Some(ToldClient { command, hung_up, restricted, kill_count: signals, kill_last: last_signal })
    }

    fn states_told(&self, now: Time, lockspace: &Lockspace) -> Result<Vec<HostStatus>, Refusal> {
        match self.hosts(now, &lockspace.name)? {
            crate::seam::Answer::Hosts(hosts) => Ok(hosts),
            other => unreachable!("{other:?} is no answer about hosts"),
        }
    }
}
