//! Reads the tensors of a model folder's weight files.
//!
//! Supported: `model.safetensors`; the shards that `model.safetensors.index.json` lists; `pytorch_model.bin` of
//! PyTorch 1.6 and later (a zip archive) and of earlier versions (a sequence of pickles). Not supported: sharded
//! `pytorch_model.bin`, quantized weights.

use super::engine::Array;
use super::error_text::first_line;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Root};
use candle_core::pickle::{Object, PthTensors, Stack, TensorInfo};
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufReader, Cursor, Read};

const SAFETENSORS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLE: &str = "pytorch_model.bin";

/// The magic number that begins the files of `torch.save` before PyTorch 1.6, itself a pickle.
const LEGACY_MAGIC: [u8; 15] =
    [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/// A tensor of a weight file, in the data type of the file.
pub(crate) struct StoredTensor {
    name: String,
    tensor: Tensor,
}

impl StoredTensor {
    pub(crate) fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// Converts the tensor to f32. `model` is the name of the model in errors.
    pub(crate) fn into_array(self, model: &str) -> Result<Array> {
        let shape = self.tensor.dims().to_vec();
        let data = self
            .tensor
            .to_dtype(DType::F32)
            .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>())
            .map_err(|e| Error::model(model, format!("tensor {}: {}", self.name, first_line(&e))))?;
        Ok(Array { shape, data })
    }
}

/// Reads every tensor of the folder's weights, by name.
///
/// # Errors
/// No weight file; a damaged or unsupported file.
pub(crate) fn read_tensors(folder: &ModelFolder) -> Result<BTreeMap<String, StoredTensor>> {
    let mut tensors = BTreeMap::new();
    if let Some(bytes) = folder.read(SAFETENSORS)? {
        read_safetensors(folder, SAFETENSORS, &bytes, &mut tensors)?;
    } else if let Some(index) = folder.read(INDEX)? {
        for file in shard_files(folder, &index)? {
            read_safetensors(folder, &file, &folder.require(&file)?, &mut tensors)?;
        }
    } else if let Some(bytes) = folder.read(PICKLE)? {
        read_pickle(folder, &bytes, &mut tensors)?;
    } else {
        let problem = format!("has no weights: {SAFETENSORS}, {INDEX} and {PICKLE} are missing");
        return Err(Error::model(&folder.name, problem));
    }
    Ok(tensors)
}

/// The distinct files that an index lists.
fn shard_files(folder: &ModelFolder, index: &[u8]) -> Result<BTreeSet<String>> {
    let invalid = |problem: &str| Error::model(&folder.name, format!("{INDEX}: {problem}"));
    let index: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| invalid(&format!("not JSON: {e}")))?;
    let map = index.get("weight_map").and_then(|map| map.as_object());
    let map = map.ok_or_else(|| invalid("weight_map is missing or not an object"))?;
    let name = |file: &serde_json::Value| match file.as_str() {
        // Reject paths that lead out of the folder.
        Some(file) if !file.contains(['/', '\\']) => Ok(file.to_owned()),
        _ => {
            Err(invalid(&format!("weight_map lists {file}; expected the name of a file in the same folder")))
        }
    };
    map.values().map(name).collect()
}

fn read_safetensors(
    folder: &ModelFolder,
    file: &str,
    bytes: &[u8],
    tensors: &mut BTreeMap<String, StoredTensor>,
) -> Result<()> {
    let damaged = |e: &dyn std::fmt::Display| {
        let problem = format!("{file} is damaged or incomplete ({}); download it again", first_line(&e));
        Error::model(&folder.name, problem)
    };
    let parsed = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    let views: Vec<_> = parsed.iter().collect();
    let load = |(name, view): &(&str, TensorView<'_>)| match view.load(&Device::Cpu) {
        Ok(tensor) => Ok(((*name).to_owned(), StoredTensor { name: (*name).to_owned(), tensor })),
        Err(e) => Err(damaged(&format!("tensor {name}: {}", first_line(&e)))),
    };
    tensors.extend(views.par_iter().map(load).collect::<Result<Vec<_>>>()?);
    Ok(())
}

fn read_pickle(
    folder: &ModelFolder,
    bytes: &[u8],
    tensors: &mut BTreeMap<String, StoredTensor>,
) -> Result<()> {
    let damaged = |e: &dyn std::fmt::Display| {
        let problem = format!("{PICKLE} is damaged, incomplete or in an unknown format ({})", first_line(&e));
        Error::model(&folder.name, problem)
    };
    let found = if bytes.starts_with(&LEGACY_MAGIC) {
        read_legacy(bytes).map_err(|e| damaged(&e))?
    } else {
        read_zip(folder, bytes).map_err(|e| damaged(&e))?
    };
    if found.is_empty() {
        return Err(damaged(&"it contains no tensors"));
    }
    tensors.extend(found.into_iter().map(|(name, tensor)| (name.clone(), StoredTensor { name, tensor })));
    Ok(())
}

/// Reads a zip archive of a pickle and the storages. candle reads it only from a file on disk.
fn read_zip(folder: &ModelFolder, bytes: &[u8]) -> candle_core::Result<Vec<(String, Tensor)>> {
    let temporary;
    let path = match &folder.root {
        Root::Disk(root) => root.join(PICKLE),
        Root::Embedded(_) => {
            temporary = tempfile::NamedTempFile::new()?;
            std::fs::write(temporary.path(), bytes)?;
            temporary.path().to_path_buf()
        }
    };
    let pickle = PthTensors::new(path, None)?;
    let mut tensors = Vec::new();
    for name in pickle.tensor_infos().keys() {
        tensors.extend(pickle.get(name)?.map(|tensor| (name.clone(), tensor)));
    }
    Ok(tensors)
}

/// Reads the format of PyTorch before 1.6, a sequence of pickles: magic number, protocol version, system, the
/// tensors (storage, offset, shape, strides), the keys of the storages. The storages follow, each after its number
/// of elements as eight bytes.
fn read_legacy(bytes: &[u8]) -> candle_core::Result<Vec<(String, Tensor)>> {
    let mut reader = BufReader::new(Cursor::new(&bytes[LEGACY_MAGIC.len()..]));
    let mut next = || -> candle_core::Result<Object> {
        let mut stack = Stack::empty();
        stack.read_loop(&mut reader)?;
        stack.finalize()
    };
    let (_protocol, _system) = (next()?, next()?);
    let mut infos = Vec::new();
    for (name, value) in next()?.dict()? {
        infos.extend(value.into_tensor_info(name, std::path::Path::new(""))?);
    }
    let Object::List(keys) = next()? else { candle_core::bail!("the list of storages is missing") };
    // The size of a storage in bytes needs the size of an element, which only its tensors know.
    let widths: HashMap<&str, usize> =
        infos.iter().map(|info| (storage_key(info), info.dtype.size_in_bytes())).collect();
    let mut storages: HashMap<String, Vec<u8>> = HashMap::new();
    for key in keys {
        let key = key.unicode()?;
        let Some(width) = widths.get(key.as_str()) else { candle_core::bail!("storage {key} has no tensor") };
        let mut len = [0; 8];
        reader.read_exact(&mut len)?;
        let size = u64::from_le_bytes(len).saturating_mul(*width as u64);
        let mut data = Vec::new();
        if (&mut reader).take(size).read_to_end(&mut data)? as u64 != size {
            candle_core::bail!("storage {key} is truncated")
        }
        storages.insert(key, data);
    }
    infos.iter().map(|info| Ok((info.name.clone(), view(info, &storages)?))).collect()
}

fn storage_key(info: &TensorInfo) -> &str {
    info.path.rsplit('/').next().unwrap_or_default()
}

/// Copies the tensor `info` out of its storage.
fn view(info: &TensorInfo, storages: &HashMap<String, Vec<u8>>) -> candle_core::Result<Tensor> {
    let (shape, start) = (info.layout.dims(), info.layout.start_offset());
    let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    let size = elements.and_then(|elements| elements.checked_mul(info.dtype.size_in_bytes()));
    let end = size.and_then(|size| start.checked_add(size));
    let data = storages.get(storage_key(info)).zip(end).and_then(|(data, end)| data.get(start..end));
    match data {
        Some(data) if info.layout.is_contiguous() => {
            Tensor::from_raw_buffer(data, info.dtype, shape, &Device::Cpu)
        }
        Some(_) => candle_core::bail!("tensor {} is not contiguous", info.name),
        None => candle_core::bail!("tensor {} exceeds its storage", info.name),
    }
}
