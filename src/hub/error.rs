//! Errors of requests to the hub, and their messages.

use super::config::HubConfig;
use super::repo::Repo;
use crate::error::Error;
use crate::format::bytes;
use crate::text::plural;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a request or a download failed.
#[derive(Debug)]
pub(super) enum HubError {
    /// The user cancelled it.
    Cancelled,
    /// Nothing was received for this long.
    Timeout(Duration),
    /// An HTTP status that is not a success.
    Response(ErrorResponse),
    /// No response, or an invalid one.
    Network(String),
    /// The connection broke after this many bytes.
    Truncated { received: u64, expected: Option<u64> },
    /// The content does not match its digest.
    DigestMismatch { url: String },
    /// A listing, a configuration or a tokenizer file that is larger than any real one.
    TooLarge { limit: u64 },
    /// The disk of the cache has too little space; the size of the rest is unknown if the hub does not announce it.
    NoSpace { needed: Option<u64>, free: u64, folder: PathBuf },
    /// An error on this machine.
    Local(Error),
}

/// A response with an HTTP status that is not a success.
#[derive(Debug, Default)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    /// The error code of the hub: `RepoNotFound`, `GatedRepo`, `RevisionNotFound` or `EntryNotFound`.
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    /// Seconds after which the request may be repeated.
    pub(super) retry_after: Option<u64>,
}

/// The error of a cancelled download.
pub(super) fn cancelled_error() -> Error {
    Error::Interrupted("the download was stopped; it resumes next time".to_string())
}

/// The error of a cache that cannot be written.
pub(super) fn unwritable(repo: &Repo, path: &Path, source: &std::io::Error) -> Error {
    let path = path.display();
    let problem =
        format!("cannot write {path} ({source}); free disk space, or set HF_HOME to another folder");
    Error::Hub { repo: repo.id.clone(), problem }
}

impl From<Error> for HubError {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted(_) => HubError::Cancelled,
            other => HubError::Local(other),
        }
    }
}

impl From<reqwest::Error> for HubError {
    fn from(error: reqwest::Error) -> Self {
        HubError::Network(root_cause(&error))
    }
}

impl HubError {
    /// Whether the same request may succeed later.
    pub(super) fn is_retryable(&self) -> bool {
        match self {
            HubError::Timeout(_) | HubError::Network(_) | HubError::Truncated { .. } => true,
            HubError::Response(response) => matches!(response.status, 408 | 429 | 500 | 502 | 503 | 504),
            HubError::Cancelled
            | HubError::DigestMismatch { .. }
            | HubError::TooLarge { .. }
            | HubError::NoSpace { .. }
            | HubError::Local(_) => false,
        }
    }

    /// The cause in a few words, without the address of the request.
    pub(super) fn cause(&self) -> String {
        match self {
            HubError::Cancelled => "cancelled".into(),
            HubError::Timeout(limit) => format!("no response for {} s", limit.as_secs_f64()),
            HubError::Response(response) => format!("HTTP status {}", response.status),
            HubError::Network(cause) => cause.clone(),
            HubError::Truncated { .. } | HubError::DigestMismatch { .. } | HubError::TooLarge { .. } => {
                "invalid response".into()
            }
            HubError::NoSpace { .. } => "the disk is full".into(),
            HubError::Local(error) => error.to_string(),
        }
    }

    /// The error for the user, about the repository or one `file` of it.
    pub(super) fn into_error(self, config: &HubConfig, repo: &Repo, file: Option<&str>) -> Error {
        let endpoint = &config.endpoint;
        let problem = match self {
            HubError::Cancelled => return cancelled_error(),
            HubError::Local(Error::Write { path, source }) => return unwritable(repo, &path, &source),
            HubError::Local(error) => return error,
            HubError::Timeout(limit) => format!(
                "no data received for {} s; check the network and try again, the download resumes",
                limit.as_secs_f64()
            ),
            HubError::Response(response) => response.problem(config, repo),
            HubError::Network(cause) => format!(
                "cannot be downloaded from {endpoint} ({cause}); check the network and HF_ENDPOINT, or set {} to a \
                 local folder",
                repo.repo_type.local_key()
            ),
            HubError::Truncated { received, expected } => {
                let received = expected
                    .map_or_else(|| plural(received, "byte"), |all| format!("{received} of {all} bytes"));
                format!("the connection broke after {received}; try again, the download resumes")
            }
            HubError::TooLarge { limit } => {
                let what = if file.is_none() { "the list of its files is" } else { "the file is" };
                format!("{what} larger than {}, more than any real one; check HF_ENDPOINT", bytes(limit))
            }
            HubError::NoSpace { needed, free, folder } => {
                let needed =
                    needed.map_or("an unknown size".into(), |needed| format!("{} more", bytes(needed)));
                format!(
                    "needs {needed}, but the disk of {} has only {} left; free space, or set HF_HOME to another disk",
                    folder.display(),
                    bytes(free)
                )
            }
            HubError::DigestMismatch { url } => format!(
                "the content of {url} does not match the digest announced by the hub and was deleted; try again later, \
                 or check HF_ENDPOINT and proxies"
            ),
        };
        let repo = file.map_or(repo.id.clone(), |file| format!("{}/{file}", repo.id));
        Error::Hub { repo, problem: config.redacted(problem) }
    }
}

impl ErrorResponse {
    /// The message for the user, without the name of the repository.
    fn problem(&self, config: &HubConfig, repo: &Repo) -> String {
        let (endpoint, repo_type, page) = (&config.endpoint, repo.repo_type.name(), repo.page(config));
        let code = self.code.as_deref().unwrap_or_default();
        let message =
            self.message.as_deref().map_or(String::new(), |text| format!(" ({})", first_line(text)));
        match (self.status, code) {
            (401 | 403 | 404, "RepoNotFound") => format!(
                "{endpoint} has no such {repo_type}, or it is private; check the name, or set HF_TOKEN to a token with \
                 access"
            ),
            (401 | 403, "GatedRepo") | (403, _) => format!(
                "access is restricted{message}; request access at {page} and set HF_TOKEN to a token of that account"
            ),
            (401, _) if config.token.is_some() => {
                format!("the hub rejects the token{message}; set HF_TOKEN to a valid one")
            }
            (401, _) => format!(
                "the hub requires a login{message}; check the name, or set HF_TOKEN to a token from \
                 {endpoint}/settings/tokens"
            ),
            (404, "RevisionNotFound") => {
                format!("has no such revision{message}; see the branches and commits at {page}")
            }
            (404, _) => format!("not found at {endpoint}{message}; check the name and the revision"),
            (429, _) => format!(
                "the hub limits the rate of requests; try again {}",
                self.retry_after.map_or("later".to_string(), |wait| format!("in {wait} s"))
            ),
            (500.., _) => {
                format!("the hub reports an internal error (HTTP {}){message}; try again later", self.status)
            }
            _ => format!("the hub responds with HTTP {}{message}; check HF_ENDPOINT", self.status),
        }
    }
}

/// The innermost cause, which is the most specific: `Connection refused`.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    first_line(&cause.to_string())
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_string()
}
