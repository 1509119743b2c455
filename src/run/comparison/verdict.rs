//! The result of a comparison in words.

use super::analysis::{Detectable, MetricComparison};
use super::plan::{PlanDecision, PlanState};
use crate::catalog::{Metric, MetricDisplay};
use crate::format;
use crate::stats::{ConfidenceInterval, FurtherSeeds};
use crate::text::plural;

/// The largest difference that further seeds are counted for, if they are needed to detect it.
const USUAL_DIFFERENCE: f64 = 0.01;
/// Further seeds where the variance over the seeds is unknown: five on each side, as Colas, Sigaud and Oudeyer, "How
/// many random seeds?" (2018), take for a first estimate.
const FIRST_FURTHER: u64 = 4;

/// A difference with its sign: `+1.1`, `−0.4`; in points for percentages and coefficients.
fn signed(metric: Metric, value: f64, decimals: usize) -> String {
    let value = scaled(metric, value);
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match (is_zero, value < 0.0) {
        (true, _) => text,
        (false, true) => format!("−{text}"),
        (false, false) => format!("+{text}"),
    }
}

fn scaled(metric: Metric, value: f64) -> f64 {
    match metric.display() {
        MetricDisplay::Loss => value,
        MetricDisplay::Percent | MetricDisplay::Coefficient => 100.0 * value,
    }
}

/// The unit of a difference, with a space before it: ` points`.
fn unit(metric: Metric) -> &'static str {
    match metric.display() {
        MetricDisplay::Loss => "",
        MetricDisplay::Percent | MetricDisplay::Coefficient => " points",
    }
}

/// Digits after the point, so that an interval has at least two digits of its width.
fn decimals(metric: Metric, interval: ConfidenceInterval) -> usize {
    match scaled(metric, interval.half_width()) {
        width if width >= 0.5 => 1,
        width if width >= 0.05 => 2,
        _ => 3,
    }
}

/// An interval of a difference, without its unit: `−0.4 … +1.1`.
pub fn difference_interval(metric: Metric, interval: ConfidenceInterval) -> String {
    let decimals = decimals(metric, interval);
    let [low, high] = [interval.low, interval.high].map(|end| signed(metric, end, decimals));
    format!("{low} … {high}")
}

/// An interval of a difference: `−0.4 … +1.1 points`.
fn interval_text(metric: Metric, interval: ConfidenceInterval) -> String {
    format!("{}{}", difference_interval(metric, interval), unit(metric))
}

/// A difference with the digits of its interval: `+0.4 points`.
pub fn difference_text(metric: Metric, value: f64, interval: ConfidenceInterval) -> String {
    format!("{}{}", signed(metric, value, decimals(metric, interval)), unit(metric))
}

/// A p-value: `0.032`, `< 0.001`.
pub fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

/// The difference that further seeds are queued for, and their number on each side: the largest one up to a point that
/// needs any.
pub(super) fn next_seeds(comparison: &MetricComparison) -> Option<(f64, u64)> {
    let needed = |detectable: &Detectable| match detectable.further_seeds {
        FurtherSeeds::Count(count) if count > 0 => Some((detectable.difference, count)),
        FurtherSeeds::Unknown => Some((detectable.difference, FIRST_FURTHER)),
        _ => None,
    };
    let usual =
        comparison.detectable.iter().filter(|one| one.difference <= USUAL_DIFFERENCE).find_map(needed);
    usual.or_else(|| comparison.detectable.iter().rev().find_map(needed))
}

/// The sentence about the metric, by the sequential rule of `plan` if there is one.
pub(super) fn verdict(comparison: &MetricComparison, plan: Option<&PlanState>, rows: usize) -> String {
    let (metric, difference) = (comparison.metric, &comparison.difference);
    if let Some(plan) = plan {
        return planned(comparison, plan);
    }
    let interval = format!("95 % CI {}", interval_text(metric, difference.confidence_interval));
    let p = p_text(difference.p_value);
    let equals = if p.starts_with('<') { "" } else { "= " };
    let test = format!("p {equals}{p}, {}", difference.test.title());
    let is_single = difference.variance.seeds.is_none();
    if difference.is_significant {
        let scope = if is_single { "; this is about these two models, other seeds may differ" } else { "" };
        return format!("{}: {interval}, {test}{scope}", better(comparison));
    }
    format!("no significant difference: {interval}, {test}; {}", detectable(comparison, rows))
}

/// `A has the better accuracy, by 2.1 points`.
fn better(comparison: &MetricComparison) -> String {
    let (metric, difference) = (comparison.metric, &comparison.difference);
    let better = if metric.improves(comparison.a.mean, comparison.b.mean) { "A" } else { "B" };
    let by = difference_text(metric, difference.value.abs(), difference.confidence_interval);
    format!("{better} has the better {}, by {}", format::metric(metric), by.trim_start_matches('+'))
}

/// What further seeds would detect.
fn detectable(comparison: &MetricComparison, rows: usize) -> String {
    if comparison.detectable.is_empty() {
        return "more seeds would share fewer rows; train again without max_eval_samples".into();
    }
    if comparison.difference.variance.seeds.is_none() {
        return "one seed each does not show how much the scores vary; train more seeds".into();
    }
    let amount = |difference| amount(comparison.metric, difference);
    if let Some((difference, count)) = next_seeds(comparison) {
        let more = if count == 1 { "1 more seed".to_owned() } else { format!("{count} more seeds") };
        return format!("{more} each would detect {}", amount(difference));
    }
    let too_few = comparison.detectable.iter().find_map(|one| match one.further_seeds {
        FurtherSeeds::TooFewRows(rows) => Some((one.difference, rows)),
        _ => None,
    });
    let is_detected = |one: &&Detectable| one.further_seeds == FurtherSeeds::Count(0);
    let detected = comparison.detectable.iter().rev().find(is_detected).map(|one| one.difference);
    match (detected, too_few) {
        (Some(difference), _) => format!("these seeds would detect {}", amount(difference)),
        (None, Some((difference, needed))) => format!(
            "on {} no number of seeds detects {}, about {} rows would",
            plural(rows, "row"),
            amount(difference),
            format::count(needed)
        ),
        (None, None) => "no practical number of seeds detects a small difference".into(),
    }
}

/// A size of a difference: `1 point`, `0.5 points`, `0.02`.
fn amount(metric: Metric, difference: f64) -> String {
    let value = format::real((scaled(metric, difference) * 1e6).round() / 1e6);
    match metric.display() {
        MetricDisplay::Loss => value,
        _ if value == "1" => "1 point".into(),
        _ => format!("{value} points"),
    }
}

/// The sentence about a planned comparison.
fn planned(comparison: &MetricComparison, plan: &PlanState) -> String {
    let metric = comparison.metric;
    let interval = match plan.confidence_interval {
        interval if interval.low.is_finite() => {
            format!("95 % CI at this look {}", interval_text(metric, interval))
        }
        _ => "one seed each does not show how much the scores vary".into(),
    };
    let progress = format!("{} of {} planned each", plural(plan.done, "further seed"), plan.further);
    let size = amount(metric, plan.difference);
    match plan.decision {
        PlanDecision::Different => format!("{}: {interval}; decided after {progress}", better(comparison)),
        PlanDecision::Equivalent => {
            format!("the scores differ by less than {size}: {interval}; decided after {progress}")
        }
        PlanDecision::Undecided => {
            format!("no significant difference: {interval}; all {progress} are trained")
        }
        PlanDecision::Continue => {
            format!("not decided yet: {interval}; {progress}, which would detect {size}")
        }
    }
}
