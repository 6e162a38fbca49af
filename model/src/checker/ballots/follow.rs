//! Paths in the simulator's world.
use super::{Ballots, Move, Row};
use crate::checker::Lost;
use crate::happening::Sink;
use crate::world::World;

impl Ballots {
    pub(super) fn walk<S: Sink>(&self, _s: &Row, _p: &[Move], _w: &mut World, _k: &mut S) -> Result<(), Lost> {
        Err(Lost { step: 0, why: String::new() })
    }
}
