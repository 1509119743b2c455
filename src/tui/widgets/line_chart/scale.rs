//! The value axis: range, linear or logarithmic scale, and ticks.

use super::chart::{CurveStyle, LineChart, Trace};
use crate::format;
use crate::run::axis::ticks::{log_steps, nice};

/// Minimum range of a chart of percentages.
const MIN_PERCENT_RANGE: f64 = 0.05;

/// The value axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    is_log: bool,
    /// Upper end and length of the range, of the logarithms on a logarithmic scale.
    ends: (f64, f64),
    /// Values of the ticks, ascending.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    fn new((from, to): (f64, f64), is_log: bool, ticks: Vec<f64>) -> Scale {
        let ends = if is_log { (to.ln(), (to / from).ln()) } else { (to, to - from) };
        Scale { from, to, is_log, ends, ticks }
    }

    /// The row of dots of a value, counted from the top and clamped to the plot.
    pub(super) fn dot(&self, value: f64, height: u16) -> usize {
        let dots = f64::from(height) * 4.0 - 1.0;
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let (top, length) = self.ends;
        // Adds 0.5 and truncates, which is faster than a call of `round` for each dot.
        ((top - value) / length * dots + 0.5).clamp(0.0, dots) as usize
    }

    /// Whether the axis can show a value: it must be finite, and positive on a logarithmic scale.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.is_log || value > 0.0)
    }

    /// Whether a value lies above the axis.
    pub(super) fn cuts_off(&self, value: f64) -> bool {
        value > self.to + 1e-9 * self.to.abs()
    }
}

impl LineChart<'_> {
    /// The axis for the visible part of the traces; `None` without any value.
    pub(super) fn scale(&self, traces: &[Trace], height: u16) -> Option<Scale> {
        let bounds = self.bounds(traces)?;
        Some(if self.view.is_log { logarithmic(bounds, height) } else { self.linear(bounds, height) })
    }

    /// The minimum and maximum to show. Rare outliers far above all other values are cut off and marked, so that one
    /// spike does not flatten the rest.
    fn bounds(&self, traces: &[Trace]) -> Option<(f64, f64)> {
        let is_log = self.view.is_log;
        let mut low = f64::INFINITY;
        let mut highs = Vec::new();
        let mut highest_point = f64::NEG_INFINITY;
        for (curve, trace) in self.curves.iter().zip(traces) {
            for column in trace.columns.iter().filter(|column| column.finite > 0) {
                if is_log && column.max <= 0.0 {
                    continue;
                }
                low = low.min(if is_log && column.min <= 0.0 { column.max } else { column.min });
                match curve.style {
                    CurveStyle::Points(..) => highest_point = highest_point.max(column.max),
                    CurveStyle::Line | CurveStyle::Marked(..) | CurveStyle::Mean => highs.push(column.max),
                }
            }
        }
        let highest = highs.iter().copied().fold(highest_point, f64::max);
        if !highest.is_finite() {
            return None;
        }
        let percentile = if highs.is_empty() {
            highest_point
        } else {
            let index = (highs.len() - 1) * 98 / 100;
            highs.select_nth_unstable_by(index, f64::total_cmp).1.max(highest_point)
        };
        let is_spike = !is_log && highs.len() >= 50 && percentile > 0.0 && highest > 3.0 * percentile;
        let high = if is_spike { 1.3 * percentile } else { highest };
        let references = self.references.iter().map(|reference| reference.value);
        let references = references.chain(self.span.into_iter().flat_map(|(from, to)| [from, to]));
        let shown = references.filter(|value| value.is_finite() && (!is_log || *value > 0.0));
        Some(shown.fold((low, high), |(low, high), value| (low.min(value), high.max(value))))
    }

    fn linear(&self, (low, high): (f64, f64), height: u16) -> Scale {
        // A chart of the whole run starts at zero; a zoomed one spans the visible values.
        let is_whole = !self.percent && !self.view.is_zoomed();
        let low = if is_whole && low > 0.0 && low < 0.6 * high { 0.0 } else { low };
        // Small differences between scores must not look large.
        let (low, high) = if self.percent && high - low < MIN_PERCENT_RANGE {
            let middle = f64::midpoint(low, high);
            (middle - MIN_PERCENT_RANGE / 2.0, middle + MIN_PERCENT_RANGE / 2.0)
        } else {
            (low, high)
        };
        let span = if high > low { high - low } else { (0.1 * high.abs()).max(1e-9) };
        let tick = nice(span / f64::from((height / 3).clamp(1, 5)));
        let mut from = (low / tick).floor() * tick;
        let mut to = (high / tick).ceil() * tick;
        if to - from < tick / 2.0 {
            (from, to) = (from - tick, to + tick);
        }
        if self.percent && high <= 1.0 {
            to = to.min(1.0);
        }
        if low >= 0.0 {
            from = from.max(0.0);
        }
        let ticks = ((to - from) / tick).round().min(20.0) as u64;
        Scale::new((from, to), false, (0..=ticks).map(|k| from + k as f64 * tick).collect())
    }

    /// The labels of the ticks, of at most 5 characters each.
    pub(super) fn tick_labels(&self, scale: &Scale) -> Vec<String> {
        let times = if self.percent { 100.0 } else { 1.0 };
        let distance = match scale.ticks[..] {
            [first, second, ..] if !scale.is_log => times * (second - first),
            _ => 1.0,
        };
        scale.ticks.iter().map(|value| tick_label(times * value, distance, scale.is_log)).collect()
    }
}

fn tick_label(value: f64, distance: f64, is_log: bool) -> String {
    if value.abs() >= 1000.0 {
        return format::short(value);
    }
    if is_log {
        return format::real((value * 1e12).round() / 1e12);
    }
    let power = (distance.log10() + 1e-9).floor();
    if power < -3.0 {
        // All ticks have the same power of ten, as in `15e-6`.
        return if value == 0.0 { "0".into() } else { format!("{:.0}e{power}", value / 10f64.powf(power)) };
    }
    format!("{value:.decimals$}", decimals = (-power).clamp(0.0, 4.0) as usize)
}

/// A logarithmic axis between values 1, 2 or 5 × 10ⁿ, with a tick at each power of ten, or at all such values if
/// there are few powers.
fn logarithmic((low, high): (f64, f64), height: u16) -> Scale {
    let fine = log_steps(low, high);
    let ends = (fine.first().copied().unwrap_or(low), fine.last().copied().unwrap_or(high));
    let powers = |every: i32| {
        let is_power = |step: &&f64| {
            let power = step.log10();
            (power - power.round()).abs() < 1e-6 && (power.round() as i32).rem_euclid(every) == 0
        };
        fine.iter().filter(is_power).copied().collect::<Vec<f64>>()
    };
    let max_ticks = usize::from(height / 2).max(2);
    let coarse = (1..8).map(powers).find(|ticks| ticks.len() <= max_ticks).unwrap_or_default();
    let ticks = if fine.len() <= max_ticks || coarse.len() < 2 { fine } else { coarse };
    Scale::new(ends, true, ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_labels_have_at_most_five_characters() {
        let linear = |value, distance| tick_label(value, distance, false);
        assert_eq!(linear(0.25, 0.05), "0.25");
        assert_eq!([linear(1.5e-5, 5e-6), linear(0.0, 5e-6)], ["15e-6", "0"]);
        assert_eq!(linear(2500.0, 500.0), "2.5k");
        assert_eq!(
            [1e-5, 0.002, 0.5, 20.0].map(|v| tick_label(v, 1.0, true)),
            ["1e-5", "0.002", "0.5", "20"]
        );
    }

    #[test]
    fn logarithmic_axis_contains_values() {
        let scale = logarithmic((0.03, 7.0), 30);
        assert_eq!((scale.from, scale.to), (0.02, 10.0));
        assert_eq!(scale.dot(10.0, 30), 0);
        assert_eq!(scale.dot(0.02, 30), 119);
        assert_eq!(logarithmic((1e-8, 1e3), 12).ticks, [1e-8, 1e-6, 1e-4, 1e-2, 1.0, 100.0]);
        assert_eq!(logarithmic((1.0, 1.0), 12).to, 10.0);
    }
}
