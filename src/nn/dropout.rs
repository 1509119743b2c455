//! Dropout masks, each number addressed by its place in the model, so that they can be drawn in
//! any order, in parts, and by any engine.
//!
//! # Numbering
//!
//! The stream is `Stream::Dropout` of the seed. The major coordinate is the step; the minor one is
//! the *site*: 0 after the embeddings; `1 + 3 layer` the attention probabilities, `2 + 3 layer` the
//! attention output (BERT only), `3 + 3 layer` the feed-forward output; `1 + 3 layers` before the
//! classifier. A block is four words, and so eight numbers of 16 bits: number `4 h + w` of a block is the
//! low half of word `w` for `h = 0`, the high half for `h = 1`.
//!
//! - Number `i` of token states is at `(first_token + token) * hidden + h`, and before the classifier at
//!   `(first_example + example) * hidden + h`. Each 128 of them come from 16 blocks, as vectors take them:
//!   number `64 h + 16 w + b` is number `4 h + w` of block `b`.
//! - Those of attention come from blocks `((first_token + query token) * heads + head) * blocks + key / 8`,
//!   with `blocks` an eighth of the longest input, rounded up; key `k` is number `k % 8` there.
//!
//! A value is dropped when its number is below `rate * 2¹⁶`, and multiplied by `1 / (1 - rate)` else.

use crate::rng::{LANES, Rng, Stream};

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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    dropout: Dropout,
    number: u32,
    /// In the high half of a word.
    threshold: u32,
    /// What a kept value is multiplied by.
    pub(crate) kept: f32,
}

impl Dropout {
    pub(crate) fn new(seed: u64, step: u64) -> Self {
        Dropout { rng: Rng::new(seed, Stream::Dropout), step: step as u32 }
    }

    /// The masks of a site, or none when nothing is dropped there.
    pub(crate) fn site(self, number: u32, rate: f64) -> Option<Site> {
        (rate > 0.0).then(|| Site { dropout: self, number, threshold: threshold(rate), kept: kept(rate) })
    }
}

/// What a word is below, in its high half, when it drops a value.
pub(crate) fn threshold(rate: f64) -> u32 {
    ((rate * 2f64.powi(16)).round() as u32) << 16
}

/// What a kept value is multiplied by.
pub(crate) fn kept(rate: f64) -> f32 {
    (1.0 / (1.0 - rate)) as f32
}

/// Numbers that are drawn at once.
const SHEET: usize = 8 * LANES;

/// Numbers of a block.
const BLOCK: usize = 8;

impl Site {
    /// Numbers `first..` of token states: what values there are multiplied by.
    #[inline(always)]
    pub(crate) fn fill(&self, first: u64, out: &mut [f32]) {
        let mut sheet = first / SHEET as u64;
        let mut skipped = (first % SHEET as u64) as usize;
        let mut out = out;
        while !out.is_empty() {
            let factors = self.sheet(sheet);
            let (now, later) = out.split_at_mut(out.len().min(SHEET - skipped));
            now.copy_from_slice(&factors[skipped..skipped + now.len()]);
            out = later;
            sheet += 1;
            skipped = 0;
        }
    }

    #[inline(always)]
    fn sheet(&self, number: u64) -> [f32; SHEET] {
        let words = self.words(std::array::from_fn(|lane| number * LANES as u64 + lane as u64));
        let mut factors = [0.0; SHEET];
        for half in 0..2 {
            for word in 0..4 {
                for lane in 0..LANES {
                    let is_kept = self.is_kept(words[word][lane], half);
                    factors[(4 * half + word) * LANES + lane] = if is_kept { self.kept } else { 0.0 };
                }
            }
        }
        factors
    }

    /// Which of `keys` probabilities are kept, for each of `rows` (see [`row`]): in `bits`, as many bytes a
    /// row as [`row_bytes`] says, the first key in the lowest bit.
    #[inline(always)]
    pub(crate) fn keep(&self, rows: &[u64], keys: usize, max_positions: usize, bits: &mut Vec<u8>) {
        let bytes = row_bytes(keys);
        let row_blocks = max_positions.div_ceil(BLOCK) as u64;
        bits.resize(rows.len() * bytes, 0);
        for (number, bits) in bits.chunks_mut(LANES).enumerate() {
            let block = |lane: usize| {
                // What is beyond the end is drawn and left alone.
                let at = (number * LANES + lane).min(rows.len() * bytes - 1);
                rows[at / bytes] * row_blocks + (at % bytes) as u64
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

    #[inline(always)]
    fn words(&self, blocks: [u64; LANES]) -> [[u32; LANES]; 4] {
        self.dropout.rng.blocks(self.dropout.step, self.number, blocks)
    }

    /// Of one half of a word: the low one, or the high one.
    #[inline(always)]
    fn is_kept(&self, word: u32, half: usize) -> bool {
        word << (16 * (1 - half)) >= self.threshold
    }
}

/// Bytes that say for `keys` probabilities which are kept: whole vectors of them.
pub(crate) fn row_bytes(keys: usize) -> usize {
    keys.div_ceil(LANES) * LANES / BLOCK
}

/// Where the numbers of a token's state begin.
#[inline(always)]
pub(crate) fn state(row: usize, width: usize) -> u64 {
    (row * width) as u64
}

/// The row of a query's attention probabilities.
#[inline(always)]
pub(crate) fn row(token: usize, (head, heads): (usize, usize)) -> u64 {
    (token * heads + head) as u64
}
