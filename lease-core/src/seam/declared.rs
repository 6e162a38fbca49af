//! What clients declare about how they are to be ended, and administrators about what else uses a lockspace.

use super::Signal;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The program that is run to end a client's use of what it holds without ending its process: one that pauses a virtual
/// machine and releases its leases, for example.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Killpath {
    /// The program; no more than 127 bytes.
    pub program: Arc<[u8]>,
    /// Its arguments, separated by white space, a backslash before what separates nothing; no more than 127 bytes.
    pub arguments: Arc<[u8]>,
    /// The number of the client's process is its last argument.
    pub with_pid: bool,
}

impl Killpath {
    /// Most bytes of the program, and of the arguments.
    const LONGEST: usize = 127;
    /// Most words of a command, the program and the number of the process included.
    const MOST_WORDS: usize = 8;

    /// Whether it is short enough to be remembered.
    pub fn fits(&self) -> bool {
        !self.program.is_empty() && self.program.len() <= Self::LONGEST && self.arguments.len() <= Self::LONGEST
    }

    /// The command without the number of the process: what there is no room for is left out.
    pub fn words(&self) -> Vec<Vec<u8>> {
        let mut words = alloc::vec![self.program.to_vec()];
        let mut word = Vec::new();
        let mut bytes = self.arguments.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => word.extend(bytes.next()),
                byte if byte.is_ascii_whitespace() => {
                    words.extend((!word.is_empty()).then(|| core::mem::take(&mut word)))
                }
                byte => word.push(byte),
            }
        }
        words.extend((!word.is_empty()).then_some(word));
        words.truncate(Self::MOST_WORDS - usize::from(self.with_pid));
        words
    }
}

/// Which signals a client is never sent. It gets the other one in place of one, and none at all if it wants neither: then
/// only the watchdog ends its use of what it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Restricted {
    /// SIGKILL.
    pub kill: bool,
    /// SIGTERM.
    pub term: bool,
}

impl Restricted {
    /// What is sent in place of a signal.
    pub fn instead_of(self, signal: Signal) -> Option<Signal> {
        match signal {
            _ if self.kill && self.term => None,
            Signal::Kill if self.kill => Some(Signal::Term),
            Signal::Term if self.term => Some(Signal::Kill),
            signal => Some(signal),
        }
    }
}

/// What can be declared about a lockspace (daemon §2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Setting {
    /// Something else uses it: it is not given up.
    Used,
    /// Nothing else does.
    Unused,
    /// What clients left behind in it is used: it is not given up before that is adopted and released.
    UsedByOrphans,
    /// What clients left behind is used by nobody.
    UnusedByOrphans,
}

#[cfg(test)]
mod tests {
    use super::{Killpath, Restricted, Signal};
    use alloc::string::String;
    use alloc::vec::Vec;

    #[test]
    fn a_command_is_split_at_white_space_and_has_room_for_eight_words() {
        let words = |arguments: &str, with_pid: bool| {
            let killpath = Killpath { program: b"/p"[..].into(), arguments: arguments.as_bytes().into(), with_pid };
            assert!(killpath.fits());
            let words = killpath.words().into_iter().map(|word| String::from_utf8(word).expect("text"));
            words.collect::<Vec<_>>().join("|")
        };
        assert_eq!(words("", true), "/p");
        assert_eq!(words(r" a  b\ c\\ ", false), r"/p|a|b c\");
        assert_eq!(words("1 2 3 4 5 6 7 8", false), "/p|1|2|3|4|5|6|7");
        assert_eq!(words("1 2 3 4 5 6 7 8", true), "/p|1|2|3|4|5|6");
    }

    #[test]
    fn a_command_that_is_too_long_is_none() {
        let long = Killpath { program: b"/p"[..].into(), arguments: [b'a'; 128].into(), with_pid: false };
        assert!(!long.fits() && !Killpath { program: b""[..].into(), ..long }.fits());
    }

    #[test]
    fn one_signal_stands_in_for_the_other() {
        let (kill, term) = (Signal::Kill, Signal::Term);
        let sent = |kill, term| [Signal::Kill, Signal::Term].map(|it| Restricted { kill, term }.instead_of(it));
        assert_eq!(sent(false, false), [Some(kill), Some(term)]);
        assert_eq!(sent(true, false), [Some(term), Some(term)]);
        assert_eq!(sent(false, true), [Some(kill), Some(kill)]);
        assert_eq!(sent(true, true), [None, None]);
    }
}
