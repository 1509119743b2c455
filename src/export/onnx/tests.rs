//! ONNX Runtime computes the logits of the engines for every family, and for architectures that no family has. Without
//! its library, the tests say that they were skipped.

use super::session::OnnxSession;
use crate::batch::Batch;
use crate::files::ModelFolder;
use crate::nn::random_architectures::{batch, models_with_values, reference_engine};
use crate::nn::{self, Engine, MAX_ONNX_BYTES, ModelConfig, OnnxPrecision, write_onnx};
use crate::spec::{DeviceSpec, Precision};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::path::{Path, PathBuf};

/// Largest difference of a logit, relative to the largest one if that is above 1.
const TOLERANCE: f32 = 1e-4;
/// The same in int8. Tiny models with random weights are more sensitive than trained ones.
const INT8_TOLERANCE: f32 = 0.1;

/// The model in `folder`, or `None` with a message if there is no library.
fn open(folder: &Path) -> Option<OnnxSession> {
    match OnnxSession::open(folder) {
        Ok(session) => Some(session.expect("a model that ONNX Runtime accepts")),
        Err(unavailable) => {
            eprintln!("SKIPPED: no exported model was run in ONNX Runtime: {}", unavailable.0);
            None
        }
    }
}

/// The folders of the golden models.
fn golden_models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("model.safetensors").is_file()).collect();
    folders.sort();
    assert!(folders.len() >= 19, "{folders:?}");
    folders
}

/// Batches of several sizes and lengths, with padding and without, up to the longest text of the model.
fn batches(config: &ModelConfig) -> Vec<Batch> {
    let longest = config.max_tokens();
    let lengths: [&[usize]; 6] = [&[1], &[7], &[longest], &[9, 9, 9], &[2, longest, 11, 1, 5], &[3; 17]];
    let batch_of = |(number, lengths): (usize, &&[usize])| {
        let lengths: Vec<usize> = lengths.iter().map(|length| (*length).min(longest)).collect();
        batch(config, &lengths, number as u32)
    };
    lengths.iter().enumerate().map(batch_of).collect()
}

/// Compares the logits of `session` with those of `engine`.
fn compare(what: &str, session: &mut OnnxSession, engine: &mut dyn Engine, batch: &Batch, tolerance: f32) {
    // Any token is hidden by the mask.
    let found = session.logits(batch, 3).expect("logits").concat();
    let expected = engine.logits(batch).expect("logits").concat();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0, |largest: f32, logit| largest.max(logit.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let difference = (found - expected).abs();
        assert!(difference <= tolerance * largest, "{what}: logit {found}, expected {expected}");
    }
}

#[test]
fn onnx_runtime_computes_the_logits_of_every_family() {
    for folder in golden_models() {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let model = ModelFolder::on_disk(&folder);
        let mut built =
            nn::for_inference(&model, DeviceSpec::Cpu, Some(Precision::F32)).expect("a classifier");
        let outputs = built.labels.len();
        for (precision, max_bytes, tolerance) in [
            (OnnxPrecision::F32, MAX_ONNX_BYTES, TOLERANCE),
            (OnnxPrecision::F32, 0, TOLERANCE),
            (OnnxPrecision::Int8, MAX_ONNX_BYTES, INT8_TOLERANCE),
        ] {
            let exported = tempfile::tempdir().expect("a folder");
            let shape = (&built.config, outputs);
            write_onnx(exported.path(), shape, built.engine.as_ref(), precision, max_bytes).expect("a model");
            let Some(mut session) = open(exported.path()) else { return };
            for batch in batches(&built.config) {
                let what = format!("{name}, {precision:?}, {} bytes, {:?}", max_bytes, batch.offsets);
                compare(&what, &mut session, built.engine.as_mut(), &batch, tolerance);
            }
        }
    }
}

proptest! {
    // The same cases in each run.
    #![proptest_config(ProptestConfig { cases: 48, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn onnx_runtime_computes_the_logits_of_random_architectures(
        config in models_with_values(),
        lengths in prop::collection::vec(1usize..50, 1..7),
    ) {
        let mut engine = reference_engine(&config);
        let exported = tempfile::tempdir().expect("a folder");
        write_onnx(exported.path(), (&config, 3), engine.as_ref(), OnnxPrecision::F32, MAX_ONNX_BYTES).expect("a model");
        let Some(mut session) = open(exported.path()) else { return Ok(()) };
        let batch = batch(&config, &lengths, 0);
        compare(&format!("{config:?}"), &mut session, engine.as_mut(), &batch, 2.0 * TOLERANCE);
    }
}

#[test]
fn a_file_that_is_no_model_is_rejected_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("model.onnx"), b"no model").expect("a file");
    match OnnxSession::open(folder.path()) {
        Ok(Err(error)) => {
            let text = error.to_string();
            assert!(text.contains("rejects it") && !text.contains('\n'), "{text}");
        }
        Ok(Ok(_)) => panic!("accepted"),
        Err(unavailable) => eprintln!("SKIPPED: {}", unavailable.0),
    }
}
