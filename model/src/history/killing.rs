//! I-KILL: when a lockspace has failed, every holder is signalled in time, killed in time, nobody is skipped, and
//! nobody is admitted any more (daemon §5).
//!
//! Deadlines run on the host's own clock and wait for its main loop while that is stalled.

use super::facts::Facts;
use super::ledger::{Hold, HostLedger, Ledger, Life, Phase};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, Process};
use lease_core::numbers::{Span, Time};
use lease_core::profile::ClientGone;
use lease_core::seam::{Event, Signal};

/// The main loop's tick, and a little: whatever is due is done so soon.
const SOON: Span = Span::from_millis(1_200);

/// What is due for a holder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    FirstSignal,
    Kill,
}

pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    match happening {
        Happening::UseBegins { host, process, resource, .. } => {
            let lockspace = facts.resource(*resource).lockspace;
            let life = ledger.host(*host).current(lockspace);
            if let Some(life) = life.filter(|life| matches!(life.phase, Phase::Killing { .. } | Phase::Cleared)) {
                let what = format!(
                    "{} is granted {} although {} {} {}",
                    facts.process(*host, *process),
                    facts.resource_name(*resource),
                    facts.label(*host),
                    if life.is_lost() { "has lost" } else { "is leaving" },
                    facts.lockspace_name(lockspace),
                );
                return violated(Property::Killing, at, &[*host], what);
            }
        }
        Happening::Signalled { host, process, signal } if refuses(*host, *process, *signal, ledger) => {
            let what = format!("{} gets {}, which it never wants", facts.process(*host, *process), name_of(*signal));
            return violated(Property::Killing, at, &[*host], what);
        }
        Happening::Signalled { host, process, signal: Signal::Term } | Happening::KillpathRun { host, process, .. } => {
            let client = ledger.host(*host).client(*process);
            if matches!(happening, Happening::Signalled { .. }) && client.is_some_and(|client| client.restricted.kill) {
                return Ok(());
            }
            let what_comes =
                if matches!(happening, Happening::Signalled { .. }) { "gets SIGTERM" } else { "has its program run" };
            let mut killing = ledger.holds_of(*host).filter(|hold| hold.process == *process).filter_map(|hold| {
                let life = ledger.life_behind(hold)?;
                let Phase::Killing { since, failed } = life.phase else { return None };
                Some((life, kill_time(hold, life, since, failed, facts)))
            });
            let now = facts.now(*host, at);
            if let Some((life, first)) = killing.next()
                && now >= first
                && killing.all(|(_, other)| now >= other)
            {
                let what = format!(
                    "{} {what_comes}, though its time to end by itself in {} was over at {} on {}'s clock",
                    facts.process(*host, *process),
                    facts.lockspace_name(life.lockspace),
                    first.second(),
                    facts.label(*host),
                );
                return violated(Property::Killing, at, &[*host], what);
            }
        }
        Happening::Engine { host, event: Event::Cleared { lockspace } } => {
            if let Some(life) = ledger.life_of(*host, *lockspace).filter(|life| life.used) {
                let lockspace = facts.lockspace_name(life.lockspace);
                let what = format!("{} gives {lockspace} up, though it was told that it is used", facts.label(*host));
                return violated(Property::Killing, at, &[*host], what);
            }
        }
        _ => {}
    }
    Ok(())
}

/// To be asked before the ledger follows the happening: a program is run once, and SIGTERM is not sent beside it. What
/// a request asks for comes besides: as often as there is a request, and whatever is done when a lockspace fails.
pub(super) fn before(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let (host, process, why) = match happening {
        Happening::KillpathRun { host, process, .. } => (host, process, "has its program run a second time"),
        Happening::Signalled { host, process, signal: Signal::Term } => {
            (host, process, "gets SIGTERM, and not its program")
        }
        _ => return Ok(()),
    };
    let Some(client) = ledger.host(*host).client(*process).filter(|client| client.killpath) else { return Ok(()) };
    let again = matches!(happening, Happening::KillpathRun { .. });
    let grace = facts.setup.hosts[usize::from(host.0)].config.parameters.kill_grace;
    let heeds = ledger.host(*host).heeds(at);
    let wrong = if again { client.killpath_ran && !heeds } else { grace > 0 && !client.restricted.kill };
    match wrong {
        true => violated(Property::Killing, at, &[*host], format!("{} {why}", facts.process(*host, *process))),
        false => Ok(()),
    }
}

/// Whether a process wants this signal never to be sent.
fn refuses(host: Host, process: Process, signal: Signal, ledger: &Ledger) -> bool {
    ledger.host(host).client(process).is_some_and(|client| client.restricted.instead_of(signal) != Some(signal))
}

fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Term => "SIGTERM",
        Signal::Kill => "SIGKILL",
    }
}

/// Whatever is due at this moment was done.
pub(super) fn in_time(at: Instant, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    for (hold, time, due) in deadlines(ledger, facts) {
        if facts.now(hold.host, at) >= time {
            let process = facts.process(hold.host, hold.process);
            let (label, lockspace) = (facts.label(hold.host), facts.lockspace_name(hold.lockspace));
            let what = match due {
                Due::FirstSignal => format!("{label} has lost {lockspace} and has not signalled {process} in time"),
                Due::Kill => format!("{label} has lost {lockspace} and has not sent SIGKILL to {process} in time"),
            };
            return violated(Property::Killing, at, &[hold.host], what);
        }
    }
    Ok(())
}

/// When the first deadline passes if nothing else happens.
pub(super) fn due(ledger: &Ledger, facts: &Facts<'_>) -> Instant {
    deadlines(ledger, facts).map(|(hold, time, _)| facts.when(hold.host, time)).min().unwrap_or(Instant::NEVER)
}

fn deadlines<'a>(ledger: &'a Ledger, facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a Hold, Time, Due)> {
    ledger.holds.iter().filter_map(|hold| {
        let host = ledger.host(hold.host);
        let life = ledger.life_behind(hold)?;
        if !host.main_runs() || life.id.is_none() || !counts_as_holder(hold, host, facts) {
            return None;
        }
        let (time, due) = next(hold, life, host, facts)?;
        Some((hold, time.max(host.main_runs_since).after(SOON), due))
    })
}

fn next(hold: &Hold, life: &Life, host: &HostLedger, facts: &Facts<'_>) -> Option<(Time, Due)> {
    let client = host.client(hold.process)?;
    // Who wants neither signal gets none.
    client.restricted.instead_of(Signal::Kill)?;
    match life.phase {
        Phase::Killing { since, failed } => {
            let limit = facts.setup.hosts[usize::from(hold.host.0)].config.parameters.kill_limit;
            let kill = kill_time(hold, life, since, failed, facts);
            // Who never wants SIGKILL gets SIGTERM again.
            let killed = if client.restricted.kill { client.last_signal >= kill } else { client.last_kill >= since };
            if killed || client.signals >= limit {
                return None;
            }
            let first = (client.last_signal < since).then_some((since, Due::FirstSignal));
            Some(first.unwrap_or((kill, Due::Kill)))
        }
        // It is to be noticed that it has failed.
        Phase::Joined => {
            let parameters = &facts.setup.hosts[usize::from(hold.host.0)].config.parameters;
            let fails = life.last_success.after(parameters.failure_age(life.io_timeout)).start();
            Some((life.lost.map_or(fails, |lost| lost.min(fails)), Due::FirstSignal))
        }
        _ => None,
    }
}

/// From when on only SIGKILL is sent: at once when the lockspace is removed, else when the grace is over.
fn kill_time(hold: &Hold, life: &Life, since: Time, failed: bool, facts: &Facts<'_>) -> Time {
    let parameters = &facts.setup.hosts[usize::from(hold.host.0)].config.parameters;
    let over = life.last_success.after(parameters.failure_age(life.io_timeout) + parameters.kill_grace).start();
    if failed { over.max(since) } else { since }
}

/// A process whose connection closed is gone in the eyes of a daemon that goes by connections.
fn counts_as_holder(hold: &Hold, host: &HostLedger, facts: &Facts<'_>) -> bool {
    let by_process = facts.setup.hosts[usize::from(hold.host.0)].config.profile.client_gone == ClientGone::Exited;
    host.client(hold.process).is_some_and(|client| client.alive && (by_process || !client.hung_up))
}
