//! What stands ready before the first step: rows as token ids, and an engine with its weights.

use super::{Control, memory};
use crate::batch::Encoded;
use crate::catalog::Labels;
use crate::data::{self, Dataset, Tokenized, Tokenizer};
use crate::error::{Error, Result};
use crate::event::{Event, Progress, SplitName};
use crate::files::ModelFolder;
use crate::hub::Hub;
use crate::nn::{self, Build, Built};
use crate::rng::{Rng, Stream};
use crate::spec::RunSpec;
use std::collections::BTreeMap;
use std::time::Instant;

/// At most so many training rows are scored: enough for a standard error of half a point, and a
/// large set is not gone through twice an epoch.
const SCORED_TRAIN_ROWS: usize = 10_000;

/// All that a training works with.
pub(super) struct Setup {
    pub folder: ModelFolder,
    pub tokenizer: Tokenizer,
    pub built: Built,
    /// What the labels are.
    pub labels: Labels,
    /// Rows that are trained on.
    pub train: Vec<Encoded>,
    /// Rows that are scored, by split; a split without labels is not there.
    pub scored: BTreeMap<SplitName, Vec<Encoded>>,
    /// Seconds of turning rows into token ids.
    pub tokenize_seconds: f64,
    /// Bytes that the training takes at most, if the engine can tell.
    pub planned_memory: Option<u64>,
    /// Operations a second that matrix products reach alone on this machine, if that was measured.
    pub product_rate: Option<f64>,
}

/// Fetches, reads, tokenises and builds. Says how far it is, and what a reader of the log should know.
pub(super) fn prepare(spec: &RunSpec, control: &Control, say: &mut dyn FnMut(Event)) -> Result<Setup> {
    let hub = Hub::from_env();
    let cancelled = control.cancelled();
    let mut watch = |progress: Progress| say(Event::Progress(progress));
    let folder = hub.model(&spec.model, &spec.revision, &mut watch, cancelled)?;
    let mut context = data::LoadContext { hub: &hub, on_progress: &mut watch, cancelled };
    let dataset = data::load(data::DatasetSource::from_spec(spec), &mut context)?;
    let tokenizer = Tokenizer::load(&folder, spec.max_seq_length)?;

    for note in &dataset.notes {
        say(Event::note(note.clone()));
    }
    let labels = dataset.labels.clone();
    let begun = Instant::now();
    let (train, scored) = encode(spec, dataset, &tokenizer, control, say)?;
    let tokenize_seconds = begun.elapsed().as_secs_f64();

    let mut built = nn::build(&Build::of(spec, &folder, &labels.names()))?;
    say(Event::note(built.report.summary()));
    for note in &built.notes {
        say(Event::note(note.clone()));
    }
    let mut planned_memory = None;
    if let Some((note, bytes)) = memory::plan(spec, built.engine.as_mut(), &train)? {
        say(Event::note(note));
        planned_memory = Some(bytes);
    }
    check_vocabulary(&folder, &tokenizer, &built)?;
    let is_cpu = built.device.starts_with("cpu");
    let product_rate = is_cpu.then(|| nn::known_product_rate(&built.precision, spec.threads)).flatten();
    Ok(Setup {
        folder,
        tokenizer,
        built,
        labels,
        train,
        scored,
        tokenize_seconds,
        planned_memory,
        product_rate,
    })
}

/// The rows that `spec` trains on and is scored by: the samples that it asks for are drawn from each split.
pub fn drawn(spec: &RunSpec, dataset: Dataset) -> Dataset {
    let rng = Rng::new(spec.seed, Stream::Sample);
    Dataset {
        train: data::subsample(dataset.train, spec.max_train_samples, &rng, 0),
        validation: validation_rows(spec, dataset.validation),
        mismatched: dataset.mismatched.map(|rows| data::subsample(rows, spec.max_eval_samples, &rng, 4)),
        test: dataset.test.map(|rows| data::subsample(rows, spec.max_eval_samples, &rng, 2)),
        ..dataset
    }
}

/// The rows of the validation split that `spec` is scored on, in their order.
pub fn validation_rows(spec: &RunSpec, split: Vec<data::Example>) -> Vec<data::Example> {
    data::subsample(split, spec.max_eval_samples, &Rng::new(spec.seed, Stream::Sample), 1)
}

/// The tokenised rows to train on, and those of each split to score.
type TokenizedRows = (Vec<Encoded>, BTreeMap<SplitName, Vec<Encoded>>);

/// Draws the samples that the specification asks for and turns rows into token ids.
fn encode(
    spec: &RunSpec,
    dataset: Dataset,
    tokenizer: &Tokenizer,
    control: &Control,
    say: &mut dyn FnMut(Event),
) -> Result<TokenizedRows> {
    let rng = Rng::new(spec.seed, Stream::Sample);
    let dataset = drawn(spec, dataset);
    let train_rows = dataset.train;
    if train_rows.is_empty() || dataset.validation.is_empty() {
        return Err(Error::Training(format!("task {} has no rows to train on or to validate on", spec.task)));
    }
    let mut watch = |progress: Progress| say(Event::Progress(progress));
    let mut encode = |rows: &[data::Example]| tokenizer.encode_batch(rows, &mut watch, control.cancelled());
    let Tokenized { rows: train, truncated } = encode(&train_rows)?;
    let validation = encode(&dataset.validation)?.rows;
    let mismatched = dataset.mismatched.map(|rows| encode(&rows)).transpose()?;
    let test = dataset.test.map(|rows| encode(&rows)).transpose()?;
    if truncated > 0 {
        say(Event::note(format!(
            "{truncated} of {} training rows are longer than {} tokens and were cut",
            train.len(),
            tokenizer.max_length()
        )));
    }

    let limit = spec.max_eval_samples.unwrap_or(usize::MAX).min(SCORED_TRAIN_ROWS);
    let mut chosen = rng.permutation(3, 0, train.len());
    chosen.truncate(limit);
    chosen.sort_unstable();
    if chosen.len() < train.len() {
        say(Event::note(format!(
            "training scores are taken on {} of {} training rows, drawn with the seed",
            chosen.len(),
            train.len()
        )));
    }
    let train_scored = chosen.into_iter().map(|row| train[row].clone()).collect();
    let mut scored = BTreeMap::from([(SplitName::Train, train_scored), (SplitName::Validation, validation)]);
    let others = [(SplitName::ValidationMismatched, mismatched), (SplitName::Test, test)];
    scored.extend(others.into_iter().filter_map(|(split, rows)| Some((split, rows?.rows))));
    Ok((train, scored))
}

fn check_vocabulary(folder: &ModelFolder, tokenizer: &Tokenizer, built: &Built) -> Result<()> {
    let (pieces, rows) = (tokenizer.vocab_size(), built.config.vocab_size);
    if pieces > rows {
        return Err(Error::model(
            &folder.name,
            format!(
                "its tokenizer has {pieces} pieces but its word embeddings only {rows} rows; they do not belong together"
            ),
        ));
    }
    Ok(())
}
