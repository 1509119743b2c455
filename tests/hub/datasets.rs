//! Datasets from the hub.

use super::{Fixture, split};
use glue_tui::catalog::task;
use glue_tui::data::{self, DatasetSource, LoadContext};
use glue_tui::event::SplitName;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
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
