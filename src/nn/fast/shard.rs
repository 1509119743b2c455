//! The forward and backward pass of a shard, a part of a batch that runs on its own threads.

mod embed;
mod head;

use super::layout::Layout;
use super::loss::Objective;
use super::model::Model;
use super::pooling::PoolState;
use super::row_selection::RowSelection;
use super::saved_norm::SavedNorm;
use super::tape::LayerTape;
use super::workspace::Workspace;
use crate::batch::Batch;
use kernels::dropout::Dropout;
use kernels::element_type::ElementType;
use kernels::embedding::alpha_grads;
use kernels::matmul::{Matmul, MatmulBackend};
use kernels::op_cost::OpCost;
use std::ops::Range;
use std::time::Instant;

/// Time of a shard by part of the model. `layers` includes matrix products and attention, which are also counted
/// in [`Workspace`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShardCosts {
    pub(super) embedding: OpCost,
    pub(super) layers: OpCost,
    pub(super) head: OpCost,
}

/// Buffers of a shard. Shapes as in [`super::layer`].
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) workspace: Workspace,
    /// For the head, which has few rows, and the projection of the embeddings; always in f32.
    f32_gemm: Matmul,
    pub(super) costs: ShardCosts,
    /// Normalized sum of the embeddings, x̂; of its projection if that is before the LayerNorm: (T, E) or (T, H)
    embedding_xhat: Vec<f32>,
    /// 1/σ of the embeddings: (T)
    embedding_rstd: Vec<f32>,
    /// Embeddings before their projection to the hidden size, normalized unless it is before the LayerNorm, and the
    /// gradient of these; empty without a projection: (T, E) each
    projected: [Vec<f32>; 2],
    /// The first layer that saves its activations for the backward pass. The layers before it share the first tape.
    first_saved: usize,
    /// The input of each layer that saves its activations, (T, H), and the output of the last layer, (R, H), see
    /// [`Shard::state`].
    hidden_states: Vec<Vec<f32>>,
    /// Of the layers from `first_saved` on.
    tapes: Vec<LayerTape>,
    /// Output rows of all layers but the last, and of the last.
    rows: [RowSelection; 2],
    pool: PoolState,
    /// Pooled states after dropout: (examples, H)
    pooler_input: Vec<f32>,
    /// Output of the pooler after its activation function: (examples, H)
    pooled: Vec<f32>,
    /// Derivative of that function: (examples, H)
    pooled_grad: Vec<f32>,
    pooler_norm: SavedNorm,
    /// The input of the classifier, after dropout: (examples, H)
    dropped: Vec<f32>,
    /// (examples, labels)
    pub(super) logits: Vec<f32>,
    /// Result of [`Shard::input_gradients`]: (T)
    pub(super) alpha_grads: Vec<f32>,
    /// Gradients of the vector parameters and of the head, laid out as the beginning of an arena.
    pub(super) vector_grads: Vec<f32>,
    pub(super) loss: f64,
}

impl Shard {
    /// A shard whose layers multiply `element_type` if the CPU supports it.
    pub(super) fn new(element_type: ElementType) -> Self {
        Shard {
            workspace: Workspace::new(Matmul::new(MatmulBackend::fastest(element_type))),
            f32_gemm: Matmul::new(MatmulBackend::fastest(ElementType::F32)),
            costs: ShardCosts::default(),
            embedding_xhat: Vec::new(),
            embedding_rstd: Vec::new(),
            projected: Default::default(),
            first_saved: 0,
            hidden_states: Vec::new(),
            tapes: Vec::new(),
            rows: Default::default(),
            pool: PoolState::default(),
            pooler_input: Vec::new(),
            pooled: Vec::new(),
            pooled_grad: Vec::new(),
            pooler_norm: SavedNorm::default(),
            dropped: Vec::new(),
            logits: Vec::new(),
            alpha_grads: Vec::new(),
            vector_grads: Vec::new(),
            loss: 0.0,
        }
    }

    /// Number of elements that the buffers of a forward and backward pass have room for.
    #[cfg(test)]
    pub(super) fn activations(&mut self, layers: usize) -> usize {
        let Workspace { relative, relative_grads, .. } = &self.workspace;
        let relative_tapes = self.tapes.iter().map(|tape| tape.relative.len()).sum::<usize>();
        let relative = relative.len() + relative_grads.len() + relative_tapes;
        let tapes = self.tapes.iter_mut().flat_map(LayerTape::buffers);
        let buffers = tapes.chain(self.workspace.grads.buffers()).map(|buffer| buffer.capacity());
        let buffers = buffers.sum::<usize>();
        // The output of the last layer is not counted: it belongs to the head, as do the logits.
        let output = self.state(layers);
        let states = self.hidden_states.iter().enumerate().filter(|(state, _)| *state != output);
        let states = states.map(|(_, state)| state.capacity()).sum::<usize>();
        let projected = self.projected.iter().chain(self.pool.buffers()).map(Vec::len).sum::<usize>();
        buffers + states + projected + relative + self.embedding_xhat.len() + self.embedding_rstd.len()
    }

    /// Sets the number of threads of a matrix product.
    pub(super) fn set_threads(&mut self, threads: usize) {
        self.workspace.matmul.threads = threads;
        self.workspace.tiled_attention.threads = threads;
        self.f32_gemm.threads = threads;
    }

    /// The gradient of each token's word embedding, after [`Shard::embed_backward`]: (T, E)
    pub(super) fn word_grads(&self) -> &[f32] {
        let [_, d_embedded] = &self.projected;
        if d_embedded.is_empty() { &self.workspace.grads.ping_pong[0] } else { d_embedded }
    }

    /// Resets the loss and the vector gradients before a step.
    pub(super) fn zero_grad(&mut self, layout: &Layout) {
        self.loss = 0.0;
        self.vector_grads.clear();
        self.vector_grads.resize(layout.vectors_len(), 0.0);
    }

    /// Computes the logits of `batch`. The layers from `first_saved` on save their activations for the backward pass. What
    /// comes before, the frozen prefix or the whole model, has no dropout.
    pub(super) fn forward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        first_saved: usize,
    ) {
        self.start(model, batch, first_saved);
        let (frozen, stored) = (model.layout.frozen, model.frozen_outputs);
        let stored_layers = stored.map_or(0, |stored| stored.layers);
        let output = self.state(stored_layers);
        if !stored.is_some_and(|stored| stored.read(batch, &mut self.hidden_states[output])) {
            self.embed(model, batch, None, dropout.filter(|_| !frozen.has_embeddings()));
            self.encode(model, 0..stored_layers, None);
            if let Some(stored) = stored {
                stored.write(batch, &self.hidden_states[output]);
            }
        }
        self.encode(model, stored_layers..frozen.layers(), None);
        self.encode(model, frozen.layers()..model.config.layers, dropout);
        self.head(model, batch, dropout);
    }

    /// Prepares the forward pass of [`Shard::forward`].
    fn start(&mut self, model: Model<'_>, batch: &Batch, first_saved: usize) {
        self.first_saved = first_saved;
        let saved = model.config.layers - first_saved;
        self.hidden_states.resize_with((saved + 1).max(2), Vec::new);
        self.tapes.resize_with(saved.max(1), LayerTape::default);
        self.rows = RowSelection::of_layers(model.config, batch);
        self.workspace.relative.forward(model, batch.longest());
    }

    /// The index in `hidden_states` of the input of a layer, or of the output of the layer before. Where nothing is saved, two
    /// alternate.
    fn state(&self, layer: usize) -> usize {
        if layer < self.first_saved { (self.first_saved - layer) % 2 } else { layer - self.first_saved }
    }

    /// The index in `tapes` of a layer.
    fn tape(&self, layer: usize) -> usize {
        layer.saturating_sub(self.first_saved)
    }

    /// Computes the logits of interpolated inputs and the derivative of the logit of `class` with respect to the
    /// alphas. `interpolation` has a baseline id and an α for each token. Overwrites the vector gradients.
    pub(super) fn input_gradients(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        interpolation: (&[u32], &[f32]),
        class: usize,
    ) {
        self.zero_grad(model.layout);
        self.start(model, batch, 0);
        self.embed(model, batch, Some(interpolation), None);
        self.encode(model, 0..model.config.layers, None);
        self.head(model, batch, None);
        self.head_backward(model, batch, None, Objective::Logit(class));
        for index in (0..model.config.layers).rev() {
            self.layer_backward(model, index, None);
        }
        self.embed_backward(model, batch, None);
        let (width, words) = (model.config.embedding_size, model.slice(&model.layout.words));
        let mut grads = std::mem::take(&mut self.alpha_grads);
        let d_words = &self.word_grads()[..batch.tokens() * width];
        alpha_grads(d_words, words, &batch.ids, interpolation.0, width, &mut grads);
        self.alpha_grads = grads;
    }

    /// The forward pass of some layers, one after the other.
    fn encode(&mut self, model: Model<'_>, layers: Range<usize>, dropout: Option<Dropout>) {
        let start = Instant::now();
        for index in layers {
            let rows = &self.rows[usize::from(index + 1 == model.config.layers)];
            let [input, output] = [index, index + 1].map(|layer| self.state(layer));
            let mut out = std::mem::take(&mut self.hidden_states[output]);
            out.resize(rows.len() * model.config.hidden, 0.0);
            let tape = self.tape(index);
            let (x, tape) = (&mut self.hidden_states[input], &mut self.tapes[tape]);
            model.layer(index, dropout).forward(x, rows, tape, &mut self.workspace, &mut out);
            self.hidden_states[output] = out;
        }
        self.costs.layers.add_time_since(start);
    }

    /// The backward pass of layer `index`, after that of the next layer. Adds the gradients of biases and
    /// LayerNorms; [`Shard::weight_grad_operands`] gives the operands of the gradients of the matrices.
    pub(super) fn layer_backward(&mut self, model: Model<'_>, index: usize, dropout: Option<Dropout>) {
        let start = Instant::now();
        let rows = &self.rows[usize::from(index + 1 == model.config.layers)];
        let [x, tape] = [self.state(index), self.tape(index)];
        let (x, tape) = (&mut self.hidden_states[x], &mut self.tapes[tape]);
        let layer = model.layer(index, dropout);
        layer.backward(x, rows, tape, &mut self.vector_grads, &mut self.workspace);
        self.costs.layers.add_time_since(start);
    }

    /// Adds the gradients of the embedding of relative positions, after the backward pass of all layers.
    pub(super) fn relative_backward(&mut self, model: Model<'_>) {
        let Workspace { relative, relative_grads, .. } = &mut self.workspace;
        relative.backward(model, relative_grads, &mut self.vector_grads);
    }

    /// As [`Shard::weight_grad_operands`], for the projections of relative positions: those of queries and of keys.
    pub(super) fn position_weight_grad_operands(&self, index: usize) -> [[&[f32]; 2]; 2] {
        self.workspace.relative_grads.weight_grad_operands(&self.tapes[self.tape(index)].relative)
    }

    /// The operands d_y and x of d_W = d_yᵀ x for each matrix of layer `index`. Valid between the backward passes of
    /// this layer and the layer below.
    pub(super) fn weight_grad_operands(&mut self, model: Model<'_>, index: usize) -> [[&[f32]; 2]; 5] {
        let rows = &self.rows[usize::from(index + 1 == model.config.layers)];
        let [x, tape] = [self.state(index), self.tape(index)];
        let (x, tape) = (&mut self.hidden_states[x], &mut self.tapes[tape]);
        model.layer(index, None).weight_grad_operands(x, rows, tape, &mut self.workspace)
    }
}
