//! Where things lie: the disk, the areas of lockspaces and resources on it, and the sizes of each.

use super::Read;
use crate::dice::Range;
use crate::reader::{Found, Reader};
use crate::scenario::{HostPlan, IndexPlan, LockspacePlan, ResourcePlan};
use lease_core::format::Geometry;

const MIB: u64 = 1 << 20;

/// The sizes of all areas that state no others; the sectors of the disk are as large.
pub(super) fn disk(table: &mut Reader<'_>) -> Read<Geometry> {
    geometry(table, None)
}

/// Sector and area size. An area has the disk's unless it says otherwise; a disk has sectors of 512 bytes.
fn geometry(table: &mut Reader<'_>, disk: Option<Geometry>) -> Read<Geometry> {
    let sector = table.word("sector", &[("512", 512), ("4096", 4096)])?;
    let aligns = [("1M", MIB), ("2M", 2 * MIB), ("4M", 4 * MIB), ("8M", 8 * MIB)];
    let align = table.word("align", &aligns)?;
    if let (Some(disk), None, None) = (disk, &sector, &align) {
        return Ok(disk);
    }
    let of_disk = disk.map_or(512, Geometry::sector);
    let at = table.at();
    let sector = sector.unwrap_or(Found { value: of_disk, at });
    if sector.value < of_disk && disk.is_some() {
        return Err(table.bad(sector.at, "sector", "\"4096\", as the disk has", sector.value));
    }
    let usual = if sector.value == 512 { MIB } else { 8 * MIB };
    let align = align.unwrap_or(Found { value: usual, at });
    Geometry::from_sizes(sector.value, align.value)
        .ok_or_else(|| table.bad(align.at, "align", "\"1M\" with 512-byte sectors", "another"))
}

/// An offset, or the first one behind all areas before that the align size allows.
fn place(table: &mut Reader<'_>, align: u64, next: &mut u64) -> Read<u64> {
    let Some(found) = table.number("offset", Range::new(0, 1 << 40))? else {
        let offset = next.next_multiple_of(align);
        *next = offset + align;
        return Ok(offset);
    };
    if found.value % align != 0 {
        return Err(table.bad(found.at, "offset", format!("a multiple of {align}"), found.value));
    }
    *next = (*next).max(found.value + align);
    Ok(found.value)
}

/// Whether two areas have bytes in common.
fn overlap(offset: u64, geometry: Geometry, other: u64, others: Geometry) -> bool {
    offset < other + others.align() && other < offset + geometry.align()
}

fn area_name(table: &mut Reader<'_>, usual: String) -> Read<String> {
    let at = table.at();
    let found = table.text("name")?.unwrap_or(Found { value: usual, at });
    if found.value.is_empty() || found.value.len() > 48 {
        return Err(table.bad(found.at, "name", "from 1 to 48 bytes", found.value.len()));
    }
    Ok(found.value)
}

pub(super) fn lockspaces(reader: &mut Reader<'_>, disk: Geometry) -> Read<Vec<LockspacePlan>> {
    let mut next = 0;
    let mut lockspaces: Vec<LockspacePlan> = Vec::new();
    reader.array("lockspace", |index, table| {
        let usual = if index == 0 { "LS".to_owned() } else { format!("LS{}", index + 1) };
        let (name, geometry) = (area_name(table, usual)?, geometry(table, Some(disk))?);
        let plan = LockspacePlan { name, offset: place(table, geometry.align(), &mut next)?, geometry };
        if let Some(twin) = lockspaces.iter().find(|other| other.name == plan.name) {
            return Err(table.bad(table.at(), "name", "a name of its own", format!("{:?} again", twin.name)));
        }
        let shares = |other: &&LockspacePlan| overlap(plan.offset, plan.geometry, other.offset, other.geometry);
        if let Some(twin) = lockspaces.iter().find(shares) {
            let found = format!("the area of {}", twin.name);
            return Err(table.bad(table.at(), "offset", "an area of its own", found));
        }
        lockspaces.push(plan);
        Ok(())
    })?;
    if lockspaces.is_empty() {
        lockspaces.push(LockspacePlan { name: "LS".to_owned(), offset: 0, geometry: disk });
    }
    Ok(lockspaces)
}

/// The lockspace of an area; the first unless something else is said.
fn lockspace_named(table: &mut Reader<'_>, lockspaces: &[LockspacePlan]) -> Read<u8> {
    let Some(found) = table.text("lockspace")? else { return Ok(0) };
    match lockspaces.iter().position(|area| area.name == found.value) {
        Some(index) => Ok(index as u8),
        None => {
            let found_text = format!("{:?}", found.value);
            Err(table.bad(found.at, "lockspace", "the name of a [[lockspace]]", found_text))
        }
    }
}

pub(super) fn resources(
    reader: &mut Reader<'_>,
    disk: Geometry,
    lockspaces: &[LockspacePlan],
    hosts: &[HostPlan],
    beyond: bool,
) -> Read<Vec<ResourcePlan>> {
    let mut next = lockspaces.iter().map(|area| area.offset + area.geometry.align()).max().unwrap_or(0);
    let mut resources: Vec<ResourcePlan> = Vec::new();
    let max_hosts = Range::new(0, 2000);
    reader.array("resource", |index, table| {
        let name = area_name(table, format!("R{}", index + 1))?;
        let lockspace = lockspace_named(table, lockspaces)?;
        let geometry = geometry(table, Some(disk))?;
        let at = table.at();
        let num_hosts = table.number("num_hosts", max_hosts)?.unwrap_or(Found { value: 0, at });
        let largest = hosts.iter().map(|host| host.host_id).max().unwrap_or(0);
        if num_hosts.value != 0 && num_hosts.value < largest && !beyond {
            let expected = format!("room for host id {largest}, or [expect] beyond = true");
            return Err(table.bad(num_hosts.at, "num_hosts", expected, num_hosts.value));
        }
        let (num_hosts, offset) = (num_hosts.value, place(table, geometry.align(), &mut next)?);
        let plan = ResourcePlan { name, lockspace, offset, geometry, num_hosts };
        if let Some(twin) = resources.iter().find(|other| other.name == plan.name && other.lockspace == plan.lockspace)
        {
            return Err(table.bad(table.at(), "name", "a name of its own", format!("{:?} again", twin.name)));
        }
        let taken = lockspaces.iter().map(|area| (&area.name, area.offset, area.geometry));
        let mut taken = taken.chain(resources.iter().map(|area| (&area.name, area.offset, area.geometry)));
        let shares = |(_, offset, other): &(&String, u64, Geometry)| overlap(plan.offset, geometry, *offset, *other);
        if let Some((twin, ..)) = taken.find(shares) {
            return Err(table.bad(table.at(), "offset", "an area of its own", format!("the area of {twin}")));
        }
        resources.push(plan);
        Ok(())
    })?;
    if resources.is_empty() {
        let (name, offset) = ("R1".to_owned(), next.next_multiple_of(disk.align()));
        resources.push(ResourcePlan { name, lockspace: 0, offset, geometry: disk, num_hosts: 0 });
    }
    Ok(resources)
}

/// Indices lie behind everything else, one after the other.
pub(super) fn indices(
    reader: &mut Reader<'_>,
    disk: Geometry,
    lockspaces: &[LockspacePlan],
    resources: &[ResourcePlan],
) -> Read<Vec<IndexPlan>> {
    let align = disk.align();
    let ends = lockspaces.iter().map(|area| area.offset + area.geometry.align());
    let ends = ends.chain(resources.iter().map(|area| area.offset + area.geometry.align()));
    let mut next = ends.max().unwrap_or(0).next_multiple_of(align);
    reader.array("index", |_, table| {
        let lockspace = lockspace_named(table, lockspaces)?;
        let max = table.number("max_resources", Range::new(1, 64))?.map_or(8, |found| found.value);
        let plan = IndexPlan { lockspace, offset: next, max_resources: max as u32 };
        next += (2 + max) * align;
        Ok(plan)
    })
}
