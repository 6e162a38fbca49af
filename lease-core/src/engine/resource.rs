//! Resources as this host knows them: what is being acquired, held and released, and by whom.

use super::acquire::Won;
use crate::Refusal;
use crate::format::{Geometry, HostBlock, Leader, Name, SectorKind};
use crate::numbers::{Generation, HostId, Lver, Numbers, Span, Visit};
use crate::seam::{ClientId, LsId, Place, ReadData};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Lockspace name and resource name: what a resource is looked up by.
pub(super) type Key = (Name, Name);

/// One host instance's claim to one resource. Host id and generation are those of the moment when the command started.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Token {
    pub(super) key: Key,
    pub(super) lockspace: LsId,
    pub(super) place: Place,
    /// Geometry of the resource's area.
    pub(super) geometry: Geometry,
    pub(super) host: HostId,
    pub(super) generation: Generation,
    /// io_timeout of the lockspace, in seconds.
    pub(super) io_timeout: u64,
}

impl Token {
    pub(super) fn sector(&self) -> u64 {
        u64::from(self.geometry.sector())
    }

    pub(super) fn block_offset(&self) -> u64 {
        self.place.offset + self.geometry.block_offset(self.host)
    }

    pub(super) fn block_kind(&self) -> SectorKind {
        SectorKind::HostBlock(self.host)
    }

    pub(super) fn timeout(&self) -> Span {
        Span::from_secs(self.io_timeout)
    }

    /// The leader record at the start of `data`, verified.
    pub(super) fn read_leader(&self, data: &ReadData) -> Result<Leader, Refusal> {
        Leader::read(&data.sector_at(0, self.geometry.sector()), &self.key.0, &self.key.1, self.host)
    }
}

/// On which of the daemon's lists a resource is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Resource {
    /// Being acquired by the command of a worker.
    Add,
    /// Held by a client.
    Held { client: ClientId, won: Box<Won> },
    /// Being released, by a worker or in the background.
    Rem,
}

/// All resources that are not free.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Resources(BTreeMap<Key, Resource>);

impl Resources {
    /// "on rem → -11; on add → -16; on held → -17" (paxos-lease §7).
    pub(super) fn refuses(&self, key: &Key) -> Option<Refusal> {
        Some(match self.0.get(key)? {
            Resource::Rem => Refusal::Again,
            Resource::Add => Refusal::Busy,
            Resource::Held { .. } => Refusal::Exists,
        })
    }

    pub(super) fn add(&mut self, key: Key) {
        let before = self.0.insert(key, Resource::Add);
        assert!(before.is_none(), "a resource is acquired once at a time");
    }

    pub(super) fn granted(&mut self, client: ClientId, won: Box<Won>) {
        let before = self.0.insert(won.token.key, Resource::Held { client, won });
        assert!(before == Some(Resource::Add), "only what was being acquired is granted");
    }

    pub(super) fn releasing(&mut self, key: Key) {
        let before = self.0.insert(key, Resource::Rem);
        assert!(before.is_some(), "only what is known is released");
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Takes a held resource of a client off the list in order to release it.
    pub(super) fn take_held(&mut self, by: ClientId, key: &Key) -> Option<Box<Won>> {
        match self.0.get(key) {
            Some(Resource::Held { client, .. }) if *client == by => {}
            _ => return None,
        }
        match self.0.insert(*key, Resource::Rem) {
            Some(Resource::Held { won, .. }) => Some(won),
            _ => unreachable!("it was held a moment ago"),
        }
    }

    /// What is held, by whom, in the order of names.
    pub(super) fn held(&self) -> impl Iterator<Item = (ClientId, &Won)> + Clone {
        self.0.values().filter_map(|resource| match resource {
            Resource::Held { client, won } => Some((*client, won.as_ref())),
            Resource::Add | Resource::Rem => None,
        })
    }

    /// Whether any resource of this lockspace is being acquired, held or released.
    pub(super) fn any_of(&self, lockspace: &Name) -> bool {
        self.0.keys().any(|(name, _)| name == lockspace)
    }
}

impl Visit for Token {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        numbers.generation(self.host, &mut self.generation);
    }
}

impl Visit for Won {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        self.token.visit(numbers);
        self.leader.visit(numbers);
        self.block.visit(numbers);
    }
}

impl Visit for Resources {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for resource in self.0.values_mut() {
            if let Resource::Held { won, .. } = resource {
                won.visit(numbers);
            }
        }
    }
}

impl Won {
    /// The version that is held.
    pub(super) fn lver(&self) -> Lver {
        self.leader.lver
    }

    /// The own block as a release leaves it.
    pub(super) fn released_block(&self) -> HostBlock {
        HostBlock { flags: self.block.flags | HostBlock::RELEASED, ..self.block }
    }
}
