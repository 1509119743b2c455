//! The choice of the model: the weights being trained, the best ones of a run, a local folder or a hub id.

use super::classify::{classify, refresh};
use super::probes;
use crate::data::Example;
use crate::format;
use crate::run::RunStatus;
use crate::tui::msg::Effect;
use crate::tui::screen::Screen;
use crate::tui::state::App;
use crate::tui::state::infer::{Attribution, ModelSource, OpenedModel};
use crate::tui::state::path_choice::{PathChoice, PathKind};
use crate::tui::state::popup::{Choice, Item, Popup, Purpose};
use crate::tui::state::run::RunState;
use crate::tui::widgets::text_field::TextField;

/// The item for the weights being trained, in the list of models.
const LIVE: &str = "the run being trained";

/// Goes to the screen and opens a model, unless it is open already.
pub(in crate::tui::update) fn open(app: &mut App, source: ModelSource) -> Vec<Effect> {
    app.go_to(Screen::Infer);
    let infer = &mut app.infer;
    if infer.source == source && infer.opened.is_some() {
        return if infer.is_live() { refresh(infer) } else { Vec::new() };
    }
    infer.source = source.clone();
    infer.opened = None;
    infer.error = None;
    infer.prediction = None;
    infer.classify_error = None;
    infer.attribution = Attribution::default();
    infer.focused_field = 0;
    infer.request_id += 1;
    infer.first_request_id = infer.request_id;
    infer.open_request_id = infer.request_id;
    infer.is_refreshing = false;
    let request_id = infer.request_id;
    let mut effects = probes::load_history(app);
    effects.push(Effect::OpenModel { request_id, source });
    effects
}

/// Goes to the screen and opens a model and an example to classify.
pub(in crate::tui::update) fn open_example(
    app: &mut App,
    source: ModelSource,
    example: &Example,
) -> Vec<Effect> {
    let effects = open(app, source);
    app.infer.fields =
        [TextField::new(&example.text), TextField::new(example.text_pair.as_deref().unwrap_or(""))];
    app.infer.focused_field = 0;
    app.infer.recalled = None;
    // A model that is being opened classifies the text when it is ready.
    if effects.is_empty() { classify(&mut app.infer) } else { effects }
}

/// Goes to the screen; if no model is open, opens the one being trained or that of the newest run.
pub(in crate::tui::update) fn enter(app: &mut App) -> Vec<Effect> {
    app.go_to(Screen::Infer);
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

/// Shows the list of models.
pub(super) fn ask_model(app: &mut App) {
    let mut items = Vec::new();
    if app.is_training() {
        let name = app.training.as_ref().map_or(String::new(), RunState::name);
        items.push(Item { value: LIVE.into(), note: name });
    }
    items.extend(run_items(app));
    app.popup = Some(Popup::Choice(Choice {
        title: "Choose a model".into(),
        items,
        free_text: Some("run, folder or hub id"),
        typed: TextField::default(),
        selected: 0,
        purpose: Purpose::Model,
        paths: Some(PathChoice::new(PathKind::Model)),
    }));
}

/// The runs with best weights, as items of a list.
pub(super) fn run_items(app: &App) -> impl Iterator<Item = Item> {
    let runs = app.runs.runs.iter().filter(|run| run.status != RunStatus::Running);
    runs.filter_map(|run| {
        let (metric, value) = run.best?;
        let note = format!("{} {} on {}", format::metric(metric), format::score(metric, value), run.task);
        Some(Item { value: run.name.clone(), note })
    })
}

/// The run with that name, else a local folder or a hub id.
pub(super) fn source_named(app: &App, name: &str) -> ModelSource {
    match app.runs.runs.iter().find(|run| run.name == name) {
        Some(run) => ModelSource::Run { name: run.name.clone(), dir: run.dir.clone() },
        None => ModelSource::Named(name.to_string()),
    }
}

/// Opens the model chosen from the list.
pub(in crate::tui::update) fn choose_model(app: &mut App, value: &str) -> Vec<Effect> {
    let source = if value == LIVE { ModelSource::Live } else { source_named(app, value) };
    open(app, source)
}

/// Takes a model that was opened or has newer weights, and classifies the text.
pub(in crate::tui::update) fn model_opened(
    app: &mut App,
    request_id: u64,
    result: Result<OpenedModel, String>,
) -> Vec<Effect> {
    let infer = &mut app.infer;
    if request_id != infer.open_request_id {
        return Vec::new();
    }
    infer.is_refreshing = false;
    match result {
        Ok(opened) => {
            infer.opened = Some(opened);
            infer.probes.classified.clear();
            infer.opened_at = app.now;
            infer.error = None;
            classify(infer)
        }
        Err(error) => {
            infer.error = Some(error);
            Vec::new()
        }
    }
}

/// Refreshes the weights being trained when they are old enough that copying them takes less than 1 % of the training
/// time.
pub(in crate::tui::update) fn refresh_if_old(app: &mut App) -> Vec<Effect> {
    let started = app.training.as_ref().and_then(|run| run.history().started.as_ref());
    let parameters = started.map_or(0, |started| started.trainable_parameters);
    let infer = &mut app.infer;
    // A busy machine copies about 1e9 parameters in 10 seconds.
    let pause = (parameters as f64 / 1e6).max(2.0);
    let is_new = app.now - infer.opened_at < pause;
    if !infer.is_live() || infer.opened.is_none() || infer.is_refreshing || is_new {
        return Vec::new();
    }
    refresh(infer)
}
