//! Whether the hub can be reached at all, and what the cache holds: for `doctor`.

use super::Settings;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(5);

/// Seconds until the hub answered, whatever it said; or why it did not.
pub fn reach(settings: &Settings) -> Result<f64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime for the network: {e}"))?;
    let start = Instant::now();
    runtime.block_on(async {
        let client = reqwest::Client::builder().build().map_err(|e| e.to_string())?;
        let asked = client.head(&settings.endpoint).timeout(WAIT).send();
        match tokio::time::timeout(WAIT, asked).await {
            Ok(Ok(_)) => Ok(start.elapsed().as_secs_f64()),
            Ok(Err(error)) => Err(cause(&error)),
            Err(_) => Err(format!("no answer in {} s", WAIT.as_secs())),
        }
    })
}

/// The innermost cause, which is what a person can do something about.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Repositories in the cache and the bytes of their files. Links are not counted twice.
pub fn cached(folder: &Path) -> (u64, u64) {
    let repositories = entries(folder).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("models--") || name.starts_with("datasets--")
    });
    repositories.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + size(&entry.path())))
}

fn size(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder) {
            // The metadata of a link is the link's own.
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) if about.is_file() => bytes += about.len(),
                _ => {}
            }
        }
    }
    bytes
}

fn entries(folder: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_counted_without_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("models--a--b");
        std::fs::create_dir_all(repo.join("blobs")).unwrap();
        std::fs::create_dir_all(folder.path().join(".locks")).unwrap();
        std::fs::write(repo.join("blobs/1"), [0; 100]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(repo.join("blobs/1"), repo.join("link")).unwrap();
        assert_eq!(cached(folder.path()), (1, 100));
        assert_eq!(cached(&folder.path().join("nothing")), (0, 0));
    }

    #[test]
    fn a_closed_port_is_told_with_its_cause() {
        let settings = Settings { endpoint: "http://127.0.0.1:1".into(), ..Settings::from_env() };
        let why = reach(&settings).unwrap_err();
        assert!(why.to_lowercase().contains("refused"), "{why}");
    }
}
