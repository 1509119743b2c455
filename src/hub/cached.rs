//! Lookup of files in the cache.

use super::cache::Cache;
use super::config::HubConfig;
use super::listing::{self, FileSelection, is_index};
use super::progress::indeterminate;
use super::repo::Snapshot;
use super::verify;
use crate::error::Result;
use crate::event::Progress;
use crate::files::read_regular;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Why the cache does not have the files.
pub(super) enum CacheMiss {
    /// This is not in the cache, or not complete.
    NotCached(String),
    /// According to its listing, the repository does not have the files; a clause that says why.
    NotInRepo(String),
}

/// Whether all selected files are in the cache.
pub(super) fn is_cached(
    config: &HubConfig,
    cache: &Cache,
    revision: &str,
    selection: &FileSelection<'_>,
) -> bool {
    find(config, cache, revision, selection).is_ok()
}

/// The selected files if all of them are in the cache.
fn find(
    config: &HubConfig,
    cache: &Cache,
    revision: &str,
    selection: &FileSelection<'_>,
) -> Result<Snapshot, CacheMiss> {
    let not_cached = |what: &str| CacheMiss::NotCached(what.to_string());
    let commit =
        cache.commit_of(revision).ok_or_else(|| CacheMiss::NotCached(format!("revision {revision}")))?;
    let listing = cache.listing(&commit);
    let names = listing.clone().unwrap_or_else(|| cache.cached_files(&commit));
    let mut selected = selection.select(&names).map_err(|problem| {
        if listing.is_some() { CacheMiss::NotInRepo(problem) } else { not_cached("a required file") }
    })?;
    if listing.is_none() && !is_complete_without_listing(config, selection, &selected) {
        return Err(not_cached("a required file"));
    }
    if let Some(index) = selected.iter().find(|name| is_index(name)) {
        let index = read_regular(&cache.file(&commit, index)).map_err(|_| not_cached(index))?;
        selected.extend(listing::shards(&index).map_err(CacheMiss::NotCached)?);
    }
    let files: Vec<PathBuf> = selected.iter().map(|name| cache.file(&commit, name)).collect();
    match selected.iter().zip(&files).find(|(_, file)| !file.is_file()) {
        Some((name, _)) => Err(not_cached(name)),
        None => Ok(Snapshot { commit, files }),
    }
}

/// Whether the selected cached files are all that the repository has, as far as that is known without a listing.
fn is_complete_without_listing(
    config: &HubConfig,
    selection: &FileSelection<'_>,
    selected: &[String],
) -> bool {
    let has = |name: &str| selected.iter().any(|found| found == name);
    match selection {
        FileSelection::Split { .. } => !selected.is_empty() && listing::has_all_shards(selected),
        // A vocabulary without its configuration does not say whether the model is cased, so that the hub is asked.
        FileSelection::Model => config.offline || has("tokenizer.json") || has("tokenizer_config.json"),
    }
}

/// The selected files if all of them are in the cache and match their digests. Files that do not match, such as an
/// error page stored by another tool, are removed.
///
/// # Errors
/// A file cannot be read, or `cancelled` is set.
pub(super) fn find_verified(
    config: &HubConfig,
    cache: &Cache,
    revision: &str,
    selection: &FileSelection<'_>,
    on_progress: &mut dyn FnMut(Progress),
    cancelled: &AtomicBool,
) -> Result<Result<Snapshot, CacheMiss>> {
    let snapshot = match find(config, cache, revision, selection) {
        Ok(snapshot) => snapshot,
        Err(miss) => return Ok(Err(miss)),
    };
    let mut corrupt = None;
    for file in &snapshot.files {
        let Some(digest) = Cache::digest_of(file).filter(|digest| verify::is_digest(digest)) else {
            continue;
        };
        if cache.is_verified(&digest) {
            continue;
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        on_progress(indeterminate(format!("verifying {name}")));
        if verify::matches(file, &digest, cancelled)? {
            cache.mark_verified(&digest);
        } else {
            cache.remove(file, &digest);
            corrupt = Some(name);
        }
    }
    Ok(match corrupt {
        None => Ok(snapshot),
        Some(name) => Err(CacheMiss::NotCached(format!("a complete copy of {name}"))),
    })
}
