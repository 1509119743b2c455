//! `predict`: one JSON object for each text, from the command line or from each line of stdin.

use super::args::{Global, Predict};
use super::output;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::predict::{Answer, Explanation, Prediction, Predictor, Push};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read};

/// Lines that are judged together, when so many wait.
const BATCH: usize = 64;

type Input = (String, Option<String>);

pub(super) fn predict(global: &Global, args: &Predict) -> Result<()> {
    let device = global.device.unwrap_or_default();
    let hub = Hub::from_env();
    let mut predictor = Predictor::open(&args.model, &global.runs_dir, &hub, device)?;
    predictor.notes().iter().for_each(output::aside);
    if let Some(text) = &args.text {
        return judge(&mut predictor, &[(text.clone(), args.text_b.clone())], args.explain);
    }
    let mut lines = Lines { reader: BufReader::with_capacity(1 << 16, std::io::stdin().lock()), line: 0 };
    loop {
        let inputs = lines.waiting()?;
        if inputs.is_empty() {
            return Ok(());
        }
        judge(&mut predictor, &inputs, args.explain)?;
    }
}

fn judge(predictor: &mut Predictor, inputs: &[Input], explains: bool) -> Result<()> {
    for (input, verdict) in inputs.iter().zip(predictor.predict_all(inputs)?) {
        let mut answer = answer(input, &verdict);
        if explains
            && let Some(explanation) = predictor.attribute(&input.0, input.1.as_deref(), &mut || true)?
        {
            answer["saliency"] = saliency(input, &explanation);
        }
        output::json_line(&answer)?;
    }
    Ok(())
}

/// A word each; those of a pair also say in which of its texts they are.
fn saliency((_, text_pair): &Input, explanation: &Explanation) -> Value {
    let word = |push: &Push| {
        let mut word = json!(push);
        if text_pair.is_some() {
            word["sequence"] = json!(push.sequence);
        }
        word
    };
    explanation.words.iter().map(word).collect()
}

fn answer((text, text_pair): &Input, verdict: &Prediction) -> Value {
    let mut object = Map::new();
    object.insert("text".into(), json!(text));
    if let Some(text_pair) = text_pair {
        object.insert("text_pair".into(), json!(text_pair));
    }
    match &verdict.output {
        Answer::Label { label, probability, probabilities } => {
            object.insert("label".into(), json!(label));
            object.insert("probability".into(), json!(probability));
            let all = probabilities.iter().map(|(label, probability)| (label.clone(), json!(probability)));
            object.insert("probabilities".into(), Value::Object(all.collect()));
        }
        Answer::Score { score, .. } => {
            object.insert("score".into(), json!(score));
        }
    }
    object.insert("tokens".into(), json!(verdict.tokens));
    object.insert("truncated".into(), json!(verdict.truncated));
    Value::Object(object)
}

/// Reads lines as they come: waits for one, then takes along what has already arrived, so that a person
/// or a program at the other end is answered line by line and a file goes through in batches.
struct Lines<R> {
    reader: BufReader<R>,
    line: u64,
}

impl<R: Read> Lines<R> {
    /// The lines that wait, at least one; empty only at the end of the input.
    fn waiting(&mut self) -> Result<Vec<Input>> {
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
    fn a_file_is_read_in_batches_and_every_line_once() {
        let text = (0..BATCH + 3).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let mut lines = Lines { reader: BufReader::new(text.as_bytes()), line: 0 };
        let batches: Vec<usize> =
            std::iter::from_fn(|| Some(lines.waiting().unwrap().len()).filter(|n| *n > 0)).collect();
        // The last line has no newline, so it is not known to be whole before the end is seen.
        assert_eq!(batches, [BATCH, 2, 1]);
    }

    #[test]
    fn a_tab_parts_a_pair_and_line_ends_go() {
        let mut lines = Lines { reader: BufReader::new(&b"a b\tc\r\n\n"[..]), line: 0 };
        assert_eq!(lines.waiting().unwrap(), [("a b".into(), Some("c".into())), (String::new(), None)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_line() {
        let mut lines = Lines { reader: BufReader::new(&b"good\nb\xffd\n"[..]), line: 0 };
        let error = lines.waiting().unwrap_err();
        assert_eq!(error.to_string(), "standard input:2: not UTF-8 text; convert it first");
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn answers_name_every_label_or_the_number() {
        let answer_of = |answer| Prediction { output: answer, tokens: 4, truncated: false };
        let verdict = answer_of(Answer::Label {
            label: "positive".into(),
            probability: 0.75,
            probabilities: vec![("negative".into(), 0.25), ("positive".into(), 0.75)],
        });
        assert_eq!(
            answer(&("good".into(), None), &verdict).to_string(),
            r#"{"text":"good","label":"positive","probability":0.75,"probabilities":{"negative":0.25,"positive":0.75},"tokens":4,"truncated":false}"#
        );
        let verdict = answer_of(Answer::Score { score: 3.75, scale: Some((0.0, 5.0)) });
        assert_eq!(
            answer(&("good".into(), Some("fine".into())), &verdict).to_string(),
            r#"{"text":"good","text_pair":"fine","score":3.75,"tokens":4,"truncated":false}"#
        );
    }
}
