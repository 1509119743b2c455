//! The padded layout of a batch, which only attention uses.

use super::rows::RowSelection;
use crate::batch::Batch;
use candle_core::{Device, Result, Tensor};

/// Maps between concatenated tokens and the padded layout, on the device.
pub(super) struct Padding {
    pub(super) examples: usize,
    pub(super) longest: usize,
    /// Token of each padded position; the index after the last token for padding: (examples · longest)
    pub(super) token_of_position: RowSelection,
    /// Padded position of each token: (tokens)
    pub(super) position_of_token: RowSelection,
    /// Added to the attention scores: 0 for tokens, a large negative number for padding: (examples, 1, 1, longest).
    pub(super) mask: Tensor,
}

impl Padding {
    /// The padding of a batch.
    pub(super) fn new(batch: &Batch, device: &Device) -> Result<Self> {
        let (examples, longest) = (batch.len(), batch.longest());
        let mut token_of_position = vec![batch.tokens() as u32; examples * longest];
        let mut position_of_token = Vec::with_capacity(batch.tokens());
        // Far below any score but finite, so that no NaN results.
        let mut mask = vec![f32::MIN / 2.0; examples * longest];
        for (example, bounds) in batch.offsets.windows(2).enumerate() {
            for (position, token) in (bounds[0]..bounds[1]).enumerate() {
                let padded = example * longest + position;
                token_of_position[padded] = token as u32;
                position_of_token.push(padded as u32);
                mask[padded] = 0.0;
            }
        }
        Ok(Padding {
            examples,
            longest,
            token_of_position: RowSelection::new(token_of_position, batch.tokens() + 1, device)?,
            position_of_token: RowSelection::new(position_of_token, examples * longest, device)?,
            mask: Tensor::from_vec(mask, (examples, 1, 1, longest), device)?,
        })
    }
}
