//! Fine-tuning: the training loop, the learning-rate schedule, the metrics and the checkpoints. Independent of
//! any user interface; writes only to the run directory that it is given, and never uses the network:
//! [`resolve`] finds the model and the data before [`train`] starts.
//!
//! Read [`trainer`] first.

mod attempt;
mod best;
mod checkpoint;
mod class_weights;
mod control;
mod evaluate;
mod memory_plan;
mod metric_rows;
mod multi_label_scores;
mod plan;
mod predictions;
mod probe_evaluator;
mod resources;
mod running_scores;
mod saved_predictions;
mod schedule;
mod score_interval;
mod scores;
mod setup;
mod snapshot;
mod summary;
mod teacher;
#[cfg(test)]
mod tests;
mod trainer;
mod trial_scheduler;
mod usage_meter;

pub use attempt::{Attempt, has_attempts, is_attempt_of, record_time_out};
pub use best::Best;
pub use checkpoint::{CheckpointProgress, checkpoint_progress};
pub use control::{Control, Handle, control};
pub use evaluate::evaluate;
pub use metric_rows::MetricRows;
pub use multi_label_scores::{is_predicted, sigmoid};
pub use plan::Plan;
pub use predictions::Predictions;
pub use resources::{Resources, resolve};
pub use saved_predictions::{SavedPredictions, newest_predictions, predictions_of_step, saved_predictions};
pub use schedule::LrSchedule;
pub use score_interval::{score_interval, score_intervals, within_range};
pub use scores::{add_metrics_from, argmax, softmax};
pub use snapshot::Snapshot;
pub use summary::Summary;
pub use teacher::Teacher;
pub use trainer::{Job, train};
pub use trial_scheduler::{SchedulerDecision, TrialResult, TrialScheduler};
