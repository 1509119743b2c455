//! Checks of a specification that look at files: `check`, a form and every start of a run use them. A run that cannot
//! start has no run directory.

use crate::catalog::ModelSize;
use crate::data::{
    self, ColumnError, DatasetSource, LoadContext, Tokenizer, check_columns, infer_columns_by_key,
};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::nn::{ModelConfig, param_specs};
use crate::spec::{RunSpec, SweptValues, built_in, key_named};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Files of task `custom` with at most this many bytes together are read completely before a run starts.
const MAX_READ_BYTES: u64 = 16 << 20;

/// Why a specification cannot be trained.
#[derive(Debug)]
pub struct SpecProblem {
    /// The key to change.
    pub key: &'static str,
    /// The error.
    pub error: Error,
}

/// Everything in the files that `spec` names that keeps it from training, in the order of the keys: missing files,
/// folders, splits and columns, and a model that cannot be used. The rows are not read, and nothing is downloaded.
pub fn spec_problems(spec: &RunSpec) -> Vec<SpecProblem> {
    let problem = |key| move |error| SpecProblem { key, error };
    let model = check_model(spec).err().map(problem("model"));
    let data = if spec.task().is_custom() {
        custom_problems(spec)
    } else {
        let key = if spec.data_dir.is_some() { "data_dir" } else { "task" };
        check_task_files(spec).err().map(problem(key)).into_iter().collect()
    };
    model.into_iter().chain(data).collect()
}

/// `spec` with the columns of its files, if it can be trained as far as is known before its rows are tokenized. Small
/// files are read completely, and the hub is asked for what has to be downloaded.
///
/// # Errors
/// The first of [`spec_problems`]; for small files also those in their rows, and [`Error::Usage`] for keys that do not
/// apply to their labels; [`Error::Hub`] for a model that the hub does not have and a hub that cannot be reached;
/// [`Error::Interrupted`] soon after `cancelled` is set.
pub fn check_spec(spec: &RunSpec, cancelled: &AtomicBool) -> Result<RunSpec> {
    if let Some(problem) = spec_problems(spec).into_iter().next() {
        return Err(problem.error);
    }
    let spec = data::infer_columns(spec)?;
    check_hub(&spec, cancelled)?;
    if spec.task().is_custom()
        && custom_files(&spec).map(|(_, file)| size(file)).sum::<u64>() <= MAX_READ_BYTES
    {
        let mut context = LoadContext { hub: &Hub::cache_only(), on_progress: &mut |_| {}, cancelled };
        let dataset = data::load(DatasetSource::from_spec(&spec).subsampled(), &mut context)?;
        spec.with_labels(&dataset.labels)?;
    }
    Ok(spec)
}

/// Checks that the model of `spec` can be trained, without looking at its data.
///
/// # Errors
/// As [`check_spec`].
pub fn check_model_of(spec: &RunSpec, cancelled: &AtomicBool) -> Result<()> {
    check_model(spec)?;
    check_model_on_hub(spec, &Hub::from_env(), cancelled).map(drop)
}

/// The size of a model: by its name, or else by the number of its parameters. `None` if its configuration cannot be read.
///
/// # Errors
/// As [`Hub::remote_config`], for a model that is not on this machine.
pub fn model_size(model: &str, revision: &str, cancelled: &AtomicBool) -> Result<Option<ModelSize>> {
    if let Some(size) = ModelSize::of_name(model) {
        return Ok(Some(size));
    }
    let hub = Hub::from_env();
    let config = if hub.is_cached(model) {
        let folder = Hub::cache_only().model(model, revision, &mut |_| {}, cancelled);
        folder.and_then(|folder| ModelConfig::read(&folder)).ok()
    } else {
        let config = hub.remote_config(model, revision, cancelled)?;
        config.and_then(|config| ModelConfig::parse(model, &config).ok())
    };
    let parameters = |config: &ModelConfig| -> usize {
        // The number of labels hardly matters.
        param_specs(config, 2).iter().map(|param| param.shape.iter().product::<usize>()).sum()
    };
    Ok(config.map(|config| ModelSize::of_parameters(parameters(&config) as u64)))
}

/// What is known about the values of a form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueCheck {
    /// Why a value cannot be used, by the name of its key.
    pub problems: Vec<(&'static str, String)>,
    /// The names of the columns of the training file.
    pub columns: Vec<String>,
}

/// Checks values (key, text as typed) with each other and with the files that they name. Values that are not valid on
/// their own are left out.
pub fn check_values(values: &[(&'static str, String)]) -> ValueCheck {
    let mut spec = built_in("");
    for (key, text) in values {
        if let Some(key) = key_named(key) {
            // An invalid value is shown beside its field already.
            key.set(&mut spec, &SweptValues::first_of(key, text)).ok();
        }
    }
    let mut problems = spec.violations();
    if problems.is_empty() || spec.train_file.is_some() {
        let of_files =
            spec_problems(&spec).into_iter().map(|SpecProblem { key, error }| (key, error.to_string()));
        problems.extend(of_files);
    }
    let file = spec.train_file.as_deref().filter(|_| spec.task().is_custom());
    let columns = file.and_then(|file| data::column_names(&spec, file).ok()).unwrap_or_default();
    ValueCheck { problems, columns }
}

/// Checks that a local model has a configuration and a tokenizer, and that any other name is a hub id.
fn check_model(spec: &RunSpec) -> Result<()> {
    let (hub, cancelled) = (Hub::from_env(), AtomicBool::new(false));
    hub.check_model_name(&spec.model, &spec.revision, &cancelled)?;
    if !hub.is_cached(&spec.model) {
        return Ok(());
    }
    let folder = Hub::cache_only().model(&spec.model, &spec.revision, &mut |_| {}, &cancelled);
    // A revision that is not in the cache is downloaded.
    let Ok(folder) = folder else { return Ok(()) };
    ModelConfig::read(&folder)?;
    Tokenizer::load(&folder, spec.max_seq_length).map(drop)
}

/// Checks that the hub has the model, of a family that can be trained, and that it can be reached if the data have to be
/// downloaded. Makes no request for what is in the cache.
fn check_hub(spec: &RunSpec, cancelled: &AtomicBool) -> Result<()> {
    let hub = Hub::from_env();
    if hub.config().offline || check_model_on_hub(spec, &hub, cancelled)? == ModelPlace::Hub {
        return Ok(());
    }
    let mut context = LoadContext { hub: &Hub::cache_only(), on_progress: &mut |_| {}, cancelled };
    match data::check_files(DatasetSource::from_spec(spec), &mut context) {
        Err(Error::Hub { repo, .. }) => {
            let endpoint = &hub.config().endpoint;
            hub.check_reachable().map_err(|cause| Error::Hub {
                repo,
                problem: format!(
                    "cannot be downloaded from {endpoint} ({cause}); check the network and HF_ENDPOINT, or set \
                     data_dir to a local folder"
                ),
            })
        }
        Err(error @ Error::Interrupted(_)) => Err(error),
        // The training reports it, with its progress.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelPlace {
    /// On this machine, or the hub is offline.
    Local,
    /// On the hub, which can therefore be reached.
    Hub,
}

/// Checks that the hub has the model, of a family that can be trained, if it has to be downloaded.
fn check_model_on_hub(spec: &RunSpec, hub: &Hub, cancelled: &AtomicBool) -> Result<ModelPlace> {
    if hub.config().offline {
        return Ok(ModelPlace::Local);
    }
    match hub.remote_config(&spec.model, &spec.revision, cancelled)? {
        Some(config) => ModelConfig::parse(&spec.model, &config).map(|_| ModelPlace::Hub),
        None => Ok(ModelPlace::Local),
    }
}

/// Checks that the splits of a task of the catalog have files. Those of the hub are checked only if it is offline.
fn check_task_files(spec: &RunSpec) -> Result<()> {
    let hub = Hub::from_env();
    if spec.data_dir.is_none() && !hub.config().offline {
        return Ok(());
    }
    let cancelled = AtomicBool::new(false);
    let mut context = LoadContext { hub: &hub, on_progress: &mut |_| {}, cancelled: &cancelled };
    data::check_files(DatasetSource::from_spec(spec), &mut context)
}

/// The files of task `custom`, each with its key.
fn custom_files(spec: &RunSpec) -> impl Iterator<Item = (&'static str, &Path)> {
    let files = [
        ("train_file", &spec.train_file),
        ("validation_file", &spec.validation_file),
        ("test_file", &spec.test_file),
    ];
    files.into_iter().filter_map(|(key, file)| Some((key, file.as_deref()?)))
}

fn custom_problems(spec: &RunSpec) -> Vec<SpecProblem> {
    let (filled, mut problems) = match infer_columns_by_key(spec) {
        Ok(filled) => (Some(filled), Vec::new()),
        Err(ColumnError { key, error }) => (None, vec![SpecProblem { key, error }]),
    };
    for (key, file) in custom_files(spec).filter(|(key, _)| *key != "train_file") {
        let checked = match &filled {
            Some(filled) => check_columns(filled, file, key == "validation_file"),
            None => data::column_names(spec, file).map(drop),
        };
        problems.extend(checked.err().map(|error| SpecProblem { key, error }));
    }
    problems
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(set: &[(&str, String)]) -> RunSpec {
        let set: Vec<(String, String)> =
            set.iter().map(|(key, text)| ((*key).to_string(), text.clone())).collect();
        RunSpec { task: "custom".parse().unwrap(), ..built_in("x") }.with(&set).unwrap()
    }

    fn keys(spec: &RunSpec) -> Vec<&'static str> {
        spec_problems(spec).into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn problems_have_the_key_to_change() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        std::fs::write(path("a.csv"), "review,mood\nfine,good\nslow,bad\nwarm,good\n").unwrap();
        std::fs::write(path("b.csv"), "review,feeling\nfine,good\n").unwrap();
        let columns = [("text_column", "review".to_string()), ("label_column", "mood".to_string())];
        let spec = |more: &[(&str, String)]| {
            custom(&[&[("train_file", path("a.csv"))], &columns[..], more].concat())
        };
        assert_eq!(keys(&spec(&[])), [""; 0]);
        assert_eq!(keys(&custom(&[("train_file", path("a.csv"))])), ["label_column"]);
        assert_eq!(keys(&spec(&[("train_file", path("none.csv"))])), ["train_file"]);
        assert_eq!(
            keys(&spec(&[("text_column", "x".into()), ("validation_file", path("none.csv"))])),
            ["text_column", "validation_file"]
        );
        assert_eq!(
            keys(&spec(&[("validation_file", path("b.csv"))])),
            ["validation_file"],
            "it lacks the label"
        );
        assert_eq!(keys(&spec(&[("test_file", path("b.csv"))])), [""; 0], "a test file needs no label");
        assert_eq!(
            keys(&spec(&[("model", path("model")), ("label_column", "x".into())])),
            ["model", "label_column"]
        );
        assert_eq!(keys(&RunSpec { model: "a b/c".into(), ..built_in("x") }), ["model"]);
        let sst =
            RunSpec { task: "sst".parse().unwrap(), data_dir: Some(home.path().into()), ..built_in("x") };
        assert_eq!(keys(&sst), ["data_dir"]);
        assert_eq!(keys(&RunSpec { data_dir: Some(home.path().into()), ..built_in("x") }), ["data_dir"]);
    }

    #[test]
    fn values_of_a_form_are_checked_with_their_files() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.csv").display().to_string();
        std::fs::write(&file, "review,mood\nfine,good\nslow,bad\nwarm,good\n").unwrap();
        let values = |more: &[(&'static str, &str)]| {
            let mut values = vec![("task", "custom".to_string()), ("train_file", file.clone())];
            values.extend(more.iter().map(|(key, text)| (*key, (*text).to_string())));
            check_values(&values)
        };
        let found = values(&[("seed", "x"), ("text_column", "review"), ("label_column", "feeling")]);
        assert_eq!(found.columns, ["review", "mood"]);
        assert_eq!(found.problems.len(), 1);
        assert!(
            found.problems[0].0 == "label_column" && found.problems[0].1.contains("has no column feeling")
        );
        let found = values(&[("data_dir", "/"), ("text_column", "review"), ("label_column", "mood")]);
        assert_eq!(found.problems.iter().map(|problem| problem.0).collect::<Vec<_>>(), ["data_dir"]);
        let found = check_values(&[("task", "custom".into())]);
        assert_eq!(found.problems.iter().map(|problem| problem.0).collect::<Vec<_>>(), ["task"]);
    }

    #[test]
    fn small_files_are_read_before_a_run_starts() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.csv");
        let check = |rows: &str, more: &[(&str, String)]| {
            std::fs::write(&file, format!("text,label\n{rows}")).unwrap();
            let spec = custom(&[&[("train_file", file.display().to_string())], more].concat());
            check_spec(&spec, &AtomicBool::new(false)).map_err(|error| error.to_string())
        };
        assert_eq!(check("a,1\nb,2\nc,1\n", &[]).unwrap().label_column, Some("label".into()));
        assert!(check("a,1\nb,1\n", &[]).unwrap_err().contains("only the label"));
        assert!(check("a,1\nb,\n", &[]).unwrap_err().contains("a.csv:3"));
        let weights = [("class_weights", "[1.0, 2.0, 3.0]".to_string())];
        assert!(check("a,1\nb,2\nc,1\n", &weights).unwrap_err().contains("class_weights"));
    }
}
