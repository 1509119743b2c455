//! The Runs screen: experiments, queue and past runs, with details or the form beside them.

use super::run_text::{past_score, seeds_score, status_role};
use super::{details, form, queue};
use crate::format;
use crate::run::queue::QueueEntry;
use crate::run::{RunRow, RunStatus};
use crate::text;
use crate::tui::action::{Action, RunsAction};
use crate::tui::layout::RUNS_SIDE_BY_SIDE;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::model_name::model_name;
use crate::tui::state::runs::{ListLine, RunsState, Section};
use crate::tui::theme::{Role, Symbol, Theme};
use crate::tui::widgets::{draw_text, first_visible, fit_width, line_at_position, pane, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::widgets::Widget;

/// Below this width, the names of all runs are shortened in the same way.
const MIN_FULL_NAME: usize = 36;
/// From this width on, a line has columns for the model and for the training time.
const WIDE_LIST: usize = 52;
/// Below this width, the name of the experiment is left out.
const MIN_EXPERIMENT: usize = 4;

/// The areas of the list and the details.
fn layout(area: Rect) -> (Rect, Rect) {
    let halves = if area.width >= RUNS_SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas::<2>(area)
    } else {
        Layout::vertical([Constraint::Percentage(50), Constraint::Fill(1)]).areas::<2>(area)
    };
    (halves[0], halves[1])
}

/// The area of the form: beside the list, or instead of it.
pub fn form_area(area: Rect) -> Rect {
    if area.width >= RUNS_SIDE_BY_SIDE { layout(area).1 } else { area }
}

/// Draws the screen; returns the position of the terminal's cursor while text is edited.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let (left, right) = layout(area);
    if let Some(form) = &app.form {
        if form_area(area) == right {
            draw_list(app, left, buffer);
        }
        return form::draw(app, form, form_area(area), buffer);
    }
    let cursor = draw_list(app, left, buffer);
    details::draw(app, right, buffer);
    cursor
}

/// The areas of the list and of the filter below it, inside the pane.
fn list_areas(runs: &RunsState, inner: Rect) -> (Rect, Option<Rect>) {
    runs.filter.filter_areas(inner, runs.is_filtering)
}

/// The line of the list at a position of the terminal, on a screen with body `area`.
pub fn line_at(app: &App, area: Rect, position: Position) -> Option<usize> {
    let inner = pane(app.theme, "", false).inner(layout(area).0);
    let (list, _) = list_areas(&app.runs, inner);
    let lines = app.runs.lines();
    let rows = rows(app, &lines, list.width);
    let row = line_at_position(list, first_row(app, &rows, list.height), position)?;
    rows.get(row)?.number
}

fn draw_list(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let runs = &app.runs;
    let theme = app.theme;
    let block = pane(theme, "Experiments", app.form.is_none());
    let inner = block.inner(area);
    block.render(area, buffer);
    let (list, footer) = list_areas(runs, inner);
    draw_lines(app, list, buffer);
    let footer = footer?;
    let cursor = runs.filter.draw_filter(buffer, footer, theme);
    runs.is_filtering.then_some(cursor)
}

/// A row of the list: a heading, or the line with that number, whose text is only formatted if it is visible.
struct Row {
    heading: String,
    role: Role,
    number: Option<usize>,
}

fn rows(app: &App, lines: &[ListLine<'_>], width: u16) -> Vec<Row> {
    let runs = &app.runs;
    let mut rows: Vec<Row> = Vec::new();
    let header = |rows: &mut Vec<Row>, heading: String, role| rows.push(Row { heading, role, number: None });
    for error in [&runs.error, &runs.queue.error].into_iter().flatten() {
        for line in wrap(error, (width as usize).saturating_sub(4)) {
            header(&mut rows, format!("  {line}"), Role::Error);
        }
        let refresh = app.key(Context::Screen(Screen::Runs), Action::Runs(RunsAction::Refresh));
        header(&mut rows, format!("  Fix it, then press {refresh}."), Role::Muted);
    }
    let mut section = Section::Experiments;
    for (number, line) in lines.iter().enumerate() {
        if line.section() != section {
            section = line.section();
            if !rows.is_empty() {
                header(&mut rows, String::new(), Role::Text);
            }
            let (text, role) = heading(app, section);
            header(&mut rows, text, role);
        }
        let role = if number == runs.selected { Role::Selected } else { role_of(app, line) };
        rows.push(Row { heading: String::new(), role, number: Some(number) });
    }
    if section != Section::PastRuns && runs.is_listed {
        header(&mut rows, String::new(), Role::Text);
        let nothing = if runs.filter.text().is_empty() {
            "No runs yet: select an experiment and start training."
        } else {
            "No matching runs."
        };
        for line in wrap(nothing, (width as usize).saturating_sub(4)) {
            header(&mut rows, format!("  {line}"), Role::Muted);
        }
    }
    rows
}

/// The first visible row.
fn first_row(app: &App, rows: &[Row], height: u16) -> usize {
    let at = rows.iter().position(|row| row.number == Some(app.runs.selected)).unwrap_or(0);
    first_visible(at, rows.len(), height as usize)
}

fn draw_lines(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let lines = app.runs.lines();
    let rows = rows(app, &lines, area.width);
    let first = first_row(app, &rows, area.height);
    for (index, row) in rows.iter().skip(first).take(area.height as usize).enumerate() {
        let width = area.width as usize;
        let text = match row.number {
            Some(number) if number == app.runs.selected => {
                fit_width(theme, &text_of(app, &lines[number], number, width), width)
            }
            Some(number) => text_of(app, &lines[number], number, width),
            None => row.heading.clone(),
        };
        draw_text(buffer, area.x, area.y + index as u16, area.width, &text, theme.style(row.role));
    }
}

/// The heading of a section of the list.
fn heading(app: &App, section: Section) -> (String, Role) {
    match section {
        Section::Experiments => (String::new(), Role::Title),
        Section::Queue => {
            let (text, role) = queue::heading(app);
            let role = if role == Role::Muted { Role::Title } else { role };
            (format!(" Queue  {text}"), role)
        }
        Section::PastRuns => (" Past runs".into(), Role::Title),
    }
}

fn role_of(app: &App, line: &ListLine<'_>) -> Role {
    match line {
        ListLine::Experiment(row) if row.spec.is_err() => Role::Error,
        ListLine::Run(run) => status_role(run.status),
        ListLine::Queued(entry) => queue::state(app, entry).1,
        ListLine::Experiment(_) => Role::Text,
    }
}

/// A line of the list in exactly `width` cells.
fn text_of(app: &App, line: &ListLine<'_>, number: usize, width: usize) -> String {
    let theme = app.theme;
    let cursor = if number == app.runs.selected { theme.symbol(Symbol::Cursor) } else { "  " };
    let wide = width >= WIDE_LIST;
    let dash = theme.symbol(Symbol::Dash);
    match line {
        ListLine::Experiment(row) => {
            let (model, task) = row
                .spec
                .as_ref()
                .map_or((dash.into(), dash), |spec| (model_name(&spec.model), spec.task.name()));
            let score = past_score(&app.runs.runs, &row.name, theme)
                .unwrap_or_else(|| theme.symbol(Symbol::Dash).into());
            let columns = if wide {
                format!("{} {} {score:>13}", fit_width(theme, &model, 10), fit_width(theme, task, 10))
            } else {
                format!("{} {score:>13}", fit_width(theme, task, 10))
            };
            let name = fit_width(theme, &row.name, width.saturating_sub(columns.chars().count() + 5));
            format!(" {cursor}{name} {columns} ")
        }
        ListLine::Queued(entry) => {
            let QueueEntry { spec, .. } = entry;
            let (state, _) = queue::state(app, entry);
            let columns = if wide {
                let model = fit_width(theme, &model_name(&spec.model), 10);
                format!("{model} {} {state:>13}", fit_width(theme, spec.task.name(), 10))
            } else {
                format!("{} {state:>13}", fit_width(theme, spec.task.name(), 10))
            };
            let times = theme.symbol(Symbol::Times);
            let seeds = if spec.repeats > 1 { format!(" {times}{}", spec.repeats) } else { String::new() };
            let name = format!("{}{seeds}", spec.experiment);
            let name = fit_width(theme, &name, width.saturating_sub(columns.chars().count() + 5));
            format!(" {cursor}{name} {columns} ")
        }
        ListLine::Run(run) => run_text(app, run, cursor, width),
    }
}

/// A past run: its name, best score and outcome.
fn run_text(app: &App, run: &RunRow, cursor: &str, width: usize) -> String {
    let theme = app.theme;
    let score = match (run.repeats, run.best) {
        (Some(repeats), Some((metric, _))) if repeats.count > 1 => seeds_score(repeats, metric, theme),
        (_, Some((metric, value))) => format::score(metric, value),
        _ => theme.symbol(Symbol::Dash).into(),
    };
    let columns = if width >= WIDE_LIST {
        format!("{score:>13}  {:<16}", outcome(run, theme))
    } else {
        let status = match run.status {
            RunStatus::Finished => theme.symbol(Symbol::Check),
            status => status.name(),
        };
        format!("{score:>13} {}", fit_width(theme, status, 8))
    };
    let available = width.saturating_sub(columns.chars().count() + 5);
    let name = if run.started == 0.0 || (available >= MIN_FULL_NAME && text::width(&run.name) <= available) {
        fit_width(theme, &run.name, available)
    } else {
        // Date and time replace the rest of the name; the details show the full name.
        let day = &format::date(run.started, app.utc_offset)[5..];
        match available.saturating_sub(day.len() + 1) {
            0..MIN_EXPERIMENT => fit_width(theme, day, available),
            width => format!("{} {day}", fit_width(theme, &run.experiment, width)),
        }
    };
    format!(" {cursor}{name} {columns} ")
}

/// The status of a run with its training time, or with its progress if it did not finish.
fn outcome(run: &RunRow, theme: Theme) -> String {
    match (run.status, run.total_steps) {
        (RunStatus::Finished, _) => {
            format!("{} {:>8}", theme.symbol(Symbol::Check), format::duration(run.train_seconds))
        }
        (status, 0) => status.name().into(),
        (status, total) => format!("{} {:.0} %", status.name(), 100.0 * run.steps as f64 / total as f64),
    }
}

/// Draws the list or the form without borders, for a very small terminal.
pub fn draw_tiny(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(form) = &app.form {
        return form::draw_tiny(app, form, area, buffer);
    }
    draw_lines(app, area, buffer);
    None
}
