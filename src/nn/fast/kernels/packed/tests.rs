//! Against three loops.

use super::{Format, Operand, Packing, Unit};
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
    for way in 0..32 {
        let [is_added, is_left_across, is_right_across, is_shared, in_parts] =
            [1, 2, 4, 8, 16].map(|bit| way & bit != 0);
        let threads = if is_shared { 3 } else { 1 };
        if in_parts && !(is_left_across && is_right_across) {
            // Pairs end with a part, so both operands must be in the same.
            continue;
        }
        let (left_parts, right_parts) = (parts(&a_turned, m), parts(&b, n));
        let (left_whole, right_whole) = ([&a_turned[..]], [&b[..]]);
        let (left_parts, right_parts) =
            if in_parts { (&left_parts[..], &right_parts[..]) } else { (&left_whole[..], &right_whole[..]) };
        let left = if is_left_across {
            Operand::Across { parts: left_parts, lines: m }
        } else {
            Operand::Along { numbers: &a, k }
        };
        let right = if is_right_across {
            Operand::Across { parts: right_parts, lines: n }
        } else {
            Operand::Along { numbers: &b_turned, k }
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

/// Every unit of this machine.
fn units(format: Format) -> Vec<Packing> {
    let Some(packing) = Packing::detect(format) else {
        eprintln!("SKIPPED: packed products, for which this machine has no instructions");
        return Vec::new();
    };
    // Whoever has tiles has vectors too.
    let vectors = if format == Format::F32 { Unit::F32 } else { Unit::Bf16 };
    if packing.unit == vectors {
        eprintln!("SKIPPED: products in tiles, for which this machine has no AMX");
        return vec![packing];
    }
    vec![Packing { unit: vectors }, packing]
}

#[test]
fn equals_three_loops() {
    for format in [Format::F32, Format::Bf16] {
        for packing in units(format) {
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
                (33, 32, 300),
            ] {
                check(format, packing, shape);
            }
        }
    }
}

#[test]
fn chunks_of_the_left_operand_follow_one_another() {
    for format in [Format::F32, Format::Bf16] {
        for packing in units(format) {
            let most = super::CHUNK / (packing.unit.block() * packing.unit.pieces());
            check(format, packing, (most + 37, 2 * packing.unit.block() + 70, 7));
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    for format in [Format::F32, Format::Bf16] {
        for packing in units(format) {
            let (left, right) =
                (Operand::Along { numbers: &[], k: 32 }, Operand::Along { numbers: &[1.0; 64], k: 32 });
            packing.product(&mut [], left, right, false, 2);
        }
    }
}

/// Numbers of many sizes.
fn spread(minor: u32, len: usize) -> Vec<f32> {
    let sizes = numbers(minor + 100, len);
    numbers(minor, len).iter().zip(sizes).map(|(x, size)| x * (3.0 * size).exp2()).collect()
}

/// The largest error of a product, as a share of what its terms would sum to without signs.
fn error(packing: Packing, (m, k, n): (usize, usize, usize)) -> f64 {
    let (a, b) = (spread(1, m * k), spread(2, n * k));
    let mut out = vec![0.0; m * n];
    let (left, right) = (Operand::Along { numbers: &a, k }, Operand::Along { numbers: &b, k });
    packing.product(&mut out, left, right, false, 1);
    let error = |(i, found): (usize, &f32)| {
        let rows = || a[i / n * k..][..k].iter().zip(&b[i % n * k..][..k]);
        let exact: f64 = rows().map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let size: f64 = rows().map(|(a, b)| (f64::from(*a) * f64::from(*b)).abs()).sum();
        (f64::from(*found) - exact).abs() / size
    };
    out.iter().enumerate().map(error).fold(0.0, f64::max)
}

#[test]
fn three_pieces_are_as_exact_as_numbers() {
    let [vectors, tiles] = units(Format::F32)[..] else { return };
    for k in [32, 384, 3072] {
        let (vectors, tiles) = (error(vectors, (64, k, 64)), error(tiles, (64, k, 64)));
        eprintln!("{k} terms: error {tiles:.1e} in tiles, {vectors:.1e} in vectors");
        assert!(tiles < 1.5 * vectors.max(f64::from(f32::EPSILON)), "{k} terms: {tiles:e}, {vectors:e}");
    }
}

#[test]
fn numbers_too_small_for_pieces_count_as_nothing() {
    let Some(packing) = units(Format::F32).pop() else { return };
    let (m, k, n) = (64, 96, 64);
    // Down to the last bits of the smallest exponent.
    let a: Vec<f32> = spread(1, m * k).iter().map(|x| x * f32::MIN_POSITIVE / 1024.0).collect();
    let (a_turned, b) = (turned(&a, k), spread(2, n * k));
    let right = Operand::Along { numbers: &b, k };
    for left in [Operand::Along { numbers: &a, k }, Operand::Across { parts: &[&a_turned], lines: m }] {
        let (mut out, mut out_turned) = (vec![0.0; m * n], vec![0.0; n * m]);
        packing.product(&mut out, left, right, false, 1);
        packing.product(&mut out_turned, right, left, false, 1);
        for (i, found) in out.iter().enumerate() {
            let terms = || a[i / n * k..][..k].iter().zip(&b[i % n * k..][..k]);
            let exact: f64 = terms().map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let most: f64 = terms().map(|(_, b)| f64::from(2.0 * f32::MIN_POSITIVE * b.abs())).sum();
            for found in [*found, out_turned[i % n * m + i / n]] {
                assert!((f64::from(found) - exact).abs() <= most, "{found:e}, {exact:e} within {most:e}");
            }
        }
    }
}
