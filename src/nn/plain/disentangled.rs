//! The products with relative positions that disentangled attention adds to its scores (He et al. 2020,
//! <https://arxiv.org/abs/2006.03654>), by autograd.

use super::dropout::apply_to_rows;
use super::ops::{LayerNorm, Linear};
use super::rows::small_embedding;
use crate::nn::architecture::{Disentangled, PositionTerms, RelativeSpan};
use candle_core::{Result, Tensor};
use kernels::dropout::Dropout;

/// The embeddings of relative positions of a model.
pub(super) struct RelativeEmbeddings {
    pub(super) settings: Disentangled,
    /// (rows, hidden)
    pub(super) table: Tensor,
    pub(super) norm: Option<LayerNorm>,
}

impl RelativeEmbeddings {
    /// The products of a layer with relative positions: (examples, heads, longest, longest). `query` and `key` are (examples,
    /// heads, longest, head size), the projections are those of position queries and position keys, and `masks` are the
    /// dropout of the embeddings, its site and its rate.
    pub(super) fn scores(
        &self,
        (query, key): (&Tensor, &Tensor),
        (query_projection, key_projection): (&Linear, &Linear),
        masks: Option<(Dropout, u32, f64)>,
    ) -> Result<Tensor> {
        let Disentangled { terms, span, .. } = self.settings;
        let mut embeddings = match &self.norm {
            Some(norm) => norm.forward(&self.table)?,
            None => self.table.clone(),
        };
        if let Some((masks, site, rate)) = masks {
            embeddings = apply_to_rows(masks, &embeddings, site, rate, 0)?;
        }
        let c2p = || content_to_position(query, &key_projection.forward(&embeddings)?, span);
        let p2c = || position_to_content(key, &query_projection.forward(&embeddings)?, span);
        match terms {
            PositionTerms::C2p => c2p(),
            PositionTerms::P2c => p2c(),
            PositionTerms::Both => c2p()? + p2c()?,
        }
    }
}

/// Content to position, entry (i, j) = `query`ᵢ · `position_keys` of the distance of i and j. `query` is (examples, heads,
/// longest, head size), `position_keys` (rows, hidden): (examples, heads, longest, longest)
fn content_to_position(query: &Tensor, position_keys: &Tensor, span: RelativeSpan) -> Result<Tensor> {
    distance_products(query, position_keys, |distance| span.row(-distance))
}

/// Position to content, entry (i, j) = `key`ⱼ · `position_queries` of the distance of i and j; shapes as in
/// [`content_to_position`].
fn position_to_content(key: &Tensor, position_queries: &Tensor, span: RelativeSpan) -> Result<Tensor> {
    distance_products(key, position_queries, |distance| span.row(distance))?.transpose(2, 3)?.contiguous()
}

/// Entry (a, b) = xₐ · the row of the distance b - a of `positions`.
fn distance_products(x: &Tensor, positions: &Tensor, row: impl Fn(i64) -> usize) -> Result<Tensor> {
    let (examples, heads, longest, head_size) = x.dims4()?;
    // The last distance does not occur; it makes the rows of the products long enough to shift them.
    let distances = 1 - longest as i64..=longest as i64;
    let rows: Vec<u32> = distances.map(|distance| row(distance) as u32).collect();
    let columns = rows.len();
    let positions = small_embedding(positions, &rows)?.reshape((columns, heads, head_size))?;
    let positions = positions.permute((1, 2, 0))?.contiguous()?.unsqueeze(0)?; // (1, heads, head size, columns)
    let products = x.broadcast_matmul(&positions)?; // (examples, heads, longest, columns)
    // Entry (a, b) is in column b - a + longest - 1, which is b in rows that are shorter by one.
    let shifted = products.reshape((examples, heads, longest * columns))?;
    let shifted = shifted.narrow(2, longest - 1, longest * (columns - 1))?;
    shifted.reshape((examples, heads, longest, columns - 1))?.narrow(3, 0, longest)?.contiguous()
}
