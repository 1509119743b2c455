//! Where a model's files are: a folder on disk or the binary itself.

use crate::error::{Error, Result};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A model in the Hugging Face layout (`config.json`, weights, tokenizer files).
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// What the user called it: a hub id, a path, or `demo`.
    pub name: String,
    /// The commit that a hub id was resolved to.
    pub commit: Option<String>,
    /// Where the bytes are.
    pub root: Root,
}

/// Where a model's bytes are.
#[derive(Debug, Clone)]
pub enum Root {
    /// A folder.
    Disk(PathBuf),
    /// File names and contents that the binary carries.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl ModelFolder {
    /// A folder on disk, called by its path.
    pub fn on_disk(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        ModelFolder { name: path.display().to_string(), commit: None, root: Root::Disk(path.to_path_buf()) }
    }

    /// The contents of `file`, or `None` when the model has no such file.
    pub fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match &self.root {
            Root::Disk(folder) => {
                let path = folder.join(file);
                match std::fs::read(&path) {
                    Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(Error::reading(path)(e)),
                }
            }
            Root::Embedded(files) => {
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| Cow::Borrowed(*bytes)))
            }
        }
    }

    /// The contents of `file`, or an error that names the model and the file.
    pub fn require(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        self.read(file)?.ok_or_else(|| {
            Error::model(&self.name, format!("has no {file}; a Hugging Face model folder is expected"))
        })
    }
}
