//! Verification of an export: what was written is read back by other code than that which wrote it, and run over rows
//! whose logits are known.

mod comparison;
mod generated;
mod read_back;
mod rows;

pub use comparison::{ComparedScore, Comparison, ScoreWithInterval, Tolerance};
pub(super) use read_back::{ReadBack, logits_of};
pub use rows::RowSource;
pub(super) use rows::VerificationRows;
