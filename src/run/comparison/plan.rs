//! Further seeds for a comparison, which end once it is decided: a group sequential test.
//!
//! The plan is written when the seeds are added, so that the number of looks is fixed before their scores are known.
//! There is a look whenever both sides have one more seed, at the level of [`spending_levels`]; the seeds at the start
//! are the first look.

use super::analysis::MetricComparison;
use super::plan_file::SeedPlan;
use crate::stats::{ConfidenceInterval, SIGNIFICANCE_LEVEL, spending_levels};
use serde::Serialize;

/// The state of a planned comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanState {
    /// Its number.
    pub id: u64,
    /// The difference that the seeds were planned to detect.
    pub difference: f64,
    /// Further seeds on each side that are planned.
    pub further: u64,
    /// Those that both sides have.
    pub done: u64,
    /// The significance level of this look.
    pub level: f64,
    /// The repeated confidence interval of the difference: at 95 %, those of all looks together contain it.
    pub confidence_interval: ConfidenceInterval,
    /// What follows.
    pub decision: PlanDecision,
}

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanDecision {
    /// The scores differ.
    Different,
    /// They differ by less than the planned difference: the interval is within it.
    Equivalent,
    /// Further seeds are needed.
    Continue,
    /// All seeds are trained, and none of the above holds.
    Undecided,
}

impl PlanDecision {
    /// Whether no further seed is needed.
    pub fn is_final(self) -> bool {
        self != PlanDecision::Continue
    }
}

impl SeedPlan {
    /// The significance level of the look with `done` further seeds.
    fn level(&self, done: u64) -> f64 {
        // With one seed each, the variance over the seeds is unknown, and there is no look yet.
        let start = u64::from(self.seeds_a.max(self.seeds_b) < 2);
        if done < start {
            return 0.0;
        }
        let information = |further: u64| {
            let share = |seeds: u64| 1.0 / (seeds + further) as f64;
            1.0 / (share(self.seeds_a) + share(self.seeds_b))
        };
        let last = information(self.further);
        let fractions: Vec<f64> = (start..=self.further).map(|further| information(further) / last).collect();
        let levels = spending_levels(&fractions, SIGNIFICANCE_LEVEL);
        levels.get((done - start) as usize).copied().unwrap_or(0.0)
    }

    /// The state, given the comparison of all seeds that there are.
    pub(super) fn state(&self, comparison: &MetricComparison) -> PlanState {
        let gained = |values: &[f64], at_start: u64| (values.len() as u64).saturating_sub(at_start);
        let done = gained(&comparison.a.values, self.seeds_a)
            .min(gained(&comparison.b.values, self.seeds_b))
            .min(self.further);
        let level = self.level(done);
        let effects = &comparison.difference.variance;
        // Without a look, nothing is known.
        let half_width = if level > 0.0 { effects.half_width(level) } else { f64::INFINITY };
        let interval = ConfidenceInterval::around(effects.difference, half_width);
        let decision = if !interval.contains_zero() {
            PlanDecision::Different
        } else if interval.low > -self.difference && interval.high < self.difference {
            PlanDecision::Equivalent
        } else if done >= self.further {
            PlanDecision::Undecided
        } else {
            PlanDecision::Continue
        };
        let (id, difference, further) = (self.id, self.difference, self.further);
        PlanState { id, difference, further, done, level, confidence_interval: interval, decision }
    }
}
