//! The second model, which classifies every text too.

use super::classify::classify;
use super::model::{of_runs, source_named};
use crate::predict::Prediction;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::infer::{Comparison, ModelSource, OpenedModel};
use crate::tui::state::popup::{Choice, Item, Popup, Purpose};
use crate::tui::widgets::text_field::TextField;

/// What takes the second weights away, in the list of weights.
const NONE: &str = "none";

/// Shows the list of weights.
pub(super) fn ask_comparison(app: &mut App) {
    let none = Item { value: NONE.into(), note: "one set of weights judges".into() };
    app.popup = Some(Popup::Choice(Choice {
        title: "Which weights judge beside them".into(),
        items: std::iter::once(none).chain(of_runs(app)).collect(),
        free: Some("a run, a folder or a hub id"),
        typed: TextField::default(),
        at: 0,
        purpose: Purpose::Comparison,
    }));
}

/// Takes the second weights that were chosen from the list, or takes them away.
pub(in crate::tui::update) fn choose_comparison(app: &mut App, value: &str) -> Vec<Effect> {
    let source = if value == NONE { ModelSource::Nothing } else { source_named(app, value) };
    app.infer.request_id += 1;
    let request_id = app.infer.request_id;
    app.infer.comparison = (source != ModelSource::Nothing).then(|| Comparison {
        name: value.to_string(),
        open_request_id: request_id,
        is_open: false,
        error: None,
        answer: None,
    });
    vec![Effect::OpenComparison { request_id, source }]
}

/// Takes over second weights that were opened, and asks them.
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

/// Takes an answer of the second weights, unless it is late.
pub(in crate::tui::update) fn comparison_prediction(
    app: &mut App,
    request_id: u64,
    result: Result<Prediction, String>,
) {
    let first_request_id = app.infer.first_request_id;
    let Some(comparison) = &mut app.infer.comparison else { return };
    let shown = comparison.answer.as_ref().map_or(0, |answer| answer.0);
    if !comparison.is_open
        || request_id <= comparison.open_request_id
        || request_id < first_request_id
        || request_id <= shown
    {
        return;
    }
    match result {
        Ok(verdict) => {
            comparison.answer = Some((request_id, verdict.output));
            comparison.error = None;
        }
        Err(why) => {
            comparison.answer = None;
            comparison.error = Some(why);
        }
    }
}
