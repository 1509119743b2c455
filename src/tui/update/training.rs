//! The run that this process trains, from its start to its end, and histories that were read from logs.

use super::{compare, infer, live, queue, runs};
use crate::event::{Event, Status};
use crate::run::RunEvent;
use crate::run::history::History;
use crate::run::queue::Queue;
use crate::spec::RunSpec;
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::quitting::Quitting;
use crate::tui::state::run::RunState;
use crate::tui::state::train_request::TrainRequest;
use std::path::{Path, PathBuf};

/// The specification of a run and the histories of its seeds, or the error.
type LoadedHistory = Result<(RunSpec, Vec<History>), String>;

/// Hands the histories of the seeds of a run to the screens that show it.
pub(super) fn history_loaded(app: &mut App, dir: PathBuf, result: LoadedHistory) -> Vec<Effect> {
    compare::history_loaded(app, &dir, &result);
    infer::history_loaded(app, &dir, &result);
    let is_viewed = |app: &App, dir: &Path| app.viewed.as_ref().is_some_and(|viewed| viewed.dir == dir);
    match result {
        Ok((spec, seeds)) => {
            if let Some(viewed) = app.viewed.as_mut().filter(|viewed| viewed.dir == dir) {
                let seed = viewed.seed;
                *viewed = RunState { seed, ..RunState::past(spec, dir.clone(), seeds.clone()) };
            }
            runs::history_loaded(app, dir, seeds);
        }
        Err(error) if is_viewed(app, &dir) => app.show_error("Cannot read this run", error),
        Err(_) => runs::history_loaded(app, dir, Vec::new()),
    }
    Vec::new()
}

/// Shows a run that has started, unless the queue started it: then the screen stays.
pub(super) fn started(app: &mut App, run: RunState, queue: Option<Queue>) {
    app.training = Some(run);
    if let Some(queue) = queue {
        app.runs.set_queue(queue);
    } else {
        app.is_starting = false;
        app.notice = None;
        // The Runs screen shows the new run once it is listed.
        let dir = app.training.as_ref().map(|run| run.dir.clone());
        if let Some(dir) = dir {
            app.runs.select_run(&dir);
        }
        live::show_training(app);
    }
}

/// Applies an event of the run that this process trains.
pub(super) fn apply_event(app: &mut App, event: &RunEvent) {
    if let Some(run) = &mut app.training {
        run.apply(event);
        if let Event::Ended { status: Status::Stopped, .. } = event.event {
            run.pending_command = None;
        }
    }
}

/// Ends the run of this process: quits or resumes if that was asked for, continues with the queue, and shows an error.
pub(super) fn ended(app: &mut App, result: Result<(), String>) -> Vec<Effect> {
    if let Some(run) = &mut app.training {
        run.is_running = false;
        run.pending_command = None;
    }
    app.runs.preview = None;
    match std::mem::take(&mut app.quitting) {
        Quitting::No => {}
        Quitting::AfterRun => return vec![Effect::Quit],
        Quitting::Resume(dir) => return live::start(app, TrainRequest::Resume(dir)),
        quitting @ (Quitting::AfterHandOver | Quitting::HandedOver(_)) => {
            app.quitting = quitting;
            return Vec::new();
        }
    }
    if let Some(effects) = live::discarded(app) {
        return effects;
    }
    let mut effects = vec![Effect::Refresh];
    effects.extend(queue::run_ended(app, result.is_err()));
    // The next queued run does not wait for the user to close a message; the list of runs shows the error.
    if let Err(error) = result
        && !queue::continues(app)
    {
        app.show_error("The run failed", error);
    }
    if app.infer.is_live()
        && let Some(run) = &app.training
    {
        // The weights in memory are dropped; use the best ones on disk.
        let source = ModelSource::Run { name: run.name(), dir: run.dir.clone() };
        if app.screen == Screen::Infer {
            effects.extend(infer::open(app, source));
        } else {
            app.infer.source = ModelSource::Nothing;
            app.infer.opened = None;
        }
    }
    effects
}

/// Shows why the run that the user asked for could not be started.
pub(super) fn start_failed(app: &mut App, error: String) -> Vec<Effect> {
    app.is_starting = false;
    app.notice = None;
    app.show_error("Cannot start the run", error);
    Vec::new()
}
