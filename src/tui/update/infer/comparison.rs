//! The second model, which also classifies every text.

use super::classify::classify;
use super::model::{run_items, source_named};
use crate::predict::Prediction;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::infer::{Comparison, ModelSource, OpenedModel};
use crate::tui::state::path_choice::{PathChoice, PathKind};
use crate::tui::state::popup::{Choice, Item, Popup, Purpose};
use crate::tui::widgets::text_field::TextField;

/// The item that closes the second model, in the list of models.
const NONE: &str = "none";

/// Shows the list of models to compare with.
pub(super) fn ask_comparison(app: &mut App) {
    let none = Item { value: NONE.into(), note: "no comparison".into() };
    app.popup = Some(Popup::Choice(Choice {
        title: "Compare with".into(),
        items: std::iter::once(none).chain(run_items(app)).collect(),
        free_text: Some("run, folder or hub id"),
        typed: TextField::default(),
        selected: 0,
        purpose: Purpose::Comparison,
        paths: Some(PathChoice::new(PathKind::Model)),
    }));
}

/// Opens the second model that was chosen from the list, or closes it.
pub(in crate::tui::update) fn choose_comparison(app: &mut App, value: &str) -> Vec<Effect> {
    let source = if value == NONE { ModelSource::Nothing } else { source_named(app, value) };
    app.infer.request_id += 1;
    let request_id = app.infer.request_id;
    app.infer.comparison = (source != ModelSource::Nothing).then(|| Comparison {
        name: value.to_string(),
        open_request_id: request_id,
        is_open: false,
        error: None,
        output: None,
    });
    vec![Effect::OpenComparison { request_id, source }]
}

/// Takes the second model and classifies the text.
pub(in crate::tui::update) fn comparison_opened(
    app: &mut App,
    request_id: u64,
    result: Result<OpenedModel, String>,
) -> Vec<Effect> {
    let Some(comparison) =
        app.infer.comparison.as_mut().filter(|comparison| comparison.open_request_id == request_id)
    else {
        return Vec::new();
    };
    comparison.is_open = result.is_ok();
    comparison.error = result.err();
    if comparison.is_open { classify(&mut app.infer) } else { Vec::new() }
}

/// Takes a prediction of the second model, unless it is outdated.
pub(in crate::tui::update) fn comparison_prediction(
    app: &mut App,
    request_id: u64,
    result: Result<Prediction, String>,
) {
    let first_request_id = app.infer.first_request_id;
    let Some(comparison) = &mut app.infer.comparison else { return };
    let shown = comparison.output.as_ref().map_or(0, |output| output.0);
    if !comparison.is_open
        || request_id <= comparison.open_request_id
        || request_id < first_request_id
        || request_id <= shown
    {
        return;
    }
    match result {
        Ok(prediction) => {
            comparison.output = Some((request_id, prediction.output));
            comparison.error = None;
        }
        Err(error) => {
            comparison.output = None;
            comparison.error = Some(error);
        }
    }
}
