//! Writes models in the Hugging Face layout, and reads and writes safetensors files.

use super::config::ModelConfig;
use super::engine::{Array, Engine, ParamState, Weights};
use super::error_text::first_line;
use crate::catalog::Labels;
use crate::error::{Error, Result};
use crate::files::{open_regular, read_regular};
use safetensors::tensor::{Dtype, Metadata, SafeTensorError, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Writes `config.json` and `model.safetensors` to the existing folder `dir`; returns their size in bytes. The
/// tokenizer files are the caller's responsibility.
pub fn save_model(
    dir: &Path,
    config: &ModelConfig,
    labels: &Labels,
    weights: &[TensorSource<'_>],
) -> Result<u64> {
    let config = save_config(dir, config, labels)?;
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = write_tensors(&dir.join("model.safetensors"), weights, &metadata)?;
    Ok(config + bytes)
}

/// Writes `config.json` to the existing folder `dir`; returns its size in bytes.
pub fn save_config(dir: &Path, config: &ModelConfig, labels: &Labels) -> Result<u64> {
    let path = dir.join("config.json");
    let mut text = serde_json::to_string_pretty(&config.to_json(labels))
        .map_err(|e| Error::Training(format!("cannot serialize config.json: {e}")))?;
    text.push('\n');
    std::fs::write(&path, &text).map_err(Error::writing(&path))?;
    Ok(text.len() as u64)
}

/// Writes tensors and metadata to a safetensors file; returns its size in bytes.
pub fn write_arrays(path: &Path, weights: &Weights, metadata: &BTreeMap<String, String>) -> Result<u64> {
    write_tensors(path, &TensorSource::from_weights(weights, ""), metadata)
}

/// Like [`write_arrays`], but fetches one tensor at a time, so that only one of them is in memory.
pub fn write_tensors(
    path: &Path,
    tensors: &[TensorSource<'_>],
    metadata: &BTreeMap<String, String>,
) -> Result<u64> {
    let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
    let failure = RefCell::new(None);
    let views = tensors.iter().map(|source| (source.name.as_str(), LazyView { source, failure: &failure }));
    // The library makes the file readable by its owner only; the umask determines the permissions of a new file.
    let created =
        std::fs::File::create(path).and_then(|file| file.metadata()).map_err(Error::writing(path))?;
    let written = safetensors::serialize_to_file(views, metadata, path).map_err(|e| {
        let source = match e {
            SafeTensorError::IoError(source) => source,
            other => std::io::Error::other(first_line(&other)),
        };
        Error::writing(path)(source)
    });
    if let Some(failure) = failure.take() {
        return Err(failure);
    }
    written?;
    std::fs::set_permissions(path, created.permissions()).map_err(Error::writing(path))?;
    Ok(std::fs::metadata(path).map_err(Error::writing(path))?.len())
}

/// Reads the tensors and the metadata of a safetensors file.
///
/// # Errors
/// A file that cannot be read or is damaged; a tensor that is not f32.
pub fn read_arrays(path: &Path) -> Result<(Weights, BTreeMap<String, String>)> {
    let bytes = read_regular(path).map_err(Error::reading(path))?;
    let damaged = |problem: &dyn std::fmt::Display| Error::data(path, None, format!("damaged: {problem}"));
    let (_, header) =
        safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&first_line(&e)))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| damaged(&first_line(&e)))?;
    let mut weights = Weights::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(&format!("tensor {name} is {:?}; expected F32", view.dtype())));
        }
        let (elements, _) = view.data().as_chunks::<4>();
        let data = elements.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        weights.insert(name.to_owned(), Array { shape: view.shape().to_vec(), data });
    }
    Ok((weights, metadata))
}

/// The f32 tensors of a safetensors file whose names begin with `prefix`, by the rest of their names. Reads only these.
///
/// # Errors
/// [`Error::Read`] if the file cannot be read, [`Error::Data`] if it is damaged or has tensors of another type.
pub fn read_arrays_with_prefix(path: &Path, prefix: &str) -> Result<Weights> {
    let damaged = |problem: &dyn std::fmt::Display| Error::data(path, None, format!("damaged: {problem}"));
    let mut file = open_regular(path).map_err(Error::reading(path))?;
    let length = file.metadata().map_err(Error::reading(path))?.len();
    let mut header_length = [0; 8];
    file.read_exact(&mut header_length).map_err(Error::reading(path))?;
    let header = u64::from_le_bytes(header_length);
    if header > length.saturating_sub(8) {
        return Err(damaged(&"the header is longer than the file"));
    }
    let mut text = vec![0; header as usize];
    file.read_exact(&mut text).map_err(Error::reading(path))?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|e| damaged(&e))?;
    let mut weights = Weights::new();
    for (name, info) in metadata.tensors() {
        let Some(name) = name.strip_prefix(prefix) else { continue };
        if info.dtype != Dtype::F32 {
            return Err(damaged(&format!("tensor {name} is {:?}; expected F32", info.dtype)));
        }
        let (from, to) = info.data_offsets;
        if to as u64 > length - 8 - header {
            return Err(damaged(&format!("tensor {name} is incomplete")));
        }
        let mut bytes = vec![0; to - from];
        file.seek(SeekFrom::Start(8 + header + from as u64)).map_err(Error::reading(path))?;
        file.read_exact(&mut bytes).map_err(Error::reading(path))?;
        let (elements, _) = bytes.as_chunks::<4>();
        let data = elements.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        weights.insert(name.to_owned(), Array { shape: info.shape.clone(), data });
    }
    Ok(weights)
}

/// A tensor to write, fetched when it is written.
pub struct TensorSource<'a> {
    name: String,
    shape: Vec<usize>,
    fetch: Box<dyn Fn() -> Result<Array> + 'a>,
}

impl<'a> TensorSource<'a> {
    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of `weights`, with `prefix` before each name.
    pub fn from_weights(weights: &'a Weights, prefix: &str) -> Vec<Self> {
        let source = |(name, array): (&String, &'a Array)| TensorSource {
            name: format!("{prefix}{name}"),
            shape: array.shape.clone(),
            fetch: Box::new(|| Ok(array.clone())),
        };
        weights.iter().map(source).collect()
    }

    /// One tensor of every parameter of `engine` that has it, with `prefix` before each name.
    pub fn from_engine(engine: &'a dyn Engine, state: ParamState, prefix: &str) -> Vec<Self> {
        let source = |(name, shape): (String, Vec<usize>)| TensorSource {
            name: format!("{prefix}{name}"),
            shape,
            fetch: Box::new(move || engine.tensor(&name, state)),
        };
        engine.shapes_of(state).into_iter().map(source).collect()
    }
}

/// A tensor in the form that safetensors serializes.
struct LazyView<'a> {
    source: &'a TensorSource<'a>,
    /// The error of a tensor that could not be fetched; the file is then invalid.
    failure: &'a RefCell<Option<Error>>,
}

impl View for LazyView<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.source.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let fetched = (self.source.fetch)();
        let bytes = |array: Array| array.data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Cow::Owned(fetched.map_or_else(
            |error| {
                *self.failure.borrow_mut() = Some(error);
                vec![0; self.data_len()]
            },
            bytes,
        ))
    }

    fn data_len(&self) -> usize {
        self.source.shape.iter().product::<usize>() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_arrays_are_read_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.safetensors");
        let data = vec![1.5, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, 1.0 / 3.0, 0.0];
        let weights = Weights::from([
            ("b".to_owned(), Array { shape: vec![2, 3], data }),
            ("a".to_owned(), Array { shape: vec![1], data: vec![7.0] }),
        ]);
        let metadata = BTreeMap::from([("updates".to_owned(), "12".to_owned())]);
        let bytes = write_arrays(&path, &weights, &metadata).expect("a file");
        let written = std::fs::metadata(&path).expect("a file");
        std::fs::write(folder.path().join("plain"), "").expect("a file");
        let plain = std::fs::metadata(folder.path().join("plain")).expect("a file");
        assert_eq!((bytes, written.permissions()), (written.len(), plain.permissions()));
        let (read, read_metadata) = read_arrays(&path).expect("the file");
        assert_eq!(read_metadata, metadata);
        for (name, array) in &weights {
            let bits = |array: &Array| array.data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(array), &array.shape), (bits(&read[name]), &read[name].shape));
        }
        let fail = || Err(Error::Device("device lost".into()));
        let failing = TensorSource { name: "c".into(), shape: vec![2], fetch: Box::new(fail) };
        assert!(matches!(write_tensors(&path, &[failing], &metadata), Err(Error::Device(_))));
        std::fs::write(&path, b"cut").expect("a damaged file");
        assert!(read_arrays(&path).expect_err("a damaged file").to_string().contains("damaged"));
        let nowhere = folder.path().join("none/a.safetensors");
        assert!(matches!(write_arrays(&nowhere, &weights, &metadata), Err(Error::Write { .. })));
    }
}
