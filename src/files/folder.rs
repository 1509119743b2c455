//! A folder that is found again after it was moved.

use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// An open folder.
#[derive(Debug)]
pub struct OpenFolder {
    path: PathBuf,
    handle: Option<File>,
}

/// Where an open folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderLocation {
    /// At the path that it was opened at.
    Unchanged,
    /// At another path.
    Moved(PathBuf),
    /// It was removed.
    Removed,
}

impl OpenFolder {
    /// Opens the folder at `path`.
    ///
    /// # Errors
    /// [`Error::Read`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let handle = if cfg!(unix) { Some(File::open(path).map_err(Error::reading(path))?) } else { None };
        Ok(OpenFolder { path: path.to_path_buf(), handle })
    }

    /// The path that it was opened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is now.
    pub fn location(&self) -> FolderLocation {
        let Some(handle) = &self.handle else { return FolderLocation::Unchanged };
        let current = current_path(handle);
        // Some network file systems change the inode number of a folder, so its path is compared too.
        let is_same_path = current.is_some() && self.path.canonicalize().ok() == current;
        if is_at(handle, &self.path) || is_same_path {
            return FolderLocation::Unchanged;
        }
        match current.filter(|path| is_at(handle, path)) {
            Some(path) => FolderLocation::Moved(path),
            None => FolderLocation::Removed,
        }
    }
}

/// Whether the open file or folder `handle` is the one at `path`.
#[cfg(unix)]
pub fn is_at(handle: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (handle.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(found)) => (open.dev(), open.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// Whether the open file or folder `handle` is the one at `path`.
#[cfg(not(unix))]
pub fn is_at(_handle: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(target_os = "linux")]
fn current_path(handle: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd())).ok()
}

#[cfg(target_os = "macos")]
fn current_path(handle: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStringExt;
    let mut buffer = vec![0_u8; libc::PATH_MAX as usize];
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the buffer has the size that F_GETPATH requires.
    let result = unsafe { libc::fcntl(handle.as_raw_fd(), libc::F_GETPATH, buffer.as_mut_ptr()) };
    let end = buffer.iter().position(|byte| *byte == 0)?;
    buffer.truncate(end);
    (result == 0).then(|| PathBuf::from(std::ffi::OsString::from_vec(buffer)))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn current_path(_handle: &File) -> Option<PathBuf> {
    None
}

#[cfg(all(test, any(target_os = "linux", target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn moved_folder_is_found() {
        let home = tempfile::tempdir().unwrap();
        let (old, new) = (home.path().join("old"), home.path().join("new"));
        std::fs::create_dir(&old).unwrap();
        let folder = OpenFolder::open(&old).unwrap();
        assert_eq!(folder.location(), FolderLocation::Unchanged);
        std::fs::rename(&old, &new).unwrap();
        std::fs::create_dir(&old).unwrap();
        let FolderLocation::Moved(found) = folder.location() else { panic!("{:?}", folder.location()) };
        assert_eq!(found.canonicalize().unwrap(), new.canonicalize().unwrap());
        std::fs::remove_dir(&new).unwrap();
        assert_eq!(folder.location(), FolderLocation::Removed);
    }
}
