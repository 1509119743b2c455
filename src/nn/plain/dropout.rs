//! Dropout masks as candle tensors.

#[cfg(feature = "cuda")]
use super::cuda;
use crate::batch::Batch;
#[cfg(feature = "cuda")]
use crate::nn::cuda::plain::AttentionMask;
use candle_core::{Device, Result, Tensor};
use kernels::dropout::{self, Dropout};
use rayon::prelude::*;

/// Elements of a mask that one task draws.
const CHUNK: usize = 4096;

/// Applies the mask of a site to `x` (rows, width), whose first row is row `first` of the site.
pub(crate) fn apply_to_rows(
    masks: Dropout,
    x: &Tensor,
    site: u32,
    rate: f64,
    first: usize,
) -> Result<Tensor> {
    let Some(site) = masks.site(site, rate) else { return Ok(x.clone()) };
    let (rows, width) = x.dims2()?;
    let first = dropout::state_offset(first, width);
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        return x * cuda::dropout_mask(&site, first, (rows, width), x.device())?;
    }
    let mut mask = vec![0.0; rows * width];
    mask.par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(chunk, out)| site.fill(first + (chunk * CHUNK) as u64, out));
    x * Tensor::from_vec(mask, (rows, width), x.device())?
}

/// The mask of the attention probabilities: (examples, heads, longest, longest), zero in the padding. `None` if
/// the rate is 0.
pub(crate) fn attention_mask(
    masks: Dropout,
    layer: usize,
    rate: f64,
    batch: &Batch,
    (heads, max_positions): (usize, usize),
    device: &Device,
) -> Result<Option<Tensor>> {
    let Some(site) = masks.site(dropout::attention(layer), rate) else { return Ok(None) };
    let longest = batch.longest();
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        let sizes = AttentionMask { heads, max_positions, first_token: batch.first_token, longest };
        return cuda::attention_mask(&site, sizes, &batch.offsets, device).map(Some);
    }
    let mut mask = vec![0.0; batch.len() * heads * longest * longest];
    mask.par_chunks_mut(longest * longest).enumerate().for_each(|(chunk, out)| {
        let (example, head) = (chunk / heads, chunk % heads);
        let (from, to) = (batch.offsets[example], batch.offsets[example + 1]);
        let queries: Vec<u64> = (from..to)
            .map(|query| dropout::attention_row(batch.first_token + query, (head, heads)))
            .collect();
        let mut bits = Vec::new();
        site.keep_mask(&queries, to - from, max_positions, &mut bits);
        let bits = bits.chunks(dropout::mask_row_bytes(to - from));
        for (row, bits) in out.chunks_mut(longest).zip(bits) {
            for (key, factor) in row[..to - from].iter_mut().enumerate() {
                *factor = if bits[key / 8] >> (key % 8) & 1 == 1 { site.scale } else { 0.0 };
            }
        }
    });
    Tensor::from_vec(mask, (batch.len(), heads, longest, longest), device).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Encoded;
    use kernels::rng::{Rng, Stream};

    fn mask(first: usize, rows: usize) -> Vec<Vec<f32>> {
        let ones = Tensor::ones((rows, 10), candle_core::DType::F32, &Device::Cpu).expect("ones");
        apply_to_rows(Dropout::new(3, 5), &ones, 2, 0.25, first).and_then(|t| t.to_vec2()).expect("a mask")
    }

    #[test]
    fn mask_of_a_row_does_not_depend_on_the_first_row() {
        let whole = mask(0, 1000);
        assert_eq!(whole[333..340], mask(333, 7));
        let kept = whole.iter().flatten().filter(|x| **x != 0.0).count();
        assert!((7300..7700).contains(&kept), "{kept} of 10000 kept");
        assert!(whole.iter().flatten().all(|x| *x == 0.0 || *x == 1.0 / 0.75));
        for number in [3337, 3338, 3401, 9999] {
            // Number 64 h + 16 w + b of a group of 128.
            let (group, half) = (number / 128, number % 128 / 64);
            let blocks = std::array::from_fn(|lane| (group * 16 + lane) as u64);
            let word = Rng::new(3, Stream::Dropout).blocks(5, 2, blocks)[number % 64 / 16][number % 16];
            let is_dropped = (word >> (16 * half)) & 0xffff < 1 << 14;
            assert_eq!(whole[number / 10][number % 10] == 0.0, is_dropped, "number {number}");
        }
    }

    #[test]
    fn attention_mask_does_not_depend_on_micro_batches_or_padding() {
        let examples = [3usize, 7, 2].map(|n| Encoded { ids: vec![1; n], type_ids: vec![0; n], label: None });
        let whole = Batch::new(&examples);
        let draw = |batch: &Batch| -> Vec<Vec<Vec<f32>>> {
            let mask = attention_mask(Dropout::new(3, 5), 1, 0.5, batch, (2, 16), &Device::Cpu);
            let mask = mask.expect("a mask").expect("a rate").flatten_to(1).expect("joined");
            mask.to_vec3().expect("numbers")
        };
        let (all, last) = (draw(&whole), draw(&whole.micro_batches(1, 1)[2]));
        for head in 0..2 {
            for query in 0..2 {
                assert_eq!(all[4 + head][query][..2], last[head][query][..2]);
                assert_eq!(all[4 + head][query][2..], [0.0; 5]);
            }
        }
    }
}
