//! What `runs` shows of tasks in Slurm, with programs that stand in for those of Slurm.

use super::fake::{FakeSlurm, forget_interval};
use super::workspace::Workspace;
use serde_json::Value;

fn submitted(fake: &FakeSlurm) -> Workspace {
    let names = ["a", "b", "c", "d"];
    let workspace = Workspace::new(&names.map(|name| (name, ""))).with_programs(&fake.programs());
    workspace.run(&[&["submit"], &names[..]].concat()).success();
    workspace
}

fn by_experiment(workspace: &Workspace, name: &str) -> Value {
    workspace.list().into_iter().find(|run| run["experiment"] == name).unwrap()
}

#[test]
fn states_and_reasons_of_slurm_are_shown() {
    let fake = FakeSlurm::new();
    let workspace = submitted(&fake);
    fake.set_state("101|0|", "RUNNING|None");
    fake.set_state("101|1|", "OUT_OF_MEMORY|OutOfMemory");
    fake.set_state("101|2|", "PENDING|QOSMaxJobsPerUserLimit");
    fake.set_state("101|3|", "NODE_FAIL|None");
    let status = |name: &str| {
        let run = by_experiment(&workspace, name);
        (run["status"].as_str().unwrap().to_owned(), run["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(status("a"), ("running".into(), String::new()));
    assert_eq!(status("b"), ("failed".into(), "OutOfMemory".into()));
    assert_eq!(status("c"), ("pending".into(), "QOSMaxJobsPerUserLimit".into()));
    assert_eq!(status("d").0, "failed");
    let error = by_experiment(&workspace, "d")["error"].as_str().unwrap().to_owned();
    assert!(error.contains("job 101_3") && error.contains("NODE_FAIL"), "{error}");
    assert_eq!(fake.calls("squeue").len(), 1, "the answer is kept for a while");
    std::fs::write(
        by_experiment(&workspace, "c")["dir"]
            .as_str()
            .map(|dir| workspace.path().join(dir))
            .unwrap()
            .join("events.jsonl"),
        "{\"format\":1,\"kind\":\"note\",\"time\":1.0,\"text\":\"x\",\"is_warning\":false}\n",
    )
    .unwrap();
    assert_eq!(status("c").0, "requeued", "it has trained before");
}

#[test]
fn scheduler_that_does_not_answer_is_one_sentence_and_nothing_is_lost() {
    let fake = FakeSlurm::new();
    let workspace = submitted(&fake);
    assert_eq!(by_experiment(&workspace, "a")["reason"], "Priority");
    fake.set("squeue-error", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n");
    forget_interval(&workspace.runs());
    let run = by_experiment(&workspace, "a");
    assert_eq!(run["status"], "pending");
    let reason = run["reason"].as_str().unwrap();
    assert!(reason.contains("squeue failed") && reason.contains("may be down"), "{reason}");
    let calls = fake.calls("squeue").len();
    for _ in 0..5 {
        workspace.list();
    }
    assert_eq!(fake.calls("squeue").len(), calls, "it is asked again later");
    let text = workspace.run(&["runs"]).success();
    assert!(text.stderr.contains("not current"), "{}", text.stderr);
    fake.remove("squeue-error");
    forget_interval(&workspace.runs());
    assert_eq!(by_experiment(&workspace, "a")["reason"], "Priority", "the scheduler answers again");
}

#[test]
fn accounts_say_how_tasks_ended_that_the_queue_has_forgotten() {
    let fake = FakeSlurm::new();
    let workspace = submitted(&fake);
    fake.set("queue", "");
    fake.set("accounts", "101_0|TIMEOUT|TimeLimit\n101_1|COMPLETED|None\n101_2|CANCELLED by 1000|None\n101_3|NODE_FAIL|None\n101_3|PENDING|Resources\n");
    let runs = workspace.list();
    assert_eq!((fake.calls("squeue").len(), fake.calls("sacct").len()), (1, 1));
    let of = |name: &str| runs.iter().find(|run| run["experiment"] == name).unwrap()["status"].clone();
    assert_eq!(["a", "b", "c", "d"].map(of), ["failed", "not_started", "stopped", "pending"]);
    for _ in 0..5 {
        workspace.list();
    }
    assert_eq!(
        fake.calls("squeue").len() + fake.calls("sacct").len(),
        2,
        "at most two questions in a minute"
    );
}

#[test]
fn without_accounts_the_files_of_the_runs_decide() {
    let fake = FakeSlurm::new();
    let workspace = submitted(&fake);
    fake.set("queue", "");
    let statuses = |workspace: &Workspace| -> Vec<Value> {
        workspace.list().iter().map(|run| run["status"].clone()).collect()
    };
    statuses(&workspace);
    assert_eq!(statuses(&workspace), vec!["not_started"; 4]);
    forget_interval(&workspace.runs());
    statuses(&workspace);
    assert_eq!(fake.calls("squeue").len(), 1, "no task waits any more");
}
