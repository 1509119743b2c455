//! The messages of failed uploads.

use crate::error::Error;
use crate::format::bytes;
use crate::hub::config::HubConfig;
use crate::hub::error::{ErrorResponse, HubError, first_line};
use crate::hub::repo::Repo;

/// The error for the user, about the repository or one `file` of it.
pub(super) fn into_upload_error(
    error: HubError,
    config: &HubConfig,
    repo: &Repo,
    file: Option<&str>,
) -> Error {
    let endpoint = &config.endpoint;
    let problem = match error {
        HubError::Cancelled => {
            return Error::Interrupted("the upload was stopped; the same command continues it".into());
        }
        HubError::Local(error) => return error,
        HubError::Response(response) => problem(&response, config, repo),
        HubError::Timeout(limit) => format!(
            "the upload stalled for {} s; check the network and run the same command again, which continues it",
            limit.as_secs_f64()
        ),
        HubError::Network(cause) => format!(
            "cannot be uploaded to {endpoint} ({cause}); check the network and HF_ENDPOINT, and run the same command \
             again, which continues the upload"
        ),
        HubError::Truncated { .. } => {
            "the connection broke; run the same command again, which continues the upload".into()
        }
        HubError::TooLarge { limit } => {
            format!("the response is larger than {}; check HF_ENDPOINT", bytes(limit))
        }
        HubError::DigestMismatch { .. } | HubError::NoSpace { .. } => {
            "the content does not match its digest; run the same command again".into()
        }
    };
    let repo = file.map_or(repo.id.clone(), |file| format!("{}/{file}", repo.id));
    Error::Hub { repo, problem: config.redacted(problem) }
}

/// The message about a response that is not a success, without the name of the repository.
fn problem(response: &ErrorResponse, config: &HubConfig, repo: &Repo) -> String {
    let (endpoint, page) = (&config.endpoint, repo.page(config));
    let message =
        response.message.as_deref().map_or(String::new(), |text| format!(" ({})", first_line(text)));
    match response.status {
        401 => format!(
            "the hub rejects the token{message}; set HF_TOKEN to a valid one with write access from \
             {endpoint}/settings/tokens"
        ),
        403 => format!(
            "the token has no write access to the repository{message}; check the owner in the name, or set HF_TOKEN to a \
             token with write access from {endpoint}/settings/tokens"
        ),
        404 => format!(
            "{endpoint} has no such repository, branch or upload service{message}; check the name and HF_ENDPOINT"
        ),
        409 | 412 => format!(
            "another change of the repository is in progress{message}; run the same command again, or see {page}"
        ),
        413 => format!("the hub rejects the upload as too large{message}"),
        429 => format!(
            "the hub limits the rate of requests; run the same command again {}",
            response.retry_after.map_or("later".to_string(), |wait| format!("in {wait} s"))
        ),
        500.. => format!(
            "the hub reports an internal error (HTTP {}){message}; run the same command again later",
            response.status
        ),
        status => format!("the hub rejects the upload (HTTP {status}){message}"),
    }
}
