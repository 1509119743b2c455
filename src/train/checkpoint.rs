//! Checkpoints: the state of the engine and of the loop in `checkpoints/step-000268/`, from which a training
//! resumes bit for bit. They are written atomically and with digests, so that damage is found: a training resumes from
//! the newest checkpoint that is intact.

use super::best::Best;
use super::plan::Plan;
use super::running_scores::RunningScores;
use crate::catalog::Metric;
use crate::error::{Error, Result, is_disk_full};
use crate::event::{Change, Scores, SplitName, Usage};
use crate::files::{
    check_digests, read_regular_to_string, retry_while_full, write_digests, write_dir_atomic,
};
use crate::nn::{
    Engine, EngineState, ParamState, TensorSource, Weights, read_arrays, read_arrays_with_prefix,
    write_tensors,
};
use crate::spec::RunSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FOLDER: &str = "checkpoints";
const ARRAYS: &str = "state.safetensors";
/// TOML, because its reader gives back each f64 bit for bit.
const LOOP: &str = "loop.toml";
/// The prefix of the tensors of each part of an engine state.
const PARTS: [(ParamState, &str); 5] = [
    (ParamState::Weight, "weights."),
    (ParamState::FirstMoment, "first."),
    (ParamState::SecondMoment, "second."),
    (ParamState::Average, "average."),
    (ParamState::Adapter, "adapters."),
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
    /// The latest scores of averaged weights on the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_validation: Option<Scores>,
    /// The scores of the training rows in the epoch of the last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_scores: Option<RunningScores>,
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

/// Which checkpoints a training keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retention {
    /// The checkpoints that are averaged at the end: the last of those that the plan schedules. Others, which a command or a
    /// stop has written, are not averaged, so that a resumed training averages the same ones.
    pub averaged: Option<(usize, Plan)>,
}

impl Retention {
    /// That of a training of `spec`.
    pub(super) fn of(spec: &RunSpec, plan: Plan) -> Self {
        Retention { averaged: spec.average_checkpoints.map(|count| (count, plan)) }
    }

    /// The checkpoints to average after `step` steps, oldest first.
    pub(super) fn averaged(&self, dir: &Path, step: u64) -> Vec<(u64, PathBuf)> {
        let Some((count, plan)) = self.averaged else { return Vec::new() };
        let mut scheduled = list(dir);
        scheduled.retain(|(at, _)| *at <= step && plan.is_save_due(*at));
        scheduled.split_off(scheduled.len().saturating_sub(count))
    }
}

/// The weights in the checkpoint of `folder`.
///
/// # Errors
/// The checkpoint is damaged.
pub(super) fn read_weights(folder: &Path) -> Result<Weights> {
    check_digests(folder)?;
    read_arrays_with_prefix(&folder.join(ARRAYS), PARTS[0].1)
}

/// Path of the checkpoint of `step`, relative to the run directory.
pub(super) fn relative_path(step: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("step-{step:06}"))
}

/// The tensors of an engine that a checkpoint contains.
pub(super) fn tensors(engine: &dyn Engine) -> Vec<TensorSource<'_>> {
    let parts = PARTS.iter().filter(|(part, _)| *part != ParamState::Average || engine.has_average());
    parts.flat_map(|(part, prefix)| TensorSource::from_engine(engine, *part, prefix)).collect()
}

/// Writes a checkpoint of [`tensors`] and removes those that `retention` does not keep. `intact` is the step of the checkpoint that the
/// training wrote or resumed from last. Returns the size in bytes.
///
/// # Errors
/// The error of a tensor, or [`Error::Write`] with the file that cannot be written. The checkpoint of `intact` is
/// unchanged.
pub(super) fn save(
    dir: &Path,
    state: &LoopState,
    tensors: &[TensorSource<'_>],
    intact: Option<u64>,
    retention: Retention,
) -> Result<u64> {
    let folder = dir.join(FOLDER);
    // Without its parents: the run directory is not created again where it was before it was moved.
    match std::fs::create_dir(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::writing(&folder)(error)),
        _ => {}
    }
    let path = dir.join(relative_path(state.step));
    let write = || retry_while_full(|| write_dir_atomic(&path, |folder| write(folder, state, tensors)));
    let bytes = match write() {
        Err(Error::Write { source, .. }) if is_disk_full(&source) && make_space(dir, intact)? => write()?,
        written => written?,
    };
    // The training did not resume from the others that are later than `intact`, because they are damaged.
    for (step, path) in list(dir) {
        if Some(step) > intact && step != state.step {
            std::fs::remove_dir_all(&path).map_err(Error::writing(&path))?;
        }
    }
    remove_outdated(dir, state.step, retention)?;
    Ok(bytes)
}

/// Removes all but the newest few checkpoints up to `step` and those that are to be averaged. Also called when a training resumes, because a process that
/// was killed may have left too many.
///
/// # Errors
/// [`Error::Write`] with the checkpoint that cannot be removed.
pub(super) fn remove_outdated(dir: &Path, step: u64, retention: Retention) -> Result<()> {
    let earlier = list(dir).into_iter().rev().filter(|(earlier, _)| *earlier <= step);
    let averaged = retention.averaged(dir, step);
    for (_, old) in earlier.skip(SAVE_TOTAL_LIMIT).filter(|checkpoint| !averaged.contains(checkpoint)) {
        std::fs::remove_dir_all(&old).map_err(Error::writing(&old))?;
    }
    Ok(())
}

/// Removes a checkpoint other than that of the step `intact`: the newest, which is damaged if it is later than `intact`.
/// Returns whether there was one.
fn make_space(dir: &Path, intact: Option<u64>) -> Result<bool> {
    let Some((_, path)) = list(dir).into_iter().rev().find(|(step, _)| Some(*step) != intact) else {
        return Ok(false);
    };
    std::fs::remove_dir_all(&path).map_err(Error::writing(&path))?;
    Ok(true)
}

fn write(folder: &Path, state: &LoopState, tensors: &[TensorSource<'_>]) -> Result<()> {
    write_tensors(&folder.join(ARRAYS), tensors, &BTreeMap::new())?;
    let path = folder.join(LOOP);
    let text = toml::to_string(state).map_err(|e| Error::writing(&path)(std::io::Error::other(e)))?;
    std::fs::write(&path, text).map_err(Error::writing(&path))?;
    write_digests(folder)
}

/// The progress of a training at its newest checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointProgress {
    /// Optimizer steps done.
    pub steps: u64,
    /// Seconds of the optimizer steps.
    pub seconds: f64,
    /// The metric for the best model and its best value.
    pub best: Option<(Metric, f64)>,
    /// Total number of optimizer steps, if the checkpoint has it.
    pub total_steps: Option<u64>,
    /// Changes of the settings, oldest first.
    pub changes: Vec<Change>,
}

/// The progress at the newest checkpoint of the run directory `dir`, if it has one. Reads no weights.
pub fn checkpoint_progress(dir: &Path) -> Option<CheckpointProgress> {
    let state = list(dir).into_iter().rev().find_map(|(_, folder)| read_loop(&folder).ok())?;
    let best = state.best.map(|best| (best.metric, best.value));
    let LoopState { step: steps, train_seconds: seconds, total_steps, changes, .. } = state;
    Some(CheckpointProgress { steps, seconds, best, total_steps, changes })
}

fn read_loop(folder: &Path) -> Result<LoopState> {
    let path = folder.join(LOOP);
    let text = read_regular_to_string(&path).map_err(Error::reading(&path))?;
    toml::from_str(&text).map_err(|e| Error::data(&path, None, e.message()))
}

/// A checkpoint that a training can resume from.
#[derive(Debug, PartialEq)]
pub(super) struct Restored {
    /// The state of the loop.
    pub state: LoopState,
    /// A sentence about each newer checkpoint that is damaged.
    pub skipped: Vec<String>,
}

/// Passes the newest intact checkpoint of the run directory `dir` to `restore`; `None` if the run has no checkpoint.
///
/// # Errors
/// [`Error::Data`] if all checkpoints are damaged, and errors of the device.
pub(super) fn restore_newest(
    dir: &Path,
    restore: &mut dyn FnMut(&EngineState) -> Result<()>,
) -> Result<Option<Restored>> {
    let mut skipped = Vec::new();
    for (step, folder) in list(dir).into_iter().rev() {
        let restored = load(&folder, step).and_then(|(state, engine)| restore(&engine).map(|()| state));
        match restored {
            Ok(state) => return Ok(Some(Restored { state, skipped })),
            Err(error @ Error::Device(_)) => return Err(error),
            Err(error) => {
                skipped.push(format!("the checkpoint of step {step} is damaged and skipped: {error}"));
            }
        }
    }
    if skipped.is_empty() {
        return Ok(None);
    }
    let problem = format!("has no intact checkpoint; delete it to start from step 0: {}", skipped.join("; "));
    Err(Error::data(dir.join(FOLDER), None, problem))
}

/// The checkpoint of `step` in `folder`.
fn load(folder: &Path, step: u64) -> Result<(LoopState, EngineState)> {
    check_digests(folder)?;
    let state = read_loop(folder)?;
    if state.step != step {
        return Err(Error::data(folder.join(LOOP), None, format!("is of step {}", state.step)));
    }
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
            ParamState::Average => &mut engine.average,
            ParamState::Adapter => &mut engine.adapters,
        };
        tensors.insert(tensor.to_string(), array);
    }
    Ok((state, engine))
}

/// The checkpoints of a run directory, oldest first.
fn list(dir: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir.join(FOLDER)) else { return Vec::new() };
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
    use crate::nn::Array;

    fn engine(value: f32) -> EngineState {
        let arrays =
            |x| Weights::from([("a.weight".to_string(), Array { shape: vec![2], data: vec![x, -x] })]);
        EngineState {
            adapters: Weights::new(),
            weights: arrays(value),
            first_moments: arrays(value * 0.1),
            second_moments: arrays(f32::MIN_POSITIVE),
            average: arrays(value * 0.5),
            updates: 3,
        }
    }

    fn newest(dir: &Path) -> (LoopState, EngineState) {
        let mut loaded = EngineState::default();
        let restored = restore_newest(dir, &mut |engine| {
            loaded = engine.clone();
            Ok(())
        });
        (restored.unwrap().unwrap().state, loaded)
    }

    fn stored(engine: &EngineState) -> Vec<TensorSource<'_>> {
        let parts = [&engine.weights, &engine.first_moments, &engine.second_moments, &engine.average];
        parts
            .iter()
            .zip(PARTS)
            .flat_map(|(part, (_, prefix))| TensorSource::from_weights(part, prefix))
            .collect()
    }

    #[test]
    fn checkpoints_load_bit_for_bit_and_old_ones_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(restore_newest(dir.path(), &mut |_| Ok(())).unwrap(), None);
        let mut intact = None;
        for step in [5, 10, 1_000_000] {
            let (updates, train_seconds) = (3, step as f64 / 3.0);
            let changes = vec![
                Change { step: 2, command: Command::Halve },
                Change { step: 3, command: Command::LearningRate(1.0 / 3.0) },
            ];
            let state = LoopState { step, updates, train_seconds, changes, ..LoopState::default() };
            save(dir.path(), &state, &stored(&engine(step as f32 / 3.0)), intact, Retention::default())
                .unwrap();
            intact = Some(step);
        }
        let (state, loaded) = newest(dir.path());
        assert_eq!((state.step, state.updates, state.train_seconds), (1_000_000, 3, 1_000_000.0 / 3.0));
        assert_eq!(state.changes[1].command, Command::LearningRate(1.0 / 3.0));
        assert_eq!((state.changes.len(), state.changes[0].step), (2, 2));
        assert_eq!(loaded, engine(1_000_000.0 / 3.0));
        let steps = || list(dir.path()).iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert_eq!(steps(), [10, 1_000_000]);
        std::fs::create_dir(dir.path().join(relative_path(7))).unwrap();
        remove_outdated(dir.path(), 10, Retention::default()).unwrap();
        assert_eq!(steps(), [7, 10, 1_000_000]);
        remove_outdated(dir.path(), 1_000_000, Retention::default()).unwrap();
        assert_eq!(steps(), [10, 1_000_000]);
    }

    #[test]
    fn an_incomplete_checkpoint_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let state = LoopState { step: 4, ..LoopState::default() };
        save(dir.path(), &state, &stored(&engine(1.0)), None, Retention::default()).unwrap();
        std::fs::create_dir(dir.path().join("checkpoints/.step-000008.new")).unwrap();
        assert_eq!(newest(dir.path()).0.step, 4);
    }

    #[test]
    fn damaged_checkpoints_are_skipped_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let save = |step: u64, intact: Option<u64>| {
            let state = LoopState { step, ..LoopState::default() };
            save(dir.path(), &state, &stored(&engine(step as f32)), intact, Retention::default()).unwrap();
        };
        let path = |step: u64, file: &str| dir.path().join(relative_path(step)).join(file);
        save(4, None);
        save(8, Some(4));
        let arrays = std::fs::read(path(8, ARRAYS)).unwrap();
        let flipped = |at: usize| {
            let mut bytes = arrays.clone();
            bytes[at] ^= 1;
            bytes
        };
        // The last bytes are those of a moment, which every reader of the format accepts.
        for bytes in [flipped(arrays.len() - 1), flipped(0), arrays[..arrays.len() / 2].to_vec(), Vec::new()]
        {
            std::fs::write(path(8, ARRAYS), bytes).unwrap();
            let restored = restore_newest(dir.path(), &mut |_| Ok(())).unwrap().unwrap();
            assert_eq!((restored.state.step, restored.skipped.len()), (4, 1));
            let note = &restored.skipped[0];
            assert!(note.contains("step 8") && note.contains("state.safetensors: is damaged"), "{note}");
        }
        save(9, Some(4));
        let steps = || list(dir.path()).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(steps(), [4, 9], "what was skipped is removed by the next checkpoint");
        std::fs::write(path(9, ARRAYS), "").unwrap();
        std::fs::remove_file(path(4, LOOP)).unwrap();
        let error = restore_newest(dir.path(), &mut |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("no intact checkpoint") && error.contains("loop.toml: is missing"), "{error}");
        save(6, None);
        assert_eq!(steps(), [6], "a training from step 0 resumes from none of them");
        // Checkpoints of earlier versions have no digests.
        std::fs::remove_file(path(6, crate::files::DIGESTS)).unwrap();
        assert_eq!(newest(dir.path()).0.step, 6);
    }

    #[test]
    fn newest_intact_checkpoint_is_never_removed_to_make_space() {
        let dir = tempfile::tempdir().unwrap();
        for step in [4, 8, 12] {
            std::fs::create_dir_all(dir.path().join(relative_path(step))).unwrap();
        }
        let steps = || list(dir.path()).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        // The training has resumed from step 8 because step 12 is damaged.
        for expected in [vec![4, 8], vec![8]] {
            assert!(make_space(dir.path(), Some(8)).unwrap());
            assert_eq!(steps(), expected);
        }
        assert!(!make_space(dir.path(), Some(8)).unwrap());
        assert_eq!(steps(), [8]);
        // It has resumed from step 4, and writes the damaged one of step 8 again.
        std::fs::create_dir(dir.path().join(relative_path(4))).unwrap();
        assert!(make_space(dir.path(), Some(4)).unwrap());
        assert_eq!(steps(), [4]);
    }

    #[test]
    fn checkpoint_that_does_not_fit_the_engine_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        for (step, intact) in [(4, None), (8, Some(4))] {
            let state = LoopState { step, ..LoopState::default() };
            save(dir.path(), &state, &stored(&engine(step as f32)), intact, Retention::default()).unwrap();
        }
        let mut attempts = 0;
        let restored = restore_newest(dir.path(), &mut |_| {
            attempts += 1;
            if attempts == 1 { Err(Error::model("m", "has another shape")) } else { Ok(()) }
        });
        assert_eq!(restored.unwrap().unwrap().state.step, 4);
        let lost = restore_newest(dir.path(), &mut |_| Err(Error::Device("lost".into())));
        assert!(matches!(lost, Err(Error::Device(_))), "the device is at fault, not the file");
    }
}
