//! All of GLUE on a cluster: a task for each task of GLUE that has data. The programs of Slurm are replaced.

use super::fake::{FakeSlurm, forget_interval};
use super::glue_data::write_archive;
use super::workspace::{Workspace, end};
use serde_json::Value;

#[test]
fn tasks_of_glue_are_jobs_of_one_array() {
    let fake = FakeSlurm::new();
    fake.set("job-info", "JobId=19 ArrayJobId=101 JobState=RUNNING Reason=None\n");
    let workspace = Workspace::new(&[]).with_programs(&fake.programs());
    write_archive(&workspace.path().join("glue"), |_| 1);
    std::fs::remove_file(workspace.path().join("glue/QNLI/train.tsv")).unwrap();
    let folder = format!("data_dir={}", workspace.path().join("glue").display());
    let base = ["glue", "demo", "--tasks", "qnli,rte,wnli", "--set", &folder, "--set", "max_steps=2"];
    let submit = [&base[..], &["--executor", "slurm"]].concat();
    let submitted = workspace.run(&submit).success();
    let runs = submitted.paths();
    assert_eq!(runs.len(), 2, "{}", submitted.stdout);
    assert!(submitted.stderr.contains("skips qnli: "), "{}", submitted.stderr);
    assert_eq!(fake.read("queue").lines().count(), 2);
    let left = workspace.run(&submit).failure(2);
    assert!(left.contains("is left to submit"), "{left}");
    for (index, run) in runs.iter().enumerate() {
        let index = index.to_string();
        let task =
            [("SLURM_JOB_ID", "19"), ("SLURM_ARRAY_JOB_ID", "101"), ("SLURM_ARRAY_TASK_ID", index.as_str())];
        end(workspace.start(&["train", "--plain", "--resume", run.to_str().unwrap()], &task)).success();
    }
    fake.set("queue", "");
    forget_interval(&workspace.runs());
    let board = workspace.run(&["glue", "demo", "--show", "--json"]).success().stdout;
    let board: Value = serde_json::from_str(&board).unwrap();
    let statuses: Vec<&str> =
        board["tasks"].as_array().unwrap().iter().map(|task| task["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["skipped", "finished", "finished"], "{board}");
    assert_eq!(board["average"]["tasks"], 2);
    // The same command without Slurm has nothing to train, and predicts what the jobs have trained.
    let result = workspace.run(&base).success();
    assert!(
        result.stdout.contains("GLUE average") && result.stdout.contains("over 2 tasks"),
        "{}",
        result.stdout
    );
    assert!(runs.iter().all(|run| workspace.path().join(run).join("submission").is_dir()));
}
