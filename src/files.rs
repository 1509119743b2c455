//! Model folders, on disk or embedded in the binary, and atomic writes of files and folders.

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
}

impl ModelFolder {
    /// A folder on disk, named by its path.
    pub fn on_disk(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        ModelFolder { name: path.display().to_string(), commit: None, root: Root::Disk(path.to_path_buf()) }
    }

    /// The contents of `file`, or `None` if the model has no such file.
    ///
    /// # Errors
    /// [`Error::Read`] if the file exists and cannot be read.
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

/// Writes `bytes` to `path` atomically: to a temporary file that is synced and then renamed.
///
/// # Errors
/// [`Error::Write`] with `path`, whose previous content is unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |temporary| std::fs::write(temporary, bytes).map_err(Error::writing(path)))
}

/// Writes the file `path` atomically: `fill` writes to a temporary file that is synced and then renamed.
///
/// # Errors
/// The error of `fill`, or [`Error::Write`] with `path`, whose previous content is unchanged.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(Error::writing(path))?;
    fill(temporary.path())?;
    let persist = || -> std::io::Result<()> {
        let file = std::fs::File::open(temporary.path())?;
        // A temporary file is readable by its owner only.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.sync_all()?;
        temporary.persist(path)?;
        sync_folder(folder)
    };
    persist().map_err(Error::writing(path))
}

/// Replaces the folder `path` with the files that `fill` writes into the folder it is given. Either the old or
/// the new content is complete at any time; [`recover_dir`] restores the old one after a crash between two
/// renames. Returns the size of the files in bytes.
///
/// # Errors
/// The error of `fill`, or [`Error::Write`] with the folder at fault.
pub fn write_dir_atomic(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::writing(parent))?;
    let (new, old) = (sibling(path, "new"), sibling(path, "old"));
    for leftover in [&new, &old] {
        remove_folder(leftover)?;
    }
    std::fs::create_dir(&new).map_err(Error::writing(&new))?;
    fill(&new)?;
    let replace = || -> std::io::Result<u64> {
        let bytes = sync_files(&new)?;
        if path.symlink_metadata().is_ok() {
            std::fs::rename(path, &old)?;
        }
        std::fs::rename(&new, path)?;
        sync_folder(parent)?;
        Ok(bytes)
    };
    let bytes = replace().map_err(Error::writing(path))?;
    remove_folder(&old)?;
    Ok(bytes)
}

/// Restores a folder that [`write_dir_atomic`] had renamed when the process or the machine stopped.
///
/// # Errors
/// [`Error::Write`] with `path`.
pub fn recover_dir(path: &Path) -> Result<()> {
    let old = sibling(path, "old");
    if !path.exists() && old.exists() {
        std::fs::rename(&old, path).map_err(Error::writing(path))?;
    }
    Ok(())
}

/// The path `.NAME.SUFFIX` in the folder of `path`.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::writing(path)(e)),
        _ => Ok(()),
    }
}

/// Syncs each file of a folder without subfolders. Returns the sum of their sizes in bytes.
fn sync_files(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let file = std::fs::File::open(entry?.path())?;
        file.sync_all()?;
        bytes += file.metadata()?.len();
    }
    sync_folder(folder)?;
    Ok(bytes)
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_leaves_old_content() {
        let home = tempfile::tempdir().unwrap();
        let best = home.path().join("best");
        let fill = |text: &'static str| {
            move |dir: &Path| std::fs::write(dir.join("a"), text).map_err(Error::writing(dir))
        };
        assert_eq!(write_dir_atomic(&best, fill("first")).unwrap(), 5);
        let failed = write_dir_atomic(&best, |dir| {
            std::fs::write(dir.join("a"), "half").unwrap();
            Err(Error::Training("disk full".into()))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "first");
        write_dir_atomic(&best, fill("second")).unwrap();
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "second");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no temporary folder is left");
    }

    #[test]
    fn interrupted_replacement_is_recovered() {
        let home = tempfile::tempdir().unwrap();
        let best = home.path().join("best");
        std::fs::create_dir(sibling(&best, "old")).unwrap();
        recover_dir(&best).unwrap();
        assert!(best.is_dir());
    }
}
