//! Equal hosts are exchangeable: states that differ only in who is who are one state.
//!
//! A state keeps the names that it was found under; only its fingerprint forgets them: it is the smallest over all
//! exchanges of hosts. What a part of a state hashes to after an exchange is worked out on its text, in which every host
//! id, host name, clock, ballot number and byte offset of a lease is replaced by that of the other host: one to one, so
//! that different parts stay different. Nothing in these worlds orders hosts by their ids, since no ballot is ever
//! contended; and with jitter hosts tick in any order. Without it they tick in the order of their names, and nothing is
//! exchanged. Neither is it in a role world, or where two hosts are not set up alike.
//!
//! Parts with raw data of a read are left as they are: after any exchange the data are still there, so all states of an
//! orbit are left alone.

use super::disk::SLOTS;
use super::setting::{HOSTS, Setting};
use crate::checker::intern::content_hash;
use crate::setup::{HostSetup, Setup};
use std::fmt::Debug;

/// The most exchanges of hosts, the one that exchanges nobody among them.
pub(super) const EXCHANGES: usize = 6;

/// Who becomes who: by index.
pub(super) type Exchange = [usize; HOSTS];

/// All exchanges that change nothing, the one that exchanges nobody first.
pub(super) fn exchanges(setup: &Setup, slot_of: &[usize], may: bool) -> Vec<Exchange> {
    let identity: Exchange = std::array::from_fn(|index| index);
    let count = setup.hosts.len();
    let alike = |one: &HostSetup, other: &HostSetup| {
        let name = other.config.host_name;
        let mut one = HostSetup { label: other.label.clone(), ..one.clone() };
        one.config.host_name = name;
        one.memberships[0].host_id = other.memberships[0].host_id;
        one == *other
    };
    let mut slots = slot_of.to_vec();
    slots.sort_unstable();
    slots.dedup();
    let short = setup.hosts.iter().all(|host| host.config.host_name.text().len() == 1);
    if !may || !short || slots.len() != count || !setup.hosts.iter().all(|host| alike(host, &setup.hosts[0])) {
        return vec![identity];
    }
    match count {
        2 => vec![identity, [1, 0, 2]],
        3 => vec![identity, [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]],
        _ => vec![identity],
    }
}

/// What a part hashes to after each exchange; `None`: it cannot be told.
pub(super) fn hashes<T: Debug>(setting: &Setting, part: &T) -> Option<[u64; EXCHANGES]> {
    let text = format!("{part:?}");
    if text.contains("ReadData") {
        return None;
    }
    let mut hashes = [0; EXCHANGES];
    for (hash, exchange) in hashes.iter_mut().zip(&setting.exchanges) {
        *hash = content_hash(&exchanged(setting, &text, exchange));
    }
    Some(hashes)
}

/// The text of a part after an exchange.
fn exchanged(setting: &Setting, text: &str, exchange: &Exchange) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // A token is what stands before a bracket, a quotation mark or a colon; its value, what follows.
    while let Some(at) = rest.find(['(', '"', ':']) {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        rest = after;
        let end = rest.find([')', '"', ',', ' ', '.', '}']).unwrap_or(rest.len());
        let replaced = if before.ends_with("HostId(") || before.ends_with("Mbal(") {
            number(&rest[..end]).map(|id| host_id(setting, id, exchange).to_string())
        } else if before.ends_with("Second(") || before.ends_with("Time(") || before.ends_with("Stamp(") {
            number(&rest[..end]).map(|value| moment(setting, value, exchange).to_string())
        } else if before.ends_with('"') && end == 1 && rest[end..].starts_with('"') {
            Some(name(setting, &rest[..end], exchange))
        } else {
            None
        };
        if let Some(replaced) = replaced {
            out.push_str(&replaced);
            rest = &rest[end..];
        } else if before.ends_with("offset:") {
            // Where an I/O goes follows from what it is: its length, whether it writes, whose it is.
            rest = rest.find([',', '}']).map_or("", |end| &rest[end..]);
        }
    }
    out.push_str(rest);
    sorted_hosts(&out)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn host_of(setting: &Setting, id: u64) -> Option<usize> {
    let slot = setting.layout.slots.iter().position(|slot| slot.0 == id)?;
    setting.slot_of.iter().position(|of| *of == slot)
}

fn id_of(setting: &Setting, host: usize) -> u64 {
    setting.layout.slots[setting.slot_of[host]].0
}

fn host_id(setting: &Setting, id: u64, exchange: &Exchange) -> u64 {
    host_of(setting, id).map_or(id, |host| id_of(setting, exchange[host]))
}

fn name(setting: &Setting, text: &str, exchange: &Exchange) -> String {
    let is = |host: &HostSetup| host.config.host_name.text() == text.as_bytes();
    let host = setting.setup.hosts.iter().position(is);
    host.map_or_else(
        || text.to_string(),
        |host| String::from_utf8_lossy(setting.setup.hosts[exchange[host]].config.host_name.text()).into_owned(),
    )
}

/// A moment near the fixed second of a host becomes one as near to that of the other.
fn moment(setting: &Setting, value: u64, exchange: &Exchange) -> u64 {
    let near = |host: &usize| setting.now(*host).0.abs_diff(value) < setting.now(0).0 / 2;
    match (0..setting.hosts()).find(near) {
        Some(host) => value + setting.now(exchange[host]).0 - setting.now(host).0,
        None => value,
    }
}

/// Tables of hosts are ordered by host id; after an exchange they have to be again.
fn sorted_hosts(text: &str) -> String {
    const TABLE: &str = "values: [(HostId(";
    let Some(at) = text.find(TABLE) else { return text.to_string() };
    let (before, rest) = text.split_at(at + "values: [".len());
    let mut depth = 0;
    let end = rest.find(|char: char| {
        depth += i32::from(char == '[') - i32::from(char == ']');
        depth < 0
    });
    let (table, after) = rest.split_at(end.expect("brackets of a text come in pairs"));
    let mut entries: Vec<&str> = table.split_inclusive("}), ").map(|entry| entry.trim_end_matches(", ")).collect();
    entries.sort_unstable();
    format!("{before}{}{after}", entries.join(", "))
}

/// The same places after an exchange: position `exchange[index]` has what position `index` had.
pub(super) fn moved(mask: u8, exchange: &Exchange) -> u8 {
    (0..SLOTS).filter(|index| mask & 1 << index != 0).fold(0, |moved, index| moved | 1 << exchange[index])
}
