//! What can go wrong between here and the hub, and the one sentence that says what to do about it.

use super::{Repo, Settings};
use crate::error::Error;
use std::path::Path;
use std::time::Duration;

/// Why a request or a download came to nothing.
#[derive(Debug)]
pub(super) enum HubError {
    /// The user stopped it.
    Cancelled,
    /// Nothing came for so long.
    Silent(Duration),
    /// The hub said no.
    Refused(Refusal),
    /// No answer, or none that makes sense.
    Lost(String),
    /// The connection broke after so many bytes of so many.
    Cut { got: u64, of: Option<u64> },
    /// What came is not what its digest says.
    Wrong { url: String },
    /// Something on this machine.
    Local(Error),
}

/// An answer that is no success.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The hub's own word for it: `RepoNotFound`, `GatedRepo`, `RevisionNotFound`, `EntryNotFound`.
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) wait: Option<u64>,
}

/// The error of a user's stop.
pub(super) fn stopped() -> Error {
    Error::Interrupted("stopped while fetching; what has come is kept".to_string())
}

/// The error of a cache that takes nothing more.
pub(super) fn unwritable(repo: &Repo, path: &Path, source: &std::io::Error) -> Error {
    let path = path.display();
    let problem =
        format!("cannot be kept at {path} ({source}); make room there, or set HF_HOME to another folder");
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
        HubError::Lost(root_cause(&error))
    }
}

impl HubError {
    /// Whether the same request may succeed a moment later.
    pub(super) fn passes(&self) -> bool {
        match self {
            HubError::Silent(_) | HubError::Lost(_) | HubError::Cut { .. } => true,
            HubError::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504),
            HubError::Cancelled | HubError::Wrong { .. } | HubError::Local(_) => false,
        }
    }

    /// The error for the user, about the repository or one `file` of it.
    pub(super) fn into_error(self, settings: &Settings, repo: &Repo, file: Option<&str>) -> Error {
        let endpoint = &settings.endpoint;
        let problem = match self {
            HubError::Cancelled => return stopped(),
            HubError::Local(Error::Write { path, source }) => return unwritable(repo, &path, &source),
            HubError::Local(error) => return error,
            HubError::Silent(limit) => format!(
                "the hub sent nothing for {} s; check the network and try again, what has come is kept",
                limit.as_secs_f64()
            ),
            HubError::Refused(refusal) => refusal.sentence(settings, repo),
            HubError::Lost(cause) => format!(
                "cannot be fetched from {endpoint} ({cause}); check the network and HF_ENDPOINT, or give a local folder \
                 as {}",
                repo.kind.local_key()
            ),
            HubError::Cut { got, of } => format!(
                "the connection broke after {got}{} bytes; try again, what has come is kept",
                of.map_or(String::new(), |of| format!(" of {of}"))
            ),
            HubError::Wrong { url } => format!(
                "what {url} sends does not have the digest that the hub says; it was thrown away, try again later or \
                 check HF_ENDPOINT and proxies"
            ),
        };
        let repo = file.map_or(repo.id.clone(), |file| format!("{}/{file}", repo.id));
        Error::Hub { repo, problem }
    }
}

impl Refusal {
    fn sentence(&self, settings: &Settings, repo: &Repo) -> String {
        let (endpoint, what, page) = (&settings.endpoint, repo.kind.word(), repo.page(settings));
        let code = self.code.as_deref().unwrap_or_default();
        let message =
            self.message.as_deref().map_or(String::new(), |text| format!(" ({})", first_line(text)));
        match (self.status, code) {
            (401 | 403 | 404, "RepoNotFound") => format!(
                "there is no such {what} at {endpoint}, or it is private; check the name, or set HF_TOKEN to a token that may read it"
            ),
            (401 | 403, "GatedRepo") | (403, _) => format!(
                "access is restricted{message}; ask for it at {page} and set HF_TOKEN to a token of that account"
            ),
            (401, _) if settings.token.is_some() => {
                format!("the hub does not accept the token{message}; set HF_TOKEN to a valid one")
            }
            (401, _) => format!(
                "the hub asks for a login{message}; check the name, or set HF_TOKEN to a token from {endpoint}/settings/tokens"
            ),
            (404, "RevisionNotFound") => {
                format!("has no such revision{message}; look at the branches and commits at {page}")
            }
            (404, _) => format!("not found at {endpoint}{message}; check the name and the revision"),
            (429, _) => format!(
                "the hub refuses further requests for now; try again {}",
                self.wait.map_or("later".to_string(), |wait| format!("in {wait} s"))
            ),
            (500.., _) => {
                format!("the hub is in trouble (HTTP {}){message}; try again later", self.status)
            }
            _ => format!("the hub answers HTTP {}{message}; check HF_ENDPOINT", self.status),
        }
    }
}

/// The innermost reason, which is the one that says something: `Connection refused`.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    first_line(&cause.to_string())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_string()
}
