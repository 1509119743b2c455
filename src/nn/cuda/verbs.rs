//! The verbs of the engine: each launches one kernel of `kernels/`, with the blocks that it asks for, and holds
//! the lengths of what it is given against the sizes. Shapes as in [`super::buffers`].

use super::buffers::{MOST_PARTS, Rounded};
use super::device::{Arguments, Bf16, Device, Factor, Kernel, Launch, Module, Product, Span, Way};
use super::input::Input;
use crate::error::Result;
use crate::nn::config::Activation;

/// Threads of a block, but for attention.
const THREADS: usize = 256;

/// The same of attention.
const ATTENTION_THREADS: usize = 128;

/// Widest row that a block takes whole.
pub(super) const WIDEST_ROW: usize = 2048;

/// Widest head of attention.
pub(super) const WIDEST_HEAD: usize = 96;

/// Blocks that add up the squares of the gradient.
pub(super) const SQUARES: usize = 1024;

/// Numbers of the dense part that a block of AdamW moves.
const CHUNK: usize = 4 * THREADS;

/// Dropout of one place in the model: the structure `Site` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site([u32; 3]);

impl Site {
    /// Nothing is dropped.
    pub(super) const OFF: Self = Site([0, 0, 0x3f80_0000]);

    pub(super) fn new(number: u32, threshold: u32, kept: f32) -> Self {
        Site([number, threshold, kept.to_bits()])
    }
}

/// The rows that a layer turns out: one for each token, or for each example's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    All,
    First,
}

/// Scale, shift and floor of a LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    /// Weight and bias: (2 H)
    pub(super) places: Span<f32>,
    pub(super) eps: f32,
}

/// x̂ and 1/σ that a LayerNorm leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normed {
    /// (R, H)
    pub(super) x: Span<f32>,
    /// (R)
    pub(super) deviations: Span<f32>,
}

/// Where the sums over rows of a kernel go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    /// (parts, stride)
    pub(super) partial: Span<f32>,
    pub(super) stride: usize,
}

/// What attention reads: the structures `Projected` and `Heads` of the kernels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    pub(super) rows: Rows,
    pub(super) heads: usize,
    pub(super) size: usize,
    /// Longest input that the model takes.
    pub(super) max_positions: usize,
    /// (R, ·), and (T, ·) twice, from the first column of each on.
    pub(super) queries: Span<f32>,
    pub(super) keys: Span<f32>,
    pub(super) values: Span<f32>,
    /// Distances of their rows.
    pub(super) strides: [usize; 2],
    /// (3 H)
    pub(super) biases: Span<f32>,
    pub(super) site: Site,
    /// Whether tensor cores multiply, in bf16.
    pub(super) is_bf16: bool,
}

/// What AdamW works on. Arenas are as in [`super::layout`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Training {
    pub(super) weights: Span<f32>,
    pub(super) gradients: Span<f32>,
    pub(super) first: Span<f32>,
    pub(super) second: Span<f32>,
    /// The matrices from `matrices` on, where there is a copy of them.
    pub(super) operands: Span<Bf16>,
    pub(super) matrices: usize,
    /// Where what does not decay begins.
    pub(super) vectors: usize,
    /// Rows of the word embedding and their width.
    pub(super) words: [usize; 2],
    /// Of each such row: the last step that had a gradient for it, and whether AdamW ever saw one.
    pub(super) stamps: Span<u32>,
    pub(super) seen: Span<u32>,
    /// The structure `Report`.
    pub(super) report: Span<u32>,
    /// (SQUARES)
    pub(super) squares: Span<f32>,
}

/// A device, and the input of the pass that it works on.
pub(super) struct Verbs<'a, D> {
    pub(super) device: &'a mut D,
    pub(super) input: Input,
    /// Whether products of f32 may be rounded to TF32.
    pub(super) is_rounded: bool,
}

impl<D: Device> Verbs<'_, D> {
    /// Rows of the bucket, real or not.
    pub(super) fn len(&self, rows: Rows) -> usize {
        match rows {
            Rows::All => self.input.bucket.tokens,
            Rows::First => self.input.bucket.examples,
        }
    }

    /// How many there are really, on the device.
    fn count(&self, rows: Rows) -> Span<u32> {
        match rows {
            Rows::All => self.input.tokens(),
            Rows::First => self.input.examples(),
        }
    }

    /// The tokens that have a row, unless all have.
    fn tokens(&self, rows: Rows) -> Span<u32> {
        match rows {
            Rows::All => Span::NONE,
            Rows::First => self.input.offsets,
        }
    }

    /// Blocks that share a sum over rows: enough for a large GPU, and the same for all sums of a bucket.
    fn parts(&self) -> usize {
        (self.input.bucket.tokens / 4).clamp(32, MOST_PARTS)
    }

    fn launch(
        &mut self,
        module: Module,
        name: &'static str,
        grid: [usize; 3],
        arguments: Arguments,
    ) -> Result<()> {
        let is_attention = matches!(module, Module::Attention | Module::AttentionBf16);
        let threads = if is_attention { ATTENTION_THREADS } else { THREADS };
        self.device.launch(Launch { kernel: Kernel { module, name }, grid, threads, arguments })
    }

    fn start(&self) -> Arguments {
        Arguments::default().span(self.input.step)
    }

    /// One of the three products of a linear layer with `weight` (outs, ins), or of its weights.
    fn multiply(
        &mut self,
        way: Way,
        (rows, outs, ins): (usize, usize, usize),
        factors: [Factor; 2],
        out: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let is_rounded = self.is_rounded;
        let product = Product { way, rows, outs, ins, factors, out, is_added, is_rounded };
        product.check();
        self.device.multiply(product)
    }

    /// `out` (rows, outs) = `x` (rows, ins) · Wᵀ
    pub(super) fn forward(&mut self, out: Span<f32>, x: Factor, weight: Factor, ins: usize) -> Result<()> {
        let (rows, outs) = (x.len() / ins, weight.len() / ins);
        self.multiply(Way::Forward, (rows, outs, ins), [x, weight], out.first(rows * outs), false)
    }

    /// `dx` (rows, ins) = `d` (rows, outs) · W, or added to what is there.
    pub(super) fn backward(
        &mut self,
        dx: Span<f32>,
        d: Factor,
        weight: Factor,
        ins: usize,
        is_added: bool,
    ) -> Result<()> {
        let outs = weight.len() / ins;
        let rows = d.len() / outs;
        self.multiply(Way::Backward, (rows, outs, ins), [d, weight], dx.first(rows * ins), is_added)
    }

    /// `dw` (outs, ins) = `d`ᵀ · `x`, of (rows, outs) and (rows, ins), or added to what is there.
    pub(super) fn weights(
        &mut self,
        dw: Span<f32>,
        d: Factor,
        x: Factor,
        rows: usize,
        is_added: bool,
    ) -> Result<()> {
        let sizes = (rows, d.len() / rows, x.len() / rows);
        self.multiply(Way::Weights, sizes, [d, x], dw, is_added)
    }

    /// `y` (T, H) = dropout(norm(word + position + segment))
    pub(super) fn embed(
        &mut self,
        [words, positions, segments]: [Span<f32>; 3],
        norm: Norm,
        site: Site,
        normed: Normed,
        y: Rounded,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::All), norm.places.len() / 2);
        let Input { ids, positions: places, types, .. } = self.input;
        let arguments = self.start().span(ids).span(places).span(types);
        let arguments = arguments.span(words).span(positions).span(segments);
        let arguments = norm_arguments(arguments, norm).int(h).words(&site.0);
        let arguments = arguments.span(normed.x.first(rows * h)).span(normed.deviations.first(rows));
        self.launch(Module::Norm, "embed", [rows, 1, 1], rounded(arguments, y, rows * h))
    }

    /// `y` (R, H) = norm(dropout(product + bias) + residual); the product, `normed.x`, becomes x̂.
    pub(super) fn add_norm(
        &mut self,
        rows: Rows,
        (bias, site, residual): (Span<f32>, Site, Span<f32>),
        norm: Norm,
        normed: Normed,
        y: Rounded,
    ) -> Result<()> {
        let (r, h) = (self.len(rows), bias.len());
        let arguments = self.start().span(self.count(rows)).span(self.tokens(rows)).span(bias).words(&site.0);
        let arguments = norm_arguments(arguments.span(residual.first(r * h)), norm).int(h);
        let arguments = arguments.span(normed.x.first(r * h)).span(normed.deviations.first(r));
        self.launch(Module::Norm, "add_norm", [r, 1, 1], rounded(arguments, y, r * h))
    }

    /// `d` (R, H), of the output of a norm, becomes that of its sum; `dh`, if it is there, that of the product in
    /// it. Sums for weight and bias of the norm go to column `at.0`, those for the product's bias to `at.1`.
    pub(super) fn norm_backward(
        &mut self,
        rows: Rows,
        [before, after]: [Site; 2],
        (normed, weight): (Normed, Span<f32>),
        d: Span<f32>,
        dh: Option<Rounded>,
        (sums, at): (Sums, (usize, usize)),
    ) -> Result<()> {
        let (r, h) = (self.len(rows), weight.len());
        let arguments = self.start().span(self.count(rows)).span(self.tokens(rows));
        let arguments = arguments.words(&before.0).words(&after.0);
        let arguments = arguments.span(normed.x.first(r * h)).span(normed.deviations.first(r)).span(weight);
        let arguments = arguments.int(r).int(h).span(d.first(r * h));
        let none = Rounded { wide: Span::NONE, operand: Span::NONE };
        let arguments = rounded(arguments, dh.unwrap_or(none), r * h);
        let arguments = arguments.span(sums.partial).int(sums.stride).int(at.0).int(at.1);
        self.launch(Module::Norm, "norm_backward", [self.parts(), 1, 1], arguments)
    }

    /// `out` (R, I) = f(x + bias); `x` becomes the derivative there.
    pub(super) fn activate(
        &mut self,
        rows: Rows,
        kind: Activation,
        bias: Span<f32>,
        x: Span<f32>,
        out: Rounded,
    ) -> Result<()> {
        let (r, width) = (self.len(rows), bias.len());
        let kind = match kind {
            Activation::Gelu => 0,
            Activation::GeluTanh => 1,
            Activation::Relu => 2,
        };
        let arguments = Arguments::default().span(self.count(rows)).int(kind).span(bias).int(width);
        let arguments = rounded(arguments.span(x.first(r * width)), out, r * width);
        self.launch(Module::Columns, "activate", [r, width.div_ceil(THREADS), 1], arguments)
    }

    /// `x` (R, width), times `slopes` if there are some, in place and as an operand; its column sums go to
    /// column `at`.
    pub(super) fn columns(
        &mut self,
        rows: Rows,
        width: usize,
        slopes: Option<Span<f32>>,
        x: Rounded,
        (sums, at): (Sums, usize),
    ) -> Result<()> {
        let r = self.len(rows);
        let slopes = slopes.map_or(Span::NONE, |slopes| slopes.first(r * width));
        let arguments = Arguments::default().span(self.count(rows)).span(slopes).int(r).int(width);
        let arguments = rounded(arguments, x, r * width).span(sums.partial).int(sums.stride).int(at);
        self.launch(Module::Columns, "columns", [self.parts(), width.div_ceil(THREADS), 1], arguments)
    }

    /// Column sums of `d` (T, H) for each of so many segments, from column `at` on.
    pub(super) fn segment_columns(
        &mut self,
        d: Span<f32>,
        (h, segments): (usize, usize),
        (sums, at): (Sums, usize),
    ) -> Result<()> {
        let arguments = self.start().span(self.input.types).span(d).int(h);
        let arguments = arguments.span(sums.partial).int(sums.stride).int(at);
        let grid = [self.parts(), h.div_ceil(THREADS), segments];
        self.launch(Module::Columns, "segment_columns", grid, arguments)
    }

    /// `gradient` = the sums from column `at` on, or added to what is there.
    pub(super) fn finish(
        &mut self,
        (sums, at): (Sums, usize),
        gradient: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let (parts, width) = (self.parts(), gradient.len());
        assert!(at + width <= sums.stride && parts * sums.stride <= sums.partial.len(), "room for sums");
        let arguments =
            Arguments::default().span(sums.partial).int(parts).int(sums.stride).int(at).int(width);
        let arguments = arguments.int(usize::from(is_added)).span(gradient);
        self.launch(Module::Columns, "finish", [width.div_ceil(32), 1, 1], arguments)
    }

    /// `picked` (E, H) = the rows of `x` of each example's first token.
    pub(super) fn pick(&mut self, x: Span<f32>, h: usize, picked: Rounded) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.start().span(self.input.offsets).span(x).int(h);
        self.launch(Module::Columns, "pick", [rows, 1, 1], rounded(arguments, picked, rows * h))
    }

    /// The way back: `dx` (T, H), zeros but for first tokens.
    pub(super) fn unpick(&mut self, d: Span<f32>, h: usize, dx: Span<f32>) -> Result<()> {
        let rows = self.len(Rows::All);
        let arguments = self.start().span(self.input.positions).span(self.input.owners);
        let arguments = arguments.span(d.first(self.len(Rows::First) * h)).int(h).span(dx.first(rows * h));
        self.launch(Module::Columns, "unpick", [rows, 1, 1], arguments)
    }

    /// The gradient of the words that are there: rows of `gradient`, marked in `stamps`.
    pub(super) fn scatter_words(
        &mut self,
        d: Span<f32>,
        h: usize,
        stamps: Span<u32>,
        gradient: Span<f32>,
    ) -> Result<()> {
        let Input { words, starts, order, .. } = self.input;
        let arguments = self.start().span(words).span(starts).span(order).span(d).int(h);
        let grid = [self.len(Rows::All), 1, 1];
        self.launch(Module::Columns, "scatter_words", grid, arguments.span(stamps).span(gradient))
    }

    /// The gradient of each position.
    pub(super) fn scatter_positions(
        &mut self,
        d: Span<f32>,
        h: usize,
        gradient: Span<f32>,
        is_added: bool,
    ) -> Result<()> {
        let arguments = self.start().span(self.input.offsets).span(d).int(h).int(usize::from(is_added));
        let grid = [gradient.len() / h, 1, 1];
        self.launch(Module::Columns, "scatter_positions", grid, arguments.span(gradient))
    }

    fn attention(&self, attention: &Attention) -> Arguments {
        let Attention { rows, heads, size, max_positions, queries, keys, values, strides, biases, site } =
            *attention;
        assert_eq!(biases.len(), 3 * heads * size, "biases of queries, keys and values");
        let pointers = [queries, keys, values, biases].map(Span::address);
        let halves = |address: u64| [address as u32, (address >> 32) as u32];
        let projected: Vec<u32> =
            pointers.into_iter().flat_map(halves).chain(strides.map(|stride| stride as u32)).collect();
        let is_first = u32::from(rows == Rows::First);
        let heads = [heads as u32, size as u32, max_positions.div_ceil(8) as u32, is_first];
        let Input { offsets, tiles, .. } = self.input;
        self.start().span(offsets).span(tiles).words(&projected).words(&heads).words(&site.0)
    }

    /// Launches one of attention's three kernels, a block for each of so many tiles.
    fn launch_attention(
        &mut self,
        attention: &Attention,
        [plain, narrow, middle, broad]: [&'static str; 4],
        tiles: usize,
        arguments: Arguments,
    ) -> Result<()> {
        let Attention { heads, size, is_bf16, .. } = *attention;
        if !is_bf16 {
            return self.launch(Module::Attention, plain, [tiles, heads, 1], arguments);
        }
        // A warp takes a head alone; kernels differ in how wide it is.
        let name = match size {
            0..=32 => narrow,
            33..=64 => middle,
            _ => broad,
        };
        self.launch(
            Module::AttentionBf16,
            name,
            [tiles, heads.div_ceil(ATTENTION_THREADS / 32), 1],
            arguments,
        )
    }

    /// Tiles of queries.
    fn query_tiles(&self, attention: &Attention) -> usize {
        match attention.rows {
            Rows::All => self.input.bucket.tiles(),
            Rows::First => self.input.bucket.examples,
        }
    }

    /// `context` (R, H), and the logarithms (R, heads) of the sums of softmax.
    pub(super) fn attend(&mut self, attention: &Attention, context: Rounded, logs: Span<f32>) -> Result<()> {
        let (r, h) = (self.len(attention.rows), attention.heads * attention.size);
        let arguments =
            rounded(self.attention(attention), context, r * h).span(logs.first(r * attention.heads));
        let names = ["attend", "attend_bf16_32", "attend_bf16_64", "attend_bf16_96"];
        self.launch_attention(attention, names, self.query_tiles(attention), arguments)
    }

    /// From the gradient of the context to those of queries, keys and values, which lie as these do.
    pub(super) fn attend_backward(
        &mut self,
        attention: &Attention,
        (context, logs): (Span<f32>, Span<f32>),
        (dcontext, alongs): (Span<f32>, Span<f32>),
        [dqueries, dkeys, dvalues]: [Span<f32>; 3],
    ) -> Result<()> {
        let r = self.len(attention.rows);
        let h = attention.heads * attention.size;
        let (logs, alongs) = (logs.first(r * attention.heads), alongs.first(r * attention.heads));
        let dcontext = dcontext.first(r * h);
        let arguments = self.attention(attention).span(logs).span(context.first(r * h)).span(dcontext);
        let arguments = arguments.span(dqueries).span(alongs);
        let names = [
            "attend_backward_queries",
            "attend_backward_queries_bf16_32",
            "attend_backward_queries_bf16_64",
            "attend_backward_queries_bf16_96",
        ];
        self.launch_attention(attention, names, self.query_tiles(attention), arguments)?;
        let arguments =
            self.attention(attention).span(logs).span(alongs).span(dcontext).span(dkeys).span(dvalues);
        let names = [
            "attend_backward_keys",
            "attend_backward_keys_bf16_32",
            "attend_backward_keys_bf16_64",
            "attend_backward_keys_bf16_96",
        ];
        self.launch_attention(attention, names, self.input.bucket.tiles(), arguments)
    }

    /// `x` (E, width) += bias
    pub(super) fn add_bias(&mut self, bias: Span<f32>, x: Span<f32>) -> Result<()> {
        let (rows, width) = (self.len(Rows::First), bias.len());
        let arguments = Arguments::default().span(bias).int(width).span(x.first(rows * width));
        self.launch(Module::Head, "add_bias", [rows, 1, 1], arguments)
    }

    /// `pooled` (E, H) = tanh(pooled + bias) or ReLU; `dropped` is that after dropout.
    pub(super) fn pool(
        &mut self,
        is_tanh: bool,
        bias: Span<f32>,
        site: Site,
        pooled: Span<f32>,
        dropped: Span<f32>,
    ) -> Result<()> {
        let (rows, h) = (self.len(Rows::First), bias.len());
        let arguments = self.start().int(usize::from(is_tanh)).span(bias).words(&site.0).int(h);
        let arguments = arguments.span(pooled.first(rows * h)).span(dropped.first(rows * h));
        self.launch(Module::Head, "pool", [rows, 1, 1], arguments)
    }

    /// `d` (E, H), of what was dropped, becomes that of the pooler's product.
    pub(super) fn pool_backward(
        &mut self,
        is_tanh: bool,
        site: Site,
        pooled: Span<f32>,
        h: usize,
        d: Span<f32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments = self.start().int(usize::from(is_tanh)).words(&site.0);
        let arguments = arguments.span(pooled.first(rows * h)).int(h).span(d.first(rows * h));
        self.launch(Module::Head, "pool_backward", [rows, 1, 1], arguments)
    }

    /// Adds the loss of `logits` (E, classes) to the report; `d` takes their gradient.
    pub(super) fn cross_entropy(
        &mut self,
        smoothing: f32,
        logits: Span<f32>,
        classes: usize,
        d: Span<f32>,
        report: Span<u32>,
    ) -> Result<()> {
        let rows = self.len(Rows::First);
        let arguments =
            self.start().span(self.input.labels).float(smoothing).span(logits.first(rows * classes));
        let arguments = arguments.int(rows).int(classes).span(d.first(rows * classes)).span(report);
        self.launch(Module::Head, "cross_entropy", [1, 1, 1], arguments)
    }

    /// Norm of the gradient and its scale → the report; then AdamW with `[1 - beta1, beta2, 1 - beta2, epsilon]`.
    pub(super) fn update(&mut self, training: Training, limit: f32, adamw: [f32; 4]) -> Result<()> {
        let Training { weights, gradients, words: [rows, width], stamps, seen, report, squares, .. } =
            training;
        let total = weights.len();
        let [first, second] = [training.first, training.second].map(|moments| moments.first(total));
        let arguments =
            self.start().span(gradients.first(total)).int(rows).int(width).span(stamps.first(rows));
        let arguments = arguments.long(total as u64).span(squares.first(SQUARES));
        self.launch(Module::Optimizer, "squares", [SQUARES, 1, 1], arguments)?;
        let arguments = Arguments::default().span(squares).int(SQUARES).float(limit).span(report);
        self.launch(Module::Optimizer, "clip", [1, 1, 1], arguments)?;
        let copied = [training.matrices, training.matrices + training.operands.len()];
        let arguments = self.start().span(report).words(&adamw.map(f32::to_bits)).int(rows).int(width);
        let arguments =
            arguments.span(stamps).span(seen.first(rows)).long(copied[0] as u64).long(copied[1] as u64);
        let arguments = arguments.long(training.vectors as u64).long(total as u64);
        let arguments =
            arguments.span(gradients).span(weights).span(first).span(second).span(training.operands);
        let grid = [rows + (total - rows * width).div_ceil(CHUNK), 1, 1];
        self.launch(Module::Optimizer, "adamw", grid, arguments)
    }
}

/// `operands` = `weights`, rounded.
pub(super) fn round_weights<D: Device>(
    device: &mut D,
    weights: Span<f32>,
    operands: Span<Bf16>,
) -> Result<()> {
    let count = weights.len();
    let arguments = Arguments::default().span(weights).long(count as u64).span(operands.first(count));
    let kernel = Kernel { module: Module::Optimizer, name: "round_weights" };
    device.launch(Launch { kernel, grid: [count.div_ceil(THREADS), 1, 1], threads: THREADS, arguments })
}

fn norm_arguments(arguments: Arguments, norm: Norm) -> Arguments {
    let h = norm.places.len() / 2;
    arguments.span(norm.places.slice(0..h)).span(norm.places.slice(h..2 * h)).float(norm.eps)
}

/// Both forms of the first `len` numbers, of which one may be missing.
fn rounded(arguments: Arguments, x: Rounded, len: usize) -> Arguments {
    let wide = if x.wide.is_none() { x.wide } else { x.wide.first(len) };
    let operand = if x.operand.is_none() { x.operand } else { x.operand.first(len) };
    arguments.span(wide).span(operand)
}
