//! Replay: a written run, walked through again.
//!
//! Nothing is drawn here. The choices of a trace are made at their moments, and the world says what comes of them.
//!
//! * **Leniently** ([`replay`]) a trace means something even after the engine has changed: a choice that is not legal any
//!   more is left out and counted, and what has become due before the next choice is done at its last legal moment. What
//!   is compared is what the run came to.
//! * **Strictly** ([`replay_strictly`]) the run must give the same text again, to the byte.
//!
//! As everywhere, a run ends at its first violation, and an assertion of the engine is a verdict.

use crate::case::Case;
use crate::digest::Digest;
use crate::panics;
use crate::simulate::Verdict;
use crate::trace::{Claim, Line, Mark, Marked, Recorder, Trace, resource_text};
use lease_core::format::{DeltaLease, Leader, SectorKind};
use lease_core::seam::{Answer, ClientId, DiskId, Holding, Mode, Request};
use model::action::Part;
use model::history::{Property, Violation};
use model::illegal::{Due, Illegal};
use model::setup::{Area, Host, ResourceIx, Setup};
use model::world::{Use, World};
use model::{Action, Happening, Instant, Sink};
use sim_disk::Io;
use std::fmt::{self, Write};
use std::sync::Arc;

/// What a replay came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// The verdict, in the words of today.
    pub verdict: Verdict,
    /// The digest of everything that happened.
    pub digest: u64,
    /// How many actions were carried out.
    pub actions: u64,
    /// How many choices of the trace were not legal any more.
    pub skipped: u64,
    /// The first of them, and why.
    pub first_skipped: Option<String>,
    /// How many actions, due before the next choice of the trace, were done without being in it.
    pub by_itself: u64,
    /// When it ended.
    pub ended: Instant,
}

impl Replayed {
    /// Whether it came to what the trace says: the same property violated, or none.
    pub fn agrees_with(&self, trace: &Trace) -> bool {
        Claim::of(&self.verdict) == trace.verdict
    }

    /// Whether it went exactly the way of the trace.
    pub fn same_run_as(&self, trace: &Trace) -> bool {
        self.skipped == 0 && self.by_itself == 0 && self.digest == trace.digest && self.agrees_with(trace)
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if self.skipped > 0 {
            write!(f, "; {} choices of the trace were not legal any more", self.skipped)?;
        }
        if let Some(first) = &self.first_skipped {
            write!(f, " (first: {first})")?;
        }
        if self.by_itself > 0 {
            write!(f, "; {} actions were due that the trace does not have", self.by_itself)?;
        }
        Ok(())
    }
}

/// The first line in which a trace differs from its replay.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}: expected {expected}, found {found}")]
pub struct Difference {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there.
    pub expected: String,
    /// What the replay has instead.
    pub found: String,
}

/// Walks through a trace leniently. `case` is the trace's own ([`Trace::case`]), or that with a mutant put in.
pub fn replay<S: Sink>(trace: &Trace, case: &Case<'_>, sink: &mut S) -> Replayed {
    let mut player = Player::new(case, sink);
    player.play(trace, Instant::NEVER);
    player.finish().0
}

/// Walks through a trace leniently, and writes down what happened: the trace as it would be written today.
pub fn replay_and_record<S: Sink>(trace: &Trace, case: &Case<'_>, sink: &mut S) -> (Replayed, Trace) {
    let mut recorder = Recorder::new(&case.setup, sink);
    let mut player = Player::new(case, &mut recorder);
    player.play(trace, Instant::NEVER);
    let (replayed, marks) = player.finish();
    let mut written = recorder.trace(case, &marks, &replayed.verdict, replayed.digest, replayed.actions);
    written.story.clone_from(&trace.story);
    (replayed, written)
}

/// Walks through a trace and compares the text. `text` is what `trace` was read from.
///
/// # Errors
///
/// The first line that differs. The head sums up the body, so the body is compared first.
pub fn replay_strictly<S: Sink>(
    file: &str,
    text: &str,
    trace: &Trace,
    case: &Case<'_>,
    sink: &mut S,
) -> Result<Replayed, Difference> {
    let (replayed, written) = replay_and_record(trace, case, sink);
    let written = written.to_string();
    let (old, new) = (text.split('\n').collect::<Vec<_>>(), written.split('\n').collect::<Vec<_>>());
    let head = old.iter().position(|line| line.is_empty()).unwrap_or(0);
    let order = (head..old.len().max(new.len())).chain(0..head);
    let Some(index) = order.into_iter().find(|index| old.get(*index) != new.get(*index)) else {
        return Ok(replayed);
    };
    let show = |lines: &[&str]| match lines.get(index) {
        None => "the end of the file".to_owned(),
        Some(&"") if index + 1 == lines.len() => "the end of the file".to_owned(),
        Some(line) => format!("{line:?}"),
    };
    Err(Difference { file: file.to_owned(), line: index + 1, expected: show(&old), found: show(&new) })
}

/// The world of a trace at a moment, after everything that happened then, as text: who is up, who holds what, what
/// stands on the platter.
pub fn world_at(trace: &Trace, case: &Case<'_>, at: Instant) -> String {
    let mut nobody = ();
    let mut player = Player::new(case, &mut nobody);
    player.play(trace, at);
    let mut text = String::new();
    let told = write!(text, "At {at}, after {} of {} actions", player.actions, trace.actions);
    told.expect("a string takes everything");
    if let Some(verdict) = &player.verdict {
        text += &format!("; the run is over: {verdict}");
    }
    text.push('\n');
    text += &show(&player.world);
    text
}

/// A walk under way.
pub(crate) struct Player<'a, S> {
    world: World,
    tap: Tap<'a, S>,
    actions: u64,
    skipped: u64,
    first_skipped: Option<String>,
    by_itself: u64,
    healed_at: Instant,
    marks: Vec<Marked>,
    verdict: Option<Verdict>,
}

/// The sink of a walk.
struct Tap<'a, S> {
    digest: Digest,
    setup: Arc<Setup>,
    /// By resource, whether a process was told since the healing that it holds it.
    granted: Vec<bool>,
    sink: &'a mut S,
}

impl<S: Sink> Sink for Tap<'_, S> {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.digest.take(at, happening);
        if let Happening::Told {
            process: Some(_),
            request: Request::Acquire { lockspace, resource, .. },
            result: Ok(Answer::Acquired { .. }),
            ..
        } = happening
            && let Some(resource) = self.setup.resource_named(lockspace, resource)
        {
            self.granted[usize::from(resource.0)] = true;
        }
        self.sink.happening(at, happening);
    }
}

impl<'a, S: Sink> Player<'a, S> {
    pub(crate) fn new(case: &Case<'_>, sink: &'a mut S) -> Player<'a, S> {
        let setup = Arc::new(case.setup.clone());
        let granted = vec![false; setup.resources.len()];
        Player {
            world: World::new(Arc::clone(&setup), case.limits),
            tap: Tap { digest: Digest::default(), setup, granted, sink },
            actions: 0,
            skipped: 0,
            first_skipped: None,
            by_itself: 0,
            healed_at: Instant::START,
            marks: Vec::new(),
            verdict: None,
        }
    }

    /// Plays what is not later than `until`, or less if the run ends.
    pub(crate) fn play(&mut self, trace: &Trace, until: Instant) {
        for line in &trace.lines {
            let (Line::Choice { at, .. } | Line::Mark { at, .. }) = line else { continue };
            if self.verdict.is_some() || *at > until {
                break;
            }
            match line {
                Line::Choice { at, action } => {
                    if let Err(why) = self.choose(*at, action) {
                        self.skipped += 1;
                        if self.first_skipped.is_none() {
                            self.first_skipped = Some(format!("{}: {why}", trace.line_text(line)));
                        }
                    }
                }
                Line::Mark { at, mark } => self.mark(*at, *mark),
                Line::Note(_) => {}
            }
        }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn sink(&mut self) -> &mut S {
        self.tap.sink
    }

    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    pub(crate) fn actions(&self) -> u64 {
        self.actions
    }

    pub(crate) fn finish(self) -> (Replayed, Vec<Marked>) {
        let replayed = Replayed {
            verdict: self.verdict.unwrap_or(Verdict::Holds),
            digest: self.tap.digest.value(),
            actions: self.actions,
            skipped: self.skipped,
            first_skipped: self.first_skipped,
            by_itself: self.by_itself,
            ended: self.world.now(),
        };
        (replayed, self.marks)
    }

    /// Makes a choice of the trace, and before it whatever is overdue.
    fn choose(&mut self, at: Instant, action: &Action) -> Result<(), Illegal> {
        self.catch_up(at)?;
        if self.verdict.is_some() {
            return Ok(());
        }
        self.step(at, action)
    }

    /// Does what must be done before time may go on to `at`.
    fn catch_up(&mut self, at: Instant) -> Result<(), Illegal> {
        while self.verdict.is_none() {
            let (last, due) = self.world.horizon();
            let Some(due) = due.filter(|_| last < at) else { break };
            let action = match due {
                Due::Wake { host, task } => Action::Wake { host, task },
                Due::Test { host } => Action::Test { host },
                Due::Fire { host } => Action::Fire { host },
            };
            self.step(last.max(self.world.now()), &action)?;
            self.by_itself += 1;
        }
        Ok(())
    }

    pub(crate) fn step(&mut self, at: Instant, action: &Action) -> Result<(), Illegal> {
        let (world, tap) = (&mut self.world, &mut self.tap);
        match panics::quietly(|| world.step(at, action, tap)) {
            Ok(Ok(())) => {
                self.actions += 1;
                // Who walks a written path needs no notices; they would only pile up.
                self.world.notices();
                self.judge();
                Ok(())
            }
            Ok(Err(why)) => Err(why),
            Err(what) => {
                self.verdict = Some(Verdict::Asserted { at, what });
                Ok(())
            }
        }
    }

    fn judge(&mut self) {
        if let Some(violation) = self.world.violation() {
            self.verdict = Some(Verdict::Violated(violation.clone()));
        }
    }

    pub(crate) fn mark(&mut self, at: Instant, mark: Mark) {
        // What cannot be caught up with is told by the world at the next choice.
        let _ = self.catch_up(at);
        if self.verdict.is_some() {
            return;
        }
        if mark != Mark::Rest {
            self.marks.push(Marked { after: self.actions, at, mark });
        }
        match mark {
            Mark::Heal => {
                self.healed_at = at;
                self.tap.granted.fill(false);
            }
            Mark::Late(resource) => {
                if !self.tap.granted[usize::from(resource.0)] {
                    self.late(at, what_is_late(&self.tap.setup, Some(resource), self.healed_at, at));
                }
            }
            Mark::Restless => {
                let restless = self.world.hosts().any(|host| {
                    self.world.processes(host).any(|(_, process)| {
                        let whole = process.connected && process.signalled.is_none();
                        process.waiting > 0 || !process.uses.is_empty() || !whole
                    })
                });
                if restless {
                    self.late(at, what_is_late(&self.tap.setup, None, self.healed_at, at));
                }
            }
            Mark::Rest => {
                let (world, tap) = (&mut self.world, &mut self.tap);
                match panics::quietly(|| world.at_rest(at, tap)) {
                    Ok(()) => self.judge(),
                    Err(what) => self.verdict = Some(Verdict::Asserted { at, what }),
                }
            }
        }
    }

    fn late(&mut self, at: Instant, what: String) {
        let violation = Violation { property: Property::Progress, at, what, hosts: Vec::new() };
        self.verdict = Some(Verdict::Violated(violation));
    }
}

/// What is said when the time for the recovery is over: of a resource that nobody got, or of a client that waits.
pub(crate) fn what_is_late(setup: &Setup, resource: Option<ResourceIx>, healed_at: Instant, now: Instant) -> String {
    let seconds = now.micros_since(healed_at) / 1_000_000;
    match resource {
        Some(resource) => {
            let name = &setup.resources[usize::from(resource.0)].name;
            format!("nobody was granted {name} within {seconds} s of the healing")
        }
        None => format!("a client still waits {seconds} s after the healing"),
    }
}

/// A world as text.
fn show(world: &World) -> String {
    let mut text = String::new();
    for host in world.hosts() {
        text += &show_host(world, host);
    }
    for index in 0..world.disks().len() {
        text += &show_disk(world, DiskId(index as u8));
    }
    text
}

fn show_host(world: &World, host: Host) -> String {
    let label = world.label(host);
    if !world.is_up(host) {
        return format!("{label} is off\n");
    }
    let mut text = format!("{label} is up, its clock shows {}", Instant(world.clock(host).micros()));
    text += if world.daemon_up(host) { "; the daemon runs" } else { "; no daemon" };
    text += if world.wdmd_up(host) { ", wdmd runs" } else { ", no wdmd" };
    match world.fire_due(host) {
        Instant::NEVER => text += "; its watchdog does not count\n",
        at => text += &format!("; its watchdog fires at {at} unless it is pinged\n"),
    }
    for (part, since) in world.stalled(host) {
        let part = match part {
            Part::Task(task) => format!("the daemon's task {task:?}"),
            Part::Daemon => "the daemon".to_owned(),
            Part::Wdmd => "wdmd".to_owned(),
            Part::Host => "everything".to_owned(),
            Part::Process(process) => format!("process {}", process.0),
        };
        text += &format!("  {part} stands still since {since}\n");
    }
    for (process, state) in world.processes(host) {
        let mut words = Vec::new();
        for Use { resource, lver, .. } in &state.uses {
            words.push(format!("uses {} at version {lver}", resource_text(world.setup(), *resource)));
        }
        if !state.connected {
            words.push("not connected".to_owned());
        }
        if state.waiting > 0 {
            words.push("waits for an answer".to_owned());
        }
        if let Some(signal) = state.signalled {
            words.push(format!("was sent SIG{}", format!("{signal:?}").to_uppercase()));
        }
        let words = if words.is_empty() { "idle".to_owned() } else { words.join(", ") };
        text += &format!("  {label}.{}: {words}\n", process.0);
    }
    for (client, Holding { lockspace, resource, lver, mode }) in
        world.engine(host).into_iter().flat_map(|engine| engine.holdings())
    {
        let client = match client {
            ClientId::ADMIN => "the agent".to_owned(),
            client => format!("{label}.{}", client.0),
        };
        let mode = if mode == Mode::Shared { ", shared" } else { "" };
        text += &format!("  the daemon holds {lockspace}:{resource} at version {lver} for {client}{mode}\n");
    }
    text
}

fn show_disk(world: &World, id: DiskId) -> String {
    let (setup, disk) = (world.setup(), world.disk(id));
    let mut text = format!("d{}", id.0);
    match disk.replicas().len() {
        1 => {}
        replicas => text += &format!(" has {replicas} replicas that go their own ways; this is the first"),
    }
    text.push('\n');
    let record = |offset: u64| disk.platter().sector(offset / u64::from(disk.sector_size()));
    for (index, space) in setup.lockspaces.iter().enumerate() {
        if space.place.disk != id {
            continue;
        }
        let members = setup.hosts.iter().flat_map(|host| &host.memberships);
        let members = members.filter(|member| usize::from(member.lockspace.0) == index);
        let mut ids = members.map(|member| member.host_id).collect::<Vec<_>>();
        ids.sort_unstable();
        ids.dedup();
        for host_id in ids {
            let offset = space.place.offset + (host_id.0 - 1) * u64::from(space.geometry.sector());
            text += &format!("  {} host id {host_id}: ", space.name);
            text += &match DeltaLease::read(record(offset), &space.name) {
                Err(why) => format!("damaged: {why}\n"),
                Ok(lease) if lease.owner_generation.0 == 0 => "never owned\n".to_owned(),
                Ok(lease) => {
                    let DeltaLease { owner_name, owner_generation, timestamp, .. } = &lease;
                    let stamp = if timestamp.is_free() { "free".to_owned() } else { format!("stamp {timestamp}") };
                    format!("{stamp}, generation {owner_generation} of {owner_name}\n")
                }
            };
        }
    }
    for resource in setup.resources.iter().filter(|resource| resource.place.disk == id) {
        let space = &setup.lockspaces[usize::from(resource.lockspace.0)].name;
        text += &format!("  {space}:{}: ", resource.name);
        let (_, leader) = Leader::peek(record(resource.place.offset));
        text += &match Leader::read(record(resource.place.offset), space, &resource.name, leader.owner_id) {
            Err(why) => format!("damaged: {why}\n"),
            Ok(leader) if leader.lver.0 == 0 => "never owned\n".to_owned(),
            Ok(Leader { lver, owner_id, owner_generation, timestamp, .. }) => {
                let free = if timestamp.is_free() { ", free, last of" } else { " of" };
                format!("version {lver}{free} host id {owner_id}, generation {owner_generation}\n")
            }
        };
    }
    for (io, state) in disk.in_flight() {
        text += &format!("  io {} under way: {}\n", io.0, show_io(setup, id, disk.sector_size(), state));
    }
    text
}

fn show_io(setup: &Setup, disk: DiskId, sector_size: u32, io: &Io) -> String {
    let offset = io.start() * u64::from(sector_size);
    let what = match (setup.record_at(disk, offset), io.count()) {
        (Some((Area::Lockspace(space), SectorKind::Delta(host_id))), 1) => {
            format!("of host id {host_id}'s lease in {}", setup.lockspaces[usize::from(space.0)].name)
        }
        (Some((Area::Lockspace(space), _)), _) => format!("of {}", setup.lockspaces[usize::from(space.0)].name),
        (Some((Area::Resource(resource), SectorKind::Leader)), 1) => {
            format!("of the leader of {}", resource_text(setup, resource))
        }
        (Some((Area::Resource(resource), SectorKind::HostBlock(host_id))), 1) => {
            format!("of host id {host_id}'s block of {}", resource_text(setup, resource))
        }
        (Some((Area::Resource(resource), _)), _) => format!("of {}", resource_text(setup, resource)),
        (None, _) => format!("at byte {offset}"),
    };
    let kind = if io.is_write() { "a write" } else { "a read" };
    let moved = match (io.is_untouched(), io.is_whole(), io.is_write()) {
        (_, true, true) => "landed",
        (_, true, false) => "sampled",
        (true, ..) => "nothing moved yet",
        _ => "a part moved",
    };
    let host = setup.hosts.get(usize::from(io.path().0)).map_or("nobody", |host| &host.label);
    let waits = if io.is_ghost() { ", nobody waits for it" } else { "" };
    format!("{kind} by {host} {what}, {moved}{waits}")
}
