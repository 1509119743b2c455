//! The tensors of a model folder's weight files, as they are stored.
//!
//! Covered: `model.safetensors`, the parts that `model.safetensors.index.json` lists,
//! `pytorch_model.bin` of PyTorch 1.6 and later (a zip) and of before (a row of pickles). Not
//! covered: `pytorch_model.bin` in parts, quantised weights.

use super::engine::Array;
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

/// The first pickle of a file that PyTorch wrote before version 1.6: its magic number.
const LEGACY_MAGIC: [u8; 15] =
    [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/// A tensor of a file, in the file's number format.
pub(crate) struct Stored {
    name: String,
    tensor: Tensor,
}

impl Stored {
    pub(crate) fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// Its numbers in f32. `model` is the name that errors speak of.
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

/// The first line of an error's text; with backtraces on, candle's go on for many.
pub(crate) fn first_line(error: &impl std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Every tensor of the folder's weights, by name.
pub(crate) fn read_stored(folder: &ModelFolder) -> Result<BTreeMap<String, Stored>> {
    let mut tensors = BTreeMap::new();
    if let Some(bytes) = folder.read(SAFETENSORS)? {
        read_safetensors(folder, SAFETENSORS, &bytes, &mut tensors)?;
    } else if let Some(index) = folder.read(INDEX)? {
        for file in parts(folder, &index)? {
            read_safetensors(folder, &file, &folder.require(&file)?, &mut tensors)?;
        }
    } else if let Some(bytes) = folder.read(PICKLE)? {
        read_pickle(folder, &bytes, &mut tensors)?;
    } else {
        let problem = format!("has no weights: no {SAFETENSORS}, {INDEX} or {PICKLE}");
        return Err(Error::model(&folder.name, problem));
    }
    Ok(tensors)
}

/// The files that an index lists, each once.
fn parts(folder: &ModelFolder, index: &[u8]) -> Result<BTreeSet<String>> {
    let wrong = |problem: &str| Error::model(&folder.name, format!("{INDEX}: {problem}"));
    let index: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| wrong(&format!("not JSON: {e}")))?;
    let map = index["weight_map"].as_object().ok_or_else(|| wrong("no object weight_map"))?;
    let name = |file: &serde_json::Value| match file.as_str() {
        // A name from a file must not lead out of the folder.
        Some(file) if !file.contains(['/', '\\']) => Ok(file.to_owned()),
        _ => Err(wrong(&format!("weight_map names {file}; a file of the same folder is expected"))),
    };
    map.values().map(name).collect()
}

fn read_safetensors(
    folder: &ModelFolder,
    file: &str,
    bytes: &[u8],
    tensors: &mut BTreeMap<String, Stored>,
) -> Result<()> {
    let torn = |e: &dyn std::fmt::Display| {
        let problem = format!("{file} is damaged or not whole ({}); fetch it again", first_line(&e));
        Error::model(&folder.name, problem)
    };
    let parsed = SafeTensors::deserialize(bytes).map_err(|e| torn(&e))?;
    let views: Vec<_> = parsed.iter().collect();
    let load = |(name, view): &(&str, TensorView<'_>)| match view.load(&Device::Cpu) {
        Ok(tensor) => Ok(((*name).to_owned(), Stored { name: (*name).to_owned(), tensor })),
        Err(e) => Err(torn(&format!("tensor {name}: {}", first_line(&e)))),
    };
    tensors.extend(views.par_iter().map(load).collect::<Result<Vec<_>>>()?);
    Ok(())
}

fn read_pickle(folder: &ModelFolder, bytes: &[u8], tensors: &mut BTreeMap<String, Stored>) -> Result<()> {
    let torn = |e: &dyn std::fmt::Display| {
        let problem = format!("{PICKLE} is damaged, not whole or of an unknown kind ({})", first_line(&e));
        Error::model(&folder.name, problem)
    };
    let found = if bytes.starts_with(&LEGACY_MAGIC) {
        read_legacy(bytes).map_err(|e| torn(&e))?
    } else {
        read_zip(folder, bytes).map_err(|e| torn(&e))?
    };
    if found.is_empty() {
        return Err(torn(&"no tensor in it"));
    }
    tensors.extend(found.into_iter().map(|(name, tensor)| (name.clone(), Stored { name, tensor })));
    Ok(())
}

/// A zip of one pickle and the storages; candle reads it, but only from a file.
fn read_zip(folder: &ModelFolder, bytes: &[u8]) -> candle_core::Result<Vec<(String, Tensor)>> {
    let aside;
    let path = match &folder.root {
        Root::Disk(root) => root.join(PICKLE),
        Root::Embedded(_) => {
            aside = tempfile::NamedTempFile::new()?;
            std::fs::write(aside.path(), bytes)?;
            aside.path().to_path_buf()
        }
    };
    let pickle = PthTensors::new(path, None)?;
    let mut tensors = Vec::new();
    for name in pickle.tensor_infos().keys() {
        tensors.extend(pickle.get(name)?.map(|tensor| (name.clone(), tensor)));
    }
    Ok(tensors)
}

/// A row of pickles: magic number, protocol, system, the tensors' places, the storages' keys; then
/// each storage, its length as eight bytes before it.
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
    let Object::List(keys) = next()? else { candle_core::bail!("no list of storages") };
    // A storage's place in the file needs the width of its numbers, which its tensors tell.
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
            candle_core::bail!("storage {key} is cut short")
        }
        storages.insert(key, data);
    }
    infos.iter().map(|info| Ok((info.name.clone(), view(info, &storages)?))).collect()
}

fn storage_key(info: &TensorInfo) -> &str {
    info.path.rsplit('/').next().unwrap_or_default()
}

/// The tensor of `info` out of its storage.
fn view(info: &TensorInfo, storages: &HashMap<String, Vec<u8>>) -> candle_core::Result<Tensor> {
    let (shape, start) = (info.layout.dims(), info.layout.start_offset());
    let size = shape.iter().product::<usize>() * info.dtype.size_in_bytes();
    let data = storages.get(storage_key(info)).and_then(|data| data.get(start..start + size));
    match data {
        Some(data) if info.layout.is_contiguous() => {
            Tensor::from_raw_buffer(data, info.dtype, shape, &Device::Cpu)
        }
        Some(_) => candle_core::bail!("tensor {} is not stored in order", info.name),
        None => candle_core::bail!("tensor {} reaches over the end of its storage", info.name),
    }
}
