//! Uploads to the mock hub: what is sent, what is not sent again, and what a user reads when something fails.

use super::common::command;
use super::mock::{Fault, Mock, Request, sha256};
use glue_tui::error::{Error, Result};
use glue_tui::event::Progress;
use glue_tui::hub::{Hub, HubConfig, PushOptions, Pushed};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const REPO: &str = "me/my-model";
const BRANCH: &str = "models/me/my-model@main";
const TOKEN: &str = "hf_KlW9xQ";

/// A mock hub without repositories, and a folder to upload.
struct Fixture {
    mock: Mock,
    folder: tempfile::TempDir,
}

fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| (i % 251 * (i % 241)) as u8).collect()
}

impl Fixture {
    fn new() -> Fixture {
        let fixture = Fixture { mock: Mock::start(), folder: tempfile::tempdir().unwrap() };
        fixture.write("README.md", b"---\n---\n# a model\n");
        fixture.write("config.json", b"{}");
        fixture.write("model.safetensors", &weights());
        fixture.write("tokenizer.json", &vec![b'x'; 5000]);
        fixture
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn config(&self) -> HubConfig {
        HubConfig {
            endpoint: self.mock.endpoint.clone(),
            cache_dir: self.folder.path().join("cache"),
            token: Some(TOKEN.to_string()),
            offline: false,
            read_timeout: Duration::from_millis(300),
            request_timeout: Duration::from_millis(600),
            max_retries: 1,
            reserved_space: 0,
        }
    }

    fn push_with(&self, config: HubConfig, options: &PushOptions) -> (Result<Pushed>, Vec<Progress>) {
        let mut seen = Vec::new();
        let mut report = |progress| seen.push(progress);
        let cancelled = AtomicBool::new(false);
        let pushed = Hub::new(config).push(self.folder.path(), REPO, options, &mut report, &cancelled);
        (pushed, seen)
    }

    fn push(&self) -> Result<Pushed> {
        self.push_with(self.config(), &options()).0
    }

    /// The error of a failing upload: one sentence about the repository, without the token.
    fn push_error(&self) -> String {
        let error = self.push().unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        let text = error.to_string();
        assert!(!text.contains('\n') && text.starts_with(REPO) && !text.contains(TOKEN), "{text}");
        text
    }
}

fn options() -> PushOptions {
    PushOptions { message: "Upload a model".into(), ..PushOptions::default() }
}

/// The names of the large files that were sent, by their SHA-256.
fn sent(requests: &[Request]) -> Vec<&str> {
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.filter_map(|request| request.path.strip_prefix("/upload/")?.split(['?', '/']).next()).collect()
}

#[test]
fn folder_is_uploaded_in_one_commit_and_only_changes_again() {
    let fixture = Fixture::new();
    let (pushed, progress) = fixture.push_with(fixture.config(), &options());
    let pushed = pushed.unwrap();
    assert_eq!(pushed.url, format!("{}/{REPO}", fixture.mock.endpoint));
    assert!(pushed.commit.is_some() && pushed.files == 4);
    let files = fixture.mock.files(BRANCH);
    assert_eq!(files.len(), 4);
    for (name, bytes) in &files {
        assert!(*bytes == std::fs::read(fixture.folder.path().join(name)).unwrap(), "{name}");
    }
    assert_eq!((fixture.mock.is_private(REPO), fixture.mock.commits()), (Some(false), 1));
    let done = |p: &Progress| p.what == "uploading model.safetensors" && p.done == 300_000;
    assert!(progress.iter().any(|p| done(p) && p.total == Some(300_000)), "{progress:?}");

    // The token is sent to the hub, but not to signed addresses.
    let requests = fixture.mock.requests();
    let (signed, hub): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.path.starts_with("/upload"));
    assert_eq!(signed.len(), 2);
    assert!(signed.iter().all(|r| !r.headers.contains_key("authorization")));
    assert!(hub.iter().all(|r| r.headers.get("authorization").is_some_and(|t| t == "Bearer hf_KlW9xQ")));

    let again = fixture.push().unwrap();
    assert_eq!((again.commit, again.files, fixture.mock.commits()), (None, 0, 1));
    assert!(sent(&fixture.mock.requests()).is_empty());
    fixture.write("README.md", b"changed");
    fixture.write("tokenizer.json", &vec![b'y'; 5000]);
    fixture.write("notes.ignored", b"left out by .gitignore of the repository");
    let changed = fixture.push().unwrap();
    assert_eq!((changed.files, fixture.mock.commits()), (2, 2));
    assert_eq!(sent(&fixture.mock.requests()), [sha256(&vec![b'y'; 5000])]);
    assert_eq!(fixture.mock.files(BRANCH)["README.md"], b"changed");
}

#[test]
fn large_files_are_uploaded_in_parts_where_the_hub_asks_for_it() {
    let fixture = Fixture::new();
    fixture.mock.upload_in_parts(70_000);
    fixture.push().unwrap();
    assert!(fixture.mock.files(BRANCH)["model.safetensors"] == weights());
    let requests = fixture.mock.requests();
    let lengths: Vec<usize> =
        requests.iter().filter(|r| r.path.starts_with("/upload")).map(|r| r.body.len()).collect();
    assert_eq!(lengths, [70_000, 70_000, 70_000, 70_000, 20_000, 5000]);
}

#[test]
fn interrupted_upload_continues_with_the_next_file() {
    let fixture = Fixture::new();
    fixture.mock.fault("PUT", &sha256(&vec![b'x'; 5000]), 9, Fault::CutUpload { keep: 100 });
    let error = fixture.push_error();
    assert!(error.starts_with("me/my-model/tokenizer.json: cannot be uploaded"), "{error}");
    assert!(error.contains("run the same command again"), "{error}");
    assert_eq!(fixture.mock.commits(), 0);
    fixture.mock.clear_faults();
    fixture.mock.requests();
    fixture.push().unwrap();
    assert_eq!(sent(&fixture.mock.requests()), [sha256(&vec![b'x'; 5000])], "the weights are not sent again");
    assert_eq!(fixture.mock.files(BRANCH).len(), 4);
}

#[test]
fn temporary_faults_are_repeated() {
    for (method, path) in [
        ("POST", "/api/repos/create"),
        ("POST", "/preupload/"),
        ("POST", "/objects/batch"),
        ("PUT", "/upload/"),
        ("POST", "/lfs/verify/"),
        ("POST", "/commit/"),
    ] {
        let faults = [
            Fault::Status(503, ""),
            Fault::Status(429, ""),
            Fault::Close,
            Fault::LoseResponse,
            Fault::CutUpload { keep: 10 },
            Fault::StallUpload { keep: 10 },
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            // A stalled commit is waited for longer than a test should.
            if path == "/commit/" && matches!(fault, Fault::StallUpload { .. }) {
                continue;
            }
            let fixture = Fixture::new();
            fixture.mock.fault(method, path, 1, fault);
            let pushed = fixture.push();
            assert!(pushed.is_ok(), "fault {number} of {method} {path}: {pushed:?}");
            assert_eq!(fixture.mock.files(BRANCH).len(), 4, "fault {number} of {method} {path}");
            // The commit whose response was lost is found.
            assert_eq!(fixture.mock.commits(), 1, "fault {number} of {method} {path}");
        }
    }
}

#[test]
fn each_failure_is_one_sentence() {
    let fixture = Fixture::new();
    let cases = [
        (401, "rejects the token"),
        (403, "no write access"),
        (404, "no such repository"),
        (409, "another change"),
        (429, "limits the rate of requests"),
        (500, "HTTP 500"),
        (418, "HTTP 418"),
    ];
    for (status, expected) in cases {
        for path in ["/preupload/", "/objects/batch", "/commit/"] {
            fixture.mock.fault("POST", path, 9, Fault::Status(status, ""));
            let error = fixture.push_error();
            assert!(error.contains(expected), "{status} on {path}: {error}");
            fixture.mock.clear_faults();
        }
    }
    for (fault, expected) in [
        (Fault::StallUpload { keep: 50 }, "stalled for 0.3 s"),
        (Fault::CutUpload { keep: 50 }, "cannot be uploaded"),
        (Fault::Status(403, ""), "HTTP status 403"),
    ] {
        let fixture = Fixture::new();
        fixture.mock.fault("PUT", "/upload/", 9, fault);
        let error = fixture.push_error();
        assert!(error.contains("model.safetensors") && error.contains(expected), "{error}");
    }
    // A hub that repeats the token in its message.
    fixture.mock.fault("POST", "/preupload/", 9, Fault::Message(403, format!("{TOKEN} is not allowed")));
    let error = fixture.push_error();
    assert!(error.contains("[token] is not allowed"), "{error}");
    assert_eq!(fixture.mock.commits(), 0);
}

#[test]
fn upload_that_cannot_start_sends_nothing() {
    let fixture = Fixture::new();
    let offline = HubConfig { offline: true, ..fixture.config() };
    let anonymous = HubConfig { token: None, ..fixture.config() };
    for (config, expected) in [(offline, "HF_HUB_OFFLINE"), (anonymous, "HF_TOKEN")] {
        let error = fixture.push_with(config, &options()).0.unwrap_err();
        assert!(error.exit_code() == 3 && error.to_string().contains(expected), "{error}");
    }
    let bad = PushOptions { revision: Some("../x".into()), ..options() };
    let error = fixture.push_with(fixture.config(), &bad).0.unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains("../x")), "{error}");
    for id in ["name", "a/b/c", "a b/c", "", "/x"] {
        let error = Hub::new(fixture.config()).check_push(id, &options()).unwrap_err();
        assert!(matches!(&error, Error::Usage(text) if text.contains("me/my-model")), "{id}: {error}");
    }
    let closed = HubConfig { endpoint: "http://127.0.0.1:1".into(), ..fixture.config() };
    let error = fixture.push_with(closed, &options()).0.unwrap_err().to_string();
    assert!(error.contains("refused") && error.contains("HF_ENDPOINT"), "{error}");
    assert!(fixture.mock.requests().is_empty());
}

#[test]
fn branch_and_private_repository_are_created() {
    let fixture = Fixture::new();
    let options = PushOptions { private: true, revision: Some("v2".into()), ..options() };
    let pushed = fixture.push_with(fixture.config(), &options).0.unwrap();
    assert_eq!(pushed.url, format!("{}/{REPO}/tree/v2", fixture.mock.endpoint));
    assert_eq!(fixture.mock.is_private(REPO), Some(true));
    assert_eq!(fixture.mock.files("models/me/my-model@v2").len(), 4);
    assert!(fixture.mock.files(BRANCH).is_empty());
    let again = fixture.push_with(fixture.config(), &options).0.unwrap();
    assert_eq!(again.commit, None);
}

#[test]
fn upload_is_cancelled_at_once() {
    let fixture = Fixture::new();
    fixture.mock.fault("PUT", "/upload/", 9, Fault::StallUpload { keep: 50 });
    let config = HubConfig { read_timeout: Duration::from_mins(1), ..fixture.config() };
    let (cancelled, start) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            cancelled.store(true, Ordering::Relaxed);
        });
        let error = Hub::new(config)
            .push(fixture.folder.path(), REPO, &options(), &mut |_| {}, &cancelled)
            .unwrap_err();
        assert_eq!(error.exit_code(), 130, "{error}");
        assert!(error.to_string().contains("the same command continues it"), "{error}");
    });
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Runs a command with the hub at `endpoint`: exit code, stdout and stderr.
fn run(home: &Path, endpoint: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = command(home, args);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint).env("HF_TOKEN", TOKEN);
    command.env("RUST_LOG", "trace");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn run_is_pushed_from_the_command_line() {
    let mock = Mock::start();
    let home = tempfile::tempdir().unwrap();
    let small = ["--set", "max_train_samples=64", "--set", "max_eval_samples=20", "--set", "max_steps=2"];
    let trained = command(home.path(), &[&["train", "demo"][..], &small].concat()).output().unwrap();
    assert!(trained.status.success(), "{trained:?}");
    let push = |args: &[&str]| run(home.path(), &mock.endpoint, &[&["push"], args].concat());

    mock.fault("PUT", "/upload/", 9, Fault::Message(500, format!("token {TOKEN}")));
    let (code, stdout, failed) = push(&["demo", REPO]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""), "{failed}");
    let last = failed.lines().last().unwrap();
    assert!(last.starts_with("glue-tui: me/my-model/") && last.contains("HTTP 500"), "{last}");
    mock.clear_faults();

    let (code, stdout, stderr) = push(&["demo", REPO, "--private"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout.lines().last().unwrap(), format!("{}/{REPO}", mock.endpoint));
    let files = mock.files(BRANCH);
    for name in ["README.md", "config.json", "model.safetensors", "tokenizer.json", "loss.svg", "score.svg"] {
        assert!(files.contains_key(name), "{name} of {:?}", files.keys());
    }
    let (code, stdout, repeated) = push(&["demo", REPO, "--json"]);
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &object["commit"], &object["files"]), (Some(0), &serde_json::Value::Null, &0.into()));

    // An exported folder is uploaded as it is.
    let exported = command(home.path(), &["export", "demo", "--to", "out"]).output().unwrap();
    assert!(exported.status.success());
    std::fs::write(home.path().join("out/extra.txt"), "mine").unwrap();
    let (code, _, from_folder) = push(&["out", REPO]);
    assert_eq!((code, mock.files(BRANCH)["extra.txt"].as_slice()), (Some(0), &b"mine"[..]), "{from_folder}");

    let (code, _, unknown) = push(&["nothing", REPO]);
    assert_eq!(code, Some(2), "{unknown}");
    // Not in a log at the most verbose level either.
    for output in [failed, stderr, repeated, from_folder, unknown, stdout] {
        assert!(!output.contains(TOKEN), "{output}");
    }
    // What was exported for the upload is removed.
    let run = std::fs::read_dir(home.path().join("runs")).unwrap().next().unwrap().unwrap().path();
    let names: Vec<_> = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".push")), "{names:?}");
    for entry in std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            let bytes = std::fs::read(&entry).unwrap();
            assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{}", entry.display());
        }
    }
}
