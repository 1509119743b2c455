//! The report of an export: what was written, how it was verified and how it differs from the model.

use super::operating_point::{AppliedTemperature, AppliedThresholds};
use super::verification::{Comparison, RowSource, ScoreWithInterval};
use crate::error::{Error, Result};
use crate::format;
use crate::run::error_analysis::Share;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file of the report in an exported folder.
pub const EXPORT_REPORT: &str = "export-report.json";

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// The export predicts what the model does, within the tolerance.
    Passed,
    /// It differs by more, and was written because that was asked for.
    Failed,
    /// Nothing that reads it is available.
    Unverified,
}

/// The verification of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The result.
    pub status: VerificationStatus,
    /// What read the export: `candle` or `ONNX Runtime 1.22`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// Where the rows are from.
    pub rows: RowSource,
    /// Number of rows.
    pub row_count: usize,
    /// SHA-256 of the texts and labels of the rows.
    pub rows_sha256: String,
    /// The predictions of the model and of the export.
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
    /// What the files say about labels and truncation instead of what they should, and why nothing was verified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The report, as in [`EXPORT_REPORT`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportReport {
    /// The run or the model.
    pub model: String,
    /// The program and its version.
    pub created_by: String,
    /// `hf` or `onnx`.
    pub format: &'static str,
    /// `f32` or `int8`.
    pub precision: &'static str,
    /// The verification.
    pub verification: Verification,
    /// The label of each output.
    pub id2label: BTreeMap<usize, String>,
    /// The number of tokens to which texts are truncated.
    pub max_length: usize,
    /// The temperature that logits are divided by, if that is not 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<AppliedTemperature>,
    /// The thresholds of the labels, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<AppliedThresholds>,
    /// SHA-256 of the files that were exported.
    pub source_sha256: BTreeMap<String, String>,
    /// SHA-256 of the files that were written.
    pub sha256: BTreeMap<String, String>,
}

impl ExportReport {
    /// Writes the report to an exported folder.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(EXPORT_REPORT);
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::writing(&path)(error.into()))?;
        std::fs::write(&path, json).map_err(Error::writing(&path))
    }

    /// The problems of the export, one sentence each.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        let compared = self.verification.comparison.iter().flat_map(|comparison| &comparison.problems);
        compared.chain(&self.verification.notes).map(String::as_str)
    }

    /// The result in one sentence.
    pub fn sentence(&self) -> String {
        let Verification { status, reader, rows, row_count, comparison, .. } = &self.verification;
        let rows = rows.describe(*row_count);
        let reader = reader.as_deref().unwrap_or_default();
        let problems = self.problems().collect::<Vec<_>>().join("; ");
        match (status, comparison) {
            (VerificationStatus::Passed, Some(comparison)) => {
                let differences = differences(comparison);
                format!("verified with {reader} on {rows}: {differences}")
            }
            (VerificationStatus::Unverified, _) => format!("not verified: {problems}"),
            _ => format!("differs from the model on {rows}: {problems}"),
        }
    }

    /// The section of a model card about the export, in Markdown.
    pub fn card_section(&self) -> String {
        let mut lines = vec![String::new(), "## Export".into(), String::new()];
        lines.push(format!("Format {} in {}: {}.", self.format, self.precision, self.sentence()));
        if let Some(AppliedTemperature { temperature, validation }) = self.temperature {
            lines.push(String::new());
            let changed = validation.map_or(String::new(), |found| {
                format!(
                    " On the validation rows, the negative log-likelihood is {:.4} instead of {:.4}, and the expected \
                     calibration error {:.4} instead of {:.4}.",
                    found.loss.after,
                    found.loss.before,
                    found.calibration_error.after,
                    found.calibration_error.before
                )
            });
            lines.push(format!("Logits are divided by the temperature {temperature:.4}.{changed}"));
        }
        if let Some(comparison) = &self.verification.comparison
            && !comparison.scores.is_empty()
        {
            lines.push(String::new());
            lines.extend(["| metric | model | export |".into(), "| --- | --- | --- |".into()]);
            for (metric, score) in &comparison.scores {
                let text = |score: ScoreWithInterval| {
                    let value = format::score(*metric, score.value);
                    score.interval.map_or(value.clone(), |interval| {
                        let ends = [interval.low, interval.high].map(|end| format::score(*metric, end));
                        format!("{value} ({} to {})", ends[0], ends[1])
                    })
                };
                let (before, after) = (text(score.before), text(score.after));
                lines.push(format!("| {} | {before} | {after} |", metric.name()));
            }
        }
        lines.extend(self.threshold_lines());
        lines.push(String::new());
        lines.join("\n")
    }

    /// The table of the thresholds.
    fn threshold_lines(&self) -> Vec<String> {
        let Some(thresholds) = &self.thresholds else { return Vec::new() };
        let percent = |share: Option<Share>| {
            share.map_or("–".to_owned(), |share| {
                let [value, low, high] =
                    [share.value, share.interval.low, share.interval.high].map(|share| 100.0 * share);
                format!("{value:.1} % ({low:.1} to {high:.1})")
            })
        };
        let mut lines = vec![
            String::new(),
            format!("Labels are predicted from these probabilities on (`{}`):", crate::predict::THRESHOLDS),
            String::new(),
            "| label | threshold | precision | recall | false-positive rate |".into(),
            "| --- | --- | --- | --- | --- |".into(),
        ];
        for threshold in &thresholds.thresholds.thresholds {
            lines.push(format!(
                "| {} | {:.4} | {} | {} | {} |",
                threshold.label.replace('|', "\\|"),
                threshold.threshold,
                percent(threshold.precision),
                percent(threshold.recall),
                percent(threshold.false_positive_rate)
            ));
        }
        lines
    }
}

/// `the largest difference of a logit is 1.2e-6, no label differs`
fn differences(comparison: &Comparison) -> String {
    let largest = format!("the largest difference of a logit is {:.1e}", comparison.largest_logit_difference);
    match comparison.label_flips {
        None => largest,
        Some(0) => format!("{largest}, no label differs"),
        Some(1) => format!("{largest}, 1 label differs"),
        Some(flips) => format!("{largest}, {flips} labels differ"),
    }
}
