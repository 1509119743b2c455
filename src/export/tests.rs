//! Exports of a small run: what is right passes, and what was damaged after it was written is noticed.

use super::model::{Export, check};
use super::{
    EXPORT_REPORT, ExportOptions, ExportReport, ExportSource, ModelFormat, OnDifference, RowSource,
    TemperatureChoice, ThresholdChoice, VerificationStatus, export_model,
};
use crate::data::TextColumns;
use crate::hub::Hub;
use crate::nn::{self, ONNX_MODEL, OnnxPrecision, Weights};
use crate::predict::{ModelOutput, Predictor, THRESHOLDS};
use crate::spec::DeviceSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HF: ModelFormat = ModelFormat::Hf;
const ONNX: ModelFormat = ModelFormat::Onnx(OnnxPrecision::F32);

/// The directory of a run of two classes with 16 validation rows.
fn run() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-0.2/runs/tiny-20261130-050323-9322")
}

fn source() -> ExportSource {
    // The specification names the model by a path in the repository, which an export does not read.
    ExportSource::of_run(&run()).expect("a run with weights")
}

/// The report of an export that `damage` changes after it was written.
fn report(format: ModelFormat, damage: impl FnOnce(&Path)) -> crate::error::Result<ExportReport> {
    let (source, options) = (source(), ExportOptions::of(format));
    let folder = tempfile::tempdir().expect("a folder");
    let export = Export::prepare(&source, &options, &Hub::cache_only(), &mut |_| {})?;
    export.write(folder.path())?;
    damage(folder.path());
    export.verify(folder.path(), &mut |_| {})
}

/// Whether the report of an ONNX model is of any use; says so if not.
fn is_verified(report: &ExportReport) -> bool {
    let is_verified = report.verification.status != VerificationStatus::Unverified;
    if !is_verified {
        eprintln!("SKIPPED: no export was read by ONNX Runtime: {}", report.sentence());
    }
    is_verified
}

#[track_caller]
fn assert_failed(report: &ExportReport, problem: &str) {
    assert_eq!(report.verification.status, VerificationStatus::Failed, "{}", report.sentence());
    let sentence = report.sentence();
    assert!(sentence.contains(problem), "{sentence}");
    let error = check(report, OnDifference::Fail).expect_err("an export that differs");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("--force"), "{error}");
    check(report, OnDifference::Write).expect("a forced export");
}

fn edit_json(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    edit(&mut value);
    std::fs::write(path, value.to_string()).expect("a file");
}

fn edit_weights(folder: &Path, edit: impl FnOnce(&mut Weights)) {
    let path = folder.join("model.safetensors");
    let (mut weights, metadata) = nn::read_arrays(&path).expect("weights");
    edit(&mut weights);
    nn::write_arrays(&path, &weights, &metadata).expect("a file");
}

#[test]
fn exports_are_verified_with_the_validation_rows() {
    for format in [HF, ONNX, ModelFormat::Onnx(OnnxPrecision::Int8)] {
        let report = report(format, |_| {}).expect("a report");
        let verification = &report.verification;
        assert_eq!((verification.row_count, report.max_length), (16, 64));
        assert_eq!(verification.rows, RowSource::Validation { task: "demo".into() });
        assert_eq!(report.id2label.values().collect::<Vec<_>>(), ["negative", "positive"]);
        assert!(report.source_sha256.contains_key("model.safetensors"), "{:?}", report.source_sha256);
        let weights = if format == HF { "model.safetensors" } else { ONNX_MODEL };
        assert!(report.sha256.contains_key(weights) && report.sha256.contains_key("tokenizer.json"));
        if !is_verified(&report) {
            continue;
        }
        assert_eq!(verification.status, VerificationStatus::Passed, "{}", report.sentence());
        let comparison = verification.comparison.as_ref().expect("a comparison");
        assert!(comparison.scores.len() >= 2, "{comparison:?}");
        let (_, accuracy) = comparison.scores.iter().next().expect("a score");
        assert!(accuracy.before.interval.is_some() && accuracy.after.interval.is_some());
        let card = report.card_section();
        assert!(card.contains("16 validation rows of task demo") && card.contains("| accuracy |"), "{card}");
    }
}

#[test]
fn weights_are_those_of_the_run_byte_by_byte() {
    let report = report(HF, |_| {}).expect("a report");
    assert_eq!(report.sha256["model.safetensors"], report.source_sha256["model.safetensors"]);
}

#[test]
fn damaged_weights_are_noticed() {
    let add = |folder: &Path| {
        edit_weights(folder, |weights| {
            let name = "distilbert.transformer.layer.0.ffn.lin2.weight";
            weights.get_mut(name).expect("a layer").data[0] += 1.0;
        });
    };
    assert_failed(&report(HF, add).expect("a report"), "a logit differs");
    let swap = |folder: &Path| {
        edit_weights(folder, |weights| {
            for name in ["classifier.weight", "classifier.bias"] {
                let array = weights.get_mut(name).expect("the classifier");
                let half = array.data.len() / 2;
                array.data.rotate_left(half);
            }
        });
    };
    assert_failed(&report(HF, swap).expect("a report"), "a logit differs");
    let remove = |folder: &Path| edit_weights(folder, |weights| drop(weights.remove("classifier.bias")));
    let error = report(HF, remove).expect_err("a missing tensor").to_string();
    assert!(error.contains("classifier.bias is missing"), "{error}");
}

#[test]
fn swapped_labels_and_other_lengths_are_noticed() {
    for format in [HF, ONNX] {
        let swap = |folder: &Path| {
            edit_json(&folder.join("config.json"), |config| {
                config["id2label"] = json!({"0": "positive", "1": "negative"});
            });
        };
        let found = report(format, swap).expect("a report");
        if is_verified(&found) {
            assert_failed(&found, "positive, negative in this order instead of negative, positive");
        }
        let shorten = |folder: &Path| {
            edit_json(&folder.join("tokenizer_config.json"), |config| config["model_max_length"] = json!(8));
        };
        let found = report(format, shorten).expect("a report");
        if is_verified(&found) {
            assert_failed(&found, "truncated to 8 tokens instead of 64");
        }
    }
}

/// Swaps the rows of the last linear layer in the file, whose elements are found by their bytes.
#[test]
fn a_damaged_graph_is_noticed() {
    let weights = nn::read_arrays(&run().join("best/model.safetensors")).expect("weights").0;
    let bias: Vec<u8> = weights["classifier.bias"].data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let damage = |folder: &Path| {
        let path = folder.join(ONNX_MODEL);
        let mut bytes = std::fs::read(&path).expect("a model");
        let at = bytes.windows(bias.len()).position(|window| window == bias).expect("the bias");
        bytes[at..at + bias.len()].copy_from_slice(&[1.0_f32, -1.0].map(f32::to_le_bytes).concat());
        std::fs::write(&path, bytes).expect("a file");
    };
    let found = report(ONNX, damage).expect("a report");
    if is_verified(&found) {
        assert_failed(&found, "a logit differs");
    }
    let truncate = |folder: &Path| {
        let path = folder.join(ONNX_MODEL);
        let bytes = std::fs::read(&path).expect("a model");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
    };
    match report(ONNX, truncate) {
        Ok(found) => assert!(!is_verified(&found), "{}", found.sentence()),
        Err(error) => assert!(error.to_string().contains("rejects it"), "{error}"),
    }
}

fn export(format: ModelFormat, to: &Path, change: impl FnOnce(&mut ExportOptions<'_>)) -> ExportReport {
    let mut options = ExportOptions::of(format);
    change(&mut options);
    export_model(&source(), to, &options, &Hub::cache_only(), &mut |_| {}).expect("an export")
}

fn open(folder: &Path) -> Predictor {
    let name = folder.to_str().expect("a path");
    Predictor::open(name, Path::new("runs"), &Hub::cache_only(), DeviceSpec::Cpu).expect("a model")
}

/// The difference of the logits of both classes, from their probabilities.
fn logit_difference(folder: &Path) -> f64 {
    let output = open(folder).predict("a film that earns every minute", None).expect("a prediction").output;
    let [negative, positive] = [0, 1].map(|class| f64::from(output.probabilities()[class].1));
    (positive / negative).ln()
}

#[test]
fn temperature_divides_the_logits_of_the_export() {
    let home = tempfile::tempdir().expect("a folder");
    let (plain, scaled) = (home.path().join("plain"), home.path().join("scaled"));
    export(HF, &plain, |_| {});
    let report = export(HF, &scaled, |options| options.temperature = Some(TemperatureChoice::Value(4.0)));
    assert_eq!(report.verification.status, VerificationStatus::Passed);
    let (before, after) = (logit_difference(&plain), logit_difference(&scaled));
    assert!((before - 4.0 * after).abs() < 1e-4, "{before}, {after}");
    let found = report.temperature.expect("a temperature");
    let validation = found.validation.expect("what it changes");
    assert_ne!(validation.loss.before, validation.loss.after);
    assert!(report.card_section().contains("temperature 4.0000"));
    assert_ne!(report.sha256["model.safetensors"], report.source_sha256["model.safetensors"]);
}

#[test]
fn thresholds_are_stored_and_honored() {
    let home = tempfile::tempdir().expect("a folder");
    let to = home.path().join("exported");
    let choices: [ThresholdChoice; 1] = ["positive=recall:0.5".parse().expect("a target")];
    let report = {
        let options = ExportOptions { thresholds: &choices, ..ExportOptions::of(HF) };
        export_model(&source(), &to, &options, &Hub::cache_only(), &mut |_| {}).expect("an export")
    };
    let thresholds = report.thresholds.as_ref().expect("thresholds");
    assert_eq!((thresholds.rows, thresholds.thresholds.thresholds[0].label.as_str()), (16, "positive"));
    assert!(report.sha256.contains_key(THRESHOLDS) && report.card_section().contains("| positive |"));
    open(&to);
    // Every probability is below one threshold and above the other.
    for (threshold, label) in [(1.0, None), (0.0, Some("positive"))] {
        let file = json!({"thresholds": [
            {"label": "positive", "threshold": threshold},
            {"label": "negative", "threshold": 1.0},
        ]});
        std::fs::write(to.join(THRESHOLDS), file.to_string()).expect("a file");
        let output = open(&to).predict("a film", None).expect("a prediction").output;
        match (output, label) {
            (ModelOutput::Label { label, .. }, Some(expected)) => assert_eq!(label, expected),
            (ModelOutput::NoLabel { .. }, None) => {}
            (output, _) => panic!("{output:?}, expected {label:?}"),
        }
    }
    std::fs::write(to.join(THRESHOLDS), "{").expect("a file");
    let name = to.to_str().expect("a path");
    let opened = Predictor::open(name, Path::new("runs"), &Hub::cache_only(), DeviceSpec::Cpu);
    let error = opened.err().expect("an invalid file").to_string();
    assert!(error.contains("thresholds.json: is not valid JSON"), "{error}");
}

#[test]
fn model_folders_are_verified_with_generated_texts_or_a_file() {
    let home = tempfile::tempdir().expect("a folder");
    let best = run().join("best");
    let hub = Hub::cache_only();
    let name = best.to_str().expect("a path");
    let source = ExportSource::open(name, home.path(), &hub, &mut |_| {}).expect("a model");
    let to = home.path().join("generated");
    let report = export_model(&source, &to, &ExportOptions::of(HF), &hub, &mut |_| {}).expect("an export");
    assert_eq!(report.verification.rows, RowSource::Generated { reason: None });
    assert_eq!(report.verification.status, VerificationStatus::Passed, "{}", report.sentence());
    assert!(report.verification.comparison.as_ref().is_some_and(|comparison| comparison.scores.is_empty()));
    let stored: Value =
        serde_json::from_slice(&std::fs::read(to.join(EXPORT_REPORT)).expect("a file")).expect("JSON");
    assert_eq!(stored["verification"]["rows"]["source"], "generated");
    assert_eq!(stored["verification"]["status"], "passed");
    assert_eq!(stored["verification"]["reader"], "candle");

    let file = home.path().join("texts.csv");
    std::fs::write(&file, "text\ngood\nbad\nneither\n").expect("a file");
    let options = ExportOptions { input: Some((&file, TextColumns::default())), ..ExportOptions::of(HF) };
    let to = home.path().join("of-a-file");
    let report = export_model(&source, &to, &options, &hub, &mut |_| {}).expect("an export");
    assert_eq!((report.verification.row_count, report.verification.rows), (3, RowSource::File { file }));
    let fit = ExportOptions { temperature: Some(TemperatureChoice::Fit), ..ExportOptions::of(HF) };
    let error = export_model(&source, &home.path().join("x"), &fit, &hub, &mut |_| {}).expect_err("no rows");
    assert!(error.to_string().contains("validation rows of a run"), "{error}");
    assert!(!home.path().join("x").exists());
}

#[test]
fn max_eval_samples_limits_the_rows() {
    let home = tempfile::tempdir().expect("a folder");
    let report = export(HF, &home.path().join("exported"), |options| options.max_eval_samples = Some(5));
    assert_eq!(report.verification.row_count, 5);
    let again = export_model(
        &source(),
        &home.path().join("exported"),
        &ExportOptions::of(HF),
        &Hub::cache_only(),
        &mut |_| {},
    );
    assert!(again.expect_err("a folder that is not empty").to_string().contains("is not empty"));
    assert_eq!(BTreeMap::from([(0, "negative".to_owned()), (1, "positive".to_owned())]), report.id2label);
}
