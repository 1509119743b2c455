//! Export of a model: write, read back, compare, report.

use super::digests::{CARD, digests};
use super::folder::new_folder;
use super::hf::write_hf_folder;
use super::model_card::ModelCard;
use super::onnx::write_onnx_folder;
use super::operating_point::{self, AppliedTemperature};
use super::options::{ExportOptions, ModelFormat, OnDifference};
use super::peft::write_peft_folder;
use super::report::{ExportReport, Verification, VerificationStatus};
use super::source::ExportSource;
use super::verification::{Comparison, ReadBack, Tolerance, VerificationRows, logits_of};
use crate::catalog::{Labels, Metric, Task};
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::files::write_dir_atomic;
use crate::hub::Hub;
use crate::nn::{self, Built, OnnxPrecision};
use crate::predict::THRESHOLDS;
use crate::train::Predictions;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Writes the best weights of the run directory `run` to the folder `to`, which Hugging Face libraries can load, and verifies
/// them.
///
/// # Errors
/// Those of [`export_model`] and of [`ExportSource::of_run`].
pub fn hf(run: &Path, to: &Path) -> Result<ExportReport> {
    let source = ExportSource::of_run(run)?;
    export_model(&source, to, &ExportOptions::of(ModelFormat::Hf), &Hub::cache_only(), &mut |_| {})
}

/// Exports a model to the folder `to` and verifies what was written. The folder is complete or absent.
///
/// # Errors
/// [`Error::Usage`] if `to` exists and is not empty; [`Error::Training`] if the export predicts something else than the
/// model and the options do not allow that; errors of reading and writing.
pub fn export_model(
    source: &ExportSource,
    to: &Path,
    options: &ExportOptions<'_>,
    hub: &Hub,
    watch: &mut dyn FnMut(Progress),
) -> Result<ExportReport> {
    new_folder(to)?;
    let export = Export::prepare(source, options, hub, watch)?;
    let mut report = None;
    write_dir_atomic(to, |folder| {
        export.write(folder)?;
        let found = export.verify(folder, watch)?;
        check(&found, options.on_difference)?;
        export.write_card(folder, &found)?;
        found.write(folder)?;
        report = Some(found);
        Ok(())
    })?;
    report.ok_or_else(|| Error::Training("the export has no report".into()))
}

/// # Errors
/// [`Error::Training`] for an export that differs from the model, unless it is written nevertheless.
pub(super) fn check(report: &ExportReport, on_difference: OnDifference) -> Result<()> {
    let is_failed = report.verification.status == VerificationStatus::Failed;
    if is_failed && on_difference == OnDifference::Fail {
        let problem = format!("the export {}; nothing was written (--force writes it)", report.sentence());
        return Err(Error::Training(problem));
    }
    Ok(())
}

/// An export in progress.
pub(super) struct Export<'a> {
    source: &'a ExportSource,
    options: &'a ExportOptions<'a>,
    /// The model, with the temperature.
    model: Built,
    /// SHA-256 of the files of the model.
    source_sha256: BTreeMap<String, String>,
    labels: Labels,
    tokenizer: Tokenizer,
    rows: VerificationRows,
    /// The predictions of the model for the rows, with the temperature.
    predictions: Predictions,
    temperature: Option<AppliedTemperature>,
}

impl<'a> Export<'a> {
    pub(super) fn prepare(
        source: &'a ExportSource,
        options: &'a ExportOptions<'a>,
        hub: &Hub,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let (mut model, source_sha256) = source.load()?;
        let (labels, tokenizer) = (source.labels(&model)?, source.tokenizer()?);
        let rows = rows(source, options, (&labels, tokenizer.max_length()), hub, watch)?;
        let encoded = tokenizer.encode_batch(&rows.rows, watch, &AtomicBool::new(false))?.rows;
        let engine = &mut model.engine;
        let logits =
            logits_of(&encoded, watch, "predicting with the model", &mut |batch| engine.logits(batch))?;
        let mut predictions = predictions(&labels, &rows, &logits)?;
        let temperature = match options.temperature {
            None => None,
            Some(choice) => {
                let labeled = rows.are_labeled().then_some(&predictions);
                let found = operating_point::temperature(choice, labels.problem_type(), labeled)?;
                nn::divide_outputs(model.engine.as_mut(), found.temperature)?;
                predictions = predictions.scaled(found.temperature);
                Some(found)
            }
        };
        Ok(Export {
            source,
            options,
            model,
            source_sha256,
            labels,
            tokenizer,
            rows,
            predictions,
            temperature,
        })
    }

    /// Writes the files of the format.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        match self.options.format {
            ModelFormat::Hf => write_hf_folder(&self.model, &self.labels, &self.tokenizer, folder),
            ModelFormat::Peft => {
                let adapters = self.source.adapters()?;
                write_peft_folder(&self.model, (&self.labels, &self.tokenizer), &adapters, folder)
            }
            ModelFormat::Onnx(precision) => {
                let how = (precision, self.options.max_onnx_bytes);
                write_onnx_folder(&self.model, &self.labels, &self.tokenizer, how, folder)
            }
        }
    }

    /// Reads the folder back, and chooses the thresholds by what it predicts.
    pub(super) fn verify(&self, folder: &Path, watch: &mut dyn FnMut(Progress)) -> Result<ExportReport> {
        let (verification, exported) = self.compare(folder, watch)?;
        let labels = self.expected_labels();
        let predictions = exported.as_ref().unwrap_or(&self.predictions);
        let labeled = self.rows.are_labeled().then_some(predictions);
        let thresholds = operating_point::thresholds(self.options.thresholds, &labels, labeled)?;
        if let Some(thresholds) = &thresholds {
            let path = folder.join(THRESHOLDS);
            let json =
                serde_json::to_vec_pretty(thresholds).map_err(|error| Error::writing(&path)(error.into()))?;
            std::fs::write(&path, json).map_err(Error::writing(&path))?;
        }
        Ok(ExportReport {
            model: self.source.folder.name.clone(),
            created_by: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            format: self.options.format.name(),
            precision: self.options.format.precision(),
            verification,
            id2label: labels.into_iter().enumerate().collect(),
            max_length: self.tokenizer.max_length(),
            temperature: self.temperature,
            thresholds,
            source_sha256: self.source_sha256.clone(),
            sha256: digests(folder)?,
        })
    }

    /// The verification, and the predictions of the export if something read it.
    fn compare(
        &self,
        folder: &Path,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(Verification, Option<Predictions>)> {
        let mut verification = Verification {
            status: VerificationStatus::Unverified,
            reader: None,
            rows: self.rows.source.clone(),
            row_count: self.rows.rows.len(),
            rows_sha256: self.rows.digest(),
            comparison: None,
            notes: Vec::new(),
        };
        let outputs = self.labels.outputs();
        let mut read_back = match ReadBack::open(folder, self.options.format, outputs)? {
            Ok(read_back) => read_back,
            Err(unavailable) => {
                verification.notes.push(unavailable.0);
                return Ok((verification, None));
            }
        };
        verification.reader = Some(read_back.reader());
        let logits = read_back.logits(&self.rows.rows, watch)?;
        let exported = predictions(&self.labels, &self.rows, &logits)?;
        let tolerance = match self.options.format {
            ModelFormat::Onnx(OnnxPrecision::Int8) => Tolerance::Quantization,
            ModelFormat::Hf | ModelFormat::Peft | ModelFormat::Onnx(OnnxPrecision::F32) => {
                Tolerance::Rounding
            }
        };
        let comparison = Comparison::new(&self.predictions, &exported, self.scored(), tolerance);
        verification.notes = self.differences_of_files(&read_back);
        let is_same = comparison.problems.is_empty() && verification.notes.is_empty();
        verification.status = if is_same { VerificationStatus::Passed } else { VerificationStatus::Failed };
        verification.comparison = Some(comparison);
        Ok((verification, Some(exported)))
    }

    /// What the written files say about labels and truncation, if it is not what they should.
    fn differences_of_files(&self, read_back: &ReadBack) -> Vec<String> {
        let mut notes = Vec::new();
        let expected = self.expected_labels();
        match read_back.labels(expected.len()) {
            Ok(found) if found == expected => {}
            Ok(found) => notes.push(format!(
                "the labels are {} in this order instead of {}",
                found.join(", "),
                expected.join(", ")
            )),
            Err(problem) => notes.push(format!("config.json: {problem}")),
        }
        let (found, expected) = (read_back.max_length(), self.tokenizer.max_length());
        if found != expected {
            notes.push(format!("texts are truncated to {found} tokens instead of {expected}"));
        }
        notes
    }

    /// The names of the outputs.
    fn expected_labels(&self) -> Vec<String> {
        self.labels.names()
    }

    /// The task and the metric that decides, if the rows have labels.
    fn scored(&self) -> Option<(&'static Task, Metric)> {
        let spec = self.source.spec().filter(|_| self.rows.are_labeled())?;
        let best = spec.metric_for_best_model.unwrap_or_else(|| spec.task().best(self.labels.problem_type()));
        // A metric of another split is none of these rows.
        let metric = best.source().map_or(best, |(_, base)| base);
        Some((spec.task(), metric))
    }

    /// Writes the model card with the section about the export, and its charts.
    fn write_card(&self, folder: &Path, report: &ExportReport) -> Result<()> {
        let card = if let Some(run) = &self.source.run {
            ModelCard::of(&run.dir, self.options.format.library())?
        } else {
            let card = self.source.folder.read(CARD)?;
            let readme = card.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            ModelCard { readme, charts: Vec::new() }
        };
        let readme = (CARD.to_owned(), card.readme + &report.card_section());
        for (name, text) in std::iter::once(readme).chain(card.charts) {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::writing(&path))?;
        }
        Ok(())
    }
}

/// The rows to verify with, for a model with these labels and this maximum length.
fn rows(
    source: &ExportSource,
    options: &ExportOptions<'_>,
    (labels, max_length): (&Labels, usize),
    hub: &Hub,
    watch: &mut dyn FnMut(Progress),
) -> Result<VerificationRows> {
    match (options.input, source.spec()) {
        (Some((file, columns)), spec) => VerificationRows::of_file(file, columns, spec),
        (None, Some(spec)) => {
            let mut spec = spec.clone();
            if let Some(count) = options.max_eval_samples {
                spec.max_eval_samples = Some(count);
            }
            Ok(VerificationRows::of_run(&spec, labels, hub, watch, max_length))
        }
        (None, None) => Ok(VerificationRows::generated(max_length)),
    }
}

/// The predictions for rows. Those without labels have any.
///
/// # Errors
/// [`Error::Training`] if there are other logits than for these labels.
fn predictions(labels: &Labels, rows: &VerificationRows, logits: &[Vec<f32>]) -> Result<Predictions> {
    let outputs = labels.outputs();
    if let Some(row) = logits.iter().find(|row| row.len() != outputs) {
        return Err(Error::Training(format!("a text has {} logits for {outputs} labels", row.len())));
    }
    let mut predictions = Predictions::new(labels.problem_type(), logits.len(), outputs);
    for (row, (example, logits)) in rows.rows.iter().zip(logits).enumerate() {
        let target = example.label.clone().unwrap_or_else(|| predictions.targets()[row].clone());
        predictions.set(row, logits, target);
    }
    Ok(predictions)
}
