//! Deeds of the script in which a client or an administrator says more than "acquire" and "release": their words in a
//! file, and how they are carried out.

use crate::clients::{ClientState, Program};
use crate::dice::Range;
use crate::faults::Fault;
use crate::reader::{BadScenario, Reader};
use crate::scenario::Deed;
use crate::simulate::Simulation;
use lease_core::format::{Leader, Name};
use lease_core::numbers::Lver;
use lease_core::seam::{Mode, Orphan, Request, Restricted, Setting, Terms};
use model::action::Part;
use model::setup::{Host, LockspaceIx, Process, ResourceIx};
use model::{Action, Illegal, Sink};
use std::sync::Arc;

type Read<T> = Result<T, BadScenario>;

/// What a process of the script does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientDeed {
    /// It asks for a resource on terms of its own.
    Acquire {
        /// The resource, by index.
        resource: u8,
        /// The terms.
        terms: Terms,
        /// Only if the version is still the one that it was told when it inquired last.
        as_known: bool,
    },
    /// It asks for a conversion.
    Convert {
        /// The resource, by index.
        resource: u8,
        /// The mode that it wants.
        mode: Mode,
        /// It does not wait for an owner that may be dead.
        nowait: bool,
    },
    /// It gives back what it holds, under another name.
    Rename {
        /// The resource, by index.
        resource: u8,
        /// The new name.
        name: Name,
    },
    /// It changes the value that holders hand on.
    SetLvb {
        /// The resource, by index.
        resource: u8,
        /// The value.
        value: u64,
    },
    /// It reads that value.
    GetLvb {
        /// The resource, by index.
        resource: u8,
    },
    /// It asks what it holds.
    Inquire,
    /// It names a program that is to be run in place of SIGTERM, and which does this.
    Killpath(Program),
    /// It wants some signals never to be sent to it.
    Restrict(Restricted),
    /// It is stopped (SIGSTOP). `lasts`: until it goes on.
    Stop,
    /// It goes on (SIGCONT).
    GoOn,
    /// It ends, and a child of it goes on using what it held.
    LeaveChild,
}

/// What an administrator does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdminDeed {
    /// Something is declared about a lockspace, by index.
    Config(u8, Setting),
    /// The daemon is to shut down. `lasts`: until it is started again after its end.
    Shutdown {
        /// Even if it has lockspaces.
        force: bool,
        /// The administrator waits for the end.
        wait: bool,
    },
    /// It is asked whether a lockspace, by index, is joined.
    InquireLockspace {
        /// Which.
        lockspace: u8,
        /// The administrator waits until it is not being joined or left any more.
        wait: bool,
    },
    /// A lockspace, by index, is left if nothing in it is in use.
    LeaveUnused(u8),
    /// The host, which is off, is installed anew, and goes by another name from its next boot on.
    Reinstall(Name),
    /// A resource, by index, is initialised by a tool that writes another version of the format.
    InitAs {
        /// Which.
        resource: u8,
        /// Major version of its leader.
        major: u16,
        /// Minor version of its leader.
        minor: u16,
    },
}

impl ClientDeed {
    /// The fault that it lets strike, if it is one.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        match self {
            ClientDeed::Stop => Some(Fault::ProcessStop),
            _ => None,
        }
    }
}

impl AdminDeed {
    /// The fault that it lets strike, if it is one.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        match self {
            AdminDeed::Config(_, Setting::Used) => Some(Fault::Used),
            AdminDeed::Shutdown { .. } => Some(Fault::Shutdown),
            AdminDeed::LeaveUnused(_) => Some(Fault::Leave),
            AdminDeed::Reinstall(_) => Some(Fault::Reinstall),
            AdminDeed::Config(..) | AdminDeed::InitAs { .. } | AdminDeed::InquireLockspace { .. } => None,
        }
    }
}

/// The first words of these deeds, before their arguments are read.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    AcquireOn,
    Convert,
    Rename,
    SetLvb,
    GetLvb,
    Inquire,
    Killpath,
    Restrict,
    Stop,
    GoOn,
    LeaveChild,
    Config,
    Shutdown,
    LeaveUnused,
    InquireLockspace,
    Reinstall,
    InitAs,
}

pub(crate) const VERBS: [(&str, Verb); 17] = [
    ("acquire-on", Verb::AcquireOn),
    ("convert", Verb::Convert),
    ("rename", Verb::Rename),
    ("set-lvb", Verb::SetLvb),
    ("get-lvb", Verb::GetLvb),
    ("inquire", Verb::Inquire),
    ("killpath", Verb::Killpath),
    ("restrict", Verb::Restrict),
    ("stop", Verb::Stop),
    ("go-on", Verb::GoOn),
    ("leave-child", Verb::LeaveChild),
    ("config", Verb::Config),
    ("shutdown", Verb::Shutdown),
    ("leave-unused", Verb::LeaveUnused),
    ("inquire-lockspace", Verb::InquireLockspace),
    ("reinstall", Verb::Reinstall),
    ("init-as", Verb::InitAs),
];

impl Verb {
    /// Whether it leaves the tolerance.
    pub(crate) const fn beyond(self) -> bool {
        matches!(self, Verb::InitAs)
    }

    /// Reads the rest of an event. Which process, lockspace and resource it is about was read already.
    pub(crate) fn deed(self, table: &mut Reader<'_>, (process, lockspace, resource): (u8, u8, u8)) -> Read<Deed> {
        const MODES: [(&str, Mode); 2] = [("exclusive", Mode::Exclusive), ("shared", Mode::Shared)];
        let deed = match self {
            Verb::AcquireOn => {
                let orphans = [("refused", Orphan::Refused), ("adopted", Orphan::Adopted), ("only", Orphan::Only)];
                let number = |table: &mut Reader<'_>, key| table.number(key, Range { low: 0, high: u64::MAX });
                let terms = Terms {
                    mode: table.word("mode", &MODES)?.map_or(Mode::Exclusive, |found| found.value),
                    nowait: table.yes("nowait", false)?,
                    lvb: table.yes("lvb", false)?,
                    persistent: table.yes("persistent", false)?,
                    orphan: table.word("orphan", &orphans)?.map_or(Orphan::Refused, |found| found.value),
                    lver: Lver(number(table, "lver")?.map_or(0, |found| found.value)),
                    num_hosts: number(table, "num_hosts")?.map_or(0, |found| found.value),
                };
                ClientDeed::Acquire { resource, terms, as_known: table.yes("as_known", false)? }
            }
            Verb::Convert => match table.word("mode", &MODES)? {
                Some(found) => ClientDeed::Convert { resource, mode: found.value, nowait: table.yes("nowait", false)? },
                None => return Err(table.bad(table.at(), "mode", "\"shared\" or \"exclusive\"", "nothing")),
            },
            Verb::Rename => match table.text("name")? {
                Some(found) => match Name::from_text(&found.value).filter(|_| (1..=47).contains(&found.value.len())) {
                    Some(name) => ClientDeed::Rename { resource, name },
                    None => return Err(table.bad(found.at, "name", "from 1 to 47 bytes", found.value.len())),
                },
                None => return Err(table.bad(table.at(), "name", "the new name of the resource", "nothing")),
            },
            Verb::SetLvb => {
                let value = table.number("value", Range { low: 0, high: u64::MAX })?.map_or(0, |found| found.value);
                ClientDeed::SetLvb { resource, value }
            }
            Verb::GetLvb => ClientDeed::GetLvb { resource },
            Verb::Inquire => ClientDeed::Inquire,
            Verb::Killpath => match table.word("program", &Program::WORDS)? {
                Some(found) => ClientDeed::Killpath(found.value),
                None => return Err(table.bad(table.at(), "program", "what it does: program = \"pauses\"", "nothing")),
            },
            Verb::Restrict => {
                let (kill, term) = (table.yes("kill", false)?, table.yes("term", false)?);
                ClientDeed::Restrict(Restricted { kill, term })
            }
            Verb::Stop => ClientDeed::Stop,
            Verb::GoOn => ClientDeed::GoOn,
            Verb::LeaveChild => ClientDeed::LeaveChild,
            Verb::Config => {
                let settings = [
                    ("used", Setting::Used),
                    ("unused", Setting::Unused),
                    ("used-by-orphans", Setting::UsedByOrphans),
                    ("unused-by-orphans", Setting::UnusedByOrphans),
                ];
                return match table.word("setting", &settings)? {
                    Some(found) => Ok(Deed::Admin(AdminDeed::Config(lockspace, found.value))),
                    None => Err(table.bad(table.at(), "setting", "what is declared: setting = \"used\"", "nothing")),
                };
            }
            Verb::Shutdown => {
                let (force, wait) = (table.yes("force", false)?, table.yes("wait", false)?);
                return Ok(Deed::Admin(AdminDeed::Shutdown { force, wait }));
            }
            Verb::InquireLockspace => {
                let wait = table.yes("wait", false)?;
                return Ok(Deed::Admin(AdminDeed::InquireLockspace { lockspace, wait }));
            }
            Verb::LeaveUnused => return Ok(Deed::Admin(AdminDeed::LeaveUnused(lockspace))),
            Verb::Reinstall => {
                let Some(found) = table.text("name")? else {
                    return Err(table.bad(table.at(), "name", "the new name of the host", "nothing"));
                };
                return match Name::from_text(&found.value).filter(|_| (1..=47).contains(&found.value.len())) {
                    Some(name) => Ok(Deed::Admin(AdminDeed::Reinstall(name))),
                    None => Err(table.bad(found.at, "name", "from 1 to 47 bytes", found.value.len())),
                };
            }
            Verb::InitAs => {
                let version = Range { low: 0, high: u64::from(u16::MAX) };
                let mut part = |key, usual| -> Read<u16> {
                    Ok(table.number(key, version)?.map_or(usual, |found| found.value as u16))
                };
                let (major, minor) = (part("major", 6)?, part("minor", 4)?);
                return Ok(Deed::Admin(AdminDeed::InitAs { resource, major, minor }));
            }
        };
        Ok(Deed::Client(process, deed))
    }
}

impl<S: Sink> Simulation<'_, S> {
    /// A process of the script does something.
    pub(crate) fn client_deed(
        &mut self,
        host: Host,
        number: u8,
        deed: &ClientDeed,
        lasts: Option<u64>,
    ) -> Result<(), Illegal> {
        let process = Process(number);
        let entry = self.hosts[usize::from(host.0)].clients[usize::from(number)].entry;
        let named = |resource: u8| {
            let area = &self.case.setup.resources[usize::from(resource)];
            (self.case.setup.lockspaces[usize::from(area.lockspace.0)].name, area.name)
        };
        let (resource, request) = match deed {
            ClientDeed::Acquire { resource, terms, as_known } => {
                let known = self.known_version(host, process);
                let lver = if *as_known { known } else { terms.lver };
                self.ask_on_terms(entry, host, process, ResourceIx(*resource), Terms { lver, ..*terms });
                return Ok(());
            }
            ClientDeed::Killpath(program) => return self.name_killpath(host, process, *program),
            ClientDeed::Restrict(signals) => {
                return self.act(Action::Ask { host, process: Some(process), request: Request::Restrict(*signals) });
            }
            ClientDeed::Inquire => {
                return self.act(Action::Ask { host, process: Some(process), request: Request::Inquire });
            }
            ClientDeed::Stop => return self.stall(host, Part::Process(process), lasts),
            ClientDeed::GoOn => return self.resume(host, Part::Process(process)),
            ClientDeed::LeaveChild => {
                self.act(Action::LeaveChild { host, process })?;
                self.ended(host, process, true);
                return Ok(());
            }
            ClientDeed::Rename { resource, name } => {
                self.ask_to_give_back(entry, host, process, ResourceIx(*resource), Some(*name));
                return Ok(());
            }
            ClientDeed::Convert { resource, mode, nowait } => {
                let (lockspace, name) = named(*resource);
                (resource, Request::Convert { lockspace, resource: name, mode: *mode, nowait: *nowait })
            }
            ClientDeed::SetLvb { resource, value } => {
                let (lockspace, name) = named(*resource);
                let value = Arc::from(value.to_le_bytes());
                (resource, Request::SetLvb { lockspace, resource: name, value })
            }
            ClientDeed::GetLvb { resource } => {
                let (lockspace, name) = named(*resource);
                (resource, Request::GetLvb { lockspace, resource: name })
            }
        };
        self.ask_about_hold(entry, host, process, ClientState::Busy(ResourceIx(*resource)), request);
        Ok(())
    }

    /// An administrator does something.
    pub(crate) fn admin_deed(&mut self, host: Host, deed: &AdminDeed, lasts: Option<u64>) -> Result<(), Illegal> {
        match deed {
            AdminDeed::Config(lockspace, setting) => self.declare(host, LockspaceIx(*lockspace), *setting),
            AdminDeed::Shutdown { force, wait } => self.ask_shutdown(host, *force, *wait, lasts),
            AdminDeed::InquireLockspace { lockspace, wait } => {
                let name = self.case.setup.lockspaces[usize::from(*lockspace)].name;
                let request = Request::InquireLockspace { name, wait: *wait };
                self.act(Action::Ask { host, process: None, request })
            }
            AdminDeed::LeaveUnused(lockspace) => self.ask_leave(host, LockspaceIx(*lockspace), true),
            AdminDeed::Reinstall(name) => self.act(Action::Rename { host, name: *name }),
            AdminDeed::InitAs { resource, major, minor } => {
                let area = &self.case.setup.resources[usize::from(*resource)];
                let space = self.case.setup.lockspaces[usize::from(area.lockspace.0)].name;
                let version = u32::from(*major) << 16 | u32::from(*minor);
                let leader = Leader { version, ..Leader::fresh(area.geometry, space, area.name, area.num_hosts) };
                let (disk, offset) = (area.place.disk, area.place.offset);
                self.act(Action::Edit { disk, offset, bytes: leader.sector() })
            }
        }
    }

    pub(crate) fn declare(&mut self, host: Host, lockspace: LockspaceIx, setting: Setting) -> Result<(), Illegal> {
        let lockspace = self.case.setup.lockspaces[usize::from(lockspace.0)].name;
        self.act(Action::Ask { host, process: None, request: Request::SetConfig { lockspace, setting } })
    }

    /// The daemon is to end. If it does, it is started again after `lasts`.
    pub(crate) fn ask_shutdown(
        &mut self,
        host: Host,
        force: bool,
        wait: bool,
        lasts: Option<u64>,
    ) -> Result<(), Illegal> {
        // Before the world hears of it, for the daemon may end within the step.
        let before = std::mem::replace(&mut self.hosts[usize::from(host.0)].returns_after, lasts);
        let asked = self.act(Action::Ask { host, process: None, request: Request::Shutdown { force, wait } });
        if asked.is_err() {
            self.hosts[usize::from(host.0)].returns_after = before;
        }
        asked
    }
}
