//! The rows that a specification selects of a dataset: those of `max_train_samples` and `max_eval_samples`, and the folds
//! of a cross-validation, which are parts of its training rows.

use super::dataset::{Dataset, Example, subsample_indices, subsample_split};
use super::folds::fold_numbers;
use super::load::load_split;
use super::source::{DatasetSource, LoadContext};
use crate::catalog::SplitName;
use crate::error::Result;
use crate::spec::RunSpec;
use crate::text::plural;

/// The dataset with the rows that `spec` selects: random rows in their order.
pub fn select(spec: &RunSpec, dataset: Dataset) -> Dataset {
    let splits = dataset.splits.into_iter();
    let splits = splits.map(|(name, rows)| (name, subsample_split(spec, name, rows))).collect();
    let mut dataset = Dataset { splits, ..dataset };
    let Some((folds, fold)) = spec.validation_fold() else { return dataset };
    let rows = dataset.splits.remove(&SplitName::Train).unwrap_or_default();
    let numbers = fold_numbers(&rows.iter().collect::<Vec<_>>(), folds, is_stratified(spec));
    let (validation, train): (Vec<_>, Vec<_>) =
        rows.into_iter().zip(numbers).partition(|(_, number)| number + 1 == fold);
    let without_number = |rows: Vec<(Example, u64)>| rows.into_iter().map(|(row, _)| row).collect();
    dataset.notes.push(format!(
        "fold {fold} of {folds}: {} of {} for validation, the same for every seed",
        validation.len(),
        plural(train.len() + validation.len(), "training row")
    ));
    for split in [SplitName::Train, SplitName::Validation] {
        dataset.total_rows.remove(&split);
    }
    dataset.splits.insert(SplitName::Train, without_number(train));
    if dataset.splits.insert(SplitName::Validation, without_number(validation)).is_some() {
        dataset
            .notes
            .push("the validation split of the data is not used: the folds are for validation".into());
    }
    dataset
}

/// The split of the data that has the rows of `split` of a run with this specification.
pub fn source_split(spec: &RunSpec, split: SplitName) -> SplitName {
    if has_fold(spec, split) { SplitName::Train } else { split }
}

/// Whether the rows of `split` of a run with this specification are those of a fold or of the other folds.
pub fn has_fold(spec: &RunSpec, split: SplitName) -> bool {
    spec.folds.is_some() && matches!(split, SplitName::Train | SplitName::Validation)
}

/// The indices of the rows that `spec` selects as its `split`, ascending, of `rows`, which are all those of the split
/// [`source_split`] or those of them that its specification chooses.
pub fn selected_rows(spec: &RunSpec, split: SplitName, rows: &[Example]) -> Vec<usize> {
    let chosen = subsample_indices(spec, source_split(spec, split), rows.len());
    let chosen = chosen.unwrap_or_else(|| (0..rows.len()).collect());
    let Some((folds, fold)) = spec.validation_fold().filter(|_| has_fold(spec, split)) else { return chosen };
    let examples: Vec<&Example> = chosen.iter().map(|row| &rows[*row]).collect();
    let numbers = fold_numbers(&examples, folds, is_stratified(spec));
    let is_validation = split == SplitName::Validation;
    let is_selected = |number: u64| (number + 1 == fold) == is_validation;
    chosen.into_iter().zip(numbers).filter(|(_, number)| is_selected(*number)).map(|(row, _)| row).collect()
}

/// Loads the rows that `spec`, which `source` is of, selects as its `split`. Rows of an optional split may be unlabeled.
///
/// # Errors
/// As [`load_split`].
pub fn load_selected(
    source: DatasetSource<'_>,
    (spec, split): (&RunSpec, SplitName),
    context: &mut LoadContext<'_>,
) -> Result<Vec<Example>> {
    let rows = load_split(source.subsampled(), source_split(spec, split), context)?;
    let mut selected = selected_rows(spec, split, &rows).into_iter().peekable();
    let is_selected = |(index, row)| selected.next_if_eq(&index).map(|_| row);
    Ok(rows.into_iter().enumerate().filter_map(is_selected).collect())
}

fn is_stratified(spec: &RunSpec) -> bool {
    spec.stratify != Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Label;
    use crate::spec::built_in;
    use std::collections::BTreeSet;

    fn dataset(rows: u32) -> Dataset {
        let row = |index: u32| Example {
            text: index.to_string(),
            label: Some(Label::Class(index % 3)),
            ..Example::default()
        };
        let train = (0..rows).map(row).collect();
        let validation = (rows..rows + 5).map(row).collect();
        let splits = [(SplitName::Train, train), (SplitName::Validation, validation)].into();
        Dataset { splits, ..Dataset::default() }
    }

    fn texts(rows: &[Example]) -> Vec<&str> {
        rows.iter().map(|row| row.text.as_str()).collect()
    }

    #[test]
    fn each_row_is_a_validation_row_of_one_fold() {
        for max_train_samples in [None, Some(40)] {
            let base = RunSpec { folds: Some(4), max_train_samples, ..built_in("x") };
            let mut seen = BTreeSet::new();
            for index in 0..4 {
                let spec = base.of_seed(index);
                assert_eq!((spec.fold, spec.seed), (Some(index + 1), 42 + index));
                let all = dataset(50);
                let selected = select(&spec, all.clone());
                let (train, validation) = (texts(selected.train()), texts(selected.validation()));
                assert_eq!(train.len() + validation.len(), max_train_samples.unwrap_or(50));
                assert!(validation.iter().all(|text| !train.contains(text)));
                for (split, expected) in [(SplitName::Train, &train), (SplitName::Validation, &validation)] {
                    assert_eq!(source_split(&spec, split), SplitName::Train);
                    let rows = selected_rows(&spec, split, all.train());
                    let found: Vec<&str> = rows.iter().map(|row| all.train()[*row].text.as_str()).collect();
                    assert_eq!(&found, expected);
                }
                seen.extend(validation.iter().map(|text| (*text).to_owned()));
            }
            assert_eq!(seen.len(), max_train_samples.unwrap_or(50));
        }
    }

    #[test]
    fn rows_of_a_specification_without_folds_are_those_of_the_split() {
        let spec = RunSpec { max_eval_samples: Some(3), ..built_in("x") };
        let all = dataset(50);
        let selected = select(&spec, all.clone());
        assert_eq!((selected.train().len(), selected.validation().len()), (50, 3));
        assert_eq!(source_split(&spec, SplitName::Validation), SplitName::Validation);
        let rows = selected_rows(&spec, SplitName::Validation, all.validation());
        let found: Vec<&str> = rows.iter().map(|row| all.validation()[*row].text.as_str()).collect();
        assert_eq!(found, texts(selected.validation()));
    }
}
