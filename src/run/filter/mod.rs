//! The filter of the lists of runs: one language for the Runs and the Compare screen.
//!
//! A filter is terms separated by spaces; a run must match all of them.
//!
//! | term | matches |
//! | --- | --- |
//! | `word`, `"two words"` | the name, experiment, model, task, status, note or a tag contains it |
//! | `#tag`, `tag:x`, `status:x`, `task:x`, `model:x`, `name:x`, `experiment:x`, `note:x` | this one contains it |
//! | `lr>=1e-5`, `batch=32`, `seed!=42`, `lr_scheduler_type:cosine` | a setting, by its name or a short one |
//! | `accuracy>0.9`, `f1>=80%`, `loss<0.3`, `score>0.9` | a score of the best evaluation; `score` is the one that selects it |
//! | `disk>1GB`, `time<10m`, `progress>=50%` | the disk space, the training time, the fraction of the steps |
//! | `-term` | not this |
//!
//! Case does not matter. A setting that was changed during the run matches with each of its values, and `seed` with each
//! seed of a run with repeats.

mod matches;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::toggle_term;

use super::row::RunRow;
use crate::catalog::Metric;
use crate::spec::{Key, RunSpec};
use std::fmt;

/// A filter of runs.
#[derive(Debug, Default, PartialEq)]
pub struct RunFilter {
    terms: Vec<Term>,
    problems: Vec<FilterProblem>,
}

/// A term that is not valid; the filter ignores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterProblem {
    /// The term as typed.
    pub term: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for FilterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.term, self.why)
    }
}

/// Something that a filter may match.
#[derive(Debug, Clone, Copy)]
pub enum Candidate<'a> {
    /// A run.
    Run(&'a RunRow),
    /// An experiment or a run in the queue, which has settings only. They are unknown if its file is invalid.
    Experiment {
        /// Its name.
        name: &'a str,
        /// Its settings.
        spec: Option<&'a RunSpec>,
    },
}

#[derive(Debug, PartialEq)]
struct Term {
    is_negated: bool,
    test: Test,
}

/// What a term tests.
#[derive(Debug, PartialEq)]
enum Test {
    /// Any text contains it, in lower case.
    Word(String),
    /// A text, compared with one in lower case.
    Text(TextProperty, Comparison, String),
    /// A number.
    Number(NumberProperty, Comparison, f64),
    /// A setting, compared with a value as typed.
    Setting(&'static Key, Comparison, String),
}

/// A text of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextProperty {
    Name,
    Experiment,
    Status,
    Task,
    Model,
    Tag,
    Note,
}

impl TextProperty {
    const NAMED: [(&'static str, TextProperty); 7] = [
        ("name", TextProperty::Name),
        ("experiment", TextProperty::Experiment),
        ("status", TextProperty::Status),
        ("task", TextProperty::Task),
        ("model", TextProperty::Model),
        ("tag", TextProperty::Tag),
        ("note", TextProperty::Note),
    ];
}

/// A number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberProperty {
    /// The metric that selects the best weights, whichever that is.
    Score,
    /// A metric of the best evaluation.
    Metric(Metric),
    /// Bytes on disk.
    Disk,
    /// Seconds of training.
    Time,
    /// Fraction of the steps that are done.
    Progress,
}

impl NumberProperty {
    const NAMED: [(&'static str, NumberProperty); 4] = [
        ("score", NumberProperty::Score),
        ("disk", NumberProperty::Disk),
        ("time", NumberProperty::Time),
        ("progress", NumberProperty::Progress),
    ];
}

/// How a term compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// `:`, which finds a part of a text and an equal number.
    Contains,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The operators; of two that begin alike, the longer one first.
    const OPERATORS: [(&'static str, Comparison); 8] = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LessOrEqual),
        ("!=", Comparison::NotEqual),
        ("==", Comparison::Equal),
        (">", Comparison::Greater),
        ("<", Comparison::Less),
        ("=", Comparison::Equal),
        (":", Comparison::Contains),
    ];

    /// Whether it needs an order, which texts do not have.
    fn is_order(self) -> bool {
        !matches!(self, Comparison::Contains | Comparison::Equal | Comparison::NotEqual)
    }
}

impl RunFilter {
    /// The terms that are not valid.
    pub fn problems(&self) -> &[FilterProblem] {
        &self.problems
    }

    /// Whether it has no valid term, so that it matches everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}
