//! The kernel against plain loops in f64.

use super::*;
use crate::attention::AttentionSpan;
use crate::dropout::{Dropout, attention, attention_row, mask_row_bytes};
use crate::rng::{Rng, Stream};

const MAX_POSITIONS: usize = 400;

/// A case: lengths of the examples, whether all tokens have queries, window, whether positions are rotary, dropout rate.
struct Case {
    lengths: Vec<usize>,
    has_all_queries: bool,
    window: Option<usize>,
    is_rotary: bool,
    rate: f64,
    heads: HeadShape,
}

struct Inputs {
    q: Vec<f32>,
    kv: Vec<f32>,
    bias: Vec<f32>,
    d_context: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
    spans: Vec<AttentionSpan>,
    token_indices: Vec<usize>,
}

impl Case {
    fn inputs(&self) -> Inputs {
        let HeadShape { count, size, .. } = self.heads;
        let hidden = count * size;
        let rng = Rng::new(5, Stream::Weights);
        let random = |minor, len: usize| -> Vec<f32> {
            (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
        };
        let (mut spans, mut token_indices, mut tokens) = (Vec::new(), Vec::new(), 0);
        for length in &self.lengths {
            let (first, queries) = (token_indices.len(), if self.has_all_queries { *length } else { 1 });
            token_indices.extend((0..queries).map(|query| 7 + tokens + query));
            let queries = first..token_indices.len();
            spans.push(AttentionSpan { queries, keys: tokens..tokens + length, probs_start: 0 });
            tokens += length;
        }
        let angles: Vec<f32> = (0..MAX_POSITIONS * size / 2).map(|i| i as f32 * 0.37).collect();
        Inputs {
            q: random(1, token_indices.len() * hidden),
            kv: random(2, tokens * 2 * hidden),
            bias: random(3, 3 * hidden),
            d_context: random(4, token_indices.len() * hidden),
            cos: angles.iter().map(|angle| angle.cos()).collect(),
            sin: angles.iter().map(|angle| angle.sin()).collect(),
            spans,
            token_indices,
        }
    }

    /// A row of a head, rotated by the angles of `position` in one or the other direction.
    fn rotate(&self, inputs: &Inputs, x: &[f64], position: usize, direction: f64) -> Vec<f64> {
        if !self.is_rotary {
            return x.to_vec();
        }
        let half = x.len() / 2;
        let angle = |i: usize| {
            let at = position * half + i % half;
            (f64::from(inputs.cos[at]), f64::from(inputs.sin[at]) * direction)
        };
        let turned = |i: usize| if i < half { -x[half + i] } else { x[i - half] };
        (0..x.len()).map(|i| x[i] * angle(i).0 + turned(i) * angle(i).1).collect()
    }

    fn batch<'a>(&self, inputs: &'a Inputs) -> TiledBatch<'a> {
        TiledBatch {
            heads: self.heads,
            examples: &inputs.spans,
            window: self.window,
            rotation: self.is_rotary.then_some(Rotation { cos: &inputs.cos, sin: &inputs.sin }),
            dropout: Dropout::new(1, 2).site(attention(3), self.rate),
            token_indices: &inputs.token_indices,
        }
    }
}

/// Context and the gradients of `q` and `kv`, by plain loops.
fn expected(case: &Case, inputs: &Inputs) -> [Vec<f64>; 3] {
    let HeadShape { count, size, .. } = case.heads;
    let hidden = count * size;
    let batch = case.batch(inputs);
    let mut results = [vec![0.0; inputs.q.len()], vec![0.0; inputs.q.len()], vec![0.0; inputs.kv.len()]];
    let rotate = |x: Vec<f64>, position, direction| case.rotate(inputs, &x, position, direction);
    let row = |from: &[f32], width: usize, row: usize, column: usize, part: usize, head: usize| -> Vec<f64> {
        let bias = &inputs.bias[part * hidden + head * size..][..size];
        let row = from[row * width + column..][..size].iter().zip(bias);
        row.map(|(x, b)| f64::from(*x) + f64::from(*b)).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = 1.0 / (size as f64).sqrt();
    for span in &inputs.spans {
        for head in 0..count {
            let column = head * size;
            let keys: Vec<Vec<f64>> = (span.keys.clone().enumerate())
                .map(|(at, key)| rotate(row(&inputs.kv, 2 * hidden, key, column, 1, head), at, 1.0))
                .collect();
            let values: Vec<Vec<f64>> = (span.keys.clone())
                .map(|key| row(&inputs.kv, 2 * hidden, key, hidden + column, 2, head))
                .collect();
            for (at, query) in span.queries.clone().enumerate() {
                let q = rotate(row(&inputs.q, hidden, query, column, 0, head), at, 1.0);
                let score = |(other, key): (usize, &Vec<f64>)| {
                    let is_far = case.window.is_some_and(|window| at.abs_diff(other) > window);
                    if is_far { f64::NEG_INFINITY } else { dot(&q, key) * scale }
                };
                let scores: Vec<f64> = keys.iter().enumerate().map(score).collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
                let probs: Vec<f64> = scores.iter().map(|score| (score - max).exp() / sum).collect();
                let factors = factors(&batch, inputs.token_indices[query], head, keys.len());
                let d: Vec<f64> =
                    (0..size).map(|i| f64::from(inputs.d_context[query * hidden + column + i])).collect();
                let d_probs: Vec<f64> = values.iter().zip(&factors).map(|(v, f)| dot(&d, v) * f).collect();
                let delta = dot(&d_probs, &probs);
                let mut d_q = vec![0.0; size];
                for (other, key) in keys.iter().enumerate() {
                    let token = span.keys.start + other;
                    let (dropped, d_score) =
                        (probs[other] * factors[other], probs[other] * (d_probs[other] - delta) * scale);
                    let d_key = rotate(q.iter().map(|q| q * d_score).collect(), other, -1.0);
                    for i in 0..size {
                        results[0][query * hidden + column + i] += dropped * values[other][i];
                        d_q[i] += d_score * key[i];
                        results[2][token * 2 * hidden + column + i] += d_key[i];
                        results[2][token * 2 * hidden + hidden + column + i] += dropped * d[i];
                    }
                }
                let d_q = rotate(d_q, at, -1.0);
                results[1][query * hidden + column..][..size].copy_from_slice(&d_q);
            }
        }
    }
    results
}

/// The factors of the dropout mask of a query.
fn factors(batch: &TiledBatch<'_>, token: usize, head: usize, keys: usize) -> Vec<f64> {
    let Some(site) = batch.dropout else { return vec![1.0; keys] };
    let mut bits = Vec::new();
    site.keep_mask(&[attention_row(token, (head, batch.heads.count))], keys, MAX_POSITIONS, &mut bits);
    assert_eq!(bits.len(), mask_row_bytes(keys));
    let factor = |key: usize| if bits[key / 8] >> (key % 8) & 1 == 1 { f64::from(site.scale) } else { 0.0 };
    (0..keys).map(factor).collect()
}

fn check(case: &Case, cpu: Cpu, threads: usize) {
    let inputs = case.inputs();
    let batch = case.batch(&inputs);
    let qkv = Qkv { q: &inputs.q, kv: &inputs.kv, bias: &inputs.bias };
    let mut kernel = TiledAttention { threads, ..TiledAttention::default() };
    // Larger than needed and not zero, as buffers that are used again.
    let mut context = vec![9.0; inputs.q.len()];
    let mut log_sums = vec![9.0; inputs.token_indices.len() * case.heads.count];
    let (mut d_q, mut d_kv) = (vec![9.0; inputs.q.len()], vec![9.0; inputs.kv.len()]);
    for _ in 0..2 {
        kernel.forward(cpu, batch, qkv, &mut log_sums, &mut context);
        let saved = SavedAttention { log_sums: &log_sums, context: &context, d_context: &inputs.d_context };
        kernel.backward(cpu, batch, qkv, saved, (&mut d_q, &mut d_kv));
    }
    let expected = expected(case, &inputs);
    for (what, found, expected) in
        [("context", &context, &expected[0]), ("d_q", &d_q, &expected[1]), ("d_kv", &d_kv, &expected[2])]
    {
        let largest = expected.iter().fold(0.0f64, |max, x| max.max(x.abs()));
        for (index, (a, b)) in found.iter().zip(expected).enumerate() {
            assert!(
                (f64::from(*a) - b).abs() < 2e-5 * largest + 1e-5,
                "{what}[{index}] of lengths {:?}, window {:?}, {}: {a}, expected {b}",
                case.lengths,
                case.window,
                cpu.name()
            );
        }
    }
}

#[test]
fn attention_matches_plain_loops() {
    for (lengths, window) in [
        (vec![1, 3, 17], None),
        (vec![1, 5, 70], Some(0)),
        (vec![64, 2, 65], Some(3)),
        (vec![130, 9], Some(64)),
        (vec![300], Some(40)),
        (vec![200], None),
    ] {
        for (has_all_queries, is_rotary, rate) in
            [(true, true, 0.0), (true, false, 0.3), (false, true, 0.3), (true, true, 0.1)]
        {
            for (count, size) in [(3, 8), (1, 20), (2, 64)] {
                let heads = HeadShape { count, size, max_positions: MAX_POSITIONS };
                let case = Case { lengths: lengths.clone(), has_all_queries, window, is_rotary, rate, heads };
                check(&case, Cpu::detect(), 1);
                check(&case, Cpu::detect(), 2);
                check(&case, Cpu::plain(), 3);
            }
        }
    }
}

#[test]
fn pairs_are_counted_without_those_outside_the_window() {
    assert_eq!((pairs(5, 5, None), pairs(5, 5, Some(0)), pairs(5, 5, Some(1))), (25, 5, 13));
    assert_eq!((pairs(1, 9, Some(3)), pairs(9, 9, Some(usize::MAX))), (4, 81));
}
