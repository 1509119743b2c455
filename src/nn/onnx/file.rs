//! Writing of a model as a file, tensor by tensor, so that only one of them is in memory.

use super::initializer::{Initializer, Parameters};
use super::inputs::LOGITS;
use super::proto::{
    DataLocation, DataType, DimensionSize, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::error::{Error, Result};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The file of the model.
pub const ONNX_MODEL: &str = "model.onnx";
/// The file of tensors that are not in it, as Optimum names it.
pub const ONNX_DATA: &str = "model.onnx_data";

/// Version of the file format, for which ONNX Runtime 1.12 and later have support, and of the operators.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// Smaller tensors are always in the model file, since readers look at the values of some.
const MIN_EXTERNAL_BYTES: u64 = 1024;
/// The offset of a tensor in the external file is a multiple of this, so that it can be mapped into memory.
const EXTERNAL_ALIGNMENT: u64 = 4096;

/// The numbers of fields that are written one by one.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// A graph to write.
pub(super) struct Graph {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<Initializer>,
    pub(super) inputs: Vec<&'static str>,
    /// Number of labels.
    pub(super) outputs: usize,
}

/// Writes `model.onnx` to `folder`, and `model.onnx_data` if all tensors together have more than `max_bytes`.
///
/// # Errors
/// [`Error::Write`], and those of `parameters`.
pub(super) fn write(folder: &Path, graph: &Graph, parameters: &Parameters<'_>, max_bytes: u64) -> Result<()> {
    let bytes: u64 = graph.initializers.iter().map(Initializer::byte_len).sum();
    let mut tensors: Vec<TensorProto> = graph.initializers.iter().map(description).collect();
    if bytes > max_bytes {
        let path = folder.join(ONNX_DATA);
        let file = File::create(&path).map_err(Error::writing(&path))?;
        let mut writer = Writer { path: &path, file: BufWriter::new(file), written: 0 };
        for (tensor, initializer) in tensors.iter_mut().zip(&graph.initializers) {
            if initializer.byte_len() >= MIN_EXTERNAL_BYTES {
                writer.external(tensor, &initializer.bytes(parameters)?)?;
            }
        }
        writer.finish()?;
    }
    let path = folder.join(ONNX_MODEL);
    let file = File::create(&path).map_err(Error::writing(&path))?;
    let mut writer = Writer { path: &path, file: BufWriter::new(file), written: 0 };
    writer.model(graph, &tensors, parameters)?;
    writer.finish()
}

/// Name, type and shape of a tensor.
fn description(initializer: &Initializer) -> TensorProto {
    TensorProto {
        dims: initializer.dims.iter().map(|size| *size as i64).collect(),
        data_type: initializer.data_type.into(),
        name: initializer.name.clone(),
        ..TensorProto::default()
    }
}

/// The graph without its tensors.
fn graph_proto(graph: &Graph) -> GraphProto {
    let named = |name: &str| DimensionSize::Param(name.into());
    let input = |name: &&'static str| {
        let sizes = [named("batch_size"), named("sequence_length")];
        ValueInfoProto::tensor(name, DataType::Int64, sizes)
    };
    let sizes = [named("batch_size"), DimensionSize::Value(graph.outputs as i64)];
    GraphProto {
        node: graph.nodes.clone(),
        name: "main_graph".into(),
        initializer: Vec::new(),
        input: graph.inputs.iter().map(input).collect(),
        output: vec![ValueInfoProto::tensor(LOGITS, DataType::Float, sizes)],
    }
}

/// Whether the elements of a tensor are in the external file.
fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External.into())
}

/// The length of a field of bytes with its key and its length.
fn field_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

/// The length of a tensor as a message, with the elements unless they are in the external file.
fn tensor_len(tensor: &TensorProto, initializer: &Initializer) -> usize {
    let elements =
        if is_external(tensor) { 0 } else { field_len(TENSOR_RAW_DATA, initializer.byte_len() as usize) };
    tensor.encoded_len() + elements
}

/// A file that is being written.
struct Writer<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    written: u64,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).map_err(Error::writing(self.path))
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(Error::writing(self.path))
    }

    /// Writes the elements of a tensor to the external file, and their place to `tensor`.
    fn external(&mut self, tensor: &mut TensorProto, bytes: &[u8]) -> Result<()> {
        let padding = self.written.next_multiple_of(EXTERNAL_ALIGNMENT) - self.written;
        self.write(&vec![0; padding as usize])?;
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
        tensor.external_data = vec![
            entry("location", ONNX_DATA.into()),
            entry("offset", self.written.to_string()),
            entry("length", bytes.len().to_string()),
        ];
        tensor.data_location = Some(DataLocation::External.into());
        self.write(bytes)
    }

    /// Writes the model as one message of the wire format: lengths come before contents, so they are computed first.
    fn model(&mut self, graph: &Graph, tensors: &[TensorProto], parameters: &Parameters<'_>) -> Result<()> {
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: None,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        };
        self.write(&model.encode_to_vec())?;
        let without_tensors = graph_proto(graph).encode_to_vec();
        let lengths = tensors
            .iter()
            .zip(&graph.initializers)
            .map(|(tensor, initializer)| field_len(GRAPH_INITIALIZER, tensor_len(tensor, initializer)));
        let length = without_tensors.len() + lengths.sum::<usize>();
        self.field(MODEL_GRAPH, length)?;
        self.write(&without_tensors)?;
        for (tensor, initializer) in tensors.iter().zip(&graph.initializers) {
            self.field(GRAPH_INITIALIZER, tensor_len(tensor, initializer))?;
            self.write(&tensor.encode_to_vec())?;
            if !is_external(tensor) {
                let bytes = initializer.bytes(parameters)?;
                self.field(TENSOR_RAW_DATA, bytes.len())?;
                self.write(&bytes)?;
            }
        }
        Ok(())
    }

    /// Writes the key and the length of a field.
    fn field(&mut self, tag: u32, length: usize) -> Result<()> {
        let mut bytes = Vec::new();
        encode_key(tag, WireType::LengthDelimited, &mut bytes);
        encode_varint(length as u64, &mut bytes);
        self.write(&bytes)
    }
}
