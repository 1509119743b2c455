//! Which parameters are trained, and at which learning rate.

use super::config::ModelConfig;
use super::params::{ModelPart, ParamSpec};
use crate::error::{Error, Result};
use crate::spec::RunSpec;
use crate::text::plural;

/// Groups of parameters as in `torch.optim`, by their place in the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamGroups {
    /// The learning rate of each layer as a factor of that of the layer above; 1 for equal rates.
    pub layerwise_lr_decay: f64,
    /// The learning rate of pooler and classifier as a factor of the scheduled one.
    pub head_lr_scale: f64,
    /// What keeps the weights of the pretrained model.
    pub frozen: FrozenPrefix,
}

impl Default for ParamGroups {
    /// Every parameter is trained, at the same learning rate.
    fn default() -> Self {
        ParamGroups { layerwise_lr_decay: 1.0, head_lr_scale: 1.0, frozen: FrozenPrefix::default() }
    }
}

/// The first part of a model, which is not trained. It computes as in evaluation, without dropout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrozenPrefix {
    /// Everything is trained.
    #[default]
    Nothing,
    /// The embeddings and that many encoder layers.
    Layers(usize),
}

impl FrozenPrefix {
    /// Number of frozen layers.
    pub(crate) fn layers(self) -> usize {
        match self {
            FrozenPrefix::Nothing => 0,
            FrozenPrefix::Layers(layers) => layers,
        }
    }

    /// Whether the embeddings are frozen.
    pub(crate) fn has_embeddings(self) -> bool {
        self != FrozenPrefix::Nothing
    }

    /// The frozen prefix of the parameters `specs` of a model with the configuration `config`.
    pub(crate) fn of(config: &ModelConfig, specs: &[ParamSpec]) -> Self {
        let is_frozen =
            |part: ModelPart| specs.iter().filter(|spec| spec.part == part).all(|spec| !spec.requires_grad);
        if !is_frozen(ModelPart::Embeddings) {
            return FrozenPrefix::Nothing;
        }
        let is_frozen_layer =
            |layer: &usize| is_frozen(ModelPart::Layer(config.sharing.parameter_set(*layer)));
        FrozenPrefix::Layers((0..config.layers).take_while(is_frozen_layer).count())
    }
}

impl ParamGroups {
    /// The groups of a specification.
    pub(crate) fn from_spec(spec: &RunSpec) -> Self {
        let frozen = match spec.freeze_layers {
            None | Some(0) if !spec.freeze_embeddings => FrozenPrefix::Nothing,
            layers => FrozenPrefix::Layers(layers.unwrap_or(0)),
        };
        ParamGroups {
            layerwise_lr_decay: spec.layerwise_lr_decay.unwrap_or(1.0),
            head_lr_scale: spec.head_learning_rate.map_or(1.0, |rate| rate / spec.learning_rate),
            frozen,
        }
    }

    /// Sets `requires_grad` and `lr_scale` of the parameters of a model. As in timm's `param_groups_layer_decay`, the learning
    /// rate falls by the factor from the head, which has the scheduled rate, to the last layer, to the layer below, and so on
    /// down to the embeddings.
    ///
    /// # Errors
    /// [`Error::Usage`] if the model has fewer layers than are frozen, or if some frozen layers share their parameters with
    /// layers that are not.
    pub(crate) fn apply(&self, config: &ModelConfig, specs: &mut [ParamSpec]) -> Result<()> {
        let layers = config.layers;
        let frozen_layers = self.frozen.layers();
        if frozen_layers > layers {
            return Err(Error::Usage(format!(
                "freeze_layers is {frozen_layers}, but model {} has {}",
                config.model,
                plural(layers, "layer")
            )));
        }
        for spec in specs {
            let (distance, is_frozen) = match spec.part {
                ModelPart::Head | ModelPart::FinalNorm => (0, false),
                ModelPart::Layer(set) => {
                    let mut of_set = (0..layers).filter(|layer| config.sharing.parameter_set(*layer) == set);
                    let first = of_set.next().expect("a layer of each parameter set");
                    let last = of_set.next_back().unwrap_or(first);
                    if first < frozen_layers && last >= frozen_layers {
                        return Err(Error::Usage(format!(
                            "freeze_layers is {frozen_layers}, but layers {} and {} of model {} have the same \
                             parameters; freeze all {layers} layers, or none",
                            first + 1,
                            last + 1,
                            config.model
                        )));
                    }
                    (layers - last, last < frozen_layers)
                }
                ModelPart::Embeddings => (layers + 1, self.frozen.has_embeddings()),
            };
            let head = if spec.part == ModelPart::Head { self.head_lr_scale } else { 1.0 };
            spec.lr_scale = head * self.layerwise_lr_decay.powi(distance as i32);
            spec.requires_grad = !is_frozen;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::param_specs;

    fn specs(config: &str, groups: &ParamGroups) -> Result<(ModelConfig, Vec<ParamSpec>)> {
        let config = format!(
            r#"{{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 8, "type_vocab_size": 2, {config}}}"#
        );
        let config = ModelConfig::parse("m", config.as_bytes()).expect("a configuration");
        let mut specs = param_specs(&config, 2);
        groups.apply(&config, &mut specs)?;
        Ok((config, specs))
    }

    const BERT: &str = r#""model_type": "bert""#;
    const ALBERT: &str = r#""model_type": "albert", "embedding_size": 4"#;

    #[test]
    fn learning_rate_decays_from_the_head_to_the_embeddings() {
        let groups = ParamGroups { layerwise_lr_decay: 0.5, head_lr_scale: 3.0, ..ParamGroups::default() };
        let (_, specs) = specs(BERT, &groups).unwrap();
        let scale = |name: &str| specs.iter().find(|spec| spec.name.contains(name)).unwrap().lr_scale;
        let scales = ["classifier.weight", "pooler", "layer.2.", "layer.1.", "layer.0.", "word_embeddings"];
        assert_eq!(scales.map(scale), [3.0, 3.0, 0.5, 0.25, 0.125, 0.0625]);
        assert!(specs.iter().all(|spec| spec.requires_grad));
    }

    #[test]
    fn frozen_prefix_is_found_from_its_parameters() {
        for frozen in
            [FrozenPrefix::Nothing, FrozenPrefix::Layers(0), FrozenPrefix::Layers(2), FrozenPrefix::Layers(3)]
        {
            let (config, specs) = specs(BERT, &ParamGroups { frozen, ..ParamGroups::default() }).unwrap();
            assert_eq!(FrozenPrefix::of(&config, &specs), frozen);
            let is_trained =
                |name: &str| specs.iter().any(|spec| spec.name.contains(name) && spec.requires_grad);
            assert!(is_trained("pooler") && is_trained("classifier"));
            assert_eq!(is_trained("layer.1."), frozen.layers() < 2);
            assert_eq!(is_trained("position_embeddings"), !frozen.has_embeddings());
        }
    }

    #[test]
    fn layers_with_the_same_parameters_are_frozen_together() {
        let error = |config: &str, layers| {
            let frozen = FrozenPrefix::Layers(layers);
            let groups = ParamGroups { frozen, ..ParamGroups::default() };
            specs(config, &groups).err().map(|error| error.to_string())
        };
        assert!(error(ALBERT, 2).unwrap().contains("layers 1 and 3 of model m have the same parameters"));
        assert_eq!((error(ALBERT, 0), error(ALBERT, 3)), (None, None));
        assert!(error(BERT, 4).unwrap().contains("freeze_layers is 4, but model m has 3 layers"));
    }
}
