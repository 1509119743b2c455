//! [`CudaEngine`]: passes, AdamW and recordings behind the [`Engine`] interface.

use super::buffers::{Buffers, Room};
use super::device::{Bf16, Device, Span};
use super::input::{Bucket, Input, Numbers, words};
use super::layout::Layout;
use super::ops::{Ops, SQUARES, Training, WIDEST_HEAD, WIDEST_ROW, round_weights};
use super::pass::Model;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::format::bytes;
use crate::machine::MemoryInfo;
use crate::nn::arena::ParamRange;
use crate::nn::check::{check_batch, check_labels, check_weights};
use crate::nn::config::ModelConfig;
use crate::nn::engine::{
    Array, Engine, EngineState, InputGradients, Interpolation, MemoryPlan, Optimizer, Part, StepInput,
    StepReport, Weights,
};
use crate::nn::names::ParamSpec;
use crate::nn::{Limits, Settings};
use crate::rng::{Rng, Stream};
use crate::spec::Precision;
use std::collections::BTreeMap;

/// Recordings that are kept at most; what comes after them is launched each time anew.
const MOST_RECORDINGS: usize = 128;

/// Words of the structure `Report` of the kernels.
const REPORT: usize = 4;

/// Bytes of a number.
const NUMBER: usize = 4;

/// The engine of a GPU.
pub(super) struct CudaEngine<D: Device> {
    config: ModelConfig,
    layout: Layout,
    seed: u64,
    optimizer: Optimizer,
    limits: Limits,
    precision: Precision,
    // Before the device that it is memory of, so that it goes first.
    recordings: BTreeMap<Work, Option<D::Recording>>,
    activations: Option<(Room, Buffers, D::MemoryInfo)>,
    parameters: Parameters,
    _memory: D::MemoryInfo,
    device: D,
    updates: u64,
    stamp: u32,
    /// Steps that were begun since the last report.
    untold: u64,
}

/// What goes to the device in one piece, and is the same each time but for the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// Logits.
    Judge(Bucket),
    /// Loss and gradients, added to those of the step's earlier parts or not, and then perhaps the update.
    Learn { bucket: Bucket, is_added: bool, updates: bool },
}

impl Work {
    fn available_memory(self) -> Room {
        match self {
            Work::Judge(bucket) => Room { bucket, learns: false },
            Work::Learn { bucket, .. } => Room { bucket, learns: true },
        }
    }
}

/// What lives as long as the engine, in device memory.
#[derive(Debug, Clone, Copy)]
struct Parameters {
    weights: Span<f32>,
    gradients: Span<f32>,
    first: Span<f32>,
    second: Span<f32>,
    operands: Span<Bf16>,
    /// Of each row of the word embedding: the last step that had a gradient for it; whether any update had one.
    stamps: Span<u32>,
    seen: Span<u32>,
    report: Span<u32>,
    squares: Span<f32>,
}

impl Parameters {
    /// From `base` on, with the bytes that they take.
    fn new(config: &ModelConfig, layout: &Layout, is_bf16: bool, base: u64) -> (Self, usize) {
        let mut end = base;
        let mut take = |bytes: usize| {
            let begin = end;
            end = (end + bytes as u64).next_multiple_of(256);
            begin
        };
        let length = layout.length();
        let mut numbers = |count: usize| Span::new(take(count * NUMBER), count);
        let [weights, gradients, first, second] = [(); 4].map(|()| numbers(length));
        let squares = numbers(SQUARES);
        let mut whole = |count: usize| Span::new(take(count * NUMBER), count);
        let [stamps, seen] = [(); 2].map(|()| whole(config.vocab_size));
        let report = whole(REPORT);
        let matrices = layout.matrices.len();
        let operands =
            if is_bf16 { Span::new(take(matrices * size_of::<Bf16>()), matrices) } else { Span::NONE };
        let parameters =
            Parameters { weights, gradients, first, second, operands, stamps, seen, report, squares };
        (parameters, (end - base) as usize)
    }

    fn arena(&self, part: Part) -> Span<f32> {
        match part {
            Part::Weight => self.weights,
            Part::FirstMoment => self.first,
            Part::SecondMoment => self.second,
        }
    }
}

impl<D: Device> CudaEngine<D> {
    /// An engine over `weights`, which hold every tensor of `slots`.
    pub(super) fn new(
        config: &ModelConfig,
        slots: &[ParamSpec],
        weights: &Weights,
        settings: Settings,
        mut device: D,
    ) -> Result<Self> {
        let Settings { seed, optimizer, limits, precision, .. } = settings;
        refuse(config)?;
        let layout = Layout::new(config, slots);
        let is_bf16 = precision == Precision::Bf16;
        let (_, needed) = Parameters::new(config, &layout, is_bf16, 0);
        let memory = device.allocate(needed).map_err(|error| short(&device, needed, &error))?;
        let (parameters, _) = Parameters::new(config, &layout, is_bf16, D::address(&memory));
        let mut engine = CudaEngine {
            config: config.clone(),
            layout,
            seed,
            optimizer,
            limits,
            precision,
            recordings: BTreeMap::new(),
            activations: None,
            parameters,
            _memory: memory,
            device,
            updates: 0,
            stamp: 0,
            untold: 0,
        };
        engine.set_weights(weights)?;
        Ok(engine)
    }

    /// Number format of the layers' products: `f32`, `tf32` or `bf16`.
    pub(super) fn precision(&self) -> &'static str {
        match self.precision {
            Precision::Auto | Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }

    /// Pieces of work that were recorded.
    #[cfg(test)]
    pub(super) fn recorded(&self) -> usize {
        self.recordings.values().flatten().count()
    }

    fn is_bf16(&self) -> bool {
        self.precision == Precision::Bf16
    }

    fn slots(&self) -> impl Iterator<Item = &ParamSpec> + Clone {
        self.layout.places.iter().map(|place| &place.slot)
    }

    /// Room for a piece of work; recordings of a smaller room are forgotten.
    fn make_room(&mut self, room: Room) -> Result<()> {
        let is_enough = |found: &Room| found.bucket.holds(room.bucket) && (found.learns || !room.learns);
        let found = self.activations.as_ref().map(|(found, ..)| *found);
        if found.as_ref().is_some_and(is_enough) {
            return Ok(());
        }
        let room = found.map_or(room, |found| Room {
            bucket: found.bucket.union(room.bucket),
            learns: found.learns || room.learns,
        });
        self.recordings.clear();
        self.activations = None;
        let (classes, is_bf16) = (self.layout.classes(), self.is_bf16());
        let (_, needed) = Buffers::new(&self.config, classes, is_bf16, room, 0);
        let memory = self.device.allocate(needed).map_err(|error| short(&self.device, needed, &error))?;
        let (buffers, _) = Buffers::new(&self.config, classes, is_bf16, room, D::address(&memory));
        self.activations = Some((room, buffers, memory));
        Ok(())
    }

    /// Does a piece of work on `batch`: the first time step by step, later from a recording.
    fn run(&mut self, work: Work, batch: &Batch, numbers: Numbers) -> Result<()> {
        let room = work.available_memory();
        self.make_room(room)?;
        let CudaEngine {
            config,
            layout,
            optimizer,
            precision,
            recordings,
            activations,
            parameters,
            device,
            ..
        } = self;
        let (_, buffers, _) = activations.as_ref().expect("room was made");
        let input = Input::new(room.bucket, buffers.input);
        device.write(input.block, &words(room.bucket, batch, numbers))?;
        let model = Model {
            config,
            layout,
            weights: parameters.weights,
            operands: parameters.operands,
            gradients: parameters.gradients,
            stamps: parameters.stamps,
            report: parameters.report,
            learns: room.learns,
        };
        let training = training(parameters, layout, config);
        let is_rounded = *precision == Precision::Tf32;
        let mut whole = |device: &mut D| -> Result<()> {
            let mut ops = Ops { device, input, is_rounded };
            model.forward(&mut ops, buffers)?;
            if let Work::Learn { is_added, updates, .. } = work {
                model.backward(&mut ops, buffers, optimizer.label_smoothing as f32, is_added)?;
                if updates {
                    let Optimizer { beta1, beta2, epsilon, max_grad_norm, .. } = *optimizer;
                    let adamw = [1.0 - beta1, beta2, 1.0 - beta2, epsilon].map(|x| x as f32);
                    ops.update(training, max_grad_norm as f32, adamw)?;
                }
            }
            Ok(())
        };
        match recordings.get(&work) {
            Some(Some(recording)) => device.replay(recording),
            // The first time, libraries make what they need; that cannot be recorded.
            None if recordings.len() < MOST_RECORDINGS => {
                recordings.insert(work, None);
                whole(device)
            }
            None => whole(device),
            Some(None) => {
                let recording = device.record(&mut whole)?;
                device.replay(&recording)?;
                recordings.insert(work, Some(recording));
                Ok(())
            }
        }
    }

    /// Loss and gradients of a step, and perhaps the update.
    fn learn(&mut self, input: StepInput<'_>, updates: bool) -> Result<()> {
        check_batch(&self.config, input.batch)?;
        check_labels(self.layout.classes(), input.batch)?;
        self.stamp += 1;
        let number = (self.updates + 1) as f64;
        let Optimizer { beta1, beta2, weight_decay, .. } = self.optimizer;
        let numbers = Numbers {
            key: Rng::new(self.seed, Stream::Dropout).key(),
            step: input.step as u32,
            stamp: self.stamp,
            share: 1.0 / input.batch.len() as f32,
            decay: (1.0 - input.learning_rate * weight_decay) as f32,
            rate: (input.learning_rate / (1.0 - beta1.powf(number))) as f32,
            root: (1.0 - beta2.powf(number)).sqrt() as f32,
        };
        let parts = input.batch.micro_batches(self.limits.examples, self.limits.tokens);
        for (place, part) in parts.iter().enumerate() {
            let updates = updates && place + 1 == parts.len();
            let work = Work::Learn { bucket: Bucket::of(part), is_added: place > 0, updates };
            self.run(work, part, numbers)?;
        }
        Ok(())
    }

    /// The sum of the losses since it was last set, and the norm of the last gradient.
    fn read_report(&self) -> Result<(f64, f64)> {
        let mut words = [0; REPORT];
        self.device.read(self.parameters.report, &mut words)?;
        let loss = f64::from_bits(u64::from(words[0]) | u64::from(words[1]) << 32);
        Ok((loss, f64::from(f32::from_bits(words[2]))))
    }

    fn set_loss(&mut self, loss: f64) -> Result<()> {
        let bits = loss.to_bits();
        self.device.write(self.parameters.report.first(2), &[bits as u32, (bits >> 32) as u32])
    }

    fn read(&self, from: Span<f32>) -> Result<Vec<f32>> {
        let mut words = vec![0; from.len()];
        self.device.read(Span::new(from.address(), from.len()), &mut words)?;
        Ok(words.into_iter().map(f32::from_bits).collect())
    }

    /// Copies tensors into an arena.
    fn put(&mut self, part: Part, weights: &Weights) -> Result<()> {
        check_weights(&self.config.model, &self.slots(), weights)?;
        let arena = self.parameters.arena(part);
        for ParamRange { slot, range } in &self.layout.places {
            let words: Vec<u32> = weights[&slot.name].data.iter().map(|x| x.to_bits()).collect();
            let to = arena.slice(range.clone());
            self.device.write(Span::new(to.address(), to.len()), &words)?;
        }
        if part == Part::Weight && !self.parameters.operands.is_none() {
            let matrices = arena.slice(self.layout.matrices.clone());
            round_weights(&mut self.device, matrices, self.parameters.operands)?;
        }
        Ok(())
    }

    /// Finds the words with moments: the others only decay.
    fn look(&mut self, state: &EngineState) -> Result<()> {
        let name = &self.layout.places[0].slot.name;
        let rows = |weights: &Weights| weights[name].data.clone();
        let (first, second, width) =
            (rows(&state.first_moments), rows(&state.second_moments), self.config.hidden);
        let moments = first.chunks_exact(width).zip(second.chunks_exact(width));
        let seen: Vec<u32> = moments.map(|(m, v)| u32::from(m.iter().chain(v).any(|x| *x != 0.0))).collect();
        self.device.write(self.parameters.seen, &seen)
    }
}

/// Refuses what the kernels have no room for.
fn refuse(config: &ModelConfig) -> Result<()> {
    let (hidden, head) = (config.hidden, config.head_size());
    if hidden <= WIDEST_ROW && head <= WIDEST_HEAD {
        return Ok(());
    }
    let problem = format!(
        "engine = \"fast\" takes rows of up to {WIDEST_ROW} numbers and heads of up to {WIDEST_HEAD} on a GPU; this \
         model has {hidden} and {head}; set engine to \"plain\""
    );
    Err(Error::model(&config.model, problem))
}

/// Says what memory is missing.
fn short<D: Device>(device: &D, needed: usize, error: &Error) -> Error {
    let room = device
        .available_memory()
        .map_or(String::new(), |room| format!(", and {} is free", bytes(room.available)));
    Error::Device(format!(
        "{} needs {} more{room} ({error}); set max_tokens_per_batch to a smaller number, or take a smaller model",
        device.name(),
        bytes(needed as u64)
    ))
}

fn training(parameters: &Parameters, layout: &Layout, config: &ModelConfig) -> Training {
    Training {
        weights: parameters.weights,
        gradients: parameters.gradients,
        first: parameters.first,
        second: parameters.second,
        operands: parameters.operands,
        matrices: layout.matrices.start,
        vectors: layout.vectors(),
        words: [config.vocab_size, config.hidden],
        stamps: parameters.stamps,
        seen: parameters.seen,
        report: parameters.report,
        squares: parameters.squares,
    }
}

impl<D: Device> Engine for CudaEngine<D> {
    fn step(&mut self, input: StepInput<'_>) -> Result<StepReport> {
        self.report()?;
        self.enqueue(input)?;
        Ok(self.report()?.expect("a step was enqueued"))
    }

    fn enqueue(&mut self, input: StepInput<'_>) -> Result<Option<StepReport>> {
        self.learn(input, true)?;
        self.updates += 1;
        self.untold += 1;
        Ok(None)
    }

    fn report(&mut self) -> Result<Option<StepReport>> {
        if self.untold == 0 {
            return Ok(None);
        }
        let (loss, grad_norm) = self.read_report()?;
        self.set_loss(0.0)?;
        let steps = std::mem::take(&mut self.untold);
        Ok(Some(StepReport { loss: loss / steps as f64, grad_norm }))
    }

    fn gradients(&mut self, input: StepInput<'_>) -> Result<(f64, Weights)> {
        let (steps, _) = self.read_report()?;
        self.set_loss(0.0)?;
        self.learn(input, false)?;
        let (loss, _) = self.read_report()?;
        // It belongs to no step.
        self.set_loss(steps)?;
        let mut arena = self.read(self.parameters.gradients)?;
        let mut stamps = vec![0; self.parameters.stamps.len()];
        self.device.read(self.parameters.stamps, &mut stamps)?;
        for (row, stamp) in arena.chunks_exact_mut(self.config.hidden).zip(stamps) {
            // Left from a step before.
            if stamp != self.stamp {
                row.fill(0.0);
            }
        }
        let array = |ParamRange { slot, range }: &ParamRange| {
            (slot.name.clone(), Array { shape: slot.shape.clone(), data: arena[range.clone()].to_vec() })
        };
        Ok((loss, self.layout.places.iter().map(array).collect()))
    }

    fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        check_batch(&self.config, batch)?;
        let classes = self.layout.classes();
        let mut rows = Vec::with_capacity(batch.len());
        for part in batch.micro_batches(usize::MAX, self.limits.tokens) {
            self.run(Work::Judge(Bucket::of(&part)), &part, Numbers::default())?;
            let (_, buffers, _) = self.activations.as_ref().expect("room was made");
            let logits = self.read(buffers.logits.first(part.len() * classes))?;
            rows.extend(logits.chunks_exact(classes).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }

    fn slopes(&mut self, _mix: Interpolation<'_>, _class: usize) -> Result<InputGradients> {
        Err(Error::Usage(
            "engine = \"fast\" does not tell on a GPU what an answer rests on; set engine to \"plain\", or device to \
             \"cpu\""
                .into(),
        ))
    }

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.slots().map(|slot| (slot.name.clone(), slot.shape.clone())).collect()
    }

    fn tensor(&self, name: &str, part: Part) -> Result<Array> {
        let place = self.layout.places.iter().find(|place| place.slot.name == name);
        let ParamRange { slot, range } = place.expect("a name of `shapes`");
        let data = self.read(self.parameters.arena(part).slice(range.clone()))?;
        Ok(Array { shape: slot.shape.clone(), data })
    }

    fn updates(&self) -> u64 {
        self.updates
    }

    fn set_weights(&mut self, weights: &Weights) -> Result<()> {
        self.put(Part::Weight, weights)
    }

    fn restore(&mut self, state: &EngineState) -> Result<()> {
        self.put(Part::Weight, &state.weights)?;
        self.put(Part::FirstMoment, &state.first_moments)?;
        self.put(Part::SecondMoment, &state.second_moments)?;
        self.look(state)?;
        self.updates = state.updates;
        Ok(())
    }

    fn memory(&self, batch: &Batch, max_tokens: usize) -> Option<MemoryPlan> {
        let (_, parameters) = Parameters::new(&self.config, &self.layout, self.is_bf16(), 0);
        let arena = self.layout.length() * NUMBER;
        let parts = batch.micro_batches(self.limits.examples, max_tokens);
        let bucket = parts.iter().map(Bucket::of).reduce(Bucket::union)?;
        let room = Room { bucket, learns: true };
        let (_, activations) = Buffers::new(&self.config, self.layout.classes(), self.is_bf16(), room, 0);
        Some(MemoryPlan {
            weights: (parameters - 3 * arena) as u64,
            moments: 2 * arena as u64,
            gradients: arena as u64,
            activations: activations as u64,
        })
    }

    fn available_memory(&self) -> Option<MemoryInfo> {
        // The plan counts what is held already.
        let (_, parameters) = Parameters::new(&self.config, &self.layout, self.is_bf16(), 0);
        let room = self.device.available_memory()?;
        Some(MemoryInfo { available: room.available + parameters as u64, ..room })
    }

    fn set_max_tokens(&mut self, max_tokens: usize) {
        self.limits.tokens = max_tokens;
    }

    fn computed_tokens(&self, batch: &Batch) -> usize {
        let parts = batch.micro_batches(self.limits.examples, self.limits.tokens);
        parts.iter().map(|part| Bucket::of(part).tokens).sum()
    }
}
