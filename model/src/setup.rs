//! What a world is built from: disks with their areas, and hosts. Plain values; a scenario file is read into one.

use crate::limits::Limits;
use lease_core::format::{Geometry, Name, RINDEX_LEASE, SectorKind};
use lease_core::mutants::Mutant;
use lease_core::numbers::{HostId, Time};
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{DiskId, Place};

/// Index of a host in [`Setup::hosts`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Host(pub u8);

/// A client process of a host; its connection is the [`lease_core::seam::ClientId`] of the same number. The index is
/// reused after the process ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Process(pub u8);

/// Index of a lockspace in [`Setup::lockspaces`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LockspaceIx(pub u8);

/// Index of a resource in [`Setup::resources`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceIx(pub u8);

/// A world before anything happened: everything off, the areas formatted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// The shared disks. [`DiskId`] is the index.
    pub disks: Vec<DiskSetup>,
    /// The lockspaces.
    pub lockspaces: Vec<LockspaceSetup>,
    /// The resources.
    pub resources: Vec<ResourceSetup>,
    /// The resource indices. The private lease of each is one of the resources.
    pub indices: Vec<IndexSetup>,
    /// The hosts.
    pub hosts: Vec<HostSetup>,
}

/// A shared disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskSetup {
    /// Bytes per sector: 512 or 4096.
    pub sector_size: u32,
    /// Number of sectors.
    pub sectors: u64,
}

/// A lockspace area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockspaceSetup {
    /// Its name.
    pub name: Name,
    /// Where it lies.
    pub place: Place,
    /// Sector and area size.
    pub geometry: Geometry,
    /// The io_timeout that it is formatted with, in seconds.
    pub io_timeout: u16,
}

/// A resource area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceSetup {
    /// Its lockspace.
    pub lockspace: LockspaceIx,
    /// Its name.
    pub name: Name,
    /// Where it lies.
    pub place: Place,
    /// Sector and area size.
    pub geometry: Geometry,
    /// How many hosts take part; 0: as many as the area has room for.
    pub num_hosts: u64,
}

/// A resource index, with the areas that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexSetup {
    /// Its lockspace.
    pub lockspace: LockspaceIx,
    /// Where it begins: the index, its private lease, then the areas of its resources.
    pub place: Place,
    /// Sector and area size.
    pub geometry: Geometry,
    /// How many resources it has room for.
    pub max_resources: u32,
}

impl IndexSetup {
    /// Bytes from the start of the index to the end of the last area.
    pub fn length(&self) -> u64 {
        (2 + u64::from(self.max_resources)) * self.geometry.align()
    }

    /// The private lease, as a resource.
    pub fn lease(&self) -> ResourceSetup {
        ResourceSetup {
            lockspace: self.lockspace,
            name: Name::from_text(RINDEX_LEASE).expect("is short"),
            place: Place { offset: self.place.offset + self.geometry.align(), ..self.place },
            geometry: self.geometry,
            num_hosts: 0,
        }
    }
}

/// A host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostSetup {
    /// What it is called in scenarios and traces, a short word: `A`.
    pub label: String,
    /// Its engine's configuration.
    pub config: Config,
    /// The decisions of wdmd on it.
    pub wdmd: WdmdProfile,
    /// Seconds between two tests of wdmd (10).
    pub test_interval: u64,
    /// The watchdog device.
    pub device: Device,
    /// Its host id and io_timeout in each lockspace that it joins.
    pub memberships: Vec<Membership>,
    /// What its CLOCK_MONOTONIC shows whenever the host boots: it starts anew, as a real one does.
    pub clock: Time,
    /// How much faster than true time its clock runs, in parts per million.
    pub drift_ppm: i32,
}

/// A host's part in a lockspace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The lockspace.
    pub lockspace: LockspaceIx,
    /// The host id that it uses there.
    pub host_id: HostId,
    /// Its io_timeout there, in seconds.
    pub io_timeout: u32,
}

/// The decisions of a host's wdmd, beside the engine's [`lease_core::profile::Profile`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WdmdProfile {
    /// What does a failing test do when it comes too late for its close to be harmless? (safety-argument W6)
    pub late_close: LateClose,
    /// A mistake put in on purpose.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

/// See [`WdmdProfile::late_close`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LateClose {
    /// It closes the device all the same, which pings it once more.
    Pings,
    /// It leaves the device open without pinging, so that the ping before the stall counts.
    Silent,
}

impl WdmdProfile {
    /// What wdmd 3.8.5 does.
    pub const SANLOCK_3_8_5: WdmdProfile = WdmdProfile {
        late_close: LateClose::Pings,
        #[cfg(feature = "mutants")]
        mutant: None,
    };
    /// The safe decision at each point.
    pub const HARDENED: WdmdProfile = WdmdProfile {
        late_close: LateClose::Silent,
        #[cfg(feature = "mutants")]
        mutant: None,
    };

    /// This profile with another decision about late closes.
    pub fn closing_late(mut self, late_close: LateClose) -> WdmdProfile {
        self.late_close = late_close;
        self
    }

    /// Whether this mistake was put in. Never, without the feature `mutants`.
    pub const fn mutated(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        {
            matches!(self.mutant, Some(put_in) if put_in as u8 == mutant as u8)
        }
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

impl HostSetup {
    /// Puts a mistake into the host, wherever it belongs.
    #[cfg(feature = "mutants")]
    pub fn mutate(&mut self, mutant: Mutant) {
        self.config.profile.mutant = Some(mutant);
        self.wdmd.mutant = Some(mutant);
    }
}

/// What the watchdog device of a host does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Device {
    /// Resets the host exactly `watchdog_fire_timeout` seconds after the last ping.
    Exact,
    /// Resets it only after `percent` per cent of that (200: a device with two stages).
    Late {
        /// Per cent of the programmed time.
        percent: u32,
    },
    /// Never resets: no device, or one that does not work.
    Broken,
    /// Stops counting while its host is paused: an emulated device of a paused virtual machine.
    FrozenWithHost,
}

impl Setup {
    /// The sector ranges that have a meaning, found by disk and byte offset.
    pub fn lockspace_at(&self, disk: DiskId, offset: u64) -> Option<LockspaceIx> {
        let found = self.lockspaces.iter().position(|area| {
            area.place.disk == disk && (area.place.offset..area.place.offset + area.geometry.align()).contains(&offset)
        })?;
        Some(LockspaceIx(found as u8))
    }

    /// The resource whose area contains this byte of this disk.
    pub fn resource_at(&self, disk: DiskId, offset: u64) -> Option<ResourceIx> {
        let found = self.resources.iter().position(|area| {
            area.place.disk == disk && (area.place.offset..area.place.offset + area.geometry.align()).contains(&offset)
        })?;
        Some(ResourceIx(found as u8))
    }

    /// How many resources clients ask for: those before the private leases of the indices.
    pub fn leases(&self) -> usize {
        self.resources.len() - self.indices.len()
    }

    /// The index that this byte of this disk belongs to: the index itself, or an area behind it.
    pub fn index_at(&self, disk: DiskId, offset: u64) -> Option<&IndexSetup> {
        self.indices.iter().find(|index| {
            index.place.disk == disk && (index.place.offset..index.place.offset + index.length()).contains(&offset)
        })
    }
}

/// What lies somewhere on a disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// A lockspace.
    Lockspace(LockspaceIx),
    /// A resource.
    Resource(ResourceIx),
}

impl Setup {
    /// The area that a byte of a disk belongs to, and what the record there is meant to hold.
    pub fn record_at(&self, disk: DiskId, offset: u64) -> Option<(Area, SectorKind)> {
        if let Some(ix) = self.lockspace_at(disk, offset) {
            let space = &self.lockspaces[usize::from(ix.0)];
            let index = (offset - space.place.offset) / u64::from(space.geometry.sector());
            let kind = match index < space.geometry.max_hosts() {
                true => SectorKind::Delta(HostId(index + 1)),
                false => SectorKind::Unused,
            };
            return Some((Area::Lockspace(ix), kind));
        }
        let ix = self.resource_at(disk, offset)?;
        let resource = &self.resources[usize::from(ix.0)];
        let within = offset - resource.place.offset;
        let kind = match within / u64::from(resource.geometry.sector()) {
            0 => SectorKind::Leader,
            1 => SectorKind::Request,
            index if index < resource.geometry.max_hosts() + 2 => SectorKind::HostBlock(HostId(index - 1)),
            _ if within == resource.geometry.lvb_offset() => SectorKind::Lvb,
            _ => SectorKind::Unused,
        };
        Some((Area::Resource(ix), kind))
    }

    /// The lockspace of this name.
    pub fn lockspace_named(&self, name: &Name) -> Option<LockspaceIx> {
        let found = self.lockspaces.iter().position(|space| space.name.same(name))?;
        Some(LockspaceIx(found as u8))
    }

    /// The resource of these names.
    pub fn resource_named(&self, lockspace: &Name, name: &Name) -> Option<ResourceIx> {
        let found = self.resources.iter().position(|resource| {
            resource.name.same(name) && self.lockspaces[usize::from(resource.lockspace.0)].name.same(lockspace)
        })?;
        Some(ResourceIx(found as u8))
    }

    /// The host of this label.
    pub fn host_labelled(&self, label: &str) -> Option<Host> {
        let found = self.hosts.iter().position(|host| host.label == label)?;
        Some(Host(found as u8))
    }

    /// The longest io_timeout of any host, in seconds.
    pub fn longest_io_timeout(&self) -> u64 {
        let timeouts = self.hosts.iter().flat_map(|host| &host.memberships).map(|member| member.io_timeout);
        let usual = |timeout| if timeout == 0 { 10 } else { u64::from(timeout) };
        timeouts.map(usual).max().unwrap_or(10)
    }

    /// What a host is called.
    pub fn label(&self, host: Host) -> &str {
        &self.hosts[usize::from(host.0)].label
    }

    /// Whether a world can be built from this within these limits.
    ///
    /// # Errors
    ///
    /// If not, one sentence: what was expected where, and what was found.
    pub fn check(&self, limits: &Limits) -> Result<(), String> {
        let count = |what: &str, found: usize, most: usize| match found <= most {
            true => Ok(()),
            false => Err(format!("expected at most {most} {what}, found {found}")),
        };
        count("disks", self.disks.len(), 16)?;
        count("lockspaces", self.lockspaces.len(), 200)?;
        count("resources", self.resources.len(), 200)?;
        count("hosts", self.hosts.len(), 200)?;
        for (index, disk) in self.disks.iter().enumerate() {
            if (disk.sector_size != 512 && disk.sector_size != 4096) || disk.sectors == 0 {
                return Err(format!("disk {index}: expected some sectors of 512 or 4096 bytes, found {disk:?}"));
            }
        }
        let mut areas: Vec<(DiskId, u64, u64, String)> = Vec::new();
        let spaces = self.lockspaces.iter().map(|space| (space.place, space.geometry, &space.name));
        let resources = self.resources.iter().map(|resource| (resource.place, resource.geometry, &resource.name));
        for (place, geometry, name) in spaces.chain(resources) {
            let Some(disk) = self.disks.get(usize::from(place.disk.0)) else {
                return Err(format!("area {name}: expected one of {} disks, found {}", self.disks.len(), place.disk.0));
            };
            let size = u64::from(disk.sector_size);
            let end = place.offset.checked_add(geometry.align());
            let Some(end) = end.filter(|end| *end <= disk.sectors * size && place.offset % size == 0) else {
                let size = disk.sectors * size;
                return Err(format!("area {name}: expected it to lie on a disk of {size} bytes, found {place:?}"));
            };
            if geometry.sector() < disk.sector_size {
                return Err(format!("area {name}: expected sectors of {size} bytes, found {}", geometry.sector()));
            }
            let overlaps =
                |other: &&(DiskId, u64, u64, String)| other.0 == place.disk && other.1 < end && place.offset < other.2;
            if let Some(other) = areas.iter().find(overlaps) {
                return Err(format!("area {name}: expected a place of its own, found it to overlap {}", other.3));
            }
            areas.push((place.disk, place.offset, end, name.to_string()));
        }
        for index in &self.indices {
            let size = self
                .disks
                .get(usize::from(index.place.disk.0))
                .map_or(0, |disk| disk.sectors * u64::from(disk.sector_size));
            let fits = index.place.offset.checked_add(index.length()).is_some_and(|end| end <= size);
            if !fits || usize::from(index.lockspace.0) >= self.lockspaces.len() {
                return Err(format!(
                    "index: expected it to lie in a lockspace on a disk of {size} bytes, found {index:?}"
                ));
            }
        }
        let leases = self.indices.iter().map(IndexSetup::lease);
        if self.resources.len() < self.indices.len() || !self.resources[self.leases()..].iter().cloned().eq(leases) {
            return Err("indices: expected their private leases as the last of the resources, found others".to_owned());
        }
        for resource in &self.resources {
            if usize::from(resource.lockspace.0) >= self.lockspaces.len() {
                return Err(format!(
                    "resource {}: expected a lockspace, found {:?}",
                    resource.name, resource.lockspace
                ));
            }
        }
        for (index, host) in self.hosts.iter().enumerate() {
            self.check_host(index, host, limits)?;
        }
        Ok(())
    }

    fn check_host(&self, index: usize, host: &HostSetup, limits: &Limits) -> Result<(), String> {
        let label = &host.label;
        let word = label.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '-');
        let disk = label.strip_prefix('d').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        if label.is_empty() || !word || disk {
            return Err(format!(
                "host {index}: expected a word other than d0, d1, ... as its label, found \"{label}\""
            ));
        }
        if self.hosts[..index].iter().any(|other| other.label == *label) {
            return Err(format!("host {index}: expected a label of its own, found \"{label}\" again"));
        }
        if host.test_interval == 0 {
            return Err(format!("host {label}: expected a test interval of 1 s or more, found 0"));
        }
        if host.clock.micros() == 0 {
            return Err(format!("host {label}: expected a clock later than 0, for 0 stands for \"never\""));
        }
        if host.drift_ppm.abs() > MOST_DRIFT_BEYOND {
            return Err(format!(
                "host {label}: expected a drift within ±{MOST_DRIFT_BEYOND} ppm, found {}",
                host.drift_ppm
            ));
        }
        for membership in &host.memberships {
            if usize::from(membership.lockspace.0) >= self.lockspaces.len() || membership.host_id == HostId::NONE {
                return Err(format!("host {label}: expected a lockspace and a host id, found {membership:?}"));
            }
        }
        if limits.within_tolerance {
            let beyond = |what: &str| Err(format!("host {label}: {what} is beyond the tolerance"));
            match host.device {
                Device::Exact => {}
                Device::Late { .. } => return beyond("a late watchdog device"),
                Device::Broken => return beyond("a broken watchdog device"),
                Device::FrozenWithHost => return beyond("a watchdog device that stops with its host"),
            }
            if !host.config.parameters.use_watchdog {
                return beyond("a daemon that uses no watchdog");
            }
            if host.drift_ppm.abs() > MOST_DRIFT_TOLERATED {
                return beyond("a drift of more than 200 ppm");
            }
        }
        Ok(())
    }
}

/// The largest drift within the tolerance, in parts per million.
pub const MOST_DRIFT_TOLERATED: i32 = 200;
/// The largest drift at all: a clock that runs at half or at one and a half times the rate.
pub const MOST_DRIFT_BEYOND: i32 = 500_000;

impl Setup {
    /// The smallest cluster in which a lease is contended for: so many hosts (up to 26), one disk, one lockspace, one
    /// resource; healthy watchdogs, clocks without drift, io_timeout 10.
    pub fn contenders(hosts: u8, profile: Profile) -> Setup {
        let geometry = Geometry::S512A1M;
        let place = |area: u64| Place { disk: DiskId(0), offset: area * geometry.align() };
        let name = |text: &str| Name::new(text.as_bytes()).expect("a short name");
        let wdmd = if profile == Profile::SANLOCK_3_8_5 { WdmdProfile::SANLOCK_3_8_5 } else { WdmdProfile::HARDENED };
        let host = |host: u8| HostSetup {
            label: char::from(b'A' + host).to_string(),
            config: Config {
                host_name: name(&format!("host-{}", char::from(b'a' + host))),
                profile,
                parameters: Parameters { workers: 1, ..Parameters::default() },
            },
            wdmd,
            test_interval: 10,
            device: Device::Exact,
            memberships: vec![Membership {
                lockspace: LockspaceIx(0),
                host_id: HostId(u64::from(host) + 1),
                io_timeout: 10,
            }],
            clock: Time::from_secs(1_000),
            drift_ppm: 0,
        };
        let sectors = 2 * geometry.align() / u64::from(geometry.sector());
        Setup {
            disks: vec![DiskSetup { sector_size: geometry.sector(), sectors }],
            lockspaces: vec![LockspaceSetup { name: name("LS"), place: place(0), geometry, io_timeout: 10 }],
            indices: Vec::new(),
            resources: vec![ResourceSetup {
                lockspace: LockspaceIx(0),
                name: name("R1"),
                place: place(1),
                geometry,
                num_hosts: u64::from(hosts),
            }],
            hosts: (0..hosts).map(host).collect(),
        }
    }
}
