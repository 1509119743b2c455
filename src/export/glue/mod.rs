//! The submission to the leaderboard of GLUE: a zip archive with a file of predictions for each test split.

mod archive;
mod check;
mod predictions;
mod submission;

pub use check::{SubmissionCheck, SubmissionProblem, check_submission};
pub use predictions::{FilePredictions, SubmissionPredictor};
pub use submission::{ARCHIVE, RunFiles, StandIns, Submission, export_run, export_submission};
