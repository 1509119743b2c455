//! Tests of each kernel against plain loops in f64, and of the engine against the CPU engine. They run on the kernels
//! compiled for the CPU and, with the feature `cuda`, also on a GPU.

mod attention;
mod engine;
mod head;
mod ops;
mod plain;
mod pre_norm;
mod sanitizer;
mod step_logits;

use super::device::{Bf16, Device, DeviceSlice, read_f32s};
use super::input::{Bucket, EmbeddingRows, Input, SortedTokens, StepScalars, pack};
use super::ops::{DropoutSite, Ops, Rows};
use super::tensor::{MAX_PARTIAL_ROWS, MixedTensor, PartialSums};
use crate::batch::{Batch, Encoded, Label};
use kernels::dropout::{self, Dropout};
use kernels::rng::{Rng, Stream};

/// Defines each test for the CPU and for a GPU.
macro_rules! on_devices {
    ($($test:ident),* $(,)?) => {
        mod on_cpu {
            $(#[test]
            fn $test() {
                if let Some(device) = crate::nn::cuda::host::host_device() {
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
                    Err(error) => eprintln!("SKIPPED: no GPU: {error}"),
                }
            })*
        }
    };
}
pub(super) use on_devices;

/// A device, with helpers that allocate, write and read buffers, which live as long as the fixture.
struct Fixture<D: Device> {
    device: D,
    buffers: Vec<D::Buffer>,
}

impl<D: Device> Fixture<D> {
    fn new(device: D) -> Self {
        Fixture { device, buffers: Vec::new() }
    }

    /// A buffer of `len` zeros.
    fn allocate<T>(&mut self, len: usize) -> DeviceSlice<T> {
        let buffer = self.device.allocate((len * size_of::<T>()).next_multiple_of(4).max(4)).expect("memory");
        let slice = DeviceSlice::new(D::address(&buffer), len);
        self.buffers.push(buffer);
        slice
    }

    fn u32s(&mut self, words: &[u32]) -> DeviceSlice<u32> {
        let slice = self.allocate(words.len());
        self.device.write(slice, words).expect("a copy");
        slice
    }

    fn f32s(&mut self, values: &[f32]) -> DeviceSlice<f32> {
        let words: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
        let slice = self.u32s(&words);
        DeviceSlice::new(slice.address(), slice.len())
    }

    /// Zeros in f32 and bf16.
    fn mixed(&mut self, len: usize) -> MixedTensor {
        MixedTensor { f32: self.allocate(len), bf16: self.allocate(len) }
    }

    fn read_u32s(&self, slice: DeviceSlice<u32>) -> Vec<u32> {
        let mut words = vec![0; slice.len()];
        self.device.read(slice, &mut words).expect("a copy");
        words
    }

    fn read(&self, slice: DeviceSlice<f32>) -> Vec<f32> {
        read_f32s(&self.device, slice).expect("a copy")
    }

    fn read_bf16(&self, slice: DeviceSlice<Bf16>) -> Vec<f32> {
        let words = self.read_u32s(DeviceSlice::new(slice.address(), slice.len().div_ceil(2)));
        let halves = words.into_iter().flat_map(|word| [word << 16, word & 0xffff_0000]);
        halves.take(slice.len()).map(f32::from_bits).collect()
    }

    /// The input of a pass over `batch` in a model with three outputs, in device memory.
    fn input(&mut self, batch: &Batch, scalars: StepScalars) -> Input {
        self.input_for(batch, 3, scalars)
    }

    fn input_for(&mut self, batch: &Batch, outputs: usize, scalars: StepScalars) -> Input {
        let bucket = Bucket::of(batch, outputs);
        Input::new(bucket, self.u32s(&pack(bucket, batch, &embedding_rows(batch), scalars)))
    }

    fn partial_sums(&mut self, stride: usize) -> PartialSums {
        PartialSums { sums: self.allocate(MAX_PARTIAL_ROWS * stride), stride }
    }

    fn ops(&mut self, input: Input) -> Ops<'_, D> {
        Ops { device: &mut self.device, input, allow_tf32: false }
    }
}

const STEP: u64 = 7;
const SEED: u64 = 3;

fn step_scalars() -> StepScalars {
    StepScalars {
        dropout_key: Rng::new(SEED, Stream::Dropout).key(),
        step: STEP as u32,
        stamp: 1,
        ..StepScalars::default()
    }
}

/// Rows of the word embedding.
const VOCAB: usize = 19;

/// The rows of a model whose positions are 0, 1, ….
fn embedding_rows(batch: &Batch) -> EmbeddingRows {
    let positions: Vec<u32> =
        batch.offsets.windows(2).flat_map(|bounds| 0..(bounds[1] - bounds[0]) as u32).collect();
    let words = batch.ids.iter().copied().zip(0..);
    let of_positions = positions.iter().map(|position| VOCAB as u32 + position).zip(0..);
    let sorted = SortedTokens::of(words.chain(of_positions));
    EmbeddingRows { positions, sorted }
}

/// A micro-batch of a larger batch, with examples of the given lengths.
fn batch(lengths: &[usize]) -> Batch {
    let example = |(number, length): (usize, &usize)| Encoded {
        ids: (0..*length).map(|token| ((number * 31 + token * 7) % VOCAB) as u32).collect(),
        type_ids: (0..*length).map(|token| u32::from(token > length / 2)).collect(),
        label: Some(Label::Class(number as u32 % 3)),
    };
    let mut batch = Batch::new(&lengths.iter().enumerate().map(example).collect::<Vec<_>>());
    (batch.first_token, batch.first_example) = (5, 2);
    batch
}

/// The numbers of the batch's rows in the whole batch, without padding.
fn row_indices(batch: &Batch, rows: Rows) -> Vec<usize> {
    match rows {
        Rows::All => (0..batch.tokens()).map(|token| batch.first_token + token).collect(),
        Rows::First => batch.offsets[..batch.len()].iter().map(|token| batch.first_token + token).collect(),
    }
}

const RATE: f64 = 0.25;

/// A dropout site, and its factors for rows of `width` elements, drawn on the CPU. `indices` are the rows' numbers in
/// the whole batch.
fn dropout_site(is_enabled: bool, indices: &[usize], width: usize) -> (DropoutSite, Vec<f64>) {
    const ID: u32 = 4;
    let mut factors = vec![1.0f32; indices.len() * width];
    if !is_enabled {
        return (DropoutSite::DISABLED, to_f64(&factors));
    }
    let masks = Dropout::new(SEED, STEP).site(ID, RATE).expect("a rate");
    for (index, row) in indices.iter().zip(factors.chunks_exact_mut(width)) {
        masks.fill(dropout::state_offset(*index, width), row);
    }
    (DropoutSite::new(ID, dropout::threshold(RATE), dropout::keep_scale(RATE)), to_f64(&factors))
}

/// x Φ(x)
fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// Its tanh approximation.
fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

/// The error function, by its Maclaurin series.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * f64::abs(sum) {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn to_f64(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// Pads `x` with zeros to `len` elements.
fn padded(mut x: Vec<f64>, len: usize) -> Vec<f64> {
    x.resize(len, 0.0);
    x
}

/// Normally distributed numbers, different for each `minor`.
fn random(minor: u32, len: usize) -> Vec<f32> {
    let rng = Rng::new(9, Stream::Weights);
    (0..len).map(|i| rng.normal(0, minor, i as u64) as f32).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(*a) - b).abs();
        assert!(difference <= tolerance * (1.0 + b.abs()), "{what}[{index}]: {a}, expected {b}");
    }
}

/// Compares f32 and bf16 values, each to its own precision.
fn assert_mixed_close<D: Device>(fixture: &Fixture<D>, what: &str, found: MixedTensor, expected: &[f64]) {
    assert_close(what, &fixture.read(found.f32), expected, 2e-5);
    assert_close(what, &fixture.read_bf16(found.bf16), expected, 5e-3);
}
