//! Comparison of the predictions of several seeds, row by row.

use crate::error::{Error, Result};
use crate::train::Predictions;

/// The predictions of several seeds for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossSeed {
    /// Number of seeds with predictions.
    pub seed_count: usize,
    /// All rows, by descending number of wrong seeds, then by descending mean loss.
    pub rows: Vec<SharedRow>,
}

/// The predictions of several seeds for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedRow {
    /// Index of the row.
    pub row: usize,
    /// Seeds with a wrong prediction.
    pub wrong: usize,
    /// Mean loss over the seeds.
    pub loss: f64,
    /// The class with the highest mean probability.
    pub predicted: usize,
    /// Its mean probability.
    pub probability: f64,
}

impl CrossSeed {
    /// From the predictions of each seed.
    ///
    /// # Errors
    /// When they are for different rows.
    pub fn of(seeds: &[Predictions]) -> Result<Self> {
        let Some(first) = seeds.first() else { return Ok(CrossSeed { seed_count: 0, rows: Vec::new() }) };
        if seeds.iter().any(|seed| seed.targets() != first.targets() || seed.classes() != first.classes()) {
            return Err(Error::Training("the seeds were evaluated on different rows".into()));
        }
        let count = seeds.len() as f64;
        let row = |row: usize| {
            let mean = |class| seeds.iter().map(|seed| seed.probability(row, class)).sum::<f64>() / count;
            let all = (0..first.classes()).map(|class| (class, mean(class)));
            let (predicted, probability) = all.rev().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            SharedRow {
                row,
                wrong: seeds.iter().filter(|seed| seed.is_wrong(row)).count(),
                loss: seeds.iter().map(|seed| seed.loss(row)).sum::<f64>() / count,
                predicted,
                probability,
            }
        };
        let mut rows: Vec<SharedRow> = (0..first.len()).map(row).collect();
        rows.sort_by(|a, b| b.wrong.cmp(&a.wrong).then(b.loss.total_cmp(&a.loss)));
        Ok(CrossSeed { seed_count: seeds.len(), rows })
    }
}
