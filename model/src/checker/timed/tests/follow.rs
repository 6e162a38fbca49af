//! The simulator's world goes wherever these worlds go, and comes to the same: who was granted what and who owns it in
//! the end, and what stands on the disk.

use super::{ROLE, setup};
use crate::checker::intern::mix;
use crate::checker::plan::TimedPlan;
use crate::checker::search::ways;
use crate::checker::timed::{Action, State, Timed, What};
use crate::checker::{Finding, Space};
use crate::happening::{Happening, Sink};
use crate::instant::Instant;
use crate::setup::{Device, Host, Process, Setup, WdmdProfile};
use crate::world::World;
use crate::{Limits, history::Property};
use lease_core::Engine;
use lease_core::format::{Geometry, Sector, SectorKind};
use lease_core::numbers::HostId;
use lease_core::profile::Profile;
use std::sync::Arc;

/// How often each host begins to use the resource.
#[derive(Default)]
struct Grants([usize; 3]);

impl Sink for Grants {
    fn happening(&mut self, _at: Instant, happening: &Happening) {
        if let Happening::UseBegins { host, .. } = happening {
            self.0[usize::from(host.0)] += 1;
        }
    }
}

struct Walked {
    path: Vec<Action>,
    end: State,
    grants: [usize; 3],
}

fn random_walk(space: &Timed, seed: u64, far: u64) -> Walked {
    let mut die = seed;
    let mut below = |sides: usize| {
        die = mix(die);
        (die % sides as u64) as usize
    };
    let mut walked = Walked { path: Vec::new(), end: space.initial()[0], grants: [0; 3] };
    let mut actions = Vec::new();
    for _ in 0..far {
        actions.clear();
        space.actions(&walked.end, &mut actions);
        // What ends a life or brings a host to a halt comes seldom, so that walks get somewhere.
        let dull = |action: &&Action| {
            matches!(
                action.what,
                What::Crash | What::StopDaemon | What::StopWdmd | What::KillDaemon | What::Release | What::Pause
            )
        };
        let lively: Vec<Action> = actions.iter().filter(|action| !dull(action)).copied().collect();
        let from = if lively.is_empty() || below(12) == 0 { &actions } else { &lively };
        if from.is_empty() {
            break;
        }
        let action = from[below(from.len())];
        let next = space.next(&walked.end, action).expect("it is enabled");
        for host in 0..space.hosts() {
            let began = next.owners >> host & 1 > walked.end.owners >> host & 1;
            walked.grants[host] += usize::from(began);
        }
        walked.path.push(action);
        walked.end = next;
    }
    walked
}

/// What can be said of a record without its numbers: whether it is free, and otherwise whose it is.
fn told(sector: &Sector) -> Option<String> {
    match sector {
        Sector::Delta { lease, .. } if lease.timestamp.is_free() => None,
        Sector::Delta { lease, .. } => Some(lease.owner_name.to_string()),
        Sector::Leader(leader) if leader.timestamp.is_free() => None,
        Sector::Leader(leader) => Some(format!("host id {}", leader.owner_id)),
        other => Some(format!("{other:?}")),
    }
}

fn record(world: &World, offset: u64, kind: SectorKind) -> Sector {
    let disk = &world.disks()[0];
    let size = u64::from(disk.sector_size());
    Sector::decode(kind, disk.replicas()[0].sector(offset / size), size as u32)
}

/// Whether the world could follow.
fn compare(name: &str, space: &Timed, limits: Limits, seed: u64, far: u64) -> Result<(), String> {
    let walked = random_walk(space, seed, far);
    let start = space.initial()[0];
    let mut world = World::new(Arc::clone(&space.setting.setup), limits);
    let mut grants = Grants::default();
    let story = || {
        let mut state = start;
        let mut story = String::new();
        for (index, action) in walked.path.iter().enumerate() {
            story += &format!("{index}. {}\n", space.tell_action(&state, *action));
            state = space.next(&state, *action).expect("it is a path");
        }
        story + &space.tell_state(&state)
    };
    space.follow(&start, &walked.path, &mut world, &mut grants).map_err(|lost| format!("{lost}\n{}", story()))?;
    let found = space.finding(&walked.end);
    let violated = world.violation().map(|violation| violation.property);
    assert_eq!(found, violated.map(Finding::Violated), "{name}, seed {seed}: {:?}\n{}", world.violation(), story());
    if found.is_some() {
        return Ok(());
    }
    // A resource whose owner is gone may be free in a space that forgets, and on no disk.
    let whole = space.forgetting_nothing();
    let go = |state, action: &Action| whole.next(&state, *action).expect("it goes wherever the other one goes");
    let end = walked.path.iter().fold(whole.initial()[0], go);
    let owns = |index: usize| {
        let host = Host(index as u8);
        let paused = world.stalled_since(host, crate::action::Part::Host).is_some();
        !paused
            && match space.setting.leases {
                true => world.process(host, Process(0)).is_some_and(|process| !process.uses.is_empty()),
                false => world.engine(host).is_some_and(Engine::is_joined),
            }
    };
    let owners = (0..space.hosts()).fold(0, |owners, index| owners | u8::from(owns(index)) << index);
    assert_eq!(owners, walked.end.owners, "{name}, seed {seed}:\n{}", story());
    if space.setting.leases && !space.setting.plan.pauses_with_clock {
        assert_eq!(grants.0, walked.grants, "{name}, seed {seed}:\n{}", story());
    }
    let setup = &space.setting.setup;
    let place = setup.lockspaces[0].place.offset;
    for (slot, id) in space.setting.layout.slots.iter().enumerate() {
        let found = record(&world, place + Geometry::S512A1M.delta_offset(*id), SectorKind::Delta(*id));
        let expected = whole.lease(&end, slot);
        assert_eq!(told(&found), told(expected), "{name}, seed {seed}, host id {id}:\n{}", story());
    }
    if space.setting.leases {
        let found = record(&world, setup.resources[0].place.offset, SectorKind::Leader);
        let expected = &whole.resource(&end).leader;
        assert_eq!(told(&found), told(expected), "{name}, seed {seed}:\n{}", story());
    }
    Ok(())
}

/// How many of so many walks the world could not follow because clocks would have to change places. No other reason is
/// good enough.
fn lost(name: &str, space: &Timed, limits: Limits) -> u64 {
    (0..SEEDS)
        .filter(|seed| match compare(name, space, limits, *seed, 10 + seed * FAR / SEEDS) {
            Ok(()) => false,
            Err(lost) if lost.contains("would have to change places") => true,
            Err(lost) => panic!("{name}, seed {seed}: {lost}"),
        })
        .count() as u64
}

/// Random walks in each world, and how long the longest is.
const SEEDS: u64 = 40;
const FAR: u64 = 300;

fn one_slot() -> Setup {
    let mut setup = setup(2, (1, 4, 2));
    setup.hosts[1].memberships[0].host_id = HostId(1);
    setup
}

fn old() -> Setup {
    let mut setup = setup(2, (1, 4, 2));
    for host in &mut setup.hosts {
        (host.config.profile, host.wdmd) = (Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5);
    }
    setup
}

const PAIR: TimedPlan = TimedPlan { role: false, ..ROLE };

#[test]
fn the_world_goes_wherever_clocks_in_step_go() {
    let stalls = TimedPlan { stalls: true, daemon_kills: true, ..ROLE };
    let late = TimedPlan { late_renewals: true, ..PAIR };
    let worlds = [
        ("role", Timed::leases(Arc::new(setup(2, (2, 8, 6))), ROLE)),
        ("role with stalls and kills", Timed::leases(Arc::new(setup(2, (1, 4, 2))), stalls)),
        ("pair", Timed::leases(Arc::new(setup(2, (1, 4, 2))), PAIR)),
        ("pair with stalls", Timed::leases(Arc::new(setup(2, (1, 4, 2))), TimedPlan { stalls: true, ..PAIR })),
        ("pair, late renewals", Timed::leases(Arc::new(setup(2, (1, 4, 2))), late)),
        ("pair, 3.8.5", Timed::leases(Arc::new(old()), TimedPlan { stalls: true, ..PAIR })),
        ("three hosts", Timed::leases(Arc::new(setup(3, (1, 3, 2))), PAIR)),
        ("one slot", Timed::host_ids(Arc::new(one_slot()), PAIR)),
    ];
    for (name, space) in &worlds {
        assert_eq!(lost(name, space, Limits::TOLERANCE), 0, "{name}");
    }
}

/// Where clocks advance in any order within a round, the order of two may change from one round to the next, which no
/// two clocks of the world do: so walks get lost, and each of them by that. The others come to the same.
#[test]
fn the_world_goes_where_clocks_out_of_step_go_unless_they_change_places() {
    let jitter = TimedPlan { jitter: true, ..ROLE };
    let worlds = [
        ("role", Timed::leases(Arc::new(setup(2, (2, 8, 6))), jitter)),
        ("pair", Timed::leases(Arc::new(setup(2, (1, 4, 2))), TimedPlan { role: false, ..jitter })),
    ];
    for (name, space) in &worlds {
        let lost = lost(name, space, Limits::TOLERANCE);
        assert!(lost < SEEDS / 2, "{name}: {lost} of {SEEDS}");
    }
}

/// What is wrong in a world is wrong in the simulator's world, too, by one of the short ways to it.
fn same(name: &str, setup: Setup, plan: TimedPlan, wrong: Property) {
    let space = Timed::leases(Arc::new(setup), plan);
    let (mut found, mut lost) = (false, String::new());
    ways(&space, Finding::Violated(wrong), 200_000, 60, &mut |path| {
        let mut world = World::new(Arc::clone(&space.setting.setup), Limits::BEYOND);
        match space.follow(&path.start, &path.actions, &mut world, &mut ()) {
            Ok(()) => found = world.violation().is_some_and(|violation| violation.property == wrong),
            Err(why) => lost = why.to_string(),
        }
        found
    });
    assert!(found, "{name}: {lost}");
}

#[test]
fn what_breaks_a_world_breaks_the_simulators_world() {
    let jitter = TimedPlan { jitter: true, ..ROLE };
    let mut hasty = super::impatient();
    hasty.hosts[1].config.parameters.watchdog_fire_timeout -= 1;
    same("takeover two ticks early", hasty, jitter, Property::Exclusion);
    let with = |change: &dyn Fn(&mut Setup)| {
        let mut setup = setup(2, (2, 8, 6));
        change(&mut setup);
        setup
    };
    same(
        "late watchdog",
        with(&|setup| setup.hosts[0].device = Device::Late { percent: 150 }),
        ROLE,
        Property::Deadline,
    );
    same("no watchdog", with(&|setup| setup.hosts[0].device = Device::Broken), ROLE, Property::Deadline);
    same("lost ticks", with(&|_| ()), TimedPlan { lost_ticks: 1, ..jitter }, Property::Exclusion);
    let frozen = with(&|setup| setup.hosts[0].device = Device::FrozenWithHost);
    same("frozen host", frozen, TimedPlan { pauses_with_clock: true, ..ROLE }, Property::Exclusion);
    let old = with(&|setup| setup.hosts[0].wdmd = WdmdProfile::SANLOCK_3_8_5);
    same("late close", old, TimedPlan { stalls: true, ..ROLE }, Property::Deadline);
    let by_name = with(&|setup| setup.hosts[0].config.profile = Profile::HARDENED.without("rejoin").expect("known"));
    same("rejoin by name", by_name, TimedPlan { daemon_kills: true, ..ROLE }, Property::Exclusion);
}
