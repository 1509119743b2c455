//! Predictions for each probe over the evaluations of a run.

use crate::event::{ProbePrediction, ProbeResult};
use crate::probes::Probe;
use crate::train::argmax;

/// Newest evaluations that are kept of each probe.
const MAX_POINTS: usize = 256;

/// The predictions for every probe of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProbeHistory {
    series: Vec<ProbeSeries>,
    /// Step of the newest prediction.
    newest: u64,
}

/// The predictions for one probe.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeSeries {
    /// The probe.
    pub probe: Probe,
    /// Optimizer steps done and the prediction, oldest first; never empty.
    pub points: Vec<(u64, ProbePrediction)>,
}

impl ProbeHistory {
    /// Adds a prediction.
    pub fn fold(&mut self, probe: &ProbeResult) {
        self.newest = probe.step;
        let known = self.series.iter().position(|series| series.probe == probe.probe);
        let at = known.unwrap_or_else(|| {
            self.series.push(ProbeSeries { probe: probe.probe.clone(), points: Vec::new() });
            self.series.len() - 1
        });
        let points = &mut self.series[at].points;
        // A step may be evaluated again, on request or after a resume; the newest prediction counts.
        points.retain(|(step, _)| *step < probe.step);
        if points.len() == MAX_POINTS {
            points.remove(0);
        }
        points.push((probe.step, probe.prediction.clone()));
    }

    /// Discards everything after step `done`.
    pub fn rewind(&mut self, done: u64) {
        for series in &mut self.series {
            series.points.retain(|(step, _)| *step <= done);
        }
        self.series.retain(|series| !series.points.is_empty());
        let last = self.series.iter().filter_map(|series| series.points.last());
        self.newest = last.map(|(step, _)| *step).max().unwrap_or(0);
    }

    /// The predictions for a probe, if there are any.
    pub fn series_of(&self, probe: &Probe) -> Option<&ProbeSeries> {
        self.series.iter().find(|series| series.probe == *probe)
    }

    /// The probes of the newest evaluation.
    pub fn newest(&self) -> impl Iterator<Item = &ProbeSeries> {
        let is_newest =
            |series: &&ProbeSeries| series.points.last().is_some_and(|(at, _)| *at == self.newest);
        self.series.iter().filter(is_newest)
    }
}

impl ProbeSeries {
    /// The newest prediction.
    pub fn last(&self) -> &ProbePrediction {
        &self.points[self.points.len() - 1].1
    }

    /// For each evaluation, the probability of the most probable label of the newest prediction, 0..=1, or the score of a
    /// regression, and whether the label or the labels differ from the evaluation before.
    pub fn values(&self) -> Vec<(f64, bool)> {
        let class = argmax(self.last().probabilities());
        let value = |prediction: &ProbePrediction| match prediction {
            ProbePrediction::Score { score } => f64::from(*score),
            other => other.probabilities().get(class).map_or(f64::NAN, |p| f64::from(*p)),
        };
        let previous = std::iter::once(None).chain(self.points.iter().map(Some));
        let flipped = |now: &ProbePrediction, before: Option<&(u64, ProbePrediction)>| {
            before.is_some_and(|b| differ(&b.1, now))
        };
        self.points
            .iter()
            .zip(previous)
            .map(|((_, now), before)| (value(now), flipped(now, before)))
            .collect()
    }

    /// Step of the last change of the label, if there was one.
    pub fn flipped_at(&self) -> Option<u64> {
        let mut pairs = self.points.windows(2).rev();
        pairs.find_map(|pair| match pair {
            [(_, a), (step, b)] => differ(a, b).then_some(*step),
            _ => None,
        })
    }
}

/// Whether two predictions have different labels.
fn differ(a: &ProbePrediction, b: &ProbePrediction) -> bool {
    a.label() != b.label()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(text: &str, step: u64, positive: f32) -> ProbeResult {
        let label = if positive > 0.5 { "positive" } else { "negative" };
        ProbeResult {
            step,
            epoch: 0.0,
            probe: Probe { text: text.into(), text_pair: None },
            prediction: ProbePrediction::Label {
                label: label.into(),
                flipped_from: None,
                probabilities: vec![1.0 - positive, positive],
            },
        }
    }

    #[test]
    fn flips_are_found_and_repeated_steps_count_once() {
        let mut history = ProbeHistory::default();
        for (step, positive) in [(0, 0.25), (10, 0.75), (20, 0.25), (20, 0.25), (30, 0.875)] {
            history.fold(&probe("a", step, positive));
        }
        history.fold(&probe("b", 30, 0.75));
        let series = history.newest().next().unwrap();
        assert_eq!(series.values(), [(0.25, false), (0.75, true), (0.25, true), (0.875, true)]);
        assert_eq!(series.flipped_at(), Some(30));
        assert_eq!(history.series_of(&probe("b", 0, 0.0).probe).unwrap().flipped_at(), None);
        history.rewind(25);
        let texts: Vec<_> = history.newest().map(|series| series.probe.text.as_str()).collect();
        assert_eq!(texts, ["a"]);
        // The newest label is negative: the values are its probabilities.
        assert_eq!(history.newest().next().unwrap().values(), [(0.75, false), (0.25, true), (0.75, true)]);
        history.fold(&probe("c", 30, 0.75));
        let texts: Vec<_> = history.newest().map(|series| series.probe.text.as_str()).collect();
        assert_eq!(texts, ["c"], "only probes of the newest evaluation");
    }

    #[test]
    fn long_run_keeps_the_newest_predictions() {
        let mut history = ProbeHistory::default();
        (0..1000).for_each(|step| history.fold(&probe("a", step, 0.75)));
        let series = history.newest().next().unwrap();
        assert_eq!((series.points.len(), series.points[0].0), (MAX_POINTS, 1000 - MAX_POINTS as u64));
    }
}
