//! The statistics of a comparison, metric by metric.

use super::shared_rows::SharedRows;
use crate::catalog::{Metric, MetricDisplay, Task};
use crate::error::{Error, Result};
use crate::event::Scores;
use crate::run::repeats::Repeats;
use crate::stats::bootstrap::{Resampler, SEED, p_value, percentile_interval};
use crate::stats::{
    ConfidenceInterval, FurtherSeeds, McNemar, RandomEffects, SIGNIFICANCE_LEVEL, SeedScores, wilson,
};
use crate::train::{MetricRows, Predictions, within_range};
use serde::Serialize;

/// The differences, in points or for a loss as they are, for which the number of further seeds is given.
const POINTS: [f64; 5] = [0.02, 0.01, 0.005, 0.002, 0.001];
const LOSSES: [f64; 4] = [0.1, 0.05, 0.02, 0.01];

/// The comparison of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricComparison {
    /// The metric.
    pub metric: Metric,
    /// The score of side A on the shared rows.
    pub a: SideScore,
    /// The score of side B.
    pub b: SideScore,
    /// A − B.
    pub difference: Difference,
    /// For some differences, the number of further seeds on each side that would detect them. Empty where
    /// `max_eval_samples` draws other rows for each seed: further seeds would leave fewer rows that all seeds share.
    pub detectable: Vec<Detectable>,
}

/// The score of a side on the shared rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideScore {
    /// The mean over the seeds.
    pub mean: f64,
    /// The standard deviation over the seeds; absent for one seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// The score of each seed, in the order of the seeds of the side.
    pub values: Vec<f64>,
    /// The interval of the mean, for seeds and rows as samples.
    pub confidence_interval: ConfidenceInterval,
}

/// The difference of the means, A − B.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// Its interval.
    pub confidence_interval: ConfidenceInterval,
    /// The p-value of the hypothesis that it is 0.
    pub p_value: f64,
    /// The test.
    pub test: Test,
    /// Whether it is significant at 5 %, for one look.
    pub is_significant: bool,
    /// Its standard error.
    pub standard_error: f64,
    /// Its variance by source; that of the seeds is null for one seed on each side.
    pub variance: RandomEffects,
    /// The rows that only one side has right, for McNemar's test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discordant: Option<McNemar>,
}

/// A test of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// One seed each, and each row is right or wrong.
    #[serde(rename = "mcnemar")]
    McNemar,
    /// One seed each, and a metric that is a mean over the rows.
    PairedT,
    /// One seed each, and any other metric.
    PairedBootstrap,
    /// Several seeds.
    RandomEffects,
}

impl Test {
    /// Its name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Test::McNemar => "McNemar's exact test",
            Test::PairedT => "paired t-test over rows",
            Test::PairedBootstrap => "paired bootstrap over rows",
            Test::RandomEffects => "random effects of seeds and rows",
        }
    }
}

/// A difference, and what is needed to detect it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Detectable {
    /// The difference.
    pub difference: f64,
    /// The further seeds on each side.
    pub further_seeds: FurtherSeeds,
}

/// Compares every metric, `first` first. Also returns the metrics that are undefined on these rows.
///
/// # Errors
/// [`Error::Usage`] for more rows than a resample can have.
pub(super) fn analyze(
    task: &'static Task,
    first: Metric,
    rows: &SharedRows,
) -> Result<(Vec<MetricComparison>, Vec<Metric>)> {
    let scores = |seeds: &[Predictions]| seeds.iter().map(|seed| seed.scores(task)).collect::<Vec<_>>();
    let (scores_a, scores_b) = (scores(&rows.a), scores(&rows.b));
    let reported = scores_a.first().map(|scores| scores.metrics.keys().copied()).into_iter().flatten();
    let others = reported.chain([Metric::Loss]).filter(|metric| *metric != first);
    let resamples = Resamples::of(rows)?;
    let (mut compared, mut undefined) = (Vec::new(), Vec::new());
    for metric in std::iter::once(first).chain(others) {
        let values = |scores: &[Scores]| -> Option<Vec<f64>> {
            scores.iter().map(|scores| scores.get(metric).filter(|value| value.is_finite())).collect()
        };
        let sides = values(&scores_a).zip(values(&scores_b));
        let found = sides.and_then(|(a, b)| compare_metric(metric, [a, b], rows, &resamples));
        match found {
            Some(comparison) => compared.push(comparison),
            None if metric == first => return Ok((Vec::new(), vec![metric])),
            None => undefined.push(metric),
        }
    }
    Ok((compared, undefined))
}

/// The values over which the scores vary with the rows.
struct Replicates {
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    /// Number of rows for values of rows, 1 for resamples.
    divisor: f64,
}

fn compare_metric(
    metric: Metric,
    [a, b]: [Vec<f64>; 2],
    rows: &SharedRows,
    resamples: &Resamples,
) -> Option<MetricComparison> {
    let count = rows.count();
    let of_rows = |seeds: &[Predictions]| -> Option<Vec<Vec<f64>>> {
        seeds.iter().map(|seed| seed.row_values(metric)).collect()
    };
    let by_row = of_rows(&rows.a).zip(of_rows(&rows.b));
    let is_mean = by_row.is_some();
    let replicates = match by_row {
        Some((a, b)) => Replicates { a, b, divisor: count as f64 },
        None => resamples.replicates(metric)?,
    };
    let divisor = replicates.divisor;
    let side_a = SeedScores { values: &a, replicates: &replicates.a, divisor };
    let side_b = SeedScores { values: &b, replicates: &replicates.b, divisor };
    let effects = RandomEffects::of(side_a, side_b, count);
    let is_binary = matches!(metric, Metric::Accuracy | Metric::ExactMatch);
    let test = match (a.len(), b.len()) {
        (1, 1) if is_binary => Test::McNemar,
        (1, 1) if is_mean => Test::PairedT,
        (1, 1) => Test::PairedBootstrap,
        _ => Test::RandomEffects,
    };
    let score = |side: SeedScores<'_>| {
        let Repeats { mean, sd, .. } = Repeats::of(side.values.iter().copied())?;
        let single = side.values.len() == 1;
        let interval = match single {
            true if is_binary => wilson(mean * count as f64, count as u64)?,
            true if !is_mean => percentile_interval(side.replicates.first()?)?,
            _ => side.interval(count),
        };
        let values = side.values.to_vec();
        let interval = within_range(metric, interval);
        Some(SideScore { mean, sd: (!single).then_some(sd), values, confidence_interval: interval })
    };
    Some(MetricComparison {
        metric,
        a: score(side_a)?,
        b: score(side_b)?,
        difference: difference(test, effects, &replicates),
        detectable: if rows.are_drawn_by_seed { Vec::new() } else { detectable(metric, &effects, &a, &b) },
    })
}

fn difference(test: Test, effects: RandomEffects, replicates: &Replicates) -> Difference {
    let first = |side: &[Vec<f64>]| side.first().cloned().unwrap_or_default();
    let (a, b) = (first(&replicates.a), first(&replicates.b));
    let pairs = || a.iter().copied().zip(b.iter().copied());
    let mut discordant = None;
    let (interval, p) = match test {
        Test::McNemar => {
            let counts = McNemar::of(pairs().map(|(a, b)| (a == 1.0, b == 1.0)));
            discordant = Some(counts);
            (counts.interval(), counts.p_value())
        }
        Test::PairedBootstrap => {
            let differences: Vec<f64> = pairs().map(|(a, b)| a - b).collect();
            (percentile_interval(&differences).unwrap_or_else(|| effects.interval()), p_value(&differences))
        }
        Test::PairedT | Test::RandomEffects => (effects.interval(), effects.p_value()),
    };
    Difference {
        value: effects.difference,
        confidence_interval: interval,
        p_value: p,
        test,
        is_significant: p <= SIGNIFICANCE_LEVEL,
        standard_error: effects.standard_error(),
        variance: effects,
        discordant,
    }
}

fn detectable(metric: Metric, effects: &RandomEffects, a: &[f64], b: &[f64]) -> Vec<Detectable> {
    let differences: &[f64] = match metric.display() {
        MetricDisplay::Percent | MetricDisplay::Coefficient => &POINTS,
        MetricDisplay::Loss => &LOSSES,
    };
    let of = |difference: &f64| Detectable {
        difference: *difference,
        further_seeds: effects.further_seeds(a, b, *difference),
    };
    differences.iter().map(of).collect()
}

/// Resamples of the rows for the metrics that are no means over rows.
struct Resamples {
    a: Vec<MetricRows>,
    b: Vec<MetricRows>,
    resampler: Resampler,
}

impl Resamples {
    fn of(shared: &SharedRows) -> Result<Self> {
        let rows = u32::try_from(shared.count())
            .map_err(|_| Error::Usage("there are too many rows to resample; compare fewer".into()))?;
        let metric_rows = |seeds: &[Predictions]| seeds.iter().map(MetricRows::of).collect();
        let (a, b) = (metric_rows(&shared.a), metric_rows(&shared.b));
        Ok(Resamples { a, b, resampler: Resampler::new(SEED, rows) })
    }

    /// The metric of each seed in each resample; `None` if it is undefined in too many of them.
    fn replicates(&self, metric: Metric) -> Option<Replicates> {
        let seeds = || self.a.iter().chain(&self.b);
        let values =
            |drawn: &[u32]| seeds().map(|seed| seed.value(metric, drawn)).collect::<Option<Vec<f64>>>();
        let resamples = self.resampler.replicates(MetricRows::resamples(seeds(), metric), values)?;
        let of_seed = |seed: usize| resamples.iter().map(|values| values[seed]).collect::<Vec<f64>>();
        let (a, b) = (self.a.len(), self.b.len());
        Some(Replicates {
            a: (0..a).map(of_seed).collect(),
            b: (a..a + b).map(of_seed).collect(),
            divisor: 1.0,
        })
    }
}
