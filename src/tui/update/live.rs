//! Actions of the Live screen.

use super::control;
use super::navigate::{Navigate, Step, effects};
use super::suggestion;
use crate::event::Command;
use crate::run::queue::QueueEdit;
use crate::tui::action::{ListAction, LiveAction};
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use crate::tui::state::insight::Subject;
use crate::tui::state::popup::{Popup, Reply};
use crate::tui::state::run::{Discard, RunState};
use crate::tui::state::train_request::TrainRequest;
use std::path::PathBuf;

/// Starts a run, or offers to queue it while another one is being trained. Does nothing while a run is being started.
pub(super) fn train(app: &mut App, request: TrainRequest) -> Vec<Effect> {
    if matches!(request, TrainRequest::Sweep(_) | TrainRequest::ResumeSweep(_) | TrainRequest::Glue { .. }) {
        // The queue trains it; checking its trials can take seconds.
        app.notice = Some("a sweep is being started".into());
        return vec![Effect::Enqueue(request)];
    }
    let enqueue = ('a', "add to the queue", Reply::Enqueue(request.clone()));
    let cancel = ('k', "cancel", Reply::Nothing);
    if app.is_training() {
        app.popup = Some(Popup::question(
            "Another run is being trained",
            "Only one run is trained at a time. A queued run starts after the runs before it.".into(),
            vec![enqueue, cancel],
        ));
        return Vec::new();
    }
    if let Some(other) = trained_elsewhere(app, &request) {
        app.popup = Some(Popup::question(
            "Another process is training",
            format!(
                "{other} is being trained. Both at the same time are slower, and may need more memory than there is."
            ),
            vec![enqueue, ('t', "train now", Reply::Train(request)), cancel],
        ));
        return Vec::new();
    }
    start(app, request)
}

/// The name of a run other than the requested one that another process trains.
fn trained_elsewhere(app: &App, request: &TrainRequest) -> Option<String> {
    let is_requested = |dir: &PathBuf| matches!(request, TrainRequest::Resume(resumed) if resumed == dir);
    let mut running = app.runs.runs.iter().filter(|run| app.is_running_elsewhere(run));
    running.find(|run| !is_requested(&run.dir)).map(|run| run.name.clone())
}

/// Starts a run without a question.
pub(super) fn start(app: &mut App, request: TrainRequest) -> Vec<Effect> {
    // Asking the hub for the model can take seconds.
    app.notice = Some("a run is being started".into());
    if std::mem::replace(&mut app.is_starting, true) {
        return Vec::new();
    }
    vec![Effect::StartTraining(request)]
}

/// Goes to the run that this process has just started.
pub(super) fn show_training(app: &mut App) {
    app.viewed = None;
    app.live.log_scroll = 0;
    app.go_to(Screen::Live);
}

/// Goes to the run in `dir`.
pub(super) fn open(app: &mut App, dir: PathBuf) -> Vec<Effect> {
    app.go_to(Screen::Live);
    app.live.log_scroll = 0;
    if app.training.as_ref().is_some_and(|run| run.dir == dir) {
        app.viewed = None;
        return Vec::new();
    }
    let preview = app.runs.preview.as_ref().filter(|preview| preview.0 == dir);
    let seeds = preview.map_or(Vec::new(), |preview| preview.1.clone());
    let row = app.runs.runs.iter().find(|run| run.dir == dir);
    let experiment = row.map_or(String::new(), |run| run.experiment.clone());
    app.viewed = Some(RunState::past(crate::spec::built_in(&experiment), dir.clone(), seeds));
    vec![Effect::LoadHistory(dir)]
}

/// Goes to the Live screen: to the run that was shown last, or else to the newest one.
pub(super) fn enter(app: &mut App) -> Vec<Effect> {
    let newest = app.runs.runs.iter().find(|run| run.problem.is_none()).map(|run| run.dir.clone());
    match newest {
        Some(dir) if app.shown_run().is_none() => open(app, dir),
        _ => {
            app.go_to(Screen::Live);
            Vec::new()
        }
    }
}

/// Stops the run that was just started. It is deleted as soon as it has ended.
fn discard(app: &mut App) -> Vec<Effect> {
    if app.discardable_run().is_none() {
        return Vec::new();
    }
    let Some(run) = &mut app.training else { return Vec::new() };
    run.discard = Discard::Requested;
    run.pending_command = Some(Command::Stop);
    vec![Effect::DiscardTraining(run.dir.clone())]
}

/// Deletes a run that was discarded and has ended. `None` if it was not discarded.
pub(super) fn discarded(app: &mut App) -> Option<Vec<Effect>> {
    let run = app.training.take_if(|run| run.discard == Discard::Requested)?;
    if matches!(app.screen, Screen::Live | Screen::Machine) {
        app.go_to(Screen::Runs);
    }
    if app.infer.is_live() {
        app.infer.source = ModelSource::Nothing;
        app.infer.opened = None;
    }
    app.notice = Some(format!("{} is discarded", run.name()));
    let entry = app.runs.queue.entry_of(&run).map(|entry| entry.id);
    let mut effects: Vec<Effect> =
        entry.map(|id| Effect::EditQueue(QueueEdit::Remove(id))).into_iter().collect();
    effects.push(Effect::DeleteRun(run.dir));
    Some(effects)
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: LiveAction) -> Vec<Step> {
    match action {
        LiveAction::Send(command) => return effects(control::send(app, command)),
        LiveAction::SetLearningRate => control::ask_learning_rate(app),
        LiveAction::SetLength => control::ask_length(app),
        LiveAction::Stop => control::ask_to_stop(app),
        LiveAction::TrySuggestion => return suggestion::ask(app),
        LiveAction::OpenInfer => {
            let Some(run) = app.shown_run() else { return Vec::new() };
            let source = if run.is_live() {
                ModelSource::Live
            } else {
                ModelSource::Run { name: run.name(), dir: run.dir.clone() }
            };
            return vec![Navigate::Infer(source).into()];
        }
        LiveAction::OpenInsight => {
            let Some(run) = app.shown_run() else { return Vec::new() };
            let seed = (run.seeds.len() > 1).then(|| run.seed_index());
            return vec![Navigate::Insight(Subject { dir: run.dir.clone(), seed }).into()];
        }
        LiveAction::NextChart => app.live.selected = app.live.selected.next(),
        LiveAction::PreviousSeed => show_seed(app, |at| at.saturating_sub(1)),
        LiveAction::NextSeed => show_seed(app, |at| at + 1),
        LiveAction::ToggleFullChart => app.live.is_full = !app.live.is_full,
        LiveAction::Back if app.live.chart.back() => {}
        LiveAction::Back if app.live.is_full => app.live.is_full = false,
        LiveAction::Resume => {
            let request = app.resumable_run().map(|run| TrainRequest::Resume(run.dir.clone()));
            return request.map(|request| Navigate::Train(request).into()).into_iter().collect();
        }
        LiveAction::Discard => return effects(discard(app)),
        LiveAction::Back => {
            let dir = app.shown_run().map(|run| run.dir.clone());
            if let Some(dir) = dir {
                app.runs.select_run(&dir);
            }
            // The screen shows the run that is trained here, or else the last one.
            if app.is_training() {
                app.viewed = None;
            }
            app.live.log_scroll = 0;
            let is_from_compare = app.previous_screen == Screen::Compare;
            app.go_to(if is_from_compare { Screen::Compare } else { Screen::Runs });
            return effects([Effect::Refresh]);
        }
    }
    Vec::new()
}

/// Scrolls the log.
pub(super) fn scroll(app: &mut App, action: ListAction) {
    match action {
        ListAction::Up => {
            let lines = app.shown_run().map_or(0, |run| run.history().log.len());
            app.live.log_scroll = (app.live.log_scroll + 1).min(lines.saturating_sub(1));
        }
        ListAction::Down => app.live.log_scroll = app.live.log_scroll.saturating_sub(1),
        ListAction::Last => app.live.log_scroll = 0,
        ListAction::PageUp | ListAction::PageDown | ListAction::First => {}
    }
}

/// Shows another seed; `to` maps the current index to the new one. The last index follows the newest seed.
fn show_seed(app: &mut App, to: fn(usize) -> usize) {
    if let Some(run) = app.viewed.as_mut().or(app.training.as_mut()) {
        let to = to(run.seed_index());
        run.seed = (to + 1 < run.seeds.len()).then_some(to);
    }
}
