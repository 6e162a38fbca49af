//! How use ends: programs, signals that are not wanted, lockspaces that something else uses, daemons that are shut down,
//! processes that stand still or leave a child behind.

use super::{A, Illegal, Limits, P, Story, two_hosts};
use crate::happening::Happening;
use crate::instant::Instant;
use crate::setup::WdmdProfile;
use lease_core::Refusal;
use lease_core::profile::Profile;
use lease_core::seam::{Answer, Signal};

const KILLPATH: &str = "A.1 killpath 2f62696e2f65636f 706175736573 pid";

impl Story {
    /// When A.1 got a signal, in seconds after its last renewal.
    fn signalled(&self, wanted: Signal) -> Vec<u64> {
        let renewed = self.last_renewal();
        let found = self.happened(|it| matches!(it, Happening::Signalled { signal, .. } if *signal == wanted));
        found.iter().map(|at| at.0 / 1_000_000 - renewed).collect()
    }

    fn programs(&self) -> Vec<u64> {
        let renewed = self.last_renewal();
        let found = self.happened(|it| matches!(it, Happening::KillpathRun { .. }));
        found.iter().map(|at| at.0 / 1_000_000 - renewed).collect()
    }

    fn until_reset(&mut self) {
        self.until(|happening| matches!(happening, Happening::Down { host: A, by_watchdog: true }).then_some(()));
    }
}

fn the_past() -> crate::setup::Setup {
    let mut setup = two_hosts();
    for host in &mut setup.hosts {
        (host.config.profile, host.wdmd) = (Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5);
    }
    setup
}

#[test]
fn a_program_is_run_once_and_sigkill_follows_by_the_clock() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now(KILLPATH);
    story.now("A path d0 hung");
    story.until_reset();
    assert_eq!(story.programs().len(), 1, "only once");
    assert!((80..=81).contains(&story.programs()[0]), "when the lockspace fails: {:?}", story.programs());
    assert!(story.signalled(Signal::Term).is_empty(), "it stands in the place of SIGTERM");
    let kills = story.signalled(Signal::Kill);
    assert!((120..=121).contains(&kills[0]) && kills.len() > 5, "when 8N + 40 s have passed: {kills:?}");
    assert_eq!(story.world.violation(), None);
}

#[test]
fn a_removal_asks_nobody_kindly() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now(KILLPATH);
    story.now("A agent leave LS");
    let asked = story.world.now();
    story.until(|happening| matches!(happening, Happening::Signalled { .. }).then_some(()));
    assert!(story.world.now().micros_since(asked) <= 1_000_000);
    assert!(story.programs().is_empty() && story.signalled(Signal::Term).is_empty());
    story.now("A.1 exit");
    story.calm_until(76);
    assert_eq!(story.told("A agent leave LS"), Some(Ok(Answer::Done)));
    assert_eq!(story.world.violation(), None);
}

#[test]
fn who_never_wants_a_signal_is_ended_by_the_watchdog() {
    let signals = |restricts: &str| {
        let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
        story.now(restricts);
        story.now("A path d0 hung");
        story.until_reset();
        assert_eq!(story.world.violation(), None);
        (story.signalled(Signal::Term).len(), story.signalled(Signal::Kill).len())
    };
    assert_eq!(signals("A.1 restrict kill term"), (0, 0));
    let (terms, kills) = signals("A.1 restrict kill");
    assert!(terms > 50 && kills == 0, "SIGTERM all the way: {terms}, {kills}");
    let (terms, kills) = signals("A.1 restrict term");
    assert!(terms == 0 && kills > 50, "SIGKILL from the first on: {terms}, {kills}");
}

#[test]
fn a_lockspace_that_something_uses_is_not_given_up() {
    for (setup, unused) in [(two_hosts(), Ok(Answer::Done)), (the_past(), Err(Refusal::LockspaceFailing))] {
        let mut story = Story::with_a_holder(setup, Limits::TOLERANCE);
        story.now("A agent config LS used");
        story.now("A.1 exit");
        story.now("A agent leave LS");
        story.calm_until(100);
        assert_eq!(story.told("A agent leave LS"), None, "it is used");
        story.now("A agent config LS unused");
        story.calm_until(110);
        let ends = unused.is_ok();
        assert_eq!(story.told("A agent config LS unused"), Some(unused));
        assert_eq!(story.told("A agent leave LS").is_some(), ends, "3.8.5 never ends that removal");
        assert!(story.world.is_up(A) && story.world.violation().is_none());
    }
}

#[test]
fn a_failed_lockspace_that_something_uses_ends_with_its_host() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A agent config LS used");
    story.now("A.1 exit");
    story.now("A path d0 hung");
    story.until_reset();
    assert_eq!(story.world.violation(), None);
}

#[test]
fn what_clients_left_behind_holds_a_lockspace_if_that_is_declared() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A.1 release LS R1");
    story.calm_until(71);
    story.now("A.1 acquire LS R1 persistent");
    story.calm_until(72);
    story.now("A agent config LS used-by-orphans");
    story.now("A.1 leave-child");
    assert_eq!(story.try_now("A.1 spawn"), Err(Illegal::ProcessTaken), "its child still goes by its number");
    story.now("A agent leave LS unused");
    story.calm_until(75);
    assert_eq!(story.told("A agent leave LS unused"), Some(Err(Refusal::Busy)), "an orphan is in use");
    story.now("A agent leave LS");
    story.calm_until(90);
    assert_eq!(story.told("A agent leave LS"), None);
    story.now("A.1 exit");
    let used = story.happened(|happening| matches!(happening, Happening::UseEnds { .. }));
    assert_eq!(used.last(), Some(&story.world.now()), "the child uses it until it ends");
    story.now("A agent config LS unused-by-orphans");
    story.calm_until(95);
    assert_eq!(story.told("A agent leave LS"), Some(Ok(Answer::Done)));
    assert_eq!(story.world.violation(), None);
}

#[test]
fn a_daemon_ends_only_by_force_while_it_has_a_lockspace() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A agent shutdown wait");
    story.now("A agent shutdown");
    assert_eq!(story.told("A agent shutdown wait"), Some(Err(Refusal::Busy)));
    assert_eq!(story.told("A agent shutdown"), Some(Ok(Answer::Done)), "who does not wait hears nothing");
    story.calm_until(80);
    assert!(story.world.daemon_up(A));
    story.now("A agent shutdown force wait");
    story.now("A agent join LS");
    story.until(|happening| matches!(happening, Happening::Signalled { signal: Signal::Kill, .. }).then_some(()));
    assert!(matches!(story.told("A agent join LS"), Some(Err(_))), "nothing is joined any more");
    story.now("A.1 exit");
    story.until(|happening| matches!(happening, Happening::DaemonDown { host: A }).then_some(()));
    assert!(story.world.now() < Instant::from_secs(88), "{}", story.world.now());
    assert_eq!(story.told("A agent shutdown force wait"), Some(Ok(Answer::Done)));
    story.now("A start daemon");
    story.now("A agent join LS");
    story.calm_until(160);
    assert!(matches!(story.told("A agent join LS"), Some(Ok(Answer::Joined { .. }))), "the host id was left free");
    assert!(story.world.is_up(A) && story.world.violation().is_none());
}

#[test]
fn a_join_hears_of_a_shutdown() {
    let mut story = Story::new(two_hosts(), Limits::TOLERANCE);
    story.now("A power-on");
    story.now("A agent join LS");
    story.calm_until(5);
    story.now("A agent shutdown force wait");
    story.until(|happening| matches!(happening, Happening::DaemonDown { host: A }).then_some(()));
    assert_eq!(story.told("A agent join LS"), Some(Err(Refusal::Aborted)));
    assert!(story.world.now() < Instant::from_secs(10), "{}", story.world.now());
}

#[test]
fn a_process_that_stands_still_does_nothing_and_dies_of_sigkill_alone() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A stall process 1");
    assert_eq!(story.try_now("A.1 get-lvb LS R1"), Err(Illegal::Stalled));
    assert_eq!(story.try_now("A.1 hang-up"), Err(Illegal::Stalled));
    assert_eq!(story.try_now("A.1 exit"), Err(Illegal::Stalled), "SIGTERM waits until it goes on");
    story.now("A path d0 hung");
    story.until(|happening| matches!(happening, Happening::Signalled { signal: Signal::Kill, .. }).then_some(()));
    story.now("A.1 exit");
    assert!(story.world.stalled(A).is_empty());
    assert!(story.world.process(A, P).is_none());
}

#[test]
fn somebody_may_release_for_a_process_that_stands_still() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    story.now("A stall process 1");
    story.now("A.1 release LS R1");
    story.calm_until(72);
    assert_eq!(story.told("A.1 release LS R1"), Some(Ok(Answer::Done)));
    story.now("A resume process 1");
    story.now("A.1 acquire LS R1 lver=1");
    story.calm_until(73);
    assert_eq!(
        story.told("A.1 acquire LS R1 lver=1"),
        Some(Ok(Answer::Acquired { lver: lease_core::numbers::Lver(2) }))
    );
}

#[test]
fn a_host_that_is_installed_anew_waits_for_its_own_earlier_life() {
    let mut story = Story::with_a_holder(two_hosts(), Limits::TOLERANCE);
    assert_eq!(story.try_now("A rename anew"), Err(Illegal::On));
    story.now("A power-loss");
    assert!(matches!(story.try_now("A rename B"), Err(Illegal::BeyondTolerance(_))), "that is B's");
    story.now("A rename anew");
    story.notices.clear();
    story.now("A power-on");
    story.now("A agent join LS");
    story.calm_until(200);
    assert_eq!(
        story.told("A agent join LS"),
        None,
        "8N + W and more pass before it may take the host id of another name"
    );
    story.calm_until(420);
    assert!(matches!(story.told("A agent join LS"), Some(Ok(Answer::Joined { .. }))), "{:?}", story.notices.last());
    assert_eq!(story.world.violation(), None);
}
