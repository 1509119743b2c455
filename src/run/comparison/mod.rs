//! A statistically sound comparison of two sides, each one or several seeds of a recipe, on the validation rows that
//! all of them predicted. `docs/comparison.md` says which test is used when.

mod analysis;
mod further_seeds;
mod plan;
mod plan_file;
mod report;
mod shared_rows;
mod sides;
mod verdict;

pub use analysis::{Detectable, Difference, MetricComparison, SideScore, Test};
pub use further_seeds::{PlanWatcher, add_seeds};
pub use plan::{PlanDecision, PlanState};
pub use report::Comparison;
pub use sides::{SeedRun, Side};
pub use verdict::{difference_interval, difference_text, p_text};

#[cfg(test)]
mod tests;
