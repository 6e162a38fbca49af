//! Small worlds, decided.
use super::{Ballots, Row};
use crate::checker::plan::{BallotPlan, Reductions};
use crate::checker::Space;
