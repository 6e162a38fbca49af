//! Traces of the stories of the catalogue: written, read again, cut, bent and replayed.

use model::setup::ResourceIx;
use model::{Happening, Instant, Sink};
use scenarios::{
    Case, Claim, Line, Mark, ProfileName, Scenario, Trace, catalogue, record, record_with, replay, replay_and_record,
    replay_strictly, simulate, world_at,
};

const FILE: &str = "a.trace";

/// A run of the catalogue, written down.
fn written(name: &str, profile: ProfileName, seed: u64) -> (Trace, String) {
    let scenario = Scenario::named(name).expect("it is in the catalogue");
    let (outcome, trace) = record(&Case::new(&scenario, profile, seed));
    assert_eq!(trace.verdict, Claim::of(&outcome.verdict));
    let text = trace.to_string();
    (trace, text)
}

#[test]
fn every_story_is_replayed_to_the_byte() {
    // The profiles take turns: both would only take twice as long.
    for (scenario, profile) in catalogue().iter().zip(ProfileName::ALL.into_iter().cycle()) {
        let case = Case::new(scenario, profile, 1);
        let (outcome, trace) = record(&case);
        let text = trace.to_string();
        let read = Trace::parse(FILE, &text).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        assert!(read.to_string() == text, "{}: reading and writing changes a trace", scenario.name);
        assert!(read.lines == trace.lines, "{}: what is read is not what was written", scenario.name);
        let replayed = replay_strictly(FILE, &text, &read, &read.case(), &mut ());
        let replayed = replayed.unwrap_or_else(|error| panic!("{} {profile}: {error}", scenario.name));
        assert_eq!(replayed.verdict, outcome.verdict, "{}", scenario.name);
        assert!(replayed.same_run_as(&read), "{}: {replayed}", scenario.name);
    }
}

#[test]
fn writing_a_run_down_changes_nothing_in_it() {
    for name in ["power-loss", "daemon-crash"] {
        let scenario = Scenario::named(name).expect("it is in the catalogue");
        let case = Case::new(&scenario, ProfileName::Sanlock385, 4);
        assert_eq!(record(&case).0, simulate(&scenario, ProfileName::Sanlock385, 4, &mut ()));
    }
}

#[test]
fn the_story_of_a_trace_stays_at_its_head() {
    let (mut trace, _) = written("power-loss", ProfileName::Hardened, 3);
    trace.story = vec!["1. A dies.".to_owned(), String::new(), "2. B waits.".to_owned()];
    let text = trace.to_string();
    assert!(text.starts_with("# 1. A dies.\n#\n# 2. B waits.\nleaselab trace 1\n"), "{text:.100}");
    let read = Trace::parse(FILE, &text).expect("it was written so");
    assert_eq!(read.story, trace.story);
    replay_strictly(FILE, &text, &read, &read.case(), &mut ()).expect("a story changes nothing");
}

/// The error for a text that was made from a good one.
fn error(text: &str) -> String {
    Trace::parse(FILE, text).expect_err("it is not a trace any more").to_string()
}

#[test]
fn a_trace_that_was_cut_off_is_noticed_wherever() {
    let (_, text) = written("power-loss", ProfileName::Hardened, 3);
    let lines = text.lines().count();
    let at_lines =
        (0..lines).step_by(lines / 50).map(|count| text.split_inclusive('\n').take(count).map(str::len).sum::<usize>());
    let near_the_end = text.len() - 40..text.len() - 1;
    for cut in at_lines.chain((0..text.len()).step_by(text.len() / 50)).chain(near_the_end) {
        if text.is_char_boundary(cut) {
            let message = error(&text[..cut]);
            let line = text[..cut].matches('\n').count() + 1;
            let expected = message.starts_with(&format!("{FILE}:")) && message.contains("expected");
            assert!(expected && !message.contains('\n'), "cut in line {line}: {message}");
        }
    }
    let whole_lines = text.strip_suffix("end\n").expect("it ends so");
    assert_eq!(
        error(whole_lines),
        format!(r#"{FILE}:{lines}: expected "end" as the last line (the file was cut off), found the end of the file"#)
    );
    // The last line feed alone may be missing.
    assert!(Trace::parse(FILE, text.trim_end()) == Trace::parse(FILE, &text));
}

#[test]
fn mistakes_are_told_in_one_line_with_their_place() {
    let (trace, text) = written("power-loss", ProfileName::Hardened, 3);
    let scenario = trace.scenario.text.lines().count();
    let first = scenario + 10;
    let line = text.lines().nth(first - 1).expect("there is a first choice");
    let check = |text: String, expected: String| assert_eq!(error(&text), format!("{FILE}:{expected}"));
    check(
        text.replacen("trace 1", "trace 2", 1),
        r#"1: expected "leaselab trace 1", found "leaselab trace 2""#.to_owned(),
    );
    check(
        text.replacen("verdict holds", "verdict violated I-WHAT", 1),
        "5: expected \"verdict\" and holds, asserted or violated and a property, found \"verdict violated I-WHAT\""
            .to_owned(),
    );
    check(
        text.replacen("seed 3", "seed three", 1),
        "4: expected \"seed\" and a number, found \"seed three\"".to_owned(),
    );
    check(
        text.replacen("\nend\n", "\n0.000000 A power-on\nend\n", 1),
        format!("{}: expected a moment that is not before {}, found \"0.000000 A power-on\"", text.lines().count(), {
            let last = trace.binding().last().expect("it is not empty");
            let (Line::Choice { at, .. } | Line::Mark { at, .. }) = last else { unreachable!("it binds") };
            *at
        }),
    );
    check(
        text.replacen("\nend\n", "\nend\nmore\n", 1),
        format!("{}: expected nothing after \"end\", found \"more\"", text.lines().count() + 1),
    );
    let unknown = error(&text.replacen(line, "0.000000 A fly", 1));
    assert!(unknown.starts_with(&format!("{FILE}:{first}: expected ")), "{unknown}");
    assert!(unknown.contains("\"fly\""), "{unknown}");
    // A mistake within the scenario has its line in the trace.
    let typo = error(&text.replacen("| [run]", "| [ruin]", 1));
    let place = text.lines().position(|line| line == "| [run]").expect("it has the table") + 1;
    assert!(typo.starts_with(&format!("{FILE}:{place}: ")), "{typo}");
}

#[test]
fn nonsense_is_left_out_and_counted() {
    let (trace, text) = written("power-loss", ProfileName::Hardened, 3);
    let bent = text.replacen("\n\n", "\n\n0.000000 A kill wdmd\n0.000000 d0 io 77 land\n", 1);
    let bent_trace = Trace::parse(FILE, &bent).expect("both are actions");
    let replayed = replay(&bent_trace, &bent_trace.case(), &mut ());
    assert_eq!((replayed.skipped, replayed.by_itself), (2, 0), "{replayed}");
    assert!(replayed.first_skipped.as_ref().is_some_and(|first| first.starts_with("0.000000 A kill wdmd: ")));
    assert!(replayed.agrees_with(&trace));
    assert_eq!(replayed.digest, trace.digest);

    let difference =
        replay_strictly(FILE, &bent, &bent_trace, &bent_trace.case(), &mut ()).expect_err("two lines more");
    let line = trace.scenario.text.lines().count() + 10;
    assert_eq!(
        difference.to_string(),
        format!("{FILE}:{line}: expected \"0.000000 A kill wdmd\", found {:?}", text.lines().nth(line - 1).unwrap())
    );
}

#[test]
fn what_is_missing_and_overdue_is_done_by_itself() {
    let (mut trace, _) = written("power-loss", ProfileName::Hardened, 3);
    let wake = |line: &Line| matches!(line, Line::Choice { action: model::Action::Wake { .. }, .. });
    let first = trace.lines.iter().position(wake).expect("a task was woken");
    trace.lines.remove(first);
    let (replayed, written) = replay_and_record(&trace, &trace.case(), &mut ());
    assert!(replayed.by_itself > 0, "{replayed}");
    // What was written of it is a faithful trace again.
    let text = written.to_string();
    let read = Trace::parse(FILE, &text).expect("it was written so");
    replay_strictly(FILE, &text, &read, &read.case(), &mut ()).expect("it went so");
}

#[test]
fn an_edited_digest_is_found_in_the_head() {
    let (trace, text) = written("power-loss", ProfileName::Hardened, 3);
    let digest = format!("digest {:016x}", trace.digest);
    let bent = text.replacen(&digest, "digest 0000000000000000", 1);
    let bent_trace = Trace::parse(FILE, &bent).expect("it is a digest");
    let difference = replay_strictly(FILE, &bent, &bent_trace, &bent_trace.case(), &mut ()).expect_err("it is another");
    assert_eq!(difference.to_string(), format!("{FILE}:6: expected \"digest 0000000000000000\", found {digest:?}"));
    assert!(replay(&bent_trace, &bent_trace.case(), &mut ()).agrees_with(&bent_trace));
}

#[test]
fn a_recovery_that_comes_too_late_is_a_verdict_of_the_trace() {
    let (mut trace, _) = written("power-loss", ProfileName::Hardened, 3);
    let heal = |line: &Line| matches!(line, Line::Mark { mark: Mark::Heal, .. });
    let heal = trace.lines.iter().position(heal).expect("the run was healed");
    let Line::Mark { at, .. } = trace.lines[heal] else { unreachable!("it is a mark") };
    trace.lines.truncate(heal + 1);
    trace.lines.push(Line::Mark { at, mark: Mark::Late(ResourceIx(0)) });
    let (replayed, written) = replay_and_record(&trace, &trace.case(), &mut ());
    assert_eq!(
        replayed.verdict.to_string(),
        format!("violated I-PROG at {at}: nobody was granted R1 within 0 s of the healing")
    );
    let text = written.to_string();
    assert!(text.contains(&format!("\n{at} late LS:R1\n")), "the mark is written");
    let read = Trace::parse(FILE, &text).expect("it was written so");
    replay_strictly(FILE, &text, &read, &read.case(), &mut ()).expect("it went so");
}

/// Everything that was told.
#[derive(Default, PartialEq, Debug)]
struct Told(Vec<(Instant, Happening)>);

impl Sink for Told {
    fn happening(&mut self, at: Instant, happening: &Happening) {
        self.0.push((at, happening.clone()));
    }
}

#[test]
fn a_replay_tells_what_the_run_told() {
    let scenario = Scenario::named("daemon-crash").expect("it is in the catalogue");
    let (mut run, mut again) = (Told::default(), Told::default());
    let (_, trace) = record_with(&Case::new(&scenario, ProfileName::Sanlock385, 2), &mut run);
    replay(&trace, &trace.case(), &mut again);
    assert!(run == again);
}

#[test]
fn the_world_at_a_moment_is_told() {
    let (trace, _) = written("power-loss", ProfileName::Hardened, 3);
    let before = world_at(&trace, &trace.case(), Instant::START);
    assert!(before.starts_with("At 0.000000, after "), "{before}");
    assert!(before.contains("never owned"), "{before}");
    let later = world_at(&trace, &trace.case(), Instant::from_secs(100));
    assert!(later.contains("is up, its clock shows "), "{later}");
    assert!(later.contains(" host id 1: stamp "), "{later}");
}
