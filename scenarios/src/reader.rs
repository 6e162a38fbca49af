//! Reading of tables with errors that a person can act upon: where, what was expected, what was found.
//!
//! Each table is read key by key; whatever was not asked for is an unknown key. No text of the TOML library reaches
//! the user except about TOML's own syntax.

use crate::dice::Range;
use crate::scenario::Signed;
use std::collections::BTreeMap;
use std::fmt;
use std::ops;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A scenario file that does not say what it means: one line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct BadScenario {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The table and key, what was expected, and what was found.
    pub what: String,
}

/// The file under the reader's eyes.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// An error at a byte offset.
    pub(crate) fn bad(self, at: usize, what: impl fmt::Display) -> BadScenario {
        let line = self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
        BadScenario { file: self.file.to_owned(), line, what: what.to_string() }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) at: usize,
}

/// One table, being read.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    /// As told in errors: `[faults.cut-one]`.
    title: String,
    at: usize,
    rest: BTreeMap<String, (ops::Range<usize>, Spanned<DeValue<'a>>)>,
    asked: Vec<&'static str>,
}

type Read<T> = Result<T, BadScenario>;

impl<'a> Reader<'a> {
    /// The whole file.
    pub(crate) fn file(source: Source<'a>) -> Read<Reader<'a>> {
        let document = DeTable::parse(source.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            source.bad(at, format!("expected TOML, found a mistake: {message}"))
        })?;
        Ok(Reader::new(source, String::new(), 0, document.into_inner()))
    }

    fn new(source: Source<'a>, title: String, at: usize, table: DeTable<'a>) -> Reader<'a> {
        let rest = table.into_iter().map(|(key, value)| {
            let span = key.span();
            (key.into_inner().into_owned(), (span, value))
        });
        Reader { source, title, at, rest: rest.collect(), asked: Vec::new() }
    }

    /// An error about `key` of this table.
    pub(crate) fn bad(
        &self,
        at: usize,
        key: &str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> BadScenario {
        let space = if self.title.is_empty() || key.is_empty() { "" } else { " " };
        self.source.bad(at, format!("{}{space}{key}: expected {expected}, found {found}", self.title))
    }

    /// Whether there is something of this name that was not read yet.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// Where the table stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<(ops::Range<usize>, Spanned<DeValue<'a>>)> {
        self.asked.push(key);
        self.rest.remove(key)
    }

    /// The sub-table of this name, read by `read`; an empty one if it is not there.
    pub(crate) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'a>) -> Read<T>) -> Read<T> {
        let (at, table) = match self.take(key) {
            None => (self.at, DeTable::new()),
            Some((span, value)) => match value.into_inner() {
                DeValue::Table(table) => (span.start, table),
                other => return Err(self.bad(span.start, key, "a table", show(&other))),
            },
        };
        let title = match self.title.trim_matches(['[', ']']) {
            "" => format!("[{key}]"),
            outer => format!("[{outer}.{key}]"),
        };
        let mut reader = Reader::new(self.source, title, at, table);
        let result = read(&mut reader)?;
        reader.finish()?;
        Ok(result)
    }

    /// All sub-tables that are left, with their names.
    pub(crate) fn tables(&mut self) -> Read<Vec<(Found<String>, Reader<'a>)>> {
        let mut tables = Vec::new();
        let outer = self.title.trim_matches(['[', ']']).to_owned();
        for (key, (span, value)) in std::mem::take(&mut self.rest) {
            match value.into_inner() {
                DeValue::Table(table) => {
                    let reader = Reader::new(self.source, format!("[{outer}.{key}]"), span.start, table);
                    tables.push((Found { value: key, at: span.start }, reader));
                }
                other => return Err(self.bad(span.start, &key, "a table", show(&other))),
            }
        }
        Ok(tables)
    }

    /// The tables of an array of tables (`[[key]]`), each read by `read`.
    pub(crate) fn array<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(usize, &mut Reader<'a>) -> Read<T>,
    ) -> Read<Vec<T>> {
        let Some((span, value)) = self.take(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.bad(span.start, key, format!("tables, each begun with [[{key}]]"), show(value.get_ref())));
        };
        let mut read_items = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                let expected = format!("tables, each begun with [[{key}]]");
                return Err(self.bad(item.span().start, key, expected, show(item.get_ref())));
            };
            let at = item.span().start;
            let mut reader = Reader::new(self.source, format!("[[{key}]]"), at, table.clone());
            read_items.push(read(index, &mut reader)?);
            reader.finish()?;
        }
        Ok(read_items)
    }

    /// A text.
    pub(crate) fn text(&mut self, key: &'static str) -> Read<Option<Found<String>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        match value.get_ref() {
            DeValue::String(text) => Ok(Some(Found { value: text.clone().into_owned(), at })),
            other => Err(self.bad(at, key, "a text in quotes", show(other))),
        }
    }

    /// One of several words.
    pub(crate) fn word<T: Clone>(&mut self, key: &'static str, words: &[(&str, T)]) -> Read<Option<Found<T>>> {
        let Some(found) = self.text(key)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == found.value) {
            Some((_, meaning)) => Ok(Some(Found { value: meaning.clone(), at: found.at })),
            None => {
                let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
                Err(self.bad(found.at, key, format!("one of {known}"), format!("{:?}", found.value)))
            }
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Read<Option<Vec<Found<String>>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.bad(value.span().start, key, "a list of texts", show(value.get_ref())));
        };
        let mut texts = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(text) => texts.push(Found { value: text.clone().into_owned(), at }),
                other => return Err(self.bad(at, key, "a list of texts", show(other))),
            }
        }
        Ok(Some(texts))
    }

    /// True or false.
    pub(crate) fn yes(&mut self, key: &'static str, otherwise: bool) -> Read<bool> {
        let Some((_, value)) = self.take(key) else { return Ok(otherwise) };
        match value.get_ref() {
            DeValue::Boolean(yes) => Ok(*yes),
            other => Err(self.bad(value.span().start, key, "true or false", show(other))),
        }
    }

    /// A whole number within `bounds`, or a range of such.
    pub(crate) fn numbers(&mut self, key: &'static str, bounds: Range) -> Read<Option<Found<Range>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let expected = match bounds {
            Range { low, high: u64::MAX } => format!("a whole number from {low} or a range like \"3..20\""),
            Range { low, high } => format!("a whole number from {low} to {high} or a range like \"{low}..{high}\""),
        };
        let bad = |this: &Self, found: &dyn fmt::Display| this.bad(at, key, &expected, found);
        let range = match value.get_ref() {
            DeValue::Integer(integer) => {
                let number = integer.as_str().replace('_', "");
                match u64::from_str_radix(&number, integer.radix()) {
                    Ok(number) => Range::exactly(number),
                    Err(_) => return Err(bad(self, &integer.as_str())),
                }
            }
            DeValue::String(text) => match span_of(text, |part| part.replace('_', "").parse().ok()) {
                Ok(range) => range,
                Err(Backwards::Backwards) => return Err(self.bad(at, key, "a range that runs upwards", quoted(text))),
                Err(Backwards::Unreadable) => return Err(bad(self, &quoted(text))),
            },
            other => return Err(bad(self, &show(other))),
        };
        if range.low < bounds.low || range.high > bounds.high {
            return Err(bad(self, &show(value.get_ref())));
        }
        Ok(Some(Found { value: range, at }))
    }

    /// One whole number within `bounds`.
    pub(crate) fn number(&mut self, key: &'static str, bounds: Range) -> Read<Option<Found<u64>>> {
        let Some(found) = self.numbers(key, bounds)? else { return Ok(None) };
        if found.value.low == found.value.high {
            return Ok(Some(Found { value: found.value.low, at: found.at }));
        }
        let range = format!("the range \"{}..{}\"", found.value.low, found.value.high);
        Err(self.bad(found.at, key, "one whole number", range))
    }

    /// One whole number within `bounds`, or `"unlimited"`, which is `None`.
    pub(crate) fn number_or_unlimited(&mut self, key: &'static str, bounds: Range) -> Read<Option<Found<Option<u64>>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let number = match value.get_ref() {
            DeValue::String(text) if text == "unlimited" => return Ok(Some(Found { value: None, at })),
            DeValue::Integer(integer) => u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| (bounds.low..=bounds.high).contains(number)) {
            Some(number) => Ok(Some(Found { value: Some(number), at })),
            None => {
                let expected = format!("a whole number from {} to {} or \"unlimited\"", bounds.low, bounds.high);
                Err(self.bad(at, key, expected, show(value.get_ref())))
            }
        }
    }

    /// A whole number with a sign, or a range of such.
    pub(crate) fn signed(&mut self, key: &'static str, bounds: Signed) -> Read<Option<Found<Signed>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let read = |text: &str| match text.split_once("..") {
            Some((low, high)) => Some(Signed { low: low.trim().parse().ok()?, high: high.trim().parse().ok()? }),
            None => text.trim().parse().ok().map(|number| Signed { low: number, high: number }),
        };
        let range = match value.get_ref() {
            DeValue::Integer(integer) => read(integer.as_str()),
            DeValue::String(text) => read(text),
            _ => None,
        };
        match range {
            Some(range) if bounds.low <= range.low && range.low <= range.high && range.high <= bounds.high => {
                Ok(Some(Found { value: range, at }))
            }
            _ => {
                let expected = format!("a whole number from {} to {} or a range of such", bounds.low, bounds.high);
                Err(self.bad(at, key, expected, show(value.get_ref())))
            }
        }
    }

    /// A duration, or a range of durations, in microseconds.
    pub(crate) fn durations(&mut self, key: &'static str) -> Read<Option<Found<Range>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = value.span().start;
        let expected = "a duration like \"5s\" or \"5s..20s\" (units us, ms, s, min)";
        match value.get_ref() {
            DeValue::String(text) => match span_of(text, micros) {
                Ok(range) => Ok(Some(Found { value: range, at })),
                Err(Backwards::Backwards) => Err(self.bad(at, key, "a range that runs upwards", quoted(text))),
                Err(Backwards::Unreadable) => Err(self.bad(at, key, expected, quoted(text))),
            },
            other => Err(self.bad(at, key, expected, show(other))),
        }
    }

    /// Everything must have been read.
    pub(crate) fn finish(self) -> Read<()> {
        let Some((key, (span, _))) = self.rest.first_key_value() else { return Ok(()) };
        let expected = format!("one of the keys {}", self.asked.join(", "));
        Err(self.bad(span.start, key, expected, "an unknown key"))
    }
}

enum Backwards {
    Backwards,
    Unreadable,
}

/// `a` or `a..b`.
fn span_of(text: &str, read: impl Fn(&str) -> Option<u64>) -> Result<Range, Backwards> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    match (read(low.trim()), read(high.trim())) {
        (Some(low), Some(high)) if low <= high => Ok(Range { low, high }),
        (Some(_), Some(_)) => Err(Backwards::Backwards),
        _ => Err(Backwards::Unreadable),
    }
}

/// `5s`, `1.5s`, `20ms`, `300us`, `2min`: exact, without floating point.
fn micros(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let unit = match text[digits..].trim() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        // Zero needs no unit.
        "" if text == "0" => 1,
        _ => return None,
    };
    let number = text[..digits].replace('_', "");
    let (whole, part) = number.split_once('.').unwrap_or((&number, ""));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut step = unit;
    for digit in part.chars() {
        if step % 10 != 0 {
            return None;
        }
        step /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * step)?;
    }
    // An hour-long range is wide enough, and sums of a few stay far from the end of a u64.
    (total <= 1_000_000 * 1_000_000).then_some(total)
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// A value as a person would name it.
fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) => integer.as_str().to_owned(),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn durations_are_exact() {
        assert_eq!(micros("5s"), Some(5_000_000));
        assert_eq!(micros("0.1s"), Some(100_000));
        assert_eq!(micros("1.5min"), Some(90_000_000));
        assert_eq!(micros("1.5 ms"), Some(1_500));
        assert_eq!(micros("0"), Some(0));
        assert_eq!(micros("5"), None);
        assert_eq!(micros("5 sec"), None);
        assert_eq!(micros("0.5us"), None);
        assert_eq!(micros(""), None);
        assert_eq!(micros(".s"), None);
    }
}
