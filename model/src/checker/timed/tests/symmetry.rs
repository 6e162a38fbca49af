//! Exchanging equal hosts changes nothing, and the fingerprint knows it.

use super::{JITTER, ROLE, complete, found, impatient, setup};
use crate::checker::intern::mix;
use crate::checker::plan::{Reductions, TimedPlan};
use crate::checker::search::{Options, Order, explore};
use crate::checker::timed::{Action, Timed};
use crate::checker::{Finding, Space};
use crate::history::Property;
use crate::setup::{Device, Setup};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const PAIR: TimedPlan = TimedPlan { role: false, ..JITTER };

fn without(plan: TimedPlan) -> TimedPlan {
    TimedPlan { reductions: Reductions { symmetry: false, ..plan.reductions }, ..plan }
}

#[test]
fn the_other_host_does_the_same_and_the_state_is_the_same() {
    for (hosts, plan) in [(2, TimedPlan { late_renewals: true, ..PAIR }), (3, PAIR)] {
        let space = Timed::leases(Arc::new(setup(hosts, (1, 4, 2))), plan);
        let exchanges = space.setting.exchanges.clone();
        assert!(exchanges.len() > 1, "equal hosts are exchangeable");
        for (seed, exchange) in (0..40_u64).flat_map(|seed| exchanges[1..].iter().map(move |exchange| (seed, exchange)))
        {
            let (mut one, mut other) = (space.initial()[0], space.initial()[0]);
            let mut die = seed;
            let mut actions = Vec::new();
            for _ in 0..200 {
                actions.clear();
                space.actions(&one, &mut actions);
                die = mix(die);
                let Some(action) = actions.get((die % actions.len().max(1) as u64) as usize) else { break };
                let mirrored = Action { host: exchange[usize::from(action.host)] as u8, ..*action };
                let told = space.tell_action(&one, *action);
                one = space.next(&one, *action).expect("it is enabled");
                other = space.next(&other, mirrored).expect("the other host can do the same");
                assert_eq!(space.fingerprint(&one), space.fingerprint(&other), "{told}");
                assert_eq!(space.finding(&one), space.finding(&other), "{told}");
            }
        }
    }
}

#[test]
fn verdicts_are_the_same_without_it_and_the_states_half_as_many() {
    let hosts = || Arc::new(setup(2, (1, 3, 2)));
    let (orbits, _) = complete(&Timed::leases(hosts(), PAIR));
    let (states, _) = complete(&Timed::leases(hosts(), without(PAIR)));
    assert!((states / 2..states * 11 / 20).contains(&orbits), "{orbits} orbits of {states} states");

    let mut late = setup(2, (1, 3, 2));
    for host in &mut late.hosts {
        host.device = Device::Late { percent: 150 };
    }
    let late = Arc::new(late);
    assert_eq!(found(&Timed::leases(late.clone(), PAIR)), found(&Timed::leases(late, without(PAIR))));

    let stopped = TimedPlan { lost_ticks: 1, ..PAIR };
    let verdict = |plan| found(&Timed::leases(hosts(), plan));
    assert_eq!(verdict(stopped).0, Finding::Violated(Property::Exclusion));
    assert_eq!(verdict(stopped), verdict(without(stopped)));
}

#[test]
fn hosts_that_differ_are_not_exchanged() {
    let mut unequal = setup(2, (1, 3, 2));
    unequal.hosts[1].memberships[0].io_timeout = 2;
    assert_eq!(Timed::leases(Arc::new(unequal), PAIR).setting.exchanges.len(), 1);
    let role = TimedPlan { role: true, ..PAIR };
    assert_eq!(Timed::leases(Arc::new(setup(2, (1, 3, 2))), role).setting.exchanges.len(), 1);
}

/// What a world comes to: nothing, or what is found first, level by level.
fn verdict(setup: &Setup, plan: TimedPlan) -> Option<Finding> {
    let options = Options { order: Order::BreadthFirst, first_finding_only: true, ..Options::default() };
    let space = Timed::leases(Arc::new(setup.clone()), plan);
    let outcome = explore(&space, &options, &|_| {}, &AtomicBool::new(false));
    assert!(outcome.is_complete() || !outcome.findings.is_empty(), "{:?}", outcome.stopped);
    outcome.findings.first().map(|found| found.finding)
}

#[test]
fn no_reduction_changes_a_verdict() {
    let mut late = setup(2, (2, 8, 6));
    late.hosts[0].device = Device::Late { percent: 150 };
    let in_step = TimedPlan { jitter: false, ..PAIR };
    let worlds = [
        (setup(2, (2, 8, 6)), JITTER, None),
        (setup(2, (1, 3, 2)), in_step, None),
        (impatient(), JITTER, Some(Finding::Violated(Property::Exclusion))),
        (late, ROLE, Some(Finding::Violated(Property::Deadline))),
    ];
    for (setup, plan, expected) in &worlds {
        assert_eq!(verdict(setup, *plan), *expected);
        for name in Reductions::NAMES {
            let reductions = plan.reductions.without(name).expect("it is its name");
            assert_eq!(verdict(setup, TimedPlan { reductions, ..*plan }), *expected, "without {name}");
        }
    }
}
