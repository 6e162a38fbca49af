//! What a user can put right: bad arguments and bad files. One line that says where, what was expected, what was found.

use reports::image::ImageError;
use scenarios::BadScenario;
use std::fmt;

/// A user's mistake; exit status 2.
#[derive(Debug)]
pub(crate) struct Misuse(String);

impl Misuse {
    /// A mistake in one sentence. Whatever it quotes, it stays on one line.
    pub(crate) fn new(what: impl fmt::Display) -> Misuse {
        Misuse(what.to_string().lines().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BadScenario> for Misuse {
    fn from(error: BadScenario) -> Misuse {
        Misuse::new(error)
    }
}

impl From<ImageError> for Misuse {
    fn from(error: ImageError) -> Misuse {
        Misuse::new(error)
    }
}
