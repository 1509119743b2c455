//! The predictions of a finished run for the files of a submission, kept in its folder `submission/`.

use super::check::HEADER;
use crate::catalog::{SUBMISSION, SubmissionFile, Task};
use crate::data::{DatasetSource, Example, LoadContext, load_split, rows_digest};
use crate::error::{Error, Result};
use crate::event::{Progress, Unit};
use crate::files::{DIGESTS, read_regular, read_regular_to_string, sha256, write_atomic};
use crate::hub::Hub;
use crate::predict::{ModelOutput, Prediction, Predictor};
use crate::run::RunDir;
use crate::spec::{DeviceSpec, RunSpec};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder in a run directory.
const FOLDER: &str = "submission";
/// The weights in `best/`.
const WEIGHTS: &str = "model.safetensors";
/// Rows between two looks at the flag that cancels.
const CHUNK: usize = 2048;

/// The predictions for a file of a submission.
#[derive(Debug)]
pub struct FilePredictions {
    /// The file.
    pub file: &'static SubmissionFile,
    /// Its content in the run directory, or why there is none.
    pub path: Result<PathBuf, String>,
}

/// Predicts the test splits of tasks with the best weights of runs.
pub struct SubmissionPredictor<'a> {
    /// The hub to fetch the splits from.
    pub hub: &'a Hub,
    /// The device to predict on.
    pub device: DeviceSpec,
    /// Set to give up.
    pub cancelled: &'a AtomicBool,
    /// Receives the progress.
    pub watch: &'a mut dyn FnMut(Progress),
}

/// What the predictions of a file are from, beside it as JSON.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// The SHA-256 of the weights.
    weights: String,
    /// That of the rows.
    rows: String,
}

impl SubmissionPredictor<'_> {
    /// The predictions of `run` for each file of a submission that its task has. Those that the run directory has from the
    /// same weights and rows are used again.
    ///
    /// # Errors
    /// [`Error::Usage`] for a run of a task without such files, [`Error::Model`] for one without weights, those of the engine,
    /// and [`Error::Interrupted`] soon after the flag is set. A split that cannot be read is no error.
    pub fn predict(&mut self, run: &RunDir) -> Result<Vec<FilePredictions>> {
        let spec = run.spec()?;
        let files: Vec<&SubmissionFile> =
            SUBMISSION.iter().filter(|file| file.trained_on == spec.task.name()).collect();
        if files.is_empty() {
            return Err(Error::Usage(format!(
                "{} is a run of task {}, which is no task of GLUE",
                run.name(),
                spec.task
            )));
        }
        let weights = weights_digest(run)?;
        let mut predictor = None;
        let mut found = Vec::new();
        for file in files {
            let path = self.predict_file(run, &spec, file, &weights, &mut predictor)?;
            found.push(FilePredictions { file, path });
        }
        Ok(found)
    }

    /// The predictions for a file. The inner error is why its rows cannot be read.
    fn predict_file(
        &mut self,
        run: &RunDir,
        spec: &RunSpec,
        file: &'static SubmissionFile,
        weights: &str,
        predictor: &mut Option<Predictor>,
    ) -> Result<Result<PathBuf, String>> {
        let stored = StoredFile::at(run, file);
        let task = file.task().ok_or_else(|| Error::Training(format!("no task {}", file.task)))?;
        let rows = match self.rows(task, spec, file) {
            Ok(rows) => rows,
            Err(error @ Error::Interrupted(_)) => return Err(error),
            // The predictions may be from another machine, which has the rows.
            Err(error) => return Ok(stored.of_weights(weights).ok_or_else(|| error.to_string())),
        };
        let origin = Origin { weights: weights.to_owned(), rows: rows_digest(&rows) };
        if let Some(path) = stored.of_origin(&origin) {
            return Ok(Ok(path));
        }
        let predictor = match predictor {
            Some(predictor) => predictor,
            None => predictor.insert(self.open(run)?),
        };
        let text = self.text(predictor, task, file, rows)?;
        stored.write(&text, &origin).map(Ok)
    }

    fn open(&self, run: &RunDir) -> Result<Predictor> {
        let path = std::path::absolute(run.path()).map_err(Error::reading(run.path()))?;
        let name = path.display().to_string();
        Predictor::open(&name, path.parent().unwrap_or(Path::new(".")), self.hub, self.device)
    }

    /// The rows of the split of a file.
    fn rows(&mut self, task: &'static Task, spec: &RunSpec, file: &SubmissionFile) -> Result<Vec<Example>> {
        let mut context =
            LoadContext { hub: self.hub, on_progress: &mut *self.watch, cancelled: self.cancelled };
        let source = DatasetSource::for_task(task, spec.data_dir.as_deref());
        let rows = load_split(source, file.split, &mut context)?;
        if rows.is_empty() {
            let problem = format!("the {} split of task {} has no rows", file.split.name(), task.name);
            return Err(Error::Usage(problem));
        }
        Ok(rows)
    }

    /// The content of a file.
    fn text(
        &mut self,
        predictor: &mut Predictor,
        task: &Task,
        file: &SubmissionFile,
        rows: Vec<Example>,
    ) -> Result<String> {
        let mut text = format!("{HEADER}\n");
        let (mut index, total) = (0_u64, rows.len() as u64);
        let inputs: Vec<(String, Option<String>)> =
            rows.into_iter().map(|row| (row.text, row.text_pair)).collect();
        for chunk in inputs.chunks(CHUNK) {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted(format!("the predictions of {} were interrupted", file.name)));
            }
            let what = format!("predicting {}", file.name);
            (self.watch)(Progress { what, done: index, total: Some(total), unit: Unit::Rows });
            for prediction in predictor.predict_all(chunk)? {
                text += &format!("{index}\t{}\n", value(&prediction, task, file)?);
                index += 1;
            }
        }
        Ok(text)
    }
}

/// A prediction as the file has it.
fn value(prediction: &Prediction, task: &Task, file: &SubmissionFile) -> Result<String> {
    let class_text = |label: &str| {
        let class = task.labels.classes().iter().position(|name| name == label);
        class.and_then(|class| file.class_text(class))
    };
    let text = match &prediction.output {
        ModelOutput::Score { score, .. } => Some(file.number_text(*score)),
        ModelOutput::Label { label, .. } => class_text(label),
        // The leaderboard has no word for a row without a label.
        ModelOutput::NoLabel { probabilities } => {
            let most_probable = probabilities.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
            most_probable.and_then(|(label, _)| class_text(label))
        }
        ModelOutput::Labels { .. } => None,
    };
    text.filter(|text| file.accepts(text)).ok_or_else(|| {
        Error::Training(format!(
            "the model does not predict the labels of task {}, as {} needs",
            task.name, file.name
        ))
    })
}

/// The SHA-256 of the best weights of a run.
fn weights_digest(run: &RunDir) -> Result<String> {
    let best = run.best();
    if !best.is_dir() {
        return Err(Error::model(
            run.name(),
            "has no weights yet; they are written after the first evaluation; continue the training with --resume",
        ));
    }
    let sums = best.join(DIGESTS);
    let text = match read_regular_to_string(&sums) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.map_err(Error::reading(&sums))?,
    };
    let known = text.lines().find_map(|line| {
        line.split_once("  ").filter(|(_, name)| *name == WEIGHTS).map(|(digest, _)| digest.to_owned())
    });
    known.map_or_else(|| sha256(&best.join(WEIGHTS)), Ok)
}

/// The predictions of a file in a run directory, and what they are from. The second file is written after the first one.
struct StoredFile {
    folder: PathBuf,
    predictions: PathBuf,
    origin: PathBuf,
}

impl StoredFile {
    fn at(run: &RunDir, file: &SubmissionFile) -> StoredFile {
        let folder = run.path().join(FOLDER);
        let predictions = folder.join(file.name);
        StoredFile { origin: predictions.with_extension("json"), predictions, folder }
    }

    fn read_origin(&self) -> Option<Origin> {
        let origin = serde_json::from_slice(&read_regular(&self.origin).ok()?).ok();
        origin.filter(|_| self.predictions.is_file())
    }

    /// The predictions, if they are from these weights and rows.
    fn of_origin(&self, origin: &Origin) -> Option<PathBuf> {
        (self.read_origin()? == *origin).then(|| self.predictions.clone())
    }

    /// The predictions, if they are from these weights.
    fn of_weights(&self, weights: &str) -> Option<PathBuf> {
        (self.read_origin()?.weights == weights).then(|| self.predictions.clone())
    }

    fn write(&self, text: &str, origin: &Origin) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.folder).map_err(Error::writing(&self.folder))?;
        match std::fs::remove_file(&self.origin) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::writing(&self.origin)(error));
            }
            _ => {}
        }
        write_atomic(&self.predictions, text.as_bytes())?;
        let json = serde_json::to_vec_pretty(origin).map_err(|e| Error::writing(&self.origin)(e.into()))?;
        write_atomic(&self.origin, &json)?;
        Ok(self.predictions.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::submission_file;

    #[test]
    fn predictions_are_used_again_only_for_the_same_weights_and_rows() {
        let home = tempfile::tempdir().unwrap();
        let stored = StoredFile::at(&RunDir::at(home.path()), submission_file("RTE.tsv").unwrap());
        let origin = |weights: &str, rows: &str| Origin { weights: weights.into(), rows: rows.into() };
        assert_eq!(stored.of_weights("a"), None);
        let path = stored.write("index\tprediction\n", &origin("a", "b")).unwrap();
        assert_eq!(path, home.path().join("submission/RTE.tsv"));
        assert_eq!(stored.of_origin(&origin("a", "b")), Some(path.clone()));
        assert_eq!((stored.of_origin(&origin("a", "c")), stored.of_origin(&origin("x", "b"))), (None, None));
        assert_eq!((stored.of_weights("a"), stored.of_weights("x")), (Some(path), None));
        std::fs::remove_file(home.path().join("submission/RTE.tsv")).unwrap();
        assert_eq!(stored.of_weights("a"), None);
    }

    #[test]
    fn predictions_are_written_as_the_file_has_them() {
        let text = |file: &str, output: ModelOutput| {
            let file = submission_file(file).unwrap();
            let prediction = Prediction { output, tokens: 1, truncated: false };
            value(&prediction, file.task().unwrap(), file).map_err(|error| error.to_string())
        };
        let label = |name: &str| ModelOutput::Label {
            label: name.into(),
            probability: 1.0,
            probabilities: vec![(name.into(), 1.0)],
        };
        assert_eq!(text("WNLI.tsv", label("entailment")), Ok("1".into()));
        assert_eq!(text("QNLI.tsv", label("entailment")), Ok("entailment".into()));
        assert_eq!(text("STS-B.tsv", ModelOutput::Score { score: 5.5, scale: None }), Ok("5.000".into()));
        assert!(text("QNLI.tsv", label("neutral")).unwrap_err().contains("does not predict the labels"));
        assert!(text("STS-B.tsv", label("entailment")).is_err());
    }
}
