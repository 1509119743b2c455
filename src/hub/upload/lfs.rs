//! The batch protocol of Git LFS: which files the hub needs, and where each is uploaded to.
//! See `docs/api/batch.md` of Git LFS.

use super::local_file::LocalFile;
use crate::hub::error::HubError;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The type of the requests and responses.
pub(super) const CONTENT_TYPE: &str = "application/vnd.git-lfs+json";
/// The entry in the header of an upload that has the size of its parts.
const CHUNK_SIZE: &str = "chunk_size";

/// The response to a batch request.
#[derive(Debug, Deserialize)]
pub(super) struct Batch {
    pub(super) objects: Vec<BatchObject>,
}

/// What the hub says about a file.
#[derive(Debug, Deserialize)]
pub(super) struct BatchObject {
    /// Its SHA-256.
    pub(super) oid: String,
    /// Absent if the hub has the file.
    #[serde(default)]
    pub(super) actions: Option<Actions>,
    #[serde(default)]
    pub(super) error: Option<ObjectError>,
}

/// What is to be done to upload a file.
#[derive(Debug, Deserialize)]
pub(super) struct Actions {
    #[serde(default)]
    pub(super) upload: Option<Action>,
    #[serde(default)]
    pub(super) verify: Option<Action>,
}

/// A request to make.
#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) href: String,
    #[serde(default)]
    header: Option<Map<String, Value>>,
}

/// Why the hub rejects a file.
#[derive(Debug, Deserialize)]
pub(super) struct ObjectError {
    #[serde(default)]
    pub(super) message: String,
}

/// A part of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) url: Url,
    /// Its first byte in the file.
    pub(super) start: u64,
    pub(super) length: u64,
}

impl Action {
    /// The address.
    pub(super) fn url(&self) -> Result<Url, HubError> {
        parse_url(&self.href)
    }

    /// The headers that the request has to have.
    pub(super) fn headers(&self) -> HeaderMap {
        let entries =
            self.header.iter().flatten().filter(|(name, _)| *name != CHUNK_SIZE && !is_number(name));
        let header = |(name, value): (&String, &Value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
        };
        entries.filter_map(header).collect()
    }

    /// The parts in which a file of `size` bytes is uploaded; `None` if it is uploaded in one request.
    ///
    /// # Errors
    /// [`HubError::Network`] if the parts that the hub names are not those of the file.
    pub(super) fn parts(&self, size: u64) -> Result<Option<Vec<Part>>, HubError> {
        let Some(header) = &self.header else { return Ok(None) };
        let Some(chunk_size) = header.get(CHUNK_SIZE) else { return Ok(None) };
        let invalid = || HubError::Network("the hub names other parts than those of the file".into());
        let chunk = match chunk_size {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let chunk = chunk.filter(|chunk| *chunk > 0).ok_or_else(invalid)?;
        let urls: BTreeMap<u64, &str> = header
            .iter()
            .filter_map(|(name, url)| Some((is_number(name).then(|| name.parse().ok())??, url.as_str()?)))
            .collect();
        if urls.len() as u64 != size.div_ceil(chunk) {
            return Err(invalid());
        }
        let starts = (0..).map(|part: u64| part * chunk);
        let part = |(url, start): (&&str, u64)| -> Result<Part, HubError> {
            Ok(Part { url: parse_url(url)?, start, length: chunk.min(size - start) })
        };
        urls.values().zip(starts).map(part).collect::<Result<_, _>>().map(Some)
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_url(text: &str) -> Result<Url, HubError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| HubError::Network("the hub names an address to upload to that is not valid".into()))
}

/// The body of a batch request.
pub(super) fn batch_request(files: &[&LocalFile], revision: &str) -> Value {
    let objects: Vec<Value> =
        files.iter().map(|file| json!({ "oid": file.sha256, "size": file.size })).collect();
    json!({
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": objects,
        "hash_algo": "sha256",
        "ref": { "name": revision },
    })
}

/// The body of the request that completes an upload in parts, given the ETag of each part.
pub(super) fn completion(file: &LocalFile, etags: &[String]) -> Value {
    let parts = etags.iter().zip(1..);
    let parts: Vec<Value> =
        parts.map(|(etag, number)| json!({ "partNumber": number, "etag": etag })).collect();
    json!({ "oid": file.sha256, "parts": parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(header: &Value) -> Action {
        serde_json::from_value(json!({ "href": "https://hub/x", "header": header })).unwrap()
    }

    #[test]
    fn parts_are_in_the_order_of_their_numbers() {
        let url = |number: u32| format!("https://s3/{number}?signature=a");
        let header = json!({ "chunk_size": "4", "2": url(2), "10": url(10), "1": url(1), "00003": url(3) });
        let parts = action(&header).parts(15).unwrap().unwrap();
        let found: Vec<(&str, u64, u64)> =
            parts.iter().map(|part| (part.url.path(), part.start, part.length)).collect();
        assert_eq!(found, [("/1", 0, 4), ("/2", 4, 4), ("/3", 8, 4), ("/10", 12, 3)]);
        assert!(action(&header).headers().is_empty());
        for (header, size) in
            [(header, 17), (json!({ "chunk_size": 0 }), 1), (json!({ "chunk_size": "x" }), 1)]
        {
            assert!(action(&header).parts(size).is_err());
        }
        assert!(action(&json!({ "chunk_size": 4, "1": "file:///etc/passwd" })).parts(4).is_err());
    }

    #[test]
    fn an_upload_in_one_request_has_its_headers() {
        let action = action(&json!({ "x-amz-acl": "private", "bad name": "x" }));
        assert_eq!(action.parts(15).unwrap(), None);
        assert_eq!(action.headers().get("x-amz-acl").unwrap(), "private");
        assert_eq!(action.headers().len(), 1);
        let plain: Action = serde_json::from_value(json!({ "href": "https://hub/x" })).unwrap();
        assert!(plain.parts(1).unwrap().is_none() && plain.headers().is_empty());
    }
}
