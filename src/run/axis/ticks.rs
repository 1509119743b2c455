//! Ticks of the axes of a chart: round distances and labels.

use super::Axis;
use crate::format;

/// Distances of ticks on the time axis, in seconds.
const SECONDS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0,
    21_600.0, 43_200.0,
];
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// The smallest of 1, 2, 5 × 10ⁿ that is at least `step`.
pub fn nice(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|nice| *nice >= step * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// The values 1, 2 and 5 × 10ⁿ from the last one at or below `low` to the first one at or above `high`: at least two. Both
/// ends are positive.
pub fn log_steps(low: f64, high: f64) -> Vec<f64> {
    let steps: Vec<f64> = (low.log10().floor() as i32 - 1..=high.log10().ceil() as i32 + 1)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power)))
        .collect();
    let from = steps.iter().rev().copied().find(|step| *step <= low * (1.0 + 1e-9)).unwrap_or(low);
    let to = steps.iter().copied().find(|step| *step >= high * (1.0 - 1e-9)).unwrap_or(high);
    let to = if to > from { to } else { from * 10.0 };
    steps.into_iter().filter(|step| *step >= from * (1.0 - 1e-9) && *step <= to * (1.0 + 1e-9)).collect()
}

/// The distance of about `max_ticks` ticks over `span`.
pub fn distance(axis: Axis, span: f64, max_ticks: f64) -> f64 {
    let minimum = span / max_ticks;
    match axis {
        Axis::Step | Axis::Examples => nice(minimum).max(1.0).round(),
        Axis::Epoch if span >= 0.999 => nice(minimum).max(1.0),
        Axis::Epoch => nice(minimum),
        Axis::Time => {
            let found = SECONDS.into_iter().find(|seconds| *seconds >= minimum);
            found.unwrap_or_else(|| nice(minimum / DAY).max(1.0) * DAY)
        }
    }
}

/// The label of a tick: as many decimals as the distance of the ticks needs, in the unit of the last one.
pub fn tick_text(axis: Axis, position: f64, every: f64, last: f64) -> String {
    let (unit, suffix) = match axis {
        Axis::Time => return format::duration(position),
        _ if last >= 1e6 => (1e6, "M"),
        _ if last >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    if position == 0.0 {
        return "0".into();
    }
    let decimals = (-(every / unit).log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize;
    format!("{:.decimals$}{suffix}", position / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_nice() {
        assert_eq!([0.13, 1.0, 3.0, 7.0].map(nice), [0.2, 1.0, 5.0, 10.0]);
        assert_eq!([0.0, f64::NAN].map(nice), [1.0, 1.0]);
    }

    #[test]
    fn logarithmic_steps_enclose_the_values() {
        assert_eq!(log_steps(0.03, 0.7), [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]);
        assert_eq!(log_steps(2.0, 2.0), [2.0, 5.0, 10.0, 20.0]);
    }

    #[test]
    fn tick_labels_are_distinct() {
        let text = |position, every, last| tick_text(Axis::Step, position, every, last);
        assert_eq!([text(0.0, 2e5, 1e6), text(2e5, 2e5, 1e6), text(1e6, 2e5, 1e6)], ["0", "0.2M", "1.0M"]);
        assert_eq!(
            [text(345_000.0, 500.0, 346_000.0), text(345_500.0, 500.0, 346_000.0)],
            ["345.0k", "345.5k"]
        );
        assert_eq!(text(801.0, 1.0, 801.0), "801");
        assert_eq!(tick_text(Axis::Epoch, 0.25, 0.05, 0.3), "0.25");
        assert_eq!(tick_text(Axis::Time, 90.0, 30.0, 200.0), "1:30");
        assert_eq!(
            [distance(Axis::Time, 3000.0, 6.0), distance(Axis::Time, 10.0 * DAY, 6.0)],
            [600.0, 2.0 * DAY]
        );
    }
}
