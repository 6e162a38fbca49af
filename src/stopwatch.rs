//! The one clock of the program. It decides when a budget is spent and how fast things went, and nothing else: no
//! verdict and no path depends on it.

use std::time::{Duration, Instant};

/// Runs from its making on.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "this file owns the time that budgets are measured in")]
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
