//! The disk space of a run.

use super::dir::RunDir;
use crate::files::is_leftover;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The disk space of a run. Links are not followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DiskUse {
    /// Size of all files in bytes.
    #[serde(rename = "disk_bytes")]
    pub bytes: u64,
    /// Size of the checkpoints and of what killed processes left, which pruning removes.
    pub prunable_bytes: u64,
}

impl DiskUse {
    /// The disk space of the run in `dir` with its seeds. What cannot be read counts as nothing.
    pub fn of(dir: &RunDir) -> DiskUse {
        let seeds = dir.existing_seeds().unwrap_or_default();
        let prunable_bytes = std::iter::once(dir).chain(&seeds).map(prunable).sum();
        DiskUse { bytes: size(dir.path()), prunable_bytes }
    }
}

fn prunable(dir: &RunDir) -> u64 {
    let leftovers = RunDir::FOLDERS_WITH_LEFTOVERS.iter().map(|folder| match *folder {
        // Its leftovers are counted with it.
        RunDir::CHECKPOINTS => 0,
        folder => {
            entries(&dir.path().join(folder)).filter(|path| is_leftover(path)).map(|path| size(&path)).sum()
        }
    });
    size(&dir.checkpoints()) + leftovers.sum::<u64>()
}

/// What changes when the files of a run do: length of the log, and when its folders were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskStamp(Vec<Option<(u64, SystemTime)>>);

impl DiskStamp {
    /// The stamp of the run in `dir` with its seeds.
    pub fn of(dir: &RunDir) -> DiskStamp {
        let seeds = dir.existing_seeds().unwrap_or_default();
        let paths = std::iter::once(dir).chain(&seeds).flat_map(|dir| {
            [dir.path().to_path_buf(), dir.events_file(), dir.checkpoints(), dir.path().join("predictions")]
        });
        let stamp = |path: PathBuf| {
            let metadata = path.symlink_metadata().ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        DiskStamp(paths.map(stamp).collect())
    }
}

/// Size of a file, or of the files in a folder.
fn size(path: &Path) -> u64 {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => entries(path).map(|path| size(&path)).sum(),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_seeds_and_leftovers_count_and_links_do_not() {
        let home = tempfile::tempdir().unwrap();
        let write = |file: &str, bytes: usize| {
            let path = home.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![0; bytes]).unwrap();
        };
        write("spec.toml", 1);
        write("seed-1/best/model.safetensors", 10);
        write("seed-1/checkpoints/step-000004/state.safetensors", 100);
        write("seed-1/checkpoints/.step-000008.new/state.safetensors", 1000);
        write("seed-1/predictions/.step-00000004.safetensors.Xy1z2w.tmp", 10_000);
        write("checkpoints/step-000004/state.safetensors", 100_000);
        #[cfg(unix)]
        std::os::unix::fs::symlink("seed-1/best", home.path().join("best")).unwrap();
        let all = DiskUse::of(&RunDir::at(home.path()));
        assert_eq!(all, DiskUse { bytes: 111_111, prunable_bytes: 111_100 });
        assert_eq!(DiskUse::of(&RunDir::at(home.path().join("none"))), DiskUse::default());
    }
}
