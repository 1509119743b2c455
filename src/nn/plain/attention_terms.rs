//! What the attention of a layer adds to its scores, and the rotations of queries and keys.

use super::padding::Padding;
use super::rows;
use crate::nn::config::{LayerAttention, ModelConfig};
use crate::nn::relative_positions::relative_buckets;
use crate::nn::rotary::RotaryTable;
use candle_core::{D, Device, Result, Tensor};

/// What the layers of a model need, for each kind of layer.
pub(super) struct AttentionTerms(Vec<(LayerAttention, LayerTerms)>);

/// What a layer needs.
pub(super) struct LayerTerms {
    /// Added to the attention scores: 0 for tokens, a large negative number for those that a query does not attend to,
    /// and the bias of relative positions. Broadcast to (examples, heads, longest, longest).
    pub(super) mask: Tensor,
    /// cos and sin of the rotations of queries and keys: (longest, head size / 2) each
    rotation: Option<[Tensor; 2]>,
}

impl AttentionTerms {
    /// The terms of all layers for a batch. `relative_bias` is (buckets, heads).
    pub(super) fn new(
        config: &ModelConfig,
        padding: &Padding,
        relative_bias: Option<&Tensor>,
        device: &Device,
    ) -> Result<Self> {
        let mut mask = padding.mask.clone();
        if let Some(table) = relative_bias {
            mask = mask.broadcast_add(&bias_of_pairs(table, padding.longest)?)?;
        }
        let mut terms: Vec<(LayerAttention, LayerTerms)> = Vec::new();
        for layer in (0..config.layers).map(|layer| config.layer_attention(layer)) {
            if !terms.iter().any(|(kind, _)| *kind == layer) {
                let sizes = (padding.longest, config.head_size());
                terms.push((layer, LayerTerms::new(layer, &mask, sizes, device)?));
            }
        }
        Ok(AttentionTerms(terms))
    }

    /// The terms of a layer.
    pub(super) fn of(&self, layer: LayerAttention) -> Result<&LayerTerms> {
        let found = self.0.iter().find(|(kind, _)| *kind == layer).map(|(_, terms)| terms);
        found.ok_or_else(|| candle_core::Error::Msg("a layer without attention terms".into()))
    }
}

impl LayerTerms {
    fn new(
        LayerAttention { window, rope_theta }: LayerAttention,
        mask: &Tensor,
        (longest, head_size): (usize, usize),
        device: &Device,
    ) -> Result<Self> {
        let mask = match window {
            Some(window) => mask.broadcast_add(&window_mask(window, longest, device)?)?,
            None => mask.clone(),
        };
        let rotation = rope_theta
            .map(|theta| {
                let RotaryTable { cos, sin } = RotaryTable::new(theta, longest, head_size);
                let tensor = |values| Tensor::from_vec(values, (longest, head_size / 2), device);
                Ok::<_, candle_core::Error>([tensor(cos)?, tensor(sin)?])
            })
            .transpose()?;
        Ok(LayerTerms { mask, rotation })
    }

    /// Rotates the halves of each head against each other: (examples, heads, longest, head size)
    pub(super) fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let Some([cos, sin]) = &self.rotation else { return Ok(x.clone()) };
        let half = x.dim(D::Minus1)? / 2;
        let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let first = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
        let second = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
        Tensor::cat(&[first, second], D::Minus1)
    }
}

/// 0 for pairs of positions within the window, a large negative number for others: (1, 1, longest, longest)
fn window_mask(window: usize, longest: usize, device: &Device) -> Result<Tensor> {
    let term = |query: usize, key: usize| if query.abs_diff(key) <= window { 0.0 } else { f32::MIN / 2.0 };
    let terms: Vec<f32> =
        (0..longest).flat_map(|query| (0..longest).map(move |key| term(query, key))).collect();
    Tensor::from_vec(terms, (1, 1, longest, longest), device)
}

/// The bias of each pair of positions, from the rows of its bucket: (buckets, heads) → (1, heads, longest, longest)
fn bias_of_pairs(table: &Tensor, longest: usize) -> Result<Tensor> {
    let buckets = relative_buckets(longest);
    // The distance key − query is entry `key - query + longest - 1`.
    let pairs = (0..longest).flat_map(|query| &buckets[longest - 1 - query..2 * longest - 1 - query]);
    let pairs: Vec<u32> = pairs.copied().collect();
    let heads = table.dim(1)?;
    rows::small_embedding(table, &pairs)?.t()?.contiguous()?.reshape((1, heads, longest, longest))
}
