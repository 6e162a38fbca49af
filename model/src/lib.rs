//! The world: hosts with engine, clock, watchdog, processes and power around a shared disk; what may happen next, what
//! happens then, and what must hold whatever happens.
//!
//! It refuses to choose: there is no randomness here and no policy. An explorer (the simulator, a replay, a checker)
//! chooses an [`Action`] and a moment, the world says whether that can be and carries it out. So every explorer walks
//! through one and the same transition system.

pub mod action;
#[cfg(feature = "checker")]
pub mod checker;
pub mod clock;
pub mod happening;
pub mod history;
pub mod illegal;
pub mod instant;
pub mod limits;
pub mod notice;
pub mod setup;
mod text;
pub mod world;

pub use action::Action;
pub use clock::HostClock;
pub use happening::{Happening, Sink};
pub use illegal::{Due, Illegal};
pub use instant::Instant;
pub use limits::Limits;
pub use notice::Notice;
pub use setup::Setup;
pub use world::World;
