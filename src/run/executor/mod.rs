//! Where runs are trained other than at once in this process: the queue of this machine, and Slurm.
//!
//! A run directory is all that an executor needs: it has the specification, and whoever trains it writes its log and its
//! checkpoints there. So an executor starts `train --resume` elsewhere, and every screen follows the directories.

mod cancellation;
mod local;
pub mod slurm;
mod submission;
mod task_list;
mod task_status;
mod traits;

pub use cancellation::Submitted;
pub use local::LocalExecutor;
pub use submission::{Subject, Submission, subjects};
pub use task_list::TaskList;
pub use task_status::{TaskPhase, TaskStatus};
pub use traits::{Executor, SubmittedTask};
