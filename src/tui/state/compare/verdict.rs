//! The comparison of two marked runs.

use super::CompareState;
use crate::run::comparison::Comparison;
use crate::run::{RunRow, RunStatus};
use std::path::PathBuf;

/// The two runs of a comparison, A and B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPair {
    /// The directory of A.
    pub a: PathBuf,
    /// The directory of B.
    pub b: PathBuf,
}

/// The comparison of a pair, once it is computed.
#[derive(Debug)]
pub struct Verdict {
    /// The pair.
    pub pair: RunPair,
    /// The comparison or the error; `None` until it is computed.
    pub result: Option<Result<Box<Comparison>, String>>,
    /// Number of finished runs when it was requested: a further seed may have changed it.
    finished: usize,
}

impl CompareState {
    /// The pair to compare: the first marked run, and the one under the cursor if it is marked too, or else the second.
    pub fn pair(&self, runs: &[RunRow]) -> Option<RunPair> {
        let a = self.marks.first()?;
        let selected = self.selected_mark(runs).filter(|index| *index > 0);
        let b = self.marks.get(selected.unwrap_or(1))?;
        Some(RunPair { a: a.dir.clone(), b: b.dir.clone() })
    }

    /// Takes note that the pair is to be compared; returns it if that was not requested since a run has finished. Until a newer
    /// result is there, that of the same pair stays.
    pub(in crate::tui) fn request_verdict(&mut self, runs: &[RunRow]) -> Option<RunPair> {
        let Some(pair) = self.pair(runs) else {
            self.verdict = None;
            return None;
        };
        let finished = runs.iter().filter(|run| run.status == RunStatus::Finished).count();
        let known = self.verdict.take().filter(|verdict| verdict.pair == pair);
        let is_current = known.as_ref().is_some_and(|verdict| verdict.finished == finished);
        let result = known.and_then(|verdict| verdict.result);
        self.verdict = Some(Verdict { pair: pair.clone(), result, finished });
        (!is_current).then_some(pair)
    }

    /// Takes a comparison, unless another pair is shown by now.
    pub(in crate::tui) fn set_comparison(&mut self, pair: &RunPair, result: Result<Box<Comparison>, String>) {
        if let Some(verdict) = self.verdict.as_mut().filter(|verdict| verdict.pair == *pair) {
            verdict.result = Some(result);
        }
    }

    /// The comparison that is shown.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.verdict.as_ref()?.result.as_ref()?.as_deref().ok()
    }

    /// The pair whose further seeds can be queued.
    pub(in crate::tui) fn undecided_pair(&self) -> Option<&RunPair> {
        let is_open = self.comparison()?.further_seeds().is_some();
        self.verdict.as_ref().filter(|_| is_open).map(|verdict| &verdict.pair)
    }
}
