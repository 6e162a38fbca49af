//! I-LVB: what a holder is handed is what the last one wrote that gave up an exclusive hold.
//!
//! A hold that did not end well (its host went down, its process ended without a release, the release was not answered as
//! done) may have handed its value on or not: both count as right until the next release that was answered.
//!
//! The value bears no version and no checksum. A write of it that lands when its hold is long over cannot be told from a
//! right one by anybody, so no engine can withstand it; what such a write leaves counts as handed on.

use super::facts::{Area, Facts};
use super::ledger::{Hold, Ledger, Phase};
use super::property::Property;
use super::violation::{Verdict, violated};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::{Host, Process, ResourceIx, Setup};
use lease_core::format::{SectorKind, trimmed};
use lease_core::seam::{Answer, Mode, Request};
use std::sync::Arc;

type Bytes = Arc<[u8]>;

/// What a holder set.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Set {
    host: Host,
    process: Process,
    value: Bytes,
}

/// The value of one resource.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Value {
    /// What a reader may find, in the order in which it was given up.
    may_be: Vec<Bytes>,
    set: Vec<Set>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Values(Vec<Value>);

impl Values {
    pub(super) fn new(setup: &Setup) -> Values {
        Values(vec![Value { may_be: vec![Bytes::default()], set: Vec::new() }; setup.resources.len()])
    }

    pub(super) fn see(&mut self, at: Instant, happening: &Happening, ledger: &Ledger, facts: &Facts<'_>) -> Verdict {
        match happening {
            Happening::Told { host, process: Some(process), request, result: Ok(answer) } => {
                self.told(at, (*host, *process), request, answer, ledger, facts)
            }
            // From here on it may be on its way.
            Happening::UseEnds { host, process, resource, .. }
            | Happening::UseChanges { host, process, resource, mode: Mode::Shared, .. } => {
                let value = &mut self.0[usize::from(resource.0)];
                let set = value.set.iter().find(|set| (set.host, set.process) == (*host, *process));
                if let Some(set) = set.map(|set| set.value.clone()) {
                    value.may_be.retain(|known| *known != set);
                    value.may_be.push(set);
                }
                Ok(())
            }
            Happening::Landed { host, disk, offset, .. } => {
                if let Some(spot) = facts.spot(*disk, *offset)
                    && let (Area::Resource(resource), SectorKind::Lvb) = (spot.area, spot.kind)
                    && !hands_on_now(*host, resource, ledger, facts)
                    && let Some(bytes) = facts.value(*host, resource)
                {
                    let value = &mut self.0[usize::from(resource.0)];
                    if !value.may_be.iter().any(|known| known[..] == *bytes) {
                        value.may_be.push(Arc::from(bytes));
                    }
                }
                Ok(())
            }
            // What it had set before is over.
            Happening::UseBegins { host, process, resource, .. } => {
                let value = &mut self.0[usize::from(resource.0)];
                value.set.retain(|set| (set.host, set.process) != (*host, *process));
                Ok(())
            }
            Happening::Spawned { host, process } => {
                self.0
                    .iter_mut()
                    .for_each(|value| value.set.retain(|set| (set.host, set.process) != (*host, *process)));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn told(
        &mut self,
        at: Instant,
        who: (Host, Process),
        request: &Request,
        answer: &Answer,
        ledger: &Ledger,
        facts: &Facts<'_>,
    ) -> Verdict {
        let (Request::SetLvb { lockspace, resource, .. }
        | Request::GetLvb { lockspace, resource }
        | Request::Release { lockspace, resource }
        | Request::Rename { lockspace, resource, .. }
        | Request::Convert { lockspace, resource, mode: Mode::Shared, .. }) = request
        else {
            return Ok(());
        };
        let Some(resource) = facts.resource_named(lockspace, resource) else { return Ok(()) };
        let value = &mut self.0[usize::from(resource.0)];
        let mine = |set: &Set| (set.host, set.process) == who;
        match (request, answer) {
            (Request::SetLvb { value: bytes, .. }, _) => {
                let exclusive =
                    |hold: &Hold| (hold.process, hold.resource, hold.mode) == (who.1, resource, Mode::Exclusive);
                value.set.retain(|set| !mine(set));
                // "A dirty LVB of a shared holder is silently lost."
                if ledger.holds_of(who.0).any(exclusive) {
                    value.set.push(Set { host: who.0, process: who.1, value: trimmed(bytes) });
                }
            }
            (Request::GetLvb { .. }, Answer::Lvb(bytes)) => {
                let own = value.set.iter().find(|set| mine(set));
                let right = own.map_or_else(|| value.may_be.contains(bytes), |set| set.value == *bytes);
                if !right {
                    let what = format!(
                        "{} is handed {bytes:02x?} as the value of {}, but the last holder left {:02x?}",
                        facts.process(who.0, who.1),
                        facts.resource_name(resource),
                        value.may_be,
                    );
                    return violated(Property::Value, at, &[who.0], what);
                }
            }
            // "Lockspace dead: no I/O at all."
            (Request::Release { .. } | Request::Rename { .. } | Request::Convert { .. }, _)
                if !in_use(who.0, resource, ledger, facts) => {}
            (Request::Release { .. } | Request::Rename { .. } | Request::Convert { .. }, _) => {
                // What was there before is over. The next holder may have given up another meanwhile.
                if let Some(index) = value.set.iter().position(mine) {
                    let set = value.set.remove(index).value;
                    if let Some(since) = value.may_be.iter().position(|known| *known == set) {
                        value.may_be.drain(..since);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the host's lockspace is neither failing nor gone.
fn in_use(host: Host, resource: ResourceIx, ledger: &Ledger, facts: &Facts<'_>) -> bool {
    let life = ledger.host(host).current(facts.resource(resource).lockspace);
    life.is_some_and(|life| life.phase == Phase::Joined)
}

/// Whether a value is written because a process is giving up its hold.
fn hands_on_now(host: Host, resource: ResourceIx, ledger: &Ledger, facts: &Facts<'_>) -> bool {
    let hands_on = |request: &Request| {
        matches!(
            request,
            Request::Release { .. } | Request::Rename { .. } | Request::Convert { mode: Mode::Shared, .. }
        )
    };
    in_use(host, resource, ledger, facts) && ledger.host(host).requests.iter().any(|asked| hands_on(&asked.request))
}
