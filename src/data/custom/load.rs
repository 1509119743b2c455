//! Loading of custom datasets.

use super::classes::{ClassIndex, class_name, classes, is_hidden, list};
use super::columns::infer_columns;
use crate::batch::Label;
use crate::catalog::SplitName;
use crate::data::dataset::{Dataset, Example};
use crate::data::read::table::{ColumnNames, Record, records, row_error};
use crate::error::{Error, Result};
use crate::rng::{Rng, Stream};
use crate::spec::RunSpec;
use crate::text::plural;
use std::path::Path;

/// Without a validation file, one of this many training rows is held out.
const HOLD_OUT_RATIO: usize = 10;

/// Loads every split of the files that `spec` names.
pub(in crate::data) fn load(spec: &RunSpec) -> Result<Dataset> {
    let files = CustomDataset::open(spec)?;
    let (rows, labels) = files.training_rows()?;
    let classes = plural(labels.len(), "class");
    let mut notes = vec![format!("{classes} in column {}: {}", files.columns.label, list(&labels))];
    let (train, validation) = if let Some(file) = &spec.validation_file {
        (rows, files.rows(file, &labels, true)?)
    } else {
        let total = plural(rows.len(), "row");
        let (train, held_out) = hold_out(rows, files.train)?;
        let count = held_out.len();
        let file = files.train.display();
        notes.push(format!(
            "no validation_file: {count} of {total} of {file} held out, the same for every seed"
        ));
        (train, held_out)
    };
    let test = spec.test_file.as_deref().map(|file| files.rows(file, &labels, false)).transpose()?;
    let mut dataset = Dataset { labels: labels.into(), notes, ..Dataset::default() };
    dataset.insert(SplitName::Train, train);
    dataset.insert(SplitName::Validation, validation);
    dataset.insert(SplitName::Test, test.unwrap_or_default());
    Ok(dataset)
}

/// Loads one split. `labels` are the class names, by default those of the training file.
pub(in crate::data) fn load_split(
    spec: &RunSpec,
    split: SplitName,
    labels: Option<&[String]>,
) -> Result<Vec<Example>> {
    let files = CustomDataset::open(spec)?;
    let file = match split {
        SplitName::Validation => spec.validation_file.as_deref(),
        SplitName::Test => Some(spec.test_file.as_deref().ok_or_else(|| {
            Error::Usage("task custom has no test split without a test_file in its specification".into())
        })?),
        _ => None,
    };
    match (file, labels) {
        (Some(file), Some(labels)) => files.rows(file, labels, split.is_required()),
        (Some(file), None) => files.rows(file, &files.training_rows()?.1, split.is_required()),
        (None, labels) => {
            let rows = match labels {
                Some(labels) => files.rows(files.train, labels, true)?,
                None => files.training_rows()?.0,
            };
            if split == SplitName::Train && spec.validation_file.is_some() {
                return Ok(rows);
            }
            let (train, held_out) = hold_out(rows, files.train)?;
            Ok(if split == SplitName::Train { train } else { held_out })
        }
    }
}

/// The files of a specification with known columns.
struct CustomDataset<'a> {
    train: &'a Path,
    columns: ColumnNames,
}

impl<'a> CustomDataset<'a> {
    fn open(spec: &'a RunSpec) -> Result<Self> {
        let RunSpec { text_column, text_pair_column, label_column, .. } = infer_columns(spec)?;
        let (Some(train), Some(text), Some(label)) = (spec.train_file.as_deref(), text_column, label_column)
        else {
            return Err(Error::Usage("task custom needs a train_file".into()));
        };
        Ok(CustomDataset {
            train,
            columns: ColumnNames { text, text_pair: text_pair_column, label, is_label_required: true },
        })
    }

    /// The rows of the training file, and the classes in it.
    fn training_rows(&self) -> Result<(Vec<Example>, Vec<String>)> {
        let records = records(self.train, &self.columns)?;
        if let Some(record) = records.iter().find(|record| record.label.is_none()) {
            return Err(self.label_error(self.train, record, &[]));
        }
        let labels = classes(self.train, &self.columns.label, &records)?;
        Ok((self.examples(self.train, records, &labels, true)?, labels))
    }

    /// The rows of a file. With `is_labeled`, every row needs one of the classes `labels`.
    fn rows(&self, file: &Path, labels: &[String], is_labeled: bool) -> Result<Vec<Example>> {
        let columns = ColumnNames { is_label_required: is_labeled, ..self.columns.clone() };
        self.examples(file, records(file, &columns)?, labels, is_labeled)
    }

    fn examples(
        &self,
        file: &Path,
        records: Vec<Record>,
        labels: &[String],
        is_labeled: bool,
    ) -> Result<Vec<Example>> {
        if records.is_empty() && is_labeled {
            return Err(Error::data(file, None, "has no rows"));
        }
        let classes = ClassIndex::new(labels);
        let example = |record: Record| {
            let class = record.label.as_ref().and_then(|value| classes.get(value));
            let is_unlabeled = record.label.as_ref().is_none_or(is_hidden);
            let label = match class {
                Some(class) => Some(Label::Class(class)),
                None if is_unlabeled && !is_labeled => None,
                None => return Err(self.label_error(file, &record, labels)),
            };
            Ok(Example { text: record.text, text_pair: record.text_pair, label })
        };
        records.into_iter().map(example).collect()
    }

    /// The error for a missing or unknown label.
    fn label_error(&self, file: &Path, record: &Record, labels: &[String]) -> Error {
        let column = &self.columns.label;
        let problem = match &record.label {
            None => format!("column {column} is empty; training and validation rows need a label"),
            Some(value) => format!(
                "column {column}: label {:?} is not in the training file, which has {}",
                class_name(value),
                list(labels)
            ),
        };
        row_error(file, record.position, &problem)
    }
}

/// Splits off a tenth of the rows, at least one. The choice does not depend on the seed, so that all runs on a file are
/// scored on the same rows.
fn hold_out(rows: Vec<Example>, file: &Path) -> Result<(Vec<Example>, Vec<Example>)> {
    if rows.len() < 2 {
        let problem = "has only one row and none to hold out for validation; add rows or set validation_file";
        return Err(Error::data(file, None, problem));
    }
    let count = (rows.len() + HOLD_OUT_RATIO / 2) / HOLD_OUT_RATIO;
    let mut is_held_out = vec![false; rows.len()];
    let order = Rng::new(0, Stream::Sample).permutation(5, 0, rows.len());
    order.into_iter().take(count.max(1)).for_each(|row| is_held_out[row] = true);
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (row, is_held_out) in rows.into_iter().zip(is_held_out) {
        if is_held_out { held_out.push(row) } else { train.push(row) }
    }
    Ok((train, held_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::built_in;
    use std::path::PathBuf;

    /// A folder with files, and a specification with its `train.csv`.
    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new(contents: &[(&str, &str)]) -> Self {
            let files = Files { folder: tempfile::tempdir().unwrap() };
            for (name, text) in contents {
                std::fs::write(files.path(name), text).unwrap();
            }
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn spec(&self) -> RunSpec {
            let existing = |name: &str| Some(self.path(name)).filter(|path| path.exists());
            RunSpec {
                task: "custom".parse().unwrap(),
                train_file: Some(self.path("train.csv")),
                validation_file: existing("dev.csv"),
                test_file: existing("test.csv"),
                ..built_in("custom")
            }
        }

        fn error(&self) -> String {
            let text = load(&self.spec()).unwrap_err().to_string();
            text.replace(&format!("{}/", self.folder.path().display()), "")
        }
    }

    fn train_file(train: &str) -> Files {
        Files::new(&[("train.csv", train)])
    }

    fn labels(rows: &[Example]) -> Vec<Option<u32>> {
        rows.iter().map(|row| row.label.map(|label| label.number() as u32)).collect()
    }

    #[test]
    fn classes_are_the_sorted_labels_of_the_training_file() {
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
        let notes = [
            "3 classes in column label: art, politics, sports",
            "the test split is not scored: 2 of 3 rows without a label",
        ];
        assert_eq!(data.notes, notes);
        let test = load_split(&files.spec(), SplitName::Test, None).unwrap();
        assert_eq!(labels(&test), [None, None, Some(0)]);
        // The classes of a model may have another order.
        let known = ["sports", "politics", "art"].map(str::to_string);
        let test = load_split(&files.spec(), SplitName::Test, Some(&known)).unwrap();
        assert_eq!(labels(&test), [None, None, Some(2)]);
    }

    #[test]
    fn integer_labels_are_sorted_as_numbers() {
        let data = load(&train_file("text,label\na,10\nb,9\nc,-1\nd,09\n").spec()).unwrap();
        assert_eq!(data.labels.names(), ["-1", "9", "10"]);
        let mixed = load(&train_file("text,label\na,10\nb,9\nc,x\n").spec()).unwrap();
        assert_eq!(mixed.labels.names(), ["10", "9", "x"]);
    }

    #[test]
    fn a_tenth_is_held_out_without_a_validation_file() {
        let mut text = "text,label\n".to_string();
        for row in 0..100 {
            text.push_str(&format!("row {row},{}\n", row % 2));
        }
        let files = train_file(&text);
        let data = load(&files.spec()).unwrap();
        assert_eq!((data.train().len(), data.validation().len()), (90, 10));
        assert!(data.notes[1].contains("10 of 100 rows"), "{:?}", data.notes);
        let other = RunSpec { seed: 7, ..files.spec() };
        assert_eq!(load_split(&other, SplitName::Validation, None).unwrap(), data.validation());
        assert_eq!(load_split(&other, SplitName::Train, Some(&data.labels.names())).unwrap(), data.train());
        assert!(data.train().iter().all(|row| !data.validation().contains(row)));
        let e = train_file("text,label\na,1\n").error();
        assert!(e.contains("only the label"), "{e}");
    }

    #[test]
    fn columns_are_inferred_if_unambiguous() {
        let columns = |header: &str| {
            let files = train_file(&format!("{header}\n"));
            let spec = infer_columns(&files.spec()).map_err(|e| e.to_string())?;
            assert_eq!(infer_columns(&spec).unwrap(), spec, "inferring again changes nothing");
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
            let columns = header.replace(',', ", ");
            assert!(e.contains("set text_column") && e.ends_with(&columns), "{e}");
        }
        let e = columns("text,stars").unwrap_err();
        assert!(e.contains("set label_column") && e.ends_with("text, stars"), "{e}");
    }

    #[test]
    fn named_columns_must_exist() {
        let files = train_file("title,body,stars\na,b,1\nc,d,2\n");
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
        let e = infer_columns(&named("title", Some("bodi"), "stars")).unwrap_err().to_string();
        assert!(
            e.ends_with(
                "has no column bodi, which text_pair_column names; its columns are title, body, stars"
            ),
            "{e}"
        );
    }

    #[test]
    fn error_names_file_line_and_column() {
        let validation_error =
            |dev: &str| Files::new(&[("train.csv", "text,label\na,yes\nb,no\n"), ("dev.csv", dev)]).error();
        assert_eq!(
            validation_error("text,label\na,yes\nb,maybe\n"),
            "dev.csv:3: column label: label \"maybe\" is not in the training file, which has no, yes"
        );
        assert!(validation_error("text,label\na,\n").starts_with("dev.csv:2: column label is empty"));
        assert_eq!(validation_error("text\na\n"), "dev.csv: has no column label; its only column is text");
        assert_eq!(validation_error("text,label\n"), "dev.csv: has no rows");
        assert!(
            train_file("text,label\na,yes\nb,\n").error().starts_with("train.csv:3: column label is empty")
        );
        assert_eq!(train_file("text,label\n").error(), "train.csv: has no rows");
        assert!(train_file("text,label\na,x\nb,x\n").error().contains("has only the label \"x\""));
        let e = train_file("text,label\na,1\nb,0.5\n").error();
        assert!(e.starts_with("train.csv:3: column label has numbers with a fraction, such as 0.5"), "{e}");
        let many = (0..1001).map(|row| format!("a,word {row}\n")).collect::<Vec<_>>().concat();
        assert!(train_file(&format!("text,label\n{many}")).error().contains("1001 different labels"));
        let missing = RunSpec { train_file: Some("/nonexistent/a.csv".into()), ..train_file("").spec() };
        assert_eq!(load(&missing).unwrap_err().exit_code(), 3);
    }
}
