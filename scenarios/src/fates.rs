//! The fate of each I/O: when it takes effect, when it is answered, and what goes wrong with it.
//!
//! A fate is decided at the issue, as a short list of steps, each with its moment. What the path does meanwhile may
//! overrule it: behind a hung path a step waits for mending, a failing one turns the rest of the list into its error.

use crate::agenda::Entry;
use crate::dice::Range;
use crate::faults::{Fault, PlannedFault};
use crate::scenario::{Area, IoFate};
use crate::simulate::{Act, Simulation, What};
use lease_core::format::SectorKind;
use lease_core::seam::{DiskId, Task};
use model::setup::{self, Host};
use model::{Action, Illegal, Instant, Sink};
use sim_disk::{Ending, IoId, Landing, PathId, PathState, Sampling, SnapshotId};
use std::sync::Arc;

/// EIO.
const EIO: u16 = 5;

/// An I/O and what is to become of it.
#[derive(Clone, Debug)]
pub(crate) struct IoPlan {
    disk: DiskId,
    io: IoId,
    host: Host,
    write: bool,
    /// Whether its host or daemon is gone: nobody waits for it.
    ghost: bool,
    entry: Option<Entry>,
    steps: [(Instant, Step); 4],
    next: u8,
    count: u8,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Land(Landing),
    Sample(Sampling),
    End(Ending),
    Vanish,
}

/// A scripted fate that waits for its I/O.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) host: u8,
    pub(crate) write: bool,
    pub(crate) area: Area,
    pub(crate) fate: IoFate,
    pub(crate) skip: u32,
}

/// The steps of a fate while they are being written down.
struct Steps {
    steps: [(Instant, Step); 4],
    count: u8,
}

impl Steps {
    fn new() -> Steps {
        Steps { steps: [(Instant::START, Step::Vanish); 4], count: 0 }
    }

    fn then(mut self, at: Instant, step: Step) -> Steps {
        self.steps[usize::from(self.count)] = (at, step);
        self.count += 1;
        self
    }
}

impl<S: Sink> Simulation<'_, S> {
    // --- Issue ---

    pub(crate) fn issued(&mut self, host: Host, _task: Task, disk: DiskId, io: IoId, write: bool, sectors: u64) {
        let steps = self.scripted_fate(host, disk, io, write, sectors);
        let steps = match steps {
            Some(steps) => steps,
            None if self.now < self.hosts[usize::from(host.0)].refused_until[usize::from(write)] => {
                let soon = self.usual_latency();
                Steps::new().then(self.now.after_micros(soon), Step::End(Ending::Refused(EIO)))
            }
            None => self.struck(host, disk, io, write, sectors).unwrap_or_else(|| self.healthy(write)),
        };
        self.plan_io(host, disk, io, write, false, steps);
    }

    fn plan_io(&mut self, host: Host, disk: DiskId, io: IoId, write: bool, ghost: bool, steps: Steps) {
        let at = steps.steps[0].0;
        let plan =
            IoPlan { disk, io, host, write, ghost, entry: None, steps: steps.steps, next: 0, count: steps.count };
        let index = match self.free_ios.pop() {
            Some(index) => {
                self.ios[index as usize] = plan;
                index
            }
            None => {
                self.ios.push(plan);
                self.ios.len() as u32 - 1
            }
        };
        let table = &mut self.io_index[usize::from(disk.0)];
        if table.len() <= usize::from(io.0) {
            table.resize(usize::from(io.0) + 1, None);
        }
        assert!(table[usize::from(io.0)].replace(index).is_none(), "an I/O in flight has a number of its own");
        let entry = self.once(What::Io(index), at);
        self.ios[index as usize].entry = Some(entry);
    }

    fn usual_latency(&mut self) -> u64 {
        self.dice.latency.within(self.case.scenario.latency)
    }

    fn healthy(&mut self, write: bool) -> Steps {
        let answer = self.usual_latency();
        self.timed(write, answer, answer)
    }

    /// It takes effect within `effect` from now and is answered after `answer`.
    fn timed(&mut self, write: bool, effect: u64, answer: u64) -> Steps {
        let effect = self.dice.latency.within(Range { low: 0, high: effect.min(answer) });
        self.exactly(write, effect, answer)
    }

    fn exactly(&self, write: bool, effect: u64, answer: u64) -> Steps {
        let whole = if write { Step::Land(Landing::Whole) } else { Step::Sample(Sampling::Whole) };
        let (effect, answer) = (self.now.after_micros(effect), self.now.after_micros(answer));
        Steps::new().then(effect, whole).then(answer, Step::End(Ending::Done))
    }

    /// The fate of an I/O that a fault strikes, if one does.
    fn struck(&mut self, host: Host, disk: DiskId, io: IoId, write: bool, sectors: u64) -> Option<Steps> {
        for index in 0..self.io_faults.len() {
            let (fault, planned) = self.io_faults[index];
            if planned.hosts >> host.0 & 1 == 1
                && self.dice.fates.one_in(planned.rate)
                && let Some(steps) = self.strike_io(fault, planned, host, (disk, io), write, sectors)
            {
                self.fired.count(fault);
                return Some(steps);
            }
        }
        None
    }

    /// What `fault` does to an I/O; `None` if it cannot.
    fn strike_io(
        &mut self,
        fault: Fault,
        planned: PlannedFault,
        host: Host,
        (disk, io): (DiskId, IoId),
        write: bool,
        sectors: u64,
    ) -> Option<Steps> {
        let sector = u64::from(self.case.setup.disks[usize::from(disk.0)].sector_size);
        let lasts = self.dice.fates.within(planned.lasts);
        let usual = self.usual_latency();
        let soon = self.now.after_micros(usual);
        let late = self.now.after_micros(lasts.max(usual));
        let land = |landing| Step::Land(landing);
        let done = Step::End(Ending::Done);
        Some(match fault {
            Fault::SlowIo => self.timed(write, lasts, lasts),
            Fault::NearTimeout => {
                let members = &self.case.setup.hosts[usize::from(host.0)].memberships;
                let timeout = members.iter().map(|member| u64::from(member.io_timeout)).max()? * 1_000_000;
                // Exactly at the deadline either may come first: the completion or the wake.
                let answer = match self.dice.fates.below(3) {
                    0 => timeout,
                    1 => timeout + lasts,
                    _ => timeout.saturating_sub(lasts),
                };
                self.timed(write, answer, answer)
            }
            Fault::LateWrite if write => {
                let lands = lasts.max(usual);
                self.exactly(write, lands, lands + usual)
            }
            Fault::LateAnswer => self.exactly(write, usual, lasts.max(usual)),
            Fault::IoError => Steps::new().then(soon, Step::End(Ending::Refused(EIO))),
            Fault::LostAnswer if write => {
                let answered = soon.after_micros(usual);
                Steps::new().then(soon, land(Landing::Whole)).then(answered, Step::End(Ending::LostAnswer(EIO)))
            }
            Fault::ShortIo => Steps::new().then(soon, Step::End(Ending::Short)),
            Fault::SplitRead if !write && sectors > 1 => {
                // The interesting boundaries are where records lie: near the start of the area.
                let most = if self.dice.fates.one_in(2) { sectors.min(16) } else { sectors };
                let cut = 1 + self.dice.fates.below(most - 1);
                let head = Step::Sample(Sampling::Sectors { from: 0, count: cut });
                let tail = Step::Sample(Sampling::Sectors { from: cut, count: sectors - cut });
                let (first, second) = if self.dice.fates.one_in(2) { (head, tail) } else { (tail, head) };
                Steps::new().then(soon, first).then(late, second).then(late.after_micros(usual), done)
            }
            Fault::Torn if write && sector > 512 => {
                let bytes = 512 * (1 + self.dice.fates.below(sector / 512 - 1));
                self.torn(bytes, soon, late, usual)
            }
            Fault::TornInside if write => {
                let bytes = 1 + self.dice.fates.below(sector - 1);
                self.torn(bytes, soon, late, usual)
            }
            Fault::StaleRead if !write => {
                let disk = self.world.disk(disk);
                let stale = [SnapshotId(0), SnapshotId(1)].map(|snapshot| Sampling::Stale {
                    snapshot,
                    from: 0,
                    count: sectors,
                });
                let stale = stale.into_iter().find(|sampling| disk.may_sample(io, *sampling).is_ok())?;
                Steps::new().then(soon, Step::Sample(stale)).then(soon.after_micros(usual), done)
            }
            Fault::Rot if write => {
                let bit = self.dice.fates.below(sector.min(256) * 8);
                Steps::new().then(soon, land(Landing::Rotten { bit })).then(soon.after_micros(usual), done)
            }
            Fault::Misdirect if write => {
                let meant = self.world.disk(disk).io(io).ok()?.start();
                let all = self.world.disk(disk).sectors();
                let near = if self.dice.fates.one_in(2) { 8 } else { all };
                let start = (meant + 1 + self.dice.fates.below(near - 1)) % all;
                Steps::new().then(soon, land(Landing::Misdirected { start })).then(soon.after_micros(usual), done)
            }
            _ => return None,
        })
    }

    /// Lands in two parts, or in one and never the other.
    fn torn(&mut self, bytes: u64, soon: Instant, late: Instant, usual: u64) -> Steps {
        let tear = match self.dice.fates.one_in(2) {
            true => Landing::Torn { bytes },
            false => Landing::TornTail { bytes },
        };
        let steps = Steps::new().then(soon, Step::Land(tear));
        match self.dice.fates.one_in(3) {
            true => steps.then(late, Step::End(Ending::LostAnswer(EIO))),
            false => {
                steps.then(late, Step::Land(Landing::Whole)).then(late.after_micros(usual), Step::End(Ending::Done))
            }
        }
    }

    /// The fate that the script has for an I/O.
    fn scripted_fate(&mut self, host: Host, disk: DiskId, io: IoId, write: bool, sectors: u64) -> Option<Steps> {
        if self.rules.is_empty() {
            return None;
        }
        let start = self.world.disk(disk).io(io).ok()?.start();
        let sector = u64::from(self.case.setup.disks[usize::from(disk.0)].sector_size);
        let record = self.case.setup.record_at(disk, start * sector);
        let index = self.rules.iter().position(|rule| {
            let area = match (rule.area, record) {
                (Area::Any, _) => true,
                (Area::Delta, Some((setup::Area::Lockspace(_), _))) => true,
                (Area::Leader, Some((setup::Area::Resource(_), kind))) => !write || kind == SectorKind::Leader,
                (Area::Block, Some((setup::Area::Resource(_), kind))) => {
                    !write || matches!(kind, SectorKind::HostBlock(_))
                }
                (Area::Index, None) => self.case.setup.index_at(disk, start * sector).is_some(),
                _ => false,
            };
            rule.host == host.0 && rule.write == write && area
        })?;
        if self.rules[index].skip > 0 {
            self.rules[index].skip -= 1;
            return None;
        }
        let rule = self.rules.remove(index);
        match rule.fate {
            IoFate::Timed { effect, answer } => {
                let effect = self.dice.script.within(effect);
                let answer = self.dice.script.within(answer).max(effect);
                Some(self.exactly(write, effect, answer))
            }
            IoFate::Struck(fault) => {
                let planned = PlannedFault { rate: 1, lasts: fault.usual_length(), hosts: u64::MAX };
                let steps = self.strike_io(fault, planned, host, (disk, io), write, sectors)?;
                self.fired.count(fault);
                Some(steps)
            }
        }
    }

    // --- On its way ---

    pub(crate) fn io_step(&mut self, entry: Entry, index: u32) {
        let plan = &self.ios[index as usize];
        let (disk, io, write) = (plan.disk, plan.io, plan.write);
        let (_, mut step) = plan.steps[usize::from(plan.next)];
        let mut last = plan.next + 1 == plan.count;
        let host = plan.host;
        if !plan.ghost {
            match self.world.disk(disk).path(PathId(host.0)) {
                Ok(PathState::Failing(errno)) => {
                    let untouched = self.world.disk(disk).io(io).is_ok_and(|io| io.is_untouched());
                    let ending = if write && !untouched { Ending::LostAnswer(errno) } else { Ending::Refused(errno) };
                    (step, last) = (Step::End(ending), true);
                }
                Ok(PathState::Gone) => (step, last) = (Step::End(Ending::NoDevice), true),
                Ok(PathState::Open | PathState::Hung) | Err(_) => {}
            }
        }
        if last {
            // Forgotten before the world acts: the number may be issued anew within the step.
            self.io_index[usize::from(disk.0)][usize::from(io.0)] = None;
        }
        let result = self.act(match step {
            Step::Land(landing) => Action::Land { disk, io, landing },
            Step::Sample(sampling) => Action::Sample { disk, io, sampling },
            Step::End(ending) => Action::Complete { disk, io, ending },
            Step::Vanish => Action::Vanish { disk, io },
        });
        match result {
            Ok(()) if last => self.free_io(index),
            Ok(()) => {
                // The step itself may have ended the plan: the host died of it.
                let plan = &mut self.ios[index as usize];
                if plan.entry == Some(entry) {
                    plan.next += 1;
                    let at = plan.steps[usize::from(plan.next)].0;
                    self.put(entry, at);
                }
            }
            Err(Illegal::Stalled | Illegal::Overdue { .. } | Illegal::Disk(sim_disk::Illegal::PathHung)) => {
                if last {
                    self.io_index[usize::from(disk.0)][usize::from(io.0)] = Some(index);
                }
                self.settle(entry, host, result);
            }
            // A tear or a ghost that the limits do not allow, or that was overtaken: it goes the plain way.
            Err(_) => {
                if last {
                    self.io_index[usize::from(disk.0)][usize::from(io.0)] = Some(index);
                }
                self.plain_way(index, entry);
            }
        }
    }

    /// A fate that cannot be is replaced by a healthy one, or by vanishing.
    fn plain_way(&mut self, index: u32, entry: Entry) {
        let plan = &self.ios[index as usize];
        let (disk, io, write, ghost) = (plan.disk, plan.io, plan.write, plan.ghost);
        let usual = self.usual_latency();
        let soon = self.now.after_micros(usual);
        let Ok(state) = self.world.disk(disk).io(io) else {
            // The world forgot it: a ghost of which nothing is left.
            self.io_index[usize::from(disk.0)][usize::from(io.0)] = None;
            self.free_io(index);
            return;
        };
        let steps = if ghost {
            Steps::new().then(soon, Step::Vanish)
        } else if state.is_whole() {
            Steps::new().then(soon, Step::End(Ending::Done))
        } else {
            self.exactly(write, 0, usual)
        };
        let plan = &mut self.ios[index as usize];
        (plan.steps, plan.count, plan.next) = (steps.steps, steps.count, 0);
        let at = plan.steps[0].0;
        self.put(entry, at);
    }

    fn free_io(&mut self, index: u32) {
        if let Some(entry) = self.ios[index as usize].entry.take() {
            self.agenda.remove(entry);
            self.free_ios.push(index);
        }
    }

    /// An I/O disappeared.
    pub(crate) fn forget_io(&mut self, disk: DiskId, io: IoId) {
        let slot = self.io_index[usize::from(disk.0)].get_mut(usize::from(io.0));
        if let Some(index) = slot.and_then(Option::take) {
            self.unhold(index);
            self.free_io(index);
        }
    }

    /// The I/Os of a host without a daemon are over, but for the ghosts, which the world will name.
    pub(crate) fn forget_ios_of(&mut self, host: Host) {
        for index in 0..self.ios.len() {
            let plan = &self.ios[index];
            if plan.entry.is_some() && !plan.ghost && plan.host == host {
                let slot = &mut self.io_index[usize::from(plan.disk.0)][usize::from(plan.io.0)];
                if *slot == Some(index as u32) {
                    *slot = None;
                }
                self.unhold(index as u32);
                self.free_io(index as u32);
            }
        }
    }

    /// An entry that goes must not be tried again when a path is mended or somebody goes on.
    fn unhold(&mut self, index: u32) {
        if let Some(entry) = self.ios[index as usize].entry {
            self.unpark_entry(entry);
        }
    }

    // --- Ghosts ---

    pub(crate) fn ghost(&mut self, disk: DiskId, io: IoId, write: bool, latest: Instant) {
        self.forget_io(disk, io);
        let Ok(state) = self.world.disk(disk).io(io) else { return };
        let host = Host(state.path().0);
        if write && self.tears_neighbours(host, disk, io) {
            let steps = Steps::new().then(self.now, Step::Vanish);
            return self.plan_io(host, disk, io, write, true, steps);
        }
        let planned = self.faults.get(Fault::GhostLands).filter(|_| write);
        let lands = planned.filter(|planned| self.dice.ghosts.one_in(planned.rate));
        let steps = match lands {
            Some(planned) => {
                self.fired.count(Fault::GhostLands);
                let low = self.now.after_micros(planned.lasts.low);
                let high = self.now.after_micros(planned.lasts.high).min(latest).max(self.now);
                let range = Range { low: low.min(high).0, high: high.0 };
                let at = Instant(self.dice.ghosts.within_or_at_an_end(range));
                Steps::new().then(at, Step::Land(Landing::Whole))
            }
            None => {
                let pause = self.dice.ghosts.within(Range::millis(0, 2_000));
                Steps::new().then(self.now.after_micros(pause), Step::Vanish)
            }
        };
        self.plan_io(host, disk, io, write, true, steps);
    }

    /// The disk was in the middle of a write when the power went, and cannot read any more what stood around it.
    fn tears_neighbours(&mut self, host: Host, disk: DiskId, io: IoId) -> bool {
        const PHYSICAL: u64 = 4096;
        let Some(planned) = self.faults.get(Fault::TornNeighbours) else { return false };
        let strikes = planned.hosts >> host.0 & 1 == 1 && self.dice.ghosts.one_in(planned.rate);
        let Ok(state) = self.world.disk(disk).io(io) else { return false };
        let sector = u64::from(self.case.setup.disks[usize::from(disk.0)].sector_size);
        let first = state.start() * sector / PHYSICAL * PHYSICAL;
        if !strikes {
            return false;
        }
        self.fired.count(Fault::TornNeighbours);
        let unreadable: Arc<[u8]> = Arc::from(vec![0xa5; sector as usize]);
        for offset in (first..first + PHYSICAL).step_by(sector as usize) {
            // Where the limits are spent, less is torn.
            let _ = self.act(Action::Edit { disk, offset, bytes: unreadable.clone() });
        }
        true
    }

    // --- Mending ---

    /// The path of a host changed: what waited for it is tried again, each a little later.
    pub(crate) fn release_held(&mut self, host: Host) {
        let held = std::mem::take(&mut self.hosts[usize::from(host.0)].held);
        for entry in held {
            let pause = self.usual_latency();
            self.put(entry, self.now.after_micros(pause));
        }
    }

    /// In the liveness act no step waits any longer than usual.
    pub(crate) fn hurry_ios(&mut self) {
        debug_assert_eq!(self.act, Act::Liveness);
        for index in 0..self.ios.len() {
            let Some(entry) = self.ios[index].entry else { continue };
            let pause = self.dice.healing.within(Range::millis(0, 500));
            let soon = self.now.after_micros(pause);
            for (at, _) in &mut self.ios[index].steps {
                *at = (*at).min(soon);
            }
            if self.agenda.due(entry).is_some_and(|due| due > soon) {
                self.put(entry, soon);
            }
        }
    }
}
