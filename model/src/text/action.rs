//! Actions as text, and back.
//!
//! ```text
//! A power-on                       d0 io 7 sample            A.1 spawn
//! A wake lockspace 0               d0 io 7 land torn 512     A.1 acquire LS R1
//! A path d0 hung                   d0 io 7 complete errno 5  A agent join LS
//! ```
//!
//! What the setup says anyway is left out: host id, io_timeout and place of a request stand there only where they differ
//! from it, as `key=value`.

use super::words::{EndingWords, Hex, PartWords, PathWords, RequestWords, SETTINGS, TaskWords, Word, bytes, name};
use crate::action::{Action, Part};
use crate::setup::{Host, IndexSetup, Process, Setup};
use lease_core::format::{Geometry, HostEvent, Name};
use lease_core::numbers::{HostId, Lver};
use lease_core::seam::{
    DiskId, EventChange, EventTerms, IndexChange, IndexOperation, Killpath, LsId, Mode, Orphan, Place, Request,
    Restricted, Task, Terms,
};
use sim_disk::{Ending, IoId, Landing, PathState, Sampling, SnapshotId};
use std::fmt::Write;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::sync::Arc;

impl Action {
    /// The action as a trace says it, without its time: one line, from which [`Action::parse`] makes the same action.
    pub fn text(&self, setup: &Setup) -> String {
        let label = |host: Host| setup.label(host);
        match self {
            Action::Wake { host, task } => format!("{} wake {}", label(*host), TaskWords(*task)),
            Action::Sample { disk, io, sampling } => {
                let how = match sampling {
                    Sampling::Whole => String::new(),
                    Sampling::Sectors { from, count } => format!(" sectors {from} {count}"),
                    Sampling::Stale { snapshot, from, count } => format!(" stale {} {from} {count}", snapshot.0),
                };
                format!("d{} io {} sample{how}", disk.0, io.0)
            }
            Action::Land { disk, io, landing } => {
                let how = match landing {
                    Landing::Whole => String::new(),
                    Landing::Sectors { from, count } => format!(" sectors {from} {count}"),
                    Landing::Torn { bytes } => format!(" torn {bytes}"),
                    Landing::TornTail { bytes } => format!(" torn-tail {bytes}"),
                    Landing::Misdirected { start } => format!(" misdirected {start}"),
                    Landing::Rotten { bit } => format!(" rotten {bit}"),
                };
                format!("d{} io {} land{how}", disk.0, io.0)
            }
            Action::Complete { disk, io, ending } => {
                format!("d{} io {} complete{}", disk.0, io.0, EndingWords(*ending))
            }
            Action::Vanish { disk, io } => format!("d{} io {} vanish", disk.0, io.0),
            Action::Ask { host, process, request } => {
                let mut text = match process {
                    Some(process) => format!("{}.{} ", label(*host), process.0),
                    None => format!("{} agent ", label(*host)),
                };
                let told = write!(text, "{}", RequestWords(request));
                told.expect("a string takes everything");
                spell_out(&mut text, request, *host, setup);
                text
            }
            Action::Spawn { host, process } => format!("{}.{} spawn", label(*host), process.0),
            Action::Exit { host, process } => format!("{}.{} exit", label(*host), process.0),
            Action::LeaveChild { host, process } => format!("{}.{} leave-child", label(*host), process.0),
            Action::HangUp { host, process } => format!("{}.{} hang-up", label(*host), process.0),
            Action::Garble { host, process } => format!("{}.{} garbage", label(*host), process.0),
            Action::PowerLoss { host } => format!("{} power-loss", label(*host)),
            Action::PowerOn { host } => format!("{} power-on", label(*host)),
            Action::Rename { host, name } => format!("{} rename {}", label(*host), Word(*name)),
            Action::KillDaemon { host } => format!("{} kill daemon", label(*host)),
            Action::StartDaemon { host } => format!("{} start daemon", label(*host)),
            Action::KillWdmd { host } => format!("{} kill wdmd", label(*host)),
            Action::Stall { host, part } => format!("{} stall {}", label(*host), PartWords(*part)),
            Action::Resume { host, part } => format!("{} resume {}", label(*host), PartWords(*part)),
            Action::StopClock { host } => format!("{} stop-clock", label(*host)),
            Action::Test { host } => format!("{} test", label(*host)),
            Action::Fire { host } => format!("{} fire", label(*host)),
            Action::SetPath { host, disk, state } => {
                format!("{} path d{} {}", label(*host), disk.0, PathWords(*state))
            }
            Action::JumpClock { host, micros } => format!("{} jump-clock {micros}", label(*host)),
            Action::SetDrift { host, ppm } => format!("{} drift {ppm}", label(*host)),
            Action::StepWallClock { host } => format!("{} step-wall-clock", label(*host)),
            Action::Snapshot { disk } => format!("d{} snapshot", disk.0),
            Action::Rollback { disk } => format!("d{} rollback", disk.0),
            Action::SplitOff { host, disk } => format!("{} split d{}", label(*host), disk.0),
            Action::Edit { disk, offset, bytes } => format!("d{} edit {offset} {}", disk.0, Hex(bytes)),
        }
    }

    /// The action that a line of a trace says.
    ///
    /// # Errors
    ///
    /// What was expected, and what was found.
    pub fn parse(text: &str, setup: &Setup) -> Result<Action, String> {
        let mut words = Words(text.split_ascii_whitespace());
        let action = parse_action(&mut words, setup)?;
        match words.0.next() {
            None => Ok(action),
            Some(more) => Err(expected("nothing more", more)),
        }
    }
}

/// What the setup says of a join: host id, io_timeout, place.
fn known_join(setup: &Setup, host: Host, space: &Name) -> Option<(HostId, u32, Place)> {
    let ix = setup.lockspaces.iter().position(|lockspace| lockspace.name == *space)?;
    let memberships = &setup.hosts[usize::from(host.0)].memberships;
    let membership = memberships.iter().find(|membership| usize::from(membership.lockspace.0) == ix)?;
    Some((membership.host_id, membership.io_timeout, setup.lockspaces[ix].place))
}

/// What the setup says of an acquire: the place.
fn known_acquire(setup: &Setup, space: &Name, name: &Name) -> Option<Place> {
    let found = setup.resources.iter().find(|resource| {
        resource.name == *name && setup.lockspaces[usize::from(resource.lockspace.0)].name == *space
    })?;
    Some(found.place)
}

/// What the setup says of a lockspace: the place.
fn known_space(setup: &Setup, space: &Name) -> Option<Place> {
    setup.lockspaces.iter().find(|lockspace| lockspace.name == *space).map(|lockspace| lockspace.place)
}

/// What the setup says of an index: the place.
fn known_index(setup: &Setup, space: &Name) -> Option<Place> {
    let of_lockspace = |index: &&IndexSetup| setup.lockspaces[usize::from(index.lockspace.0)].name == *space;
    setup.indices.iter().find(of_lockspace).map(|index| index.place)
}

/// Appends what the setup does not say.
fn spell_out(text: &mut String, request: &Request, host: Host, setup: &Setup) {
    let mut add = |key: &str, value: String| text.extend([" ", key, "=", &value]);
    let spelled = |place: Place| format!("d{}:{}", place.disk.0, place.offset);
    match request {
        Request::AddLockspace { name, host_id, place, io_timeout } => {
            let known = known_join(setup, host, name);
            if known.is_none_or(|(id, _, _)| id != *host_id) {
                add("host_id", host_id.to_string());
            }
            if known.is_none_or(|(_, timeout, _)| timeout != *io_timeout) {
                add("io_timeout", io_timeout.to_string());
            }
            if known.is_none_or(|(_, _, known)| known != *place) {
                add("place", spelled(*place));
            }
        }
        Request::Acquire { lockspace, resource, place, .. }
            if known_acquire(setup, lockspace, resource) != Some(*place) =>
        {
            add("place", spelled(*place));
        }
        Request::Call { lockspace, resource, place, .. } | Request::ReadOwners { lockspace, resource, place, .. }
            if known_acquire(setup, lockspace, resource) != Some(*place) =>
        {
            add("place", spelled(*place));
        }
        Request::ReadLockspace { lockspace, place, .. } if known_space(setup, lockspace) != Some(*place) => {
            add("place", spelled(*place));
        }
        Request::Index { lockspace, place, .. } if known_index(setup, lockspace) != Some(*place) => {
            add("place", spelled(*place));
        }
        _ => {}
    }
}

fn expected(what: &str, found: &str) -> String {
    format!("expected {what}, found \"{found}\"")
}

/// The words of a line, from here on.
struct Words<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("expected {what}, found the end of the line"))
    }

    /// The next word, if there is one, without moving on.
    fn peek(&self) -> Option<&'a str> {
        self.0.clone().next()
    }

    /// Moves on if this word comes next.
    fn follows(&mut self, word: &str) -> bool {
        let follows = self.peek() == Some(word);
        if follows {
            self.0.next();
        }
        follows
    }

    fn hex(&mut self) -> Result<Arc<[u8]>, String> {
        let word = self.word("bytes in hex digits, or -")?;
        bytes(word).map(Arc::from).ok_or_else(|| expected("bytes in hex digits, or -", word))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.word(what)?;
        word.parse().map_err(|_| expected(what, word))
    }

    fn name(&mut self, what: &str) -> Result<Name, String> {
        let word = self.word(what)?;
        name(word).ok_or_else(|| expected(what, word))
    }

    fn disk(&mut self, setup: &Setup) -> Result<DiskId, String> {
        let word = self.word("a disk")?;
        disk(word, setup).ok_or_else(|| expected("a disk of this setup (d0)", word))
    }

    fn task(&mut self, word: &str) -> Result<Task, String> {
        Ok(match word {
            "main" => Task::Main,
            "lockspace" => Task::Lockspace(LsId(self.number("the number of a lockspace")?)),
            "worker" => Task::Worker(self.number("the number of a worker")?),
            "resource" => Task::Resource,
            _ => return Err(expected("main, lockspace N, worker N or resource", word)),
        })
    }

    fn part(&mut self) -> Result<Part, String> {
        let what = "host, daemon, wdmd, process N, main, lockspace N, worker N or resource";
        Ok(match self.word(what)? {
            "host" => Part::Host,
            "daemon" => Part::Daemon,
            "wdmd" => Part::Wdmd,
            "process" => Part::Process(Process(self.number("the number of a process")?)),
            word => Part::Task(self.task(word).map_err(|_| expected(what, word))?),
        })
    }
}

fn disk(word: &str, setup: &Setup) -> Option<DiskId> {
    let number: u8 = word.strip_prefix('d')?.parse().ok()?;
    (usize::from(number) < setup.disks.len()).then_some(DiskId(number))
}

fn parse_action(words: &mut Words<'_>, setup: &Setup) -> Result<Action, String> {
    let who = "a host, a process (A.1) or a disk (d0)";
    let subject = words.word(who)?;
    if let Some(disk) = disk(subject, setup) {
        return parse_disk(words, disk);
    }
    if let Some((label, number)) = subject.split_once('.') {
        let host = setup.host_labelled(label).ok_or_else(|| expected(who, subject))?;
        let number = number.parse().map_err(|_| expected(who, subject))?;
        return parse_process(words, host, Process(number), setup);
    }
    let host = setup.host_labelled(subject).ok_or_else(|| expected(who, subject))?;
    parse_host(words, host, setup)
}

fn parse_disk(words: &mut Words<'_>, disk: DiskId) -> Result<Action, String> {
    match words.word("io, snapshot, rollback or edit")? {
        "io" => {
            let io = IoId(words.number("the number of an I/O")?);
            match words.word("sample, land, complete or vanish")? {
                "sample" => Ok(Action::Sample { disk, io, sampling: parse_sampling(words)? }),
                "land" => Ok(Action::Land { disk, io, landing: parse_landing(words)? }),
                "complete" => Ok(Action::Complete { disk, io, ending: parse_ending(words)? }),
                "vanish" => Ok(Action::Vanish { disk, io }),
                other => Err(expected("sample, land, complete or vanish", other)),
            }
        }
        "snapshot" => Ok(Action::Snapshot { disk }),
        "rollback" => Ok(Action::Rollback { disk }),
        "edit" => {
            let offset = words.number("a byte offset")?;
            let bytes = words.hex()?;
            Ok(Action::Edit { disk, offset, bytes })
        }
        other => Err(expected("io, snapshot, rollback or edit", other)),
    }
}

fn parse_sampling(words: &mut Words<'_>) -> Result<Sampling, String> {
    let Some(how) = words.0.next() else { return Ok(Sampling::Whole) };
    let snapshot = match how {
        "sectors" => None,
        "stale" => Some(SnapshotId(words.number("the number of a snapshot")?)),
        other => return Err(expected("sectors, stale or the end of the line", other)),
    };
    let (from, count) = (words.number("a first sector")?, words.number("a number of sectors")?);
    Ok(match snapshot {
        Some(snapshot) => Sampling::Stale { snapshot, from, count },
        None => Sampling::Sectors { from, count },
    })
}

fn parse_landing(words: &mut Words<'_>) -> Result<Landing, String> {
    let Some(how) = words.0.next() else { return Ok(Landing::Whole) };
    Ok(match how {
        "sectors" => {
            Landing::Sectors { from: words.number("a first sector")?, count: words.number("a number of sectors")? }
        }
        "torn" => Landing::Torn { bytes: words.number("a number of bytes")? },
        "torn-tail" => Landing::TornTail { bytes: words.number("a number of bytes")? },
        "misdirected" => Landing::Misdirected { start: words.number("a sector")? },
        "rotten" => Landing::Rotten { bit: words.number("the number of a bit")? },
        other => {
            return Err(expected("sectors, torn, torn-tail, misdirected, rotten or the end of the line", other));
        }
    })
}

fn parse_ending(words: &mut Words<'_>) -> Result<Ending, String> {
    let Some(how) = words.0.next() else { return Ok(Ending::Done) };
    Ok(match how {
        "errno" => Ending::Refused(words.number("an errno")?),
        "lost-answer" => Ending::LostAnswer(words.number("an errno")?),
        "short" => Ending::Short,
        "no-device" => Ending::NoDevice,
        other => return Err(expected("errno, lost-answer, short, no-device or the end of the line", other)),
    })
}

fn parse_process(words: &mut Words<'_>, host: Host, process: Process, setup: &Setup) -> Result<Action, String> {
    match words.word("spawn, exit, hang-up, garbage or a request")? {
        "spawn" => Ok(Action::Spawn { host, process }),
        "exit" => Ok(Action::Exit { host, process }),
        "leave-child" => Ok(Action::LeaveChild { host, process }),
        "hang-up" => Ok(Action::HangUp { host, process }),
        "garbage" => Ok(Action::Garble { host, process }),
        verb => {
            let request = parse_request(words, verb, host, setup)?;
            let request =
                request.ok_or_else(|| expected(&format!("spawn, exit, hang-up, garbage, {REQUESTS}"), verb))?;
            Ok(Action::Ask { host, process: Some(process), request })
        }
    }
}

const REQUESTS: &str = "join, leave, acquire, release, inquire or hosts";
const NO_RESOURCE: &str = "expected place=..., for the setup has no such resource";

/// The request that begins with this verb; none if none does.
fn parse_request(words: &mut Words<'_>, verb: &str, host: Host, setup: &Setup) -> Result<Option<Request>, String> {
    let space = "the name of a lockspace";
    Ok(Some(match verb {
        "join" => {
            let name = words.name(space)?;
            let known = known_join(setup, host, &name);
            let said = Said::of(words, setup, &["host_id", "io_timeout", "place"])?;
            let missing = |key: &str| format!("expected {key}=..., for the setup does not say how this host joins");
            Request::AddLockspace {
                name,
                host_id: said.host_id.or(known.map(|known| known.0)).ok_or_else(|| missing("host_id"))?,
                io_timeout: said.io_timeout.or(known.map(|known| known.1)).ok_or_else(|| missing("io_timeout"))?,
                place: said.place.or(known.map(|known| known.2)).ok_or_else(|| missing("place"))?,
            }
        }
        "leave" => {
            let name = words.name(space)?;
            Request::RemLockspace { name, unused: words.follows("unused") }
        }
        "acquire" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            let known = known_acquire(setup, &lockspace, &resource);
            let flags = terms(words);
            let said = Said::of(words, setup, &["place", "lver", "num_hosts"])?;
            let place = said.place.or(known).ok_or(NO_RESOURCE)?;
            let terms = Terms { lver: said.lver.unwrap_or_default(), num_hosts: said.num_hosts.unwrap_or(0), ..flags };
            Request::Acquire { lockspace, resource, place, terms }
        }
        "convert" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            let mode = match words.word("shared or exclusive")? {
                "shared" => Mode::Shared,
                "exclusive" => Mode::Exclusive,
                other => return Err(expected("shared or exclusive", other)),
            };
            Request::Convert { lockspace, resource, mode, nowait: words.follows("nowait") }
        }
        "set-lvb" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            Request::SetLvb { lockspace, resource, value: words.hex()? }
        }
        "get-lvb" => Request::GetLvb { lockspace: words.name(space)?, resource: words.name("the name of a resource")? },
        "release" => {
            Request::Release { lockspace: words.name(space)?, resource: words.name("the name of a resource")? }
        }
        "rename" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            Request::Rename { lockspace, resource, renamed: words.name("its new name")? }
        }
        "request" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            let lver = Lver(words.number("a version")?);
            let force_mode = words.number("a force mode")?;
            let next = words.follows("next");
            let known = known_acquire(setup, &lockspace, &resource);
            let place = Said::of(words, setup, &["place"])?.place.or(known).ok_or(NO_RESOURCE)?;
            Request::Call { lockspace, resource, place, lver, next, force_mode }
        }
        "examine" => {
            Request::Examine { lockspace: words.name(space)?, resource: words.name("the name of a resource")? }
        }
        "set-event" => {
            let lockspace = words.name(space)?;
            let host_id = HostId(words.number("a host id")?);
            let (generation, event) = (words.number("a generation")?, words.number("an event")?);
            let event = HostEvent { generation, event, data: words.number("the data of an event")? };
            Request::SetEvent { lockspace, host_id, event, terms: event_terms(words) }
        }
        "reg-event" => Request::RegEvent { lockspace: words.name(space)? },
        "end-event" => Request::EndEvent { lockspace: words.name(space)? },
        "owners" => {
            let (lockspace, resource) = (words.name(space)?, words.name("the name of a resource")?);
            let geometry = if words.follows("sizes") { Some(sizes(words)?) } else { None };
            let known = known_acquire(setup, &lockspace, &resource);
            let place = Said::of(words, setup, &["place"])?.place.or(known).ok_or(NO_RESOURCE)?;
            Request::ReadOwners { lockspace, resource, place, geometry }
        }
        "read" => {
            let lockspace = words.name(space)?;
            let host_id = HostId(words.number("a host id")?);
            let known = known_space(setup, &lockspace);
            let missing = "expected place=..., for the setup has no such lockspace";
            let place = Said::of(words, setup, &["place"])?.place.or(known).ok_or(missing)?;
            Request::ReadLockspace { lockspace, host_id, place }
        }
        "inquire" => Request::Inquire,
        "killpath" => {
            let (program, arguments) = (words.hex()?, words.hex()?);
            Request::SetKillpath(Killpath { program, arguments, with_pid: words.follows("pid") })
        }
        "restrict" => {
            let kill = words.follows("kill");
            Request::Restrict(Restricted { kill, term: words.follows("term") })
        }
        "config" => {
            let lockspace = words.name(space)?;
            let word = words.word("what is declared: used, unused, ..")?;
            let setting = SETTINGS.iter().find(|(known, _)| *known == word).map(|(_, setting)| *setting);
            let setting =
                setting.ok_or_else(|| expected("used, unused, used-by-orphans or unused-by-orphans", word))?;
            Request::SetConfig { lockspace, setting }
        }
        "inquire-lockspace" => {
            let name = words.name(space)?;
            Request::InquireLockspace { name, wait: words.follows("wait") }
        }
        "shutdown" => {
            let force = words.follows("force");
            Request::Shutdown { force, wait: words.follows("wait") }
        }
        "hosts" => Request::GetHosts { lockspace: words.name(space)? },
        "index" => {
            let lockspace = words.name(space)?;
            let direct = words.peek() == Some("direct");
            if direct {
                words.word("direct")?;
            }
            let operation = parse_operation(words)?;
            let said = Said::of(words, setup, &["place"])?;
            let known = known_index(setup, &lockspace);
            let place = said.place.or(known).ok_or("expected place=..., for the setup has no such index")?;
            Request::Index { lockspace, place, direct, operation }
        }
        _ => return Ok(None),
    }))
}

/// The terms of an acquire that are single words.
fn terms(words: &mut Words<'_>) -> Terms {
    let mut terms = Terms::default();
    while let Some(word) = words.peek() {
        match word {
            "shared" => terms.mode = Mode::Shared,
            "nowait" => terms.nowait = true,
            "lvb" => terms.lvb = true,
            "persistent" => terms.persistent = true,
            "adopt" => terms.orphan = Orphan::Adopted,
            "adopt-only" => terms.orphan = Orphan::Only,
            _ => break,
        }
        words.0.next();
    }
    terms
}

/// How an event is set.
fn event_terms(words: &mut Words<'_>) -> EventTerms {
    let mut terms = EventTerms::default();
    while let Some(word) = words.peek() {
        match word {
            "current" => terms.current = true,
            "replace" => terms.replace = true,
            "all" => terms.all = true,
            "clear-host" => terms.change = EventChange::ClearHost,
            "clear-event" => terms.change = EventChange::ClearEvent,
            _ => break,
        }
        words.0.next();
    }
    terms
}

/// Bytes of a sector and of an area.
fn sizes(words: &mut Words<'_>) -> Result<Geometry, String> {
    let (sector, align) = (words.number("bytes of a sector")?, words.number("bytes of an area")?);
    Geometry::from_sizes(sector, align).ok_or_else(|| expected("sizes that exist", &format!("{sector} {align}")))
}

/// An operation on an index.
fn parse_operation(words: &mut Words<'_>) -> Result<IndexOperation, String> {
    const VERBS: &str = "format, create, delete, lookup, add, remove or rebuild";
    let verb = words.word(VERBS)?;
    Ok(match verb {
        "format" => {
            let geometry = sizes(words)?;
            IndexOperation::Format { geometry, max_resources: words.number("a number of entries")? }
        }
        "rebuild" => IndexOperation::Rebuild,
        "create" | "delete" | "lookup" | "add" | "remove" => {
            let name = words.name("the name of a resource")?;
            let number = words.number("a number")?;
            match verb {
                "create" => IndexOperation::Create { name, num_hosts: number },
                "delete" => IndexOperation::Delete { name, offset: number },
                "lookup" => IndexOperation::Lookup { name, offset: number },
                "add" => IndexOperation::Update { name, offset: number, change: IndexChange::Add },
                _ => IndexOperation::Update { name, offset: number, change: IndexChange::Remove },
            }
        }
        other => return Err(expected(VERBS, other)),
    })
}

/// What a line spells out.
#[derive(Default)]
struct Said {
    lver: Option<Lver>,
    num_hosts: Option<u64>,
    host_id: Option<HostId>,
    io_timeout: Option<u32>,
    place: Option<Place>,
}

impl Said {
    fn of(words: &mut Words<'_>, setup: &Setup, keys: &[&str]) -> Result<Said, String> {
        let mut said = Said::default();
        for word in words.0.by_ref() {
            let wanted = || expected(&format!("{}=...", keys.join("=..., ")), word);
            let (key, value) = word.split_once('=').filter(|(key, _)| keys.contains(key)).ok_or_else(wanted)?;
            let bad = |what: &str| expected(&format!("{key}={what}"), word);
            match key {
                "host_id" => said.host_id = Some(HostId(value.parse().map_err(|_| bad("a number"))?)),
                "lver" => said.lver = Some(Lver(value.parse().map_err(|_| bad("a number"))?)),
                "num_hosts" => said.num_hosts = Some(value.parse().map_err(|_| bad("a number"))?),
                "io_timeout" => said.io_timeout = Some(value.parse().map_err(|_| bad("seconds"))?),
                _ => {
                    let place = value
                        .split_once(':')
                        .and_then(|(on, offset)| Some(Place { disk: disk(on, setup)?, offset: offset.parse().ok()? }));
                    said.place = Some(place.ok_or_else(|| bad("d0:OFFSET"))?);
                }
            }
        }
        Ok(said)
    }
}

fn parse_host(words: &mut Words<'_>, host: Host, setup: &Setup) -> Result<Action, String> {
    let verbs = "wake, agent, power-loss, power-on, rename, kill, start, stall, resume, stop-clock, test, fire, path, jump-clock, \
        drift, step-wall-clock or split";
    Ok(match words.word(verbs)? {
        "wake" => {
            let word = words.word("a task")?;
            Action::Wake { host, task: words.task(word)? }
        }
        "agent" => {
            let verb = words.word(REQUESTS)?;
            let request = parse_request(words, verb, host, setup)?.ok_or_else(|| expected(REQUESTS, verb))?;
            Action::Ask { host, process: None, request }
        }
        "power-loss" => Action::PowerLoss { host },
        "power-on" => Action::PowerOn { host },
        "rename" => Action::Rename { host, name: words.name("a name")? },
        "kill" => match words.word("daemon or wdmd")? {
            "daemon" => Action::KillDaemon { host },
            "wdmd" => Action::KillWdmd { host },
            other => return Err(expected("daemon or wdmd", other)),
        },
        "start" => match words.word("daemon")? {
            "daemon" => Action::StartDaemon { host },
            other => return Err(expected("daemon", other)),
        },
        "stall" => Action::Stall { host, part: words.part()? },
        "resume" => Action::Resume { host, part: words.part()? },
        "stop-clock" => Action::StopClock { host },
        "test" => Action::Test { host },
        "fire" => Action::Fire { host },
        "path" => {
            let disk = words.disk(setup)?;
            let state = match words.word("open, hung, errno N or gone")? {
                "open" => PathState::Open,
                "hung" => PathState::Hung,
                "errno" => PathState::Failing(words.number("an errno")?),
                "gone" => PathState::Gone,
                other => return Err(expected("open, hung, errno N or gone", other)),
            };
            Action::SetPath { host, disk, state }
        }
        "jump-clock" => Action::JumpClock { host, micros: words.number("microseconds")? },
        "drift" => Action::SetDrift { host, ppm: words.number("parts per million")? },
        "step-wall-clock" => Action::StepWallClock { host },
        "split" => Action::SplitOff { host, disk: words.disk(setup)? },
        other => return Err(expected(verbs, other)),
    })
}
