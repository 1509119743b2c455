//! The thread that judges sentences: which weights are open, what waits, what an answer rests on.

use super::Options;
use super::msg::Msg;
use super::state::infer::OpenedModel;
use crate::error::{Error, Result};
use crate::predict::{Prediction, Predictor};
use crate::train::Snapshot;
use crossbeam_channel::{Receiver, Sender, after, never, select};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Time without a question after which a person is held to have stopped typing.
const QUIET: Duration = Duration::from_millis(120);

/// Something for the thread that judges.
pub(super) enum Question {
    Open { request_id: u64, name: String },
    Beside { request_id: u64, name: Option<String> },
    Live { request_id: u64, training: u64, weights: Receiver<Snapshot> },
    Classify { request_id: u64, text: String, text_pair: Option<String> },
    Explain(Explain),
}

/// What an answer rests on is to be found out.
pub(super) struct Explain {
    pub(super) request_id: u64,
    pub(super) text: String,
    pub(super) text_pair: Option<String>,
}

/// Judges sentences with one model at a time, or with a second one beside it.
pub(super) struct InferenceWorker {
    options: Options,
    messages: Sender<Msg>,
    predictor: Option<Predictor>,
    /// The second one.
    beside: Option<Predictor>,
    /// The training that the predictor's weights are of, if they are of one that goes on.
    of: Option<u64>,
    /// Weights that were request_id for and have not come.
    weights: Option<(u64, u64, Receiver<Snapshot>)>,
    /// What is done when nothing else is request_id for a while.
    explain: Option<Explain>,
}

impl InferenceWorker {
    pub(super) fn new(options: Options, messages: Sender<Msg>) -> Self {
        InferenceWorker {
            options,
            messages,
            predictor: None,
            beside: None,
            of: None,
            weights: None,
            explain: None,
        }
    }

    pub(super) fn run(&mut self, questions: &Receiver<Question>) {
        loop {
            let weights = self.weights.as_ref().map_or_else(never, |(.., receiver)| receiver.clone());
            let quiet = self.explain.as_ref().map_or_else(never, |_| after(QUIET));
            select! {
                recv(questions) -> question => match question {
                    Ok(question) => self.take(newest(question, questions)),
                    Err(_) => return,
                },
                recv(weights) -> snapshot => self.refresh(snapshot.ok()),
                recv(quiet) -> _ => self.explain(questions),
            }
        }
    }

    fn take(&mut self, questions: Vec<Question>) {
        for question in questions {
            // Another sentence, or other weights: what was to be explained is not in front any more.
            if matches!(question, Question::Open { .. } | Question::Classify { .. }) {
                self.explain = None;
            }
            match question {
                Question::Explain(explain) => self.explain = Some(explain),
                Question::Open { request_id, name } => {
                    self.weights = None;
                    self.of = None;
                    // The old model goes before the new one comes: both may not fit into memory.
                    self.predictor = None;
                    let device = self.options.device.clone().unwrap_or_else(|| "auto".into());
                    let runs_dir = self.options.runs_dir.clone();
                    let result = guarded(|| Predictor::open(&name, &runs_dir, &device));
                    self.opened(request_id, result);
                }
                Question::Beside { request_id, name } => {
                    self.beside = None;
                    if let Some(name) = name {
                        self.open_beside(request_id, &name);
                    }
                }
                Question::Live { request_id, training, weights } => {
                    self.weights = Some((request_id, training, weights));
                }
                Question::Classify { request_id, text, text_pair } => {
                    let Some(predictor) = &mut self.predictor else { continue };
                    let begun = Instant::now();
                    let result = guarded(|| predictor.classify(&text, text_pair.as_deref()));
                    let seconds = begun.elapsed().as_secs_f64();
                    let result: Result<Prediction, String> = result.map_err(|e| e.to_string());
                    self.messages.send(Msg::Prediction { request_id, seconds, result }).ok();
                    if let Some(beside) = &mut self.beside {
                        let result = guarded(|| beside.classify(&text, text_pair.as_deref()));
                        let result = result.map_err(|e| e.to_string());
                        self.messages.send(Msg::ComparisonPrediction { request_id, result }).ok();
                    }
                }
            }
        }
    }

    fn open_beside(&mut self, request_id: u64, name: &str) {
        let device = self.options.device.clone().unwrap_or_else(|| "auto".into());
        let result = guarded(|| Predictor::open(name, &self.options.runs_dir, &device));
        let result = result.map_err(|e| e.to_string()).map(|predictor| {
            let (name, pair, step) = (predictor.name().to_string(), predictor.is_pair(), predictor.step());
            self.beside = Some(predictor);
            OpenedModel { name, pair, step }
        });
        self.messages.send(Msg::ComparisonOpened { request_id, result }).ok();
    }

    /// Finds out what an answer rests on, unless somebody asks something meanwhile: then it is done later.
    fn explain(&mut self, questions: &Receiver<Question>) {
        let (Some(predictor), Some(explain)) = (&mut self.predictor, &self.explain) else {
            self.explain = None;
            return;
        };
        let begun = Instant::now();
        let mut go_on = || questions.is_empty();
        let result = guarded(|| predictor.explain(&explain.text, explain.text_pair.as_deref(), &mut go_on));
        let result = match result {
            Ok(None) => return,
            Ok(Some(explanation)) => Ok(explanation),
            Err(error) => Err(error.to_string()),
        };
        let (request_id, seconds) = (explain.request_id, begun.elapsed().as_secs_f64());
        self.explain = None;
        self.messages.send(Msg::Explanation { request_id, seconds, result }).ok();
    }

    fn refresh(&mut self, snapshot: Option<Snapshot>) {
        let Some((request_id, training, _)) = self.weights.take() else { return };
        let Some(snapshot) = snapshot else {
            let result = Err("the run ended before it gave its weights".to_string());
            self.messages.send(Msg::ModelOpened { request_id, result }).ok();
            return;
        };
        let known = if self.of == Some(training) { self.predictor.take() } else { None };
        let device = self.options.device.clone().unwrap_or_else(|| "auto".into());
        let result = guarded(|| match known {
            Some(mut predictor) => predictor.refresh(&snapshot).map(|()| predictor),
            None => Predictor::from_snapshot(&snapshot, &device),
        });
        self.of = Some(training);
        self.opened(request_id, result);
    }

    fn opened(&mut self, request_id: u64, result: Result<Predictor>) {
        let result = result.map_err(|e| e.to_string()).map(|predictor| {
            let (name, pair, step) = (predictor.name().to_string(), predictor.is_pair(), predictor.step());
            self.predictor = Some(predictor);
            OpenedModel { name, pair, step }
        });
        self.messages.send(Msg::ModelOpened { request_id, result }).ok();
    }
}

/// All questions that wait, without the sentences that were typed on in the meantime.
fn newest(first: Question, questions: &Receiver<Question>) -> Vec<Question> {
    let mut all = vec![first];
    all.extend(questions.try_iter());
    let last = all.iter().rposition(|question| matches!(question, Question::Classify { .. }));
    let mut number = 0;
    all.retain(|question| {
        number += 1;
        !matches!(question, Question::Classify { .. }) || Some(number - 1) == last
    });
    all
}

/// TrainRequest whose panic is an error like any other: a strange model must not end the program.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Training("internal error; another model may do".into())))
}
