//! Canonical numbers: a state is rewritten so that equal futures look equal.
//!
//! * **Versions.** The smallest version that a leader or an engine still knows becomes 1; 0 is no version (so the first
//!   leader of these worlds is one that was acquired before). Blocks below it are dead: no ballot that can still be held
//!   looks at more of them than their ballot number.
//! * **Versions that are outrun.** Where blocks never fall back (the hardened engine; each step is watched for it), the
//!   highest version in a block on disk outruns those below: whoever reads the blocks from now on ballots for it or for a
//!   higher one, or is aborted. So of lower versions only the order is kept; votes for them decide nothing; a ballot for
//!   one of them is over once nobody can come to see a leader of it; and of a leader below it is enough to know whether it
//!   is the one that somebody compares with (`leaders`).
//! * **Ballot numbers** keep their host and are shifted in whole strides. While all blocks may still be without a number,
//!   the next one is absolute, so 0 is an anchor then.
//! * **Generations** of a host are ranked: they are compared for equality and order only, and the next one is above all.
//! * **Gaps** of versions and strides are kept up to [`GAP`], which stands for itself and everything beyond. Such a gap is
//!   not one case but two, for what is done beside it may leave it as it is or bring it down: before a step it is
//!   *stretched* or not, and the step is taken for both.

use super::host::{BallotHost, Client, Ground, Position};
use super::leaders::{self, CONTENT, LVER, SAMPLED, Told};
use crate::history::Property;
use lease_core::format::{HostBlock, Sector};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Numbers, Visit};

/// The largest gap that is told apart from the next larger one.
const GAP: u32 = 2;
/// Numbers that a state may have, after a step and before it is made canonical.
const ROOM: usize = 32;
/// Strides of ballot numbers that it may have.
const STRIDES: u64 = 21;
/// Hosts of a ballot world.
pub(super) const HOSTS: usize = 3;

/// What is judged, and what is left to spend: the fields of a state that are no host's and no sector's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Referee {
    /// What was chosen lately: version, owner, its generation. The highest versions that a ballot can still be held for.
    pub(super) chosen: Vec<(Lver, HostId, Generation)>,
    /// The highest version that any client was told.
    pub(super) granted: Lver,
    pub(super) crashes: Option<u8>,
    pub(super) late_writes: Option<u8>,
    pub(super) broken: Option<Broken>,
}

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Broken {
    /// Nothing: the engine panicked, or did what it was taken never to do.
    pub(super) property: Option<Property>,
    pub(super) what: String,
}

/// The numbers of one part of a state, as sets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Sets {
    /// Versions that leaders and engines know, and may write.
    live: u32,
    /// Versions that were decided when a ballot now under way began.
    decided: u32,
    /// Versions in blocks, on disk and on the way there.
    blocks: u32,
    /// Those of blocks that are not just RELEASED.
    votes: u32,
    /// Those of blocks that stand on disk.
    standing: u32,
    /// Versions that somebody ballots for, or has won and not been told of yet.
    ballots: u32,
    /// Versions that somebody has won, or is about to give back: he may still write their leaders, whatever he reads.
    knows: u32,
    /// The leaders with which acquires compare what they read, by host; see [`leaders::slot`].
    found: [u32; HOSTS],
    /// The leaders in writes that are under way, by host, and the leader on disk.
    written: [u32; HOSTS + 1],
    /// Versions of ballots that end with the next look at the leader, unless it is of such a version.
    doomed: u32,
    /// Versions of leaders whose owners somebody waits for.
    awaited: u32,
    /// Versions that the referee remembers as chosen.
    chosen: u32,
    /// The highest granted version.
    granted: u32,
    /// Ballots of which something was voted for and that every ballot to come is above: ranks.
    settled: u32,
    /// Generations, by host.
    lives: [u32; HOSTS],
    /// The generation of each host that is up.
    up: [u32; HOSTS],
    /// Somebody looked while no block had a number, and will begin with an absolute one: 1.
    from_zero: u32,
    /// Ballot numbers.
    mbals: Set,
    /// Ballots in which something was voted for.
    bals: Set,
    /// Ballots that are under way and may go on.
    under_way: Set,
    /// Ballot numbers that new ones may come from: those under way, and those that may become the highest on disk.
    climbing: Set,
    /// Ballot numbers of blocks on disk.
    on_disk: Set,
    /// Ballot numbers of blocks that tell nothing else.
    empty: Set,
    /// The highest ballot numbers of looks that have sampled the blocks, but did not end yet.
    sampled: Set,
}

impl Sets {
    pub(super) fn of_host(host: &BallotHost, ground: &Ground, me: u8) -> Sets {
        let mut sets = Sets::default();
        let mut host = host.clone();
        if let Some(engine) = &mut host.engine {
            sets.up[usize::from(me)] = bit(host.generation.0);
            engine.forget_ballots(ground.damage, |lver| {
                sets.doomed |= bit(lver.0);
                true
            });
            for leader in engine.compared_leaders() {
                let mut numbers = Sets::default();
                leader.visit(&mut Gather { sets: &mut numbers, ground });
                sets.lives = numbers.lives;
                sets.found[usize::from(me)] = leaders::slot(leader, ground);
                leaders::forget(leader);
            }
            let mut undecided = engine.clone();
            undecided.forget_undecided();
            let mut knows = Sets::default();
            undecided.visit(&mut Gather { sets: &mut knows, ground });
            sets.knows = knows.live;
        }
        if let Client::Holding(lver) = host.client {
            sets.knows |= bit(lver.0);
        }
        if let Some(leader) = host.sampled_leader() {
            sets.found[usize::from(me)] = leaders::slot(leader, ground) | SAMPLED;
        }
        match &host.leaders_on_their_way()[..] {
            [leader] => sets.written[usize::from(me)] = leaders::slot(leader, ground),
            several => several.iter().for_each(|leader| sets.knows |= bit(leader.lver.0) & !1),
        }
        host.visit(ground, me, &mut Gather { sets: &mut sets, ground });
        host.blocks(&mut |block| {
            Sets::add_block(&mut sets, block, ground);
            sets.climbing |= ground.number(block.mbal);
        });
        for (lver, mbal) in host.engine.iter().flat_map(|engine| engine.ballots()) {
            sets.decided |= bit(lver.0 - 1) & !1;
            sets.ballots |= bit(lver.0);
            sets.climbing |= ground.number(mbal);
            sets.under_way |= ground.number(mbal);
        }
        for lver in host.engine.iter().flat_map(|engine| engine.awaited()) {
            sets.awaited |= bit(lver.0);
        }
        // A look that has sampled the blocks already will begin above what they were.
        for sampled in host.sampled_blocks() {
            let Mbal(highest) = sampled.iter().map(|block| block.mbal).max().unwrap_or_default();
            sets.from_zero |= u32::from(highest == 0);
            if highest != 0 {
                sets.sampled |= ground.number(Mbal(highest));
                let first = (highest / ground.stride + 1) * ground.stride + ground.ids[usize::from(me)].0;
                sets.under_way |= ground.number(Mbal(first));
            }
        }
        sets
    }

    pub(super) fn of_sector(sector: &Sector, was: HostBlock, position: Position, ground: &Ground) -> Sets {
        let mut sets = Sets::default();
        match sector {
            Sector::HostBlock(block) => sets.stands(block, ground),
            Sector::Other(_) => sets.stands(&was, ground),
            other => {
                other.clone().visit_at(ground.kind(position), &mut Gather { sets: &mut sets, ground });
                if let Sector::Leader(leader) = other {
                    sets.written[HOSTS] = leaders::slot(leader, ground);
                }
            }
        }
        sets
    }

    pub(super) fn of_referee(referee: &Referee, ground: &Ground) -> Sets {
        let mut sets = Sets { granted: bit(referee.granted.0) & !1, ..Sets::default() };
        for (lver, owner, generation) in &referee.chosen {
            sets.chosen |= bit(lver.0);
            if let Some(host) = ground.ids.iter().position(|id| id == owner) {
                sets.lives[host] |= bit(generation.0) & !1;
            }
        }
        sets
    }

    /// A block on disk.
    fn stands(&mut self, block: &HostBlock, ground: &Ground) {
        Sets::add_block(self, &mut block.clone(), ground);
        self.on_disk = ground.number(block.mbal);
        self.standing = self.blocks;
    }

    fn add_block(sets: &mut Sets, block: &mut HostBlock, ground: &Ground) {
        let mut seen = Sets::default();
        block.visit_of(HostId::NONE, &mut Gather { sets: &mut seen, ground });
        seen.blocks = std::mem::take(&mut seen.live);
        let only_released =
            HostBlock { mbal: block.mbal, lver: block.lver, flags: HostBlock::RELEASED, ..HostBlock::default() };
        if *block != only_released {
            seen.votes = seen.blocks;
        }
        if says_nothing(block) {
            seen.empty = seen.mbals;
        }
        sets.add(&seen);
    }

    /// Takes in the numbers of another part.
    #[inline]
    pub(super) fn add(&mut self, other: &Sets) {
        self.live |= other.live;
        self.decided |= other.decided;
        self.blocks |= other.blocks;
        self.votes |= other.votes;
        self.standing |= other.standing;
        self.ballots |= other.ballots;
        self.knows |= other.knows;
        join(&mut self.found, &other.found);
        join(&mut self.written, &other.written);
        self.doomed |= other.doomed;
        self.awaited |= other.awaited;
        self.chosen |= other.chosen;
        self.granted |= other.granted;
        self.settled |= other.settled;
        join(&mut self.lives, &other.lives);
        join(&mut self.up, &other.up);
        self.from_zero |= other.from_zero;
        self.mbals |= other.mbals;
        self.bals |= other.bals;
        self.under_way |= other.under_way;
        self.climbing |= other.climbing;
        self.on_disk |= other.on_disk;
        self.empty |= other.empty;
        self.sampled |= other.sampled;
    }

    /// The smallest version that anybody knows from a leader.
    fn floor(self, ground: &Ground) -> u32 {
        if ground.absolute {
            return 0;
        }
        (self.live | self.decided | self.compared(ground)).trailing_zeros()
    }

    /// Whether a block gives way to one of a lower version.
    pub(super) fn falls_back_to(&self, after: &Sets) -> bool {
        after.standing != 0 && after.standing < self.standing
    }

    /// The version below which no ballot can be decided any more: a block of it stands on disk, and blocks never fall
    /// back, so whoever reads the blocks from now on is overruled, or aborted. 0: none that is known.
    ///
    /// The host whose block it is never ballots below its own block, so the block is another's for all ballots below.
    fn outrun(self, ground: &Ground) -> u32 {
        match ground.blocks_grow {
            true => 31 - (self.standing | 1).leading_zeros(),
            false => 0,
        }
    }

    /// What of a version that is outrun, in a block that says RELEASED, still makes a difference: the highest leader
    /// up to it whose owner somebody waits for; 0: nothing.
    fn awaited_upto(awaited: u32, lver: u32) -> u32 {
        31 - (awaited & !(!0 << lver << 1) | 1).leading_zeros()
    }

    /// Whether a leader that somebody compares with may still be read: nobody writes a version below the lowest that
    /// anybody knows, and of those that are outrun only what is known to be written.
    fn is_comparable(self, slot: u32, ground: &Ground) -> bool {
        let lver = slot & LVER;
        ground.absolute
            || slot == 0
            || slot & SAMPLED != 0
            || lver >= self.live.trailing_zeros() && (!self.is_loose(slot, ground) || self.written.contains(&slot))
    }

    /// Whether a leader is of a version that is outrun, and that nobody knows or ballots for: it may be read and then
    /// compared with others, and that is all. Unless somebody finds himself in it: whoever takes back a ballot because a
    /// write failed frees the leader that he wrote for himself.
    fn is_loose(self, slot: u32, ground: &Ground) -> bool {
        let lver = slot & LVER;
        let own = |(host, up): (usize, &u32)| up & leaders::life_for_oneself(slot, host) != 0;
        slot != 0
            && lver < self.outrun(ground)
            && (self.knows | self.ballots) >> lver & 1 == 0
            && !(ground.writes_fail && self.up.iter().enumerate().any(own))
    }

    /// The versions of the leaders that somebody compares with, and that may still be read.
    fn compared(self, ground: &Ground) -> u32 {
        let comparable = self.found.iter().filter(|slot| self.is_comparable(**slot, ground));
        comparable.fold(0, |all, slot| all | 1 << (slot & LVER)) & !1
    }

    /// What is told of a leader that somebody found, that is about to be written, or that stands on disk.
    fn told(self, slot: u32, ground: &Ground) -> Told {
        if !self.is_comparable(slot, ground) {
            return Told::Nothing;
        }
        match self.is_loose(slot, ground) {
            true => {
                let same = |written: &u32| *written == slot & !SAMPLED;
                Told::OneOf(self.written.iter().position(same).unwrap_or(self.written.len()) as u8)
            }
            false => Told::Everything,
        }
    }

    /// Whether of each leader only that is told which tells anything.
    fn tells_enough(self, ground: &Ground) -> bool {
        self.found.into_iter().chain(self.written).all(|slot| match self.told(slot, ground) {
            Told::Everything => true,
            Told::OneOf(which) => slot & CONTENT == leaders::one_of(which),
            Told::Nothing => false,
        })
    }

    /// Versions of leaders whose owners somebody waits for, and that may still be read.
    fn awaited(self, ground: &Ground) -> u32 {
        self.awaited & (self.live | self.compared(ground))
    }

    /// Versions for which no ballot is decided any more, and which no leader will bear.
    fn over(self, ground: &Ground) -> u32 {
        let written = self.written.iter().fold(0, |all, slot| all | 1_u32 << (slot & LVER));
        !(!0 << self.outrun(ground)) & !(self.knows | written) & !1
    }

    /// Whether ballot numbers may be forgotten: whoever begins a ballot begins above all that stands on disk.
    pub(super) fn forgetful(self, ground: &Ground) -> bool {
        !(self.on_disk == 0 || self.from_zero == 1 || ground.may_zero)
    }

    /// The ballot numbers that still make a difference: everything from the lowest ballot under way on, and what is or may
    /// become the highest on disk, above which the next ballot begins.
    fn telling(self, ground: &Ground) -> Set {
        match self.forgetful(ground) {
            true => self.voting(ground) | !0 << (self.top_stride() * HOSTS) | whole_strides(self.sampled),
            false => !0,
        }
    }

    /// The ballots whose votes are not settled: those that some ballot under way is not above.
    fn voting(self, ground: &Ground) -> Set {
        match self.forgetful(ground) {
            true if self.under_way == 0 => 0,
            true => !0 << self.under_way.trailing_zeros(),
            false => !0,
        }
    }

    /// The highest stride on disk.
    fn top_stride(self) -> usize {
        top(self.on_disk) / HOSTS
    }

    fn versions(self, ground: &Ground) -> Spaced {
        // Of versions that are outrun only the order matters.
        let decided = if self.outrun(ground) > 0 { 1 << self.floor(ground) } else { self.decided };
        let known = self.live | decided | self.compared(ground);
        let set = (known | self.blocks | self.chosen | self.granted) & !0 << self.floor(ground);
        // A new version comes above a leader that no block on disk is beyond.
        Spaced { set, climbing: if ground.absolute { 0 } else { set & !0 << self.outrun(ground) } }
    }

    fn strides(self, ground: &Ground) -> Spaced {
        let telling = self.telling(ground);
        let votes = self.bals & self.voting(ground);
        // The next ballot of all is the lowest possible while no block has a number.
        let anchor = u32::from(!self.forgetful(ground));
        let set = strides_of(self.mbals & telling | votes) | anchor;
        // A ballot climbs stride by stride, past the numbers of others: from the lowest that may climb on, every width
        // matters. Where blocks may be set back, any number may come to be the highest on disk.
        let climbing = match ground.may_zero {
            true => set,
            false => {
                let from = strides_of(self.climbing & telling | self.sampled) | 1 << self.top_stride() | anchor;
                set & !0 << from.trailing_zeros()
            }
        };
        Spaced { set, climbing }
    }

    /// Where strides begin: below are the numbers that tell nothing.
    fn first_stride(self, ground: &Ground) -> u32 {
        u32::from(self.forgetful(ground))
    }

    /// Whether a state with these numbers is canonical.
    pub(super) fn canonical(self, ground: &Ground) -> bool {
        let floor = self.floor(ground);
        let below = !(!0 << floor);
        let telling = self.telling(ground);
        let settled = self.settled >> 1;
        let versions_fit = floor == 1
            && self.tells_enough(ground)
            && (self.blocks | self.granted) & below & !1 == 0
            && self.votes & 1 << floor == 0
            && self.chosen & (below | 1 << floor) == 0
            && self.is_rid_of(ground)
            && self.versions(ground).is_squeezed(1);
        (ground.absolute || versions_fit)
            && self.mbals & !telling & !STRIDE == 0
            && self.empty & !telling == 0
            && self.bals & !self.voting(ground) == 0
            && settled & (settled + 1) == 0
            && self.strides(ground).is_squeezed(self.first_stride(ground))
            && self.lives.iter().all(|lives| (lives >> 1) & ((lives >> 1) + 1) == 0)
    }

    /// Whether nothing is left that does not matter of versions below that which outruns them.
    fn is_rid_of(self, ground: &Ground) -> bool {
        let below = !(!0 << self.outrun(ground)) & !1;
        self.votes & below == 0
            && self.chosen & below == 0
            && self.blocks & below & !self.awaited(ground) == 0
            && self.doomed & self.over(ground) == 0
            && self.granted & below & !self.ballots == 0
    }

    /// How a state with these numbers is made canonical.
    pub(super) fn renaming(self, ground: &Ground) -> Renaming {
        let floor = self.floor(ground);
        let telling = self.telling(ground);
        let mut renaming = Renaming {
            floor,
            outrun: self.outrun(ground),
            awaited: self.awaited(ground),
            over: self.over(ground),
            ballots: self.ballots,
            ..Renaming::IDENTITY
        };
        renaming.found = self.found.map(|slot| self.told(slot, ground));
        renaming.written = self.written.map(|slot| self.told(slot, ground));
        if !ground.absolute {
            self.versions(ground).squeeze(1, 0, &mut renaming.lver);
        }
        self.strides(ground).squeeze(self.first_stride(ground), 0, &mut renaming.stride);
        renaming.telling = telling;
        // Votes of ballots below every ballot to come are told apart by their order alone.
        let mut rank = 0;
        for settled in members(self.settled) {
            rank += 1;
            renaming.rank[settled] = rank;
        }
        renaming.voting = self.voting(ground);
        let mut bals = self.bals & !renaming.voting;
        while bals != 0 {
            rank += 1;
            renaming.settle[top(bals & bals.wrapping_neg())] = rank;
            bals &= bals - 1;
        }
        for (host, lives) in self.lives.iter().enumerate() {
            let mut rank = 0;
            for life in members(lives & !1) {
                rank += 1;
                renaming.lives[host][life] = rank;
            }
        }
        renaming
    }

    /// Whether there are versions or strides that were not there before.
    pub(super) fn has_new_numbers(self, before: Sets) -> bool {
        let versions = |sets: Sets| sets.live | sets.decided | sets.blocks | sets.chosen | sets.granted;
        let strides = |sets: Sets| strides_of(sets.mbals | sets.bals | sets.sampled);
        versions(self) & !versions(before) != 0 || strides(self) & !strides(before) != 0
    }

    /// In how many ways the gaps of a canonical state may have to be stretched. A step makes one new version and one new
    /// ballot number at the most, so what matters is at most one gap of each.
    pub(super) fn stretches(self, ground: &Ground) -> u8 {
        (self.versions(ground).wide_gaps() + 1) * (self.strides(ground).wide_gaps() + 1)
    }

    /// A canonical state with one of its widest gaps of each kind, or none, made wider by one.
    pub(super) fn stretching(self, ground: &Ground, stretch: u8) -> Renaming {
        let mut renaming = Renaming { floor: self.floor(ground), ..Renaming::IDENTITY };
        let ways = self.versions(ground).wide_gaps() + 1;
        if !ground.absolute {
            self.versions(ground).squeeze(1, stretch % ways, &mut renaming.lver);
        }
        self.strides(ground).squeeze(self.first_stride(ground), stretch / ways, &mut renaming.stride);
        renaming
    }
}

/// Ballot numbers as a set: stride by stride, in each the hosts in the order of their ids.
type Set = u64;
/// The numbers of the lowest stride.
const STRIDE: Set = (1 << HOSTS) - 1;

/// The highest member of a set, 0 of an empty one.
fn top(set: Set) -> usize {
    63 - (set | 1).leading_zeros() as usize
}

/// A set with the strides of its members filled up.
fn whole_strides(set: Set) -> Set {
    members(strides_of(set)).fold(0, |all, stride| all | STRIDE << (stride * HOSTS))
}

/// The strides of which there are numbers in a set.
fn strides_of(mut set: Set) -> u32 {
    let mut strides = 0;
    while set != 0 {
        let stride = set.trailing_zeros() as usize / HOSTS;
        strides |= 1 << stride;
        set &= !(STRIDE << (stride * HOSTS));
    }
    strides
}

/// Takes sets in, each into that in its place.
fn join<const N: usize>(sets: &mut [u32; N], others: &[u32; N]) {
    sets.iter_mut().zip(others).for_each(|(set, other)| *set |= other);
}

/// A set of one number.
pub(super) fn bit(number: u64) -> u32 {
    assert!(number < ROOM as u64, "a canonical state has small numbers, and a step makes them little larger");
    1 << number
}

fn members(set: u32) -> impl Iterator<Item = usize> {
    (0..ROOM).filter(move |number| set >> number & 1 == 1)
}

/// Numbers of one kind, and those of them behind which new ones may appear: only there the width of a gap matters.
#[derive(Clone, Copy)]
struct Spaced {
    set: u32,
    climbing: u32,
}

impl Spaced {
    /// Whether these numbers begin at `first` and have no gap that is wider than it need be.
    fn is_squeezed(self, first: u32) -> bool {
        let top = 31 - (self.set | 1).leading_zeros();
        let holes = !self.set & (1_u32 << top).wrapping_sub(1) & (!0 << first);
        self.set == 0 || self.set.trailing_zeros() == first && holes & !(self.climbing << 1) == 0
    }

    /// How many gaps stand for themselves and everything wider.
    fn wide_gaps(self) -> u8 {
        (self.climbing & !(self.set >> 1) & (self.set >> GAP)).count_ones() as u8
    }

    /// Numbers the members from `first` on; the `stretched`-th of the widest gaps, counted from 1, is made wider by one.
    fn squeeze(self, first: u32, stretched: u8, into: &mut [u8; ROOM]) {
        let mut last: Option<(usize, u32)> = None;
        let mut nth = 0;
        for member in members(self.set) {
            let new = match last {
                None => first,
                Some((before, new)) if self.climbing >> before & 1 == 1 => {
                    let gap = (member - before) as u32;
                    nth += u8::from(gap == GAP);
                    new + gap.min(GAP) + u32::from(gap == GAP && nth == stretched)
                }
                Some((_, new)) => new + 1,
            };
            into[member] = new as u8;
            last = Some((member, new));
        }
    }
}

/// New numbers for old.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Renaming {
    /// Versions below this are over.
    floor: u32,
    /// What is told of the leaders that hosts have found, that are about to be written, and that stands on disk.
    found: [Told; HOSTS],
    written: [Told; HOSTS + 1],
    /// Ballots for these versions are over, and nobody will ever read that they were won.
    over: u32,
    /// Ballots for versions below this are in vain, and of their blocks only matters what somebody waits for.
    outrun: u32,
    awaited: u32,
    ballots: u32,
    lver: [u8; ROOM],
    stride: [u8; ROOM],
    /// The ballot numbers that are not forgotten.
    telling: Set,
    /// The ballots with votes that are not settled yet.
    voting: Set,
    /// Ranks of votes that become settled now, and new ranks of those that were.
    settle: [u8; 64],
    rank: [u8; ROOM],
    lives: [[u8; ROOM]; HOSTS],
}

impl Renaming {
    const SAME: [u8; ROOM] = {
        let mut same = [0; ROOM];
        let mut number = 0;
        while number < ROOM {
            same[number] = number as u8;
            number += 1;
        }
        same
    };
    const IDENTITY: Renaming = Renaming {
        floor: 0,
        found: [Told::Everything; HOSTS],
        written: [Told::Everything; HOSTS + 1],
        over: 0,
        outrun: 0,
        awaited: 0,
        ballots: 0,
        lver: Renaming::SAME,
        stride: Renaming::SAME,
        telling: !0,
        voting: !0,
        settle: [0; 64],
        rank: Renaming::SAME,
        lives: [Renaming::SAME; HOSTS],
    };

    pub(super) fn host(&self, host: &mut BallotHost, ground: &Ground, me: u8) {
        if let Some(engine) = &mut host.engine {
            engine.compared_leaders().for_each(|leader| self.found[usize::from(me)].apply(leader));
            engine.forget_ballots(ground.damage, |lver| self.over >> lver.0 & 1 == 0);
        }
        if let Some(leader) = host.sampled_leader() {
            self.found[usize::from(me)].apply(leader);
        }
        if let [leader] = &mut host.leaders_on_their_way()[..] {
            self.written[usize::from(me)].apply(leader);
        }
        host.visit(ground, me, &mut Rename { renaming: self, ground });
        host.rewrite_blocks(&mut |block| self.block(block, ground));
    }

    pub(super) fn sector(&self, sector: &mut Sector, position: Position, ground: &Ground) {
        match sector {
            Sector::HostBlock(block) => {
                let block = self.block(*block, ground);
                *sector = if block == HostBlock::default() { Sector::Zero } else { Sector::HostBlock(block) };
            }
            other => {
                if let Sector::Leader(leader) = other {
                    self.written[HOSTS].apply(leader);
                }
                other.visit_at(ground.kind(position), &mut Rename { renaming: self, ground });
            }
        }
    }

    /// A block of a version that is over tells no more than its ballot number. Of the lowest version that a leader still
    /// bears it tells also whether it was released; 3.8.5 looks at that whatever the version.
    pub(super) fn block(&self, block: HostBlock, ground: &Ground) -> HostBlock {
        let mut block = block;
        let floor = u64::from(self.floor);
        if block.lver.0 < u64::from(self.outrun) {
            let lver = Lver(u64::from(Sets::awaited_upto(self.awaited, block.lver.0 as u32)));
            let told = block.released() && lver != Lver(0);
            let (lver, flags) = if told { (lver, HostBlock::RELEASED) } else { (Lver(0), 0) };
            block = HostBlock { mbal: block.mbal, lver, flags, ..HostBlock::default() };
        } else if block.lver.0 <= floor {
            let told = block.released() && (block.lver.0 == floor || ground.flags_outlive);
            let lver = if told && block.lver.0 == floor { block.lver } else { Lver(0) };
            let flags = if told { HostBlock::RELEASED } else { 0 };
            block = HostBlock { mbal: block.mbal, lver, flags, ..HostBlock::default() };
        }
        if says_nothing(&block) && ground.number(block.mbal) & self.telling == 0 {
            return HostBlock::default();
        }
        block.visit_of(HostId::NONE, &mut Rename { renaming: self, ground });
        block
    }

    pub(super) fn referee(&self, referee: &mut Referee, ground: &Ground) {
        let floor = u64::from(self.floor);
        let outrun = u64::from(self.outrun);
        referee.chosen.retain(|(lver, ..)| lver.0 > floor && lver.0 >= outrun);
        let mut rename = Rename { renaming: self, ground };
        for (lver, owner, generation) in &mut referee.chosen {
            rename.lver(lver);
            rename.generation(*owner, generation);
        }
        if referee.granted.0 < outrun {
            referee.granted = Lver(u64::from(Sets::awaited_upto(self.ballots, referee.granted.0 as u32)));
        }
        if referee.granted.0 < floor {
            referee.granted = Lver(0);
        } else {
            rename.lver(&mut referee.granted);
        }
    }
}

fn says_nothing(block: &HostBlock) -> bool {
    *block == HostBlock { mbal: block.mbal, ..HostBlock::default() }
}

#[cfg(test)]
impl Sets {
    /// Whether of the leader on disk only its version is known.
    pub(super) fn leader_is_one_of_its_version(self) -> bool {
        self.written[HOSTS] & CONTENT == leaders::one_of(HOSTS as u8)
    }

    /// Whether somebody compares a leader of the version of that on disk with others, or is about to write one.
    pub(super) fn is_compared(self) -> bool {
        let like = |slot: &&u32| **slot != 0 && **slot & LVER == self.written[HOSTS] & LVER;
        self.found.iter().chain(&self.written[..HOSTS]).any(|slot| like(&slot))
    }

    /// The largest number in a state.
    pub(super) fn largest(self) -> u64 {
        let versions = self.live | self.blocks | self.granted | self.chosen;
        let numbers = top(self.mbals | self.bals) / HOSTS;
        let lives = self.lives.iter().fold(self.settled | versions | 1, |all, lives| all | lives);
        u64::from(31 - lives.leading_zeros()).max(numbers as u64)
    }
}

#[cfg(test)]
impl Renaming {
    /// Numbers that the same canonical state stands for, drawn with `below`.
    pub(super) fn spreading(sets: Sets, ground: &Ground, below: &mut dyn FnMut(usize) -> usize) -> Renaming {
        let mut renaming = Renaming::IDENTITY;
        let mut spread = |numbers: Spaced, from: u32, into: &mut [u8; ROOM]| {
            let (mut last, mut new) = (None, from);
            for member in members(numbers.set) {
                let gap = last.map_or(0, |last| member - last);
                let climbs = last.is_some_and(|last: usize| numbers.climbing >> last & 1 == 1);
                let wider = if last.is_some() && (!climbs || gap == GAP as usize) { below(3) as u32 } else { 0 };
                new += gap as u32 + wider;
                into[member] = new as u8;
                last = Some(member);
            }
        };
        spread(sets.versions(ground), 3, &mut renaming.lver);
        let forgetful = sets.forgetful(ground);
        let first = if forgetful { 4 } else { 0 };
        spread(sets.strides(ground), first, &mut renaming.stride);
        if forgetful {
            renaming.stride[0] = below(4) as u8;
        }
        for lives in &mut renaming.lives {
            let mut new = 0;
            for life in &mut lives[1..12] {
                new += 1 + below(2) as u8;
                *life = new;
            }
        }
        renaming
    }

    /// What the lowest version that counts became.
    pub(super) fn new_floor(&self) -> u64 {
        u64::from(self.lver[1])
    }
}

struct Gather<'a> {
    sets: &'a mut Sets,
    ground: &'a Ground,
}

impl Numbers for Gather<'_> {
    fn generation(&mut self, of: HostId, generation: &mut Generation) {
        if let Some(host) = self.ground.ids.iter().position(|id| *id == of) {
            self.sets.lives[host] |= bit(generation.0) & !1;
        }
    }
    fn lver(&mut self, lver: &mut Lver) {
        self.sets.live |= bit(lver.0) & !1;
    }
    fn mbal(&mut self, mbal: &mut Mbal) {
        self.sets.mbals |= self.ground.number(*mbal);
    }
    fn bal(&mut self, bal: &mut Mbal) {
        if bal.0 < self.ground.stride && !self.ground.may_zero {
            self.sets.settled |= bit(bal.0) & !1;
        } else {
            self.sets.bals |= self.ground.number(*bal);
        }
    }
}

impl Ground {
    /// A ballot number as a set of one; no number is the empty set.
    fn number(&self, mbal: Mbal) -> Set {
        if mbal == Mbal(0) {
            return 0;
        }
        let (stride, id) = (mbal.0 / self.stride, HostId(mbal.0 % self.stride));
        let host = self.ids.iter().position(|known| *known == id).expect("a ballot number is some host's");
        assert!(stride < STRIDES, "a canonical state has small numbers, and a step makes them little larger");
        1 << (stride as usize * HOSTS + host)
    }
}

struct Rename<'a> {
    renaming: &'a Renaming,
    ground: &'a Ground,
}

impl Numbers for Rename<'_> {
    fn generation(&mut self, of: HostId, generation: &mut Generation) {
        if let Some(host) = self.ground.ids.iter().position(|id| *id == of)
            && generation.0 != 0
        {
            generation.0 = u64::from(self.renaming.lives[host][generation.0 as usize]);
        }
    }
    fn lver(&mut self, lver: &mut Lver) {
        lver.0 = u64::from(self.renaming.lver[lver.0 as usize]);
    }
    fn mbal(&mut self, mbal: &mut Mbal) {
        if *mbal != Mbal(0) {
            let (stride, host) = (mbal.0 / self.ground.stride, mbal.0 % self.ground.stride);
            let telling = self.ground.number(*mbal) & self.renaming.telling != 0;
            let stride = if telling { u64::from(self.renaming.stride[stride as usize]) } else { 0 };
            mbal.0 = stride * self.ground.stride + host;
        }
    }
    fn bal(&mut self, bal: &mut Mbal) {
        if bal.0 < self.ground.stride && !self.ground.may_zero {
            bal.0 = u64::from(self.renaming.rank[bal.0 as usize]);
        } else if self.ground.number(*bal) & self.renaming.voting == 0 {
            bal.0 = u64::from(self.renaming.settle[top(self.ground.number(*bal))]);
        } else {
            self.mbal(bal);
        }
    }
}
