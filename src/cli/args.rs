//! The command line. Flags say what to do; hyperparameters are set with `--set`.

mod assignment;
mod glue;
mod models;
mod runs;

pub use runs::AttachArgs;

pub(super) use glue::GlueArgs;
pub(super) use models::{
    BenchArgs, EvalArgs, ExportArgs, ExportFormat, ExportPrecision, ModelExportArgs, PredictArgs, PushArgs,
};
pub(super) use runs::{
    BackgroundArgs, CancelArgs, CompareArgs, ControlAction, ControlArgs, EventsArgs, ExecutorArg, PruneArgs,
    RunsArgs, SubmitArgs, TrainArgs,
};

use crate::config::closest_match;
use crate::spec::DeviceSpec;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueHint};
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
    /// Train a model on all tasks of GLUE and print a scoreboard
    ///
    /// Each task has the settings that are recommended for it and for the size of the model. Tasks whose data are missing are
    /// skipped. The same command again continues: finished tasks are not trained again, failed ones are. `export --format
    /// glue` writes the submission to the leaderboard.
    Glue(GlueArgs),
    /// Evaluate a run or model on a labeled split and print the scores as JSON
    Eval(EvalArgs),
    /// Classify texts and print one JSON object per text
    Predict(PredictArgs),
    /// Submit runs to Slurm as one array
    ///
    /// Fetches models and data into the cache, creates the run directories, and submits a task for each run, or for each seed
    /// of a run with repeats. The table [slurm] of the experiments file has partition, time, mem, gres and more.
    Submit(SubmitArgs),
    /// Take back runs and sweeps that were submitted or queued, and stop those that are being trained; their work is saved
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
    /// Export the best model of a run, a model folder, metrics or predictions for other tools
    ///
    /// A model is read back and compared with the original: the reference engine reads Hugging Face folders, ONNX
    /// Runtime reads ONNX models where its library is found. The folder has a report, export-report.json.
    Export(ExportArgs),
    /// Upload the best model of a run with its model card to the Hugging Face hub
    ///
    /// The token is read from HF_TOKEN or from the file of `hf auth login`. The same command continues an upload that failed:
    /// files that the hub has are not sent again.
    Push(PushArgs),
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
