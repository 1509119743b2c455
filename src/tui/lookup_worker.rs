//! Looks up what a person may choose or has typed: folders, models, earlier data, and values of a form.

use super::msg::Msg;
use super::state::form::{FormCheck, FormValues};
use super::state::path_choice::{PathEntry, PathKind};
use super::worker::Worker;
use crate::catalog::FileFormat;
use crate::data::DataLocation;
use crate::files::{FolderEntry, expand_home, list_folder};
use crate::format;
use crate::run::check::check_values;
use crate::run::suggestions::{Suggestions, is_model_folder};
use crossbeam_channel::Sender;
use std::path::{Path, PathBuf};

/// Folders of a folder that are looked into.
const MAX_FOLDERS: usize = 300;

/// A job of the [`LookupWorker`].
pub(super) enum LookupJob {
    /// List the entries of a folder, unless another job waits.
    ListFolder { folder: String, kind: PathKind },
    /// List models and data to choose from.
    ListSuggestions,
    /// Check the values of a form.
    CheckForm(FormValues),
}

/// Does the jobs of the thread `lookup`.
pub(super) struct LookupWorker {
    runs_dir: PathBuf,
    messages: Sender<Msg>,
}

impl LookupWorker {
    /// A worker that sends its results to `messages`.
    pub(super) fn new(runs_dir: PathBuf, messages: Sender<Msg>) -> Self {
        LookupWorker { runs_dir, messages }
    }
}

impl Worker for LookupWorker {
    type Job = LookupJob;

    fn describe(job: &LookupJob) -> &'static str {
        match job {
            LookupJob::ListFolder { .. } => "listing a folder",
            LookupJob::ListSuggestions => "listing models and data",
            LookupJob::CheckForm(_) => "checking the values of the form",
        }
    }

    fn run(&mut self, job: LookupJob, _is_last: bool) {
        let msg = match job {
            LookupJob::ListFolder { folder, kind } => {
                let entries = entries(&expand_home(&folder), kind);
                Msg::FolderListed { folder, entries }
            }
            LookupJob::CheckForm(values) => {
                let check = check_values(&values);
                Msg::FormChecked(FormCheck { values, check })
            }
            LookupJob::ListSuggestions => Msg::SuggestionsListed(Suggestions::read(&self.runs_dir)),
        };
        self.messages.send(msg).ok();
    }
}

/// The entries of a folder, none if it cannot be read: a person may have typed only a part of its name.
fn entries(folder: &Path, kind: PathKind) -> Vec<PathEntry> {
    let mut folders = 0;
    let mut describe = |entry: FolderEntry| {
        folders += usize::from(entry.is_folder);
        let is_known = folders <= MAX_FOLDERS;
        let (is_wanted, note) = if entry.is_folder && is_known {
            describe_folder(&folder.join(&entry.name), kind)
        } else {
            describe_file(&entry, kind)
        };
        PathEntry { entry, is_wanted, note }
    };
    let found = list_folder(folder).unwrap_or_default();
    found.into_iter().filter(|entry| entry.is_folder || kind != PathKind::Model).map(&mut describe).collect()
}

fn describe_folder(folder: &Path, kind: PathKind) -> (bool, String) {
    match kind {
        PathKind::Model if is_model_folder(folder) => (true, "folder with a model".into()),
        PathKind::Data | PathKind::DataFolder => match DataLocation::find(folder) {
            Ok(DataLocation::Folder { task, .. }) => (true, format!("files of task {task}")),
            Ok(DataLocation::Files { files }) if kind == PathKind::Data => {
                let names: Vec<&str> = files.keys().map(|split| split.name()).collect();
                (true, format!("folder with {}", names.join(", ")))
            }
            _ => (false, "folder".into()),
        },
        PathKind::Model | PathKind::DataFile => (false, "folder".into()),
    }
}

fn describe_file(entry: &FolderEntry, kind: PathKind) -> (bool, String) {
    let known = FileFormat::of(Path::new(&entry.name)).filter(|_| !entry.is_folder);
    let note = match known {
        Some(known) => format!("{}, {}", known.name(), format::bytes(entry.bytes)),
        None if entry.is_folder => "folder".into(),
        None => format::bytes(entry.bytes),
    };
    (known.is_some() && kind != PathKind::DataFolder, note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_say_whether_they_are_wanted() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a.csv", "text,label\nx,1\n");
        write("model/config.json", "{}");
        write("notes.md", "x");
        write("set/train.jsonl", "{}");
        write("set/test.csv", "text,label\nx,1\n");
        let found = |kind| {
            let wanted = entries(home.path(), kind).into_iter().filter(|entry| entry.is_wanted);
            wanted.map(|entry| (entry.entry.name, entry.note)).collect::<Vec<_>>()
        };
        let pair = |name: &str, note: &str| (name.to_string(), note.to_string());
        assert_eq!(
            found(PathKind::Data),
            [pair("a.csv", "CSV, 15 B"), pair("set", "folder with train, test")]
        );
        assert_eq!(found(PathKind::DataFile), [pair("a.csv", "CSV, 15 B")]);
        assert_eq!(found(PathKind::Model), [pair("model", "folder with a model")]);
        assert_eq!(found(PathKind::DataFolder), []);
        assert!(entries(&home.path().join("none"), PathKind::Data).is_empty());
    }
}
