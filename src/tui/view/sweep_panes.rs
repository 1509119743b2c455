//! The panes of the Sweep screen beside the table: the chart, and the keys with the trial under the cursor.

use super::setting_lines::next_line;
use crate::format;
use crate::run::sweep::{Importance, SweepReport, TrialRow};
use crate::spec::Axis;
use crate::stats::ConfidenceInterval;
use crate::text::{sanitize, width};
use crate::tui::state::App;
use crate::tui::state::sweep::{LoadedSweep, SweepChart};
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::scatter::{PointSet, ScatterChart};
use crate::tui::widgets::{fit_width, padded_pane, truncate, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

/// The least and the most columns of the name of a key.
const NAMES: [usize; 2] = [16, 28];
/// The space between the name of a key and the numbers.
const GAP: usize = 2;

/// The color of a status.
pub(super) fn status_role(status: &str) -> Role {
    match status {
        "running" => Role::Train,
        "failed" | "unreadable" => Role::Error,
        "stopped" | "interrupted" => Role::Warning,
        TrialRow::WAITING | TrialRow::PAUSED | TrialRow::SKIPPED | "pending" | "requeued" => Role::Muted,
        _ => Role::Text,
    }
}

/// Draws the chart that is chosen.
pub(super) fn draw_chart(app: &App, loaded: &LoadedSweep, area: Rect, buffer: &mut Buffer) {
    let report = &loaded.report;
    let axis = app.sweep.axis.min(report.sweep.axes.len().saturating_sub(1));
    let name = report.sweep.axes.get(axis).map_or("", |axis| axis.key.name);
    let metric = format::metric(report.metric);
    let title = match app.sweep.chart {
        SweepChart::BestOverTime => format!("Best {metric} so far over time"),
        SweepChart::BestOverSteps => format!("Best {metric} so far over optimizer steps"),
        _ if report.is_log(axis) => format!("Best {metric} by {name}, logarithmic"),
        SweepChart::Points | SweepChart::Importance => format!("Best {metric} by {name}"),
    };
    let title = truncate(app.theme, &title, usize::from(area.width.saturating_sub(6)));
    let block = padded_pane(app.theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let y_text = |value: f64| format::score(report.metric, value);
    let line = |points: &[(f64, f64)]| {
        vec![PointSet { points: points.to_vec(), role: Role::Best, ascii: "*", is_line: true }]
    };
    let theme = app.theme;
    let empty = "No trial has a score yet";
    let chart = |sets, x_text| ScatterChart {
        sets,
        marked: None,
        is_log: false,
        labels: Vec::new(),
        x_text,
        y_text: &y_text,
        empty,
        theme,
    };
    match app.sweep.chart {
        SweepChart::BestOverTime => {
            chart(line(&report.best_over_time), &format::duration).draw(inner, buffer);
        }
        SweepChart::BestOverSteps => chart(line(&report.best_over_steps), &format::short).draw(inner, buffer),
        SweepChart::Points | SweepChart::Importance => {
            let points = ScatterChart {
                marked: app.sweep.trial().and_then(|trial| point(report, axis, trial)),
                is_log: report.is_log(axis),
                labels: labels(report, axis),
                ..chart(point_sets(report, axis), &format::real)
            };
            points.draw(inner, buffer);
        }
    }
}

/// The value of the key and the score of a trial.
fn point(report: &SweepReport, axis: usize, trial: &TrialRow) -> Option<(f64, f64)> {
    let number = report.numbers.get(axis)?.get(usize::try_from(trial.number).ok()?)?;
    Some((*number, trial.score?)).filter(|(x, y)| x.is_finite() && y.is_finite())
}

/// The trials that are not finished, and above them those that are.
fn point_sets(report: &SweepReport, axis: usize) -> Vec<PointSet> {
    let points = |is_finished: bool| {
        let trials = report.trials.iter().filter(|trial| (trial.status == "finished") == is_finished);
        trials.filter_map(|trial| point(report, axis, trial)).collect()
    };
    let set = |is_finished: bool, role, ascii| PointSet {
        points: points(is_finished),
        role,
        ascii,
        is_line: false,
    };
    vec![set(false, Role::Muted, "."), set(true, Role::Validation, "o")]
}

/// The labels of an axis with a list of values; the numbers of words have no other names.
fn labels(report: &SweepReport, axis: usize) -> Vec<(f64, String)> {
    let label = |text: &str| if text.is_empty() { "absent".into() } else { sanitize(text) };
    report.listed_values(axis).into_iter().map(|(number, text)| (number, label(text))).collect()
}

/// Draws the importance of each key, and why the trial under the cursor has ended.
pub(super) fn draw_keys(app: &App, loaded: &LoadedSweep, area: Rect, buffer: &mut Buffer) {
    let (theme, report) = (app.theme, &loaded.report);
    let title = "Rank correlation with the score, 95 % CI";
    let block =
        padded_pane(theme, truncate(theme, title, usize::from(area.width.saturating_sub(6))).as_str(), false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut y = inner.y;
    for (text, role) in importance_lines(app, report, usize::from(inner.width)) {
        y = next_line(buffer, inner, y, &text, theme.style(role));
    }
    let Some(trial) = app.sweep.trial() else { return };
    y += 1;
    let heading = format!("Trial {}: {}", trial.number, trial.status);
    y = next_line(buffer, inner, y, &heading, theme.style(status_role(trial.status)));
    let values = report.sweep.describe_trial(trial.number);
    for text in [Some(&values), trial.reason.as_ref()].into_iter().flatten() {
        for line in wrap(&sanitize(text), usize::from(inner.width)) {
            y = next_line(buffer, inner, y, &line, theme.style(Role::Text));
        }
    }
}

/// A line of at most `available` cells for each key. The number of trials is left out where only a short piece of the names
/// would fit beside it.
fn importance_lines(app: &App, report: &SweepReport, available: usize) -> Vec<(String, Role)> {
    let axes = &report.sweep.axes;
    let widest = axes.iter().map(|axis| axis.key.name.len()).max().unwrap_or(0).min(NAMES[1]);
    let found = |axis: usize| report.importance.get(axis).copied().flatten();
    let texts = |form: ImportanceForm| -> Vec<String> {
        (0..axes.len()).map(|axis| importance_text(app, report, axis, found(axis), form)).collect()
    };
    let left = |texts: &[String]| {
        available.saturating_sub(GAP + texts.iter().map(|text| width(text)).max().unwrap_or(0))
    };
    let mut values = texts(ImportanceForm::WithTrials);
    if left(&values) < widest.min(NAMES[0]) {
        values = texts(ImportanceForm::Interval);
    }
    let columns = widest.min(left(&values));
    let line = |((number, axis), text): ((usize, &Axis), String)| {
        let interval = found(number).and_then(|found| found.interval);
        let is_clear = interval.is_some_and(|interval| !interval.contains_zero());
        let name = fit_width(app.theme, axis.key.name, columns);
        (format!("{name}{}{text}", " ".repeat(GAP)), if is_clear { Role::Best } else { Role::Text })
    };
    axes.iter().enumerate().zip(values).map(line).collect()
}

/// What is shown of an importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImportanceForm {
    /// `-0.62   -0.85…-0.21   n = 12`, with the number of trials.
    WithTrials,
    /// `-0.62   -0.85…-0.21`.
    Interval,
}

fn importance_text(
    app: &App,
    report: &SweepReport,
    axis: usize,
    importance: Option<Importance>,
    form: ImportanceForm,
) -> String {
    let to = app.theme.symbol(Symbol::To);
    let Some(Importance { correlation, interval, trials }) = importance else {
        let is_ordered = report.is_number(axis);
        return if is_ordered { "too few different scores" } else { "its values have no order" }.into();
    };
    let interval = interval
        .map_or(String::new(), |ConfidenceInterval { low, high }| format!("   {low:+.2}{to}{high:+.2}"));
    let trials = if form == ImportanceForm::WithTrials { format!("   n = {trials}") } else { String::new() };
    format!("{correlation:+.2}{interval}{trials}")
}
