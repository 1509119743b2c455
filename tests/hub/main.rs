//! The hub client against a mock hub on localhost with error responses, truncated bodies, stalls and wrong content.

#[path = "../common/mod.rs"]
mod common;
mod datasets;
mod glue;
mod limits;
mod mock;
#[path = "../terminal/pty.rs"]
mod pty;
mod push;
mod push_cancelled;
mod starting;

use glue_tui::catalog::STANDARD_SPLITS;
use glue_tui::error::{Error, Result};
use glue_tui::event::{Progress, SplitName, Unit};
use glue_tui::files::{ModelFolder, Root};
use glue_tui::hub::{Hub, HubConfig, Snapshot};
use mock::{Fault, Mock, Request, git_digest, sha256};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MODEL: &str = "owner/tiny";

/// A mock hub with one small model, and an empty cache.
struct Fixture {
    mock: Mock,
    cache: tempfile::TempDir,
    commit: String,
}

fn weights() -> Vec<u8> {
    (0..100_000u32).map(|i| (i % 251 * (i % 241)) as u8).collect()
}

impl Fixture {
    fn new() -> Fixture {
        let mock = Mock::start();
        let commit = mock.add(
            &format!("models/{MODEL}@main"),
            &[
                ("README.md", b"never downloaded".to_vec()),
                ("config.json", b"{\"model_type\": \"bert\"}".to_vec()),
                ("model.safetensors", weights()),
                ("pytorch_model.bin", b"never downloaded".to_vec()),
                ("vocab.txt", b"[PAD]\n[UNK]\n".to_vec()),
            ],
        );
        Fixture { mock, cache: tempfile::tempdir().unwrap(), commit }
    }

    fn config(&self) -> HubConfig {
        HubConfig {
            endpoint: self.mock.endpoint.clone(),
            cache_dir: self.cache.path().to_path_buf(),
            token: Some("secret".to_string()),
            offline: false,
            read_timeout: Duration::from_millis(300),
            request_timeout: Duration::from_millis(600),
            max_retries: 1,
            reserved_space: 0,
        }
    }

    fn hub(&self) -> Hub {
        Hub::new(self.config())
    }

    fn fetch(&self) -> Result<ModelFolder> {
        fetch(&self.hub(), MODEL)
    }

    /// The error message of a failing fetch.
    fn fetch_error(&self) -> String {
        let e = self.fetch().unwrap_err();
        assert_eq!(e.exit_code(), 3);
        let text = e.to_string();
        assert!(!text.contains('\n') && text.starts_with(MODEL), "{text}");
        text
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.cache.path().join("models--owner--tiny/blobs").join(digest)
    }
}

fn fetch(hub: &Hub, name: &str) -> Result<ModelFolder> {
    hub.model(name, "main", &mut |_| {}, &AtomicBool::new(false))
}

fn split(hub: &Hub, id: &str, config: &str, split: SplitName) -> Result<Snapshot> {
    let split = STANDARD_SPLITS.iter().find(|spec| spec.name == split).unwrap();
    hub.dataset_files(id, config, (split, STANDARD_SPLITS), &mut |_| {}, &AtomicBool::new(false))
}

fn assert_complete(folder: &ModelFolder) {
    assert_eq!(*folder.require("model.safetensors").unwrap(), weights());
    assert_eq!(&*folder.require("config.json").unwrap(), b"{\"model_type\": \"bert\"}");
}

/// The ranges that were requested from the CDN.
fn ranges(requests: &[Request]) -> Vec<&str> {
    let cdn = requests.iter().filter(|request| request.path.starts_with("/cdn"));
    cdn.filter_map(|request| request.headers.get("range").map(String::as_str)).collect()
}

#[test]
fn model_is_downloaded_once() {
    let fixture = Fixture::new();
    assert!(!fixture.hub().is_cached(MODEL));
    let mut seen: Vec<Progress> = Vec::new();
    let folder = fixture.hub().model(MODEL, "main", &mut |p| seen.push(p), &AtomicBool::new(false)).unwrap();
    assert_complete(&folder);
    assert_eq!((folder.name.as_str(), folder.commit.as_ref()), (MODEL, Some(&fixture.commit)));
    assert!(
        folder.read("README.md").unwrap().is_none() && folder.read("pytorch_model.bin").unwrap().is_none()
    );
    let done = |p: &Progress| p.what == "downloading model.safetensors" && p.done == 100_000;
    assert!(seen.iter().any(|p| done(p) && p.total == Some(100_000) && p.unit == Unit::Bytes), "{seen:?}");

    // The cache layout of the Hugging Face libraries.
    let repo = fixture.cache.path().join("models--owner--tiny");
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), fixture.commit);
    assert!(fixture.blob(&sha256(&weights())).is_file());
    assert!(fixture.blob(&git_digest(b"[PAD]\n[UNK]\n")).is_file());
    let link = std::fs::read_link(repo.join("snapshots").join(&fixture.commit).join("vocab.txt")).unwrap();
    assert!(link.starts_with("../../blobs"), "{}", link.display());

    // The token is sent to the hub, but not to the CDN.
    let requests = fixture.mock.requests();
    let (cdn, hub): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.path.starts_with("/cdn"));
    assert!(!cdn.is_empty() && cdn.iter().all(|r| !r.headers.contains_key("authorization")));
    assert!(hub.iter().all(|r| r.headers.get("authorization").is_some_and(|t| t == "Bearer secret")));

    assert_complete(&fixture.fetch().unwrap());
    let offline = Hub::new(HubConfig { offline: true, ..fixture.config() });
    assert_complete(&fetch(&offline, MODEL).unwrap());
    let at_commit = offline.model(MODEL, &fixture.commit, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(at_commit.commit.as_ref(), Some(&fixture.commit));
    assert!(offline.is_cached(MODEL));
    assert!(fixture.mock.requests().is_empty(), "every file is in the cache");
}

#[test]
fn sharded_weights_follow_their_index() {
    let fixture = Fixture::new();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    fixture.mock.add(
        "models/someone/big@main",
        &[
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"{}".to_vec()),
            ("model.safetensors.index.json", index.to_vec()),
            ("model-1.safetensors", vec![1; 5000]),
            ("model-2.safetensors", vec![2; 5000]),
            ("model-3.safetensors", vec![3; 5000]),
        ],
    );
    let folder = fetch(&fixture.hub(), "someone/big").unwrap();
    assert_eq!(*folder.require("model-2.safetensors").unwrap(), [2; 5000]);
    assert!(folder.read("model-3.safetensors").unwrap().is_none());
    fixture.mock.requests();
    fetch(&fixture.hub(), "someone/big").unwrap();
    assert!(fixture.mock.requests().is_empty());
}

#[test]
fn renamed_model_is_found_under_its_old_name() {
    let fixture = Fixture::new();
    fixture.mock.rename("bert-old-name", MODEL);
    assert_complete(&fetch(&fixture.hub(), "bert-old-name").unwrap());
    assert!(fixture.cache.path().join("models--bert-old-name").is_dir());
}

#[test]
fn error_responses_have_a_hint() {
    let fixture = Fixture::new();
    let cases: [(u16, &str, &str); 7] = [
        (401, "RepoNotFound", "has no such model"),
        (401, "GatedRepo", "access is restricted"),
        (401, "", "rejects the token"),
        (403, "", "access is restricted"),
        (404, "RevisionNotFound", "no such revision"),
        (429, "", "limits the rate of requests"),
        (500, "", "HTTP 500"),
    ];
    for (status, code, expected) in cases {
        for (method, path) in [("GET", "/api/models"), ("HEAD", "model.safetensors"), ("GET", "/cdn/")] {
            fixture.mock.fault(method, path, 9, Fault::Status(status, code));
            let e = fixture.fetch_error();
            assert!(e.contains(expected), "{status} {code} on {method} {path}: {e}");
            assert!(!fixture.blob(&sha256(&weights())).exists(), "an error page is not stored as the file");
            fixture.mock.clear_faults();
        }
    }
    let unknown = fetch(&fixture.hub(), "no/such").unwrap_err().to_string();
    assert!(unknown.starts_with("no/such: ") && unknown.contains("has no such model"), "{unknown}");
    let anonymous = Hub::new(HubConfig { token: None, ..fixture.config() });
    fixture.mock.fault("GET", "/api/models", 9, Fault::Status(401, ""));
    // hf-hub may find a token of the user, which does not change the message.
    let e = fetch(&anonymous, MODEL).unwrap_err().to_string();
    assert!(e.contains("requires a login") && e.contains("HF_TOKEN"), "{e}");
    fixture.mock.clear_faults();
    let revision = fixture.hub().model(MODEL, "v9", &mut |_| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(revision.to_string().contains("no such revision"), "{revision}");
    assert_complete(&fixture.fetch().unwrap());
}

#[test]
fn model_without_weights_is_rejected_before_any_download() {
    let fixture = Fixture::new();
    fixture
        .mock
        .add("models/someone/flax@main", &[("config.json", b"{}".to_vec()), ("vocab.txt", b"a".to_vec())]);
    let e = fetch(&fixture.hub(), "someone/flax").unwrap_err().to_string();
    assert!(e.starts_with("someone/flax: has no weights in model.safetensors or pytorch_model.bin"), "{e}");
    assert!(fixture.mock.requests().iter().all(|request| request.path.starts_with("/api/")));
}

#[test]
fn temporary_errors_are_retried() {
    for fault in [Fault::Status(503, ""), Fault::Close, Fault::NoResponse] {
        let fixture = Fixture::new();
        fixture.mock.fault("HEAD", "model.safetensors", 1, fault.clone());
        fixture.mock.fault("GET", "/cdn/", 1, fault);
        assert_complete(&fixture.fetch().unwrap());
    }
    let fixture = Fixture::new();
    fixture.mock.fault("GET", "/api/models", 1, Fault::Status(503, ""));
    assert_complete(&fixture.fetch().unwrap());
}

#[test]
fn truncated_body_is_resumed() {
    for has_length in [true, false] {
        let fixture = Fixture::new();
        fixture.mock.fault("GET", "/cdn/", 1, Fault::Truncate { keep: 40_000, has_length });
        assert_complete(&fixture.fetch().unwrap());
        assert_eq!(ranges(&fixture.mock.requests()), ["bytes=40000-"]);
    }
}

#[test]
fn partial_download_is_resumed_by_the_next_call() {
    let fixture = Fixture::new();
    fixture.mock.fault("GET", "/cdn/", 9, Fault::Truncate { keep: 10_000, has_length: true });
    let e = fixture.fetch_error();
    assert!(e.contains("broke after 20000 of 100000 bytes"), "{e}");
    fixture.mock.clear_faults();
    fixture.mock.requests();
    assert_complete(&fixture.fetch().unwrap());
    assert_eq!(ranges(&fixture.mock.requests()), ["bytes=20000-"]);
}

#[test]
fn server_without_range_support_restarts_the_download() {
    let fixture = Fixture::new();
    fixture.mock.fault("GET", "/cdn/", 1, Fault::Truncate { keep: 40_000, has_length: true });
    fixture.mock.fault("GET", "/cdn/", 1, Fault::IgnoreRange);
    assert_complete(&fixture.fetch().unwrap());
}

#[test]
fn stalled_requests_time_out() {
    for (method, path, fault) in [
        ("GET", "/api/models", Fault::NoResponse),
        ("HEAD", "config.json", Fault::NoResponse),
        ("GET", "/cdn/", Fault::Stall { keep: 30_000 }),
    ] {
        let fixture = Fixture::new();
        fixture.mock.fault(method, path, 9, fault);
        let start = Instant::now();
        let e = fixture.fetch_error();
        assert!(e.contains("no data received for"), "{e}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[test]
fn corrupt_content_does_not_enter_the_cache() {
    let fixture = Fixture::new();
    fixture.mock.fault("GET", "/cdn/", 1, Fault::Corrupt);
    assert_complete(&fixture.fetch().unwrap());

    let fixture = Fixture::new();
    fixture.mock.fault("GET", "/cdn/", 9, Fault::Corrupt);
    let e = fixture.fetch_error();
    assert!(e.contains("does not match the digest") && e.contains("/resolve/"), "{e}");
    let blobs = fixture.cache.path().join("models--owner--tiny/blobs");
    let left: Vec<_> = std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(&sha256(&weights()))), "{left:?}");
}

#[test]
fn error_page_in_the_cache_is_replaced() {
    let fixture = Fixture::new();
    fixture.fetch().unwrap();
    let blob = fixture.blob(&sha256(&weights()));
    std::fs::write(&blob, "<html>503</html>").unwrap();
    assert_complete(&fixture.fetch().unwrap());
    assert_eq!(std::fs::read(&blob).unwrap(), weights());
    std::fs::write(&blob, "<html>503</html>").unwrap();
    let offline = Hub::new(HubConfig { offline: true, ..fixture.config() });
    let e = fetch(&offline, MODEL).unwrap_err().to_string();
    assert!(e.contains("a complete copy of model.safetensors is not in"), "{e}");
}

#[test]
fn cache_of_another_tool_is_used() {
    let fixture = Fixture::new();
    fixture.fetch().unwrap();
    std::fs::remove_dir_all(fixture.cache.path().join("models--owner--tiny/.glue-tui")).unwrap();
    let config = fixture.cache.path().join("models--owner--tiny/snapshots").join(&fixture.commit);
    std::fs::write(config.join("tokenizer_config.json"), "{}").unwrap();
    fixture.mock.requests();
    assert_complete(&fixture.fetch().unwrap());
    assert!(fixture.mock.requests().is_empty());
}

#[test]
fn offline_hub_names_the_missing_file() {
    let fixture = Fixture::new();
    let offline = Hub::new(HubConfig { offline: true, ..fixture.config() });
    let e = fetch(&offline, MODEL).unwrap_err();
    assert!(matches!(e, Error::Hub { .. }));
    let e = e.to_string();
    assert!(e.contains("HF_HUB_OFFLINE") && e.contains("hf download owner/tiny"), "{e}");
    let e = split(&offline, "a/b", "c", SplitName::Train).unwrap_err().to_string();
    assert!(e.contains("hf download --repo-type dataset a/b"), "{e}");
    fixture.fetch().unwrap();
    std::fs::remove_file(fixture.blob(&git_digest(b"[PAD]\n[UNK]\n"))).unwrap();
    fixture.mock.requests();
    let e = fetch(&offline, MODEL).unwrap_err().to_string();
    assert!(e.contains("vocab.txt is not in"), "{e}");
    assert_eq!(offline.check_reachable().unwrap_err(), "HF_HUB_OFFLINE is set");
    assert!(fixture.mock.requests().is_empty());
}

#[test]
fn unreachable_endpoint_is_reported() {
    let fixture = Fixture::new();
    assert_eq!(fixture.hub().check_reachable(), Ok(()));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub::new(HubConfig { endpoint: format!("http://{closed}"), ..fixture.config() });
    let e = fetch(&hub, MODEL).unwrap_err().to_string();
    assert!(e.contains("refused") && e.contains("HF_ENDPOINT") && e.contains("local folder"), "{e}");
    assert!(hub.check_reachable().unwrap_err().contains("refused"));
    let invalid = Hub::new(HubConfig { endpoint: "no url".to_string(), ..fixture.config() });
    assert_eq!(fetch(&invalid, MODEL).unwrap_err().exit_code(), 3);
}

/// Sets `cancelled` after a delay. Returns how long `work` continued after that.
fn time_to_cancel(work: impl FnOnce(&AtomicBool) -> Result<ModelFolder>) -> Duration {
    let cancelled = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&cancelled);
    let delay = Duration::from_millis(300);
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        setter.store(true, Ordering::Relaxed);
    });
    let start = Instant::now();
    let e = work(&cancelled).unwrap_err();
    assert_eq!(e.exit_code(), 130, "{e}");
    start.elapsed().saturating_sub(delay)
}

#[test]
fn cancellation_takes_effect_in_every_phase() {
    for (method, path, fault) in [
        ("GET", "/api/models", Fault::NoResponse),
        ("HEAD", "config.json", Fault::NoResponse),
        ("GET", "/cdn/", Fault::Stall { keep: 30_000 }),
    ] {
        let fixture = Fixture::new();
        fixture.mock.fault(method, path, 9, fault);
        let minute = Duration::from_mins(1);
        let hub = Hub::new(HubConfig { read_timeout: minute, request_timeout: minute, ..fixture.config() });
        let delay = time_to_cancel(|cancelled| hub.model(MODEL, "main", &mut |_| {}, cancelled));
        assert!(delay < Duration::from_millis(700), "{method} {path}: {delay:?}");
        fixture.mock.clear_faults();
        assert_complete(&fixture.fetch().unwrap());
    }
}

#[test]
fn one_process_downloads_at_a_time() {
    let fixture = Fixture::new();
    let locks = fixture.cache.path().join(".locks");
    std::fs::create_dir_all(&locks).unwrap();
    let other = std::fs::File::create(locks.join("glue-tui.lock")).unwrap();
    other.lock().unwrap();
    let delay = time_to_cancel(|cancelled| fixture.hub().model(MODEL, "main", &mut |_| {}, cancelled));
    assert!(delay < Duration::from_millis(700), "{delay:?}");
    assert!(fixture.mock.requests().is_empty(), "no request while another process downloads");

    let released = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(other);
    });
    let mut reports = Vec::new();
    let folder = fixture.hub().model(MODEL, "main", &mut |p| reports.push(p.what), &AtomicBool::new(false));
    assert_complete(&folder.unwrap());
    assert_eq!(reports[0], "waiting for the download of another glue-tui");
    released.join().unwrap();
}

#[test]
fn base_model_of_an_adapter_is_downloaded() {
    let fixture = Fixture::new();
    let adapter = tempfile::tempdir().unwrap();
    let config = format!("{{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"{MODEL}\"}}");
    std::fs::write(adapter.path().join("adapter_config.json"), config).unwrap();
    let name = adapter.path().display().to_string();
    let remote_config = || fixture.hub().remote_config(&name, "main", &AtomicBool::new(false)).unwrap();
    assert!(!fixture.hub().is_cached(&name));
    assert_eq!(remote_config().as_deref(), Some(&b"{\"model_type\": \"bert\"}"[..]));

    let folder = fetch(&fixture.hub(), &name).unwrap();
    assert_eq!((&folder.name, &folder.commit), (&name, &None));
    let Root::Adapter { folder: path, base } = &folder.root else { panic!("{folder:?}") };
    assert_eq!((path.as_path(), base.commit.as_ref()), (adapter.path(), Some(&fixture.commit)));
    assert_complete(base);
    assert!(fixture.hub().is_cached(&name) && remote_config().is_none());

    // Configuration and tokenizer are those of the base model unless the adapter has its own.
    assert_eq!(folder.require("config.json").unwrap(), base.require("config.json").unwrap());
    assert_eq!(&*folder.require("vocab.txt").unwrap(), b"[PAD]\n[UNK]\n");
    std::fs::write(adapter.path().join("tokenizer_config.json"), "{}").unwrap();
    assert!(folder.read("tokenizer_config.json").unwrap().is_none(), "without a vocabulary");
    std::fs::write(adapter.path().join("tokenizer.json"), "{}").unwrap();
    assert!(folder.read("tokenizer_config.json").unwrap().is_some());
    assert!(folder.read("vocab.txt").unwrap().is_none(), "the files of a tokenizer are from one folder");
    std::fs::write(adapter.path().join("config.json"), "{}").unwrap();
    assert_eq!(&*folder.require("config.json").unwrap(), b"{}");
    assert!(folder.read("model.safetensors").unwrap().is_none());
    assert_eq!(folder.folders().last(), Some(&adapter.path()));
}

#[test]
fn local_folders_and_demo_need_no_network() {
    let hub = Hub::new(HubConfig { offline: true, ..HubConfig::from_env() });
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display().to_string();
    let found = fetch(&hub, &name).unwrap();
    assert!(matches!(&found.root, Root::Disk(path) if path == folder.path()));
    assert_eq!((found.name, found.commit), (name, None));
    assert!(fetch(&hub, "demo").unwrap().read("config.json").unwrap().is_some());
    assert!(hub.is_cached("demo"));
    for name in ["./none", "/no/such/folder", "~/none"] {
        let e = fetch(&hub, name).unwrap_err().to_string();
        assert!(e.contains("does not exist; give a folder with config.json, or a hub id"), "{e}");
    }
    assert!(!Path::new("none").exists());
}
