//! The state of the Infer screen: typed text, the model and its predictions.

mod attribution;
mod comparison;
mod model;
mod probe_list;

pub use attribution::Attribution;
pub(in crate::tui) use attribution::{ComputedAttribution, Texts};
pub use comparison::Comparison;
pub use model::{ModelSource, OpenedModel};
pub use probe_list::ProbeList;

use super::run::RunState;
use crate::predict::{ModelOutput, Prediction};
use crate::probes::Probe;
use crate::run::history::History;
use crate::tui::widgets::text_field::TextField;

/// A text that was classified.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
    /// The prediction.
    pub output: ModelOutput,
    /// The name of the model, with its step while it was being trained.
    pub model: String,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct InferState {
    /// Which model is open.
    pub source: ModelSource,
    /// The model, once it is opened.
    pub opened: Option<OpenedModel>,
    /// When it was opened or refreshed, in seconds since 1970.
    pub opened_at: f64,
    /// The error when it could not be opened.
    pub error: Option<String>,
    /// The text fields: the text, and the second text of a pair.
    pub fields: [TextField; 2],
    /// The index of the field that has the focus.
    pub focused_field: usize,
    /// Number of the newest request.
    pub request_id: u64,
    /// The first request that the current model has received.
    pub(in crate::tui) first_request_id: u64,
    /// The newest request to open a model; replies to earlier ones are ignored.
    pub(in crate::tui) open_request_id: u64,
    /// The newest prediction, with the number of its request and the seconds it took.
    pub prediction: Option<(u64, f64, Prediction)>,
    /// The second model, if there is one.
    pub comparison: Option<Comparison>,
    /// The word attributions of the newest prediction.
    pub attribution: Attribution,
    /// The error of the newest request.
    pub classify_error: Option<String>,
    /// Texts that were classified before, newest first.
    pub history: Vec<HistoryEntry>,
    /// Texts that every evaluation classifies.
    pub probes: ProbeList,
    /// The index of the earlier text in the fields, if one was recalled.
    pub(in crate::tui) recalled: Option<usize>,
    /// What was typed before a text was recalled.
    pub(in crate::tui) draft: [TextField; 2],
    /// Whether newer weights are being loaded.
    pub(in crate::tui) is_refreshing: bool,
}

impl InferState {
    /// Whether the model takes a pair of texts.
    pub fn is_pair(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.pair == Some(true))
    }

    /// Whether the model is being trained.
    pub fn is_live(&self) -> bool {
        self.source == ModelSource::Live
    }

    /// The name of the model, with its step while it is being trained; empty without one.
    pub(in crate::tui) fn model_label(&self) -> String {
        match &self.opened {
            Some(OpenedModel { name, step: Some(step), .. }) => format!("{name}, step {step}"),
            Some(opened) => opened.name.clone(),
            None => String::new(),
        }
    }

    /// The probes that the model can classify and whose predictions are unknown: added after the evaluations of the run,
    /// or of a model that is no run.
    pub fn unscored_probes(&self, training: Option<&RunState>) -> Vec<Probe> {
        let history = self.run_history(training);
        let is_scored = |probe: &Probe| {
            let classified = self.probes.classified.iter().any(|(other, _)| other == probe);
            classified || history.is_some_and(|history| history.probes.series_of(probe).is_some())
        };
        self.fitting_probes().filter(|probe| !is_scored(probe)).cloned().collect()
    }

    /// The typed texts, trimmed; the second one of a pair.
    pub(in crate::tui) fn texts(&self) -> (String, Option<String>) {
        let text = |field: &TextField| field.text().trim().to_string();
        (text(&self.fields[0]), self.is_pair().then(|| text(&self.fields[1])))
    }

    /// The texts that can be recalled: those of the history, newest first, then the probes.
    pub(in crate::tui) fn earlier(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let history = self.history.iter().map(|entry| (entry.text.as_str(), entry.text_pair.as_deref()));
        let probes = self.fitting_probes().map(|probe| (probe.text.as_str(), probe.text_pair.as_deref()));
        history.chain(probes)
    }

    /// The probes that the model can classify: pairs for a model of pairs, single texts otherwise.
    pub fn fitting_probes(&self) -> impl Iterator<Item = &Probe> {
        self.probes.probes.iter().filter(|probe| probe.text_pair.is_some() == self.is_pair())
    }

    /// The history of the run that the model is from; of several seeds the one with the best score.
    pub fn run_history<'a>(&'a self, training: Option<&'a RunState>) -> Option<&'a History> {
        match &self.source {
            ModelSource::Live => training.map(RunState::newest),
            ModelSource::Run { dir, .. } => {
                let own = training.filter(|run| run.dir == *dir).map(|run| &run.seeds);
                let past = self.probes.past.as_ref().filter(|past| past.0 == *dir).map(|past| &past.1);
                let seeds = own.or(past)?;
                let better = |a: &&History, b: &&History| match (a.best, b.best) {
                    (Some(a), Some(b)) if a.metric.improves(a.value, b.value) => std::cmp::Ordering::Greater,
                    (Some(_), Some(_)) => std::cmp::Ordering::Less,
                    (a, b) => a.is_some().cmp(&b.is_some()),
                };
                seeds.iter().max_by(better)
            }
            ModelSource::Nothing | ModelSource::Named(_) => None,
        }
    }
}
