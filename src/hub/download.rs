//! Requests to the hub. Every request ends with a response, a timeout or a cancellation. An interrupted download
//! resumes, and no file enters the cache before its digest is verified.

use super::cache::{self, Cache};
use super::config::HubConfig;
use super::error::{HubError, root_cause};
use super::listing::is_plain;
use super::progress::{downloading, indeterminate};
use super::repo::{Repo, RepoType};
use super::request::{
    MAX_SMALL_BYTES, PROGRESS_INTERVAL, authorized, client, error_response, header, hub_url, is_hub,
    small_body, with_retries, with_timeout,
};
use super::verify;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::files::free_space;
use hf_hub::api::RepoInfo;
use hf_hub::api::tokio::ApiBuilder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LOCATION, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Bytes of unknown total size after which the free space is checked.
const SPACE_INTERVAL: u64 = 16 << 20;

/// Downloads files of one repository.
pub(super) struct Downloader<'a> {
    config: &'a HubConfig,
    repo: &'a Repo,
    pub(super) cache: &'a Cache,
    on_progress: &'a mut dyn FnMut(Progress),
    cancelled: &'a AtomicBool,
    /// Follows redirects, for GET.
    get_client: reqwest::Client,
    /// Does not follow redirects, for HEAD: the response before a redirect has the digest.
    head_client: reqwest::Client,
}

/// The metadata of a file.
struct FileMetadata {
    /// The name of the blob.
    digest: String,
    size: Option<u64>,
}

impl<'a> Downloader<'a> {
    pub(super) fn new(
        config: &'a HubConfig,
        repo: &'a Repo,
        cache: &'a Cache,
        on_progress: &'a mut dyn FnMut(Progress),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, HubError> {
        Ok(Downloader {
            config,
            repo,
            cache,
            on_progress,
            cancelled,
            get_client: client().build()?,
            head_client: client().redirect(reqwest::redirect::Policy::none()).build()?,
        })
    }

    /// The commit of a revision and the names of all its files.
    pub(super) async fn resolve(&mut self, revision: &str) -> Result<(String, Vec<String>), HubError> {
        (self.on_progress)(indeterminate(format!("resolving {}", self.repo.id)));
        let api = ApiBuilder::new()
            .with_endpoint(self.config.endpoint.clone())
            .with_cache_dir(self.config.cache_dir.clone())
            .with_token(self.config.token.clone())
            .build()
            .map_err(|error| HubError::Network(root_cause(&error)))?;
        let repo_type = match self.repo.repo_type {
            RepoType::Model => hf_hub::RepoType::Model,
            RepoType::Dataset => hf_hub::RepoType::Dataset,
        };
        let id = self.repo.id.clone();
        let repo = api.repo(hf_hub::Repo::with_revision(id.clone(), repo_type, revision.to_string()));
        let body = self
            .with_retries(&id, async |downloader| {
                let (cancelled, timeout) = (downloader.cancelled, downloader.config.request_timeout);
                let response = with_timeout(cancelled, timeout, repo.info_request().send()).await??;
                if !response.status().is_success() {
                    return Err(HubError::Response(error_response(&response)));
                }
                with_timeout(cancelled, timeout, small_body(response)).await?
            })
            .await?;
        parse_listing(&body)
            .ok_or_else(|| HubError::Network("the response has no commit or no files".to_string()))
    }

    /// The path of a file of a commit, which is downloaded unless it is cached.
    pub(super) async fn file(&mut self, commit: &str, name: &str) -> Result<PathBuf, HubError> {
        let path = self.cache.file(commit, name);
        if path.is_file() {
            return Ok(path);
        }
        let metadata =
            self.with_retries(name, async |downloader| downloader.metadata(commit, name).await).await?;
        let blob = self.cache.blob(&metadata.digest);
        let is_cached = blob.is_file() && self.matches_digest(&blob, &metadata.digest)?;
        if !is_cached {
            self.download(commit, name, &metadata, &blob).await?;
        }
        self.cache.mark_verified(&metadata.digest);
        Ok(self.cache.link(commit, name, &metadata.digest)?)
    }

    /// The content of a small file of a commit, which is not stored.
    pub(super) async fn small_file(&mut self, commit: &str, name: &str) -> Result<Vec<u8>, HubError> {
        let url = self.url(commit, name)?;
        self.with_retries(name, async |downloader| {
            let (cancelled, timeout) = (downloader.cancelled, downloader.config.request_timeout);
            let request = downloader.authorized(downloader.get_client.get(url.clone()));
            let response = with_timeout(cancelled, timeout, request.send()).await??;
            if !response.status().is_success() {
                return Err(HubError::Response(error_response(&response)));
            }
            with_timeout(cancelled, timeout, small_body(response)).await?
        })
        .await
    }

    /// Downloads a blob. Resumes an earlier download.
    async fn download(
        &mut self,
        commit: &str,
        name: &str,
        metadata: &FileMetadata,
        blob: &Path,
    ) -> Result<(), HubError> {
        let url = self.url(commit, name)?;
        let mut partial = blob.as_os_str().to_owned();
        partial.push(".incomplete");
        let partial = PathBuf::from(partial);
        cache::create_parent(&partial)?;
        for is_last in [false, true] {
            let appended = self
                .with_retries(name, async |downloader| {
                    downloader.append(&url, name, metadata, &partial).await
                })
                .await;
            if let Err(HubError::NoSpace { needed: None, .. } | HubError::TooLarge { .. }) = appended {
                // Nothing says that the rest would ever fit.
                std::fs::remove_file(&partial).ok();
            }
            appended?;
            if self.matches_digest(&partial, &metadata.digest)? {
                std::fs::rename(&partial, blob).map_err(|e| HubError::Local(Error::writing(blob)(e)))?;
                return Ok(());
            }
            std::fs::remove_file(&partial).map_err(|e| HubError::Local(Error::writing(&partial)(e)))?;
            if !is_last {
                (self.on_progress)(indeterminate(format!(
                    "downloading {name} again, because its digest was wrong"
                )));
            }
        }
        Err(HubError::DigestMismatch { url: url.to_string() })
    }

    /// Appends the missing part of the file to `partial`, up to the announced size.
    async fn append(
        &mut self,
        url: &Url,
        name: &str,
        metadata: &FileMetadata,
        partial: &Path,
    ) -> Result<(), HubError> {
        let local = |e| HubError::Local(Error::writing(partial)(e));
        let size = metadata.size;
        let mut file = File::options().create(true).append(true).open(partial).map_err(local)?;
        let mut received = file.metadata().map_err(local)?.len();
        if size == Some(received) {
            return Ok(());
        }
        if size.is_some_and(|size| received > size) {
            file.set_len(0).map_err(local)?;
            received = 0;
        }
        let mut request =
            self.authorized(self.get_client.get(url.clone())).header(ACCEPT_ENCODING, "identity");
        if received > 0 {
            request = request.header(RANGE, format!("bytes={received}-"));
        }
        let response = with_timeout(self.cancelled, self.config.request_timeout, request.send()).await??;
        let (status, is_partial) = (response.status(), starts_at(&response, received));
        if !status.is_success() && status != StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(HubError::Response(error_response(&response)));
        }
        if received > 0 && !is_partial {
            // The server did not send the requested range, so that the download starts over.
            file.set_len(0).map_err(local)?;
            received = 0;
            if status == StatusCode::PARTIAL_CONTENT || status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Err(HubError::Truncated { received, expected: size });
            }
        }
        if !status.is_success() {
            return Err(HubError::Response(error_response(&response)));
        }
        let space = Space::of(partial, self.config.reserved_space);
        let announced = size.or_else(|| Some(response.content_length()? + received));
        let limit = if is_small(name) { MAX_SMALL_BYTES } else { u64::MAX };
        if announced.is_some_and(|size| size > limit) {
            return Err(HubError::TooLarge { limit });
        }
        space.require(announced.map(|size| size.saturating_sub(received)))?;
        let (mut written, mut checked) = (received, received);
        let write = |chunk: &[u8]| {
            written += chunk.len() as u64;
            if written > limit {
                return Err(HubError::TooLarge { limit });
            }
            if announced.is_none() && written >= checked + SPACE_INTERVAL {
                checked = written;
                space.require(None)?;
            }
            file.write_all(chunk).map_err(local)
        };
        received = self.receive(response, name, received, size, write).await?;
        file.sync_all().map_err(local)?;
        if size.is_some_and(|size| received < size) {
            return Err(HubError::Truncated { received, expected: size });
        }
        Ok(())
    }

    /// Passes the body of a response to `write`, up to the announced size. `received` bytes precede it. Returns the
    /// number of bytes after it.
    async fn receive(
        &mut self,
        mut response: Response,
        name: &str,
        mut received: u64,
        size: Option<u64>,
        mut write: impl FnMut(&[u8]) -> Result<(), HubError>,
    ) -> Result<u64, HubError> {
        let mut last_report = None::<Instant>;
        loop {
            if last_report.is_none_or(|time| time.elapsed() >= PROGRESS_INTERVAL) {
                (self.on_progress)(downloading(name, received, size));
                last_report = Some(Instant::now());
            }
            let chunk = with_timeout(self.cancelled, self.config.read_timeout, response.chunk()).await?;
            let chunk = chunk.map_err(|_| HubError::Truncated { received, expected: size })?;
            let Some(chunk) = chunk else { break };
            write(&chunk)?;
            received += chunk.len() as u64;
            if size.is_some_and(|size| received > size) {
                break;
            }
        }
        (self.on_progress)(downloading(name, received, size));
        Ok(received)
    }

    /// Requests digest and size of a file. Follows redirects until a response has the digest.
    async fn metadata(&mut self, commit: &str, name: &str) -> Result<FileMetadata, HubError> {
        let mut url = self.url(commit, name)?;
        for _ in 0..10 {
            let request = self.head_client.head(url.clone()).header(ACCEPT_ENCODING, "identity");
            // The token is sent only to the hub.
            let request = if is_hub(self.config, &url) { self.authorized(request) } else { request };
            let response =
                with_timeout(self.cancelled, self.config.request_timeout, request.send()).await??;
            let headers = response.headers();
            let location = header(headers, LOCATION.as_str()).filter(|_| response.status().is_redirection());
            let relative = location.as_ref().is_some_and(|l| Url::parse(l).is_err() && !l.starts_with("//"));
            let digest = header(headers, "x-linked-etag").or_else(|| header(headers, ETAG.as_str()));
            match (location, digest) {
                (Some(location), digest) if relative || digest.is_none() => {
                    url = url
                        .join(&location)
                        .map_err(|e| HubError::Network(format!("an invalid redirect: {e}")))?;
                }
                (None, _) if !response.status().is_success() => {
                    return Err(HubError::Response(error_response(&response)));
                }
                (_, None) => return Err(HubError::Network("the response has no ETag".to_string())),
                (_, Some(etag)) => {
                    let digest = etag.strip_prefix("W/").unwrap_or(&etag).trim_matches('"').to_lowercase();
                    if !verify::is_digest(&digest) {
                        return Err(HubError::Network(format!("the ETag {etag} is not a digest")));
                    }
                    let size =
                        header(headers, "x-linked-size").or_else(|| header(headers, CONTENT_LENGTH.as_str()));
                    return Ok(FileMetadata { digest, size: size.and_then(|size| size.parse().ok()) });
                }
            }
        }
        Err(HubError::Network("too many redirects".to_string()))
    }

    /// Runs `request`, and repeats it with increasing delays after temporary errors.
    async fn with_retries<T>(
        &mut self,
        name: &str,
        request: impl AsyncFnMut(&mut Self) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let watch = (self.config, self.cancelled);
        let on_retry = |downloader: &mut Self| {
            (downloader.on_progress)(indeterminate(format!("retrying the download of {name}")));
        };
        with_retries(self, watch, request, on_retry).await
    }

    /// Whether the content of a file has that digest.
    fn matches_digest(&self, path: &Path, digest: &str) -> Result<bool, HubError> {
        Ok(verify::matches(path, digest, self.cancelled)?)
    }

    /// Adds the token to a request.
    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        authorized(self.config, request)
    }

    /// The URL of a file of a commit.
    fn url(&self, commit: &str, name: &str) -> Result<Url, HubError> {
        let repo = self.repo.path();
        hub_url(self.config, repo.split('/').chain(["resolve", commit]).chain(name.split('/')))
    }
}

/// The disk that a file is downloaded to.
struct Space<'a> {
    folder: &'a Path,
    /// Bytes that stay free.
    reserved: u64,
}

impl<'a> Space<'a> {
    fn of(file: &'a Path, reserved: u64) -> Self {
        Space { folder: file.parent().unwrap_or(file), reserved }
    }

    /// Checks that `needed` bytes fit, or any if it is `None`. Without a report of the system everything fits.
    fn require(&self, needed: Option<u64>) -> Result<(), HubError> {
        let folder = self.folder.to_path_buf();
        match free_space(self.folder) {
            Some(free) if free < self.reserved.saturating_add(needed.unwrap_or(0)) && needed != Some(0) => {
                Err(HubError::NoSpace { needed, free, folder })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a file is one of those that describe a model, which are small.
fn is_small(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| matches!(extension, "json" | "txt"))
}

/// Whether a response is a range that starts at byte `offset`.
fn starts_at(response: &Response, offset: u64) -> bool {
    response.status() == StatusCode::PARTIAL_CONTENT
        && header(response.headers(), CONTENT_RANGE.as_str())
            .is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

/// The commit of a revision and the names of its files, from the answer of the hub. Names that lead out of the folder
/// are left out.
pub(super) fn parse_listing(body: &[u8]) -> Option<(String, Vec<String>)> {
    let RepoInfo { siblings, sha } = serde_json::from_slice(body).ok()?;
    let names = siblings.into_iter().map(|sibling| sibling.rfilename).filter(|name| is_plain(name)).collect();
    is_plain(&sha).then_some((sha, names))
}
