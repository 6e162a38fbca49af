//! Stories of runs of the catalogue: short, in order, and about what matters.

use reports::story::{LINES_MAX, Story};
use scenarios::{Case, Expected, ProfileName, Scenario, Verdict, catalogue, record_with, replay, simulate};

fn told(scenario: &Scenario, profile: ProfileName, seed: u64) -> (Verdict, Vec<String>) {
    let case = Case::new(scenario, profile, seed);
    let mut story = Story::new(&case.setup);
    let outcome = simulate(scenario, profile, seed, &mut story);
    let lines = story.lines(&outcome.verdict);
    (outcome.verdict, lines)
}

/// The moment of a numbered line.
fn moment(line: &str) -> Option<f64> {
    let (number, rest) = line.split_once(". ")?;
    number.trim().parse::<u32>().ok()?;
    rest.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_story_is_short_and_in_order() {
    for scenario in catalogue().iter().step_by(5) {
        for profile in ProfileName::ALL {
            let (verdict, lines) = told(scenario, profile, 1);
            let whole = lines.join("\n");
            assert!(lines.len() <= LINES_MAX, "{}: {} lines\n{whole}", scenario.name, lines.len());
            assert!(lines.iter().all(|line| !line.contains('\n')), "{whole}");
            let moments = lines.iter().filter_map(|line| moment(line)).collect::<Vec<_>>();
            assert!(moments.is_sorted(), "{}\n{whole}", scenario.name);
            let last = lines.last().expect("it has an end");
            assert!(last.starts_with("=>"), "{whole}");
            match verdict {
                Verdict::Violated(violation) => assert!(last.contains(violation.property.id()), "{whole}"),
                Verdict::Holds => assert!(last.ends_with("Every property held."), "{whole}"),
                Verdict::Asserted { what, .. } => assert!(last.contains(what.lines().next().unwrap_or("")), "{whole}"),
            }
        }
    }
}

#[test]
fn a_replay_tells_the_same_story_as_the_run() {
    let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
    let case = Case::new(&scenario, ProfileName::Sanlock385, 2);
    let (mut run, mut again) = (Story::new(&case.setup), Story::new(&case.setup));
    let (outcome, trace) = record_with(&case, &mut run);
    let replayed = replay(&trace, &trace.case(), &mut again);
    assert_eq!(run.lines(&outcome.verdict), again.lines(&replayed.verdict));
}

#[test]
fn a_power_loss_and_what_came_of_it_is_told() {
    let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
    let (_, lines) = told(&scenario, ProfileName::Hardened, 1);
    let whole = lines.join("\n");
    for words in ["loses power", "boots again", "is told that it holds"] {
        assert!(whole.contains(words), "{words}\n{whole}");
    }
}

/// Every violation that the catalogue expects is told, in few lines, to its end; `--nocapture` shows them.
#[test]
fn each_expected_violation_is_told_in_few_lines() {
    let mut stories = 0;
    for scenario in catalogue() {
        for profile in ProfileName::ALL {
            let Expected::Violated(_) = scenario.expected(profile) else { continue };
            let violated = |seed: &u64| !simulate(&scenario, profile, *seed, &mut ()).verdict.holds();
            let Some(seed) = (1..=5).find(violated) else { continue };
            let (_, lines) = told(&scenario, profile, seed);
            println!("\n{} ({profile}), seed {seed}\n{}", scenario.name, lines.join("\n"));
            assert!(lines.len() <= 30, "{} lines for {} ({profile}), seed {seed}", lines.len(), scenario.name);
            let last = lines.last().expect("a story has an end");
            assert!(last.contains("is violated"), "{} ({profile}), seed {seed}: {last}", scenario.name);
            stories += 1;
        }
    }
    assert!(stories >= 15, "only {stories} violations were found");
}
