//! Stories for the world: scenario files, the faults and the dice of a run, and the simulator that walks one path
//! through the world for each seed.
//!
//! It refuses to know what a lease is: what can happen, and what must hold, is the model's. Here it is only decided what
//! *does* happen, and when. A seed decides all of it; there is no other chance in here, and no time.
//!
//! ```
//! use scenarios::{ProfileName, Scenario, simulate};
//!
//! let scenario = Scenario::named("power-loss").expect("it is in the catalogue");
//! let outcome = simulate(&scenario, ProfileName::Hardened, 1, &mut ());
//! assert!(outcome.verdict.holds(), "{}", outcome.verdict);
//! ```

mod agenda;
mod bisect;
mod calls;
mod campaign;
mod capability;
mod case;
mod catalogue;
mod check;
mod clients;
mod decisions;
mod deeds;
mod dice;
mod digest;
mod fates;
mod faults;
mod killpath;
mod known;
#[cfg(feature = "mutants")]
mod mutants;
mod panics;
mod parse;
mod quiet;
mod reader;
mod replay;
mod scenario;
mod seed_ladder;
mod shrink;
mod simulate;
pub mod status;
mod strikes;
mod trace;

pub use bisect::{Parting, Turn, Watch, parting};
pub use campaign::{Campaign, SAMPLED_ONE_IN, Summary, Unrepeatable, run_campaign};
pub use capability::Capability;
pub use case::Case;
pub use catalogue::{catalogue, worlds};
pub use check::{Bounds, CheckPlan, End, Followed, Ladder, Rung, follow, follow_to, until_safe};
pub use clients::Program;
pub use decisions::{Decisions, UnknownDecision};
pub use deeds::{AdminDeed, ClientDeed};
pub use dice::{Dice, Range};
pub use digest::Digest;
pub use faults::{Fault, FaultPlan, FaultWish, Fired, Mix, PerFault, PlannedFault, Trigger};
pub use known::KNOWN_BUGS;
#[cfg(feature = "mutants")]
pub use mutants::{Caught, Hunt, HuntingGround};
pub use panics::all_quietly;
pub use quiet::{quiet, quiet_4k, quiet_scenario, stormy_scenario};
pub use reader::BadScenario;
pub use replay::{Difference, Replayed, replay, replay_and_record, replay_strictly, world_at};
pub use scenario::{
    Anchor, Area, Deed, Expected, HostPlan, IoFate, LockspacePlan, Moment, ProfileName, ResourcePlan, RunPlan,
    Scenario, ScriptedEvent, Signed, Style, Workload,
};
pub use seed_ladder::{SeedBounds, SeedLadder, SeedRung, until_safe_by_seeds};
pub use shrink::{NotShrinkable, Shrunk, is_minimal, shrink};
pub use simulate::{Outcome, Verdict, run_case, simulate};
pub use trace::{BadTrace, Claim, Line, Mark, Trace, limits_text, record, record_with};
