//! wdmd, the daemon that feeds a host's watchdog device for as long as all its clients are alive (daemon §4).
//!
//! It counts in whole seconds of its host's clock. What it does to the device it says as a [`Ping`]; that the device
//! counts on whatever becomes of wdmd is not its business.

use crate::happening::Ping;
use crate::setup::{LateClose, WdmdProfile};
use lease_core::mutants::Mutant;
use lease_core::numbers::{Numbers, Second, Span, Time, Visit};
use lease_core::seam::{LsId, WatchdogMessage};

/// How much earlier than its interval a test may come. Not later: "tested at least every 10 s" is part of the
/// tolerance, for the argument of safety has no margin there.
const EARLY: Span = Span::from_millis(50);
/// Between two tests while a client fails.
const RETEST: Span = Span::SECOND;

/// A running wdmd.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Wdmd {
    /// In the order in which they connected.
    clients: Vec<Client>,
    device: Hold,
    /// When the next test is due, on the host's clock.
    due: (Time, Time),
    /// What arrived while wdmd was stalled, in order.
    queue: Vec<Letter>,
}

/// A connection: one per lockspace and life of the daemon.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Client {
    lockspace: LsId,
    /// REFCOUNT_SET was received.
    used: bool,
    renewal: Second,
    expire: Second,
    /// Its daemon died; what it promised last stays.
    dead: bool,
}

/// How wdmd holds the device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Hold {
    /// Open, and fed when a test passes.
    Open,
    /// Open and hungry: a close would come too late to be harmless.
    Hungry,
    /// Closed without the magic character, so the device goes on counting.
    Closed,
}

/// Something on wdmd's sockets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Letter {
    /// A message.
    Message {
        /// Over which connection.
        lockspace: LsId,
        /// Which.
        message: WatchdogMessage,
        /// Whether its sender still lives to hear the answer.
        answered: bool,
    },
    /// The daemon died: all its connections are closed.
    DaemonGone,
}

/// What a test found and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tested {
    /// The earliest expiry of a failing client.
    pub(crate) failing: Option<Second>,
    /// What it did to the device.
    pub(crate) ping: Option<Ping>,
}

impl Wdmd {
    /// wdmd as it starts, with the device opened. Its first test comes at any moment of the first interval: how the
    /// tests of two hosts lie to each other is chance.
    pub(crate) fn start(now: Time, interval: u64) -> Wdmd {
        let due = (now.after(Span::from_micros(1)), now.after(Span::from_secs(interval)));
        Wdmd { clients: Vec::new(), device: Hold::Open, due, queue: Vec::new() }
    }

    /// The range in which the next test is due.
    pub(crate) fn due(&self) -> (Time, Time) {
        self.due
    }

    /// The next test is late already: it comes before `latest`.
    pub(crate) fn put_off(&mut self, latest: Time) {
        self.due.1 = latest;
    }

    /// Whether a close of the device by the kernel would ping it.
    pub(crate) fn holds_device(&self) -> bool {
        self.device != Hold::Closed
    }

    /// Whether it leaves the device open without feeding it.
    pub(crate) fn starves_device(&self) -> bool {
        self.device == Hold::Hungry
    }

    /// Whether nobody who is connected has promised anything yet, and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.clients.iter().all(|client| client.expire == Second::NEVER)
    }

    /// A message arrived.
    pub(crate) fn receive(&mut self, lockspace: LsId, message: WatchdogMessage) {
        let known = self.clients.iter().position(|client| client.lockspace == lockspace && !client.dead);
        match (message, known) {
            (WatchdogMessage::Connect, Some(index)) => self.clients[index] = Client::connected(lockspace),
            (WatchdogMessage::Connect, None) => self.clients.push(Client::connected(lockspace)),
            (WatchdogMessage::Arm { renewal, expire }, Some(index)) => {
                let client = &mut self.clients[index];
                *client = Client { used: true, renewal, expire, ..client.clone() };
            }
            (WatchdogMessage::TestLive { renewal, expire }, Some(index)) => {
                let client = &mut self.clients[index];
                *client = Client { renewal, expire, ..client.clone() };
            }
            (WatchdogMessage::Disarm, Some(index)) => {
                self.clients.remove(index);
            }
            // Over a connection that is closed already.
            (WatchdogMessage::Arm { .. } | WatchdogMessage::TestLive { .. } | WatchdogMessage::Disarm, None) => {}
        }
    }

    /// The daemon died. "A client that disconnects with expire ≠ 0 stays in the table for ever ... With expire 0 it is
    /// forgotten."
    pub(crate) fn daemon_gone(&mut self, profile: WdmdProfile) {
        self.clients.retain_mut(|client| {
            client.dead = true;
            client.expire != Second::NEVER && !profile.mutated(Mutant::B21)
        });
    }

    /// Whether somebody is connected for this lockspace.
    pub(crate) fn knows(&self, lockspace: LsId) -> bool {
        self.clients.iter().any(|client| client.lockspace == lockspace && !client.dead)
    }

    /// The wall clock jumps back by an hour, and what is measured with it expires so much later.
    pub(crate) fn wall_clock_stepped(&mut self, profile: WdmdProfile) {
        for client in &mut self.clients {
            if client.expire != Second::NEVER && profile.mutated(Mutant::B07c) {
                client.expire = client.expire.after(3_600);
            }
        }
    }

    /// While wdmd is stalled, what arrives waits in its sockets.
    pub(crate) fn queue(&mut self, letter: Letter) {
        if letter == Letter::DaemonGone {
            for waiting in &mut self.queue {
                if let Letter::Message { answered, .. } = waiting {
                    *answered = false;
                }
            }
        }
        self.queue.push(letter);
    }

    /// All that waited, in order.
    pub(crate) fn take_queue(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.queue)
    }

    /// Tests all clients. "failing client: used, expire ≠ 0, and t ≥ expire − 10 (10 = test interval; unsigned
    /// arithmetic)": an expiry within the first interval of the clock counts as near.
    pub(crate) fn test(&mut self, now: Time, interval: u64, profile: WdmdProfile) -> Tested {
        let second = now.second();
        let margin = if profile.mutated(Mutant::B18) { 0 } else { interval };
        let fails = |client: &&Client| {
            client.used && client.expire != Second::NEVER && second.0 >= client.expire.0.saturating_sub(margin)
        };
        let failing = self.clients.iter().filter(fails).map(|client| client.expire).min();
        let ping = match (failing, self.device) {
            (None, Hold::Open | Hold::Hungry) => {
                self.device = Hold::Open;
                Some(Ping::Test)
            }
            (None, Hold::Closed) => {
                self.device = Hold::Open;
                Some(Ping::Open)
            }
            (Some(_), Hold::Open) if profile.mutated(Mutant::B17) => None,
            (Some(_), Hold::Open) if profile.mutated(Mutant::B18) => {
                self.device = Hold::Closed;
                Some(Ping::Close)
            }
            (Some(expire), Hold::Open) if profile.late_close == LateClose::Silent && second >= expire => {
                self.device = Hold::Hungry;
                None
            }
            (Some(_), Hold::Open) => {
                self.device = Hold::Closed;
                Some(Ping::Close)
            }
            (Some(_), Hold::Hungry | Hold::Closed) => None,
        };
        let next = match failing {
            None => now.after(Span::from_secs(interval)),
            Some(_) => now.after(RETEST),
        };
        self.due = (Time::from_micros(next.micros() - EARLY.micros()), next);
        Tested { failing, ping }
    }
}

impl Wdmd {
    /// Makes alike how the device is held where nothing depends on it: whoever fails late starves it without a ping, and
    /// whoever passes again pings it, opened anew or not. Only where closing late is silent, and nobody asks how it is
    /// held.
    pub(crate) fn forget_hold(&mut self, now: Second, profile: WdmdProfile) {
        let expired = |client: &Client| client.used && client.expire != Second::NEVER && client.expire <= now;
        let starves = self.device == Hold::Hungry || self.device == Hold::Open && self.clients.iter().any(expired);
        if profile.late_close == LateClose::Silent && starves {
            self.device = Hold::Closed;
        }
    }

    /// Wipes out what decides nothing any more, for whoever compares: when a client was renewed, by how much it is
    /// overdue, and from when on a test might have come.
    pub(crate) fn forget(&mut self, now: Second, interval: u64) {
        const LONG_AGO: Second = Second(1);
        let closed = self.device != Hold::Open;
        for client in &mut self.clients {
            client.renewal = Second::NEVER;
            let over = if closed { now.after(interval) } else { now };
            if client.expire != Second::NEVER && client.expire <= over {
                client.expire = LONG_AGO;
            }
        }
        // Of several renewals that wait to be read one after the other, the last counts.
        let before = std::mem::take(&mut self.queue);
        for mut letter in before {
            if let Letter::Message { message: WatchdogMessage::TestLive { renewal, expire }, lockspace, .. } =
                &mut letter
            {
                *renewal = Second::NEVER;
                if *expire <= now {
                    *expire = LONG_AGO;
                }
                let overtaken = |last: &Letter| {
                    matches!(last, Letter::Message { message: WatchdogMessage::TestLive { .. }, lockspace: known, .. }
                        if known == lockspace)
                };
                if self.queue.last().is_some_and(overtaken) {
                    self.queue.pop();
                }
            }
            self.queue.push(letter);
        }
        self.due.0 = self.due.1;
    }
}

impl Client {
    fn connected(lockspace: LsId) -> Client {
        Client { lockspace, used: false, renewal: Second::NEVER, expire: Second::NEVER, dead: false }
    }
}

impl Visit for Wdmd {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for client in &mut self.clients {
            numbers.second(&mut client.renewal);
            numbers.second(&mut client.expire);
        }
        numbers.time(&mut self.due.0);
        numbers.time(&mut self.due.1);
        for letter in &mut self.queue {
            if let Letter::Message { message, .. } = letter {
                message.visit(numbers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Letter, Tested, Wdmd};
    use crate::happening::Ping;
    use crate::setup::WdmdProfile;
    use lease_core::numbers::{Second, Time};
    use lease_core::seam::{LsId, WatchdogMessage};

    const LS: LsId = LsId(0);
    const OLD: WdmdProfile = WdmdProfile::SANLOCK_3_8_5;
    const NEW: WdmdProfile = WdmdProfile::HARDENED;
    const PASSED: Tested = Tested { failing: None, ping: Some(Ping::Test) };

    /// wdmd that started at second 1000, with a lockspace of io_timeout 10 armed at second 1003: it expires at 1083.
    fn armed() -> Wdmd {
        let mut wdmd = Wdmd::start(Time::from_secs(1_000), 10);
        wdmd.receive(LS, WatchdogMessage::Connect);
        wdmd.receive(LS, WatchdogMessage::Arm { renewal: Second(1_003), expire: Second(1_083) });
        wdmd
    }

    fn failing(ping: Option<Ping>) -> Tested {
        Tested { failing: Some(Second(1_083)), ping }
    }

    #[test]
    fn the_first_test_comes_at_any_moment_of_the_first_interval() {
        let wdmd = Wdmd::start(Time::from_secs(1_000), 10);
        assert_eq!(wdmd.due(), (Time::from_micros(1_000_000_001), Time::from_secs(1_010)));
    }

    #[test]
    fn the_device_is_closed_ten_seconds_before_the_expiry_and_that_is_a_ping() {
        let mut wdmd = armed();
        assert_eq!(wdmd.test(Time::from_micros(1_072_999_999), 10, OLD), PASSED);
        assert_eq!(wdmd.due().1, Time::from_micros(1_082_999_999), "the next one still comes before the expiry");

        let mut wdmd = armed();
        assert_eq!(wdmd.test(Time::from_secs(1_073), 10, OLD), failing(Some(Ping::Close)));
        assert_eq!(wdmd.due().1, Time::from_secs(1_074), "a second later it looks again");
        assert_eq!(wdmd.test(Time::from_secs(1_074), 10, OLD), failing(None), "a closed device is not closed again");
    }

    #[test]
    fn a_renewal_in_time_opens_the_device_again() {
        let mut wdmd = armed();
        wdmd.test(Time::from_secs(1_075), 10, OLD);
        wdmd.receive(LS, WatchdogMessage::TestLive { renewal: Second(1_075), expire: Second(1_155) });
        let reopened = Tested { failing: None, ping: Some(Ping::Open) };
        assert_eq!(wdmd.test(Time::from_secs(1_076), 10, OLD), reopened);
    }

    // 1. wdmd is stalled from before expire - 10 until after the expiry.
    // 2. Its first test after that fails and finds the device open.
    // 3. 3.8.5 closes it: a ping after the expiry. The safe decision leaves it open, hungry.
    #[test]
    fn a_close_that_comes_too_late_pings_unless_it_is_left_out() {
        let late = Time::from_secs(1_083);
        assert_eq!(armed().test(late, 10, OLD), failing(Some(Ping::Close)));

        let mut wdmd = armed();
        assert_eq!(wdmd.test(late, 10, NEW), failing(None));
        assert!(wdmd.holds_device() && wdmd.starves_device());
        assert_eq!(wdmd.test(Time::from_secs(1_084), 10, NEW), failing(None));
        wdmd.receive(LS, WatchdogMessage::Disarm);
        assert_eq!(wdmd.test(Time::from_secs(1_085), 10, NEW), PASSED, "all clients pass again");
        assert!(!wdmd.starves_device());
    }

    #[test]
    fn the_safe_decision_closes_in_time_like_the_other() {
        assert_eq!(armed().test(Time::from_secs(1_082), 10, NEW), failing(Some(Ping::Close)));
    }

    #[test]
    fn a_client_that_is_not_in_use_never_fails() {
        let mut wdmd = Wdmd::start(Time::from_secs(1_000), 10);
        wdmd.receive(LS, WatchdogMessage::Connect);
        assert_eq!(wdmd.test(Time::from_secs(9_000), 10, OLD), PASSED);
    }

    #[test]
    fn an_expiry_within_the_first_interval_of_the_clock_is_near() {
        let mut wdmd = Wdmd::start(Time::from_secs(1), 10);
        wdmd.receive(LS, WatchdogMessage::Connect);
        wdmd.receive(LS, WatchdogMessage::Arm { renewal: Second(1), expire: Second(9) });
        assert_eq!(wdmd.test(Time::from_secs(1), 10, OLD).ping, Some(Ping::Close));
    }

    #[test]
    fn what_a_dead_daemon_promised_stays_for_ever() {
        let mut wdmd = armed();
        wdmd.receive(LsId(1), WatchdogMessage::Connect);
        wdmd.daemon_gone(NEW);
        assert_eq!(wdmd.clients.len(), 1, "the connection without an expiry is forgotten");

        wdmd.receive(LS, WatchdogMessage::Connect);
        wdmd.receive(LS, WatchdogMessage::Arm { renewal: Second(1_060), expire: Second(1_140) });
        wdmd.receive(LS, WatchdogMessage::Disarm);
        let test = wdmd.test(Time::from_secs(5_000), 10, OLD);
        assert_eq!(test.failing, Some(Second(1_083)), "a new daemon does not take the place of the old");
    }

    #[test]
    fn letters_of_a_daemon_that_died_are_read_and_not_answered() {
        let mut wdmd = Wdmd::start(Time::from_secs(1_000), 10);
        wdmd.queue(Letter::Message { lockspace: LS, message: WatchdogMessage::Connect, answered: true });
        wdmd.queue(Letter::DaemonGone);
        wdmd.queue(Letter::Message { lockspace: LS, message: WatchdogMessage::Connect, answered: true });
        let answered = wdmd.take_queue().into_iter().map(|letter| match letter {
            Letter::Message { answered, .. } => Some(answered),
            Letter::DaemonGone => None,
        });
        assert_eq!(answered.collect::<Vec<_>>(), [Some(false), None, Some(true)]);
        assert_eq!(wdmd.take_queue(), []);
    }
}
