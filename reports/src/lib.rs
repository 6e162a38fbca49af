//! What a run has to say, for people and for machines.
//!
//! It refuses to run anything and to read a clock: it is given what others found.

pub mod confidence;
pub mod documents;
pub mod image;
pub mod index;
pub mod json;
pub mod junit;
pub mod ladder;
pub mod results;
pub mod searched;
pub mod seed_ladder;
pub mod status;
pub mod story;
pub mod table;
