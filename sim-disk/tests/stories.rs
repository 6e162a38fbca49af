//! What can happen to an I/O, and what cannot: one short story each.

use sim_disk::{
    Bytes, Completion, Disk, Ending, Illegal, IoId, LandedSectors, Landing, Op, PathId, PathState, Platter, Progress,
    Run, Sampling, SnapshotId, sector,
};

const EIO: u16 = 5;

/// Sixteen sectors of 4096 bytes, all of them `old`, and the paths of hosts A and B.
fn old_disk() -> (Disk, PathId, PathId) {
    let mut disk = Disk::new(4096, 16);
    disk.platter_mut(0).unwrap().write(0, &[(16, full(b'o'))]);
    let (a, b) = (disk.add_path(), disk.add_path());
    (disk, a, b)
}

/// A sector that is full of one letter.
fn full(letter: u8) -> Bytes {
    sector(&[letter; 4096])
}

/// A sector whose first `cut` bytes are one letter, and whose others are another.
fn cut(cut: usize, head: u8, tail: u8) -> Bytes {
    let mut bytes = [tail; 4096];
    bytes[..cut].fill(head);
    sector(&bytes)
}

fn write(disk: &mut Disk, path: PathId, start: u64, runs: &[Run]) -> IoId {
    disk.issue(path, Op::Write { start, runs: runs.to_vec() }).unwrap()
}

fn read(disk: &mut Disk, path: PathId, start: u64, count: u64) -> IoId {
    disk.issue(path, Op::Read { start, count }).unwrap()
}

/// The whole disk, a letter for each sector: that of its first byte, a capital if the sector is not all the same.
fn letters(platter: &Platter) -> String {
    let letter = |bytes: &Bytes| match bytes.first() {
        None => '.',
        Some(&first) if bytes.len() == 4096 && bytes.iter().all(|&byte| byte == first) => char::from(first),
        Some(&first) => char::from(first).to_ascii_uppercase(),
    };
    (0..platter.sectors()).map(|at| letter(platter.sector(at))).collect()
}

/// Asserts that something is refused, and that it changed nothing.
#[track_caller]
fn refuses<T: PartialEq + std::fmt::Debug>(
    disk: &mut Disk,
    illegal: Illegal,
    ask: impl FnOnce(&mut Disk) -> Result<T, Illegal>,
) {
    let before = disk.clone();
    assert_eq!(ask(disk), Err(illegal));
    assert_eq!(*disk, before, "what was refused changed something");
}

#[test]
fn a_write_has_three_moments() {
    let (mut disk, a, _) = old_disk();
    let before = disk.clone();
    let io = write(&mut disk, a, 3, &[(2, full(b'n'))]);
    assert_eq!(letters(disk.platter()), "oooooooooooooooo", "issued: nothing is written yet");
    assert_eq!(disk.land(io, Landing::Whole), Ok(LandedSectors { replica: 0, start: 3, count: 2 }));
    assert_eq!(letters(disk.platter()), "ooonnooooooooooo");
    assert!(disk.io(io).is_ok(), "landed: the host does not know yet");
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Written));
    refuses(&mut disk, Illegal::NoSuchIo, |disk| disk.complete(io, Ending::Done));

    disk.platter_mut(0).unwrap().write(3, &[(2, full(b'o'))]);
    assert_eq!(disk, before, "no trace of how we got here");
}

#[test]
fn a_read_sees_each_sector_when_it_is_sampled() {
    // 1. B begins to read four sectors, and sees the first two.
    // 2. A's write of all four lands.
    // 3. B sees the other two: half old, half new, a state in which the disk never was.
    let (mut disk, a, b) = old_disk();
    let io = read(&mut disk, b, 4, 4);
    disk.sample(io, Sampling::Sectors { from: 0, count: 2 }).unwrap();
    refuses(&mut disk, Illegal::NotWhole, |disk| disk.complete(io, Ending::Done));
    let other = write(&mut disk, a, 4, &[(4, full(b'n'))]);
    disk.land(other, Landing::Whole).unwrap();
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.sample(io, Sampling::Sectors { from: 1, count: 1 }));
    disk.sample(io, Sampling::Whole).unwrap();
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Read(vec![(2, full(b'o')), (2, full(b'n'))])));
}

#[test]
fn a_read_may_be_delivered_long_after_it_was_sampled() {
    let (mut disk, a, b) = old_disk();
    let io = read(&mut disk, b, 0, 16);
    disk.sample(io, Sampling::Whole).unwrap();
    let other = write(&mut disk, a, 0, &[(16, full(b'n'))]);
    disk.land(other, Landing::Whole).unwrap();
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Read(vec![(16, full(b'o'))])));
}

#[test]
fn a_write_may_land_in_parts_and_in_any_order() {
    let (mut disk, a, b) = old_disk();
    let io = write(&mut disk, a, 0, &[(4, full(b'n'))]);
    disk.land(io, Landing::Sectors { from: 2, count: 1 }).unwrap();
    assert_eq!(disk.io(io).unwrap().pending(4096), [(0, 2), (3, 1)]);

    // B overwrites what has landed; the rest of A's write does not bring it back.
    let other = write(&mut disk, b, 2, &[(1, full(b'b'))]);
    disk.land(other, Landing::Whole).unwrap();
    assert_eq!(disk.land(io, Landing::Whole), Ok(LandedSectors { replica: 0, start: 0, count: 4 }));
    assert_eq!(letters(disk.platter()), "nnbnoooooooooooo");
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.land(io, Landing::Whole));
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.land(io, Landing::Torn { bytes: 1 }));
}

#[test]
fn a_write_tears_at_a_byte_at_512_bytes_and_at_a_sector() {
    for (bytes, torn) in [(1, true), (512, true), (4095, true), (4096, false), (4097, true), (7 * 512, true)] {
        let (mut disk, a, _) = old_disk();
        let io = write(&mut disk, a, 8, &[(2, full(b'n'))]);
        let whole = bytes / 4096;
        let touched = disk.land(io, Landing::Torn { bytes }).unwrap();
        assert_eq!(touched, LandedSectors { replica: 0, start: 8, count: whole + u64::from(torn) });
        if torn {
            assert_eq!(*disk.platter().sector(8 + whole), cut(bytes as usize % 4096, b'n', b'o'), "torn at {bytes}");
        }
        assert_eq!(disk.io(io).unwrap().progress(), &Progress::Part(vec![(0, bytes)]));
        refuses(&mut disk, Illegal::NotWhole, |disk| disk.complete(io, Ending::Done));
        refuses(&mut disk, Illegal::AlreadyMoved, |disk| disk.complete(io, Ending::Refused(EIO)));

        let mut healed = disk.clone();
        healed.land(io, Landing::TornTail { bytes }).unwrap();
        assert_eq!(letters(healed.platter()), "oooooooonnoooooo", "both halves of the tear are the whole");
        assert_eq!(healed.complete(io, Ending::Done), Ok(Completion::Written));

        assert_eq!(disk.complete(io, Ending::LostAnswer(EIO)), Ok(Completion::Failed(EIO)));
    }
}

#[test]
fn a_write_tears_the_other_way_round() {
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 8, &[(1, full(b'm')), (1, full(b'n'))]);
    let touched = disk.land(io, Landing::TornTail { bytes: 4096 - 512 }).unwrap();
    assert_eq!(touched, LandedSectors { replica: 0, start: 8, count: 2 });
    assert_eq!(*disk.platter().sector(8), cut(4096 - 512, b'o', b'm'));
    assert_eq!(letters(disk.platter()), "ooooooooOnoooooo");
}

#[test]
fn a_tear_of_a_shorter_record_leaves_old_bytes_behind() {
    // The new record ends after 100 bytes, and zeros follow: they tear as any bytes do.
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 0, &[(1, sector(&[b'n'; 100]))]);
    disk.land(io, Landing::Torn { bytes: 512 }).unwrap();
    let mut expected = [b'o'; 4096];
    expected[..100].fill(b'n');
    expected[100..512].fill(0);
    assert_eq!(*disk.platter().sector(0), sector(&expected));
    disk.land(io, Landing::Whole).unwrap();
    assert_eq!(*disk.platter().sector(0), sector(&[b'n'; 100]));
}

#[test]
fn no_tear_is_outside_its_write() {
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 0, &[(2, full(b'n'))]);
    for bytes in [0, 8192, u64::MAX] {
        refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(io, Landing::Torn { bytes }));
        refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(io, Landing::TornTail { bytes }));
    }
    for (from, count) in [(0, 0), (2, 1), (0, 3), (u64::MAX, 2)] {
        refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(io, Landing::Sectors { from, count }));
    }
    refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(io, Landing::Rotten { bit: 8 * 8192 }));
}

#[test]
fn a_write_is_refused_or_its_answer_is_lost() {
    let (mut disk, a, _) = old_disk();
    let refused = write(&mut disk, a, 0, &[(1, full(b'n'))]);
    refuses(&mut disk, Illegal::Untouched, |disk| disk.complete(refused, Ending::LostAnswer(EIO)));
    assert_eq!(disk.complete(refused, Ending::Refused(EIO)), Ok(Completion::Failed(EIO)));
    assert_eq!(letters(disk.platter()), "oooooooooooooooo");

    let lost = write(&mut disk, a, 0, &[(1, full(b'n'))]);
    disk.land(lost, Landing::Whole).unwrap();
    refuses(&mut disk, Illegal::AlreadyMoved, |disk| disk.complete(lost, Ending::Refused(EIO)));
    assert_eq!(disk.complete(lost, Ending::LostAnswer(EIO)), Ok(Completion::Failed(EIO)));
    assert_eq!(letters(disk.platter()), "nooooooooooooooo");
}

#[test]
fn a_write_that_failed_at_the_host_may_land_afterwards() {
    let (mut disk, a, b) = old_disk();
    let io = write(&mut disk, a, 0, &[(2, full(b'n'))]);
    assert_eq!(disk.abandon(io, EIO), Ok(Completion::Failed(EIO)));
    refuses(&mut disk, Illegal::Ghost, |disk| disk.complete(io, Ending::Done));
    refuses(&mut disk, Illegal::Ghost, |disk| disk.abandon(io, EIO));
    assert_ne!(write(&mut disk, b, 0, &[(1, full(b'b'))]), io, "its number stays taken while it may land");

    disk.land(io, Landing::Sectors { from: 1, count: 1 }).unwrap();
    disk.land(io, Landing::Whole).unwrap();
    assert_eq!(letters(disk.platter()), "nnoooooooooooooo");
    assert_eq!(disk.io(io), Err(Illegal::NoSuchIo), "nothing is left of the ghost");
}

#[test]
fn only_writes_with_something_left_are_abandoned() {
    let (mut disk, a, _) = old_disk();
    let reading = read(&mut disk, a, 0, 1);
    refuses(&mut disk, Illegal::NotAWrite, |disk| disk.abandon(reading, EIO));
    let writing = write(&mut disk, a, 0, &[(1, full(b'n'))]);
    disk.land(writing, Landing::Whole).unwrap();
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.abandon(writing, EIO));
}

#[test]
fn a_ghost_outlives_its_host_and_lands_over_its_successor() {
    // 1. A writes its lease, and the write is stuck. A is reset.
    // 2. B writes the same sector, successfully.
    // 3. A's write lands.
    let (mut disk, a, b) = old_disk();
    let stuck = write(&mut disk, a, 0, &[(1, full(b'a'))]);
    let landed = write(&mut disk, a, 1, &[(1, full(b'a'))]);
    disk.land(landed, Landing::Whole).unwrap();
    let reading = read(&mut disk, a, 0, 16);
    let bystander = read(&mut disk, b, 0, 16);
    assert_eq!(disk.orphan(a), Ok(vec![stuck]));
    assert_eq!(disk.io(landed), Err(Illegal::NoSuchIo), "nothing is left to land");
    assert_eq!(disk.io(reading), Err(Illegal::NoSuchIo), "nobody waits for it");
    assert!(!disk.io(bystander).unwrap().is_ghost());
    assert_eq!(disk.orphan(a), Ok(vec![]), "it is a ghost already");

    let new = write(&mut disk, b, 0, &[(1, full(b'b'))]);
    disk.land(new, Landing::Whole).unwrap();
    disk.complete(new, Ending::Done).unwrap();
    refuses(&mut disk, Illegal::Ghost, |disk| disk.complete(stuck, Ending::Done));
    disk.land(stuck, Landing::Whole).unwrap();
    assert_eq!(letters(disk.platter()), "aaoooooooooooooo");
}

#[test]
fn a_ghost_may_vanish() {
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 0, &[(1, full(b'n'))]);
    disk.orphan(a).unwrap();
    disk.vanish(io).unwrap();
    refuses(&mut disk, Illegal::NoSuchIo, |disk| disk.land(io, Landing::Whole));
    assert_eq!(disk.in_flight().count(), 0);
}

#[test]
fn nothing_moves_on_a_hung_path_until_it_is_mended() {
    let (mut disk, a, b) = old_disk();
    let writing = write(&mut disk, a, 0, &[(1, full(b'a'))]);
    let reading = read(&mut disk, a, 0, 1);
    let landed = write(&mut disk, a, 1, &[(1, full(b'a'))]);
    disk.land(landed, Landing::Whole).unwrap();
    disk.set_path(a, PathState::Hung).unwrap();
    let later = write(&mut disk, a, 2, &[(1, full(b'a'))]);
    refuses(&mut disk, Illegal::PathHung, |disk| disk.land(writing, Landing::Whole));
    refuses(&mut disk, Illegal::PathHung, |disk| disk.land(later, Landing::Whole));
    refuses(&mut disk, Illegal::PathHung, |disk| disk.sample(reading, Sampling::Whole));
    for ending in [Ending::Done, Ending::LostAnswer(EIO), Ending::Short, Ending::NoDevice] {
        refuses(&mut disk, Illegal::PathHung, |disk| disk.complete(landed, ending));
    }
    refuses(&mut disk, Illegal::PathHung, |disk| disk.complete(writing, Ending::Refused(EIO)));
    refuses(&mut disk, Illegal::PathHung, |disk| disk.abandon(writing, EIO));

    let other = write(&mut disk, b, 5, &[(1, full(b'b'))]);
    disk.land(other, Landing::Whole).unwrap(); // B has a path of its own
    disk.orphan(a).unwrap();
    refuses(&mut disk, Illegal::PathHung, |disk| disk.land(writing, Landing::Whole));
    disk.set_path(a, PathState::Open).unwrap();
    disk.land(writing, Landing::Whole).unwrap();
    assert_eq!(letters(disk.platter()), "aaoooboooooooooo");
}

#[test]
fn a_failing_path_answers_with_its_errno_and_carries_nothing() {
    let (mut disk, a, _) = old_disk();
    let landed = write(&mut disk, a, 0, &[(1, full(b'a'))]);
    disk.land(landed, Landing::Whole).unwrap();
    let ghost = write(&mut disk, a, 1, &[(1, full(b'g'))]);
    disk.abandon(ghost, EIO).unwrap();
    disk.set_path(a, PathState::Failing(EIO)).unwrap();
    let writing = write(&mut disk, a, 2, &[(1, full(b'a'))]);
    let reading = read(&mut disk, a, 0, 1);

    refuses(&mut disk, Illegal::PathFailing, |disk| disk.land(writing, Landing::Whole));
    refuses(&mut disk, Illegal::PathFailing, |disk| disk.sample(reading, Sampling::Whole));
    for ending in [Ending::Done, Ending::LostAnswer(EIO + 1), Ending::Short, Ending::NoDevice] {
        refuses(&mut disk, Illegal::PathFailing, |disk| disk.complete(landed, ending));
    }
    refuses(&mut disk, Illegal::PathFailing, |disk| disk.abandon(writing, EIO + 1));
    assert_eq!(disk.complete(landed, Ending::LostAnswer(EIO)), Ok(Completion::Failed(EIO)));
    assert_eq!(disk.complete(writing, Ending::Refused(EIO)), Ok(Completion::Failed(EIO)));
    assert_eq!(disk.complete(reading, Ending::Refused(EIO)), Ok(Completion::Failed(EIO)));
    disk.land(ghost, Landing::Whole).unwrap(); // it was beyond the path already
    assert_eq!(letters(disk.platter()), "agoooooooooooooo");
}

#[test]
fn a_path_that_is_gone_answers_only_that() {
    let (mut disk, a, _) = old_disk();
    let landed = write(&mut disk, a, 0, &[(1, full(b'a'))]);
    disk.land(landed, Landing::Whole).unwrap();
    disk.set_path(a, PathState::Gone).unwrap();
    let reading = read(&mut disk, a, 0, 1);
    let writing = write(&mut disk, a, 2, &[(1, full(b'a'))]);
    refuses(&mut disk, Illegal::PathGone, |disk| disk.sample(reading, Sampling::Whole));
    refuses(&mut disk, Illegal::PathGone, |disk| disk.land(writing, Landing::Whole));
    refuses(&mut disk, Illegal::PathGone, |disk| disk.complete(landed, Ending::Done));
    refuses(&mut disk, Illegal::PathGone, |disk| disk.complete(writing, Ending::Refused(EIO)));
    refuses(&mut disk, Illegal::PathGone, |disk| disk.abandon(writing, EIO));
    for io in [landed, reading, writing] {
        assert_eq!(disk.complete(io, Ending::NoDevice), Ok(Completion::NoDevice));
    }
    assert_eq!(letters(disk.platter()), "aooooooooooooooo");
}

#[test]
fn beyond_the_end_everything_is_short() {
    let (mut disk, a, _) = old_disk();
    let writing = write(&mut disk, a, 14, &[(4, full(b'n'))]);
    assert_eq!(disk.io(writing).unwrap().within(), 2);
    refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(writing, Landing::Sectors { from: 2, count: 1 }));
    refuses(&mut disk, Illegal::NotWhole, |disk| disk.complete(writing, Ending::Done));
    disk.land(writing, Landing::Whole).unwrap();
    assert_eq!(disk.complete(writing, Ending::Done), Ok(Completion::Short));
    assert_eq!(letters(disk.platter()), "oooooooooooooonn");

    let reading = read(&mut disk, a, 15, u64::MAX);
    disk.sample(reading, Sampling::Whole).unwrap();
    assert_eq!(disk.complete(reading, Ending::Done), Ok(Completion::Short));

    let outside = write(&mut disk, a, 16, &[(1, full(b'n'))]);
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.land(outside, Landing::Whole));
    assert_eq!(disk.complete(outside, Ending::Done), Ok(Completion::Short));
}

#[test]
fn a_transfer_may_be_short_for_no_reason() {
    let (mut disk, a, _) = old_disk();
    let writing = write(&mut disk, a, 0, &[(4, full(b'n'))]);
    disk.land(writing, Landing::Sectors { from: 0, count: 3 }).unwrap();
    assert_eq!(disk.complete(writing, Ending::Short), Ok(Completion::Short));
    let reading = read(&mut disk, a, 0, 4);
    assert_eq!(disk.complete(reading, Ending::Short), Ok(Completion::Short));
    assert_eq!(letters(disk.platter()), "nnnooooooooooooo");
}

#[test]
fn a_misdirected_write_is_done_and_damages_a_bystander() {
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 0, &[(2, full(b'n'))]);
    refuses(&mut disk, Illegal::OutOfRange, |disk| disk.land(io, Landing::Misdirected { start: 15 }));
    let touched = disk.land(io, Landing::Misdirected { start: 9 }).unwrap();
    assert_eq!(touched, LandedSectors { replica: 0, start: 9, count: 2 });
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Written));
    assert_eq!(letters(disk.platter()), "ooooooooonnooooo");

    let half = write(&mut disk, a, 0, &[(2, full(b'n'))]);
    disk.land(half, Landing::Sectors { from: 0, count: 1 }).unwrap();
    refuses(&mut disk, Illegal::AlreadyMoved, |disk| disk.land(half, Landing::Misdirected { start: 9 }));
}

#[test]
fn a_rotten_write_differs_in_one_bit() {
    let (mut disk, a, _) = old_disk();
    let io = write(&mut disk, a, 3, &[(2, full(b'n'))]);
    disk.land(io, Landing::Rotten { bit: (4096 + 17) * 8 + 2 }).unwrap();
    let mut expected = [b'n'; 4096];
    expected[17] ^= 4;
    assert_eq!(*disk.platter().sector(3), full(b'n'));
    assert_eq!(*disk.platter().sector(4), sector(&expected));
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Written));

    let half = write(&mut disk, a, 0, &[(1, full(b'n'))]);
    disk.land(half, Landing::Torn { bytes: 512 }).unwrap();
    refuses(&mut disk, Illegal::NothingLeft, |disk| disk.land(half, Landing::Rotten { bit: 511 * 8 }));
    disk.land(half, Landing::Rotten { bit: 512 * 8 }).unwrap();
    assert_eq!(disk.platter().sector(0)[511..514], [b'n', b'n' ^ 1, b'n']);
}

#[test]
fn a_stale_read_sees_the_past() {
    let (mut disk, a, b) = old_disk();
    let past = disk.snapshot().unwrap();
    let other = write(&mut disk, a, 0, &[(16, full(b'n'))]);
    disk.land(other, Landing::Whole).unwrap();
    let io = read(&mut disk, b, 0, 4);
    disk.sample(io, Sampling::Stale { snapshot: past, from: 1, count: 2 }).unwrap();
    disk.sample(io, Sampling::Whole).unwrap();
    let seen = vec![(1, full(b'n')), (2, full(b'o')), (1, full(b'n'))];
    assert_eq!(disk.complete(io, Ending::Done), Ok(Completion::Read(seen)));

    disk.drop_snapshot(past).unwrap();
    let io = read(&mut disk, b, 0, 4);
    let stale = Sampling::Stale { snapshot: past, from: 0, count: 4 };
    refuses(&mut disk, Illegal::NoSuchSnapshot, |disk| disk.sample(io, stale));
}

#[test]
fn a_rollback_takes_back_what_landed_but_not_what_is_in_flight() {
    let (mut disk, a, _) = old_disk();
    let past = disk.snapshot().unwrap();
    let io = write(&mut disk, a, 0, &[(2, full(b'n'))]);
    disk.land(io, Landing::Sectors { from: 0, count: 1 }).unwrap();
    disk.rollback(past).unwrap();
    assert_eq!(letters(disk.platter()), "oooooooooooooooo");
    disk.land(io, Landing::Whole).unwrap();
    assert_eq!(letters(disk.platter()), "onoooooooooooooo", "the first sector has had its landing");
}

#[test]
fn snapshots_take_the_lowest_free_number() {
    let (mut disk, ..) = old_disk();
    let before = disk.clone();
    let first = disk.snapshot().unwrap();
    let second = disk.snapshot().unwrap();
    disk.drop_snapshot(first).unwrap();
    assert_eq!(disk.snapshot(), Ok(first));
    disk.drop_snapshot(first).unwrap();
    disk.drop_snapshot(second).unwrap();
    assert_eq!(disk, before);
    refuses(&mut disk, Illegal::NoSuchSnapshot, |disk| disk.rollback(first));
    refuses(&mut disk, Illegal::NoSuchSnapshot, |disk| disk.drop_snapshot(first));
    for number in 0..=255 {
        assert_eq!(disk.snapshot(), Ok(SnapshotId(number)));
    }
    refuses(&mut disk, Illegal::Full, |disk| disk.snapshot());
}

#[test]
fn a_split_mirror_shows_each_host_its_own_writes_only() {
    let (mut disk, a, b) = old_disk();
    let past = disk.snapshot().unwrap();
    let second = disk.split();
    disk.set_replica(b, second).unwrap();
    refuses(&mut disk, Illegal::NoSuchReplica, |disk| disk.set_replica(b, 2));
    let (io_a, io_b) = (write(&mut disk, a, 0, &[(1, full(b'a'))]), write(&mut disk, b, 1, &[(1, full(b'b'))]));
    assert_eq!(disk.land(io_a, Landing::Whole).unwrap().replica, 0);
    assert_eq!(disk.land(io_b, Landing::Whole).unwrap().replica, 1);
    assert_eq!(letters(disk.platter_of(a).unwrap()), "aooooooooooooooo");
    assert_eq!(letters(disk.platter_of(b).unwrap()), "oboooooooooooooo");
    let reading = read(&mut disk, b, 0, 2);
    disk.sample(reading, Sampling::Whole).unwrap();
    let seen = vec![(1, full(b'o')), (1, full(b'b'))];
    assert_eq!(disk.complete(reading, Ending::Done), Ok(Completion::Read(seen)));

    let mut rolled_back = disk.clone();
    rolled_back.rollback(past).unwrap();
    assert_eq!(letters(&rolled_back.replicas()[1]), "oooooooooooooooo");

    disk.unsplit(second).unwrap();
    assert_eq!(letters(disk.platter_of(a).unwrap()), "oboooooooooooooo");
    assert_eq!(disk.replica(b), Ok(0));
    refuses(&mut disk, Illegal::NoSuchReplica, |disk| disk.unsplit(1));
}

#[test]
fn numbers_are_reused_lowest_first() {
    let (mut disk, a, _) = old_disk();
    let ios: Vec<IoId> = (0..4).map(|at| read(&mut disk, a, at, 1)).collect();
    assert_eq!(ios, [IoId(0), IoId(1), IoId(2), IoId(3)]);
    disk.complete(ios[2], Ending::Refused(EIO)).unwrap();
    disk.complete(ios[1], Ending::Refused(EIO)).unwrap();
    assert_eq!(disk.in_flight().map(|(id, io)| (id, io.start())).collect::<Vec<_>>(), [(IoId(0), 0), (IoId(3), 3)]);
    assert_eq!(read(&mut disk, a, 9, 1), IoId(1));
    assert_eq!(read(&mut disk, a, 9, 1), IoId(2));
    assert_eq!(read(&mut disk, a, 9, 1), IoId(4));
}

#[test]
fn nonsense_is_refused() {
    let (mut disk, a, _) = old_disk();
    refuses(&mut disk, Illegal::NoSuchPath, |disk| disk.issue(PathId(2), Op::Read { start: 0, count: 1 }));
    refuses(&mut disk, Illegal::NoSuchPath, |disk| disk.orphan(PathId(2)));
    refuses(&mut disk, Illegal::NoSuchPath, |disk| disk.set_path(PathId(2), PathState::Open));
    refuses(&mut disk, Illegal::Empty, |disk| disk.issue(a, Op::Read { start: 0, count: 0 }));
    refuses(&mut disk, Illegal::Empty, |disk| disk.issue(a, Op::Write { start: 0, runs: vec![(0, full(b'n'))] }));
    let long = vec![(1, sector(&[b'n'; 4097]))];
    refuses(&mut disk, Illegal::SectorTooLong, |disk| disk.issue(a, Op::Write { start: 0, runs: long }));
    let (reading, writing) = (read(&mut disk, a, 0, 1), write(&mut disk, a, 0, &[(1, full(b'n'))]));
    refuses(&mut disk, Illegal::NotAWrite, |disk| disk.land(reading, Landing::Whole));
    refuses(&mut disk, Illegal::NotAWrite, |disk| disk.complete(reading, Ending::LostAnswer(EIO)));
    refuses(&mut disk, Illegal::NotARead, |disk| disk.sample(writing, Sampling::Whole));
    refuses(&mut disk, Illegal::NoSuchIo, |disk| disk.land(IoId(9), Landing::Whole));
    refuses(&mut disk, Illegal::NoSuchIo, |disk| disk.vanish(IoId(9)));
}

#[test]
fn a_sector_with_trailing_zeros_is_the_same_sector() {
    let (mut disk, a, b) = old_disk();
    let mut other = disk.clone();
    write(&mut disk, a, 0, &[(1, Bytes::from(&b"short\0\0\0"[..]))]);
    write(&mut other, a, 0, &[(1, sector(b"short"))]);
    assert_eq!(disk, other);
    disk.platter_mut(0).unwrap().write(3, &[(1, Bytes::from(&[0_u8; 4096][..]))]);
    other.platter_mut(0).unwrap().edit(3 * 4096, &[0; 4096]);
    assert_eq!(disk, other);
    assert_eq!(disk.platter_of(b).unwrap().extents().len(), 3);
}
