//! A curve over any number of steps in bounded memory, in which a spike never vanishes: beside the
//! most recent points it keeps a fixed number of buckets with the lowest and highest value of each.

use std::collections::VecDeque;

/// Points that a curve keeps exactly.
const RECENT: usize = 1024;
/// Buckets of a curve; when all are full, neighbours are merged. Even, so that merging comes out.
const BUCKETS: usize = 4096;

/// A curve over steps, whole in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    recent: VecDeque<(u64, f64)>,
    buckets: Vec<Bucket>,
    points_per_bucket: u64,
    not_finite: u64,
    last: Option<(u64, f64)>,
}

/// Neighbouring points as one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    first: u64,
    last: u64,
    min: f64,
    max: f64,
    sum: f64,
    finite: u64,
    points: u64,
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
}

/// The points of a curve that fall into one column of a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// Mean value.
    pub mean: f64,
    /// Finite points that fell here.
    pub finite: u64,
    /// Points that were not finite numbers.
    pub not_finite: u64,
}

impl Column {
    /// A column that no point fell into.
    pub const EMPTY: Column =
        Column { min: f64::INFINITY, max: f64::NEG_INFINITY, mean: f64::NAN, finite: 0, not_finite: 0 };

    /// Whether points fell here and none was a finite number.
    pub fn is_gap(&self) -> bool {
        self.finite == 0 && self.not_finite > 0
    }

    fn take(&mut self, bucket: &Bucket) {
        if bucket.finite > 0 {
            let before = if self.finite > 0 { self.mean * self.finite as f64 } else { 0.0 };
            self.finite += bucket.finite;
            self.mean = (before + bucket.sum) / self.finite as f64;
            self.min = self.min.min(bucket.min);
            self.max = self.max.max(bucket.max);
        }
        self.not_finite += bucket.points - bucket.finite;
    }
}

impl Series {
    /// Adds a point. A step at or before the last one goes back: the points from there on are forgotten.
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
        let points = self.points_per_bucket.max(1);
        match self.buckets.last_mut() {
            Some(bucket) if bucket.points < points => bucket.add(step, value),
            _ => {
                if self.buckets.len() == BUCKETS {
                    self.merge_pairs();
                }
                self.buckets.push(Bucket::new(step, value));
            }
        }
    }

    /// Forgets the points at `step` and after it, as when a run goes on from an earlier checkpoint.
    pub fn rewind(&mut self, step: u64) {
        while self.recent.back().is_some_and(|(last, _)| *last >= step) {
            self.recent.pop_back();
        }
        while self.buckets.last().is_some_and(|bucket| bucket.first >= step) {
            self.buckets.pop();
        }
        // A bucket that the step cuts keeps its extremes: what was seen there was seen.
        if let Some(bucket) = self.buckets.last_mut() {
            bucket.last = bucket.last.min(step.saturating_sub(1));
        }
        self.not_finite = self.buckets.iter().map(|bucket| bucket.points - bucket.finite).sum();
        self.last = self.recent.back().copied();
    }

    fn merge_pairs(&mut self) {
        let merged = self.buckets.chunks(2).map(|pair| match pair {
            [a, b] => a.merge(*b),
            _ => pair[0],
        });
        self.buckets = merged.collect();
        self.points_per_bucket = self.points_per_bucket.max(1) * 2;
    }

    /// The last point: step and value.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.last
    }

    /// The last point that is a finite number.
    pub fn last_finite(&self) -> Option<(u64, f64)> {
        self.recent.iter().rev().find(|(_, value)| value.is_finite()).copied()
    }

    /// The newest points, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = (u64, f64)> + ExactSizeIterator + '_ {
        self.recent.iter().copied()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// How many points were not finite numbers.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// Whether every point is still there exactly, as few points are.
    pub fn is_exact(&self) -> bool {
        self.points_per_bucket <= 1
    }

    /// The lowest and highest finite value ever seen.
    pub fn bounds(&self) -> Option<(f64, f64)> {
        let finite = self.buckets.iter().filter(|bucket| bucket.finite > 0);
        finite.fold(None, |bounds, bucket| {
            let (min, max) = bounds.unwrap_or((bucket.min, bucket.max));
            Some((min.min(bucket.min), max.max(bucket.max)))
        })
    }

    /// Every bucket's step, lowest and highest value, oldest first; single points while there are few.
    pub fn extremes(&self) -> impl Iterator<Item = (u64, f64, f64)> + '_ {
        let finite = self.buckets.iter().filter(|bucket| bucket.finite > 0);
        finite.map(|bucket| (bucket.first, bucket.min, bucket.max))
    }

    /// The curve between the steps `from` and `to` in `columns` columns. The first column is
    /// centred on `from` and the last on `to`.
    pub fn columns(&self, from: f64, to: f64, columns: usize) -> Vec<Column> {
        let mut out = vec![Column::EMPTY; columns];
        if columns == 0 || to < from {
            return out;
        }
        let scale = if to > from { (columns - 1) as f64 / (to - from) } else { 0.0 };
        for bucket in &self.buckets {
            let middle = f64::midpoint(bucket.first as f64, bucket.last as f64);
            let place = ((middle - from) * scale).round();
            if place >= 0.0 && place < columns as f64 {
                out[place as usize].take(bucket);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_steps_stay_small_and_keep_their_spike() {
        let mut series = Series::default();
        let started = std::time::Instant::now();
        for step in 1..=1_000_000_u64 {
            let value = if step == 345_678 { 99.0 } else { 1.0 / (step as f64).sqrt() };
            series.push(step, value);
        }
        let columns = series.columns(0.0, 1e6, 200);
        assert!(started.elapsed().as_secs_f64() < 5.0, "{:?}", started.elapsed());
        assert!(series.buckets.len() <= BUCKETS && series.recent.len() <= RECENT);
        let points: u64 = columns.iter().map(|column| column.finite).sum();
        assert_eq!(points, 1_000_000);
        let spikes: Vec<usize> = (0..200).filter(|at| columns[*at].max == 99.0).collect();
        assert_eq!(spikes, [(345_678.0_f64 * 199.0 / 1e6).round() as usize]);
        assert_eq!(series.bounds(), Some((1e-3, 99.0)));
    }

    #[test]
    fn a_number_that_is_none_is_a_gap_and_spoils_nothing() {
        let mut series = Series::default();
        for (step, value) in [(1, 2.0), (2, f64::NAN), (3, f64::INFINITY), (4, 1.0)] {
            series.push(step, value);
        }
        assert_eq!(series.bounds(), Some((1.0, 2.0)));
        assert_eq!(series.not_finite(), 2);
        let columns = series.columns(1.0, 4.0, 4);
        assert!(!columns[0].is_gap() && columns[1].is_gap() && columns[2].is_gap() && !columns[3].is_gap());
    }

    #[test]
    fn going_back_forgets_what_came_after() {
        let mut series = Series::default();
        for step in 1..=10 {
            series.push(step, step as f64);
        }
        series.push(6, 60.0);
        assert_eq!(series.last(), Some((6, 60.0)));
        assert_eq!(series.bounds(), Some((1.0, 60.0)));
        assert_eq!(series.recent().map(|point| point.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }
}
