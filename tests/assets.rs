//! The embedded files match `assets/README.md`: balanced splits without common sentences or templates, a complete
//! vocabulary, and a small size.

use glue_tui::assets;
use std::collections::{BTreeMap, BTreeSet};

const SPLITS: [&str; 3] = ["train", "validation", "test"];
const MODEL_FILES: [&str; 5] =
    ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"];

/// The cells and the label of each row of a split. Checks the header.
fn read(folder: &str, split: &str) -> Vec<(Vec<&'static str>, u8)> {
    let text = assets::tsv(folder, split).expect("an embedded split");
    assert!(
        text.ends_with('\n') && !text.contains('\r') && !text.starts_with('\u{feff}'),
        "{folder}/{split}"
    );
    let mut lines = text.lines();
    let header = if folder == "demo" { "sentence\tlabel" } else { "question1\tquestion2\tis_duplicate" };
    assert_eq!(lines.next(), Some(header));
    let columns = header.split('\t').count();
    lines
        .map(|line| {
            let mut cells: Vec<_> = line.split('\t').collect();
            assert_eq!(cells.len(), columns, "{folder}/{split}: {line}");
            let label = cells.pop().expect("a label").parse().expect("0 or 1");
            assert!(
                label < 2 && cells.iter().all(|c| !c.is_empty() && c.trim() == *c),
                "{folder}/{split}: {line}"
            );
            (cells, label)
        })
        .collect()
}

#[test]
fn splits_have_the_documented_sizes() {
    for folder in ["demo", "demo-pairs"] {
        let counts = SPLITS.map(|split| read(folder, split).len());
        assert_eq!(counts, [3200, 500, 500], "{folder}");
    }
    assert!(assets::tsv("demo", "dev").is_none());
    assert!(assets::tsv("sst", "train").is_none());
}

#[test]
fn labels_are_balanced() {
    for folder in ["demo", "demo-pairs"] {
        for split in SPLITS {
            let rows = read(folder, split);
            let share = rows.iter().filter(|(_, label)| *label == 1).count() as f64 / rows.len() as f64;
            assert!((0.48..=0.52).contains(&share), "{folder}/{split}: {share}");
            // The rows are shuffled: the first rows alone are also balanced.
            let head = rows.iter().take(200).filter(|(_, label)| *label == 1).count();
            assert!((60..=140).contains(&head), "{folder}/{split}: {head} of the first 200");
        }
    }
}

#[test]
fn rows_are_unique() {
    for folder in ["demo", "demo-pairs"] {
        let mut seen = BTreeSet::new();
        for split in SPLITS {
            for (mut cells, _) in read(folder, split) {
                // Pairs are compared without regard to order.
                cells.sort_unstable();
                let row = cells.join("\t").to_lowercase();
                assert!(seen.insert(row.clone()), "{folder}/{split}: duplicate: {row}");
            }
        }
    }
}

/// A sentence template: fixed text and slot names alternate, fixed text first.
struct Template {
    fixed: Vec<String>,
    slots: Vec<String>,
}

/// Text in lower case with a single form of the indefinite article, for comparison with templates.
fn normalized(text: &str) -> String {
    format!(" {} ", text.to_lowercase()).replace(" an ", " a ").trim().to_owned()
}

impl Template {
    fn new(template: &str) -> Template {
        let (mut fixed, mut slots) = (vec![], vec![]);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, tail) = after.split_once('}').expect("a closed slot");
            fixed.push(before.to_lowercase().replace(" an ", " a "));
            slots.push(slot.to_owned());
            rest = tail;
        }
        fixed.push(rest.to_lowercase());
        Template { fixed, slots }
    }

    /// Whether the template generates `text`, which is `normalized`, with the slot values that `allowed` accepts.
    fn generates(&self, text: &str, allowed: &dyn Fn(&str, &str) -> bool) -> bool {
        text.strip_prefix(&self.fixed[0]).is_some_and(|rest| self.generates_from(0, rest, allowed))
    }

    fn generates_from(&self, slot: usize, rest: &str, allowed: &dyn Fn(&str, &str) -> bool) -> bool {
        let Some(name) = self.slots.get(slot) else { return rest.is_empty() };
        let next = &self.fixed[slot + 1];
        (1..=rest.len()).filter(|&end| rest.is_char_boundary(end)).any(|end| {
            let (value, tail) = rest.split_at(end);
            tail.strip_prefix(next.as_str()).is_some_and(|after| {
                (slot + 1 < self.slots.len() || after.is_empty())
                    && allowed(name, value)
                    && self.generates_from(slot + 1, after, allowed)
            })
        })
    }
}

/// The templates that the generator wrote next to the data, by task.
fn templates() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/make/frames.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("frames.json")).expect("JSON")
}

/// The templates of each split.
fn templates_of(all: &serde_json::Value, folder: &str) -> BTreeMap<&'static str, Vec<Template>> {
    let of = |split| {
        let list = all[folder]["frames"][split].as_array().expect("templates of a split");
        list.iter().map(|f| Template::new(f.as_str().expect("a template"))).collect::<Vec<_>>()
    };
    SPLITS.map(|split| (split, of(split))).into_iter().collect()
}

/// The values of each slot, `normalized`.
fn slots_of(all: &serde_json::Value, folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let slots = all[folder]["slots"].as_object().expect("slots");
    let values = |list: &serde_json::Value| {
        let list = list.as_array().expect("values of a slot");
        list.iter().map(|v| normalized(v.as_str().expect("a value"))).collect()
    };
    slots.iter().map(|(name, list)| (name.clone(), values(list))).collect()
}

/// Checks that a template of its own split generates each text, and no template of another split does.
fn check_leaks(folder: &str) {
    let all = templates();
    let templates = templates_of(&all, folder);
    let slots = slots_of(&all, folder);
    let allowed = |slot: &str, value: &str| slots[slot].contains(value);
    for split in SPLITS {
        for (cells, _) in read(folder, split) {
            for cell in cells {
                let text = normalized(cell);
                for (from, templates) in &templates {
                    let is_generated = templates.iter().any(|template| template.generates(&text, &allowed));
                    assert_eq!(is_generated, *from == split, "{folder}/{split}, templates of {from}: {cell}");
                }
            }
        }
    }
}

#[test]
fn splits_share_no_sentence_template() {
    check_leaks("demo");
}

#[test]
fn splits_share_no_question_template() {
    check_leaks("demo-pairs");
}

#[test]
fn template_generates_only_allowed_values() {
    let template = Template::new("The {aspect} was {adj+}, but {event-}.");
    let words = |_: &str, value: &str| ["plot", "thin", "i left"].contains(&value);
    assert!(template.generates(&normalized("The plot was thin, but I left."), &words));
    assert!(!template.generates(&normalized("The plot was dull, but I left."), &words));
    assert!(!template.generates(&normalized("The plot was thin, but I left. Really."), &words));
}

#[test]
fn vocabulary_covers_all_characters() {
    let model = assets::demo_model();
    let vocabulary = model.require("vocab.txt").expect("vocab.txt");
    let pieces: BTreeSet<&str> = std::str::from_utf8(&vocabulary).expect("UTF-8").lines().collect();
    for special in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] {
        assert!(pieces.contains(special));
    }
    let mut needed: BTreeSet<char> = ('!'..='~').collect();
    for folder in ["demo", "demo-pairs"] {
        for split in SPLITS {
            needed.extend(assets::tsv(folder, split).expect("rows").chars());
        }
    }
    for c in needed.into_iter().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()) {
        assert!(pieces.contains(c.to_string().as_str()), "{c:?}");
        assert!(!c.is_alphanumeric() || pieces.contains(format!("##{c}").as_str()), "##{c}");
    }
}

#[test]
fn model_files_are_consistent_and_small() {
    let model = assets::demo_model();
    assert_eq!(model.name, "demo");
    let sizes = MODEL_FILES.map(|file| model.require(file).expect(file).len());
    let data: usize = ["demo", "demo-pairs"]
        .iter()
        .flat_map(|folder| SPLITS.map(|split| assets::tsv(folder, split).expect("rows").len()))
        .sum();
    let total = sizes.iter().sum::<usize>() + data;
    assert!(total < 4_000_000, "{total} bytes are embedded");

    let config: serde_json::Value =
        serde_json::from_slice(&model.require("config.json").expect("config")).expect("JSON");
    let vocabulary = model.require("vocab.txt").expect("vocab.txt");
    let lines = std::str::from_utf8(&vocabulary).expect("UTF-8").lines().collect::<Vec<_>>();
    assert_eq!(config["vocab_size"], lines.len());
    let tokenizer: serde_json::Value =
        serde_json::from_slice(&model.require("tokenizer.json").expect("tokenizer")).expect("JSON");
    let ids = tokenizer["model"]["vocab"].as_object().expect("a vocabulary");
    assert_eq!(ids.len(), lines.len());
    for (id, piece) in lines.iter().enumerate() {
        assert_eq!(ids[*piece], id, "{piece}");
    }

    let weights = model.require("model.safetensors").expect("weights");
    let tensors = safetensors::SafeTensors::deserialize(&weights).expect("safetensors");
    let embeddings = tensors.tensor("embeddings.word_embeddings.weight").expect("word embeddings");
    assert_eq!(embeddings.shape(), [lines.len(), config["hidden_size"].as_u64().expect("a size") as usize]);
    // The weights are pretrained: newly initialized ones have zero biases.
    let bias = tensors.tensor("pooler.dense.bias").expect("pooler");
    assert!(bias.data().iter().any(|&byte| byte != 0));
}
