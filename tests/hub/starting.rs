//! Starts of runs whose model the hub does not have: they end with the reason and without a run directory.

use super::common::command;
use super::mock::{Fault, Mock};
use std::path::Path;

/// Trains the demo task on `model`, with the hub at `endpoint`. Returns the exit code and the error.
fn train(home: &Path, endpoint: &str, settings: &[&str]) -> (Option<i32>, String) {
    let mut args = vec!["train", "demo", "--plain", "--set", "max_steps=1"];
    for setting in settings {
        args.extend(["--set", setting]);
    }
    let mut command = command(home, &args);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// A hub with models that cannot be trained.
fn hub() -> Mock {
    let mock = Mock::start();
    let files = |config: &str| {
        vec![
            ("config.json", config.as_bytes().to_vec()),
            ("tokenizer.json", b"{}".to_vec()),
            ("model.safetensors", vec![0; 2000]),
        ]
    };
    mock.add("models/owner/other-family@main", &files(r#"{"model_type": "gpt2"}"#));
    mock.add("models/owner/no-weights@main", &files("{}")[..2]);
    mock.add("models/owner/gated@main", &files(r#"{"model_type": "bert"}"#));
    mock.fault("GET", "/owner/gated/resolve", 9, Fault::Status(403, "GatedRepo"));
    mock
}

#[test]
fn run_that_cannot_start_has_no_directory() {
    let mock = hub();
    let closed = "http://127.0.0.1:1";
    let cases: [(&str, &[&str], &str); 8] = [
        (&mock.endpoint, &["model=owner/none"], "owner/none: "),
        (&mock.endpoint, &["model=owner/none"], "has no such model"),
        (&mock.endpoint, &["model=owner/gated", "revision=v2"], "has no such revision"),
        (&mock.endpoint, &["model=owner/gated"], "access is restricted"),
        (&mock.endpoint, &["model=owner/no-weights"], "has no weights"),
        (&mock.endpoint, &["model=owner/other-family"], "gpt2"),
        (closed, &["model=owner/none"], "refused"),
        (closed, &["task=sst2"], "refused"),
    ];
    for (endpoint, settings, expected) in cases {
        let home = tempfile::tempdir().unwrap();
        let (code, error) = train(home.path(), endpoint, settings);
        assert_eq!(code, Some(3), "{settings:?}: {error}");
        assert!(error.contains(expected), "{settings:?}: {error}");
        let runs = std::fs::read_dir(home.path().join("runs")).into_iter().flatten().count();
        assert_eq!(runs, 0, "{settings:?}");
    }
}
