//! Evaluation of the conditions of key bindings.

use super::app::App;
use super::popup::Popup;
use super::runs::{ListLine, can_resume};
use crate::data::Preview;
use crate::run::history::Phase;
use crate::tui::keymap::{Condition, Missing};
use crate::tui::layout;
use crate::tui::screen::Screen;

impl App {
    /// Whether `condition` holds.
    pub fn holds(&self, condition: Condition) -> bool {
        self.holds_on(self.screen, condition)
    }

    /// Whether `condition` holds on a screen, which need not be the current one.
    fn holds_on(&self, screen: Screen, condition: Condition) -> bool {
        let has_queue = || !self.runs.queue.list.entries.is_empty();
        let has_run = || self.shown_run().is_some();
        let is_resumable = || self.runs.run().is_some_and(can_resume);
        let is_paused = || self.controllable_run().is_some_and(|run| run.newest().phase == Phase::Paused);
        match condition {
            Condition::Always => true,
            Condition::OnExperiment => self.runs.experiment().is_some(),
            Condition::OnRun => self.runs.run().is_some(),
            Condition::OnRunElsewhere => self.runs.run().is_some_and(|run| self.is_running_elsewhere(run)),
            Condition::OnReadableRun => self.runs.run().is_some_and(|run| run.problem.is_none()),
            Condition::OnResumableRun => is_resumable(),
            Condition::OnActiveTask => self.runs.has_active_task(),
            Condition::OnScoredRun => self.runs.run().is_some_and(|run| run.best.is_some()),
            Condition::OnSweepLine => matches!(self.runs.line(), Some(ListLine::Sweep(_))),
            Condition::OnSweep => self.runs.sweep_source().is_some(),
            Condition::OnSweepOfTasks => {
                matches!(self.runs.line(), Some(ListLine::Sweep(row)) if row.has_tasks)
            }
            Condition::HasSweep => self.sweep.loaded().is_some(),
            Condition::HasScoreboard => {
                self.sweep.loaded().is_some_and(|loaded| loaded.report.scoreboard.is_some())
            }
            Condition::HasTrialCharts => {
                self.sweep.loaded().is_some_and(|loaded| loaded.report.scoreboard.is_none())
            }
            Condition::OnStartedTrial => self.sweep.trial().is_some_and(|trial| trial.dir.is_some()),
            Condition::HasWinner => self.sweep.loaded().is_some_and(|loaded| loaded.report.best().is_some()),
            Condition::HasSuggestion => self.suggestion().is_some(),
            Condition::OnQueueEntry => matches!(self.runs.line(), Some(ListLine::Queued(_))),
            Condition::OnWaitingEntry => {
                matches!(self.runs.line(), Some(ListLine::Queued(entry)) if !entry.is_started)
            }
            Condition::OnStartedEntry => {
                matches!(self.runs.line(), Some(ListLine::Queued(entry)) if entry.is_started)
            }
            Condition::CanEnqueue => {
                let is_sweep = || self.holds_on(screen, Condition::OnSweepLine);
                self.runs.experiment().is_some() || is_resumable() || is_sweep()
            }
            Condition::HasQueue => has_queue(),
            Condition::IsQueueHeld => has_queue() && self.runs.queue.list.is_held,
            Condition::IsQueueReleased => has_queue() && !self.runs.queue.list.is_held,
            Condition::IsControllable => self.controllable_run().is_some(),
            Condition::IsPaused => is_paused(),
            Condition::IsRunning => self.controllable_run().is_some() && !is_paused(),
            Condition::IsResumable => self.resumable_run().is_some(),
            Condition::IsDiscardable => self.discardable_run().is_some(),
            Condition::CanLeaveLive => self.viewed.is_some() || screen == Screen::Live,
            Condition::HasSeeds => self.shown_run().is_some_and(|run| run.seeds.len() > 1),
            Condition::HasOneChart => has_run() && (self.live.is_full || self.size.0 < layout::LIVE_WIDE),
            Condition::IsFullChart => self.live.is_full,
            Condition::HasPanes => has_run() && !self.live.is_full,
            Condition::HasChart if screen == Screen::Compare => !self.compare.marks.is_empty(),
            Condition::HasChart | Condition::HasRun => has_run(),
            Condition::HasPastRuns => !self.runs.runs.is_empty(),
            Condition::OnComparedRun => self.compare.has_rows(&self.runs.runs),
            Condition::HasMarks => !self.compare.marks.is_empty(),
            Condition::IsUndecided => self.compare.undecided_pair(&self.runs.queue.list).is_some(),
            Condition::HasMarkedSeeds => self.compare.has_seeds(self.training.as_ref()),
            Condition::HasOnePane => self.size.0 < layout::COMPARE_SIDE_BY_SIDE,
            Condition::HasPredictions => self.insight.has_rows(),
            Condition::HasMatrix => self.insight.has_matrix(),
            Condition::HasThresholds => self.insight.has_thresholds(),
            Condition::HasInsightSeeds => self.insight.has_seeds(),
            Condition::OnRowWithText => self.insight.is_on_text(),
            Condition::IsTextPair => self.infer.is_pair(),
            Condition::IsLiveModel => self.infer.is_live(),
            Condition::HasUnscoredProbes => {
                let is_open = self.infer.opened.is_some() && !self.infer.is_live();
                is_open && !self.infer.unscored_probes(self.training.as_ref()).is_empty()
            }
            Condition::HasOneDataPane => !layout::has_data_rows(self.size),
            Condition::HasFreeColumns => self.open.preview().is_some_and(Preview::has_free_roles),
            Condition::HasPaths => {
                matches!(&self.popup, Some(Popup::Choice(choice)) if choice.paths.is_some())
            }
            Condition::IsWorking => self.cancellable_work > 0,
            Condition::IsHelp => matches!(self.popup, Some(Popup::Help(_))),
        }
    }

    /// Why none of `conditions` holds, as a sentence; those of bindings that share a key. `None` if one holds.
    pub fn unmet(&self, conditions: &[Condition]) -> Option<String> {
        self.unmet_on(self.screen, conditions)
    }

    /// As [`App::unmet`], on a screen that need not be the current one.
    pub(in crate::tui) fn unmet_on(&self, screen: Screen, conditions: &[Condition]) -> Option<String> {
        let mut closest: Vec<Missing> = Vec::new();
        let mut most_met = 0;
        for condition in conditions {
            let (met, missing) = self.first_unmet(screen, *condition)?;
            if met > most_met {
                most_met = met;
                closest.clear();
            }
            if met == most_met && !closest.contains(&missing) {
                closest.push(missing);
            }
        }
        let sentence = closest.iter().find_map(|missing| match missing {
            Missing::Sentence(sentence) => Some((*sentence).to_string()),
            Missing::Cursor(_) => None,
        });
        let places = closest.iter().filter_map(|missing| match missing {
            Missing::Cursor(place) => Some(*place),
            Missing::Sentence(_) => None,
        });
        let places: Vec<&str> = places.collect();
        sentence.or_else(|| match places.split_last()? {
            (last, []) => Some(format!("The cursor is not on {last}.")),
            (last, rest) => Some(format!("The cursor is not on {} or {last}.", rest.join(", "))),
        })
    }

    /// How many of the conditions that a condition requires hold, from the most general one, and what is missing;
    /// `None` if the condition holds.
    fn first_unmet(&self, screen: Screen, condition: Condition) -> Option<(usize, Missing)> {
        let mut chain: Vec<Condition> =
            std::iter::successors(Some(condition), |condition| condition.requires()).collect();
        chain.reverse();
        let met = chain.iter().position(|condition| !self.holds_on(screen, *condition))?;
        Some((met, chain[met].missing()))
    }
}
