//! A mock hub on localhost: revisions, small files behind a relative redirect, large files behind a redirect to a
//! "CDN" on another port, and the faults of real hubs and networks.
//!
//! It uses plain sockets, because a server library does not produce these faults: truncated bodies with and without an
//! announced length, and stalls.

mod uploads;

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The minimum size of a large file. Large files are on the CDN under their SHA-256.
const LARGE: usize = 1000;

/// A fault of the server or the network.
#[derive(Clone)]
pub(crate) enum Fault {
    /// A response with that status and error code, and an error page as its body.
    Status(u16, &'static str),
    /// A body truncated to `keep` bytes, with or without an announced length.
    Truncate { keep: usize, has_length: bool },
    /// The headers and `keep` bytes, then nothing.
    Stall { keep: usize },
    /// No response.
    NoResponse,
    /// The connection is closed without a response.
    Close,
    /// Wrong content of the right length.
    Corrupt,
    /// The whole file instead of the requested range.
    IgnoreRange,
    /// No size in any header.
    NoLength,
    /// A body without an announced length that never ends.
    Endless,
    /// A response with that status and a message of the hub.
    Message(u16, String),
    /// The connection is closed after `keep` bytes of the body of the request.
    CutUpload { keep: usize },
    /// No more than `keep` bytes of the body of the request are read.
    StallUpload { keep: usize },
    /// What the request asks for is done, and the connection is closed without a response.
    LoseResponse,
}

/// A fault for the next `times` requests of `method` whose path contains `path`.
struct Rule {
    method: &'static str,
    path: String,
    times: usize,
    fault: Fault,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// What was received of the body.
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// `models/owner/name` or `datasets/owner/name`, with `@revision`: commit and files.
    repos: BTreeMap<String, (String, BTreeMap<String, Vec<u8>>)>,
    /// Old id to new id.
    renamed: BTreeMap<String, String>,
    rules: Vec<Rule>,
    log: Vec<Request>,
    cdn: String,
    endpoint: String,
    uploads: uploads::Uploads,
}

/// A running hub. It runs until the test process ends.
pub(crate) struct Mock {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Mock {
    pub(crate) fn start() -> Mock {
        let state = Arc::new(Mutex::new(State::default()));
        let endpoint = serve(&state);
        let cdn = serve(&state);
        {
            let mut state = state.lock().unwrap();
            (state.cdn, state.endpoint) = (cdn, endpoint.clone());
        }
        Mock { endpoint, state }
    }

    /// Adds a repository: `models/owner/name@main`. Its commit is derived from its name. Returns the commit.
    pub(crate) fn add(&self, name: &str, files: &[(&str, Vec<u8>)]) -> String {
        let commit = hex(&Sha1::digest(name.as_bytes()));
        let files = files.iter().map(|(name, bytes)| ((*name).to_string(), bytes.clone())).collect();
        self.state.lock().unwrap().repos.insert(name.to_string(), (commit.clone(), files));
        commit
    }

    pub(crate) fn rename(&self, old: &str, new: &str) {
        self.state.lock().unwrap().renamed.insert(old.to_string(), new.to_string());
    }

    pub(crate) fn fault(&self, method: &'static str, path: &str, times: usize, fault: Fault) {
        let rule = Rule { method, path: path.to_string(), times, fault };
        self.state.lock().unwrap().rules.push(rule);
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// The requests since the previous call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

/// Git's hash of a blob.
pub(crate) fn git_digest(bytes: &[u8]) -> String {
    hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Listens on a free port and handles each connection on its own thread.
fn serve(state: &Arc<Mutex<State>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&state);
            std::thread::spawn(move || {
                // A client may disconnect at any time.
                let _ = handle(stream, &state);
            });
        }
    });
    endpoint
}

/// A response before any fault.
struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn handle(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(mut request) = read_request(&mut stream)? else { return Ok(()) };
    let fault = {
        let mut state = state.lock().unwrap();
        state
            .rules
            .iter_mut()
            .find(|rule| rule.times > 0 && rule.method == request.method && request.path.contains(&rule.path))
            .map(|rule| {
                rule.times -= 1;
                rule.fault.clone()
            })
    };
    let announced = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let length = match fault {
        Some(Fault::CutUpload { keep } | Fault::StallUpload { keep }) => keep.min(announced),
        _ => announced,
    };
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    let response = {
        let mut state = state.lock().unwrap();
        state.log.push(request.clone());
        match fault {
            Some(Fault::CutUpload { .. }) => return Ok(()),
            Some(Fault::Status(..) | Fault::Message(..) | Fault::Close | Fault::NoResponse) => {
                route(&state, &request, false)
            }
            Some(Fault::StallUpload { .. }) => Response { status: 200, headers: vec![], body: vec![] },
            _ => uploads::route(&mut state, &request)
                .unwrap_or_else(|| route(&state, &request, matches!(fault, Some(Fault::IgnoreRange)))),
        }
    };
    let mut head = vec![];
    let mut keep = response.body.len();
    let mut has_length = true;
    let mut body = response.body;
    let (mut status, mut headers) = (response.status, response.headers);
    let is_endless = matches!(fault, Some(Fault::Endless));
    let is_stalled = matches!(fault, Some(Fault::Stall { .. }));
    match fault {
        Some(Fault::Status(code, error_code)) => {
            status = code;
            headers = vec![("X-Error-Code", error_code.to_string())];
            body = b"<html>this is an error page</html>".to_vec();
            keep = body.len();
        }
        Some(Fault::Truncate { keep: bytes, has_length: announced }) => {
            (keep, has_length) = (bytes, announced);
        }
        Some(Fault::Stall { keep: bytes }) => keep = bytes,
        Some(Fault::Close | Fault::LoseResponse | Fault::CutUpload { .. }) => return Ok(()),
        Some(Fault::NoResponse | Fault::StallUpload { .. }) => {
            std::thread::sleep(Duration::from_secs(30));
            return Ok(());
        }
        Some(Fault::Message(code, text)) => {
            status = code;
            headers = vec![("X-Error-Message", text)];
            (body, keep) = (Vec::new(), 0);
        }
        Some(Fault::Corrupt) => body.iter_mut().for_each(|byte| *byte ^= 0x55),
        Some(Fault::NoLength) => {
            has_length = false;
            headers.retain(|(name, _)| *name != "X-Linked-Size");
        }
        Some(Fault::Endless) => has_length = false,
        Some(Fault::IgnoreRange) | None => {}
    }
    write!(head, "HTTP/1.1 {status} Reason\r\nConnection: close\r\n")?;
    if has_length {
        write!(head, "Content-Length: {}\r\n", body.len())?;
    }
    for (name, value) in &headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    head.extend(b"\r\n");
    stream.write_all(&head)?;
    if request.method != "HEAD" {
        stream.write_all(&body[..keep.min(body.len())])?;
    }
    stream.flush()?;
    if is_endless {
        // Until the client disconnects.
        std::io::copy(&mut std::io::repeat(b'x'), &mut stream)?;
    }
    if is_stalled {
        std::thread::sleep(Duration::from_secs(30));
    }
    Ok(())
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        text.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().to_string();
    let path = first.next().unwrap_or_default().replace("%2F", "/");
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_string()))
        .collect();
    Ok(Some(Request { method, path, headers, body: Vec::new() }))
}

fn route(state: &State, request: &Request, ignore_range: bool) -> Response {
    let not_found = |code: &str| Response {
        status: 404,
        headers: vec![("X-Error-Code", code.to_string())],
        body: b"not found".to_vec(),
    };
    let path = request.path.split('?').next().unwrap_or_default();
    for (old, new) in &state.renamed {
        if path.contains(old.as_str()) {
            return Response {
                status: 307,
                headers: vec![("Location", path.replace(old.as_str(), new))],
                body: vec![],
            };
        }
    }
    if let Some(digest) = path.strip_prefix("/cdn/") {
        let found = state.repos.values().flat_map(|(_, files)| files.values()).find(|b| sha256(b) == digest);
        return found
            .map_or_else(|| not_found("EntryNotFound"), |bytes| send(bytes, request, ignore_range, vec![]));
    }
    if let Some((repo, rest)) =
        path.strip_prefix("/api/resolve-cache/").and_then(|rest| split_commit(state, rest))
    {
        let Some(bytes) = repo.1.get(rest) else { return not_found("EntryNotFound") };
        let headers = vec![("ETag", format!("\"{}\"", git_digest(bytes))), ("X-Repo-Commit", repo.0.clone())];
        return send(bytes, request, ignore_range, headers);
    }
    if let Some((repo, revision)) = path.strip_prefix("/api/").and_then(|rest| rest.split_once("/revision/"))
    {
        let Some((commit, files)) = state.repos.get(&format!("{repo}@{revision}")) else {
            let known = state.repos.keys().any(|key| key.starts_with(&format!("{repo}@")));
            return not_found(if known { "RevisionNotFound" } else { "RepoNotFound" });
        };
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        let body = serde_json::json!({"id": repo, "sha": commit, "siblings": siblings}).to_string();
        return Response {
            status: 200,
            headers: vec![("Content-Type", "application/json".to_string())],
            body: body.into_bytes(),
        };
    }
    let path = path.trim_start_matches('/');
    let path = if path.starts_with("datasets/") { path.to_string() } else { format!("models/{path}") };
    let Some((repo, rest)) = path.split_once("/resolve/") else {
        return Response { status: 200, headers: vec![], body: b"the hub".to_vec() };
    };
    let inner = format!("{repo}/{rest}");
    let Some((found, name)) = split_commit(state, &inner) else { return not_found("RepoNotFound") };
    let Some(bytes) = found.1.get(name) else { return not_found("EntryNotFound") };
    if bytes.len() < LARGE {
        let location = format!("/api/resolve-cache/{inner}?etag=x");
        return Response { status: 307, headers: vec![("Location", location)], body: vec![] };
    }
    let headers = vec![
        ("Location", format!("{}/cdn/{}", state.cdn, sha256(bytes))),
        ("X-Linked-ETag", format!("\"{}\"", sha256(bytes))),
        ("X-Linked-Size", bytes.len().to_string()),
        ("X-Repo-Commit", found.0.clone()),
    ];
    Response { status: 302, headers, body: vec![] }
}

type Repo = (String, BTreeMap<String, Vec<u8>>);

/// `models/owner/name/COMMIT/path` as the repository and the path in it.
fn split_commit<'s, 'p>(state: &'s State, path: &'p str) -> Option<(&'s Repo, &'p str)> {
    state.repos.iter().find_map(|(key, repo)| {
        let name = key.split('@').next().unwrap_or_default();
        let rest = path.strip_prefix(name)?.strip_prefix('/')?.strip_prefix(&repo.0)?;
        Some((repo, rest.strip_prefix('/')?))
    })
}

/// A file, or the requested range of it.
fn send(
    bytes: &[u8],
    request: &Request,
    ignore_range: bool,
    mut headers: Vec<(&'static str, String)>,
) -> Response {
    let range = request.headers.get("range").filter(|_| !ignore_range);
    let first =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match first {
        Some(first) if first < bytes.len() => {
            headers.push(("Content-Range", format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len())));
            Response { status: 206, headers, body: bytes[first..].to_vec() }
        }
        Some(_) => Response { status: 416, headers, body: vec![] },
        None => Response { status: 200, headers, body: bytes.to_vec() },
    }
}
