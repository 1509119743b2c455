//! Notes about the classes of a custom dataset.

use super::classes::{ClassIndex, clipped};
use super::file_rows::FileRows;
use super::label_column::LabelColumn;
use crate::catalog::SplitName;
use crate::data::dataset::Dataset;
use crate::data::read::table::Position;
use crate::text::plural;
use std::collections::BTreeMap;

/// The maximum number of classes in a note.
const MAX_LISTED: usize = 5;

/// The first row of each class that the training file has.
fn first_rows(labels: &LabelColumn, index: &ClassIndex) -> BTreeMap<u32, Position> {
    let mut first = BTreeMap::new();
    for value in labels.values() {
        if let Some(class) = index.get(&value.value) {
            first.entry(class).or_insert(value.first);
        }
    }
    first
}

/// Notes about classes whose names differ only in case or in blanks around them.
pub(super) fn similar_classes(train: &FileRows, index: &ClassIndex, names: &[String]) -> Vec<String> {
    let first = first_rows(&train.labels, index);
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
pub(super) fn missing_classes(
    dataset: &Dataset,
    train: &FileRows,
    index: &ClassIndex,
    names: &[String],
) -> Vec<String> {
    let first = first_rows(&train.labels, index);
    let mut notes = Vec::new();
    for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
        let rows = dataset.split(split);
        if rows.is_empty() {
            continue;
        }
        let mut counts = vec![0; names.len()];
        for label in rows.iter().filter_map(|row| row.label) {
            if let Some(count) = counts.get_mut(label.number() as usize) {
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
        let effect = if split == SplitName::Train { ", so the model does not learn" } else { "" };
        let these = if missing.len() == 1 { "it" } else { "them" };
        let effect = if effect.is_empty() { String::new() } else { format!("{effect} {these}") };
        notes.push(format!(
            "the {} split has no row of {} of {}{effect}: {}",
            split.name(),
            missing.len(),
            plural(names.len(), "class"),
            listed.join(", ")
        ));
    }
    notes
}
