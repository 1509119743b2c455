//! Custom datasets from files to examples.

use super::columns::infer_columns;
use crate::batch::Label;
use crate::catalog::{Labels, ProblemType, SplitName};
use crate::data::dataset::{Dataset, Example};
use crate::error::Result;
use crate::spec::{LabelColumns, RunSpec, built_in};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

fn load(spec: &RunSpec) -> Result<Dataset> {
    super::load(spec, false, &AtomicBool::new(false))
}

fn load_split(spec: &RunSpec, split: SplitName, labels: Option<&[String]>) -> Result<Vec<Example>> {
    let labels = labels.map(|names| Labels::from(names.to_vec()));
    super::load_split(spec, split, (labels.as_ref(), false), &AtomicBool::new(false))
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
            train_file: existing("train.jsonl").or(Some(self.path("train.csv"))),
            validation_file: existing("dev.csv").or(existing("dev.jsonl")),
            test_file: existing("test.csv"),
            ..built_in("custom")
        }
    }

    fn error(&self) -> String {
        let text = load(&self.spec()).unwrap_err().to_string();
        self.strip(&text)
    }

    fn strip(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// The class names, and the classes of the training and the validation rows.
    fn classes(&self) -> (Vec<String>, Vec<Option<u32>>, Vec<Option<u32>>) {
        let data = load(&self.spec()).unwrap();
        (data.labels.names(), labels(data.train()), labels(data.validation()))
    }
}

fn train_file(train: &str) -> Files {
    Files::new(&[("train.csv", train)])
}

fn labels(rows: &[Example]) -> Vec<Option<u32>> {
    rows.iter().map(|row| row.label.as_ref().and_then(Label::class)).collect()
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
        "the validation split has no row of 2 of 3 classes: \"art\" (train.csv, line 3), \"sports\" (train.csv, line 2)",
    ];
    assert_eq!(files.strip(&data.notes.join("\n")), notes.join("\n"));
    let test = load_split(&files.spec(), SplitName::Test, None).unwrap();
    assert_eq!(labels(&test), [None, None, Some(0)]);
    // The classes of a model may have another order.
    let known = ["sports", "politics", "art"].map(str::to_string);
    let test = load_split(&files.spec(), SplitName::Test, Some(&known)).unwrap();
    assert_eq!(labels(&test), [None, None, Some(2)]);
}

#[test]
fn integer_labels_are_sorted_as_numbers() {
    let data = load(&train_file("text,label\na,10\nb,9\nc,-1\nd,9.0\n").spec()).unwrap();
    assert_eq!(data.labels.names(), ["-1", "9", "10"]);
    let codes = load(&train_file("text,label\na,10\nb,9\nc,-1\nd,09\n").spec()).unwrap();
    assert_eq!(codes.labels.names(), ["-1", "09", "10", "9"]);
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
    let one = |text: &str| Ok((text.to_string(), None, "label".into()));
    assert_eq!(columns("idx,label,sentence"), one("sentence"));
    assert_eq!(columns("text,label,id"), one("text"));
    assert_eq!(columns("review,label"), one("review"));
    let two = Ok(("sentence1".to_string(), Some("sentence2".to_string()), "label".into()));
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
    let many = (0..1001).map(|row| format!("a,word {row}\n")).collect::<Vec<_>>().concat();
    assert!(train_file(&format!("text,label\n{many}")).error().contains("1001 different labels"));
    let missing = RunSpec { train_file: Some("/nonexistent/a.csv".into()), ..train_file("").spec() };
    assert_eq!(load(&missing).unwrap_err().exit_code(), 3);
}

#[test]
fn whole_floats_are_the_classes_of_integers() {
    let text = "text,label\na,0\nb,1\nc,1\n";
    for (train, dev) in [
        (text, "text,label\ne,1.0\nf,0.0\n"),
        ("text,label\na,0.0\nb,1.0\nc,1.00\n", "text,label\ne,1\nf,0\n"),
        ("text,label\na,0.0\nb,1.0\nc,1\n", "text,label\ne,1.0\nf,0\n"),
    ] {
        let files = Files::new(&[("train.csv", train), ("dev.csv", dev)]);
        let expected =
            (vec!["0".into(), "1".into()], vec![Some(0), Some(1), Some(1)], vec![Some(1), Some(0)]);
        assert_eq!(files.classes(), expected);
    }
    let lines =
        |labels: [&str; 2]| labels.map(|label| format!("{{\"text\": \"a\", \"label\": {label}}}\n")).concat();
    let (train, dev) = (lines(["1.0", "0.0"]), "text,label\na,0\nb,1.0\n");
    let files = Files::new(&[("train.jsonl", &train), ("dev.csv", dev)]);
    assert_eq!(files.classes().1, [Some(1), Some(0)]);
    // A validation file with another label makes all labels words.
    let files = Files::new(&[("train.csv", text), ("dev.csv", "text,label\na,01\n")]);
    assert!(files.error().starts_with("dev.csv:2: column label: label \"01\" is not in the training file"));
}

#[test]
fn booleans_are_two_classes_in_every_format() {
    for (train, dev) in [
        ("text,label\na,True\nb,False\n", "{\"text\": \"c\", \"label\": true}\n"),
        ("text,label\na,TRUE\nb,false\n", "{\"text\": \"c\", \"label\": \"true\"}\n"),
    ] {
        let files = Files::new(&[("train.csv", train), ("dev.jsonl", dev)]);
        let expected = (vec!["False".into(), "True".into()], vec![Some(1), Some(0)], vec![Some(1)]);
        assert_eq!(files.classes(), expected);
    }
    // A run of version 0.1 has the names of its file.
    let files =
        Files::new(&[("train.csv", "text,label\na,True\nb,False\n"), ("dev.csv", "text,label\na,True\n")]);
    let known = ["false", "true"].map(str::to_string);
    let rows = load_split(&files.spec(), SplitName::Validation, Some(&known)).unwrap();
    assert_eq!(labels(&rows), [Some(1)]);
}

#[test]
fn different_words_are_different_classes_with_a_note() {
    let files = train_file("text,label\na,bad\nb,\"bad \"\nc,Good\nd,good\ne,good\nf,+1\ng,01\nh,1\ni, \n");
    let data = load(&files.spec()).unwrap();
    assert_eq!(data.labels.names(), [" ", "+1", "01", "1", "Good", "bad", "bad ", "good"]);
    let notes = files.strip(&data.notes.join("\n"));
    for note in [
        "train.csv: these classes differ only in case or blanks: \"bad\" (line 2), \"bad \" (line 3)",
        "train.csv: these classes differ only in case or blanks: \"Good\" (line 4), \"good\" (line 5)",
        "train.csv: a class has a blank name: \" \" (line 10)",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
}

#[test]
fn empty_and_missing_texts_are_kept_and_counted() {
    let lines = "{\"text\": null, \"label\": 0}\n{\"label\": 1}\n{\"text\": \"a\", \"label\": 1}\n";
    for (name, text, expected) in [
        (
            "train.csv",
            "text,label\n,0\nx,1\n,1\n",
            "train.csv: 2 rows have an empty or missing text, the first at line 2",
        ),
        ("train.jsonl", lines, "train.jsonl: 2 rows have an empty or missing text, the first at line 1"),
    ] {
        let files = Files::new(&[(name, text), ("dev.csv", "text,label\na,0\nb,1\n")]);
        let data = load(&files.spec()).unwrap();
        assert_eq!(data.train().iter().filter(|row| row.text.is_empty()).count(), 2);
        assert!(files.strip(&data.notes.join("\n")).contains(expected), "{:?}", data.notes);
    }
    let files = Files::new(&[
        ("train.csv", "sentence1,sentence2,label\na,,0\nx,y,1\n"),
        ("dev.csv", "sentence1,sentence2,label\na,b,0\nb,c,1\n"),
    ]);
    assert!(
        load(&files.spec()).unwrap().notes[0]
            .contains("1 row has an empty or missing text, the first at line 2")
    );
}

#[test]
fn classes_without_training_rows_are_noted() {
    let files = train_file("text,label\nfine,good\nbroken,bad\n");
    let data = load(&files.spec()).unwrap();
    let notes = data.notes.join("\n");
    assert!(
        notes.contains("the training split has no row of 1 of 2 classes, so the model does not learn it"),
        "{notes}"
    );
    let rows = (0..40).map(|row| format!("row {row},{}\n", row % 4)).collect::<Vec<_>>().concat();
    let files = train_file(&format!("text,label\n{rows}"));
    let few = RunSpec { max_train_samples: Some(2), ..files.spec() };
    let notes = super::load(&few, true, &AtomicBool::new(false)).unwrap().notes.join("\n");
    assert!(notes.contains("the training split has no row of"), "{notes}");
    assert!(!load(&files.spec()).unwrap().notes.join("\n").contains("the training split"));
}

#[test]
fn held_out_rows_are_stratified_unless_the_run_is_older() {
    let rows = (0..200).map(|row| format!("row {row},{}\n", if row % 10 == 0 { "rare" } else { "common" }));
    let files = train_file(&format!("text,label\n{}", rows.collect::<Vec<_>>().concat()));
    let data = load(&files.spec()).unwrap();
    let rare = |rows: &[Example]| labels(rows).iter().filter(|class| **class == Some(1)).count();
    assert_eq!((data.validation().len(), rare(data.validation())), (20, 2));
    let old = RunSpec { stratify: Some(false), ..files.spec() };
    let old = load(&old).unwrap();
    let order = kernels::rng::Rng::new(0, kernels::rng::Stream::Sample).permutation(5, 0, 200);
    let mut expected: Vec<usize> = order[..20].to_vec();
    expected.sort_unstable();
    let found: Vec<usize> = old.validation().iter().map(|row| row.text[4..].parse().unwrap()).collect();
    assert_eq!(found, expected);
    // The classes of a model may have another order.
    let known = ["rare", "common"].map(str::to_string);
    let held_out = load_split(&files.spec(), SplitName::Validation, Some(&known)).unwrap();
    let texts = |rows: &[Example]| rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&held_out), texts(data.validation()));
}

#[test]
fn only_the_chosen_rows_are_kept() {
    let rows = (0..500).map(|row| format!("row {row},{}\n", row % 3)).collect::<Vec<_>>().concat();
    let files = train_file(&format!("text,label\n{rows}"));
    let few = RunSpec { max_train_samples: Some(20), max_eval_samples: Some(10), ..files.spec() };
    let all = load(&few).unwrap();
    let kept = super::load(&few, true, &AtomicBool::new(false)).unwrap();
    assert_eq!((all.train().len(), kept.train().len(), kept.validation().len()), (450, 20, 10));
    for split in [SplitName::Train, SplitName::Validation] {
        let expected = crate::data::subsample_split(&few, split, all.split(split).to_vec());
        assert_eq!(kept.split(split), expected);
        assert_eq!(kept.total_rows[&split], all.split(split).len());
        // Choosing again changes nothing.
        assert_eq!(crate::data::subsample_split(&few, split, kept.split(split).to_vec()), expected);
    }
}

#[test]
fn columns_of_a_file_without_a_header_have_numbers() {
    let files = train_file("1,Title,The ladder\n2,Title,The stove\n1,Title,The lamp\n");
    let unnamed = files.spec();
    let e = files.strip(&load(&unnamed).unwrap_err().to_string());
    assert!(e.starts_with("train.csv: has no header; set text_column and label_column"), "{e}");
    let numbered = RunSpec { text_column: Some("3".into()), label_column: Some("1".into()), ..unnamed };
    let spec = infer_columns(&numbered).unwrap();
    assert_eq!(
        (spec.text_column.as_deref(), spec.label_column.as_ref().and_then(LabelColumns::one)),
        (Some("column3"), Some("column1"))
    );
    assert_eq!(infer_columns(&spec).unwrap(), spec);
    let data = load(&numbered).unwrap();
    assert_eq!((data.labels.names(), data.train().len()), (vec!["1".to_string(), "2".into()], 2));
    let two = train_file("0\tThe ladder\n1\tThe stove\n0\tThe lamp\n1\tThe oven\n");
    let data = load(&two.spec()).unwrap();
    assert_eq!((data.labels.names(), data.train().len()), (vec!["0".to_string(), "1".into()], 3));
    assert!(data.notes[0].contains("no header: the columns are column1, column2"), "{:?}", data.notes);
}

#[test]
fn a_named_column_tells_a_header_from_a_row() {
    let files = train_file("review,stars\nreview,two\nfine,one\n");
    let named = RunSpec { label_column: Some("stars".into()), ..files.spec() };
    assert_eq!(infer_columns(&named).unwrap().text_column.as_deref(), Some("review"));
    let both = RunSpec { text_column: Some("review".into()), ..named };
    assert_eq!(load(&both).unwrap().labels.names(), ["one", "two"]);
    let numbers = train_file("1,good\n2,bad\n3,good\n");
    let numbered =
        RunSpec { text_column: Some("1".into()), label_column: Some("2".into()), ..numbers.spec() };
    assert_eq!(load(&numbered).unwrap().train().len(), 2);
    let other = RunSpec { text_column: Some("text".into()), ..both };
    let e = infer_columns(&other).unwrap_err().to_string();
    assert!(e.contains("has no column text, which text_column names"), "{e}");
}

/// The sets of labels of rows, as names.
fn sets(dataset: &Dataset, split: SplitName) -> Vec<Vec<String>> {
    let all = dataset.labels.names();
    let names = |row: &Example| {
        let indices = row.label.as_ref().map_or(&[][..], Label::indices);
        indices.iter().map(|index| all[*index as usize].clone()).collect()
    };
    dataset.split(split).iter().map(names).collect()
}

#[test]
fn columns_and_lists_are_sets_of_labels() {
    let expected: [&[&str]; 3] = [&["b", "c"], &[], &["c"]];
    let multi_label = Some(ProblemType::MultiLabelClassification);
    let several = Some(LabelColumns::Several(["b", "c"].map(String::from).to_vec()));
    let columns = "text,b,c\nx,1,1.0\ny,0,false\nz, 0,True\n";
    let validation = "text,label,b,c\nv,c,0,1\n";
    let cases: [(&str, &str, RunSpec); 5] = [
        ("train.csv", columns, RunSpec { label_column: several, ..built_in("x") }),
        ("train.csv", "text,label\nx,\"[\"\"c\"\", \"\"b\"\"]\"\ny,[]\nz,['c']\n", built_in("x")),
        (
            "train.csv",
            "text,label\nx,b|c|b\ny,\nz,c\n",
            RunSpec { problem_type: multi_label, ..built_in("x") },
        ),
        (
            "train.jsonl",
            "{\"text\": \"x\", \"label\": [\"c\", \"b\"]}\n{\"text\": \"y\", \"label\": []}\n{\"text\": \"z\", \"label\": [\"c\"]}",
            built_in("x"),
        ),
        (
            "train.csv",
            "text,label\nx,b; c\ny,;\nz,c\n",
            RunSpec { problem_type: multi_label, ..built_in("x") },
        ),
    ];
    for (name, text, spec) in cases {
        let validation = match &spec.problem_type {
            None if spec.label_column.is_none() => "text,label\nv,['c']\n",
            _ => validation,
        };
        let files = Files::new(&[(name, text), ("dev.csv", validation)]);
        let spec =
            RunSpec { label_column: spec.label_column, problem_type: spec.problem_type, ..files.spec() };
        let spec = RunSpec { text_column: Some("text".into()), ..spec };
        let data = load(&spec).unwrap();
        assert_eq!(data.labels, Labels::multi_label(vec!["b".into(), "c".into()]), "{text}");
        assert_eq!(sets(&data, SplitName::Train), expected, "{text}");
        assert_eq!(sets(&data, SplitName::Validation), [["c"]], "{text}");
        let again =
            super::load_split(&spec, SplitName::Train, (Some(&data.labels), false), &AtomicBool::new(false))
                .unwrap();
        assert_eq!(again, data.train(), "{text}");
    }
}

#[test]
fn indices_and_labels_of_other_splits_are_labels_too() {
    let line = |label: &str| format!("{{\"text\": \"t\", \"label\": {label}}}\n");
    let files =
        Files::new(&[("train.jsonl", &[line("[10, 2]"), line("[2]")].concat()), ("dev.jsonl", &line("[3]"))]);
    let data = load(&files.spec()).unwrap();
    assert_eq!(data.labels.names(), ["2", "3", "10"]);
    assert_eq!(sets(&data, SplitName::Train), [vec!["2", "10"], vec!["2"]]);
    assert!(
        data.notes.iter().any(|note| note.contains("the training split has no row of 1 of 3 labels")),
        "{:?}",
        data.notes
    );
}

#[test]
fn invalid_sets_are_errors_with_their_row() {
    let columns = |text: &str| {
        let files = train_file(text);
        let label_column = Some(LabelColumns::Several(vec!["a".into(), "b".into()]));
        files.strip(&load(&RunSpec { label_column, ..files.spec() }).unwrap_err().to_string())
    };
    let e = columns("text,a,b\nx,0,2\n");
    assert_eq!(e, "train.csv:2: column b is \"2\"; it should be 0 or 1");
    assert!(columns("text,a,b\nx,0,1\ny,1,\n").starts_with("train.csv:3: column b is empty"));
    assert!(columns("text,a\nx,0\n").contains("has no column b"));
    let nested = Files::new(&[("train.jsonl", "{\"text\": \"x\", \"label\": [[\"a\"]]}\n")]);
    assert!(nested.error().contains("column label has [\"a\"] in a list"), "{}", nested.error());
    let single = Files::new(&[("train.jsonl", "{\"text\": \"x\", \"label\": [\"a\"]}\n")]);
    let spec = RunSpec { problem_type: Some(ProblemType::SingleLabelClassification), ..single.spec() };
    assert!(load(&spec).unwrap_err().to_string().contains("column label has a list"));
    let none = Files::new(&[("train.jsonl", "{\"text\": \"x\", \"label\": []}\n")]);
    assert!(none.error().contains("has no label in any row"), "{}", none.error());
}

#[test]
fn fractions_and_the_problem_type_decide_that_labels_are_numbers() {
    let files =
        Files::new(&[("train.csv", "text,label\na,1\nb,-2\nc,3.0\n"), ("dev.csv", "text,label\nd,0.5\n")]);
    let data = load(&files.spec()).unwrap();
    assert_eq!(data.labels, Labels::Scale { low: -2.0, high: 3.0 });
    let values = |rows: &[Example]| {
        rows.iter().map(|row| row.label.as_ref().and_then(Label::value)).collect::<Vec<_>>()
    };
    assert_eq!(values(data.train()), [1.0, -2.0, 3.0].map(Some));
    assert_eq!(values(data.validation()), [Some(0.5)]);
    // Whole numbers are classes unless the problem type says otherwise.
    let rows: Vec<String> = (0..100).map(|row| format!("row {row},{row}\n")).collect();
    let whole = train_file(&format!("text,label\n{}", rows.concat()));
    assert_eq!(load(&whole.spec()).unwrap().labels.outputs(), 100);
    let regression = RunSpec { problem_type: Some(ProblemType::Regression), ..whole.spec() };
    let data = load(&regression).unwrap();
    assert_eq!(data.labels, Labels::Scale { low: 0.0, high: 99.0 });
    // Held-out rows are from all parts of the scale.
    let mut held_out: Vec<f32> = values(data.validation()).into_iter().flatten().collect();
    held_out.sort_by(f32::total_cmp);
    let bins: Vec<f32> = held_out.iter().map(|value| (value / 10.0).floor()).collect();
    assert_eq!(bins, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    let words = train_file("text,label\na,0.5\nb,high\n");
    let e = load(&RunSpec { problem_type: Some(ProblemType::Regression), ..words.spec() })
        .unwrap_err()
        .to_string();
    assert!(e.contains("train.csv:3: column label: label \"high\" is not a number"), "{e}");
}
