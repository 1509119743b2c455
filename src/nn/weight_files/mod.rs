//! The tensors of a model folder's weight files. Only headers are read at first; each tensor is read on its own.
//!
//! Supported: `model.safetensors` and `pytorch_model.bin`, whole or in the parts that an index lists. A
//! `pytorch_model.bin` is a zip archive (PyTorch 1.6 and later) or a sequence of pickles (before). Not supported:
//! quantized weights.

mod pickle;
mod stored;
mod torch;

use super::error_text::{first_line, shortened};
use crate::error::{Error, Result, catch_library_panic};
use crate::files::{ADAPTER_WEIGHTS, ModelFolder, Root};
use candle_core::DType;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
pub(crate) use stored::StoredTensor;
use stored::WeightFile;

/// Longest header of a safetensors file in bytes. That of a model with 1000 tensors takes about 100 KB.
const MAX_HEADER: u64 = 32 << 20;
/// Largest index of a model in parts, in bytes.
const MAX_INDEX: u64 = 32 << 20;

/// The formats in order of preference: the whole file, the index of a file in parts, and the reader.
const FORMATS: [(&str, &str, ReadTensors); 2] = [
    ("model.safetensors", "model.safetensors.index.json", read_safetensors),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", torch::tensors),
];

type ReadTensors = fn(&Arc<WeightFile>) -> Result<Vec<StoredTensor>, String>;

/// Reads the headers of the folder's weights: every tensor by name. Those of an adapter are the tensors of its base model.
///
/// # Errors
/// No weight file; a damaged or unsupported file.
pub(crate) fn stored_tensors(folder: &ModelFolder) -> Result<BTreeMap<String, StoredTensor>> {
    let folder = match &folder.root {
        Root::Adapter { base, .. } => base,
        _ => folder,
    };
    for (whole, index, read) in FORMATS {
        let files = match WeightFile::open(folder, whole)? {
            Some(file) => vec![file],
            None => match WeightFile::open(folder, index)? {
                Some(index) => parts(folder, &index)?,
                None => continue,
            },
        };
        let mut tensors = BTreeMap::new();
        for file in &files {
            tensors.extend(tensors_of(folder, file, read)?);
        }
        return Ok(tensors);
    }
    let names = FORMATS.map(|(whole, index, _)| format!("{whole}, {index}")).join(", ");
    Err(Error::model(&folder.name, format!("has no weights: none of {names} exists")))
}

/// Reads the header of the weights of an adapter: every tensor by name.
///
/// # Errors
/// No weight file; a damaged file.
pub(crate) fn adapter_tensors(adapter: &ModelFolder) -> Result<Vec<(String, StoredTensor)>> {
    let file = WeightFile::open(adapter, ADAPTER_WEIGHTS)?.ok_or_else(|| {
        let advice = "save the adapter again with a current version of peft";
        Error::model(&adapter.name, format!("has no {ADAPTER_WEIGHTS}; {advice}"))
    })?;
    tensors_of(adapter, &file, read_safetensors)
}

/// The tensors of a file by name.
fn tensors_of(
    folder: &ModelFolder,
    file: &Arc<WeightFile>,
    read: ReadTensors,
) -> Result<Vec<(String, StoredTensor)>> {
    let found = catch_library_panic(|| read(file)).and_then(|found| found).map_err(|problem| {
        let advice = "download it again, or save it again with a current version of Transformers";
        Error::model(
            &folder.name,
            format!(
                "{} is damaged, incomplete or in an unknown format ({}); {advice}",
                file.name(),
                shortened(&problem)
            ),
        )
    })?;
    // Names appear in messages.
    let named = |tensor: StoredTensor| {
        let name = shortened(tensor.name());
        (name.clone(), StoredTensor { name, ..tensor })
    };
    Ok(found.into_iter().map(named).collect())
}

/// The distinct files that an index lists.
fn parts(folder: &ModelFolder, index: &WeightFile) -> Result<Vec<Arc<WeightFile>>> {
    let invalid =
        |problem: &str| Error::model(&folder.name, format!("{}: {}", index.name(), shortened(problem)));
    if index.len() > MAX_INDEX {
        return Err(invalid("it is too large for an index of weight files"));
    }
    let bytes = index.bytes(0, index.len()).map_err(|e| invalid(&e.to_string()))?;
    let json: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|e| invalid(&format!("not JSON: {e}")))?;
    let map = json.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| invalid("weight_map is missing or not an object"))?;
    let name = |file: &serde_json::Value| match file.as_str() {
        // Reject paths that lead out of the folder.
        Some(file) if !file.contains(['/', '\\']) => Ok(file.to_owned()),
        _ => {
            Err(invalid(&format!("weight_map lists {file}; expected the name of a file in the same folder")))
        }
    };
    let names = map.values().map(name).collect::<Result<BTreeSet<_>>>()?;
    let open = |name: String| {
        let missing = || invalid(&format!("weight_map lists {name}, which is missing; download it again"));
        WeightFile::open(folder, &name)?.ok_or_else(missing)
    };
    names.into_iter().map(open).collect()
}

/// Reads the header of a safetensors file, which must account for every byte of the file.
fn read_safetensors(file: &Arc<WeightFile>) -> Result<Vec<StoredTensor>, String> {
    let read = |start, len| file.bytes(start, len).map_err(|e| e.to_string());
    let start = read(0, file.len().min(64))?;
    if start.starts_with(b"version https://git-lfs") {
        return Err("it is a pointer of Git LFS; fetch the file itself with `git lfs pull`".into());
    }
    let length = start.first_chunk::<8>().ok_or("it is shorter than its header")?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err("header too large".into());
    }
    let data_start = 8 + length;
    if data_start > file.len() {
        return Err("it is shorter than its header".into());
    }
    let header = read(8, length)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| first_line(&e))?;
    let expected = data_start.checked_add(metadata.data_len() as u64);
    if expected != Some(file.len()) {
        return Err(format!(
            "it has {} bytes, and its header describes {}",
            file.len(),
            expected.unwrap_or(u64::MAX)
        ));
    }
    let tensor = |(name, info): (String, &safetensors::tensor::TensorInfo)| StoredTensor {
        name,
        dtype: dtype(info.dtype),
        shape: info.shape.clone(),
        strides: None,
        file: Arc::clone(file),
        start: data_start + info.data_offsets.0 as u64,
        len: info.data_offsets.1.saturating_sub(info.data_offsets.0) as u64,
    };
    Ok(metadata.tensors().into_iter().map(tensor).collect())
}

/// The type in candle; `None` if it cannot be converted to f32.
fn dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F64 => DType::F64,
        Dtype::U8 => DType::U8,
        Dtype::U32 => DType::U32,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        _ => return None,
    })
}
