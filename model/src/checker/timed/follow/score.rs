//! What the hosts of a path do, one list for each: turn by turn, in whole seconds of their clocks, and with what must
//! come before what on other hosts.
//!
//! A path puts everything that happens in one order. Most of it could as well come in another: only turns that touch the
//! same sectors, or that begin or end an ownership, must stay in theirs.

use super::super::host::{HostState, IoKind};
use super::super::machine::{Machine, Touched, Turn};
use super::super::setting::HOSTS;
use super::super::{Action, EVERYBODY, Looks, State, Timed, What, Wrong};
use lease_core::numbers::Second;
use lease_core::seam::{Slot, Task};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A turn of a host.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    pub(super) host: usize,
    /// The step of the path; `None`: it leads to where the path begins.
    pub(super) step: Option<usize>,
    pub(super) deed: Deed,
    /// From a boot, or the end of a pause, to the next.
    pub(super) life: usize,
    /// Seconds that the host's clock has advanced since the host booted.
    pub(super) second: u64,
    /// Turns of other hosts that must be over.
    pub(super) after: Vec<usize>,
    /// Writes that may still land when their life ends here, and what they are called from now on.
    pub(super) kept: Vec<(Slot, usize)>,
    /// I/O that was given up and ends after this, in order.
    pub(super) vanished: Vec<Slot>,
    /// Of the last turn of a step: what the host is like then.
    pub(super) then: Option<Outside>,
}

/// What a host does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    /// Its clock has advanced. `loses`: it stays out for one second of the others before it advances again.
    Start {
        loses: bool,
    },
    /// Its device fires.
    Fire,
    /// A task runs that is due.
    Run(Task),
    Boot {
        loses: bool,
    },
    Complete {
        slot: Slot,
        fate: Fate,
    },
    Land(Slot),
    Vanish(Slot),
    /// With the name of the write.
    LandGhost(usize),
    /// Whatever else was chosen.
    Choose(What),
    /// Nothing is left for it to do, and it is switched off.
    Rest,
}

/// What is left to happen to an I/O that completes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It takes effect, too.
    Moves,
    Moved,
    /// It has no effect.
    Fails,
}

/// What can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outside {
    pub(super) on: bool,
    pub(super) daemon: bool,
    pub(super) joined: bool,
    pub(super) uses: bool,
    /// Slots of I/O on delta leases, and whether it writes.
    pub(super) ios: Vec<(Slot, bool)>,
}

impl Outside {
    fn of(host: &HostState) -> Outside {
        let Some(on) = &host.on else {
            return Outside { on: false, daemon: false, joined: false, uses: false, ios: Vec::new() };
        };
        let ios = on.ios.iter().map(|io| {
            let write = matches!(io.kind, IoKind::Write(_) | IoKind::Landed | IoKind::Lost);
            (io.slot, write)
        });
        Outside {
            on: true,
            daemon: on.engine.is_some(),
            joined: on.engine.as_ref().is_some_and(lease_core::Engine::is_joined),
            uses: on.client.uses,
            ios: ios.collect(),
        }
    }
}

/// The turns of all hosts.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) turns: Vec<Turned>,
    /// For each life: the second of the path in which it begins, if all clocks advance together.
    pub(super) begins: Vec<u64>,
    /// Where the path leads, and whether something is wrong there.
    pub(super) end: Option<State>,
    last: Last,
    /// Of each host: its life, the seconds of it, and the names of its writes that may still land.
    hosts: [Host; HOSTS],
    names: usize,
    seconds: u64,
}

#[derive(Clone, Debug, Default)]
struct Host {
    life: usize,
    second: u64,
    ghosts: Vec<usize>,
    /// The turn with which its present second began.
    began: Option<usize>,
    /// How much its clock has advanced in all.
    ticks: u64,
}

/// The last turn of each host that touched something.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    read: [[Option<usize>; HOSTS]; 8],
    written: [[Option<usize>; HOSTS]; 8],
    claimed: [Option<usize>; HOSTS],
}

/// The resource among the sectors; the slots come first.
const RESOURCE: usize = 7;

impl Last {
    /// The turns of other hosts that must be over before one that touches these; from here on it is the last.
    fn touch(&mut self, turn: usize, host: usize, touched: Touched) -> Vec<usize> {
        let bits = |slots: u8, resource: bool| slots | u8::from(resource) << RESOURCE;
        let reads = bits(touched.reads, touched.reads_resource);
        let writes = bits(touched.writes, touched.writes_resource);
        let mut after = Vec::new();
        for other in (0..HOSTS).filter(|other| *other != host) {
            let mut last = None;
            for sector in 0..8 {
                if (reads | writes) >> sector & 1 == 1 {
                    last = last.max(self.written[sector][other]);
                }
                if writes >> sector & 1 == 1 {
                    last = last.max(self.read[sector][other]);
                }
            }
            if touched.claims {
                last = last.max(self.claimed[other]);
            }
            after.extend(last);
        }
        for sector in 0..8 {
            if reads >> sector & 1 == 1 {
                self.read[sector][host] = Some(turn);
            }
            if writes >> sector & 1 == 1 {
                self.written[sector][host] = Some(turn);
            }
        }
        if touched.claims {
            self.claimed[host] = Some(turn);
        }
        after
    }
}

impl Timed {
    /// What the hosts do on a path, or in which step it does not go on and why.
    pub(super) fn score(&self, start: &State, path: &[Action]) -> Result<Score, (usize, String)> {
        let mut score = Score { hosts: std::array::from_fn(|_| Host::default()), ..Score::default() };
        let mut before = vec![HostState::off(); self.hosts()];
        self.observers_join(|what, machine| {
            let index = machine.index();
            score.write(self, None, index, what, &before[index], Some(machine));
            before[index] = machine.host.clone();
        });
        // Whoever boots on the path does so after that.
        score.seconds = score.hosts.iter().map(|host| host.ticks).max().unwrap_or(0);
        let mut row = *start;
        for (step, action) in path.iter().enumerate() {
            for index in 0..self.hosts() {
                let everybody = action.host == EVERYBODY;
                if (everybody && !self.ticks(&row, index)) || (!everybody && usize::from(action.host) != index) {
                    continue;
                }
                let what = if everybody { What::Tick } else { action.what };
                let host = self.host(&row, index);
                let worked = catch_unwind(AssertUnwindSafe(|| self.machine_at(&row, index, what)));
                score.write(self, Some(step), index, what, host, worked.as_ref().ok());
                if what == What::Miss && score.misses(index) > 1 {
                    let why = "a clock that misses two ticks together runs slower than any clock of the world can";
                    return Err((step, why.to_owned()));
                }
                row = self.step(&row, index, what);
                if row.finding != Wrong::Nothing {
                    break;
                }
            }
            score.end = Some(row);
        }
        Ok(score)
    }

    /// What one host does in a state.
    fn machine_at(&self, row: &State, index: usize, what: What) -> Machine<'_> {
        let mut disk = self.formatted.clone();
        disk.leases = std::array::from_fn(|slot| self.lease(row, slot).clone());
        disk.resource = self.resource(row).clone();
        let now = Second(self.setting.now(index).0 + u64::from(what == What::Tick));
        let host = self.host(row, index).clone();
        let mut machine = Machine::new(&self.setting, index, host, disk, now, Looks::EVERYWHERE);
        machine.run(what);
        machine
    }
}

impl Score {
    /// Whether a life begins with a boot.
    pub(super) fn boots(&self, life: usize) -> bool {
        self.turns.iter().any(|turn| turn.life == life && matches!(turn.deed, Deed::Boot { .. }))
    }

    /// Whether a clock already stays out in its present second.
    fn misses(&self, index: usize) -> usize {
        let began = self.hosts[index].began.unwrap_or(0);
        let missed = |turn: &&Turned| turn.host == index && turn.deed == Deed::Choose(What::Miss);
        self.turns[began..].iter().filter(missed).count()
    }

    /// Adds what comes of one choice. Without a machine: the engine panicked.
    fn write(
        &mut self,
        timed: &Timed,
        step: Option<usize>,
        index: usize,
        what: What,
        before: &HostState,
        machine: Option<&Machine<'_>>,
    ) {
        let after = machine.map(|machine| &machine.host);
        let goes_off = before.on.is_some() && after.is_some_and(|after| after.on.is_none());
        let first = self.turns.len();
        let untouched = [Turn::default()];
        let turns = machine.map_or(&untouched[..], |machine| &machine.turns);
        let host = &mut self.hosts[index];
        match what {
            What::Tick => {
                host.second += 1;
                host.ticks += 1;
                host.began = Some(first);
                self.seconds = self.seconds.max(host.ticks);
                let fires = machine.is_some_and(|machine| machine.marks & super::super::marks::RESET != 0);
                let deed = if fires { Deed::Fire } else { Deed::Start { loses: false } };
                self.push(step, index, deed, turns[0].touched);
                for turn in &turns[1..] {
                    self.push(step, index, Deed::Run(turn.task.expect("tasks run in a tick")), turn.touched);
                }
                if machine.is_none()
                    && let Some(on) = &before.on
                {
                    let due = on.wakes.iter().filter(|(_, at)| at.second() <= timed.setting.now(index).after(1));
                    for (task, _) in due {
                        self.push(step, index, Deed::Run(*task), Touched::default());
                    }
                }
            }
            What::Boot => {
                host.life = self.begins.len();
                (host.second, host.ticks) = (0, self.seconds);
                host.began = Some(first);
                if !timed.setting.plan.late_for_ever {
                    host.ghosts.clear();
                }
                self.begins.push(self.seconds);
                self.push(step, index, Deed::Boot { loses: false }, turns[0].touched);
            }
            What::Miss => {
                host.ticks += 1;
                self.seconds = self.seconds.max(host.ticks);
                let began = host.began.unwrap_or(0);
                if let Deed::Start { loses } | Deed::Boot { loses } = &mut self.turns[began].deed {
                    *loses = true;
                }
                self.push(step, index, Deed::Choose(what), turns[0].touched);
            }
            What::Complete(slot) => {
                let slot = Slot(slot.into());
                let ios = before.on.as_ref().map_or(&[][..], |on| &on.ios);
                let fate = match ios.iter().find(|io| io.slot == slot).map(|io| &io.kind) {
                    Some(IoKind::Lost) => Fate::Fails,
                    Some(IoKind::Sampled(_) | IoKind::Landed) => Fate::Moved,
                    _ => Fate::Moves,
                };
                self.push(step, index, Deed::Complete { slot, fate }, turns[0].touched);
            }
            What::Land(slot) => self.push(step, index, Deed::Land(Slot(slot.into())), turns[0].touched),
            What::Vanish(slot) => self.push(step, index, Deed::Vanish(Slot(slot.into())), turns[0].touched),
            What::LandGhost(ghost) => {
                let name = host.ghosts.remove(ghost.into());
                self.push(step, index, Deed::LandGhost(name), turns[0].touched);
            }
            other => {
                if other == What::StartDaemon {
                    host.ghosts.clear();
                }
                // How long it stood is as free as when it booted.
                if other == What::Unpause {
                    host.life = self.begins.len();
                    host.ticks = self.seconds;
                    self.begins.push(self.seconds);
                }
                self.push(step, index, Deed::Choose(other), turns[0].touched);
            }
        }
        if let (What::Tick, false) = (what, timed.setting.plan.late_for_ever) {
            let mut old = before.ghosts.iter().map(|ghost| ghost.left > 1);
            self.hosts[index].ghosts.retain(|_| old.next().unwrap_or(true));
        }
        let kept = machine.map_or(&[][..], |machine| &machine.kept);
        let kept = kept.iter().map(|slot| (*slot, self.name(index))).collect();
        let vanished = machine.map_or_else(Vec::new, |machine| machine.vanished.clone());
        let last = self.turns.last_mut().expect("one was pushed");
        (last.kept, last.vanished) = (kept, vanished);
        let ends = what == What::Crash || matches!(self.turns[first].deed, Deed::Fire);
        if goes_off && !ends {
            let touched = turns.last().expect("there is a first").touched;
            self.push(step, index, Deed::Rest, Touched { claims: touched.claims, ..Touched::default() });
        }
        self.turns.last_mut().expect("one was pushed").then = after.map(Outside::of);
    }

    fn name(&mut self, index: usize) -> usize {
        self.names += 1;
        self.hosts[index].ghosts.push(self.names);
        self.names
    }

    fn push(&mut self, step: Option<usize>, host: usize, deed: Deed, touched: Touched) {
        let after = self.last.touch(self.turns.len(), host, touched);
        let Host { life, second, .. } = self.hosts[host];
        let (kept, vanished) = (Vec::new(), Vec::new());
        self.turns.push(Turned { host, step, deed, life, second, after, kept, vanished, then: None });
    }
}
