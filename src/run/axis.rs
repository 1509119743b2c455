//! Converts steps of a run to epochs, seconds of work and examples.

pub mod ticks;

use crate::event::Step;

/// Samples that are kept. When there are more, every second one is dropped. Values between two samples are
/// interpolated linearly.
const MAX_SAMPLES: usize = 512;

/// The unit of a horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axis {
    /// Passes over the training data.
    #[default]
    Epoch,
    /// Optimizer steps.
    Step,
    /// Seconds of steps and evaluations.
    Time,
    /// Training examples.
    Examples,
}

impl Axis {
    /// All axes, in the order in which the user cycles through them.
    pub const ALL: [Axis; 4] = [Axis::Epoch, Axis::Step, Axis::Time, Axis::Examples];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Epoch => "epoch",
            Axis::Step => "step",
            Axis::Time => "time",
            Axis::Examples => "examples",
        }
    }

    /// The next axis, cyclically.
    pub fn next(self) -> Axis {
        match self {
            Axis::Epoch => Axis::Step,
            Axis::Step => Axis::Time,
            Axis::Time => Axis::Examples,
            Axis::Examples => Axis::Epoch,
        }
    }
}

/// The seconds and examples of a run by step, in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepAxis {
    /// Optimizer steps of one epoch; 0 while unknown.
    pub steps_per_epoch: u64,
    samples: Vec<Sample>,
    last: Sample,
    /// Events per sample; 0 means 1.
    stride: u64,
    /// Events so far.
    events: u64,
}

/// Totals of a run at a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sample {
    step: f64,
    seconds: f64,
    examples: f64,
}

impl Sample {
    fn value(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Epoch | Axis::Step => self.step,
            Axis::Time => self.seconds,
            Axis::Examples => self.examples,
        }
    }

    /// The sample at `step`, interpolated between this one and `next`.
    fn interpolate(self, next: Sample, step: f64) -> Sample {
        let length = next.step - self.step;
        let fraction = if length > 0.0 { ((step - self.step) / length).clamp(0.0, 1.0) } else { 1.0 };
        Sample {
            step: self.step + fraction * length,
            seconds: self.seconds + fraction * (next.seconds - self.seconds),
            examples: self.examples + fraction * (next.examples - self.examples),
        }
    }
}

impl StepAxis {
    /// Adds a step event. A step that is not after the last one rewinds the axis first.
    pub fn step(&mut self, step: &Step) {
        if (step.step as f64) <= self.last.step {
            self.rewind(step.step);
        }
        self.advance(step.step, step.seconds, step.examples);
    }

    /// Adds `seconds` without examples until `step`.
    pub fn wait(&mut self, step: u64, seconds: f64) {
        self.advance(step, seconds, 0);
    }

    fn advance(&mut self, step: u64, seconds: f64, examples: u64) {
        self.last = Sample {
            step: step as f64,
            seconds: self.last.seconds + seconds,
            examples: self.last.examples + examples as f64,
        };
        if self.events.is_multiple_of(self.stride.max(1)) {
            if self.samples.len() >= MAX_SAMPLES {
                self.stride = 2 * self.stride.max(1);
                let mut is_kept = false;
                self.samples.retain(|_| {
                    is_kept = !is_kept;
                    is_kept
                });
            }
            self.samples.push(self.last);
        }
        self.events += 1;
    }

    /// Adds `seconds` of work between two steps.
    pub fn add_seconds(&mut self, seconds: f64) {
        self.last.seconds += seconds;
    }

    /// Discards `step` and everything after it.
    pub fn rewind(&mut self, step: u64) {
        let done = step.saturating_sub(1) as f64;
        if done >= self.last.step {
            return;
        }
        let next = self.samples.partition_point(|sample| sample.step <= done);
        let before = next.checked_sub(1).map_or(Sample::default(), |at| self.samples[at]);
        let after = self.samples.get(next).copied().unwrap_or(self.last);
        self.last = before.interpolate(after, done);
        self.samples.truncate(next);
        self.samples.push(self.last);
    }

    /// Converts steps to values of `axis`.
    pub fn mapper(&self, axis: Axis) -> AxisMapper<'_> {
        let epochs_per_step = 1.0 / self.steps_per_epoch.max(1) as f64;
        AxisMapper { step_axis: self, axis, epochs_per_step, next: 0, segment: Segment::NONE }
    }
}

/// Converts steps to values of an axis; fastest for ascending steps.
#[derive(Debug, Clone, Copy)]
pub struct AxisMapper<'a> {
    step_axis: &'a StepAxis,
    axis: Axis,
    epochs_per_step: f64,
    /// Index of the first sample after the step that was converted last.
    next: usize,
    /// The segment that ends at that sample.
    segment: Segment,
}

/// A line between two samples, in the unit of an axis.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// First step, and the step after the last one.
    steps: (f64, f64),
    start: f64,
    slope: f64,
}

impl Segment {
    /// A segment without steps.
    const NONE: Segment = Segment { steps: (f64::INFINITY, f64::NEG_INFINITY), start: 0.0, slope: 0.0 };

    fn between(before: Sample, after: Sample, axis: Axis) -> Segment {
        let (start, length) = (before.value(axis), after.step - before.step);
        let slope = if length > 0.0 { (after.value(axis) - start) / length } else { 0.0 };
        Segment { steps: (before.step, after.step), start, slope }
    }
}

impl AxisMapper<'_> {
    /// The value at `step`. Time and examples stay constant after the newest step.
    #[inline]
    pub fn at(&mut self, step: f64) -> f64 {
        match self.axis {
            Axis::Step => step,
            Axis::Epoch => step * self.epochs_per_step,
            Axis::Time | Axis::Examples => self.between_samples(step),
        }
    }

    fn between_samples(&mut self, step: f64) -> f64 {
        let (from, to) = self.segment.steps;
        if !(from <= step && step < to) {
            self.segment = self.find(step);
        }
        let Segment { steps: (from, to), start, slope } = self.segment;
        start + slope * (step.min(to) - from).max(0.0)
    }

    fn find(&mut self, step: f64) -> Segment {
        let samples = &self.step_axis.samples;
        if self.next > 0 && samples[self.next - 1].step > step {
            self.next = samples.partition_point(|sample| sample.step <= step);
        }
        while samples.get(self.next).is_some_and(|sample| sample.step <= step) {
            self.next += 1;
        }
        let before = self.next.checked_sub(1).map_or(Sample::default(), |at| samples[at]);
        let after = samples.get(self.next).copied().unwrap_or(self.step_axis.last);
        Segment::between(before, after, self.axis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, examples: u64, seconds: f64) -> Step {
        let (epoch, loss, learning_rate, grad_norm) = (0.0, 0.0, 0.0, 0.0);
        Step { step, epoch, loss, learning_rate, grad_norm, examples, tokens: 0, seconds, usage: None }
    }

    #[test]
    fn values_between_samples_are_interpolated() {
        let mut step_axis = StepAxis { steps_per_epoch: 5, ..StepAxis::default() };
        step_axis.step(&step(10, 320, 2.0));
        step_axis.add_seconds(1.0);
        step_axis.step(&step(20, 320, 4.0));
        let at = |axis, step| step_axis.mapper(axis).at(step);
        assert_eq!([0.0, 5.0, 10.0, 20.0, 30.0].map(|step| at(Axis::Time, step)), [0.0, 1.0, 2.0, 7.0, 7.0]);
        assert_eq!([at(Axis::Examples, 15.0), at(Axis::Epoch, 20.0), at(Axis::Step, 7.0)], [480.0, 4.0, 7.0]);
        let mut mapper = step_axis.mapper(Axis::Examples);
        assert_eq!([20.0, 5.0, 15.0].map(|step| mapper.at(step)), [640.0, 160.0, 480.0], "in any order");
    }

    #[test]
    fn long_run_uses_bounded_memory_and_can_be_rewound() {
        let mut step_axis = StepAxis::default();
        for number in 1..=1_000_000 {
            step_axis.step(&step(number, 32, 0.5));
        }
        assert!(step_axis.samples.len() <= MAX_SAMPLES);
        let seconds = step_axis.mapper(Axis::Time).at(123_456.0);
        assert!((seconds - 61_728.0).abs() < 1e-6, "{seconds}");
        step_axis.rewind(500_001);
        step_axis.step(&step(500_001, 32, 10.0));
        let mut mapper = step_axis.mapper(Axis::Time);
        assert!((mapper.at(500_000.0) - 250_000.0).abs() < 1e-6);
        assert!((mapper.at(1e6) - 250_010.0).abs() < 1e-6);
    }
}
