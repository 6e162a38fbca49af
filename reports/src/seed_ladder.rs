//! What `sanlock_3_8_5` does, story by story: each violation that seeds come to, and the decision that closes it.
//!
//! Markdown, and nothing in it that differs from one run to the next: no time, no memory.

use crate::ladder::{described, names};
use scenarios::{SeedLadder, SeedRung};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A ladder in a line.
pub fn line(ladder: &SeedLadder) -> String {
    let found = ladder.rungs.iter().map(|rung| format!("{} (seed {}): {}", rung.property, rung.seed, closed(rung)));
    let found = found.collect::<Vec<_>>().join("; ");
    let found = if found.is_empty() { "nothing found".to_owned() } else { found };
    format!("{}: {found}; {}", ladder.story, end(ladder))
}

/// The report. `command` is what made it.
pub fn markdown(ladders: &[SeedLadder], command: &str) -> String {
    let mut text = String::from("# What 3.8.5 does in a storm\n\n");
    let _ = writeln!(text, "Generated, not written: by `{command}`.\n");
    text += "\
The seeds of each story are run under the profile `sanlock_3_8_5`, and no fault spares it. The first violation is shrunk.\n\
A decision of `hardened` closes it if it does not come about any more with that decision taken; of several, the one is\n\
taken that leaves the fewest of the next seeds violated in the same way. Then the seeds are run again, until none is\n\
violated, so that one finding does not hide the next. In the end each decision is left out alone: the last column says\n\
how many seeds are violated then, so that none stands here that closes nothing.\n\n";
    text += "| story | finding | seed | closed by | | without it alone |\n|---|---|---:|---|---|---|\n";
    for ladder in ladders {
        if ladder.rungs.is_empty() {
            let _ = writeln!(text, "| {} | none | | | | |", ladder.story);
        }
        for (index, rung) in ladder.rungs.iter().enumerate() {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                if index == 0 { ladder.story.as_str() } else { "" },
                rung.property,
                rung.seed,
                closed(rung),
                novelty(rung),
                counts(&rung.without),
            );
        }
    }
    for ladder in ladders {
        section(&mut text, ladder);
    }
    text
}

fn section(text: &mut String, ladder: &SeedLadder) {
    let _ = writeln!(text, "\n## {}\n", ladder.story);
    let seeds = ladder.seeds.end - ladder.seeds.start;
    let _ = writeln!(text, "As 3.8.5 is, of {seeds} seeds are violated: {}.", counts(&ladder.before));
    for (index, rung) in ladder.rungs.iter().enumerate() {
        let _ = writeln!(text, "\n### {}. {}, seed {}: {}\n", index + 1, rung.property, rung.seed, closed(rung));
        if let Some(what) = rung.closed_by.iter().find_map(|name| described(name)) {
            let _ = writeln!(text, "A known weak point: {what}.\n");
        }
        text.push_str("```text\n");
        for line in &rung.trace.story {
            let _ = writeln!(text, "{line}");
        }
        text.push_str("```\n");
    }
    let _ = writeln!(text, "\n{}.", end(ladder));
}

fn end(ladder: &SeedLadder) -> String {
    let taken = ladder.rungs.iter().flat_map(|rung| rung.closed_by.iter().copied()).collect::<Vec<_>>();
    let with = if taken.is_empty() { "As 3.8.5 is".to_owned() } else { format!("With {}", names(&taken, ", ")) };
    let cut = if ladder.finished { "" } else { ", and the search was cut short" };
    format!("{with}: {} of the seeds are violated; with `hardened`: {}{cut}", ladder.open, ladder.hardened)
}

fn closed(rung: &SeedRung) -> String {
    match rung.closed_by.is_empty() {
        true => "nothing".to_owned(),
        false => names(&rung.closed_by, " and "),
    }
}

fn novelty(rung: &SeedRung) -> &'static str {
    if rung.closed_by.iter().any(|name| described(name).is_some()) { "" } else { "not described before" }
}

fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    match counts.is_empty() {
        true => "none".to_owned(),
        false => counts.iter().map(|(property, seeds)| format!("{property} {seeds}")).collect::<Vec<_>>().join(", "),
    }
}
