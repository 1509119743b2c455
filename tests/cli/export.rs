//! `export`: formats, verification, temperature and thresholds.

use super::workspace::{Workspace, read_json, trained};
use serde_json::Value;
use std::path::PathBuf;

/// Exports the shared model to a folder of `workspace`, with a library of ONNX Runtime that is none.
fn export(workspace: &Workspace, args: &[&str]) -> super::workspace::CommandResult {
    let (_, model) = trained();
    let library = workspace.write("libonnxruntime.so", "no library");
    let mut command = workspace.command(&[&["export", model.to_str().unwrap()], args].concat());
    command.env("ORT_DYLIB_PATH", library).output().unwrap().into()
}

fn report(workspace: &Workspace, folder: &str) -> Value {
    read_json(&workspace.path().join(folder).join("export-report.json"))
}

#[test]
fn hugging_face_folder_is_verified() {
    let workspace = Workspace::new();
    let result = export(&workspace, &["--to", "model"]).success();
    assert_eq!(result.stdout, "model\n");
    assert!(result.stderr.contains("verified with candle on"), "{}", result.stderr);
    assert!(result.stderr.contains("no label differs"), "{}", result.stderr);
    let report = report(&workspace, "model");
    assert_eq!((&report["format"], &report["precision"]), (&"hf".into(), &"f32".into()));
    assert_eq!(report["verification"]["status"], "passed");
    assert!(report["verification"]["scores"]["accuracy"]["after"]["interval"]["low"].is_number(), "{report}");
    let card = std::fs::read_to_string(workspace.path().join("model/README.md")).unwrap();
    assert!(card.contains("## Export"), "{card}");
    let again = export(&workspace, &["--to", "model"]).failure(2);
    assert!(again.contains("not empty"), "{again}");
}

/// A library that cannot be loaded is one sentence, and the model is written nevertheless.
#[test]
fn onnx_model_without_a_library_is_not_verified() {
    let workspace = Workspace::new();
    for (precision, folder) in [("f32", "onnx"), ("int8", "int8")] {
        let args = ["--format", "onnx", "--precision", precision, "--to", folder];
        let result = export(&workspace, &args).success();
        let lines: Vec<&str> = result.stderr.lines().collect();
        let last = lines.last().unwrap();
        assert!(last.starts_with("not verified: ONNX Runtime was not loaded"), "{}", result.stderr);
        assert!(last.contains("pip install onnxruntime"), "{last}");
        for file in ["model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"] {
            assert!(workspace.path().join(folder).join(file).is_file(), "{file}");
        }
        let report = report(&workspace, folder);
        assert_eq!(report["verification"]["status"], "unverified");
        assert_eq!(report["precision"], precision);
    }
    let size =
        |folder: &str| std::fs::metadata(workspace.path().join(folder).join("model.onnx")).unwrap().len();
    assert!(3 * size("int8") < size("onnx"), "{} and {} bytes", size("int8"), size("onnx"));
}

/// With the library of the tests' Python, the export passes.
#[test]
fn onnx_model_is_verified_with_onnx_runtime() {
    let Some(library) = library() else { return };
    let workspace = Workspace::new();
    let (_, model) = trained();
    for precision in ["f32", "int8"] {
        let args = [
            "export",
            model.to_str().unwrap(),
            "--format",
            "onnx",
            "--precision",
            precision,
            "--to",
            precision,
        ];
        let mut command = workspace.command(&args);
        let result =
            super::workspace::CommandResult::from(command.env("ORT_DYLIB_PATH", &library).output().unwrap());
        let stderr = result.success().stderr;
        assert!(stderr.contains("verified with ONNX Runtime 1."), "{stderr}");
        let report = report(&workspace, precision);
        assert_eq!(report["verification"]["status"], "passed");
    }
}

/// The library of ONNX Runtime of the environment, or that of the Python of the tests.
fn library() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let found = set("ORT_DYLIB_PATH").or_else(|| {
        let python = set("GLUE_TUI_PYTHON")?;
        let lib = python.parent()?.parent()?.join("lib");
        let versions = std::fs::read_dir(lib).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        let mut folders = versions.map(|version| version.join("site-packages/onnxruntime/capi"));
        let folder = folders.find(|folder| folder.is_dir())?;
        let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        let is_library = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
        };
        files.into_iter().find(is_library)
    });
    if found.is_none() {
        eprintln!(
            "SKIPPED: neither ORT_DYLIB_PATH nor GLUE_TUI_PYTHON has ONNX Runtime, so no ONNX model was run"
        );
    }
    found
}

#[test]
fn thresholds_are_honored_by_predict() {
    let workspace = Workspace::new();
    let args = ["--to", "model", "--threshold", "recall:0", "--threshold", "positive=recall:0"];
    export(&workspace, &args).success();
    let thresholds = read_json(&workspace.path().join("model/thresholds.json"));
    let list = thresholds["thresholds"].as_array().unwrap();
    assert_eq!(list.len(), 2, "{thresholds}");
    assert!(
        list.iter().all(|threshold| threshold["precision"]["interval"]["low"].is_number()),
        "{thresholds}"
    );
    assert!(thresholds["coverage"]["value"].as_f64().unwrap() < 0.5, "{thresholds}");
    // The highest threshold of each label that one row reaches.
    let answer = workspace.run(&["predict", "model", "the"]).success().json();
    assert_eq!(answer["label"], Value::Null, "{answer}");
    assert!(answer["probabilities"]["positive"].is_number(), "{answer}");
    workspace.write("in.csv", "text\nthe\n");
    let table = workspace.run(&["predict", "model", "--input", "in.csv"]).success().stdout;
    assert!(table.lines().nth(1).unwrap().starts_with("the,,0."), "{table}");
}

#[test]
fn wrong_arguments_are_one_sentence() {
    let workspace = Workspace::new();
    for (args, code, problem) in [
        (&["--precision", "int8"][..], 2, "--format onnx"),
        (&["--temperature", "hot"], 2, "expected \"fit\" or a number above 0"),
        (&["--threshold", "positive=f1:0.5"], 2, "expected one of precision, recall"),
        (&["--threshold", "eggs=recall:0.5"], 2, "unknown label eggs"),
        (&["--text-column", "x"], 2, "--input"),
        (&["--input", "missing.csv"], 3, "missing.csv"),
    ] {
        let error = export(&workspace, &[args, &["--to", "model"]].concat()).failure(code);
        assert!(error.contains(problem), "{args:?}: {error}");
        assert!(!workspace.path().join("model").exists(), "{args:?}");
    }
}
