//! The folders of adapters that the Python package peft writes: weights that are added to those of a base model.

use super::{expand_home, read_regular};
use crate::error::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The configuration of an adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// The weights of an adapter.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// The base model of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseModel {
    /// A folder on disk, or otherwise the name of a model.
    pub name: String,
    /// The revision on the hub, if the adapter needs a particular one.
    pub revision: Option<String>,
}

impl BaseModel {
    /// The base model of the adapter in `folder`; `None` if the folder has no adapter. A relative path is one from the
    /// current directory, or else from `folder`.
    ///
    /// # Errors
    /// [`Error::Read`] if the configuration cannot be read, [`Error::Model`] if it names no base model, or one that is an
    /// adapter.
    pub fn of_adapter(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(ADAPTER_CONFIG);
        let bytes = match read_regular(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::reading(path)(error)),
        };
        let wrong = |problem: String| Error::model(folder.display().to_string(), problem);
        let config: Value = serde_json::from_slice(&bytes)
            .map_err(|e| wrong(format!("{ADAPTER_CONFIG} is not valid JSON: {e}")))?;
        let name = config["base_model_name_or_path"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            let problem = "has no base_model_name_or_path; set it to the folder or hub id of the base model";
            wrong(format!("{ADAPTER_CONFIG} {problem}"))
        })?;
        let revision = config["revision"].as_str().map(str::to_owned);
        let Some(base) = base_folder(folder, name) else {
            return Ok(Some(BaseModel { name: name.to_owned(), revision }));
        };
        if base.join(ADAPTER_CONFIG).exists() {
            return Err(wrong(format!(
                "base_model_name_or_path in {ADAPTER_CONFIG} is {name}, which has an {ADAPTER_CONFIG} itself; the base \
                 of an adapter has to be a complete model in a folder of its own"
            )));
        }
        Ok(Some(BaseModel { name: base.display().to_string(), revision }))
    }
}

/// The folder `name`, from the current directory or from the folder of the adapter.
fn base_folder(adapter: &Path, name: &str) -> Option<PathBuf> {
    let name = expand_home(name);
    let beside = adapter.join(&name);
    [name, beside].into_iter().find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_model_is_a_folder_or_a_name() {
        let home = tempfile::tempdir().unwrap();
        let adapter = home.path().join("adapter");
        std::fs::create_dir_all(&adapter).unwrap();
        std::fs::create_dir_all(home.path().join("base-of-adapter")).unwrap();
        assert_eq!(BaseModel::of_adapter(&adapter).unwrap(), None);
        let base_of = |config: &str| {
            std::fs::write(adapter.join(ADAPTER_CONFIG), config).unwrap();
            BaseModel::of_adapter(&adapter).map(Option::unwrap)
        };
        let base = base_of(r#"{"base_model_name_or_path": "owner/tiny", "revision": "v1"}"#).unwrap();
        assert_eq!((base.name.as_str(), base.revision.as_deref()), ("owner/tiny", Some("v1")));
        let base = base_of(r#"{"base_model_name_or_path": "../base-of-adapter", "revision": null}"#).unwrap();
        assert_eq!((PathBuf::from(base.name), base.revision), (adapter.join("../base-of-adapter"), None));
        let absolute = home.path().join("base-of-adapter");
        let config = serde_json::json!({ "base_model_name_or_path": absolute });
        assert_eq!(PathBuf::from(base_of(&config.to_string()).unwrap().name), absolute);

        for (config, problem) in [
            (
                serde_json::json!({ "base_model_name_or_path": adapter }).to_string().as_str(),
                "of an adapter has to be a complete model",
            ),
            (r#"{"base_model_name_or_path": null}"#, "has no base_model_name_or_path"),
            ("{", "adapter_config.json is not valid JSON"),
        ] {
            let error = base_of(config).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("adapter"), "{error}");
        }
    }
}
