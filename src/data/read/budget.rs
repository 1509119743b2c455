//! Limits on the memory that reading takes.

use crate::error::{Error, Result};
use crate::format;
use crate::machine;
use std::path::Path;

/// Maximum size of a cell, of a line and of a row in bytes.
pub(in crate::data) const MAX_ROW_BYTES: u64 = 64 << 20;

/// The memory that this process can still allocate, in bytes.
pub(in crate::data) fn available_memory() -> u64 {
    machine::memory().map_or(u64::MAX, |memory| memory.available)
}

/// The memory that the rows of a data set may take.
#[derive(Debug)]
pub(in crate::data) struct MemoryBudget {
    limit: u64,
    used: u64,
}

impl MemoryBudget {
    /// Half of the available memory: the rows are kept while their tokens, which take about as much, are computed.
    pub(in crate::data) fn for_rows() -> Self {
        MemoryBudget { limit: available_memory() / 2, used: 0 }
    }

    /// Adds the memory of rows of `file`.
    ///
    /// # Errors
    /// [`Error::Data`] if the rows do not fit.
    pub(in crate::data) fn add(&mut self, bytes: u64, file: &Path) -> Result<()> {
        self.check(bytes, file)?;
        self.used = self.used.saturating_add(bytes);
        Ok(())
    }

    /// Whether `bytes` more fit.
    ///
    /// # Errors
    /// [`Error::Data`] if they do not.
    pub(in crate::data) fn check(&self, bytes: u64, file: &Path) -> Result<()> {
        let used = self.used.saturating_add(bytes);
        if used <= self.limit {
            return Ok(());
        }
        let problem = format!(
            "the rows take more than {} of memory, half of what is available; set max_train_samples and \
             max_eval_samples, or use a smaller file",
            format::bytes(self.limit)
        );
        Err(Error::data(file, None, problem))
    }
}
