//! The ballot: Disk Paxos with one disk, one instance per lease version (paxos-lease §4, §5, §12).
//!
//! Everything that decides safety between contenders stands in this file, as functions of what was read; when each is
//! called, and the I/O, stand in [`super::acquire`]. Quotations are from Gafni and Lamport, *Disk Paxos*.
//!
//! What makes it safe with one disk, in the words of the paper's roles: a host's block is its `dblock[p]`. Within one
//! version the pair (mbal, bal) only grows and a vote is only replaced by the vote of a higher ballot; a host leaves a
//! version for a higher one only when the lower one is decided, which it knows from the leader record or from a block
//! that has gone on already. `sanlock_3_8_5` breaks this in three places, each a named decision: [`OwnVote`],
//! [`RegressedLeader`], [`DamagedBlock`].

use crate::Refusal;
use crate::format::{HostBlock, Leader, ModeBlock};
use crate::mutants::Mutant;
use crate::numbers::{Generation, HostId, Lver, Mbal, Second};
use crate::profile::{DamagedBlock, OwnVote, Profile, RegressedLeader, SharedCount, Winner};
use crate::seam::{Mode, ReadData};
use alloc::collections::BTreeSet;
use core::ops::RangeInclusive;

/// Sector of host 1's block in an area; the leader and the request record come before it (ondisk §2).
const FIRST_BLOCK: u64 = 2;

/// The blocks in an area read, of hosts 1 to `num_hosts`. Blocks that were never written are left out: every rule below
/// passes them over. Equal neighbours come as one range.
pub(super) fn blocks(
    area: &ReadData,
    sector_size: u32,
    num_hosts: u64,
    unchecked: bool,
) -> impl Iterator<Item = (RangeInclusive<u64>, Result<HostBlock, Refusal>)> {
    area.sectors(sector_size).filter(|(_, bytes)| !bytes.is_empty()).filter_map(move |(range, bytes)| {
        let first = range.start.max(FIRST_BLOCK) - FIRST_BLOCK + 1;
        let last = range.end.saturating_sub(FIRST_BLOCK).min(num_hosts);
        let block = || if unchecked { Ok(HostBlock::peek(&bytes).1) } else { HostBlock::read(&bytes) };
        (first <= last).then(|| (first..=last, block()))
    })
}

/// What the first look at all blocks tells (paxos-lease §2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Looked {
    /// The largest ballot number anywhere, of any version.
    pub(super) max_mbal: Mbal,
    /// The highest version that any host has begun a ballot for.
    pub(super) max_lver: Lver,
    /// This host's own block.
    pub(super) own: HostBlock,
}

/// Looks at all blocks. A damaged one fails the whole acquire (-214).
pub(super) fn look(area: &ReadData, sector_size: u32, num_hosts: u64, me: HostId) -> Result<Looked, Refusal> {
    let mut looked = Looked::default();
    for (hosts, block) in blocks(area, sector_size, num_hosts, false) {
        let block = block?;
        looked.max_mbal = looked.max_mbal.max(block.mbal);
        looked.max_lver = looked.max_lver.max(block.lver);
        if hosts.contains(&me.0) {
            looked.own = block;
        }
    }
    Ok(looked)
}

/// The first ballot number of an acquire: larger than any seen, and this host's by its residue.
pub(super) fn first_mbal(profile: &Profile, max_mbal: Mbal, me: HostId, stride: u64) -> Mbal {
    let Mbal(max) = max_mbal;
    if profile.mutated(Mutant::B26a) {
        return Mbal(max + 1);
    }
    if max == 0 { Mbal(me.0) } else { Mbal(max - max % stride + stride + me.0) }
}

/// The version that an acquire ballots for, and whether the blocks overrule the leader.
///
/// A block of version v exists only because its host saw version v − 1 decided and its owner's time over, and both are
/// true for ever. So if any block is beyond the leader, the leader is a late write of the past.
pub(super) fn version(profile: &Profile, leader: &Leader, looked: &Looked) -> (Lver, bool) {
    let next = leader.lver.next();
    match profile.regressed_leader {
        RegressedLeader::Overruled if looked.max_lver >= next => (looked.max_lver, true),
        _ => (next, false),
    }
}

/// One host's ballots for one version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ballot {
    pub(super) me: HostId,
    pub(super) generation: Generation,
    pub(super) lver: Lver,
    pub(super) mbal: Mbal,
    /// The own block as it was last read or written, if it was about this version or a later one.
    pub(super) own: HostBlock,
    /// The own block said RELEASED for this very version when the acquire began: what it voted for then must never be
    /// used again, even if it wins.
    pub(super) voted_and_released: bool,
    /// Phase 2 carries another host's value, and until its write has succeeded an earlier vote for this host may stand.
    pub(super) may_still_claim: bool,
    /// What every block of this ballot says besides: while a shared hold is converted it goes on.
    pub(super) mode: ModeBlock,
    /// The other hosts whose blocks said SHARED.
    pub(super) shared: BTreeSet<HostId>,
}

impl Ballot {
    pub(super) fn new(
        me: HostId,
        generation: Generation,
        lver: Lver,
        mbal: Mbal,
        own: HostBlock,
        profile: &Profile,
    ) -> Ballot {
        let voted_and_released =
            profile.own_vote == OwnVote::Kept && own.lver == lver && own.bal != Mbal(0) && own.released();
        // What the own block says of a version that is over decides nothing.
        let own = if own.lver < lver { HostBlock::default() } else { own };
        let (mode, shared) = (ModeBlock::default(), BTreeSet::new());
        Ballot { me, generation, lver, mbal, own, voted_and_released, may_still_claim: false, mode, shared }
    }

    /// "Processor p starts phase 1 of a ballot by setting dblock[p].mbal to its new ballot number." The paper leaves bal
    /// and inp as they are; 3.8.5 writes zeros there and so forgets its vote.
    pub(super) fn phase1(&mut self, profile: &Profile) -> HostBlock {
        let kept = profile.own_vote == OwnVote::Kept && self.own.lver == self.lver && self.own.bal != Mbal(0);
        let before = if kept { self.own } else { HostBlock::default() };
        self.own = HostBlock { mbal: self.mbal, lver: self.lver, mode: self.mode, ..before };
        if profile.shared_count == SharedCount::LastBallot {
            self.shared.clear();
        }
        self.own
    }

    /// Whether phase 1 carried a vote of an earlier ballot along.
    pub(super) fn kept_vote(&self) -> bool {
        self.own.bal != Mbal(0)
    }

    /// "It aborts the ballot if, for any d and q, it finds that disk[d][q].mbal > dblock[p].mbal." Besides, a block of a
    /// higher version means that this version is decided.
    fn outbid(&self, block: &HostBlock, whatever_number: bool) -> Result<(), Refusal> {
        if block.lver > self.lver {
            return Err(Refusal::DblockLver);
        }
        if block.mbal > self.mbal && !whatever_number {
            return Err(Refusal::DblockMbal);
        }
        Ok(())
    }

    /// "Ignore this block" (3.8.5) makes a damaged block of the winner as good as erased.
    fn usable(profile: &Profile, block: Result<HostBlock, Refusal>) -> Result<Option<HostBlock>, Refusal> {
        match (block, profile.damaged_block) {
            (Ok(block), _) => Ok(Some(block)),
            (Err(_), DamagedBlock::Skipped) => Ok(None),
            (Err(why), DamagedBlock::Refused) => Err(why),
        }
    }

    /// The blocks as read in phase 1: the vote to carry on, if any. "If it has found no value, p may choose its own
    /// input; else it must take the inp of the block with the largest bal."
    ///
    /// Who says SHARED is taken down first, whatever version his block is of and however the ballot ends: his hold began
    /// before the lease was free, so every look from then on sees him.
    pub(super) fn phase1_read(
        &mut self,
        profile: &Profile,
        area: &ReadData,
        sector_size: u32,
        num_hosts: u64,
    ) -> Result<Option<HostBlock>, Refusal> {
        for (hosts, block) in blocks(area, sector_size, num_hosts, profile.mutated(Mutant::B29a)) {
            if let Some(block) = Ballot::usable(profile, block)?
                && block.mode.shared()
            {
                self.shared.extend(hosts.map(HostId).filter(|host| *host != self.me));
            }
        }
        let mut best: Option<HostBlock> = None;
        for (_, block) in blocks(area, sector_size, num_hosts, profile.mutated(Mutant::B29a)) {
            let Some(block) = Ballot::usable(profile, block)? else { continue };
            if block.lver < self.lver && !profile.mutated(Mutant::B26e) {
                continue;
            }
            self.outbid(&block, profile.mutated(Mutant::B26f1))?;
            if block.inp == HostId::NONE || block.bal == Mbal(0) {
                continue;
            }
            if best.is_none_or(|best| block.bal > best.bal && !profile.mutated(Mutant::B26g)) {
                best = Some(block);
            }
        }
        Ok(best)
    }

    /// Phase 2: "it sets bal to its ballot number and inp to the chosen value, and writes its block."
    pub(super) fn phase2(&mut self, profile: &Profile, best: Option<HostBlock>, now: Second) -> HostBlock {
        let mine = HostBlock { inp: self.me, inp2: self.generation, inp3: now.stamp(), ..HostBlock::default() };
        let value = best.unwrap_or(mine);
        let same_as_before = (value.inp, value.inp2, value.inp3) == (self.own.inp, self.own.inp2, self.own.inp3);
        // What was released stays released for as long as the vote for it stands.
        let old = profile.mutated(Mutant::B51d);
        let flags = if old || self.voted_and_released && same_as_before { HostBlock::RELEASED } else { 0 };
        self.may_still_claim = self.may_be_chosen() && value.inp != self.me;
        self.own = HostBlock {
            mbal: self.mbal,
            bal: self.mbal,
            inp: value.inp,
            inp2: value.inp2,
            inp3: value.inp3,
            lver: self.lver,
            flags,
            mode: self.mode,
        };
        self.own
    }

    /// The blocks as read in phase 2: if nobody has outbid this ballot, its value is chosen.
    pub(super) fn phase2_read(
        &self,
        profile: &Profile,
        area: &ReadData,
        sector_size: u32,
        num_hosts: u64,
    ) -> Result<(), Refusal> {
        for (_, block) in blocks(area, sector_size, num_hosts, profile.mutated(Mutant::B29b)) {
            let Some(block) = Ballot::usable(profile, block)? else { continue };
            if block.lver >= self.lver {
                self.outbid(&block, profile.mutated(Mutant::B26f2))?;
            }
        }
        Ok(())
    }

    /// The leader that records the outcome (paxos-lease §5).
    pub(super) fn commit(&self, profile: &Profile, found: &Leader, mode: Mode, now: Second) -> Leader {
        let of = |mutant: Mutant| profile.mutated(mutant);
        let mut leader = Leader {
            lver: if of(Mutant::B26c4) { found.lver.next() } else { self.own.lver },
            owner_id: if of(Mutant::B26c1) { self.me } else { self.own.inp },
            owner_generation: if of(Mutant::B26c2) { self.generation } else { self.own.inp2 },
            timestamp: if of(Mutant::B26c3) { now.stamp() } else { self.own.inp3 },
            write_id: self.me,
            write_generation: self.generation,
            write_timestamp: now.stamp(),
            ..found.clone()
        };
        if leader.owner_id == self.me {
            leader.flags &= !Leader::SHORT_HOLD;
            if mode == Mode::Shared {
                leader.flags |= Leader::SHORT_HOLD;
            }
        }
        leader
    }

    /// Whose value a committed leader names.
    pub(super) fn judge(&self, profile: &Profile, leader: &Leader) -> Verdict {
        if profile.mutated(Mutant::B01a) {
            return Verdict::Mine;
        }
        if leader.owner_id != self.me {
            return Verdict::Other;
        }
        let same_instance = leader.owner_generation == self.generation;
        if profile.winner == Winner::Instance && !same_instance && !profile.mutated(Mutant::B01b) {
            return Verdict::MineButOver;
        }
        if self.voted_and_released && same_instance && self.own.released() {
            return Verdict::MineButOver;
        }
        Verdict::Mine
    }

    /// Whether the own block holds a vote for this host that others might still carry through.
    pub(super) fn may_be_chosen(&self) -> bool {
        self.own.bal != Mbal(0) && self.own.inp == self.me && !self.own.released()
    }
}

/// Whose value was committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// This instance's, and good to use.
    Mine,
    /// This host's, but of an earlier life or of an attempt that was given up: the version is decided, and over.
    MineButOver,
    /// Another host's.
    Other,
}
