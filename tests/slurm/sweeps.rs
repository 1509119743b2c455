//! Sweeps on a cluster: which trials are submitted and cancelled, and what the jobs of paused trials do. The programs of Slurm are
//! replaced.

use super::fake::{FakeSlurm, forget_interval};
use super::workspace::{Workspace, end, is_finished, logged_steps, send_signal, summary, wait_until};
use glue_tui::event::Command;
use glue_tui::run::PendingCommand;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Child;

/// One of the first trials is promoted, and not the last one.
const SWEEP: &str = "learning_rate = [1e-3, 1e-4, 1e-5, 1e-6]\nscheduler = \"asha\"\nreduction_factor = 4\n";

/// One evaluation in each epoch of so many steps. A promoted trial trains three epochs up to its next rung, which takes longer
/// than a command needs to reach it.
const EVAL_STEPS: u64 = 800;
const LONG: &str = "max_train_samples = 3200\neval_steps = 800\n";

struct Fixture {
    fake: FakeSlurm,
    workspace: Workspace,
    /// The run directories of the trials.
    trials: Vec<PathBuf>,
}

/// A sweep that was submitted. A test starts its tasks.
fn submitted(keys: &str) -> Fixture {
    let fake = FakeSlurm::new();
    fake.set("job-info", "JobId=19 ArrayJobId=101 JobState=RUNNING Reason=None\n");
    let workspace = Workspace::new(&[("tune", &format!("{SWEEP}{keys}"))]).with_programs(&fake.programs());
    let trials = workspace.run(&["submit", "tune"]).success().paths();
    Fixture { fake, workspace, trials }
}

impl Fixture {
    fn start(&self, trial: usize) -> Child {
        let (dir, index) = (self.trials[trial].to_str().unwrap(), trial.to_string());
        let task =
            [("SLURM_JOB_ID", "19"), ("SLURM_ARRAY_JOB_ID", "101"), ("SLURM_ARRAY_TASK_ID", index.as_str())];
        self.workspace.start(&["train", "--plain", "--resume", dir], &task)
    }

    /// Trains all trials but the last one until the scheduler pauses them.
    fn pause_first_trials(&self) {
        for trial in 0..self.trials.len() - 1 {
            end(self.start(trial)).success();
            assert!(summary(&self.trials[trial]).unwrap()["pause_reason"].is_string());
        }
    }

    /// Starts the last task, and waits until it trains a trial that was paused. Returns that trial.
    fn start_until_promotion(&self) -> (Child, PathBuf) {
        let task = self.start(self.trials.len() - 1);
        let of_others = || self.trials[..self.trials.len() - 1].iter().find(|dir| attempts(dir) == 2);
        wait_until("a trial is promoted", || {
            of_others().is_some_and(|dir| logged_steps(dir).last().is_some_and(|step| *step > EVAL_STEPS + 5))
        });
        (task, of_others().unwrap().clone())
    }

    fn sweep(&self) -> String {
        self.workspace.list()[0]["sweep"].as_str().unwrap().to_owned()
    }

    fn requeues(&self) -> Vec<String> {
        self.fake.calls("scontrol").into_iter().filter(|call| call.contains("requeue")).collect()
    }
}

fn attempts(dir: &Path) -> usize {
    lines(dir, "started")
}

fn lines(dir: &Path, kind: &str) -> usize {
    std::fs::read_to_string(dir.join("attempts.jsonl")).unwrap_or_default().matches(kind).count()
}

#[test]
fn jobs_of_paused_trials_train_what_is_promoted_also_after_a_requeue() {
    let fixture = submitted(&format!("{LONG}max_steps = 3200"));
    fixture.pause_first_trials();
    // As after a requeue: the trial stays paused, and no other one can be promoted yet.
    let again = end(fixture.start(0)).success();
    assert!(again.stderr.contains("no trial of the sweep"), "{}", again.stderr);
    assert_eq!(attempts(&fixture.trials[0]), 1);

    let (task, promoted) = fixture.start_until_promotion();
    send_signal(&task, "-USR2");
    let result = end(task);
    assert_eq!(result.code, Some(130), "{}", result.stderr);
    assert!(result.stderr.contains("(1 of 3 times), and is requeued"), "{}", result.stderr);
    assert_eq!(fixture.requeues(), ["scontrol requeue 101_3"]);
    assert_eq!(lines(&promoted, "timed_out"), 1, "the time-out is that of the trial in training");

    let own = fixture.trials.last().unwrap();
    let own_attempts = attempts(own);
    end(fixture.start(fixture.trials.len() - 1)).success();
    assert_eq!(attempts(&promoted), 3, "it is resumed");
    assert!(attempts(own) <= own_attempts + 1, "the own trial is trained again only if it is promoted");
    assert!(fixture.trials.iter().any(|dir| is_finished(dir)));
    fixture.fake.set("queue", "");
    forget_interval(&fixture.workspace.runs());
    for row in fixture.workspace.list() {
        assert!(row["status"] == "finished" || row["pause_reason"].is_string(), "{row}");
        let steps = logged_steps(Path::new(row["dir"].as_str().unwrap()));
        assert!(steps.is_sorted_by(|a, b| a < b), "every step is trained once: {steps:?}");
    }
    let left = fixture.workspace.run(&["submit", &fixture.sweep()]).failure(2);
    assert!(left.contains("no trial of the sweep"), "{left}");
    let finished = fixture.trials.iter().find(|dir| is_finished(dir)).unwrap();
    let (number, before) =
        (fixture.trials.iter().position(|dir| dir == finished).unwrap(), attempts(finished));
    end(fixture.start(number)).success();
    assert_eq!(attempts(finished), before, "a finished trial is not trained again");
}

#[test]
fn promoted_trial_that_is_cancelled_is_not_trained_on() {
    let fixture = submitted(&format!("{LONG}max_steps = 100000"));
    fixture.pause_first_trials();
    let (task, promoted) = fixture.start_until_promotion();
    let name = promoted.file_name().unwrap().to_str().unwrap();
    // Otherwise it could reach its next rung first.
    PendingCommand::send(&promoted, Command::Pause).unwrap().remove(0).wait().unwrap();
    // Its own job has ended.
    let index = fixture.trials.iter().position(|dir| *dir == promoted).unwrap();
    fixture.fake.set_state(&format!("101|{index}|"), "COMPLETED|None");
    forget_interval(&fixture.workspace.runs());
    fixture.workspace.list();
    fixture.workspace.run(&["cancel", name]).success();
    let result = end(task);
    assert_eq!(result.code, Some(130), "{}", result.stderr);
    assert_eq!((attempts(&promoted), summary(&promoted).unwrap()["status"].as_str()), (2, Some("stopped")));
    assert!(fixture.requeues().is_empty());
}

#[test]
fn sweep_is_cancelled_and_submitted_as_a_whole() {
    let fixture = submitted("");
    let (workspace, fake) = (&fixture.workspace, &fixture.fake);
    let sweep = fixture.sweep();
    let none = workspace.run(&["submit", &sweep, "--dry-run"]).failure(2);
    assert!(none.contains("no trial of the sweep"), "{none}");
    let first = fixture.trials[0].file_name().unwrap().to_str().unwrap();
    workspace.run(&["cancel", first]).success();
    let left = workspace.run(&["submit", &sweep, "--dry-run"]).success();
    assert!(left.stdout.contains("--array=0-0"), "{}", left.stdout);
    let cancelled = workspace.run(&["cancel", "tune"]).success();
    let cancelled: Vec<PathBuf> = cancelled.paths().iter().map(|run| workspace.path().join(run)).collect();
    assert_eq!(cancelled, fixture.trials[1..]);
    assert_eq!(fake.calls("scancel"), ["scancel 101_0", "scancel 101_1 101_2 101_3"]);
    assert!(workspace.list().iter().all(|row| row["status"] == "stopped"));
    assert!(workspace.run(&["cancel", &sweep]).failure(2).contains("neither submitted nor queued"));
    assert_eq!(workspace.run(&["submit", &sweep]).success().paths(), fixture.trials);
}

#[test]
fn sweep_in_the_queue_of_this_machine_is_cancelled() {
    let workspace = Workspace::new(&[("tune", SWEEP)]);
    workspace.run(&["submit", "tune", "--executor", "local"]).success();
    let queue = || std::fs::read_to_string(workspace.runs().join("queue.toml")).unwrap();
    assert!(queue().contains("[[run]]"));
    let cancelled = workspace.run(&["cancel", "tune"]).success().stdout;
    assert!(cancelled.trim_end().starts_with("runs/sweeps/tune-"), "{cancelled}");
    assert!(!queue().contains("[[run]]"));
}

#[test]
fn trials_with_seeds_have_a_task_each_where_the_first_seed_decides() {
    let fixture = submitted("repeats = 2\nmax_steps = 8\neval_steps = 2");
    assert_eq!(fixture.fake.read("queue").lines().count(), 4);
    let preview = fixture.workspace.run(&["submit", "tune", "--dry-run"]).success();
    assert!(preview.stdout.contains("--array=0-3"), "{}", preview.stdout);
    let result = end(fixture.start(0)).success();
    let all: Vec<Value> = fixture.workspace.list();
    let row = all.iter().find(|row| row["trial"] == 0).unwrap();
    assert!(row["pause_reason"].is_string() && row["status"] == "stopped", "{row} {}", result.stderr);
    let plain = Workspace::new(&[("tune", "learning_rate = [1e-4, 1e-3]\nrepeats = 2")]);
    let preview =
        plain.with_programs(&fixture.fake.programs()).run(&["submit", "tune", "--dry-run"]).success();
    assert!(preview.stdout.contains("--array=0-3"), "without a scheduler, each seed is a task");
}

#[test]
fn finished_trial_of_a_grid_is_not_trained_again() {
    let fake = FakeSlurm::new();
    let keys = "learning_rate = [1e-4, 1e-3]\nmax_steps = 4";
    let workspace = Workspace::new(&[("grid", keys)]).with_programs(&fake.programs());
    let trials = workspace.run(&["submit", "grid"]).success().paths();
    let fixture = Fixture { fake, workspace, trials };
    end(fixture.start(0)).success();
    let again = end(fixture.start(0)).success();
    assert!(again.stderr.contains("finished already"), "{}", again.stderr);
    assert_eq!(attempts(&fixture.trials[0]), 1);
}
