//! Each kernel against plain loops in f64, on the machine's instructions and without any.

use super::Cpu;
use super::activation::{activate, activate_backward};
use super::adamw::{Moving, Update, adamw, add, sum_of_squares};
use super::attention::{Attention, Heads, Projected, Span, Spans, padded};
use super::embedding::{gather, scatter};
use super::norm::{Mask, Norm, NormGradient, add_columns, add_norm, masked_gradient, norm_backward};
use crate::nn::config::Activation;
use crate::nn::dropout::{Dropout, Site, attention, row, state};
use crate::rng::{Rng, Stream};

fn cpus() -> [Cpu; 2] {
    [Cpu::detect(), Cpu::plain()]
}

fn numbers(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(9, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

fn site() -> Option<Site> {
    Dropout::new(3, 7).site(attention(1), 0.25)
}

fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() < 2e-5 * (1.0 + b.abs()), "{what}[{place}]: {a}, expected {b}");
    }
}

/// Factors of `rows` rows that are the batch's rows 3, 4, …
fn factors(site: Option<Site>, rows: usize, width: usize) -> Vec<f32> {
    let mut all = vec![1.0; rows * width];
    for (row, factors) in all.chunks_exact_mut(width).enumerate() {
        if let Some(site) = &site {
            site.fill(state(row + 3, width), factors);
        }
    }
    all
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

fn columns(x: &[f64], width: usize) -> Vec<f64> {
    (0..width).map(|column| x.iter().skip(column).step_by(width).sum()).collect()
}

#[test]
fn norm_and_its_gradient() {
    for (rows, width) in [(1, 1), (2, 16), (3, 40), (5, 100)] {
        for (cpu, site) in cpus().into_iter().flat_map(|cpu| [(cpu, None), (cpu, site())]) {
            let size = rows * width;
            let [product, residual, dy] = [1, 2, 3].map(|minor| numbers(minor, size));
            let [inner_bias, weight, bias] = [4, 5, 6].map(|minor| numbers(minor, width));
            let factors = factors(site, rows, width);
            let tokens: Vec<usize> = (3..3 + rows).collect();
            let mask = Mask { site, tokens: &tokens };
            let (mut normed, mut y, mut deviations) = (product.clone(), vec![0.0; size], vec![0.0; rows]);
            let norm = Norm { weight: &weight, bias: &bias, eps: 1e-3 };
            add_norm(cpu, &mut normed, (&inner_bias, mask, &residual), norm, &mut deviations, &mut y);

            let (mut xs, mut ys, mut dzs) = (vec![], vec![], vec![]);
            for row in 0..rows {
                let at = |column: usize| row * width + column;
                let term = |c: usize| f64::from(product[at(c)] + inner_bias[c]) * f64::from(factors[at(c)]);
                let z: Vec<f64> = (0..width).map(|c| term(c) + f64::from(residual[at(c)])).collect();
                let mean = z.iter().sum::<f64>() / width as f64;
                let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / width as f64;
                let sigma = (variance + 1e-3).sqrt();
                let x: Vec<f64> = z.iter().map(|z| (z - mean) / sigma).collect();
                let d: Vec<f64> = (0..width).map(|c| f64::from(dy[at(c)]) * f64::from(weight[c])).collect();
                let mean_d = d.iter().sum::<f64>() / width as f64;
                let along = d.iter().zip(&x).map(|(d, x)| d * x).sum::<f64>() / width as f64;
                ys.extend((0..width).map(|c| x[c] * f64::from(weight[c]) + f64::from(bias[c])));
                dzs.extend((0..width).map(|c| (d[c] - mean_d - x[c] * along) / sigma));
                xs.extend(x);
            }
            assert_close("normed", &normed, &xs);
            assert_close("y", &y, &ys);

            let (mut d, mut dweight, mut dbias) = (dy.clone(), vec![0.0; width], vec![0.0; width]);
            let gradient = NormGradient { weight: &mut dweight, bias: &mut dbias };
            norm_backward(cpu, &mut d, &normed, &deviations, &weight, gradient);
            let along: Vec<f64> = dy.iter().zip(&xs).map(|(d, x)| f64::from(*d) * x).collect();
            assert_close("dz", &d, &dzs);
            assert_close("dweight", &dweight, &columns(&along, width));
            assert_close("dbias", &dbias, &columns(&wide(&dy), width));

            let (mut out, mut sums) = (vec![0.0; size], vec![0.0; width]);
            masked_gradient(cpu, &dy, mask, &mut out, &mut sums);
            let masked: Vec<f64> = dy.iter().zip(&factors).map(|(d, f)| f64::from(d * f)).collect();
            assert_close("masked", &out, &masked);
            assert_close("its sums", &sums, &columns(&masked, width));
            add_columns(cpu, &out, &mut sums);
            assert_close(
                "twice",
                &sums,
                &columns(&masked, width).iter().map(|x| 2.0 * x).collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn activation_and_its_gradient() {
    let phi = |x: f64| 1.0 / (1.0 + (-x).exp());
    for cpu in cpus() {
        let (x, bias, d) = (numbers(1, 3 * 21), numbers(2, 21), numbers(3, 3 * 21));
        let shifted: Vec<f64> = (0..x.len()).map(|i| f64::from(x[i] + bias[i % 21])).collect();
        let (mut slopes, mut out, mut sums) = (x.clone(), vec![0.0; x.len()], vec![0.0; 21]);
        activate(cpu, Activation::Relu, &mut slopes, &bias, &mut out);
        assert_close("relu", &out, &shifted.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
        let mut dx = d.clone();
        activate_backward(cpu, &mut dx, &slopes, &mut sums);
        let expected: Vec<f64> =
            shifted.iter().zip(&d).map(|(x, d)| if *x > 0.0 { f64::from(*d) } else { 0.0 }).collect();
        assert_close("through relu", &dx, &expected);
        assert_close("bias", &sums, &columns(&expected, 21));
        // The tanh form is x σ(2u), which needs no tanh.
        let mut slopes = x.clone();
        activate(cpu, Activation::GeluTanh, &mut slopes, &bias, &mut out);
        let u = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        let expected: Vec<f64> = shifted.iter().map(|x| x * phi(2.0 * u(*x))).collect();
        assert_close("gelu by tanh", &out, &expected);
        activate(cpu, Activation::Gelu, &mut x.clone(), &bias, &mut out);
        for (a, b) in out.iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 1e-3, "{a}, {b} by tanh");
        }
    }
}

#[test]
fn adamw_and_sums() {
    let update = Update {
        first_gain: 0.1,
        second_keep: 0.999,
        second_gain: 0.001,
        decay: 0.99,
        step: 0.02,
        root: 0.5,
        epsilon: 1e-3,
        scale: 0.7,
    };
    for cpu in cpus() {
        let n = 1037;
        let [w, m, g] = [1, 2, 3].map(|minor| numbers(minor, n));
        let v: Vec<f32> = numbers(4, n).iter().map(|x| x * x).collect();
        let (mut weight, mut first, mut second) = (w.clone(), m.clone(), v.clone());
        let moving = Moving { weight: &mut weight, first: &mut first, second: &mut second };
        adamw(cpu, moving, &g, update);
        let clipped: Vec<f64> = g.iter().map(|g| f64::from(*g) * 0.7).collect();
        let ms: Vec<f64> = (0..n).map(|i| 0.9 * f64::from(m[i]) + 0.1 * clipped[i]).collect();
        let vs: Vec<f64> = (0..n).map(|i| 0.999 * f64::from(v[i]) + 0.001 * clipped[i].powi(2)).collect();
        let moved = |i: usize| 0.99 * f64::from(w[i]) - 0.02 * ms[i] / (vs[i].sqrt() / 0.5 + 1e-3);
        assert_close("first moments", &first, &ms);
        assert_close("second moments", &second, &vs);
        assert_close("weights", &weight, &(0..n).map(moved).collect::<Vec<_>>());
        let squares: f64 = wide(&g).iter().map(|g| g * g).sum();
        assert!((sum_of_squares(cpu, &g) / squares - 1.0).abs() < 1e-5);
        let mut total = w.clone();
        add(cpu, &mut total, &g);
        assert_close("sum", &total, &(0..n).map(|i| f64::from(w[i]) + f64::from(g[i])).collect::<Vec<_>>());
    }
}

#[test]
fn rows_of_embeddings() {
    let (words, kinds) = (numbers(1, 5 * 3), numbers(2, 2 * 3));
    let (ids, types) = ([4, 0, 4], [1, 1, 0]);
    let mut out = vec![0.0; 9];
    gather(&[(&words, &ids), (&kinds, &types)], 3, &mut out);
    let expected =
        |i: usize| words[ids[i / 3] as usize * 3 + i % 3] + kinds[types[i / 3] as usize * 3 + i % 3];
    assert_eq!(out, (0..9).map(expected).collect::<Vec<_>>());
    let mut table = vec![0.0; 15];
    scatter(&out, &ids, 3, &mut table);
    assert_eq!(table[..3], out[3..6]);
    assert_eq!(table[12], out[0] + out[6]);
    assert!(table[3..12].iter().all(|x| *x == 0.0));
}

/// One example with its head's numbers in f64: what [`attention_and_its_gradients`] expects.
struct Expected {
    context: Vec<f64>,
    dq: Vec<f64>,
    dkv: Vec<f64>,
}

/// Loops over queries and keys, by the definition.
fn loops(spans: Spans<'_>, q: &[f64], kv: &[f64], dcontext: &[f64]) -> Expected {
    let Heads { count, size, max_positions } = spans.heads;
    let h = count * size;
    let (mut context, mut dq, mut dkv) = (vec![0.0; q.len()], vec![0.0; q.len()], vec![0.0; kv.len()]);
    let scale = 1.0 / (size as f64).sqrt();
    for (span, head) in spans.examples.iter().flat_map(|span| (0..count).map(move |head| (span, head))) {
        for query in span.queries.clone() {
            let (at, n) = (query * h + head * size, span.keys.len());
            let key = |key: usize| (span.keys.start + key) * 2 * h + head * size;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let scores: Vec<f64> =
                (0..n).map(|j| scale * dot(&q[at..at + size], &kv[key(j)..key(j) + size])).collect();
            let sum: f64 = scores.iter().map(|s| s.exp()).sum();
            let p: Vec<f64> = scores.iter().map(|s| s.exp() / sum).collect();
            let mut mask = vec![1.0; n];
            if let Some(site) = &spans.dropout {
                let mut bits = Vec::new();
                site.keep(&[row(spans.tokens[query], (head, count))], n, max_positions, &mut bits);
                let is_kept = |key: usize| bits[key / 8] >> (key % 8) & 1 == 1;
                mask = (0..n).map(|key| if is_kept(key) { f64::from(site.kept) } else { 0.0 }).collect();
            }
            let d = &dcontext[at..at + size];
            let dp: Vec<f64> = (0..n).map(|j| mask[j] * dot(d, &kv[key(j) + h..key(j) + h + size])).collect();
            let along = dot(&dp, &p);
            for j in 0..n {
                let ds = p[j] * (dp[j] - along) * scale;
                for i in 0..size {
                    context[at + i] += mask[j] * p[j] * kv[key(j) + h + i];
                    dq[at + i] += ds * kv[key(j) + i];
                    dkv[key(j) + i] += ds * q[at + i];
                    dkv[key(j) + h + i] += mask[j] * p[j] * d[i];
                }
            }
        }
    }
    Expected { context, dq, dkv }
}

#[test]
fn attention_and_its_gradients() {
    for (count, size) in [(1, 4), (3, 20), (2, 32)] {
        for (cpu, dropout) in cpus().into_iter().flat_map(|cpu| [(cpu, None), (cpu, site())]) {
            let (h, heads) = (count * size, Heads { count, size, max_positions: 64 });
            let (lengths, mut spans, mut token, mut first) = ([1usize, 17, 33], vec![], 0, 0);
            for length in lengths {
                spans.push(Span { queries: token..token + length, keys: token..token + length, first });
                first += count * length * padded(length);
                token += length;
            }
            // The last asks with its first row only.
            let last = spans.last_mut().expect("three spans");
            last.queries.end = last.queries.start + 1;
            let (rows, tokens) = (last.queries.end, token);
            let numbered: Vec<usize> = (5..5 + rows).collect();
            let spans = Spans { heads, examples: &spans, dropout, tokens: &numbered };
            let (q, kv, biases) = (numbers(1, rows * h), numbers(2, tokens * 2 * h), numbers(3, 3 * h));
            let dcontext = numbers(4, rows * h);
            let projected = Projected { queries: &q, keys_values: &kv, biases: &biases };
            let biased = |x: &[f32], biases: &[f32]| -> Vec<f64> {
                x.iter().enumerate().map(|(i, x)| f64::from(x + biases[i % biases.len()])).collect()
            };
            let expected =
                loops(spans, &biased(&q, &biases[..h]), &biased(&kv, &biases[h..]), &wide(&dcontext));

            let mut attention = Attention::default();
            let (mut kept, mut context) = (vec![0.0; first], vec![0.0; rows * h]);
            attention.attend(cpu, spans, projected, &mut kept, &mut context);
            assert_close("context", &context, &expected.context);
            let (mut dq, mut dkv) = (vec![7.0; rows * h], vec![7.0; tokens * 2 * h]);
            attention.attend_backward(cpu, spans, projected, (&kept, &dcontext), &mut dq, &mut dkv);
            assert_close("dq", &dq, &expected.dq);
            assert_close("dkv", &dkv, &expected.dkv);
        }
    }
}
