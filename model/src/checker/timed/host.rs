//! One host of a timed world: the real engine, the real wdmd, a device that counts, one client process, and the I/O under
//! way. Everything local to the host, and nothing else: what it reads and writes comes from outside.

use crate::world::wdmd::Wdmd;
use lease_core::Engine;
use lease_core::format::{DeltaLease, Sector};
use lease_core::numbers::{Generation, HostId, Numbers, Second, Time, Visit};
use lease_core::seam::{Input, ReadData, Slot, Task};

/// A host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct HostState {
    /// `None`: without power.
    pub(super) on: Option<Box<On>>,
    /// Writes of an earlier life that may still land.
    pub(super) ghosts: Vec<Ghost>,
    /// The largest generation under which this host joined.
    pub(super) joined: Generation,
}

/// A host that is on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct On {
    /// `None`: the daemon was killed.
    pub(super) engine: Option<Engine>,
    /// What tasks wait for, in their order.
    pub(super) wakes: Vec<(Task, Time)>,
    pub(super) wdmd: Wdmd,
    /// When the device fires; never: it does not.
    pub(super) fires: Second,
    /// I/O on delta leases under way, in the order of slots.
    pub(super) ios: Vec<Io>,
    /// What a daemon that is stopped will find.
    pub(super) inbox: Vec<Input>,
    pub(super) daemon_stopped: bool,
    pub(super) wdmd_stopped: bool,
    /// Everything stands still, the clock too.
    pub(super) paused: bool,
    /// Ticks that the clock has fallen behind and may not fall behind again.
    pub(super) lost: u8,
    pub(super) client: Client,
    /// Stamp of the newest write that reached the disk, of the life of the host id under which the client was granted
    /// what it uses. Never: it uses nothing.
    pub(super) landed: Second,
}

/// The client process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Client {
    /// It was told that it holds the resource, and uses it.
    pub(super) uses: bool,
    /// It waits for the answer to an acquire.
    pub(super) asks: bool,
    /// It was told to stop.
    pub(super) signalled: bool,
    /// The daemon that it was told by was killed.
    pub(super) orphan: bool,
}

/// A write of an earlier life.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ghost {
    pub(super) sector: Sector,
    /// How many ticks it may still take.
    pub(super) left: u64,
}

/// An I/O under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Io {
    pub(super) slot: Slot,
    pub(super) kind: IoKind,
    /// When it was issued; of reads never.
    pub(super) issued: Second,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum IoKind {
    Read {
        offset: u64,
        length: u64,
    },
    /// Sampled, and not yet seen by the daemon.
    Sampled(ReadData),
    Write(Sector),
    /// On the disk, and not yet known to the daemon.
    Landed,
    /// It will not take effect any more, which the daemon does not know yet.
    Lost,
}

impl HostState {
    pub(super) fn off() -> HostState {
        HostState { on: None, ghosts: Vec::new(), joined: Generation(0) }
    }

    pub(super) fn uses(&self) -> bool {
        self.on.as_ref().is_some_and(|on| on.client.uses && !on.paused)
    }

    /// Whether a running daemon of this host believes that it owns its host id.
    pub(super) fn believes(&self) -> bool {
        self.on.as_ref().is_some_and(|on| !on.paused && on.engine.as_ref().is_some_and(Engine::is_joined))
    }

    /// Shows every number but `joined`.
    pub(super) fn visit(&mut self, unit: u32, numbers: &mut dyn Numbers) {
        for ghost in &mut self.ghosts {
            ghost.sector.visit(numbers);
        }
        let Some(on) = &mut self.on else { return };
        for io in &mut on.ios {
            match &mut io.kind {
                IoKind::Write(sector) => sector.visit(numbers),
                IoKind::Sampled(data) => {
                    let kind = |index| lease_core::format::SectorKind::Delta(HostId(index + 1));
                    data.visit_sectors(unit, kind, numbers);
                }
                IoKind::Read { .. } | IoKind::Landed | IoKind::Lost => {}
            }
            numbers.second(&mut io.issued);
        }
        if let Some(engine) = &mut on.engine {
            engine.visit(numbers);
        }
        on.wdmd.visit(numbers);
        for (_, time) in &mut on.wakes {
            numbers.time(time);
        }
        numbers.second(&mut on.fires);
        numbers.second(&mut on.landed);
    }

    /// Shows the numbers in images of the area that were read and not looked at yet.
    pub(super) fn visit_unread(&mut self, unit: u32, numbers: &mut dyn Numbers) {
        let Some(on) = &mut self.on else { return };
        for io in &mut on.ios {
            if let IoKind::Sampled(data) = &mut io.kind {
                data.visit_sectors(unit, |index| lease_core::format::SectorKind::Delta(HostId(index + 1)), numbers);
            }
        }
        if let Some(engine) = &mut on.engine {
            engine.visit_images(numbers);
        }
    }

    /// Shows the numbers in writes that may still take effect.
    pub(super) fn visit_writes(&mut self, numbers: &mut dyn Numbers) {
        for ghost in &mut self.ghosts {
            ghost.sector.visit(numbers);
        }
        let Some(on) = &mut self.on else { return };
        for io in &mut on.ios {
            if let IoKind::Write(sector) = &mut io.kind {
                sector.visit(numbers);
            }
        }
    }

    /// Shows every generation that may still be written to the delta lease of `me`.
    pub(super) fn visit_writable(&mut self, me: HostId, unit: u32, numbers: &mut dyn Numbers) {
        self.visit_writes(numbers);
        let Some(on) = &mut self.on else { return };
        for io in &mut on.ios {
            // Whoever saw a generation writes it again, or the next.
            if let IoKind::Sampled(data) = &mut io.kind {
                let index = if data.len() == u64::from(unit) { 0 } else { me.0 - 1 };
                let (_, mut lease) = DeltaLease::peek(&data.sector_at(index, unit));
                numbers.generation(me, &mut lease.owner_generation);
            }
        }
        if let Some(engine) = &mut on.engine {
            let mut generation = engine.generation();
            if generation != Generation(0) {
                numbers.generation(me, &mut generation);
            }
        }
    }
}

impl On {
    pub(super) fn wake_of(&self, task: Task) -> Option<Time> {
        self.wakes.iter().find(|(known, _)| *known == task).map(|(_, at)| *at)
    }

    pub(super) fn set_wake(&mut self, task: Task, at: Option<Time>) {
        self.wakes.retain(|(known, _)| *known != task);
        if let Some(at) = at {
            let place = self.wakes.partition_point(|(known, _)| *known < task);
            self.wakes.insert(place, (task, at));
        }
    }
}
