//! Limits: how much of what may go wrong in one run, and within what physical bounds. This is the fault model of every
//! explorer; it is printed in every verdict.

use std::fmt;

/// The fault model of a run. A world refuses an action that its limits do not allow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// Whether the bounds of the tolerance are kept: a violation then is a bug of the engine or a named hole of its
    /// profile. Beyond it, a violation measures the price of a broken assumption.
    pub within_tolerance: bool,
    /// Power losses (watchdog resets do not count: they are the engine's own doing).
    pub crashes: u32,
    /// Daemon kills.
    pub daemon_kills: u32,
    /// wdmd kills.
    pub wdmd_kills: u32,
    /// Stalls of a task, a daemon, wdmd or a host.
    pub stalls: u32,
    /// Changes of a path to anything but open.
    pub cuts: u32,
    /// I/Os answered with an error, short, or without an answer (lost answers).
    pub errors: u32,
    /// Writes that land after their host was reset or its daemon killed.
    pub ghosts: u32,
    /// Writes that land torn (within the tolerance: at 512-byte boundaries of a 4096-byte sector).
    pub torn: u32,
    /// Clock jumps, stops and drift changes.
    pub clock_faults: u32,
    /// Damage to the medium: rot, misdirection, stale reads, rollbacks, splits, direct edits.
    pub damage: u32,
    /// Client processes that hang up and live on.
    pub hangups: u32,
}

impl Limits {
    /// No fault at all.
    pub const CALM: Limits = Limits {
        within_tolerance: true,
        crashes: 0,
        daemon_kills: 0,
        wdmd_kills: 0,
        stalls: 0,
        cuts: 0,
        errors: 0,
        ghosts: 0,
        torn: 0,
        clock_faults: 0,
        damage: 0,
        hangups: 0,
    };

    /// Any number of faults within the tolerance.
    pub const TOLERANCE: Limits = Limits {
        within_tolerance: true,
        crashes: u32::MAX,
        daemon_kills: u32::MAX,
        wdmd_kills: u32::MAX,
        stalls: u32::MAX,
        cuts: u32::MAX,
        errors: u32::MAX,
        ghosts: u32::MAX,
        torn: u32::MAX,
        clock_faults: u32::MAX,
        damage: 0,
        hangups: u32::MAX,
    };

    /// Anything that can happen.
    pub const BEYOND: Limits = Limits { within_tolerance: false, damage: u32::MAX, ..Limits::TOLERANCE };
}

/// Something of which the limits allow only so much. Each is a field of [`Limits`] of the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Budget {
    /// Power losses.
    Crashes,
    /// Daemon kills.
    DaemonKills,
    /// wdmd kills.
    WdmdKills,
    /// Stalls.
    Stalls,
    /// Cuts of paths.
    Cuts,
    /// Errors on open paths.
    Errors,
    /// Landings of ghosts.
    Ghosts,
    /// Torn writes.
    Torn,
    /// Clock faults.
    ClockFaults,
    /// Damage to the medium.
    Damage,
    /// Hang-ups.
    Hangups,
}

impl Budget {
    /// All of them, in the order of the fields of [`Limits`].
    pub const ALL: [Budget; 11] = [
        Budget::Crashes,
        Budget::DaemonKills,
        Budget::WdmdKills,
        Budget::Stalls,
        Budget::Cuts,
        Budget::Errors,
        Budget::Ghosts,
        Budget::Torn,
        Budget::ClockFaults,
        Budget::Damage,
        Budget::Hangups,
    ];

    /// Its name: that of the field in [`Limits`].
    pub const fn name(self) -> &'static str {
        match self {
            Budget::Crashes => "crashes",
            Budget::DaemonKills => "daemon_kills",
            Budget::WdmdKills => "wdmd_kills",
            Budget::Stalls => "stalls",
            Budget::Cuts => "cuts",
            Budget::Errors => "errors",
            Budget::Ghosts => "ghosts",
            Budget::Torn => "torn",
            Budget::ClockFaults => "clock_faults",
            Budget::Damage => "damage",
            Budget::Hangups => "hangups",
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Limits {
    /// How much of something is allowed.
    pub const fn of(&self, budget: Budget) -> u32 {
        match budget {
            Budget::Crashes => self.crashes,
            Budget::DaemonKills => self.daemon_kills,
            Budget::WdmdKills => self.wdmd_kills,
            Budget::Stalls => self.stalls,
            Budget::Cuts => self.cuts,
            Budget::Errors => self.errors,
            Budget::Ghosts => self.ghosts,
            Budget::Torn => self.torn,
            Budget::ClockFaults => self.clock_faults,
            Budget::Damage => self.damage,
            Budget::Hangups => self.hangups,
        }
    }

    /// How much of something is allowed, to be changed.
    pub fn of_mut(&mut self, budget: Budget) -> &mut u32 {
        match budget {
            Budget::Crashes => &mut self.crashes,
            Budget::DaemonKills => &mut self.daemon_kills,
            Budget::WdmdKills => &mut self.wdmd_kills,
            Budget::Stalls => &mut self.stalls,
            Budget::Cuts => &mut self.cuts,
            Budget::Errors => &mut self.errors,
            Budget::Ghosts => &mut self.ghosts,
            Budget::Torn => &mut self.torn,
            Budget::ClockFaults => &mut self.clock_faults,
            Budget::Damage => &mut self.damage,
            Budget::Hangups => &mut self.hangups,
        }
    }

    /// One less of something. What is as large as can be stands for "any number", and stays.
    pub(crate) fn spend(&mut self, budget: Budget) {
        let left = self.of_mut(budget);
        assert!(*left > 0, "a budget is spent only while there is something of it");
        if *left != u32::MAX {
            *left -= 1;
        }
    }
}
