//! The Sweep screen: a table of the trials, charts of their scores, and the importance of the keys.

use super::placeholder;
use super::scoreboard;
use super::sweep_panes::{self, status_role};
use crate::format;
use crate::run::sweep::{SweepReport, TrialRow};
use crate::text::{plural, sanitize, width};
use crate::tui::action::{Action, SweepAction};
use crate::tui::layout::{SWEEP_SIDE_BY_SIDE, has_sweep_keys};
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::sweep::{LoadedSweep, SweepChart, SweepContent, TrialColumn, TrialLine};
use crate::tui::theme::{Role, Symbol};
use crate::tui::widgets::{
    draw_text, draw_text_right, draw_title, first_visible, fit_width, line_at_position, pane, truncate,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// The least and the most columns of the table beside the charts.
const MIN_TABLE: u16 = 46;
const MAX_TABLE: u16 = 100;
/// Columns before the first column of the table.
const MARGIN: u16 = 3;
/// The widest value of a key, in cells.
const MAX_VALUE: usize = 18;

/// The areas of the table, the chart and the keys, if they have one of their own.
struct Areas {
    table: Rect,
    chart: Rect,
    keys: Option<Rect>,
}

fn layout(app: &App, loaded: &LoadedSweep, area: Rect) -> Areas {
    let wanted_keys = (loaded.report.sweep.axes.len() as u16 + 7).min(area.height / 2);
    if area.width >= SWEEP_SIDE_BY_SIDE {
        let natural = (table_width(loaded) as u16 + MARGIN + 3).clamp(MIN_TABLE, MAX_TABLE);
        let columns = [Constraint::Length(natural.min(area.width * 11 / 20)), Constraint::Fill(1)];
        let [table, right] = Layout::horizontal(columns).areas(area);
        let [chart, keys] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(wanted_keys)]).areas(right);
        return Areas { table, chart, keys: Some(keys) };
    }
    if has_sweep_keys(app.size) {
        let rows = [Constraint::Percentage(38), Constraint::Fill(1), Constraint::Length(wanted_keys)];
        let [table, chart, keys] = Layout::vertical(rows).areas(area);
        return Areas { table, chart, keys: Some(keys) };
    }
    let rows = [Constraint::Fill(1), Constraint::Percentage(50)];
    let [table, chart] = Layout::vertical(rows).areas(area);
    Areas { table, chart, keys: None }
}

/// Draws the screen.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(loaded) = loaded(app, area, buffer) else { return };
    let [header, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    draw_header(app, &loaded.report, header, buffer);
    if let Some(board) = &loaded.report.scoreboard {
        return scoreboard::draw(app, loaded, board, body, buffer);
    }
    let Areas { table, chart, keys } = layout(app, loaded, body);
    draw_table(app, loaded, table, buffer);
    if let Some(area) = keys {
        sweep_panes::draw_keys(app, loaded, area, buffer);
    }
    if app.sweep.chart == SweepChart::Importance && keys.is_none() {
        sweep_panes::draw_keys(app, loaded, chart, buffer);
    } else {
        sweep_panes::draw_chart(app, loaded, chart, buffer);
    }
}

/// Draws the table only, for a very small terminal.
pub(super) fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(loaded) = loaded(app, area, buffer) else { return };
    match &loaded.report.scoreboard {
        Some(board) => scoreboard::draw_rows(app, loaded, board, area, buffer),
        None => draw_rows(app, loaded, area, buffer),
    }
}

/// The sweep; without one, draws why.
fn loaded<'a>(app: &'a App, area: Rect, buffer: &mut Buffer) -> Option<&'a LoadedSweep> {
    let (text, role) = match &app.sweep.content {
        SweepContent::Loaded(loaded) => return Some(loaded),
        SweepContent::Loading if app.sweep.source.is_some() => ("Reading the sweep.".to_owned(), Role::Muted),
        SweepContent::Loading => ("Open a sweep on the Runs screen.".to_owned(), Role::Muted),
        SweepContent::Error(error) => {
            let refresh = app.key(Context::Screen(Screen::Sweep), Action::Sweep(SweepAction::Refresh));
            (format!("{}\n\nFix it, then press {refresh}.", sanitize(error)), Role::Error)
        }
    };
    placeholder::draw(app, &text, role, area, buffer);
    None
}

/// The line of the table at a position of the terminal, on a screen with body `area`.
pub fn line_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    let loaded = app.sweep.loaded()?;
    let [_, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    if loaded.report.scoreboard.is_some() {
        return scoreboard::line_at(app, loaded, body, position);
    }
    let inner = pane(app.theme, "", false).inner(layout(app, loaded, body).table);
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let first = first_visible(app.sweep.selected, loaded.lines.len(), usize::from(list.height));
    line_at_position(list, first, position).filter(|line| *line < loaded.lines.len())
}

fn draw_header(app: &App, report: &SweepReport, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let dot = theme.symbol(Symbol::Dot);
    let best = report.best().and_then(|trial| Some((trial, trial.score?))).map_or(
        String::new(),
        |(trial, score)| {
            format!(
                "best {} {} in trial {} ",
                format::metric(report.metric),
                format::score(report.metric, score),
                trial.number
            )
        },
    );
    let text = format!("{}{dot}{}", report.dir.name(), report.sweep.describe());
    draw_title(theme, buffer, area, &text, width(&best));
    draw_text_right(buffer, area, area.y, &best, theme.style(Role::Best));
}

fn draw_table(app: &App, loaded: &LoadedSweep, area: Rect, buffer: &mut Buffer) {
    let report = &loaded.report;
    let statuses = ["running", "finished", "paused", "stopped", "interrupted", "failed"];
    let counts = statuses.into_iter().filter_map(|status| match report.count(status) {
        0 => None,
        count => Some(format!("{} {status}", format::count(count as u64))),
    });
    let counts: Vec<String> = counts.collect();
    let title = match counts.as_slice() {
        [] => plural(report.sweep.len(), "trial"),
        counts => format!("{}: {}", plural(report.sweep.len(), "trial"), counts.join(", ")),
    };
    let title = truncate(app.theme, &title, usize::from(area.width.saturating_sub(6)));
    let block = pane(app.theme, &title, true);
    let inner = block.inner(area);
    block.render(area, buffer);
    draw_rows(app, loaded, inner, buffer);
}

/// A column with its width.
type SizedColumn = (TrialColumn, usize);

/// Every column, in the order from left to right, at its least width.
fn columns(loaded: &LoadedSweep) -> Vec<SizedColumn> {
    let of_axis = |(axis, width): (usize, &usize)| (TrialColumn::Axis(axis), width.min(&MAX_VALUE) + 1);
    let mut columns = vec![(TrialColumn::Number, 5)];
    columns.extend(loaded.widths.iter().enumerate().map(of_axis));
    columns.extend([
        (TrialColumn::Score, 6),
        (TrialColumn::Status, 11),
        (TrialColumn::Steps, 7),
        (TrialColumn::Time, 8),
    ]);
    columns
}

/// The width of columns with the space after each.
fn total(columns: &[SizedColumn]) -> usize {
    columns.iter().map(|(_, width)| width + 1).sum()
}

/// The width of a column that shows its whole title, with the arrow of the sorted one.
fn whole_width(report: &SweepReport, column: TrialColumn) -> usize {
    width(&title(report, column)) + 1
}

/// The width of the table with all columns and their titles.
fn table_width(loaded: &LoadedSweep) -> usize {
    let whole = |(column, width): SizedColumn| (column, width.max(whole_width(&loaded.report, column)));
    total(&columns(loaded).into_iter().map(whole).collect::<Vec<SizedColumn>>())
}

/// The columns that fit: of those that do not, time and steps are left out first, then the last keys. Where there is space
/// left, columns are as wide as their titles.
fn fitting_columns(app: &App, loaded: &LoadedSweep, available: usize) -> Vec<SizedColumn> {
    let mut columns = columns(loaded);
    let sorted = app.sweep.order.column;
    let axes = (0..loaded.report.sweep.axes.len()).rev().map(TrialColumn::Axis);
    for dropped in [TrialColumn::Time, TrialColumn::Steps].into_iter().chain(axes) {
        if total(&columns) <= available {
            break;
        }
        columns.retain(|(column, _)| *column != dropped || *column == sorted);
    }
    let mut left = available.saturating_sub(total(&columns));
    for (column, width) in &mut columns {
        let more = whole_width(&loaded.report, *column).saturating_sub(*width).min(left);
        *width += more;
        left -= more;
    }
    columns
}

fn title(report: &SweepReport, column: TrialColumn) -> String {
    match column {
        TrialColumn::Number => "trial".into(),
        TrialColumn::Axis(axis) => {
            report.sweep.axes.get(axis).map_or(String::new(), |axis| axis.key.name.into())
        }
        TrialColumn::Score => "best".into(),
        TrialColumn::Status => "status".into(),
        TrialColumn::Steps => "steps".into(),
        TrialColumn::Time => "time".into(),
    }
}

fn is_number(report: &SweepReport, column: TrialColumn) -> bool {
    match column {
        TrialColumn::Axis(axis) => report.is_number(axis),
        TrialColumn::Status => false,
        _ => true,
    }
}

fn text(app: &App, report: &SweepReport, trial: &TrialRow, column: TrialColumn) -> String {
    let dash = || app.theme.symbol(Symbol::Dash).to_string();
    match column {
        TrialColumn::Number => trial.number.to_string(),
        TrialColumn::Axis(axis) => match trial.values.get(axis).map(String::as_str) {
            None | Some("") => dash(),
            Some(text) => sanitize(text),
        },
        TrialColumn::Score => trial.score.map_or_else(dash, |score| format::score(report.metric, score)),
        TrialColumn::Status => trial.status.into(),
        TrialColumn::Steps | TrialColumn::Time if trial.dir.is_none() => dash(),
        TrialColumn::Steps => format::count(trial.steps),
        TrialColumn::Time => format::duration(trial.seconds),
    }
}

/// Draws the heading and the visible lines of the table.
fn draw_rows(app: &App, loaded: &LoadedSweep, area: Rect, buffer: &mut Buffer) {
    let columns = fitting_columns(app, loaded, usize::from(area.width.saturating_sub(MARGIN)));
    let best = loaded.report.best().map(|trial| trial.number);
    let table = Table { app, loaded, columns, best };
    table.draw_heading(area, buffer);
    let height = usize::from(area.height.saturating_sub(1));
    let first = first_visible(app.sweep.selected, loaded.lines.len(), height);
    for (row, line) in loaded.lines.iter().skip(first).take(height).enumerate() {
        let area = Rect { y: area.y + 1 + row as u16, height: 1, ..area };
        table.draw_line(line, first + row == app.sweep.selected, area, buffer);
    }
}

/// The table of the trials.
struct Table<'a> {
    app: &'a App,
    loaded: &'a LoadedSweep,
    /// The columns that fit.
    columns: Vec<SizedColumn>,
    /// The number of the best trial.
    best: Option<u64>,
}

impl Table<'_> {
    /// Draws the titles of the columns; that of the sorted one has an arrow.
    fn draw_heading(&self, area: Rect, buffer: &mut Buffer) {
        let (theme, order) = (self.app.theme, self.app.sweep.order);
        let mut x = area.x + MARGIN;
        for (column, width) in &self.columns {
            let width = *width;
            let is_sorted = *column == order.column;
            let arrow = match (is_sorted, order.is_reversed) {
                (false, _) => "",
                (true, false) => theme.symbol(Symbol::Falling),
                (true, true) => theme.symbol(Symbol::Rising),
            };
            let title = title(&self.loaded.report, *column);
            let title = truncate(theme, &title, width - arrow.chars().count().min(width));
            let title = format!("{title}{arrow}");
            let title = if is_number(&self.loaded.report, *column) { aligned(&title, width) } else { title };
            let role = if is_sorted { Role::Key } else { Role::Muted };
            draw_text(buffer, x, area.y, area.right().saturating_sub(x), &title, theme.style(role));
            x += width as u16 + 1;
        }
    }

    fn draw_line(&self, line: &TrialLine, is_selected: bool, area: Rect, buffer: &mut Buffer) {
        let (theme, report) = (self.app.theme, &self.loaded.report);
        if is_selected {
            let cursor = format!(" {}", theme.symbol(Symbol::Cursor));
            let cursor = fit_width(theme, &cursor, usize::from(area.width));
            draw_text(buffer, area.x, area.y, area.width, &cursor, theme.style(Role::Selected));
        }
        let styled = |role: Role| theme.style(if is_selected { Role::Selected } else { role });
        let area = Rect { x: area.x + MARGIN, width: area.width.saturating_sub(MARGIN), ..area };
        match line {
            TrialLine::Group { label, trials, mean } => {
                let mean = mean
                    .map_or(String::new(), |mean| format!(", mean {}", format::score(report.metric, mean)));
                let text = format!("{}: {}{mean}", sanitize(label), plural(*trials as u64, "trial"));
                draw_text(buffer, area.x, area.y, area.width, &text, styled(Role::Title));
            }
            TrialLine::Trial(index) => {
                let Some(trial) = report.trials.get(*index) else { return };
                let mut x = area.x;
                for (column, width) in &self.columns {
                    let (text, role) = self.cell(trial, *column, *width);
                    draw_text(buffer, x, area.y, area.right().saturating_sub(x), &text, styled(role));
                    x += *width as u16 + 1;
                }
            }
        }
    }

    /// The text of a cell, as wide as its column or at the right end of it, and its style.
    fn cell(&self, trial: &TrialRow, column: TrialColumn, width: usize) -> (String, Role) {
        let report = &self.loaded.report;
        let text = text(self.app, report, trial, column);
        let text = if is_number(report, column) {
            aligned(&text, width)
        } else {
            fit_width(self.app.theme, &text, width)
        };
        let role = match column {
            TrialColumn::Status => status_role(trial.status),
            TrialColumn::Score if self.best == Some(trial.number) => Role::Best,
            _ if trial.dir.is_none() => Role::Muted,
            _ => Role::Text,
        };
        (text, role)
    }
}

/// `text` at the right end of `cells` cells.
fn aligned(text: &str, cells: usize) -> String {
    " ".repeat(cells.saturating_sub(width(text))) + text
}
