//! The shared disk as these worlds need it: the delta leases of the host ids in use, and the leader and the host blocks of
//! the one resource. Everything else on it is as it was formatted, and nobody writes there.

use crate::setup::Setup;
use lease_core::format::{DeltaLease, HostBlock, Leader, Sector, SectorKind, init};
use lease_core::numbers::{Generation, HostId, Numbers, Stamp};
use lease_core::seam::ReadData;
use std::sync::Arc;

/// The most host ids in use.
pub(super) const SLOTS: usize = 3;

/// Where things lie, and what lies where nobody writes.
#[derive(Debug)]
pub(super) struct Layout {
    /// The host ids in use, ascending.
    pub(super) slots: Vec<HostId>,
    /// Byte offset and length of the lockspace, and of the resource if there is one.
    space: (u64, u64),
    resource: Option<(u64, u64)>,
    /// Bytes of a sector.
    unit: u32,
    fresh: Arc<[u8]>,
}

/// What stands in the sectors that are written: one of each slot, then the resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Disk {
    pub(super) leases: [Sector; SLOTS],
    pub(super) resource: Resource,
}

/// Leader and host blocks. Without a resource: nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Resource {
    pub(super) leader: Sector,
    pub(super) blocks: [HostBlock; SLOTS],
}

impl Layout {
    pub(super) fn new(setup: &Setup, with_resource: bool) -> (Layout, Disk) {
        let space = &setup.lockspaces[0];
        let unit = space.geometry.sector();
        let ids = setup.hosts.iter().map(|host| host.memberships[0].host_id);
        let mut slots: Vec<HostId> = ids.collect();
        slots.sort_unstable();
        slots.dedup();
        assert!(slots.len() <= SLOTS, "a world of these has at most {SLOTS} host ids");
        assert_eq!(setup.disks[0].sector_size, unit, "the disk has the sectors of its areas");
        let fresh = DeltaLease::fresh(space.geometry, space.name, space.io_timeout);
        let lease = Sector::Delta { lease: fresh.clone(), bitmap: Box::new(lease_core::format::Bitmap::EMPTY) };
        let area = with_resource.then(|| &setup.resources[0]);
        let leader = area.map_or(Sector::Zero, |area| {
            let runs = init::resource(area.geometry, space.name, area.name, area.num_hosts);
            Sector::decode(SectorKind::Leader, &runs[0].1, unit)
        });
        let layout = Layout {
            slots,
            space: (space.place.offset, space.geometry.align()),
            resource: area.map(|area| (area.place.offset, area.geometry.align())),
            unit,
            fresh: fresh.sector(&lease_core::format::Bitmap::EMPTY),
        };
        let blocks = [HostBlock::default(); SLOTS];
        let leases = std::array::from_fn(|slot| if slot < layout.slots.len() { lease.clone() } else { Sector::Zero });
        (layout, Disk { leases, resource: Resource { leader, blocks } })
    }

    /// The slot of a host id.
    pub(super) fn slot(&self, host: HostId) -> Option<usize> {
        self.slots.iter().position(|slot| *slot == host)
    }

    /// The slots whose delta leases lie within `length` bytes of the lockspace from `offset` on.
    pub(super) fn slots_in(&self, offset: u64, length: u64) -> impl Iterator<Item = usize> {
        let unit = u64::from(self.unit);
        let sectors = (offset - self.space.0) / unit..(offset - self.space.0 + length) / unit;
        (0..self.slots.len()).filter(move |slot| sectors.contains(&(self.slots[*slot].0 - 1)))
    }

    /// Whether an offset lies in the resource.
    pub(super) fn is_resource(&self, offset: u64) -> bool {
        self.resource.is_some_and(|(start, length)| (start..start + length).contains(&offset))
    }

    /// What a read of `length` bytes gives.
    pub(super) fn read(&self, disk: &Disk, offset: u64, length: u64) -> ReadData {
        let unit = u64::from(self.unit);
        let mut runs: Vec<(u32, Arc<[u8]>)> = Vec::new();
        let mut push = |count: u64, bytes: Arc<[u8]>| match runs.last_mut() {
            Some((known, last)) if *last == bytes => *known += count as u32,
            _ => runs.push((count as u32, bytes)),
        };
        let (start, in_resource) = match self.resource {
            Some((start, _)) if self.is_resource(offset) => (start, true),
            _ => (self.space.0, false),
        };
        let (mut index, end) = ((offset - start) / unit, (offset - start + length) / unit);
        // Behind the last host id in use, all is alike up to the end of what the area holds.
        let last_used = self.slots.last().map_or(0, |host| host.0 + 2);
        while index < end {
            let bytes = if in_resource { self.in_resource(disk, index) } else { self.in_space(disk, index) };
            let count = if index > last_used { end - index } else { 1 };
            push(count, bytes);
            index += count;
        }
        ReadData { unit: self.unit, runs }
    }

    fn in_space(&self, disk: &Disk, index: u64) -> Arc<[u8]> {
        match self.slot(HostId(index + 1)) {
            Some(slot) => disk.leases[slot].encode(),
            None => self.fresh.clone(),
        }
    }

    fn in_resource(&self, disk: &Disk, index: u64) -> Arc<[u8]> {
        match index {
            0 => disk.resource.leader.encode(),
            1 => Arc::default(),
            _ => match self.slot(HostId(index - 1)) {
                Some(slot) => disk.resource.blocks[slot].sector(),
                None => Arc::default(),
            },
        }
    }

    /// What a write to this offset holds, and where it goes.
    pub(super) fn written(&self, offset: u64, bytes: &[u8]) -> (Place, Sector) {
        let unit = u64::from(self.unit);
        if self.is_resource(offset) {
            let index = (offset - self.resource.expect("it lies there").0) / unit;
            let kind = if index == 0 { SectorKind::Leader } else { SectorKind::HostBlock(HostId(index - 1)) };
            let place = match index {
                0 => Place::Leader,
                _ => Place::Block(self.slot(HostId(index - 1)).expect("a host writes its own block")),
            };
            return (place, Sector::decode(kind, bytes, self.unit));
        }
        let host = HostId((offset - self.space.0) / unit + 1);
        let slot = self.slot(host).expect("a host writes its own delta lease");
        (Place::Lease(slot), Sector::decode(SectorKind::Delta(host), bytes, self.unit))
    }
}

/// A sector that is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Lease(usize),
    Leader,
    Block(usize),
}

impl Disk {
    pub(super) fn write(&mut self, place: Place, sector: Sector) {
        match (place, sector) {
            (Place::Lease(slot), sector @ Sector::Delta { .. }) => self.leases[slot] = sector,
            (Place::Leader, sector @ Sector::Leader(_)) => self.resource.leader = sector,
            (Place::Block(slot), Sector::HostBlock(block)) => self.resource.blocks[slot] = block,
            (Place::Block(slot), Sector::Zero) => self.resource.blocks[slot] = HostBlock::default(),
            (place, sector) => panic!("{sector:?} was written to {place:?}"),
        }
    }
}

impl Resource {
    /// The leader record, where there is a resource.
    pub(super) fn leader(&self) -> Option<&Leader> {
        match &self.leader {
            Sector::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// Wipes out what no acquire looks at once all I/O of the resource is over.
    ///
    /// Ballots are only held for versions beyond the leader's, and no block is: so what blocks say is over. The one
    /// exception, the owner's block where somebody else wrote the leader, needs a ballot that another host finished.
    /// A free leader only says that it is free, and which version was last.
    pub(super) fn forget(&mut self) {
        let Sector::Leader(leader) = &mut self.leader else { return };
        if leader.timestamp.is_free() {
            (leader.owner_id, leader.write_id) = (HostId::NONE, HostId::NONE);
            (leader.owner_generation, leader.write_generation) = (Generation(0), Generation(0));
            leader.write_timestamp = Stamp::FREE;
        }
        if leader.write_id == leader.owner_id {
            self.blocks = [HostBlock::default(); SLOTS];
        }
    }

    /// Whether any block says something.
    pub(super) fn has_blocks(&self) -> bool {
        self.blocks.iter().any(|block| *block != HostBlock::default())
    }

    pub(super) fn visit(&mut self, slots: &[HostId], numbers: &mut dyn Numbers) {
        if self.leader == Sector::Zero {
            return;
        }
        self.leader.visit_at(SectorKind::Leader, numbers);
        for (block, host) in self.blocks.iter_mut().zip(slots) {
            block.visit_of(*host, numbers);
        }
    }
}
