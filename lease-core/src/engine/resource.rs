//! Resources as this host knows them: what is being acquired, held and released, and by whom.

use super::acquire::Won;
use super::release::Release;
use crate::Refusal;
use crate::format::{Geometry, HostBlock, Leader, ModeBlock, Name, SectorKind};
use crate::mutants::Mutant;
use crate::numbers::{Generation, HostId, Lver, Numbers, Span, Visit};
use crate::profile::Profile;
use crate::seam::{ClientId, LsId, Mode, Orphan, Place, ReadData, Terms};
use alloc::boxed::Box;
use alloc::vec::Vec;
use litemap::LiteMap;

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

/// A client's part in a hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Holder {
    pub(super) client: ClientId,
    /// When the client exits its hold stays, as an orphan.
    pub(super) persistent: bool,
}

/// On which of the daemon's lists a resource is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Resource {
    /// Being acquired by the command of a worker.
    Add,
    Held(Hold),
    /// Being released, by a worker or in the background.
    Rem,
}

/// A resource that this host holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hold {
    /// For these clients, in the order in which they came; several only in shared mode. For nobody: an orphan, or one
    /// that is being converted for a client that is gone.
    pub(super) holders: Vec<Holder>,
    pub(super) won: Box<Won>,
    /// A command is changing its mode.
    pub(super) converting: bool,
}

/// What a client leaves that lets go of a resource.
pub(super) enum Let {
    /// Other clients of this host still hold it, or a command is at work on it.
    Stays,
    /// Nobody: it is to be released.
    Last(Box<Won>),
}

/// All resources that are not free.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Resources(LiteMap<Key, Resource>);

impl Resources {
    /// "on rem → -11; on add → -16; on held → -17", and what is said of orphans (paxos-lease §7). `None`: it is free.
    pub(super) fn refuses(&self, key: &Key, terms: &Terms) -> Option<Refusal> {
        Some(match self.0.get(key)? {
            Resource::Rem => Refusal::Again,
            Resource::Add => Refusal::Busy,
            Resource::Held(hold) if hold.converting => Refusal::Busy,
            Resource::Held(hold) if hold.holders.is_empty() => Refusal::OrphanExists,
            Resource::Held(_) if terms.orphan == Orphan::Only => Refusal::NotFound,
            Resource::Held(_) => Refusal::Exists,
        })
    }

    /// Lets a client share what this host holds already, or adopt what another client left behind; neither takes I/O.
    pub(super) fn joins(&mut self, holder: Holder, key: &Key, terms: &Terms, profile: &Profile) -> Option<Lver> {
        let Some(Resource::Held(hold)) = self.0.get_mut(key) else { return None };
        let orphan = hold.holders.is_empty();
        let may = match terms.orphan {
            Orphan::Refused => !orphan && terms.mode == Mode::Shared,
            Orphan::Adopted => orphan || terms.mode == Mode::Shared,
            Orphan::Only => orphan,
        };
        let known = hold.holders.iter().any(|known| known.client == holder.client);
        if hold.converting || hold.won.mode != terms.mode || !may || known {
            return None;
        }
        if !profile.mutated(Mutant::B58) {
            hold.holders.push(holder);
        }
        Some(hold.won.lver())
    }

    pub(super) fn add(&mut self, key: Key) {
        let before = self.0.insert(key, Resource::Add);
        assert!(before.is_none(), "a resource is acquired once at a time");
    }

    pub(super) fn granted(&mut self, holder: Holder, won: Box<Won>) {
        let key = won.token.key;
        let hold = Hold { holders: alloc::vec![holder], won, converting: false };
        let before = self.0.insert(key, Resource::Held(hold));
        assert!(before == Some(Resource::Add), "only what was being acquired is granted");
    }

    pub(super) fn releasing(&mut self, key: Key) {
        let before = self.0.insert(key, Resource::Rem);
        assert!(before.is_some(), "only what is known is released");
    }

    pub(super) fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Forgets what clients left behind in a lockspace that is gone: its leases are for others to take over.
    pub(super) fn forget_orphans(&mut self, lockspace: &Name) {
        let orphan = |hold: &Hold| hold.holders.is_empty() && !hold.converting;
        self.0.retain(|(name, _), resource| {
            !(name == lockspace && matches!(resource, Resource::Held(hold) if orphan(hold)))
        });
    }

    /// What a client holds.
    pub(super) fn hold_of(&mut self, by: ClientId, key: &Key) -> Option<&mut Hold> {
        match self.0.get_mut(key) {
            Some(Resource::Held(hold)) if hold.holders.iter().any(|holder| holder.client == by) => Some(hold),
            _ => None,
        }
    }

    /// A hold that is being converted.
    pub(super) fn converting(&mut self, key: &Key) -> &mut Hold {
        match self.0.get_mut(key) {
            Some(Resource::Held(hold)) => hold,
            _ => unreachable!("what is being converted is held"),
        }
    }

    /// A client lets go of a resource. The last one takes it off the list in order to release it.
    pub(super) fn let_go(&mut self, by: ClientId, key: &Key) -> Option<Let> {
        let hold = self.hold_of(by, key)?;
        hold.holders.retain(|holder| holder.client != by);
        if !hold.holders.is_empty() || hold.converting {
            return Some(Let::Stays);
        }
        Some(Let::Last(self.take(key)))
    }

    /// Takes a held resource off the list in order to release it.
    pub(super) fn take(&mut self, key: &Key) -> Box<Won> {
        match self.0.insert(*key, Resource::Rem) {
            Some(Resource::Held(hold)) => hold.won,
            _ => unreachable!("only what is held is taken off the list"),
        }
    }

    /// A client is gone: what it held for good stays, as an orphan if nobody else holds it.
    pub(super) fn orphaned(&mut self, by: ClientId, key: &Key) -> bool {
        let Some(hold) = self.hold_of(by, key) else { return false };
        let persistent = hold.holders.iter().any(|holder| holder.client == by && holder.persistent);
        if persistent {
            hold.holders.retain(|holder| holder.client != by);
        }
        persistent
    }

    /// What is held, by whom, in the order of names.
    pub(super) fn held(&self) -> impl Iterator<Item = (ClientId, &Won)> + Clone {
        let holds = self.0.values().filter_map(|resource| match resource {
            Resource::Held(hold) => Some(hold),
            Resource::Add | Resource::Rem => None,
        });
        holds.flat_map(|hold| hold.holders.iter().map(|holder| (holder.client, hold.won.as_ref())))
    }

    /// What clients left behind for others.
    pub(super) fn orphans(&self) -> impl Iterator<Item = &Won> {
        self.0.values().filter_map(|resource| match resource {
            Resource::Held(hold) if hold.holders.is_empty() && !hold.converting => Some(hold.won.as_ref()),
            _ => None,
        })
    }

    /// Whether clients left something behind in this lockspace.
    pub(super) fn orphans_in(&self, lockspace: &Name) -> bool {
        self.orphans().any(|won| won.token.key.0 == *lockspace)
    }

    /// Everything that is being acquired, held or released.
    pub(super) fn claims(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.0.keys()
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
        self.block.visit_of(self.token.host, numbers);
    }
}

impl Visit for Resources {
    fn visit(&mut self, numbers: &mut dyn Numbers) {
        for (_, resource) in self.0.iter_mut() {
            if let Resource::Held(hold) = resource {
                hold.won.visit(numbers);
            }
        }
    }
}

impl Won {
    /// The version that is held.
    pub(super) fn lver(&self) -> Lver {
        self.leader.lver
    }

    /// The own block as a release leaves it: RELEASED, and not SHARED any more.
    pub(super) fn released_block(&self) -> HostBlock {
        HostBlock { flags: self.block.flags | HostBlock::RELEASED, mode: ModeBlock::default(), ..self.block }
    }

    /// Gives it back.
    pub(super) fn release(self, profile: &Profile) -> Release {
        let mut block = self.released_block();
        let unflagged = if self.mode == Mode::Shared { Mutant::B51b2 } else { Mutant::B51b1 };
        if profile.mutated(unflagged) {
            block.flags &= !HostBlock::RELEASED;
        }
        if profile.mutated(Mutant::B02c) {
            block.mode = self.block.mode;
        }
        if profile.mutated(Mutant::B04a) {
            block = HostBlock { flags: block.flags, ..HostBlock::default() };
        }
        let block = Some(block);
        match self.mode {
            Mode::Exclusive => {
                let dirty = self.lvb.filter(|lvb| lvb.dirty).map(|lvb| lvb.value);
                Release::new(self.token, block, Some(Box::new(self.leader))).handing_on(dirty)
            }
            // ERASE_ALL: a conversion left the leader in an unknown state.
            Mode::Shared if self.erase => Release::new(self.token, block, None),
            Mode::Shared => Release::new(self.token, block, None).of_block_alone(),
        }
    }
}
