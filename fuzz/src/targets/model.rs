//! Model folders and the answers of the hub.

use super::write;
use crate::mutate::files;
use crate::samples::{CONFIG, TOKENIZER, WEIGHTS};
use glue_tui::catalog::ProblemType;
use glue_tui::data::{Example, Tokenizer};
use glue_tui::files::ModelFolder;
use glue_tui::hub::{Hub, fuzzing};
use glue_tui::nn::{self, BuildOptions, read_arrays};
use glue_tui::predict::{Predictor, Thresholds};
use glue_tui::spec::{DeviceSpec, RunSpec, built_in};
use std::path::Path;
use std::sync::OnceLock;

const MAX_LENGTH: usize = 16;
/// Texts that a tokenizer may treat specially.
const TEXTS: [&str; 4] =
    ["", "the film was good", "É\u{301}\0 [MASK]##x 中文😀\u{200b}", "a b c d e f g h i j k l m n o p q r"];

/// `config.json` of a model that is trained and of one that is used.
pub fn config(folder: &Path, data: &[u8]) {
    let folder = &folder.join("model");
    if !folder.exists() {
        std::fs::create_dir(folder).expect("the folder can be created");
        write(folder, "tokenizer.json", TOKENIZER);
        write(folder, "model.safetensors", WEIGHTS);
    }
    write(folder, "config.json", data);
    build(folder);
    if let Ok(mut predictor) = Predictor::open(&folder.display().to_string(), folder, &hub(), DeviceSpec::Cpu)
    {
        let _ = predictor.predict("the film", None);
    }
}

/// `thresholds.json` of an exported model.
pub fn thresholds(_: &Path, data: &[u8]) {
    let labels = ["negative", "positive"].map(str::to_owned);
    if let Ok(thresholds) = Thresholds::parse(data, &labels) {
        thresholds.class(&labels.map(|label| (label, 0.5)));
        thresholds.has_label("positive", 0.5);
    }
}

/// The files of a tokenizer.
pub fn tokenizer(folder: &Path, data: &[u8]) {
    let folder = &folder.join("model");
    files::write(folder, data);
    let Ok(tokenizer) = Tokenizer::load(&ModelFolder::on_disk(folder), MAX_LENGTH) else { return };
    for (text, pair) in TEXTS.iter().zip(TEXTS.iter().skip(1).map(Some).chain([None])) {
        let example = Example {
            text: (*text).to_owned(),
            text_pair: pair.map(|pair| (*pair).to_owned()),
            ..Example::default()
        };
        if let Ok((encoded, _)) = tokenizer.encode(&example) {
            assert!(encoded.ids.len() <= tokenizer.max_length(), "{} ids", encoded.ids.len());
            assert!(
                encoded.ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()),
                "{:?}",
                encoded.ids
            );
            let _ = tokenizer.ids_to_tokens(&encoded.ids);
        }
        let _ = tokenizer.encode_words(&example);
    }
}

/// `model.safetensors`, also as the arrays of a checkpoint.
pub fn safetensors(folder: &Path, data: &[u8]) {
    weights(folder, "model.safetensors", data);
    let _ = read_arrays(&folder.join("model/model.safetensors"));
}

/// `pytorch_model.bin`.
pub fn legacy_weights(folder: &Path, data: &[u8]) {
    weights(folder, "pytorch_model.bin", data);
}

/// The answer of the hub to a request for the files of a repository, and an index of sharded weights.
pub fn hub_listing(_: &Path, data: &[u8]) {
    fuzzing::read_listing(data);
}

fn weights(folder: &Path, name: &str, data: &[u8]) {
    let folder = &folder.join("model");
    if !folder.exists() {
        std::fs::create_dir(folder).expect("the folder can be created");
        write(folder, "config.json", CONFIG);
    }
    write(folder, name, data);
    build(folder);
}

/// Builds an engine for training.
fn build(folder: &Path) {
    static SPEC: OnceLock<RunSpec> = OnceLock::new();
    let pairs = [("device", "cpu"), ("threads", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let spec = SPEC.get_or_init(|| built_in("fuzz").with(&pairs).expect("the keys are valid"));
    let labels = ["negative", "positive"].map(String::from);
    let labels = (&labels[..], ProblemType::SingleLabelClassification);
    let _ = nn::build(&BuildOptions::from_spec(spec, &ModelFolder::on_disk(folder), labels));
}

fn hub() -> Hub {
    Hub::cache_only()
}
