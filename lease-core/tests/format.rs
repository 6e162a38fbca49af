//! The format against records that the real sanlock wrote, and against arbitrary bytes.

use lease_core::Refusal;
use lease_core::format::{
    Bitmap, DeltaLease, Geometry, HostBlock, HostEvent, Leader, ModeBlock, Name, RequestRecord, RindexEntry,
    RindexHeader, Sector, SectorKind, checksum, init, strings, trimmed,
};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Numbers, Stamp, Visit};
use lease_core::seam::ReadData;
use proptest::prelude::*;
use std::sync::Arc;

const VECTORS: &str = include_str!("../../tests/data/vectors.json");

fn name(text: &str) -> Name {
    Name::from_text(text).expect("is short")
}

fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("hex") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Every vector: the checksum, what sanlock's reading order makes of it, and the same bytes again.
#[test]
fn vectors() {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("is JSON");
    let vectors = vectors.as_array().expect("is a list");
    assert_eq!(vectors.len(), 33);
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap_or_else(|| panic!("{vector}: {key}"));
        let sum = u32::from_str_radix(&text("checksum")[2..], 16).expect("hex");
        match text("kind") {
            "raw" => assert_eq!(checksum(text("input_ascii").as_bytes()), sum, "{vector}"),
            "leader" => {
                let bytes = bytes_of_hex(text("record200_hex"));
                assert_eq!(checksum(&bytes[..168]), sum, "{vector}");
                let (kind, again) = match u32::from_le_bytes(*bytes.first_chunk().expect("200 bytes")) {
                    0x1221_2010 => {
                        let (_, peeked) = DeltaLease::peek(&bytes);
                        let read = DeltaLease::read(&bytes, &peeked.space_name);
                        assert_eq!(read.as_ref(), Ok(&peeked), "{vector}");
                        (SectorKind::Delta(HostId(1)), peeked.encode())
                    }
                    0x0615_2010 => {
                        let (_, peeked) = Leader::peek(&bytes);
                        let read = Leader::read(&bytes, &peeked.space_name, &peeked.resource_name, HostId::NONE);
                        assert_eq!(read.as_ref(), Ok(&peeked), "{vector}");
                        (SectorKind::Leader, peeked.encode())
                    }
                    _ => {
                        let (_, peeked) = Leader::peek(&bytes);
                        let read = Leader::read(&bytes, &peeked.space_name, &peeked.resource_name, HostId::NONE);
                        assert_eq!(read, Err(Refusal::LeaderMagic), "{vector}");
                        assert!(matches!(Sector::decode(SectorKind::Leader, &bytes, 512), Sector::Cleared(_)));
                        (SectorKind::Leader, bytes[..].try_into().expect("200 bytes"))
                    }
                };
                assert_eq!(again[..], bytes[..], "{vector}");
                check_sector(kind, &bytes, &vector.to_string());
            }
            "dblock" => {
                let bytes = bytes_of_hex(text("record56_hex"));
                assert_eq!(checksum(&bytes[..48]), sum, "{vector}");
                let block = HostBlock::read(&bytes).expect("is intact");
                assert_eq!(*block.sector(), *trimmed(&bytes), "{vector}");
                check_sector(SectorKind::HostBlock(HostId(1)), &bytes, &vector.to_string());
            }
            other => panic!("a vector of unknown kind {other}"),
        }
    }
}

/// A record that sanlock wrote decodes to something known, and encodes to the same bytes.
fn check_sector(kind: SectorKind, bytes: &[u8], what: &str) {
    let sector = Sector::decode(kind, bytes, 512);
    assert!(!matches!(sector, Sector::Other(_) | Sector::Zero), "{what}: {sector:?}");
    assert_eq!(*sector.encode(), *trimmed(bytes), "{what}");
}

/// Fresh records are what `sanlock direct init` wrote.
#[test]
fn fresh_records_have_the_known_checksums() {
    let sum = |bytes: [u8; 200]| checksum(&bytes[..168]);
    let delta = |geometry| sum(DeltaLease::fresh(geometry, name("lockspace-A"), 10).encode());
    assert_eq!(Geometry::ALL.map(delta), [0x96e4_489d, 0xf6cd_b842, 0x297c_4210, 0x93f3_c045, 0xe300_b21e]);
    let leader = |geometry, hosts| sum(Leader::fresh(geometry, name("lockspace-A"), name("res-1"), hosts).encode());
    assert_eq!(leader(Geometry::S512A1M, 0), 0x5c5d_b265);
    assert_eq!(leader(Geometry::S512A1M, 2001), 0x5c5d_b265);
    assert_eq!(leader(Geometry::S512A1M, 16), 0xbe36_9aac);
    assert_eq!(leader(Geometry::S4096A8M, 0), 0x29b9_48e6);
    assert_eq!(leader(Geometry::S4096A1M, 0), 0xe626_36a2);
}

/// The order of ondisk §3: what is wrong later does not matter while something earlier is wrong.
#[test]
fn delta_lease_is_verified_in_order() {
    let lease = DeltaLease::fresh(Geometry::S512A1M, name("LS"), 10);
    let read = |bytes: &[u8]| DeltaLease::read(bytes, &name("LS"));
    let mut bytes = lease.encode();
    assert_eq!(read(&bytes), Ok(lease));
    assert_eq!(read(&[]), Err(Refusal::LeaderMagic));
    bytes[168] ^= 1;
    assert_eq!(read(&bytes), Err(Refusal::LeaderChecksum));
    bytes[56] = b'X';
    assert_eq!(read(&bytes), Err(Refusal::LeaderLockspace));
    bytes[4] = 0xff;
    assert_eq!(read(&bytes), Err(Refusal::LeaderLockspace), "the minor version does not matter");
    bytes[6] = 4;
    assert_eq!(read(&bytes), Err(Refusal::LeaderVersion));
    bytes[0] = 0;
    assert_eq!(read(&bytes), Err(Refusal::LeaderMagic));
}

#[test]
fn leader_is_verified_in_order() {
    let leader = Leader::fresh(Geometry::S512A1M, name("LS"), name("RA"), 3);
    let read = |bytes: &[u8], host| Leader::read(bytes, &name("LS"), &name("RA"), HostId(host));
    let mut bytes = leader.encode();
    assert_eq!(read(&bytes, 3), Ok(leader));
    bytes[168] ^= 1;
    assert_eq!(read(&bytes, 3), Err(Refusal::LeaderChecksum));
    assert_eq!(read(&bytes, 4), Err(Refusal::LeaderNumHosts));
    bytes[104] = b'X';
    assert_eq!(read(&bytes, 4), Err(Refusal::LeaderResource));
    bytes[56] = b'X';
    assert_eq!(read(&bytes, 4), Err(Refusal::LeaderLockspace));
    bytes[6] = 3;
    assert_eq!(read(&bytes, 4), Err(Refusal::LeaderVersion));
    bytes[0] = 0;
    assert_eq!(read(&bytes, 4), Err(Refusal::LeaderMagic));
}

/// A block passes without a checksum only while checksum, numbers, proposal and version are all zero.
#[test]
fn never_written_blocks() {
    assert_eq!(HostBlock::read(&[]), Ok(HostBlock::default()));
    assert_eq!(*HostBlock::default().sector(), *b"");
    let mut stale = [0; 56];
    (stale[24], stale[32], stale[52]) = (1, 2, 1);
    let block = HostBlock::read(&stale).expect("inp2, inp3 and flags are not looked at");
    assert_eq!((block.inp2, block.inp3, block.released()), (Generation(1), Stamp(2), true));
    assert!(matches!(Sector::decode(SectorKind::HostBlock(HostId(1)), &stale, 512), Sector::Other(_)));
    for field in [0, 8, 16, 40] {
        let mut bytes = [0; 56];
        bytes[field] = 1;
        assert_eq!(HostBlock::read(&bytes), Err(Refusal::DblockChecksum), "byte {field}");
    }
    let released = HostBlock { flags: HostBlock::RELEASED, ..HostBlock::default() };
    assert_eq!(released.sector()[48..52], 0xcb5a_d842_u32.to_le_bytes());
}

/// ondisk §9, as found on a disk: `ab\0g-host-name-xyz`.
#[test]
fn host_names_leave_leftovers() {
    let old = name("long-host-name-xyz");
    let new = old.overwritten_by(&name("ab"));
    assert_eq!(new.text(), b"ab");
    assert_eq!(new.raw()[..18], *b"ab\0g-host-name-xyz");
    assert!(new.same(&name("ab")));
    assert_ne!(new, name("ab"));
    assert_eq!(format!("{new:?} {new}"), r#""ab"+"\x00g-host-name-xyz" ab"#);
    let full = Name::new(&[b'n'; 48]).expect("fits");
    assert_eq!(Name::EMPTY.overwritten_by(&full).text(), [b'n'; 47], "at most 47 bytes reach the disk");
    assert_eq!(Name::new(&[b'n'; 49]), None);
}

#[test]
fn geometries() {
    for geometry in Geometry::ALL {
        assert_eq!(Geometry::from_sizes(geometry.sector(), geometry.align()), Some(geometry));
        assert_eq!(Geometry::from_leader(geometry.sector(), geometry.leader_flag() | 1), Ok(geometry));
        assert_eq!(Geometry::from_rindex(geometry.sector(), geometry.rindex_flag()), Ok(geometry));
        assert_eq!(geometry.ballot_length(geometry.max_hosts()), geometry.align(), "{geometry:?}");
        assert_eq!(geometry.ballot_length(u64::MAX), geometry.align());
        assert_eq!(geometry.lvb_fits(), geometry.sectors() == 2048);
    }
    assert_eq!(Geometry::from_leader(512, 0), Ok(Geometry::S512A1M));
    assert_eq!(Geometry::from_leader(4096, 0), Ok(Geometry::S4096A8M));
    assert_eq!(Geometry::from_leader(4096, 0xe0), Ok(Geometry::S4096A2M), "the smallest bit counts");
    assert_eq!(Geometry::from_leader(512, 0x20), Err(Refusal::LockspaceSizes));
    assert_eq!(Geometry::from_leader(1024, 0x10), Err(Refusal::LeaderSectorSize));
    assert_eq!(Geometry::S512A1M.ballot_length(16), 32 * 512);
    assert_eq!(Geometry::S4096A1M.block_offset(HostId(1)), 2 * 4096);
    assert_eq!(Geometry::S4096A1M.delta_offset(HostId(250)), 249 * 4096);
    assert_eq!(Geometry::S4096A1M.lvb_offset(), 8_200_192);
}

#[test]
fn bitmaps() {
    let mut bitmap = Bitmap::EMPTY;
    for host in [1, 8, 9, 2000, 2048] {
        bitmap.set(HostId(host));
    }
    bitmap.clear(HostId(8));
    assert_eq!(format!("{bitmap:?}"), "{1, 9, 2000, 2048}");
    assert!(!bitmap.get(HostId::NONE) && !bitmap.get(HostId(2049)) && bitmap.get(HostId(9)));
    let sector = DeltaLease::fresh(Geometry::S512A1M, name("LS"), 10).sector(&bitmap);
    assert_eq!((sector[256], sector[257], sector.len()), (1, 1, 512));
    assert_eq!(Bitmap::of_sector(&sector), bitmap);
}

/// Fresh areas are as long as an area, and nobody can join before the commit.
#[test]
fn fresh_areas() {
    let sectors = |runs: &init::Runs| runs.iter().map(|(count, _)| u64::from(*count)).sum::<u64>();
    for geometry in Geometry::ALL {
        let (area, commit) = init::lockspace(geometry, name("LS"), 10);
        assert_eq!(sectors(&area), geometry.sectors());
        assert_eq!(DeltaLease::read(&area[0].1, &name("LS")), Err(Refusal::LeaderMagic));
        assert_eq!(commit, area[1].1);
        let (index, lease) = init::rindex(geometry, name("LS"), geometry.align(), 0);
        assert_eq!((sectors(&index), sectors(&lease)), (geometry.sectors(), geometry.sectors()));
        let (_, header) = RindexHeader::peek(&index[0].1);
        assert_eq!((header.max_resources, header.rx_offset), (4096, geometry.align()));
        Leader::read(&lease[0].1, &name("LS"), &name("rindex_lease"), HostId(1)).expect("is fresh");
        let cleared = init::cleared(geometry, name("LS"), name("R"), 0, Stamp(7));
        assert!(matches!(Sector::decode(SectorKind::Leader, &cleared[0].1, geometry.sector()), Sector::Cleared(_)));
    }
}

/// Every number reaches a visitor, with the host that it belongs to.
#[test]
fn visitor_sees_whose_numbers_they_are() {
    #[derive(Default)]
    struct Seen(Vec<String>);
    impl Numbers for Seen {
        fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
            self.0.push(format!("{stamp:?} by {by}"));
        }
        fn generation(&mut self, of: HostId, generation: &mut Generation) {
            self.0.push(format!("{generation:?} of {of}"));
        }
        fn lver(&mut self, lver: &mut Lver) {
            self.0.push(format!("{lver:?}"));
        }
        fn mbal(&mut self, mbal: &mut Mbal) {
            self.0.push(format!("{mbal:?}"));
        }
    }
    let leader = Leader {
        owner_id: HostId(2),
        owner_generation: Generation(3),
        lver: Lver(4),
        timestamp: Stamp(5),
        write_id: HostId(6),
        write_generation: Generation(7),
        write_timestamp: Stamp(8),
        ..Leader::fresh(Geometry::S512A1M, name("LS"), name("R"), 0)
    };
    let block = HostBlock {
        mbal: Mbal(2002),
        bal: Mbal(2001),
        inp: HostId(1),
        inp2: Generation(9),
        inp3: Stamp(10),
        lver: Lver(11),
        flags: 0,
        mode: ModeBlock { flags: ModeBlock::SHARED, generation: Generation(12) },
    };
    let lease = DeltaLease {
        owner_id: HostId(3),
        owner_generation: Generation(13),
        timestamp: Stamp(14),
        ..DeltaLease::fresh(Geometry::S512A1M, name("LS"), 10)
    };
    let mut seen = Seen::default();
    Sector::Leader(leader).visit(&mut seen);
    Sector::HostBlock(block).visit_at(SectorKind::HostBlock(HostId(2)), &mut seen);
    Sector::Delta { lease, bitmap: Box::new(Bitmap::EMPTY) }.visit(&mut seen);
    Sector::Request(RequestRecord { lver: Lver(15), ..RequestRecord::FRESH }).visit(&mut seen);
    let expected = [
        "Generation(3) of 2",
        "Lver(4)",
        "Stamp(5) by 2",
        "Generation(7) of 6",
        "Stamp(8) by 6",
        "Mbal(2002)",
        "Mbal(2001)",
        "Generation(9) of 1",
        "Stamp(10) by 1",
        "Lver(11)",
        "Generation(12) of 2",
        "Generation(13) of 3",
        "Stamp(14) by 3",
        "Lver(15)",
    ];
    assert_eq!(seen.0, expected);
}

/// The examples of ondisk §10.
#[test]
fn strings_are_read_as_sanlock_reads_them() {
    let lockspace = strings::Lockspace::parse(r"a\:b:1:/dev/x\ y\:z\\:1M").expect("is one");
    assert_eq!(lockspace.name.text(), br"a\:b", "the name keeps its backslash");
    assert_eq!((lockspace.path.as_str(), lockspace.offset), ("/dev/x y:z", 1 << 20));
    assert_eq!(lockspace.to_string(), r"a\:b:1:/dev/x\ y\:z:1048576");
    let resource = strings::Resource::parse(r"L:res\:x:/p\\q:0:7").expect("is one");
    assert_eq!(resource.resource.text(), b"res:x");
    assert_eq!(resource.disks[0].path, r"/p\q");
    assert_eq!(resource.to_string(), r"L:res:x:/p\q:0:7");
    assert_eq!(resource.argument(), r"L:res\:x:/p\\q:0:7");
    let wanted = |text: &str| strings::Resource::parse(text).expect("is one").wanted;
    assert_eq!(wanted("L:R:p:0:SHARE"), Some(strings::Wanted::Shared));
    assert_eq!(wanted("L:R:p:0:0x10z"), Some(strings::Wanted::Version(Lver(16))));
    assert_eq!(wanted("L:R:p:0:what"), Some(strings::Wanted::Version(Lver(0))));
    assert_eq!(wanted("L:R:p:0:q:5"), None);
    assert_eq!(wanted("L:R"), None);
    let wrong = [
        strings::Lockspace::parse("LS:1:p").expect_err("no offset").to_string(),
        strings::Lockspace::parse("LS:x:p:0").expect_err("no id").to_string(),
        strings::Resource::parse("L:R:p").expect_err("no offset").to_string(),
        strings::Resource::parse("L:R:p:99999999999999M").expect_err("too large").to_string(),
        strings::Rentry::parse("").expect_err("nothing").to_string(),
    ];
    assert_eq!(
        wrong,
        [
            r#"LOCKSPACE: expected lockspace:host_id:path:offset, found "LS:1:p""#,
            r#"host_id: expected a number, found "x""#,
            r#"RESOURCE: expected lockspace:resource:path:offset[:path:offset...][:lver|:SH], found "L:R:p""#,
            r#"offset: expected a number of bytes, or of MiB with the suffix M, found "99999999999999M""#,
            r#"RENTRY: expected name[:offset] or :offset, found """#,
        ]
    );
}

prop_compose! {
    fn names()(raw in prop_oneof![Just([0; 48].to_vec()), prop::collection::vec(any::<u8>(), 48)]) -> Name {
        Name::new(&raw).expect("48 bytes")
    }
}

prop_compose! {
    fn delta_leases()(
        minor in 0..5_u32, words in any::<[u32; 2]>(), longs in any::<[u64; 10]>(), names in [names(), names()],
        unused2 in any::<u16>(), io_timeout in any::<u16>(),
    ) -> DeltaLease {
        DeltaLease {
            version: 0x0003_0000 | minor, flags: words[0], sector_size: words[1], num_hosts: longs[0],
            max_hosts: longs[1], owner_id: HostId(longs[2]), owner_generation: Generation(longs[3]), lver: longs[4],
            space_name: names[0], owner_name: names[1], timestamp: Stamp(longs[5]), unused1: longs[6], unused2,
            io_timeout, event: HostEvent { generation: longs[7], event: longs[8], data: longs[9] },
        }
    }
}

prop_compose! {
    fn leaders()(
        minor in 0..5_u32, words in any::<[u32; 2]>(), longs in any::<[u64; 10]>(), names in [names(), names()],
        unused2 in any::<u16>(), io_timeout in any::<u16>(),
    ) -> Leader {
        Leader {
            version: 0x0006_0000 | minor, flags: words[0], sector_size: words[1], num_hosts: longs[0],
            max_hosts: longs[1], owner_id: HostId(longs[2]), owner_generation: Generation(longs[3]),
            lver: Lver(longs[4]), space_name: names[0], resource_name: names[1], timestamp: Stamp(longs[5]),
            unused1: longs[6], unused2, io_timeout, write_id: HostId(longs[7]),
            write_generation: Generation(longs[8]), write_timestamp: Stamp(longs[9]),
        }
    }
}

prop_compose! {
    fn blocks()(longs in prop::array::uniform7(prop_oneof![Just(0), any::<u64>()]), flags in 0..4_u32, mode in 0..3_u32)
        -> HostBlock {
        HostBlock {
            mbal: Mbal(longs[0]), bal: Mbal(longs[1]), inp: HostId(longs[2]), inp2: Generation(longs[3]),
            inp3: Stamp(longs[4]), lver: Lver(longs[5]), flags,
            mode: ModeBlock { flags: mode, generation: Generation(longs[6]) },
        }
    }
}

prop_compose! {
    fn bitmaps_of_hosts()(hosts in prop::collection::vec(1..=2048_u64, 0..5)) -> Bitmap {
        let mut bitmap = Bitmap::EMPTY;
        hosts.into_iter().for_each(|host| bitmap.set(HostId(host)));
        bitmap
    }
}

prop_compose! {
    fn entries()(fields in prop::collection::vec((any::<u64>(), any::<[u32; 2]>(), names()), 1..=8)) -> Sector {
        Sector::RindexEntries(fields.into_iter().map(|(res_offset, words, name)| {
            // The last entry is never all zero: that one would not be kept.
            RindexEntry { res_offset: res_offset | 1, flags: words[0], unused: words[1], name }
        }).collect())
    }
}

/// Sectors that are valid by construction, with the kind that they belong to.
fn sectors() -> impl Strategy<Value = (SectorKind, Sector)> {
    let host = HostId(3);
    prop_oneof![
        Just((SectorKind::Leader, Sector::Zero)),
        (delta_leases(), bitmaps_of_hosts()).prop_map(move |(lease, bitmap)| (
            SectorKind::Delta(host),
            Sector::Delta { lease, bitmap: Box::new(bitmap) }
        )),
        leaders().prop_map(|leader| (SectorKind::Leader, Sector::Leader(leader))),
        leaders().prop_map(|leader| (SectorKind::Leader, Sector::Cleared(leader))),
        (any::<u16>(), any::<u64>(), any::<[u32; 2]>()).prop_map(|(minor, lver, [force_mode, padding])| {
            let version = 0x0001_0000 | u32::from(minor);
            (SectorKind::Request, Sector::Request(RequestRecord { version, lver: Lver(lver), force_mode, padding }))
        }),
        blocks().prop_map(move |block| match block == HostBlock::default() {
            true => (SectorKind::HostBlock(host), Sector::Zero),
            false => (SectorKind::HostBlock(host), Sector::HostBlock(block)),
        }),
        (any::<[u32; 4]>(), any::<u64>(), names()).prop_map(|(words, rx_offset, space_name)| {
            let [flags, sector_size, max_resources, unused] = words;
            let version = RindexHeader::VERSION;
            let header = RindexHeader { version, flags, sector_size, max_resources, unused, rx_offset, space_name };
            (SectorKind::RindexHeader, Sector::RindexHeader(header))
        }),
        entries().prop_map(|entries| (SectorKind::RindexEntries, entries)),
    ]
}

fn kinds() -> impl Strategy<Value = SectorKind> {
    prop::sample::select(vec![
        SectorKind::Delta(HostId(1)),
        SectorKind::Leader,
        SectorKind::Request,
        SectorKind::HostBlock(HostId(1)),
        SectorKind::Lvb,
        SectorKind::RindexHeader,
        SectorKind::RindexEntries,
        SectorKind::Unused,
    ])
}

/// Text in which colons, blanks and backslashes are frequent.
fn texts(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!['a', 'B', '/', ':', '\\', ' ', 'é', '-', '0']), length)
        .prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn any_bytes_decode_and_encode_to_themselves(
        kind in kinds(), bytes in prop::collection::vec(any::<u8>(), 0..600), size in prop::sample::select(vec![512, 4096]),
    ) {
        let sector = Sector::decode(kind, &bytes, size);
        prop_assert_eq!(&*sector.encode(), &*trimmed(&bytes));
        // Nor do the reading functions mind what they get.
        let _ = (DeltaLease::read(&bytes, &Name::EMPTY), DeltaLease::peek(&bytes), HostBlock::read(&bytes));
        let _ = Leader::read(&bytes, &Name::EMPTY, &Name::EMPTY, HostId(1));
        let _ = (RequestRecord::read(&bytes), RindexEntry::read(&bytes), RindexHeader::peek(&bytes));
    }

    /// One flipped byte of a valid sector is kept, and what a checksum covers is noticed.
    #[test]
    fn damage_is_kept((kind, sector) in sectors(), position in 0..512_usize, flip in 1..=255_u8) {
        let mut bytes = sector.encode().to_vec();
        bytes.resize(512, 0);
        bytes[position] ^= flip;
        let damaged = Sector::decode(kind, &bytes, 512);
        prop_assert_eq!(&*damaged.encode(), &*trimmed(&bytes));
        let covered = match sector {
            Sector::Delta { .. } | Sector::Leader(_) | Sector::Cleared(_) => 172,
            Sector::HostBlock(_) => 52,
            _ => 0,
        };
        if position < covered {
            prop_assert!(matches!(damaged, Sector::Other(_)), "{:?}", damaged);
        }
    }

    #[test]
    fn sectors_encode_and_decode_to_themselves((kind, sector) in sectors()) {
        let bytes = sector.encode();
        prop_assert!(bytes.last() != Some(&0), "no trailing zeros");
        prop_assert_eq!(Sector::decode(kind, &bytes, 512), sector);
    }

    /// Two delta leases are equal exactly if their bytes are.
    #[test]
    fn delta_leases_are_equal_as_bytes(lease in delta_leases(), position in 0..200_usize, flip in 1..=255_u8) {
        let mut bytes = lease.encode();
        prop_assert_eq!(DeltaLease::peek(&bytes).1, lease.clone());
        let stored = !(0..4).contains(&position) && !(168..172).contains(&position);
        bytes[position] ^= flip;
        prop_assert_eq!(DeltaLease::peek(&bytes).1 != lease, stored);
    }

    /// What one host prints another reads, as far as sanlock's own escapes allow it.
    #[test]
    fn lockspace_strings(name in "[a-z]{1,12}", host_id: u64, path in texts(0..20), offset: u64) {
        let path = path.replace('\\', "");
        let lockspace = strings::Lockspace {
            name: Name::from_text(&name).expect("short"), host_id: HostId(host_id), path, offset,
        };
        prop_assert_eq!(strings::Lockspace::parse(&lockspace.to_string()), Ok(lockspace));
    }

    #[test]
    fn resource_strings(
        lockspace in texts(1..12), resource in texts(1..12), disks in prop::collection::vec((texts(0..20), any::<u64>()), 0..=4),
        wanted in prop::option::of(prop_oneof![
            Just(strings::Wanted::Shared),
            any::<u64>().prop_map(|lver| strings::Wanted::Version(Lver(lver)))
        ]),
    ) {
        // `lockspace:resource:lver` is not a RESOURCE.
        prop_assume!(!(disks.is_empty() && wanted.is_some()));
        let resource = strings::Resource {
            lockspace: Name::from_text(&lockspace).expect("short"),
            resource: Name::from_text(&resource).expect("short"),
            disks: disks.into_iter().map(|(path, offset)| strings::Area { path, offset }).collect(),
            wanted,
        };
        prop_assert_eq!(strings::Resource::parse(&resource.argument()), Ok(resource));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in texts(0..40)) {
        let _ = (strings::Lockspace::parse(&text), strings::Resource::parse(&text));
        let _ = (strings::Rindex::parse(&text), strings::Rentry::parse(&text));
        let joined: Vec<&str> = strings::split(&text);
        prop_assert_eq!(joined.join(":"), text);
    }

    /// Sectors of any size are what a flat copy would show.
    #[test]
    fn reads_in_sectors(
        unit in prop::sample::select(vec![4_u32, 8, 12]), size in prop::sample::select(vec![4_u32, 6, 8, 16, 24]),
        runs in prop::collection::vec((1..5_u32, prop::collection::vec(0..3_u8, 0..=4)), 0..6),
    ) {
        let runs: Vec<(u32, Arc<[u8]>)> = runs.into_iter().map(|(count, piece)| (count, trimmed(&piece))).collect();
        let mut flat = Vec::new();
        for (count, piece) in &runs {
            for _ in 0..*count {
                let end = flat.len() + unit as usize;
                flat.extend_from_slice(piece);
                flat.resize(end, 0);
            }
        }
        let data = ReadData { unit, runs };
        let expected: Vec<&[u8]> = flat.chunks(size as usize).collect();
        let mut found: Vec<Arc<[u8]>> = Vec::new();
        for (range, bytes) in data.sectors(size) {
            prop_assert_eq!(range.start, found.len() as u64);
            if size == unit {
                prop_assert!(matches!(bytes, std::borrow::Cow::Borrowed(_)));
            }
            for index in range {
                found.push(Arc::from(&*bytes));
                prop_assert_eq!(&data.sector_at(index, size), &bytes);
            }
        }
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            prop_assert_eq!(&**found, &*trimmed(expected));
        }
        prop_assert!(data.sector_at(found.len() as u64, size).is_empty());
    }
}
