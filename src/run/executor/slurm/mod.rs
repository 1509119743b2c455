//! Slurm: one array for all runs that are submitted together.
//!
//! ```text
//! runs/.slurm/state.json               what is known about all tasks, shared by all programs
//! runs/.slurm/ARRAY/job.sh             the batch script of an array, whose name is that of the folder
//! runs/.slurm/ARRAY/tasks              a line for each task, in the order of the indexes: what it trains
//! runs/.slurm/ARRAY/task-0.out         what the task prints
//! ```
//!
//! No path contains the id of a job: a task that is requeued, or submitted again, finds everything where it was. The name of an
//! array is unique, so an array whose id was not recorded, because its submitter was killed, is found by its name.

mod command;
mod executor;
mod poll;
mod queue_lines;
mod script;
mod state;
mod task;

pub use executor::SlurmExecutor;
pub use poll::poll;
pub use state::{SlurmState, TaskRecord};
pub use task::{MAX_TIME_OUTS, SlurmTask, TaskSignal};
