//! Walking through a world: along a written run, or along a [`Plan`]. Both give the choices that were carried out, what
//! they came to, and the plan that is in them.

use super::plan::{Counts, Deed, IoKind, Move, Nth, Plan, Routine, Timed, What};
use crate::case::Case;
use crate::replay::Player;
use crate::simulate::Verdict;
use crate::trace::{Claim, Line, Mark};
use lease_core::seam::DiskId;
use model::illegal::{Due, Illegal};
use model::setup::Host;
use model::world::World;
use model::{Action, Happening, Instant, Sink};
use sim_disk::{Ending, IoId, Landing, PathId, PathState, Sampling};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a walk.
#[derive(Clone, Debug)]
pub(super) struct Walked {
    pub(super) verdict: Verdict,
    /// Choices and marks, as they were carried out.
    pub(super) lines: Vec<Line>,
    pub(super) actions: u64,
    pub(super) ended: Instant,
    /// What was decided, with every I/O and every routine named.
    pub(super) exact: Plan,
    /// When each I/O was issued.
    pub(super) issued: Vec<(Nth<IoKind>, Instant)>,
    /// When each routine ran.
    pub(super) ran: Vec<(Nth<Routine>, Instant)>,
    /// The moment of the last thing that a client or an agent did or was told, and what was not well at the end.
    pub(super) busy: Instant,
    pub(super) troubles: BTreeSet<Trouble>,
}

/// What keeps a run from being at rest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Trouble {
    /// An agent waits for an answer.
    AgentWaits,
    /// A host that takes part, or a daemon of it, does not run or stands still.
    HostStopped,
    /// A process waits, uses something, or is being ended.
    ProcessBusy,
    /// A path is not open.
    PathClosed,
    /// A write of a life that is over may still land.
    Ghost,
    /// An I/O does not look as if it would ever complete.
    Stuck,
}

impl Walked {
    pub(super) fn claim(&self) -> Claim {
        Claim::of(&self.verdict)
    }

    /// The mark at which the run was judged, if it ended at one.
    pub(super) fn judged_at(&self) -> Option<Mark> {
        match self.lines.last() {
            Some(Line::Mark { mark, .. }) => Some(*mark),
            _ => None,
        }
    }
}

/// How far a walk may go before it is given up.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    pub(super) actions: u64,
    pub(super) until: Instant,
}

/// Notes what a walk must know at once.
#[derive(Default)]
struct Ear {
    lines: Vec<Line>,
    issued: Vec<Started>,
    /// Requests of agents that are not answered, by host.
    agents: BTreeMap<Host, u32>,
    busy: Instant,
}

struct Started {
    kind: IoKind,
    io: IoId,
    at: Instant,
}

impl Sink for Ear {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        let mut started = |host: &Host, disk: &DiskId, io: &IoId, offset: &u64, length: &u64, write| {
            let kind = IoKind { host: *host, disk: *disk, offset: *offset, length: *length, write };
            self.issued.push(Started { kind, io: *io, at });
        };
        match happening {
            Happening::Chosen(action) => self.lines.push(Line::Choice { at, action: action.clone() }),
            Happening::ReadIssued { host, disk, io, offset, length, .. } => {
                started(host, disk, io, offset, length, false);
            }
            Happening::WriteIssued { host, disk, io, offset, length, .. } => {
                started(host, disk, io, offset, length, true);
            }
            Happening::Asked { host, process, .. } => {
                *self.agents.entry(*host).or_default() += u32::from(process.is_none());
                self.busy = at;
            }
            Happening::Told { host, process, .. } => {
                let waiting = self.agents.entry(*host).or_default();
                *waiting = waiting.saturating_sub(u32::from(process.is_none()));
                self.busy = at;
            }
            Happening::DaemonDown { host } | Happening::Down { host, .. } => {
                self.agents.remove(host);
                self.busy = at;
            }
            _ => {}
        }
    }
}

/// What is under way under a number.
#[derive(Clone, Copy)]
struct Known {
    name: Nth<IoKind>,
    since: Instant,
    /// Grows with every I/O, so that a number that is used again is not mistaken.
    serial: u64,
}

/// A walk under way.
struct Walk<'a> {
    player: Player<'a, Ear>,
    known: BTreeMap<(DiskId, IoId), Known>,
    ios: Counts<IoKind>,
    routines: Counts<Routine>,
    serial: u64,
    exact: Plan,
    order: u32,
    issued: Vec<(Nth<IoKind>, Instant)>,
    ran: Vec<(Nth<Routine>, Instant)>,
}

/// Walks along written lines leniently, as replay does.
pub(super) fn along_lines(lines: &[&Line], case: &Case<'_>) -> Walked {
    let mut ear = Ear::default();
    let mut walk = Walk::new(case, &mut ear);
    for line in lines {
        if walk.player.verdict().is_some() {
            break;
        }
        match line {
            Line::Choice { at, action } => walk.choose(*at, action),
            Line::Mark { at, mark } => walk.mark(*at, *mark),
            Line::Note(_) => {}
        }
    }
    walk.finish()
}

/// Walks along a plan.
pub(super) fn along_plan(plan: &Plan, case: &Case<'_>, reach: Reach) -> Walked {
    let mut ear = Ear::default();
    let mut director = Director {
        walk: Walk::new(case, &mut ear),
        plan,
        next: 0,
        moves: BTreeMap::new(),
        parked: Vec::new(),
        scheduled: 0,
    };
    director.run(reach);
    director.walk.finish()
}

impl<'a> Walk<'a> {
    fn new(case: &Case<'_>, ear: &'a mut Ear) -> Walk<'a> {
        Walk {
            player: Player::new(case, ear),
            known: BTreeMap::new(),
            ios: Counts::new(),
            routines: Counts::new(),
            serial: 0,
            exact: Plan::default(),
            order: 0,
            issued: Vec::new(),
            ran: Vec::new(),
        }
    }

    fn world(&self) -> &World {
        self.player.world()
    }

    /// A line of a written run: first what is overdue, as replay does it.
    fn choose(&mut self, at: Instant, action: &Action) {
        self.catch_up(at);
        if self.player.verdict().is_none() {
            // What cannot be done is left out, as in a replay.
            let _ = self.act(at, action);
        }
    }

    fn mark(&mut self, at: Instant, mark: Mark) {
        self.catch_up(at);
        if self.player.verdict().is_none() {
            self.order += 1;
            self.exact.deeds.push(Deed { at, order: self.order, what: What::Mark(mark) });
            self.player.sink().lines.push(Line::Mark { at, mark });
            self.player.mark(at, mark);
        }
    }

    fn catch_up(&mut self, at: Instant) {
        while self.player.verdict().is_none() {
            let (last, due) = self.world().horizon();
            let Some(due) = due.filter(|_| last < at) else { break };
            if self.act(last.max(self.world().now()), &action_due(due)).is_err() {
                break;
            }
        }
    }

    /// Carries an action out, and takes down which decision it is.
    fn act(&mut self, at: Instant, action: &Action) -> Result<(), Illegal> {
        let from = match *action {
            Action::Wake { host, task } => self.world().pending_wake(host, task).map(|wake| wake.from),
            Action::Test { host } => self.world().test_due(host).map(|due| due.0),
            _ => None,
        };
        self.player.step(at, action)?;
        self.order += 1;
        let order = self.order;
        let mut moved = |disk: DiskId, io: IoId, what: Move| {
            if let Some(known) = self.known.get(&(disk, io)) {
                let timed = Timed { after: at.micros_since(known.since), order, what };
                self.exact.fates.entry(known.name).or_default().push(timed);
            }
        };
        match *action {
            Action::Sample { disk, io, sampling } => moved(disk, io, Move::Sample(sampling)),
            Action::Land { disk, io, landing } => moved(disk, io, Move::Land(landing)),
            Action::Complete { disk, io, ending } => moved(disk, io, Move::Complete(ending)),
            Action::Vanish { disk, io } => moved(disk, io, Move::Vanish),
            Action::Wake { host, task } => self.ran(Routine::Wake(host, task), from, at),
            Action::Test { host } => self.ran(Routine::Test(host), from, at),
            // Nobody decides it: it is due at one moment.
            Action::Fire { .. } => {}
            _ => self.exact.deeds.push(Deed { at, order, what: What::Choice(action.clone()) }),
        }
        self.hear();
        Ok(())
    }

    fn ran(&mut self, routine: Routine, from: Option<Instant>, at: Instant) {
        let name = self.routines.name(routine);
        let after = at.micros_since(from.unwrap_or(at));
        self.exact.routines.insert(name, Timed { after, order: self.order, what: () });
        self.ran.push((name, at));
    }

    /// Names the I/Os that the last step issued.
    fn hear(&mut self) {
        for Started { kind, io, at } in std::mem::take(&mut self.player.sink().issued) {
            let name = self.ios.name(kind);
            self.serial += 1;
            self.known.insert((kind.disk, io), Known { name, since: at, serial: self.serial });
            self.exact.fates.entry(name).or_default();
            self.issued.push((name, at));
        }
    }

    fn finish(mut self) -> Walked {
        let troubles = self.troubles();
        let ended = self.player.world().now();
        let ear = self.player.sink();
        let (lines, busy) = (std::mem::take(&mut ear.lines), ear.busy);
        let (replayed, _) = self.player.finish();
        Walked {
            verdict: replayed.verdict,
            lines,
            actions: replayed.actions,
            ended,
            exact: self.exact,
            issued: self.issued,
            ran: self.ran,
            busy,
            troubles,
        }
    }

    /// What is broken, stands still, holds something or waits for something: with nothing of that it is judged at rest.
    fn troubles(&mut self) -> BTreeSet<Trouble> {
        let mut troubles = BTreeSet::new();
        let mut note = |is_so: bool, trouble| is_so.then(|| troubles.insert(trouble));
        note(self.player.sink().agents.values().any(|waiting| *waiting > 0), Trouble::AgentWaits);
        let world = self.player.world();
        let takes_part = |host: Host| {
            let on = What::Choice(Action::PowerOn { host });
            self.exact.deeds.iter().any(|deed| deed.what == on)
        };
        for host in world.hosts().filter(|host| takes_part(*host)) {
            let runs = world.is_up(host) && world.daemon_up(host) && world.wdmd_up(host);
            note(!runs || !world.stalled(host).is_empty(), Trouble::HostStopped);
            let rest = world.processes(host).all(|(_, process)| {
                process.waiting == 0 && process.uses.is_empty() && process.connected && process.signalled.is_none()
            });
            note(!rest, Trouble::ProcessBusy);
        }
        for (index, disk) in world.disks().iter().enumerate() {
            note(!world.hosts().all(|host| disk.path(PathId(host.0)) == Ok(PathState::Open)), Trouble::PathClosed);
            for io in world.in_flight(DiskId(index as u8)) {
                note(io.ghost, Trouble::Ghost);
                note(!io.ghost && world.now().micros_since(io.since) >= STUCK, Trouble::Stuck);
            }
        }
        troubles
    }
}

/// An I/O that is under way for longer does not look as if it would ever complete, in microseconds.
const STUCK: u64 = 5_000_000;

fn action_due(due: Due) -> Action {
    match due {
        Due::Wake { host, task } => Action::Wake { host, task },
        Due::Test { host } => Action::Test { host },
        Due::Fire { host } => Action::Fire { host },
    }
}

/// The usual way of an I/O: a millisecond to the disk, and one back.
const HALF_WAY: u64 = 1_000;

/// After everything that the plan orders at this moment.
const USUAL: u32 = u32::MAX - 1;
const DUE: u32 = u32::MAX;

/// A move that will be made.
#[derive(Clone, Copy)]
struct Coming {
    disk: DiskId,
    io: IoId,
    serial: u64,
    what: Move,
    usual: bool,
}

struct Director<'a, 'p> {
    walk: Walk<'a>,
    plan: &'p Plan,
    /// Index of the deed that comes next.
    next: usize,
    /// By moment, order and a running number.
    moves: BTreeMap<(Instant, u32, u64), Coming>,
    /// Moves that wait until somebody runs again or a path is mended.
    parked: Vec<Coming>,
    scheduled: u64,
}

/// What comes next.
enum Next {
    Deed,
    Move((Instant, u32, u64)),
    Routine(Action),
    Due(Due),
}

impl Director<'_, '_> {
    fn run(&mut self, reach: Reach) {
        while self.walk.player.verdict().is_none() {
            let Some((at, next)) = self.next() else { return };
            let at = at.max(self.walk.world().now());
            if at > reach.until || self.walk.player.actions() > reach.actions {
                return;
            }
            let serial = self.walk.serial;
            match next {
                Next::Deed => {
                    let deed = &self.plan.deeds[self.next];
                    self.next += 1;
                    match &deed.what {
                        What::Mark(mark) => self.walk.mark(at, *mark),
                        What::Choice(action) => {
                            // What cannot be done without what was taken away is left out.
                            let _ = self.walk.act(at, action);
                        }
                    }
                    for coming in std::mem::take(&mut self.parked) {
                        self.put(at, USUAL, coming);
                    }
                }
                Next::Move(key) => {
                    let coming = self.moves.remove(&key).expect("it was found there");
                    self.make(at, coming);
                }
                Next::Routine(action) => {
                    if self.walk.act(at, &action).is_err() {
                        return;
                    }
                }
                Next::Due(due) => {
                    if self.walk.act(at, &action_due(due)).is_err() {
                        return;
                    }
                }
            }
            if self.walk.serial > serial {
                self.schedule(serial);
            }
        }
    }

    fn next(&self) -> Option<(Instant, Next)> {
        let world = self.walk.world();
        let mut first: Option<(Instant, u32, Next)> = None;
        let mut offer = |at: Instant, order: u32, next: Next| {
            let at = at.max(world.now());
            if first.as_ref().is_none_or(|first| (at, order) < (first.0, first.1)) {
                first = Some((at, order, next));
            }
        };
        if let Some(deed) = self.plan.deeds.get(self.next) {
            offer(deed.at, deed.order, Next::Deed);
        }
        if let Some((key, _)) = self.moves.first_key_value() {
            offer(key.0, key.1, Next::Move(*key));
        }
        if !self.plan.routines.is_empty() {
            for host in world.hosts().filter(|host| world.is_up(*host)) {
                let wakes = world.pending_wakes(host).map(|wake| {
                    (Routine::Wake(host, wake.task), wake.from, wake.until, Action::Wake { host, task: wake.task })
                });
                let test = world.test_due(host);
                let test = test.map(|(from, until)| (Routine::Test(host), from, until, Action::Test { host }));
                for (routine, from, until, action) in wakes.chain(test) {
                    let Some(timed) = self.plan.routines.get(&self.walk.routines.peek(routine)) else { continue };
                    let at = from.after_micros(timed.after).min(until).max(world.now());
                    if world.may(at, &action) != Err(Illegal::Stalled) {
                        offer(at, timed.order, Next::Routine(action));
                    }
                }
            }
        }
        if let (at, Some(due)) = world.horizon() {
            offer(at, DUE, Next::Due(due));
        }
        first.map(|(at, _, next)| (at, next))
    }

    fn put(&mut self, at: Instant, order: u32, coming: Coming) {
        self.scheduled += 1;
        self.moves.insert((at, order, self.scheduled), coming);
    }

    /// Plans the moves of the I/Os that were issued since `serial`.
    fn schedule(&mut self, serial: u64) {
        let new = self.walk.known.iter().filter(|(_, known)| known.serial > serial);
        let mut new = new.map(|(place, known)| (*place, *known)).collect::<Vec<_>>();
        new.sort_by_key(|(_, known)| known.serial);
        for ((disk, io), Known { name, since, serial }) in new {
            let coming = |what: Move, usual: bool| Coming { disk, io, serial, what, usual };
            if let Some(moves) = self.plan.fates.get(&name) {
                for timed in moves {
                    self.put(since.after_micros(timed.after), timed.order, coming(timed.what, false));
                }
            } else {
                let first = if name.kind.write { Move::Land(Landing::Whole) } else { Move::Sample(Sampling::Whole) };
                self.put(since.after_micros(HALF_WAY), USUAL, coming(first, true));
                self.put(since.after_micros(2 * HALF_WAY), USUAL, coming(Move::Complete(Ending::Done), true));
            }
        }
    }

    fn make(&mut self, at: Instant, coming: Coming) {
        let Coming { disk, io, serial, what, usual } = coming;
        let Some(known) = self.walk.known.get(&(disk, io)).filter(|known| known.serial == serial) else { return };
        let host = known.name.kind.host;
        let mut what = what;
        // What goes its usual way on a path that answers with errors gets that answer.
        if usual && what == Move::Complete(Ending::Done) {
            let state = self.walk.world().disk(disk).path(PathId(host.0));
            what = match state {
                Ok(PathState::Failing(errno)) => Move::Complete(Ending::Refused(errno)),
                Ok(PathState::Gone) => Move::Complete(Ending::NoDevice),
                _ => what,
            };
        }
        let moved = self.walk.act(at, &what.action(disk, io));
        if let Err(Illegal::Stalled | Illegal::Disk(sim_disk::Illegal::PathHung | sim_disk::Illegal::NotWhole)) = moved
        {
            self.parked.push(coming);
        }
    }
}
