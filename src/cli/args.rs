//! The command line. Flags say what to do; hyperparameters are set with `--set`.

use crate::catalog::{LabelMap, SHAPES};
use crate::config::closest_match;
use crate::event::SplitName;
use crate::spec::DeviceSpec;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Fine-tune a text classifier in the terminal
///
/// Without a command, opens the terminal interface on ./experiments.toml, or on the built-in experiments if
/// that file does not exist, and on the experiments.toml in ~/.config/glue-tui. With a file or folder in place of a
/// command, opens the interface on these data.
#[derive(Debug, Parser)]
#[command(
    name = "glue-tui",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = AFTER_HELP
)]
pub struct Args {
    /// The options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// A data file, or a folder with data, to look at and train on
    #[arg(value_name = "FILE", value_parser = OsStringValueParser::new().try_map(data_path), value_hint = ValueHint::AnyPath)]
    pub file: Option<PathBuf>,
    /// The command; `None` opens the interface.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

const AFTER_HELP: &str = "\
Examples:
  glue-tui reviews.csv
  glue-tui train demo
  glue-tui predict demo \"not bad at all\"

Environment variables: GLUE_TUI_RUNS, GLUE_TUI_THEME, GLUE_TUI_ASCII, NO_COLOR, HF_HOME, HF_HUB_CACHE, \
HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, CUDA_VISIBLE_DEVICES, RUST_LOG (log level of the libraries, on stderr)

Exit codes: 0 success, 1 the run failed, 2 usage or configuration error, 3 data or model cannot be read or \
downloaded, 4 device error or out of memory, 130 interrupted (the work is saved)";

/// The options of every command.
#[derive(Debug, Clone, ClapArgs)]
pub struct GlobalArgs {
    /// Experiments file [default: ./experiments.toml, or else the built-in one; and the one in ~/.config/glue-tui]
    #[arg(long, global = true, value_name = "FILE")]
    pub experiments: Option<PathBuf>,
    /// Directory of the runs
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "GLUE_TUI_RUNS",
        hide_env_values = true,
        default_value = "runs",
        value_parser = OsStringValueParser::new().map(runs_dir)
    )]
    pub runs_dir: PathBuf,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Theme of the interface: dark, light, okabe-ito, okabe-ito-light, or a custom one
    #[arg(long, global = true, value_name = "NAME", env = "GLUE_TUI_THEME", hide_env_values = true)]
    pub theme: Option<String>,
    /// Draw the interface with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Device to compute on: auto, cpu, cuda:N or metal
    #[arg(long, global = true, value_name = "DEVICE", value_parser = DeviceSpec::from_str)]
    pub device: Option<DeviceSpec>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Train an experiment, or all trials of a sweep
    ///
    /// The last line of standard output is the run directory, or that of the sweep.
    Train(TrainArgs),
    /// Evaluate a run or model on a labeled split and print the scores as JSON
    Eval(EvalArgs),
    /// Classify texts and print one JSON object per text
    Predict(PredictArgs),
    /// Submit runs to Slurm as one array
    ///
    /// Fetches models and data into the cache, creates the run directories, and submits a task for each run, or for each seed
    /// of a run with repeats. The table [slurm] of the experiments file has partition, time, mem, gres and more.
    Submit(SubmitArgs),
    /// Take back runs that were submitted or queued, and stop those that are being trained; their work is saved
    Cancel(CancelArgs),
    /// List the runs
    Runs(RunsArgs),
    /// Remove the checkpoints of finished runs to free disk space; best weights, logs and predictions stay
    Prune(PruneArgs),
    /// Follow a run that another process or host is training
    Attach(AttachArgs),
    /// Print the events of a run as they come
    ///
    /// With --json, prints the lines of events.jsonl. Those of several seeds come one seed after the other; the event
    /// `started` has the seed.
    Events(EventsArgs),
    /// Take over the runs of an interface that ends, then train the queue
    #[command(hide = true, name = crate::run::background::COMMAND)]
    Background(BackgroundArgs),
    /// Send a command to a running job, on this host or another one
    Control(ControlArgs),
    /// Compare two runs or experiments: intervals, a paired test, and a verdict in words
    ///
    /// A side is a run, several runs separated by commas, or an experiment, which means all its finished runs with the
    /// settings of the newest. Only the validation rows that all seeds of both sides predicted are compared.
    Compare(CompareArgs),
    /// Export the best model of a run for other tools
    Export(ExportArgs),
    /// Check the experiments file and print the complete specifications
    Check(CheckArgs),
    /// Print the key bindings of the interface in the format of keys.toml
    Keys,
    /// Print a script that completes commands and options in a shell
    ///
    /// For bash, add `source <(glue-tui completions bash)` to ~/.bashrc; the other shells have similar files.
    Completions(CompletionsArgs),
    /// Print a man page about all commands
    Man(ManArgs),
    /// Show the environment: devices, precision, threads, hub, cache, terminal
    Doctor,
    /// Measure the speed of training and inference on this machine, with random weights
    Bench(BenchArgs),
}

/// The arguments of `train`.
#[derive(Debug, ClapArgs)]
pub struct TrainArgs {
    /// Name of an experiment in the experiments file
    #[arg(required_unless_present_any = ["resume", "replay"])]
    pub name: Option<String>,
    /// Override a key, for example --set learning_rate=3e-5; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Resume a run from its latest checkpoint, or a sweep; --set trials=N adds trials to it
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
    /// Resume also if the rows of the run's data changed
    #[arg(long, requires = "resume")]
    pub accept_changed_data: bool,
    /// Replay a run from its start with its mid-run changes, or a sweep with its decisions
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub replay: Option<String>,
    /// Print plain lines instead of a progress bar
    #[arg(long)]
    pub plain: bool,
}

/// The arguments of `submit`.
#[derive(Debug, ClapArgs)]
pub struct SubmitArgs {
    /// Names of experiments, each for a new run, and names or directories of runs to continue
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Override a key of the experiments, for example --set learning_rate=3e-5; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Where the runs are trained
    #[arg(long, value_enum, default_value_t = ExecutorArg::Slurm)]
    pub executor: ExecutorArg,
    /// Print the batch script, and create and submit nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Where runs are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExecutorArg {
    /// Slurm
    Slurm,
    /// The queue of this machine
    Local,
}

/// The arguments of `cancel`.
#[derive(Debug, ClapArgs)]
pub struct CancelArgs {
    /// Names or directories of runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<String>,
}

/// The arguments of `attach`.
#[derive(Debug, ClapArgs)]
pub struct AttachArgs {
    /// Name or directory of a run
    pub run: String,
    /// Print plain lines until the run ends, instead of opening the interface; with --json, its events
    #[arg(long)]
    pub plain: bool,
}

/// The arguments of `events`.
#[derive(Debug, ClapArgs)]
pub struct EventsArgs {
    /// Name or directory of a run
    pub run: String,
    /// Print new events until the run ends
    #[arg(long, short)]
    pub follow: bool,
}

/// The arguments of `background`.
#[derive(Debug, ClapArgs)]
pub struct BackgroundArgs {
    /// Directories of runs
    pub runs: Vec<PathBuf>,
}

/// The arguments of `prune`.
#[derive(Debug, ClapArgs)]
pub struct PruneArgs {
    /// Names or directories of runs; a stopped or failed one then starts again from step 0 when it is resumed
    /// [default: all finished runs]
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Print what would be freed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The arguments of `runs`.
#[derive(Debug, ClapArgs)]
pub struct RunsArgs {
    /// List only runs that match, for example 'lr>=1e-5 task:sst2 #paper' [default: all runs]
    #[arg(value_name = "FILTER", conflicts_with = "published")]
    pub filter: Vec<String>,
    /// Compare the runs that follow the article's recipe with its published results
    #[arg(long)]
    pub published: bool,
}

/// The arguments of `control`.
#[derive(Debug, ClapArgs)]
pub struct ControlArgs {
    /// Name or directory of a run
    pub run: String,
    /// Do not wait for the acknowledgement, which comes between two steps
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// The command to send
    #[command(subcommand)]
    pub action: ControlAction,
}

/// A command to a run. The run records it with its step.
#[derive(Debug, Clone, Subcommand)]
pub enum ControlAction {
    /// Pause between two steps
    Pause,
    /// Resume a paused run
    Resume,
    /// Evaluate the validation split now
    Eval,
    /// Save a checkpoint now
    Save,
    /// Save a checkpoint and stop; `train --resume` continues the run
    Stop,
    /// Halve the learning rate
    Halve,
    /// Change learning_rate, max_steps or num_train_epochs, for example set learning_rate=1e-5
    ///
    /// learning_rate is the peak that the schedule multiplies. When the number of steps changes, the rest of
    /// the schedule is stretched or compressed to end at the new last step, so the learning rate does not jump.
    Set {
        /// The key and its new value
        #[arg(value_name = "KEY=VALUE", value_parser = assignment)]
        set: (String, String),
    },
}

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

/// The arguments of `compare`.
#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// Runs, run directories or experiments of one side, separated by commas
    pub a: String,
    /// Those of the other side
    pub b: String,
}

/// The arguments of `export`.
#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// Name or directory of a run
    pub run: String,
    /// Output format
    #[arg(long, value_enum, default_value_t = ExportFormat::Hf)]
    pub format: ExportFormat,
    /// Output folder; must be new or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// The arguments of `check`.
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// Name of an experiment [default: all experiments; as a short list on a terminal]
    pub name: Option<String>,
}

/// The arguments of `completions`.
#[derive(Debug, ClapArgs)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The arguments of `man`.
#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// Write a page for each command to this folder, such as ~/.local/share/man/man1
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
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
    /// Also measure each kernel of the engine
    #[arg(long)]
    pub kernels: bool,
    /// Override a key, for example --set precision=bf16; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
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
}

impl From<SplitArg> for SplitName {
    fn from(split: SplitArg) -> SplitName {
        match split {
            SplitArg::Train => SplitName::Train,
            SplitArg::Validation => SplitName::Validation,
            SplitArg::ValidationMismatched => SplitName::ValidationMismatched,
            SplitArg::Test => SplitName::Test,
        }
    }
}

/// An export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Model folder for Hugging Face's from_pretrained
    Hf,
}

impl Args {
    /// Parses the command line.
    ///
    /// # Errors
    /// The exit code, after an error is printed to stderr, or after `--help` or `--version` is printed to stdout.
    pub fn read() -> Result<Args, ExitCode> {
        Args::parse(std::env::args_os()).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().ok();
                ExitCode::SUCCESS
            }
            _ => {
                super::output::stderr_line(format!("glue-tui: {}", one_sentence(&error)));
                ExitCode::from(2)
            }
        })
    }

    fn parse<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> clap::error::Result<Args> {
        let args = Args::try_parse_from(args)?;
        match &args.file {
            Some(file) if args.command.is_some() => {
                let problem = format!("{} stands in place of a command, and one is given", file.display());
                Err(Args::command().error(ErrorKind::ArgumentConflict, problem))
            }
            _ => Ok(args),
        }
    }
}

/// The several lines of an error of clap as one sentence.
fn one_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let parts: Vec<String> = paragraphs
        .filter(|part| !part.is_empty() && !part.starts_with("Usage:") && !part.starts_with("For more"))
        .map(|part| part.trim_start_matches("error: ").trim_start_matches("tip: ").to_owned())
        .collect();
    format!("{}; see glue-tui --help", parts.join("; "))
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

/// The path of a file or folder that exists. Anything else is more likely a mistyped command.
fn data_path(text: std::ffi::OsString) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.exists() {
        return Ok(path);
    }
    let word = path.to_string_lossy();
    let command = Args::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    Err(match closest_match(&word, names) {
        Some(name) => format!("no such command, file or folder; did you mean '{name}'?"),
        None => "no such command, file or folder".into(),
    })
}

/// An empty environment variable counts as unset.
fn runs_dir(text: std::ffi::OsString) -> PathBuf {
    if text.is_empty() { PathBuf::from("runs") } else { PathBuf::from(text) }
}

#[cfg(test)]
mod tests;
