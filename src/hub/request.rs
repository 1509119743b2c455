//! What downloads and uploads share: requests that end with a response, a timeout or a cancellation, and retries.

use super::config::HubConfig;
use super::error::{ErrorResponse, HubError};
use crate::error::{Error, Result};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, Url};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The interval between two checks for cancellation.
const CANCEL_INTERVAL: Duration = Duration::from_millis(25);
/// The delay before the first retry. It doubles with each retry.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// The longest delay that the hub may ask for.
const MAX_RETRY_AFTER: u64 = 30;
/// The minimum interval between two reports of progress.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// A connection that transfers this many bytes before it breaks resets the number of retries.
const RETRY_RESET_BYTES: u64 = 1 << 20;

/// The maximum size of a listing and of a file that describes a model: several times that of the largest tokenizers.
pub(super) const MAX_SMALL_BYTES: u64 = 128 << 20;

/// Decides whether a request is repeated, with increasing delays.
struct Retries {
    max: usize,
    count: usize,
    /// Bytes that were transferred when the count was reset last.
    progress: u64,
}

impl Retries {
    /// At most `max` retries in a row.
    fn new(max: usize) -> Self {
        Retries { max, count: 0, progress: 0 }
    }

    /// The delay before the next retry after a temporary error.
    ///
    /// # Errors
    /// `error`, if there were enough retries.
    fn next_delay(&mut self, error: HubError) -> Result<Duration, HubError> {
        if let HubError::Truncated { received, .. } = error
            && received >= self.progress + RETRY_RESET_BYTES
        {
            (self.count, self.progress) = (0, received);
        }
        let wanted = match &error {
            HubError::Response(response) => response.retry_after.unwrap_or(0),
            _ => 0,
        };
        if self.count >= self.max || wanted > MAX_RETRY_AFTER {
            return Err(error);
        }
        let delay = RETRY_DELAY * 2u32.pow(self.count.min(6) as u32);
        self.count += 1;
        Ok(delay.max(Duration::from_secs(wanted)))
    }
}

/// Runs `request` on `work`, and repeats it with increasing delays after temporary errors. `on_retry` is called before
/// each repetition.
pub(super) async fn with_retries<W, T>(
    work: &mut W,
    (config, cancelled): (&HubConfig, &AtomicBool),
    mut request: impl AsyncFnMut(&mut W) -> Result<T, HubError>,
    mut on_retry: impl FnMut(&mut W),
) -> Result<T, HubError> {
    let mut retries = Retries::new(config.max_retries);
    loop {
        match request(work).await {
            Err(error) if error.is_retryable() => {
                let delay = retries.next_delay(error)?;
                on_retry(work);
                with_timeout(cancelled, Duration::MAX, tokio::time::sleep(delay)).await?;
            }
            other => return other,
        }
    }
}

/// Adds the token to a request.
pub(super) fn authorized(config: &HubConfig, request: RequestBuilder) -> RequestBuilder {
    match &config.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// Whether a URL is on the host of the hub.
pub(super) fn is_hub(config: &HubConfig, url: &Url) -> bool {
    Url::parse(&config.endpoint).is_ok_and(|endpoint| endpoint.origin() == url.origin())
}

/// The URL with that path on the hub.
pub(super) fn hub_url<'p>(config: &HubConfig, path: impl Iterator<Item = &'p str>) -> Result<Url, HubError> {
    let invalid = || HubError::Network(format!("HF_ENDPOINT {} is not a URL", config.endpoint));
    let mut url = Url::parse(&config.endpoint).map_err(|_| invalid())?;
    url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(path);
    Ok(url)
}

/// The body of a response that is small.
pub(super) async fn small_body(mut response: Response) -> Result<Vec<u8>, HubError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (body.len() + chunk.len()) as u64 > MAX_SMALL_BYTES {
            return Err(HubError::TooLarge { limit: MAX_SMALL_BYTES });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Runs a future to completion on this thread. Does not wait for background work such as a name lookup.
pub(super) fn block_on<T>(work: impl AsyncFnOnce() -> T) -> Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| Error::Hub {
            repo: "network".to_string(),
            problem: format!("the async runtime cannot be started: {e}"),
        })?;
    let output = runtime.block_on(work());
    runtime.shutdown_background();
    Ok(output)
}

/// Sends one request to the endpoint. Any response but a server error is a success.
pub(super) fn ping(config: &HubConfig) -> Result<(), String> {
    let result = block_on(async || {
        let client = client().redirect(reqwest::redirect::Policy::none()).build()?;
        let not_cancelled = AtomicBool::new(false);
        let response =
            with_timeout(&not_cancelled, config.request_timeout, client.head(&config.endpoint).send())
                .await??;
        if response.status().is_server_error() {
            Err(HubError::Response(error_response(&response)))
        } else {
            Ok(())
        }
    });
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.cause()),
        Err(error) => Err(error.to_string()),
    }
}

/// Awaits `work` until the timeout `limit` or a cancellation.
pub(super) async fn with_timeout<T>(
    cancelled: &AtomicBool,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, HubError> {
    let cancel = async {
        while !cancelled.load(Ordering::Relaxed) {
            tokio::time::sleep(CANCEL_INTERVAL).await;
        }
    };
    tokio::select! {
        biased;
        () = cancel => Err(HubError::Cancelled),
        output = tokio::time::timeout(limit, work) => output.map_err(|_| HubError::Timeout(limit)),
    }
}

/// A client with the user agent of this program.
pub(super) fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().user_agent(concat!("glue-tui/", env!("CARGO_PKG_VERSION")))
}

/// The value of a header as text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_string)
}

pub(super) fn error_response(response: &Response) -> ErrorResponse {
    ErrorResponse {
        status: response.status().as_u16(),
        code: header(response.headers(), "x-error-code"),
        message: header(response.headers(), "x-error-message"),
        retry_after: header(response.headers(), "retry-after").and_then(|wait| wait.parse().ok()),
    }
}
