//! A run or a model folder, and text → label and probabilities, or the number that a regression tells.

use crate::batch::Batch;
use crate::catalog::{Labels, Task, task};
use crate::data::{self, DatasetSource, Example, Tokenizer, WordEncoding, WordSpan};
use crate::error::{Error, Result};
use crate::event::{Progress, Scores, SplitName};
use crate::files::ModelFolder;
use crate::hub::Hub;
use crate::nn::{self, Build, Built, Engine, Optimizer};
use crate::run::{RunDir, find};
use crate::spec::{EngineChoice, Precision, RunSpec};
use crate::train::{Snapshot, argmax, evaluate, softmax};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Examples that a forward pass takes.
const BATCH: usize = 64;
/// Points of a sum of gradients.
const POINTS: usize = 24;
/// Longer inputs are cut to so many tokens, unless a run says otherwise.
const MAX_SEQ_LENGTH: usize = 128;

/// What the words of a regression push towards.
const HIGHER: &str = "a higher score";

/// What a model says of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The answer.
    pub answer: Answer,
    /// Tokens the input has, special ones included.
    pub tokens: usize,
    /// Whether the input was longer than the model takes, so that its end was cut.
    pub truncated: bool,
}

/// The answer of a classifier, or of a regression.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One of several classes.
    Label {
        /// The most probable one.
        label: String,
        /// Its probability.
        probability: f32,
        /// Each label with its probability, in the order of the classes.
        probabilities: Vec<(String, f32)>,
    },
    /// A number.
    Score {
        /// The number, which may lie a little outside the scale.
        score: f32,
        /// From where to where the labels of the task go, where the task is known.
        scale: Option<(f32, f32)>,
    },
}

impl Answer {
    /// The most probable label, of a classifier.
    pub fn label(&self) -> Option<&str> {
        match self {
            Answer::Label { label, .. } => Some(label),
            Answer::Score { .. } => None,
        }
    }

    /// Each label with its probability; none of a regression.
    pub fn probabilities(&self) -> &[(String, f32)] {
        match self {
            Answer::Label { probabilities, .. } => probabilities,
            Answer::Score { .. } => &[],
        }
    }
}

/// What an answer rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What the words push towards: the most probable label, or of a regression a higher score.
    pub label: String,
    /// How far each word pushed its logit, in their order.
    pub words: Vec<Push>,
}

/// How far a word pushed the logit of a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Push {
    /// The word as it was typed.
    pub text: String,
    /// Its first character in its text.
    pub start: usize,
    /// The character after its last.
    pub end: usize,
    /// What it adds to the logit: above 0 towards the label, below 0 away from it.
    pub value: f32,
    /// Of which text of a pair: 0 for the first, 1 for the second.
    #[serde(skip)]
    pub sequence: usize,
}

/// A model that is ready to judge.
pub struct Predictor {
    engine: Box<dyn Engine>,
    tokenizer: Tokenizer,
    labels: Vec<String>,
    scale: Option<(f32, f32)>,
    name: String,
    /// The specification of the run that the model is from, if it is from one.
    spec: Option<RunSpec>,
    pair: Option<bool>,
    step: Option<u64>,
    notes: Vec<String>,
}

impl Predictor {
    /// Opens `name`: a run's name, a run directory, a local model folder, or a hub id.
    pub fn open(name: &str, runs_dir: &Path, device: &str) -> Result<Self> {
        if let Ok(path) = find(runs_dir, name) {
            return Self::open_run(&RunDir::at(path), device);
        }
        let mut nobody = |_: Progress| {};
        let folder = Hub::from_env().model(name, "main", &mut nobody, &AtomicBool::new(false))?;
        if name == crate::assets::DEMO {
            return Err(Error::model(
                name,
                "the encoder that the program carries has no trained head; train one first: glue-tui train demo",
            ));
        }
        Self::open_folder(&folder, None, device)
    }

    fn open_run(dir: &RunDir, device: &str) -> Result<Self> {
        let spec = dir.spec()?;
        if !dir.best().is_dir() {
            return Err(Error::model(
                dir.name(),
                "has no weights yet: they are written after the first scored step; train it on with --resume",
            ));
        }
        let folder = ModelFolder { name: dir.name(), ..ModelFolder::on_disk(dir.best()) };
        Self::open_folder(&folder, Some(spec), device)
    }

    fn open_folder(folder: &ModelFolder, spec: Option<RunSpec>, device: &str) -> Result<Self> {
        let built = nn::for_inference(folder, device, None)?;
        let limit = spec.as_ref().map_or(MAX_SEQ_LENGTH, |spec| spec.max_seq_length);
        let tokenizer = Tokenizer::load(folder, limit.min(built.config.max_positions))?;
        Ok(Predictor {
            labels: built.config.id2label.clone(),
            scale: spec.as_ref().and_then(|spec| spec.task().labels.scale()),
            engine: built.engine,
            tokenizer,
            name: folder.name.clone(),
            pair: spec.as_ref().map(RunSpec::is_pair),
            spec,
            step: None,
            notes: built.notes,
        })
    }

    /// Builds a model around the weights of a training that goes on. Later ones of the same training are
    /// put in by [`Predictor::refresh`], which is quicker.
    pub fn from_snapshot(snapshot: &Snapshot, device: &str) -> Result<Self> {
        let Built { engine, notes, .. } = nn::build(&Build {
            folder: &snapshot.folder,
            labels: &snapshot.labels,
            seed: 0,
            classifier_dropout: None,
            optimizer: Optimizer::default(),
            device,
            precision: Precision::Auto,
            engine: EngineChoice::Auto,
            max_examples_per_pass: BATCH,
            max_tokens_per_pass: None,
            threads: None,
        })?;
        let mut predictor = Predictor {
            engine,
            tokenizer: Tokenizer::load(&snapshot.folder, snapshot.max_seq_length)?,
            labels: snapshot.labels.clone(),
            scale: snapshot.scale,
            name: snapshot.folder.name.clone(),
            spec: None,
            pair: Some(snapshot.pair),
            step: None,
            notes,
        };
        predictor.refresh(snapshot)?;
        Ok(predictor)
    }

    /// Takes over the weights of `snapshot`.
    pub fn refresh(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.engine.set_weights(&snapshot.weights)?;
        self.step = Some(snapshot.step);
        Ok(())
    }

    /// What was chosen otherwise than a user might think, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Optimizer steps that its weights have seen, when they are of a training that goes on.
    pub fn step(&self) -> Option<u64> {
        self.step
    }

    /// What the labels of `task`, which it is scored on, are; those of task `custom` are its own.
    pub fn labels_on(&self, task: &Task) -> Labels {
        if task.is_custom() { self.labels.clone().into() } else { task.labels.clone() }
    }

    /// Whether it judges two texts together; `None` when nothing tells.
    pub fn is_pair(&self) -> Option<bool> {
        self.pair
    }

    /// The most probable label of one text, or of two together, with all probabilities; of a regression its number.
    pub fn classify(&mut self, text: &str, text_pair: Option<&str>) -> Result<Prediction> {
        let input = (text.to_string(), text_pair.map(str::to_string));
        let verdicts = self.classify_all(std::slice::from_ref(&input))?;
        verdicts.into_iter().next().ok_or_else(|| Error::Training("one input gave no verdict".into()))
    }

    /// [`Predictor::classify`] for many inputs, in their order.
    pub fn classify_all(&mut self, inputs: &[(String, Option<String>)]) -> Result<Vec<Prediction>> {
        let mut verdicts = Vec::with_capacity(inputs.len());
        for chunk in inputs.chunks(BATCH) {
            let rows: Vec<_> = chunk
                .iter()
                .map(|(text, text_pair)| {
                    self.check_pair(text_pair.is_some())?;
                    let (text, text_pair) = (text.clone(), text_pair.clone());
                    self.tokenizer.encode(&Example { text, text_pair, label: None })
                })
                .collect::<Result<_>>()?;
            let batch = Batch::new(rows.iter().map(|(encoded, _)| encoded));
            for (logits, (encoded, truncated)) in self.engine.logits(&batch)?.iter().zip(&rows) {
                verdicts.push(self.verdict(logits, encoded.ids.len(), *truncated));
            }
        }
        Ok(verdicts)
    }

    /// Which words the most probable label of a text, or of two together, rests on: integrated gradients of its
    /// logit against the same input with every word padded away. What the words add comes to the difference of
    /// the two. `go_on` is asked in between; nothing when it says no.
    pub fn explain(
        &mut self,
        text: &str,
        text_pair: Option<&str>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Explanation>> {
        self.check_pair(text_pair.is_some())?;
        let example = Example { text: text.into(), text_pair: text_pair.map(str::to_string), label: None };
        let WordEncoding { encoded, words } = self.tokenizer.encode_words(&example)?;
        let padding = self.tokenizer.pad_token_id().ok_or_else(|| {
            Error::model(
                &self.name,
                "has no [PAD] in its vocabulary, so there is nothing to hold words against",
            )
        })?;
        let mut baseline = encoded.ids.clone();
        for word in &words {
            baseline[word.tokens.clone()].fill(padding);
        }
        let class = argmax(&self.engine.logits(&Batch::new([&encoded]))?.concat());
        let explained = (&encoded, baseline.as_slice());
        let found = nn::integrated_gradients(self.engine.as_mut(), explained, class, POINTS, go_on)?;
        let push = |word: &WordSpan, tokens: &[f64]| {
            let whole = if word.sequence == 0 { text } else { text_pair.unwrap_or_default() };
            let characters = |end: usize| whole.get(..end).map_or(0, |part| part.chars().count());
            Push {
                text: whole.get(word.offsets.clone()).unwrap_or_default().to_string(),
                start: characters(word.offsets.start),
                end: characters(word.offsets.end),
                value: tokens[word.tokens.clone()].iter().sum::<f64>() as f32,
                sequence: word.sequence,
            }
        };
        Ok(found.map(|tokens| Explanation {
            label: if self.labels.len() == 1 { HIGHER.into() } else { self.labels[class].clone() },
            words: words.iter().map(|word| push(word, &tokens)).collect(),
        }))
    }

    fn check_pair(&self, given: bool) -> Result<()> {
        match self.pair {
            Some(true) if !given => Err(Error::Usage(format!(
                "{} judges two texts together; give both (on a line, a tab between)",
                self.name
            ))),
            Some(false) if given => {
                Err(Error::Usage(format!("{} judges one text; give only one", self.name)))
            }
            _ => Ok(()),
        }
    }

    fn verdict(&self, logits: &[f32], tokens: usize, truncated: bool) -> Prediction {
        let answer = if let [score] = logits {
            Answer::Score { score: *score, scale: self.scale }
        } else {
            let (class, probabilities) = (argmax(logits), softmax(logits));
            Answer::Label {
                label: self.labels[class].clone(),
                probability: probabilities[class],
                probabilities: self.labels.iter().cloned().zip(probabilities).collect(),
            }
        };
        Prediction { answer, tokens, truncated }
    }

    /// Scores a split: of `task`, or else of the task of the run that the model is from, which then also
    /// says where the rows are unless `data_dir` does. With MNLI's validation split goes the mismatched one.
    pub fn score(
        &mut self,
        task_name: Option<&str>,
        split: SplitName,
        data_dir: Option<&Path>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Scores> {
        let task = self.task(task_name)?;
        let mut scores = self.score_split(task, split, data_dir, watch)?;
        if split == SplitName::Validation && task.has_mismatched() {
            let mismatched = self.score_split(task, SplitName::ValidationMismatched, data_dir, watch)?;
            scores.take_mismatched(&mismatched);
        }
        Ok(scores)
    }

    fn score_split(
        &mut self,
        task: &'static Task,
        split: SplitName,
        data_dir: Option<&Path>,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Scores> {
        let asked = self.labels_on(task).outputs();
        if asked != self.labels.len() {
            let what = |outputs| match outputs {
                1 => "a number".to_string(),
                classes => format!("one of {classes} labels"),
            };
            return Err(Error::Usage(format!(
                "{} tells {}, task {} asks for {}",
                self.name,
                what(self.labels.len()),
                task.name,
                what(asked)
            )));
        }
        let own = self.spec.as_ref().filter(|spec| spec.task == task.name);
        let own = own.map_or(DatasetSource::for_task(task, None), DatasetSource::from_spec);
        let data_dir = data_dir.or(own.data_dir);
        let place = DatasetSource { data_dir, labels: Some(&self.labels), ..own };
        let cancelled = AtomicBool::new(false);
        let hub = Hub::from_env();
        let mut context = data::LoadContext { hub: &hub, on_progress: watch, cancelled: &cancelled };
        let rows = data::load_split(place, split, &mut context)?;
        if rows.is_empty() || rows.iter().any(|row| row.label.is_none()) {
            return Err(Error::Usage(format!(
                "the {} split of {} has no labels, so it cannot be scored",
                split.name(),
                task.name
            )));
        }
        let encoded = self.tokenizer.encode_batch(&rows, watch, &cancelled)?.rows;
        let mut tick = |_: &mut dyn Engine, _: usize| Ok(true);
        let judged = evaluate(self.engine.as_mut(), &encoded, self.labels.len(), BATCH, &mut tick)?;
        let judged = judged.ok_or_else(|| Error::Interrupted("scoring was interrupted".into()))?;
        Ok(judged.scores(task))
    }

    /// The task of that name, or that of the model's run.
    pub fn task(&self, name: Option<&str>) -> Result<&'static Task> {
        let name = name.or(self.spec.as_ref().map(|spec| spec.task.as_str())).ok_or_else(|| {
            Error::Usage(format!("{} does not say which task it is for; name it with --task", self.name))
        })?;
        task(name).ok_or_else(|| {
            let known: Vec<_> = crate::catalog::TASKS.iter().map(|task| task.name).collect();
            Error::Usage(format!("there is no task {name}; there are {}", known.join(", ")))
        })
    }
}
