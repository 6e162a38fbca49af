//! The main loop's checks of each lockspace, and the killing of its users (daemon §3, §5).
//!
//! "Recovery is one-way": once killing, no later renewal stops it.

use super::io::Cx;
use super::lockspace::{List, Lockspace};
use super::resource::Resources;
use crate::mutants::Mutant;
use crate::numbers::{Numbers, Second, Span, Time, Visit};
use crate::profile::LostHostId;
use crate::seam::{ClientId, Event, Killpath, LsId, Output, Rare, Restricted, Signal, Task};
use alloc::boxed::Box;
use litemap::LiteMap;

/// The main loop's tick.
const TICK: Span = Span::SECOND;
/// Its tick while any lockspace is being killed.
const KILLING_TICK: Span = Span::from_millis(200);

/// A client connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Client {
    /// A command of this client is running or queued.
    pub(super) command: bool,
    /// Its connection closed, but its process was not seen to exit.
    pub(super) hung_up: bool,
    /// Rounds of killing since it last held nothing: in each it is sent a signal, unless its program is at work.
    pub(super) signals: u32,
    pub(super) last_signal: Second,
    /// What is run in place of SIGTERM.
    pub(super) killpath: Option<Box<Killpath>>,
    /// It was run since the client last held nothing.
    pub(super) killpath_ran: bool,
    pub(super) restricted: Restricted,
}

impl Client {
    /// "During killing the client may still inquire and release, but not acquire."
    pub(super) fn being_killed(&self) -> bool {
        self.signals > 0
    }

    /// "A client that released everything is spared: its kill state is cleared."
    pub(super) fn spare(&mut self) {
        self.signals = 0;
        self.last_signal = Second::NEVER;
        self.killpath_ran = false;
    }
}

impl Client {
    /// That it was signalled matters, and whether in this second; how often does only up to the limit, and it is not
    /// counted here.
    pub(super) fn forget(&mut self, now: Second) {
        self.signals = self.signals.min(1);
        if self.last_signal != now {
            self.last_signal = Second::NEVER;
        }
    }
}

/// When the main loop runs next.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct MainLoop {
    /// Something waits for its next tick since a moment: the tick comes within this range.
    due: Option<(Time, Time)>,
    /// What was asked for last.
    asked: Option<(Time, Time)>,
}

impl MainLoop {
    /// Something happened that the next tick will see.
    pub(super) fn news(&mut self, now: Time) {
        self.tick_within(now, now.after(TICK));
    }

    /// Something is still waited for.
    pub(super) fn look_again(&mut self, now: Time) {
        let next = now.after(TICK);
        self.tick_within(next, next.after(super::io::SCHEDULING));
    }

    fn tick_within(&mut self, earliest: Time, latest: Time) {
        self.due = Some(match self.due {
            Some((first, last)) => (first.min(earliest), last.min(latest)),
            None => (earliest, latest),
        });
    }

    /// The tick comes now.
    pub(super) fn woken(&mut self) {
        self.due = None;
        self.asked = None;
    }

    /// Asks for the next tick: at what is due, or when a lockspace reaches its failure age.
    pub(super) fn ask(&mut self, lockspaces: &[Option<Lockspace>], cx: &mut Cx<'_>) {
        let mut next = self.due;
        for lockspace in lockspaces.iter().flatten().filter(|ls| ls.usable()) {
            let fails = lockspace.last_success.after(cx.config.parameters.failure_age(lockspace.io_timeout)).start();
            next = Some(match next {
                Some((first, last)) => (first.min(fails), last.min(fails.after(TICK))),
                None => (fails, fails.after(TICK)),
            });
        }
        if self.asked != next {
            self.asked = next;
            match next {
                Some((earliest, latest)) => cx.wake_within(Task::Main, earliest, latest),
                None => cx.out.push(Output::NoWake { task: Task::Main }),
            }
        }
    }
}

/// One tick of the main loop for one lockspace. Returns whether another host calls for a look at the requests.
pub(super) fn check(
    id: LsId,
    lockspace: &mut Lockspace,
    resources: &Resources,
    clients: &mut LiteMap<ClientId, Client>,
    main: &mut MainLoop,
    cx: &mut Cx<'_>,
) -> bool {
    if lockspace.list != List::Spaces {
        return false;
    }
    if lockspace.killing {
        let left = users(id, resources).next().is_some();
        let used = lockspace.used || lockspace.used_by_orphans && resources.orphans_in(&lockspace.name);
        if !left && used && !cx.config.mutated(Mutant::B45a) {
            cx.rare(Rare::StillUsed);
            main.look_again(cx.now);
            return false;
        }
        if !left || cx.config.mutated(Mutant::B45a) {
            lockspace.list = List::Rem;
            lockspace.disarm(id, cx);
            cx.event(Event::Cleared { lockspace: id });
            lockspace.stop(id, cx);
            return false;
        }
        kill_users(id, lockspace, resources, clients, cx);
        main.tick_within(cx.now.after(KILLING_TICK), cx.now.after(KILLING_TICK).after(super::io::SCHEDULING));
        return false;
    }
    let image = lockspace.image.take();
    let now = cx.now.second();
    let failure_age = cx.config.parameters.failure_age(lockspace.io_timeout);
    let failed = lockspace.corrupt.is_some() || now.since(lockspace.last_success) >= failure_age;
    if failed || lockspace.removal {
        lockspace.killing = true;
        cx.event(Event::Killing { lockspace: id, failed });
        kill_users(id, lockspace, resources, clients, cx);
        main.tick_within(cx.now.after(KILLING_TICK), cx.now.after(KILLING_TICK).after(super::io::SCHEDULING));
    } else if let Some(area) = image {
        let heard = lockspace.scan(now, &area, cx);
        let called = lockspace.hear(id, &heard, cx);
        cx.event(Event::Scanned { lockspace: id });
        return called;
    }
    false
}

/// The clients that hold something in this lockspace.
fn users(id: LsId, resources: &Resources) -> impl Iterator<Item = ClientId> {
    resources.held().filter(move |(_, won)| won.token.lockspace == id).map(|(client, _)| client)
}

/// "At most once per second and client."
fn kill_users(
    id: LsId,
    lockspace: &Lockspace,
    resources: &Resources,
    clients: &mut LiteMap<ClientId, Client>,
    cx: &mut Cx<'_>,
) {
    let now = cx.now.second();
    let parameters = cx.config.parameters;
    // Absolute in the age of the last success, not in signals sent or seconds since the first.
    let in_grace =
        now < lockspace.last_success.after(parameters.failure_age(lockspace.io_timeout) + parameters.kill_grace);
    let lost_at_once = lockspace.corrupt.is_some() && cx.config.profile.lost_host_id == LostHostId::KillAtOnce;
    let at_once = lockspace.removal || lost_at_once;
    let signal = if at_once || !in_grace { Signal::Kill } else { Signal::Term };
    let counted = cx.config.mutated(Mutant::B47) || cx.config.mutated(Mutant::B70);
    let skipped = if cx.config.mutated(Mutant::B37a) { users(id, resources).last() } else { None };
    for client in users(id, resources).filter(|client| Some(*client) != skipped) {
        let state = clients.entry(client).or_default();
        let already = state.last_signal == now && !cx.config.mutated(Mutant::B70);
        if state.signals >= parameters.kill_limit || already {
            if state.last_signal != now {
                cx.rare(Rare::KillLimit);
            }
            continue;
        }
        let signal = match signal {
            _ if cx.config.mutated(Mutant::B37b) => Signal::Term,
            _ if counted && u64::from(state.signals) < parameters.kill_grace => Signal::Term,
            _ if counted => Signal::Kill,
            signal => signal,
        };
        if signal == Signal::Kill && !lockspace.removal {
            cx.rare(if lost_at_once { Rare::KilledAtOnce } else { Rare::GraceOver });
        }
        state.signals += 1;
        state.last_signal = now;
        // A removal is forced, and asks nobody kindly.
        if signal == Signal::Term
            && parameters.kill_grace > 0
            && !at_once
            && let Some(killpath) = &state.killpath
        {
            if !core::mem::replace(&mut state.killpath_ran, true) {
                cx.out.push(Output::RunKillpath { client, killpath: killpath.as_ref().clone() });
                cx.rare(Rare::KillpathRun);
            }
            continue;
        }
        match state.restricted.instead_of(signal) {
            Some(sent) => {
                if sent != signal {
                    cx.rare(Rare::SignalRestricted);
                }
                cx.out.push(Output::Signal { client, signal: sent });
            }
            None => cx.rare(Rare::SignalRestricted),
        }
    }
}

impl Visit for Client {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.second(&mut self.last_signal);
    }
}

impl Visit for MainLoop {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for (earliest, latest) in self.due.iter_mut().chain(&mut self.asked) {
            numbers.time(earliest);
            numbers.time(latest);
        }
    }
}
