//! A disk that is an array of bytes, and what both it and the real one make of the same random requests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sim_disk::{
    Bytes, Completion, Disk, Ending, IoId, Landing, Op, PathId, PathState, Platter, Run, Sampling, SnapshotId, sector,
};
use std::collections::BTreeMap;

const SIZE: usize = 8;
const SECTORS: u64 = 12;
const EIO: u16 = 5;

/// An I/O, byte by byte.
#[derive(Clone, Debug)]
struct PlainIo {
    path: PathId,
    start: usize,
    /// What to write, up to the end of the disk; or what was seen.
    bytes: Vec<u8>,
    moved: Vec<bool>,
    write: bool,
    short: bool,
    ghost: bool,
}

/// The same disk, written down in the plainest way: slow, and easy to believe.
struct PlainDisk {
    bytes: Vec<u8>,
    paths: [PathState; 2],
    ios: BTreeMap<IoId, PlainIo>,
    snapshot: Option<Vec<u8>>,
}

impl PlainDisk {
    fn flows(&self, io: &PlainIo) -> bool {
        match self.paths[usize::from(io.path.0)] {
            PathState::Open => true,
            PathState::Hung => false,
            PathState::Failing(_) | PathState::Gone => io.ghost,
        }
    }

    /// Lands these bytes of a write, at this byte of the disk; whether that was possible.
    fn land(&mut self, id: IoId, landing: Landing) -> bool {
        let Some(mut io) = self.ios.get(&id).cloned() else { return false };
        let length = io.bytes.len();
        let (from, to, target) = match landing {
            Landing::Whole | Landing::Rotten { .. } => (0, length, io.start),
            Landing::Sectors { from, count } => (from as usize * SIZE, (from + count) as usize * SIZE, io.start),
            Landing::Torn { bytes } => (0, bytes as usize, io.start),
            Landing::TornTail { bytes } => (bytes as usize, length, io.start),
            Landing::Misdirected { start } => (0, length, start as usize * SIZE),
        };
        let torn = matches!(landing, Landing::Torn { .. } | Landing::TornTail { .. });
        let possible = io.write
            && self.flows(&io)
            && from < to
            && to <= length
            && (!torn || (from, to) != (0, length))
            && !io.moved[from..to].iter().all(|&moved| moved)
            && match landing {
                Landing::Rotten { bit } => io.moved.get(bit as usize / 8) == Some(&false),
                Landing::Misdirected { .. } => !io.moved.contains(&true) && target + length <= self.bytes.len(),
                _ => true,
            };
        if !possible {
            return false;
        }
        for at in from..to {
            if !io.moved[at] {
                self.bytes[target + at] = io.bytes[at];
                io.moved[at] = true;
            }
        }
        if let Landing::Rotten { bit } = landing {
            self.bytes[target + bit as usize / 8] ^= 1 << (bit % 8);
        }
        if io.ghost && !io.moved.contains(&false) {
            self.ios.remove(&id);
        } else {
            self.ios.insert(id, io);
        }
        true
    }

    fn sample(&mut self, id: IoId, sampling: Sampling) -> bool {
        let Some(mut io) = self.ios.get(&id).cloned() else { return false };
        let (from, count, source) = match sampling {
            Sampling::Whole => (0, io.bytes.len() / SIZE, Some(&self.bytes)),
            Sampling::Sectors { from, count } => (from as usize, count as usize, Some(&self.bytes)),
            Sampling::Stale { from, count, .. } => (from as usize, count as usize, self.snapshot.as_ref()),
        };
        let (from, to) = (from * SIZE, (from + count) * SIZE);
        let Some(source) = source else { return false };
        if io.write
            || !self.flows(&io)
            || from >= to
            || to > io.bytes.len()
            || io.moved[from..to].iter().all(|&moved| moved)
        {
            return false;
        }
        for at in from..to {
            if !io.moved[at] {
                io.bytes[at] = source[io.start + at];
                io.moved[at] = true;
            }
        }
        self.ios.insert(id, io);
        true
    }

    fn complete(&mut self, id: IoId, ending: Ending) -> Option<Plainly> {
        let io = self.ios.get(&id)?;
        let touched = io.moved.contains(&true);
        let passes = match self.paths[usize::from(io.path.0)] {
            PathState::Open => true,
            PathState::Hung => false,
            PathState::Failing(own) => ending == Ending::Refused(own) || ending == Ending::LostAnswer(own),
            PathState::Gone => ending == Ending::NoDevice,
        };
        let possible = match ending {
            Ending::Done => !io.moved.contains(&false),
            Ending::Refused(_) => !(io.write && touched),
            Ending::LostAnswer(_) => io.write && touched,
            Ending::Short | Ending::NoDevice => true,
        };
        if io.ghost || !passes || !possible {
            return None;
        }
        let io = self.ios.remove(&id)?;
        Some(match ending {
            Ending::Done if io.short => Plainly::Other(Completion::Short),
            Ending::Done if io.write => Plainly::Other(Completion::Written),
            Ending::Done => Plainly::Read(io.bytes),
            Ending::Refused(errno) | Ending::LostAnswer(errno) => Plainly::Other(Completion::Failed(errno)),
            Ending::Short => Plainly::Other(Completion::Short),
            Ending::NoDevice => Plainly::Other(Completion::NoDevice),
        })
    }

    fn abandon(&mut self, id: IoId) -> bool {
        let Some(io) = self.ios.get_mut(&id) else { return false };
        let passes = matches!(self.paths[usize::from(io.path.0)], PathState::Open | PathState::Failing(EIO));
        let possible = io.write && !io.ghost && passes && io.moved.contains(&false);
        io.ghost |= possible;
        possible
    }

    fn orphan(&mut self, path: PathId) {
        self.ios.retain(|_, io| io.path != path || (io.write && io.moved.contains(&false)));
        self.ios.values_mut().filter(|io| io.path == path).for_each(|io| io.ghost = true);
    }
}

/// A completion with plain bytes.
#[derive(PartialEq, Debug)]
enum Plainly {
    Read(Vec<u8>),
    Other(Completion),
}

fn plain_bytes(runs: &[Run]) -> Vec<u8> {
    let padded = |bytes: &Bytes| {
        let mut padded = bytes.to_vec();
        padded.resize(SIZE, 0);
        padded
    };
    runs.iter().flat_map(|(count, bytes)| padded(bytes).repeat(*count as usize)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Issue(PathId, Op),
    Land(IoId, Landing),
    Sample(IoId, Sampling),
    Complete(IoId, Ending),
    Abandon(IoId),
    Vanish(IoId),
    Orphan(PathId),
    SetPath(PathId, PathState),
    Snapshot,
    Rollback,
    Edit(u64, Vec<u8>),
}

/// Few different sectors, so that neighbours are often equal; some with zeros at the end.
fn some_bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        3 => (0..3_u8).prop_map(|letter| sector(&[letter; SIZE])),
        1 => (0..3_u8, 0..=SIZE).prop_map(|(letter, length)| Bytes::from(vec![letter; length])),
        1 => vec(0..3_u8, SIZE).prop_map(|bytes| sector(&bytes)),
    ]
}

fn some_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..SECTORS + 1, 1..SECTORS + 1).prop_map(|(start, count)| Op::Read { start, count }),
        (0..SECTORS + 1, vec((0..4_u32, some_bytes()), 1..4)).prop_map(|(start, runs)| Op::Write { start, runs }),
    ]
}

fn some_landing() -> impl Strategy<Value = Landing> {
    let bytes = 0..4 * SIZE as u64;
    prop_oneof![
        2 => Just(Landing::Whole),
        3 => (0..6_u64, 0..4_u64).prop_map(|(from, count)| Landing::Sectors { from, count }),
        2 => bytes.clone().prop_map(|bytes| Landing::Torn { bytes }),
        2 => bytes.clone().prop_map(|bytes| Landing::TornTail { bytes }),
        1 => (0..SECTORS + 1).prop_map(|start| Landing::Misdirected { start }),
        1 => bytes.prop_map(|byte| Landing::Rotten { bit: byte * 8 + byte % 8 }),
    ]
}

fn some_sampling() -> impl Strategy<Value = Sampling> {
    let part = || (0..8_u64, 0..5_u64);
    prop_oneof![
        1 => Just(Sampling::Whole),
        2 => part().prop_map(|(from, count)| Sampling::Sectors { from, count }),
        1 => part().prop_map(|(from, count)| Sampling::Stale { snapshot: SnapshotId(0), from, count }),
    ]
}

fn some_step() -> impl Strategy<Value = Step> {
    let path = || (0..2_u8).prop_map(PathId);
    let io = || (0..5_u16).prop_map(IoId);
    let errno = || prop_oneof![4 => Just(EIO), 1 => Just(EIO + 1)];
    let ending = prop_oneof![
        4 => Just(Ending::Done),
        1 => errno().prop_map(Ending::Refused),
        1 => errno().prop_map(Ending::LostAnswer),
        1 => Just(Ending::Short),
        1 => Just(Ending::NoDevice),
    ];
    let state = prop_oneof![
        3 => Just(PathState::Open),
        1 => Just(PathState::Hung),
        1 => Just(PathState::Failing(EIO)),
        1 => Just(PathState::Gone),
    ];
    let edit = (0..SECTORS * SIZE as u64, vec(0..3_u8, 0..3 * SIZE));
    prop_oneof![
        8 => (path(), some_op()).prop_map(|(path, op)| Step::Issue(path, op)),
        8 => (io(), some_landing()).prop_map(|(io, landing)| Step::Land(io, landing)),
        8 => (io(), some_sampling()).prop_map(|(io, sampling)| Step::Sample(io, sampling)),
        6 => (io(), ending).prop_map(|(io, ending)| Step::Complete(io, ending)),
        1 => io().prop_map(Step::Abandon),
        1 => io().prop_map(Step::Vanish),
        1 => path().prop_map(Step::Orphan),
        2 => (path(), state).prop_map(|(path, state)| Step::SetPath(path, state)),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Rollback),
        1 => edit.prop_map(|(offset, bytes)| Step::Edit(offset, bytes)),
    ]
}

/// Takes one step on both disks, and asserts that both say the same.
fn take(step: Step, disk: &mut Disk, plain: &mut PlainDisk) {
    let before = disk.clone();
    let possible = match step {
        Step::Issue(path, op) => {
            let (start, count, write) = (op.start().min(SECTORS) as usize, op.count() as usize, op.is_write());
            let within = count.min(SECTORS as usize - start);
            let bytes = match &op {
                Op::Read { .. } => vec![0; within * SIZE],
                Op::Write { runs, .. } => plain_bytes(runs)[..within * SIZE].to_vec(),
            };
            let issued = disk.issue(path, op);
            if let Ok(id) = issued {
                let (moved, short) = (vec![false; bytes.len()], within < count);
                let io = PlainIo { path, start: start * SIZE, bytes, moved, write, short, ghost: false };
                assert!(plain.ios.insert(id, io).is_none(), "the number of an I/O in flight was given away");
            }
            assert_eq!(issued.is_ok(), count > 0);
            issued.is_ok()
        }
        Step::Land(id, landing) => {
            let may = disk.may_land(id, landing);
            let landed = disk.land(id, landing);
            assert_eq!(may, landed.map(|_| ()));
            assert_eq!(landed.is_ok(), plain.land(id, landing), "{landing:?} is {landed:?}");
            landed.is_ok()
        }
        Step::Sample(id, sampling) => {
            let may = disk.may_sample(id, sampling);
            let sampled = disk.sample(id, sampling);
            assert_eq!(may, sampled);
            assert_eq!(sampled.is_ok(), plain.sample(id, sampling), "{sampling:?} is {sampled:?}");
            sampled.is_ok()
        }
        Step::Complete(id, ending) => {
            let may = disk.may_complete(id, ending);
            let completed = disk.complete(id, ending);
            assert_eq!(may, completed.clone().map(|_| ()));
            let completed = completed.ok().map(|completion| match completion {
                Completion::Read(runs) => Plainly::Read(plain_bytes(&runs)),
                other => Plainly::Other(other),
            });
            assert_eq!(completed, plain.complete(id, ending));
            completed.is_some()
        }
        Step::Abandon(id) => {
            let abandoned = disk.abandon(id, EIO);
            assert_eq!(abandoned.is_ok(), plain.abandon(id), "{abandoned:?}");
            abandoned.is_ok()
        }
        Step::Vanish(id) => {
            let vanished = disk.vanish(id).is_ok();
            assert_eq!(vanished, plain.ios.remove(&id).is_some());
            vanished
        }
        Step::Orphan(path) => {
            disk.orphan(path).unwrap();
            plain.orphan(path);
            true
        }
        Step::SetPath(path, state) => {
            disk.set_path(path, state).unwrap();
            plain.paths[usize::from(path.0)] = state;
            true
        }
        Step::Snapshot => {
            if plain.snapshot.is_some() {
                disk.drop_snapshot(SnapshotId(0)).unwrap();
            }
            assert_eq!(disk.snapshot(), Ok(SnapshotId(0)));
            plain.snapshot = Some(plain.bytes.clone());
            true
        }
        Step::Rollback => {
            let rolled_back = disk.rollback(SnapshotId(0)).is_ok();
            assert_eq!(rolled_back, plain.snapshot.is_some());
            plain.bytes = plain.snapshot.clone().unwrap_or_else(|| plain.bytes.clone());
            rolled_back
        }
        Step::Edit(offset, mut bytes) => {
            bytes.truncate(plain.bytes.len() - offset as usize);
            disk.platter_mut(0).unwrap().edit(offset, &bytes);
            plain.bytes[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
            true
        }
    };
    assert!(possible || *disk == before, "what was refused changed something");
    assert_agreement(disk, plain);
}

fn assert_agreement(disk: &Disk, plain: &PlainDisk) {
    let platter = disk.platter();
    assert_eq!(plain_bytes(&platter.runs(0, SECTORS)), plain.bytes);
    let flying: Vec<IoId> = disk.in_flight().map(|(id, _)| id).collect();
    assert_eq!(flying, plain.ios.keys().copied().collect::<Vec<_>>());
    for (id, io) in disk.in_flight() {
        let plain = &plain.ios[&id];
        assert_eq!(io.is_ghost(), plain.ghost);
        assert_eq!(io.is_whole(), !plain.moved.contains(&false));
        assert_eq!(io.is_untouched(), !plain.moved.contains(&true));
        let left = |at: &usize| plain.moved[at * SIZE..][..SIZE].contains(&false);
        let expected: Vec<usize> = (0..plain.moved.len() / SIZE).filter(left).collect();
        let pending = io.pending(SIZE as u32);
        let sectors = pending.iter().flat_map(|&(from, count)| from as usize..(from + count) as usize);
        assert_eq!(sectors.collect::<Vec<_>>(), expected);
    }
    assert_canonical(platter);
}

/// Equal contents are equal values: what was made anew from the bytes is the same platter.
fn assert_canonical(platter: &Platter) {
    let anew = Platter::from_pieces(platter.sector_size(), platter.sectors(), platter.pieces()).unwrap();
    assert_eq!(*platter, anew);
    let extents: Vec<_> = platter.extents().collect();
    assert_eq!(extents[0].start, 0);
    assert_eq!(extents[extents.len() - 1].end(), platter.sectors());
    for pair in extents.windows(2) {
        assert_eq!(pair[0].end(), pair[1].start);
        assert_ne!(pair[0].bytes, pair[1].bytes);
    }
    assert!(extents.iter().all(|extent| extent.count > 0 && extent.bytes.last() != Some(&0)));
}

/// The same cases in each run: what passes once, passes always.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: 500, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn both_disks_say_the_same(steps in vec(some_step(), 1..120)) {
        let mut disk = Disk::new(SIZE as u32, SECTORS);
        disk.add_path();
        disk.add_path();
        let mut plain = PlainDisk {
            bytes: vec![0; SIZE * SECTORS as usize],
            paths: [PathState::Open; 2],
            ios: BTreeMap::new(),
            snapshot: None,
        };
        for step in steps {
            take(step, &mut disk, &mut plain);
        }
    }

    #[test]
    fn an_image_comes_back_whatever_its_pieces(bytes in vec(0..3_u8, SIZE * SECTORS as usize), step in 1..40_usize) {
        let whole = Platter::from_pieces(SIZE as u32, SECTORS, [(0, &bytes)]).unwrap();
        prop_assert_eq!(plain_bytes(&whole.runs(0, SECTORS)), &bytes[..]);
        // The same in pieces that cut through sectors, the last one first.
        let pieces: Vec<(u64, &[u8])> =
            bytes.chunks(step).enumerate().map(|(number, piece)| ((number * step) as u64, piece)).rev().collect();
        prop_assert_eq!(&Platter::from_pieces(SIZE as u32, SECTORS, pieces).unwrap(), &whole);
        prop_assert_eq!(&Platter::from_pieces(SIZE as u32, SECTORS, whole.pieces()).unwrap(), &whole);
        prop_assert!(whole.pieces().all(|(_, piece)| piece.iter().any(|&byte| byte != 0)));
        assert_canonical(&whole);
    }

    #[test]
    fn runs_and_their_visitor_agree(bytes in vec(0..2_u8, SECTORS as usize), start in 0..SECTORS, count in 0..SECTORS) {
        let runs: Vec<Run> = bytes.iter().map(|&byte| (1, sector(&[byte; SIZE]))).collect();
        let mut platter = Platter::new(SIZE as u32, SECTORS);
        platter.write(0, &runs);
        let count = count.min(SECTORS - start);
        let mut visited = Vec::new();
        platter.for_each_run(start, count, |count, bytes| visited.push((count, bytes.clone())));
        let minimal = platter.runs(start, count);
        prop_assert_eq!(&visited, &minimal);
        prop_assert_eq!(plain_bytes(&minimal), plain_bytes(&runs[start as usize..(start + count) as usize]));
        prop_assert!(minimal.windows(2).all(|pair| pair[0].1 != pair[1].1));
    }

    #[test]
    fn a_bit_flips_twice_into_itself(bytes in vec(0..3_u8, SIZE * SECTORS as usize), bit in 0..SIZE as u64 * SECTORS * 8) {
        let whole = Platter::from_pieces(SIZE as u32, SECTORS, [(0, &bytes)]).unwrap();
        let mut flipped = whole.clone();
        flipped.flip_bit(bit);
        let mut expected = bytes;
        expected[bit as usize / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(plain_bytes(&flipped.runs(0, SECTORS)), expected);
        flipped.flip_bit(bit);
        prop_assert_eq!(flipped, whole);
    }
}
