//! Task `custom`: files of the user's own, and what their columns and labels are. What the specification does
//! not tell is found as Transformers' `run_glue.py` does, but never guessed when more than one answer would do.

use super::read::table::{Cell, Record, Wanted, columns, records, there_are, wrong};
use super::{Dataset, Example};
use crate::batch::Label;
use crate::catalog::SplitName;
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use crate::spec::RunSpec;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Without a file to validate on, one training row of so many is held out.
const HELD_OUT: usize = 10;
/// More classes than this are a sign that another column has the labels; their confusion matrix would not be
/// of use to anybody.
const MOST_CLASSES: usize = 1000;
/// So many names of classes are told in a sentence.
const TOLD: usize = 12;

/// The specification with the names of its columns filled in: those that it tells are there, and others are
/// found in the header of the training file.
///
/// # Errors
/// [`Error::Data`] when the file cannot be read, or has not just one column that will do.
pub fn filled(spec: &RunSpec) -> Result<RunSpec> {
    let Some(file) = spec.train_file.as_deref().filter(|_| spec.task().is_custom()) else {
        return Ok(spec.clone());
    };
    let names = columns(file)?;
    let wrong = |problem: String| Error::data(file, None, problem);
    let there = |key: &str, name: &str| {
        let found = names.iter().find(|found| *found == name).cloned();
        found.ok_or_else(|| wrong(format!("has no column {name}, which {key} names; {}", there_are(&names))))
    };
    let label = match &spec.label_column {
        Some(name) => there("label_column", name)?,
        None if names.iter().any(|name| name == "label") => "label".to_string(),
        None => {
            let problem = "has no column label; name the one with the labels by label_column";
            return Err(wrong(format!("{problem}: {}", there_are(&names))));
        }
    };
    let (text, text_pair) = match (&spec.text_column, &spec.text_pair_column) {
        (Some(text), None) => (there("text_column", text)?, None),
        (Some(text), Some(pair)) => (there("text_column", text)?, Some(there("text_pair_column", pair)?)),
        (None, _) => found(&names, &label).ok_or_else(|| {
            let problem = "does not tell which column is the text; name it by text_column, and a second text by \
                           text_pair_column";
            wrong(format!("{problem}: {}", there_are(&names)))
        })?,
    };
    Ok(RunSpec {
        text_column: Some(text),
        text_pair_column: text_pair,
        label_column: Some(label),
        ..spec.clone()
    })
}

/// The column of the text, or those of two, when the names leave no doubt.
fn found(names: &[String], label: &str) -> Option<(String, Option<String>)> {
    let others: Vec<&String> = names.iter().filter(|name| *name != label).collect();
    let has = |name: &str| others.iter().any(|other| *other == name);
    let pair = || ("sentence1".to_string(), Some("sentence2".to_string()));
    let single = || if let [only] = others[..] { Some((only.clone(), None)) } else { None };
    match (has("sentence1") && has("sentence2"), has("sentence"), has("text")) {
        (true, false, false) => Some(pair()),
        (false, true, false) => Some(("sentence".into(), None)),
        (false, false, true) => Some(("text".into(), None)),
        (false, false, false) => single(),
        _ => None,
    }
}

/// Loads every split of the files that `spec` names.
pub(super) fn load(spec: &RunSpec) -> Result<Dataset> {
    let own = CustomDataset::open(spec)?;
    let (rows, labels) = own.training_rows()?;
    let mut notes =
        vec![format!("{} classes in column {}: {}", labels.len(), own.wanted.label, told(&labels))];
    let (train, validation) = if let Some(file) = &spec.validation_file {
        (rows, own.rows(file, &labels, true)?)
    } else {
        let (train, held_out) = hold_out(rows, own.train)?;
        notes.push(format!(
            "no validation_file: {} of the {} rows of {} are held out to validate on, the same for every seed",
            held_out.len(),
            train.len() + held_out.len(),
            own.train.display()
        ));
        (train, held_out)
    };
    let test = spec.test_file.as_deref().map(|file| own.rows(file, &labels, false)).transpose()?;
    let mut dataset = Dataset { labels: labels.into(), notes, ..Dataset::default() };
    dataset.insert(SplitName::Train, train);
    dataset.insert(SplitName::Validation, validation);
    dataset.insert(SplitName::Test, test.unwrap_or_default());
    Ok(dataset)
}

/// Loads one split. `labels` are the classes where they are known already, else those of the training file.
pub(super) fn load_split(
    spec: &RunSpec,
    split: SplitName,
    labels: Option<&[String]>,
) -> Result<Vec<Example>> {
    let own = CustomDataset::open(spec)?;
    let file = match split {
        SplitName::Validation => spec.validation_file.as_deref(),
        SplitName::Test => Some(spec.test_file.as_deref().ok_or_else(|| {
            Error::Usage("task custom has a test split only when its specification has a test_file".into())
        })?),
        _ => None,
    };
    match (file, labels) {
        (Some(file), Some(labels)) => own.rows(file, labels, split.is_required()),
        (Some(file), None) => own.rows(file, &own.training_rows()?.1, split.is_required()),
        (None, labels) => {
            let rows = match labels {
                Some(labels) => own.rows(own.train, labels, true)?,
                None => own.training_rows()?.0,
            };
            if split == SplitName::Train && spec.validation_file.is_some() {
                return Ok(rows);
            }
            let (train, held_out) = hold_out(rows, own.train)?;
            Ok(if split == SplitName::Train { train } else { held_out })
        }
    }
}

/// The files of a specification whose columns are known.
struct CustomDataset<'a> {
    train: &'a Path,
    wanted: Wanted,
}

impl<'a> CustomDataset<'a> {
    fn open(spec: &'a RunSpec) -> Result<Self> {
        let RunSpec { text_column, text_pair_column, label_column, .. } = filled(spec)?;
        let (Some(train), Some(text), Some(label)) = (spec.train_file.as_deref(), text_column, label_column)
        else {
            return Err(Error::Usage("task custom needs a train_file".into()));
        };
        Ok(CustomDataset {
            train,
            wanted: Wanted { text, text_pair: text_pair_column, label, is_labelled: true },
        })
    }

    /// The rows of the training file, and the classes that they are of.
    fn training_rows(&self) -> Result<(Vec<Example>, Vec<String>)> {
        let records = records(self.train, &self.wanted)?;
        if let Some(record) = records.iter().find(|record| record.label.is_none()) {
            return Err(self.no_class(self.train, record, &[]));
        }
        let labels = self.classes(&records)?;
        Ok((self.examples(self.train, records, &labels, true)?, labels))
    }

    /// The rows of a file, each of one of the classes or, where that is allowed, of none.
    fn rows(&self, file: &Path, labels: &[String], is_labelled: bool) -> Result<Vec<Example>> {
        let wanted = Wanted { is_labelled, ..self.wanted.clone() };
        self.examples(file, records(file, &wanted)?, labels, is_labelled)
    }

    fn examples(
        &self,
        file: &Path,
        records: Vec<Record>,
        labels: &[String],
        is_labelled: bool,
    ) -> Result<Vec<Example>> {
        if records.is_empty() && is_labelled {
            return Err(Error::data(file, None, "has no rows"));
        }
        let places = labels.iter().map(String::as_str).zip(0u32..).collect();
        let example = |record: Record| {
            let class = record.label.as_ref().map(|cell| class_of(cell, &places));
            let label = match class {
                Some(Some(class)) => Some(Label::Class(class)),
                // GLUE's mark of a row whose label is kept secret.
                Some(None) if !is_labelled && record.label.as_ref().is_some_and(is_minus_one) => None,
                None if !is_labelled => None,
                _ => return Err(self.no_class(file, &record, labels)),
            };
            Ok(Example { text: record.text, text_pair: record.text_pair, label })
        };
        records.into_iter().map(example).collect()
    }

    fn no_class(&self, file: &Path, record: &Record, labels: &[String]) -> Error {
        let column = &self.wanted.label;
        let problem = match &record.label {
            None => format!("column {column} is empty; a row to train on or to validate on needs a label"),
            Some(cell) => {
                format!(
                    "column {column}: label {:?} is none of the training file's: {}",
                    name(cell),
                    told(labels)
                )
            }
        };
        wrong(file, record.at, &problem)
    }

    /// The labels of the training rows, each once: sorted as numbers when all of them are whole numbers, else as
    /// words, which is the order that `run_glue.py` gives them.
    fn classes(&self, records: &[Record]) -> Result<Vec<String>> {
        let column = &self.wanted.label;
        let cells: Vec<(u64, &Cell)> =
            records.iter().filter_map(|record| Some((record.at, record.label.as_ref()?))).collect();
        let numbers: Option<Vec<f64>> = cells.iter().map(|(_, cell)| number(cell)).collect();
        let fraction = |(_, cell): &&(u64, &Cell)| whole(cell).is_none();
        if let (Some(_), Some((at, cell))) = (numbers, cells.iter().find(fraction)) {
            let problem = format!(
                "column {column} holds numbers with a fraction, such as {}: that is a regression, which task custom \
                 does not do; labels are words or whole numbers",
                name(cell)
            );
            return Err(wrong(self.train, *at, &problem));
        }
        let whole: Option<BTreeSet<i64>> = cells.iter().map(|(_, cell)| whole(cell)).collect();
        let labels: Vec<String> = match whole {
            Some(numbers) => numbers.iter().map(i64::to_string).collect(),
            None => cells.iter().map(|(_, cell)| name(cell)).collect::<BTreeSet<_>>().into_iter().collect(),
        };
        match labels.len() {
            0 => Err(Error::data(self.train, None, "has no rows")),
            1 => {
                let problem = format!(
                    "column {column} has only the label {:?}; at least two are told apart",
                    labels[0]
                );
                Err(Error::data(self.train, None, problem))
            }
            many if many > MOST_CLASSES => {
                let problem = format!(
                    "column {column} has {many} different labels, more than the {MOST_CLASSES} that are told apart; \
                     is it the column of the labels?"
                );
                Err(Error::data(self.train, None, problem))
            }
            _ => Ok(labels),
        }
    }
}

/// Parts a tenth of the rows off, at least one, drawn without regard to the seed, so that all runs on a file are
/// scored on the same rows.
fn hold_out(rows: Vec<Example>, file: &Path) -> Result<(Vec<Example>, Vec<Example>)> {
    if rows.len() < 2 {
        let problem =
            "has one row only, so that none can be held out to validate on; give more, or a validation_file";
        return Err(Error::data(file, None, problem));
    }
    let count = (rows.len() + HELD_OUT / 2) / HELD_OUT;
    let mut is_held_out = vec![false; rows.len()];
    let order = Rng::new(0, Stream::Sample).permutation(5, 0, rows.len());
    order.into_iter().take(count.max(1)).for_each(|row| is_held_out[row] = true);
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (row, is_held_out) in rows.into_iter().zip(is_held_out) {
        if is_held_out { held_out.push(row) } else { train.push(row) }
    }
    Ok((train, held_out))
}

fn class_of(cell: &Cell, places: &HashMap<&str, u32>) -> Option<u32> {
    let place = |name: &str| places.get(name).copied();
    place(&name(cell)).or_else(|| place(&whole(cell)?.to_string()))
}

fn is_minus_one(cell: &Cell) -> bool {
    whole(cell) == Some(-1)
}

/// What a label is called.
fn name(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Whole(number) => number.to_string(),
        Cell::Real(number) => format!("{number:?}"),
        Cell::Flag(flag) => flag.to_string(),
    }
}

/// The whole number that a label is.
fn whole(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Whole(number) => Some(*number),
        Cell::Text(text) => text.parse().ok(),
        Cell::Real(_) | Cell::Flag(_) => None,
    }
}

/// The number that a label is, with a fraction or without.
fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Whole(number) => Some(*number as f64),
        Cell::Real(number) => Some(*number),
        // `nan` and `inf` are words here.
        Cell::Text(text) => text.parse().ok().filter(|_| text.contains(|c: char| c.is_ascii_digit())),
        Cell::Flag(_) => None,
    }
}

/// The first names, and how many there are besides.
fn told(labels: &[String]) -> String {
    let first = labels[..labels.len().min(TOLD)].join(", ");
    match labels.len().saturating_sub(TOLD) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;
    use std::path::PathBuf;

    /// A folder with files, and a specification that learns from its `train.csv`.
    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let own = Files { folder: tempfile::tempdir().unwrap() };
            for (name, text) in files {
                std::fs::write(own.path(name), text).unwrap();
            }
            own
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn spec(&self) -> RunSpec {
            let there = |name: &str| Some(self.path(name)).filter(|path| path.exists());
            RunSpec {
                task: "custom".parse().unwrap(),
                train_file: Some(self.path("train.csv")),
                validation_file: there("dev.csv"),
                test_file: there("test.csv"),
                ..built_in("own")
            }
        }

        fn error(&self) -> String {
            let text = load(&self.spec()).unwrap_err().to_string();
            text.replace(&format!("{}/", self.folder.path().display()), "")
        }
    }

    fn of(train: &str) -> Files {
        Files::new(&[("train.csv", train)])
    }

    fn labels(rows: &[Example]) -> Vec<Option<u32>> {
        rows.iter().map(|row| row.label.map(|label| label.number() as u32)).collect()
    }

    #[test]
    fn classes_are_the_labels_of_the_training_rows_in_their_order() {
        let files = Files::new(&[
            ("train.csv", "text,label\na,sports\nb,art\nc,politics\nd,art\n"),
            ("dev.csv", "label,more,text\npolitics,x,e\n"),
            ("test.csv", "text,label\nf,\ng,-1\nh,art\n"),
        ]);
        let data = load(&files.spec()).unwrap();
        assert_eq!(data.labels.names(), ["art", "politics", "sports"]);
        assert_eq!(
            (labels(data.train()), labels(data.validation())),
            (vec![Some(2), Some(0), Some(1), Some(0)], vec![Some(1)])
        );
        assert_eq!((data.validation()[0].text.as_str(), data.test()), ("e", &[][..]));
        let told = [
            "3 classes in column label: art, politics, sports",
            "the test split is not scored: 2 of its 3 rows have no label",
        ];
        assert_eq!(data.notes, told);
        let test = load_split(&files.spec(), SplitName::Test, None).unwrap();
        assert_eq!(labels(&test), [None, None, Some(0)]);
        // The classes of a model may stand in another order.
        let known = ["sports", "politics", "art"].map(str::to_string);
        let test = load_split(&files.spec(), SplitName::Test, Some(&known)).unwrap();
        assert_eq!(labels(&test), [None, None, Some(2)]);
    }

    #[test]
    fn whole_numbers_are_sorted_as_numbers() {
        let data = load(&of("text,label\na,10\nb,9\nc,-1\nd,09\n").spec()).unwrap();
        assert_eq!(data.labels.names(), ["-1", "9", "10"]);
        let mixed = load(&of("text,label\na,10\nb,9\nc,x\n").spec()).unwrap();
        assert_eq!(mixed.labels.names(), ["10", "9", "x"]);
    }

    #[test]
    fn without_a_file_to_validate_on_a_tenth_is_held_out_whatever_the_seed() {
        let mut text = "text,label\n".to_string();
        for row in 0..100 {
            text.push_str(&format!("row {row},{}\n", row % 2));
        }
        let files = of(&text);
        let data = load(&files.spec()).unwrap();
        assert_eq!((data.train().len(), data.validation().len()), (90, 10));
        assert!(data.notes[1].contains("10 of the 100 rows"), "{:?}", data.notes);
        let other = RunSpec { seed: 7, ..files.spec() };
        assert_eq!(load_split(&other, SplitName::Validation, None).unwrap(), data.validation());
        assert_eq!(load_split(&other, SplitName::Train, Some(&data.labels.names())).unwrap(), data.train());
        assert!(data.train().iter().all(|row| !data.validation().contains(row)));
        let e = of("text,label\na,1\n").error();
        assert!(e.contains("only the label"), "{e}");
    }

    #[test]
    fn columns_are_found_by_their_names_unless_there_is_a_doubt() {
        let columns = |header: &str| {
            let files = of(&format!("{header}\n"));
            let spec = filled(&files.spec()).map_err(|e| e.to_string())?;
            assert_eq!(filled(&spec).unwrap(), spec, "what is filled stays");
            Ok::<_, String>((spec.text_column.unwrap(), spec.text_pair_column, spec.label_column.unwrap()))
        };
        let one = |text: &str| Ok((text.to_string(), None, "label".to_string()));
        assert_eq!(columns("idx,label,sentence"), one("sentence"));
        assert_eq!(columns("text,label,id"), one("text"));
        assert_eq!(columns("review,label"), one("review"));
        let two = Ok(("sentence1".to_string(), Some("sentence2".to_string()), "label".to_string()));
        assert_eq!(columns("label,sentence2,sentence1,id"), two);
        for header in ["review,label,id", "sentence,text,label", "text,sentence1,sentence2,label"] {
            let e = columns(header).unwrap_err();
            let there = header.replace(',', ", ");
            assert!(e.contains("name it by text_column") && e.ends_with(&there), "{e}");
        }
        let e = columns("text,stars").unwrap_err();
        assert!(e.contains("by label_column") && e.ends_with("text, stars"), "{e}");
    }

    #[test]
    fn columns_that_are_named_must_be_there() {
        let files = of("title,body,stars\na,b,1\nc,d,2\n");
        let named = |text: &str, pair: Option<&str>, label: &str| RunSpec {
            text_column: Some(text.into()),
            text_pair_column: pair.map(str::to_string),
            label_column: Some(label.into()),
            ..files.spec()
        };
        let data = load(&named("title", Some("body"), "stars")).unwrap();
        let all: Vec<_> =
            data.train().iter().chain(data.validation()).map(|row| row.text_pair.clone().unwrap()).collect();
        assert!(all.contains(&"b".to_string()) && all.contains(&"d".to_string()));
        let e = filled(&named("title", Some("bodi"), "stars")).unwrap_err().to_string();
        assert!(
            e.ends_with(
                "has no column bodi, which text_pair_column names; its columns are title, body, stars"
            ),
            "{e}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_file_line_and_column() {
        let validated =
            |dev: &str| Files::new(&[("train.csv", "text,label\na,yes\nb,no\n"), ("dev.csv", dev)]).error();
        assert_eq!(
            validated("text,label\na,yes\nb,maybe\n"),
            "dev.csv:3: column label: label \"maybe\" is none of the training file's: no, yes"
        );
        assert!(validated("text,label\na,\n").starts_with("dev.csv:2: column label is empty"));
        assert_eq!(validated("text\na\n"), "dev.csv: has no column label; its columns are text");
        assert_eq!(validated("text,label\n"), "dev.csv: has no rows");
        assert!(of("text,label\na,yes\nb,\n").error().starts_with("train.csv:3: column label is empty"));
        assert_eq!(of("text,label\n").error(), "train.csv: has no rows");
        assert!(of("text,label\na,x\nb,x\n").error().contains("has only the label \"x\""));
        let e = of("text,label\na,1\nb,0.5\n").error();
        assert!(e.starts_with("train.csv:3: column label holds numbers with a fraction, such as 0.5"), "{e}");
        let many = (0..1001).map(|row| format!("a,word {row}\n")).collect::<Vec<_>>().concat();
        assert!(of(&format!("text,label\n{many}")).error().contains("1001 different labels"));
        let none = RunSpec { train_file: Some("/nonexistent/a.csv".into()), ..of("").spec() };
        assert_eq!(load(&none).unwrap_err().exit_code(), 3);
    }
}
