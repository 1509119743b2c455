//! The files of a split: embedded in the binary, in a local folder, or on the hub.

use super::source::LoadContext;
use crate::assets;
use crate::catalog::{LocalFormat, SplitSpec, Task, TaskSource};
use crate::error::{Error, Result};
use crate::hub::split_files;
use std::path::{Path, PathBuf};

/// The files of one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SplitFiles {
    /// An embedded TSV file of that folder of `assets/`.
    Embedded { folder: &'static str, text: &'static str },
    /// A GLUE TSV file.
    Tsv(PathBuf),
    /// A file of trees in the format of the Penn Treebank.
    Trees(PathBuf),
    /// All shards of a split, in order, and the commit if they are from the hub.
    Parquet { files: Vec<PathBuf>, commit: Option<String> },
}

impl SplitFiles {
    /// The file to name in an error about the whole split.
    pub(super) fn first_file(&self) -> PathBuf {
        match self {
            SplitFiles::Tsv(file) | SplitFiles::Trees(file) => file.clone(),
            SplitFiles::Embedded { folder, .. } => Path::new("assets").join(folder),
            SplitFiles::Parquet { files, .. } => files.first().cloned().unwrap_or_default(),
        }
    }
}

/// Finds the files of `split`, or `None` if the source has no such split.
pub(super) fn find_split(
    task: &'static Task,
    split: &SplitSpec,
    data_dir: Option<&Path>,
    context: &mut LoadContext<'_>,
) -> Result<Option<SplitFiles>> {
    match (&task.source, data_dir) {
        (TaskSource::Embedded(folder), None) => {
            Ok(assets::tsv(folder, split.name.name()).map(|text| SplitFiles::Embedded { folder, text }))
        }
        (TaskSource::Embedded(_), Some(_)) => Err(Error::Usage(format!(
            "task {} is embedded in the program and takes no data_dir; remove the key or choose another task",
            task.name
        ))),
        (TaskSource::Files { local, .. }, Some(folder)) => find_locally(task, local, split, folder),
        (TaskSource::Custom, _) => Ok(None),
        (TaskSource::Files { hub, .. }, None) => {
            let snapshot = context.hub.dataset_files(
                hub.repo,
                hub.config,
                (split, task.splits),
                context.on_progress,
                context.cancelled,
            )?;
            Ok((!snapshot.files.is_empty())
                .then_some(SplitFiles::Parquet { files: snapshot.files, commit: Some(snapshot.commit) }))
        }
    }
}

/// Whether a local folder has the files of every split of `task` that a training needs.
pub(super) fn has_local_files(task: &Task, folder: &Path) -> bool {
    let TaskSource::Files { local, .. } = &task.source else { return false };
    let mut required = task.splits.iter().filter(|split| split.name.is_required());
    task.is_trainable()
        && required.all(|split| find_locally(task, local, split, folder).is_ok_and(|files| files.is_some()))
}

/// The error for a required split that does not exist.
pub(super) fn missing_split(task: &Task, split: &SplitSpec, data_dir: Option<&Path>) -> Error {
    match (&task.source, data_dir) {
        (TaskSource::Files { local, .. }, Some(folder)) => Error::data(
            folder,
            None,
            format!(
                "has no {} split of task {}; looked for {}{}",
                split.name.name(),
                task.name,
                expected_files(local, split),
                also_in(&folders(task, folder))
            ),
        ),
        (TaskSource::Files { hub, .. }, None) => Error::Hub {
            repo: hub.repo.to_string(),
            problem: format!(
                "has no Parquet files of a {} split for configuration {}; set data_dir to a folder with the files",
                split.name.name(),
                hub.config
            ),
        },
        (TaskSource::Custom, _) => {
            Error::Usage(format!("task {} has no {} split", task.name, split.name.name()))
        }
        (TaskSource::Embedded(folder), _) => Error::data(
            Path::new("assets").join(folder),
            None,
            format!("the program has no embedded {} split of task {}", split.name.name(), task.name),
        ),
    }
}

/// The searched folders after the first, as the end of a sentence.
fn also_in(folders: &[PathBuf]) -> String {
    let others: Vec<String> = folders.iter().skip(1).map(|folder| folder.display().to_string()).collect();
    if others.is_empty() { String::new() } else { format!(", also in {}", others.join(", ")) }
}

/// The accepted file names of a split, as a list for a message.
fn expected_files(local: &LocalFormat, split: &SplitSpec) -> String {
    let mut names = file_names(local, split);
    names.push(format!("{}*.parquet", split.name.name()));
    names.join(", ")
}

/// The accepted names of the text file of a split, the preferred one first.
fn file_names(local: &LocalFormat, split: &SplitSpec) -> Vec<String> {
    let extension = match local {
        LocalFormat::Tsv { .. } => "tsv",
        LocalFormat::Trees(_) => "txt",
    };
    split.file_stems.iter().map(|stem| format!("{stem}.{extension}")).collect()
}

/// The folders to search: `folder`, and its subfolders named after the task in GLUE's archive and on the hub.
fn folders(task: &Task, folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    if let TaskSource::Files { folder: archive_folder, hub, .. } = &task.source {
        all.extend([folder.join(archive_folder), folder.join(hub.config)]);
    }
    all
}

/// Finds the files of `split` in a local folder.
fn find_locally(
    task: &Task,
    local: &LocalFormat,
    split: &SplitSpec,
    folder: &Path,
) -> Result<Option<SplitFiles>> {
    if !folder.is_dir() {
        let what = if folder.exists() { "is not a folder" } else { "does not exist" };
        return Err(Error::data(
            folder,
            None,
            format!("{what}; set data_dir to the folder with {}", expected_files(local, split)),
        ));
    }
    let config = match &task.source {
        TaskSource::Files { hub, .. } => hub.config,
        TaskSource::Embedded(_) | TaskSource::Custom => "",
    };
    for folder in folders(task, folder).iter().filter(|folder| folder.is_dir()) {
        for name in file_names(local, split) {
            let file = folder.join(name);
            if file.is_file() {
                return Ok(Some(match local {
                    LocalFormat::Tsv { .. } => SplitFiles::Tsv(file),
                    LocalFormat::Trees(_) => SplitFiles::Trees(file),
                }));
            }
        }
        let files = parquet_files(folder, config, split)?;
        if !files.is_empty() {
            return Ok(Some(SplitFiles::Parquet { files, commit: None }));
        }
    }
    Ok(None)
}

/// The Parquet files of a split in `folder` and its direct subfolders.
fn parquet_files(folder: &Path, config: &str, split: &SplitSpec) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            names.extend(entries(&path)?.into_iter().map(|(inner, _)| format!("{name}/{inner}")));
        } else {
            names.push(name);
        }
    }
    Ok(split_files(&names, config, split.hub_stems).into_iter().map(|name| folder.join(name)).collect())
}

/// The names and paths of the entries of a folder.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::reading(folder))? {
        let entry = entry.map_err(Error::reading(folder))?;
        all.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    Ok(all)
}
