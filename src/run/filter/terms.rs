//! The terms of a filter.

use crate::catalog::Metric;
use crate::run::row::RunRow;
use crate::spec::{Key, RunSpec};
use std::fmt;

/// A filter of runs.
#[derive(Debug, Default, PartialEq)]
pub struct RunFilter {
    pub(super) terms: Vec<Term>,
    pub(super) problems: Vec<FilterProblem>,
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
    /// A sweep.
    Sweep {
        /// Its name.
        name: &'a str,
        /// The experiment.
        experiment: &'a str,
    },
    /// An experiment or a run in the queue, which has settings only. They are unknown if its file is invalid.
    Experiment {
        /// Its name.
        name: &'a str,
        /// Its settings.
        spec: Option<&'a RunSpec>,
    },
}

#[derive(Debug, PartialEq)]
pub(super) struct Term {
    pub is_negated: bool,
    pub test: Test,
}

/// What a term tests.
#[derive(Debug, PartialEq)]
pub(super) enum Test {
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
pub(super) enum TextProperty {
    Name,
    Experiment,
    Status,
    Task,
    Model,
    Tag,
    Note,
    Sweep,
}

impl TextProperty {
    pub(super) const NAMED: [(&'static str, TextProperty); 8] = [
        ("name", TextProperty::Name),
        ("experiment", TextProperty::Experiment),
        ("status", TextProperty::Status),
        ("task", TextProperty::Task),
        ("model", TextProperty::Model),
        ("tag", TextProperty::Tag),
        ("note", TextProperty::Note),
        ("sweep", TextProperty::Sweep),
    ];
}

/// A number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberProperty {
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
    pub(super) const NAMED: [(&'static str, NumberProperty); 4] = [
        ("score", NumberProperty::Score),
        ("disk", NumberProperty::Disk),
        ("time", NumberProperty::Time),
        ("progress", NumberProperty::Progress),
    ];
}

/// How a term compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
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
    pub(super) const OPERATORS: [(&'static str, Comparison); 8] = [
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
    pub(super) fn is_order(self) -> bool {
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
