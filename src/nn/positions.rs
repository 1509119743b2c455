//! The position of each token.

use super::architecture::Positions;
use super::config::ModelConfig;
use crate::batch::Batch;

/// The row of the position embedding of each token: (tokens)
pub(crate) fn positions(config: &ModelConfig, batch: &Batch) -> Vec<u32> {
    let first = config.first_position as u32;
    let mut positions = Vec::with_capacity(batch.tokens());
    for bounds in batch.offsets.windows(2) {
        match config.architecture.positions {
            Positions::Absolute | Positions::Rotary => positions.extend(0..(bounds[1] - bounds[0]) as u32),
            Positions::AfterPadding => {
                let mut next = first;
                positions.extend(batch.ids[bounds[0]..bounds[1]].iter().map(|id| {
                    if Some(*id) == config.padding_id {
                        return *id;
                    }
                    next += 1;
                    next - 1
                }));
            }
        }
    }
    positions
}

/// The row of the position embedding that gets no gradient, if there is one.
pub(crate) fn padding_position(config: &ModelConfig) -> Option<u32> {
    match config.architecture.positions {
        Positions::Absolute | Positions::Rotary => None,
        Positions::AfterPadding => config.padding_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Encoded;

    #[test]
    fn padding_within_a_text_is_not_counted() {
        let examples = [vec![5, 1, 7, 1, 8], vec![9]];
        let batch =
            Batch::new(&examples.map(|ids| Encoded { type_ids: vec![0; ids.len()], ids, label: None }));
        let sizes = r#""vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 12, "type_vocab_size": 1"#;
        let config = |model_type: &str, keys: &str| {
            let text = format!(r#"{{"model_type": "{model_type}", {sizes}{keys}}}"#);
            ModelConfig::parse("m", text.as_bytes()).unwrap()
        };
        assert_eq!(positions(&config("bert", ""), &batch), [0, 1, 2, 3, 4, 0]);
        let roberta = config("roberta", "");
        assert_eq!(positions(&roberta, &batch), [2, 1, 3, 1, 4, 2]);
        assert_eq!((roberta.max_tokens(), padding_position(&roberta)), (10, Some(1)));
        assert_eq!(positions(&config("roberta", r#", "pad_token_id": 3"#), &batch), [4, 5, 6, 7, 8, 4]);
    }
}
