//! The real sanlock 3.8.5 reads the images that `simulate --keep-image` leaves, and reads what the omniscient history
//! says: of every area owner, generation, version, and whether it is free or held; of every ballot its numbers.
//!
//! What is expected does not come from the image or from anything that wrote it. It is a fold over the happenings of
//! the same run: each write as it was issued, put on fresh areas byte by byte as it landed.

mod real_tool;

use lease_core::format::{Bitmap, DeltaLease, HostBlock, Leader, Name, RequestRecord, SectorKind};
use lease_core::numbers::{HostId, Lver, Mbal};
use lease_core::seam::{DiskId, Event, Request, Task};
use model::setup::{Area, Host, Setup};
use model::{Action, Happening, Instant, Sink};
use real_tool::{SANLOCK, folder, output, sanlock_is_installed};
use scenarios::ProfileName::{Hardened, Sanlock385};
use scenarios::{Case, ProfileName, Scenario, run_case};
use sim_disk::{Bytes, IoId, Landing};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Stories that end with something to read. Beyond plain contention: hosts that die between the blocks and the leader of
/// a ballot, writes of the dead that land later, sectors of 4096 bytes and writes that are torn in them, and runs that
/// stop in the middle because 3.8.5 has just violated something.
const RUNS: [(&str, ProfileName, Range<u64>); 19] = [
    ("swarm", Hardened, 0..6),
    ("swarm", Sanlock385, 6..8),
    ("swarm-4k", Hardened, 0..4),
    ("swarm-4k", Sanlock385, 4..6),
    ("torn-block-4k", Hardened, 0..2),
    ("torn-block-4k", Sanlock385, 2..3),
    ("vote-of-an-earlier-life", Hardened, 0..2),
    ("vote-of-an-earlier-life", Sanlock385, 2..4),
    ("power-loss", Hardened, 0..2),
    ("power-loss", Sanlock385, 2..3),
    ("rack-power-loss", Hardened, 0..2),
    ("contenders-at-high-rate", Hardened, 0..2),
    ("late-write-after-reset", Hardened, 0..2),
    ("late-leader-write", Sanlock385, 0..2),
    ("failed-acquire-leaves-a-vote", Sanlock385, 0..2),
    ("three-contenders-late-writes", Hardened, 0..1),
    ("late-free-after-rejoin", Sanlock385, 0..3),
    ("events-around-a-byte", Hardened, 0..3),
    ("events-around-a-byte", Sanlock385, 0..2),
];

/// What a successful command prints.
fn printed(program: &str, folder: &Path, arguments: &str) -> String {
    let output = output(program, folder, arguments);
    assert!(output.status.success(), "{program} {arguments}: {output:?}");
    String::from_utf8(output.stdout).expect("is text")
}

/// A record as the dump tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Record {
    /// A delta lease that has an owner, and whom it calls.
    Delta { lockspace: String, host: String, timestamp: u64, owner: u64, generation: u64, called: Vec<u64> },
    /// The leader of a resource, and version and force mode of the request beside it.
    Leader {
        lockspace: String,
        resource: String,
        timestamp: u64,
        owner: u64,
        generation: u64,
        lver: u64,
        asked: [u64; 2],
    },
    /// A host's block that was written.
    Block { mbal: u64, bal: u64, inp: u64, inp2: u64, inp3: u64, lver: u64 },
}

/// Records by the byte offset of their sector.
type Records = BTreeMap<u64, Record>;

/// Reads what `sanlock direct dump -f 2` prints. A line of another form is none that these runs can bring about.
fn parse(dump: &str, sector_size: u64) -> Records {
    let number =
        |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("expected a number, found {word:?}:\n{dump}"));
    let mut records = Records::new();
    let mut lines = dump.lines();
    let header = lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let columns = ["offset", "lockspace", "resource", "timestamp", "own", "gen", "lver/req/mode"];
    assert_eq!(header.as_deref(), Some(&columns[..]), "the header of:\n{dump}");
    let mut area = 0;
    for line in lines {
        let words = line.split_whitespace().collect::<Vec<_>>();
        let (offset, record) = match words[..] {
            [block, "mbal", mbal, "bal", bal, "inp", inp, "inp2", inp2, "inp3", inp3, "lver", lver, "sum", _] => {
                let index = block.strip_prefix("dblock[").and_then(|rest| rest.strip_suffix(']'));
                let index = number(index.unwrap_or_else(|| panic!("expected dblock[N], found {line:?}")));
                let [mbal, bal, inp, inp2, inp3, lver] = [mbal, bal, inp, inp2, inp3, lver].map(number);
                // Behind the leader and the request.
                (area + (2 + index) * sector_size, Record::Block { mbal, bal, inp, inp2, inp3, lver })
            }
            [offset, lockspace, resource, timestamp, owner, generation, last] if last.contains('/') => {
                let [offset, timestamp, owner, generation] = [offset, timestamp, owner, generation].map(number);
                let numbers = last.split('/').map(number).collect::<Vec<_>>();
                let [lver, wanted, force_mode] = numbers[..] else { panic!("expected lver/req/mode, found {last:?}") };
                let (lockspace, resource, asked) = (lockspace.to_owned(), resource.to_owned(), [wanted, force_mode]);
                area = offset;
                (offset, Record::Leader { lockspace, resource, timestamp, owner, generation, lver, asked })
            }
            [offset, lockspace, host, timestamp, owner, generation, ref called @ ..] => {
                let [timestamp, owner, generation] = [timestamp, owner, generation].map(number);
                let (lockspace, host) = (lockspace.to_owned(), host.to_owned());
                let called = called.iter().map(|host| number(host)).collect();
                (number(offset), Record::Delta { lockspace, host, timestamp, owner, generation, called })
            }
            _ => panic!("expected a delta lease, a leader or a dblock, found {line:?}"),
        };
        assert_eq!(records.insert(offset, record), None, "two records at byte {offset}:\n{dump}");
    }
    records
}

/// A write that was issued.
struct Pending {
    host: Host,
    task: Task,
    offset: u64,
    /// All bytes of its sectors.
    bytes: Vec<u8>,
    /// Which of them have landed.
    landed: Vec<bool>,
}

/// A ballot between the write of its first block and the write of its leader.
struct OpenBallot {
    mbal: Mbal,
    lver: Lver,
    /// Offset of the block that landed for it.
    block: Option<u64>,
}

/// A ballot that its host did not live to finish.
struct Unfinished {
    mbal: Mbal,
    /// Offset of the block that landed for it.
    block: u64,
}

/// The fold: what stands on the disk, and which ballots were cut off.
struct History<'a> {
    setup: &'a Setup,
    /// Sectors that were written, by their offset.
    sectors: BTreeMap<u64, Vec<u8>>,
    writes: BTreeMap<IoId, Pending>,
    /// How the landing that was just chosen is to land.
    landing: Option<(IoId, Landing)>,
    /// Landings of less than a sector.
    torn: u32,
    open: BTreeMap<(Host, u8), OpenBallot>,
    unfinished: Vec<Unfinished>,
}

impl<'a> History<'a> {
    fn new(setup: &'a Setup) -> History<'a> {
        History {
            setup,
            sectors: BTreeMap::new(),
            writes: BTreeMap::new(),
            landing: None,
            torn: 0,
            open: BTreeMap::new(),
            unfinished: Vec::new(),
        }
    }

    fn sector_size(&self) -> u64 {
        u64::from(self.setup.disks[0].sector_size)
    }

    fn kind(&self, offset: u64) -> (Area, SectorKind) {
        self.setup.record_at(DiskId(0), offset).unwrap_or_else(|| panic!("byte {offset} is in no area"))
    }

    /// The sector as initialising left it.
    fn fresh(&self, offset: u64) -> Vec<u8> {
        let bytes: Bytes = match self.kind(offset) {
            (Area::Lockspace(ix), SectorKind::Delta(_)) => {
                let space = &self.setup.lockspaces[usize::from(ix.0)];
                DeltaLease::fresh(space.geometry, space.name, space.io_timeout).encode()[..].into()
            }
            (Area::Resource(ix), SectorKind::Leader) => {
                let resource = &self.setup.resources[usize::from(ix.0)];
                let space = self.setup.lockspaces[usize::from(resource.lockspace.0)].name;
                Leader::fresh(resource.geometry, space, resource.name, resource.num_hosts).sector()
            }
            (Area::Resource(_), SectorKind::HostBlock(_)) => Bytes::default(),
            (Area::Resource(_), SectorKind::Request) => RequestRecord::FRESH.sector(),
            (area, kind) => panic!("{kind:?} of {area:?} at byte {offset}: these runs write none"),
        };
        let mut bytes = bytes.to_vec();
        bytes.resize(self.sector_size() as usize, 0);
        bytes
    }

    fn land(&mut self, io: IoId, landing: Landing) {
        let size = self.sector_size();
        let mut write = self.writes.remove(&io).expect("it was issued");
        let all = write.bytes.len() as u64;
        let named = match landing {
            Landing::Whole => 0..all,
            Landing::Sectors { from, count } => from * size..(from + count) * size,
            Landing::Torn { bytes } => 0..bytes,
            Landing::TornTail { bytes } => bytes..all,
            Landing::Misdirected { .. } | Landing::Rotten { .. } => panic!("{landing:?} is beyond these runs"),
        };
        self.torn += u32::from(matches!(landing, Landing::Torn { .. } | Landing::TornTail { .. }));
        for at in named {
            // What has landed once does not land again: another write may stand there by now.
            if !std::mem::replace(&mut write.landed[at as usize], true) {
                let offset = write.offset + at;
                let start = offset / size * size;
                if !self.sectors.contains_key(&start) {
                    let fresh = self.fresh(start);
                    self.sectors.insert(start, fresh);
                }
                let sector = self.sectors.get_mut(&start).expect("is there");
                sector[(offset - start) as usize] = write.bytes[at as usize];
            }
        }
        self.follow_ballot(&write);
        self.writes.insert(io, write);
    }

    /// A block or a leader of a ballot landed.
    fn follow_ballot(&mut self, write: &Pending) {
        let Task::Worker(worker) = write.task else { return };
        let key = (write.host, worker);
        match self.kind(write.offset).1 {
            SectorKind::Leader => {
                self.open.remove(&key);
            }
            SectorKind::HostBlock(_) => {
                let (_, block) = HostBlock::peek(&write.bytes);
                if let Some(open) = self.open.get_mut(&key)
                    && (open.mbal, open.lver) == (block.mbal, block.lver)
                {
                    open.block = Some(write.offset);
                }
            }
            _ => {}
        }
    }

    /// The ballots of a host that is gone. One of which no block has landed leaves no trace, and does not count.
    fn cut_off(&mut self, host: Host) {
        for (key, ballot) in std::mem::take(&mut self.open) {
            if key.0 != host {
                self.open.insert(key, ballot);
            } else if let Some(block) = ballot.block {
                self.unfinished.push(Unfinished { mbal: ballot.mbal, block });
            }
        }
    }

    /// Version and force mode of the request at an offset.
    fn asked(&self, offset: u64) -> [u64; 2] {
        let bytes = self.sectors.get(&offset).cloned().unwrap_or_else(|| self.fresh(offset));
        let record = RequestRecord::read(&bytes).expect("is intact");
        [record.lver.0, u64::from(record.force_mode)]
    }

    /// What a dump of the disk must tell.
    fn records(&self) -> Records {
        let text = |name: &Name| String::from_utf8(name.text().to_vec()).expect("is text");
        let mut records = Records::new();
        let leaders = self.setup.resources.iter().map(|resource| resource.place.offset);
        let fresh =
            leaders.filter(|offset| !self.sectors.contains_key(offset)).map(|offset| (offset, self.fresh(offset)));
        for (offset, bytes) in self.sectors.iter().map(|(offset, bytes)| (*offset, bytes.clone())).chain(fresh) {
            let record = match self.kind(offset) {
                (Area::Lockspace(ix), _) => {
                    let name = &self.setup.lockspaces[usize::from(ix.0)].name;
                    let lease = DeltaLease::read(&bytes, name).expect("is intact");
                    if lease.owner_id == HostId::NONE {
                        continue;
                    }
                    Record::Delta {
                        lockspace: text(&lease.space_name),
                        host: text(&lease.owner_name),
                        timestamp: lease.timestamp.0,
                        owner: lease.owner_id.0,
                        generation: lease.owner_generation.0,
                        called: Bitmap::of_sector(&bytes).iter().map(|host| host.0).collect(),
                    }
                }
                // Told with its leader.
                (Area::Resource(_), SectorKind::Request) => continue,
                (Area::Resource(ix), SectorKind::Leader) => {
                    let resource = &self.setup.resources[usize::from(ix.0)];
                    let space = &self.setup.lockspaces[usize::from(resource.lockspace.0)].name;
                    let leader = Leader::read(&bytes, space, &resource.name, HostId::NONE).expect("is intact");
                    Record::Leader {
                        lockspace: text(&leader.space_name),
                        resource: text(&leader.resource_name),
                        timestamp: leader.timestamp.0,
                        owner: leader.owner_id.0,
                        generation: leader.owner_generation.0,
                        lver: leader.lver.0,
                        asked: self.asked(offset + self.sector_size()),
                    }
                }
                (Area::Resource(_), _) => {
                    let block = HostBlock::read(&bytes).expect("is intact");
                    // The dump leaves out a block of nothing but flags, with which 3.8.5 withdraws a vote.
                    if (block.mbal, block.inp, block.lver) == (Mbal(0), HostId::NONE, Lver(0)) {
                        continue;
                    }
                    Record::Block {
                        mbal: block.mbal.0,
                        bal: block.bal.0,
                        inp: block.inp.0,
                        inp2: block.inp2.0,
                        inp3: block.inp3.0,
                        lver: block.lver.0,
                    }
                }
            };
            records.insert(offset, record);
        }
        records
    }
}

impl Sink for History<'_> {
    fn happening(&mut self, _at: Instant, happening: &Happening) {
        match happening {
            Happening::Chosen(action) => {
                self.landing = match action {
                    Action::Land { io, landing, .. } => Some((*io, *landing)),
                    _ => None,
                };
            }
            Happening::WriteIssued { host, task, io, offset, length, bytes, .. } => {
                let mut bytes = bytes.to_vec();
                bytes.resize(*length as usize, 0);
                let landed = vec![false; bytes.len()];
                self.writes.insert(*io, Pending { host: *host, task: *task, offset: *offset, bytes, landed });
            }
            Happening::Landed { io, .. } => {
                let (chosen, landing) = self.landing.take().expect("landing is an action");
                assert_eq!(chosen, *io);
                self.land(chosen, landing);
            }
            Happening::MediumChanged { .. } => panic!("none of these runs changes the medium"),
            Happening::Engine { host, event } => match event {
                Event::Ballot { worker, lver, mbal } => {
                    self.open.insert((*host, *worker), OpenBallot { mbal: *mbal, lver: *lver, block: None });
                }
                Event::BallotAborted { worker, .. }
                | Event::Restarted { worker }
                | Event::OwnerWait { worker, .. }
                | Event::Run { worker, .. } => {
                    self.open.remove(&(*host, *worker));
                }
                _ => {}
            },
            // Which worker it was is not told, so all ballots of the host count as over: rather too few than too many.
            Happening::Told { host, request: Request::Acquire { .. }, .. } => {
                self.open.retain(|(other, _), _| other != host);
            }
            Happening::Down { host, .. } | Happening::DaemonDown { host } => self.cut_off(*host),
            _ => {}
        }
    }
}

/// What all runs together must have shown, so that agreement means something.
#[derive(Default, Debug)]
struct Seen {
    runs: u32,
    large_sectors: u32,
    held: u32,
    free: u32,
    host_ids_held: u32,
    host_ids_free: u32,
    blocks: u32,
    /// Records that call somebody.
    calling: u32,
    /// Requests that ask for something.
    asked: u32,
    torn: u32,
    /// Runs in which a host died in the middle of a ballot.
    cut_off: u32,
    /// Images that still show the block of such a ballot.
    cut_off_and_shown: u32,
}

impl Seen {
    fn take(&mut self, history: &History<'_>, told: &Records) {
        self.runs += 1;
        self.large_sectors += u32::from(history.sector_size() == 4096);
        self.torn += history.torn;
        self.cut_off += u32::from(!history.unfinished.is_empty());
        let shown = |ballot: &Unfinished| matches!(told.get(&ballot.block), Some(Record::Block { mbal, .. }) if *mbal == ballot.mbal.0);
        self.cut_off_and_shown += u32::from(history.unfinished.iter().any(shown));
        for record in told.values() {
            self.calling += u32::from(matches!(record, Record::Delta { called, .. } if !called.is_empty()));
            self.asked += u32::from(matches!(record, Record::Leader { asked, .. } if *asked != [0, 0]));
            let count = match record {
                Record::Delta { timestamp: 0, .. } => &mut self.host_ids_free,
                Record::Delta { .. } => &mut self.host_ids_held,
                Record::Leader { timestamp: 0, .. } => &mut self.free,
                Record::Leader { .. } => &mut self.held,
                Record::Block { .. } => &mut self.blocks,
            };
            *count += 1;
        }
    }
}

/// One run: our image, read by the real tool, says what happened; and `image show` prints what the real tool prints.
fn compare(name: &str, profile: ProfileName, seed: u64, folder: &Path, seen: &mut Seen) {
    let label = format!("{name} ({profile}), seed {seed}");
    let leaselab = env!("CARGO_BIN_EXE_leaselab");
    let _ = std::fs::remove_file(folder.join("disk.img"));
    // Whether the verdict is the expected one does not matter here: an image is due for either.
    let arguments = format!("simulate {name} --profile {profile} --seed {seed} --keep-image disk.img");
    let run = output(leaselab, folder, &arguments);
    assert!(matches!(run.status.code(), Some(0 | 1 | 3)), "{label}: {run:?}");

    let scenario = Scenario::named(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
    let case = Case::new(&scenario, profile, seed);
    let mut history = History::new(&case.setup);
    run_case(&case, &mut history);

    let lockspaces = case.setup.lockspaces.iter().map(|area| area.place.offset);
    let areas = lockspaces.chain(case.setup.resources.iter().map(|area| area.place.offset)).collect::<Vec<_>>();
    let align = scenario.geometry.align();
    assert_eq!(
        areas,
        (0..areas.len() as u64).map(|area| area * align).collect::<Vec<_>>(),
        "{label}: areas without gaps"
    );
    let length = std::fs::metadata(folder.join("disk.img")).expect("an image was kept").len();
    assert_eq!(length, areas.len() as u64 * align, "{label}: bytes of the image");

    let dump = printed(SANLOCK, folder, "direct dump disk.img -f 2");
    let (told, expected) = (parse(&dump, history.sector_size()), history.records());
    for offset in told.keys().chain(expected.keys()) {
        assert_eq!(
            told.get(offset),
            expected.get(offset),
            "{label}, byte {offset}: sanlock reads the left, the history says the right\n{dump}"
        );
    }
    assert_eq!(printed(leaselab, folder, "image show disk.img -f 2"), dump, "{label}: image show (left)");
    seen.take(&history, &told);
}

#[test]
fn sanlock_reads_what_happened() {
    if !sanlock_is_installed() {
        return;
    }
    let folder = folder("interop");
    let mut seen = Seen::default();
    for (name, profile, seeds) in RUNS {
        for seed in seeds {
            compare(name, profile, seed, &folder, &mut seen);
        }
    }
    assert!(seen.runs >= 24 && seen.large_sectors >= 3, "{seen:?}");
    assert!(seen.cut_off >= 1 && seen.cut_off_and_shown >= 1, "no host died in the middle of a ballot: {seen:?}");
    assert!(seen.calling >= 1 && seen.asked >= 1, "some records call, and some requests stand there: {seen:?}");
    assert!(seen.held >= 1 && seen.free >= 1, "leases are held in some images and free in others: {seen:?}");
    assert!(seen.host_ids_held >= 1 && seen.host_ids_free >= 1, "host ids are held, and somewhere free: {seen:?}");
    assert!(seen.blocks >= 1 && seen.torn >= 1, "{seen:?}");
}
