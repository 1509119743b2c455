//! The table of tasks: labels, columns, sources, splits and metrics. A new task is a new row.

use super::labels::{Labels, classes};
use super::metrics::Metric;
use super::problem_type::ProblemType;
use super::source::{HubDataset, LocalFormat, TaskSource, TreeLabels, columns, glue, pair};
use super::splits::{AX_SPLITS, MNLI_SPLITS, STANDARD_SPLITS, SplitName, SplitSpec};
use std::borrow::Cow::Borrowed;

/// A text classification task.
#[derive(Debug)]
pub struct Task {
    /// The name in experiments.toml.
    pub name: &'static str,
    /// A short description.
    pub title: &'static str,
    /// Its labels; classes without names if they are read from the files.
    pub labels: Labels,
    /// Whether an example is a pair of texts, unless that depends on the files.
    pub pair: bool,
    /// Where its rows come from.
    pub source: TaskSource,
    /// The splits, the training split first.
    pub splits: &'static [SplitSpec],
    /// Number of training rows; `None` if it depends on the files.
    pub train_rows: Option<u64>,
    /// The official metrics, in the order in which they are shown. Those of task `custom` depend on the problem type.
    metrics: &'static [Metric],
    /// The metric that selects the best weights, unless the specification has another.
    best: Metric,
    /// A note for the log of every run.
    pub note: Option<&'static str>,
    /// Whether the validation rows are training rows with the opposite labels, so that a model that learns the training
    /// rows gets them wrong.
    pub has_opposite_validation_labels: bool,
}

const SENTIMENT: Labels = classes(&[Borrowed("negative"), Borrowed("positive")]);
const DUPLICATE: Labels = classes(&[Borrowed("not_duplicate"), Borrowed("duplicate")]);
const INFERENCE: Labels = classes(&[Borrowed("entailment"), Borrowed("neutral"), Borrowed("contradiction")]);
const ENTAILMENT: Labels = classes(&[Borrowed("entailment"), Borrowed("not_entailment")]);

/// All tasks.
pub static TASKS: &[Task] = &[
    Task {
        name: "demo",
        title: "Sentiment of short reviews, built in",
        labels: SENTIMENT,
        pair: false,
        source: TaskSource::Embedded("demo"),
        splits: STANDARD_SPLITS,
        train_rows: Some(3200),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "demo-pairs",
        title: "Duplicate questions, built in",
        labels: DUPLICATE,
        pair: true,
        source: TaskSource::Embedded("demo-pairs"),
        splits: STANDARD_SPLITS,
        train_rows: Some(3200),
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "sst",
        title: "Stanford Sentiment Treebank: whole sentences, neutral ones included",
        labels: SENTIMENT,
        pair: false,
        source: TaskSource::Files {
            folder: "SST",
            local: LocalFormat::Trees(TreeLabels { positive_from: 3 }),
            hub: HubDataset {
                repo: "stanfordnlp/sst",
                config: "default",
                columns: columns("sentence", None, Some("label")),
                threshold: Some(0.5),
            },
        },
        splits: STANDARD_SPLITS,
        train_rows: Some(8544),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "sst2",
        title: "GLUE SST-2: sentiment of movie-review phrases",
        labels: SENTIMENT,
        pair: false,
        source: glue(
            "SST-2",
            columns("sentence", None, Some("label")),
            "sst2",
            columns("sentence", None, Some("label")),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(67_349),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "qqp",
        title: "GLUE QQP: do two Quora questions ask the same?",
        labels: DUPLICATE,
        pair: true,
        source: TaskSource::Files {
            folder: "QQP",
            local: LocalFormat::Tsv {
                columns: pair("question1", "question2", "is_duplicate"),
                test_columns: columns("question1", Some("question2"), None),
                unnamed: None,
                has_split_rows: true,
            },
            hub: HubDataset {
                repo: "nyu-mll/glue",
                config: "qqp",
                columns: pair("question1", "question2", "label"),
                threshold: None,
            },
        },
        splits: STANDARD_SPLITS,
        train_rows: Some(363_846),
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "cola",
        title: "GLUE CoLA: is a sentence acceptable English?",
        labels: classes(&[Borrowed("unacceptable"), Borrowed("acceptable")]),
        pair: false,
        source: TaskSource::Files {
            folder: "CoLA",
            local: LocalFormat::Tsv {
                columns: columns("sentence", None, Some("label")),
                test_columns: columns("sentence", None, None),
                unnamed: Some(&["source", "label", "original mark", "sentence"]),
                has_split_rows: false,
            },
            hub: HubDataset {
                repo: "nyu-mll/glue",
                config: "cola",
                columns: columns("sentence", None, Some("label")),
                threshold: None,
            },
        },
        splits: STANDARD_SPLITS,
        train_rows: Some(8551),
        metrics: &[Metric::MatthewsCorrelation],
        best: Metric::MatthewsCorrelation,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "mrpc",
        title: "GLUE MRPC: do two sentences of the news say the same?",
        labels: classes(&[Borrowed("not_equivalent"), Borrowed("equivalent")]),
        pair: true,
        source: glue(
            "MRPC",
            pair("#1 String", "#2 String", "Quality"),
            "mrpc",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(3668),
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "stsb",
        title: "GLUE STS-B: how alike are two sentences, from 0 to 5?",
        labels: Labels::Scale { low: 0.0, high: 5.0 },
        pair: true,
        source: glue(
            "STS-B",
            pair("sentence1", "sentence2", "score"),
            "stsb",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(5749),
        metrics: &[Metric::Pearson, Metric::Spearman],
        best: Metric::Pearson,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "mnli",
        title: "GLUE MNLI: does a sentence follow from another, or contradict it?",
        labels: INFERENCE,
        pair: true,
        source: glue(
            "MNLI",
            pair("sentence1", "sentence2", "gold_label"),
            "mnli",
            pair("premise", "hypothesis", "label"),
        ),
        splits: MNLI_SPLITS,
        train_rows: Some(392_702),
        metrics: &[Metric::Accuracy, Metric::AccuracyMm],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "ax",
        title: "GLUE AX: diagnostic examples for models of MNLI",
        labels: INFERENCE,
        pair: true,
        source: TaskSource::Files {
            folder: "diagnostic",
            local: LocalFormat::Tsv {
                // The file with the labels has other columns than that of the archive.
                columns: pair("Premise", "Hypothesis", "Label"),
                test_columns: columns("sentence1", Some("sentence2"), None),
                unnamed: None,
                has_split_rows: false,
            },
            hub: HubDataset {
                repo: "nyu-mll/glue",
                config: "ax",
                columns: pair("premise", "hypothesis", "label"),
                threshold: None,
            },
        },
        splits: AX_SPLITS,
        train_rows: None,
        metrics: &[Metric::MatthewsCorrelation],
        best: Metric::MatthewsCorrelation,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "qnli",
        title: "GLUE QNLI: does a sentence hold the answer to a question?",
        labels: ENTAILMENT,
        pair: true,
        source: glue(
            "QNLI",
            pair("question", "sentence", "label"),
            "qnli",
            pair("question", "sentence", "label"),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(104_743),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "rte",
        title: "GLUE RTE: does a sentence follow from a passage?",
        labels: ENTAILMENT,
        pair: true,
        source: glue(
            "RTE",
            pair("sentence1", "sentence2", "label"),
            "rte",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(2490),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
    Task {
        name: "wnli",
        title: "GLUE WNLI: what does a pronoun stand for? (Winograd schemas)",
        labels: classes(&[Borrowed("not_entailment"), Borrowed("entailment")]),
        pair: true,
        source: glue(
            "WNLI",
            pair("sentence1", "sentence2", "label"),
            "wnli",
            pair("sentence1", "sentence2", "label"),
        ),
        splits: STANDARD_SPLITS,
        train_rows: Some(635),
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: Some(
            "the validation rows of WNLI are its training rows with the opposite labels: always predicting \
             not_entailment gives 56.3 %, and lower results are common",
        ),
        has_opposite_validation_labels: true,
    },
    Task {
        name: "custom",
        title: "Your own files: CSV, TSV, JSON lines or Parquet",
        labels: classes(&[]),
        pair: false,
        source: TaskSource::Custom,
        splits: STANDARD_SPLITS,
        train_rows: None,
        metrics: &[Metric::Accuracy, Metric::F1Macro],
        best: Metric::Accuracy,
        note: None,
        has_opposite_validation_labels: false,
    },
];

impl Task {
    /// Whether it is the task of custom files.
    pub fn is_custom(&self) -> bool {
        matches!(self.source, TaskSource::Custom)
    }

    /// Whether it has rows to train on; otherwise a model of another task predicts its rows.
    pub fn is_trainable(&self) -> bool {
        self.split(SplitName::Train).is_some()
    }

    /// The name of its folder in GLUE's archive, which is also its name in tables; its own name for other tasks.
    pub fn folder(&self) -> &'static str {
        match &self.source {
            TaskSource::Files { folder, .. } => folder,
            TaskSource::Embedded(_) | TaskSource::Custom => self.name,
        }
    }

    /// The official metrics for a model of this `problem_type`, in the order in which they are shown, the one that
    /// selects the best weights first for task `custom`.
    pub fn metrics(&self, problem_type: ProblemType) -> &'static [Metric] {
        match problem_type {
            ProblemType::MultiLabelClassification if self.is_custom() => {
                &[Metric::F1Micro, Metric::F1Macro, Metric::ExactMatch, Metric::AveragePrecision]
            }
            ProblemType::Regression if self.is_custom() => &[Metric::Pearson, Metric::Spearman, Metric::Mae],
            _ => self.metrics,
        }
    }

    /// The metric that selects the best weights of a model of this `problem_type`, unless the specification has
    /// another.
    pub fn best(&self, problem_type: ProblemType) -> Metric {
        match (self.is_custom(), self.metrics(problem_type)) {
            (true, [best, ..]) => *best,
            _ => self.best,
        }
    }

    /// The metrics that can select the best weights of a model of this `problem_type`: all that evaluations report.
    pub fn metrics_for_best_model(&self, problem_type: ProblemType) -> impl Iterator<Item = Metric> {
        // Task `custom` has two classes or more, depending on its files.
        let outputs = if self.is_custom() { 2..=3 } else { self.labels.outputs()..=self.labels.outputs() };
        let is_reported = move |metric: &Metric| {
            outputs.clone().any(|outputs| self.reports(*metric, problem_type, outputs))
        };
        Metric::ALL.iter().copied().filter(is_reported)
    }

    /// Whether an evaluation on the task of a model of this `problem_type` with that many outputs reports `metric`.
    pub fn reports(&self, metric: Metric, problem_type: ProblemType, outputs: usize) -> bool {
        let is_official = self.metrics(problem_type).contains(&metric);
        let is_added = match metric {
            Metric::F1 => self.is_custom() && outputs == 2,
            Metric::F1Macro => outputs > 2,
            _ => false,
        };
        metric.is_defined(problem_type) && (metric.is_always_reported() || is_official || is_added)
    }

    /// Its split of that name.
    pub fn split(&self, name: SplitName) -> Option<&'static SplitSpec> {
        self.splits.iter().find(|split| split.name == name)
    }
}

/// The tasks that a run can be trained on.
pub fn trainable_tasks() -> impl Iterator<Item = &'static Task> {
    TASKS.iter().filter(|task| task.is_trainable())
}

/// The task of that name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_consistent() {
        for task in TASKS {
            assert!(task.metrics.contains(&task.best), "{}", task.name);
            let problem_type = task.labels.problem_type();
            assert!(
                task.metrics.iter().all(|metric| task.reports(*metric, problem_type, task.labels.outputs())),
                "{}",
                task.name
            );
            let sources = task.metrics.iter().filter_map(|metric| metric.source());
            assert!(sources.into_iter().all(|(split, _)| task.split(split).is_some()), "{}", task.name);
            let keys: BTreeSet<u32> = task.splits.iter().map(|split| split.sample_key).collect();
            assert_eq!(keys.len(), task.splits.len(), "{}", task.name);
            match &task.labels {
                Labels::MultiLabel(_) => panic!("{}: no task of the table is multi-label", task.name),
                Labels::Classes(names) => assert!(names.len() > 1 || task.is_custom(), "{}", task.name),
                Labels::Scale { low, high } => assert!(low < high, "{}", task.name),
            }
            if let TaskSource::Files {
                local: LocalFormat::Tsv { columns, test_columns, unnamed, .. },
                hub,
                ..
            } = &task.source
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
