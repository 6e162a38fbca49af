//! The seam: everything that goes into an engine and everything that comes out of it, as plain values.
//!
//! **The contract of use, once.** Call [`Engine::handle`](crate::Engine::handle) with the host's current time and one [`Input`];
//! carry out *all* the [`Output`]s it appended, in order. Then:
//!
//! * `now` never goes back.
//! * Each [`Slot`] that was read or written gets exactly one [`Input::IoDone`], as late as it may be. The engine has
//!   deadlines of its own, but an I/O is never cancelled: a slot stays taken until its completion comes.
//! * A task that asked for [`Output::WakeWithin`] is woken once within the range, unless the task is stalled or a later
//!   `WakeWithin` or `NoWake` of the same task replaced it. A wake that is not wanted any more is harmless.
//! * A completion that arrives before the wake of its deadline counts as success, however late it is.
//! * Each request gets exactly one [`Output::Reply`].

mod data;
mod declared;
mod parts;

pub use declared::{Killpath, Restricted, Setting};
pub use parts::{
    EventChange, EventTerms, Holding, HostState, HostStatus, IndexChange, IndexOperation, Mode, Orphan, Owner, Terms,
    ToldEvent,
};

use crate::format::{Geometry, HostEvent, Name};
use crate::numbers::{Generation, HostId, Lver, Numbers, Second, Span, Stamp, Time, Visit};
use crate::refusal::Refusal;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One of the disks that this host's lockspaces and resources lie on, as the embedder numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct DiskId(pub u8);

/// A place for one I/O under way. Reused as soon as the completion was handled, never before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub u16);

/// A lockspace of this engine: an index that is reused after the lockspace is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LsId(pub u8);

/// A client connection, as the embedder numbers them. May be reused once [`Input::Exited`] was handled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u8);

impl ClientId {
    /// The connection of the administrator's agent, which holds nothing.
    pub const ADMIN: ClientId = ClientId(u8::MAX);
}

/// A request, as the embedder numbers them. May be reused after the reply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u16);

/// The threads of the daemon. Each is woken on its own, so that one can be stalled while the others run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Task {
    /// The main loop: client messages, the failure check, the scan of other hosts, killing.
    Main,
    /// The thread of one lockspace: join, renewals, leave.
    Lockspace(LsId),
    /// A worker that carries out one client command with disk I/O at a time.
    Worker(u8),
    /// The resource thread: releases in the background.
    Resource,
}

/// What a host knows about its own last life when its daemon starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LastLife {
    /// The operating system booted since: nothing of the last life can still run, and no I/O of it is on its way.
    Gone,
    /// Only the daemon started anew: client processes of the last life may still be running.
    Unknown,
}

/// Where an area begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    /// The disk.
    pub disk: DiskId,
    /// Byte offset of the area from the start of the disk.
    pub offset: u64,
}

/// What goes in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// A request of a client or administrator. Received by the main loop.
    Request {
        /// Number under which the reply will come.
        id: RequestId,
        /// The connection that it came over. Administrative requests may come over any.
        client: ClientId,
        /// What is asked for.
        request: Request,
    },
    /// The I/O in `slot` completed.
    IoDone {
        /// The slot of the I/O.
        slot: Slot,
        /// How it ended.
        result: IoResult,
    },
    /// A wake that was asked for.
    Wake {
        /// The task to run.
        task: Task,
    },
    /// The connection of a client closed while its process goes on running.
    HungUp {
        /// The connection.
        client: ClientId,
    },
    /// Bytes came over the connection of a client that are no message: of two threads at once, cut off by a signal, of
    /// somebody who does not speak the protocol. They are thrown away, and are no sign that the client is gone.
    Garbage {
        /// The connection.
        client: ClientId,
    },
    /// A client's process exited, and its connection with it.
    Exited {
        /// The connection.
        client: ClientId,
    },
    /// wdmd's answer to [`WatchdogMessage::Connect`] or [`WatchdogMessage::Arm`].
    Watchdog {
        /// The lockspace whose connection it is about.
        lockspace: LsId,
        /// The answer.
        answer: WatchdogAnswer,
    },
}

/// What a client or an administrator can ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Request {
    /// Join a lockspace (`sanlock add_lockspace`). Answer: [`Answer::Joined`].
    AddLockspace {
        /// Name of the lockspace.
        name: Name,
        /// The host id to own in it.
        host_id: HostId,
        /// Where its area lies.
        place: Place,
        /// io_timeout in seconds; 0 means 10.
        io_timeout: u32,
    },
    /// Leave a lockspace (`sanlock rem_lockspace`): kills its users first. Answer: [`Answer::Done`] when it is gone.
    RemLockspace {
        /// Name of the lockspace.
        name: Name,
        /// Refuse (-16) if any resource of it is in use instead of killing the users.
        unused: bool,
    },
    /// Acquire a resource for the client that asks. Answer: [`Answer::Acquired`].
    Acquire {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// Where its area lies.
        place: Place,
        /// In which mode, and on which conditions.
        terms: Terms,
    },
    /// Change the mode in which the asking client holds a resource. Answer: [`Answer::Acquired`], with the version that is
    /// held now; a refusal leaves it as it was.
    Convert {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// The mode wanted.
        mode: Mode,
        /// Do not wait for an owner that may be dead (-247).
        nowait: bool,
    },
    /// Change the bytes that the next holder of a resource is handed (`sanlock client set_lvb`). They are written when an
    /// exclusive hold ends. Answer: [`Answer::Done`].
    SetLvb {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// The bytes, no more than a sector.
        value: Arc<[u8]>,
    },
    /// The bytes that the holder before handed on, or that were set since. Answer: [`Answer::Lvb`].
    GetLvb {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
    },
    /// Release a resource that the client holds. Answer: [`Answer::Done`].
    Release {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
    },
    /// What the asking client holds (`sanlock client inquire`). Answer: [`Answer::Held`].
    Inquire,
    /// Release a resource that the client holds, and give it another name on disk on the way. Answer: [`Answer::Done`].
    Rename {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// Its name from then on.
        renamed: Name,
    },
    /// The hosts of a lockspace as observed from here (`sanlock client gets -h 1`). Answer: [`Answer::Hosts`].
    GetHosts {
        /// Name of the lockspace.
        lockspace: Name,
    },
    /// Ask whoever holds a resource to give it up (`sanlock client request`): leaves a request record, and calls the owner
    /// with the next renewals. Version 0 without force takes the request back. Answer: [`Answer::Done`], also if nobody
    /// holds it, and so nobody is asked.
    Call {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// Where its area lies.
        place: Place,
        /// The version that is wanted, which must be higher than the one that is held (-272).
        lver: Lver,
        /// Want the version after the one that is held; only if `lver` is 0.
        next: bool,
        /// What is to happen to the holder: see [`RequestRecord::force_mode`](crate::format::RequestRecord).
        force_mode: u32,
    },
    /// Look at the requests for what this host holds in a lockspace (`sanlock client examine`). Answer: [`Answer::Done`],
    /// before anything was looked at.
    Examine {
        /// Name of the lockspace.
        lockspace: Name,
        /// Only for this resource; the empty name: for each.
        resource: Name,
    },
    /// Tell another host something with the next renewals (`set_event`). Answer: [`Answer::Done`].
    SetEvent {
        /// Name of the lockspace.
        lockspace: Name,
        /// Whom.
        host_id: HostId,
        /// What, and which of its lives.
        event: HostEvent,
        /// How.
        terms: EventTerms,
    },
    /// Hear from now on what other hosts tell this one (`reg_event`). Answer: [`Answer::Done`].
    RegEvent {
        /// Name of the lockspace.
        lockspace: Name,
    },
    /// Hear of it no more (`end_event`). Answer: [`Answer::Done`].
    EndEvent {
        /// Name of the lockspace.
        lockspace: Name,
    },
    /// Who owns a resource according to its area alone: nobody is asked whether they live. Needs no lockspace. Answer:
    /// [`Answer::Owners`].
    ReadOwners {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// Where its area lies.
        place: Place,
        /// Sector and area size that it must have (-22); none: those that it has.
        geometry: Option<Geometry>,
    },
    /// What the record of a host id says of its lockspace. Needs no lockspace to be joined. Answer: [`Answer::Space`].
    ReadLockspace {
        /// Name that the lockspace must have (-226); the empty name: the one that it has.
        lockspace: Name,
        /// Whose record; 0: the first.
        host_id: HostId,
        /// Where its area lies.
        place: Place,
    },
    /// Something about a resource index. Answer: [`Answer::Indexed`] or [`Answer::Done`].
    Index {
        /// Name of the lockspace.
        lockspace: Name,
        /// Where the index begins.
        place: Place,
        /// Without a lockspace, and so without the index's private lease: nobody else may be using the disk
        /// (`sanlock direct`).
        direct: bool,
        /// What.
        operation: IndexOperation,
    },
    /// From now on this program is run in place of SIGTERM when a lockspace fails in which the asking client holds
    /// something (`sanlock client killpath`). Answer: [`Answer::Done`].
    SetKillpath(Killpath),
    /// From now on the asking client is never sent these signals (`sanlock_restrict`). Answer: [`Answer::Done`].
    Restrict(Restricted),
    /// Declares that something which no client stands for uses a lockspace, or that nothing does any more
    /// (`sanlock client set_config`). Answer: [`Answer::Done`].
    SetConfig {
        /// Name of the lockspace.
        lockspace: Name,
        /// What is declared.
        setting: Setting,
    },
    /// Whether a lockspace is joined (`sanlock client inq_lockspace`). Answer: [`Answer::Done`] if it is; -115 while it is
    /// being joined or left, -2 if it is not known.
    InquireLockspace {
        /// Name of the lockspace.
        name: Name,
        /// Answer when it is not being joined or left any more.
        wait: bool,
    },
    /// Ends the daemon (`sanlock shutdown`): at once if it has no lockspace, otherwise only if it is forced, which removes
    /// them all, as [`Request::RemLockspace`] does. Answer: [`Answer::Done`].
    Shutdown {
        /// Even if there are lockspaces.
        force: bool,
        /// Answer when the daemon ends, or that it does not (-16). Otherwise the answer comes at once, and says nothing.
        wait: bool,
    },
}

/// How an I/O ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IoResult {
    /// A read completed with these data.
    Read(ReadData),
    /// A write completed.
    Written,
    /// Fewer bytes than asked for were transferred (-90).
    Short,
    /// The kernel answered with this errno, a positive number: 5 for EIO.
    Failed(u16),
    /// The device is gone (-19).
    NoDevice,
}

/// Data as they came from a disk: runs of equal pieces, never one long copy.
///
/// A piece is `unit` bytes long; trailing zero bytes of a piece are left out, so that an empty piece is a zero sector.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReadData {
    /// Bytes per piece: the sector size of the disk.
    pub unit: u32,
    /// Number of equal pieces, and their bytes without trailing zeros.
    pub runs: Vec<(u32, Arc<[u8]>)>,
}

/// wdmd's answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WatchdogAnswer {
    /// The connection stands, or the lockspace is armed; the device fires this many seconds after its last ping.
    Ready {
        /// The fire timeout that wdmd reports.
        fire_timeout: u32,
    },
    /// There is no wdmd, or it refused.
    Refused,
}

/// What comes out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// Read `length` bytes.
    Read {
        /// The task that issues it, and to which its completion is delivered.
        task: Task,
        /// The slot that this I/O occupies.
        slot: Slot,
        /// The disk.
        disk: DiskId,
        /// Byte offset from the start of the disk.
        offset: u64,
        /// Bytes to read, a multiple of the sector size.
        length: u64,
    },
    /// Write `bytes` and zeros up to `length`: one whole sector, or (around an index) one whole area.
    Write {
        /// The task that issues it, and to which its completion is delivered.
        task: Task,
        /// The slot that this I/O occupies.
        slot: Slot,
        /// The disk.
        disk: DiskId,
        /// Byte offset from the start of the disk.
        offset: u64,
        /// Bytes to write, a multiple of the sector size.
        length: u64,
        /// Those bytes without trailing zeros.
        bytes: Arc<[u8]>,
    },
    /// Wake `task` once, not before `earliest` and not after `latest`. Replaces what was asked for the task before. The
    /// range is the scheduler's and the random back-off's freedom: the engine has no dice.
    WakeWithin {
        /// The task.
        task: Task,
        /// First moment, on this host's clock.
        earliest: Time,
        /// Last moment, on this host's clock.
        latest: Time,
    },
    /// The task waits for no time any more.
    NoWake {
        /// The task.
        task: Task,
    },
    /// A message to wdmd over the lockspace's own connection.
    Watchdog {
        /// The lockspace.
        lockspace: LsId,
        /// The message.
        message: WatchdogMessage,
    },
    /// Send a signal to a client's process.
    Signal {
        /// The client.
        client: ClientId,
        /// Which signal.
        signal: Signal,
    },
    /// Send a signal to the daemon's own process group: what a helper does that is to signal process 0. Only
    /// [`RequestOfShared::OwnGroup`](crate::profile::RequestOfShared) does that.
    SignalSelf {
        /// Which signal.
        signal: Signal,
    },
    /// Tell a client what another host sends.
    Notify {
        /// The client, which asked to hear of it.
        client: ClientId,
        /// What is told.
        told: ToldEvent,
    },
    /// Run the program that a client named for this, once.
    RunKillpath {
        /// The client.
        client: ClientId,
        /// The program.
        killpath: Killpath,
    },
    /// The daemon ends: the last output of all, after which the engine is to be dropped.
    Exit,
    /// The answer to a request.
    Reply {
        /// The request.
        id: RequestId,
        /// What came of it.
        result: Result<Answer, Refusal>,
    },
    /// Something that happened inside, for status, history and invariants; nothing needs to be done about it.
    Event(Event),
}

/// Messages to wdmd, named after its protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WatchdogMessage {
    /// Connect. Answered by [`Input::Watchdog`].
    Connect,
    /// REGISTER, REFCOUNT_SET, STATUS and the first TEST_LIVE. Answered by [`Input::Watchdog`].
    Arm {
        /// When the lease was last renewed, on this host's clock.
        renewal: Second,
        /// When it expires: 8·io_timeout later.
        expire: Second,
    },
    /// TEST_LIVE after a renewal.
    TestLive {
        /// When the lease was last renewed, on this host's clock.
        renewal: Second,
        /// When it expires: 8·io_timeout later.
        expire: Second,
    },
    /// TEST_LIVE(0, 0), REFCOUNT_CLEAR and close: the lockspace needs no watchdog any more.
    Disarm,
}

/// Signals that the recovery sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

/// Answers to requests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Answer {
    /// The lockspace is joined.
    Joined {
        /// The generation under which the host id is owned.
        generation: Generation,
    },
    /// The resource is held.
    Acquired {
        /// The version of the lease, usable as a fencing token.
        lver: Lver,
    },
    /// What was asked for is done.
    Done,
    /// What the client holds.
    Held(Vec<Holding>),
    /// The bytes that are handed on, without trailing zeros.
    Lvb(Arc<[u8]>),
    /// The hosts that were ever seen, by host id.
    Hosts(Vec<HostStatus>),
    /// A resource in an index.
    Indexed {
        /// Its name; empty where none is recorded.
        name: Name,
        /// Byte offset of its area from the start of the disk.
        offset: u64,
    },
    /// What the area of a resource says.
    Owners {
        /// The version of its leader.
        lver: Lver,
        /// The owner, if there is one, and then whoever shares it, by host id.
        owners: Vec<Owner>,
    },
    /// What a record says of its lockspace.
    Space {
        /// Its name.
        name: Name,
        /// Seconds.
        io_timeout: u64,
        /// Sector and area size.
        geometry: Geometry,
    },
}

/// What happened inside an engine, for whoever shows or judges it. Events decide nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// The delta lease is acquired and the lockspace usable.
    Joined {
        /// The lockspace.
        lockspace: LsId,
        /// The host id.
        host_id: HostId,
        /// The generation.
        generation: Generation,
        /// The stamp of the acquiring write.
        timestamp: Stamp,
    },
    /// A join ended without owning the host id.
    JoinFailed {
        /// The lockspace.
        lockspace: LsId,
        /// Why.
        why: Refusal,
    },
    /// A renewal succeeded.
    Renewed {
        /// The lockspace.
        lockspace: LsId,
        /// Its new stamp.
        timestamp: Stamp,
        /// How long the read took on the host's clock.
        read: Span,
        /// How long the write took.
        write: Span,
    },
    /// A renewal failed.
    RenewalFailed {
        /// The lockspace.
        lockspace: LsId,
        /// Why.
        why: Refusal,
    },
    /// The main loop scanned the other hosts' records.
    Scanned {
        /// The lockspace.
        lockspace: LsId,
    },
    /// The main loop found the lockspace failed (`failed`) or is to remove it, and begins to kill its users.
    Killing {
        /// The lockspace.
        lockspace: LsId,
        /// Entered through failure, not through removal.
        failed: bool,
    },
    /// All users are gone: the watchdog is disarmed and the lockspace thread told to stop.
    Cleared {
        /// The lockspace.
        lockspace: LsId,
    },
    /// The lockspace is forgotten.
    Left {
        /// The lockspace.
        lockspace: LsId,
        /// Whether the delta lease was set free on disk.
        released: bool,
    },
    /// An acquire waits for an owner that may be dead.
    OwnerWait {
        /// The worker.
        worker: u8,
        /// The owner.
        owner: HostId,
        /// Its generation.
        generation: Generation,
    },
    /// An acquire judged the lease takeable and starts its first ballot.
    Run {
        /// The worker.
        worker: u8,
        /// Why the owner's time is over.
        because: Takeable,
        /// The version that the ballot is for.
        lver: Lver,
    },
    /// A ballot begins: its phase-1 block is about to be written.
    Ballot {
        /// The worker.
        worker: u8,
        /// The version.
        lver: Lver,
        /// The ballot number.
        mbal: crate::numbers::Mbal,
    },
    /// A ballot was aborted by a higher version (-212) or number (-213).
    BallotAborted {
        /// The worker.
        worker: u8,
        /// Which of the two.
        why: Refusal,
    },
    /// A ballot completed: the value is chosen, and the leader about to be written.
    Chosen {
        /// The worker.
        worker: u8,
        /// The version.
        lver: Lver,
        /// The chosen owner.
        owner: HostId,
        /// Its generation.
        generation: Generation,
    },
    /// An acquire began anew because the leader changed.
    Restarted {
        /// The worker.
        worker: u8,
    },
    /// A request for something that this host holds was found, and is heeded: whoever holds it is signalled.
    Heeded {
        /// Where the area of the resource lies.
        place: Place,
        /// The version that is held.
        held: Lver,
        /// The version that is asked for.
        wanted: Lver,
        /// How: 1 by force, 2 gracefully.
        force_mode: u32,
    },
    /// A failed acquire withdraws what it may have left on disk.
    Retracting,
    /// A rare branch was taken; see [`Rare`].
    Rare(Rare),
}

/// Why a lease may be taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Takeable {
    /// The leader's timestamp is zero.
    Free,
    /// This very instance owns it on disk.
    Mine,
    /// An earlier life of this host owned it.
    MyEarlierLife,
    /// The owner's delta lease is free.
    OwnerLeft,
    /// The owner's host id has a newer generation.
    OwnerRejoined,
    /// The owner was not seen alive for so long that its watchdog must have fired.
    OwnerDead,
    /// The owner is alive but its block says RELEASED.
    Released,
    /// A host block of a higher version shows that the leader's version is over.
    LeaderRegressed,
}

macro_rules! rare_branches {
    ($( $(#[$doc:meta])* $name:ident = $words:literal; )*) => {
        /// Branches that only rare schedules reach. A campaign reports in how many of its runs each was hit.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Rare {
            $( $(#[$doc])* $name, )*
        }

        impl Rare {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Rare] = &[ $( Rare::$name, )* ];

            /// What it is called in reports.
            pub const fn id(self) -> &'static str {
                match self { $( Rare::$name => stringify!($name), )* }
            }

            /// What it means, as a line of a trace tells it.
            pub const fn words(self) -> &'static str {
                match self { $( Rare::$name => $words, )* }
            }
        }
    };
}

rare_branches! {
    /// A timed-out read of the area was adopted by the next renewal.
    LateReadAdopted = "a timed-out read is adopted";
    /// An earlier write to the same sector was still outstanding, so a write had to wait.
    SectorBusy = "an earlier write to the sector is outstanding";
    /// All I/O slots of a task were taken by stuck I/Os.
    NoAioSlot = "all AIO slots are stuck";
    /// Our own value had been committed by another host.
    CommittedByOther = "our value was committed by another host";
    /// A value of another host was carried through a ballot.
    AdoptedOther = "a value of another host is carried through";
    /// A block of our own life before, at the same version, was kept.
    KeptOwnVote = "a vote of our life before is kept";
    /// An acquire finished into a lockspace that was failing or had been joined anew.
    GrantRefused = "the lockspace failed or changed during the acquire";
    /// A client exited while its acquire was running.
    ClientGoneDuringAcquire = "the client went away during its acquire";
    /// A release was handed to the resource thread.
    BackgroundRelease = "the release goes on in the background";
    /// The leader was written by another host, so the RELEASED flag alone releases.
    ReleasedByFlagAlone = "the leader is another host's, RELEASED alone releases";
    /// A renewal was refused because the last success was too long ago.
    RenewalTooOld = "the last renewal is too old to renew";
    /// A join waited although the record bears our own name, since our last life may still be running.
    WaitedForOwnLife = "our own last life may still run, wait";
    /// An I/O of a join was answered when its time was over, before anybody noticed that.
    AnsweredLate = "the answer comes when its time is over";
    /// A join was confirmed so late that the record may have been dead to others.
    JoinTooOld = "the join took too long to count";
    /// A host id was not set free, since another host may have taken it over.
    FreeWithheld = "too late to set the host id free";
    /// A look or a ballot found a block whose checksum is wrong, and the acquire failed.
    DamagedBlock = "a block is damaged";
    /// The leader states other sizes than the lockspace, so the acquire began anew with them.
    GeometryRestart = "the leader states other sizes";
    /// A block of a higher version showed that the leader is a late write of the past.
    LeaderOverruled = "a block overrules the leader";
    /// A living owner's block said RELEASED, so its lease was takeable.
    OwnerReleasedByFlag = "the owner lives, and its block says RELEASED";
    /// The leader changed while an acquire waited for its owner.
    LeaderChangedInWait = "the leader changed during the wait";
    /// The leader changed between the judgement of the owner and the ballot.
    LeaderChangedBeforeBallot = "the leader changed before the ballot";
    /// The version of a ballot was found committed for another instance.
    VersionTaken = "the version was taken by another";
    /// A value that this instance had given up was found committed, or committed by it.
    GivenUpVoteWon = "a vote that was given up has won";
    /// A ballot was aborted after the read of phase 1.
    AbortedInPhase1 = "aborted in phase 1";
    /// A ballot was aborted after the read of phase 2: its value may have been seen by then.
    AbortedInPhase2 = "aborted in phase 2";
    /// A ballot was aborted by a block of a higher version.
    BallotOvertaken = "a higher version is under way";
    /// The write or the read of phase 2 failed: the vote may stand on disk.
    VoteUnknown = "the vote may stand on disk";
    /// The write of the leader failed: the lease may be ours on disk.
    CommitUnknown = "the leader may have been written";
    /// What a failed acquire left was withdrawn by the resource thread.
    RetractInBackground = "the withdrawal goes on in the background";
    /// An acquire ended where it was, since its lockspace is failing or gone.
    AcquireDropped = "the acquire is dropped with its lockspace";
    /// The block with RELEASED could not be written, and the release went on without it.
    ReleaseBlockFailed = "RELEASED could not be written";
    /// The write of a free leader failed: the lease may be free on disk or not.
    FreeUnknown = "the free leader may have been written";
    /// A release found the leader moved on.
    ReleaseOvertaken = "the leader moved on before the release";
    /// A release wrote nothing, since its lockspace is failing or gone.
    ReleasedWithoutIo = "nothing is written, the lockspace is failing";
    /// A release in the background failed, to be tried again.
    BackgroundRetried = "the release is tried again later";
    /// A client exited before a worker took up its command.
    QueuedOfGoneClient = "the client went away with a command in the queue";
    /// The host id is lost, so users are killed without grace.
    KilledAtOnce = "the host id is lost, no grace";
    /// A user of a failed lockspace did not heed SIGTERM in time and is sent SIGKILL.
    GraceOver = "the grace is over";
    /// A user was signalled as often as it may be and still holds something.
    KillLimit = "signalled as often as it may be";
    /// A timed-out read did not come within the extension either, so a new one was issued.
    LateReadGivenUp = "the late read does not come";
    /// A join waited for the owner of the record and saw it alive.
    JoinOwnerAlive = "the owner of the host id is alive";
    /// A join read its record back and found another's.
    JoinLostRace = "another was faster";
    /// A join that ended after its write set the host id free again.
    JoinUndone = "the join is undone";
    /// wdmd did not answer as a join needs it.
    WatchdogRefused = "wdmd refuses";
    /// The write of a renewal failed: either stamp may stand on disk.
    RenewalUnknown = "either stamp may stand on disk";
    /// A renewal that had failed was found on disk.
    UnknownRenewalLanded = "the failed renewal had landed";
    /// A renewal found a record that is not the one it wrote.
    HostIdLost = "the record is not ours any more";
    /// A lockspace was left with the host id still owned on disk, since the last renewal failed.
    LeftWithoutFree = "left without setting the host id free";
    /// A lockspace thread ended while I/O of it was still in the kernel.
    DrainGivenUp = "I/O is left in the kernel";
    /// A lockspace was removed while it was being joined.
    RemovedWhileJoining = "removed while it is being joined";
    /// A lease was won that others hold shared.
    SharedHolderAlive = "others hold it shared";
    /// Another host's block said SHARED, for an instance that is over.
    SharedHolderDead = "a dead host's block still says SHARED";
    /// A shared acquire met a host that holds the lease for a moment only.
    ShortHoldMet = "another host has it for a moment, look again";
    /// A client shares what its host held already.
    SharedLocally = "shared without I/O, for the host holds it already";
    /// A conversion that failed had to withdraw what it won, more than once.
    ConversionUndone = "what a conversion won could not be given back yet";
    /// A conversion to shared had to be tried again.
    DowngradeRepeated = "the conversion to shared is tried again";
    /// A client left a resource behind that the next one adopted.
    OrphanAdopted = "an orphan is adopted";
    /// A renewal told another host something.
    HostsCalled = "other hosts are called";
    /// A host event was for another life of this host, or for nobody that listens.
    EventDropped = "an event is for another life";
    /// Host ids that are called because of a request wait until an event is over.
    CallWaits = "a request waits for the end of an event";
    /// A request was found for what several processes share.
    SharedAsked = "sharers are asked to go";
    /// A request that was heeded was wiped out.
    RequestWiped = "the request is wiped out";
    /// This host was called and did not look, since it had looked a short while ago.
    CallIgnored = "called again too soon to look";
    /// A lockspace is failing or to be removed, and nobody is left to be killed, but something else uses it.
    StillUsed = "something else uses the lockspace";
    /// A user of a failing lockspace has a program run in place of a signal.
    KillpathRun = "a program is run in place of a signal";
    /// A user of a failing lockspace wants the signal that is due never to be sent to it.
    SignalRestricted = "the signal that is due is not wanted";
    /// A lockspace was left without setting the host id free, since a write of it is outstanding.
    FreeUnderWrites = "a write is outstanding, so the host id is not set free";
}

/// All that one call of the engine wants done, in order.
pub type Outputs = Vec<Output>;

impl Visit for WatchdogMessage {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        match self {
            WatchdogMessage::Arm { renewal, expire } | WatchdogMessage::TestLive { renewal, expire } => {
                numbers.second(renewal);
                numbers.second(expire);
            }
            WatchdogMessage::Connect | WatchdogMessage::Disarm => {}
        }
    }
}
