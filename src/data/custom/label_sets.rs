//! Sets of labels in a cell: lists, lists as text, and names with a separator between them.

use crate::data::read::table::LabelValue;
use serde_json::Value;

/// The separators of names, in the order in which they are looked for.
const SEPARATORS: [char; 3] = ['|', ';', ','];

/// How sets of labels are written in the cells of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) struct SetNotation {
    /// What separates the names in a cell that is not a list.
    separator: Option<char>,
}

impl SetNotation {
    /// Whether values are lists, at least one of them: a column of another kind of values has none.
    pub(in crate::data) fn are_sets<'a>(values: impl Iterator<Item = &'a LabelValue>) -> bool {
        let mut has_list = false;
        for value in values {
            match value {
                LabelValue::List(_) => return true,
                LabelValue::Text(text) if list(text).is_some() => has_list = true,
                _ => return false,
            }
        }
        has_list
    }

    /// The notation of these values: the separator is the first of [`SEPARATORS`] that occurs.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a LabelValue>) -> Self {
        let mut found = [false; SEPARATORS.len()];
        for value in values {
            if let LabelValue::Text(text) = value
                && list(text).is_none()
            {
                for (found, separator) in found.iter_mut().zip(SEPARATORS) {
                    *found |= text.contains(separator);
                }
            }
        }
        let separator = found.iter().zip(SEPARATORS).find(|(found, _)| **found);
        SetNotation { separator: separator.map(|(_, separator)| separator) }
    }
}

/// The labels in a value.
pub(super) fn items(value: &LabelValue, notation: SetNotation) -> Vec<LabelValue> {
    match value {
        LabelValue::List(items) => items.clone(),
        LabelValue::Text(text) => list(text).unwrap_or_else(|| match notation.separator {
            Some(separator) => names(text.split(separator)),
            None => names(std::iter::once(text.as_str())),
        }),
        other => vec![other.clone()],
    }
}

/// Names without blanks around them; empty ones are left out.
fn names<'t>(parts: impl Iterator<Item = &'t str>) -> Vec<LabelValue> {
    let name = |part: &str| (!part.is_empty()).then(|| LabelValue::Text(part.to_owned()));
    parts.map(str::trim).filter_map(name).collect()
}

/// A list as text: `["a", "b"]` as JSON has it, or `['a', 'b']` as Python prints it.
fn list(text: &str) -> Option<Vec<LabelValue>> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(values) => values.iter().map(scalar).collect(),
        Err(_) => python_list(inner),
    }
}

/// A name or number of a list of JSON.
fn scalar(value: &Value) -> Option<LabelValue> {
    match value {
        Value::String(text) => Some(LabelValue::Text(text.clone())),
        Value::Bool(value) => Some(LabelValue::Bool(*value)),
        Value::Number(number) => {
            number.as_i64().map(LabelValue::Int).or_else(|| number.as_f64().map(LabelValue::Float))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The strings of a list of Python, each in single or double quotes, with a backslash before a quote in it.
fn python_list(inner: &str) -> Option<Vec<LabelValue>> {
    let mut items = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (mut name, mut characters) = (String::new(), rest.char_indices().skip(1));
        let end = loop {
            match characters.next()? {
                (_, '\\') => name.push(characters.next()?.1),
                (at, c) if c == quote => break at + quote.len_utf8(),
                (_, c) => name.push(c),
            }
        };
        items.push(LabelValue::Text(name));
        let after = rest.get(end..)?.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => "",
            None => return None,
        };
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> LabelValue {
        LabelValue::Text(text.into())
    }

    fn split(value: &LabelValue) -> Vec<LabelValue> {
        items(value, SetNotation::of(std::iter::once(value)))
    }

    #[test]
    fn every_notation_of_a_set_has_its_names() {
        let both = [text("a b"), text("c")];
        for cell in
            [r#"["a b", "c"]"#, "['a b', 'c']", "[\"a b\", 'c',]", "a b|c", "a b ; c", "a b, c,", "|a b||c"]
        {
            assert_eq!(split(&text(cell)), both, "{cell}");
        }
        assert_eq!(split(&text(r"['it\'s']")), [text("it's")]);
        assert_eq!(split(&text("[1, 2]")), [LabelValue::Int(1), LabelValue::Int(2)]);
        for empty in ["[]", "", " ", "[ ]"] {
            assert_eq!(split(&text(empty)), [], "{empty:?}");
        }
        // The first separator that occurs in the column counts, in every cell.
        let notation = SetNotation::of([text("a, b|c"), text("d")].iter());
        assert_eq!(items(&text("a, b|c"), notation), [text("a, b"), text("c")]);
        assert_eq!(items(&text("d, e"), notation), [text("d, e")]);
        assert_eq!(split(&LabelValue::Int(3)), [LabelValue::Int(3)]);
    }

    #[test]
    fn only_lists_are_sets_without_a_problem_type() {
        let are_sets = |values: &[LabelValue]| SetNotation::are_sets(values.iter());
        assert!(are_sets(&[LabelValue::List(vec![])]));
        assert!(are_sets(&[text("[]"), text("['a']")]));
        for values in [vec![text("a|b")], vec![text("['a']"), text("b")], vec![text("[a]")], vec![]] {
            assert!(!are_sets(&values), "{values:?}");
        }
    }
}
