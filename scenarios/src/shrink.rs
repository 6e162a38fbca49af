//! Shrinking: the same violation in fewer steps, and in less and rounder time.
//!
//! A run is taken apart into its decisions ([`plan`]), and decisions are taken away, undone or moved for as long as the
//! same property is violated. Every candidate is a run of its own, walked from the start ([`walk`]); nothing is assumed
//! about it. What is left is written down as an ordinary trace, which knows nothing of all this.
//!
//! A smaller run is one with fewer actions; of equals, with fewer decisions that are out of the ordinary; of these, one
//! that is over earlier; of these, one with rounder numbers. Only what is smaller is taken, so the search ends.
//!
//! The same violation is the same property, told in the same words, whatever the numbers in them. That holds a run to its
//! story as far as that can be had without knowing the story: a property that is broken in two ways has words for each.
//! Where a run is *judged* at a mark, it is not made smaller by judging it wrongly: rest is only rest if nothing is broken that was
//! whole before and nobody was busy for long enough, and of what follows the healing nothing is taken away where a deadline is at stake.
//!
//! There is no chance and no time in here: the same trace gives the same one, unless it is stopped.

mod plan;
mod walk;

use crate::case::Case;
use crate::replay::replay_and_record;
use crate::simulate::Verdict;
use crate::trace::{Claim, Line, Mark, Trace};
use model::Instant;
use model::setup::Host;
use plan::{Deed, IoKind, Nth, Plan, What, host_of};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use walk::{Reach, Trouble, Walked, along_lines, along_plan};

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest trace that was found. It has no story yet.
    pub trace: Trace,
    /// When the run ended before.
    pub ended_before: Instant,
    /// When it ends now.
    pub ended: Instant,
    /// How many actions there were up to the violation.
    pub actions_before: u64,
    /// How many candidates were tried.
    pub tried: u64,
    /// Whether nothing that is known to this module makes it smaller. Otherwise it was stopped.
    pub finished: bool,
}

/// Why a trace cannot be shrunk.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotShrinkable {
    /// It does not claim that anything is violated.
    #[error("expected a trace of a violation, found verdict holds")]
    Holds,
    /// It claims something else than what it comes to.
    #[error("expected the trace to come to {expected} as it says, found: {found}")]
    Differs {
        /// What the trace says.
        expected: Claim,
        /// What it comes to.
        found: String,
    },
}

/// Shrinks a trace. `go_on` is asked before each candidate; when it says no, the best so far is the answer.
///
/// # Errors
///
/// If there is nothing to shrink.
pub fn shrink(trace: &Trace, go_on: &mut dyn FnMut() -> bool) -> Result<Shrunk, NotShrinkable> {
    if trace.verdict == Claim::Holds {
        return Err(NotShrinkable::Holds);
    }
    let case = trace.case();
    let lines = trace.binding().collect::<Vec<_>>();
    let walked = along_lines(&lines, &case);
    if walked.claim() != trace.verdict {
        return Err(NotShrinkable::Differs { expected: trace.verdict, found: walked.verdict.to_string() });
    }
    let (actions_before, ended_before) = (walked.actions, walked.ended);
    let mut search = Search::new(&case, walked, go_on);
    search.run();
    let Search { best, tried, stopped, .. } = search;
    let mut bare = trace.clone();
    bare.story.clear();
    bare.lines.clone_from(&best.walked.lines);
    let (_, written) = replay_and_record(&bare, &case, &mut ());
    let ended = best.walked.ended;
    Ok(Shrunk { trace: written, ended_before, ended, actions_before, tried, finished: !stopped })
}

/// The smaller, the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Size {
    actions: u64,
    /// Deeds, moves of I/Os and routines that are not what they usually are.
    decisions: u64,
    /// In whole seconds, rounded up, so that round numbers are not refused for a fraction of one.
    seconds: u64,
    raggedness: u64,
    ended: Instant,
}

/// A run that shows the violation, and the plan that leads to it.
#[derive(Clone)]
struct Best {
    plan: Plan,
    walked: Walked,
    size: Size,
}

impl Best {
    fn new(plan: Plan, walked: Walked) -> Best {
        let size = Size {
            actions: walked.actions,
            decisions: (plan.deeds.len() + plan.fates.len() + plan.routines.len()) as u64,
            seconds: walked.ended.0.div_ceil(1_000_000),
            raggedness: plan.raggedness(),
            ended: walked.ended,
        };
        Best { plan, walked, size }
    }
}

/// How the run is judged, and with that what may be taken away.
#[derive(Clone, PartialEq, Eq)]
enum Judged {
    /// At the step that broke it: any run that comes there will do.
    Step,
    /// At rest: everything must be as well as it was, and nobody busy for so many microseconds.
    Rest { quiet: u64, troubles: BTreeSet<Trouble> },
    /// At a deadline: what follows the healing stays.
    Deadline,
}

struct Search<'a> {
    case: &'a Case<'a>,
    /// What the violation is told in.
    words: String,
    judged: Judged,
    /// So many deeds at the end stay, in case of a deadline.
    kept: usize,
    best: Best,
    tried: u64,
    stopped: bool,
    go_on: &'a mut dyn FnMut() -> bool,
}

impl<'a> Search<'a> {
    fn new(case: &'a Case<'a>, walked: Walked, go_on: &'a mut dyn FnMut() -> bool) -> Search<'a> {
        let longest = case.setup.hosts.iter().flat_map(|host| &host.memberships).map(|member| member.io_timeout);
        // As the simulator has it: the next renewals of everybody, and more.
        let quiet = (30 + 2 * u64::from(longest.max().unwrap_or(10))) * 1_000_000;
        let judged = match walked.judged_at() {
            None => Judged::Step,
            Some(Mark::Rest) if walked.ended.micros_since(walked.busy) >= quiet => {
                Judged::Rest { quiet, troubles: walked.troubles.clone() }
            }
            Some(_) => Judged::Deadline,
        };
        let healed = walked.exact.deeds.iter().position(|deed| deed.what == What::Mark(Mark::Heal));
        let kept = match judged {
            Judged::Deadline => walked.exact.deeds.len() - healed.unwrap_or(0),
            _ => 0,
        };
        let words = words(&walked.verdict);
        let best = Best::new(walked.exact.clone(), walked);
        Search { case, words, judged, kept, best, tried: 0, stopped: false, go_on }
    }

    /// Everything, again and again, until nothing helps.
    fn run(&mut self) {
        self.go_the_usual_ways();
        loop {
            let before = self.best.size;
            self.without_hosts();
            self.without_deeds();
            self.with_usual_fates();
            self.with_usual_routines();
            self.in_less_time();
            if self.best.size < before {
                continue;
            }
            self.with_fewer_moves();
            self.without_lines();
            if self.best.size < before {
                continue;
            }
            self.with_round_numbers();
            if self.stopped || self.best.size == before {
                return;
            }
        }
    }

    /// Tries a plan, and takes it if it is smaller.
    fn attempt(&mut self, plan: Plan) -> bool {
        let most = self.best.size.actions;
        self.attempt_within(plan, most, true)
    }

    fn attempt_within(&mut self, plan: Plan, actions: u64, smaller: bool) -> bool {
        if !self.ask() {
            return false;
        }
        let until = self.best.walked.ended.after_micros(10_000_000);
        let walked = along_plan(&plan, self.case, Reach { actions, until });
        self.consider(plan, walked, smaller)
    }

    fn ask(&mut self) -> bool {
        self.stopped = self.stopped || !(self.go_on)();
        self.tried += u64::from(!self.stopped);
        !self.stopped
    }

    fn consider(&mut self, plan: Plan, walked: Walked, smaller: bool) -> bool {
        if !self.is_the_same(&walked) {
            return false;
        }
        let found = Best::new(pruned(plan, &walked), walked);
        if smaller && found.size >= self.best.size {
            return false;
        }
        self.best = found;
        true
    }

    fn is_the_same(&self, walked: &Walked) -> bool {
        walked.claim() != Claim::Holds && words(&walked.verdict) == self.words && self.is_judged_rightly(walked)
    }

    fn is_judged_rightly(&self, walked: &Walked) -> bool {
        match &self.judged {
            Judged::Step => walked.judged_at().is_none(),
            Judged::Rest { quiet, troubles } => {
                let at_rest = walked.judged_at() == Some(Mark::Rest);
                let as_well = walked.troubles.is_subset(troubles);
                at_rest && as_well && walked.ended.micros_since(walked.busy) >= *quiet
            }
            Judged::Deadline => {
                let tail = |deeds: &[Deed]| deeds[deeds.len().saturating_sub(self.kept)..].to_vec();
                let (old, new) = (tail(&self.best.walked.exact.deeds), tail(&walked.exact.deeds));
                let distance = |deeds: &[Deed]| match deeds {
                    [first, .., last] => last.at.micros_since(first.at),
                    _ => 0,
                };
                let same = old.iter().map(|deed| &deed.what).eq(new.iter().map(|deed| &deed.what));
                walked.judged_at().is_some() && same && distance(&old) == distance(&new)
            }
        }
    }

    /// How many deeds may be taken away, from the start on.
    fn loose(&self) -> usize {
        self.best.plan.deeds.len().saturating_sub(self.kept)
    }

    /// The moment up to which things may be moved.
    fn frozen_from(&self) -> Instant {
        self.best.plan.deeds.get(self.loose()).filter(|_| self.kept > 0).map_or(Instant::NEVER, |deed| deed.at)
    }

    /// First of all: most I/Os and threads need not do what they did. This may cost a step, and makes all others cheap.
    fn go_the_usual_ways(&mut self) {
        let most = self.best.size.actions + self.best.size.actions / 10 + 10;
        let exact = self.best.plan.clone();
        let special = exact.fates.iter().filter(|(name, moves)| !is_usual(name, moves));
        let special = special.map(|(name, moves)| (*name, moves.clone())).collect::<BTreeMap<_, _>>();
        let plans = [
            Plan { deeds: exact.deeds.clone(), ..Plan::default() },
            Plan { deeds: exact.deeds.clone(), fates: special, routines: BTreeMap::new() },
            Plan { fates: BTreeMap::new(), ..exact.clone() },
            Plan { routines: BTreeMap::new(), ..exact },
        ];
        for plan in plans {
            if self.attempt_within(plan, most, false) {
                return;
            }
        }
    }

    fn hosts(&self) -> impl Iterator<Item = Host> + use<> {
        (0..self.case.setup.hosts.len()).map(|index| Host(index as u8))
    }

    fn without_hosts(&mut self) {
        for host in self.hosts() {
            let mut plan = self.best.plan.clone();
            let loose = self.loose();
            let mut index = 0;
            plan.deeds.retain(|deed| {
                index += 1;
                let of_host = matches!(&deed.what, What::Choice(action) if host_of(action) == Some(host));
                index > loose || !of_host
            });
            if plan != self.best.plan {
                self.attempt(plan);
            }
        }
    }

    fn without_deeds(&mut self) {
        self.in_pieces(
            |search| search.loose(),
            |plan, range| {
                plan.deeds.drain(range);
            },
        );
        // What only makes sense together: a stall and its end, a power loss and the power that comes back.
        let mut first = 0;
        while first < self.loose() && !self.stopped {
            let mut second = first + 1;
            while second < self.loose() && !self.stopped {
                let mut plan = self.best.plan.clone();
                plan.deeds.remove(second);
                plan.deeds.remove(first);
                if !self.attempt(plan) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    fn with_usual_fates(&mut self) {
        self.in_pieces(
            |search| search.best.plan.fates.len(),
            |plan, range| {
                let names = plan.fates.keys().skip(range.start).take(range.len()).copied().collect::<Vec<_>>();
                plan.fates.retain(|name, _| !names.contains(name));
            },
        );
    }

    fn with_usual_routines(&mut self) {
        self.in_pieces(
            |search| search.best.plan.routines.len(),
            |plan, range| {
                let names = plan.routines.keys().skip(range.start).take(range.len()).copied().collect::<Vec<_>>();
                plan.routines.retain(|name, _| !names.contains(name));
            },
        );
    }

    /// Delta debugging: takes away half of something, then quarters, and in the end one after the other, from the back,
    /// for what is late is needed less often.
    fn in_pieces(&mut self, count: impl Fn(&Search<'_>) -> usize, without: impl Fn(&mut Plan, Range<usize>)) {
        let mut piece = count(self).div_ceil(2);
        while piece > 0 && !self.stopped {
            let mut end = count(self);
            let mut helped = false;
            while end > 0 {
                let start = end.saturating_sub(piece);
                let mut plan = self.best.plan.clone();
                without(&mut plan, start..end);
                helped |= self.attempt(plan);
                end = start.min(count(self));
            }
            if piece == 1 && !helped {
                return;
            }
            piece = if piece == 1 { 1 } else { piece.div_ceil(2) };
        }
    }

    /// Lets everything from a deed on come earlier, and everything that one host does.
    fn in_less_time(&mut self) {
        let mut index = 0;
        while index < self.best.plan.deeds.len().min(self.loose() + 1) && !self.stopped {
            let at = self.best.plan.deeds[index].at;
            let before = index.checked_sub(1).map_or(Instant::START, |index| self.best.plan.deeds[index].at);
            let gap = at.micros_since(before);
            let from = |micros: u64| Instant(at.0 - micros)..at;
            let shorter = steps(gap).find(|micros| {
                let plan = self.cut_out(from(*micros));
                self.attempt(plan)
            });
            if shorter.is_none() {
                index += 1;
            }
        }
        for host in self.hosts() {
            let of_host = |deed: &Deed| matches!(&deed.what, What::Choice(action) if host_of(action) == Some(host));
            let Some(first) = self.best.plan.deeds.iter().find(|deed| of_host(deed)).map(|deed| deed.at) else {
                continue;
            };
            let frozen = self.frozen_from();
            for micros in steps(first.0) {
                let mut plan = self.best.plan.clone();
                for deed in plan.deeds.iter_mut().filter(|deed| of_host(deed) && deed.at < frozen) {
                    deed.at = Instant(deed.at.0 - micros);
                }
                plan.sort();
                if self.attempt(plan) {
                    break;
                }
            }
        }
    }

    /// The plan without a stretch of time in which no deed is done. I/Os and routines of that stretch are no more, so
    /// those behind it have other numbers.
    fn cut_out(&self, cut: Range<Instant>) -> Plan {
        let mut plan = self.best.plan.clone();
        let micros = cut.end.micros_since(cut.start);
        for deed in plan.deeds.iter_mut().filter(|deed| deed.at >= cut.end) {
            deed.at = Instant(deed.at.0 - micros);
        }
        plan.fates = renumbered(plan.fates, &self.best.walked.issued, &cut);
        plan.routines = renumbered(plan.routines, &self.best.walked.ran, &cut);
        plan
    }

    /// Leaves I/Os alone: a move less, or none at all.
    fn with_fewer_moves(&mut self) {
        let mut index = self.best.walked.issued.len();
        let frozen = self.frozen_from();
        while index > 0 && !self.stopped {
            index -= 1;
            let Some((name, at)) = self.best.walked.issued.get(index).copied() else { continue };
            if at >= frozen {
                continue;
            }
            let moves = self.best.walked.exact.fates.get(&name).cloned().unwrap_or_default();
            let fewer = (0..moves.len()).map(|left_out| {
                let mut fewer = moves.clone();
                fewer.remove(left_out);
                fewer
            });
            let fewer = (moves.len() > 1).then(Vec::new).into_iter().chain(fewer).collect::<Vec<_>>();
            for moves in fewer {
                let mut plan = self.best.plan.clone();
                plan.fates.insert(name, moves);
                if self.attempt(plan) {
                    break;
                }
            }
        }
    }

    /// The lines of the run as replay would read them, one left out.
    fn without_lines(&mut self) {
        let mut index = self.best.walked.lines.len();
        while index > 0 {
            index = (index - 1).min(self.best.walked.lines.len() - 1);
            if !self.ask() {
                return;
            }
            let lines = &self.best.walked.lines;
            let fewer = lines[..index].iter().chain(&lines[index + 1..]).collect::<Vec<_>>();
            let walked = along_lines(&fewer, self.case);
            if walked.actions < self.best.size.actions {
                self.consider(walked.exact.clone(), walked, true);
            }
        }
    }

    fn with_round_numbers(&mut self) {
        for index in 0..self.loose() {
            for unit in [1_000_000, 100_000, 1_000] {
                let Some(at) = self.best.plan.deeds.get(index).map(|deed| deed.at.0) else { break };
                let rounder = [at - at % unit, at.next_multiple_of(unit)];
                let found = rounder.into_iter().filter(|rounder| *rounder != at).any(|rounder| {
                    let mut plan = self.best.plan.clone();
                    plan.deeds[index].at = Instant(rounder);
                    plan.sort();
                    self.attempt(plan)
                });
                if found {
                    break;
                }
            }
        }
        for name in self.best.plan.fates.keys().copied().collect::<Vec<Nth<IoKind>>>() {
            for unit in [1_000_000, 100_000, 1_000] {
                let mut plan = self.best.plan.clone();
                let Some(moves) = plan.fates.get_mut(&name) else { break };
                for timed in moves {
                    timed.after = timed.after.next_multiple_of(unit);
                }
                if self.attempt(plan) {
                    break;
                }
            }
        }
    }
}

/// What a verdict says, without its numbers.
fn words(verdict: &Verdict) -> String {
    verdict.to_string().chars().filter(|char| !char.is_ascii_digit()).collect()
}

/// By how much to shorten a wait: all of it, half of it, and so on, down to half a second.
fn steps(gap: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(gap), |micros| Some(micros / 2)).take_while(|micros| *micros >= 500_000)
}

/// Whether an I/O did what an I/O does within a second.
fn is_usual(name: &Nth<IoKind>, moves: &[plan::Timed<plan::Move>]) -> bool {
    use plan::Move::{Complete, Land, Sample};
    let prompt = moves.iter().all(|timed| timed.after < 1_000_000);
    let whole = match moves {
        [first, second] => {
            let moved = match first.what {
                Sample(sampling) => !name.kind.write && sampling == sim_disk::Sampling::Whole,
                Land(landing) => name.kind.write && landing == sim_disk::Landing::Whole,
                _ => false,
            };
            moved && second.what == Complete(sim_disk::Ending::Done)
        }
        _ => false,
    };
    prompt && whole
}

/// The plan without what was not done, or never came up.
fn pruned(mut plan: Plan, walked: &Walked) -> Plan {
    plan.fates.retain(|name, _| walked.exact.fates.contains_key(name));
    plan.routines.retain(|name, _| walked.exact.routines.contains_key(name));
    let mut done = walked.exact.deeds.iter().peekable();
    plan.deeds.retain(|deed| done.next_if(|done| done.what == deed.what && done.at == deed.at).is_some());
    plan
}

/// What is named by its number, after a stretch of time was cut out.
fn renumbered<K: Ord + Copy, T>(
    named: BTreeMap<Nth<K>, T>,
    seen: &[(Nth<K>, Instant)],
    cut: &Range<Instant>,
) -> BTreeMap<Nth<K>, T> {
    let seen_at = seen.iter().copied().collect::<BTreeMap<_, _>>();
    let lost = |kind: K| seen.iter().filter(|(name, at)| name.kind == kind && cut.contains(at)).count() as u32;
    let renumber = |(name, value): (Nth<K>, T)| match seen_at.get(&name) {
        Some(at) if cut.contains(at) => None,
        Some(at) if *at >= cut.end => Some((Nth { kind: name.kind, nth: name.nth - lost(name.kind) }, value)),
        _ => Some((name, value)),
    };
    named.into_iter().filter_map(renumber).collect()
}

/// Whether the trace is a smallest one as far as single choices go: without any of them it does not show its violation,
/// or is not shorter.
pub fn is_minimal(trace: &Trace) -> bool {
    let case = trace.case();
    let lines = trace.binding().collect::<Vec<_>>();
    let walked = along_lines(&lines, &case);
    let mut always = || true;
    let search = Search::new(&case, walked, &mut always);
    let choices = (0..lines.len()).filter(|index| matches!(lines[*index], Line::Choice { .. }));
    choices.into_iter().all(|index| {
        let fewer = lines[..index].iter().chain(&lines[index + 1..]).copied().collect::<Vec<_>>();
        let walked = along_lines(&fewer, &case);
        !search.is_the_same(&walked) || walked.actions >= search.best.size.actions
    })
}
