//! A run, told by the few lines that matter: who died, what was late, who took over, and what ceased to hold.
//!
//! A [`Story`] listens to a run, or to its replay, and forgets at once what is routine: renewals and passing watchdog
//! tests are only counted, and told when something befalls their host. Of the rest it chooses at the end. What weighs
//! more is told before what weighs less, and of equals the later; so a long storm comes down to its last minutes.
//!
//! It refuses to judge: what is a violation is the model's to say. It only weighs what helps to understand one.
//!
//! ```
//! use reports::story::{LINES_MAX, Story};
//! use scenarios::{Case, ProfileName, Scenario, record_with};
//!
//! let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
//! let case = Case::new(&scenario, ProfileName::Hardened, 1);
//! let mut story = Story::new(&case.setup);
//! let (outcome, _) = record_with(&case, &mut story);
//! let lines = story.lines(&outcome.verdict);
//! assert!(lines.len() <= LINES_MAX);
//! ```

use lease_core::Refusal;
use lease_core::format::{HostEvent, SectorKind};
use lease_core::seam::{DiskId, Event, Mode, Rare, Request, Signal, Takeable, Task, WatchdogMessage};
use model::action::Part;
use model::happening::Ping;
use model::setup::{Area, Host, Process, ResourceIx, Setup};
use model::{Action, Happening, Instant, Sink};
use scenarios::Verdict;
use sim_disk::{Completion, IoId, PathState};
use std::collections::BTreeMap;

/// No story is longer.
pub const LINES_MAX: usize = 27;
/// Of these, so many may be numbered: the rest is the cluster, what is left out, and what it came to.
const NOTES_MAX: usize = LINES_MAX - 4;
/// How many beginnings and ends of uses are told of one resource.
const USES_MAX: usize = 6;
/// An I/O that takes longer is worth telling, in microseconds.
const SLOW: u64 = 5_000_000;

/// How much something matters. What concerns neither the hosts nor the resource of the violation matters less.
mod weight {
    pub(super) const CRUCIAL: u8 = 9;
    pub(super) const FAULT: u8 = 8;
    pub(super) const DECISION: u8 = 7;
    pub(super) const CONSEQUENCE: u8 = 6;
    pub(super) const HINT: u8 = 5;
    pub(super) const DETAIL: u8 = 3;
    /// By how much less.
    pub(super) const ELSEWHERE: u8 = 5;
}

/// Listens to a run.
#[derive(Clone, Debug)]
pub struct Story {
    setup: Setup,
    hosts: Vec<Tale>,
    notes: Vec<Note>,
    /// I/Os under way: who issued them, where, and when.
    issued: BTreeMap<(DiskId, IoId), Issued>,
}

/// What is remembered of a host.
#[derive(Clone, Default, Debug)]
struct Tale {
    booted: Option<Instant>,
    joined: Option<Instant>,
    /// Renewals and pings since something else was told of the host.
    renewed: Option<Routine>,
    pinged: Option<Routine>,
    fires: Option<Instant>,
    /// What may be repeated: the notes with a name since the last one without.
    row: Vec<usize>,
    /// Who waits for which resource.
    acquiring: Vec<(Process, ResourceIx)>,
}

/// Something that goes on and on.
#[derive(Clone, Copy, Debug)]
struct Routine {
    count: u64,
    last: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Issued {
    host: Host,
    at: Instant,
    offset: u64,
    length: u64,
}

/// Something that may be told.
#[derive(Clone, Debug)]
struct Note {
    at: Instant,
    /// Of notes at one moment, what came first.
    order: usize,
    host: Option<Host>,
    resource: Option<ResourceIx>,
    weight: u8,
    /// The same thing again is told as a repeat, if it has a name.
    kind: Option<&'static str>,
    repeats: u64,
    until: Instant,
    /// Somebody begins or ends to use a resource.
    passes: bool,
    text: String,
}

impl Sink for Story {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.hear(at, happening);
    }
}

impl Story {
    /// A story of hosts that are all off.
    pub fn new(setup: &Setup) -> Story {
        Story {
            setup: setup.clone(),
            hosts: setup.hosts.iter().map(|_| Tale::default()).collect(),
            notes: Vec::new(),
            issued: BTreeMap::new(),
        }
    }

    /// The story, given what the run came to: at most [`LINES_MAX`] lines. Numbered lines have their moment, and how
    /// long it is before the end of the story, both in seconds.
    pub fn lines(&self, verdict: &Verdict) -> Vec<String> {
        let mut story = self.clone();
        for index in 0..story.hosts.len() {
            story.tell_routine(Host(index as u8));
        }
        story.notes.extend(self.beginning());
        story.choose(verdict)
    }

    fn choose(mut self, verdict: &Verdict) -> Vec<String> {
        let (end, what) = match verdict {
            Verdict::Holds => (self.notes.iter().map(|note| note.at).max(), "Every property held.".to_owned()),
            Verdict::Violated(violation) => {
                let what = &violation.what;
                (Some(violation.at), format!("{} is violated: {what}", violation.property))
            }
            Verdict::Asserted { at, what } => (Some(*at), format!("The engine asserts: {what}")),
        };
        let end = end.unwrap_or(Instant::START);
        self.sum_up_old_uses();
        let concern = Concern::of(&self.setup, verdict);
        for note in &mut self.notes {
            if !concern.includes(note) {
                note.weight = note.weight.saturating_sub(weight::ELSEWHERE);
            }
        }
        let mut chosen = (0..self.notes.len()).collect::<Vec<_>>();
        chosen.sort_by_key(|index| {
            let note = &self.notes[*index];
            std::cmp::Reverse((note.weight, note.until, note.order))
        });
        // Nothing is told merely because there is room for it.
        chosen.retain(|index| self.notes[*index].weight >= weight::DETAIL);
        chosen.truncate(NOTES_MAX);
        let left_out = self.notes.len() - chosen.len();
        chosen.sort_by_key(|index| (self.notes[*index].at, self.notes[*index].order));

        let mut lines = vec![self.cluster()];
        for (number, index) in chosen.iter().enumerate() {
            let note = &self.notes[*index];
            let before = end.micros_since(note.at);
            let sign = if before == 0 { "" } else { "-" };
            let before = format!("{sign}{}", Seconds(before));
            let repeats = match note.repeats {
                0 => String::new(),
                repeats => format!(" ({} times, until {})", repeats + 1, Seconds(note.until.0)),
            };
            let text = &note.text;
            lines.push(format!(
                "{:>2}. {:>9} {before:>9}  {text}{repeats}",
                number + 1,
                Seconds(note.at.0).to_string()
            ));
        }
        if left_out > 0 {
            lines.push(format!("    (lesser things, left out: {left_out})"));
        }
        lines.push(format!("=>  {:>9} {:>9}  {}", Seconds(end.0).to_string(), "", what.replace('\n', " ")));
        lines
    }

    /// Of each resource only the last uses tell something; how often it passed from hand to hand before is a number.
    fn sum_up_old_uses(&mut self) {
        for index in 0..self.setup.resources.len() {
            let resource = ResourceIx(index as u8);
            let uses = (0..self.notes.len()).filter(|note| {
                let note = &self.notes[*note];
                note.passes && note.resource == Some(resource)
            });
            let uses = uses.collect::<Vec<_>>();
            let Some((old, _)) = uses.split_at_checked(uses.len().saturating_sub(USES_MAX)) else { continue };
            let Some((last, older)) = old.split_last() else { continue };
            for note in older {
                self.notes[*note].weight = 0;
            }
            let count = old.len().div_ceil(2);
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            let text = format!("{} was held {times} up to here", self.resource(resource));
            let note = &mut self.notes[*last];
            (note.host, note.weight, note.text) = (None, weight::CONSEQUENCE, text);
        }
    }

    /// Who takes part, in one line.
    fn cluster(&self) -> String {
        let hosts = self.setup.hosts.iter().map(|host| {
            let ids = host.memberships.first();
            let ids = ids.map(|member| format!("host id {}, io_timeout {} s, ", member.host_id, member.io_timeout));
            let watchdog = host.config.parameters.watchdog_fire_timeout;
            format!("{} ({}watchdog {watchdog} s)", host.label, ids.unwrap_or_default())
        });
        let hosts = hosts.collect::<Vec<_>>();
        // Many hosts are usually alike.
        let hosts = if hosts.len() > 4 { format!("{}, ... {} hosts", hosts[0], hosts.len()) } else { hosts.join(", ") };
        let resources = (0..self.setup.resources.len()).map(|index| self.resource(ResourceIx(index as u8)));
        let resources = resources.collect::<Vec<_>>();
        match resources.len() {
            0 => format!("{hosts}."),
            1..=4 => format!("{hosts}; {}.", resources.join(", ")),
            many => format!("{hosts}; {} ... {many} resources.", resources[0]),
        }
    }

    /// How everybody came up, in one line.
    fn beginning(&self) -> Option<Note> {
        let booted = self.hosts.iter().filter_map(|host| host.booted).max()?;
        let labels = |joined: bool| {
            let hosts = self.hosts.iter().zip(&self.setup.hosts);
            let hosts = hosts.filter(|(tale, _)| tale.booted.is_some() && tale.joined.is_some() == joined);
            hosts.map(|(_, host)| host.label.clone()).collect::<Vec<_>>()
        };
        let (joined, not) = (labels(true), labels(false));
        let mut text = format!("All hosts that take part are up by {}.", Seconds(booted.0));
        if let Some(last) = self.hosts.iter().filter_map(|host| host.joined).max() {
            text += &format!(" {} joined, the last at {}.", joined.join(", "), Seconds(last.0));
        }
        if !not.is_empty() {
            text += &format!(" {} never joined.", not.join(", "));
        }
        let first = self.hosts.iter().filter_map(|host| host.booted).min()?;
        Some(Note {
            at: first,
            order: 0,
            host: None,
            resource: None,
            weight: u8::MAX,
            kind: None,
            repeats: 0,
            until: first,
            passes: false,
            text,
        })
    }

    // --- Listening ---

    fn hear(&mut self, at: Instant, happening: &Happening) {
        match happening {
            Happening::Chosen(action) => self.chosen(at, action),
            Happening::ReadIssued { host, disk, io, offset, length, .. }
            | Happening::WriteIssued { host, disk, io, offset, length, .. } => {
                let issued = Issued { host: *host, at, offset: *offset, length: *length };
                self.issued.insert((*disk, *io), issued);
            }
            Happening::Landed { host, disk, io, ghost, intact, .. } => {
                self.landed(at, *host, *disk, *io, *ghost, *intact)
            }
            Happening::Completed { host, disk, io, completion, took, .. } => {
                self.completed(at, *host, *disk, *io, completion, *took);
            }
            Happening::Engine { host, event } => self.engine(at, *host, event),
            Happening::Asked { host, process: Some(process), request } => {
                if let Some(resource) = self.acquired(request) {
                    self.tale(*host).acquiring.push((*process, resource));
                }
            }
            Happening::Told { host, process: Some(process), request, result } => {
                let Some(resource) = self.acquired(request) else { return };
                let acquiring = &mut self.tale(*host).acquiring;
                if let Some(index) = acquiring.iter().position(|waiting| *waiting == (*process, resource)) {
                    acquiring.remove(index);
                }
                if let Err(why) = result {
                    self.refused(at, *host, *process, resource, *why);
                }
            }
            Happening::UseBegins { host, process, resource, lver, mode } => {
                let (label, name) = (self.label(*host), self.resource(*resource));
                let shared = if *mode == Mode::Shared { " shared" } else { "" };
                let text = format!("{label}.{} is told that it holds {name}{shared}, version {lver}", process.0);
                self.passes(at, *host, *resource, weight::CRUCIAL, text);
            }
            Happening::UseChanges { host, process, resource, lver, mode } => {
                let (label, name) = (self.label(*host), self.resource(*resource));
                let text = match mode {
                    Mode::Shared => format!("{label}.{} only shares {name} from here on", process.0),
                    Mode::Exclusive => {
                        format!("{label}.{} is told that it has {name} for itself, version {lver}", process.0)
                    }
                };
                self.passes(at, *host, *resource, weight::CRUCIAL, text);
            }
            Happening::UseEnds { host, process, resource, lver } => {
                let (label, name) = (self.label(*host), self.resource(*resource));
                let text = format!("{label}.{} stops using {name}, version {lver}", process.0);
                self.passes(at, *host, *resource, weight::DECISION, text);
            }
            Happening::Signalled { host, process, signal } => {
                let signal = match signal {
                    Signal::Term => "SIGTERM",
                    Signal::Kill => "SIGKILL",
                };
                let text = format!("{}.{} is sent {signal}", self.label(*host), process.0);
                let kind = if signal == "SIGTERM" { "term" } else { "kill" };
                self.tell(at, *host, weight::CONSEQUENCE, Some(kind), text);
            }
            Happening::SelfSignalled { host } => {
                let text = format!("{}'s daemon kills itself with a signal that was for a holder", self.label(*host));
                self.tell(at, *host, weight::CRUCIAL, None, text);
            }
            Happening::Notified { host, process, told } => {
                let HostEvent { generation, event, .. } = told.event;
                let whom = format!("host id {} generation {generation}", told.host_id);
                let text =
                    format!("{}.{} hears event {event} for {whom} from {}", self.label(*host), process.0, told.from);
                self.tell(at, *host, weight::CONSEQUENCE, Some("hears"), text);
            }
            Happening::KillpathRun { host, process, .. } => {
                let text = format!("{}.{} has its program run", self.label(*host), process.0);
                self.tell(at, *host, weight::CONSEQUENCE, Some("program"), text);
            }
            Happening::Watchdog { host, message: WatchdogMessage::Disarm, .. } => {
                let text = format!("{} disarms the watchdog for its lease", self.label(*host));
                self.tell(at, *host, weight::CONSEQUENCE, None, text);
            }
            Happening::Tested { host, failing: Some(expire) } => {
                let text = format!(
                    "{}'s wdmd finds a lease about to expire (at second {expire} of its clock)",
                    self.label(*host)
                );
                self.tell(at, *host, weight::CONSEQUENCE, Some("test"), text);
            }
            Happening::Pinged { host, by, fires } => self.pinged(at, *host, *by, *fires),
            Happening::DeviceStopped { host } => {
                self.tell_routine(*host);
                let text = format!("{}'s watchdog stops counting", self.label(*host));
                self.tell(at, *host, weight::FAULT, None, text);
            }
            Happening::Down { host, by_watchdog } => {
                self.tell_routine(*host);
                let how = if *by_watchdog { "is reset by its watchdog" } else { "loses power" };
                let text = format!("{} {how}", self.label(*host));
                self.tell(at, *host, weight::CRUCIAL, None, text);
                self.tale(*host).acquiring.clear();
                self.tale(*host).fires = None;
            }
            Happening::Up { host, .. } => {
                if self.tale(*host).booted.is_some() {
                    let text = format!("{} boots again", self.label(*host));
                    self.tell(at, *host, weight::DECISION, None, text);
                }
                self.tale(*host).booted.get_or_insert(at);
            }
            Happening::DaemonDown { host } => self.tale(*host).acquiring.clear(),
            Happening::PathChanged { host, disk, state } => {
                let state = match state {
                    PathState::Open => "is open again".to_owned(),
                    PathState::Hung => "hangs".to_owned(),
                    PathState::Failing(errno) => format!("answers with errno {errno} only"),
                    PathState::Gone => "is gone".to_owned(),
                };
                self.tell_routine(*host);
                let text = format!("{}'s path to d{} {state}", self.label(*host), disk.0);
                self.tell(at, *host, weight::FAULT, None, text);
            }
            Happening::Stalled { host, part } => {
                self.tell_routine(*host);
                let text = format!("{}{} stands still", self.label(*host), part_words(*part));
                self.tell(at, *host, weight::FAULT, None, text);
            }
            Happening::Resumed { host, part, stood } => {
                let text = format!("{}{} goes on after {} s", self.label(*host), part_words(*part), Seconds(*stood));
                self.tell(at, *host, weight::FAULT, None, text);
            }
            _ => {}
        }
    }

    /// Faults that no happening tells better.
    fn chosen(&mut self, at: Instant, action: &Action) {
        let (host, what) = match action {
            Action::KillDaemon { host } => (*host, ": the daemon is killed".to_owned()),
            Action::StartDaemon { host } => (*host, ": the daemon starts again".to_owned()),
            Action::KillWdmd { host } => (*host, ": wdmd is killed".to_owned()),
            Action::Garble { host, process } => (*host, format!(".{} sends bytes that are no message", process.0)),
            Action::HangUp { host, process } => (*host, format!(".{} closes its connection and goes on", process.0)),
            Action::StopClock { host } => (*host, "'s clock stands still".to_owned()),
            Action::JumpClock { host, micros } => (*host, format!("'s clock jumps forward by {} s", Seconds(*micros))),
            Action::SetDrift { host, ppm } => (*host, format!("'s clock runs at {ppm:+} ppm")),
            Action::SplitOff { host, disk } => (*host, format!(" has a copy of d{} of its own from now on", disk.0)),
            Action::Rollback { disk } | Action::Edit { disk, .. } => {
                let what = if matches!(action, Action::Edit { .. }) { "edited directly" } else { "rolled back" };
                let text = format!("d{} is {what}", disk.0);
                self.push(at, None, None, weight::FAULT, None, text);
                return;
            }
            _ => return,
        };
        self.tell_routine(host);
        let text = format!("{}{what}", self.label(host));
        self.tell(at, host, weight::FAULT, None, text);
    }

    fn landed(&mut self, at: Instant, host: Host, disk: DiskId, io: IoId, ghost: bool, intact: bool) {
        let Some(issued) = self.issued.get(&(disk, io)).copied() else { return };
        let age = at.micros_since(issued.at);
        if !ghost && intact && age < SLOW {
            return;
        }
        let place = self.place(disk, issued);
        let how = match (ghost, intact) {
            (true, true) => ", though whoever issued it is gone",
            (true, false) => " in part or damaged, though whoever issued it is gone",
            (false, true) => "",
            (false, false) => " in part or damaged",
        };
        let only = if age >= SLOW { " only now" } else { "" };
        let text =
            format!("{}'s write to {place}, issued at {}, lands{only}{how}", self.label(host), Seconds(issued.at.0));
        let resource = self.setup.resource_at(disk, issued.offset);
        let weight = if ghost || age >= SLOW { weight::FAULT } else { weight::HINT };
        self.push(at, Some(host), resource, weight, None, text);
    }

    fn completed(&mut self, at: Instant, host: Host, disk: DiskId, io: IoId, completion: &Completion, took: u64) {
        let issued = self.issued.remove(&(disk, io));
        let how = match completion {
            Completion::Read(_) | Completion::Written if took < SLOW => return,
            Completion::Read(_) => "a read completes",
            Completion::Written => "a write completes",
            Completion::Short => "an I/O completes short",
            Completion::Failed(_) => "an I/O fails",
            Completion::NoDevice => "an I/O finds no device",
        };
        let place = issued.map_or_else(String::new, |issued| format!(" ({})", self.place(disk, issued)));
        let late = if took >= SLOW { format!(" after {} s", Seconds(took)) } else { String::new() };
        let text = format!("{}: {how}{late}{place}", self.label(host));
        let weight = if took >= SLOW { weight::HINT } else { weight::DETAIL };
        self.tell(at, host, weight, Some(how), text);
    }

    fn engine(&mut self, at: Instant, host: Host, event: &Event) {
        let label = self.label(host);
        let (weight, kind, text) = match event {
            Event::Joined { host_id, generation, .. } => {
                if self.tale(host).joined.is_none() {
                    self.tale(host).joined = Some(at);
                    return;
                }
                (weight::DECISION, None, format!("{label} joins again: host id {host_id}, generation {generation}"))
            }
            Event::JoinFailed { why, .. } => {
                (weight::HINT, Some("join failed"), format!("{label} fails to join: {why}"))
            }
            Event::Renewed { .. } => {
                let count = self.tale(host).renewed.map_or(0, |renewed| renewed.count);
                self.tale(host).renewed = Some(Routine { count: count + 1, last: at });
                return;
            }
            Event::RenewalFailed { why, .. } => {
                self.tell_renewals(host);
                (weight::CONSEQUENCE, Some("renewal failed"), format!("{label} fails to renew its lease: {why}"))
            }
            Event::Killing { failed: true, .. } => {
                self.tell_routine(host);
                (weight::DECISION, None, format!("{label} finds its lease lost and begins to kill its clients"))
            }
            Event::Killing { failed: false, .. } => {
                (weight::DETAIL, None, format!("{label} is asked to leave the lockspace"))
            }
            Event::Cleared { .. } => {
                (weight::HINT, None, format!("{label}'s daemon has no users of the lockspace left"))
            }
            Event::Left { released, .. } => {
                let how = if *released { "and sets its lease free" } else { "without setting its lease free" };
                (weight::CONSEQUENCE, None, format!("{label} leaves the lockspace {how}"))
            }
            Event::OwnerWait { owner, generation, .. } => {
                let what = self.what_is_acquired(host);
                let text = format!("{label} waits for the owner of {what}: host id {owner}, generation {generation}");
                (weight::CONSEQUENCE, Some("owner wait"), text)
            }
            Event::Run { because, lver, .. } => {
                let (weight, why) = match because {
                    Takeable::Free => (weight::DETAIL, "it is free"),
                    Takeable::Mine => (weight::DETAIL, "it is its own"),
                    Takeable::Released => (weight::DETAIL, "its owner's block says so"),
                    Takeable::MyEarlierLife => (weight::DECISION, "its own earlier life had it"),
                    Takeable::OwnerLeft => (weight::DECISION, "its owner has left"),
                    Takeable::OwnerRejoined => (weight::DECISION, "its owner has come back as another generation"),
                    Takeable::OwnerDead => (weight::CRUCIAL, "its owner must be dead"),
                    Takeable::LeaderRegressed => (weight::DECISION, "a block shows that the leader is outdated"),
                };
                let what = self.what_is_acquired(host);
                (weight, None, format!("{label} may take {what} for version {lver}: {why}"))
            }
            Event::BallotAborted { why, .. } => {
                (weight::DETAIL, Some("aborted"), format!("{label}'s ballot is aborted: {why}"))
            }
            Event::Chosen { lver, owner, generation, .. } => {
                let own =
                    self.setup.hosts[usize::from(host.0)].memberships.iter().any(|member| member.host_id == *owner);
                let weight = if own { weight::DETAIL } else { weight::DECISION };
                let whose = if own { "itself" } else { "another" };
                let text = format!(
                    "{label}'s ballot for version {lver} chooses {whose}: host id {owner}, generation {generation}"
                );
                (weight, None, text)
            }
            Event::Heeded { held, wanted, force_mode, .. } => {
                let how = if *force_mode == 1 { "killed" } else { "asked to go" };
                let text = format!("{label} finds a request for version {wanted}: who holds version {held} is {how}");
                (weight::DECISION, None, text)
            }
            Event::Rare(rare) => match rare_words(*rare) {
                Some(words) => (weight::HINT, Some(words), format!("{label}: {words}")),
                None => return,
            },
            Event::Scanned { .. } | Event::Ballot { .. } | Event::Restarted { .. } | Event::Retracting => return,
        };
        match self.only_acquired(host).filter(|_| matches!(event, Event::Run { .. } | Event::OwnerWait { .. })) {
            Some(resource) => self.push(at, Some(host), Some(resource), weight, kind, text),
            None => self.tell(at, host, weight, kind, text),
        }
    }

    fn refused(&mut self, at: Instant, host: Host, process: Process, resource: ResourceIx, why: Refusal) {
        let text = format!("{}.{} is refused {}: {why}", self.label(host), process.0, self.resource(resource));
        self.push(at, Some(host), Some(resource), weight::DETAIL, Some("refused"), text);
    }

    fn pinged(&mut self, at: Instant, host: Host, by: Ping, fires: Instant) {
        let how = match by {
            Ping::Open | Ping::Test => {
                let count = self.tale(host).pinged.map_or(0, |pinged| pinged.count);
                self.tale(host).pinged = Some(Routine { count: count + 1, last: at });
                self.tale(host).fires = Some(fires);
                return;
            }
            Ping::Close => "wdmd closes",
            Ping::KernelClose => "the kernel closes",
        };
        self.tell_routine(host);
        let fires = match fires {
            Instant::NEVER => "never fires".to_owned(),
            fires => format!("fires at {}", Seconds(fires.0)),
        };
        let text = format!("{}: {how} the watchdog device, which pings it once more: it {fires}", self.label(host));
        self.tell(at, host, weight::DECISION, None, text);
        self.tale(host).pinged = None;
    }

    // --- Writing down ---

    /// Something befalls a host: what it did all the time until now is worth a line.
    fn tell_routine(&mut self, host: Host) {
        self.tell_renewals(host);
        if let Some(Routine { last, .. }) = self.tale(host).pinged.take()
            && let Some(fires) = self.tale(host).fires.filter(|fires| *fires != Instant::NEVER)
        {
            let text = format!("{}'s watchdog is pinged and would fire at {}", self.label(host), Seconds(fires.0));
            self.routine(last, host, text);
        }
    }

    fn tell_renewals(&mut self, host: Host) {
        let Some(Routine { count, last }) = self.tale(host).renewed.take() else { return };
        let times = if count == 1 { String::new() } else { format!(", {count} times by now") };
        let text = format!("{} renews its lease{times}", self.label(host));
        self.routine(last, host, text);
    }

    fn routine(&mut self, at: Instant, host: Host, text: String) {
        // It was before whatever was told meanwhile, and ends no row of repeats.
        let row = std::mem::take(&mut self.tale(host).row);
        self.push(at, Some(host), None, weight::HINT, None, text);
        self.tale(host).row = row;
    }

    fn tell(&mut self, at: Instant, host: Host, weight: u8, kind: Option<&'static str>, text: String) {
        self.push(at, Some(host), None, weight, kind, text);
    }

    /// Somebody begins or ends to use a resource.
    fn passes(&mut self, at: Instant, host: Host, resource: ResourceIx, weight: u8, text: String) {
        self.push(at, Some(host), Some(resource), weight, None, text);
        if let Some(note) = self.notes.last_mut() {
            note.passes = true;
        }
    }

    fn push(
        &mut self,
        at: Instant,
        host: Option<Host>,
        resource: Option<ResourceIx>,
        weight: u8,
        kind: Option<&'static str>,
        text: String,
    ) {
        let order = self.notes.len() + 1;
        if let Some(host) = host {
            let row = &self.hosts[usize::from(host.0)].row;
            let same = |index: &&usize| (self.notes[**index].kind, self.notes[**index].resource) == (kind, resource);
            match (kind, row.iter().find(same).copied()) {
                (None, _) => self.tale(host).row.clear(),
                (Some(_), None) => self.hosts[usize::from(host.0)].row.push(self.notes.len()),
                (Some(_), Some(index)) => {
                    let note = &mut self.notes[index];
                    note.until = at;
                    note.repeats += 1;
                    return;
                }
            }
        }
        self.notes.push(Note { at, order, host, resource, weight, kind, repeats: 0, until: at, passes: false, text });
    }

    // --- Names ---

    fn tale(&mut self, host: Host) -> &mut Tale {
        &mut self.hosts[usize::from(host.0)]
    }

    fn label(&self, host: Host) -> String {
        self.setup.label(host).to_owned()
    }

    fn resource(&self, resource: ResourceIx) -> String {
        let resource = &self.setup.resources[usize::from(resource.0)];
        format!("{}:{}", self.setup.lockspaces[usize::from(resource.lockspace.0)].name, resource.name)
    }

    /// The resource that a request wants.
    fn acquired(&self, request: &Request) -> Option<ResourceIx> {
        match request {
            Request::Acquire { lockspace, resource, .. } => self.setup.resource_named(lockspace, resource),
            _ => None,
        }
    }

    /// What a host is acquiring, if that is one thing: the engine's events name workers, not resources.
    fn only_acquired(&self, host: Host) -> Option<ResourceIx> {
        let (first, rest) = self.hosts[usize::from(host.0)].acquiring.split_first()?;
        rest.iter().all(|(_, resource)| *resource == first.1).then_some(first.1)
    }

    fn what_is_acquired(&self, host: Host) -> String {
        self.only_acquired(host).map_or_else(|| "a resource".to_owned(), |resource| self.resource(resource))
    }

    fn place(&self, disk: DiskId, issued: Issued) -> String {
        let Some((area, kind)) = self.setup.record_at(disk, issued.offset) else {
            return format!("byte {} of d{}", issued.offset, disk.0);
        };
        let own = |id| {
            let host = &self.setup.hosts[usize::from(issued.host.0)];
            host.memberships.iter().any(|member| member.host_id == id)
        };
        let (name, sector) = match area {
            Area::Lockspace(ix) => {
                let space = &self.setup.lockspaces[usize::from(ix.0)];
                (space.name.to_string(), u64::from(space.geometry.sector()))
            }
            Area::Resource(ix) => {
                (self.resource(ix), u64::from(self.setup.resources[usize::from(ix.0)].geometry.sector()))
            }
        };
        match kind {
            _ if issued.length > sector => name,
            SectorKind::Delta(id) if own(id) => format!("its lease in {name}"),
            SectorKind::Delta(id) => format!("the lease of host id {id} in {name}"),
            SectorKind::Leader => format!("the leader of {name}"),
            SectorKind::HostBlock(id) if own(id) => format!("its block of {name}"),
            SectorKind::HostBlock(id) => format!("the block of host id {id} of {name}"),
            SectorKind::Request => format!("the request of {name}"),
            _ => name,
        }
    }
}

/// What a violation is about.
struct Concern {
    /// Empty: everybody.
    hosts: Vec<Host>,
    /// Empty: any.
    resources: Vec<ResourceIx>,
}

impl Concern {
    fn of(setup: &Setup, verdict: &Verdict) -> Concern {
        let Verdict::Violated(violation) = verdict else { return Concern { hosts: Vec::new(), resources: Vec::new() } };
        let named = |name: &str| {
            let mut words = violation.what.split(|char: char| !(char.is_alphanumeric() || "-_".contains(char)));
            words.any(|word| word == name)
        };
        let resources = (0..setup.resources.len()).filter(|index| named(&setup.resources[*index].name.to_string()));
        let resources = resources.map(|index| ResourceIx(index as u8)).collect();
        Concern { hosts: violation.hosts.clone(), resources }
    }

    fn includes(&self, note: &Note) -> bool {
        match (note.resource, note.host) {
            // Who had the resource before matters, whoever it was.
            (Some(resource), _) if !self.resources.is_empty() => self.resources.contains(&resource),
            (_, Some(host)) if !self.hosts.is_empty() => self.hosts.contains(&host),
            _ => true,
        }
    }
}

fn part_words(part: Part) -> String {
    match part {
        Part::Host => String::new(),
        Part::Daemon => "'s daemon".to_owned(),
        Part::Wdmd => "'s wdmd".to_owned(),
        Part::Process(process) => format!("'s process {}", process.0),
        Part::Task(Task::Main) => "'s main loop".to_owned(),
        Part::Task(Task::Lockspace(_)) => "'s renewal".to_owned(),
        Part::Task(Task::Worker(number)) => format!("'s worker {number}"),
        Part::Task(Task::Resource) => "'s release of resources".to_owned(),
    }
}

/// What helps to understand a violation.
fn rare_words(rare: Rare) -> Option<&'static str> {
    Some(match rare {
        Rare::LateReadAdopted => "a read that had timed out is used by the next renewal",
        Rare::CommittedByOther => "another host had committed its value",
        Rare::AdoptedOther => "it carries the value of another host through its ballot",
        Rare::KeptOwnVote => "it keeps the vote of its own life before",
        Rare::GrantRefused => "an acquire finishes too late and is not granted",
        Rare::ClientGoneDuringAcquire => "a client is gone before its acquire finishes",
        Rare::ReleasedByFlagAlone => "another host wrote the leader, so only its block says that it lets go",
        Rare::RenewalTooOld => "a renewal is refused, since the last one was too long ago",
        Rare::WaitedForOwnLife => "it waits until its own last life must be over",
        Rare::AnsweredLate => "an I/O of its join is answered too late to count",
        Rare::JoinTooOld => "its join is refused, since others may have seen it die meanwhile",
        Rare::FreeWithheld => "it does not set its host id free, since another host may own it by now",
        Rare::SectorBusy => "a write waits for an earlier one to the same sector",
        Rare::NoAioSlot => "all I/O slots are taken by I/Os that hang",
        Rare::SharedHolderAlive => "it has won the lease, but others share it",
        Rare::SharedHolderDead => "it passes over one that shared the lease and is dead",
        Rare::ConversionUndone => "what its conversion won is not given back yet",
        Rare::DowngradeRepeated => "its conversion to shared is tried again",
        Rare::OrphanAdopted => "one of its processes takes over what another had left behind",
        Rare::GivenUpVoteWon => "a vote that it had given up has won, so it begins anew",
        Rare::LeaderOverruled => "a block of a later version shows that the leader is of the past",
        // The others change nothing in what is told.
        _ => return None,
    })
}

/// Microseconds shown as seconds with three decimals.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 % 1_000_000 / 1_000)
    }
}
