//! Resource indices on disk images: an operation of the engine, carried out on a file.
//!
//! The engine believes that it runs alone ("direct"), so nobody's lease is looked at: as with `sanlock direct`, the disk
//! must not be in use. What it reads and writes is read from and written to the file at once, so its clock stands still.
//!
//! It refuses to interpret the answer: a refusal is an answer, with sanlock's number.

use crate::image::{ImageError, wrong_sizes};
use lease_core::format::{Geometry, Name, strings, trimmed};
use lease_core::numbers::Time;
use lease_core::profile::{Config, Parameters, Profile};
use lease_core::seam::{
    Answer, ClientId, DiskId, IndexOperation, Input, IoResult, LastLife, Output, Place, ReadData, Request, RequestId,
};
use lease_core::{Engine, Refusal};
use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of the pieces that reads are cut into: the smallest sector.
const UNIT: usize = 512;
/// What the engine's clock shows: some time after the boot.
const NOW: Time = Time::from_secs(1_000);
/// EIO.
const EIO: u16 = 5;

/// Which index: `LS:OFFSET`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Index {
    /// Name of the lockspace.
    pub lockspace: Name,
    /// Byte offset of the index on the image.
    pub offset: u64,
}

impl Index {
    /// Reads `LS:OFFSET`. Escapes are removed from the name.
    ///
    /// # Errors
    ///
    /// Any other form, a name that is empty or too long.
    pub fn parse(text: &str) -> Result<Index, ImageError> {
        let parts = strings::split(text);
        let [lockspace, offset] = parts[..] else {
            return Err(ImageError::new(text, "LS:OFFSET", format_args!("{} parts", parts.len())));
        };
        let parsed = strings::Rindex::parse(&format!("{lockspace}::{offset}"));
        let parsed = parsed.map_err(|error| ImageError::string(text, &error))?;
        Ok(Index { lockspace: parsed.lockspace, offset: parsed.offset })
    }
}

/// Reads `NAME`, `NAME:OFFSET` or `:OFFSET`; what is not there is empty or 0.
///
/// # Errors
///
/// Any other form, a name that is too long.
pub fn entry(text: &str) -> Result<(Name, u64), ImageError> {
    let parsed = strings::Rentry::parse(text).map_err(|error| ImageError::string(text, &error))?;
    Ok((parsed.name.unwrap_or(Name::EMPTY), parsed.offset.unwrap_or(0)))
}

/// What the engine answered.
pub type Told = Result<Answer, Refusal>;

/// Carries out one operation on the index of an image.
///
/// # Errors
///
/// A file that is missing, is none, or can not be written. What the engine refuses is no error.
pub fn operate(path: &Path, index: Index, operation: IndexOperation, profile: Profile) -> Result<Told, ImageError> {
    let changes = !matches!(operation, IndexOperation::Lookup { .. });
    let open = OpenOptions::new().read(true).write(changes).open(path);
    let mut file = open.map_err(|error| ImageError::io(path.display(), "a disk image", error))?;
    let metadata = file.metadata().map_err(|error| ImageError::io(path.display(), "a disk image", error))?;
    if metadata.is_dir() {
        return Err(ImageError::new(path.display(), "a disk image", "a directory"));
    }
    let told = drive(&mut file, index, operation, profile);
    file.sync_all().map_err(|error| ImageError::io(path.display(), "to be written", error))?;
    Ok(told)
}

/// Runs an engine until it has answered.
fn drive(file: &mut File, index: Index, operation: IndexOperation, profile: Profile) -> Told {
    let host_name = Name::from_text("leaselab").expect("is short");
    let parameters = Parameters { workers: 1, ..Parameters::default() };
    let mut outputs = Vec::new();
    let mut engine = Engine::boot(Config { host_name, profile, parameters }, LastLife::Gone, NOW, &mut outputs);
    let place = Place { disk: DiskId(0), offset: index.offset };
    let request = Request::Index { lockspace: index.lockspace, place, direct: true, operation };
    let mut inputs = VecDeque::from([Input::Request { id: RequestId(0), client: ClientId::ADMIN, request }]);
    while let Some(input) = inputs.pop_front() {
        engine.handle(NOW, input, &mut outputs);
        for output in outputs.drain(..) {
            let (slot, result) = match output {
                Output::Reply { result, .. } => return result,
                Output::Read { slot, offset, length, .. } => (slot, read(file, offset, length)),
                Output::Write { slot, offset, length, bytes, .. } => (slot, write(file, offset, length, &bytes)),
                // Nothing is late here.
                _ => continue,
            };
            let result = result.unwrap_or_else(|error| {
                IoResult::Failed(error.raw_os_error().and_then(|errno| u16::try_from(errno).ok()).unwrap_or(EIO))
            });
            inputs.push_back(Input::IoDone { slot, result });
        }
    }
    unreachable!("an engine whose I/O is over has answered")
}

fn read(file: &mut File, offset: u64, length: u64) -> io::Result<IoResult> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    Read::by_ref(file).take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Ok(IoResult::Short);
    }
    let mut data = ReadData { unit: UNIT as u32, runs: Vec::new() };
    for piece in bytes.chunks(UNIT) {
        let piece = trimmed(piece);
        match data.runs.last_mut() {
            Some((count, last)) if *last == piece => *count += 1,
            _ => data.runs.push((1, piece)),
        }
    }
    Ok(IoResult::Read(data))
}

fn write(file: &mut File, offset: u64, length: u64, bytes: &[u8]) -> io::Result<IoResult> {
    let mut whole = bytes.to_vec();
    whole.resize(usize::try_from(length).expect("an area has at most 8 MiB"), 0);
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(&whole)?;
    Ok(IoResult::Written)
}

/// The answer as `sanlock direct` prints it, or `sanlock client` what `direct` does not have.
#[derive(Debug)]
pub struct Printed<'a> {
    /// What was asked for.
    pub action: &'a str,
    /// What was answered.
    pub told: &'a Told,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} done {}", self.action, self.told.as_ref().err().map_or(0, |why| why.code()))?;
        match self.told {
            Ok(Answer::Indexed { offset, .. }) if self.action == "create_resource" => writeln!(f, "offset {offset}"),
            Ok(Answer::Indexed { name, offset }) if name.is_empty() => writeln!(f, "name - offset {offset}"),
            Ok(Answer::Indexed { name, offset }) => writeln!(f, "name {name} offset {offset}"),
            _ => Ok(()),
        }
    }
}

/// The sizes of a new index of an image: as given, or 512 and 1 MiB, as for any file.
///
/// # Errors
///
/// Sizes that do not exist.
pub fn sizes(path: &Path, sector: Option<u32>, align: Option<u64>) -> Result<Geometry, ImageError> {
    match (sector, align) {
        (None, None) => Ok(Geometry::S512A1M),
        (sector, align) => sector
            .zip(align)
            .and_then(|(sector, align)| Geometry::from_sizes(sector, align))
            .ok_or_else(|| wrong_sizes(path.display(), sector, align.unwrap_or_default())),
    }
}
