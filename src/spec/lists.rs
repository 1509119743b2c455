//! Values of a specification that are a word or a list.

use super::field::FieldValue;
use super::kind::ValueKind;
use serde::{Deserialize, Serialize};
use std::fmt;
use toml_edit::{Array, Value};

/// The columns of the labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelColumns {
    /// One column.
    One(String),
    /// One column with 0 or 1 for each label of a multi-label classification.
    Several(Vec<String>),
}

impl LabelColumns {
    /// Their names.
    pub fn names(&self) -> &[String] {
        match self {
            LabelColumns::One(name) => std::slice::from_ref(name),
            LabelColumns::Several(names) => names,
        }
    }

    /// The name of a single column.
    pub fn one(&self) -> Option<&str> {
        match self {
            LabelColumns::One(name) => Some(name),
            LabelColumns::Several(_) => None,
        }
    }
}

impl fmt::Display for LabelColumns {
    /// `label`, or `a, b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

impl From<&str> for LabelColumns {
    fn from(name: &str) -> Self {
        LabelColumns::One(name.to_owned())
    }
}

impl FieldValue for LabelColumns {
    /// A list is one of TOML, `["toxic", "obscene"]`; any other text is the name of a column.
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        let Some(list) = array(text) else { return String::parse(text, kind).map(LabelColumns::One) };
        let name = |value: &Value| value.as_str().filter(|name| !name.trim().is_empty()).map(str::to_owned);
        let names: Option<Vec<String>> = list.iter().map(name).collect();
        let names = names.filter(|names| !names.is_empty());
        names.map(LabelColumns::Several).ok_or_else(|| unexpected(text, kind))
    }

    fn text(&self) -> Option<String> {
        Some(match self {
            LabelColumns::One(name) => name.clone(),
            LabelColumns::Several(names) => names.iter().collect::<Array>().to_string(),
        })
    }
}

/// The weight of each class, or of each label of a multi-label classification, in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    /// By a rule.
    Rule(ClassWeightRule),
    /// One number for each class or label.
    Numbers(Vec<f64>),
}

/// A rule for class weights, under the name that scikit-learn uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClassWeightRule {
    /// Inversely proportional to the frequencies of the classes in the training rows.
    #[serde(rename = "balanced")]
    Balanced,
}

impl ClassWeights {
    /// The text of [`ClassWeightRule::Balanced`].
    const BALANCED: &str = "balanced";
}

impl FieldValue for ClassWeights {
    fn parse(text: &str, kind: ValueKind) -> Result<Self, String> {
        if text == ClassWeights::BALANCED {
            return Ok(ClassWeights::Rule(ClassWeightRule::Balanced));
        }
        let number = |value: &Value| {
            let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64))?;
            (number.is_finite() && number > 0.0).then_some(number)
        };
        let list = array(text).filter(|list| !list.is_empty());
        let numbers = list.and_then(|list| list.iter().map(number).collect());
        numbers.map(ClassWeights::Numbers).ok_or_else(|| unexpected(text, kind))
    }

    fn text(&self) -> Option<String> {
        Some(match self {
            ClassWeights::Rule(ClassWeightRule::Balanced) => ClassWeights::BALANCED.into(),
            ClassWeights::Numbers(numbers) => numbers.iter().copied().collect::<Array>().to_string(),
        })
    }
}

/// A TOML array.
pub(super) fn array(text: &str) -> Option<Array> {
    let text = text.trim();
    if !text.starts_with('[') {
        return None;
    }
    text.parse::<Value>().ok().and_then(|value| value.as_array().cloned())
}

fn unexpected(text: &str, kind: ValueKind) -> String {
    format!("expected {}, found `{text}`", kind.expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_a_name_or_a_list_of_names() {
        let parse = |text: &str| LabelColumns::parse(text, ValueKind::Columns);
        assert_eq!(parse("label"), Ok("label".into()));
        let two = LabelColumns::Several(vec!["toxic".into(), "a \"b\"".into()]);
        assert_eq!(parse(&two.text().unwrap()), Ok(two.clone()));
        assert_eq!(parse("[\"toxic\", 'a \"b\"']"), Ok(two.clone()));
        assert_eq!(parse("[label"), Ok("[label".into()), "not a list");
        for text in ["[]", "[1]", "[\" \"]", " "] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("expected a column, or a list"), "{error}");
        }
        let json = serde_json::to_string(&two).unwrap();
        assert_eq!(json, r#"["toxic","a \"b\""]"#);
        assert_eq!(serde_json::from_str::<LabelColumns>(&json).unwrap(), two);
        assert_eq!(serde_json::from_str::<LabelColumns>("\"label\"").unwrap(), "label".into());
    }

    #[test]
    fn class_weights_are_balanced_or_positive_numbers() {
        let parse = |text: &str| ClassWeights::parse(text, ValueKind::ClassWeights);
        for (text, json) in [("balanced", "\"balanced\""), ("[0.5, 2.0]", "[0.5,2.0]")] {
            let weights = parse(text).unwrap();
            assert_eq!(weights.text().as_deref(), Some(text));
            assert_eq!(serde_json::to_string(&weights).unwrap(), json);
            assert_eq!(serde_json::from_str::<ClassWeights>(json).unwrap(), weights);
        }
        assert_eq!(parse("[1, 2.5]"), Ok(ClassWeights::Numbers(vec![1.0, 2.5])));
        for text in ["auto", "[]", "[0]", "[-1.0]", "[nan]", "[\"a\"]", "1.0"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("expected balanced, or a list of numbers above 0"), "{error}");
        }
    }
}
