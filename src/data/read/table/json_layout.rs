//! How the objects of a JSON file are arranged.

use super::json_values::without_non_finite;
use super::non_finite::NonFiniteReader;
use crate::data::read::text_file::{LineSource, TextFile};
use crate::error::Result;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::{BufReader, Read};

/// How the objects of a JSON file are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// One after another, over several lines.
    Values,
    /// In an array.
    Array,
    /// In an array that an object has under this key.
    Wrapped(String),
}

impl Layout {
    pub(super) fn detect(file: &TextFile<'_>) -> Result<Self> {
        match first_byte(file)? {
            Some(b'[') => return Ok(Layout::Array),
            Some(b'{') | None => {}
            Some(_) => return Ok(Layout::Lines),
        }
        let mut lines = file.lines()?;
        let mut first = None;
        // A line above the maximum length may be a whole array.
        while let Some((_, line)) = lines.next_line().unwrap_or(None) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if first.is_some() {
                return Ok(Layout::Lines);
            }
            let line = without_non_finite(line).unwrap_or_else(|| line.to_vec());
            match serde_json::from_slice::<Shape>(&line) {
                Ok(shape) => first = Some(shape),
                Err(error) if error.is_eof() => break,
                Err(_) => return Ok(Layout::Lines),
            }
        }
        match first {
            Some(shape) => Ok(shape.table().map_or(Layout::Lines, Layout::Wrapped)),
            None => Self::of_whole_file(file),
        }
    }

    /// The layout of a file whose first object spans lines.
    fn of_whole_file(file: &TextFile<'_>) -> Result<Self> {
        let reader = BufReader::with_capacity(64 << 10, NonFiniteReader::new(file.reader()?));
        let mut deserializer = serde_json::Deserializer::from_reader(reader);
        let shape = match Shape::deserialize(&mut deserializer) {
            Ok(shape) => shape,
            Err(error) if error.is_io() => return Err(file.read_error(error.into())),
            Err(_) => return Ok(Layout::Values),
        };
        let is_only = deserializer.end().is_ok();
        Ok(shape.table().filter(|_| is_only).map_or(Layout::Values, Layout::Wrapped))
    }

    /// What was found, unless it is one object a line or an array.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Layout::Lines | Layout::Values | Layout::Array => None,
            Layout::Wrapped(key) => Some(format!("rows from the array {key:?}")),
        }
    }
}

/// The first byte that is not white space.
pub(super) fn first_byte(file: &TextFile<'_>) -> Result<Option<u8>> {
    let mut reader = file.reader()?;
    let mut chunk = [0; 4096];
    loop {
        let count = reader.read(&mut chunk).map_err(|e| file.read_error(e))?;
        let byte = chunk[..count].iter().find(|byte| !byte.is_ascii_whitespace());
        if byte.is_some() || count == 0 {
            return Ok(byte.copied());
        }
    }
}

/// The keys of an object whose values are arrays of objects.
struct Shape {
    tables: Vec<String>,
}

impl Shape {
    /// The key of the rows: `data`, or the only array of objects of an object without text and label.
    fn table(self) -> Option<String> {
        let data = self.tables.iter().position(|key| key == "data");
        match (data, self.tables.len()) {
            (Some(index), _) => self.tables.into_iter().nth(index),
            (None, 1) => self.tables.into_iter().next(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Shape, A::Error> {
        let mut tables = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if matches!(map.next_value()?, Kind::Table) && (tables.len() < 2 || key == "data") {
                tables.push(key);
            }
        }
        Ok(Shape { tables })
    }
}

/// What a value is.
enum Kind {
    /// An array whose first element is an object.
    Table,
    Object,
    Other,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

macro_rules! other {
    ($($visit:ident: $type:ty),+) => {
        $(fn $visit<E: serde::de::Error>(self, _: $type) -> std::result::Result<Kind, E> {
            Ok(Kind::Other)
        })+
    };
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    other!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Kind, A::Error> {
        let first = seq.next_element::<Kind>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(if matches!(first, Some(Kind::Object)) { Kind::Table } else { Kind::Other })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Kind, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Kind::Object)
    }
}
