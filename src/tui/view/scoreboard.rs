//! The scores of a sweep of tasks: a line for each task, the average, and the trial under the cursor.

use super::run_text::in_charset;
use super::setting_lines::next_line;
use super::sweep_panes::status_role;
use crate::catalog::task;
use crate::format;
use crate::run::sweep::{MetricScore, Scoreboard, TaskScores};
use crate::stats::ConfidenceInterval;
use crate::text::{plural, sanitize, width};
use crate::tui::state::App;
use crate::tui::state::sweep::{LoadedSweep, TrialLine};
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{
    draw_text, first_visible, fit_width, line_at_position, padded_pane, pane, truncate, wrap,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// Columns before the first column of the table.
const MARGIN: u16 = 3;
/// The least rows of the pane below the table.
const MIN_DETAILS: u16 = 5;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Task,
    Metrics,
    Scores,
    Intervals,
    Published,
    Status,
}

impl Column {
    /// From left to right.
    const ALL: [Column; 6] =
        [Column::Task, Column::Metrics, Column::Scores, Column::Intervals, Column::Published, Column::Status];
    /// Those that are left out where the table is too wide, in this order.
    const OPTIONAL: [Column; 3] = [Column::Metrics, Column::Published, Column::Intervals];

    const fn title(self) -> &'static str {
        match self {
            Column::Task => "task",
            Column::Metrics => "metric",
            Column::Scores => "score",
            Column::Intervals => "95 % CI",
            Column::Published => "published",
            Column::Status => "status",
        }
    }

    fn text(self, app: &App, scores: &TaskScores) -> String {
        let dash = || app.theme.symbol(Symbol::Dash).to_string();
        let joined = |text: &dyn Fn(&MetricScore) -> String| match scores.scores.as_slice() {
            [] => dash(),
            all => all.iter().map(text).collect::<Vec<_>>().join(" / "),
        };
        match self {
            Column::Task => task(scores.task).map_or(scores.task, |task| task.folder()).into(),
            Column::Metrics => joined(&|score| format::metric(score.metric).into()),
            Column::Scores => {
                joined(&|score| score.value.map_or_else(dash, |value| format::score(score.metric, value)))
            }
            Column::Intervals => joined(&|score| match score.confidence_interval {
                Some(ConfidenceInterval { low, high }) => {
                    let to = app.theme.symbol(Symbol::To);
                    format!("{}{to}{}", format::score(score.metric, low), format::score(score.metric, high))
                }
                None => dash(),
            }),
            Column::Published if scores.scores.iter().all(|score| score.published.is_none()) => dash(),
            Column::Published => joined(&|score| {
                score.published.map_or_else(dash, |found| format::score(score.metric, found.value))
            }),
            Column::Status => scores.status.into(),
        }
    }
}

/// The areas of the table and of the details below it.
fn layout(loaded: &LoadedSweep, area: Rect) -> [Rect; 2] {
    // The frame and the heading of the table.
    let wanted = loaded.lines.len() as u16 + 3;
    let table = wanted.min(area.height.saturating_sub(MIN_DETAILS));
    Layout::vertical([Constraint::Length(table), Constraint::Fill(1)]).areas(area)
}

/// Draws the table, and below it the average and the trial under the cursor.
pub(super) fn draw(app: &App, loaded: &LoadedSweep, board: &Scoreboard, area: Rect, buffer: &mut Buffer) {
    let [table, details] = layout(loaded, area);
    let title = format!("Validation splits: {}", counts(board));
    let title = truncate(app.theme, &title, usize::from(table.width.saturating_sub(6)));
    let block = pane(app.theme, &title, true);
    let inner = block.inner(table);
    block.render(table, buffer);
    draw_rows(app, loaded, board, inner, buffer);
    draw_details(app, loaded, board, details, buffer);
}

/// `9 tasks, 3 finished, 1 running`.
fn counts(board: &Scoreboard) -> String {
    let statuses = ["running", "finished", "stopped", "interrupted", "failed", "skipped"];
    let counts = statuses.into_iter().filter_map(|status| match board.count(status) {
        0 => None,
        count => Some(format!("{count} {status}")),
    });
    std::iter::once(plural(board.tasks.len() as u64, "task")).chain(counts).collect::<Vec<_>>().join(", ")
}

/// Draws the heading and the lines of the table.
pub(super) fn draw_rows(
    app: &App,
    loaded: &LoadedSweep,
    board: &Scoreboard,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    let columns = columns(app, board, usize::from(area.width.saturating_sub(MARGIN)));
    let line = |text: &dyn Fn(Column) -> String| {
        let cells = columns.iter().map(|(column, cells)| fit_width(theme, &text(*column), *cells));
        cells.collect::<Vec<_>>().join("  ")
    };
    let inner = Rect { x: area.x + MARGIN, width: area.width.saturating_sub(MARGIN), ..area };
    let heading = line(&|column| column.title().to_owned());
    draw_text(buffer, inner.x, inner.y, inner.width, &heading, theme.style(Role::Muted));
    let height = usize::from(area.height.saturating_sub(1));
    let first = first_visible(app.sweep.selected, loaded.lines.len(), height);
    for (row, trial) in loaded.lines.iter().skip(first).take(height).enumerate() {
        let Some(scores) = scores_of(board, trial) else { continue };
        let y = area.y + 1 + row as u16;
        let is_selected = first + row == app.sweep.selected;
        if is_selected {
            let cursor = format!(" {}", theme.symbol(Symbol::Cursor));
            let cursor = fit_width(theme, &cursor, usize::from(area.width));
            draw_text(buffer, area.x, y, area.width, &cursor, theme.style(Role::Selected));
        }
        let role = if is_selected { Role::Selected } else { status_role(scores.status) };
        let text = line(&|column| sanitize(&column.text(app, scores)));
        draw_text(buffer, inner.x, y, inner.width, &text, theme.style(role));
    }
}

fn scores_of<'a>(board: &'a Scoreboard, line: &TrialLine) -> Option<&'a TaskScores> {
    match line {
        TrialLine::Trial(index) => board.tasks.get(*index),
        TrialLine::Group { .. } => None,
    }
}

/// The columns that fit, with their widths.
fn columns(app: &App, board: &Scoreboard, available: usize) -> Vec<(Column, usize)> {
    let cells = |column: Column| {
        let texts = board.tasks.iter().map(|scores| width(&column.text(app, scores)));
        texts.chain([width(column.title())]).max().unwrap_or(0)
    };
    let mut columns: Vec<(Column, usize)> =
        Column::ALL.into_iter().map(|column| (column, cells(column))).collect();
    for dropped in Column::OPTIONAL {
        let total: usize = columns.iter().map(|(_, cells)| cells + 2).sum();
        if total <= available + 2 {
            break;
        }
        columns.retain(|(column, _)| *column != dropped);
    }
    columns
}

/// Draws the averages, and the settings of the trial under the cursor.
fn draw_details(app: &App, loaded: &LoadedSweep, board: &Scoreboard, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let title = truncate(theme, "GLUE average", usize::from(area.width.saturating_sub(6)));
    let block = padded_pane(theme, &title, false);
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut y = inner.y;
    let mut lines = vec![(average_text(board), Role::Best)];
    lines.extend(published_text(board).map(|text| (text, Role::Muted)));
    if let Some(scores) = loaded.lines.get(app.sweep.selected).and_then(|line| scores_of(board, line)) {
        let of_trial = loaded.report.sweep.describe_trial(scores.trial);
        lines.push((String::new(), Role::Text));
        lines.push((format!("{}: {}", scores.task, scores.status), status_role(scores.status)));
        lines.extend(
            [Some(of_trial), scores.reason.clone()].into_iter().flatten().map(|text| (text, Role::Text)),
        );
    }
    for (text, role) in lines {
        let text = in_charset(&sanitize(&text), theme).into_owned();
        for line in wrap(&text, usize::from(inner.width)) {
            y = next_line(buffer, inner, y, &line, theme.style(role));
        }
    }
}

/// `78.3 over 9 tasks; a task with two metrics counts with their mean`.
fn average_text(board: &Scoreboard) -> String {
    match board.average {
        Some(average) => {
            let tasks = plural(average.tasks as u64, "finished task");
            format!(
                "{:.1} over {tasks}; a task with two metrics counts with their mean",
                100.0 * average.value
            )
        }
        None => "No task is finished yet".into(),
    }
}

/// `Published over 9 tasks: 79.5 on the validation splits (source)`.
fn published_text(board: &Scoreboard) -> Option<String> {
    let published = board.published_average?;
    let splits = [(published.validation, "validation"), (published.test, "test")];
    let values =
        splits.into_iter().filter_map(|(value, split)| Some(format!("{:.1} on the {split} splits", value?)));
    let values = values.collect::<Vec<_>>().join(", ");
    Some(format!("Published over 9 tasks: {values} ({})", published.source))
}

/// The line of the table at a position of the terminal, on a screen whose table and details are in `area`.
pub(super) fn line_at(app: &App, loaded: &LoadedSweep, area: Rect, position: Position) -> Option<usize> {
    let [table, _] = layout(loaded, area);
    let inner = pane(app.theme, "", false).inner(table);
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let first = first_visible(app.sweep.selected, loaded.lines.len(), usize::from(list.height));
    line_at_position(list, first, position).filter(|line| *line < loaded.lines.len())
}
