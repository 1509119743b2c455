//! Multi-label classification, regression and class weights on custom files, through the binary: training, scores,
//! prediction, evaluation and export.

mod common;
#[path = "common/workspace.rs"]
mod workspace;

use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use workspace::Workspace;

/// Settings with which the embedded encoder learns a few words.
const TRAINING: &str = "train_file = \"train.csv\"\nvalidation_file = \"validation.csv\"\n\
    learning_rate = 1e-3\nnum_train_epochs = 10\nper_device_train_batch_size = 8\nmax_seq_length = 32\nthreads = 1\n";

fn trainable(settings: &str) -> Workspace {
    Workspace::new(&format!("{TRAINING}{settings}"))
}

impl Workspace {
    /// Trains with further settings; returns the run directory, the summary and the stderr.
    fn train(&self, settings: &[&str]) -> (PathBuf, Value, String) {
        let mut args = vec!["train", "own", "--plain"];
        args.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let (stdout, stderr) = self.success(&args);
        let dir = self.path(stdout.trim());
        let summary = std::fs::read(dir.join("summary.json")).unwrap();
        (dir, serde_json::from_slice(&summary).unwrap(), stderr)
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(self.success(args).0.trim()).unwrap()
    }

    /// Probabilities or scores of the exported folder, by Transformers; `None`, with a message, without Python.
    fn transformers(&self, folder: &str, text: &str) -> Option<Value> {
        let Some(python) = std::env::var_os("GLUE_TUI_PYTHON") else {
            eprintln!("SKIPPED: GLUE_TUI_PYTHON is not set");
            return None;
        };
        let script = "import json, sys, torch\n\
            from transformers import AutoModelForSequenceClassification, AutoTokenizer\n\
            model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])\n\
            tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n\
            logits = model(**tokenizer(sys.argv[2], return_tensors='pt')).logits[0]\n\
            kind = model.config.problem_type\n\
            values = logits if kind == 'regression' else logits.sigmoid() if kind.startswith('multi') else logits.softmax(0)\n\
            names = [model.config.id2label[i] for i in range(len(values))]\n\
            print(json.dumps({'problem_type': kind, 'values': dict(zip(names, values.tolist()))}))\n";
        let output =
            Command::new(python).args(["-c", script]).arg(self.path(folder)).arg(text).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

const TOPICS: [(&str, &str); 3] = [("film", "movie"), ("food", "soup"), ("travel", "train")];
const FRAMES: [&str; 4] = ["#", "the #", "# again", "it was #"];

/// Texts with the set of their topics, as a bit mask. A text without a topic has none.
fn topic_rows(times: usize) -> Vec<(String, usize)> {
    let row = |index: usize| {
        let set = index % 8;
        let words: Vec<&str> =
            TOPICS.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, t)| t.1).collect();
        let words = if words.is_empty() { "it".to_owned() } else { words.join(" ") };
        (FRAMES[index / 8 % FRAMES.len()].replace('#', &words), set)
    };
    (0..8 * FRAMES.len() * times).map(row).collect()
}

fn names(set: usize) -> Vec<&'static str> {
    TOPICS.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, topic)| topic.0).collect()
}

/// A column with 0 or 1 for each topic.
fn columns(rows: &[(String, usize)]) -> String {
    rows.iter().fold("text,film,food,travel\n".to_owned(), |mut text, (sentence, set)| {
        let bit = |at: usize| set >> at & 1;
        writeln!(text, "{sentence},{},{},{}", bit(0), bit(1), bit(2)).unwrap();
        text
    })
}

fn write_columns(workspace: &Workspace) {
    workspace.write("train.csv", &columns(&topic_rows(4)));
    workspace.write("validation.csv", &columns(&topic_rows(1)));
}

const COLUMNS: &str = "label_column = [\"film\", \"food\", \"travel\"]\n";

#[test]
fn sets_of_labels_are_learned_predicted_evaluated_and_exported() {
    let workspace = trainable(COLUMNS);
    write_columns(&workspace);
    let (dir, summary, _) = workspace.train(&["num_train_epochs=60"]);
    let scores = &summary["validation"];
    assert!(number(&scores["f1_micro"]) > 0.9 && number(&scores["exact_match"]) > 0.7, "{scores}");
    assert!(number(&summary["before"]["validation"]["f1_micro"]) < 0.7);
    assert_eq!(summary["best"]["metric"], "f1_micro");
    assert_eq!(summary["labels"], serde_json::json!(["film", "food", "travel"]));
    assert_eq!(scores["per_class"][0]["support"], 16);
    let run = dir.file_name().unwrap().to_str().unwrap();

    let text = "the movie train";
    let prediction = workspace.json(&["predict", run, text]);
    assert_eq!(prediction["labels"], serde_json::json!(["film", "travel"]), "{prediction}");
    let scores = workspace.json(&["eval", run, "--split", "validation"]);
    let best = number(&summary["best"]["value"]);
    assert!((number(&scores["f1_micro"]) - best).abs() < 1e-6, "{scores}, {best}");
    assert_eq!(scores["labels"], serde_json::json!(["film", "food", "travel"]));

    workspace.success(&["export", run, "--format", "hf", "--to", "exported"]);
    let config: Value =
        serde_json::from_slice(&std::fs::read(workspace.path("exported/config.json")).unwrap()).unwrap();
    assert_eq!(config["problem_type"], "multi_label_classification");
    assert_eq!(config["id2label"]["2"], "travel");
    let exported = workspace.json(&["predict", "exported", text]);
    assert_eq!(exported["probabilities"], prediction["probabilities"]);
    let Some(theirs) = workspace.transformers("exported", text) else { return };
    assert_eq!(theirs["problem_type"], "multi_label_classification");
    for (name, probability) in prediction["probabilities"].as_object().unwrap() {
        assert!(
            (number(probability) - number(&theirs["values"][name])).abs() < 1e-4,
            "{theirs}, {prediction}"
        );
    }
}

/// Writes rows as the text of a file.
type Writer<'a> = dyn Fn(&[(String, usize)]) -> String + 'a;

/// The same rows as columns, as JSON lists, as lists in JSON lines, and as separated names give the same weights.
#[test]
fn every_notation_of_a_set_gives_the_same_training() {
    let train = |settings: &str, extension: &str, write: &Writer<'_>| {
        let workspace = trainable(settings);
        workspace.write(&format!("train{extension}"), &write(&topic_rows(1)));
        workspace.write(&format!("validation{extension}"), &write(&topic_rows(1)));
        let files = ["train_file=train", "validation_file=validation"].map(|key| format!("{key}{extension}"));
        let (dir, summary, _) = workspace.train(&[&files[0], &files[1], "max_steps=3"]);
        let weights = std::fs::read(dir.join("best/model.safetensors")).unwrap();
        (summary["labels"].clone(), weights)
    };
    let expected = train(COLUMNS, ".csv", &columns);
    let json_lines = |rows: &[(String, usize)]| {
        let line = |(text, set): &(String, usize)| {
            serde_json::json!({"text": text, "label": names(*set)}).to_string()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert!(train("", ".jsonl", &json_lines) == expected, "JSON lines");
    let cells = |cell: &dyn Fn(usize) -> String, rows: &[(String, usize)]| {
        rows.iter().fold("text\tlabel\n".to_owned(), |text, (sentence, set)| {
            text + &format!("{sentence}\t{}\n", cell(*set))
        })
    };
    let json_cells =
        |rows: &[(String, usize)]| cells(&|set| serde_json::to_string(&names(set)).unwrap(), rows);
    assert!(train("", ".tsv", &json_cells) == expected, "JSON lists in cells");
    let multi_label = "problem_type = \"multi_label_classification\"\n";
    for separator in ["|", ";", ", "] {
        let separated = |rows: &[(String, usize)]| cells(&|set| names(set).join(separator), rows);
        assert!(train(multi_label, ".tsv", &separated) == expected, "names separated by {separator:?}");
    }
}

/// Numbers with fractions: the text has a word for its number.
#[test]
fn numbers_are_learned_predicted_evaluated_and_exported() {
    let workspace = trainable("");
    let words = [("bad", 0.5), ("poor", 1.25), ("fine", 2.5), ("good", 3.75), ("great", 4.5)];
    let file = |times: usize| {
        let mut text = "text,label\n".to_owned();
        for index in 0..words.len() * FRAMES.len() * times {
            let (word, score) = words[index % words.len()];
            let frame = FRAMES[index / words.len() % FRAMES.len()].replace('#', word);
            writeln!(text, "{frame},{score}").unwrap();
        }
        text
    };
    workspace.write("train.csv", &file(8));
    workspace.write("validation.csv", &file(1));
    let (dir, summary, _) = workspace.train(&["num_train_epochs=12"]);
    let scores = &summary["validation"];
    assert!(number(&scores["pearson"]) > 0.8 && scores["spearman"].is_number(), "{scores}");
    assert!(number(&scores["loss"]) < number(&summary["before"]["validation"]["loss"]));
    assert_eq!(summary["best"]["metric"], "pearson");
    let run = dir.file_name().unwrap().to_str().unwrap();
    let predict = |text: &str| number(&workspace.json(&["predict", run, text])["score"]);
    assert!(predict("it was great") > predict("it was bad") + 1.0);
    let scores = workspace.json(&["eval", run, "--split", "validation"]);
    assert!((number(&scores["pearson"]) - number(&summary["best"]["value"])).abs() < 1e-6, "{scores}");
    workspace.success(&["export", run, "--format", "hf", "--to", "exported"]);
    let card = std::fs::read_to_string(workspace.path("exported/README.md")).unwrap();
    assert!(card.contains("from 0.5 to 4.5"), "{card}");
    let Some(theirs) = workspace.transformers("exported", "it was great") else { return };
    assert_eq!(theirs["problem_type"], "regression");
    assert!((number(&theirs["values"]["LABEL_0"]) - predict("it was great")).abs() < 1e-4, "{theirs}");
}

/// 30 rows of one class and 3 of another whose texts are the same: without a difference between them a model says the
/// frequent one, and balanced weights move it.
fn imbalanced(workspace: &Workspace) {
    let file = |times: usize| {
        let mut text = "text,label\n".to_owned();
        for index in 0..33 * times {
            let label = if index % 11 == 0 { "rare" } else { "bulk" };
            writeln!(text, "message number {},{label}", index % 7).unwrap();
        }
        text
    };
    workspace.write("train.csv", &file(3));
    workspace.write("validation.csv", &file(1));
}

#[test]
fn a_model_that_says_one_class_is_reported_and_weights_are_applied() {
    let workspace = trainable("");
    imbalanced(&workspace);
    let (_, summary, stderr) = workspace.train(&["max_steps=12"]);
    assert_eq!(summary["constant_prediction"], "bulk");
    assert!(stderr.contains("warning: the model predicts bulk for every validation row"), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("best validation accuracy 90.91 %")
            && last.contains("; not learning: try class_weights"),
        "{last}"
    );

    let (dir, weighted, stderr) = workspace.train(&["max_steps=12", "class_weights=balanced"]);
    assert!(stderr.contains("class weights: bulk 0.55, rare 5.5"), "{stderr}");
    assert_ne!(weighted["validation"]["loss"], summary["validation"]["loss"]);
    let spec = std::fs::read_to_string(dir.join("spec.toml")).unwrap();
    assert!(spec.contains("class_weights = \"balanced\""), "{spec}");

    let (_, by_f1, _) = workspace.train(&["max_steps=4", "metric_for_best_model=f1_macro"]);
    assert_eq!(by_f1["best"]["metric"], "f1_macro");
    let (_, by_f1, _) = workspace.train(&["max_steps=4", "metric_for_best_model=f1"]);
    assert_eq!(by_f1["best"]["metric"], "f1");
}

/// The last line of the stderr of a training that fails with exit code 2.
fn refused(workspace: &Workspace, settings: &[&str]) -> String {
    let mut args = vec!["train", "own", "--plain"];
    args.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = workspace.run(&args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{settings:?}: {stderr}");
    stderr.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn settings_that_do_not_suit_the_labels_are_refused() {
    let files = trainable("");
    imbalanced(&files);
    for (settings, expected) in [
        (
            ["class_weights=[1.0, 2.0, 3.0]"],
            "class_weights has 3 numbers, but there are 2 labels: bulk, rare",
        ),
        (["metric_for_best_model=pearson"], "has no metric `pearson`"),
        (["metric_for_best_model=f1_micro"], "has no metric `f1_micro`"),
    ] {
        let error = refused(&files, &settings);
        assert!(error.contains(expected), "{error}");
    }
    let sets = trainable(COLUMNS);
    write_columns(&sets);
    for (settings, expected) in [
        (["label_smoothing_factor=0.1"], "multi-label classification, and label smoothing needs classes"),
        (["problem_type=regression"], "label_column is a list, which is a multi-label classification"),
        (["metric_for_best_model=accuracy"], "has no metric `accuracy`"),
    ] {
        let error = refused(&sets, &settings);
        assert!(error.contains(expected), "{error}");
    }
}
