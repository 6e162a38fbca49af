//! Scenario files: what a mistake in one is answered with, and that campaigns do not depend on threads.

use lease_core::profile::Profile;
use scenarios::{Campaign, Case, Decisions, Expected, ProfileName, Scenario, catalogue, run_campaign, worlds};

/// The answer to a file whose story is told and whose body is this.
fn answer(body: &str) -> String {
    match Scenario::parse("x", "x.toml", &format!("# A story.\n{body}")) {
        Ok(_) => "read".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn check(body: &str, expected: &str) {
    assert_eq!(answer(body), expected, "of {body}");
}

#[test]
fn a_mistake_is_told_in_one_line_with_its_place() {
    check("", "read");
    check("[run]\nduration = \"5min\"", "read");
    check(
        "[run]\nduratoin = \"5s\"",
        "x.toml:3: [run] duratoin: expected one of the keys duration, heal, bound, found an unknown key",
    );
    check(
        "\n[run]\nduration = 5",
        "x.toml:4: [run] duration: expected a duration like \"5s\" or \"5s..20s\" (units us, ms, s, min), found 5",
    );
    check(
        "[run]\nduration = \"5 hours\"",
        "x.toml:3: [run] duration: expected a duration like \"5s\" or \"5s..20s\" (units us, ms, s, min), found \"5 hours\"",
    );
    check(
        "[run]\nduration = \"20s..5s\"",
        "x.toml:3: [run] duration: expected a range that runs upwards, found \"20s..5s\"",
    );
    check(
        "[cluster]\nio_timeout = 2",
        "x.toml:3: [cluster] io_timeout: expected a whole number from 3 to 255 or a range like \"3..255\", found 2",
    );
    check("[cluster]\nio_timeout = 2\n[expect]\nbeyond = true", "read");
    check(
        "[limits]\ncrashes = \"many\"",
        "x.toml:3: [limits] crashes: expected a whole number from 0 to 4294967295 or a range like \"0..4294967295\", \
         found \"many\"",
    );
    check(
        "[cluster]\ndevice = \"broken\"",
        "x.toml:3: [cluster] device: expected \"exact\", or [expect] beyond = true, found another",
    );
    check("[expect]\nhardened = \"violated I-EX\"", "read");
    check(
        "[expect]\nhardened = \"violated I-NONE\"",
        "x.toml:3: [expect] hardened: expected \"holds\" or a property: \"violated I-EX\", found \"violated I-NONE\"",
    );
}

/// The answer to a ballot world of two hosts with this in its `[check]` part, which begins in line 7.
fn check_world(body: &str, expected: &str) {
    let cluster = "[cluster]\nhosts = 2\n[[resource]]\nnum_hosts = 2";
    check(&format!("{cluster}\n[check]\nworld = \"ballots\"\n{body}"), expected);
}

#[test]
fn mistakes_in_a_world_to_be_checked_are_told_like_all_others() {
    check_world("crashes = \"unlimited\"\nlate_writes = 2\nunique = { hardened = 5 }", "read");
    check_world(
        "crashes = \"many\"",
        "x.toml:8: [check] crashes: expected a whole number from 0 to 8 or \"unlimited\", found \"many\"",
    );
    check_world(
        "acquires = 0",
        "x.toml:8: [check] acquires: expected a whole number from 1 to 8 or \"unlimited\", found 0",
    );
    check_world(
        "jitter = true",
        "x.toml:8: [check] jitter: expected one of the keys world, acquires, crashes, late_writes, torn_blocks, broken, states, \
         long, unique, without, found an unknown key",
    );
    check_world("without = [\"memory\", \"completion\"]", "read");
    check_world(
        "without = [\"memory\", \"time\"]",
        "x.toml:8: [check] without: expected reductions: completion, partial_order, symmetry, memory, found time",
    );
    check_world(
        "torn_blocks = true",
        "x.toml:6: [check] torn_blocks: expected late_writes, for only these land torn, found none",
    );
    check_world(
        "unique = { hardned = 5 }",
        "x.toml:8: [check.unique] hardned: expected one of the keys sanlock_3_8_5, hardened, found an unknown key",
    );
    check_world(
        "[expect]\nhardened = \"holds within the bound\"",
        "x.toml:6: [check]: expected states = N, for \"holds within the bound\" is expected, found no bound",
    );
    check_world("states = 9\n[expect]\nhardened = \"holds within the bound\"", "read");
    let unknown = answer("[cluster]\nhosts = 2\n[decisions]\nwithout = [\"magic\"]");
    assert!(unknown.starts_with("x.toml:5: [decisions] without: expected decisions (rejoin, "), "{unknown}");
    assert!(unknown.ends_with(", late_close), found \"magic\""), "{unknown}");
    check("[check]", "x.toml:2: [check] world: expected one of ballots, host-ids, leases, found nothing");
    check(
        "[check]\nworld = \"seeds\"",
        "x.toml:3: [check] world: expected one of ballots, host-ids, leases, found \"seeds\"",
    );
    check(
        "[cluster]\nhosts = 4\n[check]\nworld = \"leases\"",
        "x.toml:4: [check]: expected 1 to 3 hosts in such a world, found 4",
    );
    check(
        "[cluster]\nhosts = 2\n[check]\nworld = \"ballots\"",
        "x.toml:4: [check]: expected [[resource]] num_hosts = 2, the number of hosts, found 0",
    );
    check(
        "[cluster]\nhosts = 2\nio_timeout = \"1..2\"\n[check]\nworld = \"leases\"",
        "x.toml:5: [check]: expected single numbers for io_timeout, watchdog and drift_ppm, for there is no seed to draw \
         from, found a range on host A",
    );
    check(
        "[check]\nworld = \"leases\"\nlost_ticks = 1",
        "x.toml:2: [check] lost_ticks: expected [expect] beyond = true for this, found a tolerance that is kept",
    );
    // Only small worlds scale what sanlock compiles in, and only worlds of host ids alone have two hosts of one id.
    check("[cluster]\nhosts = 2\nfailure_age = 4\n[check]\nworld = \"leases\"", "read");
    assert!(answer("[cluster]\nfailure_age = 4").ends_with("found an unknown key"));
    let twins = "[[host]]\nid = 1\n[[host]]\nid = 1\n[check]\nworld = ";
    check(&format!("{twins}\"host-ids\""), "read");
    assert!(answer(&format!("{twins}\"leases\"")).contains("expected one of its own"));
}

#[test]
fn decisions_are_put_into_a_profile_and_into_the_text() {
    let world = Scenario::named("check-ballots-2").expect("it is in the catalogue");
    let more = Decisions {
        with: vec!["winner".to_owned()],
        without: vec!["own_vote".to_owned(), "late_close".to_owned()],
        unspared: false,
    };
    let changed = world.with_decisions(&more).expect("there are such decisions");
    assert!(changed.text.contains("without = [\"own_vote\", \"late_close\"]"), "{}", changed.text);
    let profile = |profile| Case::new(&changed, profile, 0).setup.hosts[1].config.profile;
    assert_eq!(profile(ProfileName::Hardened), Profile::HARDENED.without("own_vote").expect("it is one"));
    assert_eq!(profile(ProfileName::Sanlock385), Profile::SANLOCK_3_8_5.with("winner").expect("it is one"));
    // Once more: the lists of the text are replaced, not repeated.
    let again = changed.with_decisions(&more).expect("there are such decisions");
    assert_eq!(again.text, changed.text);
    // In a story, too; and then nothing spares the other profile, drift neither.
    let swarm = Scenario::named("swarm").expect("it is in the catalogue");
    let unspared = swarm.with_decisions(&Decisions { unspared: true, ..more }).expect("there are such decisions");
    let on = |scenario: &Scenario| {
        Case::new(scenario, ProfileName::Sanlock385, 0).faults.on.iter().filter(|(_, on)| on.is_some()).count()
    };
    assert!(on(&unspared) > on(&swarm), "{} faults and {}", on(&unspared), on(&swarm));
    assert!(Case::new(&unspared, ProfileName::Sanlock385, 0).setup.hosts.iter().any(|host| host.drift_ppm != 0));
    let unknown = world.with_decisions(&Decisions { with: vec!["luck".to_owned()], ..Decisions::default() });
    assert!(unknown.is_err_and(|why| why.contains("found \"luck\"")));
}

#[test]
fn two_hosts_that_are_one_are_found() {
    check(
        "[[host]]\n[[host]]\nid = 1",
        "x.toml:3: [[host]] id: expected one of its own, or [expect] beyond = true, found 1 again (hosts A and B)",
    );
    check("[[host]]\n[[host]]\nid = 1\n[expect]\nbeyond = true", "read");
    check(
        "[[host]]\nid = 2001",
        "x.toml:3: [[host]] id: expected a whole number from 1 to 2000 or a range like \"1..2000\", found 2001",
    );
    check(
        "[[host]]\nwatchdog = 30\n[[host]]",
        "x.toml:4: [[host]] watchdog: expected the same on all hosts, or [expect] beyond = true, found different ones",
    );
}

#[test]
fn areas_and_faults_and_events_are_checked() {
    check(
        "[[resource]]\noffset = 0",
        "x.toml:2: [[resource]] offset: expected an area of its own, found the area of LS",
    );
    check("[[resource]]\noffset = 512", "x.toml:3: [[resource]] offset: expected a multiple of 1048576, found 512");
    check(
        "[[resource]]\nnum_hosts = 2",
        "x.toml:3: [[resource]] num_hosts: expected room for host id 3, or [expect] beyond = true, found 2",
    );
    check("[disk]\nalign = \"8M\"", "x.toml:3: [disk] align: expected \"1M\" with 512-byte sectors, found another");
    check(
        "[faults.rot]",
        "x.toml:2: [faults.rot]: expected [expect] beyond = true, found a fault beyond the tolerance",
    );
    check(
        "[[event]]\nhost = \"A\"\ndo = \"power-loss\"",
        "x.toml:2: [[event]] at: expected when: at = \"30s\", or after = \"grant\", found nothing",
    );
    check(
        "[[event]]\nat = \"1s\"\nhost = \"Z\"\ndo = \"power-loss\"",
        "x.toml:4: [[event]] host: expected one of A, B, C, found \"Z\"",
    );
    check(
        "[[event]]\nat = \"1s\"\nhost = \"A\"\ndo = \"rollback\"",
        "x.toml:5: [[event]] do: expected [expect] beyond = true for this, found a tolerance that is kept",
    );
}

#[test]
fn the_story_and_the_syntax_are_checked() {
    let untold = Scenario::parse("x", "x.toml", "[run]\n").map(|_| ()).unwrap_err();
    assert_eq!(untold.to_string(), "x.toml:1: expected a comment that tells the story, found none");
    let broken = answer("[run\n");
    assert!(broken.starts_with("x.toml:2: expected TOML, found a mistake: "), "{broken}");
    assert_eq!(broken.lines().count(), 1, "{broken}");
}

#[test]
fn every_story_tells_what_it_expects() {
    for scenario in catalogue().into_iter().chain(worlds()) {
        assert!(scenario.story.len() > 100, "{}: a story is more than a title", scenario.name);
        assert!(scenario.text.contains("[expect]"), "{}: what is expected of it?", scenario.name);
        let again = Scenario::parse(&scenario.name, &scenario.file, &scenario.text);
        assert_eq!(again.as_ref(), Ok(&scenario));
        if !scenario.beyond {
            let expected = scenario.expected(ProfileName::Hardened);
            assert!(!matches!(expected, Expected::Violated(_)), "{}", scenario.name);
        }
    }
}

#[test]
fn a_campaign_does_not_depend_on_its_threads() {
    let scenario = Scenario::named("swarm").expect("it is in the catalogue");
    let run = |jobs| {
        let profile = ProfileName::Hardened;
        let campaign =
            Campaign { scenario: &scenario, profile, seeds: 0..66, jobs, stop_at_violation: true, prepare: None };
        let mut seen = Vec::new();
        let summary = run_campaign(&campaign, &|| true, &mut |outcome| seen.push(outcome.seed));
        assert!(seen.is_sorted());
        summary
    };
    let (one, three) = (run(1), run(3));
    assert_eq!(one, three);
    assert_eq!(one.nondeterministic, None);
    assert!(one.median_actions >= 2_000 && one.median_micros >= 300_000_000, "{one:?}");
    assert!(one.with_takeover * 5 >= one.seeds && one.with_rejoin * 5 >= one.seeds, "{one:?}");
}

#[test]
fn a_campaign_ends_when_it_is_told_to() {
    let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
    let campaign = Campaign {
        scenario: &scenario,
        profile: ProfileName::Hardened,
        seeds: 0..u64::MAX,
        jobs: 2,
        stop_at_violation: true,
        prepare: None,
    };
    let asked = std::sync::atomic::AtomicU64::new(0);
    let keep_going = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 5;
    let summary = run_campaign(&campaign, &keep_going, &mut |_| {});
    assert_eq!(summary.seeds, 5);
    assert!(!summary.complete);
}
