//! The cache on disk, in the layout of the Hugging Face libraries:
//! `models--owner--name/{blobs/DIGEST, refs/REVISION, snapshots/COMMIT/PATH → blob}`.
//! The folder `.glue-tui/` of each repository has its listings and the markers of verified blobs.

use super::repo::Repo;
use crate::error::{Error, Result};
use crate::files::{read_regular, read_regular_to_string, remove_leftovers, write_atomic};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The cache of one repository.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(root: &Path, repo: &Repo) -> Self {
        Cache { folder: root.join(format!("{}--{}", repo.repo_type.plural(), repo.id.replace('/', "--"))) }
    }

    /// The folder of the repository.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The commit of a revision when it was last resolved.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_string());
        }
        let commit = read_regular_to_string(&self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_string()).filter(|commit| is_commit(commit))
    }

    /// Stores the commit of a revision.
    pub(super) fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) {
            return Ok(());
        }
        write(&self.folder.join("refs").join(revision), commit.as_bytes())
    }

    /// The folder with the files of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The path of a file of a commit.
    pub(super) fn file(&self, commit: &str, name: &str) -> PathBuf {
        self.snapshot(commit).join(name)
    }

    /// The path of the blob with that digest.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest)
    }

    /// Removes what killed processes left of small files. Only for the process that holds the lock of the cache.
    pub(super) fn remove_leftovers(&self) -> Result<()> {
        let folders = ["refs", ".glue-tui/listings", ".glue-tui/verified"];
        folders.iter().try_for_each(|folder| remove_leftovers(&self.folder.join(folder)))
    }

    /// Links the file of a commit to its blob. Returns the path of the file.
    pub(super) fn link(&self, commit: &str, name: &str, digest: &str) -> Result<PathBuf> {
        let path = self.file(commit, name);
        create_parent(&path)?;
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::writing(&path)(e)),
            _ => {}
        }
        #[cfg(unix)]
        {
            // The link is relative, so that the cache can be moved.
            let up = "../".repeat(2 + name.matches('/').count());
            std::os::unix::fs::symlink(format!("{up}blobs/{digest}"), &path)
                .map_err(Error::writing(&path))?;
        }
        #[cfg(not(unix))]
        std::fs::copy(self.blob(digest), &path).map_err(Error::writing(&path))?;
        Ok(path)
    }

    /// The names of all files of a commit according to the hub, if they were stored.
    pub(super) fn listing(&self, commit: &str) -> Option<Vec<String>> {
        serde_json::from_slice(&read_regular(&self.listing_path(commit)).ok()?).ok()
    }

    /// Stores the names of all files of a commit.
    pub(super) fn save_listing(&self, commit: &str, names: &[String]) -> Result<()> {
        write(&self.listing_path(commit), serde_json::json!(names).to_string().as_bytes())
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.folder.join(".glue-tui/listings").join(format!("{commit}.json"))
    }

    /// The names of the cached files of a commit.
    pub(super) fn cached_files(&self, commit: &str) -> Vec<String> {
        let root = self.snapshot(commit);
        let mut names = Vec::new();
        let mut folders = vec![(root, String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let path = entry.path();
                if path.is_dir() {
                    folders.push((path, name + "/"));
                } else if path.exists() {
                    names.push(name);
                }
            }
        }
        names.sort();
        names
    }

    /// The digest of a file that is a link to a blob: the name of the blob.
    pub(super) fn digest_of(path: &Path) -> Option<String> {
        std::fs::read_link(path).ok()?.file_name()?.to_str().map(str::to_string)
    }

    /// Whether a blob was verified and has not changed since.
    pub(super) fn is_verified(&self, digest: &str) -> bool {
        let marker = read_regular_to_string(&self.marker_path(digest)).ok();
        marker.is_some() && marker == stamp(&self.blob(digest))
    }

    /// Marks a blob as verified. If the marker cannot be written, the blob is verified again next time.
    pub(super) fn mark_verified(&self, digest: &str) {
        if let Some(stamp) = stamp(&self.blob(digest)) {
            let _ = write(&self.marker_path(digest), stamp.as_bytes());
        }
    }

    fn marker_path(&self, digest: &str) -> PathBuf {
        self.folder.join(".glue-tui/verified").join(digest)
    }

    /// Removes a file and its blob, whose content does not match the digest.
    pub(super) fn remove(&self, path: &Path, digest: &str) {
        let _ = std::fs::remove_file(path);
        let _ = std::fs::remove_file(self.blob(digest));
        let _ = std::fs::remove_file(self.marker_path(digest));
    }
}

/// Whether a revision is the full hash of a commit.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Size and modification time of a blob, which detect a change.
fn stamp(blob: &Path) -> Option<String> {
    let metadata = std::fs::metadata(blob).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", metadata.len(), modified.as_nanos()))
}

/// Creates the parent folder of `path`.
pub(super) fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(Error::writing(parent))
}

/// Writes a small file atomically.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create_parent(path)?;
    write_atomic(path, bytes)
}
