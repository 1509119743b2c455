//! A curve over any number of steps in bounded memory that preserves extremes: it keeps the newest points and a
//! bounded number of buckets with the minimum and maximum of each.
//!
//! Fine buckets are for zooming in; coarse ones are for drawing a whole run, so that a frame with a hundred long runs
//! reads little memory.

use super::axis::AxisMapper;
use std::collections::VecDeque;

/// Newest points that are kept exactly.
const RECENT: usize = 1024;
/// Most fine buckets. When all are full, pairs of neighbors are merged, so the number is even.
const FINE: usize = 4096;
/// Most coarse buckets: more than a wide terminal has columns of dots.
const COARSE: usize = 1024;

/// A curve over steps in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    recent: VecDeque<(u64, f64)>,
    fine: Buckets<FINE>,
    coarse: Buckets<COARSE>,
    not_finite: u64,
    last: Option<(u64, f64)>,
}

/// At most `MAX` buckets with the same number of points each.
#[derive(Debug, Clone, Default, PartialEq)]
struct Buckets<const MAX: usize> {
    all: Vec<Bucket>,
    points_each: u32,
}

/// Consecutive points.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    first: u64,
    last: u64,
    min: f64,
    max: f64,
    sum: f64,
    finite: u32,
    points: u32,
}

impl Bucket {
    fn new(step: u64, value: f64) -> Self {
        let mut bucket = Bucket {
            first: step,
            last: step,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            finite: 0,
            points: 0,
        };
        bucket.add(step, value);
        bucket
    }

    fn add(&mut self, step: u64, value: f64) {
        self.last = step;
        self.points += 1;
        if value.is_finite() {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            self.sum += value;
            self.finite += 1;
        }
    }

    fn merge(self, later: Bucket) -> Bucket {
        Bucket {
            first: self.first,
            last: later.last,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            sum: self.sum + later.sum,
            finite: self.finite + later.finite,
            points: self.points + later.points,
        }
    }

    /// NaN when no value is finite.
    fn mean(&self) -> f64 {
        self.sum / f64::from(self.finite)
    }
}

impl<const MAX: usize> Buckets<MAX> {
    fn push(&mut self, step: u64, value: f64) {
        let points = self.points_each.max(1);
        match self.all.last_mut() {
            Some(bucket) if bucket.points < points => bucket.add(step, value),
            _ => {
                if self.all.len() == MAX {
                    self.merge_pairs();
                }
                self.all.push(Bucket::new(step, value));
            }
        }
    }

    fn merge_pairs(&mut self) {
        let merged = self.all.chunks(2).map(|pair| match pair {
            [a, b] => a.merge(*b),
            _ => pair[0],
        });
        self.all = merged.collect();
        self.points_each = self.points_each.max(1) * 2;
    }

    fn rewind(&mut self, step: u64) {
        while self.all.last().is_some_and(|bucket| bucket.first >= step) {
            self.all.pop();
        }
        // A bucket that contains the step keeps its extremes, which cannot be recomputed.
        if let Some(bucket) = self.all.last_mut() {
            bucket.last = bucket.last.min(step.saturating_sub(1));
        }
    }
}

/// An exponential moving average with bias correction.
#[derive(Debug, Clone, Copy)]
struct Smoothed {
    span: f64,
    sum: f64,
    weight: f64,
    /// The decay for the number of steps that was used last: (steps, decay).
    decay: (f64, f64),
}

impl Smoothed {
    /// An average over about `span` steps.
    fn over(span: f64) -> Self {
        Smoothed { span, sum: 0.0, weight: 0.0, decay: (0.0, 1.0) }
    }

    /// Adds a value that represents `steps` steps and returns the average.
    fn add(&mut self, value: f64, steps: f64) -> f64 {
        if value.is_finite() {
            // Nearly all values represent as many steps as the one before.
            if self.decay.0 != steps {
                self.decay = (steps, (-steps / self.span).exp());
            }
            let decay = self.decay.1;
            self.sum = decay * self.sum + (1.0 - decay) * value;
            self.weight = decay * self.weight + (1.0 - decay);
        }
        // A value at step 0 represents no steps, and there is no average yet.
        if self.weight > 0.0 { self.sum / self.weight } else { value }
    }
}

/// The points of a curve in one column of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Mean value.
    pub mean: f64,
    /// The newest value.
    pub last: f64,
    /// Number of finite points.
    pub finite: u64,
    /// Number of points that are not finite.
    pub not_finite: u64,
}

impl Column {
    /// A column without points.
    pub const EMPTY: Column =
        Column { min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, last: 0.0, finite: 0, not_finite: 0 };

    /// Whether there are points and none is finite.
    pub fn is_gap(&self) -> bool {
        self.finite == 0 && self.not_finite > 0
    }
}

/// Sums of the points in a column, so that there is one division per column and not per bucket.
#[derive(Debug, Clone, Copy)]
struct ColumnAccumulator {
    min: f64,
    max: f64,
    sum: f64,
    finite: u64,
    not_finite: u64,
    /// Sum and number of the finite values in the newest bucket.
    newest: (f64, u32),
}

impl ColumnAccumulator {
    const EMPTY: ColumnAccumulator = ColumnAccumulator {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
        finite: 0,
        not_finite: 0,
        newest: (0.0, 1),
    };

    fn add(&mut self, bucket: &Bucket, smoothed: Option<f64>) {
        self.not_finite += u64::from(bucket.points - bucket.finite);
        if bucket.finite == 0 {
            return;
        }
        let (min, max, sum) = match smoothed {
            Some(value) => (value, value, value * f64::from(bucket.finite)),
            None => (bucket.min, bucket.max, bucket.sum),
        };
        self.finite += u64::from(bucket.finite);
        self.sum += sum;
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        self.newest = (sum, bucket.finite);
    }

    fn column(&self) -> Column {
        let ColumnAccumulator { min, max, sum, finite, not_finite, newest } = *self;
        if finite == 0 {
            return Column { not_finite, ..Column::EMPTY };
        }
        // Rounding may put a mean slightly outside.
        let clamped = |value: f64| value.max(min).min(max);
        let mean = clamped(sum / finite as f64);
        let last = clamped(newest.0 / f64::from(newest.1));
        Column { min, max, mean, last, finite, not_finite }
    }
}

/// The visible part of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewport {
    /// Center of the first column, in the unit of the axis.
    pub from: f64,
    /// Center of the last column.
    pub to: f64,
    /// Number of columns.
    pub columns: usize,
    /// Steps that are averaged over; 0 for no smoothing.
    pub span: f64,
}

impl Series {
    /// Adds a point. A step at or before the last one rewinds the curve to that step first.
    pub fn push(&mut self, step: u64, value: f64) {
        if self.last.is_some_and(|(last, _)| step <= last) {
            self.rewind(step);
        }
        self.last = Some((step, value));
        self.not_finite += u64::from(!value.is_finite());
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((step, value));
        self.fine.push(step, value);
        self.coarse.push(step, value);
    }

    /// Discards the points at and after `step`, as when a run resumes from an earlier checkpoint.
    pub fn rewind(&mut self, step: u64) {
        while self.recent.back().is_some_and(|(last, _)| *last >= step) {
            self.recent.pop_back();
        }
        self.fine.rewind(step);
        self.coarse.rewind(step);
        let not_finite = |bucket: &Bucket| u64::from(bucket.points - bucket.finite);
        self.not_finite = self.fine.all.iter().map(not_finite).sum();
        self.last = self.recent.back().copied();
    }

    /// The last point: step and value.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.last
    }

    /// The newest points, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = (u64, f64)> + ExactSizeIterator + '_ {
        self.recent.iter().copied()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Number of points that are not finite.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The newest value, averaged over `span` steps.
    pub fn smoothed(&self, span: f64) -> Option<f64> {
        let mut smoothed = Smoothed::over(span);
        let mut before = 0;
        let mut value = None;
        for bucket in self.coarse.all.iter().filter(|bucket| bucket.finite > 0) {
            value = Some(smoothed.add(bucket.mean(), (bucket.last - before) as f64));
            before = bucket.last;
        }
        value
    }

    /// The curve in the columns of `viewport`, along the axis of `mapper`.
    pub fn columns(&self, mut mapper: AxisMapper<'_>, viewport: Viewport) -> Vec<Column> {
        let Viewport { from, to, columns, span } = viewport;
        if columns == 0 || to < from {
            return vec![Column::EMPTY; columns];
        }
        let mut accumulators = vec![ColumnAccumulator::EMPTY; columns];
        let scale = if to > from { (columns - 1) as f64 / (to - from) } else { 0.0 };
        let mut smoothed = Smoothed::over(span);
        let buckets = self.buckets(mapper, viewport);
        let first = first_to_read(buckets, mapper, viewport);
        let mut before = first.checked_sub(1).map_or(0, |at| buckets[at].last);
        for bucket in &buckets[first..] {
            let mean = if span > 0.0 {
                let value = smoothed.add(bucket.mean(), (bucket.last - before) as f64);
                before = bucket.last;
                Some(value)
            } else {
                None
            };
            let middle = f64::midpoint(bucket.first as f64, bucket.last as f64);
            // Truncated after adding 0.5, because `round` is a function call for each bucket.
            let column = (mapper.at(middle) - from) * scale + 0.5;
            if column >= columns as f64 {
                break;
            }
            if column >= 0.0 {
                accumulators[column as usize].add(bucket, mean);
            }
        }
        accumulators.iter().map(ColumnAccumulator::column).collect()
    }

    /// The value at a position on the axis of `mapper`, interpolated between the points beside it; `None` outside of the
    /// curve and in gaps.
    pub fn value_at(&self, mut mapper: AxisMapper<'_>, at: f64) -> Option<f64> {
        let mut before: Option<(f64, f64)> = None;
        for bucket in &self.fine.all {
            let position = mapper.at(f64::midpoint(bucket.first as f64, bucket.last as f64));
            let mean = bucket.mean();
            if position >= at {
                let (start, value) = before.unwrap_or((position, mean));
                let share = if position > start { (at - start) / (position - start) } else { 1.0 };
                let found = value + share.max(0.0) * (mean - value);
                let is_inside = before.is_some() || position <= at;
                return (is_inside && found.is_finite()).then_some(found);
            }
            before = Some((position, mean));
        }
        None
    }

    /// The coarse buckets if there are enough of them for every column, else the fine ones.
    fn buckets(&self, mut mapper: AxisMapper<'_>, viewport: Viewport) -> &[Bucket] {
        let (Some(first), Some(last)) = (self.coarse.all.first(), self.coarse.all.last()) else {
            return &[];
        };
        let length = -mapper.at(first.first as f64) + mapper.at(last.last as f64);
        let visible =
            self.coarse.all.len() as f64 * (viewport.to - viewport.from) / length.max(f64::MIN_POSITIVE);
        if visible >= viewport.columns as f64 { &self.coarse.all } else { &self.fine.all }
    }
}

/// Index of the first bucket that the visible part depends on: the first visible one, or with smoothing one so far
/// before it that the weight of earlier values is negligible.
fn first_to_read(buckets: &[Bucket], mut mapper: AxisMapper<'_>, viewport: Viewport) -> usize {
    /// In spans: e⁻¹² is below the resolution of a chart.
    const NEGLIGIBLE: f64 = 12.0;
    // Half a column to the left is visible, and no column is wider than the viewport.
    let edge = viewport.from - (viewport.to - viewport.from);
    let visible = buckets.partition_point(|bucket| mapper.at(bucket.last as f64) < edge);
    let Some(bucket) = buckets.get(visible) else { return visible };
    let needed = bucket.first as f64 - NEGLIGIBLE * viewport.span;
    buckets[..visible].partition_point(|bucket| (bucket.last as f64) < needed)
}

#[cfg(test)]
mod tests {
    use super::super::axis::{Axis, StepAxis};
    use super::*;

    fn series(points: impl IntoIterator<Item = (u64, f64)>) -> Series {
        let mut series = Series::default();
        points.into_iter().for_each(|(step, value)| series.push(step, value));
        series
    }

    fn columns(series: &Series, from: f64, to: f64, columns: usize, span: f64) -> Vec<Column> {
        series.columns(StepAxis::default().mapper(Axis::Step), Viewport { from, to, columns, span })
    }

    #[test]
    fn million_steps_use_bounded_memory_and_keep_a_spike() {
        let value = |step| if step == 345_678 { 99.0 } else { 1.0 / (step as f64).sqrt() };
        let started = std::time::Instant::now();
        let series = series((1..=1_000_000).map(|step| (step, value(step))));
        let whole = columns(&series, 0.0, 1e6, 200, 0.0);
        assert!(started.elapsed().as_secs_f64() < 5.0, "{:?}", started.elapsed());
        assert!(series.fine.all.len() <= FINE && series.coarse.all.len() <= COARSE);
        assert!(series.recent.len() <= RECENT);
        let points: u64 = whole.iter().map(|column| column.finite).sum();
        assert_eq!(points, 1_000_000);
        let spikes: Vec<usize> = (0..200).filter(|at| whole[*at].max == 99.0).collect();
        assert_eq!(spikes, [(345_678.0_f64 * 199.0 / 1e6).round() as usize]);
        // Zoomed in, the fine buckets are read, and the spike is at the same step.
        let near = columns(&series, 340_000.0, 350_000.0, 100, 0.0);
        let spikes: Vec<usize> = (0..100).filter(|at| near[*at].max == 99.0).collect();
        assert!(matches!(spikes[..], [at] if (54..=58).contains(&at)), "{spikes:?}");
        assert!(near.iter().filter(|column| column.finite > 0).count() > 30);
    }

    #[test]
    fn value_between_two_points_is_interpolated() {
        let series = series([(1, 2.0), (3, 4.0), (4, f64::NAN), (5, 1.0)]);
        let at = |at| series.value_at(StepAxis::default().mapper(Axis::Step), at);
        assert_eq!([at(1.0), at(2.0), at(3.0), at(5.0)], [Some(2.0), Some(3.0), Some(4.0), None]);
        assert_eq!([at(0.5), at(3.5), at(9.0)], [None, None, None]);
    }

    #[test]
    fn value_that_is_not_finite_is_a_gap() {
        let series = series([(1, 2.0), (2, f64::NAN), (3, f64::INFINITY), (4, 1.0)]);
        assert_eq!(series.not_finite(), 2);
        for span in [0.0, 1e-9] {
            let columns = columns(&series, 1.0, 4.0, 4, span);
            let gaps: Vec<bool> = columns.iter().map(Column::is_gap).collect();
            assert_eq!(gaps, [false, true, true, false]);
            assert_eq!((columns[0].min, columns[3].max), (2.0, 1.0));
        }
    }

    #[test]
    fn rewind_discards_later_points() {
        let mut series = series((1..=10).map(|step| (step, step as f64)));
        series.push(6, 60.0);
        assert_eq!(series.last(), Some((6, 60.0)));
        let columns = columns(&series, 1.0, 10.0, 10, 0.0);
        let means: Vec<f64> = columns.iter().filter(|c| c.finite > 0).map(|column| column.mean).collect();
        assert_eq!(means, [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]);
        assert_eq!(series.recent().map(|point| point.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn zoom_does_not_change_a_smoothed_curve() {
        let value = |step: u64| (step as f64 / 500.0).sin() + (step * 7919 % 101) as f64 / 101.0;
        let series = series((1..=4000).map(|step| (step, value(step))));
        let whole = columns(&series, 0.0, 4000.0, 4001, 40.0);
        let near = columns(&series, 3000.0, 3100.0, 101, 40.0);
        for (a, b) in whole[3000..=3100].iter().zip(&near) {
            assert!((a.mean - b.mean).abs() < 1e-4 && a.finite == b.finite, "{a:?} {b:?}");
        }
    }

    #[test]
    fn smoothed_curve_may_start_at_step_zero() {
        let series = series([(0, 0.5), (100, 0.8), (200, 0.9)]);
        let columns = columns(&series, 0.0, 200.0, 3, 50.0);
        assert_eq!((columns[0].min, columns[0].mean, columns[0].last), (0.5, 0.5, 0.5));
        assert!((columns[1].mean - 0.8).abs() < 1e-12 && columns[2].mean > 0.8, "{columns:?}");
    }

    #[test]
    fn smoothing_starts_at_the_first_value_and_decays() {
        let mut smoothed = Smoothed::over(10.0);
        assert!((smoothed.add(3.0, 1.0) - 3.0).abs() < 1e-12);
        assert!((smoothed.add(f64::NAN, 1.0) - 3.0).abs() < 1e-12);
        let next = smoothed.add(1.0, 1.0);
        assert!(next > 1.0 && next < 3.0);
        // A point that represents ten steps has the weight of ten points.
        let dense = series((1..=1000).map(|step| (step, f64::from(u8::from(step > 500)))));
        let sparse = series((1..=100).map(|step| (10 * step, f64::from(u8::from(step > 50)))));
        let (dense, sparse) = (dense.smoothed(100.0).unwrap(), sparse.smoothed(100.0).unwrap());
        assert!((dense - sparse).abs() < 1e-3 && (0.99..1.0).contains(&dense), "{dense} {sparse}");
    }
}
