//! Notes about the classes of a custom dataset.

use super::classes::shortened;
use super::file_rows::FileRows;
use super::label_reader::LabelReader;
use crate::batch::Label;
use crate::catalog::SplitName;
use crate::data::dataset::{Dataset, Example};
use crate::data::read::table::Position;
use std::collections::BTreeMap;
use std::path::Path;

/// The maximum number of classes in a note.
const MAX_LISTED: usize = 5;

/// The classes or labels of a dataset, and where the training file first has them.
pub(super) struct ClassNotes<'a> {
    reader: &'a LabelReader,
    train: &'a Path,
    /// The first row of each class that the training file has.
    first: BTreeMap<u32, Position>,
}

impl<'a> ClassNotes<'a> {
    pub(super) fn new(train: &'a FileRows<'_>, reader: &'a LabelReader) -> Self {
        let mut first = BTreeMap::new();
        for value in train.labels.values() {
            for class in reader.get(&value.value).iter().flat_map(Label::indices) {
                first.entry(*class).or_insert(value.first);
            }
        }
        ClassNotes { reader, train: train.path(), first }
    }

    /// Notes about classes whose names differ only in case or in blanks around them, and about a blank name.
    pub(super) fn similar(&self) -> Vec<String> {
        let (names, file) = (&self.reader.names, self.train.display());
        let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (class, name) in (0..).zip(names) {
            by_name.entry(name.trim().to_lowercase()).or_default().push(class);
        }
        let named = |class: u32| self.named(class, |position| format!(" ({position})"));
        let similar = by_name.values().filter(|classes| classes.len() > 1).map(|classes| {
            let all = classes.iter().map(|class| named(*class)).collect::<Vec<_>>().join(", ");
            format!("{file}: these classes differ only in case or blanks: {all}")
        });
        let blank = (0..).zip(names).find(|(_, name)| name.trim().is_empty());
        let blank = blank.map(|(class, _)| format!("{file}: a class has a blank name: {}", named(class)));
        similar.chain(blank).collect()
    }

    /// Notes about classes without rows in a split that is used.
    pub(super) fn missing(&self, dataset: &Dataset) -> Vec<String> {
        let splits = [SplitName::Train, SplitName::Validation, SplitName::Test].into_iter();
        splits.filter_map(|split| self.missing_in(split, dataset.split(split))).collect()
    }

    fn missing_in(&self, split: SplitName, rows: &[Example]) -> Option<String> {
        if rows.is_empty() {
            return None;
        }
        let mut is_missing = vec![true; self.reader.names.len()];
        for index in rows.iter().filter_map(|row| row.label.as_ref()).flat_map(Label::indices) {
            if let Some(is_missing) = is_missing.get_mut(*index as usize) {
                *is_missing = false;
            }
        }
        let missing: Vec<u32> =
            (0..).zip(is_missing).filter(|(_, is_missing)| *is_missing).map(|(class, _)| class).collect();
        let effect = match (split, missing.len()) {
            (_, 0) => return None,
            (SplitName::Train, 1) => ", so the model does not learn it",
            (SplitName::Train, _) => ", so the model does not learn them",
            _ => "",
        };
        let split = if split == SplitName::Train { "training" } else { split.name() };
        let named =
            |class: &u32| self.named(*class, |position| format!(" ({}, {position})", self.train.display()));
        let mut listed: Vec<String> = missing.iter().take(MAX_LISTED).map(named).collect();
        if missing.len() > MAX_LISTED {
            listed.push(format!("{} more", missing.len() - MAX_LISTED));
        }
        let (count, all) = (missing.len(), self.reader.count());
        Some(format!("the {split} split has no row of {count} of {all}{effect}: {}", listed.join(", ")))
    }

    /// The name of a class, followed by where the training file first has it.
    fn named(&self, class: u32, at: impl Fn(&Position) -> String) -> String {
        let name = self.reader.names.get(class as usize).map_or("", String::as_str);
        let first = self.first.get(&class).map_or(String::new(), at);
        format!("{:?}{first}", shortened(name))
    }
}
