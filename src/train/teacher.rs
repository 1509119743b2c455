//! The teacher of a distillation: where the logits come from that the loss follows too.

use super::control::Control;
use super::evaluate::each_logits;
use crate::catalog::{LabelMap, Labels};
use crate::data::{Example, Tokenizer};
use crate::error::{Error, Result};
use crate::event::{Event, Progress, Unit};
use crate::files::{ModelFolder, expand_home};
use crate::hub::Hub;
use crate::nn::{self, BuildOptions, Engine, OptimizerConfig, read_arrays};
use crate::spec::RunSpec;
use crate::text::plural;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The folder of a run that has its best weights.
const BEST: &str = "best";
/// The tensor of a file of logits.
const LOGITS: &str = "logits";

/// A teacher, found before the training starts.
#[derive(Debug)]
pub enum Teacher {
    /// A fine-tuned model.
    Model(Box<ModelFolder>),
    /// A safetensors file with the tensor `logits`, (training rows, labels), in the order of the task's labels.
    Logits(PathBuf),
}

impl Teacher {
    /// The teacher `name`: a file of logits, the folder of a run, a model folder, or a hub id.
    pub(super) fn find(
        name: &str,
        hub: &Hub,
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Self> {
        let path = expand_home(name);
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            return Ok(Teacher::Logits(path));
        }
        let best = path.join(BEST);
        let folder = if best.is_dir() {
            ModelFolder { name: name.to_owned(), ..ModelFolder::on_disk(best) }
        } else {
            hub.model(name, "main", on_progress, cancelled)?
        };
        Ok(Teacher::Model(Box::new(folder)))
    }

    /// The logits of the training rows: (rows, labels), row by row.
    ///
    /// # Errors
    /// [`Error::Usage`] for a teacher that does not predict the labels of the task or has logits of other rows;
    /// [`Error::Interrupted`] if the training is cancelled.
    pub(super) fn logits(
        &self,
        spec: &RunSpec,
        (rows, labels): (&[Example], &Labels),
        control: &Control,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Vec<f32>> {
        match self {
            Teacher::Model(folder) => model_logits(folder, spec, (rows, labels), control, emit),
            Teacher::Logits(path) => stored_logits(path, rows.len(), labels.outputs()),
        }
    }
}

/// Reads the logits of a file.
fn stored_logits(path: &Path, rows: usize, outputs: usize) -> Result<Vec<f32>> {
    let (mut arrays, _) = read_arrays(path)?;
    let problem = match arrays.remove(LOGITS) {
        Some(array) if array.shape == [rows, outputs] => return Ok(array.data),
        Some(array) => format!(
            "has the shape {:?}; expected {:?}, a row for each training row",
            array.shape,
            [rows, outputs]
        ),
        None => "is missing".to_owned(),
    };
    Err(Error::data(path, None, format!("tensor {LOGITS} {problem}")))
}

/// Computes the logits of a model with its own tokenizer.
fn model_logits(
    folder: &ModelFolder,
    spec: &RunSpec,
    (examples, labels): (&[Example], &Labels),
    control: &Control,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<f32>> {
    let names = labels.names();
    let no_label_map = LabelMap::default();
    let options = BuildOptions {
        label_map: Some(&no_label_map),
        optimizer: OptimizerConfig::default(),
        classifier_dropout: None,
        ..BuildOptions::from_spec(spec, folder, (&names, labels.problem_type()))
    };
    let mut built = nn::build(&options)?;
    if !built.report.missing.is_empty() {
        return Err(Error::Usage(format!(
            "teacher {} does not predict the labels of the task ({}); use a model that is fine-tuned for them",
            folder.name,
            names.join(", ")
        )));
    }
    emit(Event::note(format!("the teacher is {}, on {}", folder.name, built.device)));
    let tokenizer = Tokenizer::load(folder, spec.max_seq_length)?;
    let mut watch = |progress: Progress| emit(Event::Progress(progress));
    let rows = tokenizer.encode_batch(examples, &mut watch, control.cancelled())?.rows;
    let outputs = labels.outputs();
    let mut all = vec![0.0; rows.len() * outputs];
    let mut on_batch = |_: &mut dyn Engine, done: usize| {
        emit(Event::Progress(Progress {
            what: "computing the logits of the teacher".into(),
            done: done as u64,
            total: Some(rows.len() as u64),
            unit: Unit::Rows,
        }));
        Ok(!control.is_cancelled())
    };
    let mut on_logits = |row: usize, logits: &[f32]| {
        all[row * outputs..(row + 1) * outputs].copy_from_slice(logits);
        Ok(())
    };
    let batch_size = spec.per_device_eval_batch_size;
    if !each_logits(built.engine.as_mut(), &rows, batch_size, &mut on_batch, &mut on_logits)? {
        return Err(Error::Interrupted("cancelled while the teacher computed its logits".into()));
    }
    if let Some(row) = all.iter().position(|logit| !logit.is_finite()).map(|index| index / outputs) {
        let text = plural(row + 1, "row");
        return Err(Error::Usage(format!(
            "teacher {} has logits that are not finite within the first {text}",
            folder.name
        )));
    }
    Ok(all)
}
