//! Export of runs to the formats of other tools. A model is read back and compared with the original before its folder
//! appears.

pub mod chart;
mod digests;
mod folder;
pub mod glue;
mod hf;
mod metrics;
mod model;
mod model_card;
mod onnx;
mod operating_point;
mod options;
mod peft;
mod predictions;
mod push;
mod report;
mod source;
mod tensorboard;
#[cfg(test)]
mod tests;
mod verification;

pub use metrics::{MetricsFormat, write_metrics};
pub use model::{export_model, hf};
pub use operating_point::{AppliedTemperature, AppliedThresholds};
pub use options::{ExportOptions, ModelFormat, OnDifference, TemperatureChoice, ThresholdChoice};
pub use predictions::SplitPredictions;
pub use push::push;
pub use report::{EXPORT_REPORT, ExportReport, Verification, VerificationStatus};
pub use source::ExportSource;
pub use tensorboard::tensorboard;
pub use verification::{ComparedScore, Comparison, RowSource, ScoreWithInterval, Tolerance};
