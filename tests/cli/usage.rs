//! Commands without a training: help, errors and their exit codes, the environment.

use super::workspace::*;

use serde_json::Value;

#[test]
fn help_lists_every_command_and_the_exit_codes() {
    let result = Workspace::new().run(&["--help"]).success();
    for word in [
        "train",
        "eval",
        "predict",
        "runs",
        "prune",
        "control",
        "export",
        "push",
        "check",
        "keys",
        "doctor",
        "bench",
        "--experiments",
        "--runs-dir",
        "--json",
        "--device",
        "130",
    ] {
        assert!(result.stdout.contains(word), "{word}");
    }
    let version = Workspace::new().run(&["--version"]).success();
    assert_eq!(version.stdout.trim(), concat!("glue-tui ", env!("CARGO_PKG_VERSION")));
    let help = Workspace::new().run(&["train", "--help"]).success();
    assert!(help.stdout.contains("--resume <RUN>") && help.stdout.contains("--set <KEY=VALUE>"));
}

#[test]
fn bench_reports_the_phases_of_a_step() {
    let workspace = Workspace::new();
    let args = ["--shape", "minilm", "--batch", "2", "--lengths", "4-8", "--seconds", "0.1"];
    let report = workspace.run(&[&["--json", "bench"], &args[..]].concat()).success().json();
    assert_eq!((&report["shape"], &report["batch"]), (&Value::from("minilm"), &Value::from(2)));
    assert_eq!(report["parameters"], 22_713_986);
    let mean = report["tokens_per_example"].as_f64().unwrap();
    assert!((4.0..=8.0).contains(&mean), "{mean}");
    let phases = report["phases"].as_array().unwrap();
    let shares: f64 = phases.iter().map(|phase| phase["share"].as_f64().unwrap()).sum();
    assert!((0.5..1.5).contains(&shares), "{report:#}");
    for rate in ["gflops", "product_gflops", "gemm_gflops", "peak_memory"] {
        assert!(report[rate].as_f64().unwrap() > 0.0, "{rate}");
    }
    for part in ["training", "inference", "one_input"] {
        assert!(report[part]["median_ms"].as_f64().unwrap() > 0.0, "{part}");
    }
    let result = workspace.run(&[&["bench"], &args[..]].concat()).success();
    assert!(
        result.stdout.contains("matrix products") && result.stdout.contains("examples/s"),
        "{}",
        result.stdout
    );
    assert!(workspace.run(&["bench", "--shape", "bert-huge"]).failure(2).contains("bert-large"));
    assert!(workspace.run(&["bench", "--lengths", "0"]).failure(2).contains("from 1 to 8192"));
}

#[test]
fn usage_errors_are_one_sentence_and_exit_with_2() {
    let workspace = Workspace::new();
    assert!(workspace.run(&["trian"]).failure(2).contains("'train'"));
    assert!(workspace.run(&["train"]).failure(2).contains("NAME"));
    assert!(workspace.run(&["runs", "--jsno"]).failure(2).contains("--jsno"));
    assert!(workspace.run(&["export", "x", "--format", "tflite", "--to", "y"]).failure(2).contains("hf"));
    let error = workspace.run(&["train", "dmeo"]).failure(2);
    assert!(error.contains("no experiment `dmeo`") && error.contains("the experiments are demo"), "{error}");
    let error = workspace.run(&["train", "demo", "--set", "lr=3e-5"]).failure(2);
    assert!(error.contains("`lr`; did you mean `learning_rate`?"), "{error}");
    let error = workspace.run(&["train", "demo", "--set", "learning_rate=-1"]).failure(2);
    assert!(error.contains("--set learning_rate=-1: expected a number above 0"), "{error}");
    assert!(workspace.run(&["train", "demo", "--set", "task=colla"]).failure(2).contains("`cola`"));
    assert!(workspace.run(&["train", "demo", "--device", "gpu"]).failure(2).contains("cuda:0"));
    assert!(workspace.run(&["train", "--resume", "nothing"]).failure(2).contains("nothing"));
    assert!(!workspace.path().join("runs").exists(), "a failed command creates no run");
}

#[test]
fn every_mistake_in_a_file_has_line_and_column() {
    let workspace = Workspace::new();
    workspace.write(
        "experiments.toml",
        "[experiment.a]\nlearning_rat = 1e-4\nseed = -1\n\n[experiment.b]\ntask = \"sts\"\n",
    );
    let result = workspace.run(&["check"]);
    assert_eq!(result.code, Some(2));
    let lines: Vec<&str> = result.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", result.stderr);
    assert_eq!(lines[0], "experiments.toml:2:1: unknown key `learning_rat`; did you mean `learning_rate`?");
    assert!(lines[1].starts_with("experiments.toml:3:8: `seed`: "), "{}", lines[1]);
    assert!(lines[2].starts_with("experiments.toml:6:8: `task`: "), "{}", lines[2]);
    for args in [&["check", "b"], &["train", "b"]] {
        let result = workspace.run(args);
        assert_eq!((result.code, result.stderr.lines().count()), (Some(2), 1), "{}", result.stderr);
        assert!(result.stderr.starts_with("experiments.toml:6:8: `task`: "), "{}", result.stderr);
    }
}

#[test]
fn a_mistake_costs_its_experiment() {
    let workspace = Workspace::new();
    let broken = [
        "[experiment.bad]\nseed = = 1\n",
        "[experiment.bad\n",
        "[experiment.bad]\nmodel = \"\"\"demo\n",
        "[experiment.bad]\nlr = 1\n",
        "[experimnt.bad]\n",
    ];
    for (number, broken) in broken.iter().enumerate() {
        let text =
            format!("[experiment.first]\nmax_steps = 1\n\n{broken}\n[experiment.last]\nmax_steps = 1\n");
        workspace.write("experiments.toml", &text);
        let check = workspace.run(&["check"]);
        assert_eq!(check.code, Some(2), "{}", check.stderr);
        assert!(check.stdout.contains("[experiment.first]") && check.stdout.contains("[experiment.last]"));
        assert!(check.stderr.starts_with("experiments.toml:"), "{}", check.stderr);
        let json = workspace.run(&["check", "--json"]).json();
        assert_eq!(json.as_array().unwrap().len(), 2);
        for name in ["first", "last"] {
            workspace.run(&["check", name]).success();
        }
        assert_eq!(workspace.run(&["train", "bad"]).code, Some(2));
        if number == 0 {
            let run = train(&workspace, "last", &[]).success();
            assert!(run.stderr.contains("warning: experiments.toml:5:"), "{}", run.stderr);
        }
    }
}

#[test]
fn completions_and_man_pages_are_printed() {
    let workspace = Workspace::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = workspace.run(&["completions", shell]).success().stdout;
        assert!(script.contains("runs-dir") && script.contains("predict"), "{shell}");
    }
    assert!(workspace.run(&["completions", "sh"]).failure(2).contains("bash"));
    let page = workspace.run(&["man"]).success().stdout;
    assert!(page.contains(".TH") && page.contains("GLUE-TUI CONTROL PAUSE"), "{page}");
    assert_eq!(workspace.run(&["man", "--to", "pages"]).success().stdout, "");
    for name in ["glue-tui.1", "glue-tui-train.1", "glue-tui-control-pause.1"] {
        assert!(workspace.path().join("pages").join(name).is_file(), "{name}");
    }
}

#[test]
fn check_prints_complete_specifications_that_can_be_read_again() {
    let workspace = Workspace::new();
    // Without a file, the built-in one is used.
    let one = workspace.run(&["check", "sst-distilbert"]).success();
    for line in [
        "experiment = \"sst-distilbert\"",
        "repeats = 8",
        "adam_epsilon = 1e-6",
        "lr_scheduler_type = \"constant\"",
    ] {
        assert!(one.stdout.lines().any(|result| result == line), "{line}\n{}", one.stdout);
    }
    let all = workspace.run(&["check"]).success();
    let path = workspace.write("all.toml", &all.stdout);
    let again =
        workspace.run(&["check", "sst-distilbert", "--experiments", path.to_str().unwrap()]).success();
    assert_eq!(again.stdout, one.stdout);
    let json = workspace.run(&["check", "demo", "--json"]).success().json();
    assert_eq!((&json["task"], &json["seed"]), (&"demo".into(), &42.into()));
    assert!(workspace.run(&["check", "--experiments", "none.toml"]).failure(2).contains("none.toml"));
}

#[test]
fn missing_data_and_devices_have_their_exit_codes() {
    let workspace = Workspace::new();
    let error = train(&workspace, "demo", &["--set", "task=sst2", "--set", "data_dir=nowhere"]).failure(3);
    assert!(error.contains("nowhere"), "{error}");
    let error = train(&workspace, "demo", &["--set", "model=someone/some-model"]).failure(3);
    assert!(error.contains("someone/some-model"), "{error}");
    if cfg!(not(feature = "cuda")) {
        let error = train(&workspace, "demo", &["--device", "cuda:0"]).failure(4);
        assert!(error.contains("cuda:0"), "{error}");
    }
    // A name without an owner needs no request to a hub, which is offline in these tests.
    let error = workspace.run(&["predict", "no-such-run", "x"]).failure(3);
    assert!(error.contains("no-such-run: is neither a model folder nor a hub id"), "{error}");
    assert!(error.contains("no run no-such-run in runs") && !error.contains("OFFLINE"), "{error}");
    let error = workspace.run(&["predict", "distilbert-base-uncasde", "x"]).failure(3);
    assert!(error.contains("did you mean distilbert/distilbert-base-uncased?"), "{error}");
    let error = workspace.run(&["predict", "someone/some-model", "x"]).failure(3);
    assert!(error.contains("OFFLINE") && error.contains("no run someone/some-model"), "{error}");
    let error = workspace.run(&["predict", "bert-base-uncased", "x"]).failure(3);
    assert!(error.contains("OFFLINE"), "a short id of the hub's early days is known: {error}");
    let error = train(&workspace, "demo", &["--set", "model=nope"]).failure(3);
    assert!(error.contains("nope: is neither a model folder nor a hub id"), "{error}");
}

#[test]
fn doctor_reports_the_environment() {
    let workspace = Workspace::new();
    let report = workspace.run(&["doctor", "--json"]).success().json();
    for key in ["version", "cpu", "devices", "precision", "hub", "cache", "experiments", "runs", "terminal"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!((&report["hub"]["offline"], &report["hub"]["reachable"]), (&true.into(), &Value::Null));
    assert_eq!(report["devices"][0]["name"], "cpu");
    assert!(report["cpu"]["threads"].as_u64().unwrap() >= 1);
    if cfg!(target_os = "linux") {
        let libraries = report["cuda"]["libraries"].as_array().unwrap();
        assert!(libraries.iter().any(|library| library["name"] == "libcuda.so.1"), "{libraries:?}");
    }
    let result = workspace.run(&["doctor"]).success();
    assert!(result.stdout.contains("HF_HUB_OFFLINE") && result.stdout.contains("cpu"), "{}", result.stdout);
    let mut closed = workspace.command(&["doctor", "--json"]);
    closed.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", "http://127.0.0.1:1");
    let report = CommandResult::from(closed.output().unwrap()).success().json();
    assert_eq!(report["hub"]["reachable"], false);
}

#[test]
fn runs_dir_can_be_set_in_the_environment() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&["doctor", "--json"]);
    let report =
        CommandResult::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).success().json();
    assert_eq!(report["runs"]["dir"], "elsewhere");
    let mut command = workspace.command(&["doctor", "--json", "--runs-dir", "here"]);
    let report =
        CommandResult::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).success().json();
    assert_eq!(report["runs"]["dir"], "here");
    let mut command = workspace.command(&["doctor", "--json"]);
    let report = CommandResult::from(command.env("GLUE_TUI_RUNS", "").output().unwrap()).success().json();
    assert_eq!(report["runs"]["dir"], "runs");
}

#[test]
fn keys_exports_the_bindings_and_reports_every_mistake_in_the_file() {
    let workspace = Workspace::new();
    let built_in = workspace.run(&["keys"]).success();
    assert!(
        built_in.stdout.lines().any(|line| line.starts_with("#pause = \"space\" ")),
        "{}",
        built_in.stdout
    );
    let folder = workspace.path().join("config/glue-tui");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("keys.toml");
    std::fs::write(&file, &built_in.stdout).unwrap();
    assert_eq!(
        workspace.run(&["keys"]).success().stdout,
        built_in.stdout,
        "the exported file changes nothing"
    );

    std::fs::write(&file, "quit = \"ctrl-q\"\n[live]\npause = [\"space\", \"p\"]\n").unwrap();
    let keys = workspace.run(&["keys", "--json"]).success().json();
    let of = |screen: &str, action: &str| {
        let mut all = keys.as_array().unwrap().iter();
        all.find(|one| one["screen"] == screen && one["action"] == action).unwrap()["keys"].clone()
    };
    assert_eq!(of("live", "pause"), serde_json::json!(["space", "p"]));
    assert_eq!(of("everywhere", "quit"), serde_json::json!(["ctrl-q"]));

    std::fs::write(&file, "quit = \"ctl-q\"\n[live]\npuase = \"p\"\n").unwrap();
    // The interface shows a notice instead.
    {
        let result = workspace.run(&["keys"]);
        assert_eq!((result.code, result.stdout.as_str()), (Some(2), ""), "{}", result.stderr);
        let lines: Vec<&str> = result.stderr.lines().collect();
        let at = file.display();
        let wanted = [
            format!("{at}:1:8: `ctl-q` is not a key; did you mean `ctrl-q`?"),
            format!("{at}:3:1: unknown action `puase`; did you mean `pause`?"),
        ];
        assert_eq!(lines, wanted, "{}", result.stderr);
    }
}

#[test]
fn control_characters_from_outside_are_escaped() {
    let workspace = Workspace::new();
    let run = workspace.path().join("runs/evil\x1b[31m\u{202e}");
    std::fs::create_dir_all(&run).unwrap();
    let spec = glue_tui::spec::built_in("demo");
    std::fs::write(run.join("spec.toml"), glue_tui::spec::to_toml(&spec)).unwrap();
    let listed = workspace.run(&["runs"]).success().stdout;
    assert!(listed.contains("evil\\x1b[31m\\u{202e}"), "{listed}");
    let refused = workspace.run(&["control", "no\x1b]0;x\x07ne", "pause"]).failure(2);
    assert!(refused.contains("no\\x1b]0;x\\x07ne"), "{refused}");
    let refused = workspace.run(&["runs", "--n\x1b[2J"]).failure(2);
    for error in [listed, refused] {
        assert!(!error.contains(|c: char| c.is_control() && c != '\n'), "{error:?}");
    }
}
