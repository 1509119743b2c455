//! Weights → files that Transformers loads.

use super::config::ModelConfig;
use super::engine::{Array, Engine, Part, Weights};
use super::stored::first_line;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensorError, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// Writes `config.json` and `model.safetensors` into the folder `dir`, which has to be there, and
/// gives their size in bytes. The tokenizer's files are not the network's business.
pub fn save_model(
    dir: &Path,
    config: &ModelConfig,
    labels: &[String],
    weights: &[Stored<'_>],
) -> Result<u64> {
    let path = dir.join("config.json");
    let mut text = serde_json::to_string_pretty(&config.to_json(labels))
        .map_err(|e| Error::Training(format!("config.json cannot be written: {e}")))?;
    text.push('\n');
    std::fs::write(&path, &text).map_err(Error::writing(&path))?;
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = write_stored(&dir.join("model.safetensors"), weights, &metadata)?;
    Ok(text.len() as u64 + bytes)
}

/// Writes tensors as a safetensors file with that metadata, and gives its size in bytes.
pub fn write_arrays(path: &Path, weights: &Weights, metadata: &BTreeMap<String, String>) -> Result<u64> {
    write_stored(path, &Stored::all(weights, ""), metadata)
}

/// The same of tensors that are fetched one after the other: no two of them are in memory.
pub fn write_stored(path: &Path, tensors: &[Stored<'_>], metadata: &BTreeMap<String, String>) -> Result<u64> {
    let metadata = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
    let failure = RefCell::new(None);
    let views = tensors.iter().map(|stored| (stored.name.as_str(), Fetched { stored, failure: &failure }));
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
    Ok(std::fs::metadata(path).map_err(Error::writing(path))?.len())
}

/// Reads what [`write_arrays`] wrote: the tensors and the metadata. Other number formats than f32
/// are an error.
pub fn read_arrays(path: &Path) -> Result<(Weights, BTreeMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(Error::reading(path))?;
    let damaged = |problem: &dyn std::fmt::Display| Error::data(path, None, format!("damaged: {problem}"));
    let (_, header) =
        safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&first_line(&e)))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| damaged(&first_line(&e)))?;
    let mut weights = Weights::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(&format!("tensor {name} is {:?}, and F32 is expected", view.dtype())));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let data = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        weights.insert(name.to_owned(), Array { shape: view.shape().to_vec(), data });
    }
    Ok((weights, metadata))
}

/// A tensor that is to be written, and where it comes from.
pub struct Stored<'a> {
    name: String,
    shape: Vec<usize>,
    fetch: Box<dyn Fn() -> Result<Array> + 'a>,
}

impl<'a> Stored<'a> {
    /// All of these, with `prefix` before each name.
    pub fn all(weights: &'a Weights, prefix: &str) -> Vec<Self> {
        let stored = |(name, array): (&String, &'a Array)| Stored {
            name: format!("{prefix}{name}"),
            shape: array.shape.clone(),
            fetch: Box::new(|| Ok(array.clone())),
        };
        weights.iter().map(stored).collect()
    }

    /// What the engine keeps of every tensor, with `prefix` before each name.
    pub fn of(engine: &'a dyn Engine, part: Part, prefix: &str) -> Vec<Self> {
        let stored = |(name, shape): (String, Vec<usize>)| Stored {
            name: format!("{prefix}{name}"),
            shape,
            fetch: Box::new(move || engine.tensor(&name, part)),
        };
        engine.shapes().into_iter().map(stored).collect()
    }
}

/// A tensor as safetensors wants to see it.
struct Fetched<'a> {
    stored: &'a Stored<'a>,
    /// Why one could not be fetched: the file is worth nothing then.
    failure: &'a RefCell<Option<Error>>,
}

impl View for Fetched<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let fetched = (self.stored.fetch)();
        let bytes = |array: Array| array.data.iter().flat_map(|number| number.to_le_bytes()).collect();
        Cow::Owned(fetched.map_or_else(
            |error| {
                *self.failure.borrow_mut() = Some(error);
                vec![0; self.data_len()]
            },
            bytes,
        ))
    }

    fn data_len(&self) -> usize {
        self.stored.shape.iter().product::<usize>() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.safetensors");
        let data = vec![1.5, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, 1.0 / 3.0, 0.0];
        let weights = Weights::from([
            ("b".to_owned(), Array { shape: vec![2, 3], data }),
            ("a".to_owned(), Array { shape: vec![1], data: vec![7.0] }),
        ]);
        let metadata = BTreeMap::from([("updates".to_owned(), "12".to_owned())]);
        let bytes = write_arrays(&path, &weights, &metadata).expect("a file");
        assert_eq!(bytes, std::fs::metadata(&path).expect("a file").len());
        let (again, told) = read_arrays(&path).expect("the file");
        assert_eq!(told, metadata);
        for (name, array) in &weights {
            let bits = |array: &Array| array.data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(array), &array.shape), (bits(&again[name]), &again[name].shape));
        }
        let lost = || Err(Error::Device("gone".into()));
        let lost = Stored { name: "c".into(), shape: vec![2], fetch: Box::new(lost) };
        assert!(matches!(write_stored(&path, &[lost], &metadata), Err(Error::Device(_))));
        std::fs::write(&path, b"torn").expect("a torn file");
        assert!(read_arrays(&path).expect_err("a torn file").to_string().contains("damaged"));
        let nowhere = folder.path().join("none/a.safetensors");
        assert!(matches!(write_arrays(&nowhere, &weights, &metadata), Err(Error::Write { .. })));
    }
}
