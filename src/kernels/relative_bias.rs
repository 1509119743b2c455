//! Attention scores that depend on the distance between query and key.

use super::Fma;

/// A number that is added to the scaled scores, for each head and bucket of distances.
#[derive(Debug, Clone, Copy)]
pub struct RelativeBias<'a> {
    /// (buckets, heads)
    pub table: &'a [f32],
    /// The bucket of each distance, key minus query; an odd number of them, that of distance 0 in the middle.
    pub buckets: &'a [u32],
    /// Number of heads.
    pub heads: usize,
}

impl RelativeBias<'_> {
    /// The index in the table of each of the first `keys` keys, for the query at that position of its example.
    #[inline(always)]
    fn indices(&self, query: usize, keys: usize, head: usize) -> impl Iterator<Item = usize> {
        let first = self.buckets.len() / 2 - query;
        let heads = self.heads;
        self.buckets[first..first + keys].iter().map(move |bucket| *bucket as usize * heads + head)
    }

    /// Replaces the first `keys` scores of a query by scale · score + bias.
    #[inline(always)]
    pub(crate) fn add<F: Fma>(
        &self,
        (query, keys): (usize, usize),
        head: usize,
        scale: f32,
        scores: &mut [f32],
    ) {
        for (score, index) in scores.iter_mut().zip(self.indices(query, keys, head)) {
            *score = F::fma(*score, scale, self.table[index]);
        }
    }

    /// The backward pass of [`RelativeBias::add`]: adds the gradient of the scores `d` to that of the table, `d_table`,
    /// and multiplies it by `scale`.
    #[inline(always)]
    pub(crate) fn add_backward(
        &self,
        (query, keys): (usize, usize),
        head: usize,
        scale: f32,
        d: &mut [f32],
        d_table: &mut [f32],
    ) {
        for (d, index) in d.iter_mut().zip(self.indices(query, keys, head)) {
            d_table[index] += *d;
            *d *= scale;
        }
    }
}
