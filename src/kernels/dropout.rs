//! Dropout masks from a counter-based random number generator. Each mask value depends only on the seed, the step
//! and its position in the model, so engines, threads and micro-batches all draw the same masks in any order.
//!
//! # Numbering
//!
//! Random numbers come from `Stream::Dropout` of the seed. The major coordinate is the step; the minor one is the
//! *site*: 0 after the embeddings; `1 + 3 layer` for the attention probabilities, `2 + 3 layer` for the attention
//! output, `3 + 3 layer` for the feed-forward output; `1 + 3 layers` before the classifier; `2 + 3 layers` before the
//! pooler; `3 + 3 layers + layer` within the feed-forward network;
//! `3 + 4 layers + layer` for the embeddings of relative positions. A block of the generator has four 32-bit words and gives eight 16-bit numbers: number `4 h + w` of a block is
//! the low half of word `w` for `h = 0` and the high half for `h = 1`.
//!
//! - Element `h` of a token's state of width `width` uses number `(first_token + token) * width + h`; before pooler and
//!   classifier, `(first_example + example) * width + h`; of relative positions, `row * width + h`. Each group of 128 consecutive numbers comes from 16 blocks, ordered
//!   for vector instructions: number `64 h + 16 w + b` of the group is number `4 h + w` of block `b`.
//! - Attention probabilities use the blocks `((first_token + query token) * heads + head) * n + key / 8`, where `n`
//!   is the maximum input length divided by 8, rounded up. Key `k` uses number `k % 8` of its block.
//!
//! A value is dropped if its number is below `rate * 2¹⁶`. Other values are multiplied by `1 / (1 - rate)`.

use crate::rng::{LANES, Rng, Stream};
use std::ops::Range;

/// The site after the embeddings.
pub const EMBEDDINGS: u32 = 0;

/// The site of a layer's attention probabilities.
pub fn attention(layer: usize) -> u32 {
    1 + 3 * layer as u32
}

/// The site of a layer's attention output.
pub fn attention_output(layer: usize) -> u32 {
    2 + 3 * layer as u32
}

/// The site of a layer's feed-forward output.
pub fn feed_forward(layer: usize) -> u32 {
    3 + 3 * layer as u32
}

/// The site before the classifier of a model with `layers` layers.
pub fn classifier(layers: usize) -> u32 {
    1 + 3 * layers as u32
}

/// The site before the pooler of a model with `layers` layers.
pub fn pooler(layers: usize) -> u32 {
    2 + 3 * layers as u32
}

/// The site within a layer's feed-forward network, in a model with `layers` layers.
pub fn activation(layers: usize, layer: usize) -> u32 {
    3 + 3 * layers as u32 + layer as u32
}

/// The site of the embeddings of relative positions in a layer, in a model with `layers` layers.
pub fn relative_embeddings(layers: usize, layer: usize) -> u32 {
    3 + 4 * layers as u32 + layer as u32
}

/// The dropout masks of one step.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    rng: Rng,
    step: u32,
}

/// The dropout masks of one step at one site.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    dropout: Dropout,
    number: u32,
    /// Values with a 16-bit number below it are dropped; stored in the high half of the word.
    threshold: u32,
    /// Factor of the values that are not dropped: 1 / (1 − rate).
    pub scale: f32,
}

impl Dropout {
    /// The masks of `step` of a training with `seed`.
    pub fn new(seed: u64, step: u64) -> Self {
        Dropout { rng: Rng::new(seed, Stream::Dropout), step: step as u32 }
    }

    /// The masks of a site; `None` if the rate is 0.
    pub fn site(self, number: u32, rate: f64) -> Option<Site> {
        (rate > 0.0).then(|| Site {
            dropout: self,
            number,
            threshold: threshold(rate),
            scale: keep_scale(rate),
        })
    }
}

/// A site as a kernel knows it.
#[derive(Debug, Clone, Copy)]
pub struct KernelSite {
    /// Philox key.
    pub key: (u32, u32),
    /// Major coordinate of the numbers.
    pub step: u32,
    /// Number of the site, the minor coordinate.
    pub number: u32,
    /// Values with a 16-bit number below it are dropped; stored in the high half of the word.
    pub threshold: u32,
    /// Factor of the values that are not dropped.
    pub scale: f32,
}

/// Values whose number, in the high half of a word, is below this are dropped.
pub fn threshold(rate: f64) -> u32 {
    ((rate * 2f64.powi(16)).round() as u32) << 16
}

/// Factor of the values that are not dropped.
pub fn keep_scale(rate: f64) -> f32 {
    (1.0 / (1.0 - rate)) as f32
}

/// Numbers that are drawn together, by one vector operation.
const GROUP: usize = 8 * LANES;

/// Numbers of a block of the generator.
const BLOCK: usize = 8;

impl Site {
    /// Writes the mask factors of the hidden-state numbers from `first` on: 0 or `scale`.
    #[inline(always)]
    pub fn fill(&self, first: u64, out: &mut [f32]) {
        let mut group = first / GROUP as u64;
        let mut offset = (first % GROUP as u64) as usize;
        let mut out = out;
        while !out.is_empty() {
            let factors = self.group(group);
            let (head, rest) = out.split_at_mut(out.len().min(GROUP - offset));
            head.copy_from_slice(&factors[offset..offset + head.len()]);
            out = rest;
            group += 1;
            offset = 0;
        }
    }

    /// The mask factors of group `index`.
    #[inline(always)]
    fn group(&self, index: u64) -> [f32; GROUP] {
        let words = self.words(std::array::from_fn(|lane| index * LANES as u64 + lane as u64));
        let mut factors = [0.0; GROUP];
        for half in 0..2 {
            for word in 0..4 {
                for lane in 0..LANES {
                    let is_kept = self.is_kept(words[word][lane], half);
                    factors[(4 * half + word) * LANES + lane] = if is_kept { self.scale } else { 0.0 };
                }
            }
        }
        factors
    }

    /// Draws which attention probabilities are kept, for `keys` keys and each of `rows` (see [`attention_row`]).
    /// `bits` receives [`mask_row_bytes`] bytes per row, with the first key in the lowest bit; 1 means kept.
    #[inline(always)]
    pub fn keep_mask(&self, rows: &[u64], keys: usize, max_positions: usize, bits: &mut Vec<u8>) {
        self.keep_mask_of_keys(rows, 0..keys, max_positions, bits);
    }

    /// The part of [`Site::keep_mask`] for `keys`, which begin at a multiple of 8.
    #[inline(always)]
    pub fn keep_mask_of_keys(
        &self,
        rows: &[u64],
        keys: Range<usize>,
        max_positions: usize,
        bits: &mut Vec<u8>,
    ) {
        let (first, bytes) = ((keys.start / BLOCK) as u64, mask_row_bytes(keys.len()));
        let row_blocks = max_positions.div_ceil(BLOCK) as u64;
        bits.resize(rows.len() * bytes, 0);
        for (chunk, bits) in bits.chunks_mut(LANES).enumerate() {
            let block = |lane: usize| {
                // Lanes beyond the end draw a block that is not used.
                let byte = (chunk * LANES + lane).min(rows.len() * bytes - 1);
                rows[byte / bytes] * row_blocks + first + (byte % bytes) as u64
            };
            let words = self.words(std::array::from_fn(block));
            let mut kept = [0u32; LANES];
            for half in 0..2 {
                for word in 0..4 {
                    for lane in 0..LANES {
                        kept[lane] |= u32::from(self.is_kept(words[word][lane], half)) << (4 * half + word);
                    }
                }
            }
            for (bits, kept) in bits.iter_mut().zip(kept) {
                *bits = kept as u8;
            }
        }
    }

    /// What a kernel needs to draw the same masks.
    pub fn for_kernel(&self) -> KernelSite {
        let Site { dropout: Dropout { rng, step }, number, threshold, scale } = *self;
        KernelSite { key: rng.key(), step, number, threshold, scale }
    }

    /// The words of `blocks`, by word and lane.
    #[inline(always)]
    fn words(&self, blocks: [u64; LANES]) -> [[u32; LANES]; 4] {
        self.dropout.rng.blocks(self.dropout.step, self.number, blocks)
    }

    /// Whether the number in a half of a word (0: low, 1: high) keeps its value.
    #[inline(always)]
    fn is_kept(&self, word: u32, half: usize) -> bool {
        word << (16 * (1 - half)) >= self.threshold
    }
}

/// Bytes of a row of [`Site::keep_mask`] for `keys` keys, padded to whole vectors.
pub fn mask_row_bytes(keys: usize) -> usize {
    keys.div_ceil(LANES) * LANES / BLOCK
}

/// The first number of a row of hidden states.
#[inline(always)]
pub fn state_offset(row: usize, width: usize) -> u64 {
    (row * width) as u64
}

/// The row index of a query's attention probabilities.
#[inline(always)]
pub fn attention_row(token: usize, (head, heads): (usize, usize)) -> u64 {
    (token * heads + head) as u64
}
