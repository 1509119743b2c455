//! The state of the Sweep screen: the trials of one sweep, sorted and grouped, and what they say about its keys.

use crate::run::sweep::{SweepReport, TrialRow};
use crate::spec::{Key, RunSpec, SweptValues};
use crate::text::width;
use std::cmp::Ordering;

/// Values of a key above which trials are grouped by intervals.
const MAX_GROUPS: usize = 12;
/// The number of these intervals.
const INTERVALS: usize = 5;

/// Which sweep to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepSource {
    /// The one with that name.
    Named(String),
    /// The newest one of that experiment.
    OfExperiment(String),
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct SweepState {
    /// The sweep that is shown, once one was opened.
    pub source: Option<SweepSource>,
    /// What is known about it.
    pub content: SweepContent,
    /// The order of the trials.
    pub order: TrialOrder,
    /// The key, as the index of an axis, by which the trials are grouped.
    pub group: Option<usize>,
    /// The key, as the index of an axis, whose values are drawn against the scores.
    pub axis: usize,
    /// The chart that is shown.
    pub chart: SweepChart,
    /// The line under the cursor.
    pub selected: usize,
}

/// What is known about a sweep.
#[derive(Debug, Default)]
pub enum SweepContent {
    /// It is being read.
    #[default]
    Loading,
    /// It cannot be read.
    Error(String),
    /// Its trials.
    Loaded(Box<LoadedSweep>),
}

/// A sweep with the lines of its table.
#[derive(Debug)]
pub struct LoadedSweep {
    /// The sweep.
    pub report: SweepReport,
    /// The lines, sorted and grouped.
    pub lines: Vec<TrialLine>,
    /// The width of the widest value of each axis, in cells.
    pub widths: Vec<usize>,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialLine {
    /// The heading of a group.
    Group {
        /// The values of its trials.
        label: String,
        /// The number of its trials.
        trials: usize,
        /// The mean of their scores.
        mean: Option<f64>,
    },
    /// A trial, by its index in the report.
    Trial(usize),
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrialColumn {
    /// The number.
    Number,
    /// The value of a key.
    Axis(usize),
    /// The score.
    #[default]
    Score,
    /// The status.
    Status,
    /// The steps done.
    Steps,
    /// The time of the steps.
    Time,
}

/// The order of the trials: the best first, or that of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialOrder {
    /// The column.
    pub column: TrialColumn,
    /// Whether the order is reversed.
    pub is_reversed: bool,
}

/// A chart of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SweepChart {
    /// The score of each trial against the value of a key.
    #[default]
    Points,
    /// The best score so far over time.
    BestOverTime,
    /// The best score so far over optimizer steps.
    BestOverSteps,
    /// The importance of each key, and the trial under the cursor: in terminals without a pane for them.
    Importance,
}

impl SweepChart {
    /// The next one. `has_keys` is whether importance has a pane of its own.
    pub(in crate::tui) fn next(self, has_keys: bool) -> SweepChart {
        match self {
            SweepChart::Points => SweepChart::BestOverTime,
            SweepChart::BestOverTime => SweepChart::BestOverSteps,
            SweepChart::BestOverSteps if !has_keys => SweepChart::Importance,
            SweepChart::BestOverSteps | SweepChart::Importance => SweepChart::Points,
        }
    }
}

impl LoadedSweep {
    fn new(report: SweepReport) -> LoadedSweep {
        let widths = report.sweep.axes.iter().enumerate().map(|(index, axis)| {
            let values = report.trials.iter().filter_map(|trial| trial.values.get(index));
            values.map(|text| width(text)).max().unwrap_or(0).max(width(axis.key.name).min(14))
        });
        LoadedSweep { widths: widths.collect(), report, lines: Vec::new() }
    }

    /// Sorts and groups the trials.
    fn arrange(&mut self, order: TrialOrder, group: Option<usize>) {
        let report = &self.report;
        let mut indices: Vec<usize> = (0..report.trials.len()).collect();
        indices.sort_by(|a, b| compare(report, order, *a, *b));
        self.lines = match group.filter(|axis| *axis < report.sweep.axes.len()) {
            None => indices.into_iter().map(TrialLine::Trial).collect(),
            Some(axis) => grouped(report, axis, &indices),
        };
    }
}

/// Orders two trials; those without a score, or without the value of the column, are the last ones.
fn compare(report: &SweepReport, order: TrialOrder, a: usize, b: usize) -> Ordering {
    let (one, other) = (&report.trials[a], &report.trials[b]);
    let by_column = match order.column {
        TrialColumn::Number => Ordering::Equal,
        TrialColumn::Axis(axis) => {
            let number =
                |index: usize| report.numbers.get(axis).and_then(|numbers| numbers.get(index)).copied();
            number(a).unwrap_or(f64::NAN).total_cmp(&number(b).unwrap_or(f64::NAN))
        }
        TrialColumn::Score => return by_score(report, one, other, order.is_reversed).then(a.cmp(&b)),
        TrialColumn::Status => one.status.cmp(other.status),
        TrialColumn::Steps => one.steps.cmp(&other.steps),
        TrialColumn::Time => one.seconds.total_cmp(&other.seconds),
    };
    let by_column = if order.is_reversed { by_column.reverse() } else { by_column };
    let by_number = if order.is_reversed { b.cmp(&a) } else { a.cmp(&b) };
    match order.column {
        TrialColumn::Number => by_number,
        _ => by_column.then_with(|| by_score(report, one, other, false)).then(a.cmp(&b)),
    }
}

fn by_score(report: &SweepReport, one: &TrialRow, other: &TrialRow, is_reversed: bool) -> Ordering {
    let score = |trial: &TrialRow| trial.score.filter(|score| !score.is_nan());
    match (score(one), score(other)) {
        (Some(a), Some(b)) if report.metric.improves(a, b) != is_reversed && a != b => Ordering::Less,
        (Some(a), Some(b)) if a == b => Ordering::Equal,
        (Some(_), Some(_)) => Ordering::Greater,
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// The trials, which are sorted, below the values of a key: each value, or intervals of a key with many.
fn grouped(report: &SweepReport, axis: usize, sorted: &[usize]) -> Vec<TrialLine> {
    let numbers = report.numbers.get(axis).map_or(&[][..], Vec::as_slice);
    let mut distinct = numbers.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let is_log = report.is_log(axis);
    let position = |number: f64| if is_log { number.max(f64::MIN_POSITIVE).ln() } else { number };
    let (low, high) = (
        distinct.first().map_or(0.0, |low| position(*low)),
        distinct.last().map_or(0.0, |high| position(*high)),
    );
    let has_intervals = distinct.len() > MAX_GROUPS && high > low;
    let group_of = |index: usize| -> usize {
        let number = numbers.get(index).copied().unwrap_or(f64::NAN);
        if has_intervals {
            let share = (position(number) - low) / (high - low);
            return ((share * INTERVALS as f64) as usize).min(INTERVALS - 1);
        }
        distinct.iter().position(|other| *other == number).unwrap_or(0)
    };
    let count = if has_intervals { INTERVALS } else { distinct.len() };
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); count.max(1)];
    for index in sorted {
        if let Some(group) = groups.get_mut(group_of(*index)) {
            group.push(*index);
        }
    }
    let key = report.sweep.axes[axis].key;
    groups
        .into_iter()
        .filter(|group| !group.is_empty())
        .flat_map(|group| lines_of_group(report, axis, key, group))
        .collect()
}

fn lines_of_group(report: &SweepReport, axis: usize, key: &Key, group: Vec<usize>) -> Vec<TrialLine> {
    let numbers = |index: &usize| report.numbers[axis][*index];
    let least = group.iter().copied().min_by(|a, b| numbers(a).total_cmp(&numbers(b)));
    let most = group.iter().copied().max_by(|a, b| numbers(a).total_cmp(&numbers(b)));
    let text = |index: Option<usize>| {
        index.and_then(|index| report.trials[index].values.get(axis)).map_or("", String::as_str)
    };
    let (from, to) = (text(least), text(most));
    let label = if from == to {
        format!("{} = {from}", key.name)
    } else {
        format!("{} from {from} to {to}", key.name)
    };
    let scores: Vec<f64> = group
        .iter()
        .filter_map(|index| report.trials[*index].score)
        .filter(|score| score.is_finite())
        .collect();
    let mean = (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64);
    let heading = TrialLine::Group { label, trials: group.len(), mean };
    std::iter::once(heading).chain(group.into_iter().map(TrialLine::Trial)).collect()
}

impl SweepState {
    /// The sweep that is shown.
    pub fn loaded(&self) -> Option<&LoadedSweep> {
        match &self.content {
            SweepContent::Loaded(loaded) => Some(loaded),
            SweepContent::Loading | SweepContent::Error(_) => None,
        }
    }

    /// The name of the sweep that is shown.
    pub fn name(&self) -> Option<&str> {
        self.loaded().map(|loaded| loaded.report.dir.name())
    }

    /// The trial under the cursor.
    pub fn trial(&self) -> Option<&TrialRow> {
        let loaded = self.loaded()?;
        match loaded.lines.get(self.selected)? {
            TrialLine::Trial(index) => loaded.report.trials.get(*index),
            TrialLine::Group { .. } => None,
        }
    }

    /// Takes the trials; the cursor stays on its trial.
    pub(in crate::tui) fn set_report(&mut self, report: SweepReport) {
        let is_same = self.name() == Some(report.dir.name());
        let number = self.trial().filter(|_| is_same).map(|trial| trial.number);
        if !is_same {
            (self.order, self.group, self.axis, self.selected) = (TrialOrder::default(), None, 0, 0);
        }
        self.content = SweepContent::Loaded(Box::new(LoadedSweep::new(report)));
        self.arrange(number);
    }

    /// Sorts and groups the trials; the cursor stays on the trial with that number.
    pub(in crate::tui) fn arrange(&mut self, number: Option<u64>) {
        let (order, group, selected) = (self.order, self.group, self.selected);
        let SweepContent::Loaded(loaded) = &mut self.content else { return };
        if loaded.report.scoreboard.is_some() {
            loaded.arrange(TrialOrder { column: TrialColumn::Number, is_reversed: false }, None);
        } else {
            loaded.arrange(order, group);
        }
        let is_wanted = |line: &TrialLine| match line {
            TrialLine::Trial(index) => {
                number.is_some() && loaded.report.trials.get(*index).map(|trial| trial.number) == number
            }
            TrialLine::Group { .. } => false,
        };
        let at = loaded.lines.iter().position(is_wanted);
        self.selected = at.unwrap_or(selected.min(loaded.lines.len().saturating_sub(1)));
    }

    /// The next column to sort by.
    pub(in crate::tui) fn next_column(&self) -> TrialColumn {
        let axes = self.loaded().map_or(0, |loaded| loaded.report.sweep.axes.len());
        match self.order.column {
            TrialColumn::Score => TrialColumn::Number,
            TrialColumn::Number if axes == 0 => TrialColumn::Status,
            TrialColumn::Number => TrialColumn::Axis(0),
            TrialColumn::Axis(axis) if axis + 1 < axes => TrialColumn::Axis(axis + 1),
            TrialColumn::Axis(_) => TrialColumn::Status,
            TrialColumn::Status => TrialColumn::Steps,
            TrialColumn::Steps => TrialColumn::Time,
            TrialColumn::Time => TrialColumn::Score,
        }
    }

    /// The specification of the best trial with `seeds` seeds that no trial has used: its score is not the best of many
    /// by chance then.
    pub fn winner(&self, seeds: u64) -> Option<RunSpec> {
        let report = &self.loaded()?.report;
        let mut spec = report.sweep.trial(report.best()?.number)?;
        let is_seed_swept = report.sweep.axes.iter().find(|axis| axis.key.name == "seed");
        let last = match is_seed_swept.map(|axis| &axis.values) {
            Some(SweptValues::Range(range)) => range.max as u64,
            Some(SweptValues::List(values)) => {
                values.iter().filter_map(|text| text.parse().ok()).max().unwrap_or(spec.seed)
            }
            None => spec.seed,
        };
        spec.seed = last.saturating_add(spec.seed_count());
        spec.repeats = seeds;
        Some(spec)
    }

    /// Whether trials of the sweep that is shown may still change.
    pub fn is_changing(&self) -> bool {
        let is_open = |trial: &TrialRow| !matches!(trial.status, "finished" | "failed" | TrialRow::SKIPPED);
        self.loaded().is_some_and(|loaded| loaded.report.trials.iter().any(is_open))
    }
}
