//! What may stand on the disk although it names an owner, and of whom nothing is to be said.

use super::{A, AREA, B, DISK, Property, Story, THREAD, breaks, check_in, holds, name, place, two_hosts};
use crate::happening::Happening;
use crate::setup::{Host, LockspaceIx, LockspaceSetup, Membership};
use lease_core::Refusal;
use lease_core::format::{Bitmap, HostBlock, Leader};
use lease_core::numbers::{HostId, Stamp};
use lease_core::profile::Profile;
use lease_core::seam::{Event, LsId, Slot, Task};
use sim_disk::{Completion, Ending, IoId};

#[test]
fn at_rest_a_vote_against_what_was_decided_is_no_residue() {
    // A leader that was written before and lands only now hides the decision.
    let decided_for = |s: &mut Story, owner: Host| {
        s.join(A, 1);
        s.join(B, 1);
        let vote = s.vote(A, 2);
        s.write_block(A, vote);
        s.commit(owner, 2);
        if owner == B {
            s.write_block(B, HostBlock { flags: HostBlock::RELEASED, ..s.vote(B, 2) });
        }
        let older = Leader { timestamp: Stamp::FREE, ..s.leader(B, 1) };
        s.land(B, AREA, &older.sector());
        s.at_rest();
    };
    holds("decided for another", |s| decided_for(s, B));
    breaks(Property::Residue, "decided for the one that votes", |s| decided_for(s, A));
}

/// The first gave up an I/O, so that nothing can be said of its record, and of the second there is nothing to be said.
#[test]
fn two_joins_may_fail_at_once() {
    const SECOND: u64 = 2 << 20;
    let mut setup = two_hosts();
    setup.hosts[0].config.profile = Profile::HARDENED;
    let second = LockspaceSetup { name: name("LS2"), place: place(SECOND), ..setup.lockspaces[0].clone() };
    setup.lockspaces.push(second);
    setup.hosts[0].memberships.push(Membership { lockspace: LockspaceIx(1), host_id: HostId(1), io_timeout: 10 });
    check_in(setup, None, "one with an I/O under way, one without", |s| {
        let (disk, io) = (DISK, IoId(0));
        let begins = |s: &mut Story, id: u8, offset: u64| {
            let (task, slot) = (Task::Lockspace(LsId(id)), Slot(u16::from(id)));
            s.tell(Happening::ReadIssued { host: A, task, slot, disk, io, offset, length: 4096 });
        };
        begins(s, 1, SECOND);
        s.read(A, THREAD, 0, 4096);
        let record = s.record(A, 1, 1);
        s.write(A, THREAD, 0, &record.sector(&Bitmap::EMPTY));
        begins(s, 0, 0);
        s.event(A, Event::JoinFailed { lockspace: LsId(0), why: Refusal::AioTimeout });
        let (ending, completion) = (Ending::Done, Completion::Read(Vec::new()));
        s.tell(Happening::Completed { host: A, slot: Slot(1), disk, io, ending, completion, took: 1 });
        s.event(A, Event::JoinFailed { lockspace: LsId(1), why: Refusal::Aborted });
    });
}
