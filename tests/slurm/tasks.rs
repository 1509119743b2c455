//! `train --resume` as the task of an array: signals, requeueing, attempts and seeds. The programs of Slurm are replaced.

use super::fake::FakeSlurm;
use super::workspace::{
    CommandResult, Workspace, end, is_finished, logged_steps, send_signal, summary, wait_until, weights,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

const TASK: [(&str, &str); 3] =
    [("SLURM_JOB_ID", "19"), ("SLURM_ARRAY_JOB_ID", "17"), ("SLURM_ARRAY_TASK_ID", "3")];
const RUNNING: &str = "JobId=19 ArrayJobId=17 JobState=RUNNING Reason=None\n";
const LONG: &str = "max_steps = 2000\nsave_steps = 500\neval_steps = 1000";

struct Fixture {
    fake: FakeSlurm,
    workspace: Workspace,
    dir: PathBuf,
}

/// A run that was created and not trained.
fn created(keys: &str) -> Fixture {
    let fake = FakeSlurm::new();
    fake.set("job-info", RUNNING);
    let workspace = Workspace::new(&[("a", keys)]).with_programs(&fake.programs());
    let dir = workspace.run(&["submit", "a"]).success().paths().remove(0);
    Fixture { fake, workspace, dir }
}

impl Fixture {
    fn start(&self, dir: &Path) -> Child {
        self.workspace.start(&["train", "--plain", "--resume", dir.to_str().unwrap()], &TASK)
    }

    /// Starts the task, sends it a signal after `steps` steps, and waits for its end.
    fn interrupt(&self, steps: usize, signal: &str) -> CommandResult {
        let before = logged_steps(&self.dir).len();
        let task = self.start(&self.dir);
        wait_until("it trains", || logged_steps(&self.dir).len() >= before + steps);
        send_signal(&task, signal);
        end(task)
    }
}

#[test]
fn warning_before_the_time_limit_saves_and_requeues_three_times() {
    let fixture = created(LONG);
    for time_out in 1..=3 {
        let result = fixture.interrupt(5, "-USR2");
        assert_eq!(result.code, Some(130), "{}", result.stderr);
        assert!(
            result.stderr.contains(&format!("({time_out} of 3 times), and is requeued")),
            "{}",
            result.stderr
        );
        assert_eq!(
            fixture.fake.calls("scontrol").iter().filter(|call| *call == "scontrol requeue 17_3").count(),
            time_out
        );
    }
    let error = fixture.interrupt(5, "-USR2").failure(1);
    assert!(error.contains("longer time in [slurm]"), "{error}");
    assert_eq!(fixture.fake.calls("scontrol").iter().filter(|call| call.contains("requeue")).count(), 3);
    let steps = logged_steps(&fixture.dir);
    let expected: Vec<u64> = (1..=steps.len() as u64).collect();
    assert_eq!(steps, expected, "every step is trained once");
}

#[test]
fn preemptions_are_not_limited_and_cancelled_tasks_are_not_requeued() {
    let fixture = created(LONG);
    let requeues =
        || fixture.fake.calls("scontrol").iter().filter(|call| *call == "scontrol requeue 17_3").count();
    let preempted = "JobState=RUNNING PreemptTime=2026-11-30T15:46:24 Requeue=1\n";
    fixture.fake.set("job-info", preempted);
    for (count, signal) in [(1, "-USR2"), (2, "-TERM"), (3, "-USR2"), (4, "-USR2")] {
        let result = fixture.interrupt(2, signal);
        assert!(result.stderr.contains("was preempted, and is requeued"), "{signal}: {}", result.stderr);
        assert_eq!(requeues(), count);
    }
    fixture.fake.set("job-info", "JobState=CANCELLED Reason=None\n");
    assert_eq!(fixture.interrupt(2, "-TERM").code, Some(130));
    fixture.fake.set("job-info", RUNNING);
    assert_eq!(fixture.interrupt(2, "-TERM").code, Some(130));
    assert_eq!(requeues(), 4, "a task that was cancelled, and one that gets SIGTERM for another reason");
    fixture.fake.set("requeue-error", "scontrol: error: Requested operation is disabled\n");
    let error = fixture.interrupt(2, "-USR2").failure(1);
    assert!(error.contains("cannot be requeued") && error.contains("glue-tui submit"), "{error}");
    assert_eq!(summary(&fixture.dir).unwrap()["status"], "stopped", "its work is saved");
}

#[test]
fn lost_node_that_comes_back_writes_nothing() {
    let fixture = created("max_steps = 400\nsave_steps = 20\neval_steps = 100");
    let first = fixture.start(&fixture.dir);
    wait_until("the first attempt trains", || logged_steps(&fixture.dir).len() >= 50);
    send_signal(&first, "-STOP");
    // The later attempt waits for the lock, which the lost node still has, and then goes on without it.
    let second = end(fixture.start(&fixture.dir)).success();
    assert!(is_finished(&fixture.dir), "{}", second.stderr);
    let before = contents(&fixture.dir);
    send_signal(&first, "-CONT");
    let error = end(first).failure(1);
    assert!(error.contains("attempt 1") && error.contains("attempt 2 (job 17_3"), "{error}");
    assert_eq!(contents(&fixture.dir), before, "the older attempt has changed nothing");
    let again = end(fixture.start(&fixture.dir)).success();
    assert!(again.stderr.contains("finished already"), "{}", again.stderr);
    assert_eq!(contents(&fixture.dir), before);
}

/// A library whose locks fail, as on an NFS server without a lock daemon.
fn failing_locks(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("locks.c"), folder.join("locks.so"));
    let text = "#include <errno.h>\nint flock(int file, int operation) { errno = ENOLCK; return -1; }\n";
    std::fs::write(&source, text).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    built.is_ok_and(|status| status.success()).then_some(library)
}

#[test]
#[cfg(target_os = "linux")]
fn attempts_keep_processes_apart_on_a_file_system_without_locks() {
    let fixture = created("max_steps = 400\nsave_steps = 20\neval_steps = 100");
    let Some(library) = failing_locks(fixture.workspace.path()) else {
        eprintln!("SKIPPED: attempts_keep_processes_apart_on_a_file_system_without_locks needs a C compiler");
        return;
    };
    let library = library.to_str().unwrap().to_owned();
    let Fixture { fake, workspace, dir } = fixture;
    let workspace = workspace.with_env("LD_PRELOAD", &library);
    let fixture = Fixture { fake, workspace, dir };
    let first = fixture.start(&fixture.dir);
    wait_until("the first attempt trains", || logged_steps(&fixture.dir).len() >= 50);
    let second = fixture.start(&fixture.dir);
    let error = end(first).failure(1);
    assert!(error.contains("has taken over the run"), "{error}");
    end(second).success();
    assert!(is_finished(&fixture.dir));
    let undisturbed = created("max_steps = 400\nsave_steps = 20\neval_steps = 100");
    end(undisturbed.start(&undisturbed.dir)).success();
    assert!(
        weights(&fixture.dir) == weights(&undisturbed.dir),
        "the weights are those of an undisturbed run"
    );
}

#[test]
fn seeds_that_are_tasks_have_one_summary() {
    let fixture = created("max_steps = 6\nrepeats = 3\nseed = 7");
    let seeds = [7, 8, 9].map(|seed| fixture.dir.join(format!("seed-{seed}")));
    let tasks = seeds.each_ref().map(|dir| fixture.start(dir));
    for task in tasks {
        end(task).success();
    }
    let all = summary(&fixture.dir).expect("the last seed writes the summary of all");
    assert_eq!((all["status"].as_str(), all["repeats"]["count"].as_u64()), (Some("finished"), Some(3)));
    assert!(fixture.dir.join("best/model.safetensors").is_file());
    let log = std::fs::read_to_string(fixture.dir.join("events.jsonl")).unwrap();
    assert_eq!(log.matches(r#""kind":"ended""#).count(), 1, "{log}");
    fixture.fake.set("queue", "");
    let run = fixture.workspace.list().remove(0);
    assert_eq!((run["status"].as_str(), run["repeats"]["count"].as_u64()), (Some("finished"), Some(3)));
    let reference = Workspace::new(&[("a", "max_steps = 6\nrepeats = 3\nseed = 7")]);
    let sequential = reference.path().join(reference.run(&["train", "a"]).success().paths().pop().unwrap());
    for seed in [7, 8, 9] {
        let of = |dir: &Path| weights(&dir.join(format!("seed-{seed}")));
        assert!(of(&fixture.dir) == of(&sequential), "seed {seed}");
    }
}

#[test]
fn command_reaches_all_seeds_that_are_tasks() {
    let fixture = created("max_steps = 100000\nrepeats = 2\nseed = 7");
    let seeds = [7, 8].map(|seed| fixture.dir.join(format!("seed-{seed}")));
    let tasks = seeds.each_ref().map(|dir| fixture.start(dir));
    wait_until("both seeds train", || seeds.iter().all(|dir| logged_steps(dir).len() >= 5));
    let halved = fixture.workspace.run(&["control", "a", "halve"]).success().stdout;
    assert!(halved.contains("[seed 7] ") && halved.contains("[seed 8] "), "{halved}");
    let acks = fixture.workspace.run(&["control", "a", "stop", "--json"]).success().stdout;
    let of_seed = |line: &str| serde_json::from_str::<Value>(line).unwrap()["seed"].as_u64();
    assert_eq!(acks.lines().map(of_seed).collect::<Vec<_>>(), [Some(7), Some(8)], "{acks}");
    for task in tasks {
        assert_eq!(end(task).code, Some(130));
    }
    assert!(seeds.iter().all(|dir| summary(dir).unwrap()["status"] == "stopped"));
    let seed = seeds[0].to_str().unwrap();
    let submitted = fixture.workspace.run(&["submit", seed, "--json"]).failure(2);
    assert!(submitted.contains("seed-7 is submitted already as job 101_0"), "{submitted}");
    fixture.workspace.run(&["cancel", seed]).success();
    assert_eq!(fixture.fake.calls("scancel"), ["scancel 101_0"]);
    fixture.workspace.run(&["submit", seed]).success();
    assert!(fixture.fake.read("job-102.sh").contains("--array=0-0"));
}

/// The files of a run with their contents, but for the attempts.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    // What is still written by a process that is ending is seen by a second look.
    std::thread::sleep(Duration::from_millis(200));
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}
