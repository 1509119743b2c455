//! Files and folders that are complete or absent. They are written beside their place and renamed; a write that fails
//! leaves nothing behind, and what a killed process left is removed by [`remove_leftovers`].

use crate::error::{Error, Result, is_disk_full};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The end of the name of a temporary file, `.NAME.XXXXXX.tmp`.
const TEMPORARY: &str = ".tmp";
/// How long [`retry_while_full`] repeats a write.
const FULL_DISK_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two attempts.
const FULL_DISK_RETRY: Duration = Duration::from_millis(250);

/// Writes `bytes` to `path` atomically: to a temporary file that is synced and then renamed.
///
/// # Errors
/// [`Error::Write`] with `path`, whose previous content is unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |temporary| std::fs::write(temporary, bytes).map_err(Error::writing(path)))
}

/// Writes the file `path` atomically: `fill` writes to a temporary file that is synced and then renamed. The umask
/// determines the permissions of the file, as for any new file.
///
/// # Errors
/// The error of `fill`, or [`Error::Write`] with `path`, whose previous content is unchanged.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = parent(path);
    let prefix = format!(".{}.", file_name(path));
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY);
    // Without it, the file would be readable by its owner only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder).map_err(Error::writing(path))?;
    fill(temporary.path())?;
    let persist = || -> std::io::Result<()> {
        std::fs::File::open(temporary.path())?.sync_all()?;
        temporary.persist(path)?;
        sync_folder(folder)
    };
    persist().map_err(Error::writing(path))
}

/// As [`write_atomic_with`]; `write` writes the content to a buffered writer.
///
/// # Errors
/// As [`write_atomic_with`].
pub fn write_atomic_buffered(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    write_atomic_with(path, |temporary| {
        let mut out = BufWriter::new(File::create(temporary).map_err(Error::writing(path))?);
        write(&mut out)?;
        out.flush().map_err(Error::writing(path))
    })
}

/// Replaces the folder `path` with the files that `fill` writes into the folder it is given. Either the old or
/// the new content is complete at any time; [`remove_leftovers`] restores the old one after a crash between two
/// renames. Returns the size of the files in bytes.
///
/// # Errors
/// The error of `fill`, or [`Error::Write`] with the folder at fault. The previous content is unchanged, and what was
/// written of the new one is removed, so that it does not take the space that others need.
pub fn write_dir_atomic(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<u64> {
    let (new, old) = (sibling(path, "new"), sibling(path, "old"));
    recover(path, &old).map_err(Error::writing(path))?;
    for leftover in [&new, &old] {
        remove_folder(leftover)?;
    }
    std::fs::create_dir(&new).map_err(Error::writing(&new))?;
    let replace = || -> std::io::Result<u64> {
        let bytes = sync_files(&new)?;
        if path.symlink_metadata().is_ok() {
            std::fs::rename(path, &old)?;
        }
        if let Err(error) = std::fs::rename(&new, path) {
            recover(path, &old)?;
            return Err(error);
        }
        sync_folder(parent(path))?;
        Ok(bytes)
    };
    let result = fill(&new).and_then(|()| replace().map_err(Error::writing(path)));
    let leftover = if result.is_ok() { &old } else { &new };
    let removed = remove_folder(leftover);
    result.and_then(|bytes| removed.map(|()| bytes))
}

/// Removes what killed processes left in `folder` while they wrote files and folders atomically, and restores a folder
/// that [`write_dir_atomic`] had set aside. To be called only while no other process writes to `folder`. A folder
/// that does not exist, or a file in its place, has no leftovers.
///
/// # Errors
/// [`Error::Write`] with the file or folder that cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.map_err(Error::reading(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::reading(folder))?.path();
        match Leftover::of(&path) {
            Some(Leftover::SetAside(target)) => {
                recover(&target, &path).map_err(Error::writing(&target))?;
                remove_folder(&path)?;
            }
            Some(Leftover::Folder) => remove_folder(&path)?,
            Some(Leftover::File) => remove_file(&path)?,
            None => {}
        }
    }
    Ok(())
}

/// Whether [`remove_leftovers`] removes the file or folder at `path`.
pub fn is_leftover(path: &Path) -> bool {
    match Leftover::of(path) {
        Some(Leftover::SetAside(target)) => target.symlink_metadata().is_ok(),
        leftover => leftover.is_some(),
    }
}

/// What a killed process left.
enum Leftover {
    /// The old content of a folder; the new one is at this path, or nothing is.
    SetAside(PathBuf),
    /// An incomplete folder.
    Folder,
    /// An incomplete file or link.
    File,
}

impl Leftover {
    fn of(path: &Path) -> Option<Leftover> {
        let name = file_name(path);
        let name = name.strip_prefix('.')?;
        match (name.rsplit_once('.'), path.is_dir()) {
            (Some((target, "old")), _) => Some(Leftover::SetAside(path.with_file_name(target))),
            (Some((_, "new")), true) => Some(Leftover::Folder),
            (Some((_, "tmp" | "link")), false) => Some(Leftover::File),
            // Temporary files of earlier versions.
            (None, false) if name.starts_with("tmp") => Some(Leftover::File),
            _ => None,
        }
    }
}

/// Removes what killed processes left of [`write_atomic`] to `path`. To be called only while no other process writes to
/// `path`.
///
/// # Errors
/// [`Error::Write`] with the file that cannot be removed.
pub fn remove_leftovers_of(path: &Path) -> Result<()> {
    let (folder, prefix) = (parent(path), format!(".{}.", file_name(path)));
    for entry in std::fs::read_dir(folder).map_err(Error::reading(folder))? {
        let leftover = entry.map_err(Error::reading(folder))?.path();
        let name = file_name(&leftover);
        if name.starts_with(&prefix) && name.ends_with(TEMPORARY) {
            std::fs::remove_file(&leftover).map_err(Error::writing(&leftover))?;
        }
    }
    Ok(())
}

/// Repeats a write for a few seconds while the disk is full: another program may be about to free space.
///
/// # Errors
/// That of the last attempt.
pub fn retry_while_full<T>(mut write: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match write() {
            Err(Error::Write { source, .. })
                if is_disk_full(&source) && start.elapsed() < FULL_DISK_TIMEOUT =>
            {
                std::thread::sleep(FULL_DISK_RETRY);
            }
            result => return result,
        }
    }
}

/// Renames `old` back to `path` if there is nothing at `path`.
fn recover(path: &Path, old: &Path) -> std::io::Result<()> {
    if path.symlink_metadata().is_err() && old.symlink_metadata().is_ok() {
        std::fs::rename(old, path)?;
    }
    Ok(())
}

/// Removes the folder `path` with its content; it disappears at once or not at all. What is left of an interrupted
/// removal is removed by [`remove_leftovers`].
///
/// # Errors
/// [`Error::Write`] with the folder that cannot be removed.
pub fn remove_dir_atomic(path: &Path) -> Result<()> {
    let removed = sibling(path, "new");
    remove_folder(&removed)?;
    match std::fs::rename(path, &removed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::writing(path)(error)),
        Ok(()) => remove_folder(&removed),
    }
}

/// The path `.NAME.SUFFIX` in the folder of `path`.
fn sibling(path: &Path, suffix: &str) -> PathBuf {
    path.with_file_name(format!(".{}.{suffix}", file_name(path)))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn remove_file(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(Error::writing(path))
}

fn remove_folder(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => std::fs::remove_file(path),
        _ => std::fs::remove_dir_all(path),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::writing(path)(error)),
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
    fn failed_write_leaves_old_content_and_nothing_else() {
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
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "half a folder takes no space");
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "first");
        write_dir_atomic(&best, fill("second")).unwrap();
        assert_eq!(std::fs::read_to_string(best.join("a")).unwrap(), "second");
        let mut attempts = 0;
        let full = |attempts| {
            if attempts < 3 { Err(Error::writing("a")(ErrorKind::StorageFull.into())) } else { Ok(attempts) }
        };
        let third = retry_while_full(|| {
            attempts += 1;
            full(attempts)
        });
        assert_eq!(third.unwrap(), 3, "a disk that is full for a moment");
        let file = home.path().join("file");
        let half = write_atomic_buffered(&file, |out| {
            out.write_all(b"half").map_err(Error::writing("file"))?;
            Err(Error::Training("disk full".into()))
        });
        assert!(half.is_err());
        assert!(write_atomic_with(&file, |_| Err(Error::Training("disk full".into()))).is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed_or_restored() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for folder in [".best.old", ".step-000004.new", ".step-000002.old", "step-000002", "kept"] {
            std::fs::create_dir(path(folder)).unwrap();
        }
        for file in [".step-00000004.safetensors.Xy1z2w.tmp", ".tmpAbCdEf", ".hidden", "events.jsonl"] {
            std::fs::write(path(file), "").unwrap();
        }
        remove_leftovers(home.path()).unwrap();
        let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".hidden", "best", "events.jsonl", "kept", "step-000002"]);
        remove_leftovers(&path("none")).unwrap();
        remove_leftovers(&path("events.jsonl")).unwrap();
        for file in [".queue.toml.Xy1z2w.tmp", ".probes.toml.Xy1z2w.tmp"] {
            std::fs::write(path(file), "").unwrap();
        }
        remove_leftovers_of(&path("queue.toml")).unwrap();
        assert!(!path(".queue.toml.Xy1z2w.tmp").exists() && path(".probes.toml.Xy1z2w.tmp").exists());
    }

    #[test]
    #[cfg(unix)]
    fn umask_determines_the_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(home.path().join(name)).unwrap().permissions().mode();
        std::fs::write(home.path().join("plain"), "").unwrap();
        write_atomic(&home.path().join("atomic"), b"").unwrap();
        assert_eq!(mode("atomic"), mode("plain"));
    }
}
