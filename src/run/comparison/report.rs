//! The result of a comparison.

use super::analysis::{self, MetricComparison};
use super::plan::PlanState;
use super::plan_file;
use super::shared_rows::SharedRows;
use super::sides::{SeedRun, Side};
use super::verdict;
use crate::catalog::{Metric, SplitName};
use crate::error::{Error, Result};
use crate::text::plural;
use serde::Serialize;
use std::path::Path;

/// A comparison of two sides. Differences are A − B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the task.
    pub task: String,
    /// The split of the rows.
    pub split: SplitName,
    /// Number of rows that all seeds predicted.
    pub rows: usize,
    /// Side A.
    pub a: Side,
    /// Side B.
    pub b: Side,
    /// The metric that the verdict is about.
    pub metric: Metric,
    /// The comparison of each metric, that of the verdict first.
    pub metrics: Vec<MetricComparison>,
    /// The state of the planned comparison that these runs belong to, if there is one.
    pub plan: Option<PlanState>,
    /// The result in words.
    pub verdict: String,
    /// What a reader should know about the rows and the runs.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Compares two sides. A planned comparison in `runs_dir` that both belong to decides by its sequential rule.
    ///
    /// # Errors
    /// [`Error::Usage`] if they cannot be compared: other tasks or labels, a seed on both sides, no shared rows; and
    /// errors of reading predictions.
    pub fn of(runs_dir: &Path, a: Side, b: Side) -> Result<Self> {
        check_comparable(&a, &b)?;
        let rows = SharedRows::read(&a, &b)?;
        let task = a.spec.task();
        let metric = metric(&a, &b, &rows);
        let (metrics, undefined) = analysis::analyze(task, metric, &rows)?;
        let mut notes = [a.notes.clone(), b.notes.clone(), rows.notes.clone()].concat();
        if !undefined.is_empty() {
            let names: Vec<&str> = undefined.iter().map(|metric| metric.short_name()).collect();
            notes.push(format!("{} cannot be compared on these rows", names.join(", ")));
        }
        if let Some(first) = task.metrics(rows.problem_type()).iter().find(|metric| metric.source().is_some())
        {
            notes.push(format!(
                "{} is not compared, because only predictions for the validation split are saved",
                first.short_name()
            ));
        }
        let main = metrics.first().ok_or_else(|| {
            Error::Usage(format!("{} has no value for {} or {}", metric.name(), a.name, b.name))
        })?;
        let plan = plan_file::plan_of(runs_dir, &a, &b)?;
        let plan = plan
            .filter(|plan| plan.metric == main.metric && !a.has_recipe_of(&b))
            .map(|plan| plan.state(main));
        let verdict = verdict::verdict(main, plan.as_ref(), rows.count());
        Ok(Comparison {
            task: task.name.to_owned(),
            split: SplitName::Validation,
            rows: rows.count(),
            a,
            b,
            metric,
            metrics,
            plan,
            verdict,
            notes,
        })
    }

    /// The difference that further seeds would detect and their number on each side, if they may decide the comparison: the
    /// rest of its plan, or without one those of [`Detectable`](super::Detectable). `None` for runs of one recipe, if the
    /// difference is significant, and once the plan is over.
    pub fn further_seeds(&self) -> Option<(f64, u64)> {
        let main = self.main().filter(|_| !self.a.has_recipe_of(&self.b))?;
        if let Some(plan) = &self.plan {
            let left = plan.further.saturating_sub(plan.done);
            return (!plan.decision.is_final() && left > 0).then_some((plan.difference, left));
        }
        let is_decided = main.difference.is_significant && main.difference.variance.seeds.is_some();
        if is_decided { None } else { verdict::next_seeds(main) }
    }

    /// The comparison of the metric that the verdict is about.
    pub fn main(&self) -> Option<&MetricComparison> {
        self.metrics.first()
    }
}

/// The metric for the verdict: the one that selected the best weights of both sides, or else that of the task.
fn metric(a: &Side, b: &Side, rows: &SharedRows) -> Metric {
    let chosen = a.spec.metric_for_best_model.filter(|metric| b.spec.metric_for_best_model == Some(*metric));
    let chosen = chosen.filter(|metric| metric.source().is_none());
    chosen.unwrap_or_else(|| a.spec.task().best(rows.problem_type()))
}

fn check_comparable(a: &Side, b: &Side) -> Result<()> {
    let (of_a, of_b) = (a.spec.task.name(), b.spec.task.name());
    if of_a != of_b {
        return Err(Error::Usage(format!(
            "{} is of task {of_a} and {} of task {of_b}; runs of different tasks are never compared",
            a.name, b.name
        )));
    }
    let is_on_both = |seed: &&SeedRun| b.seeds.iter().any(|other| other.is_same(seed));
    let shared: Vec<&SeedRun> = a.seeds.iter().filter(is_on_both).collect();
    match shared.first() {
        None => Ok(()),
        Some(seed) => Err(Error::Usage(format!(
            "{} on both sides (seed {} of {}); name different runs",
            plural(shared.len(), "seed"),
            seed.seed,
            seed.run
        ))),
    }
}
