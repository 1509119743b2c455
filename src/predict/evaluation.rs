//! Evaluation of a model on a split of a task.

use super::{BATCH_SIZE, Predictor};
use crate::catalog::{
    LabelMap, LabelMatch, Labels, SplitRole, SplitSpec, Task, match_labels, output_of, task,
};
use crate::data::{self, DatasetSource};
use crate::error::{Error, Result};
use crate::event::{Progress, Scores, SplitName};
use crate::hub::Hub;
use crate::nn::{self, Engine};
use crate::spec::{RunSpec, built_in};
use crate::train::{add_metrics_from, evaluate};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What to evaluate a model on.
#[derive(Debug, Clone, Copy)]
pub struct EvalOptions<'a> {
    /// The task; `None` for that of the model's run.
    pub task: Option<&'a str>,
    /// The split.
    pub split: SplitName,
    /// A folder with the files of the task.
    pub data_dir: Option<&'a Path>,
    /// From labels of the model to those of the task, where their names differ.
    pub label_map: &'a LabelMap,
    /// Keys of a specification that name the files of task `custom`.
    pub set: &'a [(String, String)],
}

impl Predictor {
    /// The names of the outputs. After an evaluation they are those of the task, in its order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Evaluates a split of a task. The labels of the model are matched with those of the task by name. The rows are in
    /// `data_dir`, or else where the specification of the run has them. The validation split includes metrics of the
    /// extra validation splits, as MNLI's mismatched one.
    ///
    /// # Errors
    /// [`Error::Usage`] for a task or a split that does not suit the model, [`Error::Data`] and [`Error::Hub`] for
    /// rows that cannot be read.
    pub fn evaluate(
        &mut self,
        options: &EvalOptions<'_>,
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Scores> {
        let (task, split) = (self.task(options.task)?, options.split);
        let custom = self.custom_spec(task, options)?;
        let labels = match &custom {
            Some(spec) => {
                let cancelled = AtomicBool::new(false);
                let mut context = data::LoadContext { hub, on_progress: watch, cancelled: &cancelled };
                data::load(DatasetSource::from_spec(spec), &mut context)?.labels
            }
            None if task.is_custom() => self.labels.clone().into(),
            None => task.labels.clone(),
        };
        self.match_labels(task, &labels, options.label_map)?;
        let mut scores = self.evaluate_split(task, split, (options.data_dir, custom.as_ref()), hub, watch)?;
        let is_extra = |split: &&SplitSpec| split.name.role() == SplitRole::ExtraValidation;
        for extra in task.splits.iter().filter(is_extra).filter(|_| split == SplitName::Validation) {
            let other = self.evaluate_split(task, extra.name, (options.data_dir, None), hub, watch)?;
            add_metrics_from(&other, extra.name, task, &mut scores);
        }
        Ok(scores)
    }

    /// The specification with the files of task `custom`, unless they are those of the model's own run.
    fn custom_spec(&self, task: &Task, options: &EvalOptions<'_>) -> Result<Option<RunSpec>> {
        if options.set.is_empty() {
            return Ok(None);
        }
        if !task.is_custom() {
            return Err(Error::Usage("--set names the files of task custom; set --task custom".into()));
        }
        let own = self.spec.as_ref().filter(|spec| spec.task().is_custom()).cloned();
        let base = own.unwrap_or_else(|| built_in("eval"));
        let mut set = vec![("task".to_owned(), task.name.to_owned())];
        // The training file is required in a specification, and only one of the files is needed here.
        let file =
            options.set.iter().find(|(key, _)| key.ends_with("_file")).filter(|_| base.train_file.is_none());
        set.extend(file.map(|(_, file)| ("train_file".to_owned(), file.clone())));
        set.extend(options.set.iter().cloned());
        base.with(&set).map(Some)
    }

    /// Brings the outputs of the model into the order of `labels`, by name. Data of task custom may lack some of the
    /// model's labels.
    fn match_labels(&mut self, task: &Task, labels: &Labels, map: &LabelMap) -> Result<()> {
        let (outputs, expected) = (self.labels.len(), labels.outputs());
        let names = labels.names();
        let is_regression = |outputs| outputs == 1;
        if is_regression(outputs) && is_regression(expected) {
            return Ok(());
        }
        if is_regression(outputs) || is_regression(expected) && !task.is_custom() {
            return Err(self.different_outputs(task, expected));
        }
        if task.is_custom() && expected < outputs {
            return self.rename_labels(&names, map);
        }
        let found = match_labels(&self.labels, &names, map)
            .map_err(|problem| Error::Usage(format!("--label-map: {problem} (model {})", self.name)))?;
        self.notes.extend(found.note(&self.labels));
        match found {
            LabelMatch::Different(reason) if outputs == expected => {
                Err(Error::Usage(format!("{}: {reason}; name the pairs with --label-map A=B,…", self.name)))
            }
            LabelMatch::Different(reason) => Err(Error::Usage(format!(
                "{} has {outputs} labels, and task {} has {expected}: {reason}",
                self.name, task.name
            ))),
            LabelMatch::ByName(order) | LabelMatch::Assumed { outputs: order, .. } => {
                nn::permute_outputs(self.engine.as_mut(), &order)?;
                self.labels = names;
                Ok(())
            }
        }
    }

    /// Gives the labels of the model that the data has the names of the data.
    fn rename_labels(&mut self, names: &[String], map: &LabelMap) -> Result<()> {
        let source = |name: &String| {
            let mapped = map.iter().find(|(_, to)| to == name);
            mapped.map_or_else(|| name.clone(), |(from, _)| from.to_owned())
        };
        let outputs = names.iter().map(|name| output_of(&self.labels, &source(name)).ok_or(name));
        let outputs = outputs.collect::<Result<Vec<usize>, _>>().map_err(|name| {
            Error::Usage(format!(
                "the data has the label {name}, and the labels of {} are {}; name the pairs with --label-map A=B,…",
                self.name,
                self.labels.join(", ")
            ))
        })?;
        let distinct: BTreeSet<usize> = outputs.iter().copied().collect();
        if distinct.len() < outputs.len() {
            let (model, data) = (self.labels.join(", "), names.join(", "));
            let problem =
                format!("several labels of the data ({data}) are the same label of {} ({model})", self.name);
            return Err(Error::Usage(problem));
        }
        for (output, name) in outputs.into_iter().zip(names) {
            self.labels[output].clone_from(name);
        }
        Ok(())
    }

    /// The error for a classifier on a regression, or the reverse.
    fn different_outputs(&self, task: &Task, expected: usize) -> Error {
        let kind = |outputs| match outputs {
            1 => "a number".to_string(),
            classes => format!("one of {classes} labels"),
        };
        Error::Usage(format!(
            "{} predicts {}, but task {} has {}",
            self.name,
            kind(self.labels.len()),
            task.name,
            kind(expected)
        ))
    }

    fn evaluate_split(
        &mut self,
        task: &'static Task,
        split: SplitName,
        (data_dir, custom): (Option<&Path>, Option<&RunSpec>),
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Scores> {
        let own = custom.or(self.spec.as_ref()).filter(|spec| spec.task.name() == task.name);
        let own = own.map_or(DatasetSource::for_task(task, None), DatasetSource::from_spec);
        let data_dir = data_dir.or(own.data_dir);
        let place = DatasetSource { data_dir, labels: Some(&self.labels), ..own };
        let cancelled = AtomicBool::new(false);
        let mut context = data::LoadContext { hub, on_progress: watch, cancelled: &cancelled };
        let rows = data::load_split(place, split, &mut context)?;
        if rows.is_empty() || rows.iter().any(|row| row.label.is_none()) {
            return Err(Error::Usage(format!(
                "the {} split of {} has no labels, so it cannot be evaluated",
                split.name(),
                task.name
            )));
        }
        let encoded = self.tokenizer.encode_batch(&rows, watch, &cancelled)?.rows;
        let mut on_batch = |_: &mut dyn Engine, _: usize| Ok(true);
        let predictions =
            evaluate(self.engine.as_mut(), &encoded, self.labels.len(), BATCH_SIZE, &mut on_batch)?;
        let predictions =
            predictions.ok_or_else(|| Error::Interrupted("the evaluation was interrupted".into()))?;
        Ok(predictions.scores(task))
    }

    /// The task of that name, or the task of the model's run.
    pub fn task(&self, name: Option<&str>) -> Result<&'static Task> {
        let name = name.or(self.spec.as_ref().map(|spec| spec.task.name())).ok_or_else(|| {
            Error::Usage(format!("{} does not have a task; name one with --task", self.name))
        })?;
        task(name).ok_or_else(|| {
            let known: Vec<_> = crate::catalog::TASKS.iter().map(|task| task.name).collect();
            Error::Usage(format!("unknown task {name}; the tasks are {}", known.join(", ")))
        })
    }
}
