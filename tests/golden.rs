//! Images of the real sanlock 3.8.5 (`tests/data/README.md`), and the real tool beside ours where it is installed.

use lease_core::format::{Geometry, Name, Sector, SectorKind, magic, trimmed};
use lease_core::numbers::HostId;
use lease_core::profile::Profile;
use lease_core::seam::IndexOperation;
use reports::image::{Fresh, Make, Show, Target, make, show, show_file};
use reports::index::{Index, operate};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const SANLOCK: &str = "/usr/sbin/sanlock";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(name)
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("can be made");
    folder
}

/// One image of the manifest.
struct Image {
    name: String,
    geometry: Geometry,
    bytes: Vec<u8>,
    /// Command and what it printed, for each command that the manifest tells and that ended well.
    expect: Vec<(String, String)>,
}

fn images() -> Vec<Image> {
    let manifest = std::fs::read_to_string(data("manifest.json")).expect("is there");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("is JSON");
    let images = manifest["images"].as_array().expect("is a list").iter();
    images
        .map(|image| {
            let text = |key: &str| image[key].as_str().unwrap_or_else(|| panic!("{key} of {image}"));
            let packed = std::fs::read(data(text("file"))).expect("is there");
            let mut bytes = Vec::new();
            lzma_rust2::XzReader::new(&packed[..], true).read_to_end(&mut bytes).expect("is xz");
            assert_eq!(bytes.len() as u64, image["raw_size"], "{}", text("name"));
            let geometry = match (image["sector"].as_u64(), text("align")) {
                (Some(512), "1M") => Geometry::S512A1M,
                (Some(4096), "1M") => Geometry::S4096A1M,
                other => panic!("{}: sizes {other:?}", text("name")),
            };
            let expect = image["expect"].as_array().expect("is a list").iter();
            let expect = expect.filter(|one| one["rc"] == 0).map(|one| {
                let text = |key: &str| one[key].as_str().expect("is text").to_string();
                (text("cmd"), text("stdout"))
            });
            Image { name: text("name").to_string(), geometry, bytes, expect: expect.collect() }
        })
        .collect()
}

/// What each sector of an area is meant to hold, by the area's first sector.
fn kind(first: &[u8], geometry: Geometry, index: u64) -> SectorKind {
    match u32::from_le_bytes(*first.first_chunk().expect("a sector")) {
        magic::DELTA if index < geometry.max_hosts() => SectorKind::Delta(HostId(index + 1)),
        magic::LEADER | magic::CLEARED => match index {
            0 => SectorKind::Leader,
            1 => SectorKind::Request,
            2002 => SectorKind::Lvb,
            _ if index - 1 <= geometry.max_hosts() => SectorKind::HostBlock(HostId(index - 1)),
            _ => SectorKind::Unused,
        },
        magic::RINDEX if index == 0 => SectorKind::RindexHeader,
        magic::RINDEX => SectorKind::RindexEntries,
        _ => SectorKind::Unused,
    }
}

/// Every sector of every image is known, and encodes to the bytes that it was decoded from.
#[test]
fn every_sector_is_known_and_comes_back() {
    let mut counts = BTreeMap::new();
    let mut opaque = Vec::new();
    for image in images() {
        let (sector_size, align) = (image.geometry.sector() as usize, image.geometry.align() as usize);
        for (area_index, area) in image.bytes.chunks(align).enumerate() {
            for (index, bytes) in (0..).zip(area.chunks(sector_size)) {
                let kind = kind(&area[..sector_size], image.geometry, index);
                let sector = Sector::decode(kind, bytes, image.geometry.sector());
                assert_eq!(*sector.encode(), *trimmed(bytes), "{} area {area_index} sector {index}", image.name);
                let label = match sector {
                    Sector::Zero => "zero",
                    Sector::Delta { .. } => "delta lease",
                    Sector::Leader(_) => "leader",
                    Sector::Cleared(_) => "cleared",
                    Sector::Request(_) => "request",
                    Sector::HostBlock(_) => "host block",
                    Sector::RindexHeader(_) => "rindex header",
                    Sector::RindexEntries(_) => "rindex entries",
                    Sector::Other(_) => {
                        opaque.push(format!(
                            "{} {} {kind:?}",
                            image.name,
                            area_index * align + index as usize * sector_size
                        ));
                        "opaque"
                    }
                };
                *counts.entry(label).or_insert(0_u32) += 1;
            }
        }
    }
    let counts: Vec<(&str, u32)> = counts.into_iter().collect();
    assert_eq!(counts, COUNTS);
    assert_eq!(opaque, OPAQUE);
}

/// Sectors of each kind in all images. They change only if the images do.
const COUNTS: [(&str, u32); 9] = [
    ("cleared", 5),
    ("delta lease", 63_750),
    ("host block", 153),
    ("leader", 124),
    ("opaque", 10),
    ("request", 129),
    ("rindex entries", 4),
    ("rindex header", 5),
    ("zero", 333_042),
];

/// Everything that is no record is an LVB. With 4096-byte sectors and 1 MiB areas it lies seven areas behind its own.
const OPAQUE: [&str; 10] = [
    "s512-13-res3-lvb-released 4170752 Lvb",
    "s512-14-res1-requested 4170752 Lvb",
    "s512-15-ls-event-h1-to-h3 4170752 Lvb",
    "s512-17-res3-numhosts16 4170752 Lvb",
    "s512-18-res4-write-clear 4170752 Lvb",
    "s512-19-dead-h2 4170752 Lvb",
    "s512-20-h3-left 4170752 Lvb",
    "s512-22-h2-rejoined-gen2 4170752 Lvb",
    "s4k1m-20-h3-left 11345920 Unused",
    "s4k1m-22-h2-rejoined-gen2 11345920 Unused",
];

/// `image show` prints what `sanlock direct dump` printed, to the byte, for every image and command of the manifest.
#[test]
fn show_prints_what_sanlock_printed() {
    let mut compared = 0;
    for image in images() {
        for (command, expected) in &image.expect {
            let Some(arguments) = command.strip_prefix("sanlock direct dump ") else { continue };
            let (target, how) = dump_arguments(arguments);
            let mut out = Vec::new();
            show(&mut Cursor::new(&image.bytes), &target, how, &mut out).unwrap_or_else(|e| panic!("{command}: {e}"));
            assert_eq!(String::from_utf8_lossy(&out), *expected, "{command}");
            compared += 1;
        }
    }
    assert_eq!(compared, 135, "dump commands in the manifest");
}

fn dump_arguments(arguments: &str) -> (Target, Show) {
    let mut words = arguments.split_whitespace();
    let target = Target::parse(words.next().expect("a file")).expect("is one");
    let mut how = Show::default();
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        match option {
            "-f" => how.detail = value.parse().expect("a number"),
            "-Z" => how.sector = Some(value.parse().expect("a number")),
            "-A" => how.align = Some(value.strip_suffix('M').expect("MiB").parse::<u64>().expect("a number") << 20),
            other => panic!("option {other}"),
        }
    }
    (target, how)
}

/// Offsets and sizes choose areas; the rest of the file does not matter.
#[test]
fn show_takes_an_offset_and_a_size() {
    let image = images().into_iter().find(|image| image.name == "s512-32-rindex-deleted").expect("is there");
    let shown = |target: &str| {
        let mut out = Vec::new();
        let target = Target::parse(target).expect("is one");
        show(&mut Cursor::new(&image.bytes), &target, Show::default(), &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).expect("is text").lines().skip(1).map(|line| line[..8].to_string()).collect())
    };
    let areas =
        |offsets: &[&str]| -> Result<Vec<String>, String> { Ok(offsets.iter().map(|o| o.to_string()).collect()) };
    assert_eq!(shown("f"), areas(&["00000000", "01048576", "02097152", "03145728"]));
    assert_eq!(shown("f:1M"), areas(&["01048576", "02097152", "03145728"]));
    assert_eq!(shown("f:1M:1M"), areas(&["01048576"]));
    assert_eq!(shown("f:1M:1048577"), areas(&["01048576", "02097152"]));
    let refused = [
        (
            shown("f:100"),
            "f: expected a lockspace, a resource or an index at byte 100 (or sizes given with -Z and -A), found zeros",
        ),
        (
            shown("f:6M"),
            "f: expected a lockspace, a resource or an index at byte 6291456 (or sizes given with -Z and -A), found zeros",
        ),
        (shown("f:8M"), "f: expected an area at byte 8388608, found the end of the file at byte 8388608"),
        (
            shown("f:4M"),
            "f: expected a lockspace, a resource or an index at byte 4194304 (or sizes given with -Z and -A), found a cleared resource",
        ),
    ];
    for (found, expected) in refused {
        assert_eq!(found, Err(expected.to_string()));
    }
}

/// A file may be far larger than memory: only its areas are read, one at a time.
#[test]
fn show_reads_no_more_than_areas() {
    let file = folder("sparse").join("image");
    make(&file, &[Fresh::resource("LS:R:1M").expect("is one")], Make::default()).expect("can be made");
    let image = std::fs::OpenOptions::new().write(true).open(&file).expect("is there");
    image.set_len(1 << 40).expect("is sparse");
    let mut out = Vec::new();
    let target = Target { path: file, offset: 1 << 20, size: 0 };
    show_file(&target, Show::default(), &mut out).expect("can be shown");
    assert_eq!(String::from_utf8_lossy(&out).lines().count(), 2);
}

/// A mistake ends in one line that says where, expected and found; and leaves no file behind.
#[test]
fn mistakes_are_told_and_leave_nothing() {
    let folder = folder("mistakes");
    let file = folder.join("image");
    let lockspace = |text| Fresh::lockspace(text).expect("is one");
    let two = [lockspace("LS:0:0"), Fresh::resource("LS:R:512").expect("is one")];
    let sizes = Make { sector: Some(512), align: Some(8 << 20), ..Make::default() };
    let wrong = [
        make(&file, &two, Make::default()),
        make(&file, &[lockspace("LS:0:100")], Make::default()),
        make(&file, &[lockspace("LS:0:0")], sizes),
        make(&file, &[], Make::default()),
        Fresh::lockspace("LS:0").map(|_| ()),
        Fresh::lockspace("LS:x:0").map(|_| ()),
        Fresh::resource("LS:R:0:many").map(|_| ()),
        Fresh::rindex(":0").map(|_| ()),
        Target::parse("f:0:1:2").map(|_| ()),
        show_file(&Target::parse("nowhere").expect("is one"), Show::default(), &mut Vec::new()),
    ];
    let wrong: Vec<String> = wrong.into_iter().map(|one| one.expect_err("is wrong").to_string()).collect();
    let image = file.display();
    let expected = [
        format!("{image}: expected areas that do not overlap, found 0..1048576 and 512..1049088"),
        format!("{image}: expected offsets that are multiples of 512, found 100"),
        format!(
            "{image}: expected sector/align sizes of 512/1M, 4096/1M, 4096/2M, 4096/4M or 4096/8M (-Z and -A), found 512/8M"
        ),
        format!("{image}: expected at least one area (-s, -r or -x), found none"),
        "LS:0: expected LS:0:OFFSET, found 2 parts".to_string(),
        "LS:x:0: expected a number (host_id), found \"x\"".to_string(),
        "LS:R:0:many: expected a number of hosts, found \"many\"".to_string(),
        ":0: expected 1 to 48 bytes (lockspace name), found \"\"".to_string(),
        "f:0:1:2: expected FILE[:OFFSET[:SIZE]], found 4 parts".to_string(),
        "nowhere: expected a disk image, found no such file".to_string(),
    ];
    assert_eq!(wrong, expected);
    assert_eq!(std::fs::read_dir(&folder).expect("is there").count(), 0, "nothing is left behind");
}

/// The real tool, if it is installed. `LEASELAB_REQUIRE_SANLOCK=1` makes its absence an error.
fn sanlock(test: &str) -> Option<impl Fn(&Path, &str) -> String> {
    #[expect(clippy::disallowed_methods, reason = "whether the real tool must be there is the machine's affair")]
    let required = std::env::var("LEASELAB_REQUIRE_SANLOCK").is_ok_and(|value| value == "1");
    if !Path::new(SANLOCK).exists() {
        assert!(!required, "{SANLOCK} is missing, and LEASELAB_REQUIRE_SANLOCK=1 asks for it");
        // Not println: the test harness would swallow it.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {SANLOCK} is not installed");
        return None;
    }
    Some(|folder: &Path, arguments: &str| {
        let output = Command::new(SANLOCK).args(arguments.split_whitespace()).current_dir(folder).output();
        let output = output.expect("can be run");
        assert!(output.status.success(), "sanlock {arguments}: {output:?}");
        String::from_utf8(output.stdout).expect("is text")
    })
}

/// `image make` writes what `sanlock direct init` and `sanlock direct format` write, with every pair of sizes, into a new
/// file and over old content; and `image show` prints of it what `sanlock direct dump` prints.
#[test]
fn make_writes_what_sanlock_writes() {
    let Some(sanlock) = sanlock("make_writes_what_sanlock_writes") else { return };
    let folder = folder("make");
    for geometry in Geometry::ALL {
        let (sector, align) = (geometry.sector(), geometry.align());
        let sizes = format!("-Z {sector} -A {}M", align >> 20);
        let at = |area: u64| area * align;
        let theirs = folder.join("theirs");
        let file = std::fs::File::create(&theirs).expect("can be made");
        file.set_len(at(7)).expect("can grow");
        sanlock(&folder, &format!("direct init -s LS:0:theirs:0 {sizes}"));
        sanlock(&folder, &format!("direct init -r LS:RA:theirs:{} {sizes}", at(1)));
        sanlock(&folder, &format!("direct init -r LS:RB:theirs:{} -n 7 {sizes}", at(2)));
        sanlock(&folder, &format!("direct init -s OTHER:0:theirs:{} -o 33 {sizes}", at(3)));
        sanlock(&folder, &format!("direct format -x LS:theirs:{} {sizes}", at(4)));
        sanlock(&folder, &format!(r"direct init -r LS:a\:b:theirs:{} -n 2001 {sizes}", at(6)));

        let default = [
            Fresh::lockspace("LS:0:0"),
            Fresh::resource(&format!("LS:RA:{}", at(1))),
            Fresh::resource(&format!("LS:RB:{}:7", at(2))),
            Fresh::rindex(&format!("LS:{}", at(4))),
            Fresh::resource(&format!(r"LS:a\:b:{}:2001", at(6))),
        ];
        let default: Vec<Fresh> = default.into_iter().map(|area| area.expect("is one")).collect();
        let other = [Fresh::lockspace(&format!("OTHER:0:{}", at(3))).expect("is one")];
        let how = Make { io_timeout: 0, sector: Some(sector), align: Some(align) };
        let ours = folder.join("ours");
        let _ = std::fs::remove_file(&ours);
        for old_content in [false, true] {
            if old_content {
                std::fs::write(&ours, vec![0xa5; at(7) as usize]).expect("can be written");
            }
            make(&ours, &default, how).expect("can be made");
            make(&ours, &other, Make { io_timeout: 33, ..how }).expect("can be made");
            let (ours, mut theirs) =
                (std::fs::read(&ours).expect("is there"), std::fs::read(&theirs).expect("is there"));
            // The padding of the request record in the index's private lease: four bytes of sanlock's stack.
            let padding = at(5) as usize + sector as usize + 20;
            theirs[padding..padding + 4].fill(0);
            let differ = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            assert_eq!((ours.len(), differ), (theirs.len(), None), "{geometry:?}, old content: {old_content}");
        }

        for arguments in ["ours", "ours -f 1", "ours -f 2", &format!("ours:{}M -f 1", at(4) >> 20)] {
            let (target, how) = dump_arguments(arguments);
            let mut out = Vec::new();
            let target = Target { path: ours.clone(), ..target };
            show_file(&target, how, &mut out).expect("can be shown");
            let theirs = sanlock(&folder, &format!("direct dump {arguments}"));
            assert_eq!(String::from_utf8_lossy(&out), theirs, "{geometry:?} {arguments}");
        }
    }
}

/// What the manifest does not have: the two tools side by side on damaged and unusual images.
#[test]
fn show_prints_what_sanlock_prints_of_damage() {
    let Some(sanlock) = sanlock("show_prints_what_sanlock_prints_of_damage") else { return };
    let folder = folder("damage");
    let images = images();
    let image = |name: &str| &images.iter().find(|image| image.name == name).expect("is there").bytes;
    let (index, shared) = (image("s512-32-rindex-deleted"), image("s512-08-res2-shared-h1-h3"));
    let patched = |image: &Vec<u8>, patches: &[(usize, &[u8])]| {
        let mut bytes = image.clone();
        for (offset, patch) in patches {
            bytes[*offset..*offset + patch.len()].copy_from_slice(patch);
        }
        bytes
    };
    const ENTRY: usize = 1_049_088;
    let cases: [(Vec<u8>, &[&str]); 8] = [
        // Areas that the end of the file cuts.
        (index[..4096].to_vec(), &["f"]),
        (index[..1_572_864].to_vec(), &["f -f 2"]),
        (index[..2_097_152].to_vec(), &["f -f 2"]),
        // Full names, huge numbers, a full bitmap, and no align bit.
        (
            patched(
                index,
                &[
                    (8, &[0; 4]),
                    (1056, &[0xff; 8]),
                    (1080, b"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"),
                    (1128, b"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"),
                    (1176, &[0xff; 8]),
                    (1280, &[0xff; 256]),
                ],
            ),
            &["f", "f -f 1"],
        ),
        // Entries with a name only, with an offset only, with flags only, beyond max_resources.
        (
            patched(
                index,
                &[
                    (ENTRY, &[0; 256]),
                    (ENTRY, &[5]),
                    (ENTRY + 80, b"name"),
                    (ENTRY + 136, b"flags"),
                    (1_572_864, b"far"),
                    (1_048_608, b"a-lockspace-name-of-forty-characters-or-so-....."),
                ],
            ),
            &["f -f 1", "f:1048576"],
        ),
        // A damaged record, request magic and block: nothing is verified.
        (patched(shared, &[(600, b"x"), (1_049_088, &[0; 4]), (1_050_000, b"x")]), &["f -f 2"]),
        // As many bits as the geometry has hosts.
        (patched(image("s4k1m-04-ls-host123"), &[(256, &[0xff; 256])]), &["f -f 1"]),
        // Sizes and offsets that do not suit the image.
        (shared.clone(), &["f:512", "f:4M -Z 512 -A 1M", "f -Z 4096", "f:1048576:512 -f 2", "f:2M -Z 512 -A 1M -f 2"]),
    ];
    for (case, (bytes, commands)) in cases.iter().enumerate() {
        std::fs::write(folder.join("f"), bytes).expect("can be written");
        for arguments in *commands {
            let (target, how) = dump_arguments(arguments);
            let mut out = Vec::new();
            show(&mut Cursor::new(bytes), &target, how, &mut out)
                .unwrap_or_else(|e| panic!("case {case} {arguments}: {e}"));
            let theirs = sanlock(&folder, &format!("direct dump {arguments}"));
            assert_eq!(String::from_utf8_lossy(&out), theirs, "case {case} {arguments}");
        }
    }
}

/// What the daemon did to an index, the engine does again: the same entries, the same fresh and cleared areas. Left out
/// are four bytes that sanlock leaves to chance, and of what is cleared the time and with it the checksum.
#[test]
fn index_operations_leave_what_the_daemon_left() {
    let folder = folder("golden-index");
    let images = images();
    let named = |name: &str| images.iter().find(|image| image.name == name).expect("is in the manifest");
    let create = |text: &str| IndexOperation::Create { name: Name::from_text(text).expect("is short"), num_hosts: 0 };
    let delete = |text: &str| IndexOperation::Delete { name: Name::from_text(text).expect("is short"), offset: 0 };
    let steps = [
        ("s512-30-rindex-formatted", vec![create("RXA"), create("RXB"), create("RXC")], "s512-31-rindex-3-entries"),
        ("s512-31-rindex-3-entries", vec![delete("RXB")], "s512-32-rindex-deleted"),
        ("s4k1m-31-rindex-3-entries", vec![delete("RXB"), create("RXD")], "s4k1m-33-rindex-reused"),
    ];
    for (before, operations, after) in steps {
        let (before, after) = (named(before), named(after));
        let path = folder.join(&before.name);
        std::fs::write(&path, &before.bytes).expect("can be written");
        let (sector, align) = (before.geometry.sector() as usize, before.geometry.align() as usize);
        for operation in operations {
            let place = Index { lockspace: Name::from_text("LS").expect("is short"), offset: align as u64 };
            let told = operate(&path, place, operation, Profile::HARDENED).expect("is an image");
            assert!(told.is_ok(), "{operation:?}: {told:?}");
        }
        let ours = std::fs::read(&path).expect("is there");
        assert_eq!(ours.len(), after.bytes.len());
        let cleared = |at: usize| after.bytes[at / align * align..].starts_with(&magic::CLEARED.to_le_bytes());
        for at in (align..2 * align).chain(3 * align..ours.len()) {
            let within = at % align;
            let by_chance = (sector + 20..sector + 24).contains(&within);
            let by_time = cleared(at) && ((168..172).contains(&within) || (192..200).contains(&within));
            if !by_chance && !by_time {
                assert_eq!(ours[at], after.bytes[at], "byte {within} of area {} of {}", at / align, after.name);
            }
        }
    }
}
