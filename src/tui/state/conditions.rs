//! Evaluation of the conditions of key bindings.

use super::app::App;
use super::popup::Popup;
use super::runs::{ListLine, can_resume};
use crate::data::Preview;
use crate::run::history::Phase;
use crate::tui::keymap::Condition;
use crate::tui::layout;
use crate::tui::screen::Screen;

impl App {
    /// Whether `condition` holds.
    pub fn holds(&self, condition: Condition) -> bool {
        let has_queue = || !self.runs.queue.list.entries.is_empty();
        let has_run = || self.shown_run().is_some();
        let is_resumable = || self.runs.run().is_some_and(can_resume);
        let is_paused = || self.controllable_run().is_some_and(|run| run.newest().phase == Phase::Paused);
        match condition {
            Condition::Always => true,
            Condition::OnExperiment => self.runs.experiment().is_some(),
            Condition::OnRun => self.runs.run().is_some(),
            Condition::OnReadableRun => self.runs.run().is_some_and(|run| run.problem.is_none()),
            Condition::OnResumableRun => is_resumable(),
            Condition::OnScoredRun => self.runs.run().is_some_and(|run| run.best.is_some()),
            Condition::OnQueueEntry => matches!(self.runs.line(), Some(ListLine::Queued(_))),
            Condition::OnWaitingEntry => {
                matches!(self.runs.line(), Some(ListLine::Queued(entry)) if !entry.is_started)
            }
            Condition::OnStartedEntry => {
                matches!(self.runs.line(), Some(ListLine::Queued(entry)) if entry.is_started)
            }
            Condition::CanEnqueue => self.runs.experiment().is_some() || is_resumable(),
            Condition::IsQueueHeld => has_queue() && self.runs.queue.list.is_held,
            Condition::IsQueueReleased => has_queue() && !self.runs.queue.list.is_held,
            Condition::IsControllable => self.controllable_run().is_some(),
            Condition::IsPaused => is_paused(),
            Condition::IsRunning => self.controllable_run().is_some() && !is_paused(),
            Condition::CanLeaveLive => self.viewed.is_some() || self.screen == Screen::Live,
            Condition::HasSeeds => self.shown_run().is_some_and(|run| run.seeds.len() > 1),
            Condition::HasOneChart => has_run() && (self.live.is_full || self.size.0 < layout::LIVE_WIDE),
            Condition::IsFullChart => self.live.is_full,
            Condition::HasPanes => has_run() && !self.live.is_full,
            Condition::HasChart if self.screen == Screen::Compare => !self.compare.marks.is_empty(),
            Condition::HasChart | Condition::HasRun => has_run(),
            Condition::HasPastRuns => !self.runs.runs.is_empty(),
            Condition::OnComparedRun => self.compare.has_rows(&self.runs.runs),
            Condition::HasMarks => !self.compare.marks.is_empty(),
            Condition::HasMarkedSeeds => self.compare.has_seeds(self.training.as_ref()),
            Condition::HasOnePane => self.size.0 < layout::COMPARE_SIDE_BY_SIDE,
            Condition::HasPredictions => self.insight.has_rows(),
            Condition::HasMatrix => self.insight.has_matrix(),
            Condition::HasInsightSeeds => self.insight.has_seeds(),
            Condition::OnRowWithText => self.insight.is_on_text(),
            Condition::IsTextPair => self.infer.is_pair(),
            Condition::IsLiveModel => self.infer.is_live(),
            Condition::HasOneDataPane => !layout::has_data_rows(self.size),
            Condition::HasFreeColumns => self.open.preview().is_some_and(Preview::has_free_roles),
            Condition::HasPaths => {
                matches!(&self.popup, Some(Popup::Choice(choice)) if choice.paths.is_some())
            }
            Condition::IsHelp => matches!(self.popup, Some(Popup::Help(_))),
        }
    }
}
