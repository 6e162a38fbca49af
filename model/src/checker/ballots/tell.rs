//! States and moves in words.

use super::host::{Client, Flight, FlightOp, Position, Target};
use super::{Ballots, HostPart, Kind, LEADER, Move, Row};
use lease_core::format::{HostBlock, Leader, Sector};
use lease_core::numbers::HostId;
use lease_core::seam::Task;
use std::fmt::Write;

impl Ballots {
    pub(super) fn label(&self, host: usize) -> &str {
        &self.ground.setup.hosts[host].label
    }

    fn label_of(&self, id: HostId) -> String {
        match self.ground.ids.iter().position(|known| *known == id) {
            Some(host) => self.label(host).to_owned(),
            None => "nobody".to_owned(),
        }
    }

    fn place_told(&self, position: Position) -> String {
        match position {
            Position::Leader => "the leader".to_owned(),
            Position::Block(host) => format!("{}'s block", self.label(usize::from(host))),
        }
    }

    fn leader_told(&self, leader: &Leader) -> String {
        let owner = self.label_of(leader.owner_id);
        let life = leader.owner_generation;
        let writer = self.label_of(leader.write_id);
        match leader.timestamp.is_free() {
            true => format!("version {}: free, written by {writer}", leader.lver),
            false => format!("version {}: {owner} (life {life}), written by {writer}", leader.lver),
        }
    }

    fn block_told(&self, block: &HostBlock) -> String {
        let stride = self.ground.stride;
        let mut text = format!("version {}, ballot {}.{}", block.lver, block.mbal.0 / stride, block.mbal.0 % stride);
        if block.bal.0 != 0 {
            let (round, host) = (block.bal.0 / stride, block.bal.0 % stride);
            let _ = write!(text, ", voted {round}.{host} for {} (life {})", self.label_of(block.inp), block.inp2);
        }
        if block.released() {
            text.push_str(", RELEASED");
        }
        text
    }

    pub(super) fn sector_told(&self, sector: &Sector) -> String {
        match sector {
            Sector::Zero => "never written".to_owned(),
            Sector::Leader(leader) => self.leader_told(leader),
            Sector::HostBlock(block) => self.block_told(block),
            Sector::Delta { lease, .. } => {
                format!("{} (life {})", self.label_of(lease.owner_id), lease.owner_generation)
            }
            _ => "damaged".to_owned(),
        }
    }

    pub(super) fn flight_told(&self, flight: &Flight) -> String {
        let task = match flight.task {
            Task::Resource => "in the background, ",
            _ => "",
        };
        let late = if flight.late { "late, " } else { "" };
        let op = match &flight.op {
            FlightOp::Read(Target::Area, sampled) => match sampled.first() {
                None => "looks at leader and blocks".to_owned(),
                Some(leader) => format!("looks at leader and blocks, has seen {}", self.sector_told(leader)),
            },
            FlightOp::Read(Target::Blocks, _) => "reads the blocks for its ballot".to_owned(),
            FlightOp::Read(Target::Sector(position), _) => format!("reads {}", self.place_told(*position)),
            FlightOp::Read(Target::Delta(host), _) => {
                format!("reads the delta lease of {}", self.label(usize::from(*host)))
            }
            FlightOp::Write(position, sector, landed) => {
                let landed = if *landed { " (landed)" } else { "" };
                format!("writes {}{landed}: {}", self.place_told(*position), self.sector_told(sector))
            }
        };
        format!("{task}{late}{op}")
    }

    fn host_told(&self, me: usize, part: &HostPart) -> String {
        let host = &part.host;
        let mut text = format!("{} (host id {}, life {}): ", self.label(me), self.ground.ids[me], host.generation);
        if host.engine.is_none() {
            text.push_str("down");
        } else {
            match host.client {
                Client::Idle => text.push_str("its client is idle"),
                Client::Acquiring => text.push_str("its client asks for the resource"),
                Client::Holding(lver) => {
                    let _ = write!(text, "its client USES the resource, version {lver}");
                }
                Client::Releasing => text.push_str("its client gives the resource back"),
            }
            if let Some(left) = host.acquires {
                let _ = write!(text, ", {left} more to ask");
            }
        }
        for flight in &host.flights {
            let _ = write!(text, "\n    {}", self.flight_told(flight));
        }
        text
    }

    pub(super) fn told(&self, row: &Row) -> String {
        let mut lines: Vec<String> =
            self.hosts_of(&row.parts).enumerate().map(|(me, part)| self.host_told(me, part)).collect();
        for place in LEADER..=LEADER + self.here() {
            let position = Ballots::position(place);
            let sector = &self.sectors.get(row.parts[place]).sector;
            lines.push(format!("{}: {}", self.place_told(position), self.sector_told(sector)));
        }
        if let Some(broken) = self.broken(row) {
            let name = broken.property.map_or("panic", |property| property.id());
            lines.push(format!("{name}: {}", broken.what));
        }
        lines.join("\n")
    }

    pub(super) fn told_move(&self, row: &Row, action: Move) -> String {
        let me = usize::from(action.host);
        let label = self.label(me);
        let host = &self.hosts.get(row.parts[me]).host;
        let late = || host.late_write().map_or_else(String::new, |flight| self.flight_told(flight));
        match action.kind {
            Kind::Io(index) => {
                let flight = &host.flights[usize::from(index)];
                let what = match &flight.op {
                    FlightOp::Read(Target::Area, sampled) if sampled.is_empty() && self.ground.eager => {
                        let leader = self.sector_told(&self.sectors.get(row.parts[LEADER]).sector);
                        format!("has looked at leader and blocks: {leader}")
                    }
                    FlightOp::Read(Target::Area, sampled) if sampled.is_empty() => {
                        format!("samples the leader: {}", self.sector_told(&self.sectors.get(row.parts[LEADER]).sector))
                    }
                    FlightOp::Read(Target::Area, _) => "samples the blocks, and has looked".to_owned(),
                    _ => self.flight_told(flight),
                };
                let before = (0..self.here()).filter(|other| action.sampled_before >> other & 1 == 1);
                let before = before.map(|other| format!("{} has seen the leader; then ", self.label(other)));
                format!("{}{label} {what}", before.collect::<String>())
            }
            Kind::Sample(_) => format!("{label} samples the leader"),
            Kind::Wake(index) => match host.wakes[usize::from(index)].0 {
                Task::Resource => format!("{label}: time passes, and the release is tried again"),
                _ => format!("{label}: time passes, and it goes on"),
            },
            Kind::TimeOut(index) => {
                let task = host.wakes[usize::from(index)].0;
                let flight = host.flights.iter().find(|flight| flight.task == task && !flight.late);
                let what = flight.map_or_else(String::new, |flight| self.flight_told(flight));
                format!("{label} gives up waiting: {what}")
            }
            Kind::LateLands => format!("{label}'s write lands: {}", late()),
            Kind::LateTorn => format!("{label}'s write lands torn: {}", late()),
            Kind::LateFails => format!("{label}'s write fails at last: {}", late()),
            Kind::Lose(index) => {
                format!(
                    "the disk loses what {label} has written: {}",
                    self.flight_told(&host.flights[usize::from(index)])
                )
            }
            Kind::Erase => format!("somebody erases {label}'s block"),
            Kind::Initialise => "somebody writes a new leader".to_owned(),
            Kind::Ask => format!("{label}'s client asks for the resource"),
            Kind::Release => format!("{label}'s client gives the resource back"),
            Kind::Crash => format!("{label} loses its power"),
            Kind::CrashWithGhost(index) => {
                let flight = self.flight_told(&host.flights[usize::from(index)]);
                format!("{label} loses its power; still on its way: {flight}")
            }
            Kind::Rejoin => format!("{label} boots and joins again"),
        }
    }
}
