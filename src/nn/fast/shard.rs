//! A share of a batch on its way through the whole model and back, on threads of its own.

use super::kernels::Cpu;
use super::kernels::Spent;
use super::kernels::embedding::{gather, mix, scatter, slopes};
use super::kernels::norm::{Mask, Norm, NormGradient, add_columns, drop_rows, norm_backward, norm_rows};
use super::kernels::packed::Format;
use super::kernels::product::{Multiplier, Products, Weight, WeightGradient};
use super::layer::{Layer, factors};
use super::layout::{Layout, Pair};
use super::row_selection::Rows;
use super::tape::LayerTape;
use super::work::Work;
use crate::batch::{Batch, Label};
use crate::nn::config::{Family, ModelConfig};
use crate::nn::dropout::{self, Dropout};
use std::time::Instant;

/// What all shards read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    pub(super) cpu: Cpu,
    pub(super) config: &'a ModelConfig,
    pub(super) layout: &'a Layout,
    /// The arena.
    pub(super) weights: &'a [f32],
}

/// What the loss needs beside logits and labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// 1 / examples of the whole batch
    pub(super) share: f32,
    pub(super) label_smoothing: f32,
}

/// Where the way back begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// At the loss.
    Loss(Target),
    /// At the logit of a class.
    Logit(usize),
}

/// Where a shard's time went; that of products and attention is in their own count too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    pub(super) embedding: Spent,
    pub(super) layers: Spent,
    pub(super) head: Spent,
}

/// Buffers of one share.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) work: Work,
    /// For the few rows of the head, which are multiplied in f32 always.
    few: Products,
    pub(super) parts: Parts,
    /// x̂ of the embeddings: (T, H)
    embedding_normed: Vec<f32>,
    /// 1/σ: (T)
    embedding_deviations: Vec<f32>,
    /// Inputs of the layers, and the output of the last: (T, H) each.
    states: Vec<Vec<f32>>,
    tapes: Vec<LayerTape>,
    /// What all layers but the last work on, and the last.
    rows: [Rows; 2],
    /// After tanh or ReLU, before dropout: (examples, H)
    pooled: Vec<f32>,
    /// After dropout.
    dropped: Vec<f32>,
    /// (examples, labels)
    pub(super) logits: Vec<f32>,
    /// After [`Shard::slopes`]: (T)
    pub(super) slopes: Vec<f32>,
    /// Gradients of the small tensors, as an arena begins.
    pub(super) small: Vec<f32>,
    pub(super) loss: f64,
}

impl Model<'_> {
    fn slice(&self, place: &std::ops::Range<usize>) -> &[f32] {
        &self.weights[place.clone()]
    }

    fn labels(&self) -> usize {
        self.layout.classifier.bias.len()
    }

    fn layer(&self, number: usize, dropout: Option<Dropout>) -> Layer<'_> {
        Layer {
            cpu: self.cpu,
            config: self.config,
            number,
            places: &self.layout.layers[number],
            weights: self.weights,
            dropout,
        }
    }

    /// `x` (rows, in) → `out` (rows, out): x Wᵀ + b
    fn linear(&self, products: &mut Products, x: &[f32], places: &Pair, out: &mut Vec<f32>) {
        let bias = self.slice(&places.bias);
        let weight = self.weight(places);
        out.resize(x.len() / weight.ins() * bias.len(), 0.0);
        products.forward(out, x, weight);
        for row in out.chunks_exact_mut(bias.len()) {
            for (x, bias) in row.iter_mut().zip(bias) {
                *x += bias;
            }
        }
    }

    /// The way back through [`Model::linear`]: gradients of weight and bias, and of `x` in `dx`.
    fn linear_backward(
        &self,
        products: &mut Products,
        (x, d): (&[f32], &[f32]),
        places: &Pair,
        small: &mut [f32],
        dx: &mut [f32],
    ) {
        add_columns(self.cpu, d, &mut small[places.bias.clone()]);
        let dw = &mut small[places.weight.clone()];
        let gradient = WeightGradient { dw, d: vec![d], x: vec![x], outs: places.bias.len() };
        products.weights(vec![gradient], true);
        products.backward(dx, d, self.weight(places), false);
    }

    fn weight(&self, places: &Pair) -> Weight<'_> {
        Weight::new(self.slice(&places.weight), places.weight.len() / places.bias.len())
    }

    /// The tables of an embedding with each token's row in them.
    fn tables<'b>(&'b self, batch: &'b Batch, positions: &'b [u32]) -> Vec<(&'b [f32], &'b [u32])> {
        let mut tables = vec![(self.slice(&self.layout.words), batch.ids.as_slice())];
        if let Some(segments) = &self.layout.segments {
            tables.push((self.slice(segments), &batch.type_ids));
        }
        tables.push((self.slice(&self.layout.positions), positions));
        tables
    }
}

/// The example's part of the loss: of its cross-entropy, smoothed. `d` gets the gradient of its logits.
fn cross_entropy(logits: &[f32], label: usize, target: Target, d: &mut Vec<f32>) -> f64 {
    let Target { share, label_smoothing } = target;
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - largest).exp()).sum();
    let mut loss = 0.0;
    for (class, x) in logits.iter().enumerate() {
        let log = x - largest - sum.ln();
        let is_it = if class == label { 1.0 - label_smoothing } else { 0.0 };
        let wanted = is_it + label_smoothing / logits.len() as f32;
        loss -= f64::from(wanted * log * share);
        d.push((log.exp() - wanted) * share);
    }
    loss
}

/// The same of the squared error of a regression.
fn squared_error(logit: f32, value: f32, target: Target, d: &mut Vec<f32>) -> f64 {
    let error = logit - value;
    d.push(2.0 * error * target.share);
    f64::from(error * error * target.share)
}

/// Position of each token within its example.
fn positions(batch: &Batch) -> Vec<u32> {
    batch.offsets.windows(2).flat_map(|bounds| 0..(bounds[1] - bounds[0]) as u32).collect()
}

impl Shard {
    /// A shard whose layers multiply in `format` if the machine can.
    pub(super) fn new(format: Format) -> Self {
        Shard {
            work: Work::new(Products::new(Multiplier::fastest(format))),
            few: Products::new(Multiplier::fastest(Format::F32)),
            parts: Parts::default(),
            embedding_normed: Vec::new(),
            embedding_deviations: Vec::new(),
            states: Vec::new(),
            tapes: Vec::new(),
            rows: Default::default(),
            pooled: Vec::new(),
            dropped: Vec::new(),
            logits: Vec::new(),
            slopes: Vec::new(),
            small: Vec::new(),
            loss: 0.0,
        }
    }

    /// Numbers that buffers hold for a pass and its way back.
    #[cfg(test)]
    pub(super) fn activations(&mut self) -> usize {
        let tapes = self.tapes.iter_mut().flat_map(LayerTape::buffers);
        let buffers = tapes.chain(self.work.buffers()).map(|buffer| buffer.len()).sum::<usize>();
        // The last state, of first tokens only, is part of the head, as are logits and what is pooled.
        let states = self.states[..self.tapes.len()].iter().map(Vec::len).sum::<usize>();
        buffers + states + self.embedding_normed.len() + self.embedding_deviations.len()
    }

    /// How many threads share one product.
    pub(super) fn set_threads(&mut self, threads: usize) {
        self.work.products.threads = threads;
        self.few.threads = threads;
    }

    /// After [`Shard::embed_backward`]: the gradient of each embedded word, (T, H).
    pub(super) fn word_gradients(&self) -> &[f32] {
        &self.work.down[0]
    }

    /// Before a step: no loss, and zeros where gradients are added up.
    pub(super) fn begin(&mut self, layout: &Layout) {
        self.loss = 0.0;
        self.small.clear();
        self.small.resize(layout.small(), 0.0);
    }

    /// Logits of `batch`; with masks and a tape of every layer when `dropout` is given.
    pub(super) fn forward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        learns: bool,
    ) {
        self.embed(model, batch, None, dropout);
        self.encode(model, batch, dropout, learns);
    }

    /// Logits of mixed words, and how the logit of `class` changes with the share of each: of each token, the
    /// word that it is mixed with, and the share of its own. Leaves gradients of the small tensors that belong
    /// to no step.
    pub(super) fn slopes(&mut self, model: Model<'_>, batch: &Batch, mixed: (&[u32], &[f32]), class: usize) {
        self.begin(model.layout);
        self.embed(model, batch, Some(mixed), None);
        self.encode(model, batch, None, true);
        self.head_backward(model, batch, None, Origin::Logit(class));
        for number in (0..model.config.layers).rev() {
            self.layer_backward(model, number, None);
        }
        self.embed_backward(model, batch, None);
        let (h, words) = (model.config.hidden, model.slice(&model.layout.words));
        let d = &self.work.down[0][..batch.tokens() * h];
        slopes(d, words, &batch.ids, mixed.0, h, &mut self.slopes);
    }

    /// From what is embedded to the logits.
    fn encode(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>, learns: bool) {
        let (config, layers) = (model.config, model.config.layers);
        let begun = Instant::now();
        // Without a way back one tape and two states serve all layers.
        self.tapes.resize_with(if learns { layers } else { 1 }, LayerTape::default);
        self.rows = [Rows::all(batch, config.heads), Rows::first(batch, config.heads)];
        for number in 0..layers {
            let rows = &self.rows[usize::from(number + 1 == layers)];
            let (from, to) = if learns { (number, number + 1) } else { (number % 2, (number + 1) % 2) };
            let mut out = std::mem::take(&mut self.states[to]);
            out.resize(rows.len() * config.hidden, 0.0);
            let tape = &mut self.tapes[if learns { number } else { 0 }];
            let (x, layer) = (&self.states[from], model.layer(number, dropout));
            layer.forward(x, rows, tape, &mut self.work, &mut out);
            self.states[to] = out;
        }
        self.parts.layers.since(begun);
        let begun = Instant::now();
        self.head(model, batch, dropout, if learns { layers } else { layers % 2 });
        self.parts.head.since(begun);
    }

    /// The first layer's input, perhaps with words that are mixed with others.
    fn embed(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        mixed: Option<(&[u32], &[f32])>,
        dropout: Option<Dropout>,
    ) {
        let begun = Instant::now();
        let (config, cpu) = (model.config, model.cpu);
        let (t, h) = (batch.tokens(), config.hidden);
        self.states.resize_with((config.layers + 1).max(2), Vec::new);
        self.embedding_normed.resize(t * h, 0.0);
        self.embedding_deviations.resize(t, 0.0);
        let x = &mut self.states[0];
        x.resize(t * h, 0.0);
        let positions = positions(batch);
        gather(&model.tables(batch, &positions), h, &mut self.embedding_normed);
        if let Some(mixed) = mixed {
            mix(model.slice(&model.layout.words), &batch.ids, mixed, h, &mut self.embedding_normed);
        }
        let places = &model.layout.embedding_norm;
        let (weight, bias) = (model.slice(&places.weight), model.slice(&places.bias));
        let norm = Norm { weight, bias, eps: config.layer_norm_eps };
        norm_rows(cpu, &mut self.embedding_normed, norm, &mut self.embedding_deviations, x);
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + t).collect();
        drop_rows(cpu, x, h, embedding_mask(config, dropout, &tokens));
        self.parts.embedding.since(begun);
    }

    /// State of the first tokens → logits.
    fn head(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>, last: usize) {
        let config = model.config;
        model.linear(&mut self.few, &self.states[last], &model.layout.pooler, &mut self.pooled);
        for x in &mut self.pooled {
            *x = match config.family {
                Family::Bert => x.tanh(),
                Family::DistilBert => x.max(0.0),
            };
        }
        self.dropped.clone_from(&self.pooled);
        let examples: Vec<usize> = (batch.first_example..batch.first_example + batch.len()).collect();
        let mask = head_mask(config, dropout, &examples);
        drop_rows(model.cpu, &mut self.dropped, config.hidden, mask);
        model.linear(&mut self.few, &self.dropped, &model.layout.classifier, &mut self.logits);
    }

    /// The way back begins, after [`Shard::forward`] in learning: adds to the loss, if it begins there, and to
    /// the gradients of the head.
    pub(super) fn head_backward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        from: Origin,
    ) {
        let begun = Instant::now();
        self.work.fit((batch.tokens(), model.config.hidden, model.config.intermediate));
        let dlogits = match from {
            Origin::Loss(target) => self.losses(model.labels(), &batch.labels, target),
            Origin::Logit(class) => one_hot(model.labels(), batch.len(), class),
        };
        self.logits_backward(model, batch, dropout, &dlogits);
        self.parts.head.since(begun);
    }

    /// The way back through layer `number`, after that through the next one. Adds to the gradients of biases
    /// and norms; [`Shard::factors`] has what those of matrices are made of.
    pub(super) fn layer_backward(&mut self, model: Model<'_>, number: usize, dropout: Option<Dropout>) {
        let begun = Instant::now();
        let rows = &self.rows[usize::from(number + 1 == model.config.layers)];
        let (x, tape) = (&self.states[number], &mut self.tapes[number]);
        model.layer(number, dropout).backward(x, rows, tape, &mut self.small, &mut self.work);
        self.parts.layers.since(begun);
    }

    /// For each matrix of the layer, until the way back goes on: d and x of dW = dᵀ · x.
    pub(super) fn factors(&self, number: usize) -> [(&[f32], &[f32]); 5] {
        let rows = &self.rows[usize::from(number + 1 == self.tapes.len())];
        factors(&self.states[number], rows, &self.tapes[number], &self.work)
    }

    /// From the gradient of the logits, (examples, labels), to that of the last layer's output.
    fn logits_backward(
        &mut self,
        model: Model<'_>,
        batch: &Batch,
        dropout: Option<Dropout>,
        dlogits: &[f32],
    ) {
        let config = model.config;
        let layout = model.layout;
        let d = &mut self.work.down[0][..batch.len() * config.hidden];
        let mut dpooled = vec![0.0; d.len()];
        let Shard { few, dropped, small, .. } = self;
        model.linear_backward(few, (dropped, dlogits), &layout.classifier, small, &mut dpooled);
        let examples: Vec<usize> = (batch.first_example..batch.first_example + batch.len()).collect();
        let mask = head_mask(config, dropout, &examples);
        drop_rows(model.cpu, &mut dpooled, config.hidden, mask);
        for (d, pooled) in dpooled.iter_mut().zip(&self.pooled) {
            *d *= match config.family {
                Family::Bert => 1.0 - pooled * pooled,
                Family::DistilBert => f32::from(u8::from(*pooled > 0.0)),
            };
        }
        let first = &self.states[config.layers];
        let d = &mut self.work.down[0][..batch.len() * config.hidden];
        model.linear_backward(&mut self.few, (first, &dpooled), &layout.pooler, &mut self.small, d);
    }

    /// Adds the loss of these examples; returns the gradient of the logits: (examples, labels).
    fn losses(&mut self, outputs: usize, labels: &[Label], target: Target) -> Vec<f32> {
        let mut d = Vec::with_capacity(self.logits.len());
        for (logits, label) in self.logits.chunks_exact(outputs).zip(labels) {
            self.loss += match label {
                Label::Class(class) => cross_entropy(logits, *class as usize, target, &mut d),
                Label::Value(value) => squared_error(logits[0], *value, target, &mut d),
            };
        }
        d
    }

    /// The way back ends: from the gradient of the first layer's input to that of the embedded words, which
    /// [`Shard::word_gradients`] gives. Adds to the gradients of the other embeddings and of their norm.
    pub(super) fn embed_backward(&mut self, model: Model<'_>, batch: &Batch, dropout: Option<Dropout>) {
        let begun = Instant::now();
        let (config, layout, cpu) = (model.config, model.layout, model.cpu);
        let h = config.hidden;
        let d = &mut self.work.down[0][..batch.tokens() * h];
        let tokens: Vec<usize> = (batch.first_token..batch.first_token + batch.tokens()).collect();
        drop_rows(cpu, d, h, embedding_mask(config, dropout, &tokens));
        let places = &layout.embedding_norm;
        let small = &mut self.small;
        let (weight, bias) = small[places.both()].split_at_mut(h);
        let gradient = NormGradient { weight, bias };
        let scale = model.slice(&places.weight);
        norm_backward(cpu, d, &self.embedding_normed, &self.embedding_deviations, scale, gradient);
        scatter(d, &positions(batch), h, &mut small[layout.positions.clone()]);
        if let Some(segments) = &layout.segments {
            scatter(d, &batch.type_ids, h, &mut small[segments.clone()]);
        }
        self.parts.embedding.since(begun);
    }
}

/// The gradient of a logit of each example: (examples, classes).
fn one_hot(classes: usize, examples: usize, class: usize) -> Vec<f32> {
    let mut d = vec![0.0; examples * classes];
    for row in d.chunks_exact_mut(classes) {
        row[class] = 1.0;
    }
    d
}

fn embedding_mask<'t>(config: &ModelConfig, dropout: Option<Dropout>, tokens: &'t [usize]) -> Mask<'t> {
    let site = dropout.and_then(|dropout| dropout.site(dropout::EMBEDDINGS, config.hidden_dropout));
    Mask { site, tokens }
}

fn head_mask<'t>(config: &ModelConfig, dropout: Option<Dropout>, examples: &'t [usize]) -> Mask<'t> {
    let number = dropout::classifier(config.layers);
    let site = dropout.and_then(|dropout| dropout.site(number, config.classifier_dropout));
    Mask { site, tokens: examples }
}
