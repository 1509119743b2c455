//! Runs on a cluster: submitting them, and taking them back.

use crate::text::plural;
use crate::tui::msg::Effect;
use crate::tui::state::App;
use crate::tui::state::popup::{Popup, Reply};
use crate::tui::state::runs::{ListLine, can_resume};
use crate::tui::state::train_request::TrainRequest;

/// Asks whether to submit the experiment or the run under the cursor to Slurm.
pub(super) fn ask_to_submit(app: &mut App) {
    let (name, what, request) = match app.runs.line() {
        Some(ListLine::Experiment(row)) => match row.request() {
            Ok(request) => (row.name.clone(), description(&request), request),
            Err(error) => {
                app.show_error("Cannot submit this experiment", error);
                return;
            }
        },
        Some(ListLine::Sweep(row)) => {
            let request = TrainRequest::ResumeSweep(row.name.clone());
            (row.name.clone(), description(&request), request)
        }
        Some(ListLine::Run(run)) if can_resume(run) => {
            let request = TrainRequest::Resume(run.dir.clone());
            (run.display_name().to_owned(), description(&request), request)
        }
        _ => return,
    };
    app.popup = Some(Popup::question(
        &format!("Submit {name} to Slurm?"),
        format!("Fetches model and data into the cache and submits {what}, with the settings of [slurm]."),
        vec![('s', "submit", Reply::Submit(request)), ('k', "cancel", Reply::Nothing)],
    ));
}

/// What a request submits, for a question.
fn description(request: &TrainRequest) -> String {
    match request {
        TrainRequest::Spec(spec) if spec.seed_count() > 1 => {
            format!("a new run with a task for each of {}", plural(spec.seed_count(), spec.seed_unit()))
        }
        TrainRequest::Spec(_) | TrainRequest::Changed { .. } => "a new run".into(),
        TrainRequest::Resume(_) => "this run from its newest checkpoint".into(),
        TrainRequest::Sweep(sweep) => format!("a new sweep of {}", plural(sweep.len(), "trial")),
        TrainRequest::ResumeSweep(_) => "the trials that are left".into(),
        TrainRequest::Glue { .. } => "a run for each task of GLUE".into(),
    }
}

/// Asks whether to take back the run or the sweep under the cursor.
pub(super) fn ask_to_cancel(app: &mut App) {
    if !app.runs.has_active_task() {
        return;
    }
    let (what, name) = match app.runs.line() {
        Some(ListLine::Run(run)) => ("run", run.name.clone()),
        Some(ListLine::Sweep(sweep)) => ("sweep", sweep.name.clone()),
        _ => return,
    };
    app.popup = Some(Popup::question(
        &format!("Cancel the jobs of this {what}?"),
        format!(
            "{name} is taken back from Slurm. A task in training saves its work, and can be submitted again."
        ),
        vec![('x', "cancel the jobs", Reply::Cancel(name)), ('k', "keep them", Reply::Nothing)],
    ));
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
