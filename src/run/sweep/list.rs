//! The list of the sweeps in a runs directory.

use super::dir::{SweepSize, sweeps};
use super::report::SweepRow;
use crate::error::Result;
use crate::run::row::RunRow;
use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

/// The sweeps of a runs directory. A description, which has every trial, is read again only when its file has changed.
#[derive(Debug, Default)]
pub struct SweepList {
    sizes: HashMap<String, (Stamp, SweepSize)>,
}

/// When a description was written, and its length.
type Stamp = (SystemTime, u64);

impl SweepList {
    /// The sweeps in `runs_dir`, newest first, with what the runs `rows` say about their trials. Sweeps whose description
    /// cannot be read are left out.
    ///
    /// # Errors
    /// As [`sweeps`].
    pub fn rows(&mut self, runs_dir: &Path, rows: &[RunRow]) -> Result<Vec<SweepRow>> {
        let mut sizes = HashMap::new();
        let mut found = Vec::new();
        for dir in sweeps(runs_dir)? {
            let Ok(stamp) = dir.stamp() else { continue };
            let known = self.sizes.remove(dir.name()).filter(|(known, _)| *known == stamp);
            let Some(size) = known.map(|(_, size)| size).or_else(|| dir.size().ok()) else { continue };
            found.push(SweepRow::without_trials(&dir, &size));
            sizes.insert(dir.name().to_owned(), (stamp, size));
        }
        self.sizes = sizes;
        let index: HashMap<String, usize> =
            found.iter().enumerate().map(|(index, row)| (row.name.clone(), index)).collect();
        for run in rows {
            let sweep = run.trial.as_ref().and_then(|trial| index.get(&trial.sweep));
            if let Some(row) = sweep.and_then(|index| found.get_mut(*index)) {
                row.add(run);
            }
        }
        Ok(found)
    }
}
