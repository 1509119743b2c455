//! `predict`: one JSON object per text, from the command line or from the lines of standard input.

mod lines;

use super::args::{GlobalArgs, PredictArgs};
use super::output;
use crate::data::TextColumns;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::predict::table::predict_table;
use crate::predict::{Attributions, Prediction, Predictor, WordAttribution, to_json};
use crate::text::plural;
use lines::{Input, Line, LineBatches, STDIN};
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn predict(global: &GlobalArgs, args: &PredictArgs) -> Result<()> {
    let on = (global.device.unwrap_or_default(), args.precision);
    let mut predictor = Predictor::open_in(&args.model, &global.runs_dir, &Hub::from_env(), on)?;
    predictor.notes().iter().for_each(output::stderr_line);
    if let Some(input) = &args.input {
        let columns =
            TextColumns { text: args.text_column.as_deref(), text_pair: args.text_pair_column.as_deref() };
        let file = args.output.as_deref().filter(|path| *path != Path::new("-"));
        return predict_table(&mut predictor, input, columns, file, &mut |note| output::stderr_line(note));
    }
    match &args.text {
        Some(text) => {
            let input = (text.clone(), args.text_b.clone());
            let prediction = predictor.predict(&input.0, input.1.as_deref())?;
            output::json_line(&answer(&mut predictor, &input, &prediction, args.explain)?)
        }
        None => predict_lines(&mut predictor, args.explain),
    }
}

/// Answers every line of standard input in order, an invalid one with an object that has its number and the error.
///
/// # Errors
/// [`Error::Data`] at the end if a line was invalid.
fn predict_lines(predictor: &mut Predictor, with_attributions: bool) -> Result<()> {
    let mut batches = LineBatches::new(std::io::stdin().lock());
    let (mut all, mut failed) = (0u64, 0u64);
    loop {
        let lines = batches.next_batch()?;
        if lines.is_empty() {
            break;
        }
        for (line, prediction) in predict_batch(predictor, lines) {
            let answer = prediction
                .and_then(|(input, prediction)| answer(predictor, &input, &prediction, with_attributions));
            all += 1;
            match answer {
                Ok(object) => output::json_line(&object)?,
                Err(error @ Error::Interrupted(_)) => return Err(error),
                Err(error) => {
                    failed += 1;
                    output::json_line(&json!({ "line": line, "error": error.to_string() }))?;
                }
            }
        }
    }
    if failed == 0 {
        return Ok(());
    }
    let problem =
        format!("{failed} of {} could not be predicted; see the objects with an error", plural(all, "line"));
    Err(Error::data(STDIN, None, problem))
}

/// The number of each line with its input and prediction, or why there is none. The valid lines are predicted together;
/// if that fails, one by one, so that a line that the engine rejects costs only itself.
fn predict_batch(predictor: &mut Predictor, lines: Vec<Line>) -> Vec<(u64, Result<(Input, Prediction)>)> {
    let is_suitable = |input: Input| predictor.check_pair(input.1.is_some()).map(|()| input);
    let lines: Vec<(u64, Result<Input>)> =
        lines.into_iter().map(|line| (line.number, line.input.and_then(is_suitable))).collect();
    let inputs: Vec<Input> = lines.iter().filter_map(|(_, input)| input.as_ref().ok().cloned()).collect();
    let mut together = predictor.predict_all(&inputs).ok().map(Vec::into_iter);
    let mut predict = |input: Input| {
        let prediction = match together.as_mut().and_then(Iterator::next) {
            Some(prediction) => prediction,
            None => predictor.predict(&input.0, input.1.as_deref())?,
        };
        Ok((input, prediction))
    };
    lines.into_iter().map(|(number, input)| (number, input.and_then(&mut predict))).collect()
}

/// The object of an input, with its word attributions if they are wanted.
fn answer(
    predictor: &mut Predictor,
    input: &Input,
    prediction: &Prediction,
    with_attributions: bool,
) -> Result<Value> {
    let mut object = to_json(input, prediction);
    if with_attributions
        && let Some(attribution) = predictor.attribute(&input.0, input.1.as_deref(), &mut || true)?
    {
        object["saliency"] = saliency(input, &attribution);
    }
    Ok(object)
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
