//! A real Slurm on this machine: arrays, time limits, cancellations, requeueing, killed and concurrent submitters.

use super::cluster::Cluster;
use super::workspace::{Workspace, is_finished, logged_steps, summary, wait_until, weights};
use serde_json::Value;
use std::path::{Path, PathBuf};

const LONG: &str = "max_steps = 2000\nsave_steps = 1000\neval_steps = 1000";
const SAVING: &str = "max_steps = 300\nsave_steps = 1\neval_steps = 150";
const HOLDER: &str = "[slurm]\ntime = 10\nmem = 50\n";

type Scenario = fn(&Cluster);

/// The scenarios run at the same time: the cluster lets their tasks share the cores of the machine.
#[test]
fn real_slurm() {
    let Some(cluster) = Cluster::start() else { return };
    let scenarios: [(&str, Scenario); 7] = [
        ("a sweep as one array", sweep_as_one_array),
        ("a sweep with a scheduler", sweep_with_asha),
        ("time limit", time_limit_in_mid_epoch),
        ("scancel", cancelled_task_saves_and_is_not_requeued),
        ("requeue during a save", requeue_during_a_save),
        ("killed submitter", killed_submitter),
        ("two submitters", two_submitters_at_once),
    ];
    std::thread::scope(|scope| {
        let threads = scenarios.map(|(name, scenario)| {
            (
                name,
                scope.spawn({
                    let cluster = &cluster;
                    move || scenario(cluster)
                }),
            )
        });
        for (name, thread) in threads {
            assert!(thread.join().is_ok(), "{name}");
        }
    });
    // It takes the whole machine.
    preempted_task_is_requeued_without_a_time_out(&cluster);
}

/// The true form of the time limit, which takes minutes.
#[test]
fn time_limit_of_a_minute() {
    if std::env::var_os("GLUE_TUI_LONG_TESTS").is_none() {
        return;
    }
    let Some(cluster) = Cluster::start() else { return };
    let keys = "max_steps = 20000\nsave_steps = 5000\neval_steps = 5000";
    let workspace = workspace(&cluster, &[("a", keys)], "[slurm]\ntime = 1\nsignal_delay_s = 20\n");
    let (dir, task) = submit(&workspace, "a");
    let attempts = |dir: &Path| std::fs::read_to_string(dir.join("attempts.jsonl")).unwrap_or_default();
    for _ in 0..3 {
        wait_until("the limit is reached, or the run is finished", || {
            is_finished(&dir) || cluster.state(&task) == "PENDING"
        });
        if is_finished(&dir) {
            break;
        }
        cluster.start_now(&task);
        wait_until("it runs again", || cluster.state(&task) == "RUNNING" || is_finished(&dir));
    }
    wait_until("it is finished", || is_finished(&dir));
    assert!(attempts(&dir).contains("timed_out"), "{}", attempts(&dir));
    assert_undisturbed(&dir, keys);
}

fn workspace(cluster: &Cluster, experiments: &[(&str, &str)], slurm: &str) -> Workspace {
    let workspace = Workspace::new(experiments).with_env("SLURM_CONF", &cluster.config());
    workspace.append(slurm);
    workspace
}

/// Submits an experiment; returns the directory and the task.
fn submit(workspace: &Workspace, name: &str) -> (PathBuf, String) {
    let result = workspace.run(&["submit", name, "--json"]).success();
    let tasks: Vec<Value> = serde_json::from_str(&result.stdout).unwrap();
    assert_eq!(tasks.len(), 1);
    let text = |key: &str| tasks[0][key].as_str().unwrap().to_owned();
    (text("run").into(), text("job"))
}

/// The run has trained every step once, and has the weights of a run without Slurm.
fn assert_undisturbed(dir: &Path, keys: &str) {
    let steps = logged_steps(dir);
    let expected: Vec<u64> = (1..=steps.len() as u64).collect();
    assert_eq!(steps, expected, "every step once");
    let reference = Workspace::new(&[("a", keys)]);
    let undisturbed = reference.path().join(reference.run(&["train", "a"]).success().paths().pop().unwrap());
    assert!(weights(dir) == weights(&undisturbed), "the weights are those of an undisturbed run");
    let epochs = |dir: &Path| summary(dir).unwrap()["epochs"].clone();
    assert_eq!(epochs(dir), epochs(&undisturbed));
}

fn sweep_as_one_array(cluster: &Cluster) {
    let keys = "learning_rate = [1e-4, 5e-4]\nper_device_train_batch_size = [8, 16, 32]\nmax_steps = 8";
    let workspace = workspace(cluster, &[("grid", keys)], "[slurm]\nmax_parallel = 3\ntime = 5\n");
    let runs = workspace.run(&["submit", "grid"]).success().paths();
    assert_eq!(runs.len(), 6);
    wait_until("all six are finished", || runs.iter().all(|run| is_finished(run)));
    let scripts = std::fs::read_dir(workspace.runs().join(".slurm")).unwrap().flatten();
    assert_eq!(scripts.filter(|entry| entry.path().is_dir()).count(), 1, "one array");
    let rows = workspace.list();
    assert!(rows.iter().all(|row| row["status"] == "finished" && row["sweep"].is_string()), "{rows:?}");
}

/// Each trial has a job. A job whose trial is paused trains the trials that are promoted.
fn sweep_with_asha(cluster: &Cluster) {
    let keys = "learning_rate = [1e-6, 1e-5, 1e-4, 5e-4, 1e-3]\nmax_steps = 40\neval_steps = 5\nsave_steps = 5\n\
                scheduler = \"asha\"\nreduction_factor = 2";
    let workspace = workspace(cluster, &[("asha", keys)], "[slurm]\nmax_parallel = 2\ntime = 5\n");
    let runs = workspace.run(&["submit", "asha"]).success().paths();
    assert_eq!(runs.len(), 5);
    let has_ended = || {
        let rows = workspace.list();
        rows.iter().all(|row| row["status"] == "finished" || row["pause_reason"].is_string())
            && rows.iter().any(|row| row["status"] == "finished")
    };
    wait_until("every trial is finished or paused", has_ended);
    let rows = workspace.list();
    let steps: u64 = rows.iter().filter_map(|row| row["steps"].as_u64()).sum();
    assert!(steps < 5 * 40, "weak trials were paused: {steps} steps");
    let refused = workspace.run(&["submit", rows[0]["sweep"].as_str().unwrap()]);
    assert!(refused.stderr.contains("no trial of the sweep"), "{}", refused.stderr);
}

fn time_limit_in_mid_epoch(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", LONG)], HOLDER);
    let (dir, task) = submit(&workspace, "a");
    // An epoch has 16 steps.
    for steps in [25, 60] {
        wait_until("it trains", || logged_steps(&dir).len() >= steps);
        cluster.run("scancel", &["--signal=USR2", "--batch", &task]);
        cluster.start_now(&task);
    }
    wait_until("it is finished", || is_finished(&dir));
    let attempts = std::fs::read_to_string(dir.join("attempts.jsonl")).unwrap();
    assert_eq!(
        (attempts.matches("started").count(), attempts.matches("timed_out").count()),
        (3, 2),
        "{attempts}"
    );
    assert_undisturbed(&dir, LONG);
}

fn cancelled_task_saves_and_is_not_requeued(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", "max_steps = 100000")], HOLDER);
    let (dir, task) = submit(&workspace, "a");
    wait_until("it trains", || logged_steps(&dir).len() >= 5);
    workspace.run(&["cancel", "a"]).success();
    wait_until("it is cancelled", || cluster.state(&task) == "CANCELLED");
    wait_until("its work is saved", || summary(&dir).is_some_and(|summary| summary["status"] == "stopped"));
    assert!(dir.join("checkpoints").is_dir());
    assert_eq!(workspace.list()[0]["status"], "stopped");
}

fn requeue_during_a_save(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", SAVING)], HOLDER);
    let (dir, task) = submit(&workspace, "a");
    for steps in [10, 40] {
        // A checkpoint is written after each step, so the signal arrives while one is being written, or just before.
        wait_until("it trains", || logged_steps(&dir).len() >= steps);
        cluster.run("scontrol", &["requeue", &task]);
        cluster.start_now(&task);
    }
    wait_until("it is finished", || is_finished(&dir));
    assert_undisturbed(&dir, SAVING);
}

fn preempted_task_is_requeued_without_a_time_out(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", LONG)], HOLDER);
    let (dir, task) = submit(&workspace, "a");
    wait_until("it trains", || logged_steps(&dir).len() >= 20);
    cluster.run("sbatch", &["--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 2"]);
    wait_until("it is preempted", || cluster.state(&task) == "PENDING");
    cluster.start_now(&task);
    wait_until("it is finished", || is_finished(&dir));
    let attempts = std::fs::read_to_string(dir.join("attempts.jsonl")).unwrap();
    assert_eq!(
        (attempts.matches("started").count(), attempts.matches("timed_out").count()),
        (2, 0),
        "{attempts}"
    );
    assert_undisturbed(&dir, LONG);
}

fn killed_submitter(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", "max_steps = 4"), ("b", "max_steps = 4\nseed = 3")], HOLDER);
    // Between the creation of the directories and `sbatch`, the submitter asks for the largest size of an array.
    let slow = workspace.path().join("slow");
    std::fs::create_dir(&slow).unwrap();
    std::fs::write(slow.join("scontrol"), "#!/bin/bash\ntouch \"$0.started\"\nsleep 300\n").unwrap();
    std::fs::set_permissions(slow.join("scontrol"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let path = format!("{}:{}", slow.display(), std::env::var("PATH").unwrap());
    let mut submitter = workspace.start(&["submit", "a", "b"], &[("PATH", &path)]);
    // The directories exist earlier, but the last one has no specification at first.
    wait_until("it asks", || slow.join("scontrol.started").exists());
    submitter.kill().unwrap();
    submitter.wait().unwrap();
    let created = workspace.directories();
    assert!(workspace.list().iter().all(|row| row["status"] == "not_started"));
    workspace.run(&["submit", "a", "b"]).success();
    assert_eq!(workspace.directories(), created, "they are submitted by the next submitter");
    wait_until("both are finished", || created.iter().all(|run| is_finished(run)));
}

fn two_submitters_at_once(cluster: &Cluster) {
    let workspace = workspace(cluster, &[("a", "max_steps = 4")], HOLDER);
    let submitters = [(); 2].map(|()| workspace.start(&["submit", "a"], &[]));
    for child in submitters {
        super::workspace::end(child).success();
    }
    let runs = workspace.directories();
    assert_eq!(runs.len(), 2);
    wait_until("both are finished", || runs.iter().all(|run| is_finished(run)));
    for run in &runs {
        let attempts = std::fs::read_to_string(run.join("attempts.jsonl")).unwrap();
        assert_eq!(attempts.lines().count(), 1, "{attempts}");
    }
}
