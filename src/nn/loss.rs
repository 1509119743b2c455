//! What the losses of all engines have in common.

use crate::batch::{Batch, Label};

/// What the sum of the losses of `batch`, which has at least one labelled example, is divided by, as with
/// `reduction="mean"` in PyTorch. For `torch.nn.CrossEntropyLoss` it is the sum of the weights of the examples'
/// classes, which are 1 without `class_weights`; for `torch.nn.BCEWithLogitsLoss` the number of examples times that of
/// `outputs`; for `torch.nn.MSELoss` the number of examples.
pub(crate) fn loss_denominator(batch: &Batch, outputs: usize, class_weights: Option<&[f32]>) -> f64 {
    let examples = batch.len() as f64;
    match (batch.labels.first(), class_weights) {
        (Some(Label::Class(_)), Some(weights)) => {
            let classes = batch.labels.iter().filter_map(Label::class);
            classes.filter_map(|class| weights.get(class as usize)).map(|weight| f64::from(*weight)).sum()
        }
        (Some(Label::Set(_)), _) => examples * outputs as f64,
        _ => examples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Encoded;

    fn batch(labels: [Label; 3]) -> Batch {
        let example = |label| Encoded { ids: vec![1], type_ids: vec![0], label: Some(label) };
        Batch::new(&labels.map(example))
    }

    #[test]
    fn the_mean_is_over_examples_weights_or_labels() {
        let classes = batch([0, 1, 1].map(Label::Class));
        let weights = [0.5, 2.0];
        assert_eq!(loss_denominator(&classes, 2, None), 3.0);
        assert_eq!(loss_denominator(&classes, 2, Some(&weights)), 4.5);
        let sets = batch([vec![], vec![0], vec![0, 1]].map(Label::set));
        assert_eq!(loss_denominator(&sets, 4, None), 12.0);
        assert_eq!(loss_denominator(&sets, 2, Some(&weights)), 6.0, "pos_weight does not change the divisor");
        assert_eq!(loss_denominator(&batch([0.5, 1.0, 2.0].map(Label::Value)), 1, None), 3.0);
    }
}
