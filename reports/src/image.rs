//! Raw disk images: shown in the words of `sanlock direct dump`, and formatted as `sanlock direct init` and `sanlock
//! direct format` do.
//!
//! [`show`] prints what is there and verifies next to nothing, as the original: it is for looking at damage, too. It
//! differs where the original reads memory that is not its own (a num_hosts beyond the area, a 48-byte name in an
//! index), and where the original prints nothing for a reason that it does not tell: that is an [`ImageError`] here.
//!
//! It refuses to guess: sizes come from the image or from the caller. It never holds more than one area in memory.

use lease_core::format::{
    Bitmap, DeltaLease, Geometry, HostBlock, Leader, Name, RequestRecord, RindexEntry, RindexHeader, init, magic,
    strings,
};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;
/// Bytes that are read to find the sizes. A shorter file is no image.
const PROBE: usize = 4096;
/// io_timeout in a fresh lockspace if nobody says otherwise.
const IO_TIMEOUT: u16 = 10;

/// An image that can not be shown or made. Every message says what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[error("{file}: expected {expected}, found {found}")]
pub struct ImageError {
    /// The file, or the argument that names it.
    pub file: String,
    /// What would have been right.
    pub expected: String,
    /// What is wrong.
    pub found: String,
    /// The error of the operating system, if one is behind it.
    #[source]
    pub source: Option<io::Error>,
}

impl ImageError {
    pub(crate) fn new(file: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> ImageError {
        ImageError { file: file.to_string(), expected: expected.to_string(), found: found.to_string(), source: None }
    }

    pub(crate) fn io(file: impl fmt::Display, expected: &str, error: io::Error) -> ImageError {
        let found = match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_string(),
            _ => error.to_string(),
        };
        ImageError { source: Some(error), ..ImageError::new(file, expected, found) }
    }

    pub(crate) fn string(argument: &str, error: &strings::StringError) -> ImageError {
        let strings::StringError { what, expected, found } = error;
        ImageError::new(argument, format_args!("{expected} ({what})"), format_args!("{found:?}"))
    }
}

/// What to show: `FILE[:OFFSET[:SIZE]]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The file or device.
    pub path: PathBuf,
    /// Byte offset of the first area.
    pub offset: u64,
    /// Bytes to show; 0: to the end.
    pub size: u64,
}

impl Target {
    /// Reads `FILE[:OFFSET[:SIZE]]`. A backslash protects a colon of the file's name; numbers may end in `M` for MiB.
    ///
    /// # Errors
    ///
    /// More than three parts, no file name, or numbers that are none.
    pub fn parse(text: &str) -> Result<Target, ImageError> {
        let parts = strings::split(text);
        let number = |index: usize| parts.get(index).map_or(Ok(0), |part| strings::byte_offset(part));
        let (offset, size) = match (number(1), number(2)) {
            (Ok(offset), Ok(size)) => (offset, size),
            (Err(error), _) | (_, Err(error)) => return Err(ImageError::string(text, &error)),
        };
        if parts.len() > 3 || parts[0].is_empty() {
            return Err(ImageError::new(text, "FILE[:OFFSET[:SIZE]]", format_args!("{} parts", parts.len())));
        }
        Ok(Target { path: PathBuf::from(strings::unescaped(parts[0])), offset, size })
    }
}

/// How to show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Show {
    /// `-f`: 0 leases; 1 also requests, bitmaps and index entries; 2 also dblocks.
    pub detail: u8,
    /// `-Z`: bytes of a sector. Without `align` it is as good as not given: the image tells.
    pub sector: Option<u32>,
    /// `-A`: bytes of an area. Needs `sector`.
    pub align: Option<u64>,
}

/// Sizes that an image is read with. Unlike [`Geometry`] any pair: a damaged record may claim one that does not exist.
#[derive(Clone, Copy)]
struct Sizes {
    sector: u64,
    align: u64,
}

impl Sizes {
    /// Hosts that there is room for: 2000 with 512-byte sectors, otherwise 250 per MiB of an area.
    fn max_hosts(self) -> u64 {
        if self.sector == 512 { 2000 } else { 250 * (self.align / MIB) }
    }
}

/// Shows a file, as `sanlock direct dump FILE[:OFFSET[:SIZE]]` prints it.
///
/// # Errors
///
/// A file that is missing or can not be read, or what [`show`] refuses.
pub fn show_file(target: &Target, how: Show, out: &mut impl Write) -> Result<(), ImageError> {
    let mut file = open(&target.path)?;
    show(&mut file, target, how, out)
}

fn open(path: &Path) -> Result<File, ImageError> {
    let file = File::open(path).map_err(|error| ImageError::io(path.display(), "a disk image", error))?;
    let metadata = file.metadata().map_err(|error| ImageError::io(path.display(), "a disk image", error))?;
    if metadata.is_dir() {
        return Err(ImageError::new(path.display(), "a disk image", "a directory"));
    }
    Ok(file)
}

/// Shows an image from any source; of `target` the file name is only used in errors.
///
/// # Errors
///
/// An offset beyond the end, a start that is no lockspace, resource or index while sizes are not given, sizes that do
/// not exist, and errors of reading and writing.
pub fn show<S: Read + Seek>(
    source: &mut S,
    target: &Target,
    how: Show,
    out: &mut impl Write,
) -> Result<(), ImageError> {
    let file = target.path.display();
    let read_error = |error| ImageError::io(&file, "a readable image", error);
    let write_error = |error| ImageError::io("standard output", "to be written", error);

    let length = source.seek(SeekFrom::End(0)).map_err(read_error)?;
    if target.offset >= length {
        let expected = format_args!("an area at byte {}", target.offset);
        return Err(ImageError::new(&file, expected, format_args!("the end of the file at byte {length}")));
    }
    if !target.offset.is_multiple_of(MIB) {
        writeln!(out, "WARNING: dump offset should be a multiple of {MIB} bytes.").map_err(write_error)?;
    }
    let mut area = Vec::new();
    let sizes = match given_sizes(&file, how)? {
        Some(sizes) => sizes,
        None => {
            read_at(source, target.offset, PROBE, &mut area).map_err(read_error)?;
            sizes_on_disk(&file, target.offset, &area)?
        }
    };

    header(how, out).map_err(write_error)?;
    let end = if target.size == 0 { length } else { length.min(target.offset.saturating_add(target.size)) };
    let mut offset = target.offset;
    while offset < end {
        read_at(source, offset, usize::try_from(sizes.align).expect("8 MiB"), &mut area).map_err(read_error)?;
        if (area.len() as u64) < sizes.align {
            break;
        }
        let shown = match u32_at(&area, 0) {
            magic::DELTA => lockspace(&area, offset, sizes, how, out),
            magic::LEADER => resource(&area, offset, sizes, how, out),
            magic::RINDEX => rindex(&area, offset, sizes, how, out),
            _ => break,
        };
        shown.map_err(write_error)?;
        offset += sizes.align;
    }
    Ok(())
}

/// The sizes of `-Z` and `-A`, if both are given.
fn given_sizes(file: &impl fmt::Display, how: Show) -> Result<Option<Sizes>, ImageError> {
    let Some(align) = how.align else { return Ok(None) };
    let Some(geometry) = how.sector.and_then(|sector| Geometry::from_sizes(sector, align)) else {
        return Err(wrong_sizes(file, how.sector, align));
    };
    Ok(Some(Sizes { sector: u64::from(geometry.sector()), align: geometry.align() }))
}

pub(crate) fn wrong_sizes(file: impl fmt::Display, sector: Option<u32>, align: u64) -> ImageError {
    let sector = sector.map_or("none".to_string(), |sector| sector.to_string());
    let found = format_args!("{sector}/{}M", align / MIB).to_string();
    ImageError::new(file, "sector/align sizes of 512/1M, 4096/1M, 4096/2M, 4096/4M or 4096/8M (-Z and -A)", found)
}

/// The sizes that the first area's first record claims.
fn sizes_on_disk(file: &impl fmt::Display, offset: u64, probe: &[u8]) -> Result<Sizes, ImageError> {
    let expected = format!("a lockspace, a resource or an index at byte {offset} (or sizes given with -Z and -A)");
    if probe.len() < PROBE {
        return Err(ImageError::new(file, expected, format_args!("only {} bytes", probe.len())));
    }
    let (sector, align_bits) = match u32_at(probe, 0) {
        magic::DELTA | magic::LEADER => (u32_at(probe, 12), u32_at(probe, 8) >> 4 & 0xf),
        magic::RINDEX => (u32_at(probe, 12), u32_at(probe, 8) & 0xf),
        magic::CLEARED => return Err(ImageError::new(file, expected, "a cleared resource")),
        0 => return Err(ImageError::new(file, expected, "zeros")),
        other => return Err(ImageError::new(file, expected, format_args!("magic {other:#x}"))),
    };
    // The rule of `Geometry::from_leader`, for pairs that do not exist as well.
    let align = match (sector, align_bits) {
        (512, 0) => MIB,
        (4096, 0) => 8 * MIB,
        (512 | 4096, bits) => MIB << bits.trailing_zeros(),
        _ => {
            let expected = format_args!("a sector size of 512 or 4096 at byte {}", offset + 12);
            return Err(ImageError::new(file, expected, sector));
        }
    };
    Ok(Sizes { sector: u64::from(sector), align })
}

/// Reads up to `length` bytes at `offset`; fewer only where the source ends.
fn read_at(source: &mut (impl Read + Seek), offset: u64, length: usize, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    source.seek(SeekFrom::Start(offset))?;
    source.by_ref().take(length as u64).read_to_end(into)?;
    Ok(())
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn header(how: Show, out: &mut impl Write) -> io::Result<()> {
    let last = if how.detail >= 1 { "lver/req/mode" } else { "lver" };
    writeln!(
        out,
        "{:>8} {:>36} {:>48} {:>10} {:>4} {:>4} {last}",
        "offset", "lockspace", "resource", "timestamp", "own", "gen"
    )
}

/// A field of a record's line: at least `width` columns, flush right, the bytes as they are.
fn name(out: &mut impl Write, name: &Name, width: usize) -> io::Result<()> {
    let text = name.text();
    write!(out, "{:1$}", "", width.saturating_sub(text.len()))?;
    out.write_all(text)
}

/// The part of a line that delta leases and leaders share.
fn record(out: &mut impl Write, offset: u64, names: [&Name; 2], numbers: [u64; 3]) -> io::Result<()> {
    let [timestamp, owner_id, owner_generation] = numbers;
    write!(out, "{offset:08} ")?;
    name(out, names[0], 36)?;
    write!(out, " ")?;
    name(out, names[1], 48)?;
    write!(out, " {timestamp:010} {owner_id:04} {owner_generation:04}")
}

fn lockspace(area: &[u8], offset: u64, sizes: Sizes, how: Show, out: &mut impl Write) -> io::Result<()> {
    for (index, sector) in (0..).zip(area.chunks(sizes.sector as usize)) {
        let (_, lease) = DeltaLease::peek(sector);
        if lease.owner_id.0 == 0 {
            continue;
        }
        let numbers = [lease.timestamp.0, lease.owner_id.0, lease.owner_generation.0];
        record(out, offset + index * sizes.sector, [&lease.space_name, &lease.owner_name], numbers)?;
        if how.detail >= 1 {
            for host in Bitmap::of_sector(sector).iter().take_while(|host| host.0 <= sizes.max_hosts()) {
                write!(out, " {host}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn resource(area: &[u8], offset: u64, sizes: Sizes, how: Show, out: &mut impl Write) -> io::Result<()> {
    let mut sectors = area.chunks(sizes.sector as usize);
    let (_, leader) = Leader::peek(sectors.next().unwrap_or_default());
    let (_, request) = RequestRecord::peek(sectors.next().unwrap_or_default());
    let numbers = [leader.timestamp.0, leader.owner_id.0, leader.owner_generation.0];
    record(out, offset, [&leader.space_name, &leader.resource_name], numbers)?;
    write!(out, " {}", leader.lver)?;
    if how.detail >= 1 {
        write!(out, "/{}/{}", request.lver, request.force_mode)?;
    }
    writeln!(out)?;
    for (index, sector) in (0..leader.num_hosts).zip(sectors) {
        let (sum, block) = HostBlock::peek(sector);
        if how.detail >= 2 && (block.mbal.0 != 0 || block.inp.0 != 0 || block.lver.0 != 0) {
            let HostBlock { mbal, bal, inp, inp2, inp3, lver, .. } = block;
            writeln!(
                out,
                "dblock[{index:04}] mbal {mbal} bal {bal} inp {inp} inp2 {inp2} inp3 {inp3} lver {lver} sum {sum:x}"
            )?;
        }
        if block.mode.shared() {
            writeln!(out, "{:106}{:04} {:04} SH", "", index + 1, block.mode.generation.0)?;
        }
    }
    Ok(())
}

fn rindex(area: &[u8], offset: u64, sizes: Sizes, how: Show, out: &mut impl Write) -> io::Result<()> {
    let (_, header) = RindexHeader::peek(area);
    let RindexHeader { flags, sector_size, max_resources, rx_offset, space_name, .. } = header;
    write!(out, "{offset:08} ")?;
    name(out, &space_name, 36)?;
    writeln!(out, " rindex_header {flags:#x} {sector_size} {max_resources} {rx_offset}")?;
    if how.detail == 0 {
        return Ok(());
    }
    let entries = area[sizes.sector as usize..].chunks(RindexEntry::LENGTH);
    for (index, entry) in (0..).zip(entries) {
        let entry = RindexEntry::read(entry);
        if entry.is_free() {
            continue;
        }
        write!(out, "{:08} ", offset + sizes.sector + index * RindexEntry::LENGTH as u64)?;
        name(out, &space_name, 36)?;
        write!(out, " rentry ")?;
        name(out, &entry.name, 0)?;
        writeln!(out, " {}", entry.res_offset)?;
    }
    Ok(())
}

/// An area to format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fresh {
    /// `-s LS:0:OFFSET`
    Lockspace {
        /// Its name.
        name: Name,
        /// Byte offset of its area.
        offset: u64,
    },
    /// `-r LS:RES:OFFSET[:num_hosts]`
    Resource {
        /// Name of the lockspace.
        lockspace: Name,
        /// Name of the resource.
        resource: Name,
        /// Byte offset of its area.
        offset: u64,
        /// Hosts that take part; 0: as many as the sizes allow.
        num_hosts: u64,
    },
    /// `-x LS:OFFSET`: an index and, behind it, its private lease.
    Rindex {
        /// Name of the lockspace.
        lockspace: Name,
        /// Byte offset of the index.
        offset: u64,
    },
}

impl Fresh {
    /// Reads `LS:0:OFFSET`. The name keeps its backslashes, as in sanlock's LOCKSPACE strings.
    ///
    /// # Errors
    ///
    /// Any other form, a host id that is not a number, an empty name.
    pub fn lockspace(text: &str) -> Result<Fresh, ImageError> {
        let parts = strings::split(text);
        let [name, host_id, offset] = parts[..] else {
            return Err(ImageError::new(text, "LS:0:OFFSET", format_args!("{} parts", parts.len())));
        };
        let string = format!("{name}:{host_id}::{offset}");
        let parsed = strings::Lockspace::parse(&string).map_err(|error| ImageError::string(text, &error))?;
        Ok(Fresh::Lockspace { name: parsed.name, offset: parsed.offset })
    }

    /// Reads `LS:RES:OFFSET[:num_hosts]`. Escapes are removed from both names, as in sanlock's RESOURCE strings.
    ///
    /// # Errors
    ///
    /// Any other form, a name that is empty or too long, a num_hosts that is no number.
    pub fn resource(text: &str) -> Result<Fresh, ImageError> {
        let parts = strings::split(text);
        let (lockspace, resource, offset, num_hosts) = match parts[..] {
            [lockspace, resource, offset] => (lockspace, resource, offset, "0"),
            [lockspace, resource, offset, num_hosts] => (lockspace, resource, offset, num_hosts),
            _ => {
                let found = format_args!("{} parts", parts.len()).to_string();
                return Err(ImageError::new(text, "LS:RES:OFFSET[:num_hosts]", found));
            }
        };
        let string = format!("{lockspace}:{resource}::{offset}");
        let parsed = strings::Resource::parse(&string).map_err(|error| ImageError::string(text, &error))?;
        let num_hosts =
            num_hosts.parse().map_err(|_| ImageError::new(text, "a number of hosts", format_args!("{num_hosts:?}")))?;
        let offset = parsed.disks[0].offset;
        Ok(Fresh::Resource { lockspace: parsed.lockspace, resource: parsed.resource, offset, num_hosts })
    }

    /// Reads `LS:OFFSET`. Escapes are removed from the name.
    ///
    /// # Errors
    ///
    /// Any other form, a name that is empty or too long.
    pub fn rindex(text: &str) -> Result<Fresh, ImageError> {
        let parts = strings::split(text);
        let [lockspace, offset] = parts[..] else {
            return Err(ImageError::new(text, "LS:OFFSET", format_args!("{} parts", parts.len())));
        };
        let parsed = strings::Rindex::parse(&format!("{lockspace}::{offset}"));
        let parsed = parsed.map_err(|error| ImageError::string(text, &error))?;
        Ok(Fresh::Rindex { lockspace: parsed.lockspace, offset: parsed.offset })
    }

    fn offset(&self) -> u64 {
        match self {
            Fresh::Lockspace { offset, .. } | Fresh::Resource { offset, .. } | Fresh::Rindex { offset, .. } => *offset,
        }
    }

    /// The areas that it covers, one after the other from its offset on.
    fn areas(&self, geometry: Geometry, io_timeout: u16) -> Vec<init::Runs> {
        match *self {
            Fresh::Lockspace { name, .. } => {
                let (mut area, commit) = init::lockspace(geometry, name, io_timeout);
                area[0].1 = commit;
                vec![area]
            }
            Fresh::Resource { lockspace, resource, num_hosts, .. } => {
                vec![init::resource(geometry, lockspace, resource, num_hosts)]
            }
            Fresh::Rindex { lockspace, offset } => {
                let (index, lease) = init::rindex(geometry, lockspace, offset, 0);
                vec![index, lease]
            }
        }
    }

    fn length(&self, geometry: Geometry) -> u64 {
        match self {
            Fresh::Rindex { .. } => 2 * geometry.align(),
            Fresh::Lockspace { .. } | Fresh::Resource { .. } => geometry.align(),
        }
    }
}

/// How to format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Make {
    /// `-o`: io_timeout in the records of a lockspace, in seconds; 0 means 10, as in sanlock.
    pub io_timeout: u16,
    /// `-Z`: bytes of a sector. Given together with `align` or not at all; then 512 and 1 MiB, as for any file.
    pub sector: Option<u32>,
    /// `-A`: bytes of an area.
    pub align: Option<u64>,
}

/// Formats areas of a file. A file that is missing is made, sparse and just long enough; it appears whole or not at all.
/// What an existing file holds elsewhere stays.
///
/// # Errors
///
/// Sizes that do not exist, offsets that are no multiple of the sector size, areas that overlap, all before anything is
/// written; and errors of writing.
pub fn make(path: &Path, areas: &[Fresh], how: Make) -> Result<(), ImageError> {
    let file = path.display();
    let geometry = match (how.sector, how.align) {
        (None, None) => Geometry::S512A1M,
        (sector, align) => sector
            .zip(align)
            .and_then(|(sector, align)| Geometry::from_sizes(sector, align))
            .ok_or_else(|| wrong_sizes(&file, sector, align.unwrap_or_default()))?,
    };
    let end = checked_layout(&file, areas, geometry)?;
    let io_timeout = if how.io_timeout == 0 { IO_TIMEOUT } else { how.io_timeout };
    let error = |error| ImageError::io(&file, "to be written", error);

    if path.exists() {
        let mut image = OpenOptions::new().write(true).open(path).map_err(error)?;
        return write_areas(&mut image, areas, geometry, io_timeout, false).map_err(error);
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let write = || {
        let mut image = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        let written = image
            .set_len(end)
            .and_then(|()| write_areas(&mut image, areas, geometry, io_timeout, true))
            .and_then(|()| std::fs::rename(&unfinished, path));
        // Only what this call made is removed: a file of that name that was there before is somebody else's.
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        written
    };
    write().map_err(error)
}

/// Checks that the areas can lie where they are to; returns where the last one ends.
fn checked_layout(file: &impl fmt::Display, areas: &[Fresh], geometry: Geometry) -> Result<u64, ImageError> {
    let mut ranges = Vec::new();
    for area in areas {
        let start = area.offset();
        if !start.is_multiple_of(u64::from(geometry.sector())) {
            let expected = format_args!("offsets that are multiples of {}", geometry.sector());
            return Err(ImageError::new(file, expected, start));
        }
        match start.checked_add(area.length(geometry)).filter(|end| i64::try_from(*end).is_ok()) {
            Some(end) => ranges.push((start, end)),
            None => return Err(ImageError::new(file, "areas below 2^63 bytes", start)),
        }
    }
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if pair[0].1 > pair[1].0 {
            let found = format_args!("{}..{} and {}..{}", pair[0].0, pair[0].1, pair[1].0, pair[1].1).to_string();
            return Err(ImageError::new(file, "areas that do not overlap", found));
        }
    }
    match ranges.last() {
        Some((_, end)) => Ok(*end),
        None => Err(ImageError::new(file, "at least one area (-s, -r or -x)", "none")),
    }
}

/// Writes all areas. In a file that is all zeros (`fresh`) what stays zero is left out, so that it stays sparse.
fn write_areas(image: &mut File, areas: &[Fresh], geometry: Geometry, io_timeout: u16, fresh: bool) -> io::Result<()> {
    for area in areas {
        let mut offset = area.offset();
        for runs in area.areas(geometry, io_timeout) {
            let mut bytes = Vec::new();
            for (count, sector) in &runs {
                for _ in 0..*count {
                    let next = bytes.len() + geometry.sector() as usize;
                    bytes.extend_from_slice(sector);
                    bytes.resize(next, 0);
                }
            }
            if fresh {
                let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                bytes.truncate(used);
            }
            image.seek(SeekFrom::Start(offset))?;
            image.write_all(&bytes)?;
            offset += geometry.align();
        }
    }
    image.sync_all()
}
