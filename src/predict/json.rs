//! Predictions as JSON.

use super::{ModelOutput, Prediction};
use serde_json::{Map, Value, json};

/// A prediction as the object that `glue-tui predict` prints.
pub fn to_json((text, text_pair): &(String, Option<String>), prediction: &Prediction) -> Value {
    let mut object = Map::new();
    object.insert("text".into(), json!(text));
    if let Some(text_pair) = text_pair {
        object.insert("text_pair".into(), json!(text_pair));
    }
    let output = &prediction.output;
    if let Some((label, probability)) = output.most_probable() {
        object.insert("label".into(), json!(label));
        object.insert("probability".into(), json!(probability));
    }
    match output {
        ModelOutput::Label { .. } => {}
        ModelOutput::NoLabel { .. } => drop(object.insert("label".into(), Value::Null)),
        ModelOutput::Labels { labels, .. } => drop(object.insert("labels".into(), json!(labels))),
        ModelOutput::Score { score, .. } => drop(object.insert("score".into(), json!(score))),
    }
    if !output.probabilities().is_empty() {
        object.insert("probabilities".into(), by_label(output.probabilities()));
    }
    object.insert("tokens".into(), json!(prediction.tokens));
    object.insert("truncated".into(), json!(prediction.truncated));
    Value::Object(object)
}

/// Every label with its probability. Of several outputs with the same name, the later ones are `NAME_2`, `NAME_3`, ….
fn by_label(probabilities: &[(String, f32)]) -> Value {
    let is_label = |key: &String| probabilities.iter().any(|(label, _)| label == key);
    let mut object = Map::new();
    for (label, probability) in probabilities {
        let mut key = label.clone();
        let mut number = 2;
        while object.contains_key(&key) || (number > 2 && is_label(&key)) {
            key = format!("{label}_{number}");
            number += 1;
        }
        object.insert(key, json!(probability));
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_has_every_label_or_the_score() {
        let with = |output| Prediction { output, tokens: 4, truncated: false };
        let prediction = with(ModelOutput::Label {
            label: "positive".into(),
            probability: 0.75,
            probabilities: vec![("negative".into(), 0.25), ("positive".into(), 0.75)],
        });
        assert_eq!(
            to_json(&("good".into(), None), &prediction).to_string(),
            r#"{"text":"good","label":"positive","probability":0.75,"probabilities":{"negative":0.25,"positive":0.75},"tokens":4,"truncated":false}"#
        );
        let prediction =
            with(ModelOutput::NoLabel { probabilities: vec![("a".into(), 0.25), ("b".into(), 0.75)] });
        assert_eq!(
            to_json(&("good".into(), None), &prediction).to_string(),
            r#"{"text":"good","label":null,"probability":0.75,"probabilities":{"a":0.25,"b":0.75},"tokens":4,"truncated":false}"#
        );
        let prediction = with(ModelOutput::Score { score: 3.75, scale: Some((0.0, 5.0)) });
        assert_eq!(
            to_json(&("good".into(), Some("fine".into())), &prediction).to_string(),
            r#"{"text":"good","text_pair":"fine","score":3.75,"tokens":4,"truncated":false}"#
        );
    }

    #[test]
    fn labels_with_the_same_name_all_have_a_probability() {
        let probabilities = ["a", "b", "a", "a_2", "a"].into_iter().zip([0.5, 0.25, 0.125, 0.0625, 0.0]);
        let probabilities: Vec<_> = probabilities.map(|(label, value)| (label.to_string(), value)).collect();
        assert_eq!(
            by_label(&probabilities).to_string(),
            r#"{"a":0.5,"b":0.25,"a_3":0.125,"a_2":0.0625,"a_4":0.0}"#
        );
    }
}
