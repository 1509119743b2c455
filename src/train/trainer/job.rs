//! What to train and where.

use crate::event::Change;
use crate::spec::RunSpec;
use crate::train::attempt::Attempt;
use crate::train::trial_scheduler::TrialScheduler;
use std::path::Path;

/// One training: one specification, one seed, one folder.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The specification; its `repeats` is ignored.
    pub spec: &'a RunSpec,
    /// The run directory. The training resumes from the newest checkpoint in it.
    pub dir: &'a Path,
    /// The changes of the settings in the log, in the order of their steps. Those that are not in the checkpoint
    /// are replayed at their steps.
    pub replayed_changes: &'a [Change],
    /// The file of the probes, which are evaluated after the validation split.
    pub probes_file: &'a Path,
    /// The attempt that this training is, if the run counts them. The training ends when a later one has started.
    pub attempt: Option<&'a Attempt>,
    /// Decides after each scheduled evaluation whether the training continues, if it is a trial of a scheduled sweep.
    pub scheduler: Option<&'a dyn TrialScheduler>,
}
