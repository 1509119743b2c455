//! Tests of the kernels that only layers with pre-norm, gates or rotary positions use, against plain loops in f64.

use super::super::ops::{LayerNorm, Residual, RotaryAngles};
use super::super::tensor::SavedNorm;
use super::*;
use crate::nn::rotary::RotaryTable;
use kernels::activation::Activation;

fn layer_norm_normalizes_rows<D: Device>(open: impl Fn() -> D) {
    for width in [20, 300] {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 7]);
        let input = fixture.input(&batch, step_scalars());
        let (r, len) = (input.bucket.tokens, batch.tokens() * width);
        let [x, weight, bias] = [random(1, r * width), random(2, width), random(3, width)];
        let norm = LayerNorm { weight: fixture.f32s(&weight), bias: fixture.f32s(&bias), eps: 1e-3 };
        let saved = SavedNorm { x_hat: fixture.allocate(r * width), rstd: fixture.allocate(r) };
        let (slice, y) = (fixture.f32s(&x), fixture.mixed(r * width));
        fixture.ops(input).layer_norm(Rows::All, slice, norm, saved, y).expect("a launch");
        let mut x_hat = Vec::new();
        for row in to_f64(&x[..len]).chunks_exact(width) {
            let mean = row.iter().sum::<f64>() / width as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            x_hat.extend(row.iter().map(|x| (x - mean) / (variance + 1e-3).sqrt()));
        }
        let value = |i: usize| x_hat[i] * f64::from(weight[i % width]) + f64::from(bias[i % width]);
        assert_mixed_close(&fixture, "y", y, &padded((0..len).map(value).collect(), r * width));
        assert_close("x_hat", &fixture.read(saved.x_hat), &padded(x_hat, r * width), 2e-5);
        assert_eq!(fixture.read(slice), x, "the input is kept");
    }
}

fn residual_and_backward<D: Device>(open: impl Fn() -> D) {
    for (rows, is_enabled, width) in [(Rows::All, true, 20), (Rows::First, true, 300), (Rows::All, false, 7)]
    {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 7]);
        let input = fixture.input(&batch, step_scalars());
        let (r, indices) = (fixture.ops(input).len(rows), row_indices(&batch, rows));
        let len = indices.len() * width;
        let (dropout, factors) = dropout_site(is_enabled, &indices, width);
        let [h, x, d, bias] =
            [(1, r), (2, r), (3, r), (4, 1)].map(|(minor, rows)| random(minor, rows * width));
        // The output replaces the residual connection.
        let y = MixedTensor { f32: fixture.f32s(&x), bf16: fixture.allocate(r * width) };
        let residual = Residual { bias: fixture.f32s(&bias), dropout, x: y.f32 };
        let (h_slice, d_slice, dh) = (fixture.f32s(&h), fixture.f32s(&d), fixture.mixed(r * width));
        let (sums, gradient) = (fixture.partial_sums(width + 2), fixture.allocate(width));
        let mut ops = fixture.ops(input);
        ops.add_residual(rows, residual, h_slice, y).expect("a launch");
        ops.residual_backward(rows, dropout, (d_slice, width), dh, (sums, 2)).expect("a launch");
        ops.reduce_partial_sums((sums, 2), gradient, false).expect("a launch");
        let value = |i: usize| f64::from(h[i] + bias[i % width]) * factors[i] + f64::from(x[i]);
        assert_mixed_close(&fixture, "y", y, &padded((0..len).map(value).collect(), r * width));
        let dropped: Vec<f64> = (0..len).map(|i| f64::from(d[i]) * factors[i]).collect();
        assert_mixed_close(&fixture, "dh", dh, &padded(dropped.clone(), r * width));
        let column = |column: usize| dropped.iter().skip(column).step_by(width).sum();
        assert_close("bias", &fixture.read(gradient), &(0..width).map(column).collect::<Vec<f64>>(), 1e-4);

        // The rows of first tokens are added to those of all tokens.
        let t = input.bucket.tokens;
        let before = random(5, t * width);
        let sum = fixture.f32s(&before);
        fixture.ops(input).add_rows(rows, (d_slice, width), (sum, Rows::All)).expect("a launch");
        let mut expected = to_f64(&before);
        for (row, index) in indices.iter().enumerate() {
            for column in 0..width {
                expected[(index - batch.first_token) * width + column] += f64::from(d[row * width + column]);
            }
        }
        assert_close("sum", &fixture.read(sum), &expected, 1e-6);
    }
}

fn gates_and_backward<D: Device>(open: impl Fn() -> D) {
    for (function, is_enabled, width) in [(Activation::Gelu, true, 20), (Activation::GeluTanh, false, 300)] {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 7]);
        let input = fixture.input(&batch, step_scalars());
        let (r, len) = (input.bucket.tokens, batch.tokens() * width);
        let (dropout, factors) = dropout_site(is_enabled, &row_indices(&batch, Rows::All), width);
        let [x, bias, d] = [random(1, 2 * r * width), random(2, 2 * width), random(3, r * width)];
        let (derivatives, out) = (fixture.f32s(&x), fixture.mixed(r * width));
        let (bias_slice, d_slice, dx) =
            (fixture.f32s(&bias), fixture.f32s(&d), fixture.allocate(2 * r * width));
        let mut ops = fixture.ops(input);
        ops.gated_activation(Rows::All, function, (bias_slice, dropout), derivatives, out).expect("a launch");
        ops.gated_activation_backward(Rows::All, width, derivatives, [d_slice, dx]).expect("a launch");
        let f = |x: f64| if function == Activation::Gelu { gelu(x) } else { gelu_tanh(x) };
        let derivative = |x: f64| (f(x + 1e-4) - f(x - 1e-4)) / 2e-4;
        // The halves of a row.
        let half = |i: usize, half: usize| {
            let column = half * width + i % width;
            f64::from(x[i / width * 2 * width + column] + bias[column])
        };
        let expected = (0..len).map(|i| f(half(i, 0)) * half(i, 1) * factors[i]).collect();
        assert_mixed_close(&fixture, "out", out, &padded(expected, r * width));
        let mut expected = vec![0.0; 2 * r * width];
        for i in 0..len {
            let (first, d) = (i / width * 2 * width + i % width, f64::from(d[i]) * factors[i]);
            expected[first] = d * derivative(half(i, 0)) * half(i, 1);
            expected[first + width] = d * f(half(i, 0));
        }
        assert_close("dx", &fixture.read(dx), &expected, 2e-5);
    }
}

fn rotation_and_its_inverse<D: Device>(open: impl Fn() -> D) {
    let (size, heads, theta) = (6, 3, 100.0);
    let h = size * heads;
    for (rotated, width, has_bias) in [(2 * h, 3 * h, true), (h, 2 * h, false)] {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 12]);
        let input = fixture.input(&batch, step_scalars());
        let (t, tokens) = (input.bucket.tokens, batch.tokens());
        let table = RotaryTable::new(theta, 12, size);
        let angles = RotaryAngles {
            cosines: fixture.f32s(&table.cos),
            sines: fixture.f32s(&table.sin),
            head_size: size,
        };
        let [x, biases] = [random(1, t * width), random(2, width)];
        let bias = if has_bias { fixture.f32s(&biases) } else { DeviceSlice::NULL };
        let slice = fixture.f32s(&x);
        fixture.ops(input).rotate(angles, bias, (slice, width, rotated), false).expect("a launch");
        let biased: Vec<f64> = (0..tokens * width)
            .map(|i| f64::from(if has_bias { x[i] + biases[i % width] } else { x[i] }))
            .collect();
        let mut expected = biased.clone();
        let positions = embedding_rows(&batch).positions;
        for (row, position) in expected.chunks_exact_mut(width).zip(positions) {
            for head in row[..rotated].chunks_exact_mut(size) {
                let (first, second) = head.split_at_mut(size / 2);
                for (i, (a, b)) in first.iter_mut().zip(second).enumerate() {
                    let frequency = f64::powf(theta, -2.0 * i as f64 / size as f64);
                    let (sine, cosine) = (f64::from(position) * frequency).sin_cos();
                    (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                }
            }
        }
        let found = fixture.read(slice);
        assert_close("rotated", &found[..tokens * width], &expected, 2e-5);
        assert_eq!(found[tokens * width..], x[tokens * width..], "padding");
        fixture
            .ops(input)
            .rotate(angles, DeviceSlice::NULL, (slice, width, rotated), true)
            .expect("a launch");
        assert_close("inverse", &fixture.read(slice)[..tokens * width], &biased, 2e-5);
    }
}

fn mean_pooling_and_backward<D: Device>(open: impl Fn() -> D) {
    let mut fixture = Fixture::new(open());
    let (batch, width) = (batch(&[3, 1, 12]), 300);
    let input = fixture.input(&batch, step_scalars());
    let (t, e) = (input.bucket.tokens, input.bucket.examples);
    let [x, d] = [random(1, t * width), random(2, e * width)];
    let (x_slice, d_slice) = (fixture.f32s(&x), fixture.f32s(&d));
    let (pooled, dx) = (fixture.f32s(&random(3, e * width)), fixture.f32s(&random(4, t * width)));
    let mut ops = fixture.ops(input);
    ops.mean_pool(x_slice, width, pooled).expect("a launch");
    ops.mean_pool_backward(d_slice, width, dx).expect("a launch");
    let (mut expected, mut gradient) = (vec![0.0; e * width], vec![0.0; t * width]);
    for (example, bounds) in batch.offsets.windows(2).enumerate() {
        let share = 1.0 / (bounds[1] - bounds[0]) as f64;
        for (token, column) in (bounds[0]..bounds[1]).flat_map(|token| (0..width).map(move |c| (token, c))) {
            expected[example * width + column] += f64::from(x[token * width + column]) * share;
            gradient[token * width + column] = f64::from(d[example * width + column]) * share;
        }
    }
    assert_close("pooled", &fixture.read(pooled), &expected, 2e-5);
    assert_close("gradient", &fixture.read(dx), &gradient, 2e-5);
}

on_devices!(
    layer_norm_normalizes_rows,
    residual_and_backward,
    gates_and_backward,
    rotation_and_its_inverse,
    mean_pooling_and_backward,
);
