//! Packed products against a naive product.

use super::super::element_type::ElementType;
use super::blocking::{CHUNK_WORDS, MicroKernel};
use super::{Operand, PackedGemm};
use crate::rng::{Rng, Stream};

fn random(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(5, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

/// Rounds to the nearest bf16, ties to even.
fn rounded(element_type: ElementType, x: f32) -> f32 {
    if element_type == ElementType::F32 {
        return x;
    }
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// (rows, columns) → (columns, rows)
fn transposed(x: &[f32], columns: usize) -> Vec<f32> {
    let rows = x.len() / columns;
    (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
}

/// Splits rows of length `columns` into two parts, the first with an odd number of rows if possible.
fn parts(x: &[f32], columns: usize) -> [&[f32]; 2] {
    let rows = x.len() / columns;
    let first = if rows > 3 { (rows / 2) | 1 } else { 0 };
    let (above, below) = x.split_at(first * columns);
    [above, below]
}

/// Checks a product of shape (m, k, n) for every combination of operand layouts, accumulation and threads.
fn check(element_type: ElementType, gemm: PackedGemm, (m, k, n): (usize, usize, usize)) {
    let (a, b, before) = (random(1, m * k), random(2, k * n), random(3, m * n));
    let (a_transposed, b_transposed) = (transposed(&a, k), transposed(&b, n));
    let [a_rounded, b_rounded] =
        [&a, &b].map(|x| x.iter().map(|x| rounded(element_type, *x)).collect::<Vec<f32>>());
    let sum = |i: usize| -> f32 { (0..k).map(|j| a_rounded[i / n * k + j] * b_rounded[j * n + i % n]).sum() };
    let sums: Vec<f32> = (0..m * n).map(sum).collect();
    for variant in 0..32 {
        let [accumulate, is_left_strided, is_right_strided, has_threads, has_parts] =
            [1, 2, 4, 8, 16].map(|bit| variant & bit != 0);
        let threads = if has_threads { 3 } else { 1 };
        if has_parts && !(is_left_strided && is_right_strided) {
            // Pairs do not cross parts, so both operands must have the same parts.
            continue;
        }
        let (left_parts, right_parts) = (parts(&a_transposed, m), parts(&b, n));
        let (left_whole, right_whole) = ([&a_transposed[..]], [&b[..]]);
        let (left_parts, right_parts) =
            if has_parts { (&left_parts[..], &right_parts[..]) } else { (&left_whole[..], &right_whole[..]) };
        let left = if is_left_strided {
            Operand::KStrided { parts: left_parts, lines: m }
        } else {
            Operand::KContiguous { data: &a, k }
        };
        let right = if is_right_strided {
            Operand::KStrided { parts: right_parts, lines: n }
        } else {
            Operand::KContiguous { data: &b_transposed, k }
        };
        let mut out = before.clone();
        gemm.run(&mut out, left, right, accumulate, threads);
        for (i, found) in out.iter().enumerate() {
            let expected = sums[i] + if accumulate { before[i] } else { 0.0 };
            assert!(
                (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                "{element_type:?}, {m} {k} {n}, variant {variant}: {found}, {expected}"
            );
        }
    }
}

/// The micro-kernels that this CPU supports.
fn gemms(element_type: ElementType) -> Vec<PackedGemm> {
    let Some(gemm) = PackedGemm::detect(element_type) else {
        eprintln!("SKIPPED: packed products: this CPU has no avx512_bf16");
        return Vec::new();
    };
    // A CPU with AMX has AVX-512 too.
    let is_f32 = element_type == ElementType::F32;
    let kernel = if is_f32 { MicroKernel::F32 } else { MicroKernel::Bf16 };
    if gemm.kernel == kernel {
        eprintln!("SKIPPED: AMX products: this CPU has no AMX");
        return vec![gemm];
    }
    vec![PackedGemm { kernel }, gemm]
}

#[test]
fn matches_naive_product() {
    for element_type in [ElementType::F32, ElementType::Bf16] {
        for gemm in gemms(element_type) {
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
                check(element_type, gemm, shape);
            }
        }
    }
}

#[test]
fn left_operand_of_several_chunks() {
    for element_type in [ElementType::F32, ElementType::Bf16] {
        for gemm in gemms(element_type) {
            let max_rows = CHUNK_WORDS / (gemm.kernel.max_block_words() * gemm.kernel.pieces());
            check(element_type, gemm, (max_rows + 37, 2 * gemm.kernel.max_block_words() + 70, 7));
        }
    }
}

#[test]
fn product_without_rows() {
    for element_type in [ElementType::F32, ElementType::Bf16] {
        for gemm in gemms(element_type) {
            let (left, right) =
                (Operand::KContiguous { data: &[], k: 32 }, Operand::KContiguous { data: &[1.0; 64], k: 32 });
            gemm.run(&mut [], left, right, false, 2);
        }
    }
}

/// Random numbers with a wide range of exponents.
fn wide_range(minor: u32, len: usize) -> Vec<f32> {
    let exponents = random(minor + 100, len);
    random(minor, len).iter().zip(exponents).map(|(x, exponent)| x * (3.0 * exponent).exp2()).collect()
}

/// The largest error of an element of a product, relative to Σ |a b|.
fn max_error(gemm: PackedGemm, (m, k, n): (usize, usize, usize)) -> f64 {
    let (a, b) = (wide_range(1, m * k), wide_range(2, n * k));
    let mut out = vec![0.0; m * n];
    let (left, right) = (Operand::KContiguous { data: &a, k }, Operand::KContiguous { data: &b, k });
    gemm.run(&mut out, left, right, false, 1);
    let error = |(i, found): (usize, &f32)| {
        let rows = || a[i / n * k..][..k].iter().zip(&b[i % n * k..][..k]);
        let exact: f64 = rows().map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let size: f64 = rows().map(|(a, b)| (f64::from(*a) * f64::from(*b)).abs()).sum();
        (f64::from(*found) - exact).abs() / size
    };
    out.iter().enumerate().map(error).fold(0.0, f64::max)
}

#[test]
fn three_bf16_pieces_are_as_precise_as_f32() {
    let [avx512, amx] = gemms(ElementType::F32)[..] else { return };
    for k in [32, 384, 3072] {
        let (avx512, amx) = (max_error(avx512, (64, k, 64)), max_error(amx, (64, k, 64)));
        eprintln!("k = {k}: error {amx:.1e} with AMX, {avx512:.1e} with AVX-512");
        assert!(amx < 1.5 * avx512.max(f64::from(f32::EPSILON)), "k = {k}: {amx:e}, {avx512:e}");
    }
}

#[test]
fn subnormal_elements_may_be_flushed_to_zero() {
    let Some(gemm) = gemms(ElementType::F32).pop() else { return };
    let (m, k, n) = (64, 96, 64);
    // Subnormals.
    let a: Vec<f32> = wide_range(1, m * k).iter().map(|x| x * f32::MIN_POSITIVE / 1024.0).collect();
    let (a_transposed, b) = (transposed(&a, k), wide_range(2, n * k));
    let right = Operand::KContiguous { data: &b, k };
    for left in
        [Operand::KContiguous { data: &a, k }, Operand::KStrided { parts: &[&a_transposed], lines: m }]
    {
        let (mut out, mut out_transposed) = (vec![0.0; m * n], vec![0.0; n * m]);
        gemm.run(&mut out, left, right, false, 1);
        gemm.run(&mut out_transposed, right, left, false, 1);
        for (i, found) in out.iter().enumerate() {
            let terms = || a[i / n * k..][..k].iter().zip(&b[i % n * k..][..k]);
            let exact: f64 = terms().map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let most: f64 = terms().map(|(_, b)| f64::from(2.0 * f32::MIN_POSITIVE * b.abs())).sum();
            for found in [*found, out_transposed[i % n * m + i / n]] {
                assert!((f64::from(found) - exact).abs() <= most, "{found:e}, {exact:e} within {most:e}");
            }
        }
    }
}
