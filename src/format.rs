//! Numbers, scores, sizes and times formatted for display.

use crate::catalog::{Metric, MetricDisplay};

/// A duration: `0:07`, `3:12`, `1:04:09`, `2 d 03 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-:--".into();
    }
    let total = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        1..48 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{} d {:02} h", hours / 24, hours % 24),
    }
}

/// An integer with thousands separators: `8,544`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number rounded to at most four characters, with an SI suffix: `7.1`, `172`, `3.9k`, `12k`, `1.2M`.
pub fn short(number: f64) -> String {
    if !number.is_finite() {
        return "-".into();
    }
    let (scaled, unit) = match number.abs() {
        n if n >= 999.5e6 => (number / 1e9, "G"),
        n if n >= 999.5e3 => (number / 1e6, "M"),
        n if n >= 999.5 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    if scaled.abs() < 9.95 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") }
}

/// A size in bytes: `512 B`, `2.4 MB`, `1.3 GB`.
pub fn bytes(number: u64) -> String {
    let number = number as f64;
    match number {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.0} kB", n / 1e3),
        n => format!("{n:.0} B"),
    }
}

/// A score for a narrow column: a loss as in [`loss`], any other metric times 100 with one decimal.
pub fn score(metric: Metric, value: f64) -> String {
    match metric.display() {
        _ if !value.is_finite() => "-".into(),
        MetricDisplay::Loss => loss(value),
        MetricDisplay::Percent | MetricDisplay::Coefficient => format!("{:.1}", 100.0 * value),
    }
}

/// A score in full: accuracy and F1 in percent (`84.61 %`), any other metric with four decimals.
pub fn whole_score(metric: Metric, value: f64) -> String {
    match metric.display() {
        MetricDisplay::Percent => format!("{:.2} %", 100.0 * value),
        MetricDisplay::Coefficient | MetricDisplay::Loss => format!("{value:.4}"),
    }
}

/// An interval of a score: `83.1 … 85.9`, with the digits of [`score`].
pub fn interval(metric: Metric, low: f64, high: f64) -> String {
    format!("{} … {}", score(metric, low), score(metric, high))
}

/// A loss with about four significant digits.
pub fn loss(value: f64) -> String {
    match value {
        v if !v.is_finite() => "-".into(),
        v if v.abs() < 9.9995 => format!("{v:.3}"),
        v if v.abs() < 99.995 => format!("{v:.2}"),
        v => short(v),
    }
}

/// A learning rate: `2.0e-5`.
pub fn learning_rate(value: f64) -> String {
    if value == 0.0 { "0".into() } else { format!("{value:.1e}") }
}

/// A floating-point setting in its shortest exact form: `0.06`, `2e-5`, `3`.
pub fn real(value: f64) -> String {
    if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e6) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

/// The display name of a metric.
pub fn metric(metric: Metric) -> &'static str {
    metric.short_name()
}

/// A time of day, `10:15:02`, from seconds since 1970 and the offset of the time zone in seconds. `--:--:--` if
/// the time is out of range.
pub fn clock(time: f64, offset: i64) -> String {
    civil(time, offset).map_or_else(|| "--:--:--".into(), |time| time.strftime("%H:%M:%S").to_string())
}

/// A date and time, `2026-11-23 10:15`, from seconds since 1970 and the offset of the time zone in seconds.
/// `----------------` of the same width if the time is out of range.
pub fn date(time: f64, offset: i64) -> String {
    civil(time, offset).map_or_else(|| "-".repeat(16), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The date and time in a time zone with that offset, or `None` if it is out of range.
fn civil(time: f64, offset: i64) -> Option<jiff::civil::DateTime> {
    // The conversion to an integer saturates, and NaN becomes 0.
    let utc = jiff::Timestamp::from_second(time.floor() as i64).ok()?;
    let local = utc.checked_add(jiff::SignedDuration::from_secs(offset)).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted() {
        assert_eq!([7.4, 192.0, 3849.0, 200_000.0].map(duration), ["0:07", "3:12", "1:04:09", "2 d 07 h"]);
        assert_eq!(duration(f64::NAN), "-:--");
        assert_eq!([0, 999, 8544, 1_234_567].map(count), ["0", "999", "8,544", "1,234,567"]);
        let shorts = [0.0, 7.12, 9.96, 171.7, 999.6, 3912.0, 12_345.0, 1.25e6].map(short);
        assert_eq!(shorts, ["0.0", "7.1", "10", "172", "1.0k", "3.9k", "12k", "1.2M"]);
        assert_eq!(
            [12, 2_400, 268_000_000, 1_300_000_000].map(bytes),
            ["12 B", "2 kB", "268.0 MB", "1.3 GB"]
        );
        assert_eq!(score(Metric::Accuracy, 0.8461), "84.6");
        assert_eq!(interval(Metric::Accuracy, 0.8306, 0.8594), "83.1 … 85.9");
        assert_eq!(interval(Metric::Loss, 0.25, 0.5), "0.250 … 0.500");
        assert_eq!([0.41234, 12.345, f64::NAN, 4321.0].map(loss), ["0.412", "12.35", "-", "4.3k"]);
        assert_eq!([2e-5, 0.0].map(learning_rate), ["2.0e-5", "0"]);
        assert_eq!([0.06, 2e-5, 3.0, 1e-8, 0.0].map(real), ["0.06", "2e-5", "3", "1e-8", "0"]);
    }

    #[test]
    fn times_are_formatted_in_the_time_zone() {
        assert_eq!(clock(0.0, 3600), "01:00:00");
        assert_eq!(date(1_795_429_502.0, 0), "2026-11-23 10:25");
        assert_eq!(date(951_782_400.0, 0), "2000-02-29 00:00");
        assert_eq!(date(0.0, -60), "1969-12-31 23:59");
    }

    #[test]
    fn out_of_range_times_are_dashes() {
        for time in [f64::INFINITY, f64::NEG_INFINITY, 1e18] {
            assert_eq!((clock(time, i64::MAX), date(time, 0).len()), ("--:--:--".to_string(), 16));
        }
        assert_eq!(date(f64::NAN, 0), "1970-01-01 00:00");
    }
}
