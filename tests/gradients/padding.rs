//! The padding token within a text.

use super::{build_at, cases, with_dropout, with_values};
use glue_tui::batch::{Batch, Encoded, Label};
use glue_tui::files::ModelFolder;
use glue_tui::nn::{self, StepInput};

/// As `padding_idx` in PyTorch: a padding token in a text has an embedding that gets no gradient. Neither does that of its
/// position where positions are counted from it.
#[test]
fn padding_in_a_text_has_no_gradient() {
    for ((family, _), backend) in cases() {
        let folder = with_dropout(family);
        let config = nn::ModelConfig::read(&ModelFolder::on_disk(folder.path())).expect("a configuration");
        let padding = config.padding_id.expect("a padding token");
        let mut engine = build_at(backend, folder.path(), 1, None).engine;
        let with = |token| {
            let ids = vec![8, token, 7, 9, token];
            let example = Encoded { type_ids: vec![0; ids.len()], ids, label: Some(Label::Class(1)) };
            let is_regression = family.ends_with("regression");
            let batch = Batch::new(&[example]);
            if is_regression { with_values(batch) } else { batch }
        };
        let batch = with(padding);
        let input = StepInput { batch: &batch, step: 0, learning_rate: 1e-3 };
        let (_, gradients) = engine.gradients(input).expect("gradients");
        // Whether a row of a module has a gradient; `None` for a model without the module.
        let has_gradient = |modules: &[&str], row: u32| {
            let is_named = |name: &str| modules.iter().any(|module| name.ends_with(module));
            let (name, array) = gradients.iter().find(|(name, _)| is_named(name))?;
            let mut rows = array.data.chunks_exact(array.shape[1]);
            let row = rows.nth(row as usize).unwrap_or_else(|| panic!("{name} has no row {row}"));
            Some(row.iter().any(|number| *number != 0.0))
        };
        let words = |token| has_gradient(&["word_embeddings.weight", "tok_embeddings.weight"], token);
        let expected = [true, true, true, false].map(Some);
        assert_eq!([8, 7, 9, padding].map(words), expected, "{family} {backend:?}");
        let first = (config.max_positions - config.max_tokens()) as u32;
        for position in 0..first + 3 {
            let found = has_gradient(&["position_embeddings.weight"], position);
            let expected = found.map(|_| position >= first);
            assert_eq!(found, expected, "{family} {backend:?}: position {position}");
        }
        // The token is not left out.
        let logits = engine.logits(&batch).expect("logits");
        assert_ne!(logits, engine.logits(&with(9)).expect("logits"), "{family} {backend:?}");
    }
}
