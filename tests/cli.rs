//! The real binary without the interface: commands, exit codes, files and streams, as scripts rely on them.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// A folder to work in, with no network and no cache.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glue-tui"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", self.path().join("hf"));
        for name in ["GLUE_TUI_RUNS", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// What a command came to.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    /// It went well.
    fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// It failed with this code, one sentence on stderr and nothing on stdout.
    fn bad(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        let lines: Vec<&str> = self.err.lines().collect();
        let last = lines.last().expect("a sentence on stderr");
        assert!(last.starts_with("glue-tui: "), "{}", self.err);
        assert!(!self.err.contains("panicked") && !self.err.contains("backtrace"), "{}", self.err);
        (*last).to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// The run directory that `train` names last.
    fn dir(&self) -> PathBuf {
        PathBuf::from(self.out.lines().last().expect("a last line"))
    }
}

/// Few rows and steps, so that a training takes seconds.
const SMALL: &[&str] = &["--set", "max_train_samples=64", "--set", "max_eval_samples=20"];

fn train(desk: &Desk, name: &str, more: &[&str]) -> Said {
    desk.run(&[&["train", name], SMALL, more].concat())
}

/// One short training that several tests look at.
fn trained() -> &'static (Desk, PathBuf) {
    static DONE: OnceLock<(Desk, PathBuf)> = OnceLock::new();
    DONE.get_or_init(|| {
        let desk = Desk::new();
        let said = train(&desk, "demo", &["--set", "max_steps=4"]).good();
        let dir = desk.path().join(said.dir());
        (desk, dir)
    })
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

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
    assert!(desk.run(&["train", "demo", "--set", "task=cola"]).bad(2).contains("not in this version"));
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
fn a_training_leaves_the_promised_directory() {
    let (_, dir) = trained();
    for name in ["spec.toml", "events.jsonl", "summary.json", "log.txt", "checkpoints", "best"] {
        assert!(dir.join(name).exists(), "{name}");
    }
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert!(dir.join("best").join(name).exists(), "{name}");
    }
    let summary = read_json(&dir.join("summary.json"));
    let keys = [
        "status",
        "experiment",
        "task",
        "model",
        "device",
        "precision",
        "seed",
        "steps",
        "epochs",
        "train_seconds",
        "examples_per_second",
        "tokens_per_second",
        "before",
        "best",
        "validation",
        "trainable_parameters",
    ];
    for key in keys {
        assert!(summary.get(key).is_some(), "{key}");
    }
    assert_eq!((&summary["status"], &summary["steps"]), (&"finished".into(), &4.into()));
    assert!(summary["validation"]["loss"].as_f64().is_some_and(f64::is_finite));
    assert_eq!(summary["best"]["metric"], "accuracy");
    let events = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "step").count(), 4);
    for kind in ["started", "eval", "saved", "ended"] {
        assert!(kinds.iter().any(|said| said == kind), "{kind}");
    }
}

#[test]
fn the_written_specification_alone_repeats_the_run() {
    let (desk, dir) = trained();
    let spec = dir.join("spec.toml");
    let said =
        desk.run(&["train", "demo", "--experiments", spec.to_str().unwrap(), "--runs-dir", "again"]).good();
    let weights = |dir: &Path| std::fs::read(dir.join("best/model.safetensors")).unwrap();
    assert!(weights(&desk.path().join(said.dir())) == weights(dir), "the same seed gave other weights");
}

#[test]
fn a_finished_run_is_listed_scored_asked_and_exported() {
    let (desk, dir) = trained();
    let name = dir.file_name().unwrap().to_str().unwrap();

    let rows = desk.run(&["runs", "--json"]).good().json();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).expect("the run in the list");
    assert_eq!(
        (&row["status"], &row["steps"], &row["total_steps"]),
        (&"finished".into(), &4.into(), &4.into())
    );
    let table = desk.run(&["runs"]).good();
    assert!(table.out.starts_with("NAME") && table.out.contains(name));
    let published = desk.run(&["runs", "--published"]).good();
    assert!(published.out.starts_with("EXPERIMENT") && published.out.contains("train sst-bert-large"));
    let published = desk.run(&["runs", "--published", "--json"]).good().json();
    let row = &published[0]["rows"][1];
    assert_eq!((&row["split"], &row["ours"]), (&"test".into(), &serde_json::Value::Null));
    let empty = Desk::new().run(&["runs"]).good();
    assert!(empty.out.is_empty() && empty.err.contains("no runs"));

    let scores = desk.run(&["eval", name]).good().json();
    assert_eq!((&scores["task"], &scores["split"]), (&"demo".into(), &"validation".into()));
    assert!(scores["accuracy"].as_f64().is_some_and(|value| (0.0..=1.0).contains(&value)));
    assert_eq!(scores["labels"].as_array().unwrap().len(), scores["confusion"].as_array().unwrap().len());
    assert!(desk.run(&["eval", name, "--task", "sts"]).bad(2).contains("sst"));

    let answer = desk.run(&["predict", name, "not bad at all"]).good().json();
    assert_eq!(answer["text"], "not bad at all");
    let sum: f64 = answer["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{answer}");
    assert_eq!(answer["probability"], answer["probabilities"][answer["label"].as_str().unwrap()]);
    assert!(desk.run(&["predict", name, "one", "two"]).bad(2).contains("one text"));
    assert!(answer.get("saliency").is_none());
    let explained = desk.run(&["predict", "--explain", name, "not bad, at all"]).good().json();
    let words = explained["saliency"].as_array().unwrap();
    let told: Vec<_> =
        words.iter().map(|word| (word["text"].as_str().unwrap(), word["start"].as_u64())).collect();
    assert_eq!(
        told,
        [("not", Some(0)), ("bad", Some(4)), (",", Some(7)), ("at", Some(9)), ("all", Some(12))]
    );
    assert!(words.iter().all(|word| word["value"].is_f64() && word.get("sequence").is_none()), "{explained}");

    let to = desk.path().join("out");
    let said = desk.run(&["export", name, "--format", "hf", "--to", to.to_str().unwrap()]).good();
    assert_eq!(said.out.trim(), to.to_str().unwrap());
    assert!(to.join("config.json").is_file() && to.join("model.safetensors").is_file());
    assert_eq!(
        desk.run(&["predict", to.to_str().unwrap(), "not bad at all"]).good().json()["label"],
        answer["label"]
    );
    assert!(desk.run(&["export", name, "--to", to.to_str().unwrap()]).bad(2).contains("out"));
}

#[test]
fn predict_answers_line_by_line_and_takes_a_closed_pipe_calmly() {
    let (desk, dir) = trained();
    let mut command = desk.command(&["predict", dir.to_str().unwrap()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for text in ["a joy", "a bore", ""] {
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
        // The answer comes while the input is still open.
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], text);
    }
    drop(output);
    for _ in 0..2 {
        writeln!(input, "nobody reads this").ok();
    }
    drop(input);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn pairs_are_two_columns() {
    let desk = Desk::new();
    let dir = train(&desk, "demo-pairs", &["--set", "max_steps=2"]).good().dir();
    let dir = dir.to_str().unwrap();
    let answer = desk.run(&["predict", dir, "How old is it?", "What is its age?"]).good().json();
    assert_eq!(answer["text_pair"], "What is its age?");
    assert!(desk.run(&["predict", dir, "How old is it?"]).bad(2).contains("two texts"));
    let explained = desk.run(&["predict", dir, "Älter?", "Is it?", "--explain"]).good().json();
    let words = explained["saliency"].as_array().unwrap();
    assert!(
        words.iter().all(|word| {
            let whole = if word["sequence"] == 0 { "Älter?" } else { "Is it?" };
            let (start, end) =
                (word["start"].as_u64().unwrap() as usize, word["end"].as_u64().unwrap() as usize);
            whole.chars().skip(start).take(end - start).eq(word["text"].as_str().unwrap().chars())
        }),
        "{explained}"
    );
    assert_eq!(words.last().unwrap()["sequence"], 1);
    let scores = desk.run(&["eval", dir, "--split", "dev"]).good().json();
    assert!(scores["f1"].is_number(), "{scores}");
}

#[test]
fn repeats_tell_each_seed_and_their_spread() {
    let desk = Desk::new();
    let said = train(&desk, "demo", &["--set", "max_steps=2", "--set", "repeats=2"]).good();
    for text in
        ["seed 42: best validation accuracy", "seed 43: best validation accuracy", " ± ", "over 2 seeds"]
    {
        assert!(said.err.contains(text), "{text}\n{}", said.err);
    }
    let dir = desk.path().join(said.dir());
    assert!(dir.join("best/model.safetensors").is_file());
    let rows = desk.run(&["runs", "--json"]).good().json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["repeats"]["count"], 2);
}

/// Reads stderr until a line holds `text`; what follows is read away on a thread, so that nothing blocks.
#[cfg(unix)]
fn wait_for(child: &mut Child, text: &str) -> std::thread::JoinHandle<String> {
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(err.read_line(&mut line).unwrap() > 0, "{text} was not said:\n{seen}");
        seen.push_str(&line);
        if line.contains(text) {
            break;
        }
    }
    std::thread::spawn(move || {
        err.read_to_string(&mut seen).unwrap();
        seen
    })
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_resumed_to_the_same_weights() {
    let desk = Desk::new();
    let steps = ["--set", "max_steps=60", "--set", "num_train_epochs=60"];
    let straight = train(&desk, "demo", &steps).good().dir();

    let args = [&["train", "demo", "--runs-dir", "stopped"], SMALL, &steps[..]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/60");
    signal(&child, "INT");
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    let dir = out.lines().last().expect("the run directory").to_owned();
    assert!(err.lines().last().unwrap().contains(&format!("--resume {dir}")), "{err}");
    let summary = read_json(&desk.path().join(&dir).join("summary.json"));
    assert_eq!(summary["status"], "stopped");
    assert!(summary["steps"].as_u64().unwrap() < 60, "it ended before it was interrupted");

    // It goes on as it began, or not at all.
    let resume = ["train", "--runs-dir", "stopped", "--resume", &dir];
    assert!(desk.run(&[&resume[..], &["--set", "max_steps=61"]].concat()).bad(2).contains("max_steps"));
    assert!(desk.run(&[&resume[..], &["demo-pairs"]].concat()).bad(2).contains("demo-pairs"));
    let said = desk.run(&[&resume[..], &["demo", "--set", "max_steps=60"]].concat()).good();
    assert_eq!(said.dir(), PathBuf::from(&dir));
    let weights = |dir: &Path| std::fs::read(desk.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(
        weights(Path::new(&dir)) == weights(&straight),
        "resuming gave other weights than a straight run"
    );
    let scores = |dir: &Path| read_json(&desk.path().join(dir).join("summary.json"))["validation"].clone();
    assert_eq!(scores(Path::new(&dir)), scores(&straight));
}

#[cfg(unix)]
#[test]
fn a_batch_systems_warning_saves_too() {
    let desk = Desk::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    signal(&child, "USR1");
    // The end that follows the warning does not cut the saving short.
    signal(&child, "TERM");
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    assert!(err.contains("--resume"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_run_is_steered_from_another_terminal_and_can_be_replayed() {
    let desk = Desk::new();
    let args = [&["train", "demo"], SMALL, &["--set", "max_steps=100000"]].concat();
    let mut child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rest = wait_for(&mut child, "step 1/");
    let control = |args: &[&str]| desk.run(&[&["control", "demo"], args].concat());
    let said = control(&["pause"]).good().out;
    let (step, told) = said.trim().strip_prefix("step ").and_then(|rest| rest.split_once(": ")).unwrap();
    assert_eq!(told, "told to pause");
    let step: u64 = step.parse().unwrap();
    assert!(control(&["eval"]).good().out.contains("told to score"));
    // Paused, it answers and can be asked.
    let halved = control(&["halve", "--json"]).good().json();
    assert_eq!((&halved["step"], &halved["command"]), (&step.into(), &"halve".into()));
    assert_eq!(halved["settings"]["learning_rate"], 2.5e-4);
    let told = control(&["set", &format!("max_steps={}", step + 4)]).good().out;
    assert_eq!(
        told.trim(),
        format!("step {step}: told to set max_steps = {0}: learning_rate 2.5e-4, {0} steps", step + 4)
    );
    for wrong in ["seed=1", "learning_rate=-1", "max_steps=1.5"] {
        let told = control(&["set", wrong]).bad(2);
        assert!(told.contains(wrong.split('=').next().unwrap()), "{told}");
    }
    assert!(control(&["save"]).good().out.contains("told to save"));
    assert!(desk.run(&["control", "nothing", "pause"]).bad(2).contains("there is no run nothing"));
    control(&["resume"]).good();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let err = rest.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{err}");
    assert!(err.contains("told to halve learning_rate: learning_rate 2.5e-4"), "{err}");
    let dir = PathBuf::from(out.lines().last().unwrap());
    let summary = read_json(&desk.path().join(&dir).join("summary.json"));
    assert_eq!((&summary["steps"], &summary["changes"][0]["command"]), (&(step + 4).into(), &"halve".into()));
    assert!(control(&["pause"]).bad(2).contains("is finished, so nobody would hear it"));

    let again = desk.run(&["train", "--replay", dir.to_str().unwrap()]).good();
    assert_ne!(again.dir(), dir);
    let weights = |dir: &Path| std::fs::read(desk.path().join(dir).join("best/model.safetensors")).unwrap();
    assert!(weights(&again.dir()) == weights(&dir), "the replay came to other weights");
    assert!(again.err.contains("as before"), "{}", again.err);
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
    let report = Said::from(closed.output().unwrap()).good().json();
    assert_eq!(report["hub"]["reachable"], false);
}

#[test]
fn the_runs_folder_can_come_from_the_environment() {
    let desk = Desk::new();
    let mut command = desk.command(&["doctor", "--json"]);
    let report = Said::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "elsewhere");
    let mut command = desk.command(&["doctor", "--json", "--runs-dir", "here"]);
    let report = Said::from(command.env("GLUE_TUI_RUNS", "elsewhere").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "here");
    let mut command = desk.command(&["doctor", "--json"]);
    let report = Said::from(command.env("GLUE_TUI_RUNS", "").output().unwrap()).good().json();
    assert_eq!(report["runs"]["dir"], "runs");
}
