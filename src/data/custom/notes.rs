//! Notes about the classes of a custom dataset.

use super::classes::clipped;
use super::file_rows::FileRows;
use super::label_column::LabelColumn;
use super::label_reader::LabelReader;
use crate::batch::Label;
use crate::catalog::{ProblemType, SplitName};
use crate::data::dataset::Dataset;
use crate::data::read::table::Position;
use crate::text::plural;
use std::collections::BTreeMap;

/// The maximum number of classes in a note.
const MAX_LISTED: usize = 5;

/// The first row of each class that the training file has.
fn first_rows(labels: &LabelColumn, reader: &LabelReader) -> BTreeMap<u32, Position> {
    let mut first = BTreeMap::new();
    for value in labels.values() {
        for class in reader.get(&value.value).iter().flat_map(Label::indices) {
            first.entry(*class).or_insert(value.first);
        }
    }
    first
}

/// Notes about classes whose names differ only in case or in blanks around them.
pub(super) fn similar_classes(train: &FileRows, reader: &LabelReader) -> Vec<String> {
    let (first, names) = (first_rows(&train.labels, reader), &reader.names);
    let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (class, name) in (0..).zip(names) {
        by_name.entry(name.trim().to_lowercase()).or_default().push(class);
    }
    let named = |class: &u32| {
        let name = names.get(*class as usize).map_or("", String::as_str);
        let row = first.get(class).map_or(String::new(), |position| format!(" ({position})"));
        format!("{:?}{row}", clipped(name))
    };
    let similar = by_name.iter().filter(|(_, classes)| classes.len() > 1).map(|(_, classes)| {
        let all = classes.iter().map(named).collect::<Vec<_>>().join(", ");
        format!("{}: these classes differ only in case or blanks: {all}", train.path.display())
    });
    let blank =
        names.iter().zip(0..).find(|(name, _)| name.trim().is_empty()).map(|(_, class)| {
            format!("{}: a class has a blank name: {}", train.path.display(), named(&class))
        });
    similar.chain(blank).collect()
}

/// Notes about classes without rows in a split that is used.
pub(super) fn missing_classes(dataset: &Dataset, train: &FileRows, reader: &LabelReader) -> Vec<String> {
    let (first, names) = (first_rows(&train.labels, reader), &reader.names);
    let mut notes = Vec::new();
    for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
        let rows = dataset.split(split);
        if rows.is_empty() {
            continue;
        }
        let mut counts = vec![0; names.len()];
        for index in rows.iter().filter_map(|row| row.label.as_ref()).flat_map(Label::indices) {
            if let Some(count) = counts.get_mut(*index as usize) {
                *count += 1;
            }
        }
        let missing: Vec<u32> =
            (0..).zip(&counts).filter(|(_, count)| **count == 0).map(|(class, _)| class).collect();
        if missing.is_empty() {
            continue;
        }
        let named = |class: &u32| {
            let name = names.get(*class as usize).map_or("", String::as_str);
            let row = first
                .get(class)
                .map_or(String::new(), |position| format!(" ({}, {position})", train.path.display()));
            format!("{:?}{row}", clipped(name))
        };
        let mut listed: Vec<String> = missing.iter().take(MAX_LISTED).map(named).collect();
        if missing.len() > MAX_LISTED {
            listed.push(format!("{} more", missing.len() - MAX_LISTED));
        }
        let these = if missing.len() == 1 { "it" } else { "them" };
        let (split, effect) = match split {
            SplitName::Train => ("training", format!(", so the model does not learn {these}")),
            _ => (split.name(), String::new()),
        };
        notes.push(format!(
            "the {split} split has no row of {} of {}{effect}: {}",
            missing.len(),
            plural(
                names.len(),
                if reader.labels.problem_type() == ProblemType::MultiLabelClassification {
                    "label"
                } else {
                    "class"
                }
            ),
            listed.join(", ")
        ));
    }
    notes
}
