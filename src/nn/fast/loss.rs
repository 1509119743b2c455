//! Losses of an example and their gradients.

/// Parameters of the loss that are the same for all examples of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossConfig {
    /// 1 / number of examples of the step.
    pub(super) scale: f32,
    pub(super) label_smoothing: f32,
}

/// Smoothed cross-entropy of an example, times `scale`: −Σ target · log softmax(logits), where the target has
/// 1 − label_smoothing at the label and label_smoothing spread evenly over all classes
/// (`torch.nn.functional.cross_entropy`). Appends the gradient of the logits, (softmax(logits) − target) · scale, to
/// `d_logits`.
pub(super) fn cross_entropy(
    logits: &[f32],
    label: usize,
    config: LossConfig,
    d_logits: &mut Vec<f32>,
) -> f64 {
    let LossConfig { scale, label_smoothing } = config;
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    let mut loss = 0.0;
    for (class, x) in logits.iter().enumerate() {
        let log_prob = x - max - sum.ln();
        let one_hot = if class == label { 1.0 - label_smoothing } else { 0.0 };
        let target = one_hot + label_smoothing / logits.len() as f32;
        loss -= f64::from(target * log_prob * scale);
        d_logits.push((log_prob.exp() - target) * scale);
    }
    loss
}

/// Squared error of an example of a regression, times `scale`. Appends its gradient to `d_logits`.
pub(super) fn squared_error(logit: f32, value: f32, config: LossConfig, d_logits: &mut Vec<f32>) -> f64 {
    let error = logit - value;
    d_logits.push(2.0 * error * config.scale);
    f64::from(error * error * config.scale)
}

/// The gradient of the logit of `class` of each example: (examples, classes).
pub(super) fn one_hot(classes: usize, examples: usize, class: usize) -> Vec<f32> {
    let mut d_logits = vec![0.0; examples * classes];
    for row in d_logits.chunks_exact_mut(classes) {
        row[class] = 1.0;
    }
    d_logits
}
