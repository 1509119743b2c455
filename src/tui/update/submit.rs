//! Runs on a cluster: submitting them, and taking them back.

use crate::run::RunRow;
use crate::text::plural;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::popup::{Popup, Reply};
use crate::tui::state::runs::{ListLine, can_resume};
use crate::tui::state::train_request::TrainRequest;

/// Asks whether to submit the experiment or the run under the cursor to Slurm.
pub(super) fn ask_to_submit(app: &mut App) {
    let (name, what, request) = match app.runs.line() {
        Some(ListLine::Experiment(row)) => match &row.spec {
            Ok(spec) => {
                let seeds = match spec.repeats {
                    0 | 1 => "a new run".to_owned(),
                    count => format!("a new run with a task for each of {}", plural(count, "seed")),
                };
                (row.name.clone(), seeds, TrainRequest::Spec(Box::new(spec.clone())))
            }
            Err(error) => {
                let error = error.clone();
                app.show_error("Cannot submit this experiment", error);
                return;
            }
        },
        Some(ListLine::Run(run)) if can_resume(run) => {
            let what = "this run from its newest checkpoint".to_owned();
            (run.display_name().to_owned(), what, TrainRequest::Resume(run.dir.clone()))
        }
        _ => return,
    };
    app.popup = Some(Popup::question(
        &format!("Submit {name} to Slurm?"),
        format!("Fetches model and data into the cache and submits {what}, with the settings of [slurm]."),
        vec![('s', "submit", Reply::Submit(request)), ('k', "cancel", Reply::Nothing)],
    ));
}

/// Asks whether to take back the run under the cursor.
pub(super) fn ask_to_cancel(app: &mut App) {
    let Some(run) = app.runs.run().filter(|run| has_active_task(run)) else { return };
    app.popup = Some(Popup::question(
        "Cancel the jobs of this run?",
        format!(
            "{} is taken back from Slurm. A task in training saves its work, and can be submitted again.",
            run.name
        ),
        vec![('x', "cancel the jobs", Reply::Cancel(run.dir.clone())), ('k', "keep them", Reply::Nothing)],
    ));
}

/// Whether a task of the run waits or is executed in Slurm.
fn has_active_task(run: &RunRow) -> bool {
    run.tasks.iter().any(|task| task.phase().is_active())
}

/// Starts to submit a run.
pub(super) fn submit(app: &mut App, request: TrainRequest) -> Vec<Effect> {
    app.notice = Some("fetching model and data, then submitting …".into());
    vec![Effect::Submit(request)]
}

/// Says what was submitted or cancelled, and lists it.
pub(super) fn done(app: &mut App, text: String) -> Vec<Effect> {
    app.notice = Some(text);
    vec![Effect::Refresh]
}
