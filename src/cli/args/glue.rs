//! The arguments of `glue`.

use super::assignment::assignment;
use super::runs::ExecutorArg;
use clap::Args as ClapArgs;
use std::path::PathBuf;

/// The arguments of `glue`.
#[derive(Debug, ClapArgs)]
pub struct GlueArgs {
    /// Hub id, model folder, run, or demo; or the name of a GLUE run to continue
    #[arg(required_unless_present_any = ["show", "check"])]
    pub model: Option<String>,
    /// Train only these tasks: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli
    #[arg(long, value_name = "TASK,…", value_delimiter = ',')]
    pub tasks: Vec<String>,
    /// Override a key for all tasks, for example --set max_steps=100; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Number of seeds of each task, as --set repeats=N
    #[arg(long, visible_alias = "seeds", value_name = "N")]
    pub repeats: Option<u64>,
    /// Submit the tasks to Slurm or to the queue of this machine, instead of training them here
    #[arg(long, value_enum)]
    pub executor: Option<ExecutorArg>,
    /// Start a new GLUE run, even if there is one with the same settings
    #[arg(long)]
    pub new: bool,
    /// Print the scoreboard of the newest GLUE run, or that of MODEL, and train nothing
    #[arg(long)]
    pub show: bool,
    /// Check a submission: names of the files, headers, indices, labels and numbers of rows
    #[arg(long, value_name = "FILE.zip", conflicts_with_all = ["model", "show"])]
    pub check: Option<PathBuf>,
    /// Print plain lines instead of a progress bar
    #[arg(long)]
    pub plain: bool,
}
