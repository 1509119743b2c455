//! Tests of the kernels of the encoder except attention, of AdamW and of GEMMs, against plain loops in f64.

use super::super::ops::{AdamWHyperparameters, AdamWTensors, LayerNorm, NORM_BLOCKS, NormColumns, Residual};
use super::super::tensor::SavedNorm;
use super::*;
use kernels::activation::Activation;

const EPS: f32 = 1e-3;

fn column_sums(x: &[f64], width: usize) -> Vec<f64> {
    (0..width).map(|column| x.iter().skip(column).step_by(width).sum()).collect()
}

/// x̂ and 1/σ of each row.
fn normalized(z: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut x_hat, mut rstds) = (Vec::new(), Vec::new());
    for row in z.chunks_exact(width) {
        let mean = row.iter().sum::<f64>() / width as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let rstd = 1.0 / (variance + f64::from(EPS)).sqrt();
        x_hat.extend(row.iter().map(|x| (x - mean) * rstd));
        rstds.push(rstd);
    }
    (x_hat, rstds)
}

fn add_layer_norm_and_backward<D: Device>(open: impl Fn() -> D) {
    for (lengths, width) in [(vec![3, 1, 7], 20), (vec![40, 2], 300), (vec![1], 1), (vec![9; 9], 1030)] {
        for (rows, is_enabled) in [(Rows::All, true), (Rows::First, true), (Rows::All, false)] {
            check_add_layer_norm(open(), &batch(&lengths), width, rows, is_enabled);
        }
    }
}

fn check_add_layer_norm<D: Device>(device: D, batch: &Batch, width: usize, rows: Rows, is_enabled: bool) {
    let mut fixture = Fixture::new(device);
    let input = fixture.input(batch, step_scalars());
    let r = fixture.ops(input).len(rows);
    let indices = row_indices(batch, rows);
    let len = indices.len() * width;
    let (dropout, factors) = dropout_site(is_enabled, &indices, width);
    let [linear, residual, dy] = [1, 2, 3].map(|minor| random(minor, r * width));
    let [bias, weight_and_bias] = [random(4, width), random(5, 2 * width)];

    let saved = SavedNorm { x_hat: fixture.f32s(&linear), rstd: fixture.allocate(r) };
    let residual_argument = Residual { bias: fixture.f32s(&bias), dropout, x: fixture.f32s(&residual) };
    let (weight, shift) = weight_and_bias.split_at(width);
    let norm = LayerNorm { weight: fixture.f32s(weight), bias: fixture.f32s(shift), eps: EPS };
    let y = fixture.mixed(r * width);
    fixture.ops(input).add_layer_norm(rows, residual_argument, norm, saved, y).expect("a launch");
    let z: Vec<f64> = (0..len)
        .map(|i| f64::from(linear[i] + bias[i % width]) * factors[i] + f64::from(residual[i]))
        .collect();
    let (x, rstd) = normalized(&z, width);
    let expected =
        (0..len).map(|i| x[i] * f64::from(weight[i % width]) + f64::from(shift[i % width])).collect();
    assert_mixed_close(&fixture, "y", y, &padded(expected, r * width));
    assert_close("x_hat", &fixture.read(saved.x_hat), &padded(x.clone(), r * width), 2e-5);

    let (d, dh) = (fixture.f32s(&dy), fixture.mixed(r * width));
    let sums = fixture.partial_sums(3 * width);
    let gradient = fixture.f32s(&random(6, 3 * width));
    let before = to_f64(&random(6, 3 * width));
    let mut ops = fixture.ops(input);
    let columns = NormColumns { weight: width, bias: 2 * width, linear_bias: 0 };
    ops.layer_norm_backward(rows, [dropout; 2], (saved, norm.weight), d, dh, (sums, columns))
        .expect("a launch");
    ops.reduce_partial_sums((sums, 0), gradient, true).expect("a launch");
    let dy: Vec<f64> = (0..len).map(|i| f64::from(dy[i]) * factors[i]).collect();
    let mut dz = Vec::new();
    for row in 0..indices.len() {
        let at = row * width..(row + 1) * width;
        let dx: Vec<f64> = at.clone().map(|i| dy[i] * f64::from(weight[i % width])).collect();
        let mean = dx.iter().sum::<f64>() / width as f64;
        let mean_product = at.clone().map(|i| dx[i % width] * x[i]).sum::<f64>() / width as f64;
        dz.extend(at.map(|i| (dx[i % width] - mean - x[i] * mean_product) * rstd[row]));
    }
    assert_close("dz", &fixture.read(d), &padded(dz.clone(), r * width), 1e-4);
    let dropped: Vec<f64> = dz.iter().zip(&factors).map(|(d, factor)| d * factor).collect();
    assert_close("dh", &fixture.read(dh.f32), &padded(dropped.clone(), r * width), 1e-4);
    assert_close("dh", &fixture.read_bf16(dh.bf16), &padded(dropped.clone(), r * width), 1e-2);
    let products: Vec<f64> = dy.iter().zip(&x).map(|(d, x)| d * x).collect();
    let sums =
        [column_sums(&dropped, width), column_sums(&products, width), column_sums(&dy, width)].concat();
    let expected: Vec<f64> = sums.iter().zip(&before).map(|(a, b)| a + b).collect();
    assert_close("gradients", &fixture.read(gradient), &expected, 1e-3);
}

fn embeddings_and_backward<D: Device>(open: impl Fn() -> D) {
    for (width, has_segments, is_enabled) in [(20, true, true), (300, false, false), (7, true, false)] {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 1, 12, 5]);
        let input = fixture.input(&batch, step_scalars());
        let (t, len) = (input.bucket.tokens, batch.tokens() * width);
        let indices = row_indices(&batch, Rows::All);
        let (dropout, factors) = dropout_site(is_enabled, &indices, width);
        let sizes = [VOCAB, 14, 2];
        let tables = [0, 1, 2].map(|table| random(table as u32, sizes[table] * width));
        let mut slices = [0, 1, 2].map(|table| fixture.f32s(&tables[table]));
        if !has_segments {
            slices[2] = DeviceSlice::NULL;
        }
        let weight_and_bias = random(5, 2 * width);
        let (weight, shift) = weight_and_bias.split_at(width);
        let norm = LayerNorm { weight: fixture.f32s(weight), bias: fixture.f32s(shift), eps: EPS };
        let saved = SavedNorm { x_hat: fixture.allocate(t * width), rstd: fixture.allocate(t) };
        let y = fixture.mixed(t * width);
        fixture.ops(input).embeddings(slices, norm, dropout, saved, y).expect("a launch");
        let positions: Vec<usize> = batch.offsets.windows(2).flat_map(|w| 0..w[1] - w[0]).collect();
        let row = |table: usize, token: usize| match table {
            0 => batch.ids[token] as usize,
            1 => positions[token],
            _ => batch.type_ids[token] as usize,
        };
        let used_tables = if has_segments { 3 } else { 2 };
        let z: Vec<f64> = (0..len)
            .map(|i| {
                let value = |table: usize| tables[table][row(table, i / width) * width + i % width];
                (0..used_tables).map(|table| f64::from(value(table))).sum()
            })
            .collect();
        let (x, _) = normalized(&z, width);
        let value = |i: usize| {
            x[i] * f64::from(weight_and_bias[i % width]) + f64::from(weight_and_bias[width + i % width])
        };
        let expected = (0..len).map(|i| value(i) * factors[i]).collect();
        assert_mixed_close(&fixture, "y", y, &padded(expected, t * width));

        let d = random(6, t * width);
        let slice = fixture.f32s(&d);
        // One table of words and positions.
        let rows = sizes[0] + sizes[1];
        let initial = random(10, rows * width);
        let gradient = fixture.f32s(&initial);
        let (words, positions_gradient) =
            (gradient.prefix(VOCAB * width), gradient.slice(VOCAB * width..rows * width));
        let gradients = [words, positions_gradient, fixture.allocate(sizes[2] * width)];
        let (stamps, sums) = (fixture.u32s(&vec![0; rows]), fixture.partial_sums(2 * width));
        for accumulate in [false, true] {
            let mut ops = fixture.ops(input);
            ops.embedding_rows_backward(slice, width, stamps, gradient).expect("a launch");
            ops.segment_sums(slice, (width, 2), (sums, 0)).expect("a launch");
            ops.reduce_partial_sums((sums, 0), gradients[2], accumulate).expect("a launch");
            let times = if accumulate { 2.0 } else { 1.0 };
            for table in 0..3 {
                let mut expected = vec![0.0; sizes[table] * width];
                for i in 0..len {
                    expected[row(table, i / width) * width + i % width] += times * f64::from(d[i]);
                }
                // The gradient of absent words and positions is not written.
                let is_used = |of: usize| (0..batch.tokens()).any(|token| row(table, token) == of);
                for absent in (0..sizes[table]).filter(|of| table < 2 && !is_used(*of)) {
                    let first = (table * VOCAB + absent) * width;
                    expected[absent * width..][..width]
                        .copy_from_slice(&to_f64(&initial[first..first + width]));
                }
                assert_close(&format!("table {table}"), &fixture.read(gradients[table]), &expected, 1e-4);
            }
        }
        let is_word = |id: u32| u32::from(batch.ids.contains(&id));
        let is_position = |position: usize| u32::from(position < batch.longest());
        let expected: Vec<u32> = (0..VOCAB as u32).map(is_word).chain((0..14).map(is_position)).collect();
        assert_eq!(fixture.read_u32s(stamps), expected);
    }
}

fn activation_and_backward<D: Device>(open: impl Fn() -> D) {
    let functions = [Activation::Gelu, Activation::GeluTanh, Activation::Relu];
    for (function, width) in functions.into_iter().zip([300, 40, 513]) {
        let mut fixture = Fixture::new(open());
        let batch = batch(&[3, 30]);
        let input = fixture.input(&batch, step_scalars());
        let (r, len) = (input.bucket.tokens, batch.tokens() * width);
        let [input_values, bias, dy] = [random(1, r * width), random(2, width), random(3, r * width)];
        let (x, out) = (fixture.f32s(&input_values), fixture.mixed(r * width));
        let bias_slice = fixture.f32s(&bias);
        fixture.ops(input).activation(Rows::All, function, bias_slice, x, out).expect("a launch");
        let f = |x: f64| match function {
            Activation::Gelu => gelu(x),
            Activation::GeluTanh => gelu_tanh(x),
            Activation::Relu => x.max(0.0),
        };
        let at = |i: usize| f64::from(input_values[i] + bias[i % width]);
        let expected: Vec<f64> = (0..len).map(|i| f(at(i))).collect();
        assert_mixed_close(&fixture, "f", out, &padded(expected, r * width));
        // A finite difference across the kink of ReLU is not its derivative.
        let derivative = |x: f64| match function {
            Activation::Relu => f64::from(u8::from(x > 0.0)),
            _ => (f(x + 1e-4) - f(x - 1e-4)) / 2e-4,
        };
        let derivatives: Vec<f64> = (0..len).map(|i| derivative(at(i))).collect();
        assert_close("derivative", &fixture.read(x), &padded(derivatives.clone(), r * width), 2e-5);

        let d = MixedTensor { f32: fixture.f32s(&dy), bf16: fixture.allocate(r * width) };
        let (sums, gradient) = (fixture.partial_sums(width + 3), fixture.allocate(width));
        let mut ops = fixture.ops(input);
        ops.column_sums(Rows::All, width, Some(x), d, (sums, 3)).expect("a launch");
        ops.reduce_partial_sums((sums, 3), gradient, false).expect("a launch");
        let expected: Vec<f64> = (0..len).map(|i| f64::from(dy[i]) * derivatives[i]).collect();
        assert_mixed_close(&fixture, "d", d, &padded(expected.clone(), r * width));
        assert_close("bias", &fixture.read(gradient), &column_sums(&expected, width), 1e-4);
    }
}

fn adamw_updates_parameters_and_decays_unused_rows<D: Device>(open: impl Fn() -> D) {
    for max_grad_norm in [0.0f32, 0.5] {
        let mut fixture = Fixture::new(open());
        let (rows, width, dense, matrices, no_decay) = (6, 5, 2500, 40..1040, 2300);
        let total = rows * width + dense;
        let [mut weights, gradients] = [random(1, total), random(2, total)];
        let (mut first, mut second) = (vec![0.0; total], vec![0.0; total]);
        // Row 2 has moments, row 4 has a gradient in this step; the others never had a gradient.
        first[2 * width..3 * width].fill(0.5);
        second[2 * width..3 * width].fill(0.25);
        let tensors = AdamWTensors {
            weights: fixture.f32s(&weights),
            gradients: fixture.f32s(&gradients),
            first_moments: fixture.f32s(&first),
            second_moments: fixture.f32s(&second),
            bf16_weights: fixture.allocate(matrices.len()),
            layer_matrices: matrices.start,
            no_decay,
            embeddings: [rows, width],
            stamps: fixture.u32s(&[0, 0, 3, 0, 8, 0]),
            has_moments: fixture.u32s(&[0, 0, 1, 0, 0, 0]),
            report: fixture.u32s(&[0; 4]),
            square_sums: fixture.allocate(NORM_BLOCKS),
        };
        let (decay, step_size, bias_correction2_sqrt) = (0.9f32, 1e-2f32, 0.5f32);
        let scalars =
            StepScalars { stamp: 8, decay, step_size, bias_correction2_sqrt, ..StepScalars::default() };
        let input = fixture.input(&batch(&[1]), scalars);
        let hyperparameters =
            AdamWHyperparameters { one_minus_beta1: 0.1, beta2: 0.99, one_minus_beta2: 0.01, epsilon: 1e-6 };
        fixture.ops(input).adamw(tensors, max_grad_norm, hyperparameters).expect("a launch");

        let AdamWHyperparameters { one_minus_beta1, beta2, one_minus_beta2, epsilon } = hyperparameters;
        let has_gradient = |i: usize| i >= rows * width || i / width == 4;
        let square = |i: usize| f64::from(gradients[i]).powi(2);
        let norm = (0..total).filter(|i| has_gradient(*i)).map(square).sum::<f64>().sqrt();
        let scale = if max_grad_norm > 0.0 {
            (f64::from(max_grad_norm) / (norm + 1e-6)).min(1.0) as f32
        } else {
            1.0
        };
        for i in 0..total {
            let has_moments = has_gradient(i) || i / width == 2;
            let decay = if i < no_decay { decay } else { 1.0 };
            if !has_moments {
                weights[i] *= decay;
                continue;
            }
            let g = if has_gradient(i) { gradients[i] * scale } else { 0.0 };
            first[i] += one_minus_beta1 * (g - first[i]);
            second[i] = beta2 * second[i] + one_minus_beta2 * g * g;
            weights[i] = decay * weights[i]
                - step_size * (first[i] / (second[i].sqrt() / bias_correction2_sqrt + epsilon));
        }
        assert_close("weight", &fixture.read(tensors.weights), &to_f64(&weights), 2e-6);
        assert_close("first moment", &fixture.read(tensors.first_moments), &to_f64(&first), 2e-6);
        assert_close("second moment", &fixture.read(tensors.second_moments), &to_f64(&second), 2e-6);
        assert_close(
            "bf16 weight",
            &fixture.read_bf16(tensors.bf16_weights),
            &to_f64(&weights[matrices]),
            5e-3,
        );
        assert_eq!(fixture.read_u32s(tensors.has_moments), [0, 0, 1, 0, 1, 0]);
        let report = fixture.read_u32s(tensors.report);
        let found = [f32::from_bits(report[2]), f32::from_bits(report[3])];
        assert_close("norm and scale", &found, &[norm, f64::from(scale)], 1e-5);
    }
}

fn linear_layer_gemms<D: Device>(open: impl Fn() -> D) {
    use super::super::device::GemmOperand;
    for (rows, out_features, in_features) in [(1, 1, 1), (5, 3, 7), (32, 64, 48)] {
        let mut fixture = Fixture::new(open());
        let input = fixture.input(&batch(&[1]), step_scalars());
        let [x, d, weight] = [
            random(1, rows * in_features),
            random(2, rows * out_features),
            random(3, out_features * in_features),
        ];
        let f32_slices = [fixture.f32s(&x), fixture.f32s(&d), fixture.f32s(&weight)];
        let bf16_slices = [x.len(), d.len(), weight.len()].map(|len| fixture.allocate::<Bf16>(len));
        for (f32, bf16) in f32_slices.into_iter().zip(bf16_slices) {
            super::super::ops::weights_to_bf16(&mut fixture.device, f32, bf16).expect("a launch");
        }
        let matrix_product =
            |a: &dyn Fn(usize, usize) -> f32, b: &dyn Fn(usize, usize) -> f32, [m, k, n]: [usize; 3]| {
                let sum = |i: usize| (0..k).map(|j| f64::from(a(i / n, j)) * f64::from(b(j, i % n))).sum();
                (0..m * n).map(sum).collect::<Vec<f64>>()
            };
        let forward = matrix_product(
            &|r, i| x[r * in_features + i],
            &|i, o| weight[o * in_features + i],
            [rows, in_features, out_features],
        );
        let input_grad = matrix_product(
            &|r, o| d[r * out_features + o],
            &|o, i| weight[o * in_features + i],
            [rows, out_features, in_features],
        );
        let weight_grad = matrix_product(
            &|o, r| d[r * out_features + o],
            &|r, i| x[r * in_features + i],
            [out_features, rows, in_features],
        );
        for (is_bf16, tolerance) in [(false, 1e-5), (true, 0.1)] {
            let [x, d, weight] = [0, 1, 2].map(|index: usize| {
                if is_bf16 {
                    GemmOperand::Bf16(bf16_slices[index])
                } else {
                    GemmOperand::F32(f32_slices[index])
                }
            });
            let outputs = [rows * out_features, rows * in_features, out_features * in_features]
                .map(|len| fixture.f32s(&vec![0.5; len]));
            let mut ops = fixture.ops(input);
            ops.linear(outputs[0], x, weight, in_features).expect("a GEMM");
            ops.linear_input_grad(outputs[1], d, weight, in_features, true).expect("a GEMM");
            ops.linear_weight_grad(outputs[2], d, x, rows, true).expect("a GEMM");
            let accumulated = |x: &[f64]| x.iter().map(|x| x + 0.5).collect::<Vec<_>>();
            assert_close("forward", &fixture.read(outputs[0]), &forward, tolerance);
            assert_close("input_grad", &fixture.read(outputs[1]), &accumulated(&input_grad), tolerance);
            assert_close("weight_grad", &fixture.read(outputs[2]), &accumulated(&weight_grad), tolerance);
        }
    }
}

on_devices!(
    add_layer_norm_and_backward,
    embeddings_and_backward,
    activation_and_backward,
    adamw_updates_parameters_and_decays_unused_rows,
    linear_layer_gemms,
);
