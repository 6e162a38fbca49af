//! A watchdog device: it resets its host a fixed time after the last ping, and nothing that happens to the host's
//! software makes any difference to that.

use crate::clock::HostClock;
use crate::instant::Instant;
use crate::setup::Device;
use lease_core::numbers::{Span, Time};

/// The device of one host, running or off.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Watchdog {
    /// Counts up from zero at each ping, at the rate of the host's clock: both hang on one oscillator. What software
    /// does to the host's clock does not touch it.
    stopwatch: HostClock,
    /// How much the stopwatch shows when the device fires; `None`: it never does.
    timeout: Option<Span>,
    /// When that will be.
    fires: Instant,
}

impl Watchdog {
    /// A device without power.
    pub(super) const OFF: Watchdog = Watchdog {
        stopwatch: HostClock::starting(Instant::START, Time::from_micros(0), 0),
        timeout: None,
        fires: Instant::NEVER,
    };

    /// When it fires, if nothing else happens.
    pub(super) fn fires(&self) -> Instant {
        self.fires
    }

    /// It counts from zero again. `fire_timeout` is in seconds.
    pub(super) fn ping(&mut self, at: Instant, kind: Device, fire_timeout: u64, ppm: i32) {
        let whole = Span::from_secs(fire_timeout);
        self.timeout = match kind {
            Device::Exact | Device::FrozenWithHost => Some(whole),
            Device::Late { percent } => Some(Span::from_micros(whole.micros() * u64::from(percent) / 100)),
            Device::Broken => None,
        };
        self.run(HostClock::starting(at, Time::from_micros(0), ppm));
    }

    /// The oscillator changes its rate.
    pub(super) fn set_rate(&mut self, at: Instant, ppm: i32) {
        self.run(HostClock { ppm, ..self.stopwatch.rebased(at) });
    }

    /// It stops counting, or goes on: an emulated device of a paused virtual machine.
    pub(super) fn set_frozen(&mut self, at: Instant, frozen: bool) {
        self.run(HostClock { stopped: frozen, ..self.stopwatch.rebased(at) });
    }

    fn run(&mut self, stopwatch: HostClock) {
        self.stopwatch = stopwatch;
        self.fires = match self.timeout {
            Some(timeout) => stopwatch.first_showing(Time::from_micros(timeout.micros())),
            None => Instant::NEVER,
        };
    }

    /// Shows each moment that it remembers.
    pub(super) fn visit_instants(&mut self, instants: &mut dyn FnMut(&mut Instant)) {
        if self.timeout.is_some() {
            instants(&mut self.stopwatch.from_true);
            if self.fires != Instant::NEVER {
                instants(&mut self.fires);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Watchdog;
    use crate::instant::Instant;
    use crate::setup::Device;

    fn pinged_at_100(kind: Device, ppm: i32) -> Watchdog {
        let mut device = Watchdog::OFF;
        device.ping(Instant::from_secs(100), kind, 60, ppm);
        device
    }

    #[test]
    fn it_fires_sixty_seconds_after_the_last_ping() {
        let mut device = pinged_at_100(Device::Exact, 0);
        assert_eq!(device.fires(), Instant::from_secs(160));
        device.ping(Instant::from_secs(159), Device::Exact, 60, 0);
        assert_eq!(device.fires(), Instant::from_secs(219));
    }

    #[test]
    fn a_slow_oscillator_fires_later() {
        // 60 s at -200 ppm: 60 / 0.9998 = 60.0120024... s
        assert_eq!(pinged_at_100(Device::Exact, -200).fires(), Instant(160_012_003));
        let mut device = pinged_at_100(Device::Exact, 0);
        device.set_rate(Instant::from_secs(130), -500_000);
        assert_eq!(device.fires(), Instant::from_secs(190), "30 s are left, and take twice as long");
    }

    #[test]
    fn two_stages_take_twice_the_time_and_a_broken_one_for_ever() {
        assert_eq!(pinged_at_100(Device::Late { percent: 200 }, 0).fires(), Instant::from_secs(220));
        assert_eq!(pinged_at_100(Device::Broken, 0).fires(), Instant::NEVER);
        assert_eq!(Watchdog::OFF.fires(), Instant::NEVER);
    }

    #[test]
    fn a_frozen_one_goes_on_where_it_stood() {
        let mut device = pinged_at_100(Device::FrozenWithHost, 0);
        device.set_frozen(Instant::from_secs(110), true);
        assert_eq!(device.fires(), Instant::NEVER);
        device.set_frozen(Instant::from_secs(1_000), false);
        assert_eq!(device.fires(), Instant::from_secs(1_050));
    }
}
