//! Datasets from the hub.

use super::{Fixture, split};
use glue_tui::catalog::task;
use glue_tui::data::{self, DatasetSource, LoadContext};
use glue_tui::event::SplitName;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A Parquet file with the columns of GLUE's SST-2.
fn parquet(rows: &[(&str, i64)]) -> Vec<u8> {
    let schema =
        parse_message_type("message schema { REQUIRED BYTE_ARRAY sentence (UTF8); REQUIRED INT64 label; }")
            .unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.0)).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
    column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// A Parquet file with the columns of a configuration of GLUE: texts, then `label` and `idx`. Labels of STS-B are floats.
pub(super) fn glue_parquet(texts: &[&str], label: &str, labels: &[f32]) -> Vec<u8> {
    let columns: Vec<String> =
        texts.iter().map(|name| format!("OPTIONAL BYTE_ARRAY {name} (UTF8); ")).collect();
    let schema =
        format!("message schema {{ {}OPTIONAL {label} label; OPTIONAL INT32 idx; }}", columns.concat());
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let defined = vec![1; labels.len()];
    let mut number = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        match number {
            at if at < texts.len() => {
                let rows = (0..labels.len()).map(|row| format!("{} {row}", texts[at]));
                let values: Vec<ByteArray> = rows.map(|text| ByteArray::from(text.as_str())).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&defined), None).unwrap();
            }
            at if at == texts.len() && label == "FLOAT" => {
                column.typed::<FloatType>().write_batch(labels, Some(&defined), None).unwrap();
            }
            at if at == texts.len() => {
                let values: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&defined), None).unwrap();
            }
            _ => {
                let values: Vec<i32> = (0..labels.len() as i32).collect();
                column.typed::<Int32Type>().write_batch(&values, Some(&defined), None).unwrap();
            }
        }
        column.close().unwrap();
        number += 1;
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// The configurations of the hub's GLUE, with their text columns and their splits other than those of most.
const CONFIGURATIONS: [(&str, &[&str], &[&str]); 10] = [
    ("cola", &["sentence"], &[]),
    ("sst2", &["sentence"], &[]),
    ("mrpc", &["sentence1", "sentence2"], &[]),
    ("stsb", &["sentence1", "sentence2"], &[]),
    ("qqp", &["question1", "question2"], &[]),
    (
        "mnli",
        &["premise", "hypothesis"],
        &["train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"],
    ),
    ("qnli", &["question", "sentence"], &[]),
    ("rte", &["sentence1", "sentence2"], &[]),
    ("wnli", &["sentence1", "sentence2"], &[]),
    ("ax", &["premise", "hypothesis"], &["test"]),
];

#[test]
fn every_split_of_glue_is_read_from_the_hub() {
    let fixture = Fixture::new();
    let mut files: Vec<(String, Vec<u8>)> = vec![("README.md".into(), Vec::new())];
    for (config, texts, splits) in CONFIGURATIONS {
        let splits = if splits.is_empty() { &["train", "validation", "test"][..] } else { splits };
        let label = if config == "stsb" { "FLOAT" } else { "INT64" };
        for split in splits {
            let labels: &[f32] = if split.starts_with("test") { &[-1.0; 3] } else { &[1.0, 0.0] };
            let name = format!("{config}/{split}-00000-of-00001.parquet");
            files.push((name, glue_parquet(texts, label, labels)));
        }
    }
    // Folders that the repository has beside those of MNLI's splits.
    for config in ["mnli_matched", "mnli_mismatched"] {
        for split in ["validation", "test"] {
            let name = format!("{config}/{split}-00000-of-00001.parquet");
            files.push((name, glue_parquet(&["premise", "hypothesis"], "INT64", &[2.0])));
        }
    }
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    fixture.mock.add("datasets/nyu-mll/glue@main", &files);
    let hub = fixture.hub();
    let cancelled = AtomicBool::new(false);
    for (config, texts, _) in CONFIGURATIONS {
        let task = task(config).unwrap();
        for split in task.splits {
            let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled };
            let rows =
                data::load_split(DatasetSource::for_task(task, None), split.name, &mut context).unwrap();
            let labeled = rows.iter().filter(|row| row.label.is_some()).count();
            let expected = if split.name.is_required() { (2, 2) } else { (3, 0) };
            assert_eq!((rows.len(), labeled), expected, "{config} {}", split.name.name());
            assert_eq!(rows[1].text, format!("{} 1", texts[0]), "{config}");
            assert_eq!(rows[1].text_pair, texts.get(1).map(|name| format!("{name} 1")), "{config}");
        }
    }
    fixture.mock.requests();
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled };
    let mnli = data::load(DatasetSource::for_task(task("mnli").unwrap(), None), &mut context).unwrap();
    assert_eq!(
        mnli.splits.keys().map(|split| split.name()).collect::<Vec<_>>(),
        ["train", "validation", "validation_mismatched"]
    );
}

#[test]
fn dataset_is_loaded_from_the_hub_with_all_shards() {
    let fixture = Fixture::new();
    let commit = fixture.mock.add(
        "datasets/nyu-mll/glue@main",
        &[
            ("README.md", vec![]),
            ("qqp/train-00000-of-00001.parquet", vec![0; 9]),
            ("sst2/test-00000-of-00001.parquet", parquet(&[("t", -1)])),
            ("sst2/train-00000-of-00002.parquet", parquet(&[("good", 1), ("bad", 0)])),
            ("sst2/train-00001-of-00002.parquet", parquet(&[("worse", 0)])),
            ("sst2/validation-00000-of-00001.parquet", parquet(&[("fine", 1)])),
        ],
    );
    let hub = fixture.hub();
    let load = || {
        let mut context =
            LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &AtomicBool::new(false) };
        data::load(DatasetSource::for_task(task("sst2").unwrap(), None), &mut context).unwrap()
    };
    let sst2 = load();
    let train: Vec<_> =
        sst2.train().iter().map(|row| (row.text.as_str(), row.label.clone().unwrap().class())).collect();
    assert_eq!(train, [("good", Some(1)), ("bad", Some(0)), ("worse", Some(0))]);
    assert_eq!((sst2.validation().len(), sst2.test(), sst2.commit.as_ref()), (1, &[][..], Some(&commit)));
    assert!(!fixture.mock.requests().iter().any(|request| request.path.contains("qqp")));
    assert_eq!(load(), sst2);
    assert!(fixture.mock.requests().is_empty());
    let e = split(&hub, "nyu-mll/glue", "cola", SplitName::Train).unwrap_err().to_string();
    assert!(e.starts_with("nyu-mll/glue: "), "{e}");
}

#[test]
fn converted_files_are_used_without_parquet_on_main() {
    let fixture = Fixture::new();
    fixture.mock.add("datasets/stanfordnlp/sst@main", &[("sst.py", vec![]), ("data/trees.zip", vec![])]);
    let commit = fixture.mock.add(
        "datasets/stanfordnlp/sst@refs/convert/parquet",
        &[
            ("default/train/0000.parquet", b"one".to_vec()),
            ("default/train/0001.parquet", b"two".to_vec()),
            ("default/train/index.duckdb", b"x".to_vec()),
            ("ptb/train/0000.parquet", b"x".to_vec()),
            ("ptb/validation/0000.parquet", b"x".to_vec()),
        ],
    );
    let hub = fixture.hub();
    let train = split(&hub, "stanfordnlp/sst", "default", SplitName::Train).unwrap();
    assert_eq!(train.commit, commit);
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    assert_eq!(train.files.iter().map(read).collect::<Vec<_>>(), ["one", "two"]);
    let none = split(&hub, "stanfordnlp/sst", "default", SplitName::Test).unwrap();
    assert!(none.files.is_empty());
    fixture.mock.requests();
    assert_eq!(split(&hub, "stanfordnlp/sst", "default", SplitName::Train).unwrap(), train);
    assert!(fixture.mock.requests().is_empty());
}
