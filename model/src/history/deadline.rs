//! I-WD: when 8N + W seconds have passed on a host's clock since its last durable stamp, none of its processes still
//! uses a lease of that lockspace.
//!
//! That is arithmetic and judged as such: the bugs that shorten something by less than the slack of a whole takeover
//! are seen here and nowhere else. N and W are the host's own. The stamp is that of the newest write of the life under
//! which the lease was granted that reached the platter, however late; it counts from the start of its second, for
//! that is what observers may have seen first. Where the profile lets observers wait longer for the sake of drifting
//! clocks, so much longer is a process allowed to live.

use super::facts::Facts;
use super::ledger::{Hold, Ledger};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::instant::Instant;
use lease_core::numbers::{Second, Time};
use lease_core::profile::DriftAllowance;

/// Whatever executes at this moment is in time.
pub(super) fn see(at: Instant, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    for hold in executing(ledger) {
        if let Some((stamp, deadline)) = deadline(hold, ledger, facts)
            && facts.now(hold.host, at) >= deadline
        {
            return late(at, hold, stamp, deadline, facts);
        }
    }
    Ok(())
}

/// When the first deadline passes if nothing else happens.
pub(super) fn due(ledger: &Ledger, facts: &Facts<'_>) -> Instant {
    let deadlines = executing(ledger).filter_map(|hold| Some((hold, deadline(hold, ledger, facts)?.1)));
    deadlines.map(|(hold, deadline)| facts.when(hold.host, deadline)).min().unwrap_or(Instant::NEVER)
}

fn executing(ledger: &Ledger) -> impl Iterator<Item = &Hold> {
    ledger.holds.iter().filter(|hold| ledger.host(hold.host).executes(hold.process))
}

/// The stamp that counts, and the time on the host's clock by which the holder must be gone.
fn deadline(hold: &Hold, ledger: &Ledger, facts: &Facts<'_>) -> Option<(Second, Time)> {
    let life = ledger.life_behind(hold)?;
    if life.landed == Second::NEVER {
        return None;
    }
    let config = &facts.setup.hosts[usize::from(hold.host.0)].config;
    let parameters = &config.parameters;
    let age = parameters.failure_age(life.io_timeout) + parameters.watchdog_fire_timeout;
    let allowance = match config.profile.drift_allowance {
        DriftAllowance::None => 0,
        DriftAllowance::Waited => config.parameters.drift_allowance(age),
    };
    Some((life.landed, life.landed.after(age + allowance).start()))
}

fn late(at: Instant, hold: &Hold, stamp: Second, deadline: Time, facts: &Facts<'_>) -> Verdict {
    let what = format!(
        "{} still uses {} though the last durable stamp of {} in {} is {stamp} and it had to be gone by {} on its clock",
        facts.process(hold.host, hold.process),
        facts.resource_name(hold.resource),
        facts.label(hold.host),
        facts.lockspace_name(hold.lockspace),
        deadline.second(),
    );
    violated(Property::Deadline, at, &[hold.host], what)
}
