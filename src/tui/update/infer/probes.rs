//! Probes: pinning, and the history of the run that shows them.

use crate::probes::{MAX_PROBES, Probe};
use crate::run::history::History;
use crate::spec::RunSpec;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::infer::ModelSource;
use std::path::Path;

/// Pins what is typed, or lets it go.
pub(super) fn toggle(app: &mut App) -> Vec<Effect> {
    let (text, text_pair) = app.infer.texts();
    if text.is_empty() || text_pair.as_ref().is_some_and(String::is_empty) {
        app.notice = Some("type what is to be pinned".into());
        return Vec::new();
    }
    let (pin, pins) = (Probe { text, text_pair }, &app.infer.probes.pins);
    if pins.len() >= MAX_PROBES && !pins.contains(&pin) {
        app.notice = Some(format!("{MAX_PROBES} are pinned, the most there can be: let one go first"));
        return Vec::new();
    }
    vec![Effect::ToggleProbe(pin)]
}

/// Takes over what is pinned now.
pub(in crate::tui::update) fn probes_loaded(
    app: &mut App,
    result: Result<Vec<Probe>, String>,
) -> Vec<Effect> {
    let probes = &mut app.infer.probes;
    match result {
        Ok(pins) => {
            probes.pins = pins;
            probes.error = None;
        }
        Err(why) => probes.error = Some(why),
    }
    // What was brought back may be in another place now.
    app.infer.recalled = app.infer.recalled.filter(|at| *at < app.infer.history.len());
    load_history(app)
}

/// Takes over what the logs of the run of the weights say.
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

/// Asks for the logs of the run of the weights, where something is pinned and they are not known.
pub(super) fn load_history(app: &App) -> Vec<Effect> {
    match &app.infer.source {
        ModelSource::Run { dir, .. }
            if !app.infer.probes.pins.is_empty()
                && app.infer.run_history(app.training.as_ref()).is_none() =>
        {
            vec![Effect::RequireHistory(dir.clone())]
        }
        _ => Vec::new(),
    }
}
