//! The validation rows that all seeds of two sides predicted.
//!
//! Logs have the digest of the validation rows. If it is the same for all seeds, so are the rows and their order.
//! Otherwise, as with a `max_eval_samples` that draws other rows for each seed or with data that changed, the rows of
//! each seed are read again and identified by their texts and labels.

use super::sides::{SeedRun, Side};
use crate::catalog::{Labels, ProblemType};
use crate::data::{Example, rows_digest};
use crate::error::{Error, Result};
use crate::event::{SplitDigest, SplitName};
use crate::run::dir::RunDir;
use crate::run::error_analysis::read_examples;
use crate::run::log::recorded;
use crate::run::reader::run_labels;
use crate::spec::RunSpec;
use crate::text::plural;
use crate::train::{Predictions, predictions_of_step};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The predictions of both sides for the rows that all seeds predicted, in the same order.
#[derive(Debug)]
pub(super) struct SharedRows {
    /// For each seed of A.
    pub(super) a: Vec<Predictions>,
    /// For each seed of B.
    pub(super) b: Vec<Predictions>,
    /// Whether `max_eval_samples` draws other rows for each seed.
    pub(super) are_drawn_by_seed: bool,
    /// About rows that are left out.
    pub(super) notes: Vec<String>,
}

/// A row: the digest of its texts and label, and its number among the rows with the same digest.
type RowKey = (String, usize);

/// The predictions of the best weights of a seed.
struct SeedPredictions<'a> {
    seed: &'a SeedRun,
    spec: RunSpec,
    labels: Labels,
    digest: Option<SplitDigest>,
    predictions: Predictions,
    /// Those of each fold of a cross-validation; empty for a single training.
    folds: Vec<SeedPredictions<'a>>,
}

impl SharedRows {
    /// Reads the predictions. Nothing is downloaded.
    ///
    /// # Errors
    /// [`Error::Data`] if predictions are missing or damaged, [`Error::Usage`] if the labels differ or no rows are
    /// shared.
    pub(super) fn read(a: &Side, b: &Side) -> Result<Self> {
        let seeds: Vec<SeedPredictions<'_>> =
            a.seeds.iter().chain(&b.seeds).map(SeedPredictions::read).collect::<Result<_>>()?;
        let Some(first) = seeds.first() else {
            return Err(Error::Usage("there are no seeds to compare".into()));
        };
        if let Some(other) = seeds.iter().find(|other| other.labels != first.labels) {
            return Err(Error::Usage(format!(
                "{} and {} have different labels, so their predictions cannot be compared",
                first.seed.run, other.seed.run
            )));
        }
        let most = seeds.iter().map(|seed| seed.predictions.len()).max().unwrap_or(0);
        let rows = if are_identical(&seeds) { None } else { Some(shared(&seeds)?) };
        let shared = rows.as_ref().and_then(|rows| rows.first()).map_or(most, Vec::len);
        if shared < 2 {
            return Err(Error::Usage(format!(
                "{} and {} share {} that all their seeds predicted; evaluate more rows (max_eval_samples draws others \
                 for each seed)",
                a.name,
                b.name,
                if shared == 0 { "no validation rows".to_owned() } else { plural(shared, "validation row") }
            )));
        }
        let notes = (shared < most).then(|| {
            format!(
                "{shared} rows are compared: the others, of up to {most}, were not predicted by every seed"
            )
        });
        let is_drawn = |digest: &SplitDigest| digest.rows < digest.total_rows;
        let are_drawn_by_seed = seeds.iter().filter_map(|seed| seed.digest.as_ref()).any(is_drawn);
        let mut selected: Vec<Predictions> = match rows {
            None => seeds.into_iter().map(|seed| seed.predictions).collect(),
            Some(rows) => seeds.iter().zip(rows).map(|(seed, rows)| seed.predictions.select(&rows)).collect(),
        };
        let b = selected.split_off(a.seeds.len());
        Ok(SharedRows { a: selected, b, are_drawn_by_seed, notes: notes.into_iter().collect() })
    }

    /// Number of rows.
    pub(super) fn count(&self) -> usize {
        self.a.first().map_or(0, Predictions::len)
    }

    /// What is predicted.
    pub(super) fn problem_type(&self) -> ProblemType {
        self.a.first().map_or(ProblemType::SingleLabelClassification, Predictions::problem_type)
    }
}

impl<'a> SeedPredictions<'a> {
    /// The predictions for the rows of all folds of a cross-validation, one after the other.
    fn read(seed: &'a SeedRun) -> Result<Self> {
        let first = Self::read_training(seed, seed.step, &seed.dir)?;
        let others = seed.other_folds.iter().map(|(step, dir)| Self::read_training(seed, *step, dir));
        let others = others.collect::<Result<Vec<_>>>()?;
        if others.is_empty() {
            return Ok(first);
        }
        let all = || std::iter::once(&first).chain(&others);
        let predictions = Predictions::concatenate(&all().map(|fold| &fold.predictions).collect::<Vec<_>>());
        let digest = all().map(|fold| fold.digest.clone()).reduce(|all, next| {
            let (all, next) = (all?, next?);
            Some(SplitDigest {
                rows: all.rows + next.rows,
                total_rows: all.total_rows + next.total_rows,
                sha256: format!("{} {}", all.sha256, next.sha256),
            })
        });
        let digest = digest.flatten();
        let (spec, labels) = (first.spec.clone(), first.labels.clone());
        let folds = std::iter::once(first).chain(others).collect();
        Ok(SeedPredictions { seed, spec, labels, digest, predictions, folds })
    }

    fn read_training(seed: &'a SeedRun, step: u64, dir: &Path) -> Result<Self> {
        let dir = RunDir::at(dir);
        let recorded = recorded(&dir)?;
        let spec = match recorded.spec {
            Some(spec) => spec,
            None => dir.spec()?,
        };
        let labels = run_labels(&dir, &spec);
        let digest = recorded.data.and_then(|mut data| data.remove(&SplitName::Validation));
        let saved = predictions_of_step(dir.path(), step, &labels)?;
        let predictions = saved.map(|saved| saved.predictions).ok_or_else(|| {
            let problem = format!(
                "has no predictions of step {step}, the best of seed {}; without them the run cannot be compared",
                spec.seed
            );
            Error::data(dir.path().join("predictions"), None, problem)
        })?;
        Ok(SeedPredictions { seed, spec, labels, digest, predictions, folds: Vec::new() })
    }

    /// The identity of each row of the predictions.
    fn row_keys(&self) -> Result<Vec<RowKey>> {
        if self.folds.is_empty() {
            return Ok(keys(&self.examples()?));
        }
        let mut rows = Vec::new();
        for fold in &self.folds {
            rows.extend(fold.examples()?);
        }
        Ok(keys(&rows))
    }

    /// The rows of a single training.
    fn examples(&self) -> Result<Vec<Example>> {
        let cannot_identify = |problem: String| {
            Error::Usage(format!(
                "the validation rows of {} (seed {}) cannot be identified, so it is unknown which it shares with the other runs: \
                 {problem}",
                self.seed.run, self.seed.seed
            ))
        };
        let examples = read_examples(&self.spec, &self.labels, &self.predictions)
            .map_err(|error| cannot_identify(error.to_string()))?;
        if self.digest.as_ref().is_some_and(|digest| digest.sha256 != rows_digest(&examples)) {
            return Err(cannot_identify("the data have changed since the run was trained".into()));
        }
        Ok(examples)
    }
}

/// Whether all seeds predicted the same rows in the same order, by the digests in their logs.
fn are_identical(seeds: &[SeedPredictions<'_>]) -> bool {
    let Some(first) = seeds.first() else { return true };
    let is_same = |other: &SeedPredictions<'_>| match (&first.digest, &other.digest) {
        (Some(one), Some(other_digest)) => {
            one.sha256 == other_digest.sha256 && first.predictions.targets() == other.predictions.targets()
        }
        _ => false,
    };
    seeds.iter().all(is_same)
}

/// For each seed, the positions of the rows that all seeds have, in the order of the first seed.
fn shared(seeds: &[SeedPredictions<'_>]) -> Result<Vec<Vec<usize>>> {
    // Seeds with the same digest have the same rows, which are read once.
    let mut known: BTreeMap<String, Vec<RowKey>> = BTreeMap::new();
    let mut all: Vec<Vec<RowKey>> = Vec::new();
    for seed in seeds {
        let digest = seed.digest.as_ref().map(|digest| digest.sha256.clone());
        let keys = match digest.as_ref().and_then(|digest| known.get(digest)) {
            Some(keys) if keys.len() == seed.predictions.len() => keys.clone(),
            _ => seed.row_keys()?,
        };
        if let Some(digest) = digest {
            known.insert(digest, keys.clone());
        }
        all.push(keys);
    }
    let positions: Vec<HashMap<&RowKey, usize>> =
        all.iter().map(|keys| keys.iter().enumerate().map(|(row, key)| (key, row)).collect()).collect();
    let mut rows = vec![Vec::new(); seeds.len()];
    for key in all.first().into_iter().flatten() {
        let found: Option<Vec<usize>> = positions.iter().map(|rows| rows.get(key).copied()).collect();
        if let Some(found) = found {
            rows.iter_mut().zip(found).for_each(|(rows, row)| rows.push(row));
        }
    }
    Ok(rows)
}

fn keys(examples: &[Example]) -> Vec<RowKey> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let key = |example: &Example| {
        let digest = rows_digest(std::slice::from_ref(example));
        let number = seen.entry(digest.clone()).or_default();
        *number += 1;
        (digest, *number)
    };
    examples.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;

    #[test]
    fn equal_rows_are_told_apart_by_their_number() {
        let row = |text: &str, class| Example {
            text: text.into(),
            label: Some(Label::Class(class)),
            ..Example::default()
        };
        let keys = keys(&[row("a", 0), row("b", 0), row("a", 0), row("a", 1)]);
        assert_eq!((keys[0].0 == keys[2].0, keys[0].1, keys[2].1), (true, 1, 2));
        assert!(keys[0].0 != keys[3].0 && keys[0].0 != keys[1].0);
    }
}
