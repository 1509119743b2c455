//! Export of runs to the formats of other tools. A model is read back and compared with the original before its folder
//! appears.

pub mod chart;
mod digests;
pub mod glue;
mod hf;
mod model;
mod model_card;
mod onnx;
mod operating_point;
mod options;
mod report;
mod source;
#[cfg(test)]
mod tests;
mod verification;

pub use model::{export_model, hf};
pub use operating_point::{AppliedTemperature, AppliedThresholds};
pub use options::{ExportOptions, ModelFormat, OnDifference, TemperatureChoice, ThresholdChoice};
pub use report::{EXPORT_REPORT, ExportReport, Verification, VerificationStatus};
pub use source::ExportSource;
pub use verification::{ComparedScore, Comparison, RowSource, ScoreWithInterval, Tolerance};
