//! The operations of a pass. Each runs a GEMM or launches a kernel: it checks the lengths of the tensors, packs the
//! arguments and chooses the grid.
//!
//! Each file here belongs to the kernel source of the same name; [`context`] has what all share. Shapes as in
//! [`super::workspace`].

mod activation;
mod attention;
mod columns;
mod context;
mod head;
mod norm;
mod optimizer;
pub(in crate::nn) mod plain;

pub(super) use attention::{Attention, AttentionGrads, MAX_HEAD_SIZE, RelativeBias};
pub(super) use columns::RotaryAngles;
pub(super) use context::{DropoutSite, Ops, Rows};
pub(super) use head::{Loss, LossFunction};
pub(super) use norm::{LayerNorm, MAX_HIDDEN, NormColumns, Residual};
pub(super) use optimizer::{
    AdamWHyperparameters, AdamWTensors, NORM_BLOCKS, exchange, update_average, weights_to_bf16,
};
