//! What the weights say of pinned texts, beside an evaluation: it is looked at, and changes nothing.

use super::scores::{argmax, softmax};
use super::setup::Setup;
use crate::batch::Batch;
use crate::data::Example;
use crate::error::{Error, Result};
use crate::event::{Event, ProbePrediction, ProbeResult};
use crate::probes::{self, MAX_PROBES, Probe};
use crate::spec::RunSpec;
use std::collections::BTreeMap;
use std::path::Path;

/// What is said of each text that is of the task's kind, and what is amiss with the file.
type Scored = (Vec<(Probe, ProbePrediction)>, Option<String>);

/// Scores what is pinned in a file at that time.
pub(super) struct Probes<'a> {
    file: &'a Path,
    /// The most probable label of each at the evaluation before.
    labels: BTreeMap<Probe, String>,
    /// What was complained of last, so that it is not said at each evaluation.
    complaint: Option<String>,
}

impl<'a> Probes<'a> {
    pub(super) fn of(file: &'a Path) -> Self {
        Probes { file, labels: BTreeMap::new(), complaint: None }
    }

    /// Scores what is pinned, with so many steps and epochs done. What does not work is a warning.
    pub(super) fn score(
        &mut self,
        setup: &mut Setup,
        spec: &RunSpec,
        (step, epoch): (u64, f64),
        say: &mut dyn FnMut(Event),
    ) {
        let complaint = match self.told(setup, spec) {
            Ok((told, complaint)) => {
                for (pin, told) in told {
                    say(Event::Probe(Box::new(ProbeResult { step, epoch, pin, told })));
                }
                complaint
            }
            Err(error) => Some(format!("the pinned sentences are not scored: {error}")),
        };
        if let Some(text) = complaint.as_ref().filter(|_| self.complaint != complaint) {
            say(Event::warning(text.clone()));
        }
        self.complaint = complaint;
    }

    fn told(&mut self, setup: &mut Setup, spec: &RunSpec) -> Result<Scored> {
        let mut pins = probes::read(self.file)?;
        let complaint = (pins.len() > MAX_PROBES).then(|| {
            format!("{} has {} sentences; the first {MAX_PROBES} are scored", self.file.display(), pins.len())
        });
        pins.truncate(MAX_PROBES);
        pins.retain(|pin| pin.text_pair.is_some() == spec.is_pair());
        let names = setup.labels.names();
        let mut all = Vec::with_capacity(pins.len());
        for chunk in pins.chunks(spec.per_device_eval_batch_size.max(1)) {
            let encode = |pin: &Probe| {
                let Probe { text, text_pair } = pin.clone();
                setup.tokenizer.encode(&Example { text, text_pair, label: None })
            };
            let rows = chunk.iter().map(encode).collect::<Result<Vec<_>>>()?;
            let logits = setup.built.engine.logits(&Batch::new(rows.iter().map(|(row, _)| row)))?;
            for (pin, logits) in chunk.iter().zip(logits) {
                if logits.iter().any(|logit| !logit.is_finite()) {
                    return Err(Error::Training("the weights tell no finite number".into()));
                }
                all.push((pin.clone(), self.answer(pin, &logits, &names)));
            }
        }
        Ok((all, complaint))
    }

    fn answer(&mut self, pin: &Probe, logits: &[f32], names: &[String]) -> ProbePrediction {
        if let [score] = logits {
            return ProbePrediction::Score { score: *score };
        }
        let label = names[argmax(logits)].clone();
        let before = self.labels.insert(pin.clone(), label.clone());
        let flipped_from = before.filter(|before| *before != label);
        ProbePrediction::Label { label, flipped_from, probabilities: softmax(logits) }
    }
}
