//! One encoder layer, forward and backward, over the operations of an engine (Vaswani et al. 2017,
//! <https://arxiv.org/abs/1706.03762>), with the LayerNorms after each residual connection or before attention and
//! feed-forward network ([`NormPosition`]).
//!
//! Shapes: T tokens, R rows that the layer outputs (R = T but in the last layer, which computes the first token of each
//! example if the head uses no other), H hidden size, I intermediate size, U = I or, with gates, 2 I. Weights are (outputs, inputs), as PyTorch stores them. ⊙ is the
//! element-wise product, mask a dropout mask with its factor 1 / (1 − p). `d_x` is the gradient of the loss with respect
//! to `x`.

use super::architecture::{DropoutSite, NormPosition};
use super::config::ModelConfig;
use Buffer::{
    AttnIn, Context, D, DAttnIn, DContext, DFfn, DFfnOut, DLn1Out, DPreAct, DProj, FfnAct, FfnOut, Ln1Out,
    Out, PreAct, Proj, X, XRows,
};
use Matrix::{AttentionOut, Down, Up};
use kernels::dropout;

/// A buffer of a layer, with one meaning. An engine may keep several in the same memory if no step needs both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buffer {
    /// The input of the layer: (T, H)
    X,
    /// The rows of the input that the layer computes an output for: (R, H)
    XRows,
    /// Input of queries, keys and values: `X`, or its LayerNorm with pre-norm: (T, H)
    AttnIn,
    /// Its output rows: (R, H)
    AttnInRows,
    /// Output of the attention, before its projection: (R, H)
    Context,
    /// Projected output of the attention, without bias: (R, H)
    Proj,
    /// Input of the feed-forward network, the output of a LayerNorm: (R, H)
    Ln1Out,
    /// Input of the activation function and gates, without bias: (R, U)
    PreAct,
    /// Output of the activation function and gates: (R, I)
    FfnAct,
    /// Output of the feed-forward network, without bias: (R, H)
    FfnOut,
    /// Output of the layer; with pre-norm, also the sum after attention before: (R, H)
    Out,
    /// The gradient of the residual stream: of `Out`, of `Ln1Out`, and of what is normalized: (R, H)
    D,
    /// Gradient of `FfnOut`: (R, H)
    DFfnOut,
    /// Gradient of `FfnAct`: (R, I)
    DFfn,
    /// Gradient of `PreAct`: (R, U)
    DPreAct,
    /// Gradient of `Ln1Out` with pre-norm: (R, H)
    DLn1Out,
    /// Gradient of `Proj`: (R, H)
    DProj,
    /// Gradient of `Context`: (R, H)
    DContext,
    /// Gradient of `AttnIn`, then of `X`: (T, H)
    DAttnIn,
}

/// A matrix of a layer, except those of queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matrix {
    /// Wo: (H, H)
    AttentionOut,
    /// Wup: (U, H)
    Up,
    /// Wdown: (H, I)
    Down,
}

impl Matrix {
    /// Number of columns.
    pub(crate) fn inputs(self, config: &ModelConfig) -> usize {
        match self {
            AttentionOut | Up => config.hidden,
            Down => config.intermediate,
        }
    }
}

/// A LayerNorm of a layer, with the bias and the dropout of what is added to its residual connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Norm {
    /// After the attention, or before it.
    Attention,
    /// After the feed-forward network, or before it.
    Output,
}

impl Norm {
    /// The dropout of what is added to the residual connection of layer `index`: the number of its masks, and its site.
    pub(crate) fn dropout(self, index: usize) -> (u32, DropoutSite) {
        match self {
            Norm::Attention => (dropout::attention_output(index), DropoutSite::AttentionOutput),
            Norm::Output => (dropout::feed_forward(index), DropoutSite::FeedForward),
        }
    }
}

/// What becomes of the earlier content of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// It is overwritten.
    Write,
    /// The result is added to it.
    Add,
}

/// The operations of a layer, which know its parameters and where its buffers are.
pub(crate) trait LayerOps {
    /// Why an operation can fail.
    type Error;

    /// Where the LayerNorms of the layer are.
    fn norm_position(&self) -> NormPosition;

    /// Whether a LayerNorm precedes attention.
    fn has_norm_before_attention(&self) -> bool;

    /// q (R, H) = AttnInRows Wqᵀ, k and v (T, H) = AttnIn Wkᵀ, AttnIn Wvᵀ, without biases. Fills `XRows` and
    /// `AttnInRows`.
    fn project_qkv(&mut self) -> Result<(), Self::Error>;

    /// Context = dropout(softmax((q + bq) (k + bk)ᵀ / √head_size + bias)) (v + bv). Disentangled attention adds products with
    /// relative positions to (q + bq) (k + bk)ᵀ, and divides by √(head_size · number of products).
    fn attention(&mut self) -> Result<(), Self::Error>;

    /// y = x Wᵀ
    fn linear(&mut self, y: Buffer, x: Buffer, weight: Matrix) -> Result<(), Self::Error>;

    /// y = LayerNorm(mask ⊙ (x + bias) + residual). Consumes `x`.
    fn add_norm(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Self::Error>;

    /// y = LayerNorm(x)
    fn norm(&mut self, norm: Norm, x: Buffer, y: Buffer) -> Result<(), Self::Error>;

    /// y = mask ⊙ (x + bias) + residual, with the bias and the mask of what is added after the norm's layers. `residual`
    /// may be `y`.
    fn add(&mut self, norm: Norm, x: Buffer, residual: Buffer, y: Buffer) -> Result<(), Self::Error>;

    /// FfnAct = f(PreAct + bup), or mask ⊙ f(a) ⊙ g for the halves a and g of PreAct + bup. Consumes `PreAct`.
    fn activate(&mut self) -> Result<(), Self::Error>;

    /// The backward pass of [`LayerOps::add_norm`]: `D` becomes the gradient of the sum that is normalized,
    /// d_x = mask ⊙ D. Adds to the gradients of norm and bias.
    fn add_norm_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Self::Error>;

    /// The backward pass of [`LayerOps::norm`]: `d` becomes the gradient of its input. Adds to the gradients of the norm.
    fn norm_backward(&mut self, norm: Norm, d: Buffer) -> Result<(), Self::Error>;

    /// The backward pass of [`LayerOps::add`]: d_x = mask ⊙ D. Adds to the gradient of the bias.
    fn add_backward(&mut self, norm: Norm, d_x: Buffer) -> Result<(), Self::Error>;

    /// The output rows of `sum` += x (R, H)
    fn add_rows(&mut self, sum: Buffer, x: Buffer) -> Result<(), Self::Error>;

    /// d_W = d_yᵀ x, of [`LayerOps::linear`]. An engine that computes it for all parts of a batch at once takes note of
    /// the operands, which it leaves as they are until then.
    fn weight_grad(&mut self, weight: Matrix, d_y: Buffer, x: Buffer) -> Result<(), Self::Error>;

    /// d_x = d_y W, of [`LayerOps::linear`], written or added.
    fn input_grad(
        &mut self,
        d_x: Buffer,
        d_y: Buffer,
        weight: Matrix,
        store: Store,
    ) -> Result<(), Self::Error>;

    /// DPreAct = DFfn ⊙ f'(PreAct + bup), or the gradients of both halves with gates. d_bup += Σ_rows DPreAct
    fn activation_backward(&mut self) -> Result<(), Self::Error>;

    /// From `DContext` to d_q (R, H), d_k and d_v (T, H), and the gradients of their biases.
    fn attention_backward(&mut self) -> Result<(), Self::Error>;

    /// The gradient of `AttnIn`, (T, H): d_q Wq on the output rows + d_k Wk + d_v Wv, and with [`Store::Add`] + D on the
    /// output rows. The gradients of these matrices as in [`LayerOps::weight_grad`].
    fn qkv_backward(&mut self, store: Store) -> Result<(), Self::Error>;
}

/// Computes `Out` from `X`.
pub(crate) fn forward<O: LayerOps>(ops: &mut O) -> Result<(), O::Error> {
    let norm_position = ops.norm_position();

    // Self-attention.
    if ops.has_norm_before_attention() {
        ops.norm(Norm::Attention, X, AttnIn)?; //                 (T, H)  AttnIn = LayerNorm(X)
    }
    ops.project_qkv()?; //                                        q (R, H), k and v (T, H)
    ops.attention()?; //                                          (R, H)  Context
    ops.linear(Proj, Context, AttentionOut)?; //                  (R, H)  Proj = Context Woᵀ
    match norm_position {
        NormPosition::Post => {
            ops.add_norm(Norm::Attention, Proj, XRows, Ln1Out)?; // (R, H)  Ln1Out = LayerNorm(mask ⊙ (Proj + bo) + XRows)
        }
        NormPosition::Pre => {
            ops.add(Norm::Attention, Proj, XRows, Out)?; //       (R, H)  Out = mask ⊙ (Proj + bo) + XRows
            ops.norm(Norm::Output, Out, Ln1Out)?; //              (R, H)  Ln1Out = LayerNorm(Out)
        }
    }

    // Feed-forward network.
    ops.linear(PreAct, Ln1Out, Up)?; //                           (R, U)  PreAct = Ln1Out Wupᵀ
    ops.activate()?; //                                           (R, I)  FfnAct = f(PreAct + bup), with gates or without
    ops.linear(FfnOut, FfnAct, Down)?; //                         (R, H)  FfnOut = FfnAct Wdownᵀ
    match norm_position {
        NormPosition::Post => ops.add_norm(Norm::Output, FfnOut, Ln1Out, Out), // LayerNorm(mask ⊙ (FfnOut + bdown) + Ln1Out)
        NormPosition::Pre => ops.add(Norm::Output, FfnOut, Out, Out), //          mask ⊙ (FfnOut + bdown) + Out
    }
}

/// The backward pass of [`forward`]: from the gradient of `Out` in `D` to that of `X`, with the gradients of all
/// parameters.
pub(crate) fn backward<O: LayerOps>(ops: &mut O) -> Result<(), O::Error> {
    let norm_position = ops.norm_position();

    // Feed-forward network.
    match norm_position {
        NormPosition::Post => ops.add_norm_backward(Norm::Output, DFfnOut)?, // (R, H)  DFfnOut = mask ⊙ D
        NormPosition::Pre => ops.add_backward(Norm::Output, DFfnOut)?, //       (R, H)  DFfnOut = mask ⊙ D
    }
    ops.weight_grad(Down, DFfnOut, FfnAct)?; //                   (H, I)  d_Wdown = DFfnOutᵀ FfnAct
    ops.input_grad(DFfn, DFfnOut, Down, Store::Write)?; //        (R, I)  DFfn = DFfnOut Wdown
    ops.activation_backward()?; //                                (R, U)  DPreAct = DFfn ⊙ f'
    ops.weight_grad(Up, DPreAct, Ln1Out)?; //                     (U, H)  d_Wup = DPreActᵀ Ln1Out
    match norm_position {
        NormPosition::Post => {
            ops.input_grad(D, DPreAct, Up, Store::Add)?; //       (R, H)  D ← D + DPreAct Wup, the gradient of Ln1Out
            ops.add_norm_backward(Norm::Attention, DProj)?; //    (R, H)  DProj = mask ⊙ D
        }
        NormPosition::Pre => {
            ops.input_grad(DLn1Out, DPreAct, Up, Store::Write)?; // (R, H)  DLn1Out = DPreAct Wup
            ops.norm_backward(Norm::Output, DLn1Out)?;
            ops.add_rows(D, DLn1Out)?; //                         (R, H)  D, the gradient of the sum after attention
            ops.add_backward(Norm::Attention, DProj)?; //         (R, H)  DProj = mask ⊙ D
        }
    }

    // Self-attention.
    ops.weight_grad(AttentionOut, DProj, Context)?; //            (H, H)  d_Wo = DProjᵀ Context
    ops.input_grad(DContext, DProj, AttentionOut, Store::Write)?; // (R, H)  DContext = DProj Wo
    ops.attention_backward()?; //                                 d_q (R, H), d_k and d_v (T, H)
    if !ops.has_norm_before_attention() {
        return ops.qkv_backward(Store::Add); //                   (T, H)  the gradient of X
    }
    ops.qkv_backward(Store::Write)?; //                           (T, H)  DAttnIn
    ops.norm_backward(Norm::Attention, DAttnIn)?;
    ops.add_rows(DAttnIn, D) //                                   (T, H)  the gradient of X
}
