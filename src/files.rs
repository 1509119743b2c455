//! Model folders, on disk or embedded in the binary; files and folders that are complete or absent, whose damage is
//! found, and whose reading never blocks.

mod adapter;
mod atomic;
mod digest;
mod folder;
mod home;
mod listing;
mod regular;
mod space;
mod tokenizer;

pub use adapter::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, BaseModel};
pub use atomic::{
    is_leftover, remove_dir_atomic, remove_leftovers, remove_leftovers_of, retry_while_full, write_atomic,
    write_atomic_buffered, write_atomic_with, write_dir_atomic,
};
pub use digest::{DIGESTS, check_digests, check_model_folder, sha256, write_digests};
pub use folder::{FolderLocation, OpenFolder, is_at};
pub use home::{collapse_home, expand_home};
pub use listing::{FolderEntry, list_folder};
pub use regular::{copy_file, open_append, open_regular, read_regular, read_regular_to_string};
pub use space::free_space;
pub use tokenizer::{TOKENIZER_FILES, UNSUPPORTED_VOCABULARIES, VOCABULARIES};

use crate::error::{Error, Result};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A model in the Hugging Face layout (`config.json`, weights, tokenizer files).
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// The name that the user gave: a hub id, a path, or `demo`.
    pub name: String,
    /// The commit that a hub id was resolved to.
    pub commit: Option<String>,
    /// Where the files are.
    pub root: Root,
}

/// Where the files of a model are.
#[derive(Debug, Clone)]
pub enum Root {
    /// A folder on disk.
    Disk(PathBuf),
    /// Files embedded in the binary: names and contents.
    Embedded(&'static [(&'static str, &'static [u8])]),
    /// The adapter of a base model.
    Adapter {
        /// The folder of the adapter.
        folder: PathBuf,
        /// The base model, which is no adapter.
        base: Box<ModelFolder>,
    },
}

impl ModelFolder {
    /// A folder on disk, named by its path.
    pub fn on_disk(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        ModelFolder { name: path.display().to_string(), commit: None, root: Root::Disk(path.to_path_buf()) }
    }

    /// The folders on disk that the model consists of: that of the base model before that of an adapter.
    pub fn folders(&self) -> Vec<&Path> {
        match &self.root {
            Root::Disk(folder) => vec![folder],
            Root::Embedded(_) => Vec::new(),
            Root::Adapter { folder, base } => {
                let mut folders = base.folders();
                folders.push(folder);
                folders
            }
        }
    }

    /// The contents of `file`, or `None` if the model has no such file. An adapter has the configuration and the tokenizer of
    /// its base model unless its folder has its own.
    ///
    /// # Errors
    /// [`Error::Read`] if the file exists and cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match &self.root {
            Root::Embedded(files) => {
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| Cow::Borrowed(*bytes)))
            }
            Root::Adapter { folder, base } if is_of_base(folder, file) => base.read(file),
            Root::Disk(folder) | Root::Adapter { folder, .. } => {
                Ok(read_if_exists(&folder.join(file))?.map(Cow::Owned))
            }
        }
    }

    /// The contents of `file`.
    ///
    /// # Errors
    /// [`Error::Model`] if the model has no such file, [`Error::Read`] if it cannot be read.
    pub fn require(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        self.read(file)?.ok_or_else(|| {
            Error::model(&self.name, format!("has no {file}; give a model folder in the Hugging Face layout"))
        })
    }
}

/// The contents of a file, or `None` without the file.
fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    match read_regular(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::reading(path)(e)),
    }
}

/// Whether the adapter in `folder` has `file` from its base model. The files of a tokenizer are from one folder: that of
/// the adapter if it has a vocabulary.
fn is_of_base(folder: &Path, file: &str) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    if file == "config.json" {
        return !has(file);
    }
    TOKENIZER_FILES.contains(&file) && !VOCABULARIES.iter().any(|names| names.iter().all(|name| has(name)))
}
