//! The structure of the files. Whether they compute the same as the engines is tested where ONNX Runtime is used.

use super::file::{ONNX_DATA, ONNX_MODEL};
use super::proto::{DataLocation, DataType, GraphProto, ModelProto, TensorProto};
use super::{OnnxInputs, OnnxPrecision, write_onnx};
use crate::batch::{Batch, Encoded};
use crate::files::ModelFolder;
use crate::nn::{self, Built};
use crate::spec::{DeviceSpec, Precision};
use prost::Message;
use std::collections::BTreeSet;
use std::path::Path;

fn model(family: &str) -> Built {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(family);
    let folder = ModelFolder::on_disk(folder);
    nn::for_inference(&folder, DeviceSpec::Cpu, Some(Precision::F32)).expect("a classifier")
}

fn write(folder: &Path, model: &Built, precision: OnnxPrecision, max_bytes: u64) -> ModelProto {
    let shape = (&model.config, model.labels.len());
    write_onnx(folder, shape, model.engine.as_ref(), precision, max_bytes).expect("a file");
    let bytes = std::fs::read(folder.join(ONNX_MODEL)).expect("the file");
    ModelProto::decode(&bytes[..]).expect("a message")
}

fn graph(family: &str, precision: OnnxPrecision) -> GraphProto {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &model(family), precision, u64::MAX).graph.expect("a graph")
}

/// Number of elements.
fn elements(tensor: &TensorProto) -> i64 {
    tensor.dims.iter().product()
}

/// Every family, and models with other keys.
const FAMILIES: [&str; 12] = [
    "bert",
    "distilbert",
    "roberta",
    "electra",
    "albert-groups",
    "mpnet",
    "deberta-v3",
    "deberta-v2",
    "deberta-absolute",
    "modernbert",
    "modernbert-biases",
    "bert-regression",
];

#[test]
fn nodes_use_only_what_is_computed_before_them() {
    for family in FAMILIES {
        for precision in [OnnxPrecision::F32, OnnxPrecision::Int8] {
            let graph = graph(family, precision);
            let mut known: BTreeSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
            for tensor in &graph.initializer {
                assert!(known.insert(&tensor.name), "{family}: {} is stored twice", tensor.name);
            }
            let mut names = BTreeSet::new();
            for node in &graph.node {
                assert!(names.insert(&node.name), "{family}: two nodes {}", node.name);
                for input in &node.input {
                    assert!(known.contains(input.as_str()), "{family}: {} needs {input}", node.name);
                }
                for output in &node.output {
                    assert!(known.insert(output), "{family}: {output} is computed twice");
                }
            }
            assert!(known.contains("logits"), "{family}");
            let used: BTreeSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
            for tensor in &graph.initializer {
                assert!(used.contains(&tensor.name), "{family}: {} is not used", tensor.name);
            }
        }
    }
}

/// The graph has all parameters that an output depends on, each once; layers with the same parameters share them.
#[test]
fn every_parameter_is_stored_once() {
    for family in FAMILIES {
        let model = model(family);
        let stored = graph(family, OnnxPrecision::F32);
        let floats = stored.initializer.iter().filter(|tensor| tensor.data_type() == DataType::Float);
        let is_parameter =
            |tensor: &&TensorProto| tensor.name.contains('.') && !tensor.name.starts_with("float_");
        let stored: i64 = floats.filter(is_parameter).map(elements).sum();
        assert_eq!(stored as u64, model.trainable_parameters, "{family}");
    }
}

#[test]
fn int8_quantizes_words_and_layers() {
    for family in FAMILIES {
        let model = model(family);
        let graph = graph(family, OnnxPrecision::Int8);
        let products = graph.node.iter().filter(|node| node.op_type == "MatMulInteger").count();
        assert!(products >= 4 * model.config.layers, "{family}: {products} products");
        let int8 = graph.initializer.iter().filter(|tensor| tensor.data_type() == DataType::Int8);
        let quantized: i64 = int8.map(elements).sum();
        assert!(2 * quantized as u64 > model.trainable_parameters, "{family}: {quantized} elements");
        let words = format!("{}.weight", model.config.names().words);
        assert!(graph.initializer.iter().all(|tensor| tensor.name != words), "{family}: words in f32 too");
    }
}

#[test]
fn inputs_have_dynamic_sizes_and_segments_where_the_model_has_several() {
    for (family, inputs) in [("bert", 3), ("roberta", 2), ("distilbert", 2), ("modernbert", 2), ("albert", 3)]
    {
        let graph = graph(family, OnnxPrecision::F32);
        let names: Vec<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["input_ids", "attention_mask", "token_type_ids"][..inputs], "{family}");
        assert_eq!(graph.output.len(), 1, "{family}");
    }
}

/// External tensors have the same elements, and the folder no file that is not used.
#[test]
fn large_tensors_are_in_a_file_of_their_own() {
    let model = model("bert");
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let [inline, external] = [(&folders[0], u64::MAX), (&folders[1], 1000)].map(|(folder, max_bytes)| {
        write(folder.path(), &model, OnnxPrecision::F32, max_bytes).graph.expect("a graph").initializer
    });
    assert!(!folders[0].path().join(ONNX_DATA).exists());
    let data = std::fs::read(folders[1].path().join(ONNX_DATA)).expect("the file");
    let mut count = 0;
    for (inline, external) in inline.iter().zip(&external) {
        assert_eq!((&inline.name, &inline.dims), (&external.name, &external.dims));
        let expected = inline.raw_data.as_deref().expect("elements");
        if external.data_location != Some(DataLocation::External.into()) {
            assert!(expected.len() < 1024);
            assert_eq!(external.raw_data.as_deref(), Some(expected), "{}", inline.name);
            continue;
        }
        let value = |key: &str| {
            let entry = external.external_data.iter().find(|entry| entry.key == key).expect("an entry");
            entry.value.clone()
        };
        let [offset, length] = ["offset", "length"].map(|key| value(key).parse::<usize>().expect("a number"));
        assert_eq!((value("location").as_str(), offset % 4096, length), (ONNX_DATA, 0, expected.len()));
        assert_eq!(data[offset..offset + length], *expected, "{}", inline.name);
        assert!(external.raw_data.is_none());
        count += 1;
    }
    assert!(count > 10, "{count} external tensors");
}

#[test]
fn batches_are_padded_at_the_end() {
    let example = |ids: &[u32], type_ids: &[u32]| Encoded {
        ids: ids.to_vec(),
        type_ids: type_ids.to_vec(),
        label: None,
    };
    let batch = Batch::new(&[example(&[5, 6, 7], &[0, 0, 1]), example(&[8], &[0])]);
    let inputs = OnnxInputs::new(&batch, 1);
    assert_eq!(inputs.shape, [2, 3]);
    assert_eq!(inputs.values("input_ids"), Some(&[5, 6, 7, 8, 1, 1][..]));
    assert_eq!(inputs.values("attention_mask"), Some(&[1, 1, 1, 1, 0, 0][..]));
    assert_eq!(inputs.values("token_type_ids"), Some(&[0, 0, 1, 0, 0, 0][..]));
    assert_eq!(inputs.values("position_ids"), None);
}
