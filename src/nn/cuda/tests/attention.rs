//! Attention against its definition.

use super::super::ops::{Attention, Rows, Site};
use super::*;
use crate::nn::dropout::{self, Dropout};

const RATE: f64 = 0.25;
const MAX_POSITIONS: usize = 70;

/// One case: inputs in f64 as the kernels see them, (rows, H).
struct Case {
    heads: usize,
    size: usize,
    rows: Rows,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    d: Vec<f64>,
}

/// Context and gradients of queries, keys and values, each (rows, H).
struct Answer {
    context: Vec<f64>,
    dq: Vec<f64>,
    dk: Vec<f64>,
    dv: Vec<f64>,
}

impl Case {
    fn answer(&self, batch: &Batch, is_on: bool) -> Answer {
        let Case { heads, size, rows, q, k, v, d } = self;
        let (heads, size, h) = (*heads, *size, heads * size);
        let masks = Dropout::new(SEED, STEP).site(dropout::attention(1), RATE).filter(|_| is_on);
        let mut answer = Answer {
            context: vec![0.0; q.len()],
            dq: vec![0.0; q.len()],
            dk: vec![0.0; k.len()],
            dv: vec![0.0; v.len()],
        };
        let scale = 1.0 / (size as f64).sqrt();
        for (example, bounds) in batch.offsets.windows(2).enumerate() {
            let (first, keys) = (bounds[0], bounds[1] - bounds[0]);
            let queries = if *rows == Rows::All { keys } else { 1 };
            for (head, query) in (0..heads).flat_map(|head| (0..queries).map(move |query| (head, query))) {
                let row = if *rows == Rows::All { first + query } else { example };
                let at = |row: usize, i: usize| row * h + head * size + i;
                let dot = |a: &[f64], b: &[f64], key: usize| -> f64 {
                    (0..size).map(|i| a[at(row, i)] * b[at(first + key, i)]).sum()
                };
                let exponentials: Vec<f64> = (0..keys).map(|key| (dot(q, k, key) * scale).exp()).collect();
                let sum: f64 = exponentials.iter().sum();
                let mut factors = vec![1.0; keys];
                if let Some(masks) = &masks {
                    let number = dropout::attention_row(batch.first_token + first + query, (head, heads));
                    let mut bits = Vec::new();
                    masks.keep_mask(&[number], keys, MAX_POSITIONS, &mut bits);
                    for (key, factor) in factors.iter_mut().enumerate() {
                        let is_kept = bits[key / 8] >> (key % 8) & 1 == 1;
                        *factor = if is_kept { f64::from(masks.scale) } else { 0.0 };
                    }
                }
                let p: Vec<f64> = exponentials.iter().map(|x| x / sum).collect();
                let dp: Vec<f64> = (0..keys).map(|key| dot(d, v, key) * factors[key]).collect();
                let along: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                for key in 0..keys {
                    let ds = p[key] * (dp[key] - along) * scale;
                    for i in 0..size {
                        let other = at(first + key, i);
                        answer.context[at(row, i)] += p[key] * factors[key] * v[other];
                        answer.dq[at(row, i)] += ds * k[other];
                        answer.dk[other] += ds * q[at(row, i)];
                        answer.dv[other] += p[key] * factors[key] * d[at(row, i)];
                    }
                }
            }
        }
        answer
    }
}

/// Columns `first..` of rows of `x`, `stride` wide, `h` of them.
fn columns(x: &[f32], stride: usize, first: usize, h: usize, rows: usize) -> Vec<f32> {
    (0..rows * h).map(|i| x[i / h * stride + first + i % h]).collect()
}

fn equals_its_definition<D: Device>(open: impl Fn() -> D) {
    let all = [vec![1], vec![5, 17, 1, 33], vec![70, 2, 32, 16]];
    for (lengths, (heads, size)) in
        all.iter().flat_map(|lengths| [(1, 4), (3, 20), (2, 64), (1, 96)].map(|s| (lengths, s)))
    {
        for (rows, is_on) in [(Rows::All, true), (Rows::All, false), (Rows::First, true)] {
            for is_bf16 in [false, true] {
                attends(open(), &batch(lengths), (heads, size), (rows, is_on, is_bf16));
            }
        }
    }
}

/// To the last digits of f32; what tensor cores make of bf16, on the whole to a fiftieth.
fn assert_equal(what: &str, found: &[f32], expected: &[f64], is_bf16: bool) {
    if !is_bf16 {
        return assert_close(what, found, expected, 1e-4);
    }
    let root = |squares: f64| (squares / expected.len() as f64).sqrt();
    let apart = root(found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum());
    let size = root(expected.iter().map(|x| x * x).sum());
    assert!(apart < 0.02 * (1.0 + size), "{what}: {apart} apart, of {size}");
}

fn attends<D: Device>(
    device: D,
    batch: &Batch,
    (heads, size): (usize, usize),
    (rows, is_on, is_bf16): (Rows, bool, bool),
) {
    let what =
        format!("{:?}, {heads} heads of {size}, {rows:?}, dropout {is_on}, bf16 {is_bf16}", batch.offsets);
    let mut lab = Lab::new(device);
    let input = lab.input(batch, step_numbers());
    let (h, t, r) = (heads * size, input.bucket.tokens, lab.ops(input).len(rows));
    let (tokens, real) = (batch.tokens(), if rows == Rows::All { batch.tokens() } else { batch.len() });
    // Queries, keys and values as the layers have them: side by side, or queries apart.
    let (stride, query_stride) = if rows == Rows::All { (3 * h, 3 * h) } else { (2 * h, h) };
    let (projected, queries) = (random(1, t * stride), random(2, r * h));
    let biases = random(3, 3 * h);
    let d = random(4, r * h);
    let span = lab.numbers(&projected);
    let apart = lab.numbers(&queries);
    let from = |column: usize| span.slice(column..span.len());
    let (q, k, v) = match rows {
        Rows::All => (span, from(h), from(2 * h)),
        Rows::First => (apart, span, from(h)),
    };
    let first = stride - 2 * h;
    let with_bias = |x: Vec<f32>, part: usize| -> Vec<f64> {
        x.iter().enumerate().map(|(i, x)| f64::from(x + biases[part * h + i % h])).collect()
    };
    let case = Case {
        heads,
        size,
        rows,
        q: with_bias(
            if rows == Rows::All {
                columns(&projected, stride, 0, h, real)
            } else {
                columns(&queries, h, 0, h, real)
            },
            0,
        ),
        k: with_bias(columns(&projected, stride, first, h, tokens), 1),
        v: with_bias(columns(&projected, stride, first + h, h, tokens), 2),
        d: d[..real * h].iter().map(|x| f64::from(*x)).collect(),
    };
    let expected = case.answer(batch, is_on);
    let site = if is_on {
        Site::new(dropout::attention(1), dropout::threshold(RATE), dropout::keep_scale(RATE))
    } else {
        Site::OFF
    };
    let attention = Attention {
        rows,
        heads,
        size,
        max_positions: MAX_POSITIONS,
        queries: q,
        keys: k,
        values: v,
        strides: [query_stride, stride],
        biases: lab.numbers(&biases),
        site,
        is_bf16,
    };
    let (context, logs, alongs) = (lab.both(r * h), lab.room(r * heads), lab.room(r * heads));
    let dcontext = lab.numbers(&d);
    let (dprojected, dqueries) = (lab.room::<f32>(t * stride), lab.room::<f32>(r * h));
    let back = |column: usize| dprojected.slice(column..dprojected.len());
    let parts = match rows {
        Rows::All => [back(0), back(h), back(2 * h)],
        Rows::First => [dqueries, back(0), back(h)],
    };
    let mut ops = lab.ops(input);
    ops.attend(&attention, context, logs).expect("a launch");
    ops.attend_backward(&attention, (context.wide, logs), (dcontext, alongs), parts).expect("a launch");
    let wide = lab.get(context.wide);
    assert_equal(&what, &wide[..real * h], &expected.context, is_bf16);
    let same: Vec<f64> = wide.iter().map(|x| f64::from(*x)).collect();
    assert_close(&what, &lab.get_bf16(context.operand), &same, 5e-3);
    let found = lab.get(dprojected);
    let dq = if rows == Rows::All {
        columns(&found, stride, 0, h, real)
    } else {
        columns(&lab.get(dqueries), h, 0, h, real)
    };
    let parts = [
        ("dq", dq, expected.dq),
        ("dk", columns(&found, stride, first, h, tokens), expected.dk),
        ("dv", columns(&found, stride, first + h, h, tokens), expected.dv),
    ];
    for (name, found, expected) in parts {
        assert_equal(&format!("{name} of {what}"), &found, &expected, is_bf16);
    }
}

on_devices!(equals_its_definition);
