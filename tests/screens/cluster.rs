//! Runs in Slurm: their states and reasons, submitting and cancelling.

use super::fixtures::*;

use glue_tui::run::executor::TaskStatus;
use glue_tui::run::sweep::{SweepRow, Trial};
use glue_tui::run::{RunRow, RunStatus};
use glue_tui::tui::msg::{Effect, Msg};
use glue_tui::tui::state::App;
use glue_tui::tui::state::runs::ListLine;
use glue_tui::tui::state::train_request::TrainRequest;
use glue_tui::tui::update::update;
use std::collections::BTreeMap;

/// A thousand tasks of one array: some finished, most waiting.
fn thousand() -> Vec<RunRow> {
    let one = |number: u32| {
        let (status, state, reason, steps) = match number {
            0 => (RunStatus::Failed, "OUT_OF_MEMORY", Some("OutOfMemory"), 120),
            1 => (RunStatus::Requeued, "PENDING", Some("BeginTime"), 310),
            2..=9 => (RunStatus::Running, "RUNNING", None, 40 * u64::from(number)),
            10..=20 => (RunStatus::Finished, "COMPLETED", None, 500),
            _ => (RunStatus::Pending, "PENDING", Some("Resources"), 0),
        };
        let name = format!("demo-20261123-1000{:02}-{number:04x}", number % 60);
        let task = TaskStatus {
            task: name.clone(),
            job: Some(format!("4711_{number}")),
            state: state.into(),
            reason: reason.map(str::to_owned),
        };
        let score = (status == RunStatus::Finished).then_some(0.9);
        RunRow {
            reason: reason.map(str::to_owned),
            error: (status == RunStatus::Failed)
                .then(|| format!("job 4711_{number} has ended in Slurm with OUT_OF_MEMORY (OutOfMemory)")),
            tasks: if status == RunStatus::Finished { Vec::new() } else { vec![task] },
            train_seconds: steps as f64,
            disk: None,
            ..run(&name, "demo", status, score, steps, 500)
        }
    };
    (0..1000).map(one).collect()
}

fn listed(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs: thousand() });
    app
}

#[test]
fn thousand_tasks() {
    snapshot("cluster-thousand", |width, height| {
        let mut app = listed(width, height);
        press_keys(&mut app, "<tab>j");
        app
    });
}

#[test]
fn reason_of_slurm_is_in_the_details() {
    let mut app = listed(120, 40);
    press_keys(&mut app, "<tab>");
    assert_shows(&app, "OUT_OF_MEMORY");
    press_keys(&mut app, "<end>");
    assert_shows(&app, "Slurm: Resources");
    assert_shows(&app, "4711_999 PENDING");
}

#[test]
fn experiment_is_submitted_after_a_question() {
    let mut app = listed(120, 40);
    assert_eq!(press_keys(&mut app, "S"), []);
    assert_shows(&app, "Submit demo to Slurm?");
    let effects = press_keys(&mut app, "s");
    assert!(
        matches!(effects.as_slice(), [Effect::Submit(TrainRequest::Spec(spec))] if spec.experiment == "demo")
    );
    let done = update(&mut app, Msg::SchedulerDone("submitted 1 task as job 7".into()));
    assert_eq!(done, [Effect::Refresh]);
    assert_shows(&app, "submitted 1 task as job 7");
    update(
        &mut app,
        Msg::Error { title: "Cannot submit to Slurm".into(), text: "sbatch is not in PATH".into() },
    );
    assert_shows(&app, "sbatch is not in PATH");
}

#[test]
fn only_a_run_with_a_job_is_cancelled() {
    let mut app = listed(120, 40);
    assert_eq!(press_keys(&mut app, "X"), []);
    assert!(app.popup.is_none());
    press_keys(&mut app, "<tab>jX");
    assert_shows(&app, "Cancel the jobs of this run?");
    let effects = press_keys(&mut app, "x");
    assert!(matches!(effects.as_slice(), [Effect::Cancel(name)] if name.contains("0001")));
}

#[test]
fn pending_runs_are_polled() {
    let mut app = listed(120, 40);
    let effects = update(&mut app, Msg::Tick(STARTED_AT));
    assert!(effects.contains(&Effect::PollRuns), "{effects:?}");
}

#[test]
fn jobs_of_a_sweep_are_cancelled_together() {
    let mut app = listed(120, 40);
    let sweep = |name: &str| SweepRow {
        name: name.into(),
        experiment: "tune".into(),
        trials: 2,
        by_status: BTreeMap::from([("pending", 1)]),
        best: None,
        started: 0.0,
        has_tasks: false,
    };
    update(
        &mut app,
        Msg::SweepsListed(vec![sweep("tune-20261123-100000-aaaa"), sweep("tune-20261122-100000-bbbb")]),
    );
    let mut runs = thousand();
    runs[30].trial = Some(Trial { sweep: "tune-20261123-100000-aaaa".into(), trial: 0 });
    update(&mut app, Msg::Listed { experiments: Ok(experiments()), runs });
    press_keys(&mut app, "<tab>");
    assert!(matches!(app.runs.line(), Some(ListLine::Sweep(row)) if row.name.ends_with("aaaa")));
    press_keys(&mut app, "X");
    assert_shows(&app, "Cancel the jobs of this sweep?");
    assert_eq!(press_keys(&mut app, "x"), [Effect::Cancel("tune-20261123-100000-aaaa".into())]);
    press_keys(&mut app, "jX");
    assert!(app.popup.is_none(), "no trial of the other sweep has a job");
}
