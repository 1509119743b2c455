//! The forward pass of BERT and DistilBERT, from tokens to logits.
//!
//! Shapes: *tokens* are the real tokens of all examples, concatenated; (examples, longest) is the padded layout that
//! only attention uses.

use super::dropout::{apply_to_rows, attention_mask};
use super::ops::{LayerNorm, Linear, activate, relu, softmax};
use super::rows::{self, RowSelection};
use crate::batch::Batch;
use crate::nn::config::{Family, ModelConfig, PoolerActivation};
use crate::nn::params::{LayerNames, Names};
use candle_core::{DType, Device, Result, Tensor};
use kernels::activation::Activation;
use kernels::dropout::{self, Dropout};

/// The model as tensors. An engine has two: one of variables for training, and one of detached tensors over the same
/// storage, so that inference records no graph.
pub(crate) struct Encoder {
    family: Family,
    heads: usize,
    head_size: usize,
    max_positions: usize,
    hidden_dropout: f64,
    attention_dropout: f64,
    classifier_dropout: f64,
    activation: Activation,
    /// (vocabulary, hidden)
    words: Tensor,
    /// (positions, hidden)
    positions: Tensor,
    /// (segments, hidden)
    segments: Option<Tensor>,
    embedding_norm: LayerNorm,
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
}

/// Maps between concatenated tokens and the padded layout, on the device.
struct Padding {
    examples: usize,
    longest: usize,
    /// Token of each padded position; the index after the last token for padding: (examples · longest)
    token_of_position: RowSelection,
    /// Padded position of each token: (tokens)
    position_of_token: RowSelection,
    /// Added to the attention scores: 0 for tokens, a large negative number for padding: (examples, 1, 1, longest)
    mask: Tensor,
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
        let names = Names::of(config);
        let embedding = |name: &str| tensor(&format!("{name}.weight"));
        let linear_of = |name: &String, operand_dtype| Linear {
            weight: tensor(&format!("{name}.weight")),
            bias: tensor(&format!("{name}.bias")),
            operand_dtype,
        };
        let linear = |name: &String| linear_of(name, operand_dtype);
        let norm = |name: &String| LayerNorm {
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
        };
        Encoder {
            family: config.family,
            heads: config.heads,
            head_size: config.head_size(),
            max_positions: config.max_positions,
            hidden_dropout: config.hidden_dropout,
            attention_dropout: config.attention_dropout,
            classifier_dropout: config.classifier_dropout,
            activation: config.activation,
            words: embedding(&names.words),
            positions: embedding(&names.positions),
            segments: names.segments.as_deref().map(embedding),
            embedding_norm: norm(&names.embedding_norm),
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

    /// (tokens, hidden)
    fn word_embeddings(&self, ids: &[u32]) -> Result<Tensor> {
        rows::embedding(&self.words, ids)
    }

    fn logits_from_embeddings(
        &self,
        words: Tensor,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let padding = Padding::new(batch, &self.device)?;
        let mut x = self.embed(words, batch, dropout)?;
        for (index, layer) in self.layers.iter().enumerate() {
            x = self.layer(layer, index, &x, batch, &padding, dropout)?;
        }
        let first: Vec<u32> = batch.offsets[..batch.len()].iter().map(|offset| *offset as u32).collect();
        let first = RowSelection::new(first, batch.tokens(), &self.device)?.select(&x)?; // (examples, hidden)
        let pooled = self.pooler.forward(&first)?;
        let pooled = match self.family.pooler_activation() {
            PoolerActivation::Tanh => pooled.tanh()?,
            PoolerActivation::Relu => relu(&pooled)?,
        };
        let site = dropout::classifier(self.layers.len());
        let pooled = match dropout {
            Some(masks) => apply_to_rows(masks, &pooled, site, self.classifier_dropout, batch.first_example)?,
            None => pooled,
        };
        self.classifier.forward(&pooled)
    }

    /// dropout(LayerNorm(word + segment + position)): (tokens, hidden)
    fn embed(&self, mut x: Tensor, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        if let Some(segments) = &self.segments {
            x = (x + rows::small_embedding(segments, &batch.type_ids)?)?;
        }
        let positions: Vec<u32> = batch.offsets.windows(2).flat_map(|w| 0..(w[1] - w[0]) as u32).collect();
        x = (x + rows::embedding(&self.positions, &positions)?)?;
        self.dropout(&self.embedding_norm.forward(&x)?, dropout::EMBEDDINGS, batch, dropout)
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
        let mut attention = self.attention(layer, index, x, batch, padding, dropout)?;
        // DistilBERT has no dropout after the attention output.
        if self.family.has_attention_output_dropout() {
            attention = self.dropout(&attention, dropout::attention_output(index), batch, dropout)?;
        }
        let x = layer.attention_norm.forward(&(attention + x)?)?;
        let ffn_act = activate(&layer.up.forward(&x)?, self.activation)?; // (tokens, intermediate)
        let output = layer.down.forward(&ffn_act)?;
        let output = self.dropout(&output, dropout::feed_forward(index), batch, dropout)?;
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
        let scale = 1.0 / (self.head_size as f64).sqrt();
        let scores = (query.matmul(&key.t()?)? * scale)?; // (examples, heads, longest, longest)
        let mut probs = (self.softmax)(&scores.broadcast_add(&padding.mask)?)?;
        if let Some(masks) = dropout {
            let sizes = (self.heads, self.max_positions);
            let mask = attention_mask(masks, index, self.attention_dropout, batch, sizes, &self.device)?;
            if let Some(mask) = mask {
                probs = (probs * mask)?;
            }
        }
        let context = probs.matmul(&value)?.transpose(1, 2)?; // (examples, longest, heads, head size)
        let context = context.reshape((padding.examples * padding.longest, self.heads * self.head_size))?;
        layer.attention_out.forward(&padding.position_of_token.select(&context)?)
    }

    /// (tokens, hidden) → (examples, heads, longest, head size), with zeros in the padding.
    fn split_heads(&self, x: &Tensor, padding: &Padding) -> Result<Tensor> {
        let zeros = Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?;
        padding
            .token_of_position
            .select(&Tensor::cat(&[x, &zeros], 0)?)?
            .reshape((padding.examples, padding.longest, self.heads, self.head_size))?
            .transpose(1, 2)?
            .contiguous()
    }

    /// Applies hidden dropout to `x` (tokens, hidden).
    fn dropout(&self, x: &Tensor, site: u32, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        match dropout {
            Some(masks) => apply_to_rows(masks, x, site, self.hidden_dropout, batch.first_token),
            None => Ok(x.clone()),
        }
    }
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
        })
    }
}
