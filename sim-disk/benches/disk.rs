//! The quiet path: what an undisturbed I/O costs.
//!
//! Both layouts read the same number of different sectors; the area of 2,000 records must not cost more than the small
//! one. Each measurement covers all of an I/O's three moments and the allocations in between.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sim_disk::{Completion, Disk, Ending, Landing, Op, PathId, Run, Sampling, sector};
use std::hint::black_box;

/// A disk with one area, three records of which are in use.
fn area(sector_size: u32, sectors: u64) -> (Disk, PathId) {
    let mut disk = Disk::new(sector_size, sectors);
    let path = disk.add_path();
    let platter = disk.platter_mut(0).expect("a disk has a platter");
    platter.write(0, &[(sectors as u32, sector(&[b'f'; 200]))]);
    for slot in [0, 1, sectors / 2] {
        platter.write(slot, &[(1, sector(&[slot as u8 | 1; 208]))]);
    }
    (disk, path)
}

fn read(disk: &mut Disk, path: PathId, count: u64) -> Completion {
    let io = disk.issue(path, Op::Read { start: 0, count }).expect("the path exists");
    disk.sample(io, Sampling::Whole).expect("the path is open");
    disk.complete(io, Ending::Done).expect("all is sampled")
}

fn write(disk: &mut Disk, path: PathId, start: u64, run: Run) -> Completion {
    let io = disk.issue(path, Op::Write { start, runs: vec![run] }).expect("the path exists");
    disk.land(io, Landing::Whole).expect("the path is open");
    disk.complete(io, Ending::Done).expect("all has landed")
}

fn quiet_path(criterion: &mut Criterion) {
    for (name, sector_size, sectors) in [("512_1M", 512, 2048), ("4096_1M", 4096, 256), ("4096_8M", 4096, 2048)] {
        let (mut disk, path) = area(sector_size, sectors);
        criterion.bench_function(&format!("read_area/{name}"), |bencher| {
            bencher.iter(|| black_box(read(&mut disk, path, black_box(sectors))));
        });
        let records = [sector(&[b'x'; 208]), sector(&[b'y'; 208])];
        let mut turn = 0;
        criterion.bench_function(&format!("write_sector/{name}"), |bencher| {
            bencher.iter(|| {
                turn ^= 1;
                write(&mut disk, path, 1, (1, records[turn].clone()))
            });
        });
    }
}

/// A write that makes three extents of one, and one that makes one of three.
fn splitting(criterion: &mut Criterion) {
    let (mut disk, path) = area(512, 2048);
    let (used, free) = (sector(&[b'x'; 208]), sector(&[b'f'; 200]));
    criterion.bench_function("write_splits_and_merges/512_1M", |bencher| {
        bencher.iter(|| {
            write(&mut disk, path, 500, (1, used.clone()));
            write(&mut disk, path, 500, (1, free.clone()))
        });
    });
}

/// What a checker pays for another state: a clone with eight I/Os in flight, and the first write into it.
fn branching(criterion: &mut Criterion) {
    let (mut disk, path) = area(512, 2048);
    let write = Op::Write { start: 1, runs: vec![(1, sector(&[b'x'; 208]))] };
    let io = disk.issue(path, write).expect("the path exists");
    for start in 0..7 {
        disk.issue(path, Op::Read { start, count: 1 }).expect("the path exists");
    }
    criterion.bench_function("clone/8_in_flight", |bencher| bencher.iter(|| black_box(&disk).clone()));
    criterion.bench_function("land_in_clone/8_in_flight", |bencher| {
        bencher.iter_batched_ref(|| disk.clone(), |disk| disk.land(io, Landing::Whole), BatchSize::SmallInput);
    });
}

criterion_group!(benches, quiet_path, splitting, branching);
criterion_main!(benches);
