//! Paths of a world without time, walked in the simulator's world, where time passes.
//!
//! While a path waits for something that takes long (a join, a death), every task that has I/O of the resource under
//! way is stalled: a completion that comes before the task runs again is in time, however late it is. So the order of
//! I/Os that the path has is one that the real world has, too, wherever this succeeds.

use super::host::{BallotHost, Client, Flight, FlightOp, Position, Target};
use super::{Ballots, Kind, LEADER, Move, Row};
use crate::action::Action;
use crate::checker::driver::Driver;
use crate::checker::{Lost, Space};
use crate::happening::Sink;
use crate::instant::Instant;
use crate::setup::{Host, LockspaceIx, Process};
use crate::world::{InFlight, World};
use lease_core::format::Sector;
use lease_core::numbers::Span;
use lease_core::seam::{Request, Task, Terms};
use sim_disk::{Ending, Landing, Sampling};
use std::sync::Arc;

/// How many looks at an owner, a second apart, before it is given up that anything comes of them.
const LOOKS: usize = 400;
/// Bytes of a block that land when it is torn: its first numbers are new, the rest and the checksum old.
const TORN: u64 = 16;

/// A path under way.
struct Walk<'a, 'b, S> {
    space: &'a Ballots,
    driver: Driver<'b, S>,
    lockspace: LockspaceIx,
    /// When each host went down.
    down: Vec<Option<Instant>>,
}

impl Ballots {
    pub(super) fn walk<S: Sink>(
        &self,
        start: &Row,
        path: &[Move],
        world: &mut World,
        sink: &mut S,
    ) -> Result<(), Lost> {
        let lockspace = self.ground.setup.resources[0].lockspace;
        let driver = Driver::new(world, sink);
        let mut walk = Walk { space: self, driver, lockspace, down: vec![None; self.here()] };
        let lost = |step: usize| move |why: String| Lost { step, why };
        walk.begin(start).map_err(lost(0))?;
        let mut row = *start;
        for (step, action) in path.iter().enumerate() {
            if walk.driver.world.violation().is_some() {
                return Ok(());
            }
            let next =
                self.next(&row, *action).ok_or_else(|| lost(step)("the space does not go this way".to_owned()))?;
            walk.step(&row, *action, &next).map_err(lost(step))?;
            row = next;
        }
        Ok(())
    }

    fn host_at(&self, row: &Row, host: usize) -> &BallotHost {
        &self.hosts.get(row.parts[host]).host
    }
}

impl<S: Sink> Walk<'_, '_, S> {
    /// Everybody joins and sees everybody alive.
    fn begin(&mut self, start: &Row) -> Result<(), String> {
        for host in 0..self.space.here() {
            self.driver.join(Host(host as u8), self.lockspace)?;
        }
        self.pass(self.renewals(5), &[])?;
        for host in 0..self.space.here() {
            self.sync(host, self.space.host_at(start, host))?;
        }
        Ok(())
    }

    /// So many renewals of the slowest host, and a bit.
    fn renewals(&self, count: u64) -> Span {
        let setup = &self.space.ground.setup;
        let slowest = |host: &crate::setup::HostSetup| {
            let interval = host.config.parameters.renewal_interval;
            host.memberships.iter().map(|it| u64::from(it.io_timeout) * interval).max().unwrap_or(0)
        };
        Span::from_secs(count * (setup.hosts.iter().map(slowest).max().unwrap_or(0) + 2))
    }

    fn pass(&mut self, span: Span, awake: &[(Host, Task)]) -> Result<(), String> {
        self.driver.wait(self.driver.at().after_micros(span.micros()), awake)
    }

    fn step(&mut self, row: &Row, action: Move, next: &Row) -> Result<(), String> {
        let space = self.space;
        let me = usize::from(action.host);
        let host = Host(action.host);
        let before = space.host_at(row, me);
        for other in (0..space.here()).filter(|other| action.sampled_before >> other & 1 == 1) {
            let theirs = space.host_at(row, other);
            let index = theirs.flights.iter().position(|flight| matches!(flight.op, FlightOp::Read(Target::Area, _)));
            let io = self.find(other, theirs, index.ok_or("nobody looks")?)?;
            self.sample(&io, 0, 1)?;
        }
        match action.kind {
            Kind::Io(index) => self.io(row, me, usize::from(index))?,
            Kind::Sample(index) => {
                let io = self.find(me, before, usize::from(index))?;
                self.sample(&io, 0, 1)?;
            }
            Kind::Wake(index) | Kind::TimeOut(index) => {
                let task = before.wakes[usize::from(index)].0;
                self.wake(host, task)?;
            }
            Kind::LateLands | Kind::LateTorn | Kind::LateFails => {
                let index = before.flights.iter().position(|flight| flight.late).ok_or("nothing is late")?;
                let io = self.find(me, before, index)?;
                match action.kind {
                    Kind::LateLands => self.driver.land(io.disk, io.io, Landing::Whole)?,
                    Kind::LateTorn => self.driver.land(io.disk, io.io, Landing::Torn { bytes: TORN })?,
                    _ => {}
                }
                if before.engine.is_some() && !before.flights[index].is_ghost() {
                    let ending =
                        if action.kind == Kind::LateFails { Ending::Refused(super::EIO) } else { Ending::Done };
                    self.driver.act(Action::Complete { disk: io.disk, io: io.io, ending })?;
                }
            }
            Kind::Lose(index) => {
                let FlightOp::Write(position, ..) = before.flights[usize::from(index)].op else {
                    return Err("only writes are lost".to_owned());
                };
                let io = self.find(me, before, usize::from(index))?;
                // The numbers of the path are not those of the world.
                let disk = self.driver.world.disk(io.disk);
                let old = disk.platter().sector(self.at(position) / u64::from(disk.sector_size())).clone();
                self.driver.land(io.disk, io.io, Landing::Whole)?;
                self.edit(position, old)?;
                self.driver.act(Action::Complete { disk: io.disk, io: io.io, ending: Ending::Done })?;
            }
            Kind::Erase => self.edit(Position::Block(action.host), Sector::Zero.encode())?,
            Kind::Initialise => self.edit(Position::Leader, Sector::Leader(space.ground.fresh_leader()).encode())?,
            Kind::Ask => {}
            Kind::Release => {
                let resource = &space.ground.setup.resources[0];
                let name = space.ground.setup.lockspaces[usize::from(self.lockspace.0)].name;
                let request = Request::Release { lockspace: name, resource: resource.name };
                self.driver.act(Action::Ask { host, process: Some(Process(0)), request })?;
            }
            Kind::Crash | Kind::CrashWithGhost(_) => {
                let kept = match action.kind {
                    Kind::CrashWithGhost(index) => Some(self.find(me, before, usize::from(index))?.io),
                    _ => None,
                };
                self.driver.act(Action::PowerLoss { host })?;
                self.down[me] = Some(self.driver.at());
                let ghosts = self.driver.in_flight().into_iter().filter(|io| io.host == host && Some(io.io) != kept);
                for io in ghosts.collect::<Vec<_>>() {
                    self.driver.act(Action::Vanish { disk: io.disk, io: io.io })?;
                }
            }
            Kind::Rejoin => {
                self.down[me] = None;
                self.driver.join(host, self.lockspace)?;
                self.pass(self.renewals(4), &[])?;
            }
        }
        self.sync(me, space.host_at(next, me))
    }

    fn io(&mut self, row: &Row, me: usize, index: usize) -> Result<(), String> {
        let before = self.space.host_at(row, me);
        let io = self.find(me, before, index)?;
        match &before.flights[index].op {
            FlightOp::Write(_, _, landed) => {
                if !landed {
                    self.driver.land(io.disk, io.io, Landing::Whole)?;
                }
            }
            FlightOp::Read(Target::Area, sampled) => {
                // Whoever looks must see for itself that a dead owner is dead.
                let leader = sampled.first().unwrap_or(&self.space.sectors.get(row.parts[LEADER]).sector);
                self.wait_for_death(row, leader)?;
                let io = self.find(me, before, index)?;
                let sectors = self.space.ground.geometry().align() / u64::from(self.space.ground.geometry().sector());
                match sampled.len() {
                    0 => self.sample(&io, 0, sectors)?,
                    _ => self.sample(&io, 1, sectors - 1)?,
                }
            }
            FlightOp::Read(..) => {
                self.driver.act(Action::Sample { disk: io.disk, io: io.io, sampling: Sampling::Whole })?
            }
        }
        self.driver.act(Action::Complete { disk: io.disk, io: io.io, ending: Ending::Done })
    }

    /// A sector gets this content, from nobody.
    fn edit(&mut self, position: Position, bytes: Arc<[u8]>) -> Result<(), String> {
        let offset = self.at(position);
        self.driver.act(Action::Edit { disk: self.space.ground.place().disk, offset, bytes })
    }

    fn wait_for_death(&mut self, row: &Row, leader: &Sector) -> Result<(), String> {
        let Sector::Leader(leader) = leader else { return Ok(()) };
        let owner = self.space.ground.ids.iter().position(|id| *id == leader.owner_id);
        let Some(owner) = owner.filter(|_| !leader.timestamp.is_free()) else { return Ok(()) };
        let theirs = self.space.host_at(row, owner);
        if let Some(since) = self.down[owner].filter(|_| theirs.generation == leader.owner_generation) {
            let setup = &self.space.ground.setup;
            let age = setup
                .hosts
                .iter()
                .zip(&setup.hosts[owner].memberships)
                .map(|(host, member)| host.config.dead_age(u64::from(member.io_timeout)));
            let age = Span::from_secs(age.max().unwrap_or(0) + 2).plus(self.renewals(1));
            let dead = since.after_micros(age.micros());
            if dead > self.driver.at() {
                self.driver.wait(dead, &[])?;
            }
        }
        Ok(())
    }

    fn sample(&mut self, io: &InFlight, from: u64, count: u64) -> Result<(), String> {
        self.driver.act(Action::Sample { disk: io.disk, io: io.io, sampling: Sampling::Sectors { from, count } })
    }

    /// A task is woken at its moment, and no other meanwhile.
    fn wake(&mut self, host: Host, task: Task) -> Result<(), String> {
        // While something else took long, the task may have been woken already: it touches no sector by that, so it makes
        // no difference when, and what it came to is compared afterwards.
        let Some(wake) = self.driver.world.pending_wake(host, task).copied() else { return Ok(()) };
        let moment = wake.from.max(self.driver.at());
        self.driver.wait(moment, &[(host, task)])?;
        // What is due at its last moment may have been done by the wait.
        match self.driver.world.pending_wake(host, task) {
            Some(pending) if pending.from <= moment => self.driver.act(Action::Wake { host, task }),
            _ => Ok(()),
        }
    }

    /// The I/O of the world that a flight of the path stands for: of equal ones, the older are the late ones.
    fn find(&self, host: usize, state: &BallotHost, index: usize) -> Result<InFlight, String> {
        let flight = &state.flights[index];
        let alike = |other: &&Flight| self.offset(other) == self.offset(flight);
        let mut rank: Vec<(bool, usize)> = state
            .flights
            .iter()
            .enumerate()
            .filter(|(_, other)| alike(other))
            .map(|(index, other)| (!other.late, index))
            .collect();
        rank.sort_unstable();
        let nth = rank.iter().position(|(_, other)| *other == index).unwrap_or(0);
        let found = self.of_host(host).into_iter().filter(|io| self.offset_of(io) == self.offset(flight)).nth(nth);
        found.ok_or_else(|| format!("{} has no such I/O: {}", self.space.label(host), self.space.flight_told(flight)))
    }

    fn of_host(&self, host: usize) -> Vec<InFlight> {
        let ours =
            |io: &InFlight| usize::from(io.host.0) == host && matches!(io.task, Task::Worker(_) | Task::Resource);
        self.driver.in_flight().into_iter().filter(ours).collect()
    }

    /// Where an I/O is, how long, and whether it writes.
    fn offset_of(&self, io: &InFlight) -> (u64, u64, bool) {
        let disk = self.driver.world.disk(io.disk);
        let size = u64::from(disk.sector_size());
        let op = disk.io(io.io).expect("it is in flight").op();
        (op.start() * size, op.count() * size, io.write)
    }

    fn at(&self, position: Position) -> u64 {
        let ground = &self.space.ground;
        match position {
            Position::Leader => ground.place().offset,
            Position::Block(host) => {
                ground.place().offset + ground.geometry().block_offset(ground.ids[usize::from(host)])
            }
        }
    }

    fn offset(&self, flight: &Flight) -> (u64, u64, bool) {
        let ground = &self.space.ground;
        let (place, geometry) = (ground.place().offset, ground.geometry());
        let sector = u64::from(geometry.sector());
        match &flight.op {
            FlightOp::Read(Target::Area, _) => (place, geometry.align(), false),
            FlightOp::Read(Target::Blocks, _) => (place, ground.ballot_length(), false),
            FlightOp::Read(Target::Sector(position), _) => (self.at(*position), sector, false),
            FlightOp::Read(Target::Delta(host), _) => (ground.delta_offset(*host), sector, false),
            FlightOp::Write(position, ..) => (self.at(*position), sector, true),
        }
    }

    /// Brings a host of the world to where the path has it: its client asks again, its back-off ends, it looks at an
    /// owner once a second until it has seen what the path's oracle told at once.
    fn sync(&mut self, me: usize, wanted: &BallotHost) -> Result<(), String> {
        let host = Host(me as u8);
        let mut target: Vec<_> = wanted.flights.iter().map(|flight| self.offset(flight)).collect();
        target.sort_unstable();
        for _ in 0..LOOKS {
            if self.driver.world.violation().is_some() || wanted.engine.is_none() {
                return Ok(());
            }
            let mut found: Vec<_> = self.of_host(me).iter().map(|io| self.offset_of(io)).collect();
            found.sort_unstable();
            if found == target {
                return Ok(());
            }
            let extra = self.of_host(me).into_iter().find(|io| !io.write && !target.contains(&self.offset_of(io)));
            if let Some(io) = extra {
                self.driver.act(Action::Sample { disk: io.disk, io: io.io, sampling: Sampling::Whole })?;
                self.driver.act(Action::Complete { disk: io.disk, io: io.io, ending: Ending::Done })?;
                continue;
            }
            let idle =
                self.driver.world.process(host, Process(0)).is_some_and(|it| it.waiting == 0 && it.uses.is_empty());
            if wanted.client == Client::Acquiring && idle {
                let resource = &self.space.ground.setup.resources[0];
                let name = self.space.ground.setup.lockspaces[usize::from(self.lockspace.0)].name;
                let request = Request::Acquire {
                    lockspace: name,
                    resource: resource.name,
                    place: resource.place,
                    terms: Terms::default(),
                };
                self.driver.act(Action::Ask { host, process: Some(Process(0)), request })?;
                continue;
            }
            let awaited = |task: Task| self.of_host(me).iter().any(|io| io.task == task);
            let waiting = [Task::Worker(0), Task::Resource]
                .into_iter()
                .find(|task| self.driver.world.pending_wake(host, *task).is_some() && !awaited(*task));
            match waiting {
                Some(task) => self.wake(host, task)?,
                None => break,
            }
        }
        Err(format!("{} of the simulator's world does not come to where the path has it", self.space.label(me)))
    }
}
