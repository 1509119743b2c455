//! The label names of a `config.json`, read as Transformers reads them.

use super::error_text::shortened;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Labels of a configuration without `id2label` and `num_labels`.
const DEFAULT_LABELS: u64 = 2;

/// The keys `id2label` and `num_labels`. `label2id` has no effect, as in Transformers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Id2Label {
    names: BTreeMap<i64, String>,
    num_labels: u64,
    /// Why the keys cannot be read, for the commands that need them.
    problem: Option<String>,
}

impl Id2Label {
    /// Reads the keys of a `config.json`. What cannot be read is an error only where names are needed: see
    /// [`Id2Label::for_outputs`].
    pub(super) fn parse(raw: &Map<String, Value>) -> Self {
        let find = |key: &str| raw.get(key).filter(|value| !value.is_null());
        let unreadable = |problem: String| Id2Label { problem: Some(problem), ..Id2Label::default() };
        match (find("id2label"), find("num_labels")) {
            (Some(Value::Object(map)), _) => {
                let entry = |(key, value): (&String, &Value)| Some((python_int(key)?, python_str(value)));
                match map.iter().map(entry).collect::<Option<BTreeMap<_, _>>>() {
                    Some(names) => Id2Label { num_labels: names.len() as u64, names, problem: None },
                    None => unreadable(
                        "id2label has a key that is not a whole number; expected \"0\", \"1\", …".into(),
                    ),
                }
            }
            (Some(_), _) => unreadable(
                "id2label is not an object; expected one that maps \"0\", \"1\", … to names".into(),
            ),
            (None, Some(number)) => match number.as_u64() {
                Some(num_labels) => Id2Label { num_labels, ..Id2Label::default() },
                None => unreadable(format!(
                    "num_labels is {}; expected a whole number",
                    shortened(&number.to_string())
                )),
            },
            (None, None) => Id2Label { num_labels: DEFAULT_LABELS, ..Id2Label::default() },
        }
    }

    /// Number of labels, as Transformers counts them; 0 if the keys cannot be read.
    pub fn num_labels(&self) -> u64 {
        self.num_labels
    }

    /// The names of a head with that many outputs. An output without a name is `LABEL_` and its index.
    ///
    /// # Errors
    /// A sentence if the keys cannot be read, or are for another number of outputs.
    pub fn for_outputs(&self, outputs: usize) -> Result<Vec<String>, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if self.num_labels != outputs as u64 {
            let key = if self.names.is_empty() { "num_labels" } else { "id2label" };
            return Err(format!(
                "{key} is for {} labels, but the head has {outputs} outputs",
                self.num_labels
            ));
        }
        Ok((0..outputs).map(|output| self.name(output)).collect())
    }

    /// The outputs that `id2label` gives no name to, although it names others.
    pub(super) fn unnamed(&self, outputs: usize) -> Vec<String> {
        let is_unnamed = |output: &usize| !self.names.contains_key(&(*output as i64));
        if self.names.is_empty() {
            return Vec::new();
        }
        (0..outputs).filter(is_unnamed).map(|output| output.to_string()).collect()
    }

    /// The names that `id2label` gives to several outputs.
    pub(super) fn repeated(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let repeated: BTreeSet<&String> = self.names.values().filter(|name| !seen.insert(*name)).collect();
        repeated.into_iter().map(|name| shortened(name)).collect()
    }

    fn name(&self, output: usize) -> String {
        self.names.get(&(output as i64)).cloned().unwrap_or_else(|| format!("LABEL_{output}"))
    }
}

/// `int(text)` in Python, for the keys that occur.
fn python_int(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// `str(value)` in Python.
fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(config: &Value) -> Id2Label {
        Id2Label::parse(config.as_object().unwrap())
    }

    /// The names that Transformers 5 has for a head with three outputs.
    #[test]
    fn keys_are_read_as_in_transformers() {
        let default = ["LABEL_0", "LABEL_1", "LABEL_2"];
        let cases = [
            (json!({"id2label": {"0": "a", "1": "b", "2": "c"}}), ["a", "b", "c"]),
            (json!({"id2label": {"2": "c", "0": "a", "1": "b"}, "num_labels": 7}), ["a", "b", "c"]),
            (json!({"id2label": {"0": 0, "1": 1, "2": 2}}), ["0", "1", "2"]),
            (json!({"id2label": {"0": 0.0, "1": 1.5, "2": true}}), ["0.0", "1.5", "True"]),
            (json!({"id2label": {"0": null, "1": "null", "2": ""}}), ["None", "null", ""]),
            (json!({"id2label": {" 0": "a", "01": "b", "+2": "c"}}), ["a", "b", "c"]),
            (json!({"id2label": {"1": "a", "2": "b", "3": "c"}}), ["LABEL_0", "a", "b"]),
            (json!({"id2label": {"0": "a", "2": "b", "5": "c"}}), ["a", "LABEL_1", "b"]),
            (json!({"num_labels": 3}), default),
            (json!({"id2label": null, "num_labels": 3, "label2id": {"a": 0, "b": 1, "c": 2}}), default),
        ];
        for (config, names) in cases {
            assert_eq!(parse(&config).for_outputs(3).unwrap(), names, "{config}");
        }
        assert_eq!(parse(&json!({})).for_outputs(2).unwrap(), default[..2]);
        assert_eq!(parse(&json!({"id2label": {"1": "a", "2": "b", "3": "c"}})).unnamed(3), ["0"]);
        assert_eq!(parse(&json!({"num_labels": 3})).unnamed(3), [""; 0]);
        assert_eq!(parse(&json!({"id2label": {"0": "a", "1": "b", "2": "a", "3": "a"}})).repeated(), ["a"]);
        assert_eq!(parse(&json!({"id2label": {"0": "a", "1": "b"}})).repeated(), [""; 0]);
    }

    #[test]
    fn keys_that_transformers_refuses_are_errors_only_where_names_are_needed() {
        let cases = [
            (json!({"id2label": ["a", "b", "c"]}), "id2label is not an object"),
            (json!({"id2label": {"a": "0"}}), "a key that is not a whole number"),
            (json!({"id2label": {"0.0": "a"}}), "a key that is not a whole number"),
            (
                json!({"id2label": {"0": "a", "1": "b"}}),
                "id2label is for 2 labels, but the head has 3 outputs",
            ),
            (json!({"num_labels": 4_000_000_000_u64}), "num_labels is for 4000000000 labels"),
            (json!({"num_labels": "3"}), "num_labels is \"3\""),
            (json!({"label2id": {"a": 0, "b": 1, "c": 2}}), "num_labels is for 2 labels"),
        ];
        for (config, expected) in cases {
            let error = parse(&config).for_outputs(3).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
