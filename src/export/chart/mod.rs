//! A chart as a file: SVG for documents, CSV for spreadsheets and other programs.

pub mod svg;
pub mod table;
mod ticks;

use crate::catalog::{Metric, SplitRole};
use crate::event::SplitName;
use crate::run::axis::{Axis, StepAxis};
use crate::run::history::History;
use crate::run::run_chart::{RunChart, RunCurve};
use crate::run::series::{Series, Viewport};

/// Columns of points that a curve is drawn with.
const COLUMNS: usize = 1200;

/// The part of the values that a chart shows, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartRange {
    /// The quantity on the horizontal axis.
    pub axis: Axis,
    /// Whether values are on a logarithmic scale.
    pub is_log: bool,
    /// The visible part of the horizontal axis, as fractions of its whole length.
    pub window: (f64, f64),
    /// The steps that noisy curves are averaged over, as a fraction of the whole run; 0 is none.
    pub smoothing: f64,
}

impl Default for ChartRange {
    fn default() -> Self {
        ChartRange { axis: Axis::Epoch, is_log: false, window: (0.0, 1.0), smoothing: 0.0 }
    }
}

/// The colors of a chart, as in CSS: `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartColors {
    /// Behind the chart.
    pub background: String,
    /// Title and names.
    pub text: String,
    /// Labels of the axes.
    pub muted: String,
    /// Axes and grid.
    pub frame: String,
    /// Marks of changes during the run.
    pub change: String,
    /// The training split.
    pub train: String,
    /// The validation split.
    pub validation: String,
    /// The test split.
    pub test: String,
}

/// The pattern of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinePattern {
    /// Unbroken.
    Solid,
    /// Dashed.
    Dashed,
    /// Dotted.
    Dotted,
    /// Dashes and dots in turn.
    DashDotted,
}

impl LinePattern {
    /// The pattern of curve `number` of many.
    pub fn of(number: usize) -> LinePattern {
        [LinePattern::Solid, LinePattern::Dashed, LinePattern::DashDotted, LinePattern::Dotted][number % 4]
    }
}

/// The shape of the markers of a curve with few points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// No markers.
    None,
    /// A filled circle.
    Disc,
    /// An empty circle.
    Ring,
    /// A filled diamond.
    Diamond,
}

/// A curve of a chart.
#[derive(Debug, Clone)]
pub struct ChartCurve<'a> {
    /// The name in the legend. Curves with the same name have one entry.
    pub name: String,
    /// The color, as in CSS.
    pub color: String,
    /// The pattern of the line.
    pub pattern: LinePattern,
    /// The markers of the points.
    pub marker: Marker,
    /// The values.
    pub series: &'a Series,
    /// Converts steps to the unit of the axis.
    pub step_axis: &'a StepAxis,
    /// Whether the curve is averaged as the range says.
    pub is_smoothed: bool,
}

/// A change during a run, marked on the horizontal axis.
#[derive(Debug, Clone)]
pub struct ChartChange<'a> {
    /// The step from which it applies.
    pub step: u64,
    /// Converts the step to the unit of the axis.
    pub step_axis: &'a StepAxis,
    /// What changed.
    pub text: String,
}

/// A chart to write.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// The title.
    pub title: String,
    /// The curves; later ones are in front.
    pub curves: Vec<ChartCurve<'a>>,
    /// The changes during the runs.
    pub changes: Vec<ChartChange<'a>>,
    /// Minimum number of steps on the horizontal axis.
    pub steps: u64,
    /// Whether values are fractions, shown as percentages.
    pub is_percent: bool,
    /// What is shown of the values.
    pub range: ChartRange,
    /// The colors.
    pub colors: ChartColors,
}

impl<'a> Chart<'a> {
    /// A chart of the run `name` with all its seeds.
    pub fn of_run(
        name: &str,
        seeds: &'a [History],
        chart: RunChart,
        range: ChartRange,
        colors: ChartColors,
    ) -> Chart<'a> {
        let metric = seeds.last().map_or(Metric::Accuracy, History::metric);
        let mut curves = Vec::new();
        for history in seeds {
            for (curve, series) in chart.curves(history) {
                curves.push(run_curve(curve, series, history, chart.title(metric), &colors));
            }
        }
        // Curves with the same name are neighbors, as in the legend.
        let names: Vec<String> = curves.iter().map(|curve| curve.name.clone()).collect();
        curves.sort_by_key(|curve| names.iter().position(|name| *name == curve.name));
        Chart {
            title: format!("{name}: {}", chart.title(metric)),
            curves,
            changes: seeds.last().map_or_else(Vec::new, changes),
            steps: seeds.iter().map(History::total_steps).max().unwrap_or(0),
            is_percent: chart == RunChart::Score && metric != Metric::Loss,
            range,
            colors,
        }
    }

    /// The positions at the ends of the horizontal axis.
    fn ends(&self) -> (f64, f64) {
        let ends = self.curves.iter().map(|curve| {
            let last = curve.series.last().map_or(0, |(step, _)| step).max(self.steps);
            curve.step_axis.mapper(self.range.axis).at(last as f64)
        });
        let end = ends.fold(0.0, f64::max);
        let end = if end > 0.0 { end } else { 1.0 };
        (self.range.window.0 * end, self.range.window.1 * end)
    }

    /// The points of a curve between `ends`: positions and values, in pieces without gaps.
    fn points(&self, curve: &ChartCurve<'_>, (from, to): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
        let last = self.curves.iter().filter_map(|curve| curve.series.last()).map(|(step, _)| step).max();
        let steps = self.steps.max(last.unwrap_or(0)) as f64;
        let span = if curve.is_smoothed { self.range.smoothing * steps } else { 0.0 };
        let viewport = Viewport { from, to, columns: COLUMNS, span };
        let columns = curve.series.columns(curve.step_axis.mapper(self.range.axis), viewport);
        let mut pieces = vec![Vec::new()];
        for (index, column) in columns.iter().enumerate() {
            let is_shown = column.finite > 0 && (!self.range.is_log || column.mean > 0.0);
            if column.is_gap() {
                pieces.push(Vec::new());
            } else if is_shown && let Some(piece) = pieces.last_mut() {
                let share = index as f64 / (COLUMNS - 1) as f64;
                piece.push((from + share * (to - from), column.mean));
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

/// The changes during a run, for its chart.
pub fn changes(history: &History) -> Vec<ChartChange<'_>> {
    let change = |change: &crate::run::RunChange| ChartChange {
        step: change.step,
        step_axis: &history.step_axis,
        text: change.kind.describe("→"),
    };
    history.changes.iter().map(change).collect()
}

/// A curve of a run with its name, color and pattern. `title` is the name of a curve that is alone on its chart.
fn run_curve<'a>(
    curve: RunCurve,
    series: &'a Series,
    history: &'a History,
    title: &str,
    colors: &ChartColors,
) -> ChartCurve<'a> {
    let (color, pattern, marker) = match curve {
        RunCurve::Score(split, _) => split_look(split, colors),
        _ => (&colors.train, LinePattern::Solid, Marker::None),
    };
    let name = match curve.name(history) {
        "" => title,
        name => name,
    };
    ChartCurve {
        name: name.into(),
        color: color.clone(),
        pattern,
        marker,
        series,
        step_axis: &history.step_axis,
        is_smoothed: curve.is_noisy(),
    }
}

fn split_look(split: SplitName, colors: &ChartColors) -> (&String, LinePattern, Marker) {
    match split.role() {
        SplitRole::Train => (&colors.train, LinePattern::Dotted, Marker::Ring),
        SplitRole::Test | SplitRole::ExtraTest => (&colors.test, LinePattern::DashDotted, Marker::Diamond),
        SplitRole::Validation | SplitRole::ExtraValidation => {
            (&colors.validation, LinePattern::Dashed, Marker::Disc)
        }
    }
}

#[cfg(test)]
mod tests;
