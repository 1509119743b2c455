//! A second set of weights, which judges every sentence beside the first.

use super::super::compare::tagged_name;
use super::super::popup::{Choice, Item, Popup, Purpose};
use super::Infer;
use super::weights::{ModelSource, of_runs, source_named};
use crate::predict::{Answer, Prediction};
use crate::tui::app::App;
use crate::tui::msg::{Effect, OpenedModel};
use crate::tui::widgets::text_field::TextField;

/// What takes the second weights away, in the list of weights.
const NONE: &str = "none";

/// Weights beside those that judge.
#[derive(Debug)]
pub struct Comparison {
    /// What they are called.
    name: String,
    /// The request that they are the answer to.
    opening: u64,
    is_open: bool,
    /// Attribution they do not judge.
    trouble: Option<String>,
    /// The newest answer, with its question's number.
    answer: Option<(u64, Answer)>,
}

impl Comparison {
    /// What they say.
    pub(super) fn shown(&self) -> Option<&Answer> {
        self.answer.as_ref().map(|(_, answer)| answer)
    }

    /// What they are called, a run in `width` cells.
    pub(super) fn called(&self, app: &App, width: usize) -> String {
        let run = app.runs.runs.iter().find(|run| run.name == self.name);
        run.map_or_else(|| self.name.clone(), |run| tagged_name(run, app, width))
    }

    /// Attribution they say nothing.
    pub(super) fn silence(&self) -> Option<String> {
        match &self.trouble {
            // What is at fault with a model begins with its name.
            Some(why) if why.starts_with(&self.name) => Some(why.clone()),
            Some(why) => Some(format!("{}: {why}", self.name)),
            None if !self.is_open => Some(format!("{}: loading the weights", self.name)),
            None => None,
        }
    }

    /// Forgets what was said of a sentence that is no longer there.
    pub(super) fn forget(&mut self) {
        self.answer = None;
    }
}

impl Infer {
    /// Takes an answer of the second weights, unless it is late.
    pub fn beside_answer(&mut self, request_id: u64, result: Result<Prediction, String>) {
        let first_request_id = self.first_request_id;
        let Some(beside) = &mut self.beside else { return };
        let shown = beside.answer.as_ref().map_or(0, |answer| answer.0);
        if !beside.is_open
            || request_id <= beside.opening
            || request_id < first_request_id
            || request_id <= shown
        {
            return;
        }
        match result {
            Ok(verdict) => {
                beside.answer = Some((request_id, verdict.output));
                beside.trouble = None;
            }
            Err(why) => {
                beside.answer = None;
                beside.trouble = Some(why);
            }
        }
    }
}

/// Shows the list of weights.
pub(super) fn choose_weights(app: &mut App) {
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
pub fn choose_beside(app: &mut App, value: &str) -> Vec<Effect> {
    let source = if value == NONE { ModelSource::Nothing } else { source_named(app, value) };
    app.infer.request_id += 1;
    let opening = app.infer.request_id;
    app.infer.beside = (source != ModelSource::Nothing).then(|| Comparison {
        name: value.to_string(),
        opening,
        is_open: false,
        trouble: None,
        answer: None,
    });
    vec![Effect::OpenComparison { request_id: opening, source }]
}

/// Takes over second weights that were opened, and asks them.
pub fn beside_opened(app: &mut App, request_id: u64, result: Result<OpenedModel, String>) -> Vec<Effect> {
    let Some(beside) = app.infer.beside.as_mut().filter(|beside| beside.opening == request_id) else {
        return Vec::new();
    };
    beside.is_open = result.is_ok();
    beside.trouble = result.err();
    if beside.is_open { app.infer.ask() } else { Vec::new() }
}
