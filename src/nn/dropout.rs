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
        let threshold = (rate * 2f64.powi(32)) as u32;
        (rate > 0.0).then(|| Site { dropout: self, number, threshold, kept: (1.0 / (1.0 - rate)) as f32 })
    }
}

impl Site {
    /// Numbers `first..` of the site: what values there are multiplied by.
    #[inline(always)]
    pub(crate) fn fill(&self, first: u64, out: &mut [f32]) {
        let mut block = first / 4;
        let skipped = (first % 4) as usize;
        let head = if skipped == 0 { 0 } else { out.len().min(4 - skipped) };
        let (head, rest) = out.split_at_mut(head);
        if !head.is_empty() {
            let words = self.dropout.rng.block(self.dropout.step, self.number, block);
            for (value, word) in head.iter_mut().zip(&words[skipped..]) {
                *value = self.factor(*word);
            }
            block += 1;
        }
        for out in rest.chunks_mut(4 * LANES) {
            let words = self.dropout.rng.blocks(self.dropout.step, self.number, block);
            block += LANES as u64;
            let mut factors = [0.0; 4 * LANES];
            for lane in 0..LANES {
                for word in 0..4 {
                    factors[4 * lane + word] = self.factor(words[word][lane]);
                }
            }
            out.copy_from_slice(&factors[..out.len()]);
        }
    }

    #[inline(always)]
    fn factor(&self, word: u32) -> f32 {
        if word < self.threshold { 0.0 } else { self.kept }
    }
}

/// Where the numbers of a token's state begin.
#[inline(always)]
pub(crate) fn state(row: usize, width: usize) -> u64 {
    (row * width) as u64
}

/// Where the numbers of a query's attention probabilities begin.
#[inline(always)]
pub(crate) fn probabilities(token: usize, (head, heads): (usize, usize), max_positions: usize) -> u64 {
    ((token * heads + head) * max_positions) as u64
}
