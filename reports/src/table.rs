//! Results for people: columns of text, and a summary.

use crate::confidence::confidence;
use crate::results::{Judged, Standing, Word, rare_branches};
use scenarios::limits_text;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Renders columns, two blanks apart. A column whose heading ends in a blank is flush left, all others flush right.
pub fn columns(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].trim_end().chars().count()]).max().unwrap_or(0)
    };
    let widths = (0..heading.len()).map(width).collect::<Vec<_>>();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, width), heading) in cells.zip(&widths).zip(heading) {
            let pad = " ".repeat(width - cell.chars().count());
            let (before, after) = if heading.ends_with(' ') { ("", pad.as_str()) } else { (pad.as_str(), "") };
            let _ = write!(line, "{before}{cell}{after}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut heading.iter().map(|cell| cell.trim_end()));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// One line for each search.
pub fn worlds(judged: &[Judged]) -> String {
    let heading =
        ["world ", "profile ", "verdict ", "expected ", "unique", "generated", "per s", "bytes/state", "seconds", ""];
    let rows = judged.iter().filter_map(|judged| {
        let searched = judged.searched.as_ref()?;
        let seconds = judged.counts.seconds;
        Some(vec![
            judged.scenario.clone(),
            judged.profile.to_owned(),
            named(judged.verdict, &judged.property),
            named(judged.expected, &judged.expected_property),
            searched.unique_states.to_string(),
            short(searched.generated_states as f64),
            short(searched.unique_states as f64 / seconds.max(1e-9)),
            format!("{:.0}", searched.bytes_per_state),
            format!("{seconds:.1}"),
            standing(judged),
        ])
    });
    columns(&heading, &rows.collect::<Vec<_>>())
}

fn named(word: Word, property: &Option<String>) -> String {
    match property {
        Some(property) => format!("{word} {property}"),
        None => word.to_string(),
    }
}

fn standing(judged: &Judged) -> String {
    match judged.standing {
        Standing::Expected => "ok",
        Standing::Undecided => "undecided",
        Standing::Unexpected => "UNEXPECTED",
    }
    .to_owned()
}

/// One line for each campaign.
pub fn campaigns(judged: &[Judged]) -> String {
    let heading = [
        "scenario ",
        "profile ",
        "verdict ",
        "expected ",
        "seeds",
        "actions",
        "simulated",
        "takeovers",
        "rejoins",
        "faults fired",
        "",
    ];
    let rows = judged.iter().filter(|judged| judged.searched.is_none()).map(|judged| {
        let counts = &judged.counts;
        vec![
            judged.scenario.clone(),
            judged.profile.to_owned(),
            named(judged.verdict, &judged.property),
            named(judged.expected, &judged.expected_property),
            counts.seeds.to_string(),
            short(counts.actions as f64),
            duration(counts.simulated_seconds),
            share(counts.takeovers, counts.seeds_with_takeover, counts.seeds),
            share(counts.rejoins, counts.seeds_with_rejoin, counts.seeds),
            short(counts.fired.values().sum::<u64>() as f64),
            standing(judged),
        ]
    });
    columns(&heading, &rows.collect::<Vec<_>>())
}

/// What stands behind each line of the table: the limits, and why it is judged so; then one line for all.
pub fn summary(judged: &[Judged]) -> String {
    let mut text = String::new();
    let mut last_limits = String::new();
    for judged in judged {
        let limits = limits_text(&judged.limits);
        if limits != last_limits {
            let _ = writeln!(text, "limits: {limits}");
            last_limits = limits;
        }
        text += &reason(judged);
    }
    text += &rare(judged);
    let _ = writeln!(text, "{}", verdict_line(judged));
    text
}

/// As [`summary`], for many campaigns: reasons only where something is not as expected, the rest in a line each.
pub fn digest(judged: &[Judged]) -> String {
    let mut text = String::new();
    let mut limits = BTreeMap::<String, u64>::new();
    for judged in judged {
        if judged.searched.is_none() {
            *limits.entry(limits_text(&judged.limits)).or_default() += 1;
        }
        if judged.standing != Standing::Expected {
            text += &reason(judged);
        }
    }
    text += &rare(judged);
    for (limits, campaigns) in limits {
        let _ = writeln!(text, "limits of {campaigns} campaigns: {limits}");
    }
    let holds = judged.iter().filter(|judged| judged.verdict == Word::Holds && judged.searched.is_none());
    let holds = holds.map(|judged| judged.counts.seeds);
    if let Some(fewest) = holds.clone().min() {
        let (campaigns, seeds) = (holds.clone().count(), holds.sum::<u64>());
        let worth = confidence(fewest);
        let _ = writeln!(text, "no violation in {seeds} seeds of {campaigns} campaigns; the fewest are {worth}");
    }
    let _ = writeln!(text, "{}", verdict_line(judged));
    text
}

/// Each rare branch of the engine with the number of seeds that took it, all campaigns together: first a line with those
/// that no seed took, then the others, the rarest first.
pub fn rare(judged: &[Judged]) -> String {
    let branches = rare_branches(judged);
    let (never, taken) = branches.iter().partition::<Vec<_>, _>(|(_, seeds)| *seeds == 0);
    let mut text = String::new();
    if !never.is_empty() {
        let names = never.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let _ = writeln!(text, "rare branches that no seed took: {}", names.join(", "));
    }
    if !taken.is_empty() {
        let counts = taken.iter().map(|(name, seeds)| format!("{name} {seeds}")).collect::<Vec<_>>();
        let _ = writeln!(text, "rare branches, and the seeds that took them: {}", counts.join(", "));
    }
    text
}

fn reason(judged: &Judged) -> String {
    format!("  {} ({}): {}\n", judged.scenario, judged.profile, judged.why)
}

/// One line for all campaigns.
pub fn verdict_line(judged: &[Judged]) -> String {
    let count = |standing| judged.iter().filter(|judged| judged.standing == standing).count();
    let (expected, unexpected) = (count(Standing::Expected), count(Standing::Unexpected));
    let undecided = count(Standing::Undecided);
    let mut parts = vec![format!("{expected} of {} verdicts as expected", judged.len())];
    if unexpected > 0 {
        parts.push(format!("{unexpected} UNEXPECTED"));
    }
    if undecided > 0 {
        parts.push(format!("{undecided} undecided"));
    }
    parts.join(", ")
}

/// A large number in a few characters: `950`, `12.3k`, `4.56M`.
pub fn short(number: f64) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if number >= unit {
            let scaled = number / unit;
            let digits = if scaled >= 100.0 {
                0
            } else if scaled >= 10.0 {
                1
            } else {
                2
            };
            return format!("{scaled:.digits$}{name}");
        }
    }
    format!("{number:.0}")
}

/// Simulated seconds in the largest unit that fits.
pub fn duration(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    for (unit, name) in [(365.25 * DAY, "y"), (DAY, "d"), (3_600.0, "h"), (60.0, "min")] {
        if seconds >= unit {
            return format!("{:.1} {name}", seconds / unit);
        }
    }
    format!("{seconds:.0} s")
}

/// How often something happened, and in how many of the seeds.
fn share(times: u64, with: u64, seeds: u64) -> String {
    match times {
        0 => "-".to_owned(),
        _ => format!("{} in {}%", short(times as f64), with * 100 / seeds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::found;
    use scenarios::Expected;

    #[test]
    fn a_table_is_flush_and_has_no_trailing_blanks() {
        let judged = found(&Expected::Holds).judge();
        let table = campaigns(&[judged]);
        let expected = "\
scenario    profile   verdict  expected  seeds  actions  simulated  takeovers   rejoins  faults fired
power-loss  hardened  holds    holds       300    1.23M      1.0 d  25 in 25%  5 in 50%             7  ok
";
        assert_eq!(table, expected);
    }

    #[test]
    fn large_numbers_are_short() {
        assert_eq!([950.0, 12_345.0, 4.56e6, 7e9].map(short).join(" "), "950 12.3k 4.56M 7.00G");
        assert_eq!([5.0, 90.0, 86_400.0, 3.2e8].map(duration).join(", "), "5 s, 1.5 min, 1.0 d, 10.1 y");
    }
}
