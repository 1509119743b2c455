//! The arguments of the commands that train, follow and compare runs.

use super::assignment::assignment;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

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
    /// Names of experiments, each for a new run or sweep, and names or directories of runs and sweeps to continue
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
    /// Names or directories of runs and sweeps
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

/// The arguments of `compare`.
#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// Runs, run directories or experiments of one side, separated by commas
    pub a: String,
    /// Those of the other side
    pub b: String,
}
