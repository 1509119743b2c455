//! The forward pass of both families, up to the logits.
//!
//! Shapes: *tokens* are the real tokens of all examples, one after the other; *examples* × *longest*
//! is the padded rectangle that only attention sees.

use super::ops::{LayerNorm, Linear, activate, relu, softmax};
use crate::batch::Batch;
use crate::nn::config::{Activation, Family, ModelConfig};
use crate::nn::dropout::{self, Dropout};
use crate::nn::params::{LayerNames, Names};
use candle_core::{DType, Device, Result, Tensor};

/// The model as tensors. Made twice by an engine: over variables, for learning, and over the same
/// storage detached from them, so that inference records no graph.
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
    /// A field, so that a test can plant one that cuts the gradient.
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

/// Where the tokens of a batch are, on the device.
struct Places {
    examples: usize,
    longest: usize,
    /// For each place of the rectangle its token, or the one past the last: (examples · longest).
    token_of_place: Tensor,
    /// For each token its place in the rectangle: (tokens).
    place_of_token: Tensor,
    /// What is added to scores: 0, or a number that softmax makes 0: (examples, 1, 1, longest).
    mask: Tensor,
}

impl Encoder {
    /// Finds the tensors by name; `tensor` has to know every name of the table. The linear layers of the
    /// encoder multiply `factors`, those of the head f32.
    pub(crate) fn new(
        config: &ModelConfig,
        device: &Device,
        factors: DType,
        tensor: impl Fn(&str) -> Tensor,
    ) -> Self {
        let names = Names::of(config);
        let embedding = |name: &str| tensor(&format!("{name}.weight"));
        let linear_of = |name: &String, factors| Linear {
            weight: tensor(&format!("{name}.weight")),
            bias: tensor(&format!("{name}.bias")),
            factors,
        };
        let linear = |name: &String| linear_of(name, factors);
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

    /// Logits (examples, labels); with dropout when its masks are given.
    pub(crate) fn logits(&self, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        self.logits_of(self.rows_of(&batch.ids)?, batch, dropout)
    }

    /// Logits of words that are mixed with `others`; `shares` (tokens, 1) are those of the batch's own words.
    pub(crate) fn logits_of_mix(&self, batch: &Batch, others: &[u32], shares: &Tensor) -> Result<Tensor> {
        let others = self.rows_of(others)?;
        let apart = (self.rows_of(&batch.ids)? - &others)?;
        self.logits_of((others + apart.broadcast_mul(shares)?)?, batch, None)
    }

    /// The embedded words: (tokens, hidden)
    fn rows_of(&self, ids: &[u32]) -> Result<Tensor> {
        self.words.index_select(&Tensor::new(ids, &self.device)?, 0)
    }

    fn logits_of(&self, words: Tensor, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        let places = Places::of(batch, &self.device)?;
        let mut x = self.embed(words, batch, dropout)?;
        for (index, layer) in self.layers.iter().enumerate() {
            x = self.layer(layer, index, &x, batch, &places, dropout)?;
        }
        let first: Vec<u32> = batch.offsets[..batch.len()].iter().map(|offset| *offset as u32).collect();
        let first = x.index_select(&Tensor::new(first, &self.device)?, 0)?; // (examples, hidden)
        let pooled = self.pooler.forward(&first)?;
        let pooled = match self.family {
            Family::Bert => pooled.tanh()?,
            Family::DistilBert => relu(&pooled)?,
        };
        let site = dropout::classifier(self.layers.len());
        let pooled = match dropout {
            Some(masks) => masks.rows(&pooled, site, self.classifier_dropout, batch.first_example)?,
            None => pooled,
        };
        self.classifier.forward(&pooled)
    }

    /// (tokens, hidden) → (tokens, hidden)
    fn embed(&self, mut x: Tensor, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        if let Some(segments) = &self.segments {
            let type_ids = Tensor::new(batch.type_ids.as_slice(), &self.device)?;
            x = (x + segments.index_select(&type_ids, 0)?)?;
        }
        let positions: Vec<u32> = batch.offsets.windows(2).flat_map(|w| 0..(w[1] - w[0]) as u32).collect();
        x = (x + self.positions.index_select(&Tensor::new(positions, &self.device)?, 0)?)?;
        self.dropped(&self.embedding_norm.forward(&x)?, dropout::EMBEDDINGS, batch, dropout)
    }

    /// (tokens, hidden) → (tokens, hidden)
    fn layer(
        &self,
        layer: &Layer,
        index: usize,
        x: &Tensor,
        batch: &Batch,
        places: &Places,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let mut attended = self.attention(layer, index, x, batch, places, dropout)?;
        // DistilBERT has no dropout here.
        if self.family == Family::Bert {
            attended = self.dropped(&attended, dropout::attention_output(index), batch, dropout)?;
        }
        let x = layer.attention_norm.forward(&(attended + x)?)?;
        let inner = activate(&layer.up.forward(&x)?, self.activation)?; // (tokens, intermediate)
        let output = layer.down.forward(&inner)?;
        let output = self.dropped(&output, dropout::feed_forward(index), batch, dropout)?;
        layer.output_norm.forward(&(output + x)?)
    }

    /// (tokens, hidden) → (tokens, hidden)
    fn attention(
        &self,
        layer: &Layer,
        index: usize,
        x: &Tensor,
        batch: &Batch,
        places: &Places,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        let query = self.spread(&layer.query.forward(x)?, places)?;
        let key = self.spread(&layer.key.forward(x)?, places)?;
        let value = self.spread(&layer.value.forward(x)?, places)?;
        let scale = 1.0 / (self.head_size as f64).sqrt();
        let scores = (query.matmul(&key.t()?)? * scale)?; // (examples, heads, longest, longest)
        let mut probabilities = (self.softmax)(&scores.broadcast_add(&places.mask)?)?;
        if let Some(masks) = dropout {
            let sizes = (self.heads, self.max_positions);
            let mask = masks.attention(index, self.attention_dropout, batch, sizes, &self.device)?;
            if let Some(mask) = mask {
                probabilities = (probabilities * mask)?;
            }
        }
        let mixed = probabilities.matmul(&value)?.transpose(1, 2)?;
        let mixed = mixed.reshape((places.examples * places.longest, self.heads * self.head_size))?;
        layer.attention_out.forward(&mixed.index_select(&places.place_of_token, 0)?)
    }

    /// (tokens, hidden) → (examples, heads, longest, head size), zeros in the padding.
    fn spread(&self, x: &Tensor, places: &Places) -> Result<Tensor> {
        let zeros = Tensor::zeros((1, x.dim(1)?), x.dtype(), x.device())?;
        Tensor::cat(&[x, &zeros], 0)?
            .index_select(&places.token_of_place, 0)?
            .reshape((places.examples, places.longest, self.heads, self.head_size))?
            .transpose(1, 2)?
            .contiguous()
    }

    /// Hidden dropout of (tokens, hidden).
    fn dropped(&self, x: &Tensor, site: u32, batch: &Batch, dropout: Option<Dropout>) -> Result<Tensor> {
        match dropout {
            Some(masks) => masks.rows(x, site, self.hidden_dropout, batch.first_token),
            None => Ok(x.clone()),
        }
    }
}

impl Places {
    fn of(batch: &Batch, device: &Device) -> Result<Self> {
        let (examples, longest) = (batch.len(), batch.longest());
        let mut token_of_place = vec![batch.tokens() as u32; examples * longest];
        let mut place_of_token = Vec::with_capacity(batch.tokens());
        // Far below any score, and finite: no NaN can come of it.
        let mut mask = vec![f32::MIN / 2.0; examples * longest];
        for (example, bounds) in batch.offsets.windows(2).enumerate() {
            for (position, token) in (bounds[0]..bounds[1]).enumerate() {
                let place = example * longest + position;
                token_of_place[place] = token as u32;
                place_of_token.push(place as u32);
                mask[place] = 0.0;
            }
        }
        Ok(Places {
            examples,
            longest,
            token_of_place: Tensor::new(token_of_place, device)?,
            place_of_token: Tensor::new(place_of_token, device)?,
            mask: Tensor::from_vec(mask, (examples, 1, 1, longest), device)?,
        })
    }
}
