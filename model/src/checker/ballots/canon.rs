//! Canonical numbers: a state is rewritten so that equal futures look equal.
//!
//! * **Versions.** The smallest version that a leader or an engine still knows becomes 1; 0 is no version (so the first
//!   leader of these worlds is one that was acquired before). Blocks below it are dead: no ballot that can still be held looks at more of them than their ballot number.
//! * **Ballot numbers** keep their host and are shifted in whole strides. While all blocks may still be without a number,
//!   the next one is absolute, so 0 is an anchor then.
//! * **Generations** of a host are ranked: they are compared for equality and order only, and the next one is above all.
//! * **Gaps** of versions and strides are kept up to [`GAP`], which stands for itself and everything beyond. Such a gap is
//!   not one case but two, for what is done beside it may leave it as it is or bring it down: before a step it is
//!   *stretched* or not, and the step is taken for both.

use super::host::{BallotHost, Ground, Position};
use crate::history::Property;
use lease_core::format::{HostBlock, Sector};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Numbers};

/// The largest gap that is told apart from the next larger one.
const GAP: u32 = 2;
/// Numbers that a state may have, after a step and before it is made canonical.
const ROOM: usize = 32;
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
    /// Nothing: the engine panicked.
    pub(super) property: Option<Property>,
    pub(super) what: String,
}

/// The numbers of one part of a state, as sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sets {
    /// Versions that leaders and engines know.
    live: u32,
    /// Versions in blocks, on disk and on the way there.
    blocks: u32,
    /// Those of blocks that are not just RELEASED.
    votes: u32,
    /// Versions that the referee remembers as chosen.
    chosen: u32,
    /// The highest granted version.
    granted: u32,
    /// Strides of ballot numbers.
    strides: u32,
    /// Strides of the ballot numbers of blocks on disk.
    on_disk: u32,
    /// Blocks on disk that say nothing but their ballot number, by the stride of it.
    empty: u32,
    /// Generations, by host.
    lives: [u32; HOSTS],
}

impl Sets {
    pub(super) fn of_host(host: &BallotHost, ground: &Ground, me: u8) -> Sets {
        let mut sets = Sets::default();
        let mut host = host.clone();
        host.visit(ground, me, &mut Gather { sets: &mut sets, ground });
        host.blocks(&mut |block| Sets::add_block(&mut sets, block, ground));
        sets
    }

    pub(super) fn of_sector(sector: &Sector, position: Position, ground: &Ground) -> Sets {
        let mut sets = Sets::default();
        match sector {
            Sector::HostBlock(block) => {
                Sets::add_block(&mut sets, &mut block.clone(), ground);
                sets.on_disk = sets.strides;
                sets.empty = if says_nothing(block) { sets.strides } else { 0 };
            }
            other => other.clone().visit_at(ground.kind(position), &mut Gather { sets: &mut sets, ground }),
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

    fn add_block(sets: &mut Sets, block: &mut HostBlock, ground: &Ground) {
        let mut seen = Sets::default();
        block.visit_of(HostId::NONE, &mut Gather { sets: &mut seen, ground });
        sets.blocks |= seen.live;
        if *block != (HostBlock { mbal: block.mbal, lver: block.lver, flags: HostBlock::RELEASED, ..HostBlock::default() }) {
            sets.votes |= seen.live;
        }
        sets.strides |= seen.strides;
        for (all, one) in sets.lives.iter_mut().zip(seen.lives) {
            *all |= one;
        }
    }

    pub(super) fn union(self, other: Sets) -> Sets {
        Sets {
            live: self.live | other.live,
            blocks: self.blocks | other.blocks,
            votes: self.votes | other.votes,
            chosen: self.chosen | other.chosen,
            granted: self.granted | other.granted,
            strides: self.strides | other.strides,
            on_disk: self.on_disk | other.on_disk,
            empty: self.empty | other.empty,
            lives: std::array::from_fn(|host| self.lives[host] | other.lives[host]),
        }
    }

    /// The smallest version that anybody knows from a leader.
    fn floor(self) -> u32 {
        self.live.trailing_zeros()
    }

    /// The highest stride on disk.
    fn top(self) -> u32 {
        31 - (self.on_disk | 1).leading_zeros()
    }

    /// Versions that count, and strides with their anchor if there is one.
    fn counted(self, ground: &Ground) -> (u32, u32) {
        let above = !0 << self.floor();
        let anchored = self.on_disk == 0 || ground.may_zero;
        ((self.live | self.blocks | self.chosen | self.granted) & above, self.strides | u32::from(anchored))
    }

    /// Whether a state with these numbers is canonical.
    pub(super) fn canonical(self, ground: &Ground) -> bool {
        let floor = self.floor();
        let below = !(!0 << floor);
        let (versions, strides) = self.counted(ground);
        floor == 1
            && (self.blocks | self.granted) & below & !1 == 0
            && self.votes & 1 << floor == 0
            && (ground.may_zero || self.empty & !(!0 << self.top()) == 0)
            && self.chosen & (below | 1 << floor) == 0
            && dense(versions >> floor)
            && (strides == 0 || strides & 1 == 1 && dense(strides))
            && self.lives.iter().all(|lives| (lives >> 1) & ((lives >> 1) + 1) == 0)
    }

    /// How a state with these numbers is made canonical.
    pub(super) fn renaming(self, ground: &Ground) -> Renaming {
        let floor = self.floor();
        let (versions, strides) = self.counted(ground);
        let top = if ground.may_zero { 0 } else { self.top() };
        let mut renaming = Renaming { floor, top, ..Renaming::IDENTITY };
        squeeze(versions, 1, 0, &mut renaming.lver);
        squeeze(strides, 0, 0, &mut renaming.stride);
        for (host, lives) in self.lives.iter().enumerate() {
            let mut rank = 0;
            for life in members(lives & !1) {
                rank += 1;
                renaming.lives[host][life] = rank;
            }
        }
        renaming
    }

    /// In how many ways the gaps of a canonical state may have to be stretched. A step makes one new version and one new
    /// ballot number at the most, so what matters is at most one gap of each.
    pub(super) fn stretches(self, ground: &Ground) -> u8 {
        let (versions, strides) = self.counted(ground);
        ((wide(versions).count_ones() + 1) * (wide(strides).count_ones() + 1)) as u8
    }

    /// A canonical state with one of its widest gaps of each kind, or none, made wider by one.
    pub(super) fn stretching(self, ground: &Ground, stretch: u8) -> Renaming {
        let (versions, strides) = self.counted(ground);
        let floor = self.floor();
        let mut renaming = Renaming { floor, ..Renaming::IDENTITY };
        let versions_wide = wide(versions).count_ones() as u8;
        squeeze(versions, floor, stretch % (versions_wide + 1), &mut renaming.lver);
        let lowest = if strides == 0 { 0 } else { strides.trailing_zeros() };
        squeeze(strides, lowest, stretch / (versions_wide + 1), &mut renaming.stride);
        renaming
    }
}

fn bit(number: u64) -> u32 {
    assert!(number < ROOM as u64, "a canonical state has small numbers, and a step makes them little larger");
    1 << number
}

fn members(set: u32) -> impl Iterator<Item = usize> {
    (0..ROOM).filter(move |number| set >> number & 1 == 1)
}

/// Whether no two neighbours of a set that begins at 0 are further apart than [`GAP`].
fn dense(set: u32) -> bool {
    let filled = set | set << 1;
    let top = 31 - set.leading_zeros();
    let all = !0 >> (31 - top);
    filled & all == all
}

/// The members of a set behind which there is a gap of [`GAP`].
fn wide(set: u32) -> u32 {
    set & !(set >> 1) & (set >> GAP)
}

/// Numbers the members of a set from `first` on, gaps of at most [`GAP`] between them; the `stretched`-th of the gaps
/// that are exactly that wide, counted from 1, is made wider by one.
fn squeeze(set: u32, first: u32, stretched: u8, into: &mut [u8; ROOM]) {
    let mut last: Option<(usize, u32)> = None;
    let mut nth = 0;
    for member in members(set) {
        let new = match last {
            None => first,
            Some((before, new)) => {
                let gap = (member - before) as u32;
                nth += u8::from(gap == GAP);
                new + gap.min(GAP) + u32::from(gap == GAP && nth == stretched)
            }
        };
        into[member] = new as u8;
        last = Some((member, new));
    }
}

/// New numbers for old.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Renaming {
    /// Versions below this are over.
    floor: u32,
    /// A block on disk that tells nothing but a ballot number of a lower stride tells nothing.
    top: u32,
    lver: [u8; ROOM],
    stride: [u8; ROOM],
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
    const IDENTITY: Renaming =
        Renaming { floor: 0, top: 0, lver: Renaming::SAME, stride: Renaming::SAME, lives: [Renaming::SAME; HOSTS] };

    pub(super) fn host(&self, host: &mut BallotHost, ground: &Ground, me: u8) {
        host.visit(ground, me, &mut Rename { renaming: self, ground });
        host.rewrite_blocks(&mut |block| self.block(block, ground));
    }

    pub(super) fn sector(&self, sector: &mut Sector, position: Position, ground: &Ground) {
        match sector {
            Sector::HostBlock(block) => {
                let old = *block;
                let mut block = self.block(old, ground);
                // Only the largest ballot number counts of those that tell nothing else.
                if says_nothing(&block) && old.mbal.0 / ground.stride < u64::from(self.top) {
                    block = HostBlock::default();
                }
                *sector = if block == HostBlock::default() { Sector::Zero } else { Sector::HostBlock(block) };
            }
            other => other.visit_at(ground.kind(position), &mut Rename { renaming: self, ground }),
        }
    }

    /// A block of a version that is over tells no more than its ballot number. Of the lowest version that a leader still
    /// bears it tells also whether it was released; 3.8.5 looks at that whatever the version.
    fn block(&self, block: HostBlock, ground: &Ground) -> HostBlock {
        let mut block = block;
        let floor = u64::from(self.floor);
        if block.lver.0 <= floor {
            let told = block.released() && (block.lver.0 == floor || ground.flags_outlive);
            let lver = if told && block.lver.0 == floor { block.lver } else { Lver(0) };
            let flags = if told { HostBlock::RELEASED } else { 0 };
            block = HostBlock { mbal: block.mbal, lver, flags, ..HostBlock::default() };
        }
        block.visit_of(HostId::NONE, &mut Rename { renaming: self, ground });
        block
    }

    pub(super) fn referee(&self, referee: &mut Referee, ground: &Ground) {
        let floor = u64::from(self.floor);
        referee.chosen.retain(|(lver, ..)| lver.0 > floor);
        let mut rename = Rename { renaming: self, ground };
        for (lver, owner, generation) in &mut referee.chosen {
            rename.lver(lver);
            rename.generation(*owner, generation);
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
        if *mbal != Mbal(0) {
            self.sets.strides |= bit(mbal.0 / self.ground.stride);
        }
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
            mbal.0 = u64::from(self.renaming.stride[stride as usize]) * self.ground.stride + host;
        }
    }
}
