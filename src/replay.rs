//! `replay`: a recorded path, walked again.

use crate::misuse::Misuse;
use crate::screen::Screen;
use clap::Args;
use model::Instant;
use reports::story::Story;
use scenarios::{Trace, replay, replay_strictly, world_at};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The trace
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Demand the same text again; tell the first line that differs
    #[arg(long)]
    strict: bool,
    /// Show the world at this moment, in seconds
    #[arg(long, value_name = "T", value_parser = moment, conflicts_with = "strict")]
    at: Option<Instant>,
}

/// Seconds, with up to six decimals; `s` may follow.
pub(crate) fn moment(text: &str) -> Result<Instant, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let micros = (digits(whole) && digits(decimals) && decimals.len() <= 6)
        .then(|| format!("{whole}{decimals:0<6}").parse().ok())
        .flatten();
    micros.map(Instant).ok_or_else(|| "expected seconds such as 90 or 90.5".to_owned())
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    let file = arguments.trace.display().to_string();
    let text = std::fs::read_to_string(&arguments.trace)
        .map_err(|error| Misuse::new(format_args!("{file}: expected a trace, found: {error}")))?;
    let trace = Trace::parse(&file, &text).map_err(Misuse::new)?;
    let case = trace.case();
    if let Some(at) = arguments.at {
        screen.say(&world_at(&trace, &case, at))?;
        return Ok(0);
    }
    if arguments.strict {
        return match replay_strictly(&file, &text, &trace, &case, &mut ()) {
            Ok(replayed) => {
                screen.say(&format!("the same text again: {replayed}\n"))?;
                Ok(0)
            }
            Err(difference) => {
                screen.say(&format!("{difference}\n"))?;
                Ok(1)
            }
        };
    }
    let mut story = Story::new(&case.setup);
    let replayed = replay(&trace, &case, &mut story);
    let mut told = format!("{} ({}), seed {}\n", trace.scenario.name, trace.profile, trace.seed);
    for line in story.lines(&replayed.verdict) {
        told += &format!("  {line}\n");
    }
    let agrees = replayed.agrees_with(&trace);
    told += &format!("expected: {}\nfound: {replayed}\n", trace.verdict);
    screen.say(&told)?;
    Ok(if agrees { 0 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_in_seconds() {
        let read = ["90", "90.5", "0.000001s", "", ".5", "1.1234567", "1e3"].map(|text| moment(text).ok());
        let [some @ .., _, _, _, _] = read;
        assert_eq!(some, [Some(Instant(90_000_000)), Some(Instant(90_500_000)), Some(Instant(1))]);
        assert_eq!(read[3..], [None; 4]);
    }
}
