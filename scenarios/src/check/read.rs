//! The words of the `[check]` part.

use super::CheckPlan;
use crate::dice::Range;
use crate::reader::{BadScenario, Found, Reader};
use crate::scenario::ProfileName;
use model::checker::plan::{BallotPlan, BrokenDisk, Plan, Reductions, TimedPlan};

type Read<T> = Result<T, BadScenario>;

/// More of anything makes a world that nobody can search.
const MANY: Range = Range { low: 0, high: 8 };

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ballots,
    HostIds,
    Leases,
}

impl CheckPlan {
    pub(crate) fn read(table: &mut Reader<'_>, beyond: bool) -> Read<CheckPlan> {
        let kinds = [("ballots", Kind::Ballots), ("host-ids", Kind::HostIds), ("leases", Kind::Leases)];
        let Some(kind) = table.word("world", &kinds)? else {
            return Err(table.bad(table.at(), "world", "one of ballots, host-ids, leases", "nothing"));
        };
        let plan = match kind.value {
            Kind::Ballots => Plan::Ballots(ballots(table, beyond)?),
            Kind::HostIds => Plan::HostIds(timed(table, beyond)?),
            Kind::Leases => Plan::Leases(timed(table, beyond)?),
        };
        let tick = match kind.value {
            Kind::Ballots => None,
            Kind::HostIds | Kind::Leases => table.number("tick", Range::new(1, 60))?,
        };
        let states = table.number("states", Range::new(1, 1_000_000_000_000))?.map(|found| found.value);
        let long = table.yes("long", false)?;
        let unique = table.table("unique", |unique| {
            let mut counts = [None; 2];
            for (count, profile) in counts.iter_mut().zip(ProfileName::ALL) {
                *count = unique.number(profile.id(), Range::new(1, u64::MAX))?.map(|found| found.value);
            }
            Ok(counts)
        })?;
        let plan = match table.texts("without")? {
            None => plan,
            Some(names) => without(plan, table, &names)?,
        };
        Ok(CheckPlan { plan, states, long, tick: tick.map_or(1, |found| found.value), unique })
    }
}

/// The same without these reductions.
fn without(mut plan: Plan, table: &Reader<'_>, names: &[Found<String>]) -> Read<Plan> {
    let reductions = plan.reductions_mut();
    for name in names {
        *reductions = reductions.without(&name.value).ok_or_else(|| {
            let expected = format!("reductions: {}", Reductions::NAMES.join(", "));
            table.bad(name.at, "without", &expected, &name.value)
        })?;
    }
    Ok(plan)
}

fn ballots(table: &mut Reader<'_>, beyond: bool) -> Read<BallotPlan> {
    let mut count = |key, bounds, usual: Option<u8>| {
        let found = table.number_or_unlimited(key, bounds)?;
        Ok::<_, BadScenario>(found.map_or(usual, |found| found.value.map(|number| number as u8)))
    };
    let acquires = count("acquires", Range::new(1, MANY.high), None)?;
    let crashes = count("crashes", MANY, Some(0))?;
    let late_writes = count("late_writes", MANY, Some(0))?;
    let torn_blocks = table.yes("torn_blocks", false)?;
    if torn_blocks && late_writes == Some(0) {
        return Err(table.bad(table.at(), "torn_blocks", "late_writes, for only these land torn", "none"));
    }
    let names = BrokenDisk::ALL.map(|broken| (broken.name(), broken));
    let broken = table.word("broken", &names)?.map(|found| found.value);
    if broken.is_some() && !beyond {
        return Err(table.bad(table.at(), "broken", "[expect] beyond = true for this", "a tolerance that is kept"));
    }
    Ok(BallotPlan { acquires, crashes, late_writes, torn_blocks, broken, reductions: Reductions::ALL })
}

fn timed(table: &mut Reader<'_>, beyond: bool) -> Read<TimedPlan> {
    let plan = TimedPlan {
        role: table.yes("role", false)?,
        jitter: table.yes("jitter", false)?,
        stalls: table.yes("stalls", false)?,
        late_renewals: table.yes("late_renewals", false)?,
        slow_io: table.yes("slow_io", true)?,
        daemon_kills: table.yes("daemon_kills", false)?,
        pauses_with_clock: table.yes("pauses_with_clock", false)?,
        late_for_ever: table.yes("late_for_ever", false)?,
        lost_ticks: table.number("lost_ticks", MANY)?.map_or(0, |found| found.value as u8),
        reductions: Reductions::ALL,
    };
    let beyond_it = [
        (plan.pauses_with_clock, "pauses_with_clock"),
        (plan.late_for_ever, "late_for_ever"),
        (plan.lost_ticks > 0, "lost_ticks"),
    ];
    match beyond_it.iter().find(|(on, _)| *on) {
        Some((_, key)) if !beyond => {
            let found = "a tolerance that is kept";
            Err(table.bad(table.at(), key, "[expect] beyond = true for this", found))
        }
        _ => Ok(plan),
    }
}
