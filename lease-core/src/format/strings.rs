//! The strings by which sanlock's tools name lockspaces, resources and indexes, with their escapes (ondisk §10).
//!
//! A backslash takes the next character literally, so that an escaped colon does not separate. Which escapes are
//! *removed* differs: in RESOURCE, RINDEX and RENTRY those of every part; in LOCKSPACE only those of the path (where
//! every backslash is dropped, doubled ones too), while the name keeps its backslashes, on disk as well. sanlock prints
//! names as they are, and paths with a backslash before spaces and colons; [`core::fmt::Display`] does that. It can not
//! always be read again; [`Resource::argument`] can.
//!
//! Numbers are read strictly, where sanlock takes anything for 0.

use super::Name;
use crate::numbers::{HostId, Lver};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Bytes that sanlock has for a path, without the final NUL.
const PATH_MAX: usize = 1023;
/// The longest RESOURCE string.
const RESOURCE_MAX: usize = 4400;
/// The most disks of a resource.
const DISKS_MAX: usize = 4;

/// A string that names nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}: expected {expected}, found {found:?}")]
pub struct StringError {
    /// Which string, or which part of it.
    pub what: &'static str,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

fn error<T>(what: &'static str, expected: &'static str, found: &str) -> Result<T, StringError> {
    Err(StringError { what, expected, found: found.to_string() })
}

/// `lockspace:host_id:path:offset`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lockspace {
    /// Name of the lockspace, with the backslashes that were typed. Longer ones are cut at 48 bytes, as sanlock does.
    pub name: Name,
    /// Host id; 0 where none is meant.
    pub host_id: HostId,
    /// Path of the device or file.
    pub path: String,
    /// Byte offset of the area.
    pub offset: u64,
}

/// `lockspace:resource:path:offset[:path:offset…][:lver|:SH]`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Resource {
    /// Name of the lockspace.
    pub lockspace: Name,
    /// Name of the resource.
    pub resource: Name,
    /// Where its areas lie: none to four. More than one is untested in sanlock itself.
    pub disks: Vec<Area>,
    /// The last part, if there is one.
    pub wanted: Option<Wanted>,
}

/// `path:offset` within a RESOURCE.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Area {
    /// Path of the device or file.
    pub path: String,
    /// Byte offset of the area.
    pub offset: u64,
}

/// The last part of a RESOURCE.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wanted {
    /// Anything that begins with `SH`: shared mode.
    Shared,
    /// Otherwise a version; what is no number is 0.
    Version(Lver),
}

/// `lockspace:path:offset`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rindex {
    /// Name of the lockspace.
    pub lockspace: Name,
    /// Path of the device or file.
    pub path: String,
    /// Byte offset of the index.
    pub offset: u64,
}

/// `name[:offset]` or `:offset`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rentry {
    /// Name of the resource, if given.
    pub name: Option<Name>,
    /// Byte offset of its area, if given.
    pub offset: Option<u64>,
}

impl Lockspace {
    /// Reads a LOCKSPACE string.
    ///
    /// # Errors
    ///
    /// Not four parts, an empty name, a path that is too long, or a host id or offset that is no number.
    pub fn parse(text: &str) -> Result<Lockspace, StringError> {
        let parts = split(text);
        let [name, host_id, path, offset] = parts[..] else {
            return error("LOCKSPACE", "lockspace:host_id:path:offset", text);
        };
        if name.is_empty() {
            return error("LOCKSPACE", "a lockspace name", text);
        }
        let name = Name::new(&name.as_bytes()[..name.len().min(Name::LENGTH)]).expect("was cut");
        let path = checked_path(path.chars().filter(|c| *c != '\\').collect())?;
        Ok(Lockspace { name, host_id: HostId(number("host_id", host_id)?), path, offset: byte_offset(offset)? })
    }
}

impl Resource {
    /// Reads a RESOURCE string.
    ///
    /// # Errors
    ///
    /// A wrong number of parts, an empty or too long name, a path that is too long, or an offset that is no number.
    pub fn parse(text: &str) -> Result<Resource, StringError> {
        const FORM: &str = "lockspace:resource:path:offset[:path:offset...][:lver|:SH]";
        if text.len() > RESOURCE_MAX {
            return error("RESOURCE", "at most 4400 bytes", text);
        }
        let parts = split(text);
        let (disks, last) = match parts.len() {
            // An odd number of parts has a last one that belongs to no disk; `lockspace:resource:lver` is none.
            0 | 1 | 3 => return error("RESOURCE", FORM, text),
            parts => ((parts - 2) / 2, parts % 2 == 1),
        };
        if disks > DISKS_MAX {
            return error("RESOURCE", "at most 4 disks", text);
        }
        let areas = parts[2..2 + 2 * disks].chunks_exact(2).map(|area| {
            let path = checked_path(unescaped(area[0]))?;
            Ok(Area { path, offset: byte_offset(area[1])? })
        });
        Ok(Resource {
            lockspace: checked_name("lockspace name", parts[0])?,
            resource: checked_name("resource name", parts[1])?,
            disks: areas.collect::<Result<_, _>>()?,
            wanted: last.then(|| Wanted::parse(&unescaped(parts[parts.len() - 1]))),
        })
    }

    /// The string with everything escaped that has to be, so that it is read again as the same resource.
    pub fn argument(&self) -> String {
        let mut text = format!("{}:{}", escaped(&self.lockspace.to_string()), escaped(&self.resource.to_string()));
        for Area { path, offset } in &self.disks {
            text.push_str(&format!(":{}:{offset}", escaped(path)));
        }
        if let Some(wanted) = self.wanted {
            text.push_str(&format!(":{wanted}"));
        }
        text
    }
}

impl Wanted {
    fn parse(text: &str) -> Wanted {
        if text.starts_with("SH") { Wanted::Shared } else { Wanted::Version(Lver(unsigned_of_c(text))) }
    }
}

impl Rindex {
    /// Reads a RINDEX string.
    ///
    /// # Errors
    ///
    /// Not three parts, an empty or too long name, a path that is too long, or an offset that is no number.
    pub fn parse(text: &str) -> Result<Rindex, StringError> {
        let parts = split(text);
        let [lockspace, path, offset] = parts[..] else {
            return error("RINDEX", "lockspace:path:offset", text);
        };
        let lockspace = checked_name("lockspace name", lockspace)?;
        Ok(Rindex { lockspace, path: checked_path(unescaped(path))?, offset: byte_offset(offset)? })
    }
}

impl Rentry {
    /// Reads a RENTRY string.
    ///
    /// # Errors
    ///
    /// Neither name nor offset, more than two parts, a name that is too long, or an offset that is no number.
    pub fn parse(text: &str) -> Result<Rentry, StringError> {
        let (name, offset) = match split(text)[..] {
            [name] if !name.is_empty() => (name, None),
            ["", offset] => ("", Some(offset)),
            [name, offset] => (name, Some(offset)),
            _ => return error("RENTRY", "name[:offset] or :offset", text),
        };
        let name = if name.is_empty() { None } else { Some(checked_name("resource name", name)?) };
        Ok(Rentry { name, offset: offset.map(byte_offset).transpose()? })
    }
}

impl fmt::Display for Lockspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.name, self.host_id, Path(&self.path), self.offset)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lockspace, self.resource)?;
        for Area { path, offset } in &self.disks {
            write!(f, ":{}:{offset}", Path(path))?;
        }
        match self.wanted {
            Some(wanted) => write!(f, ":{wanted}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Shared => f.write_str("SH"),
            Wanted::Version(lver) => write!(f, "{lver}"),
        }
    }
}

impl fmt::Display for Rindex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.lockspace, Path(&self.path), self.offset)
    }
}

impl fmt::Display for Rentry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}")?;
        }
        match self.offset {
            Some(offset) => write!(f, ":{offset}"),
            None => Ok(()),
        }
    }
}

/// A path as sanlock prints it: a backslash before spaces and colons, while a backslash that is there already is copied
/// together with the character behind it.
struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut chars = self.0.chars();
        while let Some(char) = chars.next() {
            match char {
                ' ' | ':' => write!(f, "\\{char}")?,
                '\\' => {
                    f.write_char('\\')?;
                    chars.next().map_or(Ok(()), |next| f.write_char(next))?;
                }
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The parts between colons that no backslash protects, with their backslashes.
pub fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escape) = (0, false);
    for (index, char) in text.char_indices() {
        match char {
            _ if escape => escape = false,
            '\\' => escape = true,
            ':' => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The text without its escapes: of each backslash and the character behind it, that character. A backslash at the end
/// escapes nothing and goes.
pub fn unescaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.extend(chars.next()),
            other => text.push(other),
        }
    }
    text
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|char| matches!(char, ':' | '\\').then_some('\\').into_iter().chain([char])).collect()
}

fn checked_path(path: String) -> Result<String, StringError> {
    if path.len() > PATH_MAX { error("path", "at most 1023 bytes", &path) } else { Ok(path) }
}

fn checked_name(what: &'static str, part: &str) -> Result<Name, StringError> {
    let text = unescaped(part);
    match Name::from_text(&text) {
        Some(name) if !name.is_empty() => Ok(name),
        _ => error(what, "1 to 48 bytes", &text),
    }
}

fn number(what: &'static str, text: &str) -> Result<u64, StringError> {
    match text.parse() {
        Ok(number) if !text.starts_with('+') => Ok(number),
        _ => error(what, "a number", text),
    }
}

/// A byte offset: a number, or a number of MiB with the suffix `M`.
///
/// # Errors
///
/// Anything else, or a product beyond 64 bits.
pub fn byte_offset(text: &str) -> Result<u64, StringError> {
    let (digits, unit) = text.strip_suffix('M').map_or((text, 1), |digits| (digits, 1 << 20));
    let offset = number("offset", digits).ok().and_then(|number| number.checked_mul(unit));
    offset.map_or_else(|| error("offset", "a number of bytes, or of MiB with the suffix M", text), Ok)
}

/// C's `strtoull(text, NULL, 0)` for what may stand in an lver: 0x hexadecimal, 0 octal, otherwise decimal, as far as
/// there are digits.
fn unsigned_of_c(text: &str) -> u64 {
    let text = text.trim_start();
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    digits
        .chars()
        .map_while(|char| char.to_digit(radix))
        .fold(0_u64, |number, digit| number.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit)))
}
