//! The values of a swept key: a list, or a range.

use super::settings::Search;
use crate::config::{describe_value, expected_one_of, unknown_name};
use crate::spec::key::Key;
use crate::spec::kind::ValueKind;
use crate::spec::run_spec::built_in;
use crate::spec::toml_value::{toml_value, value_text};
use std::collections::HashSet;
use std::fmt;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A key with several values.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The key.
    pub key: &'static Key,
    /// Its values.
    pub values: SweptValues,
}

/// The values of a swept key.
#[derive(Debug, Clone, PartialEq)]
pub enum SweptValues {
    /// These values, as a user would type them; never empty.
    List(Vec<String>),
    /// The numbers of a range.
    Range(ValueRange),
}

/// A range of numbers, with both ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueRange {
    /// The smallest number.
    pub min: f64,
    /// The largest number.
    pub max: f64,
    /// How numbers are distributed in it.
    pub scale: Scale,
    /// Whether its numbers are whole.
    pub is_integer: bool,
    /// Both ends as typed.
    texts: [String; 2],
}

/// How the numbers of a range are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Uniformly.
    #[default]
    Linear,
    /// Their logarithms uniformly.
    Log,
}

impl Scale {
    const ALL: [Scale; 2] = [Scale::Linear, Scale::Log];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Linear => "linear",
            Scale::Log => "log",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A problem and the byte offset of the value at fault.
type Problem = (usize, String);

impl SweptValues {
    /// The values that a TOML value of `key` stands for; `None` if it is a single value. Only with [`Search::Zip`], a
    /// value may be in a list several times.
    ///
    /// # Errors
    /// A sentence without the name of the key for each value at fault, with its byte offset.
    pub(in crate::spec) fn from_toml(
        key: &Key,
        value: &Spanned<DeValue>,
        search: Search,
    ) -> Option<Result<SweptValues, Vec<Problem>>> {
        let offset = value.span().start;
        match value.get_ref() {
            DeValue::Array(list) if is_list_of_values(key, list) => {
                Some(list_values(key, list, offset, search))
            }
            DeValue::Table(table) if key.kind != ValueKind::LabelMap => {
                Some(range(key, table, offset).map(SweptValues::Range).map_err(|problem| vec![problem]))
            }
            _ => None,
        }
    }

    /// The values that `text` stands for, as typed into a form or after `--set KEY=`; `None` if it is a single value. That
    /// a value is in a list several times is an error of the sweep, whose `search` may allow it.
    ///
    /// # Errors
    /// A sentence without the name of the key.
    pub fn from_text(key: &Key, text: &str) -> Option<Result<SweptValues, String>> {
        let text = text.trim();
        if !text.starts_with(['[', '{']) {
            return None;
        }
        let document = format!("value = {text}");
        let values = match DeTable::parse(&document) {
            Ok(table) => SweptValues::from_toml(key, table.get_ref().iter().next()?.1, Search::Zip)?,
            Err(_) => words(key, text)?,
        };
        let sentence =
            |problems: Vec<Problem>| problems.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("; ");
        Some(values.map_err(sentence))
    }

    /// Whether `text`, as typed into a form or after `--set KEY=`, is a value of the key, a list of values or a range.
    ///
    /// # Errors
    /// A sentence without the name of the key.
    pub fn check(key: &Key, text: &str) -> Result<(), String> {
        match SweptValues::from_text(key, text) {
            Some(values) => values.map(drop),
            None => key.check(text),
        }
    }

    /// `text`, or the first value of the list or range that it stands for.
    pub fn first_of(key: &Key, text: &str) -> String {
        match SweptValues::from_text(key, text) {
            Some(Ok(values)) => values.first(),
            _ => text.to_owned(),
        }
    }

    /// The first value of a list that an earlier one equals, in any notation.
    pub(super) fn repeated(&self, key: &Key) -> Option<&str> {
        let SweptValues::List(values) = self else { return None };
        let mut seen = HashSet::new();
        values.iter().map(String::as_str).find(|text| !seen.insert(normal_form(key, text)))
    }

    /// The first value: that of the specification that stands for the sweep.
    pub(super) fn first(&self) -> String {
        match self {
            SweptValues::List(values) => values.first().cloned().unwrap_or_default(),
            SweptValues::Range(range) => range.texts[0].clone(),
        }
    }

    /// The values as TOML: `[1e-5, 2e-5]`, `{ min = 1e-5, max = 1e-4, scale = "log" }`.
    pub fn toml(&self, key: &Key) -> String {
        match self {
            SweptValues::List(values) => {
                let item = |text: &String| match text.as_str() {
                    "" => "\"\"".to_owned(),
                    text => toml_value(key.kind, text).to_string().trim().to_owned(),
                };
                format!("[{}]", values.iter().map(item).collect::<Vec<_>>().join(", "))
            }
            SweptValues::Range(ValueRange { texts: [min, max], scale, .. }) => {
                format!("{{ min = {min}, max = {max}, scale = \"{scale}\" }}")
            }
        }
    }
}

/// Whether a list has the values of a sweep. A list that is the value of a key has no lists in it.
fn is_list_of_values(key: &Key, list: &DeArray) -> bool {
    !key.kind.accepts_list() || list.iter().any(|item| item.get_ref().is_array())
}

fn list_values(
    key: &Key,
    list: &DeArray,
    offset: usize,
    search: Search,
) -> Result<SweptValues, Vec<Problem>> {
    values_of(key, list.iter().map(|item| (item.span().start, value_text(key, item))), offset, search)
}

/// A list of these values and their byte offsets, each of which has to be a valid one.
fn values_of(
    key: &Key,
    items: impl Iterator<Item = (usize, Result<String, String>)>,
    offset: usize,
    search: Search,
) -> Result<SweptValues, Vec<Problem>> {
    let (mut values, mut normal_forms, mut problems) = (Vec::new(), HashSet::new(), Vec::new());
    for (at, text) in items {
        match text.and_then(|text| Ok((normal_form(key, &text)?, text))) {
            Ok((form, text)) if search != Search::Zip && normal_forms.contains(&form) => {
                problems.push((at, is_repeated(&text)));
            }
            Ok((form, text)) => {
                normal_forms.insert(form);
                values.push(text);
            }
            Err(why) => problems.push((at, why)),
        }
    }
    if values.is_empty() && problems.is_empty() {
        problems.push((offset, "the list of values is empty".into()));
    }
    if problems.is_empty() { Ok(SweptValues::List(values)) } else { Err(problems) }
}

/// Why a value that is in a list several times cannot be used, unless `search` is [`Search::Zip`].
pub(super) fn is_repeated(text: &str) -> String {
    format!("{text} is in the list twice")
}

/// The value that a text stands for, in one notation.
fn normal_form(key: &Key, text: &str) -> Result<Option<String>, String> {
    let mut spec = built_in("");
    key.set(&mut spec, text)?;
    Ok(key.get(&spec))
}

/// A list without quotes, as a shell leaves it: `[linear,cosine]`. Only for keys whose values have no brackets.
fn words(key: &Key, text: &str) -> Option<Result<SweptValues, Vec<Problem>>> {
    if matches!(key.kind, ValueKind::Text | ValueKind::Path | ValueKind::LabelMap) || key.kind.accepts_list()
    {
        return None;
    }
    let list = text.strip_prefix('[')?.strip_suffix(']')?;
    let word = |word: &str| (0, Ok(word.trim().trim_matches(['"', '\'']).to_owned()));
    Some(values_of(key, list.split(',').map(word), 0, Search::Zip))
}

const RANGE_KEYS: [&str; 3] = ["min", "max", "scale"];

fn range(key: &Key, table: &DeTable, offset: usize) -> Result<ValueRange, Problem> {
    let is_integer = matches!(key.kind, ValueKind::Integer { .. } | ValueKind::Interval);
    if !is_integer && !matches!(key.kind, ValueKind::Real { .. }) {
        let expected = key.kind.expected();
        return Err((
            offset,
            format!("expected {expected}, found a table; only keys with numbers have ranges"),
        ));
    }
    let mut ends = [None, None];
    let mut scale = Scale::default();
    for (name, value) in table {
        let at = value.span().start;
        match name.get_ref().as_ref() {
            "scale" => scale = scale_of(value.get_ref()).map_err(|why| (at, why))?,
            name => {
                let unknown = || (at, unknown_name("key", name, RANGE_KEYS.into_iter()));
                let index = ["min", "max"].iter().position(|end| *end == name).ok_or_else(unknown)?;
                let text = value_text(key, value).and_then(|text| key.check(&text).map(|()| text));
                let text = text.map_err(|why| (at, why))?;
                let number = text.replace('_', "").parse::<f64>();
                let number = number.map_err(|_| (at, format!("expected a number, found `{text}`")))?;
                ends[index] = Some((number, text));
            }
        }
    }
    let [Some((min, first)), Some((max, last))] = ends else {
        let example = "such as { min = 1, max = 8, scale = \"log\" }";
        return Err((offset, format!("a range needs min and max, {example}")));
    };
    if min >= max {
        return Err((offset, format!("min of the range, {first}, is not below max, {last}")));
    }
    if scale == Scale::Log && min <= 0.0 {
        return Err((offset, format!("a range with scale = \"log\" needs a min above 0, found {first}")));
    }
    Ok(ValueRange { min, max, scale, is_integer, texts: [first, last] })
}

fn scale_of(value: &DeValue) -> Result<Scale, String> {
    let DeValue::String(text) = value else {
        return Err(format!("expected linear or log in quotes, found {}", describe_value(value)));
    };
    let found = Scale::ALL.into_iter().find(|scale| scale.name() == text);
    found.ok_or_else(|| expected_one_of(&Scale::ALL.map(Scale::name), text))
}
