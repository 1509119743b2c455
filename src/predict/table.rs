//! Predictions for the rows of a file, as columns of a copy.

use super::{ModelOutput, Predictor};
use crate::catalog::{FileFormat, ProblemType};
use crate::data::{InputTable, NewColumn, NewValues, TextColumns, unique_names};
use crate::error::{Error, Result};
use crate::files::write_atomic_with;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

/// Number of rows that are predicted at once.
const BATCH: usize = 1024;
/// The name of standard output in errors.
const STDOUT: &str = "standard output";

/// A text, and the second text of a pair.
type Input = (String, Option<String>);

/// Predicts every row of `input` and writes a copy with the predictions to `output`, or to standard output: all columns
/// and rows in their order, in the same format. The copy is complete or absent. `on_note` is called with what the reader
/// of the table has to say.
///
/// # Errors
/// [`Error::Usage`] for an output that cannot be used, [`Error::Data`] for an invalid row, errors of the model.
pub fn predict_table(
    predictor: &mut Predictor,
    input: &Path,
    columns: TextColumns<'_>,
    output: Option<&Path>,
    on_note: &mut dyn FnMut(&str),
) -> Result<()> {
    let table = InputTable::open(input, predictor.spec(), columns, predictor.is_pair())?;
    check_output(input, &table, output)?;
    table.notes().iter().for_each(|note| on_note(note));

    let mut columns = PredictedColumns::new(predictor);
    let mut inputs: Vec<Input> = Vec::new();
    table.read(&mut |texts| {
        inputs.push(texts);
        if inputs.len() < BATCH { Ok(()) } else { columns.predict(predictor, &mut inputs) }
    })?;
    columns.predict(predictor, &mut inputs)?;
    let columns = columns.into_columns(table.names());

    match output {
        None => {
            let mut stdout = BufWriter::new(std::io::stdout());
            table.copy_with(&columns, Path::new(STDOUT), &mut stdout)?;
            stdout.flush().map_err(Error::writing(STDOUT))
        }
        Some(path) => write_file(path, &mut |out| table.copy_with(&columns, path, out)),
    }
}

/// Writes a file that is complete or absent. A link is followed, and what is not a regular file, such as a pipe, is
/// written to and not replaced.
fn write_file(path: &Path, write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let mut create = |created: &Path| {
        let file = File::create(created).map_err(Error::writing(path))?;
        write_compressed(path, BufWriter::new(file), write)
    };
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return create(path);
    }
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    write_atomic_with(&target, create)
}

/// The extension of a file in lower case, or nothing.
fn extension(path: &Path) -> String {
    path.extension().map_or(String::new(), |extension| extension.to_string_lossy().to_lowercase())
}

/// Whether the extension of a file is that of a compression.
fn is_compressed(path: &Path) -> bool {
    matches!(extension(path).as_str(), "gz" | "gzip" | "zst" | "zstd")
}

/// Writes through the compression that the extension of `path` names.
fn write_compressed(
    path: &Path,
    mut file: BufWriter<File>,
    write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    match extension(path).as_str() {
        "gz" | "gzip" => {
            let mut encoder = GzEncoder::new(&mut file, flate2::Compression::default());
            write(&mut encoder)?;
            encoder.finish().map_err(Error::writing(path))?;
        }
        "zst" | "zstd" => {
            let mut encoder =
                zstd::stream::write::Encoder::new(&mut file, 0).map_err(Error::writing(path))?;
            write(&mut encoder)?;
            encoder.finish().map_err(Error::writing(path))?;
        }
        _ => write(&mut file)?,
    }
    file.flush().map_err(Error::writing(path))
}

/// An error for an output that is the input, is a folder, or names another format.
fn check_output(input: &Path, table: &InputTable<'_>, output: Option<&Path>) -> Result<()> {
    let format = table.format();
    let Some(output) = output else {
        return match format {
            FileFormat::Parquet if std::io::stdout().is_terminal() => {
                Err(Error::Usage("Parquet is not text; name a file with --output".into()))
            }
            _ => Ok(()),
        };
    };
    let is_input = std::fs::canonicalize(output)
        .ok()
        .is_some_and(|output| std::fs::canonicalize(input).is_ok_and(|input| input == output));
    if is_input {
        return Err(Error::Usage(format!("--output {} is the input; name another file", output.display())));
    }
    if output.is_dir() {
        return Err(Error::Usage(format!("--output {} is a folder; name a file in it", output.display())));
    }
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::Usage(format!(
            "--output {}: the folder {} does not exist; create it first",
            output.display(),
            folder.display()
        )));
    }
    if format == FileFormat::Parquet && is_compressed(output) {
        return Err(Error::Usage(format!(
            "--output {} names a compressed file, but Parquet compresses its columns itself; leave the ending out",
            output.display()
        )));
    }
    match FileFormat::of(output) {
        Some(other) if other != format && Some(other) != FileFormat::of(input) => Err(Error::Usage(format!(
            "--output {} has the extension of another format; the copy is {}, as the input",
            output.display(),
            format.name()
        ))),
        _ => Ok(()),
    }
}

/// The columns of predictions, row by row.
enum PredictedColumns {
    /// Of a single-label classification: the most probable label and its probability.
    Label { labels: Vec<String>, probabilities: Vec<f32> },
    /// Of a multi-label classification: the predicted labels, and for each label of the model its probability.
    Labels { labels: Vec<Vec<String>>, probabilities: Vec<(String, Vec<f32>)> },
    /// Of a regression.
    Score(Vec<f32>),
}

impl PredictedColumns {
    fn new(predictor: &Predictor) -> Self {
        match predictor.problem_type() {
            ProblemType::SingleLabelClassification => {
                PredictedColumns::Label { labels: Vec::new(), probabilities: Vec::new() }
            }
            ProblemType::MultiLabelClassification => PredictedColumns::Labels {
                labels: Vec::new(),
                probabilities: predictor.labels().iter().map(|name| (name.clone(), Vec::new())).collect(),
            },
            ProblemType::Regression => PredictedColumns::Score(Vec::new()),
        }
    }

    /// Predicts for `inputs`, which are empty afterwards.
    fn predict(&mut self, predictor: &mut Predictor, inputs: &mut Vec<Input>) -> Result<()> {
        for prediction in predictor.predict_all(inputs)? {
            self.push(prediction.output);
        }
        inputs.clear();
        Ok(())
    }

    fn push(&mut self, output: ModelOutput) {
        match (self, output) {
            (
                PredictedColumns::Label { labels, probabilities },
                ModelOutput::Label { label, probability, .. },
            ) => {
                labels.push(label);
                probabilities.push(probability);
            }
            // A row without a label has an empty cell, and the probability of its most probable label.
            (PredictedColumns::Label { labels, probabilities }, output @ ModelOutput::NoLabel { .. }) => {
                labels.push(String::new());
                probabilities.push(output.most_probable().map_or(f32::NAN, |(_, probability)| probability));
            }
            (
                PredictedColumns::Labels { labels: lists, probabilities: columns },
                ModelOutput::Labels { labels, probabilities },
            ) => {
                lists.push(labels);
                for ((_, column), (_, probability)) in columns.iter_mut().zip(probabilities) {
                    column.push(probability);
                }
            }
            (PredictedColumns::Score(scores), ModelOutput::Score { score, .. }) => scores.push(score),
            (_, output) => unreachable!("{output:?} is not of the problem type of the model"),
        }
    }

    /// The columns, with names that are unique among `names`.
    fn into_columns(self, names: &[String]) -> Vec<NewColumn> {
        let columns: Vec<(String, NewValues)> = match self {
            PredictedColumns::Label { labels, probabilities } => vec![
                ("label".into(), NewValues::Text(labels)),
                ("probability".into(), NewValues::Number(probabilities)),
            ],
            PredictedColumns::Labels { labels, probabilities } => {
                let by_label = probabilities
                    .into_iter()
                    .map(|(name, column)| (format!("probability_{name}"), NewValues::Number(column)));
                [("labels".into(), NewValues::TextList(labels))].into_iter().chain(by_label).collect()
            }
            PredictedColumns::Score(scores) => vec![("score".into(), NewValues::Number(scores))],
        };
        let (wanted, values): (Vec<String>, Vec<NewValues>) = columns.into_iter().unzip();
        let names = unique_names(names, &wanted).into_iter();
        names.zip(values).map(|(name, values)| NewColumn { name, values }).collect()
    }
}
