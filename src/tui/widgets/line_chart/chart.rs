//! What a chart is made of: its curves, what they are compared with, and the columns of dots that they become.

use super::view::ChartView;
use crate::format;
use crate::run::axis::StepAxis;
use crate::run::series::{Column, Series};
use crate::tui::theme::{Role, Symbol, Theme};

/// Cells of the labels at the value axis, the axis included.
pub(super) const AXIS: u16 = 6;
/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A line through dense points.
    Line,
    /// Few points with a sign on each and a line between.
    Points(Symbol),
    /// A line with its sign here and there and at its end, so that it is told apart without colour.
    Marked(Symbol),
    /// A dashed line, for the mean that one of its seeds is drawn in front of.
    Mean,
}

/// A curve of a chart.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// Its name, shown at its end; empty for one that needs none.
    pub name: &'a str,
    /// Its style.
    pub role: Role,
    /// How it is drawn.
    pub look: Look,
    /// Its points. Of several seeds the mean is drawn, with a band of their standard deviation around it.
    pub series: Vec<&'a Series>,
    /// What its steps are in other measures. One for all seeds, so that they are aligned by their steps
    /// whatever the axis is.
    pub course: &'a StepAxis,
    /// Whether it is smoothed as the view says.
    pub is_smoothed: bool,
}

impl Curve<'_> {
    pub(super) fn is_band(&self) -> bool {
        self.series.len() > 1
    }

    /// What its dots are where there are only letters.
    pub(super) fn plain(&self) -> &'static str {
        match self.look {
            Look::Points(..) => "-",
            Look::Marked(sign) => sign.text(true),
            Look::Mean => "=",
            Look::Line if self.name.is_empty() => ".",
            Look::Line => "*",
        }
    }

    /// The last step of the seed that came furthest.
    pub(super) fn last_step(&self) -> Option<u64> {
        self.series.iter().filter_map(|series| series.last()).map(|(step, _)| step).max()
    }
}

/// What a curve says at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The value; of several seeds the mean.
    pub value: f64,
    /// The standard deviation over the seeds; 0 for one.
    pub sd: f64,
}

/// A chart. Later curves are in front of earlier ones.
#[derive(Debug)]
pub struct LineChart<'a> {
    /// The curves.
    pub curves: &'a [Curve<'a>],
    /// How they are looked at.
    pub view: ChartView,
    /// Steps that the chart has room for at least.
    pub steps: u64,
    /// Whether values are shares, shown times a hundred.
    pub percent: bool,
    /// Values to compare with.
    pub references: &'a [Reference<'a>],
    /// Values that the chart spans at least, if any.
    pub span: Option<(f64, f64)>,
    /// What to say while there is no point.
    pub empty: &'a str,
    /// Styles and signs.
    pub theme: Theme,
}

/// A curve in columns of dots.
pub(super) struct Trace {
    pub(super) columns: Vec<Column>,
    /// The last column that has a value.
    pub(super) last: Option<usize>,
}

impl Trace {
    pub(super) fn of(columns: Vec<Column>) -> Self {
        let last = columns.iter().rposition(|column| column.finite > 0);
        Trace { columns, last }
    }

    /// The value in a column, on the straight line between its neighbours where it has none itself.
    pub(super) fn read(&self, at: usize) -> Option<f64> {
        let column = self.columns.get(at)?;
        if column.finite > 0 {
            return Some(column.mean);
        }
        let left = self.columns[..at].iter().rposition(|column| column.finite + column.not_finite > 0)?;
        let right = self.columns[at..].iter().position(|column| column.finite + column.not_finite > 0)? + at;
        let (before, after) = (&self.columns[left], &self.columns[right]);
        if column.is_gap() || before.is_gap() || after.is_gap() {
            return None;
        }
        let share = (at - left) as f64 / (right - left) as f64;
        Some(before.mean + share * (after.mean - before.mean))
    }

    /// How far a band goes to either side, as of the last column that has a value.
    pub(super) fn spread(&self, at: usize) -> f64 {
        let column = self.columns[..=at].iter().rfind(|column| column.finite > 0);
        column.map_or(0.0, |column| column.max - column.mean)
    }
}

/// A value to compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference<'a> {
    /// Its name, shown on the line; empty for one that needs none.
    pub name: &'a str,
    /// The value.
    pub value: f64,
    /// How far it strays to either side, as a band; 0 for a line alone.
    pub spread: f64,
}

impl LineChart<'_> {
    /// A value of this chart as a person reads it, in at most six characters.
    pub fn value(&self, value: f64) -> String {
        match value {
            value if self.percent => format!("{:.1}", 100.0 * value),
            value if value != 0.0 && value.abs() < 1e-3 => format::learning_rate(value),
            value => format::loss(value),
        }
    }

    /// What a curve reads: `0.412`, or of several seeds `0.412 ±0.031`.
    pub fn reading(&self, Reading { value, sd }: Reading) -> String {
        let around = match sd {
            0.0 => String::new(),
            sd => format!(" {}{}", self.theme.glyph(Symbol::PlusMinus), self.value(sd)),
        };
        self.value(value) + &around
    }
}
