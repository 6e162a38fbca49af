//! Leads the simulator's world along a path of a space, and fills in what the space left out: everything that nobody
//! chose goes well and at once.

use crate::action::{Action, Part};
use crate::happening::Sink;
use crate::illegal::Due;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx, Process};
use crate::world::{InFlight, World};
use lease_core::numbers::Span;
use lease_core::seam::{DiskId, Request, Task};
use sim_disk::{Ending, IoId, Landing, Sampling};

/// How long a healthy I/O takes, and a choice after another.
const STEP: Span = Span::from_millis(1);

/// A world under way.
pub(super) struct Driver<'a, S> {
    pub(super) world: &'a mut World,
    pub(super) sink: &'a mut S,
    /// The present: not before the world's own.
    at: Instant,
}

impl<'a, S: Sink> Driver<'a, S> {
    pub(super) fn new(world: &'a mut World, sink: &'a mut S) -> Driver<'a, S> {
        let at = world.now();
        Driver { world, sink, at }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Chooses an action a moment later; what has become due until then is done before.
    pub(super) fn act(&mut self, action: Action) -> Result<(), String> {
        self.until(self.at.after_micros(STEP.micros()))?;
        self.now(&action)
    }

    fn now(&mut self, action: &Action) -> Result<(), String> {
        if self.world.violation().is_some() {
            return Ok(());
        }
        self.world.step(self.at, action, self.sink).map_err(|why| format!("{action:?} is not possible: {why}"))
    }

    /// Lets time pass: what is due is done at its last moment, and the I/O of lockspace threads and main loops runs
    /// through.
    pub(super) fn until(&mut self, to: Instant) -> Result<(), String> {
        while self.world.violation().is_none() {
            let own = |io: &InFlight| !io.ghost && matches!(io.task, Task::Lockspace(_) | Task::Main);
            if let Some(io) = self.in_flight().into_iter().find(own) {
                self.at = self.at.after_micros(STEP.micros()).min(self.world.horizon().0);
                self.run_through(&io)?;
                continue;
            }
            let (moment, due) = self.world.horizon();
            if moment > to {
                break;
            }
            self.at = self.at.max(moment);
            match due {
                Some(Due::Wake { host, task }) => self.now(&Action::Wake { host, task })?,
                Some(Due::Test { host }) => self.now(&Action::Test { host })?,
                Some(Due::Fire { host }) => self.now(&Action::Fire { host })?,
                _ => return Err(format!("at {moment} something is due that has no action")),
            }
        }
        self.at = self.at.max(to);
        Ok(())
    }

    /// Everything in flight, oldest first.
    pub(super) fn in_flight(&self) -> Vec<InFlight> {
        let disks = 0..self.world.disks().len();
        let mut all: Vec<InFlight> = disks.flat_map(|disk| self.world.in_flight(DiskId(disk as u8))).collect();
        all.sort_by_key(|io| (io.since, io.disk, io.io));
        all
    }

    /// An I/O lands or is sampled, and completes.
    pub(super) fn run_through(&mut self, io: &InFlight) -> Result<(), String> {
        let InFlight { disk, io: id, .. } = *io;
        match io.write {
            true => self.now(&Action::Land { disk, io: id, landing: Landing::Whole })?,
            false => self.now(&Action::Sample { disk, io: id, sampling: Sampling::Whole })?,
        }
        self.now(&Action::Complete { disk, io: id, ending: Ending::Done })
    }

    /// Time passes for long, and no task that waits for I/O of a resource runs meanwhile, but for those named.
    pub(super) fn wait(&mut self, to: Instant, awake: &[(Host, Task)]) -> Result<(), String> {
        let of_resource = |task: Task| matches!(task, Task::Worker(_) | Task::Resource);
        let waiting = self.in_flight().into_iter().filter(|io| !io.ghost).map(|io| (io.host, io.task));
        let mut tasks: Vec<(Host, Task)> = waiting.collect();
        for host in self.world.hosts() {
            tasks.extend(self.world.pending_wakes(host).map(|wake| (host, wake.task)));
        }
        tasks.retain(|(host, task)| of_resource(*task) && !awake.contains(&(*host, *task)));
        tasks.sort_unstable();
        tasks.dedup();
        let mut stalled: Vec<(Host, Part)> = tasks.into_iter().map(|(host, task)| (host, Part::Task(task))).collect();
        stalled.retain(|(host, part)| self.world.stalled_since(*host, *part).is_none());
        for (host, part) in &stalled {
            self.now(&Action::Stall { host: *host, part: *part })?;
        }
        self.until(to)?;
        for (host, part) in &stalled {
            if self.world.is_up(*host) {
                self.now(&Action::Resume { host: *host, part: *part })?;
            }
        }
        Ok(())
    }

    /// A host is switched on, its agent joins the lockspace, and its client starts.
    pub(super) fn join(&mut self, host: Host, lockspace: LockspaceIx) -> Result<(), String> {
        self.act(Action::PowerOn { host })?;
        let setup = self.world.setup().clone();
        let member = setup.hosts[usize::from(host.0)].memberships.iter().find(|it| it.lockspace == lockspace);
        let member = *member.ok_or("a host is not to be in the lockspace")?;
        let space = &setup.lockspaces[usize::from(lockspace.0)];
        let request = Request::AddLockspace {
            name: space.name,
            host_id: member.host_id,
            place: space.place,
            io_timeout: member.io_timeout,
        };
        self.act(Action::Ask { host, process: None, request })?;
        self.act(Action::Spawn { host, process: Process(0) })
    }

    pub(super) fn land(&mut self, disk: DiskId, io: IoId, landing: Landing) -> Result<(), String> {
        self.act(Action::Land { disk, io, landing })
    }
}
