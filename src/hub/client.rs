//! The hub with its cache.

use super::cache::{self, Cache};
use super::cached::{CacheMiss, find_verified, is_cached};
use super::config::HubConfig;
use super::download::Downloader;
use super::error::{HubError, cancelled_error, unwritable};
use super::listing::{self, FileSelection, is_index};
use super::progress::indeterminate;
use super::repo::{Repo, RepoType, Snapshot};
use super::request::{block_on, ping};
use crate::assets;
use crate::catalog::{KnownModel, MODELS, SplitSpec, known_model_by_short_id};
use crate::config::closest_match;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::files::{BaseModel, ModelFolder, Root, expand_home, read_regular};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How the short ids of the supported families begin.
const SHORT_ID_PREFIXES: [&str; 7] =
    ["bert-", "distilbert-", "roberta-", "distilroberta-", "xlm-roberta-", "camembert-", "albert-"];

/// The file of a model that has its shape.
const CONFIG: &str = "config.json";

/// The revision to which the hub converts datasets in other formats.
const PARQUET_REVISION: &str = "refs/convert/parquet";

/// The hub with its cache.
pub struct Hub {
    config: HubConfig,
    /// Whether the network is unused because the caller only looks at the cache, and not because of the user's
    /// configuration.
    is_cache_only: bool,
}

/// The result of fetching files.
enum Fetched {
    Files(Snapshot),
    /// The repository does not have the files; a clause that says why.
    NotInRepo(String),
}

impl Hub {
    /// A hub with that configuration. No request is made yet.
    pub fn new(config: HubConfig) -> Self {
        Hub { config, is_cache_only: false }
    }

    /// The cache of the environment, without the network.
    pub fn cache_only() -> Self {
        let config = HubConfig::from_env();
        let is_cache_only = !config.offline;
        Hub { config: HubConfig { offline: true, ..config }, is_cache_only }
    }

    /// A hub with the configuration of the environment.
    pub fn from_env() -> Self {
        Hub::new(HubConfig::from_env())
    }

    /// The configuration.
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    /// The model `name`: `demo`, a local folder, or a hub id, which is downloaded unless it is cached. A folder with an
    /// adapter comes with its base model, which is found in the same way.
    ///
    /// # Errors
    /// [`Error::Model`] for a path that is not a model folder, [`Error::Hub`] if a request fails,
    /// [`Error::Interrupted`] soon after `cancelled` is set.
    pub fn model(
        &self,
        name: &str,
        revision: &str,
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<ModelFolder> {
        if name == assets::DEMO {
            return Ok(assets::demo_model());
        }
        let path = expand_home(name);
        if path.is_dir() {
            let root = match BaseModel::of_adapter(&path)? {
                None => Root::Disk(path),
                Some(base) => {
                    let base = self.model(&base.name, revision_of(&base), on_progress, cancelled)?;
                    Root::Adapter { folder: path, base: Box::new(base) }
                }
            };
            return Ok(ModelFolder { name: name.to_string(), commit: None, root });
        }
        let repo = Repo::model(name)?;
        if !self.may_be_model(name) {
            return Err(Error::model(name, unknown_name(name)));
        }
        match self.fetch(&repo, revision, &FileSelection::Model, on_progress, cancelled)? {
            Fetched::Files(Snapshot { commit, .. }) => {
                let folder = Cache::new(&self.config.cache_dir, &repo).snapshot(&commit);
                let folder = ModelFolder::on_disk(folder);
                Ok(ModelFolder { name: name.to_string(), commit: Some(commit), ..folder })
            }
            Fetched::NotInRepo(problem) => Err(Error::Hub { repo: repo.id, problem }),
        }
    }

    /// The Parquet files of one of `all` splits of a dataset: from its main branch, otherwise those that the hub converted.
    ///
    /// # Errors
    /// As [`Hub::model`]; a dataset without Parquet files of the configuration `config` is an [`Error::Hub`].
    pub fn dataset_files(
        &self,
        id: &str,
        config: &str,
        (split, all): (&SplitSpec, &[SplitSpec]),
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Snapshot> {
        let repo = Repo::dataset(id);
        let selection = FileSelection::Split { config, split, all };
        let mut fetched = self.fetch(&repo, "main", &selection, on_progress, cancelled)?;
        if let Fetched::NotInRepo(on_main) = fetched {
            let converted = self.fetch(&repo, PARQUET_REVISION, &selection, on_progress, cancelled);
            fetched = converted.map_err(|error| match error {
                Error::Hub { repo, problem } => Error::Hub {
                    repo,
                    problem: format!("{on_main} on main; its revision {PARQUET_REVISION}: {problem}"),
                },
                error => error,
            })?;
        }
        match fetched {
            Fetched::Files(snapshot) => Ok(snapshot),
            Fetched::NotInRepo(problem) => Err(Error::Hub { repo: repo.id, problem }),
        }
    }

    /// Whether [`Hub::model`] would return the model without a request.
    pub fn is_cached(&self, name: &str) -> bool {
        let path = expand_home(name);
        if path.is_dir() {
            let base = BaseModel::of_adapter(&path).ok().flatten();
            return base.is_none_or(|base| self.is_revision_cached(&base.name, revision_of(&base)));
        }
        self.is_revision_cached(name, "main")
    }

    /// As [`Hub::is_cached`], for a model that is no adapter.
    fn is_revision_cached(&self, name: &str, revision: &str) -> bool {
        let is_local = name == assets::DEMO || expand_home(name).is_dir();
        is_local
            || Repo::model(name).is_ok_and(|repo| {
                let cache = Cache::new(&self.config.cache_dir, &repo);
                is_cached(&self.config, &cache, revision, &FileSelection::Model)
            })
    }

    /// Whether a valid hub id may name a model: it has an owner, is in the cache, or may be one of the short ids of the
    /// hub's early days, such as `bert-base-german-cased`. Any other name without an owner is most likely a typo, which
    /// needs no request.
    fn may_be_model(&self, name: &str) -> bool {
        let may_be_short_id = || {
            let has_family = SHORT_ID_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            known_model_by_short_id(name).is_some() || (has_family && similar_model(name).is_none())
        };
        name.contains('/') || may_be_short_id() || self.is_cached(name)
    }

    /// Checks the name of a model without a request.
    ///
    /// # Errors
    /// [`Error::Model`] for a path that is not a folder and for a text that is no hub id, [`Error::Hub`] for a model that
    /// is not in the cache of a hub that is offline.
    pub fn check_model_name(&self, name: &str, revision: &str, cancelled: &AtomicBool) -> Result<()> {
        if name == assets::DEMO {
            return Ok(());
        }
        let path = expand_home(name);
        if path.is_dir() {
            return match BaseModel::of_adapter(&path)? {
                Some(base) => self.check_model_name(&base.name, revision_of(&base), cancelled),
                None => Ok(()),
            };
        }
        Repo::model(name)?;
        if !self.may_be_model(name) {
            return Err(Error::model(name, unknown_name(name)));
        }
        if self.config.offline {
            self.model(name, revision, &mut |_| {}, cancelled)?;
        }
        Ok(())
    }

    /// The `config.json` of the model `name` on the hub, which has all files that a model needs; nothing is stored. `None`
    /// for a model on disk or in the cache, and if the hub is offline. For an adapter on disk, that of its base model.
    ///
    /// # Errors
    /// As [`Hub::model`].
    pub fn remote_config(
        &self,
        name: &str,
        revision: &str,
        cancelled: &AtomicBool,
    ) -> Result<Option<Vec<u8>>> {
        if self.config.offline || name == assets::DEMO {
            return Ok(None);
        }
        let path = expand_home(name);
        if path.is_dir() {
            return match BaseModel::of_adapter(&path)? {
                Some(base) => self.remote_config(&base.name, revision_of(&base), cancelled),
                None => Ok(None),
            };
        }
        let repo = Repo::model(name)?;
        check_revision(revision)?;
        let cache = Cache::new(&self.config.cache_dir, &repo);
        if is_cached(&self.config, &cache, revision, &FileSelection::Model) {
            return Ok(None);
        }
        let mut current_file = None;
        let config = block_on(async || {
            let mut ignore = |_| {};
            let mut downloader = Downloader::new(&self.config, &repo, &cache, &mut ignore, cancelled)?;
            let (commit, names) = downloader.resolve(revision).await?;
            if let Err(problem) = FileSelection::Model.select(&names) {
                return Ok(Err(problem));
            }
            current_file = Some(CONFIG);
            downloader.small_file(&commit, CONFIG).await.map(Ok)
        })?;
        match config.map_err(|error: HubError| error.into_error(&self.config, &repo, current_file))? {
            Ok(config) => Ok(Some(config)),
            Err(problem) => Err(Error::Hub { repo: repo.id, problem }),
        }
    }

    /// The ids of the models that are complete in the cache, in the order of the alphabet.
    pub fn cached_models(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.config.cache_dir).into_iter().flatten().flatten();
        let id = |name: &str| {
            Some(name.strip_prefix(RepoType::Model.plural())?.strip_prefix("--")?.replacen("--", "/", 1))
        };
        let ids = entries.filter_map(|entry| id(entry.file_name().to_str()?));
        let mut ids: Vec<String> = ids.filter(|id| self.is_cached(id)).collect();
        ids.sort_unstable();
        ids
    }

    /// Sends one request to the hub.
    ///
    /// # Errors
    /// A sentence that says why the hub cannot be reached.
    pub fn check_reachable(&self) -> Result<(), String> {
        if self.config.offline {
            return Err("HF_HUB_OFFLINE is set".to_string());
        }
        ping(&self.config)
    }

    /// The selected files: from the cache without a request, otherwise from the hub.
    fn fetch(
        &self,
        repo: &Repo,
        revision: &str,
        selection: &FileSelection<'_>,
        on_progress: &mut dyn FnMut(Progress),
        cancelled: &AtomicBool,
    ) -> Result<Fetched> {
        check_revision(revision)?;
        let cache = Cache::new(&self.config.cache_dir, repo);
        let missing = match find_verified(&self.config, &cache, revision, selection, on_progress, cancelled)?
        {
            Ok(snapshot) => return Ok(Fetched::Files(snapshot)),
            // The main branch of a model may have changed since; a dataset has another revision to try.
            Err(CacheMiss::NotInRepo(problem))
                if self.config.offline || repo.repo_type == RepoType::Dataset =>
            {
                return Ok(Fetched::NotInRepo(problem));
            }
            Err(CacheMiss::NotCached(missing) | CacheMiss::NotInRepo(missing)) => missing,
        };
        if self.config.offline {
            return Err(self.offline_error(repo, &cache, &missing));
        }
        let _lock = self.lock(on_progress, cancelled).map_err(|error| match error {
            Error::Write { path, source } => unwritable(repo, &path, &source),
            other => other,
        })?;
        cache.remove_leftovers()?;
        // Another process may have downloaded the files while this one waited for the lock.
        if let Ok(snapshot) =
            find_verified(&self.config, &cache, revision, selection, on_progress, cancelled)?
        {
            return Ok(Fetched::Files(snapshot));
        }
        let mut current_file = None;
        let fetched = block_on(async || {
            let mut downloader = Downloader::new(&self.config, repo, &cache, on_progress, cancelled)?;
            download(&mut downloader, revision, selection, &mut current_file).await
        })?;
        fetched.map_err(|error| error.into_error(&self.config, repo, current_file.as_deref()))
    }

    /// The error for a file that is not in the cache while the network is not used.
    fn offline_error(&self, repo: &Repo, cache: &Cache, missing: &str) -> Error {
        let repo_type = if repo.repo_type == RepoType::Dataset { "--repo-type dataset " } else { "" };
        let command = format!("`hf download {repo_type}{}`", repo.id);
        let folder = cache.folder().display();
        let problem = if self.is_cache_only {
            format!("{missing} is not in {folder}; start a training, which downloads it, or run {command}")
        } else {
            format!("HF_HUB_OFFLINE is set and {missing} is not in {folder}; unset it, or run {command}")
        };
        Error::Hub { repo: repo.id.clone(), problem }
    }

    /// Waits until no other process downloads into this cache.
    fn lock(&self, on_progress: &mut dyn FnMut(Progress), cancelled: &AtomicBool) -> Result<File> {
        let path = self.config.cache_dir.join(".locks/glue-tui.lock");
        cache::create_parent(&path)?;
        let open = || File::options().create(true).truncate(false).write(true).open(&path);
        let file = open().map_err(Error::writing(&path))?;
        let mut is_reported = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::Error(e)) => return Err(Error::writing(&path)(e)),
                Err(std::fs::TryLockError::WouldBlock) => {}
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(cancelled_error());
            }
            if !is_reported {
                on_progress(indeterminate("waiting for the download of another glue-tui".to_string()));
                is_reported = true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The revision of the base model of an adapter.
fn revision_of(base: &BaseModel) -> &str {
    base.revision.as_deref().unwrap_or("main")
}

fn check_revision(revision: &str) -> Result<()> {
    if listing::is_plain(revision) {
        return Ok(());
    }
    Err(Error::Usage(format!("revision = {revision:?} is not a branch, a tag or a commit")))
}

/// The known model whose short id resembles `name`.
fn similar_model(name: &str) -> Option<&'static KnownModel> {
    let short_ids = MODELS.iter().filter_map(|model| model.id.rsplit('/').next());
    closest_match(name, short_ids).and_then(known_model_by_short_id)
}

/// The problem of a name without an owner that is not known.
fn unknown_name(name: &str) -> String {
    let similar = similar_model(name);
    let example = similar.map_or("google-bert/bert-base-uncased", |model| model.id);
    let hint = if similar.is_some() { "did you mean" } else { "as in" };
    let end = if similar.is_some() { "?" } else { "" };
    format!("is neither a model folder nor a hub id; a hub id has an owner and a name, {hint} {example}{end}")
}

/// Downloads the selected files. `current_file` is the file in progress, to name it in an error.
async fn download(
    downloader: &mut Downloader<'_>,
    revision: &str,
    selection: &FileSelection<'_>,
    current_file: &mut Option<String>,
) -> Result<Fetched, HubError> {
    let (commit, names) = downloader.resolve(revision).await?;
    downloader.cache.save_listing(&commit, &names)?;
    downloader.cache.set_commit(revision, &commit)?;
    let mut selected = match selection.select(&names) {
        Ok(selected) => selected,
        Err(problem) => return Ok(Fetched::NotInRepo(problem)),
    };
    let mut files = Vec::new();
    // The index of the weights adds the shards to the selection.
    while let Some(name) = selected.get(files.len()).cloned() {
        *current_file = Some(name.clone());
        let file = downloader.file(&commit, &name).await?;
        if is_index(&name) {
            let index = read_regular(&file).map_err(Error::reading(&file))?;
            match listing::shards(&index) {
                Ok(shards) => selected.extend(shards),
                Err(problem) => return Ok(Fetched::NotInRepo(problem)),
            }
        }
        files.push(file);
    }
    Ok(Fetched::Files(Snapshot { commit, files }))
}
