//! Encoder architectures as data: the keys of their `config.json`, what their models compute, and the names of their
//! tensors. Engines read the data and know no family; [`families`] has a description for each.

mod description;
mod disentangled;
mod families;
mod layer_structure;
mod lookup;
mod names;
mod sharing;

pub use description::Architecture;
pub(crate) use description::{
    AttentionBias, BiasSite, DropoutSite, LayerAttentionKeys, PaddingKey, PoolerActivation, Positions,
};
#[cfg(test)]
pub(crate) use disentangled::DisentangledModules;
pub(crate) use disentangled::{
    AttentionKeys, Disentangled, PositionProjection, PositionTerms, RelativeNorm, RelativeSpan,
};
pub use families::ARCHITECTURES;
pub(crate) use families::UNSUPPORTED;
pub(crate) use layer_structure::{FeedForward, LayerStructure, NormPosition, Pooling};
pub use lookup::is_key_bias;
pub(crate) use lookup::is_output_parameter;
pub(crate) use names::{LayerNames, ModelParts, Names, Projection};
pub(crate) use sharing::LayerSharing;
