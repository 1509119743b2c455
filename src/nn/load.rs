//! Weights of a model folder → every tensor that the classifier needs, in f32 on the host.
//!
//! Names are brought to one form before they are compared: the family's prefix may be there or
//! not, and LayerNorm's early `gamma` and `beta` are `weight` and `bias`.

use super::config::ModelConfig;
use super::engine::{Array, Weights};
use super::names::{Init, ParamSpec};
use super::stored::{Stored, read_stored};
use crate::error::{Error, Result};
use crate::files::ModelFolder;
use crate::rng::{Rng, Stream};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What became of the tensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Taken from the files, by their names in the classifier.
    pub loaded: Vec<String>,
    /// Newly made, by their names in the classifier.
    pub new: Vec<String>,
    /// In the files and of no use here, by their names in the files.
    pub unused: Vec<String>,
    /// Those of `new` that the files have in another shape, with both shapes.
    pub reshaped: Vec<String>,
}

impl LoadReport {
    /// One sentence: counts, and the names of what is new or unused.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("{} tensors loaded", self.loaded.len())];
        if self.new.is_empty() {
            parts.push("none newly made".into());
        } else {
            parts.push(format!("{} newly made ({})", self.new.len(), listed(&self.new)));
        }
        if !self.reshaped.is_empty() {
            parts.push(format!("because the model has another shape of {}", listed(&self.reshaped)));
        }
        if !self.unused.is_empty() {
            parts.push(format!("{} unused ({})", self.unused.len(), listed(&self.unused)));
        }
        parts.join(", ")
    }
}

/// The first names, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// Fills `slots` from the weights of `folder`; head tensors that are missing or of another shape
/// begin as their slot says, keyed by `seed`.
///
/// Errors name the file or the tensor: no weights, a torn file, an encoder tensor that is missing
/// or of another shape.
pub(crate) fn load(
    folder: &ModelFolder,
    config: &ModelConfig,
    slots: &[ParamSpec],
    seed: u64,
) -> Result<(Weights, LoadReport)> {
    let prefix = format!("{}.", config.family.name());
    let mut report = LoadReport::default();
    let mut found: BTreeMap<String, (String, Stored)> = BTreeMap::new();
    for (name, stored) in read_stored(folder)? {
        if name.ends_with("position_ids") {
            continue;
        }
        let plain = canonical(&name, &prefix);
        // Two spellings of one tensor: the first by name is taken, the other told.
        if let Some((twice, _)) = found.insert(plain.clone(), (name.clone(), stored)) {
            report.unused.push(twice);
        }
    }
    let rng = Rng::new(seed, Stream::Weights);
    let mut weights = Weights::new();
    let mut taken = Vec::new();
    for (place, slot) in slots.iter().enumerate() {
        let array = match found.remove(&canonical(&slot.name, &prefix)) {
            Some((_, stored)) if stored.shape() == slot.shape => {
                report.loaded.push(slot.name.clone());
                taken.push((slot.name.clone(), stored));
                continue;
            }
            Some((name, stored)) if slot.head => {
                report.reshaped.push(format!("{name}: {:?}, not {:?}", stored.shape(), slot.shape));
                report.new.push(slot.name.clone());
                begin(slot, place, config, rng)
            }
            None if slot.head => {
                report.new.push(slot.name.clone());
                begin(slot, place, config, rng)
            }
            Some((name, stored)) => {
                let (found, expected) = (stored.shape(), &slot.shape);
                let problem = format!(
                    "tensor {name} has shape {found:?}, and {expected:?} is expected from config.json"
                );
                return Err(Error::model(&folder.name, problem));
            }
            None => {
                let problem =
                    format!("no tensor {} in the weights; the files do not fit config.json", slot.name);
                return Err(Error::model(&folder.name, problem));
            }
        };
        weights.insert(slot.name.clone(), array);
    }
    let arrays = taken.into_par_iter().map(|(name, stored)| Ok((name, stored.into_array(&folder.name)?)));
    weights.extend(arrays.collect::<Result<Vec<_>>>()?);
    report.unused.extend(found.into_values().map(|(name, _)| name));
    report.unused.sort_unstable();
    Ok((weights, report))
}

/// The name without the family's prefix and with today's names of LayerNorm's parts.
fn canonical(name: &str, prefix: &str) -> String {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    match name.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => name.to_owned(),
    }
}

/// A new tensor. Number `i` of the tensor at `place` in the name table is the draw at
/// (0, `place`, `i`) of the seed's stream of weights.
fn begin(slot: &ParamSpec, place: usize, config: &ModelConfig, rng: Rng) -> Array {
    let len: usize = slot.shape.iter().product();
    let data = match slot.init {
        Init::Zeros => vec![0.0; len],
        Init::Ones => vec![1.0; len],
        Init::Normal => (0..len as u64)
            .map(|index| (config.initializer_range * rng.normal(0, place as u32, index)) as f32)
            .collect(),
    };
    Array { shape: slot.shape.clone(), data }
}

/// Every tensor of `slots` newly made: a model to be trained from nothing.
pub(crate) fn fresh(config: &ModelConfig, slots: &[ParamSpec], seed: u64) -> Weights {
    let rng = Rng::new(seed, Stream::Weights);
    let make = |(place, slot): (usize, &ParamSpec)| (slot.name.clone(), begin(slot, place, config, rng));
    slots.iter().enumerate().map(make).collect()
}

#[cfg(test)]
mod tests {
    use super::super::names::table;
    use super::super::save::write_arrays;
    use super::*;
    use std::path::Path;

    const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 11, "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 6, "type_vocab_size": 2}"#;

    fn config() -> ModelConfig {
        ModelConfig::parse("m", CONFIG.as_bytes()).expect("a whole file")
    }

    /// Weights of a classifier with two classes, written to `folder` under names changed by `rename`.
    fn write(folder: &Path, rename: impl Fn(&str) -> Option<String>) -> Weights {
        let weights = fresh(&config(), &table(&config(), 2), 1);
        let renamed: Weights = weights.iter().filter_map(|(n, a)| Some((rename(n)?, a.clone()))).collect();
        write_arrays(&folder.join("model.safetensors"), &renamed, &BTreeMap::new()).expect("a file");
        weights
    }

    fn load_from(folder: &Path, labels: usize) -> Result<(Weights, LoadReport)> {
        load(&ModelFolder::on_disk(folder), &config(), &table(&config(), labels), 7)
    }

    #[test]
    fn every_spelling_of_the_names_loads() {
        let spellings: [fn(&str) -> Option<String>; 3] = [
            |name| Some(name.to_owned()),
            |name| Some(name.strip_prefix("bert.").unwrap_or(name).to_owned()),
            |name| {
                let old = name.replace("LayerNorm.weight", "LayerNorm.gamma");
                Some(old.replace("LayerNorm.bias", "LayerNorm.beta"))
            },
        ];
        for spelling in spellings {
            let folder = tempfile::tempdir().expect("a folder");
            let written = write(folder.path(), spelling);
            let (weights, report) = load_from(folder.path(), 2).expect("a loaded model");
            assert_eq!(weights, written);
            assert_eq!((report.loaded.len(), report.new.len(), report.unused.len()), (25, 0, 0));
        }
    }

    #[test]
    fn the_head_is_made_when_it_is_missing_or_does_not_fit() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |name| Some(name.to_owned()));
        let (weights, report) = load_from(folder.path(), 3).expect("a loaded model");
        assert_eq!(report.new, ["classifier.weight", "classifier.bias"]);
        assert_eq!(weights["classifier.weight"].shape, [3, 4]);
        assert!(report.summary().contains("another shape of classifier.weight: [2, 4], not [3, 4]"));

        write(folder.path(), |name| {
            let renamed = name.replace("classifier.", "cls.predictions.");
            (!name.contains("pooler")).then_some(renamed)
        });
        let (again, report) = load_from(folder.path(), 3).expect("a loaded model");
        assert_eq!(report.new.len(), 4);
        assert_eq!(report.unused, ["cls.predictions.bias", "cls.predictions.weight"]);
        assert_eq!(again["classifier.weight"], weights["classifier.weight"], "the same seed");
        assert_eq!(
            report.summary(),
            "21 tensors loaded, 4 newly made (bert.pooler.dense.weight, bert.pooler.dense.bias, \
             classifier.weight, classifier.bias), 2 unused (cls.predictions.bias, cls.predictions.weight)"
        );
    }

    #[test]
    fn a_faulty_encoder_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |name| (!name.contains("query.bias")).then(|| name.to_owned()));
        let error = load_from(folder.path(), 2).expect_err("a missing tensor").to_string();
        assert!(error.contains("no tensor bert.encoder.layer.0.attention.self.query.bias"), "{error}");

        write(folder.path(), |name| Some(name.to_owned()));
        let wider = ModelConfig::parse("m", CONFIG.replace("11", "12").as_bytes()).expect("a whole file");
        let error = load(&ModelFolder::on_disk(folder.path()), &wider, &table(&wider, 2), 7)
            .expect_err("another vocabulary")
            .to_string();
        assert!(error.contains("word_embeddings.weight has shape [11, 4], and [12, 4]"), "{error}");
    }

    #[test]
    fn no_or_torn_weights_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = load_from(folder.path(), 2).expect_err("an empty folder").to_string();
        assert!(error.contains("model.safetensors") && error.contains("pytorch_model.bin"), "{error}");
        write(folder.path(), |name| Some(name.to_owned()));
        let file = folder.path().join("model.safetensors");
        let bytes = std::fs::read(&file).expect("the file");
        for end in [4, 100, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..end]).expect("a torn file");
            let error = load_from(folder.path(), 2).expect_err("a torn file").to_string();
            assert!(error.contains("model.safetensors") && !error.contains('\n'), "{error}");
        }
        std::fs::remove_file(&file).expect("gone");
        std::fs::write(folder.path().join("pytorch_model.bin"), b"PK\x03\x04torn").expect("a torn file");
        let error = load_from(folder.path(), 2).expect_err("a torn file").to_string();
        assert!(error.contains("pytorch_model.bin") && !error.contains('\n'), "{error}");
    }
}
