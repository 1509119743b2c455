//! Against three loops.

use super::{Format, Packing, Right, Unit};
use crate::rng::{Rng, Stream};

fn numbers(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(5, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

/// To the nearest bf16, ties to even.
fn rounded(format: Format, x: f32) -> f32 {
    if format == Format::F32 {
        return x;
    }
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// (rows, columns) → (columns, rows)
fn turned(x: &[f32], columns: usize) -> Vec<f32> {
    let rows = x.len() / columns;
    (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
}

/// Rows of `columns` in two parts, the first of an odd number of rows where there can be one.
fn parts(x: &[f32], columns: usize) -> [&[f32]; 2] {
    let rows = x.len() / columns;
    let first = if rows > 3 { (rows / 2) | 1 } else { 0 };
    let (above, below) = x.split_at(first * columns);
    [above, below]
}

/// Every way to give the operands of a product of this shape, against three loops.
fn check(format: Format, packing: Packing, (m, k, n): (usize, usize, usize)) {
    let (a, b, before) = (numbers(1, m * k), numbers(2, k * n), numbers(3, m * n));
    let (a_turned, b_turned) = (turned(&a, k), turned(&b, n));
    let [a_rounded, b_rounded] =
        [&a, &b].map(|x| x.iter().map(|x| rounded(format, *x)).collect::<Vec<f32>>());
    let sum = |i: usize| -> f32 { (0..k).map(|j| a_rounded[i / n * k + j] * b_rounded[j * n + i % n]).sum() };
    let sums: Vec<f32> = (0..m * n).map(sum).collect();
    let mut words = Vec::new();
    for way in 0..20 {
        // The last four have strips and rows in parts.
        let (in_parts, way) = (way >= 16, if way < 16 { way } else { 2 | way & 1 | (way & 2) << 2 });
        let [is_added, is_strips, is_turned, is_shared] = [1, 2, 4, 8].map(|bit| way & bit != 0);
        let threads = if is_shared { 3 } else { 1 };
        let (above_below, whole) = (parts(&a_turned, m), [&a_turned[..]]);
        let left = match (is_strips, in_parts) {
            (true, true) => packing.strips(&above_below, m, &mut words, threads),
            (true, false) => packing.strips(&whole, m, &mut words, threads),
            (false, _) => packing.rows(&a, k, &mut words),
        };
        let (above_below, whole) = (parts(&b, n), [&b[..]]);
        let right = match (is_turned, in_parts) {
            (true, _) => Right::Turned { numbers: &b_turned, k },
            (false, true) => Right::Rows { parts: &above_below, columns: n },
            (false, false) => Right::Rows { parts: &whole, columns: n },
        };
        let mut out = before.clone();
        packing.product(&mut out, left, right, is_added, threads);
        for (i, found) in out.iter().enumerate() {
            let expected = sums[i] + if is_added { before[i] } else { 0.0 };
            assert!(
                (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                "{format:?}, {m} {k} {n}, way {way}: {found}, {expected}"
            );
        }
    }
}

#[test]
fn equals_three_loops() {
    for format in [Format::F32, Format::Bf16] {
        let Some(packing) = Packing::detect(format) else {
            eprintln!("SKIPPED: packed products, for which this machine has no instructions");
            return;
        };
        if packing.unit == Unit::Amx {
            // Whoever has tiles has vectors too.
            check_shapes(format, Packing { unit: Unit::Bf16 });
        } else if format == Format::Bf16 {
            eprintln!("SKIPPED: products in tiles, for which this machine has no AMX");
        }
        check_shapes(format, packing);
    }
}

fn check_shapes(format: Format, packing: Packing) {
    for shape in [
        (1, 1, 1),
        (3, 5, 2),
        (6, 2, 64),
        (17, 33, 40),
        (64, 96, 31),
        (7, 400, 130),
        (13, 96, 45),
        (300, 65, 66),
        (70, 1300, 96),
    ] {
        check(format, packing, shape);
    }
}
