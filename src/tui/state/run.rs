//! A run with the histories of its seeds, as screens show it.

use crate::catalog::Metric;
use crate::event::{Command, Event, Status};
use crate::run::history::{History, Phase};
use crate::run::{Repeats, RunEvent, RunStatus};
use crate::spec::RunSpec;
use std::path::PathBuf;

/// Seconds in which a run can be discarded after its start.
const DISCARD_SECONDS: f64 = 10.0;

/// Whether a run is discarded: stopped and deleted with all it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// It has a checkpoint, or this process has not created it.
    Never,
    /// The user may do it in the first seconds.
    Possible,
    /// The user has asked for it.
    Requested,
}

/// A run with the histories of its seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Its specification, with all its repeats.
    pub spec: RunSpec,
    /// Its directory.
    pub dir: PathBuf,
    /// The history of each seed that has started.
    pub seeds: Vec<History>,
    /// The index of the seed that is shown; the newest when `None`.
    pub seed: Option<usize>,
    /// Whether this process trains it now.
    pub is_running: bool,
    /// When this process started it, in seconds since 1970.
    pub started_at: f64,
    /// The command that was sent and is not yet acknowledged.
    pub pending_command: Option<Command>,
    /// Whether it is discarded.
    pub discard: Discard,
}

impl RunState {
    /// A run that this process starts.
    pub fn started(spec: RunSpec, dir: PathBuf, now: f64, earlier: Vec<History>) -> Self {
        let discard = if earlier.is_empty() { Discard::Possible } else { Discard::Never };
        let mut run =
            RunState { is_running: true, started_at: now, discard, ..RunState::past(spec, dir, earlier) };
        run.seeds.iter_mut().for_each(History::reopen);
        run
    }

    /// A run that this process does not train.
    pub fn past(spec: RunSpec, dir: PathBuf, seeds: Vec<History>) -> Self {
        let seeds = if seeds.is_empty() { vec![History::default()] } else { seeds };
        RunState {
            spec,
            dir,
            seeds,
            seed: None,
            is_running: false,
            started_at: 0.0,
            pending_command: None,
            discard: Discard::Never,
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.dir.file_name().map_or(self.spec.experiment.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Whether this process trains it now.
    pub fn is_live(&self) -> bool {
        self.is_running
    }

    /// The history of the seed that is shown.
    pub fn history(&self) -> &History {
        &self.seeds[self.seed_index()]
    }

    /// The history of the seed that is trained, or was trained last.
    pub fn newest(&self) -> &History {
        &self.seeds[self.seeds.len() - 1]
    }

    /// The index of the seed that is shown.
    pub fn seed_index(&self) -> usize {
        self.seed.unwrap_or(self.seeds.len() - 1).min(self.seeds.len() - 1)
    }

    /// Whether the user may discard it: in its first seconds, until its first checkpoint.
    pub fn can_discard(&self, now: f64) -> bool {
        self.is_running && self.discard == Discard::Possible && now - self.started_at < DISCARD_SECONDS
    }

    /// Applies an event of the run.
    pub fn apply(&mut self, event: &RunEvent) {
        let is_checkpoint =
            matches!(&event.event, Event::Saved(saved) if saved.path.starts_with("checkpoints"));
        if is_checkpoint && self.discard == Discard::Possible {
            self.discard = Discard::Never;
        }
        let repeat = (event.repeat as usize).min(self.spec.seed_count() as usize);
        while self.seeds.len() <= repeat {
            self.seeds.push(History::default());
        }
        self.seeds[repeat].fold(&event.event);
        if let Event::Command { command, .. } = &event.event
            && self.pending_command == Some(*command)
        {
            self.pending_command = None;
        }
    }

    /// Mean and standard deviation of the best scores of the seeds that have ended.
    pub fn spread(&self) -> Option<(Metric, Repeats)> {
        let ended = self.seeds.iter().filter(|history| history.is_over());
        let best: Vec<_> = ended.filter_map(|history| history.best).collect();
        Some((best.first()?.metric, Repeats::of(best.iter().map(|best| best.value))?))
    }
}

/// The status of a run of `repeats` seeds, of which `seeds` have started; a run whose last seed has ended may still save its
/// results.
pub fn status_of(seeds: &[History], repeats: u64) -> RunStatus {
    let is_trained =
        |seed: &History| matches!(seed.phase, Phase::Preparing | Phase::Training | Phase::Paused);
    // On a cluster, each seed has a process of its own.
    if seeds.iter().any(is_trained) {
        return RunStatus::Running;
    }
    match seeds.last().map(|last| &last.phase) {
        Some(Phase::Ended(Status::Finished, _)) if (seeds.len() as u64) < repeats => RunStatus::Running,
        Some(Phase::Ended(Status::Finished, _)) => RunStatus::Finished,
        Some(Phase::Ended(Status::Stopped, _)) => RunStatus::Stopped,
        Some(Phase::Ended(Status::Failed, _)) => RunStatus::Failed,
        Some(Phase::Preparing | Phase::Training | Phase::Paused) | None => RunStatus::Running,
    }
}
