//! How fast the last seconds of a training were.

use crate::event::Step;
use std::collections::VecDeque;

/// Work over which speeds are averaged, in nanoseconds: ten seconds.
const LONGEST: u64 = 10_000_000_000;
/// Events over which they are averaged at most.
const MOST: usize = 1024;

/// Sums over the last seconds. Whole numbers, so that what goes out takes away just what it brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Speed {
    window: VecDeque<Work>,
    sum: Work,
}

/// What some steps did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Work {
    nanoseconds: u64,
    steps: u64,
    examples: u64,
    tokens: u64,
}

impl Speed {
    /// Takes `steps` more steps.
    pub(super) fn add(&mut self, step: &Step, steps: u64) {
        let nanoseconds = (step.seconds * 1e9) as u64;
        let work = Work { nanoseconds, steps, examples: step.examples, tokens: step.tokens };
        self.sum.nanoseconds += work.nanoseconds;
        self.sum.steps += work.steps;
        self.sum.examples += work.examples;
        self.sum.tokens += work.tokens;
        self.window.push_back(work);
        while self.window.len() > 1 && (self.window.len() > MOST || self.sum.nanoseconds > LONGEST) {
            let Some(gone) = self.window.pop_front() else { return };
            self.sum.nanoseconds -= gone.nanoseconds;
            self.sum.steps -= gone.steps;
            self.sum.examples -= gone.examples;
            self.sum.tokens -= gone.tokens;
        }
    }

    /// Steps, examples and tokens per second; `None` before the first step.
    pub(super) fn rates(&self) -> Option<[f64; 3]> {
        let seconds = self.sum.nanoseconds as f64 / 1e9;
        let rates = [self.sum.steps, self.sum.examples, self.sum.tokens].map(|count| count as f64 / seconds);
        (seconds > 0.0).then_some(rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let mut speed = Speed::default();
        assert_eq!(speed.rates(), None);
        let step = |seconds| Step {
            step: 1,
            epoch: 0.0,
            loss: 0.0,
            learning_rate: 0.0,
            grad_norm: 0.0,
            examples: 32,
            tokens: 640,
            seconds,
            usage: None,
        };
        for _ in 0..5 {
            speed.add(&step(4.0), 1);
        }
        assert_eq!(speed.rates(), Some([0.25, 8.0, 160.0]));
        for _ in 0..20 {
            speed.add(&step(0.5), 1);
        }
        assert_eq!(speed.rates(), Some([2.0, 64.0, 1280.0]));
    }
}
