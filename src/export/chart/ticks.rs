//! The ticks of the value axis.

use crate::format;
use crate::run::axis::ticks::{log_steps, nice};

/// A value axis: its range and its ticks with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    from: f64,
    to: f64,
    is_log: bool,
    pub(super) ticks: Vec<(f64, String)>,
}

impl ValueAxis {
    /// An axis for values from `low` to `high`, which are positive on a logarithmic axis.
    pub(super) fn of((low, high): (f64, f64), is_log: bool, is_percent: bool) -> ValueAxis {
        if is_log {
            ValueAxis::logarithmic(low, high, is_percent)
        } else {
            ValueAxis::linear(low, high, is_percent)
        }
    }

    fn linear(low: f64, high: f64, is_percent: bool) -> ValueAxis {
        // Zero is shown if that does not flatten the curves.
        let low = if !is_percent && low > 0.0 && low < 0.6 * high { 0.0 } else { low };
        let span = if high > low { high - low } else { (0.1 * high.abs()).max(1e-9) };
        let tick = nice(span / 6.0);
        // Rounding may put a value slightly beside its tick.
        let (from, to) = ((low / tick + 1e-9).floor() * tick, (high / tick - 1e-9).ceil() * tick);
        let (from, to) = if to > from { (from, to) } else { (from - tick, from + tick) };
        let count = ((to - from) / tick).round().min(40.0) as usize;
        let values = (0..=count).map(|index| from + index as f64 * tick);
        let ticks = values.map(|value| (value, label(value, tick, is_percent))).collect();
        ValueAxis { from, to, is_log: false, ticks }
    }

    fn logarithmic(low: f64, high: f64, is_percent: bool) -> ValueAxis {
        let steps = log_steps(low, high);
        let (from, to) = (steps.first().copied().unwrap_or(low), steps.last().copied().unwrap_or(high));
        let times = if is_percent { 100.0 } else { 1.0 };
        let ticks = steps
            .into_iter()
            .map(|value| (value, format::real((times * value * 1e12).round() / 1e12)))
            .collect();
        ValueAxis { from, to, is_log: true, ticks }
    }

    /// Where a value is between the lower end, 0, and the upper end, 1.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        let fraction = if self.is_log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        fraction.clamp(0.0, 1.0)
    }
}

/// The label of a linear tick, with as many decimals as the distance of the ticks needs.
fn label(value: f64, tick: f64, is_percent: bool) -> String {
    let times = if is_percent { 100.0 } else { 1.0 };
    let power = (times * tick).log10().floor();
    if power < -4.0 {
        // All labels have the same power of ten, as in `15e-6`.
        return if value == 0.0 {
            "0".into()
        } else {
            format!("{:.0}e{power}", times * value / 10f64.powf(power))
        };
    }
    if value.abs() >= 1e4 {
        return format::short(value);
    }
    format!("{:.decimals$}", times * value, decimals = (-power).clamp(0.0, 4.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &ValueAxis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn axis_contains_the_values_between_round_ticks() {
        let axis = ValueAxis::of((0.12, 0.71), false, false);
        assert_eq!(labels(&axis), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!([axis.fraction(0.0), axis.fraction(0.4), axis.fraction(0.8)], [0.0, 0.5, 1.0]);
        let axis = ValueAxis::of((0.86, 0.92), false, true);
        assert_eq!(labels(&axis), ["86", "87", "88", "89", "90", "91", "92"]);
        assert_eq!(labels(&ValueAxis::of((2e-5, 2e-5), false, false)), ["195e-7", "200e-7", "205e-7"]);
        assert_eq!(
            labels(&ValueAxis::of((0.03, 0.7), true, false)),
            ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]
        );
    }
}
