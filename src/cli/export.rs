//! `export`: writes the best model of a run in a format of other tools.

use super::args::{ExportArgs, ExportFormat, ExportPrecision, GlobalArgs, ModelExportArgs};
use super::progress::ProgressDisplay;
use super::{glue, output};
use crate::data::TextColumns;
use crate::error::{Error, Result};
use crate::export::{ExportOptions, ExportSource, ModelFormat, OnDifference, export_model};
use crate::hub::Hub;
use crate::nn::OnnxPrecision;
use std::path::Path;

pub(super) fn export(global: &GlobalArgs, args: &ExportArgs) -> Result<()> {
    let format = match (args.format, args.model.precision) {
        (ExportFormat::Onnx, ExportPrecision::F32) => ModelFormat::Onnx(OnnxPrecision::F32),
        (ExportFormat::Onnx, ExportPrecision::Int8) => ModelFormat::Onnx(OnnxPrecision::Int8),
        (_, ExportPrecision::Int8) => {
            return Err(Error::Usage("--precision int8 is for ONNX models; add --format onnx".into()));
        }
        (ExportFormat::Hf, ExportPrecision::F32) => ModelFormat::Hf,
        (ExportFormat::Glue, ExportPrecision::F32) => return glue::export(global, args),
    };
    model(global, (&args.run, format), &args.to, &args.model)
}

/// Exports a model.
fn model(
    global: &GlobalArgs,
    (name, format): (&str, ModelFormat),
    to: &Path,
    args: &ModelExportArgs,
) -> Result<()> {
    let columns =
        TextColumns { text: args.text_column.as_deref(), text_pair: args.text_pair_column.as_deref() };
    let options = ExportOptions {
        on_difference: if args.force { OnDifference::Write } else { OnDifference::Fail },
        temperature: args.temperature,
        thresholds: &args.threshold,
        input: args.input.as_deref().map(|file| (file, columns)),
        max_eval_samples: args.max_eval_samples.map(|count| count as usize),
        ..ExportOptions::of(format)
    };
    let hub = Hub::from_env();
    let mut display = ProgressDisplay::new(false);
    let source = ExportSource::open(name, &global.runs_dir, &hub, &mut |progress| display.show(&progress));
    let report = source.and_then(|source| {
        export_model(&source, to, &options, &hub, &mut |progress| display.show(&progress))
    });
    display.clear();
    output::stderr_line(report?.sentence());
    output::stdout_line(to.display().to_string())
}
