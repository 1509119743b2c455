//! The inputs and the output of a graph, under the names of Optimum.

use super::graph::{GraphBuilder, Value};
use super::proto::AttributeProto;
use crate::nn::config::ModelConfig;

/// Token ids, whole numbers: (batch, sequence)
pub(super) const INPUT_IDS: &str = "input_ids";
/// 1 for tokens, 0 for padding: (batch, sequence)
pub(super) const ATTENTION_MASK: &str = "attention_mask";
/// The segment of each token, for a model with more than one: (batch, sequence)
pub(super) const TOKEN_TYPE_IDS: &str = "token_type_ids";
/// The output: (batch, labels)
pub(super) const LOGITS: &str = "logits";

/// The inputs of the graph of a model.
pub(super) fn input_names(config: &ModelConfig) -> Vec<&'static str> {
    let segments = (config.type_vocab > 1).then_some(TOKEN_TYPE_IDS);
    [INPUT_IDS, ATTENTION_MASK].into_iter().chain(segments).collect()
}

/// The length of the padded sequences.
pub(super) struct SequenceLength {
    /// As a number.
    pub(super) scalar: Value,
    /// As a list of one number.
    pub(super) list: Value,
}

impl SequenceLength {
    pub(super) fn new(graph: &mut GraphBuilder) -> Self {
        let second = vec![AttributeProto::int("start", 1), AttributeProto::int("end", 2)];
        let list = graph.node("Shape", &[&Value::input(INPUT_IDS)], second);
        let axes = graph.ints(&[0]);
        SequenceLength { scalar: graph.node("Squeeze", &[&list, &axes], Vec::new()), list }
    }
}
