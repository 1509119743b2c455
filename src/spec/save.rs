//! Saving changed values in the experiments file.

use super::experiments::{DEFAULT_FILE, Experiments};
use super::file::check_name;
use super::key::Key;
use super::keys::{key_named, unknown_key};
use super::toml_text::toml_value;
use crate::error::{Error, Result};
use crate::files::read_regular_to_string;
use std::io::Write;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike};

impl Experiments {
    /// Writes `changes` (key, text as typed) into `[experiment.NAME]`, which is created when it does not exist.
    /// Empty text removes the key. Comments, order and everything else in the file stay. The file is replaced
    /// atomically, and left unchanged when the result would be invalid. The built-in copy is saved to
    /// `./experiments.toml`.
    pub fn save(&mut self, name: &str, changes: &[(&str, String)]) -> Result<()> {
        check_name(name).map_err(Error::Usage)?;
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        // The file may have been edited since it was read; these edits stay.
        let current = match read_regular_to_string(&path) {
            Ok(text) => Experiments::parse(text, Some(path.clone()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.clone(),
            Err(e) => return Err(Error::reading(&path)(e)),
        };
        let text = current.edited(name, changes)?;
        let edited = Experiments::parse(text, Some(path.clone()))?;
        replace_file(&path, &edited.text)?;
        *self = edited;
        Ok(())
    }

    /// These experiments with `changes` applied to `name`, as [`Experiments::save`] would write them, without
    /// writing a file.
    pub fn with_changes(&self, name: &str, changes: &[(&str, String)]) -> Result<Experiments> {
        check_name(name).map_err(Error::Usage)?;
        Experiments::parse(self.edited(name, changes)?, self.path.clone())
    }

    /// The text of the file with `changes` applied.
    fn edited(&self, name: &str, changes: &[(&str, String)]) -> Result<String> {
        let mut document: DocumentMut =
            self.text.parse().map_err(|e: toml_edit::TomlError| Error::Usage(e.message().to_owned()))?;
        let experiment = self.file.experiment(name);
        let table = experiment_table(&mut document, name)?;
        for (key, text) in changes {
            let key = key_named(key).ok_or_else(|| Error::Usage(format!("{name}: {}", unknown_key(key))))?;
            key.check(text).map_err(|why| Error::Usage(format!("{name}: `{}`: {why}", key.name)))?;
            let inherited = self.file.defaults.get(key.name).map_or(key.default, |value| value.text.as_str());
            let is_written = experiment.is_some_and(|experiment| experiment.values.contains_key(key.name));
            if *text == inherited && (text.is_empty() || !is_written) {
                table.remove(key.name);
            } else {
                set_value(table, key, text);
            }
        }
        Ok(document.to_string())
    }
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
    let mut new = toml_value(key.kind, text);
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
