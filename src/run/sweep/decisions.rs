//! `decisions.jsonl` of a sweep directory: what its scheduler has seen and decided. The order of the lines is the order
//! of the decisions: each follows from the lines before it.

use super::asha::{Rung, is_promoted};
use crate::catalog::Metric;
use crate::error::{Error, Result};
use crate::files::{open_append, open_regular};
use crate::run::file_lock;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Seconds since 1970.
    pub time: f64,
    /// What was decided.
    #[serde(flatten)]
    pub kind: DecisionKind,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DecisionKind {
    /// The sweep has this many trials: when it was created, and when it was extended.
    Trials {
        /// The number of trials.
        trials: u64,
    },
    /// A trial has reported its result at a rung.
    Result {
        /// The number of the trial.
        trial: u64,
        /// The rung, from 0.
        rung: u32,
        /// Optimizer steps done.
        step: u64,
        /// The value of the metric; absent if it is not a number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        /// Its place among the results at the rung, from 1.
        rank: usize,
        /// The number of results at the rung, with this one.
        results: usize,
        /// Whether the trial continues; otherwise it is paused.
        continues: bool,
        /// Whether this was the last evaluation of the trial, which then continues whatever its result is.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        last: bool,
    },
    /// A paused trial continues beyond a rung.
    Promoted {
        /// The number of the trial.
        trial: u64,
        /// The rung, from 0.
        rung: u32,
    },
    /// A trial of a sweep of tasks is not trained, because its data are missing.
    Skipped {
        /// The number of the trial.
        trial: u64,
        /// A sentence without a full stop.
        reason: String,
    },
    /// A trial that was skipped is to be trained: its data are no longer missing.
    Retried {
        /// The number of the trial.
        trial: u64,
    },
}

/// The log of decisions, locked against all other processes.
#[derive(Debug)]
pub(super) struct DecisionLog {
    file: File,
    path: PathBuf,
    decisions: Vec<Decision>,
}

impl DecisionLog {
    /// Locks and reads the log `path`. Waits up to five seconds for other processes.
    ///
    /// # Errors
    /// When another process holds the lock, or the file cannot be used.
    pub(super) fn lock(path: &Path) -> Result<DecisionLog> {
        let file = open_append(path).map_err(Error::writing(path))?;
        file_lock::lock(&file, path)?;
        let (bytes, complete) = read(path)?;
        // A process that was killed can leave an incomplete last line.
        if complete < bytes.len() {
            file.set_len(complete as u64).map_err(Error::writing(path))?;
        }
        let decisions = parse(bytes.get(..complete).unwrap_or_default());
        Ok(DecisionLog { file, path: path.to_path_buf(), decisions })
    }

    /// The decisions.
    pub(super) fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Appends a decision, which is on disk afterwards.
    ///
    /// # Errors
    /// [`Error::Write`] when it cannot be written.
    pub(super) fn append(&mut self, kind: DecisionKind) -> Result<()> {
        let decision = Decision { time: crate::event::now(), kind };
        let mut line = serde_json::to_vec(&decision).map_err(|e| Error::writing(&self.path)(e.into()))?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(Error::writing(&self.path))?;
        self.decisions.push(decision);
        Ok(())
    }
}

/// The decisions in the log `path`, without its lock; none if it does not exist.
///
/// # Errors
/// [`Error::Read`] when it cannot be read.
pub(super) fn read_decisions(path: &Path) -> Result<Vec<Decision>> {
    let (bytes, complete) = read(path)?;
    Ok(parse(bytes.get(..complete).unwrap_or_default()))
}

/// The bytes of the log, and the length of its complete lines.
fn read(path: &Path) -> Result<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    match open_regular(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => drop(read.map_err(Error::reading(path))?),
    }
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    Ok((bytes, complete))
}

/// Lines of a kind that is not known are skipped.
fn parse(bytes: &[u8]) -> Vec<Decision> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The rungs after `decisions`.
pub(super) fn rungs(decisions: &[Decision]) -> Vec<Rung> {
    let mut rungs = Vec::new();
    for decision in decisions {
        apply(&mut rungs, &decision.kind);
    }
    rungs
}

fn apply(rungs: &mut Vec<Rung>, kind: &DecisionKind) {
    match *kind {
        DecisionKind::Trials { .. } | DecisionKind::Skipped { .. } | DecisionKind::Retried { .. } => {}
        DecisionKind::Result { trial, rung, value, continues, .. } => {
            let Some(rung) = rung_mut(rungs, rung) else { return };
            rung.results.push((trial, value.unwrap_or(f64::NAN)));
            if continues {
                rung.promoted.insert(trial);
            }
        }
        DecisionKind::Promoted { trial, rung } => {
            if let Some(rung) = rung_mut(rungs, rung) {
                rung.promoted.insert(trial);
            }
        }
    }
}

/// The rung with that number. More rungs than a u64 has bits are damage.
pub(super) fn rung_mut(rungs: &mut Vec<Rung>, number: u32) -> Option<&mut Rung> {
    let number = usize::try_from(number).ok().filter(|number| *number < 64)?;
    if rungs.len() <= number {
        rungs.resize_with(number + 1, Rung::default);
    }
    rungs.get_mut(number)
}

/// The trials that are paused: whose newest result was not good enough, and that were not promoted since.
pub(super) fn paused(decisions: &[Decision]) -> BTreeSet<u64> {
    let mut paused = BTreeSet::new();
    for decision in decisions {
        match decision.kind {
            DecisionKind::Result { trial, continues: false, .. } => drop(paused.insert(trial)),
            DecisionKind::Result { trial, .. } | DecisionKind::Promoted { trial, .. } => {
                paused.remove(&trial);
            }
            DecisionKind::Trials { .. } | DecisionKind::Skipped { .. } | DecisionKind::Retried { .. } => {}
        }
    }
    paused
}

/// The trials that were promoted after a pause and not paused since: another process than that of their own job trains them.
pub(super) fn promoted(decisions: &[Decision]) -> BTreeSet<u64> {
    let mut promoted = BTreeSet::new();
    for decision in decisions {
        match decision.kind {
            DecisionKind::Promoted { trial, .. } => drop(promoted.insert(trial)),
            DecisionKind::Result { trial, continues: false, .. } => drop(promoted.remove(&trial)),
            DecisionKind::Result { .. }
            | DecisionKind::Trials { .. }
            | DecisionKind::Skipped { .. }
            | DecisionKind::Retried { .. } => {}
        }
    }
    promoted
}

/// The trials that are skipped, each with its reason.
pub(super) fn skipped(decisions: &[Decision]) -> BTreeMap<u64, String> {
    let mut skipped = BTreeMap::new();
    for decision in decisions {
        match &decision.kind {
            DecisionKind::Skipped { trial, reason } => drop(skipped.insert(*trial, reason.clone())),
            DecisionKind::Retried { trial } => drop(skipped.remove(trial)),
            DecisionKind::Trials { .. } | DecisionKind::Result { .. } | DecisionKind::Promoted { .. } => {}
        }
    }
    skipped
}

/// The trials that are not trained although they are neither finished nor failed.
#[derive(Debug, Default)]
pub(super) struct Inactive {
    /// Those that the scheduler has paused.
    pub(super) paused: BTreeSet<u64>,
    /// Those that are skipped, each with its reason.
    pub(super) skipped: BTreeMap<u64, String>,
}

impl Inactive {
    pub(super) fn of(decisions: &[Decision]) -> Inactive {
        Inactive { paused: paused(decisions), skipped: skipped(decisions) }
    }
}

/// The first decision that does not follow from the lines before it by the rule of ASHA, as the index of its line. A
/// trial continues beyond its last evaluation whatever its result is, and one is promoted when no result can come.
pub fn first_deviation(decisions: &[Decision], metric: Metric, reduction_factor: u64) -> Option<usize> {
    let mut rungs = Vec::new();
    decisions.iter().position(|decision| {
        apply(&mut rungs, &decision.kind);
        let of = |rung: u32| usize::try_from(rung).ok().and_then(|rung| rungs.get(rung));
        match decision.kind {
            // At the first rung, trials are paused until all have started.
            DecisionKind::Trials { .. }
            | DecisionKind::Skipped { .. }
            | DecisionKind::Retried { .. }
            | DecisionKind::Result { last: true, .. }
            | DecisionKind::Result { rung: 0, continues: false, .. } => false,
            DecisionKind::Result { trial, rung, continues, .. } => {
                of(rung).is_none_or(|rung| is_promoted(rung, trial, metric, reduction_factor) != continues)
            }
            DecisionKind::Promoted { trial, rung } => {
                let follows = |rung: &Rung| {
                    is_promoted(rung, trial, metric, reduction_factor) || rung.promoted.len() == 1
                };
                of(rung).is_none_or(|rung| !follows(rung))
            }
        }
    })
}
