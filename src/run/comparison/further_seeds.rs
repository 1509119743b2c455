//! Queues further seeds for a comparison, and removes the rest once it is decided.

use super::plan_file::{self, SeedPlan};
use super::report::Comparison;
use super::sides::{Side, deviations};
use crate::error::{Error, Result};
use crate::run::index::list;
use crate::run::queue::{Queue, QueueEdit};
use crate::spec::RunSpec;
use crate::text::plural;
use std::collections::BTreeSet;
use std::path::Path;

/// Queues the further seeds that would detect the next smaller difference between the recipes of the runs in `a` and `b`,
/// on both sides in turn; of a planned comparison whose seeds are not in the queue, as after they were removed, the rest of
/// them. Returns the queue and a sentence about it.
///
/// # Errors
/// [`Error::Usage`] if the comparison is decided or its seeds are queued already, or no number of seeds would do; the errors
/// of [`Comparison::of`] and of changing the queue.
pub fn add_seeds(runs_dir: &Path, a: &Path, b: &Path) -> Result<(Queue, String)> {
    let (a, b) = Side::pair(runs_dir, a, b)?;
    let comparison = Comparison::of(runs_dir, a, b)?;
    let Some((difference, further)) = comparison.further_seeds() else {
        return Err(Error::Usage(why_none(&comparison)));
    };
    let (side_a, side_b) = (&comparison.a, &comparison.b);
    let specs = further_specs(runs_dir, side_a, side_b, further)?;
    let id = match &comparison.plan {
        Some(plan) if Queue::read(runs_dir)?.has_seeds_of(plan.id) => {
            return Err(Error::Usage("the further seeds of this comparison are queued already".into()));
        }
        Some(plan) => plan.id,
        None => {
            let name = |side: &Side| side.seeds.first().map(|seed| seed.run.clone()).unwrap_or_default();
            let plan = SeedPlan {
                id: 0,
                a: name(side_a),
                b: name(side_b),
                metric: comparison.metric,
                difference,
                seeds_a: side_a.seeds.len() as u64,
                seeds_b: side_b.seeds.len() as u64,
                further,
            };
            plan_file::add(runs_dir, plan)?
        }
    };
    let queue = Queue::edit(runs_dir, QueueEdit::AddSeeds { comparison: id, specs })?;
    let text = format!("{further} more {} each are queued", if further == 1 { "seed" } else { "seeds" });
    Ok((queue, text))
}

/// Why no further seeds would decide a comparison.
fn why_none(comparison: &Comparison) -> String {
    let (a, b) = (&comparison.a, &comparison.b);
    if a.has_recipe_of(b) {
        return format!(
            "{} and {} have the same settings, so further seeds would be the same on both sides",
            a.name, b.name
        );
    }
    if let Some(plan) = &comparison.plan {
        return format!(
            "the comparison has had its {}; more looks at it would not keep the error rate of 5 %",
            plural(plan.further, "further seed")
        );
    }
    if comparison.main().is_some_and(|main| main.difference.is_significant) {
        return "the difference is significant already; further seeds are not needed".into();
    }
    if comparison.main().is_some_and(|main| main.detectable.is_empty()) {
        return "max_eval_samples draws other validation rows for each seed, so that more seeds would share fewer of them; \
                train both again without it"
            .into();
    }
    format!(
        "no practical number of seeds detects a difference on these {}; more validation rows would",
        plural(comparison.rows, "row")
    )
}

/// The specifications of the further seeds of both sides, in turn. Both sides get the same new seeds, which no run of
/// theirs has.
fn further_specs(runs_dir: &Path, a: &Side, b: &Side, further: u64) -> Result<Vec<RunSpec>> {
    let rows = list(runs_dir)?;
    let queue = Queue::read(runs_dir)?;
    let specs = rows.iter().filter_map(|row| row.spec.as_deref());
    let specs = specs.chain(queue.entries.iter().map(|entry| &entry.spec));
    let is_own =
        |spec: &&RunSpec| deviations(&a.spec, spec).is_empty() || deviations(&b.spec, spec).is_empty();
    let used = specs.filter(is_own).map(|spec| spec.seed.saturating_add(spec.seed_count()));
    // A cross-validation has a seed for each fold.
    let one = |side: &Side, seed| RunSpec { seed, repeats: 1, ..side.spec.clone() };
    let step = [a, b].map(|side| one(side, 0).seed_count()).into_iter().max().unwrap_or(1);
    let listed = a.seeds.iter().chain(&b.seeds).map(|seed| seed.seed.saturating_add(step));
    let next = used.chain(listed).max().unwrap_or(0);
    let seeds = (0..further).map(|index| next.saturating_add(index.saturating_mul(step)));
    let specs = seeds.flat_map(|seed| [a, b].map(|side| one(side, seed)));
    Ok(specs.collect())
}

/// Removes the waiting seeds of comparisons that are decided from the queue.
#[derive(Debug, Default)]
pub struct PlanWatcher {
    /// The entries of the queue at the last look: only the end of one of them can decide a comparison.
    entries: Vec<(u64, bool)>,
}

impl PlanWatcher {
    /// Takes a look at each comparison with seeds in the queue of `runs_dir`, if a run has ended since the last look.
    /// Returns the new queue with a sentence for each comparison that is decided, or `None`.
    ///
    /// # Errors
    /// When the queue or the runs cannot be read, or the queue cannot be changed.
    pub fn look(&mut self, runs_dir: &Path) -> Result<Option<(Queue, Vec<String>)>> {
        let mut queue = Queue::read(runs_dir)?;
        let entries: Vec<(u64, bool)> =
            queue.entries.iter().map(|entry| (entry.id, entry.is_started)).collect();
        if entries == self.entries {
            return Ok(None);
        }
        let waiting = queue.entries.iter().filter(|entry| !entry.is_started);
        let ids: BTreeSet<u64> = waiting.filter_map(|entry| entry.comparison).collect();
        let (mut plans, mut runs) = (Vec::new(), Vec::new());
        if !ids.is_empty() {
            (plans, runs) = (plan_file::read(runs_dir)?, list(runs_dir)?);
        }
        let side = |run: &str| Side::of_recipe(&runs, &runs_dir.join(run));
        let mut texts = Vec::new();
        for plan in plans.into_iter().filter(|plan| ids.contains(&plan.id)) {
            // A side whose runs were deleted has nothing to decide.
            let Ok(comparison) = side(&plan.a).and_then(|a| Comparison::of(runs_dir, a, side(&plan.b)?))
            else {
                continue;
            };
            if comparison.plan.as_ref().is_some_and(|state| state.decision.is_final()) {
                queue = Queue::edit(runs_dir, QueueEdit::RemoveSeeds(plan.id))?;
                texts.push(comparison.verdict);
            }
        }
        self.entries = queue.entries.iter().map(|entry| (entry.id, entry.is_started)).collect();
        Ok((!texts.is_empty()).then_some((queue, texts)))
    }
}
