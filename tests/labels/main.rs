//! Models that others have fine-tuned: their label names, kinds of heads, weight files and configurations, through the
//! binary. Expected values are those of Transformers, which is asked itself if `GLUE_TUI_PYTHON` names a Python with it.

use common::command;
use glue_tui::batch::{Batch, Encoded};
use glue_tui::catalog::ProblemType;
use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, Array, BuildOptions, Weights};
use glue_tui::spec::{DeviceSpec, EngineChoice, Precision};
use glue_tui::train::argmax;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../common/mod.rs"]
mod common;
mod weights;

const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "book", "so", "very", "not"];
const TEXTS: [&str; 8] = [
    "good film",
    "bad book",
    "so so",
    "not very good",
    "film",
    "very very bad film",
    "not bad",
    "good good good book",
];

/// A working folder without the network.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        Workspace { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A small BERT with random weights and `outputs` outputs. `keys` are added to its `config.json`.
    fn model(&self, name: &str, outputs: usize, keys: &Value) {
        let mut config = json!({
            "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 24, "type_vocab_size": 2,
            "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
            "initializer_range": 0.6, "pad_token_id": 0, "architectures": ["BertForSequenceClassification"],
        });
        config.as_object_mut().unwrap().extend(keys.as_object().cloned().unwrap_or_default());
        self.write(&format!("{name}/config.json"), config.to_string());
        self.write(&format!("{name}/vocab.txt"), WORDS.join("\n") + "\n");
        let tokenizer = json!({"tokenizer_class": "BertTokenizer", "do_lower_case": true});
        self.write(&format!("{name}/tokenizer_config.json"), tokenizer.to_string());
        let names: Vec<String> = (0..outputs).map(|output| output.to_string()).collect();
        let folder = ModelFolder::on_disk(self.path(name));
        // The first random weights with which the model predicts every label for some text.
        let weights = (1..).find_map(|seed| {
            let mut engine =
                nn::from_config(&BuildOptions { seed, ..options(&folder, &names) }).unwrap().engine;
            let rows = TEXTS.map(encode);
            let predicted =
                engine.logits(&Batch::new(&rows)).unwrap().into_iter().map(|logits| argmax(&logits));
            let distinct = predicted.collect::<std::collections::BTreeSet<_>>().len();
            (distinct == outputs).then(|| engine.weights().unwrap())
        });
        self.write_weights(name, &weights.unwrap());
    }

    fn write_weights(&self, name: &str, weights: &Weights) {
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        nn::write_arrays(&self.path(name).join("model.safetensors"), weights, &metadata).unwrap();
    }

    fn weights(&self, name: &str) -> Weights {
        nn::read_arrays(&self.path(name).join("model.safetensors")).unwrap().0
    }

    /// Changes keys of a model's `config.json`; null removes a key.
    fn edit(&self, name: &str, keys: &Value) {
        let path = self.path(name).join("config.json");
        let mut config: Map<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config.extend(keys.as_object().unwrap().clone());
        config.retain(|_, value| !value.is_null());
        std::fs::write(path, json!(config).to_string()).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        command(self.folder.path(), args).output().unwrap()
    }

    fn stdout(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.stdout(args)).unwrap()
    }

    /// The only line on stderr of a command that fails with this exit code.
    fn error(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr
    }

    fn predict(&self, model: &str, text: &str) -> Value {
        self.json(&["predict", model, text])
    }

    /// Trains one step from a model on texts with the labels that the model itself predicts, with other names:
    /// `name_of` has the name of each label. Returns the run directory.
    fn train(&self, model: &str, name_of: &[(&str, &str)], more: &[&str]) -> PathBuf {
        let mut rows = "text,label\n".to_owned();
        for text in TEXTS {
            let label = self.predict(model, text)["label"].as_str().unwrap().to_owned();
            let name = name_of.iter().find(|(from, _)| *from == label).unwrap().1;
            rows += &format!("{text},{name}\n");
        }
        self.write("rows.csv", &rows);
        let model = format!("model={model}");
        let set = [
            "task=custom",
            &model,
            "train_file=rows.csv",
            "validation_file=rows.csv",
            "max_steps=1",
            "learning_rate=1e-9",
        ];
        let mut args = vec!["train", "demo", "--plain"];
        args.extend(set.iter().chain(more).flat_map(|set| ["--set", *set]));
        let out = self.stdout(&args);
        self.path(out.lines().last().unwrap())
    }
}

fn options<'a>(folder: &'a ModelFolder, labels: &'a [String]) -> BuildOptions<'a> {
    BuildOptions {
        seed: 5,
        precision: Precision::F32,
        engine: EngineChoice::Fast,
        max_examples_per_pass: 8,
        ..BuildOptions::new(folder, (labels, ProblemType::SingleLabelClassification))
    }
}

/// The tokens of a text, whose words are in the vocabulary.
fn encode(text: &str) -> Encoded {
    let id = |word: &str| WORDS.iter().position(|known| *known == word).unwrap() as u32;
    let ids: Vec<u32> = ["[CLS]"].into_iter().chain(text.split(' ')).chain(["[SEP]"]).map(id).collect();
    Encoded { type_ids: vec![0; ids.len()], ids, label: None }
}

fn id2label(names: &[&str]) -> Value {
    let names: Map<String, Value> =
        names.iter().enumerate().map(|(id, name)| (id.to_string(), json!(name))).collect();
    json!({ "id2label": names })
}

/// The accuracy before training, and the notes of the log.
fn before_and_notes(run: &Path) -> (f64, String) {
    let summary: Value = serde_json::from_slice(&std::fs::read(run.join("summary.json")).unwrap()).unwrap();
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let notes = events.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["kind"] == "note").then(|| event["text"].as_str().unwrap_or_default().to_owned())
    });
    let accuracy = summary["before"]["validation"]["accuracy"].as_f64().expect("an accuracy before training");
    (accuracy, notes.collect::<Vec<_>>().join("\n"))
}

#[test]
fn training_starts_from_a_head_with_the_same_names_in_any_order() {
    let workspace = Workspace::new();
    let own = ["positive", "neutral", "negative"];
    workspace.model("senti", 3, &id2label(&own));
    for names in [own, ["POS", "Neutral", "neg"], ["Positive", "NEUTRAL", "nega_tive"]] {
        let pairs: Vec<_> = own.into_iter().zip(names).collect();
        let (accuracy, notes) = before_and_notes(&workspace.train("senti", &pairs, &[]));
        assert_eq!(accuracy, 1.0, "{names:?}: {notes}");
        assert!(notes.contains("labels positive, neutral, negative were matched by name"), "{notes}");
        assert!(notes.contains("none newly initialized"), "{notes}");
    }
    let pairs = [("positive", "fine"), ("neutral", "meh"), ("negative", "awful")];
    let map = r#"label_map={ positive = "fine", neutral = "meh", negative = "awful" }"#;
    assert_eq!(before_and_notes(&workspace.train("senti", &pairs, &[map])).0, 1.0);
    let notes = before_and_notes(&workspace.train("senti", &pairs, &[])).1;
    assert!(notes.contains("2 newly initialized (classifier.weight, classifier.bias)"), "{notes}");
    assert!(
        notes.contains(
            "the classification head is newly initialized: the model's labels are positive, neutral, negative, and \
             those of the task are awful, fine, meh"
        ),
        "{notes}"
    );
}

#[test]
fn placeholders_are_used_by_position_and_odd_names_are_no_obstacle_to_training() {
    let workspace = Workspace::new();
    let words = ["a", "b", "c"];
    for (name, keys) in [
        ("placeholders", json!({"num_labels": 3})),
        ("numbers", json!({"id2label": {"0": 0, "1": 1, "2": 2}})),
    ] {
        workspace.model(name, 3, &keys);
        let own: Vec<String> =
            (0..3).map(|id| if name == "numbers" { id.to_string() } else { format!("LABEL_{id}") }).collect();
        let pairs: Vec<_> = own.iter().map(String::as_str).zip(words).collect();
        let (accuracy, notes) = before_and_notes(&workspace.train(name, &pairs, &[]));
        assert!(accuracy == 1.0 && notes.contains("matched with a, b, c by position"), "{name}: {notes}");
    }
    workspace.model("plain", 3, &id2label(&words));
    let pairs: Vec<_> = words.into_iter().zip(words).collect();
    for keys in [
        json!({"id2label": {"1": "a", "2": "b", "3": "c"}}),
        json!({"id2label": ["a", "b", "c"]}),
        json!({"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}),
        json!({"id2label": {"a": "0"}}),
        json!({"id2label": {}}),
        json!({"id2label": null, "label2id": {"a": 0}}),
        json!({"id2label": null, "num_labels": "three"}),
    ] {
        // The labels of the rows come from the model with valid names.
        let run = workspace.train("plain", &pairs, &[]);
        assert_eq!(before_and_notes(&run).0, 1.0);
        let valid = std::fs::read(workspace.path("plain/config.json")).unwrap();
        workspace.edit("plain", &keys);
        let set =
            ["task=custom", "model=plain", "train_file=rows.csv", "validation_file=rows.csv", "max_steps=1"];
        let mut args = vec!["train", "demo", "--plain"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let out = workspace.stdout(&args);
        let notes = before_and_notes(&workspace.path(out.lines().last().unwrap())).1;
        assert!(notes.contains("the classification head is newly initialized"), "{keys}: {notes}");
        std::fs::write(workspace.path("plain/config.json"), valid).unwrap();
    }
}

/// MNLI files whose gold labels are what the model predicts.
fn mnli(workspace: &Workspace, model: &str) {
    let mut rows = "sentence1\tsentence2\tgold_label\n".to_owned();
    for (a, b) in TEXTS.iter().zip(TEXTS.iter().rev()) {
        let label = workspace.json(&["predict", model, a, b])["label"].as_str().unwrap().to_lowercase();
        rows += &format!("{a}\t{b}\t{label}\n");
    }
    for file in ["train", "dev_matched", "dev_mismatched"] {
        workspace.write(&format!("MNLI/{file}.tsv"), &rows);
    }
}

#[test]
fn eval_matches_labels_by_name() {
    let workspace = Workspace::new();
    workspace.model("nli", 3, &id2label(&["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]));
    mnli(&workspace, "nli");
    let eval = ["eval", "nli", "--task", "mnli", "--data-dir", "MNLI"];
    let scores = workspace.json(&eval);
    assert_eq!((&scores["accuracy"], &scores["accuracy_mm"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(scores["labels"], json!(["entailment", "neutral", "contradiction"]));
    // The rows of the confusion matrix are in the order of the task.
    let rows = std::fs::read_to_string(workspace.path("MNLI/dev_matched.tsv")).unwrap();
    let count = |label: &str| rows.lines().filter(|line| line.ends_with(&format!("\t{label}"))).count();
    for (index, label) in ["entailment", "neutral", "contradiction"].iter().enumerate() {
        assert_eq!(scores["confusion"][index][index], json!(count(label)), "{scores}");
    }

    workspace.edit("nli", &id2label(&["no", "maybe", "yes"]));
    let error = workspace.error(2, &eval);
    for part in ["no, maybe, yes", "entailment, neutral, contradiction", "--label-map"] {
        assert!(error.contains(part), "{error}");
    }
    let with = |map: &str| {
        [&eval[..], &["--label-map", map]].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let args = with("yes=entailment,no=contradiction,maybe=neutral");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    assert_eq!(workspace.json(&args)["accuracy"], 1.0);
    for (map, problem) in [
        ("yes=entailment", "no label of the model is mapped to neutral"),
        ("yes=entailment,no=entailment", "both no and yes to entailment"),
        ("never=entailment", "the model has no label never"),
        ("yes=unclear", "the task has no label unclear"),
    ] {
        let args = with(map);
        let error = workspace.error(2, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(error.contains(problem), "{error}");
    }
    let error = workspace.error(2, &["eval", "nli", "--task", "rte", "--data-dir", "MNLI"]);
    assert!(error.contains("3 labels") && error.contains("entailment, not_entailment"), "{error}");
    let error = workspace.error(2, &["eval", "nli", "--task", "stsb", "--data-dir", "MNLI"]);
    assert!(error.contains("a number"), "{error}");

    // Placeholders are used by position, with a note.
    workspace.edit("nli", &json!({"id2label": null, "num_labels": 3}));
    let output = workspace.run(&eval);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("by position"));
}

#[test]
fn eval_on_own_files_matches_labels_by_name() {
    let workspace = Workspace::new();
    workspace.model("senti", 3, &id2label(&["positive", "neutral", "negative"]));
    let label = |text: &str| workspace.predict("senti", text)["label"].as_str().unwrap().to_owned();
    let row = |text: &str| format!("{text},{}\n", label(text).to_uppercase());
    let rows = TEXTS.map(row).concat();
    workspace.write("dev.csv", format!("text,label\n{rows}"));
    let eval = ["eval", "senti", "--task", "custom", "--set", "validation_file=dev.csv"];
    let scores = workspace.json(&eval);
    assert_eq!((&scores["accuracy"], &scores["examples"]), (&json!(1.0), &json!(TEXTS.len())));
    let test = ["eval", "senti", "--task", "custom", "--set", "test_file=dev.csv"];
    let error = workspace.error(2, &test);
    assert!(error.contains("--set test_file names the test split; add --split test"), "{error}");
    assert_eq!(workspace.json(&[&test[..], &["--split", "test"]].concat()), {
        let mut expected = scores.clone();
        expected["split"] = json!("test");
        expected
    });
    let other = rows.replace("POSITIVE", "great").replace("NEGATIVE", "awful").replace("NEUTRAL", "meh");
    workspace.write("dev.csv", format!("text,label\n{other}"));
    let error = workspace.error(2, &eval);
    assert!(error.contains("positive, neutral, negative") && error.contains("--label-map"), "{error}");
    let map = ["--label-map", "positive=great,negative=awful,neutral=meh"];
    assert_eq!(workspace.json(&[&eval[..], &map].concat())["accuracy"], 1.0);
}

/// Variants of `config.json`, the number of outputs, and the function that the pipeline of Transformers applies.
fn heads() -> Vec<(&'static str, usize, Value, &'static str)> {
    let multi = "multi_label_classification";
    vec![
        ("words", 3, id2label(&["positive", "neutral", "negative"]), "softmax"),
        ("int", 3, json!({"id2label": {"0": 0, "1": 1, "2": 2}}), "softmax"),
        ("floats", 3, json!({"id2label": {"0": 0.0, "1": 1.5, "2": null}}), "softmax"),
        ("num-labels", 3, json!({"num_labels": 3}), "softmax"),
        ("default", 2, json!({}), "softmax"),
        ("single", 2, json!({"problem_type": "single_label_classification"}), "softmax"),
        ("unknown", 2, json!({"problem_type": "ranking"}), "softmax"),
        ("multi", 3, json!({"num_labels": 3, "problem_type": multi}), "sigmoid"),
        ("one", 1, json!({"id2label": {"0": "toxic"}}), "sigmoid"),
        ("one-multi", 1, json!({"num_labels": 1, "problem_type": multi}), "sigmoid"),
        ("regression", 1, json!({"num_labels": 1, "problem_type": "regression"}), "none"),
    ]
}

/// The label and the numbers of a prediction, in the order of the outputs.
fn answer(prediction: &Value) -> (Option<String>, Vec<f64>) {
    let numbers = match &prediction["probabilities"] {
        Value::Object(all) => all.values().map(|number| number.as_f64().unwrap()).collect(),
        _ => vec![prediction["score"].as_f64().unwrap()],
    };
    (prediction["label"].as_str().map(str::to_owned), numbers)
}

#[test]
fn problem_type_decides_how_logits_become_probabilities() {
    let workspace = Workspace::new();
    for (name, outputs, keys, function) in heads() {
        workspace.model(name, outputs, &keys);
        let folder = ModelFolder::on_disk(workspace.path(name));
        let names = vec![String::from("x"); outputs];
        let mut engine = nn::build(&options(&folder, &names)).unwrap().engine;
        let encoded = encode("not very good");
        let logits: Vec<f64> =
            engine.logits(&Batch::new([&encoded])).unwrap().concat().into_iter().map(f64::from).collect();
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let expected: Vec<f64> = match function {
            "softmax" => logits.iter().map(|logit| logit.exp() / total).collect(),
            "sigmoid" => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
            _ => logits.clone(),
        };
        let prediction = workspace.predict(name, "not very good");
        let (label, numbers) = answer(&prediction);
        assert!(numbers.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{name}: {prediction}");
        assert_eq!(label.is_some(), function != "none", "{name}: {prediction}");
        if function == "sigmoid" {
            let chosen = numbers.iter().filter(|number| **number >= 0.5).count();
            assert_eq!(prediction["labels"].as_array().unwrap().len(), chosen, "{name}: {prediction}");
        }
    }
    workspace.edit("one", &json!({"problem_type": "single_label_classification"}));
    assert!(workspace.error(3, &["predict", "one", "good"]).contains("problem_type"));
    workspace.edit("words", &json!({"problem_type": "regression"}));
    assert!(workspace.error(3, &["predict", "words", "good"]).contains("problem_type"));
}

const PIPELINE: &str = r#"
import json, sys
from transformers import pipeline
import transformers
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
answers = {}
for folder in sys.argv[2:]:
    pipe = pipeline("text-classification", folder, device="cpu")
    results = [pipe(text)[0] for text in json.loads(sys.argv[1])]
    answers[folder] = [[str(result["label"]), result["score"]] for result in results]
print(json.dumps(answers))
"#;

#[test]
fn predictions_equal_the_pipeline_of_transformers() {
    let Some(python) = std::env::var_os("GLUE_TUI_PYTHON") else {
        eprintln!(
            "SKIPPED: GLUE_TUI_PYTHON names no Python with Transformers, so its pipeline was not asked"
        );
        return;
    };
    let workspace = Workspace::new();
    let mut names = Vec::new();
    for (name, outputs, keys, _) in heads() {
        workspace.model(name, outputs, &keys);
        names.push(name);
    }
    let output = Command::new(python)
        .args(["-c", PIPELINE, &json!(TEXTS).to_string()])
        .args(&names)
        .current_dir(workspace.folder.path())
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in names {
        for (text, expected) in TEXTS.iter().zip(answers[name].as_array().unwrap()) {
            let prediction = workspace.predict(name, text);
            let score = prediction.get("probability").or(prediction.get("score")).unwrap().as_f64().unwrap();
            assert!(
                (score - expected[1].as_f64().unwrap()).abs() < 1e-5,
                "{name} {text}: {prediction} {expected}"
            );
            if let Some(label) = prediction["label"].as_str() {
                assert_eq!(label, expected[0], "{name} {text}");
            }
        }
    }
}

#[test]
fn names_that_transformers_lacks_are_noted_or_refused() {
    let workspace = Workspace::new();
    workspace.model("m", 3, &json!({"id2label": {"1": "a", "2": "b", "3": "c"}}));
    let output = workspace.run(&["predict", "m", "good film"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no name for output 0"));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["probabilities"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["LABEL_0", "a", "b"]
    );
    for (keys, problem) in [
        (json!({"id2label": {"0": "a", "1": "b"}}), "id2label is for 2 labels, but the head has 3 outputs"),
        (json!({"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}), "id2label is for 4 labels"),
        (json!({"id2label": ["a", "b", "c"]}), "id2label is not an object"),
        (json!({"id2label": null}), "num_labels is for 2 labels"),
        (json!({"id2label": null, "num_labels": 4_000_000_000_u64}), "num_labels is for 4000000000 labels"),
    ] {
        workspace.edit("m", &keys);
        let error = workspace.error(3, &["predict", "m", "good film"]);
        assert!(error.contains("model m: config.json: ") && error.contains(problem), "{error}");
    }
}
