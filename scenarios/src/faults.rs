//! Faults: everything that a plan can let go wrong, each with a name, and how often it did.
//!
//! Mechanism is elsewhere: a disk knows what *can* happen to an I/O, a world what can happen to a host. Here stands what
//! a plan may ask for, and in which of two ways: a *timed* fault strikes every so often, somewhere in the cluster; an
//! *I/O fault* strikes one I/O in so many. Each counts how often it fired: a campaign that enabled a fault and never saw
//! it does not know what it tested.

use crate::dice::{Dice, Range};
use std::fmt;

/// How a fault is triggered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// Every so often, by the clock.
    Timed,
    /// One I/O in so many, at its issue.
    Io,
    /// One ghost in so many, at the death of its host.
    Ghost,
    /// One occasion of a client process in so many.
    Client,
}

macro_rules! faults {
    ($( $(#[$doc:meta])* $name:ident = $id:literal, $trigger:ident, $beyond:literal; )*) => {
        /// What a plan can let go wrong.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Fault {
            $( $(#[$doc])* $name, )*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[ $( Fault::$name, )* ];

            /// What it is called in scenarios, results and reports.
            pub const fn id(self) -> &'static str {
                match self { $( Fault::$name => $id, )* }
            }

            /// How it is triggered.
            pub const fn trigger(self) -> Trigger {
                match self { $( Fault::$name => Trigger::$trigger, )* }
            }

            /// Whether it lies beyond the tolerance.
            pub const fn beyond(self) -> bool {
                match self { $( Fault::$name => $beyond, )* }
            }
        }
    };
}

faults! {
    /// An I/O takes `lasts`, longer than usual but harmlessly if that is short.
    SlowIo = "slow-io", Io, false;
    /// An I/O takes as long as its host's io_timeout, give or take a second, or exactly that.
    NearTimeout = "near-timeout", Io, false;
    /// A write lands late, `lasts` after its issue, and is answered after that: it timed out meanwhile.
    LateWrite = "late-write", Io, false;
    /// An I/O takes effect at once, but its answer comes `lasts` after its issue: a read is stale by then.
    LateAnswer = "late-answer", Io, false;
    /// An I/O is refused without effect.
    IoError = "io-error", Io, false;
    /// A write takes effect, and an error is answered.
    LostAnswer = "lost-answer", Io, false;
    /// Fewer bytes than asked for are transferred.
    ShortIo = "short-io", Io, false;
    /// A read of many sectors is sampled in pieces, some of them as late as `lasts` after its issue.
    SplitRead = "split-read", Io, false;
    /// A write of a 4096-byte sector lands in two parts, the second `lasts` after the first, or never.
    Torn = "torn", Io, false;
    /// The path of one host hangs for `lasts`.
    CutOne = "cut-one", Timed, false;
    /// The paths of all hosts hang for `lasts`.
    CutAll = "cut-all", Timed, false;
    /// The path of one host answers every I/O with an error for `lasts`.
    PathFails = "path-fails", Timed, false;
    /// A host loses power, or its kernel panics; it boots after `lasts`.
    PowerLoss = "power-loss", Timed, false;
    /// A daemon is killed; it is started again after `lasts`, if its host still runs.
    DaemonKill = "daemon-kill", Timed, false;
    /// wdmd is killed.
    WdmdKill = "wdmd-kill", Timed, false;
    /// One thread of a daemon does not run for `lasts`.
    TaskStall = "task-stall", Timed, false;
    /// A daemon does not run for `lasts`.
    DaemonStall = "daemon-stall", Timed, false;
    /// wdmd does not run for `lasts`.
    WdmdStall = "wdmd-stall", Timed, false;
    /// Nothing on a host runs for `lasts`, but its clock and its watchdog device go on.
    HostPause = "host-pause", Timed, false;
    /// The rate of a host's clock changes, within `ppm`.
    Drift = "drift", Timed, false;
    /// A host's wall clock is stepped.
    WallClockStep = "wall-clock-step", Timed, false;
    /// An agent leaves a lockspace, whether or not it is used.
    Leave = "leave", Timed, false;
    /// A write of a host that went down, or of a daemon that was killed, lands up to `lasts` later. The others vanish.
    GhostLands = "ghost-lands", Ghost, false;
    /// A client closes its connection and goes on using what it holds for `lasts`.
    HangUp = "hang-up", Client, false;
    /// A client exits while it waits for an answer.
    ExitMidRequest = "exit-mid-request", Client, false;
    /// A client exits without releasing what it holds.
    ExitHolding = "exit-holding", Client, false;
    /// A client does not heed SIGTERM.
    IgnoreTerm = "ignore-term", Client, false;
    /// A client survives SIGKILL for `lasts`: it is in an uninterruptible sleep.
    SlowDeath = "slow-death", Client, false;
    /// A read sees what stood on the disk before its last change.
    StaleRead = "stale-read", Io, true;
    /// A write damages what it writes.
    Rot = "rot", Io, true;
    /// A write lands on another sector.
    Misdirect = "misdirect", Io, true;
    /// A write lands torn inside 512 bytes.
    TornInside = "torn-inside", Io, true;
    /// From now on a host reads and writes a copy of the disk of its own.
    SplitDisk = "split-disk", Timed, true;
    /// A disk is rolled back to what it was `lasts` ago.
    Rollback = "rollback", Timed, true;
    /// A host's clock jumps forward by `lasts`.
    ClockJump = "clock-jump", Timed, true;
    /// A host is paused for `lasts` and its clock with it.
    ClockStop = "clock-stop", Timed, true;
    /// Somebody overwrites a sector of a lease with zeros.
    Edit = "edit", Timed, true;
    // New ones come last, for each fault throws its dice in this order.
    /// Every read of one host is refused for `lasts`; its writes work.
    ReadsFail = "reads-fail", Timed, false;
    /// Every write of one host is refused for `lasts`; its reads work.
    WritesFail = "writes-fail", Timed, false;
    /// A client sends bytes that are no message and goes on.
    Garbage = "garbage", Client, false;
    /// One bit of a record that somebody uses flips on the medium.
    Decay = "decay", Timed, true;
    /// Somebody initialises a resource anew, whether or not it is used.
    Init = "init", Timed, true;
    /// One client process is stopped for `lasts`.
    ProcessStop = "process-stop", Timed, false;
    /// A daemon is shut down by force, and started again `lasts` after its end.
    Shutdown = "shutdown", Timed, false;
    /// Something that is no client uses a lockspace for `lasts`, and the daemon is told so.
    Used = "used", Timed, false;
    /// A host loses power, is installed anew, and boots after `lasts` under another name.
    Reinstall = "reinstall", Timed, false;
    /// A write of a host that went down tears the 4096 bytes around it: what others wrote there is unreadable.
    TornNeighbours = "torn-neighbours", Ghost, true;
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = Fault::ALL.len();

    /// Its index in [`Fault::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The fault that is called so.
    pub fn named(id: &str) -> Option<Fault> {
        Fault::ALL.iter().copied().find(|fault| fault.id() == id)
    }

    /// How long it lasts if a scenario does not say.
    pub const fn usual_length(self) -> Range {
        match self {
            Fault::SlowIo => Range::millis(200, 9_000),
            Fault::NearTimeout => Range::millis(0, 1_000),
            Fault::LateWrite | Fault::LateAnswer => Range::secs(10, 200),
            Fault::SplitRead => Range::millis(50, 5_000),
            Fault::Torn | Fault::TornInside => Range::millis(1, 30_000),
            Fault::CutOne | Fault::CutAll | Fault::PathFails | Fault::ReadsFail | Fault::WritesFail => {
                Range::secs(5, 200)
            }
            Fault::PowerLoss | Fault::Reinstall => Range::secs(20, 300),
            Fault::DaemonKill | Fault::Shutdown | Fault::Used => Range::secs(1, 120),
            Fault::ProcessStop => Range::secs(1, 200),
            Fault::TaskStall | Fault::DaemonStall | Fault::WdmdStall => Range::secs(1, 180),
            Fault::HostPause | Fault::ClockStop | Fault::ClockJump => Range::secs(1, 200),
            Fault::GhostLands => Range::secs(0, 200),
            Fault::HangUp => Range::secs(1, 200),
            Fault::SlowDeath => Range::secs(1, 120),
            Fault::Rollback => Range::secs(1, 120),
            _ => Range::exactly(0),
        }
    }

    /// How often it strikes if a scenario does not say: microseconds between two strikes of a timed fault, occasions
    /// for one strike of any other.
    pub const fn usual_rate(self) -> Range {
        match self.trigger() {
            Trigger::Timed => Range::secs(60, 600),
            Trigger::Io => Range::new(20, 400),
            Trigger::Ghost => Range::new(1, 4),
            Trigger::Client => Range::new(4, 40),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One number per fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerFault<T>([T; Fault::COUNT]);

impl<T: Copy> PerFault<T> {
    /// The same for each.
    pub const fn all(value: T) -> Self {
        PerFault([value; Fault::COUNT])
    }

    /// What stands there for `fault`.
    pub const fn get(&self, fault: Fault) -> T {
        self.0[fault.index()]
    }

    /// Puts `value` there for `fault`.
    pub const fn set(&mut self, fault: Fault, value: T) {
        self.0[fault.index()] = value;
    }

    /// Fault and value, in the order of [`Fault::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Fault, T)> + '_ {
        Fault::ALL.iter().map(|fault| (*fault, self.get(*fault)))
    }
}

/// How often each fault fired.
pub type Fired = PerFault<u64>;

impl Fired {
    /// None fired.
    pub const NONE: Fired = PerFault::all(0);

    /// Counts one more.
    pub const fn count(&mut self, fault: Fault) {
        self.0[fault.index()] += 1;
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Fired) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

/// What a scenario asks for of one fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultWish {
    /// Microseconds between two strikes (timed), or occasions for one strike (all others).
    pub rate: Range,
    /// How long it lasts, in microseconds; see each fault.
    pub lasts: Range,
    /// Which hosts it may strike, one bit each.
    pub hosts: u64,
    /// The only profile under which it strikes, if it is not both.
    pub only: Option<crate::scenario::ProfileName>,
}

/// How the faults of a seed are chosen among those that a scenario asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// All of them, each seed.
    Uniform,
    /// A random subset with random rates.
    Swarm,
    /// Even seeds uniform, odd seeds swarm.
    Turns,
}

/// The faults of one seed with their rates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultPlan {
    /// What is on. The rate of each is drawn.
    pub on: PerFault<Option<PlannedFault>>,
}

/// A fault that is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlannedFault {
    /// As in [`FaultWish::rate`]: mean microseconds between two strikes, or occasions for one.
    pub rate: u64,
    /// As in [`FaultWish::lasts`].
    pub lasts: Range,
    /// As in [`FaultWish::hosts`].
    pub hosts: u64,
}

impl FaultPlan {
    /// No fault.
    pub const CALM: FaultPlan = FaultPlan { on: PerFault::all(None) };

    /// Draws the plan of `seed`. What `allowed` refuses stays off.
    pub fn draw(
        wishes: &PerFault<Option<FaultWish>>,
        mix: Mix,
        seed: u64,
        allowed: impl Fn(Fault, &FaultWish) -> bool,
    ) -> FaultPlan {
        let mut dice = Dice::new(seed, "fault plan");
        let swarm = match mix {
            Mix::Uniform => false,
            Mix::Swarm => true,
            Mix::Turns => seed % 2 == 1,
        };
        let mut plan = FaultPlan::CALM;
        for (fault, wish) in wishes.iter() {
            // The same dice are thrown for each fault, wanted or not, so that one more wish moves no other.
            let heads = dice.one_in(2);
            let (fraction, slower) = (dice.bits32(), dice.below(3));
            let Some(wish) = wish.filter(|wish| allowed(fault, wish)) else { continue };
            if swarm && !heads {
                continue;
            }
            let width = u128::from(wish.rate.high - wish.rate.low);
            let mut rate = wish.rate.low + ((width * u128::from(fraction)) >> 32) as u64;
            if swarm {
                // A subset of faults at their fullest finds what a bit of everything hides, and the other way round.
                rate = match slower {
                    0 => (rate / 3).max(1),
                    1 => rate,
                    _ => rate.saturating_mul(2),
                };
            }
            plan.on.set(fault, Some(PlannedFault { rate, lasts: wish.lasts, hosts: wish.hosts }));
        }
        plan
    }
}
