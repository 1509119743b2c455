//! Each kernel against naive loops in f64, with the instruction set of the machine and with the baseline.

use super::Cpu;
use super::activation::{activate, activate_backward};
use super::adamw::{AdamWStep, ParamSlices, adamw, add_assign, sum_of_squares, update_average};
use super::attention::{Attention, AttentionBatch, AttentionGrads, AttentionSpan, HeadShape, Qkv, padded};
use super::embedding::{gather, scatter_add};
use super::norm::{
    DropoutMask, LayerNorm, LayerNormGrad, add_column_sums, dropout_add_norm, dropout_bias_backward,
    layer_norm_backward,
};
use crate::activation::Activation;
use crate::disentangled::{PositionGrads, ProjectedPositions, RelativePositions};
use crate::dropout::{Dropout, Site, attention, attention_row, state_offset};
use crate::relative_bias::RelativeBias;
use crate::rng::{Rng, Stream};

fn cpus() -> [Cpu; 2] {
    [Cpu::detect(), Cpu::plain()]
}

fn random(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(9, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

fn site() -> Option<Site> {
    Dropout::new(3, 7).site(attention(1), 0.25)
}

fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() < 2e-5 * (1.0 + b.abs()), "{what}[{index}]: {a}, expected {b}");
    }
}

/// Dropout factors of `rows` rows, which are rows 3, 4, … of the batch.
fn dropout_factors(site: Option<Site>, rows: usize, width: usize) -> Vec<f32> {
    let mut all = vec![1.0; rows * width];
    for (row, factors) in all.chunks_exact_mut(width).enumerate() {
        if let Some(site) = &site {
            site.fill(state_offset(row + 3, width), factors);
        }
    }
    all
}

fn to_f64(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

fn column_sums(x: &[f64], width: usize) -> Vec<f64> {
    (0..width).map(|column| x.iter().skip(column).step_by(width).sum()).collect()
}

#[test]
fn layer_norm_forward_and_backward() {
    for (rows, width) in [(1, 1), (2, 16), (3, 40), (5, 100)] {
        for (cpu, site) in cpus().into_iter().flat_map(|cpu| [(cpu, None), (cpu, site())]) {
            let size = rows * width;
            let [x, residual, d_y] = [1, 2, 3].map(|minor| random(minor, size));
            let [x_bias, weight, bias] = [4, 5, 6].map(|minor| random(minor, width));
            let factors = dropout_factors(site, rows, width);
            let tokens: Vec<usize> = (3..3 + rows).collect();
            let mask = DropoutMask { site, row_indices: &tokens };
            let (mut xhat, mut y, mut rstd) = (x.clone(), vec![0.0; size], vec![0.0; rows]);
            let norm = LayerNorm { weight: &weight, bias: &bias, eps: 1e-3 };
            dropout_add_norm(cpu, &mut xhat, (&x_bias, mask, &residual), norm, &mut rstd, &mut y);

            let (mut expected_xhat, mut expected_y, mut expected_d_z) = (vec![], vec![], vec![]);
            for row in 0..rows {
                let at = |column: usize| row * width + column;
                let term = |c: usize| f64::from(x[at(c)] + x_bias[c]) * f64::from(factors[at(c)]);
                let z: Vec<f64> = (0..width).map(|c| term(c) + f64::from(residual[at(c)])).collect();
                let mean = z.iter().sum::<f64>() / width as f64;
                let variance = z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / width as f64;
                let sigma = (variance + 1e-3).sqrt();
                let xhat: Vec<f64> = z.iter().map(|z| (z - mean) / sigma).collect();
                let d: Vec<f64> = (0..width).map(|c| f64::from(d_y[at(c)]) * f64::from(weight[c])).collect();
                let mean_d = d.iter().sum::<f64>() / width as f64;
                let mean_d_xhat = d.iter().zip(&xhat).map(|(d, x)| d * x).sum::<f64>() / width as f64;
                expected_y.extend((0..width).map(|c| xhat[c] * f64::from(weight[c]) + f64::from(bias[c])));
                expected_d_z.extend((0..width).map(|c| (d[c] - mean_d - xhat[c] * mean_d_xhat) / sigma));
                expected_xhat.extend(xhat);
            }
            assert_close("xhat", &xhat, &expected_xhat);
            assert_close("y", &y, &expected_y);

            let (mut d, mut d_weight, mut d_bias) = (d_y.clone(), vec![0.0; width], vec![0.0; width]);
            let grad = LayerNormGrad { weight: &mut d_weight, bias: &mut d_bias };
            layer_norm_backward(cpu, &mut d, &xhat, &rstd, &weight, grad);
            let d_xhat: Vec<f64> = d_y.iter().zip(&expected_xhat).map(|(d, x)| f64::from(*d) * x).collect();
            assert_close("d_z", &d, &expected_d_z);
            assert_close("d_weight", &d_weight, &column_sums(&d_xhat, width));
            assert_close("d_bias", &d_bias, &column_sums(&to_f64(&d_y), width));

            let (mut out, mut sums) = (vec![0.0; size], vec![0.0; width]);
            dropout_bias_backward(cpu, &d_y, mask, &mut out, &mut sums);
            let masked: Vec<f64> = d_y.iter().zip(&factors).map(|(d, f)| f64::from(d * f)).collect();
            assert_close("d_x", &out, &masked);
            assert_close("d_x_bias", &sums, &column_sums(&masked, width));
            add_column_sums(cpu, &out, &mut sums);
            assert_close(
                "column sums added twice",
                &sums,
                &column_sums(&masked, width).iter().map(|x| 2.0 * x).collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn activation_forward_and_backward() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for cpu in cpus() {
        let (x, bias, d) = (random(1, 3 * 21), random(2, 21), random(3, 3 * 21));
        let shifted: Vec<f64> = (0..x.len()).map(|i| f64::from(x[i] + bias[i % 21])).collect();
        let (mut act_grad, mut out, mut d_bias) = (x.clone(), vec![0.0; x.len()], vec![0.0; 21]);
        activate(cpu, Activation::Relu, &mut act_grad, &bias, &mut out);
        assert_close("relu", &out, &shifted.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
        let mut dx = d.clone();
        activate_backward(cpu, &mut dx, &act_grad, &mut d_bias);
        let expected: Vec<f64> =
            shifted.iter().zip(&d).map(|(x, d)| if *x > 0.0 { f64::from(*d) } else { 0.0 }).collect();
        assert_close("d relu", &dx, &expected);
        assert_close("d_bias", &d_bias, &column_sums(&expected, 21));
        // 0.5 x (1 + tanh(u)) = x sigmoid(2u)
        let mut act_grad = x.clone();
        activate(cpu, Activation::GeluTanh, &mut act_grad, &bias, &mut out);
        let u = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        let expected: Vec<f64> = shifted.iter().map(|x| x * sigmoid(2.0 * u(*x))).collect();
        assert_close("gelu_tanh", &out, &expected);
        activate(cpu, Activation::Gelu, &mut x.clone(), &bias, &mut out);
        for (a, b) in out.iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 1e-3, "{a}, tanh approximation {b}");
        }
    }
}

#[test]
fn adamw_and_reductions() {
    let step = AdamWStep {
        one_minus_beta1: 0.1,
        beta2: 0.999,
        one_minus_beta2: 0.001,
        decay_factor: 0.99,
        step_size: 0.02,
        bias_correction2_sqrt: 0.5,
        epsilon: 1e-3,
        grad_scale: 0.7,
    };
    for cpu in cpus() {
        let n = 1037;
        let [w, m, g] = [1, 2, 3].map(|minor| random(minor, n));
        let v: Vec<f32> = random(4, n).iter().map(|x| x * x).collect();
        let (mut weight, mut first, mut second) = (w.clone(), m.clone(), v.clone());
        let params =
            ParamSlices { weight: &mut weight, first_moment: &mut first, second_moment: &mut second };
        adamw(cpu, params, &g, step);
        let clipped: Vec<f64> = g.iter().map(|g| f64::from(*g) * 0.7).collect();
        let ms: Vec<f64> = (0..n).map(|i| 0.9 * f64::from(m[i]) + 0.1 * clipped[i]).collect();
        let vs: Vec<f64> = (0..n).map(|i| 0.999 * f64::from(v[i]) + 0.001 * clipped[i].powi(2)).collect();
        let expected = |i: usize| 0.99 * f64::from(w[i]) - 0.02 * ms[i] / (vs[i].sqrt() / 0.5 + 1e-3);
        assert_close("first moments", &first, &ms);
        assert_close("second moments", &second, &vs);
        assert_close("weights", &weight, &(0..n).map(expected).collect::<Vec<_>>());
        let squares: f64 = to_f64(&g).iter().map(|g| g * g).sum();
        assert!((sum_of_squares(cpu, &g) / squares - 1.0).abs() < 1e-5);
        let mut total = w.clone();
        add_assign(cpu, &mut total, &g);
        assert_close("sum", &total, &(0..n).map(|i| f64::from(w[i]) + f64::from(g[i])).collect::<Vec<_>>());
    }
}

#[test]
fn moving_average() {
    for cpu in cpus() {
        let [average, w] = [1, 2].map(|minor| random(minor, 1037));
        let mut found = average.clone();
        update_average(cpu, &mut found, &w, 0.01);
        let expected = average.iter().zip(&w).map(|(a, w)| 0.99 * f64::from(*a) + 0.01 * f64::from(*w));
        assert_close("average", &found, &expected.collect::<Vec<_>>());
        update_average(cpu, &mut found, &w, 1.0);
        assert_close("average without memory", &found, &to_f64(&w));
        let equal = found.clone();
        update_average(cpu, &mut found, &equal, 0.3);
        assert_eq!(found, equal, "the average of equal weights");
    }
}

#[test]
fn embedding_gather_and_scatter() {
    let (words, segments) = (random(1, 5 * 3), random(2, 2 * 3));
    let (ids, types) = ([4, 0, 4], [1, 1, 0]);
    let mut out = vec![0.0; 9];
    gather(&[(&words, &ids), (&segments, &types)], 3, &mut out);
    let expected =
        |i: usize| words[ids[i / 3] as usize * 3 + i % 3] + segments[types[i / 3] as usize * 3 + i % 3];
    assert_eq!(out, (0..9).map(expected).collect::<Vec<_>>());
    let mut table = vec![0.0; 15];
    scatter_add(&out, &ids, 3, &mut table);
    assert_eq!(table[..3], out[3..6]);
    assert_eq!(table[12], out[0] + out[6]);
    assert!(table[3..12].iter().all(|x| *x == 0.0));
}

/// Results of naive attention in f64.
struct Expected {
    context: Vec<f64>,
    d_q: Vec<f64>,
    d_kv: Vec<f64>,
    d_bias: Vec<f64>,
    /// Of position keys and position queries.
    d_positions: [Vec<f64>; 2],
}

/// Attention and its gradients by the definition, in loops over queries and keys.
fn naive_attention(batch: AttentionBatch<'_>, q: &[f64], kv: &[f64], d_context: &[f64]) -> Expected {
    let HeadShape { count, size, max_positions } = batch.heads;
    let h = count * size;
    let (mut context, mut d_q, mut d_kv) = (vec![0.0; q.len()], vec![0.0; q.len()], vec![0.0; kv.len()]);
    let mut d_bias = vec![0.0; batch.bias.map_or(0, |bias| bias.table.len())];
    let scale = f64::from(batch.scale);
    let projected = |positions: Option<ProjectedPositions<'_>>| -> Vec<f64> {
        positions.map_or(Vec::new(), |positions| {
            let biases = positions.bias.iter().cycle();
            positions.rows.iter().zip(biases).map(|(x, bias)| f64::from(x + bias)).collect()
        })
    };
    let relative = batch.positions.unwrap_or(RelativePositions { columns: &[], keys: None, queries: None });
    let (pos_k, pos_q) = (projected(relative.keys), projected(relative.queries));
    let mut d_positions = [vec![0.0; pos_k.len()], vec![0.0; pos_q.len()]];
    for (span, head) in batch.examples.iter().flat_map(|span| (0..count).map(move |head| (span, head))) {
        for query in span.queries.clone() {
            let (at, n) = (query * h + head * size, span.keys.len());
            let key = |key: usize| (span.keys.start + key) * 2 * h + head * size;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let bias_index = |bias: RelativeBias<'_>, key: usize| {
                let distance = key + bias.buckets.len() / 2 - (query - span.queries.start);
                bias.buckets[distance] as usize * count + head
            };
            let bias =
                |key: usize| batch.bias.map_or(0.0, |bias| f64::from(bias.table[bias_index(bias, key)]));
            // The element of the projected positions where the head begins.
            let position = |j: usize| {
                let distance = (j + relative.columns.len() / 2).wrapping_sub(query - span.queries.start);
                relative.columns.get(distance).map_or(0, |column| *column as usize * h + head * size)
            };
            let (has_c2p, has_p2c) = (!pos_k.is_empty(), !pos_q.is_empty());
            let score = |j: usize| {
                let (q, k, at) = (&q[at..at + size], &kv[key(j)..key(j) + size], position(j));
                let c2p = if has_c2p { dot(q, &pos_k[at..at + size]) } else { 0.0 };
                let p2c = if has_p2c { dot(k, &pos_q[at..at + size]) } else { 0.0 };
                bias(j) + scale * (dot(q, k) + c2p + p2c)
            };
            let scores: Vec<f64> = (0..n).map(score).collect();
            let sum: f64 = scores.iter().map(|s| s.exp()).sum();
            let p: Vec<f64> = scores.iter().map(|s| s.exp() / sum).collect();
            let mut mask = vec![1.0; n];
            if let Some(site) = &batch.dropout {
                let mut bits = Vec::new();
                site.keep_mask(
                    &[attention_row(batch.token_indices[query], (head, count))],
                    n,
                    max_positions,
                    &mut bits,
                );
                let is_kept = |key: usize| bits[key / 8] >> (key % 8) & 1 == 1;
                mask = (0..n).map(|key| if is_kept(key) { f64::from(site.scale) } else { 0.0 }).collect();
            }
            let d = &d_context[at..at + size];
            let dp: Vec<f64> = (0..n).map(|j| mask[j] * dot(d, &kv[key(j) + h..key(j) + h + size])).collect();
            let mean_dp = dot(&dp, &p);
            for j in 0..n {
                let ds = p[j] * (dp[j] - mean_dp) * scale;
                if let Some(bias) = batch.bias {
                    d_bias[bias_index(bias, j)] += ds / scale;
                }
                for i in 0..size {
                    context[at + i] += mask[j] * p[j] * kv[key(j) + h + i];
                    d_q[at + i] += ds * kv[key(j) + i];
                    d_kv[key(j) + i] += ds * q[at + i];
                    if has_c2p {
                        d_q[at + i] += ds * pos_k[position(j) + i];
                        d_positions[0][position(j) + i] += ds * q[at + i];
                    }
                    if has_p2c {
                        d_kv[key(j) + i] += ds * pos_q[position(j) + i];
                        d_positions[1][position(j) + i] += ds * kv[key(j) + i];
                    }
                    d_kv[key(j) + h + i] += mask[j] * p[j] * d[i];
                }
            }
        }
    }
    Expected { context, d_q, d_kv, d_bias, d_positions }
}

#[test]
fn attention_forward_and_backward() {
    for (count, size) in [(1, 4), (3, 20), (2, 32)] {
        let table = random(5, 4 * count);
        // Distances from −40 to 40 in four buckets.
        let buckets: Vec<u32> = (0..81).map(|distance| distance / 21).collect();
        let bias = RelativeBias { table: &table, buckets: &buckets, heads: count };
        let h = count * size;
        let (projections, position_bias) = ([random(6, 81 * h), random(7, 81 * h)], random(8, h));
        // Distances from −40 to 40, each in a column of its own, or in 41 columns.
        let distinct: Vec<u32> = (0..81).collect();
        let pairs: Vec<u32> = (0..81).map(|distance| distance / 2).collect();
        let projected = |which: usize, columns: usize| {
            Some(ProjectedPositions { rows: &projections[which][..columns * h], bias: &position_bias })
        };
        let relative = [
            None,
            Some(RelativePositions { columns: &distinct, keys: projected(0, 81), queries: projected(1, 81) }),
            Some(RelativePositions { columns: &pairs, keys: projected(0, 41), queries: projected(1, 41) }),
            Some(RelativePositions { columns: &pairs, keys: projected(0, 41), queries: None }),
            Some(RelativePositions { columns: &distinct, keys: None, queries: projected(1, 81) }),
        ];
        let cases = cpus().into_iter().flat_map(|cpu| {
            [None, site()].into_iter().flat_map(move |dropout| {
                let with_positions = relative.map(|positions| (cpu, dropout, None, positions));
                with_positions.into_iter().chain([(cpu, dropout, Some(bias), None)])
            })
        });
        for (cpu, dropout, bias, positions) in cases {
            let heads = HeadShape { count, size, max_positions: 64 };
            let (lengths, mut spans, mut token, mut first) = ([1usize, 17, 33], vec![], 0, 0);
            for length in lengths {
                spans.push(AttentionSpan {
                    queries: token..token + length,
                    keys: token..token + length,
                    probs_start: first,
                });
                first += count * length * padded(length);
                token += length;
            }
            // The last example has only one query.
            let last = spans.last_mut().expect("three spans");
            last.queries.end = last.queries.start + 1;
            let (rows, tokens) = (last.queries.end, token);
            let token_indices: Vec<usize> = (5..5 + rows).collect();
            let batch = AttentionBatch {
                heads,
                examples: &spans,
                dropout,
                scale: 0.7 / (size as f32).sqrt(),
                bias,
                positions,
                token_indices: &token_indices,
            };
            let (q, kv, biases) = (random(1, rows * h), random(2, tokens * 2 * h), random(3, 3 * h));
            let d_context = random(4, rows * h);
            let qkv = Qkv { q: &q, kv: &kv, bias: &biases };
            let biased = |x: &[f32], biases: &[f32]| -> Vec<f64> {
                x.iter().enumerate().map(|(i, x)| f64::from(x + biases[i % biases.len()])).collect()
            };
            let expected = naive_attention(
                batch,
                &biased(&q, &biases[..h]),
                &biased(&kv, &biases[h..]),
                &to_f64(&d_context),
            );

            let mut attention = Attention::default();
            let (mut probs, mut context) = (vec![0.0; first], vec![0.0; rows * h]);
            attention.forward(cpu, batch, qkv, &mut probs, &mut context);
            assert_close("context", &context, &expected.context);
            let (mut d_q, mut d_kv) = (vec![7.0; rows * h], vec![7.0; tokens * 2 * h]);
            let mut d_bias = vec![0.0; expected.d_bias.len()];
            let [mut d_pos_k, mut d_pos_q] = expected.d_positions.each_ref().map(|d| vec![7.0; d.len()]);
            let d_positions = PositionGrads { keys: &mut d_pos_k, queries: &mut d_pos_q };
            let grads = AttentionGrads { d_q: &mut d_q, d_kv: &mut d_kv, d_bias: &mut d_bias, d_positions };
            attention.backward(cpu, batch, qkv, (&probs, &d_context), grads);
            assert_close("d_bias", &d_bias, &expected.d_bias);
            assert_close("d_q", &d_q, &expected.d_q);
            assert_close("d_kv", &d_kv, &expected.d_kv);
            assert_close("d_pos_k", &d_pos_k, &expected.d_positions[0]);
            assert_close("d_pos_q", &d_pos_q, &expected.d_positions[1]);
        }
    }
}
