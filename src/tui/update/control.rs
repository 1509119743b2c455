//! Commands to the run on the Live screen: through a channel if this process trains it, else through its directory.

use crate::event::Command;
use crate::format;
use crate::text::plural;
use crate::tui::action::{Action, LiveAction};
use crate::tui::msg::Effect;
use crate::tui::screen::{Context, Screen};
use crate::tui::state::App;
use crate::tui::state::popup::{Choice, Item, Popup, Purpose, Reply};
use crate::tui::state::run::RunState;
use crate::tui::widgets::text_field::TextField;

/// The value that finishes the training after the current step.
const NOW: &str = "now";

/// Sends a command to the run on the Live screen, if it is being trained.
pub(super) fn send(app: &mut App, command: Command) -> Vec<Effect> {
    if app.controllable_run().is_none() {
        return Vec::new();
    }
    // After the hand-over, the `runs` thread writes the command to the run directory.
    let is_here = app.controllable_run().is_some_and(|run| run.is_live() && !app.is_being_handed_over(run));
    let run = app.viewed.as_mut().or(app.training.as_mut());
    let Some(run) = run else { return Vec::new() };
    run.pending_command = Some(command);
    vec![if is_here { Effect::SendCommand(command) } else { Effect::SendCommandTo(run.dir.clone(), command) }]
}

/// Asks whether to stop the run, and whether to hold the queue.
pub(super) fn ask_to_stop(app: &mut App) {
    let waiting = app.runs.queue.waiting(app.training.as_ref());
    let mut answers = vec![('x', "stop and save", Reply::Stop), ('k', "keep training", Reply::Nothing)];
    let resume = app.key(Context::Screen(Screen::Live), Action::Live(LiveAction::Resume));
    let mut text = format!("A checkpoint is saved first; `{resume}` resumes from it.");
    if app.viewed.is_none() && waiting > 0 && !app.runs.queue.list.is_held {
        answers[0].1 = "stop and save, then start the next queued run";
        answers.insert(1, ('h', "stop and save, and hold the queue", Reply::StopAndHold));
        text += " More runs are queued.";
    }
    app.popup = Some(Popup::question("Stop the training", text, answers));
}

/// Asks for a new learning rate.
pub(super) fn ask_learning_rate(app: &mut App) {
    let Some(history) =
        app.controllable_run().map(RunState::newest).filter(|history| history.started.is_some())
    else {
        return;
    };
    let rate = history.peak_learning_rate();
    let scheduled = history
        .step
        .as_ref()
        .map_or(String::new(), |step| format!(", scheduled {}", format::learning_rate(step.learning_rate)));
    let item = |factor: f64, note: &str| Item { value: scaled(rate, factor), note: note.into() };
    let items = vec![item(0.5, "half"), item(0.1, "a tenth"), item(2.0, "double"), item(10.0, "ten times")];
    choose_from(
        app,
        format!("learning_rate is {}{scheduled}", format::real(rate)),
        items,
        "any other value",
        Purpose::LearningRate,
    );
}

/// `rate` times `factor`, rounded to four significant digits; a half is exact.
fn scaled(rate: f64, factor: f64) -> String {
    let number = rate * factor;
    let number = if factor == 0.5 { number } else { format!("{number:.3e}").parse().unwrap_or(number) };
    format::real(number)
}

/// Asks for a new number of epochs or steps.
pub(super) fn ask_length(app: &mut App) {
    let Some(history) = app.controllable_run().map(RunState::newest) else { return };
    let Some(started) = history.started.as_ref() else { return };
    let (done, total, per_epoch) =
        (history.steps_done(), started.total_steps, started.steps_per_epoch.max(1));
    let item = |steps: u64, what: &str| Item {
        value: length(steps, per_epoch),
        note: format!("{what}: {} steps in total", format::count(steps)),
    };
    let mut items =
        vec![item(total + per_epoch, "one epoch more"), item(total + 2 * per_epoch, "two epochs more")];
    if total > done + per_epoch {
        items.push(item(total - per_epoch, "one epoch less"));
    }
    let this_epoch = (done + 1).div_ceil(per_epoch) * per_epoch;
    if this_epoch < total && this_epoch + per_epoch != total {
        items.push(item(this_epoch, "until the end of this epoch"));
    }
    items.push(Item { value: NOW.into(), note: "finish now: evaluate and save as a finished run".into() });
    let title = format!("{} of {} steps done", format::count(done), format::count(total));
    choose_from(app, title, items, "epochs in total, or steps such as: 500 steps", Purpose::Length);
}

/// A number of steps, in epochs if it is a multiple of an epoch.
fn length(steps: u64, per_epoch: u64) -> String {
    if steps.is_multiple_of(per_epoch) { plural(steps / per_epoch, "epoch") } else { plural(steps, "step") }
}

fn choose_from(app: &mut App, title: String, items: Vec<Item>, free_text: &'static str, purpose: Purpose) {
    let typed = TextField::default();
    app.popup = Some(Popup::Choice(Choice {
        title,
        items,
        free_text: Some(free_text),
        typed,
        selected: 0,
        purpose,
        paths: None,
    }));
}

/// Applies the chosen learning rate.
pub(super) fn choose_learning_rate(app: &mut App, value: &str) -> Vec<Effect> {
    let rate = app.controllable_run().map_or(0.0, |run| run.newest().peak_learning_rate());
    if value == scaled(rate, 0.5) {
        return send(app, Command::Halve);
    }
    set(app, "learning_rate", value)
}

/// Applies the chosen length.
pub(super) fn choose_length(app: &mut App, value: &str) -> Vec<Effect> {
    if value == NOW {
        // Steps that are done cannot be undone: a maximum of 1 step means after the current step.
        return send(app, Command::MaxSteps(1));
    }
    let (number, unit) = value.split_once(' ').unwrap_or((value, "epochs"));
    match unit.trim() {
        "step" | "steps" => set(app, "max_steps", number),
        "epoch" | "epochs" => set(app, "num_train_epochs", number),
        unit => {
            app.show_error("Invalid length", format!("the unit is epochs or steps, not `{unit}`"));
            Vec::new()
        }
    }
}

fn set(app: &mut App, key: &str, text: &str) -> Vec<Effect> {
    match Command::set(key, text) {
        Ok(command) => send(app, command),
        Err(error) => {
            app.show_error("Invalid value", error.to_string());
            Vec::new()
        }
    }
}

/// Stops the run of this process, whichever run is shown.
pub(super) fn stop_training(app: &mut App) -> Vec<Effect> {
    let Some(run) = &mut app.training else { return Vec::new() };
    run.pending_command = Some(Command::Stop);
    vec![Effect::SendCommand(Command::Stop)]
}
