//! Leaving a lockspace: the host id is set free if that is safe, and the thread ends once its I/O is over (delta-lease §4).

use super::super::io::{Cx, thread_of};
use super::{After, Lockspace, Thread};
use crate::mutants::Mutant;
use crate::numbers::Span;
use crate::profile::FreeUnderWrites;
use crate::seam::{Event, LsId, Output, Rare};

/// How long a thread that ends waits for I/O it gave up (delta-lease §4).
const DRAIN: Span = Span::from_secs(120);

impl Lockspace {
    /// "Done only if the last renewal succeeded; after a failed renewal the thread ends without releasing, so the
    /// host_id then looks dead, not free."
    pub(super) fn leave(&mut self, id: LsId, cx: &mut Cx<'_>) -> After {
        if self.renewed && !self.may_be_taken_over(self.last_success, cx) && !writes_outstanding(cx) {
            self.thread = Thread::Freeing(self.start_free_write(id, self.record.clone(), cx));
            After::Nothing
        } else {
            cx.rare(Rare::LeftWithoutFree);
            self.drain(id, false, cx)
        }
    }

    pub(super) fn drain(&mut self, id: LsId, released: bool, cx: &mut Cx<'_>) -> After {
        if cx.io.any_of(thread_of(id)) {
            let patience = if cx.config.mutated(Mutant::B62) { Span::from_secs(1 << 40) } else { DRAIN };
            let until = cx.now.after(patience);
            cx.wake_at(thread_of(id), until);
            self.thread = Thread::Draining { released, until };
            After::Nothing
        } else {
            self.end(id, released, cx)
        }
    }

    pub(super) fn end(&mut self, id: LsId, released: bool, cx: &mut Cx<'_>) -> After {
        self.thread = Thread::Ended;
        cx.out.push(Output::NoWake { task: thread_of(id) });
        cx.event(Event::Left { lockspace: id, released });
        After::Gone
    }
}

/// A host id that is free may be taken at once, and what it owned with it: into which a write that is still under way
/// would then land.
fn writes_outstanding(cx: &mut Cx<'_>) -> bool {
    let outstanding = cx.config.profile.free_under_writes == FreeUnderWrites::Withheld && cx.io.writes_to_resources();
    if outstanding {
        cx.rare(Rare::FreeUnderWrites);
    }
    outstanding
}
