//! The lines of the list.

use super::columns::{Column, INVALID, Kind, MARGIN, NameForm, name, trials_text};
use crate::format;
use crate::run::RunRow;
use crate::text;
use crate::tui::state::App;
use crate::tui::state::live_row::current_row;
use crate::tui::state::model_name::model_name;
use crate::tui::state::runs::ListLine;
use crate::tui::theme::{Role, Symbol};
use crate::tui::view::queue;
use crate::tui::view::run_text::{past_score, score_text, status_role, status_text, tagged_name};
use crate::tui::widgets::{draw_text, fit_width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws a line in `area`.
pub(super) fn draw(
    app: &App,
    line: &ListLine<'_>,
    is_selected: bool,
    columns: &[Column],
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    if is_selected {
        let cursor = fit_width(theme, &format!(" {}", theme.symbol(Symbol::Cursor)), usize::from(area.width));
        draw_text(buffer, area.x, area.y, area.width, &cursor, theme.style(Role::Selected));
    }
    let current = if let ListLine::Run(run) = line { Some(current_row(app, run)) } else { None };
    let mut x = area.x + MARGIN;
    for column in columns {
        let (text, role) = match (line, &current) {
            (_, Some(run)) => run_cell(app, run, *column),
            (line, None) => spec_cell(app, line, column.kind),
        };
        let left = column.width.saturating_sub(text::width(&text));
        let text = if column.kind.is_number() && left > 0 {
            " ".repeat(left) + &text
        } else {
            fit_width(theme, &text, column.width)
        };
        let role = if is_selected { Role::Selected } else { role };
        draw_text(buffer, x, area.y, area.right().saturating_sub(x), &text, theme.style(role));
        x += column.width as u16 + 1;
    }
}

/// A cell of an experiment or a queue entry.
fn spec_cell(app: &App, line: &ListLine<'_>, kind: Kind) -> (String, Role) {
    let spec = match line {
        ListLine::Experiment(row) => row.spec.as_ref().ok(),
        ListLine::Queued(entry) => Some(&entry.spec),
        ListLine::Run(_) | ListLine::Sweep(_) => None,
    };
    let dash = || app.theme.symbol(Symbol::Dash).to_string();
    match (kind, line) {
        (Kind::Score, ListLine::Sweep(row)) => {
            (row.best.map_or_else(dash, |(metric, score)| format::score(metric, score)), Role::Text)
        }
        (Kind::Trials(form), ListLine::Sweep(row)) => {
            (trials_text(row, form), if row.running() > 0 { Role::Train } else { Role::Text })
        }
        (Kind::Started, ListLine::Sweep(row)) if row.started > 0.0 => {
            (format::date(row.started, app.utc_offset)[5..].to_string(), Role::Text)
        }
        (Kind::Name(_), line) => (name(app, line), Role::Text),
        (Kind::Model, _) => (spec.map_or_else(dash, |spec| model_name(&spec.model)), Role::Text),
        (Kind::Task, _) => match spec {
            Some(spec) => (spec.task.name().into(), Role::Text),
            None => (INVALID.into(), Role::Error),
        },
        (Kind::State, ListLine::Queued(entry)) => queue::state(app, entry),
        (Kind::Score, line) => {
            (past_score(&app.runs.runs, line.name(), app.theme).unwrap_or_else(dash), Role::Text)
        }
        _ => (String::new(), Role::Text),
    }
}

/// A cell of a past run. Only its status has the color of the status, so that no line looks like the one under the cursor.
fn run_cell(app: &App, run: &RunRow, column: Column) -> (String, Role) {
    let text = match column.kind {
        Kind::Name(NameForm::Full) if text::width(run.display_name()) <= column.width => {
            run.display_name().to_string()
        }
        Kind::Name(_) => tagged_name(run, app, column.width),
        Kind::Tags => return (run.notes.tags_text(), Role::Key),
        Kind::Model => model_name(&run.model),
        Kind::Task => run.task.clone(),
        Kind::Score => score_text(run, app.theme),
        Kind::Status(form) => return (status_text(run, form, app.theme), status_role(run.status)),
        Kind::Time => format::duration(run.train_seconds),
        Kind::Disk => run.disk.map_or_else(String::new, |disk| format::bytes(disk.bytes)),
        Kind::Started if run.started == 0.0 => app.theme.symbol(Symbol::Dash).into(),
        Kind::Started => format::date(run.started, app.utc_offset)[5..].to_string(),
        Kind::State | Kind::Trials(_) => String::new(),
    };
    (text, Role::Text)
}
