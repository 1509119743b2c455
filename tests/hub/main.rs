//! The hub room against a hub on localhost that also refuses, cuts, stalls and lies.

mod mock;

use glue_tui::catalog::{STANDARD_SPLITS, task};
use glue_tui::data::{self, Context, DatasetSource};
use glue_tui::error::{Error, Result};
use glue_tui::event::{Progress, SplitName, Unit};
use glue_tui::files::{ModelFolder, Root};
use glue_tui::hub::{Fetched, Hub, Settings};
use mock::{Fault, Mock, Request, git_digest, sha256};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MODEL: &str = "owner/tiny";

/// A hub with one small model, and a cache of this test's own.
struct Bench {
    mock: Mock,
    cache: tempfile::TempDir,
    commit: String,
}

fn weights() -> Vec<u8> {
    (0..100_000u32).map(|i| (i % 251 * (i % 241)) as u8).collect()
}

impl Bench {
    fn new() -> Bench {
        let mock = Mock::start();
        let commit = mock.add(
            &format!("models/{MODEL}@main"),
            &[
                ("README.md", b"never wanted".to_vec()),
                ("config.json", b"{\"model_type\": \"bert\"}".to_vec()),
                ("model.safetensors", weights()),
                ("pytorch_model.bin", b"never wanted".to_vec()),
                ("vocab.txt", b"[PAD]\n[UNK]\n".to_vec()),
            ],
        );
        Bench { mock, cache: tempfile::tempdir().unwrap(), commit }
    }

    fn settings(&self) -> Settings {
        Settings {
            endpoint: self.mock.endpoint.clone(),
            cache_dir: self.cache.path().to_path_buf(),
            token: Some("secret".to_string()),
            offline: false,
            stall: Duration::from_millis(300),
            head_timeout: Duration::from_millis(600),
            retries: 1,
        }
    }

    fn hub(&self) -> Hub {
        Hub::new(self.settings())
    }

    fn fetch(&self) -> Result<ModelFolder> {
        fetch(&self.hub(), MODEL)
    }

    /// The sentence of a fetch that fails, which says that data or model cannot be fetched.
    fn fails(&self) -> String {
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

fn split(hub: &Hub, id: &str, config: &str, split: SplitName) -> Result<Fetched> {
    let split = STANDARD_SPLITS.iter().find(|spec| spec.name == split).unwrap();
    hub.dataset_files(id, config, (split, STANDARD_SPLITS), &mut |_| {}, &AtomicBool::new(false))
}

fn assert_whole(folder: &ModelFolder) {
    assert_eq!(*folder.require("model.safetensors").unwrap(), weights());
    assert_eq!(&*folder.require("config.json").unwrap(), b"{\"model_type\": \"bert\"}");
}

fn ranges(requests: &[Request]) -> Vec<&str> {
    let cdn = requests.iter().filter(|request| request.path.starts_with("/cdn"));
    cdn.filter_map(|request| request.headers.get("range").map(String::as_str)).collect()
}

#[test]
fn a_model_arrives_whole_and_then_needs_no_request() {
    let bench = Bench::new();
    assert!(!bench.hub().is_cached(MODEL));
    let mut seen: Vec<Progress> = Vec::new();
    let folder = bench.hub().model(MODEL, "main", &mut |p| seen.push(p), &AtomicBool::new(false)).unwrap();
    assert_whole(&folder);
    assert_eq!((folder.name.as_str(), folder.commit.as_ref()), (MODEL, Some(&bench.commit)));
    assert!(
        folder.read("README.md").unwrap().is_none() && folder.read("pytorch_model.bin").unwrap().is_none()
    );
    let done = |p: &Progress| p.what == "downloading model.safetensors" && p.done == 100_000;
    assert!(seen.iter().any(|p| done(p) && p.total == Some(100_000) && p.unit == Unit::Bytes), "{seen:?}");

    // The layout that the ecosystem's other tools read.
    let repo = bench.cache.path().join("models--owner--tiny");
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), bench.commit);
    assert!(bench.blob(&sha256(&weights())).is_file());
    assert!(bench.blob(&git_digest(b"[PAD]\n[UNK]\n")).is_file());
    let link = std::fs::read_link(repo.join("snapshots").join(&bench.commit).join("vocab.txt")).unwrap();
    assert!(link.starts_with("../../blobs"), "{}", link.display());

    // The hub sees the token, the CDN never.
    let requests = bench.mock.requests();
    let (cdn, hub): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.path.starts_with("/cdn"));
    assert!(!cdn.is_empty() && cdn.iter().all(|r| !r.headers.contains_key("authorization")));
    assert!(hub.iter().all(|r| r.headers.get("authorization").is_some_and(|t| t == "Bearer secret")));

    assert_whole(&bench.fetch().unwrap());
    let offline = Hub::new(Settings { offline: true, ..bench.settings() });
    assert_whole(&fetch(&offline, MODEL).unwrap());
    let at_commit = offline.model(MODEL, &bench.commit, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(at_commit.commit.as_ref(), Some(&bench.commit));
    assert!(offline.is_cached(MODEL));
    assert!(bench.mock.requests().is_empty(), "all of that was in the cache");
}

#[test]
fn weights_in_shards_are_taken_by_their_index() {
    let bench = Bench::new();
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#;
    bench.mock.add(
        "models/big@main",
        &[
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"{}".to_vec()),
            ("model.safetensors.index.json", index.to_vec()),
            ("model-1.safetensors", vec![1; 5000]),
            ("model-2.safetensors", vec![2; 5000]),
            ("model-3.safetensors", vec![3; 5000]),
        ],
    );
    let folder = fetch(&bench.hub(), "big").unwrap();
    assert_eq!(*folder.require("model-2.safetensors").unwrap(), [2; 5000]);
    assert!(folder.read("model-3.safetensors").unwrap().is_none());
    bench.mock.requests();
    fetch(&bench.hub(), "big").unwrap();
    assert!(bench.mock.requests().is_empty());
}

#[test]
fn a_renamed_model_is_found_under_its_old_name() {
    let bench = Bench::new();
    bench.mock.rename("old-name", MODEL);
    assert_whole(&fetch(&bench.hub(), "old-name").unwrap());
    assert!(bench.cache.path().join("models--old-name").is_dir());
}

#[test]
fn a_refusal_says_what_to_do() {
    let bench = Bench::new();
    let cases: [(u16, &str, &str); 7] = [
        (401, "RepoNotFound", "no such model"),
        (401, "GatedRepo", "access is restricted"),
        (401, "", "does not accept the token"),
        (403, "", "access is restricted"),
        (404, "RevisionNotFound", "no such revision"),
        (429, "", "refuses further requests for now"),
        (500, "", "HTTP 500"),
    ];
    for (status, word, expected) in cases {
        for (method, path) in [("GET", "/api/models"), ("HEAD", "model.safetensors"), ("GET", "/cdn/")] {
            bench.mock.fault(method, path, 9, Fault::Status(status, word));
            let e = bench.fails();
            assert!(e.contains(expected), "{status} {word} on {method} {path}: {e}");
            assert!(!bench.blob(&sha256(&weights())).exists(), "an error page is no file");
            bench.mock.heal();
        }
    }
    let unknown = fetch(&bench.hub(), "no/such").unwrap_err().to_string();
    assert!(unknown.starts_with("no/such: there is no such model"), "{unknown}");
    let anonymous = Hub::new(Settings { token: None, ..bench.settings() });
    bench.mock.fault("GET", "/api/models", 9, Fault::Status(401, ""));
    // hf-hub may find a token of the user's own; that changes nothing in what is told.
    let e = fetch(&anonymous, MODEL).unwrap_err().to_string();
    assert!(e.contains("asks for a login") && e.contains("HF_TOKEN"), "{e}");
    bench.mock.heal();
    let revision = bench.hub().model(MODEL, "v9", &mut |_| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(revision.to_string().contains("no such revision"), "{revision}");
    assert_whole(&bench.fetch().unwrap());
}

#[test]
fn a_model_without_what_is_needed_is_refused_before_anything_is_fetched() {
    let bench = Bench::new();
    bench.mock.add("models/flax@main", &[("config.json", b"{}".to_vec()), ("vocab.txt", b"a".to_vec())]);
    let e = fetch(&bench.hub(), "flax").unwrap_err().to_string();
    assert!(e.starts_with("flax: has no weights in model.safetensors or pytorch_model.bin"), "{e}");
    assert!(bench.mock.requests().iter().all(|request| request.path.starts_with("/api/")));
}

#[test]
fn what_passes_is_tried_again() {
    for fault in [Fault::Status(503, ""), Fault::Close, Fault::Silence] {
        let bench = Bench::new();
        bench.mock.fault("HEAD", "model.safetensors", 1, fault.clone());
        bench.mock.fault("GET", "/cdn/", 1, fault);
        assert_whole(&bench.fetch().unwrap());
    }
    let bench = Bench::new();
    bench.mock.fault("GET", "/api/models", 1, Fault::Status(503, ""));
    assert_whole(&bench.fetch().unwrap());
}

#[test]
fn a_body_that_is_cut_goes_on_where_it_ended() {
    for length in [true, false] {
        let bench = Bench::new();
        bench.mock.fault("GET", "/cdn/", 1, Fault::Cut { keep: 40_000, length });
        assert_whole(&bench.fetch().unwrap());
        assert_eq!(ranges(&bench.mock.requests()), ["bytes=40000-"]);
    }
}

#[test]
fn what_has_come_is_kept_for_the_next_time() {
    let bench = Bench::new();
    bench.mock.fault("GET", "/cdn/", 9, Fault::Cut { keep: 10_000, length: true });
    let e = bench.fails();
    assert!(e.contains("broke after 20000 of 100000 bytes"), "{e}");
    bench.mock.heal();
    bench.mock.requests();
    assert_whole(&bench.fetch().unwrap());
    assert_eq!(ranges(&bench.mock.requests()), ["bytes=20000-"]);
}

#[test]
fn a_server_without_ranges_gives_the_right_file_too() {
    let bench = Bench::new();
    bench.mock.fault("GET", "/cdn/", 1, Fault::Cut { keep: 40_000, length: true });
    bench.mock.fault("GET", "/cdn/", 1, Fault::NoRange);
    assert_whole(&bench.fetch().unwrap());
}

#[test]
fn silence_ends() {
    for (method, path, fault) in [
        ("GET", "/api/models", Fault::Silence),
        ("HEAD", "config.json", Fault::Silence),
        ("GET", "/cdn/", Fault::Stall { keep: 30_000 }),
    ] {
        let bench = Bench::new();
        bench.mock.fault(method, path, 9, fault);
        let start = Instant::now();
        let e = bench.fails();
        assert!(e.contains("sent nothing for"), "{e}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[test]
fn wrong_bytes_never_enter_the_cache() {
    let bench = Bench::new();
    bench.mock.fault("GET", "/cdn/", 1, Fault::Garbage);
    assert_whole(&bench.fetch().unwrap());

    let bench = Bench::new();
    bench.mock.fault("GET", "/cdn/", 9, Fault::Garbage);
    let e = bench.fails();
    assert!(e.contains("does not have the digest") && e.contains("/resolve/"), "{e}");
    let blobs = bench.cache.path().join("models--owner--tiny/blobs");
    let left: Vec<_> = std::fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(&sha256(&weights()))), "{left:?}");
}

#[test]
fn an_error_page_that_another_tool_left_is_thrown_away() {
    let bench = Bench::new();
    bench.fetch().unwrap();
    let blob = bench.blob(&sha256(&weights()));
    std::fs::write(&blob, "<html>503</html>").unwrap();
    assert_whole(&bench.fetch().unwrap());
    assert_eq!(std::fs::read(&blob).unwrap(), weights());
    std::fs::write(&blob, "<html>503</html>").unwrap();
    let offline = Hub::new(Settings { offline: true, ..bench.settings() });
    let e = fetch(&offline, MODEL).unwrap_err().to_string();
    assert!(e.contains("a whole copy of model.safetensors is not in"), "{e}");
}

#[test]
fn a_cache_that_another_tool_filled_needs_no_request() {
    let bench = Bench::new();
    bench.fetch().unwrap();
    std::fs::remove_dir_all(bench.cache.path().join("models--owner--tiny/.glue-tui")).unwrap();
    let config = bench.cache.path().join("models--owner--tiny/snapshots").join(&bench.commit);
    std::fs::write(config.join("tokenizer_config.json"), "{}").unwrap();
    bench.mock.requests();
    assert_whole(&bench.fetch().unwrap());
    assert!(bench.mock.requests().is_empty());
}

#[test]
fn offline_asks_nobody_and_says_what_is_missing() {
    let bench = Bench::new();
    let offline = Hub::new(Settings { offline: true, ..bench.settings() });
    let e = fetch(&offline, MODEL).unwrap_err();
    assert!(matches!(e, Error::Hub { .. }));
    let e = e.to_string();
    assert!(e.contains("HF_HUB_OFFLINE") && e.contains("hf download owner/tiny"), "{e}");
    let e = split(&offline, "a/b", "c", SplitName::Train).unwrap_err().to_string();
    assert!(e.contains("hf download --repo-type dataset a/b"), "{e}");
    bench.fetch().unwrap();
    std::fs::remove_file(bench.blob(&git_digest(b"[PAD]\n[UNK]\n"))).unwrap();
    bench.mock.requests();
    let e = fetch(&offline, MODEL).unwrap_err().to_string();
    assert!(e.contains("vocab.txt is not in"), "{e}");
    assert_eq!(offline.reachable().unwrap_err(), "HF_HUB_OFFLINE is set");
    assert!(bench.mock.requests().is_empty());
}

#[test]
fn nobody_at_the_endpoint_is_told_as_such() {
    let bench = Bench::new();
    assert_eq!(bench.hub().reachable(), Ok(()));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub::new(Settings { endpoint: format!("http://{closed}"), ..bench.settings() });
    let e = fetch(&hub, MODEL).unwrap_err().to_string();
    assert!(e.contains("refused") && e.contains("HF_ENDPOINT") && e.contains("local folder"), "{e}");
    assert!(hub.reachable().unwrap_err().contains("refused"));
    let nonsense = Hub::new(Settings { endpoint: "no url".to_string(), ..bench.settings() });
    assert_eq!(fetch(&nonsense, MODEL).unwrap_err().exit_code(), 3);
}

/// Sets `cancelled` after a moment and says how long `work` went on after that.
fn time_to_stop(work: impl FnOnce(&AtomicBool) -> Result<ModelFolder>) -> Duration {
    let cancelled = Arc::new(AtomicBool::new(false));
    let setter = Arc::clone(&cancelled);
    let moment = Duration::from_millis(300);
    std::thread::spawn(move || {
        std::thread::sleep(moment);
        setter.store(true, Ordering::Relaxed);
    });
    let start = Instant::now();
    let e = work(&cancelled).unwrap_err();
    assert_eq!(e.exit_code(), 130, "{e}");
    start.elapsed().saturating_sub(moment)
}

#[test]
fn a_stop_is_obeyed_at_once_wherever_it_comes() {
    for (method, path, fault) in [
        ("GET", "/api/models", Fault::Silence),
        ("HEAD", "config.json", Fault::Silence),
        ("GET", "/cdn/", Fault::Stall { keep: 30_000 }),
    ] {
        let bench = Bench::new();
        bench.mock.fault(method, path, 9, fault);
        let minute = Duration::from_mins(1);
        let hub = Hub::new(Settings { stall: minute, head_timeout: minute, ..bench.settings() });
        let late = time_to_stop(|cancelled| hub.model(MODEL, "main", &mut |_| {}, cancelled));
        assert!(late < Duration::from_millis(700), "{method} {path}: {late:?}");
        bench.mock.heal();
        assert_whole(&bench.fetch().unwrap());
    }
}

#[test]
fn one_process_downloads_at_a_time() {
    let bench = Bench::new();
    let locks = bench.cache.path().join(".locks");
    std::fs::create_dir_all(&locks).unwrap();
    let other = std::fs::File::create(locks.join("glue-tui.lock")).unwrap();
    other.lock().unwrap();
    let late = time_to_stop(|cancelled| bench.hub().model(MODEL, "main", &mut |_| {}, cancelled));
    assert!(late < Duration::from_millis(700), "{late:?}");
    assert!(bench.mock.requests().is_empty(), "nothing is asked while another process downloads");

    let released = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(other);
    });
    let mut told = Vec::new();
    let folder = bench.hub().model(MODEL, "main", &mut |p| told.push(p.what), &AtomicBool::new(false));
    assert_whole(&folder.unwrap());
    assert_eq!(told[0], "waiting for another glue-tui that is downloading");
    released.join().unwrap();
}

/// A Parquet file in the form of GLUE's SST-2.
fn parquet(rows: &[(&str, i64)]) -> Vec<u8> {
    let schema =
        parse_message_type("message schema { REQUIRED BYTE_ARRAY sentence (UTF8); REQUIRED INT64 label; }")
            .unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.0)).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let labels: Vec<i64> = rows.iter().map(|row| row.1).collect();
    column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_task_is_loaded_from_the_hub_with_all_its_shards() {
    let bench = Bench::new();
    let commit = bench.mock.add(
        "datasets/nyu-mll/glue@main",
        &[
            ("README.md", vec![]),
            ("qqp/train-00000-of-00001.parquet", vec![0; 9]),
            ("sst2/test-00000-of-00001.parquet", parquet(&[("t", -1)])),
            ("sst2/train-00000-of-00002.parquet", parquet(&[("good", 1), ("bad", 0)])),
            ("sst2/train-00001-of-00002.parquet", parquet(&[("worse", 0)])),
            ("sst2/validation-00000-of-00001.parquet", parquet(&[("fine", 1)])),
        ],
    );
    let hub = bench.hub();
    let load = || {
        let mut context = Context { hub: &hub, watch: &mut |_| {}, cancelled: &AtomicBool::new(false) };
        data::load(DatasetSource::at(task("sst2").unwrap(), None), &mut context).unwrap()
    };
    let sst2 = load();
    let train: Vec<_> =
        sst2.train().iter().map(|row| (row.text.as_str(), row.label.unwrap().number())).collect();
    assert_eq!(train, [("good", 1.0), ("bad", 0.0), ("worse", 0.0)]);
    assert_eq!((sst2.validation().len(), sst2.test(), sst2.commit.as_ref()), (1, &[][..], Some(&commit)));
    assert!(!bench.mock.requests().iter().any(|request| request.path.contains("qqp")));
    assert_eq!(load(), sst2);
    assert!(bench.mock.requests().is_empty());
    let e = split(&hub, "nyu-mll/glue", "cola", SplitName::Train).unwrap_err().to_string();
    assert!(e.starts_with("nyu-mll/glue: "), "{e}");
}

#[test]
fn files_that_the_hub_converted_serve_where_main_has_none() {
    let bench = Bench::new();
    bench.mock.add("datasets/stanfordnlp/sst@main", &[("sst.py", vec![]), ("data/trees.zip", vec![])]);
    let commit = bench.mock.add(
        "datasets/stanfordnlp/sst@refs/convert/parquet",
        &[
            ("default/train/0000.parquet", b"one".to_vec()),
            ("default/train/0001.parquet", b"two".to_vec()),
            ("default/train/index.duckdb", b"x".to_vec()),
            ("ptb/train/0000.parquet", b"x".to_vec()),
            ("ptb/validation/0000.parquet", b"x".to_vec()),
        ],
    );
    let hub = bench.hub();
    let train = split(&hub, "stanfordnlp/sst", "default", SplitName::Train).unwrap();
    assert_eq!(train.commit, commit);
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    assert_eq!(train.files.iter().map(read).collect::<Vec<_>>(), ["one", "two"]);
    let none = split(&hub, "stanfordnlp/sst", "default", SplitName::Test).unwrap();
    assert!(none.files.is_empty());
    bench.mock.requests();
    assert_eq!(split(&hub, "stanfordnlp/sst", "default", SplitName::Train).unwrap(), train);
    assert!(bench.mock.requests().is_empty());
}

#[test]
fn folders_and_the_demo_are_no_matter_of_the_network() {
    let hub = Hub::new(Settings { offline: true, ..Settings::from_env() });
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display().to_string();
    let found = fetch(&hub, &name).unwrap();
    assert!(matches!(&found.root, Root::Disk(path) if path == folder.path()));
    assert_eq!((found.name, found.commit), (name, None));
    assert!(fetch(&hub, "demo").unwrap().read("config.json").unwrap().is_some());
    assert!(hub.is_cached("demo"));
    for name in ["./none", "/no/such/folder", "~/none"] {
        let e = fetch(&hub, name).unwrap_err().to_string();
        assert!(e.contains("is not there; give a folder with config.json, or a hub id"), "{e}");
    }
    assert!(!Path::new("none").exists());
}
