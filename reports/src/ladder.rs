//! What `sanlock_3_8_5` does, world by world: each violation with its story and the decision that closes it.
//!
//! Markdown, and nothing in it that differs from one run to the next: no time, no memory.

use scenarios::{End, Ladder, Rung};
use std::fmt::Write as _;

/// Steps of a story that are told: the first ones and the last ones.
const FIRST_STEPS: usize = 10;
const LAST_STEPS: usize = 35;

/// The decisions whose absence is a known weak point of 3.8.5. A violation that takes another one to close was not
/// described before.
const DESCRIBED: [(&str, &str); 7] = [
    ("rejoin", "a daemon that starts again under its name while clients of its old life run"),
    ("outstanding_write", "a late write that lands over a newer one of the same sector"),
    ("late_close", "wdmd's close, which pings the watchdog too late"),
    ("renewal_age", "a pause that nobody notices"),
    ("owner_io_timeout", "an io_timeout from the wrong place"),
    ("client_gone", "effects of a client whose connection is gone"),
    ("damaged_block", "damaged blocks that are skipped"),
];

/// The report. `command` is what made it.
pub fn markdown(ladders: &[Ladder], command: &str) -> String {
    let mut text = String::from("# What 3.8.5 does\n\n");
    let _ = writeln!(text, "Generated, not written: by `{command}`.\n");
    text += "\
Each world is searched breadth-first for the nearest violation under the profile `sanlock_3_8_5`. Then the decision of\n\
`hardened` is looked for that closes it: the one with which the nearest violation is farthest away, or gone. If no\n\
single decision does, pairs are tried, and then as many as it takes; where each of them closes a way of its own, they\n\
are taken one by one. With it taken the search begins again, until the world is complete, so that one finding does not\n\
hide the next: each finding below is one of a cluster in which all findings above it, of the same world, are closed.\n\
All of it is within the tolerance: no assumption is broken.\n\n";
    text += "*Not described before* marks what is not among the known weak points of 3.8.5, which are:\n\n";
    for (decision, what) in DESCRIBED {
        let _ = writeln!(text, "* {what} (`{decision}`)");
    }
    text += "\n| world | finding | steps | closed by | | states when complete | with `hardened` |\n";
    text += "|---|---|---:|---|---|---:|---:|\n";
    for ladder in ladders {
        let (complete, hardened) = (end_short(&ladder.end), end_short(&ladder.hardened));
        if ladder.rungs.is_empty() {
            let _ = writeln!(text, "| {} | none | | | | {complete} | {hardened} |", ladder.world);
        }
        for (index, rung) in ladder.rungs.iter().enumerate() {
            let last = index + 1 == ladder.rungs.len();
            let (world, complete, hardened) = (
                if index == 0 { ladder.world.as_str() } else { "" },
                if last { complete.as_str() } else { "" },
                if last { hardened.as_str() } else { "" },
            );
            let closed = closed(rung);
            let new = novelty(rung);
            let _ = writeln!(
                text,
                "| {world} | {} | {} | {closed} | {new} | {complete} | {hardened} |",
                rung.property,
                rung.steps.len()
            );
        }
    }
    for ladder in ladders {
        section(&mut text, ladder);
    }
    text
}

pub(crate) fn names(decisions: &[&str], join: &str) -> String {
    decisions.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(join)
}

fn closed(rung: &Rung) -> String {
    match rung.closed_by.is_empty() {
        true => "nothing".to_owned(),
        false => names(&rung.closed_by, " and "),
    }
}

fn novelty(rung: &Rung) -> &'static str {
    match rung.closed_by.iter().chain(rung.or_by.iter().flatten()).any(|name| described(name).is_some()) {
        true => "",
        false => "not described before",
    }
}

/// The known weak point that the absence of a decision is, if it is one.
pub(crate) fn described(decision: &str) -> Option<&'static str> {
    DESCRIBED.iter().find(|(described, _)| *described == decision).map(|(_, what)| *what)
}

/// 1234567 as 1 234 567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn end_short(end: &End) -> String {
    match end {
        End::Complete(states) => grouped(*states),
        End::Cut { states, .. } => format!("undecided after {}", grouped(*states)),
        End::Found(steps) => format!("violated after {steps} steps"),
    }
}

fn end_long(end: &End) -> String {
    match end {
        End::Complete(states) => format!("complete, {} states, no violation", grouped(*states)),
        End::Cut { states, depth, why } => {
            format!(
                "undecided: no violation in {} states, up to {depth} steps from the beginning, then: {why}",
                grouped(*states)
            )
        }
        End::Found(steps) => format!("violated after {steps} steps"),
    }
}

fn section(text: &mut String, ladder: &Ladder) {
    let _ = writeln!(text, "\n## {}\n", ladder.world);
    for line in &ladder.words {
        let _ = writeln!(text, "* {line}");
    }
    let mut taken: Vec<&str> = ladder.given.iter().map(String::as_str).collect();
    if !taken.is_empty() {
        let _ = writeln!(text, "* with {} from the beginning", names(&taken, ", "));
    }
    for (index, rung) in ladder.rungs.iter().enumerate() {
        let _ = writeln!(text, "\n### {}. {} after {} steps\n", index + 1, rung.property, rung.steps.len());
        let before = if taken.is_empty() { String::new() } else { format!(" With {} taken:", names(&taken, ", ")) };
        let _ = writeln!(text, "{}.{before}\n", rung.what.trim_end_matches('.'));
        text.push_str("```text\n");
        let left_out = rung.steps.len().saturating_sub(FIRST_STEPS + LAST_STEPS);
        for (at, step) in rung.steps.iter().enumerate() {
            if left_out > 0 && at == FIRST_STEPS {
                let _ = writeln!(text, "    ({left_out} steps)");
            }
            if left_out == 0 || at < FIRST_STEPS || at >= FIRST_STEPS + left_out {
                let _ = writeln!(text, "{:>3}. {step}", at + 1);
            }
        }
        text.push_str("then:\n");
        for line in &rung.state {
            let _ = writeln!(text, "     {line}");
        }
        text.push_str("```\n\n");
        let _ = match &rung.walked {
            Ok(trace) => writeln!(text, "The simulator's world walks the same way, and comes to: {}.", trace.verdict),
            Err(why) => writeln!(text, "The simulator's world does not walk it: {why}."),
        };
        let _ = writeln!(text, "Closed by: {}.", closed(rung));
        if !rung.or_by.is_empty() {
            let others = rung.or_by.iter().map(|set| names(set, " and ")).collect::<Vec<_>>().join("; ");
            let _ = writeln!(text, "As far away, or gone as well, with: {others}.");
        }
        let new = novelty(rung);
        if !new.is_empty() {
            let _ = writeln!(text, "This was {new}.");
        }
        taken.extend(&rung.closed_by);
    }
    let with = if taken.is_empty() { "As 3.8.5 is".to_owned() } else { format!("With {}", names(&taken, ", ")) };
    let _ = writeln!(text, "\n{with}: {}.", end_long(&ladder.end));
    let _ = writeln!(text, "With `hardened`: {}.", end_long(&ladder.hardened));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_that_no_known_weak_point_explains_is_marked() {
        let rung = |closed_by: &[&'static str]| Rung {
            property: "I-AGREE",
            what: "two values".to_owned(),
            steps: vec!["A asks".to_owned(); 50],
            state: vec!["A: down".to_owned()],
            walked: Err("it stumbles".to_owned()),
            closed_by: closed_by.to_vec(),
            or_by: Vec::new(),
        };
        let ladder = Ladder {
            world: "small".to_owned(),
            words: vec!["world: ballots".to_owned()],
            given: Vec::new(),
            rungs: vec![rung(&["own_vote"]), rung(&["outstanding_write", "winner"])],
            end: End::Complete(1_234_567),
            hardened: End::Cut { states: 1_000, depth: 9, why: "the bound of states".to_owned() },
        };
        let text = markdown(&[ladder], "leaselab check small");
        for part in [
            "| small | I-AGREE | 50 | `own_vote` | not described before |  |  |",
            "|  | I-AGREE | 50 | `outstanding_write` and `winner` |  | 1 234 567 | undecided after 1 000 |",
            "    (5 steps)\n 16. A asks",
            "does not walk it: it stumbles.",
            "With `own_vote`, `outstanding_write`, `winner`: complete, 1 234 567 states",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
