//! `list`: what there is, by name.

use crate::misuse::Misuse;
use crate::screen::Screen;
use clap::Args;
use lease_core::mutants::{Mutant, Place};
use lease_core::profile::Profile;
use lease_core::seam::Rare;
use model::checker::plan::Plan;
use model::history::Property;
use reports::documents;
use reports::table::columns;
use scenarios::{Fault, ProfileName, Trigger, catalogue, worlds};
use serde::Serialize;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// As JSON (format leaselab-list, version 1)
    #[arg(long)]
    json: bool,
    /// One table of the documentation instead, in Markdown: bugs or capabilities
    #[arg(long, value_name = "TABLE", conflicts_with = "json")]
    markdown: Option<Table>,
}

/// A table of the documentation.
#[derive(Clone, Copy, clap::ValueEnum, Debug)]
enum Table {
    /// Known bugs, and the stories that meet them
    Bugs,
    /// Capabilities, and the stories that use them
    Capabilities,
}

#[derive(Serialize)]
struct Everything {
    format: &'static str,
    version: u32,
    scenarios: Vec<ListedScenario>,
    worlds: Vec<ListedWorld>,
    properties: Vec<ListedProperty>,
    faults: Vec<ListedFault>,
    decisions: Vec<ListedDecision>,
    rare: Vec<ListedRare>,
    mutants: Vec<ListedMutant>,
}

#[derive(Serialize)]
struct ListedScenario {
    name: String,
    title: String,
    beyond: bool,
    hosts: usize,
    hardened: String,
    sanlock_3_8_5: String,
}

#[derive(Serialize)]
struct ListedWorld {
    name: String,
    title: String,
    beyond: bool,
    hosts: usize,
    kind: &'static str,
    long: bool,
    /// Different states of the complete world, if they are known.
    unique_states: Option<u64>,
    hardened: String,
    sanlock_3_8_5: String,
}

#[derive(Serialize)]
struct ListedProperty {
    name: &'static str,
    title: &'static str,
}

#[derive(Serialize)]
struct ListedFault {
    name: &'static str,
    strikes: &'static str,
    beyond: bool,
}

#[derive(Serialize)]
struct ListedDecision {
    name: &'static str,
    sanlock_3_8_5: &'static str,
    hardened: &'static str,
}

#[derive(Serialize)]
struct ListedRare {
    name: &'static str,
    what: &'static str,
}

#[derive(Serialize)]
struct ListedMutant {
    name: &'static str,
    change: &'static str,
    expected: &'static str,
    /// Whether it can be run.
    built: bool,
    place: String,
}

fn place(mutant: Mutant) -> String {
    match mutant.place() {
        Place::Engine => "engine".to_owned(),
        Place::Host => "host".to_owned(),
        Place::Missing(what) => format!("not built: needs {what}"),
    }
}

fn everything() -> Everything {
    let scenarios = catalogue().into_iter().map(|scenario| ListedScenario {
        title: scenario.title().to_owned(),
        beyond: scenario.beyond,
        hosts: scenario.hosts.len(),
        hardened: scenario.expected(ProfileName::Hardened).to_string(),
        sanlock_3_8_5: scenario.expected(ProfileName::Sanlock385).to_string(),
        name: scenario.name,
    });
    let worlds = worlds().into_iter().map(|world| {
        let check = world.check.as_ref().expect("every world has it");
        ListedWorld {
            title: world.title().to_owned(),
            beyond: world.beyond,
            hosts: world.hosts.len(),
            kind: match check.plan {
                Plan::Ballots(_) => "ballots",
                Plan::HostIds(_) => "host-ids",
                Plan::Leases(_) => "leases",
            },
            long: check.long,
            unique_states: check.unique(ProfileName::Hardened),
            hardened: world.expected(ProfileName::Hardened).to_string(),
            sanlock_3_8_5: world.expected(ProfileName::Sanlock385).to_string(),
            name: world.name,
        }
    });
    let strikes = |fault: &Fault| match fault.trigger() {
        Trigger::Timed => "by the clock",
        Trigger::Io => "an I/O",
        Trigger::Ghost => "a write whose host is gone",
        Trigger::Client => "a client",
    };
    let decisions = Profile::SANLOCK_3_8_5.table().into_iter().zip(Profile::HARDENED.table());
    Everything {
        format: "leaselab-list",
        version: 1,
        scenarios: scenarios.collect(),
        worlds: worlds.collect(),
        properties: Property::ALL.iter().map(|it| ListedProperty { name: it.id(), title: it.title() }).collect(),
        faults: Fault::ALL
            .iter()
            .map(|fault| ListedFault { name: fault.id(), strikes: strikes(fault), beyond: fault.beyond() })
            .collect(),
        decisions: decisions
            .map(|((name, old), (_, new))| ListedDecision { name, sanlock_3_8_5: old, hardened: new })
            .collect(),
        rare: Rare::ALL.iter().map(|rare| ListedRare { name: rare.id(), what: rare.words() }).collect(),
        mutants: Mutant::ALL
            .iter()
            .map(|mutant| ListedMutant {
                name: mutant.name(),
                change: mutant.change(),
                expected: mutant.expected(),
                built: mutant.is_built(),
                place: place(*mutant),
            })
            .collect(),
    }
}

pub(crate) fn run(arguments: &Arguments, screen: &mut Screen) -> Result<u8, Misuse> {
    if let Some(table) = arguments.markdown {
        let all = catalogue().into_iter().chain(worlds()).collect::<Vec<_>>();
        screen.say(&match table {
            Table::Bugs => documents::bugs(&all),
            Table::Capabilities => documents::capabilities(&all),
        })?;
        return Ok(0);
    }
    let everything = everything();
    let text = if arguments.json {
        let text = serde_json::to_string_pretty(&everything).expect("plain texts can be written as JSON");
        format!("{text}\n")
    } else {
        told(&everything)
    };
    screen.say(&text)?;
    Ok(0)
}

fn told(everything: &Everything) -> String {
    let mark = |beyond: bool| if beyond { "beyond" } else { "within" }.to_owned();
    let scenarios = everything.scenarios.iter().map(|it| {
        let expected = [it.hardened.clone(), it.sanlock_3_8_5.clone()];
        let [hardened, sanlock] = expected;
        vec![it.name.clone(), mark(it.beyond), hardened, sanlock, it.title.clone()]
    });
    let worlds = everything.worlds.iter().map(|it| {
        let states = it.unique_states.map_or("-".to_owned(), |states| states.to_string());
        let length = if it.long { "long" } else { "short" };
        vec![
            it.name.clone(),
            mark(it.beyond),
            length.to_owned(),
            states,
            it.hardened.clone(),
            it.sanlock_3_8_5.clone(),
            it.title.clone(),
        ]
    });
    let properties = everything.properties.iter().map(|it| vec![it.name.to_owned(), it.title.to_owned()]);
    let faults = everything.faults.iter().map(|it| vec![it.name.to_owned(), mark(it.beyond), it.strikes.to_owned()]);
    let decisions = everything.decisions.iter();
    let decisions = decisions.map(|it| vec![it.name.to_owned(), it.sanlock_3_8_5.to_owned(), it.hardened.to_owned()]);
    let mutants = everything.mutants.iter();
    let mutants = mutants.map(|it| vec![it.name.into(), it.expected.into(), it.place.clone(), it.change.into()]);
    let rare = everything.rare.iter().map(|it| vec![it.name.to_owned(), it.what.to_owned()]);
    [
        columns(&["SCENARIO ", "TOLERANCE ", "hardened ", "sanlock_3_8_5 ", "STORY "], &scenarios.collect::<Vec<_>>()),
        columns(
            &["WORLD ", "TOLERANCE ", "SEARCH ", "STATES", "hardened ", "sanlock_3_8_5 ", "STORY "],
            &worlds.collect::<Vec<_>>(),
        ),
        columns(&["PROPERTY ", "WHAT MUST HOLD "], &properties.collect::<Vec<_>>()),
        columns(&["FAULT ", "TOLERANCE ", "STRIKES "], &faults.collect::<Vec<_>>()),
        columns(&["DECISION ", "sanlock_3_8_5 ", "hardened "], &decisions.collect::<Vec<_>>()),
        columns(&["MUTANT ", "EXPECTED ", "PLACE ", "WHAT IS BROKEN "], &mutants.collect::<Vec<_>>()),
        columns(&["RARE BRANCH ", "WHAT HAPPENED "], &rare.collect::<Vec<_>>()),
    ]
    .join("\n")
}
