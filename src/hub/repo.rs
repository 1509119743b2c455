//! Repositories of the hub.

use super::config::HubConfig;
use crate::error::{Error, Result};
use crate::files::expand_home;
use std::path::{Path, PathBuf};

/// The type of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepoType {
    Model,
    Dataset,
}

impl RepoType {
    /// The type in the name of a cache folder.
    pub(super) fn plural(self) -> &'static str {
        match self {
            RepoType::Model => "models",
            RepoType::Dataset => "datasets",
        }
    }

    /// The type in a message.
    pub(super) fn name(self) -> &'static str {
        match self {
            RepoType::Model => "model",
            RepoType::Dataset => "dataset",
        }
    }

    /// The key of an experiment that accepts a local folder instead of the repository.
    pub(super) fn local_key(self) -> &'static str {
        match self {
            RepoType::Model => "model",
            RepoType::Dataset => "data_dir",
        }
    }
}

/// A repository of the hub.
pub(super) struct Repo {
    pub(super) repo_type: RepoType,
    /// `owner/name`, or only `name` for some old models.
    pub(super) id: String,
}

impl Repo {
    /// The repository of a dataset.
    pub(super) fn dataset(id: &str) -> Self {
        Repo { repo_type: RepoType::Dataset, id: id.to_string() }
    }

    /// The repository of a model.
    ///
    /// # Errors
    /// [`Error::Model`] for a path or an invalid id.
    pub(super) fn model(name: &str) -> Result<Self> {
        let is_path = name.starts_with(['.', '/', '~'])
            || name.ends_with('/')
            || name.contains('\\')
            || Path::new(name).is_absolute()
            || Path::new(name).is_file();
        if is_path {
            let found = if expand_home(name).exists() { "is not a folder" } else { "does not exist" };
            let problem = format!("{found}; give a folder with config.json, or a hub id such as owner/name");
            return Err(Error::model(name, problem));
        }
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_valid_part(part)) {
            let problem = "is neither a folder nor a hub id such as owner/name; use only letters, digits, '-', '_' and '.'";
            return Err(Error::model(name, problem));
        }
        Ok(Repo { repo_type: RepoType::Model, id: name.to_string() })
    }

    /// The model repository `owner/name`, to upload to.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other text.
    pub(super) fn owned(id: &str) -> Result<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() == 2 && parts.iter().all(|part| is_valid_part(part)) {
            return Ok(Repo { repo_type: RepoType::Model, id: id.to_string() });
        }
        Err(Error::Usage(format!(
            "{id} is no name of a repository; give an owner and a name, as in me/my-model, with only letters, digits, '-', '_' and '.'"
        )))
    }

    /// The path of its pages and files under the endpoint.
    pub(super) fn path(&self) -> String {
        match self.repo_type {
            RepoType::Model => self.id.clone(),
            RepoType::Dataset => format!("datasets/{}", self.id),
        }
    }

    /// The URL of its page.
    pub(super) fn page(&self, config: &HubConfig) -> String {
        format!("{}/{}", config.endpoint, self.path())
    }
}

/// Whether a part of an id has only characters that the hub allows.
fn is_valid_part(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && part.bytes().any(|byte| byte != b'.')
}

/// Downloaded files of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit of the files.
    pub commit: String,
    /// The paths of the files, in the order of the request. Empty if a dataset has no such split.
    pub files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_not_a_hub_id() {
        for name in ["./x", "/no/such", "~/none", "..", "a\\b", "models/"] {
            let e = Repo::model(name).map(|repo| repo.id).unwrap_err().to_string();
            assert!(e.contains("does not exist") || e.contains("not a folder"), "{name}: {e}");
        }
        for name in ["a/b/c", "a b", "", "a//b", "x/..", "owner/na?me"] {
            assert!(Repo::model(name).is_err(), "{name}");
        }
        for name in ["google/bert_uncased_L-2_H-128_A-2", "distilbert-base-uncased"] {
            assert_eq!(Repo::model(name).unwrap().id, name);
        }
    }
}
