//! The requests of an upload.

use super::file_body::FileBody;
use super::lfs::{self, Action, Actions, Batch, CONTENT_TYPE, Part};
use super::local_file::{LocalFile, git_sha1};
use super::options::PushOptions;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::hub::config::HubConfig;
use crate::hub::error::HubError;
use crate::hub::progress::{indeterminate, uploading};
use crate::hub::repo::Repo;
use crate::hub::request::{
    PROGRESS_INTERVAL, authorized, client, error_response, header, hub_url, is_hub, small_body, with_retries,
    with_timeout,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE as TYPE, ETAG, HeaderMap};
use reqwest::{Body, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Files of a preupload request, as the Hugging Face libraries send them.
const PREUPLOAD_FILES: usize = 256;
/// A commit of many files takes the hub longer than other requests, by this factor.
const COMMIT_TIMEOUT_FACTOR: u32 = 12;

/// Uploads files to one repository.
pub(super) struct Uploader<'a> {
    config: &'a HubConfig,
    repo: &'a Repo,
    revision: &'a str,
    on_progress: &'a mut dyn FnMut(Progress),
    cancelled: &'a AtomicBool,
    client: reqwest::Client,
}

/// How a file is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UploadMode {
    /// Its content is part of the commit.
    Regular,
    /// By Git LFS, before the commit.
    Lfs,
}

/// The response to a preupload request.
#[derive(Deserialize)]
struct Preupload {
    files: Vec<PreuploadFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreuploadFile {
    path: String,
    upload_mode: UploadMode,
    /// Whether `.gitignore` of the repository excludes the file.
    #[serde(default)]
    should_ignore: bool,
    /// The digest of the file in the branch, if it has one of that name.
    #[serde(default)]
    oid: Option<String>,
}

/// The response to a commit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commit {
    commit_oid: String,
}

/// A file that the branch does not have in this version.
struct Change<'f> {
    file: &'f LocalFile,
    /// The content of a file that is part of the commit.
    content: Option<Vec<u8>>,
}

impl<'a> Uploader<'a> {
    pub(super) fn new(
        config: &'a HubConfig,
        repo: &'a Repo,
        revision: &'a str,
        on_progress: &'a mut dyn FnMut(Progress),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, HubError> {
        Ok(Uploader { config, repo, revision, on_progress, cancelled, client: client().build()? })
    }

    /// Uploads the files of `folder`. Returns the commit, if there is a new one, and the number of its files.
    /// `current_file` is the file in progress, to name it in an error.
    pub(super) async fn push(
        &mut self,
        folder: &Path,
        options: &PushOptions,
        current_file: &mut Option<String>,
    ) -> Result<(Option<String>, usize), HubError> {
        (self.on_progress)(indeterminate("reading the files".into()));
        let files = LocalFile::all(folder, self.cancelled)?;
        self.create_repo(options).await?;
        self.create_branch().await?;
        // A commit whose response is lost may have been made, so the hub is asked again which files it has.
        let watch = (self.config, self.cancelled);
        let on_retry = |uploader: &mut Self| {
            (uploader.on_progress)(indeterminate("retrying the commit".into()));
        };
        let mut outcome = Ok((None, 0));
        with_retries(
            self,
            watch,
            async |uploader| {
                let attempt = uploader.push_changes(&files, options, current_file).await;
                match attempt {
                    Err(Failure::Commit(error)) if error.is_retryable() => Err(error),
                    Err(Failure::Commit(error) | Failure::Other(error)) => {
                        outcome = Err(error);
                        Ok(())
                    }
                    Ok(pushed) => {
                        outcome = Ok(pushed);
                        Ok(())
                    }
                }
            },
            on_retry,
        )
        .await?;
        outcome
    }

    async fn push_changes(
        &mut self,
        files: &[LocalFile],
        options: &PushOptions,
        current_file: &mut Option<String>,
    ) -> Result<(Option<String>, usize), Failure> {
        let changes = self.changes(files).await.map_err(Failure::Other)?;
        if changes.is_empty() {
            return Ok((None, 0));
        }
        for change in changes.iter().filter(|change| change.content.is_none()) {
            *current_file = Some(change.file.name.clone());
            self.upload(change.file).await.map_err(Failure::Other)?;
        }
        *current_file = None;
        let commit = self.commit(&changes, options).await.map_err(Failure::Commit)?;
        Ok((Some(commit), changes.len()))
    }

    /// Creates the repository, unless it exists.
    async fn create_repo(&mut self, options: &PushOptions) -> Result<(), HubError> {
        let url = hub_url(self.config, ["api", "repos", "create"].into_iter())?;
        let (owner, name) = self.repo.id.split_once('/').unwrap_or(("", &self.repo.id));
        let body =
            json!({ "name": name, "organization": owner, "type": "model", "private": options.private });
        match self.post_json("creating the repository", url, &body).await {
            Err(HubError::Response(response)) if response.status == 409 => Ok(()),
            // A token may have write access to a repository without the right to create one.
            Err(HubError::Response(response)) if response.status == 403 => {
                let exists = self.get_repo().await.is_ok();
                if exists { Ok(()) } else { Err(HubError::Response(response)) }
            }
            created => created.map(drop),
        }
    }

    /// Creates the branch, unless it exists.
    async fn create_branch(&mut self) -> Result<(), HubError> {
        if self.revision == "main" {
            return Ok(());
        }
        let url = self.api(&["branch", self.revision])?;
        match self.post_json("creating the branch", url, &json!({})).await {
            Err(HubError::Response(response)) if response.status == 409 => Ok(()),
            created => created.map(drop),
        }
    }

    /// The files that the branch does not have, or has with another content.
    async fn changes<'f>(&mut self, files: &'f [LocalFile]) -> Result<Vec<Change<'f>>, HubError> {
        let url = self.api(&["preupload", self.revision])?;
        let mut changes = Vec::new();
        for files in files.chunks(PREUPLOAD_FILES) {
            let described = files.iter().map(|file| {
                json!({ "path": file.name, "sample": BASE64_STANDARD.encode(&file.sample), "size": file.size })
            });
            let body = json!({ "files": described.collect::<Vec<_>>() });
            let response = self.post_json("comparing the files", url.clone(), &body).await?;
            let Preupload { files: answers } = parse(&response)?;
            for file in files {
                let answer = answers.iter().find(|answer| answer.path == file.name).ok_or_else(|| {
                    HubError::Network(format!("the hub does not say how {} is uploaded", file.name))
                })?;
                if answer.should_ignore {
                    continue;
                }
                // The storage of large files rejects empty ones.
                let is_regular = answer.upload_mode == UploadMode::Regular || file.size == 0;
                let content = if is_regular { Some(file.content()?) } else { None };
                let digest = content.as_deref().map_or_else(|| file.sha256.clone(), git_sha1);
                if answer.oid.as_deref() != Some(&digest) {
                    changes.push(Change { file, content });
                }
            }
        }
        Ok(changes)
    }

    /// Uploads a large file, unless the hub has its content.
    async fn upload(&mut self, file: &LocalFile) -> Result<(), HubError> {
        (self.on_progress)(uploading(&file.name, 0, file.size));
        let path = format!("{}.git", self.repo.id);
        let url = hub_url(self.config, path.split('/').chain(["info", "lfs", "objects", "batch"]))?;
        let request = lfs::batch_request(&[file], self.revision);
        let response = self.post_lfs(&file.name, url, &request).await?;
        let Batch { objects } = parse(&response)?;
        let object = objects.into_iter().find(|object| object.oid == file.sha256);
        let object = object
            .ok_or_else(|| HubError::Network("the hub does not say where to upload the file".into()))?;
        if let Some(error) = object.error {
            return Err(HubError::Network(format!("the hub rejects the file: {}", error.message)));
        }
        let Some(Actions { upload: Some(upload), verify }) = object.actions else {
            (self.on_progress)(uploading(&file.name, file.size, file.size));
            return Ok(());
        };
        match upload.parts(file.size)? {
            None => {
                let whole = Part { url: upload.url()?, start: 0, length: file.size };
                self.put(file, &whole, upload.headers()).await?;
            }
            Some(parts) => self.put_parts(file, &upload, &parts).await?,
        }
        if let Some(verify) = verify {
            let body = json!({ "oid": file.sha256, "size": file.size });
            self.post_action(&file.name, &verify, &body).await?;
        }
        Ok(())
    }

    /// Uploads a file in parts, then tells the hub that all parts are there.
    async fn put_parts(&mut self, file: &LocalFile, upload: &Action, parts: &[Part]) -> Result<(), HubError> {
        let mut etags = Vec::new();
        for part in parts {
            let headers = self.put(file, part, HeaderMap::new()).await?;
            let etag = header(&headers, ETAG.as_str()).filter(|etag| !etag.is_empty());
            etags.push(etag.ok_or_else(|| HubError::Network("an uploaded part has no ETag".into()))?);
        }
        self.post_action(&file.name, upload, &lfs::completion(file, &etags)).await
    }

    /// Sends a part of a file. Returns the headers of the response.
    async fn put(
        &mut self,
        file: &LocalFile,
        part: &Part,
        headers: HeaderMap,
    ) -> Result<HeaderMap, HubError> {
        self.retried(&file.name, async |uploader| {
            let sent = Arc::<AtomicU64>::default();
            let body = FileBody::open(&file.path, part.start, part.length, sent.clone())
                .map_err(Error::reading(&file.path))?;
            let request = uploader.client.put(part.url.clone()).headers(headers.clone());
            let request = request.header(CONTENT_LENGTH, part.length).body(Body::wrap_stream(body));
            let response = uploader.watched(request, file, part, &sent).await?;
            if response.status().is_success() {
                return Ok(response.headers().clone());
            }
            let status = response.status().as_u16();
            Err(match status {
                // The address is signed for a limited time.
                400..=499 if !is_hub(uploader.config, &part.url) => HubError::Network(format!(
                    "the storage of the hub rejects the file with HTTP status {status}"
                )),
                _ => HubError::Response(error_response(&response)),
            })
        })
        .await
    }

    /// Sends a request with a part of a file, reports its progress, and ends it when nothing is sent for too long.
    async fn watched(
        &mut self,
        request: RequestBuilder,
        file: &LocalFile,
        part: &Part,
        sent: &AtomicU64,
    ) -> Result<Response, HubError> {
        let mut send = std::pin::pin!(request.send());
        let (mut last, mut changed) = (0, Instant::now());
        loop {
            let tick = with_timeout(self.cancelled, PROGRESS_INTERVAL, &mut send).await;
            let now = sent.load(Ordering::Relaxed);
            (self.on_progress)(uploading(&file.name, part.start + now, file.size));
            match tick {
                Err(HubError::Timeout(_)) => {}
                done => return Ok(done??),
            }
            if now > last {
                (last, changed) = (now, Instant::now());
            } else if changed.elapsed() >= self.config.read_timeout {
                return Err(HubError::Timeout(self.config.read_timeout));
            }
        }
    }

    /// Commits all changes at once. Not repeated here, since a commit may have been made without a response.
    async fn commit(&mut self, changes: &[Change<'_>], options: &PushOptions) -> Result<String, HubError> {
        (self.on_progress)(indeterminate("committing".into()));
        let url = self.api(&["commit", self.revision])?;
        let header = json!({ "key": "header", "value": { "summary": options.message, "description": "" } });
        let mut body = format!("{header}\n");
        for Change { file, content } in changes {
            let line = match content {
                Some(content) => json!({ "key": "file", "value": {
                    "content": BASE64_STANDARD.encode(content), "path": file.name, "encoding": "base64",
                } }),
                None => json!({ "key": "lfsFile", "value": {
                    "path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.size,
                } }),
            };
            body += &format!("{line}\n");
        }
        let request = authorized(self.config, self.client.post(url)).header(TYPE, "application/x-ndjson");
        let timeout = self.config.request_timeout * COMMIT_TIMEOUT_FACTOR;
        let response = answer(request.body(body), self.cancelled, timeout).await?;
        parse::<Commit>(&response).map(|commit| commit.commit_oid)
    }

    /// What the hub says about the repository.
    async fn get_repo(&mut self) -> Result<Vec<u8>, HubError> {
        let url = self.api(&[])?;
        self.retried("the repository", async |uploader| {
            let request = authorized(uploader.config, uploader.client.get(url.clone()));
            answer(request, uploader.cancelled, uploader.config.request_timeout).await
        })
        .await
    }

    async fn post_json(&mut self, what: &str, url: Url, body: &Value) -> Result<Vec<u8>, HubError> {
        (self.on_progress)(indeterminate(what.into()));
        self.post(what, &url, body, "application/json", HeaderMap::new()).await
    }

    async fn post_lfs(&mut self, file: &str, url: Url, body: &Value) -> Result<Vec<u8>, HubError> {
        self.post(file, &url, body, CONTENT_TYPE, HeaderMap::new()).await
    }

    /// Makes the request of an action of Git LFS.
    async fn post_action(&mut self, file: &str, action: &Action, body: &Value) -> Result<(), HubError> {
        let url = action.url()?;
        self.post(file, &url, body, CONTENT_TYPE, action.headers()).await.map(drop)
    }

    /// Posts JSON. The token is sent only to the hub.
    async fn post(
        &mut self,
        what: &str,
        url: &Url,
        body: &Value,
        content_type: &'static str,
        headers: HeaderMap,
    ) -> Result<Vec<u8>, HubError> {
        let body = body.to_string();
        self.retried(what, async |uploader| {
            let request = uploader.client.post(url.clone()).headers(headers.clone());
            let request = request.header(TYPE, content_type).header(ACCEPT, content_type);
            let may_have_token = is_hub(uploader.config, url) && !headers.contains_key(AUTHORIZATION);
            let request = if may_have_token { authorized(uploader.config, request) } else { request };
            answer(request.body(body.clone()), uploader.cancelled, uploader.config.request_timeout).await
        })
        .await
    }

    async fn retried<T>(
        &mut self,
        what: &str,
        request: impl AsyncFnMut(&mut Self) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let watch = (self.config, self.cancelled);
        let on_retry = |uploader: &mut Self| {
            (uploader.on_progress)(indeterminate(format!("retrying {what}")));
        };
        with_retries(self, watch, request, on_retry).await
    }

    /// A URL of the API about the repository. Each of `path` is one part, such as the name of a branch.
    fn api(&self, path: &[&str]) -> Result<Url, HubError> {
        let repo = ["api", "models"].into_iter().chain(self.repo.id.split('/'));
        hub_url(self.config, repo.chain(path.iter().copied()))
    }
}

/// Why an upload failed.
enum Failure {
    /// The commit.
    Commit(HubError),
    /// Any other request, which was repeated already.
    Other(HubError),
}

/// The body of the response to a request, if it is a success.
async fn answer(
    request: RequestBuilder,
    cancelled: &AtomicBool,
    limit: Duration,
) -> Result<Vec<u8>, HubError> {
    let response = with_timeout(cancelled, limit, request.send()).await??;
    if !response.status().is_success() {
        return Err(HubError::Response(error_response(&response)));
    }
    with_timeout(cancelled, limit, small_body(response)).await?
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, HubError> {
    serde_json::from_slice(body)
        .map_err(|error| HubError::Network(format!("an unexpected response: {error}")))
}
