//! The truths that are watched, by name.

use std::fmt;

macro_rules! properties {
    ($( $name:ident $id:literal $title:literal )*) => {
        /// Something that must hold. The names are those under which reports, scenarios and traces speak of it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Property {
            $( #[doc = $title] $name, )*
        }

        impl Property {
            /// All of them.
            pub const ALL: &'static [Property] = &[ $( Property::$name, )* ];

            /// The short name: `I-EX`.
            pub const fn id(self) -> &'static str {
                match self { $( Property::$name => $id, )* }
            }

            /// What it says, in one sentence.
            pub const fn title(self) -> &'static str {
                match self { $( Property::$name => $title, )* }
            }

            /// The property with this short name.
            pub fn from_id(id: &str) -> Option<Property> {
                match id { $( $id => Some(Property::$name), )* _ => None }
            }
        }
    };
}

properties! {
    Exclusion "I-EX"
        "Of the processes that were told they hold a resource, at most one is executing at any instant, or all of them share it."
    HostId "I-HOSTID"
        "At most one running daemon believes that it owns a host id of a lockspace."
    Deadline "I-WD"
        "When 8N + W seconds have passed since a host's last durable stamp, no process of it still uses a lease of that lockspace."
    Agreement "I-AGREE"
        "For one version of a resource at most one owner and generation is ever committed, and granted versions only rise."
    Generations "I-GEN"
        "Each join of a host id has a larger generation than every join of it before."
    Durable "I-DUR"
        "Whoever is told that it holds a resource is named as its owner on disk at that moment."
    Residue "I-RESIDUE"
        "When all is quiet, nothing on disk makes a live host look like the owner of something it does not hold."
    Zombie "I-ZOMBIE"
        "A daemon that considers its lockspace lost takes no more leases in it, and one that left it writes nothing there."
    Sector "I-SECTOR"
        "A host writes one sector at a time: its own delta lease, its own block, a leader, a request or a value, and nothing else."
    Life "I-LIFE"
        "No slot is used again while its I/O is under way, and no lockspace has two renewal loops on one host."
    Progress "I-PROG"
        "Once everything is healed, every request is answered and every resource is acquired again within the stated bound."
    Calm "I-CALM"
        "Without a reason in its own environment no host is reset, loses its host id or kills its clients."
    Killing "I-KILL"
        "Every holder of a failed lockspace is signalled in time, killed in time, and nobody is admitted any more."
    Status "I-STATUS"
        "The reported states of hosts are what the rules make of the records that were read."
    Format "I-FMT"
        "Every sector that is written decodes by the format of its place, with the right names, sizes and checksum."
    Value "I-LVB"
        "What a holder reads is what the last one wrote that gave up an exclusive hold."
    Events "I-EVT"
        "An event or a request reaches exactly the host and generation that it is for."
    Index "I-INDEX"
        "What was answered as created stays in the index until somebody deletes it, and no offset is answered twice."
    Answers "I-ANS"
        "Answers are true: success means held, joined or released, and a refusal names a reason that exists."
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
