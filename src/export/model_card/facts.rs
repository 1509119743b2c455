//! What a run says about its best weights.

use crate::catalog::{Labels, Metric, SplitRole};
use crate::error::Result;
use crate::event::{Averaging, Eval, Event, Scores, SplitName, Started};
use crate::run::history::History;
use crate::run::{RepeatsSummary, RunDir, final_events, repeats_summary, replay, run_labels, seed_dirs};
use crate::spec::RunSpec;
use crate::stats::ConfidenceInterval;
use crate::train::{Summary, predictions_of_step, score_interval, score_intervals};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The scores of the best weights on a split, with the 95 % interval of each score that has one.
#[derive(Debug, Clone)]
pub(super) struct SplitScores {
    pub(super) split: SplitName,
    pub(super) scores: Scores,
    pub(super) intervals: BTreeMap<Metric, ConfidenceInterval>,
}

impl SplitScores {
    /// The scores that have a value, the loss last.
    pub(super) fn values(&self) -> impl Iterator<Item = (Metric, f64)> {
        let value = move |metric: &Metric| {
            Some((*metric, self.scores.get(*metric).filter(|value| value.is_finite())?))
        };
        Metric::ALL.iter().filter_map(value)
    }
}

/// What a run says about its best weights. Parts are missing if their files cannot be read.
#[derive(Debug, Clone)]
pub(super) struct CardFacts {
    pub(super) spec: RunSpec,
    pub(super) labels: Labels,
    /// The summary of the seed that the weights are from.
    pub(super) summary: Option<Summary>,
    /// Mean and standard deviation over the seeds.
    pub(super) repeats: Option<RepeatsSummary>,
    pub(super) started: Option<Started>,
    pub(super) history: Option<History>,
    /// The scores of the best weights on each evaluated split.
    pub(super) scores: Vec<SplitScores>,
}

impl CardFacts {
    /// Reads the files of a run.
    ///
    /// # Errors
    /// When the specification cannot be read.
    pub(super) fn read(dir: &RunDir) -> Result<CardFacts> {
        let spec = dir.spec()?;
        let labels = run_labels(dir, &spec);
        let repeats = if spec.seed_count() > 1 { repeats_summary(dir, &spec) } else { None };
        let summary = repeats.as_ref().map(|all| all.best_seed.clone()).or_else(|| dir.summary());
        let seed = best_seed(dir, &spec, summary.as_ref());
        let events = final_events(replay(&seed).unwrap_or_default());
        let started = events.iter().rev().find_map(|event| match event {
            Event::Started(started) => Some((**started).clone()),
            _ => None,
        });
        let history = (!events.is_empty()).then(|| History::of(&events));
        let best = summary.as_ref().and_then(|summary| summary.best.map(|best| (best.step, best.averaging)));
        let best = best.or_else(|| history.as_ref()?.best.map(|best| (best.step, best.averaging)));
        let mut facts = CardFacts { spec, labels, summary, repeats, started, history, scores: Vec::new() };
        facts.scores = best.map(|best| facts.scores_of(best, &events, &seed)).unwrap_or_default();
        Ok(facts)
    }

    /// The scores of the evaluations after a step, with the weights or with averaged weights. Those of the validation split
    /// have the intervals that need the predictions too.
    fn scores_of(
        &self,
        (step, averaging): (u64, Option<Averaging>),
        events: &[Event],
        seed: &Path,
    ) -> Vec<SplitScores> {
        let evals = events.iter().filter_map(|event| match (event, averaging) {
            (Event::Eval(eval), None) => Some(eval),
            (Event::AverageEval(average), Some(averaging)) if average.averaging == averaging => {
                Some(&average.eval)
            }
            _ => None,
        });
        let evals = evals.filter(|eval| eval.step == step && eval.split.role() != SplitRole::Train);
        let by_split: BTreeMap<SplitName, &Eval> = evals.map(|eval| (eval.split, eval)).collect();
        let task = self.spec.task();
        let scores = by_split.into_values().map(|eval| {
            let of_counts = |metric: &Metric| Some((*metric, score_interval(&eval.scores, *metric)?));
            let mut intervals: BTreeMap<_, _> = Metric::ALL.iter().filter_map(of_counts).collect();
            if eval.split == SplitName::Validation
                && let Ok(Some(saved)) = predictions_of_step(seed, step, &self.labels)
            {
                intervals.extend(score_intervals(task, &saved.predictions));
            }
            // The number of rows of a metric of another split is not known here.
            intervals.retain(|metric, _| metric.source().is_none());
            SplitScores { split: eval.split, scores: eval.scores.clone(), intervals }
        });
        scores.collect()
    }

    /// The scores of a split.
    pub(super) fn of_split(&self, split: SplitName) -> Option<&SplitScores> {
        self.scores.iter().find(|scores| scores.split == split)
    }

    /// The names of the labels; the index of a name is its class.
    pub(super) fn label(&self, index: usize) -> String {
        let name = self.labels.classes().get(index).map(ToString::to_string);
        name.unwrap_or_else(|| index.to_string())
    }
}

/// The directory of the seed that the best weights are from.
fn best_seed(dir: &RunDir, spec: &RunSpec, summary: Option<&Summary>) -> PathBuf {
    let mut seeds = seed_dirs(dir.path(), spec);
    let name = summary.map(|summary| format!("seed-{}", summary.seed));
    let best =
        seeds.iter().position(|seed| seed.file_name().and_then(|seed| seed.to_str()) == name.as_deref());
    match best {
        Some(best) => seeds.swap_remove(best),
        None => seeds.pop().unwrap_or_else(|| dir.path().to_path_buf()),
    }
}
