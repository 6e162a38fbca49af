//! Where two runs part that should have gone one way: the first happening in which they differ.
//!
//! Digests say *that* two runs differ, and a person needs to know *where*. Both are run again, each with a ladder of
//! digests, a rung every so many happenings; then once more, and now what happens between the last rung on which they
//! agree and the first on which they do not is written down and compared one by one. Nothing is kept of the rest, so a
//! run may be as long as it likes.
//!
//! It refuses to trust either run: one that is not a function of its seed may part elsewhere each time, or not at all.
//! So the search is repeated a few times before it says that the difference did not come back.

use crate::digest::Digest;
use model::setup::Setup;
use model::{Happening, Instant, Sink};
use std::fmt;

/// Happenings from one rung of the ladder to the next.
const STEP: u64 = 1_024;
/// How often both runs are looked at before the difference is given up as lost.
const TRIES: usize = 4;

/// Which of the two runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The first.
    First,
    /// The second.
    Second,
}

/// Where two runs part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parting {
    /// The happening of this number, counted from 0, is not the same in both.
    At {
        /// Its number.
        happening: u64,
        /// What it is in the first run, as a trace tells it; `None`: the first run is over by then.
        first: Option<String>,
        /// What it is in the second run.
        second: Option<String>,
    },
    /// They differed once, and went the same way whenever they were looked at.
    Gone,
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parting::At { happening, first, second } => {
                let told = |side: &Option<String>| match side {
                    Some(text) => format!("{text:?}"),
                    None => "nothing more".to_owned(),
                };
                write!(f, "happening {happening} was {} and then {}", told(first), told(second))
            }
            Parting::Gone => write!(f, "the difference did not come back in {TRIES} more pairs of runs"),
        }
    }
}

/// Looks for the first happening in which two runs differ. `run` carries out the first or the second from its
/// beginning to its end and shows the sink everything that happens; `setup` has the names for the text.
pub fn parting(setup: &Setup, run: &mut dyn FnMut(Turn, &mut Watch)) -> Parting {
    for _ in 0..TRIES {
        let [first, second] = both(run, &|| Watch::new(Keep::Rungs(Vec::new())));
        let (Keep::Rungs(rungs), Keep::Rungs(others)) = (&first.keep, &second.keep) else {
            unreachable!("a watch keeps what it was told to keep")
        };
        // Digests are chained: once two ladders differ, they differ for good.
        let agreed = rungs.iter().zip(others).take_while(|(rung, other)| rung == other).count() as u64;
        if first.digest == second.digest && first.happenings == second.happenings {
            continue;
        }
        let from = agreed * STEP;
        let [first, second] = both(run, &|| Watch::new(Keep::Window { from, seen: Vec::new() }));
        let (Keep::Window { seen, .. }, Keep::Window { seen: others, .. }) = (&first.keep, &second.keep) else {
            unreachable!("a watch keeps what it was told to keep")
        };
        if let Some(index) = (0..seen.len().max(others.len())).find(|index| seen.get(*index) != others.get(*index)) {
            let told = |side: &[(Instant, Happening)]| {
                side.get(index).map(|(at, happening)| format!("{at} {}", happening.text(setup)))
            };
            return Parting::At { happening: from + index as u64, first: told(seen), second: told(others) };
        }
    }
    Parting::Gone
}

fn both(run: &mut dyn FnMut(Turn, &mut Watch), fresh: &dyn Fn() -> Watch) -> [Watch; 2] {
    [Turn::First, Turn::Second].map(|turn| {
        let mut watch = fresh();
        run(turn, &mut watch);
        watch
    })
}

/// The sink that both runs are shown to.
#[derive(Debug)]
pub struct Watch {
    digest: Digest,
    happenings: u64,
    keep: Keep,
}

/// What a watch keeps beside the digest.
#[derive(Debug)]
enum Keep {
    /// The digest after every [`STEP`] happenings.
    Rungs(Vec<Digest>),
    /// The [`STEP`] happenings from one on.
    Window { from: u64, seen: Vec<(Instant, Happening)> },
}

impl Watch {
    fn new(keep: Keep) -> Watch {
        Watch { digest: Digest::default(), happenings: 0, keep }
    }
}

impl Sink for Watch {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.digest.take(at, happening);
        match &mut self.keep {
            Keep::Rungs(rungs) if (self.happenings + 1).is_multiple_of(STEP) => rungs.push(self.digest),
            Keep::Window { from, seen } if (*from..*from + STEP).contains(&self.happenings) => {
                seen.push((at, happening.clone()));
            }
            _ => {}
        }
        self.happenings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::scenario::{ProfileName, Scenario};
    use crate::simulate::run_case;

    /// A sink that passes everything on, but for one happening, which it tells a microsecond late.
    struct Liar<'a> {
        lie: u64,
        seen: u64,
        next: &'a mut Watch,
    }

    impl Sink for Liar<'_> {
        fn happening(&mut self, at: Instant, happening: &Happening) {
            let at = if self.seen == self.lie { at.after_micros(1) } else { at };
            self.seen += 1;
            self.next.happening(at, happening);
        }
    }

    fn swarm() -> Scenario {
        Scenario::named("swarm").expect("it is in the catalogue")
    }

    #[test]
    fn an_injected_difference_is_found_at_its_very_happening() {
        let scenario = swarm();
        let case = Case::new(&scenario, ProfileName::Hardened, 64);
        for lie in [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP + 17] {
            let found = parting(&case.setup, &mut |turn, watch| match turn {
                Turn::First => drop(run_case(&case, watch)),
                Turn::Second => drop(run_case(&case, &mut Liar { lie, seen: 0, next: watch })),
            });
            let Parting::At { happening, first: Some(first), second: Some(second) } = found else {
                panic!("{lie}: {found:?}")
            };
            assert_eq!(happening, lie, "{first} / {second}");
            // Only the moments differ, so both sides tell the same after them.
            let told = |text: &str| text.split_once(' ').map(|(_, rest)| rest.to_owned());
            assert_eq!(told(&first), told(&second));
            assert_ne!(first, second);
        }
    }

    #[test]
    fn a_run_that_ends_early_parts_where_it_ends() {
        let scenario = swarm();
        let case = Case::new(&scenario, ProfileName::Hardened, 1);
        let mut all = Watch::new(Keep::Rungs(Vec::new()));
        run_case(&case, &mut all);
        /// Deaf from one happening on.
        struct Deaf<'a>(u64, &'a mut Watch);
        impl Sink for Deaf<'_> {
            fn happening(&mut self, at: Instant, happening: &Happening) {
                if self.1.happenings < self.0 {
                    self.1.happening(at, happening);
                }
            }
        }
        let last = all.happenings - 1;
        let found = parting(&case.setup, &mut |turn, watch| match turn {
            Turn::First => drop(run_case(&case, watch)),
            Turn::Second => drop(run_case(&case, &mut Deaf(last, watch))),
        });
        let Parting::At { happening, first: Some(_), second: None } = found else { panic!("{found:?}") };
        assert_eq!(happening, last);
    }

    #[test]
    fn other_limits_part_where_they_first_matter() {
        let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
        let mut cases = (0..20).map(|seed| Case::new(&scenario, ProfileName::Hardened, seed));
        let case = cases.find(|case| run_case(case, &mut ()).counts.power_losses > 0).expect("one of them loses power");
        let mut other = case.clone();
        other.limits.crashes = 0;
        let found = parting(&case.setup, &mut |turn, watch| match turn {
            Turn::First => drop(run_case(&case, watch)),
            Turn::Second => drop(run_case(&other, watch)),
        });
        let Parting::At { first: Some(first), .. } = &found else { panic!("{found:?}") };
        assert!(first.contains("power"), "the first loss of power is what the limits forbid: {found}");
    }

    #[test]
    fn runs_that_agree_do_not_part() {
        let scenario = swarm();
        let case = Case::new(&scenario, ProfileName::Hardened, 3);
        let mut runs = 0;
        let found = parting(&case.setup, &mut |_, watch| {
            runs += 1;
            run_case(&case, watch);
        });
        assert_eq!((found, runs), (Parting::Gone, 2 * TRIES));
    }
}
