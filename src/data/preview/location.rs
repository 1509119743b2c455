//! The files with data that a path is, or that a folder has.

use crate::catalog::{FileFormat, LocalFormat, SplitName, TASKS, TaskId, TaskSource};
use crate::data::find::has_local_files;
use crate::error::{Error, Result};
use crate::files::TOKENIZER_FILES;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Words in the name of a file that say which split it is.
const SPLIT_WORDS: [(SplitName, &[&str]); 3] = [
    (SplitName::Train, &["train", "training"]),
    (SplitName::Validation, &["validation", "valid", "val", "dev", "development"]),
    (SplitName::Test, &["test", "testing"]),
];
/// A folder that may have the files, as repositories of the hub do.
const DATA: &str = "data";
/// Files of models, runs and packages, which are no data although they are JSON. So are those of tokenizers.
const OTHERS: [&str; 5] = ["config.json", "package.json", "summary.json", "holder.json", "events.jsonl"];
/// The maximum number of names in a message.
const MAX_LISTED: usize = 8;

/// Where the rows of a task are.
#[derive(Debug, Clone, PartialEq)]
pub enum DataLocation {
    /// Files of task `custom` by split; the training file is always one of them.
    Files {
        /// The files.
        files: BTreeMap<SplitName, PathBuf>,
    },
    /// A folder with the files of a task of the catalog.
    Folder {
        /// The task.
        task: TaskId,
        /// The folder.
        folder: PathBuf,
    },
}

impl DataLocation {
    /// The data that `path` is or has: a file; a folder with a training file, and perhaps validation and test files; or
    /// the folder of a task of GLUE or of the treebank.
    ///
    /// # Errors
    /// [`Error::Data`] if there is nothing of the kind, with what was found instead.
    pub fn find(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(Error::data(path, None, "does not exist; name a data file or a folder with one"));
        }
        if !path.is_dir() {
            if let Some(what) = FileFormat::unsupported(path) {
                return Err(Error::data(path, None, format!("is {what}")));
            }
            if let Some((task, folder)) = path.parent().and_then(treebank).filter(|_| is_tree_file(path)) {
                return Ok(DataLocation::Folder { task, folder });
            }
            return Ok(DataLocation::of_file(path.to_path_buf()));
        }
        if let Some((task, folder)) = glue(path).or_else(|| treebank(path)) {
            return Ok(DataLocation::Folder { task, folder });
        }
        match files(path).or_else(|| files(&path.join(DATA))) {
            Some(files) => Ok(DataLocation::Files { files }),
            None => Err(nothing_found(path)),
        }
    }

    /// Whether [`DataLocation::find`] finds data in a folder itself.
    pub fn has_data(folder: &Path) -> bool {
        folder.is_dir()
            && (glue(folder).is_some()
                || treebank(folder).is_some()
                || files(folder).or_else(|| files(&folder.join(DATA))).is_some())
    }

    fn of_file(path: PathBuf) -> Self {
        DataLocation::Files { files: BTreeMap::from([(SplitName::Train, path)]) }
    }

    /// The task that the files are of.
    pub fn task(&self) -> TaskId {
        match self {
            DataLocation::Folder { task, .. } => *task,
            DataLocation::Files { .. } => TaskId::custom(),
        }
    }
}

/// The task of GLUE whose files are in a folder that has the name of the task, such as `SST-2`.
fn glue(path: &Path) -> Option<(TaskId, PathBuf)> {
    // `.` has no name of its own.
    let whole = std::path::absolute(path).ok()?;
    let name = whole.file_name()?.to_str()?;
    let task = TASKS.iter().find(|task| match &task.source {
        TaskSource::Files { folder, hub, .. } => {
            let names = [*folder, hub.config, task.name];
            names.iter().any(|known| known.eq_ignore_ascii_case(name)) && has_local_files(task, path)
        }
        TaskSource::Embedded(_) | TaskSource::Custom => false,
    })?;
    Some((TaskId::from(task), path.to_path_buf()))
}

/// The task whose files are trees, if the folder has such files.
fn treebank(path: &Path) -> Option<(TaskId, PathBuf)> {
    let is_treebank =
        |source: &TaskSource| matches!(source, TaskSource::Files { local: LocalFormat::Trees(_), .. });
    let task = TASKS.iter().find(|task| is_treebank(&task.source))?;
    let has_trees = is_tree_file(&path.join("train.txt")) && has_local_files(task, path);
    has_trees.then(|| (TaskId::from(task), path.to_path_buf()))
}

/// Whether a file begins with a tree: `(3 (2 good) (2 film))`.
fn is_tree_file(path: &Path) -> bool {
    let is_text = path.extension().is_some_and(|extension| extension == "txt") && path.is_file();
    let mut start = Vec::new();
    let mut read = || std::fs::File::open(path)?.take(4).read_to_end(&mut start);
    is_text && read().is_ok() && matches!(start.as_slice(), [b'(', digit, b' ', ..] if digit.is_ascii_digit())
}

/// The files of a folder by split; `None` if it has no training file and not exactly one file with data.
fn files(folder: &Path) -> Option<BTreeMap<SplitName, PathBuf>> {
    let mut all = data_files(folder);
    let mut files = BTreeMap::new();
    for (split, words) in SPLIT_WORDS {
        if let Some(file) = all.iter().filter_map(|file| Some((fit(file, words)?, file))).min() {
            files.insert(split, file.1.clone());
        }
    }
    if files.contains_key(&SplitName::Train) {
        return Some(files);
    }
    all.retain(|file| !files.values().any(|split| split == file));
    match &all[..] {
        [only] => {
            files.insert(SplitName::Train, only.clone());
            Some(files)
        }
        _ => None,
    }
}

/// The files of a folder that are of a format with rows, by name.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_data = |path: &PathBuf| {
        let mut others = OTHERS.iter().chain(&TOKENIZER_FILES);
        let is_other = name(path).is_some_and(|name| others.any(|other| *other == name));
        path.is_file() && FileFormat::of(path).is_some() && !is_other
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_data).collect();
    files.sort();
    files
}

/// How well the name of a file fits a split; smaller is better: `train.csv` before `reviews-train.csv`.
fn fit(file: &Path, words: &[&str]) -> Option<(usize, usize)> {
    let name = file.file_name()?.to_str()?.to_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    let parts: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
    let at = words.iter().position(|word| parts.contains(word))?;
    Some((parts.len(), at))
}

fn nothing_found(folder: &Path) -> Error {
    let mut found: Vec<String> = data_files(folder).iter().filter_map(|path| name(path)).collect();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| DataLocation::has_data(path))
        .filter_map(|path| Some(name(&path)? + "/"))
        .collect();
    folders.sort();
    found.extend(folders);
    let problem = match found.len() {
        0 => "has no CSV, TSV, JSON or Parquet file, and no folder with one".to_string(),
        count => {
            let more = if count > MAX_LISTED { ", …" } else { "" };
            found.truncate(MAX_LISTED);
            format!(
                "has no training file (train.csv, train.jsonl, …); open one of {}{more}",
                found.join(", ")
            )
        }
    };
    Error::data(folder, None, problem)
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}
