//! Fresh areas: what initialising a lockspace, a resource or an index writes, as runs of equal sectors.

use super::bytes::trimmed;
use super::{DeltaLease, Geometry, Leader, Name, RINDEX_LEASE, RequestRecord, RindexHeader, magic};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// The sectors of an area, in order: how many equal ones follow each other, and their bytes without trailing zeros.
pub type Runs = Vec<(u32, Arc<[u8]>)>;

/// A lockspace is initialised by two writes. The first is the whole area, whose first record bears magic 0, so that
/// nobody joins yet; the second is sector 0 with the right magic, which commits.
pub fn lockspace(geometry: Geometry, name: Name, io_timeout: u16) -> (Runs, Arc<[u8]>) {
    let lease = DeltaLease::fresh(geometry, name, io_timeout);
    let record = trimmed(&lease.encode());
    let mut area: Runs = vec![
        (1, trimmed(&lease.encode_as(0))),
        (count(geometry.max_hosts() - 1), record.clone()),
        (count(geometry.sectors() - geometry.max_hosts()), Arc::default()),
    ];
    area.retain(|(count, _)| *count > 0);
    (area, record)
}

/// A resource is initialised by one write of the whole area: a free leader, an empty request, and zeros. A `num_hosts`
/// of 0 or beyond what the geometry has room for means all.
pub fn resource(geometry: Geometry, space: Name, resource: Name, num_hosts: u64) -> Runs {
    vec![
        (1, Leader::fresh(geometry, space, resource, num_hosts).sector()),
        (1, RequestRecord::FRESH.sector()),
        (count(geometry.sectors() - 2), Arc::default()),
    ]
}

/// A resource that is cleared at second `write_timestamp` of the writer's clock: a fresh area under another magic, so
/// that everybody finds no lease there.
pub fn cleared(
    geometry: Geometry,
    space: Name,
    resource: Name,
    num_hosts: u64,
    write_timestamp: crate::numbers::Stamp,
) -> Runs {
    let leader = Leader { write_timestamp, ..Leader::fresh(geometry, space, resource, num_hosts) };
    vec![
        (1, trimmed(&leader.encode_as(magic::CLEARED))),
        (1, RequestRecord::FRESH.sector()),
        (count(geometry.sectors() - 2), Arc::default()),
    ]
}

/// An index at byte `offset` of its device is formatted by two writes of an area each: the index itself, and behind it
/// the index's private lease. A `max_resources` of 0 means 4096.
pub fn rindex(geometry: Geometry, space: Name, offset: u64, max_resources: u32) -> (Runs, Runs) {
    let index = vec![
        (1, RindexHeader::fresh(geometry, space, offset, max_resources).sector()),
        (count(geometry.sectors() - 1), Arc::default()),
    ];
    let name = Name::from_text(RINDEX_LEASE).expect("is short");
    (index, resource(geometry, space, name, 0))
}

fn count(sectors: u64) -> u32 {
    u32::try_from(sectors).expect("an area has at most 2048 sectors")
}
