//! What a world to be decided completely consists of, beside its [`Setup`](crate::Setup): which faults it has, what is
//! bounded, and which reductions are on.

/// The kinds of worlds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Ballots without time: every I/O interleaved, an oracle tells who lives.
    Ballots(BallotPlan),
    /// Joins, renewals and the watchdog with time; no resource.
    HostIds(TimedPlan),
    /// Leases with time and watchdog; the I/O of a resource runs through at once.
    Leases(TimedPlan),
}

impl Plan {
    /// What makes its space smaller.
    pub const fn reductions_mut(&mut self) -> &mut Reductions {
        match self {
            Plan::Ballots(plan) => &mut plan.reductions,
            Plan::HostIds(plan) | Plan::Leases(plan) => &mut plan.reductions,
        }
    }
}

/// Worlds without time. `None` stands for "any number".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BallotPlan {
    /// How often each host may ask for the resource.
    pub acquires: Option<u8>,
    /// How many crashes there are.
    pub crashes: Option<u8>,
    /// How many writes may time out and land at any later moment. Never more than one at a time.
    pub late_writes: Option<u8>,
    /// Whether a late write of a block may land torn.
    pub torn_blocks: bool,
    /// Beyond the tolerance: what does not hold in this world.
    pub broken: Option<BrokenDisk>,
    /// What is fused.
    pub reductions: Reductions,
}

/// An assumption about the disk that a world without time breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BrokenDisk {
    /// A write that completed is lost, as with a cache that loses its power: the sector keeps its old content.
    LosesWrites,
    /// A write of a host that lost its power may land at any later time, during later lives of the host too.
    GhostsForEver,
    /// Somebody who is not its host writes a sector: zeros, over the block of any host.
    ErasedBlocks,
    /// Somebody initialises the resource while it is used: the leader first, then the blocks.
    Initialised,
}

impl BrokenDisk {
    /// All of them.
    pub const ALL: [BrokenDisk; 4] =
        [BrokenDisk::LosesWrites, BrokenDisk::GhostsForEver, BrokenDisk::ErasedBlocks, BrokenDisk::Initialised];

    /// Its name in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            BrokenDisk::LosesWrites => "loses-writes",
            BrokenDisk::GhostsForEver => "ghosts-for-ever",
            BrokenDisk::ErasedBlocks => "erased-blocks",
            BrokenDisk::Initialised => "initialised",
        }
    }
}

/// Worlds with time, in ticks of one second of the hosts' clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimedPlan {
    /// Only the first host has faults; the others are ideal observers, who may take over.
    pub role: bool,
    /// Within a tick the clocks of the hosts advance in any order.
    pub jitter: bool,
    /// Daemons and wdmd may stall for any time.
    pub stalls: bool,
    /// Renewal writes that timed out, and those of a life before, may land as late as the tolerance allows.
    pub late_renewals: bool,
    /// I/O may take any time, up to its own time-out and beyond.
    pub slow_io: bool,
    /// Daemons may be killed, and started again while client processes of the life before go on.
    pub daemon_kills: bool,
    /// Beyond the tolerance: a host may stand still together with its clock, its wdmd and, if that is
    /// [`Device::FrozenWithHost`](crate::setup::Device::FrozenWithHost), its device.
    pub pauses_with_clock: bool,
    /// Beyond the tolerance: writes of a life before may land at any later time, during later lives too.
    pub late_for_ever: bool,
    /// Beyond the tolerance: the ticks of a clock may stay out while others go on, up to this many at a time.
    pub lost_ticks: u8,
    /// What is fused.
    pub reductions: Reductions,
}

/// What makes a space smaller without changing any verdict. Each can be switched off, to be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reductions {
    /// A write lands and completes, or a read is sampled and completes, in one step: the completion touches no sector.
    pub completion: bool,
    /// A step of a host that touches no sector and no other host is taken at once and alone: back-offs, requests of idle
    /// clients. Each consumes something that only a step with effect brings back, so there is no cycle of such steps.
    pub partial_order: bool,
    /// States that differ only in the names of equal hosts are one state. In worlds without time the ballot number
    /// orders the hosts, so nothing is symmetric there.
    pub symmetry: bool,
    /// What a host with time remembers of others is forgotten where, given the others, it cannot decide anything any more;
    /// in worlds without time, what is outrun by a block of a higher version. That relies on how the engine ballots, so
    /// worlds that are to judge a changed engine go without.
    pub memory: bool,
}

impl Reductions {
    /// All on.
    pub const ALL: Reductions = Reductions { completion: true, partial_order: true, symmetry: true, memory: true };

    /// Their names, in the order of the fields.
    pub const NAMES: [&'static str; 4] = ["completion", "partial_order", "symmetry", "memory"];

    /// These without the named one; `None` if there is none of that name.
    pub fn without(self, name: &str) -> Option<Reductions> {
        Some(match name {
            "completion" => Reductions { completion: false, ..self },
            "partial_order" => Reductions { partial_order: false, ..self },
            "symmetry" => Reductions { symmetry: false, ..self },
            "memory" => Reductions { memory: false, ..self },
            _ => return None,
        })
    }
}
