//! JSON Lines, and JSON arrays of objects. The keys of the objects are the columns.

use super::cell::{OnRow, Position, row_error};
use super::copy::{Destination, NewColumns};
use super::json_layout::Layout;
use super::json_values::{Keys, Object, Row, Rows, ValueSink, without_non_finite};
use super::non_finite::NonFiniteReader;
use crate::data::read::budget::MAX_ROW_BYTES;
use crate::data::read::input::Problem;
use crate::data::read::text_file::{LineSource, TextFile, too_long};
use crate::error::{Error, Result};
use serde::de::DeserializeSeed;
use serde_json::Deserializer;
use std::cell::Cell as Shared;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

/// Receives every object of a file with its position, and whether to read on.
type OnObject<'a, S> = &'a mut dyn FnMut(Position, &mut S) -> Result<ControlFlow<()>>;

/// A file of JSON objects.
#[derive(Debug)]
pub(super) struct Json<'p> {
    file: TextFile<'p>,
    layout: Layout,
    names: Vec<String>,
    notes: Vec<String>,
}

impl<'p> Json<'p> {
    /// Finds out how the objects are arranged, and the keys of all objects; only until those in `wanted` are found, if
    /// there are any.
    pub(super) fn open(file: TextFile<'p>, wanted: &[&str]) -> Result<Self> {
        let layout = Layout::detect(&file)?;
        let mut found = file.note();
        found.extend(layout.note());
        let notes = if found.is_empty() {
            Vec::new()
        } else {
            vec![format!("{}: read with {}", file.path().display(), found.join(", "))]
        };
        let mut json = Json { file, layout, names: Vec::new(), notes };
        let mut keys = Keys::default();
        json.for_each(&mut keys, &mut |_, keys: &mut Keys| {
            let has_all = !wanted.is_empty() && wanted.iter().all(|name| keys.contains(name));
            Ok(if has_all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        json.names = keys.into_names();
        if json.names.is_empty() {
            return Err(Error::data(
                json.file.path(),
                None,
                "is empty; it should have one JSON object per line",
            ));
        }
        Ok(json)
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the cells of the keys `projection` of every object.
    pub(super) fn read(&self, projection: &[usize], on_row: OnRow<'_>) -> Result<()> {
        let names = projection.iter().filter_map(|index| self.names.get(*index).cloned()).collect();
        let mut row = Row::new(names);
        self.for_each(&mut row, &mut |position, row: &mut Row| {
            on_row(position, row.take_cells()).map(ControlFlow::Continue)
        })
    }

    /// Writes a copy with members added to every object: one object a line, in an array if the file is one. The text of
    /// objects that have a line each is kept.
    pub(super) fn copy_with(&self, new: &NewColumns<'_>, out: Destination<'_>) -> Result<()> {
        let path = self.file.path();
        let Destination { name, writer } = out;
        let is_array = matches!(self.layout, Layout::Array | Layout::Wrapped(_));
        let mut rows = 0;
        let mut write_object = |object: &[u8]| {
            let members = new.members(rows, path)?;
            let start = match (is_array, rows) {
                (false, _) => "",
                (true, 0) => "[\n",
                (true, _) => ",\n",
            };
            rows += 1;
            let object = object.trim_ascii().strip_suffix(b"}").unwrap_or(object).trim_ascii_end();
            let comma = if object == b"{" || members.is_empty() { "" } else { "," };
            let end = if is_array { "" } else { "\n" };
            let parts =
                [start.as_bytes(), object, comma.as_bytes(), members.as_bytes(), b"}", end.as_bytes()];
            parts.iter().try_for_each(|part| writer.write_all(part)).map_err(Error::writing(name))
        };
        if self.layout == Layout::Lines {
            let mut lines = self.file.lines()?;
            while let Some((_, line)) = lines.next_line()? {
                if !line.trim_ascii().is_empty() {
                    write_object(line)?;
                }
            }
        } else {
            let mut object = Object::default();
            self.for_each(&mut object, &mut |_, object: &mut Object| {
                write_object(object.to_json().as_bytes()).map(ControlFlow::Continue)
            })?;
        }
        new.check_count(rows, path)?;
        let end = if is_array { "\n]\n" } else { "" };
        writer.write_all(end.as_bytes()).and_then(|()| writer.flush()).map_err(Error::writing(name))
    }

    /// Parses every object into `sink`, and calls `on_object` after each.
    fn for_each<S: ValueSink>(&self, sink: &mut S, on_object: OnObject<'_, S>) -> Result<()> {
        match &self.layout {
            Layout::Lines => self.for_each_line(sink, on_object),
            layout => self.for_each_value(layout, sink, on_object),
        }
    }

    fn for_each_line<S: ValueSink>(&self, sink: &mut S, on_object: OnObject<'_, S>) -> Result<()> {
        let mut lines = self.file.lines()?;
        while let Some((number, line)) = lines.next_line()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let parsed = parse(line, sink).or_else(|error| {
                let replaced = without_non_finite(line).ok_or(error)?;
                parse(&replaced, sink)
            });
            parsed.map_err(|error| {
                let problem = format!("column {}: is not a JSON object: {}", error.column(), message(&error));
                row_error(self.file.path(), Position::Line(number), &problem)
            })?;
            if on_object(Position::Line(number), sink)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Parses objects that are not one a line, in bounded memory.
    fn for_each_value<S: ValueSink>(
        &self,
        layout: &Layout,
        sink: &mut S,
        on_object: OnObject<'_, S>,
    ) -> Result<()> {
        let has_row_ended = Rc::new(Shared::new(false));
        let limited = RowLimit {
            reader: NonFiniteReader::new(self.file.reader()?),
            row_bytes: 0,
            has_row_ended: has_row_ended.clone(),
        };
        let mut deserializer = Deserializer::from_reader(BufReader::with_capacity(64 << 10, limited));
        // Why parsing ended before the end of the file.
        let mut end = None;
        let mut number = 0;
        let mut on_object = |sink: &mut S| {
            has_row_ended.set(true);
            number += 1;
            match on_object(Position::Row(number), sink) {
                Ok(ControlFlow::Continue(())) => return true,
                Ok(ControlFlow::Break(())) => end = Some(Ok(())),
                Err(error) => end = Some(Err(error)),
            }
            false
        };
        let wrapper = match layout {
            Layout::Wrapped(key) => Some(key.as_str()),
            _ => None,
        };
        let mut rows = Rows { sink, on_object: &mut on_object, wrapper };
        let parsed = if *layout == Layout::Values {
            rows.concatenated(&mut deserializer)
        } else {
            (&mut rows).deserialize(&mut deserializer).and_then(|()| deserializer.end())
        };
        match (end, parsed) {
            (Some(end), _) => end,
            (None, Ok(())) => Ok(()),
            (None, Err(error)) if error.is_io() => Err(self.file.read_error(error.into())),
            (None, Err(error)) => {
                let problem = format!("column {}: {}", error.column(), message(&error));
                Err(Error::data(self.file.path(), Some(error.line() as u64), problem))
            }
        }
    }
}

fn parse<S: ValueSink>(line: &[u8], sink: &mut S) -> std::result::Result<(), serde_json::Error> {
    let mut deserializer = Deserializer::from_slice(line);
    sink.object(&mut deserializer)?;
    deserializer.end()
}

/// The message without its position.
fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split(" at line ").next().unwrap_or_default().to_string()
}

/// Limits the bytes that are read for one object.
struct RowLimit<R> {
    reader: R,
    row_bytes: u64,
    has_row_ended: Rc<Shared<bool>>,
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.has_row_ended.take() {
            self.row_bytes = 0;
        }
        if self.row_bytes > MAX_ROW_BYTES {
            return Err(Problem(too_long("a JSON object")).into());
        }
        let count = self.reader.read(buffer)?;
        self.row_bytes += count as u64;
        Ok(count)
    }
}
