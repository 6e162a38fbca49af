//! Every number of a world that grows, for whoever renames them.
//!
//! Host times belong to one host each, and records on disk to none: so there are visits of one host and of one disk, and
//! one of all. Moments of true time are the world's own; they are shown apart.

use super::World;
use crate::instant::Instant;
use crate::setup::{Area, Host, Setup};
use lease_core::format::{Sector, SectorKind};
use lease_core::numbers::{Numbers, Visit};
use lease_core::seam::DiskId;

impl World {
    /// Shows each number that lives on a host: its clock, engine, pending wakes, wdmd's table, what its processes were
    /// told, and what waits for its main loop.
    pub fn visit_host(&mut self, host: Host, numbers: &mut dyn Numbers) {
        let index = usize::from(host.0);
        numbers.time(&mut self.clocks[index].from_host);
        let state = &mut self.hosts[index];
        if let Some(engine) = &mut state.engine {
            engine.visit(numbers);
        }
        state.wakes.visit(numbers);
        if let Some(wdmd) = &mut state.wdmd {
            wdmd.visit(numbers);
        }
        for process in state.processes.iter_mut().flatten() {
            for used in &mut process.uses {
                numbers.lver(&mut used.lver);
            }
        }
        // The inbox holds requests, exits and answers of wdmd: nothing in them grows.
    }

    /// Shows each number in the records of a disk: on its platters, in what is remembered of it, and in flight.
    pub fn visit_disk(&mut self, disk: DiskId, numbers: &mut dyn Numbers) {
        let setup = &self.setup;
        let disk_ref = &mut self.disks[usize::from(disk.0)];
        let size = disk_ref.sector_size();
        disk_ref.rewrite(&mut |first, bytes| {
            if bytes.is_empty() {
                return None;
            }
            let kind = kind_at(setup, disk, first * u64::from(size))?;
            let before = Sector::decode(kind, bytes, size);
            let mut after = before.clone();
            after.visit_at(kind, numbers);
            (after != before).then(|| after.encode())
        });
    }

    /// Shows each moment of true time: the present, and whatever else refers to it.
    pub fn visit_instants(&mut self, instants: &mut dyn FnMut(&mut Instant)) {
        instants(&mut self.now);
        for clock in &mut self.clocks {
            instants(&mut clock.from_true);
        }
        for table in &mut self.ios {
            for issued in table.iter_mut() {
                issued.visit_instants(instants);
            }
        }
        for state in &mut self.hosts {
            state.device.visit_instants(instants);
            for (_, since) in &mut state.stalled {
                instants(since);
            }
            for wake in state.wakes.iter_mut() {
                instants(&mut wake.from);
                instants(&mut wake.until);
            }
            if state.horizon.1.is_some() {
                instants(&mut state.horizon.0);
            }
        }
    }
}

impl Visit for World {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for host in self.hosts() {
            self.visit_host(host, numbers);
        }
        for index in 0..self.disks.len() {
            self.visit_disk(DiskId(index as u8), numbers);
        }
    }
}

/// What the record that begins at this byte is meant to hold; none if no record begins there. Where a disk has smaller
/// sectors than the area, all numbers of a record lie in the first of them.
fn kind_at(setup: &Setup, disk: DiskId, offset: u64) -> Option<SectorKind> {
    let (area, kind) = setup.record_at(disk, offset)?;
    let (start, geometry) = match area {
        Area::Lockspace(ix) => {
            let space = &setup.lockspaces[usize::from(ix.0)];
            (space.place.offset, space.geometry)
        }
        Area::Resource(ix) => {
            let resource = &setup.resources[usize::from(ix.0)];
            (resource.place.offset, resource.geometry)
        }
    };
    (offset - start).is_multiple_of(u64::from(geometry.sector())).then_some(kind)
}
