//! The training loop: now and then score, now and then save, obey, take one step, log it.

mod commands;

use super::checkpoint::{self, LoopState};
use super::evaluate::evaluate;
use super::predictions::{Keeper, SavedPredictions};
use super::probes::Probes;
use super::setup::{Setup, prepare};
use super::usage_meter::{StepAccumulator, UsageMeter};
use super::{Best, Control, LrSchedule, Plan, Snapshot, Summary};
use crate::batch::Batch;
use crate::data::order::epoch_order;
use crate::error::{Error, Result};
use crate::event::{Change, Eval, Event, Progress, Saved, SplitName, Stage, Started, Status, Unit, now};
use crate::files::{recover_dir, write_dir_atomic};
use crate::nn::{self, Built, Engine, Part, StepInput, StepReport, Stored, coverage};
use crate::spec::RunSpec;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One training: one specification, one seed, one folder.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What to train; its `repeats` is not looked at.
    pub spec: &'a RunSpec,
    /// Where `checkpoints/` and `best/` go. A checkpoint that is there is gone on from.
    pub dir: &'a Path,
    /// What was changed on the way before, as the log tells, in the order of the steps. What the checkpoint
    /// that is gone on from does not have yet is changed again, each at its step.
    pub trail: &'a [Change],
    /// The file of pinned texts, which are scored beside the validation split.
    pub pins: &'a Path,
}

/// Trains, saying what happens, until all steps are done or it is told to stop. The same function serves
/// the interface, the command line and the tests.
///
/// # Errors
/// Whatever keeps it from going on; checkpoints written before stay whole. [`Error::Interrupted`] when it
/// is told to stop before the first step.
pub fn train(job: Job<'_>, control: &Control, say: &mut dyn FnMut(Event)) -> Result<Summary> {
    let begun = Instant::now();
    recover_dir(&job.dir.join("best"))?;
    let setup = prepare(job.spec, control, say)?;
    let mut trainer = Trainer::new(job, setup, control, say)?;
    trainer.check_gradients()?;
    let setup_seconds = begun.elapsed().as_secs_f64();
    let status = trainer.run()?;
    trainer.flush();
    let Trainer { setup, plan, state, .. } = trainer;
    Ok(Summary { setup_seconds, ..Summary::of(status, job.spec, setup, &plan, state) })
}

struct Trainer<'a> {
    spec: &'a RunSpec,
    dir: &'a Path,
    plan: Plan,
    rates: LrSchedule,
    setup: Setup,
    state: LoopState,
    /// What is to be changed again.
    trail: &'a [Change],
    pending: StepAccumulator,
    /// What steps use.
    usage_meter: UsageMeter,
    /// Writes what evaluations say of each row.
    keeper: Keeper<'a>,
    probes: Probes<'a>,
    /// The epoch whose order `order` is.
    ordered_epoch: Option<u64>,
    order: Vec<usize>,
    control: &'a Control,
    say: &'a mut dyn FnMut(Event),
}

/// Whether the loop goes on.
#[derive(PartialEq)]
enum Next {
    Go,
    Stop,
}

impl<'a> Trainer<'a> {
    fn new(
        job: Job<'a>,
        mut setup: Setup,
        control: &'a Control,
        say: &'a mut dyn FnMut(Event),
    ) -> Result<Self> {
        let mut plan = Plan::new(job.spec, setup.train.len());
        let mut state = LoopState::default();
        if let Some((saved, engine)) = checkpoint::load_newest(job.dir)? {
            setup.built.engine.restore(&engine)?;
            state = saved;
        }
        let mut rates = LrSchedule::new(job.spec, plan.total_steps);
        for Change { step, command } in &state.changes {
            rates.change(*step, *command, &plan);
        }
        plan.total_steps = rates.settings().total_steps;
        let keeper = Keeper::new(job.dir, state.step);
        let trail = job.trail.get(state.changes.len()..).unwrap_or_default();
        let rows = |split| setup.scored.get(&split).map_or(0, Vec::len);
        say(Event::Started(Box::new(Started {
            time: now(),
            spec: job.spec.clone(),
            device: setup.built.device.clone(),
            precision: setup.built.precision.clone(),
            first_step: state.step,
            total_steps: plan.total_steps,
            steps_per_epoch: plan.steps_per_epoch,
            labels: setup.labels.names(),
            rows: [setup.train.len(), rows(SplitName::Validation), rows(SplitName::Test)],
            trainable_parameters: setup.built.trainable_parameters,
            planned_memory: setup.planned_memory,
            product_rate: setup.product_rate,
        })));
        Ok(Trainer {
            usage_meter: UsageMeter::new(setup.built.engine.as_ref()),
            spec: job.spec,
            dir: job.dir,
            plan,
            rates,
            setup,
            state,
            trail,
            pending: StepAccumulator::default(),
            keeper,
            probes: Probes::of(job.pins),
            ordered_epoch: None,
            order: Vec::new(),
            control,
            say,
        })
    }

    fn run(&mut self) -> Result<Status> {
        let mut saved_at = Some(self.state.step);
        loop {
            let step = self.state.step;
            if self.plan.is_eval_due(step)
                && self.state.scored_at != Some(step)
                && self.score_all()? == Next::Stop
            {
                return self.stop();
            }
            if self.plan.is_save_due(step) && saved_at != Some(step) {
                self.save()?;
                saved_at = Some(step);
            }
            if step >= self.plan.total_steps || self.is_patience_over() {
                self.say_step()?;
                return Ok(Status::Finished);
            }
            if self.obey()? == Next::Stop {
                return self.stop();
            }
            // It may have been told to end here, which is then scored and saved as any other end.
            if step < self.plan.total_steps {
                self.step()?;
            }
        }
    }

    /// Sees that every tensor learns before anything is trained: an operation without a backward
    /// pass would leave weights behind it untouched, and nothing else would tell.
    fn check_gradients(&mut self) -> Result<()> {
        if self.state.step >= self.plan.total_steps {
            return Ok(());
        }
        let batch = self.batch();
        let input = StepInput { batch: &batch, step: self.state.step, learning_rate: 0.0 };
        let coverage = coverage::check(self.setup.built.engine.as_mut(), input)?;
        coverage::require_all(&coverage)?;
        (self.say)(Event::note(coverage.sentence()));
        Ok(())
    }

    /// The batch of the step that is due.
    fn batch(&mut self) -> Batch {
        let epoch = self.state.step / self.plan.steps_per_epoch;
        if self.ordered_epoch != Some(epoch) {
            self.order = epoch_order(self.spec.seed, epoch as u32, self.setup.train.len());
            self.ordered_epoch = Some(epoch);
        }
        let place = (self.state.step % self.plan.steps_per_epoch) as usize * self.plan.examples_per_step;
        let end = (place + self.plan.examples_per_step).min(self.order.len());
        Batch::new(self.order[place..end].iter().map(|row| &self.setup.train[*row]))
    }

    fn step(&mut self) -> Result<()> {
        let begun = Instant::now();
        let batch = self.batch();
        self.usage_meter.spend(Stage::Data, begun);
        let step = self.state.step;
        let learning_rate = self.rates.at(step);
        let begun = Instant::now();
        let input = StepInput { batch: &batch, step, learning_rate };
        let report = self.setup.built.engine.enqueue(input)?;
        self.count(begun.elapsed().as_secs_f64());
        let Built { engine, config, .. } = &self.setup.built;
        self.usage_meter.count(&batch, engine.as_ref(), config, self.setup.labels.outputs());
        let (examples, tokens) = (batch.len() as u64, batch.tokens() as u64);
        self.state.step += 1;
        self.state.examples += examples;
        self.state.tokens += tokens;
        self.pending.steps += 1;
        self.pending.unread += 1;
        self.pending.examples += examples;
        self.pending.tokens += tokens;
        self.pending.learning_rate = learning_rate;
        if let Some(report) = report {
            self.take(report)?;
        }
        if self.plan.is_log_due(self.state.step) {
            self.say_step()?;
        }
        Ok(())
    }

    /// Waits for the steps that a device is still at, so that what is looked at or written is sound.
    fn read(&mut self) -> Result<()> {
        let begun = Instant::now();
        let report = self.setup.built.engine.report()?;
        self.count(begun.elapsed().as_secs_f64());
        report.map_or(Ok(()), |report| self.take(report))
    }

    /// Takes what the engine says of the steps that are unread.
    fn take(&mut self, report: StepReport) -> Result<()> {
        let StepReport { loss, grad_norm } = report;
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(Error::Training(format!(
                "the loss of step {} is {loss} with gradient norm {grad_norm}; lower learning_rate (now {}) or set max_grad_norm = 1.0",
                self.state.step,
                self.rates.settings().learning_rate
            )));
        }
        self.pending.loss += loss * self.pending.unread as f64;
        self.pending.unread = 0;
        self.pending.grad_norm = grad_norm;
        Ok(())
    }

    /// Adds to the time that steps took.
    fn count(&mut self, seconds: f64) {
        self.state.train_seconds += seconds;
        self.pending.seconds += seconds;
        self.usage_meter.step(seconds);
    }

    /// Adds what steps used to what the whole training has.
    fn flush(&mut self) {
        self.usage_meter.flush(self.setup.built.engine.as_ref(), &mut self.state.usage);
    }

    /// Tells the steps since the last `step` event, if there were any.
    fn say_step(&mut self) -> Result<()> {
        self.read()?;
        let pending = std::mem::take(&mut self.pending);
        if pending.steps == 0 {
            return Ok(());
        }
        let mut usage = None;
        if self.usage_meter.is_due() || self.plan.is_epoch_end(self.state.step) {
            self.flush();
            usage = Some(Box::new(self.usage_meter.tell()));
        }
        let begun = Instant::now();
        let (step, epoch) = (self.state.step, self.plan.epoch(self.state.step));
        (self.say)(Event::Step(pending.told(step, epoch, usage)));
        self.usage_meter.spend(Stage::Logging, begun);
        Ok(())
    }

    /// Scores what is due on schedule: the validation split, and at the end of an epoch the others too.
    /// The weights that are best on the validation split are written to `best/`.
    fn score_all(&mut self) -> Result<Next> {
        let step = self.state.step;
        let Some(mut validation) = self.score_split(SplitName::Validation)? else { return Ok(Next::Stop) };
        let value = validation.scores.get(self.spec.best_metric()).unwrap_or(f64::NAN);
        validation.best = self.is_best(value);
        let best = validation.best;
        self.say_eval(validation);
        self.score_probes();
        let is_due = |split| self.plan.is_epoch_end(step) || (best && split == SplitName::Test);
        let due = [SplitName::Test, SplitName::Train].map(|split| (split, is_due(split)));
        for (split, due) in due {
            if !due || !self.setup.scored.contains_key(&split) {
                continue;
            }
            let Some(eval) = self.score_split(split)? else { return Ok(Next::Stop) };
            self.say_eval(eval);
        }
        match (step, best) {
            (0, _) => self.state.before = self.state.latest.clone(),
            (_, true) => self.keep_best(value)?,
            (_, false) => self.state.evals_without_improvement += 1,
        }
        self.state.scored_at = Some(step);
        Ok(Next::Go)
    }

    /// A pass over one split, or `None` when the training was told to stop in its middle. With the validation
    /// split goes the mismatched one, where the task has it: its accuracy is one of the scores of the first.
    fn score_split(&mut self, split: SplitName) -> Result<Option<Eval>> {
        self.read()?;
        let begun = Instant::now();
        let Setup { built, scored, folder, labels, .. } = &mut self.setup;
        let rows = &scored[&split];
        let (say, control) = (&mut *self.say, self.control);
        let (step, spec) = (self.state.step, self.spec);
        let mut tick = |engine: &mut dyn Engine, done: usize| -> Result<bool> {
            say(Event::Progress(Progress {
                what: format!("scoring {}", split.name()),
                done: done as u64,
                total: Some(rows.len() as u64),
                unit: Unit::Rows,
            }));
            if let Some(question) = control.poll_question() {
                question.send(Snapshot::of(engine, step, spec, folder, labels)?).ok();
            }
            Ok(!control.is_cancelled())
        };
        let batch_size = spec.per_device_eval_batch_size;
        let Some(judged) = evaluate(built.engine.as_mut(), rows, labels.outputs(), batch_size, &mut tick)?
        else {
            return Ok(None);
        };
        let (epoch, seconds) = (self.plan.epoch(step), begun.elapsed().as_secs_f64());
        self.state.scoring_seconds += seconds;
        self.state.usage.spend(Stage::Evaluation, seconds);
        let mut scores = judged.scores(spec.task());
        if split == SplitName::Validation {
            let begun = Instant::now();
            self.keeper.keep(&SavedPredictions { step, epoch, judged }, self.say);
            self.state.usage.spend(Stage::Saving, begun.elapsed().as_secs_f64());
            let mismatched = SplitName::ValidationMismatched;
            if self.setup.scored.contains_key(&mismatched) {
                let Some(eval) = self.score_split(mismatched)? else { return Ok(None) };
                scores.take_mismatched(&eval.scores);
                (self.say)(Event::Eval(eval));
            }
        }
        Ok(Some(Eval { step, epoch, split, scores, best: false, seconds }))
    }

    /// Tells what the weights say of pinned texts.
    fn score_probes(&mut self) {
        let begun = Instant::now();
        let place = (self.state.step, self.plan.epoch(self.state.step));
        self.probes.score(&mut self.setup, self.spec, place, self.say);
        let seconds = begun.elapsed().as_secs_f64();
        self.state.scoring_seconds += seconds;
        self.state.usage.spend(Stage::Evaluation, seconds);
    }

    fn say_eval(&mut self, eval: Eval) {
        self.state.latest.insert(eval.split, eval.scores.clone());
        (self.say)(Event::Eval(eval));
    }

    /// Whether `value` is the best validation score so far. The state before any training is none.
    fn is_best(&self, value: f64) -> bool {
        let metric = self.spec.best_metric();
        self.state.step > 0
            && self.state.best.is_none_or(|best| metric.improves(value, best.value))
            && !value.is_nan()
    }

    fn is_patience_over(&mut self) -> bool {
        let over = self
            .spec
            .early_stopping_patience
            .is_some_and(|patience| self.state.evals_without_improvement >= patience);
        if over && self.state.step < self.plan.total_steps {
            let evals = self.state.evals_without_improvement;
            (self.say)(Event::note(format!("stopped early: {evals} evaluations without a better score")));
        }
        over
    }

    /// Writes the weights to `best/` in the Hugging Face layout.
    fn keep_best(&mut self, value: f64) -> Result<()> {
        let begun = Instant::now();
        let metric = self.spec.best_metric();
        let test = self.state.latest.get(&SplitName::Test).and_then(|scores| scores.get(metric));
        self.state.best = Some(Best { step: self.state.step, metric, value, test });
        self.state.evals_without_improvement = 0;
        let setup = &self.setup;
        let bytes = write_dir_atomic(&self.dir.join("best"), |folder| {
            let weights = Stored::of(setup.built.engine.as_ref(), Part::Weight, "");
            nn::save_model(folder, &setup.built.config, &setup.labels.names(), &weights)?;
            setup.tokenizer.save(folder)
        })?;
        self.say_saved("best".into(), bytes, begun);
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        self.read()?;
        self.flush();
        let begun = Instant::now();
        let engine = self.setup.built.engine.as_ref();
        let total_steps = Some(self.plan.total_steps);
        let state = LoopState { updates: engine.updates(), total_steps, ..self.state.clone() };
        let bytes = checkpoint::save(self.dir, &state, &checkpoint::tensors(engine))?;
        self.say_saved(checkpoint::name(self.state.step), bytes, begun);
        Ok(())
    }

    fn say_saved(&mut self, path: PathBuf, bytes: u64, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.state.usage.spend(Stage::Saving, seconds);
        (self.say)(Event::Saved(Saved { step: self.state.step, path, bytes, seconds }));
    }
}
