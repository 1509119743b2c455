//! `submit` and `cancel`, with programs that stand in for those of Slurm.

use super::fake::{FakeSlurm, forget_interval};
use super::workspace::{Workspace, end, wait_until};
use serde_json::Value;
use std::time::Instant;

const SETTINGS: &str = "[slurm]\npartition = \"gpu\"\ntime = \"4:00:00\"\nmax_parallel = 4\n";

fn workspace(fake: &FakeSlurm) -> Workspace {
    let workspace = Workspace::new(&[("a", "seed = 1"), ("b", "seed = 2"), ("c", "seed = 3\nrepeats = 2")]);
    workspace.append(SETTINGS);
    workspace.with_programs(&fake.programs())
}

#[test]
fn runs_are_one_array_whose_script_ends_in_exec() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    let result = workspace.run(&["submit", "a", "b", "c"]).success();
    assert_eq!(result.paths().len(), 3, "{}", result.stdout);
    assert!(result.stderr.contains("4 tasks are submitted as jobs 101_0 to 101_3"), "{}", result.stderr);
    assert_eq!(fake.calls("sbatch").len(), 1, "one array, with a task for each seed");
    let script = fake.read("job-101.sh");
    for line in [
        "#SBATCH --array=0-3%4",
        "#SBATCH --partition=gpu",
        "#SBATCH --signal=B:USR2@120",
        "#SBATCH --requeue",
    ] {
        assert!(script.lines().any(|other| other == line), "{line}\n{script}");
    }
    let last = script.lines().last().unwrap();
    assert!(last.starts_with("exec ") && last.contains(" train ") && last.contains("--resume"), "{script}");
    assert!(!script.contains("101"), "no path contains the id of a job:\n{script}");
    let runs = workspace.list();
    let state = |run: &Value| (run["status"].clone(), run["reason"].clone(), run["tasks"][0]["job"].clone());
    let c = runs.iter().find(|run| run["experiment"] == "c").unwrap();
    assert_eq!(state(c), ("pending".into(), "Priority".into(), "101_2".into()));
    assert_eq!(c["tasks"].as_array().unwrap().len(), 2);
    let table = workspace.run(&["runs"]).success().stdout;
    assert!(table.contains("pending") && table.contains("Priority"), "{table}");
}

#[test]
fn dry_run_prints_the_script_and_creates_nothing() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    let result = workspace.run(&["submit", "a", "c", "--dry-run"]).success();
    assert!(
        result.stdout.starts_with("#!/bin/bash") && result.stdout.contains("#SBATCH --array=0-2%4"),
        "{}",
        result.stdout
    );
    assert!(workspace.directories().is_empty() && fake.calls("sbatch").is_empty());
    fake.lose("scontrol");
    let settings = workspace.path().join("config/glue-tui/config.toml");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    std::fs::write(settings, "[slurm]\naccount = \"nlp\"\npartition = \"cpu\"\n").unwrap();
    let text = workspace.run(&["submit", "a", "--dry-run"]).success().stdout;
    assert!(
        text.contains("--account=nlp") && text.contains("--partition=gpu"),
        "the experiments file wins: {text}"
    );
    assert!(workspace.run(&["submit", "x"]).failure(2).contains("no experiment `x`"));
    workspace.append("[experiment.d]\n");
    let file = workspace.path().join("experiments.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("partition =", "partiton =");
    std::fs::write(&file, text).unwrap();
    let error = workspace.run(&["submit", "a"]);
    assert_eq!(error.code, Some(2));
    assert!(
        error.stderr.contains("experiments.toml:") && error.stderr.contains("did you mean `partition`?"),
        "{}",
        error.stderr
    );
    assert!(workspace.directories().is_empty(), "a mistake in [slurm] is found before anything is created");
}

#[test]
fn arrays_are_split_where_the_cluster_allows_fewer_tasks() {
    let fake = FakeSlurm::new();
    fake.set("max-array", "2");
    let workspace = workspace(&fake);
    let result = workspace.run(&["submit", "a", "b", "c", "a", "--json"]).success();
    let tasks: Vec<Value> = serde_json::from_str(&result.stdout).unwrap();
    let jobs: Vec<&str> = tasks.iter().map(|task| task["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["101_0", "101_1", "102_0", "102_1", "103_0"]);
    assert_eq!(workspace.directories().len(), 4, "the same experiment twice is two runs");
}

#[test]
fn rejected_submission_is_one_sentence_and_nothing_is_lost() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    fake.set("sbatch-error", "sbatch: error: invalid partition specified: gpu\n");
    let error = workspace.run(&["submit", "a", "b"]).failure(2);
    assert!(error.contains("sbatch failed: invalid partition specified: gpu"), "{error}");
    let created = workspace.directories();
    assert_eq!(created.len(), 2);
    let status = |workspace: &Workspace| -> Vec<Value> {
        workspace.list().iter().map(|run| run["status"].clone()).collect()
    };
    assert_eq!(status(&workspace), ["not_started", "not_started"]);
    fake.lose("scontrol");
    let error = workspace.run(&["submit", "a"]).failure(4);
    assert!(
        error.contains("scontrol failed")
            && error.contains("may be down")
            && error.contains("1 new run stay"),
        "{error}"
    );
    fake.remove("sbatch-error");
    let fake = FakeSlurm::new();
    let workspace = workspace.with_programs(&fake.programs());
    workspace.run(&["submit", "a", "b"]).success();
    assert_eq!(workspace.directories(), created, "the directories are used again");
    assert_eq!(status(&workspace), ["pending", "pending"]);
}

#[test]
fn directories_of_a_killed_submitter_are_submitted_once() {
    for (hang, was_accepted) in [("hang-before", false), ("hang-after", true)] {
        let fake = FakeSlurm::new();
        let workspace = workspace(&fake);
        fake.set(hang, "");
        let mut submitter = workspace.start(&["submit", "a", "b"], &[]);
        wait_until("sbatch is called", || !fake.calls("sbatch").is_empty());
        wait_until("sbatch has queued", || !was_accepted || fake.read("queue").lines().count() == 2);
        submitter.kill().unwrap();
        submitter.wait().unwrap();
        fake.remove(hang);
        let created = workspace.directories();
        assert_eq!(created.len(), 2);
        if was_accepted {
            forget_interval(&workspace.runs());
            let runs = workspace.list();
            assert!(runs.iter().all(|run| run["status"] == "pending"), "{runs:?}");
            assert_eq!(runs[0]["tasks"][0]["job"].as_str().unwrap().split('_').next(), Some("101"));
            let name = created[0].file_name().unwrap().to_str().unwrap();
            assert!(workspace.run(&["submit", name]).failure(2).contains("submitted already as job 101_0"));
        } else {
            workspace.run(&["submit", "a", "b"]).success();
            assert_eq!(workspace.directories(), created);
        }
        assert_eq!(fake.read("queue").lines().count(), 2, "{hang}: each run is submitted once");
    }
}

#[test]
fn two_submitters_at_once_submit_no_run_twice() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    fake.set("sbatch-error", "sbatch: error: no\n");
    workspace.run(&["submit", "a"]).failure(2);
    fake.remove("sbatch-error");
    let created = workspace.directories();
    let name = created[0].file_name().unwrap().to_str().unwrap().to_owned();
    let submitters = [(); 2].map(|()| workspace.start(&["submit", &name], &[]));
    let mut codes: Vec<Option<i32>> = submitters.map(|child| end(child).code).to_vec();
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(2)]);
    assert_eq!(fake.read("queue").lines().count(), 1);
    let submitters = [(); 2].map(|()| workspace.start(&["submit", "b"], &[]));
    for child in submitters {
        end(child).success();
    }
    assert_eq!(workspace.directories().len(), 3, "each submitter of an experiment has a run of its own");
    assert_eq!(fake.read("queue").lines().count(), 3);
}

#[test]
fn exactly_the_tasks_of_a_run_are_cancelled() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    let result = workspace.run(&["submit", "a", "b", "c"]).success();
    let run = result.paths()[2].file_name().unwrap().to_str().unwrap().to_owned();
    let cancelled = workspace.run(&["cancel", &run]).success();
    assert!(cancelled.stdout.trim_end().ends_with(&run));
    assert_eq!(fake.calls("scancel"), ["scancel 101_2 101_3"]);
    let runs = workspace.list();
    let status = |name: &str| runs.iter().find(|run| run["experiment"] == name).unwrap()["status"].clone();
    assert_eq!((status("c"), status("a")), ("stopped".into(), "pending".into()));
    assert!(workspace.run(&["cancel", &run]).failure(2).contains("neither submitted nor queued"));
    workspace.run(&["submit", &run]).success();
    assert_eq!(fake.calls("sbatch").len(), 2, "a run that was cancelled can be submitted again");
}

#[test]
fn local_queue_is_an_executor_too() {
    let fake = FakeSlurm::new();
    let workspace = workspace(&fake);
    let result = workspace.run(&["submit", "a", "--executor", "local"]).success();
    assert!(result.stderr.contains("1 task is in the queue"), "{}", result.stderr);
    let queue = std::fs::read_to_string(workspace.runs().join("queue.toml")).unwrap();
    assert!(queue.contains(result.paths()[0].file_name().unwrap().to_str().unwrap()), "{queue}");
    workspace.run(&["cancel", "a"]).success();
    assert!(!std::fs::read_to_string(workspace.runs().join("queue.toml")).unwrap().contains("[[run]]"));
    assert!(fake.read("calls").is_empty(), "Slurm is not needed");
}

#[test]
fn thousand_tasks_need_few_calls() {
    let fake = FakeSlurm::new();
    fake.set("max-array", "400");
    let workspace = workspace(&fake);
    let names = vec!["a"; 1000];
    let start = Instant::now();
    workspace.run(&[&["submit"], names.as_slice()].concat()).success();
    let submitted = start.elapsed();
    assert_eq!((fake.calls("sbatch").len(), fake.calls("scontrol").len()), (3, 1));
    assert_eq!(workspace.directories().len(), 1000);
    for index in 0..500 {
        fake.set_state(&format!("101|{index}|"), "RUNNING|None");
    }
    let start = Instant::now();
    for _ in 0..10 {
        assert_eq!(workspace.list().len(), 1000);
    }
    let listed = start.elapsed() / 10;
    assert!(fake.calls("squeue").len() <= 2, "{:?}", fake.calls("squeue"));
    assert!(fake.calls("sacct").is_empty());
    let runs = workspace.list();
    let count = |status: &str| runs.iter().filter(|run| run["status"] == status).count();
    assert_eq!((count("running"), count("pending")), (400, 600));
    eprintln!("1,000 tasks: submitted in {submitted:.1?}, listed in {listed:.2?}");
}
