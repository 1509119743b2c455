//! The state of the Infer screen: typed text, the model and its predictions.

mod attribution;
mod comparison;
mod model;
mod probe_list;

pub use attribution::Attribution;
pub(in crate::tui) use attribution::{Found, Texts};
pub use comparison::Comparison;
pub use model::{ModelSource, OpenedModel};
pub use probe_list::ProbeList;

use super::run::RunState;
use crate::predict::{ModelOutput, Prediction};
use crate::probes::Probe;
use crate::run::history::History;
use crate::tui::widgets::text_field::TextField;

/// A sentence that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The sentence.
    pub text: String,
    /// The second one.
    pub text_pair: Option<String>,
    /// What was said of it.
    pub answer: ModelOutput,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct InferState {
    /// Which weights judge.
    pub source: ModelSource,
    /// What they are, once they are there.
    pub opened: Option<OpenedModel>,
    /// When they were opened or refreshed, in seconds since 1970.
    pub opened_at: f64,
    /// The error when they could not be opened.
    pub error: Option<String>,
    /// The sentence, and the second one of a pair.
    pub fields: [TextField; 2],
    /// The field that is typed into.
    pub at: usize,
    /// Number of the newest question.
    pub request_id: u64,
    /// The first question that the weights in use have been request_id.
    pub(in crate::tui) first_request_id: u64,
    /// The newest request for weights: only its answer counts, whatever is typed in the meantime.
    pub(in crate::tui) open_request_id: u64,
    /// The newest answer: its question's number, the seconds it took, the verdict.
    pub answer: Option<(u64, f64, Prediction)>,
    /// The second weights, if there are any.
    pub comparison: Option<Comparison>,
    /// What the newest answer rests on.
    pub attribution: Attribution,
    /// The error of the newest request.
    pub classify_error: Option<String>,
    /// Sentences judged before, newest first.
    pub history: Vec<HistoryEntry>,
    /// Sentences that every evaluation judges.
    pub probes: ProbeList,
    pub(in crate::tui) recalled: Option<usize>,
    pub(in crate::tui) draft: [TextField; 2],
    pub(in crate::tui) is_refreshing: bool,
}

impl InferState {
    /// Whether two texts are judged together.
    pub fn is_pair(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.pair == Some(true))
    }

    /// Whether the weights are being trained.
    pub fn is_live(&self) -> bool {
        self.source == ModelSource::Live
    }

    /// What is typed now, without space around it; two texts of a pair.
    pub(in crate::tui) fn texts(&self) -> (String, Option<String>) {
        let text = |field: &TextField| field.text().trim().to_string();
        (text(&self.fields[0]), self.is_pair().then(|| text(&self.fields[1])))
    }

    /// What can be brought back: sentences judged before, newest first, then the pinned ones.
    pub(in crate::tui) fn earlier(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let judged = self.history.iter().map(|one| (one.text.as_str(), one.text_pair.as_deref()));
        let pins = self.fitting_probes().map(|pin| (pin.text.as_str(), pin.text_pair.as_deref()));
        judged.chain(pins)
    }

    /// The probes that the model can classify: pairs for a model of pairs, single texts otherwise.
    pub fn fitting_probes(&self) -> impl Iterator<Item = &Probe> {
        self.probes.pins.iter().filter(|pin| pin.text_pair.is_some() == self.is_pair())
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
