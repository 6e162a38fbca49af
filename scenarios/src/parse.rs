//! The words of a scenario file, and every mistake in one that can be found before it runs.
//!
//! A file opens with a comment that tells the story. Then come tables; all but `[[resource]]` may be left out:
//!
//! ```toml
//! # Host A loses power while it holds the lease.
//!
//! [cluster]
//! hosts = 3              # A, B, C with the ids 1, 2, 3; or one [[host]] table each
//! io_timeout = "10..20"  # any number or duration may be a range: each seed draws from it
//!
//! [[resource]]
//! name = "R1"            # sector = "4096" and align = "8M" where it has other sizes than the [disk]
//!
//! [workload]
//! hold = "5s..60s"
//!
//! [faults.cut-one]
//! every = "60s..300s"
//! lasts = "10s..100s"
//!
//! [[event]]
//! after = "grant"
//! at = "5s"              # after the grant
//! host = "A"
//! do = "power-loss"
//! lasts = "60s..300s"
//!
//! [run]
//! duration = "300s"
//!
//! [expect]
//! hardened = "holds"
//! sanlock_3_8_5 = "holds"
//! ```

mod areas;
mod events;

use crate::check::CheckPlan;
use crate::decisions::Decisions;
use crate::deeds;
use crate::dice::Range;
use crate::faults::{Fault, FaultWish, Mix, PerFault, Trigger};
use crate::known::KNOWN_BUGS;
use crate::reader::{BadScenario, Found, Reader, Source};
use crate::scenario::{
    Anchor, Deed, Expected, HostPlan, LockspacePlan, Moment, ProfileName, ResourcePlan, RunPlan, Scenario,
    ScriptedEvent, Signed, Style, Workload, letter,
};
use events::hex;
use lease_core::seam::{LsId, Task};
use model::action::Part;
use model::history::Property;
use model::limits::Budget;
use model::setup::Device;
use sim_disk::PathState;
use std::path::Path;

type Read<T> = Result<T, BadScenario>;

const ANY: Range = Range { low: 0, high: u64::MAX };
/// EIO, what a path that fails answers unless a scenario says otherwise.
const EIO: u16 = 5;

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// One line that says where, what was expected and what was found.
    pub fn load(path: &Path) -> Result<Scenario, BadScenario> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| BadScenario {
            file: file.clone(),
            line: 1,
            what: format!("expected a readable scenario file, found: {error}"),
        })?;
        let name = path.file_stem().map_or_else(|| file.clone(), |stem| stem.to_string_lossy().into_owned());
        Scenario::parse(&name, &file, &text)
    }

    /// Reads a scenario from its text. `file` is only told in errors.
    ///
    /// # Errors
    ///
    /// One line that says where, what was expected and what was found.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Scenario, BadScenario> {
        let source = Source { file, text };
        let story = opening_comment(text);
        if story.is_empty() {
            return Err(source.bad(0, "expected a comment that tells the story, found none"));
        }
        let mut reader = Reader::file(source)?;
        let scenario = read(&mut reader, name, file, text, story)?;
        reader.finish()?;
        Ok(scenario)
    }
}

fn opening_comment(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn read(reader: &mut Reader<'_>, name: &str, file: &str, text: &str, story: String) -> Read<Scenario> {
    let small = reader.has("check");
    // What is expected says whether the tolerance is left, and that decides what may stand elsewhere.
    let (beyond, bugs, expect_sanlock, expect_hardened) = reader.table("expect", |expect| {
        let beyond = expect.yes("beyond", false)?;
        Ok((beyond, bugs(expect)?, expected(expect, "sanlock_3_8_5", small)?, expected(expect, "hardened", small)?))
    })?;
    let check = match small {
        true => Some(reader.table("check", |table| Ok((table.at(), CheckPlan::read(table, beyond)?)))?),
        false => None,
    };
    let twins = check.as_ref().is_some_and(|(_, check)| check.is_about_host_ids());
    let allowed = Allowed { beyond, small, twins };
    let geometry = reader.table("disk", areas::disk)?;
    let hosts = hosts(reader, allowed, geometry.max_hosts())?;
    let lockspaces = areas::lockspaces(reader, geometry)?;
    let resources = areas::resources(reader, geometry, &lockspaces, &hosts, beyond)?;
    let indices = areas::indices(reader, geometry, &lockspaces, &resources)?;
    if small && !indices.is_empty() {
        return Err(reader.bad(0, "[[index]]", "none in a world that is decided completely", "one"));
    }
    let workload = reader.table("workload", workload)?;
    let (latency, mix, faults) = reader.table("faults", |table| faults(table, beyond, &hosts))?;
    let names = Names {
        hosts: &hosts,
        lockspaces: &lockspaces,
        resources: &resources,
        indices: indices.len(),
        sector: geometry.sector(),
        beyond,
    };
    let script = reader.array("event", |_, event| names.event(event))?;
    let limits = reader.table("limits", limits)?;
    let run = reader.table("run", |run| {
        Ok(RunPlan {
            duration: run.durations("duration")?.map_or(Range::secs(300, 900), |found| found.value),
            heal: run.yes("heal", true)?,
            bound: run.durations("bound")?.map(|found| found.value.high),
        })
    })?;
    if let Some(check) = &check {
        let (at, check) = check;
        check.fits(&hosts, &resources).map_err(|(expected, found)| reader.bad(*at, "[check]", expected, found))?;
        if check.states.is_none() && [&expect_sanlock, &expect_hardened].contains(&&Expected::HoldsWithinBound) {
            let expected = "states = N, for \"holds within the bound\" is expected";
            return Err(reader.bad(*at, "[check]", expected, "no bound"));
        }
    }
    Ok(Scenario {
        name: name.to_owned(),
        file: file.to_owned(),
        text: text.to_owned(),
        story,
        beyond,
        geometry,
        hosts,
        lockspaces,
        resources,
        indices,
        workload,
        latency,
        mix,
        faults,
        script,
        limits,
        run,
        check: check.map(|(_, check)| check),
        decisions: reader.table("decisions", Decisions::read)?,
        expect_sanlock,
        expect_hardened,
        bugs,
    })
}

/// What a file may say that others may not.
#[derive(Clone, Copy)]
struct Allowed {
    /// It leaves the tolerance.
    beyond: bool,
    /// It is a world to be decided completely, where numbers are small and constants are scaled.
    small: bool,
    /// Hosts may share a host id.
    twins: bool,
}

fn expected(table: &mut Reader<'_>, key: &'static str, small: bool) -> Read<Expected> {
    let Some(found) = table.text(key)? else { return Ok(Expected::Holds) };
    match found.value.split_once(' ') {
        None if found.value == "holds" => Ok(Expected::Holds),
        Some(("holds", "within the bound")) if small => Ok(Expected::HoldsWithinBound),
        Some(("violated", property)) if Property::from_id(property).is_some() => {
            Ok(Expected::Violated(property.to_owned()))
        }
        _ => {
            let expected = "\"holds\" or a property: \"violated I-EX\"";
            Err(table.bad(found.at, key, expected, format!("{:?}", found.value)))
        }
    }
}

/// What a host is unless something else is said.
fn usual_host(index: usize, label: String) -> HostPlan {
    // Hosts booted at different times: a comparison of two hosts' clocks must not go unnoticed.
    let booted = 100_000 * (index as u64 + 1);
    HostPlan {
        host_name: format!("host{label}"),
        label,
        host_id: index as u64 + 1,
        io_timeout: Range::exactly(10),
        watchdog: None,
        device: Device::Exact,
        use_watchdog: true,
        test_interval: 10,
        renewal_interval: 2,
        failure_age: 8,
        profile: None,
        kill_grace: 40,
        drift_ppm: Signed { low: 0, high: 0 },
        clock: Range::secs(booted, booted + 50_000),
        workers: 8,
        read_extend: None,
        starts: Range::secs(0, 20),
    }
}

fn hosts(reader: &mut Reader<'_>, allowed: Allowed, max_hosts: u64) -> Read<Vec<HostPlan>> {
    let beyond = allowed.beyond;
    let (count, cluster) = reader.table("cluster", |cluster| {
        let count = cluster.number("hosts", Range::new(1, 32))?;
        let mut usual = usual_host(0, String::new());
        if allowed.small {
            // One request at a time, so that a daemon that is busy and one that is not differ in nothing else.
            usual.workers = 1;
            if let Some(found) = cluster.number("renewal_interval", Range::new(1, 16))? {
                usual.renewal_interval = found.value;
            }
            if let Some(found) = cluster.number("failure_age", Range::new(2, 64))? {
                usual.failure_age = found.value;
            }
        }
        host_keys(cluster, &mut usual, allowed)?;
        // Every host assumes its own fire timeout of the others, so there is one for all unless a host says otherwise.
        usual.watchdog = Some(usual.watchdog.unwrap_or(Range::exactly(60)));
        Ok((count, usual))
    })?;
    let made = |index: usize, label: String| {
        let own = usual_host(index, label);
        HostPlan {
            host_name: own.host_name,
            label: own.label,
            host_id: own.host_id,
            clock: own.clock,
            ..cluster.clone()
        }
    };
    let mut listed: Vec<(usize, HostPlan)> = Vec::new();
    let tables = reader.array("host", |index, host| {
        let label = host.text("label")?.map_or_else(|| letter(index), |found| found.value);
        let mut plan = made(index, label.clone());
        if let Some(id) = host.number("id", Range::new(1, max_hosts))? {
            plan.host_id = id.value;
        }
        if let Some(name) = host.text("name")? {
            if name.value.is_empty() || name.value.len() > 47 {
                return Err(host.bad(name.at, "name", "from 1 to 47 bytes", name.value.len()));
            }
            plan.host_name = name.value;
        }
        let profiles = ProfileName::ALL.map(|profile| (profile.id(), profile));
        plan.profile = host.word("profile", &profiles)?.map(|found| found.value);
        host_keys(host, &mut plan, allowed)?;
        if let Some((_, twin)) = listed.iter().find(|(_, other)| other.label == label) {
            return Err(host.bad(host.at(), "label", "a label of its own", format!("{:?} again", twin.label)));
        }
        let same_id = |other: &HostPlan| other.host_id == plan.host_id && !allowed.twins;
        let twin = listed.iter().find(|(_, other)| same_id(other) || other.host_name == plan.host_name);
        if let (Some((_, twin)), false) = (twin, beyond) {
            let (key, found) = match same_id(twin) {
                true => ("id", format!("{} again (hosts {} and {label})", plan.host_id, twin.label)),
                false => ("name", format!("{:?} again (hosts {} and {label})", plan.host_name, twin.label)),
            };
            return Err(host.bad(host.at(), key, "one of its own, or [expect] beyond = true", found));
        }
        if let (Some(_), false) = (listed.iter().find(|(_, other)| other.watchdog != plan.watchdog), beyond) {
            let expected = "the same on all hosts, or [expect] beyond = true";
            return Err(host.bad(host.at(), "watchdog", expected, "different ones"));
        }
        listed.push((index, plan.clone()));
        Ok(plan)
    })?;
    match count {
        Some(count) if !tables.is_empty() && count.value != tables.len() as u64 => {
            let expected = format!("{}, for there are so many [[host]] tables", tables.len());
            Err(reader.bad(count.at, "[cluster] hosts", expected, count.value))
        }
        _ if !tables.is_empty() => Ok(tables),
        count => {
            let count = count.map_or(3, |found| found.value) as usize;
            Ok((0..count).map(|index| made(index, letter(index))).collect())
        }
    }
}

/// The keys that stand for all hosts in `[cluster]` and for one in `[[host]]`.
fn host_keys(table: &mut Reader<'_>, plan: &mut HostPlan, allowed: Allowed) -> Read<()> {
    let beyond = allowed.beyond;
    let bounds = if beyond || allowed.small { Range::new(1, 255) } else { Range::new(3, 255) };
    if let Some(found) = table.numbers("io_timeout", bounds)? {
        plan.io_timeout = found.value;
    }
    if let Some(found) = table.numbers("watchdog", Range::new(2, 600))? {
        plan.watchdog = Some(found.value);
    }
    let devices = [
        ("exact", Device::Exact),
        ("late", Device::Late { percent: 200 }),
        ("broken", Device::Broken),
        ("frozen", Device::FrozenWithHost),
    ];
    if let Some(found) = table.word("device", &devices)? {
        if found.value != Device::Exact && !beyond {
            return Err(table.bad(found.at, "device", "\"exact\", or [expect] beyond = true", "another"));
        }
        plan.device = found.value;
    }
    let used = table.yes("use_watchdog", plan.use_watchdog)?;
    if !used && !beyond {
        return Err(table.bad(table.at(), "use_watchdog", "true, or [expect] beyond = true", "false"));
    }
    plan.use_watchdog = used;
    if let Some(found) = table.number("test_interval", Range::new(1, 600))? {
        plan.test_interval = found.value;
    }
    if let Some(found) = table.number("kill_grace", Range::new(0, 600))? {
        plan.kill_grace = found.value;
    }
    let drift = if beyond { 500_000 } else { 200 };
    if let Some(found) = table.signed("drift_ppm", Signed { low: -drift, high: drift })? {
        plan.drift_ppm = found.value;
    }
    if let Some(found) = table.number("workers", Range::new(1, 64))? {
        plan.workers = found.value as u8;
    }
    if let Some(found) = table.number("read_extend", Range::new(0, 600))? {
        plan.read_extend = Some(found.value);
    }
    if let Some(found) = table.durations("starts")? {
        plan.starts = found.value;
    }
    if let Some(found) = table.durations("clock")? {
        if found.value.low < 1_000_000_000 {
            let expected = "at least \"1000s\": zero means never, and no age may reach back to it";
            return Err(table.bad(found.at, "clock", expected, "less"));
        }
        plan.clock = found.value;
    }
    Ok(())
}

fn workload(table: &mut Reader<'_>) -> Read<Workload> {
    let styles = [("contend", Style::Contend), ("failover", Style::Failover), ("own", Style::Own)];
    let mut duration =
        |key, usual: Range| -> Read<Range> { Ok(table.durations(key)?.map_or(usual, |found| found.value)) };
    let hold = duration("hold", Range::secs(0, 30))?;
    let idle = duration("idle", Range::secs(0, 10))?;
    let retry = duration("retry", Range::millis(500, 5_000))?;
    let respawn = duration("respawn", Range::millis(100, 10_000))?;
    let term_exit = duration("term_exit", Range::millis(10, 10_000))?;
    let kill_exit = duration("kill_exit", Range::millis(1, 1_000))?;
    let orphan_exit = duration("orphan_exit", Range::secs(0, 300))?;
    let rejoin = duration("rejoin", Range::millis(100, 10_000))?;
    let reboot = duration("reboot", Range::secs(20, 120))?;
    let inquire = duration("inquire", Range::secs(20, 60))?;
    let index = duration("index", Range::exactly(0))?;
    Ok(Workload {
        processes: table.numbers("processes", Range::new(0, 16))?.map_or(Range::exactly(2), |found| found.value),
        style: table.word("style", &styles)?.map_or(Style::Contend, |found| found.value),
        hold,
        zero_hold_one_in: table.number("zero_hold_one_in", ANY)?.map_or(8, |found| found.value),
        shared_one_in: table.number("shared_one_in", ANY)?.map_or(0, |found| found.value),
        convert_one_in: table.number("convert_one_in", ANY)?.map_or(0, |found| found.value),
        value_one_in: table.number("value_one_in", ANY)?.map_or(0, |found| found.value),
        persistent_one_in: table.number("persistent_one_in", ANY)?.map_or(0, |found| found.value),
        nowait_one_in: table.number("nowait_one_in", ANY)?.map_or(0, |found| found.value),
        request_one_in: table.number("request_one_in", ANY)?.map_or(0, |found| found.value),
        event_one_in: table.number("event_one_in", ANY)?.map_or(0, |found| found.value),
        killpath_one_in: table.number("killpath_one_in", ANY)?.map_or(0, |found| found.value),
        restrict_one_in: table.number("restrict_one_in", ANY)?.map_or(0, |found| found.value),
        idle,
        retry,
        respawn,
        term_exit,
        kill_exit,
        orphan_exit,
        rejoin,
        reboot,
        inquire,
        index,
    })
}

type ReadFaults = (Range, Mix, PerFault<Option<FaultWish>>);

fn faults(table: &mut Reader<'_>, beyond: bool, hosts: &[HostPlan]) -> Read<ReadFaults> {
    let latency = table.durations("latency")?.map_or(Range::new(200, 20_000), |found| found.value);
    let mixes = [("uniform", Mix::Uniform), ("swarm", Mix::Swarm), ("turns", Mix::Turns)];
    let mix = table.word("mix", &mixes)?.map_or(Mix::Turns, |found| found.value);
    let mut faults = PerFault::all(None);
    for (name, mut table) in table.tables()? {
        let Some(fault) = Fault::named(&name.value) else {
            let known = Fault::ALL.iter().map(|fault| fault.id()).collect::<Vec<_>>().join(", ");
            let expected = format!("latency, mix or a fault ({known})");
            return Err(table.bad(name.at, "", expected, format!("{:?}", name.value)));
        };
        if fault.beyond() && !beyond {
            let found = "a fault beyond the tolerance";
            return Err(table.bad(name.at, "", "[expect] beyond = true", found));
        }
        let rate = match fault.trigger() {
            Trigger::Timed => table.durations("every")?,
            Trigger::Io | Trigger::Ghost | Trigger::Client => table.numbers("one_in", Range::new(1, u64::MAX))?,
        };
        if let Some(Found { value: Range { low: 0, .. }, at }) = rate {
            return Err(table.bad(at, "every", "more than nothing", "zero"));
        }
        let lasts = table.durations("lasts")?.map_or(fault.usual_length(), |found| found.value);
        let only = ProfileName::ALL.map(|profile| (profile.id(), profile));
        let only = table.word("only", &only)?.map(|found| found.value);
        let mut struck = u64::MAX;
        if let Some(labels) = table.texts("hosts")? {
            struck = 0;
            for label in labels {
                match hosts.iter().position(|host| host.label == label.value) {
                    Some(index) => struck |= 1 << index,
                    None => return Err(table.bad(label.at, "hosts", "labels of hosts", format!("{:?}", label.value))),
                }
            }
        }
        let rate = rate.map_or(fault.usual_rate(), |found| found.value);
        faults.set(fault, Some(FaultWish { rate, lasts, hosts: struck, only }));
        table.finish()?;
    }
    Ok((latency, mix, faults))
}

fn limits(table: &mut Reader<'_>) -> Read<Vec<(Budget, u32)>> {
    let mut limits = Vec::new();
    for budget in Budget::ALL {
        if let Some(found) = table.number(budget.name(), Range::new(0, u64::from(u32::MAX)))? {
            limits.push((budget, found.value as u32));
        }
    }
    Ok(limits)
}

fn bugs(table: &mut Reader<'_>) -> Read<Vec<String>> {
    let mut bugs = Vec::new();
    for bug in table.texts("bugs")?.unwrap_or_default() {
        if !KNOWN_BUGS.iter().any(|(id, _)| *id == bug.value) {
            return Err(table.bad(bug.at, "bugs", "names of known bugs, such as B51", format!("{:?}", bug.value)));
        }
        bugs.push(bug.value);
    }
    Ok(bugs)
}

/// What an event may speak of.
struct Names<'a> {
    hosts: &'a [HostPlan],
    lockspaces: &'a [LockspacePlan],
    resources: &'a [ResourcePlan],
    indices: usize,
    sector: u32,
    beyond: bool,
}

/// The first words of deeds, before their arguments are read.
#[derive(Clone, Copy)]
enum Verb {
    PowerLoss,
    PowerOn,
    KillDaemon,
    StartDaemon,
    KillWdmd,
    Stall,
    Resume,
    StopClock,
    Cut,
    Mend,
    JumpClock,
    Drift,
    StepWallClock,
    Snapshot,
    Rollback,
    SplitOff,
    Edit,
    Join,
    Leave,
    Spawn,
    Acquire,
    Release,
    Exit,
    HangUp,
    Garbage,
    ReadsFail,
    WritesFail,
    Init,
    Index,
    Io,
    Call,
    Examine,
    SetEvent,
    Listen,
    More(deeds::Verb),
}

const VERBS: [(&str, Verb); 34] = [
    ("power-loss", Verb::PowerLoss),
    ("power-on", Verb::PowerOn),
    ("kill-daemon", Verb::KillDaemon),
    ("start-daemon", Verb::StartDaemon),
    ("kill-wdmd", Verb::KillWdmd),
    ("stall", Verb::Stall),
    ("resume", Verb::Resume),
    ("stop-clock", Verb::StopClock),
    ("cut", Verb::Cut),
    ("mend", Verb::Mend),
    ("jump-clock", Verb::JumpClock),
    ("drift", Verb::Drift),
    ("step-wall-clock", Verb::StepWallClock),
    ("snapshot", Verb::Snapshot),
    ("rollback", Verb::Rollback),
    ("split-off", Verb::SplitOff),
    ("edit", Verb::Edit),
    ("join", Verb::Join),
    ("leave", Verb::Leave),
    ("spawn", Verb::Spawn),
    ("acquire", Verb::Acquire),
    ("release", Verb::Release),
    ("exit", Verb::Exit),
    ("hang-up", Verb::HangUp),
    ("garbage", Verb::Garbage),
    ("reads-fail", Verb::ReadsFail),
    ("writes-fail", Verb::WritesFail),
    ("init", Verb::Init),
    ("index", Verb::Index),
    ("io", Verb::Io),
    ("request", Verb::Call),
    ("examine", Verb::Examine),
    ("set-event", Verb::SetEvent),
    ("listen", Verb::Listen),
];

impl Names<'_> {
    fn host(&self, table: &mut Reader<'_>, key: &'static str) -> Read<Option<u8>> {
        let Some(found) = table.text(key)? else { return Ok(None) };
        match self.hosts.iter().position(|host| host.label == found.value) {
            Some(index) => Ok(Some(index as u8)),
            None => {
                let labels = self.hosts.iter().map(|host| host.label.as_str()).collect::<Vec<_>>().join(", ");
                Err(table.bad(found.at, key, format!("one of {labels}"), format!("{:?}", found.value)))
            }
        }
    }

    fn lockspace(&self, table: &mut Reader<'_>) -> Read<u8> {
        let Some(found) = table.text("lockspace")? else { return Ok(0) };
        match self.lockspaces.iter().position(|area| area.name == found.value) {
            Some(index) => Ok(index as u8),
            None => Err(table.bad(found.at, "lockspace", "the name of one", format!("{:?}", found.value))),
        }
    }

    fn resource(&self, table: &mut Reader<'_>) -> Read<u8> {
        let Some(found) = table.text("resource")? else { return Ok(0) };
        match self.resources.iter().position(|area| area.name == found.value) {
            Some(index) => Ok(index as u8),
            None => Err(table.bad(found.at, "resource", "the name of one", format!("{:?}", found.value))),
        }
    }

    fn process(&self, table: &mut Reader<'_>) -> Read<u8> {
        Ok(table.number("process", Range::new(0, 63))?.map_or(0, |found| found.value as u8))
    }

    fn part(&self, table: &mut Reader<'_>) -> Read<Part> {
        let parts = [
            ("main", Part::Task(Task::Main)),
            ("lockspace", Part::Task(Task::Lockspace(LsId(0)))),
            ("worker", Part::Task(Task::Worker(0))),
            ("resource", Part::Task(Task::Resource)),
            ("daemon", Part::Daemon),
            ("wdmd", Part::Wdmd),
            ("host", Part::Host),
        ];
        match table.word("part", &parts)? {
            Some(found) => Ok(found.value),
            None => {
                Err(table.bad(table.at(), "part", "what stops: main, lockspace, daemon, wdmd, host, ..", "nothing"))
            }
        }
    }

    fn event(&self, table: &mut Reader<'_>) -> Read<ScriptedEvent> {
        let at = table.durations("at")?;
        let anchor = match table.word("after", &Moment::ALL)? {
            None if at.is_none() => {
                return Err(table.bad(table.at(), "at", "when: at = \"30s\", or after = \"grant\"", "nothing"));
            }
            None => Anchor::Start,
            Some(what) => Anchor::After {
                what: what.value,
                of: self.host(table, "of")?,
                nth: table.number("nth", Range::new(1, 1_000_000))?.map_or(1, |found| found.value as u32),
            },
        };
        let host = self.host(table, "host")?;
        let more = deeds::VERBS.into_iter().map(|(word, verb)| (word, Verb::More(verb)));
        let verbs = VERBS.into_iter().chain(more).collect::<Vec<_>>();
        let Some(verb) = table.word("do", &verbs)? else {
            return Err(table.bad(table.at(), "do", "what happens: do = \"power-loss\"", "nothing"));
        };
        let lasts = table.durations("lasts")?.map(|found| found.value);
        let beyond = matches!(
            verb.value,
            Verb::StopClock | Verb::JumpClock | Verb::Rollback | Verb::SplitOff | Verb::Edit | Verb::Init
        ) || matches!(verb.value, Verb::More(more) if more.beyond());
        if beyond && !self.beyond {
            return Err(table.bad(verb.at, "do", "[expect] beyond = true for this", "a tolerance that is kept"));
        }
        let needs_host = !matches!(
            verb.value,
            Verb::PowerLoss
                | Verb::PowerOn
                | Verb::KillDaemon
                | Verb::StartDaemon
                | Verb::Cut
                | Verb::Mend
                | Verb::Snapshot
                | Verb::Rollback
                | Verb::Edit
                | Verb::Init
        );
        if needs_host && host.is_none() {
            return Err(table.bad(table.at(), "host", "the host that it happens to", "nothing"));
        }
        let deed = self.deed(table, &verb)?;
        Ok(ScriptedEvent { at: at.map_or(Range::exactly(0), |found| found.value), anchor, host, deed, lasts })
    }

    fn deed(&self, table: &mut Reader<'_>, verb: &Found<Verb>) -> Read<Deed> {
        Ok(match verb.value {
            Verb::PowerLoss => Deed::PowerLoss,
            Verb::PowerOn => Deed::PowerOn,
            Verb::KillDaemon => Deed::KillDaemon,
            Verb::StartDaemon => Deed::StartDaemon,
            Verb::KillWdmd => Deed::KillWdmd,
            Verb::Stall => Deed::Stall(self.part(table)?),
            Verb::Resume => Deed::Resume(self.part(table)?),
            Verb::StopClock => Deed::StopClock,
            Verb::Cut => {
                let states =
                    [("hung", PathState::Hung), ("failing", PathState::Failing(EIO)), ("gone", PathState::Gone)];
                Deed::Cut(table.word("state", &states)?.map_or(PathState::Hung, |found| found.value))
            }
            Verb::Mend => Deed::Mend,
            Verb::JumpClock => match table.durations("by")? {
                Some(found) => Deed::JumpClock(found.value),
                None => return Err(table.bad(table.at(), "by", "a duration", "nothing")),
            },
            Verb::Drift => {
                let most = if self.beyond { 500_000 } else { 200 };
                match table.signed("ppm", Signed { low: -most, high: most })? {
                    Some(found) => Deed::Drift(found.value),
                    None => return Err(table.bad(table.at(), "ppm", "parts per million", "nothing")),
                }
            }
            Verb::StepWallClock => Deed::StepWallClock,
            Verb::Snapshot => Deed::Snapshot,
            Verb::Rollback => Deed::Rollback,
            Verb::SplitOff => Deed::SplitOff,
            Verb::Edit => {
                let offset = match table.number("offset", ANY)? {
                    Some(found) if found.value % u64::from(self.sector) == 0 => found.value,
                    Some(found) => {
                        let expected = format!("a multiple of {}", self.sector);
                        return Err(table.bad(found.at, "offset", expected, found.value));
                    }
                    None => return Err(table.bad(table.at(), "offset", "a byte offset", "nothing")),
                };
                let bytes = match table.text("bytes")? {
                    None => Vec::new(),
                    Some(found) => match hex(&found.value) {
                        Some(bytes) if bytes.len() <= self.sector as usize => bytes,
                        _ => {
                            let expected = "hexadecimal bytes of at most one sector";
                            return Err(table.bad(found.at, "bytes", expected, format!("{:?}", found.value)));
                        }
                    },
                };
                Deed::Edit(offset, bytes)
            }
            Verb::Join => Deed::Join(self.lockspace(table)?),
            Verb::Leave => Deed::Leave(self.lockspace(table)?),
            Verb::Spawn => Deed::Spawn(self.process(table)?),
            Verb::Acquire => Deed::Acquire(self.process(table)?, self.resource(table)?),
            Verb::Release => Deed::Release(self.process(table)?, self.resource(table)?),
            Verb::Exit => Deed::Exit(self.process(table)?),
            Verb::HangUp => Deed::HangUp(self.process(table)?),
            Verb::Garbage => Deed::Garbage(self.process(table)?),
            Verb::ReadsFail => Deed::Refuse { write: false },
            Verb::WritesFail => Deed::Refuse { write: true },
            Verb::Init => Deed::Init(self.resource(table)?),
            Verb::Index => self.index(table)?,
            Verb::Io => self.io(table)?,
            Verb::Call => self.call(table)?,
            Verb::Examine => Deed::Examine(self.lockspace(table)?),
            Verb::SetEvent => self.set_event(table)?,
            Verb::Listen => Deed::Listen(self.process(table)?, self.lockspace(table)?),
            Verb::More(verb) => {
                let about = (self.process(table)?, self.lockspace(table)?, self.resource(table)?);
                verb.deed(table, about)?
            }
        })
    }
}
