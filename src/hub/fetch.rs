//! The conversation with the hub. Every wait ends: by an answer, a time limit, or the user's stop.
//! A body is kept as far as it came and continued from there; nothing enters the cache under its
//! name before its digest was checked.

use super::cache::{self, Cache};
use super::error::{HubError, Refusal, root_cause};
use super::{Kind, Repo, Settings, nothing_counted, verify};
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use hf_hub::RepoType;
use hf_hub::api::RepoInfo;
use hf_hub::api::tokio::ApiBuilder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LOCATION, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a wait looks whether the user has stopped it.
const LOOK: Duration = Duration::from_millis(25);
/// The first pause before a request is made again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Shortest time between two words to the watcher.
const TELL: Duration = Duration::from_millis(100);
/// A connection that gave so many bytes before it broke has its retries back.
const ADVANCE: u64 = 1 << 20;

/// One visit to the hub, about one repository.
pub(super) struct Session<'a> {
    pub(super) settings: &'a Settings,
    pub(super) repo: &'a Repo,
    pub(super) cache: &'a Cache,
    watch: &'a mut dyn FnMut(Progress),
    cancelled: &'a AtomicBool,
    /// Follows redirects, for bodies.
    bodies: reqwest::Client,
    /// Follows none, because the answer before a redirect is the one that has the digest.
    heads: reqwest::Client,
}

/// What the hub says of a file before it sends it.
struct Head {
    /// Name of the blob.
    digest: String,
    size: Option<u64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        repo: &'a Repo,
        cache: &'a Cache,
        watch: &'a mut dyn FnMut(Progress),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, HubError> {
        Ok(Session {
            settings,
            repo,
            cache,
            watch,
            cancelled,
            bodies: client().build()?,
            heads: client().redirect(reqwest::redirect::Policy::none()).build()?,
        })
    }

    /// The commit of a revision and the names of all its files.
    pub(super) async fn resolve(&mut self, revision: &str) -> Result<(String, Vec<String>), HubError> {
        (self.watch)(nothing_counted(format!("asking for {}", self.repo.id)));
        let api = ApiBuilder::new()
            .with_endpoint(self.settings.endpoint.clone())
            .with_cache_dir(self.settings.cache_dir.clone())
            .with_token(self.settings.token.clone())
            .build()
            .map_err(|error| HubError::Lost(root_cause(&error)))?;
        let kind = match self.repo.kind {
            Kind::Model => RepoType::Model,
            Kind::Dataset => RepoType::Dataset,
        };
        let id = self.repo.id.clone();
        let repo = api.repo(hf_hub::Repo::with_revision(id.clone(), kind, revision.to_string()));
        let answer = self
            .patiently(&id, async |session| {
                let limit = session.settings.head_timeout;
                let response = guard(session.cancelled, limit, repo.info_request().send()).await??;
                if !response.status().is_success() {
                    return Err(HubError::Refused(refusal(&response)));
                }
                Ok(guard(session.cancelled, limit, response.bytes()).await??)
            })
            .await?;
        let is_plain = |name: &String| super::listing::is_plain(name);
        match serde_json::from_slice(&answer) {
            Ok(RepoInfo { siblings, sha }) if is_plain(&sha) => {
                Ok((sha, siblings.into_iter().map(|sibling| sibling.rfilename).filter(is_plain).collect()))
            }
            _ => Err(HubError::Lost("the answer names no commit or no files".to_string())),
        }
    }

    /// The path of a file of a commit, fetched where the cache has it not.
    pub(super) async fn file(&mut self, commit: &str, name: &str) -> Result<PathBuf, HubError> {
        let path = self.cache.file(commit, name);
        if path.is_file() {
            return Ok(path);
        }
        let head = self.patiently(name, async |session| session.head(commit, name).await).await?;
        let blob = self.cache.blob(&head.digest);
        let known = blob.is_file() && self.is_whole(&blob, &head.digest)?;
        if !known {
            self.body(commit, name, &head, &blob).await?;
        }
        self.cache.note_verified(&head.digest);
        Ok(self.cache.link(commit, name, &head.digest)?)
    }

    /// Fetches a blob, continuing where an earlier try ended.
    async fn body(&mut self, commit: &str, name: &str, head: &Head, blob: &Path) -> Result<(), HubError> {
        let url = self.url(commit, name)?;
        let mut partial = blob.as_os_str().to_owned();
        partial.push(".incomplete");
        let partial = PathBuf::from(partial);
        cache::create_parent(&partial)?;
        for last in [false, true] {
            self.patiently(name, async |session| session.append(&url, name, head, &partial).await).await?;
            if self.is_whole(&partial, &head.digest)? {
                std::fs::rename(&partial, blob).map_err(|e| HubError::Local(Error::writing(blob)(e)))?;
                return Ok(());
            }
            std::fs::remove_file(&partial).map_err(|e| HubError::Local(Error::writing(&partial)(e)))?;
            if !last {
                (self.watch)(nothing_counted(format!("fetching {name} again: its digest was wrong")));
            }
        }
        Err(HubError::Wrong { url: url.to_string() })
    }

    /// Appends to `partial` what is missing of the file, until its announced size is reached.
    async fn append(&mut self, url: &Url, name: &str, head: &Head, partial: &Path) -> Result<(), HubError> {
        let local = |e| HubError::Local(Error::writing(partial)(e));
        let mut file = File::options().create(true).append(true).open(partial).map_err(local)?;
        let mut got = file.metadata().map_err(local)?.len();
        if head.size == Some(got) {
            return Ok(());
        }
        if head.size.is_some_and(|size| got > size) {
            file.set_len(0).map_err(local)?;
            got = 0;
        }
        let mut request = self.authorized(self.bodies.get(url.clone())).header(ACCEPT_ENCODING, "identity");
        if got > 0 {
            request = request.header(RANGE, format!("bytes={got}-"));
        }
        let mut response = guard(self.cancelled, self.settings.head_timeout, request.send()).await??;
        let continued = response.status() == StatusCode::PARTIAL_CONTENT
            && header(response.headers(), CONTENT_RANGE.as_str())
                .is_some_and(|range| range.starts_with(&format!("bytes {got}-")));
        if got > 0 && !continued {
            // The server does not go on from where it was asked to; it has to begin anew.
            file.set_len(0).map_err(local)?;
            got = 0;
            if response.status() == StatusCode::PARTIAL_CONTENT
                || response.status() == StatusCode::RANGE_NOT_SATISFIABLE
            {
                return Err(HubError::Cut { got, of: head.size });
            }
        }
        if !response.status().is_success() {
            return Err(HubError::Refused(refusal(&response)));
        }
        let mut told = None::<Instant>;
        loop {
            if told.is_none_or(|told| told.elapsed() >= TELL) {
                self.tell(name, got, head.size);
                told = Some(Instant::now());
            }
            let cut = |_| HubError::Cut { got, of: head.size };
            let Some(chunk) =
                guard(self.cancelled, self.settings.stall, response.chunk()).await?.map_err(cut)?
            else {
                break;
            };
            file.write_all(&chunk).map_err(local)?;
            got += chunk.len() as u64;
            if head.size.is_some_and(|size| got > size) {
                break;
            }
        }
        self.tell(name, got, head.size);
        file.sync_all().map_err(local)?;
        if head.size.is_some_and(|size| got < size) {
            return Err(HubError::Cut { got, of: head.size });
        }
        Ok(())
    }

    /// Asks for digest and size of a file. Redirects are followed only while they do not tell.
    async fn head(&mut self, commit: &str, name: &str) -> Result<Head, HubError> {
        let mut url = self.url(commit, name)?;
        for _ in 0..10 {
            let request = self.heads.head(url.clone()).header(ACCEPT_ENCODING, "identity");
            // Only the hub itself may see the token.
            let request = if self.is_hub(&url) { self.authorized(request) } else { request };
            let response = guard(self.cancelled, self.settings.head_timeout, request.send()).await??;
            let headers = response.headers();
            let location = header(headers, LOCATION.as_str()).filter(|_| response.status().is_redirection());
            let relative = location.as_ref().is_some_and(|l| Url::parse(l).is_err() && !l.starts_with("//"));
            let digest = header(headers, "x-linked-etag").or_else(|| header(headers, ETAG.as_str()));
            match (location, digest) {
                (Some(location), digest) if relative || digest.is_none() => {
                    url = url
                        .join(&location)
                        .map_err(|e| HubError::Lost(format!("a redirect to nowhere: {e}")))?;
                }
                (None, _) if !response.status().is_success() => {
                    return Err(HubError::Refused(refusal(&response)));
                }
                (_, None) => return Err(HubError::Lost("the answer has no ETag".to_string())),
                (_, Some(etag)) => {
                    let digest = etag.strip_prefix("W/").unwrap_or(&etag).trim_matches('"').to_lowercase();
                    if !verify::is_digest(&digest) {
                        return Err(HubError::Lost(format!("the ETag {etag} is no digest")));
                    }
                    let size =
                        header(headers, "x-linked-size").or_else(|| header(headers, CONTENT_LENGTH.as_str()));
                    return Ok(Head { digest, size: size.and_then(|size| size.parse().ok()) });
                }
            }
        }
        Err(HubError::Lost("too many redirects".to_string()))
    }

    /// Does `work`, and does it again after a pause while that may help.
    async fn patiently<T>(
        &mut self,
        name: &str,
        mut work: impl AsyncFnMut(&mut Self) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let (mut tries, mut reached) = (0, 0);
        loop {
            let trouble = match work(self).await {
                Err(trouble) if trouble.passes() => trouble,
                other => return other,
            };
            if let HubError::Cut { got, .. } = trouble
                && got >= reached + ADVANCE
            {
                (tries, reached) = (0, got);
            }
            if tries >= self.settings.retries {
                return Err(trouble);
            }
            (self.watch)(nothing_counted(format!("trying again to fetch {name}")));
            let pause = PAUSE * 2u32.pow(tries.min(6) as u32);
            tries += 1;
            guard(self.cancelled, Duration::MAX, tokio::time::sleep(pause)).await?;
        }
    }

    /// Whether a file is what the digest says; noted by the caller.
    fn is_whole(&self, path: &Path, digest: &str) -> Result<bool, HubError> {
        Ok(verify::matches(path, digest, self.cancelled)?)
    }

    fn tell(&mut self, name: &str, done: u64, total: Option<u64>) {
        (self.watch)(Progress { what: format!("downloading {name}"), done, total, unit: Unit::Bytes });
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.settings.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn is_hub(&self, url: &Url) -> bool {
        Url::parse(&self.settings.endpoint).is_ok_and(|endpoint| endpoint.origin() == url.origin())
    }

    /// Where a file of a commit is.
    fn url(&self, commit: &str, name: &str) -> Result<Url, HubError> {
        let wrong = || HubError::Lost(format!("HF_ENDPOINT {} is not a URL", self.settings.endpoint));
        let mut url = Url::parse(&self.settings.endpoint).map_err(|_| wrong())?;
        url.path_segments_mut()
            .map_err(|()| wrong())?
            .pop_if_empty()
            .extend(self.repo.path().split('/'))
            .extend(["resolve", commit])
            .extend(name.split('/'));
        Ok(url)
    }
}

/// Runs a visit to the end on this thread. What it leaves behind, a name lookup say, is not waited for.
pub(super) fn runtime<T>(visit: impl AsyncFnOnce() -> T) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::Hub { repo: "network".to_string(), problem: format!("cannot be used: {e}") })?;
    let done = runtime.block_on(visit());
    runtime.shutdown_background();
    Ok(done)
}

/// One request to the endpoint; any answer of the hub will do.
pub(super) fn sign_of_life(settings: &Settings) -> Result<(), String> {
    let asked = runtime(async || {
        let client = client().redirect(reqwest::redirect::Policy::none()).build()?;
        let never = AtomicBool::new(false);
        let response = guard(&never, settings.head_timeout, client.head(&settings.endpoint).send()).await??;
        if response.status().is_server_error() { Err(HubError::Refused(refusal(&response))) } else { Ok(()) }
    });
    let repo = Repo { kind: Kind::Model, id: settings.endpoint.clone() };
    match asked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(trouble)) => Err(trouble.into_error(settings, &repo, None).to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Waits for `work`, but no longer than `limit`, and only until the user stops it.
async fn guard<T>(
    cancelled: &AtomicBool,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, HubError> {
    let stop = async {
        while !cancelled.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        () = stop => Err(HubError::Cancelled),
        done = tokio::time::timeout(limit, work) => done.map_err(|_| HubError::Silent(limit)),
    }
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().user_agent(concat!("glue-tui/", env!("CARGO_PKG_VERSION")))
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_string)
}

fn refusal(response: &Response) -> Refusal {
    Refusal {
        status: response.status().as_u16(),
        code: header(response.headers(), "x-error-code"),
        message: header(response.headers(), "x-error-message"),
        wait: header(response.headers(), "retry-after").and_then(|wait| wait.parse().ok()),
    }
}
