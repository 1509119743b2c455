//! What was said of each pinned text over the evaluations of a run.

use crate::event::{ProbePrediction, ProbeResult};
use crate::probes::Probe;
use crate::train::argmax;

/// Evaluations that are kept of a text, the newest ones.
const KEPT: usize = 256;

/// Every text that was ever scored in a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProbeHistory {
    courses: Vec<ProbeCourse>,
    /// Steps done when texts were scored last.
    newest: u64,
}

/// What was said of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeCourse {
    /// The text.
    pub pin: Probe,
    /// The optimizer steps done and what was said, oldest first; never empty.
    pub points: Vec<(u64, ProbePrediction)>,
}

impl ProbeHistory {
    /// Takes one more.
    pub fn fold(&mut self, probe: &ProbeResult) {
        self.newest = probe.step;
        let known = self.courses.iter().position(|course| course.pin == probe.probe);
        let at = known.unwrap_or_else(|| {
            self.courses.push(ProbeCourse { pin: probe.probe.clone(), points: Vec::new() });
            self.courses.len() - 1
        });
        let points = &mut self.courses[at].points;
        // A step that is scored once more, on request or after a stop, is told once.
        points.retain(|(step, _)| *step < probe.step);
        if points.len() == KEPT {
            points.remove(0);
        }
        points.push((probe.step, probe.prediction.clone()));
    }

    /// Forgets what came after `done` steps.
    pub fn rewind(&mut self, done: u64) {
        for course in &mut self.courses {
            course.points.retain(|(step, _)| *step <= done);
        }
        self.courses.retain(|course| !course.points.is_empty());
        let last = self.courses.iter().filter_map(|course| course.points.last());
        self.newest = last.map(|(step, _)| *step).max().unwrap_or(0);
    }

    /// What was said of a text, if it was scored.
    pub fn of(&self, pin: &Probe) -> Option<&ProbeCourse> {
        self.courses.iter().find(|course| course.pin == *pin)
    }

    /// The texts that were scored last.
    pub fn newest(&self) -> impl Iterator<Item = &ProbeCourse> {
        let is_newest =
            |course: &&ProbeCourse| course.points.last().is_some_and(|(at, _)| *at == self.newest);
        self.courses.iter().filter(is_newest)
    }
}

impl ProbeCourse {
    /// What was said last.
    pub fn last(&self) -> &ProbePrediction {
        &self.points[self.points.len() - 1].1
    }

    /// Over the evaluations, the probability of the label that it has now, 0..=1, or the number of a regression;
    /// with each whether its label is another than at the evaluation before.
    pub fn values(&self) -> Vec<(f64, bool)> {
        let class = match self.last() {
            ProbePrediction::Label { probabilities, .. } => argmax(probabilities),
            ProbePrediction::Score { .. } => 0,
        };
        let value = |told: &ProbePrediction| match told {
            ProbePrediction::Label { probabilities, .. } => {
                probabilities.get(class).map_or(f64::NAN, |p| f64::from(*p))
            }
            ProbePrediction::Score { score } => f64::from(*score),
        };
        let before = std::iter::once(None).chain(self.points.iter().map(Some));
        let flipped = |now: &ProbePrediction, before: Option<&(u64, ProbePrediction)>| {
            before.is_some_and(|b| differ(&b.1, now))
        };
        self.points.iter().zip(before).map(|((_, now), before)| (value(now), flipped(now, before))).collect()
    }

    /// Steps done when its label became the one that it has now, if it was ever another.
    pub fn flipped_at(&self) -> Option<u64> {
        let pairs = self.points.windows(2).rev();
        pairs.filter(|pair| differ(&pair[0].1, &pair[1].1)).map(|pair| pair[1].0).next()
    }
}

/// Whether two answers are of different labels.
fn differ(a: &ProbePrediction, b: &ProbePrediction) -> bool {
    matches!((a, b), (ProbePrediction::Label { label: a, .. }, ProbePrediction::Label { label: b, .. }) if a != b)
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
    fn labels_flip_and_steps_that_are_done_again_are_told_once() {
        let mut history = ProbeHistory::default();
        for (step, positive) in [(0, 0.25), (10, 0.75), (20, 0.25), (20, 0.25), (30, 0.875)] {
            history.fold(&probe("a", step, positive));
        }
        history.fold(&probe("b", 30, 0.75));
        let course = history.newest().next().unwrap();
        assert_eq!(course.values(), [(0.25, false), (0.75, true), (0.25, true), (0.875, true)]);
        assert_eq!(course.flipped_at(), Some(30));
        assert_eq!(history.of(&probe("b", 0, 0.0).probe).unwrap().flipped_at(), None);
        history.rewind(25);
        let texts: Vec<_> = history.newest().map(|course| course.pin.text.as_str()).collect();
        assert_eq!(texts, ["a"]);
        // It is negative now: what is shown is how probable that was.
        assert_eq!(history.newest().next().unwrap().values(), [(0.75, false), (0.25, true), (0.75, true)]);
        history.fold(&probe("c", 30, 0.75));
        let texts: Vec<_> = history.newest().map(|course| course.pin.text.as_str()).collect();
        assert_eq!(texts, ["c"], "what is no longer pinned is not in front");
    }

    #[test]
    fn a_long_run_keeps_the_newest() {
        let mut history = ProbeHistory::default();
        (0..1000).for_each(|step| history.fold(&probe("a", step, 0.75)));
        let course = history.newest().next().unwrap();
        assert_eq!((course.points.len(), course.points[0].0), (KEPT, 1000 - KEPT as u64));
    }
}
