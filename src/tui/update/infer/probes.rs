//! Probes: adding, removing, and loading their predictions.

use crate::predict::ModelOutput;
use crate::probes::{MAX_PROBES, Probe};
use crate::run::history::History;
use crate::spec::RunSpec;
use crate::text::plural;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use std::path::Path;

/// Adds the typed text to the probes, or removes it.
pub(super) fn toggle(app: &mut App) -> Vec<Effect> {
    let (text, text_pair) = app.infer.texts();
    if text.is_empty() || text_pair.as_ref().is_some_and(String::is_empty) {
        app.notice = Some("type a text first".into());
        return Vec::new();
    }
    let (probe, probes) = (Probe { text, text_pair }, &app.infer.probes.probes);
    if probes.len() >= MAX_PROBES && !probes.contains(&probe) {
        app.notice = Some(format!("at most {} are possible: remove one first", plural(MAX_PROBES, "probe")));
        return Vec::new();
    }
    vec![Effect::ToggleProbe(probe)]
}

/// Takes the current probes.
pub(in crate::tui::update) fn probes_loaded(
    app: &mut App,
    result: Result<Vec<Probe>, String>,
) -> Vec<Effect> {
    let probes = &mut app.infer.probes;
    match result {
        Ok(list) => {
            probes.probes = list;
            probes.error = None;
        }
        Err(error) => probes.error = Some(error),
    }
    // The index of a recalled probe may have changed.
    app.infer.recalled = app.infer.recalled.filter(|at| *at < app.infer.history.len());
    load_history(app)
}

/// Takes the history of the run that the model is from.
pub(in crate::tui::update) fn history_loaded(
    app: &mut App,
    dir: &Path,
    result: &Result<(RunSpec, Vec<History>), String>,
) {
    if matches!(&app.infer.source, ModelSource::Run { dir: own, .. } if own == dir)
        && let Ok((_, seeds)) = result
    {
        app.infer.probes.past = Some((dir.to_path_buf(), seeds.clone()));
    }
}

/// Requests the history of the run that the model is from, if there are probes and it is not loaded.
pub(super) fn load_history(app: &App) -> Vec<Effect> {
    match &app.infer.source {
        ModelSource::Run { dir, .. }
            if !app.infer.probes.probes.is_empty()
                && app.infer.run_history(app.training.as_ref()).is_none() =>
        {
            vec![Effect::RequireHistory(dir.clone())]
        }
        _ => Vec::new(),
    }
}

/// Classifies the probes whose predictions by the open model are unknown.
pub(super) fn classify(app: &App) -> Vec<Effect> {
    let probes = app.infer.unscored_probes(app.training.as_ref());
    let request_id = app.infer.open_request_id;
    if probes.is_empty() { Vec::new() } else { vec![Effect::ClassifyProbes { request_id, probes }] }
}

/// Takes the predictions for probes, unless another model was opened since.
pub(in crate::tui::update) fn probes_classified(
    app: &mut App,
    request_id: u64,
    result: Result<Vec<(Probe, ModelOutput)>, String>,
) -> Vec<Effect> {
    match result {
        _ if request_id != app.infer.open_request_id => {}
        Ok(classified) => app.infer.probes.classified = classified,
        Err(error) => app.show_error("Cannot classify the probes", error),
    }
    Vec::new()
}
