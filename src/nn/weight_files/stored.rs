//! Tensors in files: where their bytes are, and how they become arrays.

use super::super::engine::Array;
use super::super::error_text::first_line;
use crate::error::{Error, Result};
use crate::files::{ModelFolder, Root};
use candle_core::{DType, Device, Tensor};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

/// A weight file, which is read in parts.
#[derive(Debug)]
pub(crate) struct WeightFile {
    /// Name in the folder.
    name: String,
    source: Source,
    len: u64,
}

#[derive(Debug)]
enum Source {
    Disk(PathBuf),
    Embedded(&'static [u8]),
}

/// A readable and seekable part of a weight file.
pub(super) trait Reader: Read + Seek {}

impl<T: Read + Seek> Reader for T {}

impl WeightFile {
    /// The file `name` of `folder`; `None` if it does not exist.
    pub(super) fn open(folder: &ModelFolder, name: &str) -> Result<Option<Arc<Self>>> {
        let (source, len) = match &folder.root {
            Root::Disk(root) | Root::Adapter { folder: root, .. } => {
                let path = root.join(name);
                match std::fs::metadata(&path) {
                    Ok(metadata) if metadata.is_file() => (Source::Disk(path), metadata.len()),
                    Ok(_) => {
                        let problem = format!("{name} is not a regular file");
                        return Err(Error::model(&folder.name, problem));
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(e) => return Err(Error::reading(path)(e)),
                }
            }
            Root::Embedded(files) => match files.iter().find(|(file, _)| *file == name) {
                Some((_, bytes)) => (Source::Embedded(bytes), bytes.len() as u64),
                None => return Ok(None),
            },
        };
        Ok(Some(Arc::new(WeightFile { name: name.to_owned(), source, len })))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Size in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn reader(&self) -> std::io::Result<Box<dyn Reader>> {
        Ok(match &self.source {
            Source::Disk(path) => Box::new(File::open(path)?),
            Source::Embedded(bytes) => Box::new(Cursor::new(*bytes)),
        })
    }

    /// `len` bytes from `start`, which must be inside the file.
    pub(super) fn bytes(&self, start: u64, len: u64) -> std::io::Result<Cow<'static, [u8]>> {
        let truncated = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let end = start.checked_add(len).filter(|end| *end <= self.len).ok_or_else(truncated)?;
        match &self.source {
            Source::Embedded(bytes) => {
                bytes.get(start as usize..end as usize).map(Cow::Borrowed).ok_or_else(truncated)
            }
            Source::Disk(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(start))?;
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(len as usize)?;
                file.take(len).read_to_end(&mut bytes)?;
                if bytes.len() as u64 == len { Ok(Cow::Owned(bytes)) } else { Err(truncated()) }
            }
        }
    }
}

/// A tensor of a weight file.
#[derive(Debug, Clone)]
pub(crate) struct StoredTensor {
    /// Name in the file.
    pub(super) name: String,
    /// Type of the elements; `None` if it is not supported.
    pub(super) dtype: Option<DType>,
    pub(super) shape: Vec<usize>,
    /// Elements between two neighbors of each dimension, if not those of row-major order.
    pub(super) strides: Option<Vec<usize>>,
    pub(super) file: Arc<WeightFile>,
    /// The first byte in the file.
    pub(super) start: u64,
    /// Bytes up to the last element.
    pub(super) len: u64,
}

impl StoredTensor {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Reads the tensor as f32. `model` is the name of the model in errors.
    ///
    /// # Errors
    /// [`Error::Model`] for a file that cannot be read, an unsupported type, or a value that is NaN or infinite;
    /// [`Error::Device`] without memory.
    pub(crate) fn read(&self, model: &str) -> Result<Array> {
        let problem = |problem: String| Error::model(model, format!("tensor {}: {problem}", self.name));
        let dtype =
            self.dtype.ok_or_else(|| problem("its type is not supported; convert it to float32".into()))?;
        let bytes = self.file.bytes(self.start, self.len).map_err(|e| match e.kind() {
            std::io::ErrorKind::OutOfMemory => out_of_memory(model, self.len),
            _ => problem(format!("cannot read it from {}: {e}", self.file.name())),
        })?;
        let mut data = if dtype == DType::F32 {
            let (elements, _) = bytes.as_chunks::<4>();
            let mut data = Vec::new();
            data.try_reserve_exact(elements.len()).map_err(|_| out_of_memory(model, self.len))?;
            data.extend(elements.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            data
        } else {
            let elements = [bytes.len() / dtype.size_in_bytes()];
            Tensor::from_raw_buffer(&bytes, dtype, &elements, &Device::Cpu)
                .and_then(|tensor| tensor.to_dtype(DType::F32)?.to_vec1::<f32>())
                .map_err(|e| problem(first_line(&e)))?
        };
        drop(bytes);
        if let Some(strides) = &self.strides {
            data = gather(&data, &self.shape, strides);
        }
        if let Some(index) = data.iter().position(|value| !value.is_finite()) {
            return Err(problem(format!(
                "element {index} is {}; the file is damaged, or the training that wrote it diverged",
                data[index]
            )));
        }
        Ok(Array { shape: self.shape.clone(), data })
    }
}

/// The error for a tensor of `len` bytes that does not fit into memory.
fn out_of_memory(model: &str, len: u64) -> Error {
    let size = crate::format::bytes(len);
    Error::Device(format!(
        "out of memory while loading model {model}: a tensor needs {size}; use a smaller model"
    ))
}

/// The elements in row-major order.
fn gather(data: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut offsets = vec![0usize];
    for (size, stride) in shape.iter().zip(strides) {
        offsets = offsets.iter().flat_map(|offset| (0..*size).map(move |i| offset + i * stride)).collect();
    }
    offsets.into_iter().map(|offset| data.get(offset).copied().unwrap_or(f32::NAN)).collect()
}
