//! What a hardened host has said in its own block, and what it may renew over.

use super::{A, AREA, B, GEOMETRY, P, Story, WORKER, check_in, name, two_hosts};
use crate::happening::Happening;
use crate::history::Property;
use crate::setup::Setup;
use lease_core::format::{Bitmap, DeltaLease, HostBlock, ModeBlock};
use lease_core::numbers::{Generation, HostId, Lver, Mbal};
use lease_core::profile::Profile;
use sim_disk::sector;

fn hardened() -> Setup {
    let mut setup = two_hosts();
    setup.hosts.iter_mut().for_each(|host| host.config.profile = Profile::HARDENED);
    setup
}

fn holds(what: &str, tell: impl FnOnce(&mut Story)) {
    check_in(hardened(), None, what, tell);
}

fn breaks(property: Property, what: &str, tell: impl FnOnce(&mut Story)) {
    check_in(hardened(), Some(property), what, tell);
}

/// The daemon of A is at work on nothing any more.
fn let_go(s: &mut Story) {
    s.with_facts(|history, at, facts| history.let_go(at, A, |_, _| false, facts));
}

/// Bytes on the disk that nobody wrote.
fn put(s: &mut Story, offset: u64, bytes: &[u8]) {
    s.disks[0].platter_mut(0).expect("there is one replica").write(offset / 512, &[(1, sector(bytes))]);
}

#[test]
fn the_own_block_only_grows() {
    let voted = |s: &mut Story, next: fn(HostBlock) -> HostBlock| {
        s.join(A, 1);
        let vote = s.vote(A, 2);
        s.write_block(A, vote);
        s.write_block(A, next(vote));
    };
    let promise = |block: HostBlock| HostBlock { mbal: Mbal(block.mbal.0 + 2_000), ..block };
    let released = |block: HostBlock| HostBlock { flags: HostBlock::RELEASED, ..block };
    holds("the next ballot promises and keeps its vote", |s| voted(s, promise));
    holds("it is released", |s| voted(s, released));
    breaks(Property::Agreement, "zeros", |s| voted(s, |_| HostBlock::default()));
    breaks(Property::Agreement, "an older version", |s| {
        voted(s, |block| HostBlock { lver: Lver(1), ..block });
    });
    breaks(Property::Agreement, "a lower ballot", |s| {
        voted(s, |block| HostBlock { mbal: Mbal(1), bal: Mbal(1), ..block });
    });
    breaks(Property::Agreement, "a promise without the vote", |s| {
        voted(s, |block| HostBlock { mbal: Mbal(block.mbal.0 + 2_000), lver: block.lver, ..HostBlock::default() });
    });
    breaks(Property::Agreement, "another value in one ballot", |s| {
        voted(s, |block| HostBlock { inp: HostId(2), ..block });
    });
    breaks(Property::Agreement, "RELEASED is taken back", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 2);
        s.write_block(A, released(vote));
        s.write_block(A, vote);
    });
    check_in(two_hosts(), None, "3.8.5 promises nothing of the kind", |s| voted(s, |_| HostBlock::default()));
}

#[test]
fn nobody_decides_over_a_damaged_block() {
    let reads = |s: &mut Story, damaged: bool| {
        s.join(A, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, HostBlock { mbal: vote.mbal, lver: vote.lver, ..HostBlock::default() });
        if damaged {
            put(s, AREA + GEOMETRY.block_offset(HostId(2)), &[1]);
        }
        s.read(A, WORKER, AREA, AREA);
    };
    let votes = |s: &mut Story| {
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
    };
    let commits = |s: &mut Story| {
        let leader = s.leader(A, 1);
        s.write(A, WORKER, AREA, &leader.sector());
    };
    holds("all blocks are sound", |s| {
        reads(s, false);
        votes(s);
        commits(s);
    });
    holds("it only withdraws", |s| {
        reads(s, true);
        let vote = s.vote(A, 1);
        s.write_block(A, HostBlock { flags: HostBlock::RELEASED, ..vote });
    });
    breaks(Property::Agreement, "a vote", |s| {
        reads(s, true);
        votes(s);
    });
    breaks(Property::Agreement, "a commit", |s| {
        reads(s, false);
        votes(s);
        put(s, AREA + GEOMETRY.block_offset(HostId(2)), &[1]);
        s.read(A, WORKER, AREA, AREA);
        commits(s);
    });
}

#[test]
fn what_is_let_go_of_looks_like_nobodys() {
    holds("released", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.release(A, 1);
        let_go(s);
    });
    holds("decided for another", |s| {
        s.join(A, 1);
        s.join(B, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
        s.commit(B, 1);
        let_go(s);
    });
    // Somebody may have read the lower vote before the higher one landed, and carry it on under a number above both.
    breaks(Property::Residue, "outvoted by a higher ballot for another", |s| {
        s.join(A, 1);
        s.join(B, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
        let higher = s.vote(B, 1);
        s.write_block(B, HostBlock { mbal: Mbal(4_002), bal: Mbal(4_002), ..higher });
        let_go(s);
    });
    holds("an earlier life's", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.tell(Happening::Down { host: A, by_watchdog: false });
        s.boot(A);
        s.join(A, 2);
        let_go(s);
    });
    breaks(Property::Residue, "a vote for itself", |s| {
        s.join(A, 1);
        let vote = s.vote(A, 1);
        s.write_block(A, vote);
        let_go(s);
    });
    breaks(Property::Residue, "the leader is free, the vote stands", |s| {
        s.join(A, 1);
        s.acquire(A, 1);
        s.end(A, P, 1);
        let_go(s);
    });
    breaks(Property::Residue, "SHARED", |s| {
        s.join(A, 1);
        let mode = ModeBlock { flags: ModeBlock::SHARED, generation: Generation(1) };
        let block = HostBlock { flags: HostBlock::RELEASED, mode, ..s.vote(A, 1) };
        s.write_block(A, block);
        let_go(s);
    });
}

#[test]
fn nobody_renews_what_is_not_his() {
    let overwritten = |s: &mut Story, record: Option<DeltaLease>| {
        s.join(A, 1);
        s.wait(20);
        let bytes = record.map(|record| record.sector(&Bitmap::EMPTY)).unwrap_or_default();
        put(s, GEOMETRY.delta_offset(HostId(1)), &bytes);
    };
    breaks(Property::HostId, "over zeros", |s| {
        overwritten(s, None);
        s.renew(A);
    });
    breaks(Property::HostId, "over the record of another", |s| {
        let other = DeltaLease {
            owner_id: HostId(1),
            owner_generation: Generation(2),
            owner_name: name("B"),
            ..DeltaLease::fresh(GEOMETRY, name("LS"), 10)
        };
        overwritten(s, Some(other));
        s.renew(A);
    });
}
