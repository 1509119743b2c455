//! The tasks: labels, columns, where the rows come from, which scores count.

use super::Metric;

/// A text classification task.
#[derive(Debug)]
pub struct Task {
    /// The name in experiments.toml.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Label names; a label's index is its class.
    pub labels: &'static [&'static str],
    /// Whether an example is two texts.
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

const SENTIMENT: &[&str] = &["negative", "positive"];
const DUPLICATE: &[&str] = &["not_duplicate", "duplicate"];

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
        source: Source::Files {
            local: Local::Tsv {
                columns: columns("sentence", None, Some("label")),
                test_columns: columns("sentence", None, None),
            },
            hub: Hub {
                repo: "nyu-mll/glue",
                config: "sst2",
                columns: columns("sentence", None, Some("label")),
                threshold: None,
            },
        },
        metrics: &[Metric::Accuracy],
        best: Metric::Accuracy,
        note: None,
    },
    Task {
        name: "qqp",
        title: "GLUE QQP: do two Quora questions ask the same?",
        labels: DUPLICATE,
        pair: true,
        source: Source::Files {
            local: Local::Tsv {
                columns: columns("question1", Some("question2"), Some("is_duplicate")),
                test_columns: columns("question1", Some("question2"), None),
            },
            hub: Hub {
                repo: "nyu-mll/glue",
                config: "qqp",
                columns: columns("question1", Some("question2"), Some("label")),
                threshold: None,
            },
        },
        metrics: &[Metric::Accuracy, Metric::F1],
        best: Metric::Accuracy,
        note: None,
    },
];

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
            assert!(task.labels.len() > 1, "{}", task.name);
            if let Source::Files { local: Local::Tsv { columns, test_columns }, hub } = &task.source {
                assert_eq!(columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert_eq!(test_columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert_eq!(hub.columns.text_pair.is_some(), task.pair, "{}", task.name);
                assert!(columns.label.is_some() && test_columns.label.is_none(), "{}", task.name);
            }
        }
    }
}
