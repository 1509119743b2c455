//! Deserialization of JSON objects: their keys, or the cells of some keys. Other values are skipped without memory.

use super::cell::Cell;
use super::non_finite::NonFinite;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::collections::HashSet;
use std::fmt;

/// Maximum number of keys that are collected: a file with more has no columns.
const MAX_KEYS: usize = 10_000;

/// What an object is deserialized into.
pub(super) trait ValueSink {
    /// Deserializes an object.
    fn object<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error>;
}

/// The keys of all objects, in the order of their first occurrence.
#[derive(Debug, Default)]
pub(super) struct Keys {
    names: Vec<String>,
    known: HashSet<String>,
}

impl Keys {
    pub(super) fn contains(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }
}

impl ValueSink for Keys {
    fn object<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(KeysVisitor(self))
    }
}

const EXPECTED_OBJECT: &str = "an object with the columns as keys";

struct KeysVisitor<'a>(&'a mut Keys);

impl<'de> Visitor<'de> for KeysVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED_OBJECT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.0.names.len() < MAX_KEYS && !self.0.known.contains(&key) {
                self.0.known.insert(key.clone());
                self.0.names.push(key);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// All keys and values of an object.
#[derive(Debug, Default)]
pub(super) struct Object(serde_json::Map<String, serde_json::Value>);

impl Object {
    /// The last object on one line.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

impl ValueSink for Object {
    fn object<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.0 = Deserialize::deserialize(deserializer)?;
        Ok(())
    }
}

/// The cells of some keys of an object.
#[derive(Debug)]
pub(super) struct Row {
    names: Vec<String>,
    cells: Vec<Cell>,
}

impl Row {
    pub(super) fn new(names: Vec<String>) -> Self {
        Row { cells: Vec::new(), names }
    }

    /// The cells of the last object; [`Cell::Null`] for keys that it does not have.
    pub(super) fn take_cells(&mut self) -> Vec<Cell> {
        std::mem::take(&mut self.cells)
    }
}

impl ValueSink for Row {
    fn object<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.cells = vec![Cell::Null; self.names.len()];
        deserializer.deserialize_map(RowVisitor(self))
    }
}

struct RowVisitor<'a>(&'a mut Row);

impl<'de> Visitor<'de> for RowVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED_OBJECT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(index) = map.next_key_seed(KeyIndex(&self.0.names))? {
            match index.and_then(|index| self.0.cells.get_mut(index)) {
                Some(cell) => *cell = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The index of a key among names, if it is one of them.
struct KeyIndex<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for KeyIndex<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIndex<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name == key))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        Ok(i64::try_from(number).map_or(Cell::Float(number as f64), Cell::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Cell, E> {
        Ok(Cell::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_string()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Cell, E> {
        Ok(Cell::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = seq.next_element()? {
            cells.push(cell);
        }
        Ok(Cell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object".into()))
    }
}

/// Deserializes an array of objects one by one.
pub(super) struct Rows<'a, S> {
    pub(super) sink: &'a mut S,
    /// Called after each object; returns whether to read on.
    pub(super) on_object: &'a mut dyn FnMut(&mut S) -> bool,
    /// The key of the array in an object that has it.
    pub(super) wrapper: Option<&'a str>,
}

impl<S: ValueSink> Rows<'_, S> {
    /// Deserializes objects that follow each other.
    pub(super) fn concatenated<R: std::io::Read>(
        &mut self,
        deserializer: &mut serde_json::Deserializer<serde_json::de::IoRead<R>>,
    ) -> Result<(), serde_json::Error> {
        while deserializer.end().is_err() {
            self.element(&mut *deserializer)?;
        }
        Ok(())
    }

    fn element<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.sink.object(deserializer)?;
        if (self.on_object)(self.sink) { Ok(()) } else { Err(Error::custom("reading has ended")) }
    }
}

impl<'de, S: ValueSink> DeserializeSeed<'de> for &mut Rows<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.wrapper {
            Some(_) => deserializer.deserialize_map(self),
            None => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de, S: ValueSink> Visitor<'de> for &mut Rows<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Element(self))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wrapper = self.wrapper.take();
        while let Some(key) = map.next_key::<String>()? {
            if Some(key.as_str()) == wrapper {
                map.next_value_seed(&mut *self)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Element<'r, 'a, S>(&'r mut Rows<'a, S>);

impl<'de, S: ValueSink> DeserializeSeed<'de> for Element<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.element(deserializer)
    }
}

/// The line with `null` in place of `NaN` and infinities, which Python writes; `None` if it has none.
pub(super) fn without_non_finite(line: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(line.len() + 8);
    let mut filter = NonFinite::default();
    for byte in line {
        filter.push(*byte, &mut replaced);
    }
    filter.finish(&mut replaced);
    filter.has_replaced().then_some(replaced)
}
