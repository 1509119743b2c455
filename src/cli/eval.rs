//! `eval`: evaluates a run or model on a labeled split and prints the scores as JSON.

use super::args::{EvalArgs, GlobalArgs};
use super::output;
use super::progress::ProgressDisplay;
use crate::catalog::Labels;
use crate::error::Result;
use crate::event::SplitName;
use crate::hub::Hub;
use crate::predict::Predictor;
use serde_json::{Value, json};

pub(super) fn eval(global: &GlobalArgs, args: &EvalArgs) -> Result<()> {
    let device = global.device.unwrap_or_default();
    let hub = Hub::from_env();
    let mut predictor = Predictor::open(&args.model, &global.runs_dir, &hub, device)?;
    predictor.notes().iter().for_each(output::stderr_line);
    let task = predictor.task(args.task.as_deref())?;
    let split = SplitName::from(args.split);
    let mut display = ProgressDisplay::new(false);
    let scores =
        predictor.evaluate(Some(task.name), split, args.data_dir.as_deref(), &hub, &mut |progress| {
            display.show(&progress);
        });
    display.clear();
    let mut object = json!({ "model": args.model, "task": task.name, "split": split.name() });
    if let (Value::Object(object), Value::Object(scores)) = (&mut object, json!(scores?)) {
        object.extend(scores);
        if let Labels::Classes(names) = predictor.labels_on(task) {
            object.insert("labels".into(), json!(names));
        }
    }
    output::json(&object)
}
