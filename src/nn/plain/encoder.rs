//! The forward pass of an encoder, from tokens to logits.
//!
//! Shapes: *tokens* are the real tokens of all examples, concatenated; (examples, longest) is the padded layout that
//! only attention uses.

use super::disentangled::{content_to_position, position_to_content};
use super::dropout::{apply_to_rows, attention_mask};
use super::ops::{LayerNorm, Linear, activate, relu, softmax};
use super::rows::{self, RowSelection};
use crate::batch::Batch;
use crate::nn::architecture::{DropoutSite, LayerNames, PoolerActivation, PositionTerms};
use crate::nn::config::ModelConfig;
use crate::nn::positions::{padding_position, positions};
use crate::nn::relative_positions::relative_buckets;
use candle_core::{DType, Device, Result, Tensor, bail};
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
    /// Embedding of relative positions for disentangled attention: (rows, hidden)
    relative_embeddings: Option<Tensor>,
    relative_norm: Option<LayerNorm>,
    /// By parameter set.
    layers: Vec<Layer>,
    pooler: Linear,
    classifier: Linear,
    /// A field so that tests can replace it by a function that drops the gradient.
    pub(crate) softmax: fn(&Tensor) -> Result<Tensor>,
    device: Device,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
    /// Projections of the embeddings of relative positions, if not those of queries and keys.
    position_query: Option<Linear>,
    position_key: Option<Linear>,
}

/// Maps between concatenated tokens and the padded layout, and the relative positions in it, on the device.
struct Padding {
    examples: usize,
    longest: usize,
    /// Token of each padded position; the index after the last token for padding: (examples · longest)
    token_of_position: RowSelection,
    /// Padded position of each token: (tokens)
    position_of_token: RowSelection,
    /// Added to the attention scores: 0 for tokens, a large negative number for padding: (examples, 1, 1, longest).
    /// With a bias of relative positions, the sum of both: (examples, heads, longest, longest)
    mask: Tensor,
    /// Normalized embeddings of relative positions: (rows, hidden)
    relative_embeddings: Option<Tensor>,
}

impl Encoder {
    /// Looks up the parameters with `tensor`, which must know every name of the model. The linear layers of the encoder
    /// convert their operands to `operand_dtype`; those of the head use f32.
    pub(crate) fn new(
        config: &ModelConfig,
        device: &Device,
        operand_dtype: DType,
        tensor: impl Fn(&str) -> Tensor,
    ) -> Self {
        let names = config.names();
        let embedding = |name: &str| tensor(&format!("{name}.weight"));
        let linear_of = |name: &str, operand_dtype| Linear {
            weight: tensor(&format!("{name}.weight")),
            bias: Some(tensor(&format!("{name}.bias"))),
            operand_dtype,
        };
        let linear = |name: &str| linear_of(name, operand_dtype);
        let norm = |name: &str| LayerNorm {
            weight: tensor(&format!("{name}.weight")),
            bias: tensor(&format!("{name}.bias")),
            eps: config.layer_norm_eps,
        };
        let layer = |names: &LayerNames| Layer {
            query: linear(&names.query),
            key: linear(&names.key),
            value: linear(&names.value),
            attention_out: linear(&names.attention_out),
            attention_norm: norm(&names.attention_norm),
            up: linear(&names.up),
            down: linear(&names.down),
            output_norm: norm(&names.output_norm),
            position_query: names.position_query.as_deref().map(linear),
            position_key: names.position_key.as_deref().map(linear),
        };
        let without_bias =
            |name: &str| Linear { weight: embedding(name), bias: None, operand_dtype: DType::F32 };
        let projection = |name: &str| {
            if config.projects_before_norm() { without_bias(name) } else { linear_of(name, DType::F32) }
        };
        Encoder {
            config: config.clone(),
            words: embedding(&names.words),
            positions: names.positions.as_deref().map(embedding),
            segments: names.segments.as_deref().map(embedding),
            embedding_norm: norm(&names.embedding_norm),
            projection: names.projection.as_deref().map(projection),
            relative_bias: names.relative_bias.as_deref().map(embedding),
            relative_embeddings: names.relative_embeddings.as_deref().map(embedding),
            relative_norm: names.relative_norm.as_deref().map(norm),
            layers: names.layers.iter().map(layer).collect(),
            pooler: linear_of(&names.pooler, DType::F32),
            classifier: linear_of(&names.classifier, DType::F32),
            softmax,
            device: device.clone(),
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
        let mut padding = Padding::new(batch, &self.device)?;
        if let Some(table) = &self.relative_bias {
            padding.mask = padding.mask.broadcast_add(&relative_bias(table, padding.longest)?)?;
        }
        padding.relative_embeddings = self.normalized_relative_embeddings()?;
        let mut x = self.embed(words, batch, dropout)?;
        for index in 0..self.config.layers {
            let layer = &self.layers[self.config.sharing.parameter_set(index)];
            x = self.layer(layer, index, &x, batch, &padding, dropout)?;
        }
        let first: Vec<u32> = batch.offsets[..batch.len()].iter().map(|offset| *offset as u32).collect();
        let first = RowSelection::new(first, batch.tokens(), &self.device)?.select(&x)?; // (examples, hidden)
        let layers = self.config.layers;
        let dropped = |x: Tensor, number: u32, site: DropoutSite| match dropout {
            Some(masks) => {
                apply_to_rows(masks, &x, number, self.config.dropout_rate(site), batch.first_example)
            }
            None => Ok(x),
        };
        let first = dropped(first, dropout::pooler(layers), DropoutSite::Pooler)?;
        let pooled = self.pooler.forward(&first)?;
        let pooled = match self.config.pooler_activation {
            PoolerActivation::Tanh => pooled.tanh()?,
            PoolerActivation::Relu => relu(&pooled)?,
            PoolerActivation::Gelu => activate(&pooled, Activation::Gelu)?,
            PoolerActivation::GeluTanh => activate(&pooled, Activation::GeluTanh)?,
        };
        let pooled = dropped(pooled, dropout::classifier(layers), DropoutSite::Classifier)?;
        self.classifier.forward(&pooled)
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
        layer: &Layer,
        index: usize,
        x: &Tensor,
        batch: &Batch,
        padding: &Padding,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let attention = self.attention(layer, index, x, batch, padding, dropout)?;
        let number = dropout::attention_output(index);
        let attention = self.dropout(&attention, number, DropoutSite::AttentionOutput, batch, dropout)?;
        let x = layer.attention_norm.forward(&(attention + x)?)?;
        let ffn_act = activate(&layer.up.forward(&x)?, self.config.activation)?; // (tokens, intermediate)
        let output = layer.down.forward(&ffn_act)?;
        let number = dropout::feed_forward(index);
        let output = self.dropout(&output, number, DropoutSite::FeedForward, batch, dropout)?;
        layer.output_norm.forward(&(output + x)?)
    }

    /// Multi-head self-attention and its output projection: (tokens, hidden) → (tokens, hidden)
    fn attention(
        &self,
        layer: &Layer,
        index: usize,
        x: &Tensor,
        batch: &Batch,
        padding: &Padding,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let query = self.split_heads(&layer.query.forward(x)?, padding)?;
        let key = self.split_heads(&layer.key.forward(x)?, padding)?;
        let value = self.split_heads(&layer.value.forward(x)?, padding)?;
        let mut scores = query.matmul(&key.t()?)?; // (examples, heads, longest, longest)
        if let Some(embeddings) = &padding.relative_embeddings {
            scores = (scores + self.position_scores(layer, index, (&query, &key), embeddings, dropout)?)?;
        }
        let scale = 1.0 / ((self.config.head_size() * self.config.score_products) as f64).sqrt();
        let scores = (scores * scale)?;
        let mut probs = (self.softmax)(&scores.broadcast_add(&padding.mask)?)?;
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

    /// The embeddings of relative positions after their LayerNorm: (rows, hidden)
    fn normalized_relative_embeddings(&self) -> Result<Option<Tensor>> {
        match (&self.relative_embeddings, &self.relative_norm) {
            (Some(embeddings), Some(norm)) => norm.forward(embeddings).map(Some),
            (embeddings, _) => Ok(embeddings.clone()),
        }
    }

    /// The products with relative positions: (examples, heads, longest, longest)
    fn position_scores(
        &self,
        layer: &Layer,
        index: usize,
        (query, key): (&Tensor, &Tensor),
        embeddings: &Tensor,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let Some(relative) = self.config.disentangled else { bail!("the model has no relative positions") };
        let number = dropout::relative_embeddings(index, self.config.layers);
        let rate = self.config.dropout_rate(DropoutSite::RelativeEmbeddings);
        let embeddings = match dropout {
            Some(masks) => apply_to_rows(masks, embeddings, number, rate, 0)?,
            None => embeddings.clone(),
        };
        let c2p = || {
            let projection = layer.position_key.as_ref().unwrap_or(&layer.key);
            content_to_position(query, &projection.forward(&embeddings)?, relative.span)
        };
        let p2c = || {
            let projection = layer.position_query.as_ref().unwrap_or(&layer.query);
            position_to_content(key, &projection.forward(&embeddings)?, relative.span)
        };
        match relative.terms {
            PositionTerms::C2p => c2p(),
            PositionTerms::P2c => p2c(),
            PositionTerms::Both => c2p()? + p2c()?,
        }
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

/// The bias of each pair of positions, from the rows of its bucket: (buckets, heads) → (1, heads, longest, longest)
fn relative_bias(table: &Tensor, longest: usize) -> Result<Tensor> {
    let buckets = relative_buckets(longest);
    // The distance key − query is entry `key - query + longest - 1`.
    let pairs = (0..longest).flat_map(|query| &buckets[longest - 1 - query..2 * longest - 1 - query]);
    let pairs: Vec<u32> = pairs.copied().collect();
    let heads = table.dim(1)?;
    rows::small_embedding(table, &pairs)?.t()?.contiguous()?.reshape((1, heads, longest, longest))
}

impl Padding {
    fn new(batch: &Batch, device: &Device) -> Result<Self> {
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
            relative_embeddings: None,
        })
    }
}
