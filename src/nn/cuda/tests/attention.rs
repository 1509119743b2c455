//! Tests of attention against its definition, in f64.

use super::super::ops::{Attention, AttentionGrads, DropoutSite, Rows};
use super::*;
use kernels::dropout::{self, Dropout};

const RATE: f64 = 0.25;
const MAX_POSITIONS: usize = 70;

/// The inputs of attention in f64, (rows, H) each. Biases are added.
struct Case {
    heads: usize,
    size: usize,
    rows: Rows,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    d: Vec<f64>,
}

/// The expected context and gradients of queries, keys and values, (rows, H) each.
struct Reference {
    context: Vec<f64>,
    dq: Vec<f64>,
    dk: Vec<f64>,
    dv: Vec<f64>,
}

impl Case {
    fn reference(&self, batch: &Batch, has_dropout: bool) -> Reference {
        let Case { heads, size, rows, q, k, v, d } = self;
        let (heads, size, h) = (*heads, *size, heads * size);
        let masks = Dropout::new(SEED, STEP).site(dropout::attention(1), RATE).filter(|_| has_dropout);
        let mut reference = Reference {
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
                    let index = dropout::attention_row(batch.first_token + first + query, (head, heads));
                    let mut bits = Vec::new();
                    masks.keep_mask(&[index], keys, MAX_POSITIONS, &mut bits);
                    for (key, factor) in factors.iter_mut().enumerate() {
                        let is_kept = bits[key / 8] >> (key % 8) & 1 == 1;
                        *factor = if is_kept { f64::from(masks.scale) } else { 0.0 };
                    }
                }
                let p: Vec<f64> = exponentials.iter().map(|x| x / sum).collect();
                let dp: Vec<f64> = (0..keys).map(|key| dot(d, v, key) * factors[key]).collect();
                let delta: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                for key in 0..keys {
                    let ds = p[key] * (dp[key] - delta) * scale;
                    for i in 0..size {
                        let other = at(first + key, i);
                        reference.context[at(row, i)] += p[key] * factors[key] * v[other];
                        reference.dq[at(row, i)] += ds * k[other];
                        reference.dk[other] += ds * q[at(row, i)];
                        reference.dv[other] += p[key] * factors[key] * d[at(row, i)];
                    }
                }
            }
        }
        reference
    }
}

/// The `h` columns from `first` on of a matrix (rows, stride).
fn columns(x: &[f32], stride: usize, first: usize, h: usize, rows: usize) -> Vec<f32> {
    (0..rows * h).map(|i| x[i / h * stride + first + i % h]).collect()
}

fn attention_equals_its_definition<D: Device>(open: impl Fn() -> D) {
    let all = [vec![1], vec![5, 17, 1, 33], vec![70, 2, 32, 16]];
    for (lengths, (heads, size)) in
        all.iter().flat_map(|lengths| [(1, 4), (3, 20), (2, 64), (1, 96)].map(|s| (lengths, s)))
    {
        for (rows, has_dropout) in [(Rows::All, true), (Rows::All, false), (Rows::First, true)] {
            for is_bf16 in [false, true] {
                check_attention(open(), &batch(lengths), (heads, size), (rows, has_dropout, is_bf16));
            }
        }
    }
}

/// In f32 each element within 1e-4; in bf16 a root mean square error of at most 2 %.
fn assert_equal(what: &str, found: &[f32], expected: &[f64], is_bf16: bool) {
    if !is_bf16 {
        return assert_close(what, found, expected, 1e-4);
    }
    let root = |squares: f64| (squares / expected.len() as f64).sqrt();
    let error = root(found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum());
    let size = root(expected.iter().map(|x| x * x).sum());
    assert!(error < 0.02 * (1.0 + size), "{what}: error {error}, expected size {size}");
}

fn check_attention<D: Device>(
    device: D,
    batch: &Batch,
    (heads, size): (usize, usize),
    (rows, has_dropout, is_bf16): (Rows, bool, bool),
) {
    let what = format!(
        "{:?}, {heads} heads of {size}, {rows:?}, dropout {has_dropout}, bf16 {is_bf16}",
        batch.offsets
    );
    let mut fixture = Fixture::new(device);
    let input = fixture.input(batch, step_scalars());
    let (h, t, r) = (heads * size, input.bucket.tokens, fixture.ops(input).len(rows));
    let (tokens, query_rows) = (batch.tokens(), if rows == Rows::All { batch.tokens() } else { batch.len() });
    // The layout of the encoder layers: queries, keys and values side by side, or queries apart.
    let (stride, query_stride) = if rows == Rows::All { (3 * h, 3 * h) } else { (2 * h, h) };
    let (projected, queries) = (random(1, t * stride), random(2, r * h));
    let biases = random(3, 3 * h);
    let d = random(4, r * h);
    let slice = fixture.f32s(&projected);
    let query_slice = fixture.f32s(&queries);
    let from = |column: usize| slice.slice(column..slice.len());
    let (q, k, v) = match rows {
        Rows::All => (slice, from(h), from(2 * h)),
        Rows::First => (query_slice, slice, from(h)),
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
                columns(&projected, stride, 0, h, query_rows)
            } else {
                columns(&queries, h, 0, h, query_rows)
            },
            0,
        ),
        k: with_bias(columns(&projected, stride, first, h, tokens), 1),
        v: with_bias(columns(&projected, stride, first + h, h, tokens), 2),
        d: d[..query_rows * h].iter().map(|x| f64::from(*x)).collect(),
    };
    let expected = case.reference(batch, has_dropout);
    let dropout = if has_dropout {
        DropoutSite::new(dropout::attention(1), dropout::threshold(RATE), dropout::keep_scale(RATE))
    } else {
        DropoutSite::DISABLED
    };
    let attention = Attention {
        rows,
        heads,
        head_size: size,
        max_positions: MAX_POSITIONS,
        queries: q,
        keys: k,
        values: v,
        strides: [query_stride, stride],
        biases: fixture.f32s(&biases),
        dropout,
        is_bf16,
    };
    let (context, lse, delta) =
        (fixture.mixed(r * h), fixture.allocate(r * heads), fixture.allocate(r * heads));
    let dcontext = fixture.f32s(&d);
    let (dprojected, dqueries) = (fixture.allocate::<f32>(t * stride), fixture.allocate::<f32>(r * h));
    let grad_from = |column: usize| dprojected.slice(column..dprojected.len());
    let grads = match rows {
        Rows::All => AttentionGrads { dq: grad_from(0), dk: grad_from(h), dv: grad_from(2 * h) },
        Rows::First => AttentionGrads { dq: dqueries, dk: grad_from(0), dv: grad_from(h) },
    };
    let mut ops = fixture.ops(input);
    ops.attention(&attention, context, lse).expect("a launch");
    ops.attention_backward(&attention, (context.f32, lse), (dcontext, delta), grads).expect("a launch");
    let f32 = fixture.read(context.f32);
    assert_equal(&what, &f32[..query_rows * h], &expected.context, is_bf16);
    let expected_bf16: Vec<f64> = f32.iter().map(|x| f64::from(*x)).collect();
    assert_close(&what, &fixture.read_bf16(context.bf16), &expected_bf16, 5e-3);
    let found = fixture.read(dprojected);
    let dq = if rows == Rows::All {
        columns(&found, stride, 0, h, query_rows)
    } else {
        columns(&fixture.read(dqueries), h, 0, h, query_rows)
    };
    let cases = [
        ("dq", dq, expected.dq),
        ("dk", columns(&found, stride, first, h, tokens), expected.dk),
        ("dv", columns(&found, stride, first + h, h, tokens), expected.dv),
    ];
    for (name, found, expected) in cases {
        assert_equal(&format!("{name} of {what}"), &found, &expected, is_bf16);
    }
}

on_devices!(attention_equals_its_definition);
