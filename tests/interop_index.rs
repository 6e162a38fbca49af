//! The real sanlock 3.8.5 and `leaselab image index` work on resource indices in turn: what one writes the other reads,
//! and both leave the same bytes.

mod real_tool;

use real_tool::{SANLOCK, folder, output, sanlock_is_installed};
use std::path::Path;
use std::process::Output;

const LEASELAB: &str = env!("CARGO_BIN_EXE_leaselab");

/// What both print and what both return, which must be the same: their arguments differ in form alone.
fn both(folder: &Path, ours: &str, theirs: &str) -> (String, Option<i32>) {
    let ours_told = output(LEASELAB, folder, ours);
    let theirs_told = output(SANLOCK, folder, theirs);
    let told = |output: &Output| (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code());
    assert_eq!(told(&ours_told), told(&theirs_told), "{ours} (left), {theirs} (right)");
    told(&ours_told)
}

/// `action` on the index at `place` of the same image in two copies: ours and theirs.
fn act(folder: &Path, action: &str, place: &str, more: &str) -> (String, Option<i32>) {
    let told = both(
        folder,
        &format!("image index {action} ours.img -x {place} {more} --profile sanlock_3_8_5"),
        &format!("direct {action} -x {} {}", place.replacen(':', ":theirs.img:", 1), more.replace("-z", "-z 1")),
    );
    same_bytes(folder, &format!("{action} {more}"));
    told
}

/// What `sanlock direct` has no word for is done by us alone, and the other copy follows.
fn ours(folder: &Path, arguments: &str) -> (String, Option<i32>) {
    let told = output(LEASELAB, folder, arguments);
    std::fs::copy(folder.join("ours.img"), folder.join("theirs.img")).expect("can be copied");
    (String::from_utf8_lossy(&told.stdout).into_owned(), told.status.code())
}

/// All bytes are the same, but for the four behind a request record's force mode, which sanlock leaves to chance.
fn same_bytes(folder: &Path, after: &str) {
    let read = |name: &str| std::fs::read(folder.join(name)).expect("can be read");
    let (ours, theirs) = (read("ours.img"), read("theirs.img"));
    assert_eq!(ours.len(), theirs.len(), "bytes after {after}");
    let (area, sector) = if folder.ends_with("interop-index-4096") { (2 << 20, 4096) } else { (1 << 20, 512) };
    let by_chance = sector + 20..sector + 24;
    let differs = |at: &usize| ours[*at] != theirs[*at] && !by_chance.contains(&(*at % area));
    assert_eq!((0..ours.len()).find(differs), None, "first byte that differs after {after}");
}

fn told(text: &str) -> (String, Option<i32>) {
    (text.to_owned(), Some(0))
}

fn refused(text: &str) -> (String, Option<i32>) {
    (text.to_owned(), Some(1))
}

/// An index at 1 MiB or 8 MiB, with everything that can be asked of it. `area`: bytes of one.
fn in_turn(folder: &Path, sizes: &str, area: u64) {
    for name in ["ours.img", "theirs.img"] {
        std::fs::File::create(folder.join(name)).and_then(|file| file.set_len(8 * area)).expect("can be made");
    }
    let place = format!("LS:{area}");
    let act = |action: &str, more: &str| act(folder, action, &place, more);
    let index = |rest: &str| ours(folder, &format!("image index {rest} -x {place}"));
    assert_eq!(act("lookup", ""), refused("lookup done -274\n"));
    assert_eq!(act("format", sizes), told("format done 0\n"));
    assert_eq!(act("lookup", ""), told(&format!("lookup done 0\nname - offset {}\n", 3 * area)));
    assert_eq!(act("lookup", "-e V1"), refused("lookup done -2\n"));

    assert_eq!(index("create ours.img -e V1"), told(&format!("create_resource done 0\noffset {}\n", 3 * area)));
    assert_eq!(index("create ours.img -e V2 -n 4"), told(&format!("create_resource done 0\noffset {}\n", 4 * area)));
    assert_eq!(index("create ours.img -e V3"), told(&format!("create_resource done 0\noffset {}\n", 5 * area)));
    assert_eq!(index("create ours.img -e V2"), refused("create_resource done -17\n"));
    assert_eq!(act("lookup", "-e V2"), told(&format!("lookup done 0\nname V2 offset {}\n", 4 * area)));
    assert_eq!(
        act("lookup", &format!("-e :{}", 5 * area)),
        told(&format!("lookup done 0\nname V3 offset {}\n", 5 * area))
    );
    assert_eq!(act("lookup", &format!("-e V1:{}", 4 * area)), refused("lookup done -278\n"));
    assert_eq!(act("lookup", &format!("-e V1:{}", 4 * area + 512)), refused("lookup done -277\n"));

    assert_eq!(index("delete ours.img -e V2"), told("delete_resource done 0\n"));
    assert_eq!(act("lookup", "-e V2"), refused("lookup done -2\n"));
    assert_eq!(act("lookup", ""), told(&format!("lookup done 0\nname - offset {}\n", 4 * area)));
    assert_eq!(act("update", &format!("-e W:{}", 4 * area)), told("update done 0\n"));
    assert_eq!(act("update", "-e W"), refused("update done -22\n"));
    assert_eq!(act("update", &format!("-e :{} -z", 3 * area)), told("update done 0\n"));
    assert_eq!(act("lookup", "-e V1"), refused("lookup done -2\n"));
    assert_eq!(act("rebuild", ""), told("rebuild done 0\n"));
    assert_eq!(act("lookup", "-e W"), refused("lookup done -2\n"), "its area holds a cleared lease");
    assert_eq!(act("lookup", "-e V1"), told(&format!("lookup done 0\nname V1 offset {}\n", 3 * area)));
    assert_eq!(act("lookup", "-e V3"), told(&format!("lookup done 0\nname V3 offset {}\n", 5 * area)));

    both(folder, &format!("image show ours.img:{area} -f 2"), &format!("direct dump theirs.img:{area} -f 2"));
    let other = act_at(folder, &format!("LT:{area}"));
    assert_eq!(other, refused("lookup done -276\n"));
}

fn act_at(folder: &Path, place: &str) -> (String, Option<i32>) {
    act(folder, "lookup", place, "")
}

#[test]
fn sanlock_and_leaselab_work_on_an_index_in_turn() {
    if !sanlock_is_installed() {
        return;
    }
    in_turn(&folder("interop-index-512"), "", 1 << 20);
    in_turn(&folder("interop-index-4096"), "-Z 4096 -A 2M", 2 << 20);
}

/// What administrators of two hosts left after creating, deleting and rebuilding beside each other, with crashes: the
/// real tool reads it as we do, and rebuilds it to the same bytes.
#[test]
fn sanlock_reads_what_races_left() {
    if !sanlock_is_installed() {
        return;
    }
    let folder = folder("interop-index-races");
    let (mut named, mut missing) = (0, 0);
    for seed in 0..4 {
        for profile in ["hardened", "sanlock_3_8_5"] {
            let run = format!("simulate index-races --seed {seed} --profile {profile} --keep-image ours.img");
            let (story, status) = ours(&folder, &run);
            assert!(matches!(status, Some(0 | 1 | 3)), "{run}: {story}");
            both(&folder, "image show ours.img -f 2", "direct dump theirs.img -f 2");
            let place = "LS:2M";
            for name in ["V1", "V2", "V3", "V4"] {
                let looked = act(&folder, "lookup", place, &format!("-e {name}"));
                *if looked.1 == Some(0) { &mut named } else { &mut missing } += 1;
            }
            act(&folder, "lookup", place, "");
            assert_eq!(act(&folder, "rebuild", place, ""), told_done("rebuild"));
        }
    }
    assert!(named >= 4 && missing >= 4, "{named} names were found and {missing} were not");
}

fn told_done(action: &str) -> (String, Option<i32>) {
    told(&format!("{action} done 0\n"))
}
