//! What the values of a label column are: whole numbers, numbers, booleans or words.

use crate::data::read::table::LabelValue;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The names of the classes of booleans, in order. They are those of pandas.
const BOOLEANS: [&str; 2] = ["False", "True"];

/// What the values of a label column are, decided by all splits. Formats without types and formats with types
/// give the same answer for the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum LabelEncoding {
    /// Whole numbers, also written as `1.0`: classes in numeric order.
    WholeNumbers,
    /// Numbers of which at least one has a fraction: targets of a regression.
    Numbers,
    /// `True` and `False` in any case, or booleans: two classes.
    Booleans,
    /// Anything else: classes in the order of their names. Different words are different classes, as are `01` and
    /// `1`.
    Words,
}

impl LabelEncoding {
    /// The encoding of the values of a column in all splits, without missing values.
    pub(in crate::data) fn of<'a>(values: impl IntoIterator<Item = &'a LabelValue>) -> Self {
        let (mut is_empty, mut numbers, mut whole, mut booleans) = (true, true, true, true);
        for value in values {
            is_empty = false;
            booleans = booleans && boolean(value).is_some();
            let number = if numbers { number(value) } else { None };
            numbers = number.is_some();
            whole = whole && number.is_some_and(|number| number.is_whole());
            if !numbers && !booleans {
                return LabelEncoding::Words;
            }
        }
        match (is_empty, booleans, numbers, whole) {
            (true, ..) => LabelEncoding::Words,
            (_, true, ..) => LabelEncoding::Booleans,
            (_, _, true, true) => LabelEncoding::WholeNumbers,
            (_, _, true, false) => LabelEncoding::Numbers,
            _ => LabelEncoding::Words,
        }
    }

    /// The encoding of the class names of a model.
    pub(super) fn of_names(names: &[String]) -> Self {
        let values: Vec<LabelValue> = names.iter().cloned().map(LabelValue::Text).collect();
        LabelEncoding::of(&values)
    }

    /// The name of the class of a value.
    pub(in crate::data) fn class_name(self, value: &LabelValue) -> Cow<'_, str> {
        let name = match self {
            LabelEncoding::Booleans => boolean(value).map(|value| BOOLEANS[usize::from(value)].into()),
            LabelEncoding::WholeNumbers | LabelEncoding::Numbers => {
                number(value).filter(Number::is_whole).map(|number| number.text.into())
            }
            LabelEncoding::Words => None,
        };
        name.unwrap_or_else(|| as_written(value))
    }

    /// The order of two class names.
    pub(super) fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            LabelEncoding::WholeNumbers => compare_whole(a, b),
            LabelEncoding::Numbers | LabelEncoding::Booleans | LabelEncoding::Words => a.cmp(b),
        }
    }
}

/// The value as text, as a CSV file of pandas has it.
pub(in crate::data) fn as_written(value: &LabelValue) -> Cow<'_, str> {
    match value {
        LabelValue::Text(text) => Cow::Borrowed(text),
        LabelValue::Int(number) => number.to_string().into(),
        LabelValue::Float(number) => format!("{number:?}").into(),
        LabelValue::Bool(value) => BOOLEANS[usize::from(*value)].into(),
        LabelValue::List(items) => items.iter().map(as_written).collect::<Vec<_>>().join(", ").into(),
    }
}

fn boolean(value: &LabelValue) -> Option<bool> {
    match value {
        LabelValue::Bool(value) => Some(*value),
        LabelValue::Text(text) => {
            BOOLEANS.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|i| i == 1)
        }
        LabelValue::Int(_) | LabelValue::Float(_) | LabelValue::List(_) => None,
    }
}

/// A number in decimal notation: a whole number has digits only, so that large ones stay exact.
struct Number {
    text: String,
}

impl Number {
    fn is_whole(&self) -> bool {
        !self.text.contains(['.', 'e'])
    }
}

/// The number that a value is. Text with a leading zero or a plus sign is a code and not a number.
fn number(value: &LabelValue) -> Option<Number> {
    match value {
        LabelValue::Int(number) => Some(Number { text: number.to_string() }),
        LabelValue::Float(number) => of_float(*number),
        LabelValue::Text(text) => of_text(text),
        LabelValue::Bool(_) | LabelValue::List(_) => None,
    }
}

fn of_float(number: f64) -> Option<Number> {
    let text = if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:?}") };
    number.is_finite().then(|| Number { text: without_negative_zero(text) })
}

/// Parses `-?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn of_text(text: &str) -> Option<Number> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !is_digits(whole) || has_leading_zero || fraction.is_some_and(|fraction| !is_digits(fraction)) {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        return if is_digits(digits) { of_float(text.parse().ok()?) } else { None };
    }
    if fraction.is_none_or(|fraction| fraction.bytes().all(|byte| byte == b'0')) {
        let sign = if unsigned.len() < text.len() { "-" } else { "" };
        return Some(Number { text: without_negative_zero(format!("{sign}{whole}")) });
    }
    Some(Number { text: text.to_string() })
}

fn without_negative_zero(text: String) -> String {
    if text == "-0" { "0".into() } else { text }
}

/// The numeric order of two whole numbers of any length without leading zeros.
fn compare_whole(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (Some(a), Some(b)) => compare_whole(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> LabelValue {
        LabelValue::Text(text.into())
    }

    fn encoding(texts: &[&str]) -> LabelEncoding {
        LabelEncoding::of(&texts.iter().map(|value| text(value)).collect::<Vec<_>>())
    }

    #[test]
    fn encoding_follows_from_all_values() {
        for whole in [&["0", "1"][..], &["1.0", "0"], &["-1", "3", "2.000"], &["1e5", "2E+05"], &["-0", "0"]]
        {
            assert_eq!(encoding(whole), LabelEncoding::WholeNumbers, "{whole:?}");
        }
        for numbers in [&["1", "0.5"][..], &["1e-05", "2"], &["-0.25"]] {
            assert_eq!(encoding(numbers), LabelEncoding::Numbers, "{numbers:?}");
        }
        for words in [
            &["01", "1"][..],
            &["+1", "-1"],
            &["1", "x"],
            &["1.", "2"],
            &[".5", "1"],
            &["nan", "1"],
            &["inf"],
            &["1 ", "2"],
            &["1_0"],
            &["", "1"],
            &["00.5"],
            &["0x1"],
            &["1e"],
            &["true", "half"],
            &[],
        ] {
            assert_eq!(encoding(words), LabelEncoding::Words, "{words:?}");
        }
        assert_eq!(encoding(&["True", "FALSE", "true"]), LabelEncoding::Booleans);
        let mixed = [LabelValue::Bool(true), text("false")];
        assert_eq!(LabelEncoding::of(&mixed), LabelEncoding::Booleans);
        let typed = [LabelValue::Int(3), LabelValue::Float(1.0), text("2")];
        assert_eq!(LabelEncoding::of(&typed), LabelEncoding::WholeNumbers);
        assert_eq!(LabelEncoding::of(&[LabelValue::Int(3), LabelValue::Bool(true)]), LabelEncoding::Words);
    }

    #[test]
    fn class_names_do_not_depend_on_the_notation() {
        let whole = |value: LabelValue| LabelEncoding::WholeNumbers.class_name(&value).into_owned();
        let all = [text("1"), text("1.0"), text("1e0"), LabelValue::Int(1), LabelValue::Float(1.0)];
        assert!(all.into_iter().all(|value| whole(value) == "1"));
        assert_eq!(whole(text("9007199254740993")), "9007199254740993");
        assert_eq!(whole(LabelValue::Float(1e16)), "10000000000000000");
        assert_eq!(whole(text("-0.0")), "0");
        let boolean = |value: LabelValue| LabelEncoding::Booleans.class_name(&value).into_owned();
        assert_eq!(
            (boolean(text("TRUE")), boolean(LabelValue::Bool(false))),
            ("True".into(), "False".into())
        );
        let word = |value: LabelValue| LabelEncoding::Words.class_name(&value).into_owned();
        assert_eq!((word(text("01")), word(LabelValue::Float(1.0))), ("01".into(), "1.0".into()));
    }

    #[test]
    fn whole_numbers_are_in_numeric_order() {
        let mut names = ["10", "9", "-1", "-10", "0", "123456789012345678901234567890"];
        names.sort_by(|a, b| LabelEncoding::WholeNumbers.compare(a, b));
        assert_eq!(names, ["-10", "-1", "0", "9", "10", "123456789012345678901234567890"]);
    }
}
