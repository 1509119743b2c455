//! Throughput of the last seconds of a training.

use crate::event::Step;
use std::collections::VecDeque;

/// Time over which throughput is averaged, in nanoseconds: ten seconds.
const MAX_NANOSECONDS: u64 = 10_000_000_000;
/// Most events over which it is averaged.
const MAX_EVENTS: usize = 1024;
/// Limit of each number of an event: the sums of a damaged log do not overflow.
const MAX_COUNT: u64 = u64::MAX / (MAX_EVENTS as u64 + 1);

/// Sums over a sliding window. Integers, so that removing an event subtracts exactly what it added.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Speed {
    window: VecDeque<Totals>,
    sum: Totals,
}

/// Totals of some optimizer steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Totals {
    nanoseconds: u64,
    steps: u64,
    examples: u64,
    tokens: u64,
}

impl Speed {
    /// Adds an event that covers `steps` optimizer steps.
    pub(super) fn add(&mut self, step: &Step, steps: u64) {
        let nanoseconds = (step.seconds * 1e9) as u64;
        let [nanoseconds, steps, examples, tokens] =
            [nanoseconds, steps, step.examples, step.tokens].map(|count| count.min(MAX_COUNT));
        let totals = Totals { nanoseconds, steps, examples, tokens };
        self.sum.nanoseconds += totals.nanoseconds;
        self.sum.steps += totals.steps;
        self.sum.examples += totals.examples;
        self.sum.tokens += totals.tokens;
        self.window.push_back(totals);
        while self.window.len() > 1
            && (self.window.len() > MAX_EVENTS || self.sum.nanoseconds > MAX_NANOSECONDS)
        {
            let Some(oldest) = self.window.pop_front() else { return };
            self.sum.nanoseconds -= oldest.nanoseconds;
            self.sum.steps -= oldest.steps;
            self.sum.examples -= oldest.examples;
            self.sum.tokens -= oldest.tokens;
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
    fn throughput_is_averaged_over_the_last_seconds() {
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
