//! Tests of attention against its definition, in f64.

use super::super::ops::{Attention, AttentionGrads, DropoutSite, RelativeBias};
use super::*;
use crate::nn::relative_positions::{RELATIVE_BUCKETS, relative_buckets};
use kernels::dropout::{self, Dropout};

const RATE: f64 = 0.25;
const MAX_POSITIONS: usize = 70;

/// The inputs of attention in f64, (rows, H) each. Biases are added.
struct Case {
    heads: usize,
    size: usize,
    rows: Rows,
    window: Option<usize>,
    /// (buckets, heads), or empty.
    table: Vec<f64>,
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
    /// As the table.
    dtable: Vec<f64>,
}

impl Case {
    /// Index in the table of the number for a distance, key minus query.
    fn index(&self, head: usize, distance: isize) -> Option<usize> {
        let buckets = relative_buckets(MAX_POSITIONS);
        let bucket = buckets[(MAX_POSITIONS as isize - 1 + distance) as usize] as usize;
        (!self.table.is_empty()).then_some(bucket * self.heads + head)
    }

    fn reference(&self, batch: &Batch, has_dropout: bool) -> Reference {
        let Case { heads, size, rows, window, table, q, k, v, d } = self;
        let (heads, size, h) = (*heads, *size, heads * size);
        let masks = Dropout::new(SEED, STEP).site(dropout::attention(1), RATE).filter(|_| has_dropout);
        let mut reference = Reference {
            context: vec![0.0; q.len()],
            dq: vec![0.0; q.len()],
            dk: vec![0.0; k.len()],
            dv: vec![0.0; v.len()],
            dtable: vec![0.0; table.len()],
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
                let index = |key: usize| self.index(head, key as isize - query as isize);
                let exponential = |key: usize| {
                    let bias = index(key).map_or(0.0, |index| table[index]);
                    let is_near = window.is_none_or(|window| key.abs_diff(query) <= window);
                    if is_near { (dot(q, k, key) * scale + bias).exp() } else { 0.0 }
                };
                let exponentials: Vec<f64> = (0..keys).map(exponential).collect();
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
                    let ds = p[key] * (dp[key] - delta);
                    if let Some(index) = index(key) {
                        reference.dtable[index] += ds;
                    }
                    let ds = ds * scale;
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
                let variant = Variant { rows, has_dropout, is_bf16, window: None, has_bias: false };
                check_attention(open(), &batch(lengths), (heads, size), variant);
            }
        }
    }
}

fn windows_and_relative_positions_equal_their_definition<D: Device>(open: impl Fn() -> D) {
    let of_window =
        |window| [(Rows::All, window, true), (Rows::First, window, true), (Rows::All, window, false)];
    for (rows, window, has_bias) in [Some(0), Some(3), Some(20), None].into_iter().flat_map(of_window) {
        for lengths in [vec![5, 17, 1, 33], vec![70, 2, 32, 16]] {
            let variant = Variant { rows, has_dropout: true, is_bf16: false, window, has_bias };
            check_attention(open(), &batch(&lengths), (3, 20), variant);
        }
    }
}

/// What tests of attention vary.
#[derive(Debug, Clone, Copy)]
struct Variant {
    rows: Rows,
    has_dropout: bool,
    is_bf16: bool,
    window: Option<usize>,
    has_bias: bool,
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

fn check_attention<D: Device>(device: D, batch: &Batch, (heads, size): (usize, usize), variant: Variant) {
    let Variant { rows, has_dropout, is_bf16, window, has_bias } = variant;
    let what = format!("{:?}, {heads} heads of {size}, {variant:?}", batch.offsets);
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
    let table = random(5, if has_bias { RELATIVE_BUCKETS * heads } else { 0 });
    let case = Case {
        heads,
        size,
        rows,
        window,
        table: to_f64(&table),
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
        scale: 1.0 / (size as f32).sqrt(),
        window,
        bias: if has_bias { relative_bias(&mut fixture, input, &table) } else { RelativeBias::NONE },
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
    if has_bias {
        let (tiles, sums) = (fixture.ops(input).query_tiles(&attention), attention.bias.sums);
        let partial = PartialSums { sums, stride: table.len() };
        let gradient = fixture.allocate(table.len());
        fixture.ops(input).reduce_rows((partial, tiles, 0), gradient, false).expect("a launch");
        assert_close(&format!("table of {what}"), &fixture.read(gradient), &expected.dtable, 1e-4);
    }
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

/// Relative positions with `table`. The sums have other values at first.
fn relative_bias<D: Device>(fixture: &mut Fixture<D>, input: Input, table: &[f32]) -> RelativeBias {
    RelativeBias {
        buckets: fixture.u32s(&relative_buckets(MAX_POSITIONS)),
        table: fixture.f32s(table),
        sums: fixture.f32s(&vec![7.0; input.bucket.tiles() * table.len()]),
    }
}

on_devices!(attention_equals_its_definition, windows_and_relative_positions_equal_their_definition);
