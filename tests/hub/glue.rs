//! All of GLUE from the hub: what is fetched, skipped and predicted.

use super::common::command;
use super::datasets::glue_parquet;
use super::mock::Mock;
use super::pty::Terminal;
use serde_json::Value;
use std::path::Path;

const LABELS: &[f32] = &[0.0, 1.0, 1.0, 0.0];
const HIDDEN: &[f32] = &[-1.0; 3];

/// A hub with MNLI, AX and RTE; QNLI has no training split, and the other tasks are missing.
fn hub() -> Mock {
    let mock = Mock::start();
    let inference = |labels| glue_parquet(&["premise", "hypothesis"], "INT64", labels);
    let pairs = |labels| glue_parquet(&["sentence1", "sentence2"], "INT64", labels);
    let file = |name: &str, bytes: Vec<u8>| (format!("{name}-00000-of-00001.parquet"), bytes);
    let files = [
        file("mnli/train", inference(LABELS)),
        file("mnli/validation_matched", inference(LABELS)),
        file("mnli/validation_mismatched", inference(LABELS)),
        file("mnli/test_matched", inference(HIDDEN)),
        file("mnli/test_mismatched", inference(HIDDEN)),
        file("ax/test", inference(HIDDEN)),
        file("rte/train", pairs(LABELS)),
        file("rte/validation", pairs(LABELS)),
        file("rte/test", pairs(HIDDEN)),
        file("qnli/validation", glue_parquet(&["question", "sentence"], "INT64", LABELS)),
    ];
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    mock.add("datasets/nyu-mll/glue@main", &files);
    mock
}

/// The scoreboard of a GLUE run, and what was printed on stderr.
fn glue(home: &Path, endpoint: &str) -> (Value, String) {
    let args = ["glue", "demo", "--plain", "--json", "--set", "max_steps=2", "--set", "threads=1"];
    let mut command = command(home, &args);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    (serde_json::from_slice(&output.stdout).unwrap(), errors)
}

#[test]
fn glue_is_trained_and_predicted_from_the_hub() {
    let (mock, home) = (hub(), tempfile::tempdir().unwrap());
    let (board, errors) = glue(home.path(), &mock.endpoint);
    let tasks = board["tasks"].as_array().unwrap();
    let with_status = |status: &str| {
        let found = tasks.iter().filter(|task| task["status"] == status);
        found.map(|task| task["task"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(with_status("finished"), ["mnli", "rte"]);
    assert_eq!(with_status("skipped"), ["cola", "sst2", "mrpc", "stsb", "qqp", "qnli", "wnli"]);
    let reason = |name: &str| {
        let task = tasks.iter().find(|task| task["task"] == name).unwrap();
        task["reason"].as_str().unwrap().to_owned()
    };
    assert!(reason("cola").contains("no Parquet files for configuration cola"), "{}", reason("cola"));
    assert!(reason("qnli").contains("no Parquet files of a train split"), "{}", reason("qnli"));
    assert!(errors.contains("skips qnli: "), "{errors}");
    let run = tasks.iter().find(|task| task["task"] == "mnli").unwrap()["run"].as_str().unwrap();
    for name in ["AX.tsv", "MNLI-m.tsv", "MNLI-mm.tsv"] {
        let text = std::fs::read_to_string(home.path().join(run).join("submission").join(name)).unwrap();
        assert_eq!((text.lines().count(), text.lines().next()), (4, Some("index\tprediction")), "{name}");
    }
    // The second time everything is in the cache, except that the hub is asked for the missing files.
    mock.requests();
    let (again, _) = glue(home.path(), &mock.endpoint);
    assert_eq!(again["average"], board["average"]);
    let fetched: Vec<String> = mock.requests().into_iter().map(|request| request.path).collect();
    assert!(!fetched.iter().any(|path| path.contains("/resolve/")), "{fetched:?}");
}

#[cfg(unix)]
#[test]
fn interface_fetches_the_data_of_all_tasks_before_it_queues_them() {
    let (mock, home) = (hub(), tempfile::tempdir().unwrap());
    let experiments = "[experiment.tiny]\nmax_steps = 2\nthreads = 1\n";
    std::fs::write(home.path().join("experiments.toml"), experiments).unwrap();
    let cache = home.path().join("hf");
    let variables = [
        ("HF_ENDPOINT", mock.endpoint.as_str()),
        ("HF_HOME", cache.to_str().unwrap()),
        ("HF_HUB_OFFLINE", "0"),
    ];
    let program = env!("CARGO_BIN_EXE_glue-tui");
    let mut terminal = Terminal::start(program, &[], home.path(), &variables, (110, 30));
    terminal.wait_for("tiny");
    terminal.send("B");
    terminal.wait_for("Train on all tasks of GLUE?");
    terminal.send("a");
    // Tasks without data are skipped, as on the command line.
    terminal.wait_for("7 skipped");
    let sweeps = home.path().join("runs/sweeps");
    let sweep = std::fs::read_dir(sweeps).unwrap().next().unwrap().unwrap().path();
    let decisions = std::fs::read_to_string(sweep.join("decisions.jsonl")).unwrap();
    assert_eq!(decisions.matches("skipped").count(), 7, "{decisions}");
    assert!(decisions.contains("no Parquet files of a train split"), "{decisions}");
}
