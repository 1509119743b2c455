//! Datasets: files of task `custom`, and local files of GLUE tasks.

use super::write;
use crate::mutate::files;
use glue_tui::catalog::{SplitName, task};
use glue_tui::data::{self, Dataset, DatasetSource, LoadContext, SplitStatistics, text_set};
use glue_tui::error::Result;
use glue_tui::hub::Hub;
use glue_tui::spec::built_in;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// CSV and TSV files, also compressed: the first is the training file, the second the validation file.
pub fn delimited(folder: &Path, data: &[u8]) {
    custom(&folder.join("data"), data);
}

/// Files of JSON lines and JSON arrays, as [`delimited`].
pub fn json_lines(folder: &Path, data: &[u8]) {
    custom(&folder.join("data"), data);
}

/// A Parquet file, as a training file and as a split of tasks of GLUE.
pub fn parquet(folder: &Path, data: &[u8]) {
    let path = write(folder, "train-00000-of-00001.parquet", data);
    let _ = load_custom(&path, None);
    for name in ["cola", "stsb"] {
        let _ = load_train(folder, name);
    }
}

/// Trees of the treebank.
pub fn trees(folder: &Path, data: &[u8]) {
    write(folder, "train.txt", data);
    let _ = load_train(folder, "sst");
}

/// TSV files of GLUE.
pub fn glue_tsv(folder: &Path, data: &[u8]) {
    write(folder, "train.tsv", data);
    for name in ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli"] {
        let _ = load_train(folder, name);
    }
}

fn custom(folder: &Path, data: &[u8]) {
    let names = files::write(folder, data);
    let Some(train) = names.first() else { return };
    let validation = names.iter().find(|name| *name != train).map(|name| folder.join(name));
    let Ok(dataset) = load_custom(&folder.join(train), validation.as_deref()) else { return };
    let seen = text_set(dataset.train());
    for rows in dataset.splits.values() {
        let _ = SplitStatistics::of(rows, &dataset.labels, None, Some(&seen));
    }
}

fn load_custom(train: &Path, validation: Option<&Path>) -> Result<Dataset> {
    let text = |path: &Path| path.display().to_string();
    let mut pairs = vec![("task".to_owned(), "custom".to_owned()), ("train_file".to_owned(), text(train))];
    pairs.extend(validation.map(|path| ("validation_file".to_owned(), text(path))));
    let spec = built_in("fuzz").with(&pairs)?;
    with_context(|context| data::load(DatasetSource::from_spec(&spec), context))
}

fn load_train(folder: &Path, name: &str) -> Result<usize> {
    let source = DatasetSource::for_task(task(name).expect("the task exists"), Some(folder));
    with_context(|context| data::load_split(source, SplitName::Train, context)).map(|rows| rows.len())
}

fn with_context<T>(load: impl FnOnce(&mut LoadContext<'_>) -> T) -> T {
    let hub = Hub::cache_only();
    let cancelled = AtomicBool::new(false);
    load(&mut LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled })
}
