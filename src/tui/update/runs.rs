//! Actions of the Runs screen.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use super::{glue, queue, run_notes, submit, suggestion};
use crate::run::history::History;
use crate::run::queue::QueueEntry;
use crate::run::{DiskUse, Reproduction, RunRow, RunStatus};
use crate::spec::SaveTarget;
use crate::tui::action::{Action, FilterAction, ListAction, LiveAction, RunsAction};
use crate::tui::msg::Effect;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::experiment::ExperimentRow;
use crate::tui::state::form::Form;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::insight::Subject;
use crate::tui::state::live_row::followed_row;
use crate::tui::state::popup::{MessageText, Popup, Reply};
use crate::tui::state::runs::{ListLine, can_resume};
use crate::tui::state::sweep::SweepSource;
use crate::tui::state::train_request::TrainRequest;
use crate::tui::widgets::text_field::Edit;
use std::path::PathBuf;

/// Applies an action.
pub(super) fn act(app: &mut App, action: RunsAction) -> Vec<Step> {
    match action {
        RunsAction::Open => return open(app),
        RunsAction::Edit => return open_form(app, Form::edit),
        RunsAction::Copy => return open_form(app, Form::copy),
        RunsAction::New => return vec![Navigate::Form(Box::new(Form::new(&app.runs.experiments))).into()],
        RunsAction::Resume => {
            let run = app.runs.run().filter(|run| can_resume(run));
            return navigate(run.map(|run| Navigate::Train(TrainRequest::Resume(run.dir.clone()))));
        }
        RunsAction::Delete => return delete(app),
        RunsAction::EditNotes(part) => run_notes::ask(app, part),
        RunsAction::Prune => run_notes::ask_to_prune(app),
        RunsAction::Submit => submit::ask_to_submit(app),
        RunsAction::TrainGlue => glue::ask(app),
        RunsAction::Cancel => submit::ask_to_cancel(app),
        RunsAction::Enqueue => return queue::enqueue(app),
        RunsAction::MoveEarlier => return queue::move_earlier(app),
        RunsAction::MoveLater => return queue::move_later(app),
        RunsAction::ToggleHold => return queue::toggle_hold(app),
        RunsAction::OpenInfer => {
            let run = app.runs.run().filter(|run| run.best.is_some());
            let source = |name: &String, dir| ModelSource::Run { name: name.clone(), dir };
            return navigate(run.map(|run| Navigate::Infer(source(&run.name, run.dir.clone()))));
        }
        RunsAction::OpenInsight => {
            let subject = app.runs.run().map(|run| Subject { dir: run.dir.clone(), seed: None });
            return navigate(subject.map(Navigate::Insight));
        }
        RunsAction::OpenSweep => return navigate(app.runs.sweep_source().map(Navigate::Sweep)),
        RunsAction::TrySuggestion => return suggestion::ask(app),
        RunsAction::OpenData => return open_data(app),
        RunsAction::OpenFile => return vec![Navigate::ChooseFile.into()],
        RunsAction::ShowPublished => return effects([Effect::LoadReproduction]),
        RunsAction::NextSection => {
            app.runs.next_section();
            return effects(load_preview(app));
        }
        RunsAction::Refresh => return effects([Effect::Refresh]),
        RunsAction::ClearFilter => filter(app, FilterAction::Clear),
        RunsAction::Select(line) if line == app.runs.selected && app.runs.filter.is_editing => {
            filter(app, FilterAction::Accept);
        }
        RunsAction::Select(line) if line == app.runs.selected => return open(app),
        RunsAction::Select(line) => {
            app.runs.move_to(line.min(app.runs.lines().len().saturating_sub(1)));
            return effects(load_preview(app));
        }
    }
    Vec::new()
}

/// Puts the cursor on a run that another process trains, and says so.
pub(super) fn show_running(app: &mut App) {
    let running = app.runs.runs.iter().filter(|run| run.status == RunStatus::Running).count();
    let Some(name) = app.runs.select_running() else { return };
    app.notice = Some(match running {
        1 => format!("{name} is being trained in another process; Enter attaches to it"),
        _ => format!("{running} runs are being trained in other processes; Enter attaches to one"),
    });
}

/// Goes to the screen. The cursor is on the run that the Live screen has shown.
pub(super) fn enter(app: &mut App) -> Vec<Effect> {
    let shown = if app.screen == Screen::Live { app.shown_run().map(|run| run.dir.clone()) } else { None };
    if let Some(dir) = shown {
        app.runs.select_run(&dir);
    }
    app.go_to(Screen::Runs);
    vec![Effect::Refresh]
}

/// Takes what is wrong with the files of the experiments, and the files that a new experiment can be saved to.
pub(super) fn files_read(app: &mut App, errors: &[String], targets: Vec<(SaveTarget, PathBuf)>) {
    app.runs.error = (!errors.is_empty()).then(|| errors.join("\n"));
    app.runs.save_targets = targets;
}

/// Takes the current experiments and runs.
pub(super) fn listed(
    app: &mut App,
    experiments: Result<Vec<ExperimentRow>, String>,
    runs: Vec<RunRow>,
) -> Vec<Effect> {
    let is_first = !app.runs.is_listed;
    app.runs.set_lists(experiments, runs);
    if is_first && app.screen == Screen::Runs {
        show_running(app);
    }
    app.compare.update_differences(&app.runs.runs);
    if app.screen == Screen::Runs { load_preview(app) } else { Vec::new() }
}

/// Takes the disk space of runs.
pub(super) fn disk_measured(app: &mut App, sizes: &[(PathBuf, DiskUse)]) -> Vec<Effect> {
    app.runs.set_disk(sizes);
    Vec::new()
}

/// Takes the histories of a run: for the details if it is under the cursor, and for its line if it is being trained.
pub(super) fn history_loaded(app: &mut App, dir: PathBuf, seeds: Vec<History>) {
    if let Some(row) = app.runs.runs.iter_mut().find(|row| row.dir == dir && row.status == RunStatus::Running)
    {
        *row = followed_row(row, &seeds);
    }
    if app.runs.run().is_none_or(|run| run.dir == dir) {
        app.runs.preview = Some((dir, seeds));
    }
}

fn navigate(navigate: Option<Navigate>) -> Vec<Step> {
    navigate.map(Step::Navigate).into_iter().collect()
}

/// Moves the cursor.
pub(super) fn move_cursor(app: &mut App, action: ListAction) -> Vec<Effect> {
    app.runs.move_to(moved(app.runs.selected, app.runs.lines().len(), action));
    load_preview(app)
}

/// Starts, ends or clears the filter.
pub(super) fn filter(app: &mut App, action: FilterAction) {
    app.runs.filter.is_editing = action == FilterAction::Start;
    if action == FilterAction::Clear {
        app.runs.clear_filter();
    }
}

/// Types into the filter.
pub(super) fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    if app.runs.filter.is_editing && app.runs.filter.edit(edit) {
        app.runs.move_to(0);
        return load_preview(app);
    }
    Vec::new()
}

/// Loads the history of the run under the cursor, unless it is loaded.
pub(super) fn load_preview(app: &App) -> Vec<Effect> {
    let loaded = app.runs.preview.as_ref().map(|(dir, _)| dir);
    match app.runs.run() {
        Some(run) if loaded != Some(&run.dir) => vec![Effect::LoadHistory(run.dir.clone())],
        _ => Vec::new(),
    }
}

/// The queue entry under the cursor.
fn entry(app: &App) -> Option<QueueEntry> {
    match app.runs.line() {
        Some(ListLine::Queued(entry)) => Some(entry.clone()),
        _ => None,
    }
}

/// Starts the experiment under the cursor, or opens the run.
fn open(app: &mut App) -> Vec<Step> {
    if let Some(entry) = entry(app) {
        return queue::open_entry(app, &entry);
    }
    if let Some(run) = app.runs.run() {
        return vec![Navigate::Run(run.dir.clone()).into()];
    }
    if let Some(ListLine::Sweep(row)) = app.runs.line() {
        return vec![Navigate::Sweep(SweepSource::Named(row.name.clone())).into()];
    }
    match app.runs.experiment().map(ExperimentRow::request) {
        Some(Ok(request)) => vec![Navigate::Train(request).into()],
        Some(Err(error)) => {
            app.show_error("Cannot start this experiment", error);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Opens the dataset of the experiment under the cursor.
fn open_data(app: &mut App) -> Vec<Step> {
    match app.runs.experiment().map(|row| row.spec.clone()) {
        Some(Ok(spec)) => vec![Navigate::Data(Box::new(spec)).into()],
        Some(Err(error)) => {
            app.show_error("Invalid experiment", error);
            Vec::new()
        }
        None => Vec::new(),
    }
}

fn open_form(app: &App, form: fn(&ExperimentRow, &[ExperimentRow]) -> Form) -> Vec<Step> {
    let form = app.runs.experiment().map(|row| form(row, &app.runs.experiments));
    navigate(form.map(|form| Navigate::Form(Box::new(form))))
}

/// Removes the queue entry under the cursor, or asks whether to delete the run.
fn delete(app: &mut App) -> Vec<Step> {
    if let Some(entry) = entry(app) {
        return queue::remove_entry(app, &entry);
    }
    ask_to_delete(app);
    Vec::new()
}

fn ask_to_delete(app: &mut App) {
    let Some(run) = app.runs.run() else { return };
    if run.status == RunStatus::Running {
        let stop = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::Stop));
        app.show_error(
            "This run is being trained",
            format!("Stop it first with `{stop}` on the Live screen."),
        );
        return;
    }
    app.popup = Some(Popup::question(
        "Delete this run?",
        format!("{} is deleted with its weights, checkpoints and logs. This cannot be undone.", run.name),
        vec![('d', "delete", Reply::Delete(run.dir.clone())), ('k', "cancel", Reply::Nothing)],
    ));
}

/// Shows the published results beside those of the runs, or the error.
pub(super) fn show_published(app: &mut App, result: Result<Vec<Reproduction>, String>) {
    match result {
        Ok(table) => {
            let title = "Published results".into();
            app.popup = Some(Popup::Message { title, text: MessageText::Published(table), first: 0 });
        }
        Err(error) => app.show_error("Cannot compare with the published results", error),
    }
}
