//! What clients and administrators declare, and the end of the daemon (daemon §2, §5).

use super::io::Cx;
use super::lockspace::List;
use super::{Began, Command, Engine};
use crate::Refusal;
use crate::format::Name;
use crate::numbers::Time;
use crate::profile::LateUnused;
use crate::seam::{Answer, ClientId, Event, Killpath, LsId, Output, Outputs, Rare, RequestId, Restricted, Setting};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The daemon is to end as soon as nothing is left that it does.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Shutdown {
    /// Who waits for that.
    waiting: Vec<RequestId>,
}

impl Engine {
    /// "Acquire, release, inquire, convert, killpath on one client are exclusive → -16 if one is active."
    pub(super) fn set_killpath(&mut self, client: ClientId, killpath: &Killpath) -> Result<Answer, Refusal> {
        if !killpath.fits() {
            return Err(Refusal::Invalid);
        }
        let state = self.clients.entry(client).or_default();
        if state.command {
            return Err(Refusal::Busy);
        }
        state.killpath = Some(Box::new(killpath.clone()));
        Ok(Answer::Done)
    }

    pub(super) fn restrict(&mut self, client: ClientId, signals: Restricted) -> Result<Answer, Refusal> {
        self.clients.entry(client).or_default().restricted = signals;
        Ok(Answer::Done)
    }

    /// "Refused with -28 when dead."
    pub(super) fn set_config(&mut self, now: Time, name: &Name, setting: Setting) -> Result<Answer, Refusal> {
        let found = self.find_lockspace(name).ok_or(Refusal::LockspaceFailing)?;
        let lockspace = self.lockspaces[usize::from(found.0)].as_mut().expect("a lockspace that was just found");
        let lifts = matches!(setting, Setting::Unused | Setting::UnusedByOrphans);
        let late = lifts && self.config.profile.late_unused == LateUnused::Accepted;
        if lockspace.list != List::Spaces || lockspace.killing && !late {
            return Err(Refusal::LockspaceFailing);
        }
        match setting {
            Setting::Used => lockspace.used = true,
            Setting::Unused => lockspace.used = false,
            Setting::UsedByOrphans => lockspace.used_by_orphans = true,
            Setting::UnusedByOrphans => lockspace.used_by_orphans = false,
        }
        if lockspace.killing {
            self.main.news(now);
        }
        Ok(Answer::Done)
    }

    /// "On spaces 0; on add/rem -115 (WAIT: poll until it changes); else -2."
    pub(super) fn state_of(&self, id: LsId) -> Result<Answer, Refusal> {
        match self.lockspaces.get(usize::from(id.0)).and_then(Option::as_ref).map(|lockspace| lockspace.list) {
            None => Err(Refusal::NotFound),
            Some(List::Spaces) => Ok(Answer::Done),
            Some(List::Add | List::Rem) => Err(Refusal::InProgress),
        }
    }

    /// A worker takes up the question after a lockspace.
    pub(super) fn inquire_lockspace(&self, now: Time, id: RequestId, name: &Name, wait: bool) -> Began {
        let Some(lockspace) = self.find_lockspace(name) else { return Began::Answered(Err(Refusal::NotFound)) };
        match self.state_of(lockspace) {
            Err(Refusal::InProgress) if wait => Began::Running(Command::Await { id, lockspace, started: now }),
            state => Began::Answered(state),
        }
    }

    /// Forced, it removes all lockspaces; unforced, it is refused if there are any, which only who waits is told.
    pub(super) fn shut_down(&mut self, now: Time, id: RequestId, force: bool, wait: bool, out: &mut Outputs) {
        let may = force || self.shutdown.is_some() || !self.has_lockspaces();
        if may {
            let shutdown = self.shutdown.get_or_insert_default();
            if wait {
                shutdown.waiting.push(id);
            }
            self.main.news(now);
            self.remove_all(now, out);
        }
        match (may, wait) {
            (true, true) => {}
            (false, true) => out.push(Output::Reply { id, result: Err(Refusal::Busy) }),
            (_, false) => out.push(Output::Reply { id, result: Ok(Answer::Done) }),
        }
    }

    /// "A remove or shutdown during the join makes it end with an error and undoes it."
    fn remove_all(&mut self, now: Time, out: &mut Outputs) {
        let Engine { lockspaces, config, io, .. } = self;
        for (index, lockspace) in lockspaces.iter_mut().enumerate() {
            let Some(lockspace) = lockspace else { continue };
            if lockspace.list == List::Rem || lockspace.removal {
                continue;
            }
            lockspace.removal = true;
            if lockspace.list == List::Add && lockspace.joined.is_none() {
                out.push(Output::Event(Event::Rare(Rare::RemovedWhileJoining)));
                lockspace.stop(LsId(index as u8), &mut Cx { now, config, io, out });
            }
        }
    }

    /// One tick of the main loop of a daemon that is to end.
    pub(super) fn end_if_idle(&mut self, now: Time, out: &mut Outputs) {
        let Some(shutdown) = &self.shutdown else { return };
        let works = self.background.running.is_some() || self.background.examining.is_some();
        let idle = self.workers.iter().all(Option::is_none) && self.queue.is_empty() && !works;
        if self.has_lockspaces() || !idle {
            self.main.look_again(now);
            return;
        }
        out.extend(shutdown.waiting.iter().map(|id| Output::Reply { id: *id, result: Ok(Answer::Done) }));
        out.push(Output::Exit);
    }

    /// Whether a command of a worker looks once a second at a lockspace that is known, or was until now.
    pub(super) fn is_looked_for(&self, id: LsId) -> bool {
        let looks = |command: &Command| matches!(command, Command::Leave { lockspace, .. } | Command::Await { lockspace, .. } if *lockspace == id);
        self.workers.iter().flatten().any(looks)
    }
}
