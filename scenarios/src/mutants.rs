//! The hunt for one mutant: seeds of one story after the other, until a property fails.
//!
//! A hunt is a walk through rounds. In a round every story that the hardened engine is expected to hold in gets one
//! seed, those that take few actions first, and the swarm gets some more at the end: it is where chance is widest. What
//! a hunt finds depends on its mutant and its campaign number alone, never on time; only where it gives up does.

use crate::case::Case;
use crate::scenario::{Expected, ProfileName, Scenario};
use crate::simulate::run_case;
use crate::trace::Claim;
use lease_core::mutants::Mutant;

/// Seeds of a campaign, before those of the next begin.
const SEEDS_OF_A_CAMPAIGN: u64 = 1_000_000;
/// Seeds of the swarm in one round.
const SWARM_SEEDS: u64 = 8;

/// What is run, and in which order.
#[derive(Clone, Debug)]
pub struct HuntingGround {
    /// In the order of a round.
    stories: Vec<Scenario>,
}

/// A run that betrayed a mutant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// What failed: the name of a property, or `assertion`.
    pub property: String,
    /// The story.
    pub story: String,
    /// The seed.
    pub seed: u64,
}

/// A hunt for one mutant, which may be interrupted and go on.
#[derive(Clone, Debug)]
pub struct Hunt {
    mutant: Mutant,
    /// First seed.
    base: u64,
    /// The next round.
    round: u64,
    /// Runs so far.
    pub seeds: u64,
}

impl HuntingGround {
    /// All stories in which nothing may happen to the hardened engine.
    pub fn new(stories: Vec<Scenario>) -> HuntingGround {
        let holds = |story: &Scenario| *story.expected(ProfileName::Hardened) == Expected::Holds;
        let mut priced = Vec::new();
        for story in stories.into_iter().filter(holds) {
            let outcome = run_case(&Case::new(&story, ProfileName::Hardened, 0), &mut ());
            priced.push((outcome.actions, story));
        }
        priced.sort_by_key(|(actions, _)| *actions);
        HuntingGround { stories: priced.into_iter().map(|(_, story)| story).collect() }
    }

    /// The story of this name.
    pub fn story(&self, name: &str) -> Option<&Scenario> {
        self.stories.iter().find(|story| story.name == name)
    }

    /// The case in which a mutant was caught, to be told or written down.
    pub fn case(&self, mutant: Mutant, caught: &Caught) -> Option<Case<'_>> {
        let story = self.story(&caught.story)?;
        Some(Case::new(story, ProfileName::Hardened, caught.seed).with(Some(mutant)))
    }
}

impl Hunt {
    /// The hunt for this mutant in the campaign of this number.
    pub fn new(mutant: Mutant, campaign: u64) -> Hunt {
        Hunt { mutant, base: campaign * SEEDS_OF_A_CAMPAIGN, round: 0, seeds: 0 }
    }

    /// Whether it is in this round, or before it.
    pub fn is_before(&self, round: u64) -> bool {
        self.round < round
    }

    /// Goes through one round, as long as `go_on` says yes before each seed.
    pub fn round(&mut self, ground: &HuntingGround, go_on: &mut dyn FnMut() -> bool) -> Option<Caught> {
        for story in &ground.stories {
            let seeds = if story.name == "swarm" { SWARM_SEEDS } else { 1 };
            for seed in self.round * seeds..(self.round + 1) * seeds {
                if !go_on() {
                    return None;
                }
                let case = Case::new(story, ProfileName::Hardened, self.base + seed).with(Some(self.mutant));
                self.seeds += 1;
                let outcome = run_case(&case, &mut ());
                let property = match Claim::of(&outcome.verdict) {
                    Claim::Holds => continue,
                    Claim::Violated(property) => property.id().to_owned(),
                    Claim::Asserted => "assertion".to_owned(),
                };
                return Some(Caught { property, story: story.name.clone(), seed: self.base + seed });
            }
        }
        self.round += 1;
        None
    }
}
