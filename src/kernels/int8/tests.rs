//! Quantized products against loops over integers, with every instruction set of this CPU.

use super::epilogue::Epilogue;
use super::format::{PANEL, TILE_ROWS};
use super::{Int8Kernel, MAX_INPUTS, QuantizedMatrix, QuantizedRows, product};
use crate::Cpu;
use crate::activation::Activation;
use crate::rng::{Rng, Stream};

/// (rows, inputs, outputs), on both sides of the limits of words, vectors, tiles and panels.
const SHAPES: [(usize, usize, usize); 14] = [
    (1, 1, 1),
    (1, 4, 16),
    (2, 3, 17),
    (3, 5, 2),
    (5, 31, 63),
    (6, 32, 64),
    (7, 33, 65),
    (12, 384, 128),
    (13, 384, 96),
    (13, 1536, 70),
    (1, 1030, 200),
    (29, 65, 300),
    (64, 96, 31),
    (101, 7, 129),
];

fn random(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(11, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

fn cpus() -> [Cpu; 2] {
    [Cpu::detect(), Cpu::plain()]
}

fn quantized(x: &[f32], inputs: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::default();
    rows.quantize(Cpu::detect(), x, inputs);
    rows
}

/// The product by its definition, with sums in i64.
fn naive(x: &QuantizedRows, weight: &QuantizedMatrix, weights: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (weight.inputs(), weight.outputs());
    let mut y = Vec::new();
    for row in 0..x.len() {
        let scale = x.scales()[row];
        for output in 0..outputs {
            let terms = x.row(row).iter().enumerate();
            let sum: i64 = terms
                .map(|(input, x)| {
                    (i64::from(*x) - i64::from(scale.zero_point)) * i64::from(weight.at(output, input))
                })
                .sum();
            let row = &weights[output * inputs..][..inputs];
            let largest = row.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            y.push(sum as f32 * (scale.scale * (largest / 127.0)));
        }
    }
    y
}

fn assert_same_bits(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert_eq!(a.to_bits(), b.to_bits(), "{what}[{index}]: {a}, expected {b}");
    }
}

#[test]
fn every_instruction_set_gives_the_integers_of_the_naive_product() {
    for (rows, inputs, outputs) in SHAPES {
        let (x, w) = (random(1, rows * inputs), random(2, outputs * inputs));
        let (x, weight) = (quantized(&x, inputs), QuantizedMatrix::new(&w, inputs));
        let expected = naive(&x, &weight, &w);
        for kernel in Int8Kernel::available() {
            for threads in [1, 2, 3, 7] {
                let mut y = vec![f32::NAN; rows * outputs];
                product(kernel, &mut y, &x, &weight, (Epilogue::Store, threads));
                let what = format!("{kernel:?}, {rows} {inputs} {outputs}, {threads} threads");
                assert_same_bits(&what, &y, &expected);
            }
        }
    }
}

#[test]
fn random_shapes_give_the_integers_of_the_naive_product() {
    let rng = Rng::new(12, Stream::Sample);
    for case in 0..200 {
        let size = |number: u32, most: f64| 1 + (rng.uniform(0, number, case) * most) as usize;
        let (rows, inputs, outputs) = (size(1, 20.0), size(2, 150.0), size(3, 150.0));
        let (x, w) = (random(3 + case as u32, rows * inputs), random(203 + case as u32, outputs * inputs));
        let (x, weight) = (quantized(&x, inputs), QuantizedMatrix::new(&w, inputs));
        let expected = naive(&x, &weight, &w);
        for kernel in Int8Kernel::available() {
            let mut y = vec![f32::NAN; rows * outputs];
            product(kernel, &mut y, &x, &weight, (Epilogue::Store, size(4, 3.0)));
            assert_same_bits(&format!("{kernel:?}, {rows} {inputs} {outputs}"), &y, &expected);
        }
    }
}

#[test]
fn the_fastest_instruction_set_of_this_cpu_is_tested() {
    let available: Vec<Int8Kernel> = Int8Kernel::available().collect();
    assert!(available.contains(&Int8Kernel::fastest()) && available.contains(&Int8Kernel::Portable));
    eprintln!("tested: {available:?}");
}

#[test]
fn largest_sums_do_not_saturate() {
    // All products have the same sign; pairs of them exceed an i16, where `vpmaddubsw` would saturate.
    let inputs = 4096;
    let (x, w) = (vec![1.0; 7 * inputs], vec![-3.0; 65 * inputs]);
    let (x, weight) = (quantized(&x, inputs), QuantizedMatrix::new(&w, inputs));
    assert!(x.row(3).iter().all(|x| *x == 255) && (0..inputs).all(|input| weight.at(64, input) == -127));
    for kernel in Int8Kernel::available() {
        let mut y = vec![0.0; 7 * 65];
        product(kernel, &mut y, &x, &weight, (Epilogue::Store, 1));
        assert!(y.iter().all(|y| (y + 3.0 * inputs as f32).abs() < 1e-2), "{kernel:?}: {}", y[0]);
    }
    let fits = |inputs: usize| i32::try_from(inputs * 255 * 127).is_ok();
    assert!(fits(MAX_INPUTS) && !fits(MAX_INPUTS + 1));
}

#[test]
fn rows_are_quantized_to_half_a_step() {
    for cpu in cpus() {
        for (rows, inputs) in [(1, 1), (3, 15), (4, 16), (5, 37), (2, 384)] {
            let mut x = random(7, rows * inputs);
            x[0] = -9.0;
            let mut quantized = QuantizedRows::default();
            quantized.quantize(cpu, &x, inputs);
            for (row, x) in x.chunks_exact(inputs).enumerate() {
                let scale = quantized.scales()[row];
                let range =
                    x.iter().fold(0f32, |high, x| high.max(*x)) - x.iter().fold(0f32, |low, x| low.min(*x));
                assert!((scale.scale * 255.0 / range - 1.0).abs() < 1e-5, "{} and {range}", scale.scale);
                for (x, q) in x.iter().zip(quantized.row(row)) {
                    let found = scale.scale * (i32::from(*q) - scale.zero_point) as f32;
                    // The zero point is rounded too, which moves the end of the range.
                    assert!(
                        (found - x).abs() <= 1.001 * scale.scale,
                        "{found}, expected {x} ± {}",
                        scale.scale
                    );
                }
            }
        }
    }
}

#[test]
fn instruction_sets_quantize_rows_alike() {
    for inputs in [1, 5, 16, 47, 384] {
        let x = random(8, 9 * inputs);
        let [best, plain] = cpus().map(|cpu| {
            let mut rows = QuantizedRows::default();
            rows.quantize(cpu, &x, inputs);
            rows
        });
        for row in 0..9 {
            assert_eq!(best.row(row), plain.row(row));
            assert_eq!(best.scales()[row], plain.scales()[row]);
        }
    }
}

#[test]
fn zeros_are_exact_and_memory_of_other_shapes_has_no_effect() {
    let mut rows = QuantizedRows::default();
    for inputs in [64, 6, 5, 63, 64] {
        let mut x = random(9, 3 * inputs);
        x[inputs..2 * inputs].fill(0.0);
        x[0] = 0.0;
        rows.quantize(Cpu::detect(), &x, inputs);
        let weight = random(10, 5 * inputs);
        let matrix = QuantizedMatrix::new(&weight, inputs);
        let (mut y, mut expected) = (vec![f32::NAN; 15], vec![f32::NAN; 15]);
        product(Int8Kernel::fastest(), &mut y, &rows, &matrix, (Epilogue::Store, 1));
        product(Int8Kernel::Portable, &mut expected, &quantized(&x, inputs), &matrix, (Epilogue::Store, 1));
        assert_same_bits("reused memory", &y, &expected);
        assert!(y[5..10].iter().all(|y| *y == 0.0), "a row of zeros");
        assert_eq!(i32::from(rows.row(0)[0]), rows.scales()[0].zero_point);
    }
}

#[test]
fn values_that_are_not_finite_spoil_only_their_row_or_output() {
    let inputs = 40;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [3, 39] {
            let (mut x, mut w) = (random(1, 3 * inputs), random(2, 70 * inputs));
            x[inputs + at] = bad;
            w[66 * inputs + at] = bad;
            let (x, weight) = (quantized(&x, inputs), QuantizedMatrix::new(&w, inputs));
            for kernel in Int8Kernel::available() {
                let mut y = vec![0.0; 3 * 70];
                product(kernel, &mut y, &x, &weight, (Epilogue::Store, 1));
                for (i, y) in y.iter().enumerate() {
                    assert_eq!(y.is_nan(), i / 70 == 1 || i % 70 == 66, "{kernel:?}, {bad}, {i}: {y}");
                }
            }
        }
    }
}

#[test]
fn tiny_values_are_zero_or_exact() {
    for size in [f32::MIN_POSITIVE / 8.0, 1e-37, 1e-32, 1e-25] {
        let x: Vec<f32> = random(1, 32).iter().map(|x| x * size).collect();
        let (rows, weight) = (quantized(&x, 32), QuantizedMatrix::new(&x, 32));
        let mut y = [f32::NAN];
        product(Int8Kernel::fastest(), &mut y, &rows, &weight, (Epilogue::Store, 1));
        let exact: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!(y[0].is_finite() && (f64::from(y[0]) - exact).abs() <= exact, "{size:e}: {}", y[0]);
    }
}

#[test]
fn product_is_close_to_that_in_f64() {
    for (rows, inputs, outputs) in SHAPES {
        let (x, w) = (random(1, rows * inputs), random(2, outputs * inputs));
        let mut y = vec![0.0; rows * outputs];
        product(
            Int8Kernel::fastest(),
            &mut y,
            &quantized(&x, inputs),
            &QuantizedMatrix::new(&w, inputs),
            (Epilogue::Store, 1),
        );
        for (i, found) in y.iter().enumerate() {
            let terms =
                || x[i / outputs * inputs..][..inputs].iter().zip(&w[i % outputs * inputs..][..inputs]);
            let exact: f64 = terms().map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            // Errors of half a step each, of values with a standard deviation of 1 and a range of about 8.
            let bound = 0.05 * (inputs as f64).sqrt().max(1.0) + 0.02;
            assert!((f64::from(*found) - exact).abs() < bound, "{rows} {inputs} {outputs}: {found}, {exact}");
        }
    }
}

#[test]
fn bias_and_activation_are_those_of_the_separate_kernel() {
    for function in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        for (rows, inputs, outputs) in [(1, 20, 5), (7, 64, 64), (TILE_ROWS + 2, 65, PANEL + 3)] {
            let (x, w, bias) = (random(1, rows * inputs), random(2, outputs * inputs), random(3, outputs));
            let w: Vec<f32> = w.iter().map(|w| 0.1 * w).collect();
            let (x, weight) = (quantized(&x, inputs), QuantizedMatrix::new(&w, inputs));
            let (mut y, mut expected) = (vec![0.0; rows * outputs], vec![0.0; rows * outputs]);
            product(Int8Kernel::fastest(), &mut y, &x, &weight, (Epilogue::Store, 1));
            crate::activation::activate(Cpu::detect(), function, &mut y, &bias, &mut expected);
            for kernel in Int8Kernel::available() {
                let epilogue = Epilogue::Activate { function, bias: &bias };
                product(kernel, &mut y, &x, &weight, (epilogue, 2));
                for (found, expected) in y.iter().zip(&expected) {
                    let difference = (found - expected).abs();
                    assert!(difference <= 1e-6 * (1.0 + expected.abs()), "{kernel:?}: {found}, {expected}");
                }
            }
        }
    }
}

#[test]
fn product_without_rows() {
    let weight = QuantizedMatrix::new(&[1.0; 64], 32);
    for kernel in Int8Kernel::available() {
        product(kernel, &mut [], &quantized(&[], 32), &weight, (Epilogue::Store, 2));
    }
}
