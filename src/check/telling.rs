//! What a search came to, told: the verdict, what it rests on, and the path to what was found.

use super::search::{Answer, Counterexample, Told};
use model::checker::search::Order;
use reports::searched::Searched;
use reports::table::short;
use std::fmt::Write as _;

/// Steps of a path that are told in words: the first ones and the last ones.
const FIRST_STEPS: usize = 8;
const LAST_STEPS: usize = 30;

/// An answer as text; `again` is the command that shows it again.
pub(crate) fn tell(answer: &Answer, again: &str) -> String {
    let judged = &answer.judged;
    let mut text = String::new();
    let property = judged.property.as_ref().map(|property| format!(" {property}")).unwrap_or_default();
    let _ = writeln!(text, "{} ({}): {}{property}", judged.scenario, judged.profile, judged.verdict);
    let _ = writeln!(text, "  {}", judged.why);
    if let Some(searched) = &judged.searched {
        for line in numbers(searched, judged.counts.seconds, answer.order) {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(stuck) = &answer.stuck {
        let _ = writeln!(text, "  {stuck}");
    }
    if let Some(found) = &answer.found {
        path(&mut text, found);
    }
    text += again;
    text.push('\n');
    text
}

fn numbers(searched: &Searched, seconds: f64, order: Order) -> Vec<String> {
    let Searched { unique_states, generated_states, threads, owning, collision_odds, .. } = searched;
    let mut lines = searched.world.clone();
    let order = match order {
        Order::DepthFirst => "depth-first",
        Order::BreadthFirst => "breadth-first",
    };
    let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    lines.push(format!(
        "states: {unique_states} unique, {generated_states} generated; {order}, {threads}, {seconds:.1} s, {} unique/s, \
         {:.1} bytes a state",
        short(*unique_states as f64 / seconds.max(1e-3)),
        searched.bytes_per_state,
    ));
    let each = owning.hosts.iter().map(|(host, states)| format!("{host} in {states}")).collect::<Vec<_>>().join(", ");
    lines.push(format!("owners: nobody in {} states, {each}, several in {}", owning.nobody, owning.several));
    let named = |wanted: bool| {
        let names = searched.reached.iter().filter(|(_, reached)| **reached == wanted).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    let never = match named(false) {
        none if none.is_empty() => String::new(),
        names => format!("; never: {names}"),
    };
    lines.push(format!("reached: {}{never}", named(true)));
    lines.push(format!(
        "states are told apart by 64 bits: the odds that one was taken for another are at most {collision_odds:.1e}"
    ));
    lines
}

fn path(text: &mut String, found: &Counterexample) {
    let kind = if found.shortest { "a shortest path" } else { "a path" };
    match &found.told {
        Told::Trace(trace) => {
            let _ = writeln!(text, "  {kind}, {} steps, as the simulator's world walks it:", found.steps);
            for line in &trace.story {
                let _ = writeln!(text, "  {line}");
            }
        }
        Told::Words { steps, end, why } => {
            let _ = writeln!(text, "  {kind}, {} steps; the simulator's world does not follow it: {why}", found.steps);
            let left_out = steps.len().saturating_sub(FIRST_STEPS + LAST_STEPS);
            for (index, step) in steps.iter().enumerate() {
                if left_out > 0 && index == FIRST_STEPS {
                    let _ = writeln!(text, "        ({left_out} steps)");
                }
                if left_out == 0 || index < FIRST_STEPS || index >= FIRST_STEPS + left_out {
                    let _ = writeln!(text, "  {:>4}. {}", index + 1, step.lines().collect::<Vec<_>>().join(" "));
                }
            }
            let _ = writeln!(text, "  then:");
            for line in end.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
}
