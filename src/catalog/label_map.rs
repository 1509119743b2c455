//! The key `label_map`: the labels of a checkpoint and those of the task that they stand for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use toml::Table;

/// From a checkpoint's label names to those of the task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelMap {
    names: BTreeMap<String, String>,
}

impl LabelMap {
    /// What a text of the map looks like.
    pub const EXPECTED: &'static str =
        "label names of the checkpoint and the task, as in A=B,C=D or { \"A\" = \"B\", \"C\" = \"D\" }";

    /// Whether it maps nothing.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Each label of the checkpoint with that of the task.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// A map with these pairs.
    ///
    /// # Errors
    /// A sentence if there are none, or a name is empty or has two values.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut names = BTreeMap::new();
        for (from, to) in pairs {
            if from.is_empty() || to.is_empty() {
                return Err(format!("expected {}, found an empty name", Self::EXPECTED));
            }
            if names.insert(from.clone(), to).is_some() {
                return Err(format!("label `{from}` has two values"));
            }
        }
        if names.is_empty() {
            Err(format!("expected {}, found nothing", Self::EXPECTED))
        } else {
            Ok(LabelMap { names })
        }
    }
}

impl FromStr for LabelMap {
    type Err = String;

    /// Parses `A=B,C=D`, or an inline table of TOML for names with a comma or an equals sign.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            let invalid = || format!("expected {}, found `{text}`", Self::EXPECTED);
            let table: Table = format!("map = {text}").parse().map_err(|_| invalid())?;
            let map = table.get("map").and_then(toml::Value::as_table).ok_or_else(invalid)?;
            let pair = |(from, to): (&String, &toml::Value)| Some((from.clone(), to.as_str()?.to_owned()));
            return Self::new(map.iter().map(pair).collect::<Option<Vec<_>>>().ok_or_else(invalid)?);
        }
        let pair = |part: &str| match part.split_once('=') {
            Some((from, to)) => Ok((from.trim().to_owned(), to.trim().to_owned())),
            None => Err(format!("expected {}, found `{part}`", Self::EXPECTED)),
        };
        Self::new(text.split(',').map(pair).collect::<Result<Vec<_>, _>>()?)
    }
}

impl fmt::Display for LabelMap {
    /// As `A=B,C=D`, or as an inline table if a name has a comma, an equals sign or a brace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |name: &str| !name.contains([',', '=', '{', '"']) && name.trim() == name;
        if self.iter().all(|(from, to)| is_plain(from) && is_plain(to)) {
            let pairs: Vec<String> = self.iter().map(|(from, to)| format!("{from}={to}")).collect();
            return f.write_str(&pairs.join(","));
        }
        f.write_str(&self.to_toml())
    }
}

impl LabelMap {
    /// An inline table of TOML.
    pub fn to_toml(&self) -> String {
        let pairs: Vec<String> =
            self.iter().map(|(from, to)| format!("{} = {}", quoted(from), quoted(to))).collect();
        format!("{{ {} }}", pairs.join(", "))
    }
}

/// A string of TOML in double quotes, on one line.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_written() {
        let read = |text: &str| text.parse::<LabelMap>().map(|map| map.to_string());
        assert_eq!(read("b=c, a = d").unwrap(), "a=d,b=c");
        assert_eq!(read(r#"{ "b" = "c", a = "d" }"#).unwrap(), "a=d,b=c");
        let odd = r#"{ "a, b" = "c=d", "e\"\\\u0007" = "f" }"#;
        assert_eq!(read(odd).unwrap().parse::<LabelMap>().unwrap(), odd.parse().unwrap());
        assert_eq!(read(odd).unwrap(), read(&read(odd).unwrap()).unwrap());
        for wrong in ["", "a", "a=b,c", "=b", "a=", "a=b,a=c", "{ a = 1 }", "{ a = ", "{}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
