//! The files of a folder that is uploaded.

use crate::error::{Error, Result};
use crate::files::{open_regular, read_regular};
use crate::hub::error::cancelled_error;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes at the start of a file by which the hub decides how it is uploaded.
const SAMPLE: usize = 512;

/// A file to upload.
pub(super) struct LocalFile {
    /// Its path in the repository, with `/` between its parts.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// SHA-256 of its content in hexadecimal digits: its name in Git LFS.
    pub(super) sha256: String,
    /// Its first bytes.
    pub(super) sample: Vec<u8>,
}

impl LocalFile {
    /// The files of `folder` and of its subfolders by name, without those whose name begins with a dot.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Interrupted`] soon after `cancelled` is set.
    pub(super) fn all(folder: &Path, cancelled: &AtomicBool) -> Result<Vec<LocalFile>> {
        let mut files = Vec::new();
        let mut folders = vec![(folder.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(Error::reading(&folder))? {
                let path = entry.map_err(Error::reading(&folder))?.path();
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    return Err(Error::data(path, None, "has a name that is not UTF-8; rename it"));
                };
                let name = format!("{prefix}{name}");
                if name.rsplit('/').next().is_some_and(|name| name.starts_with('.')) {
                    continue;
                }
                if path.is_dir() {
                    folders.push((path, format!("{name}/")));
                } else {
                    files.push(LocalFile::open(name, path, cancelled)?);
                }
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn open(name: String, path: PathBuf, cancelled: &AtomicBool) -> Result<LocalFile> {
        let mut file = open_regular(&path).map_err(Error::reading(&path))?;
        let (mut hasher, mut sample, mut size) = (Sha256::new(), Vec::new(), 0);
        let mut block = vec![0; 1 << 20];
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return Err(cancelled_error());
            }
            let length = file.read(&mut block).map_err(Error::reading(&path))?;
            let read = block.get(..length).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            sample.extend(read.iter().take(SAMPLE.saturating_sub(sample.len())));
            hasher.update(read);
            size += length as u64;
        }
        Ok(LocalFile { name, path, size, sha256: hex::encode(hasher.finalize()), sample })
    }

    /// The content of a file that is part of the commit.
    pub(super) fn content(&self) -> Result<Vec<u8>> {
        read_regular(&self.path).map_err(Error::reading(&self.path))
    }
}

/// Git's SHA-1 of the content of a file.
pub(super) fn git_sha1(content: &[u8]) -> String {
    let hasher = Sha1::new_with_prefix(format!("blob {}\0", content.len()));
    hex::encode(hasher.chain_update(content).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_digests_and_samples() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("b"), "hello\n").unwrap();
        std::fs::write(home.path().join("a.bin"), vec![7; 2000]).unwrap();
        std::fs::create_dir(home.path().join("onnx")).unwrap();
        std::fs::write(home.path().join("onnx/model.onnx"), "x").unwrap();
        std::fs::write(home.path().join(".hidden"), "x").unwrap();
        let files = LocalFile::all(home.path(), &AtomicBool::new(false)).unwrap();
        let names: Vec<(&str, u64)> = files.iter().map(|file| (file.name.as_str(), file.size)).collect();
        assert_eq!(names, [("a.bin", 2000), ("b", 6), ("onnx/model.onnx", 1)]);
        assert_eq!((files[0].sample.len(), files[1].sample.as_slice()), (SAMPLE, &b"hello\n"[..]));
        // `sha256sum` and `git hash-object` of the same content.
        assert_eq!(files[1].sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(git_sha1(&files[1].content().unwrap()), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
