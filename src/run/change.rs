//! Changes during a run: a new learning rate, a new length, pauses.

use crate::event::{Command, TrainingSettings};
use crate::format;

/// A change during a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunChange {
    /// Optimizer steps done before it.
    pub step: u64,
    /// What changed.
    pub kind: RunChangeKind,
}

/// What changed during a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RunChangeKind {
    /// `learning_rate`, which the schedule scales: its old and its new value.
    LearningRate(f64, f64),
    /// The optimizer steps of the whole run: their old and their new number.
    TotalSteps(u64, u64),
    /// The training was paused.
    Paused,
    /// The training continued after a pause.
    Resumed,
}

impl RunChangeKind {
    /// The change in a few words, with `arrow` between the old and the new value.
    pub fn describe(self, arrow: &str) -> String {
        match self {
            RunChangeKind::LearningRate(before, after) => {
                format!("learning rate {} {arrow} {}", format::real(before), format::real(after))
            }
            RunChangeKind::TotalSteps(before, after) => {
                format!("{} {arrow} {} steps", format::count(before), format::count(after))
            }
            RunChangeKind::Paused => "paused".into(),
            RunChangeKind::Resumed => "resumed".into(),
        }
    }
}

/// What `command` changed, if anything: `before` are the settings until then, `after` those that the run reported.
pub(super) fn changed(
    command: Command,
    before: TrainingSettings,
    after: Option<TrainingSettings>,
) -> Vec<RunChangeKind> {
    let mut kinds = Vec::new();
    match command {
        Command::Pause => kinds.push(RunChangeKind::Paused),
        Command::Resume => kinds.push(RunChangeKind::Resumed),
        _ => {}
    }
    if let Some(after) = after {
        if after.learning_rate != before.learning_rate {
            kinds.push(RunChangeKind::LearningRate(before.learning_rate, after.learning_rate));
        }
        if after.total_steps != before.total_steps {
            kinds.push(RunChangeKind::TotalSteps(before.total_steps, after.total_steps));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_effect_changes_nothing() {
        let before = TrainingSettings { learning_rate: 1e-4, total_steps: 100 };
        assert_eq!(changed(Command::Halve, before, Some(before)), []);
        assert_eq!(changed(Command::Eval, before, None), []);
        let halved = TrainingSettings { learning_rate: 5e-5, total_steps: 100 };
        assert_eq!(changed(Command::Halve, before, Some(halved)), [RunChangeKind::LearningRate(1e-4, 5e-5)]);
        let shorter = TrainingSettings { total_steps: 80, ..before };
        assert_eq!(
            changed(Command::MaxSteps(80), before, Some(shorter)),
            [RunChangeKind::TotalSteps(100, 80)]
        );
        assert_eq!(changed(Command::Pause, before, None), [RunChangeKind::Paused]);
        let text = RunChangeKind::LearningRate(1e-4, 5e-5).describe("->");
        assert_eq!(text, "learning rate 1e-4 -> 5e-5");
        assert_eq!(RunChangeKind::TotalSteps(1000, 800).describe("to"), "1,000 to 800 steps");
    }
}
