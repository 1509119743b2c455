//! Step → learning rate, as `transformers.optimization` has it.

use crate::spec::{RunSpec, Schedule};

/// Number of optimizer steps in which the learning rate rises: `warmup_steps`, else the ratio's
/// share of all steps, rounded up.
pub fn warmup_steps(spec: &RunSpec, total_steps: u64) -> u64 {
    match spec.lr_scheduler_type {
        Schedule::Constant => 0,
        _ => spec.warmup_steps.unwrap_or((total_steps as f64 * spec.warmup_ratio).ceil() as u64),
    }
}

/// The learning rate of optimizer step `step` (from 0) of `total_steps`.
pub fn learning_rate(spec: &RunSpec, step: u64, total_steps: u64) -> f64 {
    let warmup = warmup_steps(spec, total_steps);
    if step < warmup {
        return spec.learning_rate * step as f64 / warmup as f64;
    }
    let decay_steps = total_steps.saturating_sub(warmup).max(1);
    let progress = ((step - warmup) as f64 / decay_steps as f64).min(1.0);
    spec.learning_rate
        * match spec.lr_scheduler_type {
            Schedule::Linear => 1.0 - progress,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Schedule::Constant | Schedule::ConstantWithWarmup => 1.0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::spec;

    fn course(kind: Schedule, warmup_steps: Option<u64>) -> Vec<f64> {
        let spec = RunSpec {
            lr_scheduler_type: kind,
            warmup_steps,
            learning_rate: 1.0,
            warmup_ratio: 0.2,
            ..spec()
        };
        (0..10).map(|step| (learning_rate(&spec, step, 10) * 1e4).round() / 1e4).collect()
    }

    /// `[s.get_last_lr()[0] for _ in range(10)]` of `get_linear_schedule_with_warmup(opt, 2, 10)`
    /// and its siblings in Transformers 5.23.
    #[test]
    fn equals_transformers() {
        assert_eq!(
            course(Schedule::Linear, None),
            [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
        );
        assert_eq!(
            course(Schedule::Cosine, Some(2)),
            [0.0, 0.5, 1.0, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381]
        );
        assert_eq!(course(Schedule::Constant, Some(2)), [1.0; 10]);
        assert_eq!(
            course(Schedule::ConstantWithWarmup, Some(1)),
            [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
        );
        assert_eq!(course(Schedule::Linear, Some(0))[0], 1.0);
    }
}
