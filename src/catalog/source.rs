//! Where the rows of a task come from.

/// Where the rows of a task come from.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the sources are static rows of a table")]
pub enum TaskSource {
    /// Embedded in the binary: the name of the folder in `assets/`.
    Embedded(&'static str),
    /// The folder `data_dir`, or else the hub.
    Files {
        /// The name of the task's folder in GLUE's archive: `data_dir` may also be the folder of the whole archive.
        folder: &'static str,
        /// The format of the files in `data_dir`.
        local: LocalFormat,
        /// The Parquet files on the hub.
        hub: HubDataset,
    },
    /// Files that the specification names, from which the labels and the number of texts are read.
    Custom,
}

/// The format of local files. Parquet files with the columns of the hub are accepted too.
#[derive(Debug)]
pub enum LocalFormat {
    /// The tab-separated files of GLUE, in which quotes are ordinary text.
    Tsv {
        /// Columns of `train.tsv` and `dev.tsv` by their header.
        columns: Columns,
        /// Columns of `test.tsv`, which has no label.
        test_columns: Columns,
        /// The names of the columns of `train.tsv` and `dev.tsv` if they have no header.
        unnamed: Option<&'static [&'static str]>,
        /// Whether rows of the published files are split by a line break inside a text. A few such rows are skipped
        /// and counted in a note; many are an error.
        has_split_rows: bool,
    },
    /// Trees in the format of the Penn Treebank, one per line (`train.txt`, `dev.txt`, `test.txt`).
    Trees(TreeLabels),
}

/// How the root of a tree becomes a class.
#[derive(Debug)]
pub struct TreeLabels {
    /// The lowest root digit (0 to 4) that is class 1.
    pub positive_from: u32,
}

/// A data set on the hub.
#[derive(Debug)]
pub struct HubDataset {
    /// Repository, `owner/name`.
    pub repo: &'static str,
    /// The folder of its configuration, or empty.
    pub config: &'static str,
    /// Columns by the schema of the files.
    pub columns: Columns,
    /// For a label column with a score in 0..=1: scores strictly above the threshold are class 1.
    pub threshold: Option<f64>,
}

/// The names of the columns of a file.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// The text, or the first text of a pair.
    pub text: &'static str,
    /// The second text of a pair.
    pub text_pair: Option<&'static str>,
    /// The label.
    pub label: Option<&'static str>,
}

pub(super) const fn columns(
    text: &'static str,
    text_pair: Option<&'static str>,
    label: Option<&'static str>,
) -> Columns {
    Columns { text, text_pair, label }
}

/// A task of GLUE with its folder, the columns of its TSV files, and the configuration and columns of the hub's data set.
pub(super) const fn glue(
    folder: &'static str,
    tsv: Columns,
    config: &'static str,
    hub: Columns,
) -> TaskSource {
    TaskSource::Files {
        folder,
        local: LocalFormat::Tsv {
            columns: tsv,
            test_columns: columns(tsv.text, tsv.text_pair, None),
            unnamed: None,
            has_split_rows: false,
        },
        hub: HubDataset { repo: "nyu-mll/glue", config, columns: hub, threshold: None },
    }
}

/// Columns of a pair of texts with a label.
pub(super) const fn pair(text: &'static str, text_pair: &'static str, label: &'static str) -> Columns {
    columns(text, Some(text_pair), Some(label))
}
