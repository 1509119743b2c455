//! Actions of the Insight screen.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use crate::catalog::{Labels, set_text};
use crate::event::{Event, SplitName};
use crate::format;
use crate::run::RunEvent;
use crate::run::error_analysis::ErrorReport;
use crate::text::sanitize;
use crate::tui::action::{InsightAction, ListAction, RowList};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::insight::{Content, InsightState, LoadedReport, Subject};
use crate::tui::state::popup::Popup;

/// Opens the screen on a run.
pub(super) fn open(app: &mut App, subject: Subject) -> Vec<Effect> {
    let opened_from = Some(app.screen);
    app.go_to(Screen::Insight);
    if app.insight.subject.as_ref() == Some(&subject) {
        app.insight.opened_from = opened_from;
    } else {
        app.insight = InsightState { subject: Some(subject), opened_from, ..InsightState::default() };
    }
    load(app)
}

fn load(app: &App) -> Vec<Effect> {
    app.insight.subject.clone().map_or(Vec::new(), |subject| vec![Effect::LoadPredictions(subject)])
}

/// Shows another seed; `to` maps the current index to the new one.
fn show_seed(app: &mut App, to: fn(usize) -> usize) -> Vec<Effect> {
    let view = &mut app.insight;
    let Some((seed, seeds)) =
        view.loaded().map(|loaded| (loaded.report.seed_index, loaded.report.seed_count))
    else {
        return Vec::new();
    };
    let next = to(seed).min(seeds - 1);
    if next == seed {
        return Vec::new();
    }
    if let Some(subject) = &mut view.subject {
        subject.seed = Some(next);
    }
    load(app)
}

/// Opens the row under the cursor on the Infer screen, with the model of the run.
fn open_infer(app: &App) -> Vec<Step> {
    let view = &app.insight;
    let (Some(loaded), Some(row), Some(subject)) = (view.loaded(), view.row(view.selected), &view.subject)
    else {
        return Vec::new();
    };
    let Ok(examples) = &loaded.report.examples else { return Vec::new() };
    let (dir, spec) = loaded.report.training_of(row);
    let (example, dir) = (examples[row].clone(), dir.to_path_buf());
    let name = subject.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let is_live = app.is_training() && app.training.as_ref().is_some_and(|run| run.dir == subject.dir);
    let is_one_of_folds = !loaded.report.folds.trainings.is_empty();
    let source = match (loaded.report.seed_count, spec.fold) {
        _ if is_live && !is_one_of_folds && loaded.report.seed_index + 1 == loaded.report.seed_count => {
            ModelSource::Live
        }
        (_, Some(fold)) if is_one_of_folds => ModelSource::Run { name: format!("{name}, fold {fold}"), dir },
        (0 | 1, _) => ModelSource::Run { name, dir },
        _ => ModelSource::Run { name: format!("{name}, seed {}", spec.seed), dir },
    };
    vec![Navigate::Example(source, example).into()]
}

/// Takes the report of a run, unless another run is shown by now.
pub(super) fn predictions_loaded(app: &mut App, subject: &Subject, result: Result<Box<ErrorReport>, String>) {
    let view = &mut app.insight;
    if view.subject.as_ref() != Some(subject) {
        return;
    }
    view.content = match result {
        Err(error) => Content::Error(error),
        Ok(report) => {
            let loaded = LoadedReport::new(*report, view.evaluation);
            loaded.map_or(Content::Empty, |loaded| Content::Loaded(Box::new(loaded)))
        }
    };
    let last = view.loaded().map_or(0, |loaded| loaded.predictions().classes().saturating_sub(1));
    view.cell = (view.cell.0.min(last), view.cell.1.min(last));
    view.update_threshold_curve();
    // Without a matrix the list takes the keys.
    view.is_in_list |= view.has_rows() && !view.has_matrix();
    view.selected = view.selected.min(view.count().saturating_sub(1));
}

/// Reloads the report when the run that is shown was evaluated again.
pub(super) fn run_event(app: &App, event: &RunEvent) -> Vec<Effect> {
    let is_shown = || {
        let run = app.training.as_ref().map(|run| &run.dir);
        app.screen == Screen::Insight
            && run.is_some()
            && app.insight.subject.as_ref().map(|subject| &subject.dir) == run
    };
    match &event.event {
        Event::Eval(eval) if eval.split == SplitName::Validation && is_shown() => load(app),
        _ => Vec::new(),
    }
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: InsightAction) -> Vec<Step> {
    let view = &mut app.insight;
    match action {
        InsightAction::Thresholds => toggle_thresholds(view),
        InsightAction::Open | InsightAction::Back if view.threshold_label.is_some() => {
            view.show_thresholds(None);
        }
        InsightAction::Open if view.is_in_list => show_row(app),
        InsightAction::Open => view.show_list(RowList::Cell),
        InsightAction::SwitchPane => view.is_in_list = !view.is_in_list || !view.has_matrix(),
        InsightAction::List(list) => view.show_list(list),
        InsightAction::OpenInfer => return open_infer(app),
        InsightAction::PreviousSeed => return effects(show_seed(app, |seed| seed.saturating_sub(1))),
        InsightAction::NextSeed => return effects(show_seed(app, |seed| seed + 1)),
        InsightAction::PreviousEvaluation => view.step_evaluation(true),
        InsightAction::NextEvaluation => view.step_evaluation(false),
        InsightAction::Left if view.threshold_label.is_some() => move_threshold_label(view, CellMove::Left),
        InsightAction::Right if view.threshold_label.is_some() => move_threshold_label(view, CellMove::Right),
        // The list has no columns to move between.
        InsightAction::Left | InsightAction::Right if view.is_in_list => {}
        InsightAction::Left => move_cell(view, CellMove::Left),
        InsightAction::Right => move_cell(view, CellMove::Right),
        InsightAction::Refresh => return effects(load(app)),
        InsightAction::Back if view.is_in_list && view.listed == RowList::Cell => view.is_in_list = false,
        InsightAction::Back => {
            let screen = view.opened_from.unwrap_or(Screen::Runs);
            app.go_to(screen);
        }
        InsightAction::Select(line) if view.is_in_list && line == view.selected => show_row(app),
        InsightAction::Select(line) => (view.is_in_list, view.selected) = (true, line),
        InsightAction::SelectCell(label, predicted) => {
            view.cell = (label, predicted);
            view.show_list(RowList::Cell);
        }
    }
    Vec::new()
}

/// Moves the cursor of the list or of the matrix.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    let view = &mut app.insight;
    if view.is_in_list && view.threshold_label.is_some() {
        return;
    }
    if view.is_in_list {
        view.selected = moved(view.selected, view.count(), action);
        return;
    }
    match action {
        ListAction::Up => move_cell(view, CellMove::Up),
        ListAction::Down => move_cell(view, CellMove::Down),
        ListAction::PageUp | ListAction::PageDown | ListAction::First | ListAction::Last => {}
    }
}

/// Shows the thresholds of the predicted class under the cursor of the matrix, or of the first label; or the rows again.
fn toggle_thresholds(view: &mut InsightState) {
    let label = if view.has_matrix() { view.cell.1 } else { 0 };
    let is_open = view.threshold_label.is_some();
    view.show_thresholds((!is_open).then_some(label));
}

/// Shows the thresholds of the label before or after.
fn move_threshold_label(view: &mut InsightState, action: CellMove) {
    let Some(last) = view.loaded().and_then(|loaded| loaded.predictions().classes().checked_sub(1)) else {
        return;
    };
    let label = view.threshold_label.unwrap_or_default();
    let next = if action == CellMove::Left { label.saturating_sub(1) } else { (label + 1).min(last) };
    view.show_thresholds(Some(next));
}

/// A move of the cursor in the matrix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CellMove {
    Up,
    Down,
    Left,
    Right,
}

fn move_cell(view: &mut InsightState, action: CellMove) {
    let Some(last) = view.loaded().and_then(|loaded| loaded.predictions().classes().checked_sub(1)) else {
        return;
    };
    let (label, predicted) = &mut view.cell;
    match action {
        CellMove::Up => *label = label.saturating_sub(1),
        CellMove::Down => *label = (*label + 1).min(last),
        CellMove::Left => *predicted = predicted.saturating_sub(1),
        CellMove::Right => *predicted = (*predicted + 1).min(last),
    }
    if view.listed == RowList::Cell {
        view.selected = 0;
    }
}

/// Shows the details of the row under the cursor in a popup.
fn show_row(app: &mut App) {
    let view = &app.insight;
    let (Some(loaded), Some(row)) = (view.loaded(), view.row(view.selected)) else { return };
    let predictions = loaded.predictions();
    let mut lines = match &loaded.report.examples {
        Ok(examples) => {
            let pair = examples[row].text_pair.iter().map(|text| sanitize(text));
            std::iter::once(sanitize(&examples[row].text)).chain(pair).collect()
        }
        Err(error) => vec![format!("Cannot show the text: {}", sanitize(error))],
    };
    lines.push(String::new());
    match &loaded.report.labels {
        Labels::Classes(names) => {
            lines.push(format!("label      {}", names[predictions.target(row)]));
            let probability = |class: usize| {
                format!("{} {:.1} %", names[class], 100.0 * predictions.probability(row, class))
            };
            lines.push(format!(
                "predicted  {}",
                (0..names.len()).map(probability).collect::<Vec<_>>().join(", ")
            ));
        }
        Labels::MultiLabel(names) => {
            let list = |set: &[u32]| set_text(names, set);
            lines.push(format!("labels     {}", list(predictions.targets()[row].indices())));
            lines.push(format!("predicted  {}", list(&predictions.predicted_set(row))));
            let mut all: Vec<usize> = (0..names.len()).collect();
            all.sort_by(|a, b| predictions.logits(row)[*b].total_cmp(&predictions.logits(row)[*a]));
            let probability = |label: &usize| {
                format!("{} {:.1} %", names[*label], 100.0 * predictions.probability(row, *label))
            };
            lines.push(format!("           {}", all.iter().map(probability).collect::<Vec<_>>().join(", ")));
        }
        Labels::Scale { low, high } => {
            lines.push(format!(
                "label      {:.2} on a scale from {low} to {high}",
                predictions.target_value(row)
            ));
            lines.push(format!("predicted  {:.2}", predictions.predicted_value(row)));
        }
    }
    let losses: Vec<String> = loaded.losses(row).map(format::loss).collect();
    lines.push(format!("loss       {}", format::loss(predictions.loss(row))));
    lines.push(format!("loss at each evaluation: {}", losses.join(" ")));
    let shared = loaded.cross_seed().map(|cross_seed| (cross_seed.seed_count, &cross_seed.rows));
    if let Some((seeds, shared)) =
        shared.and_then(|(n, rows)| Some((n, rows.iter().find(|shared| shared.row == row)?)))
    {
        let loss = format::loss(shared.loss);
        lines.push(format!("all seeds  {} of {seeds} predict it wrongly, mean loss {loss}", shared.wrong));
    }
    app.popup = Some(Popup::message(format!("Row {}", row + 1), lines.join("\n")));
}
