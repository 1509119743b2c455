//! Training that outlives the program that started it: a process of the same program, in a session of its own, takes over
//! runs and then the queue.
//!
//! # Hand-over
//!
//! ```text
//! this process                                 process in the background
//! starts it                            ─────▶  ready        (a line of its stdout)
//! stops its runs, saves their work             waits for the end of its stdin
//! sends commands that came too late    ─────▶
//! closes the pipe                      ─────▶  resumes the runs, each once it has its lock
//! quits, or reports what failed        ◀─────  Report       (a line of its stdout)
//! ```
//!
//! The process in the background exists before a run is stopped, and the end of its stdin is also the end of this process,
//! however it ends. So there is no moment in which a run is lost, and the lock of a run keeps two processes from training
//! it.

mod process;
mod trainer;

pub use process::{BackgroundOptions, BackgroundProcess, COMMAND, READY, Report, UnexecutedCommand, names};
pub use trainer::BackgroundTrainer;
