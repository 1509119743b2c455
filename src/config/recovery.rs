//! The readable part of a TOML text with syntax errors.
//!
//! A text is divided into sections: the lines above the first table, then a section for each header of a table. A
//! syntax error costs the lines in which the parser reports it, and the whole section if these include its header or
//! if the section still cannot be parsed without them. A header of a table that an earlier section has defined costs the
//! later section. Lost lines are replaced by blanks, so that positions in the readable text are those in the original.

use std::borrow::Cow;
use std::ops::Range;
use toml::de::{DeTable, Error};

/// The beginning of the message of a syntax error.
pub const SYNTAX_ERROR: &str = "not TOML";

/// A TOML text, without the lines that cannot be read.
#[derive(Debug)]
pub struct ReadableToml<'a> {
    /// The text without the lost lines, which are blank.
    text: Cow<'a, str>,
    original: &'a str,
    /// Byte offset and message of each syntax error.
    pub(super) errors: Vec<(usize, String)>,
    /// Byte ranges of lost lines.
    lost: Vec<Range<usize>>,
}

impl<'a> ReadableToml<'a> {
    /// Finds the readable part of a text.
    pub fn new(original: &'a str) -> Self {
        let mut readable =
            ReadableToml { text: Cow::Borrowed(original), original, errors: Vec::new(), lost: Vec::new() };
        if DeTable::parse_recoverable(original).1.is_empty() {
            return readable;
        }
        let sections = sections(original);
        for section in &sections {
            readable.recover(section.clone());
        }
        // What remains are tables and keys that a section defines again.
        for _ in 0..sections.len() {
            let errors = DeTable::parse_recoverable(&readable.text).1;
            let Some(error) = errors.first() else { break };
            let (offset, message) = describe(error, readable.text.len());
            readable.errors.push((offset, message));
            let section = sections.iter().find(|section| section.contains(&offset));
            readable.lose(section.cloned().unwrap_or(0..original.len()));
        }
        if !DeTable::parse_recoverable(&readable.text).1.is_empty() {
            readable.lose(0..original.len());
        }
        readable
    }

    /// The readable text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with its unreadable lines.
    pub fn original(&self) -> &'a str {
        self.original
    }

    /// The lines that cannot be read, each with its byte range.
    pub fn lost_lines(&self) -> impl Iterator<Item = (Range<usize>, &'a str)> {
        lines(self.original)
            .filter(|line| self.is_lost(line))
            .map(|line| (line.clone(), &self.original[line]))
    }

    /// The byte ranges of the tables that lost lines, each with the line of its header.
    pub fn damaged_tables(&self) -> impl Iterator<Item = (Range<usize>, &'a str)> {
        let damaged = sections(self.original).into_iter().filter(|section| self.is_lost(section));
        damaged.filter_map(|section| {
            let header = lines(self.original).find(|line| line.start == section.start)?;
            let header = self.original[header].trim();
            header.starts_with('[').then_some((section, header))
        })
    }

    fn is_lost(&self, range: &Range<usize>) -> bool {
        self.lost.iter().any(|lost| lost.start < range.end && range.start < lost.end)
    }

    /// Records the syntax errors of a section, and leaves out lines until the rest can be parsed.
    fn recover(&mut self, section: Range<usize>) {
        let errors = |text: &str| -> Vec<(Range<usize>, String)> {
            let text = &text[section.clone()];
            // An open value is reported at the end, where nothing may be written.
            let last = text.trim_end().len().saturating_sub(1);
            let place = |error: &Error| {
                let (offset, message) = describe(error, last);
                let end = error.span().map_or(offset, |span| span.end.saturating_sub(1).clamp(offset, last));
                (section.start + offset..section.start + end + 1, message)
            };
            DeTable::parse_recoverable(text).1.iter().map(place).collect()
        };
        let mut found = errors(&self.text);
        for (range, message) in &found {
            // Further errors in a line follow from the first one.
            let line = lines(self.original).find(|line| line.contains(&range.start)).unwrap_or_default();
            if !self.errors.iter().any(|(offset, _)| line.contains(offset)) {
                self.errors.push((range.start, message.clone()));
            }
        }
        let header = lines(self.original).find(|line| line.start == section.start);
        let header = header.filter(|line| is_header(&self.original[line.clone()]));
        while !found.is_empty() {
            let damaged: Vec<Range<usize>> = lines(self.original)
                .filter(|line| section.contains(&line.start))
                .filter(|line| {
                    found.iter().any(|(range, _)| range.start < line.end && line.start < range.end)
                })
                .filter(|line| !self.is_lost(line))
                .collect();
            let has_header = |line: &Range<usize>| header.as_ref() == Some(line);
            if damaged.is_empty() || damaged.iter().any(has_header) {
                self.lose(section.clone());
                return;
            }
            for line in damaged {
                self.lose(line);
            }
            found = errors(&self.text);
        }
    }

    /// Replaces the bytes of a range by blanks, except for line feeds.
    fn lose(&mut self, range: Range<usize>) {
        let blank: String =
            self.text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        self.text.to_mut().replace_range(range.clone(), &blank);
        self.lost.push(range);
    }
}

/// Byte offset and message of a syntax error; the offset is at most `last`.
fn describe(error: &Error, last: usize) -> (usize, String) {
    let offset = error.span().map_or(last, |span| span.start).min(last);
    // A diagnostic is one line.
    let message = error.message().split('\n').map(str::trim).collect::<Vec<_>>().join(", ");
    (offset, format!("{SYNTAX_ERROR}: {message}"))
}

/// The byte ranges of the lines, line feeds included.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let range = *start..*start + line.len();
        *start = range.end;
        Some(range)
    })
}

/// The byte ranges of the sections. The comment lines directly above a header belong to the section before.
fn sections(text: &str) -> Vec<Range<usize>> {
    let headers = lines(text).filter(|line| line.start > 0 && is_header(&text[line.clone()]));
    let starts: Vec<usize> = std::iter::once(0).chain(headers.map(|line| line.start)).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Whether a line looks like the header of a table, be it complete or not, rather than like a line of a list.
fn is_header(line: &str) -> bool {
    let line = line.trim();
    let Some(name) = line.strip_prefix("[[").or_else(|| line.strip_prefix('[')) else { return false };
    let name = name.trim_start();
    let is_list = line.ends_with(',') || name.split(']').next().is_some_and(|name| name.contains(','));
    !is_list && name.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '"' | '\'' | '_' | '-' | ']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn readable(text: &str) -> (String, Vec<usize>) {
        let readable = ReadableToml::new(text);
        let kept = readable.text().lines().filter(|line| !line.trim().is_empty());
        let kept = kept.collect::<Vec<_>>().join("|");
        let line = |(offset, _): &(usize, String)| text[..*offset].matches('\n').count() + 1;
        (kept, readable.errors.iter().map(line).collect())
    }

    #[test]
    fn valid_text_is_left_as_it_is() {
        let text = "a = 1\n[b]\nc = [\n  [1, 2],\n  [3]\n]\n";
        assert_eq!(readable(text), (text.trim().replace('\n', "|"), vec![]));
    }

    #[test]
    fn a_syntax_error_costs_its_line() {
        assert_eq!(readable("[a]\nx = \ny = 2\n[b]\nz = 3\n"), ("[a]|y = 2|[b]|z = 3".into(), vec![2]));
        assert_eq!(readable("x = = 1\ny = 2\n"), ("y = 2".into(), vec![1]));
        assert_eq!(readable("[a]\nx = \"open\ny = 2\n"), ("[a]|y = 2".into(), vec![2]));
        assert_eq!(readable("[a]\nx = 1\nx = 2\n[b]\n"), ("[a]|x = 1|[b]".into(), vec![3]));
    }

    #[test]
    fn a_broken_header_costs_its_table() {
        assert_eq!(readable("[a]\nx = 1\n[b\ny = 2\n[c]\nz = 3\n"), ("[a]|x = 1|[c]|z = 3".into(), vec![3]));
        assert_eq!(readable("[a]\nx = 1\n[]\ny = 2\n[c]\n").0, "[a]|x = 1|[c]");
        assert_eq!(readable("[a] x = 1\n[c]\n").0, "[c]");
    }

    #[test]
    fn an_open_value_ends_at_the_next_table() {
        assert_eq!(readable("[a]\nx = \"\"\"\ny = 2\n[b]\nz = 3\n").0, "[a]|[b]|z = 3");
        let (kept, errors) = readable("[a]\nx = [\"u\",\n  \"v\"\n\n[b]\nz = 3\n");
        assert!(kept.ends_with("[b]|z = 3") && !errors.is_empty(), "{kept} {errors:?}");
    }

    #[test]
    fn a_second_table_of_a_name_is_lost() {
        assert_eq!(readable("[a]\nx = 1\n[b]\n[a]\nx = 2\n[c]\n"), ("[a]|x = 1|[b]|[c]".into(), vec![4]));
        let readable = ReadableToml::new("[a]\nx = 1\n[a]\nx = 2\n");
        let tables: Vec<_> = readable.damaged_tables().map(|(_, header)| header).collect();
        assert_eq!(tables, ["[a]"]);
    }

    proptest! {
        #[test]
        fn the_readable_text_is_toml_with_the_same_positions(
            lines in prop::collection::vec(
                (
                    prop::sample::select(vec!["[a]", "[é.b]", "x", "y.z", "[[q]]", "#", "\"", "'''", "]", "[", "\r"]),
                    prop::sample::select(vec!["", " = ", " = \"", " = 2", " = [1", " = {a", " = \"\"\"", "]", " = 'é'"]),
                ),
                0..14,
            )
        ) {
            let text = lines.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join("\n");
            let readable = ReadableToml::new(&text);
            prop_assert!(DeTable::parse_recoverable(readable.text()).1.is_empty(), "{}", readable.text());
            prop_assert_eq!(readable.text().len(), text.len());
            prop_assert_eq!(readable.text() == text, readable.errors.is_empty());
        }
    }
}
