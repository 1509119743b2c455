//! The model that is exported: the best weights of a run, or a model folder.

use super::digests::digests;
use super::peft::SourceAdapters;
use crate::catalog::{Labels, ProblemType};
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::files::{ModelFolder, check_digests, expand_home};
use crate::hub::Hub;
use crate::nn::{self, Built, Lora};
use crate::predict::not_a_run;
use crate::run::{RunDir, find, run_labels};
use crate::spec::{DeviceSpec, Precision, RunSpec};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A model to export.
#[derive(Debug)]
pub struct ExportSource {
    /// The files of the model.
    pub(super) folder: ModelFolder,
    /// The run that it is from, if any.
    pub(super) run: Option<SourceRun>,
}

/// The run of a model.
#[derive(Debug)]
pub(super) struct SourceRun {
    pub(super) spec: RunSpec,
    pub(super) labels: Labels,
    pub(super) dir: RunDir,
}

impl ExportSource {
    /// The best weights of the run in the directory `run`.
    ///
    /// # Errors
    /// [`Error::Model`] if the run has no weights yet, [`Error::Data`] if they are damaged.
    pub fn of_run(run: &Path) -> Result<Self> {
        let dir = RunDir::at(run);
        let best = dir.best();
        if !best.is_dir() {
            return Err(Error::model(
                dir.name(),
                "has no weights to export yet; continue the training with --resume",
            ));
        }
        check_digests(&best)?;
        let labels = run_labels(&dir, &dir.spec()?);
        let spec = dir.spec_of_best()?;
        let folder = ModelFolder { name: dir.name(), ..ModelFolder::on_disk(&best) };
        Ok(ExportSource { folder, run: Some(SourceRun { spec, labels, dir }) })
    }

    /// The model `name`: the name of a run in `runs_dir`, a run directory, a local model folder, or an id on `hub`.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Hub`] for a model that cannot be used or fetched.
    pub fn open(name: &str, runs_dir: &Path, hub: &Hub, watch: &mut dyn FnMut(Progress)) -> Result<Self> {
        let not_found = match find(runs_dir, name) {
            Ok(run) => return Self::of_run(&run),
            Err(error) => error,
        };
        let folder = hub.model(name, "main", watch, &AtomicBool::new(false));
        let folder = folder.map_err(|error| not_a_run(error, &not_found))?;
        folder.folders().into_iter().try_for_each(check_digests)?;
        Ok(ExportSource { folder, run: None })
    }

    /// The adapters of the run.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has none.
    pub(super) fn adapters(&self) -> Result<SourceAdapters> {
        let of_run = self.run.as_ref().and_then(|run| {
            let lora = Lora::from_spec(&run.spec)?;
            let base = std::path::absolute(expand_home(&run.spec.model)).ok().filter(|path| path.is_dir());
            let base_model = base.map_or_else(|| run.spec.model.clone(), |path| path.display().to_string());
            Some(SourceAdapters { best: run.dir.best(), lora, base_model })
        });
        of_run.ok_or_else(|| {
            Error::Usage(format!(
                "{} has no adapters; train with lora_r, or export it as hf",
                self.folder.name
            ))
        })
    }

    /// The specification of the run, if the model is from one.
    pub fn spec(&self) -> Option<&RunSpec> {
        self.run.as_ref().map(|run| &run.spec)
    }

    /// The model in the fast engine of the CPU, with the digests of its files. If a training replaces the files in the
    /// meantime, they are read again.
    ///
    /// # Errors
    /// Those of [`nn::for_inference`] and of reading the files.
    pub(super) fn load(&self) -> Result<(Built, BTreeMap<String, String>)> {
        let mut found = self.digests()?;
        loop {
            let model = nn::for_inference(&self.folder, DeviceSpec::Cpu, Some(Precision::F32))?;
            let again = self.digests()?;
            if again == found {
                return Ok((model, found));
            }
            found = again;
        }
    }

    fn digests(&self) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for folder in self.folder.folders() {
            found.extend(digests(folder)?);
        }
        Ok(found)
    }

    /// The tokenizer. `best/` of a run of an older version has the maximum length of the original model.
    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        match self.spec() {
            Some(spec) => Tokenizer::load(&self.folder, spec.max_seq_length),
            None => Tokenizer::from_pretrained(&self.folder),
        }
    }

    /// The labels. Those of a model folder are in its configuration.
    ///
    /// # Errors
    /// [`Error::Model`] for a `problem_type` that does not suit the number of outputs.
    pub(super) fn labels(&self, model: &Built) -> Result<Labels> {
        if let Some(run) = &self.run {
            return Ok(run.labels.clone());
        }
        Ok(match model.config.problem_type(model.labels.len())? {
            ProblemType::SingleLabelClassification => model.labels.clone().into(),
            ProblemType::MultiLabelClassification => Labels::multi_label(model.labels.clone()),
            ProblemType::Regression => Labels::Scale { low: f32::MIN, high: f32::MAX },
        })
    }
}
