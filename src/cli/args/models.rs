//! The arguments of the commands that use or measure a model.

use super::assignment::assignment;
use crate::catalog::{LabelMap, SHAPES};
use crate::event::SplitName;
use crate::export::{TemperatureChoice, ThresholdChoice};
use crate::spec::Precision;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// The arguments of `eval`.
#[derive(Debug, ClapArgs)]
pub struct EvalArgs {
    /// Run name, run directory, model folder, hub id, or demo
    pub model: String,
    /// Task to evaluate on [default: the task of the run]
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Split to evaluate
    #[arg(long, value_name = "SPLIT", value_enum, default_value_t = SplitArg::Validation)]
    pub split: SplitArg,
    /// Read the files of the task from this folder [default: that of the run, or else the hub]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Evaluate every row of the split, also if the run used only max_eval_samples of them
    #[arg(long)]
    pub all_rows: bool,
    /// Labels of the model and those of the task that they stand for, where the names differ
    #[arg(long, value_name = "A=B,…", value_parser = LabelMap::from_str)]
    pub label_map: Option<LabelMap>,
    /// Number format of the matrix products, as in predict; also evaluates in f32 and counts the labels that differ
    #[arg(long, value_name = "PRECISION", value_parser = precision())]
    pub precision: Option<Precision>,
    /// Name the files of task custom, for example --set validation_file=dev.csv; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// The arguments of `predict`.
#[derive(Debug, ClapArgs)]
pub struct PredictArgs {
    /// Run name, run directory, model folder, hub id, or demo
    pub model: String,
    /// Text to classify [default: one text per line of standard input; a tab separates the texts of a pair]
    pub text: Option<String>,
    /// Second text of a pair
    pub text_b: Option<String>,
    /// Print word attributions: the contribution of each word to the logit, by integrated gradients
    #[arg(long, conflicts_with = "input")]
    pub explain: bool,
    /// Number format of the matrix products; int8 quantizes them dynamically, on the CPU [default: that of the device]
    #[arg(long, value_name = "PRECISION", value_parser = precision())]
    pub precision: Option<Precision>,
    /// Classify the rows of a file: CSV, TSV, JSON Lines or Parquet
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub input: Option<PathBuf>,
    /// Write a copy of the file with the predictions as columns; - is standard output [default: -]
    #[arg(long, value_name = "FILE", requires = "input")]
    pub output: Option<PathBuf>,
    /// Column of the text in the file [default: that of the run, or else as in training]
    #[arg(long, value_name = "NAME", requires = "input")]
    pub text_column: Option<String>,
    /// Column of the second text of a pair
    #[arg(long, value_name = "NAME", requires = "input")]
    pub text_pair_column: Option<String>,
}

/// The arguments of `export`.
#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// Run name, run directory, model folder or hub id; for glue also the name or directory of a GLUE run
    #[arg(value_name = "MODEL")]
    pub run: String,
    /// Output format
    #[arg(long, value_enum, default_value_t = ExportFormat::Hf)]
    pub format: ExportFormat,
    /// Export the predictions for the rows of this split, with the probability of each label, as csv, tsv, jsonl or parquet
    #[arg(long, value_name = "SPLIT", value_enum)]
    pub predictions: Option<SplitArg>,
    /// Output folder, which must be new or empty; of csv, tsv, jsonl and parquet a file, or - for standard output
    #[arg(long, value_name = "PATH")]
    pub to: PathBuf,
    /// How the model is written
    #[command(flatten)]
    pub model: ModelExportArgs,
    /// For glue: write the same label for each row of the files without predictions, instead of an error
    #[arg(long)]
    pub stand_ins: bool,
}

/// The arguments of an export of a model.
#[derive(Debug, ClapArgs)]
pub struct ModelExportArgs {
    /// Number format of the weights of an ONNX model; int8 quantizes the inputs of matrix products when it runs
    #[arg(long, value_enum, default_value_t = ExportPrecision::F32)]
    pub precision: ExportPrecision,
    /// Write the folder also if what it predicts differs from the model by more than the tolerance
    #[arg(long)]
    pub force: bool,
    /// Divide the logits by a temperature: fit, the one with the lowest loss on the validation rows, or a number
    #[arg(long, value_name = "fit|T", value_parser = TemperatureChoice::from_str)]
    pub temperature: Option<TemperatureChoice>,
    /// Store the threshold of a label, or of each label, that reaches this precision, recall or false_positive_rate on the
    /// validation rows, for example spam=precision:0.95; can be repeated
    #[arg(long, value_name = "[LABEL=]METRIC:VALUE", value_parser = ThresholdChoice::from_str)]
    pub threshold: Vec<ThresholdChoice>,
    /// Verify with the texts of a file: CSV, TSV, JSON Lines or Parquet [default: the validation rows of the run, or
    /// generated texts]
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Column of the text in the file [default: that of the run, or else as in training]
    #[arg(long, value_name = "NAME", requires = "input")]
    pub text_column: Option<String>,
    /// Column of the second text of a pair
    #[arg(long, value_name = "NAME", requires = "input")]
    pub text_pair_column: Option<String>,
    /// Verify with this many validation rows, drawn at random [default: those of the run]
    #[arg(long, value_name = "N", conflicts_with = "input", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_eval_samples: Option<u32>,
}

/// The arguments of `push`.
#[derive(Debug, ClapArgs)]
pub struct PushArgs {
    /// Name or directory of a run, or a folder that export has written
    pub run: String,
    /// The repository, as owner/name; created if it does not exist
    pub repo: String,
    /// Make the repository private if it is created
    #[arg(long)]
    pub private: bool,
    /// Branch to upload to; created if it does not exist [default: main]
    #[arg(long, value_name = "BRANCH")]
    pub revision: Option<String>,
    /// Title of the commit [default: names the run]
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
}

/// The arguments of `bench`.
#[derive(Debug, ClapArgs)]
pub struct BenchArgs {
    /// Model architecture
    #[arg(long, value_name = "SHAPE", default_value = "minilm", value_parser = PossibleValuesParser::new(shapes()))]
    pub shape: String,
    /// Examples per training step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: u32,
    /// Tokens per input: sst, sst2, a number, a range such as 16-64, or a text file with one input per line
    #[arg(long, value_name = "LENGTHS", default_value = "sst2")]
    pub lengths: String,
    /// Duration of the training measurement, and of the inference measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub seconds: f64,
    /// Number format of the matrix products; int8 measures inference only [default: f32]
    #[arg(long, value_name = "PRECISION", value_parser = precision())]
    pub precision: Option<Precision>,
    /// Also measure each kernel of the engine
    #[arg(long)]
    pub kernels: bool,
    /// Override a key, for example --set precision=bf16; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::NAMES).try_map(|name| name.parse::<Precision>())
}

fn shapes() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

/// A split of a data set, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitArg {
    /// Training rows
    Train,
    /// Rows that select the best weights
    #[value(alias = "dev")]
    Validation,
    /// MNLI's second validation split, from other genres than the training rows
    #[value(name = "validation_mismatched", alias = "dev_mismatched")]
    ValidationMismatched,
    /// Rows for the final scores
    Test,
    /// MNLI's second test split
    #[value(name = "test_mismatched")]
    TestMismatched,
}

impl From<SplitArg> for SplitName {
    fn from(split: SplitArg) -> SplitName {
        match split {
            SplitArg::Train => SplitName::Train,
            SplitArg::Validation => SplitName::Validation,
            SplitArg::ValidationMismatched => SplitName::ValidationMismatched,
            SplitArg::Test => SplitName::Test,
            SplitArg::TestMismatched => SplitName::TestMismatched,
        }
    }
}

/// An export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Model folder for Hugging Face's from_pretrained
    Hf,
    /// Adapters and head of a run with lora_r, for PEFT
    Peft,
    /// Model folder for ONNX Runtime and Optimum
    Onnx,
    /// Submission to the leaderboard of GLUE: the zip archive of a GLUE run, or the files of one run
    Glue,
    /// Event file for TensorBoard
    Tensorboard,
    /// Metrics of each step and evaluation, or predictions
    Csv,
    /// Metrics of each step and evaluation, or predictions, as JSON Lines
    Jsonl,
    /// Predictions
    Tsv,
    /// Predictions
    Parquet,
}

/// The number format of the weights of an ONNX model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportPrecision {
    /// Single precision
    F32,
    /// Eight bits, a quarter of the size
    Int8,
}
