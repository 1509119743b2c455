//! Norms, sums over rows, embeddings, head and AdamW.

use super::super::ops::{Norm, Normed, Rows, SQUARES, Site, Training};
use super::*;
use crate::nn::config::Activation;
use crate::nn::dropout::{self, Dropout};

const RATE: f64 = 0.25;
const EPS: f32 = 1e-3;

/// A site of the kernels, and what `rows` of `width` are multiplied by there, on the CPU.
fn site(is_on: bool, numbers: &[usize], width: usize) -> (Site, Vec<f64>) {
    const NUMBER: u32 = 4;
    let mut factors = vec![1.0f32; numbers.len() * width];
    if !is_on {
        return (Site::OFF, wide(&factors));
    }
    let masks = Dropout::new(SEED, STEP).site(NUMBER, RATE).expect("a rate");
    for (number, row) in numbers.iter().zip(factors.chunks_exact_mut(width)) {
        masks.fill(dropout::state_offset(*number, width), row);
    }
    (Site::new(NUMBER, dropout::threshold(RATE), dropout::keep_scale(RATE)), wide(&factors))
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// The real rows of a batch, by their number in the whole.
fn numbers(batch: &Batch, rows: Rows) -> Vec<usize> {
    match rows {
        Rows::All => (0..batch.tokens()).map(|token| batch.first_token + token).collect(),
        Rows::First => batch.offsets[..batch.len()].iter().map(|token| batch.first_token + token).collect(),
    }
}

/// `x` of the real rows, zeros after them.
fn filled(mut x: Vec<f64>, len: usize) -> Vec<f64> {
    x.resize(len, 0.0);
    x
}

fn column_sums(x: &[f64], width: usize) -> Vec<f64> {
    (0..width).map(|column| x.iter().skip(column).step_by(width).sum()).collect()
}

/// x̂ and 1/σ of rows.
fn normalized(z: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut normed, mut deviations) = (Vec::new(), Vec::new());
    for row in z.chunks_exact(width) {
        let mean = row.iter().sum::<f64>() / width as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let deviation = 1.0 / (variance + f64::from(EPS)).sqrt();
        normed.extend(row.iter().map(|x| (x - mean) * deviation));
        deviations.push(deviation);
    }
    (normed, deviations)
}

fn add_norm_and_its_gradient<D: Device>(open: impl Fn() -> D) {
    for (lengths, width) in [(vec![3, 1, 7], 20), (vec![40, 2], 300), (vec![1], 1), (vec![9; 9], 1030)] {
        for (rows, is_on) in [(Rows::All, true), (Rows::First, true), (Rows::All, false)] {
            norms(open(), &batch(&lengths), width, rows, is_on);
        }
    }
}

fn norms<D: Device>(device: D, batch: &Batch, width: usize, rows: Rows, is_on: bool) {
    let mut lab = Lab::new(device);
    let input = lab.input(batch, step_numbers());
    let r = lab.ops(input).len(rows);
    let numbers = numbers(batch, rows);
    let real = numbers.len() * width;
    let (site, factors) = site(is_on, &numbers, width);
    let [product, residual, dy] = [1, 2, 3].map(|minor| random(minor, r * width));
    let [bias, places] = [random(4, width), random(5, 2 * width)];

    let normed = Normed { x: lab.numbers(&product), deviations: lab.room(r) };
    let (sum_bias, sum_residual) = (lab.numbers(&bias), lab.numbers(&residual));
    let norm = Norm { places: lab.numbers(&places), eps: EPS };
    let y = lab.both(r * width);
    lab.ops(input).add_norm(rows, (sum_bias, site, sum_residual), norm, normed, y).expect("a launch");
    let z: Vec<f64> = (0..real)
        .map(|i| f64::from(product[i] + bias[i % width]) * factors[i] + f64::from(residual[i]))
        .collect();
    let (x, deviations) = normalized(&z, width);
    let (weight, shift) = places.split_at(width);
    let expected =
        (0..real).map(|i| x[i] * f64::from(weight[i % width]) + f64::from(shift[i % width])).collect();
    assert_both(&lab, "y", y, &filled(expected, r * width));
    assert_close("normed", &lab.get(normed.x), &filled(x.clone(), r * width), 2e-5);

    let (d, dh) = (lab.numbers(&dy), lab.both(r * width));
    let sums = lab.sums(3 * width);
    let gradient = lab.numbers(&random(6, 3 * width));
    let before = wide(&random(6, 3 * width));
    let mut ops = lab.ops(input);
    let weights = norm.places.first(width);
    let at = (sums, (width, 0));
    ops.norm_backward(rows, [site, site], (normed, weights), d, Some(dh), at).expect("a launch");
    ops.finish((sums, 0), gradient, true).expect("a launch");
    let dy: Vec<f64> = (0..real).map(|i| f64::from(dy[i]) * factors[i]).collect();
    let mut dz = Vec::new();
    for row in 0..numbers.len() {
        let at = row * width..(row + 1) * width;
        let dx: Vec<f64> = at.clone().map(|i| dy[i] * f64::from(weight[i % width])).collect();
        let mean = dx.iter().sum::<f64>() / width as f64;
        let along = at.clone().map(|i| dx[i % width] * x[i]).sum::<f64>() / width as f64;
        dz.extend(at.map(|i| (dx[i % width] - mean - x[i] * along) * deviations[row]));
    }
    assert_close("dz", &lab.get(d), &filled(dz.clone(), r * width), 1e-4);
    let dropped: Vec<f64> = dz.iter().zip(&factors).map(|(d, factor)| d * factor).collect();
    assert_close("dh", &lab.get(dh.wide), &filled(dropped.clone(), r * width), 1e-4);
    assert_close("dh", &lab.get_bf16(dh.operand), &filled(dropped.clone(), r * width), 1e-2);
    let products: Vec<f64> = dy.iter().zip(&x).map(|(d, x)| d * x).collect();
    let sums =
        [column_sums(&dropped, width), column_sums(&products, width), column_sums(&dy, width)].concat();
    let expected: Vec<f64> = sums.iter().zip(&before).map(|(a, b)| a + b).collect();
    assert_close("gradients", &lab.get(gradient), &expected, 1e-3);
}

fn embedding_and_its_gradient<D: Device>(open: impl Fn() -> D) {
    for (width, has_segments, is_on) in [(20, true, true), (300, false, false), (7, true, false)] {
        let mut lab = Lab::new(open());
        let batch = batch(&[3, 1, 12, 5]);
        let input = lab.input(&batch, step_numbers());
        let (t, real) = (input.bucket.tokens, batch.tokens() * width);
        let numbers = numbers(&batch, Rows::All);
        let (site, factors) = site(is_on, &numbers, width);
        let sizes = [19, 14, 2];
        let tables = [0, 1, 2].map(|table| random(table as u32, sizes[table] * width));
        let mut spans = [0, 1, 2].map(|table| lab.numbers(&tables[table]));
        if !has_segments {
            spans[2] = Span::NONE;
        }
        let places = random(5, 2 * width);
        let norm = Norm { places: lab.numbers(&places), eps: EPS };
        let normed = Normed { x: lab.room(t * width), deviations: lab.room(t) };
        let y = lab.both(t * width);
        lab.ops(input).embed(spans, norm, site, normed, y).expect("a launch");
        let positions: Vec<usize> = batch.offsets.windows(2).flat_map(|w| 0..w[1] - w[0]).collect();
        let row = |table: usize, token: usize| match table {
            0 => batch.ids[token] as usize,
            1 => positions[token],
            _ => batch.type_ids[token] as usize,
        };
        let used = if has_segments { 3 } else { 2 };
        let z: Vec<f64> = (0..real)
            .map(|i| {
                let number = |table: usize| tables[table][row(table, i / width) * width + i % width];
                (0..used).map(|table| f64::from(number(table))).sum()
            })
            .collect();
        let (x, _) = normalized(&z, width);
        let value = |i: usize| x[i] * f64::from(places[i % width]) + f64::from(places[width + i % width]);
        let expected = (0..real).map(|i| value(i) * factors[i]).collect();
        assert_both(&lab, "y", y, &filled(expected, t * width));

        let d = random(6, t * width);
        let span = lab.numbers(&d);
        let gradients = [0, 1, 2].map(|table| lab.numbers(&random(10 + table as u32, sizes[table] * width)));
        let (stamps, sums) = (lab.words(&[0; 19]), lab.sums(2 * width));
        for is_added in [false, true] {
            let mut ops = lab.ops(input);
            ops.scatter_words(span, width, stamps, gradients[0]).expect("a launch");
            ops.scatter_positions(span, width, gradients[1], is_added).expect("a launch");
            ops.segment_columns(span, (width, 2), (sums, 0)).expect("a launch");
            ops.finish((sums, 0), gradients[2], is_added).expect("a launch");
            let times = if is_added { 2.0 } else { 1.0 };
            for table in 0..3 {
                let mut expected = vec![0.0; sizes[table] * width];
                for i in 0..real {
                    expected[row(table, i / width) * width + i % width] += times * f64::from(d[i]);
                }
                if table == 0 {
                    // Rows of words that are not there keep what they had.
                    let had = random(10, 19 * width);
                    for word in (0..19).filter(|word| !batch.ids.contains(word)) {
                        let at = word as usize * width..(word as usize + 1) * width;
                        expected[at.clone()].copy_from_slice(&wide(&had[at]));
                    }
                }
                assert_close(&format!("table {table}"), &lab.get(gradients[table]), &expected, 1e-4);
            }
        }
        let marked: Vec<u32> = (0..19).map(|word| u32::from(batch.ids.contains(&word))).collect();
        assert_eq!(lab.get_words(stamps), marked);
    }
}

fn activation_and_its_gradient<D: Device>(open: impl Fn() -> D) {
    let kinds = [Activation::Gelu, Activation::GeluTanh, Activation::Relu];
    for (kind, width) in kinds.into_iter().zip([300, 40, 513]) {
        let mut lab = Lab::new(open());
        let batch = batch(&[3, 30]);
        let input = lab.input(&batch, step_numbers());
        let (r, real) = (input.bucket.tokens, batch.tokens() * width);
        let [numbers, bias, dy] = [random(1, r * width), random(2, width), random(3, r * width)];
        let (x, out) = (lab.numbers(&numbers), lab.both(r * width));
        let span = lab.numbers(&bias);
        lab.ops(input).activate(Rows::All, kind, span, x, out).expect("a launch");
        let f = |x: f64| match kind {
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
            }
            Activation::Relu => x.max(0.0),
        };
        let at = |i: usize| f64::from(numbers[i] + bias[i % width]);
        let expected: Vec<f64> = (0..real).map(|i| f(at(i))).collect();
        assert_both(&lab, "f", out, &filled(expected, r * width));
        // A difference over the kink of ReLU is no slope.
        let slope = |x: f64| match kind {
            Activation::Relu => f64::from(u8::from(x > 0.0)),
            _ => (f(x + 1e-4) - f(x - 1e-4)) / 2e-4,
        };
        let slopes: Vec<f64> = (0..real).map(|i| slope(at(i))).collect();
        assert_close("slope", &lab.get(x), &filled(slopes.clone(), r * width), 2e-5);

        let d = Rounded { wide: lab.numbers(&dy), operand: lab.room(r * width) };
        let (sums, gradient) = (lab.sums(width + 3), lab.room(width));
        let mut ops = lab.ops(input);
        ops.columns(Rows::All, width, Some(x), d, (sums, 3)).expect("a launch");
        ops.finish((sums, 3), gradient, false).expect("a launch");
        let expected: Vec<f64> = (0..real).map(|i| f64::from(dy[i]) * slopes[i]).collect();
        assert_both(&lab, "d", d, &filled(expected.clone(), r * width));
        assert_close("bias", &lab.get(gradient), &column_sums(&expected, width), 1e-4);
    }
}

/// The error function by its series.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * f64::abs(sum) {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn first_rows_are_picked_and_put_back<D: Device>(open: impl Fn() -> D) {
    let mut lab = Lab::new(open());
    let (batch, width) = (batch(&[3, 1, 12]), 20);
    let input = lab.input(&batch, step_numbers());
    let (t, e) = (input.bucket.tokens, input.bucket.examples);
    let x = random(1, t * width);
    let (from, picked, back) = (lab.numbers(&x), lab.both(e * width), lab.numbers(&random(2, t * width)));
    let mut ops = lab.ops(input);
    ops.pick(from, width, picked).expect("a launch");
    ops.unpick(picked.wide, width, back).expect("a launch");
    let (mut rows, mut whole) = (Vec::new(), vec![0.0; t * width]);
    for token in &batch.offsets[..batch.len()] {
        let at = token * width..(token + 1) * width;
        rows.extend(wide(&x[at.clone()]));
        whole[at.clone()].copy_from_slice(&wide(&x[at]));
    }
    assert_both(&lab, "picked", picked, &filled(rows, e * width));
    assert_close("put back", &lab.get(back), &whole, 0.0);
}

fn head_and_loss<D: Device>(open: impl Fn() -> D) {
    for (is_tanh, is_on, h) in [(true, true, 20), (false, false, 300)] {
        let mut lab = Lab::new(open());
        let (batch, classes, smoothing) = (batch(&[3, 1, 12, 2, 2]), 3, 0.1f32);
        let share = 0.125f32;
        let input = lab.input(&batch, Numbers { share, ..step_numbers() });
        let (e, real) = (input.bucket.examples, batch.len() * h);
        let numbers: Vec<usize> = (0..batch.len()).map(|example| batch.first_example + example).collect();
        let (site, factors) = site(is_on, &numbers, h);
        let [product, bias, d] = [random(1, e * h), random(2, h), random(3, e * h)];
        let (pooled, dropped, back) = (lab.numbers(&product), lab.room(e * h), lab.numbers(&d));
        let span = lab.numbers(&bias);
        let mut ops = lab.ops(input);
        ops.pool(is_tanh, span, site, pooled, dropped).expect("a launch");
        ops.pool_backward(is_tanh, site, pooled, h, back).expect("a launch");
        let y: Vec<f64> = (0..real)
            .map(|i| f64::from(product[i] + bias[i % h]))
            .map(|x| if is_tanh { x.tanh() } else { x.max(0.0) })
            .collect();
        assert_close("pooled", &lab.get(pooled), &filled(y.clone(), e * h), 2e-5);
        let expected = (0..real).map(|i| y[i] * factors[i]).collect();
        assert_close("dropped", &lab.get(dropped), &filled(expected, e * h), 2e-5);
        let slope = |y: f64| if is_tanh { 1.0 - y * y } else { f64::from(u8::from(y > 0.0)) };
        let expected = (0..real).map(|i| f64::from(d[i]) * factors[i] * slope(y[i])).collect();
        assert_close("dpooled", &lab.get(back), &filled(expected, e * h), 2e-5);

        let [x, bias] = [random(4, e * classes), random(5, classes)];
        let (logits, dlogits) = (lab.numbers(&x), lab.room(e * classes));
        let (span, report) = (lab.numbers(&bias), lab.words(&[0; 4]));
        let mut ops = lab.ops(input);
        ops.add_bias(span, logits).expect("a launch");
        for _ in 0..2 {
            ops.loss(smoothing, logits, classes, dlogits, report).expect("a launch");
        }
        let (mut loss, mut gradient) = (0.0, Vec::new());
        for (row, label) in batch.labels.iter().enumerate() {
            let x: Vec<f64> =
                (0..classes).map(|class| f64::from(x[row * classes + class] + bias[class])).collect();
            let sum: f64 = x.iter().map(|x| x.exp()).sum();
            for (class, x) in x.iter().enumerate() {
                let is_it = if class == label.number() as usize { 1.0 - f64::from(smoothing) } else { 0.0 };
                let wanted = is_it + f64::from(smoothing) / classes as f64;
                loss -= wanted * (x - sum.ln()) * f64::from(share);
                gradient.push((x.exp() / sum - wanted) * f64::from(share));
            }
        }
        assert_close("dlogits", &lab.get(dlogits), &filled(gradient, e * classes), 2e-5);
        let words = lab.get_words(report);
        let found = f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32);
        assert!((found - 2.0 * loss).abs() < 1e-5, "loss {found}, twice {loss} is expected");
    }
}

fn squared_errors<D: Device>(open: impl Fn() -> D) {
    let mut lab = Lab::new(open());
    let mut batch = batch(&[3, 1, 12, 2, 2]);
    batch.labels = [2.5, 0.0, 4.75, -1.0, 5.0].map(Label::Value).to_vec();
    let share = 0.125f32;
    let input = lab.input(&batch, Numbers { share, ..step_numbers() });
    let e = input.bucket.examples;
    let x = random(4, e);
    let (logits, dlogits, report) = (lab.numbers(&x), lab.room(e), lab.words(&[0; 4]));
    let mut ops = lab.ops(input);
    for _ in 0..2 {
        // Smoothing is nothing to a number.
        ops.loss(0.1, logits, 1, dlogits, report).expect("a launch");
    }
    let errors = batch.labels.iter().zip(&x).map(|(label, x)| f64::from(*x) - f64::from(label.number()));
    let loss: f64 = errors.clone().map(|error| error * error * f64::from(share)).sum();
    let gradient = errors.map(|error| 2.0 * error * f64::from(share)).collect();
    assert_close("dlogits", &lab.get(dlogits), &filled(gradient, e), 2e-6);
    let words = lab.get_words(report);
    let found = f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32);
    assert!((found - 2.0 * loss).abs() < 1e-5, "loss {found}, twice {loss} is expected");
}

fn adamw_moves_what_has_a_gradient<D: Device>(open: impl Fn() -> D) {
    for limit in [0.0f32, 0.5] {
        let mut lab = Lab::new(open());
        let (rows, width, dense, matrices, vectors) = (6, 5, 2500, 40..1040, 2300);
        let total = rows * width + dense;
        let [mut weights, gradients] = [random(1, total), random(2, total)];
        let (mut first, mut second) = (vec![0.0; total], vec![0.0; total]);
        // Row 2 has been seen; row 4 is of this step; the others never had a gradient.
        first[2 * width..3 * width].fill(0.5);
        second[2 * width..3 * width].fill(0.25);
        let training = Training {
            weights: lab.numbers(&weights),
            gradients: lab.numbers(&gradients),
            first: lab.numbers(&first),
            second: lab.numbers(&second),
            operands: lab.room(matrices.len()),
            matrices: matrices.start,
            vectors,
            words: [rows, width],
            stamps: lab.words(&[0, 0, 3, 0, 8, 0]),
            seen: lab.words(&[0, 0, 1, 0, 0, 0]),
            report: lab.words(&[0; 4]),
            squares: lab.room(SQUARES),
        };
        let (decay, rate, root) = (0.9f32, 1e-2f32, 0.5f32);
        let numbers = Numbers { stamp: 8, decay, rate, root, ..Numbers::default() };
        let input = lab.input(&batch(&[1]), numbers);
        let [gain, keep, second_gain, epsilon] = [0.1f32, 0.99, 0.01, 1e-6];
        lab.ops(input).update(training, limit, [gain, keep, second_gain, epsilon]).expect("a launch");

        let is_touched = |i: usize| i >= rows * width || i / width == 4;
        let square = |i: usize| f64::from(gradients[i]).powi(2);
        let norm = (0..total).filter(|i| is_touched(*i)).map(square).sum::<f64>().sqrt();
        let scale = if limit > 0.0 { (f64::from(limit) / (norm + 1e-6)).min(1.0) as f32 } else { 1.0 };
        for i in 0..total {
            let is_seen = is_touched(i) || i / width == 2;
            let decay = if i < vectors { decay } else { 1.0 };
            if !is_seen {
                weights[i] *= decay;
                continue;
            }
            let g = if is_touched(i) { gradients[i] * scale } else { 0.0 };
            first[i] += gain * (g - first[i]);
            second[i] = keep * second[i] + second_gain * g * g;
            weights[i] = decay * weights[i] - rate * (first[i] / (second[i].sqrt() / root + epsilon));
        }
        assert_close("weight", &lab.get(training.weights), &wide(&weights), 2e-6);
        assert_close("first moment", &lab.get(training.first), &wide(&first), 2e-6);
        assert_close("second moment", &lab.get(training.second), &wide(&second), 2e-6);
        assert_close("operand", &lab.get_bf16(training.operands), &wide(&weights[matrices]), 5e-3);
        assert_eq!(lab.get_words(training.seen), [0, 0, 1, 0, 1, 0]);
        let report = lab.get_words(training.report);
        let found = [f32::from_bits(report[2]), f32::from_bits(report[3])];
        assert_close("norm and scale", &found, &[norm, f64::from(scale)], 1e-5);
    }
}

fn products<D: Device>(open: impl Fn() -> D) {
    use super::super::device::GemmOperand;
    for (rows, outs, ins) in [(1, 1, 1), (5, 3, 7), (32, 64, 48)] {
        let mut lab = Lab::new(open());
        let input = lab.input(&batch(&[1]), step_numbers());
        let [x, d, weight] = [random(1, rows * ins), random(2, rows * outs), random(3, outs * ins)];
        let spans = [lab.numbers(&x), lab.numbers(&d), lab.numbers(&weight)];
        let halves = [x.len(), d.len(), weight.len()].map(|len| lab.room::<Bf16>(len));
        for (span, half) in spans.into_iter().zip(halves) {
            super::super::ops::round_weights(&mut lab.device, span, half).expect("a launch");
        }
        let product =
            |a: &dyn Fn(usize, usize) -> f32, b: &dyn Fn(usize, usize) -> f32, [m, k, n]: [usize; 3]| {
                let sum = |i: usize| (0..k).map(|j| f64::from(a(i / n, j)) * f64::from(b(j, i % n))).sum();
                (0..m * n).map(sum).collect::<Vec<f64>>()
            };
        let forward = product(&|r, i| x[r * ins + i], &|i, o| weight[o * ins + i], [rows, ins, outs]);
        let backward = product(&|r, o| d[r * outs + o], &|o, i| weight[o * ins + i], [rows, outs, ins]);
        let weights = product(&|o, r| d[r * outs + o], &|r, i| x[r * ins + i], [outs, rows, ins]);
        for (is_bf16, tolerance) in [(false, 1e-5), (true, 0.1)] {
            let [x, d, weight] = [0, 1, 2].map(|place: usize| {
                if is_bf16 { GemmOperand::Bf16(halves[place]) } else { GemmOperand::F32(spans[place]) }
            });
            let outs_of = [rows * outs, rows * ins, outs * ins].map(|len| lab.numbers(&vec![0.5; len]));
            let mut ops = lab.ops(input);
            ops.forward(outs_of[0], x, weight, ins).expect("a product");
            ops.backward(outs_of[1], d, weight, ins, true).expect("a product");
            ops.weights(outs_of[2], d, x, rows, true).expect("a product");
            let more = |x: &[f64]| x.iter().map(|x| x + 0.5).collect::<Vec<_>>();
            assert_close("forward", &lab.get(outs_of[0]), &forward, tolerance);
            assert_close("backward", &lab.get(outs_of[1]), &more(&backward), tolerance);
            assert_close("weights", &lab.get(outs_of[2]), &more(&weights), tolerance);
        }
    }
}

on_devices!(
    add_norm_and_its_gradient,
    embedding_and_its_gradient,
    activation_and_its_gradient,
    first_rows_are_picked_and_put_back,
    head_and_loss,
    squared_errors,
    adamw_moves_what_has_a_gradient,
    products,
);
