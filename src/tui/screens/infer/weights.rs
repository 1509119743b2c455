//! Which weights judge: those being trained, the best ones of a run, or a folder's.

use super::super::popup::{Choice, Item, Popup, Purpose};
use super::super::run_view::RunView;
use super::attribution::Attribution;
use crate::data::Example;
use crate::format;
use crate::run::RunStatus;
use crate::tui::app::{App, Tab};
use crate::tui::keymap::Place;
use crate::tui::msg::{Action, Effect};
use crate::tui::theme::Role;
use crate::tui::widgets::text_field::TextField;
use std::path::PathBuf;

/// What the live weights are called in the list of weights.
const LIVE: &str = "the run being trained";

/// Which weights judge.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ModelSource {
    /// None yet.
    #[default]
    Nothing,
    /// Those being trained now.
    Live,
    /// The best ones of a run.
    Run {
        /// Its name.
        name: String,
        /// Its directory.
        dir: PathBuf,
    },
    /// A folder or a hub id.
    Named(String),
}

/// Goes to the screen with other weights; the same ones are kept as they are.
pub fn open(app: &mut App, source: ModelSource) -> Vec<Effect> {
    app.go(Tab::Infer);
    let infer = &mut app.infer;
    if infer.source == source && infer.opened.is_some() {
        return if infer.is_live() { infer.refresh() } else { Vec::new() };
    }
    infer.source = source.clone();
    infer.opened = None;
    infer.trouble = None;
    infer.answer = None;
    infer.no_answer = None;
    infer.why = Attribution::default();
    infer.at = 0;
    infer.request_id += 1;
    infer.first_request_id = infer.request_id;
    infer.opening = infer.request_id;
    infer.is_refreshing = false;
    let request_id = infer.request_id;
    let mut effects = super::probe_list::ask_history(app);
    effects.push(Effect::OpenModel { request_id, source });
    effects
}

/// Goes to the screen with weights and what they are to judge.
pub fn open_on(app: &mut App, source: ModelSource, example: &Example) -> Vec<Effect> {
    let effects = open(app, source);
    app.infer.fields =
        [TextField::new(&example.text), TextField::new(example.text_pair.as_deref().unwrap_or(""))];
    app.infer.at = 0;
    app.infer.recalled = None;
    // Weights that are still to come are request_id when they are there.
    if effects.is_empty() { app.infer.ask() } else { effects }
}

/// Goes to the screen; without weights it takes the most obvious ones.
pub fn enter(app: &mut App) -> Vec<Effect> {
    app.go(Tab::Infer);
    if app.infer.source != ModelSource::Nothing {
        return Vec::new();
    }
    if app.is_training() {
        return open(app, ModelSource::Live);
    }
    let run = app.runs.runs.iter().find(|run| run.best.is_some());
    let source = run.map(|run| ModelSource::Run { name: run.name.clone(), dir: run.dir.clone() });
    source.map_or(Vec::new(), |source| open(app, source))
}

/// Shows the list of weights.
pub(super) fn choose_weights(app: &mut App) {
    let mut items = Vec::new();
    if app.is_training() {
        let name = app.training.as_ref().map_or(String::new(), RunView::name);
        items.push(Item { value: LIVE.into(), note: name });
    }
    items.extend(of_runs(app));
    app.popup = Some(Popup::Choice(Choice {
        title: "Which weights judge".into(),
        items,
        free: Some("a run, a folder or a hub id"),
        typed: TextField::default(),
        at: 0,
        purpose: Purpose::Weights,
    }));
}

/// The best weights of every run that has some, for a list.
pub(super) fn of_runs(app: &App) -> impl Iterator<Item = Item> {
    let runs = app.runs.runs.iter().filter(|run| run.status != RunStatus::Running);
    runs.filter_map(|run| {
        let (metric, value) = run.best?;
        let note = format!("{} {} on {}", format::metric(metric), format::score(metric, value), run.task);
        Some(Item { value: run.name.clone(), note })
    })
}

/// The run of that name, or else what a folder or the hub has under it.
pub(super) fn source_named(app: &App, name: &str) -> ModelSource {
    match app.runs.runs.iter().find(|run| run.name == name) {
        Some(run) => ModelSource::Run { name: run.name.clone(), dir: run.dir.clone() },
        None => ModelSource::Named(name.to_string()),
    }
}

/// Takes the weights that were chosen from the list.
pub fn choose(app: &mut App, value: &str) -> Vec<Effect> {
    let source = if value == LIVE { ModelSource::Live } else { source_named(app, value) };
    open(app, source)
}

/// What the weights are called, and how fresh they are.
pub(super) fn what(app: &App) -> (String, Role) {
    let infer = &app.infer;
    let name = match &infer.source {
        ModelSource::Nothing => {
            let choose = app.key(Place::Infer, Action::Weights);
            return (format!("No weights yet: {choose} chooses some, or train a run first."), Role::Warning);
        }
        ModelSource::Live => app.training.as_ref().map_or("the run".into(), RunView::name),
        ModelSource::Run { name, .. } | ModelSource::Named(name) => name.clone(),
    };
    match (&infer.opened, &infer.trouble) {
        (_, Some(trouble)) => (format!("{name}: {trouble}"), Role::Error),
        (None, None) => (format!("{name}: loading the weights"), Role::Muted),
        (Some(opened), None) => {
            let weights = match opened.step {
                Some(step) => {
                    let age = format::duration(app.now - infer.opened_at);
                    format!("weights of step {}, {age} old", format::count(step))
                }
                None if matches!(infer.source, ModelSource::Named(_)) => "its own weights".into(),
                None => "best weights".into(),
            };
            (format!("{name}, {weights}"), Role::Text)
        }
    }
}
