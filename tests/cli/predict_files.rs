//! `predict --input FILE --output FILE`: the same format with columns added.

use super::workspace::{CommandResult, Workspace, read_json, trained};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Runs `predict` on the shared model, in `workspace`.
fn predict(workspace: &Workspace, args: &[&str]) -> CommandResult {
    let (_, model) = trained();
    workspace.run(&[&["predict", model.to_str().unwrap()], args].concat())
}

fn read(workspace: &Workspace, name: &str) -> String {
    std::fs::read_to_string(workspace.path().join(name)).unwrap()
}

/// The label and the probability that `predict` prints for a text.
fn expected(text: &str) -> (String, f32) {
    let (workspace, model) = trained();
    let answer = workspace.run(&["predict", model.to_str().unwrap(), text]).success().json();
    (answer["label"].as_str().unwrap().into(), answer["probability"].as_f64().unwrap() as f32)
}

#[test]
fn csv_keeps_its_columns_and_rows() {
    let workspace = Workspace::new();
    let text = "id;text;label\n1;\"a joy; truly\";x\n2;\"two\nlines, \"\"quoted\"\"\";\n3;;y\n";
    workspace.write("in.csv", text);
    predict(&workspace, &["--input", "in.csv", "--output", "out.csv"]).success();
    let bytes = std::fs::read(workspace.path().join("out.csv")).unwrap();
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(bytes.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["id", "text", "label", "predicted_label", "probability"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let texts = ["a joy; truly", "two\nlines, \"quoted\"", ""];
    assert_eq!(rows.len(), texts.len());
    for ((row, text), (id, label)) in rows.iter().zip(texts).zip([("1", "x"), ("2", ""), ("3", "y")]) {
        assert_eq!([&row[0], &row[1], &row[2]], [id, text, label]);
        let (label, probability) = expected(text);
        assert_eq!(row[3], label);
        assert!((row[4].parse::<f32>().unwrap() - probability).abs() < 1e-6, "{row:?}, {probability}");
    }
}

#[test]
fn tab_separated_files_keep_their_quotes() {
    let workspace = Workspace::new();
    workspace.write("in.tsv", "sentence\tother\n\"open quote\t1\nplain\t\"2\"\n");
    let result = predict(&workspace, &["--input", "in.tsv"]).success();
    let lines: Vec<&str> = result.stdout.lines().collect();
    assert_eq!(lines[0], "sentence\tother\tlabel\tprobability");
    assert!(lines[1].starts_with("\"open quote\t1\t") && lines[2].starts_with("plain\t\"2\"\t"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    // The extension of the input is good enough for the output.
    workspace.write("tabs.csv", "sentence\tother\nfine\t1\n");
    predict(&workspace, &["--input", "tabs.csv", "--output", "out.csv"]).success();
    assert!(read(&workspace, "out.csv").starts_with("sentence\tother\tlabel\tprobability\nfine\t1\t"));
}

#[test]
fn json_keeps_the_text_of_its_objects() {
    let workspace = Workspace::new();
    workspace.write(
        "in.jsonl",
        "{\"text\": \"a joy\", \"more\": [1, 1e400, {\"a\": null}] }\n\n{\"text\":null}\r\n",
    );
    predict(&workspace, &["--input", "in.jsonl", "--output", "out.jsonl"]).success();
    let text = read(&workspace, "out.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("{\"text\": \"a joy\", \"more\": [1, 1e400, {\"a\": null}],\"label\":\""),
        "{text}"
    );
    assert!(lines[1].starts_with("{\"text\":null,\"label\":\"") && lines.len() == 2, "{text}");

    workspace.write(
        "in.json",
        "[\n {\"text\": \"a joy\",\n  \"id\": 3},\n {\"text\": \"a bore\", \"label\": 1}\n]",
    );
    predict(&workspace, &["--input", "in.json", "--output", "out.json"]).success();
    let rows: Value = serde_json::from_str(&read(&workspace, "out.json")).unwrap();
    let keys = |row: usize| rows[row].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(0), ["text", "id", "predicted_label", "probability"]);
    assert_eq!(keys(1), ["text", "label", "predicted_label", "probability"]);
    assert_eq!((&rows[0]["id"], &rows[1]["predicted_label"]), (&3.into(), &expected("a bore").0.into()));
}

#[test]
fn compressed_files_are_read_and_written() {
    let workspace = Workspace::new();
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Latin-1, as Excel writes it in Western Europe; the copy is UTF-8.
    file.write_all(b"text\ncaf\xe9 cr\xe8me tr\xe8s agr\xe9able\n").unwrap();
    std::fs::write(workspace.path().join("in.csv.gz"), file.finish().unwrap()).unwrap();
    predict(&workspace, &["--input", "in.csv.gz", "--output", "out.csv.gz"]).success();
    let bytes = File::open(workspace.path().join("out.csv.gz")).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("text,label,probability\ncafé crème très agréable,"), "{text}");
}

fn write_parquet(path: &Path) {
    let schema = "message m { required binary text (STRING); optional group tags (LIST) { repeated group list { \
                  optional binary element (STRING); } } required int64 label; }";
    let pairs = vec![
        KeyValue::new("ARROW:schema".to_string(), "of three columns".to_string()),
        KeyValue::new("mine".to_string(), "kept".to_string()),
    ];
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_key_value_metadata(Some(pairs))
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for (texts, label) in [(["a joy", "a bore"], 1), (["", "not bad"], 2)] {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts.map(ByteArray::from), None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        // The tags [x, null] and null.
        column
            .typed::<ByteArrayType>()
            .write_batch(&["x".into()], Some(&[3, 2, 0]), Some(&[0, 1, 0]))
            .unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[label, -label], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn parquet_keeps_every_column_and_row_group() {
    let workspace = Workspace::new();
    let [input, output] = ["in.parquet", "out.parquet"].map(|name| workspace.path().join(name));
    write_parquet(&input);
    predict(&workspace, &["--input", "in.parquet", "--output", "out.parquet"]).success();
    let rows = |path: &Path| -> Vec<BTreeMap<String, Field>> {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let row = |row: Row| row.into_columns().into_iter().collect();
        reader.get_row_iter(None).unwrap().map(|found| row(found.unwrap())).collect()
    };
    let (before, after) = (rows(&input), rows(&output));
    assert_eq!(after.len(), 4);
    for (before, after) in before.iter().zip(&after) {
        let Field::Str(text) = &before["text"] else { panic!("{before:?}") };
        let (label, probability) = expected(text);
        let mut kept = after.clone();
        assert_eq!(kept.remove("predicted_label"), Some(Field::Str(label)));
        let Some(Field::Float(found)) = kept.remove("probability") else { panic!("{after:?}") };
        assert!((found - probability).abs() < 1e-6, "{found}, {probability}");
        assert_eq!(&kept, before);
    }
    let reader = SerializedFileReader::new(File::open(&output).unwrap()).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 2);
    let keys: Vec<&str> =
        metadata.file_metadata().key_value_metadata().unwrap().iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["mine"]);
}

#[test]
fn text_columns_are_given_or_found() {
    let workspace = Workspace::new();
    workspace.write("in.csv", "a,b,probability\nfine,dull,0\n");
    let error = predict(&workspace, &["--input", "in.csv", "--output", "out.csv"]).failure(3);
    assert!(
        error.contains("--text-column") && error.contains("its columns are a, b, probability"),
        "{error}"
    );
    let result = predict(&workspace, &["--input", "in.csv", "--text-column", "b"]).success();
    assert!(
        result.stdout.starts_with("a,b,probability,label,predicted_probability\nfine,dull,0,"),
        "{}",
        result.stdout
    );
    let error = predict(&workspace, &["--input", "in.csv", "--text-column", "c"]).failure(3);
    assert!(error.contains("has no column c"), "{error}");
    let both = ["--input", "in.csv", "--text-column", "a", "--text-pair-column", "b"];
    assert!(predict(&workspace, &both).failure(2).contains("single text"));
}

#[test]
fn the_copy_is_complete_or_absent() {
    let workspace = Workspace::new();
    workspace.write("in.csv", "text,n\ngood,1\nbad\n");
    workspace.write("out.csv", "before\n");
    let error = predict(&workspace, &["--input", "in.csv", "--output", "out.csv"]).failure(3);
    assert!(error.contains("in.csv:3:"), "{error}");
    assert_eq!(read(&workspace, "out.csv"), "before\n");
    workspace.write("in.csv", "text\n");
    predict(&workspace, &["--input", "in.csv", "--output", "out.csv"]).success();
    assert_eq!(read(&workspace, "out.csv"), "text,label,probability\n");
    for (output, problem) in [
        ("in.csv", "is the input"),
        (".", "is a folder"),
        ("out.jsonl", "another format"),
        ("no/out.csv", "does not exist"),
    ] {
        let error = predict(&workspace, &["--input", "in.csv", "--output", output]).failure(2);
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(predict(&workspace, &["--output", "out.csv"]).code, Some(2));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("out.csv", workspace.path().join("link.csv")).unwrap();
        workspace.write("in.csv", "text\ngood\n");
        predict(&workspace, &["--input", "in.csv", "--output", "link.csv"]).success();
        assert!(
            read(&workspace, "out.csv").contains("good") && workspace.path().join("link.csv").is_symlink()
        );
        // A device is written to, not replaced.
        let result = predict(&workspace, &["--input", "in.csv", "--output", "/dev/stdout"]).success();
        assert!(result.stdout.starts_with("text,label,probability\ngood,"), "{}", result.stdout);
    }
    assert_eq!(predict(&workspace, &["a text", "--input", "in.csv"]).code, Some(2));
}

#[test]
fn multi_label_models_add_a_list_and_a_probability_for_each_label() {
    let (_, run) = trained();
    let workspace = Workspace::new();
    let model = workspace.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(run.join("best")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let mut config = read_json(&model.join("config.json"));
    config["problem_type"] = "multi_label_classification".into();
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    workspace.write("in.jsonl", "{\"text\": \"a joy\"}\n");
    let text = workspace.run(&["predict", "./model", "--input", "in.jsonl"]).success().json();
    let answer = workspace.run(&["predict", "./model", "a joy"]).success().json();
    let keys: Vec<&String> = text.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["text", "labels", "probability_negative", "probability_positive"]);
    assert_eq!(text["labels"], answer["labels"]);
    for label in ["negative", "positive"] {
        let number = |value: &Value| value.as_f64().unwrap();
        let difference =
            number(&text[format!("probability_{label}")]) - number(&answer["probabilities"][label]);
        assert!(difference.abs() < 1e-6, "{text}, {answer}");
    }
    workspace.write("in.csv", "text\na joy\n");
    let csv = workspace.run(&["predict", "./model", "--input", "in.csv"]).success().stdout;
    let quoted = answer["labels"].to_string().replace('"', "\"\"");
    assert!(csv.starts_with("text,labels,probability_negative,") && csv.contains(&quoted), "{csv}");
}
