//! Statistical tests, confidence intervals and power. Pure functions: numbers in, numbers out.
//!
//! | question | function |
//! | --- | --- |
//! | interval of a proportion | [`wilson`] |
//! | correlation of two columns | [`pearson`], [`spearman`] |
//! | its interval | [`pearson_interval`], [`spearman_interval`] |
//! | interval of the mean over seeds, over folds | [`mean_interval`], [`cross_validation_interval`] |
//! | standard error of a function of counts | [`jackknife_error`] |
//! | do two classifiers differ on the same rows? | [`McNemar`] |
//! | do two models differ in any metric on the same rows? | [`bootstrap`] |
//! | do two recipes differ, each with several seeds on the same rows? | [`RandomEffects`] |
//! | how many further seeds detect a difference? | [`RandomEffects::further_seeds`] |
//! | which level keeps the type I error with repeated looks? | [`spending_levels`] |
//!
//! `docs/comparison.md` has the formulas. The tests compare with SciPy and statsmodels.

mod alpha_spending;
pub mod bootstrap;
mod correlation;
mod distribution;
mod interval;
mod jackknife;
mod level;
mod mcnemar;
mod moments;
mod power;
mod proportion;
mod random_effects;

pub use alpha_spending::spending_levels;
pub use correlation::{pearson, pearson_interval, spearman, spearman_interval};
pub use distribution::t_critical;
pub use interval::{ConfidenceInterval, cross_validation_interval, mean_interval, normal_interval};
pub use jackknife::jackknife_error;
pub use level::{CONFIDENCE_LEVEL, SIGNIFICANCE_LEVEL};
pub use mcnemar::McNemar;
pub use power::{FurtherSeeds, POWER};
pub use proportion::wilson;
pub use random_effects::{RandomEffects, SeedScores, VarianceComponent};

#[cfg(test)]
mod tests;
