//! Refusals: answers that say no, with sanlock's names and numbers.

/// Why something was not done. [`Refusal::code`] gives sanlock's result code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// -1: release of something that the client does not hold.
    #[error("not held (-1)")]
    NotHeld,
    /// -2 (ENOENT): not found; also: no free AIO slot.
    #[error("not found (-2)")]
    NotFound,
    /// -7 (E2BIG): more bytes than a sector has.
    #[error("too big (-7)")]
    TooBig,
    /// -11 (EAGAIN): the resource is being released, or others hold it shared.
    #[error("try again (-11)")]
    Again,
    /// -16 (EBUSY): the resource is being acquired, a command of this client is running, or the lockspace is in use.
    #[error("busy (-16)")]
    Busy,
    /// -17 (EEXIST): held, or joined, already.
    #[error("exists (-17)")]
    Exists,
    /// -19 (ENODEV): the disk cannot be opened.
    #[error("no device (-19)")]
    NoDevice,
    /// -22 (EINVAL): arguments that make no sense.
    #[error("invalid (-22)")]
    Invalid,
    /// -28 (ENOSPC): the lockspace is missing or failing.
    #[error("lockspace missing or failing (-28)")]
    LockspaceFailing,
    /// -32 (EPIPE): the client is gone.
    #[error("client gone (-32)")]
    ClientGone,
    /// -50: as many listen to a lockspace as may.
    #[error("no event slot (-50)")]
    NoEventSlot,
    /// -90 (EMSGSIZE): a short transfer.
    #[error("short transfer (-90)")]
    ShortIo,
    /// -114 (EALREADY): held in that mode already.
    #[error("already so (-114)")]
    Already,
    /// -115 (EINPROGRESS): the lockspace is being joined or left.
    #[error("in progress (-115)")]
    InProgress,
    /// -117 (EUCLEAN): a client left the resource behind, and it was not asked for that.
    #[error("orphan (-117)")]
    OrphanExists,
    /// Another errno from the kernel, as a positive number.
    #[error("errno -{0}")]
    Errno(u16),
    /// -201: aborted.
    #[error("aborted (-201)")]
    Aborted,
    /// -202: an I/O exceeded its time; it may still take effect.
    #[error("I/O timed out (-202)")]
    AioTimeout,
    /// -203: no wdmd, or a wrong fire timeout.
    #[error("no watchdog (-203)")]
    WatchdogError,
    /// -210: the blocks could not be read in a ballot.
    #[error("block read failed (-210)")]
    DblockRead,
    /// -211: the own block could not be written in a ballot.
    #[error("block write failed (-211)")]
    DblockWrite,
    /// -212: a block of a higher lease version exists.
    #[error("higher version (-212)")]
    DblockLver,
    /// -213: a block with a larger ballot number exists.
    #[error("larger ballot number (-213)")]
    DblockMbal,
    /// -214: a block's checksum is wrong.
    #[error("block checksum (-214)")]
    DblockChecksum,
    /// -223: no lease there.
    #[error("no lease there (-223)")]
    LeaderMagic,
    /// -224: another major version of the format.
    #[error("format version (-224)")]
    LeaderVersion,
    /// -225: a sector size that is neither 512 nor 4096.
    #[error("sector size (-225)")]
    LeaderSectorSize,
    /// -226: another lockspace's name stands there.
    #[error("other lockspace name (-226)")]
    LeaderLockspace,
    /// -227: another resource's name stands there.
    #[error("other resource name (-227)")]
    LeaderResource,
    /// -228: the lease has no room for our host id.
    #[error("host id above num_hosts (-228)")]
    LeaderNumHosts,
    /// -229: the record's checksum is wrong.
    #[error("checksum (-229)")]
    LeaderChecksum,
    /// -230: an impossible pair of sector and align size.
    #[error("sector and align size (-230)")]
    LockspaceSizes,
    /// -231: the lockspace has no room for the host id.
    #[error("host id too large (-231)")]
    InvalidHostId,
    /// -240: the leader has another version than the one asked for.
    #[error("other version (-240)")]
    AcquireLver,
    /// -241: the owner cannot be checked, its lockspace is not known.
    #[error("lockspace not known (-241)")]
    AcquireLockspace,
    /// -243: the owner is alive.
    #[error("owner alive (-243)")]
    AcquireIdLive,
    /// -244: another host's value was committed.
    #[error("owned by another (-244)")]
    AcquireOwned,
    /// -245: the ballot committed another host's value.
    #[error("committed another (-245)")]
    AcquireOther,
    /// -246: a shared acquire met hosts that held the lease for a moment, every time that it tried.
    #[error("shared retries used up (-246)")]
    AcquireShRetry,
    /// -247: the owner may be dead, and the client does not want to wait until that is certain.
    #[error("would have to wait (-247)")]
    AcquireOwnedRetry,
    /// -250: the leader's version is not the one that is to be released.
    #[error("other version (-250)")]
    ReleaseLver,
    /// -251: the leader is not ours to release.
    #[error("other owner (-251)")]
    ReleaseOwner,
    /// -260: our host id is taken by another owner, generation or name.
    #[error("host id taken (-260)")]
    RenewOwner,
    /// -261: our record changed though the last renewal succeeded.
    #[error("record changed (-261)")]
    RenewDiff,
    /// -262: the host id is in use.
    #[error("host id busy (-262)")]
    HostIdBusy,
    /// -270: no request record there.
    #[error("no request record there (-270)")]
    RequestMagic,
    /// -271: another major version of the request record's format.
    #[error("request format version (-271)")]
    RequestVersion,
    /// -272: the version that is asked for is not above the one that is held.
    #[error("request for a version that is over (-272)")]
    RequestOld,
    /// -273: a higher version was asked for already.
    #[error("a higher version is asked for (-273)")]
    RequestLver,
    /// -274: no resource index there.
    #[error("no index there (-274)")]
    RindexMagic,
    /// -275: another major version of the index's format.
    #[error("index format version (-275)")]
    RindexVersion,
    /// -276: the index of another lockspace.
    #[error("index of another lockspace (-276)")]
    RindexLockspace,
    /// -277: an offset that is no resource area's, or an index that says it lies elsewhere.
    #[error("offset in an index (-277)")]
    RindexOffset,
    /// -278: another name is recorded at the offset.
    #[error("other name at the offset (-278)")]
    RindexDiff,
}

impl Refusal {
    /// Whether an I/O failed, so that trying again may help; not what was found when it succeeded.
    pub const fn is_io(self) -> bool {
        matches!(
            self,
            Refusal::AioTimeout | Refusal::Errno(_) | Refusal::ShortIo | Refusal::NoDevice | Refusal::NotFound
        )
    }

    /// sanlock's result code: a negative number.
    pub const fn code(self) -> i32 {
        match self {
            Refusal::NotHeld => -1,
            Refusal::NotFound => -2,
            Refusal::TooBig => -7,
            Refusal::Again => -11,
            Refusal::Busy => -16,
            Refusal::Exists => -17,
            Refusal::NoDevice => -19,
            Refusal::Invalid => -22,
            Refusal::LockspaceFailing => -28,
            Refusal::ClientGone => -32,
            Refusal::NoEventSlot => -50,
            Refusal::ShortIo => -90,
            Refusal::Already => -114,
            Refusal::InProgress => -115,
            Refusal::OrphanExists => -117,
            Refusal::Errno(errno) => -(errno as i32),
            Refusal::Aborted => -201,
            Refusal::AioTimeout => -202,
            Refusal::WatchdogError => -203,
            Refusal::DblockRead => -210,
            Refusal::DblockWrite => -211,
            Refusal::DblockLver => -212,
            Refusal::DblockMbal => -213,
            Refusal::DblockChecksum => -214,
            Refusal::LeaderMagic => -223,
            Refusal::LeaderVersion => -224,
            Refusal::LeaderSectorSize => -225,
            Refusal::LeaderLockspace => -226,
            Refusal::LeaderResource => -227,
            Refusal::LeaderNumHosts => -228,
            Refusal::LeaderChecksum => -229,
            Refusal::LockspaceSizes => -230,
            Refusal::InvalidHostId => -231,
            Refusal::AcquireLver => -240,
            Refusal::AcquireLockspace => -241,
            Refusal::AcquireIdLive => -243,
            Refusal::AcquireOwned => -244,
            Refusal::AcquireOther => -245,
            Refusal::AcquireShRetry => -246,
            Refusal::AcquireOwnedRetry => -247,
            Refusal::ReleaseLver => -250,
            Refusal::ReleaseOwner => -251,
            Refusal::RenewOwner => -260,
            Refusal::RenewDiff => -261,
            Refusal::HostIdBusy => -262,
            Refusal::RequestMagic => -270,
            Refusal::RequestVersion => -271,
            Refusal::RequestOld => -272,
            Refusal::RequestLver => -273,
            Refusal::RindexMagic => -274,
            Refusal::RindexVersion => -275,
            Refusal::RindexLockspace => -276,
            Refusal::RindexOffset => -277,
            Refusal::RindexDiff => -278,
        }
    }
}
