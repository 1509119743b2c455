//! Custom datasets from files to examples.

use super::columns::infer_columns;
use crate::catalog::SplitName;
use crate::data::dataset::{Dataset, Example};
use crate::error::Result;
use crate::spec::RunSpec;
use crate::spec::built_in;
use std::path::PathBuf;

fn load(spec: &RunSpec) -> Result<Dataset> {
    super::load(spec, false)
}

fn load_split(spec: &RunSpec, split: SplitName, labels: Option<&[String]>) -> Result<Vec<Example>> {
    super::load_split(spec, split, labels, false)
}

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
        e.ends_with("has no column bodi, which text_pair_column names; its columns are title, body, stars"),
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
    assert!(train_file("text,label\na,yes\nb,\n").error().starts_with("train.csv:3: column label is empty"));
    assert_eq!(train_file("text,label\n").error(), "train.csv: has no rows");
    assert!(train_file("text,label\na,x\nb,x\n").error().contains("has only the label \"x\""));
    let e = train_file("text,label\na,1\nb,0.5\n").error();
    assert!(e.starts_with("train.csv:3: column label has numbers with a fraction, such as 0.5"), "{e}");
    let many = (0..1001).map(|row| format!("a,word {row}\n")).collect::<Vec<_>>().concat();
    assert!(train_file(&format!("text,label\n{many}")).error().contains("1001 different labels"));
    let missing = RunSpec { train_file: Some("/nonexistent/a.csv".into()), ..train_file("").spec() };
    assert_eq!(load(&missing).unwrap_err().exit_code(), 3);
}
