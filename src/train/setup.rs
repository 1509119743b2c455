//! Everything that must be ready before the first step: tokenized rows and an engine with its weights.

use super::class_weights::class_weights;
use super::control::Control;
use super::memory_plan;
use super::resources::Resources;
use crate::batch::Encoded;
use crate::catalog::{Labels, ProblemType};
use crate::data::{Dataset, Example, Tokenized, Tokenizer};
use crate::error::{Error, Result};
use crate::event::{Event, Progress, SplitDigest, SplitName};
use crate::files::ModelFolder;
use crate::nn::{self, BuildOptions, Built, DeviceKind};
use crate::spec::RunSpec;
use crate::text::plural;
use kernels::rng::{Rng, Stream};
use std::collections::BTreeMap;
use std::time::Instant;

/// Training rows that are evaluated at most: enough for a standard error of half a percentage point without
/// a second pass over a large training split in every epoch.
const MAX_TRAIN_EVAL_ROWS: usize = 10_000;
/// The key of the random permutation that selects them.
const TRAIN_EVAL_KEY: u32 = 3;

/// Everything that a training works with.
pub(super) struct Setup {
    pub folder: ModelFolder,
    pub tokenizer: Tokenizer,
    pub built: Built,
    pub labels: Labels,
    /// The specification with the problem type of the dataset.
    pub spec: RunSpec,
    /// The problem type that the specification has itself.
    pub given_problem_type: Option<ProblemType>,
    /// The digests of the rows of each split.
    pub digests: BTreeMap<SplitName, SplitDigest>,
    /// Rows to train on.
    pub train: Vec<Encoded>,
    /// The logits of the teacher for these rows, (rows, labels); empty without one.
    pub teacher_logits: Vec<f32>,
    /// Rows to train on that were truncated.
    pub truncated_train_rows: usize,
    /// Rows to evaluate by split, without splits that have no labels.
    pub eval: BTreeMap<SplitName, Vec<Encoded>>,
    /// Duration of tokenization in seconds.
    pub tokenize_seconds: f64,
    /// Upper bound of the memory of the training in bytes, if the engine can compute it.
    pub planned_memory: Option<u64>,
    /// Operations per second of matrix products alone on this machine, if measured.
    pub product_rate: Option<f64>,
}

/// Tokenizes the rows and builds the engine; emits progress and notes.
pub(super) fn prepare(
    spec: &RunSpec,
    resources: Resources,
    control: &Control,
    emit: &mut dyn FnMut(Event),
) -> Result<Setup> {
    let Resources { folder, mut dataset, teacher, digests, .. } = resources;
    let tokenizer = Tokenizer::load(&folder, spec.max_seq_length)?;
    if spec.max_seq_length > tokenizer.max_length() {
        emit(Event::note(format!(
            "max_seq_length is {}, but the model has {}: longer inputs are truncated to {}",
            spec.max_seq_length,
            plural(tokenizer.max_positions(), "position"),
            plural(tokenizer.max_length(), "token"),
        )));
    }
    for note in std::mem::take(&mut dataset.notes) {
        emit(Event::note(note));
    }
    let labels = dataset.labels.clone();
    let given_problem_type = spec.problem_type;
    let spec = &spec.with_labels(&labels)?;
    let start = Instant::now();
    let TokenizedRows { train, truncated, eval } = tokenize(spec, &dataset, &tokenizer, control, emit)?;
    let tokenize_seconds = start.elapsed().as_secs_f64();

    let rows = (dataset.train(), &labels);
    let teacher_logits = teacher.map(|teacher| teacher.logits(spec, rows, control, emit)).transpose()?;
    let mut built = nn::build(&build_options(spec, &folder, (&labels, &labels.names()), &train, emit))?;
    emit(Event::note(built.report.summary()));
    for note in &built.notes {
        emit(Event::note(note.clone()));
    }
    for warning in &built.warnings {
        emit(Event::warning(warning.clone()));
    }
    let mut planned_memory = None;
    if let Some((note, bytes)) = memory_plan::plan(spec, (built.engine.as_mut(), built.device_kind), &train)?
    {
        emit(Event::note(note));
        planned_memory = Some(bytes);
    }
    if tokenizer.vocab_size() > built.config.vocab_size {
        emit(Event::note(format!(
            "the tokenizer has {}, but there are only {}; a text with one of the others is an error",
            plural(tokenizer.vocab_size(), "token"),
            plural(built.config.vocab_size, "word embedding"),
        )));
    }
    let is_cpu = built.device_kind == DeviceKind::Cpu;
    let product_rate = is_cpu.then(|| nn::cached_matmul_rate(&built.precision, spec.threads)).flatten();
    Ok(Setup {
        folder,
        tokenizer,
        built,
        labels,
        spec: spec.clone(),
        given_problem_type,
        digests,
        train,
        teacher_logits: teacher_logits.unwrap_or_default(),
        truncated_train_rows: truncated,
        eval,
        tokenize_seconds,
        planned_memory,
        product_rate,
    })
}

/// The settings of the engine; emits a note on the class weights.
fn build_options<'a>(
    spec: &'a RunSpec,
    folder: &'a ModelFolder,
    (labels, names): (&Labels, &'a [String]),
    train: &[Encoded],
    emit: &mut dyn FnMut(Event),
) -> BuildOptions<'a> {
    let mut options = BuildOptions::from_spec(spec, folder, (names, labels.problem_type()));
    if let Some(setting) = &spec.class_weights {
        let (weights, note) = class_weights(setting, labels, train);
        emit(Event::note(note));
        options.optimizer.class_weights = Some(weights);
    }
    options
}

/// The tokenized rows of a dataset.
struct TokenizedRows {
    /// Rows to train on.
    train: Vec<Encoded>,
    /// The number of those that were truncated.
    truncated: usize,
    /// Rows to evaluate by split.
    eval: BTreeMap<SplitName, Vec<Encoded>>,
}

fn tokenize(
    spec: &RunSpec,
    dataset: &Dataset,
    tokenizer: &Tokenizer,
    control: &Control,
    emit: &mut dyn FnMut(Event),
) -> Result<TokenizedRows> {
    if dataset.train().is_empty() || dataset.validation().is_empty() {
        return Err(Error::Training(format!(
            "task {} has no training rows or no validation rows",
            spec.task
        )));
    }
    let mut watch = |progress: Progress| emit(Event::Progress(progress));
    let mut encode = |rows: &[Example]| tokenizer.encode_batch(rows, &mut watch, control.cancelled());
    let Tokenized { rows: train, truncated } = encode(dataset.train())?;
    let mut eval = BTreeMap::new();
    for (name, rows) in dataset.splits.iter().filter(|(name, _)| **name != SplitName::Train) {
        eval.insert(*name, encode(rows)?.rows);
    }
    if truncated > 0 {
        emit(Event::note(format!(
            "{truncated} of {} are longer than {} and were truncated",
            plural(train.len(), "training row"),
            plural(tokenizer.max_length(), "token"),
        )));
    }
    if spec.eval_on_train {
        eval.insert(SplitName::Train, train_eval_rows(spec, &train, emit));
    }
    Ok(TokenizedRows { train, truncated, eval })
}

/// The training rows that are evaluated.
fn train_eval_rows(spec: &RunSpec, train: &[Encoded], emit: &mut dyn FnMut(Event)) -> Vec<Encoded> {
    let limit = spec.max_eval_samples.unwrap_or(usize::MAX).min(MAX_TRAIN_EVAL_ROWS);
    let mut chosen = Rng::new(spec.seed, Stream::Sample).permutation(TRAIN_EVAL_KEY, 0, train.len());
    chosen.truncate(limit);
    chosen.sort_unstable();
    if chosen.len() < train.len() {
        emit(Event::note(format!(
            "training scores are computed on a random sample of {} of {}",
            chosen.len(),
            plural(train.len(), "training row"),
        )));
    }
    chosen.into_iter().map(|row| train[row].clone()).collect()
}
