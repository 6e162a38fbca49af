//! I-INDEX: what was answered as created stays in the index at the offset that was answered, until somebody asks to
//! delete it; and no offset is answered twice meanwhile.
//!
//! Whoever asks to delete a name, to empty its entry or to format the index may be answered at any time, or never: from
//! the question on nothing is owed any more. The same holds for a create that runs beside such a request.

use super::facts::Facts;
use super::ledger::damages;
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, IndexSetup, Process};
use lease_core::format::{Name, RindexEntry};
use lease_core::seam::{Answer, IndexChange, IndexOperation, Place, Request};

/// A resource that was answered as created.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Owed {
    index: Place,
    name: Name,
    offset: u64,
}

/// A create or a destroying request that was asked and not answered yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Asked {
    host: Host,
    process: Option<Process>,
    index: Place,
    operation: IndexOperation,
    /// Of a create: something that may destroy it was asked beside it.
    spoiled: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Indices {
    owed: Vec<Owed>,
    asked: Vec<Asked>,
    /// The disk was changed behind everybody's back, or lied.
    damaged: bool,
}

/// Whether `operation` may take away what is recorded as `name` at `offset`, which is not known yet if it is `None`.
fn destroys(operation: &IndexOperation, name: &Name, offset: Option<u64>) -> bool {
    match operation {
        IndexOperation::Delete { name: deleted, .. } => deleted.same(name),
        IndexOperation::Update { offset: changed, change: IndexChange::Remove, .. } => {
            offset.is_none_or(|offset| offset == *changed)
        }
        IndexOperation::Update { name: recorded, offset: changed, change: IndexChange::Add } => {
            !recorded.same(name) && offset.is_none_or(|offset| offset == *changed)
        }
        IndexOperation::Format { .. } => true,
        IndexOperation::Create { .. } | IndexOperation::Lookup { .. } | IndexOperation::Rebuild => false,
    }
}

impl Indices {
    pub(super) fn see(&mut self, at: Instant, happening: &Happening, facts: &Facts<'_>) -> Verdict {
        if facts.setup.indices.is_empty() {
            return Ok(());
        }
        match happening {
            _ if damages(happening) => self.damaged = true,
            Happening::Asked { host, process, request: Request::Index { place, operation, .. } } => {
                self.asked(*host, *process, *place, *operation);
            }
            Happening::Told { host, process, request: Request::Index { place, operation, .. }, result } => {
                let answered = self.answered(*host, *process, *place, operation);
                if let (IndexOperation::Create { name, .. }, Ok(Answer::Indexed { offset, .. })) = (operation, result)
                    && answered.is_some_and(|asked| !asked.spoiled)
                {
                    return self.created(at, *host, *place, *name, *offset, facts);
                }
            }
            Happening::DaemonDown { host } | Happening::Down { host, .. } => {
                self.asked.retain(|asked| asked.host != *host);
            }
            Happening::Landed { host, disk, offset, .. } => {
                let touched = facts.setup.index_at(*disk, *offset);
                if let Some(index) = touched.filter(|index| *offset < index.place.offset + index.geometry.align()) {
                    return self.stands(at, *host, index, facts);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn asked(&mut self, host: Host, process: Option<Process>, index: Place, operation: IndexOperation) {
        let mut spoiled = false;
        if let IndexOperation::Create { name, .. } = &operation {
            spoiled = self.asked.iter().any(|other| other.index == index && destroys(&other.operation, name, None));
        }
        self.owed.retain(|owed| owed.index != index || !destroys(&operation, &owed.name, Some(owed.offset)));
        for other in self.asked.iter_mut().filter(|other| other.index == index) {
            if let IndexOperation::Create { name, .. } = &other.operation {
                other.spoiled |= destroys(&operation, name, None);
            }
        }
        self.asked.push(Asked { host, process, index, operation, spoiled });
    }

    fn answered(
        &mut self,
        host: Host,
        process: Option<Process>,
        index: Place,
        operation: &IndexOperation,
    ) -> Option<Asked> {
        let is_it = |asked: &Asked| {
            (asked.host, asked.process, asked.index, &asked.operation) == (host, process, index, operation)
        };
        let found = self.asked.iter().position(is_it)?;
        Some(self.asked.remove(found))
    }

    fn created(
        &mut self,
        at: Instant,
        host: Host,
        index: Place,
        name: Name,
        offset: u64,
        facts: &Facts<'_>,
    ) -> Verdict {
        let label = facts.label(host);
        if let Some(twin) = self.owed.iter().find(|owed| owed.index == index && owed.offset == offset) {
            let what =
                format!("{label} was answered offset {offset} for {name}, which was answered for {} before", twin.name);
            return violated(Property::Index, at, &[host], what);
        }
        self.owed.push(Owed { index, name, offset });
        match facts.setup.index_at(index.disk, index.offset) {
            Some(setup) => self.stands(at, host, setup, facts),
            None => Ok(()),
        }
    }

    /// Everything that is owed stands in the index.
    fn stands(&self, at: Instant, host: Host, index: &IndexSetup, facts: &Facts<'_>) -> Verdict {
        if self.damaged {
            return Ok(());
        }
        for owed in self.owed.iter().filter(|owed| owed.index == index.place) {
            let found = entry(index, owed.offset, facts);
            if !found.is_some_and(|entry| entry.name.same(&owed.name) && entry.res_offset == owed.offset) {
                let what = format!(
                    "{} was created at {} and nobody deletes it, but {} leaves {} in its place",
                    owed.name,
                    owed.offset,
                    facts.label(host),
                    match found {
                        Some(entry) if entry.is_free() => "a free entry".to_owned(),
                        Some(entry) => format!("an entry of {}", entry.name),
                        None => "nothing".to_owned(),
                    },
                );
                return violated(Property::Index, at, &[host], what);
            }
        }
        Ok(())
    }
}

/// The entry about the area at `offset`, as it stands on the disk.
fn entry(index: &IndexSetup, offset: u64, facts: &Facts<'_>) -> Option<RindexEntry> {
    let align = index.geometry.align();
    let position =
        offset.checked_sub(index.place.offset + 2 * align).filter(|behind| behind.is_multiple_of(align))? / align;
    if position >= u64::from(index.max_resources) {
        return None;
    }
    let platter = facts.disks.get(usize::from(index.place.disk.0))?.platter();
    let at = index.place.offset + u64::from(index.geometry.sector()) + position * RindexEntry::LENGTH as u64;
    let size = u64::from(platter.sector_size());
    let bytes = platter.sector(at / size);
    Some(RindexEntry::read(bytes.get((at % size) as usize..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::setup::{DiskSetup, LockspaceIx, LockspaceSetup, Setup};
    use lease_core::Refusal;
    use lease_core::format::{Geometry, init};
    use lease_core::seam::DiskId;
    use sim_disk::{Disk, Landing, Op, Sampling, sector};

    const MIB: u64 = 1 << 20;
    const PLACE: Place = Place { disk: DiskId(0), offset: MIB };
    const A: Host = Host(0);
    const B: Host = Host(1);

    fn name(text: &str) -> Name {
        Name::from_text(text).expect("short")
    }

    /// An index of eight, and what is told of it.
    struct Story {
        setup: Setup,
        disks: Vec<Disk>,
        indices: Indices,
        verdict: Verdict,
    }

    impl Story {
        fn new() -> Story {
            let geometry = Geometry::S512A1M;
            let index = IndexSetup { lockspace: LockspaceIx(0), place: PLACE, geometry, max_resources: 8 };
            let space =
                LockspaceSetup { name: name("LS"), place: Place { offset: 0, ..PLACE }, geometry, io_timeout: 10 };
            let mut disk = Disk::new(512, 11 * 2048);
            let path = disk.add_path();
            let (area, _) = init::rindex(geometry, name("LS"), MIB, 8);
            disk.issue(path, Op::Write { start: 2048, runs: area })
                .and_then(|io| disk.land(io, Landing::Whole))
                .expect("is formatted");
            let mut host = Setup::contenders(2, lease_core::profile::Profile::HARDENED).hosts;
            host.truncate(2);
            let setup = Setup {
                disks: vec![DiskSetup { sector_size: 512, sectors: 11 * 2048 }],
                lockspaces: vec![space],
                resources: vec![index.lease()],
                indices: vec![index],
                hosts: host,
            };
            Story { setup, disks: vec![disk], indices: Indices::default(), verdict: Ok(()) }
        }

        fn tell(&mut self, happening: &Happening) {
            let facts = Facts { setup: &self.setup, limits: &Limits::TOLERANCE, disks: &self.disks, clocks: &[] };
            let verdict = self.indices.see(Instant::START, happening, &facts);
            self.verdict = std::mem::replace(&mut self.verdict, Ok(())).and(verdict);
        }

        fn ask(&mut self, host: Host, operation: IndexOperation) {
            self.tell(&Happening::Asked { host, process: None, request: request(operation) });
        }

        fn answer(&mut self, host: Host, operation: IndexOperation, result: Result<Answer, Refusal>) {
            self.tell(&Happening::Told { host, process: None, request: request(operation), result });
        }

        /// The first sector of entries as it stands from now on.
        fn entries(&mut self, names: &[&str]) {
            let entry = |(position, text): (u64, &&str)| match text.is_empty() {
                true => RindexEntry::default(),
                false => RindexEntry { res_offset: (3 + position) * MIB, name: name(text), ..RindexEntry::default() },
            };
            let bytes: Vec<u8> = (0..).zip(names).flat_map(|named| entry(named).encode()).collect();
            self.disks[0].platter_mut(0).expect("is there").write(2049, &[(1, sector(&bytes))]);
            let io = sim_disk::IoId(0);
            let (disk, offset, length) = (DiskId(0), MIB + 512, 512);
            self.tell(&Happening::Landed { host: A, disk, io, offset, length, ghost: false, intact: true });
        }

        fn create(&mut self, host: Host, text: &str, area: u64) {
            let operation = IndexOperation::Create { name: name(text), num_hosts: 0 };
            self.ask(host, operation);
            self.answer(host, operation, Ok(Answer::Indexed { name: name(text), offset: area * MIB }));
        }
    }

    fn request(operation: IndexOperation) -> Request {
        Request::Index { lockspace: name("LS"), place: PLACE, direct: false, operation }
    }

    fn delete(text: &str) -> IndexOperation {
        IndexOperation::Delete { name: name(text), offset: 0 }
    }

    #[track_caller]
    fn check(breaks: bool, tell: impl FnOnce(&mut Story)) {
        let mut story = Story::new();
        story.entries(&["V1"]);
        story.create(A, "V1", 3);
        tell(&mut story);
        let found = story.verdict.err().map(|violation| violation.property);
        assert_eq!(found, breaks.then_some(Property::Index));
    }

    #[test]
    fn what_is_owed_stays() {
        check(false, |s| s.entries(&["V1", "V2"]));
        check(true, |s| s.entries(&["", "V2"]));
        check(true, |s| s.entries(&["V2"]));
        check(true, |s| s.create(B, "V2", 4));
        check(true, |s| {
            s.entries(&["V1"]);
            s.create(B, "V1", 3);
        });
    }

    #[test]
    fn whoever_asks_to_delete_is_owed_nothing() {
        check(false, |s| {
            s.ask(B, delete("V1"));
            s.entries(&[""]);
        });
        check(true, |s| {
            s.ask(B, delete("V2"));
            s.entries(&[""]);
        });
        check(false, |s| {
            s.ask(B, IndexOperation::Update { name: Name::EMPTY, offset: 3 * MIB, change: IndexChange::Remove });
            s.entries(&[""]);
        });
        // A create beside a delete of the same name: nobody knows which came last.
        check(false, |s| {
            s.ask(B, delete("V2"));
            s.create(A, "V2", 4);
            s.entries(&["V1", ""]);
        });
        // A delete that its host did not live to finish is over.
        check(true, |s| {
            s.ask(B, delete("V2"));
            s.tell(&Happening::Down { host: B, by_watchdog: false });
            s.entries(&["V1", "V2"]);
            s.create(A, "V2", 4);
            s.entries(&["V1", ""]);
        });
    }

    #[test]
    fn a_damaged_disk_is_no_host_s_fault() {
        check(false, |s| {
            let sampling = Sampling::Stale { snapshot: sim_disk::SnapshotId(0), from: 0, count: 1 };
            s.tell(&Happening::Chosen(crate::Action::Sample { disk: DiskId(0), io: sim_disk::IoId(0), sampling }));
            s.entries(&[""]);
        });
    }
}
