//! The queue: starting the next run, and actions on its entries.

use super::navigate::{Navigate, Step};
use crate::event::Status;
use crate::format;
use crate::run::history::Phase;
use crate::run::queue::{Queue, QueueEdit, QueueEntry};
use crate::text::plural;
use crate::tui::action::{Action, LiveAction};
use crate::tui::msg::Effect;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::queue::belongs_to;
use crate::tui::state::quitting::Quitting;
use crate::tui::state::run::RunState;
use crate::tui::state::runs::{ListLine, can_resume};
use crate::tui::state::train_request::TrainRequest;

/// Takes the current queue and starts its next run if possible.
pub(super) fn set(app: &mut App, queue: Result<Queue, String>) -> Vec<Effect> {
    match queue {
        Ok(queue) => {
            app.runs.set_queue(queue);
            app.runs.queue.error = None;
            start_next(app)
        }
        Err(error) => {
            app.runs.queue.error = Some(error);
            Vec::new()
        }
    }
}

/// Starts the next run if the queue is not held and a device may be idle.
pub(super) fn start_next(app: &mut App) -> Vec<Effect> {
    let queue = &app.runs.queue;
    let has_next = !queue.list.is_held && !queue.list.entries.is_empty() && queue.error.is_none();
    let is_training = app.training.as_ref().is_some_and(RunState::is_live);
    if !has_next || app.quitting != Quitting::No || is_training && !app.has_several_devices {
        return Vec::new();
    }
    vec![Effect::StartNext]
}

/// Polls the queue for changes by other processes, and for the end of their runs.
pub(super) fn tick(app: &mut App) -> Vec<Effect> {
    if app.runs.queue.list.entries.is_empty() {
        return Vec::new();
    }
    let mut effects = vec![Effect::PollQueue];
    effects.extend(start_next(app));
    effects
}

/// Handles the end of the run of this process: removes its entry and shows a notification.
pub(super) fn run_ended(app: &mut App, failed: bool) -> Vec<Effect> {
    let Some(run) = &app.training else { return Vec::new() };
    let queue = &app.runs.queue;
    let entry = queue.entry_of(run).map(|entry| entry.id);
    let left = queue.list.entries.len() - usize::from(entry.is_some());
    let (ended, failures) =
        (queue.ended + usize::from(entry.is_some()), queue.failed + usize::from(entry.is_some() && failed));
    let mut text = outcome(run, failed);
    if left > 0 && !queue.list.is_held {
        text += &format!("; {left} more in the queue");
    } else if left == 0 && ended > 1 {
        text += &format!("; the queue is done: {}, {failures} failed", plural(ended, "run"));
    }
    let queue = &mut app.runs.queue;
    (queue.ended, queue.failed) = if left == 0 { (0, 0) } else { (ended, failures) };
    let mut effects: Vec<Effect> =
        entry.map(|id| Effect::EditQueue(QueueEdit::Remove(id))).into_iter().collect();
    effects.push(Effect::Notify(text));
    if entry.is_none() {
        effects.extend(start_next(app));
    }
    effects
}

/// Whether the queue continues after the run that has ended, so that an error must not wait for a key.
pub(super) fn continues(app: &App) -> bool {
    let queue = &app.runs.queue;
    let is_of_queue = app.training.as_ref().is_some_and(|run| queue.entry_of(run).is_some());
    queue.list.entries.len() > usize::from(is_of_queue) && !queue.list.is_held
}

/// A short description of how a run ended.
fn outcome(run: &RunState, failed: bool) -> String {
    let history = run.history();
    let word = match &history.phase {
        _ if failed => "failed",
        Phase::Ended(status, _) => status.name(),
        _ => Status::Stopped.name(),
    };
    let best = history.best.map_or(String::new(), |best| {
        format!(", best {} {}", format::metric(best.metric), format::score(best.metric, best.value))
    });
    format!("{} {word}{best}", run.spec.experiment)
}

/// Adds the line under the cursor to the queue.
pub(super) fn enqueue(app: &mut App) -> Vec<Step> {
    let request = match app.runs.line() {
        Some(ListLine::Experiment(row)) => match row.request() {
            Ok(request) => request,
            Err(error) => {
                app.show_error("Cannot train this experiment", error);
                return Vec::new();
            }
        },
        Some(ListLine::Sweep(row)) => TrainRequest::ResumeSweep(row.name.clone()),
        Some(ListLine::Run(run)) if can_resume(run) => TrainRequest::Resume(run.dir.clone()),
        _ => return Vec::new(),
    };
    vec![Effect::Enqueue(request).into()]
}

/// Holds the queue, or releases it.
pub(super) fn toggle_hold(app: &App) -> Vec<Step> {
    vec![Effect::EditQueue(QueueEdit::SetHeld(!app.runs.queue.list.is_held)).into()]
}

/// Swaps the entry under the cursor with the one before it.
pub(super) fn move_earlier(app: &App) -> Vec<Step> {
    edit_entry(app, |entry| QueueEdit::MoveUp(entry.id))
}

/// Swaps the entry under the cursor with the one after it.
pub(super) fn move_later(app: &App) -> Vec<Step> {
    edit_entry(app, |entry| QueueEdit::MoveDown(entry.id))
}

fn edit_entry(app: &App, edit: fn(&QueueEntry) -> QueueEdit) -> Vec<Step> {
    match app.runs.line() {
        Some(ListLine::Queued(entry)) => vec![Effect::EditQueue(edit(entry)).into()],
        _ => Vec::new(),
    }
}

/// Whether this process trains the run of the entry.
fn is_trained_here(app: &App, entry: &QueueEntry) -> bool {
    app.training.as_ref().is_some_and(|run| run.is_live() && belongs_to(run, entry))
}

/// Opens the run of an entry; an entry without one is moved to the front.
pub(super) fn open_entry(app: &App, entry: &QueueEntry) -> Vec<Step> {
    if is_trained_here(app, entry) {
        return vec![Navigate::Training.into()];
    }
    match &entry.run {
        Some(dir) if entry.is_started => vec![Navigate::Run(dir.clone()).into()],
        _ => vec![Effect::EditQueue(QueueEdit::MoveToFront(entry.id)).into()],
    }
}

/// Removes an entry that is not being trained.
pub(super) fn remove_entry(app: &mut App, entry: &QueueEntry) -> Vec<Step> {
    if is_trained_here(app, entry) {
        let stop = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::Stop));
        app.show_error(
            "This run is being trained",
            format!("Stop it first with `{stop}` on the Live screen."),
        );
        return Vec::new();
    }
    vec![Effect::EditQueue(QueueEdit::Remove(entry.id)).into()]
}

/// `effects`, after an effect that holds the queue: when the user stops a run, no other run should start.
pub(super) fn hold_before(app: &App, effects: Vec<Effect>) -> Vec<Effect> {
    let list = &app.runs.queue.list;
    let is_ours = app.is_training() && !list.entries.is_empty() && !list.is_held;
    is_ours.then_some(Effect::EditQueue(QueueEdit::SetHeld(true))).into_iter().chain(effects).collect()
}
