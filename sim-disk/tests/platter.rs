//! What a platter costs, and what an image file sees of it.

use sim_disk::{BadPiece, Platter, sector};

#[test]
fn an_area_costs_what_is_different_in_it() {
    // 8 MiB of 2048 records of 4096 bytes.
    let mut platter = Platter::new(4096, 2048);
    assert_eq!(platter.extents().len(), 1);
    let free = sector(b"a free record");
    platter.write(0, &[(2048, free.clone())]);
    assert_eq!(platter.extents().len(), 1, "an area of equal records is one extent");

    for slot in [0, 1, 700] {
        platter.write(slot, &[(1, sector(format!("record {slot}").as_bytes()))]);
    }
    assert_eq!(platter.runs(0, 2048).len(), 5);
    let used = platter.clone();
    platter.write(700, &[(1, sector(b"renewed"))]);
    assert_eq!(platter.extents().len(), 5, "a renewal splits nothing");
    assert_ne!(platter, used, "and a clone does not see it");

    for slot in [700, 0, 1] {
        platter.write(slot, &[(1, free.clone())]);
    }
    assert_eq!(platter.extents().len(), 1, "equal neighbours are one again");
}

#[test]
fn an_image_has_holes_where_the_disk_is_zero() {
    let mut platter = Platter::new(512, 1 << 30);
    platter.write(1 << 20, &[(2, sector(b"twice")), (1, sector(b"once"))]);
    let pieces: Vec<(u64, Vec<u8>)> = platter.pieces().collect();
    assert_eq!(
        pieces.iter().map(|(offset, _)| offset >> 9).collect::<Vec<_>>(),
        [1 << 20, (1 << 20) + 1, (1 << 20) + 2]
    );
    assert!(pieces.iter().all(|(_, bytes)| bytes.len() == 512));
    assert_eq!(pieces[2].1[..5], *b"once\0");
    assert_eq!(Platter::from_pieces(512, 1 << 30, pieces), Ok(platter));
}

#[test]
fn an_image_larger_than_the_disk_is_no_image_of_it() {
    let bad = Platter::from_pieces(512, 4, [(0, vec![1; 512]), (2000, vec![1; 100])]).unwrap_err();
    assert_eq!(bad, BadPiece { offset: 2000, length: 100, size: 2048 });
    assert_eq!(
        bad.to_string(),
        "100 bytes at byte 2000 of an image lie beyond its end: expected at most 2048 bytes in all"
    );
    assert!(Platter::from_pieces(512, 4, [(u64::MAX, [1])]).is_err());
    assert_eq!(Platter::from_pieces(512, 4, [(2048, [])]), Ok(Platter::new(512, 4)));
}

#[test]
#[should_panic(expected = "2 sectors from sector 3 on lie on a platter of 4 sectors")]
fn a_direct_write_beyond_the_end_is_a_bug() {
    Platter::new(512, 4).write(3, &[(2, sector(b"x"))]);
}

#[test]
fn more_sectors_than_a_run_counts_are_several_runs() {
    let count = (1_u64 << 32) + 5;
    let platter = Platter::new(512, count);
    let runs = platter.runs(0, count);
    assert_eq!(runs, [(u32::MAX, sector(b"")), (6, sector(b""))]);
}
