//! What clients hold: what they ask about it, the commands that change its mode, and what becomes of it when its client is
//! gone.

use super::acquire::{Acquire, Finished, Lvb, Won};
use super::io::Cx;
use super::resource::{Key, Let, Token};
use super::shared::{Downgrade, Downgraded};
use super::{Began, Command, Engine};
use crate::Refusal;
use crate::mutants::Mutant;
use crate::numbers::{Lver, Time};
use crate::profile::LocalHolders;
use crate::seam::{Answer, ClientId, Event, Holding, Mode, Output, Outputs, Rare, Request, RequestId, Task};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Engine {
    /// "Acquire, release, inquire, convert, killpath on one client are exclusive → -16 if one is active."
    pub(super) fn inquire(&self, client: ClientId) -> Result<Answer, Refusal> {
        if self.clients.get(&client).is_some_and(|state| state.command) {
            return Err(Refusal::Busy);
        }
        let held = self.holdings().filter(|(holder, _)| *holder == client);
        let told = |holding: Holding| match self.config.mutated(Mutant::B46) {
            true => Holding { lver: Lver(0), ..holding },
            false => holding,
        };
        Ok(Answer::Held(held.map(|(_, holding)| told(holding)).collect()))
    }

    pub(super) fn set_lvb(&mut self, client: ClientId, key: &Key, value: &Arc<[u8]>) -> Result<(), Refusal> {
        let hold = self.resources.hold_of(client, key).ok_or(Refusal::NotFound)?;
        let sector = hold.won.token.sector();
        let lvb = hold.won.lvb.as_mut().ok_or(Refusal::Invalid)?;
        if value.len() as u64 > sector {
            return Err(Refusal::TooBig);
        }
        *lvb = Lvb { value: crate::format::trimmed(value), dirty: true };
        Ok(())
    }

    pub(super) fn lvb(&mut self, client: ClientId, key: &Key) -> Result<Answer, Refusal> {
        let hold = self.resources.hold_of(client, key).ok_or(Refusal::NotFound)?;
        let lvb = hold.won.lvb.as_ref().ok_or(Refusal::Invalid)?;
        Ok(Answer::Lvb(lvb.value.clone()))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the request")]
    pub(super) fn convert(
        &mut self,
        now: Time,
        worker: u8,
        id: RequestId,
        client: ClientId,
        key: &Key,
        mode: Mode,
        nowait: bool,
        out: &mut Outputs,
    ) -> Began {
        let Some(hold) = self.resources.hold_of(client, key) else {
            return Began::Answered(Err(Refusal::NotFound));
        };
        if hold.converting {
            return Began::Answered(Err(Refusal::Busy));
        }
        if hold.won.mode == mode {
            return Began::Answered(Err(Refusal::Already));
        }
        let counted = self.config.profile.local_holders == LocalHolders::Counted;
        if mode == Mode::Exclusive && hold.holders.len() > 1 && counted {
            return Began::Answered(Err(Refusal::Again));
        }
        let won = hold.won.as_ref().clone();
        if !self.lives(&won.token) {
            return Began::Answered(Err(Refusal::LockspaceFailing));
        }
        self.resources.converting(key).converting = true;
        let cx = &mut Cx { now, config: &self.config, io: &mut self.io, out };
        Began::Running(match mode {
            Mode::Exclusive => {
                let mut acquire = Box::new(Acquire::converting(id, client, won, nowait));
                acquire.look(Task::Worker(worker), cx);
                Command::Acquire(acquire)
            }
            Mode::Shared => {
                let mut downgrade = Box::new(Downgrade::new(id, client, &won, &cx.config.profile));
                downgrade.start(Task::Worker(worker), cx);
                Command::Downgrade(downgrade)
            }
        })
    }

    /// A hold is not being converted any more: what comes of it if its client is gone.
    pub(super) fn converted(&mut self, now: Time, key: &Key, out: &mut Outputs) {
        let hold = self.resources.converting(key);
        hold.converting = false;
        if hold.holders.is_empty() {
            let won = self.resources.take(key);
            self.release_or_forget(now, *won, out);
        }
    }

    pub(super) fn downgrade_ended(
        &mut self,
        now: Time,
        worker: u8,
        downgrade: &Downgrade,
        downgraded: Downgraded,
        out: &mut Outputs,
    ) {
        let key = downgrade.release.token.key;
        let won = &mut self.resources.converting(&key).won;
        let result = match downgraded {
            Downgraded::Shared => {
                (won.mode, won.block) = (Mode::Shared, downgrade.block());
                if let Some(lvb) = &mut won.lvb {
                    lvb.dirty = false;
                }
                Ok(Answer::Acquired { lver: won.lver() })
            }
            Downgraded::StillExclusive(why) => Err(why),
            Downgraded::Unclear(why) => {
                won.erase = true;
                Err(why)
            }
        };
        self.converted(now, &key, out);
        if !downgrade.client_gone {
            self.command_ended(downgrade.client);
        }
        out.push(Output::Reply { id: downgrade.request, result });
        self.worker_free(now, worker, out);
    }

    pub(super) fn conversion_ended(
        &mut self,
        now: Time,
        token: &Token,
        shared: &Won,
        finished: Finished,
        out: &mut Outputs,
    ) -> Result<Answer, Refusal> {
        let grantable = self.grantable(now, token);
        let held = &mut self.resources.converting(&token.key).won;
        // What stands in the own block now is what the release has to start from.
        held.block = shared.block;
        let result = match finished {
            Finished::Won(won) => {
                let lver = won.lver();
                *held = won;
                if grantable { Ok(Answer::Acquired { lver }) } else { Err(Refusal::LockspaceFailing) }
            }
            Finished::Stuck(why) => {
                held.erase = true;
                Err(why)
            }
            Finished::Refused(why) | Finished::Retracting(why, _) | Finished::Undoing(why, _) => Err(why),
        };
        self.converted(now, &token.key, out);
        result
    }

    /// What it held is released in the background; what it was acquiring will be.
    pub(super) fn client_gone(&mut self, now: Time, client: ClientId, out: &mut Outputs) {
        let held: Vec<Key> =
            self.resources.held().filter(|(holder, _)| *holder == client).map(|(_, won)| won.token.key).collect();
        for key in held {
            if self.resources.orphaned(client, &key) {
                continue;
            }
            match self.resources.let_go(client, &key).expect("it was held a moment ago") {
                Let::Stays => {}
                Let::Last(won) => self.release_or_forget(now, *won, out),
            }
        }
        // Its number may be given to another client at once, who has nothing to do with what still runs for this one.
        for command in self.workers.iter_mut().flatten() {
            match command {
                Command::Acquire(acquire) if acquire.client == client => acquire.client_gone = true,
                Command::Downgrade(downgrade) if downgrade.client == client => downgrade.client_gone = true,
                Command::Release { client: asked, .. } if *asked == Some(client) => *asked = None,
                _ => {}
            }
        }
        let queue = core::mem::take(&mut self.queue);
        for queued in queue {
            let administrative = matches!(
                queued.request,
                Request::AddLockspace { .. }
                    | Request::RemLockspace { .. }
                    | Request::InquireLockspace { .. }
                    | Request::Index { .. }
            );
            if queued.client == client && !administrative {
                out.push(Output::Event(Event::Rare(Rare::QueuedOfGoneClient)));
                out.push(Output::Reply { id: queued.id, result: Err(Refusal::ClientGone) });
            } else {
                self.queue.push_back(queued);
            }
        }
        self.clients.remove(&client);
        self.main.news(now);
    }
}
