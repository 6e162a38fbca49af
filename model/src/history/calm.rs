//! I-CALM: without a reason in its own environment no host is reset, loses its host id or kills its clients.
//!
//! A reason excuses a host for 8N + W + 2N seconds: so long can it take until what was missed shows. It excuses the
//! beginning of a recovery, not each signal: a process that does not die is signalled for as long as it lives.

use super::counts::is_loss;
use super::facts::Facts;
use super::ledger::{Ended, HostLedger, Ledger, NEARLY, Phase, UnderWay, damages, went_well};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::action::Part;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, HostSetup, Setup};
use lease_core::profile::{OutstandingWrite, Parameters};
use lease_core::seam::{Event, Request, Task};

/// A stall up to this long is everyday life, in microseconds.
const EVERYDAY_STALL: u64 = 1_000_000;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Calm {
    /// Until when each host is excused.
    excused: Vec<Instant>,
    /// Until when each may kill its clients because somebody removes a lockspace.
    removing: Vec<Instant>,
    /// When each signalled last because it heeded a request.
    heeded: Vec<Option<Instant>>,
    /// Two hosts have one name or one host id: then a record may be another one than its owner wrote.
    twice: bool,
    /// How long a reason excuses each host, in microseconds.
    windows: Vec<u64>,
}

impl Calm {
    pub(super) fn new(setup: &Setup) -> Calm {
        let twice = names_or_ids_twice(setup);
        let excused = if twice { Instant::NEVER } else { Instant::START };
        let hosts = setup.hosts.len();
        let windows = setup.hosts.iter().map(window).collect();
        Calm {
            excused: vec![excused; hosts],
            removing: vec![Instant::START; hosts],
            heeded: vec![None; hosts],
            twice,
            windows,
        }
    }

    /// Whether somebody read or wrote what he should not have.
    pub(super) fn is_damaged(&self, ledger: &Ledger) -> bool {
        self.twice || ledger.damaged
    }

    /// To be asked before the ledger follows the happening, for what was under way on a host goes down with it.
    pub(super) fn before(&mut self, at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) {
        if let Happening::Down { host, .. } = happening
            && has_reason_now(at, ledger.host(*host), parameters(*host, facts))
        {
            self.excuse(at, *host);
        }
    }

    pub(super) fn see(
        &mut self,
        at: Instant,
        happening: &Happening,
        ended: Ended,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        match happening {
            _ if damages(happening) => (0..self.excused.len()).for_each(|host| self.excuse(at, Host(host as u8))),
            Happening::Completed { host, completion, took, .. } => {
                let slow = ended.io.is_some_and(|io| slow(&io, *took, ledger.host(*host), parameters(*host, facts)));
                if slow || !went_well(completion) {
                    self.excuse(at, *host);
                }
            }
            Happening::Resumed { part: Part::Process(_), .. } => {}
            Happening::Resumed { host, stood, .. } if *stood > EVERYDAY_STALL => self.excuse(at, *host),
            Happening::PathChanged { host, .. }
            | Happening::ClockChanged { host, .. }
            | Happening::DaemonDown { host }
            | Happening::WdmdDown { host } => self.excuse(at, *host),
            Happening::Asked {
                host,
                request: Request::RemLockspace { .. } | Request::Shutdown { force: true, .. },
                ..
            } => {
                let window = self.windows[usize::from(host.0)];
                self.removing[usize::from(host.0)] = at.after_micros(window);
            }
            Happening::Down { host, by_watchdog } => {
                if *by_watchdog {
                    self.judge(at, *host, "is reset by its watchdog", ledger, facts)?;
                }
                self.excuse(at, *host);
            }
            Happening::Engine { host, event: Event::Killing { failed, .. } } => {
                let asked_to = |request: &Request| matches!(request, Request::RemLockspace { .. });
                let asked = !failed && ledger.host(*host).requests.iter().any(|asked| asked_to(&asked.request));
                if !asked && self.removing[usize::from(host.0)] <= at {
                    self.judge(at, *host, "kills its clients", ledger, facts)?;
                }
            }
            Happening::Engine { host, event: Event::RenewalFailed { why, .. } } if is_loss(*why) => {
                let config = &facts.setup.hosts[usize::from(host.0)].config;
                // Nobody but its owner writes a record, and that one does so once at a time and knows both outcomes.
                if config.profile.outstanding_write == OutstandingWrite::Awaited && !self.is_damaged(ledger) {
                    let what = format!("{} finds a record that it takes for another's ({why:?})", facts.label(*host));
                    return violated(Property::Calm, at, &[*host], what);
                }
                self.judge(at, *host, "loses its host id", ledger, facts)?;
            }
            // Whether somebody asked for that is another checker's matter.
            Happening::Engine { host, event: Event::Heeded { .. } } => self.heeded[usize::from(host.0)] = Some(at),
            Happening::SelfSignalled { host } => {
                let what =
                    format!("{} kills its own daemon, for a request that was for its clients", facts.label(*host));
                return violated(Property::Calm, at, &[*host], what);
            }
            Happening::Signalled { host, .. } => {
                let killing = |phase: Phase| matches!(phase, Phase::Killing { .. });
                let heeds = self.heeded[usize::from(host.0)] == Some(at);
                if !heeds && !ledger.host(*host).lives.iter().any(|life| killing(life.phase)) {
                    self.judge(at, *host, "signals a client", ledger, facts)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn excuse(&mut self, at: Instant, host: Host) {
        let host = usize::from(host.0);
        self.excused[host] = self.excused[host].max(at.after_micros(self.windows[host]));
    }

    fn judge(&self, at: Instant, host: Host, does: &str, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        let parameters = parameters(host, facts);
        if self.excused[usize::from(host.0)] > at || has_reason_now(at, ledger.host(host), parameters) {
            return Ok(());
        }
        let seconds = self.windows[usize::from(host.0)] / 1_000_000;
        let what = format!(
            "{} {does} although nothing was wrong with its I/O, paths, clock or threads for {seconds} seconds",
            facts.label(host),
        );
        violated(Property::Calm, at, &[host], what)
    }
}

/// 8N + W + 2N seconds for the largest N of the host, in microseconds.
fn window(host: &HostSetup) -> u64 {
    let io_timeout = host.memberships.iter().map(|member| u64::from(member.io_timeout)).max().unwrap_or(0);
    let io_timeout = if io_timeout == 0 { 10 } else { io_timeout };
    (10 * io_timeout + host.config.parameters.watchdog_fire_timeout) * 1_000_000
}

/// Two hosts with one name or one host id take it from each other, and that is reason enough.
fn names_or_ids_twice(setup: &Setup) -> bool {
    setup.hosts.iter().enumerate().any(|(index, host)| {
        setup.hosts[index + 1..].iter().any(|other| {
            host.config.host_name.same(&other.config.host_name)
                || host.memberships.iter().any(|mine| {
                    let same = |theirs: &crate::setup::Membership| {
                        (theirs.lockspace, theirs.host_id) == (mine.lockspace, mine.host_id)
                    };
                    other.memberships.iter().any(same)
                })
        })
    })
}

fn parameters<'a>(host: Host, facts: &'a Facts<'_>) -> &'a Parameters {
    &facts.setup.hosts[usize::from(host.0)].config.parameters
}

/// Whether a lockspace thread may have given up an I/O that took this long. The read of a renewal it takes even if that
/// comes late, and it waits for its write, so that storage which is steadily slow is no reason.
fn slow(io: &UnderWay, took: u64, host: &HostLedger, parameters: &Parameters) -> bool {
    let Task::Lockspace(id) = io.task else { return false };
    let life = host.lives.iter().find(|life| life.id == Some(id));
    // A thread ends before its I/O only if it gave that up and waited for it in vain.
    life.is_none_or(|life| {
        // With a shorter io_timeout the pauses in between count.
        let renews = life.believes() && life.io_timeout >= 5;
        let extend = if renews { parameters.renewal_read_extend.unwrap_or(life.io_timeout) } else { 0 };
        took + NEARLY >= (life.io_timeout + extend) * 1_000_000
    })
}

fn has_reason_now(at: Instant, host: &HostLedger, parameters: &Parameters) -> bool {
    !host.closed_paths.is_empty()
        || host
            .stalls
            .iter()
            .any(|(part, since)| !matches!(part, Part::Process(_)) && at.micros_since(*since) > EVERYDAY_STALL)
        || host.under_way.iter().any(|io| slow(io, at.micros_since(io.issued), host, parameters))
}
