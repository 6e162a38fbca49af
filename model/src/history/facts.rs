//! What the history may look at beside the happenings: the world's own truth, which no host can see whole.

use crate::clock::HostClock;
use crate::instant::Instant;
use crate::limits::Limits;
use crate::setup::{Host, LockspaceIx, LockspaceSetup, ResourceIx, ResourceSetup, Setup};
use lease_core::format::{DeltaLease, Geometry, HostBlock, Leader, Name, SectorKind};
use lease_core::numbers::{HostId, Time};
use lease_core::seam::DiskId;
use sim_disk::{Disk, PathId};
use std::borrow::Cow;

/// The world as it is at the moment of a happening, after it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the world was built from.
    pub setup: &'a Setup,
    /// The fault model of the run.
    pub limits: &'a Limits,
    /// The disks, by [`DiskId`]. Path `h` of each is host `h`'s.
    pub disks: &'a [Disk],
    /// The clocks, by host.
    pub clocks: &'a [HostClock],
}

/// What a place on a disk is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Spot {
    pub(super) area: Area,
    pub(super) kind: SectorKind,
    pub(super) geometry: Geometry,
    /// Whether the place is where a sector begins.
    pub(super) aligned: bool,
}

/// An area that was set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Area {
    Lockspace(LockspaceIx),
    Resource(ResourceIx),
}

impl<'a> Facts<'a> {
    /// What a host's clock shows.
    pub(super) fn now(&self, host: Host, at: Instant) -> Time {
        self.clocks[usize::from(host.0)].at(at)
    }

    /// The first moment at which a host's clock shows `time`.
    pub(super) fn when(&self, host: Host, time: Time) -> Instant {
        self.clocks[usize::from(host.0)].first_showing(time)
    }

    pub(super) fn label(&self, host: Host) -> &'a str {
        &self.setup.hosts[usize::from(host.0)].label
    }

    pub(super) fn lockspace(&self, lockspace: LockspaceIx) -> &'a LockspaceSetup {
        &self.setup.lockspaces[usize::from(lockspace.0)]
    }

    pub(super) fn resource(&self, resource: ResourceIx) -> &'a ResourceSetup {
        &self.setup.resources[usize::from(resource.0)]
    }

    pub(super) fn lockspace_named(&self, name: &Name) -> Option<LockspaceIx> {
        let found = self.setup.lockspaces.iter().position(|lockspace| lockspace.name.same(name))?;
        Some(LockspaceIx(found as u8))
    }

    pub(super) fn resource_named(&self, lockspace: &Name, name: &Name) -> Option<ResourceIx> {
        let lockspace = self.lockspace_named(lockspace)?;
        let is_it = |resource: &ResourceSetup| resource.lockspace == lockspace && resource.name.same(name);
        Some(ResourceIx(self.setup.resources.iter().position(is_it)? as u8))
    }

    /// The area around a byte of a disk, and what that byte is for.
    pub(super) fn spot(&self, disk: DiskId, offset: u64) -> Option<Spot> {
        let (area, geometry, start) = if let Some(found) = self.setup.lockspace_at(disk, offset) {
            let lockspace = self.lockspace(found);
            (Area::Lockspace(found), lockspace.geometry, lockspace.place.offset)
        } else {
            let found = self.setup.resource_at(disk, offset)?;
            let resource = self.resource(found);
            (Area::Resource(found), resource.geometry, resource.place.offset)
        };
        let size = u64::from(geometry.sector());
        let (index, aligned) = ((offset - start) / size, (offset - start).is_multiple_of(size));
        let kind = match area {
            Area::Lockspace(_) if index < geometry.max_hosts() => SectorKind::Delta(HostId(index + 1)),
            Area::Resource(_) if index == 0 => SectorKind::Leader,
            Area::Resource(_) if index == 1 => SectorKind::Request,
            Area::Resource(_) if index < geometry.max_hosts() + 2 => SectorKind::HostBlock(HostId(index - 1)),
            Area::Resource(_) if offset - start == geometry.lvb_offset() => SectorKind::Lvb,
            _ => SectorKind::Unused,
        };
        Some(Spot { area, kind, geometry, aligned })
    }

    /// The bytes at a place, as this host would read them now, up to the end of the disk's sector.
    pub(super) fn bytes(&self, host: Host, disk: DiskId, offset: u64) -> Option<&'a [u8]> {
        let disk = self.disks.get(usize::from(disk.0))?;
        let platter = disk.platter_of(PathId(host.0)).unwrap_or_else(|_| disk.platter());
        let size = u64::from(platter.sector_size());
        if offset / size >= platter.sectors() {
            return None;
        }
        Some(platter.sector(offset / size).get((offset % size) as usize..).unwrap_or_default())
    }

    /// The delta lease of a host id as `host` would read it, if it is intact.
    pub(super) fn delta(&self, host: Host, lockspace: LockspaceIx, id: HostId) -> Option<DeltaLease> {
        let lockspace = self.lockspace(lockspace);
        let offset = lockspace.place.offset + lockspace.geometry.delta_offset(id);
        DeltaLease::read(self.bytes(host, lockspace.place.disk, offset)?, &lockspace.name).ok()
    }

    /// The leader of a resource as `host` would read it, if it is intact.
    pub(super) fn leader(&self, host: Host, resource: ResourceIx) -> Option<Leader> {
        let resource = self.resource(resource);
        let space = &self.lockspace(resource.lockspace).name;
        let bytes = self.bytes(host, resource.place.disk, resource.place.offset)?;
        Leader::read(bytes, space, &resource.name, HostId::NONE).ok()
    }

    /// The block of a host id in a resource as `host` would read it, if it is intact.
    pub(super) fn block(&self, host: Host, resource: ResourceIx, id: HostId) -> Option<HostBlock> {
        let resource = self.resource(resource);
        let offset = resource.place.offset + resource.geometry.block_offset(id);
        HostBlock::read(self.bytes(host, resource.place.disk, offset)?).ok()
    }

    /// The value of a resource as `host` would read it, without trailing zeros.
    pub(super) fn value(&self, host: Host, resource: ResourceIx) -> Option<&'a [u8]> {
        let resource = self.resource(resource);
        let offset = resource.place.offset + resource.geometry.lvb_offset();
        let bytes = self.bytes(host, resource.place.disk, offset)?;
        let bytes = bytes.get(..resource.geometry.sector() as usize).unwrap_or(bytes);
        Some(&bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)])
    }

    /// A process in words.
    pub(super) fn process(&self, host: Host, process: crate::setup::Process) -> String {
        format!("process {} of {}", process.0, self.label(host))
    }

    pub(super) fn lockspace_name(&self, lockspace: LockspaceIx) -> Cow<'a, str> {
        text(&self.lockspace(lockspace).name)
    }

    pub(super) fn resource_name(&self, resource: ResourceIx) -> Cow<'a, str> {
        text(&self.resource(resource).name)
    }
}

fn text(name: &Name) -> Cow<'_, str> {
    String::from_utf8_lossy(name.text())
}
