//! Uploads of a folder to a model repository, by the protocol of the Hugging Face libraries:
//!
//! 1. The repository is created, unless it exists; so is the branch.
//! 2. *Preupload*: the hub says for each file whether its content is part of the commit or is uploaded as a large file, and
//!    which version of it the branch has. Files that are the same there are not sent.
//! 3. Large files are uploaded with the batch protocol of Git LFS: to signed addresses, in one request or in parts. The
//!    hub asks for no file whose content it has, so an upload that was interrupted continues with the next file.
//! 4. One commit adds all files to the branch.

mod error;
mod file_body;
mod lfs;
mod local_file;
mod options;
mod uploader;

pub use options::{PushOptions, Pushed};

use super::client::Hub;
use super::listing::is_plain;
use super::repo::Repo;
use super::request::block_on;
use crate::error::{Error, Result};
use crate::event::Progress;
use error::into_upload_error;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use uploader::Uploader;

impl Hub {
    /// Checks without a request whether [`Hub::push`] can start.
    ///
    /// # Errors
    /// [`Error::Usage`] for an id or a branch that is not valid, [`Error::Hub`] without a token and if the hub is offline.
    pub fn check_push(&self, id: &str, options: &PushOptions) -> Result<()> {
        check_target(id, options)?;
        let config = self.config();
        let problem = if config.offline {
            "HF_HUB_OFFLINE is set, so nothing is uploaded; unset it".into()
        } else if config.token.is_none() {
            format!(
                "an upload needs a token with write access; set HF_TOKEN to one from {}/settings/tokens",
                config.endpoint
            )
        } else {
            return Ok(());
        };
        Err(Error::Hub { repo: id.to_string(), problem })
    }

    /// Uploads the files of `folder` and of its subfolders to the model repository `id`, as `owner/name`. The same call
    /// continues an upload that failed.
    ///
    /// # Errors
    /// As [`Hub::check_push`], [`Error::Hub`] if a request fails, [`Error::Interrupted`] soon after `cancelled` is set.
    pub fn push(
        &self,
        folder: &Path,
        id: &str,
        options: &PushOptions,
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Pushed> {
        self.check_push(id, options)?;
        let (repo, revision) = check_target(id, options)?;
        let config = self.config();
        let mut current_file = None;
        let pushed = block_on(async || {
            let mut uploader = Uploader::new(config, &repo, &revision, on_progress, cancelled)?;
            uploader.push(folder, options, &mut current_file).await
        })?;
        let (commit, files) =
            pushed.map_err(|error| into_upload_error(error, config, &repo, current_file.as_deref()))?;
        Ok(Pushed { url: page(&repo.page(config), &revision), commit, files })
    }
}

/// The repository and the branch.
fn check_target(id: &str, options: &PushOptions) -> Result<(Repo, String)> {
    let repo = Repo::owned(id)?;
    let revision = options.revision.clone().unwrap_or_else(|| "main".into());
    if !is_plain(&revision) {
        return Err(Error::Usage(format!("--revision {revision} is not the name of a branch")));
    }
    Ok((repo, revision))
}

fn page(repo: &str, revision: &str) -> String {
    if revision == "main" { repo.to_string() } else { format!("{repo}/tree/{revision}") }
}
