//! `predict`: one JSON object per text, from the command line or from the lines of standard input.

use super::args::{GlobalArgs, PredictArgs};
use super::output;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::predict::{Attributions, ModelOutput, Prediction, Predictor, WordAttribution};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read};

/// Largest number of lines in a batch.
const BATCH: usize = 64;

type Input = (String, Option<String>);

pub(super) fn predict(global: &GlobalArgs, args: &PredictArgs) -> Result<()> {
    let device = global.device.unwrap_or_default();
    let hub = Hub::from_env();
    let mut predictor = Predictor::open(&args.model, &global.runs_dir, &hub, device)?;
    predictor.notes().iter().for_each(output::stderr_line);
    if let Some(text) = &args.text {
        return classify(&mut predictor, &[(text.clone(), args.text_b.clone())], args.explain);
    }
    let mut lines =
        LineBatches { reader: BufReader::with_capacity(1 << 16, std::io::stdin().lock()), line: 0 };
    loop {
        let inputs = lines.next_batch()?;
        if inputs.is_empty() {
            return Ok(());
        }
        classify(&mut predictor, &inputs, args.explain)?;
    }
}

fn classify(predictor: &mut Predictor, inputs: &[Input], with_attributions: bool) -> Result<()> {
    for (input, prediction) in inputs.iter().zip(predictor.predict_all(inputs)?) {
        let mut object = to_json(input, &prediction);
        if with_attributions
            && let Some(attribution) = predictor.attribute(&input.0, input.1.as_deref(), &mut || true)?
        {
            object["saliency"] = saliency(input, &attribution);
        }
        output::json_line(&object)?;
    }
    Ok(())
}

/// One object per word; the words of a pair also have the index of their text.
fn saliency((_, text_pair): &Input, attribution: &Attributions) -> Value {
    let word = |word: &WordAttribution| {
        let mut object = json!(word);
        if text_pair.is_some() {
            object["sequence"] = json!(word.sequence);
        }
        object
    };
    attribution.words.iter().map(word).collect()
}

fn to_json((text, text_pair): &Input, prediction: &Prediction) -> Value {
    let mut object = Map::new();
    object.insert("text".into(), json!(text));
    if let Some(text_pair) = text_pair {
        object.insert("text_pair".into(), json!(text_pair));
    }
    match &prediction.output {
        ModelOutput::Label { label, probability, probabilities } => {
            object.insert("label".into(), json!(label));
            object.insert("probability".into(), json!(probability));
            let probabilities =
                probabilities.iter().map(|(label, probability)| (label.clone(), json!(probability)));
            object.insert("probabilities".into(), Value::Object(probabilities.collect()));
        }
        ModelOutput::Labels { labels, probabilities } => {
            if let Some((label, probability)) = prediction.output.most_probable() {
                object.insert("label".into(), json!(label));
                object.insert("probability".into(), json!(probability));
            }
            object.insert("labels".into(), json!(labels));
            let probabilities =
                probabilities.iter().map(|(label, probability)| (label.clone(), json!(probability)));
            object.insert("probabilities".into(), Value::Object(probabilities.collect()));
        }
        ModelOutput::Score { score, .. } => {
            object.insert("score".into(), json!(score));
        }
    }
    object.insert("tokens".into(), json!(prediction.tokens));
    object.insert("truncated".into(), json!(prediction.truncated));
    Value::Object(object)
}

/// Reads lines in batches. Each batch waits for one line and adds the lines that have already arrived, so that
/// interactive input is answered line by line and a file is processed in large batches.
struct LineBatches<R> {
    reader: BufReader<R>,
    line: u64,
}

impl<R: Read> LineBatches<R> {
    /// The next lines, at least one; empty only at the end of the input.
    fn next_batch(&mut self) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        while inputs.len() < BATCH && (inputs.is_empty() || self.reader.buffer().contains(&b'\n')) {
            let mut bytes = Vec::new();
            let read = self.reader.read_until(b'\n', &mut bytes).map_err(Error::reading("standard input"))?;
            if read == 0 {
                break;
            }
            self.line += 1;
            let text = String::from_utf8(bytes).map_err(|_| {
                Error::data("standard input", Some(self.line), "not UTF-8 text; convert it first")
            })?;
            inputs.push(input(text.trim_end_matches(['\n', '\r'])));
        }
        Ok(inputs)
    }
}

fn input(line: &str) -> Input {
    match line.split_once('\t') {
        Some((text, text_pair)) => (text.to_owned(), Some(text_pair.to_owned())),
        None => (line.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_in_full_batches() {
        let text = (0..BATCH + 3).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let mut lines = LineBatches { reader: BufReader::new(text.as_bytes()), line: 0 };
        let batches: Vec<usize> =
            std::iter::from_fn(|| Some(lines.next_batch().unwrap().len()).filter(|n| *n > 0)).collect();
        // The last line has no newline, so it is complete only at the end of the input.
        assert_eq!(batches, [BATCH, 2, 1]);
    }

    #[test]
    fn a_tab_separates_the_texts_of_a_pair() {
        let mut lines = LineBatches { reader: BufReader::new(&b"a b\tc\r\n\n"[..]), line: 0 };
        assert_eq!(lines.next_batch().unwrap(), [("a b".into(), Some("c".into())), (String::new(), None)]);
    }

    #[test]
    fn invalid_utf_8_is_an_error_with_its_line() {
        let mut lines = LineBatches { reader: BufReader::new(&b"good\nb\xffd\n"[..]), line: 0 };
        let error = lines.next_batch().unwrap_err();
        assert_eq!(error.to_string(), "standard input:2: not UTF-8 text; convert it first");
        assert_eq!(error.exit_code(), 3);
    }

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
        let prediction = with(ModelOutput::Score { score: 3.75, scale: Some((0.0, 5.0)) });
        assert_eq!(
            to_json(&("good".into(), Some("fine".into())), &prediction).to_string(),
            r#"{"text":"good","text_pair":"fine","score":3.75,"tokens":4,"truncated":false}"#
        );
    }
}
