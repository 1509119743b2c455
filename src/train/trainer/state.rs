//! The state of the training loop.

use super::job::Job;
use crate::batch::Label;
use crate::error::Result;
use crate::event::{Change, Event, SplitName, Started, now};
use crate::files::OpenFolder;
use crate::spec::RunSpec;
use crate::train::attempt::Attempt;
use crate::train::checkpoint::{self, LoopState, Retention};
use crate::train::control::Control;
use crate::train::plan::Plan;
use crate::train::probe_evaluator::ProbeEvaluator;
use crate::train::saved_predictions::PredictionWriter;
use crate::train::schedule::LrSchedule;
use crate::train::setup::Setup;
use crate::train::trial_scheduler::TrialScheduler;
use crate::train::usage_meter::{StepAccumulator, UsageMeter};

pub(super) struct Trainer<'a> {
    pub(super) spec: &'a RunSpec,
    pub(super) folder: OpenFolder,
    pub(super) plan: Plan,
    pub(super) schedule: LrSchedule,
    pub(super) setup: Setup,
    pub(super) state: LoopState,
    /// Step of the checkpoint that was restored or written last.
    pub(super) intact_checkpoint: Option<u64>,
    /// Changes from the log that are still to be replayed.
    pub(super) replayed_changes: &'a [Change],
    /// The steps since the last `step` event.
    pub(super) pending: StepAccumulator,
    /// The labels of the steps that the engine has not reported.
    pub(super) unreported_labels: Vec<Label>,
    pub(super) usage_meter: UsageMeter,
    pub(super) prediction_writer: PredictionWriter,
    pub(super) probe_evaluator: ProbeEvaluator<'a>,
    /// The epoch that `order` belongs to.
    pub(super) ordered_epoch: Option<u64>,
    /// The order of the training rows in that epoch.
    pub(super) order: Vec<usize>,
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) scheduler: Option<&'a dyn TrialScheduler>,
    /// Why the scheduler has paused the training.
    pub(super) pause_reason: Option<String>,
    pub(super) control: &'a Control,
    pub(super) emit: &'a mut dyn FnMut(Event),
}

impl<'a> Trainer<'a> {
    /// Restores the newest intact checkpoint, if any, and emits [`Event::Started`].
    pub(super) fn new(
        job: Job<'a>,
        mut setup: Setup,
        control: &'a Control,
        emit: &'a mut dyn FnMut(Event),
    ) -> Result<Self> {
        let mut plan = Plan::new(job.spec, setup.train.len());
        let (mut state, mut intact_checkpoint) = (LoopState::default(), None);
        let engine = setup.built.engine.as_mut();
        if let Some(restored) = checkpoint::restore_newest(job.dir, &mut |saved| engine.restore(saved))? {
            restored.skipped.into_iter().for_each(|note| emit(Event::warning(note)));
            state = restored.state;
            intact_checkpoint = Some(state.step);
        }
        let mut schedule = LrSchedule::new(job.spec, plan.total_steps);
        for Change { step, command } in &state.changes {
            schedule.apply(*step, *command, &plan);
        }
        plan.total_steps = schedule.settings().total_steps;
        if intact_checkpoint.is_some() {
            checkpoint::remove_outdated(job.dir, state.step, Retention::of(job.spec, plan))?;
        }
        let rows = |split| setup.eval.get(&split).map_or(0, Vec::len);
        emit(Event::Started(Box::new(Started {
            time: now(),
            spec: RunSpec { problem_type: setup.given_problem_type, ..job.spec.clone() },
            device: setup.built.device.clone(),
            precision: setup.built.precision.clone(),
            first_step: state.step,
            total_steps: plan.total_steps,
            steps_per_epoch: plan.steps_per_epoch,
            labels: setup.labels.names(),
            problem_type: job.spec.problem_type.filter(|_| setup.given_problem_type.is_none()),
            scale: setup.labels.scale().filter(|_| job.spec.task().is_custom()),
            rows: [setup.train.len(), rows(SplitName::Validation), rows(SplitName::Test)],
            data: setup.digests.clone(),
            truncated_train_rows: Some(setup.truncated_train_rows as u64),
            trainable_parameters: setup.built.trainable_parameters,
            planned_memory: setup.planned_memory,
            product_rate: setup.product_rate,
        })));
        Ok(Trainer {
            usage_meter: UsageMeter::new(setup.built.engine.as_ref()),
            spec: job.spec,
            folder: OpenFolder::open(job.dir)?,
            plan,
            schedule,
            replayed_changes: job.replayed_changes.get(state.changes.len()..).unwrap_or_default(),
            prediction_writer: PredictionWriter::new(state.step),
            setup,
            state,
            intact_checkpoint,
            pending: StepAccumulator::default(),
            unreported_labels: Vec::new(),
            probe_evaluator: ProbeEvaluator::new(job.probes_file),
            ordered_epoch: None,
            order: Vec::new(),
            attempt: job.attempt,
            scheduler: job.scheduler,
            pause_reason: None,
            control,
            emit,
        })
    }

    /// Adds the usage since the last flush to the total of the training.
    pub(super) fn flush_usage(&mut self) {
        self.usage_meter.flush(self.setup.built.engine.as_ref(), &mut self.state.usage);
    }
}
