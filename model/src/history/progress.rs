//! I-PROG: once everything is healed, every request is answered, and every resource is acquired within its bound.

use super::facts::Facts;
use super::ledger::{Asked, Ledger, Life, Phase};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, ResourceIx};
use lease_core::numbers::{Span, Time};
use lease_core::seam::{Event, Request};

/// How long a join that is to be given up may take, beside six I/Os.
const GIVING_UP: u64 = 10;
/// How long a thread that ends waits for I/O that it gave up, and a little.
const DRAINING: u64 = 135;
/// A look at a join or a removal and a tick of the main loop, and a little.
const SOON: Span = Span::from_millis(2_500);
/// A look that comes once a second, with its answer's way to whoever asked.
const LOOK: Span = Span::from_millis(1_100);
/// What each such second takes longer than a second.
const DRIFT: Span = Span::from_millis(2);

/// To be asked before the ledger follows the happening: what was to end has ended in time. Six I/Os are the most that a
/// join can still wait for, one after the other; who leaves may wait for a renewal's write, which has 8N + W seconds,
/// for one more I/O of each kind, and then for what it gave up.
pub(super) fn before(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    match happening {
        Happening::Engine { host, event: Event::Killing { lockspace, failed: false } } => {
            let Some(life) = ledger.life_of(*host, *lockspace) else { return Ok(()) };
            let begins = format!("to begin to leave {}", facts.lockspace_name(life.lockspace));
            return after_order(at, *host, life.removal, SOON, &begins, facts);
        }
        Happening::Told { host, request: Request::RemLockspace { name, .. }, result: Ok(_), .. } => {
            let lives = &ledger.host(*host).lives;
            let is_it = |life: &&Life| facts.lockspace_named(name) == Some(life.lockspace) && life.is_over();
            let Some(life) = lives.iter().rev().find(is_it) else { return Ok(()) };
            // Whoever waits for a join looks first, and only then the main loop and whoever waits for the end.
            let joined_not = life.phase == Phase::JoinFailed;
            let parameters = &facts.setup.hosts[usize::from(host.0)].config.parameters;
            let longest =
                parameters.failure_age(life.io_timeout) + parameters.watchdog_fire_timeout + 6 * life.io_timeout;
            let look = Span::from_micros(LOOK.micros() + longest * DRIFT.micros());
            let bound = if joined_not { SOON.plus(look) } else { SOON };
            return after_order(at, *host, life.ended, bound, "to say that it has left", facts);
        }
        // Operations on an index go on for as long as there are areas.
        Happening::Told { host, request: Request::Shutdown { wait: true, .. }, result: Ok(_), .. }
            if facts.setup.indices.is_empty() =>
        {
            let lives = &ledger.host(*host).lives;
            let longest = lives.iter().map(|life| life.io_timeout).max().unwrap_or(0);
            let ended = lives.iter().map(|life| life.ended).max().flatten();
            let bound = SOON.plus(Span::from_secs(3 * longest));
            let waits = |asked: &Asked| matches!(asked.request, Request::Shutdown { wait: true, .. });
            let asked = ledger.host(*host).requests.iter().find(|asked| waits(asked));
            let long_ago = asked.is_some_and(|asked| at.micros_since(asked.at) > bound.micros());
            return after_order(at, *host, ended.filter(|_| long_ago), bound, "to end", facts);
        }
        _ => {}
    }
    let Happening::Engine {
        host,
        event:
            // Who succeeds in spite of it has not given up either.
            Event::Joined { lockspace, .. } | Event::JoinFailed { lockspace, .. } | Event::Left { lockspace, .. },
    } = happening
    else {
        return Ok(());
    };
    let Some(life) = ledger.life_of(*host, *lockspace) else { return Ok(()) };
    let Some(since) = life.leaves else { return Ok(()) };
    let parameters = &facts.setup.hosts[usize::from(host.0)].config.parameters;
    let bound = match life.phase {
        Phase::Joining => 6 * life.io_timeout + GIVING_UP,
        _ => {
            let write = parameters.failure_age(life.io_timeout) + parameters.watchdog_fire_timeout;
            write + 3 * life.io_timeout + DRAINING
        }
    };
    let took = facts.now(*host, at).since(since);
    if took <= Span::from_secs(bound) {
        return Ok(());
    }
    let what = format!(
        "{} was to leave {}, which took {} s, expected within {bound} s",
        facts.label(*host),
        facts.lockspace_name(life.lockspace),
        took.micros() / 1_000_000,
    );
    violated(Property::Progress, at, &[*host], what)
}

/// What the daemon of a host was to do since a moment on its clock, and does now.
fn after_order(at: Instant, host: Host, since: Option<Time>, bound: Span, what: &str, facts: &Facts<'_>) -> Verdict {
    let Some(since) = since else { return Ok(()) };
    let took = facts.now(host, at).since(since);
    if took <= bound {
        return Ok(());
    }
    let what = format!(
        "the daemon of {} was {what}, which took {} ms, expected within {} ms",
        facts.label(host),
        took.micros() / 1_000,
        bound.micros() / 1_000,
    );
    violated(Property::Progress, at, &[host], what)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Expected {
    resource: ResourceIx,
    by: Instant,
    acquired: Option<Instant>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Progress {
    /// When the liveness act began.
    since: Option<Instant>,
    expected: Vec<Expected>,
}

impl Progress {
    pub(super) fn begins(&mut self, at: Instant) {
        self.since = Some(at);
        self.expected.clear();
    }

    pub(super) fn expect(&mut self, resource: ResourceIx, by: Instant) {
        self.expected.push(Expected { resource, by, acquired: None });
    }

    pub(super) fn see(&mut self, at: Instant, happening: &Happening) {
        let Happening::UseBegins { resource, .. } = happening else { return };
        for expected in &mut self.expected {
            if expected.resource == *resource {
                expected.acquired.get_or_insert(at);
            }
        }
    }

    pub(super) fn at_rest(&self, at: Instant, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        for (host, state) in ledger.hosts() {
            if let Some(asked) = state.requests.first() {
                let who = match asked.process {
                    Some(process) => facts.process(host, process),
                    None => format!("the administrator of {}", facts.label(host)),
                };
                let what = format!("{who} asked for {:?} at {} and was never answered", asked.request, asked.at);
                return violated(Property::Progress, at, &[host], what);
            }
        }
        let since = self.since.unwrap_or_default();
        for expected in &self.expected {
            // Who held it all the time need not acquire it again.
            let held =
                |hold: &super::ledger::Hold| hold.resource == expected.resource && ledger.host(hold.host).main_runs();
            let late = match expected.acquired {
                Some(acquired) => acquired > expected.by,
                None => !ledger.holds.iter().any(held),
            };
            if late {
                let when = match expected.acquired {
                    Some(acquired) => format!("only at {acquired}"),
                    None => "by nobody".to_string(),
                };
                let what = format!(
                    "everything was healed at {since}, but {} was acquired {when}, expected by {}",
                    facts.resource_name(expected.resource),
                    expected.by,
                );
                return violated(Property::Progress, at, &[], what);
            }
        }
        Ok(())
    }
}
