//! Models and data that a new experiment may use: those of earlier runs, those in the cache, and well-known ones.

use super::dir::RunDir;
use super::index::list;
use super::row::RunRow;
use crate::assets::DEMO;
use crate::catalog::{MODELS, ModelSize, known_model};
use crate::files::{ADAPTER_CONFIG, collapse_home, expand_home};
use crate::hub::Hub;
use std::path::{Path, PathBuf};

/// The largest model that is suggested where training may run on a processor.
const MAX_SUGGESTED: ModelSize = ModelSize::Small;

/// Newest runs whose data are suggested, and the maximum number of suggested paths.
const RECENT_RUNS: usize = 100;
const RECENT_DATA: usize = 12;

/// Models and data to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suggestions {
    /// The models.
    pub models: Vec<ModelOption>,
    /// Files and folders of earlier runs that still exist, the newest first.
    pub data: Vec<PathBuf>,
}

impl Suggestions {
    /// The suggestions of the runs in `runs_dir` and the cache of the hub. What cannot be read is left out.
    pub fn read(runs_dir: &Path) -> Self {
        let mut runs = list(runs_dir).unwrap_or_default();
        runs.truncate(RECENT_RUNS);
        Suggestions { models: model_options(&runs, &Hub::cache_only()), data: recent_data(&runs) }
    }
}

/// The files and folders that runs were trained on.
fn recent_data(runs: &[RunRow]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for run in runs.iter().filter(|run| run.problem.is_none()) {
        let Ok(spec) = RunDir::at(&run.dir).spec() else { continue };
        let path = spec.train_file.or(spec.data_dir).filter(|path| path.exists());
        if let Some(path) = path.filter(|path| !paths.contains(path)) {
            paths.push(path);
        }
        if paths.len() == RECENT_DATA {
            break;
        }
    }
    paths
}

/// A model to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOption {
    /// Hub id, folder, or `demo`.
    pub id: String,
    /// A short description.
    pub note: String,
    /// Where it is.
    pub place: ModelPlace,
}

/// Where a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelPlace {
    /// In the program.
    BuiltIn,
    /// In a folder that an earlier run used.
    Folder,
    /// In the cache of the hub.
    Cached,
    /// On the hub.
    Hub,
}

/// The models to choose from: the built-in one, folders that earlier runs used, newest first, those in the cache of the
/// hub, and the well-known ones of the hub.
fn model_options(runs: &[RunRow], hub: &Hub) -> Vec<ModelOption> {
    let option = |id: &str, place: ModelPlace| {
        let size = known_model(id).map(|model| format!("{}, {:.1} M", model.title, model.millions));
        let place_note = match place {
            ModelPlace::BuiltIn | ModelPlace::Hub => None,
            ModelPlace::Folder => Some("used by an earlier run"),
            ModelPlace::Cached => Some("in the cache"),
        };
        let parts: Vec<String> = size.into_iter().chain(place_note.map(str::to_string)).collect();
        ModelOption { id: id.to_string(), note: parts.join("; "), place }
    };
    let mut options = vec![option(DEMO, ModelPlace::BuiltIn)];
    let mut add = |id: String, place| {
        if !options.iter().any(|other| other.id == id) {
            options.push(option(&id, place));
        }
    };
    for run in runs {
        let folder = expand_home(&run.model);
        if run.model != DEMO && is_model_folder(&folder) {
            add(collapse_home(&folder), ModelPlace::Folder);
        }
    }
    hub.cached_models().into_iter().for_each(|id| add(id, ModelPlace::Cached));
    for model in MODELS {
        add(model.id.to_string(), ModelPlace::Hub);
    }
    options
}

/// Whether a folder has a model in the Hugging Face layout, or an adapter.
pub fn is_model_folder(folder: &Path) -> bool {
    ["config.json", ADAPTER_CONFIG].iter().any(|name| folder.join(name).is_file())
}

/// The model that a new experiment starts with: the last folder that a run used, or else the smallest model in the
/// cache that is quick on a processor, or else the built-in one.
pub fn suggested_model(options: &[ModelOption]) -> &str {
    let size = |option: &ModelOption| ModelSize::of_name(&option.id);
    let is_quick = |option: &&ModelOption| size(option).is_some_and(|size| size <= MAX_SUGGESTED);
    let folder = options.iter().filter(|option| option.place == ModelPlace::Folder).find(is_quick);
    let cached = options.iter().filter(|option| option.place == ModelPlace::Cached).filter(is_quick);
    folder.or_else(|| cached.min_by_key(|option| size(option))).map_or(DEMO, |option| &option.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(id: &str, place: ModelPlace) -> ModelOption {
        ModelOption { id: id.into(), note: String::new(), place }
    }

    #[test]
    fn quick_models_that_are_here_are_suggested() {
        let demo = || option(DEMO, ModelPlace::BuiltIn);
        let hub = || option("google/bert_uncased_L-2_H-128_A-2", ModelPlace::Hub);
        assert_eq!(suggested_model(&[demo(), hub()]), DEMO);
        let large = option("google-bert/bert-large-uncased", ModelPlace::Cached);
        assert_eq!(suggested_model(&[demo(), large.clone(), hub()]), DEMO);
        let small = option("google/bert_uncased_L-4_H-512_A-8", ModelPlace::Cached);
        let tiny = option("google/bert_uncased_L-4_H-256_A-4", ModelPlace::Cached);
        assert_eq!(suggested_model(&[demo(), large, small, tiny.clone()]), tiny.id);
        let folder = option("~/models/minilm", ModelPlace::Folder);
        assert_eq!(suggested_model(&[demo(), folder.clone(), tiny]), folder.id);
    }
}
