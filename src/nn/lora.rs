//! Low-rank adapters (LoRA, Hu et al. 2021, <https://arxiv.org/abs/2106.09685>): the weight W of a linear layer becomes
//! W + α/r · B A, where A (r, inputs) and B (outputs, r) are trained and W is not.
//!
//! The engines compute with the sum. The gradients of the factors follow from that of the sum:
//! d_A = α/r · Bᵀ d_W and d_B = α/r · d_W Aᵀ, which is exact because the adapters have no dropout of their own.

use super::architecture::LayerNames;
use super::config::ModelConfig;
use super::params::{Init, ModelPart, ParamSpec};
use crate::spec::{LoraTargetModules, RunSpec};

/// The module of A below the linear layer, as PEFT names it.
const A: &str = "lora_A";
/// The module of B.
const B: &str = "lora_B";

/// The adapters of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lora {
    /// The rank r.
    pub rank: usize,
    /// α: the sum has α/r · B A.
    pub alpha: f64,
    /// The linear layers with adapters.
    pub target_modules: LoraTargetModules,
}

/// The adapter of a linear layer: the names of its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adapter {
    /// The linear layer.
    pub(crate) module: String,
    /// Outputs and inputs of the linear layer.
    pub(crate) shape: [usize; 2],
}

impl Adapter {
    /// The module whose first factor is the parameter `name`, if it is one.
    pub(crate) fn module_of(name: &str) -> Option<&str> {
        name.strip_suffix(&format!(".{A}.weight"))
    }

    /// The adapters that `specs` have.
    pub(crate) fn all(specs: &[ParamSpec]) -> Vec<Adapter> {
        let of = |spec: &ParamSpec| {
            let module = Self::module_of(&spec.name)?;
            let weight = format!("{module}.weight");
            let linear =
                specs.iter().find(|spec| spec.name == weight).expect("an adapter has a linear layer");
            Some(Adapter { module: module.to_owned(), shape: [linear.shape[0], linear.shape[1]] })
        };
        specs.iter().filter_map(of).collect()
    }

    /// The module of A.
    pub(crate) fn a(&self) -> String {
        format!("{}.{A}", self.module)
    }

    /// The module of B.
    pub(crate) fn b(&self) -> String {
        format!("{}.{B}", self.module)
    }
}

/// Whether a parameter belongs to an adapter.
pub(crate) fn is_adapter(name: &str) -> bool {
    Adapter::module_of(name).is_some() || name.ends_with(&format!(".{B}.weight"))
}

/// Whether a parameter has a gradient of zeros as long as its adapter adds nothing: A, since B is zero at first.
pub(crate) fn is_without_first_gradient(name: &str) -> bool {
    Adapter::module_of(name).is_some()
}

impl Lora {
    /// That of a specification, if it has a rank.
    pub fn from_spec(spec: &RunSpec) -> Option<Self> {
        let rank = spec.lora_r?;
        Some(Lora {
            rank,
            alpha: spec.lora_alpha.unwrap_or(2.0 * rank as f64),
            target_modules: spec.lora_target_modules.unwrap_or(LoraTargetModules::QueryValue),
        })
    }

    /// α/r
    pub(crate) fn scaling(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Gives the linear layers of the trained encoder layers adapters and freezes everything else but the head. New adapters
    /// have the initialization of PEFT: A is uniform as in `torch.nn.Linear`, and B zero.
    pub(crate) fn apply(&self, config: &ModelConfig, specs: &mut Vec<ParamSpec>) {
        let mut adapters = Vec::new();
        for (set, layer) in config.names().layers.iter().enumerate() {
            for module in self.modules(layer) {
                let weight = format!("{module}.weight");
                let found = specs.iter().find(|spec| spec.name == weight && spec.requires_grad);
                let Some(spec) = found else { continue };
                let [outputs, inputs] = [spec.shape[0], spec.shape[1]];
                let param = |kind: &str, shape: [usize; 2], init| ParamSpec {
                    name: format!("{module}.{kind}.weight"),
                    shape: shape.to_vec(),
                    init,
                    has_weight_decay: true,
                    part: ModelPart::Layer(set),
                    requires_grad: true,
                    lr_scale: spec.lr_scale,
                };
                adapters.push(param(A, [self.rank, inputs], Init::Uniform));
                adapters.push(param(B, [outputs, self.rank], Init::Zeros));
            }
        }
        for spec in specs.iter_mut().filter(|spec| spec.part != ModelPart::Head) {
            spec.requires_grad = false;
        }
        specs.extend(adapters);
    }

    /// The linear layers of a layer that have adapters.
    fn modules<'n>(&self, layer: &'n LayerNames) -> Vec<&'n str> {
        let LayerNames { query, key, value, attention_out, up, down, .. } = layer;
        let mut modules: Vec<&str> = match self.target_modules {
            LoraTargetModules::QueryValue => vec![query, value],
            LoraTargetModules::AllLinear => vec![query, key, value, attention_out, up, down],
        };
        // Queries, keys and values may be one linear layer.
        modules.dedup();
        modules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::param_groups::{FrozenPrefix, ParamGroups};
    use crate::nn::param_specs;

    fn specs(config: &str, lora: Lora, frozen: FrozenPrefix) -> Vec<ParamSpec> {
        let config = format!(
            r#"{{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2, {config}}}"#
        );
        let config = ModelConfig::parse("m", config.as_bytes()).expect("a configuration");
        let mut specs = param_specs(&config, 2);
        ParamGroups { frozen, ..ParamGroups::default() }.apply(&config, &mut specs).expect("groups");
        lora.apply(&config, &mut specs);
        assert_eq!(FrozenPrefix::of(&config, &specs), FrozenPrefix::Layers(frozen.layers()));
        specs
    }

    #[test]
    fn adapters_and_the_head_are_trained() {
        let lora = Lora { rank: 4, alpha: 8.0, target_modules: LoraTargetModules::QueryValue };
        assert_eq!(lora.scaling(), 2.0);
        let specs = specs(r#""model_type": "bert""#, lora, FrozenPrefix::Nothing);
        let trained: Vec<_> =
            specs.iter().filter(|spec| spec.requires_grad).map(|spec| spec.name.as_str()).collect();
        let adapters = |layer: usize| {
            ["query.lora_A", "query.lora_B", "value.lora_A", "value.lora_B"]
                .map(|module| format!("bert.encoder.layer.{layer}.attention.self.{module}.weight"))
        };
        let head =
            ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"];
        let expected: Vec<String> =
            head.map(String::from).into_iter().chain(adapters(0)).chain(adapters(1)).collect();
        assert_eq!(trained, expected);
        assert_eq!(Adapter::all(&specs).len(), 4);
        assert_eq!(Adapter::all(&specs)[0].shape, [8, 8]);
    }

    #[test]
    fn frozen_layers_and_joined_linear_layers() {
        let lora = Lora { rank: 2, alpha: 2.0, target_modules: LoraTargetModules::AllLinear };
        let bert = specs(r#""model_type": "bert""#, lora, FrozenPrefix::Layers(1));
        let modules = Adapter::all(&bert);
        assert_eq!(modules.len(), 6);
        assert!(modules.iter().all(|adapter| adapter.module.starts_with("bert.encoder.layer.1.")));
        let modernbert = r#""model_type": "modernbert", "pad_token_id": 0"#;
        let found = Adapter::all(&specs(modernbert, lora, FrozenPrefix::Nothing));
        // Wqkv, Wo, Wi and the second Wo of each layer.
        assert_eq!(found.len(), 2 * 4);
        assert_eq!(found[0].shape, [24, 8]);
    }
}
