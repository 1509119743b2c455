//! Steps in other measures: how many epochs, seconds of work and examples a run had behind it at a step.

use crate::event::Step;

/// Marks that are kept; when there are more, every second one goes. Between two samples a run is taken
/// to be even.
const SAMPLES: usize = 512;

/// What a curve can be drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axis {
    /// Passes over the training rows.
    #[default]
    Epoch,
    /// Optimizer steps.
    Step,
    /// Seconds of work in steps and evaluations.
    Time,
    /// Examples worked on.
    Examples,
}

impl Axis {
    /// Every axis, in the order of choosing.
    pub const ALL: [Axis; 4] = [Axis::Epoch, Axis::Step, Axis::Time, Axis::Examples];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Epoch => "epoch",
            Axis::Step => "step",
            Axis::Time => "time",
            Axis::Examples => "examples",
        }
    }

    /// The next one, after the last the first.
    pub fn next(self) -> Axis {
        let at = Axis::ALL.iter().position(|axis| *axis == self).unwrap_or(0);
        Axis::ALL[(at + 1) % Axis::ALL.len()]
    }
}

/// The axis of a run, in bounded memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepAxis {
    /// Steps of one epoch; 0 while it is not known.
    pub steps_per_epoch: u64,
    samples: Vec<Sample>,
    last: Sample,
    /// Events of which one becomes a mark.
    stride: u64,
    passed: u64,
}

/// Where a run was at a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sample {
    step: f64,
    seconds: f64,
    examples: f64,
}

impl Sample {
    fn measure(&self, axis: Axis) -> f64 {
        match axis {
            Axis::Epoch | Axis::Step => self.step,
            Axis::Time => self.seconds,
            Axis::Examples => self.examples,
        }
    }

    /// The place at `step` on the straight way from here to `next`.
    fn towards(self, next: Sample, step: f64) -> Sample {
        let length = next.step - self.step;
        let share = if length > 0.0 { ((step - self.step) / length).clamp(0.0, 1.0) } else { 1.0 };
        Sample {
            step: self.step + share * length,
            seconds: self.seconds + share * (next.seconds - self.seconds),
            examples: self.examples + share * (next.examples - self.examples),
        }
    }
}

impl StepAxis {
    /// Takes one more event of steps.
    pub fn step(&mut self, step: &Step) {
        if (step.step as f64) <= self.last.step {
            self.rewind(step.step);
        }
        self.advance(step.step, step.seconds, step.examples);
    }

    /// So many seconds passed until `step`, in which nothing was worked on.
    pub fn wait(&mut self, step: u64, seconds: f64) {
        self.advance(step, seconds, 0);
    }

    fn advance(&mut self, step: u64, seconds: f64, examples: u64) {
        self.last = Sample {
            step: step as f64,
            seconds: self.last.seconds + seconds,
            examples: self.last.examples + examples as f64,
        };
        if self.passed.is_multiple_of(self.stride.max(1)) {
            if self.samples.len() >= SAMPLES {
                self.stride = 2 * self.stride.max(1);
                let mut is_kept = false;
                self.samples.retain(|_| {
                    is_kept = !is_kept;
                    is_kept
                });
            }
            self.samples.push(self.last);
        }
        self.passed += 1;
    }

    /// Work between two steps took `seconds`.
    pub fn spend(&mut self, seconds: f64) {
        self.last.seconds += seconds;
    }

    /// Forgets what was at `step` and after it: the run goes on from the step before.
    pub fn rewind(&mut self, step: u64) {
        let done = step.saturating_sub(1) as f64;
        if done >= self.last.step {
            return;
        }
        let next = self.samples.partition_point(|mark| mark.step <= done);
        let before = next.checked_sub(1).map_or(Sample::default(), |at| self.samples[at]);
        let after = self.samples.get(next).copied().unwrap_or(self.last);
        self.last = before.towards(after, done);
        self.samples.truncate(next);
        self.samples.push(self.last);
    }

    /// A measure of steps along `axis`.
    pub fn mapper(&self, axis: Axis) -> AxisMapper<'_> {
        let epochs = 1.0 / self.steps_per_epoch.max(1) as f64;
        AxisMapper { step_axis: self, axis, epochs, next: 0, segment: Segment::NONE }
    }
}

/// Measures steps one after the other; quick while they ascend.
#[derive(Debug, Clone, Copy)]
pub struct AxisMapper<'a> {
    step_axis: &'a StepAxis,
    axis: Axis,
    /// Epochs of one step.
    epochs: f64,
    /// The first mark behind the step that was measured last.
    next: usize,
    /// What lies between that mark and the one before.
    segment: Segment,
}

/// The straight way between two samples, in the measure of an axis.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Steps from here on, and before there.
    steps: (f64, f64),
    start: f64,
    slope: f64,
}

impl Segment {
    /// No step is in it.
    const NONE: Segment = Segment { steps: (f64::INFINITY, f64::NEG_INFINITY), start: 0.0, slope: 0.0 };

    fn between(before: Sample, after: Sample, axis: Axis) -> Segment {
        let (start, length) = (before.measure(axis), after.step - before.step);
        let slope = if length > 0.0 { (after.measure(axis) - start) / length } else { 0.0 };
        Segment { steps: (before.step, after.step), start, slope }
    }
}

impl AxisMapper<'_> {
    /// How far the run was at `step`, in the measure of the axis. What time and examples will be after
    /// the newest step is not known: there they stay.
    #[inline]
    pub fn at(&mut self, step: f64) -> f64 {
        match self.axis {
            Axis::Step => step,
            Axis::Epoch => step * self.epochs,
            Axis::Time | Axis::Examples => self.between_marks(step),
        }
    }

    fn between_marks(&mut self, step: f64) -> f64 {
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
            self.next = samples.partition_point(|mark| mark.step <= step);
        }
        while samples.get(self.next).is_some_and(|mark| mark.step <= step) {
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
    fn steps_are_measured_between_marks() {
        let mut step_axis = StepAxis { steps_per_epoch: 5, ..StepAxis::default() };
        step_axis.step(&step(10, 320, 2.0));
        step_axis.spend(1.0);
        step_axis.step(&step(20, 320, 4.0));
        let at = |axis, step| step_axis.mapper(axis).at(step);
        assert_eq!([0.0, 5.0, 10.0, 20.0, 30.0].map(|step| at(Axis::Time, step)), [0.0, 1.0, 2.0, 7.0, 7.0]);
        assert_eq!([at(Axis::Examples, 15.0), at(Axis::Epoch, 20.0), at(Axis::Step, 7.0)], [480.0, 4.0, 7.0]);
        let mut mapper = step_axis.mapper(Axis::Examples);
        assert_eq!([20.0, 5.0, 15.0].map(|step| mapper.at(step)), [640.0, 160.0, 480.0], "in any order");
    }

    #[test]
    fn a_long_run_stays_small_and_going_back_is_right() {
        let mut step_axis = StepAxis::default();
        for number in 1..=1_000_000 {
            step_axis.step(&step(number, 32, 0.5));
        }
        assert!(step_axis.samples.len() <= SAMPLES);
        let seconds = step_axis.mapper(Axis::Time).at(123_456.0);
        assert!((seconds - 61_728.0).abs() < 1e-6, "{seconds}");
        step_axis.rewind(500_001);
        step_axis.step(&step(500_001, 32, 10.0));
        let mut mapper = step_axis.mapper(Axis::Time);
        assert!((mapper.at(500_000.0) - 250_000.0).abs() < 1e-6);
        assert!((mapper.at(1e6) - 250_010.0).abs() < 1e-6);
    }
}
