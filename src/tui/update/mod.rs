//! How messages change the state. The functions use no files, channels or clock: they return side effects as
//! [`Effect`]s.
//!
//! A file for each screen; [`update`] hands each action to the screen that it belongs to.

mod compare;
mod control;
mod data;
mod export;
mod form;
mod glue;
mod hand_over;
mod help;
mod infer;
mod insight;
mod list;
mod live;
mod machine;
mod navigate;
mod open;
mod palette;
mod path_choice;
mod popup;
mod queue;
mod run_notes;
mod runs;
mod submit;
mod suggestion;
mod sweep;
mod training;

use super::action::{Action, FilterAction, GlobalAction, ListAction, PopupAction};
use super::msg::{Effect, Msg};
use super::screen::{Context, Screen};
use super::state::App;
use super::state::experiment::ExperimentRow;
use super::state::palette::Target;
use super::state::popup::{Purpose, Reply};
use super::state::quitting::Quitting;
use super::state::run::RunState;
use super::state::train_request::TrainRequest;
use super::theme::{ColorDepth, Scheme};
use super::widgets::line_chart::ChartKey;
use super::widgets::text_field::Edit;
use crate::event::Command;
use crate::files::expand_home;
use navigate::{Navigate, Step};
use popup::Outcome;
use std::path::PathBuf;

/// Applies a message to the state; returns the side effects that follow.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    // The event of a step comes often, and changes neither the list of runs nor the marks.
    let is_run_event = matches!(msg, Msg::RunEvent(_));
    let mut effects = apply(app, msg);
    if !is_run_event {
        effects.extend(compare::request_verdict(app));
    }
    effects
}

fn apply(app: &mut App, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Action(action) => return act(app, action),
        Msg::Edit(edit) => return type_in(app, &edit),
        Msg::Tick(now) => return tick(app, now),
        Msg::KeyDoesNotApply(reason) => app.notice = Some(reason),
        Msg::Resize(width, height) => app.size = (width, height),
        // Switches to the default colors for the background of the terminal.
        Msg::Background(background) => app.theme = app.theme.on(background),
        Msg::SeveralDevices => app.has_several_devices = true,
        Msg::Error { title, text } => {
            app.show_error(title, text);
            // A job that fails may leave something, as the directory of a run that Slurm has rejected.
            return vec![Effect::PollRuns];
        }

        Msg::Listed { experiments, runs } => return runs::listed(app, experiments, runs),
        Msg::ExperimentFiles { errors, targets } => runs::files_read(app, &errors, targets),
        Msg::RunsChanged(changes) => app.runs.change_runs(changes),
        Msg::DiskMeasured(sizes) => return runs::disk_measured(app, &sizes),
        Msg::Reproduction(result) => runs::show_published(app, result),
        Msg::Pruned(result) => return run_notes::pruned(app, &result),
        Msg::ExperimentSaved { name, path } => return form::saved(app, &name, &path),
        Msg::FormChecked(checked) => form::checked(app, checked),
        Msg::SuggestionsListed(suggestions) => return open::suggested(app, suggestions),
        Msg::FolderListed { folder, entries } => path_choice::listed(app, &folder, entries),
        Msg::Previewed { path, result } => return open::previewed(app, &path, result),
        Msg::DataProfiled { spec, result } => app.data.insert(*spec, result),

        Msg::RunStarted { spec, dir, earlier, queue } => {
            training::started(app, RunState::started(*spec, dir, app.now, earlier), queue);
        }
        Msg::StartFailed(error) => return training::start_failed(app, error),
        Msg::RunEvent(event) => {
            training::apply_event(app, &event);
            return insight::run_event(app, &event);
        }
        Msg::RunEnded(result) => return training::ended(app, result),
        Msg::HandedOver(result) => return hand_over::done(app, result),
        Msg::QueueLoaded(queue) => return queue::set(app, queue),
        Msg::SchedulerDone(text) => return submit::done(app, text),
        Msg::HistoryLoaded { dir, result } => return training::history_loaded(app, dir, result),

        Msg::SweepQueued { name, trials } => return sweep::queued(app, &name, trials),
        Msg::SweepFetched(name) => return vec![Effect::Enqueue(TrainRequest::ResumeSweep(name))],
        Msg::SweepsListed(sweeps) => return sweep::listed(app, sweeps),
        Msg::SweepLoaded { source, result } => sweep::loaded(app, &source, result),
        Msg::Compared { pair, result } => app.compare.set_comparison(&pair, result),
        Msg::SeedsAdded(text) => return compare::seeds_added(app, text),
        Msg::ComparisonDecided(verdict) => return compare::decided(app, verdict),

        Msg::ModelOpened { request_id, result } => return infer::model_opened(app, request_id, result),
        Msg::ComparisonOpened { request_id, result } => {
            return infer::comparison_opened(app, request_id, result);
        }
        Msg::ComparisonPrediction { request_id, result } => {
            infer::comparison_prediction(app, request_id, result);
        }
        Msg::Prediction { request_id, seconds, result } => {
            return infer::prediction(app, request_id, seconds, result);
        }
        Msg::Explanation { request_id, seconds, result } => {
            app.infer.attribution.insert(request_id, seconds, result, app.now);
        }
        Msg::ProbesClassified { request_id, result } => {
            return infer::probes_classified(app, request_id, result);
        }
        Msg::ProbesLoaded(result) => return infer::probes_loaded(app, result),
        Msg::PredictionsLoaded { subject, result } => insight::predictions_loaded(app, &subject, result),

        Msg::Copied { what, file } => return export::copied(app, what, file),
        Msg::Exported { path, note } => return export::exported(app, &path, note.as_deref()),
        Msg::WorkStarted => app.cancellable_work += 1,
        Msg::WorkEnded => app.cancellable_work = app.cancellable_work.saturating_sub(1),
        Msg::WorkCancelled(text) => app.notice = Some(text),
        Msg::WorkProgress(progress) => export::progress(app, &progress),
        Msg::Pushed(pushed) => export::pushed(app, &pushed),
        Msg::CommandLine { command, note } => return export::command_line(app, command, &note),
    }
    Vec::new()
}

/// Opens a file or folder with data on the Open screen.
pub fn open_path(app: &mut App, path: PathBuf) -> Vec<Effect> {
    open::open(app, path)
}

/// Hands an action to the part of the interface that it belongs to.
fn act(app: &mut App, action: Action) -> Vec<Effect> {
    if !matches!(action, Action::Chart(ChartKey::CursorAt(_))) {
        app.notice = None;
    }
    let steps = match action {
        Action::Global(action) => return global(app, action),
        Action::List(action) => return move_cursor(app, action),
        Action::Filter(action) => return filter(app, action),
        Action::Popup(PopupAction::Complete) => return path_choice::complete(app).into_iter().collect(),
        Action::Popup(action) => {
            let outcome = popup::act(app, action);
            return apply_outcome(app, outcome);
        }
        Action::Runs(action) => runs::act(app, action),
        Action::Form(action) => form::act(app, action),
        Action::Live(action) => live::act(app, action),
        Action::Infer(action) => return infer::act(app, action),
        Action::Compare(action) => compare::act(app, action),
        Action::Insight(action) => insight::act(app, action),
        Action::Data(action) => return data::act(app, action),
        Action::Open(action) => open::act(app, action),
        Action::Sweep(action) => sweep::act(app, action),
        Action::Machine(action) => {
            machine::act(app, action);
            Vec::new()
        }
        Action::Chart(key) => {
            apply_chart_key(app, key);
            Vec::new()
        }
    };
    take_steps(app, steps)
}

/// Carries out the steps that a screen returns, in order.
fn take_steps(app: &mut App, steps: Vec<Step>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for step in steps {
        match step {
            Step::Effect(effect) => effects.push(effect),
            Step::Navigate(navigate) => effects.extend(navigate_to(app, navigate)),
        }
    }
    effects
}

fn navigate_to(app: &mut App, navigate: Navigate) -> Vec<Effect> {
    match navigate {
        Navigate::Training => {
            app.viewed = None;
            app.go_to(Screen::Live);
            Vec::new()
        }
        Navigate::Run(dir) => live::open(app, dir),
        Navigate::Train(request) => live::train(app, request),
        Navigate::Infer(source) => infer::open(app, source),
        Navigate::Example(source, example) => infer::open_example(app, source, &example),
        Navigate::Insight(subject) => insight::open(app, subject),
        Navigate::Sweep(source) => sweep::open(app, source),
        Navigate::Data(spec) => data::open(app, *spec),
        Navigate::Form(form) => {
            app.go_to(Screen::Runs);
            form::open_form(app, *form)
        }
        Navigate::ChooseFile => open::ask_path(app),
    }
}

fn global(app: &mut App, action: GlobalAction) -> Vec<Effect> {
    match action {
        GlobalAction::Quit => popup::ask_to_quit(app),
        GlobalAction::Suspend => vec![Effect::Suspend],
        GlobalAction::Redraw => vec![Effect::Redraw],
        GlobalAction::ToggleMouse => {
            app.mouse = !app.mouse;
            let notice = if app.mouse { "mouse support on" } else { "mouse support off" };
            app.notice = Some(notice.into());
            vec![Effect::SetMouse(app.mouse)]
        }
        GlobalAction::NextTheme => {
            next_theme(app);
            vec![Effect::SaveTheme(app.theme.scheme.name.to_string())]
        }
        GlobalAction::Copy => export::copy(app),
        GlobalAction::Export => {
            export::open(app);
            Vec::new()
        }
        GlobalAction::CancelWork => export::cancel(app),
        GlobalAction::Help => {
            popup::toggle_help(app);
            Vec::new()
        }
        GlobalAction::Palette => {
            palette::toggle(app);
            Vec::new()
        }
        GlobalAction::GoTo(_) if app.popup.is_some() => Vec::new(),
        GlobalAction::GoTo(screen) => go_to(app, screen),
    }
}

/// Shows a screen that has a tab.
fn go_to(app: &mut App, screen: Screen) -> Vec<Effect> {
    match screen {
        Screen::Infer => infer::enter(app),
        Screen::Live => live::enter(app),
        Screen::Compare => compare::enter(app),
        Screen::Runs => runs::enter(app),
        screen => {
            app.go_to(screen);
            Vec::new()
        }
    }
}

/// Does what an entry of the command palette stands for.
fn apply_target(app: &mut App, target: Target) -> Vec<Effect> {
    let experiment = |app: &App, name: &str| {
        let mut rows = app.runs.experiments.iter().filter(|row| row.name == name);
        rows.next().map(ExperimentRow::request)
    };
    match target {
        Target::Binding { context, action, condition } => {
            let mut effects = match context {
                Context::Screen(screen) if screen != app.screen => go_to(app, screen),
                _ => Vec::new(),
            };
            // Something may have changed while the palette was open, or with the screen.
            match app.why_inapplicable(context, condition) {
                Some(reason) => app.notice = Some(reason),
                None => effects.extend(act(app, action)),
            }
            effects
        }
        Target::Setting { experiment, key } => {
            form::open_at(app, &experiment, key);
            Vec::new()
        }
        Target::Experiment(name) => match experiment(app, &name) {
            Some(Ok(request)) => navigate_to(app, Navigate::Train(request)),
            Some(Err(error)) => {
                app.show_error("Cannot start this experiment", error);
                Vec::new()
            }
            None => Vec::new(),
        },
        Target::Run(dir) => navigate_to(app, Navigate::Run(dir)),
    }
}

/// Switches to the next theme and shows its name.
fn next_theme(app: &mut App) {
    let at = app.themes.iter().position(|scheme| scheme.name == app.theme.scheme.name);
    let next = at.map_or(0, |at| (at + 1) % app.themes.len());
    app.theme.scheme = app.themes[next];
    let Scheme { name, description, .. } = app.theme.scheme;
    let colors = match app.theme.color_depth {
        ColorDepth::None => ", without colors on this terminal",
        _ => "",
    };
    app.notice = Some(format!("theme {name}: {description}{colors}"));
}

fn move_cursor(app: &mut App, action: ListAction) -> Vec<Effect> {
    if app.popup.is_some() {
        popup::move_cursor(app, action);
        return Vec::new();
    }
    match app.screen {
        Screen::Runs if app.form.is_some() => return form::move_cursor(app, action),
        Screen::Runs => return runs::move_cursor(app, action),
        Screen::Live => live::scroll(app, action),
        Screen::Infer => return infer::recall(app, action),
        Screen::Compare => compare::move_cursor(app, action),
        Screen::Insight => insight::move_cursor(app, action),
        Screen::Open => open::move_cursor(app, action),
        Screen::Data => data::move_cursor(app, action),
        Screen::Sweep => sweep::move_cursor(app, action),
        Screen::Machine => {}
    }
    Vec::new()
}

fn filter(app: &mut App, action: FilterAction) -> Vec<Effect> {
    if app.popup.is_some() {
        popup::filter(app, action);
        return Vec::new();
    }
    match app.screen {
        Screen::Runs => runs::filter(app, action),
        Screen::Compare => compare::filter(app, action),
        Screen::Live
        | Screen::Infer
        | Screen::Insight
        | Screen::Data
        | Screen::Open
        | Screen::Machine
        | Screen::Sweep => {}
    }
    Vec::new()
}

fn apply_chart_key(app: &mut App, key: ChartKey) {
    match app.screen {
        Screen::Live => app.live.chart.apply(key),
        Screen::Compare => app.compare.chart.apply(key),
        Screen::Machine => app.gauges.apply(key),
        Screen::Runs | Screen::Infer | Screen::Insight | Screen::Data | Screen::Open | Screen::Sweep => {}
    }
}

fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    match (app.context(), app.screen) {
        _ if app.popup.is_some() => {
            popup::type_in(app, edit);
            return path_choice::list(app).into_iter().collect();
        }
        (Context::FormValue, _) => form::type_in(app, edit),
        (Context::Filter, Screen::Compare) => compare::type_in(app, edit),
        (Context::Filter, _) => return runs::type_in(app, edit),
        (Context::Screen(Screen::Infer), _) => return infer::type_in(app, edit),
        _ => {}
    }
    Vec::new()
}

/// Applies the result of a popup.
fn apply_outcome(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Nothing => Vec::new(),
        Outcome::Reply(reply) => apply_reply(app, reply),
        Outcome::Target(target) => apply_target(app, target),
        Outcome::Folder => path_choice::list(app).into_iter().collect(),
        Outcome::Choice(purpose, value) => match purpose {
            Purpose::FormField(line) => form::choose(app, line, value),
            Purpose::Model => infer::choose_model(app, &value),
            Purpose::Comparison => infer::choose_comparison(app, &value),
            Purpose::LearningRate => control::choose_learning_rate(app, &value),
            Purpose::Length => control::choose_length(app, &value),
            Purpose::Notes(part) => run_notes::choose(app, part, &value),
            Purpose::OpenPath => open::open(app, expand_home(&value)),
            Purpose::OpenModel => open::choose_model(app, value),
            Purpose::WinnerSeeds => {
                let steps = sweep::train_winner(app, &value);
                take_steps(app, steps)
            }
            Purpose::Export => export::choose(app, &value),
            Purpose::ExportChart(format) => export::choose_run_chart(app, format, &value),
            Purpose::PredictFile => {
                export::predict_file(app, expand_home(&value).to_string_lossy().into_owned())
            }
            Purpose::ExportMetrics => export::choose_metrics(app, &value),
            Purpose::ExportSplit => export::choose_split(app, &value),
            Purpose::PushRepo => export::choose_repo(app, &value),
        },
    }
}

fn apply_reply(app: &mut App, reply: Reply) -> Vec<Effect> {
    match reply {
        Reply::Nothing => Vec::new(),
        Reply::HandOver => hand_over::start(app),
        Reply::Quit => queue::hold_before(app, vec![Effect::Quit]),
        Reply::StopAndQuit => {
            app.quitting = Quitting::AfterRun;
            let effects = if app.is_training() { control::stop_training(app) } else { vec![Effect::Quit] };
            queue::hold_before(app, effects)
        }
        Reply::Stop => control::send(app, Command::Stop),
        Reply::StopAndHold => {
            let effects = control::send(app, Command::Stop);
            queue::hold_before(app, effects)
        }
        Reply::Train(request) => live::start(app, request),
        Reply::Enqueue(request) => {
            if matches!(request, TrainRequest::Glue { .. }) {
                app.notice = Some("fetching the data of the tasks".into());
            }
            vec![Effect::Enqueue(request)]
        }
        Reply::StopAndTrain(request) => suggestion::stop_and_train(app, request),
        Reply::Delete(dir) => vec![Effect::DeleteRun(dir)],
        Reply::Prune(runs) => vec![Effect::Prune(runs)],
        Reply::Submit(request) => submit::submit(app, request),
        Reply::Cancel(name) => vec![Effect::Cancel(name)],
        Reply::Export(request) => export::start(app, *request),
        Reply::SaveForm => form::save(app),
        Reply::SaveFormTo(target) => form::save_to(app, target),
        Reply::DiscardForm => {
            app.form = None;
            Vec::new()
        }
    }
}

fn tick(app: &mut App, now: f64) -> Vec<Effect> {
    app.now = now;
    let mut effects: Vec<Effect> = app.is_list_changing().then_some(Effect::PollRuns).into_iter().collect();
    effects.extend(sweep::tick(app));
    // Logs are followed only if no other job waits.
    effects.extend(refresh(app));
    effects.extend(queue::tick(app));
    effects
}

/// Follows the logs of the runs on screen, and refreshes the weights that are being trained.
fn refresh(app: &mut App) -> Vec<Effect> {
    let followed = app.followed_runs();
    if !followed.is_empty() {
        return vec![Effect::FollowLogs(followed)];
    }
    if app.screen != Screen::Infer || !app.is_training() {
        return Vec::new();
    }
    infer::refresh_if_old(app)
}
