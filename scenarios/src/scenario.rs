//! Scenarios: a story, its cluster, what may go wrong in it, and what is expected of it. The plain value that a file is
//! read into; the words of the file are in [`crate::parse`].
//!
//! Almost every number may be a range. A seed draws from it, so that one scenario is a whole neighbourhood of stories.

use crate::check::CheckPlan;
use crate::decisions::Decisions;
use crate::deeds::{AdminDeed, ClientDeed};
use crate::dice::Range;
use crate::faults::{Fault, FaultWish, Mix, PerFault};
use lease_core::format::{Geometry, HostEvent};
use lease_core::seam::{EventTerms, IndexOperation};
use model::action::Part;
use model::limits::Budget;
use model::setup::Device;
use sim_disk::PathState;
use std::fmt;
use std::str::FromStr;

/// Which engine is under test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProfileName {
    /// What sanlock 3.8.5 does, holes included.
    Sanlock385,
    /// The safe decision at each point.
    Hardened,
}

impl ProfileName {
    /// Both.
    pub const ALL: [ProfileName; 2] = [ProfileName::Sanlock385, ProfileName::Hardened];

    /// What it is called on the command line, in scenarios and in results.
    pub const fn id(self) -> &'static str {
        match self {
            ProfileName::Sanlock385 => "sanlock_3_8_5",
            ProfileName::Hardened => "hardened",
        }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<ProfileName, String> {
        ProfileName::ALL
            .into_iter()
            .find(|profile| profile.id() == text)
            .ok_or_else(|| format!("expected sanlock_3_8_5 or hardened, found {text:?}"))
    }
}

/// What a scenario expects of a profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Every property holds on every seed.
    Holds,
    /// The property of this name (`I-EX`) is violated by some seed.
    Violated(String),
    /// Of a world with a bound: nothing is violated as far as its bound goes, and more is not asked.
    HoldsWithinBound,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Holds => f.write_str("holds"),
            Expected::Violated(property) => write!(f, "violated {property}"),
            Expected::HoldsWithinBound => f.write_str("holds within the bound"),
        }
    }
}

/// A closed range of signed whole numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// The least.
    pub low: i32,
    /// The greatest.
    pub high: i32,
}

/// A scenario. [`Scenario::text`] is all of it: parsing the text again gives the same value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// The name of its file without the extension.
    pub name: String,
    /// Where it came from, as errors tell it.
    pub file: String,
    /// The file in full. A trace carries it.
    pub text: String,
    /// The opening comment, without its number signs.
    pub story: String,
    /// Whether it leaves the tolerance.
    pub beyond: bool,
    /// Sector and area size, where an area does not state its own; the sector size of the disk.
    pub geometry: Geometry,
    /// The hosts.
    pub hosts: Vec<HostPlan>,
    /// The lockspaces.
    pub lockspaces: Vec<LockspacePlan>,
    /// The resources.
    pub resources: Vec<ResourcePlan>,
    /// The resource indices.
    pub indices: Vec<IndexPlan>,
    /// What the clients and the administrators' agents do.
    pub workload: Workload,
    /// How long a healthy I/O takes, in microseconds.
    pub latency: Range,
    /// How the faults of a seed are chosen.
    pub mix: Mix,
    /// The faults that may strike.
    pub faults: PerFault<Option<FaultWish>>,
    /// What happens by the script.
    pub script: Vec<ScriptedEvent>,
    /// The limits as the file states them. What it does not state is unlimited within the mode.
    pub limits: Vec<(Budget, u32)>,
    /// How long, and by when it must have recovered.
    pub run: RunPlan,
    /// If this is a world to be decided completely: what it consists of, beside the cluster.
    pub check: Option<CheckPlan>,
    /// Single decisions that differ from the profile.
    pub decisions: Decisions,
    /// What is expected of `sanlock_3_8_5`.
    pub expect_sanlock: Expected,
    /// What is expected of `hardened`.
    pub expect_hardened: Expected,
    /// The known bugs that it is about; see [`crate::KNOWN_BUGS`].
    pub bugs: Vec<String>,
}

/// A host as a scenario describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPlan {
    /// A short word: `A`.
    pub label: String,
    /// Its name, unique unless the story says otherwise.
    pub host_name: String,
    /// Its host id in every lockspace.
    pub host_id: u64,
    /// io_timeout in seconds.
    pub io_timeout: Range,
    /// The watchdog's fire timeout in seconds. `None`: the cluster's, drawn once for all hosts.
    pub watchdog: Option<Range>,
    /// The watchdog device.
    pub device: Device,
    /// Whether sanlock uses a watchdog at all.
    pub use_watchdog: bool,
    /// Times io_timeout from one renewal to the next. Only small worlds have another than sanlock.
    pub renewal_interval: u64,
    /// Times io_timeout from the last renewal to the failure of a lockspace. Only small worlds have another.
    pub failure_age: u64,
    /// The profile of this host, if it does not run the one under test.
    pub profile: Option<ProfileName>,
    /// Seconds between two tests of wdmd.
    pub test_interval: u64,
    /// Seconds of SIGTERM before SIGKILL.
    pub kill_grace: u64,
    /// How much faster than true time its clock runs, in parts per million.
    pub drift_ppm: Signed,
    /// What its clock shows at the start, in microseconds.
    pub clock: Range,
    /// Workers of the daemon.
    pub workers: u8,
    /// Seconds that a renewal waits for the read of the one before; `None`: io_timeout.
    pub read_extend: Option<u64>,
    /// When it is switched on, in microseconds from the start.
    pub starts: Range,
}

/// A lockspace as a scenario describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockspacePlan {
    /// Its name.
    pub name: String,
    /// Byte offset of its area.
    pub offset: u64,
    /// Sector and area size.
    pub geometry: Geometry,
}

/// A resource as a scenario describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourcePlan {
    /// Its name.
    pub name: String,
    /// Index of its lockspace.
    pub lockspace: u8,
    /// Byte offset of its area.
    pub offset: u64,
    /// Sector and area size.
    pub geometry: Geometry,
    /// How many hosts take part; 0: as many as the area has room for.
    pub num_hosts: u64,
}

/// A resource index as a scenario describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexPlan {
    /// Index of its lockspace.
    pub lockspace: u8,
    /// Byte offset of the index; behind it come its private lease and the areas of its resources.
    pub offset: u64,
    /// How many resources it has room for.
    pub max_resources: u32,
}

/// Which resource a process asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Any of them, drawn anew each time.
    Contend,
    /// First its own; if its host is not the first choice, any. A process that lost its host takes over elsewhere.
    Failover,
    /// Only its own: no two processes share one.
    Own,
}

/// What clients and agents do. Durations are in microseconds; "one in" counts occasions, 0 is never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Workload {
    /// Processes per host.
    pub processes: Range,
    /// What they ask for.
    pub style: Style,
    /// How long a resource is held.
    pub hold: Range,
    /// One hold in so many ends at once, in the same instant.
    pub zero_hold_one_in: u64,
    /// One acquire in so many asks to share.
    pub shared_one_in: u64,
    /// One hold in so many is converted to the other mode before its end.
    pub convert_one_in: u64,
    /// One acquire in so many wants the value that holders hand on.
    pub value_one_in: u64,
    /// One acquire in so many is for a hold that outlives its process.
    pub persistent_one_in: u64,
    /// One acquire in so many does not wait for an owner that may be dead.
    pub nowait_one_in: u64,
    /// One refusal in so many, because another host has the resource, is followed by a request for it.
    pub request_one_in: u64,
    /// One inquiry of an agent in so many tells another host something instead. 0: nobody listens, either.
    pub event_one_in: u64,
    /// One process in so many names a program that is run in place of SIGTERM.
    pub killpath_one_in: u64,
    /// One process in so many wants SIGTERM, SIGKILL or both never to be sent to it.
    pub restrict_one_in: u64,
    /// The pause between a release and the next acquire.
    pub idle: Range,
    /// The pause after a refusal.
    pub retry: Range,
    /// The pause between the end of a process and the start of the next in its place.
    pub respawn: Range,
    /// How long after SIGTERM a process ends.
    pub term_exit: Range,
    /// How long after SIGKILL a process ends.
    pub kill_exit: Range,
    /// How long a process lives on after its daemon died.
    pub orphan_exit: Range,
    /// How long after its daemon started, or after it left, an agent joins.
    pub rejoin: Range,
    /// How long after a reset by the watchdog a host boots.
    pub reboot: Range,
    /// The pause between two inquiries of an agent; none if both ends are zero.
    pub inquire: Range,
    /// The pause between two operations of an agent on the first index; none if both ends are zero.
    pub index: Range,
}

/// How long a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunPlan {
    /// Length of the safety act, in microseconds: faults strike until then.
    pub duration: Range,
    /// Whether the liveness act follows: everything is healed, and somebody must get each lease.
    pub heal: bool,
    /// By when after the healing, in microseconds; `None`: what the timeouts add up to.
    pub bound: Option<u64>,
}

/// Something that happens by the script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptedEvent {
    /// When: so many microseconds after the anchor.
    pub at: Range,
    /// After what.
    pub anchor: Anchor,
    /// To whom. `None`: to all hosts, or to nobody in particular.
    pub host: Option<u8>,
    /// What.
    pub deed: Deed,
    /// How long it lasts, in microseconds, if it can end; `None`: for good.
    pub lasts: Option<Range>,
}

/// A moment that a scripted event counts from. Each is the `nth` of its kind on the event's host (or on `of`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anchor {
    /// The start of the run.
    Start,
    /// A happening.
    After {
        /// Of this kind.
        what: Moment,
        /// On this host; `None`: on any.
        of: Option<u8>,
        /// The how manieth, counted from 1.
        nth: u32,
    },
}

/// Kinds of moments that a script can wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Moment {
    /// A lockspace was joined.
    Join,
    /// A renewal succeeded.
    Renewal,
    /// A client was told that it holds a resource.
    Grant,
    /// A resource was released.
    Release,
    /// A ballot began.
    Ballot,
    /// An acquire waits for an owner that may be dead.
    Wait,
    /// An acquire judged a lease takeable.
    Run,
    /// A value was chosen in a ballot.
    Chosen,
    /// The users of a lockspace are being killed.
    Killing,
    /// A lockspace was left.
    Left,
    /// wdmd tested.
    Test,
    /// The host went down.
    Down,
    /// The host came up.
    Up,
}

impl Moment {
    /// All of them with their names.
    pub const ALL: [(&'static str, Moment); 13] = [
        ("join", Moment::Join),
        ("renewal", Moment::Renewal),
        ("grant", Moment::Grant),
        ("release", Moment::Release),
        ("ballot", Moment::Ballot),
        ("wait", Moment::Wait),
        ("run", Moment::Run),
        ("chosen", Moment::Chosen),
        ("killing", Moment::Killing),
        ("left", Moment::Left),
        ("test", Moment::Test),
        ("down", Moment::Down),
        ("up", Moment::Up),
    ];
}

/// What a scripted event does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Power is lost. `lasts`: until it boots.
    PowerLoss,
    /// The host boots.
    PowerOn,
    /// The daemon is killed. `lasts`: until it starts again.
    KillDaemon,
    /// The daemon starts.
    StartDaemon,
    /// wdmd is killed.
    KillWdmd,
    /// A part stops running. `lasts`: until it goes on.
    Stall(Part),
    /// A part goes on.
    Resume(Part),
    /// The host is paused and its clock with it.
    StopClock,
    /// The path hangs, fails or is gone. `lasts`: until it is mended.
    Cut(PathState),
    /// The path is mended.
    Mend,
    /// The clock jumps forward by so many microseconds.
    JumpClock(Range),
    /// The clock runs so much faster than true time, in parts per million.
    Drift(Signed),
    /// The wall clock is stepped.
    StepWallClock,
    /// The content of the disk is remembered.
    Snapshot,
    /// The disk is rolled back to what was remembered last.
    Rollback,
    /// The host gets a copy of the disk of its own.
    SplitOff,
    /// A sector is overwritten: its byte offset, and its bytes without trailing zeros.
    Edit(u64, Vec<u8>),
    /// A lockspace is joined, by index.
    Join(u8),
    /// A lockspace is left, by index.
    Leave(u8),
    /// A process starts.
    Spawn(u8),
    /// A process asks for a resource.
    Acquire(u8, u8),
    /// A process asks to release a resource.
    Release(u8, u8),
    /// A process ends.
    Exit(u8),
    /// A process closes its connection.
    HangUp(u8),
    /// A process sends bytes that are no message.
    Garbage(u8),
    /// All reads of the host are refused, or all of its writes. `lasts`: until they work again.
    Refuse {
        /// Whether it is the writes.
        write: bool,
    },
    /// A resource is initialised anew, by index.
    Init(u8),
    /// A process, by number, says more than the deeds above.
    Client(u8, ClientDeed),
    /// An administrator does.
    Admin(AdminDeed),
    /// An agent asks for an operation on an index, by index.
    Index(u8, IndexOperation),
    /// An agent asks for a resource that another host holds.
    Call {
        /// The resource, by index.
        resource: u8,
        /// The version that is wanted; 0: the next.
        lver: u64,
        /// What becomes of the holder.
        force_mode: u32,
    },
    /// An agent lets its daemon look at the requests in a lockspace, by index.
    Examine(u8),
    /// An agent tells another host something.
    SetEvent {
        /// The lockspace, by index.
        lockspace: u8,
        /// The host that is told.
        to: u8,
        /// What.
        event: HostEvent,
        /// How.
        terms: EventTerms,
    },
    /// A process hears from now on what other hosts tell in a lockspace, by index.
    Listen(u8, u8),
    /// The next I/O of the host to an area has this fate.
    Io {
        /// Whether it is a write that is waited for.
        write: bool,
        /// To where.
        area: Area,
        /// What becomes of it.
        fate: IoFate,
        /// How many such I/Os are passed over.
        skip: u32,
    },
}

/// Part of the lease disk that a scripted I/O fate waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Area {
    /// Anywhere.
    Any,
    /// A lockspace area.
    Delta,
    /// The leader sector of a resource area, or (for a read) a resource area.
    Leader,
    /// A host block of a resource area, or (for a read) a resource area.
    Block,
    /// A resource index, or an area behind it.
    Index,
}

/// What becomes of a scripted I/O.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoFate {
    /// It takes effect after so many microseconds, and is answered after so many.
    Timed {
        /// Until it lands or is sampled.
        effect: Range,
        /// Until it completes; not before it took effect.
        answer: Range,
    },
    /// A fault strikes it.
    Struck(Fault),
}

impl Deed {
    /// The fault that it lets strike, if it is one.
    pub const fn fault(&self) -> Option<Fault> {
        Some(match self {
            Deed::PowerLoss => Fault::PowerLoss,
            Deed::KillDaemon => Fault::DaemonKill,
            Deed::KillWdmd => Fault::WdmdKill,
            Deed::Stall(Part::Task(_)) => Fault::TaskStall,
            Deed::Stall(Part::Daemon) => Fault::DaemonStall,
            Deed::Stall(Part::Wdmd) => Fault::WdmdStall,
            Deed::Stall(Part::Host) => Fault::HostPause,
            Deed::Stall(Part::Process(_)) => Fault::ProcessStop,
            Deed::StopClock => Fault::ClockStop,
            Deed::Cut(PathState::Hung) => Fault::CutOne,
            Deed::Cut(_) => Fault::PathFails,
            Deed::JumpClock(_) => Fault::ClockJump,
            Deed::Drift(_) => Fault::Drift,
            Deed::StepWallClock => Fault::WallClockStep,
            Deed::Rollback => Fault::Rollback,
            Deed::SplitOff => Fault::SplitDisk,
            Deed::Edit(..) => Fault::Edit,
            Deed::Leave(_) => Fault::Leave,
            Deed::HangUp(_) => Fault::HangUp,
            Deed::Garbage(_) => Fault::Garbage,
            Deed::Refuse { write: false } => Fault::ReadsFail,
            Deed::Refuse { write: true } => Fault::WritesFail,
            Deed::Init(_) => Fault::Init,
            Deed::Io { fate: IoFate::Struck(fault), .. } => *fault,
            Deed::Client(_, deed) => return deed.fault(),
            Deed::Admin(deed) => return deed.fault(),
            Deed::PowerOn
            | Deed::StartDaemon
            | Deed::Resume(_)
            | Deed::Mend
            | Deed::Snapshot
            | Deed::Join(_)
            | Deed::Spawn(_)
            | Deed::Acquire(..)
            | Deed::Release(..)
            | Deed::Exit(_)
            | Deed::Index(..)
            | Deed::Call { .. }
            | Deed::Examine(_)
            | Deed::SetEvent { .. }
            | Deed::Listen(..)
            | Deed::Io { .. } => return None,
        })
    }
}

impl Scenario {
    /// What is expected of `profile`.
    pub fn expected(&self, profile: ProfileName) -> &Expected {
        match profile {
            ProfileName::Sanlock385 => &self.expect_sanlock,
            ProfileName::Hardened => &self.expect_hardened,
        }
    }

    /// The first line of the story.
    pub fn title(&self) -> &str {
        self.story.lines().next().unwrap_or_default()
    }
}

/// A, B, .. Z, and then H27, H28, ..
pub(crate) fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
        _ => format!("H{}", index + 1),
    }
}
