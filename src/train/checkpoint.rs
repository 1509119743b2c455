//! Checkpoints: the state of the engine and of the loop in `checkpoints/step-000268/`, from which a training
//! resumes bit for bit. They are written atomically.

use super::best::Best;
use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::event::{Change, Scores, SplitName, Usage};
use crate::files::write_dir_atomic;
use crate::nn::{Engine, EngineState, ParamState, TensorSource, read_arrays, write_tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ARRAYS: &str = "state.safetensors";
/// TOML, because its reader gives back each f64 bit for bit.
const LOOP: &str = "loop.toml";
/// The prefix of the tensors of each part of an engine state.
const PARTS: [(ParamState, &str); 3] = [
    (ParamState::Weight, "weights."),
    (ParamState::FirstMoment, "first."),
    (ParamState::SecondMoment, "second."),
];
/// Number of checkpoints that are kept, as `save_total_limit` of Transformers.
const SAVE_TOTAL_LIMIT: usize = 2;

/// The state of the loop. It has no generator state: the order of examples and the dropout masks are functions
/// of the seed and the step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LoopState {
    /// Optimizer steps done.
    pub step: u64,
    /// AdamW updates done.
    pub updates: u64,
    /// Step of the last scheduled evaluation.
    pub scored_at: Option<u64>,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// Evaluations since the best one, for early stopping.
    pub evals_without_improvement: u64,
    /// Scores before any training.
    pub before: BTreeMap<SplitName, Scores>,
    /// The latest scores.
    pub latest: BTreeMap<SplitName, Scores>,
    /// Seconds of the optimizer steps.
    pub train_seconds: f64,
    /// Seconds of evaluations.
    #[serde(default)]
    pub scoring_seconds: f64,
    /// Examples trained on.
    pub examples: u64,
    /// Tokens trained on.
    pub tokens: u64,
    /// Changes of the settings, oldest first. The learning rate and the number of steps are functions of the
    /// specification and of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The total number of steps, for lists of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<u64>,
    /// Time, tokens and operations.
    #[serde(default)]
    pub usage: Usage,
}

/// Path of the checkpoint of `step`, relative to the run directory.
pub(super) fn relative_path(step: u64) -> PathBuf {
    Path::new("checkpoints").join(format!("step-{step:06}"))
}

/// The tensors of an engine that a checkpoint contains.
pub(super) fn tensors(engine: &dyn Engine) -> Vec<TensorSource<'_>> {
    PARTS.iter().flat_map(|(part, prefix)| TensorSource::from_engine(engine, *part, prefix)).collect()
}

/// Writes a checkpoint of [`tensors`] and removes all but the newest few. Returns its size in bytes.
pub(super) fn save(dir: &Path, state: &LoopState, tensors: &[TensorSource<'_>]) -> Result<u64> {
    let bytes = write_dir_atomic(&dir.join(relative_path(state.step)), |folder| {
        write_tensors(&folder.join(ARRAYS), tensors, &BTreeMap::new())?;
        let path = folder.join(LOOP);
        let text = toml::to_string(state).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
        std::fs::write(&path, text).map_err(Error::writing(&path))
    })?;
    for (_, old) in list(dir).into_iter().rev().skip(SAVE_TOTAL_LIMIT) {
        std::fs::remove_dir_all(&old).map_err(Error::writing(&old))?;
    }
    Ok(bytes)
}

/// The progress of a training at its newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckpointProgress {
    /// Optimizer steps done.
    pub steps: u64,
    /// Seconds of the optimizer steps.
    pub seconds: f64,
    /// The metric for the best model and its best value.
    pub best: Option<(Metric, f64)>,
    /// Total number of optimizer steps, if the checkpoint has it.
    pub total_steps: Option<u64>,
}

/// The progress at the newest checkpoint of the run directory `dir`, if it has one. Reads no weights.
pub fn checkpoint_progress(dir: &Path) -> Option<CheckpointProgress> {
    let (_, folder) = list(dir).pop()?;
    let state = read_loop(&folder).ok()?;
    let best = state.best.map(|best| (best.metric, best.value));
    let LoopState { step: steps, train_seconds: seconds, total_steps, .. } = state;
    Some(CheckpointProgress { steps, seconds, best, total_steps })
}

fn read_loop(folder: &Path) -> Result<LoopState> {
    let path = folder.join(LOOP);
    let text = std::fs::read_to_string(&path).map_err(Error::reading(&path))?;
    toml::from_str(&text).map_err(|e| Error::data(&path, None, e.message()))
}

/// The newest checkpoint of the run directory `dir`, if it has one.
pub(super) fn load_newest(dir: &Path) -> Result<Option<(LoopState, EngineState)>> {
    let Some((_, folder)) = list(dir).pop() else { return Ok(None) };
    let state = read_loop(&folder)?;
    let mut engine = EngineState { updates: state.updates, ..EngineState::default() };
    for (name, array) in read_arrays(&folder.join(ARRAYS))?.0 {
        let found = PARTS.iter().find_map(|(part, prefix)| Some((*part, name.strip_prefix(prefix)?)));
        let Some((part, tensor)) = found else {
            return Err(Error::data(folder.join(ARRAYS), None, format!("contains an unknown tensor {name}")));
        };
        let tensors = match part {
            ParamState::Weight => &mut engine.weights,
            ParamState::FirstMoment => &mut engine.first_moments,
            ParamState::SecondMoment => &mut engine.second_moments,
        };
        tensors.insert(tensor.to_string(), array);
    }
    Ok(Some((state, engine)))
}

/// The checkpoints of a run directory, oldest first.
fn list(dir: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir.join("checkpoints")) else { return Vec::new() };
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Command;
    use crate::nn::{Array, Weights};

    fn engine(value: f32) -> EngineState {
        let arrays =
            |x| Weights::from([("a.weight".to_string(), Array { shape: vec![2], data: vec![x, -x] })]);
        EngineState {
            weights: arrays(value),
            first_moments: arrays(value * 0.1),
            second_moments: arrays(f32::MIN_POSITIVE),
            updates: 3,
        }
    }

    fn stored(engine: &EngineState) -> Vec<TensorSource<'_>> {
        let parts = [&engine.weights, &engine.first_moments, &engine.second_moments];
        parts
            .iter()
            .zip(PARTS)
            .flat_map(|(part, (_, prefix))| TensorSource::from_weights(part, prefix))
            .collect()
    }

    #[test]
    fn checkpoints_load_bit_for_bit_and_old_ones_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_newest(dir.path()).unwrap(), None);
        for step in [5, 10, 1_000_000] {
            let (updates, train_seconds) = (3, step as f64 / 3.0);
            let changes = vec![
                Change { step: 2, command: Command::Halve },
                Change { step: 3, command: Command::LearningRate(1.0 / 3.0) },
            ];
            let state = LoopState { step, updates, train_seconds, changes, ..LoopState::default() };
            save(dir.path(), &state, &stored(&engine(step as f32 / 3.0))).unwrap();
        }
        let (state, loaded) = load_newest(dir.path()).unwrap().unwrap();
        assert_eq!((state.step, state.updates, state.train_seconds), (1_000_000, 3, 1_000_000.0 / 3.0));
        assert_eq!(state.changes[1].command, Command::LearningRate(1.0 / 3.0));
        assert_eq!((state.changes.len(), state.changes[0].step), (2, 2));
        assert_eq!(loaded, engine(1_000_000.0 / 3.0));
        assert_eq!(list(dir.path()).iter().map(|(step, _)| *step).collect::<Vec<_>>(), [10, 1_000_000]);
    }

    #[test]
    fn an_incomplete_checkpoint_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &LoopState { step: 4, ..LoopState::default() }, &stored(&engine(1.0))).unwrap();
        std::fs::create_dir(dir.path().join("checkpoints/.step-000008.new")).unwrap();
        assert_eq!(load_newest(dir.path()).unwrap().unwrap().0.step, 4);
    }
}
