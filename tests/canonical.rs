//! Canonical numbers, first property: shifting is no change.
//!
//! A world whose every number of one kind is shifted behaves like the world itself, shifted. So renaming numbers, which
//! a checker needs in order to close a world, changes no outcome. Taken in the middle of runs with faults; from there on
//! the same actions are carried out in both worlds, and after each some of them are compared.
//!
//! Zero is a value and stays zero; what grows from it grows to an absolute number. So a shift begins only when every
//! lease was acquired once and every host id joined once.

use lease_core::format::{DeltaLease, Leader};
use lease_core::numbers::{Generation, HostId, Lver, Mbal, Numbers, Second, Span, Stamp, Time};
use lease_core::seam::DiskId;
use model::setup::Host;
use model::world::World;
use model::{Action, Happening, Instant, Sink};
use scenarios::{Case, ProfileName, Scenario, run_case};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shift {
    /// The clock of one host, and every stamp of it wherever it stands: by so many seconds.
    Clock(Host, HostId, u64),
    /// All lease versions.
    Lver(u64),
    /// All ballot numbers, by whole strides.
    Mbal(u64),
    /// All generations.
    Generation(u64),
}

/// Applies a shift to whatever is visited; `own` says whether the clock of the visited place is the shifted one.
struct Shifter {
    shift: Shift,
    own: bool,
}

impl Numbers for Shifter {
    fn time(&mut self, time: &mut Time) {
        if let Shift::Clock(_, _, seconds) = self.shift
            && self.own
        {
            *time = time.after(Span::from_secs(seconds));
        }
    }

    fn second(&mut self, second: &mut Second) {
        if let Shift::Clock(_, _, seconds) = self.shift
            && self.own
            && *second != Second::NEVER
        {
            *second = second.after(seconds);
        }
    }

    fn stamp(&mut self, by: HostId, stamp: &mut Stamp) {
        if let Shift::Clock(_, id, seconds) = self.shift
            && by == id
            && !stamp.is_free()
        {
            stamp.0 += seconds;
        }
    }

    fn generation(&mut self, _of: HostId, generation: &mut Generation) {
        if let Shift::Generation(by) = self.shift
            && *generation != Generation(0)
        {
            generation.0 += by;
        }
    }

    fn lver(&mut self, lver: &mut Lver) {
        if let Shift::Lver(by) = self.shift
            && *lver != Lver(0)
        {
            lver.0 += by;
        }
    }

    fn mbal(&mut self, mbal: &mut Mbal) {
        if let Shift::Mbal(by) = self.shift
            && *mbal != Mbal(0)
        {
            mbal.0 += by;
        }
    }
}

fn shifted(world: &World, shift: Shift) -> World {
    let mut world = world.clone();
    for host in world.hosts() {
        let own = matches!(shift, Shift::Clock(shifted, ..) if shifted == host);
        world.visit_host(host, &mut Shifter { shift, own });
    }
    for disk in 0..world.disks().len() {
        world.visit_disk(DiskId(disk as u8), &mut Shifter { shift, own: false });
    }
    world
}

/// Everything but the history, which is about what was told, not about what will be.
fn same(left: &World, right: &World) -> Result<(), String> {
    for host in left.hosts() {
        let same_engine = left.engine(host) == right.engine(host);
        let same_wakes = left.pending_wakes(host).eq(right.pending_wakes(host));
        let same_watchdog = left.fire_due(host) == right.fire_due(host) && left.test_due(host) == right.test_due(host);
        let same_clock = left.clock(host) == right.clock(host);
        if !(same_engine && same_wakes && same_watchdog && same_clock) {
            return Err(format!(
                "{}: engine {same_engine}, wakes {same_wakes}, watchdog {same_watchdog}, clock {same_clock}",
                left.label(host)
            ));
        }
    }
    if left.disks() != right.disks() {
        return Err("the disks differ".into());
    }
    Ok(())
}

/// Whether every lease was acquired once, and every host id joined once.
fn nothing_is_fresh(world: &World) -> bool {
    let setup = world.setup();
    let leaders = setup.resources.iter().all(|resource| {
        let size = u64::from(resource.geometry.sector());
        let bytes = world.disk(resource.place.disk).platter().sector(resource.place.offset / size).clone();
        Leader::peek(&bytes).1.lver != Lver(0)
    });
    let leases = setup.hosts.iter().flat_map(|host| &host.memberships).all(|member| {
        let space = &setup.lockspaces[usize::from(member.lockspace.0)];
        let offset = space.place.offset + space.geometry.delta_offset(member.host_id);
        let size = u64::from(space.geometry.sector());
        let bytes = world.disk(space.place.disk).platter().sector(offset / size).clone();
        DeltaLease::peek(&bytes).1.owner_generation != Generation(0)
    });
    leaders && leases
}

#[derive(Default)]
struct Choices(Vec<(Instant, Action)>);

impl Sink for Choices {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        if let Happening::Chosen(action) = happening {
            self.0.push((at, action.clone()));
        }
    }
}

/// Runs a seed and counts the comparisons made.
fn check(scenario: &str, profile: ProfileName, seed: u64, shift: Shift) -> u64 {
    let scenario = Scenario::named(scenario).expect("it is in the catalogue");
    let case = Case::new(&scenario, profile, seed);
    let mut choices = Choices::default();
    run_case(&case, &mut choices);
    let begin = choices.0.len() * (seed as usize % 5 + 2) / 8;
    let mut world = World::new(Arc::new(case.setup.clone()), case.limits);
    let mut other: Option<World> = None;
    let mut compared = 0;
    for (index, (at, action)) in choices.0.iter().enumerate() {
        // A boot starts the clock of its host anew, at what the set-up says: there the shift of a clock ends.
        if let (Action::PowerOn { host }, Shift::Clock(shifted, ..)) = (action, shift)
            && *host == shifted
            && other.is_some()
        {
            break;
        }
        let stepped = world.step(*at, action, &mut ());
        let _ = world.notices().count();
        if let Some(other) = &mut other {
            let stepped_too = other.step(*at, action, &mut ());
            let _ = other.notices().count();
            assert_eq!(stepped.is_ok(), stepped_too.is_ok(), "{shift:?}, seed {seed}, step {index}: {action:?}");
            if index % 16 == 0 {
                if let Err(difference) = same(&shifted(&world, shift), other) {
                    panic!("{shift:?}, seed {seed}, step {index} at {at}, {action:?}: {difference}");
                }
                compared += 1;
            }
        }
        if index >= begin && other.is_none() && nothing_is_fresh(&world) {
            other = Some(shifted(&world, shift));
        }
    }
    compared
}

fn check_all(shift: impl Fn(u64) -> Shift) {
    let mut compared = 0;
    for seed in 0..12 {
        for (scenario, profile) in [
            ("swarm", ProfileName::Hardened),
            ("swarm", ProfileName::Sanlock385),
            ("contenders-at-high-rate", ProfileName::Hardened),
            ("three-contenders-late-writes", ProfileName::Sanlock385),
            ("power-loss", ProfileName::Hardened),
        ] {
            compared += check(scenario, profile, seed, shift(seed));
        }
    }
    assert!(compared > 1_000, "only {compared} comparisons were made");
}

#[test]
fn shifting_the_clock_of_one_host() {
    check_all(|seed| Shift::Clock(Host((seed % 2) as u8), HostId(seed % 2 + 1), 1_000 + seed * 77_777));
}

#[test]
fn shifting_all_lease_versions() {
    check_all(|seed| Shift::Lver(1 + seed * 1_000));
}

#[test]
fn shifting_all_ballot_numbers() {
    // Both strides of the catalogue's geometries, 2000 and 250, divide it.
    check_all(|seed| Shift::Mbal(2_000 * (1 + seed)));
}

#[test]
fn shifting_all_generations() {
    check_all(|seed| Shift::Generation(1 + seed * 5));
}
