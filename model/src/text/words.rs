//! The words that lines of text are made of.

use crate::action::Part;
use crate::setup::Process;
use lease_core::format::{HostEvent, Name};
use lease_core::numbers::Lver;
use lease_core::seam::{
    EventChange, EventTerms, IndexChange, IndexOperation, Killpath, LsId, Mode, Orphan, Request, Restricted, Setting,
    Task, Terms,
};
use sim_disk::{Ending, PathState};
use std::fmt;

/// A name as one word: letters, digits and some marks stand for themselves, every other byte is `%` and two hex digits.
/// The empty name is `%`.
pub(super) struct Word(pub(super) Name);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.0.raw();
        let length = raw.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if length == 0 {
            return f.write_str("%");
        }
        for byte in &raw[..length] {
            if is_plain(*byte) {
                write!(f, "{}", char::from(*byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte)
}

/// The opposite of [`Word`].
pub(super) fn name(word: &str) -> Option<Name> {
    if word == "%" {
        return Some(Name::EMPTY);
    }
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? * 16 + digit(rest.next()?)?,
            byte if is_plain(byte) => byte,
            _ => return None,
        });
    }
    Name::new(&bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Bytes as hex digits; no bytes are `-`.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The opposite of [`Hex`].
pub(super) fn bytes(word: &str) -> Option<Vec<u8>> {
    if word == "-" {
        return Some(Vec::new());
    }
    let digits = word.as_bytes().chunks(2);
    digits.map(|pair| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?)).collect()
}

/// A task of a daemon.
pub(super) struct TaskWords(pub(super) Task);

impl fmt::Display for TaskWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Task::Main => f.write_str("main"),
            Task::Lockspace(LsId(number)) => write!(f, "lockspace {number}"),
            Task::Worker(number) => write!(f, "worker {number}"),
            Task::Resource => f.write_str("resource"),
        }
    }
}

/// What can be stalled.
pub(super) struct PartWords(pub(super) Part);

impl fmt::Display for PartWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Part::Task(task) => TaskWords(task).fmt(f),
            Part::Daemon => f.write_str("daemon"),
            Part::Wdmd => f.write_str("wdmd"),
            Part::Host => f.write_str("host"),
            Part::Process(Process(number)) => write!(f, "process {number}"),
        }
    }
}

/// How an I/O ends.
pub(super) struct EndingWords(pub(super) Ending);

impl fmt::Display for EndingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ending::Done => Ok(()),
            Ending::Refused(errno) => write!(f, " errno {errno}"),
            Ending::LostAnswer(errno) => write!(f, " lost-answer {errno}"),
            Ending::Short => f.write_str(" short"),
            Ending::NoDevice => f.write_str(" no-device"),
        }
    }
}

/// What a path lets pass.
pub(super) struct PathWords(pub(super) PathState);

impl fmt::Display for PathWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PathState::Open => f.write_str("open"),
            PathState::Hung => f.write_str("hung"),
            PathState::Failing(errno) => write!(f, "errno {errno}"),
            PathState::Gone => f.write_str("gone"),
        }
    }
}

/// A request, without what the setup says anyway.
pub(super) struct RequestWords<'a>(pub(super) &'a Request);

impl fmt::Display for RequestWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::AddLockspace { name, .. } => write!(f, "join {}", Word(*name)),
            Request::RemLockspace { name, unused: false } => write!(f, "leave {}", Word(*name)),
            Request::RemLockspace { name, unused: true } => write!(f, "leave {} unused", Word(*name)),
            Request::Acquire { lockspace, resource, terms, .. } => {
                write!(f, "acquire {} {}{}", Word(*lockspace), Word(*resource), TermWords(*terms))
            }
            Request::Convert { lockspace, resource, mode, nowait } => {
                let mode = match mode {
                    Mode::Exclusive => "exclusive",
                    Mode::Shared => "shared",
                };
                let nowait = if *nowait { " nowait" } else { "" };
                write!(f, "convert {} {} {mode}{nowait}", Word(*lockspace), Word(*resource))
            }
            Request::SetLvb { lockspace, resource, value } => {
                write!(f, "set-lvb {} {} {}", Word(*lockspace), Word(*resource), Hex(value))
            }
            Request::GetLvb { lockspace, resource } => write!(f, "get-lvb {} {}", Word(*lockspace), Word(*resource)),
            Request::Release { lockspace, resource } => write!(f, "release {} {}", Word(*lockspace), Word(*resource)),
            Request::Rename { lockspace, resource, renamed } => {
                write!(f, "rename {} {} {}", Word(*lockspace), Word(*resource), Word(*renamed))
            }
            Request::Call { lockspace, resource, lver, next, force_mode, .. } => {
                let next = if *next { " next" } else { "" };
                write!(f, "request {} {} {lver} {force_mode}{next}", Word(*lockspace), Word(*resource))
            }
            Request::Examine { lockspace, resource } => {
                write!(f, "examine {} {}", Word(*lockspace), Word(*resource))
            }
            Request::SetEvent { lockspace, host_id, event, terms } => {
                let HostEvent { generation, event, data } = event;
                let to = Word(*lockspace);
                write!(f, "set-event {to} {host_id} {generation} {event} {data}{}", EventWords(*terms))
            }
            Request::RegEvent { lockspace } => write!(f, "reg-event {}", Word(*lockspace)),
            Request::EndEvent { lockspace } => write!(f, "end-event {}", Word(*lockspace)),
            Request::ReadOwners { lockspace, resource, geometry, .. } => {
                write!(f, "owners {} {}", Word(*lockspace), Word(*resource))?;
                match geometry {
                    Some(geometry) => write!(f, " sizes {} {}", geometry.sector(), geometry.align()),
                    None => Ok(()),
                }
            }
            Request::ReadLockspace { lockspace, host_id, .. } => write!(f, "read {} {host_id}", Word(*lockspace)),
            Request::Inquire => f.write_str("inquire"),
            Request::SetKillpath(Killpath { program, arguments, with_pid }) => {
                let pid = if *with_pid { " pid" } else { "" };
                write!(f, "killpath {} {}{pid}", Hex(program), Hex(arguments))
            }
            Request::Restrict(Restricted { kill, term }) => {
                let word = |said: bool, word: &'static str| if said { word } else { "" };
                write!(f, "restrict{}{}", word(*kill, " kill"), word(*term, " term"))
            }
            Request::SetConfig { lockspace, setting } => {
                write!(f, "config {} {}", Word(*lockspace), setting_word(*setting))
            }
            Request::InquireLockspace { name, wait } => {
                write!(f, "inquire-lockspace {}{}", Word(*name), if *wait { " wait" } else { "" })
            }
            Request::Shutdown { force, wait } => {
                let word = |said: bool, word: &'static str| if said { word } else { "" };
                write!(f, "shutdown{}{}", word(*force, " force"), word(*wait, " wait"))
            }
            Request::GetHosts { lockspace } => write!(f, "hosts {}", Word(*lockspace)),
            Request::Index { lockspace, direct, operation, .. } => {
                let direct = if *direct { "direct " } else { "" };
                write!(f, "index {} {direct}{}", Word(*lockspace), IndexWords(operation))
            }
        }
    }
}

/// Each setting of a lockspace with its word.
pub(super) const SETTINGS: [(&str, Setting); 4] = [
    ("used", Setting::Used),
    ("unused", Setting::Unused),
    ("used-by-orphans", Setting::UsedByOrphans),
    ("unused-by-orphans", Setting::UnusedByOrphans),
];

fn setting_word(setting: Setting) -> &'static str {
    SETTINGS.iter().find(|(_, known)| *known == setting).map_or("", |(word, _)| word)
}

/// An operation on a resource index.
struct IndexWords<'a>(&'a IndexOperation);

impl fmt::Display for IndexWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IndexOperation::Format { geometry, max_resources } => {
                write!(f, "format {} {} {max_resources}", geometry.sector(), geometry.align())
            }
            IndexOperation::Create { name, num_hosts } => write!(f, "create {} {num_hosts}", Word(*name)),
            IndexOperation::Delete { name, offset } => write!(f, "delete {} {offset}", Word(*name)),
            IndexOperation::Lookup { name, offset } => write!(f, "lookup {} {offset}", Word(*name)),
            IndexOperation::Update { name, offset, change: IndexChange::Add } => {
                write!(f, "add {} {offset}", Word(*name))
            }
            IndexOperation::Update { name, offset, change: IndexChange::Remove } => {
                write!(f, "remove {} {offset}", Word(*name))
            }
            IndexOperation::Rebuild => f.write_str("rebuild"),
        }
    }
}

/// How an event is set, as far as it is not the usual way, each with a blank before it.
struct EventWords(EventTerms);

impl fmt::Display for EventWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventTerms { change, current, replace, all } = self.0;
        let mut word = |said: bool, word: &str| if said { write!(f, " {word}") } else { Ok(()) };
        word(current, "current")?;
        word(replace, "replace")?;
        word(all, "all")?;
        word(change == EventChange::ClearHost, "clear-host")?;
        word(change == EventChange::ClearEvent, "clear-event")
    }
}

/// The terms of an acquire that are not the usual ones, each with a blank before it.
struct TermWords(Terms);

impl fmt::Display for TermWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Terms { mode, lver, nowait, lvb, persistent, orphan, num_hosts } = self.0;
        let mut word = |said: bool, word: &str| if said { write!(f, " {word}") } else { Ok(()) };
        word(mode == Mode::Shared, "shared")?;
        word(nowait, "nowait")?;
        word(lvb, "lvb")?;
        word(persistent, "persistent")?;
        word(orphan == Orphan::Adopted, "adopt")?;
        word(orphan == Orphan::Only, "adopt-only")?;
        if lver != Lver(0) {
            write!(f, " lver={lver}")?;
        }
        if num_hosts != 0 {
            write!(f, " num_hosts={num_hosts}")?;
        }
        Ok(())
    }
}
