//! Loads every parameter of a classifier from a model folder, as f32 in host memory. Adapters are merged with the weights of
//! their base model on the way.
//!
//! Names are normalized before they are matched: the prefix `module.` of data parallelism and the family's prefix are
//! optional, and the old names `gamma` and `beta` of LayerNorm stand for `weight` and `bias`.

use super::adapter::{ModelTensor, merge_adapter};
use super::architecture::is_output_parameter;
use super::config::ModelConfig;
use super::engine::{Array, Engine, Weights};
use super::error_text::list_names;
use super::head::Head;
use super::params::{Init, ModelPart, ParamSpec};
use super::weight_files::stored_tensors;
use crate::error::{Error, Result};
use crate::files::{ADAPTER_WEIGHTS, ModelFolder};
use crate::format::{bytes, count};
use crate::machine;
use crate::text::plural;
use kernels::rng::{Rng, Stream};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// How the parameters of the model and the tensors of the files match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Parameters loaded from the files.
    pub loaded: Vec<String>,
    /// Parameters that the files lack, have in another shape or have for other labels. They are newly initialized.
    pub missing: Vec<String>,
    /// Tensors of the files that the model does not use.
    pub unexpected: Vec<String>,
    /// Those of `missing` that the files have in another shape, with both shapes.
    pub mismatched: Vec<String>,
}

impl LoadReport {
    /// One line with the number of tensors in each group and the names of the first few.
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("{} tensors loaded", self.loaded.len())];
        if self.missing.is_empty() {
            parts.push("none newly initialized".into());
        } else {
            parts.push(format!("{} newly initialized ({})", self.missing.len(), list_names(&self.missing)));
        }
        if !self.mismatched.is_empty() {
            parts.push(format!("shape mismatch in {}", list_names(&self.mismatched)));
        }
        if !self.unexpected.is_empty() {
            parts.push(format!("{} unused ({})", self.unexpected.len(), list_names(&self.unexpected)));
        }
        parts.join(", ")
    }
}

/// The tensors of a model folder, by normalized name. Only the headers of the files are read.
#[derive(Debug)]
pub(crate) struct StoredModel<'a> {
    config: &'a ModelConfig,
    prefix: String,
    tensors: BTreeMap<String, ModelTensor>,
    /// Tensors whose normalized name another tensor has, too.
    duplicates: Vec<String>,
}

impl<'a> StoredModel<'a> {
    /// Reads the headers of the weights of `folder`. Of two tensors with the same normalized name, the last one in
    /// alphabetical order is kept.
    ///
    /// # Errors
    /// No weights; a damaged file; fewer tensors than `config` has layers; an adapter that does not match its base model.
    pub(crate) fn open(folder: &ModelFolder, config: &'a ModelConfig) -> Result<Self> {
        let prefix = format!("{}.", config.architecture.names.prefix);
        let (mut tensors, mut duplicates) = (BTreeMap::new(), Vec::new());
        for (name, tensor) in stored_tensors(folder)? {
            // A buffer of old checkpoints: the numbers 0, 1, 2, ….
            if name.ends_with("position_ids") {
                continue;
            }
            if let Some(duplicate) = tensors.insert(normalized_name(&name, &prefix), ModelTensor::new(tensor))
            {
                duplicates.push(duplicate.name().to_owned());
            }
        }
        merge_adapter(folder, &mut tensors, &|name| normalized_name(name, &prefix))?;
        // The list of parameters is as long as the number of layers, so that is checked first.
        let layers = config.sharing.parameter_sets();
        if layers > tensors.len() {
            let found = plural(tensors.len(), "tensor");
            let problem = format!("config.json implies {layers} layers, but the weights have only {found}");
            return Err(Error::model(&config.model, problem));
        }
        Ok(StoredModel { config, prefix, tensors, duplicates })
    }

    /// The number of outputs of the classification head; `None` without one.
    pub(crate) fn head_outputs(&self) -> Option<usize> {
        let name = format!("{}.weight", self.config.architecture.names.classifier);
        match self.tensors.get(&name)?.shape() {
            [outputs, hidden] if *hidden == self.config.hidden => Some(*outputs),
            _ => None,
        }
    }

    /// Loads the parameters `specs`. Head parameters that are missing or have another shape, or that `head` replaces,
    /// are newly initialized, keyed by `seed`.
    ///
    /// # Errors
    /// An encoder parameter that is missing or has another shape; a value that is not finite; [`Error::Device`] for a
    /// model larger than memory. The message names the tensor.
    pub(crate) fn load(
        mut self,
        specs: &[ParamSpec],
        seed: u64,
        head: &Head,
    ) -> Result<(Weights, LoadReport)> {
        let mut report = LoadReport::default();
        let (mut matched, mut missing) = (Vec::new(), Vec::new());
        for (index, spec) in specs.iter().enumerate() {
            match self.take(spec, head, &mut report)? {
                Some(tensor) => matched.push((spec, tensor)),
                None => missing.push((index, spec)),
            }
        }
        if let Some(name) = self.tensors.values().find_map(ModelTensor::adapter_tensor) {
            let problem = format!("tensor {name} of {ADAPTER_WEIGHTS} matches no parameter of the model");
            return Err(Error::model(&self.config.model, problem));
        }
        let parameters = specs.iter().map(|spec| spec.shape.iter().product::<usize>() as u64).sum();
        check_memory(&self.config.model, parameters)?;
        let read = |(spec, tensor): (&ParamSpec, ModelTensor)| {
            let mut array = tensor.read(&self.config.model)?;
            if let Head::Permute(outputs) = head
                && is_output_parameter(&spec.name)
            {
                array = permuted_rows(&array, outputs);
            }
            Ok((spec.name.clone(), array))
        };
        let mut weights: Weights = matched.into_par_iter().map(read).collect::<Result<_>>()?;
        let rng = Rng::new(seed, Stream::Weights);
        for (index, spec) in missing {
            weights.insert(spec.name.clone(), init_tensor(spec, index, self.config, rng));
        }
        report.unexpected.extend(self.tensors.values().map(|tensor| tensor.name().to_owned()));
        report.unexpected.append(&mut self.duplicates);
        report.unexpected.sort_unstable();
        Ok((weights, report))
    }

    /// The tensor of a parameter, which must have its shape; `None` if it is newly initialized.
    fn take(
        &mut self,
        spec: &ParamSpec,
        head: &Head,
        report: &mut LoadReport,
    ) -> Result<Option<ModelTensor>> {
        let model = &self.config.model;
        let is_replaced = *head == Head::Replace && is_output_parameter(&spec.name);
        match self.tensors.remove(&normalized_name(&spec.name, &self.prefix)) {
            Some(tensor) if tensor.shape() == spec.shape && !is_replaced => {
                report.loaded.push(spec.name.clone());
                return Ok(Some(tensor));
            }
            Some(tensor) if spec.part == ModelPart::Head => {
                if tensor.shape() != spec.shape {
                    let (name, found) = (tensor.name(), tensor.shape());
                    report.mismatched.push(format!("{name}: {found:?}, expected {:?}", spec.shape));
                }
            }
            None if spec.part == ModelPart::Head => {}
            Some(tensor) => {
                let (name, found, expected) = (tensor.name(), tensor.shape(), &spec.shape);
                let problem = format!("tensor {name} has shape {found:?}; config.json implies {expected:?}");
                return Err(Error::model(model, problem));
            }
            None => {
                let problem =
                    format!("tensor {} is missing; the weights do not match config.json", spec.name);
                return Err(Error::model(model, problem));
            }
        }
        report.missing.push(spec.name.clone());
        Ok(None)
    }
}

/// # Errors
/// [`Error::Device`] if the parameters, as f32 in host memory, exceed the available memory, or the total memory once an
/// engine has a copy.
fn check_memory(model: &str, parameters: u64) -> Result<()> {
    let array_bytes = parameters.saturating_mul(size_of::<f32>() as u64);
    match machine::memory() {
        Some(memory) if array_bytes > memory.available || array_bytes.saturating_mul(2) > memory.total => {
            Err(Error::Device(format!(
                "model {model} has {} parameters, which take {} and as much again in the engine, but only {} of {} \
                 memory are available; use a smaller model",
                count(parameters),
                bytes(array_bytes),
                bytes(memory.available),
                bytes(memory.total)
            )))
        }
        _ => Ok(()),
    }
}

/// Brings the outputs of a classifier into another order: output i becomes that of index `order[i]`.
///
/// # Errors
/// Those of the engine.
pub fn permute_outputs(engine: &mut dyn Engine, order: &[usize]) -> Result<()> {
    if order.is_sorted() {
        return Ok(());
    }
    let mut weights = engine.weights()?;
    for (name, array) in &mut weights {
        if is_output_parameter(name) {
            *array = permuted_rows(array, order);
        }
    }
    engine.set_weights(&weights)
}

/// Divides the logits of a classifier by `temperature`: the weights and the bias of the linear layer that computes them.
///
/// # Errors
/// Those of the engine.
pub fn divide_outputs(engine: &mut dyn Engine, temperature: f64) -> Result<()> {
    let mut weights = engine.weights()?;
    let outputs = weights.iter_mut().filter(|(name, _)| is_output_parameter(name));
    for element in outputs.flat_map(|(_, array)| &mut array.data) {
        *element = (f64::from(*element) / temperature) as f32;
    }
    engine.set_weights(&weights)
}

/// The rows of an array in another order: row i is row `order[i]` of the original.
fn permuted_rows(array: &Array, order: &[usize]) -> Array {
    let width = array.shape.iter().skip(1).product::<usize>();
    let row = |index: &usize| array.data.get(index * width..(index + 1) * width).unwrap_or_default();
    Array { shape: array.shape.clone(), data: order.iter().flat_map(row).copied().collect() }
}

/// The name without `module.`, which PyTorch's data parallelism adds, without the family's prefix, and with `gamma` and
/// `beta` replaced by `weight` and `bias`.
fn normalized_name(name: &str, prefix: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let name = name.strip_prefix(prefix).unwrap_or(name);
    match name.rsplit_once('.') {
        Some((module, "gamma")) => format!("{module}.weight"),
        Some((module, "beta")) => format!("{module}.bias"),
        _ => name.to_owned(),
    }
}

/// A newly initialized parameter. Element `i` of the parameter at `index` in the list of parameters is draw
/// (0, `index`, `i`) of the stream of weights.
fn init_tensor(spec: &ParamSpec, index: usize, config: &ModelConfig, rng: Rng) -> Array {
    let len: usize = spec.shape.iter().product();
    let normal = |deviation: f64| {
        let draw = |element| deviation * cut_normal(rng, index as u32, element, config.initializer_cutoff);
        (0..len as u64).map(|element| draw(element) as f32).collect()
    };
    let data = match spec.init {
        Init::Zeros => vec![0.0; len],
        Init::Uniform => {
            let bound = 1.0 / (spec.shape[1] as f64).sqrt();
            let draw = |element| bound * (2.0 * rng.uniform(0, index as u32, element) - 1.0);
            (0..len as u64).map(|element| draw(element) as f32).collect()
        }
        Init::Ones => vec![1.0; len],
        Init::Normal => normal(config.initializer_range),
        Init::ResidualNormal => normal(config.initializer_range / (2.0 * config.layers as f64).sqrt()),
        Init::HiddenNormal => normal((config.hidden as f64).powf(-0.5)),
    };
    Array { shape: spec.shape.clone(), data }
}

/// Cutoffs up to which draws from a uniform distribution are accepted more often than those from a normal one.
const UNIFORM_CUTOFF: f64 = 1.0;

/// A draw from the standard normal distribution within ± `cutoff`, by rejection. The major coordinate counts the draws.
fn cut_normal(rng: Rng, minor: u32, element: u64, cutoff: f64) -> f64 {
    let uniform = |draw: u32| {
        let x = cutoff * (2.0 * rng.uniform(2 * draw, minor, element) - 1.0);
        (rng.uniform(2 * draw + 1, minor, element) <= (-0.5 * x * x).exp()).then_some(x)
    };
    let normal = |draw: u32| Some(rng.normal(draw, minor, element)).filter(|x| x.abs() <= cutoff);
    let accepted =
        (0..1000).find_map(|draw| if cutoff <= UNIFORM_CUTOFF { uniform(draw) } else { normal(draw) });
    accepted.unwrap_or(0.0)
}

/// Parameters that no file provides, newly initialized; the first has the index `first` in the list of all parameters.
pub(crate) fn init_adapters(config: &ModelConfig, specs: &[ParamSpec], first: usize, seed: u64) -> Weights {
    let rng = Rng::new(seed, Stream::Weights);
    let init = |(index, spec): (usize, &ParamSpec)| {
        (spec.name.clone(), init_tensor(spec, first + index, config, rng))
    };
    specs.iter().enumerate().map(init).collect()
}

/// All parameters, newly initialized.
pub(crate) fn init_weights(config: &ModelConfig, specs: &[ParamSpec], seed: u64) -> Weights {
    let rng = Rng::new(seed, Stream::Weights);
    let init =
        |(index, spec): (usize, &ParamSpec)| (spec.name.clone(), init_tensor(spec, index, config, rng));
    specs.iter().enumerate().map(init).collect()
}

#[cfg(test)]
mod tests {
    use super::super::params::param_specs;
    use super::super::save::write_arrays;
    use super::*;
    use std::path::Path;

    const CONFIG: &str = r#"{"model_type": "bert", "vocab_size": 11, "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 6, "type_vocab_size": 2}"#;

    fn config() -> ModelConfig {
        ModelConfig::parse("m", CONFIG.as_bytes()).expect("a valid configuration")
    }

    /// Writes the weights of a classifier with two classes to `folder`, with names mapped by `rename`.
    fn write(folder: &Path, rename: impl Fn(&str) -> Option<String>) -> Weights {
        let weights = init_weights(&config(), &param_specs(&config(), 2), 1);
        let renamed: Weights = weights.iter().filter_map(|(n, a)| Some((rename(n)?, a.clone()))).collect();
        write_arrays(&folder.join("model.safetensors"), &renamed, &BTreeMap::new()).expect("a file");
        weights
    }

    fn load_from(folder: &Path, labels: usize) -> Result<(Weights, LoadReport)> {
        let config = config();
        StoredModel::open(&ModelFolder::on_disk(folder), &config)?.load(
            &param_specs(&config, labels),
            7,
            &Head::Keep,
        )
    }

    #[test]
    fn old_names_and_names_without_prefix_load() {
        let renamings: [fn(&str) -> Option<String>; 3] = [
            |name| Some(name.to_owned()),
            |name| Some(name.strip_prefix("bert.").unwrap_or(name).to_owned()),
            |name| {
                let old = name.replace("LayerNorm.weight", "LayerNorm.gamma");
                Some(old.replace("LayerNorm.bias", "LayerNorm.beta"))
            },
        ];
        for renaming in renamings {
            let folder = tempfile::tempdir().expect("a folder");
            let written = write(folder.path(), renaming);
            let (weights, report) = load_from(folder.path(), 2).expect("a loaded model");
            assert_eq!(weights, written);
            assert_eq!((report.loaded.len(), report.missing.len(), report.unexpected.len()), (25, 0, 0));
        }
    }

    #[test]
    fn missing_or_mismatched_head_is_initialized() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |name| Some(name.to_owned()));
        let (weights, report) = load_from(folder.path(), 3).expect("a loaded model");
        assert_eq!(report.missing, ["classifier.weight", "classifier.bias"]);
        assert_eq!(weights["classifier.weight"].shape, [3, 4]);
        assert!(report.summary().contains("shape mismatch in classifier.weight: [2, 4], expected [3, 4]"));

        write(folder.path(), |name| {
            let renamed = name.replace("classifier.", "cls.predictions.");
            (!name.contains("pooler")).then_some(renamed)
        });
        let (again, report) = load_from(folder.path(), 3).expect("a loaded model");
        assert_eq!(report.missing.len(), 4);
        assert_eq!(report.unexpected, ["cls.predictions.bias", "cls.predictions.weight"]);
        assert_eq!(again["classifier.weight"], weights["classifier.weight"], "the same seed");
        assert_eq!(
            report.summary(),
            "21 tensors loaded, 4 newly initialized (bert.pooler.dense.weight, bert.pooler.dense.bias, \
             classifier.weight, classifier.bias), 2 unused (cls.predictions.bias, cls.predictions.weight)"
        );
    }

    /// Mean 0 and, with a cutoff of 2, a variance of 0.774 (`scipy.stats.truncnorm(-2, 2).var()`).
    #[test]
    fn normal_distribution_is_cut_off() {
        let rng = Rng::new(1, Stream::Weights);
        for (cutoff, variance) in [(2.0, 0.773_7), (0.5, 0.080_6), (f64::INFINITY, 1.0)] {
            let draws: Vec<f64> = (0..20_000).map(|element| cut_normal(rng, 3, element, cutoff)).collect();
            assert!(draws.iter().all(|x| x.abs() <= cutoff));
            let mean = |f: fn(f64) -> f64| draws.iter().map(|x| f(*x)).sum::<f64>() / draws.len() as f64;
            assert!(mean(|x| x).abs() < 0.02, "{cutoff}: {}", mean(|x| x));
            assert!((mean(|x| x * x) / variance - 1.0).abs() < 0.03, "{cutoff}: {}", mean(|x| x * x));
        }
        assert_eq!(cut_normal(rng, 3, 7, f64::INFINITY), rng.normal(0, 3, 7));
        assert_eq!(cut_normal(rng, 3, 7, 0.0), 0.0);
    }

    #[test]
    fn missing_or_mismatched_encoder_parameter_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), |name| (!name.contains("query.bias")).then(|| name.to_owned()));
        let error = load_from(folder.path(), 2).expect_err("a missing tensor").to_string();
        assert!(
            error.contains("tensor bert.encoder.layer.0.attention.self.query.bias is missing"),
            "{error}"
        );

        write(folder.path(), |name| Some(name.to_owned()));
        let wider =
            ModelConfig::parse("m", CONFIG.replace("11", "12").as_bytes()).expect("a valid configuration");
        let stored = StoredModel::open(&ModelFolder::on_disk(folder.path()), &wider).expect("headers");
        let error = stored.load(&param_specs(&wider, 2), 7, &Head::Keep).expect_err("a larger vocabulary");
        let error = error.to_string();
        assert!(
            error.contains("word_embeddings.weight has shape [11, 4]; config.json implies [12, 4]"),
            "{error}"
        );
    }

    #[test]
    fn missing_or_damaged_weight_files_are_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = load_from(folder.path(), 2).expect_err("an empty folder").to_string();
        assert!(error.contains("model.safetensors") && error.contains("pytorch_model.bin"), "{error}");
        write(folder.path(), |name| Some(name.to_owned()));
        let file = folder.path().join("model.safetensors");
        let bytes = std::fs::read(&file).expect("the file");
        for end in [4, 100, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..end]).expect("a truncated file");
            let error = load_from(folder.path(), 2).expect_err("a truncated file").to_string();
            assert!(error.contains("model.safetensors") && !error.contains('\n'), "{error}");
        }
        std::fs::remove_file(&file).expect("removed");
        std::fs::write(folder.path().join("pytorch_model.bin"), b"PK\x03\x04cut").expect("a truncated file");
        let error = load_from(folder.path(), 2).expect_err("a truncated file").to_string();
        assert!(error.contains("pytorch_model.bin") && !error.contains('\n'), "{error}");
    }
}
