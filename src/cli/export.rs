//! `export`: writes a run in a format of other tools.

use super::args::{ExportArgs, ExportFormat, ExportPrecision, GlobalArgs, ModelExportArgs};
use super::progress::ProgressDisplay;
use super::signals::cancelled_by_signals;
use super::{glue, output};
use crate::catalog::FileFormat;
use crate::data::TextColumns;
use crate::error::{Error, Result};
use crate::event::{Progress, SplitName};
use crate::export::{
    ExportOptions, ExportSource, MetricsFormat, ModelFormat, OnDifference, SplitPredictions, export_model,
    write_metrics,
};
use crate::files::write_atomic_buffered;
use crate::hub::Hub;
use crate::nn::OnnxPrecision;
use crate::predict::Predictor;
use crate::run::RunDir;
use crate::{export, run};
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

/// What is written to a file.
type WriteFile<'a> = &'a mut dyn FnMut(&Path, &mut (dyn Write + Send)) -> Result<()>;

pub(super) fn export(global: &GlobalArgs, args: &ExportArgs) -> Result<()> {
    let find_run = || run::find(&global.runs_dir, &args.run);
    match output_of((args.format, args.model.precision), args.predictions.map(SplitName::from))? {
        Output::Model(format) => model(global, (&args.run, format), &args.to, &args.model),
        Output::Submission => glue::export(global, args),
        Output::TensorBoard => {
            export::tensorboard(&find_run()?, &args.to)?;
            output::stdout_line(args.to.display().to_string())
        }
        Output::Metrics(format) => {
            let run = find_run()?;
            write_file(&args.to, false, &mut |name, out| write_metrics(&run, format, name, out))
        }
        Output::Predictions(split, format) => export_predictions(global, args, &find_run()?, (split, format)),
    }
}

/// What is written.
enum Output {
    /// A model.
    Model(ModelFormat),
    /// A submission to GLUE's leaderboard.
    Submission,
    /// Event files.
    TensorBoard,
    /// A table of metrics.
    Metrics(MetricsFormat),
    /// The predictions for a split.
    Predictions(SplitName, FileFormat),
}

/// What is written in a format and precision, given the split of `--predictions`.
///
/// # Errors
/// [`Error::Usage`] for a format that does not suit.
fn output_of(
    (format, precision): (ExportFormat, ExportPrecision),
    split: Option<SplitName>,
) -> Result<Output> {
    if precision == ExportPrecision::Int8 && format != ExportFormat::Onnx {
        return Err(Error::Usage("--precision int8 is for ONNX models; add --format onnx".into()));
    }
    let onnx = match precision {
        ExportPrecision::F32 => OnnxPrecision::F32,
        ExportPrecision::Int8 => OnnxPrecision::Int8,
    };
    Ok(match (format, split) {
        (ExportFormat::Hf, None) => Output::Model(ModelFormat::Hf),
        (ExportFormat::Peft, None) => Output::Model(ModelFormat::Peft),
        (ExportFormat::Onnx, None) => Output::Model(ModelFormat::Onnx(onnx)),
        (ExportFormat::Glue, None) => Output::Submission,
        (ExportFormat::Tensorboard, None) => Output::TensorBoard,
        (ExportFormat::Csv, None) => Output::Metrics(MetricsFormat::Csv),
        (ExportFormat::Jsonl, None) => Output::Metrics(MetricsFormat::Jsonl),
        (ExportFormat::Csv, Some(split)) => Output::Predictions(split, FileFormat::Csv),
        (ExportFormat::Jsonl, Some(split)) => Output::Predictions(split, FileFormat::Json),
        (ExportFormat::Tsv, Some(split)) => Output::Predictions(split, FileFormat::Tsv),
        (ExportFormat::Parquet, Some(split)) => Output::Predictions(split, FileFormat::Parquet),
        (ExportFormat::Tsv | ExportFormat::Parquet, None) => {
            return Err(Error::Usage(
                "--format tsv and parquet are for predictions; add --predictions SPLIT, or use csv or jsonl for metrics"
                    .into(),
            ));
        }
        (
            ExportFormat::Hf
            | ExportFormat::Peft
            | ExportFormat::Onnx
            | ExportFormat::Glue
            | ExportFormat::Tensorboard,
            Some(_),
        ) => {
            return Err(Error::Usage("--predictions needs --format csv, tsv, jsonl or parquet".into()));
        }
    })
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

fn export_predictions(
    global: &GlobalArgs,
    args: &ExportArgs,
    run: &Path,
    (split, format): (SplitName, FileFormat),
) -> Result<()> {
    let hub = Hub::from_env();
    let cancelled = cancelled_by_signals()?;
    let name = run.display().to_string();
    let mut predictor = Predictor::open(&name, &global.runs_dir, &hub, global.device.unwrap_or_default())?;
    predictor.notes().iter().for_each(output::stderr_line);
    let mut display = ProgressDisplay::new(false);
    let watch: (&mut dyn FnMut(Progress), _) = (&mut |progress| display.show(&progress), &*cancelled);
    let predictions = SplitPredictions::of_run(&RunDir::at(run), split, &mut predictor, &hub, watch);
    display.clear();
    let predictions = predictions?;
    write_file(&args.to, format == FileFormat::Parquet, &mut |name, out| predictions.write(format, name, out))
}

/// Writes a file that is complete or absent and prints its path; `-` is standard output.
fn write_file(to: &Path, is_binary: bool, write: WriteFile<'_>) -> Result<()> {
    if to == Path::new("-") {
        if is_binary && std::io::stdout().is_terminal() {
            return Err(Error::Usage("Parquet is not text; name a file with --to".into()));
        }
        let mut out = BufWriter::new(std::io::stdout());
        write(Path::new(output::STDOUT), &mut out)?;
        return out.flush().map_err(Error::writing(output::STDOUT));
    }
    if to.is_dir() {
        return Err(Error::Usage(format!("--to {} is a folder; name a file in it", to.display())));
    }
    write_atomic_buffered(to, |out| write(to, out))?;
    output::stdout_line(to.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_do_not_suit_are_refused() {
        use ExportFormat::{Csv, Hf, Jsonl, Parquet, Tensorboard, Tsv};
        let test = Some(SplitName::Test);
        let f32 = ExportPrecision::F32;
        for (format, split) in [(Tsv, None), (Parquet, None), (Hf, test), (Tensorboard, test)] {
            let error = output_of((format, f32), split).err().unwrap().to_string();
            assert!(error.contains("--predictions"), "{error}");
        }
        for (format, split) in [(Csv, None), (Jsonl, test), (Tsv, test), (Parquet, test), (Hf, None)] {
            assert!(output_of((format, f32), split).is_ok());
        }
        assert!(output_of((Hf, ExportPrecision::Int8), None).is_err());
    }
}
