//! The tasks: labels, columns, where the rows come from, which scores count.

use super::Metric;

/// A text classification task.
#[derive(Debug)]
pub struct Task {
    /// The name in experiments.toml.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Label names; a label's index is its class. None where the files tell them.
    pub labels: &'static [&'static str],
    /// Whether an example is two texts, unless the files tell that.
    pub pair: bool,
    /// Where rows come from.
    pub source: Source,
    /// The official scores, in the order they are shown. The loss is always there beside them.
    pub metrics: &'static [Metric],
    /// The score that chooses the best weights, unless the specification names another.
    pub best: Metric,
    /// A sentence that belongs into the log of each run on it.
    pub note: Option<&'static str>,
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
    Own,
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
    /// The class.
    pub label: Option<&'static str>,
}

const fn columns(
    text: &'static str,
    text_pair: Option<&'static str>,
    label: Option<&'static str>,
) -> Columns {
    Columns { text, text_pair, label }
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

const SENTIMENT: &[&str] = &["negative", "positive"];
const DUPLICATE: &[&str] = &["not_duplicate", "duplicate"];
const ENTAILMENT: &[&str] = &["entailment", "not_entailment"];

/// Every task there is.
pub static TASKS: &[Task] = &[
    Task {
        name: "demo",
        title: "Sentiment of short reviews, carried by the program",
        labels: SENTIMENT,
        pair: false,
        source: Source::Embedded("demo"),
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
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "cola",
        title: "GLUE CoLA: is a sentence acceptable English?",
        labels: &["unacceptable", "acceptable"],
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
        metrics: &[Metric::MatthewsCorrelation],
        best: Metric::MatthewsCorrelation,
        note: None,
    },
    Task {
        name: "mrpc",
        title: "GLUE MRPC: do two sentences of the news say the same?",
        labels: &["not_equivalent", "equivalent"],
        pair: true,
        source: glue(
            pair("#1 String", "#2 String", "Quality"),
            "mrpc",
            pair("sentence1", "sentence2", "label"),
        ),
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "mnli",
        title: "GLUE MNLI: does a sentence follow from another, or contradict it?",
        labels: &["entailment", "neutral", "contradiction"],
        pair: true,
        source: glue(
            pair("sentence1", "sentence2", "gold_label"),
            "mnli",
            pair("premise", "hypothesis", "label"),
        ),
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
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "wnli",
        title: "GLUE WNLI: what does a pronoun stand for? (Winograd schemas)",
        labels: &["not_entailment", "entailment"],
        pair: true,
        source: glue(
            pair("sentence1", "sentence2", "label"),
            "wnli",
            pair("sentence1", "sentence2", "label"),
        ),
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
        labels: &[],
        pair: false,
        source: Source::Own,
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
];

impl Task {
    /// Whether it is read from files of the user's own.
    pub fn is_custom(&self) -> bool {
        matches!(self.source, Source::Own)
    }

    /// Whether its validation split is followed by one of other genres than it is trained on.
    pub fn has_mismatched(&self) -> bool {
        self.metrics.contains(&Metric::AccuracyMm)
    }
}

/// The task of that name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_consistent() {
        for task in TASKS {
            assert!(task.metrics.contains(&task.best), "{}", task.name);
            assert!(task.labels.len() > 1 || task.is_custom(), "{}", task.name);
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
