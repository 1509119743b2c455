//! Predictions for probes after an evaluation. They are for the user to look at and do not affect the training.

use super::multi_label_scores::{is_predicted, sigmoid};
use super::scores::{argmax, softmax};
use super::setup::Setup;
use crate::batch::Batch;
use crate::catalog::{Labels, ProblemType};
use crate::data::Example;
use crate::error::{Error, Result};
use crate::event::{Event, ProbePrediction, ProbeResult};
use crate::probes::{self, MAX_PROBES, Probe};
use crate::spec::RunSpec;
use std::collections::BTreeMap;
use std::path::Path;

/// Predictions for the probes that suit the task, and a warning about the file.
type Evaluated = (Vec<(Probe, ProbePrediction)>, Option<String>);

/// Evaluates the probes that a file contains at that time.
pub(super) struct ProbeEvaluator<'a> {
    file: &'a Path,
    /// The predicted label or labels of each probe at the previous evaluation.
    labels: BTreeMap<Probe, Vec<String>>,
    /// The last warning, which is not repeated at every evaluation.
    warning: Option<String>,
}

impl<'a> ProbeEvaluator<'a> {
    pub(super) fn new(file: &'a Path) -> Self {
        ProbeEvaluator { file, labels: BTreeMap::new(), warning: None }
    }

    /// Evaluates the probes after `step` steps and `epoch` epochs. An error becomes a warning.
    pub(super) fn evaluate(
        &mut self,
        setup: &mut Setup,
        spec: &RunSpec,
        (step, epoch): (u64, f64),
        emit: &mut dyn FnMut(Event),
    ) {
        let warning = match self.predict(setup, spec) {
            Ok((predictions, warning)) => {
                for (probe, prediction) in predictions {
                    emit(Event::Probe(Box::new(ProbeResult { step, epoch, probe, prediction })));
                }
                warning
            }
            Err(error) => Some(format!("the probes are not evaluated: {error}")),
        };
        if let Some(text) = warning.as_ref().filter(|_| self.warning != warning) {
            emit(Event::warning(text.clone()));
        }
        self.warning = warning;
    }

    fn predict(&mut self, setup: &mut Setup, spec: &RunSpec) -> Result<Evaluated> {
        let mut probes = probes::read(self.file)?;
        let warning = (probes.len() > MAX_PROBES).then(|| {
            format!(
                "{} has {} probes; only the first {MAX_PROBES} are evaluated",
                self.file.display(),
                probes.len()
            )
        });
        probes.truncate(MAX_PROBES);
        probes.retain(|probe| probe.text_pair.is_some() == spec.is_pair());
        let mut predictions = Vec::with_capacity(probes.len());
        for chunk in probes.chunks(spec.per_device_eval_batch_size.max(1)) {
            let encode = |probe: &Probe| {
                let Probe { text, text_pair } = probe.clone();
                setup.tokenizer.encode(&Example { text, text_pair, label: None })
            };
            let rows = chunk.iter().map(encode).collect::<Result<Vec<_>>>()?;
            let logits = setup.built.engine.logits(&Batch::new(rows.iter().map(|(row, _)| row)))?;
            for (probe, logits) in chunk.iter().zip(logits) {
                if logits.iter().any(|logit| !logit.is_finite()) {
                    return Err(Error::Training("the logits are not finite".into()));
                }
                predictions.push((probe.clone(), self.prediction(probe, &logits, &setup.labels)));
            }
        }
        Ok((predictions, warning))
    }

    fn prediction(&mut self, probe: &Probe, logits: &[f32], labels: &Labels) -> ProbePrediction {
        let name = |label: usize| labels.classes().get(label).map_or_else(String::new, ToString::to_string);
        match labels.problem_type() {
            ProblemType::SingleLabelClassification => {
                let label = name(argmax(logits));
                let before = self.labels.insert(probe.clone(), vec![label.clone()]);
                let flipped_from = before.into_iter().flatten().next().filter(|before| *before != label);
                ProbePrediction::Label { label, flipped_from, probabilities: softmax(logits) }
            }
            ProblemType::MultiLabelClassification => {
                let predicted = (0..logits.len()).filter(|label| is_predicted(logits[*label]));
                let labels: Vec<String> = predicted.map(name).collect();
                let before = self.labels.insert(probe.clone(), labels.clone());
                let flipped_from = before.filter(|before| *before != labels);
                let probabilities = logits.iter().map(|logit| sigmoid(f64::from(*logit)) as f32).collect();
                ProbePrediction::Labels { labels, flipped_from, probabilities }
            }
            ProblemType::Regression => {
                ProbePrediction::Score { score: logits.first().copied().unwrap_or_default() }
            }
        }
    }
}
