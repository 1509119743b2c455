//! The forward and backward pass of a shard, a part of a batch that runs on its own threads.

use super::layer_sizes::LayerSizes;
use super::layout::Layout;
use super::loss::{LossConfig, binary_cross_entropy, cross_entropy, one_hot, squared_error};
use super::model::Model;
use super::pooling::PoolState;
use super::row_selection::RowSelection;
use super::saved_norm::SavedNorm;
use super::tape::LayerTape;
use super::workspace::Workspace;
use crate::batch::{Batch, Label};
use crate::nn::architecture::{DropoutSite, PoolerActivation};
use crate::nn::config::ModelConfig;
use crate::nn::positions::{padding_position, positions};
use kernels::activation::{Activation, activate};
use kernels::dropout::{self, Dropout};
use kernels::element_type::ElementType;
use kernels::embedding::{alpha_grads, gather, interpolate, scatter_add};
use kernels::matmul::{Matmul, MatmulBackend, WeightMatrix};
use kernels::norm::{DropoutMask, apply_dropout, layer_norm, layer_norm_backward};
use kernels::op_cost::OpCost;
use std::time::Instant;

/// The scalar that the backward pass differentiates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Objective<'a> {
    /// The loss.
    Loss(LossConfig<'a>),
    /// The logit of a class, summed over the examples.
    Logit(usize),
}

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
    /// Inputs of the layers, (T, H) each, and the output of the last layer, (R, H).
    hidden_states: Vec<Vec<f32>>,
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

    /// Number of elements in the buffers of a forward and backward pass.
    #[cfg(test)]
    pub(super) fn activations(&mut self) -> usize {
        let Workspace { relative, relative_grads, .. } = &self.workspace;
        let relative_tapes = self.tapes.iter().map(|tape| tape.relative.len()).sum::<usize>();
        let relative = relative.len() + relative_grads.len() + relative_tapes;
        let tapes = self.tapes.iter_mut().flat_map(LayerTape::buffers);
        let buffers = tapes.chain(self.workspace.grads.buffers()).map(|buffer| buffer.len()).sum::<usize>();
        // The output of the last layer is not counted: it belongs to the head, as do the logits.
        let states = self.hidden_states[..self.tapes.len()].iter().map(Vec::len).sum::<usize>();
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

    /// Computes the logits of `batch`. Saves the activations for the backward pass if `is_training`.
    pub(super) fn forward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        is_training: bool,
    ) {
        self.embed(model, batch, None, dropout);
        self.encode(model, batch, dropout, is_training);
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
        self.embed(model, batch, Some(interpolation), None);
        self.encode(model, batch, None, true);
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

    /// From the embeddings to the logits.
    fn encode(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>, is_training: bool) {
        let (config, layers) = (model.config, model.config.layers);
        let start = Instant::now();
        // In inference all layers share one tape, and two hidden states alternate.
        self.tapes.resize_with(if is_training { layers } else { 1 }, LayerTape::default);
        self.rows = RowSelection::of_layers(config, batch);
        self.workspace.relative.forward(model, batch.longest());
        for index in 0..layers {
            let rows = &self.rows[usize::from(index + 1 == layers)];
            let (input, output) = if is_training { (index, index + 1) } else { (index % 2, (index + 1) % 2) };
            let mut out = std::mem::take(&mut self.hidden_states[output]);
            out.resize(rows.len() * config.hidden, 0.0);
            let tape = &mut self.tapes[if is_training { index } else { 0 }];
            let x = &mut self.hidden_states[input];
            model.layer(index, dropout).forward(x, rows, tape, &mut self.workspace, &mut out);
            self.hidden_states[output] = out;
        }
        self.costs.layers.add_time_since(start);
        let start = Instant::now();
        self.head(model, batch, dropout, if is_training { layers } else { layers % 2 });
        self.costs.head.add_time_since(start);
    }

    /// hidden_states[0] (T, H) = dropout(LayerNorm(word + segment + position)) Wpᵀ + bp, or
    /// dropout(LayerNorm((word + segment + position) Wpᵀ)), with interpolated words if `interpolation` is given. Without a
    /// projection, E is H and the product is left out.
    fn embed(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        interpolation: Option<(&[u32], &[f32])>,
        dropout: Option<Dropout>,
    ) {
        let start = Instant::now();
        let (config, cpu) = (model.config, model.cpu);
        let (t, width) = (batch.tokens(), config.embedding_size);
        self.hidden_states.resize_with((config.layers + 1).max(2), Vec::new);
        let norm_width = model.layout.embedding_norm.weight.len();
        self.embedding_xhat.resize(t * norm_width, 0.0);
        self.embedding_rstd.resize(t, 0.0);
        let [embedded, _] = &mut self.projected;
        let positions = positions(config, batch);
        let xhat = &mut self.embedding_xhat; // normalized in place below
        let projection = model.layout.projection_before_norm.as_ref();
        let sum = if projection.is_some() { &mut *embedded } else { &mut *xhat };
        sum.resize(t * width, 0.0);
        gather(&model.embedding_tables(batch, &positions), width, sum);
        if let Some(interpolation) = interpolation {
            interpolate(model.slice(&model.layout.words), &batch.ids, interpolation, width, sum);
        }
        if let Some(projection) = projection {
            self.f32_gemm.forward(xhat, embedded, WeightMatrix::new(model.slice(projection), width));
        }
        let has_projection = model.layout.projection.is_some();
        let x = if has_projection { embedded } else { &mut self.hidden_states[0] };
        x.resize(t * norm_width, 0.0);
        layer_norm(cpu, xhat, model.norm(&model.layout.embedding_norm), &mut self.embedding_rstd, x);
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + t).collect();
        apply_dropout(cpu, x, norm_width, embedding_mask(config, dropout, &tokens));
        if let Some(projection) = &model.layout.projection {
            let [embedded, _] = &self.projected;
            model.linear(&mut self.f32_gemm, embedded, projection, &mut self.hidden_states[0]);
        }
        self.costs.embedding.add_time_since(start);
    }

    /// The backward pass of [`Shard::embed`]: from the gradient of the first layer's input to that of the word
    /// embeddings, see [`Shard::word_grads`]. Adds the gradients of projection and LayerNorm and of the other embeddings.
    pub(super) fn embed_backward(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>) {
        let start = Instant::now();
        let (config, layout, cpu) = (model.config, model.layout, model.cpu);
        let (t, width) = (batch.tokens(), config.embedding_size);
        let Shard { workspace, f32_gemm, projected: [embedded, d_embedded], vector_grads, .. } = self;
        let d_x = &mut workspace.grads.ping_pong[0][..t * config.hidden];
        let (d, d_before_norm) = match (&layout.projection, &layout.projection_before_norm) {
            (Some(projection), _) => {
                d_embedded.resize(t * width, 0.0);
                model.linear_backward(f32_gemm, (embedded, d_x), projection, vector_grads, d_embedded);
                (&mut d_embedded[..], None)
            }
            (None, Some(projection)) => {
                d_embedded.resize(t * width, 0.0);
                (d_x, Some((projection, &mut d_embedded[..])))
            }
            (None, None) => (d_x, None),
        };
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + t).collect();
        let scale = model.slice(&layout.embedding_norm.weight);
        apply_dropout(cpu, d, scale.len(), embedding_mask(config, dropout, &tokens));
        let grad = layout.embedding_norm.norm_grad(vector_grads);
        layer_norm_backward(cpu, d, &self.embedding_xhat, &self.embedding_rstd, scale, grad);
        let d = match d_before_norm {
            Some((projection, d_embedded)) => {
                model.product_backward(f32_gemm, (embedded, d), projection, vector_grads, d_embedded);
                d_embedded
            }
            None => d,
        };
        if let Some(range) = &layout.positions {
            let d_positions = &mut vector_grads[range.clone()];
            scatter_add(d, &positions(config, batch), width, d_positions);
            if let Some(padding) = padding_position(config) {
                d_positions[padding as usize * width..][..width].fill(0.0);
            }
        }
        if let Some(segments) = &layout.segments {
            scatter_add(d, &batch.type_ids, width, &mut vector_grads[segments.clone()]);
        }
        self.costs.embedding.add_time_since(start);
    }

    /// logits = dropout(norm(f(dropout(x) Wpᵀ + bp))) Wcᵀ + bc for the pooled states x of hidden_states[`last`], where f
    /// is the activation function of the pooler, which some models have a LayerNorm after.
    fn head(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>, last: usize) {
        let (config, cpu) = (model.config, model.cpu);
        let examples: Vec<usize> = (batch.first_example..batch.first_example + batch.len()).collect();
        let masks = HeadMasks::new(config, dropout, &examples);
        self.pool.forward(model, batch, &self.hidden_states[last], &mut self.pooler_input);
        apply_dropout(cpu, &mut self.pooler_input, config.hidden, masks.pooler);
        model.linear(&mut self.f32_gemm, &self.pooler_input, &model.layout.pooler, &mut self.pooled);
        self.activate_pooled(model);
        match &model.layout.pooler_norm {
            Some(params) => self.pooler_norm.forward(model, params, &self.pooled, &mut self.dropped),
            None => self.dropped.clone_from(&self.pooled),
        }
        apply_dropout(cpu, &mut self.dropped, config.hidden, masks.classifier);
        model.linear(&mut self.f32_gemm, &self.dropped, &model.layout.classifier, &mut self.logits);
    }

    /// Applies the activation function of the pooler to `pooled` and writes its derivative to `pooled_grad`.
    fn activate_pooled(&mut self, model: Model<'_>) {
        let Shard { pooled, pooled_grad, .. } = self;
        let activation = match model.config.pooler_activation {
            PoolerActivation::Tanh => {
                let tanh = |x: f32| (x.tanh(), 1.0 - x.tanh() * x.tanh());
                return map_with_derivative(tanh, pooled, pooled_grad);
            }
            PoolerActivation::Relu => {
                let relu = |x: f32| (x.max(0.0), f32::from(u8::from(x > 0.0)));
                return map_with_derivative(relu, pooled, pooled_grad);
            }
            PoolerActivation::Gelu => Activation::Gelu,
            PoolerActivation::GeluTanh => Activation::GeluTanh,
        };
        pooled_grad.clone_from(pooled);
        // `pooled` has the bias already.
        let no_bias = vec![0.0; model.config.hidden];
        activate(model.cpu, activation, pooled_grad, &no_bias, pooled);
    }

    /// Starts the backward pass of a [`Shard::forward`] in training: computes the gradient of the last layer's
    /// output. Adds to the loss, if that is the objective, and to the gradients of the head.
    pub(super) fn head_backward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        objective: Objective<'_>,
    ) {
        let start = Instant::now();
        let Workspace { relative, relative_grads, .. } = &mut self.workspace;
        relative_grads.start(model, relative);
        self.workspace.grads.resize(batch.tokens(), LayerSizes::of(model.config, 0));
        let labels = model.layout.labels();
        let d_logits = match objective {
            Objective::Loss(config) => self.loss_backward(labels, &batch.labels, config),
            Objective::Logit(class) => one_hot(labels, batch.len(), class),
        };
        self.logits_backward(model, batch, dropout, &d_logits);
        self.costs.head.add_time_since(start);
    }

    /// Adds the loss of the examples; returns the gradient of the logits: (examples, labels).
    fn loss_backward(&mut self, outputs: usize, labels: &[Label], config: LossConfig<'_>) -> Vec<f32> {
        let mut d_logits = Vec::with_capacity(self.logits.len());
        for (logits, label) in self.logits.chunks_exact(outputs).zip(labels) {
            self.loss += match label {
                Label::Class(class) => cross_entropy(logits, *class as usize, config, &mut d_logits),
                Label::Set(labels) => binary_cross_entropy(logits, labels, config, &mut d_logits),
                Label::Value(value) => squared_error(logits[0], *value, config, &mut d_logits),
            };
        }
        d_logits
    }

    /// The backward pass of [`Shard::head`]: from the gradient of the logits, (examples, labels), to that of the
    /// last layer's output, (R, H).
    fn logits_backward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        d_logits: &[f32],
    ) {
        let (config, layout, cpu) = (model.config, model.layout, model.cpu);
        let Shard { f32_gemm, dropped, pooler_input, vector_grads, .. } = self;
        let examples: Vec<usize> = (batch.first_example..batch.first_example + batch.len()).collect();
        let masks = HeadMasks::new(config, dropout, &examples);
        let mut d_pooled = vec![0.0; batch.len() * config.hidden];
        model.linear_backward(f32_gemm, (dropped, d_logits), &layout.classifier, vector_grads, &mut d_pooled);
        apply_dropout(cpu, &mut d_pooled, config.hidden, masks.classifier);
        if let Some(params) = &layout.pooler_norm {
            self.pooler_norm.backward(model, params, &mut d_pooled, vector_grads);
        }
        for (d, derivative) in d_pooled.iter_mut().zip(&self.pooled_grad) {
            *d *= derivative;
        }
        let d_states = &mut self.workspace.grads.ping_pong[0][..self.rows[1].len() * config.hidden];
        let d_x = &mut d_states[..batch.len() * config.hidden];
        model.linear_backward(f32_gemm, (pooler_input, &d_pooled), &layout.pooler, vector_grads, d_x);
        apply_dropout(cpu, d_x, config.hidden, masks.pooler);
        self.pool.backward(model, batch, d_states, vector_grads);
    }

    /// The backward pass of layer `index`, after that of the next layer. Adds the gradients of biases and
    /// LayerNorms; [`Shard::weight_grad_operands`] gives the operands of the gradients of the matrices.
    pub(super) fn layer_backward(&mut self, model: Model<'_>, index: usize, dropout: Option<Dropout>) {
        let start = Instant::now();
        let rows = &self.rows[usize::from(index + 1 == model.config.layers)];
        let (x, tape) = (&mut self.hidden_states[index], &mut self.tapes[index]);
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
        self.workspace.relative_grads.weight_grad_operands(&self.tapes[index].relative)
    }

    /// The operands d_y and x of d_W = d_yᵀ x for each matrix of layer `index`. Valid between the backward passes of
    /// this layer and the layer below.
    pub(super) fn weight_grad_operands(&mut self, model: Model<'_>, index: usize) -> [[&[f32]; 2]; 5] {
        let rows = &self.rows[usize::from(index + 1 == model.config.layers)];
        let (x, tape) = (&mut self.hidden_states[index], &mut self.tapes[index]);
        model.layer(index, None).weight_grad_operands(x, rows, tape, &mut self.workspace)
    }
}

/// Applies `f`, which returns value and derivative, to `x` and writes the derivatives to `derivatives`.
fn map_with_derivative(f: impl Fn(f32) -> (f32, f32), x: &mut [f32], derivatives: &mut Vec<f32>) {
    derivatives.resize(x.len(), 0.0);
    for (x, derivative) in x.iter_mut().zip(derivatives) {
        (*x, *derivative) = f(*x);
    }
}

fn embedding_mask<'t>(
    config: &ModelConfig,
    dropout: Option<Dropout>,
    tokens: &'t [usize],
) -> DropoutMask<'t> {
    let rate = config.dropout_rate(DropoutSite::Embeddings);
    let site = dropout.and_then(|dropout| dropout.site(dropout::EMBEDDINGS, rate));
    DropoutMask { site, row_indices: tokens }
}

/// The dropout masks of the head.
struct HeadMasks<'t> {
    pooler: DropoutMask<'t>,
    classifier: DropoutMask<'t>,
}

impl<'t> HeadMasks<'t> {
    fn new(config: &ModelConfig, dropout: Option<Dropout>, examples: &'t [usize]) -> Self {
        let mask = |number: u32, site: DropoutSite| DropoutMask {
            site: dropout.and_then(|dropout| dropout.site(number, config.dropout_rate(site))),
            row_indices: examples,
        };
        HeadMasks {
            pooler: mask(dropout::pooler(config.layers), DropoutSite::Pooler),
            classifier: mask(dropout::classifier(config.layers), DropoutSite::Classifier),
        }
    }
}
