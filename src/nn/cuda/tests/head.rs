//! Tests of the kernels of pooler, classifier and losses against plain loops in f64.

use super::super::ops::{Loss, LossFunction};
use super::*;
use crate::nn::architecture::PoolerActivation;

/// The sum of the losses in a report.
fn reported_loss<D: Device>(fixture: &Fixture<D>, report: DeviceSlice<u32>) -> f64 {
    let words = fixture.read_u32s(report);
    f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32)
}

fn gather_and_scatter_first_rows<D: Device>(open: impl Fn() -> D) {
    let mut fixture = Fixture::new(open());
    let (batch, width) = (batch(&[3, 1, 12]), 20);
    let input = fixture.input(&batch, step_scalars());
    let (t, e) = (input.bucket.tokens, input.bucket.examples);
    let x = random(1, t * width);
    let (from, x_cls, scattered) =
        (fixture.f32s(&x), fixture.mixed(e * width), fixture.f32s(&random(2, t * width)));
    let mut ops = fixture.ops(input);
    ops.gather_first_rows(from, width, x_cls).expect("a launch");
    ops.scatter_first_rows(x_cls.f32, width, scattered).expect("a launch");
    let (mut rows, mut whole) = (Vec::new(), vec![0.0; t * width]);
    for token in &batch.offsets[..batch.len()] {
        let at = token * width..(token + 1) * width;
        rows.extend(to_f64(&x[at.clone()]));
        whole[at.clone()].copy_from_slice(&to_f64(&x[at]));
    }
    assert_mixed_close(&fixture, "gathered", x_cls, &padded(rows, e * width));
    assert_close("scattered", &fixture.read(scattered), &whole, 0.0);
}

fn pooler_and_backward<D: Device>(open: impl Fn() -> D) {
    let cases = [
        (PoolerActivation::Tanh, true, 20),
        (PoolerActivation::Relu, false, 300),
        (PoolerActivation::Gelu, true, 40),
        (PoolerActivation::GeluTanh, true, 7),
    ];
    for (function, is_enabled, h) in cases {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 12, 2, 2]);
        let input = fixture.input(&batch, step_scalars());
        let (e, len) = (input.bucket.examples, batch.len() * h);
        let indices: Vec<usize> = (0..batch.len()).map(|example| batch.first_example + example).collect();
        let (dropout, factors) = dropout_site(is_enabled, &indices, h);
        let [linear, bias, d] = [random(1, e * h), random(2, h), random(3, e * h)];
        let (pooled, out, dpooled) = (fixture.f32s(&linear), fixture.allocate(e * h), fixture.f32s(&d));
        let (bias_slice, dropped) = (fixture.f32s(&bias), fixture.f32s(&linear));
        let mut ops = fixture.ops(input);
        ops.pooler(function, bias_slice, dropout, pooled, out).expect("a launch");
        ops.pooler_backward(dropout, pooled, h, dpooled).expect("a launch");
        ops.example_dropout(dropout, h, [dropped; 2]).expect("a launch");
        let f = |x: f64| match function {
            PoolerActivation::Tanh => x.tanh(),
            PoolerActivation::Relu => x.max(0.0),
            PoolerActivation::Gelu => gelu(x),
            PoolerActivation::GeluTanh => gelu_tanh(x),
        };
        let x: Vec<f64> = (0..len).map(|i| f64::from(linear[i] + bias[i % h])).collect();
        let expected = (0..len).map(|i| f(x[i]) * factors[i]).collect();
        assert_close("output", &fixture.read(out), &padded(expected, e * h), 2e-5);
        // A finite difference across the kink of ReLU is not its derivative.
        let derivative = |x: f64| match function {
            PoolerActivation::Relu => f64::from(u8::from(x > 0.0)),
            _ => (f(x + 1e-4) - f(x - 1e-4)) / 2e-4,
        };
        let expected = (0..len).map(|i| f64::from(d[i]) * factors[i] * derivative(x[i])).collect();
        assert_close("dpooled", &fixture.read(dpooled), &padded(expected, e * h), 2e-5);
        let expected = (0..len).map(|i| f64::from(linear[i]) * factors[i]).collect();
        assert_close("dropout", &fixture.read(dropped), &padded(expected, e * h), 2e-5);
    }
}

fn cross_entropy<D: Device>(open: impl Fn() -> D) {
    for weights in [None, Some([0.5f32, 2.0, 1.25])] {
        let mut fixture = Fixture::new(open());
        let (batch, classes, label_smoothing) = (batch(&[3, 1, 12, 2, 2]), 3, 0.1f32);
        let loss_scale = 0.125f32;
        let input = fixture.input(&batch, StepScalars { loss_scale, ..step_scalars() });
        let e = input.bucket.examples;
        let [x, bias] = [random(4, e * classes), random(5, classes)];
        let (logits, dlogits) = (fixture.f32s(&x), fixture.allocate(e * classes));
        let (bias_slice, report) = (fixture.f32s(&bias), fixture.u32s(&[0; 4]));
        let class_weights = weights.map_or(DeviceSlice::NULL, |weights| fixture.f32s(&weights));
        let mut ops = fixture.ops(input);
        ops.add_bias(Rows::First, bias_slice, MixedTensor::f32_only(logits)).expect("a launch");
        let function = LossFunction::CrossEntropy;
        for _ in 0..2 {
            let loss = Loss { function, label_smoothing, class_weights };
            ops.loss(loss, logits, classes, dlogits, report).expect("a launch");
        }
        let weight = |class: usize| f64::from(weights.map_or(1.0, |weights| weights[class]));
        let (mut loss, mut gradient) = (0.0, Vec::new());
        for (row, label) in batch.labels.iter().enumerate() {
            let x: Vec<f64> =
                (0..classes).map(|class| f64::from(x[row * classes + class] + bias[class])).collect();
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            let target = |class: usize| {
                let is_label = label.class() == Some(class as u32);
                let one_hot = if is_label { 1.0 - f64::from(label_smoothing) } else { 0.0 };
                weight(class) * (one_hot + f64::from(label_smoothing) / classes as f64)
            };
            let total: f64 = (0..classes).map(target).sum();
            for (class, x) in x.iter().enumerate() {
                loss -= target(class) * (x - sum.ln()) * f64::from(loss_scale);
                gradient.push((x.exp() / sum * total - target(class)) * f64::from(loss_scale));
            }
        }
        assert_close("dlogits", &fixture.read(dlogits), &padded(gradient, e * classes), 2e-5);
        let found = reported_loss(&fixture, report);
        assert!((found - 2.0 * loss).abs() < 1e-5, "loss {found}, expected 2 * {loss}");
    }
}

/// More labels than a word has bits, examples without labels, and logits at which exp overflows.
fn binary_cross_entropy<D: Device>(open: impl Fn() -> D) {
    for weighted in [false, true] {
        let (mut fixture, outputs, loss_scale) = (Fixture::new(open()), 40, 0.125f32);
        let mut batch = batch(&[3, 1, 12, 2, 2]);
        let sets = [vec![0, 31, 32, 39], vec![], (0..40).collect(), vec![33], vec![5, 6]];
        batch.labels = sets.map(Label::set).to_vec();
        let input = fixture.input_for(&batch, outputs, StepScalars { loss_scale, ..step_scalars() });
        let e = input.bucket.examples;
        let mut x = random(4, e * outputs);
        (x[0], x[1], x[2]) = (-200.0, 200.0, 0.0);
        let weights: Vec<f32> = (0..outputs).map(|label| 0.25 + label as f32 / 8.0).collect();
        let class_weights = if weighted { fixture.f32s(&weights) } else { DeviceSlice::NULL };
        let (logits, dlogits) = (fixture.f32s(&x), fixture.allocate(e * outputs));
        let report = fixture.u32s(&[0; 4]);
        let mut ops = fixture.ops(input);
        let function = LossFunction::BinaryCrossEntropy;
        let loss = Loss { function, label_smoothing: 0.1, class_weights };
        ops.loss(loss, logits, outputs, dlogits, report).expect("a launch");
        let (mut loss, mut gradient) = (0.0, Vec::new());
        for (row, label) in batch.labels.iter().enumerate() {
            for output in 0..outputs {
                let z = f64::from(x[row * outputs + output]);
                let applies = label.indices().contains(&(output as u32));
                let weight = if applies && weighted { f64::from(weights[output]) } else { 1.0 };
                let scale = weight * f64::from(loss_scale);
                let z = if applies { -z } else { z };
                loss += (z.max(0.0) + (-z.abs()).exp().ln_1p()) * scale;
                gradient.push((if applies { -1.0 } else { 1.0 }) * scale / (1.0 + (-z).exp()));
            }
        }
        assert_close("dlogits", &fixture.read(dlogits), &padded(gradient, e * outputs), 2e-6);
        let found = reported_loss(&fixture, report);
        assert!((found - loss).abs() < 1e-5 * loss, "loss {found}, expected {loss}");
    }
}

fn squared_error<D: Device>(open: impl Fn() -> D) {
    let mut fixture = Fixture::new(open());
    let mut batch = batch(&[3, 1, 12, 2, 2]);
    batch.labels = [2.5, 0.0, 4.75, -1.0, 5.0].map(Label::Value).to_vec();
    let loss_scale = 0.125f32;
    let input = fixture.input(&batch, StepScalars { loss_scale, ..step_scalars() });
    let e = input.bucket.examples;
    let x = random(4, e);
    let (logits, dlogits, report) = (fixture.f32s(&x), fixture.allocate(e), fixture.u32s(&[0; 4]));
    let mut ops = fixture.ops(input);
    for _ in 0..2 {
        // Label smoothing does not apply to a regression.
        let function = LossFunction::SquaredError;
        let loss = Loss { function, label_smoothing: 0.1, class_weights: DeviceSlice::NULL };
        ops.loss(loss, logits, 1, dlogits, report).expect("a launch");
    }
    let targets = batch.labels.iter().filter_map(Label::value);
    let errors = targets.zip(&x).map(|(target, x)| f64::from(*x) - f64::from(target));
    let loss: f64 = errors.clone().map(|error| error * error * f64::from(loss_scale)).sum();
    let gradient = errors.map(|error| 2.0 * error * f64::from(loss_scale)).collect();
    assert_close("dlogits", &fixture.read(dlogits), &padded(gradient, e), 2e-6);
    let found = reported_loss(&fixture, report);
    assert!((found - 2.0 * loss).abs() < 1e-5, "loss {found}, expected 2 * {loss}");
}

on_devices!(
    gather_and_scatter_first_rows,
    pooler_and_backward,
    cross_entropy,
    binary_cross_entropy,
    squared_error,
);
