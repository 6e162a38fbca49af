//! Paths of a world with time, walked in the simulator's world, whose clocks count microseconds.
//!
//! A path says what comes in which second of which host's clock, and in which order. In true time that is a set of
//! differences: each turn lies within its second; what waits comes no earlier than the engine lets it; a device fires
//! exactly so long after its ping; and turns of two hosts that touch the same come in the order of the path. What is free
//! is when each host boots, and how long it is paused, and with that how its seconds lie to those of others; and at which
//! moment of its second wdmd tests.
//!
//! So the walk lets everything come as early as it may, and if a turn comes too late for its second (or a device fires
//! before something that the path has before it) the host must have begun later: by so much it does, and the walk begins
//! anew. That is the least solution of the differences, wherever there is one. Where there is none, two clocks would have
//! to change places on the path, and no world whose clocks keep their rates can follow.
//!
//! What nobody waits for is not woken before its turn: a task whose latest moment comes first is stalled until then.

mod score;

use self::score::{Deed, Fate, Outside, Score, Turned};
use super::{Action as Step, State, Timed, What, Wrong};
use crate::action::{Action, Part};
use crate::checker::Lost;
use crate::happening::Sink;
use crate::illegal::Due;
use crate::instant::Instant;
use crate::setup::{Host, Process};
use crate::world::{InFlight, World};
use lease_core::numbers::{Second, Time};
use lease_core::seam::{DiskId, Request, Signal, Slot, Task};
use sim_disk::{Ending, IoId, Landing, Sampling};
use std::collections::BTreeMap;

/// How long I/O takes that the path has no time for, in microseconds.
const QUICK: u64 = 20;
/// How an I/O ends that has no effect: EIO.
const EIO: u16 = 5;
/// A clock that stays out for a second of each two, in parts per million.
const HALF: i32 = -500_000;
/// The client.
const CLIENT: Process = Process(0);
/// wdmd tests at any moment of its second, and in the same one of each: microseconds.
const LATEST_TEST: u64 = 999_000;
/// A life that begins so much later than the path says begins ever later, in microseconds.
const FAR: u64 = 3_000_000;
/// How often a walk begins anew before it is given up.
const WALKS: usize = 80;
/// How long before the end of its second a turn comes that came too late, in microseconds: room for what follows it.
const ROOM: [u64; 2] = [20_000, 1_000];

impl Timed {
    pub(super) fn walk<S: Sink>(
        &self,
        start: &State,
        path: &[Step],
        world: &mut World,
        sink: &mut S,
    ) -> Result<(), Lost> {
        let score = self.score(start, path).map_err(|(step, why)| Lost { step, why })?;
        let begins = self.begins(&score, world)?;
        // It went this way a moment ago.
        Walk::new(self, &score, world, sink, begins).go().map_err(|halt| halt.told(self, &score))
    }

    /// When each life is to begin at the earliest, and its wdmd to test.
    fn begins(&self, score: &Score, world: &World) -> Result<Vec<Begin>, Lost> {
        let nominal = |second: &u64| Begin { at: Instant::from_secs(*second), test: 0 };
        let nominal: Vec<Begin> = score.begins.iter().map(nominal).collect();
        let earliest = vec![Begin { at: Instant::START, test: 0 }; nominal.len()];
        let (mut lost, mut late) = (None, None);
        for (room, begins) in [(ROOM[0], &nominal), (ROOM[0], &earliest), (ROOM[1], &earliest)] {
            let mut begins = begins.clone();
            for _ in 0..WALKS {
                let mut world = world.clone();
                match Walk::new(self, score, &mut world, &mut (), begins.clone()).go() {
                    Ok(()) => return Ok(begins),
                    Err(Halt::Late { life, began, by, turn }) if life < begins.len() => {
                        let begin = &mut begins[life];
                        let later = begin.test + by + room;
                        match score.turns[turn].deed == Deed::Fire && later < LATEST_TEST && score.boots(life) {
                            true => begin.test = later,
                            false => begin.at = began.after_micros(by + room),
                        }
                        let far = begin.at.micros_since(nominal[life].at) > FAR;
                        late = Some(Halt::Late { life, began, by, turn });
                        if far {
                            break;
                        }
                    }
                    Err(halt) => {
                        lost.get_or_insert(halt.told(self, score));
                        break;
                    }
                }
            }
        }
        let shift = |halt: Halt| {
            let Lost { step, why } = halt.told(self, score);
            Lost { step, why: format!("the clocks of two hosts would have to change places on the way ({why})") }
        };
        Err(lost.or(late.map(shift)).expect("each of these walks came to a halt"))
    }
}

/// How a life begins: not before a moment, and with wdmd's first test so many microseconds later; 0: when it must.
#[derive(Clone, Copy, Debug)]
struct Begin {
    at: Instant,
    test: u64,
}

/// Why a walk does not go on.
#[derive(Debug)]
enum Halt {
    /// A turn comes so many microseconds too late for a life that began then.
    Late {
        life: usize,
        began: Instant,
        by: u64,
        turn: usize,
    },
    Lost {
        turn: usize,
        why: String,
    },
}

impl Halt {
    fn told(self, timed: &Timed, score: &Score) -> Lost {
        let (turn, why) = match self {
            Halt::Late { turn, by, .. } => (turn, format!("it comes {by} microseconds too late")),
            Halt::Lost { turn, why } => (turn, why),
        };
        let Some(Turned { host, step, second, deed, .. }) = score.turns.get(turn) else { return Lost { step: 0, why } };
        let label = timed.setting.setup.label(Host(*host as u8));
        Lost { step: step.unwrap_or(0), why: format!("{label}, second {second} of its clock, {deed:?}: {why}") }
    }
}

/// A walk under way.
struct Walk<'a, S> {
    timed: &'a Timed,
    score: &'a Score,
    world: &'a mut World,
    sink: &'a mut S,
    at: Instant,
    /// Whose main loop has something to look at since the moment at which it heard of it.
    news: Vec<bool>,
    /// When each life may begin.
    begins: Vec<Begin>,
    /// When it did.
    began: Vec<Instant>,
    /// When wdmd of each host tests for the first time, if that is before it must.
    tests: Vec<Option<Instant>>,
    /// The turns of each host that are to come, the next one last.
    queues: Vec<Vec<usize>>,
    over: Vec<bool>,
    /// Writes of lives that ended, by their names.
    ghosts: BTreeMap<usize, (DiskId, IoId)>,
    /// The turn that is being walked.
    turn: usize,
}

impl<'a, S: Sink> Walk<'a, S> {
    fn new(
        timed: &'a Timed,
        score: &'a Score,
        world: &'a mut World,
        sink: &'a mut S,
        begins: Vec<Begin>,
    ) -> Walk<'a, S> {
        let mut queues = vec![Vec::new(); timed.hosts()];
        for (turn, turned) in score.turns.iter().enumerate().rev() {
            queues[turned.host].push(turn);
        }
        let at = world.now();
        let (began, over) = (begins.iter().map(|begin| begin.at).collect(), vec![false; score.turns.len()]);
        Walk {
            timed,
            score,
            world,
            sink,
            at,
            news: vec![false; timed.hosts()],
            begins,
            began,
            tests: vec![None; timed.hosts()],
            queues,
            over,
            ghosts: BTreeMap::new(),
            turn: 0,
        }
    }

    fn go(&mut self) -> Result<(), Halt> {
        while let Some((at, turn)) = self.next() {
            if self.is_over() {
                return Ok(());
            }
            if at == Instant::NEVER {
                self.turn = turn;
                return self.lost("its moment never comes");
            }
            // What becomes due until then may change what is next.
            if !self.pass(at)? {
                self.take(turn)?;
            }
        }
        let wrong = self.score.end.is_some_and(|end| end.finding != Wrong::Nothing);
        if wrong && !self.is_over() {
            // A moment later whoever is overdue is seen to be.
            if let Some(host) = self.world.hosts().find(|host| self.world.is_up(*host)) {
                self.pass(self.at.after_micros(QUICK))?;
                self.act(Action::StepWallClock { host })?;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.world.violation().is_some()
    }

    fn lost<T>(&self, why: impl Into<String>) -> Result<T, Halt> {
        Err(Halt::Lost { turn: self.turn, why: why.into() })
    }

    fn turned(&self, turn: usize) -> &'a Turned {
        &self.score.turns[turn]
    }

    /// What can come next at the earliest: of several, the first of the path.
    fn next(&self) -> Option<(Instant, usize)> {
        let next = self.queues.iter().filter_map(|queue| queue.last().copied());
        let free = next.filter(|turn| self.is_free(*turn));
        free.map(|turn| (self.earliest(turn), turn)).min()
    }

    fn is_free(&self, turn: usize) -> bool {
        self.turned(turn).after.iter().all(|before| self.over[*before])
    }

    /// The beginning of a second of a host's clock in its present life; [`Instant::NEVER`] if the clock stands.
    fn second(&self, host: usize, second: u64) -> Instant {
        let first = self.timed.setting.setup.hosts[host].clock.second();
        self.world.clocks()[host].first_showing(Second(first.0 + second).start())
    }

    /// The first moment for a turn.
    fn earliest(&self, turn: usize) -> Instant {
        let Turned { host, deed, second, life, .. } = self.turned(turn);
        let label = Host(*host as u8);
        let begins = || match self.world.clocks()[*host].stopped {
            true => self.at,
            false => self.second(*host, *second),
        };
        let earliest = match deed {
            Deed::Boot { .. } | Deed::Choose(What::Unpause) => self.begins[*life].at,
            Deed::Fire => self.world.fire_due(label),
            Deed::Start { .. } => {
                // Tests come first in their second, unless they are put off for the sake of the device.
                let put_off = self.begins.get(*life).is_some_and(|begin| begin.test > 0);
                let test = self.world.test_due(label).filter(|_| !put_off && self.runs(label, Part::Wdmd));
                let test = test.map(|(_, latest)| latest).filter(|latest| *latest < self.second(*host, second + 1));
                begins().max(test.unwrap_or(Instant::START))
            }
            Deed::Run(task) => {
                let from = self.world.pending_wake(label, *task).map_or(Instant::START, |wake| wake.from);
                // A worker looks at a join that ended once a second; on the path it looks at once.
                let looks = matches!(task, Task::Worker(_)) && from >= self.second(*host, second + 1);
                if looks { begins() } else { begins().max(from) }
            }
            _ => begins(),
        };
        earliest.max(self.at)
    }

    fn runs(&self, host: Host, part: Part) -> bool {
        self.world.stalled_since(host, Part::Host).is_none() && self.world.stalled_since(host, part).is_none()
    }

    /// Whether the daemon of a host runs as a whole.
    fn daemon_runs(&self, host: Host) -> bool {
        self.world.daemon_up(host) && self.runs(host, Part::Daemon)
    }

    /// Lets time pass. Returns whether anything became due.
    fn pass(&mut self, to: Instant) -> Result<bool, Halt> {
        let mut passed = false;
        while !self.is_over() {
            let (mut moment, mut due) = self.world.horizon();
            if let Some((first, host)) = self.first_test()
                && first <= moment
            {
                (moment, due) = (first, Some(Due::Test { host }));
            }
            if moment > to {
                break;
            }
            passed = true;
            self.at = self.at.max(moment);
            match due {
                // Not before its turn.
                Some(Due::Wake { host, task }) => self.act(Action::Stall { host, part: Part::Task(task) })?,
                Some(Due::Test { host }) => {
                    self.tests[usize::from(host.0)] = None;
                    self.act(Action::Test { host })?;
                }
                Some(Due::Fire { host }) => self.fire(host)?,
                None => unreachable!("what is due has a name"),
            }
        }
        if !passed {
            self.at = self.at.max(to);
        }
        Ok(passed)
    }

    fn first_test(&self) -> Option<(Instant, Host)> {
        let tests = self.world.hosts().zip(&self.tests);
        let tests = tests.filter(|(host, _)| self.world.wdmd_up(*host) && self.runs(*host, Part::Wdmd));
        tests.filter_map(|(host, test)| Some(((*test)?, host))).min()
    }

    /// A device fires, whether or not its turn has come.
    fn fire(&mut self, host: Host) -> Result<(), Halt> {
        let by = self.next().map_or(0, |(next, _)| next.micros_since(self.at));
        let Some(turn) = self.queues[usize::from(host.0)].last().copied() else {
            // Where the path ends, the host has not come so far.
            let last = self.score.turns.iter().rposition(|turn| turn.host == usize::from(host.0));
            return Err(self.late(last.unwrap_or(self.turn), by));
        };
        if self.turned(turn).deed == Deed::Fire && self.is_free(turn) {
            return self.take(turn);
        }
        Err(self.late(turn, by))
    }

    fn late(&self, turn: usize, by: u64) -> Halt {
        let life = self.turned(turn).life;
        let began = self.began.get(life).copied().unwrap_or(Instant::START);
        Halt::Late { life, began, by, turn }
    }

    fn act(&mut self, action: Action) -> Result<(), Halt> {
        if self.is_over() {
            return Ok(());
        }
        let before: Vec<Option<Time>> = self.world.hosts().map(|host| self.main_wake(host)).collect();
        if let Err(why) = self.world.step(self.at, &action, self.sink) {
            return self.lost(format!("{action:?} is not possible at {}: {why}", self.at));
        }
        for (host, before) in self.world.hosts().zip(before) {
            let asked = self.main_wake(host);
            if asked.is_none() || asked != before {
                self.news[usize::from(host.0)] = asked == Some(self.world.clock(host));
            }
        }
        Ok(())
    }

    fn main_wake(&self, host: Host) -> Option<Time> {
        self.world.pending_wake(host, Task::Main).map(|wake| wake.earliest)
    }

    /// A turn comes.
    fn take(&mut self, turn: usize) -> Result<(), Halt> {
        let Turned { host: index, deed, life, second, kept, vanished, then, .. } = self.turned(turn);
        let host = Host(*index as u8);
        let before = std::mem::replace(&mut self.turn, turn);
        if !matches!(deed, Deed::Boot { .. }) && self.world.is_up(host) && !self.world.clocks()[*index].stopped {
            let end = self.second(*index, second + 1);
            if self.at >= end {
                return Err(self.late(turn, self.at.micros_since(end)));
            }
        }
        self.queues[*index].pop();
        self.over[turn] = true;
        match *deed {
            Deed::Boot { loses } => {
                self.began[*life] = self.at;
                let test = self.begins[*life].test;
                self.tests[*index] = (test > 0).then(|| self.at.after_micros(test));
                self.boot(host)?;
                self.lose(host, loses)?;
            }
            Deed::Start { loses } => self.lose(host, loses)?,
            Deed::Fire => self.goes_down(host, Action::Fire { host }, kept)?,
            Deed::Rest => self.goes_down(host, Action::PowerLoss { host }, kept)?,
            Deed::Run(task) => self.wake(host, task)?,
            Deed::Complete { slot, fate } => {
                let io = self.io(host, slot)?;
                if fate == Fate::Moves {
                    self.moves(&io)?;
                }
                let ending = if fate == Fate::Fails { Ending::Refused(EIO) } else { Ending::Done };
                self.complete(&io, ending)?;
                self.settle(host)?;
                if !io.write && self.world.engine(host).is_some_and(lease_core::Engine::is_joined) {
                    // The main loop may run at any time, and looks at a new image of the area.
                    self.goes_on(host, Task::Main)?;
                    self.act(Action::StepWallClock { host })?;
                }
            }
            Deed::Land(slot) => {
                let io = self.io(host, slot)?;
                self.moves(&io)?;
            }
            Deed::Vanish(slot) => {
                let io = self.io(host, slot)?;
                self.complete(&io, Ending::Refused(EIO))?;
            }
            Deed::LandGhost(name) => {
                let Some((disk, io)) = self.ghosts.remove(&name) else {
                    return self.lost("the write of an earlier life is over");
                };
                self.act(Action::Land { disk, io, landing: Landing::Whole })?;
            }
            Deed::Choose(what) => self.choose(host, what, kept)?,
        }
        self.settle(host)?;
        for slot in vanished {
            self.give_up(host, *slot)?;
        }
        if let Some(then) = then {
            self.compare(*index, then)?;
        }
        self.turn = before;
        Ok(())
    }

    fn choose(&mut self, host: Host, what: What, kept: &[(Slot, usize)]) -> Result<(), Halt> {
        let setting = &self.timed.setting;
        match what {
            What::Crash => self.goes_down(host, Action::PowerLoss { host }, kept),
            What::KillDaemon => self.goes_down(host, Action::KillDaemon { host }, kept),
            What::StartDaemon => {
                self.vanish(host, &[])?;
                self.act(Action::StartDaemon { host })?;
                self.join(host)
            }
            What::Ask => {
                self.client(host)?;
                let request = setting.acquire.clone();
                self.act(Action::Ask { host, process: Some(CLIENT), request })
            }
            What::Release => {
                self.goes_on(host, Task::Main)?;
                let killed = self.world.process(host, CLIENT).is_some_and(|it| it.signalled == Some(Signal::Kill));
                match killed {
                    // Whoever was killed gives back by its end.
                    true => self.act(Action::Exit { host, process: CLIENT }),
                    false => {
                        let request: Request = setting.release.clone();
                        self.act(Action::Ask { host, process: Some(CLIENT), request })
                    }
                }
            }
            What::Exit => {
                self.goes_on(host, Task::Main)?;
                self.act(Action::Exit { host, process: CLIENT })
            }
            What::StopDaemon => self.act(Action::Stall { host, part: Part::Daemon }),
            What::ContinueDaemon => {
                self.act(Action::Resume { host, part: Part::Daemon })?;
                self.goes_on(host, Task::Main)
            }
            What::StopWdmd => self.act(Action::Stall { host, part: Part::Wdmd }),
            What::ContinueWdmd => {
                let overdue = self.world.test_due(host).is_some_and(|(_, latest)| latest <= self.at);
                self.act(Action::Resume { host, part: Part::Wdmd })?;
                if overdue { self.act(Action::Test { host }) } else { Ok(()) }
            }
            What::Pause => {
                self.act(Action::Stall { host, part: Part::Host })?;
                self.act(Action::StopClock { host })
            }
            What::Unpause => {
                let life = self.turned(self.turn).life;
                self.began[life] = self.at;
                self.act(Action::Resume { host, part: Part::Host })
            }
            // Its second takes twice the time.
            What::Miss => Ok(()),
            What::Tick | What::Boot | What::Complete(_) | What::Land(_) | What::Vanish(_) | What::LandGhost(_) => {
                unreachable!("these are deeds of their own")
            }
        }
    }

    // Power.

    fn boot(&mut self, host: Host) -> Result<(), Halt> {
        if !self.timed.setting.plan.late_for_ever {
            self.vanish(host, &[])?;
        }
        self.act(Action::PowerOn { host })?;
        self.join(host)
    }

    fn join(&mut self, host: Host) -> Result<(), Halt> {
        let request = self.timed.setting.joins[usize::from(host.0)].clone();
        self.act(Action::Ask { host, process: None, request })
    }

    /// The host, or its daemon, is gone, and with it all its I/O but what is kept.
    fn goes_down(&mut self, host: Host, action: Action, kept: &[(Slot, usize)]) -> Result<(), Halt> {
        for (slot, name) in kept {
            let io = self.io(host, *slot)?;
            self.ghosts.insert(*name, (io.disk, io.io));
        }
        let kept: Vec<(DiskId, IoId)> = self.ghosts.values().copied().collect();
        self.act(action)?;
        self.vanish(host, &kept)
    }

    /// I/O of lives that ended is over, but for these.
    fn vanish(&mut self, host: Host, kept: &[(DiskId, IoId)]) -> Result<(), Halt> {
        for io in self.in_flight(host).into_iter().filter(|io| io.ghost && !kept.contains(&(io.disk, io.io))) {
            self.act(Action::Vanish { disk: io.disk, io: io.io })?;
        }
        Ok(())
    }

    /// A clock takes two seconds for one, or goes right again.
    fn lose(&mut self, host: Host, loses: bool) -> Result<(), Halt> {
        let right = self.timed.setting.setup.hosts[usize::from(host.0)].drift_ppm;
        let ppm = if loses { HALF } else { right };
        match self.world.clocks()[usize::from(host.0)].ppm == ppm {
            true => Ok(()),
            false => self.act(Action::SetDrift { host, ppm }),
        }
    }

    // Daemon and client.

    /// A task that was stalled until its turn goes on.
    fn goes_on(&mut self, host: Host, task: Task) -> Result<(), Halt> {
        let part = Part::Task(task);
        match self.world.stalled_since(host, part) {
            Some(_) => self.act(Action::Resume { host, part }),
            None => Ok(()),
        }
    }

    fn wake(&mut self, host: Host, task: Task) -> Result<(), Halt> {
        self.goes_on(host, task)?;
        // It may have run already: its last moment was that of something else.
        let Some(wake) = self.world.pending_wake(host, task) else { return Ok(()) };
        match wake.from <= self.at {
            true => self.act(Action::Wake { host, task }),
            false => Ok(()),
        }
    }

    /// A client that can ask for something.
    fn client(&mut self, host: Host) -> Result<(), Halt> {
        self.goes_on(host, Task::Main)?;
        let known = self.world.process(host, CLIENT);
        let able = known.is_some_and(|client| client.connected && client.signalled != Some(Signal::Kill));
        if able {
            return Ok(());
        }
        if known.is_some() {
            self.act(Action::Exit { host, process: CLIENT })?;
        }
        self.act(Action::Spawn { host, process: CLIENT })
    }

    // I/O.

    fn in_flight(&self, host: Host) -> Vec<InFlight> {
        let disks = 0..self.world.disks().len();
        let all = disks.flat_map(|disk| self.world.in_flight(DiskId(disk as u8)));
        let mut ours: Vec<InFlight> = all.filter(|io| io.host == host).collect();
        ours.sort_by_key(|io| (io.since, io.disk, io.slot));
        ours
    }

    fn io(&self, host: Host, slot: Slot) -> Result<InFlight, Halt> {
        match self.in_flight(host).into_iter().find(|io| !io.ghost && io.slot == slot) {
            Some(io) => Ok(io),
            None => self.lost("there is no such I/O"),
        }
    }

    fn moves(&mut self, io: &InFlight) -> Result<(), Halt> {
        let InFlight { disk, io: id, .. } = *io;
        self.act(match io.write {
            true => Action::Land { disk, io: id, landing: Landing::Whole },
            false => Action::Sample { disk, io: id, sampling: Sampling::Whole },
        })
    }

    fn complete(&mut self, io: &InFlight, ending: Ending) -> Result<(), Halt> {
        self.goes_on(io.host, io.task)?;
        self.act(Action::Complete { disk: io.disk, io: io.io, ending })
    }

    /// I/O that the path has no time for runs through, and the main loop looks at news.
    fn settle(&mut self, host: Host) -> Result<(), Halt> {
        let plan = &self.timed.setting.plan;
        let all = !plan.slow_io || self.timed.setting.is_observer(usize::from(host.0));
        while !self.is_over() && self.daemon_runs(host) {
            let instant = |io: &InFlight| !io.ghost && (all || !matches!(io.task, Task::Lockspace(_)));
            if let Some(io) = self.in_flight(host).into_iter().find(instant) {
                self.wait(QUICK)?;
                self.moves(&io)?;
                self.complete(&io, Ending::Done)?;
                continue;
            }
            match std::mem::take(&mut self.news[usize::from(host.0)]) {
                true => self.wake(host, Task::Main)?,
                false => break,
            }
        }
        Ok(())
    }

    /// A little time passes within a turn.
    fn wait(&mut self, micros: u64) -> Result<(), Halt> {
        let to = self.at.after_micros(micros);
        while self.pass(to)? {}
        Ok(())
    }

    /// What was given up and is not to land late ends.
    fn give_up(&mut self, host: Host, slot: Slot) -> Result<(), Halt> {
        if self.is_over() {
            return Ok(());
        }
        let io = self.io(host, slot)?;
        let untouched = self.world.disk(io.disk).io(io.io).is_ok_and(sim_disk::Io::is_untouched);
        let ending = if io.write && !untouched { Ending::LostAnswer(EIO) } else { Ending::Refused(EIO) };
        self.complete(&io, ending)?;
        self.settle(host)
    }

    // Is it the same?

    fn compare(&self, index: usize, then: &Outside) -> Result<(), Halt> {
        let host = Host(index as u8);
        if self.is_over() {
            return Ok(());
        }
        let engine = self.world.engine(host);
        let ios = self.in_flight(host).into_iter().filter(|io| !io.ghost);
        let mut ios: Vec<(Slot, bool)> = ios.map(|io| (io.slot, io.write)).collect();
        ios.sort_unstable();
        let found = Outside {
            on: self.world.is_up(host),
            daemon: engine.is_some(),
            joined: engine.is_some_and(lease_core::Engine::is_joined),
            uses: self.world.process(host, CLIENT).is_some_and(|client| !client.uses.is_empty()),
            ios,
        };
        match found == *then {
            true => Ok(()),
            false => self.lost(format!("expected {then:?}, found {found:?}")),
        }
    }
}
