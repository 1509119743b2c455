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

/// Writes `bytes` to `path`, whole or not at all: written aside, synced, renamed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_whole(path, |aside| std::fs::write(aside, bytes).map_err(Error::writing(path)))
}

/// Makes the file `path` of what `fill` writes into the file it is given, whole or not at all.
pub fn write_file_whole(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let aside = tempfile::NamedTempFile::new_in(folder).map_err(Error::writing(path))?;
    fill(aside.path())?;
    let place = || -> std::io::Result<()> {
        let file = std::fs::File::open(aside.path())?;
        // A temporary file is private; what takes its place is as readable as any other file.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.sync_all()?;
        aside.persist(path)?;
        sync_folder(folder)
    };
    place().map_err(Error::writing(path))
}

/// Makes the folder `path` with what `fill` writes into it, whole or not at all; one that was there
/// is replaced. Returns the number of bytes in it.
pub fn write_folder_whole(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::writing(parent))?;
    let (aside, old) = (sibling(path, "new"), sibling(path, "old"));
    for leftover in [&aside, &old] {
        remove_folder(leftover)?;
    }
    std::fs::create_dir(&aside).map_err(Error::writing(&aside))?;
    fill(&aside)?;
    let place = || -> std::io::Result<u64> {
        let bytes = sync_files(&aside)?;
        if path.symlink_metadata().is_ok() {
            std::fs::rename(path, &old)?;
        }
        std::fs::rename(&aside, path)?;
        sync_folder(parent)?;
        Ok(bytes)
    };
    let bytes = place().map_err(Error::writing(path))?;
    remove_folder(&old)?;
    Ok(bytes)
}

/// Puts back a folder that [`write_folder_whole`] had set aside when the power went.
pub fn recover_folder(path: &Path) -> Result<()> {
    let old = sibling(path, "old");
    if !path.exists() && old.exists() {
        std::fs::rename(&old, path).map_err(Error::writing(path))?;
    }
    Ok(())
}

/// `.NAME.SUFFIX` beside `path`.
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

/// Syncs each file of a flat folder and adds up their sizes.
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
    fn a_failed_write_leaves_what_was_there() {
        let home = tempfile::tempdir().unwrap();
        let best = home.path().join("best");
        let fill = |text: &'static str| {
            move |dir: &Path| std::fs::write(dir.join("a"), text).map_err(Error::writing(dir))
        };
        assert_eq!(write_folder_whole(&best, fill("first")).unwrap(), 5);
        let failed = write_folder_whole(&best, |dir| {
            std::fs::write(dir.join("a"), "half").unwrap();
            Err(Error::Training("disk full".into()))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "first");
        write_folder_whole(&best, fill("second")).unwrap();
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "second");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn an_interrupted_replacement_is_put_back() {
        let home = tempfile::tempdir().unwrap();
        let best = home.path().join("best");
        std::fs::create_dir(sibling(&best, "old")).unwrap();
        recover_folder(&best).unwrap();
        assert!(best.is_dir());
    }
}
