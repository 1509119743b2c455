//! Actions of the Compare screen.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use crate::run::RunRow;
use crate::run::history::History;
use crate::spec::RunSpec;
use crate::tui::action::{CompareAction, FilterAction, ListAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::compare::CompareState;
use crate::tui::widgets::text_field::{Edit, TextField};
use std::path::Path;

/// Takes the loaded history of a run, if it is marked.
pub(super) fn history_loaded(app: &mut App, dir: &Path, result: &Result<(RunSpec, Vec<History>), String>) {
    let compare = &mut app.compare;
    if let Some(mark) = compare.marks.iter_mut().find(|mark| mark.dir == dir) {
        mark.loaded = Some(result.clone());
        compare.update_differences();
    }
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: CompareAction) -> Vec<Step> {
    let runs = &app.runs.runs;
    let compare = &mut app.compare;
    match action {
        CompareAction::Open => {
            let run = compare.run(runs);
            return run.map(|run| Navigate::Run(run.dir.clone()).into()).into_iter().collect();
        }
        CompareAction::ToggleMark => return effects(toggle_mark(app)),
        CompareAction::MarkAll => {
            let rows: Vec<RunRow> = compare.rows(runs).into_iter().cloned().collect();
            return effects(rows.iter().filter_map(|run| mark(compare, run)));
        }
        CompareAction::ClearMarks => {
            compare.marks.clear();
            compare.update_differences();
        }
        CompareAction::NextQuantity => compare.quantity = compare.quantity.next(),
        CompareAction::ToggleDifferences => compare.shows_differences = !compare.shows_differences,
        CompareAction::Sort => compare.order = compare.order.next(),
        CompareAction::Reverse => compare.order.is_reversed = !compare.order.is_reversed,
        CompareAction::Match(facet) => {
            if let Some(run) = compare.run(runs) {
                compare.filter = TextField::new(&facet.toggled(compare.filter.text(), run));
            }
        }
        CompareAction::Refresh => return effects([Effect::Refresh]),
        CompareAction::Back if compare.chart.back() => {}
        CompareAction::Back if !compare.filter.text().is_empty() => compare.filter = TextField::default(),
        CompareAction::Back => {
            app.go_to(Screen::Runs);
            return effects([Effect::Refresh]);
        }
        CompareAction::Select(row) => {
            let rows = compare.rows(runs);
            if compare.cursor(&rows) == row {
                return effects(toggle_mark(app));
            }
            compare.selected = rows.get(row).map(|run| run.dir.clone());
        }
    }
    Vec::new()
}

/// Moves the cursor.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    let rows = app.compare.rows(&app.runs.runs);
    let to = moved(app.compare.cursor(&rows), rows.len(), action);
    app.compare.selected = rows.get(to).map(|run| run.dir.clone());
}

/// Starts, ends or clears the filter.
pub(super) fn filter(app: &mut App, action: FilterAction) {
    app.compare.is_filtering = action == FilterAction::Start;
    if action == FilterAction::Clear {
        app.compare.filter = TextField::default();
    }
}

/// Types into the filter.
pub(super) fn type_in(app: &mut App, edit: &Edit) {
    app.compare.filter.edit(edit);
}

/// Marks a run that is not marked, up to the maximum, and loads its history.
fn mark(compare: &mut CompareState, run: &RunRow) -> Option<Effect> {
    compare.mark(run).then(|| Effect::RequireHistory(run.dir.clone()))
}

/// Marks the run under the cursor, or unmarks it.
fn toggle_mark(app: &mut App) -> Option<Effect> {
    let compare = &mut app.compare;
    let run = compare.run(&app.runs.runs)?.clone();
    let before = compare.marks.len();
    compare.marks.retain(|mark| mark.dir != run.dir);
    let effect = if compare.marks.len() == before { mark(compare, &run) } else { None };
    compare.update_differences();
    effect
}
