//! Pooler, classifier and loss of a shard, forward and backward.

use super::Shard;
use crate::batch::{Batch, Label};
use crate::nn::architecture::{DropoutSite, PoolerActivation};
use crate::nn::config::ModelConfig;
use crate::nn::fast::layer_sizes::LayerSizes;
use crate::nn::fast::loss::{
    LossConfig, Objective, TeacherLoss, binary_cross_entropy, cross_entropy, one_hot, squared_error,
    teacher_binary_cross_entropy, teacher_cross_entropy, teacher_squared_error,
};
use crate::nn::fast::model::Model;
use crate::nn::fast::workspace::Workspace;
use kernels::activation::{Activation, activate};
use kernels::dropout::{self, Dropout};
use kernels::norm::{DropoutMask, apply_dropout};
use std::time::Instant;

impl Shard {
    /// logits = dropout(norm(f(dropout(x) Wpᵀ + bp))) Wcᵀ + bc for the pooled states x of the last layer's output, where f
    /// is the activation function of the pooler, which some models have a LayerNorm after.
    pub(super) fn head(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>) {
        let start = Instant::now();
        let (config, cpu) = (model.config, model.cpu);
        let examples: Vec<usize> = (batch.first_example..batch.first_example + batch.len()).collect();
        let masks = HeadMasks::new(config, dropout, &examples);
        let output = &self.hidden_states[self.state(config.layers)];
        self.pool.forward(model, batch, output, &mut self.pooler_input);
        apply_dropout(cpu, &mut self.pooler_input, config.hidden, masks.pooler);
        model.linear(&mut self.f32_gemm, &self.pooler_input, &model.layout.pooler, &mut self.pooled);
        self.activate_pooled(model);
        match &model.layout.pooler_norm {
            Some(params) => self.pooler_norm.forward(model, params, &self.pooled, &mut self.dropped),
            None => self.dropped.clone_from(&self.pooled),
        }
        apply_dropout(cpu, &mut self.dropped, config.hidden, masks.classifier);
        model.linear(&mut self.f32_gemm, &self.dropped, &model.layout.classifier, &mut self.logits);
        self.costs.head.add_time_since(start);
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
    pub(in crate::nn::fast) fn head_backward(
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
            Objective::Loss(config) => self.loss_backward(labels, batch, config),
            Objective::Logit(class) => one_hot(labels, batch.len(), class),
        };
        self.logits_backward(model, batch, dropout, &d_logits);
        self.costs.head.add_time_since(start);
    }

    /// Adds the loss of the examples; returns the gradient of the logits: (examples, labels).
    fn loss_backward(&mut self, outputs: usize, batch: &Batch, config: LossConfig<'_>) -> Vec<f32> {
        let mut d_logits = Vec::with_capacity(self.logits.len());
        for (logits, label) in self.logits.chunks_exact(outputs).zip(&batch.labels) {
            self.loss += match label {
                Label::Class(class) => cross_entropy(logits, *class as usize, config, &mut d_logits),
                Label::Set(labels) => binary_cross_entropy(logits, labels, config, &mut d_logits),
                Label::Value(value) => squared_error(logits[0], *value, config, &mut d_logits),
            };
        }
        if let Some(config) = config.teacher {
            self.loss += self.teacher_loss(outputs, batch, config, &mut d_logits);
        }
        d_logits
    }

    /// The part of the loss that follows a teacher; adds its gradient to `d_logits`, (examples, labels).
    fn teacher_loss(&self, outputs: usize, batch: &Batch, config: TeacherLoss, d_logits: &mut [f32]) -> f64 {
        let rows = self.logits.chunks_exact(outputs).zip(batch.teacher_logits.chunks_exact(outputs));
        let rows = rows.zip(d_logits.chunks_exact_mut(outputs)).zip(&batch.labels);
        let losses = rows.map(|(((logits, teacher), d_logits), label)| match label {
            Label::Class(_) => teacher_cross_entropy(logits, teacher, config, d_logits),
            Label::Set(_) => teacher_binary_cross_entropy(logits, teacher, config, d_logits),
            Label::Value(_) => teacher_squared_error(logits[0], teacher[0], config, &mut d_logits[0]),
        });
        losses.sum()
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
}

/// Applies `f`, which returns value and derivative, to `x` and writes the derivatives to `derivatives`.
fn map_with_derivative(f: impl Fn(f32) -> (f32, f32), x: &mut [f32], derivatives: &mut Vec<f32>) {
    derivatives.resize(x.len(), 0.0);
    for (x, derivative) in x.iter_mut().zip(derivatives) {
        (*x, *derivative) = f(*x);
    }
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
