//! Export of runs to the formats of other tools.

pub mod chart;
mod folder;
mod hf;
mod metrics;
mod model_card;
mod predictions;
mod push;
mod tensorboard;

pub use hf::hf;
pub use metrics::{MetricsFormat, write_metrics};
pub use predictions::write_predictions;
pub use push::push;
pub use tensorboard::tensorboard;
