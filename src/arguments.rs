//! Words of the command line that are more than a number: durations and ranges of seeds.

use crate::misuse::Misuse;
use clap::Args;
use scenarios::ProfileName;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where results go beside the screen, wherever there is a verdict.
#[derive(Args, Debug)]
pub(crate) struct ResultFiles {
    /// Write the results as JSON (format leaselab-results, version 1)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// How many threads.
#[derive(Args, Debug)]
pub(crate) struct Jobs {
    /// Threads; as many as there are cores if not given. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
}

impl Jobs {
    pub(crate) fn number(&self) -> usize {
        self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }
}

pub(crate) fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err("expected a number of threads from 1 to 1024".to_owned()),
    }
}

/// Reads `512M` or `16G`, in powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1_u64 << 40,
        _ => 0,
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "expected an amount of memory such as 512M or 16G".to_owned())
}

/// Reads `90s`, `1500ms`, `5m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let number = digits.parse::<u64>();
    let millis = match (&number, &text[digits.len()..]) {
        (Ok(number), "ms") => Some(*number),
        (Ok(number), "s") => number.checked_mul(1_000),
        (Ok(number), "m" | "min") => number.checked_mul(60_000),
        (Ok(number), "h") => number.checked_mul(3_600_000),
        _ => None,
    };
    match millis {
        Some(millis @ 1..=31_536_000_000) => Ok(Duration::from_millis(millis)),
        _ => Err("expected a duration such as 60s, 1500ms, 5m or 1h".to_owned()),
    }
}

/// Reads `A..B` (B is not among them) or `A..=B`.
pub(crate) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = || "expected a range of seeds such as 0..100, with at least one seed in it".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(expected)?;
    let first = first.parse::<u64>().map_err(|_| expected())?;
    let end = match last.strip_prefix('=') {
        Some(last) => last.parse::<u64>().ok().and_then(|last| last.checked_add(1)),
        None => last.parse::<u64>().ok(),
    };
    end.filter(|end| *end > first).map(|end| first..end).ok_or_else(expected)
}

/// What `--until-safe` needs, of worlds as of stories: the profile that is not safe, and a folder for traces if any.
pub(crate) fn until_safe_of(profile: ProfileName, trace: Option<&Path>) -> Result<Option<&Path>, Misuse> {
    let wanted = ProfileName::Sanlock385;
    if profile != wanted {
        return Err(Misuse::new(format_args!("--until-safe: expected --profile {wanted}, found {profile}")));
    }
    match trace.filter(|folder| !folder.is_dir()) {
        Some(other) => {
            Err(Misuse::new(format_args!("--trace {}: expected a folder with --until-safe", other.display())))
        }
        None => Ok(trace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        let millis = |text| duration(text).ok().map(|duration| duration.as_millis());
        let read =
            ["60s", "1500ms", "5m", "1h", "60", "", "s", "-1s", "0s", "1 s", "99999999999999999999s"].map(millis);
        let none = [None; 7];
        assert_eq!(read[..4], [Some(60_000), Some(1_500), Some(300_000), Some(3_600_000)]);
        assert_eq!(read[4..], none);
    }

    #[test]
    fn memory_needs_a_unit() {
        assert_eq!(["1M", "16G", "3K"].map(bytes), [Ok(1 << 20), Ok(16 << 30), Ok(3 << 10)]);
        for bad in ["1", "M", "0G", "-1G", "1.5G", "1MB", "99999999999T"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_seeds_are_not_empty() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        assert_eq!(seeds("3..=5"), Ok(3..6));
        for bad in ["5..3", "5..5", "5", "..", "a..b", "0..=18446744073709551615", "-1..3"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }
}
