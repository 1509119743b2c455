//! Compares the specification of a run that is resumed with the one that it was trained with.

use super::dir::RunDir;
use crate::error::{Error, Result};
use crate::spec::{Difference, RunSpec, differences};

/// Keys that say where a training finds its data, its model and its device. They may change when a run directory is
/// taken to another machine.
const PLACES: [&str; 10] = [
    "data_dir",
    "device",
    "engine",
    "max_tokens_per_batch",
    "model",
    "precision",
    "test_file",
    "threads",
    "train_file",
    "validation_file",
];

/// Checks that `spec`, which a run is resumed with, has the values of `recorded`, which its log has. Returns a sentence
/// about changed keys that only say where something is.
///
/// # Errors
/// [`Error::Usage`] with each key that the result depends on, its old and its new value.
pub(super) fn check_unchanged(
    dir: &RunDir,
    recorded: Option<&RunSpec>,
    spec: &RunSpec,
) -> Result<Option<String>> {
    let Some(recorded) = recorded else { return Ok(None) };
    let is_place = |difference: &Difference| PLACES.contains(&difference.key.name);
    let (places, others): (Vec<_>, Vec<_>) = differences(&[recorded, spec]).into_iter().partition(is_place);
    let list = |differences: &[Difference]| {
        let texts = differences.iter().map(|Difference { key, values }| {
            let value = |index: usize| values.get(index).map_or("", |(text, _)| text);
            format!("{} was {} and is {}", key.name, value(0), value(1))
        });
        texts.collect::<Vec<_>>().join(", ")
    };
    let file = dir.spec_file();
    if !others.is_empty() {
        return Err(Error::Usage(format!(
            "{} was changed after the run was started: {}; undo the change, or start a new run",
            file.display(),
            list(&others)
        )));
    }
    let note = || format!("{} was changed after the run was started: {}", file.display(), list(&places));
    Ok((!places.is_empty()).then(note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;

    #[test]
    fn changes_of_the_training_are_refused_and_those_of_places_reported() {
        let dir = RunDir::at("runs/a");
        let recorded = built_in("demo");
        assert_eq!(check_unchanged(&dir, None, &recorded).unwrap(), None);
        assert_eq!(check_unchanged(&dir, Some(&recorded), &recorded).unwrap(), None);
        let moved = RunSpec { data_dir: Some("/elsewhere".into()), ..recorded.clone() };
        let note = check_unchanged(&dir, Some(&recorded), &moved).unwrap().unwrap();
        assert!(note.contains("data_dir was ") && note.contains("/elsewhere"), "{note}");
        let other = RunSpec { learning_rate: 1e-3, seed: 7, ..moved };
        let error = check_unchanged(&dir, Some(&recorded), &other).unwrap_err().to_string();
        assert!(error.contains("learning_rate was 0.00002 and is 0.001, seed was 42 and is 7"), "{error}");
        assert!(!error.contains("data_dir"), "{error}");
    }
}
