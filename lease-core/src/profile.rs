//! What an engine is set up with: its parameters, and the profile, a table of named decisions.
//!
//! `sanlock_3_8_5` does what sanlock 3.8.5 does, holes included. `hardened` takes the safe decision at each named point
//! and writes the same bytes, so that it lives beside 3.8.5 hosts. No other line of the engine asks which profile it runs.

use crate::format::Name;
use crate::mutants::Mutant;
use alloc::vec::Vec;

/// One engine's set-up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The host's unique name (`-e`, `our_host_name`): at most 48 bytes, of which 47 reach the disk.
    pub host_name: Name,
    /// What to do at each named point.
    pub profile: Profile,
    /// The numbers.
    pub parameters: Parameters,
}

/// The numbers that sanlock compiles in or takes as options.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Parameters {
    /// Seconds from the last ping of this host's watchdog device to the reset (60; daemon §4).
    pub watchdog_fire_timeout: u64,
    /// The longest watchdog fire timeout of any host in the cluster, in seconds. It is not on disk, so it has to be
    /// told. Only a profile that asks for [`PeerFireTimeout::ClusterMax`] looks at it.
    pub peer_fire_timeout: u64,
    /// The longest io_timeout of any host in the cluster, in seconds; 0: no longer than this host's own. Only a profile
    /// that asks for [`JoinConfirmation::ClusterMax`] looks at it.
    pub peer_io_timeout: u64,
    /// How far a host's clock rate may be off, in parts per million. Only [`DriftAllowance::Waited`] looks at it.
    pub drift_ppm: u64,
    /// Times io_timeout from one renewal to the next (2). sanlock compiles it in; small worlds shrink it.
    pub renewal_interval: u64,
    /// Times io_timeout from the write of a join to its confirmation (2): whoever looked before that write is done with
    /// a write of its own by then. sanlock compiles it in; worlds in which no two hosts want one host id may shrink it.
    pub join_confirmation: u64,
    /// Times io_timeout from the last successful renewal to the failure of a lockspace (8). sanlock compiles it in, and
    /// it must be the same everywhere; small worlds shrink it.
    pub failure_age: u64,
    /// Whether a watchdog is used at all (`-w`, 1).
    pub use_watchdog: bool,
    /// Seconds of SIGTERM before SIGKILL, counted from the failure age (`-g`, 40).
    pub kill_grace: u64,
    /// Signals sent to one client before the daemon gives up (100).
    pub kill_limit: u32,
    /// Seconds that a renewal waits for the timed-out read of the renewal before (`renewal_read_extend_sec`);
    /// `None`: io_timeout.
    pub renewal_read_extend: Option<u64>,
    /// How often a shared acquire is tried again that met a host which holds the lease only for the moment (`sh_retries`,
    /// 8).
    pub shared_retries: u8,
    /// Workers that carry out client commands (`-t`, 8).
    pub workers: u8,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            watchdog_fire_timeout: 60,
            peer_fire_timeout: 60,
            peer_io_timeout: 0,
            drift_ppm: 200,
            renewal_interval: 2,
            join_confirmation: 2,
            failure_age: 8,
            use_watchdog: true,
            kill_grace: 40,
            kill_limit: 100,
            renewal_read_extend: None,
            shared_retries: 8,
            workers: 8,
        }
    }
}

macro_rules! decisions {
    ($( $(#[$doc:meta])* $field:ident : $kind:ident { $(#[$old_doc:meta])* $old:ident, $(#[$new_doc:meta])* $new:ident } )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
            pub enum $kind {
                $(#[$old_doc])*
                $old,
                $(#[$new_doc])*
                $new,
            }
        )*

        /// The decisions of the engine, one field each. The first choice of each is what 3.8.5 does.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct Profile {
            $( $(#[$doc])* pub $field: $kind, )*
            /// A mistake put in on purpose.
            #[cfg(feature = "mutants")]
            pub mutant: Option<Mutant>,
        }

        impl Profile {
            /// What sanlock 3.8.5 does, holes included.
            pub const SANLOCK_3_8_5: Profile = Profile {
                $( $field: $kind::$old, )*
                #[cfg(feature = "mutants")]
                mutant: None,
            };

            /// The safe decision at each point.
            pub const HARDENED: Profile = Profile {
                $( $field: $kind::$new, )*
                #[cfg(feature = "mutants")]
                mutant: None,
            };

            /// The names of the decisions.
            pub const DECISIONS: &'static [&'static str] = &[ $( stringify!($field), )* ];

            /// This profile with the named decision taken the safe way; `None` if there is no such decision.
            pub fn with(self, decision: &str) -> Option<Profile> {
                let mut profile = self;
                match decision {
                    $( stringify!($field) => profile.$field = $kind::$new, )*
                    _ => return None,
                }
                Some(profile)
            }

            /// This profile with the named decision taken as 3.8.5 takes it; `None` if there is no such decision.
            pub fn without(self, decision: &str) -> Option<Profile> {
                let mut profile = self;
                match decision {
                    $( stringify!($field) => profile.$field = $kind::$old, )*
                    _ => return None,
                }
                Some(profile)
            }

            /// Name and choice of each decision, for reports.
            pub fn table(&self) -> Vec<(&'static str, &'static str)> {
                alloc::vec![ $( (stringify!($field), match self.$field {
                    $kind::$old => stringify!($old),
                    $kind::$new => stringify!($new),
                }), )* ]
            }
        }
    };
}

decisions! {
    /// When may a join skip the wait because the record bears our own name? (safety-argument W2)
    rejoin: Rejoin {
        /// Always: the name decides.
        ByName,
        /// Only if the operating system booted since our last life, so that no process of it can still run.
        AfterReboot
    }
    /// Whose watchdog fire timeout counts when another host is judged? (bugs L14)
    peer_fire_timeout: PeerFireTimeout {
        /// Our own.
        Own,
        /// The longest in the cluster, as configured.
        ClusterMax
    }
    /// Is there room for clocks that run at different rates? (assumption A1)
    drift_allowance: DriftAllowance {
        /// No.
        None,
        /// Every wait for a death is longer by what two clocks can drift apart in it.
        Waited
    }
    /// Which io_timeout gives the age at which an owner is dead? (W11)
    owner_io_timeout: OwnerIoTimeout {
        /// The observer's table, even if it describes an older generation.
        Table,
        /// The larger of the table's, if it is of the same generation, and the one just read.
        Largest
    }
    /// Does a renewal look at how long ago the last success was? (W8)
    renewal_age: RenewalAge {
        /// No.
        Unchecked,
        /// Yes: a renewal that is due after the failure age is refused.
        Checked
    }
    /// How are the users of a lockspace killed whose host id was lost (renewal answered -260, -261, -22x)? (daemon §5)
    lost_host_id: LostHostId {
        /// With the usual grace, counted from the last success.
        Grace,
        /// With SIGKILL at once, and without feeding the watchdog any more.
        KillAtOnce
    }
    /// May a sector be written while an older write to it is outstanding? (W4)
    outstanding_write: OutstandingWrite {
        /// Yes.
        Overlapped,
        /// No: the later write waits, or fails unissued at its own deadline.
        Awaited
    }
    /// What does phase 1 write into a block that already carries a vote for the same version? (paxos-lease §12.4)
    own_vote: OwnVote {
        /// Zeros: the vote is forgotten.
        Forgotten,
        /// The vote stays until phase 2 replaces it, as in the paper; so does a RELEASED flag that belongs to it.
        Kept
    }
    /// What does a block of a higher version than the leader's say? (paxos-lease §12.8, W12)
    regressed_leader: RegressedLeader {
        /// Nothing: the leader is believed.
        Believed,
        /// That the leader's version is over; the ballot is held for the highest version found.
        Overruled
    }
    /// What does a ballot do with a block whose checksum is wrong? (W19)
    damaged_block: DamagedBlock {
        /// It is skipped.
        Skipped,
        /// The ballot fails with -214.
        Refused
    }
    /// When does an acquire look whether the leader tells other sizes than those of the lockspace, which it began to
    /// read with? (paxos-lease §2)
    resource_sizes: ResourceSizes {
        /// After the blocks: what stands where a block would be with the wrong sizes mostly is none, and the acquire fails.
        AfterBlocks,
        /// Before anything else of what it read.
        First
    }
    /// When is a committed value our own? (bugs B01b)
    winner: Winner {
        /// When it names our host id.
        HostId,
        /// When it names our host id and our generation.
        Instance
    }
    /// What does a failed acquire leave in its own block once a vote of it may have been seen? (paxos-lease §9)
    retract: Retract {
        /// After an I/O error in phase 2 or at the commit: an all-zero block with RELEASED. Otherwise the vote.
        Zeroed,
        /// After any failure: the vote, with RELEASED.
        VoteReleased
    }
    /// Which step of a release is repeated in the background? (bugs L6)
    release_retry: ReleaseRetry {
        /// One that timed out; any other error ends the release.
        TimeoutsOnly,
        /// Every one, until the release is done or the lockspace is gone.
        UntilDone
    }
    /// What is checked before an acquired resource is granted? (C03)
    grant: Grant {
        /// That the lockspace is not failing and has the same host id.
        Listed,
        /// Also that it has the same generation and that its last renewal is younger than the failure age.
        SameInstance
    }
    /// When does a client count as gone? (W13, bugs B15)
    client_gone: ClientGone {
        /// When its connection closes.
        HungUp,
        /// When its process exits.
        Exited
    }
    /// What becomes of an acquire that runs when its lockspace begins to fail? (bugs I-ZOMBIE)
    failing_acquire: FailingAcquire {
        /// It goes on and is rolled back at its end.
        RollsBack,
        /// It starts no further I/O.
        Stops
    }
    /// How long does a join wait before it looks whether its write still stands?
    join_confirmation: JoinConfirmation {
        /// Twice the io_timeout of the record that it found: a host with a longer one may still be writing.
        Found,
        /// Twice the longest io_timeout in the cluster, as configured, as far as its own failure age allows; and never
        /// less than that. It allows two and a half times its own: hosts that differ by more must not want one host id.
        ClusterMax
    }
    /// How long does a join wait for a host id that another host holds and does not renew?
    held_by_another: HeldByAnother {
        /// Until that host is dead.
        Dead,
        /// Until no renewal that it may have begun before its failure can still land.
        WritesOver
    }
    /// The daemon stands still while a join waits for an I/O, or an acquire for the delta lease of an owner, and hears of
    /// its end and of its time-out at once: which of the two counts?
    late_answer: LateAnswer {
        /// The end: a look may be of any age. The write that follows from it in a join overwrites an owner who looked,
        /// wrote and confirmed meanwhile; an acquire takes an owner for dead who renewed meanwhile.
        Believed,
        /// The time-out: a look is younger than the io_timeout, and from the look to the end of a write of a join it takes
        /// less than twice that.
        TimedOut
    }
    /// A join hears that its write still stands, or that wdmd watches it, when that write is as old as the failure age.
    /// Does it succeed?
    late_confirmation: LateConfirmation {
        /// Yes, though the host may be dead to others, and wdmd was told so late that the device counts from later.
        Joined,
        /// No.
        Refused
    }
    /// Does a host whose last stamp is as old as the failure age set its host id free, when it leaves or undoes a join?
    late_free: LateFree {
        /// Yes, whoever may own it by then.
        Written,
        /// No: the host id then looks dead, not free.
        Withheld
    }
    /// Does a host set its host id free, when it leaves, while a write of it to a resource is outstanding?
    free_under_writes: FreeUnderWrites {
        /// Yes: it may land in what another host has taken over by then.
        Written,
        /// No: the host id then looks dead, not free, and others wait until the write is over.
        Withheld
    }
    /// May a lockspace whose users are being killed be declared unused? (daemon §2)
    late_unused: LateUnused {
        /// No (-28): it is never given up, and its removal never ends.
        Refused,
        /// Yes: that nothing uses it any more is what everybody waits for.
        Accepted
    }
    /// Who counts as a shared holder of a resource that an acquire has won? (bugs L11)
    shared_count: SharedCount {
        /// Whoever said SHARED in any ballot of this acquire.
        Accumulated,
        /// Whoever says so in the last.
        LastBallot
    }
    /// By what is a shared holder judged dead? (paxos-lease §3, §7.3)
    shared_liveness: SharedLiveness {
        /// By the observer's table alone, of whatever age it is.
        Table,
        /// By its delta lease, read now, as the owner of a leader is.
        DeltaLease
    }
    /// What becomes of the block of a dead shared holder? (paxos-lease §7.3, §12.4)
    dead_shared: DeadShared {
        /// It is overwritten with zeros, whoever may have booted and be balloting with it by then.
        Zeroed,
        /// Nothing: a dead instance's SHARED binds nobody.
        PassedOver
    }
    /// What does a shared acquire write that failed because another host has the lease? (paxos-lease §7.2, §12.4)
    shared_failure: SharedFailure {
        /// Zeros with RELEASED over the own block, whatever it has voted.
        Zeroed,
        /// What an exclusive one does: its vote with RELEASED, if it has one that may win.
        Withdrawn
    }
    /// May one of several local holders of a shared resource convert it to exclusive? (paxos-lease §8)
    local_holders: LocalHolders {
        /// Yes: the others are not counted.
        Ignored,
        /// No.
        Counted
    }
    /// Which own block does a shared hold remember after a conversion that failed? (paxos-lease §9)
    failed_convert: FailedConvert {
        /// The one that it had: its release writes that over what the conversion promised and voted.
        OldBlock,
        /// The last one written.
        LastBlock
    }
    /// What does a conversion to exclusive leave that won the ballot and found shared holders? (paxos-lease §6, §8)
    convert_undo: ConvertUndo {
        /// A free leader; its block is not RELEASED, so a late commit by another host revives it.
        LeaderOnly,
        /// Its block with RELEASED and SHARED first.
        BlockFirst
    }
    /// What does a conversion to shared answer that failed when RELEASED and SHARED may be on disk? (paxos-lease §8)
    convert_down: ConvertDown {
        /// The error, and the client goes on as the exclusive holder that it is not any more.
        Reported,
        /// Nothing yet: it goes on until it is done or the lockspace is lost.
        Completed
    }
    /// May a holder have the LVB where it lies outside its area? (ondisk §7)
    lvb_place: LvbPlace {
        /// Yes: it is in the area that comes next.
        Anywhere,
        /// No (-22).
        Inside
    }
    /// What is a holder handed when the LVB cannot be read? (paxos-lease §7.1)
    lvb_read: LvbRead {
        /// Nothing, as if there had been nothing.
        Logged,
        /// The lease is not granted then.
        Required
    }
    /// What does "adopt only" do without an orphan? (bugs L1)
    orphan_only: OrphanOnly {
        /// It acquires the lease.
        Acquired,
        /// It is refused (-2).
        Refused
    }
    /// May an index have two entries of one name? (rindex §3)
    index_names: IndexNames {
        /// Yes: what is created twice exists twice, and only the first is found.
        Repeated,
        /// No: the second is refused with -17.
        Unique
    }
    /// Does somebody look whether a resource is held that is to be deleted from an index? (rindex §3)
    index_delete: IndexDelete {
        /// No: a lease that is held is destroyed.
        Destroys,
        /// Yes: it is refused (-16) as long as its area names a holder, dead or alive.
        RefusesHeld
    }
    /// What becomes of a write to an index, or to an area behind it, that takes too long?
    index_writes: IndexWrites {
        /// It is given up, and the private lease given back: it may land in the middle of another host's operation.
        GivenUp,
        /// The operation goes on waiting, and holds the lease for so long.
        Awaited
    }
    /// How is the private lease of an index given back? (paxos-lease §6)
    index_release: IndexRelease {
        /// By the leader alone: a late commit of another host leaves it owned.
        LeaderAlone,
        /// As any other lease: the own block says RELEASED first.
        Flagged
    }
    /// Which changes of an index take its private lease? (rindex §3)
    index_lock: IndexLock {
        /// Not updates, which may undo what another host records in the same sector.
        NotUpdates,
        /// All.
        EveryChange
    }
    /// How is the offset of an area worked out from the position of its entry? (rindex §4)
    index_offsets: IndexOffsets {
        /// In 32 bits with a sign: from entry 2048 of 1 MiB areas on it is wrong.
        Signed32,
        /// In 64 bits.
        Exact
    }
    /// What does a rebuild do with an area that it cannot read? (rindex §3)
    index_rebuild: IndexRebuild {
        /// It passes it over, and its entry is lost.
        SkipsErrors,
        /// It fails, and the index stays as it was.
        StopsAtErrors
    }
    /// Whom does a request signal for what is held shared? (paxos-lease §10)
    request_of_shared: RequestOfShared {
        /// Process 0, which stands there in place of a holder: the daemon's own process group.
        OwnGroup,
        /// Each local holder.
        EachHolder
    }
    /// Does a host look at a request that it wrote itself, for what it holds itself? (paxos-lease §10)
    own_request: OwnRequest {
        /// No: nobody reads the bit of its own host.
        Unnoticed,
        /// Yes.
        Examined
    }
    /// What is answered when a resource was given back, but its new name not written? (paxos-lease §6)
    lost_rename: LostRename {
        /// That it is done.
        Done,
        /// That it is not (-251).
        Told
    }
    /// What becomes of a request that was heeded? (paxos-lease §10)
    heeded_request: HeededRequest {
        /// It stays, and is heeded again by whoever holds a version below it.
        Left,
        /// It is wiped out.
        Wiped
    }
    /// How often does a host look at requests that is called? (delta-lease §5)
    examine_rate: ExamineRate {
        /// Once in six io_timeouts for each host that calls: a call in between may have ended before it looks again.
        OnceInLifetime,
        /// At each renewal that calls.
        EveryCall
    }
    /// Are hosts that are called because of a request told the event that is set for others? (delta-lease §7)
    event_bits: EventBits {
        /// Yes: there is one set of bits for both, and an event stays in the record after its bits are gone.
        Mixed,
        /// No: what is called because of a request waits until the event is over, and then no event stands there.
        Apart
    }
    /// Is an event delivered that is for another life of this host? (delta-lease §5)
    event_generation: EventGeneration {
        /// Yes: whoever listens must compare.
        Unchecked,
        /// No.
        Checked
    }
    /// How long is a host called? (delta-lease §7)
    call_lifetime: CallLifetime {
        /// Six times the caller's io_timeout, in which a slow host may not look once.
        Own,
        /// Six times the longer io_timeout of both.
        Slowest
    }
    /// What becomes of the slot when a join is aborted after its write? (bugs L15)
    aborted_join: AbortedJoin {
        /// It stays owned on disk.
        LeftOwned,
        /// It is set free again.
        SetFree
    }
}

impl Parameters {
    /// Seconds from one renewal to the next with this io_timeout.
    pub const fn renewal_interval(&self, io_timeout: u64) -> u64 {
        self.renewal_interval * io_timeout
    }

    /// Seconds from the write of a join to its confirmation, where the owner before had this io_timeout.
    pub const fn join_confirmation(&self, io_timeout: u64) -> u64 {
        self.join_confirmation * io_timeout
    }

    /// Seconds from the last successful renewal to the failure of a lockspace with this io_timeout.
    pub const fn failure_age(&self, io_timeout: u64) -> u64 {
        self.failure_age * io_timeout
    }

    /// Seconds by which two clocks, each off by `drift_ppm` at the most, can disagree about a wait of `seconds`,
    /// rounded up.
    pub const fn drift_allowance(&self, seconds: u64) -> u64 {
        (seconds * 2 * self.drift_ppm).div_ceil(1_000_000)
    }
}

impl Profile {
    /// Whether this mistake was put in. Never, without the feature `mutants`.
    #[inline]
    pub const fn mutated(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        {
            matches!(self.mutant, Some(put_in) if put_in as u8 == mutant as u8)
        }
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }

    /// Whether any mistake was put in. Never, without the feature `mutants`.
    pub const fn is_mutated(&self) -> bool {
        #[cfg(feature = "mutants")]
        {
            self.mutant.is_some()
        }
        #[cfg(not(feature = "mutants"))]
        {
            false
        }
    }
}

impl Config {
    /// Whether this mistake was put in; see [`Profile::mutated`].
    #[inline]
    pub const fn mutated(&self, mutant: Mutant) -> bool {
        self.profile.mutated(mutant)
    }

    /// The watchdog fire timeout that another host is assumed to have.
    pub fn fire_timeout_of_others(&self) -> u64 {
        match self.profile.peer_fire_timeout {
            _ if self.mutated(Mutant::L14) => self.parameters.watchdog_fire_timeout,
            PeerFireTimeout::Own => self.parameters.watchdog_fire_timeout,
            PeerFireTimeout::ClusterMax => self.parameters.peer_fire_timeout.max(self.parameters.watchdog_fire_timeout),
        }
    }

    /// Seconds that a join waits for a host id that is held, by a host with this io_timeout, and not renewed.
    pub fn held_age(&self, io_timeout: u64, by_another: bool) -> u64 {
        let dead = self.dead_age(io_timeout);
        match self.profile.held_by_another {
            // A killed daemon's I/O is over before the next one starts.
            HeldByAnother::WritesOver if by_another => dead + self.parameters.failure_age(io_timeout),
            HeldByAnother::WritesOver | HeldByAnother::Dead => dead,
        }
    }

    /// Seconds from a join's write to the look whether it stands, where the record found had this io_timeout.
    pub fn join_confirmation(&self, found: u64, own: u64) -> u64 {
        match self.profile.join_confirmation {
            JoinConfirmation::Found => self.parameters.join_confirmation(found),
            JoinConfirmation::ClusterMax => {
                // The stamp of the write grows old meanwhile: there must be time left for a first renewal.
                let Parameters { peer_io_timeout, .. } = self.parameters;
                let left = self.parameters.failure_age(own).saturating_sub(self.parameters.renewal_interval(own) + own);
                let longest = self.parameters.join_confirmation(own.max(peer_io_timeout)).min(left);
                self.parameters.join_confirmation(found).max(longest)
            }
        }
    }

    /// Seconds without a sign of life after which a host with this io_timeout is dead: 8N + W, and what the profile
    /// waits longer because of drifting clocks.
    pub fn dead_age(&self, io_timeout: u64) -> u64 {
        let age = self.parameters.failure_age(io_timeout) + self.fire_timeout_of_others();
        match self.profile.drift_allowance {
            DriftAllowance::None => age,
            DriftAllowance::Waited => age + self.parameters.drift_allowance(age),
        }
    }
}
