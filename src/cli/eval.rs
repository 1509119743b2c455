//! `eval`: evaluates a run or model on a labeled split and prints the scores as JSON.

use super::args::{EvalArgs, GlobalArgs};
use super::output;
use super::progress::ProgressDisplay;
use crate::catalog::{LabelMap, ProblemType};
use crate::error::Result;
use crate::event::SplitName;
use crate::hub::Hub;
use crate::predict::{EvalOptions, EvalRows, Predictor};
use serde_json::{Value, json};

pub(super) fn eval(global: &GlobalArgs, args: &EvalArgs) -> Result<()> {
    let device = global.device.unwrap_or_default();
    let hub = Hub::from_env();
    let mut predictor = Predictor::open(&args.model, &global.runs_dir, &hub, device)?;
    let task = predictor.task(args.task.as_deref())?;
    let split = SplitName::from(args.split);
    let mut display = ProgressDisplay::new(false);
    let no_map = LabelMap::default();
    let options = EvalOptions {
        task: Some(task.name),
        split,
        data_dir: args.data_dir.as_deref(),
        label_map: args.label_map.as_ref().unwrap_or(&no_map),
        set: &args.set,
        rows: if args.all_rows { EvalRows::All } else { EvalRows::OfRun },
    };
    let key = if split == SplitName::Train { "max_train_samples" } else { "max_eval_samples" };
    let subsampled = predictor.subsampled_by(&options);
    let limit = subsampled.and_then(|spec| Some((spec.max_samples(split)?, spec.seed)));
    if let Some((count, seed)) = limit {
        output::stderr_line(format!(
            "evaluates the rows that the run used ({key} = {count}, seed = {seed}); --all-rows evaluates every row"
        ));
    }
    let evaluated = predictor.evaluate(&options, &hub, &mut |progress| display.show(&progress));
    display.clear();
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
    }
    output::json(&object)
}
