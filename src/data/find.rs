//! Where a split's rows are: in the binary, in a folder of the user's, or on the hub.

use super::Context;
use crate::assets;
use crate::catalog::{LocalFormat, SplitSpec, Task, TaskSource};
use crate::error::{Error, Result};
use crate::hub::split_files;
use std::path::{Path, PathBuf};

/// Where the rows of one split are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A text that the binary carries: a TSV file of that folder of `assets/`.
    Embedded { folder: &'static str, text: &'static str },
    /// A GLUE TSV file.
    Tsv(PathBuf),
    /// A file of Penn Treebank style trees.
    Trees(PathBuf),
    /// All shards of a split, in order, and the hub's commit where they came from there.
    Parquet { files: Vec<PathBuf>, commit: Option<String> },
}

/// GLUE's folder of each task, so that `data_dir` may also be the folder that holds them all.
const FOLDERS: &[(&str, &str)] = &[
    ("sst", "SST"),
    ("sst2", "SST-2"),
    ("qqp", "QQP"),
    ("cola", "CoLA"),
    ("mrpc", "MRPC"),
    ("stsb", "STS-B"),
    ("mnli", "MNLI"),
    ("qnli", "QNLI"),
    ("rte", "RTE"),
    ("wnli", "WNLI"),
];

/// Finds the rows of `split`, or `None` when the source has no such split.
pub(super) fn find(
    task: &'static Task,
    split: &SplitSpec,
    data_dir: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<Option<Found>> {
    match (&task.source, data_dir) {
        (TaskSource::Embedded(folder), None) => {
            Ok(assets::rows(folder, split.name.name()).map(|text| Found::Embedded { folder, text }))
        }
        (TaskSource::Embedded(_), Some(_)) => Err(Error::Usage(format!(
            "task {} is carried by the program and takes no data_dir; remove the key or choose another task",
            task.name
        ))),
        (TaskSource::Files { local, .. }, Some(folder)) => find_locally(task, local, split, folder),
        (TaskSource::Custom, _) => Ok(None),
        (TaskSource::Files { hub, .. }, None) => {
            let fetched = context.hub.dataset_files(
                hub.repo,
                hub.config,
                (split, task.splits),
                context.watch,
                context.cancelled,
            )?;
            Ok((!fetched.files.is_empty())
                .then_some(Found::Parquet { files: fetched.files, commit: Some(fetched.commit) }))
        }
    }
}

/// The error of a split that has to be there and is not.
pub(super) fn missing(task: &Task, split: &SplitSpec, data_dir: Option<&Path>) -> Error {
    match (&task.source, data_dir) {
        (TaskSource::Files { local, .. }, Some(folder)) => Error::data(
            folder,
            None,
            format!(
                "has no {} split of task {}: looked for {}, also in {}",
                split.name.name(),
                task.name,
                wanted(local, split),
                folders(task, folder)[1..]
                    .iter()
                    .map(|f| f.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        (TaskSource::Files { hub, .. }, None) => Error::Hub {
            repo: hub.repo.to_string(),
            problem: format!(
                "has no Parquet files of a {} split for configuration {}; put the files in a folder and give it as data_dir",
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
            format!("this program carries no {} split of task {}", split.name.name(), task.name),
        ),
    }
}

/// The file names of a split, as a sentence's part.
fn wanted(local: &LocalFormat, split: &SplitSpec) -> String {
    let mut names = file_names(local, split);
    names.push(format!("{}*.parquet", split.name.name()));
    names.join(", ")
}

/// The names that a split's file may have, the preferred one first.
fn file_names(local: &LocalFormat, split: &SplitSpec) -> Vec<String> {
    let extension = match local {
        LocalFormat::Tsv { .. } => "tsv",
        LocalFormat::Trees(_) => "txt",
    };
    split.file_stems.iter().map(|stem| format!("{stem}.{extension}")).collect()
}

/// The folder itself and the one in it that is named as GLUE names the task's.
fn folders(task: &Task, folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    all.extend(FOLDERS.iter().filter(|(name, _)| *name == task.name).map(|(_, glue)| folder.join(glue)));
    if let TaskSource::Files { hub, .. } = &task.source {
        all.push(folder.join(hub.config));
    }
    all
}

fn find_locally(task: &Task, local: &LocalFormat, split: &SplitSpec, folder: &Path) -> Result<Option<Found>> {
    if !folder.is_dir() {
        let what = if folder.exists() { "is not a folder" } else { "is not there" };
        return Err(Error::data(
            folder,
            None,
            format!("{what}; data_dir names the folder with {}", wanted(local, split)),
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
                    LocalFormat::Tsv { .. } => Found::Tsv(file),
                    LocalFormat::Trees(_) => Found::Trees(file),
                }));
            }
        }
        let files = parquet_files(folder, config, split)?;
        if !files.is_empty() {
            return Ok(Some(Found::Parquet { files, commit: None }));
        }
    }
    Ok(None)
}

/// The Parquet files of a split in `folder` and in the folders directly in it.
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

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::reading(folder))? {
        let entry = entry.map_err(Error::reading(folder))?;
        all.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    Ok(all)
}
