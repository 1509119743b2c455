//! Specifications back to TOML: a form's values into the experiments file with comments and order
//! kept, and the filled specification of a run into its directory.

use super::file::{check_name, read};
use super::keys::{Key, Kind};
use super::resolve::{DEFAULT_FILE, Experiments, fill, text_of, texts};
use super::{RunSpec, check_value, key_named};
use crate::error::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

impl Experiments {
    /// Writes `changes` (key, text as typed) into `[experiment.NAME]`, which is made when it is new.
    /// Empty text takes the key out. Comments, order and everything else of the file stay; the file is
    /// replaced as a whole, or not at all when the result would be wrong. The built-in copy is saved to
    /// `./experiments.toml`.
    pub fn save(&mut self, name: &str, changes: &[(&str, String)]) -> Result<()> {
        check_name(name).map_err(Error::Usage)?;
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        // Somebody may have edited the file since it was read; their edits stay.
        let now = match std::fs::read_to_string(&path) {
            Ok(text) => Experiments::parse(text, Some(path.clone()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.clone(),
            Err(e) => return Err(Error::reading(&path)(e)),
        };
        let text = now.edited(name, changes)?;
        let edited = Experiments::parse(text, Some(path.clone()))?;
        write_whole(&path, &edited.text)?;
        *self = edited;
        Ok(())
    }

    /// These experiments with `changes` made to `name`, as [`Experiments::save`] would write them;
    /// no file is touched.
    pub fn with_changes(&self, name: &str, changes: &[(&str, String)]) -> Result<Experiments> {
        check_name(name).map_err(Error::Usage)?;
        Experiments::parse(self.edited(name, changes)?, self.path.clone())
    }

    /// The text of the file with `changes` made.
    fn edited(&self, name: &str, changes: &[(&str, String)]) -> Result<String> {
        let mut document: DocumentMut =
            self.text.parse().map_err(|e: toml_edit::TomlError| Error::Usage(e.message().to_owned()))?;
        let layer = self.file.experiments.iter().find(|one| one.name == name).map(|one| &one.layer);
        let table = experiment_table(&mut document, name)?;
        for (key, text) in changes {
            let key = key_named(key)
                .ok_or_else(|| Error::Usage(format!("{name}: {}", super::check::unknown_key(key))))?;
            check_value(key, text).map_err(|why| Error::Usage(format!("{name}: `{}`: {why}", key.name)))?;
            let inherited = text_of(&self.file.defaults, key).unwrap_or_else(|| key.default.to_owned());
            let written = layer.is_some_and(|layer| layer.contains_key(key.name));
            if *text == inherited && (text.is_empty() || !written) {
                table.remove(key.name);
            } else {
                put(table, key, text);
            }
        }
        Ok(document.to_string())
    }
}

/// The table of experiment `name`, at the end of the document when it is new.
fn experiment_table<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut dyn TableLike> {
    let no_table = || Error::Usage(format!("experiment {name} is not a table"));
    if document.get("experiment").is_some_and(Item::is_str) {
        return Err(Error::Usage(
            "a run's own specification is not changed; save to an experiments file".into(),
        ));
    }
    let first = document.is_empty();
    let experiments = document.entry("experiment").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let experiments = experiments.as_table_like_mut().ok_or_else(no_table)?;
    if !experiments.contains_key(name) {
        let mut table = Table::new();
        table.decor_mut().set_prefix(if first { "" } else { "\n" });
        experiments.insert(name, Item::Table(table));
    }
    experiments.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(no_table)
}

/// Sets a value; a comment behind the old one stays.
fn put(table: &mut dyn TableLike, key: &Key, text: &str) {
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

/// A checked text as a TOML value; a number stays as typed where TOML can write it so.
fn toml_value(kind: Kind, text: &str) -> toml_edit::Value {
    let quoted = || toml_edit::Value::from(text);
    match kind {
        Kind::Integer { .. } | Kind::Interval => text.parse::<i64>().map_or_else(|_| quoted(), Into::into),
        Kind::Real { .. } => match (text.parse::<toml_edit::Value>(), text.parse::<f64>()) {
            (Ok(number), _) if number.is_float() || number.is_integer() => number,
            // `.5` and `5.` are numbers to a person, but not to TOML.
            (_, Ok(number)) => format!("{number:?}").parse().unwrap_or_else(|_| number.into()),
            _ => quoted(),
        },
        _ => quoted(),
    }
}

/// Writes aside, syncs, renames; a link is followed and the file's rights stay.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        let rights = std::fs::metadata(&target).map(|old| old.permissions());
        #[cfg(unix)]
        let rights = rights.unwrap_or_else(|_| std::os::unix::fs::PermissionsExt::from_mode(0o666));
        #[cfg(unix)]
        builder.permissions(rights);
        let mut file = builder.prefix(".experiments-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|e| e.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(Error::writing(path))
}

/// The filled specification as TOML: alone it repeats the run.
pub fn to_toml(spec: &RunSpec) -> String {
    let mut text = format!("experiment = {}\n", value(spec.experiment.as_str()));
    text.push_str(&assignments(spec));
    text
}

/// One line `key = value` for each key that is not absent.
pub fn assignments(spec: &RunSpec) -> String {
    let line = |(key, text): &(&Key, String)| format!("{} = {}\n", key.name, toml_value(key.kind, text));
    texts(spec).iter().map(line).collect()
}

/// Reads what [`to_toml`] wrote; `file` names it in errors. A key that is left out has its default.
pub fn from_toml(text: &str, file: &Path) -> Result<RunSpec> {
    let read = read(text, file).map_err(Error::Config)?;
    match read.experiments.as_slice() {
        [one] => fill(&one.name, |key| super::file::text_in(&[&read.defaults, &one.layer], key))
            .map_err(|why| Error::Usage(format!("{}: {why}", file.display()))),
        _ => Err(Error::Usage(format!("{} is not the specification of one run", file.display()))),
    }
}
