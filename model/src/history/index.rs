//! I-INDEX: what was answered as created stays in the index at the offset that was answered, until somebody asks to
//! delete it; and no offset is answered twice meanwhile.
//!
//! Whoever asks to delete a name, to empty its entry or to format the index may be answered at any time, or never: from
//! the question on nothing is owed any more. The same holds for a create that runs beside such a request.

use super::calm::damages;
use super::facts::Facts;
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
            Happening::Chosen(action) => self.damaged |= damages(action),
            Happening::MediumChanged { .. } => self.damaged = true,
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
