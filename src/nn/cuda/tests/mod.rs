//! Each kernel against plain loops in f64, and the engine against that of the CPU, on the kernels compiled for the
//! CPU; with the feature `cuda`, on a GPU too.

mod attention;
mod engine;
mod kernels;

use super::buffers::{MOST_PARTS, Rounded};
use super::device::{Bf16, Device, Span};
use super::input::{Bucket, Input, Numbers, words};
use super::ops::{Ops, Sums};
use crate::batch::{Batch, Encoded, Label};
use crate::rng::{Rng, Stream};

/// Each of the tests named, on the CPU and on a GPU.
macro_rules! on_devices {
    ($($test:ident),* $(,)?) => {
        mod on_cpu {
            $(#[test]
            fn $test() {
                if let Some(device) = crate::nn::cuda::host::host() {
                    super::$test(|| device.clone());
                }
            })*
        }
        #[cfg(feature = "cuda")]
        mod on_gpu {
            $(#[test]
            fn $test() {
                match crate::nn::cuda::gpu::Gpu::open(0) {
                    Ok(_) => super::$test(|| crate::nn::cuda::gpu::Gpu::open(0).expect("a GPU")),
                    Err(why) => eprintln!("SKIPPED: on a GPU: {why}"),
                }
            })*
        }
    };
}
pub(super) use on_devices;

/// A device with numbers in its memory.
struct Lab<D: Device> {
    device: D,
    held: Vec<D::Memory>,
}

impl<D: Device> Lab<D> {
    fn new(device: D) -> Self {
        Lab { device, held: Vec::new() }
    }

    /// Memory for numbers.
    fn room<T>(&mut self, len: usize) -> Span<T> {
        let memory = self.device.allocate((len * size_of::<T>()).next_multiple_of(4).max(4)).expect("memory");
        let span = Span::new(D::address(&memory), len);
        self.held.push(memory);
        span
    }

    fn words(&mut self, words: &[u32]) -> Span<u32> {
        let span = self.room(words.len());
        self.device.write(span, words).expect("a copy");
        span
    }

    fn numbers(&mut self, numbers: &[f32]) -> Span<f32> {
        let words: Vec<u32> = numbers.iter().map(|x| x.to_bits()).collect();
        let span = self.words(&words);
        Span::new(span.address(), span.len())
    }

    /// Room for numbers in both forms.
    fn both(&mut self, len: usize) -> Rounded {
        Rounded { wide: self.room(len), operand: self.room(len) }
    }

    fn get_words(&self, span: Span<u32>) -> Vec<u32> {
        let mut words = vec![0; span.len()];
        self.device.read(span, &mut words).expect("a copy");
        words
    }

    fn get(&self, span: Span<f32>) -> Vec<f32> {
        self.get_words(Span::new(span.address(), span.len())).into_iter().map(f32::from_bits).collect()
    }

    fn get_bf16(&self, span: Span<Bf16>) -> Vec<f32> {
        let words = self.get_words(Span::new(span.address(), span.len().div_ceil(2)));
        let halves = words.into_iter().flat_map(|word| [word << 16, word & 0xffff_0000]);
        halves.take(span.len()).map(f32::from_bits).collect()
    }

    /// The input of a pass.
    fn input(&mut self, batch: &Batch, numbers: Numbers) -> Input {
        let bucket = Bucket::of(batch);
        Input::new(bucket, self.words(&words(bucket, batch, numbers)))
    }

    fn sums(&mut self, stride: usize) -> Sums {
        Sums { partial: self.room(MOST_PARTS * stride), stride }
    }

    fn ops(&mut self, input: Input) -> Ops<'_, D> {
        Ops { device: &mut self.device, input, is_rounded: false }
    }
}

const STEP: u64 = 7;
const SEED: u64 = 3;

fn step_numbers() -> Numbers {
    Numbers { key: Rng::new(SEED, Stream::Dropout).key(), step: STEP as u32, stamp: 1, ..Numbers::default() }
}

/// A batch of those lengths, part of a larger one.
fn batch(lengths: &[usize]) -> Batch {
    let example = |(number, length): (usize, &usize)| Encoded {
        ids: (0..*length).map(|token| ((number * 31 + token * 7) % 19) as u32).collect(),
        type_ids: (0..*length).map(|token| u32::from(token > length / 2)).collect(),
        label: Some(Label::Class(number as u32 % 3)),
    };
    let mut batch = Batch::new(&lengths.iter().enumerate().map(example).collect::<Vec<_>>());
    (batch.first_token, batch.first_example) = (5, 2);
    batch
}

/// Random numbers, others for each `minor`.
fn random(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(9, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*a) - b).abs();
        assert!(difference <= tolerance * (1.0 + b.abs()), "{what}[{place}]: {a}, expected {b}");
    }
}

/// Both forms: f32 to its last digits, bf16 to its own.
fn assert_both<D: Device>(lab: &Lab<D>, what: &str, found: Rounded, expected: &[f64]) {
    assert_close(what, &lab.get(found.wide), expected, 2e-5);
    assert_close(what, &lab.get_bf16(found.operand), expected, 5e-3);
}
