//! The hub: models and data sets by name. The only room that touches the network, and that only
//! for what the cache does not have.
//!
//! hf-hub resolves names, revisions and listings. The bodies are fetched here, because its own
//! download has no time limits, takes a body without a length that was cut for whole, and appends a
//! whole file to a part when the server ignores the range; see `fetch`. The cache on disk is the one that the ecosystem shares.

mod cache;
mod error;
mod fetch;
mod listing;
mod settings;
mod verify;

pub use listing::split_files;
pub use settings::Settings;

use crate::assets;
use crate::catalog::SplitSpec;
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use crate::files::ModelFolder;
use cache::Cache;
use error::HubError;
use fetch::Session;
use listing::INDEX;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Dataset,
}

impl Kind {
    fn plural(self) -> &'static str {
        match self {
            Kind::Model => "models",
            Kind::Dataset => "datasets",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Dataset => "data set",
        }
    }

    /// The key of an experiment that takes a local folder in its place.
    fn local_key(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Dataset => "data_dir",
        }
    }
}

/// A repository of the hub.
struct Repo {
    kind: Kind,
    /// `owner/name`, or a name alone for some old models.
    id: String,
}

impl Repo {
    /// The path of its pages and files under the endpoint.
    fn path(&self) -> String {
        match self.kind {
            Kind::Model => self.id.clone(),
            Kind::Dataset => format!("datasets/{}", self.id),
        }
    }

    fn page(&self, settings: &Settings) -> String {
        format!("{}/{}", settings.endpoint, self.path())
    }
}

/// Which files of a repository are wanted.
enum Pick<'a> {
    Model,
    /// One split of a configuration, and all that the data set may have.
    Split {
        config: &'a str,
        split: &'a SplitSpec,
        all: &'a [SplitSpec],
    },
}

impl Pick<'_> {
    /// The wanted files of a listing. An empty list says that there is no such split.
    fn choose(&self, names: &[String]) -> Result<Vec<String>, String> {
        match self {
            Pick::Model => listing::model_files(names),
            Pick::Split { config, split, all } => {
                let files = |split: &SplitSpec| listing::split_files(names, config, split.hub_stems);
                let is_empty = all.iter().all(|split| files(split).is_empty());
                let files = files(split);
                if is_empty && files.is_empty() {
                    return Err(format!("has no Parquet files for configuration {config}"));
                }
                Ok(files)
            }
        }
    }
}

/// Files of a data set, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The commit that they are of.
    pub commit: String,
    /// The files, sorted; none when the data set has no such split.
    pub files: Vec<PathBuf>,
}

/// Why the cache alone will not do.
enum Missing {
    /// That is not there, or not whole.
    File(String),
    /// By its listing, the repository does not hold what is wanted.
    Refused(String),
}

/// The hub behind its cache.
pub struct Hub {
    settings: Settings,
    /// Why it is offline, as a clause, and what to do then.
    offline: (&'static str, &'static str),
}

impl Hub {
    /// A hub with those settings. Nothing is asked of it yet.
    pub fn new(settings: Settings) -> Self {
        Hub {
            settings,
            offline: ("HF_HUB_OFFLINE is set and ", "unset it, or fetch it where there is a network"),
        }
    }

    /// What the environment's cache has, and nothing else: for those who only look.
    pub fn cache_only() -> Self {
        let settings = Settings::from_env();
        if settings.offline {
            return Hub::new(settings);
        }
        let offline = ("", "a training fetches it, or fetch it now");
        Hub { settings: Settings { offline: true, ..settings }, offline }
    }

    /// The hub that the environment describes.
    pub fn from_env() -> Self {
        Hub::new(Settings::from_env())
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model of that name: `demo`, a folder on disk, or a hub id, which is fetched where the
    /// cache does not have it. `watch` is told how far it is.
    ///
    /// # Errors
    /// [`Error::Model`] for a path that is no model folder, [`Error::Hub`] for what the hub
    /// refuses or the network loses, [`Error::Interrupted`] within moments of `cancelled`.
    pub fn model(
        &self,
        name: &str,
        revision: &str,
        watch: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<ModelFolder> {
        if name == "demo" {
            return Ok(assets::demo_model());
        }
        let path = expand_home(name);
        if path.is_dir() {
            return Ok(ModelFolder { name: name.to_string(), ..ModelFolder::on_disk(path) });
        }
        let repo = model_repo(name)?;
        let fetched = self.fetch(&repo, revision, &Pick::Model, watch, cancelled)?;
        let root = Cache::new(&self.settings.cache_dir, &repo).snapshot(&fetched.commit);
        Ok(ModelFolder { name: name.to_string(), commit: Some(fetched.commit), ..ModelFolder::on_disk(root) })
    }

    /// The Parquet files of one of `all` the splits of a data set: those on its main branch, else those that
    /// the hub converted.
    ///
    /// # Errors
    /// As [`Hub::model`]; a data set without any Parquet file of `config` is an [`Error::Hub`].
    pub fn dataset_files(
        &self,
        id: &str,
        config: &str,
        (split, all): (&SplitSpec, &[SplitSpec]),
        watch: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Fetched> {
        let repo = Repo { kind: Kind::Dataset, id: id.to_string() };
        let pick = Pick::Split { config, split, all };
        let on_main = self.fetch(&repo, "main", &pick, watch, cancelled);
        match on_main {
            Err(Error::Hub { problem, .. }) if problem.starts_with("has no Parquet files") => {
                self.fetch(&repo, "refs/convert/parquet", &pick, watch, cancelled)
            }
            other => other,
        }
    }

    /// Whether [`Hub::model`] would give that model at once, without the network.
    pub fn is_cached(&self, name: &str) -> bool {
        if name == "demo" || expand_home(name).is_dir() {
            return true;
        }
        model_repo(name).is_ok_and(|repo| {
            let cache = Cache::new(&self.settings.cache_dir, &repo);
            self.cached(&cache, "main", &Pick::Model).is_ok()
        })
    }

    /// Asks the hub for a sign of life.
    ///
    /// # Errors
    /// One sentence that says why there is none.
    pub fn reachable(&self) -> Result<(), String> {
        if self.settings.offline {
            return Err("HF_HUB_OFFLINE is set".to_string());
        }
        fetch::sign_of_life(&self.settings)
    }

    /// The wanted files: from the cache without a single request, or else from the hub.
    fn fetch(
        &self,
        repo: &Repo,
        revision: &str,
        pick: &Pick<'_>,
        watch: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Fetched> {
        if !listing::is_plain(revision) {
            return Err(Error::Usage(format!("revision = {revision:?} is not a branch, a tag or a commit")));
        }
        let cache = Cache::new(&self.settings.cache_dir, repo);
        let missing = match self.cached_whole(&cache, revision, pick, watch, cancelled)? {
            Ok(fetched) => return Ok(fetched),
            // A model may have got its weights since; a data set is looked for elsewhere.
            Err(Missing::Refused(problem)) if self.settings.offline || repo.kind == Kind::Dataset => {
                return Err(Error::Hub { repo: repo.id.clone(), problem });
            }
            Err(Missing::File(missing) | Missing::Refused(missing)) => missing,
        };
        if self.settings.offline {
            let (why, what_to_do) = self.offline;
            let dataset = if repo.kind == Kind::Dataset { "--repo-type dataset " } else { "" };
            return Err(Error::Hub {
                repo: repo.id.clone(),
                problem: format!(
                    "{why}{missing} is not in {}; {what_to_do} with `hf download {dataset}{}`",
                    cache.folder().display(),
                    repo.id
                ),
            });
        }
        let _lock = self.lock(watch, cancelled).map_err(|error| match error {
            Error::Write { path, source } => error::unwritable(repo, &path, &source),
            other => other,
        })?;
        // Another process may have fetched it while this one waited for the lock.
        if let Ok(fetched) = self.cached_whole(&cache, revision, pick, watch, cancelled)? {
            return Ok(fetched);
        }
        let mut at = None;
        let fetched = fetch::runtime(async || {
            let mut session = Session::new(&self.settings, repo, &cache, watch, cancelled)?;
            self.download(&mut session, revision, pick, &mut at).await
        })?;
        fetched.map_err(|trouble| trouble.into_error(&self.settings, repo, at.as_deref()))
    }

    /// Everything over the network; `at` is the file that is being fetched.
    async fn download(
        &self,
        session: &mut Session<'_>,
        revision: &str,
        pick: &Pick<'_>,
        at: &mut Option<String>,
    ) -> Result<Fetched, HubError> {
        let (commit, names) = session.resolve(revision).await?;
        session.cache.save_listing(&commit, &names)?;
        session.cache.set_commit(revision, &commit)?;
        let refuse = |problem| HubError::Local(Error::Hub { repo: session.repo.id.clone(), problem });
        let mut wanted = pick.choose(&names).map_err(refuse)?;
        let mut files = Vec::new();
        let mut next = 0;
        while next < wanted.len() {
            let name = wanted[next].clone();
            *at = Some(name.clone());
            let file = session.file(&commit, &name).await?;
            if name == INDEX {
                let index = std::fs::read(&file).map_err(|e| HubError::Local(Error::reading(&file)(e)))?;
                let refuse = |problem| HubError::Local(Error::Hub { repo: session.repo.id.clone(), problem });
                wanted.extend(listing::shards(&index).map_err(refuse)?);
            }
            files.push(file);
            next += 1;
        }
        Ok(Fetched { commit, files })
    }

    /// The wanted files when all of them are in the cache, or what is missing.
    fn cached(&self, cache: &Cache, revision: &str, pick: &Pick<'_>) -> Result<Fetched, Missing> {
        let missing = |what: &str| Missing::File(what.to_string());
        let commit =
            cache.commit_of(revision).ok_or_else(|| Missing::File(format!("revision {revision}")))?;
        let listed = cache.listing(&commit);
        let names = listed.clone().unwrap_or_else(|| cache.present(&commit));
        let mut wanted = pick.choose(&names).map_err(|problem| {
            if listed.is_some() { Missing::Refused(problem) } else { missing("a file that is needed") }
        })?;
        if let (None, Pick::Split { .. }) = (&listed, pick) {
            // Without a listing, a split that is not here may still be on the hub.
            if wanted.is_empty() || !listing::all_shards(&wanted) {
                return Err(missing("a part of the split"));
            }
        }
        if wanted.iter().any(|name| name == INDEX) {
            let index = std::fs::read(cache.file(&commit, INDEX)).map_err(|_| missing(INDEX))?;
            wanted.extend(listing::shards(&index).map_err(Missing::File)?);
        }
        // A vocabulary alone does not say whether case matters, so its settings are asked for.
        let has = |name: &str| wanted.iter().any(|found| found == name);
        let vocab_alone =
            matches!(pick, Pick::Model) && !has("tokenizer.json") && !has("tokenizer_config.json");
        if listed.is_none() && vocab_alone && !self.settings.offline {
            return Err(missing("tokenizer_config.json"));
        }
        let files: Vec<PathBuf> = wanted.iter().map(|name| cache.file(&commit, name)).collect();
        match wanted.iter().zip(&files).find(|(_, file)| !file.is_file()) {
            Some((name, _)) => Err(missing(name)),
            None => Ok(Fetched { commit, files }),
        }
    }

    /// As [`Hub::cached`], once it is sure that each file is what its digest says. Another tool
    /// may have left an error page in its place, which is removed.
    fn cached_whole(
        &self,
        cache: &Cache,
        revision: &str,
        pick: &Pick<'_>,
        watch: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Result<Fetched, Missing>> {
        let fetched = match self.cached(cache, revision, pick) {
            Ok(fetched) => fetched,
            Err(missing) => return Ok(Err(missing)),
        };
        let mut broken = None;
        for file in &fetched.files {
            let Some(digest) = Cache::digest_of(file).filter(|digest| verify::is_digest(digest)) else {
                continue;
            };
            if cache.is_verified(&digest) {
                continue;
            }
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            watch(nothing_counted(format!("checking {name}")));
            if verify::matches(file, &digest, cancelled)? {
                cache.note_verified(&digest);
            } else {
                cache.forget(file, &digest);
                broken = Some(name);
            }
        }
        Ok(broken.map_or(Ok(fetched), |name| Err(Missing::File(format!("a whole copy of {name}")))))
    }

    /// Waits until no other process downloads into this cache.
    fn lock(&self, watch: &mut dyn FnMut(Progress), cancelled: &AtomicBool) -> Result<File> {
        let path = self.settings.cache_dir.join(".locks/glue-tui.lock");
        cache::create_parent(&path)?;
        let options = || File::options().create(true).truncate(false).write(true).open(&path);
        let file = options().map_err(Error::writing(&path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(e)) => return Err(Error::writing(&path)(e)),
                Err(std::fs::TryLockError::WouldBlock) => {}
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(error::stopped());
            }
            if !told {
                watch(nothing_counted("waiting for another glue-tui that is downloading".to_string()));
                told = true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Work of which only the name is known.
fn nothing_counted(what: String) -> Progress {
    Progress { what, done: 0, total: None, unit: Unit::Nothing }
}

/// A path with `~` replaced by the user's home.
fn expand_home(name: &str) -> PathBuf {
    match (name.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(name),
    }
}

/// The repository of a hub id, or an error for what can only be meant as a path.
fn model_repo(name: &str) -> Result<Repo> {
    let is_path = name.starts_with(['.', '/', '~'])
        || name.ends_with('/')
        || name.contains('\\')
        || Path::new(name).is_absolute()
        || Path::new(name).is_file();
    if is_path {
        let what = if expand_home(name).exists() { "is not a folder" } else { "is not there" };
        return Err(Error::model(
            name,
            format!("{what}; give a folder with config.json, or a hub id like owner/name"),
        ));
    }
    let letters = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && part.bytes().any(|byte| byte != b'.')
    };
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|part| letters(part)) {
        return Err(Error::model(
            name,
            "is neither a folder nor a hub id; a hub id looks like owner/name and has letters, digits, '-', '_' and '.'",
        ));
    }
    Ok(Repo { kind: Kind::Model, id: name.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_path_is_not_asked_of_the_hub() {
        for name in ["./x", "/no/such", "~/none", "..", "a\\b", "models/"] {
            let e = model_repo(name).map(|repo| repo.id).unwrap_err().to_string();
            assert!(e.contains("is not there") || e.contains("not a folder"), "{name}: {e}");
        }
        for name in ["a/b/c", "a b", "", "a//b", "x/..", "owner/na?me"] {
            assert!(model_repo(name).is_err(), "{name}");
        }
        assert_eq!(
            model_repo("google/bert_uncased_L-2_H-128_A-2").unwrap().id,
            "google/bert_uncased_L-2_H-128_A-2"
        );
        assert!(model_repo("distilbert-base-uncased").is_ok());
    }
}
