//! Actions of the Sweep screen.

use super::list::moved;
use super::navigate::{Navigate, Step, effects};
use crate::format;
use crate::run::sweep::{SweepReport, SweepRow};
use crate::text::plural;
use crate::tui::action::{ListAction, SweepAction};
use crate::tui::layout::has_sweep_keys;
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::popup::{Choice, Item, Popup, Purpose};
use crate::tui::state::sweep::{SweepContent, SweepSource};
use crate::tui::state::train_request::TrainRequest;
use crate::tui::widgets::text_field::TextField;

/// Numbers of seeds to train the winner with.
const SEEDS: [u64; 4] = [3, 5, 8, 16];
/// The most seeds.
const MAX_SEEDS: u64 = 10_000;

/// Opens the screen on a sweep that is in the queue.
pub(super) fn queued(app: &mut App, name: &str, trials: u64) -> Vec<Effect> {
    app.is_starting = false;
    let effects = if app.screen == Screen::Runs {
        app.form = None;
        open(app, SweepSource::Named(name.to_owned()))
    } else {
        Vec::new()
    };
    app.notice = Some(format!("{name}: {} in the queue", plural(trials, "trial")));
    effects
}

/// Takes the sweeps in the runs directory.
pub(super) fn listed(app: &mut App, sweeps: Vec<SweepRow>) -> Vec<Effect> {
    app.runs.set_sweeps(sweeps);
    reload(app).into_iter().collect()
}

/// Opens the screen on a sweep.
pub(super) fn open(app: &mut App, source: SweepSource) -> Vec<Effect> {
    app.go_to(Screen::Sweep);
    let is_shown = matches!(&source, SweepSource::Named(name) if app.sweep.name() == Some(name));
    if !is_shown {
        app.sweep.content = SweepContent::Loading;
    }
    app.sweep.source = Some(source.clone());
    vec![Effect::LoadSweep(source)]
}

/// Requests the trials of the sweep that is shown.
pub(super) fn reload(app: &App) -> Option<Effect> {
    app.sweep.source.clone().filter(|_| app.screen == Screen::Sweep).map(Effect::LoadSweep)
}

/// Requests the trials once a second while they may change.
pub(super) fn tick(app: &App) -> Option<Effect> {
    let is_loading = matches!(app.sweep.content, SweepContent::Loading);
    if is_loading || app.sweep.is_changing() { reload(app) } else { None }
}

/// Takes the trials of a sweep, unless another one is shown by now.
pub(super) fn loaded(app: &mut App, source: &SweepSource, result: Result<Box<SweepReport>, String>) {
    if app.sweep.source.as_ref() != Some(source) {
        return;
    }
    match result {
        Ok(report) => {
            app.sweep.source = Some(SweepSource::Named(report.dir.name().to_owned()));
            app.sweep.set_report(*report);
        }
        Err(error) => app.sweep.content = SweepContent::Error(error),
    }
}

/// Applies an action.
pub(super) fn act(app: &mut App, action: SweepAction) -> Vec<Step> {
    let number = app.sweep.trial().map(|trial| trial.number);
    let axes = app.sweep.loaded().map_or(0, |loaded| loaded.report.sweep.axes.len());
    match action {
        SweepAction::Open => {
            let dir = app.sweep.trial().and_then(|trial| trial.dir.clone());
            return dir.map(|dir| Navigate::Run(dir).into()).into_iter().collect();
        }
        SweepAction::Sort => {
            app.sweep.order.column = app.sweep.next_column();
            app.sweep.order.is_reversed = false;
            app.sweep.arrange(number);
        }
        SweepAction::Reverse => {
            app.sweep.order.is_reversed = !app.sweep.order.is_reversed;
            app.sweep.arrange(number);
        }
        SweepAction::Group => {
            app.sweep.group = match app.sweep.group {
                None => Some(0),
                Some(axis) => Some(axis + 1),
            }
            .filter(|axis| *axis < axes);
            app.sweep.arrange(number);
        }
        SweepAction::NextChart => app.sweep.chart = app.sweep.chart.next(has_sweep_keys(app.size)),
        SweepAction::NextAxis => app.sweep.axis = (app.sweep.axis + 1) % axes.max(1),
        SweepAction::PreviousAxis => app.sweep.axis = (app.sweep.axis + axes.max(1) - 1) % axes.max(1),
        SweepAction::TrainWinner => ask_for_seeds(app),
        SweepAction::Resume => {
            let request = app.sweep.name().map(|name| TrainRequest::ResumeSweep(name.to_owned()));
            return effects(request.map(Effect::Enqueue));
        }
        SweepAction::Refresh => return effects([Effect::Refresh].into_iter().chain(reload(app))),
        SweepAction::Back => {
            app.go_to(Screen::Runs);
            return effects([Effect::Refresh]);
        }
        SweepAction::Select(line) if line == app.sweep.selected => return act(app, SweepAction::Open),
        SweepAction::Select(line) => {
            let count = app.sweep.loaded().map_or(0, |loaded| loaded.lines.len());
            app.sweep.selected = line.min(count.saturating_sub(1));
        }
    }
    Vec::new()
}

/// Moves the cursor.
pub(super) fn move_cursor(app: &mut App, action: ListAction) {
    let count = app.sweep.loaded().map_or(0, |loaded| loaded.lines.len());
    app.sweep.selected = moved(app.sweep.selected, count, action);
}

fn ask_for_seeds(app: &mut App) {
    let Some(report) = app.sweep.loaded().map(|loaded| &loaded.report) else { return };
    let Some(best) = report.best().map(|trial| trial.number) else { return };
    let title = format!("Train trial {best} with new seeds");
    let note = report.sweep.describe_trial(best);
    let items = SEEDS.map(|seeds| Item { value: seeds.to_string(), note: note.clone() });
    app.popup = Some(Popup::Choice(Choice {
        title,
        items: items.to_vec(),
        free_text: Some("seeds"),
        typed: TextField::new(""),
        selected: 0,
        purpose: Purpose::WinnerSeeds,
        paths: None,
    }));
}

/// Trains the best trial with a number of seeds.
pub(super) fn train_winner(app: &mut App, seeds: &str) -> Vec<Step> {
    let number = seeds.trim().parse::<u64>().ok().filter(|seeds| (1..=MAX_SEEDS).contains(seeds));
    let Some(number) = number else {
        let most = format::count(MAX_SEEDS);
        let text = format!("Expected a number of seeds from 1 to {most}, found {seeds}.");
        app.show_error("Cannot train the winner", text);
        return Vec::new();
    };
    match app.sweep.winner(number) {
        Some(spec) => vec![Navigate::Train(TrainRequest::Spec(Box::new(spec))).into()],
        None => Vec::new(),
    }
}
