//! The forward pass of an encoder, from tokens to logits.
//!
//! Shapes: *tokens* are the real tokens of all examples, concatenated; (examples, longest) is the padded layout that
//! only attention uses.

use super::attention_terms::{AttentionTerms, LayerTerms};
use super::disentangled::RelativeEmbeddings;
use super::dropout::{apply_to_rows, attention_mask};
use super::ops::{LayerNorm, Linear, activate, relu, softmax};
use super::padding::Padding;
use super::rows::{self, RowSelection};
use crate::batch::Batch;
use crate::nn::architecture::{
    BiasSite, DropoutSite, FeedForward, LayerNames, NormPosition, PoolerActivation, Pooling,
};
use crate::nn::config::ModelConfig;
use crate::nn::param_groups::FrozenPrefix;
use crate::nn::positions::{padding_position, positions};
use candle_core::{DType, Device, Result, Tensor};
use kernels::activation::Activation;
use kernels::dropout::{self, Dropout};

/// The model as tensors. An engine has two: one of variables for training, and one of detached tensors over the same
/// storage, so that inference records no graph.
pub(crate) struct Encoder {
    config: ModelConfig,
    /// (vocabulary, embedding size)
    words: Tensor,
    /// (positions, embedding size)
    positions: Option<Tensor>,
    /// (segments, embedding size)
    segments: Option<Tensor>,
    embedding_norm: LayerNorm,
    /// From the embedding size to the hidden size.
    projection: Option<Linear>,
    /// Added to the attention scores, by bucket of distances: (buckets, heads)
    relative_bias: Option<Tensor>,
    /// For disentangled attention.
    relative_embeddings: Option<RelativeEmbeddings>,
    /// By parameter set.
    layers: Vec<Layer>,
    final_norm: Option<LayerNorm>,
    pooler: Linear,
    pooler_norm: Option<LayerNorm>,
    classifier: Linear,
    /// A field so that tests can replace it by a function that drops the gradient.
    pub(crate) softmax: fn(&Tensor) -> Result<Tensor>,
    device: Device,
    /// What has no dropout, because it is not trained.
    frozen: FrozenPrefix,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_out: Linear,
    attention_norm: Option<LayerNorm>,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
    /// Projections of the embeddings of relative positions, if not those of queries and keys.
    position_query: Option<Linear>,
    position_key: Option<Linear>,
}

impl Encoder {
    /// Looks up the parameters with `tensor`, which must know every name of the model. The linear layers of the encoder
    /// convert their operands to `operand_dtype`; those of the head use f32. The prefix `frozen` has no dropout.
    pub(crate) fn new(
        config: &ModelConfig,
        device: &Device,
        (operand_dtype, frozen): (DType, FrozenPrefix),
        tensor: impl Fn(&str) -> Tensor,
    ) -> Self {
        let names = config.names();
        let embedding = |name: &str| tensor(&format!("{name}.weight"));
        let bias = |name: &str, is_present: bool| is_present.then(|| tensor(&format!("{name}.bias")));
        let linear = |name: &str, operand_dtype, has_bias| Linear {
            weight: embedding(name),
            bias: bias(name, has_bias),
            operand_dtype,
        };
        let norm = |name: &str| LayerNorm {
            weight: embedding(name),
            bias: bias(name, config.has_bias(BiasSite::Norm)),
            eps: config.layer_norm_eps,
        };
        let layer = |names: &LayerNames| {
            let linear = |name: &str, has_bias| linear(name, operand_dtype, has_bias);
            let [query, key, value] = qkv(names, |name| linear(name, config.has_bias(BiasSite::Attention)));
            Layer {
                query,
                key,
                value,
                attention_out: linear(&names.attention_out, config.has_bias(BiasSite::Attention)),
                attention_norm: names.attention_norm.as_deref().map(norm),
                up: linear(&names.up, config.has_bias(BiasSite::FeedForward)),
                down: linear(&names.down, config.has_bias(BiasSite::FeedForward)),
                output_norm: norm(&names.output_norm),
                position_query: names.position_query.as_deref().map(|name| linear(name, true)),
                position_key: names.position_key.as_deref().map(|name| linear(name, true)),
            }
        };
        let relative_embeddings = names.relative_embeddings.as_deref().zip(config.disentangled);
        let relative_embeddings = relative_embeddings.map(|(name, settings)| RelativeEmbeddings {
            settings,
            table: embedding(name),
            norm: names.relative_norm.as_deref().map(norm),
        });
        Encoder {
            config: config.clone(),
            words: embedding(&names.words),
            positions: names.positions.as_deref().map(embedding),
            segments: names.segments.as_deref().map(embedding),
            embedding_norm: norm(&names.embedding_norm),
            projection: names
                .projection
                .as_deref()
                .map(|name| linear(name, DType::F32, !config.projects_before_norm())),
            relative_bias: names.relative_bias.as_deref().map(embedding),
            relative_embeddings,
            layers: names.layers.iter().map(layer).collect(),
            final_norm: names.final_norm.as_deref().map(norm),
            pooler: linear(&names.pooler, DType::F32, config.has_bias(BiasSite::Pooler)),
            pooler_norm: names.pooler_norm.as_deref().map(norm),
            classifier: linear(&names.classifier, DType::F32, true),
            softmax,
            device: device.clone(),
            frozen,
        }
    }

    /// Logits: (examples, labels)
    pub(crate) fn logits(&self, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        self.logits_from_embeddings(self.word_embeddings(&batch.ids)?, batch, dropout)
    }

    /// Logits of the interpolated inputs baseline + α (word − baseline); `alphas` are (tokens, 1).
    pub(crate) fn interpolated_logits(
        &self,
        batch: &Batch,
        baseline_ids: &[u32],
        alphas: &Tensor,
    ) -> Result<Tensor> {
        let baseline = self.word_embeddings(baseline_ids)?;
        let difference = (self.word_embeddings(&batch.ids)? - &baseline)?;
        self.logits_from_embeddings((baseline + difference.broadcast_mul(alphas)?)?, batch, None)
    }

    /// (tokens, embedding size)
    fn word_embeddings(&self, ids: &[u32]) -> Result<Tensor> {
        embedding_with_padding(&self.words, ids, self.config.padding_id)
    }

    fn logits_from_embeddings(
        &self,
        words: Tensor,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let padding = Padding::new(batch, &self.device)?;
        let terms = AttentionTerms::new(&self.config, &padding, self.relative_bias.as_ref(), &self.device)?;
        let mut x = self.embed(words, batch, dropout.filter(|_| !self.frozen.has_embeddings()))?;
        for index in 0..self.config.layers {
            let layer = &self.layers[self.config.sharing.parameter_set(index)];
            let terms = terms.of(self.config.layer_attention(index))?;
            let dropout = dropout.filter(|_| index >= self.frozen.layers());
            x = self.layer((layer, index), &x, batch, (&padding, terms), dropout)?;
        }
        if let Some(norm) = &self.final_norm {
            x = norm.forward(&x)?;
        }
        let pooled = self.pool(&x, batch)?; // (examples, hidden)
        let layers = self.config.layers;
        let dropped = |x: Tensor, number: u32, site: DropoutSite| match dropout {
            Some(masks) => {
                apply_to_rows(masks, &x, number, self.config.dropout_rate(site), batch.first_example)
            }
            None => Ok(x),
        };
        let pooled = dropped(pooled, dropout::pooler(layers), DropoutSite::Pooler)?;
        let pooled = self.pooler.forward(&pooled)?;
        let mut pooled = match self.config.pooler_activation {
            PoolerActivation::Tanh => pooled.tanh()?,
            PoolerActivation::Relu => relu(&pooled)?,
            PoolerActivation::Gelu => activate(&pooled, Activation::Gelu)?,
            PoolerActivation::GeluTanh => activate(&pooled, Activation::GeluTanh)?,
        };
        if let Some(norm) = &self.pooler_norm {
            pooled = norm.forward(&pooled)?;
        }
        let pooled = dropped(pooled, dropout::classifier(layers), DropoutSite::Classifier)?;
        self.classifier.forward(&pooled)
    }

    /// One state for each example: (tokens, hidden) → (examples, hidden)
    fn pool(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let (examples, tokens) = (batch.len(), batch.tokens());
        match self.config.pooling {
            Pooling::FirstToken => {
                let first = batch.offsets[..examples].iter().map(|offset| *offset as u32).collect();
                RowSelection::new(first, tokens, &self.device)?.select(x)
            }
            Pooling::Mean => {
                let mut shares = vec![0.0; examples * tokens];
                for (example, bounds) in batch.offsets.windows(2).enumerate() {
                    let share = 1.0 / (bounds[1] - bounds[0]) as f32;
                    shares[example * tokens + bounds[0]..example * tokens + bounds[1]].fill(share);
                }
                Tensor::from_vec(shares, (examples, tokens), &self.device)?.matmul(x)
            }
        }
    }

    /// dropout(LayerNorm(word + segment + position)), brought to the hidden size after or before LayerNorm: (tokens, hidden)
    fn embed(&self, mut x: Tensor, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        if let Some(segments) = &self.segments {
            x = (x + rows::small_embedding(segments, &batch.type_ids)?)?;
        }
        if let Some(table) = &self.positions {
            let positions = positions(&self.config, batch);
            x = (x + embedding_with_padding(table, &positions, padding_position(&self.config))?)?;
        }
        let projection = self.projection.as_ref();
        let (before, after) =
            if self.config.projects_before_norm() { (projection, None) } else { (None, projection) };
        if let Some(projection) = before {
            x = projection.forward(&x)?;
        }
        let x = self.embedding_norm.forward(&x)?;
        let x = self.dropout(&x, dropout::EMBEDDINGS, DropoutSite::Embeddings, batch, dropout)?;
        match after {
            Some(projection) => projection.forward(&x),
            None => Ok(x),
        }
    }

    /// One encoder layer: (tokens, hidden) → (tokens, hidden)
    fn layer(
        &self,
        (layer, index): (&Layer, usize),
        x: &Tensor,
        batch: &Batch,
        layout: (&Padding, &LayerTerms),
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let attention = |x: &Tensor| {
            let out = self.attention((layer, index), x, batch, layout, dropout)?;
            let number = dropout::attention_output(index);
            self.dropout(&out, number, DropoutSite::AttentionOutput, batch, dropout)
        };
        let normalized = |x: &Tensor| match &layer.attention_norm {
            Some(norm) => norm.forward(x),
            None => Ok(x.clone()),
        };
        let feed_forward = |x: &Tensor| self.feed_forward((layer, index), x, batch, dropout);
        match self.config.architecture.layer_structure.norm_position {
            NormPosition::Post => {
                let x = normalized(&(attention(x)? + x)?)?;
                layer.output_norm.forward(&(feed_forward(&x)? + x)?)
            }
            NormPosition::Pre => {
                let x = (attention(&normalized(x)?)? + x)?;
                feed_forward(&layer.output_norm.forward(&x)?)? + x
            }
        }
    }

    /// The feed-forward network with dropout: (tokens, hidden) → (tokens, hidden)
    fn feed_forward(
        &self,
        (layer, index): (&Layer, usize),
        x: &Tensor,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let (activation, intermediate) = (self.config.activation, self.config.intermediate);
        let up = layer.up.forward(x)?;
        let ffn_act = match self.config.architecture.layer_structure.feed_forward {
            FeedForward::Plain => activate(&up, activation)?,
            FeedForward::Gated => {
                let (input, gate) =
                    (up.narrow(1, 0, intermediate)?, up.narrow(1, intermediate, intermediate)?);
                (activate(&input, activation)? * gate)?
            }
        }; // (tokens, intermediate)
        let number = dropout::activation(self.config.layers, index);
        let ffn_act = self.dropout(&ffn_act, number, DropoutSite::Activation, batch, dropout)?;
        let output = layer.down.forward(&ffn_act)?;
        self.dropout(&output, dropout::feed_forward(index), DropoutSite::FeedForward, batch, dropout)
    }

    /// Multi-head self-attention and its output projection: (tokens, hidden) → (tokens, hidden)
    fn attention(
        &self,
        (layer, index): (&Layer, usize),
        x: &Tensor,
        batch: &Batch,
        (padding, terms): (&Padding, &LayerTerms),
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let query = terms.rotate(&self.split_heads(&layer.query.forward(x)?, padding)?)?;
        let key = terms.rotate(&self.split_heads(&layer.key.forward(x)?, padding)?)?;
        let value = self.split_heads(&layer.value.forward(x)?, padding)?;
        let mut scores = query.matmul(&key.t()?)?; // (examples, heads, longest, longest)
        if let Some(relative) = &self.relative_embeddings {
            let projections = (
                layer.position_query.as_ref().unwrap_or(&layer.query),
                layer.position_key.as_ref().unwrap_or(&layer.key),
            );
            let number = dropout::relative_embeddings(self.config.layers, index);
            let rate = self.config.dropout_rate(DropoutSite::RelativeEmbeddings);
            let masks = dropout.map(|masks| (masks, number, rate));
            scores = (scores + relative.scores((&query, &key), projections, masks)?)?;
        }
        let scale = 1.0 / ((self.config.head_size() * self.config.score_products) as f64).sqrt();
        let scores = (scores * scale)?;
        let mut probs = (self.softmax)(&scores.broadcast_add(&terms.mask)?)?;
        if let Some(masks) = dropout {
            let sizes = (self.config.heads, self.config.max_positions);
            let rate = self.config.dropout_rate(DropoutSite::Attention);
            let mask = attention_mask(masks, index, rate, batch, sizes, &self.device)?;
            if let Some(mask) = mask {
                probs = (probs * mask)?;
            }
        }
        let context = probs.matmul(&value)?.transpose(1, 2)?; // (examples, longest, heads, head size)
        let context = context.reshape((padding.examples * padding.longest, self.config.hidden))?;
        layer.attention_out.forward(&padding.position_of_token.select(&context)?)
    }

    /// (tokens, hidden) → (examples, heads, longest, head size), with zeros in the padding.
    fn split_heads(&self, x: &Tensor, padding: &Padding) -> Result<Tensor> {
        let zeros = Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?;
        padding
            .token_of_position
            .select(&Tensor::cat(&[x, &zeros], 0)?)?
            .reshape((padding.examples, padding.longest, self.config.heads, self.config.head_size()))?
            .transpose(1, 2)?
            .contiguous()
    }

    /// Applies the mask with that number to `x` (tokens, width).
    fn dropout(
        &self,
        x: &Tensor,
        number: u32,
        site: DropoutSite,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        match dropout {
            Some(masks) => apply_to_rows(masks, x, number, self.config.dropout_rate(site), batch.first_token),
            None => Ok(x.clone()),
        }
    }
}

/// The linear layers of queries, keys and values, which may be parts of one.
fn qkv(names: &LayerNames, linear: impl Fn(&str) -> Linear) -> [Linear; 3] {
    let [query, key, value] = [&names.query, &names.key, &names.value].map(|name| linear(name));
    if names.query != names.key {
        return [query, key, value];
    }
    let part = |index: usize| {
        let rows = |x: &Tensor| {
            let width = x.dims().first().copied().unwrap_or(0) / 3;
            x.narrow(0, index * width, width)
        };
        Linear {
            weight: rows(&query.weight).expect("a matrix of queries, keys and values"),
            bias: query.bias.as_ref().map(|bias| rows(bias).expect("a bias of queries, keys and values")),
            operand_dtype: query.operand_dtype,
        }
    };
    [part(0), part(1), part(2)]
}

/// The rows of an embedding whose row `padding` gets no gradient: (words, width) → (ids, width)
fn embedding_with_padding(table: &Tensor, ids: &[u32], padding: Option<u32>) -> Result<Tensor> {
    let rows = rows::embedding(table, ids)?;
    if !ids.iter().any(|id| Some(*id) == padding) {
        return Ok(rows);
    }
    let is_padding: Vec<f32> = ids.iter().map(|id| f32::from(u8::from(Some(*id) == padding))).collect();
    let is_padding = Tensor::from_vec(is_padding, (ids.len(), 1), table.device())?;
    let without_padding = rows.broadcast_mul(&(1.0 - &is_padding)?)?;
    without_padding + rows.detach().broadcast_mul(&is_padding)?
}
