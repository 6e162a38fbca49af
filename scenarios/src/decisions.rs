//! Single decisions of a profile, taken the other way: in any scenario, and in its text, so that a trace carries them.
//!
//! ```toml
//! [decisions]
//! with = ["own_vote"]        # sanlock_3_8_5, and this decision of hardened
//! without = ["own_vote"]     # hardened, but for this decision
//! unspared = true            # faults strike both profiles, also where `only` spares one of them
//! ```

use crate::reader::{BadScenario, Reader};
use crate::scenario::{ProfileName, Scenario};
use lease_core::profile::Profile;
use model::setup::{LateClose, WdmdProfile};

/// Single decisions of a profile, taken the other way.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Decisions {
    /// The safe decision, put into `sanlock_3_8_5`.
    pub with: Vec<String>,
    /// The decision of 3.8.5, put into `hardened`.
    pub without: Vec<String>,
    /// Whether faults strike both profiles, also where one is spared what it is known to break by.
    pub unspared: bool,
}

/// A decision that there is not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected a decision ({known}), found {0:?}", known = Decisions::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownDecision(pub String);

/// The decision of the host part of the profile.
const LATE_CLOSE: &str = "late_close";

impl Decisions {
    /// The names of all decisions: those of the engine, then that of wdmd.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Profile::DECISIONS.iter().copied().chain([LATE_CLOSE])
    }

    /// # Errors
    ///
    /// If there is no such decision.
    pub fn known(name: &str) -> Result<(), UnknownDecision> {
        Decisions::names().any(|known| known == name).then_some(()).ok_or_else(|| UnknownDecision(name.to_owned()))
    }

    /// Those that change something in this profile.
    pub fn of(&self, profile: ProfileName) -> &[String] {
        match profile {
            ProfileName::Sanlock385 => &self.with,
            ProfileName::Hardened => &self.without,
        }
    }

    /// The decisions of the engine and of wdmd under this profile.
    pub(crate) fn profiles(&self, profile: ProfileName) -> (Profile, WdmdProfile) {
        let known = "names of decisions are looked at when they are read";
        match profile {
            ProfileName::Sanlock385 => {
                self.with.iter().fold((Profile::SANLOCK_3_8_5, WdmdProfile::SANLOCK_3_8_5), |(engine, wdmd), name| {
                    match name == LATE_CLOSE {
                        true => (engine, wdmd.closing_late(LateClose::Silent)),
                        false => (engine.with(name).expect(known), wdmd),
                    }
                })
            }
            ProfileName::Hardened => {
                self.without.iter().fold((Profile::HARDENED, WdmdProfile::HARDENED), |(engine, wdmd), name| {
                    match name == LATE_CLOSE {
                        true => (engine, wdmd.closing_late(LateClose::Pings)),
                        false => (engine.without(name).expect(known), wdmd),
                    }
                })
            }
        }
    }
}

impl Decisions {
    /// Reads the table `[decisions]`.
    pub(crate) fn read(table: &mut Reader<'_>) -> Result<Decisions, BadScenario> {
        let mut names = |key| {
            let mut names = Vec::new();
            for found in table.texts(key)?.unwrap_or_default() {
                if let Err(UnknownDecision(name)) = Decisions::known(&found.value) {
                    let known = Decisions::names().collect::<Vec<_>>().join(", ");
                    return Err(table.bad(found.at, key, format!("decisions ({known})"), format!("{name:?}")));
                }
                names.push(found.value);
            }
            Ok(names)
        };
        let (with, without) = (names("with")?, names("without")?);
        Ok(Decisions { with, without, unspared: table.yes("unspared", false)? })
    }

    /// These, and those of the other that are not among them.
    fn and(&self, more: &Decisions) -> Decisions {
        let mut all = Decisions { unspared: self.unspared || more.unspared, ..self.clone() };
        for (all, more) in [(&mut all.with, &more.with), (&mut all.without, &more.without)] {
            let new = more.iter().filter(|name| !all.contains(name)).cloned().collect::<Vec<_>>();
            all.extend(new);
        }
        all
    }
}

impl Scenario {
    /// The same with these decisions beside its own.
    ///
    /// # Errors
    ///
    /// In one line, if there is no such decision, or if its table of decisions is not written in lines of its own.
    pub fn with_decisions(&self, more: &Decisions) -> Result<Scenario, String> {
        for name in more.with.iter().chain(&more.without) {
            Decisions::known(name).map_err(|error| error.to_string())?;
        }
        let decisions = self.decisions.and(more);
        let mut text = String::new();
        let mut inside = false;
        for line in self.text.lines() {
            if line.starts_with('[') {
                inside = line.trim_end().starts_with("[decisions]");
            }
            if !inside {
                text += line;
                text.push('\n');
            }
        }
        if decisions == Decisions::default() {
            return Ok(self.clone());
        }
        text = format!("{}\n\n[decisions]\n", text.trim_end());
        for (key, names) in [("with", &decisions.with), ("without", &decisions.without)] {
            if !names.is_empty() {
                text += &format!("{key} = {names:?}\n");
            }
        }
        if decisions.unspared {
            text += "unspared = true\n";
        }
        match Scenario::parse(&self.name, &self.file, &text) {
            Ok(scenario) if scenario.decisions == decisions => Ok(scenario),
            _ => Err(format!("{}: expected [decisions] as a table with lines of its own", self.file)),
        }
    }
}
