//! `eval`: evaluates a run or model on a labeled split and prints the scores as JSON.

use super::args::{EvalArgs, GlobalArgs};
use super::output;
use super::progress::ProgressDisplay;
use crate::catalog::{LabelMap, ProblemType};
use crate::data;
use crate::error::Result;
use crate::event::SplitName;
use crate::hub::Hub;
use crate::predict::{EvalOptions, EvalRows, EvaluatedScores, PrecisionDifference, Predictor};
use crate::spec::Precision;
use crate::text::plural;
use serde_json::{Value, json};

pub(super) fn eval(global: &GlobalArgs, args: &EvalArgs) -> Result<()> {
    let hub = Hub::from_env();
    let mut predictor = open(global, args, &hub, args.precision)?;
    let task = predictor.task(args.task.as_deref())?;
    let split = SplitName::from(args.split);
    let no_map = LabelMap::default();
    let options = EvalOptions {
        task: Some(task.name),
        split,
        data_dir: args.data_dir.as_deref(),
        label_map: args.label_map.as_ref().unwrap_or(&no_map),
        set: &args.set,
        rows: if args.all_rows { EvalRows::All } else { EvalRows::OfRun },
    };
    let subsampled = predictor.subsampled_by(&options);
    // The rows of a fold are training rows.
    let chosen_of = subsampled.map_or(split, |spec| data::source_split(spec, split));
    let key = if chosen_of == SplitName::Train { "max_train_samples" } else { "max_eval_samples" };
    let limit = subsampled.and_then(|spec| Some((spec.max_samples(chosen_of)?, spec.sample_seed())));
    let fold = subsampled.and_then(|spec| spec.validation_fold().filter(|_| data::has_fold(spec, split)));
    if let Some((folds, fold)) = fold {
        let rows = if split == SplitName::Validation { "the rows" } else { "the training rows outside" };
        output::stderr_line(format!(
            "evaluates {rows} of fold {fold} of {folds}; --all-rows evaluates the whole split"
        ));
    }
    if let Some((count, seed)) = limit {
        output::stderr_line(format!(
            "evaluates the rows that the run used ({key} = {count}, seed = {seed}); --all-rows evaluates every row"
        ));
    }
    let evaluated = evaluate(&mut predictor, &options, &hub);
    predictor.notes().iter().for_each(output::stderr_line);
    let evaluated = evaluated?;
    let mut object = json!({ "model": args.model, "task": task.name, "split": split.name() });
    if let (Value::Object(object), Value::Object(scores)) = (&mut object, json!(evaluated.scores)) {
        object.extend(scores);
        object.insert("confidence_intervals".into(), json!(evaluated.confidence_intervals));
        if let Some((count, _)) = limit {
            object.insert(key.into(), json!(count));
        }
        if predictor.problem_type() != ProblemType::Regression {
            object.insert("labels".into(), json!(predictor.labels()));
        }
        if args.precision.is_some() {
            let precision = predictor.precision().to_owned();
            object.insert("precision".into(), json!(precision));
            // Two models need not be in memory at the same time.
            drop(predictor);
            if precision != Precision::F32.name() {
                let mut in_f32 = open(global, args, &hub, Some(Precision::F32))?;
                let reference = evaluate(&mut in_f32, &options, &hub)?;
                let difference = PrecisionDifference::new(&evaluated.predictions, reference);
                output::stderr_line(sentence(&precision, &difference, evaluated.predictions.len()));
                if let Value::Object(difference) = json!(difference) {
                    object.extend(difference);
                }
            }
        }
    }
    output::json(&object)
}

fn open(global: &GlobalArgs, args: &EvalArgs, hub: &Hub, precision: Option<Precision>) -> Result<Predictor> {
    let on = (global.device.unwrap_or_default(), precision);
    Predictor::open_in(&args.model, &global.runs_dir, hub, on)
}

fn evaluate(predictor: &mut Predictor, options: &EvalOptions<'_>, hub: &Hub) -> Result<EvaluatedScores> {
    let mut display = ProgressDisplay::new(false);
    let evaluated = predictor.evaluate(options, hub, &mut |progress| display.show(&progress));
    display.clear();
    evaluated
}

/// What the precision changes: `int8: 3 of 872 rows have another label than in f32; …`
fn sentence(precision: &str, difference: &PrecisionDifference, rows: usize) -> String {
    let largest = difference.largest_logit_difference;
    let largest = format!("the largest difference of a logit is {largest:.3}");
    match difference.label_flips {
        Some(flips) => {
            let have = if flips == 1 { "has" } else { "have" };
            let rows = plural(rows as u64, "row");
            format!("{precision}: {flips} of {rows} {have} another label than in f32; {largest}")
        }
        None => format!("{precision}: {largest} from f32"),
    }
}
