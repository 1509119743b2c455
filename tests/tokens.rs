//! Tokenizers: loading, encoding and saving, and batches against single rows.

use glue_tui::assets::DEMO;
use glue_tui::batch::Label;
use glue_tui::catalog::task;
use glue_tui::data::{self, DatasetSource, Example, LoadContext, Tokenizer};
use glue_tui::event::SplitName;
use glue_tui::files::{ModelFolder, Root};
use glue_tui::hub::Hub;
use proptest::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A BERT vocabulary of a few words and letters.
const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfilm\ngood\n##s\n,\nnot\ncafe\nThe\nCafé\n";

fn folder_of(files: &[(&str, &str)]) -> (tempfile::TempDir, ModelFolder) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let model = ModelFolder::on_disk(folder.path());
    (folder, model)
}

fn row(text: &str, text_pair: Option<&str>) -> Example {
    Example { text: text.into(), text_pair: text_pair.map(str::to_string), label: Some(Label::Class(1)) }
}

#[test]
fn vocabulary_without_configuration_is_a_bert_tokenizer() {
    let (_folder, model) = folder_of(&[("vocab.txt", VOCAB), ("config.json", "{}")]);
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    assert_eq!(tokenizer.vocab_size(), 14);
    let one = tokenizer.encode(&row("The FILMS, café!", None)).unwrap().0;
    assert_eq!(
        tokenizer.ids_to_tokens(&one.ids),
        ["[CLS]", "the", "film", "##s", ",", "cafe", "[UNK]", "[SEP]"]
    );
    assert_eq!(one.type_ids, [0; 8]);
    let two = tokenizer.encode(&row("good", Some("not good"))).unwrap().0;
    assert_eq!(tokenizer.ids_to_tokens(&two.ids), ["[CLS]", "good", "[SEP]", "not", "good", "[SEP]"]);
    assert_eq!(two.type_ids, [0, 0, 0, 1, 1, 1]);
    let empty = tokenizer.encode(&row("", None)).unwrap().0;
    assert_eq!(tokenizer.ids_to_tokens(&empty.ids), ["[CLS]", "[SEP]"]);
    assert_eq!(tokenizer.ids_to_tokens(&[99]), ["?"]);
}

#[test]
fn words_have_offsets_and_tokens() {
    let (_folder, model) = folder_of(&[("vocab.txt", VOCAB), ("config.json", "{}")]);
    let tokenizer = Tokenizer::load(&model, 12).unwrap();
    assert_eq!(
        tokenizer.pad_token_id(),
        tokenizer.encode(&row("[PAD]", None)).unwrap().0.ids.get(1).copied()
    );
    let texts = ["The FILMS, café!", "not good films not good"];
    for pair in [None, Some(texts[1])] {
        let example = row(texts[0], pair);
        let encoding = tokenizer.encode_words(&example).unwrap();
        assert_eq!(encoding.encoded, tokenizer.encode(&example).unwrap().0);
        let words: Vec<(&str, usize)> = encoding
            .words
            .iter()
            .map(|word| (&texts[word.sequence][word.offsets.clone()], word.tokens.len()))
            .collect();
        assert_eq!(words[..3], [("The", 1), ("FILMS", 2), (",", 1)]);
        // Each token except the special ones belongs to one word, and truncated words are missing.
        let special_tokens = if pair.is_some() { 3 } else { 2 };
        let tokens: usize = words.iter().map(|word| word.1).sum();
        assert_eq!(tokens + special_tokens, encoding.encoded.ids.len());
        assert!(pair.is_none() || (encoding.encoded.ids.len() == 12 && words.len() < 10), "{words:?}");
    }
    assert_eq!(tokenizer.encode_words(&row("", None)).unwrap().words, []);
}

#[test]
fn do_lower_case_false_keeps_the_case() {
    let (_folder, model) =
        folder_of(&[("vocab.txt", VOCAB), ("tokenizer_config.json", r#"{"do_lower_case": false}"#)]);
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    let ids = tokenizer.encode(&row("The Café good", None)).unwrap().0.ids;
    assert_eq!(tokenizer.ids_to_tokens(&ids), ["[CLS]", "The", "Café", "good", "[SEP]"]);
}

#[test]
fn long_rows_are_truncated_at_the_longer_text_and_counted() {
    let (_folder, model) = folder_of(&[
        ("vocab.txt", VOCAB),
        ("config.json", r#"{"max_position_embeddings": 12, "model_type": "bert"}"#),
    ]);
    let tokenizer = Tokenizer::load(&model, 128).unwrap();
    assert_eq!(tokenizer.max_length(), 12, "at most the number of positions of the model");
    let long = "good ".repeat(50);
    let rows = [row(&long, None), row("good", None), row("not", Some(&long)), row(&long, Some(&long))];
    let mut reports = Vec::new();
    let tokenized =
        tokenizer.encode_batch(&rows, &mut |p| reports.push(p.done), &AtomicBool::new(false)).unwrap();
    assert_eq!(tokenized.rows.iter().map(|r| r.ids.len()).collect::<Vec<_>>(), [12, 3, 12, 12]);
    assert_eq!(tokenized.truncated, 3);
    assert_eq!(tokenizer.ids_to_tokens(&tokenized.rows[2].ids)[..4], ["[CLS]", "not", "[SEP]", "good"]);
    assert_eq!(tokenized.rows[3].type_ids.iter().filter(|id| **id == 1).count(), 6);
    assert_eq!((reports.first(), reports.last()), (Some(&0), Some(&4)));
    let e = tokenizer.encode_batch(&rows, &mut |_| {}, &AtomicBool::new(true)).unwrap_err();
    assert_eq!(e.exit_code(), 130);
    assert_eq!(Tokenizer::load(&model, 4).err().unwrap().exit_code(), 2);
}

#[test]
fn saved_tokenizer_encodes_the_same() {
    let (_folder, model) =
        folder_of(&[("vocab.txt", VOCAB), ("config.json", r#"{"model_type": "distilbert"}"#)]);
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    let saved = tempfile::tempdir().unwrap();
    tokenizer.save(saved.path()).unwrap();
    assert_eq!(std::fs::read_to_string(saved.path().join("vocab.txt")).unwrap(), VOCAB);
    let settings = std::fs::read_to_string(saved.path().join("tokenizer_config.json")).unwrap();
    assert!(settings.contains("\"DistilBertTokenizer\"") && settings.contains("\"do_lower_case\": true"));
    assert!(saved.path().join("special_tokens_map.json").is_file());
    // Transformers reads tokenizer.json first, which must be sufficient.
    std::fs::remove_file(saved.path().join("vocab.txt")).unwrap();
    let reloaded = Tokenizer::load(&ModelFolder::on_disk(saved.path()), 16).unwrap();
    for text in ["The films, café", "good not [MASK] x", ""] {
        let example = row(text, Some("the good"));
        assert_eq!(reloaded.encode(&example).unwrap().0, tokenizer.encode(&example).unwrap().0);
    }
    reloaded.save(saved.path()).unwrap();
    assert_eq!(
        std::fs::read_to_string(saved.path().join("vocab.txt")).unwrap(),
        VOCAB,
        "generated from tokenizer.json"
    );
}

#[test]
fn padding_and_truncation_of_tokenizer_json_are_ignored() {
    let (_folder, model) = folder_of(&[("vocab.txt", VOCAB)]);
    let saved = tempfile::tempdir().unwrap();
    Tokenizer::load(&model, 16).unwrap().save(saved.path()).unwrap();
    let path = saved.path().join("tokenizer.json");
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file["truncation"] = json!({"direction": "Right", "max_length": 6, "strategy": "OnlyFirst", "stride": 0});
    file["padding"] = json!({"strategy": {"Fixed": 6}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    std::fs::write(&path, file.to_string()).unwrap();
    let tokenizer = Tokenizer::load(&ModelFolder::on_disk(saved.path()), 16).unwrap();
    assert_eq!(tokenizer.encode(&row("good", None)).unwrap().0.ids.len(), 3);
    for (words, tokens, is_truncated) in [(14, 16, false), (15, 16, true), (40, 16, true)] {
        let (encoded, truncated) = tokenizer.encode(&row(&"good ".repeat(words), None)).unwrap();
        assert_eq!((encoded.ids.len(), truncated), (tokens, is_truncated), "{words} words");
    }
}

#[test]
fn a_token_without_word_embedding_is_named() {
    let config = r#"{"vocab_size": 14}"#;
    let added = r#"{"kettle": 14}"#;
    let (_folder, model) =
        folder_of(&[("vocab.txt", VOCAB), ("config.json", config), ("added_tokens.json", added)]);
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    assert_eq!(tokenizer.encode(&row("not good", None)).unwrap().0.ids, [2, 10, 7, 3]);
    let rows = [row("the film", None), row("the kettle", None)];
    let batch = tokenizer.encode_batch(&rows, &mut |_| {}, &AtomicBool::new(false)).err().unwrap();
    for e in [tokenizer.encode(&rows[1]).unwrap_err(), tokenizer.encode_words(&rows[1]).unwrap_err(), batch] {
        assert_eq!(e.exit_code(), 3);
        assert!(e.to_string().contains(r#"the token "kettle" with id 14"#), "{e}");
    }
}

#[test]
fn long_pairs_take_no_memory_for_what_is_cut_off() {
    let (_folder, model) = folder_of(&[("vocab.txt", VOCAB)]);
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    // Every part of one text with every part of the other would be a billion tokens.
    let long = "good ".repeat(100_000);
    let (encoded, is_truncated) = tokenizer.encode(&row(&long, Some(&long))).unwrap();
    assert_eq!((encoded.ids.len(), is_truncated), (16, true));
}

#[test]
fn damaged_tokenizer_json_is_an_error() {
    let (_folder, model) = folder_of(&[("vocab.txt", VOCAB)]);
    let saved = tempfile::tempdir().unwrap();
    Tokenizer::load(&model, 16).unwrap().save(saved.path()).unwrap();
    let path = saved.path().join("tokenizer.json");
    let config = saved.path().join("tokenizer_config.json");
    std::fs::write(&config, r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#).unwrap();
    let original: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let growing = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"});
    let changes = [
        ("/post_processor/special_tokens", json!({})),
        ("/post_processor/single", json!([{"SpecialToken": {"id": "x", "type_id": 0}}])),
        ("/post_processor/pair", json!([{"Sequence": {"id": "B", "type_id": 0}}])),
        ("/model/unk_token", json!("missing")),
        ("/normalizer", json!({"type": "Sequence", "normalizers": vec![growing; 10]})),
        ("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
    ];
    for (pointer, value) in changes {
        let mut file = original.clone();
        *file.pointer_mut(pointer).unwrap() = value.clone();
        std::fs::write(&path, file.to_string()).unwrap();
        let model = ModelFolder::on_disk(saved.path());
        let encode = |tokenizer: Tokenizer| {
            tokenizer.encode(&row("zzz", None)).and_then(|_| tokenizer.encode(&row("zzz", Some("good"))))
        };
        match Tokenizer::load(&model, 16).and_then(encode) {
            Err(e) => assert_eq!(e.exit_code(), 3, "{pointer} {value}: {e}"),
            // A template without the first text is odd, but not damaged.
            Ok(_) => assert_eq!(pointer, "/post_processor/pair"),
        }
    }
}

#[test]
fn missing_or_invalid_tokenizer_is_an_error() {
    let error = |files: &[(&str, &str)]| {
        let (_folder, model) = folder_of(files);
        let e = Tokenizer::load(&model, 16).err().unwrap();
        assert_eq!(e.exit_code(), 3);
        e.to_string()
    };
    assert!(error(&[("config.json", "{}")]).contains("neither tokenizer.json nor vocab.txt"));
    assert!(error(&[("tokenizer.json", "{}")]).contains("tokenizer.json cannot be used"));
    assert!(error(&[("vocab.txt", VOCAB), ("tokenizer_config.json", "{")]).contains("is not valid JSON"));
    for (key, value) in
        [("model_max_length", "2"), ("model_max_length", "\"long\""), ("vocab", "[]"), ("init_inputs", "[1]")]
    {
        let config = format!(r#"{{"{key}": {value}}}"#);
        let (_folder, model) = folder_of(&[("vocab.txt", VOCAB), ("tokenizer_config.json", &config)]);
        let e = Tokenizer::from_pretrained(&model).err().unwrap();
        assert_eq!(e.exit_code(), 3);
        assert!(e.to_string().contains(key), "{e}");
    }
    let none = ModelFolder { name: "x".into(), commit: None, root: Root::Embedded(&[]) };
    assert!(Tokenizer::load(&none, 16).is_err());
}

/// Asserts that a batch and single rows have the same encodings and lengths.
fn assert_batch_equals_single_rows(tokenizer: &Tokenizer, rows: &[Example]) {
    let cancelled = AtomicBool::new(false);
    let batch = tokenizer.encode_batch(rows, &mut |_| {}, &cancelled).unwrap();
    let lengths = tokenizer.lengths(rows, &cancelled).unwrap();
    let mut truncated = 0;
    for ((row, found), length) in rows.iter().zip(&batch.rows).zip(lengths) {
        let (single, is_truncated) = tokenizer.encode(row).unwrap();
        assert_eq!(found, &single, "{row:?}");
        assert_eq!(length > tokenizer.max_length(), is_truncated, "{length} tokens of {row:?}");
        assert!(is_truncated || length == single.ids.len(), "{length} tokens of {row:?}");
        truncated += usize::from(is_truncated);
    }
    assert_eq!((batch.rows.len(), batch.truncated), (rows.len(), truncated));
}

/// Pieces of text that tokenizers treat specially.
const PIECES: [&str; 24] = [
    " ",
    "  ",
    "\t",
    "\n",
    "\u{a0}",
    "\u{3000}",
    "a",
    "GOOD",
    "films",
    "Café",
    "cafe\u{301}",
    "\u{301}",
    "ΣΟΦΟΣ",
    "İ",
    "映画",
    "が",
    "ﬁ",
    "[SEP]",
    "[MASK",
    "]",
    "don't",
    "...",
    "\u{200d}",
    "\u{0}",
];

proptest! {
    #[test]
    fn batch_equals_single_rows(
        pairs in prop::collection::vec(
            (prop::collection::vec(0..PIECES.len(), 0..12), prop::option::of(prop::collection::vec(0..PIECES.len(), 0..12))),
            1..40,
        ),
        max_length in 5_usize..20,
    ) {
        let model = Hub::from_env()
            .model(DEMO, "main", &mut |_| {}, &AtomicBool::new(false))
            .expect("the demo model is embedded");
        let tokenizer = Tokenizer::load(&model, max_length).unwrap();
        let text = |pieces: &[usize]| pieces.iter().map(|piece| PIECES[*piece]).collect::<String>();
        let rows: Vec<Example> =
            pairs.iter().map(|(first, second)| row(&text(first), second.as_deref().map(text).as_deref())).collect();
        assert_batch_equals_single_rows(&tokenizer, &rows);
    }
}

#[test]
fn added_token_with_a_space_disables_the_cache() {
    let (folder, model) = folder_of(&[("vocab.txt", VOCAB)]);
    Tokenizer::load(&model, 16).unwrap().save(folder.path()).unwrap();
    // The added tokens of tokenizer_config.json take precedence.
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    // "not good" is one token with id 14.
    let joined = r#""added_tokens": [{"id": 14, "content": "not good", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": false},"#;
    let joining = text.replacen("\"added_tokens\": [", joined, 1);
    assert_ne!(joining, text);
    std::fs::write(&path, joining).unwrap();
    let tokenizer = Tokenizer::load(&model, 16).unwrap();
    let rows = [row("the film not good", Some("not  good")), row("not", Some("good"))];
    assert_batch_equals_single_rows(&tokenizer, &rows);
    assert_eq!(tokenizer.encode(&rows[0]).unwrap().0.ids.iter().filter(|id| **id == 14).count(), 1);
}

#[test]
fn batch_of_published_rows_equals_single_rows() {
    let root = std::env::var_os("GLUE_TUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let data = root.join("data");
    if !data.is_dir() {
        eprintln!("SKIPPED: no published data files at {} (set GLUE_TUI_SHARED)", data.display());
        return;
    }
    let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
    let model = std::env::var("GLUE_TUI_MINILM").unwrap_or(DEMO.into());
    let model = hub.model(&model, "main", &mut |_| {}, &cancelled).unwrap();
    let tokenizer = Tokenizer::load(&model, 64).unwrap();
    for (name, folder) in [("sst2", "SST-2"), ("qqp", "QQP"), ("stsb", "STS-B"), ("qnli", "QNLI")] {
        let (task, folder) = (task(name).unwrap(), data.join(folder));
        let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled };
        let rows = data::load_split(
            DatasetSource::for_task(task, Some(&folder)),
            SplitName::Validation,
            &mut context,
        );
        assert_batch_equals_single_rows(&tokenizer, &rows.unwrap());
    }
}
