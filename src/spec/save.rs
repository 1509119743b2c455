//! Saving changed values in an experiments file.

use super::experiments::{Experiments, user_file};
use super::file::check_name;
use super::key::Key;
use super::keys::{key_named, unknown_key};
use super::source_file::{DEFAULT_FILE, SourceFile};
use super::sweep::{SweptValues, sweep_key_named};
use super::toml_value::toml_value;
use crate::error::{Error, Result};
use crate::files::read_regular_to_string;
use std::io::Write;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// Where an experiment that is in no file is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveTarget {
    /// `./experiments.toml`.
    Local,
    /// `experiments.toml` in the user's configuration folder.
    User,
}

impl Experiments {
    /// Writes `changes` (key, text as typed) into `[experiment.NAME]`, which is created when it does not exist, and returns
    /// the path of the file: that of the experiment, or else the one that the caller of [`Experiments::open`] named, or
    /// else `target`. Empty text removes the key. Comments, order and everything else in the file stay. The file is replaced
    /// atomically, and left unchanged when the experiment would be invalid. If `./experiments.toml` does not exist, the
    /// built-in copy is its beginning.
    pub fn save(&mut self, name: &str, changes: &[(&str, String)], target: SaveTarget) -> Result<PathBuf> {
        check_name(name).map_err(Error::Usage)?;
        let path = self.path_to_save(name, target)?;
        // The file may have been edited since it was read; these edits stay.
        let current = match read_regular_to_string(&path) {
            Ok(text) => SourceFile::parse(text, Some(path.clone())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.new_file(&path, target),
            Err(e) => return Err(Error::reading(&path)(e)),
        };
        let text = match (current.experiment(name), self.file_of(name)) {
            // A copy in another file needs the values that the original has from its own file.
            (None, Some(_)) => edited(&current, name, &self.all_values(name, changes))?,
            _ => edited(&current, name, changes)?,
        };
        let edited = SourceFile::parse(text, Some(path.clone()));
        match edited.experiment(name) {
            Some(experiment) if experiment.errors.is_empty() => {}
            Some(experiment) => return Err(Error::Config(experiment.errors.clone())),
            None => return Err(edited.error()),
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
        }
        replace_file(&path, &edited.text)?;
        self.replace(edited);
        Ok(path)
    }

    /// The file that [`Experiments::save`] writes an experiment to.
    fn path_to_save(&self, name: &str, target: SaveTarget) -> Result<PathBuf> {
        match self.path_of(name) {
            Some(path) => Ok(path.to_path_buf()),
            None => self.path_of_new(target),
        }
    }

    /// The file that [`Experiments::save`] writes a new experiment to: that of `target`, unless the caller of
    /// [`Experiments::open`] named a file.
    ///
    /// # Errors
    /// [`Error::Usage`] without a home directory.
    pub fn path_of_new(&self, target: SaveTarget) -> Result<PathBuf> {
        match (self.named_path(), target) {
            (Some(path), _) => Ok(path.to_path_buf()),
            (None, SaveTarget::Local) => Ok(PathBuf::from(DEFAULT_FILE)),
            (None, SaveTarget::User) => user_file()
                .ok_or_else(|| Error::Usage("cannot find a home directory for experiments.toml".into())),
        }
    }

    /// The beginning of a file that does not exist.
    fn new_file(&self, path: &Path, target: SaveTarget) -> SourceFile {
        let first = &self.files[0];
        match target {
            SaveTarget::Local if first.path().is_none_or(|first| first == path) => first.clone().at(path),
            _ => SourceFile::parse(String::new(), Some(path.to_path_buf())),
        }
    }

    /// Every value of an experiment, with `changes` applied.
    fn all_values(&self, name: &str, changes: &[(&str, String)]) -> Vec<(&'static str, String)> {
        let changed = |key: &str| changes.iter().rev().find(|(changed, _)| *changed == key);
        let values = self.values(name).into_iter();
        values
            .map(|value| {
                let text = changed(value.key.name).map_or(value.text, |(_, text)| text.clone());
                (value.key.name, text)
            })
            .collect()
    }

    /// Takes over a file that was saved.
    fn replace(&mut self, saved: SourceFile) {
        let same = self.files.iter().position(|file| file.path() == saved.path());
        let is_local = saved.path() == Some(Path::new(DEFAULT_FILE));
        match same {
            Some(at) => self.files[at] = saved,
            // It has the content of the built-in copy.
            None if is_local && self.files[0].path().is_none() => self.files[0] = saved,
            None => self.files.push(saved),
        }
    }
}

/// The text of the file with `changes` applied.
fn edited(file: &SourceFile, name: &str, changes: &[(&str, String)]) -> Result<String> {
    let mut document: DocumentMut = file.text.parse().map_err(|_| file.error())?;
    let experiment = file.experiment(name);
    let table = experiment_table(&mut document, name)?;
    for (key, text) in changes {
        let key = key_named(key)
            .or_else(|| sweep_key_named(key))
            .ok_or_else(|| Error::Usage(format!("{name}: {}", unknown_key(key))))?;
        SweptValues::check(key, text)
            .map_err(|why| Error::Usage(format!("{name}: `{}`: {why}", key.name)))?;
        let inherited = file.default_value(key).unwrap_or(key.default);
        let is_written = experiment.is_some_and(|experiment| experiment.values.contains_key(key.name));
        if *text == inherited && (text.is_empty() || !is_written) {
            table.remove(key.name);
        } else {
            set_value(table, key, text);
        }
    }
    Ok(document.to_string())
}

/// The table of experiment `name`, added at the end of the document when it does not exist.
fn experiment_table<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut dyn TableLike> {
    let no_table = || Error::Usage(format!("experiment {name} is not a table"));
    if document.get("experiment").is_some_and(Item::is_str) {
        return Err(Error::Usage(
            "the specification of a run cannot be changed; save to an experiments file".into(),
        ));
    }
    let is_empty = document.is_empty();
    let experiments = document.entry("experiment").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let experiments = experiments.as_table_like_mut().ok_or_else(no_table)?;
    if !experiments.contains_key(name) {
        let mut table = Table::new();
        table.decor_mut().set_prefix(if is_empty { "" } else { "\n" });
        experiments.insert(name, Item::Table(table));
    }
    experiments.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(no_table)
}

/// Sets a value; the comment after the old value stays.
fn set_value(table: &mut dyn TableLike, key: &Key, text: &str) {
    let swept = SweptValues::from_text(key, text).and_then(Result::ok);
    let swept = swept.and_then(|values| values.toml(key).parse::<Value>().ok());
    let mut new = swept.unwrap_or_else(|| toml_value(key.kind, text));
    match table.get_mut(key.name).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(key.name, Item::Value(new));
        }
    }
}

/// Replaces a file atomically: writes a temporary file, syncs it and renames it. A symbolic link is followed, and
/// the file keeps its permissions.
fn replace_file(path: &Path, text: &str) -> Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::fs::metadata(&target).map_or_else(
            |_| std::os::unix::fs::PermissionsExt::from_mode(0o666),
            |replaced| replaced.permissions(),
        ));
        let mut file = builder.prefix(".experiments-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|e| e.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(Error::writing(path))
}
