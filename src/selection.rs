//! Which scenarios are meant: files, folders and names of the catalogue.

use crate::canary;
use crate::misuse::Misuse;
use scenarios::{Scenario, catalogue, worlds};
use std::path::{Path, PathBuf};

/// What a verb takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is simulated.
    Stories,
    /// What is checked.
    Worlds,
}

impl Kind {
    fn takes(self, scenario: &Scenario) -> bool {
        scenario.check.is_some() == (self == Kind::Worlds)
    }

    /// A scenario that was asked for by name, if the verb takes it.
    fn take(self, scenario: Scenario) -> Result<Scenario, Misuse> {
        let (expected, found, verb) = match self {
            Kind::Stories => ("a story to simulate", "a world to check", "check"),
            Kind::Worlds => ("a world to check, with a [check] part", "a story to simulate", "simulate"),
        };
        match self.takes(&scenario) {
            true => Ok(scenario),
            false => Err(Misuse::new(format_args!(
                "{}: expected {expected}, found {found} (leaselab {verb} {})",
                scenario.file,
                word(&scenario)
            ))),
        }
    }
}

/// The scenarios of these words, in their order; of the catalogue all stories, or all worlds that are not long, if there
/// are no words. Of a folder those that the verb takes.
pub(crate) fn scenarios(words: &[String], kind: Kind) -> Result<Vec<Scenario>, Misuse> {
    if words.is_empty() {
        let short = |world: &Scenario| world.check.as_ref().is_some_and(|check| !check.long);
        return Ok(match kind {
            Kind::Stories => catalogue(),
            Kind::Worlds => worlds().into_iter().filter(short).collect(),
        });
    }
    let mut found = Vec::new();
    for word in words {
        let path = Path::new(word);
        if let Some(scenario) = Scenario::named(word) {
            found.push(kind.take(scenario)?);
        } else if word == canary::NAME && !path.exists() {
            found.push(kind.take(canary::scenario())?);
        } else if path.is_dir() {
            let folder = folder(path)?.into_iter().filter(|scenario| kind.takes(scenario)).collect::<Vec<_>>();
            if folder.is_empty() {
                let part = if kind == Kind::Worlds { "with" } else { "without" };
                return Err(Misuse::new(format_args!("{word}: expected scenarios {part} a [check] part, found none")));
            }
            found.extend(folder);
        } else if path.exists() {
            found.push(kind.take(Scenario::load(path)?)?);
        } else {
            return Err(Misuse::new(format_args!(
                "{word}: expected a scenario file, a folder or a name of the catalogue (leaselab list), found none"
            )));
        }
    }
    Ok(found)
}

fn folder(path: &Path) -> Result<Vec<Scenario>, Misuse> {
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| {
        Misuse::new(format_args!("{}: expected a folder of scenarios, found: {error}", path.display()))
    })?;
    let files = entries.into_iter().map(|entry| entry.path());
    let mut files = files.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect::<Vec<PathBuf>>();
    files.sort();
    if files.is_empty() {
        return Err(Misuse::new(format_args!("{}: expected scenario files (*.toml), found none", path.display())));
    }
    files.iter().map(|file| Ok(Scenario::load(file)?)).collect()
}

/// The word that selects a scenario again.
pub(crate) fn word(scenario: &Scenario) -> String {
    match Scenario::named(&scenario.name) {
        Some(known) if known.text == scenario.text => scenario.name.clone(),
        None if *scenario == canary::scenario() => canary::NAME.to_owned(),
        _ => quoted(&scenario.file),
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./+=:,@%".contains(char);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
