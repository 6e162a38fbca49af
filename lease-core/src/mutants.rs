//! Mutants: engines and hosts with one mistake each, put in on purpose in order to measure whether it is found.
//!
//! Each is a mistake that lease managers really made. The table below says what is broken, and which property is
//! expected to fail first. A mistake stands in one place, as `if profile.mutated(Mutant::B04a) { ... }`; without the
//! feature `mutants` that is never true and costs nothing.
//!
//! The base of a mutant is the hardened profile, for there everything else is right.

/// Where a mistake is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// In the engine.
    Engine,
    /// Around the engine: in the watchdog daemon, its device, or the way of signals.
    Host,
    /// Nowhere yet: what it would break does not exist here. The text names it.
    Missing(&'static str),
}

macro_rules! mutants {
    ($( $name:ident $change:literal $expected:literal $place:expr; )*) => {
        /// One mistake.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Mutant {
            $( #[doc = $change] $name, )*
        }

        impl Mutant {
            /// All of them, the two that grant everything and fence nothing last.
            pub const ALL: &'static [Mutant] = &[ $( Mutant::$name, )* ];

            /// What it is called on the command line and in traces.
            pub const fn name(self) -> &'static str {
                match self { $( Mutant::$name => stringify!($name), )* }
            }

            /// What is broken.
            pub const fn change(self) -> &'static str {
                match self { $( Mutant::$name => $change, )* }
            }

            /// The property that is expected to fail first.
            pub const fn expected(self) -> &'static str {
                match self { $( Mutant::$name => $expected, )* }
            }

            /// Where the mistake is.
            pub const fn place(self) -> Place {
                match self { $( Mutant::$name => $place, )* }
            }
        }
    };
}

mutants! {
    B01a "a finished ballot counts as our own, whoever's value it chose" "I-EX" Place::Engine;
    B01b "a chosen value is our own if it names our host id, whatever its generation" "I-EX" Place::Engine;
    B51a "RELEASED in the owner's block is not looked at where another host wrote the leader" "I-PROG" Place::Engine;
    B51b1 "the release of an exclusive lease leaves the own block without RELEASED" "I-RESIDUE" Place::Engine;
    B51b2 "the release of a shared lease leaves the own block without RELEASED" "I-RESIDUE" Place::Engine;
    B51b3 "undoing a shared acquire leaves the own block without RELEASED" "I-RESIDUE" Place::Engine;
    B51b4 "the retreat of a failed acquire leaves the own block without RELEASED" "I-RESIDUE" Place::Engine;
    B51b5 "a release in the background leaves the own block without RELEASED" "I-RESIDUE" Place::Engine;
    B51d "the block of a new ballot says RELEASED from an earlier one" "I-EX" Place::Engine;
    B03a "writing the mode block zeroes the votes in its sector" "I-AGREE" Place::Engine;
    B03b "the same, but only where an exclusive lease becomes shared" "I-AGREE" Place::Engine;
    B04a "a release zeroes the votes in its block" "I-AGREE" Place::Engine;
    B04b "a release writes the leader even if another host wrote it last" "I-AGREE" Place::Engine;
    B04c "RELEASED is written after the leader was set free" "I-RESIDUE" Place::Engine;
    B02a "a release writes a sector of zeros, the mode block with it" "I-EX" Place::Engine;
    B02b "ballots of a convert to exclusive do not carry SHARED along" "I-EX" Place::Engine;
    B02c "that SHARED is to be carried along is never forgotten" "I-PROG" Place::Engine;
    B12 "a renewal does not verify the record that it replaces" "I-HOSTID" Place::Engine;
    B13 "the age of a lockspace counts from the last attempt to renew it" "I-WD" Place::Engine;
    B06 "the age of an owner is the local clock less the stamp on disk" "I-EX" Place::Engine;
    B07a "the wait for a dead owner is measured with the wall clock" "I-EX" Place::Engine;
    B07b "the own age is measured with the wall clock" "I-WD" Place::Engine;
    B07c "the watchdog daemon measures expiries with the wall clock" "I-WD" Place::Host;
    B15 "a connection that fails counts as the end of its client" "I-EX" Place::Engine;
    B38a "an acquire is granted without a look whether its lockspace still lives" "I-KILL" Place::Engine;
    B38b "an acquire is granted without a look whether its client still lives" "I-RESIDUE" Place::Engine;
    B26a "ballot numbers of different hosts may be equal" "I-AGREE" Place::Engine;
    B26b "the leader is not read again before the next ballot" "I-AGREE" Place::Engine;
    B26c1 "the committed leader names our own host id instead of the ballot's" "I-AGREE" Place::Engine;
    B26c2 "the committed leader names our own generation instead of the ballot's" "I-AGREE" Place::Engine;
    B26c3 "the committed leader carries our own stamp instead of the ballot's" "I-FMT" Place::Engine;
    B26c4 "the committed leader carries the version after the one found instead of the ballot's" "I-AGREE" Place::Engine;
    B26d "our own value, committed by another host, counts as the lease of another" "I-RESIDUE" Place::Engine;
    B26e "blocks of lower versions take part in a ballot" "I-AGREE" Place::Engine;
    B26f1 "phase 1 does not stop for a higher ballot number" "I-AGREE" Place::Engine;
    B26f2 "phase 2 does not stop for a higher ballot number" "I-AGREE" Place::Engine;
    B26g "phase 1 carries on the first vote that it finds, not that of the highest ballot" "I-AGREE" Place::Engine;
    B26h "phase 1 reads the blocks before its own is on disk" "I-AGREE" Place::Engine;
    B27a "a ballot goes on although the leader has come to a later version" "I-AGREE" Place::Engine;
    B27b "a ballot goes on although the leader has changed" "I-AGREE" Place::Engine;
    B29a "phase 1 does not look at the checksums of blocks" "I-AGREE" Place::Engine;
    B29b "phase 2 does not look at the checksums of blocks" "I-AGREE" Place::Engine;
    B32 "the end of an I/O that was given up counts as the end of the one under way" "I-DUR" Place::Engine;
    B33 "a host id is set free while a renewal is still under way" "I-RESIDUE" Place::Engine;
    B34 "an acquire goes on with the lockspace's sizes where the leader tells others" "I-EX" Place::Engine;
    B17 "the watchdog daemon keeps the device open and only stops feeding it" "I-WD" Place::Host;
    B18 "the watchdog daemon closes the device, and so pings it, at the expiry instead of one test earlier" "I-WD" Place::Host;
    B21 "the watchdog daemon forgets the expiry of a client whose connection breaks" "I-WD" Place::Host;
    B22 "a watchdog device that fires only after twice its time is taken into service" "I-WD" Place::Host;
    B37a "the last client of a failing lockspace is not signalled" "I-KILL" Place::Engine;
    B37b "SIGTERM is never followed by SIGKILL" "I-KILL" Place::Engine;
    B37c "acquires are admitted while the users of a lockspace are being killed" "I-KILL" Place::Engine;
    B45a "a lockspace is left while resources of it are in use" "I-EX" Place::Engine;
    B46 "what a client holds is told without its version" "I-ANS" Place::Engine;
    B47 "SIGKILL comes after a number of signals instead of after a time" "I-KILL" Place::Engine;
    B56a "a shared acquire does not try again when another holds the lease for a moment" "I-PROG" Place::Engine;
    B56b "a shared acquire whose mode block fails is not undone" "I-RESIDUE" Place::Engine;
    B58 "the second shared user of a host is told that it holds the lease, and is not written down" "I-RESIDUE" Place::Engine;
    B61 "a join that waits for a held host id does not hear that it is to stop" "I-PROG" Place::Engine;
    B62 "leaving a lockspace waits for I/O that never ends" "I-PROG" Place::Engine;
    B64a "an owner that the table calls dead is believed dead without another look" "I-EX" Place::Engine;
    B64b "the wait for an owner counts what was seen of an earlier life" "I-EX" Place::Engine;
    B66 "a renewal feeds the watchdog of a lockspace that is being left" "I-CALM" Place::Engine;
    B69a "a late read of a renewal is thrown away" "I-CALM" Place::Engine;
    B69b "a late read of a renewal is used however old it is" "I-HOSTID" Place::Engine;
    B70 "SIGKILL comes after a number of looks instead of after a time" "I-KILL" Place::Engine;
    B71a "a record that belongs to somebody else is only read again" "I-HOSTID" Place::Engine;
    B71b "a record must be the last one written, even after a renewal of unknown outcome" "I-CALM" Place::Engine;
    B74 "the bit of a host in an event bitmap is the one of its neighbour" "I-EVT" Place::Engine;
    B76 "checksums are computed before the bytes are put in order" "I-FMT" Place::Engine;
    B78 "an interrupted request counts as refused" "I-RESIDUE" Place::Host;
    L14 "other hosts are assumed to have our own watchdog timeout" "I-EX" Place::Engine;
    L15 "a join that is given up after its write leaves the host id owned" "I-RESIDUE" Place::Engine;
    Null1 "every acquire is granted at once" "I-EX" Place::Engine;
    Null2 "no process is ever killed and no watchdog ever fires" "I-WD" Place::Host;
}

impl Mutant {
    /// The mutant of this name.
    pub fn from_name(name: &str) -> Option<Mutant> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.name().eq_ignore_ascii_case(name))
    }

    /// Whether what it breaks exists.
    pub const fn is_built(self) -> bool {
        !matches!(self.place(), Place::Missing(_))
    }

    /// Why it is not caught, as far as that is known: what is missing, or why it makes no difference. Empty: nothing is
    /// known that would excuse it.
    pub const fn why_not(self) -> &'static str {
        match self.place() {
            Place::Missing(what) => what,
            Place::Engine | Place::Host => match self {
                Mutant::B26f1 => {
                    "Equivalent: no ballot of it decides anything that the engine without it would not decide. A higher number in \
                     another's block never goes away again within its version, so phase 2, which does stop for it, never \
                     ends; all that is new is a vote that will not be decided in its own ballot. Its value is that of the \
                     highest ballot read. That was safe at its own number and so is at any lower one (nothing else was \
                     chosen below), and where no vote was read, whoever votes below this ballot reads its number in his \
                     phase 2 and stops. An acquire that is outbid takes two I/Os longer to hear of it."
                }
                Mutant::B27b => {
                    "Equivalent under hardened: a ballot for version v is begun once v - 1 is decided and its owner's time is \
                     over, and both are true for ever; so it is safe whatever the leader says since. A leader of version \
                     v or later is noticed by its number (B27a). Of an older one the ballot takes over names and sizes, \
                     which are the same in every leader of the resource, and num_hosts, which any second committer of one \
                     version may set back in either engine."
                }
                _ => "",
            },
        }
    }

    /// Whether the worlds that are decided completely have what it breaks. They have no wall clock, no fire time but the
    /// exact one, no watchdog that outlives its lockspace, no messages that are cut short, and nobody to signal in vain.
    pub const fn is_in_small_worlds(self) -> bool {
        use Mutant::{B07a, B07b, B07c, B22, B66, B78, Null2};
        !matches!(self, B07a | B07b | B07c | B22 | B66 | B78 | Null2)
    }

    /// Whether it only tests that the search looks at all: an engine without any rule must be found.
    pub const fn is_null(self) -> bool {
        matches!(self, Mutant::Null1 | Mutant::Null2)
    }
}

#[cfg(test)]
mod tests {
    use super::Mutant;

    #[test]
    fn names_lead_back_to_their_mutants() {
        for mutant in Mutant::ALL {
            assert_eq!(Mutant::from_name(mutant.name()), Some(*mutant));
        }
        assert_eq!(Mutant::from_name("B99"), None);
        assert_eq!(Mutant::ALL.iter().filter(|mutant| !mutant.is_null()).count(), 73);
    }
}
