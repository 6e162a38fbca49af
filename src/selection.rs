//! Which scenarios are meant: files, folders and names of the catalogue.

use crate::misuse::Misuse;
use scenarios::{Scenario, catalogue};
use std::path::{Path, PathBuf};

/// A scenario whose assumption is broken. It is not in the catalogue, for nobody asks what comes of it; the gate runs it
/// to see that it is found.
pub(crate) fn canary() -> Scenario {
    let text = include_str!("canary.toml");
    Scenario::parse(CANARY, "canary.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

const CANARY: &str = "canary";

/// The scenarios of these words, in their order; the whole catalogue if there are none.
pub(crate) fn scenarios(words: &[String]) -> Result<Vec<Scenario>, Misuse> {
    if words.is_empty() {
        return Ok(catalogue());
    }
    let mut found = Vec::new();
    for word in words {
        let path = Path::new(word);
        if let Some(scenario) = Scenario::named(word) {
            found.push(scenario);
        } else if word == CANARY && !path.exists() {
            found.push(canary());
        } else if path.is_dir() {
            found.extend(folder(path)?);
        } else if path.exists() {
            found.push(Scenario::load(path)?);
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
        None if *scenario == canary() => CANARY.to_owned(),
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
