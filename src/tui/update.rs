//! What a message does to the app. No files, no channels, no clock.

use super::app::{App, Tab};
use super::input::place;
use super::keymap::Place;
use super::msg::{Action, Effect, Msg};
use super::screens::popup::{self, Popup};
use super::screens::run_view::RunView;
use super::screens::{compare, data, form, help, infer, insight, live, machine, published, queue, runs};
use super::widgets::line_chart::ChartKey;
use super::widgets::text_field::Edit;
use crate::event::{Event, Status};
use crate::run::RunEvent;

/// Takes a message and says what is to be done in the world.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Action(action) => act(app, action),
        Msg::Edit(edit) => type_in(app, &edit),
        Msg::Resize(width, height) => {
            app.size = (width, height);
            Vec::new()
        }
        Msg::Tick(now) => {
            app.now = now;
            let mut effects = refresh(app);
            effects.extend(queue::tick(app));
            effects
        }
        Msg::Listed { experiments, runs } => {
            app.runs.list(experiments, runs);
            if app.tab == Tab::Runs { runs::peek(app) } else { Vec::new() }
        }
        Msg::HistoryLoaded { dir, result } => replayed(app, dir, result),
        Msg::RunStarted { spec, dir, earlier, queue } => {
            app.training = Some(RunView::begun(*spec, dir, app.now, earlier));
            if let Some(queue) = queue {
                // Nobody is taken to a run who did not ask for it now.
                app.runs.requeue(queue);
            } else {
                app.viewed = None;
                app.live.back = 0;
                app.go(Tab::Live);
            }
            Vec::new()
        }
        Msg::QueueLoaded(queue) => queue::take(app, queue),
        Msg::RunEvent(said) => {
            take(app, &said);
            insight::said(app, &said)
        }
        Msg::RunEnded(result) => over(app, result),
        Msg::ExperimentSaved { name } => {
            app.form = None;
            app.runs.select(&name);
            Vec::new()
        }
        Msg::ModelOpened { request_id, result } => {
            let now = app.now;
            app.infer.opened(request_id, result, now)
        }
        Msg::ComparisonOpened { request_id, result } => infer::beside_opened(app, request_id, result),
        Msg::ComparisonPrediction { request_id, result } => {
            app.infer.beside_answer(request_id, result);
            Vec::new()
        }
        Msg::Prediction { request_id, seconds, result } => {
            let now = app.now;
            app.infer.answer(request_id, seconds, result, now)
        }
        Msg::Explanation { request_id, seconds, result } => {
            app.infer.why.explained(request_id, seconds, result, app.now);
            Vec::new()
        }
        Msg::PredictionsLoaded { subject, result } => {
            insight::examined(app, &subject, result);
            Vec::new()
        }
        Msg::DataProfiled { spec, result } => {
            app.data.counted(*spec, result);
            Vec::new()
        }
        Msg::Reproduction(result) => {
            published::show(app, result);
            Vec::new()
        }
        Msg::ProbesLoaded(result) => infer::pinned(app, result),
        Msg::Error { title, text } => {
            app.complain(title, text);
            Vec::new()
        }
    }
}

fn act(app: &mut App, action: Action) -> Vec<Effect> {
    if !matches!(action, Action::Chart(ChartKey::CursorAt(..))) {
        app.notice = None;
    }
    match action {
        Action::NextTheme => {
            app.next_theme();
            return vec![Effect::SaveTheme(app.theme.scheme.name.to_string())];
        }
        Action::Mouse => {
            app.mouse = !app.mouse;
            let who = if app.mouse { "mouse: clicks here" } else { "mouse: selects text" };
            app.notice = Some(who.into());
            return vec![Effect::SetMouse(app.mouse)];
        }
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Quit => return popup::ask_to_quit(app),
        _ => {}
    }
    if app.popup.is_some() {
        return popup::act(app, action);
    }
    match (place(app), action) {
        (_, Action::Help) => {
            app.popup = Some(Popup::Help(help::Help::default()));
            Vec::new()
        }
        (_, Action::Go(Tab::Infer)) => infer::enter(app),
        (_, Action::Go(tab)) => {
            app.go(tab);
            if matches!(tab, Tab::Runs | Tab::Compare) { vec![Effect::Refresh] } else { Vec::new() }
        }
        (Place::Form | Place::FormLine, action) => form::act(app, action),
        (_, action) => match app.tab {
            Tab::Runs => runs::act(app, action),
            Tab::Live => live::act(app, action),
            Tab::Infer => infer::act(app, action),
            Tab::Compare => compare::act(app, action),
            Tab::Insight => insight::act(app, action),
            Tab::Data => data::act(app, action),
            Tab::Machine => machine::act(app, action),
        },
    }
}

fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    match place(app) {
        _ if app.popup.is_some() => popup::type_in(app, edit),
        Place::FormLine => form::type_in(app, edit),
        Place::Filter if app.tab == Tab::Compare => compare::type_in(app, edit),
        Place::Filter => return runs::type_in(app, edit),
        Place::Infer => return infer::type_in(app, edit),
        _ => {}
    }
    Vec::new()
}

/// Keeps what others change fresh while it is in front: the run that is watched, the live weights.
fn refresh(app: &mut App) -> Vec<Effect> {
    let watched = app.watched();
    if !watched.is_empty() {
        return vec![Effect::FollowLogs(watched)];
    }
    if app.tab != Tab::Infer || !app.is_training() {
        return Vec::new();
    }
    let started = app.training.as_ref().and_then(|run| run.history().started.as_ref());
    let parameters = started.map_or(0, |started| started.trainable_parameters);
    let now = app.now;
    app.infer.refresh_if_old(now, parameters)
}

fn replayed(
    app: &mut App,
    dir: std::path::PathBuf,
    result: Result<(crate::spec::RunSpec, Vec<crate::run::history::History>), String>,
) -> Vec<Effect> {
    compare::replayed(app, &dir, &result);
    infer::replayed(app, &dir, &result);
    match result {
        Ok((spec, seeds)) => {
            if let Some(viewed) = app.viewed.as_mut().filter(|viewed| viewed.dir == dir) {
                let seed = viewed.seed;
                *viewed = RunView { seed, ..RunView::past(spec, dir.clone(), seeds.clone()) };
            }
            app.runs.peeked = Some((dir, seeds));
        }
        Err(why) if app.viewed.as_ref().is_some_and(|viewed| viewed.dir == dir) => {
            app.complain("This run cannot be read", why);
        }
        Err(_) => app.runs.peeked = Some((dir, Vec::new())),
    }
    Vec::new()
}

fn take(app: &mut App, said: &RunEvent) {
    if let Some(run) = &mut app.training {
        run.take(said);
    }
    if let Event::Ended { status: Status::Stopped, .. } = said.event
        && let Some(run) = &mut app.training
    {
        run.pending_command = None;
    }
}

fn over(app: &mut App, result: Result<(), String>) -> Vec<Effect> {
    if let Some(run) = &mut app.training {
        run.is_running = false;
        run.pending_command = None;
    }
    app.runs.peeked = None;
    if app.leaving {
        return vec![Effect::Quit];
    }
    let mut effects = vec![Effect::Refresh];
    effects.extend(queue::run_over(app, result.is_err()));
    // The next of the queue does not wait until somebody has read this; the list keeps it.
    if let Err(why) = result
        && !queue::goes_on(app)
    {
        app.complain("The run failed", why);
    }
    if app.infer.is_live()
        && let Some(run) = &app.training
    {
        // The weights that were judged with stay in memory; the best ones on disk take their place.
        let source = infer::ModelSource::Run { name: run.name(), dir: run.dir.clone() };
        if app.tab == Tab::Infer {
            effects.extend(infer::open(app, source));
        } else {
            app.infer.source = infer::ModelSource::Nothing;
            app.infer.opened = None;
        }
    }
    effects
}
