//! Inference with a run or a model folder: text → label and probabilities, or a number for a regression.

mod evaluation;
mod json;
mod output;
mod precision_difference;
pub mod split;
pub mod table;
mod thresholds;

pub use evaluation::{EvalOptions, EvalRows, EvaluatedScores};
use evaluation::{custom_spec, match_outputs};
pub use json::to_json;
pub use output::{Attributions, ModelOutput, Prediction, WordAttribution};
pub use precision_difference::PrecisionDifference;
pub(crate) use precision_difference::{is_flipped, largest};
pub use thresholds::{LabelThreshold, THRESHOLDS, Thresholds};

use crate::batch::Batch;
use crate::catalog::{Labels, ProblemType, SplitRole, SplitSpec, Task, task};
use crate::data::{self, DatasetSource, Example, Tokenizer, WordEncoding, WordSpan};
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::files::{ModelFolder, check_digests};
use crate::hub::Hub;
use crate::machine::start_threads;
use crate::nn::{self, BuildOptions, Built, Engine};
use crate::run::{RunDir, find, run_labels};
use crate::spec::{DeviceSpec, Precision, RunSpec};
use crate::train::{Snapshot, add_metrics_from, argmax, evaluate, score_intervals, sigmoid, softmax};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Examples of a forward pass of an evaluation.
const EVAL_BATCH_SIZE: usize = 64;
/// Inputs that [`Predictor::predict_all`] tokenizes together, on all cores.
pub const PREDICT_BATCH_SIZE: usize = 128;
/// Largest number of tokens in a forward pass of several inputs. Many short inputs divide into equal parts for the
/// threads; few long ones need little memory.
const MAX_TOKENS: usize = 4096;
/// Points of the Riemann sum of integrated gradients.
const ATTRIBUTION_POINTS: usize = 24;
/// The target of word attributions of a regression.
const HIGHER_SCORE: &str = "a higher score";

/// The error of a name that is no model, with the reason why it is no run either.
pub(crate) fn not_a_run(error: Error, not_found: &Error) -> Error {
    match error {
        Error::Model { model, problem } => Error::Model { model, problem: format!("{problem}; {not_found}") },
        Error::Hub { repo, problem } => Error::Hub { repo, problem: format!("{problem}; {not_found}") },
        other => other,
    }
}

/// A model that is loaded for inference.
pub struct Predictor {
    engine: Box<dyn Engine>,
    tokenizer: Tokenizer,
    /// Label names, one per output.
    labels: Vec<String>,
    /// What the logits mean.
    problem_type: ProblemType,
    /// Precision of the matrix products.
    precision: String,
    scale: Option<(f32, f32)>,
    /// The probabilities from which on labels are predicted.
    thresholds: Thresholds,
    name: String,
    /// The specification of the run that the model is from, if any.
    spec: Option<RunSpec>,
    pair: Option<bool>,
    step: Option<u64>,
    notes: Vec<String>,
}

impl Predictor {
    /// Opens `name`: the name of a run in `runs_dir`, a run directory, a local model folder, or an id on `hub`. Computes in the
    /// default precision of the device.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Hub`] for a model that cannot be used or fetched, [`Error::Device`] for an
    /// unavailable device.
    pub fn open(name: &str, runs_dir: &Path, hub: &Hub, device: DeviceSpec) -> Result<Self> {
        Self::open_in(name, runs_dir, hub, (device, None))
    }

    /// As [`Predictor::open`], with the precision of the matrix products unless it is `None`.
    ///
    /// # Errors
    /// Those of [`Predictor::open`], and [`Error::Usage`] for a precision that the device does not support.
    pub fn open_in(
        name: &str,
        runs_dir: &Path,
        hub: &Hub,
        on: (DeviceSpec, Option<Precision>),
    ) -> Result<Self> {
        start_threads()?;
        let not_found = match find(runs_dir, name) {
            Ok(path) => return Self::open_run(&RunDir::at(path), on),
            Err(error) => error,
        };
        let folder = hub.model(name, "main", &mut |_: Progress| {}, &AtomicBool::new(false));
        let folder = folder.map_err(|error| not_a_run(error, &not_found))?;
        if name == crate::assets::DEMO {
            return Err(Error::model(
                name,
                "the embedded encoder has no trained classification head; train one first: glue-tui train demo",
            ));
        }
        Self::open_folder(&folder, None, on)
    }

    fn open_run(dir: &RunDir, on: (DeviceSpec, Option<Precision>)) -> Result<Self> {
        let (labels, spec) = (run_labels(dir, &dir.spec()?), dir.spec_of_best()?);
        if !dir.best().is_dir() {
            return Err(Error::model(
                dir.name(),
                "has no weights yet; they are written after the first evaluation; continue the training with --resume",
            ));
        }
        check_digests(&dir.best())?;
        let folder = ModelFolder { name: dir.name(), ..ModelFolder::on_disk(dir.best()) };
        Self::open_folder(&folder, Some((spec, labels)), on)
    }

    /// Opens a folder; `run` is the specification and the labels of the run that it is from.
    fn open_folder(
        folder: &ModelFolder,
        run: Option<(RunSpec, Labels)>,
        (device, precision): (DeviceSpec, Option<Precision>),
    ) -> Result<Self> {
        let scale = run.as_ref().and_then(|(_, labels)| labels.scale());
        let spec = run.map(|(spec, _)| spec);
        let built = nn::for_inference(folder, device, precision)?;
        // A run of an older version has its limit in the specification only.
        let tokenizer = match &spec {
            Some(spec) => Tokenizer::load(folder, spec.max_seq_length)?,
            None => Tokenizer::from_pretrained(folder)?,
        };
        let problem_type = built.config.problem_type(built.labels.len())?;
        Ok(Predictor {
            thresholds: Thresholds::read(folder, &built.labels)?,
            labels: built.labels,
            problem_type,
            precision: built.precision,
            scale,
            engine: built.engine,
            tokenizer,
            name: folder.name.clone(),
            pair: spec.as_ref().map(RunSpec::is_pair),
            spec,
            step: None,
            notes: built.notes,
        })
    }

    /// Builds a model from a snapshot of a training. [`Predictor::update_weights`] takes later snapshots of the same
    /// training and is faster.
    pub fn from_snapshot(snapshot: &Snapshot, device: DeviceSpec) -> Result<Self> {
        let Built { engine, notes, precision, .. } = nn::build(&BuildOptions {
            device,
            max_examples_per_pass: PREDICT_BATCH_SIZE,
            ..BuildOptions::new(&snapshot.folder, (&snapshot.labels, snapshot.problem_type))
        })?;
        let mut predictor = Predictor {
            engine,
            tokenizer: Tokenizer::load(&snapshot.folder, snapshot.max_seq_length)?,
            labels: snapshot.labels.clone(),
            problem_type: snapshot.problem_type,
            precision,
            scale: snapshot.scale,
            thresholds: Thresholds::default(),
            name: snapshot.folder.name.clone(),
            spec: None,
            pair: Some(snapshot.pair),
            step: None,
            notes,
        };
        predictor.update_weights(snapshot)?;
        Ok(predictor)
    }

    /// Replaces the weights by those of `snapshot`.
    pub fn update_weights(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.engine.set_weights(&snapshot.weights)?;
        self.step = Some(snapshot.step);
        Ok(())
    }

    /// The specification of the run that the model is from, if any.
    pub fn spec(&self) -> Option<&RunSpec> {
        self.spec.as_ref()
    }

    /// Notes for the user about choices of the engine, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Precision of the matrix products: `f32`, `bf16`, `tf32` or `int8`.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// The optimizer step of the weights, for a model from a snapshot.
    pub fn step(&self) -> Option<u64> {
        self.step
    }

    /// What the model predicts.
    pub fn problem_type(&self) -> ProblemType {
        self.problem_type
    }

    /// Whether an input is a pair of texts; `None` if unknown.
    pub fn is_pair(&self) -> Option<bool> {
        self.pair
    }

    /// Predicts for a text or a pair of texts.
    ///
    /// # Errors
    /// As [`Predictor::predict_all`].
    pub fn predict(&mut self, text: &str, text_pair: Option<&str>) -> Result<Prediction> {
        let input = (text.to_string(), text_pair.map(str::to_string));
        let predictions = self.predict_all(std::slice::from_ref(&input))?;
        predictions.into_iter().next().ok_or_else(|| Error::Training("no prediction for the input".into()))
    }

    /// Predicts for many inputs, in their order.
    ///
    /// # Errors
    /// [`Error::Usage`] for a single text where a pair is expected or the reverse; errors of the engine.
    pub fn predict_all(&mut self, inputs: &[(String, Option<String>)]) -> Result<Vec<Prediction>> {
        let mut predictions = Vec::with_capacity(inputs.len());
        for chunk in inputs.chunks(PREDICT_BATCH_SIZE) {
            let example = |(text, text_pair): &(String, Option<String>)| {
                self.check_pair(text_pair.is_some())?;
                Ok(Example { text: text.clone(), text_pair: text_pair.clone(), label: None })
            };
            let examples = chunk.iter().map(example).collect::<Result<Vec<_>>>()?;
            let rows = self.tokenizer.encode_all(&examples)?;
            let batch = Batch::new(rows.iter().map(|(encoded, _)| encoded));
            let mut rows = rows.iter();
            for batch in batch.micro_batches(PREDICT_BATCH_SIZE, MAX_TOKENS) {
                for (logits, (encoded, truncated)) in self.engine.logits(&batch)?.iter().zip(&mut rows) {
                    predictions.push(self.prediction(logits, encoded.ids.len(), *truncated)?);
                }
            }
        }
        Ok(predictions)
    }

    /// Computes word attributions for the most probable label: integrated gradients of its logit, from a baseline
    /// with the padding token for every word to the input (Sundararajan et al., 2017). They sum up to the difference of the
    /// two logits. `keep_going` is called in between; if it returns false, the result is `None`.
    ///
    /// # Errors
    /// As [`Predictor::predict_all`], and [`Error::Model`] without a padding token in the vocabulary.
    pub fn attribute(
        &mut self,
        text: &str,
        text_pair: Option<&str>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Attributions>> {
        self.check_pair(text_pair.is_some())?;
        let example = Example { text: text.into(), text_pair: text_pair.map(str::to_string), label: None };
        let WordEncoding { encoded, words } = self.tokenizer.encode_words(&example)?;
        let padding = self.tokenizer.pad_token_id().ok_or_else(|| {
            Error::model(
                &self.name,
                "has no padding token in its vocabulary, which word attributions need as a baseline",
            )
        })?;
        let mut baseline = encoded.ids.clone();
        for word in &words {
            baseline[word.tokens.clone()].fill(padding);
        }
        let class = argmax(&self.engine.logits(&Batch::new([&encoded]))?.concat());
        let input = (&encoded, baseline.as_slice());
        let found =
            nn::integrated_gradients(self.engine.as_mut(), input, class, ATTRIBUTION_POINTS, keep_going)?;
        let attribution = |word: &WordSpan, tokens: &[f64]| {
            let source = if word.sequence == 0 { text } else { text_pair.unwrap_or_default() };
            let characters = |end: usize| source.get(..end).map_or(0, |part| part.chars().count());
            WordAttribution {
                text: source.get(word.offsets.clone()).unwrap_or_default().to_string(),
                start: characters(word.offsets.start),
                end: characters(word.offsets.end),
                value: tokens[word.tokens.clone()].iter().sum::<f64>() as f32,
                sequence: word.sequence,
            }
        };
        Ok(found.map(|tokens| Attributions {
            label: match self.problem_type {
                ProblemType::Regression => HIGHER_SCORE.into(),
                _ => self.labels[class].clone(),
            },
            words: words.iter().map(|word| attribution(word, &tokens)).collect(),
        }))
    }

    /// Checks that the model takes an input with, or without, a second text.
    ///
    /// # Errors
    /// [`Error::Usage`] for a single text where a pair is expected or the reverse.
    pub fn check_pair(&self, given: bool) -> Result<()> {
        match self.pair {
            Some(true) if !given => Err(Error::Usage(format!(
                "{} expects a pair of texts; give both, on one line separated by a tab",
                self.name
            ))),
            Some(false) if given => {
                Err(Error::Usage(format!("{} expects a single text; give only one", self.name)))
            }
            _ => Ok(()),
        }
    }

    fn prediction(&self, logits: &[f32], tokens: usize, truncated: bool) -> Result<Prediction> {
        if let Some(output) = logits.iter().position(|logit| !logit.is_finite()) {
            let problem = format!("output {output} is {}; the weights are damaged", logits[output]);
            return Err(Error::model(&self.name, problem));
        }
        let named = |probabilities: Vec<f32>| self.labels.iter().cloned().zip(probabilities).collect();
        let output = match (self.problem_type, logits) {
            (ProblemType::Regression, [score, ..]) => ModelOutput::Score { score: *score, scale: self.scale },
            (ProblemType::MultiLabelClassification, _) => {
                let probabilities = logits.iter().map(|logit| sigmoid(f64::from(*logit)) as f32).collect();
                ModelOutput::labels(named(probabilities), &self.thresholds)
            }
            // Large logits have equal probabilities, of which that of the largest logit counts.
            _ if self.thresholds.is_empty() => {
                let (class, probabilities) = (argmax(logits), softmax(logits));
                ModelOutput::Label {
                    label: self.labels[class].clone(),
                    probability: probabilities[class],
                    probabilities: named(probabilities),
                }
            }
            _ => ModelOutput::class(named(softmax(logits)), &self.thresholds),
        };
        Ok(Prediction { output, tokens, truncated })
    }

    /// The names of the outputs. After an evaluation they are those of the task, in its order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The specification of the run of the model, if an evaluation uses only some rows of its data.
    pub fn subsampled_by(&self, options: &EvalOptions<'_>) -> Option<&RunSpec> {
        let spec =
            self.spec.as_ref().filter(|spec| options.task.is_none_or(|task| spec.task.name() == task))?;
        let has_same_rows = options.data_dir.is_none() || options.data_dir == spec.data_dir.as_deref();
        let is_of_run = options.rows == EvalRows::OfRun && options.set.is_empty() && has_same_rows;
        let is_part = data::has_fold(spec, options.split) || spec.max_samples(options.split).is_some();
        (is_of_run && is_part).then_some(spec)
    }

    /// Evaluates a split of a task. The labels of the model are matched with those of the task by name. The rows are in
    /// `data_dir`, or else where the specification of the run has them. The validation split includes metrics of the
    /// extra validation splits, as MNLI's mismatched one.
    ///
    /// # Errors
    /// [`Error::Usage`] for a task or a split that does not suit the model, [`Error::Data`] and [`Error::Hub`] for
    /// rows that cannot be read.
    pub fn evaluate(
        &mut self,
        options: &EvalOptions<'_>,
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<EvaluatedScores> {
        let (task, split) = (self.task(options.task)?, options.split);
        let custom = custom_spec((self.spec.as_ref(), self.problem_type), task, options)?;
        let labels = match &custom {
            Some(spec) => {
                let cancelled = AtomicBool::new(false);
                let mut context = data::LoadContext { hub, on_progress: watch, cancelled: &cancelled };
                data::load(DatasetSource::from_spec(spec), &mut context)?.labels
            }
            None => self.labels_on(task),
        };
        let matched = match_outputs((&self.name, &self.model_labels()), task, &labels, options.label_map)?;
        nn::permute_outputs(self.engine.as_mut(), &matched.order)?;
        self.labels = matched.names;
        self.problem_type = labels.problem_type();
        self.notes.extend(matched.note);
        let subsampled = self.subsampled_by(options).cloned();
        let place = (options.data_dir, custom.as_ref(), subsampled.as_ref());
        let mut found = self.evaluate_split(task, split, place, hub, watch)?;
        let is_extra = |split: &&SplitSpec| split.name.role() == SplitRole::ExtraValidation;
        for extra in task.splits.iter().filter(is_extra).filter(|_| split == SplitName::Validation) {
            let other = self.evaluate_split(task, extra.name, place, hub, watch)?;
            add_metrics_from(&other.scores, extra.name, task, &mut found.scores);
            for metric in task.metrics(self.problem_type) {
                let source = metric.source().filter(|(source, _)| *source == extra.name);
                let interval = source.and_then(|(_, base)| other.confidence_intervals.get(&base));
                found.confidence_intervals.extend(interval.map(|interval| (*metric, *interval)));
            }
        }
        Ok(found)
    }

    /// The labels of the rows of the run of the model.
    fn data_labels(&self) -> Labels {
        self.spec.as_ref().map_or_else(|| self.model_labels(), |spec| self.labels_on(spec.task()))
    }

    /// The labels that the model predicts.
    fn model_labels(&self) -> Labels {
        match self.problem_type {
            ProblemType::SingleLabelClassification => self.labels.clone().into(),
            ProblemType::MultiLabelClassification => Labels::multi_label(self.labels.clone()),
            ProblemType::Regression => {
                let (low, high) = self.scale.unwrap_or((f32::MIN, f32::MAX));
                Labels::Scale { low, high }
            }
        }
    }

    /// The labels of `task` for an evaluation of this model; task `custom` has those of the model.
    fn labels_on(&self, task: &Task) -> Labels {
        if task.is_custom() { self.model_labels() } else { task.labels.clone() }
    }

    fn evaluate_split(
        &mut self,
        task: &'static Task,
        split: SplitName,
        (data_dir, custom, subsampled): (Option<&Path>, Option<&RunSpec>, Option<&RunSpec>),
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<EvaluatedScores> {
        let own = custom.or(self.spec.as_ref()).filter(|spec| spec.task.name() == task.name);
        let own = own.map_or(DatasetSource::for_task(task, None), DatasetSource::from_spec);
        let data_dir = data_dir.or(own.data_dir);
        let labels = self.model_labels();
        let place = DatasetSource { data_dir, labels: Some(&labels), ..own };
        let cancelled = AtomicBool::new(false);
        let mut context = data::LoadContext { hub, on_progress: watch, cancelled: &cancelled };
        let rows = match subsampled {
            Some(spec) => data::load_selected(place, (spec, split), &mut context)?,
            None => data::load_split(place, split, &mut context)?,
        };
        if rows.is_empty() || rows.iter().any(|row| row.label.is_none()) {
            return Err(Error::Usage(format!(
                "the {} split of {} has no labels, so it cannot be evaluated",
                split.name(),
                task.name
            )));
        }
        let encoded = self.tokenizer.encode_batch(&rows, watch, &cancelled)?.rows;
        let mut on_batch = |_: &mut dyn Engine, _: usize| Ok(true);
        let predictions = evaluate(self.engine.as_mut(), &encoded, &labels, EVAL_BATCH_SIZE, &mut on_batch)?;
        let predictions =
            predictions.ok_or_else(|| Error::Interrupted("the evaluation was interrupted".into()))?;
        let confidence_intervals = score_intervals(task, &predictions);
        let scores = predictions.scores(task);
        Ok(EvaluatedScores { scores, confidence_intervals, predictions })
    }

    /// The task of that name, or the task of the model's run.
    pub fn task(&self, name: Option<&str>) -> Result<&'static Task> {
        let name = name.or(self.spec.as_ref().map(|spec| spec.task.name())).ok_or_else(|| {
            Error::Usage(format!("{} does not have a task; name one with --task", self.name))
        })?;
        task(name).ok_or_else(|| {
            let known: Vec<_> = crate::catalog::TASKS.iter().map(|task| task.name).collect();
            Error::Usage(format!("unknown task {name}; the tasks are {}", known.join(", ")))
        })
    }
}
