//! The hub cache on disk, in the layout that the ecosystem's tools share:
//! `models--owner--name/{blobs/DIGEST, refs/REVISION, snapshots/COMMIT/PATH → blob}`.
//! Beside it, in `.glue-tui/` of each repository: listings, and which blobs were verified.

use super::Repo;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// One repository's part of the cache.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(root: &Path, repo: &Repo) -> Self {
        Cache { folder: root.join(format!("{}--{}", repo.kind.plural(), repo.id.replace('/', "--"))) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The commit that a revision stood for when it was last asked.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_string());
        }
        let commit = std::fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_string()).filter(|commit| is_commit(commit))
    }

    pub(super) fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) {
            return Ok(());
        }
        write(&self.folder.join("refs").join(revision), commit.as_bytes())
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    pub(super) fn file(&self, commit: &str, name: &str) -> PathBuf {
        self.snapshot(commit).join(name)
    }

    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest)
    }

    /// Makes the file of a snapshot point at its blob.
    pub(super) fn link(&self, commit: &str, name: &str, digest: &str) -> Result<PathBuf> {
        let path = self.file(commit, name);
        create_parent(&path)?;
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::writing(&path)(e)),
            _ => {}
        }
        #[cfg(unix)]
        {
            // Relative, so that the cache can be moved: up from the file's folder to the repository.
            let up = "../".repeat(2 + name.matches('/').count());
            std::os::unix::fs::symlink(format!("{up}blobs/{digest}"), &path)
                .map_err(Error::writing(&path))?;
        }
        #[cfg(not(unix))]
        std::fs::copy(self.blob(digest), &path).map_err(Error::writing(&path))?;
        Ok(path)
    }

    /// The names of all files of a commit, as the hub listed them.
    pub(super) fn listing(&self, commit: &str) -> Option<Vec<String>> {
        serde_json::from_slice(&std::fs::read(self.listing_path(commit)).ok()?).ok()
    }

    pub(super) fn save_listing(&self, commit: &str, names: &[String]) -> Result<()> {
        write(&self.listing_path(commit), serde_json::json!(names).to_string().as_bytes())
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.folder.join(".glue-tui/listings").join(format!("{commit}.json"))
    }

    /// The names of the files of a commit that are here.
    pub(super) fn present(&self, commit: &str) -> Vec<String> {
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

    /// The digest of a file that points at a blob: the blob's name.
    pub(super) fn digest_of(path: &Path) -> Option<String> {
        std::fs::read_link(path).ok()?.file_name()?.to_str().map(str::to_string)
    }

    /// Whether a blob was found to be whole and has not changed since.
    pub(super) fn is_verified(&self, digest: &str) -> bool {
        let note = std::fs::read_to_string(self.note(digest)).ok();
        note.is_some() && note == stamp(&self.blob(digest))
    }

    /// Notes that a blob is whole. A cache that cannot be written is only checked again next time.
    pub(super) fn note_verified(&self, digest: &str) {
        if let Some(stamp) = stamp(&self.blob(digest)) {
            let _ = write(&self.note(digest), stamp.as_bytes());
        }
    }

    fn note(&self, digest: &str) -> PathBuf {
        self.folder.join(".glue-tui/verified").join(digest)
    }

    /// Removes a file and its blob, whose contents are not what their name says.
    pub(super) fn forget(&self, path: &Path, digest: &str) {
        let _ = std::fs::remove_file(path);
        let _ = std::fs::remove_file(self.blob(digest));
        let _ = std::fs::remove_file(self.note(digest));
    }
}

/// Whether a revision is a full commit, which never changes its meaning.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Size and time of last change, so that a blob that was touched is verified again.
fn stamp(blob: &Path) -> Option<String> {
    let about = std::fs::metadata(blob).ok()?;
    let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", about.len(), changed.as_nanos()))
}

pub(super) fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(Error::writing(parent))
}

/// Writes a small file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create_parent(path)?;
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::writing(path))?;
    std::io::Write::write_all(&mut file, bytes).map_err(Error::writing(path))?;
    file.persist(path).map_err(|e| Error::writing(path)(e.error))?;
    Ok(())
}
