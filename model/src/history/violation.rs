//! What is said when a truth does not hold.

use super::property::Property;
use crate::instant::Instant;
use crate::setup::Host;
use std::fmt;

/// A truth that did not hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Violation {
    /// Which truth.
    pub property: Property,
    /// When it ceased to hold.
    pub at: Instant,
    /// What happened, in one sentence.
    pub what: String,
    /// The hosts it is about.
    pub hosts: Vec<Host>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.property, self.at, self.what)
    }
}

/// What each checker answers. Boxed, so that the good news, which is asked for a dozen times a happening, fits a register.
pub(super) type Verdict = Result<(), Box<Violation>>;

/// The verdict that `property` does not hold.
pub(super) fn violated(property: Property, at: Instant, hosts: &[Host], what: String) -> Verdict {
    Err(Box::new(Violation { property, at, what, hosts: hosts.to_vec() }))
}
