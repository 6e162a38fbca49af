//! A daemon's status in sanlock's own words: `client status`, `host_status`, `renewal`, `gets` and `inquire`, as 3.8.5
//! prints them (daemon §7), so that a reproduced incident can be laid beside what the operator saw.
//!
//! What has no meaning in an engine without processes and files is printed with a fixed value: 0 for the numbers of file
//! descriptors, of the helper process and of resources and tokens (`fd`, `helper_*`, `uid`, `gid`, `res_id`, `token_id`),
//! and what 3.8.5 compiles in for options that the engine has no use for (`quiet_fail`, `debug_*`, `max_sectors_kb_*`,
//! `mlock_level` and so on). A pid is the number of the process in its scenario, `ci` that number behind the daemon's own
//! two connections, `space_id` the engine's number of the lockspace, counted from 1, and a path is the name of the disk: `d0`.
//!
//! It refuses to guess: what the engine does not know, and nobody gathered, is not printed as if it were known.

use lease_core::Refusal;
use lease_core::format::Name;
use lease_core::numbers::Second;
use lease_core::seam::Mode;
use lease_core::seam::{HostState, Place};
use lease_core::told::{ListName, ToldClient, ToldResource};
use scenarios::status::{ClientAt, HostAt, LockspaceAt};
use std::fmt::Write;

/// Which of the daemon's answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// `client status`
    Status,
    /// `client host_status`
    HostStatus,
    /// `client renewal`
    Renewal,
    /// `client gets -h 1`
    Gets,
    /// `client inquire`, for each client
    Inquire,
}

/// The answer. `space` names the one lockspace that it is about, where that can be asked; `detail` is `-D`.
pub fn text(host: &HostAt, what: What, space: Option<&Name>, detail: bool) -> String {
    let wanted = |lockspace: &&LockspaceAt| space.is_none_or(|name| lockspace.told.name.same(name));
    let lockspaces: Vec<&LockspaceAt> = host.lockspaces.iter().filter(wanted).collect();
    match what {
        What::Status => status(host, detail),
        What::HostStatus => host_status(&lockspaces, space.is_some(), detail),
        What::Renewal => lockspaces.first().map_or_else(String::new, |lockspace| renewal(lockspace)),
        What::Gets => gets(&host.lockspaces),
        What::Inquire => host.clients.iter().map(|client| inquire(host, client)).collect(),
    }
}

/// Lines `key=value`, indented.
struct Keys(String);

impl Keys {
    fn add(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Keys {
        let written = writeln!(self.0, "    {key}={value}");
        written.expect("a string takes everything");
        self
    }

    fn zeros(&mut self, keys: &[&str]) -> &mut Keys {
        for key in keys {
            self.add(key, 0);
        }
        self
    }
}

fn keys() -> Keys {
    Keys(String::new())
}

fn spelled(place: Place) -> String {
    format!("d{}:{}", place.disk.0, place.offset)
}

/// The version, or that it is shared.
fn version(resource: &ToldResource) -> String {
    match resource.mode {
        Mode::Exclusive => resource.lver.to_string(),
        Mode::Shared => "SH".to_owned(),
    }
}

fn list(list: ListName) -> &'static str {
    match list {
        ListName::Spaces => "spaces",
        ListName::Held => "held",
        ListName::Add => "add",
        ListName::Rem => "rem",
        ListName::Orphan => "orphan",
    }
}

fn status(host: &HostAt, detail: bool) -> String {
    let mut text = format!("daemon {}\n", host.config.host_name);
    let details = |told: Keys| if detail { told.0 } else { String::new() };
    text += &details(daemon(host));
    let mut process = |number: i64, name: &str, ci: u32, cmd_last: u32, command: bool, told: Option<ToldClient>| {
        text += &format!("p {number} {name}\n");
        text += &details(client(number, ci, cmd_last, command, told));
    };
    process(-1, "helper", 0, 0, false, None);
    process(-1, "listener", 1, 0, false, None);
    for ClientAt { process: number, renamed, cmd_last, told } in &host.clients {
        // "The name is the pid text until the first acquire overwrites it with options.owner_name, normally empty."
        let name = if *renamed { String::new() } else { number.0.to_string() };
        let command = told.is_some_and(|told| told.command);
        process(i64::from(number.0), &name, 2 + u32::from(number.0), *cmd_last, command, *told);
    }
    let next = host.clients.iter().map(|client| u32::from(client.process.0) + 3).max().unwrap_or(2);
    process(-1, "status", next, 5, false, None);
    for lockspace in &host.lockspaces {
        let told = &lockspace.told;
        let flag = match told.list {
            ListName::Add => " ADD",
            ListName::Rem => " REM",
            _ => "",
        };
        text += &format!("s {}:{}:{}{flag}\n", told.name, told.host_id, spelled(told.place));
        text += &details(space(host, lockspace));
    }
    for resource in &host.resources {
        let ToldResource { list: on, lockspace, resource: name, place, client, .. } = *resource;
        let version = version(resource);
        let flag = match on {
            ListName::Add => " ADD",
            ListName::Rem => " REM",
            ListName::Orphan => " ORPHAN",
            _ => "",
        };
        let pid = client.map_or(0, |client| client.0);
        text += &format!("r {lockspace}:{name}:{}:{version} p {pid}{flag}\n", spelled(place));
        text += &details(token(resource));
    }
    text
}

fn daemon(host: &HostAt) -> Keys {
    let parameters = host.config.parameters;
    let mut told = keys();
    told.add("our_host_name", host.config.host_name)
        .add("use_watchdog", u8::from(parameters.use_watchdog))
        .add("high_priority", 0)
        .add("mlock_level", 1)
        .add("quiet_fail", 1)
        .zeros(&["debug_renew", "debug_clients"])
        .add("debug_cmds", "0xfffffffffe06ffff")
        .add("renewal_history_size", 180)
        .zeros(&["gid", "uid"])
        .add("sh_retries", 8)
        .zeros(&["max_sectors_kb_ignore", "max_sectors_kb_align"])
        .add("max_sectors_kb_num", 1024)
        .add("max_worker_threads", parameters.workers)
        .add("write_init_io_timeout", 60)
        .add("use_aio", 1)
        .add("kill_grace_seconds", parameters.kill_grace)
        .zeros(&["helper_pid", "helper_kill_fd", "helper_full_count", "helper_last_status"])
        .add("monotime", host.now.second())
        .add("version_str", "3.8.5")
        .add("version_num", "3.8.5")
        .add("version_hex", "03080500")
        .add("smproto_hex", "00000001");
    told
}

fn client(pid: i64, ci: u32, cmd_last: u32, command: bool, known: Option<ToldClient>) -> Keys {
    let mut told = keys();
    told.add("ci", ci)
        .add("fd", 0)
        .add("pid", pid)
        .add("flags", 0)
        .add("restricted", restricted(known))
        .add("cmd_active", if command { cmd_last } else { 0 })
        .add("cmd_last", cmd_last)
        .add("pid_dead", u8::from(known.is_some_and(|known| known.hung_up)))
        .add("kill_count", known.map_or(0, |known| known.kill_count))
        .add("kill_last", known.map_or(Second::NEVER, |known| known.kill_last))
        .zeros(&["suspend", "need_free"]);
    told
}

/// The flags of a restriction, as a client sends them.
fn restricted(client: Option<ToldClient>) -> u8 {
    let signals = client.map(|client| client.restricted).unwrap_or_default();
    u8::from(signals.kill) << 1 | u8::from(signals.term) << 2
}

fn space(host: &HostAt, lockspace: &LockspaceAt) -> Keys {
    let LockspaceAt { told: known, past } = lockspace;
    let extend = host.config.parameters.renewal_read_extend.unwrap_or(known.io_timeout);
    let mut told = keys();
    told.add("list", list(known.list))
        .add("space_id", u32::from(known.id.0) + 1)
        .add("io_timeout", known.io_timeout)
        .add("sector_size", known.geometry.sector())
        .add("align_size", known.geometry.align())
        .add("host_generation", known.generation)
        .add("renew_fail", u8::from(past.renew_fail))
        .add("space_dead", u8::from(known.killing))
        .add("killing_pids", u8::from(known.killing))
        .add("used_retries", 0)
        .add("external_used", u8::from(known.used))
        .add("used_by_orphans", u8::from(known.used_by_orphans))
        .add("renewal_read_extend_sec", extend)
        .add("set_max_sectors_kb", 0)
        .add("corrupt_result", known.corrupt.map_or(0, Refusal::code))
        .add("acquire_last_result", past.acquire_last_result)
        .add("renewal_last_result", past.renewal_last_result)
        .add("acquire_last_attempt", past.acquire_last_attempt)
        .add("acquire_last_success", past.acquire_last_success)
        .add("renewal_last_attempt", past.renewal_last_attempt)
        .add("renewal_last_success", known.last_success);
    told
}

fn token(resource: &ToldResource) -> Keys {
    let mut told = keys();
    told.add("list", list(resource.list))
        .add("flags", 0)
        .add("sector_size", resource.geometry.sector())
        .add("align_size", resource.geometry.align())
        .add("lver", resource.lver)
        .zeros(&["reused", "res_id", "token_id"]);
    told
}

fn host_status(lockspaces: &[&LockspaceAt], one: bool, detail: bool) -> String {
    let mut text = String::new();
    for LockspaceAt { told, .. } in lockspaces {
        if !one {
            text += &format!("lockspace {}\n", told.name);
        }
        for host in &told.hosts {
            if host.last_live == Second::NEVER && host.owner_id.0 == 0 {
                continue;
            }
            text += &format!("{} timestamp {}\n", host.host_id, host.timestamp);
            if detail {
                let mut keys = keys();
                keys.add("last_check", told.last_check)
                    .add("last_live", host.last_live)
                    .add("last_req", host.last_req)
                    .add("owner_id", host.owner_id)
                    .add("owner_generation", host.owner_generation)
                    .add("timestamp", host.timestamp)
                    .add("io_timeout", host.io_timeout)
                    .add("owner_name", host.owner_name);
                text += &keys.0;
            }
        }
    }
    text
}

fn renewal(lockspace: &LockspaceAt) -> String {
    let line = |renewal: &scenarios::status::Renewal| {
        let scenarios::status::Renewal { timestamp, read_ms, write_ms, next_timeouts, next_errors } = renewal;
        format!(
            "timestamp={timestamp} read_ms={read_ms} write_ms={write_ms} next_timeouts={next_timeouts} \
             next_errors={next_errors}\n"
        )
    };
    lockspace.past.renewals.iter().map(line).collect()
}

fn gets(lockspaces: &[LockspaceAt]) -> String {
    let mut text = String::new();
    for LockspaceAt { told, .. } in lockspaces {
        let flag = match told.list {
            ListName::Add => "ADD ",
            ListName::Rem => "REM ",
            _ => "",
        };
        text += &format!("s {}:{}:{} {flag}\n", told.name, told.host_id, spelled(told.place));
        match &told.states {
            Ok(hosts) => {
                for host in hosts {
                    let state = match host.state {
                        HostState::Unknown => "UNKNOWN",
                        HostState::Free => "FREE",
                        HostState::Live => "LIVE",
                        HostState::Fail => "FAIL",
                        HostState::Dead => "DEAD",
                    };
                    let (id, generation, timestamp) = (host.host_id, host.generation, host.timestamp);
                    text += &format!("h {id} gen {generation} timestamp {timestamp} {state}\n");
                }
            }
            Err(Refusal::Again) => text += "hosts not ready\n",
            Err(why) => text += &format!("hosts error {}\n", why.code()),
        }
    }
    text
}

fn inquire(host: &HostAt, client: &ClientAt) -> String {
    let pid = client.process.0;
    let mut text = format!("inquire pid {pid}\n");
    // "Serialisation: → -16 if one is active."
    if client.told.is_some_and(|told| told.command) {
        return text + &format!("inquire done {} res_count 0\n", Refusal::Busy.code());
    }
    let held = host
        .resources
        .iter()
        .filter(|resource| resource.list == ListName::Held && resource.client.is_some_and(|holder| holder.0 == pid));
    let held: Vec<String> = held
        .map(|held| format!("{}:{}:{}:{}", held.lockspace, held.resource, spelled(held.place), version(held)))
        .collect();
    text += &format!("inquire done 0 res_count {}\n", held.len());
    if !held.is_empty() {
        text += &format!("\"{}\"\n", held.join(" "));
    }
    text
}
