//! Kinds of values: what a key accepts, for its parser, its form field and its error texts.

use super::device::DeviceSpec;
use crate::catalog::{LabelMap, trainable_tasks};

/// Which values a key accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueKind {
    /// A hub id, a folder, or `demo`.
    Model,
    /// A task of the catalog.
    Task,
    /// A device.
    Device,
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A finite number.
    Real {
        /// Smallest value; [`ABOVE_ZERO`] excludes 0.
        min: f64,
        /// Largest value; [`BELOW_ONE`] excludes 1.
        max: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number of steps of at least 1, or `epoch`.
    Interval,
    /// A column, or a list of columns.
    Columns,
    /// `balanced`, or a list of numbers above 0.
    ClassWeights,
    /// `true` or `false`.
    Boolean,
    /// A table from label names to label names.
    LabelMap,
}

/// The smallest positive number: the lower end of a range without 0.
pub const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;
/// The largest number below 1: the upper end of a range without 1.
pub const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

impl ValueKind {
    /// What the key accepts, as a noun phrase: `a number above 0`.
    pub fn expected(&self) -> String {
        match self {
            ValueKind::Model => "a hub id, a folder, or demo".into(),
            ValueKind::Task => format!("one of {}", list(trainable_tasks().map(|task| task.name))),
            ValueKind::Device => DeviceSpec::EXPECTED.into(),
            ValueKind::Text => "text".into(),
            ValueKind::Path => "a file or folder".into(),
            ValueKind::Integer { min, max: i64::MAX } => format!("a whole number of at least {min}"),
            ValueKind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            ValueKind::Real { min, max } => format!("a number {}", range(*min, *max)),
            ValueKind::Choice(words) => format!("one of {}", list(words.iter().copied())),
            ValueKind::Interval => "a number of steps of at least 1, or epoch".into(),
            ValueKind::Columns => "a column, or a list of columns such as [\"a\", \"b\"]".into(),
            ValueKind::ClassWeights => "balanced, or a list of numbers above 0 such as [1.0, 2.5]".into(),
            ValueKind::Boolean => "true or false".into(),
            ValueKind::LabelMap => LabelMap::EXPECTED.into(),
        }
    }

    /// Whether the value is a number in TOML, so that it is written without quotes.
    pub(super) fn is_number(self) -> bool {
        matches!(self, ValueKind::Integer { .. } | ValueKind::Real { .. } | ValueKind::Interval)
    }

    /// Whether the value may be a list.
    pub(super) fn accepts_list(self) -> bool {
        matches!(self, ValueKind::Columns | ValueKind::ClassWeights)
    }

    pub(super) fn contains_integer(self, number: i64) -> bool {
        match self {
            ValueKind::Integer { min, max } => (min..=max).contains(&number),
            _ => true,
        }
    }

    pub(super) fn contains_real(self, number: f64) -> bool {
        let is_in_range = match self {
            ValueKind::Real { min, max } => (min..=max).contains(&number),
            _ => true,
        };
        is_in_range && number.is_finite()
    }
}

fn range(min: f64, max: f64) -> String {
    match (min == ABOVE_ZERO, max) {
        (true, f64::MAX) => "above 0".into(),
        (true, _) => format!("above 0 and at most {max}"),
        (false, f64::MAX) => format!("of at least {min}"),
        (false, BELOW_ONE) => format!("of at least {min} and below 1"),
        (false, _) => format!("from {min} to {max}"),
    }
}

/// `a, b, c`.
pub(crate) fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
