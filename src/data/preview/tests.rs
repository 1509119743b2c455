//! Guesses on files with odd names, formats and labels.

use super::*;
use crate::catalog::{ProblemType, SplitName};
use crate::error::Error;
use crate::spec::{RunSpec, built_in};
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn read(path: &Path) -> Result<Preview, Error> {
    Preview::read(path, &AtomicBool::new(false))
}

fn preview(name: &str, content: impl AsRef<[u8]>) -> Preview {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read(&path).unwrap()
}

/// A file with a header and rows that `row` writes.
fn rows(header: &str, count: usize, row: impl Fn(usize) -> String) -> String {
    (0..count).fold(format!("{header}\n"), |mut text, number| {
        writeln!(text, "{}", row(number)).unwrap();
        text
    })
}

/// A sentence that differs from row to row.
fn sentence(number: usize) -> String {
    let words = ["the", "film", "was", "slow", "but", "warm", "and", "funny", "in", "parts"];
    let chosen = (0..5 + number % 4).map(|at| words[(number * 7 + at * 3) % words.len()]);
    format!("{} {number}", chosen.collect::<Vec<_>>().join(" "))
}

/// Text, second text and labels.
fn roles(preview: &Preview) -> (&str, &str, Vec<&str>) {
    let guess = &preview.guess;
    let name = |column: &'_ Option<String>| -> &'static str {
        Box::leak(column.clone().unwrap_or_default().into_boxed_str())
    };
    (name(&guess.text), name(&guess.text_pair), guess.labels.iter().map(String::as_str).collect())
}

#[test]
fn columns_with_odd_names_are_recognized_by_their_values() {
    let moods = ["glad", "sad", "mad"];
    let text = rows("Nr;Stimmung;Kundenmeinung;Datum", 60, |n| {
        format!("{n};{};{};2026-01-{:02}", moods[n % 3], sentence(n), 1 + n % 28)
    });
    let found = preview("a.csv", text);
    assert_eq!(roles(&found), ("Kundenmeinung", "", vec!["Stimmung"]));
    let kinds: Vec<ColumnKind> = found.columns.iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [ColumnKind::Integer, ColumnKind::Text, ColumnKind::Text, ColumnKind::Date]);
    assert_eq!(found.columns[1].examples, ["glad", "sad", "mad"]);
    assert_eq!((found.rows.len(), found.format), (60, "CSV"));
    assert!(found.notes.iter().any(|note| note.contains("';'")), "{:?}", found.notes);
}

#[test]
fn columns_beside_text_and_label_are_left_out() {
    let text = rows(
        "tweet_id,airline_sentiment,airline_sentiment_confidence,airline,name,retweet_count,text,created",
        80,
        |n| {
            let airlines = ["Alpha", "Beta", "Gamma", "Delta"];
            let labels = ["neutral", "positive", "negative"];
            format!(
                "{},{},{:.3},{},user{n},0,{},2026-02-0{} 10:00",
                570_306_133 + n,
                labels[n % 3],
                0.3 + n as f64 / 200.0,
                airlines[n % 4],
                sentence(n),
                1 + n % 9
            )
        },
    );
    assert_eq!(roles(&preview("a.csv", text)), ("text", "", vec!["airline_sentiment"]));
    let text = rows("id,lang,age,beschreibung,klasse", 50, |n| {
        format!("{n},{},{},{},{}", ["de", "en"][n % 2], 20 + n % 40, sentence(n), ["x", "y", "z"][n % 3])
    });
    assert_eq!(roles(&preview("a.csv", text)), ("beschreibung", "", vec!["klasse"]));
    let text = rows("title,review,stars", 60, |n| {
        format!("Nice {n},{} {},{}", sentence(n), sentence(n + 7), 1 + n % 5)
    });
    assert_eq!(roles(&preview("a.csv", text)), ("review", "", vec!["stars"]));
}

#[test]
fn pairs_are_recognized_by_name_or_by_shape() {
    for (header, first, second) in [
        ("q1,q2,same", "q1", "q2"),
        ("same,premise,hypothesis", "premise", "hypothesis"),
        ("links,rechts,gleich", "links", "rechts"),
    ] {
        let same = header.split(',').position(|name| ["same", "gleich"].contains(&name)).unwrap();
        let text = rows(header, 40, |n| {
            let mut cells = vec![sentence(n), sentence(n + 3)];
            cells.insert(same, ["yes", "no"][n % 2].to_string());
            cells.join(",")
        });
        let found = preview("a.csv", text);
        let label = header.split(',').nth(same).unwrap();
        assert_eq!(roles(&found), (first, second, vec![label]), "{header}");
    }
    let text = rows("body,title,label", 40, |n| format!("{0} {0},{0},{1}", sentence(n), n % 2));
    assert_eq!(roles(&preview("a.csv", text)), ("body", "", vec!["label"]));
}

#[test]
fn scores_are_a_regression() {
    let text = rows("s1,s2,aehnlichkeit", 50, |n| {
        format!("{},{},{:.2}", sentence(n), sentence(n + 1), n as f64 / 10.0)
    });
    let found = preview("a.csv", text);
    assert_eq!((roles(&found), found.guess.problem_type), (("s1", "s2", vec!["aehnlichkeit"]), None));
    assert_eq!(found.columns[2].kind, ColumnKind::Number);
    let text = rows("essay,points", 200, |n| format!("{},{}", sentence(n), n % 101));
    let found = preview("a.csv", text);
    assert_eq!(
        (roles(&found), found.guess.problem_type),
        (("essay", "", vec!["points"]), Some(ProblemType::Regression))
    );
}

#[test]
fn several_labels_are_lists_or_binary_columns() {
    let text = rows("id,comment_text,toxic,obscene,threat", 40, |n| {
        format!("{n},{},{},{},{}", sentence(n), n % 2, usize::from(n % 3 == 0), usize::from(n % 5 == 0))
    });
    assert_eq!(roles(&preview("a.csv", text)), ("comment_text", "", vec!["toxic", "obscene", "threat"]));
    let text = (0..30).fold(String::new(), |mut text, n| {
        let tags = [r#"["a"]"#, r#"["a", "b"]"#, "[]"][n % 3];
        writeln!(text, r#"{{"tags": {tags}, "utterance": "{}"}}"#, sentence(n)).unwrap();
        text
    });
    let found = preview("a.jsonl", text);
    assert_eq!(roles(&found), ("utterance", "", vec!["tags"]));
    assert_eq!((found.format, found.columns[0].kind), ("JSON", ColumnKind::List));
    let text = rows("text,label,checked", 40, |n| format!("{},{},{}", sentence(n), n % 2, n % 2));
    assert_eq!(roles(&preview("a.csv", text)), ("text", "", vec!["label"]), "a name decides");
}

#[test]
fn files_without_header_and_in_other_encodings_are_read() {
    let text =
        rows("good\tthe film was fine", 30, |n| format!("{}\t{}", ["good", "bad"][n % 2], sentence(n)));
    let found = preview("a.tsv", text);
    assert_eq!(roles(&found), ("column2", "", vec!["column1"]));
    let text = rows("Réponse;Étiquette", 30, |n| {
        format!("{} très bien;{}", sentence(n), ["positif", "négatif"][n % 2])
    });
    let (latin1, ..) = encoding_rs::WINDOWS_1252.encode(&text);
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [latin1.as_ref(), &utf16, text.as_bytes()] {
        assert_eq!(roles(&preview("a.csv", bytes)), ("Réponse", "", vec!["Étiquette"]));
    }
}

#[test]
fn folder_has_its_splits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        std::fs::write(path.join(name), text).unwrap();
    };
    let error = || read(path).unwrap_err().to_string();
    assert!(error().contains("has no CSV"), "{}", error());
    write("vocab.json", "{\"a\": 0}");
    assert!(error().contains("has no CSV"), "the file of a tokenizer: {}", error());
    write("x/reviews.csv", "text,label\na b,1\n");
    assert!(error().contains("open one of x/"), "{}", error());
    let csv = rows("text,label", 20, |n| format!("{},{}", sentence(n), n % 2));
    write("reviews-train.csv", &csv);
    write("my_dev.jsonl", "{\"text\": \"a\", \"label\": 1}\n");
    write("test.tsv", "text\tlabel\na\t1\n");
    write("README.md", "text");
    let found = read(path).unwrap();
    let DataLocation::Files { files } = &found.location else { panic!("{:?}", found.location) };
    let names: Vec<_> =
        files.iter().map(|(split, file)| (*split, file.file_name().unwrap().to_str().unwrap())).collect();
    assert_eq!(
        names,
        [
            (SplitName::Train, "reviews-train.csv"),
            (SplitName::Validation, "my_dev.jsonl"),
            (SplitName::Test, "test.tsv")
        ]
    );
    let spec = found.apply(&found.guess, built_in("x"));
    assert_eq!(spec.train_file.as_deref(), Some(path.join("reviews-train.csv").as_path()));
    assert_eq!(
        (spec.task.name(), spec.test_file.is_some(), spec.label_column),
        ("custom", true, Some("label".into()))
    );
}

#[test]
fn folders_of_known_tasks_are_read_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    };
    for split in ["train", "dev"] {
        write(&format!("trees/{split}.txt"), "(3 (2 good) (2 film))\n(1 (2 bad) (2 film))\n");
        write(
            &format!("RTE/{split}.tsv"),
            "index\tsentence1\tsentence2\tlabel\n0\ta b\tc d\tentailment\n1\te\tf\tnot_entailment\n",
        );
    }
    let found = read(&folder.path().join("trees")).unwrap();
    assert_eq!(
        (found.task().name(), &found.rows[0][..]),
        ("sst", &["good film".to_string(), "positive".into()][..])
    );
    assert!(!found.has_free_roles());
    assert_eq!(read(&folder.path().join("trees/train.txt")).unwrap().task().name(), "sst");
    let found = read(&folder.path().join("RTE")).unwrap();
    assert_eq!(
        (found.task().name(), &found.rows[1][..]),
        ("rte", &["e".to_string(), "f".into(), "not_entailment".into()][..])
    );
    let spec = found.apply(&found.guess, RunSpec { experiment: "x".into(), ..built_in("x") });
    assert_eq!((spec.task.name(), spec.text_column.is_none(), spec.data_dir.is_some()), ("rte", true, true));
}

#[test]
fn errors_say_what_is_wrong_with_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str| read(&folder.path().join(name)).unwrap_err().to_string();
    assert!(error("no.csv").contains("does not exist"));
    std::fs::write(folder.path().join("a.xlsx"), "x").unwrap();
    assert!(error("a.xlsx").contains("save the sheet as CSV"));
    std::fs::write(folder.path().join("empty.csv"), "").unwrap();
    assert!(!error("empty.csv").is_empty());
    std::fs::write(folder.path().join("header.csv"), "text,label\n").unwrap();
    assert!(error("header.csv").contains("has no rows"), "{}", error("header.csv"));
    let cancelled = AtomicBool::new(true);
    std::fs::write(folder.path().join("a.csv"), "text,label\na,1\n").unwrap();
    assert!(matches!(Preview::read(&folder.path().join("a.csv"), &cancelled), Err(Error::Interrupted(_))));
}
