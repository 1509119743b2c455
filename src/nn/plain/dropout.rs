//! Dropout masks, each number addressed by its place in the model, so that they can be drawn in
//! any order, in parts, and by any engine.
//!
//! # Numbering
//!
//! The stream is `Stream::Dropout` of the seed. The major coordinate is the step; the minor one is
//! the *site*: 0 after the embeddings; `1 + 3 layer` the attention probabilities, `2 + 3 layer` the
//! attention output (BERT only), `3 + 3 layer` the feed-forward output; `1 + 3 layers` before the
//! classifier. Number `i` of a site is word `i % 4` of block `i / 4`, where `i` is
//!
//! - for token states: `(first_token + token) * hidden + h`;
//! - for attention: `((first_token + query token) * heads + head) * max_positions + key position`;
//! - before the classifier: `(first_example + example) * hidden + h`.
//!
//! A value is dropped when its word is below `rate * 2³²`, and multiplied by `1 / (1 - rate)` else.

use crate::batch::Batch;
use crate::rng::{Rng, Stream};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// Numbers that one task draws.
const CHUNK: usize = 4096;

/// The site after the embeddings.
pub(crate) const EMBEDDINGS: u32 = 0;

/// The site of a layer's attention probabilities.
pub(crate) fn attention(layer: usize) -> u32 {
    1 + 3 * layer as u32
}

/// The site of a layer's attention output.
pub(crate) fn attention_output(layer: usize) -> u32 {
    2 + 3 * layer as u32
}

/// The site of a layer's feed-forward output.
pub(crate) fn feed_forward(layer: usize) -> u32 {
    3 + 3 * layer as u32
}

/// The site before the classifier of a model with that many layers.
pub(crate) fn classifier(layers: usize) -> u32 {
    1 + 3 * layers as u32
}

/// The masks of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    rng: Rng,
    step: u32,
}

/// The masks of one step at one site.
struct Site {
    dropout: Dropout,
    number: u32,
    threshold: u32,
    kept: f32,
}

impl Dropout {
    pub(crate) fn new(seed: u64, step: u64) -> Self {
        Dropout { rng: Rng::new(seed, Stream::Dropout), step: step as u32 }
    }

    fn site(self, site: u32, rate: f64) -> Site {
        let threshold = (rate * 2f64.powi(32)) as u32;
        Site { dropout: self, number: site, threshold, kept: (1.0 / (1.0 - rate)) as f32 }
    }

    /// `x` (rows, width) with its mask applied; its first row is row `first` of the site.
    pub(crate) fn rows(self, x: &Tensor, site: u32, rate: f64, first: usize) -> Result<Tensor> {
        if rate == 0.0 {
            return Ok(x.clone());
        }
        let (rows, width) = x.dims2()?;
        let site = self.site(site, rate);
        let mut mask = vec![0.0; rows * width];
        mask.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(chunk, out)| site.fill((first * width + chunk * CHUNK) as u64, out));
        x * Tensor::from_vec(mask, (rows, width), x.device())?
    }

    /// The mask of attention probabilities: (examples, heads, longest, longest), zero in the padding.
    /// Nothing at rate 0.
    pub(crate) fn attention(
        self,
        layer: usize,
        rate: f64,
        batch: &Batch,
        (heads, max_positions): (usize, usize),
        device: &Device,
    ) -> Result<Option<Tensor>> {
        if rate == 0.0 {
            return Ok(None);
        }
        let site = self.site(attention(layer), rate);
        let longest = batch.longest();
        let mut mask = vec![0.0; batch.len() * heads * longest * longest];
        mask.par_chunks_mut(longest * longest).enumerate().for_each(|(chunk, out)| {
            let (example, head) = (chunk / heads, chunk % heads);
            let (from, to) = (batch.offsets[example], batch.offsets[example + 1]);
            for (query, row) in (from..to).zip(out.chunks_mut(longest)) {
                let first = ((batch.first_token + query) * heads + head) * max_positions;
                site.fill(first as u64, &mut row[..to - from]);
            }
        });
        Tensor::from_vec(mask, (batch.len(), heads, longest, longest), device).map(Some)
    }
}

impl Site {
    /// Numbers `first..` of the site.
    fn fill(&self, first: u64, out: &mut [f32]) {
        let draw = |block| self.dropout.rng.block(self.dropout.step, self.number, block);
        let (mut block, mut word) = (first / 4, (first % 4) as usize);
        let mut words = draw(block);
        for value in out {
            if word == 4 {
                (block, word) = (block + 1, 0);
                words = draw(block);
            }
            *value = if words[word] < self.threshold { 0.0 } else { self.kept };
            word += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Encoded;

    fn mask(first: usize, rows: usize) -> Vec<Vec<f32>> {
        let ones = Tensor::ones((rows, 10), candle_core::DType::F32, &Device::Cpu).expect("ones");
        Dropout::new(3, 5).rows(&ones, 2, 0.25, first).and_then(|t| t.to_vec2()).expect("a mask")
    }

    #[test]
    fn rows_do_not_depend_on_where_the_part_begins() {
        let whole = mask(0, 1000);
        assert_eq!(whole[333..340], mask(333, 7));
        let kept = whole.iter().flatten().filter(|x| **x != 0.0).count();
        assert!((7300..7700).contains(&kept), "{kept} of 10000 kept");
        assert!(whole.iter().flatten().all(|x| *x == 0.0 || *x == 1.0 / 0.75));
        let word = Rng::new(3, Stream::Dropout).block(5, 2, 3337 / 4)[3337 % 4];
        assert_eq!(whole[333][7] == 0.0, word < 1 << 30, "the numbering that is documented");
    }

    #[test]
    fn attention_does_not_depend_on_parts_or_padding() {
        let examples = [3usize, 7, 2].map(|n| Encoded { ids: vec![1; n], type_ids: vec![0; n], label: None });
        let whole = Batch::new(&examples);
        let draw = |batch: &Batch| -> Vec<Vec<Vec<f32>>> {
            let mask = Dropout::new(3, 5).attention(1, 0.5, batch, (2, 16), &Device::Cpu);
            let mask = mask.expect("a mask").expect("a rate").flatten_to(1).expect("joined");
            mask.to_vec3().expect("numbers")
        };
        let (all, last) = (draw(&whole), draw(&whole.parts(1, 1)[2]));
        for head in 0..2 {
            for query in 0..2 {
                assert_eq!(all[4 + head][query][..2], last[head][query][..2]);
                assert_eq!(all[4 + head][query][2..], [0.0; 5]);
            }
        }
    }
}
