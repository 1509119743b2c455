//! The routes of uploads: creation of repositories and branches, preupload, the batch protocol of Git LFS with signed
//! addresses on the "CDN", and commits.

use super::{Mock, Request, Response, State, git_digest, hex, sha256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;

/// The minimum size of a file that is uploaded by Git LFS.
const LARGE: u64 = 1000;
/// What the hub expects as authorization.
const TOKEN: &str = "Bearer hf_KlW9xQ";

/// What was uploaded.
#[derive(Default)]
pub(super) struct Uploads {
    /// Large files by their SHA-256.
    objects: BTreeMap<String, Vec<u8>>,
    /// Parts of large files, by SHA-256 and number.
    parts: BTreeMap<(String, u64), Vec<u8>>,
    /// Size of the parts in which large files are uploaded.
    chunk_size: Option<u64>,
    /// Created repositories with whether they are private.
    created: BTreeMap<String, bool>,
    commits: usize,
}

impl Mock {
    /// From now on large files are uploaded in parts of that size.
    pub(crate) fn upload_in_parts(&self, chunk_size: u64) {
        self.state.lock().unwrap().uploads.chunk_size = Some(chunk_size);
    }

    /// The files of a branch, `models/owner/name@main`.
    pub(crate) fn files(&self, branch: &str) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().unwrap().repos.get(branch).map(|(_, files)| files.clone()).unwrap_or_default()
    }

    /// Whether a repository was created as private; `None` if it was not created.
    pub(crate) fn is_private(&self, id: &str) -> Option<bool> {
        self.state.lock().unwrap().uploads.created.get(id).copied()
    }

    /// The number of commits.
    pub(crate) fn commits(&self) -> usize {
        self.state.lock().unwrap().uploads.commits
    }
}

fn respond(status: u16, body: &Value) -> Response {
    let headers = vec![("Content-Type", "application/json".to_string())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

/// The response to a request of an upload; `None` for any other.
pub(super) fn route(state: &mut State, request: &Request) -> Option<Response> {
    if !matches!(request.method.as_str(), "POST" | "PUT") {
        return None;
    }
    let path = request.path.split('?').next()?.trim_start_matches('/').to_string();
    let has_token = request.headers.get("authorization").is_some_and(|token| token == TOKEN);
    if let Some(object) = path.strip_prefix("upload/") {
        // A signed address needs no token, and must not get it.
        let got_token = request.headers.contains_key("authorization");
        return Some(if got_token { respond(400, &json!({})) } else { put_object(state, object, request) });
    }
    if !has_token {
        return Some(respond(401, &json!({})));
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    if path == "api/repos/create" {
        return Some(create(state, &body));
    }
    if let Some(repo) = path.strip_suffix(".git/info/lfs/objects/batch") {
        assert!(state.uploads.created.contains_key(repo), "{repo} does not exist");
        return Some(batch(state, &body));
    }
    if let Some(oid) = path.strip_prefix("lfs/complete/") {
        return Some(complete(state, oid, &body));
    }
    if let Some(oid) = path.strip_prefix("lfs/verify/") {
        let found = state.uploads.objects.get(oid).is_some_and(|bytes| body["size"] == bytes.len());
        return Some(respond(if found { 200 } else { 404 }, &json!({})));
    }
    let parts: Vec<&str> = path.strip_prefix("api/models/")?.splitn(4, '/').collect();
    let [owner, name, what, revision] = parts[..] else { return None };
    let branch = format!("models/{owner}/{name}@{revision}");
    Some(match what {
        "branch" => {
            let exists = state.repos.contains_key(&branch);
            state.repos.entry(branch).or_default();
            respond(if exists { 409 } else { 200 }, &json!({}))
        }
        _ if !state.repos.contains_key(&branch) => respond(404, &json!({})),
        "preupload" => preupload(state, &branch, &body),
        "commit" => commit(state, &branch, &request.body),
        _ => return None,
    })
}

fn create(state: &mut State, body: &Value) -> Response {
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    assert_eq!(text("type"), "model");
    let id = format!("{}/{}", text("organization"), text("name"));
    if state.uploads.created.contains_key(&id) {
        return respond(409, &json!({ "error": "You already created this model repo" }));
    }
    state.uploads.created.insert(id.clone(), body["private"].as_bool().unwrap());
    state.repos.insert(format!("models/{id}@main"), (hex(&Sha1::digest(&id)), BTreeMap::new()));
    respond(200, &json!({ "url": format!("{}/{id}", state.endpoint) }))
}

fn preupload(state: &State, branch: &str, body: &Value) -> Response {
    let present = &state.repos[branch].1;
    let answer = |file: &Value| {
        let (path, size) = (file["path"].as_str().unwrap(), file["size"].as_u64().unwrap());
        let sample = BASE64_STANDARD.decode(file["sample"].as_str().unwrap()).unwrap();
        assert_eq!(sample.len() as u64, size.min(512), "{path}");
        let is_large = size >= LARGE;
        let digest = |bytes: &Vec<u8>| if is_large { sha256(bytes) } else { git_digest(bytes) };
        json!({
            "path": path,
            "uploadMode": if is_large { "lfs" } else { "regular" },
            "shouldIgnore": path.ends_with(".ignored"),
            "oid": present.get(path).map(digest),
        })
    };
    let files: Vec<Value> = body["files"].as_array().unwrap().iter().map(answer).collect();
    respond(200, &json!({ "files": files }))
}

fn batch(state: &State, body: &Value) -> Response {
    assert_eq!((&body["operation"], &body["hash_algo"]), (&json!("upload"), &json!("sha256")));
    let object = |object: &Value| {
        let (oid, size) = (object["oid"].as_str().unwrap(), object["size"].as_u64().unwrap());
        if state.uploads.objects.contains_key(oid) {
            return json!({ "oid": oid, "size": size });
        }
        let address = format!("{}/upload/{oid}", state.cdn);
        let verify = json!({ "href": format!("{}/lfs/verify/{oid}", state.endpoint) });
        let upload = match state.uploads.chunk_size {
            None => json!({ "href": format!("{address}?signature=x") }),
            Some(chunk) => {
                let mut header = json!({ "chunk_size": chunk.to_string() });
                for part in 1..=size.div_ceil(chunk) {
                    header[part.to_string()] = json!(format!("{address}/{part}?signature=x"));
                }
                json!({ "href": format!("{}/lfs/complete/{oid}", state.endpoint), "header": header })
            }
        };
        json!({ "oid": oid, "size": size, "actions": { "upload": upload, "verify": verify } })
    };
    let objects: Vec<Value> = body["objects"].as_array().unwrap().iter().map(object).collect();
    respond(200, &json!({ "objects": objects, "transfer": "basic" }))
}

fn put_object(state: &mut State, object: &str, request: &Request) -> Response {
    assert!(!request.headers.contains_key("transfer-encoding"), "signed addresses need a length");
    let body = request.body.clone();
    let etag = format!("\"{}\"", sha256(&body));
    match object.split_once('/') {
        Some((oid, part)) => drop(state.uploads.parts.insert((oid.into(), part.parse().unwrap()), body)),
        None if sha256(&body) == object => drop(state.uploads.objects.insert(object.into(), body)),
        None => return respond(400, &json!({})),
    }
    Response { status: 200, headers: vec![("ETag", etag)], body: vec![] }
}

fn complete(state: &mut State, oid: &str, body: &Value) -> Response {
    let mut bytes = Vec::new();
    for part in body["parts"].as_array().unwrap() {
        let number = part["partNumber"].as_u64().unwrap();
        let Some(content) = state.uploads.parts.get(&(oid.to_string(), number)) else {
            return respond(400, &json!({}));
        };
        assert_eq!(part["etag"], format!("\"{}\"", sha256(content)));
        bytes.extend(content);
    }
    if sha256(&bytes) != oid {
        return respond(400, &json!({}));
    }
    state.uploads.objects.insert(oid.into(), bytes);
    respond(200, &json!({}))
}

fn commit(state: &mut State, branch: &str, body: &[u8]) -> Response {
    let lines: Vec<Value> =
        body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines[0]["key"], "header");
    assert!(!lines[0]["value"]["summary"].as_str().unwrap().is_empty());
    let mut files = state.repos[branch].1.clone();
    for line in &lines[1..] {
        let value = &line["value"];
        let path = value["path"].as_str().unwrap().to_string();
        let content = match line["key"].as_str().unwrap() {
            "file" => BASE64_STANDARD.decode(value["content"].as_str().unwrap()).unwrap(),
            "lfsFile" => match state.uploads.objects.get(value["oid"].as_str().unwrap()) {
                Some(content) => content.clone(),
                None => return respond(400, &json!({})),
            },
            other => panic!("{other}"),
        };
        files.insert(path, content);
    }
    state.uploads.commits += 1;
    let commit = hex(&Sha1::digest(body));
    state.repos.insert(branch.into(), (commit.clone(), files));
    respond(200, &json!({ "success": true, "commitOid": commit, "commitUrl": state.endpoint }))
}
