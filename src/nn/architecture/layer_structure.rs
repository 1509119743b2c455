//! What encoder layers of families differ in, beside the names of their tensors.

/// The order of the operations of a layer, and its feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerStructure {
    pub(crate) norm_position: NormPosition,
    pub(crate) feed_forward: FeedForward,
}

impl LayerStructure {
    /// The layers of BERT.
    pub(crate) const BERT: Self =
        LayerStructure { norm_position: NormPosition::Post, feed_forward: FeedForward::Plain };

    /// Width of the input of the activation function, for a network of width `intermediate`.
    pub(crate) fn up_width(self, intermediate: usize) -> usize {
        match self.feed_forward {
            FeedForward::Plain => intermediate,
            FeedForward::Gated => 2 * intermediate,
        }
    }
}

/// Where the LayerNorms of a layer are (Xiong et al. 2020, <https://arxiv.org/abs/2002.04745>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormPosition {
    /// After each residual connection.
    Post,
    /// Before attention and feed-forward network. A layer without an attention norm has a normalized input already. The
    /// output of the last layer is normalized once more.
    Pre,
}

/// The feed-forward network of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedForward {
    /// f(x Wupᵀ + bup) Wdownᵀ + bdown
    Plain,
    /// (f(a) ⊙ g) Wdownᵀ + bdown, where a and g are the halves of x Wupᵀ + bup (Shazeer 2020,
    /// <https://arxiv.org/abs/2002.05202>).
    Gated,
}

/// How the states of the tokens become the input of the pooler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// The state of the first token.
    FirstToken,
    /// The mean of the states of all tokens.
    Mean,
}
