//! What a host's daemon would have told at a moment of a trace: the raw material of `leaselab status`.
//!
//! The trace is walked up to the moment, and the engine is asked there without being disturbed. What the engine does not
//! remember (when something was tried last, what came of it, the history of renewals) is gathered on the way.

use crate::case::Case;
use crate::replay::Player;
use crate::trace::{Line, Trace};
use lease_core::Refusal;
use lease_core::numbers::{Second, Stamp, Time};
use lease_core::profile::Config;
use lease_core::seam::{ClientId, Event, LsId, Request, Task};
use lease_core::told::{ToldClient, ToldLockspace, ToldResource};
use model::action::Part;
use model::setup::{Host, Process};
use model::{Action, Happening, HostClock, Instant, Sink};
use std::collections::{BTreeMap, VecDeque};

/// How many renewals the daemon remembers (`renewal_history_size`).
const RENEWALS: usize = 180;

/// A host and its daemon at a moment.
#[derive(Clone, Debug)]
pub struct HostAt {
    /// Its engine's configuration.
    pub config: Config,
    /// What its clock shows.
    pub now: Time,
    /// Its lockspaces.
    pub lockspaces: Vec<LockspaceAt>,
    /// Its resources.
    pub resources: Vec<ToldResource>,
    /// The processes that its daemon knows.
    pub clients: Vec<ClientAt>,
}

/// A lockspace, and what became of it so far.
#[derive(Clone, Debug)]
pub struct LockspaceAt {
    /// What the engine knows.
    pub told: ToldLockspace,
    /// What was gathered.
    pub past: Past,
}

/// What became of a lockspace so far. Results are sanlock's: 1 is success, 0 is none yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// It failed, and was not only to be left.
    pub renew_fail: bool,
    /// Result of the join.
    pub acquire_last_result: i32,
    /// When the join last did some I/O.
    pub acquire_last_attempt: Second,
    /// The stamp of the join.
    pub acquire_last_success: Second,
    /// Result of the last renewal.
    pub renewal_last_result: i32,
    /// When a renewal last did some I/O.
    pub renewal_last_attempt: Second,
    /// Successful renewals, the join first; not more than the daemon remembers.
    pub renewals: VecDeque<Renewal>,
}

/// A line of `sanlock client renewal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewal {
    /// The stamp that was written.
    pub timestamp: Stamp,
    /// How long the read took.
    pub read_ms: u64,
    /// How long the write took.
    pub write_ms: u64,
    /// Time-outs from there to the next success.
    pub next_timeouts: u32,
    /// Other errors from there to the next success.
    pub next_errors: u32,
}

/// A client process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAt {
    /// Its number, which stands for its pid.
    pub process: Process,
    /// It has asked for a resource, which makes the daemon forget what it was called before.
    pub renamed: bool,
    /// The number of its last command in sanlock's protocol; 0: none yet.
    pub cmd_last: u32,
    /// What the engine knows, if anything.
    pub told: Option<ToldClient>,
}

/// Why there is nothing to tell.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoStatus {
    /// The scenario has no such host.
    #[error("expected one of the hosts {known}, found {found:?}")]
    NoSuchHost {
        /// The hosts that there are.
        known: String,
        /// What was asked for.
        found: String,
    },
    /// The trace ends before that moment.
    #[error("expected a moment up to the end of the trace at {end}, found {found}")]
    TooLate {
        /// The end of the trace.
        end: Instant,
        /// What was asked for.
        found: Instant,
    },
    /// No daemon runs then: the real tool would print nothing.
    #[error("no daemon runs on {host} at {at}")]
    NoDaemon {
        /// The host.
        host: String,
        /// The moment.
        at: Instant,
    },
}

/// The host called `label` at a moment of a trace, after everything that happened then.
///
/// # Errors
///
/// If there is no such host, no such moment, or no daemon then.
pub fn host_at(trace: &Trace, case: &Case<'_>, label: &str, at: Instant) -> Result<HostAt, NoStatus> {
    let Some(host) = case.setup.host_labelled(label) else {
        let known = case.setup.hosts.iter().map(|host| host.label.as_str()).collect::<Vec<_>>().join(", ");
        return Err(NoStatus::NoSuchHost { known, found: label.to_owned() });
    };
    let moments = trace.lines.iter().filter_map(|line| match line {
        Line::Choice { at, .. } | Line::Mark { at, .. } => Some(*at),
        Line::Note(_) => None,
    });
    let end = moments.max().unwrap_or(Instant::START);
    if at > end {
        return Err(NoStatus::TooLate { end, found: at });
    }
    let config = case.setup.hosts[usize::from(host.0)].config.clone();
    let clock = HostClock::starting(Instant::START, Time::default(), case.setup.hosts[usize::from(host.0)].drift_ppm);
    let mut chronicle = Chronicle { host, clock, pasts: BTreeMap::new(), clients: BTreeMap::new() };
    let mut player = Player::new(case, &mut chronicle);
    player.play(trace, at);
    let world = player.world();
    let Some(engine) = world.engine(host) else {
        return Err(NoStatus::NoDaemon { host: label.to_owned(), at });
    };
    let now = world.clocks()[usize::from(host.0)].at(at.max(world.now()));
    let (told, resources) = (engine.told_lockspaces(now), engine.told_resources());
    let known = world.processes(host).filter(|(_, state)| state.registered).map(|(process, state)| {
        let told = engine.told_client(ClientId(process.0));
        (process, told, state.connected || told.is_some())
    });
    let known: Vec<_> = known.filter(|(.., known)| *known).collect();
    drop(player);
    let clients = known.into_iter().map(|(process, told, _)| {
        let Asked { renamed, cmd_last } = chronicle.clients.get(&process).copied().unwrap_or_default();
        ClientAt { process, renamed, cmd_last, told }
    });
    Ok(HostAt {
        config,
        now,
        clients: clients.collect(),
        lockspaces: told
            .into_iter()
            .map(|told| LockspaceAt { past: chronicle.pasts.get(&told.id).cloned().unwrap_or_default(), told })
            .collect(),
        resources,
    })
}

/// What a client asked for so far.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    renamed: bool,
    cmd_last: u32,
}

/// What is gathered on the way, about one host.
struct Chronicle {
    host: Host,
    clock: HostClock,
    pasts: BTreeMap<LsId, Past>,
    clients: BTreeMap<Process, Asked>,
}

impl Chronicle {
    /// The thread of a lockspace does some I/O.
    fn tries(&mut self, at: Instant, lockspace: LsId) {
        let second = self.clock.at(at).second();
        let past = self.pasts.entry(lockspace).or_default();
        if past.renewals.is_empty() {
            past.acquire_last_attempt = second;
        } else {
            past.renewal_last_attempt = second;
        }
    }

    fn event(&mut self, event: &Event) {
        let (Event::Joined { lockspace, .. }
        | Event::JoinFailed { lockspace, .. }
        | Event::Renewed { lockspace, .. }
        | Event::RenewalFailed { lockspace, .. }
        | Event::Killing { lockspace, .. }
        | Event::Left { lockspace, .. }) = event
        else {
            return;
        };
        let past = self.pasts.entry(*lockspace).or_default();
        match *event {
            Event::Joined { timestamp, .. } => {
                let second = Second(timestamp.0);
                // A join counts as the first renewal.
                *past = Past {
                    acquire_last_result: 1,
                    acquire_last_attempt: second,
                    acquire_last_success: second,
                    renewal_last_result: 1,
                    renewal_last_attempt: second,
                    ..Past::default()
                };
                past.succeeded(Renewal { timestamp, read_ms: 0, write_ms: 0, next_timeouts: 0, next_errors: 0 });
            }
            Event::JoinFailed { why, .. } => past.acquire_last_result = why.code(),
            Event::Renewed { timestamp, read, write, .. } => {
                past.renewal_last_result = 1;
                let (read_ms, write_ms) = (read.micros() / 1_000, write.micros() / 1_000);
                past.succeeded(Renewal { timestamp, read_ms, write_ms, next_timeouts: 0, next_errors: 0 });
            }
            Event::RenewalFailed { why, .. } => {
                past.renewal_last_result = why.code();
                if let Some(last) = past.renewals.back_mut() {
                    match why {
                        Refusal::AioTimeout => last.next_timeouts += 1,
                        _ => last.next_errors += 1,
                    }
                }
            }
            Event::Killing { failed, .. } => past.renew_fail |= failed,
            _ => {
                self.pasts.remove(lockspace);
            }
        }
    }
}

impl Past {
    fn succeeded(&mut self, renewal: Renewal) {
        if self.renewals.len() == RENEWALS {
            self.renewals.pop_front();
        }
        self.renewals.push_back(renewal);
    }
}

/// The number of a command in sanlock's protocol.
fn command_number(request: &Request) -> u32 {
    use lease_core::seam::IndexOperation as Index;
    match request {
        Request::AddLockspace { .. } => 2,
        Request::RemLockspace { .. } => 3,
        Request::Shutdown { wait: false, .. } => 4,
        Request::Shutdown { wait: true, .. } => 29,
        Request::Acquire { .. } => 7,
        Request::Release { .. } | Request::Rename { .. } => 8,
        Request::Call { .. } => 11,
        Request::Examine { resource, .. } => 13 + u32::from(!resource.is_empty()),
        Request::ReadLockspace { .. } => 20,
        Request::ReadOwners { .. } => 24,
        Request::RegEvent { .. } => 30,
        Request::EndEvent { .. } => 31,
        Request::SetEvent { .. } => 32,
        Request::Inquire => 9,
        Request::Restrict(_) => 10,
        Request::InquireLockspace { .. } => 16,
        Request::SetKillpath(_) => 17,
        Request::SetConfig { .. } => 33,
        Request::SetLvb { .. } => 25,
        Request::GetLvb { .. } => 26,
        Request::Convert { .. } => 27,
        Request::GetHosts { .. } => 23,
        Request::Index { operation, .. } => match operation {
            Index::Format { .. } => 35,
            Index::Update { .. } => 36,
            Index::Lookup { .. } => 37,
            Index::Create { .. } => 38,
            Index::Delete { .. } => 39,
            Index::Rebuild => 40,
        },
    }
}

impl Sink for Chronicle {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        match happening {
            Happening::Up { host, clock } if *host == self.host => {
                self.clock = HostClock::starting(at, *clock, self.clock.ppm);
            }
            Happening::ClockChanged { host, clock } if *host == self.host => {
                self.clock = HostClock { from_true: at, from_host: *clock, ..self.clock };
            }
            Happening::Chosen(Action::SetDrift { host, ppm }) if *host == self.host => {
                self.clock = HostClock { ppm: *ppm, ..self.clock.rebased(at) };
            }
            Happening::Chosen(Action::StopClock { host }) if *host == self.host => {
                self.clock = HostClock { stopped: true, ..self.clock.rebased(at) };
            }
            Happening::Resumed { host, part: Part::Host, .. } if *host == self.host => {
                self.clock = HostClock { stopped: false, ..self.clock.rebased(at) };
            }
            Happening::DaemonUp { host, .. } if *host == self.host => {
                self.pasts.clear();
                self.clients.clear();
            }
            Happening::Spawned { host, process } if *host == self.host => {
                self.clients.insert(*process, Asked::default());
            }
            Happening::Asked { host, process: Some(process), request } if *host == self.host => {
                let asked = self.clients.entry(*process).or_default();
                asked.cmd_last = command_number(request);
                asked.renamed |= matches!(request, Request::Acquire { .. });
            }
            Happening::ReadIssued { host, task: Task::Lockspace(lockspace), .. }
            | Happening::WriteIssued { host, task: Task::Lockspace(lockspace), .. }
                if *host == self.host =>
            {
                self.tries(at, *lockspace);
            }
            Happening::Engine { host, event } if *host == self.host => self.event(event),
            _ => {}
        }
    }
}
