//! What can be said on the command line. Flags choose what to do; hyperparameters go through `--set`.

use crate::catalog::SHAPES;
use crate::event::SplitName;
use crate::spec::DeviceSpec;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Fine-tune a text classifier in the terminal
///
/// Without a command the interface opens on ./experiments.toml, or on the shipped experiments.
#[derive(Debug, Parser)]
#[command(name = "glue-tui", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing opens the interface.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER: &str = "\
Try it:   glue-tui train demo            then:   glue-tui predict demo \"not bad at all\"

Environment: GLUE_TUI_RUNS, GLUE_TUI_THEME, GLUE_TUI_ASCII, NO_COLOR, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,
HF_TOKEN, HF_HUB_OFFLINE, CUDA_VISIBLE_DEVICES, RUST_LOG (what the libraries do, on stderr, without the interface)
Exit codes: 0 done, 1 the run failed, 2 wrong usage or configuration, 3 data or model cannot be
read or fetched, 4 device trouble or out of memory, 130 interrupted with the work saved";

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The experiments file [default: ./experiments.toml, or else the shipped one]
    #[arg(long, global = true, value_name = "FILE")]
    pub experiments: Option<PathBuf>,
    /// Folder that runs are kept in
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
    /// Print JSON in place of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours of the interface: dark, light, okabe-ito, okabe-ito-light, or one of your own
    #[arg(long, global = true, value_name = "NAME", env = "GLUE_TUI_THEME", hide_env_values = true)]
    pub theme: Option<String>,
    /// Draw the interface in ASCII
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, global = true, value_name = "D", value_parser = DeviceSpec::from_str)]
    pub device: Option<DeviceSpec>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train one experiment; the last line of stdout is the run directory
    Train(Train),
    /// Score a run or a model folder; JSON on stdout
    Eval(Eval),
    /// Label texts; one JSON object for each on stdout
    Predict(Predict),
    /// List the runs
    Runs(Runs),
    /// Watch a run that another process or host trains
    Attach(Attach),
    /// Tell something to a run that is going on, here or on another host
    Control(Control),
    /// Write a run out for other tools
    Export(Export),
    /// Print filled specifications, or every mistake in the experiments file
    Check(Check),
    /// Print the keys of the interface, as a keys.toml to change them with
    Keys,
    /// Tell what is there: devices, precision, threads, hub, cache, terminal
    Doctor,
    /// Measure training and inference on this machine, with random weights
    Bench(Bench),
}

/// What to train.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// An experiment of the experiments file
    #[arg(required_unless_present_any = ["resume", "replay"])]
    pub name: Option<String>,
    /// Give a key another value, as in --set learning_rate=3e-5; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Go on with a run from its newest checkpoint
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
    /// Do once more, from its start, what a run did, with all that was changed on its way
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub replay: Option<String>,
    /// Print sentences, not a progress bar, on a terminal too
    #[arg(long)]
    pub plain: bool,
}

/// What to watch.
#[derive(Debug, clap::Args)]
pub struct Attach {
    /// A run or a run directory
    pub run: String,
    /// Print sentences in place of the interface, until the run ends; with --json its events
    #[arg(long)]
    pub plain: bool,
}

/// What to list.
#[derive(Debug, clap::Args)]
pub struct Runs {
    /// Hold those that follow the article's recipe against its published means
    #[arg(long)]
    pub published: bool,
}

/// What to tell to which run.
#[derive(Debug, clap::Args)]
pub struct Control {
    /// A run or a run directory
    pub run: String,
    /// Do not wait until the run has obeyed, which it does between two steps
    #[arg(long, global = true)]
    pub no_wait: bool,
    /// What to tell it
    #[command(subcommand)]
    pub action: Action,
}

/// What a run can be told. Each is written into the run's events with its step.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Wait between two steps
    Pause,
    /// Go on
    Resume,
    /// Score the validation split now; it changes nothing
    Eval,
    /// Write a checkpoint now
    Save,
    /// Write a checkpoint and end; `train --resume` goes on from it
    Stop,
    /// Halve the learning rate from here on
    Halve,
    /// Change learning_rate, max_steps or num_train_epochs from here on, as in set learning_rate=1e-5
    ///
    /// learning_rate is what the schedule multiplies. With more or fewer steps in all, what is left of the
    /// schedule is stretched, or pressed together, to the new end: the rate does not jump.
    Set {
        /// The key and its new value
        #[arg(value_name = "KEY=VALUE", value_parser = assignment)]
        set: (String, String),
    },
}

/// What to score.
#[derive(Debug, clap::Args)]
pub struct Eval {
    /// A run, a run directory, a model folder, or a hub id
    pub model: String,
    /// The task to score it on [default: the run's]
    #[arg(long, value_name = "T")]
    pub task: Option<String>,
    /// The split to score it on
    #[arg(long, value_name = "S", value_enum, default_value_t = Split::Validation)]
    pub split: Split,
    /// Read the task's files from this folder [default: the run's, or else the hub]
    #[arg(long, value_name = "D")]
    pub data_dir: Option<PathBuf>,
}

/// What to label.
#[derive(Debug, clap::Args)]
pub struct Predict {
    /// A run, a run directory, a model folder, or a hub id
    pub model: String,
    /// The text [default: each line of stdin, with a tab between the two texts of a pair]
    pub text: Option<String>,
    /// The second text of a pair
    pub text_b: Option<String>,
    /// Tell also which words the label rests on: what each adds to its logit, by integrated gradients
    #[arg(long)]
    pub explain: bool,
}

/// What to write out, and how.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// A run or a run directory
    pub run: String,
    /// For whom: hf is a folder that Hugging Face's from_pretrained loads
    #[arg(long, value_enum, default_value_t = Format::Hf)]
    pub format: Format,
    /// The folder to write, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// An experiment [default: all of them]
    pub name: Option<String>,
}

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Sizes of the model
    #[arg(long, value_name = "S", default_value = "minilm", value_parser = PossibleValuesParser::new(shapes()))]
    pub shape: String,
    /// Examples of a step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: u32,
    /// Tokens of an input: sst, sst2, a number, a range as in 16-64, or a text file with an input a line
    #[arg(long, value_name = "L", default_value = "sst2")]
    pub lengths: String,
    /// How long to train, and then to judge
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub seconds: f64,
    /// Time each kernel of the engine alone too
    #[arg(long)]
    pub kernels: bool,
    /// Give a key another value, as in --set precision=bf16; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

fn shapes() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|shape| shape.name)
}

/// A split by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// The rows that are trained on.
    Train,
    /// The rows that choose the best weights.
    #[value(alias = "dev")]
    Validation,
    /// MNLI's second validation split: rows of other genres than those that are trained on.
    #[value(name = "validation_mismatched", alias = "dev_mismatched")]
    ValidationMismatched,
    /// The rows for the final score.
    Test,
}

impl From<Split> for SplitName {
    fn from(split: Split) -> SplitName {
        match split {
            Split::Train => SplitName::Train,
            Split::Validation => SplitName::Validation,
            Split::ValidationMismatched => SplitName::ValidationMismatched,
            Split::Test => SplitName::Test,
        }
    }
}

/// What a run can be written out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A model folder in the Hugging Face layout.
    Hf,
}

impl Args {
    /// Reads the command line. The error is the exit code of one that cannot be read, or that asked for
    /// help, once that is printed.
    pub fn read() -> Result<Args, ExitCode> {
        Args::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().ok();
                ExitCode::SUCCESS
            }
            _ => {
                super::output::aside(format!("glue-tui: {}", sentence(&error)));
                ExitCode::from(2)
            }
        })
    }
}

/// The one sentence in what clap prints over several lines.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let told: Vec<String> = paragraphs
        .filter(|part| !part.is_empty() && !part.starts_with("Usage:") && !part.starts_with("For more"))
        .map(|part| part.trim_start_matches("error: ").trim_start_matches("tip: ").to_owned())
        .collect();
    format!("{}; see glue-tui --help", told.join("; "))
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("KEY=VALUE is expected".into()),
    }
}

/// An empty variable counts as one that is not set.
fn runs_dir(text: std::ffi::OsString) -> PathBuf {
    if text.is_empty() { PathBuf::from("runs") } else { PathBuf::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(args: &[&str]) -> String {
        let args = ["glue-tui"].iter().chain(args);
        sentence(&Args::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn the_table_of_arguments_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_refusal_is_one_sentence() {
        for args in [&["train"][..], &["train", "x", "--set", "lr"], &["trian"], &["runs", "--jsno"]] {
            let told = refusal(args);
            assert!(!told.contains('\n') && !told.contains("error:"), "{told}");
            assert!(told.ends_with("; see glue-tui --help"), "{told}");
        }
        assert!(refusal(&["train", "x", "--set", "lr"]).contains("KEY=VALUE is expected"));
        assert!(refusal(&["trian"]).contains("'train'"));
        assert!(refusal(&["runs", "--device", "cuda"]).contains("did you mean `cuda:0`?"));
    }

    #[test]
    fn overrides_split_at_the_first_equals_sign() {
        assert_eq!(assignment("data_dir=a=b"), Ok(("data_dir".into(), "a=b".into())));
        assert_eq!(assignment("max_steps="), Ok(("max_steps".into(), String::new())));
        assert!(assignment("=1").is_err());
    }

    #[test]
    fn a_name_may_be_left_out_only_to_resume_or_replay() {
        assert!(Args::try_parse_from(["glue-tui", "train", "--resume", "demo-1"]).is_ok());
        assert!(Args::try_parse_from(["glue-tui", "train", "--replay", "demo-1"]).is_ok());
        assert!(Args::try_parse_from(["glue-tui", "train", "--replay", "a", "--resume", "b"]).is_err());
        assert!(refusal(&["train"]).contains("NAME"));
    }
}
