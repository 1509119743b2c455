//! The tasks: labels, columns, where the rows come from, which scores count.

use super::splits::MNLI_SPLITS;
use super::{LabelKind, Metric, STANDARD_SPLITS, SplitName, SplitSpec};
use crate::batch::Label;
use crate::config::{by_nearness, meant};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow::{self, Borrowed};
use std::fmt;
use std::str::FromStr;

/// Parts that a scale is looked at in.
const PARTS: usize = 5;

/// A text classification task.
#[derive(Debug)]
pub struct Task {
    /// The name in experiments.toml.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What its labels are; classes without names where the files tell them.
    pub labels: Labels,
    /// Whether an example is two texts, unless the files tell that.
    pub pair: bool,
    /// Where rows come from.
    pub source: Source,
    /// The splits, the training split first.
    pub splits: &'static [SplitSpec],
    /// The official scores, in the order they are shown. The loss is always there beside them.
    pub metrics: &'static [Metric],
    /// The score that chooses the best weights, unless the specification names another.
    pub best: Metric,
    /// A sentence that belongs into the log of each run on it.
    pub note: Option<&'static str>,
}

/// What the labels of a task, or of files of the user's own, are.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Names; a name's index is its class.
    Classes(Cow<'static, [Name]>),
    /// Numbers from `low` to `high`: the task is a regression.
    Scale {
        /// The lowest.
        low: f32,
        /// The highest.
        high: f32,
    },
}

/// The name of a class.
pub type Name = Cow<'static, str>;

impl Default for Labels {
    fn default() -> Self {
        classes(&[])
    }
}

impl From<Vec<String>> for Labels {
    fn from(names: Vec<String>) -> Self {
        Labels::Classes(names.into_iter().map(Name::from).collect())
    }
}

impl Labels {
    /// The names of the classes; none of a regression.
    pub fn classes(&self) -> &[Name] {
        match self {
            Labels::Classes(names) => names,
            Labels::Scale { .. } => &[],
        }
    }

    /// Outputs of a model for the task: one a class, and one alone for a regression, as in Transformers.
    pub fn outputs(&self) -> usize {
        match self {
            Labels::Classes(names) => names.len(),
            Labels::Scale { .. } => 1,
        }
    }

    /// Whether they are classes or numbers.
    pub const fn kind(&self) -> LabelKind {
        match self {
            Labels::Classes(_) => LabelKind::Classes,
            Labels::Scale { .. } => LabelKind::Numbers,
        }
    }

    /// From where to where the numbers of a regression go; `None` of classes.
    pub const fn scale(&self) -> Option<(f32, f32)> {
        match self {
            Labels::Classes(_) => None,
            Labels::Scale { low, high } => Some((*low, *high)),
        }
    }

    /// What rows are counted by: the classes, or the parts of a scale, `0–1`, `1–2`, ….
    pub fn groups(&self) -> Vec<String> {
        match self {
            Labels::Classes(_) => self.names(),
            Labels::Scale { .. } => {
                self.parts().into_iter().map(|(from, to)| format!("{from}–{to}")).collect()
            }
        }
    }

    /// Place of the group that a label is in.
    pub fn group(&self, label: Label) -> usize {
        match (self, label) {
            (Labels::Scale { low, high }, label) => {
                let place = (label.number() - low) / (high - low) * PARTS as f32;
                (place.max(0.0) as usize).min(PARTS - 1)
            }
            (Labels::Classes(_), label) => label.number() as usize,
        }
    }

    /// From where to where the parts of a scale go, of equal length; none of classes. A number between two is in the
    /// upper one.
    pub fn parts(&self) -> Vec<(f32, f32)> {
        let Some((low, high)) = self.scale() else { return Vec::new() };
        let end = |place: usize| low + (high - low) * place as f32 / PARTS as f32;
        (0..PARTS).map(|place| (end(place), end(place + 1))).collect()
    }

    /// The names of the outputs, as a model's `config.json` has them. That of a regression is Transformers' own.
    pub fn names(&self) -> Vec<String> {
        match self {
            Labels::Classes(names) => names.iter().map(ToString::to_string).collect(),
            Labels::Scale { .. } => vec!["LABEL_0".into()],
        }
    }
}

/// Where a task's rows come from.
#[derive(Debug)]
pub enum Source {
    /// Carried by the binary: name of the folder in `assets/`.
    Embedded(&'static str),
    /// A folder of the user's, or else the hub.
    Files {
        /// How the files of `data_dir` look.
        local: Local,
        /// The data set on the hub, in Parquet.
        hub: Hub,
    },
    /// Files that the specification names, which also tell the labels and whether an example is two texts.
    Custom,
}

/// How the files of a local copy look. Parquet files are taken too, with the hub's columns.
#[derive(Debug)]
pub enum Local {
    /// GLUE's tab-separated files: quotes are ordinary text.
    Tsv {
        /// Columns of `train.tsv` and `dev.tsv`, by the names in their header.
        columns: Columns,
        /// Columns of `test.tsv`, which has no label.
        test_columns: Columns,
        /// What the columns of `train.tsv` and `dev.tsv` are, where these have no header.
        unnamed: Option<&'static [&'static str]>,
    },
    /// Penn Treebank style trees, one a line (`train.txt`, `dev.txt`, `test.txt`).
    Trees(Tree),
}

/// How a tree's root becomes a class.
#[derive(Debug)]
pub struct Tree {
    /// The lowest root digit (0 to 4) that is class 1.
    pub positive_from: u32,
}

/// A data set on the hub.
#[derive(Debug)]
pub struct Hub {
    /// Repository, `owner/name`.
    pub repo: &'static str,
    /// The folder of its configuration, or empty.
    pub config: &'static str,
    /// Columns by the names in the files' schema.
    pub columns: Columns,
    /// For a label column that holds a score in 0..=1: strictly above it is class 1.
    pub threshold: Option<f64>,
}

/// Which columns hold what.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// The text, or the first of two.
    pub text: &'static str,
    /// The second text.
    pub text_pair: Option<&'static str>,
    /// The label.
    pub label: Option<&'static str>,
}

const fn columns(
    text: &'static str,
    text_pair: Option<&'static str>,
    label: Option<&'static str>,
) -> Columns {
    Columns { text, text_pair, label }
}

/// Classes of these names.
const fn classes(names: &'static [Name]) -> Labels {
    Labels::Classes(Borrowed(names))
}

/// A task of GLUE: its files' columns, and the configuration and columns of the hub's data set.
const fn glue(tsv: Columns, config: &'static str, hub: Columns) -> Source {
    Source::Files {
        local: Local::Tsv {
            columns: tsv,
            test_columns: columns(tsv.text, tsv.text_pair, None),
            unnamed: None,
        },
        hub: Hub { repo: "nyu-mll/glue", config, columns: hub, threshold: None },
    }
}

/// Two columns of these names and a label.
const fn pair(text: &'static str, text_pair: &'static str, label: &'static str) -> Columns {
    columns(text, Some(text_pair), Some(label))
}

const SENTIMENT: Labels = classes(&[Borrowed("negative"), Borrowed("positive")]);
const DUPLICATE: Labels = classes(&[Borrowed("not_duplicate"), Borrowed("duplicate")]);
const ENTAILMENT: Labels = classes(&[Borrowed("entailment"), Borrowed("not_entailment")]);

/// Every task there is.
pub static TASKS: &[Task] = &[
    Task {
        name: "demo",
        title: "Sentiment of short reviews, carried by the program",
        labels: SENTIMENT,
        pair: false,
        source: Source::Embedded("demo"),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "demo-pairs",
        title: "Duplicate questions, carried by the program",
        labels: DUPLICATE,
        pair: true,
        source: Source::Embedded("demo-pairs"),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "sst",
        title: "Stanford Sentiment Treebank: whole sentences, neutral ones included",
        labels: SENTIMENT,
        pair: false,
        source: Source::Files {
            local: Local::Trees(Tree { positive_from: 3 }),
            hub: Hub {
                repo: "stanfordnlp/sst",
                config: "default",
                columns: columns("sentence", None, Some("label")),
                threshold: Some(0.5),
            },
        },
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "sst2",
        title: "GLUE SST-2: sentiment of movie-review phrases",
        labels: SENTIMENT,
        pair: false,
        source: glue(
            columns("sentence", None, Some("label")),
            "sst2",
            columns("sentence", None, Some("label")),
        ),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "qqp",
        title: "GLUE QQP: do two Quora questions ask the same?",
        labels: DUPLICATE,
        pair: true,
        source: glue(
            pair("question1", "question2", "is_duplicate"),
            "qqp",
            pair("question1", "question2", "label"),
        ),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "cola",
        title: "GLUE CoLA: is a sentence acceptable English?",
        labels: classes(&[Borrowed("unacceptable"), Borrowed("acceptable")]),
        pair: false,
        source: Source::Files {
            local: Local::Tsv {
                columns: columns("sentence", None, Some("label")),
                test_columns: columns("sentence", None, None),
                unnamed: Some(&["source", "label", "original mark", "sentence"]),
            },
            hub: Hub {
                repo: "nyu-mll/glue",
                config: "cola",
                columns: columns("sentence", None, Some("label")),
                threshold: None,
            },
        },
        splits: STANDARD_SPLITS,
        metrics: &[Metric::MatthewsCorrelation],
        best: Metric::MatthewsCorrelation,
        note: None,
    },
    Task {
        name: "mrpc",
        title: "GLUE MRPC: do two sentences of the news say the same?",
        labels: classes(&[Borrowed("not_equivalent"), Borrowed("equivalent")]),
        pair: true,
        source: glue(
            pair("#1 String", "#2 String", "Quality"),
            "mrpc",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "stsb",
        title: "GLUE STS-B: how alike are two sentences, from 0 to 5?",
        labels: Labels::Scale { low: 0.0, high: 5.0 },
        pair: true,
        source: glue(
            pair("sentence1", "sentence2", "score"),
            "stsb",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Pearson, Metric::Spearman],
        best: Metric::Pearson,
        note: None,
    },
    Task {
        name: "mnli",
        title: "GLUE MNLI: does a sentence follow from another, or contradict it?",
        labels: classes(&[Borrowed("entailment"), Borrowed("neutral"), Borrowed("contradiction")]),
        pair: true,
        source: glue(
            pair("sentence1", "sentence2", "gold_label"),
            "mnli",
            pair("premise", "hypothesis", "label"),
        ),
        splits: MNLI_SPLITS,
        metrics: &[Metric::Accuracy, Metric::AccuracyMm],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "qnli",
        title: "GLUE QNLI: does a sentence hold the answer to a question?",
        labels: ENTAILMENT,
        pair: true,
        source: glue(pair("question", "sentence", "label"), "qnli", pair("question", "sentence", "label")),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "rte",
        title: "GLUE RTE: does a sentence follow from a passage?",
        labels: ENTAILMENT,
        pair: true,
        source: glue(pair("sentence1", "sentence2", "label"), "rte", pair("sentence1", "sentence2", "label")),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "wnli",
        title: "GLUE WNLI: what does a pronoun stand for? (Winograd schemas)",
        labels: classes(&[Borrowed("not_entailment"), Borrowed("entailment")]),
        pair: true,
        source: glue(
            pair("sentence1", "sentence2", "label"),
            "wnli",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: Some(
            "WNLI's validation rows are its training rows with the labels turned: 56.3 % is what always answering \
             not_entailment scores, and less is common",
        ),
    },
    Task {
        name: "custom",
        title: "Files of your own: CSV, TSV, JSON lines or Parquet",
        labels: classes(&[]),
        pair: false,
        source: Source::Custom,
        splits: STANDARD_SPLITS,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
];

impl Task {
    /// Whether it is read from files of the user's own.
    pub fn is_custom(&self) -> bool {
        matches!(self.source, Source::Custom)
    }

    /// Its split of that name.
    pub fn split(&self, name: SplitName) -> Option<&'static SplitSpec> {
        self.splits.iter().find(|split| split.name == name)
    }
}

/// The task of that name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

/// A task of the catalog, as a specification names it. It reads and writes as the task's name.
#[derive(Clone, Copy)]
pub struct TaskId(&'static Task);

impl TaskId {
    /// The task itself.
    pub fn task(self) -> &'static Task {
        self.0
    }

    /// The name in experiments.toml.
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl Default for TaskId {
    /// The first task of the catalog.
    fn default() -> Self {
        TaskId(&TASKS[0])
    }
}

impl From<&'static Task> for TaskId {
    fn from(task: &'static Task) -> Self {
        TaskId(task)
    }
}

impl PartialEq for TaskId {
    fn eq(&self, other: &TaskId) -> bool {
        self.name() == other.name()
    }
}

impl Eq for TaskId {}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.name())
    }
}

impl FromStr for TaskId {
    type Err = String;

    /// The task of that name. The error names the known tasks, the most similar name first.
    fn from_str(name: &str) -> Result<Self, String> {
        if let Some(task) = task(name) {
            return Ok(TaskId(task));
        }
        let known = by_nearness(name, TASKS.iter().map(|task| task.name)).join(", ");
        Err(match meant(name, TASKS.iter().map(|task| task.name)) {
            Some(nearest) => {
                format!("unknown task `{name}`; did you mean `{nearest}`? The tasks are {known}")
            }
            None => format!("unknown task `{name}`; the tasks are {known}"),
        })
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_scale_has_parts_and_every_number_is_in_one() {
        let scale = Labels::Scale { low: 0.0, high: 5.0 };
        assert_eq!(scale.groups(), ["0–1", "1–2", "2–3", "3–4", "4–5"]);
        let places = [0.0, 0.99, 1.0, 3.8, 5.0, -0.5, 7.0].map(|number| scale.group(Label::Value(number)));
        assert_eq!(places, [0, 0, 1, 3, 4, 0, 4]);
        assert_eq!((SENTIMENT.groups(), SENTIMENT.group(Label::Class(1))), (SENTIMENT.names(), 1));
    }

    #[test]
    fn rows_are_consistent() {
        for task in TASKS {
            assert!(task.metrics.contains(&task.best), "{}", task.name);
            let kind = task.labels.kind();
            assert!(
                task.metrics.iter().all(|metric| metric.is_reported(kind, task.metrics)),
                "{}",
                task.name
            );
            let sources = task.metrics.iter().filter_map(|metric| metric.source());
            assert!(sources.into_iter().all(|(split, _)| task.split(split).is_some()), "{}", task.name);
            let keys: BTreeSet<u32> = task.splits.iter().map(|split| split.sample_key).collect();
            assert_eq!(keys.len(), task.splits.len(), "{}", task.name);
            match &task.labels {
                Labels::Classes(names) => assert!(names.len() > 1 || task.is_custom(), "{}", task.name),
                Labels::Scale { low, high } => assert!(low < high, "{}", task.name),
            }
            if let Source::Files { local: Local::Tsv { columns, test_columns, unnamed }, hub } = &task.source
            {
                assert!(unnamed.is_none_or(|names| names.contains(&columns.text)), "{}", task.name);
                assert_eq!(columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert_eq!(test_columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert_eq!(hub.columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert!(columns.label.is_some() && test_columns.label.is_none(), "{}", task.name);
            }
        }
    }
}
