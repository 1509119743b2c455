//! What is asked and told without a training: help, mistakes and their exit codes, what is there.

use super::desk::*;

use serde_json::Value;

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let said = Desk::new().run(&["--help"]).good();
    for word in [
        "train",
        "eval",
        "predict",
        "runs",
        "control",
        "export",
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
        assert!(said.out.contains(word), "{word}");
    }
    let version = Desk::new().run(&["--version"]).good();
    assert_eq!(version.out.trim(), concat!("glue-tui ", env!("CARGO_PKG_VERSION")));
    let help = Desk::new().run(&["train", "--help"]).good();
    assert!(help.out.contains("--resume <RUN>") && help.out.contains("--set <KEY=VALUE>"));
}

#[test]
fn bench_says_where_a_steps_time_goes() {
    let desk = Desk::new();
    let args = ["--shape", "minilm", "--batch", "2", "--lengths", "4-8", "--seconds", "0.1"];
    let report = desk.run(&[&["--json", "bench"], &args[..]].concat()).good().json();
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
    let said = desk.run(&[&["bench"], &args[..]].concat()).good();
    assert!(said.out.contains("matrix products") && said.out.contains("examples/s"), "{}", said.out);
    assert!(desk.run(&["bench", "--shape", "bert-huge"]).bad(2).contains("bert-large"));
    assert!(desk.run(&["bench", "--lengths", "0"]).bad(2).contains("from 1 to 512"));
}

#[test]
fn wrong_usage_is_one_sentence_and_exits_with_2() {
    let desk = Desk::new();
    assert!(desk.run(&["trian"]).bad(2).contains("'train'"));
    assert!(desk.run(&["train"]).bad(2).contains("NAME"));
    assert!(desk.run(&["runs", "--jsno"]).bad(2).contains("--jsno"));
    assert!(desk.run(&["export", "x", "--format", "onnx", "--to", "y"]).bad(2).contains("hf"));
    let told = desk.run(&["train", "dmeo"]).bad(2);
    assert!(told.contains("there is no experiment `dmeo`") && told.contains("there are demo"), "{told}");
    let told = desk.run(&["train", "demo", "--set", "lr=3e-5"]).bad(2);
    assert!(told.contains("`lr`; did you mean `learning_rate`?"), "{told}");
    let told = desk.run(&["train", "demo", "--set", "learning_rate=-1"]).bad(2);
    assert!(told.contains("--set learning_rate=-1: a number above 0"), "{told}");
    assert!(desk.run(&["train", "demo", "--set", "task=colla"]).bad(2).contains("`cola`"));
    assert!(desk.run(&["train", "demo", "--device", "gpu"]).bad(2).contains("cuda:0"));
    assert!(desk.run(&["train", "--resume", "nothing"]).bad(2).contains("nothing"));
    assert!(!desk.path().join("runs").exists(), "a wrong command leaves no run behind");
}

#[test]
fn every_mistake_of_a_file_is_told_with_line_and_column() {
    let desk = Desk::new();
    desk.write(
        "experiments.toml",
        "[experiment.a]\nlearning_rat = 1e-4\nseed = -1\n\n[experiment.b]\ntask = \"sts\"\n",
    );
    for args in [&["check"][..], &["check", "b"], &["train", "b"]] {
        let said = desk.run(args);
        assert_eq!(said.code, Some(2));
        let lines: Vec<&str> = said.err.lines().collect();
        assert_eq!(lines.len(), 3, "{}", said.err);
        assert_eq!(
            lines[0],
            "experiments.toml:2:1: unknown key `learning_rat`; did you mean `learning_rate`?"
        );
        assert!(lines[1].starts_with("experiments.toml:3:8: `seed`: "), "{}", lines[1]);
        assert!(lines[2].starts_with("experiments.toml:6:8: `task`: "), "{}", lines[2]);
    }
}

#[test]
fn check_prints_filled_specifications_that_can_be_read_again() {
    let desk = Desk::new();
    // Without a file, the shipped one is meant.
    let one = desk.run(&["check", "sst-distilbert"]).good();
    for line in [
        "experiment = \"sst-distilbert\"",
        "repeats = 8",
        "adam_epsilon = 1e-6",
        "lr_scheduler_type = \"constant\"",
    ] {
        assert!(one.out.lines().any(|said| said == line), "{line}\n{}", one.out);
    }
    let all = desk.run(&["check"]).good();
    let path = desk.write("all.toml", &all.out);
    let again = desk.run(&["check", "sst-distilbert", "--experiments", path.to_str().unwrap()]).good();
    assert_eq!(again.out, one.out);
    let json = desk.run(&["check", "demo", "--json"]).good().json();
    assert_eq!((&json["task"], &json["seed"]), (&"demo".into(), &42.into()));
    assert!(desk.run(&["check", "--experiments", "none.toml"]).bad(2).contains("none.toml"));
}

#[test]
fn data_and_devices_that_are_not_there_have_their_codes() {
    let desk = Desk::new();
    let told = train(&desk, "demo", &["--set", "task=sst2", "--set", "data_dir=nowhere"]).bad(3);
    assert!(told.contains("nowhere"), "{told}");
    let told = train(&desk, "demo", &["--set", "model=someone/some-model"]).bad(3);
    assert!(told.contains("someone/some-model"), "{told}");
    if cfg!(not(feature = "cuda")) {
        let told = train(&desk, "demo", &["--device", "cuda:0"]).bad(4);
        assert!(told.contains("cuda:0"), "{told}");
    }
    assert_eq!(desk.run(&["predict", "no-such-run", "x"]).code, Some(3));
}

#[test]
fn doctor_tells_what_is_there() {
    let desk = Desk::new();
    let report = desk.run(&["doctor", "--json"]).good().json();
    for key in ["version", "cpu", "devices", "precision", "hub", "cache", "experiments", "runs", "terminal"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!((&report["hub"]["offline"], &report["hub"]["reachable"]), (&true.into(), &Value::Null));
    assert_eq!(report["devices"][0]["name"], "cpu");
    assert!(report["cpu"]["threads"].as_u64().unwrap() >= 1);
    let said = desk.run(&["doctor"]).good();
    assert!(said.out.contains("HF_HUB_OFFLINE") && said.out.contains("cpu"), "{}", said.out);
    let mut closed = desk.command(&["doctor", "--json"]);
    closed.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", "http://127.0.0.1:1");
    let report = RunEvent::from(closed.output().unwrap()).good().json();
    assert_eq!(report["hub"]["reachable"], false);
}

#[test]
fn the_runs_folder_can_come_from_the_environment() {
    let desk = Desk::new();
    let mut command = desk.command(&["doctor", "--json"]);
    let report = RunEvent::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "elsewhere");
    let mut command = desk.command(&["doctor", "--json", "--runs-dir", "here"]);
    let report = RunEvent::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "here");
    let mut command = desk.command(&["doctor", "--json"]);
    let report = RunEvent::from(command.env("GLUE_TUI_RUNS", "").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "runs");
}

#[test]
fn keys_are_written_out_changed_in_a_file_and_every_mistake_of_it_is_told() {
    let desk = Desk::new();
    let built_in = desk.run(&["keys"]).good();
    assert!(built_in.out.lines().any(|line| line.starts_with("#pause = \"space\" ")), "{}", built_in.out);
    let folder = desk.path().join("config/glue-tui");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("keys.toml");
    std::fs::write(&file, &built_in.out).unwrap();
    assert_eq!(desk.run(&["keys"]).good().out, built_in.out, "it means what it was");

    std::fs::write(&file, "quit = \"ctrl-q\"\n[live]\npause = [\"space\", \"p\"]\n").unwrap();
    let keys = desk.run(&["keys", "--json"]).good().json();
    let of = |screen: &str, action: &str| {
        let mut all = keys.as_array().unwrap().iter();
        all.find(|one| one["screen"] == screen && one["action"] == action).unwrap()["keys"].clone()
    };
    assert_eq!(of("live", "pause"), serde_json::json!(["space", "p"]));
    assert_eq!(of("everywhere", "quit"), serde_json::json!(["ctrl-q"]));

    std::fs::write(&file, "quit = \"ctl-q\"\n[live]\npuase = \"p\"\n").unwrap();
    // The interface is not opened on such a file, nor does it look for a terminal first.
    for args in [&["keys"][..], &[]] {
        let said = desk.run(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
        let lines: Vec<&str> = said.err.lines().collect();
        let at = file.display();
        let wanted = [
            format!("{at}:1:8: `ctl-q` is no key; did you mean `ctrl-q`?"),
            format!("{at}:3:1: unknown action `puase`; did you mean `pause`?"),
        ];
        assert_eq!(lines, wanted, "{}", said.err);
    }
}

#[test]
fn what_comes_from_outside_is_told_without_control_characters() {
    let desk = Desk::new();
    let run = desk.path().join("runs/evil\x1b[31m\u{202e}");
    std::fs::create_dir_all(&run).unwrap();
    let spec = glue_tui::spec::built_in("demo");
    std::fs::write(run.join("spec.toml"), glue_tui::spec::to_toml(&spec)).unwrap();
    let listed = desk.run(&["runs"]).good().out;
    assert!(listed.contains("evil\\x1b[31m\\u{202e}"), "{listed}");
    let refused = desk.run(&["control", "no\x1b]0;x\x07ne", "pause"]).bad(2);
    assert!(refused.contains("no\\x1b]0;x\\x07ne"), "{refused}");
    let refused = desk.run(&["runs", "--n\x1b[2J"]).bad(2);
    for told in [listed, refused] {
        assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    }
}
