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
use crate::tui::state::filter::FilterField;
use crate::tui::widgets::text_field::Edit;
use std::path::Path;

/// Takes the loaded history of a run, if it is marked.
pub(super) fn history_loaded(app: &mut App, dir: &Path, result: &Result<(RunSpec, Vec<History>), String>) {
    let compare = &mut app.compare;
    if let Some(mark) = compare.marks.iter_mut().find(|mark| mark.dir == dir) {
        mark.loaded = Some(result.clone());
        compare.update_differences(&app.runs.runs);
    }
}

/// Says that seeds of a comparison were added to the queue.
pub(super) fn seeds_added(app: &mut App, text: String) -> Vec<Effect> {
    app.notice = Some(text);
    vec![Effect::Refresh]
}

/// Says how a comparison with a plan was decided.
pub(super) fn decided(app: &mut App, verdict: String) -> Vec<Effect> {
    app.notice = Some(verdict.clone());
    vec![Effect::Notify(verdict), Effect::Refresh]
}

/// Requests the comparison of two marked runs, if the pair has changed or a run has finished.
pub(super) fn request_verdict(app: &mut App) -> Option<Effect> {
    if app.screen != Screen::Compare {
        return None;
    }
    app.compare.request_verdict(&app.runs.runs).map(Effect::CompareRuns)
}

/// Goes to the screen. Without marks, it starts with the run under the cursor of the Runs screen or the one on the Live
/// screen.
pub(super) fn enter(app: &mut App) -> Vec<Effect> {
    let shown = if app.screen == Screen::Live { app.shown_run().map(|run| run.dir.clone()) } else { None };
    let wanted = shown.or_else(|| app.runs.run().map(|run| run.dir.clone()));
    app.go_to(Screen::Compare);
    let compare = &mut app.compare;
    let mut effects = vec![Effect::Refresh];
    if let Some(run) = app.runs.runs.iter().find(|run| Some(&run.dir) == wanted.as_ref()) {
        compare.selected = Some(run.dir.clone());
    }
    if compare.marks.is_empty()
        && let Some(run) = compare.run(&app.runs.runs).filter(|run| run.problem.is_none()).cloned()
    {
        compare.selected = Some(run.dir.clone());
        effects.extend(mark(compare, &run));
    }
    effects
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
            compare.update_differences(runs);
        }
        CompareAction::NextQuantity => compare.quantity = compare.quantity.next(),
        CompareAction::ToggleDifferences => compare.shows_differences = !compare.shows_differences,
        CompareAction::AddSeeds => {
            let pair = compare.undecided_pair(&app.runs.queue.list);
            return effects(pair.map(|(pair, _)| Effect::AddSeeds(pair.clone())));
        }
        CompareAction::Sort => compare.order = compare.order.next(),
        CompareAction::Reverse => compare.order.is_reversed = !compare.order.is_reversed,
        CompareAction::Match(facet) => {
            if let Some(run) = compare.run(runs) {
                let text = facet.toggled(compare.filter.text(), run);
                compare.filter.set(&text);
            }
        }
        CompareAction::Refresh => return effects([Effect::Refresh]),
        CompareAction::Back if compare.chart.back() => {}
        CompareAction::Back if !compare.filter.text().is_empty() => compare.filter = FilterField::default(),
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
    app.compare.filter.is_editing = action == FilterAction::Start;
    if action == FilterAction::Clear {
        app.compare.filter = FilterField::default();
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
    compare.update_differences(&app.runs.runs);
    effect
}
