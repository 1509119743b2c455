//! What a shard works with: the verbs that keep something between calls, and buffers that layers use one
//! after the other.
//!
//! Buffers grow to the largest batch and stay; every number in use is written before it is read.

use super::kernels::attention::Attention;
use super::kernels::product::Products;

/// Tools and buffers of a shard.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) products: Products,
    pub(super) attention: Attention,
    /// (T, H)
    pub(super) states: Vec<f32>,
    /// (T, I)
    pub(super) inner: Vec<f32>,
    /// (T, H)
    pub(super) queries: Vec<f32>,
    /// (T, 2H)
    pub(super) keys_values: Vec<f32>,
    /// The gradient on its way down, and room for the next: (T, H) each.
    pub(super) down: [Vec<f32>; 2],
}

impl Work {
    pub(super) fn new(products: Products) -> Self {
        Work {
            products,
            attention: Attention::default(),
            states: Vec::new(),
            inner: Vec::new(),
            queries: Vec::new(),
            keys_values: Vec::new(),
            down: [Vec::new(), Vec::new()],
        }
    }

    /// Numbers of each buffer for `t` tokens, in the order of [`Work::fit`].
    pub(super) fn lengths((t, h, i): (usize, usize, usize)) -> [usize; 6] {
        [t * h, t * i, t * h, t * 2 * h, t * h, t * h]
    }

    /// Makes room for the way back of `t` tokens.
    pub(super) fn fit(&mut self, sizes: (usize, usize, usize)) {
        for (buffer, length) in self.buffers().into_iter().zip(Self::lengths(sizes)) {
            buffer.resize(length, 0.0);
        }
    }

    /// In the order of [`Work::lengths`].
    pub(super) fn buffers(&mut self) -> [&mut Vec<f32>; 6] {
        let Work { states, inner, queries, keys_values, down: [one, other], .. } = self;
        [states, inner, queries, keys_values, one, other]
    }
}
