//! Happenings as text: one line each, in sanlock's words.

use super::words::{EndingWords, Hex, PartWords, PathWords, RequestWords, TaskWords, Word};
use crate::action::Part;
use crate::happening::{Happening, Ping};
use crate::setup::{Area, Host, Process, ResourceIx, Setup};
use lease_core::format::{Bitmap, HostBlock, HostEvent, Leader, Sector, SectorKind};
use lease_core::seam::{Answer, DiskId, Event, LastLife, Mode, Signal, Takeable, ToldEvent, WatchdogMessage};
use sim_disk::Completion;
use std::fmt;

impl Happening {
    /// The happening as a trace explains it, without its time: one line.
    pub fn text(&self, setup: &Setup) -> String {
        Line { happening: self, setup }.to_string()
    }
}

struct Line<'a> {
    happening: &'a Happening,
    setup: &'a Setup,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setup = self.setup;
        let label = |host: Host| setup.label(host);
        match self.happening {
            Happening::Chosen(action) => f.write_str(&action.text(setup)),
            Happening::ReadIssued { host, task, disk, io, offset, length, slot: _ } => {
                let (label, task, place) = (label(*host), TaskWords(*task), self.place(*disk, *offset, *length));
                write!(f, "{label} {task} reads {place} (d{} io {})", disk.0, io.0)
            }
            Happening::WriteIssued { host, task, disk, io, offset, length, bytes, slot: _ } => {
                let (label, task, place) = (label(*host), TaskWords(*task), self.place(*disk, *offset, *length));
                let content = self.content(*disk, *offset, *length, bytes);
                write!(f, "{label} {task} writes {place}: {content} (d{} io {})", disk.0, io.0)
            }
            Happening::Landed { host, disk, io, offset, length, ghost, intact } => {
                let whose = if *ghost { "a ghost of " } else { "a write of " };
                let place = self.place(*disk, *offset, *length);
                let intact = if *intact { "" } else { ", not as it was written" };
                write!(f, "{whose}{} lands on {place}{intact} (d{} io {})", label(*host), disk.0, io.0)
            }
            Happening::Sampled { disk, io } => write!(f, "a read is sampled (d{} io {})", disk.0, io.0),
            Happening::Completed { host, disk, io, ending, completion, took, slot: _ } => {
                let what = match completion {
                    Completion::Read(_) => "a read completes".to_string(),
                    Completion::Written => "a write completes".to_string(),
                    Completion::Short => "an I/O completes short".to_string(),
                    Completion::Failed(errno) => format!("an I/O fails with errno {errno}"),
                    Completion::NoDevice => "an I/O finds no device".to_string(),
                };
                let lost = matches!(ending, sim_disk::Ending::LostAnswer(_));
                let lost = if lost {
                    format!(" though it landed ({})", EndingWords(*ending).to_string().trim())
                } else {
                    String::new()
                };
                let took = Seconds(*took);
                write!(f, "{}: {what}{lost} after {took} s (d{} io {})", label(*host), disk.0, io.0)
            }
            Happening::Vanished { disk, io } => write!(f, "a ghost vanishes (d{} io {})", disk.0, io.0),
            Happening::Engine { host, event } => {
                write!(f, "{} ", label(*host))?;
                event_text(f, event)
            }
            Happening::Asked { host, process, request } => {
                write!(f, "{} asks: {}", self.who(*host, *process), RequestWords(request))
            }
            Happening::Told { host, process, request, result } => {
                write!(f, "{} is told: {}: ", self.who(*host, *process), RequestWords(request))?;
                match result {
                    Ok(answer) => self.answer(f, answer),
                    Err(refusal) => write!(f, "{refusal}"),
                }
            }
            Happening::UseBegins { host, process, resource, lver, mode } => {
                let (who, what) = (self.who(*host, Some(*process)), self.resource(*resource));
                match mode {
                    Mode::Exclusive => write!(f, "{who} begins to use {what}, lver {lver}"),
                    Mode::Shared => write!(f, "{who} begins to share {what}, lver {lver}"),
                }
            }
            Happening::UseChanges { host, process, resource, lver, mode } => {
                let (who, what) = (self.who(*host, Some(*process)), self.resource(*resource));
                match mode {
                    Mode::Exclusive => write!(f, "{who} has {what} for itself now, lver {lver}"),
                    Mode::Shared => write!(f, "{who} only shares {what} now, lver {lver}"),
                }
            }
            Happening::UseEnds { host, process, resource, lver } => {
                write!(f, "{} stops using {}, lver {lver}", self.who(*host, Some(*process)), self.resource(*resource))
            }
            Happening::Signalled { host, process, signal } => {
                let signal = match signal {
                    Signal::Term => "SIGTERM",
                    Signal::Kill => "SIGKILL",
                };
                write!(f, "{} gets {signal}", self.who(*host, Some(*process)))
            }
            Happening::SelfSignalled { host } => {
                write!(f, "{} sanlock and its helper send SIGKILL to themselves", label(*host))
            }
            Happening::Notified { host, process, told } => {
                let ToldEvent { host_id, event, from, from_generation, .. } = told;
                let HostEvent { generation, event, data } = event;
                write!(
                    f,
                    "{} hears event {event} data {data} for host id {host_id} generation {generation}, from {from} \
                     generation {from_generation}",
                    self.who(*host, Some(*process))
                )
            }
            Happening::KillpathRun { host, process, killpath } => {
                let words = killpath.words();
                let words = words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
                write!(f, "{} has its program run: {}", self.who(*host, Some(*process)), words.join(" "))
            }
            Happening::Spawned { host, process } => write!(f, "{} starts", self.who(*host, Some(*process))),
            Happening::Ended { host, process } => write!(f, "{} ends", self.who(*host, Some(*process))),
            Happening::HungUp { host, process } => {
                write!(f, "{} closes its connection and lives on", self.who(*host, Some(*process)))
            }
            Happening::Watchdog { host, lockspace, message } => {
                write!(f, "{} wdmd hears of lockspace {}: ", label(*host), lockspace.0)?;
                match message {
                    WatchdogMessage::Connect => f.write_str("connect"),
                    WatchdogMessage::Arm { renewal, expire } => {
                        write!(f, "in use, renewed {renewal}, expires {expire}")
                    }
                    WatchdogMessage::TestLive { renewal, expire } => write!(f, "renewed {renewal}, expires {expire}"),
                    WatchdogMessage::Disarm => f.write_str("not in use any more"),
                }
            }
            Happening::Tested { host, failing: None } => write!(f, "{} wdmd tests: all pass", label(*host)),
            Happening::Tested { host, failing: Some(expire) } => {
                write!(f, "{} wdmd tests: a client fails that expires {expire}", label(*host))
            }
            Happening::Pinged { host, by, fires } => {
                let by = match by {
                    Ping::Open => "wdmd opens it",
                    Ping::Test => "the test passed",
                    Ping::Close => "wdmd closes it",
                    Ping::KernelClose => "the kernel closes it for wdmd",
                };
                match *fires {
                    crate::Instant::NEVER => write!(f, "{} watchdog is pinged ({by}) and never fires", label(*host)),
                    fires => write!(f, "{} watchdog is pinged ({by}) and fires at {fires}", label(*host)),
                }
            }
            Happening::DeviceStopped { host } => write!(f, "{} watchdog stops with its host", label(*host)),
            Happening::Down { host, by_watchdog: true } => write!(f, "{} is reset by its watchdog", label(*host)),
            Happening::Down { host, by_watchdog: false } => write!(f, "{} loses power", label(*host)),
            Happening::Up { host, clock } => {
                write!(f, "{} boots, its clock shows {}", label(*host), Seconds(clock.micros()))
            }
            Happening::DaemonUp { host, last_life } => {
                let knows = match last_life {
                    LastLife::Gone => "nothing of its last life runs",
                    LastLife::Unknown => "its last life may still run",
                };
                write!(f, "{} sanlock starts: {knows}", label(*host))
            }
            Happening::DaemonDown { host } => write!(f, "{} sanlock is gone", label(*host)),
            Happening::WdmdDown { host } => write!(f, "{} wdmd is gone", label(*host)),
            Happening::Stalled { host, part: Part::Host } => write!(f, "{} is paused", label(*host)),
            Happening::Stalled { host, part } => write!(f, "{} {} stands still", label(*host), PartWords(*part)),
            Happening::Resumed { host, part: Part::Host, stood } => {
                write!(f, "{} goes on after {} s", label(*host), Seconds(*stood))
            }
            Happening::Resumed { host, part, stood } => {
                write!(f, "{} {} goes on after {} s", label(*host), PartWords(*part), Seconds(*stood))
            }
            Happening::PathChanged { host, disk, state } => {
                write!(f, "{} path to d{} is {}", label(*host), disk.0, PathWords(*state))
            }
            Happening::ClockChanged { host, clock } => {
                write!(f, "{} clock was touched and shows {}", label(*host), Seconds(clock.micros()))
            }
            Happening::MediumChanged { disk } => write!(f, "d{} was touched directly", disk.0),
            Happening::AtRest => f.write_str("everything is at rest"),
        }
    }
}

impl Line<'_> {
    fn who(&self, host: Host, process: Option<Process>) -> String {
        let label = self.setup.label(host);
        process.map_or_else(|| format!("{label} agent"), |process| format!("{label}.{}", process.0))
    }

    fn resource(&self, ix: ResourceIx) -> Word {
        Word(self.setup.resources[usize::from(ix.0)].name)
    }

    /// What lies in a range of bytes.
    fn place(&self, disk: DiskId, offset: u64, length: u64) -> String {
        let raw = || format!("{length} bytes at d{}:{offset}", disk.0);
        let Some((area, kind)) = self.setup.record_at(disk, offset) else { return raw() };
        let (name, sector, start) = match area {
            Area::Lockspace(ix) => {
                let space = &self.setup.lockspaces[usize::from(ix.0)];
                (Word(space.name), space.geometry.sector(), space.place.offset)
            }
            Area::Resource(ix) => {
                let resource = &self.setup.resources[usize::from(ix.0)];
                (Word(resource.name), resource.geometry.sector(), resource.place.offset)
            }
        };
        let what = match kind {
            SectorKind::Delta(host) => format!("delta lease {host} of {name}"),
            SectorKind::Leader => format!("leader of {name}"),
            SectorKind::Request => format!("request of {name}"),
            SectorKind::HostBlock(host) => format!("block {host} of {name}"),
            SectorKind::Lvb => format!("LVB of {name}"),
            SectorKind::RindexHeader | SectorKind::RindexEntries | SectorKind::Unused => return raw(),
        };
        match length {
            length if length > u64::from(sector) && offset == start => format!("{length} bytes of {name}"),
            length if length > u64::from(sector) => format!("{what} and {length} bytes in all"),
            length if length == u64::from(sector) => what,
            length => format!("{length} bytes of {what}"),
        }
    }

    /// What is written there.
    fn content(&self, disk: DiskId, offset: u64, length: u64, bytes: &[u8]) -> String {
        let kind = self.setup.record_at(disk, offset).map_or(SectorKind::Unused, |(_, kind)| kind);
        match Sector::decode(kind, bytes, u32::try_from(length).unwrap_or(u32::MAX)) {
            Sector::Zero => "zeros".to_string(),
            Sector::Delta { lease, bitmap } => format!(
                "owner {} \"{}\", generation {}, timestamp {}{}",
                lease.owner_id,
                lease.owner_name,
                lease.owner_generation,
                lease.timestamp,
                calls_text(&lease.event, &bitmap)
            ),
            Sector::Leader(leader) => leader_text(&leader),
            Sector::Cleared(leader) => format!("cleared; {}", leader_text(&leader)),
            Sector::Request(request) => {
                format!("lver {} is asked for, force mode {}", request.lver, request.force_mode)
            }
            Sector::HostBlock(block) => block_text(&block),
            Sector::RindexHeader(_) | Sector::RindexEntries(_) | Sector::Other(_) => format!("{} bytes", bytes.len()),
        }
    }

    fn answer(&self, f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
        match answer {
            Answer::Joined { generation } => write!(f, "joined, generation {generation}"),
            Answer::Acquired { lver } => write!(f, "acquired, lver {lver}"),
            Answer::Done => f.write_str("done"),
            Answer::Held(held) if held.is_empty() => f.write_str("nothing is held"),
            Answer::Held(held) => {
                f.write_str("held:")?;
                held.iter().try_for_each(|holding| {
                    let (space, resource) = (Word(holding.lockspace), Word(holding.resource));
                    match holding.mode {
                        Mode::Exclusive => write!(f, " {space}:{resource} lver {}", holding.lver),
                        Mode::Shared => write!(f, " {space}:{resource} shared"),
                    }
                })
            }
            Answer::Lvb(value) => write!(f, "value {}", Hex(value)),
            Answer::Indexed { name, offset } => write!(f, "{} at {offset}", Word(*name)),
            Answer::Owners { lver, owners } => {
                write!(f, "lver {lver}, owners:")?;
                owners.iter().try_for_each(|owner| {
                    let (id, generation) = (owner.host_id, owner.generation);
                    match owner.timestamp.is_free() {
                        true => write!(f, " {id} gen {generation} shared"),
                        false => write!(f, " {id} gen {generation} timestamp {}", owner.timestamp),
                    }
                })
            }
            Answer::Space { name, io_timeout, geometry } => {
                let (sector, align) = (geometry.sector(), geometry.align());
                write!(f, "lockspace {}, io_timeout {io_timeout}, sectors of {sector} in areas of {align}", Word(*name))
            }
            Answer::Hosts(hosts) if hosts.is_empty() => f.write_str("no host was ever seen"),
            Answer::Hosts(hosts) => {
                f.write_str("hosts:")?;
                hosts.iter().try_for_each(|host| {
                    let (id, generation, timestamp) = (host.host_id, host.generation, host.timestamp);
                    write!(f, " {id} gen {generation} timestamp {timestamp} {:?}", host.state)
                })
            }
        }
    }
}

/// Whom a delta lease calls, and what it tells.
fn calls_text(event: &HostEvent, bitmap: &Bitmap) -> String {
    let mut text = String::new();
    if *event != HostEvent::default() {
        let HostEvent { generation, event, data } = event;
        text = format!(", event {event} data {data} for generation {generation}");
    }
    let mut called = bitmap.iter();
    if let Some(first) = called.next() {
        text.push_str(&format!(", calls {first}"));
        let more = called.map(|host| host.0).collect::<Vec<_>>();
        match &more[..] {
            [] => {}
            few if few.len() <= 8 => few.iter().for_each(|host| text.push_str(&format!(" {host}"))),
            many => text.push_str(&format!(" and {} more", many.len())),
        }
    }
    text
}

fn leader_text(leader: &Leader) -> String {
    let Leader { owner_id, owner_generation, lver, timestamp, write_id, write_generation, .. } = leader;
    let free = if timestamp.is_free() { ", free" } else { "" };
    format!(
        "owner {owner_id} generation {owner_generation}, lver {lver}, timestamp {timestamp}{free}, written by {write_id} \
         generation {write_generation}"
    )
}

fn block_text(block: &HostBlock) -> String {
    let HostBlock { mbal, bal, inp, inp2, inp3, lver, .. } = block;
    let released = if block.released() { ", RELEASED" } else { "" };
    let shared = if block.mode.shared() { ", SHARED" } else { "" };
    format!("lver {lver}, mbal {mbal}, bal {bal}, inp {inp} generation {inp2} timestamp {inp3}{released}{shared}")
}

fn event_text(f: &mut fmt::Formatter<'_>, event: &Event) -> fmt::Result {
    match event {
        Event::Joined { lockspace, host_id, generation, timestamp } => write!(
            f,
            "lockspace {}: joined as host id {host_id} generation {generation}, timestamp {timestamp}",
            lockspace.0
        ),
        Event::JoinFailed { lockspace, why } => write!(f, "lockspace {}: join failed: {why}", lockspace.0),
        Event::Renewed { lockspace, timestamp, read, write } => {
            let (read, write) = (Seconds(read.micros()), Seconds(write.micros()));
            write!(f, "lockspace {}: renewed, timestamp {timestamp} (read {read} s, write {write} s)", lockspace.0)
        }
        Event::RenewalFailed { lockspace, why } => write!(f, "lockspace {}: renewal failed: {why}", lockspace.0),
        Event::Scanned { lockspace } => write!(f, "lockspace {}: other hosts checked", lockspace.0),
        Event::Killing { lockspace, failed } => {
            let why = if *failed { "failed" } else { "is to be left" };
            write!(f, "lockspace {}: {why}, its users are killed", lockspace.0)
        }
        Event::Cleared { lockspace } => write!(f, "lockspace {}: all its users are gone", lockspace.0),
        Event::Left { lockspace, released } => {
            let how = if *released { "delta lease set free" } else { "delta lease left as it is" };
            write!(f, "lockspace {}: left, {how}", lockspace.0)
        }
        Event::OwnerWait { worker, owner, generation } => {
            write!(f, "worker {worker}: owner {owner} generation {generation} may be alive, wait")
        }
        Event::Run { worker, because, lver } => {
            write!(f, "worker {worker}: lease may be taken ({}), ballot for lver {lver}", takeable_words(*because))
        }
        Event::Ballot { worker, lver, mbal } => write!(f, "worker {worker}: ballot lver {lver} mbal {mbal}"),
        Event::BallotAborted { worker, why } => write!(f, "worker {worker}: ballot aborted: {why}"),
        Event::Chosen { worker, lver, owner, generation } => {
            write!(f, "worker {worker}: ballot chose owner {owner} generation {generation} for lver {lver}")
        }
        Event::Restarted { worker } => write!(f, "worker {worker}: leader changed, acquire starts again"),
        Event::Heeded { place, held, wanted, force_mode } => {
            let how = if *force_mode == 1 { "killed" } else { "asked to go" };
            let (disk, offset) = (place.disk.0, place.offset);
            write!(f, "lver {wanted} of the lease at d{disk}:{offset} is asked for, the holder of lver {held} is {how}")
        }
        Event::Retracting => f.write_str("a failed acquire is retracted"),
        Event::Rare(rare) => write!(f, "rare: {}", rare.words()),
    }
}

fn takeable_words(because: Takeable) -> &'static str {
    match because {
        Takeable::Free => "free",
        Takeable::Mine => "already ours",
        Takeable::MyEarlierLife => "our earlier life's",
        Takeable::OwnerLeft => "owner left",
        Takeable::OwnerRejoined => "owner has a newer generation",
        Takeable::OwnerDead => "owner is dead",
        Takeable::Released => "owner's block says RELEASED",
        Takeable::LeaderRegressed => "a block has a higher version than the leader",
    }
}

/// Microseconds as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
