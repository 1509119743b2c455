//! Token ids equal those of Transformers, for the folders and texts of `tests/reference/tokenizers.json`, and for more
//! texts in Transformers itself if `GLUE_TUI_PYTHON` names a Python with `tests/reference/requirements.txt`.

#[path = "common/python.rs"]
mod python;

use glue_tui::batch::Encoded;
use glue_tui::data::{Example, Tokenizer};
use glue_tui::files::ModelFolder;
use python::{python, run_script};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The reference file of `tests/reference/make_tokenizers.py`.
fn reference() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tokenizers.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A JSON merge patch (RFC 7396).
fn merge_patch(value: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut object = value.as_object().cloned().unwrap_or_default();
    for (key, change) in patch {
        match object.shift_remove(key) {
            _ if change.is_null() => {}
            found => {
                object.insert(key.clone(), merge_patch(&found.unwrap_or_default(), change));
            }
        }
    }
    Value::Object(object)
}

/// Writes vocab.txt with the changes that `change` names.
fn vocab_txt(lines: &[Value], change: &Value) -> String {
    let newline = change["newline"].as_str().unwrap_or("\n");
    let line = |(id, line): (usize, &Value)| {
        let line = change["set"][id.to_string()].as_str().or(line.as_str()).unwrap().to_string();
        change["rename"][&line].as_str().unwrap_or(&line).to_string() + newline
    };
    lines.iter().enumerate().map(line).collect()
}

/// Writes merges.txt with the lines that `change` appends.
fn merges_txt(reference: &Value, change: &Value) -> String {
    let lines = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let merges = lines(&reference["merges"]).into_iter().chain(lines(&change["append"]));
    merges.fold("#version: 0.2\n".to_string(), |text, line| text + line.as_str().unwrap() + "\n")
}

/// Writes a folder of the reference file.
fn build(folder: &Path, files: &Value, reference: &Value) {
    std::fs::create_dir_all(folder).unwrap();
    let mut files = files.as_object().unwrap().clone();
    files.entry("config.json").or_insert(json!({}));
    let vocab = reference["vocab"].as_array().unwrap();
    for (name, change) in &files {
        if Path::new(name).extension().is_some_and(|extension| extension == "model") {
            let model = reference["sentencepiece"][change.as_str().unwrap()].as_str().unwrap();
            std::fs::write(folder.join(name), hex::decode(model).unwrap()).unwrap();
            continue;
        }
        let content = match (name.as_str(), reference["files"].get(name)) {
            ("vocab.txt", _) => vocab_txt(vocab, change),
            ("merges.txt", _) => merges_txt(reference, change),
            (_, Some(base)) => {
                let mut base = base.clone();
                if name == "tokenizer.json" {
                    let ids = vocab.iter().enumerate();
                    base["model"]["vocab"] =
                        ids.map(|(id, token)| (token.as_str().unwrap().to_string(), json!(id))).collect();
                }
                let mut file = merge_patch(&base, change);
                if name == "bpe/tokenizer.json" {
                    file["model"]["vocab"] = reference["files"]["vocab.json"].clone();
                    file["model"]["merges"] = reference["merges"].clone();
                }
                file.to_string()
            }
            (_, None) => change.to_string(),
        };
        let name = name.rsplit('/').next().unwrap();
        std::fs::write(folder.join(name), content).unwrap();
    }
}

/// The texts and pairs of the reference file.
fn inputs(reference: &Value) -> Vec<Example> {
    let texts: Vec<&str> =
        reference["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let row = |first: usize, second: Option<usize>| Example {
        text: texts[first].into(),
        text_pair: second.map(|second| texts[second].into()),
        label: None,
    };
    let index = |value: &Value| value.as_u64().unwrap() as usize;
    let pairs = reference["pairs"].as_array().unwrap();
    let pairs = pairs.iter().map(|pair| row(index(&pair[0]), Some(index(&pair[1]))));
    (0..texts.len()).map(|text| row(text, None)).chain(pairs).collect()
}

/// Ids and type ids of an encoding of the reference file.
fn encoding(reference: &Value, index: &Value) -> (Vec<u32>, Vec<u32>) {
    let found = &reference["encodings"][index.as_u64().unwrap() as usize];
    let numbers = |value: &Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let ids = numbers(&found[0]);
    let type_ids = found.get(1).map_or_else(|| vec![0; ids.len()], numbers);
    (ids, type_ids)
}

/// Asserts that single rows and a batch have the encodings with the indices `expected`.
fn assert_encodings(
    name: &str,
    tokenizer: &Tokenizer,
    reference: &Value,
    rows: &[Example],
    expected: &Value,
) {
    let batch = tokenizer.encode_batch(rows, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    for (number, (row, in_batch)) in rows.iter().zip(&batch.rows).enumerate() {
        let (ids, type_ids) = encoding(reference, &expected[number]);
        let single = tokenizer.encode(row).unwrap().0;
        assert_eq!(tokenizer.ids_to_tokens(&single.ids), tokenizer.ids_to_tokens(&ids), "{name}: {row:?}");
        assert_eq!(single, Encoded { ids, type_ids, label: None }, "{name}: {row:?}");
        assert_eq!(*in_batch, single, "{name}: {row:?} in a batch");
        assert_eq!(tokenizer.encode_words(row).unwrap().encoded, single, "{name}: words of {row:?}");
    }
}

/// Compares a folder with the reference, with the length of `max_length`, of the model and of the folder.
fn check_folder(folder: &Path, case: &Value, reference: &Value, rows: &[Example]) {
    let name = case["name"].as_str().unwrap();
    let model = ModelFolder::on_disk(folder);
    let long = Tokenizer::load(&model, 512).unwrap();
    assert_encodings(name, &long, reference, rows, &case["ids"]);
    let max_length = reference["max_length"].as_u64().unwrap() as usize;
    let short = Tokenizer::load(&model, max_length).unwrap();
    assert_encodings(name, &short, reference, rows, &case["truncated"]);
    let own = Tokenizer::from_pretrained(&model).unwrap();
    assert_eq!(own.max_length() as u64, case["model_max_length"].as_u64().unwrap_or(512), "{name}");
}

#[test]
fn token_ids_equal_transformers() {
    let reference = reference();
    let (home, rows) = (tempfile::tempdir().unwrap(), inputs(&reference));
    let folders = reference["folders"].as_array().unwrap();
    assert!(folders.len() >= 40);
    for case in folders {
        let name = case["name"].as_str().unwrap();
        let folder = home.path().join(name);
        build(&folder, &case["files"], &reference);
        if let Some(word) = case["error"].as_str() {
            let model = ModelFolder::on_disk(&folder);
            let result = Tokenizer::load(&model, 64)
                .and_then(|tokenizer| rows.iter().try_for_each(|row| tokenizer.encode(row).map(|_| ())));
            let error = result.expect_err(name);
            assert_eq!(error.exit_code(), 3, "{name}: {error}");
            assert!(error.to_string().contains(word), "{name}: {error}");
            continue;
        }
        check_folder(&folder, case, &reference, &rows);
    }
}

#[test]
fn saved_folders_have_the_same_token_ids() {
    let reference = reference();
    let (home, rows) = (tempfile::tempdir().unwrap(), inputs(&reference));
    let max_length = reference["max_length"].as_u64().unwrap() as usize;
    for case in reference["folders"].as_array().unwrap().iter().filter(|case| case.get("error").is_none()) {
        let name = case["name"].as_str().unwrap();
        let (folder, saved) = (home.path().join(name), home.path().join(format!("{name}-saved")));
        build(&folder, &case["files"], &reference);
        let config = case["files"].get("config.json").cloned().unwrap_or(json!({}));
        build(&saved, &json!({"config.json": config}), &reference);
        Tokenizer::load(&ModelFolder::on_disk(&folder), max_length).unwrap().save(&saved).unwrap();
        let model = ModelFolder::on_disk(&saved);
        let reloaded = Tokenizer::from_pretrained(&model).unwrap();
        assert_eq!(reloaded.max_length(), max_length, "{name}: the length is saved");
        assert_encodings(name, &reloaded, &reference, &rows, &case["truncated"]);
        assert_encodings(name, &Tokenizer::load(&model, 512).unwrap(), &reference, &rows, &case["ids"]);
        let files = |folder: &Path| {
            let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
            ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"].map(read)
        };
        let before = files(&saved);
        reloaded.save(&saved).unwrap();
        for (before, after) in before.iter().zip(files(&saved)) {
            let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
            // vocab.txt may have had blanks at the ends of lines.
            let lines = |bytes: &[u8]| -> Vec<String> {
                String::from_utf8_lossy(bytes).lines().map(|line| line.trim_end().to_string()).collect()
            };
            let is_same =
                lines(before) == lines(&after) || (value(before).is_some() && value(before) == value(&after));
            assert!(is_same, "{name}: saved again without a change");
        }
        for alone in ["tokenizer.json", "vocab.txt"] {
            let other = if alone == "vocab.txt" { "tokenizer.json" } else { "vocab.txt" };
            if std::fs::remove_file(saved.join(other)).is_ok() && saved.join(alone).is_file() {
                let found = Tokenizer::from_pretrained(&model);
                // These read tokenizer.json only.
                let is_fast =
                    ["fast", "modernbert", "class-in-config"].iter().any(|class| name.starts_with(class));
                if alone == "tokenizer.json" || !is_fast {
                    assert_encodings(name, &found.unwrap(), &reference, &rows, &case["truncated"]);
                }
                std::fs::write(saved.join(other), &before[if other == "vocab.txt" { 3 } else { 0 }]).unwrap();
            }
        }
    }
}

/// A folder, and the rows that Transformers is to encode with it as `tokenizer` does.
struct Request<'r> {
    folder: PathBuf,
    tokenizer: &'r Tokenizer,
    /// `None` for that of the folder.
    max_length: Option<usize>,
    /// Whether the model gets the segments that Transformers gives.
    has_segments: bool,
}

/// Asserts that Transformers gives the same encodings. It needs a Python with Transformers, and is skipped without.
fn assert_equals_transformers(home: &Path, requests: &[Request<'_>], rows: &[Example]) {
    let Some(python) = python("no ids were compared with it") else { return };
    let as_json = |row: &Example| match &row.text_pair {
        Some(second) => json!([row.text, second]),
        None => json!([row.text]),
    };
    let inputs: Vec<Value> = rows.iter().map(as_json).collect();
    let to_json = |request: &Request<'_>| json!({"folder": request.folder, "inputs": inputs, "max_length": request.max_length});
    let all: Vec<Value> = requests.iter().map(to_json).collect();
    let file = home.join("requests.json");
    std::fs::write(&file, json!(all).to_string()).unwrap();
    let stdout = run_script(&python, "transformers_tokenize.py", &[&file]);
    let found: Vec<Vec<[Vec<u32>; 2]>> = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(found.len(), requests.len());
    for (request, found) in requests.iter().zip(found) {
        assert_eq!(found.len(), rows.len());
        for (row, [ids, mut type_ids]) in rows.iter().zip(found) {
            let encoded = request.tokenizer.encode(row).unwrap().0;
            assert_eq!(encoded.ids, ids, "{}: {row:?}", request.folder.display());
            if type_ids.is_empty() || !request.has_segments {
                type_ids = vec![0; ids.len()];
            }
            assert_eq!(encoded.type_ids, type_ids, "{}: {row:?}", request.folder.display());
        }
    }
    println!("{} folders, {} rows each", requests.len(), rows.len());
}

/// Texts of the shared cases, and `count` ones of random characters that tokenizers treat specially.
fn more_texts(reference: &Value, count: usize) -> Vec<String> {
    let root = std::env::var_os("GLUE_TUI_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let cases = root.join("cases");
    let mut texts: Vec<String> = Vec::new();
    match std::fs::read_to_string(cases.join("generators/texts.txt")) {
        Ok(file) => texts.extend(file.lines().map(str::to_string)),
        Err(_) => eprintln!("SKIPPED: no texts at {} (set GLUE_TUI_SHARED)", cases.display()),
    }
    if let Ok(file) = std::fs::read_to_string(cases.join("17-odd-texts/dev.jsonl")) {
        let rows = file.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        texts.extend(rows.map(|row| row["text"].as_str().unwrap().to_string()));
    }
    let known = reference["texts"].as_array().unwrap().iter().flat_map(|text| text.as_str().unwrap().chars());
    // Accents, combining accents, Arabic, Devanagari, Hangul and its parts, CJK, private use, full width, ligatures,
    // blanks and marks without a width, emoji.
    let ranges = ['\u{c0}'..'\u{17f}', '\u{300}'..'\u{36f}', '\u{600}'..'\u{6ff}', '\u{900}'..'\u{97f}'];
    let wide =
        ['\u{ac00}'..'\u{ac40}', '\u{4e00}'..'\u{4e80}', '\u{e000}'..'\u{e010}', '\u{ff01}'..'\u{ff5e}'];
    let marks = ['\u{1100}'..'\u{1180}', '\u{fb00}'..'\u{fb07}', '\u{2000}'..'\u{2070}', '\u{7f}'..'\u{a1}'];
    let unknown = ranges.into_iter().chain(wide).chain(marks).flatten();
    let unknown = unknown.chain('\u{1f600}'..'\u{1f640}').chain('\0'..'\u{20}');
    let characters: Vec<char> = known.chain(unknown).collect();
    // A linear congruential generator, so that the texts are the same each time.
    let mut state = 5_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    texts.extend((0..count).map(|_| (0..=next(50)).map(|_| characters[next(characters.len())]).collect()));
    texts
}

/// Rows of `texts`, of which each third is a pair.
fn rows_of(texts: &[String]) -> Vec<Example> {
    let row = |(number, text): (usize, &String)| {
        let pair = (number % 3 == 0).then(|| texts[(number * 7 + 1) % texts.len()].clone());
        Example { text: text.clone(), text_pair: pair, label: None }
    };
    texts.iter().enumerate().map(row).collect()
}

/// Compares Transformers with the original and the saved folders of `cases`, with a maximum length of 20 for the former.
fn check_in_transformers(reference: &Value, cases: &[&Value], rows: &[Example]) {
    let home = tempfile::tempdir().unwrap();
    let name = |case: &Value| case["name"].as_str().unwrap().to_string();
    let saved = |case: &Value| home.path().join(name(case) + "-saved");
    let load = |case: &&Value| {
        let folder = home.path().join(name(case));
        build(&folder, &case["files"], reference);
        let config = case["files"].get("config.json").cloned().unwrap_or(json!({}));
        build(&saved(case), &json!({"config.json": config}), reference);
        let tokenizer = Tokenizer::load(&ModelFolder::on_disk(&folder), 20).unwrap();
        tokenizer.save(&saved(case)).unwrap();
        tokenizer
    };
    let tokenizers: Vec<Tokenizer> = cases.iter().map(load).collect();
    let requests: Vec<Request<'_>> = cases
        .iter()
        .zip(&tokenizers)
        .flat_map(|(case, tokenizer)| {
            let has_segments = case["files"]["config.json"]["model_type"] != "distilbert";
            let original = home.path().join(name(case));
            [(original, Some(20)), (saved(case), None)].map(|(folder, max_length)| Request {
                folder,
                tokenizer,
                max_length,
                has_segments,
            })
        })
        .collect();
    assert_equals_transformers(home.path(), &requests, rows);
}

#[test]
fn transformers_gives_the_same_ids_for_original_and_saved_folders() {
    let reference = reference();
    let cases = reference["folders"].as_array().unwrap().iter();
    let cases: Vec<&Value> = cases.filter(|case| case.get("error").is_none()).collect();
    check_in_transformers(&reference, &cases, &rows_of(&more_texts(&reference, 60)));
}

/// Thousands of odd lines for each kind of vocabulary.
#[test]
fn transformers_gives_the_same_ids_for_thousands_of_odd_lines() {
    let reference = reference();
    let kinds = [
        "vocab",
        "json",
        "roberta-files",
        "roberta-json",
        "xlm-roberta",
        "xlm-roberta-sentencepiece-map",
        "camembert-sentencepiece",
        "albert",
        "albert-sentencepiece",
        "mpnet",
        "deberta-v2",
        "deberta-v2-lower",
        "deberta-v2-sentencepiece",
        "deberta-v2-sentencepiece-punctuation",
        "deberta-v2-sentencepiece-bytes",
        "modernbert",
        "sentencepiece-bpe-both-ends",
        "sentencepiece-bpe-map",
        "sentencepiece-unigram",
    ];
    let folders = reference["folders"].as_array().unwrap();
    let case = |kind: &&str| folders.iter().find(|case| case["name"] == *kind).unwrap();
    let cases: Vec<&Value> = kinds.iter().map(case).collect();
    check_in_transformers(&reference, &cases, &rows_of(&more_texts(&reference, 2_000)));
}

/// Where a tokenizer does not split at blanks, the words are those between blanks.
#[test]
fn words_of_a_tokenizer_that_splits_nowhere() {
    let reference = reference();
    let home = tempfile::tempdir().unwrap();
    let folders = reference["folders"].as_array().unwrap();
    let case = folders.iter().find(|case| case["name"] == "sentencepiece-bpe-both-ends").unwrap();
    build(home.path(), &case["files"], &reference);
    let tokenizer = Tokenizer::load(&ModelFolder::on_disk(home.path()), 64).unwrap();
    let row = Example { text: "not  bad at\nall".into(), text_pair: Some(" a plot ".into()), label: None };
    let found = tokenizer.encode_words(&row).unwrap();
    let words: Vec<&str> = found
        .words
        .iter()
        .map(|word| {
            let text = if word.sequence == 0 { &row.text } else { row.text_pair.as_ref().unwrap() };
            &text[word.offsets.clone()]
        })
        .collect();
    assert_eq!(words, ["not", "bad", "at", "all", "a", "plot"]);
    // All tokens but the first and the last of each text are of a word, in order.
    let tokens: Vec<usize> = found.words.iter().flat_map(|word| word.tokens.clone()).collect();
    let first = found.words[4].tokens.start;
    let length = found.encoded.ids.len();
    assert_eq!(tokens, (1..first - 2).chain(first..length - 1).collect::<Vec<_>>());
}
