//! Task `custom` through the binary: files in every format, from `check` to an exported model.

mod common;
#[path = "common/workspace.rs"]
mod workspace;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workspace::Workspace;

/// The class names in order; one contains a comma.
const LABELS: [&str; 3] = ["Film", "food, drink", "travel"];
const WORDS: [[&str; 3]; 3] =
    [["film", "song", "book"], ["soup", "food", "bread"], ["train", "river", "road"]];
const TEMPLATES: [&str; 5] = [
    "the # was good",
    "I liked the #, a lot",
    "\"a bad #\", they said",
    "we had to wait for the #",
    "and then there was another #",
];

impl Workspace {
    /// The stdout of a successful command.
    fn stdout(&self, args: &[&str]) -> String {
        self.success(args).0
    }

    /// The last line of the stderr of a command that fails with this exit code.
    fn error(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        stderr.lines().last().unwrap().to_string()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.stdout(args)).unwrap()
    }

    /// Trains the experiment. Returns the run directory.
    fn train(&self, settings: &[&str]) -> PathBuf {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let stdout = self.stdout(&["train", "own"].into_iter().chain(settings).collect::<Vec<_>>());
        self.path(stdout.lines().last().unwrap())
    }
}

/// Settings that suffice to learn three classes by their words.
const FULL_TRAINING: &[&str] = &["learning_rate=1e-3", "num_train_epochs=8", "per_device_train_batch_size=8"];
/// Settings for a test of the loading only.
const SHORT_TRAINING: &[&str] = &["max_steps=2", "per_device_train_batch_size=8"];

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Rows of (text, class): `times` repetitions of every word in every template.
fn rows(times: usize) -> Vec<(String, usize)> {
    let all = (0..times * TEMPLATES.len() * 9).map(|n| {
        let (class, word, template) = (n % 3, n / 3 % 3, n / 9 % TEMPLATES.len());
        (TEMPLATES[template].replace('#', WORDS[class][word]), class)
    });
    all.collect()
}

fn csv(rows: &[(String, usize)]) -> String {
    let row = |(text, class): &(String, usize)| {
        format!("\"{}\",\"{}\"\r\n", LABELS[*class], text.replace('"', "\"\""))
    };
    format!("label,text\r\n{}", rows.iter().map(row).collect::<String>())
}

fn tsv(rows: &[(String, usize)]) -> String {
    let row = |(text, class): &(String, usize)| format!("{text}\t{}\n", LABELS[*class]);
    format!("text\tlabel\n{}", rows.iter().map(row).collect::<String>())
}

fn json_lines(rows: &[(String, usize)]) -> String {
    rows.iter()
        .map(|(text, class)| json!({"text": text, "label": LABELS[*class]}).to_string() + "\n")
        .collect()
}

fn json_array(rows: &[(String, usize)]) -> String {
    let rows: Vec<Value> =
        rows.iter().map(|(text, class)| json!({"label": LABELS[*class], "text": text})).collect();
    serde_json::to_string_pretty(&json!({ "data": rows })).unwrap()
}

fn semicolons(rows: &[(String, usize)]) -> String {
    let row =
        |(text, class): &(String, usize)| format!("\"{}\";{}\n", text.replace('"', "\"\""), LABELS[*class]);
    format!("text;label\n{}", rows.iter().map(row).collect::<String>())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn write_parquet(path: &Path, rows: &[(String, usize)]) {
    let schema = "message schema { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL BYTE_ARRAY label (UTF8); }";
    let file = std::fs::File::create(path).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let columns: [Vec<&str>; 2] = [
        rows.iter().map(|(text, _)| text.as_str()).collect(),
        rows.iter().map(|(_, class)| LABELS[*class]).collect(),
    ];
    for texts in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = texts.into_iter().map(ByteArray::from).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&vec![1; values.len()]), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn name_of(dir: &Path) -> &str {
    dir.file_name().unwrap().to_str().unwrap()
}

#[test]
fn train_predict_eval_and_export_three_classes() {
    let workspace = Workspace::new(
        "train_file = \"train.csv\"\nvalidation_file = \"dev.csv\"\ntest_file = \"test.csv\"\n",
    );
    let all = rows(3);
    workspace.write("train.csv", &csv(&all));
    workspace.write("dev.csv", &csv(&all[..45]));
    workspace.write("test.csv", &csv(&all[5..35]));
    let dir = workspace.train(FULL_TRAINING);
    let name = name_of(&dir);
    let summary = read_json(&dir.join("summary.json"));
    assert_eq!(summary["labels"], json!(LABELS));
    let validation = &summary["validation"];
    assert_eq!(validation["confusion"].as_array().unwrap().len(), 3);
    assert!(validation["accuracy"].as_f64().unwrap() > 0.9, "{validation}");
    assert!(summary["before"]["validation"]["accuracy"].as_f64().unwrap() < 0.7);
    let config = read_json(&dir.join("best/config.json"));
    assert_eq!(config["id2label"], json!({"0": LABELS[0], "1": LABELS[1], "2": LABELS[2]}));
    let spec = std::fs::read_to_string(dir.join("spec.toml")).unwrap();
    assert!(spec.contains("text_column = \"text\"") && spec.contains("label_column = \"label\""), "{spec}");
    let prediction = workspace.json(&["predict", name, "we had to wait for the soup"]);
    assert_eq!(
        (&prediction["label"], prediction["probabilities"].as_object().unwrap().len()),
        (&json!(LABELS[1]), 3)
    );
    let two = workspace.error(2, &["predict", name, "one", "two"]);
    assert!(two.contains("expects a single text"), "{two}");
    let test = workspace.json(&["eval", name, "--split", "test"]);
    assert_eq!((test["examples"].as_u64(), test["confusion"].as_array().unwrap().len()), (Some(30), 3));
    // A run is evaluated with its best weights.
    assert_eq!((&test["labels"], &test["accuracy"]), (&json!(LABELS), &summary["best"]["test"]));
    workspace.stdout(&["export", name, "--format", "hf", "--to", "model"]);
    let exported = read_json(&workspace.path("model/config.json"));
    assert_eq!(exported["label2id"], json!({"Film": 0, "food, drink": 1, "travel": 2}));
    let error = workspace.error(2, &["eval", "model", "--task", "custom"]);
    assert!(error.contains("a specification names the files"), "{error}");
}

/// A file extension and a function that writes rows in that format.
type Writer = (&'static str, fn(&Path, &[(String, usize)]));

#[test]
fn every_format_gives_the_same_training() {
    let writers: [Writer; 9] = [
        ("csv", |path, rows| std::fs::write(path, csv(rows)).unwrap()),
        ("tsv", |path, rows| std::fs::write(path, tsv(rows)).unwrap()),
        ("jsonl", |path, rows| std::fs::write(path, json_lines(rows)).unwrap()),
        ("parquet", write_parquet),
        ("json", |path, rows| std::fs::write(path, json_array(rows)).unwrap()),
        ("csv.gz", |path, rows| std::fs::write(path, gzip(csv(rows).as_bytes())).unwrap()),
        ("jsonl.zst", |path, rows| {
            std::fs::write(path, zstd::encode_all(json_lines(rows).as_bytes(), 3).unwrap()).unwrap();
        }),
        ("semicolon.csv", |path, rows| std::fs::write(path, semicolons(rows)).unwrap()),
        ("utf16.csv", |path, rows| std::fs::write(path, utf16(&csv(rows))).unwrap()),
    ];
    let scores = writers.map(|(extension, write)| {
        let workspace =
            Workspace::new(&format!("train_file = \"a.{extension}\"\nvalidation_file = \"b.{extension}\"\n"));
        write(&workspace.path(&format!("a.{extension}")), &rows(1));
        write(&workspace.path(&format!("b.{extension}")), &rows(1)[..20]);
        let dir = workspace.train(SHORT_TRAINING);
        assert_eq!(workspace.json(&["eval", name_of(&dir)])["examples"], 20, "{extension}");
        let summary = read_json(&dir.join("summary.json"));
        (summary["labels"].clone(), summary["validation"].clone(), summary["train"].clone())
    });
    assert_eq!(scores[0].0, json!(LABELS));
    for (other, (extension, _)) in scores.iter().zip(&writers) {
        assert_eq!(other, &scores[0], "{extension}");
    }
}

#[test]
fn rows_are_held_out_without_a_validation_file() {
    let workspace = Workspace::new("train_file = \"rows.tsv\"\n");
    workspace.write("rows.tsv", &tsv(&rows(4)));
    let checked = workspace.stdout(&["check", "own"]);
    assert!(checked.contains("# no validation_file: 18 of 180 rows of rows.tsv held out"), "{checked}");
    assert!(checked.contains("# rows: 162 training, 18 validation"), "{checked}");
    let dir = workspace.train(SHORT_TRAINING);
    let summary = read_json(&dir.join("summary.json"));
    let scores = workspace.json(&["eval", name_of(&dir)]);
    assert_eq!((scores["examples"].as_u64(), &scores["loss"]), (Some(18), &summary["validation"]["loss"]));
}

#[test]
fn pairs_are_inferred_from_the_columns() {
    let workspace = Workspace::new("train_file = \"pairs.csv\"\n");
    let row = |n: usize| format!("the film,the {},{}\n", WORDS[n % 3][0], n % 2);
    let rows = (0..40).map(row).collect::<Vec<_>>().concat();
    workspace.write("pairs.csv", &format!("sentence1,sentence2,label\n{rows}"));
    let dir = workspace.train(SHORT_TRAINING);
    let name = name_of(&dir);
    let prediction = workspace.json(&["predict", name, "the film", "the soup"]);
    assert_eq!(prediction["text_pair"], "the soup");
    let one = workspace.error(2, &["predict", name, "the film"]);
    assert!(one.contains("expects a pair of texts"), "{one}");
    let spec = std::fs::read_to_string(dir.join("spec.toml")).unwrap();
    assert!(spec.contains("text_pair_column = \"sentence2\""), "{spec}");
}

#[test]
fn check_reports_errors_with_their_position() {
    let workspace = Workspace::new("train_file = \"train.csv\"\nvalidation_file = \"dev.csv\"\n");
    let check = |code| workspace.error(code, &["check"]);
    assert!(check(3).contains("train.csv"), "{}", check(3));
    workspace.write("train.csv", "text,label\na,yes\nb,no\n");
    workspace.write("dev.csv", "text,label\na,yes\nb,maybe\n");
    let error =
        "glue-tui: dev.csv:3: column label: label \"maybe\" is not in the training file, which has no, yes";
    assert_eq!(check(3), error);
    // A missing column ends a training before it creates a run directory.
    workspace.write("train.csv", "text,tag\na,yes\nb,no\n");
    let columns = "glue-tui: train.csv: has no column label; set label_column; its columns are text, tag";
    assert_eq!((check(3).as_str(), workspace.error(3, &["train", "own"]).as_str()), (columns, columns));
    assert!(!workspace.path("runs").exists());
    let experiments = |text: &str| {
        workspace.write("experiments.toml", text);
        check(2)
    };
    assert!(
        experiments("[experiment.own]\ntask = \"custom\"\n")
            .contains("experiments.toml:2:8: `task`: task `custom` requires train_file")
    );
    let stray = experiments("[experiment.own]\ntask = \"demo\"\ntext_column = \"a\"\n");
    assert!(
        stray.contains("experiments.toml:3:15: `text_column`: only task `custom` uses this key"),
        "{stray}"
    );
    let kind = experiments("[experiment.own]\ntask = \"custom\"\ntrain_file = \"rows.xlsx\"\n");
    let problem = "experiments.toml:3:14: `train_file`: `rows.xlsx` is a workbook of a spreadsheet; save the sheet as CSV";
    assert!(kind.contains(problem), "{kind}");
}

#[test]
fn check_reports_keys_that_do_not_apply_to_the_labels() {
    let workspace = Workspace::new("train_file = \"train.csv\"\nmax_train_samples = 4\n");
    let numbers = (0..20).map(|row| format!("row {row},{}\n", row as f32 / 2.0)).collect::<Vec<_>>().concat();
    workspace.write("train.csv", &format!("text,label\n{numbers}"));
    let checked = workspace.stdout(&["check"]);
    assert!(checked.contains("# rows: 18 training, 2 validation"), "{checked}");
    for (key, error) in [
        ("label_smoothing_factor = 0.1", "`label_smoothing_factor`: task `custom` is a regression"),
        ("class_weights = [1.0, 2.0]", "`class_weights`: task `custom` is a regression"),
        ("metric_for_best_model = \"f1\"", "`metric_for_best_model`: task `custom` has no metric `f1`"),
    ] {
        let train = "[experiment.own]\ntask = \"custom\"\ntrain_file = \"train.csv\"\n";
        workspace.write("experiments.toml", &format!("{train}{key}\n"));
        let found = [workspace.error(2, &["check"]), workspace.error(2, &["train", "own"])];
        assert!(found.iter().all(|found| found.contains(error)), "{found:?}");
    }
}

#[test]
fn check_prints_labels_with_line_feeds_as_comments() {
    let workspace = Workspace::new("train_file = \"train.csv\"\n");
    let rows = (0..20)
        .map(|row| format!("a {row},\"x\n[experiment.evil]\"\nb {row},y\n"))
        .collect::<Vec<_>>()
        .concat();
    workspace.write("train.csv", &format!("text,label\n{rows}"));
    let checked = workspace.stdout(&["check"]);
    assert!(checked.contains("# 2 classes in column label: x\\n[experiment.evil], y"), "{checked}");
    workspace.write("experiments.toml", &checked);
    assert_eq!(workspace.stdout(&["check"]), checked, "the output is an experiments file");
}

#[test]
fn evaluation_of_a_run_uses_its_rows() {
    let workspace = Workspace::new("train_file = \"train.csv\"\nvalidation_file = \"dev.csv\"\n");
    workspace.write("train.csv", &csv(&rows(2)));
    workspace.write("dev.csv", &csv(&rows(1)));
    let dir = workspace.train(&["max_steps=2", "max_eval_samples=7", "seed=3"]);
    let validation = &read_json(&dir.join("summary.json"))["validation"];
    let output = workspace.run(&["eval", name_of(&dir)]);
    let scores: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&scores["examples"], &scores["max_eval_samples"]), (&json!(7), &json!(7)));
    assert_eq!(&scores["accuracy"], &validation["accuracy"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the rows that the run used (max_eval_samples = 7, seed = 3)"), "{stderr}");
    let all = workspace.json(&["eval", name_of(&dir), "--all-rows"]);
    assert_eq!((&all["examples"], &all["max_eval_samples"]), (&json!(45), &Value::Null));
}

#[test]
fn resume_on_changed_data_is_refused_unless_it_is_accepted() {
    let workspace = Workspace::new("train_file = \"train.csv\"\n");
    workspace.write("train.csv", &csv(&rows(2)));
    let dir = workspace.train(SHORT_TRAINING);
    let name = name_of(&dir);
    let summary = read_json(&dir.join("summary.json"));
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let started = events.lines().find(|line| line.contains("\"kind\":\"started\"")).unwrap();
    let started: Value = serde_json::from_str(started).unwrap();
    assert_eq!(started["data"]["train"]["rows"], 81);
    assert_eq!(started["data"]["validation"]["sha256"].as_str().unwrap().len(), 64);
    workspace.stdout(&["train", "--resume", name]);
    let mut more = rows(2);
    more.push(("the film again".into(), 0));
    workspace.write("train.csv", &csv(&more));
    let refused = workspace.error(3, &["train", "--resume", name]);
    let expected = "train.csv: the data changed: it has 91 rows, and the run was trained on 90";
    assert!(refused.contains(expected) && refused.contains("--accept-changed-data"), "{refused}");
    assert_eq!(read_json(&dir.join("summary.json"))["status"], summary["status"], "the run stays as it is");
    more.pop();
    more[0].0.push('!');
    workspace.write("train.csv", &csv(&more));
    let refused = workspace.error(3, &["train", "--resume", name]);
    assert!(refused.contains("its 90 rows differ from those"), "{refused}");
    workspace.stdout(&["train", "--resume", name, "--accept-changed-data"]);
    workspace.stdout(&["train", "--resume", name]);
    let log = std::fs::read_to_string(dir.join("log.txt")).unwrap();
    assert!(log.contains("resumes on changed data"), "{log}");
}

/// A Parquet file with texts and whole numbers as labels, compressed and with metadata.
fn write_labeled_parquet(path: &Path, texts: &[ByteArray], labels: &[i64], properties: WriterProperties) {
    let schema =
        "message schema { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; OPTIONAL INT32 extra; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let is_defined = vec![1; texts.len()];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(texts, Some(&is_defined), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(labels, Some(&is_defined), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32Type>().write_batch(&[], Some(&vec![0; texts.len()]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_has_class_names_and_every_codec() {
    let texts: Vec<ByteArray> = (0..40).map(|row| ByteArray::from(format!("row {row}").as_str())).collect();
    let labels: Vec<i64> = (0..40).map(|row| row % 2).collect();
    let features = json!({"info": {"features": {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["splendid", "awful"], "_type": "ClassLabel"},
    }}});
    let metadata = vec![KeyValue::new("huggingface".to_string(), features.to_string())];
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::BROTLI(BrotliLevel::default()),
    ] {
        let workspace = Workspace::new("train_file = \"a.parquet\"\nvalidation_file = \"dev.csv\"\n");
        workspace.write("dev.csv", "text,label\na,awful\nb,splendid\n");
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_key_value_metadata(Some(metadata.clone()));
        write_labeled_parquet(&workspace.path("a.parquet"), &texts, &labels, properties.build());
        let checked = workspace.stdout(&["check", "own"]);
        assert!(checked.contains("# 2 classes in column label: splendid, awful"), "{compression}: {checked}");
    }
}

/// The largest resident memory of a process that this one has waited for, in bytes.
#[cfg_attr(
    target_os = "linux",
    expect(clippy::unnecessary_wraps, reason = "other systems have no such number")
)]
fn peak_memory_of_children() -> Option<i64> {
    #[cfg(target_os = "linux")]
    {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        #[expect(unsafe_code, reason = "system call")]
        // SAFETY: the call writes to a value that lives until it returns, and zeros are a valid value.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
            usage.assume_init()
        };
        Some(usage.ru_maxrss * 1024)
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[test]
fn parquet_that_expands_is_read_in_little_memory() {
    let workspace = Workspace::new("train_file = \"a.parquet\"\n");
    let text = ByteArray::from("long ".repeat(200_000).as_str());
    let texts = vec![text; 1_500];
    let labels: Vec<i64> = (0..1_500).map(|row| row % 2).collect();
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    write_labeled_parquet(&workspace.path("a.parquet"), &texts, &labels, properties.build());
    assert!(std::fs::metadata(workspace.path("a.parquet")).unwrap().len() < 1 << 20);
    let dir = workspace.train(&["max_steps=1", "max_train_samples=8", "max_eval_samples=4"]);
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let started: Value =
        serde_json::from_str(events.lines().find(|line| line.contains("started")).unwrap()).unwrap();
    assert_eq!(
        (&started["data"]["train"]["rows"], &started["data"]["train"]["total_rows"]),
        (&json!(8), &json!(1350))
    );
    // The text takes 8 MB in the rows that are kept.
    let peak = peak_memory_of_children();
    assert!(peak.is_none_or(|peak| peak < 1 << 30), "{peak:?}");
}

#[test]
fn damaged_parquet_is_named_as_such() {
    let workspace = Workspace::new("train_file = \"a.parquet\"\n");
    let error = |bytes: &[u8]| {
        std::fs::write(workspace.path("a.parquet"), bytes).unwrap();
        workspace.error(3, &["check"])
    };
    write_parquet(&workspace.path("a.parquet"), &rows(1));
    let bytes = std::fs::read(workspace.path("a.parquet")).unwrap();
    let torn = error(&bytes[..bytes.len() - 9]);
    assert!(
        torn.contains("a.parquet: is not valid Parquet") && torn.contains("incomplete or damaged"),
        "{torn}"
    );
    assert!(
        error(b"text,label\na,b\n").contains("is not a Parquet file: it neither begins nor ends with PAR1")
    );
}
