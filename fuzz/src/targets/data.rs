//! Datasets: files of task `custom`, and local files of GLUE tasks.

use super::write;
use crate::mutate::files;
use glue_tui::catalog::{FileFormat, SplitName, task};
use glue_tui::data::{
    self, Dataset, DatasetSource, InputTable, LoadContext, NewColumn, NewValues, SplitStatistics, TextColumns, text_set,
    unique_names,
};
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

/// Files with texts to predict, of every format: read and copied with new columns.
pub fn input_table(folder: &Path, data: &[u8]) {
    let folder = folder.join("data");
    for name in files::write(&folder, data) {
        let path = folder.join(name);
        let _ = InputTable::open(&path, None, TextColumns::default(), None);
        let Ok(table) = open_texts(&path) else { continue };
        let Ok(texts) = read_texts(&table) else { continue };
        let mut copy = Vec::new();
        if table.copy_with(&new_columns(table.names(), &texts), &path, &mut copy).is_err() {
            continue;
        }
        // The copy of delimited text is without types, so its delimiter and header may be detected differently.
        let extension = match table.format() {
            FileFormat::Json => "json",
            FileFormat::Parquet => "parquet",
            FileFormat::Csv | FileFormat::Tsv => continue,
        };
        let copied = write(&folder, &format!("copy.{extension}"), &copy);
        let copied = open_texts(&copied).and_then(|table| read_texts(&table)).expect("the copy is valid");
        assert!(copied == texts, "the copy has the texts of the file");
    }
}

fn open_texts(path: &Path) -> Result<InputTable<'_>> {
    InputTable::open(path, None, TextColumns { text: Some("text"), text_pair: None }, None)
}

fn read_texts(table: &InputTable<'_>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    table.read(&mut |(text, _)| {
        all.push(text);
        Ok(())
    })?;
    Ok(all)
}

/// A new column of each type.
fn new_columns(names: &[String], texts: &[String]) -> Vec<NewColumn> {
    let wanted = ["label", "probability", "labels"].map(str::to_owned);
    let values = [
        NewValues::Text(texts.to_vec()),
        NewValues::Number(vec![0.5; texts.len()]),
        NewValues::TextList(texts.iter().map(|text| text.split(' ').map(str::to_owned).collect()).collect()),
    ];
    let named = unique_names(names, &wanted).into_iter().zip(values);
    named.map(|(name, values)| NewColumn { name, values }).collect()
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
