//! Sentences and verdicts as one types: probabilities of the labels, or a number on its scale.

mod answer;
mod attribution;
mod comparison;
mod draw;
mod probe_list;
mod weights;

pub use attribution::Attribution;
pub use comparison::{Comparison, beside_opened, choose_beside};
pub use draw::{draw, draw_tiny};
pub use probe_list::{ProbeList, pinned, replayed};
pub use weights::{ModelSource, choose, enter, open, open_on};

use crate::predict::{Answer, Prediction};
use crate::tui::app::{App, Tab};
use crate::tui::msg::{Action, Effect, OpenedModel};
use crate::tui::widgets::text_field::{Edit, TextField};
use weights::choose_weights;

/// Sentences that are remembered.
const REMEMBERED: usize = 200;

/// A sentence that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// The sentence.
    pub text: String,
    /// The second one.
    pub text_pair: Option<String>,
    /// What was said of it.
    pub answer: Answer,
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct Infer {
    /// Which weights judge.
    pub source: ModelSource,
    /// What they are, once they are there.
    pub opened: Option<OpenedModel>,
    /// When they were opened or refreshed, in seconds since 1970.
    pub opened_at: f64,
    /// Attribution there are none.
    pub trouble: Option<String>,
    /// The sentence, and the second one of a pair.
    pub fields: [TextField; 2],
    /// The field that is typed into.
    pub at: usize,
    /// Number of the newest question.
    pub request_id: u64,
    /// The first question that the weights in use have been request_id.
    first_request_id: u64,
    /// The newest request for weights: only its answer counts, whatever is typed in the meantime.
    opening: u64,
    /// The newest answer: its question's number, the seconds it took, the verdict.
    pub answer: Option<(u64, f64, Prediction)>,
    /// The second weights, if there are any.
    pub beside: Option<Comparison>,
    /// What the newest answer rests on.
    pub why: Attribution,
    /// Attribution the newest question has no answer.
    pub no_answer: Option<String>,
    /// Sentences judged before, newest first.
    pub judged: Vec<HistoryEntry>,
    /// Sentences that every evaluation judges.
    pub pinned: ProbeList,
    recalled: Option<usize>,
    draft: [TextField; 2],
    is_refreshing: bool,
}

impl Infer {
    /// Whether two texts are judged together.
    pub fn is_pair(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.pair == Some(true))
    }

    /// Whether the weights are being trained.
    pub fn is_live(&self) -> bool {
        self.source == ModelSource::Live
    }

    /// The question for what is typed now.
    fn ask(&mut self) -> Vec<Effect> {
        self.request_id += 1;
        let (text, pair) = self.texts();
        if self.opened.is_none() || text.is_empty() || pair.as_ref().is_some_and(String::is_empty) {
            self.answer = None;
            self.beside.iter_mut().for_each(Comparison::forget);
            self.no_answer = None;
            self.why = Attribution::default();
            self.first_request_id = self.request_id + 1;
            return Vec::new();
        }
        vec![Effect::Classify { request_id: self.request_id, text, text_pair: pair }]
    }

    /// Takes an answer, unless it is late: one to an older question than the answer shown, or of other weights.
    /// What the newest rests on is request_id next.
    pub fn answer(
        &mut self,
        request_id: u64,
        seconds: f64,
        result: Result<Prediction, String>,
        now: f64,
    ) -> Vec<Effect> {
        let shown = self.answer.as_ref().map_or(0, |answer| answer.0);
        if request_id < self.first_request_id || request_id <= shown {
            return Vec::new();
        }
        match result {
            Ok(verdict) => {
                self.answer = Some((request_id, seconds, verdict));
                self.no_answer = None;
            }
            Err(why) => {
                self.answer = None;
                self.no_answer = Some(why);
            }
        }
        if self.answer.is_none() || request_id != self.request_id {
            return Vec::new();
        }
        let texts = self.texts();
        self.why.ask(request_id, texts, self.is_live(), now)
    }

    /// What is typed now, without space around it; two texts of a pair.
    fn texts(&self) -> (String, Option<String>) {
        let text = |field: &TextField| field.text().trim().to_string();
        (text(&self.fields[0]), self.is_pair().then(|| text(&self.fields[1])))
    }

    /// Takes over a model that was opened or has newer weights, and asks it.
    pub fn opened(&mut self, request_id: u64, result: Result<OpenedModel, String>, now: f64) -> Vec<Effect> {
        if request_id != self.opening {
            return Vec::new();
        }
        self.is_refreshing = false;
        match result {
            Ok(opened) => {
                self.opened = Some(opened);
                self.opened_at = now;
                self.trouble = None;
                self.ask()
            }
            Err(why) => {
                self.trouble = Some(why);
                Vec::new()
            }
        }
    }

    /// Asks for the live weights again when they are old enough for the copying to cost the
    /// training less than a hundredth of its time.
    pub fn refresh_if_old(&mut self, now: f64, parameters: u64) -> Vec<Effect> {
        // A copy moves about a thousand million numbers in ten seconds, on a busy machine.
        let pause = (parameters as f64 / 1e6).max(2.0);
        if !self.is_live() || self.opened.is_none() || self.is_refreshing || now - self.opened_at < pause {
            return Vec::new();
        }
        self.refresh()
    }

    fn refresh(&mut self) -> Vec<Effect> {
        self.is_refreshing = true;
        self.request_id += 1;
        self.opening = self.request_id;
        vec![Effect::OpenModel { request_id: self.request_id, source: self.source.clone() }]
    }

    /// What can be brought back: sentences judged before, newest first, then the pinned ones.
    fn earlier(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let judged = self.judged.iter().map(|one| (one.text.as_str(), one.text_pair.as_deref()));
        let pins = probe_list::fitting(self).map(|pin| (pin.text.as_str(), pin.text_pair.as_deref()));
        judged.chain(pins)
    }

    fn recall(&mut self, to: Option<usize>) -> Vec<Effect> {
        if self.recalled.is_none() {
            self.draft = self.fields.clone();
        }
        self.recalled = to;
        self.fields = match to.and_then(|at| self.earlier().nth(at)) {
            Some((text, pair)) => [TextField::new(text), TextField::new(pair.unwrap_or(""))],
            None => std::mem::take(&mut self.draft),
        };
        self.ask()
    }

    /// Remembers the sentence and begins anew.
    fn keep(&mut self) -> Vec<Effect> {
        let (text, text_pair) = self.texts();
        let Some((_, _, verdict)) = self.answer.as_ref().filter(|_| !text.is_empty()) else {
            return Vec::new();
        };
        let judged = HistoryEntry { text, text_pair, answer: verdict.output.clone() };
        self.judged.retain(|other| other.text != judged.text || other.text_pair != judged.text_pair);
        self.judged.insert(0, judged);
        self.judged.truncate(REMEMBERED);
        self.recalled = None;
        self.fields = Default::default();
        self.at = 0;
        self.ask()
    }
}

/// What a key does.
pub fn act(app: &mut App, action: Action) -> Vec<Effect> {
    let infer = &mut app.infer;
    match action {
        Action::Enter if infer.is_pair() && infer.at == 0 => {
            infer.at = 1;
            Vec::new()
        }
        Action::Enter => infer.keep(),
        Action::Up => {
            let next = infer.recalled.map_or(0, |at| at + 1);
            if next < infer.earlier().count() { infer.recall(Some(next)) } else { Vec::new() }
        }
        Action::Down => match infer.recalled {
            Some(0) => infer.recall(None),
            Some(at) => infer.recall(Some(at - 1)),
            None => Vec::new(),
        },
        Action::Next => {
            infer.at = if infer.is_pair() { 1 - infer.at } else { 0 };
            Vec::new()
        }
        Action::Fresh => infer.refresh(),
        Action::Compare => {
            comparison::choose_weights(app);
            Vec::new()
        }
        Action::Probe => probe_list::toggle(app),
        Action::Weights => {
            choose_weights(app);
            Vec::new()
        }
        Action::Back => {
            let before = if app.before == Tab::Infer { Tab::Runs } else { app.before };
            app.go(before);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Types into the sentence.
pub fn type_in(app: &mut App, edit: &Edit) -> Vec<Effect> {
    let infer = &mut app.infer;
    let at = if infer.is_pair() { infer.at } else { 0 };
    if infer.fields[at].edit(edit) || matches!(edit, Edit::Insert(_)) {
        infer.recalled = None;
        return infer.ask();
    }
    Vec::new()
}
