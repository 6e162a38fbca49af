//! A host's CLOCK_MONOTONIC as a function of true time: a straight line, until something bends it.
//!
//! All arithmetic is on integers and rounds down, so that "what does the clock show now" and "when will it show that"
//! agree to the microsecond.

use crate::instant::Instant;
use lease_core::numbers::{Span, Time};

/// Parts in a whole: rates are given in parts per million.
const MILLION: u64 = 1_000_000;

/// The clock of one host, as it runs from one moment on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HostClock {
    /// The moment from which this line holds.
    pub from_true: Instant,
    /// What the clock showed then.
    pub from_host: Time,
    /// How much faster than true time it runs, in parts per million; above -1,000,000.
    pub ppm: i32,
    /// Whether it stands still.
    pub stopped: bool,
}

impl HostClock {
    /// A clock that shows `time` at `at` and runs.
    pub const fn starting(at: Instant, time: Time, ppm: i32) -> HostClock {
        HostClock { from_true: at, from_host: time, ppm, stopped: false }
    }

    /// What the clock shows at a moment that is not before [`HostClock::from_true`].
    pub fn at(&self, at: Instant) -> Time {
        if self.stopped {
            return self.from_host;
        }
        let passed = at.micros_since(self.from_true);
        let shown = if self.ppm == 0 { passed } else { scaled(passed, self.rate(), MILLION, Round::Down) };
        self.from_host.after(Span::from_micros(shown))
    }

    /// The first moment at which the clock shows `time` or more: [`HostClock::from_true`] if it does from there on,
    /// [`Instant::NEVER`] if it stands before that.
    pub fn first_showing(&self, time: Time) -> Instant {
        let ahead = time.since(self.from_host).micros();
        if ahead == 0 {
            return self.from_true;
        }
        if self.stopped {
            return Instant::NEVER;
        }
        let passed = if self.ppm == 0 { ahead } else { scaled(ahead, MILLION, self.rate(), Round::Up) };
        self.from_true.after_micros(passed)
    }

    /// The same clock, its line beginning at `at`: to be bent there.
    pub fn rebased(&self, at: Instant) -> HostClock {
        HostClock { from_true: at, from_host: self.at(at), ..*self }
    }

    /// Microseconds of this clock in a second of true time.
    fn rate(&self) -> u64 {
        let rate = i64::from(self.ppm) + MILLION as i64;
        assert!(rate > 0, "a clock runs forwards");
        rate as u64
    }
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// `value * by / of`, at most what 64 bits hold.
fn scaled(value: u64, by: u64, of: u64, round: Round) -> u64 {
    let product = u128::from(value) * u128::from(by);
    let quotient = match round {
        Round::Down => product / u128::from(of),
        Round::Up => product.div_ceil(u128::from(of)),
    };
    u64::try_from(quotient).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::HostClock;
    use crate::instant::Instant;
    use lease_core::numbers::{Span, Time};
    use proptest::prelude::*;

    const NOON: Instant = Instant::from_secs(1_000);

    #[test]
    fn a_clock_without_drift_goes_with_true_time() {
        let clock = HostClock::starting(NOON, Time::from_secs(50), 0);
        assert_eq!(clock.at(NOON.after_micros(7)), Time::from_secs(50).after(Span::from_micros(7)));
        assert_eq!(clock.first_showing(Time::from_secs(60)), Instant::from_secs(1_010));
        assert_eq!(clock.first_showing(Time::from_secs(40)), NOON, "it shows more than that from the start");
    }

    #[test]
    fn two_hundred_parts_per_million_are_28_milliseconds_in_140_seconds() {
        let fast = HostClock::starting(NOON, Time::from_secs(50), 200);
        let slow = HostClock::starting(NOON, Time::from_secs(50), -200);
        let later = NOON.after_micros(140_000_000);
        assert_eq!(fast.at(later).since(Time::from_secs(190)), Span::from_millis(28));
        assert_eq!(Time::from_secs(190).since(slow.at(later)), Span::from_millis(28));
    }

    #[test]
    fn a_stopped_clock_shows_one_time_and_never_reaches_another() {
        let clock = HostClock { stopped: true, ..HostClock::starting(NOON, Time::from_secs(50), 0) };
        assert_eq!(clock.at(Instant::from_secs(5_000)), Time::from_secs(50));
        assert_eq!(clock.first_showing(Time::from_secs(50)), NOON);
        assert_eq!(clock.first_showing(Time::from_secs(51)), Instant::NEVER);
    }

    #[test]
    fn a_bent_clock_loses_nothing() {
        let clock = HostClock::starting(NOON, Time::from_secs(50), 0);
        let bent = HostClock { ppm: 100_000, ..clock.rebased(Instant::from_secs(1_010)) };
        assert_eq!(bent.at(Instant::from_secs(1_010)), Time::from_secs(60));
        assert_eq!(bent.at(Instant::from_secs(1_020)), Time::from_secs(71));
    }

    proptest! {
        #[test]
        fn a_time_is_shown_from_its_first_moment_on_and_not_before(
            from in 0..10_u64.pow(12), shown in 0..10_u64.pow(12), ppm in -900_000..2_000_000, ahead in 0..10_u64.pow(12)
        ) {
            let clock = HostClock::starting(Instant(from), Time::from_micros(shown), ppm);
            let time = Time::from_micros(shown + ahead);
            let first = clock.first_showing(time);
            prop_assert!(clock.at(first) >= time);
            if first > clock.from_true {
                prop_assert!(clock.at(Instant(first.0 - 1)) < time);
            }
        }
    }
}
