//! The worker that runs models: it opens weights, classifies texts and computes attributions.

use super::msg::Msg;
use super::options::Options;
use super::state::infer::OpenedModel;
use super::worker::catch_panic;
use crate::error::Result;
use crate::hub::Hub;
use crate::predict::Predictor;
use crate::probes::Probe;
use crate::spec::DeviceSpec;
use crate::train::Snapshot;
use crossbeam_channel::{Receiver, Sender, after, never, select};
use std::time::{Duration, Instant};

/// Time without a job after which the user is assumed to have stopped typing.
const IDLE: Duration = Duration::from_millis(120);

/// A job of the [`InferenceWorker`].
pub(super) enum InferenceJob {
    /// Open a model: a run, a folder, a hub id or `demo`.
    Open { request_id: u64, name: String },
    /// Open a second model to compare with, or close it.
    OpenComparison { request_id: u64, name: Option<String> },
    /// Use the weights of a run that is being trained, once they arrive.
    OpenLive { request_id: u64, run_number: u64, weights: Receiver<Snapshot> },
    /// Classify a text or a pair.
    Classify { request_id: u64, text: String, text_pair: Option<String> },
    /// Classify probes with the model that a request opened.
    ClassifyProbes { request_id: u64, probes: Vec<Probe> },
    /// Compute attributions.
    Explain(Explain),
}

/// A request for the attributions of a prediction.
pub(super) struct Explain {
    pub(super) request_id: u64,
    pub(super) text: String,
    pub(super) text_pair: Option<String>,
}

/// Weights of a live run that were requested and have not arrived.
struct PendingWeights {
    request_id: u64,
    run_number: u64,
    weights: Receiver<Snapshot>,
}

/// Does the jobs of the thread `inference`, with one model at a time and optionally a second one to compare with.
pub(super) struct InferenceWorker {
    options: Options,
    messages: Sender<Msg>,
    predictor: Option<Predictor>,
    comparison: Option<Predictor>,
    /// The live run that the predictor's weights are from.
    run_number: Option<u64>,
    pending_weights: Option<PendingWeights>,
    /// Done when no other job has arrived for a while.
    pending_explain: Option<Explain>,
}

impl InferenceWorker {
    /// A worker without a model that sends its results to `messages`.
    pub(super) fn new(options: Options, messages: Sender<Msg>) -> Self {
        InferenceWorker {
            options,
            messages,
            predictor: None,
            comparison: None,
            run_number: None,
            pending_weights: None,
            pending_explain: None,
        }
    }

    /// Does all jobs until the channel is disconnected. A panic is the error of its job.
    pub(super) fn serve(mut self, jobs: &Receiver<InferenceJob>) {
        loop {
            let weights = self.pending_weights.as_ref().map_or_else(never, |pending| pending.weights.clone());
            let idle = self.pending_explain.as_ref().map_or_else(never, |_| after(IDLE));
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => newest(job, jobs).into_iter().for_each(|job| self.run(job)),
                    Err(_) => return,
                },
                recv(weights) -> snapshot => self.use_live_weights(snapshot.ok()),
                recv(idle) -> _ => self.explain(jobs),
            }
        }
    }

    fn run(&mut self, job: InferenceJob) {
        // Another text or other weights: the attributions would no longer be shown.
        if matches!(job, InferenceJob::Open { .. } | InferenceJob::Classify { .. }) {
            self.pending_explain = None;
        }
        match job {
            InferenceJob::Explain(explain) => self.pending_explain = Some(explain),
            InferenceJob::Open { request_id, name } => {
                self.pending_weights = None;
                self.run_number = None;
                // Dropped first, because both models may not fit into memory.
                self.predictor = None;
                let result = self.open(&name);
                self.opened(request_id, result);
            }
            InferenceJob::OpenComparison { request_id, name } => {
                self.comparison = None;
                if let Some(name) = name {
                    let result = self.open(&name).map_err(|e| e.to_string());
                    let result = result.map(|predictor| opened_model(self.comparison.insert(predictor)));
                    self.send(Msg::ComparisonOpened { request_id, result });
                }
            }
            InferenceJob::OpenLive { request_id, run_number, weights } => {
                self.pending_weights = Some(PendingWeights { request_id, run_number, weights });
            }
            InferenceJob::ClassifyProbes { request_id, probes } => self.classify_probes(request_id, probes),
            InferenceJob::Classify { request_id, text, text_pair } => {
                self.classify(request_id, &text, text_pair.as_deref());
            }
        }
    }

    fn send(&self, msg: Msg) {
        self.messages.send(msg).ok();
    }

    fn device(&self) -> DeviceSpec {
        self.options.device.unwrap_or_default()
    }

    fn open(&self, name: &str) -> Result<Predictor> {
        catch_panic("opening the model", || {
            Predictor::open(name, &self.options.runs_dir, &Hub::from_env(), self.device())
        })
    }

    fn opened(&mut self, request_id: u64, result: Result<Predictor>) {
        let result = result.map_err(|e| e.to_string());
        let result = result.map(|predictor| opened_model(self.predictor.insert(predictor)));
        self.send(Msg::ModelOpened { request_id, result });
    }

    /// Classifies a text with the model and with the one that it is compared with.
    fn classify(&mut self, request_id: u64, text: &str, text_pair: Option<&str>) {
        let Some(predictor) = &mut self.predictor else { return };
        let start = Instant::now();
        let result = catch_panic("classifying a text", || predictor.predict(text, text_pair));
        let seconds = start.elapsed().as_secs_f64();
        self.send(Msg::Prediction { request_id, seconds, result: result.map_err(|e| e.to_string()) });
        if let Some(predictor) = &mut self.comparison {
            let result = catch_panic("classifying a text", || predictor.predict(text, text_pair));
            self.send(Msg::ComparisonPrediction { request_id, result: result.map_err(|e| e.to_string()) });
        }
    }

    fn classify_probes(&mut self, request_id: u64, probes: Vec<Probe>) {
        let Some(predictor) = &mut self.predictor else { return };
        let inputs: Vec<_> =
            probes.iter().map(|probe| (probe.text.clone(), probe.text_pair.clone())).collect();
        let result = catch_panic("classifying the probes", || predictor.predict_all(&inputs));
        let result = result.map_err(|e| e.to_string()).map(|predictions| {
            let outputs = predictions.into_iter().map(|prediction| prediction.output);
            probes.into_iter().zip(outputs).collect()
        });
        self.send(Msg::ProbesClassified { request_id, result });
    }

    /// Computes attributions. A job that arrives meanwhile interrupts this; it is started again after the job.
    fn explain(&mut self, jobs: &Receiver<InferenceJob>) {
        let (Some(predictor), Some(explain)) = (&mut self.predictor, &self.pending_explain) else {
            self.pending_explain = None;
            return;
        };
        let start = Instant::now();
        let mut may_continue = || jobs.is_empty();
        let result = catch_panic("computing attributions", || {
            predictor.attribute(&explain.text, explain.text_pair.as_deref(), &mut may_continue)
        });
        let result = match result {
            Ok(None) => return,
            Ok(Some(explanation)) => Ok(explanation),
            Err(error) => Err(error.to_string()),
        };
        let (request_id, seconds) = (explain.request_id, start.elapsed().as_secs_f64());
        self.pending_explain = None;
        self.send(Msg::Explanation { request_id, seconds, result });
    }

    /// Loads the weights of a live run into the model.
    fn use_live_weights(&mut self, snapshot: Option<Snapshot>) {
        let Some(PendingWeights { request_id, run_number, .. }) = self.pending_weights.take() else { return };
        let Some(snapshot) = snapshot else {
            let result = Err("the run ended before it sent its weights".to_string());
            self.send(Msg::ModelOpened { request_id, result });
            return;
        };
        let current = if self.run_number == Some(run_number) { self.predictor.take() } else { None };
        let device = self.device();
        let result = catch_panic("loading the weights", || match current {
            Some(mut predictor) => predictor.update_weights(&snapshot).map(|()| predictor),
            None => Predictor::from_snapshot(&snapshot, device),
        });
        self.run_number = Some(run_number);
        self.opened(request_id, result);
    }
}

fn opened_model(predictor: &mut Predictor) -> OpenedModel {
    let (name, pair, step) = (predictor.name().to_string(), predictor.is_pair(), predictor.step());
    OpenedModel { name, pair, step }
}

/// All jobs that wait. Of the texts to classify only the newest is kept.
fn newest(first: InferenceJob, jobs: &Receiver<InferenceJob>) -> Vec<InferenceJob> {
    let mut all = vec![first];
    all.extend(jobs.try_iter());
    let mut classify_jobs = all.iter().filter(|job| matches!(job, InferenceJob::Classify { .. })).count();
    all.retain(|job| {
        let is_classify = matches!(job, InferenceJob::Classify { .. });
        classify_jobs -= usize::from(is_classify);
        !is_classify || classify_jobs == 0
    });
    all
}
