//! I-EX: of the processes that were told they hold a resource, at most one is executing, or all of them share it.

use super::facts::Facts;
use super::ledger::{Hold, Ledger};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::action::Part;
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::ResourceIx;
use lease_core::seam::Mode;

/// A grant and the end of a pause are the only moments at which a second process can begin to execute.
pub(super) fn see(at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    match happening {
        Happening::UseBegins { resource, .. } | Happening::UseChanges { resource, .. } => {
            one_executes(at, *resource, ledger, facts)
        }
        Happening::Resumed { host, part: Part::Host | Part::Process(_), .. } => {
            ledger.holds_of(*host).try_for_each(|hold| one_executes(at, hold.resource, ledger, facts))
        }
        _ => Ok(()),
    }
}

fn one_executes(at: Instant, resource: ResourceIx, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
    let executes = |hold: &&Hold| hold.resource == resource && ledger.host(hold.host).executes(hold.process);
    let mut executing = ledger.holds.iter().filter(executes);
    let Some(first) = executing.next() else { return Ok(()) };
    let apart = |second: &Hold| (first.mode, second.mode) != (Mode::Shared, Mode::Shared);
    let Some(second) = executing.find(|second| apart(second)) else { return Ok(()) };
    let told = |hold: &Hold| match hold.mode {
        Mode::Exclusive => format!("version {}", hold.lver),
        Mode::Shared => format!("version {}, shared", hold.lver),
    };
    let what = format!(
        "{} and {} both use {}: one was told {}, the other {}",
        facts.process(first.host, first.process),
        facts.process(second.host, second.process),
        facts.resource_name(resource),
        told(first),
        told(second),
    );
    violated(Property::Exclusion, at, &[first.host, second.host], what)
}
