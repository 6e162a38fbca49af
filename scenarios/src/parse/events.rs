//! What the deeds of a script are told that more than one word says.

use super::{ANY, Names, Read};
use crate::dice::Range;
use crate::faults::{Fault, Trigger};
use crate::reader::{Found, Reader};
use crate::scenario::{Area, Deed, IoFate};
use lease_core::format::{HostEvent, Name, RequestRecord};
use lease_core::seam::{EventTerms, IndexChange, IndexOperation};

impl Names<'_> {
    pub(super) fn index(&self, table: &mut Reader<'_>) -> Read<Deed> {
        if self.indices == 0 {
            return Err(table.bad(table.at(), "do", "an [[index]] for this", "none"));
        }
        let most = self.indices as u64;
        let index = table.number("index", Range::new(1, most))?.map_or(1, |found| found.value) as u8 - 1;
        let at = table.at();
        let text = table.text("name")?.unwrap_or(Found { value: String::new(), at });
        let Some(name) = Name::from_text(&text.value) else {
            return Err(table.bad(text.at, "name", "at most 48 bytes", text.value.len()));
        };
        let offset = table.number("offset", ANY)?.map_or(0, |found| found.value);
        let operations = [
            ("create", IndexOperation::Create { name, num_hosts: 0 }),
            ("delete", IndexOperation::Delete { name, offset }),
            ("lookup", IndexOperation::Lookup { name, offset }),
            ("add", IndexOperation::Update { name, offset, change: IndexChange::Add }),
            ("remove", IndexOperation::Update { name, offset, change: IndexChange::Remove }),
            ("rebuild", IndexOperation::Rebuild),
        ];
        match table.word("operation", &operations)? {
            Some(found) => Ok(Deed::Index(index, found.value)),
            None => Err(table.bad(table.at(), "operation", "what is done: operation = \"create\"", "nothing")),
        }
    }

    pub(super) fn io(&self, table: &mut Reader<'_>) -> Read<Deed> {
        let Some(write) = table.word("io", &[("write", true), ("read", false)])? else {
            return Err(table.bad(table.at(), "io", "\"read\" or \"write\"", "nothing"));
        };
        let areas = [
            ("any", Area::Any),
            ("delta", Area::Delta),
            ("leader", Area::Leader),
            ("block", Area::Block),
            ("index", Area::Index),
        ];
        let area = table.word("area", &areas)?.map_or(Area::Any, |found| found.value);
        let skip = table.number("skip", Range::new(0, 1_000_000))?.map_or(0, |found| found.value as u32);
        let struck = Fault::ALL.iter().filter(|fault| fault.trigger() == Trigger::Io);
        let struck = struck.map(|fault| (fault.id(), *fault)).collect::<Vec<_>>();
        let fate = match table.word("fate", &struck)? {
            Some(found) if found.value.beyond() && !self.beyond => {
                let expected = "a fault within the tolerance, or [expect] beyond = true";
                return Err(table.bad(found.at, "fate", expected, found.value));
            }
            Some(found) => IoFate::Struck(found.value),
            None => {
                let effect = table.durations("effect")?;
                let answer = table.durations("answer")?;
                let (Some(effect), Some(answer)) = (effect, answer) else {
                    let expected = "a fault, or effect = .. and answer = ..";
                    return Err(table.bad(table.at(), "fate", expected, "nothing"));
                };
                IoFate::Timed { effect: effect.value, answer: answer.value }
            }
        };
        Ok(Deed::Io { write: write.value, area, fate, skip })
    }

    /// The agent, or a process, asks for what another host holds.
    pub(super) fn call(&self, table: &mut Reader<'_>) -> Read<Deed> {
        let resource = self.resource(table)?;
        let lver = table.number("lver", ANY)?.map_or(0, |found| found.value);
        let forces = [("kill", RequestRecord::FORCE), ("ask", RequestRecord::GRACEFUL), ("none", 0)];
        let force_mode = table.word("force", &forces)?.map_or(RequestRecord::FORCE, |found| found.value);
        Ok(Deed::Call { resource, lver, force_mode })
    }

    /// The agent tells another host something.
    pub(super) fn set_event(&self, table: &mut Reader<'_>) -> Read<Deed> {
        let lockspace = self.lockspace(table)?;
        let Some(to) = self.host(table, "to")? else {
            return Err(table.bad(table.at(), "to", "the host that is told", "nothing"));
        };
        let mut number = |key, usual| -> Read<u64> { Ok(table.number(key, ANY)?.map_or(usual, |found| found.value)) };
        let event =
            HostEvent { generation: number("generation", 0)?, event: number("event", 1)?, data: number("data", 0)? };
        let terms = EventTerms {
            current: table.yes("current", false)?,
            replace: table.yes("replace", false)?,
            all: table.yes("all", false)?,
            ..EventTerms::default()
        };
        Ok(Deed::SetEvent { lockspace, to, event, terms })
    }
}

/// The bytes that hexadecimal digits say.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect::<Option<Vec<_>>>()?;
    if digits.len() % 2 != 0 {
        return None;
    }
    Some(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}
