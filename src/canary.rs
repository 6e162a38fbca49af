//! The canary: a scenario whose assumption is broken, so that a violation must be found in it. Every run that says "no
//! violation" runs it first; if it lives, the run is red, whatever else it says.

use crate::campaigns::{self, Reach, Seeds, Subject};
use crate::interrupt;
use reports::results::{Judged, Standing};
use scenarios::{ProfileName, Scenario};

/// Seeds that it is given. The first one should do.
const SEEDS: std::ops::Range<u64> = 0..20;

/// What it is called.
pub(crate) const NAME: &str = "canary";

/// The scenario. It is not in the catalogue, for nobody asks what comes of it.
pub(crate) fn scenario() -> Scenario {
    Scenario::parse(NAME, "canary.toml", include_str!("canary.toml")).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs it under each of these profiles.
pub(crate) fn run(profiles: &[ProfileName], jobs: usize, blind: bool) -> Vec<Judged> {
    let canary = scenario();
    let subjects = profiles.iter().map(|profile| Subject { scenario: &canary, profile: *profile });
    let reach = Reach { seeds: Seeds::Range(SEEDS), budget: None, jobs, together: true, blind };
    let mut judged = campaigns::run(&subjects.collect::<Vec<_>>(), &reach);
    for judged in &mut judged {
        if judged.standing != Standing::Expected && !interrupt::interrupted() {
            judged.standing = Standing::Unexpected;
            judged.why = format!("the canary lives, so that nobody finding anything means nothing: {}", judged.why);
        }
    }
    judged
}

/// One line for each that died as it must.
pub(crate) fn told(judged: &[Judged]) -> String {
    let died = judged.iter().filter(|judged| judged.standing == Standing::Expected);
    let line = |judged: &Judged| {
        let (property, seed) = (judged.property.as_deref().unwrap_or_default(), judged.seed.unwrap_or_default());
        format!("canary ({}): dead of {property} with seed {seed}, as it must be\n", judged.profile)
    };
    died.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::results::{Word, worst};

    #[test]
    fn it_dies_of_what_it_announces_and_lives_only_where_nobody_looks() {
        let seen = run(&ProfileName::ALL, 2, false);
        assert!(seen.iter().all(|judged| judged.standing == Standing::Expected && judged.verdict == Word::Violated));
        assert_eq!(told(&seen).lines().count(), 2);

        let blind = run(&ProfileName::ALL, 2, true);
        assert_eq!(worst(&blind), Standing::Unexpected);
        assert!(blind.iter().all(|judged| judged.standing == Standing::Unexpected), "{blind:?}");
        assert_eq!(told(&blind), "");
    }
}
