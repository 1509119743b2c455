//! Losses of an example and their gradients.

/// Parameters of the loss that are the same for all examples of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossConfig<'a> {
    /// 1 / [`loss_denominator`](crate::nn::loss::loss_denominator) of the step.
    pub(super) scale: f32,
    pub(super) label_smoothing: f32,
    /// As in [`OptimizerConfig`](crate::nn::OptimizerConfig).
    pub(super) class_weights: Option<&'a [f32]>,
    /// The distance to the teacher, whose weight is not in `scale`.
    pub(super) teacher: Option<TeacherLoss>,
}

/// The scalar that the backward pass differentiates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Objective<'a> {
    /// The loss.
    Loss(LossConfig<'a>),
    /// The logit of a class, summed over the examples.
    Logit(usize),
}

/// The part of the loss that follows a teacher, see [`Distillation`](crate::nn::Distillation).
#[derive(Debug, Clone, Copy)]
pub(super) struct TeacherLoss {
    /// Its weight, divided by the number of examples of the step.
    pub(super) scale: f32,
    pub(super) temperature: f32,
}

impl LossConfig<'_> {
    /// The weight of an output.
    fn weight(&self, output: usize) -> f32 {
        self.class_weights.and_then(|weights| weights.get(output)).copied().unwrap_or(1.0)
    }
}

/// Smoothed cross-entropy of an example, times `scale`: −Σ weight · target · log softmax(logits), where the target has
/// 1 − label_smoothing at the label and label_smoothing spread evenly over all classes
/// (`torch.nn.functional.cross_entropy`). Appends the gradient of the logits,
/// (softmax(logits) · Σ weight · target − weight · target) · scale, to `d_logits`.
pub(super) fn cross_entropy(
    logits: &[f32],
    label: usize,
    config: LossConfig<'_>,
    d_logits: &mut Vec<f32>,
) -> f64 {
    let LossConfig { scale, label_smoothing, class_weights, .. } = config;
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    let target = |class: usize| {
        let one_hot = if class == label { 1.0 - label_smoothing } else { 0.0 };
        (one_hot + label_smoothing / logits.len() as f32) * config.weight(class)
    };
    // Without weights the targets sum up to 1.
    let total = class_weights.map_or(1.0, |_| (0..logits.len()).map(target).sum());
    let mut loss = 0.0;
    for (class, x) in logits.iter().enumerate() {
        let log_prob = x - max - sum.ln();
        loss -= f64::from(target(class) * log_prob * scale);
        d_logits.push((log_prob.exp() * total - target(class)) * scale);
    }
    loss
}

/// Sum of the binary cross-entropies of the labels of an example, times `scale`: −weight · log σ(z) for the `labels`
/// that apply, which are ascending, and −log σ(−z) for the others (`torch.nn.functional.binary_cross_entropy_with_logits`).
/// Appends the gradient of the logits to `d_logits`: −weight · σ(−z) · scale and σ(z) · scale.
pub(super) fn binary_cross_entropy(
    logits: &[f32],
    labels: &[u32],
    config: LossConfig<'_>,
    d_logits: &mut Vec<f32>,
) -> f64 {
    let mut loss = 0.0;
    for (output, z) in logits.iter().enumerate() {
        let applies = labels.binary_search(&(output as u32)).is_ok();
        let (sign, weight) = if applies { (-1.0, config.weight(output)) } else { (1.0, 1.0) };
        // −log σ(−x) = max(x, 0) + log(1 + exp(−|x|)), with derivative σ(x).
        let x = sign * z;
        let exp = (-x.abs()).exp();
        let sigmoid = if x >= 0.0 { 1.0 } else { exp } / (1.0 + exp);
        loss += f64::from((x.max(0.0) + exp.ln_1p()) * weight * config.scale);
        d_logits.push(sign * sigmoid * weight * config.scale);
    }
    loss
}

/// Squared error of an example of a regression, times `scale`. Appends its gradient to `d_logits`.
pub(super) fn squared_error(logit: f32, value: f32, config: LossConfig<'_>, d_logits: &mut Vec<f32>) -> f64 {
    let error = logit - value;
    d_logits.push(2.0 * error * config.scale);
    f64::from(error * error * config.scale)
}

/// T² · KL(softmax(t / T) ‖ softmax(s / T)) of an example with the logits s and those t of its teacher, times the scale of
/// `config`. Adds the gradient, T · (softmax(s / T) − softmax(t / T)) · scale, to `d_logits`.
pub(super) fn teacher_cross_entropy(
    logits: &[f32],
    teacher: &[f32],
    config: TeacherLoss,
    d_logits: &mut [f32],
) -> f64 {
    let TeacherLoss { scale, temperature } = config;
    let log_softmax = |logits: &[f32]| -> Vec<f32> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) / temperature;
        let sum: f32 = logits.iter().map(|x| (x / temperature - max).exp()).sum();
        logits.iter().map(|x| x / temperature - max - sum.ln()).collect()
    };
    let mut loss = 0.0;
    for ((s, t), d) in log_softmax(logits).into_iter().zip(log_softmax(teacher)).zip(d_logits) {
        loss += f64::from(t.exp() * (t - s) * temperature * temperature * scale);
        *d += (s.exp() - t.exp()) * temperature * scale;
    }
    loss
}

/// T² · KL(σ(t / T) ‖ σ(s / T)) of an example, as the mean over the labels, times the scale of `config`. Adds the gradient,
/// T · (σ(s / T) − σ(t / T)) · scale / labels, to `d_logits`.
pub(super) fn teacher_binary_cross_entropy(
    logits: &[f32],
    teacher: &[f32],
    config: TeacherLoss,
    d_logits: &mut [f32],
) -> f64 {
    let scale = config.scale / logits.len() as f32;
    let mut loss = 0.0;
    for ((s, t), d) in logits.iter().zip(teacher).zip(d_logits) {
        // σ(z) and σ(−z) are the softmax of the logits z and 0.
        let mut d_pair = [0.0; 2];
        let pair = TeacherLoss { scale, ..config };
        loss += teacher_cross_entropy(&[*s, 0.0], &[*t, 0.0], pair, &mut d_pair);
        *d += d_pair[0];
    }
    loss
}

/// (s − t)² of an example of a regression, times the scale of `config`. Adds the gradient to `d_logits`.
pub(super) fn teacher_squared_error(logit: f32, teacher: f32, config: TeacherLoss, d_logit: &mut f32) -> f64 {
    let error = logit - teacher;
    *d_logit += 2.0 * error * config.scale;
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
