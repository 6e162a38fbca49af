//! A write at the moment of its issue, decoded once for all who judge it.

use super::facts::{Area, Facts, Spot};
use crate::happening::Happening;
use crate::setup::{Host, LockspaceIx};
use lease_core::format::{Sector, SectorKind};
use lease_core::seam::{DiskId, Task};

/// A write that was just issued.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) host: Host,
    pub(super) task: Task,
    pub(super) disk: DiskId,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// What is there; `None` outside all areas.
    pub(super) spot: Option<Spot>,
    /// The lockspace of the area.
    pub(super) lockspace: Option<LockspaceIx>,
    /// What is written, read by its place.
    pub(super) sector: Sector,
}

impl Written {
    pub(super) fn of(happening: &Happening, facts: &Facts<'_>) -> Option<Written> {
        let Happening::WriteIssued { host, task, disk, offset, length, bytes, .. } = happening else { return None };
        let spot = facts.spot(*disk, *offset);
        let kind = spot.map_or(SectorKind::Unused, |spot| spot.kind);
        let lockspace = spot.map(|spot| match spot.area {
            Area::Lockspace(lockspace) => lockspace,
            Area::Resource(resource) => facts.resource(resource).lockspace,
        });
        let size = spot.map_or(*length as u32, |spot| spot.geometry.sector());
        let sector = Sector::decode(kind, bytes, size);
        Some(Written {
            host: *host,
            task: *task,
            disk: *disk,
            offset: *offset,
            length: *length,
            spot,
            lockspace,
            sector,
        })
    }

    /// The area in words.
    pub(super) fn place(&self, facts: &Facts<'_>) -> String {
        match self.spot.map(|spot| spot.area) {
            Some(Area::Lockspace(lockspace)) => format!("lockspace {}", facts.lockspace_name(lockspace)),
            Some(Area::Resource(resource)) => format!("resource {}", facts.resource_name(resource)),
            None if facts.setup.index_at(self.disk, self.offset).is_some() => "an index".to_string(),
            None => "no area at all".to_string(),
        }
    }
}
