//! The ballots of three hosts once more, with the simulator's own world as the state of stateright: cloned for every
//! step, hashed and compared as it is. What the checker's rows of ids are measured against.
//!
//! Time stands still, so that only the I/O of the resource goes on. Nothing is made canonical, so the space has no end:
//! whoever measures stops after so many states.

use lease_core::seam::{DiskId, Request, Task, Terms};
use model::action::Action;
use model::illegal::Due;
use model::setup::{Host, LockspaceIx, Process, Setup};
use model::{Instant, Limits, World};
use sim_disk::{Ending, Landing, Sampling};
use stateright::{Model, Property};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A world as a state: what it will do, not how it came to be.
#[derive(Clone)]
pub(crate) struct Whole(World);

impl Whole {
    fn parts<'a>(&'a self) -> impl PartialEq + 'a {
        let hosts =
            self.0.hosts().map(|host| (self.0.engine(host), self.0.process(host, Process(0)), self.wakes(host)));
        (hosts.collect::<Vec<_>>(), self.0.disks())
    }

    fn wakes(&self, host: Host) -> Vec<Task> {
        self.0.pending_wakes(host).map(|wake| wake.task).collect()
    }
}

impl PartialEq for Whole {
    fn eq(&self, other: &Whole) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Whole {}

impl Hash for Whole {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for host in self.0.hosts() {
            self.0.engine(host).hash(state);
            self.0.process(host, Process(0)).hash(state);
            self.wakes(host).hash(state);
        }
        self.0.disks().hash(state);
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a world at {}", self.0.now())
    }
}

/// Hosts that acquire once each, every I/O interleaved.
pub(crate) struct Naive {
    start: World,
}

/// What a host does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step(Vec<Action>);

impl Naive {
    /// Hosts that are joined and have seen each other, and ask for the resource.
    pub(crate) fn new(setup: Setup) -> Naive {
        let setup = Arc::new(setup);
        let mut world = World::new(Arc::clone(&setup), Limits::TOLERANCE);
        let mut at = Instant::from_secs(1);
        let space = setup.lockspaces[0].clone();
        for host in world.hosts().collect::<Vec<_>>() {
            let member = setup.hosts[usize::from(host.0)].memberships[0];
            assert_eq!(member.lockspace, LockspaceIx(0), "there is one lockspace");
            let request = Request::AddLockspace {
                name: space.name,
                host_id: member.host_id,
                place: space.place,
                io_timeout: member.io_timeout,
            };
            step(&mut world, at, Action::PowerOn { host });
            step(&mut world, at, Action::Ask { host, process: None, request });
            step(&mut world, at, Action::Spawn { host, process: Process(0) });
        }
        while at < Instant::from_secs(120) {
            loop {
                let Some(io) = world.in_flight(DiskId(0)).next() else { break };
                io_steps(&io).into_iter().for_each(|action| step(&mut world, at, action));
            }
            match world.horizon() {
                (moment, Some(due)) => {
                    at = at.max(moment);
                    let action = match due {
                        Due::Wake { host, task } => Action::Wake { host, task },
                        Due::Test { host } => Action::Test { host },
                        Due::Fire { host } => Action::Fire { host },
                    };
                    step(&mut world, at, action);
                }
                (_, None) => break,
            }
        }
        let resource = &setup.resources[0];
        for host in world.hosts().collect::<Vec<_>>() {
            let request = Request::Acquire {
                lockspace: space.name,
                resource: resource.name,
                place: resource.place,
                terms: Terms::default(),
            };
            step(&mut world, at, Action::Ask { host, process: Some(Process(0)), request });
        }
        Naive { start: world }
    }
}

fn step(world: &mut World, at: Instant, action: Action) {
    world.step(at, &action, &mut ()).unwrap_or_else(|why| panic!("{action:?}: {why}"));
}

fn io_steps(io: &model::world::InFlight) -> Vec<Action> {
    let (disk, id) = (io.disk, io.io);
    let moved = match io.write {
        true => Action::Land { disk, io: id, landing: Landing::Whole },
        false => Action::Sample { disk, io: id, sampling: Sampling::Whole },
    };
    vec![moved, Action::Complete { disk, io: id, ending: Ending::Done }]
}

impl Model for Naive {
    type State = Whole;
    type Action = Step;

    fn init_states(&self) -> Vec<Whole> {
        vec![Whole(self.start.clone())]
    }

    fn actions(&self, state: &Whole, actions: &mut Vec<Step>) {
        let world = &state.0;
        let of_resource = |task: Task| matches!(task, Task::Worker(_) | Task::Resource);
        for io in world.in_flight(DiskId(0)).filter(|io| of_resource(io.task)) {
            actions.push(Step(io_steps(&io)));
        }
        for host in world.hosts() {
            for wake in world.pending_wakes(host).filter(|wake| of_resource(wake.task) && wake.from <= world.now()) {
                actions.push(Step(vec![Action::Wake { host, task: wake.task }]));
            }
            if let Some(process) = world.process(host, Process(0))
                && !process.uses.is_empty()
            {
                let (space, resource) = (&world.setup().lockspaces[0], &world.setup().resources[0]);
                let request = Request::Release { lockspace: space.name, resource: resource.name };
                actions.push(Step(vec![Action::Ask { host, process: Some(Process(0)), request }]));
            }
        }
    }

    fn next_state(&self, state: &Whole, action: Step) -> Option<Whole> {
        let mut world = state.0.clone();
        let at = world.now();
        for action in action.0 {
            world.step(at, &action, &mut ()).ok()?;
        }
        world.notices().for_each(drop);
        Some(Whole(world))
    }

    fn properties(&self) -> Vec<Property<Naive>> {
        vec![Property::always("no violation", |_, state: &Whole| state.0.violation().is_none())]
    }
}
