//! The parts of a chart: curves, reference values, and traces of dots.

use super::view::ChartView;
use crate::format;
use crate::run::axis::StepAxis;
use crate::run::series::{Column, Series};
use crate::tui::theme::{Role, Symbol, Theme};

/// Width of the value axis with its labels, in cells.
pub(super) const AXIS: u16 = 6;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveStyle {
    /// A line through dense points.
    Line,
    /// Few points, each with a marker, connected by a line.
    Points(Symbol),
    /// A line with markers at intervals and at its end, distinguishable without color.
    Marked(Symbol),
    /// The mean of several seeds behind the curve of one of them.
    Mean,
}

/// The pattern of a line, so that curves are distinguishable without color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dash {
    /// An unbroken line.
    #[default]
    Solid,
    /// Long dashes.
    Dashed,
    /// Dashes and dots in turn.
    DashDotted,
    /// Dots.
    Dotted,
}

impl Dash {
    /// The pattern of curve `number` of a chart with many curves. Neighbors have different patterns.
    pub fn of(number: usize) -> Dash {
        [Dash::Solid, Dash::Dashed, Dash::DashDotted, Dash::Dotted][number % 4]
    }

    /// Whether the line has dots in column `x` of dots.
    pub(super) fn is_on(self, x: usize) -> bool {
        match self {
            Dash::Solid => true,
            Dash::Dashed => x % 6 < 3,
            Dash::DashDotted => matches!(x % 10, 0..5 | 7),
            Dash::Dotted => x.is_multiple_of(3),
        }
    }
}

/// A curve of a chart.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// The name, shown at its end; may be empty.
    pub name: &'a str,
    /// The role that determines its colors.
    pub role: Role,
    /// How it is drawn.
    pub style: CurveStyle,
    /// The pattern of its line.
    pub dash: Dash,
    /// The points of each seed. Several seeds are drawn as their mean with a band of the standard deviation.
    pub series: Vec<&'a Series>,
    /// Converts its steps to other units. All seeds share one, so that they are aligned by step on every axis.
    pub step_axis: &'a StepAxis,
    /// Whether the smoothing of the view applies.
    pub is_smoothed: bool,
    /// Whether it is drawn fainter, because another curve is highlighted.
    pub is_faint: bool,
}

impl Curve<'_> {
    pub(super) fn is_band(&self) -> bool {
        self.series.len() > 1
    }

    /// The ASCII character of its dots.
    pub(super) fn plain(&self) -> &'static str {
        match self.style {
            CurveStyle::Points(..) => "-",
            CurveStyle::Marked(symbol) => symbol.text(true),
            CurveStyle::Mean => "=",
            CurveStyle::Line if self.name.is_empty() => ".",
            CurveStyle::Line => "*",
        }
    }

    /// The last step of any seed.
    pub(super) fn last_step(&self) -> Option<u64> {
        self.series.iter().filter_map(|series| series.last()).map(|(step, _)| step).max()
    }
}

/// The value of a curve at a position.
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
    /// The view of the chart.
    pub view: ChartView,
    /// Minimum number of steps on the horizontal axis.
    pub steps: u64,
    /// Whether values are fractions, shown as percentages.
    pub percent: bool,
    /// Reference values.
    pub references: &'a [Reference<'a>],
    /// Changes during the run, marked on the horizontal axis.
    pub changes: &'a [ChangeMark<'a>],
    /// Minimum range of the value axis.
    pub span: Option<(f64, f64)>,
    /// Text shown while there are no points.
    pub empty: &'a str,
    /// Styles and symbols.
    pub theme: Theme,
}

/// A curve as columns of dots.
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

    /// The value in a column, interpolated between its neighbors if it has none.
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

    /// Half of the width of the band at the last column with a value.
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

/// A change during a run, marked on the horizontal axis.
#[derive(Debug, Clone)]
pub struct ChangeMark<'a> {
    /// The step from which it applies.
    pub step: u64,
    /// Converts the step to the unit of the axis.
    pub step_axis: &'a StepAxis,
    /// What changed, shown under the cursor.
    pub text: String,
    /// The role that determines its colors.
    pub role: Role,
}

impl LineChart<'_> {
    /// A value of this chart as text of at most six characters.
    pub fn value(&self, value: f64) -> String {
        match value {
            value if self.percent => format!("{:.1}", 100.0 * value),
            value if value != 0.0 && value.abs() < 1e-3 => format::learning_rate(value),
            value => format::loss(value),
        }
    }

    /// The reading of a curve as text: `0.412`, or for several seeds `0.412 ±0.031`.
    pub fn reading(&self, Reading { value, sd }: Reading) -> String {
        let around = match sd {
            0.0 => String::new(),
            sd => format!(" {}{}", self.theme.symbol(Symbol::PlusMinus), self.value(sd)),
        };
        self.value(value) + &around
    }
}
