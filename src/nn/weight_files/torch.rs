//! The files of `torch.save`: a zip archive since PyTorch 1.6, a sequence of pickles before.
//!
//! candle's reader, `candle_core::pickle`, is not used: it reads only zip archives with pickles of protocol 2, prints to
//! stderr about a tensor that it cannot read and skips it, and copies an object at each reference, so that a small file
//! can take all memory.

use super::pickle::{self, Id, Object, Pickle};
use super::stored::{StoredTensor, WeightFile};
use candle_core::DType;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek};
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// The magic number that begins the files of `torch.save` before PyTorch 1.6, itself a pickle.
const LEGACY_MAGIC: [u8; 15] =
    [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/// A tensor as a pickle describes it: a part of a storage.
struct TensorInfo {
    name: String,
    dtype: DType,
    /// The key of the storage.
    storage: String,
    /// The first element in the storage.
    offset: usize,
    shape: Vec<usize>,
    /// Elements between two neighbors of each dimension.
    strides: Vec<usize>,
}

/// The bytes of a storage in the file.
struct Storage {
    start: u64,
    len: u64,
}

/// The tensors of `file`.
///
/// # Errors
/// A sentence about a damaged or unsupported file.
pub(super) fn tensors(file: &Arc<WeightFile>) -> Result<Vec<StoredTensor>, String> {
    let mut reader = BufReader::new(file.reader().map_err(|e| e.to_string())?);
    let start = reader.fill_buf().map_err(|e| e.to_string())?;
    let (infos, storages) = if start.starts_with(&LEGACY_MAGIC) {
        reader.consume(LEGACY_MAGIC.len());
        read_legacy(&mut reader, file.len())?
    } else {
        read_zip(&mut reader)?
    };
    if infos.is_empty() {
        return Err("it contains no tensors".into());
    }
    infos.into_iter().map(|info| stored(info, &storages, file)).collect()
}

/// Reads an archive: `NAME/data.pkl` describes the tensors, `NAME/data/KEY` is a storage.
fn read_zip(reader: &mut (impl Read + Seek)) -> Result<(Vec<TensorInfo>, HashMap<String, Storage>), String> {
    let mut archive = ZipArchive::new(reader).map_err(|e| e.to_string())?;
    let mut entries = HashMap::new();
    let mut pickles = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|e| e.to_string())?;
        let name = entry.name().map_err(|e| e.to_string())?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(format!("its part {name} is compressed"));
        }
        let Some(start) = entry.data_start() else { return Err(format!("its part {name} has no data")) };
        if let Some(folder) = name.strip_suffix("data.pkl") {
            pickles.push((index, folder.to_owned()));
        }
        entries.insert(name, Storage { start, len: entry.size() });
    }
    let Some((index, folder)) = pickles.pop() else { return Err("it has no part data.pkl".into()) };
    let entry = archive.by_index_raw(index).map_err(|e| e.to_string())?;
    let infos = tensor_infos(&pickle::read(&mut BufReader::new(entry))?)?;
    let prefix = format!("{folder}data/");
    let key = |(name, storage): (String, Storage)| Some((name.strip_prefix(&prefix)?.to_owned(), storage));
    Ok((infos, entries.into_iter().filter_map(key).collect()))
}

/// Reads the pickles after the magic number: protocol version, system, the tensors, the keys of the storages. The
/// storages follow, each after its number of elements as eight bytes.
fn read_legacy(
    reader: &mut (impl BufRead + Seek),
    file_len: u64,
) -> Result<(Vec<TensorInfo>, HashMap<String, Storage>), String> {
    let (_protocol, _system) = (pickle::read(reader)?, pickle::read(reader)?);
    let infos = tensor_infos(&pickle::read(reader)?)?;
    let keys = pickle::read(reader)?;
    let Object::List(items) = keys.root() else { return Err("the list of storages is missing".into()) };
    // The size of a storage in bytes needs the size of an element, which only its tensors know.
    let widths: HashMap<&str, usize> =
        infos.iter().map(|info| (info.storage.as_str(), info.dtype.size_in_bytes())).collect();
    let mut storages = HashMap::new();
    for item in items {
        let key = keys.text(*item).ok_or("a storage has no key")?;
        let width = widths.get(key).ok_or_else(|| format!("storage {key} has no tensor"))?;
        let mut elements = [0; 8];
        reader.read_exact(&mut elements).map_err(|_| format!("storage {key} is missing"))?;
        let start = reader.stream_position().map_err(|e| e.to_string())?;
        let len = u64::from_le_bytes(elements).checked_mul(*width as u64);
        let len = len.filter(|len| *len <= file_len.saturating_sub(start));
        let len = len.ok_or_else(|| format!("storage {key} is truncated"))?;
        reader.seek_relative(i64::try_from(len).unwrap_or(i64::MAX)).map_err(|e| e.to_string())?;
        storages.insert(key.to_owned(), Storage { start, len });
    }
    Ok((infos, storages))
}

/// The tensors of a dictionary from names to tensors. Other values are skipped.
fn tensor_infos(pickle: &Pickle) -> Result<Vec<TensorInfo>, String> {
    let Object::Dict(items) = pickle.root() else {
        return Err("it holds no dictionary from names to tensors".into());
    };
    let named = items.iter().filter_map(|(key, value)| Some((pickle.text(*key)?, *value)));
    let infos = named.filter_map(|(name, value)| {
        let arguments = tensor_arguments(pickle, value)?;
        let info = tensor_info(pickle, name, arguments);
        Some(info.unwrap_or_else(|| Err(format!("tensor {name} is in an unknown format"))))
    });
    infos.collect()
}

/// The arguments of `torch._utils._rebuild_tensor_v2` in a tensor or parameter; `None` for another object.
fn tensor_arguments(pickle: &Pickle, value: Id) -> Option<&[Id]> {
    let mut call = value;
    // A parameter wraps a tensor once or twice.
    for _ in 0..3 {
        let Object::Call(callable, arguments) = pickle.get(call) else { return None };
        let (mut callable, mut arguments) = (*callable, *arguments);
        if is_global(pickle, callable, "torch._tensor", "_rebuild_from_type_v2") {
            // (function, type, its arguments, state)
            let [function, _, inner, ..] = pickle.tuple(arguments)? else { return None };
            (callable, arguments) = (*function, *inner);
        }
        if is_global(pickle, callable, "torch._utils", "_rebuild_tensor_v2") {
            return pickle.tuple(arguments);
        }
        if !is_global(pickle, callable, "torch._utils", "_rebuild_parameter") {
            return None;
        }
        call = *pickle.tuple(arguments)?.first()?;
    }
    None
}

fn is_global(pickle: &Pickle, id: Id, module: &str, name: &str) -> bool {
    matches!(pickle.get(id), Object::Global(m, n) if m == module && n == name)
}

/// The tensor with the arguments storage, offset, size, strides, …. The storage is the tuple ("storage", type, key,
/// location, number of elements).
fn tensor_info(pickle: &Pickle, name: &str, arguments: &[Id]) -> Option<Result<TensorInfo, String>> {
    let [storage, offset, shape, strides, ..] = arguments else { return None };
    let Object::Persistent(storage) = pickle.get(*storage) else { return None };
    let [_, class, key, ..] = pickle.tuple(*storage)? else { return None };
    let Object::Global(_, class) = pickle.get(*class) else { return None };
    let dtype = match class.as_str() {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        // A mask of booleans is one byte per element, too.
        "ByteStorage" | "BoolStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        other => return Some(Err(format!("tensor {name} has the unsupported type {other}"))),
    };
    let info = TensorInfo {
        name: name.to_owned(),
        dtype,
        storage: pickle.text(*key)?.to_owned(),
        offset: pickle.size(*offset)?,
        shape: pickle.sizes(*shape)?,
        strides: pickle.sizes(*strides)?,
    };
    (info.shape.len() == info.strides.len()).then_some(Ok(info))
}

/// Locates a tensor in the file. It must not have more elements than its part of the storage.
fn stored(
    info: TensorInfo,
    storages: &HashMap<String, Storage>,
    file: &Arc<WeightFile>,
) -> Result<StoredTensor, String> {
    let TensorInfo { name, dtype, shape, strides, offset, .. } = info;
    let storage = storages.get(&info.storage);
    let locate = || {
        let storage = storage?;
        let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))?;
        let span = span(&shape, &strides)?;
        let width = dtype.size_in_bytes();
        let (first, bytes) = (offset.checked_mul(width)? as u64, span.checked_mul(width)? as u64);
        let is_inside = elements <= span && first.checked_add(bytes)? <= storage.len;
        is_inside.then_some((storage.start.checked_add(first)?, bytes))
    };
    let (start, len) = locate().ok_or_else(|| format!("tensor {name} exceeds its storage"))?;
    let strides = (!is_contiguous(&shape, &strides)).then_some(strides);
    Ok(StoredTensor { name, dtype: Some(dtype), shape, strides, file: Arc::clone(file), start, len })
}

/// Elements from the first to the last of a tensor; `None` on overflow.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(0usize, |sum, (size, stride)| sum.checked_add((size - 1).checked_mul(*stride)?));
    last?.checked_add(1)
}

/// Whether the elements are in row-major order without gaps.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let is_expected = *size <= 1 || *stride == expected;
        expected = usize::saturating_mul(expected, (*size).max(1));
        is_expected
    })
}
