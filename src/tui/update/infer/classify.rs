//! Requests for predictions, and the predictions that come back.

use crate::predict::Prediction;
use crate::tui::action::ListAction;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::infer::{Attribution, Comparison, HistoryEntry, InferState};
use crate::tui::widgets::text_field::TextField;

/// Entries of the history.
const CAPACITY: usize = 200;

/// Classifies the typed text.
pub(super) fn classify(infer: &mut InferState) -> Vec<Effect> {
    infer.request_id += 1;
    let (text, text_pair) = infer.texts();
    if infer.opened.is_none() || text.is_empty() || text_pair.as_ref().is_some_and(String::is_empty) {
        infer.prediction = None;
        infer.comparison.iter_mut().for_each(Comparison::clear_prediction);
        infer.classify_error = None;
        infer.attribution = Attribution::default();
        infer.first_request_id = infer.request_id + 1;
        return Vec::new();
    }
    vec![Effect::Classify { request_id: infer.request_id, text, text_pair }]
}

/// Opens the model again, to take its newest weights.
pub(super) fn refresh(infer: &mut InferState) -> Vec<Effect> {
    infer.is_refreshing = true;
    infer.request_id += 1;
    infer.open_request_id = infer.request_id;
    vec![Effect::OpenModel { request_id: infer.request_id, source: infer.source.clone() }]
}

/// Takes a prediction, unless it is outdated: older than the one that is shown, or from another model. Requests the
/// word attributions of the newest one.
pub(in crate::tui::update) fn prediction(
    app: &mut App,
    request_id: u64,
    seconds: f64,
    result: Result<Prediction, String>,
) -> Vec<Effect> {
    let infer = &mut app.infer;
    let shown = infer.prediction.as_ref().map_or(0, |prediction| prediction.0);
    if request_id < infer.first_request_id || request_id <= shown {
        return Vec::new();
    }
    match result {
        Ok(prediction) => {
            infer.prediction = Some((request_id, seconds, prediction));
            infer.classify_error = None;
        }
        Err(error) => {
            infer.prediction = None;
            infer.classify_error = Some(error);
        }
    }
    if infer.prediction.is_none() || request_id != infer.request_id {
        return Vec::new();
    }
    let (texts, is_live) = (infer.texts(), infer.is_live());
    if !infer.attribution.request(request_id, texts.clone(), is_live, app.now) {
        return Vec::new();
    }
    let (text, text_pair) = texts;
    vec![Effect::Explain { request_id, text, text_pair }]
}

/// Recalls an earlier text into the fields: those of the history, newest first, then the probes.
pub(in crate::tui::update) fn recall(app: &mut App, action: ListAction) -> Vec<Effect> {
    let infer = &mut app.infer;
    match (action, infer.recalled) {
        (ListAction::Up, recalled) => {
            let next = recalled.map_or(0, |at| at + 1);
            if next < infer.earlier().count() { recall_at(infer, Some(next)) } else { Vec::new() }
        }
        (ListAction::Down, Some(at)) => recall_at(infer, at.checked_sub(1)),
        (ListAction::Down, None)
        | (ListAction::PageUp | ListAction::PageDown | ListAction::First | ListAction::Last, _) => Vec::new(),
    }
}

fn recall_at(infer: &mut InferState, to: Option<usize>) -> Vec<Effect> {
    if infer.recalled.is_none() {
        infer.draft = infer.fields.clone();
    }
    infer.recalled = to;
    let recalled = to.and_then(|at| infer.earlier().nth(at));
    let fields = recalled.map(|(text, pair)| [TextField::new(text), TextField::new(pair.unwrap_or(""))]);
    infer.fields = match fields {
        Some(fields) => fields,
        None => std::mem::take(&mut infer.draft),
    };
    classify(infer)
}

/// Adds the text to the history and clears the fields.
pub(super) fn add_to_history(infer: &mut InferState) -> Vec<Effect> {
    let (text, text_pair) = infer.texts();
    let Some((_, _, prediction)) = infer.prediction.as_ref().filter(|_| !text.is_empty()) else {
        return Vec::new();
    };
    let entry =
        HistoryEntry { text, text_pair, output: prediction.output.clone(), model: infer.model_label() };
    // Answers of different models to the same text stay side by side.
    let same = |other: &HistoryEntry| {
        (&other.text, &other.text_pair, &other.model) == (&entry.text, &entry.text_pair, &entry.model)
    };
    infer.history.retain(|other| !same(other));
    infer.history.insert(0, entry);
    infer.history.truncate(CAPACITY);
    infer.recalled = None;
    infer.fields = Default::default();
    infer.focused_field = 0;
    classify(infer)
}
