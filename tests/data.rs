//! Loading of datasets: the published files of the tasks, generated Parquet files, and invalid files.

use glue_tui::batch::Label;
use glue_tui::catalog::{Task, task};
use glue_tui::data::{self, Dataset, DatasetSource, Example, LoadContext};
use glue_tui::event::SplitName;
use glue_tui::hub::{Hub, HubConfig};
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A hub with an empty cache and without the network.
fn offline_hub() -> Hub {
    Hub::new(HubConfig { offline: true, cache_dir: PathBuf::from("/nonexistent"), ..HubConfig::from_env() })
}

fn load(name: &str, folder: Option<&Path>) -> glue_tui::error::Result<Dataset> {
    let hub = offline_hub();
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &AtomicBool::new(false) };
    data::load(DatasetSource::for_task(find_task(name), folder), &mut context)
}

fn load_split(name: &str, split: SplitName, folder: &Path) -> glue_tui::error::Result<Vec<Example>> {
    let hub = offline_hub();
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &AtomicBool::new(false) };
    data::load_split(DatasetSource::for_task(find_task(name), Some(folder)), split, &mut context)
}

fn find_task(name: &str) -> &'static Task {
    task(name).unwrap()
}

/// The folder of the published data files, or `None` and a message if it does not exist.
fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("GLUE_TUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = root.join("data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no published data files at {} (set GLUE_TUI_SHARED)", folder.display());
    None
}

/// The number of rows, of rows of class 0, and of rows of class 1.
fn counts(rows: &[Example]) -> (usize, usize, usize) {
    let of = |class| rows.iter().filter(|row| row.label == Some(Label::Class(class))).count();
    (rows.len(), of(0), of(1))
}

#[test]
fn sst_has_the_published_sentences() {
    let Some(shared) = shared() else { return };
    let sst = load("sst", Some(&shared.join("SST"))).unwrap();
    assert_eq!(counts(sst.train()), (8544, 1092 + 2218 + 1624, 2322 + 1288));
    assert_eq!(counts(sst.validation()), (1101, 139 + 289 + 229, 279 + 165));
    assert!(sst.test().is_empty());
    assert_eq!(sst.labels.names(), ["negative", "positive"]);
    assert!(sst.notes.iter().any(|note| note.contains("class 2")), "{:?}", sst.notes);
    assert_eq!(sst.validation()[0].text, "It 's a lovely film with lovely performances by Buy and Accorsi .");
    assert_eq!(sst.validation()[0].label, Some(Label::Class(1)));
    assert!(sst.train().iter().any(|row| row.text.contains("-LRB-")));
    assert!(
        sst.train().iter().any(|row| row.text.contains("8\u{a0}1\\/2")),
        "a no-break space does not end a word"
    );
}

#[test]
fn sst2_has_the_published_rows_and_an_unlabeled_test_split() {
    let Some(shared) = shared() else { return };
    let sst2 = load("sst2", Some(&shared.join("SST-2"))).unwrap();
    assert_eq!(counts(sst2.train()), (67_349, 29_780, 37_569));
    assert_eq!(counts(sst2.validation()), (872, 428, 444));
    assert!(sst2.test().is_empty());
    let expected = "the test split is not scored: 1821 of 1821 rows without a label";
    assert!(sst2.notes.iter().any(|note| note == expected), "{:?}", sst2.notes);
    assert!(sst2.train()[0].text.ends_with(' '), "a trailing space is kept");
    let test = load_split("sst2", SplitName::Test, &shared.join("SST-2")).unwrap();
    assert_eq!(counts(&test), (1821, 0, 0));
    assert_eq!(test[0].text, "uneasy mishmash of styles and genres .");
}

#[test]
fn qqp_is_found_in_the_folder_of_all_tasks() {
    let Some(shared) = shared() else { return };
    let qqp = load("qqp", Some(&shared)).unwrap();
    assert_eq!(counts(qqp.train()), (22_907, 14_379, 8_528));
    assert_eq!(counts(qqp.validation()), (4_999, 3_088, 1_911));
    assert!(qqp.test().is_empty());
    assert!(qqp.train().iter().all(|row| row.text_pair.is_some()));
    let quoted = qqp.train().iter().filter(|row| row.text.starts_with('"')).count();
    assert!(quoted > 0, "quotes are ordinary text");
    let first = &qqp.validation()[0];
    assert_eq!(first.text_pair.as_deref(), Some("What is the step by step guide to invest in share market?"));
}

#[test]
fn labeled_cola_files_have_no_header() {
    let Some(shared) = shared() else { return };
    let cola = load("cola", Some(&shared)).unwrap();
    assert_eq!(counts(cola.train()), (8_551, 2_528, 6_023));
    assert_eq!(counts(cola.validation()), (1_043, 322, 721), "the last row has no newline");
    assert_eq!(cola.labels.names(), ["unacceptable", "acceptable"]);
    assert!(cola.test().is_empty());
    let first = "Our friends won't buy this analysis, let alone the next one we propose.";
    assert_eq!(
        (cola.train()[0].text.as_str(), cola.train()[0].label.clone()),
        (first, Some(Label::Class(1)))
    );
    let test = load_split("cola", SplitName::Test, &shared).unwrap();
    assert_eq!((counts(&test), test[0].text.as_str()), ((1_063, 0, 0), "Bill whistled past the house."));
}

#[test]
fn mrpc_begins_with_a_byte_order_mark_and_its_quotes_are_text() {
    let Some(shared) = shared() else { return };
    let mrpc = load("mrpc", Some(&shared)).unwrap();
    assert_eq!(counts(mrpc.train()), (3_668, 1_194, 2_474));
    assert_eq!(counts(mrpc.validation()), (408, 129, 279));
    let second = mrpc.validation()[0].text_pair.as_deref().unwrap();
    assert_eq!(second, "\"The foodservice pie business does not fit our long-term growth strategy.");
    let test = load_split("mrpc", SplitName::Test, &shared).unwrap();
    assert_eq!(counts(&test), (1_725, 0, 0));
}

#[test]
fn classes_of_rte_and_wnli_have_the_order_of_the_hub() {
    let Some(shared) = shared() else { return };
    let rte = load("rte", Some(&shared)).unwrap();
    assert_eq!(rte.labels.names(), ["entailment", "not_entailment"]);
    assert_eq!(counts(rte.train()), (2_490, 1_249, 1_241));
    assert_eq!(counts(rte.validation()), (277, 146, 131));
    assert_eq!(counts(&load_split("rte", SplitName::Test, &shared).unwrap()), (3_000, 0, 0));
    let wnli = load("wnli", Some(&shared)).unwrap();
    assert_eq!(wnli.labels.names(), ["not_entailment", "entailment"]);
    assert_eq!(counts(wnli.train()), (635, 323, 312));
    assert_eq!(counts(wnli.validation()), (71, 40, 31));
    assert!(wnli.notes.iter().any(|note| note.contains("56.3 %")), "{:?}", wnli.notes);
    assert_eq!(counts(&load_split("wnli", SplitName::Test, &shared).unwrap()), (146, 0, 0));
}

#[test]
fn split_loads_without_the_other_splits() {
    let Some(shared) = shared() else { return };
    let validation = load_split("qnli", SplitName::Validation, &shared).unwrap();
    assert_eq!(counts(&validation), (5_463, 2_702, 2_761));
    assert_eq!(validation[0].text, "What came into force after the new constitution was herald?");
    assert_eq!(counts(&load_split("qnli", SplitName::Test, &shared).unwrap()), (5_463, 0, 0));
    let e = load("qnli", Some(&shared)).unwrap_err();
    assert_eq!(e.exit_code(), 3);
    let e = e.to_string();
    assert!(e.contains("has no train split of task qnli") && e.contains("train.tsv"), "{e}");
}

#[test]
fn mnli_has_two_validation_splits() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[(&str, &str)]| {
        let mut text = "index\tsentence1\tsentence2\tlabel1\tgold_label\n".to_string();
        for (number, (hypothesis, label)) in rows.iter().enumerate() {
            text.push_str(&format!("{number}\ta premise\t{hypothesis}\tneutral\t{label}\n"));
        }
        std::fs::write(folder.path().join(name), text.trim_end()).unwrap();
    };
    write("train.tsv", &[("a", "entailment"), ("b", "neutral"), ("\"c", "contradiction")]);
    write("dev_matched.tsv", &[("d", "contradiction")]);
    let e = load("mnli", Some(folder.path())).unwrap_err().to_string();
    assert!(e.contains("validation_mismatched split") && e.contains("dev_mismatched.tsv"), "{e}");
    write("dev_mismatched.tsv", &[("e", "neutral"), ("f", "entailment")]);
    std::fs::write(folder.path().join("test_matched.tsv"), "index\tsentence1\tsentence2\n0\ta\tb\n").unwrap();
    let mnli = load("mnli", Some(folder.path())).unwrap();
    let texts_and_labels = |rows: &[Example]| {
        rows.iter()
            .map(|row| (row.text_pair.clone().unwrap(), row.label.clone().unwrap().class().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(texts_and_labels(mnli.train()), [("a".into(), 0), ("b".into(), 1), ("\"c".into(), 2)]);
    assert_eq!(texts_and_labels(mnli.validation()), [("d".into(), 2)]);
    assert_eq!(
        texts_and_labels(mnli.split(SplitName::ValidationMismatched)),
        [("e".into(), 1), ("f".into(), 0)]
    );
    assert!(mnli.notes.iter().any(|note| note.contains("1 of 1 row without")), "{:?}", mnli.notes);
    let test = "index\tsentence1\tsentence2\n0\ta\tb\n1\tc\td\n";
    std::fs::write(folder.path().join("test_mismatched.tsv"), test).unwrap();
    let rows = load_split("mnli", SplitName::TestMismatched, folder.path()).unwrap();
    assert_eq!((rows.len(), rows[1].text_pair.as_deref(), rows[1].label.clone()), (2, Some("d"), None));
    assert_eq!(load("mnli", Some(folder.path())).unwrap(), mnli, "a training does not read it");
}

#[test]
fn diagnostic_examples_are_read_with_and_without_labels() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("diagnostic");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("diagnostic-full.tsv"),
        "Lexical Semantics\tLogic\tDomain\tPremise\tHypothesis\tLabel\nx\ty\tz\ta \"b\tc\tneutral\n",
    )
    .unwrap();
    let rows = load_split("ax", SplitName::Test, home.path()).unwrap();
    assert_eq!((rows[0].text.as_str(), rows[0].label.clone()), ("a \"b", Some(Label::Class(1))));
    std::fs::write(folder.join("diagnostic.tsv"), "index\tsentence1\tsentence2\n0\td\te\n").unwrap();
    let rows = load_split("ax", SplitName::Test, home.path()).unwrap();
    assert_eq!((rows[0].text_pair.as_deref(), rows[0].label.clone()), (Some("e"), None));
    let missing = load_split("ax", SplitName::Test, &folder.join("none")).unwrap_err().to_string();
    assert!(missing.contains("does not exist") && missing.contains("diagnostic.tsv"), "{missing}");
}

#[test]
fn stsb_has_regression_targets() {
    let Some(shared) = shared() else { return };
    let stsb = load("stsb", Some(&shared)).unwrap();
    assert_eq!(stsb.labels.names(), ["LABEL_0"]);
    assert_eq!((stsb.train().len(), stsb.validation().len(), stsb.test()), (5_749, 1_500, &[][..]));
    let values = |rows: &[Example]| -> Vec<f32> {
        let value = |row: &Example| match row.label.clone() {
            Some(Label::Value(value)) => value,
            other => panic!("{other:?}"),
        };
        rows.iter().map(value).collect()
    };
    for (rows, mean) in [(stsb.train(), 2.701), (stsb.validation(), 2.364)] {
        let values = values(rows);
        assert!(values.contains(&0.0) && values.contains(&5.0));
        let found = values.iter().sum::<f32>() / values.len() as f32;
        assert!((found - mean).abs() < 1e-3, "{found}");
    }
    assert_eq!(stsb.train()[1].text, "A man is playing a large flute.");
    assert_eq!(
        (stsb.train()[1].text_pair.as_deref(), stsb.train()[1].label.clone()),
        (Some("A man is playing a flute."), Some(Label::Value(3.8)))
    );
    let expected = "the test split is not scored: 1379 of 1379 rows without a label";
    assert!(stsb.notes.iter().any(|note| note == expected), "{:?}", stsb.notes);
}

#[test]
fn target_outside_the_scale_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &str| {
        let text = format!("index\tsentence1\tsentence2\tscore\n{rows}");
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("dev.tsv", "0\ta\tb\t4.75\n");
    for (cell, expected) in [
        ("5.001", "label \"5.001\" should be a number from 0 to 5"),
        ("NaN", "should be a number from 0 to 5"),
        ("none", "should be a number from 0 to 5"),
        ("-1", "has no label (-1)"),
    ] {
        write("train.tsv", &format!("0\ta\tb\t0\n1\ta\tb\t{cell}\n"));
        let error = load("stsb", Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("train.tsv:3: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn embedded_tasks_take_no_folder() {
    for name in ["demo", "demo-pairs"] {
        let demo = load(name, None).unwrap();
        for rows in [demo.train(), demo.validation(), demo.test()] {
            let (all, zero, one) = counts(rows);
            assert!(zero > 0 && one > 0 && zero + one == all, "{name}: {zero} + {one} of {all}");
            assert!(rows.iter().all(|row| row.text_pair.is_some() == (name == "demo-pairs")));
        }
        let e = load(name, Some(Path::new("."))).unwrap_err().to_string();
        assert!(e.contains("takes no data_dir"), "{e}");
    }
}

#[test]
fn missing_split_is_reported_with_the_expected_files() {
    let folder = tempfile::tempdir().unwrap();
    let e = load("sst2", Some(folder.path())).unwrap_err();
    assert_eq!(e.exit_code(), 3);
    let e = e.to_string();
    assert!(e.contains("train.tsv") && e.contains("train*.parquet") && e.contains("SST-2"), "{e}");
    let e = load("sst", Some(&folder.path().join("none"))).unwrap_err().to_string();
    assert!(e.contains("none: does not exist") && e.contains("train.txt"), "{e}");
    std::fs::write(folder.path().join("train.tsv"), "sentence\tlabel\n").unwrap();
    let e = load("sst2", Some(folder.path())).unwrap_err().to_string();
    assert!(e.contains("train.tsv: has no rows"), "{e}");
}

#[test]
fn invalid_row_is_reported_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("train.tsv", "sentence\tlabel\ngood\t1\nbad\t0\n");
    write("dev.tsv", "sentence\tlabel\ngood\t1\nbad\tzero\n");
    let e = load("sst2", Some(folder.path())).unwrap_err().to_string();
    let dev = folder.path().join("dev.tsv");
    assert_eq!(e, format!("{}:3: label \"zero\" should be 0 (negative) or 1 (positive)", dev.display()));
    write("dev.txt", "(3 (2 a) (2 b))\n(3 (2 a) (2 b)\n");
    let e = load_split("sst", SplitName::Validation, folder.path()).unwrap_err().to_string();
    assert!(e.ends_with("dev.txt:2: column 15: the line ends with 1 open bracket"), "{e}");
}

type Fill<'a> = &'a dyn Fn(usize, &mut SerializedColumnWriter<'_>);

/// Writes a Parquet file; `fill` writes each column by its index.
fn write_parquet(path: &Path, schema: &str, fill: Fill<'_>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut number = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        fill(number, &mut column);
        column.close().unwrap();
        number += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn texts(column: &mut SerializedColumnWriter<'_>, values: &[&str]) {
    let values: Vec<ByteArray> = values.iter().map(|text| ByteArray::from(*text)).collect();
    column.typed::<ByteArrayType>().write_batch(&values, Some(&vec![1; values.len()]), None).unwrap();
}

fn longs(column: &mut SerializedColumnWriter<'_>, values: &[i64]) {
    column.typed::<Int64Type>().write_batch(values, Some(&vec![1; values.len()]), None).unwrap();
}

const SST2: &str =
    "message schema { OPTIONAL BYTE_ARRAY sentence (UTF8); OPTIONAL INT64 label; OPTIONAL INT32 idx; }";

fn write_sst2(path: &Path, rows: &[(&str, i64)]) {
    write_parquet(path, SST2, &|number, column| match number {
        0 => texts(column, &rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        1 => longs(column, &rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        _ => {
            let values: Vec<i32> = (0..rows.len() as i32).collect();
            column.typed::<Int32Type>().write_batch(&values, Some(&vec![1; rows.len()]), None).unwrap();
        }
    });
}

#[test]
fn parquet_shards_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("sst2").join(name);
    write_sst2(&at("train-00001-of-00002.parquet"), &[("third", 0)]);
    write_sst2(&at("train-00000-of-00002.parquet"), &[("first", 1), ("\"second\" é", 0)]);
    write_sst2(&at("validation-00000-of-00001.parquet"), &[("v", 1)]);
    write_sst2(&at("test-00000-of-00001.parquet"), &[("t", -1), ("u", -1)]);
    let other = folder.path().join("cola/train-00000-of-00001.parquet");
    write_sst2(&other, &[("of another configuration", 1)]);
    let sst2 = load("sst2", Some(folder.path())).unwrap();
    let train: Vec<_> = sst2
        .train()
        .iter()
        .map(|row| (row.text.as_str(), row.label.as_ref().and_then(Label::class)))
        .collect();
    assert_eq!(train, [("first", Some(1)), ("\"second\" é", Some(0)), ("third", Some(0))]);
    assert_eq!((sst2.validation().len(), sst2.test()), (1, &[][..]));
    assert!(sst2.notes.iter().any(|note| note.contains("2 of 2 rows")), "{:?}", sst2.notes);
}

/// The format of STS-B on the hub, whose test split has -1 for every score.
#[test]
fn parquet_numbers_are_regression_targets() {
    let folder = tempfile::tempdir().unwrap();
    let schema =
        "message schema { OPTIONAL BYTE_ARRAY sentence1 (UTF8); OPTIONAL BYTE_ARRAY sentence2 (UTF8);
        OPTIONAL FLOAT label; }";
    let write = |split: &str, values: &[f32]| {
        let path = folder.path().join("stsb").join(format!("{split}-00000-of-00001.parquet"));
        write_parquet(&path, schema, &|number, column| match number {
            2 => {
                let levels = vec![1; values.len()];
                column.typed::<FloatType>().write_batch(values, Some(&levels), None).unwrap();
            }
            _ => texts(column, &vec!["a"; values.len()]),
        });
    };
    write("train", &[3.8, 0.0, 5.0]);
    write("validation", &[2.0]);
    write("test", &[-1.0]);
    let stsb = load("stsb", Some(folder.path())).unwrap();
    let found: Vec<_> = stsb.train().iter().map(|row| row.label.clone().unwrap()).collect();
    assert_eq!(found, [3.8, 0.0, 5.0].map(Label::Value));
    assert_eq!((stsb.validation()[0].label.clone(), stsb.test()), (Some(Label::Value(2.0)), &[][..]));
    write("train", &[5.5]);
    let error = load("stsb", Some(folder.path())).unwrap_err().to_string();
    assert!(error.ends_with("row 1: column label is 5.5; it should be a number from 0 to 5"), "{error}");
}

#[test]
fn scores_strictly_above_the_threshold_are_positive() {
    let folder = tempfile::tempdir().unwrap();
    let schema = "message schema { OPTIONAL BYTE_ARRAY sentence (UTF8); OPTIONAL FLOAT label; }";
    let write = |name: &str, scores: &[f32]| {
        write_parquet(&folder.path().join(name), schema, &|number, column| {
            if number == 0 {
                texts(column, &vec!["a"; scores.len()]);
            } else {
                let levels = vec![1; scores.len()];
                column.typed::<FloatType>().write_batch(scores, Some(&levels), None).unwrap();
            }
        });
    };
    write("train.parquet", &[0.0, 0.49, 0.5, 0.51, 1.0]);
    write("validation.parquet", &[0.5]);
    let sst = load("sst", Some(folder.path())).unwrap();
    assert_eq!(
        sst.train().iter().map(|row| row.label.as_ref().and_then(Label::class)).collect::<Vec<_>>(),
        [0, 0, 0, 1, 1].map(Some)
    );
    assert!(!sst.notes.iter().any(|note| note.contains("class 2")), "exact scores need no note");
    write("train.parquet", &[0.2, 1.5]);
    let e = load("sst", Some(folder.path())).unwrap_err().to_string();
    assert!(e.contains("train.parquet: row 2: column label is 1.5"), "{e}");
}

#[test]
fn invalid_parquet_file_is_reported_with_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("train.parquet");
    write_parquet(
        &train,
        "message schema { OPTIONAL BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; }",
        &|n, c| {
            if n == 0 { texts(c, &["a"]) } else { longs(c, &[1]) }
        },
    );
    let error = || load("sst2", Some(folder.path())).unwrap_err().to_string();
    assert!(
        error().ends_with("train.parquet: has no column sentence; its columns are text, label"),
        "{}",
        error()
    );

    write_parquet(&train, SST2, &|number, column| match number {
        0 => {
            let value = [ByteArray::from("a")];
            column.typed::<ByteArrayType>().write_batch(&value, Some(&[1, 0]), None).unwrap();
        }
        1 => longs(column, &[1, 1]),
        _ => {
            column.typed::<Int32Type>().write_batch(&[0, 1], Some(&[1, 1]), None).unwrap();
        }
    });
    assert!(error().contains("row 2: column sentence is null"), "{}", error());

    write_sst2(&train, &[("a", 1), ("b", 7)]);
    assert!(error().contains("row 2: column label is 7; it should be 0 (negative)"), "{}", error());
    write_sst2(&train, &[("a", -1)]);
    assert!(error().contains("row 1: column label has no label"), "{}", error());
    std::fs::write(&train, "<html>not found</html>").unwrap();
    assert!(error().contains("is not valid Parquet"), "{}", error());

    // A column that is not read may have a type that the crate does not support.
    let schema = "message schema { OPTIONAL BYTE_ARRAY sentence (UTF8); OPTIONAL INT64 label;
        OPTIONAL FIXED_LEN_BYTE_ARRAY (12) duration (INTERVAL); }";
    write_parquet(&train, schema, &|number, column| match number {
        0 => texts(column, &["a"]),
        1 => longs(column, &[1]),
        _ => {
            let value = [FixedLenByteArray::from(vec![0; 12])];
            column.typed::<FixedLenByteArrayType>().write_batch(&value, Some(&[1]), None).unwrap();
        }
    });
    assert!(error().contains("has no validation split"), "{}", error());

    let complete = {
        write_sst2(&train, &[("a", 1)]);
        std::fs::read(&train).unwrap()
    };
    std::fs::write(&train, &complete[..complete.len() / 2]).unwrap();
    assert!(error().contains("is not valid Parquet"), "{}", error());
}
